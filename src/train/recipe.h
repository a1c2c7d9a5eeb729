/* A run as its author declares it: a YAML file whose keys are all known, resolved into one plain struct. What a preset
 * leaves open and what the paper publishes are both written into the resolved recipe of the run folder. */
#ifndef R1I_RECIPE_H
#define R1I_RECIPE_H

#include "base/yaml.h"
#include "op/table.h"
#include "r1/model.h"
#include "data/training_data.h"
#include "record/step_store.h"

typedef enum r1i_schedule_kind { R1I_SCHEDULE_CONSTANT, R1I_SCHEDULE_COSINE, R1I_SCHEDULE_LINEAR } r1i_schedule_kind;

/* A task that examines the model while it trains. */
typedef struct r1i_recipe_task {
    const char *task, *data;       /* name or path of the task; folder or file of its rows */
    char name[R1I_EVALUATION_NAME]; /* of its results */
    int64_t limit, samples, max_tokens; /* limit 0: all rows */
    double temperature, top_p;
    bool raw, think;
} r1i_recipe_task;

typedef struct r1i_recipe {
    json_t *root;                  /* as resolved: defaults filled in; owned */
    json_t *choices;               /* owned: [{key, value, published?, by: recipe, paper or default}], what is the
                                    * paper's and what is ours */
    /* where from: strings are borrowed from root */
    const char *model;             /* a checkpoint, or NULL: a new one from */
    const char *init_config, *init_tokenizer; /* config.json; a folder with the tokenizer's files (nullable) */
    double init_std;
    /* data */
    const char *const *data_path;  /* [n_data_paths] */
    size_t n_data_paths;
    int64_t sequence_length;
    bool keep_order, think;
    r1i_too_long too_long;
    const char *token_cache;       /* folder, nullable */
    /* batch and length of the run */
    int64_t batch_size;            /* chunks a step */
    int64_t micro_batch;           /* chunks together in memory */
    int64_t steps;                 /* 0: epochs */
    double epochs;
    uint64_t seed;
    /* optimiser */
    double lr, min_lr, beta1, beta2, eps, weight_decay, clip;
    r1i_schedule_kind schedule;
    bool muon;                     /* hidden matrices by Muon, the rest by AdamW */
    int64_t warmup_steps;
    /* an adapter is trained and the model is frozen; PEFT's names */
    bool lora, lora_rslora;
    int64_t lora_r;
    double lora_alpha;
    json_t *lora_targets;          /* borrowed from root; NULL: every projection */
    /* loss */
    double mtp_weight, balance_alpha, bias_speed, temperature;
    bool mtp_detach, recompute;
    r1i_cache_type cache;
    r1_compute compute;            /* of products: f32, or bf16 with f32 sums, masters and moments */
    /* what is kept */
    int64_t save_every, keep; /* steps; save_every 0: at the end alone */
    bool save_f32;                 /* the checkpoint's weights in f32, else bf16 */
    /* evaluation: every so many steps and after the last one */
    int64_t eval_every;
    bool eval_at_start;            /* also before the first step */
    const char *eval_task_dir;     /* nullable */
    r1i_recipe_task *eval_task;    /* [n_eval_tasks], owned */
    size_t n_eval_tasks;
} r1i_recipe;

/* set: [n_set] "key.key=value", value read as YAML, over what the file says. R1_ERR_FORMAT with line and column, or
 * naming the setting; R1_ERR_IO; R1_ERR_MISSING without libyaml. */
r1_status r1i_recipe_read(const char *path, const char *const *set, size_t n_set, r1i_recipe *out, r1_error *err);
void r1i_recipe_free(r1i_recipe *r); /* takes a zeroed one */
/* recipe_choices.c: what decides the mathematics, a value each, behind `list`. published: the preset's, nullable. */
r1_status r1i_recipe_choices(const json_t *root, const json_t *said, const json_t *published, json_t *list,
                             r1_error *err);
/* recipe_eval.c: the section `eval` of root, checked and taken. */
r1_status r1i_recipe_take_eval(const r1i_yaml *y, r1i_recipe *r, r1_error *err);
/* The learning rate of step t (1 .. total). */
double r1i_recipe_lr(const r1i_recipe *r, int64_t t, int64_t total);

#endif
