/* The loaded model: config, bound weights, and the sizes of what a forward needs. Built once by load.c; immutable. */
#ifndef R1I_MODEL_H
#define R1I_MODEL_H

#include "model/config.h"
#include "op/table.h"
#include "r1/model.h"

/* A dense SwiGLU feed-forward or one expert. */
typedef struct r1i_ffn { r1i_weight gate, up, down; } r1i_ffn;

typedef struct r1i_layer {
    float *attn_norm, *ffn_norm;       /* [hidden_size] f32 */
    /* grouped-query attention */
    r1i_weight q, k, v, o;             /* o: both kinds */
    float *q_bias, *k_bias, *v_bias;   /* nullable */
    /* MLA; q is used when q_lora_rank is 0 */
    r1i_weight q_a, q_b, kv_a;
    float *q_a_norm, *kv_a_norm;
    r1i_weight *k_absorb;              /* [heads] each [kv_lora_rank, qk_nope_head_dim]: t_h = UK_h^T q_h */
    r1i_weight *v_absorb;              /* [heads] each [v_head_dim, kv_lora_rank]: o_h = UV_h u_h */
    const struct r1i_lora_kv_b *kv_b_lora; /* nullable: an adapter's term beside both stacks (lora.h) */
    /* feed-forward */
    bool moe;
    r1i_ffn dense, shared;             /* shared: has_shared */
    bool has_shared;
    r1i_weight router;                 /* [experts, hidden_size], computed in f32 */
    float *router_bias;                /* [experts], nullable */
    r1i_ffn *expert;                   /* [n_routed_experts] */
} r1i_layer;

typedef struct r1i_mtp {
    float *enorm, *hnorm, *head_norm;  /* [hidden_size] */
    r1i_weight eh_proj;                /* [hidden_size, 2 hidden_size]: embedding half first */
    r1i_layer layer;
} r1i_mtp;

struct r1_model {
    r1i_config config;
    r1_model_params params;
    r1_env env;
    r1i_store *store;                  /* kept open while a mapped table is in use */
    struct r1i_cpu_kernels *kernels;   /* the row of the op table */
    r1i_weight embedding, head;        /* head may alias embedding (tied) */
    float *final_norm;
    r1i_layer *layer;                  /* [num_hidden_layers] */
    r1i_mtp *mtp;                      /* [num_nextn_predict_layers] or NULL */
    double *inv_freq;                  /* [rope_dim / 2] rotary frequencies after scaling */
    float rope_magnitude;              /* factor on cos and sin */
    float attn_scale;                  /* softmax scale, YaRN's mscale^2 included */
    r1i_attn_shape attn;
    r1i_router_shape route;
    r1i_arena arena;                   /* everything the model owns */
    r1i_arena rounded;                 /* trainable under compute bf16: the BF16 panels that products read; the arena
                                        * keeps f32 masters */
    struct r1i_master *master;         /* [n_masters], ascending `rounded` */
    int64_t n_masters;
    struct r1i_adapter *adapter;       /* nullable: what the weights' low-rank terms point into */
    struct r1i_panel_file *panels;     /* matrices that are used where a file of panels has them; NULL: none */
    uint64_t mapped_bytes;
    uint64_t panel_bytes;              /* of `panels` that the model uses */
    double load_seconds;
};

/* An exec for this model's backend: ops, kernels, modes. pool and scratch are the caller's. */
r1i_exec r1i_model_exec(const r1_model *m, r1i_pool *pool, r1i_arena *scratch, r1_error *err);

/* Bytes that what is made around the model may take: what is available less the weights that are mapped, which count as
 * available and should stay in memory. At least half, though: weights that do not fit are read again anyway. */
uint64_t r1i_model_memory_left(const r1_model *m);

#endif
