/* Attention over one span in plain C, query by query, exactly as op/table.h writes it down. */
#include <math.h>
#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/elementary.h"
#include "backend/cpu/ref/ref.h"

static float element(r1i_cache_type type, const uint8_t *base, int64_t i)
{
    if (type == R1I_CACHE_Q8) return (float)(int8_t)base[i];
    if (type == R1I_CACHE_BF16) {
        uint16_t h;
        memcpy(&h, base + i * 2, sizeof h);
        return r1i_bf16_to_f32(h);
    }
    float f;
    memcpy(&f, base + i * 4, sizeof f);
    return f;
}

/* Element d of the key, or value, of position j of the page; of q8 the integer. */
static float key_at(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    const int64_t dim = r1i_cache_key_elems(a->shape, a->kv->type);
    int64_t at = (j / 16 * dim + d) * 16 + j % 16;
    if (a->shape->mla) at = j * dim + d;
    else if (a->kv->type == R1I_CACHE_Q8) at = (j / 16 * dim + d / 4 * 4) * 16 + j % 16 * 4 + d % 4;
    return element(a->kv->type, page->keys, at);
}
static float value_at(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    if (a->shape->mla) return key_at(a, page, j, d);
    return element(a->kv->type, page->values, j * a->shape->value_dim + d);
}

/* q8: the factor of their group. */
static float key_factor(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    const r1i_attn_shape *const s = a->shape;
    const int64_t groups = r1i_cache_key_groups(s);
    if (!s->mla) return page->key_scales[(j / 16 * groups + d / R1I_Q8_GROUP) * 16 + j % 16];
    const int64_t g = d < s->value_dim ? d / R1I_Q8_GROUP
        : r1i_cache_groups(s->value_dim) + (d - s->value_dim) / R1I_Q8_GROUP;
    return page->key_scales[j * groups + g];
}
static float value_factor(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    return a->shape->mla ? key_factor(a, page, j, d) : page->value_scales[d / R1I_Q8_GROUP * R1I_PAGE + j];
}

static float score(const r1i_attn_span *a, const r1i_kv_head *page, int64_t iq, int64_t j)
{
    const int64_t dim = a->shape->key_dim;
    const bool q8 = a->kv->type == R1I_CACHE_Q8;
    const float *const q = a->q + iq * dim;
    float c = 0.0f;
    if (!q8 || a->shape->mla) {
        for (int64_t d = 0; d < dim; d++) {
            const float k = key_at(a, page, j, d);
            c = fmaf(q[d], q8 ? k * key_factor(a, page, j, d) : k, c);
        }
        return c;
    }
    for (int64_t from = 0, to; from < dim; from = to) {
        int32_t sum = 0;
        to = r1i_cache_group_end(a->shape, from);
        for (int64_t d = from; d < to; d++) {
            int16_t w;
            memcpy(&w, a->whole + iq * a->whole_step + 2 * d, sizeof w);
            sum += w * (int32_t)key_at(a, page, j, d);
        }
        c = fmaf((float)sum, key_factor(a, page, j, from), c);
    }
    return c;
}

/* c + the weight p of position j times dim d of its value. */
static float add_value(const r1i_attn_span *a, const r1i_kv_head *page, float p, int64_t j, int64_t d, float c)
{
    const float v = value_at(a, page, j, d);
    if (a->kv->type != R1I_CACHE_Q8) return fmaf(p, v, c);
    const float factor = value_factor(a, page, j, d);
    return a->shape->mla ? fmaf(p, v * factor, c) : fmaf(p * factor, v, c);
}

/* Positions [t, t + n) of one page against query `iq`. */
static void tile(const r1i_attn_span *a, int64_t iq, int64_t t, int64_t n)
{
    const r1i_attn_shape *const s = a->shape;
    const r1i_kv_head page = r1i_kv_page(a, t);
    float *const acc = a->acc + iq * s->value_dim;
    float p[R1I_PAGE] = {0}, lane[16] = {0};
    float m = a->m[iq];
    for (int64_t j = 0; j < n; j++) {
        p[j] = a->scale[iq] * score(a, &page, iq, j);
        m = p[j] > m ? p[j] : m;
    }
    const float alpha = r1i_expf(a->m[iq] - m); /* first tile: exp(-inf) = 0 */
    for (int64_t j = 0; j < n; j++) {
        p[j] = r1i_expf(p[j] - m);
        lane[j % 16] += p[j];
    }
    a->m[iq] = m;
    a->l[iq] = fmaf(a->l[iq], alpha, r1i_fold16(lane));
    for (int64_t d = 0; d < s->value_dim; d++) {
        float v = acc[d] * alpha;
        for (int64_t j = 0; j < n; j++) v = add_value(a, &page, p[j], j, d, v);
        acc[d] = v;
    }
}

static void span(const r1i_attn_span *a)
{
    for (int64_t iq = 0; iq < a->rows * a->heads; iq++) {
        const int64_t pos = a->pos0 + iq / a->heads;
        if (pos < a->start) continue;
        a->m[iq] = -INFINITY;
        a->l[iq] = 0.0f;
        memset(a->acc + iq * a->shape->value_dim, 0, sizeof(float) * (size_t)a->shape->value_dim);
        for (int64_t t = a->start; t < a->start + R1I_SPAN && t <= pos; t += R1I_PAGE)
            tile(a, iq, t, pos - t + 1 < R1I_PAGE ? pos - t + 1 : R1I_PAGE);
    }
}

static void merge(float *m1, float *l1, float *acc1, const float *m2, const float *l2, const float *acc2,
                  int64_t queries, int64_t dim)
{
    for (int64_t q = 0; q < queries; q++) {
        const float m = m2[q] > m1[q] ? m2[q] : m1[q];
        const float a = r1i_expf(m1[q] - m), b = r1i_expf(m2[q] - m);
        l1[q] = fmaf(l1[q], a, l2[q] * b);
        for (int64_t i = q * dim; i < (q + 1) * dim; i++) acc1[i] = fmaf(acc1[i], a, acc2[i] * b);
        m1[q] = m;
    }
}

static void finish(float *o, const float *acc, float l, int64_t n)
{
    const float inv = 1.0f / l;
    for (int64_t i = 0; i < n; i++) o[i] = acc[i] * inv;
}

const r1i_attn_kernels r1i_ref_attn = {0, NULL, span, merge, finish};
