/* GGUF: all value types, both versions, and each rule with the byte at which it is broken. */
#include "support/test.h"

#include "format/gguf.h"
#include "support/fail_alloc.h"
#include "support/gguf_build.h"

/* Parses exactly b's bytes, so that a sanitizer sees a read beyond them. */
static r1_status parse(const gguf_build *b, size_t size, r1i_gguf **g, r1_error *e)
{
    return r1i_gguf_parse(b->bytes, size, g, e);
}

static void values(gguf_build *b)
{
    gguf_string(b, "general.architecture", "llama");
    gguf_key(b, "u8", 0); gguf_uint(b, 250, 1);
    gguf_key(b, "i8", 1); gguf_uint(b, 0xfe, 1);
    gguf_key(b, "u16", 2); gguf_uint(b, 65000, 2);
    gguf_key(b, "i16", 3); gguf_uint(b, 0xfffd, 2);
    gguf_u32(b, "u32", 4000000000u);
    gguf_key(b, "i32", 5); gguf_uint(b, 0xfffffffc, 4);
    gguf_f32(b, "f32", 1.5f);
    gguf_bool(b, "yes", 1);
    gguf_bool(b, "no", 0);
    gguf_key(b, "u64", 10); gguf_uint(b, UINT64_MAX, 8);
    gguf_key(b, "i64", 11); gguf_uint(b, (uint64_t)INT64_C(-5), 8);
    gguf_key(b, "f64", 12); gguf_uint(b, 0x4004000000000000, 8);
    gguf_key(b, "strings", 9); gguf_uint(b, 8, 4); gguf_uint(b, 3, 8); gguf_text(b, "ab"); gguf_text(b,
        ""); gguf_text(b, "c");
    gguf_key(b, "i16s", 9); gguf_uint(b, 3, 4); gguf_uint(b, 2, 8); gguf_uint(b, 0x8000, 2); gguf_uint(b, 7, 2);
    gguf_key(b, "u64s", 9); gguf_uint(b, 10, 4); gguf_uint(b, 2, 8); gguf_uint(b, UINT64_MAX, 8); gguf_uint(b, 9, 8);
    gguf_key(b, "f32s", 9); gguf_uint(b, 6, 4); gguf_uint(b, 1, 8); gguf_uint(b, 0, 4);
    gguf_key(b, "bools", 9); gguf_uint(b, 7, 4); gguf_uint(b, 2, 8); gguf_uint(b, 1, 1); gguf_uint(b, 0, 1);
    gguf_key(b, "nested", 9); gguf_uint(b, 9, 4); gguf_uint(b, 2, 8);
    gguf_uint(b, 8, 4); gguf_uint(b, 1, 8); gguf_text(b, "x");
    gguf_uint(b, 0, 4); gguf_uint(b, 3, 8); gguf_uint(b, 0x010203, 3);
    gguf_key(b, "empty", 9); gguf_uint(b, 4, 4); gguf_uint(b, 0, 8);
}

static void build_good(gguf_build *b, uint32_t version)
{
    static const uint64_t q[] = {256, 3};
    gguf_begin(b, version);
    values(b);
    gguf_tensor(b, "a", 3, 2, 0);
    gguf_tensor_as(b, "q", 2, q, 12, b->data_bytes);
    b->data_bytes += 3 * 144;
    b->data_bytes += 32 - b->data_bytes % 32;
    gguf_tensor(b, "s", 0, 0, 0);
    gguf_end(b);
}

static void check_numbers(const r1i_gguf *g)
{
    uint64_t u;
    double f;
    bool yes;
    assert_true(r1i_gguf_get_u64(g, "u8", &u) && u == 250);
    assert_false(r1i_gguf_get_u64(g, "i8", &u)); /* negative */
    assert_int_equal(r1i_gguf_find(g, "i8")->as.i, -2);
    assert_true(r1i_gguf_get_u64(g, "u16", &u) && u == 65000);
    assert_int_equal(r1i_gguf_find(g, "i16")->as.i, -3);
    assert_true(r1i_gguf_get_u64(g, "u32", &u) && u == 4000000000u);
    assert_int_equal(r1i_gguf_find(g, "i32")->as.i, -4);
    assert_true(r1i_gguf_get_u64(g, "u64", &u) && u == UINT64_MAX);
    assert_int_equal(r1i_gguf_find(g, "i64")->as.i, -5);
    assert_true(r1i_gguf_get_f64(g, "f32", &f) && f == 1.5);
    assert_true(r1i_gguf_get_f64(g, "f64", &f) && f == 2.5);
    assert_true(r1i_gguf_get_bool(g, "yes", &yes) && yes);
    assert_true(r1i_gguf_get_bool(g, "no", &yes) && !yes);
    assert_false(r1i_gguf_get_u64(g, "f32", &u) || r1i_gguf_get_u64(g, "yes", &u) || r1i_gguf_get_u64(g, "absent", &u));
    assert_false(r1i_gguf_get_f64(g, "u32", &f) || r1i_gguf_get_f64(g, "absent", &f));
    assert_false(r1i_gguf_get_bool(g, "u8", &yes) || r1i_gguf_get_bool(g, "absent", &yes));
    assert_null(r1i_gguf_find(g, "absent"));
}

