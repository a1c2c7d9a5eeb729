/* The engine's insides, shared by its source files. One owner thread steps; `inbox`, `all`, the cancel flags and the
 * published statistics are the only things other threads touch, under `lock`. */
#ifndef R1I_ENGINE_STATE_H
#define R1I_ENGINE_STATE_H

#include <pthread.h>

#include "base/pool.h"
#include "engine/request.h"
#include "model/forward.h"
#include "sample/sample.h"

/* r1i_forward; tests of the scheduler put a recorder here. */
typedef r1_status (*r1i_forward_fn)(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch,
                                    r1i_mat logits, r1i_mat *hidden_out, const r1i_probe *probe);

/* One row of logits on its way to a token. */
typedef struct r1i_pick {
    r1i_request *request;
    int32_t forced, id;        /* forced: id, or -1 */
    float logprob;
    int32_t n_top;
    r1_logprob top[R1I_TOP_LOGPROBS];
    r1_status status;
    r1_error error;
} r1i_pick;

/* The bytes of everything an engine allocates, from the model's shape alone. */
typedef struct r1i_engine_size {
    uint64_t cache, scratch, other;
    uint64_t cache_page;       /* of 64 positions in all layers */
} r1i_engine_size;

struct r1_engine {
    r1_env env;
    const r1_model *model;
    const r1_tokenizer *tokenizer; /* nullable */
    r1_engine_params params;       /* resolved: no zeros left */
    r1i_engine_size size;
    r1i_request_limits limits;
    int64_t n_defined;             /* ids at or above are never drawn */
    int32_t think_end[64];

    r1i_pool *pool;
    r1i_exec ex;
    r1i_forward_fn forward;
    const r1i_probe *probe;        /* nullable: what a measurement sees of each forward */
    r1i_kv kv;
    r1i_pages pages;
    r1i_arena scratch;             /* of one forward */
    r1i_arena arena;               /* the arrays below */
    float *logits;                 /* [max_sequences, vocab] one row a sequence; scoring takes so many rows at a time */
    double *lse;                   /* [max_sequences] */
    r1i_sampler *sampler;          /* [threads] */
    int32_t *batch_token;          /* [max_batch_tokens] */
    r1i_run *batch_run;            /* [max_sequences] */
    int32_t *batch_logit_row;      /* [max_sequences] */
    r1i_pick *pick;                /* [max_sequences] */
    char *piece;                   /* [limits.piece_room] */

    /* Requests, oldest first. A preempted one goes back to the front of `waiting`. */
    r1i_request **running;         /* [max_sequences] ids ascending */
    int32_t n_running;
    r1i_request *waiting;          /* linked by next_queued, ids ascending */

    pthread_mutex_t lock;
    r1i_request *inbox, **inbox_tail; /* linked by next_queued */
    r1i_request *all;              /* linked by next_all: accepted and not done */
    int64_t n_open, last_id;
    r1_engine_stats stats;         /* the owner writes under the lock */
};

/* engine_size.c. params resolved except for context and cache_tokens. */
void r1i_engine_size_of(const r1_model *m, const r1_tokenizer *t, const r1_engine_params *params, int threads,
                        int64_t cache_pages, int64_t context, r1i_engine_size *out);
/* Zeros become defaults; context and cache are fitted to the memory that is left. */
r1_status r1i_engine_resolve(const r1_model *m, const r1_tokenizer *t, int threads, uint64_t memory_available,
                             r1_engine_params *params, r1_error *err);

/* step.c */
void r1i_engine_take_inbox(r1_engine *e);
/* Ends a request: pages back, on_done, freed. Not in `running` or `waiting` any more. */
void r1i_engine_finish(r1_engine *e, r1i_request *r, r1_finish finish, const r1_error *error);
/* The request gives its pages back and will be computed again from its tokens. */
void r1i_engine_release_pages(r1_engine *e, r1i_request *r);

#endif
