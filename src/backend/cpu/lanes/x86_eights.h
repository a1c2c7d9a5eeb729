/* What both x86 rows do with 256-bit registers. Included by avx2/v256.h and avx512/v512.h, whose v16 it takes apart by
 * v16_lo and v16_hi. */
#ifndef R1I_X86_EIGHTS_H
#define R1I_X86_EIGHTS_H

#include "backend/cpu/lanes/unroll.h"

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

/* out[8 r + q] = the chain over k of x[r * xs + k] * w[8 k + q], r < rows, at most 8: a tile for eight columns, which
 * half a 512-bit register holds. Each step asks for `ahead` bytes from `next` on. */
#define R1I_HAS_EIGHTS 1
R1I_INLINE void eights_tile(const int rows, const float *x, int64_t xs, const float *w, int64_t n, float *out,
                            const char *next, int64_t ahead)
{
    __m256 c[8];
    R1I_UNROLL for (int r = 0; r < rows; r++) c[r] = _mm256_setzero_ps();
    for (int64_t k = 0; k < n; k++, next += ahead) {
        const __m256 b = _mm256_loadu_ps(w + 8 * k);
        if (ahead > 0) __builtin_prefetch(next, 0, 3);
        R1I_UNROLL for (int r = 0; r < rows; r++) c[r] = _mm256_fmadd_ps(_mm256_broadcast_ss(x + r * xs + k), b, c[r]);
    }
    R1I_UNROLL for (int r = 0; r < rows; r++) _mm256_storeu_ps(out + 8 * r, c[r]);
}
/* ask: for the rows that follow, which lie one after the other. */
static inline void eights(const float *x, int64_t xs, int64_t rows, const float *w, int64_t n, float *out, bool ask)
{
    int64_t r = 0;
    for (; r + 8 <= rows; r += 8)
        eights_tile(8, x + r * xs, xs, w, n, out + 8 * r, (const char *)(x + (r + 8) * xs),
                    ask && r + 8 < rows ? 8 * (int64_t)sizeof *x : 0);
    if (r + 4 <= rows) {
        eights_tile(4, x + r * xs, xs, w, n, out + 8 * r, (const char *)x, 0);
        r += 4;
    }
    for (; r < rows; r++) eights_tile(1, x + r * xs, xs, w, n, out + 8 * r, (const char *)x, 0);
}

/* max(m, all lanes); no lane is NaN. */
static inline float lane_max(v16 v, float m)
{
    __m128 t = _mm_max_ps(_mm256_castps256_ps128(_mm256_max_ps(v16_lo(v), v16_hi(v))),
                          _mm256_extractf128_ps(_mm256_max_ps(v16_lo(v), v16_hi(v)), 1));
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

/* Lane i: the lanes of v[i] folded by the tree of lane_max and lane_sum: eight trees side by side, a quarter of the
 * shuffles and one chain. Halves meet in an order of their own (0 4 1 5 2 6 3 7), so that the results come out in
 * place. */
#define R1I_FOLD8(name, op)                                                                             \
    static inline v16 name(const v16 v[8])                                                              \
    {                                                                                                   \
        static const int pair[4][2] = {{0, 4}, {1, 5}, {2, 6}, {3, 7}};                                 \
        __m256 t[4], u[2];                                                                              \
        for (int i = 0; i < 4; i++) {                                                                   \
            const __m256 a = op(v16_lo(v[pair[i][0]]), v16_hi(v[pair[i][0]]));                          \
            const __m256 b = op(v16_lo(v[pair[i][1]]), v16_hi(v[pair[i][1]]));                          \
            t[i] = op(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));          \
        }                                                                                               \
        for (int i = 0; i < 2; i++)                                                                     \
            u[i] = op(_mm256_shuffle_ps(t[2 * i], t[2 * i + 1], 0x44),                                  \
                      _mm256_shuffle_ps(t[2 * i], t[2 * i + 1], 0xee));                                 \
        return v16_eight(op(_mm256_shuffle_ps(u[0], u[1], 0x88), _mm256_shuffle_ps(u[0], u[1], 0xdd))); \
    }
R1I_FOLD8(fold8_max, _mm256_max_ps)
R1I_FOLD8(fold8_sum, _mm256_add_ps)
#undef R1I_FOLD8

#endif