static void check_arrays(const r1i_gguf *g)
{
    const char *bytes;
    uint64_t n, index = 0;
    int64_t v;
    assert_true(r1i_gguf_get_string(g, "general.architecture", &bytes, &n) && n == 5 && memcmp(bytes, "llama", 5) == 0);
    assert_false(r1i_gguf_get_string(g, "u8", &bytes, &n));
    const r1i_gguf_value *const s = r1i_gguf_find(g, "strings");
    const uint8_t *at = s->bytes;
    assert_true(r1i_gguf_next_string(s, &at, &index, &bytes, &n) && n == 2 && memcmp(bytes, "ab", 2) == 0);
    assert_true(r1i_gguf_next_string(s, &at, &index, &bytes, &n) && n == 0);
    assert_true(r1i_gguf_next_string(s, &at, &index, &bytes, &n) && n == 1 && *bytes == 'c');
    assert_false(r1i_gguf_next_string(s, &at, &index, &bytes, &n));
    index = 0;
    assert_false(r1i_gguf_next_string(r1i_gguf_find(g, "i16s"), &at, &index, &bytes, &n));
    assert_true(r1i_gguf_array_i64(r1i_gguf_find(g, "i16s"), 0, &v) && v == -32768);
    assert_true(r1i_gguf_array_i64(r1i_gguf_find(g, "i16s"), 1, &v) && v == 7);
    assert_false(r1i_gguf_array_i64(r1i_gguf_find(g, "i16s"), 2, &v));
    assert_false(r1i_gguf_array_i64(r1i_gguf_find(g, "u64s"), 0, &v)); /* does not fit */
    assert_true(r1i_gguf_array_i64(r1i_gguf_find(g, "u64s"), 1, &v) && v == 9);
    assert_true(r1i_gguf_array_i64(r1i_gguf_find(g, "bools"), 0, &v) && v == 1);
    assert_false(r1i_gguf_array_i64(r1i_gguf_find(g, "f32s"), 0, &v) || r1i_gguf_array_i64(s, 0, &v) ||
                 r1i_gguf_array_i64(r1i_gguf_find(g, "u8"), 0, &v));
    const r1i_gguf_value *const nested = r1i_gguf_find(g, "nested");
    assert_true(nested->type == R1I_GGUF_ARRAY && nested->elem == R1I_GGUF_ARRAY && nested->n == 2);
    assert_int_equal(r1i_gguf_find(g, "empty")->n, 0);
}

static void test_good(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        gguf_build b;
        r1i_gguf *g;
        r1_error e = {0};
        build_good(&b, version);
        if (parse(&b, b.size, &g, &e) != R1_OK) fail_msg("%s", e.message);
        assert_int_equal(r1i_gguf_version(g), version);
        assert_int_equal(r1i_gguf_value_count(g), (int64_t)b.values);
        assert_string_equal(r1i_gguf_value_at(g, 1)->key, "u8");
        check_numbers(g);
        check_arrays(g);
        assert_int_equal(r1i_gguf_tensor_count(g), 3);
        const r1i_gguf_tensor *const a = r1i_gguf_tensor_at(g, 0), *const q = r1i_gguf_tensor_at(g, 1),
                                     *const s = r1i_gguf_tensor_at(g, 2);
        assert_true(a->type == R1_DTYPE_F32 && a->n_dims == 2 && a->dim[0] == 3 && a->dim[1] == 2 && a->dim[2] == 1 &&
                    a->bytes == 24);
        assert_int_equal(a->offset % 32, 0);
        assert_true(q->type == R1_DTYPE_Q4_K && q->bytes == 432 && q->offset == a->offset + 32);
        assert_true(s->n_dims == 0 && s->bytes == 4 && s->offset == q->offset + 448);
        r1i_gguf_free(g);
        free(b.bytes);
    }
    r1i_gguf_free(NULL);
}

