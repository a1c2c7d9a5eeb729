#include "eval/record_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "eval/fingerprint.h"

static const char *base_name(const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/') n--;
    const char *begin = path + n;
    while (begin > path && begin[-1] != '/') begin--;
    return begin;
}

/* Everything that a sample depends on besides task files, data and prompts, which have their own hashes. Not the number
 * of threads, the batch or the instruction set: those move no bit (compute bf16 excepted, whose arithmetic belongs to
 * the instruction set). */
static r1_status settings(const r1_eval_config *c, const r1i_plan *plan, int64_t context, json_t **out, r1_error *err)
{
    char model[R1I_SHA256_HEX] = "", temperature[32], top_p[32], seed[32];
    *out = json_object();
    snprintf(temperature, sizeof temperature, "%.9g", c->temperature);
    snprintf(top_p, sizeof top_p, "%.9g", c->top_p);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)c->seed);
    json_object_set_new(*out, "temperature", json_string(temperature));
    json_object_set_new(*out, "top-p", json_string(top_p));
    json_object_set_new(*out, "seed", json_string(seed));
    json_object_set_new(*out, "max-tokens", json_integer(c->max_tokens));
    json_object_set_new(*out, "limit", json_integer(c->limit));
    json_t *const samples = json_object();
    for (size_t i = 0; i < plan->n; i++)
        json_object_set_new(samples, plan->task[i].task->name, json_integer(plan->task[i].samples));
    json_object_set_new(*out, "samples", samples);
    if (c->endpoint) {
        json_object_set_new(*out, "model", json_string(c->endpoint->model ? c->endpoint->model : "default"));
        json_object_set_new(*out, "endpoint", json_string(c->endpoint->url));
    } else {
        const r1_status st = c->model_hash ? R1_OK : r1i_fingerprint(c->model_path, model, err);
        if (st != R1_OK) return st;
        r1_model_info info;
        r1_model_get_info(c->model, &info);
        json_object_set_new(*out, "model", json_string(c->model_hash ? c->model_hash : model));
        if (c->lora_path) {
            const r1_status hashed = r1i_fingerprint(c->lora_path, model, err);
            if (hashed != R1_OK) return hashed;
            json_object_set_new(*out, "adapter", json_string(model));
        }
        json_object_set_new(*out, "compute", json_string(info.compute == R1_COMPUTE_BF16 ? info.isa : "f32"));
        json_object_set_new(*out, "exact-activations", json_boolean(info.exact_activations));
        json_object_set_new(*out, "cache-type", json_string(r1_cache_type_name(c->engine.cache_type)));
        json_object_set_new(*out, "context", json_integer(context));
        json_object_set_new(*out, "thinking", json_boolean(!c->no_think));
        json_object_set_new(*out, "chat-template", json_boolean(!c->raw));
    }
    if (c->judge) json_object_set_new(*out, "judge", json_string(c->judge->model ? c->judge->model : "default"));
    return R1_OK;
}

static r1_status set_json(r1i_run_store *s, const char *key, const json_t *value, r1_error *err)
{
    char *const text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
    const r1_status st = text ? r1i_run_store_set(s, key, text, err) : r1i_fail(err, R1_ERR_NOMEM, "%s", key);
    free(text);
    return st;
}

/* ---- beginning --------------------------------------------------------------------------------------------------- */

static r1_status begin_task(r1i_run_store *s, const r1i_plan_task *t, int64_t number, r1_error *err)
{
    char *definition;
    r1_status st = r1i_task_definition(t->task, &definition, err);
    if (st != R1_OK) return st;
    st = r1i_run_store_add_task(s,
                                &(r1i_task_row){number, t->task->name, definition, t->task->hash, t->items.data_hash,
                                                (int64_t)t->items.n, t->samples}, err);
    free(definition);
    for (size_t i = 0; i < t->items.n && st == R1_OK; i++) {
        const r1i_item *const m = &t->items.item[i];
        const r1i_plan_prompt *const p = &t->prompt[i];
        st = r1i_run_store_add_prompt(s,
                                      &(r1i_prompt_row){.task = number, .prompt = (int64_t)i, .line = m->line,
                                                        .row_id = m->id, .subject = m->subject, .question = m->question,
                                                        .gold = m->gold, .question_bytes = m->question_bytes,
                                                        .gold_bytes = m->gold_bytes, .hash = p->hash,
            .ids_hash = p->ids_hash, .tokens = (int64_t)p->n, .thinking_open = p->thinking_open}, err);
    }
    return st;
}

