/* Available memory and processors from made-up /proc and cgroup trees: each file's part in the answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <limits.h>
#include <sched.h>

#include "base/memory.h"
#include "base/processors.h"

static char root[32];

static void put(const char *path, const char *text)
{
    char full[512];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *p = full + strlen(root) + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = 0;
        mkdir(full, 0777);
        *p = '/';
    }
    FILE *const f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void fresh_root(void)
{
    strcpy(root, "/tmp/r1-memory-XXXXXX");
    assert_non_null(mkdtemp(root));
}
static void remove_root(void)
{
    char rm[600];
    snprintf(rm, sizeof rm, "rm -rf '%s'", root);
    assert_int_equal(system(rm), 0);
}

/* A container with two processors' worth of time on a large host must not start a thread for each of the host's. */
static void test_processors(void **state)
{
    (void)state;
    fresh_root();
    assert_int_equal(r1i_processor_quota_in(root), INT_MAX);
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_int_equal(r1i_processor_quota_in(root), INT_MAX);
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n"); /* an ancestor's */
    assert_int_equal(r1i_processor_quota_in(root), 2);
    put("/sys/fs/cgroup/a/b/cpu.max", "110000 100000\n"); /* rounded up */
    assert_int_equal(r1i_processor_quota_in(root), 2);
    put("/sys/fs/cgroup/cpu.max", "5000 100000\n"); /* a container's own group, whatever its path */
    assert_int_equal(r1i_processor_quota_in(root), 1);
    static const char *const nonsense[] = {"", "\n", "0 100000\n", "200000 0\n", "x y\n", "99999999999999999999999 1\n",
                                           "1\n"};
    for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
        put("/sys/fs/cgroup/cpu.max", nonsense[i]);
        assert_in_range(r1i_processor_quota_in(root), 1, 2);
    }
    put("/proc/self/cgroup", "3:cpuset:/x\n5:cpuacct,cpu:/y\n7:memory:/z\n");
    put("/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/y/cpu.cfs_period_us", "50000\n");
    assert_int_equal(r1i_processor_quota_in(root), INT_MAX);
    put("/sys/fs/cgroup/cpu/y/cpu.cfs_quota_us", "150000\n");
    assert_int_equal(r1i_processor_quota_in(root), 3);
    put("/proc/self/cgroup", "3:cpuset:/y\n"); /* another controller's group */
    assert_int_equal(r1i_processor_quota_in(root), INT_MAX);
    remove_root();
    cpu_set_t set, one;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_in_range(r1i_processors(), 1, CPU_COUNT(&set));
    CPU_ZERO(&one);
    for (size_t i = 0; CPU_COUNT(&one) == 0; i++)
        if (CPU_ISSET(i, &set)) CPU_SET(i, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(r1i_processors(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof set, &set), 0);
}

static void test_memory_available(void **state)
{
    (void)state;
    fresh_root();
    assert_true(r1i_memory_available_in(root) == UINT64_MAX);
    put("/proc/meminfo", "MemTotal:       8000 kB\nMemFree:        10 kB\nMemAvailable:   4000 kB\n");
    assert_int_equal(r1i_memory_available_in(root), 4000 * 1024);
    put("/proc/self/cgroup", "0::/a/b\n");
    assert_int_equal(r1i_memory_available_in(root), 4000 * 1024);
    put("/sys/fs/cgroup/a/b/memory.max", "max\n");
    put("/sys/fs/cgroup/a/b/memory.current", "50\n");
    put("/sys/fs/cgroup/a/memory.max", "1000000\n");
    put("/sys/fs/cgroup/a/memory.current", "900000\n");
    assert_int_equal(r1i_memory_available_in(root), 100000); /* an ancestor's limit rules */
    put("/sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 100000\nactive_file 200000\n");
    assert_int_equal(r1i_memory_available_in(root), 400000); /* file cache counts as free */
    put("/sys/fs/cgroup/a/memory.max", "1000\n");
    assert_int_equal(r1i_memory_available_in(root), 0);
    put("/proc/self/cgroup", "5:cpu,cpuacct:/x\n7:memory:/y\n");
    put("/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "9223372036854771712\n");
    put("/sys/fs/cgroup/memory/y/memory.usage_in_bytes", "5\n");
    assert_int_equal(r1i_memory_available_in(root), 4000 * 1024);
    put("/sys/fs/cgroup/memory/y/memory.limit_in_bytes", "70000\n");
    assert_int_equal(r1i_memory_available_in(root), 69995);
    put("/sys/fs/cgroup/memory/y/memory.usage_in_bytes", "60000\n");
    put("/sys/fs/cgroup/memory/y/memory.stat", "inactive_file 1\ntotal_inactive_file 20000\ntotal_active_file 3000\n");
    assert_int_equal(r1i_memory_available_in(root), 33000);
    assert_true(r1i_memory_available() > 0);
    assert_true(r1i_memory_resident() > 4096);
    const size_t much = (size_t)64 << 20;
    char *const p = malloc(much);
    assert_non_null(p);
    memset(p, 1, much);
    const uint64_t with = r1i_memory_resident();
    free(p);
    assert_true(r1i_memory_peak() + (4 << 20) >= with && with > much); /* the two are counted at different moments */
    remove_root();
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory_available), cmocka_unit_test(test_processors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
