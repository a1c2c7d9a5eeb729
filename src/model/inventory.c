#include "model/inventory.h"

#include <stdio.h>

/* One walk. The first failure of the callback sticks, so that a list of tensors reads as a list. */
typedef struct walk {
    const r1i_config *c;
    r1i_prescribe_fn fn;
    void *ctx;
    r1_status status;
    r1i_role role;
    char prefix[48]; /* "model.layers.3." */
} walk;

enum { LINEAR = 1, IS_F32 = 2, MAY_LACK = 4 };

static void put(walk *w, const char *name, int n_dims, int64_t a, int64_t b, int64_t d, unsigned flags)
{
    r1i_prescribed t = {.n_dims = n_dims, .dim = {a, b, d}, .role = w->role, .linear = flags & LINEAR,
                        .f32 = flags & IS_F32, .optional = flags & MAY_LACK};
    if (w->status != R1_OK) return;
    snprintf(t.name, sizeof t.name, "%s%s", w->prefix, name);
    w->status = w->fn(w->ctx, &t);
}
static void vector(walk *w, const char *name, int64_t n, unsigned flags) { put(w, name, 1, n, 0, 0, flags); }
static void matrix(walk *w, const char *name, int64_t out, int64_t in, unsigned flags)
{
    put(w, name, 2, out, in, 0, flags);
}

/* ---- Hugging Face names (spec formats.md 3) ---------------------------------------------------------------------- */

static void hf_ffn(walk *w, const char *block, int64_t width)
{
    const int64_t d = w->c->hidden_size;
    char name[64];
    snprintf(name, sizeof name, "%s.gate_proj.weight", block);
    matrix(w, name, width, d, LINEAR);
    snprintf(name, sizeof name, "%s.up_proj.weight", block);
    matrix(w, name, width, d, LINEAR);
    snprintf(name, sizeof name, "%s.down_proj.weight", block);
    matrix(w, name, d, width, LINEAR);
}

static void hf_mla(walk *w)
{
    const r1i_config *const c = w->c;
    const int64_t d = c->hidden_size, heads = c->num_attention_heads, qk = c->qk_nope_head_dim + c->qk_rope_head_dim;
    if (c->q_lora_rank) {
        matrix(w, "self_attn.q_a_proj.weight", c->q_lora_rank, d, LINEAR);
        vector(w, "self_attn.q_a_layernorm.weight", c->q_lora_rank, 0);
        matrix(w, "self_attn.q_b_proj.weight", heads * qk, c->q_lora_rank, LINEAR);
    } else {
        matrix(w, "self_attn.q_proj.weight", heads * qk, d, LINEAR);
    }
    matrix(w, "self_attn.kv_a_proj_with_mqa.weight", c->kv_lora_rank + c->qk_rope_head_dim, d, LINEAR);
    vector(w, "self_attn.kv_a_layernorm.weight", c->kv_lora_rank, 0);
    matrix(w, "self_attn.kv_b_proj.weight", heads * (c->qk_nope_head_dim + c->v_head_dim), c->kv_lora_rank, LINEAR);
    matrix(w, "self_attn.o_proj.weight", d, heads * c->v_head_dim, LINEAR);
}

static void hf_gqa(walk *w)
{
    const r1i_config *const c = w->c;
    const int64_t d = c->hidden_size, q = c->num_attention_heads * c->head_dim,
                  kv = c->num_key_value_heads * c->head_dim;
    matrix(w, "self_attn.q_proj.weight", q, d, LINEAR);
    matrix(w, "self_attn.k_proj.weight", kv, d, LINEAR);
    matrix(w, "self_attn.v_proj.weight", kv, d, LINEAR);
    if (c->attention_bias) {
        vector(w, "self_attn.q_proj.bias", q, 0);
        vector(w, "self_attn.k_proj.bias", kv, 0);
        vector(w, "self_attn.v_proj.bias", kv, 0);
    }
    matrix(w, "self_attn.o_proj.weight", d, q, LINEAR);
}

