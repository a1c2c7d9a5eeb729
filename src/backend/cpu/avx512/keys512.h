/* attention_keys.h with 512-bit registers: a line of 16 positions by 4 dims is one, and a whole number two bytes with
 * signs, high * 256 + low. The dot product of bytes wants one side without sign, so keys become k + 128, and what that
 * adds lies behind a query's bytes: the row is [dim] high, [dim] low, then -128 * its sum in each group as an int32.
 *
 * The high bytes of a group first, then the low ones on 256 times their sum, so that seven rows of two vectors are 14
 * sums and not 28, which no compiler keeps in registers. At most 32 * 255 * 127 * 256 < 2^28. */
#ifndef R1I_KEYS512_H
#define R1I_KEYS512_H

#include "backend/cpu/lanes/attention_keys.h"
#include "backend/cpu/lanes/attention_tile.h"

#define KEYS_ROWS_MOST 8

static void keys_query(uint8_t *row, int64_t dim, int64_t d, const int16_t *w, int64_t n)
{
    int8_t *const high = (int8_t *)row + d, *const low = high + dim;
    int32_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        high[i] = (int8_t)((w[i] + 128) >> 8);
        low[i] = (int8_t)(w[i] - 256 * high[i]);
        sum -= 128 * w[i];
    }
    memcpy(row + 2 * dim + d / R1I_Q8_GROUP * 4, &sum, sizeof sum);
}

/* Four bytes, or an int32. */
R1I_INLINE int32_t keys_word(const uint8_t *p)
{
    int32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

R1I_INLINE void keys_tile(const keys_args *t, const int rows, const int vecs)
{
    const __m512i sign = _mm512_set1_epi8((char)0x80);
    const int64_t wps = t->dim * 16;
    const uint8_t *x[3], *ahead = t->ahead, *also = t->also, *sums = t->query + 2 * t->dim;
    const float *factors = t->factors;
    int64_t xs = t->query_step;
    HIDE(xs); /* as in attention_tile.h */
    R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] = t->query + 3 * i * xs;
    for (int64_t d = 0; d < t->dim; d += R1I_Q8_GROUP) {
        const int64_t steps = keys_steps(t->dim, d);
        __m512i c[8][4];
        R1I_UNROLL for (int r = 0; r < rows; r++)
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = _mm512_setzero_si512();
        for (int half = 0; half < 2; half++) {
            const int8_t *w = t->keys + d * 16;
            for (int64_t step = 0; step < steps; step++, w += 64) {
                __m512i k[4];
                R1I_UNROLL for (int i = 0; i < (vecs + 1) / 2; i++) __builtin_prefetch(ahead + 64 * i, 0, 2);
                ahead += t->ahead_step * vecs / 2;
                if (half > 0 && ATTN_ASKS_BESIDE) {
                    __builtin_prefetch(also, 0, 2);
                    also += t->also_step;
                }
                R1I_UNROLL for (int v = 0; v < vecs; v++)
                    k[v] = _mm512_xor_si512(_mm512_loadu_si512(w + v * wps), sign);
                R1I_UNROLL for (int r = 0; r < rows; r++) {
                    const __m512i q = _mm512_set1_epi32(keys_word(x[r / 3] + r % 3 * xs));
                    R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = _mm512_dpbusd_epi32(c[r][v], k[v], q);
                }
                R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] += 4;
            }
            R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] += half == 0 ? t->dim - 4 * steps : -t->dim;
            if (half > 0) continue;
            R1I_UNROLL for (int r = 0; r < rows; r++)
                R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = _mm512_slli_epi32(c[r][v], 8);
        }
        const uint8_t *sum = sums;
        float *score = t->scores;
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            const __m512i more = _mm512_set1_epi32(keys_word(sum));
            R1I_UNROLL for (int v = 0; v < vecs; v++) {
                const v16 whole = _mm512_cvtepi32_ps(_mm512_add_epi32(c[r][v], more)),
                          before = d > 0 ? v16_load(score + 16 * v) : v16_zero();
                v16_store(score + 16 * v, v16_fma(whole, v16_load(factors + v * t->groups * 16), before));
            }
            sum += xs;
            score += R1I_PAGE;
            HIDE(score);
        }
        sums += 4;
        factors += 16;
    }
}

#endif
