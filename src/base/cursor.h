/* A bounded little-endian reader over bytes someone else owns. Every read checks; after the first failure the cursor
 * stays failed and reads give zero, so a parser may check once per structure. */
#ifndef R1I_CURSOR_H
#define R1I_CURSOR_H

#include <string.h>

#include "base/error.h"

typedef struct r1i_cursor {
    const uint8_t *data;
    uint64_t size, pos; /* bytes */
    bool failed;
} r1i_cursor;

/* n bytes at the cursor, or NULL (and failed) when fewer are left. */
static inline const uint8_t *r1i_cursor_take(r1i_cursor *c, uint64_t n)
{
    if (c->failed || n > c->size - c->pos) {
        c->failed = true;
        return NULL;
    }
    const uint8_t *const p = c->data + c->pos;
    c->pos += n;
    return p;
}

static inline uint64_t r1i_cursor_uint(r1i_cursor *c, unsigned bytes)
{
    const uint8_t *const p = r1i_cursor_take(c, bytes);
    uint64_t v = 0;
    if (!p) return 0;
    for (unsigned i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}
static inline uint8_t r1i_cursor_u8(r1i_cursor *c) { return (uint8_t)r1i_cursor_uint(c, 1); }
static inline uint16_t r1i_cursor_u16(r1i_cursor *c) { return (uint16_t)r1i_cursor_uint(c, 2); }
static inline uint32_t r1i_cursor_u32(r1i_cursor *c) { return (uint32_t)r1i_cursor_uint(c, 4); }
static inline uint64_t r1i_cursor_u64(r1i_cursor *c) { return r1i_cursor_uint(c, 8); }

#endif
