/* Many rows where registers are too few to keep a group's weights: a register tile of rows at a time, and of fine terms
 * as many rows that share a group. Included by avx2/ and neon/ after quant_driver.h; static functions only. The
 * includer defines MICRO_ROWS and micro_listed(kind, type, panels, tiles, in, n, row, acc), which adds in's groups into
 * acc[row] for the n rows listed, 1 to MICRO_ROWS of them. */
#ifndef R1I_QUANT_LISTED_H
#define R1I_QUANT_LISTED_H

#include "backend/cpu/lanes/quant_driver.h"

static const int32_t identity[] = {0, 1, 2, 3};
_Static_assert(MICRO_ROWS <= sizeof identity / sizeof identity[0], "rows of a register tile");

static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                          int64_t n, acc_row *acc)
{
    const int64_t size = n < MICRO_ROWS ? n : MICRO_ROWS;
    micro_listed(kind, type, panels, tile, in, size, identity, acc);
    return size;
}

/* The fine term of group g, rows from r on, as a step of one group. */
static inline q8_rows fine_step(const q8_rows *in, int64_t r, int g)
{
    const int64_t at = g * in->fine_stride + r;
    return (q8_rows){.q = in->fine_q + 32 * at, .d = in->fine_d + at, .sum16 = in->fine_sum16 + 2 * at, .cols = 32,
                     .groups = 1, .first = g, .ahead = in->ahead};
}

/* Groups ascending. */
static void fine_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                      int64_t rows, acc_row *acc)
{
    for (int g = 0; g < in->groups; g++) {
        const q8_rows step = fine_step(in, 0, g);
        int32_t row[MICRO_ROWS];
        int n = 0;
        for (int64_t m = 0; m < rows; m += 64)
            for (uint64_t left = bytes_with(in->fine + m, rows - m, g); left; left &= left - 1) {
                row[n++] = (int32_t)m + __builtin_ctzll(left);
                if (n < MICRO_ROWS) continue;
                micro_listed(kind, type, panels, tile, &step, n, row, acc);
                n = 0;
            }
        if (n > 0) micro_listed(kind, type, panels, tile, &step, n, row, acc);
    }
}

#endif
