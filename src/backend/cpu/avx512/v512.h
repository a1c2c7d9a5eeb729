/* Sixteen f32 lanes as one 512-bit register. avx2/v256.h offers the same names over two 256-bit registers, so that the
 * kernels of lanes/ are written once. */
#ifndef R1I_V512_H
#define R1I_V512_H

#include <immintrin.h>

#include "backend/cpu/elementary.h"
#include "backend/cpu/lanes/unroll.h"

typedef __m512 v16;

static inline v16 v16_load(const float *p) { return _mm512_loadu_ps(p); }
static inline void v16_store(float *p, v16 v) { _mm512_storeu_ps(p, v); }
static inline __mmask16 first_lanes(int64_t n) { return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u); }
/* The first n lanes, 0 <= n; the others are zero, their memory is not touched. */
static inline v16 v16_load_n(const float *p, int64_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
static inline void v16_store_n(float *p, v16 v, int64_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
/* v in the first n lanes, other behind. */
static inline v16 v16_first(v16 v, int64_t n, v16 other) { return _mm512_mask_mov_ps(other, first_lanes(n), v); }
static inline v16 v16_set1(float f) { return _mm512_set1_ps(f); }
static inline v16 v16_zero(void) { return _mm512_setzero_ps(); }
static inline v16 v16_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
static inline v16 v16_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
static inline v16 v16_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
static inline v16 v16_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
static inline v16 v16_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
/* a > b ? a : b, so b where either is NaN */
static inline v16 v16_max(v16 a, v16 b) { return _mm512_max_ps(a, b); }
static inline v16 v16_neg(v16 a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }

/* Lower and upper eight lanes. */
static inline __m256 v16_lo(v16 v) { return _mm512_castps512_ps256(v); }
static inline __m256 v16_hi(v16 v) { return _mm512_extractf32x8_ps(v, 1); }
static inline v16 v16_eight(__m256 lo) { return _mm512_zextps256_ps512(lo); } /* zero behind */

/* 16 bf16 values: moved to the upper halves of words by one shuffle, which leaves the ports of the products alone. */
static inline v16 v16_bf16(const uint16_t *p)
{
    const __m512i from = _mm512_set_epi32(0xf0000, 0xe0000, 0xd0000, 0xc0000, 0xb0000, 0xa0000, 0x90000, 0x80000,
                                          0x70000, 0x60000, 0x50000, 0x40000, 0x30000, 0x20000, 0x10000, 0);
    const __m512i h = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(const void *)p));
    return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xaaaaaaaau, from, h));
}

/* 16 signed bytes. */
static inline v16 v16_i8(const int8_t *p)
{
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p)));
}

/* Sixteen words of four bytes: a vector of a block type's panel. */
typedef __m512i w16;
typedef uint32_t words16 __attribute__((vector_size(64)));

static inline w16 w16_load(const void *p) { return _mm512_loadu_si512(p); }
static inline void w16_store(void *p, w16 v) { _mm512_storeu_si512(p, v); }
static inline w16 w16_set1(uint32_t v) { return _mm512_set1_epi32((int)v); }
static inline w16 w16_and(w16 a, w16 b) { return _mm512_and_si512(a, b); }
static inline w16 w16_or(w16 a, w16 b) { return _mm512_or_si512(a, b); }
static inline w16 w16_xor(w16 a, w16 b) { return _mm512_xor_si512(a, b); }
static inline w16 w16_sub(w16 a, w16 b) { return _mm512_sub_epi32(a, b); }
/* Of each word; n may be known at run time only. */
static inline w16 w16_shr(w16 v, int n) { return (w16)((words16)v >> n); }
static inline w16 w16_shl(w16 v, int n) { return (w16)((words16)v << n); }
/* Byte i of each word with its sign. */
static inline w16 w16_signed_byte(w16 v, int i) { return _mm512_srai_epi32(w16_shl(v, 24 - 8 * i), 24); }
static inline w16 w16_u16(const void *p) { return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)); }
/* table[byte] + bias, for bytes below 16. */
static inline w16 w16_table(w16 v, const int8_t table[16], int bias)
{
    const __m128i t = _mm_add_epi8(_mm_loadu_si128((const __m128i *)table), _mm_set1_epi8((char)bias));
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(t), v);
}
/* Bits 4 i .. 4 i + 3 of a word, one in bit 4 of each byte: each byte is eight bits of its pair of words from there
 * on. */
static inline w16 w16_fifth(w16 bits, int i)
{
    const __m512i from = _mm512_add_epi8(_mm512_set1_epi64(0x1f1e1d1cfffefdfcll), _mm512_set1_epi8((char)(4 * i)));
    return _mm512_and_si512(_mm512_multishift_epi64_epi8(from, bits), _mm512_set1_epi8(0x10));
}
/* Words as signed integers, and 16 halves, to f32. */
static inline v16 v16_of_words(w16 v) { return _mm512_cvtepi32_ps(v); }
/* The low four bits of each word: a look-up takes them without a mask. */
static inline v16 v16_of_nibbles(w16 v)
{
    return _mm512_permutexvar_ps(v, _mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
static inline v16 v16_halves(const void *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }

/* Which of the n bytes at p have bit i; the first 64 of them are looked at. */
static inline uint64_t bytes_with(const uint8_t *p, int64_t n, int i)
{
    const __m512i v = _mm512_maskz_loadu_epi8(n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1, p);
    return _mm512_test_epi8_mask(v, _mm512_set1_epi8((char)(1 << i)));
}

/* A panel's 64 bytes of two k side by side: f32 of k and of k + 1. */
static inline void v16_pair_bf16(const uint8_t *p, v16 *k0, v16 *k1)
{
    const __m512i v = _mm512_loadu_si512(p);
    *k0 = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
    *k1 = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xffff0000u)));
}
static inline void v16_pair_f16(const uint8_t *p, v16 *k0, v16 *k1)
{
    const __m512i v = _mm512_loadu_si512(p);
    *k0 = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(v));
    *k1 = _mm512_cvtph_ps(_mm512_cvtepi32_epi16(_mm512_srli_epi32(v, 16)));
}

