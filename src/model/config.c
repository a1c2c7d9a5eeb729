#include "model/config.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_rules.h"

/* ---- which keys are read, refused, or read past ---------------------------------------------------------------------
 *
 * 1. Keys of the tables ints[], doubles[], bools[] and those of specials[] are read into r1i_config.
 * 2. Keys of rules[] name mathematics that this program does not have. Null, absent, or one of the values in the table
 * is
 *    the plain case that it does have; anything else is refused with R1_ERR_UNSUPPORTED and the reason.
 * 3. Every other key is read past and listed for `inspect`: dropout and initialisation (training only), use_cache,
 *    transformers_version, torch_dtype and dtype (each tensor has its own type), pretraining_tp and ep_size (the same
 *    sums, cut differently), aux_loss_alpha and seq_aux (a loss, not a forward), sliding_window and max_window_layers
 *    of Qwen2 (dead while use_sliding_window is false), scale_fmt and modules_to_not_convert of quantization_config
 *    (activations are not rounded to fp8 here, and each tensor's type says whether it was converted).
 */

enum { DEEPSEEK = 1 << R1I_DEEPSEEK_V3, QWEN2 = 1 << R1I_QWEN2, LLAMA = 1 << R1I_LLAMA, DENSE = QWEN2 | LLAMA,
       ALL = DEEPSEEK | DENSE };

static const struct rule { const char *key; unsigned arch; const char *plain, *why; } rules[] = {
    {"hidden_act", ALL, "[\"silu\"]", "only silu feed-forward gates are implemented"},
    {"attention_bias", DEEPSEEK | LLAMA, "[false]", "biases on the attention's projections are not implemented for this architecture"},
    {"mlp_bias", ALL, "[false]", "feed-forward biases are not implemented"},
    {"use_sliding_window", ALL, "[false]", "sliding-window attention is not implemented"},
    {"sliding_window", DEEPSEEK | LLAMA, "[]", "sliding-window attention is not implemented"},
    {"attention_chunk_size", ALL, "[]", "chunked attention is not implemented"},
    {"use_mrope", ALL, "[false]", "multi-dimensional rotary positions are not implemented"},
    {"partial_rotary_factor", ALL, "[1]", "rotating only a part of a head is not implemented"},
    {"rotary_pct", ALL, "[1]", "rotating only a part of a head is not implemented"},
    {"rope_interleave", DEEPSEEK, "[true]", "half-split rotary order is not implemented for this architecture"},
    {"final_logit_softcapping", ALL, "[]", "soft-capped logits are not implemented"},
    {"attn_logit_softcapping", ALL, "[]", "soft-capped attention is not implemented"},
    {"query_pre_attn_scalar", ALL, "[]", "another softmax scale is not implemented"},
    {"attention_multiplier", ALL, "[]", "another softmax scale is not implemented"},
    {"embedding_multiplier", ALL, "[1]", "scaled embeddings are not implemented"},
    {"scale_emb", ALL, "[1]", "scaled embeddings are not implemented"},
    {"residual_multiplier", ALL, "[1]", "scaled residuals are not implemented"},
    {"scale_depth", ALL, "[]", "scaled residuals are not implemented"},
    {"logit_scale", ALL, "[1]", "scaled logits are not implemented"},
    {"logits_scaling", ALL, "[1]", "scaled logits are not implemented"},
    {"use_qk_norm", ALL, "[false]", "norms on queries and keys are not implemented"},
    {"qk_norm", ALL, "[false]", "norms on queries and keys are not implemented"},
    {"qk_layernorm", ALL, "[false]", "norms on queries and keys are not implemented"},
    {"use_parallel_residual", ALL, "[false]", "parallel residual blocks are not implemented"},
    {"parallel_attn", ALL, "[false]", "parallel residual blocks are not implemented"},
    {"alibi", ALL, "[false]", "position biases are not implemented"},
    {"no_rope_layers", ALL, "[[]]", "layers without rotary positions are not implemented"},
    {"index_topk", ALL, "[]", "sparse attention is not implemented"},
    {"index_n_heads", ALL, "[]", "sparse attention is not implemented"},
    {"num_experts", ALL, "[0]", "this kind of mixture of experts is not implemented"},
    {"num_local_experts", DENSE, "[0]", "this kind of mixture of experts is not implemented"},
    {"n_routed_experts", DENSE, "[0]", "a mixture of experts is not implemented for this architecture"},
    {"kv_lora_rank", DENSE, "[0]", "latent attention is not implemented for this architecture"},
    {"topk_method", DEEPSEEK, "[\"noaux_tc\"]", "only noaux_tc routing is implemented"},
    {"moe_layer_freq", DEEPSEEK, "[1]", "only 1 is implemented"},
    {"use_routing_bias", DEEPSEEK, "[true]", "routing without the selection bias is not implemented"},
    {"is_encoder_decoder", ALL, "[false]", "only decoders are implemented"},
    {"add_cross_attention", ALL, "[false]", "cross attention is not implemented"},
    {"vision_config", ALL, "[]", "models with images are not implemented"},
    {"text_config", ALL, "[]", "models with images are not implemented"},
};

