/* One line per kernel and shape of a model, for every row of the op table: each op is called through its front, on the
 * model's own matrices, between two slices of roof. */
#include <stdio.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "measure/cost.h"
#include "measure/roof.h"
#include "measure/shapes.h"
#include "model/kv.h"
#include "op/ops.h"
#include "tensor/codec.h"

#define WORK_SECONDS 0.03
#define ROOF_SECONDS 0.01
#define CALL_SECONDS 0.1   /* a matrix that takes longer is cut to fewer outputs */
enum { REPEAT = 5, PROBE_OUTPUTS = 64, BUFFER_ELEMS = 1 << 24 };

typedef struct ops_bench ops_bench;
struct ops_bench {
    const r1_model *m;
    const r1_bench_ops_params *p;
    r1_env env;
    r1i_cpu_kernels kernels;
    r1i_pool *pool;
    r1i_arena scratch;
    r1i_exec ex;
    r1_meter *meter;
    r1i_kv kv;
    int32_t *page;                  /* [kv.pages] */
    int32_t *index;                 /* [most_rows * topk] */
    double *row_double;             /* [most_rows] */
    int64_t *row_int;               /* [most_rows] */
    float *x, *y, *z;               /* [elems] */
    int64_t most_rows, elems, depth;
    int32_t repeat;
    double *work;                   /* [3 * repeat] */
    r1_roof *roofs;                 /* [repeat] */
    bool (*on_op)(void *user, const r1_bench_op *op);
    void *user;
    r1_error *err;
    r1i_clock_fn clock;
    /* the op under measurement */
    r1_status (*call)(ops_bench *b);
    int64_t rows, turn;
    const r1i_shape *shape;
    int64_t outputs;
    r1i_act act;
    r1i_run run;
};

/* ---- one measurement --------------------------------------------------------------------------------------------- */

static r1_status timed(ops_bench *b, double at_least, double *seconds)
{
    const double begin = b->clock();
    double now = begin;
    int64_t calls = 0;
    r1_status st = R1_OK;
    do {
        b->turn++;
        st = b->call(b);
        calls++;
        now = b->clock();
    } while (st == R1_OK && now - begin < at_least);
    *seconds = (now - begin) / (double)calls;
    return st;
}

/* cost: of one call. */
static r1_status measure(ops_bench *b, r1_bench_op *op, const r1_cost *cost)
{
    double *const seconds = b->work, *const fraction = seconds + b->repeat, *const scratch = fraction + b->repeat;
    r1_roof before, after;
    r1_status st = b->call(b);
    r1i_roof_slice(b->meter, b->kernels.name, cost, ROOF_SECONDS, &before);
    for (int32_t i = 0; i < b->repeat && st == R1_OK; i++) {
        st = timed(b, WORK_SECONDS, &seconds[i]);
        r1i_roof_slice(b->meter, b->kernels.name, cost, ROOF_SECONDS, &after);
        b->roofs[i] = r1i_roof_between(&before, &after);
        fraction[i] = r1_roof_seconds(&b->roofs[i], cost, NULL) / seconds[i];
        before = after;
    }
    if (st != R1_OK) return st;
    op->isa = b->kernels.name;
    op->rows = b->rows;
    op->seconds = r1i_spread_of(seconds, b->repeat);
    op->fraction = r1i_spread_of(fraction, b->repeat);
    op->roof = r1i_roof_median(b->roofs, b->repeat, scratch);
    (void)r1_roof_seconds(&op->roof, cost, &op->bound);
    return b->on_op(b->user, op) ? R1_OK : r1i_fail(b->err, R1_ERR_STOPPED, "stopped");
}

/* ---- products ---------------------------------------------------------------------------------------------------- */

