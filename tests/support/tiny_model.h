/* Writes tiny (or, for benchmarks, mid-size) random checkpoints with the real architectures, names and keys: any weight
 * type, either container. What they say is noise; every branch of loading and of the forward is in them. */
#ifndef TINY_MODEL_H
#define TINY_MODEL_H

#include "model/config.h"

typedef struct tiny_model {
    r1i_arch arch;
    r1_dtype type;      /* of the matrices. Block types go into GGUF; F8_E4M3 into safetensors; F32, F16, BF16 into
                         * either */
    bool gguf;          /* for F32, F16, BF16 */
    bool old_mla;       /* GGUF: one attn_kv_b instead of attn_k_b and attn_v_b */
    bool flat_mla;      /* GGUF: attn_k_b and attn_v_b with two dimensions, beside attn_kv_b */
    bool tied;          /* qwen2, llama: no separate head */
    bool mtp;           /* deepseek_v3: with an MTP layer */
    bool no_q_lora;     /* deepseek_v3: one q_proj */
    bool mid;           /* deepseek_v3: R1's proportions at about a billion weights, for benchmarks */
    int64_t vocab;      /* 0: 320 */
    int64_t nope;       /* deepseek_v3: qk_nope_head_dim, 0: 32 or 64; of fp8, 48 puts a head's keys across two blocks
                         * of scales */
    const char *tokenizer; /* nullable: folder whose tokenizer.json and tokenizer_config.json are copied beside
                            * safetensors */
    uint64_t seed;
} tiny_model;

/* Writes the checkpoint into the folder `dir` (made if missing) and puts what r1_model_open wants into path: the
 * folder, or the .gguf file in it. Prints and exits on failure: helpers of tests have no one to report to. */
void tiny_model_write(const tiny_model *t, const char *dir, char path[512]);

/* A new folder below $TMPDIR or /tmp, and its removal with all files in it (not recursive). */
void tiny_folder_make(char dir[256]);
void tiny_folder_remove(const char *dir);

#endif
