/* A summary as a page with drawings. */
#include <stdio.h>
#include <stdlib.h>

#include "eval/summary.h"
#include "record/page.h"

enum { MAX_BARS = 80, MAX_POINTS = 48, MAX_BINS = 64 };

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

static void cell(r1i_text *t, const char *fmt, double v)
{
    r1i_text_puts(t, "<td>");
    r1i_text_printf(t, fmt[0] == 'p' ? "%.2f %%" : "%.0f", fmt[0] == 'p' ? 100 * v : v);
    r1i_text_puts(t, "</td>");
}

static void scores(const json_t *task, r1i_text *t)
{
    const json_t *const p = json_object_get(task, "pass@1"), *const boot = json_object_get(p, "bootstrap"), *v;
    size_t i;
    r1i_text_puts(t, "<table><tr><th>estimate</th><th>value</th><th>95 % interval, clustered by prompt</th><th>bootstrap</th></tr>\n");
    r1i_text_printf(t, "<tr><td>pass@1</td><td>%.2f %%</td><td>%.2f to %.2f</td><td>%.2f to %.2f</td></tr>\n",
                    100 * real(p, "value"), 100 * real(p, "lo"), 100 * real(p, "hi"), 100 * real(boot, "lo"), 100 * real(boot, "hi"));
    json_array_foreach(json_object_get(task, "pass@k"), i, v) if (whole(v, "k") > 1)
        r1i_text_printf(t, "<tr><td>pass@%lld</td><td>%.2f %%</td><td></td><td></td></tr>\n", whole(v, "k"),
                        100 * real(v, "value"));
    json_array_foreach(json_object_get(task, "cons@k"), i, v)
        r1i_text_printf(t, "<tr><td>cons@%lld</td><td>%.2f %%</td><td></td><td></td></tr>\n", whole(v, "k"),
                        100 * real(v, "value"));
    r1i_text_puts(t, "</table>\n");
}

static void reasons(const char *title, const json_t *list, r1i_text *t)
{
    const json_t *v;
    size_t i;
    if (json_array_size(list) == 0) return;
    r1i_text_puts(t, "<table><tr><th>");
    r1i_page_escape(t, title);
    r1i_text_puts(t, "</th><th>samples</th></tr>\n");
    json_array_foreach(list, i, v)
    {
        r1i_text_puts(t, "<tr><td>");
        r1i_page_escape(t, text(v, "reason"));
        r1i_text_printf(t, "</td><td>%lld</td></tr>\n", whole(v, "count"));
    }
    r1i_text_puts(t, "</table>\n");
}

static void curves(const json_t *task, r1i_text *t)
{
    double x[2][MAX_POINTS], y[2][MAX_POINTS];
    r1i_line line[2] = {{"pass@k", x[0], y[0], 0}, {"cons@k", x[1], y[1], 0}};
    const json_t *v;
    for (int c = 0; c < 2; c++) {
        size_t i;
        json_array_foreach(json_object_get(task, c ? "cons@k" : "pass@k"), i, v) if (line[c].n < MAX_POINTS)
        {
            x[c][line[c].n] = (double)whole(v, "k");
            y[c][line[c].n++] = real(v, "value");
        }
    }
    if (line[0].n > 1) r1i_page_lines(t, "By the number of samples", "k", line, line[1].n ? 2 : 1, true, true);
}

static void length_histogram(const json_t *task, r1i_text *t)
{
    r1i_bin bin[MAX_BINS];
    size_t n = 0, i;
    const json_t *v;
    json_array_foreach(json_object_get(json_object_get(task, "lengths"), "histogram"), i, v) if (n < MAX_BINS)
        bin[n++] = (r1i_bin){real(v, "from"), real(v, "to"), whole(v, "right"), whole(v, "wrong")};
    if (n) r1i_page_histogram(t, "Length of the answers", "tokens", "right", "not right", bin, n);
}

static void subjects(const json_t *task, r1i_text *t)
{
    const json_t *const list = json_object_get(task, "subjects"), *v;
    r1i_bar bar[MAX_BARS];
    size_t n = 0, i;
    if (json_array_size(list) == 0) return;
    json_array_foreach(list, i, v) if (n < MAX_BARS) bar[n++] = (r1i_bar){text(v, "subject"), real(v, "value"),
        real(v, "lo"), real(v, "hi")};
    r1i_page_intervals(t, "By subject", bar, n);
    r1i_text_puts(t, "<table><tr><th>subject</th><th>pass@1</th><th>from</th><th>to</th><th>prompts</th><th>samples</th></tr>\n");
    json_array_foreach(list, i, v)
    {
        r1i_text_puts(t, "<tr><td>");
        r1i_page_escape(t, text(v, "subject"));
        r1i_text_puts(t, "</td>");
        cell(t, "p", real(v, "value"));
        cell(t, "p", real(v, "lo"));
        cell(t, "p", real(v, "hi"));
        cell(t, "n", (double)whole(v, "prompts"));
        cell(t, "n", (double)whole(v, "samples"));
        r1i_text_puts(t, "</tr>\n");
    }
    r1i_text_puts(t, "</table>\n");
}

