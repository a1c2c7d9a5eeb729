/* The parent's side of the exact proof: writes the formula down, keeps one r1-prover running, and kills it when its
 * time is over. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "reward/math_inner.h"

enum { PROOFS_A_CHILD = 2000, LONGEST = (1 << 20) - 16 };

struct r1i_prover {
    pid_t child;   /* 0: none runs */
    int fd;
    int proofs;
    bool missing;  /* no program was found: not looked for again */
    char path[PATH_MAX];
};

static void stop(r1i_prover *p)
{
    if (!p->child) return;
    close(p->fd);
    kill(p->child, SIGKILL);
    while (waitpid(p->child, NULL, 0) < 0 && errno == EINTR) {}
    p->child = 0;
}

void r1i_prover_destroy(r1i_prover *prover)
{
    if (!prover) return;
    stop(prover);
    free(prover);
}

/* Beside the running program (a build folder), or in ../libexec/r1 of an installation. */
static bool find(char *path, size_t room)
{
    char self[PATH_MAX - 64];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return false;
    self[n] = 0;
    char *const slash = strrchr(self, '/');
    if (!slash) return false;
    *slash = 0;
    static const char *const places[] = {"r1-prover", "../libexec/r1/r1-prover"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        snprintf(path, room, "%s/%s", self, places[i]);
        if (access(path, X_OK) == 0) return true;
    }
    return false;
}

static bool start(r1i_prover *p, size_t bytes)
{
    int fd[2];
    char limit[32];
    if (!p->path[0] && !find(p->path, sizeof p->path)) {
        p->missing = true;
        return false;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd) != 0) return false;
    snprintf(limit, sizeof limit, "%zu", bytes);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&how);
    posix_spawn_file_actions_adddup2(&files, fd[1], 0);
    posix_spawn_file_actions_adddup2(&files, fd[1], 1);
    posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    char *argv[] = {p->path, limit, NULL}, *env[] = {NULL};
    const int failed = posix_spawn(&p->child, p->path, &files, &how, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    close(fd[1]);
    if (failed) {
        close(fd[0]);
        p->child = 0;
        return false;
    }
    p->fd = fd[0];
    p->proofs = 0;
    return true;
}

/* ---- the formula in prefix words ---- */

static bool write_frac(r1i_mtext *t, const r1i_frac *f, bool *variables);

static bool write_atom(r1i_mtext *t, const r1i_atom *a, bool *variables)
{
    switch (a->kind) {
    case R1I_A_SYM:
        *variables = true;
        r1i_mtext_add(t, "V ");
        for (const char *s = a->key; *s; s++) r1i_mtext_put(t, *s == ' ' ? "_" : s, 1);
        r1i_mtext_add(t, " ");
        return true;
    case R1I_A_PRIME: case R1I_A_CONST:
        r1i_mtext_add(t, a->kind == R1I_A_PRIME ? "N " : "C ");
        r1i_mtext_add(t, a->key);
        r1i_mtext_add(t, " ");
        return true;
    case R1I_A_FN:
        if (a->n_args != 1) return false;
        r1i_mtext_add(t, "f ");
        r1i_mtext_add(t, r1i_mfn_name[a->op]);
        r1i_mtext_add(t, " 1 ");
        return write_frac(t, &a->arg[0], variables);
    case R1I_A_ROOT:
        r1i_mtext_add(t, "R ");
        return write_frac(t, &a->arg[0], variables);
    case R1I_A_POWER:
        r1i_mtext_add(t, "W ");
        return write_frac(t, &a->arg[0], variables) && write_frac(t, &a->arg[1], variables);
    case R1I_A_OPAQUE: break;
    }
    return false;
}

static bool write_poly(r1i_mtext *t, const r1i_poly *p, bool *variables)
{
    char part[64];
    snprintf(part, sizeof part, "P %d ", p->n);
    r1i_mtext_add(t, part);
    for (int i = 0; i < p->n; i++) {
        r1i_mem_work(t->mem, 4);
        r1i_mtext_add(t, "T ");
        r1i_rat_write(t, &p->t[i].c);
        snprintf(part, sizeof part, " %d ", p->t[i].n);
        r1i_mtext_add(t, part);
        for (int j = 0; j < p->t[i].n; j++) {
            snprintf(part, sizeof part, "F %d %d ", p->t[i].f[j].p, p->t[i].f[j].q);
            r1i_mtext_add(t, part);
            if (!write_atom(t, p->t[i].f[j].atom, variables)) return false;
        }
    }
    return true;
}

static bool write_frac(r1i_mtext *t, const r1i_frac *f, bool *variables)
{
    r1i_mtext_add(t, "Q ");
    return write_poly(t, &f->num, variables) && write_poly(t, &f->den, variables);
}

/* ---- one question ---- */

static bool send_all(int fd, const char *s, size_t n, double until)
{
    while (n) {
        const ssize_t w = send(fd, s, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (w > 0) {
            s += w;
            n -= (size_t)w;
            continue;
        }
        if (w < 0 && errno == EINTR) continue;
        const double left = until - r1i_seconds();
        if (w == 0 || errno != EAGAIN || left <= 0) return false;
        struct pollfd p = {.fd = fd, .events = POLLOUT};
        if (poll(&p, 1, (int)(left * 1000) + 1) <= 0) return false;
    }
    return true;
}

static int ask(r1i_prover *p, const r1i_mtext *t, double seconds)
{
    char answer[2];
    size_t got = 0;
    const double until = r1i_seconds() + seconds;
    if (!send_all(p->fd, t->s, t->n, until)) return 0;
    while (got < 2) {
        const double left = until - r1i_seconds();
        struct pollfd f = {.fd = p->fd, .events = POLLIN};
        const int ready = left > 0 ? poll(&f, 1, (int)(left * 1000) + 1) : 0;
        if (ready < 0 && errno == EINTR) continue;
        if (ready <= 0) return 0;
        const ssize_t n = recv(p->fd, answer + got, 2 - got, 0);
        if (n <= 0) return 0;
        got += (size_t)n;
    }
    return answer[0];
}

int r1i_math_prove(r1i_math *math, const r1i_frac *difference, const char **why)
{
    *why = "not proved equal";
    if (math->options.no_prover) return 0;
    if (!math->prover && !(math->prover = calloc(1, sizeof *math->prover))) return 0;
    r1i_prover *const p = math->prover;
    if (p->missing) {
        *why = "not proved equal (r1-prover is missing)";
        return 0;
    }
    const double now = r1i_seconds();
    if (math->proof_until == 0) math->proof_until = now + math->options.proof_seconds;
    if (now >= math->proof_until) {
        *why = "not proved equal: the time for proofs is over";
        return 0;
    }
    r1i_mtext t = {.mem = &math->scratch};
    bool variables = false;
    r1i_mtext_add(&t, "c ");
    if (!write_poly(&t, &difference->num, &variables)) return 0;
    r1i_mtext_add(&t, "\n");
    if (t.n > LONGEST) return 0;
    if (variables) t.s[0] = 'v';
    if (p->proofs >= PROOFS_A_CHILD) stop(p); /* what a library does not give back ends with it */
    if (!p->child && !start(p, math->options.proof_bytes)) {
        if (p->missing) *why = "not proved equal (r1-prover is missing)";
        return 0;
    }
    p->proofs++;
    const int answer = ask(p, &t, math->proof_until - now);
    if (!answer) {
        stop(p);
        *why = "not proved equal: the proof ran out of time or memory";
        return 0;
    }
    return answer == '1' ? 1 : answer == '-' ? -1 : 0;
}
