/* Op fronts: check shapes once, trace, dispatch to the table. Model code calls these, never a backend. */
#ifndef R1I_OPS_H
#define R1I_OPS_H

#include "op/table.h"

/* Which preparation a weight needs from its activations under this exec's modes. */
unsigned r1i_act_kind(const r1i_exec *ex, const r1i_weight *w);
/* Bytes of scratch that r1i_act_make takes for [rows, cols] and kinds (for size.h functions). */
size_t r1i_act_bytes(int64_t rows, int64_t cols, unsigned kinds);
/* Prepare x for `kinds`; buffers come from ex->scratch and live until it is reset. */
r1_status r1i_act_make(r1i_exec *ex, r1i_act *act, r1i_mat x, unsigned kinds);
/* Upper bound of the scratch that any op of the table takes for a batch of `rows` rows (attention spans and the
 * like). */
size_t r1i_op_scratch_bytes(const r1i_attn_shape *s, int64_t rows, int64_t max_positions, int threads);

/* Where products alone read an op's output y and want bf16 of it alone, it is written so and never as f32: y is then an
 * address, under which a tape knows it. `plain`: nothing else (a low-rank term) reads y. Else as the op and
 * r1i_act_make, one after the other. */
r1_status r1i_act_silu_mul(r1i_exec *ex, r1i_act *act, r1i_mat y, r1i_mat g, r1i_mat u, unsigned kinds, bool plain);
/* As r1i_act_make, or with up.p as the above onto x itself, for rows that one r1i_linear meets, as
 * r1i_act_rows(act, r, 1): whoever wants a row first prepares it, most likely the thread that computed it, or, where
 * all jobs meet the same row, each thread a copy; so nobody waits while one thread prepares all. Jobs that meet the
 * same row stand next to each other. x and what is prepared are nobody else's. A tape and compute bf16 have it at
 * once. */
r1_status r1i_act_later(r1i_exec *ex, r1i_act *act, r1i_mat x, r1i_mat up, unsigned kinds);
/* r1i_rmsnorm(y, x, g, eps) and r1i_act_make(act, y, kinds), one after the other. One row is left to the one r1i_linear
 * that meets it, as by r1i_act_later: x stays what it is until that call is over, and y, which may be x, is no more
 * than room. */
r1_status r1i_act_norm(r1i_exec *ex, r1i_act *act, r1i_mat y, r1i_mat x, const float *g, float eps, unsigned kinds);
/* x: what h of r1i_gather was prepared as, for `kinds` among others. */
r1_status r1i_act_gather(r1i_exec *ex, r1i_act *act, r1i_mat y, const r1i_act *x, const int32_t *index, unsigned kinds,
                         bool plain);

r1_status r1i_embed(r1i_exec *ex, r1i_mat y, const r1i_weight *w, const int32_t *token);
r1_status r1i_rmsnorm(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps);
/* Which arithmetic a job gets follows from what its activations were prepared for: 8-bit ones meet block types, bf16
 * ones scalar types; where the kind is missing (a router in f32 under compute bf16) both stay f32. */
r1_status r1i_linear(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n);
/* Said before one r1i_linear: what the one after it reads. Only time hangs on it; saying nothing, or wrong, is
 * allowed. */
void r1i_ahead(r1i_exec *ex, int64_t rows, const r1i_weights *w, int64_t n);
/* Scratch that one r1i_linear call takes for the low-rank terms of its weights, at most: the sum over them of this (0
 * without one). */
size_t r1i_low_rank_bytes(const r1i_exec *ex, const r1i_weight *w, int64_t rows);
r1_status r1i_scale(r1i_exec *ex, r1i_mat x, float s);
r1_status r1i_rope_table(r1i_exec *ex, r1i_mat cos, r1i_mat sin, const int64_t *pos, const double *inv_freq, float mag);
r1_status r1i_rope(r1i_exec *ex, r1i_mat x, int64_t heads, int64_t dim, int64_t head_stride, r1i_mat cos, r1i_mat sin,
                   bool interleaved);
r1_status r1i_kv_write(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                       const r1i_run *runs, int64_t n_runs);
/* next (nullable): what the regions of products behind it read. Only time hangs on it. */
r1_status r1i_attention(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                        const r1i_run *runs, int64_t n_runs, const r1i_coming *next);
r1_status r1i_silu_mul(r1i_exec *ex, r1i_mat y, r1i_mat g, r1i_mat u);
r1_status r1i_router(r1i_exec *ex, const r1i_router_shape *s, r1i_mat logits, const float *bias, int32_t *expert,
                     float *weight);
r1_status r1i_gather(r1i_exec *ex, r1i_mat y, r1i_mat x, const int32_t *index);
r1_status r1i_moe_combine(r1i_exec *ex, r1i_mat y, r1i_mat out, const int32_t *slot, const float *weight, int64_t topk,
                          r1i_mat shared);
r1_status r1i_logsumexp(r1i_exec *ex, r1i_mat logits, int64_t n_defined, float inv_temperature, double *lse);

#endif
