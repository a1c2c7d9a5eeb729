/* Attention's backward under compute bf16, with the processor's bf16 dot product. Scores are formed in f32, so that P
 * is what the forward had; dO, V, P, dS, Q and K are rounded to bf16 for the four products behind them, whose sums are
 * f32. Each sum is a chain over pairs: of dims (dP), of positions (dQ), of queries (dK and dV), counted from the run's
 * first row, so that neither batch nor threads move a bit. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/pairs512.h"
#include "backend/cpu/lanes/grad_rows.h"
#include "backend/cpu/lanes/tile.h"

/* Lanes of a vector, where fewer than none are none. */
static inline int64_t max_lanes(int64_t left) { return left < 0 ? 0 : left; }

enum {
    ROWS = 6, VECS = 4,
    STEP = 16,    /* queries that are held to see equally far: a vector of positions */
    BLOCK = R1I_GRAD_QUERIES
};

/* ---- products of pairs ------------------------------------------------------------------------------------------- */

/* sum over k of x[r * xr + k * xk] . w[k * wk + v * wv + lane], each element a pair, into y[r * ys + v * yv + lane]. */
typedef struct product {
    const uint32_t *x, *w;
    int64_t xr, xk, wk, wv, steps;
    float *y;
    int64_t ys, yv;
    bool fresh; /* y is written, not added to: sums begin at zero and end there, or begin with what y holds, */
    bool late;  /* ... or begin at zero and are added in the end */
} product;

R1I_INLINE void product_tile(const product *t, int64_t r0, int64_t v0, const int rows, const int vecs)
{
    __m512 c[ROWS][VECS];
    const uint32_t *x = t->x + r0 * t->xr, *w = t->w + v0 * t->wv;
    const int64_t xr = t->xr, xk = t->xk, wk = t->wk, wv = t->wv, n = t->steps;
    float *const y = t->y + r0 * t->ys + v0 * t->yv;
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++)
            c[r][v] = t->fresh || t->late ? _mm512_setzero_ps() : _mm512_loadu_ps(y + r * t->ys + v * t->yv);
    for (int64_t k = 0; k < n; k++, x += xk, w += wk) {
        __m512i b[VECS];
        R1I_UNROLL for (int v = 0; v < vecs; v++) b[v] = _mm512_loadu_si512(w + v * wv);
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            const __m512i a = _mm512_set1_epi32((int)x[r * xr]);
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = _mm512_dpbf16_ps(c[r][v], (__m512bh)b[v], (__m512bh)a);
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) {
            float *const to = y + r * t->ys + v * t->yv;
            _mm512_storeu_ps(to, t->late ? _mm512_add_ps(_mm512_loadu_ps(to), c[r][v]) : c[r][v]);
        }
}

R1I_INLINE void product_rows(const product *t, int64_t n, int64_t v, const int vecs)
{
    for (int64_t r = 0; r < n;) {
        const int rows = tile_rows(n - r);
        switch (rows) {
        case 1: product_tile(t, r, v, 1, vecs); break;
        case 2: product_tile(t, r, v, 2, vecs); break;
        case 3: product_tile(t, r, v, 3, vecs); break;
        case 4: product_tile(t, r, v, 4, vecs); break;
        case 5: product_tile(t, r, v, 5, vecs); break;
        default: product_tile(t, r, v, 6, vecs); break;
        }
        r += rows;
    }
}

