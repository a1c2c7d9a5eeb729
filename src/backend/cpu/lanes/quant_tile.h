/* Panel blocks taken apart: 256 columns of 16 outputs as bytes that 8-bit dot products multiply, with their scales. One
 * decoder a type, written as plain loops over the 16 lanes that compilers turn into vector code; avx2/ and avx512/ include
 * this file and compile it for their own instruction set (it defines static functions only).
 *
 * The includer defines first:
 *   tile_halves(src, out)             16 halves to f32
 *   tile_table_nibbles(q, qs, table, bias)  tile_nibbles with each nibble n replaced by table[n] + bias
 *   TILE_WIDE_BIAS                    0x80 to store the 8-bit types as q + 128, 0 to store them signed */
#ifndef R1I_QUANT_TILE_H
#define R1I_QUANT_TILE_H

#include "backend/cpu/kernels.h"
#include "tensor/codebook.h"
#include "tensor/codec.h"
#include "tensor/panel.h"

#if defined(__clang__)
#define TILE_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TILE_UNROLL _Pragma("GCC unroll 16")
#endif

enum { TILE_K = 256, TILE_GROUPS = 8, TILE_PANELS = 2, LANES = R1I_PANEL_ROWS };

/* Lane n byte t of vector 8 g + i of q is column 32 g + 4 i + t of output n, plus the type's offset. scale and min belong to groups of 32
 * (entry g), or of 16 (entry 2 g + half). */
typedef struct quant_tile {
    _Alignas(64) uint32_t q[TILE_K / 4 * LANES];
    float scale[16][LANES];
    float min[16][LANES];
} quant_tile;

/* 8-bit activations from some row and column on. */
typedef struct q8_rows {
    const int8_t *q;      /* stride cols */
    const float *d;       /* stride cols / 32 */
    const int32_t *sum16; /* stride cols / 16 */
    int64_t cols;
    int groups;           /* of 32 columns in this step */
    int first;            /* the tile's group that q, d and sum16 begin at */
    const uint8_t *fine;  /* stride 1: groups with fine terms */
    const int8_t *fine_q; /* as q, d, sum16 */
    const float *fine_d;
    const int32_t *fine_sum16;
} q8_rows;

/* Sums of one row, a vector a panel. */
typedef float acc_row[TILE_PANELS][LANES];

/* How a type's products are added up. Types without min store q + offset, an unsigned byte. */
typedef enum tile_kind { TILE_OFFSET_32, TILE_OFFSET_16, TILE_MIN_32, TILE_MIN_16 } tile_kind;

typedef uint32_t word_any __attribute__((aligned(1), may_alias));
typedef uint16_t half_any __attribute__((aligned(1), may_alias));

/* The eight vectors of group g. */
static inline uint32_t *tile_group(quant_tile *t, int g) { return t->q + 8 * LANES * g; }

static inline tile_kind tile_kind_of(r1_dtype type)
{
    if (r1i_type_has_min(type)) return r1i_type_scale_16(type) ? TILE_MIN_16 : TILE_MIN_32;
    return r1i_type_scale_16(type) ? TILE_OFFSET_16 : TILE_OFFSET_32;
}

static inline int tile_offset(r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q4_0: return 8;
    case R1_DTYPE_Q5_0: case R1_DTYPE_MXFP4: return 16;
    case R1_DTYPE_Q8_0: case R1_DTYPE_IQ4_NL: case R1_DTYPE_IQ4_XS: return TILE_WIDE_BIAS;
    case R1_DTYPE_Q3_K: return 4;
    case R1_DTYPE_Q6_K: return 32;
    default: return r1i_type_has_min(type) ? 0 : 64; /* codebook types: -62..62 */
    }
}

/* ---- blocks of 32: one group ---- */

static inline void tile_nibbles(uint32_t *restrict q, const word_any *restrict qs)
{
    for (int n = 0; n < 4 * LANES; n++) {
        q[n] = qs[n] & 0x0f0f0f0fu;
        q[4 * LANES + n] = (qs[n] >> 4) & 0x0f0f0f0fu;
    }
}

/* Bits 4 i .. 4 i + 3 of a word, one in bit 4 of each byte: one product spreads four bits over four bytes. */
static inline uint32_t tile_fifth(uint32_t qh, int i) { return (((qh >> (4 * i)) & 15u) * (0x00204081u << 4)) & 0x10101010u; }

