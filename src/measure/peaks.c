/* The plain rows: what the baseline instructions of every processor do, as vectors of 16 bytes. Wider loads stream no
 * faster from memory (measured: 33.9 GB/s with 16 bytes, 33.8 with 64, two cores of a Zen 4), so reading needs no other
 * row; asking for lines ahead does on some (two cores of a Zen 5: 62 to 71 GB/s without, 76 to 78 with). */
#include "measure/peaks.h"

#include <string.h>

#include "backend/cpu/kernels.h"

typedef float f4 __attribute__((vector_size(16)));
typedef unsigned short s8 __attribute__((vector_size(16)));
typedef uint64_t u2 __attribute__((vector_size(16)));

/* Twelve chains hide the latency of a multiply and an add; the empty asm makes each round depend on the last one. */
#define EACH12(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
#if defined(__x86_64__)
#define KEEP(v) __asm__ volatile("" : "+x"(v));
#elif defined(__aarch64__)
#define KEEP(v) __asm__ volatile("" : "+w"(v));
#else
#define KEEP(v) __asm__ volatile("" : "+m"(v));
#endif

static double f32_c(int64_t rounds, float *sink)
{
    const f4 a = {0.999f, 0.999f, 0.999f, 0.999f}, b = {0.001f, 0.001f, 0.001f, 0.001f};
#define DECLARE(i) f4 v##i = {(float)i, 1.0f, 2.0f, 3.0f};
#define STEP(i) v##i = v##i * a + b; KEEP(v##i)
#define SUM(i) + v##i
    EACH12(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH12(STEP) }
    const f4 all = b EACH12(SUM);
    *sink = all[0] + all[3];
    return (double)rounds * 12 * 4 * 2;
#undef DECLARE
#undef STEP
}

/* The narrowest multiplication of the baseline that vectors of 16 bytes have: 16-bit lanes. */
static double int8_c(int64_t rounds, float *sink)
{
    const s8 a = {3, 5, 7, 9, 11, 13, 15, 17};
#define DECLARE(i) s8 v##i = {(unsigned short)i, 1, 2, 3, 4, 5, 6, 7};
#define STEP(i) v##i = v##i * a + a; KEEP(v##i)
    EACH12(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH12(STEP) }
    const s8 all = a EACH12(SUM);
    *sink = (float)all[0] + (float)all[7];
    return (double)rounds * 12 * 8 * 2;
#undef DECLARE
#undef STEP
#undef SUM
}

r1i_peak_fn r1i_peak_c(r1_peak peak) { return peak == R1_PEAK_INT8 ? int8_c : f32_c; }

#if defined(__aarch64__)
static double f32_neon(int64_t rounds, float *sink)
{
    const f4 a = {0.999f, 0.999f, 0.999f, 0.999f};
#define DECLARE(i) f4 v##i = {(float)i, 1.0f, 2.0f, 3.0f};
#define STEP(i) __asm__ volatile("fmla %0.4s, %1.4s, %1.4s" : "+w"(v##i) : "w"(a));
#define SUM(i) + v##i
    EACH12(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH12(STEP) }
    const f4 all = a EACH12(SUM);
    *sink = all[0] + all[3];
    return (double)rounds * 12 * 4 * 2;
#undef DECLARE
#undef STEP
}

/* Without the dot product of later processors: eight products widened to 16 bits, added in pairs to 32. */
static double int8_neon(int64_t rounds, float *sink)
{
    const s8 a = {0x0302, 0x0504, 0x0706, 0x0908, 0x0302, 0x0504, 0x0706, 0x0908};
#define DECLARE(i) f4 v##i = {(float)i, 1.0f, 2.0f, 3.0f}; s8 t##i = a;
#define STEP(i) __asm__ volatile("smull %1.8h, %2.8b, %2.8b\n\tsadalp %0.4s, %1.8h" : "+w"(v##i), "+w"(t##i) : "w"(a));
    EACH12(DECLARE)
    for (int64_t r = 0; r < rounds; r++) { EACH12(STEP) }
    const f4 all = v0 EACH12(SUM);
    *sink = all[0] + all[3];
    return (double)rounds * 12 * 8 * 2;
#undef DECLARE
#undef STEP
#undef SUM
}
r1i_peak_fn r1i_peak_neon(r1_peak peak) { return peak == R1_PEAK_INT8 ? int8_neon : f32_neon; }
#else
r1i_peak_fn r1i_peak_neon(r1_peak peak)
{
    (void)peak;
    return NULL;
}
#endif

r1i_peak_fn r1i_peak_loop(const char *isa, r1_peak peak)
{
    if (!isa || strcmp(isa, "auto") == 0) {
        static const char *const best[] = {"avx512", "avx2", "neon"};
        for (size_t i = 0; i < sizeof best / sizeof *best; i++) {
            const r1i_peak_fn f = r1i_peak_loop(best[i], peak);
            if (f) return f;
        }
        return r1i_peak_c(peak);
    }
    if (strcmp(isa, "avx512") == 0) return r1i_cpu_features() & R1I_CPU_AVX512 ? r1i_peak_avx512(peak) : NULL;
    if (strcmp(isa, "avx2") == 0) return r1i_cpu_features() & R1I_CPU_AVX2 ? r1i_peak_avx2(peak) : NULL;
    if (strcmp(isa, "neon") == 0) return r1i_peak_neon(peak);
    return strcmp(isa, "c") == 0 ? r1i_peak_c(peak) : NULL;
}

/* Four chains of ORs: one would wait for itself where loads come from a near cache. */
uint64_t r1i_stream(const void *p, size_t bytes, bool asking)
{
    const u2 *const v = p;
    u2 a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i < bytes / 64; i++) {
        if (asking) __builtin_prefetch((const char *)p + 64 * i + R1I_STREAM_AHEAD, 0, 3);
        a |= v[4 * i];
        b |= v[4 * i + 1];
        c |= v[4 * i + 2];
        d |= v[4 * i + 3];
    }
    a |= b | c | d;
    return a[0] | a[1];
}