/* manifest.json: for people and other programs, beside the database. */
static r1_status write_manifest(const r1_eval_config *c, const r1i_plan *plan, const json_t *set, r1_error *err)
{
    json_t *const tasks = json_array();
    for (size_t i = 0; i < plan->n; i++) {
        const r1i_plan_task *const t = &plan->task[i];
        json_array_append_new(tasks,
                              json_pack("{s:s, s:s, s:s, s:s, s:I, s:I}", "name", t->task->name, "task_sha256",
                                        t->task->hash, "data", base_name(t->items.path), "data_sha256",
                                        t->items.data_hash, "prompts", (json_int_t)t->items.n, "samples",
                                        (json_int_t)t->samples));
    }
    r1_model_info info = {0};
    if (c->model) r1_model_get_info(c->model, &info);
    json_t *const m = json_pack("{s:s, s:s, s:s, s:s*, s:O, s:o}", "kind", "evaluation", "program", "r1", "version",
                                r1_version(),
                                "instruction_set", info.isa, "settings", set, "tasks", tasks);
    char *const text = m ? json_dumps(m, JSON_INDENT(2)) : NULL, *const path = r1i_path_join(c->out, "manifest.json");
    const r1_status st = text && path ? r1i_file_write_atomic(path, text, strlen(text), err)
        : r1i_fail(err, R1_ERR_NOMEM, "manifest");
    json_decref(m);
    free(text);
    free(path);
    return st;
}

r1_status r1i_record_begin(r1i_run_store *s, const r1_eval_config *config, const r1i_plan *plan, int64_t context,
                           r1_error *err)
{
    json_t *set;
    r1_status st = settings(config, plan, context, &set, err);
    if (st == R1_OK) st = write_manifest(config, plan, set, err);
    if (st == R1_OK) st = r1i_db_begin(r1i_run_store_db(s), err);
    if (st == R1_OK) st = set_json(s, "settings", set, err);
    if (st == R1_OK) st = r1i_run_store_set(s, "kind", "evaluation", err);
    if (st == R1_OK)
        st = r1i_run_store_set(s, "model",
                               config->endpoint ? (config->endpoint->model ? config->endpoint->model : "default")
                               : base_name(config->model_path), err);
    if (st == R1_OK) st = r1i_db_run(r1i_run_store_db(s), err, "INSERT INTO grading VALUES(0, ?)", "t", r1_version());
    for (size_t i = 0; i < plan->n && st == R1_OK; i++) st = begin_task(s, &plan->task[i], (int64_t)i, err);
    if (st == R1_OK) st = r1i_db_commit(r1i_run_store_db(s), err);
    json_decref(set);
    return st;
}

/* ---- comparing --------------------------------------------------------------------------------------------------- */

static r1_status changed(r1_error *err, const char *what, const char *was, const char *is)
{
    return r1i_fail(err, R1_ERR_USAGE, "cannot resume: %.80s was %.100s when this run began and is %.100s now", what,
                    was, is);
}

static r1_status compare_settings(const json_t *was, const json_t *is, r1_error *err)
{
    const char *key;
    json_t *value;
    r1_status st = R1_OK;
    json_object_foreach((json_t *)(uintptr_t)is, key, value)
    {
        const json_t *const old = json_object_get(was, key);
        if (old && json_equal(old, value)) continue;
        char *const a = old ? json_dumps(old, JSON_ENCODE_ANY | JSON_COMPACT) : NULL,
                    *const b = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        st = changed(err, key, a ? a : "not set", b ? b : "?");
        free(a);
        free(b);
        return st;
    }
    json_object_foreach((json_t *)(uintptr_t)was, key, value) if (!json_object_get(is, key))
        return changed(err, key, "set", "not set");
    return st;
}

