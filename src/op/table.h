/* The op table: what a backend must offer, and the plain structs that cross it. Fronts (ops.h) check shapes, trace and
 * dispatch; a backend row computes. The order of arithmetic each op must keep is written here and in docs/numerics.md:
 * every row of the table gives the same bytes (compute bf16 apart, fixed per instruction set).
 *
 * Gradient convention (for the backward twins): parameter gradients accumulate (+=), activation gradients are assigned,
 * except into the residual stream. */
#ifndef R1I_OP_TABLE_H
#define R1I_OP_TABLE_H

#include "base/arena.h"
#include "base/pool.h"
#include "tensor/q8.h"
#include "tensor/weight.h"

/* f32 matrix view, row r at p + r * stride. */
typedef struct r1i_mat {
    float *p;
    int64_t rows, cols, stride; /* elements */
} r1i_mat;

static inline r1i_mat r1i_mat_of(float *p, int64_t rows, int64_t cols) { return (r1i_mat){p, rows, cols, cols}; }
/* Columns [c0, c0 + n) of m. */
static inline r1i_mat r1i_mat_cols(r1i_mat m, int64_t c0, int64_t n)
{
    return (r1i_mat){m.p + c0, m.rows, n, m.stride};
}

typedef enum r1i_compute { R1I_COMPUTE_F32, R1I_COMPUTE_BF16 } r1i_compute;
typedef enum r1i_cache_type { R1I_CACHE_F32, R1I_CACHE_BF16, R1I_CACHE_Q8, R1I_CACHE_TYPES } r1i_cache_type;

/* Activations prepared for the weights they will meet. Made once per row block and shared by q, k, v or gate, up.
 * Q8: per block of 32 columns: amax = max |x|; d = amax / 127 (f32 division); id = amax > 0 ? 127 / amax : 0;
 *     q = round-half-even(x * id), in -127..127; sum over the two halves of 16 kept as integers. amax below
 *     R1I_Q8_AMAX_MIN (127 / amax would overflow): d = 0, q = 0. An infinity or NaN in the block: d = NaN, q = 0.
 *     A block that stands out of its row gets a second, fine term: where d * d * blocks > 2 * (sum of d * d, blocks
 *     ascending from 0), all in double, and d >= R1I_FINE_D_MIN (254 / d could overflow). fine_d = d / 254; fine_q =
 *     round-half-even((x - d * q) * (254 / d)), one f32 rounding an operation, in -127..127. Fewer than half of a row's
 *     blocks can stand out.
 * BF16: round to nearest even. */
#define R1I_FINE_D_MIN 0x1p-100f
enum { R1I_ACT_F32 = 0, R1I_ACT_Q8 = 1, R1I_ACT_BF16 = 2 };
typedef struct r1i_act {
    r1i_mat x;            /* f32, always there */
    unsigned kinds;       /* R1I_ACT_Q8 | R1I_ACT_BF16: which of the below are filled */
    int8_t *q;            /* [rows, cols] 64-aligned rows when cols is a multiple of 64; cols a multiple of 32 */
    float *d;             /* [rows, cols / 32] */
    int32_t *sum16;       /* [rows, cols / 16] sums of q */
    uint8_t *fine;        /* [r1i_act_spans(cols), fine_stride] a byte for 256 columns of a row: bit g, group g of them
                           * has a fine term */
    int64_t fine_stride;  /* rows of the whole; a slice keeps it */
    int8_t *fine_q;       /* [cols / 32, fine_stride, 32], fine_d [cols / 32, fine_stride], fine_sum16
                           * [cols / 16 / 2, fine_stride, 2]: by groups, so that the few rows that share one lie
                           * together; written where a bit of fine is set */
    float *fine_d;
    int32_t *fine_sum16;
    uint16_t *bf16;       /* [rows, bf16_stride]; zero from cols to bf16_stride */
    int64_t bf16_stride;  /* elements: cols rounded up to 32 */
    bool later;           /* one row that is not prepared yet (r1i_act_later, r1i_act_norm) */
    const float *up;      /* nullable, with later: x holds a gate so far, and becomes silu(x) * up */
    const float *from;    /* nullable, with later: x becomes this row normed, by gain and eps; it may lie there */
    const float *gain;
    float eps;
    const int32_t *row;   /* nullable: the batch row that each row came from, ascending (an expert's rows); a tape keeps
                           * it */
} r1i_act;
static inline int64_t r1i_act_spans(int64_t cols) { return (cols + 255) / 256; }
/* Rows [row0, row0 + n) of prepared activations: a view. */
static inline r1i_act r1i_act_rows(const r1i_act *act, int64_t row0, int64_t n)
{
    const int64_t cols = act->x.cols;
    r1i_act part = *act;
    part.x.p += row0 * act->x.stride;
    part.x.rows = n;
    if (act->kinds & R1I_ACT_Q8) {
        part.q += row0 * cols;
        part.d += row0 * (cols / 32);
        part.sum16 += row0 * (cols / 16);
        part.fine += row0;
        part.fine_q += row0 * 32;
        part.fine_d += row0;
        part.fine_sum16 += row0 * 2;
    }
    if (act->kinds & R1I_ACT_BF16) part.bf16 += row0 * act->bf16_stride;
    if (act->row) part.row += row0;
    if (act->up) part.up += row0 * act->x.stride;
    return part;
}

