/* The answer checker: a table of pairs in both directions, hostile texts within their bounds, errors with their
 * places. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reward/math.h"

static r1i_math *checker(void)
{
    r1i_math *m;
    r1_error err = {0};
    assert_int_equal(r1i_math_create(NULL, NULL, &m, &err), R1_OK);
    return m;
}

static r1i_math_value *parse(r1i_math *m, const char *text)
{
    r1i_math_value *v = NULL;
    r1_error err = {0};
    if (r1i_math_parse(m, text, strlen(text), &v, &err) != R1_OK) fail_msg("'%.100s': %s", text, err.message);
    return v;
}

static bool grade(r1i_math *m, const char *gold, const char *answer, const r1i_math_options *options)
{
    r1_error err = {0};
    char reason[256];
    bool yes = false, back = false;
    r1i_math *own = NULL;
    if (options) {
        assert_int_equal(r1i_math_create(options, NULL, &own, &err), R1_OK);
        m = own;
    }
    r1i_math_value *a = NULL, *b = NULL;
    if (r1i_math_parse(m, gold, strlen(gold), &a, &err) == R1_OK &&
        r1i_math_parse(m, answer, strlen(answer), &b, &err) == R1_OK) {
        assert_int_equal(r1i_math_grade_value(m, a, b, &yes, reason, sizeof reason, &err), R1_OK);
        assert_true(reason[0]);
        assert_int_equal(r1i_math_grade_value(m, b, a, &back, reason, sizeof reason, &err), R1_OK);
        if (!options || options->rounding_decimals != -2) assert_int_equal(yes, back);
    }
    r1i_math_value_free(a);
    r1i_math_value_free(b);
    r1i_math_destroy(own);
    return yes;
}

static void table_of_pairs(void **state)
{
    (void)state;
    FILE *const f = fopen(R1_SOURCE_DIR "/tests/fixtures/math_values.tsv", "r");
    assert_non_null(f);
    r1i_math *const m = checker();
    char *line = NULL;
    size_t cap = 0;
    int rows = 0, bad = 0;
    while (getline(&line, &cap, f) > 0) {
        const char *const gold = strtok(line, "\t"), *const answer = strtok(NULL, "\t"),
                          *const want = strtok(NULL, "\t\n");
        assert_non_null(want);
        rows++;
        const bool yes = grade(m, gold, answer, NULL);
        if (yes != (*want == '1')) {
            print_error("%s | %s: got %d\n", gold, answer, yes);
            bad++;
        }
    }
    free(line);
    fclose(f);
    r1i_math_destroy(m);
    assert_true(rows > 200);
    assert_int_equal(bad, 0);
}

/* Beyond the normal form: nested roots, arctangents. The program lies beside the tests where its libraries were
 * found. */
static void proofs_by_the_child(void **state)
{
    (void)state;
    char path[4096];
    const ssize_t n = readlink("/proc/self/exe", path, sizeof path - 16);
    assert_true(n > 0);
    path[n] = 0;
    strcpy(strrchr(path, '/') + 1, "r1-prover");
    if (access(path, X_OK) != 0) skip();
    r1i_math *const m = checker();
    FILE *const f = fopen(R1_SOURCE_DIR "/tests/fixtures/math_proofs.tsv", "r");
    assert_non_null(f);
    char line[512];
    while (fgets(line, sizeof line, f)) {
        const char *const gold = strtok(line, "\t"), *const answer = strtok(NULL, "\t"),
                          *const want = strtok(NULL, "\t\n");
        assert_non_null(want);
        if (grade(m, gold, answer, NULL) != (*want == '1')) fail_msg("%s | %s", gold, answer);
    }
    fclose(f);
    static const char hard[] = "\\sqrt[3]{7+5\\sqrt2}", easy[] = "1+\\sqrt2";
    assert_true(grade(m, hard, easy, NULL));
    assert_false(grade(m, hard, easy, &(r1i_math_options){.no_prover = true}));
    assert_false(grade(m, hard, easy, &(r1i_math_options){.proof_seconds = 1e-9})); /* killed, and the answer is no */
    assert_false(grade(m, hard, easy, &(r1i_math_options){.proof_bytes = 1 << 20})); /* dies at once */
    assert_true(grade(m, hard, easy, NULL));
    r1i_math_destroy(m);
}

static void options_change_the_verdict(void **state)
{
    (void)state;
    r1i_math *const m = checker();
    assert_true(grade(m, "5 \\text{ cm}", "5", NULL));
    assert_false(grade(m, "5 \\text{ cm}", "5", &(r1i_math_options){.strict_units = true}));
    assert_true(grade(m, "10\\%", "10", NULL));
    assert_false(grade(m, "10\\%", "10", &(r1i_math_options){.percent_is_fraction = true}));
    assert_true(grade(m, "10\\%", "0.1", &(r1i_math_options){.percent_is_fraction = true}));
    assert_false(grade(m, "3.14", "\\pi", NULL));
    assert_true(grade(m, "3.14", "\\pi", &(r1i_math_options){.rounding_decimals = -2}));
    assert_false(grade(m, "3.141593", "\\pi", &(r1i_math_options){.rounding_decimals = -1}));
    r1i_math_destroy(m);
}

