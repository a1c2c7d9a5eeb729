/* Attention over one span with sixteen lanes, as register tiles in which a loaded key or value serves many queries.
 * Scores: GQA keys lie in pages with 16 positions across the lanes; MLA's, shared by all heads, are read along their
 * rows against queries turned so that 16 of those lie across the lanes. Values: 16 dims across the lanes. Caches of
 * bf16 and q8 are widened in registers, but for MLA's, of which a page becomes f32 first, in near caches, and serves
 * all queries of the block. */
#ifndef R1I_ATTENTION_BODY_H
#define R1I_ATTENTION_BODY_H

#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/lanes/attention_keys.h"
#include "backend/cpu/lanes/attention_tile.h"

/* A page as the tiles read it. */
typedef struct page_view {
    const uint8_t *keys, *values;
    attn_tile_kind key_kind, value_kind;
    const float *key_scales, *value_scales; /* q8, GQA, else NULL */
    float *weights; /* [queries of the block, R1I_PAGE], what values are multiplied by; q8: times the factor of a group
                     * of dims, so one such for each of them, group_step apart */
    int64_t groups, group_step;
    int64_t value_stride;            /* elements */
    const uint8_t *next;             /* where the next page begins, or what else is likely next */
    const uint8_t *in_keys, *in_values; /* what the tiles of keys and of values ask for, elem bytes each */
    int64_t elem;
    const uint8_t *also_keys, *also_values; /* q8, GQA: what is asked for beside */
    int64_t also_step;
} page_view;

static int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/* MLA's queries side by side: by sixteen, or where half as many are one sequence's share of a thread, by eight. */
static int64_t query_lanes(int64_t nq)
{
#ifdef R1I_HAS_EIGHTS
    if (nq <= 8) return 8;
#endif
    return round_up(nq, 16);
}

/* MLA: the block's queries, [nq, key_dim], as [key_dim][query_lanes(nq)]; lanes of absent queries become zero. */
static void turn_queries(const r1i_attn_span *a, int64_t nq)
{
    const int64_t dim = a->shape->key_dim, lanes = query_lanes(nq), whole = nq / 8 * 8, wide = dim / 8 * 8;
    for (int64_t q = 0; q < whole; q += 8)
        for (int64_t d = 0; d < wide; d += 8) turn8(a->turned + d * lanes + q, lanes, a->q + q * dim + d, dim);
    for (int64_t d = 0; d < dim; d++)
        for (int64_t q = d < wide ? whole : 0; q < lanes; q++)
            a->turned[d * lanes + q] = q < nq ? a->q[q * dim + d] : 0.0f;
}

/* ---- pages to f32 ------------------------------------------------------------------------------------------------ */

/* One position: n integers by groups, which restart at `part`. */
static void widen_row(float *dst, const int8_t *q, const float *scale, int64_t n, int64_t part)
{
    for (int64_t d = 0, end; d < n; scale++) {
        const int64_t limit = d < part ? part : n;
        end = d + R1I_Q8_GROUP < limit ? d + R1I_Q8_GROUP : limit;
        const v16 s = v16_set1(*scale);
        for (; d + 16 <= end; d += 16) v16_store(dst + d, v16_mul(v16_i8(q + d), s));
        for (; d < end; d++) dst[d] = r1i_q8_value(q[d], *scale);
    }
}
static void widen_rows(const r1i_attn_span *a, const uint8_t *q, const float *scale, int64_t n, int64_t dim,
                       int64_t part)
{
    const int64_t groups = r1i_cache_groups(part) + r1i_cache_groups(dim - part);
    for (int64_t j = 0; j < n; j++)
        widen_row(a->keys + j * dim, (const int8_t *)q + j * dim, scale + j * groups, dim, part);
}
static void widen_halves(const r1i_attn_span *a, const uint8_t *page, int64_t n)
{
    const uint16_t *const h = (const uint16_t *)(const void *)page;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) v16_store(a->keys + i, v16_bf16(h + i));
    for (; i < n; i++) a->keys[i] = r1i_bf16_to_f32(h[i]);
}

/* ---- one tile of 64 positions ------------------------------------------------------------------------------------ */

/* Positions of the tile at t that the row of query iq may see (0: none). */
static int64_t seen(const r1i_attn_span *a, int64_t iq, int64_t t)
{
    const int64_t n = a->pos0 + iq / a->heads - t + 1;
    return n < 0 ? 0 : n < R1I_PAGE ? n : R1I_PAGE;
}

