/* The class `code`: golds and completions as data sets and models write them, walls that are missing, threads that come
 * and go. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/json.h"
#include "r1/reward.h"
#include "support/test.h"

static int setup(void **state)
{
    r1_error err = {0};
    return r1_grader_create("code", "{\"cpu_seconds\": 5}", NULL, (r1_grader **)state, &err) == R1_OK ? 0 : -1;
}

static int teardown(void **state)
{
    r1_grader_destroy(*state);
    return 0;
}

static void expect(r1_grader *g, const char *gold, const char *completion, bool thinking_open, const char *reason)
{
    r1_verdict v;
    r1_error err = {0};
    const r1_sample s = {.completion = completion, .completion_bytes = strlen(completion), .gold = gold,
                         .gold_bytes = strlen(gold), .thinking_open = thinking_open};
    assert_int_equal(r1_grader_check_gold(g, gold, strlen(gold), &err), R1_OK);
    if (r1_grader_grade(g, &s, &v, &err) != R1_OK) fail_msg("%s", err.message);
    if (strncmp(v.reason, reason, strlen(reason)) != 0)
        fail_msg("wanted %s, got %s from\n%s", reason, v.reason, completion);
    assert_int_equal(v.correct, strncmp(reason, "AC", 2) == 0);
    assert_true(v.score == (v.correct ? 1.0 : 0.0));
}

static void test_completions(void **state)
{
    static const char gold[] =
        "{\"prompt\": \"from typing import List\\n\\ndef helper(x):\\n    return x + 1\\n\\ndef f(a: List[int]) -> int:\\n    \\\"\\\"\\\" one more \\\"\\\"\\\"\\n\","
                               "\"entry_point\": \"f\", \"test\": \"def check(candidate):\\n    assert candidate([1]) == helper(1)\\n    assert candidate([2]) == 3\\n\"}";
    expect(*state, gold, "    return helper(a[0])\n", false, "AC");
    expect(*state, gold, "Let me see</think>The code:\n```python\ndef f(a: List[int]) -> int:\n    return a[0] + 1\n```\nIt adds one.", true, "AC");
    expect(*state, gold, "```python\ndef f(a): return a[0] + 1\n```\nstill thinking", true,
           "no answer: the thinking never ends");
    expect(*state, gold, "```python\ndef f(a): return a[0] + 1\n```</think>I do not know.", true, "CE");
    expect(*state, gold, "</think>", true, "no answer: the completion holds no code");
    /* the tests keep the prompt's helper */
    expect(*state, gold, "```python\ndef helper(x): return 7\ndef f(a): return 7\n```", false, "WA");
    /* the prompt's own empty f is left */
    expect(*state, gold, "```python\ndef g(a): return 7\n```", false, "WA");
}

/* What cannot travel as a plain value stays with the program and is reached by reference. */
static void test_objects(void **state)
{
    expect(*state, "{\"assertions\": [\"assert longest([Pair(5, 24), Pair(15, 25)], 2) == 24\", \"p = Pair(1, 2)\\np.b = 9\\nassert p.b == 9 and p is not None\"]}",
           "class Pair:\n    def __init__(self, a, b): self.a, self.b = a, b\ndef longest(ps, n): return ps[0].b",
           false, "AC");
    expect(*state, "{\"setup\": \"root = Node(1)\\nroot.left = Node(2)\", \"assertions\": [\"assert depth(root) == 2\"]}",
           "class Node:\n    def __init__(self, v): self.v, self.left, self.right = v, None, None\n"
           "def depth(n): return 0 if n is None else 1 + max(depth(n.left), depth(n.right))", false, "AC");
    expect(*state, "{\"assertions\": [\"assert list(f(3)) == [0, 1, 2]\", \"assert sum(f(5000)) == 12497500\", \"assert f(2) != [0, 1]\"]}",
           "def f(n):\n    for i in range(n): yield i", false, "AC");
    expect(*state, "{\"assertions\": [\"a = [3, 1, 2]\\nassert f(a) is None and a == [1, 2, 3]\", \"d = {1: 2}\\ng(d)\\nassert d == {}\"]}",
           "def f(a): a.sort()\ndef g(d): d.clear()", false, "AC");
    expect(*state, "{\"assertions\": [\"assert f('abca') == {'a': 2, 'b': 1, 'c': 1}\", \"assert g() == (1, 2)\", \"assert h() == 0.1 + 0.2 and k() == float('inf')\"]}",
           "import collections\ndef f(s): return collections.Counter(s)\ndef g(): return collections.namedtuple('P', 'x y')(1, 2)\ndef h(): return 0.1 + 0.2\ndef k(): return float('inf')",
           false, "AC");
    expect(*state, "{\"assertions\": [\"assert f() == [None, True, 1.5, 'x\\u00e9\\\\ud800', b'y', {1}, frozenset({2}), (3,), {4: [5]}, 1j, -2**70, range(3)]\"]}",
           "def f(): return [None, True, 1.5, 'x\u00e9\\ud800', b'y', {1}, frozenset({2}), (3,), {4: [5]}, 1j, -2**70, range(3)]", false, "AC");
    expect(*state, "{\"assertions\": [\"try:\\n    f(0)\\n    assert False\\nexcept ZeroDivisionError:\\n    pass\", \"assert math.isclose(f(4), 0.25)\"]}",
           "def f(x): return 1 / x", false, "AC");
    expect(*state, "{\"assertions\": [\"assert math.isclose(f(4), 0.25)\"]}",
           /* the tests' math is Python's */
           "class math:\n    def isclose(*a): return True\ndef f(x): return 7", false, "WA");
}

