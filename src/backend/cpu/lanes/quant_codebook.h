/* Tiles of the codebook types (IQ1, IQ2, IQ3): 32 entries of eight columns a row, looked up one by one for the sixteen
 * rows of a panel block, then signed and cut into words sixteen at a time. Part of quant_tile.h. */
#ifndef R1I_QUANT_CODEBOOK_H
#define R1I_QUANT_CODEBOOK_H

#include "tensor/block.h"

#define TILE_BYTES(v) ((uint64_t)(v) * 0x0101010101010101u)

static inline uint64_t codebook_load64(const uint8_t *p) { return r1i_load32(p) | (uint64_t)r1i_load32(p + 4) << 32; }
static inline uint64_t codebook_pair(const uint32_t *grid, uint64_t low, uint64_t high)
{
    return grid[low] | (uint64_t)grid[high] << 32;
}

/* The four entries of group g of one row, and what goes with each: the mask of negative bytes, or (IQ1) the bytes to
 * add. */
static inline __attribute__((always_inline)) void codebook_group(const r1_dtype type, const uint8_t *p, int g,
                                                                 uint64_t *entry, uint64_t *with)
{
    uint64_t v = 0;
    uint32_t signs = 0, high = 0;
    switch (type) {
    case R1_DTYPE_IQ2_XXS: v = codebook_load64(p + 2 + 8 * g); signs = (uint32_t)(v >> 32); break;
    case R1_DTYPE_IQ2_XS: v = codebook_load64(p + 2 + 8 * g); break;
    case R1_DTYPE_IQ2_S: v = r1i_load32(p + 2 + 4 * g); signs = r1i_load32(p + 34 + 4 * g); high = p[66 + g]; break;
    case R1_DTYPE_IQ3_XXS: v = codebook_load64(p + 2 + 8 * g); signs = r1i_load32(p + 66 + 4 * g); break;
    case R1_DTYPE_IQ3_S: v = codebook_load64(p + 2 + 8 * g); signs = r1i_load32(p + 74 + 4 * g); high =
        p[66 + g]; break;
    case R1_DTYPE_IQ1_S: v = r1i_load32(p + 2 + 4 * g); high = r1i_load16(p + 34 + 2 * g); break;
    default: v = r1i_load32(p + 4 * g); high = r1i_load16(p + 32 + 2 * g); break; /* IQ1_M */
    }
    R1I_UNROLL for (int l = 0; l < 4; l++) {
        uint64_t *e = entry + LANES * l, *w = with + LANES * l;
        const uint64_t byte = (v >> (8 * l)) & 255, two = v >> (16 * l);
        switch (type) {
        case R1_DTYPE_IQ2_XXS:
            *e = r1i_grid_iq2xxs[byte];
            *w = r1i_even_sign_masks[(signs >> (7 * l)) & 127];
            break;
        case R1_DTYPE_IQ2_XS:
            *e = r1i_grid_iq2xs[two & 511];
            *w = r1i_even_sign_masks[(two >> 9) & 127];
            break;
        case R1_DTYPE_IQ2_S:
            *e = r1i_grid_iq2s[byte | (uint64_t)((high >> (2 * l)) & 3) << 8];
            *w = r1i_sign_masks[(signs >> (8 * l)) & 255];
            break;
        case R1_DTYPE_IQ3_XXS:
            *e = codebook_pair(r1i_grid_iq3xxs, two & 255, (two >> 8) & 255);
            *w = r1i_even_sign_masks[(signs >> (7 * l)) & 127];
            break;
        case R1_DTYPE_IQ3_S:
            *e = codebook_pair(r1i_grid_iq3s, (two & 255) | ((high << 8 >> (2 * l)) & 256),
                               ((two >> 8) & 255) | ((high << 7 >> (2 * l)) & 256));
            *w = r1i_sign_masks[(signs >> (8 * l)) & 255];
            break;
        case R1_DTYPE_IQ1_S:
            *e = r1i_grid_iq1[byte | (uint64_t)((high >> (3 * l)) & 7) << 8];
            *w = TILE_BYTES(65) - TILE_BYTES(2) * (high >> 15);
            break;
        default:
            *e = r1i_grid_iq1[byte | (uint64_t)((high >> (4 * l)) & 7) << 8];
            *w = TILE_BYTES(65) - TILE_BYTES(2) * ((high >> (4 * l + 3)) & 1);
            break;
        }
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

static inline __attribute__((always_inline)) void codebook_scales(const r1_dtype type, const uint8_t *b, size_t bytes,
                                                                  quant_tile *restrict t)
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
static inline __attribute__((always_inline)) void tile_codebook(const r1_dtype type, const uint8_t *b,
                                                                quant_tile *restrict t)
{
    const size_t bytes = (size_t)r1i_dtype(type)->block_bytes;
    const bool ternary = type == R1_DTYPE_IQ1_S || type == R1_DTYPE_IQ1_M;
    codebook_scales(type, b, bytes, t);
    for (int g = 0; g < 8; g++) {
        uint64_t entry[4 * LANES], with[4 * LANES];
        for (int n = 0; n < LANES; n++) codebook_group(type, b + (size_t)n * bytes, g, entry + n, with + n);
        for (int i = 0; i < 4 * LANES; i++) {
            const uint64_t e = entry[i], w = with[i];
            entry[i] = ternary ? (w + ((e & TILE_BYTES(1)) << 3)) - (((e >> 7) & TILE_BYTES(1)) << 4)
                               : (e + TILE_BYTES(64)) - ((e & w) << 1);
        }
        uint32_t *q = tile_group(t, g);
        for (int l = 0; l < 4; l++, q += 2 * LANES)
            for (int n = 0; n < LANES; n++) {
                q[n] = (uint32_t)entry[LANES * l + n];
                q[LANES + n] = (uint32_t)(entry[LANES * l + n] >> 32);
            }
    }
}

#endif
