/* Starting and feeding sandboxes. The program that starts is the jail, from a memory file, by posix_spawn: no code runs
 * between fork and exec in a process that may map hundreds of gigabytes of weights and own many threads. */
#include "reward/code_sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reward/code_blob.h"
#include "reward/code_walls.h"

enum { N_WALLS = 5, FIRST_FREE_FD = 16 };

const char *r1i_wall_name(int i)
{
    static const char *const names[N_WALLS] = {"bubblewrap", "seccomp", "landlock", "processes", "unprivileged"};
    return i >= 0 && i < N_WALLS ? names[i] : NULL;
}

/* ---- descriptors: all close-on-exec, and above those that the jail's ends are moved to ---- */

static int high(int fd)
{
    if (fd < 0 || fd >= FIRST_FREE_FD) return fd;
    const int up = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD), e = errno;
    close(fd);
    errno = e;
    return up;
}

static void shut(int *fd)
{
    if (*fd >= 0) close(*fd);
    *fd = -1;
}

static bool pair(int ends[2], bool socket)
{
    if ((socket ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) : pipe2(ends, O_CLOEXEC)) != 0) {
        ends[0] = ends[1] = -1;
        return false;
    }
    ends[0] = high(ends[0]);
    ends[1] = high(ends[1]);
    return ends[0] >= 0 && ends[1] >= 0;
}

/* The same file with an offset of its own: several sandboxes read it at once. */
static int reopen(int fd)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return high(open(path, O_RDONLY | O_CLOEXEC));
}

/* ---- one sandbox ---- */

/* The file system of a sandbox, in the order in which it is built. Everything but /tmp ends read-only. */
static int arguments(const r1i_sandbox_kit *kit, const r1i_code_limits *limits, char *size, size_t size_bytes,
                     const char **argv)
{
    static const char *const fixed[] = {
        "--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session", "--as-pid-1",
        "--clearenv", "--cap-drop", "ALL", "--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--ro-bind",
        "/usr", "/usr", "--ro-bind-try", "/etc/alternatives", "/etc/alternatives", "--ro-bind-try", "/etc/ld.so.cache",
        "/etc/ld.so.cache", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev", "--perms", "0700", "--size",
        "67108864", "--tmpfs", "/run", "--perms", "0555", "--ro-bind-data", "6", "/jail",
    };
    static const char *const links[][2] = {{"/lib", "usr/lib"}, {"/lib64", "usr/lib64"}, {"/lib32", "usr/lib32"},
                                           {"/bin", "usr/bin"}, {"/sbin", "usr/sbin"}};
    int n = 0;
    argv[n++] = "r1-jail";
    argv[n++] = "launch";
    argv[n++] = kit->bwrap;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) argv[n++] = fixed[i];
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        struct stat st;
        if (lstat(links[i][0], &st) != 0) continue;
        const bool link = S_ISLNK(st.st_mode); /* a merged /usr, else folders of their own */
        argv[n++] = link ? "--symlink" : "--ro-bind";
        argv[n++] = link ? links[i][1] : links[i][0];
        argv[n++] = links[i][0];
    }
    snprintf(size, size_bytes, "%llu", (unsigned long long)limits->disk_bytes);
    const char *const last[] = {"--perms", "0700", "--size", size, "--tmpfs", "/tmp", "--chdir", "/tmp", "--remount-ro",
                                "/"};
    for (size_t i = 0; i < sizeof last / sizeof *last; i++) argv[n++] = last[i];
    if (kit->filter >= 0) {
        argv[n++] = "--seccomp";
        argv[n++] = "5";
    }
    argv[n++] = "/jail";
    argv[n] = NULL;
    return n;
}