/* A query's 64 weights, at `at`. */
R1I_INLINE void keep_weights(const page_view *v, int64_t at, const v16 p[4])
{
    if (!v->value_scales) {
        for (int c = 0; c < 4; c++) v16_store(v->weights + at + 16 * c, p[c]);
        return;
    }
    for (int64_t g = 0; g < v->groups; g++)
        for (int c = 0; c < 4; c++)
            v16_store(v->weights + g * v->group_step + at + 16 * c,
                      v16_mul(p[c], v16_load(v->value_scales + g * R1I_PAGE + 16 * c)));
}

/* Scores of `count` queries from iq on, at most 8, become weights: scaled, maximum, exp, sum; alpha[i] is what query
 * i's sums so far have to be multiplied by. Queries together, since the way from 64 scores to their maximum, from there
 * to a factor and from weights to their sum is a chain each, of which one query alone waits for most. Lanes at and past
 * what a query sees may hold anything: they never reach maximum or sum, and become 0. `whole`: all see all, and the
 * scale is above 0, so the greatest score scaled is the greatest of the scaled ones. */
R1I_INLINE void soften_some(const r1i_attn_span *a, const page_view *v, int64_t iq, const int count, const bool whole,
                            int64_t t, float *alpha)
{
    float *const s = a->scores + iq * R1I_PAGE;
    const v16 lowest = v16_set1(-INFINITY);
    v16 fold[8];
    float top[16];
    for (int i = 0; i < count; i++) {
        v16 most = lowest;
        for (int c = 0; c < 4; c++) {
            v16 p = v16_load(s + i * R1I_PAGE + 16 * c);
            if (!whole) {
                const int64_t n = seen(a, iq + i, t);
                p = v16_first(v16_mul(v16_set1(a->scale[iq + i]), p), n - 16 * c < 0 ? 0 : n - 16 * c, lowest);
                v16_store(s + i * R1I_PAGE + 16 * c, p);
            }
            most = v16_max(p, most);
        }
        fold[i] = most;
    }
    for (int i = count; i < 8; i++) fold[i] = lowest;
    const v16 tile = fold8_max(fold), before = v16_load_n(a->m + iq, count),
              most = v16_max(whole ? v16_mul(v16_load_n(a->scale + iq, count), tile) : tile, before);
    const v16 change = v16_exp_down(v16_sub(before, most));
    v16_store(top, most);
    v16_store_n(a->m + iq, most, count);
    v16_store_n(alpha, change, count);
    for (int i = 0; i < count; i++) {
        const v16 m = v16_set1(top[i]), scale = v16_set1(a->scale[iq + i]);
        v16 p[4];
        for (int c = 0; c < 4; c++) {
            v16 x = v16_load(s + i * R1I_PAGE + 16 * c);
            if (whole) x = v16_mul(scale, x);
            p[c] = v16_sub(x, m);
        }
        v16_exp_down4(p); /* absent: exp(-inf) = 0 */
        keep_weights(v, (iq + i) * R1I_PAGE, p);
        fold[i] = v16_add(v16_add(v16_add(p[0], p[1]), p[2]), p[3]);
    }
    v16_store_n(a->l + iq, v16_fma(v16_load_n(a->l + iq, count), change, fold8_sum(fold)), count);
}
static void soften(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t nq, int64_t t, float *alpha)
{
    for (int64_t q = q0; q < nq; q += 8) {
        const int count = nq - q < 8 ? (int)(nq - q) : 8;
        if (seen(a, q, t) < R1I_PAGE || !(a->shape->scale > 0.0f)) soften_some(a, v, q, count, false, t, alpha + q);
        else if (count == 8) soften_some(a, v, q, 8, true, t, alpha + q);
        else if (count == 7) soften_some(a, v, q, 7, true, t, alpha + q);
        else soften_some(a, v, q, count, true, t, alpha + q);
    }
}

static float page_element(const page_view *v, int64_t i)
{
    if (v->value_kind == ATTN_Q8) return (float)(int8_t)v->values[i];
    if (v->value_kind == ATTN_BF16) {
        uint16_t h;
        memcpy(&h, v->values + i * 2, sizeof h);
        return r1i_bf16_to_f32(h);
    }
    float f;
    memcpy(&f, v->values + i * 4, sizeof f);
    return f;
}

/* acc[q] = acc[q] * alpha[q] (alpha nullable; first: 0) + positions [j0, j1) of the page, for queries [q0, q1) that all
 * see them. */
