/* One micro-batch: the forward pass with a tape, the fused head with its cross-entropy, the walk back. The logits of
 * the whole batch
 * never exist: the head works on a slice of rows at a time. Nor do all activations where caches are better used with
 * fewer: whole sequences take turns, a pass at a time, which moves no bit. */
#ifndef R1I_LOSS_H
#define R1I_LOSS_H

#include "model/forward.h"
#include "train/gradients.h"

typedef struct r1i_train_rows {
    r1i_batch batch;          /* whole sequences, each run from position 0; n_logits is not looked at */
    const int32_t *target;    /* [n] the id that follows each row */
    const float *weight;      /* [n] the row's weight in the loss: 1 / (unmasked tokens of the global batch), or 0 */
} r1i_train_rows;

/* The workings of a step: made once, reused. */
typedef struct r1i_stepper {
    const r1_model *model;
    r1i_gradients *gradients; /* borrowed */
    r1i_exec ex;
    r1i_arena act;
    r1i_tape tape;
    r1i_kv kv;
    r1i_arena head;           /* logits of a slice and what goes with them */
    r1i_mat logits;           /* [slice, vocab_size] */
    double *lse;              /* [slice] */
    float *coef;              /* [slice] */
    int64_t max_rows, pass_rows, n_defined;
    float temperature;
    float mtp_weight;         /* 0: none */
    bool mtp_detach;          /* the trunk gets no gradient from the MTP loss */
    r1_env env;
} r1i_stepper;

typedef struct r1i_stepper_params {
    int64_t max_rows;         /* tokens of a micro-batch */
    int64_t max_positions;    /* of the longest sequence */
    int64_t max_pages;        /* of keys and values: page indices stay below it; 0: a page a token */
    int64_t pass_rows;        /* tokens of a pass, or one sequence; 0: what suits the caches */
    int64_t n_defined;        /* ids that the tokenizer defines; 0: all */
    float temperature;        /* of the log-softmax; 0: 1 */
    float balance_alpha;      /* sequence balance loss of the routers */
    float mtp_weight;
    bool mtp_detach;
    r1i_cache_type cache_type;
    bool recompute;           /* keep only each layer's input and run it again on the way back: less memory, a forward
                               * more, no bit moves */
} r1i_stepper_params;

/* Bytes that a stepper takes besides the model and the gradients: activations with their shadow, logits, keys and
 * values. */
uint64_t r1i_stepper_bytes(const r1_model *model, const r1i_stepper_params *params, int threads);

/* model, gradients (nullable: losses only) and pool are borrowed. R1_ERR_NOMEM. */
r1_status r1i_stepper_create(r1i_stepper *s, const r1_model *model, r1i_gradients *gradients, r1i_pool *pool,
                             const r1i_stepper_params *params, const r1_env *env, r1_error *err);
void r1i_stepper_destroy(r1i_stepper *s);
/* Adds to the gradients, to *loss (sum of weight * -logprob, rows ascending) and, where it is trained, to *mtp_loss.
 * logprob (nullable) [n]: of each row's target. router (nullable): sees every MoE layer's choices. */
r1_status r1i_stepper_run(r1i_stepper *s, const r1i_train_rows *rows, double *loss, double *mtp_loss, float *logprob,
                          const r1i_probe *router, r1_error *err);

#endif
