/* HumanEval and MBPP (sanitized) in the sandbox: every canonical solution is accepted, each with `return None` put
 * first in its entry function is refused; and 200 programs, all at once, get the verdicts that they got one by one. */
#include "base/clock.h"
#include "support/code_sets.h"
#include "support/test.h"

enum { AT_ONCE = 200 };

static void test_humaneval(void **state)
{
    (void)state;
    code_set_check("humaneval", 164);
}

static void test_mbpp(void **state)
{
    (void)state;
    code_set_check("mbpp", 427);
}

/* Half right, half wrong, so that a mix-up between runs would show. */
static void test_at_once(void **state)
{
    (void)state;
    static char alone[AT_ONCE][256], together[AT_ONCE][256];
    size_t n;
    code_row *const rows = code_rows_load("mbpp", &n);
    if (!rows) skip();
    for (size_t i = 1; i < AT_ONCE; i += 2) {
        char *const swap = rows[i].solution;
        rows[i].solution = rows[i].sabotaged;
        rows[i].sabotaged = swap;
    }
    code_work one = {.rows = rows, .n = AT_ONCE, .reason = alone},
              many = {.rows = rows, .n = AT_ONCE, .reason = together};
    code_work_run(&one, 1);
    const double start = r1i_seconds();
    code_work_run(&many, AT_ONCE);
    printf("%d at once in %.1f s\n", AT_ONCE, r1i_seconds() - start);
    assert_int_equal(one.errors, 0);
    assert_int_equal(many.errors, 0);
    assert_int_equal(one.wrong, AT_ONCE / 2);
    for (size_t i = 0; i < AT_ONCE; i++) assert_string_equal(alone[i], together[i]);
    code_rows_free(rows, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_humaneval), cmocka_unit_test(test_mbpp),
                                       cmocka_unit_test(test_at_once)};
    const int missing = code_sandbox_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
