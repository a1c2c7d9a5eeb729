#include "eval/summary.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eval/tally.h"

enum { DRAWS = 2000, BINS = 24, MAX_REASONS = 12 };
static const double level = 0.95;
static const uint64_t bootstrap_seed = 1;

/* Prompts that have samples: only these can be averaged; the rest is reported as missing. */
static size_t take_tallies(const r1i_task_tally *t, const char *subject, r1i_tally *out)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n; i++)
        if (t->prompt[i].tally.n > 0 && (!subject || strcmp(t->prompt[i].subject, subject) == 0))
            out[n++] = t->prompt[i].tally;
    return n;
}

static json_t *interval(const r1i_interval *v)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:b}", "value", v->mean, "se", v->se, "lo", v->lo, "hi", v->hi, "known",
                     (int)v->known);
}

static r1_status pass_at_1(const r1i_tally *q, size_t m, json_t **out, r1_error *err)
{
    r1i_interval boot;
    const r1i_interval v = r1i_clustered(q, m, level);
    const r1_status st = r1i_bootstrap(q, m, level, DRAWS, bootstrap_seed, &boot, err);
    *out = interval(&v);
    if (st == R1_OK) json_object_set_new(*out, "bootstrap", json_pack("{s:f, s:f}", "lo", boot.lo, "hi", boot.hi));
    return st;
}

/* ---- k ----------------------------------------------------------------------------------------------------------- */

/* 1, 2, 4, ... and the largest k that every prompt's samples allow. */
static size_t list_k(const r1i_tally *q, size_t m, int64_t k[40])
{
    int64_t most = 0;
    size_t n = 0;
    for (size_t i = 0; i < m; i++) most = i == 0 || q[i].n < most ? q[i].n : most;
    for (int64_t v = 1; v < most && n < 39; v *= 2) k[n++] = v;
    if (most > 0) k[n++] = most;
    return n;
}

static json_t *pass_at_k(const r1i_tally *q, size_t m)
{
    int64_t k[40];
    const size_t n = list_k(q, m, k);
    json_t *const list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:f}", "k", (json_int_t)k[i], "value", r1i_mean_pass_at_k(q, m, k[i])));
    return list;
}

static r1_status cons_at_k(const r1i_task_tally *t, const r1i_tally *q, size_t m, json_t *out, r1_error *err)
{
    int64_t k[40];
    const size_t n = list_k(q, m, k);
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        bool exact = true;
        if (k[i] < 2) continue;
        for (size_t j = 0; j < t->n; j++) {
            const r1i_prompt_tally *const p = &t->prompt[j];
            r1i_vote vote;
            if (p->tally.n == 0) continue;
            const r1_status st = r1i_cons_at_k(p->class, p->right, (size_t)p->tally.n, (size_t)k[i], R1I_TIES_SPLIT,
                                               bootstrap_seed, DRAWS, &vote, err);
            if (st != R1_OK) return st;
            sum += vote.value;
            exact &= vote.exact;
        }
        json_array_append_new(out,
                              json_pack("{s:I, s:f, s:b}", "k", (json_int_t)k[i], "value", sum / (double)m, "exact",
                                        (int)exact));
    }
    return R1_OK;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

static r1_status subjects(const r1i_task_tally *t, r1i_tally *q, json_t *out, r1_error *err)
{
    const char **const name = calloc(t->n + 1, sizeof *name);
    size_t n = 0;
    if (!name) return r1i_fail(err, R1_ERR_NOMEM, "subjects");
    for (size_t i = 0; i < t->n; i++)
        if (t->prompt[i].subject[0]) name[n++] = t->prompt[i].subject;
    qsort(name, n, sizeof *name, by_text);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && strcmp(name[i], name[i - 1]) == 0) continue;
        const size_t m = take_tallies(t, name[i], q);
        int64_t samples = 0;
        for (size_t j = 0; j < m; j++) samples += q[j].n;
        const r1i_interval v = r1i_clustered(q, m, level);
        json_t *const row = interval(&v);
        json_object_set_new(row, "subject", json_string(name[i]));
        json_object_set_new(row, "prompts", json_integer((json_int_t)m));
        json_object_set_new(row, "samples", json_integer((json_int_t)samples));
        json_array_append_new(out, row);
    }
    free(name);
    return R1_OK;
}

