#include "measure/cost.h"

#include <string.h>

#include "op/ops.h"

double r1i_weight_bytes(const r1i_weight *w)
{
    uint64_t row = 0;
    if (w->rows == 0 || !r1i_dtype_row_bytes(w->type, (uint64_t)w->cols, &row)) return 0.0;
    const int64_t scales = w->type == R1_DTYPE_F8_E4M3 ? ((w->rows + 127) / 128) * ((w->cols + 127) / 128) : 0;
    return (double)row * (double)w->rows + 4.0 * (double)scales;
}

static double ffn_bytes(const r1i_ffn *f)
{
    return r1i_weight_bytes(&f->gate) + r1i_weight_bytes(&f->up) + r1i_weight_bytes(&f->down);
}

static void add_ops(const r1i_exec *ex, const r1i_weight *w, double times, double ops[R1_PEAK_COUNT])
{
    const unsigned kind = w->rows > 0 ? r1i_act_kind(ex, w) : 0;
    const r1_peak p = kind & R1I_ACT_Q8 ? R1_PEAK_INT8 : kind & R1I_ACT_BF16 ? R1_PEAK_BF16 : R1_PEAK_F32;
    ops[p] += times * 2.0 * (double)w->rows * (double)w->cols;
}

static void add_ffn(const r1i_exec *ex, const r1i_ffn *f, double times, double ops[R1_PEAK_COUNT])
{
    add_ops(ex, &f->gate, times, ops);
    add_ops(ex, &f->up, times, ops);
    add_ops(ex, &f->down, times, ops);
}

static void add_layer(const r1i_exec *ex, const r1i_layer *l, r1i_cost_base *b)
{
    const r1_model *const m = b->m;
    const r1i_weight *const one[] = {&l->q, &l->k, &l->v, &l->o, &l->q_a, &l->q_b, &l->kv_a};
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) {
        b->fixed_bytes += r1i_weight_bytes(one[i]);
        add_ops(ex, one[i], 1.0, b->row_ops);
    }
    for (int64_t h = 0; m->attn.mla && h < m->attn.heads; h++) {
        b->fixed_bytes += r1i_weight_bytes(&l->k_absorb[h]) + r1i_weight_bytes(&l->v_absorb[h]);
        add_ops(ex, &l->k_absorb[h], 1.0, b->row_ops);
        add_ops(ex, &l->v_absorb[h], 1.0, b->row_ops);
    }
    if (!l->moe) {
        b->fixed_bytes += ffn_bytes(&l->dense);
        add_ffn(ex, &l->dense, 1.0, b->row_ops);
        return;
    }
    b->fixed_bytes += r1i_weight_bytes(&l->router);
    b->row_ops[R1_PEAK_F32] += 2.0 * (double)l->router.rows * (double)l->router.cols; /* in f32 whatever the mode */
    add_ffn(ex, &l->expert[0], (double)m->route.topk, b->row_ops);
    if (!l->has_shared) return;
    b->fixed_bytes += ffn_bytes(&l->shared);
    add_ffn(ex, &l->shared, 1.0, b->row_ops);
}

void r1i_cost_base_of(const r1_model *m, r1i_cache_type cache, r1i_cost_base *out)
{
    const r1i_exec ex = r1i_model_exec(m, NULL, NULL, NULL);
    const r1i_attn_shape *const s = &m->attn;
    const double layers = (double)m->config.num_hidden_layers;
    *out = (r1i_cost_base){.m = m, .cache = cache, .head_bytes = r1i_weight_bytes(&m->head)};
    for (int64_t i = 0; i < m->config.num_hidden_layers; i++) add_layer(&ex, &m->layer[i], out);
    add_ops(&ex, &m->head, 1.0, out->head_ops);
    out->row_bytes = r1i_weight_bytes(&m->embedding) / (double)m->embedding.rows;
    out->position_bytes = layers * (double)r1i_cache_position_bytes(s, cache);
    out->pair_ops = layers * 2.0 * (double)s->heads * (double)(s->key_dim + s->value_dim);
}

