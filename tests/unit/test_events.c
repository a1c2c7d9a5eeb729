/* Event files byte by byte: CRC-32C's published check value, and records as event.proto and the record format describe
 * them. */
#include "support/test.h"

#include <unistd.h>

#include "base/file.h"
#include "record/events.h"

static void test_crc(void **state)
{
    (void)state;
    assert_int_equal(r1i_crc32c("123456789", 9), 0xe3069283u);
    assert_int_equal(r1i_crc32c("", 0), 0);
}

static void test_file(void **state)
{
    static const uint8_t version[] = {24, 0, 0, 0, 0, 0, 0, 0};
    static const uint8_t scalar[] = {0x09, 0, 0, 0, 0, 0, 0, 0x04, 0x40, 0x10, 0x07, 0x2a, 0x0b, 0x0a, 0x09, 0x0a, 0x02,
                                     'a', 'b', 0x15, 0, 0, 0x80, 0x3f};
    char dir[] = "/tmp/test_events_XXXXXX", path[128];
    r1i_events *e;
    r1_error err;
    uint8_t *bytes;
    size_t n;
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(r1i_events_open(dir, 7, &e, &err), R1_OK);
    assert_int_equal(r1i_events_scalar(e, 2.5, 7, "ab", 1.0f, &err), R1_OK);
    r1i_events_close(e);
    snprintf(path, sizeof path, "%s/events.out.tfevents.0000000007.r1", dir);
    assert_int_equal(r1i_file_read(path, 4096, &bytes, &n, &err), R1_OK);
    assert_memory_equal(bytes, version, sizeof version);
    assert_memory_equal(bytes + 12 + 9 + 2, "brain.Event:2", 13);
    assert_true(n > sizeof scalar + 4);
    assert_memory_equal(bytes + n - 4 - sizeof scalar, scalar, sizeof scalar);
    r1_free(bytes);
    unlink(path);
    rmdir(dir);
    assert_int_equal(r1i_events_open("/nowhere", 1, &e, &err), R1_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_crc), cmocka_unit_test(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
