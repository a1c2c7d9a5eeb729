/* The steps of a training run in its run.db: a row a step, readable while the run goes on. */
#ifndef R1I_STEP_STORE_H
#define R1I_STEP_STORE_H

#include "record/db.h"

typedef struct r1i_step_row {
    int64_t step, epoch, tokens, targets;
    double loss, mtp_loss, balance_loss, learning_rate, gradient_norm, load_spread;
    double seconds;            /* of the occasion, not of the result */
} r1i_step_row;

/* dir/run.db, made if missing; rows of steps above `last` (which a killed run left) are removed. */
r1_status r1i_step_store_open(const char *dir, int64_t last, r1i_db **out, r1_error *err);
r1_status r1i_step_store_add(r1i_db *db, const r1i_step_row *row, r1_error *err);
/* All rows, ascending: malloc'd. R1_ERR_FORMAT: the folder's run.db is none of a training run. */
r1_status r1i_step_store_read(const char *dir, r1i_step_row **rows, size_t *n, r1_error *err);

#endif