void r1i_cost_add(const r1i_cost_base *b, const r1i_run *runs, int64_t n_runs, int64_t logit_rows, r1_cost *out)
{
    double rows = 0.0;
    for (int64_t r = 0; r < n_runs; r++) {
        const double n = (double)runs[r].n, pos0 = (double)runs[r].pos0;
        rows += n;
        out->cache_bytes += (pos0 + n + n) * b->position_bytes; /* all read, n of them written before */
        out->ops[R1_PEAK_F32] += (n * pos0 + 0.5 * n * (n + 1.0)) * b->pair_ops;
    }
    out->weight_bytes += b->fixed_bytes + rows * b->row_bytes + (logit_rows > 0 ? b->head_bytes : 0.0);
    for (int p = 0; p < R1_PEAK_COUNT; p++) out->ops[p] += rows * b->row_ops[p] + (double)logit_rows * b->head_ops[p];
}

void r1_model_cost(const r1_model *m, r1_cache_type cache, int64_t sequences, int64_t n, int64_t depth,
                   int64_t logit_rows, r1_cost *out)
{
    const r1i_run run = {.n = n, .pos0 = depth};
    r1i_cost_base b;
    r1_cost one = {0};
    r1i_cost_base_of(m, (r1i_cache_type)cache, &b);
    r1i_cost_add(&b, &run, 1, 0, &one);
    *out = (r1_cost){.weight_bytes = b.fixed_bytes + (double)(sequences * n) * b.row_bytes +
                     (logit_rows > 0 ? b.head_bytes : 0.0), .cache_bytes = (double)sequences * one.cache_bytes};
    for (int p = 0; p < R1_PEAK_COUNT; p++)
        out->ops[p] = (double)sequences * one.ops[p] + (double)logit_rows * b.head_ops[p];
    const int64_t choices = sequences * n * m->route.topk, most = m->route.experts;
    for (int64_t i = 0; i < m->config.num_hidden_layers; i++)
        if (m->layer[i].moe)
            out->weight_bytes += (double)(choices < most ? choices : most) * ffn_bytes(&m->layer[i].expert[0]);
}

/* ---- forward by forward ------------------------------------------------------------------------------------------ */

static void mark(void *user, int64_t layer, int64_t rows, int64_t topk, const int32_t *expert, const float *weight)
{
    r1i_tally *const t = user;
    const r1_model *const m = t->base.m;
    uint8_t *const chosen = t->chosen + layer * m->route.experts;
    (void)weight;
    for (int64_t i = 0; i < rows * topk; i++) {
        if (chosen[expert[i]]) continue;
        chosen[expert[i]] = 1;
        t->total.weight_bytes += ffn_bytes(&m->layer[layer].expert[expert[i]]);
    }
}

r1_status r1i_tally_create(r1i_tally *t, const r1_model *m, r1i_cache_type cache, const r1_env *env, r1_error *err)
{
    *t = (r1i_tally){.probe = {.router = mark, .user = t}};
    if (env) t->env = *env;
    r1i_cost_base_of(m, cache, &t->base);
    t->chosen_bytes = (size_t)(m->config.num_hidden_layers * m->route.experts) + 1;
    t->chosen = r1i_alloc_zero(env, t->chosen_bytes);
    return t->chosen ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "counting experts, %zu bytes", t->chosen_bytes);
}

void r1i_tally_destroy(r1i_tally *t) { r1i_release(&t->env, t->chosen, t->chosen_bytes); }

r1_status r1i_tally_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                            r1i_mat *hidden_out, const r1i_probe *probe)
{
    r1i_tally *const t = probe->user;
    memset(t->chosen, 0, t->chosen_bytes);
    const r1_status st = r1i_forward(ex, m, kv, batch, logits, hidden_out, probe);
    r1i_cost_add(&t->base, batch->runs, batch->n_runs, batch->n_logits, &t->total);
    return st;
}