/* Read elsewhere than by the tables below. */
static const char *const specials[] = {"model_type", "architectures", "rope_theta", "rope_scaling", "rope_parameters",
                                       "scoring_func",
                                       "quantization_config", "bos_token_id", "eos_token_id", "layer_types"};

typedef enum need {
    REQUIRED,  /* absent or null: refused */
    NULLABLE,  /* absent: refused; null: the fallback */
    IF_MOE,    /* required where there are routed experts, else the fallback */
    OPTIONAL   /* absent or null: the fallback */
} need;

#define AT(field) offsetof(r1i_config, field)
static const struct int_field { const char *key; size_t at; unsigned arch; need need; int64_t fallback; } ints[] = {
    {"vocab_size", AT(vocab_size), ALL, REQUIRED, 0},
    {"hidden_size", AT(hidden_size), ALL, REQUIRED, 0},
    {"intermediate_size", AT(intermediate_size), ALL, REQUIRED, 0},
    {"num_hidden_layers", AT(num_hidden_layers), ALL, REQUIRED, 0},
    {"max_position_embeddings", AT(max_position_embeddings), ALL, REQUIRED, 0},
    {"num_attention_heads", AT(num_attention_heads), ALL, REQUIRED, 0},
    {"num_key_value_heads", AT(num_key_value_heads), ALL, OPTIONAL, -1},
    {"head_dim", AT(head_dim), ALL, OPTIONAL, -1},
    {"q_lora_rank", AT(q_lora_rank), DEEPSEEK, NULLABLE, 0},
    {"kv_lora_rank", AT(kv_lora_rank), DEEPSEEK, REQUIRED, 0},
    {"qk_nope_head_dim", AT(qk_nope_head_dim), DEEPSEEK, REQUIRED, 0},
    {"qk_rope_head_dim", AT(qk_rope_head_dim), DEEPSEEK, REQUIRED, 0},
    {"v_head_dim", AT(v_head_dim), DEEPSEEK, REQUIRED, 0},
    {"n_routed_experts", AT(n_routed_experts), DEEPSEEK, NULLABLE, 0}, /* first of the IF_MOE group: they look at it */
    {"n_shared_experts", AT(n_shared_experts), DEEPSEEK, OPTIONAL, 0},
    {"num_experts_per_tok", AT(num_experts_per_tok), DEEPSEEK, IF_MOE, 0},
    {"moe_intermediate_size", AT(moe_intermediate_size), DEEPSEEK, IF_MOE, 0},
    {"first_k_dense_replace", AT(first_k_dense_replace), DEEPSEEK, IF_MOE, 0},
    {"n_group", AT(n_group), DEEPSEEK, IF_MOE, 1},
    {"topk_group", AT(topk_group), DEEPSEEK, IF_MOE, 1},
    {"num_nextn_predict_layers", AT(num_nextn_predict_layers), DEEPSEEK, OPTIONAL, 0},
};
static const struct double_field { const char *key; size_t at; unsigned arch; need need; double fallback;
                                   } doubles[] = {
    {"rms_norm_eps", AT(rms_norm_eps), ALL, REQUIRED, 0},
    {"routed_scaling_factor", AT(routed_scaling_factor), DEEPSEEK, IF_MOE, 1},
};
static const struct bool_field { const char *key; size_t at; unsigned arch; bool fallback; } bools[] = {
    {"tie_word_embeddings", AT(tie_word_embeddings), ALL, false},
    {"norm_topk_prob", AT(norm_topk_prob), DEEPSEEK, true}, /* Hugging Face's default of the class */
};
#undef AT

