/* f32 and bf16 matrix products at the shapes of training, beside the arithmetic roof of the same moment: y = x W^T and
 * the gradient of W, one JSON object a line with the fraction of the roof. One thread and its processor time, slices of
 * work and of roof in turns.
 * usage: bench_products [isa=auto] [m=256,1024] [n=OUTPUTS k=INPUTS] [what=PART_OF_A_NAME] [seconds=0.02] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "measure/peaks.h"
#include "measure/roof.h"
#include "op/ops.h"

/* Outputs and inputs of the matrices of SmolLM2-135M, Qwen2.5 0.5B and 1.5B, and squares between. */
static const struct { int64_t n, k; } shapes[] = {{576, 576},   {1536, 576},  {576, 1536},  {896, 896},   {4864, 896},
                                                  {896, 4864},
                                                   {1536, 1536}, {2048, 2048}, {4096, 4096}, {8960, 1536},
                                                   {1536, 8960}};
enum { SHAPES = sizeof shapes / sizeof *shapes, TURNS = 9, ROUNDS = 2000 };

typedef enum kind { PRODUCT_F32, PRODUCT_BF16, GRADIENT_F32, GRADIENT_BF16, KINDS } kind;
static const char *const kind_name[KINDS] = {"f32", "bf16", "f32 gradient of W", "bf16 gradient of W"};
static bool is_bf16(kind what) { return what == PRODUCT_BF16 || what == GRADIENT_BF16; }

typedef struct bench {
    r1i_exec ex;
    r1i_cpu_kernels kernels;
    r1i_act act;
    r1i_linear_job job;
    float *work;
    r1i_grad_product product;
    r1i_run run;
    double seconds;
} bench;

static float *floats(int64_t n)
{
    float *const f = r1i_alloc(NULL, (size_t)n * sizeof *f);
    if (!f) exit(4);
    r1i_rng rng = {7, 0};
    for (int64_t i = 0; i < n; i++) f[i] = (float)r1i_rng_double(&rng) - 0.5f;
    return f;
}

static void call(bench *b, kind what)
{
    if (what >= GRADIENT_F32) (void)b->ex.ops->grad->linear_weight(&b->ex, &b->product, 1, &b->run, 1, b->work);
    else (void)r1i_linear(&b->ex, &b->job, 1);
}

/* Operations a second of one slice of roof. */
static double roof(r1i_peak_fn loop, double seconds)
{
    float sink = 0;
    double done = 0, now;
    const double start = r1i_thread_seconds();
    do {
        done += loop(ROUNDS, &sink);
        now = r1i_thread_seconds();
    } while (now - start < seconds);
    return done / (now - start);
}

static double work(bench *b, kind what, double ops)
{
    double done = 0, now;
    const double start = r1i_thread_seconds();
    do {
        call(b, what);
        done += ops;
        now = r1i_thread_seconds();
    } while (now - start < b->seconds);
    return done / (now - start);
}

static void measure(bench *b, kind what, int64_t m, int64_t n, int64_t k)
{
    const r1i_peak_fn loop = r1i_peak_loop(b->kernels.name, is_bf16(what) ? R1_PEAK_BF16 : R1_PEAK_F32);
    const double ops = 2.0 * (double)m * (double)n * (double)k;
    double rate[TURNS], fraction[TURNS], peak[TURNS];
    if (!loop) return;
    call(b, what);
    double before = roof(loop, b->seconds / 2);
    for (int i = 0; i < TURNS; i++) {
        rate[i] = work(b, what, ops) * 1e-9;
        const double after = roof(loop, b->seconds / 2);
        peak[i] = (before + after) / 2 * 1e-9;
        fraction[i] = rate[i] / peak[i];
        before = after;
    }
    const r1_spread r = r1i_spread_of(rate, TURNS), f = r1i_spread_of(fraction, TURNS), p = r1i_spread_of(peak, TURNS);
    printf("{\"bench\": \"products\", \"what\": \"%s\", \"isa\": \"%s\", \"rows\": %lld, \"outputs\": %lld, \"inputs\": %lld, \"gflops\": %.1f, \"roof\": %.1f, "
           "\"fraction\": %.3f, \"least\": %.3f, \"most\": %.3f}\n",
           kind_name[what], b->kernels.name, (long long)m, (long long)n, (long long)k, r.median, p.median, f.median,
           f.least, f.most);
    fflush(stdout);
}

