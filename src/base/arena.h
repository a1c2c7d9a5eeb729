/* A bump arena with a fixed size: one per lifetime (model, step, request), sized by the room's own size function.
 * Running out is an error that names the arena, the want and the high-water mark; nothing grows behind one's back. */
#ifndef R1I_ARENA_H
#define R1I_ARENA_H

#include "base/env.h"

typedef struct r1i_arena {
    const char *name;   /* borrowed, a literal */
    r1_env env;
    uint8_t *base;
    size_t size, used, high; /* bytes */
    bool held;          /* resets do nothing: a tape still needs what was taken */
} r1i_arena;

r1_status r1i_arena_create(r1i_arena *a, const char *name, const r1_env *env, size_t bytes, r1_error *err);
void r1i_arena_destroy(r1i_arena *a);
/* 64-byte aligned, not zeroed, valid until the arena is reset past it; NULL when the arena is full (err filled). */
void *r1i_arena_take(r1i_arena *a, size_t bytes, r1_error *err);
static inline size_t r1i_arena_mark(const r1i_arena *a) { return a->used; }
/* Give back everything taken since the mark, unless the arena is held. */
static inline void r1i_arena_reset(r1i_arena *a, size_t mark)
{
    if (!a->held) a->used = mark;
}

#endif
