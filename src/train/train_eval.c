/* The examiner in the midst of a run: its engine reads the masters where the optimiser wrote them. A task's samples are
 * a record of their own below eval/step-N/, which r1 report and r1 grade read as any other; what they come to is a row
 * of the run's run.db. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"
#include "eval/run.h"
#include "eval/tally.h"
#include "train/trainer.h"

static r1_eval_config config_of(const r1i_trainer *t, size_t i)
{
    const r1i_recipe_task *const task = &t->recipe.eval_task[i];
    r1_eval_config c = r1_eval_config_default();
    c.tasks = &task->task;
    c.n_tasks = 1;
    c.task_dir = t->recipe.eval_task_dir;
    c.data = task->data;
    c.out = t->folder;
    c.samples = task->samples, c.max_tokens = task->max_tokens, c.limit = task->limit;
    c.temperature = task->temperature, c.top_p = task->top_p;
    c.seed = t->recipe.seed;
    c.raw = task->raw, c.no_think = !task->think;
    c.model = t->model, c.tokenizer = t->tokenizer, c.model_path = t->source;
    c.engine.cache_type = (r1_cache_type)t->recipe.cache;
    if (t->eval_cache) c.engine.cache_tokens = t->eval_cache[i];
    return c;
}

r1_status r1i_trainer_check_eval(r1i_trainer *t, uint64_t taken, uint64_t available, uint64_t *bytes, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    *bytes = 0;
    if (r->n_eval_tasks == 0) return R1_OK;
    if (!t->tokenizer)
        return r1i_fail(err, R1_ERR_FORMAT, "eval: %s has no tokenizer, so no task can ask it anything", t->source);
    int64_t *const cache = calloc(r->n_eval_tasks, sizeof *cache);
    if (!cache) return r1i_fail(err, R1_ERR_NOMEM, "%zu tasks", r->n_eval_tasks);
    r1_status st = R1_OK;
    for (size_t i = 0; i < r->n_eval_tasks && st == R1_OK; i++) {
        const r1_eval_config c = config_of(t, i);
        uint64_t needs = 0;
        st = r1i_eval_fit(&c, &t->env, available > taken ? available - taken : 0, &cache[i], &needs, err);
        if (st != R1_OK) r1i_error_prefix(err, "eval: %s: ", r->eval_task[i].name);
        if (needs > *bytes) *bytes = needs;
    }
    t->eval_cache = cache;
    return st;
}

/* ---- one task ---------------------------------------------------------------------------------------------------- */

/* What the weights are: samples of an interrupted evaluation are taken over only where it was of the very same ones. */
static void hash_weights(const r1i_trainer *t, char hex[R1I_SHA256_HEX])
{
    const r1i_gradients *const g = &t->gradients;
    r1i_sha256 s;
    r1i_sha256_init(&s);
    for (int64_t i = 0; i < g->n; i++)
        r1i_sha256_feed(&s, g->param[i].data, (size_t)g->param[i].floats * sizeof(float));
    r1i_sha256_finish_hex(&s, hex);
}

/* Goes on with a record that a killed run left; one of other weights or settings makes room. */
static r1_status run_task(const r1i_trainer *t, r1_eval_config *c, r1_error *err)
{
    char *const db = r1i_path_join(c->out, "run.db");
    if (!db) return r1i_fail(err, R1_ERR_NOMEM, "%s", c->out);
    c->resume = r1i_file_exists(db);
    r1_status st = r1_eval_run(c, &t->env, err);
    if (st == R1_ERR_USAGE && c->resume) {
        static const char *const files[] = {"run.db", "run.db-wal", "run.db-shm", "manifest.json"};
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            char *const path = r1i_path_join(c->out, files[i]);
            if (path) (void)remove(path);
            free(path);
        }
        c->resume = false;
        st = r1_eval_run(c, &t->env, err);
    }
    free(db);
    return st;
}

static r1_status tally(const r1i_trainer *t, const char *dir, r1i_evaluation_row *row, r1_error *err)
{
    r1i_run_tally run;
    r1_status st = r1i_run_tally_read(dir, &t->env, &run, err);
    if (st != R1_OK) return st;
    const r1i_task_tally *const task = &run.task[0];
    r1i_tally *const q = calloc(task->n + 1, sizeof *q);
    size_t n = 0;
    for (size_t i = 0; q && i < task->n; i++) {
        if (task->prompt[i].tally.n == 0) continue; /* missing: told in the task's own report */
        q[n++] = task->prompt[i].tally;
        row->samples += task->prompt[i].tally.n;
        row->correct += task->prompt[i].tally.c;
    }
    if (!q) st = r1i_fail(err, R1_ERR_NOMEM, "%zu prompts", task->n);
    else {
        const r1i_interval v = r1i_clustered(q, n, 0.95);
        row->prompts = (int64_t)n;
        row->pass_at_1 = v.mean, row->lo = v.lo, row->hi = v.hi;
        row->truncated = task->truncated;
        for (size_t i = 0; i < task->n_samples; i++) row->tokens += task->length[i].tokens;
    }
    free(q);
    r1i_run_tally_free(&run);
    return st;
}

static r1_status examine(r1i_trainer *t, int64_t step, size_t i, const char *hash, r1_error *err)
{
    const double start = r1i_seconds();
    r1_eval_config c = config_of(t, i);
    r1i_evaluation_row row = {.step = step};
    char below[R1I_EVALUATION_NAME + 40], model[40];
    snprintf(row.task, sizeof row.task, "%s", t->recipe.eval_task[i].name);
    snprintf(below, sizeof below, "eval/step-%" PRId64 "/%s", step, row.task);
    snprintf(model, sizeof model, "step-%" PRId64, step);
    char *const dir = r1i_path_join(t->folder, below);
    if (!dir) return r1i_fail(err, R1_ERR_NOMEM, "%s", below);
    c.out = dir;
    c.model_path = model;
    c.model_hash = hash;
    r1_status st = run_task(t, &c, err);
    if (st == R1_OK) st = tally(t, dir, &row, err);
    row.seconds = r1i_seconds() - start;
    free(dir);
    return st == R1_OK ? r1i_trainer_note_evaluation(t, &row, err) : st;
}

r1_status r1i_trainer_evaluate(r1i_trainer *t, int64_t step, r1_error *err)
{
    const r1i_recipe *const r = &t->recipe;
    char hash[R1I_SHA256_HEX] = "";
    r1_status st = R1_OK;
    const bool due = step == 0 ? r->eval_at_start : step == t->steps ||
        (r->eval_every > 0 && step % r->eval_every == 0);
    for (size_t i = 0; due && i < r->n_eval_tasks && st == R1_OK; i++) {
        bool done = false;
        st = t->db ? r1i_step_store_has_evaluation(t->db, step, r->eval_task[i].name, &done, err) : R1_OK;
        if (st != R1_OK || done) continue;
        if (!hash[0]) hash_weights(t, hash);
        st = examine(t, step, i, hash, err);
        if (st != R1_OK) r1i_error_prefix(err, "evaluation after step %" PRId64 ", %s: ", step, r->eval_task[i].name);
    }
    return st;
}
