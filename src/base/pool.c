#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/numa.h"

/* How long a worker polls for the next job before it sleeps: longer than the serial gap between two ops of a decode
 * step, short enough that an idle server costs nothing. Counted in pause instructions (about 40 cycles each here). */
enum { SPIN_ROUNDS = 4000 };

/* And how often it lets others run before it sleeps, 0.2 us each where nobody wants to: between two tokens one thread
 * adds up 150,000 exponentials and chooses, and being woken took the next token's first products 50 to 400 us. */
enum { YIELD_ROUNDS = 1500 };

/* Whoever finds a job open may step inside it, and a job is over when it is closed and all who stepped inside have
 * left: a worker that the system has put aside in the meantime is not waited for. */
#define CLOSED (UINT64_C(1) << 31)
static inline uint32_t number_of(uint64_t state) { return (uint32_t)(state >> 32); }
static inline uint32_t inside_of(uint64_t state) { return (uint32_t)(state & (CLOSED - 1)); }

/* What a thread reads while it waits. */
typedef struct stretch {
    _Alignas(64) const uint8_t *at;
    const uint8_t *end;
} stretch;

/* What is on a thread's mind: its stretch, and the how-manieth it is. */
typedef struct mind {
    stretch ahead;
    uint64_t heard;
} mind;

typedef struct worker {
    pthread_t thread;
    struct r1i_pool *pool;
    int index;
} worker;

struct r1i_pool {
    r1_env env;
    int threads;
    worker *workers;           /* [threads - 1] */
    size_t workers_bytes;
    int started;
    r1i_numa *numa;            /* NULL on one memory node */
    stretch *said;             /* [threads] written by the owner between jobs, read when the next begins */
    uint64_t times_said;
    mind owner;
    r1i_pool_fn fn;            /* the job; written while nobody is inside, read by those who are */
    void *ctx;
    int64_t n;
    _Atomic int64_t next;      /* next item to hand out */
    _Atomic uint64_t state;    /* the job's number << 32, CLOSED, and how many workers are inside it */
    _Atomic int sleepers;
    _Atomic bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake;
};

/* One turn of waiting: a few lines of what comes, few enough that whoever polls between turns notices the next job at
 * once. Loads, as the processor's own prefetching follows them: asking by prefetch instructions (Zen 4) leaves the next
 * job waiting behind them and was slower than doing nothing. */
static inline void wait_a_little(stretch *s)
{
    enum { LINES = 8 };
    if (s->at >= s->end) {
        r1i_relax();
        return;
    }
    for (int i = 0; i < LINES && s->at < s->end; i++, s->at += 64) (void)*(const volatile uint8_t *)s->at;
}

static inline void listen(const r1i_pool *p, int thread, mind *m)
{
    if (m->heard == p->times_said) return; /* it goes on with what it has */
    m->heard = p->times_said;
    m->ahead = p->said[thread];
}

static void work(r1i_pool *p, int thread)
{
    const int64_t n = p->n;
    for (;;) {
        const int64_t i = atomic_fetch_add_explicit(&p->next, 1, memory_order_relaxed);
        if (i >= n) return;
        p->fn(p->ctx, i, thread);
    }
}

/* Steps inside the job that is open, if it is another than `seen`. */
static bool step_inside(r1i_pool *p, uint32_t *seen)
{
    uint64_t s = atomic_load_explicit(&p->state, memory_order_acquire);
    while (number_of(s) != *seen) {
        if (s & CLOSED) {
            *seen = number_of(s); /* over already */
            return false;
        }
        if (!atomic_compare_exchange_weak_explicit(&p->state, &s, s + 1, memory_order_acquire, memory_order_acquire))
            continue;
        *seen = number_of(s);
        return true;
    }
    return false;
}

/* Until a job begins or the pool ends, which leaves it to the caller to find out: the worker sleeps. */
static void sleep_until_told(r1i_pool *p, uint32_t seen)
{
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (number_of(atomic_load(&p->state)) == seen && !atomic_load(&p->stop)) pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
}

/* Returns inside a job; false: the pool is to end. */
static bool wait_for_job(r1i_pool *p, uint32_t *seen, stretch *ahead)
{
    for (int k = 0;; k++) {
        const uint32_t before = *seen;
        if (step_inside(p, seen)) return true;
        if (*seen != before) k = 0; /* jobs are coming: this one was missed */
        if (atomic_load_explicit(&p->stop, memory_order_relaxed)) return false;
        if (k < SPIN_ROUNDS) {
            wait_a_little(ahead);
        } else if (k < SPIN_ROUNDS + YIELD_ROUNDS) {
            sched_yield();
        } else {
            sleep_until_told(p, *seen);
            k = 0;
        }
    }
}

