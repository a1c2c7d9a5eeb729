/* The record of a run: one SQLite file, run.db, in the run's folder. What belongs to the result (prompts, samples,
 * verdicts) is kept apart from what belongs to the occasion (timings), so that a report can be the same bytes whenever
 * it is made. */
#ifndef R1I_RUN_STORE_H
#define R1I_RUN_STORE_H

#include "record/db.h"

typedef struct r1i_run_store r1i_run_store; /* one thread at a time */

/* dir is made where it is missing. R1_ERR_USAGE: it already holds a run, or (RESUME) another process writes it. READ
 * does not lock. R1_ERR_UNSUPPORTED: a newer program's record. */
typedef enum r1i_run_store_mode { R1I_RUN_STORE_NEW, R1I_RUN_STORE_RESUME, R1I_RUN_STORE_READ } r1i_run_store_mode;
r1_status r1i_run_store_open(const char *dir, r1i_run_store_mode mode, r1i_run_store **out, r1_error *err);
void r1i_run_store_close(r1i_run_store *s); /* takes NULL */
/* For queries; borrowed. */
r1i_db *r1i_run_store_db(r1i_run_store *s);

/* *value: malloc'd, NULL where the key was never set. */
r1_status r1i_run_store_get(r1i_run_store *s, const char *key, char **value, r1_error *err);
r1_status r1i_run_store_set(r1i_run_store *s, const char *key, const char *value, r1_error *err);

typedef struct r1i_task_row {
    int64_t task;              /* number within the run, from 0 */
    const char *name, *definition, *task_hash, *data_hash; /* definition: JSON, all that grading and reporting need */
    int64_t prompts, samples;  /* wanted */
} r1i_task_row;
r1_status r1i_run_store_add_task(r1i_run_store *s, const r1i_task_row *t, r1_error *err);

typedef struct r1i_prompt_row {
    int64_t task, prompt, line;
    const char *row_id, *subject, *question, *gold;
    size_t question_bytes, gold_bytes;
    const char *hash, *ids_hash;   /* of the rendered text and of its ids ("" where there are none) */
    int64_t tokens;
    bool thinking_open;
} r1i_prompt_row;
r1_status r1i_run_store_add_prompt(r1i_run_store *s, const r1i_prompt_row *p, r1_error *err);

typedef struct r1i_sample_row {
    int64_t task, prompt, sample;
    const char *prompt_hash;
    uint64_t seed;
    const int32_t *ids;            /* [n_ids]; none from an endpoint */
    size_t n_ids;
    const char *text;
    size_t text_bytes;
    int64_t tokens;
    const char *finish;            /* "stop", "length" */
    double score;                  /* the first verdict */
    bool correct, extracted;
    const char *answer, *reason;
    double queue_seconds, prefill_seconds, decode_seconds;
} r1i_sample_row;
/* Sample, verdict and timing belong together: the caller has a transaction open. */
r1_status r1i_run_store_add_sample(r1i_run_store *s, const r1i_sample_row *r, r1_error *err);
/* A sample that cannot be had, and why. */
r1_status r1i_run_store_add_missing(r1i_run_store *s, int64_t task, int64_t prompt, int64_t sample, const char *reason,
                                    r1_error *err);

#endif
