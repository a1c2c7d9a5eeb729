/* The format rewards: each way around the grammar that a looser pattern lets through. */
#include "support/grade.h"

static const char zero[] = "{\"style\": \"r1-zero\"}";

static void test_r1(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"format", NULL, NULL, "<think>\nso\n</think>\n\nIt is 7.", 1},
        {"format", NULL, NULL, "  \n<think>so</think>7\n", 1},
        {"format", NULL, NULL, "<think>\xE5\x9B\xA0\xE4\xB8\xBA</think>\xE4\xB8\x83", 1},
        {"format", NULL, NULL, "", 0},
        {"format", NULL, NULL, "7", 0},
        {"format", NULL, NULL, "<think>so", 0},
        {"format", NULL, NULL, "so</think>7", 0},                          /* nothing was prefilled here */
        {"format", NULL, NULL, "<think></think>7", 0},
        {"format", NULL, NULL, "<think> \n\t</think>7", 0},
        /* no-break, zero width, ideographic space */
        {"format", NULL, NULL, "<think>\xC2\xA0\xE2\x80\x8B\xE3\x80\x80</think>7", 0},
        {"format", NULL, NULL, "<think>so</think>", 0},
        {"format", NULL, NULL, "<think>so</think> \n", 0},
        {"format", NULL, NULL, "<think>so</think>\xEF\xBB\xBF", 0},
        {"format", NULL, NULL, "<think>a<think>b</think>c</think>7", 0},   /* nested */
        {"format", NULL, NULL, "<think>a</think>b</think>7", 0},           /* two closers */
        {"format", NULL, NULL, "<think>a</think><think>b</think>7", 0},
        {"format", NULL, NULL, "<think>a</think>7<think>", 0},
        {"format", NULL, NULL, "well <think>a</think>7", 0},               /* before */
        {"format", NULL, NULL, "</think>a<think>7", 0},
        {"format", NULL, NULL, "<THINK>a</THINK>7", 0},
        {"format", NULL, NULL, "<think>a< / think >b</think>7", 0},        /* a misspelt tag inside */
        {"format", NULL, NULL, "<think>a</think>7</ANSWER>", 0},
        {"format", NULL, NULL, "<think>if a < b and b > c then a <thinking></think>7", 1},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static void test_r1_zero(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"format", zero, NULL, "<think>so</think><answer>7</answer>", 1},
        {"format", zero, NULL, "<think> so </think> \n <answer> 7 </answer>\n", 1},
        {"format", zero, NULL, "<think>so</think><answer>7</answer> indeed", 0},  /* trailing text */
        {"format", zero, NULL, "<think>so</think><answer>7</answer><answer>8</answer>", 0},
        {"format", zero, NULL, "<think>so</think><answer></answer>", 0},
        {"format", zero, NULL, "<think></think><answer>7</answer>", 0},
        {"format", zero, NULL, "<think>so</think><answer>7", 0},
        {"format", zero, NULL, "<think>so</think>7", 0},
        {"format", zero, NULL, "<think>so<answer>7</answer></think>", 0},
        {"format", zero, NULL, "<think>so</think> hence <answer>7</answer>", 0},
        {"format", zero, NULL, "<think>so</think><answer><think>7</think></answer>", 0},
        {"format", zero, NULL, "<answer>7</answer><think>so</think>", 0},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static r1_verdict prefilled(const char *options, const char *text, bool truncated)
{
    const r1_sample s = {.completion = text, .completion_bytes = strlen(text), .thinking_open = true,
                         .truncated = truncated};
    return grade_sample("format", options, &s);
}

static void test_prefilled(void **state)
{
    (void)state;
    const r1_verdict v = prefilled(NULL, "so\n</think>\n\nIt is 7.\n", false);
    assert_true(v.score == 1 && v.correct && v.extracted);
    assert_string_equal(v.answer, "It is 7.");
    assert_true(prefilled(NULL, "so</think>7", true).score == 0);
    assert_true(prefilled(NULL, "\n</think>7", false).score == 0);
    assert_true(prefilled(NULL, "<think>so</think>7", false).score == 0); /* opened twice */
    assert_true(prefilled(NULL, "so", false).score == 0);
    assert_true(prefilled(NULL, "so</think>7</think>8", false).score == 0);
    assert_true(prefilled(zero, "so</think><answer>7</answer>", false).score == 1);
    assert_true(prefilled(zero, "so</think><answer>7</answer>.", false).score == 0);
    static const char nul[] = "so\0</think>\0\0";
    const r1_sample s = {.completion = nul, .completion_bytes = sizeof nul - 1, .thinking_open = true};
    assert_true(grade_sample("format", NULL, &s).score == 0); /* NULs are nothing that can be read */
}

static void test_tags(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"tags", NULL, NULL, "<think>a</think><answer>b</answer>", 1},
        {"tags", NULL, NULL, "<think>a</think>", 0.5},
        {"tags", NULL, NULL, "<think><think>a</think><answer>", 0.5},
        {"tags", NULL, NULL, "", 0},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
    const r1_sample s = {.completion = "a</think>", .completion_bytes = 9, .thinking_open = true};
    assert_true(grade_sample("tags", NULL, &s).score == 0.5);
}

static void test_options(void **state)
{
    (void)state;
    r1_grader *g;
    r1_error err = {0};
    assert_int_equal(r1_grader_create("format", "{\"style\": \"loose\"}", NULL, &g, &err), R1_ERR_USAGE);
    assert_null(g);
    assert_int_equal(r1_grader_create("format", "{\"stile\": \"r1\"}", NULL, &g, &err), R1_ERR_USAGE);
    assert_non_null(strstr(err.message, "stile"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_r1), cmocka_unit_test(test_r1_zero), cmocka_unit_test(test_prefilled),
        cmocka_unit_test(test_tags), cmocka_unit_test(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
