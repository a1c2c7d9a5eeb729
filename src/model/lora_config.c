#include "model/lora_config.h"

#include <math.h>
#include <string.h>

/* Routed experts have one stacked tensor each in newer versions of transformers and modules in older ones: this keeps
 * PEFT from them in both. */
static const char no_experts[] = ".*\\.mlp\\.experts\\..*";

/* Keys that name mathematics beyond y + scale * B A x. Absent, null, false, 0, empty, or the value here is the plain
 * case. What is not listed here (paths, revisions, how it was initialised or trained) changes no result. */
static const struct rule { const char *key, *plain, *why; } rules[] = {
    {"use_dora", NULL, "magnitudes of weights (DoRA) are not implemented"},
    {"bias", "none", "an adapter that brings biases is not implemented"},
    {"lora_bias", NULL, "a bias on lora_B is not implemented"},
    {"fan_in_fan_out", NULL, "transposed base weights are not implemented"},
    {"modules_to_save", NULL, "whole modules in an adapter are not implemented; merge it into its base with PEFT first"},
    {"rank_pattern", NULL, "ranks that differ by module are not implemented"},
    {"alpha_pattern", NULL, "scales that differ by module are not implemented"},
    {"layer_replication", NULL, "replicated layers are not implemented"},
    {"trainable_token_indices", NULL, "trained rows of the embedding are not implemented"},
    {"target_parameters", NULL, "adapters of stacked parameters (routed experts) are not implemented"},
    {"alora_invocation_tokens", NULL, "adapters that begin at a token (aLoRA) are not implemented"},
    {"use_qalora", NULL, "QA-LoRA is not implemented"},
    {"megatron_config", NULL, "parallel layers are not implemented"},
};

/* How the base is changed before the first step: with these the saved base is not the one that the adapter belongs
 * to. */
static const char *const changed_bases[] = {"pissa", "olora", "corda", "loftq", "lora_ga"};

static bool is_plain(const json_t *v, const char *plain)
{
    if (!v || json_is_null(v) || json_is_false(v)) return true;
    if (json_is_string(v)) return plain && strcmp(json_string_value(v), plain) == 0;
    if (json_is_number(v)) return json_number_value(v) == 0.0;
    return json_is_object(v) ? json_object_size(v) == 0 : json_is_array(v) && json_array_size(v) == 0;
}

static r1_status check_rules(const json_t *root, r1_error *err)
{
    const char *const type = json_string_value(json_object_get(root, "peft_type")),
                      *const init = json_string_value(json_object_get(root, "init_lora_weights"));
    const json_t *const exclude = json_object_get(root, "exclude_modules");
    if (!type)
        return r1i_fail(err, R1_ERR_FORMAT, "peft_type is missing: the configuration of a PEFT adapter was expected");
    if (strcmp(type, "LORA") != 0)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "peft_type \"%.64s\": only LORA is implemented", type);
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (!is_plain(json_object_get(root, rules[i].key), rules[i].plain))
            return r1i_fail(err, R1_ERR_UNSUPPORTED, "%s: %s", rules[i].key, rules[i].why);
    for (size_t i = 0; init && i < sizeof changed_bases / sizeof *changed_bases; i++)
        if (strncmp(init, changed_bases[i], strlen(changed_bases[i])) == 0)
            return r1i_fail(err, R1_ERR_UNSUPPORTED,
                            "init_lora_weights \"%.32s\": the adapter belongs to a base that this initialisation changed", init);
    if (!is_plain(exclude, no_experts) && !json_is_string(exclude) && !json_is_array(exclude))
        return r1i_fail(err, R1_ERR_FORMAT, "exclude_modules: a pattern or a list of names expected");
    return R1_OK;
}

