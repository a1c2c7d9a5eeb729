/* Whole programs: compile if need be, run once for every test, compare. Also the pool: one sandbox is always started
 * ahead. */
#include "reward/code_run.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "reward/code_blob.h"
#include "reward/code_coder.h"
#include "reward/code_compare.h"

enum { HARD_WALL_FACTOR = 40, COMPILE_SECONDS = 30, COMPILE_IDLE_SECONDS = 30 };

const char *r1i_code_language_name(r1i_code_language language)
{
    static const char *const names[R1I_N_LANGUAGES] = {"python", "c", "cpp"};
    return names[language];
}

const char *r1i_code_outcome_name(r1i_code_outcome outcome)
{
    static const char *const names[] = {"AC", "WA", "TLE", "MLE", "RE", "CE", "OLE"};
    return names[outcome];
}

void r1i_code_set(r1i_code_result *result, r1i_code_outcome outcome, const char *reason, ...)
{
    va_list args;
    va_start(args, reason);
    result->outcome = outcome;
    vsnprintf(result->reason, sizeof result->reason, reason, args);
    va_end(args);
    for (char *p = result->reason; *p; p++)
        if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7E) *p = '?'; /* may quote a program's error message */
}

/* ---- what a run prints ---- */

void r1i_capture_reset(r1i_capture *c)
{
    c->n = c->n_tail = c->n_err = 0;
    c->overflow = false;
}

static bool keep(r1i_capture *c, const char *bytes, size_t n)
{
    if (n > c->limit - c->n) {
        n = c->limit - c->n;
        c->overflow = true;
    }
    if (c->n + n > c->cap) {
        const size_t cap = c->cap ? c->cap * 2 : 1 << 16, want = cap < c->n + n ? c->n + n : cap;
        char *const more = realloc(c->out, want);
        if (!more) return false;
        c->out = more;
        c->cap = want;
    }
    if (n) memcpy(c->out + c->n, bytes, n);
    c->n += n;
    return true;
}

static void keep_tail(r1i_capture *c, const char *bytes, size_t n)
{
    const size_t size = sizeof c->tail - 1;
    if ((c->n_err += n) > c->limit) c->overflow = true;
    if (n > size) bytes += n - size, n = size;
    if (c->n_tail + n > size) {
        const size_t drop = c->n_tail + n - size;
        memmove(c->tail, c->tail + drop, c->n_tail - drop);
        c->n_tail -= drop;
    }
    memcpy(c->tail + c->n_tail, bytes, n);
    c->n_tail += n;
    c->tail[c->n_tail] = 0;
}

bool r1i_capture_drain(r1i_capture *c, const r1i_sandbox *s)
{
    char buffer[1 << 16];
    ssize_t n;
    while (!c->overflow && (n = read(s->out, buffer, sizeof buffer)) > 0)
        if (!keep(c, buffer, (size_t)n)) return false;
    while (!c->overflow && (n = read(s->err, buffer, sizeof buffer)) > 0) keep_tail(c, buffer, (size_t)n);
    return true;
}

/* ---- coder and pool ---- */

static const char *first_of(const char *const *paths)
{
    for (; *paths; paths++)
        if (access(*paths, X_OK) == 0) return *paths;
    return NULL;
}

r1_status r1i_coder_create(const r1i_code_limits *limits, unsigned allow_without, r1i_coder **out, r1_error *err)
{
    *out = NULL;
    r1i_coder *const c = calloc(1, sizeof *c);
    if (!c) return r1i_fail(err, R1_ERR_NOMEM, "code runner");
    c->limits = *limits;
    c->capture.limit = (size_t)limits->output_bytes;
    c->tool[R1I_PYTHON] = first_of((const char *const[]){"/usr/bin/python3", "/usr/local/bin/python3", NULL});
    c->tool[R1I_C] = first_of((const char *const[]){"/usr/bin/gcc", "/usr/bin/clang", "/usr/bin/cc", NULL});
    c->tool[R1I_CPP] = first_of((const char *const[]){"/usr/bin/g++", "/usr/bin/clang++", "/usr/bin/c++", NULL});
    const r1_status st = r1i_sandbox_kit_open(allow_without, &c->kit, err);
    if (st != R1_OK) {
        free(c);
        return st;
    }
    c->landlock = (c->kit.walls & R1I_WALL_LANDLOCK) != 0;
    *out = c;
    return R1_OK;
}

