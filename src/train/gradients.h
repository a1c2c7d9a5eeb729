/* The parameters that a run trains, each with its gradient and its optimiser moments in the layout of the model's own
 * memory, so that the engine reads what the optimiser wrote without a repack. */
#ifndef R1I_GRADIENTS_H
#define R1I_GRADIENTS_H

#include "model/lora.h"
#include "op/tape.h"

typedef struct r1i_trained {
    r1i_parameter p;
    int64_t floats;           /* padding rows of the panels included: their gradients and moments stay 0 */
    const void *key;          /* the address that the tape knows the parameter by */
    float *data, *grad, *m, *v; /* the model's f32 memory; the others [floats] */
    uint16_t *rounded;        /* compute bf16: the panels that products read, else NULL */
    bool muon;                /* muon.h moves it, AdamW does not */
    bool decay;               /* weight decay: matrices yes, norms and biases no */
} r1i_trained;

/* A sum of its own for the A of a kv_b_proj, which the absorbed form also meets turned (model/lora.h). */
typedef struct r1i_turned {
    const r1i_lora_kv_b *k;
    float *grad;              /* panels of a_turned */
    int64_t param;            /* index of a */
} r1i_turned;

typedef struct r1i_gradients {
    r1i_trained *param;       /* [n], in the order of the checkpoint */
    int64_t n, total;         /* parameters; floats of all */
    int64_t *by_address;      /* [n] indices, ascending data */
    float *memory;            /* gradients, then first, then second moments */
    /* Sums of their own for a table that is used more than once in a pass (tied, or by the MTP layer too); finish adds
     * them up in this order. */
    float *head, *side_head, *side_embedding;
    int64_t tables;           /* floats of the own sums: 0 to 3 tables, or the turned ones */
    const r1i_adapter *adapter; /* nullable: its parameters are trained and the model is frozen */
    r1i_turned *turned;       /* [n_turned] */
    int64_t n_turned;
    r1_env env;
} r1i_gradients;

/* Bytes that r1i_gradients_create takes. with_mtp: the MTP layer is trained along. */
uint64_t r1i_gradients_bytes(const r1_model *m, bool with_mtp);
/* The model is borrowed, must be trainable or have an adapter, and outlive it. All sums and moments begin at 0.
 * R1_ERR_USAGE, R1_ERR_NOMEM. */
r1_status r1i_gradients_create(r1i_gradients *g, const r1_model *m, bool with_mtp, const r1_env *env, r1_error *err);
void r1i_gradients_destroy(r1i_gradients *g);
void r1i_gradients_zero(r1i_gradients *g, r1i_pool *pool);
/* An r1i_param_grad_fn over r1i_gradients. */
float *r1i_gradients_of(void *g, const void *data, bool side);
/* What products read, anew from `data`: after the optimiser's step or a checkpoint has changed it (BF16 panels, an
 * adapter's turned matrices). */
void r1i_gradients_round(const r1i_gradients *g, r1i_pool *pool);
/* Once all of a step's batches are in: the tables' own sums go into their gradients. */
void r1i_gradients_finish(r1i_gradients *g, r1i_pool *pool);

#endif
