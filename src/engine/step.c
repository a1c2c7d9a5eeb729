/* One step: settle who computes which positions, run one forward over all of it, turn logits into tokens, tell the
 * callers. A request never reads anything of another: what it is told depends on its own tokens alone, however steps
 * were packed. */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine_state.h"
#include "op/ops.h"

/* ---- requests in and out ----------------------------------------------------------------------------------------- */

void r1i_engine_take_inbox(r1_engine *e)
{
    r1i_request **tail = &e->waiting;
    while (*tail) tail = &(*tail)->next_queued;
    pthread_mutex_lock(&e->lock);
    *tail = e->inbox;
    e->inbox = NULL;
    e->inbox_tail = &e->inbox;
    pthread_mutex_unlock(&e->lock);
}

void r1i_engine_release_pages(r1_engine *e, r1i_request *r)
{
    while (r->n_pages > 0) r1i_pages_drop(&e->pages, r->page[--r->n_pages]);
    r->n_computed = r->n_planned = 0;
    r->chain = 0;
}

static void account_time(r1i_request *r)
{
    const double now = r1i_seconds();
    const double started = r->started > 0.0 ? r->started : now, first = r->first > 0.0 ? r->first : now;
    r->result.queue_seconds = started - r->submitted;
    r->result.prefill_seconds = first - started;
    r->result.decode_seconds = now - first;
}

void r1i_engine_finish(r1_engine *e, r1i_request *r, r1_finish finish, const r1_error *error)
{
    r1i_engine_release_pages(e, r);
    r->result.finish = finish;
    if (error) r->result.error = *error;
    account_time(r);
    pthread_mutex_lock(&e->lock);
    r1i_request **at = &e->all;
    while (*at != r) at = &(*at)->next_all;
    *at = r->next_all;
    e->n_open--;
    pthread_mutex_unlock(&e->lock);
    if (r->on_done) r->on_done(r->user, &r->result);
    r1i_request_destroy(r);
}

static void end_cancelled(r1_engine *e)
{
    for (int32_t i = 0; i < e->n_running;) {
        r1i_request *const r = e->running[i];
        if (!atomic_load(&r->cancel)) {
            i++;
            continue;
        }
        memmove(&e->running[i], &e->running[i + 1], (size_t)(--e->n_running - i) * sizeof(r1i_request *));
        r1i_engine_finish(e, r, R1_FINISH_CANCELLED, NULL);
    }
    for (r1i_request **at = &e->waiting; *at;) {
        r1i_request *const r = *at;
        if (!atomic_load(&r->cancel)) {
            at = &r->next_queued;
            continue;
        }
        *at = r->next_queued;
        r1i_engine_finish(e, r, R1_FINISH_CANCELLED, NULL);
    }
}

/* ---- who computes what ------------------------------------------------------------------------------------------- */

static int64_t pending(const r1i_request *r) { return r->n_known - r->n_computed; }

/* Pages this request still has to take before its next token is known. */
static int64_t pages_wanted(const r1i_request *r) { return r1i_pages_for(r->n_known) - r->n_pages; }

/* The same for a request that has not begun, without the pages of its prefix that others are using. */
static int64_t pages_to_begin(const r1_engine *e, const r1i_request *r)
{
    int64_t n = r1i_pages_for(r->n_known);
    r1i_chain chain = 0;
    for (int64_t at = 0; !e->params.no_prefix_cache && at + R1I_PAGE_TOKENS < r->n_known; at += R1I_PAGE_TOKENS) {
        const int32_t page = r1i_pages_find(&e->pages, chain, r->token + at);
        if (page < 0) break;
        n -= e->pages.page[page].users > 0;
        chain = e->pages.page[page].self;
    }
    return n;
}

/* Requests begin in order of arrival, as long as their known tokens fit beside what the running ones still need: one
 * that began too early would only be preempted. The oldest begins in any case; everything can be taken from the
 * others. */
static void admit(r1_engine *e)
{
    int64_t promised = 0;
    for (int32_t i = 0; i < e->n_running; i++) promised += pages_wanted(e->running[i]);
    while (e->waiting && e->n_running < e->params.max_sequences) {
        r1i_request *const r = e->waiting;
        const int64_t need = pages_to_begin(e, r);
        if (e->n_running > 0 && need + promised > e->pages.n_free + e->pages.n_cached) return;
        promised += need;
        e->waiting = r->next_queued;
        r->next_queued = NULL;
        if (r->started <= 0.0) r->started = r1i_seconds();
        e->running[e->n_running++] = r;
    }
}

/* The youngest running request goes back to the front of the queue: everything waiting is younger still. */
static void preempt_youngest(r1_engine *e)
{
    r1i_request *const r = e->running[--e->n_running];
    if (r->n_pages > 0) {
        r->result.preemptions++;
        e->stats.preemptions++;
    }
    r1i_engine_release_pages(e, r);
    r->next_queued = e->waiting;
    e->waiting = r;
}

