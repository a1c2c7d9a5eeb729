/* The loops round the vector products of block types: rows in blocks, panels in pairs, columns 256 at a time. A pair's tiles
 * are unpacked once for all rows of the block and stay in the first-level cache; partial sums stay in registers for 256
 * columns and in a small buffer between. Included by avx2/ and avx512/ after quant_tile.h; static functions only.
 *
 * The includer defines first:
 *   micro_rows(kind, type, panels, tiles, rows_left, in, acc)   add `in->groups` groups into acc[row][panel][lane] for a few
 *                                                         rows, the count returned */
#ifndef R1I_QUANT_DRIVER_H
#define R1I_QUANT_DRIVER_H

#include "backend/cpu/quant_tile.h"

enum { DRIVER_ROWS = 96 };

static inline q8_rows q8_rows_at(const r1i_act *x, int64_t m, int64_t k)
{
    const int64_t cols = x->x.cols, left = (cols - k) / 32;
    return (q8_rows){x->q + m * cols + k, x->d + m * (cols / 32) + k / 32, x->sum16 + m * (cols / 16) + k / 16, cols,
                     (int)(left < TILE_GROUPS ? left : TILE_GROUPS)};
}

/* Bias and residual, one rounding each, and out: columns [first, first + n) of row m. */
static inline void driver_finish(const r1i_linear_job *job, int64_t m, int64_t first, int64_t n, const float *restrict acc)
{
    float *y = job->y.p + m * job->y.stride + first;
    float v[LANES];
    for (int64_t i = 0; i < n; i++) v[i] = job->bias ? acc[i] + job->bias[first + i] : acc[i];
    for (int64_t i = 0; i < n; i++) y[i] = job->add ? y[i] + v[i] : v[i];
}

/* Rows [m0, m0 + rows) against panels p, p + 1 (or p alone). */
static inline void driver_block(const r1i_linear_job *job, int64_t p, int panels, int64_t m0, int64_t rows, tile_kind kind)
{
    const r1i_weight *w = job->w;
    const r1i_dtype_info *info = r1i_dtype(w->type);
    const uint64_t stride = r1i_panel_stride(w->type, w->cols);
    const uint8_t *b = w->data + (uint64_t)p * stride;
    _Alignas(64) acc_row acc[DRIVER_ROWS];
    quant_tile tile[TILE_PANELS];
    memset(acc, 0, (size_t)rows * sizeof acc[0]);
    for (int64_t k = 0; k < w->cols; k += TILE_K) {
        const int64_t blocks = (w->cols - k < TILE_K ? w->cols - k : TILE_K) / info->block_elems;
        const int groups = (int)(blocks * info->block_elems / 32);
        for (int i = 0; i < panels; i++) tile_unpack(w->type, b + (uint64_t)i * stride, groups, &tile[i]);
        b += blocks * info->block_bytes * LANES;
        for (int64_t m = 0; m < rows;) {
            const q8_rows in = q8_rows_at(job->x, m0 + m, k);
            m += micro_rows(kind, w->type, panels, tile, rows - m, &in, acc + m);
        }
    }
    for (int64_t m = 0; m < rows; m++)
        for (int i = 0; i < panels; i++) {
            const int64_t first = (p + i) * LANES, n = w->rows - first < LANES ? w->rows - first : LANES;
            driver_finish(job, m0 + m, first, n, acc[m][i]);
        }
}

/* Rows outermost: a block of activations stays in the second-level cache while the panels stream by. */
static inline void driver_linear(const r1i_linear_job *job, int64_t p0, int64_t p1, tile_kind kind)
{
    for (int64_t m = 0; m < job->y.rows; m += DRIVER_ROWS) {
        const int64_t rows = job->y.rows - m < DRIVER_ROWS ? job->y.rows - m : DRIVER_ROWS;
        for (int64_t p = p0; p < p1; p += TILE_PANELS)
            driver_block(job, p, p1 - p < TILE_PANELS ? 1 : TILE_PANELS, m, rows, kind);
    }
}

/* Per row what a group's chain needs beside products. With min: d_x * (float)sum_x; else: the integer sum's start,
 * -offset * sum_x. Entry g for groups of 32, 2 g + half for 16. */
static inline __attribute__((always_inline)) void driver_sums(tile_kind kind, int offset, const q8_rows *in, int64_t row, int32_t *restrict start, float *restrict dsum)
{
    const int32_t *s = in->sum16 + row * (in->cols / 16);
    const float *d = in->d + row * (in->cols / 32);
    for (int g = 0; g < in->groups; g++) {
        if (kind == TILE_OFFSET_32) start[g] = -offset * (s[2 * g] + s[2 * g + 1]);
        if (kind == TILE_MIN_32) dsum[g] = d[g] * (float)(s[2 * g] + s[2 * g + 1]);
        for (int h = 2 * g; h < 2 * g + 2; h++) {
            if (kind == TILE_OFFSET_16) start[h] = -offset * s[h];
            if (kind == TILE_MIN_16) dsum[h] = d[g] * (float)s[h];
        }
    }
}

#endif