static void bench_shape(bench *b, kind what, int64_t m, int64_t n, int64_t k)
{
    const r1_dtype type = what == PRODUCT_BF16 ? R1_DTYPE_BF16 : R1_DTYPE_F32;
    uint64_t bytes;
    if (!r1i_panel_bytes(type, n, k, &bytes)) exit(4);
    float *const data = floats((int64_t)(bytes / sizeof *data)), *const x = floats(m * k), *const y = floats(m * n);
    if (type == R1_DTYPE_BF16)
        for (uint64_t i = 0; i < bytes / 2; i++) ((uint16_t *)(void *)data)[i] = (uint16_t)(0x3e00 + i * 37 % 256);
    const r1i_weight w = {.type = type, .layout = R1I_LAYOUT_PANEL, .rows = n, .cols = k,
                          .data = (const uint8_t *)data};
    const r1i_mat in = r1i_mat_of(x, m, k), out = r1i_mat_of(y, m, n);
    const size_t work = r1i_grad_linear_work(&in);
    b->run = (r1i_run){.n = m};
    b->work = floats((int64_t)work);
    b->ex.compute = is_bf16(what) ? R1I_COMPUTE_BF16 : R1I_COMPUTE_F32;
    r1i_act dy;
    const unsigned kinds = is_bf16(what) ? R1I_ACT_BF16 : R1I_ACT_F32;
    if (r1i_act_make(&b->ex, &b->act, in, kinds) != R1_OK || r1i_act_make(&b->ex, &dy, out, kinds) != R1_OK) exit(4);
    b->product = (r1i_grad_product){.g = data, .dy = dy, .x = b->act, .bf16 = what == GRADIENT_BF16};
    b->job = (r1i_linear_job){.y = out, .x = &b->act, .w = &w};
    measure(b, what, m, n, k);
    r1i_arena_reset(b->ex.scratch, 0);
    r1i_release(NULL, b->work, work * sizeof(float));
    r1i_release(NULL, data, (size_t)bytes);
    r1i_release(NULL, x, (size_t)(m * k) * sizeof *x);
    r1i_release(NULL, y, (size_t)(m * n) * sizeof *y);
}

int main(int argc, char **argv)
{
    bench b = {.seconds = 0.02};
    const char *isa = "auto", *rows = "256,1024", *name = "";
    int64_t n = 0, k = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (!value++) return 2;
        if (strncmp(argv[i], "isa=", 4) == 0) isa = value;
        else if (strncmp(argv[i], "m=", 2) == 0) rows = value;
        else if (strncmp(argv[i], "n=", 2) == 0) n = strtoll(value, NULL, 10);
        else if (strncmp(argv[i], "k=", 2) == 0) k = strtoll(value, NULL, 10);
        else if (strncmp(argv[i], "what=", 5) == 0) name = value;
        else if (strncmp(argv[i], "seconds=", 8) == 0) b.seconds = strtod(value, NULL);
        else return 2;
    }
    r1_error err = {0};
    r1i_arena arena;
    if (r1i_cpu_select(isa, &b.kernels, &err) != R1_OK ||
        r1i_arena_create(&arena, "bench", NULL, (size_t)64 << 20, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 4;
    }
    b.ex = (r1i_exec){.ops = r1i_cpu_ops(), .backend = &b.kernels, .scratch = &arena, .err = &err};
    for (const char *p = rows; *p; p += strcspn(p, ","), p += *p == ',')
        for (int s = 0; s < (n > 0 && k > 0 ? 1 : SHAPES); s++)
            for (int what = 0; what < KINDS; what++)
                if (strstr(kind_name[what], name))
                    bench_shape(&b, (kind)what, strtoll(p, NULL, 10), n > 0 && k > 0 ? n : shapes[s].n,
                                n > 0 && k > 0 ? k : shapes[s].k);
    r1i_arena_destroy(&arena);
    return 0;
}