#define COUNT(table) (sizeof(table) / sizeof *(table))

/* ---- typed members ----------------------------------------------------------------------------------------------- */

/* NULL for absent and for null. */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *const v = json_object_get(object, key);
    return v && !json_is_null(v) ? v : NULL;
}

static r1_status bad_member(const char *key, const char *expected, r1_error *err)
{
    return r1i_fail(err, R1_ERR_FORMAT, "key %s: %s expected", key, expected);
}

static r1_status get_int(const json_t *object, const char *key, int64_t fallback, int64_t *out, r1_error *err)
{
    const json_t *const v = member(object, key);
    *out = fallback;
    if (!v) return R1_OK;
    if (!json_is_integer(v)) return bad_member(key, "an integer", err);
    *out = json_integer_value(v);
    /* the fallbacks are not to be confused with what a file says */
    return *out < 0 ? bad_member(key, "no negative number", err) : R1_OK;
}

static r1_status get_double(const json_t *object, const char *key, double fallback, double *out, r1_error *err)
{
    const json_t *const v = member(object, key);
    *out = fallback;
    if (!v) return R1_OK;
    if (!json_is_number(v)) return bad_member(key, "a number", err);
    *out = json_number_value(v);
    return R1_OK;
}

static r1_status get_bool(const json_t *object, const char *key, bool fallback, bool *out, r1_error *err)
{
    const json_t *const v = member(object, key);
    *out = fallback;
    if (!v) return R1_OK;
    if (!json_is_boolean(v)) return bad_member(key, "true or false", err);
    *out = json_is_true(v);
    return R1_OK;
}

static r1_status check_need(const json_t *root, const char *key, need n, const r1i_config *c, r1_error *err)
{
    const bool absent = n == NULLABLE ? json_object_get(root, key) == NULL : member(root, key) == NULL;
    if (!absent || n == OPTIONAL || (n == IF_MOE && c->n_routed_experts == 0)) return R1_OK;
    return r1i_fail(err, R1_ERR_FORMAT, "key %s is missing", key);
}

/* ---- architecture ------------------------------------------------------------------------------------------------ */

static const struct { const char *model_type, *class_name; } known[] = {
    [R1I_DEEPSEEK_V3] = {"deepseek_v3", "DeepseekV3ForCausalLM"},
    [R1I_QWEN2] = {"qwen2", "Qwen2ForCausalLM"},
    [R1I_LLAMA] = {"llama", "LlamaForCausalLM"},
};

const char *r1i_arch_name(r1i_arch arch) { return known[arch].model_type; }

static r1_status read_arch(const json_t *root, r1i_arch *out, r1_error *err)
{
    const json_t *const type = member(root, "model_type"), *const list = member(root, "architectures");
    const json_t *const class_name = list ? json_array_get(list, 0) : NULL;
    if (type && !json_is_string(type)) return bad_member("model_type", "a string", err);
    if (list && !json_is_string(class_name)) return bad_member("architectures", "a list of names", err);
    if (!type && !list)
        return r1i_fail(err, R1_ERR_FORMAT, "neither model_type nor architectures: not a model's config.json");
    for (size_t i = 0; i < COUNT(known); i++) {
        if (type && strcmp(json_string_value(type), known[i].model_type) != 0) continue;
        if (class_name && strcmp(json_string_value(class_name), known[i].class_name) != 0) continue;
        *out = (r1i_arch)i;
        return R1_OK;
    }
    return r1i_fail(err, R1_ERR_UNSUPPORTED,
                    "architecture %.100s (%.100s): deepseek_v3, qwen2 and llama causal models are supported",
                    type ? json_string_value(type) : "?", class_name ? json_string_value(class_name) : "?");
}

/* ---- refused keys ------------------------------------------------------------------------------------------------ */

/* JSON equality in which 1 is 1.0. */
static bool same_value(const json_t *a, const json_t *b)
{
    return json_is_number(a) && json_is_number(b) ? json_number_value(a) == json_number_value(b)
        : json_equal(a, b) == 1;
}

static r1_status refuse(const char *key, const json_t *value, const char *why, r1_error *err)
{
    char *const text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    const r1_status st = r1i_fail(err, R1_ERR_UNSUPPORTED, "key %s is %.60s: %s", key, text ? text : "?", why);
    free(text);
    return st;
}

