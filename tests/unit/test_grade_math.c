/* The math and choice graders around the equality: golds, options, classes of answers, and completions that are out to
 * hurt. */
#include "support/test.h"

#include <time.h>

#include "r1/reward.h"

static r1_grader *open_grader(const char *name, const char *options)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create(name, options, NULL, &g, &err) != R1_OK) fail_msg("%s", err.message);
    return g;
}

static r1_sample pair(const char *gold, const char *answer)
{
    return (r1_sample){.gold = gold, .gold_bytes = strlen(gold), .completion = answer,
                       .completion_bytes = strlen(answer)};
}

static r1_verdict grade(r1_grader *g, const char *gold, const char *answer)
{
    r1_verdict v;
    r1_error err = {0};
    const r1_sample s = pair(gold, answer);
    if (r1_grader_grade(g, &s, &v, &err) != R1_OK) fail_msg("%s", err.message);
    assert_true(v.reason[0] != 0);
    assert_true(v.score == (v.correct ? 1.0 : 0.0));
    if (v.correct) assert_true(v.extracted);
    return v;
}

static void test_golds(void **state)
{
    (void)state;
    r1_grader *const g = open_grader("math", NULL);
    r1_error err = {0};
    static const char *const good[] = {"5", " $5$ ", "\\boxed{5}", "Thus \\boxed{5}.", "so\n#### 5", "[\"6\", \"5\"]",
                                       "(B) 5"};
    static const char *const bad[] = {"", "  ", "\\boxed{5", "[]x\\boxed{", "[\"\"]"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(r1_grader_check_gold(g, good[i], strlen(good[i]), &err), R1_OK);
        assert_true(grade(g, good[i], "The answer is 5.").correct);
        assert_false(grade(g, good[i], "The answer is 7.").correct);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(r1_grader_check_gold(g, bad[i], strlen(bad[i]), &err), R1_ERR_FORMAT);
        assert_non_null(strstr(err.message, "the gold '"));
    }
    assert_true(grade(g, "[\"6\", \"5\"]", "\\boxed{6}").correct);
    assert_true(grade(g, "(B) 5", "B").correct); /* letter or value */
    assert_false(grade(g, "(B) 5", "(C) 5").correct);
    r1_grader_destroy(g);
}

static void test_options(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "{\"percents\": 1}", "{\"percent\": \"maybe\"}", "{\"percent\": 1}", "{\"rounding\": 0}",
        "{\"rounding\": \"often\"}", "{\"strict_units\": 1}", "{\"extract\": []}", "{\"extract\": \"box\"}",
        "{\"extract\": [\"boxes\"]}", "{\"extract\": [\"box\", \"box\"]}", "{\"extract\": [\"pattern\"]}",
        "{\"patterns\": [1]}", "{\"patterns\": [\"(\"]}", "{\"patterns\": []}",
        "{\"require_box\": true, \"extract\": [\"last\"]}", "[]", "{",
    };
    r1_grader *g;
    r1_error err = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const r1_status st = r1_grader_create("math", bad[i], NULL, &g, &err);
        if (st == R1_OK) fail_msg("accepted %s", bad[i]);
        assert_null(g);
        assert_true(st == R1_ERR_USAGE || st == R1_ERR_FORMAT);
    }
    g = open_grader("math", "{\"extract\": [\"hashes\", \"box\"]}");
    assert_true(grade(g, "5", "\\boxed{4}\n#### 5").correct);
    assert_false(grade(g, "5", "5").extracted);
    r1_grader_destroy(g);
    g = open_grader("math", "{\"patterns\": [\"Result: (\\\\d+)\", \"= (\\\\d+)\"]}");
    assert_true(grade(g, "5", "Result: 4, Result: 5 = 6").correct); /* the first pattern's last match */
    assert_true(grade(g, "6", "x = 5 = 6, \\boxed{7}").correct);    /* before the box */
    assert_true(grade(g, "7", "\\boxed{7}").correct);
    r1_grader_destroy(g);
    g = open_grader("math", "{\"extract\": [\"box\", \"pattern\"], \"patterns\": [\"= (\\\\d+)\"]}");
    assert_true(grade(g, "7", "x = 5, \\boxed{7}").correct);
    assert_true(grade(g, "5", "x = 5, 9").correct);
    r1_grader_destroy(g);
    g = open_grader("math", "{\"patterns\": [\"(a+)+b\"], \"extract\": [\"pattern\"]}"); /* explodes on a's */
    char text[4001];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_false(grade(g, "5", text).extracted);
    r1_grader_destroy(g);
}

/* A last box that cannot be read is an answer that cannot be read: neither the sentence before it nor an earlier box
 * stands in. */
