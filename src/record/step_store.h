/* The steps of a training run in its run.db: a row a step, readable while the run goes on. */
#ifndef R1I_STEP_STORE_H
#define R1I_STEP_STORE_H

#include "record/db.h"

enum { R1I_EVALUATION_NAME = 64 }; /* bytes of a task's name, with its end */

typedef struct r1i_step_row {
    int64_t step, epoch, tokens, targets;
    double loss, mtp_loss, balance_loss, learning_rate, gradient_norm, load_spread;
    double seconds;            /* of the occasion, not of the result */
} r1i_step_row;

/* dir/run.db, made if missing; rows of steps above `last` (which a killed run left) are removed. */
r1_status r1i_step_store_open(const char *dir, int64_t last, r1i_db **out, r1_error *err);
r1_status r1i_step_store_add(r1i_db *db, const r1i_step_row *row, r1_error *err);

/* What an evaluation in the midst of a run found: a row a step and task. */
typedef struct r1i_evaluation_row {
    int64_t step, prompts, samples, correct, truncated, tokens;
    double pass_at_1, lo, hi;  /* mean over prompts, its 95 % interval */
    double seconds;            /* of the occasion */
    char task[R1I_EVALUATION_NAME];
} r1i_evaluation_row;
r1_status r1i_step_store_add_evaluation(r1i_db *db, const r1i_evaluation_row *row, r1_error *err);
r1_status r1i_step_store_has_evaluation(r1i_db *db, int64_t step, const char *task, bool *has, r1_error *err);
/* All of them by task, then step: malloc'd; none in a record of before there were any. */
r1_status r1i_step_store_read_evaluations(const char *dir, r1i_evaluation_row **rows, size_t *n, r1_error *err);

/* All rows, ascending: malloc'd. R1_ERR_FORMAT: the folder's run.db is none of a training run. */
r1_status r1i_step_store_read(const char *dir, r1i_step_row **rows, size_t *n, r1_error *err);

#endif
