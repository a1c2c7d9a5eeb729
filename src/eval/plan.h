/* What a run is about to do, complete before anything is computed: its tasks, their rows, the exact prompts with their
 * hashes. */
#ifndef R1I_PLAN_H
#define R1I_PLAN_H

#include "eval/items.h"
#include "r1/eval.h"

typedef struct r1i_plan_prompt {
    int32_t *ids;              /* [n]; NULL for an endpoint */
    size_t n;
    char hash[R1I_SHA256_HEX]; /* of the text as rendered */
    char ids_hash[R1I_SHA256_HEX]; /* of the ids, little-endian; "" for an endpoint */
    bool thinking_open;
} r1i_plan_prompt;

typedef struct r1i_plan_task {
    r1i_task *task;
    r1i_items items;
    r1i_plan_prompt *prompt;   /* [items.n] */
    int64_t samples;
    uint32_t step;             /* of the draws: from the name, so that two tasks never share their randomness */
} r1i_plan_task;

typedef struct r1i_plan {
    r1i_plan_task *task;       /* [n] */
    size_t n;
    size_t longest;            /* prompt, in tokens */
    uint64_t total;            /* samples */
} r1i_plan;

/* Golds are checked here. Errors as r1_eval_run. */
r1_status r1i_plan_make(const r1_eval_config *config, const r1_env *env, r1i_plan *out, r1_error *err);
void r1i_plan_free(r1i_plan *plan);
/* The draws of one sample, for a service that takes one number. */
uint32_t r1i_sample_seed(uint64_t seed, uint32_t step, uint32_t prompt, uint32_t sample);

#endif
