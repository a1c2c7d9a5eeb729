/* Sharing one scale: up to 32 values as 8-bit integers and an f32 factor. The rule of op/table.h for activations, and
 * the only place where the q8 cache and the trainer's tape round, so that both see the same numbers. */
#ifndef R1I_Q8_H
#define R1I_Q8_H

#include "tensor/codec.h"

/* 127 / amax would overflow below this. */
#define R1I_Q8_AMAX_MIN 0x1p-120f
enum { R1I_Q8_GROUP = 32 };

/* The largest magnitude of x[n], as its bits: as integers, NaN counts above infinity. */
static inline uint32_t r1i_amax_bits(const float *x, int64_t n)
{
    uint32_t bits = 0;
    for (int64_t i = 0; i < n; i++) {
        const uint32_t a = r1i_f32_bits(x[i]) & 0x7fffffffu;
        bits = a > bits ? a : bits;
    }
    return bits;
}

/* q[n] of x[n], n <= 32, and the factor d: x is about d * q. amax = max |x|; d = amax / 127; q = round-half-even(x *
 * (127 / amax)). Too small: d = 0, q = 0. An infinity or NaN: d = NaN, q = 0. */
static inline float r1i_q8_group(const float *x, int64_t n, int8_t *q)
{
    const uint32_t bits = r1i_amax_bits(x, n);
    const float amax = r1i_f32_from_bits(bits);
    if (bits >= 0x7f800000u || amax < R1I_Q8_AMAX_MIN) {
        for (int64_t i = 0; i < n; i++) q[i] = 0;
        return bits >= 0x7f800000u ? r1i_f32_from_bits(0x7fc00000u) : 0.0f;
    }
    const float id = 127.0f / amax, magic = 12582912.0f; /* at 1.5 * 2^23 the last bit of the mantissa is 1: sums round
                                                          * half to even */
    for (int64_t i = 0; i < n; i++) {
        const float shifted = x[i] * id + magic;
        q[i] = (int8_t)(shifted - magic);
    }
    return amax / 127.0f;
}
/* A row as whole numbers of 16 bits with one factor, which is returned: x is about w * factor,
 * w = r1i_q16(x, *inverse). The rule above with 32512 = 127 * 256 in place of 127, so that w is two bytes with signs,
 * high * 256 + low; 2^-110 is too small. */
static inline float r1i_q16_factor(const float *x, int64_t n, float *inverse)
{
    const uint32_t bits = r1i_amax_bits(x, n);
    const float amax = r1i_f32_from_bits(bits);
    *inverse = 0.0f;
    if (bits >= 0x7f800000u) return r1i_f32_from_bits(0x7fc00000u);
    if (amax < 0x1p-110f) return 0.0f;
    *inverse = 32512.0f / amax;
    return amax / 32512.0f;
}
static inline int16_t r1i_q16(float x, float inverse)
{
    const float magic = 12582912.0f, shifted = x * inverse + magic;
    return inverse > 0.0f ? (int16_t)(shifted - magic) : 0;
}
/* What is read back: one rounding. */
static inline float r1i_q8_value(int8_t q, float d) { return (float)q * d; }

#endif
