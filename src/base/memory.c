#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cgroup.h"

/* The value of a line "key value" or "key: value kB". */
static bool keyed_number(const char *root, const char *path, const char *key, uint64_t *out)
{
    char full[1200], line[256];
    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full) return false;
    FILE *const f = fopen(full, "re");
    if (!f) return false;
    const size_t n = strlen(key);
    bool found = false;
    while (!found && fgets(line, sizeof line, f)) {
        if (strncmp(line, key, n) != 0 || (line[n] != ':' && line[n] != ' ')) continue;
        *out = strtoull(line + n + 1, NULL, 10);
        if (strstr(line + n, " kB")) *out *= 1024;
        found = true;
    }
    fclose(f);
    return found;
}

/* Names of the files of one cgroup version. */
typedef struct group_files {
    const char *limit, *usage, *cache[2];
} group_files;
static const group_files v1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                               {"total_inactive_file", "total_active_file"}};
static const group_files v2 = {"memory.max", "memory.current", {"inactive_file", "active_file"}};

/* Pages of files, used lately or not, are dropped for whoever needs memory: only what is left without them is taken. */
static uint64_t group_left(const char *root, const char *folder, bool unified)
{
    const group_files *const g = unified ? &v2 : &v1;
    char path[1200];
    uint64_t limit, usage = 0;
    if (!r1i_small_file_number(root, folder, g->limit, &limit)) return UINT64_MAX;
    if (!r1i_small_file_number(root, folder, g->usage, &usage)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    for (int i = 0; i < 2; i++) {
        uint64_t cache = 0;
        if (keyed_number(root, path, g->cache[i], &cache)) usage -= cache < usage ? cache : usage;
    }
    return usage < limit ? limit - usage : 0;
}

uint64_t r1i_memory_available_in(const char *root)
{
    uint64_t system;
    if (!keyed_number(root, "/proc/meminfo", "MemAvailable", &system)) system = UINT64_MAX;
    const uint64_t group = r1i_cgroup_least(root, "memory", group_left);
    return group < system ? group : system;
}

uint64_t r1i_memory_available(void) { return r1i_memory_available_in(""); }

uint64_t r1i_memory_resident(void)
{
    char line[128];
    unsigned long long pages, resident;
    if (!r1i_small_file_line("", "/proc/self", "statm", line, sizeof line) ||
        sscanf(line, "%llu %llu", &pages, &resident) != 2) return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t r1i_memory_peak(void)
{
    uint64_t bytes = 0;
    return keyed_number("", "/proc/self/status", "VmHWM", &bytes) ? bytes : 0;
}
