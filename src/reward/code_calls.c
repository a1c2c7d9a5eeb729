/* Assertions over a program's functions. The program runs in a sandbox of its own and answers calls; the assertions run
 * in the tester's sandbox, and this process carries the frames between them. The program never holds a test, an
 * expected value or the place where the verdict is said: ending early, printing, replacing builtins or walking the
 * stack gain it nothing. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "reward/code_coder.h"

enum { MOST_FRAME = 64 << 20, HARD_WALL_FACTOR = 40, HEADER = 5 };

/* One direction's bytes in flight. */
typedef struct queue {
    char *p;
    size_t n, cap, at;
} queue;

typedef struct wire {
    int fd;
    queue in, out;
} wire;

typedef struct session {
    r1i_coder *c;
    r1i_sandbox *program;  /* NULL when only the tester is asked */
    wire p, t;
    r1i_capture tester_says;
    r1i_code_result *result;
    r1i_text job;          /* for the tester, framed */
    bool loaded;           /* the program's definitions have been executed */
    bool asked;            /* the program owes the tester an answer */
    bool decided;          /* result is final */
    bool tester_idle;      /* it has nothing in progress */
    bool tester_lost, program_lost, no_memory;
} session;

static bool push(queue *q, const void *bytes, size_t n)
{
    if (q->at == q->n) q->at = q->n = 0;
    if (q->n + n > q->cap) {
        const size_t cap = (q->n + n) * 2;
        char *const more = realloc(q->p, cap);
        if (!more) return false;
        q->p = more;
        q->cap = cap;
    }
    if (n) memcpy(q->p + q->n, bytes, n);
    q->n += n;
    return true;
}

static bool push_frame(queue *q, char kind, const char *payload, size_t n)
{
    const size_t length = n + 1;
    const unsigned char header[HEADER] = {(unsigned char)length, (unsigned char)(length >> 8),
                                          (unsigned char)(length >> 16), (unsigned char)(length >> 24),
                                          (unsigned char)kind};
    return push(q, header, sizeof header) && push(q, payload, n);
}

/* Reads what is there; false at the end of the wire. */
static bool fill(session *s, wire *w)
{
    char buffer[1 << 16];
    for (;;) {
        const ssize_t n = read(w->fd, buffer, sizeof buffer);
        if (n == 0) return false;
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        if (!push(&w->in, buffer, (size_t)n)) s->no_memory = true;
        if (s->no_memory || w->in.n - w->in.at > MOST_FRAME + HEADER) return true;
    }
}

static bool flush(wire *w)
{
    while (w->out.at < w->out.n) {
        const ssize_t n = send(w->fd, w->out.p + w->out.at, w->out.n - w->out.at, MSG_NOSIGNAL);
        if (n < 0) return errno == EAGAIN || errno == EINTR;
        w->out.at += (size_t)n;
    }
    return true;
}

/* The next whole frame, borrowed until the next fill. -1: too long or empty, which no honest side sends. */
static int frame(wire *w, char *kind, const char **payload, size_t *n)
{
    if (w->in.n - w->in.at < 4) return 0;
    const unsigned char *const p = (const unsigned char *)w->in.p + w->in.at;
    const size_t length = p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
    if (length == 0 || length > MOST_FRAME) return -1;
    if (w->in.n - w->in.at < 4 + length) return 0;
    *kind = (char)p[4];
    *payload = (const char *)p + HEADER;
    *n = length - 1;
    w->in.at += 4 + length;
    return 1;
}

static void decide(session *s, r1i_code_outcome outcome, const char *what, const char *text, size_t n)
{
    char copy[180];
    if (s->decided) return;
    snprintf(copy, sizeof copy, "%.*s", n > sizeof copy - 1 ? (int)sizeof copy - 1 : (int)n, text);
    r1i_code_set(s->result, outcome, "%s%s", what, copy);
    s->decided = true;
}

/* ---- frames ---- */

static bool has_text(const char *s, size_t n, const char *what)
{
    const size_t k = strlen(what);
    for (size_t i = 0; i + k <= n; i++)
        if (memcmp(s + i, what, k) == 0) return true;
    return false;
}

static void from_program(session *s, char kind, const char *payload, size_t n)
{
    if (kind == 'K' && !s->loaded) {
        s->loaded = true;
        s->tester_idle = false;
        if (!push_frame(&s->t.out, 'J', s->job.bytes, s->job.n)) s->no_memory = true;
    } else if (kind == 'E' && !s->loaded && n > 0) {
        const bool memory = has_text(payload, n, "MemoryError");
        decide(s, payload[0] == 'C' ? R1I_CE : memory ? R1I_MLE : R1I_RE, "", payload + 1, n - 1);
    } else if (kind == 'R' && s->asked) {
        s->asked = false;
        if (!push_frame(&s->t.out, 'R', payload, n)) s->no_memory = true;
    } else decide(s, R1I_RE, "the program wrote to its harness's channel", "", 0);
}

