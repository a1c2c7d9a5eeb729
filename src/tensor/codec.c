/* Every stored type to f32, straight from the format: one small function a type, element by element. Floating-point
 * operations stand exactly as the format brackets them, each rounded on its own, so the result is bit for bit that of
 * the public reference routines (tests/fixtures/dequant.txt). Vector rows are tested against this file. */
#include "tensor/codec.h"

#include <assert.h>

#include "tensor/block.h"

const int8_t r1i_iq4_values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
const int8_t r1i_mxfp4_values[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

/* ---- scalars ---- */

float r1i_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, mantissa = h & 0x3ffu;
    if (exponent == 0) { /* subnormal: an exact multiple of 2^-24 */
        const float v = (float)mantissa * 0x1p-24f;
        return r1i_f32_from_bits(r1i_f32_bits(v) | sign);
    }
    if (exponent == 31) return r1i_f32_from_bits(sign | 0x7f800000u | mantissa << 13 | (mantissa ? 0x400000u : 0u));
    return r1i_f32_from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

uint16_t r1i_f16_from_f32(float f)
{
    const uint32_t u = r1i_f32_bits(f), a = u & 0x7fffffffu;
    const uint16_t sign = (uint16_t)((u >> 16) & 0x8000u);
    if (a > 0x7f800000u) return (uint16_t)(sign | 0x7e00u | ((a >> 13) & 0x3ffu));
    if (a >= 0x477ff000u) return (uint16_t)(sign | 0x7c00u); /* 65520 and more round to infinity */
    if (a < 0x38800000u) /* below 2^-14: adding 0.5 leaves multiples of 2^-24 in the mantissa, rounded to even */
        return (uint16_t)(sign | (r1i_f32_bits(r1i_f32_from_bits(a) + 0.5f) - 0x3f000000u));
    return (uint16_t)(sign | (a + 0xfffu + ((a >> 13) & 1u) - (112u << 23)) >> 13);
}

float r1i_e4m3_to_f32(uint8_t b)
{
    const uint32_t sign = (uint32_t)(b & 0x80u) << 24, exponent = (b >> 3) & 15u, mantissa = b & 7u;
    if ((b & 0x7f) == 0x7f) return r1i_f32_from_bits(sign | 0x7fc00000u);
    if (exponent == 0) return r1i_f32_from_bits(r1i_f32_bits((float)mantissa * 0x1p-9f) | sign);
    return r1i_f32_from_bits(sign | (exponent + 120u) << 23 | mantissa << 20);
}

/* ---- blocks of 32 ---- */

static uint8_t nibble(const uint8_t *qs, int e) { return (qs[e & 15] >> (4 * (e >> 4))) & 15; }
static uint8_t fifth_bit(uint32_t qh, int e) { return (uint8_t)(((qh >> e) & 1u) << 4); }

static void q4_0(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int e = 0; e < 32; e++) y[e] = d * (float)(nibble(b + 2, e) - 8);
}

static void q4_1(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b), m = r1i_load_half(b + 2);
    for (int e = 0; e < 32; e++) y[e] = d * (float)nibble(b + 4, e) + m;
}

static void q5_0(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    const uint32_t qh = r1i_load32(b + 2);
    for (int e = 0; e < 32; e++) y[e] = d * (float)((nibble(b + 6, e) | fifth_bit(qh, e)) - 16);
}

static void q5_1(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b), m = r1i_load_half(b + 2);
    const uint32_t qh = r1i_load32(b + 4);
    for (int e = 0; e < 32; e++) y[e] = d * (float)(nibble(b + 8, e) | fifth_bit(qh, e)) + m;
}

static void q8_0(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int e = 0; e < 32; e++) y[e] = d * (float)(int8_t)b[2 + e];
}

static void mxfp4(const uint8_t *b, float *y)
{
    const float d = r1i_mxfp4_scale(b[0]);
    for (int e = 0; e < 32; e++) y[e] = d * (float)r1i_mxfp4_values[nibble(b + 1, e)];
}

static void iq4_nl(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int e = 0; e < 32; e++) y[e] = d * (float)r1i_iq4_values[nibble(b + 2, e)];
}

/* ---- K blocks of 256 ---- */

