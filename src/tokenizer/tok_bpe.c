#include "tokenizer/tok_bpe.h"

#include <stdlib.h>

/* Up to here the quadratic scan over a few cache lines beats the heap (measured: level at about 80 bytes). */
#define SHORT_PIECE 64

r1_status r1i_ids_reserve(r1i_ids *ids, size_t more, r1_error *err)
{
    if (more <= ids->cap - ids->n) return R1_OK;
    const size_t cap = (ids->n + more) + (ids->n + more) / 2 + 16;
    int32_t *const p = cap > SIZE_MAX / sizeof *p ? NULL : realloc(ids->id, cap * sizeof *p);
    if (!p) return r1i_fail(err, R1_ERR_NOMEM, "%zu token ids", cap);
    ids->id = p;
    ids->cap = cap;
    return R1_OK;
}

static inline void append(const r1i_vocab *v, r1i_ids *out, int32_t id)
{
    if (id < 0) id = v->unknown;
    if (id >= 0) out->id[out->n++] = id;
}

static inline uint32_t rank_of(const r1i_vocab *v, int32_t a, int32_t b)
{
    return a < 0 || b < 0 ? R1I_NO_RANK : r1i_vocab_rank(v, a, b);
}

static void short_piece(const r1i_vocab *v, const uint8_t *p, size_t n, r1i_ids *out)
{
    int32_t id[SHORT_PIECE];
    uint32_t rank[SHORT_PIECE]; /* of the pair (i, i + 1) */
    for (size_t i = 0; i < n; i++) id[i] = v->byte_id[p[i]];
    for (size_t i = 0; i + 1 < n; i++) rank[i] = v->byte_pair[(unsigned)p[i] << 8 | p[i + 1]];
    while (n > 1) {
        size_t at = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[at]) at = i;
        if (rank[at] == R1I_NO_RANK) break;
        id[at] = v->merged[rank[at]];
        memmove(id + at + 1, id + at + 2, (n - at - 2) * sizeof *id);
        if (n - at > 2) memmove(rank + at, rank + at + 1, (n - at - 2) * sizeof *rank);
        n--;
        if (at + 1 < n) rank[at] = rank_of(v, id[at], id[at + 1]);
        if (at > 0) rank[at - 1] = rank_of(v, id[at - 1], id[at]);
    }
    for (size_t i = 0; i < n; i++) append(v, out, id[i]);
}

/* One symbol of a long piece; dead ones have rank DEAD. */
typedef struct symbol {
    int32_t id, next, prev;
    uint32_t rank; /* of this symbol and the next */
} symbol;
#define DEAD (R1I_NO_RANK + 1)

/* A binary heap of rank << 32 | position: the smallest is the lowest rank, leftmost. Entries go stale when their symbol
 * changes and are then dropped. A rank never returns to a position, so an entry equal to the symbol's rank is fresh. */
typedef struct heap {
    uint64_t *e;
    size_t n;
} heap;

static void heap_push(heap *h, uint64_t x)
{
    size_t i = h->n++;
    while (i > 0 && h->e[(i - 1) / 2] > x) {
        h->e[i] = h->e[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    h->e[i] = x;
}

static void heap_sift(heap *h, size_t i)
{
    const uint64_t x = h->e[i];
    for (;;) {
        size_t k = 2 * i + 1;
        if (k >= h->n) break;
        if (k + 1 < h->n && h->e[k + 1] < h->e[k]) k++;
        if (h->e[k] >= x) break;
        h->e[i] = h->e[k];
        i = k;
    }
    h->e[i] = x;
}

static uint64_t heap_pop(heap *h)
{
    const uint64_t top = h->e[0];
    h->e[0] = h->e[--h->n];
    if (h->n > 0) heap_sift(h, 0);
    return top;
}

static void set_rank(const r1i_vocab *v, symbol *s, heap *h, int32_t i)
{
    const int32_t next = s[i].next;
    s[i].rank = next < 0 ? R1I_NO_RANK : rank_of(v, s[i].id, s[next].id);
    if (s[i].rank != R1I_NO_RANK) heap_push(h, (uint64_t)s[i].rank << 32 | (uint32_t)i);
}

static void merge_all(const r1i_vocab *v, symbol *s, heap *h)
{
    while (h->n > 0) {
        const uint64_t top = heap_pop(h);
        const int32_t i = (int32_t)(uint32_t)top;
        if (s[i].rank != (uint32_t)(top >> 32)) continue;
        const int32_t dead = s[i].next;
        s[i].id = v->merged[s[i].rank];
        s[i].next = s[dead].next;
        if (s[i].next >= 0) s[s[i].next].prev = i;
        s[dead].rank = DEAD;
        set_rank(v, s, h, i);
        if (s[i].prev >= 0) set_rank(v, s, h, s[i].prev);
    }
}

static r1_status long_piece(const r1i_vocab *v, const uint8_t *p, size_t n, r1i_ids *out, r1_error *err)
{
    symbol *const s = malloc(n * sizeof *s);
    heap h = {malloc(3 * n * sizeof *h.e), 0}; /* n - 1 pairs at first, at most two more for each of n - 1 merges */
    if (!s || !h.e) {
        free(s);
        free(h.e);
        return r1i_fail(err, R1_ERR_NOMEM, "piece of %zu bytes", n);
    }
    for (size_t i = 0; i < n; i++) {
        const uint32_t rank = i + 1 < n ? v->byte_pair[(unsigned)p[i] << 8 | p[i + 1]] : R1I_NO_RANK;
        s[i] = (symbol){v->byte_id[p[i]], i + 1 < n ? (int32_t)i + 1 : -1, (int32_t)i - 1, rank};
        if (rank != R1I_NO_RANK) h.e[h.n++] = (uint64_t)rank << 32 | i;
    }
    for (size_t i = h.n / 2; i-- > 0;) heap_sift(&h, i);
    merge_all(v, s, &h);
    for (int32_t i = 0; i >= 0; i = s[i].next) append(v, out, s[i].id);
    free(s);
    free(h.e);
    return R1_OK;
}

r1_status r1i_bpe(const r1i_vocab *v, const uint8_t *p, size_t n, r1i_ids *out, r1_error *err)
{
    if (n > INT32_MAX) return r1i_fail(err, R1_ERR_RANGE, "a piece of %zu bytes without a cut", n);
    const r1_status st = r1i_ids_reserve(out, n, err);
    if (st != R1_OK) return st;
    if (n > SHORT_PIECE) return long_piece(v, p, n, out, err);
    short_piece(v, p, n, out);
    return R1_OK;
}
