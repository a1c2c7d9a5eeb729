/* Items of a region as one contiguous share a thread: its owner takes from the front, others, when their own are gone, from the back. So each
 * thread reads one stream, as the prefetchers like it, and still waits for nobody. */
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

/* One item of a share, from its front or its back; -1: none is left. */
static inline int64_t r1i_share_take(r1i_share *s, bool front)
{
    uint64_t left = atomic_load_explicit(&s->left, memory_order_relaxed);
    for (;;) {
        const uint64_t begin = left >> 32, end = left & UINT32_MAX;
        if (begin >= end) return -1;
        if (atomic_compare_exchange_weak_explicit(&s->left, &left, front ? left + (UINT64_C(1) << 32) : left - 1, memory_order_relaxed, memory_order_relaxed))
            return (int64_t)(front ? begin : end - 1);
    }
}

/* The next item for the owner of share `own`; -1: none is left anywhere. */
static inline int64_t r1i_shares_take(r1i_share *s, int shares, int own)
{
    int64_t i = r1i_share_take(&s[own], true);
    for (int k = 1; i < 0 && k < shares; k++) i = r1i_share_take(&s[(own + k) % shares], false);
    return i;
}

#endif
