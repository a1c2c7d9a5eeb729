/* Asking a chat/completions service: one request at a time, with patience for a busy one. libcurl is opened when the
 * first client is made, so that a program without it lacks this ability alone. */
#ifndef R1I_CHAT_CLIENT_H
#define R1I_CHAT_CLIENT_H

#include "base/error.h"
#include "r1/eval.h"

typedef struct r1i_chat_client r1i_chat_client; /* one thread; several clients may work at once */

/* endpoint is copied. R1_ERR_MISSING: no libcurl.so.4; R1_ERR_USAGE: a URL that is not http or https. */
r1_status r1i_chat_client_create(const r1_endpoint *endpoint, r1i_chat_client **out, r1_error *err);
void r1i_chat_client_destroy(r1i_chat_client *c); /* takes NULL */

typedef struct r1i_chat_request {
    const char *prompt;        /* the user's turn; no system message */
    size_t prompt_bytes;
    int64_t max_tokens;
    double temperature, top_p;
    uint32_t seed;
    const char *const *stop;   /* [n_stop] */
    size_t n_stop;
} r1i_chat_request;

typedef struct r1i_chat_reply {
    char *text;                /* reasoning_content, where there is some, as <think>...</think> before the content */
    size_t bytes;
    int64_t tokens;            /* of the completion as the service counted; 0: it did not say */
    bool truncated;            /* finish_reason was "length" */
    double seconds;
} r1i_chat_reply;
/* R1_ERR_MISSING: no service, or a busy one after all retries; R1_ERR_IO: a status that no retry mends (message: status
 * and the service's words); R1_ERR_FORMAT: an answer that is not a chat completion. */
r1_status r1i_chat_client_ask(r1i_chat_client *c, const r1i_chat_request *request, r1i_chat_reply *out, r1_error *err);
void r1i_chat_reply_free(r1i_chat_reply *reply);

/* The answer's JSON to a reply: for tests and the fuzzer. */
r1_status r1i_chat_reply_parse(const char *json, size_t bytes, r1i_chat_reply *out, r1_error *err);

#endif
