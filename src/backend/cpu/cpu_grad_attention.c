/* Attention's backward. One item a run and kv head, which walks the heads of its group in ascending order; or, where
 * those are too few for the threads, one a run and head, and the heads of a group are added afterwards in the same
 * order. */
#include <string.h>

#include "backend/cpu/grad.h"

typedef struct attention {
    void (*kernel)(const r1i_grad_attn *a);
    const r1i_attn_shape *s;
    r1i_mat dq, dk, dv, d_o, q, keys, values, o;
    const r1i_run *runs;
    int64_t n_runs, rows, pk, pv;
    bool assign;
    float *head_dk, *head_dv;   /* heads as items: [heads][rows][pk], [heads][rows][pv] */
    float *scratch;
    size_t scratch_floats;      /* a thread */
} attention;

static int64_t group_of(const r1i_attn_shape *s) { return s->heads / s->kv_heads; }

/* Rows of a run, columns of head h. */
static r1i_mat part(r1i_mat m, const r1i_run *run, int64_t h, int64_t dim)
{
    return (r1i_mat){m.p + run->first * m.stride + h * dim, run->n, dim, m.stride};
}

/* What head h of a run reads and writes, apart from dk and dv. */
static r1i_grad_attn head_of(const attention *a, const r1i_run *run, int64_t h, int thread)
{
    const r1i_attn_shape *const s = a->s;
    const int64_t kv = h / group_of(s);
    return (r1i_grad_attn){
        .shape = s,
        .n = run->n,
        .q = part(a->q, run, h, s->key_dim),
        .k = part(a->keys, run, kv, s->key_dim),
        .v = part(a->values, run, kv, s->value_dim),
        .o = part(a->o, run, h, s->value_dim),
        .d_o = part(a->d_o, run, h, s->value_dim),
        .dq = part(a->dq, run, h, s->key_dim),
        .assign = a->assign,
        .scratch = a->scratch + (size_t)thread * a->scratch_floats,
    };
}

static void head_item(void *ctx, int64_t i, int thread)
{
    const attention *const a = ctx;
    const int64_t h = i % a->s->heads;
    const r1i_run *const run = &a->runs[i / a->s->heads];
    r1i_grad_attn item = head_of(a, run, h, thread);
    item.dk = a->head_dk + (h * a->rows + run->first) * a->pk;
    item.dv = a->head_dv + (h * a->rows + run->first) * a->pv;
    a->kernel(&item);
}

static void group_item(void *ctx, int64_t i, int thread)
{
    const attention *const a = ctx;
    const int64_t kv = i % a->s->kv_heads, group = group_of(a->s);
    const r1i_run *const run = &a->runs[i / a->s->kv_heads];
    for (int64_t h = kv * group; h < (kv + 1) * group; h++) {
        r1i_grad_attn item = head_of(a, run, h, thread);
        item.same_keys = h > kv * group;
        item.dk = item.scratch + r1i_grad_attn_scratch(a->s, run->n);
        item.dv = item.dk + run->n * a->pk;
        item.add_k = part(a->dk, run, kv, a->s->key_dim);
        item.add_v = part(a->dv, run, kv, a->s->value_dim);
        a->kernel(&item);
    }
}

/* One row's keys and values: heads ascending. */
static void row_item(void *ctx, int64_t r, int thread)
{
    (void)thread;
    const attention *const a = ctx;
    const r1i_attn_shape *const s = a->s;
    for (int64_t h = 0; h < s->heads; h++) {
        const int64_t kv = h / group_of(s);
        float *const dk = a->dk.p + r * a->dk.stride + kv * s->key_dim,
                     *const dv = a->dv.p + r * a->dv.stride + kv * s->value_dim;
        const float *const from_k = a->head_dk + (h * a->rows + r) * a->pk,
                           *const from_v = a->head_dv + (h * a->rows + r) * a->pv;
        for (int64_t d = 0; d < s->key_dim; d++) dk[d] += from_k[d];
        for (int64_t d = 0; d < s->value_dim; d++) dv[d] += from_v[d];
    }
}

static bool by_groups(const r1i_attn_shape *s, int64_t n_runs, int threads)
{
    return threads == 1 || n_runs * s->kv_heads >= 2 * threads;
}

/* Of one thread, dk and dv of one head behind what the kernel takes. */
static size_t thread_floats(const r1i_attn_shape *s, const r1i_run *runs, int64_t n_runs, bool groups)
{
    int64_t longest = 0;
    for (int64_t i = 0; i < n_runs; i++)
        if (runs[i].n > longest) longest = runs[i].n;
    return (size_t)(r1i_grad_attn_scratch(s, longest) +
                    (groups ? longest * (r1i_round16(s->key_dim) + r1i_round16(s->value_dim)) : 0));
}

size_t r1i_grad_attention_work(const r1i_attn_shape *s, int64_t rows, const r1i_run *runs, int64_t n_runs, int threads)
{
    const bool groups = by_groups(s, n_runs, threads);
    const size_t heads = groups ? 0 : (size_t)(s->heads * rows * (r1i_round16(s->key_dim) + r1i_round16(s->value_dim)));
    return heads + (size_t)threads * thread_floats(s, runs, n_runs, groups);
}

r1_status r1i_cpu_grad_attention(r1i_exec *ex, const r1i_attn_shape *s, r1i_mat dq, r1i_mat dk, r1i_mat dv, r1i_mat d_o,
                                 r1i_mat q, r1i_mat k, r1i_mat v, r1i_mat o, const r1i_run *runs, int64_t n_runs,
                                 bool assign, float *work)
{
    const bool groups = by_groups(s, n_runs, r1i_pool_threads(ex->pool));
    const r1i_cpu_kernels *const kernels = ex->backend;
    const bool pairs = ex->compute == R1I_COMPUTE_BF16 && kernels->pairs;
    attention a = {.kernel = pairs ? kernels->pairs->attention : kernels->grad->attention, .s = s, .dq = dq, .dk = dk,
                   .dv = dv, .d_o = d_o, .q = q, .keys = k, .values = v, .o = o, .runs = runs, .n_runs = n_runs,
                   .rows = q.rows, .pk = r1i_round16(s->key_dim), .pv = r1i_round16(s->value_dim), .assign = assign,
                   .scratch_floats = thread_floats(s, runs, n_runs, groups)};
    if (groups) {
        a.scratch = work;
        r1i_pool_run(ex->pool, n_runs * s->kv_heads, group_item, &a);
        return R1_OK;
    }
    a.head_dk = work;
    a.head_dv = a.head_dk + s->heads * q.rows * a.pk;
    a.scratch = a.head_dv + s->heads * q.rows * a.pv;
    r1i_pool_run(ex->pool, n_runs * s->heads, head_item, &a);
    r1i_pool_run(ex->pool, q.rows, row_item, &a);
    return R1_OK;
}
