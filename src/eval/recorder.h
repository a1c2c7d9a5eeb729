/* Finished samples on their way into the record: graded by a few threads, committed a few at a time, counted for the
 * progress display. Generation never waits for grading unless grading falls far behind. */
#ifndef R1I_RECORDER_H
#define R1I_RECORDER_H

#include "eval/plan.h"

/* A sample as it came out of the model, or the reason why it did not. */
typedef struct r1i_outcome {
    size_t task, prompt;
    int64_t sample;
    int32_t *ids;              /* [n_ids], malloc'd */
    size_t n_ids;
    char *text;                /* malloc'd, NULL is empty */
    size_t text_bytes;
    int64_t tokens;
    bool truncated;
    char missing[256];         /* not empty: there is no sample, for this reason */
    double queue_seconds, prefill_seconds, decode_seconds;
    struct r1i_outcome *next;  /* the recorder's */
} r1i_outcome;
void r1i_outcome_free(r1i_outcome *o); /* takes NULL */

typedef struct r1i_recorder r1i_recorder; /* push, add_tokens, tick, has: any thread */

/* Opens or makes the record and compares a resumed one. config and plan are borrowed until finish. */
r1_status r1i_recorder_create(const r1_eval_config *config, const r1i_plan *plan, int64_t context, const r1_env *env,
                              r1i_recorder **out, r1_error *err);
/* Whether this sample is in the record already. */
bool r1i_recorder_has(const r1i_recorder *r, size_t task, size_t prompt, int64_t sample);
/* Takes the outcome over. Waits while the queue is full. */
void r1i_recorder_push(r1i_recorder *r, r1i_outcome *outcome);
/* n more tokens were generated: for the display of speed. */
void r1i_recorder_add_tokens(r1i_recorder *r, uint64_t n);
/* Shows progress when it is time; false: stop generating (an error, or the caller's wish). */
bool r1i_recorder_tick(r1i_recorder *r);
/* generation failed: remembered as the run's error unless there is an earlier one */
void r1i_recorder_fail(r1i_recorder *r, const r1_error *why);
/* Waits for what is queued, commits, frees. The run's error, if any. */
r1_status r1i_recorder_finish(r1i_recorder *r, r1_error *err);

#endif
