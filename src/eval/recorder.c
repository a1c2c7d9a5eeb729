#include "eval/recorder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/env.h"
#include "eval/examiner.h"
#include "eval/record_check.h"
#include "record/run_store.h"

enum { BATCH = 8, MAX_GRADERS = 4, MAX_QUEUED = 4096 };

struct r1i_recorder {
    const r1_eval_config *config;
    const r1i_plan *plan;
    const r1_env *env;
    r1i_run_store *store;
    uint8_t **done;            /* [task][prompt * samples + sample] */

    pthread_mutex_t lock;      /* everything below, and the store */
    pthread_cond_t work, room;
    r1i_outcome *first, **last;
    size_t queued;
    bool closing, failed, stopped;
    r1_error error;
    int in_batch;              /* samples in the open transaction */
    double batch_began;
    r1_eval_progress progress;
    uint64_t here;             /* samples of this process */
    atomic_uint_fast64_t tokens; /* without the lock: counted token by token */
    double began, shown;

    pthread_t thread[MAX_GRADERS];
    int n_threads;
};

void r1i_outcome_free(r1i_outcome *o)
{
    if (!o) return;
    free(o->ids);
    free(o->text);
    free(o);
}

/* ---- under the lock ---------------------------------------------------------------------------------------------- */

static void fail_locked(r1i_recorder *r, const r1_error *why)
{
    if (!r->failed) r->error = *why;
    r->failed = true;
    pthread_cond_broadcast(&r->work);
    pthread_cond_broadcast(&r->room);
}

static void show_locked(r1i_recorder *r, bool always)
{
    const double now = r1i_seconds();
    if (!r->config->on_progress || (!always && now - r->shown < 0.2)) return;
    r->shown = now;
    r->progress.tokens = atomic_load_explicit(&r->tokens, memory_order_relaxed);
    r->progress.seconds = now - r->began;
    r->progress.seconds_left = -1;
    if (r->here > 0)
        r->progress.seconds_left = r->progress.seconds / (double)r->here *
            (double)(r->progress.total - r->progress.done);
    if (!r->config->on_progress(r->config->user, &r->progress)) r->stopped = true;
}

static void commit_locked(r1i_recorder *r)
{
    r1_error err = {0};
    if (r->in_batch == 0 || r->failed) return;
    r->in_batch = 0;
    if (r1i_db_commit(r1i_run_store_db(r->store), &err) != R1_OK) fail_locked(r, &err);
}

static void store_locked(r1i_recorder *r, const r1i_outcome *o, const r1_verdict *v)
{
    r1_error err = {0};
    r1_status st = R1_OK;
    const r1i_plan_task *const t = &r->plan->task[o->task];
    if (r->failed) return;
    if (r->in_batch == 0) {
        st = r1i_db_begin(r1i_run_store_db(r->store), &err);
        r->batch_began = r1i_seconds();
    }
    if (st == R1_OK && o->missing[0]) {
        st = r1i_run_store_add_missing(r->store, (int64_t)o->task, (int64_t)o->prompt, o->sample, o->missing, &err);
    } else if (st == R1_OK) {
        const r1i_sample_row row = {.task = (int64_t)o->task, .prompt = (int64_t)o->prompt, .sample = o->sample,
            .prompt_hash = t->prompt[o->prompt].hash, .seed = r->config->seed, .ids = o->ids, .n_ids = o->n_ids,
            .text = o->text, .text_bytes = o->text_bytes, .tokens = o->tokens,
            .finish = o->truncated ? "length" : "stop", .score = v->score, .correct = v->correct,
            .extracted = v->extracted, .answer = v->answer, .reason = v->reason, .queue_seconds = o->queue_seconds,
            .prefill_seconds = o->prefill_seconds, .decode_seconds = o->decode_seconds};
        st = r1i_run_store_add_sample(r->store, &row, &err);
    }
    if (st != R1_OK) {
        r1i_error_prefix(&err, "task %s, prompt %zu, sample %lld: ", t->task->name, o->prompt, (long long)o->sample);
        fail_locked(r, &err);
        return;
    }
    r->in_batch++;
    r->here++;
    r->progress.task = t->task->name;
    r->progress.done++;
    r->progress.correct += !o->missing[0] && v->correct;
    if (r->in_batch >= BATCH || r->queued == 0 || r1i_seconds() - r->batch_began > 1.0) commit_locked(r);
    show_locked(r, false);
}

