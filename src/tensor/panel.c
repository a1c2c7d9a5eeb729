/* Packing rows into panels of 16 outputs, and back.
 *
 * Scalar types are a transpose of 4-byte words: word w of row n goes to place (w, n), so that a 64-byte vector holds
 * one f32, two halves or four fp8 codes of each of the 16 outputs.
 *
 * A panel block of a hot block type holds the same 16 source blocks, field by field. A field of b bytes a row, made of
 * units of u bytes (4 where b allows, else 2 or 1), lies as [b / u][16 rows][u]; fields follow each other without gaps:
 *
 *   Q4_0, IQ4_NL  d[16] half | qs 4 vectors
 *   Q4_1          d[16] half | m[16] half | qs 4 vectors
 *   Q5_0          d[16] half | qh 1 vector | qs 4 vectors
 *   Q5_1          d[16] half | m[16] half | qh 1 vector | qs 4 vectors
 *   Q8_0          d[16] half | qs 8 vectors
 *   MXFP4         e[16] byte | qs 4 vectors
 *   Q2_K          d[16] half | dmin[16] half | scales 4 vectors | qs 16 vectors
 *   Q4_K          d[16] half | dmin[16] half | scales 3 vectors | qs 32 vectors
 *   IQ4_XS        d[16] half | scales_h[16] u16 | scales_l 1 vector | qs 32 vectors
 *   Q3_K, Q5_K, Q6_K  in the order in which kernels read, bits moved: panel_order.h
 *
 * with "vector" = 64 bytes, lane n byte t = byte 4i + t of row n's field: after a shift and a mask, four consecutive k
 * of 16 outputs, which is what an 8-bit dot product instruction takes against one 4-byte broadcast of the activations.
 * The codebook types (IQ1, IQ2, IQ3) are looked up entry by entry whatever the layout: their 16 source blocks stand one
 * after the other. Rows past the matrix are zero bytes, which decode to zeros in every type. */
#include "tensor/panel.h"

#include <assert.h>

#include "base/env.h"
#include "tensor/block.h"
#include "tensor/panel_order.h"
#include "tensor/panel_words.h"

/* A field of the source block: offset, bytes, unit. Listed in panel order, ended by bytes = 0. */
typedef struct field { uint8_t offset, bytes, unit; } field;
enum { FIELDS = 6 };

static const field fields[R1_DTYPE_COUNT][FIELDS] = {
    [R1_DTYPE_Q4_0] = {{0, 2, 2}, {2, 16, 4}},
    [R1_DTYPE_IQ4_NL] = {{0, 2, 2}, {2, 16, 4}},
    [R1_DTYPE_Q4_1] = {{0, 2, 2}, {2, 2, 2}, {4, 16, 4}},
    [R1_DTYPE_Q5_0] = {{0, 2, 2}, {2, 4, 4}, {6, 16, 4}},
    [R1_DTYPE_Q5_1] = {{0, 2, 2}, {2, 2, 2}, {4, 4, 4}, {8, 16, 4}},
    [R1_DTYPE_Q8_0] = {{0, 2, 2}, {2, 32, 4}},
    [R1_DTYPE_MXFP4] = {{0, 1, 1}, {1, 16, 4}},
    [R1_DTYPE_Q2_K] = {{80, 2, 2}, {82, 2, 2}, {0, 16, 4}, {16, 64, 4}},
    [R1_DTYPE_Q4_K] = {{0, 2, 2}, {2, 2, 2}, {4, 12, 4}, {16, 128, 4}},
    [R1_DTYPE_IQ4_XS] = {{0, 2, 2}, {2, 2, 2}, {4, 4, 4}, {8, 128, 4}},
};

static bool is_scalar(r1_dtype type)
{
    return type == R1_DTYPE_F32 || type == R1_DTYPE_F16 || type == R1_DTYPE_BF16 || type == R1_DTYPE_F8_E4M3;
}

bool r1i_weight_type_ok(r1_dtype type)
{
    return (unsigned)type < R1_DTYPE_COUNT && (is_scalar(type) || r1i_dtype_is_quantised(type));
}

uint64_t r1i_panel_stride(r1_dtype type, int64_t cols)
{
    const r1i_dtype_info *info = r1i_dtype(type);
    const uint64_t bytes = (uint64_t)(cols / info->block_elems) * (uint64_t)info->block_bytes;
    if (r1i_panel_paired(type)) return r1i_align_up(bytes * R1I_PANEL_ROWS, R1I_ALIGN);
    return (is_scalar(type) ? r1i_align_up(bytes, 4) : bytes) * R1I_PANEL_ROWS;
}