/* Every shorter file is refused, and no read leaves it (the copy is exactly as long). */
static void test_truncated(void **state)
{
    (void)state;
    gguf_build b;
    build_good(&b, 3);
    for (size_t n = 0; n < b.size - 28; n++) { /* the last tensor is 4 bytes of its padded 32 */
        r1i_gguf *g;
        r1_error e = {0};
        uint8_t *const copy = malloc(n ? n : 1);
        memcpy(copy, b.bytes, n);
        assert_int_equal(r1i_gguf_parse(copy, n, &g, &e), R1_ERR_FORMAT);
        assert_true(e.offset >= 0 && e.offset <= (int64_t)n);
        assert_null(g);
        free(copy);
    }
    free(b.bytes);
}

static void expect(gguf_build *b, r1_status status, int64_t offset, const char *text)
{
    r1i_gguf *g;
    r1_error e = {0};
    const r1_status st = parse(b, b->size, &g, &e);
    if (st != status || (offset >= 0 && e.offset != offset) || !strstr(e.message, text))
        fail_msg("status %d offset %d (wanted %d, %d, %s): %s", (int)st, (int)e.offset, (int)status, (int)offset, text,
                 e.message);
    assert_null(g);
    free(b->bytes);
}

static void test_header(void **state)
{
    (void)state;
    static const struct { uint32_t version; r1_status status; const char *text; } versions[] = {
        {0, R1_ERR_FORMAT, "version 0"}, {1, R1_ERR_UNSUPPORTED, "version 1 is not supported"},
        {4, R1_ERR_UNSUPPORTED, "version 4"},
        {0x03000000, R1_ERR_UNSUPPORTED, "big-endian"}, {0x02000000, R1_ERR_UNSUPPORTED, "big-endian"}};
    gguf_build b;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        gguf_begin(&b, versions[i].version);
        gguf_end(&b);
        expect(&b, versions[i].status, 4, versions[i].text);
    }
    gguf_begin(&b, 3);
    b.bytes[3] = 'G';
    expect(&b, R1_ERR_FORMAT, 0, "does not begin with GGUF");
    static const struct { int at; uint8_t value; } counts[] = {{8, 200}, {15, 0x80}, {16, 200}, {23, 0x80}};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        gguf_begin(&b, 3);
        b.bytes[counts[i].at] = counts[i].value;
        expect(&b, R1_ERR_FORMAT, counts[i].at < 16 ? 8 : 16,
               counts[i].at < 16 ? "tensors in a file of 24" : "metadata keys in a file of 24");
    }
}

/* A file with one value whose bytes the caller puts after the key. */
static void one_value(gguf_build *b, uint32_t type)
{
    gguf_begin(b, 3);
    gguf_key(b, "k", type);
}
enum { AT_VALUE = 24 + 8 + 1 + 4 }; /* where that value begins */

static void test_values_refused(void **state)
{
    (void)state;
    gguf_build b;
    one_value(&b, 13); gguf_put(&b, NULL, 16); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE - 4, "value type 13");
    one_value(&b, 7); gguf_uint(&b, 2, 1); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE, "neither 0 nor 1");
    one_value(&b, 8); gguf_uint(&b, (UINT64_C(1) << 30) + 1, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE, "at most 1073741824");
    one_value(&b, 8); gguf_uint(&b, 1000, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 8, "the file ends inside a string value");
    one_value(&b, 9); gguf_uint(&b, 13, 4); gguf_put(&b, NULL, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE, "value type 13");
    one_value(&b, 9); gguf_uint(&b, 0, 4); gguf_uint(&b, UINT64_MAX, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 4, "at most 2^30");
    one_value(&b, 9); gguf_uint(&b, 12, 4); gguf_uint(&b, 1 << 20, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 12, "the file ends inside an array");
    one_value(&b, 9); gguf_uint(&b, 7, 4); gguf_uint(&b, 2, 8); gguf_uint(&b, 0x0301, 2); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 13, "neither 0 nor 1");
    one_value(&b, 9); gguf_uint(&b, 9, 4); gguf_uint(&b, 1, 8); gguf_uint(&b, 0, 4); gguf_uint(&b, UINT64_MAX,
        8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 16, "array of 18446744073709551615");
    one_value(&b, 9);
    for (int i = 0; i < 18; i++) { gguf_uint(&b, 9, 4); gguf_uint(&b, 1, 8); }
    gguf_uint(&b, 0, 4); gguf_uint(&b, 0, 8); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT_VALUE + 17 * 12, "nested deeper than 16");
    gguf_begin(&b, 3); gguf_u32(&b, "same", 1); gguf_u32(&b, "same", 2); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 24 + 20, "duplicate metadata key same");
    gguf_begin(&b, 3); gguf_u32(&b, "", 1); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 32, "empty or not UTF-8");
    gguf_begin(&b, 3); gguf_u32(&b, "\xff", 1); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 32, "empty or not UTF-8");
    gguf_begin(&b, 3); gguf_u32(&b, "a-b", 1); b.bytes[33] = 0; gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 32, "empty or not UTF-8");
    static const uint32_t alignments[] = {0, 3, 4, 48};
    for (int i = 0; i < 4; i++) {
        gguf_begin(&b, 3); gguf_u32(&b, "general.alignment", alignments[i]); gguf_end(&b);
        expect(&b, R1_ERR_FORMAT, 24 + 8 + 17 + 4, "general.alignment");
    }
    gguf_begin(&b, 3); gguf_string(&b, "general.alignment", "32"); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 24 + 8 + 17 + 4, "general.alignment");
}

