/* The grader held to two tables: pairs collected by hand, a category for every rule of docs/grading.md, and pairs made
 * from SymPy expressions. No false positive in either, and recall of at least 99 %. */
#include "support/test.h"

#include <time.h>

#include "base/file.h"
#include "data/jsonl.h"
#include "r1/reward.h"

enum { SHOWN = 40 };

typedef struct tally {
    int pairs, equal, false_positives, missed, asymmetric;
    double slowest, total;
    char slowest_pair[200];
} tally;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t); /* a proof runs in a child: its time is not this process's */
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* 1: correct, 0: wrong. A gold that cannot be read is wrong too: the other direction shows whether it should have
 * been. */
static int verdict(r1_grader *g, const char *gold, const char *answer, tally *t)
{
    r1_error err = {0};
    r1_verdict v;
    const r1_sample s = {.completion = answer, .completion_bytes = strlen(answer), .gold = gold,
                         .gold_bytes = strlen(gold)};
    const double start = now();
    const r1_status st = r1_grader_grade(g, &s, &v, &err);
    const double took = now() - start;
    t->total += took;
    if (took > t->slowest) {
        t->slowest = took;
        snprintf(t->slowest_pair, sizeof t->slowest_pair, "%s | %s", gold, answer);
    }
    if (st != R1_OK && st != R1_ERR_FORMAT) print_error("%s | %s: %s\n", gold, answer, err.message);
    assert_true(st == R1_OK || st == R1_ERR_FORMAT);
    return st == R1_OK && v.correct;
}

static void judge(r1_grader *g, const char *id, const char *gold, const char *answer, bool equal, bool both, tally *t)
{
    const int forth = verdict(g, gold, answer, t), back = both ? verdict(g, answer, gold, t) : forth;
    for (int k = 0; k < 1 + both; k++) {
        const int said = k ? back : forth;
        t->pairs++;
        t->equal += equal;
        t->missed += equal && !said;
        t->false_positives += !equal && said;
        if (said != equal && t->missed + t->false_positives <= SHOWN)
            print_message("%s %s: gold %s | answer %s\n", equal ? "missed" : "FALSE POSITIVE", id, k ? answer : gold,
                          k ? gold : answer);
    }
    t->asymmetric += both && forth != back;
}

static void report(const char *what, const tally *t)
{
    const double recall = 100.0 * (t->equal - t->missed) / t->equal;
    print_message("%s: %d verdicts, %d false positives, %d of %d equal ones missed (recall %.2f %%), %d asymmetric; mean %.0f us, slowest %.1f ms: %s\n",
                  what, t->pairs, t->false_positives, t->missed, t->equal, recall, t->asymmetric,
                  1e6 * t->total / t->pairs, 1e3 * t->slowest, t->slowest_pair);
    assert_int_equal(t->false_positives, 0);
    assert_int_equal(t->asymmetric, 0);
    assert_true(recall >= 99.0);
    assert_true(t->slowest < 1.0);
}

static r1_grader *grader(const char *options)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("math", options, NULL, &g, &err) != R1_OK) fail_msg("%s", err.message);
    return g;
}

static void test_by_hand(void **state)
{
    (void)state;
    r1i_jsonl *in;
    json_t *row;
    r1_error err = {0};
    tally t = {0};
    r1_grader *const usual = grader(NULL);
    assert_int_equal(r1i_jsonl_open(R1_TEST_DIR "/fixtures/grading/pairs.jsonl", &in, &err), R1_OK);
    while (r1i_jsonl_next(in, &row, NULL, &err) == R1_OK && row) {
        const json_t *const options = json_object_get(row, "options");
        char *const text = options ? json_dumps(options, JSON_COMPACT) : NULL;
        r1_grader *const g = options ? grader(text) : usual;
        judge(g, json_string_value(json_object_get(row, "id")), json_string_value(json_object_get(row, "gold")),
              json_string_value(json_object_get(row, "answer")), json_is_true(json_object_get(row, "correct")),
              !json_object_get(row, "one_way"), &t);
        if (options) r1_grader_destroy(g);
        free(text);
        json_decref(row);
    }
    assert_int_equal(err.code, R1_OK);
    r1i_jsonl_close(in);
    r1_grader_destroy(usual);
    assert_true(t.pairs >= 600);
    report("by hand", &t);
}

static void test_sympy(void **state)
{
    (void)state;
    uint8_t *text;
    size_t size;
    r1_error err = {0};
    tally t = {0};
    r1_grader *const g = grader(NULL);
    assert_int_equal(r1i_file_read(R1_TEST_DIR "/fixtures/grading/sympy.tsv", 1 << 24, &text, &size, &err), R1_OK);
    char *next = (char *)text, *line;
    while ((line = strsep(&next, "\n")) != NULL && *line) {
        const char *const family = strsep(&line, "\t"), *const sign = strsep(&line, "\t"),
                          *const one = strsep(&line, "\t");
        assert_non_null(line);
        judge(g, family, one, line, sign[0] == '+', true, &t);
    }
    r1_free(text);
    r1_grader_destroy(g);
    assert_int_equal(t.pairs, 20000);
    report("made from SymPy", &t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_sympy)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
