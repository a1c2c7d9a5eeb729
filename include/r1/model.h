/** A loaded model: weights in the layout the kernels compute from, immutable, shared by every engine made from it. */
#ifndef R1_MODEL_H
#define R1_MODEL_H

#include "r1/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_model r1_model;

typedef enum r1_compute { R1_COMPUTE_F32, R1_COMPUTE_BF16 } r1_compute;

typedef struct r1_model_params {
    r1_compute compute;        /* f32, or bf16 products (a second, named arithmetic) for float weights */
    bool exact_activations;    /* quantised weights meet f32 activations instead of 8-bit ones */
    bool load_mtp;             /* also load the multi-token prediction layer, when the files hold one */
    /* every parameter as f32 in the model's own memory, so that a trainer can change it in place (compute bf16: and
     * rounded beside it, which is what products read); quantised sources are refused */
    bool trainable;
    /* a file that r1_panels_write made: an error where it does not fit the checkpoint. NULL: the one beside the
     * checkpoint, if there is one that fits (one that does not is logged). "": none */
    const char *panels;
    /* folder of a PEFT adapter (adapter_config.json, adapter_model.safetensors) whose low-rank terms are added to the
     * projections that it names; the weights stay as they are. NULL: none */
    const char *lora;
    const char *isa; /* "auto" (NULL), "c", "avx2", "avx512", "neon": rows of the op table; the same bits in each */
} r1_model_params;
R1_API r1_model_params r1_model_params_default(void);

/** Open a checkpoint (Hugging Face folder or GGUF), check it and build the weights' panels, or map them (r1/convert.h).
 * params and env nullable. R1_ERR_IO; R1_ERR_FORMAT (err->offset); R1_ERR_UNSUPPORTED; R1_ERR_SHAPE; R1_ERR_RANGE (a
 * NaN or infinite weight, named with its offset); R1_ERR_NOMEM (before anything large is allocated, with the want and
 * the have).
 * Threads: immutable afterwards, may be shared; must outlive every engine made from it. */
R1_API r1_status r1_model_open(const char *path, const r1_model_params *params, const r1_env *env, r1_model **out,
                               r1_error *err);
R1_API void r1_model_close(r1_model *model); /* takes NULL */

typedef struct r1_model_info {
    const char *architecture;  /* "deepseek_v3", "qwen2", "llama" */
    const char *isa;           /* row of the op table in use: "c", "avx2", "avx512", "neon" */
    int64_t vocab_size, hidden_size, layers, max_positions, mtp_layers;
    int64_t moe_layers, experts_per_token; /* 0 for dense models */
    uint64_t parameters;       /* of the base */
    uint64_t adapter_parameters; /* of a LoRA adapter; 0: none */
    int64_t adapter_rank;
    uint64_t weight_bytes;     /* what the weights occupy in memory once all were used, mapped tables not counted */
    uint64_t panel_bytes;      /* the part of them that is mapped from a file of panels: shared by processes, and
                                * dropped and read again where memory is short */
    uint64_t mapped_bytes;     /* tables used where they lie in the file (embedding rows are touched as needed) */
    double load_seconds;
    bool exact_activations;
    r1_compute compute;
} r1_model_info;
R1_API void r1_model_get_info(const r1_model *model, r1_model_info *out);

#ifdef __cplusplus
}
#endif
#endif