/* One product y = x W^T (+ bias) (+ y), or a gated pair of them. Several jobs run in one parallel region; they must not
 * overlap in y. */
typedef struct r1i_linear_job {
    r1i_mat y;                /* [x rows, w rows] */
    const r1i_act *x;         /* [x rows, w cols] */
    const r1i_weight *w;
    const float *bias;        /* [w rows], nullable; added after the chain, one rounding */
    bool add;                 /* y = y + result (residual), one rounding, after the bias */
    const r1i_weight *up;     /* nullable, of w's shape: y = silu(x W^T) * (x up^T), as silu_mul gives it; no bias, no
                               * add, no low-rank term, no tape */
    float *work;              /* with up: y rows * y cols floats, anything afterwards */
} r1i_linear_job;
/* Order per output element (n, m):
 *  f32, f16, bf16, fp8 weights, compute f32, and block types with exact activations: acc = 0; k ascending: acc =
 *  fmaf(x[k], w[k], acc),
 *     w[k] the f32 value of codec.h (fp8: e4m3 * scale rounded to f32).
 *  block types, Q8 activations, groups g of 32 columns ascending (types with scale_16: halves of 16 ascending):
 *     isum = exact integer sum q_w * q_x of the group; acc = fmaf((float)isum, s_w * d_x, acc);
 *     types with a minimum, after each group: acc = fmaf(-m_w, d_x * (float)sum_x, acc), sum_x the group's sum of q_x.
 *     After each 256 columns (counted from column 0; the rest at the end) the groups among them that have a fine term,
 *     ascending, once more with fine_q, fine_d in place of q_x, d_x: halves and minimum as above.
 *     s_w, m_w: the f32 of r1i_unpack_integers; each product inside an argument is rounded once to f32.
 *  a weight with a low-rank term (tensor/weight.h), after all of the above and whatever the type of W and its
 *  activations: t = A x, the f32 chain
 *     over x as it was before it was prepared; t *= scale, one rounding; y = y + B t, the f32 chain and one rounding.
 *  compute bf16: scalar weights come in BF16 panels (the loader rounds f32, f16 and fp8 ones); bf16 activations; plain
 *  C and AVX2
 *     the same chain of fmaf over the rounded values, AVX-512 BF16 the instruction's own order by pairs; K is cut
 *     nowhere. */

/* n weights one after the other: of several products that run in one parallel region, in its order. */
typedef struct r1i_weights {
    const r1i_weight *w;
    int64_t n;
} r1i_weights;

/* What a parallel region of products reads, and the one after it (nullable). */
typedef struct r1i_coming {
    const r1i_weights *list;
    int64_t n;
    const struct r1i_coming *then;
} r1i_coming;

/* Rows of one sequence inside a packed batch: batch rows [first, first + n), positions pos0, pos0 + 1, ... */
typedef struct r1i_run {
    int64_t first, n, pos0;
    const int32_t *pages;     /* physical page of each 64 positions, enough for pos0 + n */
} r1i_run;

enum { R1I_ATTN_BLOCK = 64, R1I_ATTN_WAVE = 6 }; /* queries of one work item; partial results under way, a thread */
enum { R1I_PAGE = 64, R1I_SPAN = 512 }; /* positions: a page and attention tile; a split of long contexts */

