/* The loops round the vector products of block types: rows in blocks, panels in pairs, columns 256 at a time. A pair's
 * tiles are unpacked once for all rows of the block and stay in the first-level cache; partial sums stay in registers
 * for 256 columns and in a small buffer between. Included by avx2/, avx512/ and neon/ after quant_tile.h; static
 * functions only.
 *
 * The includer defines first:
 *   micro_rows(kind, type, panels, tiles, in, n, acc)   add in's groups into acc[row][panel][lane] for some of n rows,
 *       the count returned
 *   MICRO_ROWS, how many at most; MICRO_ASKS, whether micro_rows asks for in->ahead
 *   fine_rows(kind, type, panels, tiles, in, rows, acc)   add the fine terms of all rows, a row's groups ascending
 *   FEW_ROWS, few_rows(type, span, rows, in, acc)   both straight from the panel's bytes; 0: not this type
 *   some_panels(job, p0, p1, m0, rows, near)   all of it for a number of rows that has a way of its own; false: not
 *       this type or number
 * and what sixteen lanes are (v512.h or v256.h) */
#ifndef R1I_QUANT_DRIVER_H
#define R1I_QUANT_DRIVER_H

#include "backend/cpu/lanes/quant_tile.h"

/* DRIVER_ROWS sums of two panels are 64 KB of the second-level cache; twice as many rows would halve the unpacking once
 * more. Up to DRIVER_ROWS_ALONE rows take one panel at a time: the weights then arrive as one stream that the
 * prefetchers follow (measured on Zen 4: 15 GB/s of one core's 16; two interleaved panels 9, and software prefetch made
 * either slower). */
enum { DRIVER_ROWS = 512, DRIVER_ROWS_ALONE = 6 };

/* Bias and residual, one rounding each, and out: the columns of `panel` that exist. */
static inline void quant_finish(const r1i_linear_job *job, int64_t row, int64_t panel, const float *acc)
{
    const int64_t first = panel * LANES, n = job->w->rows - first < LANES ? job->w->rows - first : LANES;
    float *y = job->y.p + row * job->y.stride + first;
    v16 v = v16_load(acc);
    if (n == LANES) { /* masked stores are several times slower */
        if (job->bias) v = v16_add(v, v16_load(job->bias + first));
        v16_store(y, job->add ? v16_add(v16_load(y), v) : v);
        return;
    }
    if (job->bias) v = v16_add(v, v16_load_n(job->bias + first, n));
    v16_store_n(y, job->add ? v16_add(v16_load_n(y, n), v) : v, n);
}

static inline q8_rows q8_rows_at(const r1i_act *x, int64_t m, int64_t k)
{
    const int64_t cols = x->x.cols, left = (cols - k) / 32, fine = k / 32 * x->fine_stride + m;
    return (q8_rows){x->q + m * cols + k, x->d + m * (cols / 32) + k / 32, x->sum16 + m * (cols / 16) + k / 16, cols,
                     (int)(left < TILE_GROUPS ? left : TILE_GROUPS), 0, x->fine + k / TILE_K * x->fine_stride + m,
                     x->fine_stride, x->fine_q + 32 * fine, x->fine_d + fine, x->fine_sum16 + 2 * fine, NULL, 0, 0};
}

/* The same without the first n rows; fine terms left where they are. */
static inline void q8_rows_down(int64_t n, q8_rows *in)
{
    in->q += n * in->cols;
    in->d += n * (in->cols / 32);
    in->sum16 += n * (in->cols / 16);
}

/* The same, a span of 256 columns further on. */
static inline void q8_rows_step(const r1i_act *x, int64_t k, q8_rows *in)
{
    const int64_t left = (x->x.cols - k) / 32, fine = TILE_GROUPS * in->fine_stride;
    in->q += TILE_K;
    in->d += TILE_GROUPS;
    in->sum16 += 2 * TILE_GROUPS;
    in->groups = (int)(left < TILE_GROUPS ? left : TILE_GROUPS);
    in->fine += in->fine_stride;
    in->fine_q += 32 * fine;
    in->fine_d += fine;
    in->fine_sum16 += 2 * fine;
}

/* Bytes from one span of a panel to the next. (A panel may be longer than its spans.) */
static inline int64_t span_step(r1_dtype type)
{
    const r1i_dtype_info *info = r1i_dtype(type);
    return TILE_K / info->block_elems * info->block_bytes * LANES;
}

