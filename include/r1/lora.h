/* * LoRA adapters in PEFT's format: a folder with adapter_config.json and adapter_model.safetensors. r1_model_open uses
 * one beside its base (r1_model_params.lora), r1_train makes them; here they are looked at and merged. */
#ifndef R1_LORA_H
#define R1_LORA_H

#include "r1/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_lora_info {
    char base[1024];       /* the model that it says it was made for; "" where it does not */
    char targets[1024];    /* target_modules, with commas between */
    int64_t rank;
    double alpha, scale;   /* scale: alpha / rank, or alpha / sqrt(rank) */
    int64_t modules;       /* projections with a term */
    uint64_t parameters, bytes; /* of the tensors */
} r1_lora_info;

/** Whether a folder holds an adapter (an adapter_config.json; its content is not looked at). */
R1_API bool r1_lora_is_adapter(const char *folder);
/** Read and check an adapter by itself: its configuration, and that every lora_A [r, in] has its lora_B [out, r].
 * R1_ERR_IO; R1_ERR_FORMAT; R1_ERR_SHAPE; R1_ERR_UNSUPPORTED (mathematics that r1 does not have, named). */
R1_API r1_status r1_lora_inspect(const char *folder, r1_lora_info *out, r1_error *err);

/* * Write a checkpoint with the terms multiplied out: W + scale * B A in f32 (ranks ascending, one fmaf each), rounded
 * once to W's own type; everything else is copied byte for byte. model: a Hugging Face folder whose adapted matrices
 * are F32, F16 or BF16. out: a new folder, config, tokenizer and one model.safetensors, which appears last and whole.
 * out_info nullable.
 * R1_ERR_UNSUPPORTED: a quantised matrix (it would have to be quantised anew), a .gguf file; R1_ERR_USAGE: out holds a
 * checkpoint; else as r1_model_open with the adapter. */
R1_API r1_status r1_lora_merge(const char *model, const char *lora, const char *out, const r1_env *env,
                               r1_lora_info *out_info, r1_error *err);

#ifdef __cplusplus
}
#endif
#endif
