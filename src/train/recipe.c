#include "train/recipe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/lora_config.h"

/* ---- presets ----------------------------------------------------------------------------------------------------- */

/* Published values (training.md 2.1) by the name that claims them. The other keys of a run stay the author's choice. */
static const struct preset {
    const char *name, *published;
} presets[] = {
    {"sft-800k-paper", "{\"sequence_length\": 32768, \"batch_size\": 128, \"epochs\": 2, \"optimizer\": {\"lr\": 5e-5, \"min_lr\": 5e-6, \"schedule\": \"cosine\"}}"},
    {"distill-1.5b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 1e-4, \"min_lr\": 1e-5, \"schedule\": \"cosine\"}}"},
    {"distill-7b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 8e-5, \"min_lr\": 8e-6, \"schedule\": \"cosine\"}}"},
    {"distill-14b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 7e-5, \"min_lr\": 7e-6, \"schedule\": \"cosine\"}}"},
    {"distill-32b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 6e-5, \"min_lr\": 6e-6, \"schedule\": \"cosine\"}}"},
    {"distill-llama-8b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 5e-5, \"min_lr\": 5e-6, \"schedule\": \"cosine\"}}"},
    {"distill-llama-70b-paper", "{\"sequence_length\": 32768, \"batch_size\": 64, \"epochs\": 2, \"optimizer\": {\"lr\": 2e-5, \"min_lr\": 2e-6, \"schedule\": \"cosine\"}}"},
};

/* What nobody said. */
static const char defaults[] =
    "{\"seed\": 0, \"epochs\": 1, \"steps\": 0, \"sequence_length\": 1024, \"batch_size\": 8, \"micro_batch\": 1, \"optimizer\": {\"name\": \"adamw\", \"lr\": 1e-5, "
    "\"min_lr\": 0, \"schedule\": \"cosine\", \"warmup_steps\": 0, \"beta1\": 0.9, \"beta2\": 0.95, \"eps\": 1e-8, \"weight_decay\": 0.1, \"clip\": 1.0}, "
    "\"loss\": {\"mtp_weight\": 0, \"mtp_detach\": false, \"balance_alpha\": 0, \"bias_speed\": 0, \"temperature\": 1}, \"compute\": \"f32\", \"cache\": \"f32\", \"recompute\": false, "
    "\"data\": {\"keep_order\": false, \"think\": true, \"too_long\": \"skip\"}, "
    "\"checkpoint\": {\"every\": 0, \"keep\": 2, \"dtype\": \"bf16\"}}";

/* PEFT's; an adapter is small enough to be saved as it is. */
static const char lora_defaults[] =
    "{\"lora\": {\"r\": 8, \"lora_alpha\": 8, \"use_rslora\": false, \"lora_dropout\": 0}, \"checkpoint\": {\"dtype\": \"f32\"}}";

/* ---- fields ------------------------------------------------------------------------------------------------------ */

#define BIG 9e15
static const r1i_field top_fields[] = {
    {.name = "preset", .kind = R1I_FIELD_TEXT}, {.name = "model", .kind = R1I_FIELD_TEXT},
    {.name = "init", .kind = R1I_FIELD_MAP},
    {.name = "data", .kind = R1I_FIELD_MAP, .required = true},
    {.name = "sequence_length", .kind = R1I_FIELD_INT, .min = 2, .max = 1 << 24},
    {.name = "batch_size", .kind = R1I_FIELD_INT, .min = 1, .max = 1 << 24},
    {.name = "micro_batch", .kind = R1I_FIELD_INT, .min = 1, .max = 1 << 20},
    {.name = "steps", .kind = R1I_FIELD_INT, .min = 0, .max = BIG},
    {.name = "epochs", .kind = R1I_FIELD_REAL, .min = 1e-9, .max = 1e6},
    {.name = "seed", .kind = R1I_FIELD_INT, .min = 0, .max = BIG}, {.name = "optimizer", .kind = R1I_FIELD_MAP},
    {.name = "loss", .kind = R1I_FIELD_MAP},
    {.name = "compute", .kind = R1I_FIELD_TEXT}, {.name = "cache", .kind = R1I_FIELD_TEXT},
    {.name = "recompute", .kind = R1I_FIELD_BOOL}, {.name = "checkpoint", .kind = R1I_FIELD_MAP},
    {.name = "eval", .kind = R1I_FIELD_MAP},
    {.name = "lora", .kind = R1I_FIELD_MAP}, {0}};
