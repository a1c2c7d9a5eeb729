/* A run from its recipe to its last checkpoint: open everything, compare what it needs with the memory there is, then
 * step. */
#include "train/trainer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "train/init.h"
#include "train/train_folder.h"

/* ---- where the weights come from --------------------------------------------------------------------------------- */

static const char *const tokenizer_files[] = {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
                                              "chat_template.jinja"};

static r1_status copy_tokenizer(const char *from, const char *folder, r1_error *err)
{
    char *const needed = r1i_path_join(from, tokenizer_files[0]);
    if (!needed) return r1i_fail(err, R1_ERR_NOMEM, "%s", from);
    r1_status st = r1i_file_exists(needed) ? R1_OK : r1i_fail_errno(err, ENOENT, "init.tokenizer: %s", needed);
    free(needed);
    for (size_t i = 0; i < sizeof tokenizer_files / sizeof *tokenizer_files && st == R1_OK; i++) {
        char *const path = r1i_path_join(from, tokenizer_files[i]);
        if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", from);
        if (r1i_file_exists(path)) st = r1i_folder_copy(path, folder, tokenizer_files[i], err);
        free(path);
    }
    return st;
}

/* runs/NAME/init: config, tokenizer and random weights; the same bytes each time. */
static r1_status make_init(r1i_trainer *t, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    r1i_config c;
    json_t *root;
    if (!(t->source = r1i_path_join(t->folder, "init"))) return r1i_fail(err, R1_ERR_NOMEM, "%s", t->folder);
    r1_status st = r1i_json_read_file(r->init_config, 1 << 20, &root, err);
    if (st != R1_OK) return st;
    st = r1i_config_from_json(root, &c, NULL, err);
    json_decref(root);
    if (st == R1_OK) st = r1i_config_check(&c, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s: ", r->init_config);
        return st;
    }
    t->made_init = !r1i_is_directory(t->source);
    if ((st = r1i_make_folders(t->source, err)) != R1_OK ||
        (st = r1i_folder_copy(r->init_config, t->source, "config.json", err)) != R1_OK) return st;
    if (r->init_tokenizer && (st = copy_tokenizer(r->init_tokenizer, t->source, err)) != R1_OK) return st;
    return r1i_init_write(t->source, &c, r->init_std, r->seed, R1_DTYPE_F32, err);
}

