/* Products with scalar weight types in plain C: the specification of every vector row. */
#include <math.h>

#include "backend/cpu/ref/ref.h"
#include "tensor/codec.h"

enum { ROWS = 64 }; /* rows whose sums are kept while one panel passes: a weight is decoded once for all of them */

/* The 16 weights of input k, as f32. */
typedef void (*decode_fn)(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k, float out[16]);

static void decode_f32(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k, float out[16])
{
    (void)w, (void)panel;
    memcpy(out, data + k * 64, 64);
}

static uint16_t half_of(const uint8_t *data, int64_t k, int64_t lane)
{
    uint16_t h;
    memcpy(&h, data + (k / 2 * 32 + lane * 2 + k % 2) * 2, sizeof h);
    return h;
}

static void decode_f16(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k, float out[16])
{
    (void)w, (void)panel;
    for (int64_t i = 0; i < 16; i++) out[i] = r1i_f16_to_f32(half_of(data, k, i));
}

static void decode_bf16(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k, float out[16])
{
    (void)w, (void)panel;
    for (int64_t i = 0; i < 16; i++) out[i] = r1i_bf16_to_f32(half_of(data, k, i));
}

/* The block scale is the same for all 16 outputs, as 16 divides 128. */
static void decode_f8(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k, float out[16])
{
    const float scale = w->scale[panel / 8 * ((w->cols + 127) / 128) + k / 128];
    for (int64_t i = 0; i < 16; i++) out[i] = r1i_e4m3_to_f32(data[k / 4 * 64 + i * 4 + k % 4]) * scale;
}

static void finish(const r1i_linear_job *job, int64_t row, int64_t panel, const float acc[16])
{
    const int64_t n = job->w->rows - panel * 16 < 16 ? job->w->rows - panel * 16 : 16;
    float *const y = job->y.p + row * job->y.stride + panel * 16;
    for (int64_t i = 0; i < n; i++) {
        float v = acc[i];
        if (job->bias) v += job->bias[panel * 16 + i];
        y[i] = job->add ? y[i] + v : v;
    }
}

static void linear(const r1i_linear_job *job, int64_t p0, int64_t p1, decode_fn decode, bool bf16_x)
{
    const r1i_weight *const w = job->w;
    const r1i_act *const x = job->x;
    const int64_t rows = x->x.rows;
    float acc[ROWS][16];
    for (int64_t p = p0; p < p1; p++) {
        const uint8_t *const data = w->data + p * (int64_t)r1i_panel_stride(w->type, w->cols);
        for (int64_t r0 = 0; r0 < rows; r0 += ROWS) {
            const int64_t n = rows - r0 < ROWS ? rows - r0 : ROWS;
            memset(acc, 0, sizeof acc);
            for (int64_t k = 0; k < w->cols; k++) {
                float wk[16];
                decode(w, p, data, k, wk);
                for (int64_t r = 0; r < n; r++) {
                    const float xk = bf16_x ? r1i_bf16_to_f32(x->bf16[(r0 + r) * x->bf16_stride + k])
                                            : x->x.p[(r0 + r) * x->x.stride + k];
                    for (int i = 0; i < 16; i++) acc[r][i] = fmaf(xk, wk[i], acc[r][i]);
                }
            }
            for (int64_t r = 0; r < n; r++) finish(job, r0 + r, p, acc[r]);
        }
    }
}

static void linear_f32(const r1i_linear_job *job, int64_t p0, int64_t p1) { linear(job, p0, p1, decode_f32, false); }
static void linear_f16(const r1i_linear_job *job, int64_t p0, int64_t p1) { linear(job, p0, p1, decode_f16, false); }
static void linear_bf16_w(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    linear(job, p0, p1, decode_bf16, false);
}
static void linear_f8(const r1i_linear_job *job, int64_t p0, int64_t p1) { linear(job, p0, p1, decode_f8, false); }
/* compute bf16 without bf16 hardware: both factors rounded to bf16, then the same chain of fmaf. */
static void linear_bf16(const r1i_linear_job *job, int64_t p0, int64_t p1) { linear(job, p0, p1, decode_bf16, true); }

void r1i_ref_linear_kernels(r1i_cpu_kernels *k)
{
    k->linear_f32[R1_DTYPE_F32] = linear_f32;
    k->linear_f32[R1_DTYPE_F16] = linear_f16;
    k->linear_f32[R1_DTYPE_BF16] = linear_bf16_w;
    k->linear_f32[R1_DTYPE_F8_E4M3] = linear_f8;
    k->linear_bf16 = linear_bf16;
}