/* Use pages that hold this request's next 64 tokens already. Never the last known token: its logits are needed. */
static void use_prefix(r1_engine *e, r1i_request *r)
{
    while (!e->params.no_prefix_cache && r->n_computed % R1I_PAGE_TOKENS == 0 && pending(r) > R1I_PAGE_TOKENS &&
           r->n_pages == r->n_computed / R1I_PAGE_TOKENS) {
        const int32_t page = r1i_pages_find(&e->pages, r->chain, r->token + r->n_computed);
        if (page < 0) return;
        r1i_pages_share(&e->pages, page);
        r->page[r->n_pages++] = page;
        r->chain = e->pages.page[page].self;
        r->n_computed += R1I_PAGE_TOKENS;
        e->stats.prefix_hit_tokens += R1I_PAGE_TOKENS;
        if (r->result.output_tokens == 0 && r->result.preemptions == 0) r->result.cached_tokens += R1I_PAGE_TOKENS;
    }
}

/* Pages for the next `rows` positions of running[i]; younger requests give theirs up. Returns the rows that got
 * room. */
static int64_t reserve(r1_engine *e, int32_t i, int64_t rows, int64_t *decoding_left)
{
    r1i_request *const r = e->running[i];
    while (r->n_pages * R1I_PAGE_TOKENS < r->n_computed + rows) {
        const int32_t page = r1i_pages_take(&e->pages);
        if (page >= 0) {
            r->page[r->n_pages++] = page;
        } else if (e->n_running > i + 1) {
            *decoding_left -= pending(e->running[e->n_running - 1]) == 1;
            preempt_youngest(e);
        } else {
            return r->n_pages * R1I_PAGE_TOKENS - r->n_computed;
        }
    }
    return rows;
}

/* Pages that this step fills are registered before they are: a younger request of the same step may use them, because a
 * forward writes the keys and values of all its rows in a layer before any of them is read. */
static void register_filled(r1_engine *e, r1i_request *r)
{
    const int64_t end = (r->n_computed + r->n_planned) / R1I_PAGE_TOKENS;
    for (int64_t p = r->n_computed / R1I_PAGE_TOKENS; p < end && !e->params.no_prefix_cache; p++)
        r->chain = r1i_pages_register(&e->pages, r->page[p], r->chain, r->token + p * R1I_PAGE_TOKENS);
}

/* Oldest first. A row is kept free for each request that decodes, prompts share the rest in order of arrival. */
static void plan(r1_engine *e)
{
    int64_t left = e->params.max_batch_tokens, decoding_left = 0;
    for (int32_t i = 0; i < e->n_running; i++) decoding_left += pending(e->running[i]) == 1;
    for (int32_t i = 0; i < e->n_running; i++) {
        r1i_request *const r = e->running[i];
        int64_t rows;
        if (pending(r) == 1) {
            decoding_left--;
            rows = left > 0;
        } else {
            use_prefix(e, r);
            rows = left - decoding_left;
            if (rows > pending(r)) rows = pending(r);
        }
        r->n_planned = 0;
        if (rows <= 0) continue;
        r->n_planned = reserve(e, i, rows, &decoding_left);
        register_filled(e, r);
        left -= r->n_planned;
    }
}

/* ---- one forward ------------------------------------------------------------------------------------------------- */

typedef struct counts {
    int64_t prefill, decode; /* rows */
} counts;

/* Decoding rows first, then prompts; within each, oldest first. */
static r1i_batch pack(r1_engine *e, counts *c)
{
    r1i_batch b = {.token = e->batch_token, .runs = e->batch_run, .logit_row = e->batch_logit_row};
    *c = (counts){0};
    for (int phase = 0; phase < 2; phase++) {
        for (int32_t i = 0; i < e->n_running; i++) {
            r1i_request *const r = e->running[i];
            const bool decodes = pending(r) == 1;
            if (r->n_planned == 0 || decodes != (phase == 0)) continue;
            e->batch_run[b.n_runs++] = (r1i_run){.first = b.n, .n = r->n_planned, .pos0 = r->n_computed,
                                                 .pages = r->page};
            memcpy(e->batch_token + b.n, r->token + r->n_computed, (size_t)r->n_planned * sizeof *r->token);
            b.n += r->n_planned;
            *(decodes ? &c->decode : &c->prefill) += r->n_planned;
            if (r->n_planned < pending(r)) continue;
            e->pick[b.n_logits] = (r1i_pick){.request = r, .forced = r1i_request_forced(r, &e->limits)};
            e->batch_logit_row[b.n_logits++] = (int32_t)(b.n - 1);
        }
    }
    return b;
}

/* Rows of a failed forward may be half written: nothing computed is trusted any more. */
static void distrust_everything(r1_engine *e)
{
    for (int32_t i = 0; i < e->n_running; i++) r1i_engine_release_pages(e, e->running[i]);
    r1i_pages_forget(&e->pages);
}

/* ---- tokens ------------------------------------------------------------------------------------------------------ */

