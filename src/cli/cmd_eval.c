/* r1 eval: how often a model is right, and how sure that is. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "r1/eval.h"
#include "setup.h"

typedef struct params {
    setup s;
    const char *task, *data, *task_dir, *out, *endpoint, *model_name, *api_key_env, *judge, *judge_model,
        *judge_key_env;
    opt_strings train;
    int64_t samples, max_tokens, limit, seed, sequences, parallel, timeout, retries;
    double temperature, top_p;
    bool resume, raw, think, json;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    const r1_eval_config c = r1_eval_config_default();
    a->temperature = c.temperature;
    a->top_p = c.top_p;
    a->think = true;
    a->data = "data";
    opt_arg_optional(list, "MODEL", &a->s.path,
                     "folder of a checkpoint (Hugging Face), or a .gguf file; none with --endpoint");
    opt_string(list, 0, "task", "NAME[,NAME]", &a->task, "what to examine: names, or paths of task files");
    opt_string(list, 0, "data", "DIR", &a->data, "folder of the data sets; for task custom, the JSONL file");
    opt_string(list, 'o', "out", "DIR", &a->out,
               "folder of the run's record; else runs/ and the names of task and model");
    opt_flag(list, 0, "resume", &a->resume, "take what a run that was stopped or killed still lacks");
    opt_int(list, 'k', "samples", "K", &a->samples, 0, 65536,
            "answers to each prompt; 0: the task's number, 1 at temperature 0");
    opt_int(list, 0, "limit", "N", &a->limit, 0, INT32_MAX, "the first N prompts of each task; 0: all");
    opt_int(list, 'n', "max-tokens", "N", &a->max_tokens, 0, INT64_C(1) << 31,
            "length of an answer, thinking included; 0: 32768 as in the paper");
    opt_real(list, 0, "temperature", "T", &a->temperature, 0.0, 100.0, "0: always the likeliest token");
    opt_real(list, 0, "top-p", "P", &a->top_p, 0.0, 1.0,
             "draw from the likeliest tokens that together have this probability");
    opt_int(list, 0, "seed", "N", &a->seed, 0, INT64_MAX,
            "the same seed gives the same answers, on any number of threads");
    opt_flag(list, 0, "raw", &a->raw, "the task's prompt is the model's input as it is: no chat template");
    opt_flag(list, 0, "think", &a->think, "--no-think begins behind an empty think block");
    opt_string(list, 0, "task-dir", "DIR", &a->task_dir,
               "where task names are looked for, instead of beside the program");
    opt_int(list, 0, "sequences", "N", &a->sequences, 1, 4096, "answers computed together; moves no bit of the result");
    opt_string(list, 0, "endpoint", "URL", &a->endpoint,
               "examine an OpenAI-compatible service instead, http://host:port/v1");
    opt_string(list, 0, "model", "NAME", &a->model_name, "with --endpoint: the model's name there");
    opt_string(list, 0, "api-key-env", "VAR", &a->api_key_env,
               "with --endpoint: the environment variable that holds the key");
    opt_int(list, 0, "parallel", "N", &a->parallel, 1, 256, "with --endpoint: requests at once");
    opt_int(list, 0, "timeout", "S", &a->timeout, 1, 86400, "with --endpoint or --judge: seconds for one request");
    opt_int(list, 0, "retries", "N", &a->retries, 1, 100,
            "with --endpoint or --judge: tries after an answer of 429 or 5xx, with growing pauses");
    opt_string(list, 0, "judge", "URL", &a->judge, "the judge's service, for tasks that a model judges");
    opt_string(list, 0, "judge-model", "NAME", &a->judge_model, "the judge's name there");
    opt_string(list, 0, "judge-key-env", "VAR", &a->judge_key_env, "the environment variable that holds its key");
    opt_strings_add(list, 0, "decontaminate", "TRAIN.jsonl", &a->train,
                    "no model: list the 10-word overlaps of training data with the tasks; may be repeated");
    opt_flag(list, 'j', "json", &a->json, "the report as one JSON object");
    setup_options(list, &a->s);
    a->sequences = 32;
    a->parallel = 8;
    a->timeout = 600;
    a->retries = 5;
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

/* "a,b" to its parts; *list and *copy are malloc'd. */
static int split_names(cli *app, const char *text, char **copy, const char ***list, size_t *n)
{
    *n = 0;
    *copy = strdup(text);
    *list = calloc(strlen(text) + 1, sizeof **list);
    if (!*copy || !*list) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    char *state = NULL;
    for (char *name = strtok_r(*copy, ",", &state); name; name = strtok_r(NULL, ",", &state)) (*list)[(*n)++] = name;
    return *n ? 0 : cli_fail(app, CLI_USAGE, "--task names no task");
}