static r1_status read_targets(const json_t *root, r1i_lora_config *c, r1_error *err)
{
    json_t *const t = json_object_get(root, "target_modules");
    size_t i;
    json_t *name;
    c->partial = !is_plain(json_object_get(root, "layers_to_transform"), NULL) ||
        !is_plain(json_object_get(root, "layers_pattern"), NULL) ||
        !is_plain(json_object_get(root, "exclude_modules"), no_experts);
    if (json_is_string(t)) {
        c->all_linear = strcmp(json_string_value(t), "all-linear") == 0;
        c->partial = c->partial || !c->all_linear;
        return R1_OK;
    }
    if (!json_is_array(t) || json_array_size(t) == 0)
        return r1i_fail(err, R1_ERR_FORMAT, "target_modules: a list of module names expected");
    json_array_foreach(t, i, name)
        if (!json_is_string(name) || json_string_length(name) == 0)
            return r1i_fail(err, R1_ERR_FORMAT, "target_modules: item %zu is not the name of a module", i);
    c->targets = json_incref(t);
    return R1_OK;
}

r1_status r1i_lora_config_from_json(const json_t *root, r1i_lora_config *out, r1_error *err)
{
    *out = (r1i_lora_config){0};
    if (!json_is_object(root)) return r1i_fail(err, R1_ERR_FORMAT, "an object was expected");
    const r1_status st = check_rules(root, err);
    const json_t *const r = json_object_get(root, "r"), *const alpha = json_object_get(root, "lora_alpha");
    json_t *const base = json_object_get(root, "base_model_name_or_path");
    if (st != R1_OK) return st;
    if (!json_is_integer(r) || json_integer_value(r) < 1 || json_integer_value(r) > R1I_LORA_MAX_RANK)
        return r1i_fail(err, R1_ERR_FORMAT, "r: the adapter's rank, 1 to %d, expected", R1I_LORA_MAX_RANK);
    if (!json_is_number(alpha) || !isfinite(json_number_value(alpha)) || fabs(json_number_value(alpha)) > 1e6)
        return r1i_fail(err, R1_ERR_FORMAT, "lora_alpha: a number expected, at most 1e6");
    out->r = json_integer_value(r);
    out->alpha = json_number_value(alpha);
    out->rslora = json_is_true(json_object_get(root, "use_rslora"));
    out->base = json_is_string(base) ? json_incref(base) : NULL;
    return read_targets(root, out, err);
}

void r1i_lora_config_free(r1i_lora_config *c)
{
    json_decref(c->targets);
    json_decref(c->base);
    *c = (r1i_lora_config){0};
}

r1_status r1i_lora_config_text(const r1i_lora_config *c, bool experts, char **text, r1_error *err)
{
    const bool whole = c->alpha == floor(c->alpha); /* PEFT writes an integer where it was given one */
    json_t *const targets = c->targets ? json_incref(c->targets) : json_string("all-linear");
    json_t *const alpha = whole ? json_integer((json_int_t)c->alpha) : json_real(c->alpha);
    json_t *const base = c->base ? json_incref(c->base) : json_null();
    json_t *const root = json_pack("{s:s, s:s, s:o, s:I, s:o, s:f, s:s, s:b, s:b, s:b, s:b, s:o, s:n, s:b}",
                                   "peft_type", "LORA", "task_type", "CAUSAL_LM",
                                   "base_model_name_or_path", base, "r", (json_int_t)c->r, "lora_alpha", alpha,
                                   "lora_dropout", 0.0, "bias", "none", "use_rslora",
                                   c->rslora, "use_dora", 0, "fan_in_fan_out", 0, "init_lora_weights", 1,
                                   "target_modules", targets, "modules_to_save",
                                   "inference_mode", 1);
    *text = NULL;
    if (root && experts) json_object_set_new(root, "exclude_modules", json_string(no_experts));
    if (root) *text = json_dumps(root, JSON_INDENT(2) | JSON_SORT_KEYS);
    json_decref(root);
    return *text ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "adapter_config.json");
}

float r1i_lora_config_scale(const r1i_lora_config *c)
{
    return (float)(c->alpha / (c->rslora ? sqrt((double)c->r) : (double)c->r));
}

bool r1i_lora_config_wants(const r1i_lora_config *c, const char *module, size_t *target)
{
    const size_t n = strlen(module);
    size_t i;
    json_t *name;
    if (c->all_linear) return true;
    json_array_foreach(c->targets, i, name)
    {
        const size_t m = json_string_length(name);
        if (m > n || memcmp(module + n - m, json_string_value(name), m) != 0 || (m < n && module[n - m - 1] != '.'))
            continue;
        if (target) *target = i;
        return true;
    }
    return false;
}