static r1_status call_linear(ops_bench *b)
{
    const int64_t n = b->shape->together;
    r1i_weight w[R1I_SHAPE_JOBS];
    r1i_linear_job job[R1I_SHAPE_JOBS];
    for (int64_t i = 0; i < n; i++) {
        w[i] = *b->shape->w[(b->turn * n + i) % b->shape->n];
        w[i].rows = b->outputs; /* panels follow one another: the first ones are a matrix of their own */
        job[i] = (r1i_linear_job){.y = r1i_mat_of(b->y + i * b->rows * b->outputs, b->rows, b->outputs), .x = &b->act,
                                  .w = &w[i]};
    }
    return r1i_linear(&b->ex, job, n);
}

static r1_status call_prepare(ops_bench *b)
{
    const size_t mark = r1i_arena_mark(b->ex.scratch);
    r1i_act act;
    const r1_status st = r1i_act_make(&b->ex, &act, b->act.x, b->act.kinds);
    r1i_arena_reset(b->ex.scratch, mark);
    return st;
}

/* How many outputs a call can have: what the buffer holds, and what a first call of a few says about the time. */
static r1_status fit_outputs(ops_bench *b, const r1i_weight *w)
{
    const int64_t room = b->elems / (b->rows * b->shape->together) / R1I_PANEL_ROWS * R1I_PANEL_ROWS;
    double seconds;
    b->outputs = w->rows < PROBE_OUTPUTS ? w->rows : PROBE_OUTPUTS;
    const r1_status st = timed(b, 0.0, &seconds);
    int64_t fits = (int64_t)(CALL_SECONDS / (seconds + 1e-9) * (double)b->outputs) / R1I_PANEL_ROWS * R1I_PANEL_ROWS;
    if (fits < PROBE_OUTPUTS) fits = PROBE_OUTPUTS;
    if (fits > room) fits = room;
    b->outputs = w->rows < fits ? w->rows : fits;
    return st;
}

static r1_status bench_linear(ops_bench *b, const r1i_shape *s)
{
    const r1i_weight *const w = s->w[0];
    const size_t mark = r1i_arena_mark(&b->scratch);
    const r1i_exec mode = b->ex;
    r1_status st;
    if (s->exact) {
        b->ex.compute = R1I_COMPUTE_F32;
        b->ex.exact_activations = true;
    }
    const unsigned kinds = r1i_act_kind(&b->ex, w);
    b->shape = s;
    b->call = call_linear;
    if ((st = r1i_act_make(&b->ex, &b->act, r1i_mat_of(b->x, b->rows, w->cols), kinds)) == R1_OK &&
        (st = fit_outputs(b, w)) == R1_OK) {
        r1i_weight part = *w;
        part.rows = b->outputs;
        const double jobs = (double)s->together;
        r1_cost cost = {.weight_bytes = jobs * r1i_weight_bytes(&part)};
        const double ops = jobs * 2.0 * (double)b->rows * (double)b->outputs * (double)w->cols;
        cost.ops[kinds & R1I_ACT_Q8 ? R1_PEAK_INT8 : kinds & R1I_ACT_BF16 ? R1_PEAK_BF16 : R1_PEAK_F32] = ops;
        r1_bench_op op = {.op = "linear", .what = s->what, .type = r1_dtype_name(w->type), .outputs = w->rows,
                          .inputs = w->cols, .jobs = s->together, .measured_outputs = b->outputs, .ops = ops,
                          .bytes = cost.weight_bytes};
        st = measure(b, &op, &cost);
    }
    r1i_arena_reset(&b->scratch, mark);
    b->ex = mode;
    return st;
}

/* ---- attention --------------------------------------------------------------------------------------------------- */

static r1i_kv_layer next_layer(const ops_bench *b) { return r1i_kv_layer_of(&b->kv, b->turn % b->kv.layers); }

static r1_status call_attention(ops_bench *b)
{
    const r1i_attn_shape *const s = &b->m->attn;
    const r1i_kv_layer kv = next_layer(b);
    return r1i_attention(&b->ex, s, &kv, r1i_mat_of(b->y, b->rows, s->heads * s->value_dim),
                         r1i_mat_of(b->x, b->rows, s->heads * s->key_dim), &b->run, 1, NULL);
}