static const char *last_part(const char *path)
{
    const char *const slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

/* runs/gsm8k-model */
static int name_run(cli *app, const params *a, char **out)
{
    const char *const model = a->endpoint ? (a->model_name ? a->model_name : "endpoint") : a->s.path;
    const size_t n = strlen(a->task) + strlen(model) + 8;
    if (!(*out = malloc(n))) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    snprintf(*out, n, "runs/%s-%s", last_part(a->task), last_part(model));
    for (char *p = *out + 5; *p; p++)
        if (*p == '/' || *p == ',') *p = '-';
    return 0;
}

static int key_of(cli *app, const char *variable, const char **key)
{
    *key = variable ? getenv(variable) : NULL;
    return variable && !*key ? cli_fail(app, CLI_USAGE, "the environment variable %s is not set", variable) : 0;
}

/* ---- progress ---------------------------------------------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;
static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

typedef struct display {
    cli *app;
    double said;               /* when the last line was written, where there is no terminal */
    uint64_t said_done;
} display;

static void duration(double seconds, char *text, size_t size)
{
    const long s = seconds > 0 ? (long)(seconds + 0.5) : 0;
    if (seconds < 0) snprintf(text, size, "?");
    else if (s < 60) snprintf(text, size, "%ld s", s);
    else if (s < 3600) snprintf(text, size, "%ld:%02ld min", s / 60, s % 60);
    else snprintf(text, size, "%ld:%02ld h", s / 3600, s / 60 % 60);
}

/* One line that is redrawn on a terminal; elsewhere a line every half minute. */
static bool on_progress(void *user, const r1_eval_progress *p)
{
    display *const d = user;
    cli *const app = d->app;
    const bool last = p->done == p->total;
    char left[32], line[200];
    if (app->quiet || (!app->err_tty && !last && p->seconds - d->said < 30)) return !interrupted;
    duration(p->seconds_left, left, sizeof left);
    snprintf(line, sizeof line, "%s: %llu of %llu samples, %.1f %% right, %.0f tokens/s, %s left",
             p->task[0] ? p->task : "eval", (unsigned long long)p->done, (unsigned long long)p->total,
             p->done ? 100.0 * (double)p->correct / (double)p->done : 0.0,
             p->seconds > 0 ? (double)p->tokens / p->seconds : 0.0, left);
    if (!app->err_tty) {
        if (p->done != d->said_done) cli_note(app, "%s", line);
        d->said = p->seconds;
        d->said_done = p->done;
        return !interrupted;
    }
    pthread_mutex_lock(&app->lock);
    fprintf(stderr, "\r%s\033[K", line);
    fflush(stderr);
    app->bar = true;
    pthread_mutex_unlock(&app->lock);
    return !interrupted;
}

/* ---- running ----------------------------------------------------------------------------------------------------- */

