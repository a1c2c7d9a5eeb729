/* What the backward kernels share: sums of rows, the softmax of attention's backward, and a head's rows in the layouts
 * that it reads. */
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

enum { GRAD_EIGHT = 8 }; /* queries whose folds go side by side: each alone is a chain that the next ones wait behind */

/* out[i] = sum of a row i * b row i, as grad_dot, of up to eight rows; the others hold anything. */
static inline void grad_dots(float out[16], r1i_mat a, r1i_mat b)
{
    v16 sum[GRAD_EIGHT];
    for (int64_t r = 0; r < GRAD_EIGHT; r++) {
        const float *const p = a.p + r * a.stride, *const q = b.p + r * b.stride;
        sum[r] = v16_zero();
        for (int64_t i = 0; r < a.rows && i < a.cols; i += 16)
            sum[r] = v16_fma(some(p + i, a.cols - i), some(q + i, a.cols - i), sum[r]);
    }
    v16_store(out, fold8_sum(sum));
}

/* Scores of n queries, `apart` floats from one to the next: the first sees `seen` positions, each one more than the one
 * before it; `whole` (a multiple of 16) and some of the vector behind them. Each score becomes e ^ (scale * score -
 * maximum) in place, zero past what its query sees; inv: 1 / their sums. */
static inline void exponentials(float inv[16], float *scores, int64_t apart, int64_t n, int64_t seen, int64_t whole,
                                float scale)
{
    const v16 by = v16_set1(scale), lowest = v16_set1(-INFINITY);
    v16 fold[GRAD_EIGHT];
    float top[16];
    for (int64_t i = 0; i < GRAD_EIGHT; i++) {
        float *const s = scores + i * apart;
        fold[i] = lowest;
        if (i >= n) continue;
        const v16 last = v16_first(v16_mul(v16_load(s + whole), by), seen + i - whole, lowest);
        for (int64_t j = 0; j < whole; j += 16) fold[i] = v16_max(v16_mul(v16_load(s + j), by), fold[i]);
        fold[i] = v16_max(last, fold[i]);
    }
    v16_store(top, fold8_max(fold));
    for (int64_t i = 0; i < GRAD_EIGHT; i++) {
        float *const s = scores + i * apart;
        const v16 most = v16_set1(top[i]);
        fold[i] = v16_zero();
        if (i >= n) continue;
        for (int64_t j = 0; j < whole; j += 16) {
            const v16 e = v16_exp_down(v16_sub(v16_mul(v16_load(s + j), by), most));
            v16_store(s + j, e);
            fold[i] = v16_add(fold[i], e);
        }
        const v16 last = v16_first(v16_mul(v16_load(s + whole), by), seen + i - whole, lowest),
                  e = v16_exp_down(v16_sub(last, most));
        v16_store(s + whole, e);
        fold[i] = v16_add(fold[i], e);
    }
    v16_store(inv, v16_div(v16_set1(1.0f), fold8_sum(fold)));
}

static inline r1i_mat rows_of(r1i_mat m, int64_t r0, int64_t n)
{
    return (r1i_mat){m.p + r0 * m.stride, n, m.cols, m.stride};
}

/* [16][16]: to[m][k] = from[k][m]. */
static inline void turn16(float *to, int64_t ts, const float *from, int64_t fs)
{
    for (int m = 0; m < 16; m += 8)
        for (int k = 0; k < 16; k += 8) turn8(to + m * ts + k, ts, from + k * fs + m, fs);
}

/* [n, dim] rows into [ceil(n / 16)][dim][16], absent positions zero. */
static inline void turn_rows(float *out, r1i_mat m)
{
    const int64_t wide = m.cols / 16 * 16;
    for (int64_t j = 0; j < m.rows; j += 16) {
        float *const to = out + j * m.cols;
        const bool whole = m.rows - j >= 16;
        for (int64_t d = 0; whole && d < wide; d += 16) turn16(to + d * 16, 16, m.p + j * m.stride + d, m.stride);
        for (int64_t d = whole ? wide : 0; d < m.cols; d++)
            for (int64_t i = 0; i < 16; i++) to[d * 16 + i] = j + i < m.rows ? m.p[(j + i) * m.stride + d] : 0.0f;
    }
}

static inline void add_rows(r1i_mat to, const float *from, int64_t width)
{
    for (int64_t r = 0; r < to.rows; r++)
        for (int64_t d = 0; d < to.cols; d += 16)
            put(to.p + r * to.stride + d,
                v16_add(some(to.p + r * to.stride + d, to.cols - d), v16_load(from + r * width + d)), to.cols - d);
}

#endif