static inline void tile_five_bits(uint32_t *restrict q, const word_any *restrict qs, const word_any *restrict qh)
{
    TILE_UNROLL for (int i = 0; i < 4; i++)
        for (int n = 0; n < LANES; n++) {
            const uint32_t v = qs[LANES * i + n];
            q[LANES * i + n] = (v & 0x0f0f0f0fu) | tile_fifth(qh[n], i);
            q[LANES * (4 + i) + n] = ((v >> 4) & 0x0f0f0f0fu) | tile_fifth(qh[n], 4 + i);
        }
}

static inline void tile_minus_halves(const uint8_t *src, float *restrict out)
{
    tile_halves(src, out);
    for (int n = 0; n < LANES; n++) out[n] = -out[n];
}

static inline void tile_mxfp4_scale(const uint8_t *e, float *restrict out)
{
    uint32_t bits[LANES];
    for (int n = 0; n < LANES; n++) bits[n] = e[n] >= 2 ? ((uint32_t)e[n] - 1) << 23 : 0x00200000u << e[n];
    memcpy(out, bits, sizeof bits);
}

static inline void tile_group_32(r1_dtype type, const uint8_t *b, quant_tile *restrict t, int g)
{
    uint32_t *q = tile_group(t, g);
    if (type == R1_DTYPE_MXFP4) tile_mxfp4_scale(b, t->scale[g]);
    else tile_halves(b, t->scale[g]);
    switch (type) {
    case R1_DTYPE_Q4_1:
        tile_minus_halves(b + 32, t->min[g]);
        tile_nibbles(q, (const word_any *)(b + 64));
        return;
    case R1_DTYPE_Q5_0:
        tile_five_bits(q, (const word_any *)(b + 96), (const word_any *)(b + 32));
        return;
    case R1_DTYPE_Q5_1:
        tile_minus_halves(b + 32, t->min[g]);
        tile_five_bits(q, (const word_any *)(b + 128), (const word_any *)(b + 64));
        return;
    case R1_DTYPE_Q8_0: {
        const word_any *qs = (const word_any *)(b + 32);
        for (int n = 0; n < 8 * LANES; n++) q[n] = qs[n] ^ TILE_WIDE_BIAS * 0x01010101u;
        return;
    }
    case R1_DTYPE_IQ4_NL:
        tile_table_nibbles(q, b + 32, r1i_iq4_values, TILE_WIDE_BIAS);
        return;
    case R1_DTYPE_MXFP4:
        tile_table_nibbles(q, b + 16, r1i_mxfp4_values, 16);
        return;
    default: /* Q4_0 */
        tile_nibbles(q, (const word_any *)(b + 32));
        return;
    }
}

/* ---- K blocks of 256 ---- */

/* scale[4 w + t] = d * byte t of words[w] */
static inline void tile_scales(float (*restrict scale)[LANES], int words, const uint32_t (*restrict code)[LANES], const float *restrict d)
{
    for (int w = 0; w < words; w++)
        TILE_UNROLL for (int t = 0; t < 4; t++)
            for (int n = 0; n < LANES; n++) scale[4 * w + t][n] = d[n] * (float)(int32_t)((code[w][n] >> (8 * t)) & 255u);
}

static inline void tile_signed_scales(float (*restrict scale)[LANES], const uint32_t (*restrict code)[LANES], const float *restrict d)
{
    for (int w = 0; w < 4; w++)
        TILE_UNROLL for (int t = 0; t < 4; t++)
            for (int n = 0; n < LANES; n++) scale[4 * w + t][n] = d[n] * (float)((int32_t)(code[w][n] << (24 - 8 * t)) >> 24);
}

/* A group's eight vectors of bytes: the bits of src's bytes from `shift` up. Shifts cross from byte to byte, masks take that
 * back. */
static inline void tile_field(uint32_t *restrict q, const word_any *restrict src, int shift, uint32_t mask)
{
    for (int n = 0; n < 8 * LANES; n++) q[n] = (src[n] >> shift) & mask;
}

/* The same with high bits from a second field, moved from bit `from` to bit `to`. */
static inline void tile_join(uint32_t *restrict q, const word_any *restrict low, int shift, uint32_t low_mask,
                             const word_any *restrict high, int from, int to, uint32_t high_mask)
{
    const int down = from > to ? from - to : 0, up = to > from ? to - from : 0;
    for (int n = 0; n < 8 * LANES; n++) q[n] = ((low[n] >> shift) & low_mask) | ((high[n] << up >> down) & high_mask);
}

