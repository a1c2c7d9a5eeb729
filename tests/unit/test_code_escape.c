/* Programs that try to get out, to take the machine with them, or to be accepted without an answer. A probing program
 * prints "contained" when every one of its attempts failed; an attack on a limit must end in that limit's verdict. */
#include <stdbool.h>

#include "base/clock.h"
#include "r1/reward.h"
#include "support/test.h"

static const char options[] =
    "{\"cpu_seconds\": 1, \"wall_seconds\": 1.5, \"memory_bytes\": 268435456, \"output_bytes\": 3000000, \"processes\": 16}";

static int setup(void **state)
{
    r1_error err = {0};
    return r1_grader_create("code", options, NULL, (r1_grader **)state, &err) == R1_OK ? 0 : -1;
}

static int teardown(void **state)
{
    r1_grader_destroy(*state);
    return 0;
}

static r1_verdict grade(r1_grader *g, const char *gold, const char *program, size_t n)
{
    r1_verdict v;
    r1_error err = {0};
    const r1_sample s = {.completion = program, .completion_bytes = n, .gold = gold, .gold_bytes = strlen(gold)};
    if (r1_grader_grade(g, &s, &v, &err) != R1_OK) fail_msg("%s", err.message);
    return v;
}

static void expect_n(r1_grader *g, const char *gold, const char *program, size_t n, const char *reason)
{
    const r1_verdict v = grade(g, gold, program, n);
    if (strncmp(v.reason, reason, strlen(reason)) != 0)
        fail_msg("wanted %s, got %s from\n%.600s", reason, v.reason, program);
    assert_int_equal(v.correct, strncmp(reason, "AC", 2) == 0);
}

static void expect(r1_grader *g, const char *gold, const char *program, const char *reason)
{
    expect_n(g, gold, program, strlen(program), reason);
}

static const char contained[] = "{\"stdin_stdout\": [{\"input\": \"\", \"output\": \"contained\"}]}";

/* A probe is a list of attempts; each must raise. What is printed names the ones that did not. */
#define PROBE(attempts)                                                             \
    "import os, sys, ctypes\n"                                                      \
    "libc = ctypes.CDLL(None, use_errno=True)\n"                                    \
    "def call(name, *a):\n"                                                         \
    "    if getattr(libc, name)(*a) < 0: raise OSError(ctypes.get_errno(), name)\n" \
    "def system(*a):\n"                                                             \
    "    if libc.syscall(*[ctypes.c_long(x) for x in a]) < 0: raise OSError(ctypes.get_errno(), a[0])\n" \
    "def read(p): return open(p, 'rb').read(1)\n"                                   \
    "def write(p): open(p, 'wb').write(b'x')\n"                                     \
    "escaped = []\n"                                                                \
    "for name, attempt in {" attempts "}.items():\n"                                \
    "    try:\n"                                                                    \
    "        attempt()\n"                                                           \
    "        escaped.append(name)\n"                                                \
    "    except (OSError, ValueError): pass\n"                                      \
    "print(escaped or 'contained')\n"

