/* Reading the fields of a quantised block: unaligned little-endian loads and the packed 6-bit scales of the K types.
 * Shared by the float decoder (codec.c), the integer decoder (unpack.c) and nothing that must be fast on its own. */
#ifndef R1I_BLOCK_H
#define R1I_BLOCK_H

#include "tensor/codebook.h"
#include "tensor/codec.h"

static inline uint16_t r1i_load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t r1i_load32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
static inline float r1i_load_half(const uint8_t *p) { return r1i_f16_to_f32(r1i_load16(p)); }

/* 2^(e - 128): the exponent byte of MXFP4, halved because the table holds doubled values. e = 0 and 1 are subnormal. */
static inline float r1i_mxfp4_scale(uint8_t e)
{
    return r1i_f32_from_bits(e >= 2 ? (uint32_t)(e - 1) << 23 : e == 1 ? 0x00400000u : 0x00200000u);
}

/* Eight signs from seven bits: the eighth makes their number even. */
static inline uint8_t r1i_even_signs(uint32_t i)
{
    const uint32_t low = i & 127u;
    return (uint8_t)(low | (uint32_t)__builtin_parity(low) << 7);
}

/* Scale and minimum of sub-block j of Q4_K and Q5_K. */
static inline void r1i_k4_scale(const uint8_t *s, int j, uint8_t *scale, uint8_t *min)
{
    if (j < 4) {
        *scale = s[j] & 63;
        *min = s[j + 4] & 63;
    } else {
        *scale = (uint8_t)((s[j + 4] & 15) | (s[j - 4] >> 6) << 4);
        *min = (uint8_t)(s[j + 4] >> 4 | (s[j] >> 6) << 4);
    }
}

/* Signed scale of 16 elements j of Q3_K. */
static inline int r1i_q3k_scale(const uint8_t *s, int j)
{
    const int low = (s[j & 7] >> (4 * (j >> 3))) & 15;
    const int high = (s[8 + (j & 3)] >> (2 * (j >> 2))) & 3;
    return (low | high << 4) - 32;
}

/* Signed scale of group g of IQ4_XS (block bytes, not the field). */
static inline int r1i_iq4xs_scale(const uint8_t *b, int g)
{
    const int low = (b[4 + (g >> 1)] >> (4 * (g & 1))) & 15;
    return (low | ((r1i_load16(b + 2) >> (2 * g)) & 3) << 4) - 32;
}

/* IQ1_M has no scale field: the half is spread over the top nibbles of its four scale words. */
static inline float r1i_iq1m_scale(const uint8_t *b)
{
    const uint8_t *sc = b + 48;
    return r1i_f16_to_f32((uint16_t)(sc[1] >> 4 | (sc[3] >> 4) << 4 | (sc[5] >> 4) << 8 | (sc[7] >> 4) << 12));
}

#endif
