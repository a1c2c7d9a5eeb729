/* * Supervised training from a recipe: gradients for the one forward pass, a run folder that can be killed at any
 * moment and resumed to the same bytes, checkpoints that other tools load. */
#ifndef R1_TRAIN_H
#define R1_TRAIN_H

#include "r1/eval.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the tasks of the recipe's `eval` found, each on its own. */
typedef struct r1_train_evaluation {
    int64_t step;              /* the weights' */
    const char *task;
    int64_t prompts, samples, correct, truncated, tokens; /* truncated: cut by max_tokens; tokens: of all samples */
    double pass_at_1, lo, hi;  /* mean over prompts with its 95 % interval */
    double seconds;
} r1_train_evaluation;

typedef struct r1_train_params {
    const char *recipe;        /* YAML file */
    const char *const *set;    /* [n_set] "key.key=value" over the recipe */
    size_t n_set;
    const char *out;           /* run folder; made if missing, refused if it holds a run unless resume */
    bool resume;               /* go on from the newest checkpoint (from the start where there is none) */
    const char *isa;           /* row of the op table; NULL: auto */
    uint64_t memory_limit;     /* bytes that the run may take by its own plan; 0: what is available */
    void (*on_evaluation)(void *user, const r1_train_evaluation *e); /* nullable, on the calling thread, with r1_train's
                                                                      * user */
} r1_train_params;

/** One value of a recipe. Strings are borrowed for the call. */
typedef struct r1_train_choice {
    const char *key, *value;
    const char *published;     /* NULL: the paper does not say */
    const char *by;            /* "recipe", "paper" or "default" */
} r1_train_choice;

/** Before the first step. */
typedef struct r1_train_plan {
    int64_t first_step, steps; /* of this call, of the run */
    uint64_t parameters, trained_parameters;
    int64_t adapter_rank;      /* of the LoRA adapter that is trained on the frozen model; 0: the model itself is */
    int64_t rows, documents, skipped, tokens, targets, chunks; /* of the data, an epoch */
    uint64_t model_bytes, optimizer_bytes, activation_bytes, evaluation_bytes, total_bytes, available_bytes;
    const char *model;         /* where the weights come from */
    const char *data_hash;
    const char *preset;        /* NULL: none */
    const r1_train_choice *choice; /* [n_choices] what decides the mathematics */
    size_t n_choices;
    double flops_per_token;    /* 6 times the active parameters; 4 times where they are frozen */
    r1_compute compute;
    const char *isa;           /* row of the op table */
} r1_train_plan;

/** After each step. */
typedef struct r1_train_step {
    int64_t step, steps, epoch;
    double loss, mtp_loss, balance_loss; /* nats a target; the MTP layer's and the routers' with their weights */
    double learning_rate, gradient_norm;
    int64_t tokens, targets;   /* of this step */
    double seconds, tokens_per_second;
    double load_spread;        /* largest over mean load of an expert, over all MoE layers; 0 without */
    bool saved;                /* a checkpoint was written */
    uint64_t resident_bytes, peak_bytes; /* of the process: now, and the most it ever was; 0: not known */
} r1_train_step;

/* * Callbacks run on the calling thread and are nullable; on_step returns false to stop after a checkpoint
 * (R1_ERR_STOPPED).
 * R1_ERR_FORMAT: recipe (line and column) or data (file and line); R1_ERR_UNSUPPORTED: a quantised model; R1_ERR_NOMEM:
 * before the first step, with the arithmetic; R1_ERR_RANGE: a gradient that is not finite (names the tensor; the
 * weights are those of the last step). */
R1_API r1_status r1_train(const r1_train_params *params, const r1_env *env,
                          void (*on_plan)(void *user, const r1_train_plan *plan),
                          bool (*on_step)(void *user, const r1_train_step *step), void *user, r1_error *err);

/** Whether a run folder holds a training run's record (r1 eval's runs have none). */
R1_API bool r1_train_is_run(const char *run);
/* * The record of a training run as text, CSV, JSON, or a page with its curves: the bytes depend on the recorded steps
 * alone. *text: malloc'd, r1_free. R1_ERR_IO, R1_ERR_FORMAT, R1_ERR_MISSING (a build without SQLite). */
R1_API r1_status r1_train_report(const char *run, r1_report_format format, char **text, size_t *n, r1_error *err);

#ifdef __cplusplus
}
#endif
#endif
