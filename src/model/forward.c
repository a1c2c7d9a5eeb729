/* The forward pass over any batch: embedding, layers, and the head for the rows that want logits. */
#include "model/forward.h"

#include <inttypes.h>
#include <string.h>

#include "model/pass.h"

/* ---- helpers of all blocks --------------------------------------------------------------------------------------- */

r1_status r1i_pass_take(const r1i_pass *p, int64_t n, size_t size, void *out)
{
    void *const mem = r1i_arena_take(p->ex->scratch, (size_t)n * size, p->ex->err);
    memcpy(out, &mem, sizeof mem);
    return mem ? R1_OK : R1_ERR_NOMEM;
}

r1_status r1i_pass_mat(const r1i_pass *p, int64_t rows, int64_t cols, r1i_mat *out)
{
    float *mem;
    const r1_status st = r1i_pass_take(p, rows * cols, sizeof *mem, &mem);
    *out = r1i_mat_of(mem, rows, cols);
    return st == R1_OK ? r1i_tape_block_add(p->ex, mem, (size_t)(rows * cols) * sizeof *mem) : st;
}

r1_status r1i_pass_act(const r1i_pass *p, r1i_mat x, unsigned kinds, r1i_act *act)
{
    return p->n == 1 ? r1i_act_later(p->ex, act, x, (r1i_mat){0}, kinds) : r1i_act_make(p->ex, act, x, kinds);
}

r1_status r1i_pass_norm(const r1i_pass *p, const float *gain, r1i_normed *out)
{
    out->gain = gain;
    const r1_status st = r1i_pass_mat(p, p->n, p->x.cols, &out->h);
    if (st != R1_OK || r1i_pass_one(p)) return st;
    return r1i_rmsnorm(p->ex, out->h, p->x, gain, (float)p->m->config.rms_norm_eps);
}

r1_status r1i_normed_act(const r1i_pass *p, r1i_exec *ex, const r1i_normed *n, unsigned kinds, r1i_act *act)
{
    if (!r1i_pass_one(p)) return r1i_act_make(ex, act, n->h, kinds);
    return r1i_act_norm(ex, act, n->h, p->x, n->gain, (float)p->m->config.rms_norm_eps, kinds);
}

void r1i_ahead_ffn(const r1i_pass *p, const r1i_layer *l)
{
    if (l->moe) r1i_ahead_one(p, &l->router, 1);
    else r1i_ahead_two(p, &l->dense.gate, &l->dense.up);
}

void r1i_ahead_layer(const r1i_pass *p, int64_t index)
{
    const r1_model *const m = p->m;
    const r1i_layer *const l = &m->layer[index < m->config.num_hidden_layers ? index : 0];
    if (index >= m->config.num_hidden_layers) r1i_ahead_one(p, &m->head, 1); /* after an MTP layer, too */
    else if (m->attn.mla) r1i_ahead_two(p, m->config.q_lora_rank > 0 ? &l->q_a : &l->q, &l->kv_a);
    else r1i_ahead(p->ex, p->n, (const r1i_weights[]){{&l->q, 1}, {&l->k, 1}, {&l->v, 1}}, 3);
}

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static r1_status check_batch(const r1_model *m, const r1i_batch *b, const int32_t *token, r1_error *err)
{
    int64_t row = 0;
    for (int64_t i = 0; i < b->n; i++)
        if (token[i] < 0 || token[i] >= m->config.vocab_size)
            return r1i_fail(err, R1_ERR_RANGE, "token id %" PRId32 " of row %" PRId64 ", 0 to %" PRId64 " expected",
                            token[i], i, m->config.vocab_size - 1);
    for (int64_t i = 0; i < b->n_runs; i++) {
        if (b->runs[i].first != row || b->runs[i].n < 1 || b->runs[i].pos0 < 0)
            return r1i_fail(err, R1_ERR_USAGE,
                            "run %" PRId64 " of the batch begins at row %" PRId64 ", %" PRId64 " expected", i,
                            b->runs[i].first, row);
        row += b->runs[i].n;
    }
    if (row != b->n) return r1i_fail(err, R1_ERR_USAGE, "the batch has %" PRId64 " rows, its runs %" PRId64, b->n, row);
    for (int64_t i = 0; i < b->n_logits; i++)
        if (b->logit_row[i] < 0 || b->logit_row[i] >= b->n || (i > 0 && b->logit_row[i] <= b->logit_row[i - 1]))
            return r1i_fail(err, R1_ERR_USAGE, "logit row %" PRId32 ": ascending rows below %" PRId64 " expected",
                            b->logit_row[i], b->n);
    return R1_OK;
}