static void multiply(const product *t, int64_t rows, int64_t vecs)
{
    int64_t v = 0;
    for (; v + VECS <= vecs; v += VECS) product_rows(t, rows, v, VECS);
    if (v + 2 <= vecs) product_rows(t, rows, v, 2), v += 2;
    if (v < vecs) product_rows(t, rows, v, 1);
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

/* [n, dim] rows as pairs of rows, [(n + 1) / 2][width]: the first below, the second above; absent ones zero. */
static void pair_rows(uint32_t *out, int64_t width, r1i_mat m)
{
    for (int64_t r = 0; r < m.rows; r += 2)
        for (int64_t d = 0; d < width; d += 16) {
            const float *const p = m.p + r * m.stride + d;
            const __m512 first = v16_load_n(p, max_lanes(m.cols - d)),
                         second = r + 1 < m.rows ? v16_load_n(p + m.stride, max_lanes(m.cols - d)) : v16_zero();
            _mm512_storeu_si512(out + r / 2 * width + d, pair_of(first, second));
        }
}

/* [n, dim] rows as rows of pairs of dims, `width` pairs apart. */
static void round_rows(uint32_t *out, int64_t width, r1i_mat m)
{
    for (int64_t r = 0; r < m.rows; r++)
        for (int64_t d = 0; d < 2 * width; d += 16) {
            const float *const p = m.p + r * m.stride + d;
            _mm256_storeu_si256((__m256i *)(void *)(out + r * width + d / 2),
                                bf16_of(v16_load_n(p, max_lanes(m.cols - d))));
        }
}

/* [n, dim] rows as [n / 16][width][16] pairs of dims, 16 rows across the lanes; absent rows and dims are zero. */
static void turn_pairs(uint32_t *out, int64_t width, r1i_mat m)
{
    for (int64_t j = 0; j < r1i_round16(m.rows); j++)
        for (int64_t d = 0; d < width; d++) {
            const float *const p = m.p + j * m.stride + 2 * d;
            const int64_t there = j < m.rows ? m.cols - 2 * d : 0;
            const uint32_t low = there > 0 ? r1i_bf16_from_f32(p[0]) : 0,
                           high = there > 1 ? r1i_bf16_from_f32(p[1]) : 0;
            out[(j / 16 * width + d) * 16 + j % 16] = low | high << 16;
        }
}

/* ---- softmax ----------------------------------------------------------------------------------------------------- */

typedef struct query {
    const float *s, *dp;
    float inv, delta;
    int64_t seen;
} query;

R1I_INLINE v16 weight_of(const query *q, int64_t j) { return v16_mul(v16_load(q->s + j), v16_set1(q->inv)); }
R1I_INLINE v16 slope_of(const query *q, int64_t j, v16 p, v16 scale, const bool last)
{
    const v16 ds = v16_mul(v16_mul(p, v16_sub(v16_load(q->dp + j), v16_set1(q->delta))), scale);
    return last ? v16_first(ds, q->seen - j, v16_zero()) : ds;
}

/* P and dS of two queries: dS as rows, both as pairs of queries. */
typedef struct pairs_out {
    uint32_t *rows, *ds, *p;
    int64_t stride; /* of the rows */
} pairs_out;

R1I_INLINE void weigh(const query *a, const query *b, int64_t j, v16 scale, const pairs_out *to, const bool last)
{
    const v16 p0 = weight_of(a, j), p1 = weight_of(b, j), d0 = slope_of(a, j, p0, scale, last),
              d1 = slope_of(b, j, p1, scale, last);
    _mm256_storeu_si256((__m256i *)(void *)(to->rows + j / 2), bf16_of(d0));
    _mm256_storeu_si256((__m256i *)(void *)(to->rows + to->stride + j / 2), bf16_of(d1));
    _mm512_storeu_si512(to->ds + j, pair_of(d0, d1));
    _mm512_storeu_si512(to->p + j, pair_of(p0, p1));
}

static void weigh_two(const query *a, const query *b, int64_t whole, float scale, const pairs_out *to)
{
    const v16 by = v16_set1(scale);
    for (int64_t j = 0; j < whole; j += 16) weigh(a, b, j, by, to, false);
    weigh(a, b, whole, by, to, true);
}

/* ---- a head ------------------------------------------------------------------------------------------------------ */

/* Words of the scratch; t: from one query's scores to the next one's; half: pairs of value dims. */
typedef struct buffers {
    float *keys_turned, *s, *dp, *dq;
    uint32_t *values_turned, *key_pairs;                 /* of the run */
    uint32_t *q_pairs, *do_pairs, *do_rows, *ds_pairs, *p_pairs; /* of a block */
    uint32_t *ds_rows;                                   /* of a step */
    int64_t t, pk, pv, half;
} buffers;

static buffers cut_scratch(const r1i_grad_attn *a)
{
    const int64_t dk = a->shape->key_dim, dv = a->shape->value_dim, n = r1i_round16(a->n);
    buffers m = {.t = n + R1I_GRAD_APART, .pk = r1i_round16(dk), .pv = r1i_round16(dv), .half = r1i_round16(dv) / 2};
    float *p = a->scratch;
    uint32_t *w;
    m.keys_turned = p, p += n * dk;
    m.s = p, p += STEP * m.t;
    m.dp = p, p += STEP * m.t;
    m.dq = p, p += STEP * m.pk;
    w = (uint32_t *)(void *)p;
    m.values_turned = w, w += n * m.half;
    m.key_pairs = w, w += n / 2 * m.pk;
    m.q_pairs = w, w += BLOCK / 2 * m.pk;
    m.do_pairs = w, w += BLOCK / 2 * m.pv;
    m.do_rows = w, w += BLOCK * m.half;
    m.ds_pairs = w, w += BLOCK / 2 * m.t;
    m.p_pairs = w, w += BLOCK / 2 * m.t;
    m.ds_rows = w;
    return m;
}

/* Queries [i, i + n) of the block that begins at i0: P, dS and what they give to their own dq. */
static void queries(const r1i_grad_attn *a, const buffers *m, int64_t i0, int64_t i, int64_t n)
{
    const int64_t dk = a->shape->key_dim, width = r1i_round16(i + n), at = i - i0;
    float *const to = a->dq.p + i * a->dq.stride;
    const tile_args scores = {.x = a->q.p + i * a->q.stride, .xs = a->q.stride, .w = m->keys_turned, .ldw = 16,
                              .wps = dk * 16, .k = dk, .acc = m->s, .as = m->t, .fresh = true};
    tile_all(scores, n, width / 16, sizeof(float), tile_f32);
    multiply(&(product){.x = m->do_rows + at * m->half, .xr = m->half, .xk = 1, .w = m->values_turned, .wk = 16,
                        .wv = m->half * 16, .steps = m->half, .y = m->dp, .ys = m->t, .yv = 16, .fresh = true}, n,
                        width / 16);
    query q[STEP + 1];
    for (int64_t r0 = 0; r0 < n; r0 += GRAD_EIGHT) {
        const int64_t count = n - r0 < GRAD_EIGHT ? n - r0 : GRAD_EIGHT;
        float inv[16], delta[16];
        grad_dots(delta, rows_of(a->d_o, i + r0, count), rows_of(a->o, i + r0, count));
        exponentials(inv, m->s + r0 * m->t, m->t, count, i + r0 + 1, width - 16, a->shape->scale);
        for (int64_t r = r0; r < r0 + count; r++)
            q[r] = (query){.s = m->s + r * m->t, .dp = m->dp + r * m->t, .seen = i + r + 1, .inv = inv[r - r0],
                           .delta = delta[r - r0]};
    }
    q[n] = q[n - 1]; /* an odd last query has a partner of weight zero */
    q[n].inv = 0.0f;
    for (int64_t r = 0; r < n; r += 2) {
        const int64_t pair = (at + r) / 2 * m->t;
        weigh_two(&q[r], &q[r + 1], width - 16, a->shape->scale,
                  &(pairs_out){m->ds_rows + r * m->t / 2, m->ds_pairs + pair, m->p_pairs + pair, m->t / 2});
    }
    product dq = {.x = m->ds_rows, .xr = m->t / 2, .xk = 1, .w = m->key_pairs, .wk = m->pk, .wv = 16,
                  .steps = (i + n + 1) / 2, .y = m->dq, .ys = m->pk, .yv = 16, .fresh = true};
    if (dk == m->pk) dq.y = to, dq.ys = a->dq.stride, dq.fresh = a->assign, dq.late = !a->assign;
    multiply(&dq, n, m->pk / 16);
    for (int64_t r = 0; r < n && dk != m->pk; r++)
        for (int64_t d = 0; d < dk; d++)
            to[r * a->dq.stride + d] = (a->assign ? 0.0f : to[r * a->dq.stride + d]) + m->dq[r * m->pk + d];
}

/* Positions [j, j + n), of which queries from the block's row `from` (even) on see the first: what nb queries give to
 * them. */
static void positions(const r1i_grad_attn *a, const buffers *m, int64_t from, int64_t nb, int64_t j, int64_t n)
{
    const int64_t k = from / 2, steps = (nb + 1) / 2 - k;
    multiply(&(product){.x = m->ds_pairs + k * m->t + j, .xr = 1, .xk = m->t, .w = m->q_pairs + k * m->pk, .wk = m->pk,
                        .wv = 16, .steps = steps, .y = a->dk + j * m->pk, .ys = m->pk, .yv = 16}, n, m->pk / 16);
    multiply(&(product){.x = m->p_pairs + k * m->t + j, .xr = 1, .xk = m->t, .w = m->do_pairs + k * m->pv, .wk = m->pv,
                        .wv = 16, .steps = steps, .y = a->dv + j * m->pv, .ys = m->pv, .yv = 16}, n, m->pv / 16);
}

/* Queries [i0, i0 + nb): what they give to their own dq and to dk, dv of positions [0, i0 + nb). What a query does not
 * see is left out by whole steps. */
static void block(const r1i_grad_attn *a, const buffers *m, int64_t i0, int64_t nb)
{
    pair_rows(m->q_pairs, m->pk, rows_of(a->q, i0, nb));
    pair_rows(m->do_pairs, m->pv, rows_of(a->d_o, i0, nb));
    round_rows(m->do_rows, m->half, rows_of(a->d_o, i0, nb));
    for (int64_t i = 0; i < nb; i += STEP) queries(a, m, i0, i0 + i, nb - i < STEP ? nb - i : STEP);
    if (i0 > 0) positions(a, m, 0, nb, 0, i0);
    for (int64_t i = 0; i < nb; i += STEP) positions(a, m, i, nb, i0 + i, nb - i < STEP ? nb - i : STEP);
}

void r1i_avx512_bf16_grad_attention(const r1i_grad_attn *a)
{
    const buffers m = cut_scratch(a);
    if (!a->same_keys) {
        turn_rows(m.keys_turned, a->k);
        turn_pairs(m.values_turned, m.half, a->v);
        pair_rows(m.key_pairs, m.pk, a->k);
    }
    memset(a->dk, 0, (size_t)(a->n * m.pk) * sizeof *a->dk);
    memset(a->dv, 0, (size_t)(a->n * m.pv) * sizeof *a->dv);
    for (int64_t i = 0; i < a->n; i += BLOCK) block(a, &m, i, a->n - i < BLOCK ? a->n - i : BLOCK);
    if (!a->add_k.p) return;
    add_rows(a->add_k, a->dk, m.pk);
    add_rows(a->add_v, a->dv, m.pv);
}
#endif
