/* GGUF metadata to r1i_config: spec formats.md 5.3 to 5.5. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_rules.h"

enum { DEEPSEEK = 1 << R1I_DEEPSEEK_V3, QWEN2 = 1 << R1I_QWEN2, LLAMA = 1 << R1I_LLAMA, DENSE = QWEN2 | LLAMA,
       ALL = DEEPSEEK | DENSE };

/* Keys "<architecture>.<key>" that the functions below read. */
static const char *const read_keys[] = {
    "block_count", "context_length", "embedding_length", "feed_forward_length", "vocab_size", "attention.head_count",
    "attention.head_count_kv", "attention.key_length", "attention.value_length", "attention.key_length_mla",
    "attention.value_length_mla", "attention.layer_norm_rms_epsilon", "attention.q_lora_rank", "attention.kv_lora_rank",
    "rope.dimension_count", "rope.freq_base", "rope.scaling.type", "rope.scaling.factor",
    "rope.scaling.original_context_length", "rope.scaling.yarn_log_multiplier", "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow", "rope.scale_linear", "leading_dense_block_count", "expert_feed_forward_length",
    "expert_count", "expert_used_count", "expert_shared_count", "expert_weights_scale", "expert_weights_norm",
    "expert_gating_func", "expert_group_count", "expert_group_used_count", "nextn_predict_layers"};

/* Keys that stand for mathematics this program does not have, with the one number that means "not used" (false counts
 * as 0, true as 1; a string or a list is always refused). All other keys are read past and listed. */
static const struct rule { const char *key; unsigned arch; double plain; const char *why; } rules[] = {
    {"attention.scale", ALL, 0, "another softmax scale is not implemented"},
    {"attention.output_scale", ALL, 0, "a scaled attention output is not implemented"},
    {"attention.temperature_scale", ALL, 0, "attention temperature is not implemented"},
    {"attention.temperature_length", ALL, 0, "attention temperature is not implemented"},
    {"attention.causal", ALL, 1, "only causal attention is implemented"},
    {"attention.clamp_kqv", ALL, 0, "clamped attention is not implemented"},
    {"attention.max_alibi_bias", ALL, 0, "position biases are not implemented"},
    {"attention.sliding_window", ALL, 0, "sliding-window attention is not implemented"},
    {"attention.layer_norm_epsilon", ALL, 0, "norms that subtract the mean are not implemented"},
    {"attention.indexer.top_k", ALL, 0, "sparse attention is not implemented"},
    {"attn_logit_softcapping", ALL, 0, "soft-capped attention is not implemented"},
    {"final_logit_softcapping", ALL, 0, "soft-capped logits are not implemented"},
    {"logit_scale", ALL, 1, "scaled logits are not implemented"},
    {"embedding_scale", ALL, 1, "scaled embeddings are not implemented"},
    {"residual_scale", ALL, 1, "scaled residuals are not implemented"},
    {"use_parallel_residual", ALL, 0, "parallel residual blocks are not implemented"},
    {"rope.scaling.attn_factor", ALL, 1, "an explicit attention factor is not implemented"},
    {"rope.scaling.yarn_attn_factor", ALL, 1, "an explicit attention factor is not implemented"},
    {"rope.scaling.yarn_ext_factor", ALL, 1, "another extrapolation mix is not implemented"},
    {"rope.dimension_sections", ALL, 0, "multi-dimensional rotary positions are not implemented"},
    {"tensor_data_layout", ALL, 0, "only the reference layout is supported"},
    {"expert_count", DENSE, 0, "a mixture of experts is not implemented for this architecture"},
    {"attention.kv_lora_rank", DENSE, 0, "latent attention is not implemented for this architecture"},
    {"interleave_moe_layer_step", ALL, 1, "only 1 is implemented"},
    {"moe_every_n_layers", ALL, 1, "only 1 is implemented"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

typedef struct reader {
    const r1i_store *store;
    const r1i_gguf *g;
    char arch[16]; /* the file's own: "deepseek2" */
    r1_error *err;
} reader;

static const r1i_gguf_value *find(const reader *r, const char *key, char full[128])
{
    snprintf(full, 128, "%s.%s", r->arch, key);
    return r1i_gguf_find(r->g, full);
}

static r1_status bad(const reader *r, const r1i_gguf_value *v, const char *expected)
{
    return r1i_fail_at(r->err, R1_ERR_FORMAT, (int64_t)v->offset, "metadata key %s: %s expected", v->key, expected);
}

static r1_status absent(const reader *r, const char *full)
{
    return r1i_fail(r->err, R1_ERR_FORMAT, "metadata key %s is missing", full);
}

/* needed, or the fallback. */
enum { NEEDED = -2 };
static r1_status get_int(const reader *r, const char *key, int64_t fallback, int64_t *out)
{
    char full[128];
    uint64_t u = 0;
    const r1i_gguf_value *const v = find(r, key, full);
    *out = fallback;
    if (!v) return fallback == NEEDED ? absent(r, full) : R1_OK;
    if (!r1i_gguf_get_u64(r->g, full, &u) || u > INT64_MAX) return bad(r, v, "a non-negative integer");
    *out = (int64_t)u;
    return R1_OK;
}

/* The shortest decimal that names the float: 9.99999997e-07 in a file was 1e-06 in the config it was made from, and
 * both containers of one model then give the same configuration. */
static double undo_float(double v)
{
    char text[32];
    for (int digits = 6; digits < 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if ((double)strtof(text, NULL) == v) return strtod(text, NULL);
    }
    return v;
}

/* fallback NAN: needed. */
static r1_status get_double(const reader *r, const char *key, double fallback, double *out)
{
    char full[128];
    const r1i_gguf_value *const v = find(r, key, full);
    uint64_t u = 0;
    *out = fallback;
    if (!v) return isnan(fallback) ? absent(r, full) : R1_OK;
    if (r1i_gguf_get_u64(r->g, full, &u)) *out = (double)u; /* some writers store 10000 as an integer */
    else if (!r1i_gguf_get_f64(r->g, full, out) || !isfinite(*out)) return bad(r, v, "a finite number");
    if (v->type == R1I_GGUF_F32) *out = undo_float(*out);
    return R1_OK;
}

static r1_status get_bool(const reader *r, const char *key, bool fallback, bool *out)
{
    char full[128];
    const r1i_gguf_value *const v = find(r, key, full);
    *out = fallback;
    return !v || r1i_gguf_get_bool(r->g, full, out) ? R1_OK : bad(r, v, "a bool");
}

static bool text_is(const char *bytes, uint64_t n, const char *literal)
{
    return n == strlen(literal) && memcmp(bytes, literal, n) == 0;
}

static r1_status read_arch(reader *r, r1i_arch *out)
{
    static const struct { const char *name; r1i_arch arch; } known[] = {
        {"deepseek2", R1I_DEEPSEEK_V3}, {"qwen2", R1I_QWEN2}, {"llama", R1I_LLAMA}};
    const char *bytes;
    uint64_t n;
    if (!r1i_gguf_get_string(r->g, "general.architecture", &bytes, &n))
        return r1i_fail(r->err, R1_ERR_FORMAT, "metadata key general.architecture is missing or no string");
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!text_is(bytes, n, known[i].name)) continue;
        snprintf(r->arch, sizeof r->arch, "%s", known[i].name);
        *out = known[i].arch;
        return R1_OK;
    }
    return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "architecture %.*s: deepseek2, qwen2 and llama are supported",
                    n < 64 ? (int)n : 64, bytes);
}

