/* The inside of a run: what is open while it trains, between trainer.c (opening, resuming), train_step.c (one optimiser
 * step) and train_files.c (what the run folder holds). */
#ifndef R1I_TRAINER_H
#define R1I_TRAINER_H

#include "r1/train.h"
#include "record/events.h"
#include "record/step_store.h"
#include "train/adamw.h"
#include "train/run_checkpoint.h"
#include "train/loss.h"
#include "train/muon.h"
#include "train/recipe.h"

typedef struct r1i_trainer {
    r1i_recipe recipe;
    r1_env env;
    char *folder, *checkpoints;    /* run folder and its ckpt/ */
    char *source;                  /* folder that config and tokenizer are copied from */
    int lock;                      /* of the run folder; 0: none */
    bool made_folder, made_lock, made_init; /* by this call: taken back where it cannot begin */
    uint64_t memory_limit;         /* bytes; 0: what is available */
    json_t *identity;              /* hashes of the program, the first weights, the data files */
    r1_model *model;
    r1_tokenizer *tokenizer;       /* nullable: rows of ready ids */
    r1_chat_form *form;            /* nullable */
    r1i_training_data *data;
    r1i_training_stats stats;
    r1i_pool *pool;
    r1i_gradients gradients;
    r1i_stepper stepper;
    int64_t first_step, steps;     /* the next step to do; of the run */
    int64_t max_rows;              /* tokens of a micro-batch */
    /* one micro-batch */
    int32_t *token, *target, *page;
    float *weight;
    r1i_run *runs;
    r1i_document *documents;       /* of one chunk */
    r1i_db *db;                    /* run.db; NULL in a build without SQLite, which is told once */
    r1i_events *events;
    float *muon_scratch;           /* NULL without Muon */
    int64_t *eval_cache;           /* [tasks of the recipe's eval] positions of cache that their engines get */
    void (*on_evaluation)(void *user, const r1_train_evaluation *e); /* nullable */
    void *user;                    /* of it */
    int64_t *load;                 /* [layers with MTP][experts] rows that chose each, this step */
} r1i_trainer;

/* train_step.c: step t of the run; the learning rate and norm it used. R1_ERR_RANGE: a gradient that is not finite,
 * nothing has changed. */
r1_status r1i_trainer_step(r1i_trainer *t, int64_t step, r1_train_step *out, r1_error *err);
/* train_files.c: what is in the run folder besides checkpoints. */
r1_status r1i_trainer_save(r1i_trainer *t, int64_t step, r1_error *err);
/* recipe.yaml, manifest.json. */
r1_status r1i_trainer_describe(const r1i_trainer *t, const r1_train_plan *plan, r1_error *err);
/* run.db and the event file; rows of steps after the last one done, which a killed run left, are removed. */
r1_status r1i_trainer_open_records(r1i_trainer *t, r1_error *err);
r1_status r1i_trainer_note(const r1i_trainer *t, const r1_train_step *s, r1_error *err);

/* run_identity.c: fills t->identity. */
r1_status r1i_trainer_identify(r1i_trainer *t, r1_error *err);
/* Against what a checkpoint's state.json says: other data is refused (R1_ERR_FORMAT, naming the file), another recipe
 * or program is told. */
r1_status r1i_trainer_compare(const r1i_trainer *t, const json_t *state, r1_error *err);
/* train_eval.c: whether the tasks can be run at all, and how much memory their engines take beside what training
 * takes. */
r1_status r1i_trainer_check_eval(r1i_trainer *t, uint64_t taken, uint64_t available, uint64_t *bytes, r1_error *err);
/* The tasks that are due after step `step` (0: before the first one) and have no result yet. Moves no bit of the
 * run. */
r1_status r1i_trainer_evaluate(r1i_trainer *t, int64_t step, r1_error *err);
r1_status r1i_trainer_note_evaluation(const r1i_trainer *t, const r1i_evaluation_row *e, r1_error *err);

#endif
