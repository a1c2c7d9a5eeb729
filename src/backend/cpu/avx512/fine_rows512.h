/* The fine terms of many rows: a group's weights of two panels stay in registers while the rows that have a term there
 * pass, one after the other; their chains overlap. (As steps of a single group of the products of many rows they took a
 * third more: loads and stores of sums, rows left over.) Included by avx512_linear_quant.c; static functions only. */
#ifndef R1I_FINE_ROWS512_H
#define R1I_FINE_ROWS512_H

#include "backend/cpu/avx512/v512.h"

/* Adds the term of the row at `at` of a group's to acc. */
R1I_INLINE void fine_row_add(const int P, const tile_kind kind, int offset, __m512i w[][8], __m512 scale[][2],
                             __m512 min[][2], const q8_rows *in, int64_t at, acc_row *acc)
{
    const int parts = kind_parts(kind), quads = 8 / parts;
    const int8_t *const q = in->fine_q + 32 * at;
    const int32_t *const sum16 = in->fine_sum16 + 2 * at;
    const float d = in->fine_d[at];
    __m512 sum[TILE_PANELS];
    R1I_UNROLL for (int p = 0; p < P; p++) sum[p] = _mm512_load_ps((*acc)[p]);
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int32_t sum_x = term_sum(kind, sum16, h);
        const __m512i start = kind_has_min(kind) ? _mm512_setzero_si512() : _mm512_set1_epi32(-offset * sum_x);
        __m512i dot[TILE_PANELS];
        R1I_UNROLL for (int p = 0; p < P; p++) dot[p] = start;
        R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i++)
            R1I_UNROLL for (int p = 0; p < P; p++) dot[p] = dot_of(dot[p], w[p][i], q + 4 * i);
        R1I_UNROLL for (int p = 0; p < P; p++) {
            sum[p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[p]), _mm512_mul_ps(scale[p][h], _mm512_set1_ps(d)), sum[p]);
            if (kind_has_min(kind)) sum[p] = _mm512_fnmadd_ps(min[p][h], _mm512_set1_ps(d * (float)sum_x), sum[p]);
        }
    }
    R1I_UNROLL for (int p = 0; p < P; p++) _mm512_store_ps((*acc)[p], sum[p]);
}

/* The rows that have a term in each group, ascending: row[end[g]] to row[end[g + 1]] in group g. */
typedef struct fine_list {
    int end[TILE_GROUPS + 1];
    uint16_t row[TILE_GROUPS * DRIVER_ROWS + 32];
} fine_list;

/* Without a branch on what is found: a few rows here and there are foreseen by no predictor. */
static void fine_find(const q8_rows *in, int64_t rows, fine_list *f)
{
    const __m512i first = _mm512_cvtepu8_epi16(_mm256_setr_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15,
                                                                16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
                                                                30, 31));
    int n = 0;
    f->end[0] = 0;
    for (int g = 0; g < in->groups; g++) {
        __m512i row = first;
        for (int64_t m = 0; m < rows; m += 64) {
            const uint64_t some = bytes_with(in->fine + m, rows - m, g);
            R1I_UNROLL for (int half = 0; half < 2; half++) {
                const __mmask32 now = (__mmask32)(some >> (32 * half));
                _mm512_storeu_si512(f->row + n, _mm512_maskz_compress_epi16(now, row));
                n += __builtin_popcount(now);
                row = _mm512_add_epi16(row, _mm512_set1_epi16(32));
            }
        }
        f->end[g + 1] = n;
    }
}

R1I_INLINE void fine_span(const int P, const tile_kind kind, int offset, const quant_tile *tile, const q8_rows *in,
                          int64_t rows, acc_row *acc)
{
    const int parts = kind_parts(kind);
    fine_list f;
    fine_find(in, rows, &f);
    for (int g = 0; g < in->groups; g++) {
        if (f.end[g] == f.end[g + 1]) continue;
        __m512i w[TILE_PANELS][8];
        __m512 scale[TILE_PANELS][2], min[TILE_PANELS][2];
        R1I_UNROLL for (int p = 0; p < P; p++) {
            R1I_UNROLL for (int i = 0; i < 8; i++) w[p][i] = _mm512_load_si512(tile[p].q + LANES * (8 * g + i));
            R1I_UNROLL for (int h = 0; h < parts; h++) {
                scale[p][h] = _mm512_load_ps(tile[p].scale[parts * g + h]);
                if (kind_has_min(kind)) min[p][h] = _mm512_load_ps(tile[p].min[parts * g + h]);
            }
        }
        for (int i = f.end[g]; i < f.end[g + 1]; i++)
            fine_row_add(P, kind, offset, w, scale, min, in, g * in->fine_stride + f.row[i], acc + f.row[i]);
    }
}

#define FINE(name, kind)                                                                              \
    static __attribute__((noinline)) void fine_##name(int panels, int offset, const quant_tile *tile, \
                                                      const q8_rows *in, int64_t rows, acc_row *acc)  \
    {                                                                                                 \
        if (panels == 2) fine_span(2, kind, offset, tile, in, rows, acc);                             \
        else fine_span(1, kind, offset, tile, in, rows, acc);                                         \
    }
FINE(offset_32, TILE_OFFSET_32)
FINE(offset_16, TILE_OFFSET_16)
FINE(min_32, TILE_MIN_32)
FINE(min_16, TILE_MIN_16)

/* The fine terms of all rows, groups ascending. */
static void fine_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                      int64_t rows, acc_row *acc)
{
    static void (*const of[4])(int, int, const quant_tile *, const q8_rows *, int64_t, acc_row *) = {
        [TILE_OFFSET_32] = fine_offset_32, [TILE_OFFSET_16] = fine_offset_16, [TILE_MIN_32] = fine_min_32,
        [TILE_MIN_16] = fine_min_16,
    };
    of[kind](panels, tile_offset(type), tile, in, rows, acc);
}

#endif