static r1_status find_source(r1i_trainer *t, r1_error *err)
{
    if (t->recipe.init_config) return make_init(t, err);
    if (!r1i_is_directory(t->recipe.model) && !r1i_file_exists(t->recipe.model))
        return r1i_fail_errno(err, ENOENT, "%s", t->recipe.model);
    if (!r1i_is_directory(t->recipe.model) && !t->recipe.lora) /* an adapter names its base and copies nothing of it */
        return r1i_fail(err, R1_ERR_UNSUPPORTED,
                        "%s: the folder of a Hugging Face checkpoint expected, whose config.json goes into every checkpoint that is saved; a GGUF file's quantised weights cannot "
                        "be trained in any case: their steps are coarser than an update (an adapter on them can: lora)",
                        t->recipe.model);
    t->source = strdup(t->recipe.model);
    return t->source ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%s", t->recipe.model);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

/* A folder may have a tokenizer; a .gguf file (an adapter's base) has it within. */
static r1_status open_tokenizer(r1i_trainer *t, r1_error *err)
{
    r1_status st = R1_OK;
    r1_error none;
    char *const path = r1i_path_join(t->source, "tokenizer.json");
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", t->source);
    if (r1i_file_exists(path) || !r1i_is_directory(t->source))
        st = r1_tokenizer_open(t->source, &t->env, &t->tokenizer, err);
    /* only rows with turns need it, and say so */
    if (st == R1_OK && t->tokenizer) (void)r1_chat_form_open(t->tokenizer, &t->form, &none);
    free(path);
    return st;
}

/* The rate at which all weights learn moves a term, of which B begins at zero, hardly at all. */
#define SMALL_RATE 2e-5

static r1_status begin_adapter(r1i_trainer *t, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    r1i_lora_config c = {.r = r->lora_r, .alpha = r->lora_alpha, .rslora = r->lora_rslora,
                         .all_linear = !r->lora_targets, .targets = json_incref(r->lora_targets),
                         .base = json_string(r->model)};
    const r1_status st = c.base ? r1i_adapter_begin(t->model, &c, r->seed, err)
        : r1i_fail(err, R1_ERR_NOMEM, "adapter");
    r1i_lora_config_free(&c);
    if (st != R1_OK) r1i_error_prefix(err, "lora: ");
    if (st == R1_OK && r->lr < SMALL_RATE)
        r1i_log(&t->env, R1_LOG_WARN,
                "optimizer.lr %g is a rate for training all weights; adapters commonly want 1e-4 to 5e-4", r->lr);
    return st;
}

static r1_status open_model(r1i_trainer *t, const char *path, const char *isa, r1_error *err)
{
    r1_model_params params = r1_model_params_default();
    params.trainable = !t->recipe.lora;
    params.compute = t->recipe.compute;
    params.load_mtp = t->recipe.mtp_weight > 0.0;
    params.isa = isa;
    r1_status st = r1_model_open(path, &params, &t->env, &t->model, err);
    if (st != R1_OK) return st;
    if (t->recipe.lora && (st = begin_adapter(t, err)) != R1_OK) return st;
    return open_tokenizer(t, err);
}

/* A .gguf file's tokenizer stands before its tensors. */
static r1_status hash_front(const char *path, r1i_sha256 *s, r1_error *err)
{
    r1i_map map;
    const r1_status st = r1i_map_open(path, &map, err);
    const uint64_t most = UINT64_C(64) << 20;
    if (st != R1_OK) return st;
    if (map.size) r1i_sha256_feed(s, map.data, (size_t)(map.size < most ? map.size : most));
    r1i_map_close(&map);
    return R1_OK;
}

/* What the token cache knows a tokenizer by: the files that it and its template are read from. */
static r1_status hash_tokenizer(const r1i_trainer *t, char hex[R1I_SHA256_HEX], r1_error *err)
{
    r1i_sha256 s;
    r1_status st = R1_OK;
    r1i_sha256_init(&s);
    if (!r1i_is_directory(t->source) && (st = hash_front(t->source, &s, err)) != R1_OK) return st;
    for (size_t i = 0; i < sizeof tokenizer_files / sizeof *tokenizer_files && st == R1_OK; i++) {
        char *const path = r1i_path_join(t->source, tokenizer_files[i]);
        uint8_t *bytes;
        size_t size;
        if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", t->source);
        if (r1i_file_exists(path) && (st = r1i_file_read(path, UINT64_C(1) << 30, &bytes, &size, err)) == R1_OK) {
            r1i_sha256_feed(&s, &size, sizeof size);
            r1i_sha256_feed(&s, bytes, size);
            r1_free(bytes);
        }
        free(path);
    }
    r1i_sha256_finish_hex(&s, hex);
    return st;
}

static r1_status open_data(r1i_trainer *t, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    char tokenizer[R1I_SHA256_HEX];
    const r1_status hashed = hash_tokenizer(t, tokenizer, err);
    if (hashed != R1_OK) return hashed;
    const r1i_training_data_params params = {
        .path = r->data_path, .n_paths = r->n_data_paths, .sequence_length = r->sequence_length, .seed = r->seed,
        .keep_order = r->keep_order, .think = r->think, .too_long = r->too_long, .cache_folder = r->token_cache,
        .tokenizer_hash = tokenizer, .vocab_size = t->model->config.vocab_size};
    const r1_status st = r1i_training_data_open(&params, t->tokenizer, t->form, &t->env, &t->data, err);
    if (st != R1_OK) return st;
    r1i_training_data_stats(t->data, &t->stats);
    t->steps = r->steps > 0 ? r->steps : (int64_t)(r->epochs * (double)t->stats.chunks / (double)r->batch_size + 0.5);
    if (t->steps < 1) t->steps = 1;
    return R1_OK;
}

static r1i_stepper_params stepper_params(const r1i_trainer *t)
{
    const r1i_recipe *const r = &t->recipe;
    const int64_t vocab = t->model->config.vocab_size;
    return (r1i_stepper_params){.max_rows = t->max_rows, .max_positions = r->sequence_length,
                                .temperature = (float)r->temperature,
                                .max_pages = r->micro_batch * r1i_training_data_pages(t->data, R1I_PAGE),
                                .n_defined = t->tokenizer && r1_tokenizer_size(t->tokenizer) < vocab
                                ? r1_tokenizer_size(t->tokenizer) : 0, .mtp_weight = (float)r->mtp_weight,
                                .mtp_detach = r->mtp_detach, .cache_type = r->cache, .recompute = r->recompute};
}

static r1_status plan_memory(r1i_trainer *t, r1_train_plan *p, r1_error *err)
{
    const r1i_stepper_params sp = stepper_params(t);
    r1_model_info info;
    r1_model_get_info(t->model, &info);
    p->model_bytes = info.weight_bytes;
    p->compute = info.compute;
    p->isa = info.isa;
    p->optimizer_bytes = r1i_gradients_bytes(t->model, t->recipe.mtp_weight > 0.0) +
        (t->recipe.muon ? r1i_muon_bytes(t->model, r1i_env_threads(&t->env)) : 0);
    p->activation_bytes = r1i_stepper_bytes(t->model, &sp, r1i_env_threads(&t->env));
    p->total_bytes = p->model_bytes + p->optimizer_bytes + p->activation_bytes;
    p->available_bytes = r1i_memory_available() + p->model_bytes; /* the weights are there already */
    if (t->memory_limit > 0 && t->memory_limit < p->available_bytes) p->available_bytes = t->memory_limit;
    const r1_status st = r1i_trainer_check_eval(t, p->total_bytes, p->available_bytes, &p->evaluation_bytes, err);
    p->total_bytes += p->evaluation_bytes;
    return st;
}

static r1_status make_plan(r1i_trainer *t, r1_train_plan *p, r1_error *err)
{
    r1i_param_count count;
    r1i_config_count(&t->model->config, &count);
    *p = (r1_train_plan){.first_step = t->first_step, .steps = t->steps, .parameters = count.total,
                         .rows = t->stats.rows, .documents = t->stats.documents, .skipped = t->stats.skipped,
                         .tokens = t->stats.tokens, .targets = t->stats.targets, .chunks = t->stats.chunks,
                         .model = t->source, .data_hash = t->stats.hash,
                         .flops_per_token = (t->recipe.lora ? 4.0 : 6.0) * (double)count.active};
    t->max_rows = t->recipe.micro_batch * t->recipe.sequence_length;
    const r1_status st = plan_memory(t, p, err);
    if (st != R1_OK || p->total_bytes <= p->available_bytes) return st;
    const double unit = p->total_bytes < UINT64_C(1) << 32 ? 0x1p20 : 0x1p30;
    return r1i_fail(err, R1_ERR_NOMEM,
                    "training needs %.1f %s: weights %.1f, gradients and moments %.1f, activations with their gradients %.1f, evaluation %.1f (micro_batch %" PRId64
                    " of %" PRId64 " tokens; recompute: true needs less); %.1f are available",
                    (double)p->total_bytes / unit, unit == 0x1p20 ? "MiB" : "GiB", (double)p->model_bytes / unit,
                    (double)p->optimizer_bytes / unit, (double)p->activation_bytes / unit,
                    (double)p->evaluation_bytes / unit, t->recipe.micro_batch, t->recipe.sequence_length,
                    (double)p->available_bytes / unit);
}

static r1_status open_muon(r1i_trainer *t, r1_error *err)
{
    if (t->model->adapter)
        return r1i_fail(err, R1_ERR_UNSUPPORTED,
                        "optimizer.name: muon is for whole matrices, not for an adapter's two thin ones: adamw expected");
    if (!(t->muon_scratch = malloc(r1i_muon_bytes(t->model, r1i_pool_threads(t->pool)) + 1)))
        return r1i_fail(err, R1_ERR_NOMEM, "Muon's scratch");
    for (int64_t i = 0; i < t->gradients.n; i++) t->gradients.param[i].muon = r1i_muon_takes(&t->gradients.param[i].p);
    return R1_OK;
}

static r1_status open_workings(r1i_trainer *t, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    const r1i_config *const c = &t->model->config;
    const size_t n = (size_t)t->max_rows,
                 experts = (size_t)((c->num_hidden_layers + c->num_nextn_predict_layers) * c->n_routed_experts);
    r1_status st = r1i_pool_create(&t->env, 0, &t->pool, err);
    if (st != R1_OK) return st;
    if ((st = r1i_gradients_create(&t->gradients, t->model, r->mtp_weight > 0.0, &t->env, err)) != R1_OK) return st;
    if (r->muon && (st = open_muon(t, err)) != R1_OK) return st;
    const r1i_stepper_params sp = stepper_params(t);
    if ((st = r1i_stepper_create(&t->stepper, t->model, &t->gradients, t->pool, &sp, &t->env, err)) != R1_OK) return st;
    t->token = malloc(n * sizeof *t->token);
    t->target = malloc(n * sizeof *t->target);
    t->page = malloc(n * sizeof *t->page);
    t->weight = malloc(n * sizeof *t->weight);
    t->runs = malloc(n * sizeof *t->runs);
    t->documents = malloc(R1I_CHUNK_DOCUMENTS * sizeof *t->documents);
    t->load = experts ? calloc(experts, sizeof *t->load) : NULL;
    if (t->token && t->target && t->page && t->weight && t->runs && t->documents && (t->load || !experts)) return R1_OK;
    return r1i_fail(err, R1_ERR_NOMEM, "a micro-batch of %" PRId64 " tokens", t->max_rows);
}

static void close_all(r1i_trainer *t)
{
    r1i_events_close(t->events);
    r1i_db_close(t->db);
    if (t->stepper.model) r1i_stepper_destroy(&t->stepper);
    r1i_gradients_destroy(&t->gradients);
    r1i_pool_destroy(t->pool);
    r1i_training_data_close(t->data);
    r1_chat_form_close(t->form);
    r1_tokenizer_close(t->tokenizer);
    r1_model_close(t->model);
    r1i_recipe_free(&t->recipe);
    free(t->token), free(t->target), free(t->page), free(t->weight), free(t->runs), free(t->documents), free(t->load),
        free(t->eval_cache), free(t->muon_scratch);
    free(t->folder), free(t->checkpoints), free(t->source);
    json_decref(t->identity);
    if (t->lock > 0) close(t->lock);
}

/* ---- resuming ---------------------------------------------------------------------------------------------------- */

/* The newest checkpoint's weights replace the model's; its step is the last one done. */
static r1_status restore(r1i_trainer *t, const char *path, const json_t *state, r1_error *err)
{
    r1_status st = r1i_checkpoint_load(path, t->model, &t->gradients, err);
    if (st != R1_OK) return st;
    r1i_gradients_round(&t->gradients, t->pool);
    st = r1i_trainer_compare(t, state, err);
    t->first_step = json_integer_value(json_object_get(state, "step")) + 1;
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
    return st;
}

/* A second process in the same folder would remove what the first one is writing. The lock goes with the process,
 * however it ends. */
static r1_status lock_folder(r1i_trainer *t, r1_error *err)
{
    char *const path = r1i_path_join(t->folder, "lock");
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", t->folder);
    t->lock = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    t->made_lock = t->lock >= 0;
    if (t->lock < 0 && errno == EEXIST) t->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    r1_status st = R1_OK;
    if (t->lock < 0) st = r1i_fail_errno(err, errno, "%s", path);
    else if (flock(t->lock, LOCK_EX | LOCK_NB) != 0)
        st = r1i_fail(err, R1_ERR_USAGE, "%s: another process is training here", t->folder);
    free(path);
    return st;
}

/* *latest: malloc'd, NULL without one. */
static r1_status look_for_run(r1i_trainer *t, bool resume, char **latest, r1_error *err)
{
    int64_t step;
    *latest = NULL;
    t->made_folder = !r1i_is_directory(t->folder);
    r1_status st = r1i_make_folders(t->folder, err);
    if (st == R1_OK) st = lock_folder(t, err);
    if (st == R1_OK) st = r1i_checkpoint_prune(t->checkpoints, 0, err); /* what a killed process left half-written */
    if (st == R1_OK) st = r1i_checkpoint_latest(t->checkpoints, latest, &step, err);
    if (st == R1_OK && *latest && !resume) {
        st = r1i_fail(err, R1_ERR_USAGE,
                      "%s holds a run already (%s): --resume goes on with it, another --out begins anew", t->folder,
                      *latest);
        free(*latest);
        *latest = NULL;
    }
    return st;
}

/* A run that cannot begin leaves no trace: what this call made, with the lock still held. */
static void take_back(const r1i_trainer *t)
{
    r1_error ignored;
    char *const lock = r1i_path_join(t->folder, "lock"), *const init = r1i_path_join(t->folder, "init");
    if (t->made_init && init) (void)r1i_folder_remove(init, &ignored);
    if (t->made_lock && lock) (void)unlink(lock);
    if (t->made_folder) (void)rmdir(t->folder);
    free(lock);
    free(init);
}

/* ---- the run ----------------------------------------------------------------------------------------------------- */

/* Everything that the first step needs; what is wrong with recipe, model, data, tasks or memory is told here. */
static r1_status open_all(r1i_trainer *t, const r1_train_params *p, r1_train_plan *plan, r1_error *err)
{
    char *latest;
    json_t *state = NULL;
    /* the checkpoint's model file has the masters, whatever the recipe says now of the next one's */
    bool whole = false;
    r1_status st = look_for_run(t, p->resume, &latest, err);
    if (st == R1_OK && latest) st = r1i_checkpoint_open(latest, &state, &whole, err);
    if (st == R1_OK) st = find_source(t, err);
    if (st == R1_OK) st = open_model(t, whole ? latest : t->source, p->isa, err);
    if (st == R1_OK) st = open_data(t, err);
    if (st == R1_OK) st = r1i_trainer_identify(t, err);
    t->first_step = 1;
    if (st == R1_OK) st = make_plan(t, plan, err);
    if (st == R1_OK) st = open_workings(t, err);
    if (st == R1_OK && latest) st = restore(t, latest, state, err);
    free(latest);
    json_decref(state);
    return st;
}

static r1_status open_run(r1i_trainer *t, const r1_train_params *p, r1_train_plan *plan, r1_error *err)
{
    r1_status st = r1i_recipe_read(p->recipe, p->set, p->n_set, &t->recipe, err);
    if (st != R1_OK) return st;
    t->folder = strdup(p->out);
    t->checkpoints = r1i_path_join(p->out, "ckpt");
    if (!t->folder || !t->checkpoints) return r1i_fail(err, R1_ERR_NOMEM, "%s", p->out);
    if ((st = open_all(t, p, plan, err)) != R1_OK) {
        take_back(t);
        return st;
    }
    plan->first_step = t->first_step;
    plan->trained_parameters = t->model->adapter ? r1i_adapter_count(t->model->adapter) : (uint64_t)t->gradients.total;
    plan->adapter_rank = t->recipe.lora_r;
    st = r1i_trainer_describe(t, plan, err);
    if (st == R1_OK) st = r1i_trainer_open_records(t, err);
    if (st == R1_OK && t->recipe.n_eval_tasks > 0 && !t->db)
        st = r1i_fail(err, R1_ERR_MISSING, "eval: this build has no SQLite, which keeps the samples");
    return st;
}

static r1_status steps(r1i_trainer *t, bool (*on_step)(void *user, const r1_train_step *step), void *user,
                       r1_error *err)
{
    r1_status st = r1i_trainer_evaluate(t, t->first_step - 1, err); /* also what a run that was killed while it was
                                                                     * examined still lacks */
    bool go_on = true;
    for (int64_t i = t->first_step; i <= t->steps && st == R1_OK && go_on; i++) {
        r1_train_step s;
        if ((st = r1i_trainer_step(t, i, &s, err)) != R1_OK) {
            r1i_error_prefix(err, "step %" PRId64 ": ", i);
            break;
        }
        s.saved = i == t->steps || (t->recipe.save_every > 0 && i % t->recipe.save_every == 0);
        st = r1i_trainer_note(t, &s, err);
        if (st == R1_OK && s.saved) st = r1i_trainer_save(t, i, err);
        if (st != R1_OK) break;
        go_on = !on_step || on_step(user, &s);
        if (!go_on && !s.saved) st = r1i_trainer_save(t, i, err);
        if (st == R1_OK) st = r1i_trainer_evaluate(t, i, err);
        if (!go_on && st == R1_OK && i < t->steps) st = r1i_fail(err, R1_ERR_STOPPED, "stopped after step %" PRId64, i);
    }
    return st;
}

static r1_status tell_plan(const r1i_trainer *t, r1_train_plan *plan,
                           void (*on_plan)(void *user, const r1_train_plan *plan), void *user, r1_error *err)
{
    const size_t n = json_array_size(t->recipe.choices);
    r1_train_choice *const list = calloc(n + 1, sizeof *list);
    if (!list) return r1i_fail(err, R1_ERR_NOMEM, "the plan");
    for (size_t i = 0; i < n; i++) {
        const json_t *const c = json_array_get(t->recipe.choices, i);
        list[i] = (r1_train_choice){.key = json_string_value(json_object_get(c, "key")),
                                    .value = json_string_value(json_object_get(c, "value")),
                                    .published = json_string_value(json_object_get(c, "published")),
                                    .by = json_string_value(json_object_get(c, "by"))};
    }
    plan->preset = json_string_value(json_object_get(t->recipe.root, "preset"));
    plan->choice = list;
    plan->n_choices = n;
    on_plan(user, plan);
    plan->choice = NULL;
    free(list);
    return R1_OK;
}

r1_status r1_train(const r1_train_params *params, const r1_env *env,
                   void (*on_plan)(void *user, const r1_train_plan *plan),
                   bool (*on_step)(void *user, const r1_train_step *step), void *user, r1_error *err)
{
    r1i_trainer t = {0};
    r1_train_plan plan = {0};
    if (env) t.env = *env;
    t.on_evaluation = params->on_evaluation;
    t.user = user;
    t.memory_limit = params->memory_limit;
    r1_status st = open_run(&t, params, &plan, err);
    if (st == R1_OK && on_plan) st = tell_plan(&t, &plan, on_plan, user, err);
    if (st == R1_OK) st = steps(&t, on_step, user, err);
    close_all(&t);
    return st;
}
