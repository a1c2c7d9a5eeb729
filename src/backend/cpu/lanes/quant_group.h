/* Panel blocks taken apart in registers: any vector of a span of 256 columns (64 bytes: four columns of 16 outputs) as
 * bytes that 8-bit dot products multiply, and any group's scale and minimum. Many rows store them as a tile first
 * (quant_tile.h), few rows multiply what is here; either way a type is described once. Included after v512.h or v256.h,
 * which say what sixteen lanes are.
 *
 * The includer defines TILE_WIDE_BIAS: 0x80 to have the 8-bit types as q + 128, 0 to have them signed. */
#ifndef R1I_QUANT_GROUP_H
#define R1I_QUANT_GROUP_H

#include "backend/cpu/lanes/unroll.h"
#include "tensor/codebook.h"
#include "tensor/codec.h"
#include "tensor/panel.h"
#include "tensor/panel_order.h"

enum { LANES = R1I_PANEL_ROWS, TILE_K = 256, TILE_GROUPS = 8 };

/* The types described here: all but those looked up entry by entry in a codebook. */
#define GROUP_TYPES(X) \
    X(Q4_0) X(Q4_1) X(Q5_0) X(Q5_1) X(Q8_0) X(IQ4_NL) X(MXFP4) X(Q2_K) X(Q3_K) X(Q4_K) X(Q5_K) X(Q6_K) X(IQ4_XS)

/* The others. */
#define CODEBOOK_TYPES(X) X(IQ2_XXS) X(IQ2_XS) X(IQ2_S) X(IQ3_XXS) X(IQ3_S) X(IQ1_S) X(IQ1_M)

/* How a type's products are added up. Types without min store q + offset, an unsigned byte. Switches, not tables: where
 * the type is known to the compiler, so is the answer. */
typedef enum tile_kind { TILE_OFFSET_32, TILE_OFFSET_16, TILE_MIN_32, TILE_MIN_16 } tile_kind;

R1I_INLINE tile_kind tile_kind_of(r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q4_1: case R1_DTYPE_Q5_1: case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K: return TILE_MIN_32;
    case R1_DTYPE_Q2_K: return TILE_MIN_16;
    case R1_DTYPE_Q3_K: case R1_DTYPE_Q6_K: case R1_DTYPE_IQ2_XS: case R1_DTYPE_IQ2_S:
    case R1_DTYPE_IQ1_M: return TILE_OFFSET_16;
    default: return TILE_OFFSET_32;
    }
}
R1I_INLINE bool kind_has_min(tile_kind kind) { return kind == TILE_MIN_32 || kind == TILE_MIN_16; }
/* Scales of a group: one, or one for each half. */
R1I_INLINE int kind_parts(tile_kind kind) { return kind == TILE_OFFSET_16 || kind == TILE_MIN_16 ? 2 : 1; }

R1I_INLINE int tile_offset(r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q4_0: return 8;
    case R1_DTYPE_Q5_0: case R1_DTYPE_MXFP4: return 16;
    case R1_DTYPE_Q8_0: case R1_DTYPE_IQ4_NL: case R1_DTYPE_IQ4_XS: return TILE_WIDE_BIAS;
    case R1_DTYPE_Q3_K: return 4;
    case R1_DTYPE_Q6_K: return 32;
    default: return kind_has_min(tile_kind_of(type)) ? 0 : 64; /* codebook types: -62..62 */
    }
}

/* Bytes of a panel block of the types whose blocks are single groups. */
R1I_INLINE int64_t group_bytes(const r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q4_1: return 20 * LANES;
    case R1_DTYPE_Q5_0: return 22 * LANES;
    case R1_DTYPE_Q5_1: return 24 * LANES;
    case R1_DTYPE_Q8_0: return 34 * LANES;
    case R1_DTYPE_MXFP4: return 17 * LANES;
    default: return 18 * LANES; /* Q4_0, IQ4_NL */
    }
}

/* Bytes of a span of the types with blocks of 256 columns. */
R1I_INLINE int64_t span_bytes(const r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q2_K: return 84 * LANES;
    case R1_DTYPE_Q3_K: return 110 * LANES;
    case R1_DTYPE_Q4_K: return 144 * LANES;
    case R1_DTYPE_Q5_K: return 176 * LANES;
    case R1_DTYPE_Q6_K: return 210 * LANES;
    case R1_DTYPE_IQ4_XS: return 136 * LANES;
    default: return 0;
    }
}
R1I_INLINE bool group_of_k(const r1_dtype type) { return span_bytes(type) > 0; }