void r1i_coder_destroy(r1i_coder *c)
{
    if (!c) return;
    r1i_sandbox_kill(&c->spare);
    r1i_sandbox_kill(&c->tester);
    r1i_sandbox_kit_close(&c->kit);
    free(c->capture.out);
    free(c);
}

bool r1i_coder_has(const r1i_coder *c, r1i_code_language language) { return c->tool[language] != NULL; }
const r1i_sandbox_kit *r1i_coder_kit(const r1i_coder *c) { return &c->kit; }

r1i_jail_request r1i_coder_request(const r1i_coder *c, uint32_t op)
{
    const r1i_code_limits *const l = &c->limits;
    return (r1i_jail_request){.op = op, .cpu_seconds = l->cpu_seconds, .idle_seconds = l->wall_seconds,
                              .memory_bytes = l->memory_bytes, .file_bytes = l->disk_bytes, .processes = l->processes,
                              .use_landlock = c->landlock};
}

static bool run(const r1i_sandbox *s, r1i_jail_request q, const char *const *args)
{
    char payload[1024];
    size_t n = 0;
    for (; *args; args++) {
        const size_t length = strlen(*args) + 1;
        if (n + length > sizeof payload) return false;
        memcpy(payload + n, *args, length);
        n += length;
    }
    q.op = R1I_JAIL_RUN;
    q.bytes = n;
    return r1i_sandbox_send(s, &q, payload);
}

bool r1i_coder_start_harness(const r1i_coder *c, const r1i_sandbox *s, const char *side)
{
    r1i_jail_request q = r1i_coder_request(c, R1I_JAIL_RUN);
    q.flags = R1I_JAIL_HELD | R1I_JAIL_RPC;
    const char *const args[] = {c->tool[R1I_PYTHON], "-B", "-s", "/tmp/main_harness.py", side, NULL};
    return r1i_sandbox_put(s, "main_harness.py", r1i_blob_harness, r1i_blob_harness_bytes) && run(s, q, args);
}

static r1_status launch(r1i_coder *c, bool warm, r1i_sandbox *out, r1_error *err)
{
    const r1_status st = r1i_sandbox_start(&c->kit, &c->limits, out, err);
    if (st == R1_OK && warm) r1i_coder_start_harness(c, out, "program"); /* if that fails, the first use finds out */
    return st;
}

r1_status r1i_coder_take(r1i_coder *c, bool warm, r1i_sandbox *out, r1_error *err)
{
    r1_status st = R1_OK;
    if (c->spare_is_warm != warm || !r1i_sandbox_alive(&c->spare)) r1i_sandbox_kill(&c->spare);
    if (c->spare.pid > 0) *out = c->spare;
    else st = launch(c, warm, out, err);
    c->spare = (r1i_sandbox){0};
    c->spare_is_warm = warm;
    if (st == R1_OK && (st = launch(c, warm, &c->spare, err)) != R1_OK) r1i_sandbox_kill(out);
    return st;
}

/* ---- verdicts ---- */

/* The last line of standard error: Python's and the C++ library's name of what went wrong. */
static const char *last_line(const r1i_capture *c)
{
    size_t n = c->n_tail;
    while (n && (c->tail[n - 1] == '\n' || c->tail[n - 1] == '\r')) n--;
    size_t i = n;
    while (i && c->tail[i - 1] != '\n') i--;
    return c->tail + i;
}

static bool ran_out_of_memory(const r1i_coder *c, const r1i_jail_report *p)
{
    const r1i_capture *const o = &c->capture;
    const bool said = o->n_tail &&
        (strstr(o->tail, "MemoryError") || strstr(o->tail, "bad_alloc") || strstr(o->tail, "Cannot allocate memory"));
    return said || p->peak_bytes > c->limits.memory_bytes / 10 * 9;
}

