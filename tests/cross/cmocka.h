/* The part of cmocka that the tests of kernels use, for builds where the library is not to be had (cross-compilation):
 * the same names, and the first failure ends the program. */
#ifndef R1_CROSS_CMOCKA_H
#define R1_CROSS_CMOCKA_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef int (*cross_fixture)(void **state);
struct CMUnitTest {
    const char *name;
    void (*run)(void **state);
    cross_fixture setup, teardown;
};
#define cmocka_unit_test(f) {#f, f, NULL, NULL}
#define cmocka_unit_test_setup_teardown(f, setup, teardown) {#f, f, setup, teardown}

#define print_message(...) printf(__VA_ARGS__)
#define fail_msg(...) cross_fail(__FILE__, __LINE__, __VA_ARGS__)
#define cross_check(ok, what) ((ok) ? (void)0 : cross_fail(__FILE__, __LINE__, "%s", what))
#define assert_true(c) cross_check((c), #c)
#define assert_false(c) cross_check(!(c), "not: " #c)
#define assert_null(p) cross_check((p) == NULL, #p " is NULL")
#define assert_non_null(p) cross_check((p) != NULL, #p " is not NULL")
#define assert_ptr_equal(a, b) cross_check((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_ptr_not_equal(a, b) cross_check((const void *)(a) != (const void *)(b), #a " != " #b)
#define assert_int_equal(a, b) cross_check((long long)(a) == (long long)(b), #a " == " #b)
#define assert_int_not_equal(a, b) cross_check((long long)(a) != (long long)(b), #a " != " #b)
#define assert_string_equal(a, b) cross_check(strcmp((a), (b)) == 0, #a " == " #b)
#define assert_memory_equal(a, b, n) cross_check(memcmp((a), (b), (n)) == 0, #a " == " #b)
#define assert_memory_not_equal(a, b, n) cross_check(memcmp((a), (b), (n)) != 0, #a " != " #b)
#define assert_in_range(v, low, high) cross_check((v) >= (low) && (v) <= (high), #low " <= " #v " <= " #high)

_Noreturn __attribute__((format(printf, 3, 4))) static inline void cross_fail(const char *file, int line,
    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("%s:%d: ", file, line);
    vprintf(format, args);
    va_end(args);
    printf("\n[  FAILED  ]\n");
    exit(1);
}

/* Whether R1_ONLY, a list of names with commas, has the test; unset: all. */
static inline int cross_wanted(const char *name)
{
    const char *const only = getenv("R1_ONLY");
    if (!only) return 1;
    for (const char *p = only; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == strlen(name) && strncmp(p, name, strlen(name)) == 0) return 1;
    return 0;
}

static inline int cross_run(const struct CMUnitTest *tests, size_t n, cross_fixture setup, cross_fixture teardown)
{
    void *group = NULL;
    if (setup && setup(&group) != 0) return 1;
    for (size_t i = 0; i < n; i++) {
        void *state = group;
        if (!cross_wanted(tests[i].name)) continue;
        printf("[ RUN      ] %s\n", tests[i].name);
        fflush(stdout);
        if (tests[i].setup && tests[i].setup(&state) != 0) return 1;
        tests[i].run(&state);
        if (tests[i].teardown && tests[i].teardown(&state) != 0) return 1;
        printf("[       OK ] %s\n", tests[i].name);
    }
    printf("[  PASSED  ]\n");
    return teardown && teardown(&group) != 0;
}
#define cmocka_run_group_tests(tests, setup, teardown) \
    cross_run((tests), sizeof(tests) / sizeof *(tests), setup, teardown)

#endif
