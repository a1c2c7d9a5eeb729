/* Penalties, hedging, and rewards as declared lists: parts, weights, counts, and what a wrong declaration gets. */
#include "support/grade.h"

#include <math.h>

static void test_repetition(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"repetition", NULL, NULL, "", 0},
        {"repetition", NULL, NULL, "one two", 0},
        {"repetition", NULL, NULL, "one two three four", 0},
        {"repetition", NULL, NULL, "a b c a b c", -0.25},                         /* abc bca cab abc: 3 of 4 */
        {"repetition", "{\"n\": 1, \"penalty\": 2}", NULL, "so so so so", -1.5},
        /* characters are words */
        {"repetition", "{\"n\": 1}", NULL, "\xE4\xB8\x80\xE4\xBA\x8C\xE4\xB8\x80\xE4\xBA\x8C", -0.5},
        {"repetition", "{\"n\": 2}", NULL, "ab c ab c", -1.0 / 3},
        {"repetition", "{\"n\": 2}", NULL, "abc abc", 0},                         /* one bigram */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const r1_verdict v = grade_text("repetition", cases[i].options, NULL, cases[i].text);
        if (fabs(v.score - cases[i].score) > 1e-15) fail_msg("%s: %g, %s", cases[i].text, v.score, v.reason);
        assert_false(v.extracted);
    }
    assert_string_equal(grade_text("repetition", NULL, NULL, "a b c a b c").reason, "3 of 4 3-grams are different");
    assert_false(grade_text("repetition", NULL, NULL, "wait no wait no wait no wait no wait no wait no").correct);
}

static void test_overlong(void **state)
{
    (void)state;
    static const struct {
        int64_t tokens;
        double score;
    } cases[] = {{1, 0}, {16384, 0}, {16384 + 2048, -0.5}, {20480, -1}, {20481, -1}, {16385, -1.0 / 4096}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1_sample s = {.completion = "x", .completion_bytes = 1, .tokens = cases[i].tokens};
        assert_true(grade_sample("overlong", "{\"limit\": 20480, \"buffer\": 4096}", &s).score == cases[i].score);
        s.max_tokens = 20480;
        assert_true(grade_sample("overlong", NULL, &s).score == cases[i].score); /* DAPO's proportions */
    }
    r1_grader *g;
    r1_verdict v;
    const r1_sample unknown = {.completion = "x", .completion_bytes = 1};
    assert_int_equal(r1_grader_create("overlong", "{\"limit\": 10, \"buffer\": 11}", NULL, &g, NULL), R1_ERR_USAGE);
    assert_int_equal(r1_grader_create("overlong", NULL, NULL, &g, NULL), R1_OK);
    assert_int_equal(r1_grader_grade(g, &unknown, &v, NULL), R1_ERR_USAGE);
    r1_grader_destroy(g);
    const r1_sample cut = {.completion = "x", .completion_bytes = 1, .truncated = true},
                    whole = {.completion = "x", .completion_bytes = 1};
    assert_true(grade_sample("stops", NULL, &cut).score == 0 && grade_sample("stops", NULL, &whole).score == 1);
}

static void test_length(void **state)
{
    (void)state;
    static const int64_t tokens[] = {100, 200, 300, 300};
    static const bool correct[] = {true, true, true, false}, wrong[] = {false, false, false, false};
    double out[4];
    r1_length_rewards(tokens, correct, 4, out);
    assert_true(out[0] == 0.5 && out[1] == 0 && out[2] == -0.5 && out[3] == -0.5);
    r1_length_rewards(tokens, wrong, 4, out);
    assert_true(out[0] == 0 && out[1] == 0 && out[2] == -0.5); /* short and wrong earns nothing */
    r1_length_rewards(tokens + 2, correct, 2, out);
    assert_true(out[0] == 0 && out[1] == 0);
    r1_length_rewards(tokens, correct, 1, out);
    assert_true(out[0] == 0);
    r1_length_rewards(tokens, correct, 0, out);
}

static void test_hedging(void **state)
{
    (void)state;
    static const grade_case cases[] = {
        {"hedging", NULL, NULL, "\\boxed{7}", 1},
        {"hedging", NULL, NULL, "\\boxed{7} so \\boxed{7}", 1}, /* said twice */
        {"hedging", NULL, NULL, "\\boxed{7} or \\boxed{8}", 0},
        {"hedging", NULL, NULL, "\\boxed{7 \\text{ or } 8}", 0},
        {"hedging", NULL, NULL, "<answer>either 7, Or 8</answer>", 0},
        {"hedging", NULL, NULL, "<answer>7</answer><answer>8</answer>", 0},
        {"hedging", NULL, NULL, "\\boxed{7\xE6\x88\x96" "8}", 0},
        {"hedging", NULL, NULL, "It is 7 or 8.", 0},
        {"hedging", NULL, NULL, "I could take this or that way.\nIt is 7.", 1},
        {"hedging", NULL, NULL, "<think>\\boxed{7} or \\boxed{8}</think>\\boxed{8}", 1},
        {"hedging", NULL, NULL, "<think>\\boxed{7}</think>", 0},
        {"hedging", NULL, NULL, "\\boxed{7", 1}, /* cut off: the last line is one answer, though no box */
        {"hedging", NULL, "7", "\\boxed{7, 8}", 0},
        {"hedging", NULL, "7", "\\boxed{\\{7, 8\\}}", 0},
        {"hedging", NULL, "7", "\\boxed{\\pm 7}", 0},
        {"hedging", NULL, "7000", "\\boxed{7,000}", 1},
        {"hedging", NULL, "7, 8", "\\boxed{8, 7}", 1},
        {"hedging", NULL, "", "", 0},
    };
    grade_table(cases, sizeof cases / sizeof *cases);
}

