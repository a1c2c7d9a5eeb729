/* All 974 problems of MBPP: the tests there pass types, user classes and set-up code, which the sanitized ones do not.
 * Slow: the sanitized problems of test_code_sets make the same claim in half the time. */
#include "support/code_sets.h"
#include "support/test.h"

static void test_mbpp(void **state)
{
    (void)state;
    code_set_check("mbpp_full", 974);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mbpp)};
    const int missing = code_sandbox_missing();
    return missing ? missing : cmocka_run_group_tests(tests, NULL, NULL);
}