/* ---- grading threads --------------------------------------------------------------------------------------------- */

static r1_status grade(r1i_recorder *r, r1i_examiner **examiner, const r1i_outcome *o, r1_verdict *v, r1_error *err)
{
    const r1i_plan_task *const t = &r->plan->task[o->task];
    const r1i_item *const item = &t->items.item[o->prompt];
    *v = (r1_verdict){0};
    if (o->missing[0]) return R1_OK;
    if (!examiner[o->task]) {
        const r1_status st = r1i_examiner_create(t->task->name, t->task->grader, t->task->options, r->config->judge,
                                                 r->env, &examiner[o->task], err);
        if (st != R1_OK) return st;
    }
    const r1_sample sample = {.prompt = item->question, .prompt_bytes = item->question_bytes,
                              .completion = o->text ? o->text : "", .completion_bytes = o->text_bytes,
                              .gold = item->gold, .gold_bytes = item->gold_bytes,
        .thinking_open = t->prompt[o->prompt].thinking_open, .truncated = o->truncated, .tokens = o->tokens,
        .max_tokens = r->config->max_tokens};
    const r1_status st = r1i_examiner_grade(examiner[o->task], &sample, v, err);
    if (st != R1_OK) r1i_error_prefix(err, "grading task %s, row %.60s: ", t->task->name, item->id);
    return st;
}

static void *grader_main(void *user)
{
    r1i_recorder *const r = user;
    r1i_examiner **const examiner = calloc(r->plan->n, sizeof *examiner);
    pthread_mutex_lock(&r->lock);
    if (!examiner) fail_locked(r, &(r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "graders"});
    for (;;) {
        while (!r->first && !r->closing && !r->failed) pthread_cond_wait(&r->work, &r->lock);
        if (!r->first || r->failed) break;
        r1i_outcome *const o = r->first;
        r1_verdict v;
        r1_error err = {0};
        if (!(r->first = o->next)) r->last = &r->first;
        r->queued--;
        pthread_cond_signal(&r->room);
        pthread_mutex_unlock(&r->lock);
        const r1_status st = grade(r, examiner, o, &v, &err);
        pthread_mutex_lock(&r->lock);
        if (st != R1_OK) fail_locked(r, &err);
        else store_locked(r, o, &v);
        r1i_outcome_free(o);
    }
    pthread_mutex_unlock(&r->lock);
    for (size_t i = 0; examiner && i < r->plan->n; i++) r1i_examiner_destroy(examiner[i]);
    free(examiner);
    return NULL;
}

/* ---- from outside ------------------------------------------------------------------------------------------------ */

bool r1i_recorder_has(const r1i_recorder *r, size_t task, size_t prompt, int64_t sample)
{
    return r->done[task][prompt * (size_t)r->plan->task[task].samples + (size_t)sample];
}

void r1i_recorder_push(r1i_recorder *r, r1i_outcome *outcome)
{
    outcome->next = NULL;
    pthread_mutex_lock(&r->lock);
    while (r->queued >= MAX_QUEUED && !r->failed) pthread_cond_wait(&r->room, &r->lock);
    *r->last = outcome;
    r->last = &outcome->next;
    r->queued++;
    pthread_cond_signal(&r->work);
    pthread_mutex_unlock(&r->lock);
}

void r1i_recorder_add_tokens(r1i_recorder *r, uint64_t n)
{
    atomic_fetch_add_explicit(&r->tokens, n, memory_order_relaxed);
}

bool r1i_recorder_tick(r1i_recorder *r)
{
    pthread_mutex_lock(&r->lock);
    show_locked(r, false);
    const bool go = !r->failed && !r->stopped;
    pthread_mutex_unlock(&r->lock);
    return go;
}

void r1i_recorder_fail(r1i_recorder *r, const r1_error *why)
{
    pthread_mutex_lock(&r->lock);
    fail_locked(r, why);
    pthread_mutex_unlock(&r->lock);
}

static void release(r1i_recorder *r)
{
    while (r->first) {
        r1i_outcome *const o = r->first;
        r->first = o->next;
        r1i_outcome_free(o);
    }
    r1i_run_store_close(r->store);
    for (size_t i = 0; r->done && i < r->plan->n; i++) free(r->done[i]);
    free(r->done);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->work);
    pthread_cond_destroy(&r->room);
    free(r);
}

