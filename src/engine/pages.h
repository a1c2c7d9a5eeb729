/* Who owns which page of the key-value cache, and which page holds which tokens. A page whose 64 positions are written
 * is registered under its contents - all tokens from position 0 to its end - so that another request with the same
 * beginning uses it instead of computing it again; pages nobody uses stay findable until their room is needed. */
#ifndef R1I_PAGES_H
#define R1I_PAGES_H

#include "base/env.h"

enum { R1I_PAGE_TOKENS = 64 };

/* Identity of "these tokens from position 0 on": 0 is the empty prefix, every registered page has its own number. A
 * number is never used again, so a page whose prefix was evicted can no longer be found by mistake. */
typedef uint64_t r1i_chain;

typedef struct r1i_page {
    int32_t token[R1I_PAGE_TOKENS]; /* registered: its contents */
    r1i_chain parent, self;         /* self 0: not registered */
    int32_t users;
    int32_t bucket_next;            /* registered: next of the same hash bucket; -1 ends */
    /* registered without users: the list by last use; free: newer links the free list */
    int32_t older, newer;
} r1i_page;

typedef struct r1i_pages {
    r1i_page *page;                 /* [n] */
    int32_t *bucket;                /* [n_buckets] */
    int32_t n, n_buckets;           /* n_buckets: a power of two */
    int32_t free_head;              /* last freed first: its memory is warm */
    int32_t oldest, newest;
    int32_t n_free, n_cached;       /* without users: never registered or evicted; registered */
    int32_t touched;                /* most pages that were ever in use or cached together */
    r1i_chain last_chain;
} r1i_pages;

/* Bytes that r1i_pages_init takes from `memory` (64-byte aligned). */
size_t r1i_pages_bytes(int64_t n);
void r1i_pages_init(r1i_pages *p, int64_t n, void *memory);

/* A page with one user, taken from the free ones, else from the least recently used cached ones; -1: all are in use. */
int32_t r1i_pages_take(r1i_pages *p);
/* One user more: the page is registered, or the caller shares it with itself. */
void r1i_pages_share(r1i_pages *p, int32_t page);
/* One user less. Of a sequence's pages give the last one back first: then a prefix is never evicted before what hangs
 * on it. */
void r1i_pages_drop(r1i_pages *p, int32_t page);

/* The registered page holding token[64] after `prefix`, or -1. Tokens are compared, not only their hash. */
int32_t r1i_pages_find(const r1i_pages *p, r1i_chain prefix, const int32_t *token);
/* Register `page` (in use) as token[64] after `prefix` and return the chain that ends with it. When another page
 * already holds the same, that one's chain is returned and `page` stays private. */
r1i_chain r1i_pages_register(r1i_pages *p, int32_t page, r1i_chain prefix, const int32_t *token);
/* Forget what every page holds (their contents became doubtful). Users keep their pages. */
void r1i_pages_forget(r1i_pages *p);

#endif