static void test_files(void **state)
{
    expect(*state, contained,
           PROBE("'etc': lambda: read('/etc/passwd'), 'root': lambda: os.listdir('/root'), 'home': lambda: os.listdir('/home'),"
                                    "'shadow': lambda: read('/etc/shadow'), 'var': lambda: os.listdir('/var'), 'run': lambda: os.listdir('/run'),"
                                    "'link': lambda: (os.symlink('/etc/passwd', '/tmp/l'), read('/tmp/l')),"
                                    "'dirlink': lambda: (os.symlink('/run', '/tmp/d'), os.listdir('/tmp/d')),"
                                    "'hard': lambda: os.link('/usr/bin/env', '/tmp/h'), 'up': lambda: read('/tmp/../../etc/hostname'),"
                                    "'jail': lambda: read('/jail')"), "AC");
    expect(*state, contained,
           PROBE("'usr': lambda: write('/usr/x'), 'root': lambda: write('/x'), 'etc': lambda: write('/etc/x'),"
                                    "'shm': lambda: write('/dev/shm/x'), 'run': lambda: write('/run/x'), 'proc': lambda: write('/proc/sys/kernel/hostname'),"
                                    "'dev': lambda: write('/dev/x'), 'oom': lambda: write('/proc/self/oom_score_adj'),"
                                    "'link': lambda: (os.symlink('/usr/y', '/tmp/w'), write('/tmp/w')), 'chmod': lambda: os.chmod('/usr/bin/env', 0o777),"
                                    "'mkdir': lambda: os.mkdir('/dev/shm/d'), 'node': lambda: os.mknod('/tmp/n', 0o20600, os.makedev(1, 1))"), "AC");
    expect(*state, contained,
           "open('/tmp/a', 'w').write('b'); print('contained' if open('/tmp/a').read() == 'b' else 'broken')", "AC");
    expect(*state, contained, "f = open('/tmp/a', 'wb')\nfor i in range(1000): f.write(bytes(1000000))\n", "RE");
}

static void test_proc(void **state)
{
    expect(*state, contained,
           PROBE("'environ': lambda: read('/proc/1/environ'), 'mem': lambda: read('/proc/1/mem'), 'maps': lambda: read('/proc/1/maps') or 1/0,"
                                    "'root': lambda: os.listdir('/proc/1/root'), 'fd': lambda: os.listdir('/proc/1/fd'), 'cwd': lambda: os.readlink('/proc/1/cwd'),"
                                    "'parent': lambda: open('/proc/%d/mem' % os.getppid(), 'r+b'), 'kcore': lambda: os.read(os.open('/proc/kcore', 0), 1) or 1/0,"
                                    "'sysrq': lambda: write('/proc/sysrq-trigger')"), "AC");
    expect(*state, contained,
           "import os\nprint('contained' if {p for p in os.listdir('/proc') if p.isdigit()} == {'1', str(os.getpid())} else 'others')", "AC");
}

static void test_system_calls(void **state)
{
    expect(*state, contained,
           PROBE("'ptrace': lambda: call('ptrace', 16, 1, 0, 0), 'traceme': lambda: call('ptrace', 0, 0, 0, 0),"
                                    "'mount': lambda: call('mount', b'x', b'/tmp', b'tmpfs', 0, None), 'umount': lambda: call('umount2', b'/tmp', 2),"
                                    "'unshare': lambda: call('unshare', 0x10000000), 'newns': lambda: call('unshare', 0x20000), 'setns': lambda: call('setns', 0, 0),"
                                    "'clone': lambda: system(56, 0x10000011, 0, 0, 0, 0), 'chroot': lambda: os.chroot('/tmp'),"
                                    "'setuid': lambda: os.setuid(0), 'groups': lambda: os.setgroups([0]), 'bpf': lambda: system(321, 0, 0, 0),"
                                    "'uring': lambda: system(425, 1, 0), 'keyctl': lambda: system(250, 0, -3, 0), 'userfault': lambda: system(323, 0),"
                                    "'perf': lambda: system(298, 0, 0, -1, -1, 0), 'memfd': lambda: system(319, 0, 0), 'shm': lambda: system(29, 0, 4096, 0o1600),"
                                    "'read other': lambda: system(310, 1, 0, 0, 0, 0, 0), 'handle': lambda: system(304, -100, 0, 0), 'pidfd': lambda: system(434, 1, 0),"
                                    "'sched': lambda: os.sched_setscheduler(0, 1, os.sched_param(1)),"
                                    "'nofile': lambda: __import__('resource').setrlimit(7, (9999, 9999)),"
                                    "'cpu': lambda: __import__('resource').setrlimit(0, (9999, 9999))"), "AC");
}

