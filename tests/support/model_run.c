#include "support/model_run.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void stop(const char *what, const r1_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static void around(model_run *r, int64_t rows, int64_t pages, r1i_cache_type cache, int threads)
{
    const int64_t positions = pages * R1I_PAGE;
    if (r1i_pool_create(NULL, threads, &r->pool, &r->err) != R1_OK) stop("pool", &r->err);
    const size_t bytes = r1i_forward_scratch_bytes(r->m, rows, positions, threads);
    if (r1i_arena_create(&r->scratch, "scratch", NULL, bytes, &r->err) != R1_OK) stop("scratch", &r->err);
    if (r1i_kv_create(&r->kv, r->m, cache, pages, true, NULL, &r->err) != R1_OK) stop("cache", &r->err);
    r->ex = r1i_model_exec(r->m, r->pool, &r->scratch, &r->err);
    /* What was never written must never matter: a NaN in a stale position would show. */
    memset(r->scratch.base, 0xff, r->scratch.size);
    if (r->kv.bytes) memset(r->kv.data, 0xff, r->kv.bytes);
}

void model_run_wrap(model_run *r, r1_model *m, int64_t rows, int64_t pages, r1i_cache_type cache, int threads)
{
    *r = (model_run){.m = m};
    around(r, rows, pages, cache, threads);
}

void model_run_open(model_run *r, const char *path, const r1_model_params *params, int64_t rows, int64_t pages,
                    r1i_cache_type cache, int threads)
{
    const r1_env env = {.threads = threads};
    *r = (model_run){0};
    if (r1_model_open(path, params, &env, &r->m, &r->err) != R1_OK) stop(path, &r->err);
    around(r, rows, pages, cache, threads);
}

void model_run_close(model_run *r)
{
    r1i_kv_destroy(&r->kv);
    r1i_arena_destroy(&r->scratch);
    r1i_pool_destroy(r->pool);
}

void model_run_all(model_run *r, const int32_t *token, int64_t n, float *logits, float *hidden, const r1i_probe *probe)
{
    int32_t *const index = malloc((size_t)(n + r->kv.pages) * sizeof *index), *const pages = index + n;
    if (!index) abort();
    for (int64_t i = 0; i < n; i++) index[i] = (int32_t)i;
    for (int64_t i = 0; i < r->kv.pages; i++) pages[i] = (int32_t)i;
    const r1i_run run = {.n = n, .pages = pages};
    const r1i_batch b = {.token = token, .n = n, .runs = &run, .n_runs = 1, .logit_row = index, .n_logits = n};
    r1i_mat h = r1i_mat_of(hidden, n, r->m->config.hidden_size);
    if (r1i_forward(&r->ex, r->m, &r->kv, &b, r1i_mat_of(logits, n, r->m->config.vocab_size), hidden ? &h : NULL,
                    probe) != R1_OK)
        stop("forward", &r->err);
    free(index);
}
