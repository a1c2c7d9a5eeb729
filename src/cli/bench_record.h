/* What `r1 bench` writes: each measurement is one flat JSON object, and the other forms (Markdown, CSV, the comparison
 * with an earlier run) are views of it. */
#ifndef R1_CLI_BENCH_RECORD_H
#define R1_CLI_BENCH_RECORD_H

#include "cli.h"
#include "r1/bench.h"

/* What all measurements of a run share. */
typedef struct bench_about {
    const char *model, *isa, *compute, *cache_type, *clock;
    char device[128];
    bool exact_activations;
    int threads;
    uint64_t parameters, weight_bytes, before_bytes, peak_bytes; /* before: what the process held before it opened the
                                                                  * model */
    double load_seconds;
} bench_about;

/* New references; NULL without memory. */
json_t *bench_test_record(const bench_about *about, const r1_bench_test *test, const r1_bench_result *r);
json_t *bench_op_record(const bench_about *about, const r1_bench_op *op);
json_t *bench_roof_record(const bench_about *about, r1_meter *meter, double seconds);

/* An earlier run, read from JSON lines. Lines that are other objects are skipped. */
typedef struct bench_baseline {
    json_t *by_key;      /* key of a measurement -> its record; the last one counts */
    int n;
} bench_baseline;
/* 0, or the exit status after reporting FILE:LINE of what is no JSON object or a measurement without its numbers. */
int bench_baseline_read(cli *app, const char *path, bench_baseline *out);
void bench_baseline_free(bench_baseline *b);
/* Adds "before", "ratio" (more than 1: faster now) and "mark" to a record: "+" or "-" where the two spreads do not
 * touch, "=" where they do; where the earlier run lacks it: "mark": "new". */
void bench_compare(const bench_baseline *b, json_t *record);

typedef enum bench_form { BENCH_MD, BENCH_CSV, BENCH_JSONL } bench_form;
/* One record in its form. first: a table's head comes before it. Takes the reference. 0 or an exit status. */
int bench_put(cli *app, bench_form form, bool first, bool compared, json_t *record);

#endif
