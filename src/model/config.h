/* The hyper-parameters of the three architectures in one struct, read from config.json or from GGUF keys. An unknown
 * key that would change the mathematics is refused; the others are listed. Names are Hugging Face's. */
#ifndef R1I_CONFIG_H
#define R1I_CONFIG_H

#include "format/store.h"

typedef enum r1i_arch { R1I_DEEPSEEK_V3, R1I_QWEN2, R1I_LLAMA } r1i_arch;
typedef enum r1i_rope_kind { R1I_ROPE_PLAIN, R1I_ROPE_LINEAR, R1I_ROPE_YARN, R1I_ROPE_LLAMA3,
                             R1I_ROPE_DIVISORS } r1i_rope_kind;

typedef struct r1i_config {
    r1i_arch arch;
    int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers, max_position_embeddings;
    int64_t num_attention_heads, num_key_value_heads, head_dim; /* head_dim: GQA only */
    double rms_norm_eps;
    bool tie_word_embeddings;
    bool attention_bias;             /* biases on q, k, v (qwen2) */
    /* rotary */
    double rope_theta;
    r1i_rope_kind rope_kind;
    bool rope_interleaved;           /* adjacent pairs: deepseek, GGUF llama; else half-split */
    double rope_factor, rope_beta_fast, rope_beta_slow, rope_mscale, rope_mscale_all_dim;
    double rope_low_freq_factor, rope_high_freq_factor;
    int64_t rope_original_max_position_embeddings;
    /* MLA (deepseek_v3) */
    int64_t q_lora_rank;             /* 0: one q_proj */
    int64_t kv_lora_rank, qk_nope_head_dim, qk_rope_head_dim, v_head_dim;
    /* MoE (deepseek_v3) */
    int64_t n_routed_experts;        /* 0: dense everywhere */
    int64_t n_shared_experts, num_experts_per_tok, moe_intermediate_size, first_k_dense_replace, moe_layer_freq;
    int64_t n_group, topk_group;     /* 1, 1: no group limit */
    double routed_scaling_factor;
    bool norm_topk_prob;
    bool scoring_sigmoid;            /* else softmax over the experts */
    int64_t num_nextn_predict_layers;/* MTP layers that the files hold (0 when they do not) */
    bool quantized_fp8;              /* quantization_config: fp8, 128 x 128 blocks */
    int64_t bos_token_id, eos_token_id; /* -1 where absent */
} r1i_config;

/* Keys that were read past, for `inspect`: borrowed strings of the list. */
typedef struct r1i_name_list { char **item; int n; } r1i_name_list;
void r1i_name_list_free(r1i_name_list *list);

/* From a parsed config.json. ignored is nullable. R1_ERR_FORMAT / R1_ERR_UNSUPPORTED name the key. */
r1_status r1i_config_from_json(const json_t *root, r1i_config *out, r1i_name_list *ignored, r1_error *err);
/* From GGUF metadata (and rope_freqs.weight / attn_k_b presence, hence the store). */
r1_status r1i_config_from_gguf(const r1i_store *store, r1i_config *out, r1i_name_list *ignored, r1_error *err);
/* Whichever the store is; safetensors: <folder>/config.json. */
r1_status r1i_config_read(const r1i_store *store, r1i_config *out, r1i_name_list *ignored, r1_error *err);

/* Consistency of all values (positive, divisible, below sane bounds so that later size arithmetic cannot overflow). */
r1_status r1i_config_check(const r1i_config *c, r1_error *err);

/* architecture.md 9: exact counts from config alone. */
typedef struct r1i_param_count { uint64_t total, active, mtp_unique, stored; } r1i_param_count;
void r1i_config_count(const r1i_config *c, r1i_param_count *out);

static inline bool r1i_layer_is_moe(const r1i_config *c, int64_t layer)
{
    return c->n_routed_experts > 0 && layer >= c->first_k_dense_replace &&
           (layer - c->first_k_dense_replace) % c->moe_layer_freq == 0;
}
/* Rotary width of a head. */
static inline int64_t r1i_rope_dim(const r1i_config *c)
{
    return c->arch == R1I_DEEPSEEK_V3 ? c->qk_rope_head_dim : c->head_dim;
}

#endif
