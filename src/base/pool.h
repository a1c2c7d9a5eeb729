/* The one thread pool. A parallel-for hands out item indices; which thread gets which item may vary and must never
 * move a bit of a result: an item writes only its own outputs. */
#ifndef R1I_POOL_H
#define R1I_POOL_H

#include "base/env.h"

typedef struct r1i_pool r1i_pool;

/* A moment, for who waits in a loop. */
static inline void r1i_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* item 0 <= i < n; `thread` 0 <= thread < r1i_pool_threads (for per-thread scratch). */
typedef void (*r1i_pool_fn)(void *ctx, int64_t i, int thread);

/* threads <= 0: r1i_env_threads(env). The calling thread is thread 0 and works too. Workers spin for a few
 * microseconds between jobs, then sleep. */
r1_status r1i_pool_create(const r1_env *env, int threads, r1i_pool **out, r1_error *err);
void r1i_pool_destroy(r1i_pool *pool); /* takes NULL */
int r1i_pool_threads(const r1i_pool *pool);
/* Runs fn for 0..n-1 and returns when all are done; a worker that the system has put aside takes no part and is not
 * waited for. pool may be NULL: runs in the calling thread. Not re-entrant: called by one owner thread at a time, never
 * from inside fn. Items are handed out in ascending order, one at a time. */
void r1i_pool_run(r1i_pool *pool, int64_t n, r1i_pool_fn fn, void *ctx);
/* What `thread` will read first in the job after the next one. When it has done its part of the next job it reads that
 * into its second-level cache until the job that follows begins, so that memory does not rest while a region ends and
 * one thread works alone. A hint: only time hangs on it. Called by the owner between jobs; holds until it is said anew,
 * and the memory must live as long. bytes may be 0. */
void r1i_pool_ahead(r1i_pool *pool, int thread, const void *p, size_t bytes);
/* Zero a large stretch: one thread alone does not fill the way to memory. */
void r1i_pool_zero(r1i_pool *pool, void *p, size_t bytes);

#endif