/* One layer's cache pages: page p at data + p * page_bytes.
 *  GQA: per kv head: keys [64 / 16][head_dim][16] (16 positions across the lanes), then values [64][head_dim].
 *  MLA: [64][kv_lora_rank + rope_dim] (latent c, then the rotated key).
 *  Element: f32; bf16 rounded to nearest even when written; or q8: integers by groups of 32 dims (the last of a part
 *  may be shorter; the parts are a key, a value, a latent, a rotated key) as tensor/q8.h rounds them, GQA's keys as
 *  [64 / 16][head_dim / 4][16][4], filled up to whole fours, and behind all elements of the head the factors, f32: GQA
 *  keys [64 / 16][groups][16], values [groups][64]; MLA [64][groups]. */
typedef struct r1i_kv_layer {
    uint8_t *data;
    int64_t page_bytes;
    r1i_cache_type type;
} r1i_kv_layer;

typedef struct r1i_attn_shape {
    bool mla;
    int64_t heads, kv_heads;  /* MLA: kv_heads = 1 */
    int64_t key_dim, value_dim; /* GQA: both head_dim. MLA absorbed: kv_lora_rank + rope_dim, kv_lora_rank (a prefix of
                                 * the key) */
    float scale;
} r1i_attn_shape;
static inline int64_t r1i_cache_groups(int64_t dim) { return (dim + R1I_Q8_GROUP - 1) / R1I_Q8_GROUP; }
/* Elements that a position's key takes of a page. */
static inline int64_t r1i_cache_key_elems(const r1i_attn_shape *s, r1i_cache_type t)
{
    return t == R1I_CACHE_Q8 && !s->mla ? (s->key_dim + 3) / 4 * 4 : s->key_dim;
}
/* Groups of a position's key, of GQA's value. */
static inline int64_t r1i_cache_key_groups(const r1i_attn_shape *s)
{
    return s->mla ? r1i_cache_groups(s->value_dim) + r1i_cache_groups(s->key_dim - s->value_dim)
        : r1i_cache_groups(s->key_dim);
}
/* Where the group of a key that begins at dim d ends. */
static inline int64_t r1i_cache_group_end(const r1i_attn_shape *s, int64_t d)
{
    const int64_t part = s->mla && d < s->value_dim ? s->value_dim : s->key_dim;
    return d + R1I_Q8_GROUP < part ? d + R1I_Q8_GROUP : part;
}
/* A query on its way through attention: itself and the scale of its scores; for q8 (GQA) its whole numbers and an int32
 * a group as well. */
static inline int64_t r1i_attn_whole_bytes(const r1i_attn_shape *s)
{
    return s->mla ? 0 : 2 * r1i_cache_key_elems(s, R1I_CACHE_Q8) + 4 * r1i_cache_key_groups(s);
}
static inline int64_t r1i_attn_query_floats(const r1i_attn_shape *s)
{
    return s->key_dim + 1 + r1i_attn_whole_bytes(s) / 4;
}
/* Bytes of one position in one kv head, keys and values. */
static inline int64_t r1i_cache_head_bytes(const r1i_attn_shape *s, r1i_cache_type t)
{
    const int64_t elems = r1i_cache_key_elems(s, t) + (s->mla ? 0 : s->value_dim);
    if (t == R1I_CACHE_Q8) return elems + 4 * (r1i_cache_key_groups(s) + (s->mla ? 0 : r1i_cache_groups(s->value_dim)));
    return elems * (t == R1I_CACHE_F32 ? 4 : 2);
}
static inline int64_t r1i_cache_position_bytes(const r1i_attn_shape *s, r1i_cache_type t)
{
    return s->kv_heads * r1i_cache_head_bytes(s, t);
}
static inline const char *r1i_cache_name(r1i_cache_type t)
{
    return t == R1I_CACHE_F32 ? "f32" : t == R1I_CACHE_BF16 ? "bf16" : "q8";
}
/* Attention order, per (row, head), query position i: positions are walked in spans of 512 and in them tiles of 64, all
 * aligned at absolute position 0. Start of a span: m = -inf, l = 0, acc = 0. Per tile, over its positions j <= i:
 *   s_j = scale * chain (acc = fmaf(q[d], k_j[d], acc), d ascending from 0);  m' = max(m, max s_j);  a = exp(m - m')
 *   (first tile: 0); p_j = exp(s_j - m');  sum = 16 lanes (j mod 16, ascending within a lane, absent j = 0), folded
 *   8+8, 4+4, 2+2, 1+1; l = fmaf(l, a, sum);  acc[d] = acc[d] * a, then acc[d] = fmaf(p_j, v_j[d], acc[d]), j
 *   ascending.
 * q8, MLA: an element, read once for all heads, is integer * factor, rounded to f32 once. q8, GQA: the query becomes
 *   whole numbers w[d] with one factor f (r1i_q16); groups ascending from 0, of each the sum of w[d] * k_j[d], which is
 *   exact, rounded to f32 once: c = fmaf(sum, factor, c); s_j = (scale * f) * c. A value is its integers, weighed by
 *   p_j * factor, rounded once.
 * Spans are merged in ascending order: M = max(m1, m2), a = exp(m1 - M), b = exp(m2 - M), l = fmaf(l1, a, l2 * b),
 *   acc = fmaf(acc1, a, acc2 * b), m = M.  Result acc[d] * (1 / l) with one division per row and head. */