void r1i_coder_judge_end(const r1i_coder *c, const r1i_jail_report *p, bool killed_for_memory, r1i_code_result *result)
{
    const bool failed = p->end == R1I_END_SIGNAL || (p->end == R1I_END_EXIT && p->status != 0);
    const char *const said = c->capture.n_tail ? last_line(&c->capture) : "";
    const char *name;
    result->cpu_seconds += p->cpu_seconds;
    if (p->end == R1I_END_CPU || (p->end == R1I_END_SIGNAL && p->status == SIGXCPU))
        r1i_code_set(result, R1I_TLE, "more than %g s of processor time", c->limits.cpu_seconds);
    else if (p->end == R1I_END_IDLE) r1i_code_set(result, R1I_TLE, "idle for more than %g s", c->limits.wall_seconds);
    else if (p->end == R1I_END_SETUP)
        r1i_code_set(result, R1I_RE, "the program cannot be started: %s", strerror(p->status));
    else if (failed && (killed_for_memory || ran_out_of_memory(c, p)))
        r1i_code_set(result, R1I_MLE, "more than %llu MiB of memory",
                     (unsigned long long)(c->limits.memory_bytes >> 20));
    else if (p->end == R1I_END_SIGNAL)
        r1i_code_set(result, R1I_RE, "killed by signal %d (%s)", p->status,
                     (name = sigabbrev_np(p->status)) ? name : "unnamed");
    else if (failed && (strncmp(said, "SyntaxError", 11) == 0 || strncmp(said, "IndentationError", 16) == 0 ||
                        strncmp(said, "TabError", 8) == 0))
        r1i_code_set(result, R1I_CE, "%.150s", said);
    else if (failed) r1i_code_set(result, R1I_RE, "exit status %d%s%.140s", p->status, said[0] ? ": " : "", said);
    else r1i_code_set(result, R1I_AC, "ended well");
}

/* Waits for the run's end. AC: it ended well. false: memory is out or the sandbox went away by itself before it had
 * run. */
static bool wait_end(r1i_coder *c, r1i_sandbox *s, r1i_code_result *result)
{
    const double start = r1i_seconds(), patience = c->limits.wall_seconds * HARD_WALL_FACTOR;
    r1i_jail_report report = {0};
    for (;;) {
        struct pollfd p[3] = {{.fd = s->control, .events = POLLIN}, {.fd = s->out, .events = POLLIN},
                              {.fd = s->err, .events = POLLIN}};
        if (poll(p, 3, 1000) < 0 && errno != EINTR) return false;
        if ((p[1].revents | p[2].revents) && !r1i_capture_drain(&c->capture, s)) return false;
        if (c->capture.overflow) {
            r1i_code_set(result, R1I_OLE, "more than %zu bytes were printed", c->capture.limit);
            return true;
        }
        if (r1i_seconds() - start > patience) {
            r1i_code_set(result, R1I_TLE, "not over after %g s", patience);
            return true;
        }
        if (!p[0].revents) continue;
        if (recv(s->control, &report, sizeof report, MSG_WAITALL) != (ssize_t)sizeof report) {
            if (!r1i_sandbox_out_of_memory(s)) return false;
            r1i_code_set(result, R1I_MLE, "the sandbox ran out of memory");
            return true;
        }
        /* every process is dead: what they printed is in the pipes */
        if (!r1i_capture_drain(&c->capture, s)) return false;
        r1i_coder_judge_end(c, &report, r1i_sandbox_out_of_memory(s), result);
        if (c->capture.overflow) r1i_code_set(result, R1I_OLE, "more than %zu bytes were printed", c->capture.limit);
        return true;
    }
}

/* ---- a program and its tests ---- */

/* The first line of a compiler's complaint that names an error. */
static void compile_reason(const r1i_capture *c, r1i_code_result *result)
{
    if (result->outcome == R1I_RE) {
        const char *error = c->n_tail ? strstr(c->tail, "error:") : NULL;
        char text[150];
        snprintf(text, sizeof text, "%.149s", error ? error + 6 : c->n_tail ? c->tail : "the compiler failed");
        text[strcspn(text, "\n")] = 0;
        r1i_code_set(result, R1I_CE, "does not compile:%s%s", text[0] == ' ' ? "" : " ", text);
    } else if (result->outcome != R1I_AC) {
        char text[150];
        snprintf(text, sizeof text, "%.149s", result->reason);
        r1i_code_set(result, R1I_CE, "does not compile: %s", text);
    }
}

