#include "model/checkpoint_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/scan.h"
#include "model/config_rules.h"
#include "model/inventory.h"

struct r1_checkpoint {
    r1i_store *store;       /* NULL for a bare config.json */
    r1i_config config;
    r1_checkpoint_summary summary;
    r1_tensor_info *tensor; /* [summary.tensors] */
    char *names;            /* bare config.json: the tensors' names, one block */
    r1_hparam *hparam;
    int n_hparams;
    r1i_name_list ignored;
    char *path, *name;
};

/* A configuration may prescribe more tensors than anyone wants listed. */
enum { MAX_LISTED = 1 << 22 };

static r1_status no_memory(r1_error *err) { return r1i_fail(err, R1_ERR_NOMEM, "checkpoint summary"); }

/* ---- files against the list -------------------------------------------------------------------------------------- */

typedef struct audit {
    const r1i_store *store;
    uint8_t *seen;       /* [entries] */
    uint64_t parameters; /* of all tensors found, scales not counted */
    bool kv_b;           /* GGUF: attn_k_b and attn_v_b repeat attn_kv_b */
    r1_error *err;
} audit;

static void shape_text(int n_dims, const int64_t *dim, char *text, size_t size)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int d = 0; d < n_dims && at < size; d++)
        at += (size_t)snprintf(text + at, size - at, "%s%lld", d ? ", " : "", (long long)dim[d]);
    if (at < size) snprintf(text + at, size - at, "]");
}

/* Same dimensions, or (attn_k_b and attn_v_b of one converter) the outer ones multiplied out. */
static bool shape_fits(const r1i_entry *e, const r1i_prescribed *t)
{
    if (t->n_dims == 3 && e->n_dims == 2 && strstr(t->name, ".attn_"))
        return e->dim[0] == t->dim[0] * t->dim[1] && e->dim[1] == t->dim[2];
    if (e->n_dims != t->n_dims) return false;
    for (int d = 0; d < t->n_dims; d++)
        if (e->dim[d] != t->dim[d]) return false;
    return true;
}

static r1_status audit_shape(const audit *a, const r1i_entry *e, const r1i_prescribed *t)
{
    char got[192], want[96];
    if (shape_fits(e, t)) return R1_OK;
    shape_text(e->n_dims, e->dim, got, sizeof got);
    shape_text(t->n_dims, t->dim, want, sizeof want);
    return r1i_fail_at(a->err, R1_ERR_SHAPE, (int64_t)e->offset, "%s: tensor %s is %s, the configuration asks for %s",
                       r1i_store_file_name(a->store, e->file), e->name, got, want);
}

static r1_status audit_scale(audit *a, const r1i_prescribed *weight)
{
    r1i_prescribed t = {.n_dims = 2, .dim = {r1i_scale_dim(weight->dim[0]), r1i_scale_dim(weight->dim[1])}};
    snprintf(t.name, sizeof t.name, "%.80s_scale_inv", weight->name);
    const r1i_entry *const e = r1i_store_find(a->store, t.name);
    if (!e) return r1i_fail(a->err, R1_ERR_SHAPE, "tensor %s is missing (its weight is F8_E4M3)", t.name);
    a->seen[e - r1i_store_entry(a->store, 0)] = 1;
    return audit_shape(a, e, &t);
}

static r1_status audit_one(void *ctx, const r1i_prescribed *t)
{
    audit *const a = ctx;
    const r1i_entry *const e = r1i_store_find(a->store, t->name);
    if (!e) return t->optional ? R1_OK : r1i_fail(a->err, R1_ERR_SHAPE, "tensor %s is missing", t->name);
    r1_status st = audit_shape(a, e, t);
    if (st != R1_OK) return st;
    a->seen[e - r1i_store_entry(a->store, 0)] = 1;
    uint64_t n = 1;
    for (int d = 0; d < t->n_dims; d++) n *= (uint64_t)t->dim[d];
    if (!(a->kv_b && t->n_dims == 3 && strstr(t->name, ".attn_"))) a->parameters += n;
    if (e->type != R1_DTYPE_F8_E4M3) return R1_OK;
    if (!t->linear)
        return r1i_fail_at(a->err, R1_ERR_UNSUPPORTED, (int64_t)e->offset,
                           "tensor %s is F8_E4M3, which has no scales here", t->name);
    return audit_scale(a, t);
}

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* A tensor without a place in the architecture would change the mathematics, except these: tables that can be computed,
 * and a stored copy of tied embeddings. */
