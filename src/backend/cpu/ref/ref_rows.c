/* Norms, gates and the sums of log-softmax, one row at a time in plain C, and the list of the whole plain-C table. */
#include "backend/cpu/lanes/plain_rows.h"
#include "backend/cpu/ref/ref.h"

static void rmsnorm_row(float *y, const float *x, const float *g, int64_t n, float eps)
{
    float lane[16] = {0};
    for (int64_t i = 0; i < n; i++) lane[i % 16] = fmaf(x[i], x[i], lane[i % 16]);
    const float mean = r1i_fold16(lane) / (float)n;
    const float s = 1.0f / sqrtf(mean + eps);
    for (int64_t i = 0; i < n; i++) y[i] = g[i] * (x[i] * s);
}

static void silu_mul_row(float *y, const float *g, const float *u, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = r1i_siluf(g[i]) * u[i];
}

static void sigmoid_row(float *y, const float *z, int64_t n)
{
    for (int64_t i = 0; i < n; i++) y[i] = r1i_sigmoidf(z[i]);
}

/* A NaN is never the maximum: the comparison fails. The sum + 0 turns -0 into +0, which lanes would pick by chance. */
static float row_max(const float *x, int64_t n, float scale)
{
    float m = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const float z = x[i] * scale;
        m = z > m ? z : m;
    }
    return m + 0.0f;
}

static void row_sum_exp(const float *x, int64_t n, float scale, float max, double lane[16])
{
    for (int i = 0; i < 16; i++) lane[i] = 0.0;
    for (int64_t i = 0; i < n; i++) lane[i % 16] += (double)r1i_expf(x[i] * scale - max);
}

void r1i_ref_row_kernels(r1i_cpu_kernels *k)
{
    k->rmsnorm_row = rmsnorm_row;
    k->silu_mul_row = silu_mul_row;
    k->sigmoid_row = sigmoid_row;
    k->row_max = row_max;
    k->row_sum_exp = row_sum_exp;
    k->rope_row = plain_rope_row;
    k->rope_table_row = plain_rope_table_row;
    k->moe_combine_row = plain_moe_combine_row;
    k->bf16_row = plain_bf16_row;
}

void r1i_cpu_ref_kernels(r1i_cpu_kernels *k)
{
    *k = (r1i_cpu_kernels){.name = "c"};
    r1i_ref_linear_kernels(k);
    r1i_ref_row_kernels(k);
    k->attn = &r1i_ref_attn;
    r1i_cpu_ref_quant_kernels(k);
}