static inline void tile_q2_k(const uint8_t *b, quant_tile *restrict t)
{
    float d[LANES], dmin[LANES];
    uint32_t low[4][LANES], high[4][LANES];
    const word_any *s = (const word_any *)(b + 64), *qs = (const word_any *)(b + 320);
    tile_halves(b, d);
    tile_halves(b + 32, dmin);
    for (int w = 0; w < 4; w++)
        for (int n = 0; n < LANES; n++) {
            low[w][n] = s[w * LANES + n] & 0x0f0f0f0fu;
            high[w][n] = (s[w * LANES + n] >> 4) & 0x0f0f0f0fu;
        }
    tile_scales(t->scale, 4, (const uint32_t(*)[LANES])low, d);
    tile_scales(t->min, 4, (const uint32_t(*)[LANES])high, dmin);
    TILE_UNROLL for (int g = 0; g < 8; g++) tile_field(tile_group(t, g), qs + 128 * (g >> 2), 2 * (g & 3), 0x03030303u);
}

static inline void tile_q3_k(const uint8_t *b, quant_tile *restrict t)
{
    float d[LANES];
    uint32_t sc[4][LANES];
    const word_any *s = (const word_any *)(b + 32), *hm = (const word_any *)(b + 224), *qs = (const word_any *)(b + 736);
    tile_halves(b, d);
    for (int w = 0; w < 4; w++)
        for (int n = 0; n < LANES; n++) {
            const uint32_t low = (s[(w & 1) * LANES + n] >> (4 * (w >> 1))) & 0x0f0f0f0fu;
            const uint32_t high = (s[2 * LANES + n] >> (2 * w)) & 0x03030303u;
            sc[w][n] = (((low | high << 4) | 0x80808080u) - 0x20202020u) ^ 0x80808080u; /* bytewise - 32 */
        }
    tile_signed_scales(t->scale, (const uint32_t(*)[LANES])sc, d);
    uint32_t high[8 * LANES]; /* read first, in the order of memory */
    memcpy(high, hm, sizeof high);
    TILE_UNROLL for (int g = 0; g < 8; g++)
        tile_join(tile_group(t, g), qs + 128 * (g >> 2), 2 * (g & 3), 0x03030303u, high, g, 2, 0x04040404u);
}

/* d, dmin and the twelve scale bytes, common to Q4_K and Q5_K. */
static inline void tile_k4_scales(const uint8_t *b, quant_tile *restrict t)
{
    float d[LANES], dmin[LANES];
    uint32_t sc[2][LANES], mn[2][LANES];
    const word_any *s = (const word_any *)(b + 64);
    tile_halves(b, d);
    tile_halves(b + 32, dmin);
    for (int n = 0; n < LANES; n++) {
        const uint32_t a0 = s[n], a1 = s[LANES + n], a2 = s[2 * LANES + n];
        sc[0][n] = a0 & 0x3f3f3f3fu;
        mn[0][n] = a1 & 0x3f3f3f3fu;
        sc[1][n] = (a2 & 0x0f0f0f0fu) | ((a0 >> 6) & 0x03030303u) << 4;
        mn[1][n] = ((a2 >> 4) & 0x0f0f0f0fu) | ((a1 >> 6) & 0x03030303u) << 4;
    }
    tile_scales(t->scale, 2, (const uint32_t(*)[LANES])sc, d);
    tile_scales(t->min, 2, (const uint32_t(*)[LANES])mn, dmin);
}

static inline void tile_q4_k(const uint8_t *b, quant_tile *restrict t)
{
    const word_any *qs = (const word_any *)(b + 256);
    tile_k4_scales(b, t);
    TILE_UNROLL for (int g = 0; g < 8; g++) tile_field(tile_group(t, g), qs + 128 * (g >> 1), 4 * (g & 1), 0x0f0f0f0fu);
}

static inline void tile_q5_k(const uint8_t *b, quant_tile *restrict t)
{
    const word_any *qh = (const word_any *)(b + 256), *qs = (const word_any *)(b + 768);
    uint32_t high[8 * LANES]; /* read first, in the order of memory */
    memcpy(high, qh, sizeof high);
    tile_k4_scales(b, t);
    TILE_UNROLL for (int g = 0; g < 8; g++)
        tile_join(tile_group(t, g), qs + 128 * (g >> 1), 4 * (g & 1), 0x0f0f0f0fu, high, g, 4, 0x10101010u);
}

