/* The jail: a program of its own, kept inside the library as bytes. Outside the sandbox it gives up root and becomes
 * bubblewrap; inside it is process 1, which starts the user's program behind the last walls (limits, Landlock), watches
 * its clocks, reaps all that it leaves behind and reports. Process 1 cannot be signalled by its descendants and is not
 * dumpable, so a program can neither kill nor read it. Single-threaded, no allocation after start but for payloads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/landlock.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "reward/code_protocol.h"

enum { NOBODY = 65534, MAX_ARGS = 64 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- outside: give up root, then bubblewrap ---------------------------------------------------------------------- */

static int launch(char **argv)
{
    char go; /* the judge first puts this process into its cgroup, which children inherit */
    if (read(R1I_JAIL_CONTROL_FD, &go, 1) != 1) return 0;
    /* Whatever the calling program left open without close-on-exec stays outside. */
    if (syscall(SYS_close_range, R1I_JAIL_SELF_FD + 1, ~0U, 0) != 0)
        for (long fd = sysconf(_SC_OPEN_MAX); fd > R1I_JAIL_SELF_FD; fd--) close((int)fd); /* kernels before 5.9 */
    if (geteuid() == 0 &&
        (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
        fprintf(stderr, "cannot become an unprivileged user: %s\n", strerror(errno));
        return 126;
    }
    signal(SIGPIPE, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execv(argv[0], argv);
    fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
    return 127;
}

/* ---- inside: walls around one run -------------------------------------------------------------------------------- */

static bool limit(int what, uint64_t want)
{
    struct rlimit l;
    if (getrlimit((__rlimit_resource_t)what, &l) != 0) return false;
    if (l.rlim_max == RLIM_INFINITY || want < l.rlim_max) l.rlim_max = want; /* lowering only: raising may be refused */
    l.rlim_cur = l.rlim_max;
    return setrlimit((__rlimit_resource_t)what, &l) == 0;
}

/* Access bits by ABI version: a kernel refuses bits it does not know. Those newer than the packaged header are written
 * out. */
enum { LANDLOCK_REFER = 1 << 13, LANDLOCK_TRUNCATE = 1 << 14, LANDLOCK_IOCTL_DEV = 1 << 15 };
struct landlock_rules {
    uint64_t files, net, scoped;
};

static int landlock_abi(void)
{
    return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static bool landlock_allow(int ruleset, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {.allowed_access = access};
    rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.parent_fd < 0) return errno == ENOENT;
    const bool ok = syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
    close(rule.parent_fd);
    return ok;
}

/* Read and execute below /usr, read /proc and a few files of /etc, anything in /tmp, the four harmless devices; no TCP,
 * no abstract sockets or signals out of the domain. A new domain for every run: it may not trace what is outside of
 * it. */
static bool landlock(void)
{
    const int abi = landlock_abi();
    if (abi < 1) return false;
    const uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR,
                   exec = read | LANDLOCK_ACCESS_FS_EXECUTE;
    uint64_t all = (1 << 13) - 1; /* ABI 1 */
    if (abi >= 2) all |= LANDLOCK_REFER;
    if (abi >= 3) all |= LANDLOCK_TRUNCATE;
    if (abi >= 5) all |= LANDLOCK_IOCTL_DEV;
    struct landlock_rules r = {.files = all, .net = abi >= 4 ? 3 : 0, .scoped = abi >= 6 ? 3 : 0};
    const size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    const int set = (int)syscall(SYS_landlock_create_ruleset, &r, size, 0);
    if (set < 0) return false;
    const uint64_t device = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
        (abi >= 3 ? LANDLOCK_TRUNCATE : 0);
    bool ok = true;
    static const char *const roots[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin"};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) ok = ok && landlock_allow(set, roots[i], exec);
    ok = ok && landlock_allow(set, "/proc", read) && landlock_allow(set, "/etc", read) &&
        landlock_allow(set, "/tmp", all);
    static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full"};
    for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) ok = ok && landlock_allow(set, devices[i], device);
    ok = ok && landlock_allow(set, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE);
    ok = ok && landlock_allow(set, "/dev/random", LANDLOCK_ACCESS_FS_READ_FILE);
    ok = ok && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_landlock_restrict_self, set, 0) == 0;
    close(set);
    return ok;
}

static bool limits(const r1i_jail_request *q)
{
    enum { STACK = 64 << 20, FILES = 256, LOCKED = 64 << 10 };
    /* of one process; the sum of all is watched from process 1 */
    const uint64_t backstop = (uint64_t)q->cpu_seconds + 2;
    return limit(RLIMIT_AS, q->memory_bytes) && limit(RLIMIT_CPU, backstop) && limit(RLIMIT_FSIZE, q->file_bytes) &&
           limit(RLIMIT_NOFILE, FILES) && limit(RLIMIT_CORE, 0) && limit(RLIMIT_NPROC, q->processes + 1) &&
           limit(RLIMIT_STACK, STACK) && limit(RLIMIT_MEMLOCK, LOCKED) && limit(RLIMIT_MSGQUEUE, 0);
}

static void child(const r1i_jail_request *q, char **args, int in, int failed)
{
    static char *env[] = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "TMPDIR=/tmp", "LANG=C.UTF-8",
                          "PYTHONHASHSEED=0",
                          "PYTHONDONTWRITEBYTECODE=1", "OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", NULL};
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    const int keep = (q->flags & R1I_JAIL_RPC) ? R1I_JAIL_RPC_FD : -1;
    fcntl(failed, F_SETFD, FD_CLOEXEC);
    if (dup2(in, 0) == 0 && chdir("/tmp") == 0 && limits(q) && (!q->use_landlock || landlock())) {
        for (int fd = 3; fd < 64; fd++)
            if (fd != keep && fd != failed) close(fd);
        execve(args[0], args, env);
    }
    const int e = errno ? errno : EPERM;
    if (write(failed, &e, sizeof e) != (ssize_t)sizeof e) _exit(126);
    _exit(127);
}

