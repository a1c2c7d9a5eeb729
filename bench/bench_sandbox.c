/* What a sandbox costs: from nothing to the first instruction of a program, the same with one started ahead, whole
 * judgements, and how many a second several threads reach. One JSON object a line; by hand: bench_sandbox
 * [repetitions]. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "r1/reward.h"
#include "reward/code_sandbox.h"

enum { MOST = 1000 };

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print(const char *what, double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof *ms, by_value);
    printf("{\"what\": \"%s\", \"n\": %d, \"least_ms\": %.2f, \"p10_ms\": %.2f, \"median_ms\": %.2f, \"p90_ms\": %.2f}\n", what, n, ms[0], ms[n / 10], ms[n / 2],
           ms[n * 9 / 10]);
}

/* /usr/bin/true in the sandbox, from its request to the report that it is over. */
static bool run_true(const r1i_sandbox *s)
{
    static const char args[] = "/usr/bin/true";
    const r1i_jail_request q = {.op = R1I_JAIL_RUN, .bytes = sizeof args, .cpu_seconds = 5, .idle_seconds = 5,
                                .memory_bytes = 1 << 28, .file_bytes = 1 << 20, .processes = 8, .use_landlock = 1};
    r1i_jail_report report;
    return r1i_sandbox_send(s, &q, args) &&
        recv(s->control, &report, sizeof report, MSG_WAITALL) == (ssize_t)sizeof report && report.end == R1I_END_EXIT;
}

static void starts(const r1i_sandbox_kit *kit, int n)
{
    static double cold[MOST], ahead[MOST], again[MOST];
    const r1i_code_limits limits = {.memory_bytes = 1 << 28, .disk_bytes = 1 << 24, .processes = 16};
    for (int i = 0; i < n; i++) {
        r1i_sandbox s;
        double t = r1i_seconds();
        if (r1i_sandbox_start(kit, &limits, &s, NULL) != R1_OK || !run_true(&s)) exit(1);
        cold[i] = 1e3 * (r1i_seconds() - t);
        t = r1i_seconds();
        if (!run_true(&s)) exit(1);
        ahead[i] = 1e3 * (r1i_seconds() - t); /* the sandbox waits, as a pool's does */
        t = r1i_seconds();
        r1i_sandbox_kill(&s);
        again[i] = 1e3 * (r1i_seconds() - t);
    }
    print("start a sandbox and run /usr/bin/true", cold, n);
    print("run /usr/bin/true in one that waits", ahead, n);
    print("kill it", again, n);
}

static const char calls[] = "{\"assertions\": [\"assert f(1) == 2\", \"assert f(2) == 3\", \"assert f(3) == 4\"]}";
static const char stdio[] = "{\"stdin_stdout\": [{\"input\": \"1\", \"output\": \"2\"}]}";
static const char function[] = "def f(x): return x + 1", program[] = "print(int(input()) + 1)";

static void grade(r1_grader *g, const char *gold, const char *code)
{
    const r1_sample s = {.completion = code, .completion_bytes = strlen(code), .gold = gold,
                         .gold_bytes = strlen(gold)};
    r1_verdict v;
    r1_error err = {0};
    if (r1_grader_grade(g, &s, &v, &err) != R1_OK || !v.correct) {
        fprintf(stderr, "%s%s\n", err.message, v.reason);
        exit(1);
    }
}

typedef struct job {
    const char *gold, *code;
    atomic_int left;
} job;

static void *worker(void *arg)
{
    job *const j = arg;
    r1_grader *g;
    if (r1_grader_create("code", NULL, NULL, &g, NULL) != R1_OK) exit(1);
    while (atomic_fetch_sub(&j->left, 1) > 0) grade(g, j->gold, j->code);
    r1_grader_destroy(g);
    return NULL;
}

static void throughput(const char *what, const char *gold, const char *code, int threads, int n)
{
    pthread_t t[64];
    job j = {.gold = gold, .code = code, .left = n};
    const double start = r1i_seconds();
    for (int i = 0; i < threads; i++) pthread_create(&t[i], NULL, worker, &j);
    for (int i = 0; i < threads; i++) pthread_join(t[i], NULL);
    printf("{\"what\": \"%s\", \"threads\": %d, \"n\": %d, \"per_second\": %.1f}\n", what, threads, n,
           n / (r1i_seconds() - start));
}

int main(int argc, char **argv)
{
    const int wanted = argc > 1 ? atoi(argv[1]) : 100, n = wanted < 10 ? 10 : wanted > MOST ? MOST : wanted;
    static double a[MOST], b[MOST];
    r1i_sandbox_kit kit;
    r1_grader *g;
    r1_error err = {0};
    if (r1i_sandbox_kit_open(0, &kit, &err) != R1_OK || r1_grader_create("code", NULL, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    starts(&kit, n);
    r1i_sandbox_kit_close(&kit);
    for (int i = 0; i < n; i++) {
        double t = r1i_seconds();
        grade(g, calls, function);
        a[i] = 1e3 * (r1i_seconds() - t);
    }
    for (int i = 0; i < n; i++) {
        const double t = r1i_seconds();
        grade(g, stdio, program);
        b[i] = 1e3 * (r1i_seconds() - t);
    }
    print("judge a Python function by three assertions", a, n);
    print("judge a Python program by one test", b, n);
    r1_grader_destroy(g);
    for (int threads = 1; threads <= 4; threads *= 2)
        throughput("Python function, three assertions", calls, function, threads, n);
    throughput("Python program, one test", stdio, program, 2, n);
    return 0;
}