static int spawn(const r1i_sandbox_kit *kit, const r1i_code_limits *limits, const int ends[5], int filter, int self,
                 pid_t *pid)
{
    const char *argv[96];
    char size[32], path[64], *env[] = {NULL};
    arguments(kit, limits, size, sizeof size, argv);
    snprintf(path, sizeof path, "/proc/self/fd/%d", kit->jail);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    int e = posix_spawn_file_actions_init(&actions);
    if (e) return e;
    if ((e = posix_spawnattr_init(&attributes)) != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return e;
    }
    for (int fd = 0; fd < 5 && !e; fd++) e = posix_spawn_file_actions_adddup2(&actions, ends[fd], fd);
    if (!e && filter >= 0) e = posix_spawn_file_actions_adddup2(&actions, filter, R1I_JAIL_FILTER_FD);
    if (!e) e = posix_spawn_file_actions_adddup2(&actions, self, R1I_JAIL_SELF_FD);
    if (!e) e = posix_spawnattr_setsigmask(&attributes, &none);
    if (!e) e = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    if (!e) e = posix_spawn(pid, path, &actions, &attributes, (char *const *)(uintptr_t)argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return e;
}

static void nonblocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

r1_status r1i_sandbox_start(const r1i_sandbox_kit *kit, const r1i_code_limits *limits, r1i_sandbox *out, r1_error *err)
{
    *out = (r1i_sandbox){.control = -1, .rpc = -1, .out = -1, .err = -1, .kit = kit};
    static atomic_uint serial; /* only makes names of cgroups differ */
    int control[2], rpc[2], so[2], se[2], null = high(open("/dev/null", O_RDONLY | O_CLOEXEC)), e = 0;
    int filter = kit->filter >= 0 ? reopen(kit->filter) : -1, self = reopen(kit->jail);
    bool ok = null >= 0 && self >= 0 && (kit->filter < 0 || filter >= 0);
    ok = pair(control, true) && ok;
    ok = pair(rpc, true) && ok;
    ok = pair(so, false) && ok;
    ok = pair(se, false) && ok;
    if (!ok) e = errno;
    else e = spawn(kit, limits, (const int[5]){null, so[1], se[1], control[1], rpc[1]}, filter, self, &out->pid);
    shut(&null), shut(&filter), shut(&self), shut(&control[1]), shut(&rpc[1]), shut(&so[1]), shut(&se[1]);
    out->control = control[0], out->rpc = rpc[0], out->out = so[0], out->err = se[0];
    if (e) {
        out->pid = 0;
        r1i_sandbox_kill(out);
        return r1i_fail_errno(err, e, "cannot start a sandbox");
    }
    nonblocking(out->out), nonblocking(out->err), nonblocking(out->rpc);
    snprintf(out->group, sizeof out->group, "r1-%d-%u", (int)getpid(), atomic_fetch_add(&serial, 1));
    if (!r1i_cgroup_enter(kit, out->group, limits, out->pid)) out->group[0] = 0;
    if (send(out->control, "g", 1, MSG_NOSIGNAL) != 1) return R1_OK; /* it died at once: found out at its first use */
    return R1_OK;
}

void r1i_sandbox_kill(r1i_sandbox *s)
{
    if (s->pid > 0) {
        kill(s->pid, SIGKILL); /* the kernel then ends process 1 of the inner namespace, and with it everything */
        while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR) continue;
    }
    if (s->kit) shut(&s->control), shut(&s->rpc), shut(&s->out), shut(&s->err);
    if (s->pid > 0 && s->group[0]) r1i_cgroup_remove(s->kit, s->group);
    *s = (r1i_sandbox){.control = -1, .rpc = -1, .out = -1, .err = -1};
}

bool r1i_sandbox_alive(const r1i_sandbox *s)
{
    struct pollfd p = {.fd = s->control, .events = POLLIN};
    if (s->pid <= 0) return false;
    return poll(&p, 1, 0) >= 0 && !(p.revents & (POLLHUP | POLLERR));
}

bool r1i_sandbox_out_of_memory(const r1i_sandbox *s) { return s->group[0] && r1i_cgroup_oom(s->kit, s->group); }

void r1i_sandbox_complaint(const r1i_sandbox *s, char *text, size_t size)
{
    const ssize_t n = s->err >= 0 ? read(s->err, text, size - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20) *p = p[1] ? ' ' : 0;
}

bool r1i_sandbox_send(const r1i_sandbox *s, const r1i_jail_request *q, const void *payload)
{
    const char *parts[2] = {(const char *)q, payload};
    const size_t bytes[2] = {sizeof *q, (size_t)q->bytes};
    for (int i = 0; i < 2; i++)
        for (size_t done = 0; done < bytes[i];) {
            const ssize_t n = send(s->control, parts[i] + done, bytes[i] - done, MSG_NOSIGNAL);
            if (n < 0 && errno == EINTR) continue;
            if (n <= 0) return false;
            done += (size_t)n;
        }
    return true;
}

bool r1i_sandbox_put(const r1i_sandbox *s, const char *name, const void *bytes, size_t n)
{
    const size_t name_bytes = strlen(name) + 1;
    char *payload = malloc(name_bytes + n);
    if (!payload) return false;
    memcpy(payload, name, name_bytes);
    if (n) memcpy(payload + name_bytes, bytes, n);
    const r1i_jail_request q = {.op = R1I_JAIL_PUT, .bytes = name_bytes + n};
    const bool ok = r1i_sandbox_send(s, &q, payload);
    free(payload);
    return ok;
}