/* ---- inside: clocks ---------------------------------------------------------------------------------------------- */

/* Seconds that all living processes but process 1 have run (cpu), and have wanted to run but waited for a processor
 * (wait). */
typedef struct usage {
    double cpu, wait;
} usage;

static bool read_small(const char *path, char *text, size_t size)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    const ssize_t n = read(fd, text, size - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return n > 0;
}

static double cpu_of(const char *pid)
{
    char path[300], text[1024];
    unsigned long long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    if (!read_small(path, text, sizeof text)) return 0;
    const char *p = strrchr(text, ')'); /* a program may call itself anything */
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2) return 0;
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static double wait_of(const char *pid)
{
    char path[600], text[128];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%s/task", pid);
    DIR *dir = opendir(path);
    if (!dir) return 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        unsigned long long ran, waited;
        if (e->d_name[0] < '0' || e->d_name[0] > '9') continue;
        snprintf(path, sizeof path, "/proc/%s/task/%s/schedstat", pid, e->d_name);
        if (read_small(path, text, sizeof text) && sscanf(text, "%llu %llu", &ran, &waited) == 2)
            sum += 1e-9 * (double)waited;
    }
    closedir(dir);
    return sum;
}

static double reaped(uint64_t *peak)
{
    struct rusage r;
    getrusage(RUSAGE_CHILDREN, &r);
    *peak = (uint64_t)r.ru_maxrss * 1024;
    return (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) + 1e-6 * (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec);
}

static usage living(void)
{
    usage u = {0, 0};
    DIR *dir = opendir("/proc");
    if (!dir) return u;
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9' && strcmp(e->d_name, "1") != 0) {
            u.cpu += cpu_of(e->d_name);
            u.wait += wait_of(e->d_name);
        }
    closedir(dir);
    return u;
}

typedef struct run {
    r1i_jail_request q;
    pid_t pid;              /* 0: none in progress */
    bool held, main_over;
    int status;             /* of the main process, as waitpid gives it */
    uint32_t cut;           /* R1I_END_CPU or R1I_END_IDLE once decided */
    double start, mark;     /* clocks of the whole run, and of the idle limit */
    double cpu_base, cpu_mark, wait_mark;
} run;

static double cpu_total(const usage *u)
{
    uint64_t peak;
    return u->cpu + reaped(&peak);
}

static void restart_clocks(run *r, bool all)
{
    const usage u = living();
    r->mark = now();
    r->cpu_mark = cpu_total(&u);
    r->wait_mark = u.wait;
    if (!all) return;
    r->start = r->mark;
    r->cpu_base = r->cpu_mark;
    r->held = false;
}

/* Ends the run when a clock is over; otherwise gives the milliseconds until the next look. Waiting for a processor is
 * not idling, so a busy machine cannot turn an accepted program into a timed out one. */
static int watch(run *r)
{
    const usage u = living();
    const double cpu = cpu_total(&u), t = now();
    const double used = cpu - r->cpu_base,
                 busy = (cpu - r->cpu_mark) + (u.wait > r->wait_mark ? u.wait - r->wait_mark : 0);
    const double idle = t - r->mark - busy;
    if (used > r->q.cpu_seconds) r->cut = R1I_END_CPU;
    else if (idle > r->q.idle_seconds) r->cut = R1I_END_IDLE;
    if (r->cut) {
        kill(-1, SIGKILL);
        return 1000;
    }
    /* the soonest moment at which the limit could be met with two processors; a look costs some 50 us */
    double next = (r->q.cpu_seconds - used) / 2;
    if (r->q.idle_seconds - idle < next) next = r->q.idle_seconds - idle;
    return next < 0.02 ? 20 : next > 1 ? 1000 : (int)(next * 1000);
}

