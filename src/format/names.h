/* A hash table from names to the indices of an array whose items begin with a `const char *` (entries, GGUF tensors and
 * values do). It holds no strings. The hash is seeded per table, so that no file can be made of colliding names. */
#ifndef R1I_NAMES_H
#define R1I_NAMES_H

#include "base/error.h"

typedef struct r1i_names {
    struct r1i_names_slot { uint32_t hash, index_plus_1; } *slot;
    uint64_t n_slots; /* a power of two, at least 1.5 times the items */
    uint64_t seed;
} r1i_names;

/* Room for n items, n below 2^31. */
r1_status r1i_names_create(r1i_names *t, uint64_t n, r1_error *err);
void r1i_names_destroy(r1i_names *t);
/* Enter item i of items[stride bytes each]; returns i, or the earlier item of the same name (nothing is entered). */
int64_t r1i_names_add(r1i_names *t, const void *items, size_t stride, int64_t i);
/* -1 when absent. */
int64_t r1i_names_find(const r1i_names *t, const void *items, size_t stride, const char *name);

#endif
