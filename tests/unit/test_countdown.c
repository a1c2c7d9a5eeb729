/* Countdown: the solutions of the data set are right, and each trick that scorers were seen to accept is not. */
#include "support/grade.h"

#include "base/json.h"
#include "reward/arith.h"

static const char g254[] = "{\"target\": 10, \"numbers\": [2, 5, 4]}";
static const char g23[] = "{\"target\": 8, \"numbers\": [2, 3]}";
static const char g24[] = "{\"target\": 24, \"nums\": [3, 3, 8, 8], \"id\": \"x\"}";

static void test_verdicts(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"countdown", NULL, g24, "<think>hm</think><answer>8/(3-8/3)</answer>", 1},
        {"countdown", NULL, g24, "\\boxed{8 \\div (3 - \\frac{8}{3})}", 1},
        {"countdown", NULL, g24, "So:\n8 / (3 - 8 / 3) = 24\n", 1},
        /* a newline after the right answer */
        {"countdown", NULL, g24, "8 \xC3\xB7 (3 \xE2\x88\x92 8 / 3) = 24.\n\n", 1},
        {"countdown", NULL, g24, "$8/\\left(3-8/3\\right)$", 1},
        {"countdown", NULL, g24, "8/(3-8/3) = 25", 0},          /* the equation is false */
        {"countdown", NULL, g24, "8/(3-8/3) = 12*2", 0},
        {"countdown", NULL, g24, "8*3", 0},                     /* two numbers left */
        {"countdown", "{\"use\": \"some\"}", g24, "8*3", 1},
        {"countdown", "{\"use\": \"some\"}", g24, "8*3+8-8", 0},
        {"countdown", NULL, g24, "24", 0},
        {"countdown", NULL, g24, "3+3+8+8", 0},                 /* 22 */
        {"countdown", NULL, g24, "8/(3-8/3) or 24", 0},         /* hedged */
        {"countdown", NULL, g24, "\\boxed{8/(3-8/3)} or \\boxed{3*8}", 0},
        {"countdown", NULL, g24, "<answer>8/(3-8/3)</answer><answer>3</answer>", 0},
        {"countdown", NULL, g24, "<answer>8/(3-8/3)", 0},
        {"countdown", NULL, g24, "<think>8/(3-8/3)", 0},        /* in the think block only */
        {"countdown", NULL, g24, "<think>a</think><think><answer>8/(3-8/3)</answer>", 0},
        {"countdown", NULL, g254, "2.5*4", 0},                  /* digits of a decimal are not the numbers */
        {"countdown", NULL, g254, "4*5/2", 1},
        {"countdown", NULL, g254, "25*4/10", 0},
        {"countdown", NULL, g254, "(5*4)/2", 1},
        {"countdown", NULL, g254, "5*4/02", 0},
        {"countdown", NULL, g23, "2**3", 0},
        {"countdown", NULL, g23, "2^3", 0},
        {"countdown", NULL, g23, "2 * * 3", 0},
        {"countdown", NULL, "{\"target\": 3, \"numbers\": [7, 2]}", "7//2", 0},
        {"countdown", NULL, "{\"target\": 3, \"numbers\": [7, 2]}", "7/2", 0},  /* 3.5: nothing is rounded */
        /* a sign is no operation between two numbers */
        {"countdown", NULL, "{\"target\": 5, \"numbers\": [7, 2]}", "-2+7", 0},
        {"countdown", NULL, "{\"target\": 5, \"numbers\": [7, 2]}", "7-2", 1},
        {"countdown", NULL, "{\"target\": 14, \"numbers\": [7, 2]}", "7(2)", 0},
        {"countdown", NULL, "{\"target\": 14, \"numbers\": [7, 2]}", "7 2", 0},
        {"countdown", NULL, "{\"target\": 0, \"numbers\": [7, 7, 0]}", "7/(7*0)", 0},
        {"countdown", NULL, "{\"target\": 1, \"numbers\": [7, 7]}", "__import__('os')", 0},
        {"countdown", NULL, "{\"target\": 1, \"numbers\": [7, 7]}", "9^{9^{9^9}}", 0},
        {"countdown", NULL, "{\"target\": 999999000000, \"numbers\": [1000000, 999999]}", "1000000*999999", 1},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static void test_golds(void **state)
{
    (void)state;
    r1_error err = {0};
    static const char *const bad[] = {
        "", "24", "{}", "[1]", "{\"target\": 24}", "{\"numbers\": [1]}", "{\"target\": 24, \"numbers\": []}",
        "{\"target\": 24, \"numbers\": [1.5]}", "{\"target\": 24, \"numbers\": [-1]}",
        "{\"target\": \"24\", \"numbers\": [1]}",
        "{\"target\": 1, \"numbers\": [999999999999999, 999999999999999, 999999999999999]}",
        "{\"target\": 24, \"numbers\": 3}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(grade_gold("countdown", NULL, bad[i], &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("countdown", NULL, g24, &err), R1_OK);
}

static void test_reader(void **state)
{
    (void)state;
    static char deep[20001];
    r1i_arith a;
    memset(deep, '(', 10000);
    deep[10000] = '1';
    memset(deep + 10001, ')', 9999);
    assert_false(r1i_arith_read((r1i_span){deep, sizeof deep - 1}, true, &a)); /* too long, and too deep */
    assert_false(r1i_arith_read((r1i_span){deep, 4000}, true, &a));
    assert_non_null(strstr(a.error, "nested"));
    assert_true(r1i_arith_read((r1i_span){"(1/3+1/6)*2", 11}, true, &a));
    assert_true(a.num == 1 && a.den == 1 && a.n == 5);
    assert_true(r1i_arith_read((r1i_span){"1-2-3", 5}, true, &a)); /* to the left */
    assert_true(a.num == -4 && a.den == 1);
    assert_true(r1i_arith_read((r1i_span){"8/4/2", 5}, true, &a));
    assert_true(a.num == 1 && a.den == 1);
    assert_true(r1i_arith_read((r1i_span){"1/(0-2)", 7}, true, &a));
    assert_true(a.num == -1 && a.den == 2);
    assert_false(r1i_arith_read((r1i_span){"1/(2-2)", 7}, true, &a));
    assert_true(r1i_arith_read((r1i_span){"1/(2-2)", 7}, false, &a)); /* the form alone */
    assert_false(r1i_arith_read((r1i_span){"999999999999999*999999999999999*999999999999999", 47}, true, &a));
    assert_false(r1i_arith_read((r1i_span){"1\0+1", 4}, true, &a));
    assert_false(r1i_arith_read((r1i_span){"", 0}, true, &a));
}

/* Every row of the data set loads, its solution is right and a solution for another target is not. */
static void test_data(void **state)
{
    (void)state;
    static const char *const files[] = {"cd3_test", "game24"};
    int rows = 0;
    for (int k = 0; k < 2; k++) {
        char path[512], line[4096];
        snprintf(path, sizeof path, R1_SOURCE_DIR "/../shared/data/countdown/%s.jsonl", files[k]);
        FILE *const f = fopen(path, "r");
        if (!f) skip();
        while (fgets(line, sizeof line, f)) {
            json_t *row;
            r1_error err = {0};
            assert_int_equal(r1i_json_parse(line, strlen(line), &row, &err), R1_OK);
            const char *const solution = json_string_value(json_object_get(row, "solution"));
            if (grade_gold("countdown", NULL, line, &err) != R1_OK) fail_msg("%s", err.message);
            const r1_verdict v = grade_text("countdown", NULL, line, solution);
            if (v.score != 1) fail_msg("%s: %s", solution, v.reason);
            json_object_set_new(row, "target", json_integer(json_integer_value(json_object_get(row, "target")) + 1));
            char *const other = json_dumps(row, 0);
            assert_true(grade_text("countdown", NULL, other, solution).score == 0);
            free(other);
            json_decref(row);
            rows++;
        }
        fclose(f);
    }
    assert_int_equal(rows, 256 + 1362);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts), cmocka_unit_test(test_golds), cmocka_unit_test(test_reader),
        cmocka_unit_test(test_data),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
