#include "eval/generate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/text.h"

bool r1i_todo_next(r1i_todo *next, const r1i_plan *plan, const r1i_recorder *r, r1i_todo *at)
{
    while (next->task < plan->n) {
        const r1i_plan_task *const t = &plan->task[next->task];
        *at = *next;
        if (++next->sample >= t->samples) {
            next->sample = 0;
            if (++next->prompt >= t->items.n) {
                next->prompt = 0;
                next->task++;
            }
        }
        if (!r1i_recorder_has(r, at->task, at->prompt, at->sample)) return true;
    }
    return false;
}

/* ---- one request to the engine ----------------------------------------------------------------------------------- */

typedef struct loop {
    const r1_eval_config *config;
    const r1i_plan *plan;
    r1_engine *engine;
    r1i_recorder *recorder;
    int64_t context;
    size_t in_flight;
} loop;

typedef struct job {
    loop *loop;
    r1i_todo at;
    r1i_text text;
    int32_t *ids;
    size_t n, cap;
    bool failed;               /* memory */
} job;

static bool on_token(void *user, const r1_token_event *e)
{
    job *const j = user;
    if (j->n == j->cap) {
        const size_t cap = j->cap * 2 + 256;
        int32_t *const grown = realloc(j->ids, cap * sizeof *grown);
        if (!grown) return j->failed = true, false;
        j->ids = grown;
        j->cap = cap;
    }
    j->ids[j->n++] = e->id;
    r1i_text_add(&j->text, e->text, e->text_bytes);
    r1i_recorder_add_tokens(j->loop->recorder, 1);
    return !j->text.failed;
}

static void on_done(void *user, const r1_result *result)
{
    job *const j = user;
    loop *const l = j->loop;
    r1i_outcome *const o = calloc(1, sizeof *o);
    l->in_flight--;
    if (!o || j->failed || j->text.failed) {
        r1i_recorder_fail(l->recorder,
                          &(r1_error){.code = R1_ERR_NOMEM, .offset = -1,
                                      .message = "memory is out for a sample's text"});
    } else if (result->finish != R1_FINISH_CANCELLED) {
        *o = (r1i_outcome){.task = j->at.task, .prompt = j->at.prompt, .sample = j->at.sample, .ids = j->ids,
                           .n_ids = j->n, .text = j->text.bytes, .text_bytes = j->text.n,
                           .tokens = result->output_tokens, .truncated = result->finish == R1_FINISH_LENGTH,
            .queue_seconds = result->queue_seconds, .prefill_seconds = result->prefill_seconds,
            .decode_seconds = result->decode_seconds};
        if (result->finish == R1_FINISH_ERROR) snprintf(o->missing, sizeof o->missing, "%.250s", result->error.message);
        r1i_recorder_push(l->recorder, o);
        free(j);
        return;
    }
    free(o);
    free(j->ids);
    r1i_text_free(&j->text);
    free(j);
}

/* A prompt that the context cannot hold is this sample's fate, not the run's. */
static void record_refusal(loop *l, const r1i_todo *at, const r1_error *why)
{
    r1i_outcome *const o = calloc(1, sizeof *o);
    if (!o)
        return r1i_recorder_fail(l->recorder,
                                 &(r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "memory is out"});
    o->task = at->task;
    o->prompt = at->prompt;
    o->sample = at->sample;
    snprintf(o->missing, sizeof o->missing, "%.250s", why->message);
    r1i_recorder_push(l->recorder, o);
}

static void submit(loop *l, const r1i_todo *at)
{
    const r1i_plan_task *const t = &l->plan->task[at->task];
    const r1i_plan_prompt *const p = &t->prompt[at->prompt];
    r1_error err = {0};
    int64_t id;
    job *const j = calloc(1, sizeof *j);
    if (!j)
        return r1i_recorder_fail(l->recorder,
                                 &(r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "memory is out"});
    j->loop = l;
    j->at = *at;
    r1_request q = {.prompt = p->ids, .n_prompt = p->n, .sampling = r1_sampling_default(),
                    .thinking_open = p->thinking_open, .stop_strings = (const char *const *)t->task->stop,
                    .n_stop_strings = t->task->n_stop, .on_token = on_token, .on_done = on_done, .user = j};
    const int64_t room = l->context - (int64_t)p->n;
    q.max_tokens = room > 0 && room < l->config->max_tokens ? room : l->config->max_tokens;
    q.sampling.temperature = (float)l->config->temperature;
    q.sampling.top_p = (float)l->config->top_p;
    q.sampling.seed = l->config->seed;
    q.sampling.step = t->step;
    q.sampling.prompt = (uint32_t)at->prompt;
    q.sampling.sample = (uint32_t)at->sample;
    const r1_status st = r1_engine_submit(l->engine, &q, &id, &err);
    if (st == R1_OK) {
        l->in_flight++;
        return;
    }
    free(j);
    if (st == R1_ERR_RANGE) record_refusal(l, at, &err);
    else r1i_recorder_fail(l->recorder, &err);
}

void r1i_generate_engine(const r1_eval_config *config, const r1i_plan *plan, const r1_env *env, r1_engine *engine,
                         int64_t context, r1i_recorder *r)
{
    loop l = {.config = config, .plan = plan, .engine = engine, .recorder = r, .context = context};
    const size_t wanted = 2 * (size_t)(config->engine.max_sequences > 0 ? config->engine.max_sequences : 32);
    r1i_todo next = {0}, at;
    bool more = true;
    while (r1i_recorder_tick(r)) {
        r1_error err = {0};
        int64_t active;
        while (l.in_flight < wanted && more && (more = r1i_todo_next(&next, plan, r, &at))) submit(&l, &at);
        if (l.in_flight == 0 && !more) break;
        if (r1_engine_step(engine, &active, &err) != R1_OK) r1i_recorder_fail(r, &err);
    }
    r1_engine_stats s;
    r1_engine_get_stats(engine, &s);
    r1i_log(env, R1_LOG_INFO,
            "engine: %lld forwards, %lld prompt tokens computed and %lld found in shared pages, %lld tokens generated, %lld preemptions", (long long)s.forwards, (long long)s.prefill_tokens, (long long)s.prefix_hit_tokens, (long long)s.decode_tokens, (long long)s.preemptions);
    r1_engine_destroy(engine);
}
