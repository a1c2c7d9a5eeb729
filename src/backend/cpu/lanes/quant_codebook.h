/* Tiles of the codebook types (IQ1, IQ2, IQ3): 32 entries of eight columns a row, looked up one by one for the sixteen rows
 * of a panel block, then signed and cut into words sixteen at a time. Part of quant_tile.h. */
#ifndef R1I_QUANT_CODEBOOK_H
#define R1I_QUANT_CODEBOOK_H

#include "tensor/block.h"

#define TILE_BYTES(v) ((uint64_t)(v) * 0x0101010101010101u)

/* Entry l of group g of one row, and what goes with it: the mask of negative bytes, or (IQ1) the bytes to add. */
static inline __attribute__((always_inline)) void codebook_entry(const r1_dtype type, const uint8_t *p, int g, int l, uint64_t *entry, uint64_t *with)
{
    const int i = 4 * g + l;
    uint32_t w;
    int high;
    switch (type) {
    case R1_DTYPE_IQ2_XXS:
        *entry = r1i_grid_iq2xxs[p[2 + 8 * g + l]];
        *with = r1i_even_sign_masks[(r1i_load32(p + 6 + 8 * g) >> (7 * l)) & 127];
        return;
    case R1_DTYPE_IQ2_XS:
        w = r1i_load16(p + 2 + 2 * i);
        *entry = r1i_grid_iq2xs[w & 511];
        *with = r1i_even_sign_masks[w >> 9];
        return;
    case R1_DTYPE_IQ2_S:
        *entry = r1i_grid_iq2s[p[2 + i] | ((p[66 + g] >> (2 * l)) & 3) << 8];
        *with = r1i_sign_masks[p[34 + i]];
        return;
    case R1_DTYPE_IQ3_XXS:
        *entry = r1i_grid_iq3xxs[p[2 + 2 * i]] | (uint64_t)r1i_grid_iq3xxs[p[3 + 2 * i]] << 32;
        *with = r1i_even_sign_masks[(r1i_load32(p + 66 + 4 * g) >> (7 * l)) & 127];
        return;
    case R1_DTYPE_IQ3_S:
        high = p[66 + g] >> (2 * l);
        *entry = r1i_grid_iq3s[p[2 + 2 * i] | (high & 1) << 8] | (uint64_t)r1i_grid_iq3s[p[3 + 2 * i] | (high & 2) << 7] << 32;
        *with = r1i_sign_masks[p[74 + i]];
        return;
    case R1_DTYPE_IQ1_S:
        w = r1i_load16(p + 34 + 2 * g);
        *entry = r1i_grid_iq1[p[2 + i] | ((w >> (3 * l)) & 7) << 8];
        *with = TILE_BYTES(65) - TILE_BYTES(2) * (w >> 15);
        return;
    default: /* IQ1_M */
        w = (uint32_t)p[32 + i / 2] >> (4 * (i & 1));
        *entry = r1i_grid_iq1[p[i] | (w & 7) << 8];
        *with = TILE_BYTES(65) - TILE_BYTES(2) * ((w >> 3) & 1);
        return;
    }
}

/* Scale code of group g, or of half g % 2 of group g / 2 for the types whose scale changes every 16. */
static inline uint32_t codebook_code(const r1_dtype type, const uint8_t *p, int g)
{
    switch (type) {
    case R1_DTYPE_IQ2_XXS: return p[9 + 8 * g] >> 4;
    case R1_DTYPE_IQ2_XS: return (p[66 + g / 2] >> (4 * (g & 1))) & 15;
    case R1_DTYPE_IQ2_S: return (p[74 + g / 2] >> (4 * (g & 1))) & 15;
    case R1_DTYPE_IQ3_XXS: return p[69 + 4 * g] >> 4;
    case R1_DTYPE_IQ3_S: return (p[106 + g / 2] >> (4 * (g & 1))) & 15;
    case R1_DTYPE_IQ1_S: return (p[35 + 2 * g] >> 4) & 7;
    default: return (uint32_t)(r1i_load16(p + 48 + 2 * (g / 4)) >> (3 * (g & 3))) & 7;
    }
}

/* The roundings of tensor/unpack.c. */
static inline float codebook_scale(const r1_dtype type, float d, uint32_t code)
{
    const float c = (float)(int32_t)code;
    switch (type) {
    case R1_DTYPE_IQ3_XXS: return (d * (0.5f + c)) * 0.5f;
    case R1_DTYPE_IQ3_S: return d * (1.0f + 2.0f * c);
    case R1_DTYPE_IQ1_S: case R1_DTYPE_IQ1_M: return (d * (2.0f * c + 1.0f)) * 0.125f;
    default: return (d * (0.5f + c)) * 0.25f;
    }
}

static inline __attribute__((always_inline)) void codebook_scales(const r1_dtype type, const uint8_t *b, size_t bytes, quant_tile *restrict t)
{
    const bool ternary_m = type == R1_DTYPE_IQ1_M;
    const int count = ternary_m || type == R1_DTYPE_IQ2_XS || type == R1_DTYPE_IQ2_S ? 16 : 8;
    uint32_t code[16][LANES];
    float d[LANES];
    for (int n = 0; n < LANES; n++) {
        const uint8_t *p = b + (size_t)n * bytes;
        d[n] = ternary_m ? r1i_iq1m_scale(p) : r1i_load_half(p);
        for (int i = 0; i < count; i++) code[i][n] = codebook_code(type, p, i);
    }
    for (int i = 0; i < count; i++)
        for (int n = 0; n < LANES; n++) t->scale[i][n] = codebook_scale(type, d[n], code[i][n]);
}

/* Bytes q + 64 without a carry: signed, 64 + e - 2 e; ternary -1, 0, 1 (0xff, 0, 1), 64 + 8 e + delta. */
static inline __attribute__((always_inline)) void tile_codebook(const r1_dtype type, const uint8_t *b, quant_tile *restrict t)
{
    const size_t bytes = (size_t)r1i_dtype(type)->block_bytes;
    const bool ternary = type == R1_DTYPE_IQ1_S || type == R1_DTYPE_IQ1_M;
    codebook_scales(type, b, bytes, t);
    for (int i = 0; i < 32; i++) {
        uint64_t entry[LANES], with[LANES];
        uint32_t *q = t->q + 2 * LANES * i;
        for (int n = 0; n < LANES; n++) codebook_entry(type, b + (size_t)n * bytes, i >> 2, i & 3, &entry[n], &with[n]);
        for (int n = 0; n < LANES; n++) {
            const uint64_t e = entry[n], w = with[n];
            const uint64_t v = ternary ? (w + ((e & TILE_BYTES(1)) << 3)) - (((e >> 7) & TILE_BYTES(1)) << 4)
                                       : (e + TILE_BYTES(64)) - ((e & w) << 1);
            q[n] = (uint32_t)v;
            q[LANES + n] = (uint32_t)(v >> 32);
        }
    }
}

#endif
