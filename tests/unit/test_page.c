/* Report pages: markup is escaped, drawings survive empty, single and wild data. */
#include "support/test.h"

#include <math.h>

#include "record/page.h"

static void test_escape(void **state)
{
    (void)state;
    r1i_text t = {0};
    r1i_page_escape(&t, "<script>&\"'\x01\xFF\xC3\xA9\n");
    assert_string_equal(t.bytes, "&lt;script&gt;&amp;&quot;&#39;\xEF\xBF\xBD\xEF\xBF\xBD\xC3\xA9\n");
    r1i_text_free(&t);
}

static size_t occurrences(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *p = text; (p = strstr(p, what)); p++) n++;
    return n;
}

static void test_page(void **state)
{
    (void)state;
    r1i_text t = {0};
    const r1i_bar bar[] = {{"<b>", 0.5, 0.25, 0.75}, {"", 0, 0, 0}};
    const r1i_bin bin[] = {{0, 10, 3, 1}, {10, 20, 0, 0}, {20, 30, 0, 5}};
    const double x[] = {1, 2, 4, 0}, y[] = {0.5, NAN, 0.25, 1};
    const r1i_line line[] = {{"a", x, y, 4}, {"b", x, y, 0}};
    r1i_page_begin(&t, "A & B");
    r1i_page_intervals(&t, "one", bar, 2);
    r1i_page_histogram(&t, "two", "tokens", "right", "wrong", bin, 3);
    r1i_page_lines(&t, "three", "k", line, 2, true, true);
    r1i_page_lines(&t, "nothing", "k", line + 1, 1, false, false);
    r1i_page_end(&t);
    assert_false(t.failed);
    assert_non_null(strstr(t.bytes, "<title>A &amp; B</title>"));
    assert_int_equal(occurrences(t.bytes, "<svg"), 3);
    assert_int_equal(occurrences(t.bytes, "</svg>"), 3);
    assert_int_equal(occurrences(t.bytes, "<circle"), 2);
    assert_int_equal(occurrences(t.bytes, "<rect"), 3 + 2 + 2); /* three bars, two keys, two keys of lines */
    assert_null(strstr(t.bytes, "<b>"));
    assert_null(strstr(t.bytes, "nan"));
    assert_null(strstr(t.bytes, "inf"));
    r1i_text_free(&t);
}

/* A long line keeps its lone peak and takes no more room than the picture has pixels. */
static void test_long_line(void **state)
{
    (void)state;
    enum { N = 50000 };
    r1i_text few = {0}, many = {0};
    double *const x = malloc(2 * N * sizeof *x), *const y = x + N;
    for (int i = 0; i < N; i++) x[i] = i, y[i] = i == 31234 ? 9.0 : 1.0 + 0.5 * sin(i);
    const r1i_line line = {"wave", x, y, N};
    r1i_page_lines(&many, "long", "step", &line, 1, false, false);
    y[31234] = 1.0;
    r1i_page_lines(&few, "long", "step", &line, 1, false, false);
    assert_true(occurrences(many.bytes, ",") < 2 * 760);
    assert_true(occurrences(many.bytes, ",") > 760);
    assert_int_equal(occurrences(many.bytes, ",24.00"), 1); /* the top of the picture: the peak alone is there */
    assert_true(occurrences(few.bytes, ",24.00") > 1);
    free(x);
    r1i_text_free(&few);
    r1i_text_free(&many);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_escape), cmocka_unit_test(test_page),
                                       cmocka_unit_test(test_long_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
