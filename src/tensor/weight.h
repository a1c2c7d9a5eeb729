/* A weight matrix as the kernels see it: [rows = out, cols = in], row-major as in the file, or in panels of 16 outputs.
 * A panel layout is a permutation of the source's bytes (Q3_K, Q5_K, Q6_K: of its bits) plus zero rows up to 16, so it
 * costs what the file costs.
 *
 * PANEL layouts, P = 16 outputs a panel, [ceil(rows/16)] panels one after the other:
 *   F32            [cols][16]                 f32, one vector of 16 outputs per k
 *   F16, BF16      [ceil(cols/2)][16][2]      pairs of k side by side, as the bf16 dot instruction wants them
 *   F8_E4M3        [ceil(cols/4)][16][4]      scale[ceil(rows/128)][ceil(cols/128)] f32 apart, one for all 16 outputs
 *   block types    [cols/block][one panel block: 16 source blocks, their fields regrouped by type (panel.c)]; Q3_K and
 *   Q6_K: up to a multiple of 64
 * Where cols is no multiple of 2 or 4 the rest of the group is zero and is never computed with. */
#ifndef R1I_WEIGHT_H
#define R1I_WEIGHT_H

#include "tensor/dtype.h"

enum {
    R1I_PANEL_ROWS = 16,
    /* Files of panels carry this number and are refused under another one. Raise it whenever any layout's bytes move:
     * test_panel_layout holds a checksum of each and fails until both are renewed. */
    R1I_PANEL_LAYOUT_VERSION = 3
};

typedef enum r1i_layout { R1I_LAYOUT_ROWS, R1I_LAYOUT_PANEL } r1i_layout;

typedef struct r1i_weight {
    r1_dtype type;
    r1i_layout layout;
    int64_t rows, cols;
    /* borrowed: a mapping (ROWS, any alignment) or the model's own memory (PANEL, 64-aligned) */
    const uint8_t *data;
    const float *scale;     /* F8_E4M3: [ceil(rows/128), ceil(cols/128)] f32, borrowed, any alignment of 4; else NULL */
    const struct r1i_lora *lora; /* nullable, borrowed: an adapter's term beside it */
} r1i_weight;

/* A low-rank term of an adapter: the product is (W + scale * B A) x, and W stays as it is. Both in F32 panels whatever
 * W is. */
typedef struct r1i_lora {
    r1i_weight a;           /* [r, cols of W] */
    r1i_weight b;           /* [rows of W, r] */
    float scale;            /* alpha / r */
} r1i_lora;

/* Types that a matrix may have: F32, F16, BF16, F8_E4M3 and every block type. */
bool r1i_weight_type_ok(r1_dtype type);

/* Bytes of the panel layout; false on overflow or when cols is no multiple of the block. */
bool r1i_panel_bytes(r1_dtype type, int64_t rows, int64_t cols, uint64_t *out);
/* Bytes of one panel (16 outputs). */
uint64_t r1i_panel_stride(r1_dtype type, int64_t cols);

/* Regroup source rows (row-major, as in the file, any alignment) of panel `panel` into dst, 64-byte aligned,
 * r1i_panel_stride bytes. Rows past src->rows become zero. */
void r1i_panel_pack(const r1i_weight *src, int64_t panel, uint8_t *dst);

/* First non-finite value of a row-major weight's row (f32, f16, bf16, fp8 NaN code, or a block's scale), as the byte
 * offset inside the row, or -1: a checkpoint with a NaN is refused at load. */
int64_t r1i_row_find_nonfinite(r1_dtype type, const uint8_t *row, int64_t cols);

/* One row as f32, from either layout: embedding look-up, transposes, tests. out[cols]. Exactly codec.h's values
 * (fp8: e4m3 value times block scale, rounded once to f32). */
void r1i_weight_row(const r1i_weight *w, int64_t row, float *out);

#endif
