/* r1 report: what recorded runs measured, and whether they differ. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/train.h"

typedef struct params {
    opt_strings runs;
    const char *html;
    bool json, csv;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    opt_arg_rest(list, "RUN", &a->runs, "folders of runs; every one after the first is compared with the first");
    opt_flag(list, 'j', "json", &a->json, "one JSON object: everything, every prompt's counts too");
    opt_flag(list, 0, "csv", &a->csv, "comma-separated values, a line an estimate");
    opt_string(list, 0, "html", "FILE", &a->html, "write a page with drawings, which needs nothing beside it");
}

static int write_file(cli *app, const char *path, const char *text, size_t n)
{
    FILE *const f = fopen(path, "wb");
    const bool written = f && fwrite(text, 1, n, f) == n;
    const bool closed = f && fclose(f) == 0;
    return written && closed ? 0 : cli_fail(app, CLI_ENVIRONMENT, "%s: cannot be written", path);
}

/* One training run, or evaluations to compare. */
static r1_status make(cli *app, const params *a, r1_report_format format, char **text, size_t *n, r1_error *err)
{
    if (a->runs.n == 1 && r1_train_is_run(a->runs.item[0]))
        return r1_train_report(a->runs.item[0], format, text, n, err);
    return r1_eval_report(a->runs.item, (size_t)a->runs.n, format, &app->env, text, n, err);
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_error err = {0};
    char *text;
    size_t n;
    int status = 0;
    if (a->runs.n == 0) return cli_fail(app, CLI_USAGE, "RUN is missing: the folder of a run");
    for (int i = 0; a->runs.n > 1 && i < a->runs.n; i++)
        if (r1_train_is_run(a->runs.item[i]))
            return cli_fail(app, CLI_USAGE, "%s is a run of r1 train: those are shown one at a time", a->runs.item[i]);
    if (a->json && a->csv) return cli_fail(app, CLI_USAGE, "--json and --csv: one of the two");
    if (a->html) {
        if (make(app, a, R1_REPORT_HTML, &text, &n, &err) != R1_OK) return cli_report(app, &err);
        status = write_file(app, a->html, text, n);
        r1_free(text);
        if (status) return status;
    }
    const r1_report_format format = a->json ? R1_REPORT_JSON : a->csv ? R1_REPORT_CSV : R1_REPORT_TEXT;
    if (make(app, a, format, &text, &n, &err) != R1_OK) return cli_report(app, &err);
    cli_put(app, text, n);
    r1_free(text);
    return status;
}

const cli_command cli_report = {
    .rank = 84,
    .name = "report",
    .usage = "[options] RUN [RUN...]",
    .summary = "what recorded runs measured, with intervals, and whether they differ",
    .about = "Reads the records of r1 eval and prints, for each task: pass@1 with its 95 % interval (clustered by prompt, and by bootstrap), pass@k, "
             "cons@k over classes of equal answers, lengths, truncated answers, what could not be graded and why, and a table by subject. Samples that "
             "are missing are counted and in no average.\n\n"
             "With several runs, each is compared with the first prompt by prompt: difference, interval, and two tests of significance. The bytes depend "
             "on the recorded results alone.\n\n"
             "For the folder of one r1 train run: its losses by step, and with --html its curves.",
    .examples = "r1 report runs/gsm8k\n"
                "# did the training help?\n"
                "r1 report runs/before runs/after --html difference.html\n"
                "r1 report runs/gsm8k --json | jq '.runs[0].tasks[0][\"pass@1\"]'",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
