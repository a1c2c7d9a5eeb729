/* Strict JSON: what is refused, at which byte and line. */
#include "support/test.h"

#include "base/json.h"
#include "support/fail_alloc.h"

static r1_status parse(const char *text, r1_error *e)
{
    json_t *v;
    const r1_status st = r1i_json_parse(text, strlen(text), &v, e);
    assert_true((st == R1_OK) == (v != NULL));
    json_decref(v);
    return st;
}

static void test_accepted(void **state)
{
    (void)state;
    static const char *const good[] = {"{}", "[1,2.5,-3e2,null,true]", "\"x\"", "7", "{\"a\":{\"b\":[\"\\u00e9\"]}}",
                                       " [ ] \n",
                                       "\"\\u0000\""};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_int_equal(parse(good[i], NULL), R1_OK);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t line, offset;
    } bad[] = {
        {"", 1, 0}, {"[1,]", 1, 4}, {"{\"a\":1,\"a\":2}", 1, 10}, {"{\"a\":1\n,\n}", 3, 10}, {"[1] x", 1, 5},
        {"\"\\ud800\"", 1, 8}, {"\"\x80\"", 1, 2}, {"1e999", 1, 5}, {"[18446744073709551616]", 1, 21}, {"nul", 1, 3},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        assert_int_equal(parse(bad[i].text, &e), R1_ERR_FORMAT);
        if (e.line != bad[i].line || e.offset > bad[i].offset || e.offset < bad[i].offset - 2) {
            print_message("case %zu: %s line %d offset %d\n", i, e.message, (int)e.line, (int)e.offset);
            fail();
        }
        assert_true(strlen(e.message) > 10);
    }
    char deep[100000];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = '\0';
    assert_int_equal(parse(deep, NULL), R1_ERR_FORMAT);
}

static void test_files(void **state)
{
    (void)state;
    r1_error e = {0};
    json_t *v;
    assert_int_equal(r1i_json_read_file("/nonexistent/config.json", 100, &v, &e), R1_ERR_IO);
    assert_null(v);
    assert_string_equal(e.message, "/nonexistent/config.json: No such file or directory");
    assert_int_equal(r1i_json_read_file(R1_SOURCE_DIR "/CMakePresets.json", 10, &v, &e), R1_ERR_RANGE);
    assert_int_equal(r1i_json_read_file(R1_SOURCE_DIR "/CMakePresets.json", 1 << 20, &v, &e), R1_OK);
    json_decref(v);
    assert_int_equal(r1i_json_read_file(R1_SOURCE_DIR "/LICENSE", 1 << 20, &v, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "LICENSE: JSON line 1"));
}

static r1_status parse_some(void *text, r1_error *e) { return parse(text, e); }

static void test_no_memory(void **state)
{
    (void)state;
    char text[] = "{\"weights\":[1,2,3,{\"name\":\"a long enough name to leave any small buffer behind\"}]}";
    assert_true(fail_alloc_sweep_json(parse_some, text) > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_files), cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
