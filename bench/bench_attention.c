/* Attention at depth without the model around it, one JSON object a line: what one token of each sequence takes in a
 * layer, where every layer has a cache of its own, so that all of it comes from memory (layers=1 and few positions:
 * from the near caches), beside the memory's and the arithmetic's roof, measured in turns. usage: bench_attention
 * [heads=14] [kv=2] [dim=64] [value=0] (above 0: MLA's value dims, then kv=1) [cache=f32,bf16,q8] [at=4096,16384]
 * (positions) [sequences=1] [rows=1] [layers=24] [threads=2] [isa=avx512] [repeat=9] [cpu=0] (1: the thread's processor
 * time, threads=1) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "backend/cpu/attention.h"
#include "base/rng.h"
#include "op/ops.h"
#include "r1/bench.h"

enum { REPEATS = 99, HUGE_PAGE = 2 << 20 };
typedef struct options {
    int64_t heads, kv, dim, value, sequences, rows, layers, threads, repeat, cpu;
    const char *cache, *at, *isa;
} options;

static double seconds(bool cpu)
{
    struct timespec t;
    clock_gettime(cpu ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
static int by_value(const void *a, const void *b)
{
    return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}
static float *random_floats(r1i_rng *rng, int64_t n)
{
    float *const f = r1i_alloc(NULL, (size_t)n * sizeof *f);
    for (int64_t i = 0; f && i < n; i++) f[i] = 2.0f * (float)r1i_rng_double(rng) - 1.0f;
    return f;
}

/* Pages as the engine keeps them: all layers of 64 positions together. Every page holds the same 64 random
 * positions. */
static uint8_t *fill(r1i_exec *ex, const r1i_attn_shape *s, r1i_cache_type type, int64_t page_bytes, int64_t pages,
                     r1i_rng *rng)
{
    uint8_t *const data =
        mmap(NULL, (size_t)(page_bytes * pages), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) return NULL;
    if (page_bytes * pages >= HUGE_PAGE) madvise(data, (size_t)(page_bytes * pages), MADV_HUGEPAGE);
    const int64_t cols = s->kv_heads * s->key_dim;
    float *const k = random_floats(rng, R1I_PAGE * cols), *const v = random_floats(rng, R1I_PAGE * cols);
    const int32_t zero = 0;
    const r1i_kv_layer layer = {data, page_bytes, type};
    const r1i_run run = {.n = R1I_PAGE, .pages = &zero};
    r1i_kv_write(ex, s, &layer, r1i_mat_of(k, R1I_PAGE, cols), r1i_mat_of(v, R1I_PAGE, cols), &run, 1);
    for (int64_t i = 1; i < pages; i++) memcpy(data + i * page_bytes, data, (size_t)page_bytes);
    r1i_release(NULL, k, (size_t)(R1I_PAGE * cols) * sizeof *k);
    r1i_release(NULL, v, (size_t)(R1I_PAGE * cols) * sizeof *v);
    return data;
}

static bool bench(const options *o, r1i_exec *ex, r1_meter *meter, r1i_cache_type type, int64_t at)
{
    const bool mla = o->value > 0;
    const r1i_attn_shape s = {.mla = mla, .heads = o->heads, .kv_heads = o->kv, .key_dim = o->dim,
                              .value_dim = mla ? o->value : o->dim, .scale = 0.125f};
    const int64_t bytes = R1I_PAGE * r1i_cache_position_bytes(&s, type), depth = at / R1I_PAGE,
                  pages = depth * o->sequences, n = o->sequences * o->rows;
    r1i_rng rng = {.seed = 7};
    uint8_t *const data = fill(ex, &s, type, bytes, pages * o->layers, &rng);
    float *const q = random_floats(&rng, n * s.heads * s.key_dim),
                 *const out = random_floats(&rng, n * s.heads * s.value_dim);
    int32_t *const page = r1i_alloc(NULL, (size_t)pages * sizeof *page);
    r1i_run *const runs = r1i_alloc(NULL, (size_t)o->sequences * sizeof *runs);
    if (!data || !q || !out || !page || !runs) return false;
    for (int64_t i = 0; i < pages; i++) page[i] = (int32_t)i;
    for (int64_t i = 0; i < o->sequences; i++)
        runs[i] = (r1i_run){.first = i * o->rows, .n = o->rows, .pos0 = at - o->rows, .pages = page + i * depth};
    double took[REPEATS], read[REPEATS], peak[REPEATS];
    int64_t passes = 1; /* a few milliseconds, so that what fits the near caches is measured there */
    for (int64_t r = -1; r < o->repeat; r++) {
        const double start = seconds(o->cpu);
        for (int64_t i = 0; i < passes * o->layers; i++) {
            const int64_t l = i % o->layers;
            const r1i_kv_layer layer = {data + l * bytes, bytes * o->layers, type};
            if (r1i_attention(ex, &s, &layer, r1i_mat_of(out, n, s.heads * s.value_dim),
                              r1i_mat_of(q, n, s.heads * s.key_dim), runs, o->sequences, NULL) != R1_OK)
                return false;
        }
        const double once = (seconds(o->cpu) - start) / (double)(passes * o->layers);
        if (r < 0) {
            passes += (int64_t)(0.005 / (once * (double)o->layers));
            continue;
        }
        took[r] = once;
        read[r] = r1_meter_read(meter, 0.02);
        peak[r] = r1_meter_peak(meter, o->isa, R1_PEAK_F32, 0.01);
    }
    qsort(took, (size_t)o->repeat, sizeof *took, by_value);
    qsort(read, (size_t)o->repeat, sizeof *read, by_value);
    qsort(peak, (size_t)o->repeat, sizeof *peak, by_value);
    const double s_layer = took[o->repeat / 2], ops = 2.0 * (double)(s.heads * (s.key_dim + s.value_dim) * at * n);
    printf("{\"bench\":\"attention\",\"isa\":\"%s\",\"threads\":%lld,\"heads\":%lld,\"kv_heads\":%lld,\"dim\":%lld,\"mla\":%d,\"cache\":\"%s\",\"positions\":%lld,"
           "\"sequences\":%lld,\"rows\":%lld,\"us\":%.1f,\"us_min\":%.1f,\"us_max\":%.1f,\"gbs\":%.1f,\"gops\":%.1f,\"roof_gbs\":%.1f,\"roof_gops\":%.1f}\n",
           o->isa, (long long)o->threads, (long long)s.heads, (long long)s.kv_heads, (long long)s.key_dim, mla,
           r1i_cache_name(type), (long long)at, (long long)o->sequences, (long long)o->rows, s_layer * 1e6,
           took[0] * 1e6, took[o->repeat - 1] * 1e6, (double)(bytes * pages) / s_layer * 1e-9, ops / s_layer * 1e-9,
           read[o->repeat / 2] * 1e-9, peak[o->repeat / 2] * 1e-9);
    fflush(stdout);
    munmap(data, (size_t)(bytes * pages * o->layers));
    r1i_release(NULL, q, (size_t)(n * s.heads * s.key_dim) * sizeof *q);
    r1i_release(NULL, out, (size_t)(n * s.heads * s.value_dim) * sizeof *out);
    r1i_release(NULL, page, (size_t)pages * sizeof *page);
    r1i_release(NULL, runs, (size_t)o->sequences * sizeof *runs);
    return true;
}

