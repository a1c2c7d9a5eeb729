#include "reward/math_mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct r1i_mblock {
    r1i_mblock *next;
    size_t size, used;
    _Alignas(16) char bytes[];
};

void r1i_mem_init(r1i_mem *m, size_t cap) { *m = (r1i_mem){.cap = cap, .where = -1}; }

void r1i_mem_destroy(r1i_mem *m)
{
    for (r1i_mblock *b = m->first, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *m = (r1i_mem){0};
}

void r1i_mem_reset(r1i_mem *m, int64_t steps)
{
    for (r1i_mblock *b = m->first; b; b = b->next) b->used = 0;
    m->now = m->first;
    m->steps = steps;
    m->why = NULL;
    m->where = -1;
    m->atoms = NULL;
    m->depth = 0;
}

_Noreturn void r1i_mem_fail(r1i_mem *m, int64_t where, const char *why)
{
    m->why = why;
    m->where = where;
    longjmp(m->catcher, 1);
}

void *r1i_mem_take(r1i_mem *m, size_t bytes)
{
    if (bytes > m->cap) r1i_mem_fail(m, -1, "too large to work out");
    bytes = (bytes + 15) & ~(size_t)15;
    while (m->now && m->now->size - m->now->used < bytes && m->now->next) m->now = m->now->next;
    if (!m->now || m->now->size - m->now->used < bytes) {
        size_t size = m->now ? m->now->size * 2 : 8000;
        if (size > 1u << 20) size = 1u << 20;
        if (size < bytes) size = bytes;
        if (m->bytes + size > m->cap) r1i_mem_fail(m, -1, "too large to work out");
        r1i_mblock *const b = malloc(sizeof *b + size);
        if (!b) r1i_mem_fail(m, -1, "no memory");
        *b = (r1i_mblock){.size = size};
        m->bytes += size;
        if (m->now) m->now->next = b;
        else m->first = b;
        m->now = b;
    }
    void *const p = m->now->bytes + m->now->used;
    m->now->used += bytes;
    return memset(p, 0, bytes);
}

char *r1i_mem_text(r1i_mem *m, const char *s, size_t n)
{
    char *const t = r1i_mem_take(m, n + 1);
    memcpy(t, s, n);
    return t;
}

char *r1i_mem_printf(r1i_mem *m, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *const t = r1i_mem_take(m, (size_t)n + 1);
    va_start(args, fmt);
    vsnprintf(t, (size_t)n + 1, fmt, args);
    va_end(args);
    return t;
}

void r1i_mtext_put(r1i_mtext *t, const char *s, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        const size_t cap = (t->cap + n + 1) * 2 + 48;
        char *const grown = r1i_mem_take(t->mem, cap);
        if (t->n) memcpy(grown, t->s, t->n);
        t->s = grown;
        t->cap = cap;
    }
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = 0;
}