/* Up to FEW_ROWS rows [m0, m0 + rows) against panel p, nothing stored between; false: not for this type. */
static inline bool driver_few(const r1i_linear_job *job, int64_t p, int64_t m0, int64_t rows, bool near)
{
    const r1i_weight *w = job->w;
    const uint64_t stride = r1i_panel_stride(w->type, w->cols);
    const uint8_t *b = w->data + (uint64_t)p * stride,
                   *const end = w->data + (uint64_t)((w->rows + LANES - 1) / LANES) * stride;
    const uint64_t step = (uint64_t)span_step(w->type);
    _Alignas(64) acc_row acc[FEW_ROWS];
    memset(acc, 0, (size_t)rows * sizeof acc[0]);
    q8_rows in = q8_rows_at(job->x, m0, 0);
    for (int64_t k = 0; k < w->cols; b += step) {
        const bool k_type = group_of_k(w->type); /* past the end: who hands out items asks for the next matrix */
        if (near && k_type) near_ahead(b, end, (int64_t)step);
        else if (near) in.ahead = near_at(b, end);
        else if (group_in_order(w->type)) page_ahead(b, step);
        else if (k_type) in.ahead = end - b > QUANT_LEAD ? b + QUANT_LEAD : NULL;
        if (few_rows(w->type, b, rows, &in, acc) == 0) return false;
        if ((k += TILE_K) < w->cols) q8_rows_step(job->x, k, &in);
    }
    for (int64_t m = 0; m < rows; m++) quant_finish(job, m0 + m, p, acc[m][0]);
    return true;
}

/* The span that each panel wants next, or that the panels after these begin with, while this one is multiplied; past
 * the matrix it is ignored. At once; or on a processor that then waits for its own asking (R1I_CPU_NEAR) a few lines
 * with each of so many steps: Zen 5, 16 rows of 1536 columns from memory, Q4_K 387 and 430 Gop/s, Q6_K 300 and 380. */
static inline void block_asks(const uint8_t *next, int64_t span, int64_t stride, int panels, int64_t steps,
                              q8_rows *in)
{
    in->ahead = next;
    in->ahead_stride = stride;
    if (MICRO_ASKS && steps > 0) {
        in->ahead_bytes = ((span + 63) / 64 + steps - 1) / steps * 64;
        return;
    }
    for (int i = 0; i < panels; i++)
        for (int64_t at = 0; at < span; at += 64) __builtin_prefetch(next + i * stride + at, 0, 2);
}

/* Rows [m0, m0 + rows) against panels p, p + 1 (or p alone). */
static inline void driver_block(const r1i_linear_job *job, int64_t p, int panels, int64_t m0, int64_t rows,
                                tile_kind kind, bool near)
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
        const int64_t span = blocks * info->block_bytes * LANES;
        b += span;
        const uint8_t *const next = k + TILE_K < w->cols ? b : b + (uint64_t)(panels - 1) * stride;
        const q8_rows in = q8_rows_at(job->x, m0, k);
        q8_rows left = in;
        const int64_t steps = near ? (rows + MICRO_ROWS - 1) / MICRO_ROWS * groups : 0;
        block_asks(next, span, (int64_t)stride, panels, steps, &left);
        for (int64_t m = 0, n; m < rows; m += n) {
            n = micro_rows(kind, w->type, panels, tile, &left, rows - m, acc + m);
            q8_rows_down(n, &left);
            left.ahead += groups * left.ahead_bytes;
            if (left.ahead >= next + span) left.ahead_bytes = 0;
        }
        fine_rows(kind, w->type, panels, tile, &in, rows, acc);
    }
    for (int64_t m = 0; m < rows; m++)
        for (int i = 0; i < panels; i++) quant_finish(job, m0 + m, p + i, acc[m][i]);
}

/* Rows outermost: a block of activations stays in the second-level cache while the panels stream by. near: a processor
 * with R1I_CPU_NEAR. */
static void driver_rows(const r1i_linear_job *job, int64_t p0, int64_t p1, bool near)
{
    const tile_kind kind = tile_kind_of(job->w->type);
    const int64_t all = job->y.rows, blocks = (all + DRIVER_ROWS - 1) / DRIVER_ROWS;
    for (int64_t i = 0; i < blocks; i++) { /* of equal size, so that none unpacks for a few rows */
        const int64_t m = all * i / blocks, rows = all * (i + 1) / blocks - m;
        if (some_panels(job, p0, p1, m, rows, near)) continue;
        if (rows <= FEW_ROWS) {
            int64_t p = p0;
            while (p < p1 && driver_few(job, p, m, rows, near)) p++;
            if (p == p1) continue;
        }
        const int64_t step = rows <= DRIVER_ROWS_ALONE ? 1 : TILE_PANELS;
        for (int64_t p = p0; p < p1; p += step)
            driver_block(job, p, (int)(p1 - p < step ? p1 - p : step), m, rows, kind, near);
    }
}

static void driver_linear(const r1i_linear_job *job, int64_t p0, int64_t p1) { driver_rows(job, p0, p1, false); }
static void driver_linear_near(const r1i_linear_job *job, int64_t p0, int64_t p1) { driver_rows(job, p0, p1, true); }

#endif
