#include "engine/pages.h"

#include <assert.h>
#include <string.h>

static int32_t buckets_for(int64_t n)
{
    int32_t b = 16;
    while (b < n && b < 1 << 28) b *= 2;
    return b;
}

static size_t page_part(int64_t n) { return r1i_align_up((size_t)n * sizeof(r1i_page), R1I_ALIGN); }

size_t r1i_pages_bytes(int64_t n)
{
    return page_part(n) + r1i_align_up((size_t)buckets_for(n) * sizeof(int32_t), R1I_ALIGN);
}

void r1i_pages_init(r1i_pages *p, int64_t n, void *memory)
{
    assert(n > 0 && n < INT32_MAX);
    *p = (r1i_pages){.page = memory, .n = (int32_t)n, .n_buckets = buckets_for(n), .n_free = (int32_t)n, .oldest = -1,
                     .newest = -1};
    p->bucket = (int32_t *)(void *)((uint8_t *)memory + page_part(n));
    memset(p->bucket, 0xff, (size_t)p->n_buckets * sizeof *p->bucket); /* -1 */
    for (int32_t i = 0; i < p->n; i++) {
        r1i_page *const g = &p->page[i];
        g->self = g->parent = 0;
        g->users = 0;
        g->bucket_next = g->older = -1;
        g->newer = i + 1 < p->n ? i + 1 : -1;
    }
}

/* ---- the index --------------------------------------------------------------------------------------------------- */

static int32_t bucket_of(const r1i_pages *p, r1i_chain prefix, const int32_t *token)
{
    uint64_t h = prefix + 0x9e3779b97f4a7c15u;
    for (int i = 0; i < R1I_PAGE_TOKENS; i++) {
        h = (h ^ (uint32_t)token[i]) * 0xff51afd7ed558ccdu;
        h ^= h >> 29;
    }
    return (int32_t)(h & (uint64_t)(p->n_buckets - 1));
}

int32_t r1i_pages_find(const r1i_pages *p, r1i_chain prefix, const int32_t *token)
{
    for (int32_t i = p->bucket[bucket_of(p, prefix, token)]; i >= 0; i = p->page[i].bucket_next)
        if (p->page[i].parent == prefix && memcmp(p->page[i].token, token, sizeof p->page[i].token) == 0) return i;
    return -1;
}

r1i_chain r1i_pages_register(r1i_pages *p, int32_t page, r1i_chain prefix, const int32_t *token)
{
    r1i_page *const g = &p->page[page];
    const int32_t twin = r1i_pages_find(p, prefix, token);
    if (twin >= 0) return p->page[twin].self;
    assert(g->users > 0 && g->self == 0);
    const int32_t b = bucket_of(p, prefix, token);
    memcpy(g->token, token, sizeof g->token);
    g->parent = prefix;
    g->self = ++p->last_chain;
    g->bucket_next = p->bucket[b];
    p->bucket[b] = page;
    return g->self;
}

static void unregister(r1i_pages *p, int32_t page)
{
    r1i_page *const g = &p->page[page];
    int32_t *at = &p->bucket[bucket_of(p, g->parent, g->token)];
    while (*at != page) at = &p->page[*at].bucket_next;
    *at = g->bucket_next;
    g->self = 0;
}

/* ---- pages without users ----------------------------------------------------------------------------------------- */

static void list_remove(r1i_pages *p, int32_t page)
{
    r1i_page *const g = &p->page[page];
    if (g->older >= 0) p->page[g->older].newer = g->newer;
    else p->oldest = g->newer;
    if (g->newer >= 0) p->page[g->newer].older = g->older;
    else p->newest = g->older;
    p->n_cached--;
}

static void list_append(r1i_pages *p, int32_t page)
{
    r1i_page *const g = &p->page[page];
    g->older = p->newest;
    g->newer = -1;
    if (p->newest >= 0) p->page[p->newest].newer = page;
    else p->oldest = page;
    p->newest = page;
    p->n_cached++;
}

static void free_push(r1i_pages *p, int32_t page)
{
    p->page[page].newer = p->free_head;
    p->free_head = page;
    p->n_free++;
}

int32_t r1i_pages_take(r1i_pages *p)
{
    int32_t page = p->free_head;
    if (p->n_free > 0) {
        p->free_head = p->page[page].newer;
        p->n_free--;
        if (p->n - p->n_free > p->touched) p->touched = p->n - p->n_free;
    } else {
        page = p->oldest;
        if (page < 0) return -1;
        list_remove(p, page);
        unregister(p, page);
    }
    p->page[page].users = 1;
    return page;
}

void r1i_pages_share(r1i_pages *p, int32_t page)
{
    if (p->page[page].users++ == 0) list_remove(p, page);
}

void r1i_pages_drop(r1i_pages *p, int32_t page)
{
    r1i_page *const g = &p->page[page];
    assert(g->users > 0);
    if (--g->users > 0) return;
    if (g->self) list_append(p, page);
    else free_push(p, page);
}

void r1i_pages_forget(r1i_pages *p)
{
    while (p->oldest >= 0) {
        const int32_t page = p->oldest;
        list_remove(p, page);
        free_push(p, page);
    }
    for (int32_t i = 0; i < p->n; i++) p->page[i].self = 0;
    memset(p->bucket, 0xff, (size_t)p->n_buckets * sizeof *p->bucket);
}
