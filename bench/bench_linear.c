/* Speed of the block-type products, one JSON object a line: type, isa, m, n, k, kernel, median of a few short
 * repetitions in Gop/s (2 m n k) and GB/s of weights. One thread, its own processor time. usage: bench_linear
 * [isa=avx512] [types=Q4_K,Q8_0] [m=1,128] [n=2048] [k=2048] [kernel=q8|f32] [fine=9] (every how many groups one has a
 * fine term; 0: none) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/cpu/kernels.h"
#include "base/env.h"
#include "base/rng.h"
#include "support/random_blocks.h"

typedef struct options { const char *isa, *types, *m, *kernel; int64_t n, k, fine; } options;

static bool listed(const char *list, const char *name)
{
    const size_t len = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == len && strncmp(p, name, len) == 0) return true;
    return strcmp(list, "all") == 0;
}

static bool row_of_table(const char *isa, r1i_cpu_kernels *k)
{
    memset(k, 0, sizeof *k);
    r1i_cpu_ref_quant_kernels(k);
    k->near = (r1i_cpu_features() & R1I_CPU_NEAR) != 0;
    if (strcmp(isa, "c") == 0) return true;
    if (strcmp(isa, "avx2") == 0) return r1i_cpu_avx2_quant_kernels(k);
    if (strcmp(isa, "neon") == 0)
        return r1i_cpu_neon_quant_kernels(k) &&
            (!(r1i_cpu_features() & R1I_CPU_DOTPROD) || r1i_cpu_neon_dot_kernels(k));
    return r1i_cpu_avx512_quant_kernels(k);
}

/* Of this thread alone, so that a busy machine disturbs less. */
static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static void bench(const options *o, const r1i_cpu_kernels *kernels, r1_dtype type, int64_t m)
{
    uint64_t bytes, row_bytes;
    if (!r1i_panel_bytes(type, o->n, o->k, &bytes) || !r1i_dtype_row_bytes(type, (uint64_t)o->k, &row_bytes)) return;
    r1i_rng rng = {1, 0};
    uint8_t *source = r1i_alloc(NULL, (size_t)row_bytes * 16), *packed = r1i_alloc(NULL, (size_t)bytes);
    float *x = r1i_alloc(NULL, (size_t)(m * o->k) * 4), *y = r1i_alloc(NULL, (size_t)(m * o->n) * 4);
    int8_t *q = r1i_alloc(NULL, (size_t)(m * o->k));
    float *d = r1i_alloc(NULL, (size_t)(m * o->k / 32) * 4);
    int32_t *sum16 = r1i_alloc(NULL, (size_t)(m * o->k / 16) * 4);
    uint8_t *fine = r1i_alloc(NULL, (size_t)(m * r1i_act_spans(o->k)));
    int8_t *fine_q = r1i_alloc(NULL, (size_t)(m * o->k));
    float *fine_d = r1i_alloc(NULL, (size_t)(m * o->k / 32) * 4);
    int32_t *fine_sum16 = r1i_alloc(NULL, (size_t)(m * o->k / 16) * 4);
    for (int r = 0; r < 16; r++)
        r1t_random_blocks(&rng, type, R1T_SCALES_USUAL, o->k, source + (uint64_t)r * row_bytes);
    const r1i_weight rows = {type, R1I_LAYOUT_ROWS, 16, o->k, source, NULL, NULL};
    const r1i_weight w = {type, R1I_LAYOUT_PANEL, o->n, o->k, packed, NULL, NULL};
    const int64_t panels = (o->n + 15) / 16;
    for (int64_t p = 0; p < panels; p++) r1i_panel_pack(&rows, 0, packed + (uint64_t)p * r1i_panel_stride(type, o->k));
    for (int64_t i = 0; i < m * o->k; i++) x[i] = (float)r1i_rng_double(&rng) - 0.5f;
    for (int64_t i = 4 * 32; o->fine > 0 && i < m * o->k; i += o->fine * 32) x[i] = 3.0f;
    const r1i_act act = {.x = r1i_mat_of(x, m, o->k), .kinds = R1I_ACT_Q8, .q = q, .d = d, .sum16 = sum16,
                         .fine = fine, .fine_stride = m, .fine_q = fine_q, .fine_d = fine_d, .fine_sum16 = fine_sum16};
    for (int64_t r = 0; r < m; r++) {
        kernels->quantise_row(x + r * o->k, o->k, q + r * o->k, d + r * o->k / 32, sum16 + r * o->k / 16);
        r1i_cpu_fine_row(&act, r);
    }
    const r1i_linear_job job = {.y = r1i_mat_of(y, m, o->n), .x = &act, .w = &w};
    const r1i_linear_kernel kernel = strcmp(o->kernel, "q8") == 0 ? kernels->linear_q8[type]
        : kernels->linear_f32[type];
    double seconds[9];
    enum { REPEATS = sizeof seconds / sizeof seconds[0] };
    kernel(&job, 0, panels);
    for (int i = 0; i < REPEATS; i++) {
        const double start = thread_seconds();
        double now;
        int runs = 0;
        do {
            kernel(&job, 0, panels);
            runs++;
            now = thread_seconds();
        } while (now - start < 0.015);
        seconds[i] = (now - start) / runs;
    }
    qsort(seconds, REPEATS, sizeof seconds[0], by_value);
    const double s = seconds[REPEATS / 2];
    printf("{\"bench\":\"linear\",\"kernel\":\"%s\",\"type\":\"%s\",\"isa\":\"%s\",\"m\":%lld,\"n\":%lld,\"k\":%lld,\"us\":%.1f,\"gops\":%.1f,\"gbs\":%.2f,\"best_gops\":%.1f}\n",
           o->kernel, r1_dtype_name(type), o->isa, (long long)m, (long long)o->n, (long long)o->k, s * 1e6,
           2e-9 * (double)m * (double)o->n * (double)o->k / s, (double)bytes * 1e-9 / s,
           2e-9 * (double)m * (double)o->n * (double)o->k / seconds[0]);
    fflush(stdout);
    r1i_release(NULL, source, (size_t)row_bytes * 16);
    r1i_release(NULL, packed, (size_t)bytes);
    r1i_release(NULL, x, (size_t)(m * o->k) * 4);
    r1i_release(NULL, y, (size_t)(m * o->n) * 4);
    r1i_release(NULL, q, (size_t)(m * o->k));
    r1i_release(NULL, d, (size_t)(m * o->k / 32) * 4);
    r1i_release(NULL, sum16, (size_t)(m * o->k / 16) * 4);
    r1i_release(NULL, fine, (size_t)(m * r1i_act_spans(o->k)));
    r1i_release(NULL, fine_q, (size_t)(m * o->k));
    r1i_release(NULL, fine_d, (size_t)(m * o->k / 32) * 4);
    r1i_release(NULL, fine_sum16, (size_t)(m * o->k / 16) * 4);
}

