/* The vocabulary: texts of the ids as raw bytes, a hash from bytes to id, and the merges as a hash from a pair of ids
 * to a rank. Built once by a loader, then read-only. */
#ifndef R1I_TOK_VOCAB_H
#define R1I_TOK_VOCAB_H

#include "base/error.h"

/* Ids and ranks are packed into one 64-bit word of the merge table. */
#define R1I_VOCAB_MAX_IDS (1 << 21)
#define R1I_VOCAB_MAX_MERGES ((1 << 22) - 1)
#define R1I_NO_RANK 0x3FFFFFu

enum {
    R1I_TOKEN_DEFINED = 1,
    R1I_TOKEN_ADDED = 2,   /* text stands for itself and is found before BPE */
    R1I_TOKEN_SPECIAL = 4, /* control: left out by decode on request */
    R1I_TOKEN_BPE = 8      /* in the hash: BPE may produce it */
};

typedef struct r1i_token {
    uint32_t at, size; /* in r1i_vocab.text */
} r1i_token;

typedef struct r1i_vocab {
    r1i_token *token;       /* [cap] */
    uint8_t *flag;          /* [cap] */
    uint8_t *text;
    size_t size, cap;       /* ids: one past the largest defined one, room */
    size_t text_bytes, text_cap;
    size_t longest;         /* bytes */

    uint64_t *slot;         /* [slots] hash's upper half << 32 | id + 1; 0 empty */
    size_t slots, filled;

    uint64_t *pair;         /* [pairs] left << 43 | right << 22 | rank; all ones: empty */
    size_t pairs;
    unsigned pair_shift;
    int32_t *merged;        /* [merges] id that the merge of this rank makes */
    size_t merges, merges_cap;

    int32_t byte_id[256];   /* -1: not in the vocabulary */
    uint32_t *byte_pair;    /* [65536] rank of two single bytes */
    int32_t unknown;        /* stands for a byte without an id; -1: such bytes are dropped */
} r1i_vocab;

void r1i_vocab_init(r1i_vocab *v);
void r1i_vocab_free(r1i_vocab *v);

/* Make room for so many ids of so many bytes in all: spares growing, bounds nothing. */
r1_status r1i_vocab_reserve(r1i_vocab *v, size_t ids, size_t text_bytes, r1_error *err);

/* Define an id. `flags` without R1I_TOKEN_DEFINED. R1_ERR_FORMAT when the id has another text already, R1_ERR_RANGE
 * outside [0, R1I_VOCAB_MAX_IDS). Defining an id again with the same text adds the flags. */
r1_status r1i_vocab_define(r1i_vocab *v, int64_t id, const uint8_t *text, size_t n, unsigned flags, r1_error *err);

/* Id of these bytes among the tokens that BPE may produce, or -1. */
int32_t r1i_vocab_find(const r1i_vocab *v, const uint8_t *text, size_t n);

/* Merges in rank order: room for `n` first, then each. A pair that cannot arise (a side or the result is not in the
 * vocabulary) only uses up its rank; *known says which. */
r1_status r1i_vocab_begin_merges(r1i_vocab *v, uint64_t n, r1_error *err);
r1_status r1i_vocab_add_merge(r1i_vocab *v, int32_t left, int32_t right, int32_t result, uint32_t rank, r1_error *err);
/* After the last merge: tables of single bytes. */
r1_status r1i_vocab_finish(r1i_vocab *v, r1_error *err);

/* A token in the byte alphabet ("Ġthe") to raw bytes; false when a character is outside it. out holds n bytes. */
bool r1i_byte_alphabet_decode(const char *text, size_t n, uint8_t *out, size_t *out_n);

static inline uint32_t r1i_vocab_rank(const r1i_vocab *v, int32_t left, int32_t right)
{
    const uint64_t key = (uint64_t)(uint32_t)left << 21 | (uint32_t)right;
    size_t i = (size_t)(key * 0x9E3779B97F4A7C15u >> v->pair_shift);
    for (;;) {
        const uint64_t e = v->pair[i];
        if (e >> 22 == key) return (uint32_t)(e & R1I_NO_RANK);
        if (e == UINT64_MAX) return R1I_NO_RANK;
        i = (i + 1) & (v->pairs - 1);
    }
}

#endif
