/* Which vector instructions this processor has and the operating system saves: asked from the processor itself, as the
 * compiler's helpers do not agree between gcc and clang on what the AVX-512 names cover. */
#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
typedef struct regs { uint32_t a, b, c, d; } regs;

static regs cpuid(uint32_t leaf, uint32_t sub)
{
    regs r;
    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d) : "a"(leaf), "c"(sub));
    return r;
}

static bool bit(uint32_t reg, int n) { return (reg >> n & 1u) != 0; }

/* XCR0: which register files the system saves on a switch. */
static uint32_t xgetbv(void)
{
    uint32_t lo, hi;
    __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    (void)hi;
    return lo;
}

/* "AuthenticAMD", family 0x1a: Zen 5, and what follows it until somebody measures that. */
static bool reads_near(void)
{
    const regs zero = cpuid(0, 0);
    const uint32_t version = cpuid(1, 0).a, family = (version >> 8 & 0xfu) + (version >> 20 & 0xffu);
    return zero.b == 0x68747541u && zero.d == 0x69746e65u && zero.c == 0x444d4163u && family >= 0x1a;
}

unsigned r1i_cpu_features(void)
{
    if (cpuid(0, 0).a < 7) return 0;
    const regs one = cpuid(1, 0), seven = cpuid(7, 0);
    if (!bit(one.c, 27)) return 0; /* OSXSAVE: without it xgetbv itself is illegal */
    const uint32_t saved = xgetbv();
    unsigned f = reads_near() ? R1I_CPU_NEAR : 0u;
    const bool ymm = (saved & 0x6u) == 0x6u, zmm = (saved & 0xe6u) == 0xe6u;
    /* AVX, FMA, F16C; AVX2, BMI2 (the folder is compiled with it) */
    if (ymm && bit(one.c, 28) && bit(one.c, 12) && bit(one.c, 29) && bit(seven.b, 5) && bit(seven.b, 8))
        f |= R1I_CPU_AVX2;
    /* F, DQ, BW, VL; VBMI, VBMI2, VNNI */
    if ((f & R1I_CPU_AVX2) && zmm && bit(seven.b, 16) && bit(seven.b, 17) && bit(seven.b, 30) && bit(seven.b, 31) &&
        bit(seven.c, 1) && bit(seven.c, 6) && bit(seven.c, 11)) {
        f |= R1I_CPU_AVX512;
        if (seven.a >= 1 && bit(cpuid(7, 1).a, 5)) f |= R1I_CPU_AVX512_BF16;
    }
    return f;
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

unsigned r1i_cpu_features(void)
{
    const unsigned long dot = 1ul << 20; /* HWCAP_ASIMDDP */
    return R1I_CPU_NEON | (getauxval(AT_HWCAP) & dot ? R1I_CPU_DOTPROD : 0u);
}
#else
unsigned r1i_cpu_features(void) { return 0; }
#endif
