/* HumanEval and MBPP in the sandbox: every canonical solution is accepted, each with `return None` put first in its entry
 * function is refused; and the first 200 rows, all at once, get the verdicts that they got one by one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "r1/reward.h"
#include "support/code_rows.h"
#include "support/test.h"

enum { AT_ONCE = 200, WORKERS = 3 };

typedef struct work {
    const code_row *rows;
    size_t n;
    bool sabotaged;
    atomic_size_t next;
    char (*reason)[256]; /* of each row */
    atomic_int wrong, errors;
} work;

static void grade(work *w, r1_grader *g, size_t i)
{
    const char *const program = w->sabotaged ? w->rows[i].sabotaged : w->rows[i].solution;
    r1_error err = {0};
    r1_verdict v = {0};
    if (!program) {
        fprintf(stderr, "%s: no program\n", w->rows[i].id);
        w->errors++;
        return;
    }
    const r1_sample s = {.completion = program, .completion_bytes = strlen(program), .gold = w->rows[i].gold, .gold_bytes = strlen(w->rows[i].gold)};
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
    work *const w = arg;
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

static void run_all(work *w, int threads)
{
    static pthread_t t[AT_ONCE];
    for (int i = 0; i < threads; i++) assert_int_equal(pthread_create(&t[i], NULL, worker, w), 0);
    for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
}

static void check_set(const char *set, size_t expected)
{
    size_t n;
    code_row *const rows = code_rows_load(set, &n);
    if (!rows) skip();
    assert_int_equal(n, expected);
    for (int sabotaged = 0; sabotaged < 2; sabotaged++) {
        work w = {.rows = rows, .n = n, .sabotaged = sabotaged != 0};
        const double start = r1i_seconds();
        run_all(&w, WORKERS);
        printf("%s%s: %zu programs in %.1f s\n", set, sabotaged ? ", return None first" : "", n, r1i_seconds() - start);
        assert_int_equal(w.errors, 0);
        assert_int_equal(w.wrong, 0);
    }
    code_rows_free(rows, n);
}

static void test_humaneval(void **state)
{
    (void)state;
    check_set("humaneval", 164);
}

static void test_mbpp(void **state)
{
    (void)state;
    check_set("mbpp", 427);
}

/* Half right, half wrong, so that a mix-up between runs would show. */
static void test_at_once(void **state)
{
    (void)state;
    static char alone[AT_ONCE][256], together[AT_ONCE][256];
    size_t n;
    code_row *const rows = code_rows_load("mbpp", &n);
    if (!rows) skip();
    for (size_t i = 1; i < AT_ONCE; i += 2) {
        char *const swap = rows[i].solution;
        rows[i].solution = rows[i].sabotaged;
        rows[i].sabotaged = swap;
    }
    work one = {.rows = rows, .n = AT_ONCE, .reason = alone}, many = {.rows = rows, .n = AT_ONCE, .reason = together};
    run_all(&one, 1);
    const double start = r1i_seconds();
    run_all(&many, AT_ONCE);
    printf("%d at once in %.1f s\n", AT_ONCE, r1i_seconds() - start);
    assert_int_equal(one.errors, 0);
    assert_int_equal(many.errors, 0);
    assert_int_equal(one.wrong, AT_ONCE / 2);
    for (size_t i = 0; i < AT_ONCE; i++) assert_string_equal(alone[i], together[i]);
    code_rows_free(rows, n);
}

int main(void)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("code", NULL, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    r1_grader_destroy(g);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_humaneval), cmocka_unit_test(test_mbpp), cmocka_unit_test(test_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