static r1_status call_kv_write(ops_bench *b)
{
    const r1i_attn_shape *const s = &b->m->attn;
    const r1i_kv_layer kv = next_layer(b);
    const r1i_mat k = r1i_mat_of(b->x, b->rows, s->kv_heads * s->key_dim),
                  v = r1i_mat_of(b->z, b->rows, s->kv_heads * s->value_dim);
    return r1i_kv_write(&b->ex, s, &kv, k, s->mla ? (r1i_mat){0} : v, &b->run, 1);
}

static r1_status bench_attention(ops_bench *b)
{
    const r1i_attn_shape *const s = &b->m->attn;
    const double position = (double)r1i_cache_position_bytes(s, b->kv.type), n = (double)b->rows;
    const int64_t width = s->mla ? s->key_dim : s->kv_heads * (s->key_dim + s->value_dim);
    const char *const type = r1i_cache_name(b->kv.type);
    char what[64];
    b->run = (r1i_run){.n = b->rows, .pos0 = b->rows == 1 ? b->depth : 0, .pages = b->page};
    const double pairs = n * (double)b->run.pos0 + 0.5 * n * (n + 1.0);
    r1_cost cost = {.cache_bytes = ((double)b->run.pos0 + n) * position};
    cost.ops[R1_PEAK_F32] = pairs * 2.0 * (double)s->heads * (double)(s->key_dim + s->value_dim);
    snprintf(what, sizeof what, b->rows == 1 ? "%s decode at %lld" : "%s prompt of %lld", s->mla ? "mla" : "gqa",
             (long long)(b->rows == 1 ? b->depth : b->rows));
    r1_bench_op op = {.op = "attention", .what = what, .type = type, .outputs = s->heads * s->value_dim,
                      .ops = cost.ops[R1_PEAK_F32], .bytes = cost.cache_bytes};
    b->call = call_attention;
    r1_status st = measure(b, &op, &cost);
    if (st != R1_OK) return st;
    b->run.pos0 = 0; /* random values stay finite: only what decode reads was filled with care */
    const r1_cost write = {.cache_bytes = n * position};
    op = (r1_bench_op){.op = "kv_write", .what = s->mla ? "mla" : "gqa", .type = type, .outputs = width,
                       .bytes = write.cache_bytes};
    b->call = call_kv_write;
    return measure(b, &op, &write);
}

/* ---- rows: all in caches, so that only the arithmetic counts ----------------------------------------------------- */

static r1_status call_rmsnorm(ops_bench *b)
{
    const int64_t d = b->m->config.hidden_size;
    return r1i_rmsnorm(&b->ex, r1i_mat_of(b->y, b->rows, d), r1i_mat_of(b->x, b->rows, d), b->m->final_norm, 1e-6f);
}
static int64_t ffn_width(const r1_model *m) { return m->config.intermediate_size; }
static r1_status call_silu_mul(ops_bench *b)
{
    const int64_t f = ffn_width(b->m);
    return r1i_silu_mul(&b->ex, r1i_mat_of(b->y, b->rows, f), r1i_mat_of(b->x, b->rows, f),
                        r1i_mat_of(b->z, b->rows, f));
}
static r1_status call_rope_table(ops_bench *b)
{
    const int64_t half = r1i_rope_dim(&b->m->config) / 2;
    return r1i_rope_table(&b->ex, r1i_mat_of(b->y, b->rows, half), r1i_mat_of(b->z, b->rows, half), b->row_int,
                          b->m->inv_freq, 1.0f);
}
static r1_status call_rope(ops_bench *b)
{
    const int64_t dim = r1i_rope_dim(&b->m->config), heads = b->m->attn.heads;
    return r1i_rope(&b->ex, r1i_mat_of(b->x, b->rows, heads * dim), heads, dim, dim, r1i_mat_of(b->y, b->rows, dim / 2),
                    r1i_mat_of(b->z, b->rows, dim / 2), b->m->config.rope_interleaved);
}
static r1_status call_embed(ops_bench *b)
{
    return r1i_embed(&b->ex, r1i_mat_of(b->y, b->rows, b->m->config.hidden_size), &b->m->embedding, b->index);
}
static r1_status call_gather(ops_bench *b)
{
    const int64_t d = b->m->config.hidden_size;
    return r1i_gather(&b->ex, r1i_mat_of(b->y, b->rows, d), r1i_mat_of(b->x, b->rows, d), b->index);
}
static r1_status call_router(ops_bench *b)
{
    return r1i_router(&b->ex, &b->m->route, r1i_mat_of(b->x, b->rows, b->m->route.experts), NULL, b->index, b->z);
}
static r1_status call_combine(ops_bench *b)
{
    const int64_t d = b->m->config.hidden_size, k = b->m->route.topk;
    for (int64_t i = 0; i < b->rows * k; i++) b->index[i] = (int32_t)(i % b->rows);
    return r1i_moe_combine(&b->ex, r1i_mat_of(b->y, b->rows, d), r1i_mat_of(b->x, b->rows, d), b->index, b->z, k,
                           (r1i_mat){0});
}
static r1_status call_logsumexp(ops_bench *b)
{
    return r1i_logsumexp(&b->ex, r1i_mat_of(b->x, b->rows, b->m->config.vocab_size), b->m->config.vocab_size, 1.0f,
                         b->row_double);
}

