/* Data files: line numbers, compression by content, damage, limits. */
#include "support/test.h"

#include <unistd.h>

#include "base/file.h"
#include "data/jsonl.h"

static char dir[] = "/tmp/r1-jsonl-XXXXXX";

static const char *put(const char *name, const void *bytes, size_t n)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    assert_int_equal(r1i_file_write_atomic(path, bytes, n, NULL), R1_OK);
    return path;
}

/* Rows until the end or the error; the sum of "a". */
static r1_status read_all(const char *path, int *rows, int64_t *last, r1_error *err)
{
    r1i_jsonl *in;
    *rows = 0;
    r1_status st = r1i_jsonl_open(path, &in, err);
    for (json_t *row = NULL; st == R1_OK; json_decref(row), ++*rows)
        if ((st = r1i_jsonl_next(in, &row, last, err)) != R1_OK || !row) break;
    r1i_jsonl_close(in);
    return st;
}

static void test_lines(void **state)
{
    (void)state;
    static const char text[] = "\xEF\xBB\xBF{\"a\":1}\r\n\n  \n{\"a\":2}\n{\"a\":3}";
    int rows;
    int64_t line;
    assert_int_equal(read_all(put("plain", text, sizeof text - 1), &rows, &line, NULL), R1_OK);
    assert_int_equal(rows, 3);
    assert_int_equal(line, 5);
    assert_int_equal(read_all(put("empty", "", 0), &rows, &line, NULL), R1_OK);
    assert_int_equal(rows, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } bad[] = {
        {"{\"a\":1}\n[1]\n", " line 2: a JSON object was expected"},
        {"{\"a\":1}\n\n{\"a\":\n", " line 3: JSON line 1 column"},
        {"{\"a\":1,\"a\":2}\n", " line 1: JSON"},
        {"{\"a\":\"\x80\"}\n", " line 1: JSON"},
        {"{\"a\":1}{\"a\":1}\n", " line 1: JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int rows;
        int64_t line;
        r1_error e = {0};
        assert_int_equal(read_all(put("bad", bad[i].text, strlen(bad[i].text)), &rows, &line, &e), R1_ERR_FORMAT);
        if (!strstr(e.message, bad[i].message)) {
            print_message("case %zu: %s\n", i, e.message);
            fail();
        }
    }
}

static void test_long_lines(void **state)
{
    (void)state;
    const size_t n = (size_t)300000;
    char *const text = malloc(3 * n);
    size_t at = 0;
    for (int i = 0; i < 2; i++) {
        at += (size_t)sprintf(text + at, "{\"a\":\"");
        memset(text + at, 'x', n);
        at += n;
        at += (size_t)sprintf(text + at, "\"}\n");
    }
    int rows;
    int64_t line;
    assert_int_equal(read_all(put("long", text, at), &rows, &line, NULL), R1_OK);
    assert_int_equal(rows, 2);
    free(text);
}

/* The corpus of the fuzzer holds the same two rows in every packing, whole and cut. */
static void test_packed(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        bool zlib, good;
        int rows;
    } cases[] = {{"gz", true, true, 2}, {"gz_two", true, true, 4}, {"gz_cut", true, false, 0},
                 {"gz_bad", true, false, 0}, {"gz_junk", true, false, 0},
                 {"zst", false, true, 2}, {"zst_two", false, true, 4}, {"zst_cut", false, false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[512];
        int rows;
        int64_t line;
        r1_error e = {0};
        snprintf(path, sizeof path, "%s/fuzz/corpus/jsonl/%s", R1_SOURCE_DIR, cases[i].name);
        const r1_status st = read_all(path, &rows, &line, &e);
        if (st == R1_ERR_MISSING) continue; /* this build lacks the library and says so */
        if ((st == R1_OK) != cases[i].good || (st == R1_OK && rows != cases[i].rows)) {
            print_message("%s: %d rows, %s\n", cases[i].name, rows, e.message);
            fail();
        }
    }
}

static void test_hash_ignores_the_packing(void **state)
{
    (void)state;
    char hex[2][R1I_SHA256_HEX], path[512];
    for (int i = 0; i < 2; i++) {
        r1i_jsonl *in;
        json_t *row;
        r1_error e = {0};
        snprintf(path, sizeof path, "%s/fuzz/corpus/jsonl/%s", R1_SOURCE_DIR, i ? "gz" : "plain");
        const r1_status st = r1i_jsonl_open(path, &in, &e);
        if (st == R1_ERR_MISSING) return;
        do {
            assert_int_equal(r1i_jsonl_next(in, &row, NULL, &e), R1_OK);
            json_decref(row);
        } while (row);
        r1i_jsonl_hash(in, hex[i]);
        r1i_jsonl_close(in);
    }
    assert_string_equal(hex[0], hex[1]);
}

static void test_find(void **state)
{
    (void)state;
    char *found, path[128];
    r1_error e = {0};
    put("set.jsonl.gz", "x", 1);
    snprintf(path, sizeof path, "%s/set.jsonl", dir);
    assert_int_equal(r1i_jsonl_find(path, &found, &e), R1_OK);
    assert_non_null(strstr(found, "set.jsonl.gz"));
    free(found);
    snprintf(path, sizeof path, "%s/none.jsonl", dir);
    assert_int_equal(r1i_jsonl_find(path, &found, &e), R1_ERR_IO);
    assert_non_null(strstr(e.message, "none.jsonl, nor with .gz or .zst"));
    assert_int_equal(r1_status_exit_code(e.code, &e), 3);
}

static int setup(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int cleanup(void **state)
{
    (void)state;
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lines), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_long_lines), cmocka_unit_test(test_packed),
                                       cmocka_unit_test(test_hash_ignores_the_packing), cmocka_unit_test(test_find)};
    return cmocka_run_group_tests(tests, setup, cleanup);
}
