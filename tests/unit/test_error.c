/* Errors: text, offset, prefixes that do not overflow, exit statuses. */
#include "support/test.h"

#include <errno.h>

#include "base/error.h"

static void test_fill(void **state)
{
    (void)state;
    r1_error e = {0};
    assert_int_equal(r1i_fail(&e, R1_ERR_RANGE, "%d is not %s", 5, "even"), R1_ERR_RANGE);
    assert_int_equal(e.code, R1_ERR_RANGE);
    assert_int_equal(e.offset, -1);
    assert_int_equal(e.sys_errno, 0);
    assert_string_equal(e.message, "5 is not even");
    assert_int_equal(r1i_fail_at(&e, R1_ERR_FORMAT, 1234, "stray comma"), R1_ERR_FORMAT);
    assert_int_equal(e.offset, 1234);
    assert_int_equal(r1i_fail_errno(&e, ENOENT, "%s", "a.gguf"), R1_ERR_IO);
    assert_string_equal(e.message, "a.gguf: No such file or directory");
    assert_int_equal(e.sys_errno, ENOENT);
    assert_int_equal(r1i_fail_errno(&e, ENOMEM, "map"), R1_ERR_NOMEM);
    /* a caller that does not want the text still gets the code */
    assert_int_equal(r1i_fail(NULL, R1_ERR_SHAPE, "x"), R1_ERR_SHAPE);
    assert_int_equal(r1i_fail_at(NULL, R1_ERR_FORMAT, 1, "x"), R1_ERR_FORMAT);
    assert_int_equal(r1i_fail_errno(NULL, EIO, "x"), R1_ERR_IO);
    r1i_error_prefix(NULL, "x");
}

static void test_prefix(void **state)
{
    (void)state;
    r1_error e = {0};
    r1i_fail_at(&e, R1_ERR_FORMAT, 7, "bad magic");
    r1i_error_prefix(&e, "%s: ", "model.gguf");
    assert_string_equal(e.message, "model.gguf: bad magic");
    assert_int_equal(e.offset, 7);
    for (int i = 0; i < 100; i++) r1i_error_prefix(&e, "folder %d: ", i);
    assert_true(strlen(e.message) < sizeof e.message);
    assert_memory_equal(e.message, "folder 99: folder 98: ", 22);
    /* a prefix as long as the buffer */
    char huge[1000];
    memset(huge, 'x', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    r1i_error_prefix(&e, "%s", huge);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
    r1i_fail_errno(&e, EIO, "%s", huge);
    assert_int_equal(strlen(e.message), sizeof e.message - 1);
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const int want[] = {0, 2, 3, 3, 3, 3, 3, 4, 4, 0, 1};
    for (int s = R1_OK; s <= R1_ERR_BUG; s++) {
        assert_int_equal(r1_status_exit_code((r1_status)s, NULL), want[s]);
        assert_true(strlen(r1_status_name((r1_status)s)) > 1);
    }
    r1_error e = {0};
    static const int machine[] = {ENOSPC, EFBIG, EIO, EDQUOT, EROFS, EMFILE}, input[] = {ENOENT, EACCES, EISDIR};
    for (size_t i = 0; i < sizeof machine / sizeof *machine; i++) {
        e.sys_errno = machine[i];
        assert_int_equal(r1_status_exit_code(R1_ERR_IO, &e), 4);
    }
    for (size_t i = 0; i < sizeof input / sizeof *input; i++) {
        e.sys_errno = input[i];
        assert_int_equal(r1_status_exit_code(R1_ERR_IO, &e), 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fill), cmocka_unit_test(test_prefix),
                                       cmocka_unit_test(test_exit_codes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
