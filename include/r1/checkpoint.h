/** What a checkpoint holds, without loading it: configuration, tensors, parameter counts, bytes.
 * Opens a Hugging Face folder, one .gguf file (its split siblings follow), a folder with .gguf files, or a bare
 * config.json (then the tensors are those the architecture prescribes). */
#ifndef R1_CHECKPOINT_H
#define R1_CHECKPOINT_H

#include "r1/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_checkpoint r1_checkpoint; /* immutable, may be shared */

enum { R1_MAX_DIMS = 8 };

typedef struct r1_tensor_info {
    const char *name;            /* as stored; borrowed until close */
    r1_dtype type;
    int n_dims;                  /* 0 .. R1_MAX_DIMS */
    int64_t dim[R1_MAX_DIMS];    /* outermost first, as [out, in] (GGUF's order is turned round) */
    uint64_t bytes;              /* of the data as stored */
    const char *file;            /* base name of the shard; NULL when known from config.json alone */
    uint64_t offset;             /* of the data in that file */
} r1_tensor_info;

typedef struct r1_checkpoint_summary {
    const char *path;
    const char *format;          /* "safetensors", "gguf", "config" */
    const char *architecture;    /* "deepseek_v3", "qwen2", "llama" */
    const char *name;            /* general.name, or the folder's; may be NULL */
    uint64_t parameters;         /* of the main model, without MTP layers, duplicates and fp8 scales */
    uint64_t parameters_active;  /* used per token: head and its norm counted, embedding not (architecture.md 9.2) */
    uint64_t parameters_mtp;     /* unique parameters of the MTP layers */
    uint64_t parameters_stored;  /* everything in the files but scales */
    uint64_t tensors;
    uint64_t bytes;              /* tensor data */
    uint64_t files;
} r1_checkpoint_summary;

/** One hyper-parameter by its Hugging Face key ("kv_lora_rank"). */
typedef struct r1_hparam {
    const char *key;
    const char *value;           /* as JSON text */
} r1_hparam;

R1_API r1_status r1_checkpoint_open(const char *path, const r1_env *env, r1_checkpoint **out, r1_error *err);
R1_API void r1_checkpoint_close(r1_checkpoint *checkpoint); /* takes NULL */
R1_API const r1_checkpoint_summary *r1_checkpoint_get_summary(const r1_checkpoint *checkpoint);
R1_API int r1_checkpoint_hparam_count(const r1_checkpoint *checkpoint);
R1_API const r1_hparam *r1_checkpoint_hparam(const r1_checkpoint *checkpoint, int i);
R1_API int64_t r1_checkpoint_tensor_count(const r1_checkpoint *checkpoint);
R1_API const r1_tensor_info *r1_checkpoint_tensor(const r1_checkpoint *checkpoint, int64_t i);
/** Keys of config.json that were read past: they do not change the mathematics. */
R1_API int r1_checkpoint_ignored_count(const r1_checkpoint *checkpoint);
R1_API const char *r1_checkpoint_ignored(const r1_checkpoint *checkpoint, int i);

#ifdef __cplusplus
}
#endif
#endif