/* Under the program's limits, but as patient as a compiler needs that is read from a cold disk. */
static bool compile(r1i_coder *c, r1i_sandbox *s, r1i_code_language language, r1i_code_result *result)
{
    const double wall = c->limits.wall_seconds;
    if (wall < COMPILE_IDLE_SECONDS) c->limits.wall_seconds = COMPILE_IDLE_SECONDS;
    r1i_jail_request q = r1i_coder_request(c, R1I_JAIL_RUN);
    const char *const source = language == R1I_C ? "main.c" : "main.cpp",
                      *const standard = language == R1I_C ? "-std=gnu17" : "-std=gnu++17";
    const char *const args[] = {c->tool[language], "-O2", "-w", standard, "-o", "main", source, "-lm", NULL};
    q.cpu_seconds = COMPILE_SECONDS;
    if (q.memory_bytes < 2ull << 30) q.memory_bytes = 2ull << 30;
    if (q.processes < 16) q.processes = 16;
    r1i_capture_reset(&c->capture);
    const bool ended = run(s, q, args) && wait_end(c, s, result);
    c->limits.wall_seconds = wall;
    if (!ended) return false;
    compile_reason(&c->capture, result);
    result->cpu_seconds = 0; /* the compiler's */
    return true;
}

static bool one_test(r1i_coder *c, r1i_sandbox *s, r1i_code_language language, const r1i_io_test *test,
                     double tolerance, r1i_code_result *result)
{
    const char *const python[] = {c->tool[R1I_PYTHON], "-B", "-s", "main.py", NULL},
                      *const native[] = {"/tmp/main", NULL};
    const r1i_jail_request input = {.op = R1I_JAIL_STDIN, .bytes = test->input.n}, clean = {.op = R1I_JAIL_CLEAN};
    char why[160];
    r1i_capture_reset(&c->capture);
    if (!r1i_sandbox_send(s, &clean, NULL) || !r1i_sandbox_send(s, &input, test->input.bytes)) return false;
    if (!run(s, r1i_coder_request(c, R1I_JAIL_RUN), language == R1I_PYTHON ? python : native) ||
        !wait_end(c, s, result)) return false;
    if (result->outcome != R1I_AC) return true;
    if (!r1i_output_equal(c->capture.out, c->capture.n, test->output.bytes, test->output.n, tolerance, why, sizeof why))
        r1i_code_set(result, R1I_WA, "%s", why);
    return true;
}

/* false: the sandbox was lost. */
static bool judge(r1i_coder *c, r1i_sandbox *s, r1i_code_language language, r1i_text program, const r1i_io_test *tests,
                  size_t n_tests, double tolerance, r1i_code_result *result)
{
    static const char *const names[R1I_N_LANGUAGES] = {"main.py", "main.c", "main.cpp"};
    if (!r1i_sandbox_put(s, names[language], program.bytes, program.n)) return false;
    if (language != R1I_PYTHON) {
        if (!compile(c, s, language, result)) return false;
        if (result->outcome != R1I_AC) return true;
    }
    for (size_t i = 0; i < n_tests; i++) {
        if (!one_test(c, s, language, &tests[i], tolerance, result)) return false;
        if (result->outcome == R1I_AC) continue;
        char why[160];
        snprintf(why, sizeof why, "%.159s", result->reason);
        r1i_code_set(result, result->outcome, "test %zu of %zu: %s", i + 1, n_tests, why);
        return true;
    }
    r1i_code_set(result, R1I_AC, "all %zu tests hold", n_tests);
    return true;
}

r1_status r1i_coder_stdio(r1i_coder *c, r1i_code_language language, r1i_text program, const r1i_io_test *tests,
                          size_t n_tests, double tolerance, r1i_code_result *result, r1_error *err)
{
    const double start = r1i_seconds();
    char complaint[200] = "";
    if (!c->tool[language])
        return r1i_fail(err, R1_ERR_MISSING, "no compiler or interpreter for %s is installed below /usr",
                        r1i_code_language_name(language));
    for (int tries = 0; tries < 2; tries++) { /* a sandbox may have died while it waited, with the thread that started
                                               * it */
        r1i_sandbox s;
        *result = (r1i_code_result){0};
        const r1_status st = r1i_coder_take(c, false, &s, err);
        if (st != R1_OK) return st;
        const bool done = judge(c, &s, language, program, tests, n_tests, tolerance, result);
        if (!done) r1i_sandbox_complaint(&s, complaint, sizeof complaint);
        r1i_sandbox_kill(&s);
        if (!done) continue;
        result->wall_seconds = r1i_seconds() - start;
        return R1_OK;
    }
    return r1i_fail(err, R1_ERR_IO, "the sandbox was lost twice%s%s", complaint[0] ? ": " : "", complaint);
}