/* An op that moves `bytes` and computes `ops` an element of [rows, cols]. */
static r1_status bench_row(ops_bench *b, const char *name, r1_status (*call)(ops_bench *b), int64_t cols, double ops,
                           double bytes)
{
    const double n = (double)b->rows * (double)cols;
    r1_cost cost = {0};
    if (b->rows * cols > b->elems) return R1_OK; /* wider than any forward makes it in one piece */
    cost.ops[R1_PEAK_F32] = n * ops;
    r1_bench_op op = {.op = name, .what = "", .type = "f32", .outputs = cols, .ops = n * ops, .bytes = n * bytes};
    b->call = call;
    b->turn = 0;
    return measure(b, &op, &cost);
}

/* The preparation of activations, where the model's weights want any. */
static r1_status bench_prepare(ops_bench *b)
{
    const r1_model *const m = b->m;
    const unsigned kinds = r1i_act_kind(&b->ex, &m->layer[0].o);
    if (kinds == R1I_ACT_F32) return R1_OK;
    b->act = (r1i_act){.x = r1i_mat_of(b->x, b->rows, m->config.hidden_size), .kinds = kinds};
    return bench_row(b, "prepare", call_prepare, m->config.hidden_size, 4.0, 5.0);
}

static r1_status bench_rows(ops_bench *b)
{
    const r1i_config *const c = &b->m->config;
    const int64_t dim = r1i_rope_dim(c), d = c->hidden_size, k = b->m->route.topk;
    r1_status st;
    for (int64_t i = 0; i < b->rows; i++)
        b->index[i] = (int32_t)(i % (c->vocab_size < b->rows ? c->vocab_size : b->rows));
    if ((st = bench_row(b, "embed", call_embed, d, 1.0, 8.0)) != R1_OK ||
        (st = bench_row(b, "gather", call_gather, d, 1.0, 8.0)) != R1_OK || (st = bench_prepare(b)) != R1_OK ||
        (st = bench_row(b, "rmsnorm", call_rmsnorm, d, 4.0, 8.0)) != R1_OK ||
        (st = bench_row(b, "silu_mul", call_silu_mul, ffn_width(b->m), 12.0, 12.0)) != R1_OK ||
        (st = bench_row(b, "rope_table", call_rope_table, dim / 2, 40.0, 8.0)) != R1_OK ||
        (st = bench_row(b, "rope", call_rope, b->m->attn.heads * dim, 3.0, 8.0)) != R1_OK ||
        (st = bench_row(b, "logsumexp", call_logsumexp, c->vocab_size, 14.0, 4.0)) != R1_OK)
        return st;
    if (k == 0) return R1_OK;
    if ((st = bench_row(b, "router", call_router, b->m->route.experts, 12.0, 4.0)) != R1_OK) return st;
    return bench_row(b, "moe_combine", call_combine, d, 2.0 * (double)k, 4.0 * (double)(k + 2));
}

