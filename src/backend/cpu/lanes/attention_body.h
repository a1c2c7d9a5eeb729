/* Attention over one span with sixteen lanes: scores with 16 positions across the lanes, values with 16 dims across the
 * lanes, both as register tiles over (rows x heads) so that a loaded key or value serves many queries. Keys of a GQA
 * cache lie ready in pages; an MLA page is transposed once a block and serves all its heads. */
#ifndef R1I_ATTENTION_BODY_H
#define R1I_ATTENTION_BODY_H

#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/lanes/tile.h"

/* Keys, and values at a time when dims are no multiple of 16, may be bf16; the tile widens them in registers. */
static void tile_bf16(const tile_args *t, int rows, int vecs) { tile_switch(t, rows, vecs, true); }

typedef struct page_view {
    bool bf16;
    size_t elem;
    const uint8_t *keys, *values; /* keys [4][key_dim][16] (f32 once transposed), values [64][value_stride] */
    bool keys_bf16;
    int64_t value_stride;
} page_view;

/* 8 x 8 transpose: row i of src (elements `step` apart) becomes column i of dst, dst rows 16 apart. Rows >= n read as zero. */
static void transpose8(float *dst, const uint8_t *src, int64_t step, int64_t n, bool bf16)
{
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++) {
        if (i >= n) {
            r[i] = _mm256_setzero_ps();
        } else if (bf16) {
            const __m128i h = _mm_loadu_si128((const __m128i *)(const void *)(src + i * step * 2));
            r[i] = _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(h), 16));
        } else {
            r[i] = _mm256_loadu_ps((const float *)(const void *)(src + i * step * 4));
        }
    }
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(dst + i * 16, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(dst + (i + 4) * 16, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

static float page_element(const uint8_t *p, int64_t i, bool bf16)
{
    if (bf16) {
        uint16_t h;
        memcpy(&h, p + i * 2, sizeof h);
        return r1i_bf16_to_f32(h);
    }
    float f;
    memcpy(&f, p + i * 4, sizeof f);
    return f;
}

/* MLA: positions [0, n) of a page, [64][key_dim], into [4][key_dim][16] f32; lanes of absent positions become zero. */
static void transpose_page(float *dst, const uint8_t *page, int64_t dim, int64_t n, bool bf16)
{
    const int64_t elem = bf16 ? 2 : 4;
    for (int64_t j = 0; j < n; j += 8) {
        float *const out = dst + j / 16 * dim * 16 + j % 16;
        const uint8_t *const src = page + j * dim * elem;
        const int64_t left = n - j < 8 ? n - j : 8;
        int64_t d = 0;
        for (; d + 8 <= dim; d += 8) transpose8(out + d * 16, src + d * elem, dim, left, bf16);
        for (; d < dim; d++)
            for (int64_t i = 0; i < 8; i++) out[d * 16 + i] = i < left ? page_element(src, i * dim + d, bf16) : 0.0f;
    }
    if ((n + 7) / 8 % 2 == 1) /* the upper eight lanes of the last group of 16 */
        for (int64_t d = 0; d < dim; d++) memset(dst + ((n - 1) / 16 * dim + d) * 16 + 8, 0, 8 * sizeof(float));
}

/* Positions of the tile at t that the row of query iq may see (0: none). */
static int64_t seen(const r1i_attn_span *a, int64_t iq, int64_t t)
{
    const int64_t n = a->pos0 + iq / a->heads - t + 1;
    return n < 0 ? 0 : n < R1I_PAGE ? n : R1I_PAGE;
}

/* Scores of one query become weights: scaled, maximum, exp, sum; the sums so far are scaled down to the new maximum.
 * Lanes at and past n may hold anything: they never reach maximum or sum, and become 0. */
static void soften(const r1i_attn_span *a, int64_t iq, int64_t n)
{
    float *const s = a->scores + iq * R1I_PAGE;
    const v16 scale = v16_set1(a->shape->scale), lowest = v16_set1(-INFINITY);
    v16 p[4], most = lowest, sum = v16_zero();
    for (int64_t c = 0; c < 4; c++) {
        const int64_t left = n - 16 * c < 0 ? 0 : n - 16 * c;
        p[c] = v16_first(v16_mul(scale, v16_load(s + 16 * c)), left, lowest);
        most = v16_max(p[c], most);
    }
    float lane[16], m = a->m[iq];
    v16_store(lane, most);
    for (int i = 0; i < 16; i++) m = lane[i] > m ? lane[i] : m;
    const float alpha = r1i_expf(a->m[iq] - m);
    const v16 top = v16_set1(m);
    for (int64_t c = 0; c < 4; c++) {
        p[c] = v16_exp(v16_sub(p[c], top)); /* absent: exp(-inf) = 0 */
        v16_store(s + 16 * c, p[c]);
        sum = v16_add(sum, p[c]);
    }
    v16_store(lane, sum);
    a->m[iq] = m;
    a->l[iq] = fmaf(a->l[iq], alpha, r1i_fold16(lane));
    if (alpha == 1.0f) return;
    float *const acc = a->acc + iq * a->shape->value_dim;
    for (int64_t d = 0; d < a->shape->value_dim; d++) acc[d] = acc[d] * alpha;
}

/* acc[q] += positions [j0, j1) of the page, for queries [q0, q1) that all see them. */
static void add_values(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t q1, int64_t j0, int64_t j1)
{
    const int64_t dim = a->shape->value_dim, whole = dim / 16;
    const tile_args t = {.x = a->scores + q0 * R1I_PAGE + j0, .xs = R1I_PAGE, .w = v->values + (size_t)(j0 * v->value_stride) * v->elem,
                         .ldw = v->value_stride, .wps = 16, .k = j1 - j0, .acc = a->acc + q0 * dim, .as = dim};
    tile_all(t, q1 - q0, whole, v->elem, v->bf16 ? tile_bf16 : tile_f32);
    for (int64_t d = whole * 16; d < dim; d++) {
        for (int64_t q = q0; q < q1; q++) {
            float c = a->acc[q * dim + d];
            for (int64_t j = j0; j < j1; j++)
                c = fmaf(a->scores[q * R1I_PAGE + j], page_element(v->values, j * v->value_stride + d, v->bf16), c);
            a->acc[q * dim + d] = c;
        }
    }
}

/* Queries see different numbers of positions near the diagonal: a group takes what its first row sees together, and each
 * later row adds its few more alone. Ascending j all the same. */
static void weigh_values(const r1i_attn_span *a, const page_view *v, int64_t q0, int64_t nq, int64_t t)
{
    if (seen(a, q0, t) == R1I_PAGE) {
        add_values(a, v, q0, nq, 0, R1I_PAGE);
        return;
    }
    const int64_t rows = TILE_ROWS / a->heads > 1 ? TILE_ROWS / a->heads : 1;
    for (int64_t q = q0; q < nq; q += rows * a->heads) {
        const int64_t end = q + rows * a->heads < nq ? q + rows * a->heads : nq, common = seen(a, q, t);
        add_values(a, v, q, end, 0, common);
        for (int64_t r = q + a->heads; r < end; r += a->heads)
            if (seen(a, r, t) > common) add_values(a, v, r, r + a->heads, common, seen(a, r, t));
    }
}

static void attn_tile(const r1i_attn_span *a, int64_t t)
{
    const r1i_attn_shape *const s = a->shape;
    const int64_t nq = a->rows * a->heads, n = seen(a, nq - 1, t);
    const uint8_t *const page = r1i_kv_page(a, t);
    page_view v = {.bf16 = a->kv->type == R1I_CACHE_BF16, .elem = (size_t)r1i_cache_elem_bytes(a->kv->type)};
    v.value_stride = s->mla ? s->key_dim : s->value_dim;
    v.values = s->mla ? page : page + (size_t)(R1I_PAGE * s->key_dim) * v.elem;
    v.keys = page;
    v.keys_bf16 = v.bf16;
    if (s->mla) {
        transpose_page(a->keys, page, s->key_dim, n, v.bf16);
        v.keys = (const uint8_t *)a->keys;
        v.keys_bf16 = false;
    }
    int64_t q0 = 0;
    while (seen(a, q0, t) == 0) q0 += a->heads;
    memset(a->scores + q0 * R1I_PAGE, 0, sizeof(float) * (size_t)((nq - q0) * R1I_PAGE));
    const tile_args args = {.x = a->q + q0 * s->key_dim, .xs = s->key_dim, .w = v.keys, .ldw = 16, .wps = s->key_dim * 16,
                            .k = s->key_dim, .acc = a->scores + q0 * R1I_PAGE, .as = R1I_PAGE};
    tile_all(args, nq - q0, (n + 15) / 16, v.keys_bf16 ? 2 : 4, v.keys_bf16 ? tile_bf16 : tile_f32);
    for (int64_t q = q0; q < nq; q++) soften(a, q, seen(a, q, t));
    weigh_values(a, &v, q0, nq, t);
}

static void attn_span(const r1i_attn_span *a)
{
    const int64_t nq = a->rows * a->heads, last = a->pos0 + a->rows - 1, dim = a->shape->value_dim;
    for (int64_t q = 0; q < nq; q++) {
        if (a->pos0 + q / a->heads < a->start) continue;
        a->m[q] = -INFINITY;
        a->l[q] = 0.0f;
        memset(a->acc + q * dim, 0, sizeof(float) * (size_t)dim);
    }
    for (int64_t t = a->start; t < a->start + R1I_SPAN && t <= last; t += R1I_PAGE) attn_tile(a, t);
}

static void attn_merge(float *m1, float *l1, float *acc1, float m2, float l2, const float *acc2, int64_t n)
{
    const float m = m2 > *m1 ? m2 : *m1;
    const float a = r1i_expf(*m1 - m), b = r1i_expf(m2 - m);
    *l1 = fmaf(*l1, a, l2 * b);
    for (int64_t i = 0; i < n; i++) acc1[i] = fmaf(acc1[i], a, acc2[i] * b);
    *m1 = m;
}

static void attn_finish(float *o, const float *acc, float l, int64_t n)
{
    const float inv = 1.0f / l;
    for (int64_t i = 0; i < n; i++) o[i] = acc[i] * inv;
}

#endif