static void test_tensors_refused(void **state)
{
    (void)state;
    gguf_build b;
    const uint64_t huge[] = {UINT64_C(1) << 40, UINT64_C(1) << 40, 1, 1}, small[] = {8, 1}, odd[] = {100};
    char name[80];
    enum { AT = 24 + 8 + 1 }; /* n_dims of a tensor "t" that comes first */
    gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 5, (const uint64_t[]){1, 1, 1, 1, 1}, 0, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT, "5 dimensions");
    gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 2, huge, 0, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT + 4, "dimensions overflow");
    gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 1, odd, 12, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, AT + 4, "no whole Q4_K blocks of 256");
    static const uint32_t retired[] = {4, 5, 9, 15, 31, 36, 40, 1000, UINT32_MAX};
    for (size_t i = 0; i < sizeof retired / sizeof *retired; i++) {
        gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 1, small, retired[i], 0); gguf_end(&b);
        expect(&b, R1_ERR_UNSUPPORTED, AT + 12, "is not supported");
    }
    gguf_begin(&b, 3); gguf_tensor(&b, "t", 8, 0, 0); gguf_tensor(&b, "t", 8, 0, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 24 + 8 + 1 + 4 + 8 + 4 + 8, "duplicate tensor name t");
    gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 1, small, 0, 32); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, -1, "data offset 32, 0 expected");
    gguf_begin(&b, 3); gguf_tensor(&b, "t", 8, 0, 0); gguf_tensor_as(&b, "u", 1, small, 0, 48); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, -1, "data offset 48, 32 expected (alignment 32)");
    gguf_begin(&b, 3); gguf_tensor_as(&b, "t", 1, small, 0, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 64, "the file ends before its 32 bytes do");
    memset(name, 'n', 64);
    name[64] = '\0';
    gguf_begin(&b, 3); gguf_tensor(&b, name, 8, 0, 0); gguf_end(&b);
    expect(&b, R1_ERR_FORMAT, 24, "a tensor name of 64 bytes, at most 63");
}

/* Another alignment moves the data section and the tensors. */
static void test_alignment(void **state)
{
    (void)state;
    gguf_build b;
    r1i_gguf *g;
    const uint64_t dim[] = {1};
    gguf_begin(&b, 3);
    gguf_u32(&b, "general.alignment", 64);
    gguf_tensor_as(&b, "a", 1, dim, 0, 0);
    gguf_tensor_as(&b, "b", 1, dim, 0, 64);
    gguf_end(&b);
    gguf_put(&b, NULL, 128);
    assert_int_equal(parse(&b, b.size, &g, NULL), R1_OK);
    assert_int_equal(r1i_gguf_tensor_at(g, 0)->offset % 64, 0);
    assert_int_equal(r1i_gguf_tensor_at(g, 1)->offset - r1i_gguf_tensor_at(g, 0)->offset, 64);
    r1i_gguf_free(g);
    free(b.bytes);
}

static r1_status attempt(void *ctx, r1_error *err)
{
    const gguf_build *const b = ctx;
    r1i_gguf *g;
    const r1_status st = r1i_gguf_parse(b->bytes, b->size, &g, err);
    r1i_gguf_free(g);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    gguf_build b;
    build_good(&b, 3);
    assert_true(fail_alloc_sweep(attempt, &b) >= 25);
    free(b.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_good), cmocka_unit_test(test_truncated),
                                       cmocka_unit_test(test_header), cmocka_unit_test(test_values_refused),
                                       cmocka_unit_test(test_tensors_refused), cmocka_unit_test(test_alignment),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
