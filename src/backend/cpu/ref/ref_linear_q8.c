/* Products of block-type weights with 8-bit activations, in plain C from the contract of op/table.h: the specification
 * of avx2_linear_quant.c and avx512_linear_quant.c, which must give the same bytes. Written to be read, not to be fast:
 * one output at a time, its blocks taken back out of the panel. */
#include "backend/cpu/ref/ref_quant.h"

#include <math.h>

enum { ROW_TILE = 64, SPAN = 256 };

/* Up to 256 columns of one output. */
typedef struct span {
    int8_t q[SPAN];
    float scale[SPAN / 16], min[SPAN / 16];
    int64_t k0;
    int cols, step; /* step: columns of a scale, 32 or 16 */
    bool has_min;
} span;

/* Group g of the span: one step of the chain, or two where the scale changes in the middle. */
static float add_group(float acc, const r1i_act *x, int64_t row, const span *s, int g, bool fine)
{
    const int64_t group = s->k0 / 32 + g, at32 = fine ? group * x->fine_stride + row : row * (x->x.cols / 32) + group;
    const int8_t *const xq = (fine ? x->fine_q : x->q) + 32 * at32;
    const int32_t *const sums = (fine ? x->fine_sum16 : x->sum16) + 2 * at32;
    const float d = (fine ? x->fine_d : x->d)[at32];
    for (int at = 0; at < 32; at += s->step) {
        int32_t sum = 0, sum_x = 0;
        for (int i = at; i < at + s->step; i++) sum += s->q[32 * g + i] * xq[i];
        for (int i = at; i < at + s->step; i += 16) sum_x += sums[i / 16];
        acc = fmaf((float)sum, s->scale[2 * g + at / 16] * d, acc);
        if (s->has_min) acc = fmaf(-s->min[2 * g + at / 16], d * (float)sum_x, acc);
    }
    return acc;
}

/* acc[m] takes up the span: every group, then once more those with a fine term. */
static void add_span(float *acc, const r1i_act *x, int64_t m0, int64_t rows, const span *s)
{
    for (int64_t m = 0; m < rows; m++) {
        const unsigned fine = x->fine[s->k0 / SPAN * x->fine_stride + m0 + m];
        for (int g = 0; g < s->cols / 32; g++) acc[m] = add_group(acc[m], x, m0 + m, s, g, false);
        for (int g = 0; g < s->cols / 32; g++)
            if (fine >> g & 1u) acc[m] = add_group(acc[m], x, m0 + m, s, g, true);
    }
}

static void output_column(const r1i_linear_job *job, int64_t out, int64_t m0, int64_t rows)
{
    const r1i_weight *w = job->w;
    const int64_t elems = r1i_dtype(w->type)->block_elems, block = r1i_dtype(w->type)->block_bytes;
    const uint8_t *panel = w->data + (uint64_t)(out / R1I_PANEL_ROWS) * r1i_panel_stride(w->type, w->cols);
    float acc[ROW_TILE] = {0};
    uint8_t source[R1I_BLOCK_BYTES_MAX];
    span s = {.step = r1i_type_scale_16(w->type) ? 16 : 32, .has_min = r1i_type_has_min(w->type)};
    for (int64_t k = 0; k < w->cols; k += SPAN) {
        s.k0 = k;
        s.cols = (int)(w->cols - k < SPAN ? w->cols - k : SPAN);
        for (int i = 0; i < s.cols; i += (int)elems) {
            r1i_panel_block_row(w->type, panel + (k + i) / elems * block * R1I_PANEL_ROWS, (int)(out % R1I_PANEL_ROWS),
                                source);
            r1i_unpack_integers(w->type, source, elems, s.q + i, s.scale + i / 16, s.min + i / 16);
        }
        add_span(acc, job->x, m0, rows, &s);
    }
    for (int64_t m = 0; m < rows; m++) r1i_ref_finish(job, m0 + m, out, acc[m]);
}

void r1i_ref_linear_q8(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const int64_t end = p1 * R1I_PANEL_ROWS < job->w->rows ? p1 * R1I_PANEL_ROWS : job->w->rows;
    for (int64_t out = p0 * R1I_PANEL_ROWS; out < end; out++)
        for (int64_t m = 0; m < job->y.rows; m += ROW_TILE)
            output_column(job, out, m, job->y.rows - m < ROW_TILE ? job->y.rows - m : ROW_TILE);
}

/* Round half to even without a library call: at 1.5 * 2^23 the last mantissa bit is 1. |v| < 2^22. */
static float round_even(float v)
{
    const float magic = 12582912.0f, shifted = v + magic;
    return shifted - magic;
}

/* A block with an infinity or NaN poisons its products (d = NaN); one so small that 127 / amax overflows is a zero
 * block. */
static void quantise_block(const float *x, int8_t *q, float *d, int32_t *sum16)
{
    uint32_t bits = 0; /* of the largest magnitude; as integers, NaN counts above infinity */
    for (int i = 0; i < 32; i++) {
        const uint32_t a = r1i_f32_bits(x[i]) & 0x7fffffffu;
        bits = a > bits ? a : bits;
    }
    const float amax = r1i_f32_from_bits(bits);
    const bool broken = bits >= 0x7f800000u, usable = !broken && amax >= R1I_Q8_AMAX_MIN;
    *d = usable ? amax / 127.0f : broken ? r1i_f32_from_bits(0x7fc00000u) : 0.0f;
    const float id = usable ? 127.0f / amax : 0.0f;
    for (int half = 0; half < 2; half++) {
        sum16[half] = 0;
        for (int i = 16 * half; i < 16 * half + 16; i++) {
            q[i] = usable ? (int8_t)round_even(x[i] * id) : 0;
            sum16[half] += q[i];
        }
    }
}

void r1i_ref_quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16)
{
    for (int64_t i = 0; i < n; i += 32) quantise_block(x + i, q + i, d + i / 32, sum16 + i / 16);
}

void r1i_cpu_ref_quant_kernels(r1i_cpu_kernels *k)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t)) continue;
        k->linear_q8[t] = r1i_ref_linear_q8;
        k->linear_f32[t] = r1i_ref_linear_exact;
    }
    k->quantise_row = r1i_ref_quantise_row;
    k->fine_row = r1i_cpu_fine_row;
}