static r1_status check_rules(const reader *r, unsigned arch)
{
    for (size_t i = 0; i < COUNT(rules); i++) {
        char full[128];
        const r1i_gguf_value *const v = (rules[i].arch & arch) ? find(r, rules[i].key, full) : NULL;
        double number = NAN;
        uint64_t u;
        bool b;
        if (!v) continue;
        if (r1i_gguf_get_u64(r->g, full, &u)) number = (double)u;
        else if (r1i_gguf_get_bool(r->g, full, &b)) number = b ? 1 : 0;
        else if (!r1i_gguf_get_f64(r->g, full, &number) && v->type == R1I_GGUF_STRING &&
                 text_is((const char *)v->bytes, v->n, "reference"))
            number = 0; /* tensor_data_layout */
        if (number != rules[i].plain) /* NaN too */
            return r1i_fail_at(r->err, R1_ERR_UNSUPPORTED, (int64_t)v->offset, "metadata key %s: %s", full,
                               rules[i].why);
    }
    return R1_OK;
}

/* ---- rotary ------------------------------------------------------------------------------------------------------ */

static r1_status read_yarn(const reader *r, r1i_config *c)
{
    double log_multiplier = 0;
    r1_status st;
    if ((st = get_double(r, "rope.scaling.factor", (double)NAN, &c->rope_factor)) != R1_OK ||
        (st = get_int(r, "rope.scaling.original_context_length", NEEDED, &c->rope_original_max_position_embeddings)) !=
        R1_OK || (st = get_double(r, "rope.scaling.yarn_beta_fast", 32, &c->rope_beta_fast)) != R1_OK ||
        (st = get_double(r, "rope.scaling.yarn_beta_slow", 1, &c->rope_beta_slow)) != R1_OK)
        return st;
    c->rope_mscale = 1;
    if (c->arch != R1I_DEEPSEEK_V3) return R1_OK;
    /* The key holds 0.1 * mscale_all_dim. No key holds mscale: published models have the two equal, which leaves the
     * cos and sin tables unscaled. */
    if ((st = get_double(r, "rope.scaling.yarn_log_multiplier", (double)NAN, &log_multiplier)) != R1_OK) return st;
    c->rope_mscale = c->rope_mscale_all_dim = undo_float((double)(float)(log_multiplier * 10));
    return R1_OK;
}