static r1_status compare_prompts(r1i_run_store *s, const r1i_plan_task *t, int64_t number, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    size_t n = 0;
    r1_status st = r1i_db_query(r1i_run_store_db(s), &rows, err,
                                "SELECT hash, ids_hash, row_id FROM prompt WHERE task = ? ORDER BY prompt", "i",
                                number);
    while (st == R1_OK && (st = r1i_rows_next(rows, &more, err)) == R1_OK && more && n < t->items.n) {
        const r1i_plan_prompt *const p = &t->prompt[n];
        if (strcmp(p->hash, r1i_rows_text(rows, 0, NULL)) != 0 ||
            strcmp(p->ids_hash, r1i_rows_text(rows, 1, NULL)) != 0) {
            st = r1i_fail(err, R1_ERR_USAGE,
                          "cannot resume: task %s: the prompt of row %.60s (%zu) differs from the one this run began with (chat template, "
                          "tokenizer or task changed)", t->task->name, r1i_rows_text(rows, 2, NULL), n);
            break;
        }
        n++;
    }
    r1i_rows_close(rows);
    if (st == R1_OK && n != t->items.n)
        st = r1i_fail(err, R1_ERR_FORMAT, "the record of task %s lacks prompts", t->task->name);
    return st;
}

static r1_status compare_task(r1i_run_store *s, const r1i_plan_task *t, int64_t number, r1_error *err)
{
    r1i_rows *rows;
    bool more = false;
    char what[160], count[32];
    r1_status st = r1i_db_query(r1i_run_store_db(s), &rows, err,
                                "SELECT name, task_hash, data_hash, prompts FROM task WHERE task = ?", "i", number);
    if (st == R1_OK) st = r1i_rows_next(rows, &more, err);
    if (st == R1_OK && !more)
        st = r1i_fail(err, R1_ERR_USAGE, "cannot resume: task %s was not part of this run", t->task->name);
    if (st == R1_OK && strcmp(r1i_rows_text(rows, 0, NULL), t->task->name) != 0)
        st = changed(err, "the list of tasks", r1i_rows_text(rows, 0, NULL), t->task->name);
    snprintf(what, sizeof what, "the file of task %.64s", t->task->name);
    if (st == R1_OK && strcmp(r1i_rows_text(rows, 1, NULL), t->task->hash) != 0)
        st = changed(err, what, r1i_rows_text(rows, 1, NULL), t->task->hash);
    snprintf(what, sizeof what, "the data of task %.64s", t->task->name);
    if (st == R1_OK && strcmp(r1i_rows_text(rows, 2, NULL), t->items.data_hash) != 0)
        st = changed(err, what, r1i_rows_text(rows, 2, NULL), t->items.data_hash);
    snprintf(count, sizeof count, "%zu", t->items.n);
    if (st == R1_OK && r1i_rows_int(rows, 3) != (int64_t)t->items.n)
        st = changed(err, "the number of prompts", r1i_rows_text(rows, 3, NULL), count);
    r1i_rows_close(rows);
    return st == R1_OK ? compare_prompts(s, t, number, err) : st;
}

r1_status r1i_record_compare(r1i_run_store *s, const r1_eval_config *config, const r1i_plan *plan, int64_t context,
                             r1_error *err)
{
    json_t *was = NULL, *is = NULL;
    char *text;
    r1_status st = r1i_run_store_get(s, "settings", &text, err);
    /* killed before it had begun: begin() is one transaction */
    if (st == R1_OK && !text) return r1i_record_begin(s, config, plan, context, err);
    if (st == R1_OK) st = r1i_json_parse(text, strlen(text), &was, err);
    if (st == R1_OK) st = settings(config, plan, context, &is, err);
    for (size_t i = 0; i < plan->n && st == R1_OK; i++) st = compare_task(s, &plan->task[i], (int64_t)i, err);
    if (st == R1_OK) st = compare_settings(was, is, err);
    free(text);
    json_decref(was);
    json_decref(is);
    return st;
}
