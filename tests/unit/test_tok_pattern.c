/* Patterns: what is rewritten, what is refused by name, the limit on backtracking. */
#include "support/test.h"

#include "tokenizer/tok_split.h"

static void test_rewriting(void **state)
{
    (void)state;
    static const struct { const char *in, *want; } cases[] = {
        {"\\p{L}+|\\P{N}|\\p{^Lu}|\\P{^M}", "\\p{L}+|\\P{N}|\\P{Lu}|\\p{M}"},
        {"\\p{Han}\\P{Hiragana}\\p{Letter}[\\p{Punctuation}x]", "\\p{sc:Han}\\P{sc:Hiragana}\\p{L}[\\p{P}x]"},
        {"\\u0041\\v\\n\\d", "\\x{0041}\\x0b\\n\\d"},
        {"[]a-z\\]]b]", "[]a-z\\]]b]"},
        {"[^]x]", "[^]x]"},
        {"[[:alpha:]_]+", "[[:alpha:]_]+"},
        {"\\w\\W[\\w]", "[\\p{L}\\p{M}\\p{Nd}\\p{Pc}][^\\p{L}\\p{M}\\p{Nd}\\p{Pc}][\\p{L}\\p{M}\\p{Nd}\\p{Pc}]"},
        {"a(?!\\b)", "a(?!\\b)"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out;
        assert_int_equal(r1i_pattern_rewrite(cases[i].in, strlen(cases[i].in), &out, NULL), R1_OK);
        assert_string_equal(out, cases[i].want);
        free(out);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct { const char *in, *message; } cases[] = {
        {"[a[bc]]", "byte 2: a set inside a set"}, {"x[a&&b]", "byte 3: && inside a set"}, {"\\h", "byte 0: \\h"},
        {"ab\\K", "byte 2: \\K"}, {"\\pL", "a property without braces"}, {"\\p{L", "an unclosed property"},
        {"[\\W]", "\\W inside a class"}, {"\\", "a backslash at the end"}, {"\\u00", "a short \\u"},
        {"(a", "pattern byte 2"}, {"\\p{Klingon}", "pattern byte"}, {"a{2,1}", "pattern byte"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1i_pattern *p;
        r1_error e = {0};
        assert_int_equal(r1i_pattern_compile(cases[i].in, strlen(cases[i].in), &p, &e), R1_ERR_UNSUPPORTED);
        assert_null(p);
        if (!strstr(e.message, cases[i].message)) fail_msg("%s: %s", cases[i].in, e.message);
    }
    r1i_pattern *p;
    assert_int_equal(r1i_pattern_compile("a\0b", 3, &p, NULL), R1_ERR_UNSUPPORTED);
    char *const long_one = malloc(70000);
    assert_non_null(long_one);
    memset(long_one, 'a', 70000);
    assert_int_equal(r1i_pattern_compile(long_one, 70000, &p, NULL), R1_ERR_RANGE);
    free(long_one);
}

static bool matches(const char *pattern, const char *text, size_t n, size_t *begin, size_t *end)
{
    r1i_pattern *p;
    r1i_match m = {0};
    bool found;
    assert_int_equal(r1i_pattern_compile(pattern, strlen(pattern), &p, NULL), R1_OK);
    assert_int_equal(r1i_pattern_find(p, &m, (const uint8_t *)text, n, 0, &found, begin, end, NULL), R1_OK);
    r1i_match_free(&m);
    r1i_pattern_free(p);
    return found;
}

/* \s is White_Space and nothing else, in and out of sets; \S its complement. */
static void test_white_space(void **state)
{
    (void)state;
    size_t a, b;
    static const char *const yes[] = {" ", "\t", "\r", "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE3\x80\x80"};
    static const char *const no[] = {"a", "\x1c", "\xE1\xA0\x8E", "\xE2\x80\x8B", "\xEF\xBB\xBF", "\xF0\x9F\x98\x80"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_true(matches("^\\s$", yes[i], strlen(yes[i]), &a, &b));
        assert_true(matches("^[x\\s]$", yes[i], strlen(yes[i]), &a, &b));
        assert_false(matches("\\S", yes[i], strlen(yes[i]), &a, &b));
        assert_false(matches("[\\S]", yes[i], strlen(yes[i]), &a, &b));
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        assert_false(matches("\\s", no[i], strlen(no[i]), &a, &b));
        assert_true(matches("^\\S$", no[i], strlen(no[i]), &a, &b));
        assert_true(matches("^[\\S]$", no[i], strlen(no[i]), &a, &b));
        assert_false(matches("[^\\S]", no[i], strlen(no[i]), &a, &b));
    }
    assert_false(matches("\\p{Han}", "\xE3\x80\x81", 3, &a, &b)); /* U+3001 is only an extension of Han */
    assert_true(matches("(?i)'s", "'\xC5\xBF", 3, &a, &b));
}

static void test_backtracking_limit(void **state)
{
    (void)state;
    r1i_pattern *p;
    r1i_match m = {0};
    bool found;
    size_t begin, end;
    r1_error e = {0};
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    assert_int_equal(r1i_pattern_compile("^(a|aa|aaa)+[bc]", 16, &p, NULL), R1_OK);
    assert_int_equal(r1i_pattern_find(p, &m, (const uint8_t *)text, sizeof text - 1, 0, &found, &begin, &end, &e),
                     R1_ERR_RANGE);
    assert_non_null(strstr(e.message, "match limit"));
    r1i_match_free(&m);
    r1i_pattern_free(p);
}

static void test_too_many_steps(void **state)
{
    (void)state;
    r1i_splitter s = {0};
    for (int i = 0; i < R1I_SPLIT_STEPS; i++)
        assert_int_equal(r1i_splitter_add_pattern(&s, "x", 1, R1I_SPLIT_ISOLATED, false, false, NULL), R1_OK);
    assert_int_equal(r1i_splitter_add_pattern(&s, "x", 1, R1I_SPLIT_ISOLATED, false, false, NULL), R1_ERR_UNSUPPORTED);
    assert_int_equal(r1i_splitter_add_prefix_space(&s, NULL), R1_ERR_UNSUPPORTED);
    r1i_splitter_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rewriting), cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_white_space), cmocka_unit_test(test_backtracking_limit),
                                       cmocka_unit_test(test_too_many_steps)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
