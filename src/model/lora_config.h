/* adapter_config.json: what a PEFT adapter of type LORA says about itself. The tensors beside it say which matrices
 * have a term; the configuration says how the terms are scaled, and whether there is any mathematics that this program
 * does not have. */
#ifndef R1I_LORA_CONFIG_H
#define R1I_LORA_CONFIG_H

#include "base/json.h"

enum { R1I_LORA_MAX_RANK = 4096 };

typedef struct r1i_lora_config {
    int64_t r;
    double alpha;
    bool rslora;         /* scale alpha / sqrt(r) instead of alpha / r */
    bool all_linear;     /* target_modules "all-linear": every projection */
    bool partial;        /* targets are a pattern, or held for some layers alone: which modules they mean is for the
                          * tensors to say */
    json_t *targets;     /* array of module names or tails of them, owned; NULL with all_linear and with a pattern */
    json_t *base;        /* base_model_name_or_path, a string or null; owned */
} r1i_lora_config;

/* *out is freed by r1i_lora_config_free whether reading works or not. R1_ERR_FORMAT: a key is missing or of another
 * kind; R1_ERR_UNSUPPORTED: another kind of adapter, or a key that changes the mathematics (DoRA, trained biases, ranks
 * by module ...), named with the reason. */
r1_status r1i_lora_config_from_json(const json_t *root, r1i_lora_config *out, r1_error *err);
void r1i_lora_config_free(r1i_lora_config *c); /* takes a zeroed one */
/* The file's text, malloc'd. `experts`: the model has routed experts, which the adapter leaves alone whatever their
 * names. R1_ERR_NOMEM. */
r1_status r1i_lora_config_text(const r1i_lora_config *c, bool experts, char **text, r1_error *err);
float r1i_lora_config_scale(const r1i_lora_config *c);
/* PEFT's rule: the module's whole name, or what follows a dot in it, is among the targets. *target (nullable):
 * which. */
bool r1i_lora_config_wants(const r1i_lora_config *c, const char *module, size_t *target);

#endif
