#include "base/processors.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cgroup.h"
#include "r1/base.h"

/* A quota of processor time in each period, as whole processors. */
static uint64_t group_processors(const char *root, const char *folder, bool unified)
{
    char line[64];
    uint64_t quota, period;
    if (unified) {
        unsigned long long q, p;
        if (!r1i_small_file_line(root, folder, "cpu.max", line, sizeof line)) return UINT64_MAX;
        if (sscanf(line, "%llu %llu", &q, &p) != 2) return UINT64_MAX; /* "max 100000" */
        quota = q, period = p;
    } else if (!r1i_small_file_number(root, folder, "cpu.cfs_quota_us", &quota) ||
               !r1i_small_file_number(root, folder, "cpu.cfs_period_us", &period)) {
        return UINT64_MAX; /* -1: none */
    }
    return period == 0 ? UINT64_MAX : quota / period + (quota % period != 0);
}

int r1i_processor_quota_in(const char *root)
{
    const uint64_t n = r1i_cgroup_least(root, "cpu", group_processors);
    return n > INT_MAX ? INT_MAX : n > 0 ? (int)n : 1;
}

int r1i_processors(void)
{
    cpu_set_t set;
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    int n = online > 0 ? (int)online : 1;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) n = CPU_COUNT(&set);
    const int quota = r1i_processor_quota_in("");
    return quota < n ? quota : n;
}

int r1_processors(void) { return r1i_processors(); }
