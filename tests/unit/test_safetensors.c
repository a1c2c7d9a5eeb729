/* safetensors: every rule of the format, and the byte at which each is broken; the writer and its failures. */
#include "support/test.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/safetensors.h"
#include "support/fail_alloc.h"

/* A file of this header and `data` zero bytes. *size gets its length; caller frees. */
static uint8_t *make(const char *header, size_t data, uint64_t *size)
{
    const size_t n = strlen(header);
    uint8_t *const file = calloc(1, 8 + n + data);
    assert_non_null(file);
    for (int i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)n >> (8 * i));
    memcpy(file + 8, header, n);
    *size = 8 + n + data;
    return file;
}

static r1_status parse(const char *header, size_t data, r1_error *e)
{
    uint64_t size;
    uint8_t *const file = make(header, data, &size);
    r1i_safetensors st;
    const r1_status status = r1i_safetensors_parse(file, size, &st, e);
    assert_true(status == R1_OK || (st.entry == NULL && st.n == 0));
    r1i_safetensors_free(&st);
    free(file);
    return status;
}

#define T(name, dtype, shape, begin, end) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":[" shape "],\"data_offsets\":[" #begin "," #end "]}"

static void test_accepted(void **state)
{
    (void)state;
    static const struct { const char *header; size_t data; } good[] = {
        {"{}", 0}, {"{}    ", 0}, {"{\"__metadata__\":{}}", 0}, {"{\"__metadata__\":{\"format\":\"pt\",\"x\":\"\"}," T("a", "F32", "2", 0, 8) "}", 8},
        {"{" T("a", "F32", "", 0, 4) "}", 4}, {"{" T("a", "BF16", "0,7", 0, 0) "}", 0},
        {"{" T("a", "U8", "3", 2, 5) "," T("b", "I16", "1", 0, 2) "}", 5}, /* not in order of offsets */
        {"{" T("z", "U8", "0", 2, 2) "," T("a", "U8", "2", 0, 2) "," T("b", "U8", "1", 2, 3) "}", 3},
        {"{ \"a\" : { \"shape\" : [ 1 , 2 ] , \"data_offsets\" : [ 0 , 2 ] , \"later\" : { \"x\" : [ null ] } , \"dtype\" : \"F8_E4M3\" } } ", 2},
        {"{" T("", "BOOL", "1", 0, 1) "}", 1}, {"{" T("\\u00e9", "F64", "1,1,1,1,1,1,1,1", 0, 8) "}", 8},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        r1_error e = {0};
        if (parse(good[i].header, good[i].data, &e) != R1_OK) fail_msg("%s: %s", good[i].header, e.message);
    }
}

