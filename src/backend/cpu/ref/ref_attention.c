/* Attention over one span in plain C, query by query, exactly as op/table.h writes it down. */
#include <math.h>
#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/elementary.h"
#include "backend/cpu/ref/ref.h"

static float element(r1i_cache_type type, const uint8_t *base, int64_t i, float scale)
{
    if (type == R1I_CACHE_Q8) return r1i_q8_value((int8_t)base[i], scale);
    if (type == R1I_CACHE_BF16) {
        uint16_t h;
        memcpy(&h, base + i * 2, sizeof h);
        return r1i_bf16_to_f32(h);
    }
    float f;
    memcpy(&f, base + i * 4, sizeof f);
    return f;
}

static int64_t group_of(const r1i_attn_shape *s, int64_t d)
{
    if (!s->mla || d < s->value_dim) return d / R1I_Q8_GROUP;
    return r1i_cache_groups(s->value_dim) + (d - s->value_dim) / R1I_Q8_GROUP;
}

/* Element d of the key, or value, of position j of the page. */
static float key_at(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    const r1i_attn_shape *const s = a->shape;
    const int64_t dim = s->key_dim, g = group_of(s, d), groups = r1i_cache_key_groups(s);
    const int64_t i = s->mla ? j * dim + d : (j / 16 * dim + d) * 16 + j % 16;
    const float scale = a->kv->type != R1I_CACHE_Q8 ? 1.0f
        : page->key_scales[s->mla ? j * groups + g : (j / 16 * groups + g) * 16 + j % 16];
    return element(a->kv->type, page->keys, i, scale);
}

static float value_at(const r1i_attn_span *a, const r1i_kv_head *page, int64_t j, int64_t d)
{
    const r1i_attn_shape *const s = a->shape;
    if (s->mla) return key_at(a, page, j, d);
    const float scale = a->kv->type == R1I_CACHE_Q8
        ? page->value_scales[j * r1i_cache_groups(s->value_dim) + group_of(s, d)] : 1.0f;
    return element(a->kv->type, page->values, j * s->value_dim + d, scale);
}

/* Positions [t, t + n) of one page against query `iq`. */
static void tile(const r1i_attn_span *a, int64_t iq, int64_t t, int64_t n)
{
    const r1i_attn_shape *const s = a->shape;
    const r1i_kv_head page = r1i_kv_page(a, t);
    const float *const q = a->q + iq * s->key_dim;
    float *const acc = a->acc + iq * s->value_dim;
    float p[R1I_PAGE] = {0}, lane[16] = {0};
    float m = a->m[iq];
    for (int64_t j = 0; j < n; j++) {
        float c = 0.0f;
        for (int64_t d = 0; d < s->key_dim; d++) c = fmaf(q[d], key_at(a, &page, j, d), c);
        p[j] = s->scale * c;
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
        for (int64_t j = 0; j < n; j++) v = fmaf(p[j], value_at(a, &page, j, d), v);
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

const r1i_attn_kernels r1i_ref_attn = {0, span, merge, finish};
