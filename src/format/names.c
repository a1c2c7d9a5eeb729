#include "format/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static uint32_t hash_name(uint64_t seed, const char *name)
{
    size_t n = strlen(name);
    uint64_t h = seed ^ ((uint64_t)n * 0x9e3779b97f4a7c15u);
    while (n > 0) {
        uint64_t w = 0;
        const size_t k = n < 8 ? n : 8;
        memcpy(&w, name, k);
        name += k;
        n -= k;
        h = (h ^ w) * 0xd6e8feb86659fd93u;
        h ^= h >> 32;
    }
    h *= 0xd6e8feb86659fd93u;
    return (uint32_t)(h >> 32);
}

static const char *name_at(const void *items, size_t stride, int64_t i)
{
    const char *name;
    memcpy(&name, (const char *)items + (size_t)i * stride, sizeof name);
    return name;
}

r1_status r1i_names_create(r1i_names *t, uint64_t n, r1_error *err)
{
    *t = (r1i_names){.n_slots = 8};
    if (n >= (UINT64_C(1) << 31))
        return r1i_fail(err, R1_ERR_RANGE, "%llu names, below 2^31 expected", (unsigned long long)n);
    while (t->n_slots < n + n / 2) t->n_slots *= 2;
    /* any unpredictable number will do; the clock is enough where the kernel has none to give yet */
    if (getrandom(&t->seed, sizeof t->seed, GRND_NONBLOCK) != (ssize_t)sizeof t->seed) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        t->seed = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)t;
    }
    t->slot = calloc(t->n_slots, sizeof *t->slot);
    if (t->slot) return R1_OK;
    t->n_slots = 0;
    return r1i_fail(err, R1_ERR_NOMEM, "name table of %llu names", (unsigned long long)n);
}

void r1i_names_destroy(r1i_names *t)
{
    free(t->slot);
    *t = (r1i_names){0};
}

/* The slot that holds the name, or the empty one where it belongs. */
static uint64_t probe(const r1i_names *t, const void *items, size_t stride, const char *name, uint32_t hash)
{
    uint64_t at = hash & (t->n_slots - 1);
    while (t->slot[at].index_plus_1 != 0 &&
           (t->slot[at].hash != hash ||
            strcmp(name_at(items, stride, (int64_t)t->slot[at].index_plus_1 - 1), name) != 0))
        at = (at + 1) & (t->n_slots - 1);
    return at;
}

int64_t r1i_names_add(r1i_names *t, const void *items, size_t stride, int64_t i)
{
    const char *const name = name_at(items, stride, i);
    const uint32_t hash = hash_name(t->seed, name);
    const uint64_t at = probe(t, items, stride, name, hash);
    if (t->slot[at].index_plus_1 != 0) return (int64_t)t->slot[at].index_plus_1 - 1;
    t->slot[at].hash = hash;
    t->slot[at].index_plus_1 = (uint32_t)(i + 1);
    return i;
}

int64_t r1i_names_find(const r1i_names *t, const void *items, size_t stride, const char *name)
{
    if (t->n_slots == 0) return -1;
    return (int64_t)t->slot[probe(t, items, stride, name, hash_name(t->seed, name))].index_plus_1 - 1;
}
