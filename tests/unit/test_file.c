/* Files: limits, mappings, and writes that leave the old file whole when the disk is full. */
#include "support/test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/outfile.h"
#include "support/fail_alloc.h"

static char folder[] = "/tmp/r1-test-XXXXXX";
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

static void expect_content(const char *want)
{
    uint8_t *p;
    size_t n;
    assert_int_equal(r1i_file_read(path, 1 << 20, &p, &n, NULL), R1_OK);
    assert_int_equal(n, strlen(want));
    assert_string_equal(p, want); /* a NUL follows the last byte */
    r1_free(p);
}

static void test_read_write(void **state)
{
    (void)state;
    r1_error e = {0};
    uint8_t *p;
    size_t n;
    assert_int_equal(r1i_file_write_atomic(path, "first", 5, &e), R1_OK);
    expect_content("first");
    assert_int_equal(r1i_file_write_atomic(path, "", 0, &e), R1_OK);
    expect_content("");
    assert_int_equal(r1i_file_write_atomic(path, "second", 6, &e), R1_OK);
    expect_content("second");
    assert_int_equal(access(temporary, F_OK), -1);
    assert_int_equal(r1i_file_read(path, 5, &p, &n, &e), R1_ERR_RANGE);
    assert_non_null(strstr(e.message, "6 bytes, at most 5"));
    assert_null(p);
    assert_int_equal(r1i_file_read(folder, 5, &p, &n, &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, EISDIR);
    assert_int_equal(r1i_file_read("/dev/null", 5, &p, &n, &e), R1_ERR_IO);
    assert_int_equal(r1i_file_write_atomic("/nonexistent/file", "x", 1, &e), R1_ERR_IO);
    assert_true(r1i_file_exists(path) && !r1i_file_exists(folder) && r1i_is_directory(folder) &&
                !r1i_is_directory(path));
    char *const joined = r1i_path_join("a", "b");
    assert_string_equal(joined, "a/b");
    free(joined);
}

static void test_map(void **state)
{
    (void)state;
    r1i_map m;
    r1_error e = {0};
    static uint8_t bytes[40000];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (uint8_t)(i * 7);
    assert_int_equal(r1i_file_write_atomic(path, bytes, sizeof bytes, &e), R1_OK);
    assert_int_equal(r1i_map_open(path, &m, &e), R1_OK);
    assert_int_equal(m.size, sizeof bytes);
    assert_memory_equal(m.data, bytes, sizeof bytes);
    /* given back pages come again from the file */
    r1i_map_release_pages(&m, 100, 30000);
    r1i_map_release_pages(&m, 39999, 1);
    assert_memory_equal(m.data, bytes, sizeof bytes);
    r1i_map_close(&m);
    assert_null(m.data);
    r1i_map_close(&m);
    assert_int_equal(r1i_file_write_atomic(path, "", 0, &e), R1_OK);
    assert_int_equal(r1i_map_open(path, &m, &e), R1_OK);
    assert_true(m.data == NULL && m.size == 0);
    r1i_map_close(&m);
    assert_int_equal(r1i_map_open("/nonexistent", &m, &e), R1_ERR_IO);
    assert_int_equal(r1i_map_open(folder, &m, &e), R1_ERR_IO);
}

static void test_folders(void **state)
{
    (void)state;
    r1_error e = {0};
    char deep[160], below[200];
    snprintf(deep, sizeof deep, "%s/a//b/c", folder);
    snprintf(below, sizeof below, "%s/", deep);
    assert_int_equal(r1i_make_folders(deep, &e), R1_OK);
    assert_true(r1i_is_directory(deep));
    assert_int_equal(r1i_make_folders(below, &e), R1_OK);
    assert_int_equal(r1i_make_folders("/", &e), R1_OK);
    assert_int_equal(r1i_make_folders("", &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, ENOENT);
    assert_int_equal(r1i_file_write_atomic(path, "x", 1, &e), R1_OK);
    snprintf(below, sizeof below, "%s/d", path);
    assert_int_equal(r1i_make_folders(below, &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, ENOTDIR);
    assert_non_null(strstr(e.message, below));
    assert_int_equal(r1i_make_folders(path, &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, ENOTDIR);
    for (size_t n; (n = strlen(deep)) > strlen(folder); deep[n] = 0) {
        assert_int_equal(rmdir(deep), 0);
        while (deep[n - 1] != '/') n--;
        while (deep[n - 1] == '/') n--;
    }
}

static void test_file_size_limit(void **state)
{
    (void)state;
    static uint8_t big[1 << 20];
    struct rlimit old, low;
    r1_error e = {0};
    assert_int_equal(r1i_file_write_atomic(path, "kept", 4, &e), R1_OK);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    low = old;
    low.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &low);
    const r1_status st = r1i_file_write_atomic(path, big, sizeof big, &e);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(st, R1_ERR_IO);
    assert_int_equal(e.sys_errno, EFBIG);
    assert_int_equal(r1_status_exit_code(st, &e), 4);
    assert_int_equal(access(temporary, F_OK), -1);
    expect_content("kept");
}

/* A real full disk: a small tmpfs in a mount namespace of a child. 0: as wanted, 77: not permitted here. */
static int on_a_full_disk(void)
{
    static uint8_t big[1 << 20];
    r1_error e = {0};
    uint8_t *p;
    size_t n;
    const uid_t uid = getuid();
    if (unshare(CLONE_NEWNS) != 0) {
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return 77;
        char map[64];
        const int fd = open("/proc/self/uid_map", O_WRONLY);
        const int len = snprintf(map, sizeof map, "0 %u 1", (unsigned)uid);
        if (fd < 0 || write(fd, map, (size_t)len) != len) return 77;
        close(fd);
    }
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return 77;
    if (mount("none", folder, "tmpfs", 0, "size=64k") != 0) return 77;
    if (r1i_file_write_atomic(path, "kept", 4, &e) != R1_OK) return 2;
    if (r1i_file_write_atomic(path, big, sizeof big, &e) != R1_ERR_IO) return 3;
    if (e.sys_errno != ENOSPC || r1_status_exit_code(R1_ERR_IO, &e) != 4) return 4;
    if (access(temporary, F_OK) == 0) return 5;
    if (r1i_file_read(path, 100, &p, &n, &e) != R1_OK) return 6;
    const int differs = n != 4 || memcmp(p, "kept", 4) != 0;
    r1_free(p);
    return differs ? 7 : 0;
}

static void test_full_disk(void **state)
{
    (void)state;
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(on_a_full_disk());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* What is no regular file is written to, not replaced; a temporary that another writer holds is left alone, one that a
 * killed process left is taken over. */
static void test_outfile(void **state)
{
    (void)state;
    r1_error e = {0};
    r1i_outfile a, b;
    struct stat s;
    assert_int_equal(r1i_file_write_atomic("/dev/null", "x", 1, &e), R1_OK);
    assert_true(stat("/dev/null", &s) == 0 && S_ISCHR(s.st_mode));
    assert_int_equal(r1i_file_write_atomic("/dev/full", "x", 1, &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, ENOSPC);
    assert_non_null(strstr(e.message, "/dev/full"));
    FILE *const left = fopen(temporary, "w");
    fputs("much longer than what comes", left);
    fclose(left);
    assert_int_equal(r1i_outfile_open(path, &a, &e), R1_OK);
    assert_int_equal(r1i_outfile_open(path, &b, &e), R1_ERR_IO);
    assert_int_equal(e.sys_errno, EBUSY);
    assert_non_null(strstr(e.message, "another process is writing it"));
    assert_true(b.fd < 0 && access(temporary, F_OK) == 0);
    assert_int_equal(r1i_outfile_write(&a, "-econd", 6, &e), R1_OK);
    assert_int_equal(r1i_outfile_write_at(&a, 0, "s", 1, &e), R1_OK);
    assert_int_equal(r1i_outfile_commit(&a, &e), R1_OK);
    expect_content("second");
    assert_int_equal(r1i_outfile_open(path, &a, &e), R1_OK);
    assert_int_equal(r1i_outfile_write(&a, "third", 5, &e), R1_OK);
    r1i_outfile_abort(&a);
    r1i_outfile_abort(&a);
    expect_content("second");
    assert_int_equal(access(temporary, F_OK), -1);
}

static r1_status read_and_write(void *ctx, r1_error *e)
{
    uint8_t *p;
    size_t n;
    (void)ctx;
    r1_status st = r1i_file_write_atomic(path, "abc", 3, e);
    if (st == R1_OK) st = r1i_file_read(path, 100, &p, &n, e);
    if (st == R1_OK) r1_free(p);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_int_equal(fail_alloc_sweep(read_and_write, NULL), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read_write),      cmocka_unit_test(test_map),
        cmocka_unit_test(test_file_size_limit), cmocka_unit_test(test_folders), cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_outfile),   cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
