/* One row: what decoding waits for. A line of weights should cost as few instructions as can be, because the processor
 * looks a fixed number of them ahead and so asks memory for more lines at once: integer sums run in two chains (one
 * chain of eight products takes longer than the rest of a group), and what depends on the activations alone is formed
 * once for all panels. Included by avx512_linear_quant.c; static functions only. */
#ifndef R1I_ONE_ROW512_H
#define R1I_ONE_ROW512_H

#include "backend/cpu/avx512/some_rows512.h"

/* Bytes with both nibbles: products of the high ones where they are, sixteen times too large, which the sum's shift
 * undoes exactly. */
R1I_INLINE __m512i low_in_place(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8(0x0f)); }
R1I_INLINE __m512i high_in_place(__m512i v) { return _mm512_and_si512(v, _mm512_set1_epi8((char)0xf0)); }

/* Q5_K: three of a group's eight vectors are put together in the upper five bits, eight times too large. */
R1I_INLINE __m512i one_dot_q5(const uint8_t *p, const int8_t *q, __m512i sum)
{
    const w16 l0 = w16_load(p), l1 = w16_load(p + 64), l2 = w16_load(p + 128), l3 = w16_load(p + 192),
              l4 = w16_load(p + 256);
    const w16 low = w16_set1(0x1f1f1f1fu), high = w16_set1(0xe0e0e0e0u), two = w16_set1(0x18181818u);
    const w16 v7 = w16_or(w16_and(w16_shr(l1, 3), w16_set1(0x10101010u)),
                          w16_and(w16_shr(l3, 4), w16_set1(0x08080808u)));
    __m512i upper = _mm512_setzero_si512();
    sum = dot_of(sum, w16_and(l0, low), q);
    upper = dot_of(upper, w16_or(w16_and(l0, high), w16_and(w16_shr(l1, 2), two)), q + 20);
    sum = dot_of(sum, w16_and(l1, low), q + 4);
    sum = dot_of(sum, w16_and(l2, low), q + 8);
    upper = dot_of(upper, w16_or(w16_and(l2, high), w16_and(w16_shr(l3, 2), two)), q + 24);
    sum = dot_of(sum, w16_and(l3, low), q + 12);
    sum = dot_of(sum, w16_and(l4, low), q + 16);
    upper = dot_of(upper, w16_or(w16_and(l4, high), v7), q + 28);
    return _mm512_add_epi32(sum, _mm512_srai_epi32(upper, 3));
}

/* Q3_K's upper half of a group, likewise. */
R1I_INLINE __m512i one_dot_q3_high(const uint8_t *p, const int8_t *q, __m512i start)
{
    const w16 mask = w16_set1(0x38383838u);
    __m512i even = _mm512_setzero_si512(), odd = _mm512_setzero_si512();
    even = dot_of(even, w16_and(w16_load(p), mask), q + 16);
    odd = dot_of(odd, w16_and(w16_load(p + 64), mask), q + 20);
    even = dot_of(even, w16_and(w16_load(p + 128), mask), q + 24);
    odd = dot_of(odd, w16_or(bits_at(p + 64, 4, 0, 0x08080808u), bits_at(p + 128, 2, 0, 0x30303030u)), q + 28);
    return _mm512_add_epi32(start, _mm512_srai_epi32(_mm512_add_epi32(even, odd), 3));
}

