/* Stored values to f32 and back: scalar conversions and the dequantisation of every block type, in plain C, bit for bit
 * as spec formats.md 6 brackets it (each product and sum rounded on its own). The specification of the vector rows. */
#ifndef R1I_CODEC_H
#define R1I_CODEC_H

#include <string.h>

#include "tensor/dtype.h"

static inline float r1i_f32_from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
static inline uint32_t r1i_f32_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}
static inline float r1i_bf16_to_f32(uint16_t h) { return r1i_f32_from_bits((uint32_t)h << 16); }
/* Round to nearest even, NaN quieted. */
static inline uint16_t r1i_bf16_from_f32(float f)
{
    const uint32_t u = r1i_f32_bits(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (uint16_t)((u >> 16) | 0x40u);
    return (uint16_t)((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
}
float r1i_f16_to_f32(uint16_t h);
uint16_t r1i_f16_from_f32(float f); /* round to nearest even */
float r1i_e4m3_to_f32(uint8_t b);   /* 0x7f and 0xff give NaN */

/* n elements (a multiple of the block) of one row; F8_E4M3 without its scale. src may have any alignment. */
void r1i_dequantise(r1_dtype type, const uint8_t *src, int64_t n, float *out);

/* A block-type row as the integers the 8-bit kernels multiply: q[n] in -128..127 and, per group of 16 elements g,
 * value = scale[g] * q - min[g], with scale and min the f32 roundings that numerics.md fixes (e.g. Q4_K: scale = d *
 * sc, min = dmin * mn; types without minimum: 0). */
void r1i_unpack_integers(r1_dtype type, const uint8_t *src, int64_t n, int8_t *q, float *scale, float *min);
/* Whether the type's minimum is not always 0 (Q4_1, Q5_1, Q2_K, Q4_K, Q5_K), and whether its scale changes every 16
 * elements (else every 32). Both decide the order of arithmetic (numerics.md). */
bool r1i_type_has_min(r1_dtype type);
bool r1i_type_scale_16(r1_dtype type);

#endif
