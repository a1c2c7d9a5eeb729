/* Sharing one scale: up to 32 values as 8-bit integers and an f32 factor. The rule of op/table.h for activations, and
 * the only place where the q8 cache and the trainer's tape round, so that both see the same numbers. */
#ifndef R1I_Q8_H
#define R1I_Q8_H

#include "tensor/codec.h"

/* 127 / amax would overflow below this. */
#define R1I_Q8_AMAX_MIN 0x1p-120f
enum { R1I_Q8_GROUP = 32 };

/* q[n] of x[n], n <= 32, and the factor d: x is about d * q. amax = max |x|; d = amax / 127; q = round-half-even(x *
 * (127 / amax)). Too small: d = 0, q = 0. An infinity or NaN: d = NaN, q = 0. */
static inline float r1i_q8_group(const float *x, int64_t n, int8_t *q)
{
    uint32_t bits = 0; /* of the largest magnitude; as integers, NaN counts above infinity */
    for (int64_t i = 0; i < n; i++) {
        const uint32_t a = r1i_f32_bits(x[i]) & 0x7fffffffu;
        bits = a > bits ? a : bits;
    }
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
/* What is read back: one rounding. */
static inline float r1i_q8_value(int8_t q, float d) { return (float)q * d; }

#endif
