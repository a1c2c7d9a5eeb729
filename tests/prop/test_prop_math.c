/* Random formulas: each equals what it was rewritten into and not a changed one; equality is symmetric and
 * transitive. */
#include "support/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/math.h"

enum { ROUNDS = 1500, CLASS = 4, ROOM = 4096 };

typedef struct dice {
    uint64_t state;
} dice;

static unsigned roll(dice *d, unsigned n)
{
    d->state = d->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((d->state >> 33) % n);
}

/* A formula of x, y and small numbers in one of three spellings that mean the same. */
static void formula(dice *d, int depth, char out[CLASS][ROOM])
{
    char a[CLASS][ROOM / 3], b[CLASS][ROOM / 3];
    if (depth == 0 || roll(d, 6) == 0) {
        const unsigned k = roll(d, 6), v = 1 + roll(d, 9);
        for (int i = 0; i < CLASS; i++) {
            if (k == 0) snprintf(out[i], ROOM, "x");
            else if (k == 1) snprintf(out[i], ROOM, "y");
            else if (k == 2) snprintf(out[i], ROOM, i % 2 ? "\\frac{%u}{2}" : "%u/2", v);
            else if (k == 3) snprintf(out[i], ROOM, i % 2 ? "\\sqrt{%u}" : "%u^{1/2}", v);
            else snprintf(out[i], ROOM, i % 2 ? "%u" : "%u.0", v);
        }
        return;
    }
    char(*const wide)[ROOM] = malloc(2 * sizeof(char[CLASS][ROOM]));
    assert_non_null(wide);
    formula(d, depth - 1, wide);
    formula(d, depth - 1, wide + CLASS);
    for (int i = 0; i < CLASS; i++) {
        snprintf(a[i], sizeof a[i], "%.1300s", wide[i]);
        snprintf(b[i], sizeof b[i], "%.1300s", wide[CLASS + i]);
    }
    free(wide);
    static const char *const spellings[][CLASS] = {
        {"(%s)+(%s)", "(%2$s)+(%1$s)", "(%s)-(-(%s))", "\\left(%s\\right) + \\left(%s\\right)"},
        {"(%s)(%s)", "(%2$s)\\cdot(%1$s)", "(%s)*(%s)", "\\frac{(%s)}{1} \\times (%s)"},
        {"(%s)^2-(%s)^2", "((%1$s)-(%2$s))((%1$s)+(%2$s))", "-(%2$s)^2+(%1$s)^2", "(%1$s)\\cdot(%1$s)-(%2$s)\\cdot(%2$s)"},
        {"\\sin(%s)\\cos(%s)", "\\frac{\\sin((%1$s)+(%2$s))+\\sin((%1$s)-(%2$s))}{2}", "\\cos(%2$s)\\sin(%1$s)", "\\cos(\\frac{\\pi}{2}-(%1$s))\\cos(%2$s)"},
    };
    const unsigned k = roll(d, depth > 1 ? 3 : 4);
    for (int i = 0; i < CLASS; i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
        snprintf(out[i], ROOM, spellings[k][i], a[i], b[i]);
#pragma GCC diagnostic pop
    }
}

static void equality_is_an_equivalence(void **state)
{
    (void)state;
    const char *const given = getenv("R1_TEST_SEED");
    dice d = {given ? strtoull(given, NULL, 10) : 20240817};
    print_message("seed %llu\n", (unsigned long long)d.state);
    r1_error err = {0};
    r1i_math *m;
    assert_int_equal(r1i_math_create(&(r1i_math_options){.no_prover = true}, NULL, &m, &err), R1_OK);
    static char text[CLASS][ROOM];
    int missed = 0;
    for (int round = 0; round < ROUNDS; round++) {
        formula(&d, 1 + (int)roll(&d, 2), text);
        r1i_math_value *v[CLASS + 1] = {0};
        char changed[ROOM + 16];
        snprintf(changed, sizeof changed, "(%s)+\\frac{1}{7}", text[0]);
        bool readable = true;
        for (int i = 0; i < CLASS; i++) readable &= r1i_math_parse(m, text[i], strlen(text[i]), &v[i], &err) == R1_OK;
        readable &= r1i_math_parse(m, changed, strlen(changed), &v[CLASS], &err) == R1_OK;
        if (!readable) fail_msg("'%s': %s", text[0], err.message);
        bool same[CLASS + 1][CLASS + 1];
        for (int i = 0; i <= CLASS; i++)
            for (int j = 0; j <= CLASS; j++)
                assert_int_equal(r1i_math_equal(m, v[i], v[j], &same[i][j], NULL, 0, &err), R1_OK);
        for (int i = 0; i <= CLASS; i++)
            for (int j = 0; j <= CLASS; j++) {
                if (same[i][j] != same[j][i]) fail_msg("not symmetric: %s | %s", text[i], text[j]);
                for (int k = 0; k <= CLASS; k++)
                    if (same[i][j] && same[j][k] && !same[i][k])
                        fail_msg("not transitive: %s | %s | %s", text[i], text[j], text[k]);
            }
        for (int i = 0; i < CLASS; i++) {
            assert_true(same[i][i]);
            if (same[i][CLASS]) fail_msg("equal to another value: %s | %s", text[i], changed);
            missed += !same[0][i] && strcmp(r1i_math_value_kind(v[0]), "unevaluated") != 0 &&
                strcmp(r1i_math_value_kind(v[i]), "unevaluated") != 0;
        }
        for (int i = 0; i <= CLASS; i++) r1i_math_value_free(v[i]);
    }
    print_message("%d of %d equal spellings not seen\n", missed, ROUNDS * CLASS);
    assert_true(missed * 100 <= ROUNDS * CLASS);
    r1i_math_destroy(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equality_is_an_equivalence)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