r1_status r1i_pass_begin(r1i_pass *p, r1i_exec *ex, const r1_model *m, const r1i_batch *batch, const int32_t *token,
                         const r1i_probe *probe)
{
    const int64_t half = r1i_rope_dim(&m->config) / 2;
    int64_t *pos;
    r1_status st;
    *p = (r1i_pass){.ex = ex, .m = m, .batch = batch, .probe = probe, .n = batch->n};
    if ((st = check_batch(m, batch, token, ex->err)) != R1_OK) return st;
    if (ex->tape) ex->tape->runs = batch->runs, ex->tape->n_runs = batch->n_runs;
    if ((st = r1i_pass_mat(p, p->n, m->config.hidden_size, &p->x)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, half, &p->cos)) != R1_OK || (st = r1i_pass_mat(p, p->n, half, &p->sin)) != R1_OK)
        return st;
    if ((st = r1i_pass_take(p, p->n, sizeof *pos, &pos)) != R1_OK) return st;
    for (int64_t r = 0; r < batch->n_runs; r++)
        for (int64_t i = 0; i < batch->runs[r].n; i++) pos[batch->runs[r].first + i] = batch->runs[r].pos0 + i;
    return r1i_rope_table(ex, p->cos, p->sin, pos, m->inv_freq, m->rope_magnitude);
}

size_t r1i_pass_begin_bytes(const r1_model *m, int64_t rows)
{
    return r1i_mat_bytes(rows, m->config.hidden_size) + 2 * r1i_mat_bytes(rows, r1i_rope_dim(&m->config) / 2) +
           r1i_take_bytes(rows, sizeof(int64_t));
}

/* ---- one layer --------------------------------------------------------------------------------------------------- */

static r1_status run_layer(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_kv_layer *kv)
{
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_normed h;
    r1_status st;
    if ((st = r1i_pass_norm(p, l->attn_norm, &h)) != R1_OK) return st;
    st = p->m->attn.mla ? r1i_block_mla(p, l, kv, &h) : r1i_block_gqa(p, l, kv, &h);
    if (st != R1_OK) return st;
    r1i_arena_reset(p->ex->scratch, mark);
    if ((st = r1i_pass_norm(p, l->ffn_norm, &h)) != R1_OK) return st;
    st = l->moe ? r1i_block_moe(p, l, index, &h) : r1i_block_ffn(p, &l->dense, index, &h);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

/* A layer that a tape runs again: everything its call had, but nobody watches a second time. */
typedef struct later {
    r1i_pass p;
    const r1i_layer *l;
    int64_t index;
    r1i_kv_layer kv;
} later;

static r1_status run_again(const void *layer)
{
    const later *const a = layer;
    r1_status st = r1i_tape_begin_layer(a->p.ex);
    if (st == R1_OK) st = run_layer(&a->p, a->l, a->index, &a->kv);
    return st == R1_OK ? r1i_tape_end_layer(a->p.ex) : st;
}

static r1_status run_for_later(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_kv_layer *kv)
{
    r1i_exec ex = *p->ex;
    r1i_pass now = *p;
    later *a;
    r1_status st = r1i_pass_take(p, 1, sizeof *a, &a);
    if (st != R1_OK) return st;
    *a = (later){.p = *p, .l = l, .index = index, .kv = *kv};
    a->p.probe = NULL;
    if ((st = r1i_tape_later(p->ex, p->x, run_again, a)) != R1_OK) return st;
    ex.tape = NULL;
    now.ex = &ex;
    ex.scratch->held = false;
    st = run_layer(&now, l, index, kv);
    ex.scratch->held = true;
    return st;
}

r1_status r1i_block_layer(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_kv_layer *kv)
{
    if (!p->ex->tape) return run_layer(p, l, index, kv);
    if (p->ex->tape->recompute) return run_for_later(p, l, index, kv);
    r1_status st = r1i_tape_begin_layer(p->ex);
    if (st == R1_OK) st = run_layer(p, l, index, kv);
    return st == R1_OK ? r1i_tape_end_layer(p->ex) : st;
}

/* Of an adapter's terms; a bound, without a tape: they are not all there at once. */
static size_t low_ranks_bytes(const r1i_exec *ex, const r1i_layer *l, int64_t rows)
{
    const r1i_weight *const w[] = {&l->q, &l->k, &l->v, &l->o, &l->q_a, &l->q_b, &l->kv_a, &l->dense.gate, &l->dense.up,
                                   &l->dense.down, &l->shared.gate, &l->shared.up, &l->shared.down};
    size_t sum = 0;
    for (size_t i = 0; i < sizeof w / sizeof *w; i++) sum += r1i_low_rank_bytes(ex, w[i], rows);
    return sum;
}

size_t r1i_block_layer_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows, size_t attn)
{
    const size_t a = m->attn.mla ? r1i_block_mla_bytes(ex, m, l, rows, attn)
        : r1i_block_gqa_bytes(ex, m, l, rows, attn);
    const size_t f = l->moe ? r1i_block_moe_bytes(ex, m, l, rows) : r1i_block_ffn_bytes(ex, &l->dense, rows);
    const size_t h = r1i_mat_bytes(rows, m->config.hidden_size) + r1i_tape_mat_bytes(ex, rows, m->config.hidden_size);
    return r1i_after(ex, h + a, h + f) + low_ranks_bytes(ex, l, rows);
}

