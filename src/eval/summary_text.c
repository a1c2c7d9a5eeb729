/* A summary for a terminal, and as comma-separated values. */
#include <stdio.h>
#include <string.h>

#include "eval/summary.h"

static double real(const json_t *v, const char *key) { return json_number_value(json_object_get(v, key)); }
static long long whole(const json_t *v, const char *key)
{
    return (long long)json_integer_value(json_object_get(v, key));
}
static const char *text(const json_t *v, const char *key)
{
    const char *const s = json_string_value(json_object_get(v, key));
    return s ? s : "";
}

/* Row ids and subjects come from data files, reasons may quote a model: a terminal gets no control characters from
 * them. */
static void put_plain(r1i_text *t, const char *s)
{
    for (; *s; s++) r1i_text_add(t, (unsigned char)*s < 0x20 || *s == 0x7F ? " " : s, 1);
}

static void put_scores(const json_t *task, r1i_text *out)
{
    const json_t *const p = json_object_get(task, "pass@1"), *const boot = json_object_get(p, "bootstrap");
    const json_t *v;
    size_t i;
    if (json_is_null(p)) {
        r1i_text_puts(out, "  no samples yet\n");
        return;
    }
    r1i_text_printf(out, "  pass@1   %6.2f %%   95 %% interval %.2f to %.2f (%s), %.2f to %.2f (bootstrap)\n",
                    100 * real(p, "value"), 100 * real(p, "lo"), 100 * real(p, "hi"), json_is_true(json_object_get(p, "known")) ? "clustered by prompt" : "all prompts alike: Wilson", 100 * real(boot, "lo"),
                    100 * real(boot, "hi"));
    json_array_foreach(json_object_get(task, "pass@k"), i, v) if (whole(v, "k") > 1)
        r1i_text_printf(out, "  pass@%-3lld %6.2f %%\n", whole(v, "k"), 100 * real(v, "value"));
    json_array_foreach(json_object_get(task, "cons@k"), i, v)
        r1i_text_printf(out, "  cons@%-3lld %6.2f %%%s\n", whole(v, "k"), 100 * real(v, "value"),
                        json_is_true(json_object_get(v, "exact")) ? "" : "   (over random subsets)");
    if (real(task, "score") != real(p, "value"))
        r1i_text_printf(out, "  score    %8.4f   (mean of the graders' points)\n", real(task, "score"));
}

static void put_reasons(const char *title, const json_t *list, r1i_text *out)
{
    const json_t *v;
    size_t i;
    if (json_array_size(list)) r1i_text_printf(out, "  %s\n", title);
    json_array_foreach(list, i, v)
    {
        r1i_text_printf(out, "    %6lld  ", whole(v, "count"));
        put_plain(out, text(v, "reason"));
        r1i_text_puts(out, "\n");
    }
}

static void put_task(const json_t *task, r1i_text *out)
{
    const json_t *const l = json_object_get(task, "lengths");
    const json_t *v;
    size_t i;
    r1i_text_printf(out, "\n%s: %lld prompts, %lld of %lld samples\n", text(task, "task"), whole(task, "prompts"),
                    whole(task, "samples"), whole(task, "prompts") * whole(task, "samples_wanted"));
    put_scores(task, out);
    r1i_text_printf(out, "  no answer found in %lld; cut at the token limit %lld, of which right %lld\n",
                    whole(task, "not_extracted"), whole(task, "truncated"), whole(task, "truncated_correct"));
    if (json_is_object(l))
        r1i_text_printf(out, "  tokens: mean %.1f, median %lld, 90 %% up to %lld, longest %lld\n", real(l, "mean"),
                        whole(l, "median"), whole(l, "p90"), whole(l, "longest"));
    if (whole(task, "missing"))
        r1i_text_printf(out, "  MISSING: %lld samples, in no average\n", whole(task, "missing"));
    put_reasons("missing because", json_object_get(task, "missing_reasons"), out);
    put_reasons("not right because", json_object_get(task, "not_correct_because"), out);
    json_array_foreach(json_object_get(task, "subjects"), i, v)
    {
        if (i == 0) r1i_text_puts(out, "  by subject: pass@1, 95 % interval, prompts\n");
        r1i_text_printf(out, "    %6.2f %%  %6.2f to %6.2f  %5lld  ", 100 * real(v, "value"), 100 * real(v, "lo"),
                        100 * real(v, "hi"), whole(v, "prompts"));
        put_plain(out, text(v, "subject"));
        r1i_text_puts(out, "\n");
    }
    const json_t *const h = json_object_get(task, "sha256");
    r1i_text_printf(out, "  sha256: task %.16s, data %.16s, prompts %.16s\n", text(h, "task"), text(h, "data"),
                    text(h, "prompts"));
}

static void put_settings(const json_t *settings, r1i_text *out)
{
    static const char *const shown[] = {"temperature", "top-p", "seed", "max-tokens", "context", "compute",
                                        "cache-type", "endpoint", "judge", NULL};
    bool first = true;
    for (int i = 0; shown[i]; i++) {
        const json_t *const v = json_object_get(settings, shown[i]);
        if (!v) continue;
        r1i_text_printf(out, "%s%s ", first ? "" : ", ", shown[i]);
        if (json_is_string(v)) put_plain(out, json_string_value(v));
        else r1i_text_printf(out, "%lld", (long long)json_integer_value(v));
        first = false;
    }
}