/* ---- all of it --------------------------------------------------------------------------------------------------- */

static r1_status fill_cache(ops_bench *b)
{
    r1i_rng rng = {11, 0};
    /* q8: four integers of a float each; as factors small too */
    const size_t n = b->kv.type == R1I_CACHE_BF16 ? b->kv.bytes / 2 : b->kv.bytes / 4;
    float some[256];
    uint16_t half[256];
    for (int i = 0; i < 256; i++) {
        some[i] = (float)r1i_rng_double(&rng) - 0.5f;
        half[i] = r1i_bf16_from_f32(some[i]);
    }
    for (size_t i = 0; i < n; i++) {
        const size_t at = (i * 7 + i / 251) % 256;
        if (b->kv.type != R1I_CACHE_BF16) memcpy(b->kv.data + 4 * i, &some[at], 4);
        else memcpy(b->kv.data + 2 * i, &half[at], 2);
    }
    for (int64_t i = 0; i < b->kv.pages; i++) b->page[i] = (int32_t)i;
    for (int64_t i = 0; i < b->elems; i++) {
        b->x[i] = some[(i * 7 + i / 251) % 256];
        b->z[i] = some[(i * 5 + i / 241) % 256];
    }
    for (int64_t i = 0; i < b->most_rows; i++) b->row_int[i] = i;
    return R1_OK;
}

static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

static const int64_t usual_rows[] = {1, 16, 512};

static r1_status prepare(ops_bench *b)
{
    const r1i_config *const c = &b->m->config;
    const r1_bench_ops_params *const p = b->p;
    r1_env env = b->env;
    r1_status st;
    const int64_t *const rows = p->rows ? p->rows : usual_rows;
    const int n_rows = p->rows ? p->n_rows : 3;
    for (int i = 0; i < n_rows; i++) b->most_rows = larger(b->most_rows, rows[i]);
    const int64_t longest = c->max_position_embeddings, widest = larger(larger(c->intermediate_size, c->hidden_size),
        larger(b->m->attn.heads * b->m->attn.key_dim, b->m->attn.heads * r1i_rope_dim(c)));
    b->depth = p->depth > 0 ? p->depth : 4096;
    if (b->depth >= longest) b->depth = longest - 1;
    b->elems = larger(BUFFER_ELEMS, b->most_rows * larger(widest, c->moe_intermediate_size * c->n_shared_experts));
    b->repeat = p->repeat > 0 ? p->repeat : REPEAT;
    if (p->threads > 0) env.threads = p->threads;
    if ((st = r1_meter_create(&env, 0, 0, &b->meter, b->err)) != R1_OK ||
        (st = r1i_pool_create(&env, 0, &b->pool, b->err)) != R1_OK) return st;
    if (p->cpu_time) r1_meter_cpu_time(b->meter);
    const size_t scratch =
        r1i_forward_scratch_bytes(b->m, b->most_rows, larger(b->depth + 1, b->most_rows), r1i_pool_threads(b->pool));
    if ((st = r1i_arena_create(&b->scratch, "ops", &b->env, scratch, b->err)) != R1_OK) return st;
    const int64_t pages = larger(b->depth, b->most_rows) / R1I_PAGE + 1;
    if ((st = r1i_kv_create(&b->kv, b->m, (r1i_cache_type)p->cache, pages, false, &b->env, b->err)) != R1_OK) return st;
    b->page = r1i_alloc(&b->env, (size_t)pages * sizeof *b->page);
    b->index = r1i_alloc_zero(&b->env, (size_t)(b->most_rows * larger(b->m->route.topk, 1)) * sizeof *b->index);
    b->row_double = r1i_alloc(&b->env, (size_t)b->most_rows * sizeof *b->row_double);
    b->row_int = r1i_alloc(&b->env, (size_t)b->most_rows * sizeof *b->row_int);
    b->x = r1i_alloc(&b->env, (size_t)b->elems * sizeof *b->x);
    b->y = r1i_alloc_zero(&b->env, (size_t)b->elems * sizeof *b->y);
    b->z = r1i_alloc(&b->env, (size_t)b->elems * sizeof *b->z);
    b->work = r1i_alloc_zero(&b->env, 3 * (size_t)b->repeat * sizeof *b->work);
    b->roofs = r1i_alloc_zero(&b->env, (size_t)b->repeat * sizeof *b->roofs);
    if (!b->page || !b->index || !b->row_double || !b->row_int || !b->x || !b->y || !b->z || !b->work || !b->roofs)
        return r1i_fail(b->err, R1_ERR_NOMEM, "buffers of the ops");
    b->ex = r1i_model_exec(b->m, b->pool, &b->scratch, b->err);
    b->ex.backend = &b->kernels;
    return fill_cache(b);
}

