#include "grade_run.h"

#include <stdio.h>
#include <stdlib.h>

#include "r1/eval.h"

void grade_run_options(opt_list *list, grade_run_params *p)
{
    opt_arg_optional(list, "RUN", &p->run, "folder of a recorded evaluation: its samples are graded anew");
    opt_string(list, 0, "judge", "URL", &p->judge, "with a RUN whose answers a model judges: the judge's service");
    opt_string(list, 0, "judge-model", "NAME", &p->judge_model, "the judge's name there");
    opt_string(list, 0, "judge-key-env", "VAR", &p->judge_key_env, "the environment variable that holds its key");
}

typedef struct listing {
    cli *app;
    bool json;
} listing;

/* Texts of a model on a terminal: no control characters. */
static void put_plain(FILE *out, const char *text)
{
    for (; *text; text++) fputc((unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text, out);
}

static void on_change(void *user, const r1_regrade_change *c)
{
    const listing *const l = user;
    FILE *const out = l->app->out;
    if (l->json) {
        cli_put_json(l->app, json_pack("{s:s, s:s, s:I, s:b, s:b, s:s, s:s, s:s}", "task", c->task, "id", c->row_id,
                                       "sample", (json_int_t)c->sample, "was", (int)c->was, "is", (int)c->is, "answer",
                                       c->answer, "was_reason", c->was_reason, "reason", c->reason));
        return;
    }
    fprintf(out, "%s %s sample %lld: %s, was %s: ", c->task, c->row_id, (long long)c->sample, c->is ? "right" : "wrong",
            c->was ? "right" : "wrong");
    put_plain(out, c->reason);
    fputs("; before: ", out);
    put_plain(out, c->was_reason);
    fputc('\n', out);
}

int grade_run(cli *app, const grade_run_params *p, bool json)
{
    r1_error err = {0};
    r1_regrade_counts n;
    listing l = {app, json};
    const char *const key = p->judge_key_env ? getenv(p->judge_key_env) : NULL;
    if (p->judge_key_env && !key)
        return cli_fail(app, CLI_USAGE, "the environment variable %s is not set", p->judge_key_env);
    const r1_endpoint judge = {.url = p->judge, .model = p->judge_model, .api_key = key};
    if (r1_eval_regrade(p->run, p->judge ? &judge : NULL, &app->env, on_change, &l, &n, &err) != R1_OK)
        return cli_error(app, &err);
    cli_note(app, "%llu samples graded anew: %llu became right, %llu became wrong, %llu changed in answer or reason alone", (unsigned long long)n.samples,
             (unsigned long long)n.became_right, (unsigned long long)n.became_wrong, (unsigned long long)n.other);
    return CLI_YES;
}