static r1_status check_rule(const json_t *root, const struct rule *rule, r1_error *err)
{
    const json_t *const v = member(root, rule->key);
    if (!v) return R1_OK;
    json_t *const plain = json_loads(rule->plain, 0, NULL);
    if (!plain) return r1i_fail(err, R1_ERR_NOMEM, "rule of key %s", rule->key);
    bool ok = false;
    for (size_t i = 0; i < json_array_size(plain); i++) ok = ok || same_value(v, json_array_get(plain, i));
    json_decref(plain);
    return ok ? R1_OK : refuse(rule->key, v, rule->why, err);
}

static r1_status check_layer_types(const json_t *root, r1_error *err)
{
    const json_t *const list = member(root, "layer_types");
    if (list && !json_is_array(list)) return bad_member("layer_types", "a list", err);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *const name = json_string_value(json_array_get(list, i));
        if (!name || strcmp(name, "full_attention") != 0)
            return refuse("layer_types", json_array_get(list, i), "only full_attention layers are implemented", err);
    }
    return R1_OK;
}

/* ---- rotary ------------------------------------------------------------------------------------------------------ */

static r1_status read_rope_kind(const json_t *rope, r1i_rope_kind *out, r1_error *err)
{
    static const struct { const char *name; r1i_rope_kind kind; } kinds[] = {
        {"default", R1I_ROPE_PLAIN}, {"linear", R1I_ROPE_LINEAR}, {"yarn", R1I_ROPE_YARN}, {"llama3", R1I_ROPE_LLAMA3}};
    const json_t *const a = member(rope, "rope_type"), *const b = member(rope, "type"), *const name = a ? a : b;
    if (!name) return r1i_fail(err, R1_ERR_FORMAT, "rotary scaling without rope_type or type");
    if (a && b && !json_equal(a, b))
        return r1i_fail(err, R1_ERR_FORMAT, "rotary scaling whose type and rope_type differ");
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (!json_is_string(name) || strcmp(json_string_value(name), kinds[i].name) != 0) continue;
        *out = kinds[i].kind;
        return R1_OK;
    }
    return refuse(a ? "rope_type" : "type", name, "default, linear, yarn and llama3 rotary scaling are implemented",
                  err);
}

/* Every member of the rotary object changes the mathematics, so an unknown one is refused. */
static r1_status check_rope_members(const json_t *rope, r1_error *err)
{
    static const char *const read[] = {"type", "rope_type", "rope_theta", "factor", "original_max_position_embeddings",
                                       "beta_fast",
                                       "beta_slow", "mscale", "mscale_all_dim", "low_freq_factor", "high_freq_factor"};
    static const struct rule plain[] = {
        {"attention_factor", ALL, "[]", "an explicit attention factor is not implemented"},
        {"truncate", ALL, "[true]", "yarn without rounded correction dimensions is not implemented"},
        {"partial_rotary_factor", ALL, "[1]", "rotating only a part of a head is not implemented"},
        {"finetuned", ALL, "[true,false]", "true or false expected"},
    };
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)rope, key, value)
    {
        bool known_key = false;
        for (size_t i = 0; i < COUNT(read); i++) known_key = known_key || strcmp(key, read[i]) == 0;
        for (size_t i = 0; i < COUNT(plain); i++) {
            if (strcmp(key, plain[i].key) != 0) continue;
            const r1_status st = check_rule(rope, &plain[i], err);
            if (st != R1_OK) return st;
            known_key = true;
        }
        if (!known_key) return refuse(key, value, "this member of the rotary scaling is not implemented", err);
    }
    return R1_OK;
}

static r1_status need_rope_member(const json_t *rope, const char *key, r1_error *err)
{
    return member(rope, key) ? R1_OK : r1i_fail(err, R1_ERR_FORMAT, "rotary scaling: key %s is missing", key);
}

