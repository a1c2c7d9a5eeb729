/* The sidecar's bytes: what is written is found again, and each field of header and table is checked when it lies. */
#include "support/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "format/panel_record.h"

static char folder[] = "/tmp/r1-panels-XXXXXX";
static char path[128], temporary[136];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(folder)) return 1;
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static const r1i_store_identity id = {1, 2, 3, 4};

/* In writing order; two share a name, one is transposed, one has scales. */
static const r1i_panel_key keys[] = {
    {"m", 0, false, R1_DTYPE_BF16, 20, 7}, {"b", 16, false, R1_DTYPE_Q8_0, 16, 64},      {"b", 0, false, R1_DTYPE_Q8_0, 16, 64},
    {"b", 0, true, R1_DTYPE_F32, 64, 16},  {"fp8", 128, false, R1_DTYPE_F8_E4M3, 130, 129}, {"b", 0, false, R1_DTYPE_F32, 16, 64},
};
enum { KEYS = sizeof keys / sizeof *keys };

static uint8_t byte_of(int64_t key, uint64_t at) { return (uint8_t)((uint64_t)key * 41 + at * 7 + at / 251); }

/* Pieces of odd sizes, as a packer's batches are. */
static r1_status write_file(r1_error *err)
{
    r1i_panel_writer *w;
    r1_status st = r1i_panel_writer_open(path, &id, keys, KEYS, &w, err);
    if (st != R1_OK) return st;
    for (int64_t i = 0; i < KEYS && st == R1_OK; i++) {
        uint64_t panels, scales;
        static uint8_t bytes[100000];
        assert_true(r1i_panel_extent_sizes(keys[i].type, keys[i].rows, keys[i].cols, &panels, &scales));
        assert_true(panels + scales < sizeof bytes);
        for (uint64_t k = 0; k < panels + scales; k++) bytes[k] = byte_of(i, k);
        for (uint64_t at = 0, n; at < panels && st == R1_OK; at += n) {
            n = panels - at < 1000 ? panels - at : 1000;
            st = r1i_panel_writer_add(w, bytes + at, n, err);
        }
        if (scales && st == R1_OK) st = r1i_panel_writer_add(w, bytes + panels, scales, err);
    }
    if (st == R1_OK) return r1i_panel_writer_commit(w, err);
    r1i_panel_writer_abort(w);
    return st;
}

static void test_round_trip(void **state)
{
    (void)state;
    r1_error err = {0};
    r1i_panel_file *f;
    r1i_weight w;
    if (write_file(&err) != R1_OK || r1i_panel_file_open(path, &f, &err) != R1_OK) fail_msg("%s", err.message);
    assert_int_equal(r1i_panel_file_extents(f), KEYS);
    for (int64_t i = 0; i < KEYS; i++) {
        uint64_t panels, scales;
        r1i_panel_extent_sizes(keys[i].type, keys[i].rows, keys[i].cols, &panels, &scales);
        assert_true(r1i_panel_file_find(f, &keys[i], &w));
        assert_true(w.type == keys[i].type && w.layout == R1I_LAYOUT_PANEL && w.rows == keys[i].rows &&
                    w.cols == keys[i].cols);
        assert_int_equal((uintptr_t)w.data % 4096, 0);
        for (uint64_t k = 0; k < panels; k++) assert_int_equal(w.data[k], byte_of(i, k));
        assert_true((w.scale != NULL) == (scales > 0));
        for (uint64_t k = 0; k < scales; k++) assert_int_equal(((const uint8_t *)w.scale)[k], byte_of(i, panels + k));
        assert_int_equal(r1i_panel_file_check_extent(f, i, &err), R1_OK);
        r1i_panel_key other = keys[i];
        other.rows++;
        assert_false(r1i_panel_file_find(f, &other, &w));
        other.rows--;
        other.row0 += 48;
        assert_false(r1i_panel_file_find(f, &other, &w));
    }
    const r1i_panel_key absent = {"zz", 0, false, R1_DTYPE_F32, 16, 64};
    assert_false(r1i_panel_file_find(f, &absent, &w));
    assert_int_equal(r1i_panel_file_match(f, &id, &err), R1_OK);
    for (int i = 0; i < 4; i++) {
        r1i_store_identity other = id;
        ((uint64_t *)&other)[i]++;
        assert_int_equal(r1i_panel_file_match(f, &other, &err), R1_ERR_FORMAT);
    }
    r1i_panel_file_close(f);
    assert_int_equal(access(temporary, F_OK), -1);
}

/* More or fewer bytes than the extents hold, a key twice: the writer's caller is at fault, and no file appears. */
static void test_writer_misuse(void **state)
{
    (void)state;
    r1i_panel_writer *w;
    r1_error err = {0};
    static const uint8_t bytes[100000];
    const r1i_panel_key twice[2] = {keys[1], keys[1]};
    unlink(path);
    assert_int_equal(r1i_panel_writer_open(path, &id, twice, 2, &w, &err), R1_ERR_BUG);
    assert_int_equal(r1i_panel_writer_open(path, &id, keys, KEYS, &w, &err), R1_OK);
    assert_int_equal(access(temporary, F_OK), 0);
    assert_int_equal(r1i_panel_writer_add(w, bytes, sizeof bytes, &err), R1_ERR_BUG);
    assert_int_equal(r1i_panel_writer_add(w, bytes, 10, &err), R1_OK);
    assert_int_equal(r1i_panel_writer_commit(w, &err), R1_ERR_BUG);
    assert_true(access(temporary, F_OK) != 0 && access(path, F_OK) != 0);
}

