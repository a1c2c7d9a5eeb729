/* Grouped-query attention (qwen2, llama; architecture.md 7). */
#include "model/pass.h"

r1_status r1i_block_gqa(const r1i_pass *p, const r1i_layer *l, const r1i_kv_layer *kv, const r1i_normed *h)
{
    const r1i_attn_shape *const s = &p->m->attn;
    const bool interleaved = p->m->config.rope_interleaved;
    const r1i_batch *const b = p->batch;
    r1i_exec *const ex = p->ex;
    r1i_mat q, k, v, o;
    r1i_act act;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, s->heads * s->key_dim, &q)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, s->kv_heads * s->key_dim, &k)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, s->kv_heads * s->value_dim, &v)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, s->heads * s->value_dim, &o)) != R1_OK) return st;

    const size_t mark = r1i_arena_mark(ex->scratch);
    const unsigned kinds = r1i_act_kind(ex, &l->q) | r1i_act_kind(ex, &l->k) | r1i_act_kind(ex, &l->v);
    if ((st = r1i_normed_act(p, ex, h, kinds, &act)) != R1_OK) return st;
    const r1i_linear_job qkv[3] = {
        {.y = q, .x = &act, .w = &l->q, .bias = l->q_bias},
        {.y = k, .x = &act, .w = &l->k, .bias = l->k_bias},
        {.y = v, .x = &act, .w = &l->v, .bias = l->v_bias},
    };
    r1i_ahead_one(p, &l->o, 1);
    if ((st = r1i_linear(ex, qkv, 3)) != R1_OK) return st;
    r1i_arena_reset(ex->scratch, mark);

    if ((st = r1i_rope(ex, q, s->heads, s->key_dim, s->key_dim, p->cos, p->sin, interleaved)) != R1_OK) return st;
    if ((st = r1i_rope(ex, k, s->kv_heads, s->key_dim, s->key_dim, p->cos, p->sin, interleaved)) != R1_OK) return st;
    if ((st = r1i_kv_write(ex, s, kv, k, v, b->runs, b->n_runs)) != R1_OK) return st;
    const r1i_coming down = {&(r1i_weights){&l->dense.down, 1}, 1, NULL};
    const r1i_coming up = {(r1i_weights[]){{&l->dense.gate, 1}, {&l->dense.up, 1}}, 2, &down};
    const r1i_coming next = {&(r1i_weights){&l->o, 1}, 1, l->moe ? NULL : &up};
    if ((st = r1i_attention(ex, s, kv, o, q, b->runs, b->n_runs, &next)) != R1_OK) return st;

    if ((st = r1i_pass_act(p, o, r1i_act_kind(ex, &l->o), &act)) != R1_OK) return st;
    const r1i_linear_job out = {.y = p->x, .x = &act, .w = &l->o, .add = true};
    r1i_ahead_ffn(p, l);
    return r1i_linear(ex, &out, 1);
}

size_t r1i_block_gqa_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows, size_t attn)
{
    const r1i_attn_shape *const s = &m->attn;
    const unsigned kinds = r1i_act_kind(ex, &l->q) | r1i_act_kind(ex, &l->k) | r1i_act_kind(ex, &l->v);
    const size_t in = r1i_act_bytes(rows, m->config.hidden_size, kinds);
    const size_t out = r1i_act_bytes(rows, s->heads * s->value_dim, r1i_act_kind(ex, &l->o));
    const size_t most = r1i_after(ex, r1i_after(ex, in, attn), out);
    const size_t taped = r1i_tape_mat_bytes(ex, rows, s->kv_heads * s->key_dim) +
        r1i_tape_mat_bytes(ex, rows, s->kv_heads * s->value_dim) + r1i_tape_jobs_bytes(ex, 3) +
        r1i_tape_jobs_bytes(ex, 1);
    return r1i_mat_bytes(rows, s->heads * s->key_dim) + r1i_mat_bytes(rows, s->kv_heads * s->key_dim) +
           r1i_mat_bytes(rows, s->kv_heads * s->value_dim) + r1i_mat_bytes(rows, s->heads * s->value_dim) + most +
           taped;
}