static int by_tokens(const void *a, const void *b)
{
    const int64_t x = ((const r1i_length *)a)->tokens, y = ((const r1i_length *)b)->tokens;
    return (x > y) - (x < y);
}

/* l: sorted here, in place. Steps of 1, 2 or 5 times a power of ten, so that the axis has round numbers. */
static json_t *lengths(r1i_length *l, size_t n)
{
    if (n == 0) return json_null();
    qsort(l, n, sizeof *l, by_tokens);
    double sum = 0, step = 1;
    for (size_t i = 0; i < n; i++) sum += (double)l[i].tokens;
    const int64_t most = l[n - 1].tokens;
    for (int i = 0; step * BINS < (double)most + 1; i++) step *= i % 3 == 1 ? 2.5 : 2;
    json_t *const bins = json_array();
    for (size_t i = 0, b = 0; b < BINS && (double)b * step <= (double)most; b++) {
        json_int_t right = 0, wrong = 0;
        for (; i < n && (double)l[i].tokens < (double)(b + 1) * step; i++) l[i].correct ? right++ : wrong++;
        json_array_append_new(bins,
                              json_pack("{s:f, s:f, s:I, s:I}", "from", (double)b * step, "to", (double)(b + 1) * step,
                                        "right", right, "wrong", wrong));
    }
    return json_pack("{s:f, s:I, s:I, s:I, s:I, s:o}", "mean", sum / (double)n, "median",
                     (json_int_t)l[(n - 1) / 2].tokens, "p90", (json_int_t)l[(n - 1) * 9 / 10].tokens, "p99",
                     (json_int_t)l[(n - 1) * 99 / 100].tokens, "longest", (json_int_t)most, "histogram", bins);
}

typedef struct reason { const char *text; json_int_t count; } reason;
static int by_count(const void *a, const void *b)
{
    const reason *const x = a, *const y = b;
    return x->count != y->count ? (x->count < y->count) - (x->count > y->count) : strcmp(x->text, y->text);
}

/* The commonest; the rest in one line. */
static r1_status top_reasons(json_t *counts, json_t *out, r1_error *err)
{
    reason *const r = calloc(json_object_size(counts) + 1, sizeof *r);
    size_t n = 0;
    json_int_t rest = 0;
    const char *key;
    json_t *value;
    if (!r) return r1i_fail(err, R1_ERR_NOMEM, "reasons");
    json_object_foreach(counts, key, value) r[n++] = (reason){key, json_integer_value(value)};
    qsort(r, n, sizeof *r, by_count);
    for (size_t i = 0; i < n; i++) {
        if (i >= MAX_REASONS) rest += r[i].count;
        else json_array_append_new(out, json_pack("{s:s, s:I}", "reason", r[i].text, "count", r[i].count));
    }
    if (rest) json_array_append_new(out, json_pack("{s:s, s:I}", "reason", "other reasons", "count", rest));
    free(r);
    return R1_OK;
}

/* ---- a task, a run ----------------------------------------------------------------------------------------------- */

static json_t *each_prompt(const r1i_task_tally *t)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I}", "id", t->prompt[i].key, "n",
                                        (json_int_t)t->prompt[i].tally.n, "correct", (json_int_t)t->prompt[i].tally.c));
    return list;
}