static void from_tester(session *s, char kind, const char *payload, size_t n)
{
    if (kind == 'C' && s->program) {
        /* one idle limit for every call: the time that the tester takes is not the program's */
        const r1i_jail_request mark = {.op = R1I_JAIL_MARK};
        r1i_sandbox_send(s->program, &mark, NULL);
        s->asked = true;
        if (!push_frame(&s->p.out, 'C', payload, n)) s->no_memory = true;
    } else if (kind == 'V' && n > 0) {
        const bool memory = payload[0] == 'R' &&
            (has_text(payload, n, "MemoryError") || has_text(payload, n, "out of memory"));
        const r1i_code_outcome outcome = payload[0] == 'P' ? R1I_AC : payload[0] == 'W' ? R1I_WA : memory ? R1I_MLE
            : R1I_RE;
        decide(s, outcome, payload[0] == 'D' ? "the tests cannot be run: " : "", payload + 1, n - 1);
    } else if (kind == 'Z') {
        s->tester_idle = true;
        if (n && payload[0] == 't') decide(s, R1I_TLE, "the tests ran out of time on the program's answers", "", 0);
        decide(s, R1I_RE, "the tests ended without a verdict", "", 0);
    }
}

static void take_frames(session *s)
{
    char kind;
    const char *payload;
    size_t n;
    int got = 0;
    while (s->program && !s->decided && (got = frame(&s->p, &kind, &payload, &n)) > 0)
        from_program(s, kind, payload, n);
    if (got < 0) decide(s, R1I_RE, "the program wrote to its harness's channel", "", 0);
    while ((got = frame(&s->t, &kind, &payload, &n)) > 0) from_tester(s, kind, payload, n);
    if (got < 0) s->tester_lost = true;
}

/* ---- the loop ---- */

/* The program's sandbox reports that its process is over, or is gone. */
static void program_over(session *s)
{
    r1i_jail_report report;
    r1i_capture *const o = &s->c->capture;
    const bool whole = recv(s->program->control, &report, sizeof report, MSG_WAITALL) == (ssize_t)sizeof report;
    if (!r1i_capture_drain(o, s->program)) s->no_memory = true;
    const bool memory = r1i_sandbox_out_of_memory(s->program);
    if (!whole && memory) decide(s, R1I_MLE, "the sandbox ran out of memory", "", 0);
    if (!whole) s->program_lost = true;
    if (s->decided || !whole) return;
    r1i_coder_judge_end(s->c, &report, memory, s->result);
    if (s->result->outcome == R1I_AC)
        r1i_code_set(s->result, R1I_RE, "the program ended itself before the tests were over");
    s->decided = true;
}

static void turn(session *s, int timeout)
{
    r1i_sandbox *const t = &s->c->tester;
    enum { TC, TO, TE, TW, PC, PO, PE, PW, N };
    struct pollfd p[N] = {
        [TC] = {.fd = t->control, .events = POLLIN}, [TO] = {.fd = t->out, .events = POLLIN},
        [TE] = {.fd = t->err, .events = POLLIN},
        [TW] = {.fd = s->t.fd, .events = (short)(POLLIN | (s->t.out.at < s->t.out.n ? POLLOUT : 0))},
    };
    const int n = s->program ? N : PC;
    if (s->program) {
        p[PC] = (struct pollfd){.fd = s->program->control, .events = POLLIN};
        p[PO] = (struct pollfd){.fd = s->program->out, .events = POLLIN};
        p[PE] = (struct pollfd){.fd = s->program->err, .events = POLLIN};
        p[PW] = (struct pollfd){.fd = s->p.fd, .events = (short)(POLLIN | (s->p.out.at < s->p.out.n ? POLLOUT : 0))};
    }
    if (poll(p, (nfds_t)n, timeout) <= 0) return;
    r1i_capture_reset(&s->tester_says); /* what tests print is of no interest, but must not fill the pipe */
    if ((p[TO].revents | p[TE].revents) && !r1i_capture_drain(&s->tester_says, t)) s->no_memory = true;
    if (p[TW].revents & (POLLIN | POLLHUP) && !fill(s, &s->t)) s->tester_lost = true;
    if (p[TC].revents) s->tester_lost = true;
    if (s->program) {
        if ((p[PO].revents | p[PE].revents) && !r1i_capture_drain(&s->c->capture, s->program)) s->no_memory = true;
        if (s->c->capture.overflow) decide(s, R1I_OLE, "too much was printed", "", 0);
        if (p[PW].revents & POLLIN) fill(s, &s->p); /* its end is told by the control socket */
    }
    take_frames(s);
    if (s->program && p[PC].revents) program_over(s);
    flush(&s->t);
    if (s->program) flush(&s->p);
}

/* Until there is a verdict and the tester is free again. */
static void converse(session *s)
{
    const double start = r1i_seconds(), patience = s->c->limits.wall_seconds * HARD_WALL_FACTOR;
    bool aborted = false;
    double over = 0;
    while (!(s->decided && s->tester_idle) && !s->tester_lost && !s->program_lost && !s->no_memory) {
        const double t = r1i_seconds();
        if (s->decided && !aborted) {
            if (!push_frame(&s->t.out, 'A', "", 0)) break; /* a test that waits for an answer gives up */
            aborted = true;
            over = t;
            flush(&s->t);
        }
        if (aborted && t - over > s->c->limits.wall_seconds) break;
        if (!s->decided && t - start > patience) decide(s, R1I_TLE, "the tests were not over in time", "", 0);
        turn(s, 1000);
    }
}