static void add_values(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t q1, int64_t j0, int64_t j1,
                       bool first, const float *alpha)
{
    const int64_t dim = a->shape->value_dim, whole = dim / 16, from = j0 * v->value_stride;
    const attn_tile_args t = {.x = v->weights + q0 * R1I_PAGE + j0, .xs = R1I_PAGE, .group_step = v->group_step,
                              .w = v->values + from * attn_tile_elem(v->value_kind), .ldw = v->value_stride, .wps = 16,
                              .k = j1 - j0, .acc = a->acc + q0 * dim, .as = dim, .alpha = alpha ? alpha + q0 : NULL,
                              .fresh = first, .ahead = v->in_values + from * v->elem, .ahead_elem = v->elem,
                              .also = v->also_values, .also_step = v->also_step};
    attn_tile_all(&t, q1 - q0, whole, v->value_kind);
    for (int64_t d = whole * 16; d < dim; d++) {
        for (int64_t q = q0; q < q1; q++) {
            const float *const weight = v->weights + d / R1I_Q8_GROUP * v->group_step + q * R1I_PAGE;
            float c = first ? 0.0f : alpha ? a->acc[q * dim + d] * alpha[q] : a->acc[q * dim + d];
            for (int64_t j = j0; j < j1; j++) c = fmaf(weight[j], page_element(v, j * v->value_stride + d), c);
            a->acc[q * dim + d] = c;
        }
    }
}

/* Queries see different numbers of positions near the diagonal: a group takes what its first row sees together, and
 * each later row adds its few more alone. Ascending j all the same. */
static void weigh_values(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t nq, int64_t t,
                         const float *alpha)
{
    if (seen(a, q0, t) == R1I_PAGE) {
        add_values(a, v, q0, nq, 0, R1I_PAGE, t == a->start, alpha);
        return;
    }
    for (int64_t q = q0; t > a->start && q < nq; q++)
        for (int64_t d = 0; d < a->shape->value_dim; d++) a->acc[q * a->shape->value_dim + d] *= alpha[q];
    const int64_t rows = ATTN_ROWS / a->heads > 1 ? ATTN_ROWS / a->heads : 1;
    for (int64_t q = q0; q < nq; q += rows * a->heads) {
        const int64_t end = q + rows * a->heads < nq ? q + rows * a->heads : nq, common = seen(a, q, t);
        add_values(a, v, q, end, 0, common, t == a->start, NULL);
        for (int64_t r = q + a->heads; r < end; r += a->heads)
            if (seen(a, r, t) > common) add_values(a, v, r, r + a->heads, common, seen(a, r, t), false, NULL);
    }
}

/* Scores of queries [q0, nq) against positions [0, n). */
static void score_gqa(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t nq, int64_t n)
{
    const int64_t dim = a->shape->key_dim;
    const attn_tile_args args = {.x = a->q + q0 * dim, .xs = dim, .w = v->keys, .ldw = 16, .wps = dim * 16, .k = dim,
                                 .acc = a->scores + q0 * R1I_PAGE, .as = R1I_PAGE, .fresh = true,
                                 .ahead = v->in_keys, .ahead_elem = v->elem};
    attn_tile_all(&args, nq - q0, (n + 15) / 16, v->key_kind);
}
/* All queries, the positions' rows as the tile's rows; then the scores are turned back. */
static void score_mla(const r1i_attn_span *a, const page_view *v, int64_t nq, int64_t n)
{
    const int64_t dim = a->shape->key_dim, lanes = query_lanes(nq);
    const attn_tile_args args = {.x = (const float *)(const void *)v->keys, .xs = dim, .w = (const uint8_t *)a->turned,
                                 .ldw = lanes, .wps = 16, .k = dim, .acc = a->turned_scores, .as = lanes, .fresh = true,
                                 .ahead = (const uint8_t *)a->turned, .ahead_elem = 0};
#ifdef R1I_HAS_EIGHTS
    if (lanes == 8) eights(args.x, dim, n, a->turned, dim, a->turned_scores, ATTN_ROWS_AHEAD);
    else attn_tile_all(&args, n, lanes / 16, ATTN_F32);
#else
    attn_tile_all(&args, n, lanes / 16, ATTN_F32);
#endif
    for (int64_t j = 0; j < n; j += 8)
        for (int64_t q = 0; q < nq; q += 8)
            turn8(a->scores + q * R1I_PAGE + j, R1I_PAGE, a->turned_scores + j * lanes + q, lanes);
}

#define KEYS_TILE(r, v) \
    case (r) * 8 + (v): keys_tile(t, r, v); break;
