/* Every block type as small integers with a scale and a minimum per group: value = scale * q - min. This is what the
 * 8-bit products multiply, so which factor is rounded where is part of the order of arithmetic (docs/numerics.md,
 * "Block types"). In every type fl(fl(scale * q) - min) is also bit for bit the value of codec.c; a test holds the two
 * files together. */
#include <assert.h>

#include "tensor/block.h"

bool r1i_type_has_min(r1_dtype type)
{
    return type == R1_DTYPE_Q4_1 || type == R1_DTYPE_Q5_1 || type == R1_DTYPE_Q2_K || type == R1_DTYPE_Q4_K ||
        type == R1_DTYPE_Q5_K;
}

bool r1i_type_scale_16(r1_dtype type)
{
    return type == R1_DTYPE_Q2_K || type == R1_DTYPE_Q3_K || type == R1_DTYPE_Q6_K || type == R1_DTYPE_IQ2_XS ||
           type == R1_DTYPE_IQ2_S || type == R1_DTYPE_IQ1_M;
}

/* Both halves of group g get one scale and minimum. */
static void set_group(float *scale, float *min, int g, float s, float m)
{
    scale[2 * g] = scale[2 * g + 1] = s;
    min[2 * g] = min[2 * g + 1] = m;
}

/* Low nibbles are elements 0..15, high ones 16..31. */
static void nibbles(const uint8_t *qs, int8_t *q, int offset)
{
    for (int i = 0; i < 16; i++) {
        q[i] = (int8_t)((qs[i] & 15) - offset);
        q[16 + i] = (int8_t)((qs[i] >> 4) - offset);
    }
}

static void nibbles_table(const uint8_t *qs, int8_t *q, const int8_t table[16])
{
    for (int i = 0; i < 16; i++) {
        q[i] = table[qs[i] & 15];
        q[16 + i] = table[qs[i] >> 4];
    }
}

static void add_fifth_bits(const uint8_t *qh, int8_t *q)
{
    const uint32_t bits = r1i_load32(qh);
    for (int e = 0; e < 32; e++) q[e] = (int8_t)(q[e] + (int)((bits >> e) & 1u) * 16);
}

static void q4_0(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), 0.0f);
    nibbles(b + 2, q, 8);
}

static void q4_1(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), -r1i_load_half(b + 2));
    nibbles(b + 4, q, 0);
}

static void q5_0(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), 0.0f);
    nibbles(b + 6, q, 16);
    add_fifth_bits(b + 2, q);
}

static void q5_1(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), -r1i_load_half(b + 2));
    nibbles(b + 8, q, 0);
    add_fifth_bits(b + 4, q);
}

static void q8_0(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), 0.0f);
    memcpy(q, b + 2, 32);
}

static void mxfp4(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_mxfp4_scale(b[0]), 0.0f);
    nibbles_table(b + 1, q, r1i_mxfp4_values);
}

static void iq4_nl(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    set_group(scale, min, 0, r1i_load_half(b), 0.0f);
    nibbles_table(b + 2, q, r1i_iq4_values);
}

static void q2_k(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b + 80), dmin = r1i_load_half(b + 82);
    for (int j = 0; j < 16; j++) {
        scale[j] = d * (float)(b[j] & 15);
        min[j] = dmin * (float)(b[j] >> 4);
    }
    for (int e = 0; e < 256; e++) q[e] = (int8_t)((b[16 + 32 * (e >> 7) + (e & 31)] >> (2 * ((e >> 5) & 3))) & 3);
}

static void q3_k(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b + 108);
    for (int j = 0; j < 16; j++) {
        scale[j] = d * (float)r1i_q3k_scale(b + 96, j);
        min[j] = 0.0f;
    }
    for (int e = 0; e < 256; e++) {
        const int low = (b[32 + 32 * (e >> 7) + (e & 31)] >> (2 * ((e >> 5) & 3))) & 3,
                  high = (b[e & 31] >> (e >> 5)) & 1;
        q[e] = (int8_t)((low | high << 2) - 4);
    }
}

static void k4_scales(const uint8_t *b, float *scale, float *min)
{
    const float d = r1i_load_half(b), dmin = r1i_load_half(b + 2);
    for (int g = 0; g < 8; g++) {
        uint8_t sc, mn;
        r1i_k4_scale(b + 4, g, &sc, &mn);
        set_group(scale, min, g, d * (float)sc, dmin * (float)mn);
    }
}

