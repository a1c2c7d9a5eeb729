/* What a training run's record says: a table, numbers for scripts, curves on a page. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "r1/train.h"
#include "record/page.h"
#include "record/step_store.h"

typedef struct curves {
    const char *dir;
    r1i_step_row *row;
    size_t n;
    double *x, *smooth, *y; /* steps; the loss smoothed; one curve's values */
    r1i_evaluation_row *eval; /* [n_eval] by task, then step */
    size_t n_eval;
} curves;

enum { TABLE_ROWS = 16 };

/* Exponential mean with a half-life of a fortieth of the run, unbiased at its beginning. */
static void smooth_loss(const curves *c)
{
    const double keep = exp2(-40.0 / (double)(c->n < 40 ? 40 : c->n));
    double sum = 0.0, weight = 0.0;
    for (size_t i = 0; i < c->n; i++) {
        sum = keep * sum + (1.0 - keep) * c->row[i].loss;
        weight = keep * weight + (1.0 - keep);
        c->smooth[i] = sum / weight;
    }
}

/* ---- text, CSV, JSON --------------------------------------------------------------------------------------------- */

static void put_text(r1i_text *t, const curves *c)
{
    int64_t tokens = 0, targets = 0;
    for (size_t i = 0; i < c->n; i++) tokens += c->row[i].tokens, targets += c->row[i].targets;
    r1i_text_printf(t, "%s: %zu step%s, %" PRId64 " tokens (%" PRId64 " targets), loss %.4f to %.4f, smoothed %.4f\n\n",
                    c->dir, c->n, c->n == 1 ? "" : "s", tokens, targets, c->row[0].loss, c->row[c->n - 1].loss,
                    c->smooth[c->n - 1]);
    r1i_text_puts(t, "    step      loss  smoothed        lr  gradient norm\n");
    size_t before = c->n;
    for (size_t k = 0; k < TABLE_ROWS; k++) {
        const size_t i = c->n <= TABLE_ROWS ? k : k * (c->n - 1) / (TABLE_ROWS - 1);
        if (i >= c->n || i == before) continue;
        before = i;
        r1i_text_printf(t, "%8" PRId64 "  %8.4f  %8.4f  %8.2e  %13.4f\n", c->row[i].step, c->row[i].loss, c->smooth[i],
                        c->row[i].learning_rate, c->row[i].gradient_norm);
    }
    if (c->n_eval == 0) return;
    r1i_text_puts(t, "\n    step    pass@1   95 % interval  samples  tokens each   cut  task\n");
    for (size_t i = 0; i < c->n_eval; i++) {
        const r1i_evaluation_row *const e = &c->eval[i];
        r1i_text_printf(t, "%8" PRId64 "  %6.1f %%  %5.1f to %5.1f %%  %7" PRId64 "  %11.1f  %4" PRId64 "  %s\n",
                        e->step, 100.0 * e->pass_at_1, 100.0 * e->lo, 100.0 * e->hi, e->samples,
                        e->samples > 0 ? (double)e->tokens / (double)e->samples : 0.0, e->truncated, e->task);
    }
}

static void put_csv(r1i_text *t, const curves *c)
{
    r1i_text_puts(t, "step,epoch,tokens,targets,loss,mtp_loss,balance_loss,learning_rate,gradient_norm,load_spread\n");
    for (size_t i = 0; i < c->n; i++) {
        const r1i_step_row *const r = &c->row[i];
        r1i_text_printf(t, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%.9g,%.9g,%.9g,%.9g,%.9g,%.9g\n", r->step,
                        r->epoch, r->tokens, r->targets, r->loss, r->mtp_loss, r->balance_loss, r->learning_rate,
                        r->gradient_norm, r->load_spread);
    }
}

