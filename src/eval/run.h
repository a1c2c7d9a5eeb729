/* r1_eval_run from inside: plan, engine, record, generate. Whoever examines a model that it also trains asks first what
 * that will take. */
#ifndef R1I_EVAL_RUN_H
#define R1I_EVAL_RUN_H

#include "eval/plan.h"

/* Everything that r1_eval_run checks before its first token (tasks, data, golds, prompts), and the memory its engine
 * takes: as many positions of cache as it wants, or fewer until *bytes fit into room, down to one sequence. The caller
 * puts *cache_tokens into config->engine, and compares *bytes. Errors as r1_eval_run; out and endpoint are not used. */
r1_status r1i_eval_fit(const r1_eval_config *config, const r1_env *env, uint64_t room, int64_t *cache_tokens,
                       uint64_t *bytes, r1_error *err);

#endif
