#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* First line of a small file below root, newline cut off. */
static bool first_line(const char *root, const char *path, char *line, size_t size)
{
    char full[1200];
    if (snprintf(full, sizeof full, "%s%s", root, path) >= (int)sizeof full) return false;
    FILE *const f = fopen(full, "re");
    if (!f) return false;
    const bool got = fgets(line, (int)size, f) != NULL;
    fclose(f);
    if (got) line[strcspn(line, "\n")] = 0;
    return got;
}

/* A file that holds one number. "max", or a v1 limit that means none, is no number. */
static bool one_number(const char *root, const char *path, uint64_t *out)
{
    char line[64];
    if (!first_line(root, path, line, sizeof line) || line[0] < '0' || line[0] > '9') return false;
    *out = strtoull(line, NULL, 10);
    return *out < UINT64_C(1) << 60;
}

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
typedef struct cgroup_files {
    const char *base, *limit, *usage, *cache[2];
} cgroup_files;
static const cgroup_files v1 = {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", {"total_inactive_file", "total_active_file"}};
static const cgroup_files v2 = {"/sys/fs/cgroup", "memory.max", "memory.current", {"inactive_file", "active_file"}};

/* Pages of files, used lately or not, are dropped for whoever needs memory: only what is left without them is taken. */
static uint64_t group_left(const char *root, const cgroup_files *g, const char *group)
{
    char path[1100];
    uint64_t limit, usage = 0;
    snprintf(path, sizeof path, "%s%s/%s", g->base, group, g->limit);
    if (!one_number(root, path, &limit)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s%s/%s", g->base, group, g->usage);
    if (!one_number(root, path, &usage)) return UINT64_MAX;
    snprintf(path, sizeof path, "%s%s/memory.stat", g->base, group);
    for (int i = 0; i < 2; i++) {
        uint64_t cache = 0;
        if (keyed_number(root, path, g->cache[i], &cache)) usage -= cache < usage ? cache : usage;
    }
    return usage < limit ? limit - usage : 0;
}

/* The group and all its ancestors: the tightest one rules. In a container the path that the kernel names may not exist below
 * the mounted root; the root itself, which then is the container's own group, is always asked. */
static uint64_t groups_left(const char *root, const cgroup_files *g, char *group)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        if (strcmp(group, "/") == 0) group[0] = 0;
        const uint64_t left = group_left(root, g, group);
        if (left < least) least = left;
        char *const slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

static uint64_t cgroup_left(const char *root)
{
    char full[1200], line[1024];
    uint64_t least = UINT64_MAX;
    if (snprintf(full, sizeof full, "%s/proc/self/cgroup", root) >= (int)sizeof full) return least;
    FILE *const f = fopen(full, "re");
    if (!f) return least;
    while (fgets(line, sizeof line, f)) { /* "0::/group" or "7:memory:/group" */
        line[strcspn(line, "\n")] = 0;
        char *const names = strchr(line, ':');
        char *const group = names ? strchr(names + 1, ':') : NULL;
        if (!group) continue;
        *group = 0;
        const bool unified = names[1] == 0, memory = strstr(names + 1, "memory") != NULL;
        if (!unified && !memory) continue;
        const uint64_t left = groups_left(root, unified ? &v2 : &v1, group + 1);
        if (left < least) least = left;
    }
    fclose(f);
    return least;
}

uint64_t r1i_memory_available_in(const char *root)
{
    uint64_t system;
    if (!keyed_number(root, "/proc/meminfo", "MemAvailable", &system)) system = UINT64_MAX;
    const uint64_t group = cgroup_left(root);
    return group < system ? group : system;
}

uint64_t r1i_memory_available(void) { return r1i_memory_available_in(""); }

uint64_t r1i_memory_resident(void)
{
    char line[128];
    unsigned long long pages, resident;
    if (!first_line("", "/proc/self/statm", line, sizeof line) || sscanf(line, "%llu %llu", &pages, &resident) != 2) return 0;
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

uint64_t r1i_memory_peak(void)
{
    uint64_t bytes = 0;
    return keyed_number("", "/proc/self/status", "VmHWM", &bytes) ? bytes : 0;
}