static r1_status read_rope_scaling(const reader *r, r1i_config *c)
{
    char full[128];
    const char *bytes;
    uint64_t n;
    double linear = 1;
    const r1i_gguf_value *const v = find(r, "rope.scaling.type", full);
    c->rope_kind = R1I_ROPE_PLAIN;
    c->rope_factor = 1;
    r1_status st = get_double(r, "rope.scale_linear", 1, &linear); /* the older spelling of linear scaling */
    if (st != R1_OK) return st;
    if (!v && linear != 1) {
        c->rope_kind = R1I_ROPE_LINEAR;
        c->rope_factor = linear;
    }
    if (!v) return R1_OK;
    if (!r1i_gguf_get_string(r->g, full, &bytes, &n)) return bad(r, v, "a string");
    if (text_is(bytes, n, "none")) return R1_OK;
    if (text_is(bytes, n, "yarn")) {
        c->rope_kind = R1I_ROPE_YARN;
        return read_yarn(r, c);
    }
    if (!text_is(bytes, n, "linear"))
        return r1i_fail_at(r->err, R1_ERR_UNSUPPORTED, (int64_t)v->offset,
                           "metadata key %s: none, linear and yarn are implemented", full);
    c->rope_kind = R1I_ROPE_LINEAR;
    return get_double(r, "rope.scaling.factor", (double)NAN, &c->rope_factor);
}

/* Llama 3.1's scaling is not in keys but in a tensor of divisors. */
static r1_status read_divisors(const reader *r, r1i_config *c)
{
    const r1i_entry *const e = r1i_store_find(r->store, "rope_freqs.weight");
    if (!e) return R1_OK;
    if (c->arch != R1I_LLAMA || c->rope_kind != R1I_ROPE_PLAIN)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "rope_freqs.weight is implemented for llama without other rotary scaling");
    if (e->type != R1_DTYPE_F32 || e->n_dims != 1 || e->dim[0] != c->head_dim / 2)
        return r1i_fail(r->err, R1_ERR_SHAPE, "rope_freqs.weight: F32 [%lld] expected", (long long)(c->head_dim / 2));
    c->rope_kind = R1I_ROPE_DIVISORS;
    return R1_OK;
}

static r1_status read_rope(const reader *r, r1i_config *c)
{
    int64_t width;
    const int64_t whole = r1i_rope_dim(c);
    r1_status st = get_double(r, "rope.freq_base", 10000, &c->rope_theta);
    if (st == R1_OK) st = get_int(r, "rope.dimension_count", whole, &width);
    if (st != R1_OK) return st;
    if (width != whole)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "%s.rope.dimension_count is %lld of heads of %lld: rotating only a part is not implemented",
                        r->arch, (long long)width, (long long)whole);
    c->rope_interleaved = c->arch != R1I_QWEN2; /* the converter permutes llama's q and k rows */
    st = read_rope_scaling(r, c);
    return st == R1_OK ? read_divisors(r, c) : st;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static r1_status read_gqa(const reader *r, r1i_config *c)
{
    int64_t key, value;
    r1_status st = get_int(r, "attention.head_count_kv", c->num_attention_heads, &c->num_key_value_heads);
    if (st != R1_OK) return st;
    if (c->num_attention_heads == 0) return r1i_fail(r->err, R1_ERR_RANGE, "%s.attention.head_count is 0", r->arch);
    const int64_t width = c->hidden_size / c->num_attention_heads;
    if ((st = get_int(r, "attention.key_length", width, &key)) != R1_OK ||
        (st = get_int(r, "attention.value_length", width, &value)) != R1_OK)
        return st;
    if (key != value)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "%s: keys of %lld and values of %lld: different widths are not implemented", r->arch,
                        (long long)key, (long long)value);
    c->head_dim = key;
    c->attention_bias = c->arch == R1I_QWEN2 || r1i_store_find(r->store, "blk.0.attn_q.bias");
    if (r1i_store_find(r->store, "blk.0.attn_output.bias"))
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "blk.0.attn_output.bias: a bias on the attention's output is not implemented");
    return R1_OK;
}

