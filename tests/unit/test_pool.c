/* The thread pool: every item once, whatever the number of threads; results visible to the caller afterwards. */
#include "support/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/pool.h"

enum { ITEMS = 4096 };

typedef struct job {
    int seen[ITEMS]; /* not atomic: an item belongs to one thread, and the pool's end makes it visible */
    int threads;
    int64_t round;
    int bad_thread[64];
} job;

static void touch(void *ctx, int64_t i, int thread)
{
    job *const j = ctx;
    j->seen[i]++;
    if (thread < 0 || thread >= j->threads) j->bad_thread[0] = 1;
}

static void run_rounds(r1i_pool *pool, int rounds)
{
    static job j;
    memset(&j, 0, sizeof j);
    j.threads = r1i_pool_threads(pool);
    for (int r = 0; r < rounds; r++) {
        const int64_t n = (r * 37) % 97; /* 0 and 1 among them */
        for (int64_t i = 0; i < n; i++) j.seen[i] = 0;
        r1i_pool_run(pool, n, touch, &j);
        for (int64_t i = 0; i < n; i++) assert_int_equal(j.seen[i], 1);
    }
    memset(j.seen, 0, sizeof j.seen);
    r1i_pool_run(pool, ITEMS, touch, &j);
    for (int i = 0; i < ITEMS; i++) assert_int_equal(j.seen[i], 1);
    assert_int_equal(j.bad_thread[0], 0);
}

static void test_thread_counts(void **state)
{
    (void)state;
    static const int counts[] = {1, 2, 3, 7};
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
        r1i_pool *pool;
        assert_int_equal(r1i_pool_create(NULL, counts[c], &pool, NULL), R1_OK);
        assert_int_equal(r1i_pool_threads(pool), counts[c]);
        run_rounds(pool, counts[c] > 3 ? 300 : 2000);
        r1i_pool_destroy(pool);
    }
}

static void test_sleeping_workers_wake(void **state)
{
    (void)state;
    r1i_pool *pool;
    assert_int_equal(r1i_pool_create(NULL, 3, &pool, NULL), R1_OK);
    for (int r = 0; r < 20; r++) {
        struct timespec pause = {.tv_nsec = 2000000}; /* longer than a worker spins */
        nanosleep(&pause, NULL);
        run_rounds(pool, 3);
    }
    r1i_pool_destroy(pool);
}

static void test_create_and_destroy(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) { /* also before a worker has come up */
        r1i_pool *pool;
        assert_int_equal(r1i_pool_create(NULL, 1 + i % 5, &pool, NULL), R1_OK);
        r1i_pool_destroy(pool);
    }
    r1i_pool_destroy(NULL);
    run_rounds(NULL, 50);
    const r1_env env = {.threads = 2};
    r1i_pool *pool;
    assert_int_equal(r1i_pool_create(&env, 0, &pool, NULL), R1_OK);
    assert_int_equal(r1i_pool_threads(pool), 2);
    r1i_pool_destroy(pool);
}

static atomic_int held, freed;
static void hold(int signal)
{
    (void)signal;
    atomic_store(&held, 1);
    while (!atomic_load(&freed)) {
        const struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
}

/* A worker that does not run (here a signal's handler holds it) costs its help and nothing else. */
static void test_absent_worker(void **state)
{
    (void)state;
    r1i_pool *pool;
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    signal(SIGUSR1, hold);
    assert_int_equal(r1i_pool_create(NULL, 2, &pool, NULL), R1_OK);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &one, NULL), 0); /* of this thread: the worker alone can take it */
    assert_int_equal(kill(getpid(), SIGUSR1), 0);
    for (int i = 0; i < 10000 && !atomic_load(&held); i++) {
        const struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
    assert_true(atomic_load(&held));
    alarm(60); /* a pool that waits for it would wait for ever */
    run_rounds(pool, 100);
    alarm(0);
    atomic_store(&freed, 1);
    run_rounds(pool, 100);
    r1i_pool_destroy(pool);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &one, NULL), 0);
    signal(SIGUSR1, SIG_DFL);
}

/* What threads read while they wait ends where it was said to end, and nothing else comes of it. */
static void test_ahead(void **state)
{
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *const m = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(m != MAP_FAILED);
    assert_int_equal(mprotect(m + 2 * page, page, PROT_NONE), 0);
    r1i_pool *pool;
    assert_int_equal(r1i_pool_create(NULL, 3, &pool, NULL), R1_OK);
    for (int r = 0; r < 500; r++) {
        for (int t = 0; t < 3; t++) {
            const size_t bytes = (size_t)(r * 131 + t * 17) % (2 * page);
            r1i_pool_ahead(pool, t, m + 2 * page - bytes, bytes);
        }
        run_rounds(pool, 2);
    }
    for (int t = 0; t < 3; t++) r1i_pool_ahead(pool, t, NULL, 0);
    run_rounds(pool, 2);
    r1i_pool_destroy(pool);
    r1i_pool_ahead(NULL, 0, m, page);
    munmap(m, 3 * page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_thread_counts),
                                       cmocka_unit_test(test_sleeping_workers_wake),
                                       cmocka_unit_test(test_create_and_destroy), cmocka_unit_test(test_absent_worker),
                                       cmocka_unit_test(test_ahead)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