/* The integer sum of group g, or of its half h where it has two scales. q: the group's activations. */
R1I_INLINE __m512i one_dot(const r1_dtype type, const uint8_t *b, int g, int h, const int8_t *q, __m512i start)
{
    const int quads = 8 / kind_parts(tile_kind_of(type));
    __m512i even = start, odd = _mm512_setzero_si512();
    if (type == R1_DTYPE_Q4_0 || type == R1_DTYPE_Q4_1) {
        const uint8_t *const qs = b + group_bytes(type) * (g + 1) - 256;
        R1I_UNROLL for (int i = 0; i < 4; i++) {
            const __m512i v = w16_load(qs + 64 * i);
            even = dot_of(even, low_in_place(v), q + 4 * i);
            odd = dot_of(odd, high_in_place(v), q + 16 + 4 * i);
        }
        return _mm512_add_epi32(even, _mm512_srai_epi32(odd, 4));
    }
    if (type == R1_DTYPE_Q2_K) { /* a pair of bits where it is, 4 to the power of its place too large */
        const uint8_t *const qs = b + 320 + 512 * (g >> 2);
        const __m512i pair = w16_set1(0x03030303u << 2 * (g & 3));
        R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i += 2) {
            even = dot_of(even, w16_and(w16_load(qs + 64 * i), pair), q + 4 * i);
            odd = dot_of(odd, w16_and(w16_load(qs + 64 * i + 64), pair), q + 4 * i + 4);
        }
        return _mm512_srai_epi32(_mm512_add_epi32(even, odd), 2 * (unsigned)(g & 3));
    }
    if (type == R1_DTYPE_Q5_K) return one_dot_q5(q5_group(b, g), q, start);
    if (type == R1_DTYPE_Q3_K && h == 1) return one_dot_q3_high(q3_group(b, g), q, start);
    R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i += 2) {
        even = dot_of(even, group_vector(type, b, g, i), q + 4 * i);
        odd = dot_of(odd, group_vector(type, b, g, i + 1), q + 4 * i + 4);
    }
    return _mm512_add_epi32(even, odd);
}

/* Q4_K's groups g and g + 1, which share their bytes. */
R1I_INLINE void one_dot_pair(const uint8_t *b, int g, const int8_t *q, __m512i dot[2])
{
    const uint8_t *const qs = b + 256 + 256 * g;
    __m512i low[2], high[2];
    R1I_UNROLL for (int c = 0; c < 2; c++) low[c] = high[c] = _mm512_setzero_si512();
    R1I_UNROLL for (int i = 0; i < 8; i++) {
        const __m512i v = w16_load(qs + 64 * i);
        low[i & 1] = dot_of(low[i & 1], low_in_place(v), q + 4 * i);
        high[i & 1] = dot_of(high[i & 1], high_in_place(v), q + 32 + 4 * i);
    }
    dot[0] = _mm512_add_epi32(low[0], low[1]);
    dot[1] = _mm512_srai_epi32(_mm512_add_epi32(high[0], high[1]), 4);
}

/* What the row's chains need beside products (row_sums), of all its columns: formed once for all panels of an item. */
enum { ONE_COLS = 32768 };
typedef struct one_sums {
    int32_t start[ONE_COLS / 16 + 16];
    float dsum[ONE_COLS / 16 + 16];
} one_sums;

static void one_sums_of(r1_dtype type, const r1i_act *x, int64_t m, one_sums *sums)
{
    const tile_kind kind = tile_kind_of(type);
    q8_rows in = q8_rows_at(x, m, 0);
    for (int64_t k = 0, at = 0; k < x->x.cols; at += TILE_GROUPS * kind_parts(kind)) {
        row_sums(kind, tile_offset(type), &in, 0, sums->start + at, sums->dsum + at);
        if ((k += TILE_K) < x->x.cols) q8_rows_step(x, k, &in);
    }
}

/* A group's (or half's) sum, times its scales, onto the row's. */
R1I_INLINE __m512 one_add(const r1_dtype type, const weights *w, const q8_rows *in, const float *dsum, int g, int at,
                          __m512i dot, __m512 sum)
{
    sum = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot),
                          _mm512_mul_ps(weight_scale(type, w, 0, at), _mm512_set1_ps(in->d[g])), sum);
    return kind_has_min(tile_kind_of(type))
        ? _mm512_fnmadd_ps(weight_min(type, w, 0, at), _mm512_set1_ps(dsum[at]), sum) : sum;
}