static r1_status read_mla(const reader *r, r1i_config *c)
{
    int64_t key, value, mla_key, mla_value;
    r1_status st;
    if ((st = get_int(r, "attention.q_lora_rank", 0, &c->q_lora_rank)) != R1_OK ||
        (st = get_int(r, "attention.kv_lora_rank", NEEDED, &c->kv_lora_rank)) != R1_OK ||
        (st = get_int(r, "attention.key_length", NEEDED, &key)) != R1_OK ||
        (st = get_int(r, "attention.value_length", NEEDED, &value)) != R1_OK ||
        (st = get_int(r, "attention.key_length_mla", key, &mla_key)) != R1_OK ||
        (st = get_int(r, "attention.value_length_mla", value, &mla_value)) != R1_OK ||
        (st = get_int(r, "rope.dimension_count", NEEDED, &c->qk_rope_head_dim)) != R1_OK)
        return st;
    if (mla_key <= c->qk_rope_head_dim)
        return r1i_fail(r->err, R1_ERR_RANGE, "%s: keys of %lld with a rotary part of %lld", r->arch,
                        (long long)mla_key, (long long)c->qk_rope_head_dim);
    c->qk_nope_head_dim = mla_key - c->qk_rope_head_dim;
    c->v_head_dim = mla_value;
    c->num_key_value_heads = c->num_attention_heads; /* nominal; newer files say 1, the view of the absorbed form */
    return R1_OK;
}

static r1_status read_moe(const reader *r, r1i_config *c)
{
    int64_t gating;
    r1_status st;
    c->moe_layer_freq = c->n_group = c->topk_group = 1;
    c->routed_scaling_factor = 1;
    if ((st = get_int(r, "expert_count", 0, &c->n_routed_experts)) != R1_OK || c->n_routed_experts == 0) return st;
    if ((st = get_int(r, "expert_used_count", NEEDED, &c->num_experts_per_tok)) != R1_OK ||
        (st = get_int(r, "expert_shared_count", 0, &c->n_shared_experts)) != R1_OK ||
        (st = get_int(r, "expert_feed_forward_length", NEEDED, &c->moe_intermediate_size)) != R1_OK ||
        (st = get_int(r, "leading_dense_block_count", 0, &c->first_k_dense_replace)) != R1_OK ||
        (st = get_double(r, "expert_weights_scale", 1, &c->routed_scaling_factor)) != R1_OK ||
        (st = get_bool(r, "expert_weights_norm", false, &c->norm_topk_prob)) != R1_OK ||
        (st = get_int(r, "expert_gating_func", 1, &gating)) != R1_OK)
        return st;
    if (gating != 1 && gating != 2)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "%s.expert_gating_func is %lld: 1 (softmax) and 2 (sigmoid) are implemented", r->arch,
                        (long long)gating);
    c->scoring_sigmoid = gating == 2;
    /* Files older than the group keys are of R1 itself, whose groups are known, or have no groups. */
    const bool is_r1 = c->scoring_sigmoid && c->n_routed_experts == 256;
    if ((st = get_int(r, "expert_group_count", is_r1 ? 8 : 1, &c->n_group)) != R1_OK) return st;
    return get_int(r, "expert_group_used_count", is_r1 ? 4 : 1, &c->topk_group);
}

/* block_count covers the MTP layers when the file stores them. */
static r1_status read_mtp(const reader *r, r1i_config *c)
{
    char name[64];
    r1_status st = get_int(r, "nextn_predict_layers", 0, &c->num_nextn_predict_layers);
    if (st != R1_OK || c->num_nextn_predict_layers == 0) return st;
    if (c->num_nextn_predict_layers >= c->num_hidden_layers)
        return r1i_fail(r->err, R1_ERR_RANGE, "%s.nextn_predict_layers is %lld of %lld blocks", r->arch,
                        (long long)c->num_nextn_predict_layers, (long long)c->num_hidden_layers);
    c->num_hidden_layers -= c->num_nextn_predict_layers;
    snprintf(name, sizeof name, "blk.%lld.nextn.eh_proj.weight", (long long)c->num_hidden_layers);
    if (!r1i_store_find(r->store, name)) c->num_nextn_predict_layers = 0;
    return R1_OK;
}

