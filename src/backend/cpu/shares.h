/* Items of a region as one contiguous share a thread: its owner takes from the front, others, when their own are gone,
 * from the back. So each thread reads one stream, as the prefetchers like it, and still waits for nobody. */
#ifndef R1I_SHARES_H
#define R1I_SHARES_H

#include <stdatomic.h>
#include <stdint.h>

enum { R1I_SHARES = 64 }; /* more threads than that have one together */

/* Items [begin, end) that are left, in one word. */
typedef struct r1i_share {
    _Alignas(64) _Atomic uint64_t left; /* begin << 32 | end */
} r1i_share;

static inline int r1i_shares_of(int threads, int64_t items)
{
    const int most = threads < R1I_SHARES ? threads : R1I_SHARES;
    return most > items ? (int)(items > 1 ? items : 1) : most;
}

static inline void r1i_shares_cut(r1i_share *s, int shares, int64_t items)
{
    for (int i = 0; i < shares; i++) {
        const uint64_t begin = (uint64_t)(items * i / shares), end = (uint64_t)(items * (i + 1) / shares);
        atomic_init(&s[i].left, begin << 32 | end);
    }
}

typedef struct r1i_items {
    int64_t first, n; /* n = 0: none is left */
} r1i_items;

/* One of `parts` parts of what is left of a share, whole eights or fours where it is that much and one item at least,
 * from its front or its back. */
static inline r1i_items r1i_share_take(r1i_share *s, bool front, uint64_t parts)
{
    uint64_t left = atomic_load_explicit(&s->left, memory_order_relaxed);
    for (;;) {
        const uint64_t begin = left >> 32, end = left & UINT32_MAX;
        if (begin >= end) return (r1i_items){0, 0};
        const uint64_t part = (end - begin) / parts, n = part >= 8 ? part / 8 * 8 : part >= 4 ? 4 : part > 0 ? part : 1;
        if (atomic_compare_exchange_weak_explicit(&s->left, &left, front ? left + (n << 32) : left - n,
                                                  memory_order_relaxed, memory_order_relaxed))
            return (r1i_items){(int64_t)(front ? begin : end - n), (int64_t)n};
    }
}

/* What the owner of share `own` does next: large parts first, and small ones where the region ends, so that nobody
 * waits long for the last. Who takes from others takes larger parts, as each begins a stream. */
enum { R1I_PARTS_OWN = 4, R1I_PARTS_TAKEN = 3 };
static inline r1i_items r1i_shares_take_some(r1i_share *s, int shares, int own)
{
    r1i_items i = r1i_share_take(&s[own], true, R1I_PARTS_OWN);
    for (int k = 1; i.n == 0 && k < shares; k++) i = r1i_share_take(&s[(own + k) % shares], false, R1I_PARTS_TAKEN);
    return i;
}

/* The next item for the owner of share `own`; -1: none is left anywhere. */
static inline int64_t r1i_shares_take(r1i_share *s, int shares, int own)
{
    r1i_items i = r1i_share_take(&s[own], true, UINT64_MAX);
    for (int k = 1; i.n == 0 && k < shares; k++) i = r1i_share_take(&s[(own + k) % shares], false, UINT64_MAX);
    return i.n > 0 ? i.first : -1;
}

#endif