static void test_entries(void **state)
{
    (void)state;
    static const char header[] = "{" T("w\\u0041", "BF16", "2,3", 4, 16) "," T("s", "F32", "", 0, 4) "}";
    uint64_t size;
    uint8_t *const file = make(header, 16, &size);
    r1i_safetensors st;
    assert_int_equal(r1i_safetensors_parse(file, size, &st, NULL), R1_OK);
    assert_int_equal(st.n, 2);
    const r1i_entry *const w = &st.entry[0], *const s = &st.entry[1];
    assert_string_equal(w->name, "wA");
    assert_true(w->type == R1_DTYPE_BF16 && w->n_dims == 2 && w->dim[0] == 2 && w->dim[1] == 3 && w->bytes == 12);
    assert_int_equal(w->offset, size - 12);
    assert_ptr_equal(w->data, file + size - 12);
    assert_true(s->type == R1_DTYPE_F32 && s->n_dims == 0 && s->bytes == 4 && s->offset == size - 16);
    r1i_safetensors_free(&st);
    free(file);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *header; size_t data; r1_status status; int64_t offset; const char *text;
                          } bad[] = {
        {"", 0, R1_ERR_FORMAT, 8, "'{'"},
        {" {}", 0, R1_ERR_FORMAT, 8, "'{'"},
        {"{}\n", 0, R1_ERR_FORMAT, 10, "only spaces"},
        {"{} x", 0, R1_ERR_FORMAT, 11, "only spaces"},
        {"{", 0, R1_ERR_FORMAT, 9, "the text ends"},
        {"{\"a\"}", 0, R1_ERR_FORMAT, 12, "':'"},
        {"{\"a\":1}", 0, R1_ERR_FORMAT, 13, "'{'"},
        {"{\"__metadata__\":[]}", 0, R1_ERR_FORMAT, 24, "'{'"},
        {"{\"__metadata__\":{\"a\":1}}", 0, R1_ERR_FORMAT, 29, "a string"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, R1_ERR_FORMAT, 27, "duplicate key __metadata__"},
        {"{" T("a", "F33", "1", 0, 4) "}", 4, R1_ERR_FORMAT, 22, "unknown dtype \"F33\""},
        {"{" T("a", "Q4_K", "256", 0, 144) "}", 144, R1_ERR_FORMAT, 22, "unknown dtype \"Q4_K\""},
        {"{" T("a", "A_VERY_LONG_DTYPE", "1", 0, 4) "}", 4, R1_ERR_FORMAT, 22, "too long"},
        {"{" T("a", "C64", "1", 0, 8) "}", 8, R1_ERR_UNSUPPORTED, 22, "dtype C64 is not supported"},
        {"{" T("a", "F4", "2", 0, 1) "}", 1, R1_ERR_UNSUPPORTED, 22, "dtype F4"},
        {"{" T("a", "U8", "1,1,1,1,1,1,1,1,1", 0, 1) "}", 1, R1_ERR_UNSUPPORTED, 52, "more than 8 dimensions"},
        {"{" T("a", "U8", "-1", 0, 1) "}", 1, R1_ERR_FORMAT, 36, "non-negative integer"},
        {"{" T("a", "U8", "1.0", 0, 1) "}", 1, R1_ERR_FORMAT, 37, "not a fraction"},
        {"{" T("a", "U8", "4294967296,4294967296", 0, 1) "}", 1, R1_ERR_FORMAT, 9, "shape overflows at dimension 1"},
        {"{" T("a", "U8", "9223372036854775807,2,0", 0, 0) "}", 0, R1_ERR_FORMAT, 9, "shape overflows"},
        {"{" T("a", "F32", "9223372036854775807", 0, 4) "}", 4, R1_ERR_FORMAT, 9, "shape overflows at dimension 0"},
        {"{" T("a", "U8", "2", 0, 1) "}", 1, R1_ERR_FORMAT, 9, "span 1 bytes, dtype and shape need 2"},
        {"{" T("a", "U8", "1", 1, 0) "}", 1, R1_ERR_FORMAT, 9, "leave the data buffer"},
        {"{" T("a", "U8", "2", 0, 2) "}", 1, R1_ERR_FORMAT, 9, "leave the data buffer of 1 bytes"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0]}}", 1, R1_ERR_FORMAT, 56, "','"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1,2]}}", 1, R1_ERR_FORMAT, 58, "']'"},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[1]}}", 1, R1_ERR_FORMAT, 38, "lacks data_offsets"},
        {"{\"a\":{\"dtype\":\"U8\",\"data_offsets\":[0,1]}}", 1, R1_ERR_FORMAT, 47, "lacks shape"},
        {"{\"a\":{}}", 0, R1_ERR_FORMAT, 14, "lacks dtype"},
        {"{\"a\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, R1_ERR_FORMAT, 27, "duplicate key"},
        {"{" T("a", "U8", "1", 0, 1) "," T("a", "U8", "1", 1, 2) "}", 2, R1_ERR_FORMAT, 8, "duplicate tensor name a"},
        {"{" T("a\\u0000b", "U8", "1", 0, 1) "}", 1, R1_ERR_FORMAT, 11, "valid escape"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        const r1_status st = parse(bad[i].header, bad[i].data, &e);
        if (st != bad[i].status || e.offset != bad[i].offset || !strstr(e.message, bad[i].text))
            fail_msg("%s: status %d offset %d: %s", bad[i].header, (int)st, (int)e.offset, e.message);
    }
}