static const r1i_field lora_fields[] = {
    {.name = "r", .kind = R1I_FIELD_INT, .min = 1, .max = R1I_LORA_MAX_RANK},
    {.name = "lora_alpha", .kind = R1I_FIELD_REAL, .min = 0, .max = 1e6},
    {.name = "target_modules", .kind = R1I_FIELD_TEXTS}, {.name = "use_rslora", .kind = R1I_FIELD_BOOL},
    {.name = "lora_dropout", .kind = R1I_FIELD_REAL, .min = 0, .max = 1}, {0}};
static const r1i_field init_fields[] = {
    {.name = "config", .kind = R1I_FIELD_TEXT, .required = true}, {.name = "tokenizer", .kind = R1I_FIELD_TEXT},
    {.name = "std", .kind = R1I_FIELD_REAL, .min = 1e-9, .max = 10}, {0}};
static const r1i_field data_fields[] = {
    {.name = "files", .kind = R1I_FIELD_TEXTS, .required = true}, {.name = "keep_order", .kind = R1I_FIELD_BOOL},
    {.name = "think", .kind = R1I_FIELD_BOOL},
    {.name = "too_long", .kind = R1I_FIELD_TEXT}, {.name = "token_cache", .kind = R1I_FIELD_TEXT}, {0}};
static const r1i_field optimizer_fields[] = {
    {.name = "name", .kind = R1I_FIELD_TEXT}, {.name = "lr", .kind = R1I_FIELD_REAL, .min = 0, .max = 10},
    {.name = "min_lr", .kind = R1I_FIELD_REAL, .min = 0, .max = 10},
    {.name = "schedule", .kind = R1I_FIELD_TEXT}, {.name = "warmup_steps", .kind = R1I_FIELD_INT, .min = 0, .max = BIG},
    {.name = "beta1", .kind = R1I_FIELD_REAL, .min = 0, .max = 0.999999},
    {.name = "beta2", .kind = R1I_FIELD_REAL, .min = 0, .max = 0.9999999},
    {.name = "eps", .kind = R1I_FIELD_REAL, .min = 1e-30, .max = 1},
    {.name = "weight_decay", .kind = R1I_FIELD_REAL, .min = 0, .max = 10},
    {.name = "clip", .kind = R1I_FIELD_REAL, .min = 0, .max = 1e9}, {0}};
static const r1i_field loss_fields[] = {
    {.name = "mtp_weight", .kind = R1I_FIELD_REAL, .min = 0, .max = 100},
    {.name = "mtp_detach", .kind = R1I_FIELD_BOOL},
    {.name = "balance_alpha", .kind = R1I_FIELD_REAL, .min = 0, .max = 100},
    {.name = "bias_speed", .kind = R1I_FIELD_REAL, .min = 0, .max = 1},
    {.name = "temperature", .kind = R1I_FIELD_REAL, .min = 1e-3, .max = 100}, {0}};
static const r1i_field checkpoint_fields[] = {
    {.name = "every", .kind = R1I_FIELD_INT, .min = 0, .max = BIG},
    {.name = "keep", .kind = R1I_FIELD_INT, .min = 0, .max = BIG}, {.name = "dtype", .kind = R1I_FIELD_TEXT}, {0}};

static const struct { const char *key; const r1i_field *fields; } sections[] = {
    {"init", init_fields}, {"data", data_fields}, {"optimizer", optimizer_fields}, {"loss", loss_fields}, {"checkpoint", checkpoint_fields}, {"lora", lora_fields}};

/* ---- settings and merging ---------------------------------------------------------------------------------------- */

/* Keys of `under` that `over` lacks; mappings are merged. */
static bool merge(json_t *over, const json_t *under)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)under, key, value)
    {
        json_t *const mine = json_object_get(over, key);
        if (mine && json_is_object(mine) && json_is_object(value)) {
            if (!merge(mine, value)) return false;
        } else if (!mine && json_object_set_new(over, key, json_deep_copy(value)) != 0) {
            return false;
        }
    }
    return true;
}

static r1_status merge_text(json_t *root, const char *text, r1_error *err)
{
    json_t *under;
    const r1_status st = r1i_json_parse(text, strlen(text), &under, err);
    if (st != R1_OK) return st;
    const bool merged = merge(root, under);
    json_decref(under);
    return merged ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "recipe");
}