static void hf_moe(walk *w)
{
    const r1i_config *const c = w->c;
    char block[48];
    matrix(w, "mlp.gate.weight", c->n_routed_experts, c->hidden_size, 0);
    if (c->scoring_sigmoid) vector(w, "mlp.gate.e_score_correction_bias", c->n_routed_experts, IS_F32);
    for (int64_t e = 0; e < c->n_routed_experts && w->status == R1_OK; e++) {
        snprintf(block, sizeof block, "mlp.experts.%lld", (long long)e);
        hf_ffn(w, block, c->moe_intermediate_size);
    }
    if (c->n_shared_experts) hf_ffn(w, "mlp.shared_experts", c->n_shared_experts * c->moe_intermediate_size);
}

static void hf_layer(walk *w, int64_t layer)
{
    const r1i_config *const c = w->c;
    snprintf(w->prefix, sizeof w->prefix, "model.layers.%lld.", (long long)layer);
    vector(w, "input_layernorm.weight", c->hidden_size, 0);
    if (c->arch == R1I_DEEPSEEK_V3) hf_mla(w);
    else hf_gqa(w);
    vector(w, "post_attention_layernorm.weight", c->hidden_size, 0);
    if (r1i_layer_is_moe(c, layer)) hf_moe(w);
    else hf_ffn(w, "mlp", c->intermediate_size);
}

r1_status r1i_prescribe_hf(const r1i_config *c, r1i_prescribe_fn fn, void *ctx)
{
    walk w = {.c = c, .fn = fn, .ctx = ctx};
    const int64_t d = c->hidden_size, layers = c->num_hidden_layers;
    matrix(&w, "model.embed_tokens.weight", c->vocab_size, d, 0);
    for (int64_t i = 0; i < layers && w.status == R1_OK; i++) hf_layer(&w, i);
    w.prefix[0] = '\0';
    vector(&w, "model.norm.weight", d, 0);
    if (!c->tie_word_embeddings) matrix(&w, "lm_head.weight", c->vocab_size, d, 0);
    for (int64_t i = layers; i < layers + c->num_nextn_predict_layers && w.status == R1_OK; i++) {
        w.role = R1I_ROLE_MTP;
        hf_layer(&w, i);
        vector(&w, "enorm.weight", d, 0);
        vector(&w, "hnorm.weight", d, 0);
        matrix(&w, "eh_proj.weight", d, 2 * d, 0);
        vector(&w, "shared_head.norm.weight", d, 0);
        w.role = R1I_ROLE_COPY;
        matrix(&w, "embed_tokens.weight", c->vocab_size, d, MAY_LACK);
        matrix(&w, "shared_head.head.weight", c->vocab_size, d, MAY_LACK);
    }
    return w.status;
}

/* ---- GGUF names (spec formats.md 5.5) ---------------------------------------------------------------------------- */

static void gguf_mla(walk *w, bool kv_b, bool k_b)
{
    const r1i_config *const c = w->c;
    const int64_t d = c->hidden_size, heads = c->num_attention_heads, qk = c->qk_nope_head_dim + c->qk_rope_head_dim;
    if (c->q_lora_rank) {
        matrix(w, "attn_q_a.weight", c->q_lora_rank, d, 0);
        vector(w, "attn_q_a_norm.weight", c->q_lora_rank, 0);
        matrix(w, "attn_q_b.weight", heads * qk, c->q_lora_rank, 0);
    } else {
        matrix(w, "attn_q.weight", heads * qk, d, 0);
    }
    matrix(w, "attn_kv_a_mqa.weight", c->kv_lora_rank + c->qk_rope_head_dim, d, 0);
    vector(w, "attn_kv_a_norm.weight", c->kv_lora_rank, 0);
    if (kv_b || !k_b) matrix(w, "attn_kv_b.weight", heads * (c->qk_nope_head_dim + c->v_head_dim), c->kv_lora_rank, 0);
    if (k_b) {
        put(w, "attn_k_b.weight", 3, heads, c->kv_lora_rank, c->qk_nope_head_dim, 0);
        put(w, "attn_v_b.weight", 3, heads, c->v_head_dim, c->kv_lora_rank, 0);
    }
    matrix(w, "attn_output.weight", d, heads * c->v_head_dim, 0);
}