/* The types with blocks of 256 columns take long over a span, and most of them jump about in it, so that the
 * prefetchers fall behind: their bytes are asked for QUANT_LEAD ahead, an eighth of the span with each group. Two cores
 * of a Zen 4 that read 50 to 60 GB/s, GB/s of weights
 * without and with it: IQ4_XS 48 and 58, Q3_K 30 and 35, Q2_K 23 and 28. Nearer than 8 KB costs instead. Types
 * with blocks of 32 are streams that asking only slows (Q8_0 56 to 40, Q4_1 61 to 50). */
enum { QUANT_LEAD = 12288 };
/* Q4_K's bytes are read in order, so the prefetchers follow them, up to the end of a page of 4 KB: there they have to
 * learn the stream anew. Asked for the first lines of the next page, and for nothing else, two cores read 3 to 6 % more
 * where memory gives 31 GB/s, and as much where it gives 55. */
enum { QUANT_PAGE = 4096, QUANT_PAGE_LINES = 8 };
R1I_INLINE bool group_in_order(const r1_dtype type)
{
    return type == R1_DTYPE_Q3_K || type == R1_DTYPE_Q4_K || type == R1_DTYPE_Q5_K || type == R1_DTYPE_Q6_K;
}
static inline void page_ahead(const uint8_t *span, uint64_t bytes)
{
    const uintptr_t from = (uintptr_t)span + QUANT_PAGE, page = (from + bytes - 1) / QUANT_PAGE * QUANT_PAGE;
    if (page < from) return; /* no page begins while this span is read, a page further on */
    for (int i = 0; i < QUANT_PAGE_LINES; i++) __builtin_prefetch((const uint8_t *)page + 64 * i, 0, 2);
}

/* Zen 5 (R1I_CPU_NEAR) follows no panel well, whatever its type, and its first-level cache holds 48 KB: each span's
 * lines are asked for into that one, 8 KB ahead. One core, one row of 1536 columns, GB/s of weights before and with it:
 * Q4_K 22 and 50, Q6_K 16 and 45, Q5_K 17 and 48, IQ4_XS 22 and 49, Q4_1 36 and 48. 4 KB or 16 KB ahead: a tenth less.
 * Into the second-level cache: 37 and 38. K types ask for a span at once; by groups a token takes 1.08 (1.5B) to 1.15
 * (R1 in Q4_K) of the time. Types with blocks of 32 ask by groups (group_ahead): 0.93 to 0.95 of the time at once
 * (0.5B, SmolLM2). */
enum { QUANT_NEAR = 8192 };
static inline const uint8_t *near_at(const uint8_t *span, const uint8_t *end)
{
    return end - span > QUANT_NEAR ? span + QUANT_NEAR : span;
}
static inline void near_ahead(const uint8_t *span, const uint8_t *end, int64_t bytes)
{
    const uint8_t *const from = near_at(span, end);
    for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(from + at, 0, 3);
}

/* What belongs to group g of the span to ask for: NULL where none is. */
R1I_INLINE void group_ahead(const r1_dtype type, const uint8_t *span, int g)
{
    if (group_in_order(type) || !span) return;
    const bool k = group_of_k(type);
    const int64_t part = k ? span_bytes(type) / TILE_GROUPS : group_bytes(type);
    R1I_UNROLL for (int64_t at = 0; at < part; at += 64) {
        if (k) __builtin_prefetch(span + part * g + at, 0, 2);
        else __builtin_prefetch(span + part * g + at, 0, 3);
    }
}

/* ---- bytes ---- */

R1I_INLINE w16 low_nibbles(w16 v) { return w16_and(v, w16_set1(0x0f0f0f0fu)); }
/* Of four vectors at qs: 0..3 their low nibbles, 4..7 the high ones. */
R1I_INLINE w16 nibbles_at(const uint8_t *qs, int i)
{
    const w16 v = w16_load(qs + 64 * (i & 3));
    return low_nibbles(i < 4 ? v : w16_shr(v, 4));
}
/* The bits of `mask`, moved up or down by `from` to `to`. */
R1I_INLINE w16 bits_at(const uint8_t *p, int from, int to, uint32_t mask)
{
    const w16 v = w16_load(p);
    return w16_and(from > to ? w16_shr(v, from - to) : from < to ? w16_shl(v, to - from) : v, w16_set1(mask));
}

