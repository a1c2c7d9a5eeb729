/* Added tokens: strings found in the text before anything else. A byte trie gives the longest one at a place. */
#ifndef R1I_TOK_ADDED_H
#define R1I_TOK_ADDED_H

#include "tokenizer/tok_class.h"

typedef struct r1i_added_token {
    const uint8_t *text; /* borrowed while building; the trie keeps none of it */
    uint32_t size;
    int32_t id;
    bool special, normalized, lstrip, rstrip, single_word;
} r1i_added_token;

typedef struct r1i_added_node {
    uint32_t first, count; /* edges */
    int32_t token;         /* index into the list it was made of, or -1 */
} r1i_added_node;

typedef struct r1i_added {
    r1i_added_node *node;  /* [nodes]; 0 is the root */
    uint8_t *byte;         /* [edges] label */
    uint32_t *target;      /* [edges] node */
    uint8_t *strip;        /* [tokens] 1 lstrip, 2 rstrip, 4 single_word */
    int32_t *id;           /* [tokens] */
    size_t nodes, tokens;  /* edges = nodes - 1 */
    bool starts[256];      /* bytes that begin a token */
} r1i_added;

#define R1I_ADDED_MAX_BYTES 4096u

/* Of those tokens whose `normalized` is the given one. R1_ERR_RANGE for a token that is empty or too long. */
r1_status r1i_added_make(r1i_added *a, const r1i_added_token *tokens, size_t n, bool normalized, r1_error *err);
void r1i_added_free(r1i_added *a);

/* Id of exactly this text, or -1. */
int32_t r1i_added_lookup(const r1i_added *a, const uint8_t *text, size_t n);

typedef struct r1i_added_match {
    size_t begin, end; /* white space that the token strips is inside */
    int32_t id;
} r1i_added_match;

/* Leftmost-longest match inside [from, limit) of text[0..n); stripping may reach back to `floor` and on to n. */
bool r1i_added_find(const r1i_added *a, const r1i_classes *c, const uint8_t *text, size_t n, size_t floor, size_t from,
                    size_t limit, r1i_added_match *match);

#endif