static void finish(ops_bench *b)
{
    r1_meter_destroy(b->meter);
    r1i_pool_destroy(b->pool);
    r1i_arena_destroy(&b->scratch);
    r1i_release(&b->env, b->page, (size_t)b->kv.pages * sizeof *b->page);
    r1i_kv_destroy(&b->kv);
    r1i_release(&b->env, b->index, (size_t)(b->most_rows * larger(b->m->route.topk, 1)) * sizeof *b->index);
    r1i_release(&b->env, b->row_double, (size_t)b->most_rows * sizeof *b->row_double);
    r1i_release(&b->env, b->row_int, (size_t)b->most_rows * sizeof *b->row_int);
    r1i_release(&b->env, b->x, (size_t)b->elems * sizeof *b->x);
    r1i_release(&b->env, b->y, (size_t)b->elems * sizeof *b->y);
    r1i_release(&b->env, b->z, (size_t)b->elems * sizeof *b->z);
    r1i_release(&b->env, b->work, 3 * (size_t)b->repeat * sizeof *b->work);
    r1i_release(&b->env, b->roofs, (size_t)b->repeat * sizeof *b->roofs);
}

static r1_status bench_isa(ops_bench *b, const r1i_shapes *shapes)
{
    const int64_t *const rows = b->p->rows ? b->p->rows : usual_rows;
    const int n_rows = b->p->rows ? b->p->n_rows : 3;
    r1_status st = R1_OK;
    for (int i = 0; i < n_rows && st == R1_OK; i++) {
        b->rows = rows[i];
        for (int s = 0; s < shapes->n && st == R1_OK; s++) st = bench_linear(b, &shapes->item[s]);
        if (st == R1_OK) st = bench_attention(b);
        if (st == R1_OK) st = bench_rows(b);
    }
    return st;
}

r1_status r1_bench_ops(const r1_model *model, const r1_bench_ops_params *params, const r1_env *env,
                       bool (*on_op)(void *user, const r1_bench_op *op), void *user, r1_error *err)
{
    static const char *const every[] = {"c", "avx2", "avx512", "neon"};
    const bool one = params->isa && strcmp(params->isa, "auto") != 0;
    ops_bench b = {.m = model, .p = params, .on_op = on_op, .user = user, .err = err};
    r1i_shapes shapes = {0};
    if (env) b.env = *env;
    for (int i = 0; params->rows && i < params->n_rows; i++)
        if (params->rows[i] < 1 || params->rows[i] > 4096)
            return r1i_fail(err, R1_ERR_USAGE, "%lld rows, expected 1 to 4096", (long long)params->rows[i]);
    r1_status st = r1i_clock_of(params->cpu_time, params->threads, env, &b.clock, err);
    if (st != R1_OK) return st;
    if (one) st = r1i_cpu_select(params->isa, &b.kernels, err);
    if (st == R1_OK) st = r1i_shapes_of(model, env, &shapes, err);
    if (st == R1_OK) st = prepare(&b);
    for (size_t i = 0; i < sizeof every / sizeof *every && st == R1_OK; i++) {
        const char *const isa = one ? params->isa : every[i];
        if (r1i_cpu_select(isa, &b.kernels, NULL) == R1_OK) st = bench_isa(&b, &shapes);
        if (one) break;
    }
    finish(&b);
    r1i_shapes_free(&shapes);
    return st;
}
