/* Weights that products read soon, asked for while attention computes: with q8 it leaves memory idle for much of its
 * time, and the third-level cache holds what is asked for until then. One walk a thread over its own share of each
 * region, a page's worth at a time; only time hangs on it. */
#ifndef R1I_ASKS_H
#define R1I_ASKS_H

#include "op/table.h"

/* Of all threads together: at 16,384 positions 6 MB gave more than 4 MB, 9 MB no more, and third-level caches are
 * larger as a rule; where one is smaller, some lines are read twice. Zen 5 (R1I_CPU_NEAR) asks for none: what attention
 * wins for the products there it loses waiting for its own lines (a token 1.00 of the time where memory gives 75 GB/s,
 * 1.02 where 48). */
enum { R1I_ASKS_BYTES = 6 << 20 };

typedef struct r1i_asks {
    _Alignas(64) const r1i_coming *region; /* the next weight is number i of list[k] of this region */
    int64_t k, i;
    int64_t from, to;                      /* the thread's share of what is left of the region, in bytes */
    const uint8_t *at, *end;               /* of the weight before that */
    int64_t left, pages;                   /* bytes that may yet be asked for, pages that the thread yet computes */
    int thread, threads;
} r1i_asks;

/* For `thread` of `threads`, which computes about `pages` pages of keys and values; at most `bytes` of all threads. */
void r1i_asks_begin(r1i_asks *a, const r1i_coming *next, int64_t bytes, int thread, int threads, int64_t pages);

/* Once a page: where to ask for the next `bytes`, which may run past a matrix; NULL: not in this page. The last pages
 * ask, so that little of the cache passes between the asking and the products. */
const uint8_t *r1i_asks_take(r1i_asks *a, int64_t bytes);

#endif