typedef struct r1i_router_shape {
    int64_t experts, groups, topk_groups, topk;
    bool sigmoid, normalise;
    float scaling;
} r1i_router_shape;

enum { R1I_ROUTER_EXPERTS = 1024, R1I_ROUTER_GROUPS = 64 }; /* what the router's working space holds; R1: 256 in 8 */

typedef struct r1i_exec r1i_exec;

/* The gradient of one weight matrix: g += dy^T x, g in f32 panels. compute bf16: see linear_weight. */
typedef struct r1i_grad_product {
    float *g;
    /* [rows, w rows], [rows, w cols]; x.row: batch row of each row, ascending; NULL: row0 + i */
    r1i_act dy, x;
    int64_t row0;
    bool bf16;                /* both are there as bf16, as the forward's factors were, and only so read */
} r1i_grad_product;

/* Where an op puts a gradient: added to m, with `assign` in place of it, or with `bf16` rounded to rows there, which
 * m's place then is not. */
typedef struct r1i_grad_to {
    r1i_mat m;
    bool assign;
    uint16_t *bf16;           /* nullable; [rows, bf16_stride] as of r1i_act */
    int64_t bf16_stride;
} r1i_grad_to;

/* The backward twins. Rows ascending means that an element's sum over rows is one chain that begins with what it held.
 * Sums over columns: 16 lanes (column mod 16), folded as in rmsnorm. dy, dx: gradients of the loss by y, by x. (+)=:
 * added, or with `assign` in place of what was there. */
static inline r1_dtype r1i_transposed_type(const r1i_weight *w)
{
    return w->type == R1_DTYPE_BF16 ? R1_DTYPE_BF16 : R1_DTYPE_F32;
}

