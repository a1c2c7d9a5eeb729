/* One request inside the engine: its copied settings, its tokens, its pages, and the text it streams. Made in one block
 * of memory at submission, so that nothing is allocated while it runs. */
#ifndef R1I_REQUEST_H
#define R1I_REQUEST_H

#include <stdatomic.h>

#include "engine/pages.h"
#include "engine/stop.h"
#include "r1/engine.h"

/* What a request is checked and sized against; the engine's constants. */
typedef struct r1i_request_limits {
    int64_t vocab, context;      /* ids below vocab; prompt and output together at most context */
    int64_t pages;               /* of the whole cache */
    const r1_tokenizer *tokenizer;
    size_t piece_room;           /* most bytes one token adds to the text */
    int32_t think_open, think_close; /* ids of the markers, -1 where the tokenizer has none */
    const int32_t *think_end;    /* [n_think_end] "\n</think>\n\n" */
    int32_t n_think_end;
} r1i_request_limits;

typedef struct r1i_request {
    struct r1i_request *next_all, *next_queued;
    int64_t id;
    size_t bytes;                /* of this block */
    r1_env env;
    atomic_bool cancel;          /* set by any thread */

    r1_sampling sampling;        /* logit_bias points into the block */
    int32_t *token;              /* [limit] prompt, then output */
    int64_t n_prompt, n_known;   /* tokens known: prompt and output so far */
    int64_t limit;               /* n_known never passes it */
    int32_t *page;               /* [ceil(limit / 64)] */
    int64_t n_pages;
    int64_t n_computed;          /* positions whose keys and values are in the pages */
    r1i_chain chain;             /* of the full pages among n_computed */
    int64_t n_planned;           /* rows in the step being made */

    const int32_t *stop_id;      /* [n_stop_id], with the tokenizer's own */
    int32_t n_stop_id;
    const int32_t *forced;       /* [n_forced] the output's beginning */
    int64_t n_forced;
    bool thinking;
    int64_t think_budget, n_thinking;
    int32_t think_end_at;        /* next id of the closing marker being forced; -1: not closing */

    r1_detokenizer detokenizer;
    r1i_stop stop;

    bool (*on_token)(void *user, const r1_token_event *event);
    void (*on_done)(void *user, const r1_result *result);
    void *user;

    r1_result result;
    /* clock at submission, at the first step with it, at the first token; 0: not yet */
    double submitted, started, first;
} r1i_request;

/* Check, copy. R1_ERR_USAGE (an empty prompt, text features without a tokenizer), R1_ERR_RANGE, R1_ERR_NOMEM. */
r1_status r1i_request_create(const r1_request *in, const r1i_request_limits *limits, const r1_env *env,
                             r1i_request **out, r1_error *err);
void r1i_request_destroy(r1i_request *r); /* takes NULL */

/* The id that the next position must have whatever the logits say, or -1. */
int32_t r1i_request_forced(const r1i_request *r, const r1i_request_limits *limits);
/* Append the id chosen for the next position and decide whether the request ends with it (r->result.finish) and what
 * text
 * is ready: *text borrowed until r1i_request_text_used. piece[piece_room] is scratch. */
void r1i_request_accept(r1i_request *r, const r1i_request_limits *limits, int32_t id, bool forced, char *piece,
                        const char **text, size_t *text_bytes);
void r1i_request_text_used(r1i_request *r, size_t text_bytes);

static inline int64_t r1i_pages_for(int64_t positions) { return (positions + R1I_PAGE_TOKENS - 1) / R1I_PAGE_TOKENS; }

#endif
