/* Byte-pair encoding of one piece: merge the adjacent pair of lowest rank, leftmost first, until none is left. Short
 * pieces are scanned, long ones use a heap, so that a megabyte without a space costs n log n. */
#ifndef R1I_TOK_BPE_H
#define R1I_TOK_BPE_H

#include <string.h>

#include "tokenizer/tok_vocab.h"

typedef struct r1i_ids {
    int32_t *id; /* malloc'd */
    size_t n, cap;
} r1i_ids;

r1_status r1i_ids_reserve(r1i_ids *ids, size_t more, r1_error *err);

static inline r1_status r1i_ids_push(r1i_ids *ids, int32_t id, r1_error *err)
{
    if (ids->n == ids->cap) {
        const r1_status st = r1i_ids_reserve(ids, 1, err);
        if (st != R1_OK) return st;
    }
    ids->id[ids->n++] = id;
    return R1_OK;
}

/* A hash of short strings, eight bytes at a time; not for adversaries: every table that uses it is bounded. */
static inline uint64_t r1i_hash_bytes(const uint8_t *p, size_t n)
{
    uint64_t h = n * 0x9E3779B97F4A7C15u, w;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xFF51AFD7ED558CCDu;
        h ^= h >> 32;
    }
    w = 0;
    if (n >= 4) {
        uint32_t lo, hi;
        memcpy(&lo, p, 4);
        memcpy(&hi, p + n - 4, 4);
        w = (uint64_t)hi << 32 | lo;
    } else if (n > 0) {
        w = p[0] | (uint64_t)p[n >> 1] << 8 | (uint64_t)p[n - 1] << 16;
    }
    h = (h ^ w) * 0xC4CEB9FE1A85EC53u;
    return h ^ h >> 29;
}

/* Append the ids of piece p[0..n), n > 0. R1_ERR_NOMEM; R1_ERR_RANGE for a piece of 2 GiB or more. */
r1_status r1i_bpe(const r1i_vocab *v, const uint8_t *p, size_t n, r1i_ids *out, r1_error *err);

#endif