typedef struct r1i_grad_ops {
    /* out: panels of W^T, BF16 ones of BF16, else F32: the values that the forward of `compute f32` multiplies with. */
    r1_status (*transpose)(r1i_exec *ex, uint8_t *const *out, const r1i_weight *const *w, int64_t n);
    /* r1i_act.bf16 of n inputs in one region. */
    r1_status (*round)(r1i_exec *ex, const r1i_act *act, int64_t n);
    /* g[m, k] = chain over rows n ascending of fmaf(x[n, k], dy[n, m], g[m, k]), g in f32 panels; several products in
     * one region.
     * bf16: over the rounded factors; the same chain where the processor has no bf16 dot product. Where it has one:
     * rows go by pairs, which begin anew at the first row of every sequence (an odd end meets zeros), so that no pair
     * straddles two sequences whatever the micro-batch; an expert's rows pair up within a sequence likewise. One chain
     * of pairs ascending, begun with what g holds: the sum is stored and taken up again between batches as f32, which
     * moves no bit.
     * runs: the batch's. x may be a part of the batch's rows, cut where no pair is. work: r1i_grad_linear_work
     * floats. */
    r1_status (*linear_weight)(r1i_exec *ex, const r1i_grad_product *p, int64_t n, const r1i_run *runs, int64_t n_runs,
                               float *work);
    /* g[c] += dy[r, c], rows ascending. */
    r1_status (*column_sum)(r1i_exec *ex, float *g, r1i_mat dy);
    /* s = 1 / rms(x); h = x * s; t = (sum of g * dy * h) / cols; dx (+)= s * (g * dy - h * t); dg (nullable) += dy * h,
     * rows ascending.
     * assign: dx is dy's place and is replaced. rms: [rows] scratch. */
    r1_status (*rmsnorm)(r1i_exec *ex, r1i_mat dx, r1i_mat dy, r1i_mat x, const float *g, float eps, float *dg,
                         bool assign, float *rms);
    /* o = 1 / (1 + exp(-g)): dg (+)= dy * u * (o * (1 + g * (1 - o))); du (+)= dy * (g * o). Both as bf16 or none. */
    r1_status (*silu_mul)(r1i_exec *ex, const r1i_grad_to *dg, const r1i_grad_to *du, r1i_mat dy, r1i_mat g, r1i_mat u);
    /* Every run begins at position 0. k [n, kv_heads * key_dim] and v as they were read from the cache (MLA: v is the
     * first value_dim columns of k and dv of dk). Per run and head: P = softmax of the scores recomputed, D = sum(do *
     * o), dS = P * (do . v - D) * scale; dq (+)= dS k, j ascending; dk = sum over queries ascending of dS q, dv of P
     * do; heads of a group are added ascending. */
    r1_status (*attention)(r1i_exec *ex, const r1i_attn_shape *s, r1i_mat dq, r1i_mat dk, r1i_mat dv, r1i_mat d_o,
                           r1i_mat q, r1i_mat k, r1i_mat v, r1i_mat o, const r1i_run *runs, int64_t n_runs, bool assign,
                           float *work);
    /* dlogits += through the gates (dweight [n, topk]) and through the sequence balance loss: alpha * sum_e f_e P_e per
     * run, f_e = E / (topk T) times the rows whose unbiased best contain e, P_e = mean over rows of score / sum of
     * scores, gradient through P alone. *balance (nullable) += the loss's value. */
    r1_status (*router)(r1i_exec *ex, const r1i_router_shape *s, r1i_mat dlogits, r1i_mat logits, const int32_t *expert,
                        const float *dweight, float alpha, const r1i_run *runs, int64_t n_runs, double *balance);
    /* dx[index[i]] += dy[i], i ascending; assign: dx begins at zero, whatever it holds. */
    r1_status (*scatter)(r1i_exec *ex, r1i_mat dx, r1i_mat dy, const int32_t *index, bool assign);
    /* dout[slot[i, j]] = weight[i, j] * dy[i]; dweight[i, j] = sum(dy[i] * out[slot[i, j]]). */
    r1_status (*moe_combine)(r1i_exec *ex, const r1i_grad_to *dout, float *dweight, r1i_mat dy, r1i_mat out,
                             const int32_t *slot, const float *weight, int64_t topk);
    /* y (+)= x */
    r1_status (*add)(r1i_exec *ex, r1i_mat y, r1i_mat x, bool assign);
    /* g (f32 panels of the table) row token[i] += dy[i], i ascending. */
    r1_status (*embed)(r1i_exec *ex, float *g, r1i_mat dy, const int32_t *token);
    /* In place, per row: logit z -> coef * (exp(z * inv_temperature - lse) - [id == target]), 0 for ids >= n_defined.
     * coef [rows] holds the row's weight in the loss times inv_temperature; rows of weight 0 become 0. */
    r1_status (*cross_entropy)(r1i_exec *ex, r1i_mat logits, const int32_t *target, const double *lse,
                               const float *coef, int64_t n_defined, float inv_temperature);
} r1i_grad_ops;
/* Floats of work for linear_weight, to be added up over its products' inputs; for attention over these runs. */
size_t r1i_grad_linear_work(const r1i_mat *x);
size_t r1i_grad_attention_work(const r1i_attn_shape *s, int64_t rows, const r1i_run *runs, int64_t n_runs, int threads);