/* ---- inside: requests -------------------------------------------------------------------------------------------- */

static void read_all(void *to, size_t bytes)
{
    for (char *p = to; bytes;) {
        const ssize_t n = read(R1I_JAIL_CONTROL_FD, p, bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) _exit(0); /* the judge is gone: with process 1 goes all the rest */
        p += n;
        bytes -= (size_t)n;
    }
}

static void report(const r1i_jail_report *p)
{
    if (send(R1I_JAIL_CONTROL_FD, p, sizeof *p, MSG_NOSIGNAL) != (ssize_t)sizeof *p) _exit(0);
}

static bool write_file(const char *path, const char *bytes, size_t n)
{
    unlink(path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    bool ok = fd >= 0;
    for (size_t done = 0; ok && done < n;) {
        const ssize_t w = write(fd, bytes + done, n - done);
        ok = w > 0;
        if (ok) done += (size_t)w;
    }
    if (fd >= 0) close(fd);
    return ok;
}

static void fail(int errnum)
{
    const r1i_jail_report p = {.kind = R1I_JAIL_DONE, .end = R1I_END_SETUP, .status = errnum};
    report(&p);
}

static const char stdin_path[] = "/run/stdin";

static void start(run *r, const r1i_jail_request *q, char *payload)
{
    char *args[MAX_ARGS + 1];
    int n = 0, pipes[2], failed = 0;
    for (size_t at = 0; at < q->bytes && n < MAX_ARGS; at += strlen(payload + at) + 1) args[n++] = payload + at;
    args[n] = NULL;
    int in = open(stdin_path, O_RDONLY | O_CLOEXEC);
    if (in < 0) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    unlink(stdin_path);
    if (n == 0 || in < 0 || pipe2(pipes, O_CLOEXEC) != 0) {
        fail(n == 0 ? EINVAL : errno);
        return;
    }
    *r = (run){.q = *q, .held = (q->flags & R1I_JAIL_HELD) != 0};
    uint64_t peak;
    r->start = r->mark = now();
    r->cpu_base = r->cpu_mark = reaped(&peak);
    r->pid = fork();
    if (r->pid == 0) {
        close(pipes[0]);
        child(q, args, in, pipes[1]);
    }
    const int fork_errno = errno;
    close(pipes[1]);
    close(in);
    if (r->pid < 0) {
        r->pid = 0;
        fail(fork_errno);
    } else if (read(pipes[0], &failed, sizeof failed) == (ssize_t)sizeof failed) {
        waitpid(r->pid, NULL, 0);
        r->pid = 0;
        fail(failed);
    }
    close(pipes[0]);
}

/* Takes dead processes; once the main one is over the others are killed, and with the last of them the run is done. */
static void reap(run *r)
{
    for (;;) {
        int status;
        const pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid > 0 && pid == r->pid) {
            r->main_over = true;
            r->status = status;
        }
        if (pid > 0) continue;
        if (pid == 0) {
            if (!r->pid || !r->main_over) return;
            kill(-1, SIGKILL);
            if (waitpid(-1, &status, 0) < 0 && errno != EINTR) continue;
            continue;
        }
        if (errno == EINTR) continue;
        break; /* ECHILD: nobody is left */
    }
    if (!r->pid) return;
    r1i_jail_report p = {.kind = R1I_JAIL_DONE, .wall_seconds = now() - r->start};
    p.cpu_seconds = reaped(&p.peak_bytes) - r->cpu_base;
    p.end = WIFEXITED(r->status) ? R1I_END_EXIT : R1I_END_SIGNAL;
    p.status = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : WTERMSIG(r->status);
    if (r->cut) p.end = r->cut;
    /* also by processes that ended between two looks */
    else if (p.cpu_seconds > r->q.cpu_seconds && !r->held) p.end = R1I_END_CPU;
    r->pid = 0;
    report(&p);
}

/* What the judge put there, and what it compiled. */
static bool is_kept(const char *name)
{
    static const char *const kept[] = {".", "..", "main", "main.py", "main.c", "main.cpp"};
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        if (strcmp(name, kept[i]) == 0) return true;
    return false;
}

/* Empties /tmp without recursion, whatever depth a program made: directories below are moved up before they are
 * removed. */