/* A panel's 64 bytes of four k side by side as e4m3 * 2^-120: sign, exponent and fraction moved into place. Exact, the
 * subnormal e4m3 values through f32 subnormals; the NaN code, refused at load, would read as 480. Two k at a time as
 * halves of words, which are bf16 already: five shifts in place of seven, and shifts share their ports with the
 * products. */
static inline void v16_quad_f8(const uint8_t *p, v16 out[4])
{
    const __m512i v = _mm512_loadu_si512(p), keep = _mm512_set1_epi16((short)0x87f0),
                  high = _mm512_set1_epi32((int)0xffff0000u);
    const __m512i even = _mm512_and_si512(_mm512_srai_epi16(_mm512_slli_epi16(v, 8), 4), keep);
    const __m512i odd = _mm512_and_si512(_mm512_srai_epi16(v, 4), keep);
    out[0] = _mm512_castsi512_ps(_mm512_slli_epi32(even, 16));
    out[1] = _mm512_castsi512_ps(_mm512_slli_epi32(odd, 16));
    out[2] = _mm512_castsi512_ps(_mm512_and_si512(even, high));
    out[3] = _mm512_castsi512_ps(_mm512_and_si512(odd, high));
}

/* r1i_expf, operation by operation, but for what it says of small, large and no numbers; n at once, step by step: with
 * one chain behind the other the processor sees too few of them (a Zen 5 takes 7.5 cycles for each so, 6.7 for each of
 * four). */
R1I_INLINE void exp_within(const int n, const v16 *x, v16 *y)
{
    static const float c[] = {R1I_EXP_C5, R1I_EXP_C4, R1I_EXP_C3, R1I_EXP_C2, 1.0f, 1.0f};
    v16 t[4], k[4], r[4];
    R1I_UNROLL for (int i = 0; i < n; i++)
        t[i] = _mm512_fmadd_ps(x[i], _mm512_set1_ps(R1I_EXP_LOG2E), _mm512_set1_ps(R1I_EXP_MAGIC));
    R1I_UNROLL for (int i = 0; i < n; i++) k[i] = _mm512_sub_ps(t[i], _mm512_set1_ps(R1I_EXP_MAGIC));
    R1I_UNROLL for (int i = 0; i < n; i++) r[i] = _mm512_fmadd_ps(k[i], _mm512_set1_ps(-R1I_EXP_LN2_HI), x[i]);
    R1I_UNROLL for (int i = 0; i < n; i++) r[i] = _mm512_fmadd_ps(k[i], _mm512_set1_ps(-R1I_EXP_LN2_LO), r[i]);
    R1I_UNROLL for (int i = 0; i < n; i++) y[i] = _mm512_set1_ps(R1I_EXP_C6);
    R1I_UNROLL for (int power = 0; power < 6; power++)
        R1I_UNROLL for (int i = 0; i < n; i++) y[i] = _mm512_fmadd_ps(y[i], r[i], _mm512_set1_ps(c[power]));
    R1I_UNROLL for (int i = 0; i < n; i++)
        y[i] = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(y[i]),
                                                    _mm512_slli_epi32(_mm512_castps_si512(t[i]), 23)));
}
static inline v16 v16_exp(v16 x)
{
    __m512 y;
    exp_within(1, &x, &y);
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_set1_ps(R1I_EXP_LOWEST), _CMP_LT_OQ), _mm512_setzero_ps());
    y = _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, _mm512_set1_ps(R1I_EXP_HIGHEST), _CMP_GT_OQ),
                           _mm512_set1_ps(INFINITY));
    return _mm512_mask_mov_ps(y, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), x);
}
/* Of x that are at most 0, or NaN: one comparison in place of three, which share their ports with the products. The
 * maximum's second operand wins where one is NaN. */
R1I_INLINE void exp_down(const int n, v16 *x)
{
    v16 y[4];
    exp_within(n, x, y);
    R1I_UNROLL for (int i = 0; i < n; i++)
        x[i] = _mm512_mask_max_ps(y[i], _mm512_cmp_ps_mask(x[i], _mm512_set1_ps(R1I_EXP_LOWEST), _CMP_NGE_UQ),
                                  _mm512_setzero_ps(), x[i]);
}
static inline v16 v16_exp_down(v16 x)
{
    exp_down(1, &x);
    return x;
}
static inline void v16_exp_down4(v16 x[4]) { exp_down(4, x); }

#include "backend/cpu/lanes/x86_eights.h"

/* Sixteen double lanes. */
typedef struct d16 {
    __m512d low, high;
} d16;

static inline d16 d16_zero(void) { return (d16){_mm512_setzero_pd(), _mm512_setzero_pd()}; }
static inline d16 d16_add(d16 sum, v16 v)
{
    sum.low = _mm512_add_pd(sum.low, _mm512_cvtps_pd(v16_lo(v)));
    sum.high = _mm512_add_pd(sum.high, _mm512_cvtps_pd(v16_hi(v)));
    return sum;
}
static inline void d16_store(double *p, d16 v)
{
    _mm512_storeu_pd(p, v.low);
    _mm512_storeu_pd(p + 8, v.high);
}

#endif
