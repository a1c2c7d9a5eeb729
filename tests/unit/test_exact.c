/* Exact and normalised match, one gold or several. */
#include "support/grade.h"

static const char several[] = "{\"several\": true}";

static void test_exact(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"exact", NULL, "Paris", "<think>where</think>\n\nParis\n", 1},
        {"exact", NULL, "Paris", "paris", 0},
        {"exact", NULL, "Paris", "Paris.", 0},
        {"exact", NULL, "Paris", "<think>Paris</think>", 0},
        {"exact", NULL, "Paris", "<think>Paris", 0},
        {"exact", NULL, "Paris", "<think>a</think>b</think>Paris", 1},
        {"exact", NULL, "Paris", "", 0},
        {"exact", several, "[\"Paris\", \"Lutetia\"]", "Lutetia", 1},
        {"exact", several, "[\"Paris\", \"Lutetia\"]", "Rome", 0},
        {"exact", NULL, "[\"Paris\"]", "[\"Paris\"]", 1},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static void test_normalized(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"normalized", NULL, "Eiffel Tower", "The Eiffel-Tower.", 1},
        {"normalized", NULL, "the Eiffel tower", "<answer>EIFFEL  TOWER!</answer>", 1},
        {"normalized", NULL, "Eiffel Tower", "\\boxed{Eiffel Tower}", 1},
        {"normalized", NULL, "Eiffel Tower", "Eiffel Tower or Big Ben", 0}, /* hedged */
        {"normalized", NULL, "3.5", "35", 0},
        {"normalized", NULL, "3.5", "3.5.", 1},
        {"normalized", NULL, "-5", "5", 0},
        {"normalized", NULL, "-5", "-5", 1},
        {"normalized", NULL, "2-5", "2 5", 1},
        {"normalized", NULL, "1000", "1,000", 1},
        {"normalized", NULL, "1, 2", "1,2", 1}, /* no thousands comma */
        {"normalized", NULL, "12", "1,2", 0},
        {"normalized", NULL, "$5", "5", 0},
        {"normalized", NULL, "50%", "50", 0},
        {"normalized", NULL, "A", "a", 1}, /* an article that is the whole answer stays */
        {"normalized", NULL, "A", "the", 0},
        {"normalized", NULL, "don't", "dont", 1},
        {"normalized", NULL, "\xC3\x89t\xC3\xA9", "\xC3\xA9t\xC3\xA9", 1},
        {"normalized", NULL, "Stra\xC3\x9F" "e", "STRASSE", 1},
        {"normalized", NULL, "\xEF\xBC\x95", "5", 1}, /* full width */
        {"normalized", NULL, "x", "...", 0},
        {"normalized", NULL, "...", "...", 0}, /* nothing is left to compare */
        {"normalized", NULL, "x", "\xFF\xFE", 0},
        {"normalized", several, "[\"NYC\", \"New York City\"]", "the new york city", 1},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static void test_golds(void **state)
{
    (void)state;
    r1_error err = {0};
    assert_int_equal(grade_gold("exact", NULL, " \n", &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("exact", several, "[]", &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("exact", several, "[\"a\", \"\"]", &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("normalized", several, "[\"a\", 3]", &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("normalized", several, "a", &err), R1_ERR_FORMAT);
    assert_int_equal(grade_gold("normalized", several, "[\"a\"]", &err), R1_OK);
}

static void test_same(void **state)
{
    (void)state;
    static const char *const text[] = {"The cat", "cat.", "dog", ""};
    static const bool want[4][4] = {{1, 1, 0, 0}, {1, 1, 0, 0}, {0, 0, 1, 0}, {0, 0, 0, 0}};
    r1_grader *g;
    assert_int_equal(r1_grader_create("normalized", NULL, NULL, &g, NULL), R1_OK);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++) {
            const r1_sample a = {.completion = text[i], .completion_bytes = strlen(text[i])},
                            b = {.completion = text[j], .completion_bytes = strlen(text[j])};
            bool same;
            assert_int_equal(r1_grader_same(g, &a, &b, &same, NULL), R1_OK);
            assert_int_equal(same, want[i][j]);
        }
    r1_grader_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact), cmocka_unit_test(test_normalized), cmocka_unit_test(test_golds),
        cmocka_unit_test(test_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
