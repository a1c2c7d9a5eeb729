/* A LoRA adapter on a model: for each chosen projection two small matrices whose product is added to what the
 * projection gives, while the model's own weights stay as they are. A product sees the term through its weight
 * (tensor/weight.h), so engine and trainer compute it by the same code in the same order; kv_b_proj, which the absorbed
 * form has in two stacks, has its own (attention_mla.c). */
#ifndef R1I_LORA_H
#define R1I_LORA_H

#include "model/lora_config.h"
#include "model/parameters.h"

/* The term of kv_b_proj: rows of a head are its key part, then its value part. A meets the latent twice, once
 * turned. */
typedef struct r1i_lora_kv_b {
    r1i_weight a;            /* [r, kv_lora_rank]: what the optimiser changes */
    r1i_weight a_turned;     /* [kv_lora_rank, r], a's values: made anew by r1i_adapter_turn */
    r1i_weight *k_b;         /* [heads] each [r, qk_nope_head_dim]: B's key part of the head, turned */
    r1i_weight *v_b;         /* [heads] each [v_head_dim, r] */
    float scale;
} r1i_lora_kv_b;

/* One projection that has a term. */
typedef struct r1i_lora_module {
    char name[R1I_TENSOR_NAME]; /* model.layers.0.self_attn.q_proj */
    int64_t rows, cols;         /* of the projection */
    r1i_lora term;              /* not of kv_b_proj, */
    r1i_lora_kv_b kv_b;         /* which has this (k_b is NULL elsewhere) */
} r1i_lora_module;

typedef struct r1i_adapter {
    r1i_lora_config config;     /* owned */
    r1i_lora_module *module;    /* [n], in the order of the layers */
    int64_t n;
    int64_t heads, nope, value; /* of kv_b_proj */
    r1i_arena arena;
    r1_env env;
} r1i_adapter;

/* A new adapter on every projection that the config's targets name: A uniform in +-1/sqrt(cols) (PEFT's Kaiming), by
 * Philox(seed; module, element), B zero, so that the first step begins at the base. c is moved into the adapter on
 * success. Before any engine or trainer is made from m. R1_ERR_FORMAT: a target that names no projection, or one that
 * cannot have a term (routed experts, embedding, head), with the reason; R1_ERR_UNSUPPORTED; R1_ERR_NOMEM. */
r1_status r1i_adapter_begin(r1_model *m, r1i_lora_config *c, uint64_t seed, r1_error *err);
/* The adapter in a folder: adapter_config.json and adapter_model.safetensors. Messages bear its path. R1_ERR_IO;
 * R1_ERR_FORMAT: a tensor is missing, has no place, or is of another shape than this base's (each named); R1_ERR_RANGE:
 * a NaN; R1_ERR_UNSUPPORTED. */
r1_status r1i_adapter_load(r1_model *m, const char *folder, r1_error *err);
/* Takes NULL. The model's weights lose their terms with the model. */
void r1i_adapter_free(r1i_adapter *a);

/* As r1i_model_parameters, of the adapter alone: names as in adapter_model.safetensors; lora_B of kv_b_proj in
 * parts. */
r1_status r1i_adapter_parameters(const r1i_adapter *a, r1i_parameter_fn fn, void *user);
uint64_t r1i_adapter_count(const r1i_adapter *a);
/* a_turned of every kv_b_proj from a: after anything has changed a. */
void r1i_adapter_turn(const r1i_adapter *a);

/* What a run changes: the adapter's parameters where there is one, else the model's. */
r1_status r1i_trained_parameters(const r1_model *m, r1i_parameter_fn fn, void *user);

#endif
