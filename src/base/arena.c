#include "base/arena.h"

#include <assert.h>

r1_status r1i_arena_create(r1i_arena *a, const char *name, const r1_env *env, size_t bytes, r1_error *err)
{
    *a = (r1i_arena){.name = name, .size = r1i_align_up(bytes, R1I_ALIGN)};
    if (env) a->env = *env;
    a->base = r1i_alloc(&a->env, a->size);
    if (!a->base) {
        a->size = 0;
        return r1i_fail(err, R1_ERR_NOMEM, "%s arena, %zu bytes", name, bytes);
    }
    return R1_OK;
}

void r1i_arena_destroy(r1i_arena *a)
{
    if (!a || !a->base) return;
    r1i_release(&a->env, a->base, a->size);
    a->base = NULL;
    a->size = a->used = 0;
}

void *r1i_arena_take(r1i_arena *a, size_t bytes, r1_error *err)
{
    assert(a->used <= a->size);
    if (bytes > a->size - a->used) {
        r1i_fail(err, R1_ERR_NOMEM, "%s arena is full: %zu of %zu bytes in use, %zu wanted, high-water mark %zu",
                 a->name, a->used, a->size, bytes, a->high);
        return NULL;
    }
    void *const p = a->base + a->used;
    a->used += r1i_align_up(bytes, R1I_ALIGN);
    if (a->used > a->size) a->used = a->size;
    if (a->used > a->high) a->high = a->used;
    return p;
}
