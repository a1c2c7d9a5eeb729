/* The golds of every mathematical data set parse and equal themselves, and the sets' own solutions grade as correct. */
#include "support/test.h"

#include "data/jsonl.h"
#include "r1/reward.h"

#define DATA R1_SOURCE_DIR "/../shared/data/"

typedef struct set {
    const char *path, *grader;
    int rows;
    int unparsed;          /* golds that are known not to parse; the test prints them */
    bool solutions;        /* the solutions' own answers grade as correct, but for `lost` */
    int lost;              /* solutions that name no answer, or another one: slips of the set */
} set;

static r1_sample sample(const json_t *gold, const char *answer)
{
    return (r1_sample){.completion = answer, .completion_bytes = strlen(answer), .gold = json_string_value(gold),
                       .gold_bytes = json_string_length(gold)};
}

static bool right(r1_grader *g, const json_t *gold, const char *answer, r1_verdict *v)
{
    r1_error err = {0};
    const r1_sample s = sample(gold, answer);
    const r1_status st = r1_grader_grade(g, &s, v, &err);
    if (st != R1_OK) fail_msg("%s: %s", json_string_value(gold), err.message);
    return v->correct;
}

/* As bare text, and in a box. */
static bool equals_itself(r1_grader *g, const json_t *gold)
{
    r1_verdict v;
    const char *const text = json_string_value(gold);
    char *const boxed = malloc(strlen(text) + 32);
    assert_non_null(boxed);
    sprintf(boxed, "So the answer is $\\boxed{%s}$.", text);
    const bool bare = right(g, gold, text, &v), box = right(g, gold, boxed, &v);
    free(boxed);
    if (!bare || !box) print_message("  not equal to itself%s: %s (%s)\n", bare ? " in a box" : "", text, v.reason);
    return bare && box;
}

static void check_set(const set *s)
{
    r1i_jsonl *in;
    json_t *row;
    r1_error err = {0};
    r1_grader *g;
    int rows = 0, unparsed = 0, other = 0, solutions = 0, lost = 0;
    char *path;
    if (r1i_jsonl_find(s->path, &path, &err) != R1_OK) skip();
    if (r1i_jsonl_open(path, &in, &err) != R1_OK) {
        if (err.code == R1_ERR_MISSING) skip(); /* a build without zlib */
        fail_msg("%s", err.message);
    }
    assert_int_equal(r1_grader_create(s->grader, NULL, NULL, &g, &err), R1_OK);
    while (r1i_jsonl_next(in, &row, NULL, &err) == R1_OK && row) {
        const json_t *const gold = json_object_get(row, "answer"), *const solution = json_object_get(row, "solution");
        rows++;
        if (r1_grader_check_gold(g, json_string_value(gold), json_string_length(gold), &err) != R1_OK) {
            print_message("  does not parse: %s\n", err.message);
            err = (r1_error){0};
            unparsed++;
        } else if (!equals_itself(g, gold)) {
            other++;
        } else if (s->solutions && solution) {
            r1_verdict v;
            solutions++;
            if (!right(g, gold, json_string_value(solution), &v)) {
                lost++;
                print_message("  solution of %s: gold %s, found %s: %s\n",
                              json_string_value(json_object_get(row, "id")), json_string_value(gold), v.answer,
                              v.reason);
            }
        }
        json_decref(row);
    }
    assert_int_equal(err.code, R1_OK);
    print_message("%s: %d golds, %d do not parse, %d differ from themselves; %d solutions, %d not correct\n",
                  strrchr(path, '/') - 8, rows, unparsed, other, solutions, lost);
    free(path);
    r1i_jsonl_close(in);
    r1_grader_destroy(g);
    assert_int_equal(rows, s->rows);
    assert_int_equal(other, 0);
    assert_true(unparsed <= s->unparsed);
    assert_true(lost <= s->lost);
}

static void test_gsm8k(void **state)
{
    (void)state;
    check_set(&(set){.path = DATA "gsm8k/train.jsonl", .grader = "math", .rows = 7473, .solutions = true});
    check_set(&(set){.path = DATA "gsm8k/test.jsonl", .grader = "math", .rows = 1319, .solutions = true});
}

static void test_math500(void **state)
{
    (void)state;
    check_set(&(set){.path = DATA "math500/test.jsonl", .grader = "math", .rows = 500, .solutions = true});
}

static void test_competitions(void **state)
{
    (void)state;
    check_set(&(set){.path = DATA "aime24/test.jsonl", .grader = "math", .rows = 30});
    check_set(&(set){.path = DATA "aime25/test.jsonl", .grader = "math", .rows = 30});
    check_set(&(set){.path = DATA "amc23/test.jsonl", .grader = "math", .rows = 40});
    check_set(&(set){.path = DATA "cn_math_2024/test.jsonl", .grader = "math", .rows = 30});
}

static void test_olympiadbench(void **state)
{
    (void)state;
    check_set(&(set){.path = DATA "olympiadbench/oe_to_maths_en_comp.jsonl", .grader = "math", .rows = 675,
                     .unparsed = 3});
}

static void test_languages(void **state)
{
    (void)state;
    check_set(&(set){.path = DATA "mgsm/test.jsonl", .grader = "math", .rows = 2750});
    check_set(&(set){.path = DATA "gaokao/mcq.jsonl", .grader = "choice", .rows = 1398, .solutions = true, .lost = 44});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gsm8k),         cmocka_unit_test(test_math500),   cmocka_unit_test(test_competitions),
        cmocka_unit_test(test_olympiadbench), cmocka_unit_test(test_languages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
