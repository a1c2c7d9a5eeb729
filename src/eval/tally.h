/* One task of one recorded run, read back prompt by prompt: counts, lengths, and the answers' classes. */
#ifndef R1I_TALLY_H
#define R1I_TALLY_H

#include "base/json.h"
#include "eval/stats.h"
#include "r1/eval.h"
#include "record/run_store.h"

typedef struct r1i_prompt_tally {
    char *key;                 /* row id, or "#line" where it has none: how runs are paired */
    char *subject;
    r1i_tally tally;
    double score;              /* sum of the samples' scores */
    /* [tally.n] equivalence class of the answer, -1: none; NULL where the task has no vote */
    int32_t *class;
    bool *right;               /* [tally.n] whether the class is right */
} r1i_prompt_tally;

typedef struct r1i_length { int64_t tokens; bool correct; } r1i_length;

typedef struct r1i_task_tally {
    char *name, *task_hash, *data_hash;
    char prompts_hash[65];     /* SHA-256 of all prompt hashes: what exactly was asked */
    int64_t samples_wanted;    /* a prompt */
    bool consensus;
    r1i_prompt_tally *prompt;  /* [n] */
    size_t n;
    r1i_length *length;        /* [n_samples] */
    size_t n_samples, cap;
    int64_t truncated, truncated_correct, not_extracted;
    json_t *reasons;           /* of samples that are not correct: text -> count */
    json_t *missing;           /* text -> count */
    int64_t n_missing;
} r1i_task_tally;

typedef struct r1i_run_tally {
    char *model;
    json_t *settings;
    int64_t gradings;          /* 1: as graded while running; more: regraded */
    r1i_task_tally *task;      /* [n] */
    size_t n;
} r1i_run_tally;

r1_status r1i_run_tally_read(const char *run, const r1_env *env, r1i_run_tally *out, r1_error *err);
void r1i_run_tally_free(r1i_run_tally *t);

#endif
