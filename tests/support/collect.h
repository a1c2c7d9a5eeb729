/* Requests whose outcome is kept, for tests that compare what two engines said byte for byte. */
#ifndef COLLECT_H
#define COLLECT_H

#include "r1/engine.h"

enum { COLLECT_MAX = 600, COLLECT_TOP = 3 };

typedef struct collected {
    int32_t id[COLLECT_MAX];
    float logprob[COLLECT_MAX];
    r1_logprob top[COLLECT_MAX][COLLECT_TOP];
    bool forced[COLLECT_MAX];
    int64_t n;
    char text[16384];
    size_t text_bytes;
    int done;            /* calls of on_done */
    r1_result result;
    int64_t cancel_at;   /* on_token returns false at this index; -1: never */
} collected;

/* Resets c and points the request's callbacks at it. */
void collect(r1_request *request, collected *c);
/* The same tokens, log-probs and alternatives, bit for bit. Prints the first difference. */
bool collected_equal(const collected *a, const collected *b);

#endif