static void gguf_gqa(walk *w)
{
    const r1i_config *const c = w->c;
    const int64_t d = c->hidden_size, q = c->num_attention_heads * c->head_dim,
                  kv = c->num_key_value_heads * c->head_dim;
    matrix(w, "attn_q.weight", q, d, 0);
    matrix(w, "attn_k.weight", kv, d, 0);
    matrix(w, "attn_v.weight", kv, d, 0);
    if (c->attention_bias) {
        vector(w, "attn_q.bias", q, 0);
        vector(w, "attn_k.bias", kv, 0);
        vector(w, "attn_v.bias", kv, 0);
    }
    matrix(w, "attn_output.weight", d, q, 0);
}

static void gguf_ffn(walk *w, int64_t layer)
{
    const r1i_config *const c = w->c;
    const int64_t d = c->hidden_size, n = c->n_routed_experts, f = c->moe_intermediate_size,
                  shared = c->n_shared_experts * f;
    if (!r1i_layer_is_moe(c, layer)) {
        matrix(w, "ffn_gate.weight", c->intermediate_size, d, 0);
        matrix(w, "ffn_up.weight", c->intermediate_size, d, 0);
        matrix(w, "ffn_down.weight", d, c->intermediate_size, 0);
        return;
    }
    matrix(w, "ffn_gate_inp.weight", n, d, 0);
    if (c->scoring_sigmoid) vector(w, "exp_probs_b.bias", n, 0);
    put(w, "ffn_gate_exps.weight", 3, n, f, d, 0);
    put(w, "ffn_up_exps.weight", 3, n, f, d, 0);
    put(w, "ffn_down_exps.weight", 3, n, d, f, 0);
    if (!shared) return;
    matrix(w, "ffn_gate_shexp.weight", shared, d, 0);
    matrix(w, "ffn_up_shexp.weight", shared, d, 0);
    matrix(w, "ffn_down_shexp.weight", d, shared, 0);
}

r1_status r1i_prescribe_gguf(const r1i_config *c, bool kv_b, bool k_b, r1i_prescribe_fn fn, void *ctx)
{
    walk w = {.c = c, .fn = fn, .ctx = ctx};
    const int64_t d = c->hidden_size, layers = c->num_hidden_layers;
    matrix(&w, "token_embd.weight", c->vocab_size, d, 0);
    vector(&w, "output_norm.weight", d, 0);
    if (!c->tie_word_embeddings) matrix(&w, "output.weight", c->vocab_size, d, 0);
    for (int64_t i = 0; i < layers + c->num_nextn_predict_layers && w.status == R1_OK; i++) {
        w.role = i < layers ? R1I_ROLE_MAIN : R1I_ROLE_MTP;
        snprintf(w.prefix, sizeof w.prefix, "blk.%lld.", (long long)i);
        vector(&w, "attn_norm.weight", d, 0);
        if (c->arch == R1I_DEEPSEEK_V3) gguf_mla(&w, kv_b, k_b);
        else gguf_gqa(&w);
        vector(&w, "ffn_norm.weight", d, 0);
        gguf_ffn(&w, i);
        if (i < layers) continue;
        matrix(&w, "nextn.eh_proj.weight", d, 2 * d, 0);
        vector(&w, "nextn.enorm.weight", d, 0);
        vector(&w, "nextn.hnorm.weight", d, 0);
        vector(&w, "nextn.shared_head_norm.weight", d, MAY_LACK);
        w.role = R1I_ROLE_COPY;
        matrix(&w, "nextn.embed_tokens.weight", c->vocab_size, d, MAY_LACK);
        matrix(&w, "nextn.shared_head_head.weight", c->vocab_size, d, MAY_LACK);
    }
    return w.status;
}