/* Another instruction set's numbers are no way around the list of names. */
static void test_foreign_numbers(void **state)
{
    expect(*state, contained, "import ctypes\nctypes.CDLL(None).syscall(0x40000000 + 41, 2, 1, 0)\nprint('contained')",
           "RE: test 1 of 1: killed by signal 31 (SYS)");
}

static void test_network(void **state)
{
    expect(*state, contained,
           PROBE("'inet': lambda: __import__('socket').socket(), 'udp': lambda: __import__('socket').socket(2, 2),"
                                    "'unix': lambda: __import__('socket').socket(1, 1), 'netlink': lambda: __import__('socket').socket(16, 3),"
                                    "'name': lambda: __import__('socket').gethostbyname('localhost.localdomain.example')"), "AC");
    /* and were the filter climbed: a network without a single route, not the machine's; none of its capabilities
     * either */
    expect(*state, contained,
           "lines = open('/proc/net/route').read().strip().splitlines()\nprint('contained' if len(lines) <= 1 else lines)", "AC");
    /* what a library needs inside stays possible */
    expect(*state, contained, "import asyncio\nasync def f(): return 'contained'\nprint(asyncio.run(f()))", "AC");
    expect(*state, contained,
           "import threading, subprocess\nt = threading.Thread(target=lambda: print(subprocess.check_output(['/bin/echo', 'contained']).decode())); t.start(); t.join()", "AC");
}

static void test_privilege(void **state)
{
    expect(*state, contained,
           "import os, subprocess\n"
           "s = dict(l.split(':', 1) for l in open('/proc/self/status'))\n"
           "bad = [k for k in ('CapEff', 'CapPrm', 'CapInh', 'CapBnd', 'CapAmb') if int(s[k], 16)]\n"
           "if s['NoNewPrivs'].strip() != '1' or s['Seccomp'].strip() != '2' or os.getuid() == 0: bad.append('walls')\n"
           "if not os.statvfs('/usr').f_flag & os.ST_NOSUID: bad.append('suid')\n"
           "for p in ('/usr/bin/su', '/usr/bin/mount', '/usr/bin/passwd', '/usr/bin/newgrp'):\n"
           "    if os.path.exists(p) and subprocess.run([p, '-c', 'id -u'], capture_output=True, input=b'', timeout=1).stdout.strip() == b'0': bad.append(p)\n"
           "print(bad or 'contained')", "AC");
    expect(*state, contained,
           "import os\nfds = [f for f in os.listdir('/proc/self/fd') if int(f) > 2]\nprint('contained' if len(fds) == 1 else fds)", "AC");
    expect(*state, contained,
           "import os\nprint('contained' if set(os.environ) <= {'PATH', 'HOME', 'TMPDIR', 'LANG', 'PYTHONHASHSEED', 'PYTHONDONTWRITEBYTECODE', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'LC_CTYPE'} else dict(os.environ))", "AC");
}