typedef struct r1i_ops {
    const char *name;
    /* y[n, cols] = row token[i] of w as f32. Ids are checked by the caller. */
    r1_status (*embed)(r1i_exec *ex, r1i_mat y, const r1i_weight *w, const int32_t *token);
    /* y = g * (x * s), s = 1 / sqrt(mean + eps): sum of squares in 16 lanes (column mod 16, fmaf ascending), folded
     * 8+8, 4+4, 2+2, 1+1; mean = sum / n; sqrt and both divisions correctly rounded. y may be x. */
    r1_status (*rmsnorm)(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps);
    /* Fill act->q.. / act->bf16 for act->kinds from act->x (buffers are allocated by the front). */
    r1_status (*prepare)(r1i_exec *ex, const r1i_act *act);
    /* A job's row with x->later is prepared first: x becomes silu(x) * up where there is an up, or the norm of x->from,
     * then as above; or copies of it are, and x stays as it is. */
    r1_status (*linear)(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n);
    /* Nullable. The region of products after the next will read these, with `rows` rows: threads that wait may begin
     * to. */
    void (*ahead)(r1i_exec *ex, int64_t rows, const r1i_weights *w, int64_t n);
    /* cos, sin [n, dim / 2] f32 of position pos[i] * inv_freq[k] (double), times mag. */
    r1_status (*rope_table)(r1i_exec *ex, r1i_mat cos, r1i_mat sin, const int64_t *pos, const double *inv_freq,
                            float mag);
    /* Rotate in place `heads` heads of width `dim` of each row; head h starts at column h * head_stride. Pair (a, b):
     * a' = fmaf(a, c, -(b * s)), b' = fmaf(b, c, a * s). interleaved: (2i, 2i + 1), else (i, i + dim / 2). */
    r1_status (*rope)(r1i_exec *ex, r1i_mat x, int64_t heads, int64_t dim, int64_t head_stride, r1i_mat cos,
                      r1i_mat sin, bool interleaved);
    /* Store keys and values of every row at its run's positions. GQA: k, v [n, kv_heads * dim]. MLA: k [n, key_dim], v
     * unused. */
    r1_status (*kv_write)(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                          const r1i_run *runs, int64_t n_runs);
    /* o[n, heads * value_dim] from q[n, heads * key_dim]; the rows' own keys are already written. next (nullable): what
     * the products behind it read, a hint. */
    r1_status (*attention)(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                           const r1i_run *runs, int64_t n_runs, const r1i_coming *next);
    /* y = silu(g) * u, silu(z) = z / (1 + exp(-z)). y may be g. */
    r1_status (*silu_mul)(r1i_exec *ex, r1i_mat y, r1i_mat g, r1i_mat u);
    /* act->bf16 of what silu_mul gives, which act->x need not hold. */
    r1_status (*silu_mul_rounded)(r1i_exec *ex, const r1i_act *act, r1i_mat g, r1i_mat u);
    /* logits [n, experts] f32 -> expert [n, topk] ascending ids, weight [n, topk] (architecture.md 5.1; ties to the
     * lower id; chosen scores are summed in ascending id; weight = score / (sum + 1e-20) * scaling). Not sigmoid:
     * softmax over all experts (max subtracted, summed in ascending id). bias nullable; groups <= 1: no group limit. */
    r1_status (*router)(r1i_exec *ex, const r1i_router_shape *s, r1i_mat logits, const float *bias, int32_t *expert,
                        float *weight);
    /* x *= s in place, one rounding an element. */
    r1_status (*scale)(r1i_exec *ex, r1i_mat x, float s);
    /* y[i] = x[index[i]] for n = y.rows rows. */
    r1_status (*gather)(r1i_exec *ex, r1i_mat y, r1i_mat x, const int32_t *index);
    /* y[i] += (sum over j ascending of acc = fmaf(weight[i, j], out[slot[i, j]], acc), acc from 0) + shared[i]
     * (nullable): that sum is rounded before it meets y. */
    r1_status (*moe_combine)(r1i_exec *ex, r1i_mat y, r1i_mat out, const int32_t *slot, const float *weight,
                             int64_t topk, r1i_mat shared);
    /* Per row, over ids < n_defined: z = logit * inv_temperature (f32), max, and log of the sum of exp(z - max) (terms
     * f32, 16 double lanes by id mod 16, folded); lse[i] = max + that, in double; NaN where a logit is NaN or +infinity
     * or all are -infinity. */
    r1_status (*logsumexp)(r1i_exec *ex, r1i_mat logits, int64_t n_defined, float inv_temperature, double *lse);
    const r1i_grad_ops *grad;
} r1i_ops;

/* Called once per op before it runs (tests count rows with it). */
typedef void (*r1i_trace_fn)(void *user, const char *op, int64_t rows);

struct r1i_exec {
    const r1i_ops *ops;
    const void *backend;      /* the backend's own state: cpu: const r1i_cpu_kernels * */
    r1i_pool *pool;           /* nullable: one thread */
    r1i_arena *scratch;       /* for temporaries of one forward */
    r1i_compute compute;
    bool exact_activations;   /* block-type weights meet f32 activations */
    r1i_trace_fn trace;       /* nullable */
    void *trace_user;
    struct r1i_tape *tape;    /* nullable: record what backward needs (tape.h) */
    r1_error *err;            /* nullable */
};

#endif
