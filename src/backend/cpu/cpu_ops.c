/* The CPU op table: each op as a loop over rows, shared out over the pool when it is worth waking, with the row kernels
 * of the chosen instruction set inside. */
#include "backend/cpu/cpu_ops.h"

#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/elementary.h"
#include "backend/cpu/grad.h"

/* Elements below which an elementwise op runs in the calling thread: about 10 us of work, a few times what waking
 * costs. */
enum { INLINE_ELEMS = 32 * 1024, BLOCKS_A_THREAD = 4 };

/* Arguments of any row op; each op uses its own few. */
typedef struct row_args {
    const r1i_cpu_kernels *k;
    r1i_mat y, a, b;
    const void *p, *p2;
    void *out;
    int64_t n, n2;
    float scalar;
    bool flag;
    const r1i_act *act;
    void (*row)(const struct row_args *args, int64_t r);
    int64_t rows, block;
} row_args;

static void row_block(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const row_args *const a = ctx;
    const int64_t end = (i + 1) * a->block < a->rows ? (i + 1) * a->block : a->rows;
    for (int64_t r = i * a->block; r < end; r++) a->row(a, r);
}

static r1_status run_rows(r1i_exec *ex, row_args *a, void (*row)(const row_args *, int64_t), int64_t rows,
                          int64_t elems_a_row)
{
    const int threads = r1i_pool_threads(ex->pool);
    a->k = ex->backend;
    a->row = row;
    a->rows = rows;
    a->block = rows;
    if (rows == 0) return R1_OK;
    if (threads > 1 && rows * elems_a_row > INLINE_ELEMS)
        a->block = (rows + threads * BLOCKS_A_THREAD - 1) / (threads * BLOCKS_A_THREAD);
    r1i_pool_run(ex->pool, (rows + a->block - 1) / a->block, row_block, a);
    return R1_OK;
}

static float *row_of(r1i_mat m, int64_t r) { return m.p + r * m.stride; }

static void embed_row(const row_args *a, int64_t r)
{
    r1i_weight_row(a->p, ((const int32_t *)a->p2)[r], row_of(a->y, r));
}
static r1_status embed(r1i_exec *ex, r1i_mat y, const r1i_weight *w, const int32_t *token)
{
    row_args a = {.y = y, .p = w, .p2 = token};
    return run_rows(ex, &a, embed_row, y.rows, y.cols);
}

static void rmsnorm_row(const row_args *a, int64_t r)
{
    a->k->rmsnorm_row(row_of(a->y, r), row_of(a->a, r), a->p, a->a.cols, a->scalar);
}
static r1_status rmsnorm(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps)
{
    row_args a = {.y = y, .a = x, .p = g, .scalar = eps};
    return run_rows(ex, &a, rmsnorm_row, x.rows, x.cols);
}

void r1i_cpu_prepare_row(const r1i_cpu_kernels *k, const r1i_act *t, int64_t r)
{
    const int64_t cols = t->x.cols;
    if (t->kinds & R1I_ACT_Q8) {
        k->quantise_row(row_of(t->x, r), cols, t->q + r * cols, t->d + r * (cols / 32), t->sum16 + r * (cols / 16));
        k->fine_row(t, r);
    }
    if (t->kinds & R1I_ACT_BF16) {
        uint16_t *const y = t->bf16 + r * t->bf16_stride;
        k->bf16_row(y, row_of(t->x, r), cols);
        memset(y + cols, 0, sizeof *y * (size_t)(t->bf16_stride - cols));
    }
}
static void prepare_row(const row_args *a, int64_t r)
{
    r1i_cpu_prepare_row(a->k, a->act, r);
}
static r1_status prepare(r1i_exec *ex, const r1i_act *act)
{
    row_args a = {.act = act};
    return run_rows(ex, &a, prepare_row, act->x.rows, act->x.cols);
}

/* 20 ns an angle. */
static void rope_table_row(const row_args *a, int64_t r)
{
    a->k->rope_table_row(row_of(a->a, r), row_of(a->b, r), ((const int64_t *)a->p)[r], a->p2, a->a.cols, a->scalar);
}
static r1_status rope_table(r1i_exec *ex, r1i_mat cos, r1i_mat sin, const int64_t *pos, const double *inv_freq,
                            float mag)
{
    row_args a = {.a = cos, .b = sin, .p = pos, .p2 = inv_freq, .scalar = mag};
    return run_rows(ex, &a, rope_table_row, cos.rows, 32 * cos.cols);
}

static void rope_row(const row_args *a, int64_t r)
{
    a->k->rope_row(row_of(a->y, r), a->n, a->a.cols * 2, a->n2, row_of(a->a, r), row_of(a->b, r), a->flag);
}
static r1_status rope(r1i_exec *ex, r1i_mat x, int64_t heads, int64_t dim, int64_t head_stride, r1i_mat cos,
                      r1i_mat sin, bool interleaved)
{
    row_args a = {.y = x, .a = cos, .b = sin, .n = heads, .n2 = head_stride, .flag = interleaved};
    return run_rows(ex, &a, rope_row, x.rows, heads * dim);
}

