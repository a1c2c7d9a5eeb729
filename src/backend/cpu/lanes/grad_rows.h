/* What the backward kernels share: sums of rows, the softmax of attention's backward, and a head's rows in the layouts that it reads. */
#ifndef R1I_GRAD_ROWS_H
#define R1I_GRAD_ROWS_H

#include <string.h>

#include "backend/cpu/grad.h"
#include "backend/cpu/lanes/row_pieces.h"
#include "tensor/codec.h"

static inline float grad_dot(const float *a, const float *b, int64_t n)
{
    v16 sum = v16_zero();
    for (int64_t i = 0; i < n; i += 16) sum = v16_fma(some(a + i, n - i), some(b + i, n - i), sum);
    return fold(sum);
}

/* One query's scores, `whole` positions (a multiple of 16) that it sees and some of the vector behind them: e ^ (scale * score - maximum) in place, zero
 * past what it sees; 1 / their sum. */
static inline float exponentials(float *s, int64_t seen, int64_t whole, float scale)
{
    const v16 by = v16_set1(scale), lowest = v16_set1(-INFINITY);
    const v16 last = v16_first(v16_mul(v16_load(s + whole), by), seen - whole, lowest);
    v16 most = lowest, sum = v16_zero();
    for (int64_t j = 0; j < whole; j += 16) most = v16_max(v16_mul(v16_load(s + j), by), most);
    float lane[16], max = -INFINITY;
    v16_store(lane, v16_max(last, most));
    for (int i = 0; i < 16; i++) max = lane[i] > max ? lane[i] : max;
    const v16 top = v16_set1(max);
    for (int64_t j = 0; j < whole; j += 16) {
        const v16 e = v16_exp(v16_sub(v16_mul(v16_load(s + j), by), top));
        v16_store(s + j, e);
        sum = v16_add(sum, e);
    }
    const v16 e = v16_exp(v16_sub(last, top));
    v16_store(s + whole, e);
    return 1.0f / fold(v16_add(sum, e));
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