static r1_status apply_setting(r1i_yaml *y, const char *setting, r1_error *err)
{
    json_t *root = r1i_yaml_root(y);
    char key[256];
    const char *const equal = strchr(setting, '=');
    if (!equal || equal == setting || (size_t)(equal - setting) >= sizeof key)
        return r1i_fail(err, R1_ERR_USAGE, "--set %.200s: key=value expected", setting);
    memcpy(key, setting, (size_t)(equal - setting));
    key[equal - setting] = 0;
    r1i_yaml *value;
    r1_status st = r1i_yaml_parse(equal + 1, strlen(equal + 1), &value, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "--set %s: ", key);
        return st;
    }
    char *part = key;
    for (char *dot; (dot = strchr(part, '.')) != NULL; part = dot + 1) {
        *dot = 0;
        if (!json_object_get(root, part) && (st = r1i_yaml_set(y, root, part, json_object(), setting, err)) != R1_OK)
            break;
        root = json_object_get(root, part);
        if (json_is_object(root)) continue;
        st = r1i_fail(err, R1_ERR_USAGE, "--set %.200s: '%s' is not a mapping", setting, part);
        break;
    }
    if (st == R1_OK) st = r1i_yaml_set(y, root, part, json_deep_copy(r1i_yaml_root(value)), setting, err);
    r1i_yaml_free(value);
    return st;
}

/* ---- resolving --------------------------------------------------------------------------------------------------- */

static json_t *at(const r1i_recipe *r, const char *section, const char *key)
{
    return json_object_get(section ? json_object_get(r->root, section) : r->root, key);
}
static const char *text(const r1i_recipe *r, const char *section, const char *key)
{
    return json_string_value(at(r, section, key));
}
static double real(const r1i_recipe *r, const char *section, const char *key)
{
    return json_number_value(at(r, section, key));
}
static int64_t whole(const r1i_recipe *r, const char *section, const char *key)
{
    return json_integer_value(at(r, section, key));
}
static bool yes(const r1i_recipe *r, const char *section, const char *key) { return json_is_true(at(r, section, key)); }

/* Index of the key's text among names, or an error at its line. */
static r1_status choose(const r1i_yaml *y, const r1i_recipe *r, const char *section, const char *key,
                        const char *const *names, int n, int *out, r1_error *err)
{
    const char *const s = text(r, section, key);
    for (*out = 0; *out < n; ++*out)
        if (s && strcmp(s, names[*out]) == 0) return R1_OK;
    char list[160] = "";
    for (int i = 0; i < n; i++) {
        strncat(list, i ? ", " : "", sizeof list - strlen(list) - 1);
        strncat(list, names[i], sizeof list - strlen(list) - 1);
    }
    return r1i_yaml_fail(y, section ? json_object_get(r->root, section) : r->root, key, 0, err,
                         "%s: one of %s expected", key, list);
}

static r1_status choices(const r1i_yaml *y, r1i_recipe *r, r1_error *err)
{
    static const char *const schedules[] = {"constant", "cosine", "linear"}, *const caches[] = {"f32", "bf16", "q8"},
                             *const longs[] = {"skip", "cut", "refuse"}, *const dtypes[] = {"bf16", "f32"},
                             *const optimizers[] = {"adamw", "muon"}, *const computes[] = {"f32", "bf16"};
    int i;
    r1_status st = choose(y, r, "optimizer", "name", optimizers, 2, &i, err);
    r->muon = i == 1;
    if (st != R1_OK || (st = choose(y, r, "optimizer", "schedule", schedules, 3, &i, err)) != R1_OK) return st;
    r->schedule = (r1i_schedule_kind)i;
    if ((st = choose(y, r, NULL, "compute", computes, 2, &i, err)) != R1_OK) return st;
    r->compute = i ? R1_COMPUTE_BF16 : R1_COMPUTE_F32;
    if ((st = choose(y, r, NULL, "cache", caches, 3, &i, err)) != R1_OK) return st;
    r->cache = (r1i_cache_type)i;
    if ((st = choose(y, r, "data", "too_long", longs, 3, &i, err)) != R1_OK) return st;
    r->too_long = (r1i_too_long)i;
    if ((st = choose(y, r, "checkpoint", "dtype", dtypes, 2, &i, err)) != R1_OK) return st;
    r->save_f32 = i == 1;
    return R1_OK;
}

static r1_status take_paths(r1i_recipe *r, r1_error *err)
{
    const json_t *const files = at(r, "data", "files");
    r->n_data_paths = json_array_size(files);
    const char **const list = malloc((r->n_data_paths + 1) * sizeof *list);
    if (!list) return r1i_fail(err, R1_ERR_NOMEM, "recipe");
    for (size_t i = 0; i < r->n_data_paths; i++) list[i] = json_string_value(json_array_get(files, i));
    r->data_path = list;
    return R1_OK;
}