static int write_page(cli *app, const char *run)
{
    r1_error err = {0};
    char *text, path[4096];
    size_t n;
    if (r1_eval_report(&run, 1, R1_REPORT_HTML, &app->env, &text, &n, &err) != R1_OK) return cli_report(app, &err);
    snprintf(path, sizeof path, "%s/report.html", run);
    FILE *const f = fopen(path, "wb");
    const bool written = f && fwrite(text, 1, n, f) == n;
    const bool closed = f && fclose(f) == 0;
    r1_free(text);
    return written && closed ? 0 : cli_fail(app, CLI_ENVIRONMENT, "%s: cannot be written", path);
}

static int report(cli *app, const params *a, const char *run)
{
    r1_error err = {0};
    char *text;
    size_t n;
    const int status = write_page(app, run);
    if (status) return status;
    if (r1_eval_report(&run, 1, a->json ? R1_REPORT_JSON : R1_REPORT_TEXT, &app->env, &text, &n, &err) != R1_OK)
        return cli_report(app, &err);
    cli_put(app, text, n);
    r1_free(text);
    cli_note(app, "the record is in %s, the page in %s/report.html", run, run);
    return 0;
}

/* The last state stays on the screen; what is printed next begins on a line of its own. */
static void end_line(cli *app)
{
    pthread_mutex_lock(&app->lock);
    if (app->bar) fputc('\n', stderr);
    app->bar = false;
    pthread_mutex_unlock(&app->lock);
}

static int examine(cli *app, params *a, r1_eval_config *c)
{
    r1_error err = {0};
    display d = {.app = app};
    struct sigaction action = {.sa_handler = on_signal}, before_int, before_term;
    c->on_progress = on_progress;
    c->user = &d;
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    const r1_status st = r1_eval_run(c, &app->env, &err);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    end_line(app);
    if (st == R1_ERR_STOPPED) {
        cli_report(app, &err);
        return CLI_NO;
    }
    return st == R1_OK ? report(app, a, c->out) : cli_report(app, &err);
}

static int endpoints(cli *app, const params *a, r1_endpoint *subject, r1_endpoint *judge, r1_eval_config *c)
{
    *subject = (r1_endpoint){.url = a->endpoint, .model = a->model_name, .parallel = (int32_t)a->parallel,
                             .timeout_seconds = (int32_t)a->timeout, .retries = (int32_t)a->retries};
    *judge = (r1_endpoint){.url = a->judge, .model = a->judge_model, .timeout_seconds = (int32_t)a->timeout,
                           .retries = (int32_t)a->retries};
    int status = key_of(app, a->api_key_env, &subject->api_key);
    if (!status) status = key_of(app, a->judge_key_env, &judge->api_key);
    if (a->endpoint) c->endpoint = subject;
    if (a->judge) c->judge = judge;
    return status;
}

static int evaluate(cli *app, params *a, const char *const *tasks, size_t n_tasks)
{
    r1_endpoint subject, judge;
    char *named = NULL;
    r1_eval_config c = r1_eval_config_default();
    if ((a->endpoint != NULL) == (a->s.path != NULL))
        return cli_fail(app, CLI_USAGE, "give a MODEL or an --endpoint, one of the two");
    int status = a->out ? 0 : name_run(app, a, &named);
    if (!status) status = endpoints(app, a, &subject, &judge, &c);
    if (!status && !a->endpoint) status = setup_model(app, &a->s, SETUP_TEXT_NEEDED, false);
    if (!status) {
        c.tasks = tasks;
        c.n_tasks = n_tasks;
        c.task_dir = a->task_dir;
        c.data = a->data;
        c.out = a->out ? a->out : named;
        c.resume = a->resume;
        c.samples = a->samples;
        c.max_tokens = a->max_tokens;
        c.limit = a->limit;
        c.temperature = a->temperature;
        c.top_p = a->top_p;
        c.seed = (uint64_t)a->seed;
        c.raw = a->raw;
        c.no_think = !a->think;
        c.model = a->s.model;
        c.tokenizer = a->s.tokenizer;
        c.model_path = a->s.path;
        c.lora_path = a->s.lora;
        c.engine.context = a->s.context;
        c.engine.max_sequences = (int32_t)a->sequences;
        if (a->s.batch) c.engine.max_batch_tokens = (int32_t)a->s.batch;
        r1_cache_type_find(a->s.cache_type, &c.engine.cache_type);
        status = examine(app, a, &c);
    }
    setup_close(&a->s);
    free(named);
    return status;
}

