/* The multi-token prediction layer (architecture.md 6.1): one more decoder layer on [norm(embedding) ;
 * norm(hidden)]. */
#include <inttypes.h>

#include "model/pass.h"

/* x = eh_proj [RN(embedding of next_token) ; RN(hidden)], the embedding half first: the released weights expect it
 * so. */
static r1_status join(const r1i_pass *p, const r1i_mtp *t, const int32_t *next_token, r1i_mat hidden)
{
    const r1_model *const m = p->m;
    const int64_t d = m->config.hidden_size;
    const float eps = (float)m->config.rms_norm_eps;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_mat pair;
    r1i_act act;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, 2 * d, &pair)) != R1_OK) return st;
    if ((st = r1i_embed(p->ex, p->x, &m->embedding, next_token)) != R1_OK) return st;
    if ((st = r1i_rmsnorm(p->ex, r1i_mat_cols(pair, 0, d), p->x, t->enorm, eps)) != R1_OK) return st;
    if ((st = r1i_rmsnorm(p->ex, r1i_mat_cols(pair, d, d), hidden, t->hnorm, eps)) != R1_OK) return st;
    if ((st = r1i_act_make(p->ex, &act, pair, r1i_act_kind(p->ex, &t->eh_proj))) != R1_OK) return st;
    const r1i_linear_job job = {.y = p->x, .x = &act, .w = &t->eh_proj};
    st = r1i_linear(p->ex, &job, 1);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

size_t r1i_mtp_join_bytes(const r1i_exec *ex, const r1_model *m, int64_t rows)
{
    const int64_t d = m->config.hidden_size;
    unsigned kinds = 0;
    for (int64_t i = 0; i < m->config.num_nextn_predict_layers; i++) kinds |= r1i_act_kind(ex, &m->mtp[i].eh_proj);
    return r1i_mat_bytes(rows, 2 * d) + r1i_act_bytes(rows, 2 * d, kinds);
}

/* Up to the layer's output, in p->x. */
static r1_status trunk(r1i_pass *p, r1i_exec *ex, const r1_model *m, int64_t depth, const r1i_kv *kv,
                       const r1i_batch *batch, const int32_t *next_token, r1i_mat hidden, const r1i_probe *probe)
{
    const int64_t layer = m->config.num_hidden_layers + depth;
    if (!m->mtp || depth < 0 || depth >= m->config.num_nextn_predict_layers || layer >= kv->layers)
        return r1i_fail(ex->err, R1_ERR_USAGE, "multi-token prediction layer %" PRId64 " is not loaded or has no cache",
                        depth);
    const r1i_kv_layer pages = r1i_kv_layer_of(kv, layer);
    r1_status st = r1i_pass_begin(p, ex, m, batch, next_token, probe);
    if (st == R1_OK) st = join(p, &m->mtp[depth], next_token, hidden);
    return st == R1_OK ? r1i_block_layer(p, &m->mtp[depth].layer, layer, &pages) : st;
}

r1_status r1i_forward_mtp(r1i_exec *ex, const r1_model *m, int64_t depth, const r1i_kv *kv, const r1i_batch *batch,
                          const int32_t *next_token, r1i_mat hidden, r1i_mat logits)
{
    const size_t mark = r1i_arena_mark(ex->scratch);
    r1i_pass p;
    if (batch->n == 0) return R1_OK;
    r1_status st = trunk(&p, ex, m, depth, kv, batch, next_token, hidden, NULL);
    if (st == R1_OK) st = r1i_pass_norm_head(&p, m->mtp[depth].head_norm, logits);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

r1_status r1i_forward_mtp_hidden(r1i_exec *ex, const r1_model *m, int64_t depth, const r1i_kv *kv,
                                 const r1i_batch *batch, const int32_t *next_token, r1i_mat hidden, r1i_mat normed,
                                 const r1i_probe *probe)
{
    const size_t mark = r1i_arena_mark(ex->scratch);
    r1i_pass p;
    if (batch->n == 0) return R1_OK;
    r1_status st = trunk(&p, ex, m, depth, kv, batch, next_token, hidden, probe);
    if (st == R1_OK) st = r1i_rmsnorm(ex, normed, p.x, m->mtp[depth].head_norm, (float)m->config.rms_norm_eps);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}
