/* Laws of the answer checker over random answers: equality is reflexive, symmetric and transitive, and a grade does not
 * depend on which side is the gold. The seed is printed; R1_SEED repeats a run. */
#include "support/test.h"

#include <time.h>

#include "base/rng.h"
#include "r1/reward.h"

enum { POOLS = 40, POOL = 28, LENGTH = 160 };

static int below(r1i_rng *rng, int n) { return (int)r1i_rng_below(rng, (uint32_t)n); }

/* A small number in one of many spellings; few values, so that equal ones meet. */
static void put_number(r1i_rng *rng, char *out, size_t n)
{
    static const char *const spelled[][7] = {
        {"1/2", "\\frac{1}{2}", "0.5", "\\frac12", ".50", "\\dfrac{2}{4}", "2^{-1}"},
        {"2", "2.0", "\\sqrt{4}", "\\frac{4}{2}", "+2", "\\sqrt[3]{8}", "\\log_2 4"},
        {"\\sqrt{2}", "2^{1/2}", "\\frac{2}{\\sqrt{2}}", "\\sqrt2", "√2", "\\sqrt{8}/2", "2\\cos\\frac{\\pi}{4}"},
        {"\\pi", "π", "\\frac{2\\pi}{2}", "pi", "1\\pi", "\\pi", "\\frac{\\pi}{1}"},
        {"-3", "- 3", "−3", "-\\frac{6}{2}", "-\\sqrt{9}", "-3.00", "\\frac{3}{-1}"},
        {"0.333333", "1/3", "0.33", "0.3333333", "\\frac{1}{3}", "\\frac{2}{6}", "0.\\overline{3}"},
        {"10\\%", "0.1", "10", "10%", "1/10", "\\frac{10}{100}", "10 percent"},
        {"90^\\circ", "90", "90°", "\\frac{\\pi}{2}", "90 degrees", "\\pi/2", "90.0"},
        {"5", "5 cm", "5\\text{ cm}", "\\$5", "5 m", "$5", "x=5"},
    };
    snprintf(out, n, "%s", spelled[below(rng, (int)(sizeof spelled / sizeof *spelled))][below(rng, 7)]);
}

static void put_answer(r1i_rng *rng, char *out, size_t n)
{
    static const char *const fixed[] = {"x+1", "1+x", "\\frac{x^2-1}{x-1}", "x", "x^2-1", "(x-1)(x+1)", "y=x+1",
                                        "x-y+1=0", "\\text{even}", "even", "odd", "(B)",
                                        "B", "\\text{(B)}", "101_2", "101", "5", "3:30", "1:2", "2:4", "1/2",
                                        "\\emptyset", "\\{\\}", "i", "\\sqrt{-1}", "-i", "1<x<2", "1\\le x<2", "x>2",
                                        "\\infty", "2+3", "\\sum_{k=1}^2 k", "3+5=7", "7", "\\mathbb{R}",
                                        "(-\\infty,\\infty)"};
    char a[40], b[40], c[40];
    put_number(rng, a, sizeof a);
    put_number(rng, b, sizeof b);
    put_number(rng, c, sizeof c);
    switch (below(rng, 12)) {
    case 0: case 1: case 2: snprintf(out, n, "%s", a); break;
    case 3: snprintf(out, n, "(%s, %s)", a, b); break;
    case 4: snprintf(out, n, "\\{%s, %s\\}", a, b); break;
    case 5: snprintf(out, n, "%s, %s", a, b); break;
    case 6: snprintf(out, n, "[%s, %s)", a, b); break;
    case 7: snprintf(out, n, "%s \\pm %s", a, b); break;
    case 8: snprintf(out, n, "\\begin{pmatrix} %s \\\\ %s \\end{pmatrix}", a, b); break;
    case 9: snprintf(out, n, "\\frac{%s}{%s} + %s", a, b, c); break;
    default: snprintf(out, n, "%s", fixed[below(rng, (int)(sizeof fixed / sizeof *fixed))]); break;
    }
}

static r1_sample sample(const char *gold, const char *answer)
{
    return (r1_sample){.completion = answer, .completion_bytes = strlen(answer), .gold = gold,
                       .gold_bytes = strlen(gold)};
}

static bool grade(r1_grader *g, const char *gold, const char *answer, bool *usable)
{
    r1_verdict v;
    r1_error err = {0};
    const r1_sample s = sample(gold, answer);
    const r1_status st = r1_grader_grade(g, &s, &v, &err);
    assert_true(st == R1_OK || st == R1_ERR_FORMAT);
    *usable = st == R1_OK;
    return st == R1_OK && v.correct;
}

static void check_pool(r1_grader *g, char (*text)[LENGTH])
{
    static bool same[POOL][POOL];
    r1_error err = {0};
    for (int i = 0; i < POOL; i++)
        for (int j = 0; j < POOL; j++) {
            const r1_sample a = sample("", text[i]), b = sample("", text[j]);
            assert_int_equal(r1_grader_same(g, &a, &b, &same[i][j], &err), R1_OK);
        }
    for (int i = 0; i < POOL; i++)
        for (int j = 0; j < POOL; j++) {
            bool forth, back;
            if (same[i][j] != same[j][i]) fail_msg("not symmetric: %s | %s", text[i], text[j]);
            if (same[i][j] && !same[i][i]) fail_msg("not reflexive: %s", text[i]);
            for (int k = 0; same[i][j] && k < POOL; k++)
                if (same[j][k] && !same[i][k]) fail_msg("not transitive: %s | %s | %s", text[i], text[j], text[k]);
            const bool right = grade(g, text[i], text[j], &forth), other = grade(g, text[j], text[i], &back);
            if (forth && back && right != other) fail_msg("the grade depends on the side: %s | %s", text[i], text[j]);
            if (forth && same[i][j] && !right) fail_msg("equal but graded wrong: %s | %s", text[i], text[j]);
        }
}

static void test_laws(void **state)
{
    (void)state;
    const char *const given = getenv("R1_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    r1i_rng rng = {.seed = seed};
    char text[POOL][LENGTH];
    r1_grader *g;
    r1_error err = {0};
    print_message("seed %llu\n", (unsigned long long)seed);
    assert_int_equal(r1_grader_create("math", NULL, NULL, &g, &err), R1_OK);
    for (int p = 0; p < POOLS; p++) {
        for (int i = 0; i < POOL; i++) put_answer(&rng, text[i], LENGTH);
        check_pool(g, text);
    }
    r1_grader_destroy(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_laws)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