static uint8_t *good;
static size_t good_bytes;

static void reread(void)
{
    r1_error err = {0};
    free(good);
    assert_int_equal(write_file(&err), R1_OK);
    assert_int_equal(r1i_file_read(path, 1 << 24, &good, &good_bytes, &err), R1_OK);
}

static void lies(uint64_t at, const void *bytes, size_t n, r1_status want, const char *words)
{
    r1i_panel_file *f;
    r1_error err = {0};
    uint8_t *const copy = aligned_alloc(64, r1i_align_up(good_bytes, 64));
    memcpy(copy, good, good_bytes);
    memcpy(copy + at, bytes, n);
    const uint64_t sum = r1i_panel_file_table_checksum(copy, good_bytes);
    memcpy(copy + R1I_PANEL_FILE_CHECKSUM_AT, &sum, sizeof sum);
    assert_int_equal(r1i_panel_file_parse(copy, good_bytes, &f, &err), want);
    assert_null(f);
    if (!strstr(err.message, words)) fail_msg("\"%s\" does not say \"%s\"", err.message, words);
    free(copy);
}

static void lies_u64(uint64_t at, uint64_t value, const char *words)
{
    lies(at, &value, sizeof value, R1_ERR_FORMAT, words);
}

/* Every field, with a checksum that fits: a hostile writer, not a bad disk. */
static void test_fields(void **state)
{
    (void)state;
    const uint32_t two = 2, swapped = 0x04030201;
    const uint64_t first = sizeof(r1i_panel_header), second = first + sizeof(r1i_panel_record);
    r1i_panel_record r;
    reread();
    memcpy(&r, good + first, sizeof r);
    lies(0, "R1PANELX", 8, R1_ERR_FORMAT, "does not begin with");
    lies(8, &swapped, 4, R1_ERR_UNSUPPORTED, "byte order");
    lies(12, &two, 4, R1_ERR_UNSUPPORTED, "panel file of version 2, 1 expected");
    lies(16, (const uint32_t[]){99}, 4, R1_ERR_UNSUPPORTED, "panels of layout 99");
    lies(20, &two, 4, R1_ERR_UNSUPPORTED, "multiples of 2");
    lies_u64(24, good_bytes + 1, "was cut or has grown");
    lies_u64(32, UINT64_MAX / 80 + 1, "does not fit into the file");
    lies_u64(32, 1000, "does not fit into the file");
    lies_u64(40, UINT64_MAX, "does not fit into the file");
    lies(first, (const uint32_t[]){4000000000u}, 4, R1_ERR_FORMAT, "name lies outside");
    lies(first + 4, (const uint32_t[]){4000000000u}, 4, R1_ERR_FORMAT, "name lies outside");
    lies(first + 4, (const uint32_t[]){0}, 4, R1_ERR_FORMAT, "name lies outside");
    lies(first + 8, "Q9_0\0\0\0", 8, R1_ERR_FORMAT, "is no type");
    lies(first + 8, "BOOL\0\0\0", 8, R1_ERR_FORMAT, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, row0), UINT64_MAX, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, rows), 0, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, rows), (uint64_t)INT64_MAX, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, cols), (uint64_t)r.cols + 1, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, transposed), 2, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, panel_bytes), r.panel_bytes - 1, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, scale_bytes), 4, "contradict its shape");
    lies_u64(first + offsetof(r1i_panel_record, offset), 0, "off its grid");
    lies_u64(first + offsetof(r1i_panel_record, offset), r.offset + 64, "off its grid");
    lies_u64(first + offsetof(r1i_panel_record, offset), good_bytes, "outside the file");
    lies_u64(first + offsetof(r1i_panel_record, offset), UINT64_MAX - 4095, "outside the file");
    lies(second, good + first, sizeof r, R1_ERR_FORMAT, "out of order");
    /* and every cut */
    for (size_t n = 0; n < good_bytes; n += n < 1000 ? 1 : 4001) {
        r1i_panel_file *f;
        r1_error err = {0};
        assert_int_equal(r1i_panel_file_parse(good, n, &f, &err), R1_ERR_FORMAT);
        assert_true(err.offset >= 0 && err.offset <= (int64_t)n);
    }
    free(good);
    good = NULL;
}

/* The same sum however the bytes are cut, another one for every flipped bit and every length. */
static void test_checksum(void **state)
{
    (void)state;
    static uint8_t bytes[300];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * i);
    for (size_t cut = 0; cut <= sizeof bytes; cut++) {
        r1i_checksum c;
        r1i_checksum_begin(&c);
        r1i_checksum_add(&c, bytes, cut);
        r1i_checksum_add(&c, bytes + cut, 0);
        r1i_checksum_add(&c, bytes + cut, sizeof bytes - cut);
        assert_true(r1i_checksum_end(&c) == r1i_checksum_of(bytes, sizeof bytes));
    }
    const uint64_t sum = r1i_checksum_of(bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_true(r1i_checksum_of(bytes, sizeof bytes) != sum);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    static const uint8_t zeros[300];
    for (size_t n = 0; n < sizeof zeros; n++) assert_true(r1i_checksum_of(zeros, n) != r1i_checksum_of(zeros, n + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_writer_misuse),
                                       cmocka_unit_test(test_fields), cmocka_unit_test(test_checksum)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