r1_status r1i_recorder_finish(r1i_recorder *r, r1_error *err)
{
    pthread_mutex_lock(&r->lock);
    r->closing = true;
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n_threads; i++) pthread_join(r->thread[i], NULL);
    pthread_mutex_lock(&r->lock);
    commit_locked(r);
    show_locked(r, true);
    pthread_mutex_unlock(&r->lock);
    r1_status st = R1_OK;
    if (r->failed) {
        if (err) *err = r->error;
        st = r->error.code;
    } else if (r->progress.done < r->progress.total) {
        st = r1i_fail(err, R1_ERR_STOPPED, "stopped after %llu of %llu samples; --resume takes the rest",
                      (unsigned long long)r->progress.done, (unsigned long long)r->progress.total);
    }
    release(r);
    return st;
}

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static r1_status read_done(r1i_recorder *r, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    r1_status st = r1i_db_query(r1i_run_store_db(r->store), &rows, err,
                                "SELECT task, prompt, sample, correct FROM verdict WHERE grading = 0", "");
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more) {
        const int64_t task = r1i_rows_int(rows, 0), prompt = r1i_rows_int(rows, 1), sample = r1i_rows_int(rows, 2);
        if (task < 0 || (size_t)task >= r->plan->n || prompt < 0 || (size_t)prompt >= r->plan->task[task].items.n ||
            sample < 0 || sample >= r->plan->task[task].samples) {
            st = r1i_fail(err, R1_ERR_FORMAT,
                          "the record holds a sample outside the run: task %lld, prompt %lld, sample %lld",
                          (long long)task, (long long)prompt, (long long)sample);
            break;
        }
        r->done[task][(size_t)prompt * (size_t)r->plan->task[task].samples + (size_t)sample] = 1;
        r->progress.done++;
        r->progress.correct += r1i_rows_int(rows, 3) != 0;
    }
    r1i_rows_close(rows);
    return st;
}

static r1_status make_done(r1i_recorder *r, r1_error *err)
{
    r->done = calloc(r->plan->n, sizeof *r->done);
    for (size_t i = 0; r->done && i < r->plan->n; i++) {
        size_t n;
        if (!r1i_mul_size(r->plan->task[i].items.n, (size_t)r->plan->task[i].samples, &n) ||
            !(r->done[i] = calloc(n, 1)))
            return r1i_fail(err, R1_ERR_NOMEM, "%llu samples", (unsigned long long)r->plan->total);
    }
    return r->done ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "samples");
}

static r1_status start_threads(r1i_recorder *r, r1_error *err)
{
    bool waits = false;
    for (size_t i = 0; i < r->plan->n; i++) waits |= r1i_grading_waits(r->plan->task[i].task->grader);
    for (int i = 0; i < (waits ? MAX_GRADERS : 1); i++) {
        const int e = pthread_create(&r->thread[i], NULL, grader_main, r);
        if (e) return r1i_fail_errno(err, e, "a thread for grading");
        r->n_threads++;
    }
    return R1_OK;
}

r1_status r1i_recorder_create(const r1_eval_config *config, const r1i_plan *plan, int64_t context, const r1_env *env,
                              r1i_recorder **out, r1_error *err)
{
    *out = NULL;
    r1i_recorder *const r = calloc(1, sizeof *r);
    if (!r) return r1i_fail(err, R1_ERR_NOMEM, "recorder");
    *r = (r1i_recorder){.config = config, .plan = plan, .env = env, .progress = {.task = "", .total = plan->total}};
    r->last = &r->first;
    r->began = r1i_seconds();
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->work, NULL);
    pthread_cond_init(&r->room, NULL);
    r1_status st = r1i_run_store_open(config->out, config->resume ? R1I_RUN_STORE_RESUME : R1I_RUN_STORE_NEW, &r->store,
                                      err);
    if (st == R1_OK)
        st = config->resume ? r1i_record_compare(r->store, config, plan, context, err)
            : r1i_record_begin(r->store, config, plan, context, err);
    if (st == R1_OK) st = make_done(r, err);
    if (st == R1_OK) st = read_done(r, err);
    if (st == R1_OK) st = start_threads(r, err);
    if (st == R1_OK) {
        *out = r;
        return R1_OK;
    }
    r->failed = true; /* threads that did start go home */
    pthread_mutex_lock(&r->lock);
    pthread_cond_broadcast(&r->work);
    pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->n_threads; i++) pthread_join(r->thread[i], NULL);
    release(r);
    return st;
}
