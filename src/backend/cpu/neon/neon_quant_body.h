/* Products of block-type weights over 128-bit registers. Four rows by one panel keep 16 integer sums in registers; a
 * weight vector serves four rows. Included once by each file that says how bytes are multiplied:
 *
 *   dot_two(sum, w0, w1, x, i)   sum's lanes + the products of w0's four bytes a lane with quad i of x and of w1's with
 *   quad i + 1 */
#ifndef R1I_NEON_QUANT_BODY_H
#define R1I_NEON_QUANT_BODY_H

#define TILE_WIDE_BIAS 0

#include "backend/cpu/lanes/quant_tile.h"

enum { MICRO_ROWS = 4, MICRO_ASKS = 0, FEW_ROWS = 2 };
static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                          int64_t n, acc_row *acc);
static void fine_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                      int64_t rows, acc_row *acc);
static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc);
static inline bool some_panels(const r1i_linear_job *job, int64_t p0, int64_t p1, int64_t m0, int64_t rows, bool near)
{
    (void)job, (void)p0, (void)p1, (void)m0, (void)rows, (void)near;
    return false;
}
#include "backend/cpu/lanes/quant_driver.h"
#include "backend/cpu/lanes/quant_exact.h"

/* What a row's chain needs beside products, for the groups (or halves) of this step. Types with min: d_x *
 * (float)sum_x; else where the integer sum starts, -offset * sum_x. */
R1I_INLINE void row_sums(const tile_kind kind, int offset, const q8_rows *in, int64_t row, int32_t start[16],
                         float dsum[16])
{
    const int parts = kind_parts(kind);
    const int32_t *const s = in->sum16 + row * (in->cols / 16);
    const float *const d = in->d + row * (in->cols / 32);
    for (int at = 0; at < parts * in->groups; at++) {
        const int32_t sum = parts == 2 ? s[at] : s[2 * at] + s[2 * at + 1];
        if (kind_has_min(kind)) dsum[at] = d[at / parts] * (float)sum;
        else start[at] = -offset * sum;
    }
}

/* Where a product's weights come from: a tile, or (types of group_vector) the panel's own bytes. */
#define FROM_TILE R1_DTYPE_COUNT

R1I_INLINE w16 weight_vector(const r1_dtype from, const void *src, int g, int i)
{
    return from == FROM_TILE ? w16_load(((const quant_tile *)src)->q + LANES * (8 * g + i))
        : group_vector(from, src, g, i);
}

/* Columns 4 * first ... of group g: integer sums of R rows. */
R1I_INLINE void dots(const int R, const int quads, const r1_dtype from, const void *src, const q8_rows *in,
                     const int32_t *row, int g, int first, int32x4_t dot[MICRO_ROWS][4])
{
    R1I_UNROLL for (int r = 0; r < R; r++)
        R1I_UNROLL for (int v = 0; v < 4; v++) dot[r][v] = vdupq_n_s32(0);
    R1I_UNROLL for (int h = 0; h < quads; h += 4) {
        int8x16_t x[MICRO_ROWS];
        R1I_UNROLL for (int r = 0; r < R; r++) x[r] = vld1q_s8(in->q + row[r] * in->cols + 32 * g + 4 * (first + h));
        R1I_UNROLL for (int i = 0; i < 4; i += 2) {
            const w16 w0 = weight_vector(from, src, in->first + g, first + h + i),
                      w1 = weight_vector(from, src, in->first + g, first + h + i + 1);
            R1I_UNROLL for (int r = 0; r < R; r++) {
                dot[r][0] = dot_two(dot[r][0], w0.a, w1.a, x[r], i);
                dot[r][1] = dot_two(dot[r][1], w0.b, w1.b, x[r], i);
                dot[r][2] = dot_two(dot[r][2], w0.c, w1.c, x[r], i);
                dot[r][3] = dot_two(dot[r][3], w0.d, w1.d, x[r], i);
            }
        }
    }
}

/* R rows by one panel; row r's sums at acc + row[r] * TILE_PANELS * LANES. src: the tile, or the panel's span. The
 * float sums stay in the first-level cache: 32 registers hold the integers of four rows, and a group's 32 columns pay
 * for the loads. */
R1I_INLINE void micro(const int R, const r1_dtype from, const tile_kind kind, int offset, const void *src,
                      const q8_rows *in, const int32_t *row, float *acc)
{
    const bool has_min = kind_has_min(kind);
    const int parts = kind_parts(kind), quads = 8 / parts;
    const quant_tile *const tile = src;
    int32_t start[MICRO_ROWS][16];
    float dsum[MICRO_ROWS][16];
    span_head head;
    if (from != FROM_TILE) head_read(from, src, &head);
    for (int r = 0; r < R; r++) row_sums(kind, offset, in, row[r], start[r], dsum[r]);
    for (int at = 0; at < parts * in->groups; at++) {
        const int g = at / parts, own = parts * in->first + at; /* own: of the span */
        int32x4_t dot[MICRO_ROWS][4];
        if (from != FROM_TILE && at % parts == 0) group_ahead(from, in->ahead, in->first + g);
        dots(R, quads, from, src, in, row, g, quads * (at % parts), dot);
        const v16 scale = from == FROM_TILE ? v16_load(tile->scale[own]) : group_scale(from, &head, src, own);
        const v16 min = !has_min ? v16_zero() : from == FROM_TILE ? v16_load(tile->min[own])
            : group_min(from, &head, src, own);
        R1I_UNROLL for (int r = 0; r < R; r++) {
            float *const out = acc + row[r] * TILE_PANELS * LANES;
            const int32x4_t from_sum = vdupq_n_s32(has_min ? 0 : start[r][at]);
            const v16 sums = v16_of(vcvtq_f32_s32(vaddq_s32(dot[r][0], from_sum)),
                                    vcvtq_f32_s32(vaddq_s32(dot[r][1], from_sum)),
                                    vcvtq_f32_s32(vaddq_s32(dot[r][2], from_sum)),
                                    vcvtq_f32_s32(vaddq_s32(dot[r][3], from_sum)));
            const v16 sum = v16_fma(sums, v16_mul(scale, v16_set1(in->d[row[r] * (in->cols / 32) + g])), v16_load(out));
            v16_store(out, has_min ? v16_fma(v16_neg(min), v16_set1(dsum[r][at]), sum) : sum);
        }
    }
}

