/* What the run folder holds besides checkpoints: the resolved recipe, the manifest, the record of its steps. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/file.h"
#include "base/outfile.h"
#include "train/trainer.h"

/* ---- YAML out ---------------------------------------------------------------------------------------------------- */

/* A number as short as it can be and still be read back exactly: 0.003, not 0.0030000000000000001. */
static void put_real(FILE *f, double x)
{
    char text[40];
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod(text, NULL) == x) break;
    }
    fputs(text, f);
    if (!strpbrk(text, ".en")) fputs(".0", f);
}

static void put_scalar(FILE *f, const json_t *v)
{
    if (json_is_real(v)) {
        put_real(f, json_real_value(v));
        return;
    }
    char *const s = json_dumps(v, JSON_ENCODE_ANY); /* JSON's scalars and strings are YAML's */
    fputs(s ? s : "null", f);
    free(s);
}

static void put_map(FILE *f, const json_t *map, int depth)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        fprintf(f, "%*s%s:", 2 * depth, "", key);
        if (json_is_object(value)) {
            fputc('\n', f);
            put_map(f, value, depth + 1);
        } else if (json_is_array(value)) {
            fputc('\n', f);
            for (size_t i = 0; i < json_array_size(value); i++) {
                fprintf(f, "%*s- ", 2 * depth + 2, "");
                put_scalar(f, json_array_get(value, i));
                fputc('\n', f);
            }
        } else {
            fputc(' ', f);
            put_scalar(f, value);
            fputc('\n', f);
        }
    }
}

/* Text through a memory stream into a file that appears whole. */
static r1_status write_whole(const r1i_trainer *t, const char *name, const char *text, size_t size, r1_error *err)
{
    r1i_outfile out;
    char *const path = r1i_path_join(t->folder, name);
    r1_status st = path ? r1i_outfile_open(path, &out, err) : r1i_fail(err, R1_ERR_NOMEM, "%s", name);
    if (st == R1_OK && (st = r1i_outfile_write(&out, text, size, err)) != R1_OK) r1i_outfile_abort(&out);
    if (st == R1_OK) st = r1i_outfile_commit(&out, err);
    free(path);
    return st;
}

static r1_status write_recipe(const r1i_trainer *t, r1_error *err)
{
    char *text = NULL;
    size_t size = 0;
    FILE *const f = open_memstream(&text, &size);
    if (!f) return r1i_fail(err, R1_ERR_NOMEM, "recipe.yaml");
    fputs("# as resolved: what the recipe said, the preset's published values, then defaults\n", f);
    put_map(f, t->recipe.root, 0);
    const bool whole = fclose(f) == 0;
    const r1_status st = whole ? write_whole(t, "recipe.yaml", text, size, err)
        : r1i_fail(err, R1_ERR_NOMEM, "recipe.yaml");
    free(text);
    return st;
}

r1_status r1i_trainer_describe(const r1i_trainer *t, const r1_train_plan *p, r1_error *err)
{
    r1_model_info info;
    r1_model_get_info(t->model, &info);
    json_t *const m = json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "model",
                                t->source,
                                "architecture", info.architecture, "instruction_set", info.isa, "compute",
                                info.compute == R1_COMPUTE_BF16 ? "bf16" : "f32", "parameters",
                                (json_int_t)p->parameters, "trained", (json_int_t)p->trained_parameters, "data_sha256",
                                t->stats.hash, "rows", (json_int_t)p->rows, "documents", (json_int_t)p->documents,
                                "skipped", (json_int_t)p->skipped, "tokens", (json_int_t)p->tokens, "targets",
                                (json_int_t)p->targets, "chunks", (json_int_t)p->chunks, "steps", (json_int_t)p->steps);
    char *const text = m && json_object_update(m, t->identity) == 0 &&
        json_object_set(m, "choices", t->recipe.choices) == 0 ? json_dumps(m, JSON_INDENT(1)) : NULL;
    r1_status st = text ? write_whole(t, "manifest.json", text, strlen(text), err)
        : r1i_fail(err, R1_ERR_NOMEM, "manifest.json");
    free(text);
    json_decref(m);
    return st == R1_OK ? write_recipe(t, err) : st;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