/* ---- contamination ----------------------------------------------------------------------------------------------- */

typedef struct overlaps {
    cli *app;
    bool json;
} overlaps;

static void on_overlap(void *user, const r1_overlap *o)
{
    const overlaps *const v = user;
    if (v->json)
        cli_put_json(v->app, json_pack("{s:s, s:s, s:s, s:I, s:I, s:s}", "task", o->task, "id", o->row_id, "file",
                                       o->train_file, "line", (json_int_t)o->train_line, "count", (json_int_t)o->count,
                                       "ngram", o->ngram));
    else
        fprintf(v->app->out, "%s line %lld shares %lld with %s %s: %s\n", o->train_file, (long long)o->train_line,
                (long long)o->count, o->task, o->row_id, o->ngram);
}

static int decontaminate(cli *app, const params *a, const char *const *tasks, size_t n_tasks)
{
    r1_error err = {0};
    overlaps v = {app, a->json};
    uint64_t prompts, touched;
    if (r1_eval_decontaminate(tasks, n_tasks, a->task_dir, a->data, a->train.item, (size_t)a->train.n, 0, on_overlap,
                              &v, &prompts, &touched, &err) != R1_OK)
        return cli_report(app, &err);
    cli_note(app, "%llu of %llu prompts share 10 words or more with the training data", (unsigned long long)touched,
             (unsigned long long)prompts);
    return touched ? CLI_NO : CLI_YES;
}

static int run(cli *app, void *p)
{
    params *const a = p;
    char *copy = NULL;
    const char **tasks = NULL;
    size_t n = 0;
    if (!a->task) return cli_fail(app, CLI_USAGE, "--task is missing: which task? (r1 eval --help)");
    int status = split_names(app, a->task, &copy, &tasks, &n);
    if (!status) status = a->train.n ? decontaminate(app, a, tasks, n) : evaluate(app, a, tasks, n);
    free(tasks);
    free(copy);
    return status;
}

const cli_command cli_eval = {
    .rank = 80,
    .name = "eval",
    .usage = "[options] MODEL --task NAME[,NAME]",
    .summary = "examine a model: many samples a prompt, graded and recorded",
    .about = "Takes samples of every prompt of the tasks, grades each, and keeps all of it (prompts' hashes, token ids, text, verdict, reason) in "
             "DIR/run.db. The report says how sure each number is; DIR/report.html draws it.\n\n"
             "A run that was stopped or killed is continued with --resume and the same options: the report's bytes are then those of an "
             "uninterrupted run. A change of task, data, model or settings is refused by name.\n\n"
             "Tasks are small YAML files (docs/evaluation.md); data sets are JSONL, plain, .gz or .zst. With --endpoint any OpenAI-compatible "
             "service is examined by the same examiner. Exit status 5: stopped before the end, or overlaps were found.",
    .examples = "r1 eval model.gguf --task gsm8k --limit 50 --samples 4 --data ../shared/data --out runs/gsm8k\n"
                "# after a crash\n"
                "r1 eval model.gguf --task gsm8k --limit 50 --samples 4 --data ../shared/data --out runs/gsm8k --resume\n"
                "# one greedy answer each, two tasks\n"
                "r1 eval model.gguf --task math500,aime24 --temperature 0 --max-tokens 4096\n"
                "# another engine\n"
                "r1 eval --endpoint http://127.0.0.1:8000/v1 --model qwen --task gsm8k --parallel 32\n"
                "# does the training set give the examination away?\n"
                "r1 eval --task gsm8k,math500 --decontaminate train.jsonl",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
