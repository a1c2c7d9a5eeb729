/* Time of single grades, one JSON object a file: rate, percentiles, the slowest row.
 * usage: bench_grade GRADER FILE.jsonl [repeat=5]     (rows {"gold", "answer"}; bench/vs_math_verify.py writes such
 * files) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "data/jsonl.h"
#include "r1/reward.h"

typedef struct row {
    json_t *json;
} row;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Noreturn void stop(const r1_error *err)
{
    fprintf(stderr, "%s\n", err->message);
    exit(1);
}

static row *read_rows(const char *path, size_t *n)
{
    r1i_jsonl *in;
    r1_error err = {0};
    json_t *json;
    row *rows = NULL;
    *n = 0;
    if (r1i_jsonl_open(path, &in, &err) != R1_OK) stop(&err);
    while (r1i_jsonl_next(in, &json, NULL, &err) == R1_OK && json) {
        row *const more = realloc(rows, (*n + 1) * sizeof *rows);
        if (!more) exit(1);
        rows = more;
        rows[(*n)++] = (row){.json = json};
    }
    if (err.code != R1_OK) stop(&err);
    r1i_jsonl_close(in);
    return rows;
}

static int by_time(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double grade(r1_grader *g, const json_t *json, bool *correct)
{
    const json_t *const gold = json_object_get(json, "gold"), *const answer = json_object_get(json, "answer");
    const r1_sample s = {.gold = json_string_value(gold), .gold_bytes = json_string_length(gold),
                         .completion = json_string_value(answer), .completion_bytes = json_string_length(answer)};
    r1_verdict v;
    r1_error err = {0};
    const double start = now();
    if (r1_grader_check_gold(g, s.gold, s.gold_bytes, &err) != R1_OK || r1_grader_grade(g, &s, &v, &err) != R1_OK)
        stop(&err);
    *correct = v.correct;
    return now() - start;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_grade GRADER FILE.jsonl [repeat]\n");
        return 2;
    }
    const int repeat = argc > 3 ? atoi(argv[3]) : 5;
    r1_grader *g;
    r1_error err = {0};
    size_t n, right = 0, worst = 0;
    row *const rows = read_rows(argv[2], &n);
    double *const all = malloc((n + 1) * (size_t)repeat * sizeof *all);
    if (!all || n == 0) return 1;
    if (r1_grader_create(argv[1], NULL, NULL, &g, &err) != R1_OK) stop(&err);
    double total = 0, slowest = 0;
    for (int k = 0; k < repeat; k++)
        for (size_t i = 0; i < n; i++) {
            bool correct;
            const double t = grade(g, rows[i].json, &correct);
            all[(size_t)k * n + i] = t;
            total += t;
            right += k == 0 && correct;
            if (t > slowest) {
                slowest = t;
                worst = i;
            }
        }
    const size_t calls = n * (size_t)repeat;
    qsort(all, calls, sizeof *all, by_time);
    printf("{\"grader\": \"%s\", \"rows\": %zu, \"correct\": %zu, \"repeat\": %d, \"per_second\": %.0f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, "
           "\"max_us\": %.1f, \"slowest\": %zu}\n", argv[1], n, right, repeat, (double)calls / total,
           1e6 * all[calls / 2], 1e6 * all[calls * 99 / 100],
           1e6 * all[calls * 999 / 1000], 1e6 * slowest, worst + 1);
    for (size_t i = 0; i < n; i++) json_decref(rows[i].json);
    free(rows);
    free(all);
    r1_grader_destroy(g);
    return 0;
}