static r1_status audit_rest(const audit *a, const r1i_config *c)
{
    for (int64_t i = 0; i < r1i_store_count(a->store); i++) {
        const r1i_entry *const e = r1i_store_entry(a->store, i);
        if (a->seen[i] || ends_with(e->name, ".rotary_emb.inv_freq") ||
            (c->rope_kind == R1I_ROPE_DIVISORS && strcmp(e->name, "rope_freqs.weight") == 0) ||
            (c->tie_word_embeddings && strcmp(e->name, "lm_head.weight") == 0))
            continue;
        return r1i_fail_at(a->err, R1_ERR_UNSUPPORTED, (int64_t)e->offset,
                           "%s: tensor %s has no place in a %s model of this configuration",
                           r1i_store_file_name(a->store, e->file), e->name, r1i_arch_name(c->arch));
    }
    return R1_OK;
}

static r1_status audit_store(const r1i_store *store, const r1i_config *c, uint64_t *parameters, r1_error *err)
{
    audit a = {.store = store, .err = err};
    r1i_param_count n;
    a.seen = calloc((size_t)r1i_store_count(store) + 1, 1);
    if (!a.seen) return no_memory(err);
    r1_status st;
    if (r1i_store_container(store) == R1I_GGUF) {
        const bool k_b = r1i_store_find(store, "blk.0.attn_k_b.weight");
        a.kv_b = r1i_store_find(store, "blk.0.attn_kv_b.weight");
        st = r1i_prescribe_gguf(c, a.kv_b, k_b, audit_one, &a);
    } else {
        st = r1i_prescribe_hf(c, audit_one, &a);
    }
    if (st == R1_OK) st = audit_rest(&a, c);
    free(a.seen);
    r1i_config_count(c, &n);
    if (st == R1_OK && (a.parameters < n.total + n.mtp_unique -
                        (uint64_t)(c->num_nextn_predict_layers * c->hidden_size) || a.parameters > n.stored))
        st = r1i_fail(err, R1_ERR_BUG, "%llu parameters found, %llu expected of the configuration",
                      (unsigned long long)a.parameters, (unsigned long long)n.stored);
    *parameters = a.parameters;
    return st;
}

/* ---- a bare config.json ------------------------------------------------------------------------------------------ */

typedef struct lister {
    r1_checkpoint *k; /* NULL in the first walk, which counts */
    r1_dtype plain;
    bool fp8;
    uint64_t n, name_bytes, bytes;
    r1_error *err;
} lister;

static r1_status list_tensor(lister *l, const r1i_prescribed *t, const char *suffix, r1_dtype type, int64_t a,
                             int64_t b)
{
    const size_t length = strlen(t->name) + strlen(suffix) + 1;
    if (l->n == MAX_LISTED)
        return r1i_fail(l->err, R1_ERR_RANGE, "the configuration prescribes more than %d tensors", MAX_LISTED);
    uint64_t bytes = (uint64_t)r1i_dtype(type)->block_bytes * (uint64_t)a * (t->n_dims > 1 ? (uint64_t)b : 1);
    if (l->k) {
        char *const name = l->k->names + l->name_bytes;
        snprintf(name, length, "%s%s", t->name, suffix);
        l->k->tensor[l->n] = (r1_tensor_info){.name = name, .type = type, .n_dims = t->n_dims, .dim = {a, b},
                                              .bytes = bytes};
    }
    l->n++;
    l->name_bytes += length;
    l->bytes += bytes;
    return R1_OK;
}

static r1_status list_one(void *ctx, const r1i_prescribed *t)
{
    lister *const l = ctx;
    const bool fp8 = l->fp8 && t->linear;
    const r1_dtype type = fp8 ? R1_DTYPE_F8_E4M3 : t->f32 ? R1_DTYPE_F32 : l->plain;
    const r1_status st = list_tensor(l, t, "", type, t->dim[0], t->dim[1]);
    if (st != R1_OK || !fp8) return st;
    return list_tensor(l, t, "_scale_inv", R1_DTYPE_F32, r1i_scale_dim(t->dim[0]), r1i_scale_dim(t->dim[1]));
}

