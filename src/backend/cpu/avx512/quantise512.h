/* Activations to 8 bits, and their fine terms, sixteen groups of 32 columns together: their magnitudes are folded by
 * one tree and divided by one division. A row is prepared by one thread while the others wait, so a microsecond here
 * counts on every core. Included by avx512_linear_quant.c; static functions only. */
#ifndef R1I_QUANTISE512_H
#define R1I_QUANTISE512_H

#include "backend/cpu/claim.h"

/* One group; whatever it holds. */
static void quantise_group(const float *x, int8_t *q, float *d, int32_t *sum16)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    const __m512 a = _mm512_loadu_ps(x), b = _mm512_loadu_ps(x + 16);
    /* Magnitudes as integers: NaN counts above infinity. */
    const __m512i m = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a), magnitude),
                                       _mm512_and_si512(_mm512_castps_si512(b), magnitude));
    const uint32_t bits = _mm512_reduce_max_epu32(m);
    const float amax = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)bits)));
    if (bits >= 0x7f800000u || amax < R1I_Q8_AMAX_MIN) {
        *d = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
        memset(q, 0, 32);
        sum16[0] = sum16[1] = 0;
        return;
    }
    *d = amax / 127.0f;
    const __m512 id = _mm512_set1_ps(127.0f / amax);
    const __m512i qa = _mm512_cvtps_epi32(_mm512_mul_ps(a, id)), qb = _mm512_cvtps_epi32(_mm512_mul_ps(b, id));
    _mm_storeu_si128((__m128i *)q, _mm512_cvtepi32_epi8(qa));
    _mm_storeu_si128((__m128i *)(q + 16), _mm512_cvtepi32_epi8(qb));
    sum16[0] = _mm512_reduce_add_epi32(qa);
    sum16[1] = _mm512_reduce_add_epi32(qb);
}

/* The largest lane of each of sixteen vectors, in their order. */
R1I_INLINE __m512i fold16_max(const __m512i m[16])
{
    __m512i t[8], u[4];
    R1I_UNROLL for (int i = 0; i < 8; i++)
        t[i] = _mm512_max_epu32(_mm512_unpacklo_epi32(m[2 * i], m[2 * i + 1]),
                                _mm512_unpackhi_epi32(m[2 * i], m[2 * i + 1]));
    R1I_UNROLL for (int i = 0; i < 4; i++)
        u[i] = _mm512_max_epu32(_mm512_unpacklo_epi64(t[2 * i], t[2 * i + 1]),
                                _mm512_unpackhi_epi64(t[2 * i], t[2 * i + 1]));
    R1I_UNROLL for (int i = 0; i < 2; i++)
        t[i] = _mm512_max_epu32(_mm512_shuffle_i32x4(u[2 * i], u[2 * i + 1], 0x88),
                                _mm512_shuffle_i32x4(u[2 * i], u[2 * i + 1], 0xdd));
    return _mm512_max_epu32(_mm512_shuffle_i32x4(t[0], t[1], 0x88), _mm512_shuffle_i32x4(t[0], t[1], 0xdd));
}

/* The sums of the sixteen bytes in each quarter of four vectors, in their order. */
R1I_INLINE __m512i sums_of_16(const __m512i v[4])
{
    const __m512i ones = _mm512_set1_epi8(1),
                  order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512i s[4], t[2];
    R1I_UNROLL for (int i = 0; i < 4; i++) s[i] = _mm512_dpbusd_epi32(_mm512_setzero_si512(), ones, v[i]);
    R1I_UNROLL for (int i = 0; i < 2; i++)
        t[i] = _mm512_add_epi32(_mm512_unpacklo_epi32(s[2 * i], s[2 * i + 1]),
                                _mm512_unpackhi_epi32(s[2 * i], s[2 * i + 1]));
    return _mm512_permutexvar_epi32(order,
                                    _mm512_add_epi32(_mm512_unpacklo_epi64(t[0], t[1]),
                                                     _mm512_unpackhi_epi64(t[0], t[1])));
}