static r1_status put_json(r1i_text *t, const curves *c, r1_error *err)
{
    json_t *const steps = json_array();
    for (size_t i = 0; i < c->n; i++) {
        const r1i_step_row *const r = &c->row[i];
        json_array_append_new(steps,
                              json_pack("{s:I, s:f, s:f, s:f, s:f, s:I, s:I}", "step", (json_int_t)r->step, "loss",
                                        r->loss, "mtp_loss", r->mtp_loss, "learning_rate", r->learning_rate,
                                        "gradient_norm", r->gradient_norm, "tokens", (json_int_t)r->tokens, "targets",
                                        (json_int_t)r->targets));
    }
    json_t *const evaluations = json_array();
    for (size_t i = 0; i < c->n_eval; i++) {
        const r1i_evaluation_row *const e = &c->eval[i];
        json_array_append_new(evaluations,
                              json_pack("{s:s, s:I, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:I}", "task", e->task, "step",
                                        (json_int_t)e->step, "pass_at_1", e->pass_at_1,
                                                     "lo", e->lo, "hi", e->hi, "prompts", (json_int_t)e->prompts,
                                                     "samples", (json_int_t)e->samples, "correct",
                                                     (json_int_t)e->correct, "truncated", (json_int_t)e->truncated,
                                                     "tokens", (json_int_t)e->tokens));
    }
    json_t *const root = json_pack("{s:s, s:s, s:f, s:f, s:f, s:o, s:o}", "run", c->dir, "kind", "train", "first_loss",
                                   c->row[0].loss, "last_loss", c->row[c->n - 1].loss,
                                   "smoothed_loss", c->smooth[c->n - 1], "steps", steps, "evaluations", evaluations);
    char *const text = root ? json_dumps(root, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    if (text) r1i_text_puts(t, text);
    r1i_text_puts(t, "\n");
    json_decref(root);
    free(text);
    return text ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%s: the report", c->dir);
}

/* ---- page -------------------------------------------------------------------------------------------------------- */

static void put_curve(r1i_text *t, const curves *c, const char *title, size_t offset)
{
    bool some = false;
    for (size_t i = 0; i < c->n; i++) {
        memcpy(&c->y[i], (const char *)&c->row[i] + offset, sizeof c->y[i]);
        some |= c->y[i] != 0.0;
    }
    const r1i_line line = {.name = title, .x = c->x, .y = c->y, .n = c->n};
    if (some) r1i_page_lines(t, title, "step", &line, 1, false, false);
}

/* A line a task through its results, four in a drawing. */
static void put_evaluations(r1i_text *t, const curves *c)
{
    enum { LINES = 4 };
    double *const x = malloc((2 * c->n_eval + 1) * sizeof *x), *const y = x + c->n_eval;
    for (size_t i = 0; x && i < c->n_eval;) {
        r1i_line line[LINES] = {0};
        size_t n = 0;
        for (; i < c->n_eval; i++) {
            const bool new_task = n == 0 || strcmp(c->eval[i].task, line[n - 1].name) != 0;
            if (new_task && n == LINES) break;
            if (new_task) line[n++] = (r1i_line){.name = c->eval[i].task, .x = x + i, .y = y + i};
            x[i] = (double)c->eval[i].step, y[i] = c->eval[i].pass_at_1;
            line[n - 1].n++;
        }
        char title[R1I_EVALUATION_NAME + 32];
        snprintf(title, sizeof title, "evaluation: pass@1%s%s", n == 1 ? " of " : "", n == 1 ? line[0].name : "");
        r1i_page_lines(t, title, "step", line, n, true, false);
    }
    free(x);
}

static void put_page(r1i_text *t, const curves *c)
{
    r1i_page_begin(t, c->dir);
    r1i_page_element(t, "h1", c->dir);
    for (size_t i = 0; i < c->n; i++) c->y[i] = c->row[i].loss;
    const r1i_line loss[2] = {{.name = "loss of a step", .x = c->x, .y = c->y, .n = c->n},
                              {.name = "smoothed", .x = c->x, .y = c->smooth, .n = c->n}};
    r1i_page_lines(t, "loss, nats a target", "step", loss, 2, false, false);
    put_evaluations(t, c);
    put_curve(t, c, "loss of the multi-token prediction layer, with its weight", offsetof(r1i_step_row, mtp_loss));
    put_curve(t, c, "learning rate", offsetof(r1i_step_row, learning_rate));
    put_curve(t, c, "gradient norm before the clip", offsetof(r1i_step_row, gradient_norm));
    put_curve(t, c, "largest over mean load of an expert", offsetof(r1i_step_row, load_spread));
    r1i_page_end(t);
}

/* ---- the report -------------------------------------------------------------------------------------------------- */

static r1_status read_curves(const char *dir, curves *c, r1_error *err)
{
    *c = (curves){.dir = dir};
    r1_status st = r1i_step_store_read(dir, &c->row, &c->n, err);
    if (st == R1_OK) st = r1i_step_store_read_evaluations(dir, &c->eval, &c->n_eval, err);
    if (st != R1_OK) return st;
    if (c->n == 0) return r1i_fail(err, R1_ERR_FORMAT, "%s: a run without a step", dir);
    if (!(c->x = malloc(3 * c->n * sizeof *c->x))) return r1i_fail(err, R1_ERR_NOMEM, "%s: %zu steps", dir, c->n);
    c->smooth = c->x + c->n;
    c->y = c->smooth + c->n;
    for (size_t i = 0; i < c->n; i++) c->x[i] = (double)c->row[i].step;
    smooth_loss(c);
    return R1_OK;
}

r1_status r1_train_report(const char *run, r1_report_format format, char **text, size_t *n, r1_error *err)
{
    curves c;
    r1i_text t = {0};
    *text = NULL;
    r1_status st = read_curves(run, &c, err);
    if (st == R1_OK && format == R1_REPORT_JSON) st = put_json(&t, &c, err);
    else if (st == R1_OK && format == R1_REPORT_CSV) put_csv(&t, &c);
    else if (st == R1_OK && format == R1_REPORT_HTML) put_page(&t, &c);
    else if (st == R1_OK) put_text(&t, &c);
    if (st == R1_OK) st = r1i_text_take(&t, text, n, err);
    r1i_text_free(&t);
    free(c.row);
    free(c.eval);
    free(c.x);
    return st;
}

bool r1_train_is_run(const char *run)
{
    r1i_step_row *rows;
    size_t n;
    if (r1i_step_store_read(run, &rows, &n, NULL) != R1_OK) return false;
    free(rows);
    return true;
}
