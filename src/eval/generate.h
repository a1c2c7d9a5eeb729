/* Where samples come from: the engine, or a service. Both go through a run in the order of prompts, take what the
 * record lacks, and hand each finished sample to the recorder. */
#ifndef R1I_GENERATE_H
#define R1I_GENERATE_H

#include "eval/recorder.h"

/* The samples that are still to be taken, one after the other. Plain data; zero-initialise. */
typedef struct r1i_todo {
    size_t task, prompt;
    int64_t sample;
} r1i_todo;
/* *at: the next missing one; next: moved past it. false at the end. */
bool r1i_todo_next(r1i_todo *next, const r1i_plan *plan, const r1i_recorder *r, r1i_todo *at);

/* Generate until nothing is missing or the recorder says stop; errors go to the recorder. The engine is destroyed: what
 * a stopped run left open ends while there is still someone to be told. */
void r1i_generate_engine(const r1_eval_config *config, const r1i_plan *plan, const r1_env *env, r1_engine *engine,
                         int64_t context, r1i_recorder *r);
void r1i_generate_remote(const r1_eval_config *config, const r1i_plan *plan, r1i_recorder *r);

#endif
