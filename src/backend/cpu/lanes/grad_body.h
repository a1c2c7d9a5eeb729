/* The backward kernels over sixteen lanes. Every instruction set includes this one source, plain C with its own
 * sixteen-lane struct, so that their bytes agree by construction. All matrix work goes through the register tile of
 * tile.h. */
#ifndef R1I_GRAD_BODY_H
#define R1I_GRAD_BODY_H

#include <string.h>

#include "backend/cpu/lanes/grad_rows.h"
#include "backend/cpu/lanes/tile.h"

/* ---- weights ----------------------------------------------------------------------------------------------------- */

/* Outer products: sums of `rows` columns times `vecs` vectors stay in registers while the pass's rows run. Unlike the
 * tile of products, both operands advance by a whole row, so x need not be transposed. */
typedef struct outer_args {
    const float *x, *w;   /* step k: x[k * xs + column], vector v of w at k * ws + 16 v */
    float *g;             /* column r, vector v at r * gs + v * gv */
    int64_t steps, xs, ws, gs, gv;
    const float *ahead;   /* nullable: step k asks for ahead[k * xs], */
    r1i_grad_next next;   /* and for some of these rows */
} outer_args;

/* What is asked for is spread over the steps: the next columns' sums, which come from memory, a column each sixteen
 * steps; all at once would hold up the lines of w. */
