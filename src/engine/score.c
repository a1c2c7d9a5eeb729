/* Log-probabilities of given tokens: the engine's pages and forward, but every row is kept and nothing is sampled. */
#include <math.h>
#include <string.h>

#include "engine/engine_state.h"
#include "op/ops.h"

typedef struct scoring {
    r1_engine *e;
    bool mtp;
    const int32_t *ids;
    int64_t n;
    float *logprob;
    bool (*on_logits)(void *user, int64_t position, const float *logits);
    void *user;
    r1_error *err;
} scoring;

/* Logits of rows whose final-normed hidden states are x, positions from `at`: the vocabulary is wide, so slice by
 * slice. */
static r1_status score_rows(const scoring *s, r1i_mat x, int64_t at)
{
    r1_engine *const e = s->e;
    const r1i_weight *const head = &e->model->head;
    const int64_t slice = e->params.max_sequences;
    for (int64_t first = 0; first < x.rows; first += slice) {
        const int64_t rows = x.rows - first < slice ? x.rows - first : slice;
        const r1i_mat part = {x.p + first * x.stride, rows, x.cols, x.stride};
        const r1i_mat logits = r1i_mat_of(e->logits, rows, e->limits.vocab);
        const size_t mark = r1i_arena_mark(&e->scratch);
        r1i_act act;
        r1_status st = r1i_act_make(&e->ex, &act, part, r1i_act_kind(&e->ex, head));
        if (st == R1_OK) st = r1i_linear(&e->ex, &(r1i_linear_job){.y = logits, .x = &act, .w = head}, 1);
        if (st == R1_OK && s->logprob) st = r1i_logsumexp(&e->ex, logits, e->n_defined, 1.0f, e->lse);
        r1i_arena_reset(&e->scratch, mark);
        if (st != R1_OK) return st;
        for (int64_t i = 0; i < rows; i++) {
            const int64_t position = at + first + i;
            const float *const row = e->logits + i * e->limits.vocab;
            if (s->logprob && position + 1 < s->n) {
                const int32_t id = s->ids[position + 1];
                s->logprob[position] = id < e->n_defined ? r1i_logprob(row[id], e->lse[i]) : -INFINITY;
            }
            if (s->on_logits && !s->on_logits(s->user, position, row))
                return r1i_fail(s->err, R1_ERR_STOPPED, "stopped after the logits of position %lld",
                                (long long)position);
        }
    }
    return R1_OK;
}

/* Logits of the multi-token prediction layer for the same rows; the last position of all has no next token to join. */
static r1_status mtp_rows(const scoring *s, r1i_mat x, int64_t at, const int32_t *pages)
{
    static const int32_t every[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    r1_engine *const e = s->e;
    const int64_t slice = e->params.max_sequences < 16 ? e->params.max_sequences : 16;
    const int64_t end = at + x.rows < s->n ? x.rows : x.rows - 1;
    for (int64_t first = 0; first < end; first += slice) {
        const int64_t rows = end - first < slice ? end - first : slice;
        const r1i_run run = {.first = 0, .n = rows, .pos0 = at + first, .pages = pages};
        const r1i_batch batch = {.token = s->ids + at + first, .n = rows, .runs = &run, .n_runs = 1, .logit_row = every,
                                 .n_logits = rows};
        const r1i_mat part = {x.p + first * x.stride, rows, x.cols, x.stride};
        const r1_status st = r1i_forward_mtp(&e->ex, e->model, 0, &e->kv, &batch, s->ids + at + first + 1, part,
                                             r1i_mat_of(e->logits, rows, e->limits.vocab));
        if (st != R1_OK) return st;
        for (int64_t i = 0; i < rows; i++)
            if (!s->on_logits(s->user, at + first + i, e->logits + i * e->limits.vocab))
                return r1i_fail(s->err, R1_ERR_STOPPED, "stopped after the logits of position %lld",
                                (long long)(at + first + i));
    }
    return R1_OK;
}

static r1_status score_chunks(const scoring *s, int64_t chunk, const int32_t *pages)
{
    r1_engine *const e = s->e;
    const int64_t width = e->model->config.hidden_size;
    float *const hidden = r1i_arena_take(&e->scratch, (size_t)(chunk * width) * sizeof *hidden, s->err);
    if (!hidden) return R1_ERR_NOMEM;
    for (int64_t at = 0; at < s->n; at += chunk) {
        const int64_t rows = s->n - at < chunk ? s->n - at : chunk;
        const r1i_run run = {.first = 0, .n = rows, .pos0 = at, .pages = pages};
        const r1i_batch batch = {.token = s->ids + at, .n = rows, .runs = &run, .n_runs = 1,
                                 .logit_row = e->batch_logit_row};
        r1i_mat x = r1i_mat_of(hidden, rows, width);
        r1_status st = e->forward(&e->ex, e->model, &e->kv, &batch, r1i_mat_of(e->logits, 0, e->limits.vocab), &x,
                                  NULL);
        if (st == R1_OK) st = s->mtp ? mtp_rows(s, x, at, pages) : score_rows(s, x, at);
        if (st != R1_OK) return st;
        r1i_progress(&e->env, "scoring", (uint64_t)(at + rows), (uint64_t)s->n);
    }
    return R1_OK;
}

static r1_status check(const r1_engine *e, const int32_t *ids, size_t n, int32_t chunk, r1_error *err)
{
    if (n == 0) return r1i_fail(err, R1_ERR_USAGE, "nothing to score, expected at least one token");
    if (n > (size_t)e->params.context)
        return r1i_fail(err, R1_ERR_RANGE, "%zu tokens in a context of %lld", n, (long long)e->params.context);
    if (chunk < 0) return r1i_fail(err, R1_ERR_RANGE, "chunk is %d, expected 0 or more", chunk);
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->limits.vocab)
            return r1i_fail(err, R1_ERR_RANGE, "ids[%zu] is token id %d, expected 0 to %lld", i, ids[i],
                            (long long)e->limits.vocab - 1);
    return R1_OK;
}

