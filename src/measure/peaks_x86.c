/* The vector rows of x86. Functions are compiled for their instruction set one by one (target attribute) and called
 * only after the processor was asked; nothing else of this file needs more than the baseline. */
#include "measure/peaks.h"

#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define EACH4(X) X(0) X(1) X(2) X(3)
#define EACH12(X) EACH4(X) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#define EACH16(X) EACH12(X) X(12) X(13) X(14) X(15)
/* The empty asm makes each round depend on the last one and keeps equal chains from being merged. */
#define KEEP(v) __asm__ volatile("" : "+v"(v));
#define AVX2 __attribute__((target("avx2,fma")))
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))

AVX2 static double f32_avx2(int64_t rounds, float *sink)
{
    const __m256 a = _mm256_set1_ps(0.999f), b = _mm256_set1_ps(0.001f);
#define DECLARE(i) __m256 v##i = _mm256_set1_ps((float)i);
#define STEP(i) v##i = _mm256_fmadd_ps(v##i, a, b); KEEP(v##i)
#define SUM(i) all = _mm256_add_ps(all, v##i);
    EACH12(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH12(STEP) }
    __m256 all = b;
    EACH12(SUM)
    *sink = _mm256_cvtss_f32(all);
    return (double)rounds * 12 * 8 * 2;
#undef DECLARE
#undef STEP
#undef SUM
}

/* Without VNNI: byte products summed in pairs to 16 bits, those in pairs to 32, and added: three instructions for 32
 * products. */
AVX2 static double int8_avx2(int64_t rounds, float *sink)
{
    const __m256i x = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
#define DECLARE(i) __m256i v##i = _mm256_set1_epi32(i), w##i = _mm256_set1_epi8(i + 1);
#define STEP(i) \
    KEEP(w##i) v##i = _mm256_add_epi32(v##i, _mm256_madd_epi16(_mm256_maddubs_epi16(w##i, x), ones)); KEEP(v##i)
#define SUM(i) all = _mm256_add_epi32(all, v##i);
    EACH4(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH4(STEP) }
    __m256i all = ones;
    EACH4(SUM)
    *sink = (float)_mm256_extract_epi32(all, 0);
    return (double)rounds * 4 * 32 * 2;
#undef DECLARE
#undef STEP
#undef SUM
}

AVX512 static double f32_avx512(int64_t rounds, float *sink)
{
    const __m512 a = _mm512_set1_ps(0.999f), b = _mm512_set1_ps(0.001f);
#define DECLARE(i) __m512 v##i = _mm512_set1_ps((float)i);
#define STEP(i) v##i = _mm512_fmadd_ps(v##i, a, b); KEEP(v##i)
#define SUM(i) all = _mm512_add_ps(all, v##i);
    EACH16(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH16(STEP) }
    __m512 all = b;
    EACH16(SUM)
    *sink = _mm512_cvtss_f32(all);
    return (double)rounds * 16 * 16 * 2;
#undef DECLARE
#undef STEP
}

AVX512 static double int8_avx512(int64_t rounds, float *sink)
{
    const __m512i w = _mm512_set1_epi8(5), x = _mm512_set1_epi8(3);
#define DECLARE(i) __m512i v##i = _mm512_set1_epi32(i);
#define STEP(i) v##i = _mm512_dpbusd_epi32(v##i, w, x); KEEP(v##i)
#define SUM_INT(i) all = _mm512_add_epi32(all, v##i);
    EACH16(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH16(STEP) }
    __m512i all = w;
    EACH16(SUM_INT)
    *sink = (float)_mm512_cvtsi512_si32(all);
    return (double)rounds * 16 * 64 * 2;
#undef DECLARE
#undef STEP
}

AVX512_BF16 static double bf16_avx512(int64_t rounds, float *sink)
{
    const __m512bh a = _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5f), _mm512_set1_ps(0.25f));
#define DECLARE(i) __m512 v##i = _mm512_set1_ps((float)i);
#define STEP(i) v##i = _mm512_dpbf16_ps(v##i, a, a); KEEP(v##i)
    EACH16(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH16(STEP) }
    __m512 all = v0;
    EACH16(SUM)
    *sink = _mm512_cvtss_f32(all);
    return (double)rounds * 16 * 32 * 2;
}

r1i_peak_fn r1i_peak_avx2(r1_peak peak) { return peak == R1_PEAK_INT8 ? int8_avx2 : f32_avx2; }
r1i_peak_fn r1i_peak_avx512(r1_peak peak)
{
    if (peak == R1_PEAK_INT8) return int8_avx512;
    return peak == R1_PEAK_BF16 && (r1i_cpu_features() & R1I_CPU_AVX512_BF16) ? bf16_avx512 : f32_avx512;
}
#else
r1i_peak_fn r1i_peak_avx2(r1_peak peak)
{
    (void)peak;
    return NULL;
}
r1i_peak_fn r1i_peak_avx512(r1_peak peak)
{
    (void)peak;
    return NULL;
}
#endif
