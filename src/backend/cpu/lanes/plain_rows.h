/* Elementwise rows in plain C: every output is its own short expression, so a compiler that turns the loop into vectors
 * cannot move a bit. ref/, avx2/ and avx512/ each include this file; with fused multiply-add hardware in their flags
 * the fmaf calls become instructions. */
#ifndef R1I_PLAIN_ROWS_H
#define R1I_PLAIN_ROWS_H

#include "backend/cpu/elementary.h"

static inline void rotate_pair(float *restrict a, float *restrict b, float c, float s)
{
    const float x = *a, y = *b;
    *a = fmaf(x, c, -(y * s));
    *b = fmaf(y, c, x * s);
}

static inline void plain_rope_row(float *x, int64_t heads, int64_t dim, int64_t head_stride, const float *cos,
                                  const float *sin, bool interleaved)
{
    const int64_t half = dim / 2;
    for (int64_t h = 0; h < heads; h++) {
        float *const p = x + h * head_stride;
        if (interleaved) {
            for (int64_t i = 0; i < half; i++) rotate_pair(p + 2 * i, p + 2 * i + 1, cos[i], sin[i]);
        } else {
            float *restrict const a = p;
            float *restrict const b = p + half;
            for (int64_t i = 0; i < half; i++) rotate_pair(a + i, b + i, cos[i], sin[i]);
        }
    }
}

/* Angles in double: position 163,839 times a frequency of 1 keeps 35 bits behind the point. */
static inline void plain_rope_table_row(float *cos, float *sin, int64_t pos, const double *inv_freq, int64_t n,
                                        float mag)
{
    for (int64_t i = 0; i < n; i++) {
        double s, c;
        r1i_sincos((double)pos * inv_freq[i], &s, &c);
        cos[i] = (float)(c * (double)mag);
        sin[i] = (float)(s * (double)mag);
    }
}

static inline void plain_moe_combine_row(float *restrict y, const float *restrict out, int64_t out_stride,
                                  const int32_t *slot, const float *weight, int64_t topk, const float *restrict shared,
                                  int64_t n)
{
    enum { BLOCK = 256 }; /* sums of one block stay in registers or L1 while the experts pass */
    float acc[BLOCK];
    for (int64_t c0 = 0; c0 < n; c0 += BLOCK) {
        const int64_t m = n - c0 < BLOCK ? n - c0 : BLOCK;
        for (int64_t c = 0; c < m; c++) acc[c] = 0.0f;
        for (int64_t j = 0; j < topk; j++) {
            const float *restrict const o = out + (int64_t)slot[j] * out_stride + c0;
            for (int64_t c = 0; c < m; c++) acc[c] = fmaf(weight[j], o[c], acc[c]);
        }
        if (shared)
            for (int64_t c = 0; c < m; c++) acc[c] += shared[c0 + c];
        for (int64_t c = 0; c < m; c++) y[c0 + c] += acc[c];
    }
}

static inline void plain_bf16_row(uint16_t *restrict y, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = r1i_bf16_from_f32(x[i]);
}

#endif
