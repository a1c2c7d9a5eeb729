/* attention_keys.h with 256-bit registers: products of 16-bit numbers, added in pairs. A query's row is its int16. */
#ifndef R1I_KEYS256_H
#define R1I_KEYS256_H

#include "backend/cpu/lanes/attention_keys.h"

#define KEYS_ROWS_MOST 2

/* Pairs of four positions each become eight positions. */
R1I_INLINE __m256 keys_eight(__m256i a, __m256i b)
{
    return _mm256_cvtepi32_ps(_mm256_permute4x64_epi64(_mm256_hadd_epi32(a, b), 0xd8));
}

R1I_INLINE void keys_tile(const keys_args *t, const int rows, const int vecs)
{
    (void)vecs;
    const int8_t *w = t->keys;
    const uint8_t *x = t->query, *ahead = t->ahead, *also = t->also;
    for (int64_t d = 0; d < t->dim; d += R1I_Q8_GROUP) {
        __m256i c[2][4];
        R1I_UNROLL for (int r = 0; r < rows; r++)
            R1I_UNROLL for (int i = 0; i < 4; i++) c[r][i] = _mm256_setzero_si256();
        for (int64_t left = keys_steps(t->dim, d); left > 0; left--, w += 64, x += 8) {
            __m256i q[2];
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(also, 0, 2);
            ahead += t->ahead_step;
            also += t->also_step;
            R1I_UNROLL for (int r = 0; r < rows; r++)
                q[r] = _mm256_broadcastq_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(x + r * t->query_step)));
            R1I_UNROLL for (int i = 0; i < 4; i++) {
                const __m256i k = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + 16 * i)));
                R1I_UNROLL for (int r = 0; r < rows; r++)
                    c[r][i] = _mm256_add_epi32(c[r][i], _mm256_madd_epi16(k, q[r]));
            }
        }
        const v16 factor = v16_load(t->factors + d / R1I_Q8_GROUP * 16);
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            float *const score = t->scores + r * R1I_PAGE;
            const v16 whole = v16_of(keys_eight(c[r][0], c[r][1]), keys_eight(c[r][2], c[r][3]));
            v16_store(score, v16_fma(whole, factor, d > 0 ? v16_load(score) : v16_zero()));
        }
    }
}

#endif