static void free_session(session *s)
{
    free(s->p.in.p), free(s->p.out.p), free(s->t.in.p), free(s->t.out.p), free(s->tester_says.out);
}

static r1_status tester_up(r1i_coder *c, r1_error *err)
{
    if (r1i_sandbox_alive(&c->tester)) return R1_OK;
    r1i_sandbox_kill(&c->tester);
    const r1_status st = r1i_sandbox_start(&c->kit, &c->limits, &c->tester, err);
    if (st == R1_OK) r1i_coder_start_harness(c, &c->tester, "tests");
    return st;
}

/* One conversation; *again: a sandbox was lost through no fault of the program. */
static r1_status attempt(r1i_coder *c, r1i_text program, r1i_text job, char op, r1i_code_result *result, bool *again,
                         r1_error *err)
{
    r1i_sandbox box = {0};
    session s = {.c = c, .result = result, .job = job, .tester_idle = true, .tester_says = {.limit = 1 << 20}};
    *result = (r1i_code_result){0};
    r1_status st = tester_up(c, err);
    if (st == R1_OK && op == 'J') st = r1i_coder_take(c, true, &box, err);
    if (st != R1_OK) return st;
    s.t.fd = c->tester.rpc;
    r1i_capture_reset(&c->capture);
    bool ok;
    if (op == 'J') {
        const r1i_jail_request arm = r1i_coder_request(c, R1I_JAIL_ARM);
        s.program = &box;
        s.p.fd = box.rpc;
        ok = push_frame(&s.p.out, 'L', program.bytes, program.n);
        r1i_sandbox_send(&box, &arm, NULL);
        flush(&s.p);
    } else {
        s.tester_idle = false;
        ok = push_frame(&s.t.out, op, job.bytes, job.n) && flush(&s.t);
    }
    if (ok) converse(&s);
    if (!s.tester_idle || s.tester_lost || s.t.out.at < s.t.out.n) r1i_sandbox_kill(&c->tester);
    r1i_sandbox_kill(&box);
    *again = !s.decided;
    free_session(&s);
    return ok && !s.no_memory ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "code runner: frames");
}

/* ---- the job: a tuple in the harness's encoding, after the processor seconds that the tests may take ---- */

static bool push_text(queue *q, r1i_text t)
{
    char head[32];
    const int n = snprintf(head, sizeof head, "s%zx;", t.n);
    return push(q, head, (size_t)n) && push(q, t.bytes, t.n);
}

static bool push_job(queue *q, const r1i_coder *c, const r1i_call_tests *t)
{
    char head[32];
    const unsigned seconds = (unsigned)c->limits.cpu_seconds + 2;
    const unsigned char clock[4] = {(unsigned char)seconds, (unsigned char)(seconds >> 8),
                                    (unsigned char)(seconds >> 16), 0};
    bool ok = push(q, clock, sizeof clock) && push(q, "u5;", 3) && push_text(q, t->prelude) && push_text(q, t->setup);
    const int n = snprintf(head, sizeof head, "l%zx;", t->n_assertions);
    ok = ok && push(q, head, (size_t)n);
    for (size_t i = 0; ok && i < t->n_assertions; i++) ok = push_text(q, t->assertions[i]);
    return ok && push_text(q, t->check) && push_text(q, t->entry);
}

static r1_status converse_twice(r1i_coder *c, r1i_text program, const r1i_call_tests *tests, char op,
                                r1i_code_result *result, r1_error *err)
{
    const double start = r1i_seconds();
    queue job = {0};
    bool again = true;
    r1_status st = R1_OK;
    if (!c->tool[R1I_PYTHON]) return r1i_fail(err, R1_ERR_MISSING, "python3 is not installed below /usr");
    if (!push_job(&job, c, tests)) st = r1i_fail(err, R1_ERR_NOMEM, "code runner: tests");
    for (int tries = 0; st == R1_OK && again && tries < 3; tries++)
        st = attempt(c, program, (r1i_text){job.p, job.n}, op, result, &again, err);
    free(job.p);
    if (st == R1_OK && again) st = r1i_fail(err, R1_ERR_IO, "the sandbox was lost three times");
    result->wall_seconds = r1i_seconds() - start;
    return st;
}

r1_status r1i_coder_calls(r1i_coder *c, r1i_text program, const r1i_call_tests *tests, r1i_code_result *result,
                          r1_error *err)
{
    return converse_twice(c, program, tests, 'J', result, err);
}

r1_status r1i_coder_check_calls(r1i_coder *c, const r1i_call_tests *tests, r1_error *err)
{
    r1i_code_result result;
    const r1_status st = converse_twice(c, (r1i_text){"", 0}, tests, 'Q', &result, err);
    if (st != R1_OK || result.outcome == R1I_AC) return st;
    return r1i_fail(err, R1_ERR_FORMAT, "%s", result.reason);
}
