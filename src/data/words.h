/* Text as a list of normalised words, and rolling hashes over runs of them: how two texts are compared for what one may
 * have copied from the other. */
#ifndef R1I_WORDS_H
#define R1I_WORDS_H

#include "base/error.h"

/* Words are runs of letters and digits, ASCII in lower case; every CJK character is a word of its own; all else
 * separates. */
typedef struct r1i_words {
    char *bytes;               /* the words, one after the other */
    uint32_t *begin;           /* [n + 1] */
    size_t n;
} r1i_words;

/* R1_ERR_RANGE: 2 GiB and more. */
r1_status r1i_words_make(const char *text, size_t bytes, r1i_words *out, r1_error *err);
void r1i_words_free(r1i_words *w);
static inline size_t r1i_word_length(const r1i_words *w, size_t i) { return w->begin[i + 1] - w->begin[i]; }
/* Words [from, from + n) with single spaces, cut to fit on a character. */
void r1i_words_join(const r1i_words *w, size_t from, size_t n, char *out, size_t size);

enum { R1I_GRAM_MAX = 64 };
/* The hash of the last n words pushed: a polynomial, so that each push costs one word and not n. */
typedef struct r1i_gram {
    size_t n, seen;
    uint64_t hash, power;      /* power: factor of the word that leaves */
    uint64_t word[R1I_GRAM_MAX];
} r1i_gram;
r1i_gram r1i_gram_init(size_t n); /* n is cut to 1 .. R1I_GRAM_MAX */
/* Word i of w joins; true when n words are in. */
bool r1i_gram_push(r1i_gram *g, const r1i_words *w, size_t i);

#endif