static r1_status task_value(r1i_task_tally *t, json_t **out, r1_error *err)
{
    r1i_tally *const q = calloc(t->n + 1, sizeof *q);
    json_t *pass = NULL, *const cons = json_array(), *const subject = json_array(), *const wrong = json_array(),
            *const missing = json_array();
    double score = 0;
    *out = NULL;
    if (!q) return r1i_fail(err, R1_ERR_NOMEM, "%zu prompts", t->n);
    const size_t m = take_tallies(t, NULL, q);
    for (size_t i = 0; i < t->n; i++)
        if (t->prompt[i].tally.n) score += t->prompt[i].score / (double)t->prompt[i].tally.n;
    r1_status st = m ? pass_at_1(q, m, &pass, err) : R1_OK;
    json_t *const any = m ? pass_at_k(q, m) : json_array();
    if (st == R1_OK && t->consensus && m) st = cons_at_k(t, q, m, cons, err);
    if (st == R1_OK) st = subjects(t, q, subject, err);
    if (st == R1_OK) st = top_reasons(t->reasons, wrong, err);
    if (st == R1_OK) st = top_reasons(t->missing, missing, err);
    json_t *const v = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:f, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:{s:s, s:s, s:s}}", "task", t->name,
        "prompts", (json_int_t)t->n, "prompts_with_samples", (json_int_t)m, "samples_wanted",
        (json_int_t)t->samples_wanted, "samples",
        (json_int_t)t->n_samples, "missing", (json_int_t)t->n_missing, "missing_reasons", missing, "pass@1",
        pass ? pass : json_null(), "pass@k", any,
        "cons@k", cons, "score", m ? score / (double)m : 0.0, "not_extracted", (json_int_t)t->not_extracted,
        "truncated", (json_int_t)t->truncated, "truncated_correct", (json_int_t)t->truncated_correct,
        "not_correct_because", wrong, "subjects", subject, "lengths",
        lengths(t->length, t->n_samples), "each_prompt", each_prompt(t), "sha256", "task", t->task_hash, "data",
        t->data_hash, "prompts", t->prompts_hash);
    free(q);
    if (st == R1_OK && !v) st = r1i_fail(err, R1_ERR_NOMEM, "summary of task %s", t->name);
    if (st == R1_OK) *out = v;
    else json_decref(v);
    return st;
}

static r1_status run_value(r1i_run_tally *r, const char *label, json_t **out, r1_error *err)
{
    json_t *const tasks = json_array();
    r1_status st = R1_OK;
    for (size_t i = 0; i < r->n && st == R1_OK; i++) {
        json_t *task;
        if ((st = task_value(&r->task[i], &task, err)) == R1_OK) json_array_append_new(tasks, task);
    }
    *out = json_pack("{s:s*, s:s, s:O, s:I, s:o}", "run", label, "model", r->model, "settings", r->settings, "gradings",
                     (json_int_t)r->gradings, "tasks", tasks);
    if (st == R1_OK && !*out) st = r1i_fail(err, R1_ERR_NOMEM, "summary");
    return st;
}

/* ---- differences ------------------------------------------------------------------------------------------------- */

static r1_status pair_task(const r1i_task_tally *a, const r1i_task_tally *b, const char *name_a, const char *name_b,
                           json_t *out, r1_error *err)
{
    json_t *const places = json_object();
    r1i_tally *const x = calloc(a->n + 1, sizeof *x), *const y = calloc(a->n + 1, sizeof *y);
    size_t m = 0;
    r1_status st = places && x && y ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "comparison");
    for (size_t i = 0; st == R1_OK && i < b->n; i++)
        json_object_set_new(places, b->prompt[i].key, json_integer((json_int_t)i));
    for (size_t i = 0; st == R1_OK && i < a->n; i++) {
        const json_t *const at = json_object_get(places, a->prompt[i].key);
        const r1i_prompt_tally *const p = at ? &b->prompt[json_integer_value(at)] : NULL;
        if (!p || p->tally.n == 0 || a->prompt[i].tally.n == 0) continue;
        x[m] = a->prompt[i].tally;
        y[m++] = p->tally;
    }
    if (st == R1_OK && m > 0) {
        const r1i_paired d = r1i_paired_difference(y, x, m, level, DRAWS * 5, bootstrap_seed);
        json_t *const v = interval(&d.diff);
        json_object_set_new(v, "task", json_string(a->name));
        json_object_set_new(v, "first", json_string(name_a));
        json_object_set_new(v, "second", json_string(name_b));
        json_object_set_new(v, "prompts", json_integer((json_int_t)m));
        json_object_set_new(v, "p_t", json_real(d.p_t));
        json_object_set_new(v, "p_flip", json_real(d.p_flip));
        json_object_set_new(v, "p_flip_exact", json_boolean(d.flip_exact));
        json_object_set_new(v, "same_data", json_boolean(strcmp(a->data_hash, b->data_hash) == 0));
        json_array_append_new(out, v);
    }
    json_decref(places);
    free(x);
    free(y);
    return st;
}