/* ---- the kit: what is there, and do the walls stand? ---- */

static const char *find_bwrap(void)
{
    static const char *const paths[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        if (access(paths[i], X_OK) == 0) return paths[i];
    return NULL;
}

static r1_status jail_file(int *out, r1_error *err)
{
    const int fd = high(memfd_create("r1-jail", MFD_CLOEXEC));
    if (fd < 0) return r1i_fail_errno(err, errno, "the jail's memory file");
    *out = fd;
    for (size_t done = 0; done < r1i_blob_jail_bytes;) {
        const ssize_t n = write(fd, r1i_blob_jail + done, r1i_blob_jail_bytes - done);
        if (n <= 0) return r1i_fail_errno(err, errno, "the jail's memory file");
        done += (size_t)n;
    }
    /* Linux runs no file that somebody has open for writing. */
    *out = reopen(fd);
    close(fd);
    return *out >= 0 ? R1_OK : r1i_fail_errno(err, errno, "the jail's memory file");
}

/* The host's user of a process: root outside would be root to every file that a hole lets it reach. */
static bool is_root_outside(pid_t pid)
{
    char path[64], line[256];
    unsigned user = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f) return true;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Uid: %u", &user) == 1) break;
    fclose(f);
    return user == 0;
}

static r1_status probe(r1i_sandbox_kit *kit, char *why, size_t why_bytes, r1_error *err)
{
    const r1i_code_limits limits = {.memory_bytes = 256u << 20, .disk_bytes = 1 << 20, .processes = 16};
    const r1i_jail_request q = {.op = R1I_JAIL_PROBE};
    r1i_jail_report report = {0};
    r1i_sandbox s;
    const r1_status st = r1i_sandbox_start(kit, &limits, &s, err);
    if (st != R1_OK) return st;
    struct timeval patience = {.tv_sec = 60};
    setsockopt(s.control, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (r1i_sandbox_send(&s, &q, NULL) &&
        recv(s.control, &report, sizeof report, MSG_WAITALL) == (ssize_t)sizeof report) {
        kit->walls = report.walls;
        if (!is_root_outside(s.pid)) kit->walls |= R1I_WALL_UNPRIVILEGED;
        kit->landlock_abi = report.landlock_abi;
    } else {
        nonblocking(s.err);
        r1i_sandbox_complaint(&s, why, why_bytes);
    }
    r1i_sandbox_kill(&s);
    return R1_OK;
}

static r1_status missing_walls(unsigned missing, const char *why, r1_error *err)
{
    char names[128] = "";
    size_t used = 0;
    for (int i = 0; i < N_WALLS; i++)
        if (missing & (1u << i))
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", r1i_wall_name(i));
    if (missing & R1I_WALL_BUBBLEWRAP)
        return r1i_fail(err, R1_ERR_MISSING, "no sandbox can be made, so no code is run: bubblewrap %s%s",
                        why[0] ? "says: " : "gives no namespaces here", why);
    return r1i_fail(err, R1_ERR_MISSING,
                    "a wall of the sandbox is missing, so no code is run: %s (option allow_without takes its name)",
                    names);
}

r1_status r1i_sandbox_kit_open(unsigned allowed, r1i_sandbox_kit *kit, r1_error *err)
{
    char why[200] = "";
    *kit = (r1i_sandbox_kit){.jail = -1, .filter = -1, .bwrap = find_bwrap()};
    if (!kit->bwrap)
        return r1i_fail(err, R1_ERR_MISSING, "bubblewrap (the program bwrap) is not installed, so no code is run");
    r1_status st = jail_file(&kit->jail, err);
    if (st == R1_OK) st = r1i_seccomp_file(&kit->filter, err);
    if (st == R1_OK) {
        kit->filter = high(kit->filter);
        r1i_cgroup_find(kit);
        st = probe(kit, why, sizeof why, err);
    }
    const unsigned missing = ((1u << N_WALLS) - 1) & ~kit->walls & ~(allowed & ~(unsigned)R1I_WALL_BUBBLEWRAP);
    if (st == R1_OK && missing) st = missing_walls(missing, why, err);
    if (st != R1_OK) r1i_sandbox_kit_close(kit);
    return st;
}

void r1i_sandbox_kit_close(r1i_sandbox_kit *kit)
{
    if (!kit->bwrap) return;
    shut(&kit->jail);
    shut(&kit->filter);
    *kit = (r1i_sandbox_kit){.jail = -1, .filter = -1};
}