static void put_difference(const json_t *d, r1i_text *out)
{
    r1i_text_puts(out, "  ");
    put_plain(out, text(d, "task"));
    r1i_text_puts(out, ": ");
    put_plain(out, text(d, "second"));
    r1i_text_puts(out, " - ");
    put_plain(out, text(d, "first"));
    const double p = real(d, "p_flip");
    r1i_text_printf(out, " = %+.2f points, 95 %% interval %+.2f to %+.2f, %lld prompts, p %.4f (sign flips%s), %.4f (paired t): %s%s\n", 100 * real(d, "value"),
                    100 * real(d, "lo"), 100 * real(d, "hi"), whole(d, "prompts"), p, json_is_true(json_object_get(d, "p_flip_exact")) ? ", exact" : "",
                    real(d, "p_t"), p < 0.01 ? "significant at .01" : p < 0.05 ? "significant at .05"
                    : "not significant", json_is_true(json_object_get(d, "same_data")) ? ""
                    : "; the data files differ");
}

void r1i_summary_text(const json_t *summary, r1i_text *out)
{
    const json_t *run, *v;
    size_t i, j;
    json_array_foreach(json_object_get(summary, "runs"), i, run)
    {
        if (i) r1i_text_puts(out, "\n");
        if (text(run, "run")[0]) put_plain(out, text(run, "run")), r1i_text_puts(out, ": ");
        put_plain(out, text(run, "model"));
        r1i_text_puts(out, " (");
        put_settings(json_object_get(run, "settings"), out);
        r1i_text_puts(out, ")\n");
        json_array_foreach(json_object_get(run, "tasks"), j, v) put_task(v, out);
    }
    const json_t *const pairs = json_object_get(summary, "differences");
    if (json_array_size(pairs)) r1i_text_puts(out, "\nDifferences, prompt by prompt\n");
    json_array_foreach(pairs, i, v) put_difference(v, out);
}

/* ---- comma-separated --------------------------------------------------------------------------------------------- */

static void put_cell(r1i_text *t, const char *s)
{
    if (!strpbrk(s, ",\"\r\n")) {
        r1i_text_puts(t, s);
        return;
    }
    r1i_text_puts(t, "\"");
    for (; *s; s++) r1i_text_add(t, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    r1i_text_puts(t, "\"");
}

typedef struct row { const char *run, *model, *task, *metric, *subject; } row;

static void put_row(r1i_text *t, const row *r, long long k, double value, const json_t *interval, long long n)
{
    const char *const cell[] = {r->run, r->model, r->task, r->metric, r->subject};
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        put_cell(t, cell[i]);
        r1i_text_puts(t, ",");
    }
    r1i_text_printf(t, "%lld,%.9g,", k, value);
    if (interval) r1i_text_printf(t, "%.9g,%.9g", real(interval, "lo"), real(interval, "hi"));
    else r1i_text_puts(t, ",");
    r1i_text_printf(t, ",%lld\n", n);
}

static void csv_task(const json_t *run, const json_t *task, r1i_text *out)
{
    const json_t *const p = json_object_get(task, "pass@1"), *v;
    size_t i;
    row r = {text(run, "run"), text(run, "model"), text(task, "task"), "pass@1", ""};
    const long long n = whole(task, "samples");
    if (json_is_object(p)) put_row(out, &r, 1, real(p, "value"), p, n);
    r.metric = "pass@k";
    json_array_foreach(json_object_get(task, "pass@k"), i, v) if (whole(v, "k") > 1) put_row(out, &r, whole(v, "k"),
        real(v, "value"), NULL, n);
    r.metric = "cons@k";
    json_array_foreach(json_object_get(task, "cons@k"), i, v) put_row(out, &r, whole(v, "k"), real(v, "value"), NULL,
                                                                      n);
    static const char *const counts[] = {"samples", "missing", "not_extracted", "truncated", NULL};
    for (int c = 0; counts[c]; c++) {
        r.metric = counts[c];
        put_row(out, &r, 0, (double)whole(task, counts[c]), NULL, n);
    }
    r.metric = "pass@1";
    json_array_foreach(json_object_get(task, "subjects"), i, v)
    {
        r.subject = text(v, "subject");
        put_row(out, &r, 1, real(v, "value"), v, whole(v, "samples"));
    }
}

void r1i_summary_csv(const json_t *summary, r1i_text *out)
{
    const json_t *run, *v;
    size_t i, j;
    r1i_text_puts(out, "run,model,task,metric,subject,k,value,lo,hi,samples\n");
    json_array_foreach(json_object_get(summary, "runs"), i, run) json_array_foreach(json_object_get(run, "tasks"), j,
        v) csv_task(run, v, out);
    json_array_foreach(json_object_get(summary, "differences"), i, v)
    {
        const row r = {text(v, "second"), text(v, "first"), text(v, "task"), "difference", ""};
        put_row(out, &r, 1, real(v, "value"), v, whole(v, "prompts"));
    }
}
