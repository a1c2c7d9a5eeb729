/* The system call filter: what a computation needs is allowed, all else fails with ENOSYS or EPERM, so that a library
 * which can do without does so. A list of what is allowed also refuses the calls that kernels have yet to grow. */
#include "reward/code_walls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#if R1_WITH_SECCOMP
#include <seccomp.h>

#include <sched.h>
#include <string.h>
#include <sys/socket.h>

/* Grouped by what a program does. Names that an architecture lacks are passed over. */
static const char *const allowed[] = {
    /* files and folders: where they may be is the mounts' and Landlock's business */
    "access", "chdir", "chmod", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3", "faccessat",
    "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fcntl", "fdatasync", "flock", "fstat",
    "fstatfs", "fsync", "ftruncate", "getcwd", "getdents", "getdents64", "getxattr", "fgetxattr", "lgetxattr",
    "listxattr", "flistxattr", "llistxattr", "ioctl", "link", "linkat", "lseek", "lstat", "mkdir", "mkdirat",
    "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2",
    "read", "readahead", "readlink", "readlinkat", "readv", "rename", "renameat", "renameat2", "rmdir", "sendfile",
    "splice", "stat", "statfs", "statx", "symlink", "symlinkat", "sync_file_range", "tee", "truncate", "umask",
    "unlink", "unlinkat", "utime", "utimensat", "utimes", "futimesat", "write", "writev", "vmsplice",
    /* memory */
    "brk", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mmap", "mprotect", "mremap", "msync", "munlock",
    "munmap",
    /* processes, threads, signals */
    "arch_prctl", "execve", "exit", "exit_group", "fork", "futex", "futex_waitv", "get_robust_list", "getegid",
    "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid",
    "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid", "kill", "pause", "prctl", "prlimit64",
    "restart_syscall", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity",
    "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_setaffinity", "sched_yield", "set_robust_list",
    "set_tid_address", "setpgid", "setpriority", "setrlimit", "setsid", "sigaltstack", "tgkill", "tkill", "times",
    "vfork", "wait4", "waitid", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    /* waiting and pipes; a pair of local sockets reaches nobody outside */
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2",
    "pipe", "pipe2", "poll", "ppoll", "pselect6", "select", "signalfd", "signalfd4", "recvfrom", "recvmsg", "sendmsg",
    "sendto", "shutdown", "getsockopt", "setsockopt", "getsockname", "getpeername",
    /* time, randomness, names */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday", "nanosleep",
    "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime", "timer_settime",
    "timerfd_create", "timerfd_gettime", "timerfd_settime", "sysinfo", "uname", "getcpu",
};

/* Known calls that are refused as forbidden instead of unknown: a program that asks sees why. Not here and not above:
 * ENOSYS. */
static const char *const forbidden[] = {
    "socket", "connect", "bind", "listen", "accept", "accept4", "ptrace", "process_vm_readv", "process_vm_writev",
    "pidfd_getfd", "pidfd_open", "pidfd_send_signal", "mount", "umount2", "pivot_root", "chroot", "move_mount",
    "open_tree", "fsopen", "fsmount", "mount_setattr", "unshare", "setns", "bpf", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "keyctl", "add_key", "request_key", "userfaultfd", "perf_event_open", "init_module",
    "finit_module", "kexec_load", "reboot", "swapon", "personality", "shmget", "msgget", "semget", "memfd_create",
    "memfd_secret", "name_to_handle_at", "open_by_handle_at", "quotactl", "acct", "setuid", "setgid", "setreuid",
    "setregid", "setresuid", "setresgid", "setgroups", "capset", "chown", "fchown", "lchown", "fchownat", "mknod",
    "mknodat", "syslog", "sethostname", "settimeofday", "clock_settime", "adjtimex", "sched_setscheduler",
    "sched_setattr",
};

static int rule(scmp_filter_ctx ctx, uint32_t action, const char *name)
{
    const int number = seccomp_syscall_resolve_name(name);
    return number < 0 ? 0 : seccomp_rule_add(ctx, action, number, 0);
}

static int rules(scmp_filter_ctx ctx)
{
    enum { NAMESPACES = (int)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
                              CLONE_NEWPID | CLONE_NEWNET) };
    int failed = 0;
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) failed |= rule(ctx, SCMP_ACT_ALLOW, allowed[i]);
    for (size_t i = 0; i < sizeof forbidden / sizeof *forbidden; i++)
        failed |= rule(ctx, SCMP_ACT_ERRNO(EPERM), forbidden[i]);
    /* clone for threads and children, never for namespaces; clone3 hides its flags behind a pointer: ENOSYS, and libc
     * takes clone */
    failed |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
                               SCMP_A0(SCMP_CMP_MASKED_EQ, (scmp_datum_t)NAMESPACES, 0));
    failed |= seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
    return failed;
}

r1_status r1i_seccomp_file(int *out, r1_error *err)
{
    *out = -1;
    r1_status st = R1_OK;
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!ctx) return r1i_fail(err, R1_ERR_NOMEM, "system call filter");
    const int fd = memfd_create("r1-filter", MFD_CLOEXEC);
    if (fd < 0) st = r1i_fail_errno(err, errno, "system call filter: memory file");
    else if (rules(ctx) != 0 || seccomp_export_bpf(ctx, fd) != 0)
        st = r1i_fail(err, R1_ERR_MISSING, "libseccomp cannot make the system call filter");
    seccomp_release(ctx);
    if (st == R1_OK) *out = fd;
    else if (fd >= 0) close(fd);
    return st;
}
#else
r1_status r1i_seccomp_file(int *out, r1_error *err)
{
    (void)err;
    *out = -1;
    return R1_OK;
}
#endif