static void silu_mul_row(const row_args *a, int64_t r)
{
    a->k->silu_mul_row(row_of(a->y, r), row_of(a->a, r), row_of(a->b, r), a->y.cols);
}
static r1_status silu_mul(r1i_exec *ex, r1i_mat y, r1i_mat g, r1i_mat u)
{
    row_args a = {.y = y, .a = g, .b = u};
    return run_rows(ex, &a, silu_mul_row, y.rows, 2 * y.cols);
}

/* By pieces of a row, which stay in a near cache as f32. */
static void silu_mul_rounded_row(const row_args *a, int64_t r)
{
    enum { NEAR = 512 };
    float near[NEAR];
    const int64_t cols = a->a.cols;
    uint16_t *const y = a->act->bf16 + r * a->act->bf16_stride;
    for (int64_t c = 0, n; c < cols; c += n) {
        n = cols - c < NEAR ? cols - c : NEAR;
        a->k->silu_mul_row(near, row_of(a->a, r) + c, row_of(a->b, r) + c, n);
        a->k->bf16_row(y + c, near, n);
    }
    memset(y + cols, 0, sizeof *y * (size_t)(a->act->bf16_stride - cols));
}
static r1_status silu_mul_rounded(r1i_exec *ex, const r1i_act *act, r1i_mat g, r1i_mat u)
{
    row_args a = {.act = act, .a = g, .b = u};
    return run_rows(ex, &a, silu_mul_rounded_row, g.rows, 2 * g.cols);
}

static void scale_row(const row_args *a, int64_t r)
{
    float *const x = row_of(a->y, r);
    for (int64_t c = 0; c < a->y.cols; c++) x[c] *= a->scalar;
}
static r1_status scale(r1i_exec *ex, r1i_mat x, float s)
{
    row_args a = {.y = x, .scalar = s};
    return run_rows(ex, &a, scale_row, x.rows, x.cols);
}

static void gather_row(const row_args *a, int64_t r)
{
    memcpy(row_of(a->y, r), row_of(a->a, ((const int32_t *)a->p)[r]), sizeof(float) * (size_t)a->y.cols);
}
static r1_status gather(r1i_exec *ex, r1i_mat y, r1i_mat x, const int32_t *index)
{
    row_args a = {.y = y, .a = x, .p = index};
    return run_rows(ex, &a, gather_row, y.rows, y.cols);
}

static void moe_combine_row(const row_args *a, int64_t r)
{
    a->k->moe_combine_row(row_of(a->y, r), a->a.p, a->a.stride, (const int32_t *)a->p + r * a->n,
                          (const float *)a->p2 + r * a->n, a->n, a->b.p ? row_of(a->b, r) : NULL, a->y.cols);
}
static r1_status moe_combine(r1i_exec *ex, r1i_mat y, r1i_mat out, const int32_t *slot, const float *weight,
                             int64_t topk, r1i_mat shared)
{
    row_args a = {.y = y, .a = out, .b = shared, .p = slot, .p2 = weight, .n = topk};
    return run_rows(ex, &a, moe_combine_row, y.rows, topk * y.cols);
}

static void logsumexp_row(const row_args *a, int64_t r)
{
    double lane[16];
    const float *const x = row_of(a->a, r);
    const float max = a->k->row_max(x, a->n, a->scalar);
    a->k->row_sum_exp(x, a->n, a->scalar, max, lane);
    const double sum = r1i_fold16_double(lane);
    ((double *)a->out)[r] = isfinite(sum) ? (double)max + r1i_ln(sum) : (double)NAN; /* r1i_ln wants a number */
}
static r1_status logsumexp(r1i_exec *ex, r1i_mat logits, int64_t n_defined, float inv_temperature, double *lse)
{
    row_args a = {.a = logits, .n = n_defined, .scalar = inv_temperature, .out = lse};
    return run_rows(ex, &a, logsumexp_row, logits.rows, n_defined);
}

static const r1i_ops ops = {
    .name = "cpu",
    .embed = embed,
    .rmsnorm = rmsnorm,
    .prepare = prepare,
    .linear = r1i_cpu_linear,
    .ahead = r1i_cpu_ahead,
    .rope_table = rope_table,
    .rope = rope,
    .kv_write = r1i_cpu_kv_write,
    .attention = r1i_cpu_attention,
    .silu_mul = silu_mul,
    .silu_mul_rounded = silu_mul_rounded,
    .router = r1i_cpu_router,
    .scale = scale,
    .gather = gather,
    .moe_combine = moe_combine,
    .logsumexp = logsumexp,
    .grad = &r1i_cpu_grad_ops,
};

const r1i_ops *r1i_cpu_ops(void) { return &ops; }