int main(int argc, char **argv)
{
    options o = {"avx512", "Q4_1,Q5_0,Q8_0,Q4_K,Q6_K", "1,128", "q8", 2048, 2048, 9};
    for (int i = 1; i < argc; i++) {
        const char *value = strchr(argv[i], '=');
        if (!value++) return 2;
        if (strncmp(argv[i], "isa=", 4) == 0) o.isa = value;
        else if (strncmp(argv[i], "types=", 6) == 0) o.types = value;
        else if (strncmp(argv[i], "m=", 2) == 0) o.m = value;
        else if (strncmp(argv[i], "kernel=", 7) == 0) o.kernel = value;
        else if (strncmp(argv[i], "n=", 2) == 0) o.n = strtoll(value, NULL, 10);
        else if (strncmp(argv[i], "k=", 2) == 0) o.k = strtoll(value, NULL, 10);
        else if (strncmp(argv[i], "fine=", 5) == 0) o.fine = strtoll(value, NULL, 10);
        else return 2;
    }
    r1i_cpu_kernels kernels;
    if (!row_of_table(o.isa, &kernels)) return 4;
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t) || !listed(o.types, r1_dtype_name((r1_dtype)t))) continue;
        for (const char *p = o.m; *p; p += strcspn(p, ","), p += *p == ',')
            bench(&o, &kernels, (r1_dtype)t, strtoll(p, NULL, 10));
    }
    return 0;
}
