/* The scanner: what it accepts, and the byte at which it refuses the rest. */
#include "support/test.h"

#include "format/scan.h"

static r1_status pass_over(const char *text, r1_error *e)
{
    r1i_scan s = {(const uint8_t *)text, strlen(text), 0, 100, e};
    const r1_status st = r1i_scan_skip(&s);
    if (st != R1_OK) return st;
    return r1i_scan_peek(&s) == -1 ? R1_OK : r1i_scan_fail(&s, "the end");
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {"{}", "[]", " [ 1 , -2.5e+3,0, 0.5, 1E9, null,true ,false]",
                                       "\"x\\n\\u00e9\\ud83d\\ude00\"",
                                       "{\"a\":{\"b\":[{}]},\"c\":\"\"}", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"", "\t\r\n7\n"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_int_equal(pass_over(good[i], NULL), R1_OK);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t offset; } bad[] = {
        {"", 100}, {"[1,]", 103}, {"{\"a\"}", 104}, {"{\"a\":1 \"b\":2}", 107}, {"{,}", 101}, {"[1 2]", 103}, {"nul", 100}, {"tru", 100},
        {"falsy", 100}, {"\"abc", 104}, {"\"a\nb\"", 102}, {"\"\\x\"", 101}, {"\"\\ud800\"", 101}, {"\"\\ud800\\u0041\"", 101},
        {"\"\\udc00\"", 101}, {"\"\\u0000\"", 101}, {"\"\\u12g4\"", 101}, {"\"\\u12", 101}, {"\"\\", 101}, {"\"\x80\"", 101},
        {"\"\xc0\x80\"", 101}, {"\"\xe0\x80\x80\"", 101}, {"\"\xed\xa0\x80\"", 101}, {"\"\xf4\x90\x80\x80\"", 101}, {"\"\xf0\x80\x80\x80\"", 101},
        {"\"\xf5\x80\x80\x80\"", 101}, {"\"\xe2\x82", 101}, {"01", 102}, {"-", 101}, {"1.", 102}, {"1e", 102}, {"1e+", 103}, {"+1", 100},
        {"1 2", 102}, {"{\"a\":", 105}, {"[", 101}, {"{", 101}, {"{1:2}", 101},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        assert_int_equal(pass_over(bad[i].text, &e), R1_ERR_FORMAT);
        if (e.offset != bad[i].offset) fail_msg("%s: offset %d: %s", bad[i].text, (int)e.offset, e.message);
    }
}

static void test_depth(void **state)
{
    (void)state;
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    r1i_scan s = {(const uint8_t *)deep, 200, 0, 0, NULL};
    assert_int_equal(r1i_scan_skip(&s), R1_ERR_FORMAT);
    s = (r1i_scan){(const uint8_t *)deep + 40, 120, 0, 0, NULL};
    assert_int_equal(r1i_scan_skip(&s), R1_OK);
}

static void test_string(void **state)
{
    (void)state;
    static const char text[] = " \"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20ac\\ud83d\\ude00z\" ";
    static const char want[] = "a\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    char got[64];
    r1i_scan s = {(const uint8_t *)text, sizeof text - 1, 0, 0, NULL};
    r1i_scan_text t;
    assert_int_equal(r1i_scan_string(&s, &t), R1_OK);
    assert_int_equal(t.offset, 1);
    assert_int_equal(t.bytes, sizeof want - 1);
    r1i_scan_copy(&t, got);
    assert_string_equal(got, want);
    assert_true(r1i_scan_equal(&t, want));
    assert_false(r1i_scan_equal(&t, "a"));
    s = (r1i_scan){(const uint8_t *)"7", 1, 0, 0, NULL};
    assert_int_equal(r1i_scan_string(&s, &t), R1_ERR_FORMAT);
}

static void test_numbers(void **state)
{
    (void)state;
    static const struct { const char *text; r1_status status; uint64_t value; int64_t offset; } cases[] = {
        {"0", R1_OK, 0, 0}, {" 42,", R1_OK, 42, 0}, {"9223372036854775807", R1_OK, INT64_MAX, 0}, {"9223372036854775808", R1_ERR_FORMAT, 0, 18},
        {"99999999999999999999", R1_ERR_FORMAT, 0, 18}, {"01", R1_ERR_FORMAT, 0, 1}, {"00", R1_ERR_FORMAT, 0, 1}, {"-1", R1_ERR_FORMAT, 0, 0},
        {"1.0", R1_ERR_FORMAT, 0, 1}, {"1e3", R1_ERR_FORMAT, 0, 1}, {"x", R1_ERR_FORMAT, 0, 0}, {"", R1_ERR_FORMAT, 0, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1_error e = {0};
        uint64_t v;
        r1i_scan s = {(const uint8_t *)cases[i].text, strlen(cases[i].text), 0, 0, &e};
        assert_int_equal(r1i_scan_u64(&s, &v), cases[i].status);
        assert_int_equal(v, cases[i].value);
        if (cases[i].status != R1_OK) assert_int_equal(e.offset, cases[i].offset);
    }
}

static void test_utf8(void **state)
{
    (void)state;
    assert_true(r1i_utf8_valid((const uint8_t *)"a\xc3\xa9\xf0\x9f\x98\x80", 7));
    assert_false(r1i_utf8_valid((const uint8_t *)"a\xc3\xa9\xf0\x9f\x98", 6));
    assert_false(r1i_utf8_valid((const uint8_t *)"\xff", 1));
    assert_int_equal(r1i_utf8_length((const uint8_t *)"", 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_depth), cmocka_unit_test(test_string),
                                       cmocka_unit_test(test_numbers), cmocka_unit_test(test_utf8)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