/* A group's lines of the types in reading order: what each bit means, see tensor/panel_order.h. */
R1I_INLINE w16 q3_vector(const uint8_t *p, int i)
{
    if (i == 3) return w16_or(bits_at(p, 6, 0, 0x03030303u), bits_at(p + 64, 6, 2, 0x04040404u));
    if (i == 7) return w16_or(bits_at(p + 64, 7, 0, 0x01010101u), bits_at(p + 128, 6, 1, 0x06060606u));
    return bits_at(p + 64 * (i & 3), 3 * (i >> 2), 0, 0x07070707u);
}
R1I_INLINE w16 q5_vector(const uint8_t *p, int i)
{
    if (i < 5) return bits_at(p + 64 * i, 0, 0, 0x1f1f1f1fu);
    const w16 high = bits_at(p + (i < 7 ? 128 * (i - 5) : 256), 3, 0, 0x1c1c1c1cu);
    if (i < 7) return w16_or(high, bits_at(p + 128 * (i - 5) + 64, 5, 0, 0x03030303u));
    return w16_or(w16_or(high, bits_at(p + 64, 6, 0, 0x02020202u)), bits_at(p + 192, 7, 0, 0x01010101u));
}
R1I_INLINE w16 q6_vector(const uint8_t *p, int i)
{
    p += 192 * (i >> 2);
    if ((i & 3) < 3) return bits_at(p + 64 * (i & 3), 0, 0, 0x3f3f3f3fu);
    return w16_or(w16_or(bits_at(p, 6, 0, 0x03030303u), bits_at(p + 64, 6, 2, 0x0c0c0c0cu)),
                  bits_at(p + 128, 6, 4, 0x30303030u));
}
R1I_INLINE const uint8_t *q3_group(const uint8_t *b, int g)
{
    return r1i_paired_lines(b) + R1I_Q3_HEAD + R1I_Q3_GROUP * g;
}
R1I_INLINE const uint8_t *q5_group(const uint8_t *b, int g) { return b + R1I_Q5_HEAD + R1I_Q5_GROUP * g; }
R1I_INLINE const uint8_t *q6_group(const uint8_t *b, int g)
{
    return r1i_paired_lines(b) + R1I_Q6_HEAD + R1I_Q6_GROUP * g;
}

/* Vector i of group g of the span at b: lane n byte t is column 32 g + 4 i + t of output n, plus the type's offset
 * (tile_offset). */
R1I_INLINE w16 group_vector(const r1_dtype type, const uint8_t *b, int g, int i)
{
    const uint8_t *const block = b + group_bytes(type) * g; /* of the types with blocks of 32 */
    switch (type) {
    case R1_DTYPE_Q4_1: return nibbles_at(block + 64, i);
    case R1_DTYPE_Q5_0: return w16_or(nibbles_at(block + 96, i), w16_fifth(w16_load(block + 32), i));
    case R1_DTYPE_Q5_1: return w16_or(nibbles_at(block + 128, i), w16_fifth(w16_load(block + 64), i));
    case R1_DTYPE_Q8_0: return w16_xor(w16_load(block + 32 + 64 * i), w16_set1(TILE_WIDE_BIAS * 0x01010101u));
    case R1_DTYPE_IQ4_NL: return w16_table(nibbles_at(block + 32, i), r1i_iq4_values, TILE_WIDE_BIAS);
    case R1_DTYPE_MXFP4: return w16_table(nibbles_at(block + 16, i), r1i_mxfp4_values, 16);
    case R1_DTYPE_IQ4_XS: return w16_table(nibbles_at(b + 128 + 256 * g, i), r1i_iq4_values, TILE_WIDE_BIAS);
    case R1_DTYPE_Q2_K: return bits_at(b + 320 + 512 * (g >> 2) + 64 * i, 2 * (g & 3), 0, 0x03030303u);
    case R1_DTYPE_Q3_K: return q3_vector(q3_group(b, g), i);
    case R1_DTYPE_Q4_K: return bits_at(b + 256 + 512 * (g >> 1) + 64 * i, 4 * (g & 1), 0, 0x0f0f0f0fu);
    case R1_DTYPE_Q5_K: return q5_vector(q5_group(b, g), i);
    case R1_DTYPE_Q6_K: return q6_vector(q6_group(b, g), i);
    default: return nibbles_at(block + 32, i); /* Q4_0 */
    }
}

/* ---- scales: the roundings of tensor/unpack.c ---- */

/* What a K block says once for its 256 columns. */
typedef struct span_head {
    v16 d, dmin;
    w16 scale[4], min[2]; /* a byte for each group or half */
} span_head;