/* ---- many rows: from tiles ---- */

typedef void (*micro_fn)(int offset, const quant_tile *tile, const q8_rows *in, const int32_t *row, float *acc);
#define MICRO(R, name, kind)                                                                                  \
    static void micro_##name##_##R(int offset, const quant_tile *tile, const q8_rows *in, const int32_t *row, \
                                    float *acc)                                                               \
    {                                                                                                         \
        micro(R, FROM_TILE, kind, offset, tile, in, row, acc);                                                \
    }
#define MICROS(name, kind) MICRO(1, name, kind) MICRO(2, name, kind) MICRO(3, name, kind) MICRO(4, name, kind)
MICROS(offset_32, TILE_OFFSET_32)
MICROS(offset_16, TILE_OFFSET_16)
MICROS(min_32, TILE_MIN_32)
MICROS(min_16, TILE_MIN_16)

#define ROW(name) {micro_##name##_1, micro_##name##_2, micro_##name##_3, micro_##name##_4}
static const micro_fn micros[4][MICRO_ROWS] = {
    [TILE_OFFSET_32] = ROW(offset_32), [TILE_OFFSET_16] = ROW(offset_16), [TILE_MIN_32] = ROW(min_32),
    [TILE_MIN_16] = ROW(min_16),
};
#undef ROW

static void micro_listed(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                         int64_t n, const int32_t *row, acc_row *acc)
{
    for (int p = 0; p < panels; p++) micros[kind][n - 1](tile_offset(type), tile + p, in, row, acc[0][p]);
}

#include "backend/cpu/lanes/quant_listed.h"

/* ---- few rows: weights go from the panel to the products in registers ---- */

typedef void (*few_fn)(const uint8_t *b, const q8_rows *in, acc_row *acc);
#define FEW_SPAN(R, type)                                                                                              \
    static void few_##type##_##R(const uint8_t *b, const q8_rows *in, acc_row *acc)                                    \
    {                                                                                                                  \
        const r1_dtype t = R1_DTYPE_##type;                                                                            \
        micro(R, t, tile_kind_of(t), tile_offset(t), b, in, identity, acc[0][0]);                                      \
    }
#define FEW(type) FEW_SPAN(1, type) FEW_SPAN(2, type)
GROUP_TYPES(FEW)
#define ROW(type) [R1_DTYPE_##type] = {few_##type##_1, few_##type##_2},
static const few_fn few[R1_DTYPE_COUNT][FEW_ROWS] = {GROUP_TYPES(ROW)};
#undef ROW

static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc)
{
    const int64_t n = rows < FEW_ROWS ? rows : FEW_ROWS;
    if (!few[type][0]) return 0;
    few[type][n - 1](b, in, acc);
    for (int64_t r = 0; r < n; r++)
        for (unsigned left = in->fine[r]; left; left &= left - 1) {
            const q8_rows one = fine_step(in, r, __builtin_ctz(left));
            few[type][0](b, &one, acc + r);
        }
    return n;
}

/* ---- activations to 8 bits ---- */

/* 16 values to bytes; returns their sum. */
static int32_t quantise_half(const float *x, float id, int8_t *q)
{
    int32x4_t v[4];
    /* to nearest, ties to even */
    for (int i = 0; i < 4; i++) v[i] = vcvtnq_s32_f32(vmulq_n_f32(vld1q_f32(x + 4 * i), id));
    const int16x8_t lo = vcombine_s16(vmovn_s32(v[0]), vmovn_s32(v[1])),
                    hi = vcombine_s16(vmovn_s32(v[2]), vmovn_s32(v[3]));
    vst1q_s8(q, vcombine_s8(vmovn_s16(lo), vmovn_s16(hi)));
    return vaddvq_s32(vaddq_s32(vaddq_s32(v[0], v[1]), vaddq_s32(v[2], v[3])));
}

static void quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16)
{
    for (int64_t k = 0; k < n; k += 32) {
        uint32x4_t most = vdupq_n_u32(0); /* magnitudes as integers: NaN counts above infinity */
        for (int i = 0; i < 32; i += 4) most = vmaxq_u32(most, vreinterpretq_u32_f32(vabsq_f32(vld1q_f32(x + k + i))));
        const uint32_t bits = vmaxvq_u32(most);
        const float amax = r1i_f32_from_bits(bits);
        if (bits >= 0x7f800000u || amax < R1I_Q8_AMAX_MIN) {
            d[k / 32] = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
            memset(q + k, 0, 32);
            sum16[k / 16] = sum16[k / 16 + 1] = 0;
            continue;
        }
        d[k / 32] = amax / 127.0f;
        sum16[k / 16] = quantise_half(x + k, 127.0f / amax, q + k);
        sum16[k / 16 + 1] = quantise_half(x + k + 16, 127.0f / amax, q + k + 16);
    }
}

static void neon_quant_kernels(r1i_cpu_kernels *k)
{
    quant_kernels(k);
    k->quantise_row = quantise_row;
}

#endif
