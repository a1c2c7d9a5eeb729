/* Elementary functions of the bit contract, as scalar C: short polynomials whose every operation is written down. The
 * vector rows (lanes/ and the folders of the instruction sets) repeat the same operations in the same order, so a
 * result never depends on libm, on the compiler or on a vector's tail. Measured errors: docs/numerics.md. */
#ifndef R1I_ELEMENTARY_H
#define R1I_ELEMENTARY_H

#include <math.h>

#include "tensor/codec.h"

/* exp: x = n ln 2 + r, |r| <= 0.3466; exp(r) = 1 + r + r^2 (C2 + C3 r + ... C6 r^4), relative error of the polynomial
 * 3.1e-9. */
#define R1I_EXP_LOG2E 0x1.715476p+0f
#define R1I_EXP_MAGIC 0x1.8p+23f /* adding it leaves round-half-even(n) in the low bits */
#define R1I_EXP_LN2_HI 0x1.62e430p-1f
#define R1I_EXP_LN2_LO (-0x1.05c610p-29f)
#define R1I_EXP_C2 0x1.fffffcp-2f
#define R1I_EXP_C3 0x1.555492p-3f
#define R1I_EXP_C4 0x1.5558f2p-5f
#define R1I_EXP_C5 0x1.1239fap-7f
#define R1I_EXP_C6 0x1.6a240ep-10f
/* Below LOWEST the result is 0: exp(-87) = 1.6e-38 is still normal, so no result is ever subnormal (they cost 100
 * cycles and more where they meet a multiplier) and no row needs to agree on how they round. Above HIGHEST it is
 * infinity. */
#define R1I_EXP_LOWEST (-87.0f)
#define R1I_EXP_HIGHEST 88.72283f /* largest f32 below 128 ln 2 */

/* exp(0) = 1 exactly; NaN stays NaN. */
static inline float r1i_expf(float x)
{
    const float t = fmaf(x, R1I_EXP_LOG2E, R1I_EXP_MAGIC);
    const float n = t - R1I_EXP_MAGIC;
    float r = fmaf(n, -R1I_EXP_LN2_HI, x);
    r = fmaf(n, -R1I_EXP_LN2_LO, r);
    float p = R1I_EXP_C6;
    p = fmaf(p, r, R1I_EXP_C5);
    p = fmaf(p, r, R1I_EXP_C4);
    p = fmaf(p, r, R1I_EXP_C3);
    p = fmaf(p, r, R1I_EXP_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    /* 2^n goes straight into the exponent: n = 128 meets p < 1 only, n = -126 meets p > 1 only. */
    const float y = r1i_f32_from_bits(r1i_f32_bits(p) + (r1i_f32_bits(t) << 23));
    if (x < R1I_EXP_LOWEST) return 0.0f;
    if (x > R1I_EXP_HIGHEST) return INFINITY;
    return x == x ? y : x;
}

/* 1 / (1 + exp(-z)) and z / (1 + exp(-z)): one sum and one division, each rounded once. */
static inline float r1i_sigmoidf(float z) { return 1.0f / (1.0f + r1i_expf(-z)); }
static inline float r1i_siluf(float z) { return z / (1.0f + r1i_expf(-z)); }

/* The fixed tree over 16 lanes: 8 + 8, 4 + 4, 2 + 2, 1 + 1. */
static inline float r1i_fold16(const float lane[16])
{
    float t[8];
    for (int i = 0; i < 8; i++) t[i] = lane[i] + lane[i + 8];
    for (int i = 0; i < 4; i++) t[i] = t[i] + t[i + 4];
    for (int i = 0; i < 2; i++) t[i] = t[i] + t[i + 2];
    return t[0] + t[1];
}
static inline double r1i_fold16_double(const double lane[16])
{
    double t[8];
    for (int i = 0; i < 8; i++) t[i] = lane[i] + lane[i + 8];
    for (int i = 0; i < 4; i++) t[i] = t[i] + t[i + 4];
    for (int i = 0; i < 2; i++) t[i] = t[i] + t[i + 2];
    return t[0] + t[1];
}

/* sin and cos in double for the rotary tables, |x| < 3e5. x - n pi/2 is exact in its first fma there (both are
 * multiples of 2^-53 and the difference is below 1), so two parts of pi/2 are enough. Taylor sums on |r| <= pi/4: the
 * terms left out are below 5e-17. */
static inline void r1i_sincos(double x, double *sin_out, double *cos_out)
{
    const double n = rint(x * 0x1.45f306dc9c883p-1);
    double r = fma(-n, 0x1.921fb54442d18p+0, x);
    r = fma(-n, 0x1.1a62633145c07p-54, r);
    const double z = r * r;
    double s = -1.0 / 1307674368000.0; /* 1 / 15! */
    s = fma(s, z, 1.0 / 6227020800.0);
    s = fma(s, z, -1.0 / 39916800.0);
    s = fma(s, z, 1.0 / 362880.0);
    s = fma(s, z, -1.0 / 5040.0);
    s = fma(s, z, 1.0 / 120.0);
    s = fma(s, z, -1.0 / 6.0);
    s = fma(s * z, r, r);
    double c = 1.0 / 20922789888000.0; /* 1 / 16! */
    c = fma(c, z, -1.0 / 87178291200.0);
    c = fma(c, z, 1.0 / 479001600.0);
    c = fma(c, z, -1.0 / 3628800.0);
    c = fma(c, z, 1.0 / 40320.0);
    c = fma(c, z, -1.0 / 720.0);
    c = fma(c, z, 1.0 / 24.0);
    c = fma(c, z, -0.5);
    c = fma(c, z, 1.0);
    switch ((int64_t)n & 3) {
    case 0: *sin_out = s; *cos_out = c; break;
    case 1: *sin_out = c; *cos_out = -s; break;
    case 2: *sin_out = -s; *cos_out = -c; break;
    default: *sin_out = -c; *cos_out = s; break;
    }
}

/* Natural logarithm of a normal positive double: x = 2^e m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m
 * + 1)). */
static inline double r1i_ln(double x)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    int e = (int)(u >> 52) - 1023;
    u = (u & 0xfffffffffffffu) | 0x3ff0000000000000u;
    double m;
    memcpy(&m, &u, sizeof m);
    if (m > 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        e++;
    }
    const double s = (m - 1.0) / (m + 1.0), z = s * s;
    double p = 1.0 / 21.0; /* s <= 0.1716: the next term, z^11 / 23, is below 2e-18 */
    for (int k = 19; k >= 3; k -= 2) p = fma(p, z, 1.0 / (double)k);
    const double r = fma(2.0 * s * z, p, 2.0 * s), n = (double)e;
    return fma(n, 0x1.62e42fefa3000p-1, fma(n, 0x1.3de6af278ece6p-42, r));
}

#endif
