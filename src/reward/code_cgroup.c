/* Memory and process limits over a whole sandbox, where this process may make cgroups: v1 hierarchies or v2 with its
 * controllers. Address space limits hold for one process at a time; the group holds for all of them together. A group
 * is no wall that must be there (an ordinary user mostly cannot make one), so every failure only leaves it out. */
#include "reward/code_walls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool put(const char *dir, const char *file, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = write(fd, text, strlen(text));
    close(fd);
    return n == (ssize_t)strlen(text);
}

static bool has(const char *dir, const char *file)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    return access(path, W_OK) == 0;
}

/* A group can be made in dir and shows the limit's file: the file tells whether the controller reaches down there. */
static bool usable(const char *dir, const char *file)
{
    char path[300];
    snprintf(path, sizeof path, "%s/r1-probe-%d", dir, (int)getpid());
    if (mkdir(path, 0755) != 0) return false;
    const bool ok = has(path, file);
    rmdir(path);
    return ok;
}

/* This process's place in a v1 hierarchy ("memory") or in v2 (""): the lines of /proc/self/cgroup are
 * number:controllers:path. */
static bool own_place(const char *controller, const char *root, char *out, size_t size)
{
    char line[512];
    bool found = false;
    FILE *f = fopen("/proc/self/cgroup", "re");
    if (!f) return false;
    while (!found && fgets(line, sizeof line, f)) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        path[strcspn(path, "\n")] = 0;
        if (strcmp(names + 1, controller) != 0) continue;
        const int n = snprintf(out, size, "%s%s", root, strcmp(path, "/") == 0 ? "" : path);
        found = n > 0 && (size_t)n < size;
    }
    fclose(f);
    return found;
}

/* Groups of processes that were killed before they could clean up: named r1-PID-SERIAL, and no such process any
 * more. */
static void sweep(const char *parent)
{
    DIR *dir = parent[0] ? opendir(parent) : NULL;
    if (!dir) return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        int pid;
        unsigned serial;
        char path[600];
        if (sscanf(e->d_name, "r1-%d-%u", &pid, &serial) != 2 || pid < 2 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof path, "%s/%s", parent, e->d_name);
        rmdir(path);
    }
    closedir(dir);
}

void r1i_cgroup_find(r1i_sandbox_kit *kit)
{
    char *m = kit->cgroup_memory, *p = kit->cgroup_pids;
    const size_t size = sizeof kit->cgroup_memory;
    if (!own_place("memory", "/sys/fs/cgroup/memory", m, size) || !usable(m, "memory.limit_in_bytes")) m[0] = 0;
    if (!own_place("pids", "/sys/fs/cgroup/pids", p, size) || !usable(p, "pids.max")) p[0] = 0;
    if (!m[0] && !p[0]) {
        if (!own_place("", "/sys/fs/cgroup", m, size) || !usable(m, "memory.max")) m[0] = 0;
        if (m[0] && usable(m, "pids.max")) memcpy(p, m, size);
    }
    sweep(m);
    sweep(p);
}

static bool enter(const char *parent, const char *name, const char *const (*set)[2], int n, pid_t pid)
{
    char dir[400], number[32];
    snprintf(dir, sizeof dir, "%s/%s", parent, name);
    if (mkdir(dir, 0755) != 0 && access(dir, W_OK) != 0) return false;
    for (int i = 0; i < n; i++) put(dir, set[i][0], set[i][1]); /* v1's names fail in v2 and the other way round */
    snprintf(number, sizeof number, "%d", (int)pid);
    if (put(dir, "cgroup.procs", number)) return true;
    rmdir(dir);
    return false;
}

bool r1i_cgroup_enter(const r1i_sandbox_kit *kit, const char *name, const r1i_code_limits *limits, pid_t pid)
{
    char memory[32], pids[32];
    enum { OVERHEAD = 64 << 20, OWN = 4 }; /* bubblewrap, the jail and /tmp's pages are charged to the group too */
    snprintf(memory, sizeof memory, "%llu", (unsigned long long)(limits->memory_bytes + limits->disk_bytes + OVERHEAD));
    snprintf(pids, sizeof pids, "%u", limits->processes + OWN);
    const char *const memory_set[][2] = {{"memory.limit_in_bytes", memory}, {"memory.max", memory},
                                         {"memory.swap.max", "0"}};
    const char *const pids_set[][2] = {{"pids.max", pids}};
    bool any = false;
    if (kit->cgroup_memory[0]) any = enter(kit->cgroup_memory, name, memory_set, 3, pid);
    if (kit->cgroup_pids[0]) any = enter(kit->cgroup_pids, name, pids_set, 1, pid) || any;
    return any;
}

/* Whoever is still in the group: nobody, once the sandbox's process 1 has died. */
static void kill_members(const char *dir)
{
    char path[512];
    int pid;
    snprintf(path, sizeof path, "%s/cgroup.procs", dir);
    FILE *f = fopen(path, "re");
    if (!f) return;
    while (fscanf(f, "%d", &pid) == 1)
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    fclose(f);
}

void r1i_cgroup_remove(const r1i_sandbox_kit *kit, const char *name)
{
    enum { TRIES = 12 }; /* 1, 2, 4 ... ms: a killed process leaves its group when the kernel gets round to it */
    const char *const parents[2] = {kit->cgroup_memory, kit->cgroup_pids};
    for (int i = 0; i < 2; i++) {
        char dir[400];
        if (!parents[i][0]) continue;
        snprintf(dir, sizeof dir, "%s/%s", parents[i], name);
        for (int tries = 0; rmdir(dir) != 0 && errno == EBUSY && tries < TRIES; tries++) {
            if (tries == 4) kill_members(dir);
            usleep(1000u << tries);
        }
    }
}

bool r1i_cgroup_oom(const r1i_sandbox_kit *kit, const char *name)
{
    static const char *const files[] = {"memory.oom_control", "memory.events"};
    bool killed = false;
    for (size_t i = 0; kit->cgroup_memory[0] && i < sizeof files / sizeof *files; i++) {
        char path[400], line[128];
        unsigned n;
        snprintf(path, sizeof path, "%s/%s/%s", kit->cgroup_memory, name, files[i]);
        FILE *f = fopen(path, "re");
        if (!f) continue;
        while (fgets(line, sizeof line, f))
            if (sscanf(line, "oom_kill %u", &n) == 1 && n > 0) killed = true;
        fclose(f);
    }
    return killed;
}