static inline void tile_q6_k(const uint8_t *b, quant_tile *restrict t)
{
    float d[LANES];
    uint32_t sc[4][LANES];
    const word_any *ql = (const word_any *)(b + 288), *qh = (const word_any *)(b + 2336);
    tile_halves(b, d);
    memcpy(sc, b + 32, sizeof sc);
    tile_signed_scales(t->scale, (const uint32_t(*)[LANES])sc, d);
    /* All of ql, then all of qh: read in the order of memory, or the prefetchers lose the stream: 4.5 GB/s against 15
     * of a Zen 4 core's 16. */
    for (int i = 0; i < 4; i++) {
        uint32_t *q = tile_group(t, (i & 1) + 4 * (i >> 1));
        for (int n = 0; n < 8 * LANES; n++) {
            const uint32_t v = ql[128 * i + n];
            q[n] = v & 0x0f0f0f0fu;
            q[16 * LANES + n] = (v >> 4) & 0x0f0f0f0fu;
        }
    }
    for (int half = 0; half < 2; half++) {
        uint32_t *q = tile_group(t, 4 * half);
        for (int n = 0; n < 8 * LANES; n++) {
            const uint32_t v = qh[128 * half + n];
            q[n] |= (v << 4) & 0x30303030u;
            q[8 * LANES + n] |= (v << 2) & 0x30303030u;
            q[16 * LANES + n] |= v & 0x30303030u;
            q[24 * LANES + n] |= (v >> 2) & 0x30303030u;
        }
    }
}

static inline void tile_iq4_xs(const uint8_t *b, quant_tile *restrict t)
{
    float d[LANES];
    const half_any *high = (const half_any *)(b + 32);
    const word_any *low = (const word_any *)(b + 64);
    tile_halves(b, d);
    for (int g = 0; g < 8; g++) {
        for (int n = 0; n < LANES; n++) { /* nibble g of the word: byte g / 2, low one first */
            const uint32_t ls = ((low[n] >> (4 * g)) & 15u) | (((uint32_t)high[n] >> (2 * g)) & 3u) << 4;
            t->scale[g][n] = d[n] * (float)((int32_t)ls - 32);
        }
        tile_table_nibbles(tile_group(t, g), b + 128 + 256 * g, r1i_iq4_values, TILE_WIDE_BIAS);
    }
}

#include "backend/cpu/lanes/quant_codebook.h"

/* Panel bytes of up to 256 columns (`groups` groups of 32) to a tile. */
static __attribute__((noinline)) void tile_unpack(r1_dtype type, const uint8_t *b, int groups, quant_tile *restrict t)
{
    switch (type) {
    case R1_DTYPE_Q2_K: tile_q2_k(b, t); return;
    case R1_DTYPE_Q3_K: tile_q3_k(b, t); return;
    case R1_DTYPE_Q4_K: tile_q4_k(b, t); return;
    case R1_DTYPE_Q5_K: tile_q5_k(b, t); return;
    case R1_DTYPE_Q6_K: tile_q6_k(b, t); return;
    case R1_DTYPE_IQ4_XS: tile_iq4_xs(b, t); return;
#define CASE(name, bytes)                                                                                         \
    case R1_DTYPE_##name:                                                                                         \
        for (int g = 0; g < groups; g++) tile_group_32(R1_DTYPE_##name, b + (bytes) * LANES * g, t, g);           \
        return
    CASE(Q4_0, 18);
    CASE(Q4_1, 20);
    CASE(Q5_0, 22);
    CASE(Q5_1, 24);
    CASE(Q8_0, 34);
    CASE(IQ4_NL, 18);
    CASE(MXFP4, 17);
#undef CASE
#define CASE(name) case R1_DTYPE_##name: tile_codebook(R1_DTYPE_##name, b, t); return
    CASE(IQ2_XXS);
    CASE(IQ2_XS);
    CASE(IQ2_S);
    CASE(IQ3_XXS);
    CASE(IQ3_S);
    CASE(IQ1_S);
    CASE(IQ1_M);
#undef CASE
    default: return;
    }
}

#endif
