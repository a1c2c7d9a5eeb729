/* Who grades a task: one of the graders, or a judge model behind an endpoint. Evaluation, regrading and reports ask
 * through this, so that they need not know which. */
#ifndef R1I_EXAMINER_H
#define R1I_EXAMINER_H

#include "r1/eval.h"

typedef struct r1i_examiner r1i_examiner; /* one thread at a time */

/* grader, options: of the task. judge: nullable unless grader is "judge" (R1_ERR_USAGE then). */
r1_status r1i_examiner_create(const char *task, const char *grader, const char *options, const r1_endpoint *judge,
                              const r1_env *env, r1i_examiner **out, r1_error *err);
void r1i_examiner_destroy(r1i_examiner *x); /* takes NULL */
r1_status r1i_examiner_check_gold(r1i_examiner *x, const char *gold, size_t bytes, r1_error *err);
r1_status r1i_examiner_grade(r1i_examiner *x, const r1_sample *sample, r1_verdict *out, r1_error *err);
/* Whether this grading waits for something else than this processor, so that several at once are worth it. */
bool r1i_grading_waits(const char *grader);

#endif