static r1_status pair_runs(const r1i_run_tally *a, const r1i_run_tally *b, const char *name_a, const char *name_b,
                           json_t *out, r1_error *err)
{
    r1_status st = R1_OK;
    for (size_t i = 0; i < a->n && st == R1_OK; i++)
        for (size_t j = 0; j < b->n && st == R1_OK; j++)
            if (strcmp(a->task[i].name, b->task[j].name) == 0)
                st = pair_task(&a->task[i], &b->task[j], name_a, name_b, out, err);
    return st;
}

/* The last part of a path; a run alone has no name, so that where it lies does not show in its report. */
static char *label_of(const char *run)
{
    size_t n = strlen(run);
    while (n > 1 && run[n - 1] == '/') n--;
    size_t begin = n;
    while (begin > 0 && run[begin - 1] != '/') begin--;
    return strndup(run + begin, n - begin);
}

r1_status r1i_summary_make(const char *const *runs, size_t n_runs, const r1_env *env, json_t **out, r1_error *err)
{
    r1i_run_tally *const r = calloc(n_runs + 1, sizeof *r);
    char **const label = calloc(n_runs + 1, sizeof *label);
    json_t *const list = json_array(), *const pairs = json_array();
    r1_status st = r && label && list && pairs ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "summary");
    *out = NULL;
    if (n_runs == 0) st = r1i_fail(err, R1_ERR_USAGE, "no run is named");
    for (size_t i = 0; i < n_runs && st == R1_OK; i++) {
        json_t *v = NULL;
        if (!(label[i] = label_of(runs[i]))) st = r1i_fail(err, R1_ERR_NOMEM, "summary");
        if (st == R1_OK) st = r1i_run_tally_read(runs[i], env, &r[i], err);
        if (st == R1_OK && (st = run_value(&r[i], n_runs > 1 ? label[i] : NULL, &v, err)) == R1_OK)
            json_array_append_new(list, v);
        if (st == R1_OK && i > 0) st = pair_runs(&r[0], &r[i], label[0], label[i], pairs, err);
    }
    for (size_t i = 0; r && label && i < n_runs; i++) {
        r1i_run_tally_free(&r[i]);
        free(label[i]);
    }
    free(r);
    free(label);
    *out = json_pack("{s:f, s:o, s:o}", "level", level, "runs", list, "differences", pairs);
    if (st == R1_OK && !*out) st = r1i_fail(err, R1_ERR_NOMEM, "summary");
    if (st != R1_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}

r1_status r1_eval_report(const char *const *runs, size_t n_runs, r1_report_format format, const r1_env *env,
                         char **text, size_t *bytes, r1_error *err)
{
    json_t *summary;
    r1i_text t = {0};
    *text = NULL;
    *bytes = 0;
    const r1_status st = r1i_summary_make(runs, n_runs, env, &summary, err);
    if (st != R1_OK) return st;
    if (format == R1_REPORT_JSON) {
        char *const json = json_dumps(summary, JSON_COMPACT | JSON_REAL_PRECISION(12));
        if (json) r1i_text_puts(&t, json), r1i_text_puts(&t, "\n");
        else t.failed = true;
        free(json);
    } else if (format == R1_REPORT_CSV) {
        r1i_summary_csv(summary, &t);
    } else if (format == R1_REPORT_HTML) {
        r1i_summary_html(summary, &t);
    } else {
        r1i_summary_text(summary, &t);
    }
    json_decref(summary);
    return r1i_text_take(&t, text, bytes, err);
}