static void *worker_main(void *arg)
{
    const worker *const w = arg;
    r1i_pool *const p = w->pool;
    uint32_t seen = 0;
    mind mine = {0};
    r1i_numa_stay(p->numa, w->index, p->threads);
    while (wait_for_job(p, &seen, &mine.ahead)) {
        listen(p, w->index, &mine);
        work(p, w->index);
        atomic_fetch_sub_explicit(&p->state, 1, memory_order_release);
    }
    return NULL;
}

r1_status r1i_pool_create(const r1_env *env, int threads, r1i_pool **out, r1_error *err)
{
    *out = NULL;
    r1i_pool *const p = r1i_alloc_zero(env, sizeof *p);
    if (!p) return r1i_fail(err, R1_ERR_NOMEM, "thread pool, %zu bytes", sizeof *p);
    if (env) p->env = *env;
    p->threads = threads > 0 ? threads : r1i_env_threads(env);
    atomic_store(&p->state, CLOSED);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    p->workers_bytes = sizeof(worker) * (size_t)p->threads;
    p->workers = r1i_alloc_zero(env, p->workers_bytes);
    p->said = r1i_alloc_zero(env, sizeof *p->said * (size_t)p->threads);
    if (!p->workers || !p->said) {
        r1i_fail(err, R1_ERR_NOMEM, "thread pool, %d workers", p->threads);
        r1i_pool_destroy(p);
        return R1_ERR_NOMEM;
    }
    if (p->threads > 1) p->numa = r1i_numa_open();
    for (int i = 0; i + 1 < p->threads; i++) {
        worker *const w = &p->workers[i];
        *w = (worker){.pool = p, .index = i + 1};
        const int rc = pthread_create(&w->thread, NULL, worker_main, w);
        if (rc != 0) {
            r1i_fail_errno(err, rc, "thread %d of %d", i + 1, p->threads);
            r1i_pool_destroy(p);
            return R1_ERR_NOMEM;
        }
        p->started++;
    }
    *out = p;
    return R1_OK;
}

void r1i_pool_destroy(r1i_pool *p)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->started; i++) pthread_join(p->workers[i].thread, NULL);
    r1i_numa_close(p->numa);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    const r1_env env = p->env;
    r1i_release(&env, p->said, sizeof *p->said * (size_t)p->threads);
    r1i_release(&env, p->workers, p->workers_bytes);
    r1i_release(&env, p, sizeof *p);
}

int r1i_pool_threads(const r1i_pool *pool) { return pool ? pool->threads : 1; }

void r1i_pool_run(r1i_pool *p, int64_t n, r1i_pool_fn fn, void *ctx)
{
    if (!p || p->threads == 1 || n <= 1) {
        for (int64_t i = 0; i < n; i++) fn(ctx, i, 0);
        return;
    }
    const uint64_t before = atomic_load_explicit(&p->state, memory_order_relaxed);
    assert((before & CLOSED) && inside_of(before) == 0);
    p->fn = fn;
    p->ctx = ctx;
    p->n = n;
    atomic_store_explicit(&p->next, 0, memory_order_relaxed);
    atomic_store(&p->state, (uint64_t)(number_of(before) + 1) << 32); /* sequentially consistent: ordered against
                                                                       * `sleepers` */
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    listen(p, 0, &p->owner);
    work(p, 0);
    atomic_fetch_or_explicit(&p->state, CLOSED, memory_order_acquire);
    for (int k = 0; inside_of(atomic_load_explicit(&p->state, memory_order_acquire)) > 0; k++) {
        wait_a_little(&p->owner.ahead);
        if (k >= SPIN_ROUNDS) sched_yield(); /* more threads than processors: let the last worker run */
    }
}

void r1i_pool_ahead(r1i_pool *p, int thread, const void *at, size_t bytes)
{
    if (!p || p->threads == 1) return;
    p->said[thread] = (stretch){at, (const uint8_t *)at + bytes};
    p->times_said++;
}

/* ---- zeroes ------------------------------------------------------------------------------------------------------ */

enum { ZERO_BYTES = 1 << 18 };

typedef struct zeroing {
    uint8_t *p;
    size_t bytes;
} zeroing;

static void zero_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const zeroing *const z = ctx;
    const size_t from = (size_t)i * ZERO_BYTES, left = z->bytes - from;
    memset(z->p + from, 0, left < ZERO_BYTES ? left : ZERO_BYTES);
}

void r1i_pool_zero(r1i_pool *p, void *at, size_t bytes)
{
    zeroing z = {at, bytes};
    r1i_pool_run(p, (int64_t)((bytes + ZERO_BYTES - 1) / ZERO_BYTES), zero_item, &z);
}