/* An adapter's run leaves the model as it is: what would change it is refused rather than passed over. */
static r1_status take_lora(const r1i_yaml *y, r1i_recipe *r, r1_error *err)
{
    const json_t *const map = json_object_get(r->root, "lora"), *const loss = json_object_get(r->root, "loss");
    if (!map) return R1_OK;
    r->lora = true;
    r->lora_r = whole(r, "lora", "r"), r->lora_alpha = real(r, "lora", "lora_alpha"),
        r->lora_rslora = yes(r, "lora", "use_rslora");
    r->lora_targets = at(r, "lora", "target_modules");
    if (real(r, "lora", "lora_dropout") > 0.0)
        return r1i_yaml_fail(y, map, "lora_dropout", 0, err,
                             "lora_dropout: 0 expected: a term that is dropped now and then is not the one that rollout computes");
    if (r->lora_targets && json_array_size(r->lora_targets) == 0)
        return r1i_yaml_fail(y, map, "target_modules", 0, err, "target_modules: at least one name expected");
    if (!r->model)
        return r1i_yaml_fail(y, r->root, "lora", 0, err,
                             "lora: an adapter belongs to a checkpoint ('model'), not to a new model");
    if (r->mtp_weight > 0.0)
        return r1i_yaml_fail(y, loss, "mtp_weight", 0, err,
                             "mtp_weight: 0 expected with lora: the MTP layer has no adapter");
    if (r->bias_speed > 0.0)
        return r1i_yaml_fail(y, loss, "bias_speed", 0, err, "bias_speed: 0 expected with lora: the routers are frozen");
    return R1_OK;
}

static r1_status take_values(const r1i_yaml *y, r1i_recipe *r, r1_error *err)
{
    r->model = text(r, NULL, "model");
    r->init_config = text(r, "init", "config");
    r->init_tokenizer = text(r, "init", "tokenizer");
    r->init_std = at(r, "init", "std") ? real(r, "init", "std") : 0.006; /* V3's */
    if (!r->model == !r->init_config)
        return r1i_yaml_fail(y, r->root, r->model ? "init" : NULL, 0, err,
                             "either 'model' (a checkpoint) or 'init' (a config for a new one) is expected%s",
                             r->model ? ", not both" : "");
    r->token_cache = text(r, "data", "token_cache");
    r->keep_order = yes(r, "data", "keep_order"), r->think = yes(r, "data", "think");
    r->sequence_length = whole(r, NULL, "sequence_length");
    r->batch_size = whole(r, NULL, "batch_size"), r->micro_batch = whole(r, NULL, "micro_batch");
    if (r->micro_batch > r->batch_size) r->micro_batch = r->batch_size;
    r->steps = whole(r, NULL, "steps"), r->epochs = real(r, NULL, "epochs");
    r->seed = (uint64_t)whole(r, NULL, "seed");
    r->lr = real(r, "optimizer", "lr"), r->min_lr = real(r, "optimizer", "min_lr");
    r->beta1 = real(r, "optimizer", "beta1"), r->beta2 = real(r, "optimizer", "beta2"),
        r->eps = real(r, "optimizer", "eps");
    r->weight_decay = real(r, "optimizer", "weight_decay"), r->clip = real(r, "optimizer", "clip");
    r->warmup_steps = whole(r, "optimizer", "warmup_steps");
    r->mtp_weight = real(r, "loss", "mtp_weight"), r->mtp_detach = yes(r, "loss", "mtp_detach");
    r->balance_alpha = real(r, "loss", "balance_alpha"), r->bias_speed = real(r, "loss", "bias_speed");
    r->temperature = real(r, "loss", "temperature");
    r->save_every = whole(r, "checkpoint", "every"), r->keep = whole(r, "checkpoint", "keep");
    r->recompute = yes(r, NULL, "recompute");
    r1_status st = choices(y, r, err);
    if (st == R1_OK) st = take_lora(y, r, err);
    if (st == R1_OK) st = r1i_recipe_take_eval(y, r, err);
    return st == R1_OK ? take_paths(r, err) : st;
}

/* *published: a new reference, NULL without a preset. */
static r1_status apply_preset(const r1i_yaml *y, json_t *root, json_t **published, r1_error *err)
{
    const char *const name = json_string_value(json_object_get(root, "preset"));
    char names[256] = "";
    if (!name) return R1_OK;
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (strcmp(name, presets[i].name) == 0) {
            const r1_status st = r1i_json_parse(presets[i].published, strlen(presets[i].published), published, err);
            if (st != R1_OK) return st;
            return merge(root, *published) ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "recipe");
        }
        strncat(names, i ? ", " : "", sizeof names - strlen(names) - 1);
        strncat(names, presets[i].name, sizeof names - strlen(names) - 1);
    }
    return r1i_yaml_fail(y, root, "preset", 0, err, "no preset is called '%.64s'; there are %s", name, names);
}

