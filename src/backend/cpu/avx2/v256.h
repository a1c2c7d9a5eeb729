/* Sixteen f32 lanes as two 256-bit registers: the names of avx512/v512.h, so that the kernels of lanes/ are written
 * once. */
#ifndef R1I_V256_H
#define R1I_V256_H

#include <immintrin.h>

#include "backend/cpu/elementary.h"

typedef struct v16 {
    __m256 lo, hi;
} v16;

static inline v16 v16_of(__m256 lo, __m256 hi) { return (v16){lo, hi}; }
static inline v16 v16_eight(__m256 lo) { return v16_of(lo, _mm256_setzero_ps()); } /* zero behind */
static inline v16 v16_load(const float *p) { return v16_of(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)); }
static inline void v16_store(float *p, v16 v)
{
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}
/* All ones in the lanes i + base < n. */
static inline __m256i lanes_below(int64_t n, int base)
{
    const __m256i i = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    const int left = n > 64 ? 64 : (int)n;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(left - base), i);
}
/* The first n lanes, 0 <= n; the others are zero, their memory is not touched. */
static inline v16 v16_load_n(const float *p, int64_t n)
{
    return v16_of(_mm256_maskload_ps(p, lanes_below(n, 0)), _mm256_maskload_ps(p + 8, lanes_below(n, 8)));
}
static inline void v16_store_n(float *p, v16 v, int64_t n)
{
    _mm256_maskstore_ps(p, lanes_below(n, 0), v.lo);
    _mm256_maskstore_ps(p + 8, lanes_below(n, 8), v.hi);
}
/* v in the first n lanes, other behind. */
static inline v16 v16_first(v16 v, int64_t n, v16 other)
{
    return v16_of(_mm256_blendv_ps(other.lo, v.lo, _mm256_castsi256_ps(lanes_below(n, 0))),
                  _mm256_blendv_ps(other.hi, v.hi, _mm256_castsi256_ps(lanes_below(n, 8))));
}
static inline v16 v16_set1(float f) { return v16_of(_mm256_set1_ps(f), _mm256_set1_ps(f)); }
static inline v16 v16_zero(void) { return v16_of(_mm256_setzero_ps(), _mm256_setzero_ps()); }
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    return v16_of(_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi));
}
static inline v16 v16_add(v16 a, v16 b) { return v16_of(_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)); }
static inline v16 v16_sub(v16 a, v16 b) { return v16_of(_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)); }
static inline v16 v16_mul(v16 a, v16 b) { return v16_of(_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)); }
static inline v16 v16_div(v16 a, v16 b) { return v16_of(_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)); }
/* a > b ? a : b, so b where either is NaN */
static inline v16 v16_max(v16 a, v16 b) { return v16_of(_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)); }
static inline v16 v16_neg(v16 a)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return v16_of(_mm256_xor_ps(a.lo, sign), _mm256_xor_ps(a.hi, sign));
}

/* Lower and upper eight lanes. */
static inline __m256 v16_lo(v16 v) { return v.lo; }
static inline __m256 v16_hi(v16 v) { return v.hi; }

static inline __m256 eight_bf16(const uint16_t *p)
{
    const __m128i half = _mm_loadu_si128((const __m128i *)(const void *)p);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16));
}
/* 16 bf16 values. */
static inline v16 v16_bf16(const uint16_t *p) { return v16_of(eight_bf16(p), eight_bf16(p + 8)); }

static inline __m256 eight_i8(const int8_t *p)
{
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p)));
}
/* 16 signed bytes. */
static inline v16 v16_i8(const int8_t *p) { return v16_of(eight_i8(p), eight_i8(p + 8)); }

static inline __m256i load_bytes(const uint8_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }

/* Sixteen words of four bytes: a vector of a block type's panel. */
typedef struct w16 {
    __m256i lo, hi;
} w16;
typedef uint32_t words8 __attribute__((vector_size(32)));