bool r1i_panel_bytes(r1_dtype type, int64_t rows, int64_t cols, uint64_t *out)
{
    uint64_t row_bytes, padded;
    if (rows < 0 || cols < 0 || !r1i_dtype_row_bytes(type, (uint64_t)cols, &row_bytes)) return false;
    if (!r1i_add_u64(row_bytes, 3, &padded) || !r1i_mul_u64(padded, R1I_PANEL_ROWS, &padded)) return false;
    const uint64_t panels = ((uint64_t)rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS;
    return r1i_mul_u64(panels, r1i_panel_stride(type, cols), out);
}

/* ---- packing: a run of blocks of a few rows after the other, so that the source is read in order and the run of panel
 * blocks being written stays in the first-level cache. Four rows go together: four words of each are turned in
 * registers. ---- */

/* `count` (4, or 1 at the edge of the matrix) rows from `lane` on, `step` bytes apart. */
static inline __attribute__((always_inline)) void put_words(uint8_t *dst, const uint8_t *src, size_t step, int count,
                                                            size_t bytes, int lane)
{
    size_t i = 0;
    dst += 4 * lane;
    for (; count == 4 && i + 16 <= bytes; i += 16, dst += 16 * R1I_PANEL_ROWS) {
        r1i_words4 out[4];
        r1i_words4_turned(src + i, step, out);
        for (int w = 0; w < 4; w++) memcpy(dst + 4 * R1I_PANEL_ROWS * w, &out[w], 16);
    }
    for (; i < bytes; i += 4, dst += 4 * R1I_PANEL_ROWS)
        for (int n = 0; n < count; n++) memcpy(dst + 4 * n, src + (size_t)n * step + i, 4);
}

static inline __attribute__((always_inline)) void put_block(const field f[FIELDS], uint8_t *dst, const uint8_t *src,
                                                            size_t step, int count, int lane)
{
    for (; f->bytes; dst += R1I_PANEL_ROWS * f->bytes, f++) {
        if (f->unit == 4) put_words(dst, src + f->offset, step, count, f->bytes, lane);
        else
            for (int n = 0; n < count; n++)
                memcpy(dst + (lane + n) * f->unit, src + (size_t)n * step + f->offset, f->unit == 2 ? 2 : 1);
    }
}

static void pack_scalar(const r1i_weight *src, int64_t first, int64_t rows, uint8_t *dst)
{
    const size_t row_bytes = (size_t)src->cols * (size_t)r1i_dtype(src->type)->block_bytes;
    const size_t whole = row_bytes & ~(size_t)3, run = 512;
    for (size_t i = 0; i < whole; i += run)
        for (int64_t n = 0; n < rows;) {
            const size_t bytes = whole - i < run ? whole - i : run;
            const uint8_t *from = src->data + (size_t)(first + n) * row_bytes + i;
            if (rows - n >= 4) put_words(dst + i * R1I_PANEL_ROWS, from, row_bytes, 4, bytes, (int)n);
            else put_words(dst + i * R1I_PANEL_ROWS, from, row_bytes, 1, bytes, (int)n);
            n += rows - n >= 4 ? 4 : 1;
        }
    if (whole == row_bytes) return;
    memset(dst + whole * R1I_PANEL_ROWS, 0, 4 * R1I_PANEL_ROWS);
    for (int64_t n = 0; n < rows; n++)
        memcpy(dst + whole * R1I_PANEL_ROWS + 4 * n, src->data + (size_t)(first + n) * row_bytes + whole,
               row_bytes - whole);
}

/* `count` rows from lane on, blocks [i, end). */
static inline __attribute__((always_inline)) void put_run(r1_dtype type, uint8_t *dst, const uint8_t *row,
                                                          size_t row_bytes, size_t block, int count, int lane, size_t i,
                                                          size_t end)
{
    if (r1i_panel_in_order(type))
        for (; i < end; i++)
            r1i_panel_order_put(type, dst + i * block * R1I_PANEL_ROWS, row + i * block, row_bytes, count, lane);
    else
        for (; i < end; i++)
            put_block(fields[type], dst + i * block * R1I_PANEL_ROWS, row + i * block, row_bytes, count, lane);
}

static void pack_blocks(const r1i_weight *src, int64_t first, int64_t rows, uint8_t *dst)
{
    const r1i_dtype_info *info = r1i_dtype(src->type);
    const size_t block = (size_t)info->block_bytes, blocks = (size_t)(src->cols / info->block_elems),
                 row_bytes = blocks * block;
    const size_t run = 512 / block + 1;
    /* no second d */
    if (r1i_panel_paired(src->type) && blocks % 2) memset(dst + (blocks - 1) * block * R1I_PANEL_ROWS + 32, 0, 32);
    for (size_t i = 0; i < blocks; i += run)
        for (int64_t n = 0; n < rows;) {
            const uint8_t *row = src->data + (size_t)(first + n) * row_bytes;
            const size_t end = blocks - i < run ? blocks : i + run;
            if (rows - n >= 4) put_run(src->type, dst, row, row_bytes, block, 4, (int)n, i, end);
            else put_run(src->type, dst, row, row_bytes, block, 1, (int)n, i, end);
            n += rows - n >= 4 ? 4 : 1;
        }
}

/* Codebook types: block after block. */
static void pack_whole_blocks(const r1i_weight *src, int64_t first, int64_t rows, uint8_t *dst)
{
    const r1i_dtype_info *info = r1i_dtype(src->type);
    const size_t block = (size_t)info->block_bytes, blocks = (size_t)(src->cols / info->block_elems);
    for (size_t b = 0; b < blocks; b++)
        for (int64_t n = 0; n < rows; n++)
            memcpy(dst + (b * R1I_PANEL_ROWS + (size_t)n) * block,
                   src->data + ((size_t)(first + n) * blocks + b) * block, block);
}

void r1i_panel_pack(const r1i_weight *src, int64_t panel, uint8_t *dst)
{
    assert(src->layout == R1I_LAYOUT_ROWS);
    const int64_t first = panel * R1I_PANEL_ROWS, left = src->rows - first;
    const int64_t rows = left < R1I_PANEL_ROWS ? left : R1I_PANEL_ROWS;
    if (rows < R1I_PANEL_ROWS) memset(dst, 0, r1i_panel_stride(src->type, src->cols));
    if (is_scalar(src->type)) pack_scalar(src, first, rows, dst);
    else if (r1i_panel_in_order(src->type) || fields[src->type][0].bytes) pack_blocks(src, first, rows, dst);
    else pack_whole_blocks(src, first, rows, dst);
}

/* ---- and back ---- */

void r1i_panel_block_row(r1_dtype type, const uint8_t *panel_block, int lane, uint8_t *block)
{
    const field *f = fields[type];
    if (r1i_panel_in_order(type)) {
        r1i_panel_order_row(type, panel_block, lane, block);
        return;
    }
    if (!f->bytes) {
        const size_t bytes = (size_t)r1i_dtype(type)->block_bytes;
        memcpy(block, panel_block + (size_t)lane * bytes, bytes);
        return;
    }
    for (; f->bytes; panel_block += R1I_PANEL_ROWS * f->bytes, f++)
        for (int i = 0; i < f->bytes; i += f->unit)
            memcpy(block + f->offset + i, panel_block + R1I_PANEL_ROWS * i + lane * f->unit, f->unit);
}

/* Elements [k, k + n) of a row of scalars in panel layout; k a multiple of 4. */
static void scalars_from_panel(const r1i_weight *w, const uint8_t *panel, int lane, int64_t k, int64_t n, uint8_t *out)
{
    const size_t elem = (size_t)r1i_dtype(w->type)->block_bytes;
    const size_t begin = (size_t)k * elem, bytes = (size_t)n * elem;
    for (size_t i = 0; i < bytes; i += 4)
        memcpy(out + i, panel + (begin + i) * R1I_PANEL_ROWS + 4 * (size_t)lane, 4);
}

static void scale_fp8(const r1i_weight *w, int64_t row, float *out)
{
    const float *scale = w->scale + (row / 128) * ((w->cols + 127) / 128);
    for (int64_t k = 0; k < w->cols; k++) out[k] *= scale[k / 128];
}

void r1i_weight_row(const r1i_weight *w, int64_t row, float *out)
{
    const r1i_dtype_info *info = r1i_dtype(w->type);
    const int64_t elems = info->block_elems;
    if (w->layout == R1I_LAYOUT_ROWS) {
        r1i_dequantise(w->type, w->data + row * (w->cols / elems) * info->block_bytes, w->cols, out);
    } else {
        const uint8_t *panel = w->data + (uint64_t)(row / R1I_PANEL_ROWS) * r1i_panel_stride(w->type, w->cols);
        const int lane = (int)(row % R1I_PANEL_ROWS);
        uint8_t buffer[R1I_BLOCK_BYTES_MAX];
        const int64_t step = is_scalar(w->type) ? 64 : elems;
        for (int64_t k = 0; k < w->cols; k += step) {
            const int64_t n = w->cols - k < step ? w->cols - k : step;
            if (is_scalar(w->type)) scalars_from_panel(w, panel, lane, k, n, buffer);
            else r1i_panel_block_row(w->type, panel + k / elems * info->block_bytes * R1I_PANEL_ROWS, lane, buffer);
            r1i_dequantise(w->type, buffer, n, out + k);
        }
    }
    if (w->scale) scale_fp8(w, row, out);
}

/* ---- non-finite values ---- */

static bool half_nonfinite(const uint8_t *p) { return (r1i_load16(p) & 0x7c00u) == 0x7c00u; }

typedef uint32_t word_any __attribute__((aligned(1), may_alias));
typedef uint16_t half_any __attribute__((aligned(1), may_alias));

/* Whether the exponent of any of n scalars is all ones; loops without an exit, which compilers vectorise. */
static bool any_nonfinite(r1_dtype type, const uint8_t *p, int64_t n)
{
    unsigned any = 0;
    const word_any *w = (const word_any *)p;
    const half_any *h = (const half_any *)p;
    switch (type) {
    case R1_DTYPE_F32:
        for (int64_t i = 0; i < n; i++) any |= (w[i] & 0x7f800000u) == 0x7f800000u;
        break;
    case R1_DTYPE_F16:
        for (int64_t i = 0; i < n; i++) any |= (h[i] & 0x7c00u) == 0x7c00u;
        break;
    case R1_DTYPE_BF16:
        for (int64_t i = 0; i < n; i++) any |= (h[i] & 0x7f80u) == 0x7f80u;
        break;
    default: {
        uint8_t found = 0;
        for (int64_t i = 0; i < n; i++) found |= (uint8_t)((p[i] & 0x7f) == 0x7f);
        any = found;
    }
    }
    return any != 0;
}

/* An exponent byte of 255 is the NaN of its format; 253 and 254 overflow with the larger values of the table. */
static int mxfp4_nonfinite(const uint8_t *b)
{
    if (b[0] == 255) return 0;
    if (b[0] < 253) return -1;
    float y[32];
    r1i_dequantise(R1_DTYPE_MXFP4, b, 32, y);
    for (int e = 0; e < 32; e++)
        if ((r1i_f32_bits(y[e]) & 0x7f800000u) == 0x7f800000u) return 0;
    return -1;
}

/* Offset of the first non-finite scale inside a block, or -1. Sub-scales are integers, so the halves decide. */
static int block_nonfinite(r1_dtype type, const uint8_t *b)
{
    switch (type) {
    case R1_DTYPE_MXFP4: return mxfp4_nonfinite(b);
    case R1_DTYPE_IQ1_M: return (b[55] & 0x70) == 0x70 && (b[53] & 0xc0) == 0xc0 ? 48 : -1;
    case R1_DTYPE_Q2_K: return half_nonfinite(b + 80) ? 80 : half_nonfinite(b + 82) ? 82 : -1;
    case R1_DTYPE_Q3_K: return half_nonfinite(b + 108) ? 108 : -1;
    case R1_DTYPE_Q6_K: return half_nonfinite(b + 208) ? 208 : -1;
    case R1_DTYPE_Q4_1: case R1_DTYPE_Q5_1: case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K:
        return half_nonfinite(b) ? 0 : half_nonfinite(b + 2) ? 2 : -1;
    default: return half_nonfinite(b) ? 0 : -1;
    }
}

int64_t r1i_row_find_nonfinite(r1_dtype type, const uint8_t *row, int64_t cols)
{
    const r1i_dtype_info *info = r1i_dtype(type);
    const int64_t step = info->block_bytes;
    if (!is_scalar(type)) {
        for (int64_t i = 0; i < cols / info->block_elems * step; i += step) {
            const int at = block_nonfinite(type, row + i);
            if (at >= 0) return i + at;
        }
        return -1;
    }
    for (int64_t i = 0; i < cols; i += 256) { /* whether any; then which */
        const int64_t n = cols - i < 256 ? cols - i : 256;
        if (!any_nonfinite(type, row + i * step, n)) continue;
        for (int64_t k = i;; k++)
            if (any_nonfinite(type, row + k * step, 1)) return k * step;
    }
    return -1;
}
