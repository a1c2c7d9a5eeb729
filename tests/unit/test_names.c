/* The name table against a plain search. */
#include "support/test.h"

#include "format/names.h"

typedef struct item { const char *name; int other; } item;

static void test_many(void **state)
{
    (void)state;
    enum { N = 5000 };
    static char text[N][24];
    static item items[N];
    r1i_names t;
    assert_int_equal(r1i_names_create(&t, N, NULL), R1_OK);
    for (int i = 0; i < N; i++) {
        snprintf(text[i], sizeof text[i], "layers.%d.w%d", i / 7, i);
        items[i] = (item){text[i], i};
        assert_int_equal(r1i_names_add(&t, items, sizeof *items, i), i);
    }
    for (int i = 0; i < N; i++) assert_int_equal(r1i_names_find(&t, items, sizeof *items, text[i]), i);
    assert_int_equal(r1i_names_find(&t, items, sizeof *items, "layers.0.w"), -1);
    assert_int_equal(r1i_names_find(&t, items, sizeof *items, ""), -1);
    items[10].name = text[3]; /* a second item of that name is told about the first */
    assert_int_equal(r1i_names_add(&t, items, sizeof *items, 10), 3);
    r1i_names_destroy(&t);
    assert_int_equal(r1i_names_find(&t, items, sizeof *items, text[0]), -1);
}

static void test_too_many(void **state)
{
    (void)state;
    r1i_names t;
    r1_error e = {0};
    assert_int_equal(r1i_names_create(&t, UINT64_C(1) << 31, &e), R1_ERR_RANGE);
    r1i_names_destroy(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many), cmocka_unit_test(test_too_many)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
