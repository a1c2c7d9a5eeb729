/* What the backward kernels share: pieces of rows as lanes, their sums, and a head's rows in the layouts that attention's backward reads. */
#ifndef R1I_GRAD_ROWS_H
#define R1I_GRAD_ROWS_H

#include <string.h>

#include "backend/cpu/grad.h"
#include "tensor/codec.h"

static inline float fold(v16 v)
{
    float lane[16];
    v16_store(lane, v);
    return r1i_fold16(lane);
}
static inline v16 some(const float *p, int64_t left) { return left >= 16 ? v16_load(p) : v16_load_n(p, left); }
static inline void put(float *p, v16 v, int64_t left)
{
    if (left >= 16) v16_store(p, v);
    else v16_store_n(p, v, left);
}

static inline float grad_dot(const float *a, const float *b, int64_t n)
{
    v16 sum = v16_zero();
    for (int64_t i = 0; i < n; i += 16) sum = v16_fma(some(a + i, n - i), some(b + i, n - i), sum);
    return fold(sum);
}

static inline r1i_mat rows_of(r1i_mat m, int64_t r0, int64_t n) { return (r1i_mat){m.p + r0 * m.stride, n, m.cols, m.stride}; }

/* [n, dim] rows into [ceil(n / 16)][dim][16], absent positions zero. */
static inline void turn_rows(float *out, r1i_mat m)
{
    for (int64_t j = 0; j < r1i_round16(m.rows); j++)
        for (int64_t d = 0; d < m.cols; d++) out[(j / 16 * m.cols + d) * 16 + j % 16] = j < m.rows ? m.p[j * m.stride + d] : 0.0f;
}

static inline void add_rows(r1i_mat to, const float *from, int64_t width)
{
    for (int64_t r = 0; r < to.rows; r++)
        for (int64_t d = 0; d < to.cols; d += 16)
            put(to.p + r * to.stride + d, v16_add(some(to.p + r * to.stride + d, to.cols - d), v16_load(from + r * width + d)), to.cols - d);
}

#endif