/* `count` groups, 8 or 16; false: one of them holds no number, or next to nothing, and nothing is written. */
R1I_INLINE bool quantise_groups(const int count, const float *x, int8_t *q, float *d, int32_t *sum16)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff),
                  order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __mmask16 all = (__mmask16)((1u << count) - 1u);
    _Alignas(64) float id[16];
    __m512i m[16];
    R1I_UNROLL for (int g = 0; g < 16; g++)
        m[g] = g < count ? _mm512_max_epu32(_mm512_and_si512(_mm512_loadu_si512(x + 32 * g), magnitude),
                                            _mm512_and_si512(_mm512_loadu_si512(x + 32 * g + 16), magnitude))
                         : _mm512_setzero_si512();
    const __m512i bits = fold16_max(m);
    const __m512 amax = _mm512_castsi512_ps(bits);
    const __mmask16 odd = _mm512_cmpge_epu32_mask(bits, _mm512_set1_epi32(0x7f800000)) |
        _mm512_cmp_ps_mask(amax, _mm512_set1_ps(R1I_Q8_AMAX_MIN), _CMP_LT_OQ);
    if (odd & all) return false;
    _mm512_mask_storeu_ps(d, all, _mm512_div_ps(amax, _mm512_set1_ps(127.0f)));
    _mm512_store_ps(id, _mm512_maskz_div_ps(all, _mm512_set1_ps(127.0f), amax));
    R1I_UNROLL for (int g = 0; g < count; g += 8) {
        __m512i bytes[4];
        R1I_UNROLL for (int i = 0; i < 4; i++) {
            __m512i n[4];
            R1I_UNROLL for (int k = 0; k < 4; k++)
                n[k] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_loadu_ps(x + 32 * g + 64 * i + 16 * k),
                                                        _mm512_set1_ps(id[g + 2 * i + k / 2])));
            bytes[i] = _mm512_permutexvar_epi32(order,
                                                _mm512_packs_epi16(_mm512_packs_epi32(n[0], n[1]),
                                                                   _mm512_packs_epi32(n[2], n[3])));
            _mm512_storeu_si512(q + 32 * g + 64 * i, bytes[i]);
        }
        _mm512_storeu_si512(sum16 + 2 * g, sums_of_16(bytes));
    }
    return true;
}

static void quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16)
{
    const int64_t groups = n / 32;
    r1i_claim(q, (size_t)n);
    r1i_claim(d, (size_t)groups * sizeof *d);
    r1i_claim(sum16, (size_t)groups * 2 * sizeof *sum16);
    for (int64_t g = 0; g < groups;) {
        if (groups - g >= 16 && quantise_groups(16, x + 32 * g, q + 32 * g, d + g, sum16 + 2 * g)) {
            g += 16;
        } else if (groups - g >= 8 && quantise_groups(8, x + 32 * g, q + 32 * g, d + g, sum16 + 2 * g)) {
            g += 8;
        } else {
            const int64_t end = g + 8 < groups ? g + 8 : groups;
            for (; g < end; g++) quantise_group(x + 32 * g, q + 32 * g, d + g, sum16 + 2 * g);
        }
    }
}

/* ---- fine terms ---- */

static void fine_half(const float *x, const int8_t *q, __m512 d, __m512 id, int8_t *fine_q, int32_t *sum)
{
    const __m512 left = _mm512_sub_ps(_mm512_loadu_ps(x), _mm512_mul_ps(d, v16_i8(q)));
    const __m512i v = _mm512_cvtps_epi32(_mm512_mul_ps(left, id));
    _mm_storeu_si128((__m128i *)fine_q, _mm512_cvtepi32_epi8(v));
    *sum = _mm512_reduce_add_epi32(v);
}

/* Which of the eight groups of a span have one; d: from the span's first on, n of them. */
static unsigned fine_groups(const float *d, int64_t n, double groups, double limit)
{
    const __mmask8 some = (__mmask8)(n >= 8 ? 0xffu : (1u << n) - 1u);
    const __m256 v = _mm256_maskz_loadu_ps(some, d);
    const __m512d wide = _mm512_cvtps_pd(v);
    const __mmask8 above =
        _mm512_cmp_pd_mask(_mm512_mul_pd(_mm512_mul_pd(wide, wide), _mm512_set1_pd(groups)), _mm512_set1_pd(limit),
                           _CMP_GT_OQ);
    return some & above & _mm256_cmp_ps_mask(v, _mm256_set1_ps(R1I_FINE_D_MIN), _CMP_GE_OQ);
}

/* r1i_cpu_fine_row, operation by operation. */
static void fine_row(const r1i_act *act, int64_t r)
{
    const int64_t cols = act->x.cols, groups = cols / 32, at = r * groups, spans = r1i_act_spans(cols);
    const float *const d = act->d + at, *const x = act->x.p + r * act->x.stride;
    double energy = 0;
    for (int64_t g = 0; g < groups; g++) energy += (double)d[g] * (double)d[g];
    for (int64_t s = 0; s < spans; s++) {
        unsigned set = fine_groups(d + 8 * s, groups - 8 * s, (double)groups, 2.0 * energy);
        act->fine[s * act->fine_stride + r] = (uint8_t)set;
        for (; set; set &= set - 1) {
            const int64_t to = (8 * s + __builtin_ctz(set)) * act->fine_stride + r;
            r1i_claim_line(act->fine_q + 32 * to);
            r1i_claim_line(act->fine_d + to);
            r1i_claim_line(act->fine_sum16 + 2 * to);
        }
    }
    for (int64_t s = 0; s < spans; s++)
        for (unsigned set = act->fine[s * act->fine_stride + r]; set; set &= set - 1) {
            const int64_t g = 8 * s + __builtin_ctz(set), to = g * act->fine_stride + r;
            const __m512 step = _mm512_set1_ps(d[g]), id = _mm512_set1_ps(254.0f / d[g]);
            act->fine_d[to] = d[g] / 254.0f;
            for (int half = 0; half < 2; half++)
                fine_half(x + 32 * g + 16 * half, act->q + 32 * (at + g) + 16 * half, step, id,
                          act->fine_q + 32 * to + 16 * half, act->fine_sum16 + 2 * to + half);
        }
}

#endif
