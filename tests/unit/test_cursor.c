/* The byte cursor: values, bounds, and that a failure stays. */
#include "support/test.h"

#include "base/cursor.h"

static void test_values(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255};
    r1i_cursor c = {.data = bytes, .size = sizeof bytes};
    assert_int_equal(r1i_cursor_u8(&c), 1);
    assert_int_equal(r1i_cursor_u16(&c), 0x0302);
    assert_int_equal(r1i_cursor_u32(&c), 0x07060504);
    assert_true(r1i_cursor_u64(&c) == UINT64_C(0xff0e0d0c0b0a0908));
    assert_false(c.failed);
    assert_int_equal(c.pos, 15);
    assert_ptr_equal(r1i_cursor_take(&c, 0), bytes + 15);
    assert_false(c.failed);
}

static void test_bounds(void **state)
{
    (void)state;
    static const uint8_t bytes[4] = {1, 2, 3, 4};
    static const uint64_t too_much[] = {5, 1000, UINT64_MAX, UINT64_MAX - 3};
    for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
        r1i_cursor c = {.data = bytes, .size = 4, .pos = 1};
        assert_null(r1i_cursor_take(&c, too_much[i]));
        assert_true(c.failed);
        /* reads after a failure give zero and do not move */
        assert_int_equal(r1i_cursor_u8(&c), 0);
        assert_int_equal(c.pos, 1);
    }
    r1i_cursor c = {.data = bytes, .size = 4};
    assert_int_equal(r1i_cursor_u64(&c), 0);
    assert_true(c.failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_bounds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
