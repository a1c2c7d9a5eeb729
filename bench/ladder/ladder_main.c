/* usage: ladder [--check]     --check: small sizes, compares only; part of `make test` */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/clock.h"
#include "ladder.h"
#include "measure/roof.h"

enum { REPEAT = 9 };
#define WORK_SECONDS 0.05
#define ROOF_SECONDS 0.02

void *ladder_alloc(size_t bytes)
{
    void *const p = r1i_alloc_zero(NULL, bytes);
    if (p) return p;
    fprintf(stderr, "ladder: no memory for %zu bytes\n", bytes);
    exit(4);
}

bool ladder_has_avx2(void) { return (r1i_cpu_features() & R1I_CPU_AVX2) != 0; }
bool ladder_has_avx512(void) { return (r1i_cpu_features() & R1I_CPU_AVX512) != 0; }

static double difference(const float *a, const float *b, int64_t n)
{
    double most = 0.0, scale = 0.0;
    for (int64_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)a[i] - (double)b[i]));
        scale = fmax(scale, fabs((double)b[i]));
    }
    return scale > 0.0 ? most / scale : most;
}

static void time_rung(const climb *c, const ladder *l, const rung *r)
{
    double seconds[REPEAT], fraction[REPEAT], work[REPEAT];
    const bool alone = r->threads <= 1;
    r1_meter *const meter = alone ? c->one : c->all;
    double (*const clock)(void) = alone ? r1i_thread_seconds : r1i_seconds;
    r1_roof roofs[REPEAT], before, after;
    const char *bound;
    r1i_roof_slice(meter, NULL, &l->cost, ROOF_SECONDS, &before);
    for (int i = 0; i < REPEAT; i++) {
        const double begin = clock();
        double now;
        int64_t calls = 0;
        do {
            r->run(l->problem);
            calls++;
            now = clock();
        } while (now - begin < WORK_SECONDS);
        seconds[i] = (now - begin) / (double)calls;
        r1i_roof_slice(meter, NULL, &l->cost, ROOF_SECONDS, &after);
        roofs[i] = r1i_roof_between(&before, &after);
        fraction[i] = r1_roof_seconds(&roofs[i], &l->cost, NULL) / seconds[i];
        before = after;
    }
    const r1_roof roof = r1i_roof_median(roofs, REPEAT, work);
    const r1_spread s = r1i_spread_of(seconds, REPEAT), f = r1i_spread_of(fraction, REPEAT);
    double ops = 0.0, peak = 0.0;
    for (int p = 0; p < R1_PEAK_COUNT; p++) {
        ops += l->cost.ops[p];
        peak = fmax(peak, roof.peak[p]);
    }
    (void)r1_roof_seconds(&roof, &l->cost, &bound);
    printf("\"threads\":%d,\"us\":%.1f,\"us_min\":%.1f,\"us_max\":%.1f,\"gbs\":%.2f,\"gops\":%.1f,\"roof_gbs\":%.1f,\"roof_gops\":%.0f,"
           "\"bound\":\"%s\",\"fraction\":%.3f,\"fraction_min\":%.3f,\"fraction_max\":%.3f}\n",
           r->threads ? r->threads : 1, s.median * 1e6, s.least * 1e6, s.most * 1e6,
           1e-9 * (l->cost.weight_bytes + l->cost.cache_bytes) / s.median, 1e-9 * ops / s.median, 1e-9 * roof.read,
           1e-9 * peak, bound, f.median, f.least, f.most);
    fflush(stdout);
}

void climb_ladder(climb *c, const ladder *l)
{
    float *const below = ladder_alloc((size_t)l->n_out * sizeof *below);
    bool first = true;
    for (int i = 0; i < l->n; i++) {
        const rung *const r = &l->rungs[i];
        const size_t bytes = (size_t)l->n_out * sizeof *l->out;
        if (r->able && !r->able()) continue;
        memset(l->out, 0xff, bytes); /* NaN: what a rung leaves out shows */
        r->run(l->problem);
        const double off = first ? 0.0 : difference(l->out, below, l->n_out);
        const bool equal = first || (r->tolerance > 0.0 ? off <= r->tolerance : memcmp(l->out, below, bytes) == 0);
        memcpy(below, l->out, bytes);
        first = false;
        c->failed += !equal;
        printf("{\"ladder\":\"%s\",\"rung\":\"%s\",\"check\":\"%s\"%s", l->name, r->name,
               !equal ? "FAILED" : i == 0 ? "first" : r->tolerance > 0.0 ? "tolerance" : "bytes",
               c->check ? "}\n" : ",");
        if (!c->check) time_rung(c, l, r);
    }
    r1i_release(NULL, below, (size_t)l->n_out * sizeof *below);
}

int main(int argc, char **argv)
{
    climb c = {.check = argc == 2 && strcmp(argv[1], "--check") == 0};
    r1_error err = {0};
    r1i_pool *pool;
    if (argc > 2 || (argc == 2 && !c.check)) {
        fputs("usage: ladder [--check]\n", stderr);
        return 2;
    }
    if (r1i_pool_create(NULL, c.check ? 2 : 0, &pool, &err) != R1_OK ||
        (!c.check && (r1_meter_create(NULL, 1, 0, &c.one, &err) != R1_OK ||
                      r1_meter_create(NULL, 0, 0, &c.all, &err) != R1_OK))) {
        fprintf(stderr, "ladder: %s\n", err.message);
        return 4;
    }
    if (c.one) r1_meter_cpu_time(c.one);
    climb_products(&c, pool);
    climb_attention(&c, pool);
    r1_meter_destroy(c.one);
    r1_meter_destroy(c.all);
    r1i_pool_destroy(pool);
    return c.failed ? 1 : 0;
}
