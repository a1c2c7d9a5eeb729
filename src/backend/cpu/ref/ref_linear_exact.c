/* Products of block-type weights with f32 activations (exact_activations): the weights' f32 values as codec.h gives
 * them, one fmaf chain per output, k ascending. Plain C, the specification of the vector rows. */
#include "backend/cpu/ref/ref_quant.h"

#include <math.h>

enum { ROW_TILE = 64 };

static void output_column(const r1i_linear_job *job, int64_t out, int64_t m0, int64_t rows)
{
    const r1i_weight *w = job->w;
    const r1i_mat x = job->x->x;
    const int64_t elems = r1i_dtype(w->type)->block_elems, block = r1i_dtype(w->type)->block_bytes;
    const uint8_t *panel = w->data + (uint64_t)(out / R1I_PANEL_ROWS) * r1i_panel_stride(w->type, w->cols);
    float acc[ROW_TILE] = {0}, value[R1I_BLOCK_ELEMS_MAX];
    uint8_t source[R1I_BLOCK_BYTES_MAX];
    for (int64_t k = 0; k < w->cols; k += elems) {
        r1i_panel_block_row(w->type, panel + k / elems * block * R1I_PANEL_ROWS, (int)(out % R1I_PANEL_ROWS), source);
        r1i_dequantise(w->type, source, elems, value);
        for (int64_t m = 0; m < rows; m++) {
            const float *xk = x.p + (m0 + m) * x.stride + k;
            for (int64_t i = 0; i < elems; i++) acc[m] = fmaf(xk[i], value[i], acc[m]);
        }
    }
    for (int64_t m = 0; m < rows; m++) r1i_ref_finish(job, m0 + m, out, acc[m]);
}

void r1i_ref_linear_exact(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const int64_t end = p1 * R1I_PANEL_ROWS < job->w->rows ? p1 * R1I_PANEL_ROWS : job->w->rows;
    for (int64_t out = p0 * R1I_PANEL_ROWS; out < end; out++)
        for (int64_t m = 0; m < job->y.rows; m += ROW_TILE)
            output_column(job, out, m, job->y.rows - m < ROW_TILE ? job->y.rows - m : ROW_TILE);
}