R1I_INLINE void outer_body(const outer_args *t, const int rows, const int vecs)
{
    v16 c[6][4];
    const float *x = t->x, *w = t->w;
    const int64_t n = t->steps, xs = t->xs, ws = t->ws, gs = t->gs, gv = t->gv;
    float *const g = t->g;
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_load(g + r * gs + v * gv);
    const int64_t blocks = (n + 15) / 16, some_rows = t->next.rows > 0 ? (t->next.rows + blocks - 1) / blocks : 0;
    const float *next = g + rows * gs, *ahead = t->ahead ? t->ahead : x;
    r1i_grad_next later = t->next;
    for (int64_t r = blocks; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) __builtin_prefetch(next + r * gs + v * gv, 1);
    for (int64_t left = n, row = 0; left > 0; left -= 16, row++) {
        const float *const end = x + (left < 16 ? left : 16) * xs;
        if (row < rows) {
            R1I_UNROLL for (int v = 0; v < vecs; v++) __builtin_prefetch(next + v * gv, 1);
            next += gs;
        }
        for (int64_t rest = later.rows - some_rows; later.rows > 0 && later.rows > rest; later.rows--,
             later.p += later.stride)
            for (int64_t i = 0; i < later.bytes; i += 64) __builtin_prefetch(later.p + i, 0, 2);
        for (; x != end; x += xs, w += ws, ahead += xs) {
            v16 b[4];
            __builtin_prefetch(ahead);
            R1I_UNROLL for (int v = 0; v < vecs; v++) b[v] = v16_load(w + 16 * v);
            R1I_UNROLL for (int r = 0; r < rows; r++) {
                const v16 a = v16_set1(x[r]);
                R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_fma(a, b[v], c[r][v]);
            }
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) v16_store(g + r * gs + v * gv, c[r][v]);
}

#define OUTER_CASE(r, v) \
    case (r) * 8 + (v): outer_body(t, r, v); return;
/* In place a step of x is a line of its own: four vectors of w make up for it, one (AVX2) does not. */
#if defined(__AVX512F__)
enum { OUTER_IN_PLACE = true };
#else
enum { OUTER_IN_PLACE = false };
#endif

static void outer(const outer_args *t, int rows, int vecs)
{
    switch (rows * 8 + vecs) {
        OUTER_CASE(1, 1) OUTER_CASE(2, 1) OUTER_CASE(3, 1) OUTER_CASE(4, 1) OUTER_CASE(5, 1) OUTER_CASE(6, 1)
        OUTER_CASE(1, 2) OUTER_CASE(2, 2) OUTER_CASE(3, 2) OUTER_CASE(1, 4)
#if defined(__AVX512F__)
        OUTER_CASE(4, 2) OUTER_CASE(5, 2) OUTER_CASE(6, 2)
        OUTER_CASE(1, 3) OUTER_CASE(2, 3) OUTER_CASE(3, 3) OUTER_CASE(4, 3) OUTER_CASE(5, 3) OUTER_CASE(6, 3)
        OUTER_CASE(2, 4) OUTER_CASE(3, 4) OUTER_CASE(4, 4) OUTER_CASE(5, 4) OUTER_CASE(6, 4)
#endif
    default: return;
    }
}

/* All columns: vectors outside, so that one vector of every step is read from near caches by all of them. */
static void outer_all(const outer_args *base, int64_t cols, int64_t vecs)
{
    const int step = tile_rows(cols);
    for (int64_t v = 0; v < vecs;) {
        const int nv = tile_vecs(step, vecs - v);
        for (int64_t r = 0; r < cols;) {
            const int nr = tile_rows(cols - r);
            outer_args t = *base;
            if (v > 0) t.next.rows = 0;
            t.x += r;
            t.w += 16 * v;
            t.g += r * base->gs + v * base->gv;
            outer(&t, nr, nv);
            r += nr;
        }
        v += nv;
    }
}

static void grad_weight(const r1i_grad_weight *a)
{
    _Alignas(64) float packed[R1I_GRAD_STEPS * R1I_GRAD_PANELS * 16];
    const int64_t row = R1I_GRAD_PANELS * 16;
    const bool in_place = a->x_stride && a->dy_cols >= 16 * a->np;
    for (int64_t r = 0; r < a->steps && !a->dy16 && !in_place; r++) {
        r1i_grad_ahead(a->dy + (r + 2 * R1I_GRAD_AHEAD) * a->dy_stride, 16 * a->np);
        for (int64_t p = 0; p < a->np; p++)
            v16_store(packed + r * row + p * 16, some(a->dy + r * a->dy_stride + p * 16, a->dy_cols - p * 16));
    }
    for (int64_t r = 0; r < a->steps && a->dy16; r++) {
        const uint16_t *const dy = a->dy16 + r * a->dy_stride;
        const int64_t whole = a->dy_cols / 16 < a->np ? a->dy_cols / 16 : a->np;
        for (int64_t p = 0; p < whole; p++) v16_store(packed + r * row + p * 16, v16_bf16(dy + p * 16));
        for (int64_t c = 16 * whole; c < 16 * a->np; c++)
            packed[r * row + c] = c < a->dy_cols ? r1i_bf16_to_f32(dy[c]) : 0.0f;
    }
    const int64_t tiles = (a->nc + R1I_GRAD_COLS - 1) / R1I_GRAD_COLS,
                  apart = a->x_stride ? R1I_GRAD_COLS : R1I_GRAD_TILE;
    for (int64_t i = 0; i < tiles; i++) {
        outer_args t = {.x = a->x + i * apart, .w = in_place ? a->dy : packed, .g = a->g + i * R1I_GRAD_COLS * 16,
                        .steps = a->steps, .xs = a->x_stride ? a->x_stride : R1I_GRAD_COLS,
                        .ws = in_place ? a->dy_stride : row, .gs = 16, .gv = a->panel_stride, .next = a->next};
        /* x where it lies: the last column of the third tile from here, over into the next item's */
        const int64_t ask = (i + 3) * R1I_GRAD_COLS + R1I_GRAD_COLS - 1, r = a->next.rows * i / tiles;
        if (a->x_stride) t.ahead = ask < a->nc ? a->x + ask : a->next_x ? a->next_x + (ask - a->nc) : NULL;
        t.next.p += r * a->next.stride;
        t.next.rows = a->next.rows * (i + 1) / tiles - r;
        outer_all(&t, i + 1 < tiles ? R1I_GRAD_COLS : a->nc - i * R1I_GRAD_COLS, a->np);
    }
}

static void grad_turn(float *to, const float *from) { turn16(to, 16, from, 16); }

/* ---- rows -------------------------------------------------------------------------------------------------------- */

static float grad_rms(const float *x, int64_t n, float eps) { return 1.0f / sqrtf(grad_dot(x, x, n) / (float)n + eps); }

static void grad_rmsnorm_row(float *dx, const float *dy, const float *x, const float *g, int64_t n, float s,
                             bool assign)
{
    const v16 rms = v16_set1(s);
    v16 sum = v16_zero();
    for (int64_t i = 0; i < n; i += 16)
        sum = v16_fma(v16_mul(some(g + i, n - i), some(dy + i, n - i)), v16_mul(some(x + i, n - i), rms), sum);
    const v16 t = v16_neg(v16_set1(fold(sum) / (float)n));
    for (int64_t i = 0; i < n; i += 16) {
        const v16 gy = v16_mul(some(g + i, n - i), some(dy + i, n - i)), h = v16_mul(some(x + i, n - i), rms);
        const v16 d = v16_mul(rms, v16_fma(h, t, gy));
        put(dx + i, assign ? d : v16_add(some(dx + i, n - i), d), n - i);
    }
}

static void grad_gain(float *dg, r1i_mat dy, r1i_mat x, const float *rms, int64_t c0, int64_t n)
{
    for (int64_t c = c0; c < c0 + n; c += 16) {
        const int64_t left = c0 + n - c;
        v16 sum = some(dg + c, left);
        for (int64_t r = 0; r < dy.rows; r++)
            sum = v16_fma(some(dy.p + r * dy.stride + c, left),
                          v16_mul(some(x.p + r * x.stride + c, left), v16_set1(rms[r])), sum);
        put(dg + c, sum, left);
    }
}

static void grad_silu_mul_row(float *dg, float *du, const float *dy, const float *g, const float *u, int64_t n,
                              bool assign, bool assign_up)
{
    const v16 one = v16_set1(1.0f);
    for (int64_t i = 0; i < n; i += 16) {
        const v16 z = some(g + i, n - i), d = some(dy + i, n - i);
        const v16 o = v16_div(one, v16_add(one, v16_exp(v16_neg(z))));
        const v16 slope = v16_mul(o, v16_fma(z, v16_sub(one, o), one));
        const v16 by_gate = v16_mul(v16_mul(d, some(u + i, n - i)), slope), by_up = v16_mul(d, v16_mul(z, o));
        put(dg + i, assign ? by_gate : v16_add(some(dg + i, n - i), by_gate), n - i);
        put(du + i, assign_up ? by_up : v16_add(some(du + i, n - i), by_up), n - i);
    }
}

static void grad_cross_entropy_row(float *z, int64_t n, int64_t n_defined, int32_t target, float inv_temperature,
                                   float lse, float coef)
{
    if (coef == 0.0f) {
        memset(z, 0, (size_t)n * sizeof *z);
        return;
    }
    const v16 t = v16_set1(inv_temperature), l = v16_set1(lse), c = v16_set1(coef);
    const float own = coef * (r1i_expf(z[target] * inv_temperature - lse) - 1.0f);
    for (int64_t i = 0; i < n_defined; i += 16)
        put(z + i, v16_mul(c, v16_exp(v16_sub(v16_mul(some(z + i, n_defined - i), t), l))), n_defined - i);
    memset(z + n_defined, 0, (size_t)(n - n_defined) * sizeof *z);
    z[target] = own;
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

static void pad_rows(float *out, int64_t width, r1i_mat m)
{
    for (int64_t r = 0; r < m.rows; r++) {
        memcpy(out + r * width, m.p + r * m.stride, (size_t)m.cols * sizeof *out);
        memset(out + r * width + m.cols, 0, (size_t)(width - m.cols) * sizeof *out);
    }
}

/* What exponentials() left of one query's scores becomes P in place, its dP becomes dS; both are zero past what it
 * sees. */
static void soften_back(float *s, float *dp, int64_t seen, int64_t whole, float scale, float inv_sum, float delta)
{
    const v16 inv = v16_set1(inv_sum), d = v16_set1(delta), by = v16_set1(scale);
    for (int64_t j = 0; j <= whole; j += 16) {
        const v16 p = v16_mul(v16_load(s + j), inv);
        v16_store(s + j, p);
        v16_store(dp + j, v16_mul(v16_mul(p, v16_sub(v16_load(dp + j), d)), by));
    }
    v16_store(dp + whole, v16_first(v16_load(dp + whole), seen - whole, v16_zero()));
}

typedef struct attn_buffers {
    float *kt, *vt, *kr, *q, *d_o, *dq, *s, *dp;
    int64_t t, pk, pv; /* t: floats from one query's scores to the next one's */
} attn_buffers;

static attn_buffers cut_scratch(const r1i_grad_attn *a)
{
    const int64_t dk = a->shape->key_dim, dv = a->shape->value_dim, b = R1I_GRAD_QUERIES, n = r1i_round16(a->n);
    attn_buffers m = {.t = n + R1I_GRAD_APART, .pk = r1i_round16(dk), .pv = r1i_round16(dv)};
    float *p = a->scratch;
    m.kt = p, p += n * dk;
    m.vt = p, p += n * dv;
    m.kr = p, p += n * m.pk;
    m.q = p, p += b * m.pk;
    m.dq = p, p += b * m.pk;
    m.d_o = p, p += b * m.pv;
    m.s = p, p += b * m.t;
    m.dp = p;
    return m;
}

enum { STEP = 16 }; /* queries that are held to see equally far: a vector of positions */

/* Queries [i, i + n) of the block that begins at i0: P, dS and what they give to their own dq. */
static void attention_queries(const r1i_grad_attn *a, const attn_buffers *m, int64_t i0, int64_t i, int64_t n)
{
    const int64_t dk = a->shape->key_dim, dv = a->shape->value_dim, seen = i + n, width = r1i_round16(seen),
                  at = i - i0;
    float *const s = m->s + at * m->t, *const dp = m->dp + at * m->t, *const to = a->dq.p + i * a->dq.stride;
    const tile_args scores = {.x = m->q + at * m->pk, .xs = m->pk, .w = m->kt, .ldw = 16, .wps = dk * 16, .k = dk,
                              .acc = s, .as = m->t, .fresh = true};
    const tile_args weights = {.x = m->d_o + at * m->pv, .xs = m->pv, .w = m->vt, .ldw = 16, .wps = dv * 16, .k = dv,
                               .acc = dp, .as = m->t, .fresh = true};
    tile_all(scores, n, width / 16, sizeof(float), tile_f32);
    tile_all(weights, n, width / 16, sizeof(float), tile_f32);
    for (int64_t r0 = 0; r0 < n; r0 += GRAD_EIGHT) {
        const int64_t count = n - r0 < GRAD_EIGHT ? n - r0 : GRAD_EIGHT;
        float inv[16], delta[16];
        grad_dots(delta, rows_of(a->d_o, i + r0, count), rows_of(a->o, i + r0, count));
        exponentials(inv, s + r0 * m->t, m->t, count, i + r0 + 1, width - 16, a->shape->scale);
        for (int64_t r = r0; r < r0 + count; r++)
            soften_back(s + r * m->t, dp + r * m->t, i + r + 1, width - 16, a->shape->scale, inv[r - r0],
                        delta[r - r0]);
    }
    tile_args dq = {.x = dp, .xs = m->t, .w = m->kr, .ldw = m->pk, .wps = 16, .k = seen, .acc = m->dq, .as = m->pk,
                    .fresh = true};
    if (dk == m->pk) dq.y = to, dq.ys = a->dq.stride, dq.add = !a->assign;
    tile_all(dq, n, m->pk / 16, sizeof(float), tile_f32);
    for (int64_t r = 0; r < n && dk != m->pk; r++)
        for (int64_t d = 0; d < dk; d++)
            to[r * a->dq.stride + d] = (a->assign ? 0.0f : to[r * a->dq.stride + d]) + m->dq[r * m->pk + d];
}

/* Positions [j, j + n), of which queries from the block's row `from` on see the first: what nb queries give to them. */
static void attention_positions(const r1i_grad_attn *a, const attn_buffers *m, int64_t from, int64_t nb, int64_t j,
                                int64_t n)
{
    const outer_args keys = {.x = m->dp + from * m->t + j, .xs = m->t, .w = m->q + from * m->pk, .ws = m->pk,
                             .steps = nb - from, .g = a->dk + j * m->pk, .gs = m->pk, .gv = 16};
    const outer_args values = {.x = m->s + from * m->t + j, .xs = m->t, .w = m->d_o + from * m->pv, .ws = m->pv,
                               .steps = nb - from, .g = a->dv + j * m->pv, .gs = m->pv, .gv = 16};
    outer_all(&keys, n, m->pk / 16);
    outer_all(&values, n, m->pv / 16);
}

static void ask_rows(const float *p, int64_t stride, int64_t n)
{
    for (int64_t r = 0; r < STEP; r++, p += stride)
        for (int64_t c = 0; c < n; c += 16) __builtin_prefetch(p + c, 0, 2);
}

/* Some of what the next block will read, while this one is computed: a head's pieces of rows are no stream. Behind the
 * last block comes the next head, whose columns lie beside these. */
static void ask_queries(const r1i_grad_attn *a, int64_t i)
{
    const int64_t next = i < a->n ? 0 : 1, row = i - next * a->n, dk = a->q.cols, dv = a->o.cols;
    ask_rows(a->q.p + row * a->q.stride + next * dk, a->q.stride, dk);
    ask_rows(a->o.p + row * a->o.stride + next * dv, a->o.stride, dv);
    ask_rows(a->d_o.p + row * a->d_o.stride + next * dv, a->d_o.stride, dv);
}

/* Queries [i0, i0 + nb): what they give to their own dq and to dk, dv of positions [0, i0 + nb). What a query does not
 * see is left out by whole
 * steps: there P and dS are zero, and adding products of zero moves no bit. */
static void attention_block(const r1i_grad_attn *a, const attn_buffers *m, int64_t i0, int64_t nb)
{
    pad_rows(m->q, m->pk, rows_of(a->q, i0, nb));
    pad_rows(m->d_o, m->pv, rows_of(a->d_o, i0, nb));
    for (int64_t i = 0; i < nb; i += STEP) {
        ask_queries(a, i0 + nb + i);
        attention_queries(a, m, i0, i0 + i, nb - i < STEP ? nb - i : STEP);
    }
    if (i0 > 0) attention_positions(a, m, 0, nb, 0, i0);
    for (int64_t i = 0; i < nb; i += STEP) attention_positions(a, m, i, nb, i0 + i, nb - i < STEP ? nb - i : STEP);
}

static void grad_attention(const r1i_grad_attn *a)
{
    const attn_buffers m = cut_scratch(a);
    if (!a->same_keys) {
        turn_rows(m.kt, a->k);
        turn_rows(m.vt, a->v);
        pad_rows(m.kr, m.pk, a->k);
    }
    memset(a->dk, 0, (size_t)(a->n * m.pk) * sizeof *a->dk);
    memset(a->dv, 0, (size_t)(a->n * m.pv) * sizeof *a->dv);
    for (int64_t i = 0; i < a->n; i += R1I_GRAD_QUERIES)
        attention_block(a, &m, i, a->n - i < R1I_GRAD_QUERIES ? a->n - i : R1I_GRAD_QUERIES);
    if (!a->add_k.p) return;
    add_rows(a->add_k, a->dk, m.pk);
    add_rows(a->add_v, a->dv, m.pv);
}

#define R1I_GRAD_KERNELS                                                                                  \
    {.weight = grad_weight, .in_place = OUTER_IN_PLACE, .rms = grad_rms, .rmsnorm_row = grad_rmsnorm_row, \
     .gain = grad_gain,                                                                                   \
     .silu_mul_row = grad_silu_mul_row,                                                                   \
     .attention = grad_attention, .cross_entropy_row = grad_cross_entropy_row, .dot = grad_dot,           \
     .turn = grad_turn}

#endif