static void q4_k(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    k4_scales(b, scale, min);
    for (int e = 0; e < 256; e++) q[e] = (b[16 + 32 * (e >> 6) + (e & 31)] >> (4 * ((e >> 5) & 1))) & 15;
}

static void q5_k(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    k4_scales(b, scale, min);
    for (int e = 0; e < 256; e++) {
        const int low = (b[48 + 32 * (e >> 6) + (e & 31)] >> (4 * ((e >> 5) & 1))) & 15;
        q[e] = (int8_t)(low | ((b[16 + (e & 31)] >> (e >> 5)) & 1) << 4);
    }
}

static void q6_k(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b + 208);
    for (int j = 0; j < 16; j++) {
        scale[j] = d * (float)(int8_t)b[192 + j];
        min[j] = 0.0f;
    }
    for (int e = 0; e < 256; e++) {
        const int half = e >> 7, l = e & 31, k = (e & 127) >> 5;
        const int lo = (b[64 * half + l + 32 * (k & 1)] >> (4 * (k >> 1))) & 15,
                  hi = (b[128 + 32 * half + l] >> (2 * k)) & 3;
        q[e] = (int8_t)((lo | hi << 4) - 32);
    }
}

static void iq4_xs(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        set_group(scale, min, g, d * (float)r1i_iq4xs_scale(b, g), 0.0f);
        nibbles_table(b + 8 + 16 * g, q + 32 * g, r1i_iq4_values);
    }
}

/* ---- codebook types: eight bytes at a time in one word, so that decoding a panel on the fly stays affordable ---- */

#define BYTES(v) ((uint64_t)(v) * 0x0101010101010101u)

/* Negate the bytes (all in 1..127) of v that the mask selects: ~x + 1 cannot carry out of a byte that is not 0. */
static void store_signed(int8_t *q, uint64_t v, uint64_t m)
{
    const uint64_t r = (v ^ m) + (m & BYTES(1));
    memcpy(q, &r, 8);
}

/* 8 * grid + delta for grid bytes -1, 0, 1 and delta -1 or 1, biased by 16 so that no byte borrows from the next. */
static void store_ternary(int8_t *q, uint64_t grid, bool negative)
{
    const uint64_t one = grid & BYTES(1), minus = (grid >> 7) & BYTES(1); /* -1 has both bits */
    uint64_t v = BYTES(16) + one * 8 - minus * 16;
    v = negative ? v - BYTES(1) : v + BYTES(1);          /* 7 .. 25 */
    v = ((v | BYTES(0x80)) - BYTES(16)) ^ BYTES(0x80);
    memcpy(q, &v, 8);
}

static void iq2_xxs(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint8_t *p = b + 2 + 8 * g;
        const uint32_t a = r1i_load32(p + 4);
        set_group(scale, min, g, (d * (0.5f + (float)(a >> 28))) * 0.25f, 0.0f);
        for (int l = 0; l < 4; l++)
            store_signed(q + 32 * g + 8 * l, r1i_grid_iq2xxs[p[l]], r1i_even_sign_masks[(a >> (7 * l)) & 127]);
    }
}

static void iq2_scales(const uint8_t *codes, float d, float *scale, float *min)
{
    for (int j = 0; j < 16; j++) {
        scale[j] = (d * (0.5f + (float)((codes[j >> 1] >> (4 * (j & 1))) & 15))) * 0.25f;
        min[j] = 0.0f;
    }
}

static void iq2_xs(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    iq2_scales(b + 66, r1i_load_half(b), scale, min);
    for (int i = 0; i < 32; i++) {
        const uint16_t w = r1i_load16(b + 2 + 2 * i);
        store_signed(q + 8 * i, r1i_grid_iq2xs[w & 511], r1i_even_sign_masks[w >> 9]);
    }
}

static void iq2_s(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    iq2_scales(b + 74, r1i_load_half(b), scale, min);
    for (int i = 0; i < 32; i++)
        store_signed(q + 8 * i, r1i_grid_iq2s[b[2 + i] | ((b[66 + (i >> 2)] >> (2 * (i & 3))) & 3) << 8],
                     r1i_sign_masks[b[34 + i]]);
}

static uint64_t pair(const uint32_t *grid, int first, int second) { return grid[first] | (uint64_t)grid[second] << 32; }

