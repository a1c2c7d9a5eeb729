/* Pairs of bf16 as the dot product takes them: two values of one lane in a word, the first below. */
#ifndef R1I_PAIRS512_H
#define R1I_PAIRS512_H

#include "backend/cpu/avx512/v512.h"

#include "backend/cpu/lanes/unroll.h"

/* Sixteen halves and sixteen behind them: half i of the first below, of the second above in word i. */
R1I_INLINE __m512i interleave(__m512i halves)
{
    const __m512i lanes =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
                         3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(lanes, halves);
}

/* Rounded to bf16. Subnormals become zero, as which the dot product would take them. */
R1I_INLINE __m512i pair_of(__m512 first, __m512 second)
{
    return interleave((__m512i)_mm512_cvtne2ps_pbh(second, first));
}
/* Of values that are bf16 already. */
R1I_INLINE __m512i pair_of_halves(__m256i first, __m256i second)
{
    return interleave(_mm512_inserti64x4(_mm512_castsi256_si512(first), second, 1));
}
R1I_INLINE __m256i halves_or_zero(const uint16_t *p, int64_t n)
{
    return p ? _mm256_maskz_loadu_epi16(first_lanes(n), p) : _mm256_setzero_si256();
}

/* Sixteen values rounded to nearest, ties to even; subnormals become zero. */
R1I_INLINE __m256i bf16_of(__m512 v) { return (__m256i)_mm512_cvtneps_pbh(v); }

#endif
