/* A model with everything a forward needs around it: pool, scratch, cache, pages in any order. Tests only. */
#ifndef MODEL_RUN_H
#define MODEL_RUN_H

#include "model/forward.h"

typedef struct model_run {
    r1_model *m;
    r1i_pool *pool;
    r1i_arena scratch;
    r1i_kv kv;
    r1i_exec ex;
    r1_error err;
} model_run;

/* Aborts the test with the error's message on failure (cmocka's fail is not used: helpers print and exit). */
void model_run_open(model_run *r, const char *path, const r1_model_params *params, int64_t rows, int64_t pages,
                    r1i_cache_type cache, int threads);
/* The same around a model that is open already; model_run_close then leaves it open. */
void model_run_wrap(model_run *r, r1_model *m, int64_t rows, int64_t pages, r1i_cache_type cache, int threads);
void model_run_close(model_run *r);

/* Logits of every position of one sequence at pages 0, 1, 2, ...: logits [n, vocab_size]; hidden nullable [n,
 * hidden_size]. */
void model_run_all(model_run *r, const int32_t *token, int64_t n, float *logits, float *hidden, const r1i_probe *probe);

#endif
