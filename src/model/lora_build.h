/* Between the parts of a LoRA adapter: which projections a model has, and an adapter built on those that someone
 * chooses. */
#ifndef R1I_LORA_BUILD_H
#define R1I_LORA_BUILD_H

#include "model/lora.h"

/* A projection that may have a term: attention's, a dense feed-forward's, the shared expert's; of the layers that the
 * published model has without its MTP part. */
typedef struct r1i_projection {
    char name[R1I_TENSOR_NAME]; /* model.layers.0.self_attn.q_proj */
    r1i_slot slot;
    r1i_layer *layer;
    r1i_weight *w;              /* the model's own; NULL: kv_b_proj */
    int64_t rows, cols;
} r1i_projection;
typedef r1_status (*r1i_projection_fn)(void *user, const r1i_projection *p);
r1_status r1i_model_projections(const r1_model *m, r1i_projection_fn fn, void *user);

typedef struct r1i_lora_choice {
    bool (*wants)(void *user, const char *module);
    void *user;
} r1i_lora_choice;
/* Zeroed terms on the chosen projections; c moves into m->adapter on success. R1_ERR_UNSUPPORTED, R1_ERR_NOMEM. */
r1_status r1i_adapter_build(r1_model *m, r1i_lora_config *c, const r1i_lora_choice *choice, r1_error *err);

#endif