R1I_INLINE void head_read(const r1_dtype type, const uint8_t *b, span_head *h)
{
    switch (type) {
    case R1_DTYPE_Q2_K:
        h->dmin = v16_halves(b + 32);
        R1I_UNROLL for (int w = 0; w < 4; w++) h->scale[w] = w16_load(b + 64 + 64 * w);
        break;
    case R1_DTYPE_Q3_K: {
        const uint8_t *const p = r1i_paired_lines(b);
        const w16 a[3] = {w16_load(p), w16_load(p + 64), w16_load(p + 128)}, sign = w16_set1(0x80808080u);
        R1I_UNROLL for (int w = 0; w < 4; w++) {
            const w16 high = w16_and(w16_shr(a[2], 2 * w), w16_set1(0x03030303u));
            const w16 code = w16_or(low_nibbles(w16_shr(a[w & 1], 4 * (w >> 1))), w16_shl(high, 4));
            h->scale[w] = w16_xor(w16_sub(w16_or(code, sign), w16_set1(0x20202020u)), sign); /* bytewise - 32 */
        }
        h->d = v16_halves(r1i_q3_d(b));
        return;
    }
    case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K: {
        const w16 a0 = w16_load(b + 64), a1 = w16_load(b + 128), a2 = w16_load(b + 192), six = w16_set1(0x3f3f3f3fu),
                  top = w16_set1(0x30303030u);
        h->dmin = v16_halves(b + 32);
        h->scale[0] = w16_and(a0, six);
        h->scale[1] = w16_or(low_nibbles(a2), w16_and(w16_shr(a0, 2), top));
        h->min[0] = w16_and(a1, six);
        h->min[1] = w16_or(low_nibbles(w16_shr(a2, 4)), w16_and(w16_shr(a1, 2), top));
        break;
    }
    case R1_DTYPE_Q6_K:
        R1I_UNROLL for (int w = 0; w < 4; w++) h->scale[w] = w16_load(r1i_paired_lines(b) + 64 * w);
        h->d = v16_halves(r1i_q6_d(b));
        return;
    case R1_DTYPE_IQ4_XS:
        h->scale[0] = w16_load(b + 64);
        h->scale[1] = w16_u16(b + 32);
        break;
    default: return; /* blocks of 32 have no head */
    }
    h->d = v16_halves(b);
}

R1I_INLINE v16 times(v16 d, w16 code) { return v16_mul(d, v16_of_words(code)); }
R1I_INLINE w16 field(w16 v, int shift, uint32_t mask) { return w16_and(w16_shr(v, shift), w16_set1(mask)); }

static inline v16 mxfp4_scale(const uint8_t *e)
{
    float scale[LANES];
    for (int n = 0; n < LANES; n++)
        scale[n] = r1i_f32_from_bits(e[n] >= 2 ? ((uint32_t)e[n] - 1) << 23 : 0x00200000u << e[n]);
    return v16_load(scale);
}

/* Scale of group g, or of half `at & 1` of group `at / 2` where it changes every 16 columns. */
R1I_INLINE v16 group_scale(const r1_dtype type, const span_head *h, const uint8_t *b, int at)
{
    switch (type) {
    case R1_DTYPE_Q2_K: return v16_mul(h->d, v16_of_nibbles(w16_shr(h->scale[at >> 2], 8 * (at & 3))));
    case R1_DTYPE_Q3_K: case R1_DTYPE_Q6_K: return times(h->d, w16_signed_byte(h->scale[at >> 2], at & 3));
    case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K: return times(h->d, field(h->scale[at >> 2], 8 * (at & 3), 255));
    case R1_DTYPE_IQ4_XS: {
        const w16 code = w16_or(field(h->scale[0], 4 * at, 15), w16_shl(field(h->scale[1], 2 * at, 3), 4));
        return times(h->d, w16_sub(code, w16_set1(32)));
    }
    case R1_DTYPE_MXFP4: return mxfp4_scale(b + group_bytes(type) * at);
    default: return v16_halves(b + group_bytes(type) * at);
    }
}

/* The same for the minimum, of types that have one. */
R1I_INLINE v16 group_min(const r1_dtype type, const span_head *h, const uint8_t *b, int at)
{
    switch (type) {
    case R1_DTYPE_Q2_K: return v16_mul(h->dmin, v16_of_nibbles(w16_shr(h->scale[at >> 2], 8 * (at & 3) + 4)));
    case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K: return times(h->dmin, field(h->min[at >> 2], 8 * (at & 3), 255));
    default: return v16_neg(v16_halves(b + group_bytes(type) * at + 32)); /* Q4_1, Q5_1 */
    }
}

#endif