static void keys_tile_of(const keys_args *t, int rows, int vecs)
{
    switch (rows * 8 + vecs) {
        KEYS_TILE(1, 1)
#if KEYS_ROWS_MOST >= 2
        KEYS_TILE(2, 1)
#endif
#if KEYS_ROWS_MOST >= 8
        KEYS_TILE(3, 1) KEYS_TILE(4, 1) KEYS_TILE(5, 1) KEYS_TILE(6, 1) KEYS_TILE(7, 1) KEYS_TILE(8, 1)
        KEYS_TILE(1, 2) KEYS_TILE(2, 2) KEYS_TILE(3, 2) KEYS_TILE(4, 2) KEYS_TILE(5, 2) KEYS_TILE(6, 2)
        KEYS_TILE(7, 2) KEYS_TILE(8, 2) KEYS_TILE(1, 4) KEYS_TILE(2, 4) KEYS_TILE(3, 4)
#endif
    default: break;
    }
}

/* Tiles of rows beside one slice of keys, as even as possible: the first is the largest. */
static int keys_rows(int64_t left)
{
    const int64_t tiles = (left + KEYS_ROWS_MOST - 1) / KEYS_ROWS_MOST;
    return (int)((left + tiles - 1) / tiles);
}

/* Vectors to take of `left` beside `rows` rows. */
static int keys_vecs(int rows, int64_t left)
{
    if (KEYS_ROWS_MOST < 8) return 1;
    return left >= 4 && rows <= 3 ? 4 : left >= 2 ? 2 : 1;
}

/* The same with a q8 cache. */
static void score_q8(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t nq, int64_t n)
{
    const int64_t dim = r1i_cache_key_elems(a->shape, R1I_CACHE_Q8), groups = r1i_cache_groups(dim),
                  vecs = (n + 15) / 16;
    const uint8_t *also = v->also_keys;
    for (int64_t c = 0, nv; c < vecs; c += nv) {
        nv = keys_vecs(keys_rows(nq - q0), vecs - c);
        keys_args t = {.query_step = a->whole_step, .keys = (const int8_t *)v->keys + c * dim * 16, .dim = dim,
                       .factors = v->key_scales + c * groups * 16, .groups = groups,
                       .ahead = v->in_keys + c * dim * 16, .ahead_step = 64, .also = also, .also_step = v->also_step};
        for (int64_t r = q0, nr; r < nq; r += nr) {
            nr = keys_rows(nq - r);
            t.query = a->whole + r * a->whole_step;
            t.scores = a->scores + r * R1I_PAGE + c * 16;
            keys_tile_of(&t, (int)nr, (int)nv);
            t.ahead = t.also = (const uint8_t *)t.keys; /* once is enough */
            t.ahead_step = t.also_step = 0;
        }
        also += dim / 4 * v->also_step;
    }
}

static page_view view_page(const r1i_attn_span *a, const r1i_kv_head *page, int64_t t)
{
    const r1i_attn_shape *const s = a->shape;
    const bool more = t + R1I_PAGE <= a->pos0 + a->rows - 1;
    const uint8_t *const next = more ? r1i_kv_page(a, t + R1I_PAGE).keys : a->after ? a->after : page->keys;
    /* A page ahead only on a walk over spans (`after`): a span's first values were asked for by the one before. */
    const bool whole = ATTN_PAGE_AHEAD && a->after && a->kv->type != R1I_CACHE_BF16;
    const attn_tile_kind kind = !s->mla && a->kv->type == R1I_CACHE_BF16 ? ATTN_BF16 : ATTN_F32;
    return (page_view){.keys = page->keys, .values = page->values, .key_kind = kind, .value_kind = kind,
                       .weights = a->scores,
                       .value_stride = s->mla ? s->key_dim : s->value_dim,
                       .next = next,
                       .in_keys = whole ? next : page->values,
                       .in_values = whole ? next + (page->values - page->keys) : next,
                       .elem = a->kv->type == R1I_CACHE_F32 ? 4 : a->kv->type == R1I_CACHE_BF16 ? 2 : 1};
}

/* The next page's factors (q8), which lie behind what the tiles ask for. Inlined, as a call that only asks seems to
 * have no effect and is left out. */
R1I_INLINE void ask_factors(const r1i_attn_shape *s, const uint8_t *next)
{
    const int64_t elems = R1I_PAGE * (r1i_cache_key_elems(s, R1I_CACHE_Q8) + s->value_dim),
                  bytes = R1I_PAGE * r1i_cache_head_bytes(s, R1I_CACHE_Q8);
    for (int64_t i = elems; i < bytes; i += 64) __builtin_prefetch(next + i, 0, 2);
}