static void test_processes(void **state)
{
    const double start = r1i_seconds();
    expect(*state, contained,
           "import os, time\nn = 0\nwhile True:\n    try:\n        if os.fork() == 0: time.sleep(1000)\n        n += 1\n"
           "    except OSError: break\nprint('contained' if n < 20 else n, flush=True)", "AC");
    /* whoever stays behind is dead before the next test begins, and holds up nobody */
    expect(*state, "{\"stdin_stdout\": [{\"input\": \"\", \"output\": \"contained\"}, {\"input\": \"\", \"output\": \"contained\"}]}",
           "import os, time\nalone = {p for p in os.listdir('/proc') if p.isdigit()} == {'1', str(os.getpid())} and not os.path.exists('/tmp/left')\n"
           "print('contained' if alone else 'company', flush=True)\nos.makedirs('/tmp/left/' + 'd/' * 200)\n"
           "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        while True: time.sleep(0.01); print('late', flush=True)\n", "AC");
    expect(*state, contained, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass\n", "TLE");
    expect(*state, contained,
           "import os, signal\nfor p in (1, os.getppid(), -1):\n    try: os.kill(p, signal.SIGKILL)\n    except OSError: pass\nprint('contained')", "AC");
    expect(*state, contained, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
           "RE: test 1 of 1: killed by signal 11 (SEGV)");
    assert_true(r1i_seconds() - start < 60);
}

static void test_limits(void **state)
{
    expect(*state, contained, "import time\ntime.sleep(1000)", "TLE: test 1 of 1: idle");
    expect(*state, contained, "while True: pass", "TLE: test 1 of 1: more than 1 s of processor time");
    expect(*state, contained,
           "import os\nfor i in range(4):\n    if os.fork() == 0:\n        while True: pass\nos.wait()",
           "TLE: test 1 of 1: more than 1 s of processor time");
    expect(*state, contained, "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "TLE");
    expect(*state, contained, "x = []\nwhile True: x.append(bytearray(10000000))", "MLE");
    expect(*state, contained, "x = 'a' * 10**10", "MLE");
    expect(*state, contained, "while True: print('x' * 1000)", "OLE");
    expect(*state, contained, "import sys\nwhile True: sys.stderr.write('x' * 1000)", "OLE");
    expect(*state, contained, "import sys\nsys.stdout.write('x' * 20000000)", "OLE");
    expect(*state, contained, "pass", "WA: test 1 of 1: nothing was printed");
    expect(*state, contained, "print('contained'); raise SystemExit(3)", "RE: test 1 of 1: exit status 3");
    expect(*state, contained, "print(", "CE");
    expect(*state, contained, "def f(): return f()\nf()", "RE");
}

static void test_texts(void **state)
{
    static char big[1 << 20];
    memset(big, '#', sizeof big);
    memcpy(big, "print('contained')\n", 19);
    expect_n(*state, contained, big, sizeof big, "AC");
    memset(big, '(', sizeof big);
    expect_n(*state, contained, big, sizeof big, "CE");
    static const char nul[] = "print('contained')\0\n", bad[] = "print('contained')\n\xff\xfe\n";
    /* Python before 3.12 ends the source at the NUL, later ones refuse it */
    assert_true(grade(*state, contained, nul, sizeof nul - 1).reason[0] != 0);
    expect_n(*state, contained, bad, sizeof bad - 1, "CE");
    expect(*state, contained, "import sys\nsys.stdout.buffer.write(b'cont\\0ained\\xff')", "WA");
    expect(*state, contained, "", "no answer");
}

/* ---- assertions: accepted only when they hold ---- */

static const char add[] =
    "{\"entry_point\": \"f\", \"assertions\": [\"assert f(1, 2) == 3\", \"assert f(20, 22) == 42\"]}";

static void test_cheats(void **state)
{
    expect(*state, add, "def f(a, b): return a + b", "AC");
    expect(*state, add, "def f(a, b): return 3", "WA: test 2 of 2");
    expect(*state, add, "def f(a, b): pass", "WA");
    expect(*state, add, "import os\nos._exit(0)\ndef f(a, b): return a + b", "RE");
    expect(*state, add, "import os\ndef f(a, b): os._exit(0)", "RE");
    expect(*state, add, "import sys\nsys.exit(0)\ndef f(a, b): return a + b", "RE");
    expect(*state, add, "import sys\ndef f(a, b): sys.exit(0)", "RE");
    expect(*state, add, "def f(a, b): raise SystemExit", "RE");
    expect(*state, add, "def f(a, b): raise KeyboardInterrupt", "RE");
    expect(*state, add, "class A:\n    def __eq__(self, o): return True\ndef f(a, b): return A()", "WA");
    expect(*state, add, "class A(int):\n    def __eq__(self, o): return True\ndef f(a, b): return A(7)", "WA");
    expect(*state, add, "import builtins\nbuiltins.AssertionError = ValueError\nbuiltins.all = builtins.abs\ndef f(a, b): return 0", "WA");
    expect(*state, add, "import sys, gc\ndef f(a, b):\n    fr = sys._getframe()\n    while fr:\n        for k in list(fr.f_locals): fr.f_locals[k] = 3\n        fr = fr.f_back\n    return 0", "RE");
    expect(*state, add, "def f(a, b):\n    while True: pass", "TLE: more than 1 s of processor time");
    expect(*state, add, "import time\ndef f(a, b): time.sleep(100)", "TLE: idle");
    expect(*state, add, "def f(a, b): return [0] * 10**10", "MLE");
    expect(*state, add, "def f(a, b):\n    while True: print('x' * 1000)", "OLE");
    expect(*state, add, "def f(a, b): return 'x' * 100000000", "MLE");
    expect(*state, add, "def f(a, b): return 'x' * 40000000",
           "RE: test 1 of 2: ValueError: ValueError: a value of more than");
    expect(*state, add, "def f(a, b):\n    x = []\n    for i in range(100000): x = [x]\n    return x", "RE");
    expect(*state, add, "def f(a, b):\n    while True: yield 1", "WA");
    expect(*state, add, "def g(a, b): return a + b", "RE: the program does not define f");
    expect(*state, add, "def f(a, b: return", "CE");
    expect(*state, add, "import os\nfor p in (1, os.getppid(), -1):\n    try: os.kill(p, 9)\n    except OSError: pass\ndef f(a, b): return a + b", "AC");
}

/* Frames of its own making on the harness's channel: verdicts, answers before the question, garbage. */
static void test_forged_frames(void **state)
{
    static const char *const frames[] = {"b'VP'", "b'Zo'", "b'Rvi3;n'", "b'K'", "b''", "b'CP'"};
    char program[400];
    for (size_t i = 0; i < sizeof frames / sizeof *frames; i++) {
        snprintf(program, sizeof program,
                 "import os\ndef say(b): os.write(4, len(b).to_bytes(4, 'little') + b)\nfor i in range(3): say(%s)\ndef f(a, b): return 0", frames[i]);
        assert_false(grade(*state, add, program, strlen(program)).correct);
        snprintf(program, sizeof program,
                 "import os\ndef say(b): os.write(4, len(b).to_bytes(4, 'little') + b)\ndef f(a, b):\n    for i in range(3): say(%s)\n    return 0", frames[i]);
        assert_false(grade(*state, add, program, strlen(program)).correct);
    }
    expect(*state, add, "import os\ndef f(a, b): os.write(4, b'\\xff' * 100)", "RE");
    expect(*state, add, "import os\ndef f(a, b):\n    while True: os.write(4, (1 << 20).to_bytes(4, 'little') + bytes(1 << 20))", "RE");
    expect(*state, add, "def f(a, b): return a + b", "AC"); /* and the tester is none the worse */
}

/* The expected value is nowhere in the program's process, though it looks at every byte of its memory. */
static void test_tests_unreadable(void **state)
{
    expect(*state, "{\"assertions\": [\"assert f('xyzzy') == 'none'\", \"assert f('q') != 'xyzzy-9137'\"]}",
           "import re\n"
           "def f(head):\n"
           "    if head == 'q': return 'none'\n"
           "    hits, wanted = 0, re.compile(rb\"assert[ ]f\\(|xyz[z]y-913[7]\")\n"
           "    with open('/proc/self/mem', 'rb', 0) as mem:\n"
           "        for l in open('/proc/self/maps'):\n"
           "            m = re.match(r'([0-9a-f]+)-([0-9a-f]+) r', l)\n"
           "            if not m: continue\n"
           "            a, b = int(m[1], 16), int(m[2], 16)\n"
           "            try: mem.seek(a); block = mem.read(b - a)\n"
           "            except (OSError, OverflowError, ValueError): continue\n"
           "            hits += len(wanted.findall(block))\n"
           "    return 'none' if hits == 0 else str(hits)\n", "AC");
    expect(*state, "{\"stdin_stdout\": [{\"input\": \"\", \"output\": \"contained\"}, {\"input\": \"\", \"output\": \"xyzzy-9137\"}]}",
           "import os\nfor d, ds, fs in os.walk('/'):\n    if d.startswith('/usr') or d.startswith('/lib') or d.startswith('/proc/'): ds[:] = []; continue\n"
           "    for f in fs:\n        try:\n            b = open(os.path.join(d, f), 'rb').read(100000)\n            i = b.find(b'xyzzy' + b'-')\n"
           "            if i >= 0: print(b[i:i + 10].decode()); raise SystemExit\n        except OSError: pass\n"
           "print('contained')", "WA: test 2 of 2");
}

static void test_native(void **state)
{
    static const char c[] =
        "{\"language\": \"c\", \"stdin_stdout\": [{\"input\": \"1 2\", \"output\": \"3\"}, {\"input\": \"20 22\\n\", \"output\": \"42\"}]}";
    static const char cpp[] =
        "{\"language\": \"cpp\", \"stdin_stdout\": [{\"input\": \"1 2\", \"output\": \"3\"}, {\"input\": \"20 22\\n\", \"output\": \"42\"}]}";
    r1_error err = {0};
    if (r1_grader_check_gold(*state, c, strlen(c), &err) == R1_OK) {
        expect(*state, c, "#include <stdio.h>\nint main(void) { int a, b; scanf(\"%d %d\", &a, &b); printf(\"%d\\n\", a + b); }", "AC");
        expect(*state, c, "int main(void) { return x; }", "CE");
        expect(*state, c, "int main(void) { *(volatile int *)0 = 1; }", "RE: test 1 of 2: killed by signal 11 (SEGV)");
        expect(*state, c, "#include <unistd.h>\nint main(void) { for (;;) fork(); }", "TLE");
        expect(*state, c, "#include <unistd.h>\n#include <stdio.h>\nint main(void) { for (;;) { int p = fork(); if (p < 0) break; if (!p) pause(); } puts(\"3\"); }", "WA: test 2 of 2");
        expect(*state, c, "#include \"/dev/zero\"\nint main(void) { }", "CE");
        expect(*state, c, "#include \"/etc/passwd\"\nint main(void) { }", "CE");
        expect(*state, c, "int main(void) { static char *p; for (;;) { p = __builtin_malloc(1 << 24); if (!p) return 0; __builtin_memset(p, 1, 1 << 24); } }", "WA");
    }
    if (r1_grader_check_gold(*state, cpp, strlen(cpp), &err) == R1_OK) {
        expect(*state, cpp, "#include <iostream>\nint main() { int a, b; std::cin >> a >> b; std::cout << a + b; }",
               "AC");
        expect(*state, cpp, "#include <vector>\nint main() { std::vector<char> v(1ull << 40); }", "MLE");
    }
}

int main(void)
{
    r1_grader *g;
    r1_error err = {0};
    if (r1_grader_create("code", options, NULL, &g, &err) != R1_OK) {
        fprintf(stderr, "skipped: %s\n", err.message);
        return 77;
    }
    r1_grader_destroy(g);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),   cmocka_unit_test(test_proc),          cmocka_unit_test(test_system_calls),
        cmocka_unit_test(test_foreign_numbers), cmocka_unit_test(test_network), cmocka_unit_test(test_privilege),
        cmocka_unit_test(test_processes), cmocka_unit_test(test_limits),  cmocka_unit_test(test_texts),
        cmocka_unit_test(test_cheats), cmocka_unit_test(test_native),  cmocka_unit_test(test_forged_frames),
        cmocka_unit_test(test_tests_unreadable),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