static int two_bits(const uint8_t *qs, int e) { return (qs[32 * (e >> 7) + (e & 31)] >> (2 * ((e >> 5) & 3))) & 3; }
static uint8_t k_nibble(const uint8_t *qs, int e)
{
    return (qs[32 * (e >> 6) + (e & 31)] >> (4 * ((e >> 5) & 1))) & 15;
}

static void q2_k(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b + 80), dmin = r1i_load_half(b + 82);
    for (int e = 0; e < 256; e++) {
        const uint8_t s = b[e >> 4];
        y[e] = (d * (float)(s & 15)) * (float)two_bits(b + 16, e) - dmin * (float)(s >> 4);
    }
}

static void q3_k(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b + 108);
    for (int e = 0; e < 256; e++) {
        const int high = (b[e & 31] >> (e >> 5)) & 1;
        y[e] = (d * (float)r1i_q3k_scale(b + 96, e >> 4)) * (float)(two_bits(b + 32, e) - (high ? 0 : 4));
    }
}

static void q4_k(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b), dmin = r1i_load_half(b + 2);
    for (int e = 0; e < 256; e++) {
        uint8_t sc, mn;
        r1i_k4_scale(b + 4, e >> 5, &sc, &mn);
        y[e] = (d * (float)sc) * (float)k_nibble(b + 16, e) - dmin * (float)mn;
    }
}

static void q5_k(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b), dmin = r1i_load_half(b + 2);
    for (int e = 0; e < 256; e++) {
        uint8_t sc, mn;
        r1i_k4_scale(b + 4, e >> 5, &sc, &mn);
        const int q = k_nibble(b + 48, e) | ((b[16 + (e & 31)] >> (e >> 5)) & 1) << 4;
        y[e] = (d * (float)sc) * (float)q - dmin * (float)mn;
    }
}

static void q6_k(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b + 208);
    for (int e = 0; e < 256; e++) {
        const int half = e >> 7, l = e & 31, k = (e & 127) >> 5;
        const int lo = (b[64 * half + l + 32 * (k & 1)] >> (4 * (k >> 1))) & 15;
        const int hi = (b[128 + 32 * half + l] >> (2 * k)) & 3;
        y[e] = (d * (float)(int8_t)b[192 + (e >> 4)]) * (float)((lo | hi << 4) - 32);
    }
}

static void iq4_xs(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++)
        for (int e = 0; e < 32; e++)
            y[32 * g + e] = (d * (float)r1i_iq4xs_scale(b, g)) * (float)r1i_iq4_values[nibble(b + 8 + 16 * g, e)];
}

/* ---- codebook blocks of 256: g a group of 32, l eight elements of it ---- */

static float byte8(uint64_t word, int j) { return (float)(int8_t)(word >> (8 * j)); }
static float byte4(uint32_t word, int j) { return (float)(int8_t)(word >> (8 * j)); }
static float sign_of(uint8_t signs, int j) { return (signs >> j) & 1 ? -1.0f : 1.0f; }

static void iq2_xxs(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint8_t *p = b + 2 + 8 * g;
        const uint32_t a = r1i_load32(p + 4);
        const float db = (d * (0.5f + (float)(a >> 28))) * 0.25f;
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3, j = e & 7;
            y[32 * g + e] = (db * byte8(r1i_grid_iq2xxs[p[l]], j)) * sign_of(r1i_even_signs(a >> (7 * l)), j);
        }
    }
}

static void iq2_xs(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++)
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3, j = e & 7;
            const uint16_t w = r1i_load16(b + 2 + 2 * (4 * g + l));
            const float db = (d * (0.5f + (float)((b[66 + g] >> (4 * (l >> 1))) & 15))) * 0.25f;
            y[32 * g + e] = (db * byte8(r1i_grid_iq2xs[w & 511], j)) * sign_of(r1i_even_signs(w >> 9), j);
        }
}

static void iq2_s(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++)
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3, j = e & 7;
            const int index = b[2 + 4 * g + l] | ((b[66 + g] >> (2 * l)) & 3) << 8;
            const float db = (d * (0.5f + (float)((b[74 + g] >> (4 * (l >> 1))) & 15))) * 0.25f;
            y[32 * g + e] = (db * byte8(r1i_grid_iq2s[index], j)) * sign_of(b[34 + 4 * g + l], j);
        }
}

