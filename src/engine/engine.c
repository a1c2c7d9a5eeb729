/* Making, ending and feeding an engine. What happens in a step is in step.c. */
#include "engine/engine_state.h"

#include <string.h>


/* ---- create ------------------------------------------------------------------------------------------------------ */

/* "\n", the marker's id, "\n\n": what a spent thinking budget writes. Left empty where the tokenizer has no marker. */
static r1_status find_think_end(r1_engine *e, r1_error *err)
{
    static const char *const text[] = {"\n", NULL, "\n\n"};
    r1i_request_limits *const l = &e->limits;
    l->think_open = l->think_close = -1;
    l->think_end = e->think_end;
    if (!e->tokenizer) return R1_OK;
    l->think_open = r1_tokenizer_added_id(e->tokenizer, "<think>", 7);
    l->think_close = r1_tokenizer_added_id(e->tokenizer, "</think>", 8);
    if (l->think_close < 0 || l->think_close >= l->vocab) return R1_OK;
    int32_t n = 0;
    for (int i = 0; i < 3; i++) {
        int32_t *ids;
        size_t count;
        if (!text[i]) {
            e->think_end[n++] = l->think_close;
            continue;
        }
        const r1_status st = r1_tokenizer_encode(e->tokenizer, text[i], strlen(text[i]), R1_ENCODE_PLAIN, &ids, &count,
                                                 err);
        if (st != R1_OK) return st;
        const bool fits = count <= 8;
        for (size_t k = 0; k < count && fits; k++) e->think_end[n++] = ids[k];
        r1_free(ids);
        if (!fits) return R1_OK;
    }
    for (int32_t i = 0; i < n; i++)
        if (e->think_end[i] >= l->vocab) return R1_OK;
    l->n_think_end = n;
    return R1_OK;
}

static r1_status take_arrays(r1_engine *e, int threads, r1_error *err)
{
    const size_t rows = (size_t)e->params.max_batch_tokens, sequences = (size_t)e->params.max_sequences;
    const size_t vocab = (size_t)e->limits.vocab;
    r1i_arena *const a = &e->arena;
    if (!(e->logits = r1i_arena_take(a, sequences * vocab * sizeof *e->logits, err)) ||
        !(e->lse = r1i_arena_take(a, sequences * sizeof *e->lse, err)) ||
        !(e->sampler = r1i_arena_take(a, (size_t)threads * sizeof *e->sampler, err)) ||
        !(e->batch_token = r1i_arena_take(a, rows * sizeof *e->batch_token, err)) ||
        !(e->batch_run = r1i_arena_take(a, sequences * sizeof *e->batch_run, err)) ||
        !(e->batch_logit_row = r1i_arena_take(a, sequences * sizeof *e->batch_logit_row, err)) ||
        !(e->pick = r1i_arena_take(a, sequences * sizeof *e->pick, err)) ||
        !(e->running = r1i_arena_take(a, sequences * sizeof(r1i_request *), err)) ||
        !(e->piece = r1i_arena_take(a, e->limits.piece_room, err)))
        return R1_ERR_NOMEM;
    for (int i = 0; i < threads; i++) {
        void *const memory = r1i_arena_take(a, r1i_sampler_bytes(e->limits.vocab), err);
        if (!memory) return R1_ERR_NOMEM;
        r1i_sampler_init(&e->sampler[i], e->limits.vocab, memory);
    }
    void *const memory = r1i_arena_take(a, r1i_pages_bytes(e->limits.pages), err);
    if (!memory) return R1_ERR_NOMEM;
    r1i_pages_init(&e->pages, e->limits.pages, memory);
    return R1_OK;
}

