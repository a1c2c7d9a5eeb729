/* Making a vocabulary: byte-level BPE learnt from text, with the pre-tokeniser and the control tokens of DeepSeek-R1.
 * Texts go in one by one, each distinct piece is kept once with its count; then pairs are merged, most frequent
 * first. */
#ifndef R1I_TOK_TRAIN_H
#define R1I_TOK_TRAIN_H

#include "base/json.h"
#include "r1/tokenizer.h"
#include "tokenizer/tok_added.h"
#include "tokenizer/tok_split.h"

/* A distinct piece of the texts. */
typedef struct r1i_train_word {
    size_t at;      /* in r1i_tok_trainer.bytes */
    uint32_t n, hash;
    int64_t count;
} r1i_train_word;

typedef struct r1i_train_merge {
    uint32_t left, right; /* ids; merge k makes id specials + 256 + k */
} r1i_train_merge;

typedef struct r1i_tok_trainer {
    const char *const *special; /* [specials] texts of ids 0, 1, ..; borrowed */
    size_t specials, digits;
    r1i_added added;
    r1i_classes classes;
    r1i_splitter splitter;
    r1i_split_run split;

    uint8_t *bytes;             /* of all words */
    size_t n_bytes, cap_bytes;
    r1i_train_word *word;
    size_t words, cap_words;
    uint32_t *slot;             /* [slots] word + 1; 0 empty */
    size_t slots;
    int64_t pieces;

    r1i_train_merge *merge;     /* in the order in which they were made */
    size_t merges, size;        /* size: ids so far */
} r1i_tok_trainer;

/* Ids: special[0..n), 256 bytes in the order of their characters in the byte alphabet, then what merges make. digits:
 * longest run of digits in a piece, 1 to 3. R1_ERR_USAGE for a special token that is no such thing (too short,
 * twice). */
r1_status r1i_tok_trainer_open(r1i_tok_trainer *t, const char *const *special, size_t n, size_t digits, r1_error *err);
void r1i_tok_trainer_close(r1i_tok_trainer *t); /* takes a zeroed one */

/* Count the pieces of one text (well-formed UTF-8), cut at special tokens. */
r1_status r1i_tok_trainer_add(r1i_tok_trainer *t, const char *text, size_t n, r1_error *err);

/* Merge until there are so many ids or nothing is left to merge. */
r1_status r1i_tok_trainer_merge(r1i_tok_trainer *t, size_t vocab, const r1_env *env, r1_error *err);

/* tokenizer.json; controls: how many special tokens, from the first, are control tokens that decoding may leave out.
 * New reference. */
r1_status r1i_tok_trainer_json(const r1i_tok_trainer *t, size_t controls, json_t **out, r1_error *err);

/* Byte of id specials + k, and back. */
uint8_t r1i_alphabet_byte(unsigned k);
unsigned r1i_alphabet_index(uint8_t byte);

#endif
