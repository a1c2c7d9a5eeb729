#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/count_alloc.h"
#include "support/fail_alloc.h"

static _Atomic long calls, live, fail_at;
static _Atomic bool failed;

/* The linker's --wrap: ours are called for every reference, __real_ are the library's. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void __real_free(void *p);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);
void __wrap_free(void *p);

static bool refuse(void)
{
    const long n = atomic_fetch_add(&calls, 1) + 1, at = atomic_load(&fail_at);
    if (at == 0 || n != at) return false;
    atomic_store(&failed, true);
    return true;
}

static void *counted(void *p)
{
    if (p) atomic_fetch_add(&live, 1);
    return p;
}

void *__wrap_malloc(size_t size) { return refuse() ? NULL : counted(__real_malloc(size)); }

void *__wrap_calloc(size_t n, size_t size) { return refuse() ? NULL : counted(__real_calloc(n, size)); }

void *__wrap_realloc(void *p, size_t size)
{
    if (refuse()) return NULL;
    void *const q = __real_realloc(p, size);
    if (!p) counted(q);
    return q;
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return refuse() ? NULL : counted(__real_aligned_alloc(align, size));
}

char *__wrap_strndup(const char *text, size_t max)
{
    const size_t n = strnlen(text, max);
    char *const p = __wrap_malloc(n + 1);
    if (!p) return NULL;
    memcpy(p, text, n);
    p[n] = '\0';
    return p;
}

char *__wrap_strdup(const char *text) { return __wrap_strndup(text, strlen(text)); }

void __wrap_free(void *p)
{
    if (p) atomic_fetch_sub(&live, 1);
    __real_free(p);
}

long count_alloc_calls(void) { return atomic_load(&calls); }
long count_alloc_live(void) { return atomic_load(&live); }

void fail_alloc_at(long n)
{
    atomic_store(&failed, false);
    atomic_store(&fail_at, n > 0 ? atomic_load(&calls) + n : 0);
}

bool fail_alloc_happened(void) { return atomic_load(&failed); }

static long sweep(r1_status (*attempt)(void *ctx, r1_error *err), void *ctx, bool any_status)
{
    for (long n = 1;; n++) {
        r1_error err = {0};
        const long before = count_alloc_live();
        fail_alloc_at(n);
        const r1_status st = attempt(ctx, &err);
        const bool happened = fail_alloc_happened();
        fail_alloc_at(0);
        const long left = count_alloc_live() - before;
        if (left != 0) {
            printf("allocation %ld: %ld blocks left behind\n", n, left);
            return -1;
        }
        if (!happened && st == R1_OK) return n - 1;
        if (!happened || (st != R1_ERR_NOMEM && !any_status)) {
            printf("allocation %ld: status %s, %s\n", n, r1_status_name(st), err.message);
            return -1;
        }
    }
}

long fail_alloc_sweep(r1_status (*attempt)(void *ctx, r1_error *err), void *ctx) { return sweep(attempt, ctx, false); }

long fail_alloc_sweep_json(r1_status (*attempt)(void *ctx, r1_error *err), void *ctx)
{
    return sweep(attempt, ctx, true);
}
