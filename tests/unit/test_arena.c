/* Arenas: alignment, marks, and what running out says. */
#include "support/test.h"

#include "base/arena.h"

static void test_take_and_reset(void **state)
{
    (void)state;
    r1i_arena a;
    assert_int_equal(r1i_arena_create(&a, "step", NULL, 1000, NULL), R1_OK);
    assert_int_equal(a.size, 1024);
    uint8_t *const p = r1i_arena_take(&a, 1, NULL), *const q = r1i_arena_take(&a, 100, NULL);
    assert_int_equal((uintptr_t)p % R1I_ALIGN, 0);
    assert_ptr_equal(q, p + 64);
    const size_t mark = r1i_arena_mark(&a);
    assert_int_equal(mark, 192);
    assert_non_null(r1i_arena_take(&a, 500, NULL));
    assert_int_equal(a.high, 704);
    r1i_arena_reset(&a, mark);
    assert_int_equal(a.used, 192);
    assert_int_equal(a.high, 704);
    r1i_arena_destroy(&a);
    r1i_arena_destroy(&a);
    r1i_arena_destroy(NULL);
}

static void test_exhaustion(void **state)
{
    (void)state;
    r1i_arena a;
    r1_error e = {0};
    assert_int_equal(r1i_arena_create(&a, "decode", NULL, 256, NULL), R1_OK);
    assert_non_null(r1i_arena_take(&a, 200, &e));
    assert_null(r1i_arena_take(&a, 64, &e));
    assert_int_equal(e.code, R1_ERR_NOMEM);
    assert_string_equal(e.message, "decode arena is full: 256 of 256 bytes in use, 64 wanted, high-water mark 256");
    r1i_arena_reset(&a, 0);
    /* sizes near SIZE_MAX must not wrap */
    assert_null(r1i_arena_take(&a, SIZE_MAX, &e));
    assert_null(r1i_arena_take(&a, SIZE_MAX - 63, &e));
    assert_non_null(r1i_arena_take(&a, 256, &e));
    r1i_arena_destroy(&a);
}

static void test_no_memory(void **state)
{
    (void)state;
    r1i_arena a;
    r1_error e = {0};
    assert_int_equal(r1i_arena_create(&a, "model", NULL, SIZE_MAX / 2, &e), R1_ERR_NOMEM);
    assert_int_equal(e.code, R1_ERR_NOMEM);
    assert_null(r1i_arena_take(&a, 1, &e));
    r1i_arena_destroy(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_take_and_reset), cmocka_unit_test(test_exhaustion),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