static bool read_options(options *o, int argc, char **argv)
{
    const struct { const char *name; int64_t *to; } numbers[] = {
        {"heads", &o->heads}, {"kv", &o->kv}, {"dim", &o->dim}, {"value", &o->value}, {"sequences", &o->sequences}, {"rows", &o->rows}, {"layers", &o->layers},
        {"threads", &o->threads}, {"repeat", &o->repeat}, {"cpu", &o->cpu}};
    const struct { const char *name, **to; } words[] = {{"cache", &o->cache}, {"at", &o->at}, {"isa", &o->isa}};
    for (int i = 1; i < argc; i++) {
        const size_t name = strcspn(argv[i], "=");
        bool known = false;
        if (!argv[i][name]) return false;
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (strncmp(argv[i], numbers[k].name, name) == 0 && !numbers[k].name[name])
                *numbers[k].to = strtoll(argv[i] + name + 1, NULL, 10), known = true;
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (strncmp(argv[i], words[k].name, name) == 0 && !words[k].name[name])
                *words[k].to = argv[i] + name + 1, known = true;
        if (!known) return false;
    }
    return o->heads > 0 && o->kv > 0 && o->heads % o->kv == 0 && o->dim > 0 &&
        (o->value == 0 || (o->kv == 1 && o->value < o->dim)) && o->sequences > 0 && o->rows > 0 && o->layers > 0 &&
        o->threads > 0 && o->repeat > 0 && o->repeat <= REPEATS && (!o->cpu || o->threads == 1);
}

int main(int argc, char **argv)
{
    options o = {14, 2, 64, 0, 1, 1, 24, 2, 9, 0, "f32,bf16,q8", "4096,16384", "avx512"};
    r1i_cpu_kernels kernels;
    r1i_pool *pool;
    r1i_arena scratch;
    r1_meter *meter;
    r1_error err;
    if (!read_options(&o, argc, argv)) return 2;
    if (r1i_cpu_select(o.isa, &kernels, &err) != R1_OK || r1i_pool_create(NULL, (int)o.threads, &pool, &err) != R1_OK ||
        r1i_arena_create(&scratch, "bench", NULL, (size_t)256 << 20, &err) != R1_OK ||
        r1_meter_create(NULL, (int)o.threads, 0, &meter, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 4;
    }
    if (o.cpu) r1_meter_cpu_time(meter);
    r1i_exec ex = {.ops = r1i_cpu_ops(), .backend = &kernels, .pool = pool, .scratch = &scratch, .err = &err};
    bool ok = true;
    for (const char *at = o.at; ok && *at; at += strcspn(at, ","), at += *at == ',')
        for (r1i_cache_type t = R1I_CACHE_F32; ok && t <= R1I_CACHE_Q8; t++) {
            const int64_t positions = strtoll(at, NULL, 10) / R1I_PAGE * R1I_PAGE;
            if (strstr(o.cache, r1i_cache_name(t))) ok = positions >= o.rows && bench(&o, &ex, meter, t, positions);
        }
    r1_meter_destroy(meter);
    r1i_arena_destroy(&scratch);
    r1i_pool_destroy(pool);
    return ok ? 0 : 1;
}