static r1_status read_rope_scaling(const json_t *rope, r1i_config *c, r1_error *err)
{
    static const char *const yarn[] = {"factor", "original_max_position_embeddings", NULL};
    static const char *const llama3[] = {"factor", "original_max_position_embeddings", "low_freq_factor",
                                         "high_freq_factor", NULL};
    static const char *const linear[] = {"factor", NULL}, *const none[] = {NULL};
    r1_status st = read_rope_kind(rope, &c->rope_kind, err);
    if (st != R1_OK || (st = check_rope_members(rope, err)) != R1_OK) return st;
    const char *const *want = c->rope_kind == R1I_ROPE_YARN ? yarn : c->rope_kind == R1I_ROPE_LLAMA3 ? llama3
                            : c->rope_kind == R1I_ROPE_LINEAR ? linear : none;
    for (; *want; want++)
        if ((st = need_rope_member(rope, *want, err)) != R1_OK) return st;
    /* fallbacks: those of DeepSeek's and Hugging Face's code */
    const bool is_yarn = c->rope_kind == R1I_ROPE_YARN;
    const struct { const char *key; double *to, fallback; } number[] = {
        {"factor", &c->rope_factor, 1}, {"beta_fast", &c->rope_beta_fast, is_yarn ? 32 : 0}, {"beta_slow", &c->rope_beta_slow, is_yarn ? 1 : 0},
        {"mscale", &c->rope_mscale, is_yarn ? 1 : 0}, {"mscale_all_dim", &c->rope_mscale_all_dim, 0},
        {"low_freq_factor", &c->rope_low_freq_factor, 0}, {"high_freq_factor", &c->rope_high_freq_factor, 0}};
    for (size_t i = 0; i < COUNT(number); i++)
        if ((st = get_double(rope, number[i].key, number[i].fallback, number[i].to, err)) != R1_OK) return st;
    return get_int(rope, "original_max_position_embeddings", 0, &c->rope_original_max_position_embeddings, err);
}

/* Old spelling: rope_theta and rope_scaling at the top; new: rope_parameters holds both. */
static r1_status read_rope(const json_t *root, r1i_config *c, r1_error *err)
{
    const json_t *const parameters = member(root, "rope_parameters"), *const scaling = member(root, "rope_scaling");
    const json_t *const rope = parameters ? parameters : scaling;
    double theta = 0;
    c->rope_kind = R1I_ROPE_PLAIN;
    c->rope_factor = 1;
    c->rope_interleaved = c->arch == R1I_DEEPSEEK_V3;
    r1_status st = get_double(root, "rope_theta", 0, &c->rope_theta, err);
    if (st != R1_OK) return st;
    if (rope && !json_is_object(rope))
        return bad_member(parameters ? "rope_parameters" : "rope_scaling", "an object", err);
    if (parameters && scaling && !json_equal(parameters, scaling))
        return r1i_fail(err, R1_ERR_FORMAT, "both rope_parameters and rope_scaling, and they differ");
    if (rope && (st = get_double(rope, "rope_theta", 0, &theta, err)) != R1_OK) return st;
    if (rope && member(rope, "rope_theta") && member(root, "rope_theta") && theta != c->rope_theta)
        return r1i_fail(err, R1_ERR_FORMAT, "two values of rope_theta that differ");
    if (theta != 0) c->rope_theta = theta;
    /* configs older than the key mean 10000, the constant of the original paper */
    if (!member(root, "rope_theta") && !(rope && member(rope, "rope_theta"))) c->rope_theta = 10000;
    return rope ? read_rope_scaling(rope, c, err) : R1_OK;
}

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static r1_status read_quantization(const json_t *root, r1i_config *c, r1_error *err)
{
    static const struct rule plain[] = {
        {"quant_method", ALL, "[\"fp8\"]", "only fp8 is supported in Hugging Face folders"},
        {"fmt", ALL, "[\"e4m3\"]", "only e4m3 is supported"},
        {"weight_block_size", ALL, "[[128,128]]", "only blocks of 128 x 128 are supported"},
        {"activation_scheme", ALL, "[\"dynamic\"]", "static activation scales are not supported"},
    };
    const json_t *const q = member(root, "quantization_config");
    if (!q) return R1_OK;
    if (!json_is_object(q)) return bad_member("quantization_config", "an object", err);
    if (!member(q, "quant_method"))
        return r1i_fail(err, R1_ERR_FORMAT, "quantization_config: key quant_method is missing");
    for (size_t i = 0; i < COUNT(plain); i++) {
        const r1_status st = check_rule(q, &plain[i], err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "quantization_config: ");
            return st;
        }
    }
    if (!member(q, "weight_block_size"))
        return r1i_fail(err, R1_ERR_UNSUPPORTED,
                        "quantization_config without weight_block_size: only blocks of 128 x 128 are supported");
    c->quantized_fp8 = true;
    return R1_OK;
}

