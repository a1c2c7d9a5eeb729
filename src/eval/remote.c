/* Samples from a service: a few threads, each with a connection of its own. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "eval/chat_client.h"
#include "eval/generate.h"

enum { MAX_PARALLEL = 256, PATIENCE = 3 };

typedef struct remote {
    const r1_eval_config *config;
    const r1i_plan *plan;
    r1i_recorder *recorder;
    pthread_mutex_t lock;      /* of next and in_a_row */
    r1i_todo next;
    int in_a_row;              /* requests that failed since the last that did not */
} remote;

static bool take(remote *m, r1i_todo *at)
{
    if (!r1i_recorder_tick(m->recorder)) return false;
    pthread_mutex_lock(&m->lock);
    const bool more = r1i_todo_next(&m->next, m->plan, m->recorder, at);
    pthread_mutex_unlock(&m->lock);
    return more;
}

/* Whether a failed request is the service's end rather than this prompt's: the first one ever, or several together. */
static bool hopeless(remote *m, r1_status st)
{
    pthread_mutex_lock(&m->lock);
    m->in_a_row = st == R1_OK ? 0 : m->in_a_row + 1;
    const bool yes = m->in_a_row >= PATIENCE;
    pthread_mutex_unlock(&m->lock);
    return yes;
}

static void one(remote *m, r1i_chat_client *client, const r1i_todo *at)
{
    const r1i_plan_task *const t = &m->plan->task[at->task];
    const r1i_item *const item = &t->items.item[at->prompt];
    r1_error err = {0};
    r1i_chat_reply reply;
    const r1i_chat_request q = {.prompt = item->question, .prompt_bytes = item->question_bytes,
                                .max_tokens = m->config->max_tokens, .temperature = m->config->temperature,
                                .top_p = m->config->top_p,
        .seed = r1i_sample_seed(m->config->seed, t->step, (uint32_t)at->prompt, (uint32_t)at->sample),
        .stop = (const char *const *)t->task->stop, .n_stop = t->task->n_stop};
    r1i_outcome *const o = calloc(1, sizeof *o);
    const r1_status st = r1i_chat_client_ask(client, &q, &reply, &err);
    if (hopeless(m, st) || !o) {
        if (st == R1_OK) r1i_fail(&err, R1_ERR_NOMEM, "memory is out");
        r1i_recorder_fail(m->recorder, &err);
        r1i_chat_reply_free(&reply);
        free(o);
        return;
    }
    *o = (r1i_outcome){.task = at->task, .prompt = at->prompt, .sample = at->sample, .text = reply.text,
                       .text_bytes = reply.bytes, .tokens = reply.tokens, .truncated = reply.truncated,
                       .decode_seconds = reply.seconds};
    r1i_recorder_add_tokens(m->recorder, (uint64_t)reply.tokens);
    if (st != R1_OK) snprintf(o->missing, sizeof o->missing, "%.250s", err.message);
    r1i_recorder_push(m->recorder, o);
}

static void *remote_main(void *user)
{
    remote *const m = user;
    r1i_chat_client *client;
    r1_error err = {0};
    r1i_todo at;
    if (r1i_chat_client_create(m->config->endpoint, &client, &err) != R1_OK) {
        r1i_recorder_fail(m->recorder, &err);
        return NULL;
    }
    while (take(m, &at)) one(m, client, &at);
    r1i_chat_client_destroy(client);
    return NULL;
}

void r1i_generate_remote(const r1_eval_config *config, const r1i_plan *plan, r1i_recorder *r)
{
    remote m = {.config = config, .plan = plan, .recorder = r, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread[MAX_PARALLEL];
    int wanted = config->endpoint->parallel > 0 ? config->endpoint->parallel : 8, n = 0;
    if (wanted > MAX_PARALLEL) wanted = MAX_PARALLEL;
    while (n < wanted && pthread_create(&thread[n], NULL, remote_main, &m) == 0) n++;
    if (n == 0)
        r1i_recorder_fail(r, &(r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "no thread for a request"});
    for (int i = 0; i < n; i++) pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&m.lock);
}