static const char recipe[] =
    "{\"rules\": [{\"grader\": \"countdown\"}, {\"grader\": \"format\", \"weight\": 0.5, \"options\": {\"style\": \"r1-zero\"}},"
    " {\"grader\": \"repetition\", \"weight\": 0.25}], \"unfinished\": 0.5}";
static const char gold[] = "{\"target\": 5, \"numbers\": [7, 2]}";

static r1_sample sample_of(const char *text, bool truncated)
{
    return (r1_sample){.completion = text, .completion_bytes = strlen(text), .gold = gold,
                       .gold_bytes = sizeof gold - 1, .truncated = truncated};
}

static void test_composition(void **state)
{
    (void)state;
    r1_reward *r;
    r1_error err = {0};
    r1_verdict part[3];
    double total, weight;
    if (r1_reward_create_json(recipe, strlen(recipe), NULL, &r, &err) != R1_OK) fail_msg("%s", err.message);
    assert_int_equal(r1_reward_rules(r), 3);
    assert_string_equal(r1_reward_rule_name(r, 1, &weight), "format");
    assert_true(weight == 0.5);
    assert_null(r1_reward_rule_name(r, 3, NULL));
    assert_int_equal(r1_reward_check_gold(r, gold, sizeof gold - 1, &err), R1_OK);
    assert_int_equal(r1_reward_check_gold(r, "7", 1, &err), R1_ERR_FORMAT);
    assert_non_null(strstr(err.message, "countdown"));

    r1_sample s = sample_of("<think>take two away</think><answer>7-2</answer>", false);
    assert_int_equal(r1_reward_score(r, &s, &total, part, &err), R1_OK);
    assert_true(total == 1.5 && part[0].correct && part[1].correct && part[2].score == 0);
    for (int i = 0; i < 3; i++) assert_true(part[i].reason[0] != 0);
    s = sample_of("7-2", true); /* right, formless, cut off */
    assert_int_equal(r1_reward_score(r, &s, &total, NULL, &err), R1_OK);
    assert_true(total == 0.5);
    s = sample_of("a a a a a a", true); /* a penalty is not halved */
    assert_int_equal(r1_reward_score(r, &s, &total, NULL, &err), R1_OK);
    assert_true(total == -0.25 * 0.75);

    r1_rule_count c;
    r1_reward_count(r, 0, &c);
    assert_true(c.n == 3 && c.correct == 2 && c.zero == 1 && c.sum == 2 && c.min == 0 && c.max == 1 &&
                c.extracted == 3);
    r1_reward_count(r, 2, &c);
    assert_true(c.min == -0.75 && c.max == 0);
    r1_reward_count(r, 9, &c);
    assert_true(c.n == 0);
    r1_reward_destroy(r);
    r1_reward_destroy(NULL);
}

static void test_declarations(void **state)
{
    (void)state;
    static const struct {
        const char *json, *says;
    } bad[] = {
        {"{\"rules\": []}", "at least one"},
        {"{}", "rules"},
        {"[]", "at least one"},
        {"3", "rules"},
        {"{\"rules\": [{\"grader\": \"format\"}], \"rule\": 1}", "rule"},
        {"{\"rules\": [{\"grader\": \"format\"}, {\"grader\": \"formats\"}]}", "rule 2"},
        {"{\"rules\": [{\"weight\": 1}]}", "grader"},
        {"{\"rules\": [{\"grader\": \"format\", \"weight\": \"1\"}]}", "weight"},
        {"{\"rules\": [{\"grader\": \"format\", \"options\": {\"x\": 1}}]}", "'x'"},
        {"{\"rules\": [{\"grader\": \"format\", \"options\": 3}]}", "object"},
        {"{\"rules\": [{\"grader\": \"format\", \"scale\": 3}]}", "scale"},
        {"{\"rules\": [{\"grader\": \"format\"}], \"unfinished\": \"no\"}", "unfinished"},
    };
    r1_reward *r;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error err = {0};
        assert_int_equal(r1_reward_create_json(bad[i].json, strlen(bad[i].json), NULL, &r, &err), R1_ERR_USAGE);
        assert_null(r);
        if (!strstr(err.message, bad[i].says)) fail_msg("%s: %s", bad[i].json, err.message);
    }
    assert_int_equal(r1_reward_create_json("[{\"grader\": \"tags\"}]", 20, NULL, &r, NULL), R1_OK);
    r1_reward_destroy(r);
    assert_int_equal(r1_reward_create_json("{", 1, NULL, &r, NULL), R1_ERR_FORMAT);
    const r1_reward_rule nan_weight = {"format", NAN, NULL};
    assert_int_equal(r1_reward_create(&nan_weight, 1, NULL, &r, NULL), R1_ERR_USAGE);
    assert_int_equal(r1_reward_create(NULL, 0, NULL, &r, NULL), R1_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repetition), cmocka_unit_test(test_overlong), cmocka_unit_test(test_length),
        cmocka_unit_test(test_hedging), cmocka_unit_test(test_composition), cmocka_unit_test(test_declarations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