static void test_unreadable_box(void **state)
{
    (void)state;
    r1_grader *const g = open_grader("math", NULL);
    static const char *const texts[] = {"The answer is 7. \\boxed{7 + }", "\\boxed{7} or \\boxed{(7}",
                                        "#### 7\n\\boxed{\\frac{7}}", "\\boxed{7 + } so it is 7"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_false(grade(g, "7", texts[i]).correct);
    r1_grader_destroy(g);
}

static void test_thinking(void **state)
{
    (void)state;
    r1_grader *const g = open_grader("math", NULL);
    r1_verdict v;
    r1_error err = {0};
    r1_sample s = pair("5", "\\boxed{5}");
    s.thinking_open = true;
    assert_int_equal(r1_grader_grade(g, &s, &v, &err), R1_OK);
    assert_false(v.correct || v.extracted);
    s = pair("5", "\\boxed{5}</think>The answer is 6");
    s.thinking_open = true;
    assert_int_equal(r1_grader_grade(g, &s, &v, &err), R1_OK);
    assert_false(v.correct);
    assert_string_equal(v.answer, "6");
    assert_int_equal(r1_grader_check_gold(g, "5", 1, &err), R1_OK);
    r1_grader_destroy(g);
}

static void test_same(void **state)
{
    (void)state;
    r1_grader *const m = open_grader("math", NULL), *const c = open_grader("choice", NULL);
    static const struct {
        bool choice, same;
        const char *a, *b;
    } rows[] = {
        {false, true, "\\boxed{5}", "The answer is 5."}, {false, false, "\\boxed{5}", "\\boxed{6}"},
            {false, false, "\\boxed{", "\\boxed{"},
        {false, true, "5", "#### 5"},                    {true, true, "The answer is (B)", "B"},
        {true, false, "A", "B"},
        {true, false, "I do not know", "I do not know"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const r1_sample a = pair("", rows[i].a), b = pair("", rows[i].b);
        bool same;
        r1_error err = {0};
        assert_int_equal(r1_grader_same(rows[i].choice ? c : m, &a, &b, &same, &err), R1_OK);
        if (same != rows[i].same) fail_msg("%s | %s", rows[i].a, rows[i].b);
    }
    r1_grader_destroy(m);
    r1_grader_destroy(c);
}

static void test_choice(void **state)
{
    (void)state;
    r1_grader *g = open_grader("choice", "{\"choices\": 4}");
    r1_error err = {0};
    assert_true(grade(g, "(B)", "Answer: B").correct);
    assert_false(grade(g, "B", "Answer: C").correct);
    assert_false(grade(g, "B", "Answer: E").extracted);
    assert_int_equal(r1_grader_check_gold(g, "E", 1, &err), R1_ERR_FORMAT);
    assert_int_equal(r1_grader_check_gold(g, "Paris", 5, &err), R1_ERR_FORMAT);
    assert_int_equal(r1_grader_check_gold(g, "", 0, &err), R1_ERR_FORMAT);
    r1_grader_destroy(g);
    assert_int_equal(r1_grader_create("choice", "{\"choices\": 1}", NULL, &g, &err), R1_ERR_USAGE);
    assert_null(g);
}

/* Every text ends within a second, whatever it asks the mathematics to do. */
static void test_hostile(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "9^{9^{9^{9}}}", "9^9^9^9", "\\boxed{9^{9^{9^{9}}}}", "10^{10^{10}}", "999999999!", "((2^64)!)!",
        "\\binom{10^9}{5\\cdot 10^8}", "1e999999999", "0.1e-999999999",
        "\\sqrt{\\sqrt{\\sqrt{\\sqrt{\\sqrt{2}}}}}^{1000000}", "(x+1)^{100000}", "(a+b+c+d+e+f+g+h)^{60}",
        "\\frac{1}{(x+1)^{5000}}", "\\sin^{1000}(x)", "2^{x^{y^{z^{2^{100}}}}}", "\\sum_{k=1}^{10^{100}} \\frac{1}{k}",
        "x^{10^{30}}-x^{10^{30}+1}", "\\log_{0.999999999999}(2)", "\\{1,2,3\\}^{1000}", "[[[[[[[[[[",
        "e^{e^{e^{e^{e}}}}", "\\sqrt[1000000]{2}+\\sqrt[999999]{3}", "\\cos(\\cos(\\cos(\\cos(\\cos(\\cos(1))))))",
        "1/3 + 1/7 + 1/11 + 10^{-5000}",
    };
    static const char *const units[] = {"{", "(", "\\frac{", "\\sqrt{", "-", "x^", "1+", "2^{", "\\boxed{", "1,", "\\left(", "!", "'", "\\begin{pmatrix}", "|", "\xF0\x9F\x98\x80", "9", "0."};
    r1_grader *const g = open_grader("math", NULL);
    enum { SIZE = 1 << 20 };
    char *const big = malloc(SIZE + 1);
    assert_non_null(big);
    double slowest = 0;
    for (size_t i = 0; i < sizeof texts / sizeof *texts + 2 * sizeof units / sizeof *units; i++) {
        const size_t k = i - sizeof texts / sizeof *texts, n_units = sizeof units / sizeof *units;
        const char *text = big;
        if (i < sizeof texts / sizeof *texts) {
            text = texts[i];
        } else { /* a megabyte of one thing, and 10,000 of it: deep nesting */
            const char *const unit = units[k % n_units];
            const size_t size = k < n_units ? SIZE : 10000 * strlen(unit);
            for (size_t j = 0; j < size; j++) big[j] = unit[j % strlen(unit)];
            big[size] = 0;
        }
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        const r1_verdict v = grade(g, "12345", text);
        clock_gettime(CLOCK_MONOTONIC, &b);
        assert_false(v.correct);
        const double took = (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
        if (took > 0.2) print_message("%.2f s: %.40s\n", took, text);
        if (took > slowest) slowest = took;
    }
    free(big);
    r1_grader_destroy(g);
    assert_true(slowest < 10.0); /* 1 s is the bar where nothing else runs; sanitizers are slower */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golds), cmocka_unit_test(test_options), cmocka_unit_test(test_unreadable_box),
        cmocka_unit_test(test_thinking), cmocka_unit_test(test_same),  cmocka_unit_test(test_choice),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