/* Weights of the products behind attention, a place a step, where one tile of rows takes all steps. */
static void ask_beside(const r1i_attn_span *a, page_view *v, int nq)
{
    const r1i_attn_shape *const s = a->shape;
    int64_t keys = 0;
    for (int64_t c = 0; c < R1I_PAGE / 16; c += keys_vecs(keys_rows(nq), R1I_PAGE / 16 - c))
        keys += r1i_cache_key_elems(s, R1I_CACHE_Q8) / 4;
    const int64_t values = attn_tile_slices(nq, s->value_dim / 16) * R1I_PAGE;
    const uint8_t *const at = a->asks && nq <= ATTN_ROWS ? r1i_asks_take(a->asks, (keys + values) * 64) : NULL;
    v->also_step = at ? 64 : 0;
    v->also_keys = at ? at : v->keys; /* near: a step that asks for nothing new costs next to nothing */
    v->also_values = at ? at + keys * 64 : v->keys;
}

static void view_q8(const r1i_attn_span *a, page_view *v, const r1i_kv_head *page, int64_t nq)
{
    v->value_kind = ATTN_Q8;
    v->key_scales = page->key_scales;
    v->value_scales = page->value_scales;
    v->groups = r1i_cache_groups(a->shape->value_dim);
    v->weights = a->weights;
    v->group_step = nq * R1I_PAGE;
    ask_factors(a->shape, v->next);
    ask_beside(a, v, (int)nq);
}

static void attn_page(const r1i_attn_span *a, int64_t t)
{
    const r1i_attn_shape *const s = a->shape;
    const int64_t nq = a->rows * a->heads, n = seen(a, nq - 1, t);
    const r1i_cache_type type = a->kv->type;
    const r1i_kv_head page = r1i_kv_page(a, t);
    page_view v = view_page(a, &page, t);
    int64_t q0 = 0;
    while (seen(a, q0, t) == 0) q0 += a->heads;
    if (s->mla) {
        if (type == R1I_CACHE_BF16) widen_halves(a, page.keys, n * s->key_dim);
        if (type == R1I_CACHE_Q8) widen_rows(a, page.keys, page.key_scales, n, s->key_dim, s->value_dim);
        if (type != R1I_CACHE_F32) v.keys = v.values = (const uint8_t *)a->keys;
        score_mla(a, &v, nq, n);
    } else if (type == R1I_CACHE_Q8) {
        view_q8(a, &v, &page, nq);
        score_q8(a, &v, q0, nq, n);
    } else {
        score_gqa(a, &v, q0, nq, n);
    }
    float alpha[R1I_ATTN_BLOCK];
    soften(a, &v, q0, nq, t, alpha);
    weigh_values(a, &v, q0, nq, t, alpha);
}

static void attn_span(const r1i_attn_span *a)
{
    const int64_t nq = a->rows * a->heads, last = a->pos0 + a->rows - 1;
    for (int64_t q = 0; q < nq; q++) {
        if (a->pos0 + q / a->heads < a->start) continue;
        a->m[q] = -INFINITY;
        a->l[q] = 0.0f;
    }
    if (a->shape->mla) turn_queries(a, nq);
    for (int64_t t = a->start; t < a->start + R1I_SPAN && t <= last; t += R1I_PAGE) attn_page(a, t);
}

static void attn_merge(float *m1, float *l1, float *acc1, const float *m2, const float *l2, const float *acc2,
                       int64_t queries, int64_t dim)
{
    float a[16], b[16];
    for (int64_t q = 0; q < queries; q += 16) {
        const int64_t n = queries - q < 16 ? queries - q : 16;
        const v16 one = v16_load_n(m1 + q, n), two = v16_load_n(m2 + q, n), m = v16_max(two, one);
        const v16 by_one = v16_exp_down(v16_sub(one, m)), by_two = v16_exp_down(v16_sub(two, m));
        v16_store_n(m1 + q, m, n);
        v16_store_n(l1 + q, v16_fma(v16_load_n(l1 + q, n), by_one, v16_mul(v16_load_n(l2 + q, n), by_two)), n);
        v16_store(a, by_one);
        v16_store(b, by_two);
        for (int64_t i = 0; i < n; i++) {
            float *const to = acc1 + (q + i) * dim;
            const float *const from = acc2 + (q + i) * dim;
            for (int64_t d = 0; d < dim; d++) to[d] = fmaf(to[d], a[i], from[d] * b[i]);
        }
    }
}

static void attn_finish(float *o, const float *acc, float l, int64_t n)
{
    const float inv = 1.0f / l;
    for (int64_t i = 0; i < n; i++) o[i] = acc[i] * inv;
}

#endif
