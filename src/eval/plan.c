#include "eval/plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "eval/examiner.h"

void r1i_plan_free(r1i_plan *plan)
{
    for (size_t i = 0; i < plan->n; i++) {
        r1i_plan_task *const t = &plan->task[i];
        for (size_t j = 0; t->prompt && j < t->items.n; j++) r1_free(t->prompt[j].ids);
        free(t->prompt);
        r1i_items_free(&t->items);
        r1i_task_free(t->task);
    }
    free(plan->task);
    *plan = (r1i_plan){0};
}

uint32_t r1i_sample_seed(uint64_t seed, uint32_t step, uint32_t prompt, uint32_t sample)
{
    const uint32_t counter[4] = {0, sample, prompt, step}, key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t out[4];
    r1i_philox(counter, key, out);
    return out[0] >> 1; /* services want a positive 32-bit number */
}

static r1_status check_golds(const r1_eval_config *c, const r1_env *env, const r1i_plan_task *t, r1_error *err)
{
    r1i_examiner *x;
    r1_status st = r1i_examiner_create(t->task->name, t->task->grader, t->task->options, c->judge, env, &x, err);
    if (st != R1_OK) return st;
    for (size_t i = 0; i < t->items.n && st == R1_OK; i++) {
        const r1i_item *const item = &t->items.item[i];
        st = r1i_examiner_check_gold(x, item->gold, item->gold_bytes, err);
        if (st != R1_OK) {
            r1i_error_prefix(err, "%s line %lld (%.80s): ", t->items.path, (long long)item->line,
                             item->id[0] ? item->id : "no id");
            if (err) err->offset = -1, err->line = 0; /* the gold's, not the file's */
        }
    }
    r1i_examiner_destroy(x);
    return st;
}

/* ---- prompts ----------------------------------------------------------------------------------------------------- */

static void hash_ids(const int32_t *ids, size_t n, char hex[R1I_SHA256_HEX])
{
    r1i_sha256 s;
    r1i_sha256_init(&s);
    for (size_t i = 0; i < n; i++) {
        const uint32_t v = (uint32_t)ids[i];
        const uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
        r1i_sha256_feed(&s, le, sizeof le);
    }
    r1i_sha256_finish_hex(&s, hex);
}

static r1_status chat_prompt(const r1_chat_form *form, const r1i_item *item, bool think, r1i_plan_prompt *out,
                             r1_error *err)
{
    r1_prompt p = {0};
    json_t *const messages =
        json_pack("[{s:s, s:o}]", "role", "user", "content", json_stringn(item->question, item->question_bytes));
    char *const json = messages ? json_dumps(messages, JSON_COMPACT) : NULL;
    json_decref(messages);
    if (!json) return r1i_fail(err, R1_ERR_NOMEM, "a prompt of %zu bytes", item->question_bytes);
    const r1_status st = r1_chat_form_prompt(form, json, strlen(json), think, &p, err);
    free(json);
    if (st != R1_OK) return st;
    r1i_sha256_hex(p.text, p.bytes, out->hash);
    out->ids = p.ids;
    out->n = p.n;
    out->thinking_open = p.thinking_open;
    p.ids = NULL;
    r1_prompt_free(&p);
    return R1_OK;
}

static r1_status make_prompt(const r1_eval_config *c, const r1_chat_form *form, const r1i_item *item,
                             r1i_plan_prompt *out, r1_error *err)
{
    r1_status st = R1_OK;
    if (!c->endpoint && form) {
        st = chat_prompt(form, item, !c->no_think, out, err);
    } else {
        r1i_sha256_hex(item->question, item->question_bytes, out->hash);
        if (!c->endpoint)
            st = r1_tokenizer_encode(c->tokenizer, item->question, item->question_bytes,
                                     R1_ENCODE_BOS | R1_ENCODE_PLAIN, &out->ids, &out->n, err);
    }
    if (st == R1_OK && !c->endpoint) hash_ids(out->ids, out->n, out->ids_hash);
    return st;
}

static r1_status make_prompts(const r1_eval_config *c, r1i_plan_task *t, size_t *longest, r1_error *err)
{
    r1_chat_form *form = NULL;
    r1_status st = R1_OK;
    const bool raw = c->raw || t->task->raw;
    if (c->endpoint && raw)
        return r1i_fail(err, R1_ERR_USAGE, "task %s: a raw prompt cannot be sent to a chat service", t->task->name);
    if (!c->endpoint && !raw && (st = r1_chat_form_open(c->tokenizer, &form, err)) != R1_OK) {
        if (st != R1_ERR_MISSING) return st;
        return r1i_fail(err, R1_ERR_FORMAT,
                        "the model has no chat template; --raw gives it the task's prompts as they are");
    }
    t->prompt = calloc(t->items.n, sizeof *t->prompt);
    if (!t->prompt) st = r1i_fail(err, R1_ERR_NOMEM, "%zu prompts", t->items.n);
    for (size_t i = 0; i < t->items.n && st == R1_OK; i++) {
        st = make_prompt(c, form, &t->items.item[i], &t->prompt[i], err);
        if (st != R1_OK) r1i_error_prefix(err, "%s line %lld: ", t->items.path, (long long)t->items.item[i].line);
        if (t->prompt[i].n > *longest) *longest = t->prompt[i].n;
    }
    r1_chat_form_close(form);
    return st;
}

/* ---- tasks ------------------------------------------------------------------------------------------------------- */

static uint32_t step_of(const char *name)
{
    r1i_sha256 s;
    uint8_t d[32];
    r1i_sha256_init(&s);
    r1i_sha256_feed(&s, name, strlen(name));
    r1i_sha256_finish(&s, d);
    return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
}

static r1_status make_task(const r1_eval_config *c, const r1_env *env, const char *name, r1i_plan *plan, r1_error *err)
{
    r1i_plan_task *const t = &plan->task[plan->n];
    r1_status st = r1i_task_find(name, c->task_dir, &t->task, err);
    if (st != R1_OK) return st;
    plan->n++;
    for (size_t i = 0; i + 1 < plan->n; i++)
        if (strcmp(plan->task[i].task->name, t->task->name) == 0)
            return r1i_fail(err, R1_ERR_USAGE, "task %s is named twice", t->task->name);
    t->samples = c->samples ? c->samples : c->temperature == 0.0 ? 1 : t->task->samples;
    t->step = step_of(t->task->name);
    st = r1i_items_load(t->task, c->data, c->limit, &t->items, err);
    if (st == R1_OK) st = check_golds(c, env, t, err);
    if (st == R1_OK) st = make_prompts(c, t, &plan->longest, err);
    plan->total += (uint64_t)t->items.n * (uint64_t)t->samples;
    return st;
}

r1_status r1i_plan_make(const r1_eval_config *config, const r1_env *env, r1i_plan *out, r1_error *err)
{
    *out = (r1i_plan){0};
    if (config->n_tasks == 0) return r1i_fail(err, R1_ERR_USAGE, "no task is named");
    out->task = calloc(config->n_tasks, sizeof *out->task);
    if (!out->task) return r1i_fail(err, R1_ERR_NOMEM, "%zu tasks", config->n_tasks);
    r1_status st = R1_OK;
    for (size_t i = 0; i < config->n_tasks && st == R1_OK; i++) st = make_task(config, env, config->tasks[i], out, err);
    if (st != R1_OK) r1i_plan_free(out);
    return st;
}