/* What the files would hold: torch_dtype (dtype in newer files) for all but fp8 matrices and selection biases. */
static r1_status plain_type(const json_t *root, r1_dtype *out, r1_error *err)
{
    static const struct { const char *name; r1_dtype type; } types[] = {
        {"bfloat16", R1_DTYPE_BF16}, {"float16", R1_DTYPE_F16}, {"float32", R1_DTYPE_F32}};
    const json_t *v = json_object_get(root, "torch_dtype");
    if (!v || json_is_null(v)) v = json_object_get(root, "dtype");
    *out = R1_DTYPE_BF16;
    if (!v || json_is_null(v)) return R1_OK;
    const char *name = json_string_value(v);
    if (name && strncmp(name, "torch.", 6) == 0) name += 6;
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++) {
        if (strcmp(name, types[i].name) != 0) continue;
        *out = types[i].type;
        return R1_OK;
    }
    return r1i_fail(err, R1_ERR_FORMAT, "key torch_dtype: bfloat16, float16 or float32 expected");
}

static r1_status open_config(r1_checkpoint *k, const char *path, r1_error *err)
{
    json_t *root;
    lister l = {.err = err};
    r1_status st = r1i_json_read_file(path, R1I_CONFIG_MAX_BYTES, &root, err);
    if (st != R1_OK) return st;
    st = r1i_config_from_json(root, &k->config, &k->ignored, err);
    if (st == R1_OK) st = plain_type(root, &l.plain, err);
    json_decref(root);
    l.fp8 = k->config.quantized_fp8;
    if (st == R1_OK) st = r1i_prescribe_hf(&k->config, list_one, &l);
    if (st == R1_OK) {
        k->tensor = calloc(l.n, sizeof *k->tensor);
        k->names = malloc(l.name_bytes);
        lister fill = {.k = k, .plain = l.plain, .fp8 = l.fp8, .err = err};
        st = k->tensor && k->names ? r1i_prescribe_hf(&k->config, list_one, &fill) : no_memory(err);
    }
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s: ", path);
        return st;
    }
    r1i_param_count n;
    r1i_config_count(&k->config, &n);
    k->summary.format = "config";
    k->summary.tensors = l.n;
    k->summary.bytes = l.bytes;
    k->summary.parameters_stored = n.stored;
    return R1_OK;
}

/* ---- a store ----------------------------------------------------------------------------------------------------- */

static char *text_copy(const char *bytes, uint64_t n)
{
    const bool fine = n > 0 && n < 256 && !memchr(bytes, 0, n) && r1i_utf8_valid((const uint8_t *)bytes, n);
    return fine ? strndup(bytes, n) : NULL;
}

/* general.name, or the last part of the folder's path. NULL where there is none worth showing. */
static char *model_name(const r1i_store *store)
{
    const char *bytes;
    uint64_t n;
    if (r1i_store_gguf(store) && r1i_gguf_get_string(r1i_store_gguf(store), "general.name", &bytes, &n))
        return text_copy(bytes, n);
    const char *const folder = r1i_store_folder(store), *const slash = strrchr(folder, '/'),
                      *const last = slash ? slash + 1 : folder;
    return last[0] == '.' ? NULL : text_copy(last, strlen(last));
}

static r1_status open_store(r1_checkpoint *k, const char *path, const r1_env *env, r1_error *err)
{
    r1_status st = r1i_store_open(path, env, &k->store, err);
    if (st != R1_OK || (st = r1i_config_read(k->store, &k->config, &k->ignored, err)) != R1_OK) return st;
    if ((st = audit_store(k->store, &k->config, &k->summary.parameters_stored, err)) != R1_OK) {
        r1i_error_prefix(err, "%s: ", path);
        return st;
    }
    const int64_t n = r1i_store_count(k->store);
    k->tensor = calloc((size_t)n + 1, sizeof *k->tensor);
    if (!k->tensor) return no_memory(err);
    for (int64_t i = 0; i < n; i++) {
        const r1i_entry *const e = r1i_store_entry(k->store, i);
        r1_tensor_info *const t = &k->tensor[i];
        *t = (r1_tensor_info){.name = e->name, .type = e->type, .n_dims = e->n_dims, .bytes = e->bytes,
                              .file = r1i_store_file_name(k->store, e->file), .offset = e->offset};
        memcpy(t->dim, e->dim, sizeof t->dim);
    }
    k->name = model_name(k->store);
    k->summary.format = r1i_store_container(k->store) == R1I_GGUF ? "gguf" : "safetensors";
    k->summary.tensors = (uint64_t)n;
    k->summary.bytes = r1i_store_bytes(k->store);
    k->summary.files = (uint64_t)r1i_store_files(k->store);
    return R1_OK;
}

