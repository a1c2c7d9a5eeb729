#include "support/collect.h"

#include <stdio.h>
#include <string.h>

static bool on_token(void *user, const r1_token_event *event)
{
    collected *const c = user;
    if (event->index != c->n || c->done || c->n == COLLECT_MAX) {
        printf("token %lld arrived as number %lld\n", (long long)event->index, (long long)c->n);
        c->done += 100; /* twice or out of order: no test accepts that */
        return false;
    }
    c->id[c->n] = event->id;
    c->logprob[c->n] = event->logprob;
    c->forced[c->n] = event->forced;
    for (int32_t i = 0; i < event->n_top && i < COLLECT_TOP; i++) c->top[c->n][i] = event->top[i];
    c->n++;
    if (c->text_bytes + event->text_bytes < sizeof c->text) {
        memcpy(c->text + c->text_bytes, event->text, event->text_bytes);
        c->text_bytes += event->text_bytes;
        c->text[c->text_bytes] = '\0';
    }
    return event->index != c->cancel_at;
}

static void on_done(void *user, const r1_result *result)
{
    collected *const c = user;
    c->done++;
    c->result = *result;
}

void collect(r1_request *request, collected *c)
{
    memset(c, 0, sizeof *c);
    c->cancel_at = -1;
    request->on_token = on_token;
    request->on_done = on_done;
    request->user = c;
}

bool collected_equal(const collected *a, const collected *b)
{
    for (int64_t i = 0; i < a->n && i < b->n; i++) {
        const bool same = a->id[i] == b->id[i] && memcmp(&a->logprob[i], &b->logprob[i], sizeof(float)) == 0 &&
                          memcmp(a->top[i], b->top[i], sizeof a->top[i]) == 0 && a->forced[i] == b->forced[i];
        if (same) continue;
        printf("token %lld: id %d log-prob %a, id %d log-prob %a\n", (long long)i, a->id[i], (double)a->logprob[i],
               b->id[i], (double)b->logprob[i]);
        return false;
    }
    if (a->n == b->n && a->done == 1 && b->done == 1 && a->result.finish == b->result.finish &&
        a->text_bytes == b->text_bytes && memcmp(a->text, b->text, a->text_bytes) == 0)
        return true;
    printf("%lld and %lld tokens, done %d and %d, finish %d and %d\n", (long long)a->n, (long long)b->n, a->done,
           b->done, (int)a->result.finish, (int)b->result.finish);
    return false;
}