/* Over pages of its own, all given back at the end. */
static r1_status score(const scoring *s, int64_t chunk)
{
    r1_engine *const e = s->e;
    const int64_t want = r1i_pages_for(s->n);
    int32_t *const pages = r1i_alloc(&e->env, (size_t)want * sizeof *pages);
    if (!pages) return r1i_fail(s->err, R1_ERR_NOMEM, "page list of %lld", (long long)want);
    r1_status st;
    int64_t got = 0;
    while (got < want && (pages[got] = r1i_pages_take(&e->pages)) >= 0) got++;
    if (got < want) {
        st = r1i_fail(s->err, R1_ERR_NOMEM, "%lld tokens need %lld cache pages, %lld are not in use", (long long)s->n,
                      (long long)want, (long long)got);
    } else {
        const int64_t most = e->params.max_batch_tokens;
        const size_t mark = r1i_arena_mark(&e->scratch);
        e->ex.err = s->err;
        st = score_chunks(s, chunk > 0 && chunk < most ? chunk : most, pages);
        e->ex.err = NULL;
        r1i_arena_reset(&e->scratch, mark);
    }
    while (got > 0) r1i_pages_drop(&e->pages, pages[--got]);
    r1i_release(&e->env, pages, (size_t)want * sizeof *pages);
    return st;
}

r1_status r1_engine_score(r1_engine *e, const int32_t *ids, size_t n, int32_t chunk, float *logprob,
                          bool (*on_logits)(void *user, int64_t position, const float *logits), void *user,
                          r1_error *err)
{
    const r1_status st = check(e, ids, n, chunk, err);
    if (st != R1_OK) return st;
    const scoring s = {.e = e, .ids = ids, .n = (int64_t)n, .logprob = logprob, .on_logits = on_logits, .user = user,
                       .err = err};
    return score(&s, chunk);
}

r1_status r1_engine_score_mtp(r1_engine *e, const int32_t *ids, size_t n, int32_t chunk,
                              bool (*on_logits)(void *user, int64_t position, const float *logits), void *user,
                              r1_error *err)
{
    if (!e->model->mtp)
        return r1i_fail(err, e->model->params.load_mtp ? R1_ERR_UNSUPPORTED : R1_ERR_USAGE,
                        "the model has no multi-token prediction layer%s", e->model->params.load_mtp ? "" : " loaded");
    if (n == 1) return r1i_fail(err, R1_ERR_USAGE, "one token, a multi-token prediction needs at least two");
    const r1_status st = check(e, ids, n, chunk, err);
    if (st != R1_OK) return st;
    const scoring s = {.e = e, .mtp = true, .ids = ids, .n = (int64_t)n, .on_logits = on_logits, .user = user,
                       .err = err};
    return score(&s, chunk);
}