/* ---- ending ------------------------------------------------------------------------------------------------------ */

r1_status r1i_pass_head(const r1i_pass *p, r1i_mat normed, r1i_mat logits)
{
    const r1i_batch *const b = p->batch;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_mat rows = normed;
    r1i_act act;
    r1_status st;
    if (b->n_logits == 0) return R1_OK;
    if (b->n_logits < p->n) {
        if ((st = r1i_pass_mat(p, b->n_logits, normed.cols, &rows)) != R1_OK) return st;
        if ((st = r1i_gather(p->ex, rows, normed, b->logit_row)) != R1_OK) return st;
    }
    if ((st = r1i_act_make(p->ex, &act, rows, r1i_act_kind(p->ex, &p->m->head))) != R1_OK) return st;
    const r1i_linear_job job = {.y = logits, .x = &act, .w = &p->m->head};
    r1i_ahead_layer(p, 0); /* of the next token */
    st = r1i_linear(p->ex, &job, 1);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

r1_status r1i_pass_norm_head(const r1i_pass *p, const float *norm, r1i_mat logits)
{
    const r1i_batch *const b = p->batch;
    const float eps = (float)p->m->config.rms_norm_eps;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_pass few = *p;
    r1_status st;
    if (b->n_logits == 0) return R1_OK;
    few.n = b->n_logits; /* every row of `few` has logits, so the head does not look at logit_row again */
    if (b->n_logits < p->n) {
        if ((st = r1i_pass_mat(p, b->n_logits, p->x.cols, &few.x)) != R1_OK) return st;
        if ((st = r1i_gather(p->ex, few.x, p->x, b->logit_row)) != R1_OK) return st;
    }
    if ((st = r1i_rmsnorm(p->ex, few.x, few.x, norm, eps)) != R1_OK) return st;
    st = r1i_pass_head(&few, few.x, logits);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

/* The rows are copied unless all of them are wanted; which of the two takes more depends on nothing but the count. */
size_t r1i_pass_head_bytes(const r1i_exec *ex, const r1_model *m, int64_t logit_rows)
{
    const int64_t d = m->config.hidden_size;
    return r1i_mat_bytes(logit_rows, d) + r1i_act_bytes(logit_rows, d, r1i_act_kind(ex, &m->head));
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static void show_hidden(const r1i_pass *p, int64_t layer, r1i_mat x)
{
    if (p->probe && p->probe->hidden) p->probe->hidden(p->probe->user, layer, x);
}

static r1_status run(r1i_pass *p, const r1i_kv *kv, r1i_mat logits, const r1i_mat *hidden_out)
{
    const r1_model *const m = p->m;
    const int64_t layers = m->config.num_hidden_layers;
    r1_status st;
    if ((st = r1i_embed(p->ex, p->x, &m->embedding, p->batch->token)) != R1_OK) return st;
    show_hidden(p, 0, p->x);
    for (int64_t i = 0; i < layers; i++) {
        const r1i_kv_layer pages = r1i_kv_layer_of(kv, i);
        if ((st = r1i_block_layer(p, &m->layer[i], i, &pages)) != R1_OK) return st;
        if (i + 1 < layers) show_hidden(p, i + 1, p->x);
    }
    if (!hidden_out && !(p->probe && p->probe->hidden)) return r1i_pass_norm_head(p, m->final_norm, logits);
    const r1i_mat normed = hidden_out ? *hidden_out : p->x;
    if ((st = r1i_rmsnorm(p->ex, normed, p->x, m->final_norm, (float)m->config.rms_norm_eps)) != R1_OK) return st;
    show_hidden(p, layers, normed);
    return r1i_pass_head(p, normed, logits);
}

r1_status r1i_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                      r1i_mat *hidden_out, const r1i_probe *probe)
{
    const size_t mark = r1i_arena_mark(ex->scratch);
    r1i_pass p;
    if (batch->n == 0) return R1_OK;
    r1_status st = r1i_pass_begin(&p, ex, m, batch, batch->token, probe);
    if (st == R1_OK) st = run(&p, kv, logits, hidden_out);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

/* Calls fn(bytes with a tape) for every layer, MTP layers last. */
static size_t taped_layers(const r1_model *m, int64_t rows, size_t attn, bool recompute, size_t *largest)
{
    r1i_tape tape;
    r1i_exec ex = r1i_model_exec(m, NULL, NULL, NULL);
    const int64_t extra = m->mtp ? m->config.num_nextn_predict_layers : 0;
    size_t sum = 0;
    ex.tape = &tape; /* only whether there is one is asked */
    *largest = 0;
    for (int64_t i = 0; i < m->config.num_hidden_layers + extra; i++) {
        const r1i_layer *const l = i < m->config.num_hidden_layers ? &m->layer[i]
            : &m->mtp[i - m->config.num_hidden_layers].layer;
        const size_t bytes = r1i_block_layer_bytes(&ex, m, l, rows, attn);
        if (bytes > *largest) *largest = bytes;
        sum += recompute ? r1i_mat_bytes(rows, m->config.hidden_size) + r1i_take_bytes(1, sizeof(later)) : bytes;
    }
    return recompute ? sum + *largest : sum;
}

void r1i_forward_tape_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads, bool recompute,
                            r1i_tape_bytes *out)
{
    r1i_tape tape;
    r1i_exec ex = r1i_model_exec(m, NULL, NULL, NULL);
    const size_t attn = r1i_op_scratch_bytes(&m->attn, rows, max_positions, threads),
                 d = r1i_mat_bytes(rows, m->config.hidden_size);
    size_t shared = r1i_pass_begin_bytes(m, rows) + 3 * d; /* the final norm's copy and output, the head's input */
    ex.tape = &tape;
    if (m->mtp)
        shared += r1i_pass_begin_bytes(m, rows) + 2 * r1i_mtp_join_bytes(&ex, m, rows) + 6 * d + 2 *
            r1i_take_bytes(rows, 8);
    const size_t layers = taped_layers(m, rows, attn, recompute, &out->layer);
    out->act = shared + layers;
    out->shadow = shared + out->layer + (recompute ? layers - out->layer : 0);
}

size_t r1i_forward_scratch_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads)
{
    const r1i_exec ex = r1i_model_exec(m, NULL, NULL, NULL);
    const size_t attn = r1i_op_scratch_bytes(&m->attn, rows, max_positions, threads);
    size_t most = r1i_pass_head_bytes(&ex, m, rows);
    for (int64_t i = 0; i < m->config.num_hidden_layers; i++) {
        const size_t n = r1i_block_layer_bytes(&ex, m, &m->layer[i], rows, attn);
        if (n > most) most = n;
    }
    for (int64_t i = 0; m->mtp && i < m->config.num_nextn_predict_layers; i++) {
        const size_t n = r1i_block_layer_bytes(&ex, m, &m->mtp[i].layer, rows, attn),
                     join = r1i_mtp_join_bytes(&ex, m, rows);
        if (n > most) most = n;
        if (join > most) most = join;
    }
    return r1i_pass_begin_bytes(m, rows) + most;
}
