/* What both x86 rows do with 256-bit registers. Included by avx2/v256.h and avx512/v512.h, whose v16 it takes apart by v16_lo and v16_hi. */
#ifndef R1I_X86_EIGHTS_H
#define R1I_X86_EIGHTS_H

/* dst[c * ds + r] = src[r * ss + c], 8 x 8. */
static inline void turn8(float *dst, int64_t ds, const float *src, int64_t ss)
{
    __m256 r[8], t[8];
    for (int i = 0; i < 8; i++) r[i] = _mm256_loadu_ps(src + i * ss);
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
        r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
        r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
        _mm256_storeu_ps(dst + i * ds, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
        _mm256_storeu_ps(dst + (i + 4) * ds, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
    }
}

/* max(m, all lanes); no lane is NaN. */
static inline float lane_max(v16 v, float m)
{
    __m128 t = _mm_max_ps(_mm256_castps256_ps128(_mm256_max_ps(v16_lo(v), v16_hi(v))), _mm256_extractf128_ps(_mm256_max_ps(v16_lo(v), v16_hi(v)), 1));
    t = _mm_max_ps(t, _mm_movehl_ps(t, t));
    t = _mm_max_ss(t, _mm_movehdup_ps(t));
    const float most = _mm_cvtss_f32(t);
    return most > m ? most : m;
}
/* r1i_fold16's tree. */
static inline float lane_sum(v16 v)
{
    const __m256 eight = _mm256_add_ps(v16_lo(v), v16_hi(v));
    __m128 t = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    t = _mm_add_ps(t, _mm_movehl_ps(t, t));
    return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}

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