static r1_status read_vocab(const reader *r, r1i_config *c)
{
    const r1i_entry *const table = r1i_store_find(r->store, "token_embd.weight");
    if (!table || table->n_dims != 2)
        return r1i_fail(r->err, R1_ERR_SHAPE, "tensor token_embd.weight is missing or no matrix");
    c->tie_word_embeddings = !r1i_store_find(r->store, "output.weight");
    return get_int(r, "vocab_size", table->dim[0], &c->vocab_size); /* qwen2 files leave the key out */
}

static r1_status read_token_id(const reader *r, const char *key, int64_t *out)
{
    uint64_t u = 0;
    const r1i_gguf_value *const v = r1i_gguf_find(r->g, key);
    *out = -1;
    if (!v) return R1_OK;
    if (!r1i_gguf_get_u64(r->g, key, &u) || u > INT64_MAX) return bad(r, v, "a token id");
    *out = (int64_t)u;
    return R1_OK;
}

static bool starts(const char *s, const char *prefix) { return strncmp(s, prefix, strlen(prefix)) == 0; }

/* The tokenizer room's keys and the container's own are not the model's to list. */
static bool is_read(const reader *r, const char *key, unsigned arch)
{
    if (starts(key, "tokenizer.") || starts(key, "split.") || strcmp(key, "general.architecture") == 0 ||
        strcmp(key, "general.name") == 0 || strcmp(key, "general.alignment") == 0)
        return true;
    const size_t n = strlen(r->arch);
    if (!starts(key, r->arch) || key[n] != '.') return false;
    for (size_t i = 0; i < COUNT(read_keys); i++)
        if (strcmp(key + n + 1, read_keys[i]) == 0) return true;
    for (size_t i = 0; i < COUNT(rules); i++)
        if ((rules[i].arch & arch) && strcmp(key + n + 1, rules[i].key) == 0) return true;
    return false;
}

static r1_status read_all(reader *r, r1i_config *c)
{
    r1_status st;
    if ((st = read_arch(r, &c->arch)) != R1_OK || (st = check_rules(r, 1u << c->arch)) != R1_OK) return st;
    if ((st = get_int(r, "block_count", NEEDED, &c->num_hidden_layers)) != R1_OK ||
        (st = get_int(r, "context_length", NEEDED, &c->max_position_embeddings)) != R1_OK ||
        (st = get_int(r, "embedding_length", NEEDED, &c->hidden_size)) != R1_OK ||
        (st = get_int(r, "feed_forward_length", NEEDED, &c->intermediate_size)) != R1_OK ||
        (st = get_int(r, "attention.head_count", NEEDED, &c->num_attention_heads)) != R1_OK ||
        (st = get_double(r, "attention.layer_norm_rms_epsilon", (double)NAN, &c->rms_norm_eps)) != R1_OK ||
        (st = read_vocab(r, c)) != R1_OK)
        return st;
    if (c->arch == R1I_DEEPSEEK_V3) {
        if ((st = read_mla(r, c)) != R1_OK || (st = read_moe(r, c)) != R1_OK || (st = read_mtp(r, c)) != R1_OK)
            return st;
    } else {
        c->n_group = c->topk_group = c->moe_layer_freq = 1;
        c->routed_scaling_factor = 1;
        if ((st = read_gqa(r, c)) != R1_OK) return st;
    }
    if ((st = read_rope(r, c)) != R1_OK ||
        (st = read_token_id(r, "tokenizer.ggml.bos_token_id", &c->bos_token_id)) != R1_OK ||
        (st = read_token_id(r, "tokenizer.ggml.eos_token_id", &c->eos_token_id)) != R1_OK)
        return st;
    return r1i_config_check(c, r->err);
}

r1_status r1i_config_from_gguf(const r1i_store *store, r1i_config *out, r1i_name_list *ignored, r1_error *err)
{
    reader r = {.store = store, .g = r1i_store_gguf(store), .err = err};
    r1i_config c = {0};
    *out = c;
    if (ignored) *ignored = (r1i_name_list){0};
    if (!r.g) return r1i_fail(err, R1_ERR_BUG, "GGUF keys asked of a safetensors checkpoint");
    r1_status st = read_all(&r, &c);
    for (int64_t i = 0; ignored && st == R1_OK && i < r1i_gguf_value_count(r.g); i++) {
        const char *const key = r1i_gguf_value_at(r.g, i)->key;
        if (!is_read(&r, key, 1u << c.arch)) st = r1i_name_list_add(ignored, key, err);
    }
    if (st != R1_OK && ignored) r1i_name_list_free(ignored);
    if (st == R1_OK) *out = c;
    return st;
}
