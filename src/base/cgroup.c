#include "base/cgroup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool r1i_small_file_line(const char *root, const char *folder, const char *name, char *line, size_t size)
{
    char full[1400];
    if (snprintf(full, sizeof full, "%s%s/%s", root, folder, name) >= (int)sizeof full) return false;
    FILE *const f = fopen(full, "re");
    if (!f) return false;
    const bool got = fgets(line, (int)size, f) != NULL;
    fclose(f);
    if (got) line[strcspn(line, "\n")] = 0;
    return got;
}

bool r1i_small_file_number(const char *root, const char *folder, const char *name, uint64_t *out)
{
    char line[64];
    if (!r1i_small_file_line(root, folder, name, line, sizeof line) || line[0] < '0' || line[0] > '9') return false;
    *out = strtoull(line, NULL, 10);
    return *out < UINT64_C(1) << 60;
}

/* The group and all its ancestors. In a container the path that the kernel names may not exist below the mounted root;
 * the root itself, which then is the container's own group, is always asked. */
static uint64_t least_of_group(const char *root, const char *base, bool unified, char *group, r1i_cgroup_ask ask)
{
    uint64_t least = UINT64_MAX;
    for (;;) {
        char folder[1100];
        if (strcmp(group, "/") == 0) group[0] = 0;
        snprintf(folder, sizeof folder, "%s%s", base, group);
        const uint64_t one = ask(root, folder, unified);
        if (one < least) least = one;
        char *const slash = strrchr(group, '/');
        if (!slash) return least;
        *slash = 0;
    }
}

/* Whether a list "cpu,cpuacct" has the name. */
static bool lists(const char *names, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = names; (p = strstr(p, name)) != NULL; p += n)
        if ((p == names || p[-1] == ',') && (p[n] == 0 || p[n] == ',')) return true;
    return false;
}

uint64_t r1i_cgroup_least(const char *root, const char *controller, r1i_cgroup_ask ask)
{
    char full[1200], line[1024], base[64];
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
        const bool unified = names[1] == 0;
        if (!unified && !lists(names + 1, controller)) continue;
        snprintf(base, sizeof base, unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/%s", controller);
        const uint64_t one = least_of_group(root, base, unified, group + 1, ask);
        if (one < least) least = one;
    }
    fclose(f);
    return least;
}