R1I_INLINE __m512 one_group(const r1_dtype type, const weights *w, const q8_rows *in, const int32_t *start,
                            const float *dsum, int g, __m512 sum, late_terms *late)
{
    const int parts = kind_parts(tile_kind_of(type));
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int at = parts * g + h;
        const __m512i first = kind_has_min(tile_kind_of(type)) ? _mm512_setzero_si512() : _mm512_set1_epi32(start[at]);
        sum = one_add(type, w, in, dsum, g, at, one_dot(type, w->b, g, h, in->q + 32 * g, first), sum);
    }
    if (in->fine[0] >> g & 1) late_group(type, w, in, 0, g, late);
    return sum;
}

R1I_INLINE __m512 one_pair(const weights *w, const q8_rows *in, const float *dsum, int g, __m512 sum, late_terms *late)
{
    __m512i dot[2];
    one_dot_pair(w->b, g, in->q + 32 * g, dot);
    R1I_UNROLL for (int h = 0; h < 2; h++) {
        sum = one_add(R1_DTYPE_Q4_K, w, in, dsum, g + h, g + h, dot[h], sum);
        if (in->fine[0] >> (g + h) & 1) late_group(R1_DTYPE_Q4_K, w, in, 0, g + h, late);
    }
    return sum;
}

/* The lines of the span to ask for that belong to group g: each once, at the rate at which lines are read. */
R1I_INLINE void one_ask(const r1_dtype type, const uint8_t *ahead, int g)
{
    const int lines = (int)(span_bytes(type) / 64);
    if (!group_of_k(type)) {
        group_ahead(type, ahead, g);
        return;
    }
    R1I_UNROLL for (int i = (lines * g + 7) / 8; i < (lines * (g + 1) + 7) / 8; i++)
        __builtin_prefetch(ahead + 64 * i, 0, 2);
}

enum { ONE_LONG_PANELS = 4, ONE_LONG = 4096 };

/* Group g, or Q4_K's g and g + 1, of n panels that lie `stride` bytes apart. ahead: NULL, or the first one's span to
 * ask for. */
R1I_INLINE void one_step(const int n, const r1_dtype type, const weights *w, const uint8_t *ahead, int64_t stride,
                         const q8_rows *in, const int32_t *start, const float *dsum, int g, __m512 *sum,
                         late_terms *late)
{
    R1I_UNROLL for (int i = 0; i < n; i++) {
        if (ahead) one_ask(type, ahead + i * stride, g);
        if (type == R1_DTYPE_Q4_K) {
            if (ahead) one_ask(type, ahead + i * stride, g + 1);
            sum[i] = one_pair(&w[i], in, dsum, g, sum[i], &late[i]);
        } else {
            sum[i] = one_group(type, &w[i], in, start, dsum, g, sum[i], &late[i]);
        }
    }
}

/* A span of n panels, onto their sums. */
R1I_INLINE void one_span(const int n, const r1_dtype type, const uint8_t *b, const uint8_t *ahead, int64_t stride,
                         const q8_rows *in, const int32_t *start, const float *dsum, __m512 *sum)
{
    weights w[ONE_LONG_PANELS];
    late_terms late[ONE_LONG_PANELS];
    R1I_UNROLL for (int i = 0; i < n; i++) {
        w[i].b = b + i * stride;
        late[i].n = 0;
        head_read(type, w[i].b, &w[i].head);
    }
    if (type == R1_DTYPE_Q4_K) {
        R1I_UNROLL for (int g = 0; g < TILE_GROUPS; g += 2)
            one_step(n, type, w, ahead, stride, in, start, dsum, g, sum, late);
    } else if (group_of_k(type) && type != R1_DTYPE_IQ4_XS) { /* shifts by constants; IQ4_XS hardly shifts */
        R1I_UNROLL for (int g = 0; g < TILE_GROUPS; g++)
            one_step(n, type, w, ahead, stride, in, start, dsum, g, sum, late);
    } else {
        for (int g = 0; g < in->groups; g++) one_step(n, type, w, ahead, stride, in, start, dsum, g, sum, late);
    }
    R1I_UNROLL for (int i = 0; i < n; i++) sum[i] = late_add(tile_kind_of(type), &late[i], sum[i]);
}