static void clean(void)
{
    for (unsigned moved = 0, again = 1; again;) {
        again = 0;
        DIR *top = opendir("/tmp");
        if (!top) return;
        for (struct dirent *e; (e = readdir(top)) != NULL;) {
            char path[300], from[600], to[64];
            if (is_kept(e->d_name)) continue;
            snprintf(path, sizeof path, "/tmp/%s", e->d_name);
            if (unlink(path) == 0 || rmdir(path) == 0) continue;
            chmod(path, 0700);
            DIR *below = opendir(path);
            if (!below) continue;
            for (struct dirent *f; (f = readdir(below)) != NULL;) {
                if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0) continue;
                snprintf(from, sizeof from, "%s/%s", path, f->d_name);
                snprintf(to, sizeof to, "/tmp/.r1-%u", moved++);
                if (unlink(from) != 0 && rmdir(from) != 0) {
                    chmod(from, 0700); /* moving a directory rewrites its "..": it must be writable */
                    if (rename(from, to) == 0) again = 1;
                }
            }
            closedir(below);
            rmdir(path);
        }
        closedir(top);
    }
}

/* ---- inside: are the walls there? -------------------------------------------------------------------------------- */

static bool in_child(bool (*try)(void))
{
    const pid_t pid = fork();
    int status = 1;
    if (pid == 0) _exit(try() ? 0 : 1);
    if (pid < 0 || waitpid(pid, &status, 0) != pid) return false;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool try_fork(void)
{
    if (!limit(RLIMIT_NPROC, 1)) return false;
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    return pid < 0 && errno == EAGAIN;
}

/* /run/secret is readable before and must not be behind the wall; /tmp must stay writable. */
static bool try_landlock(void)
{
    int fd = open("/run/secret", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    close(fd);
    if (!landlock()) return false;
    if ((fd = open("/run/secret", O_RDONLY | O_CLOEXEC)) >= 0) return false;
    return (fd = open("/tmp/probe", O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0 && unlink("/tmp/probe") == 0;
}

static bool try_filter(void)
{
    return socket(AF_INET, SOCK_DGRAM, 0) < 0 && syscall(SYS_ptrace, 0, 0, 0, 0) != 0 &&
        syscall(SYS_keyctl, 0, -3, 0) < 0 && prctl(PR_GET_SECCOMP) == 2;
}

static void probe(void)
{
    r1i_jail_report p = {.kind = R1I_JAIL_WALLS, .landlock_abi = landlock_abi()};
    if (getpid() == 1 && syscall(SYS_unshare, 0x10000000 /* CLONE_NEWUSER */) != 0) p.walls |= R1I_WALL_BUBBLEWRAP;
    if (write_file("/run/secret", "x", 1) && in_child(try_landlock)) p.walls |= R1I_WALL_LANDLOCK;
    unlink("/run/secret");
    if (in_child(try_filter)) p.walls |= R1I_WALL_SECCOMP;
    if (in_child(try_fork)) p.walls |= R1I_WALL_PROCESSES;
    report(&p);
}

/* ---- inside: the loop -------------------------------------------------------------------------------------------- */

static void serve(run *r)
{
    r1i_jail_request q;
    read_all(&q, sizeof q);
    char *payload = malloc(q.bytes + 1), path[300];
    if (!payload) _exit(1);
    read_all(payload, q.bytes);
    payload[q.bytes] = 0;
    const size_t name = strlen(payload) + 1;
    switch (q.op) {
    case R1I_JAIL_PUT:
        snprintf(path, sizeof path, "/tmp/%s", payload);
        if (name > q.bytes || !write_file(path, payload + name, q.bytes - name)) _exit(2);
        break;
    case R1I_JAIL_STDIN:
        if (!write_file(stdin_path, payload, q.bytes)) _exit(2);
        break;
    case R1I_JAIL_RUN: start(r, &q, payload); break;
    case R1I_JAIL_ARM:
        r->q.cpu_seconds = q.cpu_seconds;
        r->q.idle_seconds = q.idle_seconds;
        restart_clocks(r, true);
        break;
    case R1I_JAIL_MARK: restart_clocks(r, false); break;
    case R1I_JAIL_CLEAN: clean(); break;
    case R1I_JAIL_PROBE: probe(); break;
    default: _exit(3);
    }
    free(payload);
}

static int inside(void)
{
    sigset_t chld;
    close(R1I_JAIL_FILTER_FD);
    close(R1I_JAIL_SELF_FD);
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_BLOCK, &chld, NULL);
    const int signals = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    if (signals < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return 4;
    fcntl(R1I_JAIL_CONTROL_FD, F_SETFD, FD_CLOEXEC);
    umask(077);
    run r = {0};
    for (;;) {
        struct pollfd p[2] = {{.fd = R1I_JAIL_CONTROL_FD, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
        const int timeout = r.pid && !r.held ? watch(&r) : -1;
        if (poll(p, 2, timeout) < 0 && errno != EINTR) return 5;
        if (p[1].revents) {
            struct signalfd_siginfo info;
            while (read(signals, &info, sizeof info) > 0) continue;
            reap(&r);
        }
        if (p[0].revents) serve(&r);
    }
}

int main(int argc, char **argv)
{
    return argc > 2 && strcmp(argv[1], "launch") == 0 ? launch(argv + 2) : inside();
}
