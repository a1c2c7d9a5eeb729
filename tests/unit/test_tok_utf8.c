/* UTF-8: every row of the public test list, and what the tokenizer makes of ill-formed bytes. */
#include "support/test.h"

#include "support/tok_data.h"
#include "tokenizer/tok_utf8.h"

static size_t from_hex(const char *hex, uint8_t *out)
{
    size_t n = 0;
    for (; hex[0] && hex[1]; hex += 2) {
        const char pair[3] = {hex[0], hex[1], 0};
        out[n++] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return n;
}

static void check_mend(const char *in_hex, const char *want_hex, bool valid)
{
    uint8_t in[256], want[768], out[768];
    size_t left;
    assert_true(strlen(in_hex) < 500);
    const size_t n = from_hex(in_hex, in), m = from_hex(want_hex, want);
    assert_int_equal(r1i_utf8_valid_prefix(in, n) == n, valid);
    const size_t o = r1i_utf8_mend(out, in, n, false, &left);
    if (o != m || memcmp(out, want, m) != 0) fail_msg("%s", in_hex);
    assert_int_equal(left, 0);
    assert_int_equal(r1i_utf8_valid_prefix(out, o), o);
}

static void test_parts(void **state)
{
    (void)state;
    static const struct { const char *in, *want; } bad[] = {
        {"80", "efbfbd"}, {"c0af", "efbfbdefbfbd"}, {"e28041", "efbfbd41"}, {"f0908041", "efbfbd41"}, {"f0", "efbfbd"},
        {"eda080", "efbfbdefbfbdefbfbd"}, {"f4908080", "efbfbdefbfbdefbfbdefbfbd"}, {"e0809f", "efbfbdefbfbdefbfbd"},
        {"ff", "efbfbd"}, {"f8888080", "efbfbdefbfbdefbfbdefbfbd"}, {"41e4bd", "41efbfbd"}, {"e4e4bda0", "efbfbde4bda0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) check_mend(bad[i].in, bad[i].want, false);
    static const char *const good[] = {"", "00", "7f", "c280", "dfbf", "e0a080", "ed9fbf", "ee8080", "efbfbf",
                                       "f0908080", "f48fbfbf"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) check_mend(good[i], good[i], true);
}

static void test_public_list(void **state)
{
    (void)state;
    json_t *const lines = tok_data_lines(TOK_SHARED "data/utf8/utf8tests.jsonl");
    if (!lines) skip();
    assert_int_equal(json_array_size(lines), 222);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        const json_t *const row = json_array_get(lines, i);
        const char *const hex = json_string_value(json_object_get(row, "hex"));
        const bool valid = json_is_true(json_object_get(row, "valid"));
        const char *const mended = json_string_value(json_object_get(row, "replace_hex"));
        check_mend(hex, valid || !mended ? hex : mended, valid);
    }
    json_decref(lines);
}

/* What encode makes of bytes that are not UTF-8 is the encoding of the mended text; and so for spans. */
static void test_encode_ill_formed(void **state)
{
    (void)state;
    r1_tokenizer *t;
    int32_t *a, *b;
    size_t n, m;
    static const char bad[] = "a\xE4\xBD b\xFF<think>", good[] = "a\xEF\xBF\xBD b\xEF\xBF\xBD<think>";
    assert_int_equal(r1_tokenizer_open(TOK_TINY, NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(t, bad, sizeof bad - 1, 0, &a, &n, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(t, good, sizeof good - 1, 0, &b, &m, NULL), R1_OK);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
    r1_free(a);
    /* the first border cuts a part */
    const r1_span spans[] = {{0, 2, false}, {2, 6, false}, {6, sizeof bad - 1, true}};
    assert_int_equal(r1_tokenizer_encode_spans(t, bad, sizeof bad - 1, spans, 3, &a, &n, NULL), R1_OK);
    assert_int_equal(a[n - 1], r1_tokenizer_added_id(t, "<think>", 7));
    char *text;
    assert_int_equal(r1_tokenizer_decode(t, a, n, 0, &text, &m, NULL), R1_OK);
    assert_string_equal(text, "a\xEF\xBF\xBD\xEF\xBF\xBD b\xEF\xBF\xBD<think>");
    r1_free(text);
    r1_free(a);
    r1_free(b);
    r1_tokenizer_close(t);
}

static void test_put_get(void **state)
{
    (void)state;
    for (uint32_t cp = 0; cp < 0x110000; cp += cp < 0x3000 ? 1 : 37) {
        uint8_t p[4];
        unsigned size;
        if (cp >= 0xD800 && cp < 0xE000) continue;
        const unsigned n = r1i_utf8_put(p, cp);
        assert_int_equal(r1i_utf8_check(p, n).kind, R1I_UTF8_OK);
        assert_int_equal(r1i_utf8_get(p, &size), cp);
        assert_int_equal(size, n);
        for (unsigned cut = 1; cut < n; cut++) {
            const r1i_utf8 c = r1i_utf8_check(p, cut);
            assert_int_equal(c.kind, R1I_UTF8_PARTIAL);
            assert_int_equal(c.size, cut);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_public_list),
                                       cmocka_unit_test(test_encode_ill_formed), cmocka_unit_test(test_put_get)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