static void iq3_xxs(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint32_t a = r1i_load32(b + 66 + 4 * g);
        set_group(scale, min, g, (d * (0.5f + (float)(a >> 28))) * 0.5f, 0.0f);
        for (int l = 0; l < 4; l++) {
            const uint8_t *p = b + 2 + 8 * g + 2 * l;
            store_signed(q + 32 * g + 8 * l, pair(r1i_grid_iq3xxs, p[0], p[1]),
                         r1i_even_sign_masks[(a >> (7 * l)) & 127]);
        }
    }
}

static void iq3_s(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        set_group(scale, min, g, d * (float)(1 + 2 * ((b[106 + (g >> 1)] >> (4 * (g & 1))) & 15)), 0.0f);
        for (int l = 0; l < 4; l++) {
            const uint8_t *p = b + 2 + 8 * g + 2 * l;
            const int high = b[66 + g] >> (2 * l);
            store_signed(q + 32 * g + 8 * l, pair(r1i_grid_iq3s, p[0] | (high & 1) << 8, p[1] | (high & 2) << 7),
                         r1i_sign_masks[b[74 + 4 * g + l]]);
        }
    }
}

/* Eighths: dl * (grid + delta) = (dl / 8) * (8 * grid + 8 * delta), and dividing by 8 is exact. */
static void iq1_s(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_load_half(b);
    for (int g = 0; g < 8; g++) {
        const uint16_t h = r1i_load16(b + 34 + 2 * g);
        set_group(scale, min, g, (d * (float)(2 * ((h >> 12) & 7) + 1)) * 0.125f, 0.0f);
        for (int l = 0; l < 4; l++)
            store_ternary(q + 32 * g + 8 * l, r1i_grid_iq1[b[2 + 4 * g + l] | ((h >> (3 * l)) & 7) << 8], h & 0x8000);
    }
}

static void iq1_m(const uint8_t *b, int8_t *q, float *scale, float *min)
{
    const float d = r1i_iq1m_scale(b);
    for (int j = 0; j < 16; j++) {
        const int code = (r1i_load16(b + 48 + 2 * (j >> 2)) >> (3 * (j & 3))) & 7;
        scale[j] = (d * (float)(2 * code + 1)) * 0.125f;
        min[j] = 0.0f;
    }
    for (int i = 0; i < 32; i++) {
        const int nb = (b[32 + (i >> 1)] >> (4 * (i & 1))) & 15;
        store_ternary(q + 8 * i, r1i_grid_iq1[b[i] | (nb & 7) << 8], nb & 8);
    }
}

typedef void (*block_unpacker)(const uint8_t *block, int8_t *q, float *scale, float *min);
static const block_unpacker unpacker[R1_DTYPE_COUNT] = {
    [R1_DTYPE_Q4_0] = q4_0,       [R1_DTYPE_Q4_1] = q4_1,   [R1_DTYPE_Q5_0] = q5_0,       [R1_DTYPE_Q5_1] = q5_1,
    [R1_DTYPE_Q8_0] = q8_0,       [R1_DTYPE_Q2_K] = q2_k,   [R1_DTYPE_Q3_K] = q3_k,       [R1_DTYPE_Q4_K] = q4_k,
    [R1_DTYPE_Q5_K] = q5_k,       [R1_DTYPE_Q6_K] = q6_k,   [R1_DTYPE_IQ2_XXS] = iq2_xxs, [R1_DTYPE_IQ2_XS] = iq2_xs,
    [R1_DTYPE_IQ3_XXS] = iq3_xxs, [R1_DTYPE_IQ1_S] = iq1_s, [R1_DTYPE_IQ4_NL] = iq4_nl,   [R1_DTYPE_IQ3_S] = iq3_s,
    [R1_DTYPE_IQ2_S] = iq2_s,     [R1_DTYPE_IQ4_XS] = iq4_xs, [R1_DTYPE_IQ1_M] = iq1_m,   [R1_DTYPE_MXFP4] = mxfp4,
};

void r1i_unpack_integers(r1_dtype type, const uint8_t *src, int64_t n, int8_t *q, float *scale, float *min)
{
    assert(unpacker[type]);
    const r1i_dtype_info *info = r1i_dtype(type);
    for (int64_t i = 0; i < n; i += info->block_elems, src += info->block_bytes)
        unpacker[type](src, q + i, scale + i / 16, min + i / 16);
}