r1_status r1i_trainer_open_records(r1i_trainer *t, r1_error *err)
{
    r1_status st = r1i_step_store_open(t->folder, t->first_step - 1, &t->db, err);
    if (st == R1_ERR_MISSING) {
        r1i_log(&t->env, R1_LOG_WARN, "%s: the run goes on without a record of its steps",
                err ? err->message : "no SQLite");
        st = R1_OK;
    }
    return st == R1_OK ? r1i_events_open(t->folder, t->first_step, &t->events, err) : st;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static r1_status note_events(const r1i_trainer *t, const r1_train_step *s, r1_error *err)
{
    const struct { const char *tag; double value; } scalars[] = {
        {"train/loss", s->loss}, {"train/learning_rate", s->learning_rate}, {"train/gradient_norm", s->gradient_norm},
        {"train/tokens_per_second", s->tokens_per_second}, {"train/mtp_loss", s->mtp_loss}, {"train/balance_loss", s->balance_loss}, {"train/load_spread", s->load_spread},
    };
    const double time = now();
    r1_status st = R1_OK;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars && st == R1_OK; i++)
        if (i < 4 || scalars[i].value != 0.0)
            st = r1i_events_scalar(t->events, time, s->step, scalars[i].tag, (float)scalars[i].value, err);
    return st == R1_OK ? r1i_events_flush(t->events, err) : st;
}

r1_status r1i_trainer_note(const r1i_trainer *t, const r1_train_step *s, r1_error *err)
{
    const r1i_step_row row = {.step = s->step, .epoch = s->epoch, .tokens = s->tokens, .targets = s->targets,
                              .loss = s->loss, .mtp_loss = s->mtp_loss, .balance_loss = s->balance_loss,
                              .learning_rate = s->learning_rate, .gradient_norm = s->gradient_norm,
                              .load_spread = s->load_spread, .seconds = s->seconds};
    const r1_status st = t->db ? r1i_step_store_add(t->db, &row, err) : R1_OK;
    return st == R1_OK ? note_events(t, s, err) : st;
}

r1_status r1i_trainer_note_evaluation(const r1i_trainer *t, const r1i_evaluation_row *e, r1_error *err)
{
    const double each = e->samples > 0 ? 1.0 / (double)e->samples : 0.0;
    const struct { const char *what; double value; } scalars[] = {{"pass@1", e->pass_at_1},
                                                                  {"tokens", (double)e->tokens * each}, {"truncated", (double)e->truncated * each}};
    char tag[R1I_EVALUATION_NAME + 24];
    const double time = now();
    r1_status st = t->db ? r1i_step_store_add_evaluation(t->db, e, err) : R1_OK;
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars && st == R1_OK; i++) {
        snprintf(tag, sizeof tag, "eval/%s/%s", e->task, scalars[i].what);
        st = r1i_events_scalar(t->events, time, e->step, tag, (float)scalars[i].value, err);
    }
    if (st == R1_OK) st = r1i_events_flush(t->events, err);
    const r1_train_evaluation told = {.step = e->step, .task = e->task, .prompts = e->prompts, .samples = e->samples,
                                      .correct = e->correct, .truncated = e->truncated, .tokens = e->tokens,
                                      .pass_at_1 = e->pass_at_1, .lo = e->lo, .hi = e->hi, .seconds = e->seconds};
    if (st == R1_OK && t->on_evaluation) t->on_evaluation(t->user, &told);
    return st;
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

r1_status r1i_trainer_save(r1i_trainer *t, int64_t step, r1_error *err)
{
    json_t *const state = json_pack("{s:s, s:O}", "data_sha256", t->stats.hash, "recipe", t->recipe.root);
    if (!state || json_object_update(state, t->identity) != 0) {
        json_decref(state);
        return r1i_fail(err, R1_ERR_NOMEM, "state.json");
    }
    r1_status st = r1i_checkpoint_save(t->checkpoints, step, t->source, t->model, &t->gradients,
                                       t->recipe.save_f32 ? R1_DTYPE_F32 : R1_DTYPE_BF16, state, err);
    json_decref(state);
    if (st == R1_OK) st = r1i_checkpoint_prune(t->checkpoints, t->recipe.keep, err);
    if (st != R1_OK) r1i_error_prefix(err, "checkpoint of step %" PRId64 ": ", step);
    return st;
}
