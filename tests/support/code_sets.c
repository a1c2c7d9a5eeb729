#include "support/code_sets.h"

#include <pthread.h>

#include "base/clock.h"
#include "r1/reward.h"
#include "support/test.h"

enum { MOST_THREADS = 256, WORKERS = 3 };

static void grade(code_work *w, r1_grader *g, size_t i)
{
    const char *const program = w->sabotaged ? w->rows[i].sabotaged : w->rows[i].solution;
    r1_error err = {0};
    r1_verdict v = {0};
    if (!program) {
        fprintf(stderr, "%s: no program\n", w->rows[i].id);
        w->errors++;
        return;
    }
    const r1_sample s = {.completion = program, .completion_bytes = strlen(program), .gold = w->rows[i].gold,
                         .gold_bytes = strlen(w->rows[i].gold)};
    if (r1_grader_grade(g, &s, &v, &err) != R1_OK) {
        fprintf(stderr, "%s: %s\n", w->rows[i].id, err.message);
        w->errors++;
    } else if (v.correct == w->sabotaged) {
        fprintf(stderr, "%s: %s\n", w->rows[i].id, v.reason);
        w->wrong++;
    }
    if (w->reason) memcpy(w->reason[i], v.reason, sizeof v.reason);
}

static void *worker(void *arg)
{
    code_work *const w = arg;
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("code", NULL, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        w->errors++;
        return NULL;
    }
    for (size_t i; (i = atomic_fetch_add(&w->next, 1)) < w->n;) grade(w, g, i);
    r1_grader_destroy(g);
    return NULL;
}

void code_work_run(code_work *w, int threads)
{
    pthread_t t[MOST_THREADS];
    assert_true(threads <= MOST_THREADS);
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&t[i], NULL, worker, w), 0);
    for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
}

void code_set_check(const char *set, size_t expected)
{
    size_t n;
    code_row *const rows = code_rows_load(set, &n);
    if (!rows) skip();
    assert_int_equal(n, expected);
    for (int sabotaged = 0; sabotaged < 2; sabotaged++) {
        code_work w = {.rows = rows, .n = n, .sabotaged = sabotaged != 0};
        const double start = r1i_seconds();
        code_work_run(&w, WORKERS);
        printf("%s%s: %zu programs in %.1f s\n", set, sabotaged ? ", return None first" : "", n, r1i_seconds() - start);
        assert_int_equal(w.errors, 0);
        assert_int_equal(w.wrong, 0);
    }
    code_rows_free(rows, n);
}

int code_sandbox_missing(void)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("code", NULL, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    r1_grader_destroy(g);
    return 0;
}