/* An id, or a list of ids of which the first counts here (generation stops come from generation_config.json). */
static r1_status read_token_id(const json_t *root, const char *key, int64_t *out, r1_error *err)
{
    const json_t *v = member(root, key);
    *out = -1;
    if (v && json_is_array(v)) v = json_array_get(v, 0);
    if (!v) return R1_OK;
    if (!json_is_integer(v) || json_integer_value(v) < -1) return bad_member(key, "a token id", err);
    *out = json_integer_value(v);
    return R1_OK;
}

static r1_status read_scoring(const json_t *root, r1i_config *c, r1_error *err)
{
    const json_t *const v = c->arch == R1I_DEEPSEEK_V3 ? member(root, "scoring_func") : NULL;
    const char *const name = json_string_value(v);
    c->scoring_sigmoid = c->arch == R1I_DEEPSEEK_V3; /* the architecture's own; recent configs leave the key out */
    if (!v) return R1_OK;
    if (!name || (strcmp(name, "sigmoid") != 0 && strcmp(name, "softmax") != 0))
        return refuse("scoring_func", v, "sigmoid and softmax are implemented", err);
    c->scoring_sigmoid = name[1] == 'i';
    return R1_OK;
}

static r1_status read_tables(const json_t *root, r1i_config *c, r1_error *err)
{
    const unsigned arch = 1u << c->arch;
    r1_status st = R1_OK;
    for (size_t i = 0; i < COUNT(ints) && st == R1_OK; i++) {
        int64_t *const to = (int64_t *)(void *)((char *)c + ints[i].at);
        *to = ints[i].fallback;
        if (!(ints[i].arch & arch)) continue;
        if ((st = check_need(root, ints[i].key, ints[i].need, c, err)) == R1_OK)
            st = get_int(root, ints[i].key, ints[i].fallback, to, err);
    }
    for (size_t i = 0; i < COUNT(doubles) && st == R1_OK; i++) {
        double *const to = (double *)(void *)((char *)c + doubles[i].at);
        *to = doubles[i].fallback;
        if (!(doubles[i].arch & arch)) continue;
        if ((st = check_need(root, doubles[i].key, doubles[i].need, c, err)) == R1_OK)
            st = get_double(root, doubles[i].key, doubles[i].fallback, to, err);
    }
    for (size_t i = 0; i < COUNT(bools) && st == R1_OK; i++) {
        bool *const to = (bool *)((char *)c + bools[i].at);
        *to = false;
        if (bools[i].arch & arch) st = get_bool(root, bools[i].key, bools[i].fallback, to, err);
    }
    return st;
}

/* What depends on other keys, and what the architecture fixes. */
static r1_status derive(r1i_config *c, r1_error *err)
{
    if (c->num_key_value_heads < 0) c->num_key_value_heads = c->num_attention_heads;
    c->moe_layer_freq = 1;
    c->attention_bias = c->arch == R1I_QWEN2;
    if (c->arch == R1I_DEEPSEEK_V3) { /* recent configs repeat the rotary width there */
        if (c->head_dim >= 0 && c->head_dim != c->qk_rope_head_dim &&
            c->head_dim != c->qk_nope_head_dim + c->qk_rope_head_dim)
            return r1i_fail(err, R1_ERR_FORMAT,
                            "key head_dim is %lld, which is neither the rotary nor the whole width of a head",
                            (long long)c->head_dim);
        c->head_dim = 0;
    } else if (c->head_dim < 0) {
        if (c->num_attention_heads <= 0 || c->hidden_size % c->num_attention_heads != 0)
            return r1i_fail(err, R1_ERR_FORMAT,
                            "hidden_size %lld is no multiple of num_attention_heads %lld, and head_dim is missing",
                            (long long)c->hidden_size, (long long)c->num_attention_heads);
        c->head_dim = c->hidden_size / c->num_attention_heads;
    }
    return R1_OK;
}

/* ---- keys read past ---------------------------------------------------------------------------------------------- */

r1_status r1i_name_list_add(r1i_name_list *list, const char *name, r1_error *err)
{
    if (!list) return R1_OK;
    char **const grown = realloc(list->item, (size_t)(list->n + 1) * sizeof *grown);
    if (grown) list->item = grown;
    char *const copy = grown ? strdup(name) : NULL;
    if (!copy) return r1i_fail(err, R1_ERR_NOMEM, "list of keys");
    list->item[list->n++] = copy;
    return R1_OK;
}

