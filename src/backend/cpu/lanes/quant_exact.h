/* Block-type weights with f32 activations: 256 columns of four panels are turned into the floats of codec.h once and
 * serve all rows through the register tile of lanes/tile.h. Included after quant_driver.h and tile.h. */
#ifndef R1I_QUANT_EXACT_H
#define R1I_QUANT_EXACT_H

#include "backend/cpu/lanes/quant_driver.h"
#include "backend/cpu/lanes/tile.h"

enum { EXACT_PANELS = 4, EXACT_ROWS = 96 };

/* fl(fl(scale * q) - min), [columns][16]. Tiles that hold 8-bit weights signed are biased like the others first. */
static __attribute__((noinline)) void exact_decode(r1_dtype type, const uint8_t *b, int groups, float *restrict out)
{
    quant_tile t;
    const tile_kind kind = tile_kind_of(type);
    const bool has_min = kind_has_min(kind);
    const int parts = kind_parts(kind), stored = tile_offset(type);
    const uint32_t flip = stored == 0 && !has_min ? 0x80808080u : 0;
    const int32_t offset = flip ? 128 : stored;
    tile_unpack(type, b, groups, &t);
    for (int i = 0; i < 8 * groups; i++) {
        const int at = parts * i / 8;
        const uint32_t *q = t.q + LANES * i;
        for (int k = 0; k < 4; k++, out += LANES)
            for (int n = 0; n < LANES; n++) {
                const float v = t.scale[at][n] * (float)((int32_t)(((q[n] ^ flip) >> (8 * k)) & 255u) - offset);
                out[n] = has_min ? v - t.min[at][n] : v;
            }
    }
}

static void exact_block(const r1i_linear_job *job, int64_t p, int64_t panels, int64_t m0, int64_t rows)
{
    _Alignas(64) float acc[EXACT_ROWS * EXACT_PANELS * LANES], slice[EXACT_PANELS * TILE_K * LANES];
    const r1i_weight *w = job->w;
    const r1i_mat x = job->x->x;
    const r1i_dtype_info *info = r1i_dtype(w->type);
    const uint64_t stride = r1i_panel_stride(w->type, w->cols);
    const uint8_t *b = w->data + (uint64_t)p * stride;
    memset(acc, 0, (size_t)rows * EXACT_PANELS * LANES * sizeof *acc);
    for (int64_t k = 0; k < w->cols; k += TILE_K) {
        const int64_t n = w->cols - k < TILE_K ? w->cols - k : TILE_K;
        for (int64_t i = 0; i < panels; i++)
            exact_decode(w->type, b + (uint64_t)i * stride, (int)(n / 32), slice + i * TILE_K * LANES);
        b += n / info->block_elems * info->block_bytes * LANES;
        const tile_args t = {.x = x.p + m0 * x.stride + k, .xs = x.stride, .w = slice, .ldw = LANES,
                             .wps = TILE_K * LANES, .k = n, .acc = acc, .as = EXACT_PANELS * LANES};
        tile_all(t, rows, panels, sizeof(float), tile_f32);
    }
    for (int64_t m = 0; m < rows; m++)
        for (int64_t i = 0; i < panels; i++) quant_finish(job, m0 + m, p + i, acc + (m * EXACT_PANELS + i) * LANES);
}

static void exact_linear(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const int64_t all = job->y.rows, blocks = (all + EXACT_ROWS - 1) / EXACT_ROWS;
    for (int64_t p = p0; p < p1; p += EXACT_PANELS)
        for (int64_t i = 0; i < blocks; i++) {
            const int64_t m = all * i / blocks;
            exact_block(job, p, p1 - p < EXACT_PANELS ? p1 - p : EXACT_PANELS, m, all * (i + 1) / blocks - m);
        }
}

/* The products of all block types. */
static void quant_kernels(r1i_cpu_kernels *k)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t)) continue;
        k->linear_q8[t] = k->near ? driver_linear_near : driver_linear;
        k->linear_f32[t] = exact_linear;
    }
}

#endif