/* Panels p to p1, n of them at a time, as far as that goes; returns the first one left. One panel's bytes are one
 * stream, which suits the prefetchers; but where a row is long, its activations leave the first-level cache before the
 * next panel wants them, and four panels read them
 * once: 5632 columns of Q4_K 26 GB/s of one core's 31, one panel at a time 21. */
R1I_INLINE int64_t one_panels(const int n, const r1_dtype type, const r1i_linear_job *job, int64_t p, int64_t p1,
                              int64_t m0, const one_sums *sums, bool near)
{
    const r1i_weight *const w = job->w;
    const int64_t stride = (int64_t)r1i_panel_stride(type, w->cols), step = span_step(type);
    const int64_t parts = TILE_GROUPS * kind_parts(tile_kind_of(type));
    const uint8_t *const end = w->data + (w->rows + LANES - 1) / LANES * stride;
    const q8_rows first = q8_rows_at(job->x, m0, 0);
    for (; p + n <= p1; p += n) {
        const uint8_t *b = w->data + p * stride, *ahead = NULL;
        const int32_t *start = sums->start;
        const float *dsum = sums->dsum;
        __m512 sum[ONE_LONG_PANELS];
        R1I_UNROLL for (int i = 0; i < n; i++) sum[i] = _mm512_setzero_ps();
        q8_rows in = first;
        for (int64_t k = 0; k < w->cols; b += step, start += parts, dsum += parts) {
            if (n > 1) { /* each panel's next span, or the beginning of the one that follows */
                ahead = k + TILE_K < w->cols ? b + step : b + step + (n - 1) * stride;
                if (end - ahead < n * stride) ahead = b;
            } else if (near) {
                if (group_of_k(type)) near_ahead(b, end, step);
                else ahead = near_at(b, end);
            } else if (group_in_order(type)) {
                page_ahead(b, (uint64_t)step);
            } else if (group_of_k(type)) {
                ahead = end - b > QUANT_LEAD ? b + QUANT_LEAD : b;
            }
            one_span(n, type, b, ahead, stride, &in, start, dsum, sum);
            if ((k += TILE_K) < w->cols) q8_rows_step(job->x, k, &in);
        }
        R1I_UNROLL for (int i = 0; i < n; i++) {
            _Alignas(64) float acc[LANES];
            _mm512_store_ps(acc, sum[i]);
            quant_finish(job, m0, p + i, acc);
        }
    }
    return p;
}

typedef int64_t (*one_fn)(const r1i_linear_job *job, int64_t p, int64_t p1, int64_t m0, const one_sums *sums,
                          bool near);
#define ONE(type)                                                                                                  \
    static int64_t one_##type(const r1i_linear_job *job, int64_t p, int64_t p1, int64_t m0, const one_sums *sums,  \
                              bool near)                                                                           \
    {                                                                                                              \
        return one_panels(1, R1_DTYPE_##type, job, p, p1, m0, sums, near);                                         \
    }
GROUP_TYPES(ONE)
#define ENTRY(type) [R1_DTYPE_##type] = one_##type,
static const one_fn one[R1_DTYPE_COUNT] = {GROUP_TYPES(ENTRY)};
#undef ENTRY
#undef ONE

/* Panels [p0, p1) for row m0; false: not this type, or more columns than there is room for. */
static bool driver_one(const r1i_linear_job *job, int64_t p0, int64_t p1, int64_t m0, bool near)
{
    const r1_dtype type = job->w->type;
    one_sums sums;
    if (!one[type] || job->w->cols > ONE_COLS) return false;
    one_sums_of(type, job->x, m0, &sums);
    if (!near && type == R1_DTYPE_Q4_K && job->w->cols >= ONE_LONG)
        p0 = one_panels(ONE_LONG_PANELS, R1_DTYPE_Q4_K, job, p0, p1, m0, &sums, false);
    one[type](job, p0, p1, m0, &sums, near);
    return true;
}

#endif