void r1i_name_list_free(r1i_name_list *list)
{
    for (int i = 0; i < list->n; i++) free(list->item[i]);
    free(list->item);
    *list = (r1i_name_list){0};
}

static bool is_read(const char *key, unsigned arch)
{
    for (size_t i = 0; i < COUNT(specials); i++)
        if (strcmp(key, specials[i]) == 0) return true;
    for (size_t i = 0; i < COUNT(ints); i++)
        if ((ints[i].arch & arch) && strcmp(key, ints[i].key) == 0) return true;
    for (size_t i = 0; i < COUNT(doubles); i++)
        if ((doubles[i].arch & arch) && strcmp(key, doubles[i].key) == 0) return true;
    for (size_t i = 0; i < COUNT(bools); i++)
        if ((bools[i].arch & arch) && strcmp(key, bools[i].key) == 0) return true;
    for (size_t i = 0; i < COUNT(rules); i++)
        if ((rules[i].arch & arch) && strcmp(key, rules[i].key) == 0) return true;
    return false;
}

static r1_status list_ignored(const json_t *root, unsigned arch, r1i_name_list *ignored, r1_error *err)
{
    const char *key;
    json_t *value;
    r1_status st = R1_OK;
    json_object_foreach((json_t *)(uintptr_t)root, key, value)
    {
        if (st == R1_OK && !is_read(key, arch)) st = r1i_name_list_add(ignored, key, err);
    }
    return st;
}

r1_status r1i_config_from_json(const json_t *root, r1i_config *out, r1i_name_list *ignored, r1_error *err)
{
    r1i_config c = {0};
    *out = c;
    if (ignored) *ignored = (r1i_name_list){0};
    if (!json_is_object(root)) return r1i_fail_at(err, R1_ERR_FORMAT, 0, "not a JSON object");
    r1_status st = read_arch(root, &c.arch, err);
    if (st != R1_OK) return st;
    for (size_t i = 0; i < COUNT(rules); i++)
        if ((rules[i].arch & (1u << c.arch)) && (st = check_rule(root, &rules[i], err)) != R1_OK) return st;
    if ((st = check_layer_types(root, err)) != R1_OK || (st = read_tables(root, &c, err)) != R1_OK ||
        (st = read_scoring(root, &c, err)) != R1_OK || (st = read_rope(root, &c, err)) != R1_OK ||
        (st = read_quantization(root, &c, err)) != R1_OK ||
        (st = read_token_id(root, "bos_token_id", &c.bos_token_id, err)) != R1_OK ||
        (st = read_token_id(root, "eos_token_id", &c.eos_token_id, err)) != R1_OK || (st = derive(&c, err)) != R1_OK ||
        (st = r1i_config_check(&c, err)) != R1_OK)
        return st;
    if (ignored && (st = list_ignored(root, 1u << c.arch, ignored, err)) != R1_OK) {
        r1i_name_list_free(ignored);
        return st;
    }
    *out = c;
    return R1_OK;
}

/* config.json says how the model was made, the files say what they hold: conversions often leave the MTP layers out. */
static void drop_absent_mtp(const r1i_store *store, r1i_config *c)
{
    char name[96];
    if (c->num_nextn_predict_layers == 0) return;
    snprintf(name, sizeof name, "model.layers.%lld.eh_proj.weight", (long long)c->num_hidden_layers);
    if (!r1i_store_find(store, name)) c->num_nextn_predict_layers = 0;
}

r1_status r1i_config_read(const r1i_store *store, r1i_config *out, r1i_name_list *ignored, r1_error *err)
{
    *out = (r1i_config){0};
    if (r1i_store_container(store) == R1I_GGUF) {
        const r1_status st = r1i_config_from_gguf(store, out, ignored, err);
        if (st != R1_OK) r1i_error_prefix(err, "%s/%s: ", r1i_store_folder(store), r1i_store_file_name(store, 0));
        return st;
    }
    char *const path = r1i_path_join(r1i_store_folder(store), "config.json");
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "path of config.json");
    json_t *root;
    r1_status st = r1i_json_read_file(path, R1I_CONFIG_MAX_BYTES, &root, err);
    if (st == R1_OK) {
        st = r1i_config_from_json(root, out, ignored, err);
        if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
        else drop_absent_mtp(store, out);
        json_decref(root);
    }
    free(path);
    return st;
}
