/* The shard index: what it yields, and each way to be wrong. */
#include "support/test.h"

#include "format/shard_index.h"
#include "support/fail_alloc.h"

static r1_status parse(const char *text, r1i_shard_index *x, r1_error *e)
{
    const size_t n = strlen(text);
    uint8_t *const copy = malloc(n + 1);
    if (!copy) return r1i_fail(e, R1_ERR_NOMEM, "copy");
    memcpy(copy, text, n);
    return r1i_shard_index_parse(copy, n, x, e);
}

static const char good[] =
    "{\"metadata\": {\"total_size\": 5, \"x\": [1, {\"y\": null}]},\n \"weight_map\": {\"a\": \"m-2.safetensors\", "
                           "\"\\u00e9.w\": \"m-1.safetensors\", \"c\": \"m-2.safetensors\"}}\n";

static void test_good(void **state)
{
    (void)state;
    r1i_shard_index x;
    r1_error e = {0};
    if (parse(good, &x, &e) != R1_OK) fail_msg("%s", e.message);
    assert_int_equal(x.n, 3);
    assert_int_equal(x.n_files, 2);
    assert_string_equal(r1i_shard_index_file(&x, 0), "m-2.safetensors");
    assert_string_equal(r1i_shard_index_file(&x, 1), "m-1.safetensors");
    assert_string_equal(r1i_shard_index_name(&x, 1), "\xc3\xa9.w");
    assert_true(x.item[0].file == 0 && x.item[1].file == 1 && x.item[2].file == 0);
    r1i_shard_index_free(&x);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t offset; const char *says; } bad[] = {
        {"", 0, "'{'"}, {"[]", 0, "'{'"}, {"{}", 2, "no weight_map"}, {"{\"weight_map\":{}}", 17, "is empty"},
        {"{\"weight_map\":[]}", 14, "'{'"}, {"{\"weight_map\":{\"a\":1}}", 19, "a string"},
        {"{\"weight_map\":{\"a\":\"x.safetensors\",\"a\":\"x.safetensors\"}}", 35, "duplicate tensor name a"},
        {"{\"weight_map\":{\"a\":\"x.safetensors\"},\"weight_map\":{}}", 36, "duplicate key weight_map"},
        {"{\"weight_map\":{\"a\":\"../x.safetensors\"}}", 19, "\"../x.safetensors\" is no name"},
        {"{\"weight_map\":{\"a\":\"/x.safetensors\"}}", 19, "is no name"}, {"{\"weight_map\":{\"a\":\".x.safetensors\"}}", 19, "is no name"},
        {"{\"weight_map\":{\"a\":\".safetensors\"}}", 19, "is no name"}, {"{\"weight_map\":{\"a\":\"x.bin\"}}", 19, "is no name"},
        {"{\"weight_map\":{\"a\":\"\"}}", 19, "is no name"}, {"{\"weight_map\":{\"a\":\"x.safetensors\"}} x", 37, "nothing after"},
        {"{\"weight_map\":{\"a\":\"x.safetensors\"", 34, "',' or '}'"}, {"{\"metadata\":tru,\"weight_map\":{}}", 12, "a value"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        r1i_shard_index x;
        assert_int_equal(parse(bad[i].text, &x, &e), R1_ERR_FORMAT);
        assert_null(x.text);
        if (e.offset != bad[i].offset || !strstr(e.message, bad[i].says))
            fail_msg("%s: offset %d: %s", bad[i].text, (int)e.offset, e.message);
    }
}

static r1_status attempt(void *ctx, r1_error *err)
{
    (void)ctx;
    r1i_shard_index x = {0};
    const r1_status st = parse(good, &x, err);
    r1i_shard_index_free(&x);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_alloc_sweep(attempt, NULL) >= 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
