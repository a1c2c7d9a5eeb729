/* The blocks of a forward pass. Each block takes its temporaries from the exec's scratch and comes with a function that
 * says how many bytes they are; the two stand side by side in one file and must agree (tests compare them with the
 * high-water mark). */
#ifndef R1I_PASS_H
#define R1I_PASS_H

#include "model/forward.h"
#include "op/ops.h"
#include "op/tape.h"

/* What all blocks of one forward share. */
typedef struct r1i_pass {
    r1i_exec *ex;
    const r1_model *m;
    const r1i_batch *batch;
    const r1i_probe *probe; /* nullable */
    int64_t n;              /* rows */
    r1i_mat x;              /* [n, hidden_size], the residual stream */
    r1i_mat cos, sin;       /* [n, rope_dim / 2] */
} r1i_pass;

/* ---- what is read next: said before each product, so that threads which wait begin with it ----------------------- */

static inline void r1i_ahead_one(const r1i_pass *p, const r1i_weight *w, int64_t n)
{
    r1i_ahead(p->ex, p->n, &(r1i_weights){w, n}, 1);
}
static inline void r1i_ahead_two(const r1i_pass *p, const r1i_weight *a, const r1i_weight *b)
{
    r1i_ahead(p->ex, p->n, (const r1i_weights[]){{a, 1}, {b, 1}}, 2);
}
/* The feed-forward of l; layer `index`, or the head behind the last one. */
void r1i_ahead_ffn(const r1i_pass *p, const r1i_layer *l);
void r1i_ahead_layer(const r1i_pass *p, int64_t index);

/* ---- scratch ----------------------------------------------------------------------------------------------------- */

static inline size_t r1i_take_bytes(int64_t n, size_t size) { return r1i_align_up((size_t)n * size, R1I_ALIGN); }
static inline size_t r1i_mat_bytes(int64_t rows, int64_t cols) { return r1i_take_bytes(rows * cols, sizeof(float)); }

/* Scratch of two temporaries that follow each other: the larger one where the first is given back before, both under a
 * tape, which gives nothing back. */
static inline size_t r1i_after(const r1i_exec *ex, size_t a, size_t b) { return ex->tape ? a + b : a > b ? a : b; }
/* What a tape takes besides the temporaries: a copy of what an op overwrites, the jobs of a product. */
static inline size_t r1i_tape_mat_bytes(const r1i_exec *ex, int64_t rows, int64_t cols)
{
    return ex->tape ? r1i_mat_bytes(rows, cols) : 0;
}
static inline size_t r1i_tape_jobs_bytes(const r1i_exec *ex, int64_t n)
{
    return ex->tape ? r1i_take_bytes(n, sizeof(r1i_tape_job)) : 0;
}

/* n elements of `size` bytes of scratch; *out receives the pointer. R1_ERR_NOMEM. */
r1_status r1i_pass_take(const r1i_pass *p, int64_t n, size_t size, void *out);
r1_status r1i_pass_mat(const r1i_pass *p, int64_t rows, int64_t cols, r1i_mat *out);

/* One row that no tape records: what decoding waits for. */
static inline bool r1i_pass_one(const r1i_pass *p) { return p->n == 1 && !p->ex->tape; }

/* x as `kinds` wants it, for one r1i_linear. */
r1_status r1i_pass_act(const r1i_pass *p, r1i_mat x, unsigned kinds, r1i_act *act);
/* The residual stream as a block's products meet it, normed. r1i_pass_one is normed where it is wanted (r1i_act_norm);
 * other rows are at once, into h. */
typedef struct r1i_normed {
    r1i_mat h;
    const float *gain;
} r1i_normed;
/* Takes room for h. */
r1_status r1i_pass_norm(const r1i_pass *p, const float *gain, r1i_normed *out);
/* h, as `kinds` and the modes of ex (the pass' own or a copy) want it, for one r1i_linear. */
r1_status r1i_normed_act(const r1i_pass *p, r1i_exec *ex, const r1i_normed *n, unsigned kinds, r1i_act *act);

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

/* One decoder layer on p->x in place; `index` counts for the probe, kv is the layer's pages. */
r1_status r1i_block_layer(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_kv_layer *kv);
/* x += attention(h), h the normed rows [n, hidden_size]. */
r1_status r1i_block_gqa(const r1i_pass *p, const r1i_layer *l, const r1i_kv_layer *kv, const r1i_normed *h);
r1_status r1i_block_mla(const r1i_pass *p, const r1i_layer *l, const r1i_kv_layer *kv, const r1i_normed *h);
/* x += feed-forward(h). */
r1_status r1i_block_ffn(const r1i_pass *p, const r1i_ffn *f, int64_t index, const r1i_normed *h);
r1_status r1i_block_moe(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_normed *h);

/* The jobs of gate and up at jobs[0], perhaps jobs[1]; their number. One (r1i_ffn_paired) leaves silu(gate) * up in
 * gate, two leave both. */
bool r1i_ffn_paired(const r1i_pass *p, const r1i_ffn *f);
int64_t r1i_ffn_jobs(const r1i_pass *p, const r1i_ffn *f, const r1i_act *x, r1i_mat gate, r1i_mat up,
                     r1i_linear_job *jobs);

/* Scratch of each at `rows` rows; attn: what the attention op takes for itself (r1i_op_scratch_bytes). */
size_t r1i_block_layer_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows, size_t attn);
size_t r1i_block_gqa_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows, size_t attn);
size_t r1i_block_mla_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows, size_t attn);
size_t r1i_block_ffn_bytes(const r1i_exec *ex, const r1i_ffn *f, int64_t rows);
size_t r1i_block_moe_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t rows);

/* ---- the two ends, shared with the MTP layer (forward.c) --------------------------------------------------------- */

/* Fills p: residual stream, rotary tables. Ids of `token` and positions are checked. */
r1_status r1i_pass_begin(r1i_pass *p, r1i_exec *ex, const r1_model *m, const r1i_batch *batch, const int32_t *token,
                         const r1i_probe *probe);
/* Logits of the batch's logit rows from normed rows [n, hidden_size]. */
r1_status r1i_pass_head(const r1i_pass *p, r1i_mat normed, r1i_mat logits);
/* Where nobody wants the other rows: the logit rows of x are norm'ed alone. */
r1_status r1i_pass_norm_head(const r1i_pass *p, const float *norm, r1i_mat logits);
size_t r1i_pass_begin_bytes(const r1_model *m, int64_t rows);
size_t r1i_pass_head_bytes(const r1i_exec *ex, const r1_model *m, int64_t logit_rows);
/* Scratch of r1i_forward_mtp beyond what begin, layer and head take. */
size_t r1i_mtp_join_bytes(const r1i_exec *ex, const r1_model *m, int64_t rows);

#endif
