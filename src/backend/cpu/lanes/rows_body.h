/* Norms, gates and the sums of log-softmax over sixteen lanes: the operations of ref_rows.c, lane by lane. */
#ifndef R1I_ROWS_BODY_H
#define R1I_ROWS_BODY_H

#include "backend/cpu/lanes/plain_rows.h"
#include "backend/cpu/lanes/row_pieces.h"

/* Sums stay one vector, as the contract has 16 lanes: absent columns add 0 * 0 to a sum that is never -0. */
static void rmsnorm_row(float *y, const float *x, const float *g, int64_t n, float eps)
{
    v16 sum = v16_zero();
    claim_row(y, n);
    for (int64_t i = 0; i < n; i += 16) {
        const v16 v = some(x + i, n - i);
        sum = v16_fma(v, v, sum);
    }
    const float mean = fold(sum) / (float)n;
    const v16 s = v16_set1(1.0f / sqrtf(mean + eps));
    for (int64_t i = 0; i < n; i += 16) put(y + i, v16_mul(some(g + i, n - i), v16_mul(some(x + i, n - i), s)), n - i);
}

static void silu_mul_row(float *y, const float *g, const float *u, int64_t n)
{
    const v16 one = v16_set1(1.0f);
    claim_row(y, n);
    for (int64_t i = 0; i < n; i += 16) {
        const v16 z = some(g + i, n - i);
        const v16 silu = v16_div(z, v16_add(one, v16_exp(v16_neg(z))));
        put(y + i, v16_mul(silu, some(u + i, n - i)), n - i);
    }
}

static void sigmoid_row(float *y, const float *z, int64_t n)
{
    const v16 one = v16_set1(1.0f);
    for (int64_t i = 0; i < n; i += 16)
        put(y + i, v16_div(one, v16_add(one, v16_exp(v16_neg(some(z + i, n - i))))), n - i);
}

static float row_max(const float *x, int64_t n, float scale)
{
    const v16 s = v16_set1(scale), lowest = v16_set1(-INFINITY);
    v16 m = lowest;
    for (int64_t i = 0; i < n; i += 16) m = v16_max(v16_first(v16_mul(some(x + i, n - i), s), n - i, lowest), m);
    float lane[16], max = -INFINITY;
    v16_store(lane, m);
    for (int i = 0; i < 16; i++) max = lane[i] > max ? lane[i] : max;
    return max + 0.0f;
}

static void rope_row(float *x, int64_t heads, int64_t dim, int64_t head_stride, const float *cos, const float *sin,
                     bool interleaved)
{
    plain_rope_row(x, heads, dim, head_stride, cos, sin, interleaved);
}
static void rope_table_row(float *cos, float *sin, int64_t pos, const double *inv_freq, int64_t n, float mag)
{
    plain_rope_table_row(cos, sin, pos, inv_freq, n, mag);
}
static void moe_combine_row(float *y, const float *out, int64_t out_stride, const int32_t *slot, const float *weight,
                            int64_t topk, const float *shared, int64_t n)
{
    enum { VECS = 4 };
    claim_row(y, n);
    for (; n >= 16 * VECS; n -= 16 * VECS, y += 16 * VECS, out += 16 * VECS) {
        v16 acc[VECS];
        for (int v = 0; v < VECS; v++) acc[v] = v16_zero();
        for (int64_t j = 0; j < topk; j++) {
            const float *const o = out + (int64_t)slot[j] * out_stride;
            const v16 w = v16_set1(weight[j]);
            for (int v = 0; v < VECS; v++) acc[v] = v16_fma(w, v16_load(o + 16 * v), acc[v]);
        }
        for (int v = 0; v < VECS; v++) {
            if (shared) acc[v] = v16_add(acc[v], v16_load(shared + 16 * v));
            v16_store(y + 16 * v, v16_add(v16_load(y + 16 * v), acc[v]));
        }
        if (shared) shared += 16 * VECS;
    }
    if (n > 0) plain_moe_combine_row(y, out, out_stride, slot, weight, topk, shared, n);
}
static void bf16_row(uint16_t *y, const float *x, int64_t n) { plain_bf16_row(y, x, n); }

/* 16 double lanes by id mod 16. No exponent is above 0: max is row_max's. */
static void row_sum_exp(const float *x, int64_t n, float scale, float max, double lane[16])
{
    const v16 s = v16_set1(scale), m = v16_set1(max);
    d16 sum = d16_zero();
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) sum = d16_add(sum, v16_exp_down(v16_sub(v16_mul(v16_load(x + i), s), m)));
    if (i < n)
        sum = d16_add(sum, v16_first(v16_exp_down(v16_sub(v16_mul(v16_load_n(x + i, n - i), s), m)), n - i,
                                     v16_zero()));
    d16_store(lane, sum);
}

static inline void set_row_kernels(r1i_cpu_kernels *k)
{
    k->rmsnorm_row = rmsnorm_row;
    k->silu_mul_row = silu_mul_row;
    k->sigmoid_row = sigmoid_row;
    k->row_max = row_max;
    k->row_sum_exp = row_sum_exp;
    k->rope_row = rope_row;
    k->rope_table_row = rope_table_row;
    k->moe_combine_row = moe_combine_row;
    k->bf16_row = bf16_row;
}

#endif