static inline w16 w16_of(__m256i lo, __m256i hi) { return (w16){lo, hi}; }
static inline w16 w16_load(const void *p) { return w16_of(load_bytes(p), load_bytes((const uint8_t *)p + 32)); }
static inline void w16_store(void *p, w16 v)
{
    _mm256_storeu_si256((__m256i *)p, v.lo);
    _mm256_storeu_si256((__m256i *)p + 1, v.hi);
}
static inline w16 w16_set1(uint32_t v) { return w16_of(_mm256_set1_epi32((int)v), _mm256_set1_epi32((int)v)); }
static inline w16 w16_and(w16 a, w16 b) { return w16_of(_mm256_and_si256(a.lo, b.lo), _mm256_and_si256(a.hi, b.hi)); }
static inline w16 w16_or(w16 a, w16 b) { return w16_of(_mm256_or_si256(a.lo, b.lo), _mm256_or_si256(a.hi, b.hi)); }
static inline w16 w16_xor(w16 a, w16 b) { return w16_of(_mm256_xor_si256(a.lo, b.lo), _mm256_xor_si256(a.hi, b.hi)); }
static inline w16 w16_sub(w16 a, w16 b) { return w16_of(_mm256_sub_epi32(a.lo, b.lo), _mm256_sub_epi32(a.hi, b.hi)); }
/* Of each word; n may be known at run time only. */
static inline w16 w16_shr(w16 v, int n) { return w16_of((__m256i)((words8)v.lo >> n), (__m256i)((words8)v.hi >> n)); }
static inline w16 w16_shl(w16 v, int n) { return w16_of((__m256i)((words8)v.lo << n), (__m256i)((words8)v.hi << n)); }
/* Byte i of each word with its sign. */
static inline w16 w16_signed_byte(w16 v, int i)
{
    const w16 top = w16_shl(v, 24 - 8 * i);
    return w16_of(_mm256_srai_epi32(top.lo, 24), _mm256_srai_epi32(top.hi, 24));
}
static inline w16 w16_u16(const void *p)
{
    const __m128i *const h = p;
    return w16_of(_mm256_cvtepu16_epi32(_mm_loadu_si128(h)), _mm256_cvtepu16_epi32(_mm_loadu_si128(h + 1)));
}
/* table[byte] + bias, for bytes below 16. */
static inline w16 w16_table(w16 v, const int8_t table[16], int bias)
{
    const __m128i t = _mm_add_epi8(_mm_loadu_si128((const __m128i *)table), _mm_set1_epi8((char)bias));
    const __m256i wide = _mm256_broadcastsi128_si256(t);
    return w16_of(_mm256_shuffle_epi8(wide, v.lo), _mm256_shuffle_epi8(wide, v.hi));
}
static inline __m256i eight_fifths(__m256i bits)
{
    const __m256i four = _mm256_and_si256(bits, _mm256_set1_epi32(15));
    return _mm256_and_si256(_mm256_mullo_epi32(four, _mm256_set1_epi32(0x00204081 << 4)), _mm256_set1_epi8(0x10));
}
/* Bits 4 i .. 4 i + 3 of a word, one in bit 4 of each byte: one product spreads four bits over four bytes. */
static inline w16 w16_fifth(w16 bits, int i)
{
    const w16 v = w16_shr(bits, 4 * i);
    return w16_of(eight_fifths(v.lo), eight_fifths(v.hi));
}
/* Words as signed integers, and 16 halves, to f32. */
static inline v16 v16_of_words(w16 v) { return v16_of(_mm256_cvtepi32_ps(v.lo), _mm256_cvtepi32_ps(v.hi)); }
/* The low four bits of each word. */
static inline v16 v16_of_nibbles(w16 v) { return v16_of_words(w16_and(v, w16_set1(15))); }
static inline v16 v16_halves(const void *p)
{
    const __m128i *const h = p;
    return v16_of(_mm256_cvtph_ps(_mm_loadu_si128(h)), _mm256_cvtph_ps(_mm_loadu_si128(h + 1)));
}

/* Which of the n bytes at p have bit i; the first 64 of them are looked at. */
static inline uint64_t bytes_with(const uint8_t *p, int64_t n, int i)
{
    const int64_t end = n < 64 ? n : 64;
    uint64_t mask = 0;
    int64_t k = 0;
    for (; k + 32 <= end; k += 32) /* the bit becomes the top one of its byte; what crosses from the byte below is not
                                    * looked at */
        mask |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_slli_epi16(load_bytes(p + k), 7 - i)) << k;
    for (; k < end; k++) mask |= (uint64_t)(p[k] >> i & 1) << k;
    return mask;
}

/* A panel's 64 bytes of two k side by side: f32 of k and of k + 1. */
static inline void v16_pair_bf16(const uint8_t *p, v16 *k0, v16 *k1)
{
    const __m256i a = load_bytes(p), b = load_bytes(p + 32), upper = _mm256_set1_epi32((int)0xffff0000u);
    *k0 = v16_of(_mm256_castsi256_ps(_mm256_slli_epi32(a, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(b, 16)));
    *k1 = v16_of(_mm256_castsi256_ps(_mm256_and_si256(a, upper)), _mm256_castsi256_ps(_mm256_and_si256(b, upper)));
}
/* Eight f16 pairs: the even ones gathered into the lower 128 bits, the odd ones into the upper. */
static inline void eight_pairs_f16(const uint8_t *p, __m256 *even, __m256 *odd)
{
    const __m256i order =
        _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10,
                         11, 14, 15);
    const __m256i v = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(load_bytes(p), order), 0xd8);
    *even = _mm256_cvtph_ps(_mm256_castsi256_si128(v));
    *odd = _mm256_cvtph_ps(_mm256_extracti128_si256(v, 1));
}
static inline void v16_pair_f16(const uint8_t *p, v16 *k0, v16 *k1)
{
    eight_pairs_f16(p, &k0->lo, &k1->lo);
    eight_pairs_f16(p + 32, &k0->hi, &k1->hi);
}