static r1_status build(r1_engine *e, r1_error *err)
{
    const r1_model *const m = e->model;
    const int threads = r1i_env_threads(&e->env);
    r1_status st;
    if ((st = r1i_engine_resolve(m, e->tokenizer, threads, r1i_model_memory_left(m), &e->params, err)) != R1_OK)
        return st;
    const int64_t pages = r1i_pages_for(e->params.cache_tokens);
    r1i_engine_size_of(m, e->tokenizer, &e->params, threads, pages, e->params.context, &e->size);
    e->limits = (r1i_request_limits){.vocab = m->config.vocab_size, .context = e->params.context, .pages = pages,
                                     .tokenizer = e->tokenizer};
    /* a token, and what ends the text */
    e->limits.piece_room = e->tokenizer ? r1_detokenizer_room(e->tokenizer) + 32 : 1;
    e->n_defined = m->config.vocab_size;
    if (e->tokenizer && r1_tokenizer_size(e->tokenizer) < e->n_defined) e->n_defined = r1_tokenizer_size(e->tokenizer);
    if (e->n_defined <= 0) return r1i_fail(err, R1_ERR_RANGE, "the tokenizer defines no token");
    if ((st = find_think_end(e, err)) != R1_OK) return st;
    if ((st = r1i_pool_create(&e->env, threads, &e->pool, err)) != R1_OK) return st;
    if ((st = r1i_arena_create(&e->arena, "engine", &e->env, (size_t)e->size.other, err)) != R1_OK) return st;
    if ((st = r1i_arena_create(&e->scratch, "forward", &e->env, (size_t)e->size.scratch, err)) != R1_OK) return st;
    if ((st = take_arrays(e, threads, err)) != R1_OK) return st;
    if ((st = r1i_kv_create(&e->kv, m, (r1i_cache_type)e->params.cache_type, pages, m->mtp != NULL, &e->env, err)) !=
        R1_OK) return st;
    e->ex = r1i_model_exec(m, e->pool, &e->scratch, NULL);
    e->forward = r1i_forward;
    return R1_OK;
}

r1_status r1_engine_create(const r1_model *model, const r1_tokenizer *tokenizer, const r1_engine_params *params,
                           const r1_env *env, r1_engine **out, r1_error *err)
{
    *out = NULL;
    r1_engine *const e = r1i_alloc_zero(env, sizeof *e);
    if (!e) return r1i_fail(err, R1_ERR_NOMEM, "engine handle, %zu bytes", sizeof *e);
    if (env) e->env = *env;
    e->model = model;
    e->tokenizer = tokenizer;
    e->params = params ? *params : r1_engine_params_default();
    e->inbox_tail = &e->inbox;
    pthread_mutex_init(&e->lock, NULL);
    const r1_status st = build(e, err);
    if (st != R1_OK) {
        r1_engine_destroy(e);
        return st;
    }
    *out = e;
    return R1_OK;
}

void r1_engine_destroy(r1_engine *e)
{
    if (!e) return;
    r1i_engine_take_inbox(e);
    while (e->n_running > 0) r1i_engine_finish(e, e->running[--e->n_running], R1_FINISH_CANCELLED, NULL);
    for (r1i_request *r = e->waiting, *next; r; r = next) {
        next = r->next_queued;
        r1i_engine_finish(e, r, R1_FINISH_CANCELLED, NULL);
    }
    r1i_kv_destroy(&e->kv);
    r1i_arena_destroy(&e->scratch);
    r1i_arena_destroy(&e->arena);
    r1i_pool_destroy(e->pool);
    pthread_mutex_destroy(&e->lock);
    const r1_env env = e->env;
    r1i_release(&env, e, sizeof *e);
}

/* ---- from any thread --------------------------------------------------------------------------------------------- */

r1_status r1_engine_submit(r1_engine *e, const r1_request *request, int64_t *id, r1_error *err)
{
    r1i_request *r;
    *id = 0;
    const r1_status st = r1i_request_create(request, &e->limits, &e->env, &r, err);
    if (st != R1_OK) return st;
    pthread_mutex_lock(&e->lock);
    *id = r->id = ++e->last_id;
    *e->inbox_tail = r;
    e->inbox_tail = &r->next_queued;
    r->next_all = e->all;
    e->all = r;
    e->n_open++;
    pthread_mutex_unlock(&e->lock);
    return R1_OK;
}

void r1_engine_cancel(r1_engine *e, int64_t id)
{
    pthread_mutex_lock(&e->lock);
    for (r1i_request *r = e->all; r; r = r->next_all)
        if (r->id == id) r->cancel = true;
    pthread_mutex_unlock(&e->lock);
}

void r1_engine_get_stats(const r1_engine *engine, r1_engine_stats *out)
{
    r1_engine *const e = (r1_engine *)(uintptr_t)engine; /* the lock is no part of what const promises */
    r1_model_info info;
    pthread_mutex_lock(&e->lock);
    *out = e->stats;
    pthread_mutex_unlock(&e->lock);
    r1_model_get_info(e->model, &info);
    out->weight_bytes = info.weight_bytes;
    out->context = e->params.context;
    out->cache_bytes = e->size.cache;
    out->scratch_bytes = e->size.scratch;
    out->other_bytes = e->size.other;
}

r1_status r1_engine_run(r1_engine *e, r1_error *err)
{
    int64_t active = 1;
    while (active > 0) {
        const r1_status st = r1_engine_step(e, &active, err);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}