static void iq3_xxs(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint32_t a = r1i_load32(b + 66 + 4 * g);
        const float db = (d * (0.5f + (float)(a >> 28))) * 0.5f;
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3, j = e & 7;
            const uint32_t word = r1i_grid_iq3xxs[b[2 + 8 * g + 2 * l + (j >> 2)]];
            y[32 * g + e] = (db * byte4(word, j & 3)) * sign_of(r1i_even_signs(a >> (7 * l)), j);
        }
    }
}

static void iq3_s(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const float db = d * (float)(1 + 2 * ((b[106 + (g >> 1)] >> (4 * (g & 1))) & 15));
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3, j = e & 7, k = 2 * l + (j >> 2);
            const int index = b[2 + 8 * g + k] | ((b[66 + g] >> k) & 1) << 8;
            y[32 * g + e] = (db * byte4(r1i_grid_iq3s[index], j & 3)) * sign_of(b[74 + 4 * g + l], j);
        }
    }
}

static void iq1_s(const uint8_t *b, float *y)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint16_t h = r1i_load16(b + 34 + 2 * g);
        const float dl = d * (float)(2 * ((h >> 12) & 7) + 1), delta = h & 0x8000 ? -0.125f : 0.125f;
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3;
            const int index = b[2 + 4 * g + l] | ((h >> (3 * l)) & 7) << 8;
            y[32 * g + e] = dl * (byte8(r1i_grid_iq1[index], e & 7) + delta);
        }
    }
}

static void iq1_m(const uint8_t *b, float *y)
{
    const float d = r1i_iq1m_scale(b);
    for (int g = 0; g < 8; g++)
        for (int e = 0; e < 32; e++) {
            const int l = e >> 3;
            const int nb = (b[32 + 2 * g + (l >> 1)] >> (4 * (l & 1))) & 15;
            const int s3 = (r1i_load16(b + 48 + 2 * (g >> 1)) >> (6 * (g & 1) + 3 * (l >> 1))) & 7;
            const float dl = d * (float)(2 * s3 + 1), delta = nb & 8 ? -0.125f : 0.125f;
            y[32 * g + e] = dl * (byte8(r1i_grid_iq1[b[4 * g + l] | (nb & 7) << 8], e & 7) + delta);
        }
}

typedef void (*block_decoder)(const uint8_t *block, float *y);
static const block_decoder decoder[R1_DTYPE_COUNT] = {
    [R1_DTYPE_Q4_0] = q4_0,       [R1_DTYPE_Q4_1] = q4_1,       [R1_DTYPE_Q5_0] = q5_0,     [R1_DTYPE_Q5_1] = q5_1,
    [R1_DTYPE_Q8_0] = q8_0,       [R1_DTYPE_Q2_K] = q2_k,       [R1_DTYPE_Q3_K] = q3_k,     [R1_DTYPE_Q4_K] = q4_k,
    [R1_DTYPE_Q5_K] = q5_k,       [R1_DTYPE_Q6_K] = q6_k,       [R1_DTYPE_IQ2_XXS] = iq2_xxs,
    [R1_DTYPE_IQ2_XS] = iq2_xs, [R1_DTYPE_IQ3_XXS] = iq3_xxs, [R1_DTYPE_IQ1_S] = iq1_s,     [R1_DTYPE_IQ4_NL] = iq4_nl,
    [R1_DTYPE_IQ3_S] = iq3_s, [R1_DTYPE_IQ2_S] = iq2_s,     [R1_DTYPE_IQ4_XS] = iq4_xs,   [R1_DTYPE_IQ1_M] = iq1_m,
    [R1_DTYPE_MXFP4] = mxfp4,
};

void r1i_dequantise(r1_dtype type, const uint8_t *src, int64_t n, float *out)
{
    switch (type) {
    case R1_DTYPE_F32: memcpy(out, src, (size_t)n * sizeof *out); return;
    case R1_DTYPE_F16:
        for (int64_t i = 0; i < n; i++) out[i] = r1i_load_half(src + 2 * i);
        return;
    case R1_DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) out[i] = r1i_bf16_to_f32(r1i_load16(src + 2 * i));
        return;
    case R1_DTYPE_F8_E4M3:
        for (int64_t i = 0; i < n; i++) out[i] = r1i_e4m3_to_f32(src[i]);
        return;
    default: break;
    }
    assert(decoder[type]);
    const r1i_dtype_info *info = r1i_dtype(type);
    for (int64_t i = 0; i < n; i += info->block_elems, src += info->block_bytes) decoder[type](src, out + i);
}