static void task_section(const json_t *task, r1i_text *t)
{
    const json_t *const h = json_object_get(task, "sha256");
    r1i_page_element(t, "h2", text(task, "task"));
    r1i_text_printf(t, "<p>%lld prompts, %lld of %lld samples. No answer found in %lld; cut at the token limit %lld, of which right %lld.", whole(task, "prompts"),
                    whole(task, "samples"), whole(task, "prompts") * whole(task, "samples_wanted"),
                    whole(task, "not_extracted"), whole(task, "truncated"), whole(task, "truncated_correct"));
    if (whole(task, "missing"))
        r1i_text_printf(t, " <strong>%lld samples are missing and in no average.</strong>", whole(task, "missing"));
    r1i_text_puts(t, "</p>\n");
    if (json_is_object(json_object_get(task, "pass@1"))) scores(task, t);
    curves(task, t);
    length_histogram(task, t);
    subjects(task, t);
    reasons("missing because", json_object_get(task, "missing_reasons"), t);
    reasons("not right because", json_object_get(task, "not_correct_because"), t);
    r1i_text_printf(t, "<p class=\"soft\">sha256 of the task <code>%s</code>, of the data <code>%s</code>, of the prompts <code>%s</code></p>\n", text(h, "task"),
                    text(h, "data"), text(h, "prompts"));
}

static void overview(const json_t *summary, r1i_text *t)
{
    r1i_bar bar[MAX_BARS];
    char names[MAX_BARS][64];
    size_t n = 0, i, j;
    const json_t *run, *task;
    json_array_foreach(json_object_get(summary, "runs"), i, run) json_array_foreach(json_object_get(run, "tasks"), j,
        task)
    {
        const json_t *const p = json_object_get(task, "pass@1");
        if (n == MAX_BARS || !json_is_object(p)) continue;
        snprintf(names[n], sizeof names[n], "%.24s%s%.24s", text(task, "task"), text(run, "run")[0] ? " " : "",
                 text(run, "run"));
        bar[n] = (r1i_bar){names[n], real(p, "value"), real(p, "lo"), real(p, "hi")};
        n++;
    }
    if (n) r1i_page_intervals(t, "pass@1 with 95 % intervals", bar, n);
}

static void settings(const json_t *run, r1i_text *t)
{
    json_t *v;
    const char *key;
    r1i_text_puts(t, "<p class=\"soft\">");
    json_object_foreach(json_object_get(run, "settings"), key, v)
    {
        if (json_is_object(v)) continue;
        r1i_page_escape(t, key);
        r1i_text_puts(t, " ");
        if (json_is_string(v)) r1i_page_escape(t, json_string_value(v));
        else if (json_is_boolean(v)) r1i_text_puts(t, json_is_true(v) ? "yes" : "no");
        else r1i_text_printf(t, "%lld", (long long)json_integer_value(v));
        r1i_text_puts(t, "; ");
    }
    r1i_text_printf(t, "graded %lld time%s</p>\n", whole(run, "gradings"), whole(run, "gradings") == 1 ? "" : "s");
}

static void differences(const json_t *list, r1i_text *t)
{
    const json_t *v;
    size_t i;
    if (json_array_size(list) == 0) return;
    r1i_text_puts(t, "<h2>Differences, prompt by prompt</h2>\n<table><tr><th>task</th><th>runs</th><th>points</th><th>95 % interval</th><th>prompts</th>"
                     "<th>p, sign flips</th><th>p, paired t</th></tr>\n");
    json_array_foreach(list, i, v)
    {
        r1i_text_puts(t, "<tr><td>");
        r1i_page_escape(t, text(v, "task"));
        r1i_text_puts(t, "</td><td>");
        r1i_page_escape(t, text(v, "second"));
        r1i_text_puts(t, " &#8722; ");
        r1i_page_escape(t, text(v, "first"));
        r1i_text_printf(t, "</td><td>%+.2f</td><td>%+.2f to %+.2f</td><td>%lld</td><td>%.4f</td><td>%.4f</td></tr>\n",
                        100 * real(v, "value"), 100 * real(v, "lo"), 100 * real(v, "hi"), whole(v, "prompts"), real(v, "p_flip"), real(v, "p_t"));
    }
    r1i_text_puts(t, "</table>\n");
}

void r1i_summary_html(const json_t *summary, r1i_text *out)
{
    const json_t *const runs = json_object_get(summary, "runs"), *run, *task;
    size_t i, j;
    char title[200];
    if (json_array_size(runs) == 1)
        snprintf(title, sizeof title, "Evaluation of %.150s", text(json_array_get(runs, 0), "model"));
    else snprintf(title, sizeof title, "Evaluation: %zu runs", json_array_size(runs));
    r1i_page_begin(out, title);
    overview(summary, out);
    differences(json_object_get(summary, "differences"), out);
    json_array_foreach(runs, i, run)
    {
        if (text(run, "run")[0]) {
            snprintf(title, sizeof title, "%.90s: %.90s", text(run, "run"), text(run, "model"));
            r1i_page_element(out, "h2", title);
        }
        settings(run, out);
        json_array_foreach(json_object_get(run, "tasks"), j, task) task_section(task, out);
    }
    r1i_page_end(out);
}