/* ---- hyper-parameters -------------------------------------------------------------------------------------------- */

/* Adds "key": value; takes the reference. */
static void set(json_t *object, const char *key, json_t *value) { json_object_set_new(object, key, value); }
static json_t *number(double v)
{
    return v < 1e15 && v == (double)(int64_t)v ? json_integer((json_int_t)v) : json_real(v);
}

static json_t *rope_scaling(const r1i_config *c)
{
    static const char *const names[] = {"default", "linear", "yarn", "llama3", "rope_freqs.weight"};
    if (c->rope_kind == R1I_ROPE_PLAIN) return json_null();
    json_t *const o = json_object();
    set(o, "rope_type", json_string(names[c->rope_kind]));
    if (c->rope_kind == R1I_ROPE_DIVISORS) return o;
    set(o, "factor", number(c->rope_factor));
    if (c->rope_kind == R1I_ROPE_LINEAR) return o;
    set(o, "original_max_position_embeddings", json_integer(c->rope_original_max_position_embeddings));
    if (c->rope_kind == R1I_ROPE_LLAMA3) {
        set(o, "low_freq_factor", number(c->rope_low_freq_factor));
        set(o, "high_freq_factor", number(c->rope_high_freq_factor));
        return o;
    }
    set(o, "beta_fast", number(c->rope_beta_fast));
    set(o, "beta_slow", number(c->rope_beta_slow));
    set(o, "mscale", number(c->rope_mscale));
    set(o, "mscale_all_dim", number(c->rope_mscale_all_dim));
    return o;
}

static void moe_params(const r1i_config *c, json_t *o)
{
    set(o, "n_routed_experts", json_integer(c->n_routed_experts));
    if (c->n_routed_experts == 0) return;
    set(o, "n_shared_experts", json_integer(c->n_shared_experts));
    set(o, "num_experts_per_tok", json_integer(c->num_experts_per_tok));
    set(o, "moe_intermediate_size", json_integer(c->moe_intermediate_size));
    set(o, "first_k_dense_replace", json_integer(c->first_k_dense_replace));
    set(o, "moe_layer_freq", json_integer(c->moe_layer_freq));
    set(o, "n_group", json_integer(c->n_group));
    set(o, "topk_group", json_integer(c->topk_group));
    set(o, "scoring_func", json_string(c->scoring_sigmoid ? "sigmoid" : "softmax"));
    set(o, "norm_topk_prob", json_boolean(c->norm_topk_prob));
    set(o, "routed_scaling_factor", number(c->routed_scaling_factor));
}

static void attention_params(const r1i_config *c, json_t *o)
{
    set(o, "num_attention_heads", json_integer(c->num_attention_heads));
    set(o, "num_key_value_heads", json_integer(c->num_key_value_heads));
    if (c->arch != R1I_DEEPSEEK_V3) {
        set(o, "head_dim", json_integer(c->head_dim));
        set(o, "attention_bias", json_boolean(c->attention_bias));
        return;
    }
    set(o, "q_lora_rank", c->q_lora_rank ? json_integer(c->q_lora_rank) : json_null());
    set(o, "kv_lora_rank", json_integer(c->kv_lora_rank));
    set(o, "qk_nope_head_dim", json_integer(c->qk_nope_head_dim));
    set(o, "qk_rope_head_dim", json_integer(c->qk_rope_head_dim));
    set(o, "v_head_dim", json_integer(c->v_head_dim));
}

