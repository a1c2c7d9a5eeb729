/* Speed of the float ops through the op table, one JSON object a line: median and best of a few short repetitions.
 * usage: bench_ops [isa=auto] [threads=1] [op=linear|attention|rows|all] [type=F32,...|all] [m=1,128] [n=2048] [k=2048] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/kernels.h"
#include "base/clock.h"
#include "base/rng.h"
#include "op/ops.h"
#include "tensor/codec.h"

typedef struct options {
    const char *isa, *op, *type, *m;
    int threads;
    int64_t n, k;
} options;

typedef struct bench {
    options o;
    r1i_cpu_kernels kernels;
    r1i_arena arena;
    r1i_exec ex;
    void (*body)(struct bench *b);
    r1i_linear_job job;
    r1i_act act;
    r1i_attn_shape shape;
    r1i_kv_layer kv;
    r1i_run run;
    r1i_mat y, x, x2;
    const float *gain;
} bench;

static bool listed(const char *list, const char *name)
{
    const size_t len = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && strncmp(p, name, len) == 0) return true;
    return strcmp(list, "all") == 0;
}

static float *floats(int64_t n)
{
    float *const f = r1i_alloc(NULL, (size_t)n * 4);
    if (!f) exit(4);
    r1i_rng rng = {7, 0};
    for (int64_t i = 0; i < n; i++) f[i] = (float)r1i_rng_double(&rng) - 0.5f;
    return f;
}

static int by_value(const void *a, const void *b) { return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b); }

/* One thread: its processor time, which other programs on the machine lengthen less than the clock on the wall. */
static double seconds(const bench *b)
{
    struct timespec t;
    if (b->o.threads > 1) return r1i_seconds();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

enum { REPEATS = 9 };
static void measure(bench *b, const char *name, const char *what, int64_t m, double flops, double bytes)
{
    double s[REPEATS];
    b->body(b);
    for (int i = 0; i < REPEATS; i++) {
        const double start = seconds(b);
        double now;
        int runs = 0;
        do {
            b->body(b);
            runs++;
            now = seconds(b);
        } while (now - start < 0.01);
        s[i] = (now - start) / runs;
    }
    qsort(s, REPEATS, sizeof s[0], by_value);
    printf("{\"bench\":\"op\",\"op\":\"%s\",\"what\":\"%s\",\"isa\":\"%s\",\"threads\":%d,\"m\":%lld,\"n\":%lld,\"k\":%lld,\"us\":%.1f,"
           "\"gflops\":%.1f,\"gbs\":%.2f,\"best_gflops\":%.1f,\"best_gbs\":%.2f}\n",
           name, what, b->kernels.name, b->o.threads, (long long)m, (long long)b->o.n, (long long)b->o.k, s[REPEATS / 2] * 1e6,
           flops / s[REPEATS / 2] * 1e-9, bytes / s[REPEATS / 2] * 1e-9, flops / s[0] * 1e-9, bytes / s[0] * 1e-9);
    fflush(stdout);
}

static void run_linear(bench *b) { (void)r1i_linear(&b->ex, &b->job, 1); }

static void bench_linear(bench *b, r1_dtype type, int64_t m, bool bf16)
{
    const int64_t n = b->o.n, k = b->o.k;
    uint64_t bytes;
    if (!r1i_panel_bytes(type, n, k, &bytes)) return;
    uint8_t *const data = r1i_alloc(NULL, (size_t)bytes);
    float *const scale = floats(((n + 127) / 128) * ((k + 127) / 128)), *const x = floats(m * k), *const y = floats(m * n);
    if (!data) exit(4);
    for (uint64_t i = 0; i < bytes; i++) data[i] = (uint8_t)(i * 37 % 61); /* no exponent near the top in any type */
    const r1i_weight w = {type, R1I_LAYOUT_PANEL, n, k, data, scale};
    b->ex.compute = bf16 ? R1I_COMPUTE_BF16 : R1I_COMPUTE_F32;
    if (r1i_act_make(&b->ex, &b->act, r1i_mat_of(x, m, k), bf16 ? R1I_ACT_BF16 : 0) != R1_OK) exit(4);
    b->job = (r1i_linear_job){.y = r1i_mat_of(y, m, n), .x = &b->act, .w = &w};
    b->body = run_linear;
    measure(b, bf16 ? "linear_bf16" : "linear", r1_dtype_name(type), m, 2.0 * (double)m * (double)n * (double)k, (double)bytes);
    r1i_arena_reset(&b->arena, 0);
    r1i_release(NULL, data, (size_t)bytes);
    r1i_release(NULL, scale, 0);
    r1i_release(NULL, x, (size_t)(m * k) * 4);
    r1i_release(NULL, y, (size_t)(m * n) * 4);
}

static void run_attention(bench *b) { (void)r1i_attention(&b->ex, &b->shape, &b->kv, b->y, b->x, &b->run, 1); }

static void bench_attention(bench *b, const char *name, r1i_attn_shape s, r1i_cache_type type, int64_t pos0, int64_t rows)
{
    const int64_t len = pos0 + rows, pages = (len + 63) / 64;
    b->shape = s;
    b->kv = (r1i_kv_layer){NULL, R1I_PAGE * r1i_cache_position_bytes(&s, type), type};
    const size_t bytes = (size_t)(pages * b->kv.page_bytes);
    b->kv.data = r1i_alloc_zero(NULL, bytes);
    int32_t *const page = malloc(sizeof *page * (size_t)pages);
    float *const x = floats(rows * s.heads * s.key_dim), *const y = floats(rows * s.heads * s.value_dim);
    if (!b->kv.data || !page) exit(4);
    for (int64_t i = 0; i < pages; i++) page[i] = (int32_t)i;
    b->run = (r1i_run){0, rows, pos0, page};
    b->x = r1i_mat_of(x, rows, s.heads * s.key_dim);
    b->y = r1i_mat_of(y, rows, s.heads * s.value_dim);
    b->body = run_attention;
    const double pairs = (double)rows * (double)pos0 + 0.5 * (double)rows * (double)(rows + 1);
    measure(b, "attention", name, rows, 2.0 * pairs * (double)s.heads * (double)(s.key_dim + s.value_dim), (double)bytes);
    r1i_release(NULL, b->kv.data, bytes);
    r1i_release(NULL, x, 0);
    r1i_release(NULL, y, 0);
    free(page);
}

static void run_rmsnorm(bench *b) { (void)r1i_rmsnorm(&b->ex, b->y, b->x, b->gain, 1e-6f); }
static void run_silu(bench *b) { (void)r1i_silu_mul(&b->ex, b->y, b->x, b->x2); }
static void run_lse(bench *b)
{
    double lse[512];
    (void)r1i_logsumexp(&b->ex, b->x, b->x.cols, 1.0f, lse);
}

static void bench_rows(bench *b, int64_t m)
{
    const int64_t k = b->o.k;
    float *const x = floats(m * k), *const x2 = floats(m * k), *const y = floats(m * k), *const g = floats(k);
    b->x = r1i_mat_of(x, m, k);
    b->x2 = r1i_mat_of(x2, m, k);
    b->y = r1i_mat_of(y, m, k);
    b->gain = g;
    b->body = run_rmsnorm;
    measure(b, "rmsnorm", "f32", m, 4.0 * (double)(m * k), 8.0 * (double)(m * k));
    b->body = run_silu;
    measure(b, "silu_mul", "f32", m, 12.0 * (double)(m * k), 12.0 * (double)(m * k));
    b->body = run_lse;
    if (m <= 512) measure(b, "logsumexp", "f32", m, 12.0 * (double)(m * k), 4.0 * (double)(m * k));
    r1i_release(NULL, x, 0);
    r1i_release(NULL, x2, 0);
    r1i_release(NULL, y, 0);
    r1i_release(NULL, g, 0);
}

static void run_all(bench *b)
{
    static const r1_dtype types[] = {R1_DTYPE_F32, R1_DTYPE_F16, R1_DTYPE_BF16, R1_DTYPE_F8_E4M3};
    const options *const o = &b->o;
    for (const char *p = o->m; *p; p += strcspn(p, ","), p += *p == ',') {
        const int64_t m = strtoll(p, NULL, 10);
        for (int t = 0; t < 4 && listed(o->op, "linear"); t++)
            if (listed(o->type, r1_dtype_name(types[t]))) bench_linear(b, types[t], m, false);
        if (listed(o->op, "linear") && listed(o->type, "BF16")) bench_linear(b, R1_DTYPE_BF16, m, true);
        if (listed(o->op, "rows")) bench_rows(b, m);
    }
    if (!listed(o->op, "attention")) return;
    const r1i_attn_shape gqa = {.heads = 14, .kv_heads = 2, .key_dim = 64, .value_dim = 64, .scale = 0.125f};
    const r1i_attn_shape qwen7 = {.heads = 28, .kv_heads = 4, .key_dim = 128, .value_dim = 128, .scale = 0.088f};
    const r1i_attn_shape mla = {.mla = true, .heads = 128, .kv_heads = 1, .key_dim = 576, .value_dim = 512, .scale = 0.135f};
    bench_attention(b, "gqa 14/2x64 f32 prefill 512", gqa, R1I_CACHE_F32, 0, 512);
    bench_attention(b, "gqa 14/2x64 f32 decode at 4096", gqa, R1I_CACHE_F32, 4095, 1);
    bench_attention(b, "gqa 14/2x64 bf16 decode at 4096", gqa, R1I_CACHE_BF16, 4095, 1);
    bench_attention(b, "gqa 28/4x128 f32 prefill 512", qwen7, R1I_CACHE_F32, 0, 512);
    bench_attention(b, "gqa 28/4x128 bf16 prefill 512", qwen7, R1I_CACHE_BF16, 0, 512);
    bench_attention(b, "gqa 28/4x128 f32 decode at 4096", qwen7, R1I_CACHE_F32, 4095, 1);
    bench_attention(b, "mla 128x576 bf16 decode at 2048", mla, R1I_CACHE_BF16, 2047, 1);
    bench_attention(b, "mla 128x576 bf16 prefill 8", mla, R1I_CACHE_BF16, 504, 8);
}

int main(int argc, char **argv)
{
    bench b = {.o = {.isa = "auto", .op = "all", .type = "all", .m = "1,8,128", .threads = 1, .n = 2048, .k = 2048}};
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (!value++) return 2;
        if (strncmp(argv[i], "isa=", 4) == 0) b.o.isa = value;
        else if (strncmp(argv[i], "op=", 3) == 0) b.o.op = value;
        else if (strncmp(argv[i], "type=", 5) == 0) b.o.type = value;
        else if (strncmp(argv[i], "m=", 2) == 0) b.o.m = value;
        else if (strncmp(argv[i], "threads=", 8) == 0) b.o.threads = (int)strtol(value, NULL, 10);
        else if (strncmp(argv[i], "n=", 2) == 0) b.o.n = strtoll(value, NULL, 10);
        else if (strncmp(argv[i], "k=", 2) == 0) b.o.k = strtoll(value, NULL, 10);
        else return 2;
    }
    r1_error err = {0};
    r1i_pool *pool;
    if (r1i_cpu_select(b.o.isa, &b.kernels, &err) != R1_OK || r1i_pool_create(NULL, b.o.threads, &pool, &err) != R1_OK ||
        r1i_arena_create(&b.arena, "bench", NULL, (size_t)256 << 20, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 4;
    }
    b.ex = (r1i_exec){.ops = r1i_cpu_ops(), .backend = &b.kernels, .pool = pool, .scratch = &b.arena, .err = &err};
    run_all(&b);
    r1i_pool_destroy(pool);
    r1i_arena_destroy(&b.arena);
    return 0;
}
