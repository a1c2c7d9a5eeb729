/* Memory nodes: one node does nothing; two, made up for libhwloc, go through every call. What it gains was never
 * measured: no machine at hand has two. */
#include "support/test.h"

#include <sched.h>
#include <sys/stat.h>

#include "base/numa.h"

static char root[] = "/tmp/r1-numa-XXXXXX";

static void nodes(const char *text)
{
    char full[256];
    snprintf(full, sizeof full,
             "mkdir -p %s/sys/devices/system/node && printf '%s\\n' >%s/sys/devices/system/node/online", root, text,
             root);
    assert_int_equal(system(full), 0);
}

static void test_nodes(void **state)
{
    (void)state;
    char rm[64];
    static unsigned char memory[1 << 16];
    assert_non_null(mkdtemp(root));
    assert_null(r1i_numa_open_in(root));
    nodes("0");
    assert_null(r1i_numa_open_in(root));
    r1i_numa_close(NULL);
    r1i_numa_spread(NULL, memory, sizeof memory);
    r1i_numa_stay(NULL, 1, 2);
    nodes("0-1");
    setenv("HWLOC_SYNTHETIC", "numa:2 pu:2", 1);
    r1i_numa *const n = r1i_numa_open_in(root);
    snprintf(rm, sizeof rm, "rm -rf %s", root);
    assert_int_equal(system(rm), 0);
    if (!n) skip(); /* no libhwloc */
    r1i_numa_spread(n, memory, sizeof memory);
    cpu_set_t before, after;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    r1i_numa_stay(n, 0, 1); /* one thread goes where it likes */
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    r1i_numa_stay(n, 0, 2); /* processors 0 and 1, as far as they were allowed; none of them: no change */
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    for (size_t i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &after)) assert_true(CPU_ISSET(i, &before));
    if (CPU_ISSET(0, &before)) assert_true(CPU_ISSET(0, &after) && CPU_COUNT(&after) <= 2);
    assert_true(CPU_COUNT(&after) > 0);
    sched_setaffinity(0, sizeof before, &before);
    r1i_numa_close(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_nodes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