static void test_bad_golds(void **state)
{
    static const char *const golds[] = {"{\"assertions\": [\"assert f(1 == 2\"]}",
                                        "{\"setup\": \"import (\", \"assertions\": [\"assert f()\"]}",
                                        "{\"entry_point\": \"f\", \"test\": \"def check(c):\\nassert c()\"}", "[]",
                                        "{\"assertions\": \"assert\"}"};
    for (size_t i = 0; i < sizeof golds / sizeof *golds; i++) {
        r1_error err = {0};
        if (r1_grader_check_gold(*state, golds[i], strlen(golds[i]), &err) != R1_ERR_FORMAT || !err.message[0])
            fail_msg("%s: %s", golds[i], err.message);
    }
}

static void test_options(void **state)
{
    (void)state;
    static const char *const bad[] = {"{\"cpu\": 1}", "{\"cpu_seconds\": 0}", "{\"memory_bytes\": 1}",
                                      "{\"processes\": \"many\"}", "{\"languages\": [\"cobol\"]}",
                                      "{\"allow_without\": [\"hope\"]}", "{\"allow_without\": [\"bubblewrap\"]}",
                                      "{\"allow_without\": \"landlock\"}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1_grader *g;
        r1_error err = {0};
        assert_int_equal(r1_grader_create("code", bad[i], NULL, &g, &err), R1_ERR_USAGE);
        assert_null(g);
    }
}

static void test_cruxeval(void **state)
{
    static const char out[] = "{\"cruxeval\": {\"output\": \"[(4, 1), 'a']\"}}";
    expect(*state, out, "[ANSWER]assert f(1) == [(4, 1), \"a\"][/ANSWER]", false, "AC");
    expect(*state, out, "[ANSWER][(4, 1), 'b'][/ANSWER]", false, "WA");
    expect(*state, out, "[ANSWER]__import__('os').system('true')[/ANSWER]", false, "RE");
    expect(*state, out, "[ANSWER]f(1)[/ANSWER]", false, "RE");
    static const char in[] =
        "{\"cruxeval\": {\"code\": \"def f(a, b):\\n    return a + [b]\", \"output\": \"[1, 2]\", \"predict\": \"input\"}}";
    expect(*state, in, "[ANSWER]f([1], 2)[/ANSWER]", false, "AC");
    expect(*state, in, "[ANSWER][1], 3[/ANSWER]", false, "WA");
    expect(*state, in, "[ANSWER]f([1], 3) or [1, 2][/ANSWER]", false, "RE");
}

/* A sandbox dies with the thread that started it; the next thread's first run must not notice. */
static void *one_run(void *g)
{
    expect(g, "{\"assertions\": [\"assert f() == 1\"]}", "def f(): return 1", false, "AC");
    expect(g, "{\"stdin_stdout\": [{\"input\": \"4\", \"output\": \"5\"}]}", "print(int(input()) + 1)", false, "AC");
    return NULL;
}

static void test_threads(void **state)
{
    for (int i = 0; i < 4; i++) {
        pthread_t t;
        assert_int_equal(pthread_create(&t, NULL, one_run, *state), 0);
        pthread_join(t, NULL);
    }
    one_run(*state);
}

/* ---- walls taken away, each in a child of its own: such a loss cannot be undone ---- */

static bool no_user_namespaces(void)
{
    if (unshare(CLONE_NEWUSER) != 0) return false;
    FILE *f = fopen("/proc/sys/user/max_user_namespaces", "w");
    if (!f) return false;
    fputs("0", f);
    return fclose(f) == 0;
}

static bool no_landlock(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_landlock_create_ruleset, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof *code, .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* 0: as wanted; 1: not; 77: the wall could not be taken away here. */
static int without(bool (*remove)(void), const char *config, const char *message)
{
    const pid_t pid = fork();
    int status = 1;
    if (pid == 0) {
        r1_grader *g;
        r1_error err = {0};
        if (!remove()) _exit(77);
        const r1_status st = r1_grader_create("code", config, NULL, &g, &err);
        if (message && (st != R1_ERR_MISSING || !strstr(err.message, message)))
            fprintf(stderr, "%d: %s\n", (int)st, err.message);
        if (message) _exit(st == R1_ERR_MISSING && strstr(err.message, message) ? 0 : 1);
        if (st != R1_OK) _exit(1);
        one_run(g);
        r1_grader_destroy(g);
        _exit(0);
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_missing_walls(void **state)
{
    (void)state;
    assert_int_not_equal(without(no_user_namespaces, NULL, "no sandbox can be made"), 1);
    assert_int_equal(without(no_landlock, NULL, "is missing, so no code is run: landlock"), 0);
    assert_int_equal(without(no_landlock, "{\"allow_without\": [\"seccomp\"]}", "landlock"), 0);
    assert_int_equal(without(no_landlock, "{\"allow_without\": [\"landlock\"]}", NULL), 0);
}

int main(void)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("code", NULL, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    r1_grader_destroy(g);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_completions), cmocka_unit_test(test_objects),
                                       cmocka_unit_test(test_bad_golds), cmocka_unit_test(test_options),
                                       cmocka_unit_test(test_cruxeval), cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_missing_walls)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