/* A known key whose value is null (`init:` with nothing behind it, `--set init=null`) is as if it were not there. */
static void drop_nulls(json_t *map, const r1i_field *fields)
{
    for (const r1i_field *f = fields; json_is_object(map) && f->name; f++)
        if (json_is_null(json_object_get(map, f->name))) json_object_del(map, f->name);
}

static r1_status resolve(r1i_yaml *y, const char *const *set, size_t n_set, r1i_recipe *out, r1_error *err)
{
    json_t *const root = r1i_yaml_root(y); /* changed in place: the places of its values stay known */
    r1_status st = R1_OK;
    if (!json_is_object(root)) return r1i_yaml_fail(y, NULL, NULL, 0, err, "a mapping of keys to values was expected");
    for (size_t i = 0; i < n_set && st == R1_OK; i++) st = apply_setting(y, set[i], err);
    drop_nulls(root, top_fields);
    if (st == R1_OK) st = r1i_yaml_check(y, root, top_fields, err);
    for (size_t i = 0; i < sizeof sections / sizeof *sections && st == R1_OK; i++) {
        json_t *const map = json_object_get(root, sections[i].key);
        drop_nulls(map, sections[i].fields);
        if (map) st = r1i_yaml_check(y, map, sections[i].fields, err);
    }
    json_t *const said = json_deep_copy(root), *published = NULL;
    if (st == R1_OK) st = apply_preset(y, root, &published, err);
    if (st == R1_OK && json_object_get(root, "lora")) st = merge_text(root, lora_defaults, err);
    if (st == R1_OK) st = merge_text(root, defaults, err);
    out->choices = json_array();
    if (st == R1_OK) st = r1i_recipe_choices(root, said, published, out->choices, err);
    json_decref(said);
    json_decref(published);
    if (st != R1_OK) return st;
    out->root = json_incref(root);
    return take_values(y, out, err);
}

r1_status r1i_recipe_read(const char *path, const char *const *set, size_t n_set, r1i_recipe *out, r1_error *err)
{
    r1i_yaml *y;
    *out = (r1i_recipe){0};
    r1_status st = r1i_yaml_read_file(path, &y, err);
    if (st != R1_OK) return st;
    if ((st = resolve(y, set, n_set, out, err)) != R1_OK) {
        r1i_error_prefix(err, "%s: ", path);
        r1i_recipe_free(out);
    }
    r1i_yaml_free(y);
    return st;
}

void r1i_recipe_free(r1i_recipe *r)
{
    json_decref(r->root);
    json_decref(r->choices);
    free((void *)(uintptr_t)r->data_path);
    free(r->eval_task);
    *r = (r1i_recipe){0};
}

/* cos(pi x) for x in [0, 1], by Taylor sums about 0 and 1/2: libm's last bit may differ between machines, a resumed
 * run's may not. */
static double cos_pi(double x)
{
    const double y = x <= 0.25 || x >= 0.75 ? (x > 0.5 ? 1.0 - x : x) : x - 0.5,
                 z = (y * 3.14159265358979323846) * (y * 3.14159265358979323846);
    double c = 1.0, s = 1.0;
    for (int k = 10; k > 0; k--) {
        c = 1.0 - c * z / (double)((2 * k - 1) * (2 * k));
        s = 1.0 - s * z / (double)((2 * k) * (2 * k + 1));
    }
    if (x <= 0.25) return c;
    return x >= 0.75 ? -c : -s * (y * 3.14159265358979323846);
}

double r1i_recipe_lr(const r1i_recipe *r, int64_t t, int64_t total)
{
    if (t <= r->warmup_steps) return r->lr * (double)t / (double)r->warmup_steps;
    const int64_t left = total - r->warmup_steps;
    const double x = left > 1 ? (double)(t - r->warmup_steps - 1) / (double)(left - 1) : 0.0;
    switch (r->schedule) {
    case R1I_SCHEDULE_CONSTANT: return r->lr;
    case R1I_SCHEDULE_LINEAR: return r->lr + (r->min_lr - r->lr) * x;
    case R1I_SCHEDULE_COSINE: break;
    }
    return r->min_lr + 0.5 * (r->lr - r->min_lr) * (1.0 + cos_pi(x));
}