static json_t *all_params(const r1i_config *c)
{
    json_t *const o = json_object();
    set(o, "model_type", json_string(r1i_arch_name(c->arch)));
    set(o, "vocab_size", json_integer(c->vocab_size));
    set(o, "hidden_size", json_integer(c->hidden_size));
    set(o, "intermediate_size", json_integer(c->intermediate_size));
    set(o, "num_hidden_layers", json_integer(c->num_hidden_layers));
    attention_params(c, o);
    if (c->arch == R1I_DEEPSEEK_V3) {
        moe_params(c, o);
        set(o, "num_nextn_predict_layers", json_integer(c->num_nextn_predict_layers));
    }
    set(o, "hidden_act", json_string("silu"));
    set(o, "rms_norm_eps", number(c->rms_norm_eps));
    set(o, "max_position_embeddings", json_integer(c->max_position_embeddings));
    set(o, "rope_theta", number(c->rope_theta));
    set(o, "rope_scaling", rope_scaling(c));
    set(o, "rope_interleave", json_boolean(c->rope_interleaved));
    set(o, "tie_word_embeddings", json_boolean(c->tie_word_embeddings));
    if (c->quantized_fp8)
        set(o, "quantization_config",
            json_pack("{s:s, s:s, s:[i, i]}", "quant_method", "fp8", "fmt", "e4m3", "weight_block_size", 128, 128));
    set(o, "bos_token_id", c->bos_token_id < 0 ? json_null() : json_integer(c->bos_token_id));
    set(o, "eos_token_id", c->eos_token_id < 0 ? json_null() : json_integer(c->eos_token_id));
    return o;
}

static r1_status list_params(r1_checkpoint *k, r1_error *err)
{
    json_t *const o = all_params(&k->config);
    const char *key;
    json_t *value;
    bool ok = o && (k->hparam = calloc(json_object_size(o) + 1, sizeof *k->hparam));
    json_object_foreach(o, key, value)
    {
        if (!ok) break;
        r1_hparam *const h = &k->hparam[k->n_hparams++];
        h->key = strdup(key);
        /* 15 digits give back what a decimal in a file said */
        h->value = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
        ok = h->key && h->value;
    }
    json_decref(o);
    return ok ? R1_OK : no_memory(err);
}

/* ---- public ------------------------------------------------------------------------------------------------------ */

r1_status r1_checkpoint_open(const char *path, const r1_env *env, r1_checkpoint **out, r1_error *err)
{
    *out = NULL;
    r1_checkpoint *const k = calloc(1, sizeof *k);
    if (!k) return no_memory(err);
    k->path = strdup(path);
    const bool bare = ends_with(path, ".json") && !ends_with(path, ".index.json") && !r1i_is_directory(path);
    r1_status st = !k->path ? no_memory(err) : bare ? open_config(k, path, err) : open_store(k, path, env, err);
    if (st == R1_OK) st = list_params(k, err);
    if (st != R1_OK) {
        r1_checkpoint_close(k);
        return st;
    }
    r1i_param_count n;
    r1i_config_count(&k->config, &n);
    k->summary.path = k->path;
    k->summary.name = k->name;
    k->summary.architecture = r1i_arch_name(k->config.arch);
    k->summary.parameters = n.total;
    k->summary.parameters_active = n.active;
    k->summary.parameters_mtp = n.mtp_unique;
    *out = k;
    return R1_OK;
}

void r1_checkpoint_close(r1_checkpoint *k)
{
    if (!k) return;
    for (int i = 0; i < k->n_hparams; i++) {
        free((void *)(uintptr_t)k->hparam[i].key);
        free((void *)(uintptr_t)k->hparam[i].value);
    }
    free(k->hparam);
    r1i_name_list_free(&k->ignored);
    free(k->tensor);
    free(k->names);
    r1i_store_close(k->store);
    free(k->path);
    free(k->name);
    free(k);
}

const r1i_store *r1i_checkpoint_store(const r1_checkpoint *k) { return k->store; }
const r1_checkpoint_summary *r1_checkpoint_get_summary(const r1_checkpoint *k) { return &k->summary; }
int r1_checkpoint_hparam_count(const r1_checkpoint *k) { return k->n_hparams; }
const r1_hparam *r1_checkpoint_hparam(const r1_checkpoint *k, int i) { return &k->hparam[i]; }
int64_t r1_checkpoint_tensor_count(const r1_checkpoint *k) { return (int64_t)k->summary.tensors; }
const r1_tensor_info *r1_checkpoint_tensor(const r1_checkpoint *k, int64_t i) { return &k->tensor[i]; }
int r1_checkpoint_ignored_count(const r1_checkpoint *k) { return k->ignored.n; }
const char *r1_checkpoint_ignored(const r1_checkpoint *k, int i) { return k->ignored.item[i]; }