/* Offsets of these are relative to the data buffer, wherever the header ended. */
static void test_tiling(void **state)
{
    (void)state;
    static const struct { const char *header; size_t data; int64_t at; const char *text; } bad[] = {
        {"{" T("a", "U8", "1", 1, 2) "}", 2, 0, "hole"},
        {"{" T("a", "U8", "2", 0, 2) "," T("b", "U8", "2", 3, 5) "}", 5, 2, "hole"},
        {"{" T("a", "U8", "2", 0, 2) "," T("b", "U8", "2", 1, 3) "}", 3, 1, "overlap"},
        {"{" T("a", "U8", "2", 0, 2) "," T("b", "U8", "2", 0, 2) "}", 2, 0, "overlap"},
        {"{" T("a", "U8", "2", 0, 2) "}", 5, 2, "the last tensor ends"},
        {"{}", 1, 0, "the last tensor ends"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        assert_int_equal(parse(bad[i].header, bad[i].data, &e), R1_ERR_FORMAT);
        if (e.offset != bad[i].at + 8 + (int64_t)strlen(bad[i].header) || !strstr(e.message, bad[i].text))
            fail_msg("%s: offset %d: %s", bad[i].header, (int)e.offset, e.message);
    }
}

static void test_lengths(void **state)
{
    (void)state;
    static const struct { uint8_t head[9]; uint64_t size; int64_t offset; const char *text; } bad[] = {
        {{0}, 0, 0, "0 bytes"}, {{2}, 7, 7, "7 bytes"},
        {{2, 0, 0, 0, 0, 0, 0, 0, '{'}, 9, 0, "header of 2 bytes in a file of 9"},
        {{0, 0, 0, 0, 0, 0, 0, 0x80}, 9, 0, "at most 100000000"},
        {{1, 0xe1, 0xf5, 5}, 9, 0, "header of 100000001 bytes, at most"},
        {{0, 0xe1, 0xf5, 5}, 9, 0, "in a file of 9"}, {{0}, 8, 8, "'{'"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_error e = {0};
        r1i_safetensors st;
        assert_int_equal(r1i_safetensors_parse(bad[i].head, bad[i].size, &st, &e), R1_ERR_FORMAT);
        if (e.offset != bad[i].offset || !strstr(e.message, bad[i].text))
            fail_msg("%zu: offset %d: %s", i, (int)e.offset, e.message);
    }
}

/* A header of nothing but tiny entries is refused before anything is allocated for it. */
static void test_too_many(void **state)
{
    (void)state;
    const size_t room = (size_t)(R1I_MAX_TENSORS + 1) * 64;
    char *const header = malloc(room);
    assert_non_null(header);
    size_t n = 1;
    header[0] = '{';
    for (int i = 0; i <= R1I_MAX_TENSORS; i++)
        n += (size_t)snprintf(header + n, room - n, "%s\"%x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                              i ? "," : "", (unsigned)i);
    snprintf(header + n, room - n, "}");
    r1_error e = {0};
    assert_int_equal(parse(header, 0, &e), R1_ERR_RANGE);
    assert_string_equal(e.message, "more than 524288 tensors");
    free(header);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void temporary(char *path, size_t size, const char *name)
{
    snprintf(path, size, "/tmp/r1-safetensors-%d-%s", (int)getpid(), name);
}

static void test_write(void **state)
{
    (void)state;
    char path[128];
    r1_error e = {0};
    r1i_store *store;
    const float logits[6] = {1, -2, 3.5f, 0, 1e-20f, 7};
    const int32_t ids[2] = {-1, 70000};
    const r1i_safetensors_item items[] = {{"logits", R1_DTYPE_F32, 2, {2, 3}}, {"ids", R1_DTYPE_I32, 1, {2}},
                                          {"none", R1_DTYPE_F32, 2, {0, 3}}};
    const void *const data[] = {logits, ids, NULL};
    temporary(path, sizeof path, "a.safetensors");
    assert_int_equal(r1i_safetensors_write(path, items, data, 3, &e), R1_OK);
    assert_int_equal(r1i_store_open(path, NULL, &store, &e), R1_OK);
    assert_int_equal(r1i_store_count(store), 3);
    const r1i_entry *const l = r1i_store_find(store, "logits"), *const i = r1i_store_find(store, "ids");
    assert_true(l->type == R1_DTYPE_F32 && l->dim[0] == 2 && l->dim[1] == 3 && l->offset % 8 == 0);
    assert_memory_equal(l->data, logits, sizeof logits);
    assert_memory_equal(i->data, ids, sizeof ids);
    r1i_store_close(store);
    unlink(path);
}

/* Rows as they come; nothing is visible before the end. */
static void test_stream(void **state)
{
    (void)state;
    char path[128], aside[160];
    r1_error e = {0};
    r1i_safetensors_writer *w;
    const r1i_safetensors_item item = {"x", R1_DTYPE_U8, 1, {10}};
    temporary(path, sizeof path, "b.safetensors");
    snprintf(aside, sizeof aside, "%s.tmp", path);
    assert_int_equal(r1i_safetensors_create(path, &item, 1, &w, &e), R1_OK);
    assert_int_equal(r1i_safetensors_append(w, "0123", 4, &e), R1_OK);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(access(aside, F_OK), 0);
    assert_int_equal(r1i_safetensors_append(w, "4567890", 7, &e), R1_ERR_BUG);
    assert_int_equal(r1i_safetensors_append(w, "456789", 6, &e), R1_OK);
    assert_int_equal(r1i_safetensors_finish(w, &e), R1_OK);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(aside, F_OK), 0);
    unlink(path);
    assert_int_equal(r1i_safetensors_create(path, &item, 1, &w, &e), R1_OK);
    assert_int_equal(r1i_safetensors_finish(w, &e), R1_ERR_BUG); /* bytes are missing */
    assert_int_equal(r1i_safetensors_create(path, &item, 1, &w, &e), R1_OK);
    r1i_safetensors_abort(w);
    r1i_safetensors_abort(NULL);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_not_equal(access(aside, F_OK), 0);
}

static void test_write_refused(void **state)
{
    (void)state;
    r1_error e = {0};
    r1i_safetensors_writer *w;
    const r1i_safetensors_item bad[] = {{"x", R1_DTYPE_F32, 2, {INT64_MAX, 2}}, {"x", R1_DTYPE_Q4_K, 1, {256}},
                                        {"x", R1_DTYPE_F32, 1, {-1}},
                                        {"x", R1_DTYPE_F32, 9, {1}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(r1i_safetensors_create("/tmp/r1-never", &bad[i], 1, &w, &e), R1_ERR_USAGE);
        assert_null(w);
    }
    const r1i_safetensors_item twice[] = {{"x", R1_DTYPE_F32, 1, {1}}, {"x", R1_DTYPE_F32, 1, {1}}};
    assert_int_equal(r1i_safetensors_create("/tmp/r1-never", twice, 2, &w, &e), R1_ERR_USAGE);
    assert_int_equal(r1i_safetensors_create("/nonexistent/x", twice, 1, &w, &e), R1_ERR_IO);
    assert_int_not_equal(access("/tmp/r1-never", F_OK), 0);
}

/* A full disk leaves neither the file nor its temporary, and an older file stays. A device is written to, not
 * replaced. */
static void test_full_disk(void **state)
{
    (void)state;
    char path[128], aside[160], kept[4] = "";
    struct rlimit old, small;
    r1_error e = {0};
    static const float row[4096];
    const void *const data[] = {row};
    const r1i_safetensors_item item = {"x", R1_DTYPE_F32, 1, {4096}};
    temporary(path, sizeof path, "c.safetensors");
    snprintf(aside, sizeof aside, "%s.tmp", path);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("old", f);
    fclose(f);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 8192;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    const r1_status st = r1i_safetensors_write(path, &item, data, 1, &e);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, R1_ERR_IO);
    assert_int_not_equal(access(aside, F_OK), 0);
    f = fopen(path, "r");
    assert_int_equal(fread(kept, 1, 4, f), 3);
    fclose(f);
    assert_memory_equal(kept, "old", 3);
    unlink(path);
    struct stat s;
    if (stat("/dev/full", &s) != 0 || !S_ISCHR(s.st_mode)) return;
    assert_int_equal(r1i_safetensors_write("/dev/full", &item, data, 1, &e), R1_ERR_IO);
    assert_int_equal(r1_status_exit_code(e.code, &e), 4);
    assert_int_equal(stat("/dev/full", &s), 0);
    assert_true(S_ISCHR(s.st_mode));
}

static r1_status attempt_parse(void *ctx, r1_error *err)
{
    (void)ctx;
    uint64_t size = 0;
    static uint8_t file[512];
    static const char header[] = "{" T("a", "U8", "1", 1, 2) "," T("b", "U8", "1", 0, 1) "}";
    size = 8 + sizeof header - 1 + 2;
    file[0] = sizeof header - 1;
    memcpy(file + 8, header, sizeof header - 1);
    r1i_safetensors st;
    const r1_status status = r1i_safetensors_parse(file, size, &st, err);
    r1i_safetensors_free(&st);
    return status;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_alloc_sweep(attempt_parse, NULL) >= 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_accepted), cmocka_unit_test(test_entries),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_tiling),
                                       cmocka_unit_test(test_lengths), cmocka_unit_test(test_too_many),
                                       cmocka_unit_test(test_write), cmocka_unit_test(test_stream),
                                       cmocka_unit_test(test_write_refused), cmocka_unit_test(test_full_disk),
                                       cmocka_unit_test(test_no_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