static inline void eight_quads_f8(const uint8_t *p, __m256 out[4])
{
    const __m256i v = load_bytes(p), keep = _mm256_set1_epi32((int)0x87f00000u);
    out[0] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_srai_epi32(_mm256_slli_epi32(v, 24), 4), keep));
    out[1] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_srai_epi32(_mm256_slli_epi32(v, 16), 4), keep));
    out[2] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_srai_epi32(_mm256_slli_epi32(v, 8), 4), keep));
    out[3] = _mm256_castsi256_ps(_mm256_and_si256(_mm256_srai_epi32(v, 4), keep));
}
/* A panel's 64 bytes of four k side by side as e4m3 * 2^-120: see avx512/v512.h. */
static inline void v16_quad_f8(const uint8_t *p, v16 out[4])
{
    __m256 lo[4], hi[4];
    eight_quads_f8(p, lo);
    eight_quads_f8(p + 32, hi);
    for (int i = 0; i < 4; i++) out[i] = v16_of(lo[i], hi[i]);
}

/* r1i_expf, operation by operation. */
static inline __m256 eight_exp(__m256 x)
{
    const __m256 t = _mm256_fmadd_ps(x, _mm256_set1_ps(R1I_EXP_LOG2E), _mm256_set1_ps(R1I_EXP_MAGIC));
    const __m256 n = _mm256_sub_ps(t, _mm256_set1_ps(R1I_EXP_MAGIC));
    __m256 r = _mm256_fmadd_ps(n, _mm256_set1_ps(-R1I_EXP_LN2_HI), x);
    r = _mm256_fmadd_ps(n, _mm256_set1_ps(-R1I_EXP_LN2_LO), r);
    __m256 p = _mm256_set1_ps(R1I_EXP_C6);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(R1I_EXP_C5));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(R1I_EXP_C4));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(R1I_EXP_C3));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(R1I_EXP_C2));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    const __m256i bits = _mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(_mm256_castps_si256(t), 23));
    __m256 y = _mm256_castsi256_ps(bits);
    y = _mm256_blendv_ps(y, _mm256_setzero_ps(), _mm256_cmp_ps(x, _mm256_set1_ps(R1I_EXP_LOWEST), _CMP_LT_OQ));
    y = _mm256_blendv_ps(y, _mm256_set1_ps(INFINITY), _mm256_cmp_ps(x, _mm256_set1_ps(R1I_EXP_HIGHEST), _CMP_GT_OQ));
    return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
static inline v16 v16_exp(v16 x) { return v16_of(eight_exp(x.lo), eight_exp(x.hi)); }
/* Of x that are at most 0, or NaN. */
static inline v16 v16_exp_down(v16 x) { return v16_exp(x); }
static inline void v16_exp_down4(v16 x[4])
{
    for (int i = 0; i < 4; i++) x[i] = v16_exp_down(x[i]);
}

#include "backend/cpu/lanes/x86_eights.h"

/* Sixteen double lanes. */
typedef struct d16 {
    __m256d a, b, c, d;
} d16;

static inline d16 d16_zero(void)
{
    const __m256d z = _mm256_setzero_pd();
    return (d16){z, z, z, z};
}
static inline d16 d16_add(d16 sum, v16 v)
{
    const __m256 lo = v16_lo(v), hi = v16_hi(v);
    sum.a = _mm256_add_pd(sum.a, _mm256_cvtps_pd(_mm256_castps256_ps128(lo)));
    sum.b = _mm256_add_pd(sum.b, _mm256_cvtps_pd(_mm256_extractf128_ps(lo, 1)));
    sum.c = _mm256_add_pd(sum.c, _mm256_cvtps_pd(_mm256_castps256_ps128(hi)));
    sum.d = _mm256_add_pd(sum.d, _mm256_cvtps_pd(_mm256_extractf128_ps(hi, 1)));
    return sum;
}
static inline void d16_store(double *p, d16 v)
{
    _mm256_storeu_pd(p, v.a);
    _mm256_storeu_pd(p + 4, v.b);
    _mm256_storeu_pd(p + 8, v.c);
    _mm256_storeu_pd(p + 12, v.d);
}

#endif
