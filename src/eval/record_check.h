/* The beginning of a record: what was asked for, of which model, with which prompts; and on resumption the comparison
 * with it. A difference that could move a result is refused by name, never averaged in. */
#ifndef R1I_RECORD_CHECK_H
#define R1I_RECORD_CHECK_H

#include "eval/plan.h"
#include "record/run_store.h"

r1_status r1i_record_begin(r1i_run_store *s, const r1_eval_config *config, const r1i_plan *plan, int64_t context,
                           r1_error *err);
/* R1_ERR_USAGE names the setting, task, data file or prompt that changed. */
r1_status r1i_record_compare(r1i_run_store *s, const r1_eval_config *config, const r1i_plan *plan, int64_t context,
                             r1_error *err);

#endif