static void errors_name_the_place(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t offset; } bad[] = {
        {"", 0}, {"   ", 0}, {"1+", 1}, {"(1,2", 4}, {"\\frac{1}{0}", -2}, {"\\unknown", 0}, {"1 \xFF", 2}, {"3+5=7", -2}, {"@", 0}, {"\\sqrt{}", 6}, {"\\int x", 6}, {"_", 0}, {"^", 0}, {"\\frac{2}{}", 9},
    };
    r1i_math *const m = checker();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1i_math_value *v = NULL;
        r1_error err = {0};
        if (r1i_math_parse(m, bad[i].text, strlen(bad[i].text), &v, &err) == R1_OK)
            fail_msg("'%s' was read as %s", bad[i].text, r1i_math_value_text(v));
        assert_int_equal(err.code, R1_ERR_FORMAT);
        assert_null(v);
        assert_true(err.message[0]);
        if (bad[i].offset > -2) assert_int_equal(err.offset, bad[i].offset);
    }
    r1i_math_value *v = NULL;
    r1_error err = {0};
    assert_int_equal(r1i_math_parse(m, "1\0002", 3, &v, &err), R1_ERR_FORMAT);
    assert_int_equal(err.offset, 1);
    r1i_math_destroy(m);
}

static char *repeat(const char *s, size_t n)
{
    const size_t w = strlen(s);
    char *const out = malloc(w * n + 1);
    assert_non_null(out);
    for (size_t i = 0; i < n; i++) memcpy(out + i * w, s, w);
    out[w * n] = 0;
    return out;
}

static void hostile_texts_are_bounded(void **state)
{
    (void)state;
    static const struct { const char *unit; size_t n; } cases[] = {
        {"{", 1000000}, {"{", 30000}, {"}", 30000}, {"(", 16000}, {"\\frac{", 5000}, {"\\sqrt{", 5000}, {"-", 30000}, {"|", 30000}, {"9^", 15000}, {"9^{", 10000}, {"_", 30000}, {"7", 1000000},
        {"\\pm", 9000}, {"x^{x", 6000}, {"\\text{", 5000}, {"\\begin{pmatrix}", 2000}, {"\\left(", 5000}, {"1,", 16000}, {"\\sin", 8000}, {"!", 30000}, {"(a+b+c+d)^{40}", 2000}, {"(x+1)(y+1)(z+1)", 200},
        {"\\frac{1}{x+\\sqrt{y}}+", 600}, {"\xE2\x88\x9A", 10000}, {"\\{", 10000}, {"99!", 5000}, {"\\int", 8000}, {"x_{", 9000}, {"((((9!)!)!)!)!", 3},
    };
    r1i_math *const m = checker();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *const text = repeat(cases[i].unit, cases[i].n);
        r1i_math_value *v = NULL;
        r1_error err = {0};
        const clock_t from = clock();
        if (r1i_math_parse(m, text, strlen(text), &v, &err) == R1_OK) {
            bool yes;
            char reason[64];
            r1i_math_value *const other = parse(m, "x+1");
            assert_int_equal(r1i_math_grade_value(m, other, v, &yes, reason, sizeof reason, &err), R1_OK);
            assert_false(yes);
            r1i_math_value_free(other);
        }
        const double seconds = (double)(clock() - from) / CLOCKS_PER_SEC;
        /* a sanitizer is ten times slower */
        if (seconds > 10) fail_msg("%s x %zu took %.1f s", cases[i].unit, cases[i].n, seconds);
        r1i_math_value_free(v);
        free(text);
    }
    r1i_math_value *const tower = parse(m, "9^{9^{9^9}}"), *const digits = NULL;
    assert_string_equal(r1i_math_value_kind(tower), "constant");
    r1i_math_value_free(tower);
    r1i_math_value_free(digits);
    r1i_math_destroy(m);
}

static void canonical_text_parses_to_itself(void **state)
{
    (void)state;
    static const char *const texts[] = {"\\frac{x^2+1}{3y}", "2\\sqrt{3}+\\frac{\\pi}{2}", "(1,2]", "\\{1, 2\\}",
                                        "x \\in [0, 1)", "5.40 \\text{ cents}", "62.5\\%", "f(x)=x^2",
                                        "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}",
        "\\int_0^1 x^2 dx", "\\sum_{k=1}^n k^2", "101_2", "3:30", "1:2", "\\text{east}",
        "\\lim_{x \\to 0} \\frac{\\sin x}{x}", "x_{n+1}=2x_n", "e^{2x}\\sin x", "(-\\infty,0)\\cup\\{1\\}",
        "\\frac{d}{dx} x^3", "30^\\circ"};
    r1i_math *const m = checker();
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        r1i_math_value *const v = parse(m, texts[i]), *const w = parse(m, r1i_math_value_text(v));
        assert_string_equal(r1i_math_value_text(w), r1i_math_value_text(v));
        r1i_math_value_free(v);
        r1i_math_value_free(w);
    }
    r1i_math_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_of_pairs), cmocka_unit_test(proofs_by_the_child),
        cmocka_unit_test(options_change_the_verdict), cmocka_unit_test(errors_name_the_place),
        cmocka_unit_test(hostile_texts_are_bounded), cmocka_unit_test(canonical_text_parses_to_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