static void pick_token(void *ctx, int64_t i, int thread)
{
    r1_engine *const e = ctx;
    r1i_pick *const p = &e->pick[i];
    const r1i_request *const r = p->request;
    const float *const logits = e->logits + i * e->limits.vocab;
    const r1i_sample_history history = {.prompt = r->token, .output = r->token + r->n_prompt, .n_prompt = r->n_prompt,
                                        .n_output = r->n_known - r->n_prompt};
    p->n_top = r1i_top_logprobs(logits, e->n_defined, e->lse[i], r->sampling.top_logprobs, p->top);
    p->id = p->forced;
    p->status = R1_OK;
    if (p->forced < 0)
        p->status = r1i_sample(&e->sampler[thread], &r->sampling, &history, logits, e->n_defined, e->lse[i], &p->id,
                               &p->error);
    if (p->status == R1_OK) p->logprob = p->id < e->n_defined ? r1i_logprob(logits[p->id], e->lse[i]) : -INFINITY;
}

static void deliver(r1_engine *e, const r1i_pick *p)
{
    r1i_request *const r = p->request;
    const char *text;
    size_t text_bytes;
    if (p->status != R1_OK) {
        r->result.finish = R1_FINISH_ERROR;
        r->result.error = p->error;
        return;
    }
    if (r->first <= 0.0) r->first = r1i_seconds();
    r1i_request_accept(r, &e->limits, p->id, p->forced >= 0, e->piece, &text, &text_bytes);
    const r1_token_event event = {.id = p->id, .index = r->n_known - r->n_prompt - 1, .logprob = p->logprob,
                                  .top = p->top, .n_top = p->n_top, .text = text, .text_bytes = text_bytes,
                                  .forced = p->forced >= 0};
    if (r->on_token && !r->on_token(r->user, &event) && r->result.finish == R1_FINISH_NONE)
        r->result.finish = R1_FINISH_CANCELLED;
    r1i_request_text_used(r, text_bytes);
}

static void end_finished(r1_engine *e)
{
    int32_t kept = 0, n_done = 0;
    for (int32_t i = 0; i < e->n_running; i++) {
        r1i_request *const r = e->running[i];
        if (r->result.finish == R1_FINISH_NONE) e->running[kept++] = r;
        /* picks are used up; they hold the finished until `running` is whole again */
        else e->pick[n_done++].request = r;
    }
    e->n_running = kept;
    for (int32_t i = 0; i < n_done; i++) {
        r1i_request *const r = e->pick[i].request;
        const r1_error error = r->result.error;
        r1i_engine_finish(e, r, r->result.finish, &error);
    }
}

/* ---- the step ---------------------------------------------------------------------------------------------------- */

static void publish(r1_engine *e, const counts *c, double seconds, int64_t *active)
{
    r1_engine_stats *const s = &e->stats;
    pthread_mutex_lock(&e->lock);
    s->forwards += c->prefill + c->decode > 0;
    s->prefill_tokens += c->prefill;
    s->decode_tokens += c->decode;
    *(c->prefill > 0 ? &s->prefill_seconds : &s->decode_seconds) += seconds;
    s->pages = e->pages.n;
    s->pages_free = e->pages.n_free;
    s->pages_cached = e->pages.n_cached;
    s->cache_bytes_used = (uint64_t)e->pages.touched * e->size.cache_page;
    *active = e->n_open;
    pthread_mutex_unlock(&e->lock);
}

static r1_status forward(r1_engine *e, const r1i_batch *batch, r1_error *err)
{
    const r1i_mat logits = r1i_mat_of(e->logits, batch->n_logits, e->limits.vocab);
    e->ex.err = err;
    r1_status st = e->forward(&e->ex, e->model, &e->kv, batch, logits, NULL, e->probe);
    if (st == R1_OK && batch->n_logits > 0) st = r1i_logsumexp(&e->ex, logits, e->n_defined, 1.0f, e->lse);
    e->ex.err = NULL;
    return st;
}

r1_status r1_engine_step(r1_engine *e, int64_t *active, r1_error *err)
{
    const double begin = r1i_seconds();
    counts c;
    *active = 0;
    r1i_engine_take_inbox(e);
    end_cancelled(e);
    admit(e);
    plan(e);
    const r1i_batch batch = pack(e, &c);
    if (batch.n > 0) {
        const r1_status st = forward(e, &batch, err);
        if (st != R1_OK) {
            distrust_everything(e);
            publish(e, &(counts){0}, 0.0, active);
            return st;
        }
        for (int32_t i = 0; i < e->n_running; i++) {
            e->running[i]->n_computed += e->running[i]->n_planned;
            e->running[i]->n_planned = 0;
        }
        r1i_pool_run(e->pool, batch.n_logits, pick_token, e);
        for (int64_t i = 0; i < batch.n_logits; i++) deliver(e, &e->pick[i]);
        end_finished(e);
    }
    publish(e, &c, r1i_seconds() - begin, active);
    return R1_OK;
}
