/* r1 grade: decide what is right, line by line. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "grade_queue.h"
#include "grade_row.h"
#include "grade_run.h"
#include "r1/reward.h"

enum { MAX_RULES = 64, MAX_THREADS = 256 };

typedef struct params {
    const char *task, *options, *reward, *file, *gold, *answer;
    grade_run_params recorded;
    bool thinking_open, list, json, keep_going;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    grade_run_options(list, &a->recorded);
    opt_string(list, 0, "task", "NAME", &a->task, "the grader (--list names them)");
    opt_string(list, 'o', "options", "JSON", &a->options, "the grader's options, a JSON object");
    opt_string(list, 'r', "reward", "FILE", &a->reward,
               "a reward instead of a task: JSON, [{\"grader\": NAME, \"weight\": W, \"options\": {...}}, ...]");
    opt_string(list, 'f', "file", "FILE", &a->file, "read the lines from this file instead of standard input");
    opt_string(list, 'g', "gold", "TEXT", &a->gold, "grade one answer: what is right");
    opt_string(list, 'a', "answer", "TEXT", &a->answer, "grade one answer: what was written");
    opt_flag(list, 0, "thinking-open", &a->thinking_open,
             "the template had opened the think block; a row's own \"thinking_open\" goes before");
    opt_flag(list, 'j', "json", &a->json, "with --list or --answer: JSON");
    opt_flag(list, 'k', "keep-going", &a->keep_going,
             "a gold that cannot be graded against makes its row null and the exit status 3 at the end");
    opt_flag(list, 0, "list", &a->list, "the graders and what they do");
}

/* ---- what grades ------------------------------------------------------------------------------------------------- */

/* A reward's file, or the one task as a reward of weight 1. Texts belong to `file` and `option_text`. */
typedef struct rules {
    r1_reward_rule item[MAX_RULES];
    size_t n;
    json_t *file;
    char *option_text[MAX_RULES];
} rules;

static void rules_free(rules *r)
{
    json_decref(r->file);
    for (size_t i = 0; i < MAX_RULES; i++) free(r->option_text[i]);
}

static int bad_rule(cli *app, const char *path, size_t i, const char *what)
{
    return cli_fail(app, CLI_INPUT, "%s: rule %zu: %s", path, i + 1, what);
}

static int read_rule(cli *app, const char *path, const json_t *rule, size_t i, rules *out)
{
    const char *key;
    json_t *value;
    r1_reward_rule *const r = &out->item[i];
    json_object_foreach((json_t *)(uintptr_t)rule, key, value)
        if (strcmp(key, "grader") != 0 && strcmp(key, "weight") != 0 && strcmp(key, "options") != 0)
            return bad_rule(app, path, i, "only \"grader\", \"weight\" and \"options\" are known");
    const json_t *const weight = json_object_get(rule, "weight"), *const o = json_object_get(rule, "options");
    r->grader = json_string_value(json_object_get(rule, "grader"));
    r->weight = weight ? json_number_value(weight) : 1.0;
    if (!r->grader) return bad_rule(app, path, i, "no \"grader\"");
    if (weight && !json_is_number(weight)) return bad_rule(app, path, i, "\"weight\" is not a number");
    if (o && !json_is_object(o)) return bad_rule(app, path, i, "\"options\" is not an object");
    if (o && !(out->option_text[i] = json_dumps(o, JSON_COMPACT)))
        return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    r->options_json = out->option_text[i];
    return 0;
}

static int read_rules(cli *app, const params *a, rules *out)
{
    *out = (rules){.item = {{.grader = a->task, .weight = 1.0, .options_json = a->options}}, .n = 1};
    if (!a->reward) return 0;
    char *text;
    size_t bytes;
    json_error_t e;
    int status = cli_read(app, a->reward, 1 << 20, &text, &bytes);
    if (status) return status;
    out->file = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &e);
    free(text);
    if (!out->file) return cli_fail(app, CLI_INPUT, "%s: %s (line %d)", a->reward, e.text, e.line);
    out->n = json_array_size(out->file);
    if (out->n == 0 || out->n > MAX_RULES)
        return cli_fail(app, CLI_INPUT, "%s: not a list of 1 to %d rules", a->reward, (int)MAX_RULES);
    for (size_t i = 0; i < out->n && !status; i++)
        status = read_rule(app, a->reward, json_array_get(out->file, i), i, out);
    return status;
}

/* ---- work -------------------------------------------------------------------------------------------------------- */

typedef struct work {
    const params *a;
    const rules *rules;
    bool parts;                  /* a reward was asked for: every part is printed */
    r1_grader *grader[MAX_THREADS][MAX_RULES];
    _Atomic int64_t n, correct, none, ungradable;
} work;

static void close_graders(work *w, int threads)
{
    for (int t = 0; t < threads; t++)
        for (size_t i = 0; i < w->rules->n; i++) r1_grader_destroy(w->grader[t][i]);
}

static int open_graders(cli *app, work *w, int threads)
{
    r1_error err = {0};
    for (int t = 0; t < threads; t++)
        for (size_t i = 0; i < w->rules->n; i++) {
            const r1_reward_rule *const r = &w->rules->item[i];
            if (r1_grader_create(r->grader, r->options_json, &app->env, &w->grader[t][i], &err) != R1_OK)
                return cli_report(app, &err);
        }
    return 0;
}

/* The row's verdicts, one a rule; 0 or an exit status with the message. */
static int judge(work *w, int thread, const r1_sample *s, r1_verdict *v, double *total, r1_error *err)
{
    r1_status st = R1_OK;
    *total = 0;
    for (size_t i = 0; i < w->rules->n && st == R1_OK; i++) {
        r1_grader *const g = w->grader[thread][i];
        st = r1_grader_check_gold(g, s->gold, s->gold_bytes, err);
        if (st == R1_OK) st = r1_grader_grade(g, s, &v[i], err);
        *total += w->rules->item[i].weight * v[i].score;
    }
    return st == R1_OK ? 0 : r1_status_exit_code(st, err);
}

static json_t *verdict_json(const work *w, const json_t *id, const r1_verdict *v, double total)
{
    json_t *const o = json_object();
    if (id) json_object_set(o, "id", (json_t *)(uintptr_t)id);
    json_object_set_new(o, "correct", json_boolean(v[0].correct));
    json_object_set_new(o, "score", json_real(total));
    if (v[0].extracted) json_object_set_new(o, "answer", grade_text(v[0].answer, strlen(v[0].answer)));
    json_object_set_new(o, "reason", grade_text(v[0].reason, strlen(v[0].reason)));
    if (!w->parts) return o;
    json_t *const parts = json_array();
    for (size_t i = 0; i < w->rules->n; i++)
        json_array_append_new(parts,
                              json_pack("{s:s, s:f, s:f, s:b, s:o}", "grader", w->rules->item[i].grader, "weight",
                                        w->rules->item[i].weight,
                                               "score", v[i].score, "correct", v[i].correct, "reason",
                                               grade_text(v[i].reason, strlen(v[i].reason))));
    json_object_set_new(o, "parts", parts);
    return o;
}

/* One line of text with its newline. */
static char *dump_line(json_t *o)
{
    char *const text = o ? json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    json_decref(o);
    const size_t n = text ? strlen(text) : 0;
    char *const line = text ? realloc(text, n + 2) : NULL;
    if (!line) {
        free(text);
        return NULL;
    }
    memcpy(line + n, "\n", 2);
    return line;
}

static void count(work *w, const r1_verdict *v)
{
    atomic_fetch_add(&w->n, 1);
    if (v->correct) atomic_fetch_add(&w->correct, 1);
    if (!v->extracted) atomic_fetch_add(&w->none, 1);
}

static int grade_line(void *user, int thread, const char *line, size_t bytes, int64_t number, char **out, char *message,
                      size_t size)
{
    work *const w = user;
    grade_row row;
    char why[200];
    r1_verdict v[MAX_RULES];
    double total;
    r1_error err = {0};
    if (strspn(line, " \t\r") == bytes) return 0; /* an empty line */
    if (!grade_row_read(&row, line, bytes, why, sizeof why)) {
        snprintf(message, size, "line %lld: %s", (long long)number, why);
        return CLI_INPUT;
    }
    if (!json_object_get(row.json, "thinking_open")) row.sample.thinking_open = w->a->thinking_open;
    int status = judge(w, thread, &row.sample, v, &total, &err);
    if (status == CLI_INPUT && w->a->keep_going) {
        atomic_fetch_add(&w->ungradable, 1);
        *out = dump_line(json_pack("{s:O?, s:n, s:o}", "id", row.id, "correct", "reason",
                                   grade_text(err.message, strlen(err.message))));
        status = 0;
    } else if (status) {
        snprintf(message, size, "line %lld: %s", (long long)number, err.message);
    } else {
        count(w, v);
        *out = dump_line(verdict_json(w, row.id, v, total));
        if (!*out) snprintf(message, size, "line %lld: out of memory", (long long)number);
    }
    grade_row_free(&row);
    return status ? status : *out ? 0 : CLI_ENVIRONMENT;
}

/* ---- the command ------------------------------------------------------------------------------------------------- */

static int list_graders(cli *app, bool json)
{
    const char *name, *what;
    json_t *const all = json_array();
    for (int i = 0; (name = r1_grader_name(i, &what)) != NULL; i++) {
        if (json) json_array_append_new(all, json_pack("{s:s, s:s}", "name", name, "what", what));
        else fprintf(app->out, "%-12s %s\n", name, what);
    }
    if (json) return cli_put_json(app, all);
    json_decref(all);
    return CLI_YES;
}

static int grade_one(cli *app, const params *a, work *w)
{
    r1_verdict v[MAX_RULES];
    double total;
    r1_error err = {0};
    const r1_sample s = {.completion = a->answer, .completion_bytes = strlen(a->answer), .gold = a->gold ? a->gold : "",
                         .gold_bytes = a->gold ? strlen(a->gold) : 0, .thinking_open = a->thinking_open};
    if (judge(w, 0, &s, v, &total, &err)) return cli_report(app, &err);
    if (a->json) {
        char *const line = dump_line(verdict_json(w, NULL, v, total));
        if (!line) return cli_fail(app, CLI_FAULT, "cannot write this result as JSON");
        cli_put(app, line, strlen(line));
        free(line);
    } else {
        for (size_t i = 0; i < w->rules->n; i++)
            fprintf(app->out, "%s%s%s: %s\n", w->parts ? w->rules->item[i].grader : "", w->parts ? ": " : "",
                    v[i].correct ? "correct" : "wrong", v[i].reason);
        if (w->parts) fprintf(app->out, "reward %.6g\n", total);
    }
    return v[0].correct ? CLI_YES : CLI_NO;
}

typedef struct feed {
    grade_queue *queue;
} feed;

static int put_line(void *user, char *text, size_t bytes, int64_t number)
{
    return grade_queue_put(((feed *)user)->queue, text, bytes, number);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int grade_all(cli *app, const params *a, work *w, int threads)
{
    const double start = now();
    feed f = {.queue = grade_queue_open(app, threads, grade_line, w)};
    if (!f.queue) return cli_fail(app, CLI_ENVIRONMENT, "cannot start %d threads", threads);
    const int read = cli_read_lines(app, a->file ? a->file : "-", put_line, &f);
    const int graded = grade_queue_close(f.queue);
    const double seconds = now() - start;
    const long long n = w->n, correct = w->correct, none = w->none, ungradable = w->ungradable;
    cli_note(app, "%lld graded: %lld correct (%.2f %%), %lld without an answer; %lld ungradable; %.2f s, %.0f a second",
             n, correct, n > 0 ? 100.0 * (double)correct / (double)n : 0.0, none, ungradable, seconds,
             (double)n / (seconds > 0 ? seconds : 1e-9));
    return graded ? graded : read ? read : ungradable > 0 ? CLI_INPUT : CLI_YES;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    if (a->list) return list_graders(app, a->json);
    if (a->recorded.run) {
        if (a->task || a->reward || a->answer || a->file)
            return cli_fail(app, CLI_USAGE,
                            "a RUN is graded by its own tasks' graders: it goes with no other input (a file of pairs: --file)");
        return grade_run(app, &a->recorded, a->json);
    }
    if (!a->task == !a->reward) return cli_fail(app, CLI_USAGE, "give --task or --reward (--list names the graders)");
    if (a->reward && a->options)
        return cli_fail(app, CLI_USAGE, "--options belongs to --task; a reward's file has its own");
    if (a->answer && a->file) return cli_fail(app, CLI_USAGE, "--answer grades one answer, --file many");
    if (a->gold && !a->answer) return cli_fail(app, CLI_USAGE, "--gold goes with --answer");
    rules r;
    work *const w = calloc(1, sizeof *w);
    if (!w) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    *w = (work){.a = a, .rules = &r, .parts = a->reward != NULL};
    int threads = a->answer ? 1 : app->env.threads > 0 ? app->env.threads : r1_processors();
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    int status = read_rules(app, a, &r);
    if (!status) status = open_graders(app, w, threads);
    if (!status) status = a->answer ? grade_one(app, a, w) : grade_all(app, a, w, threads);
    close_graders(w, threads);
    rules_free(&r);
    free(w);
    return status;
}

const cli_command cli_grade = {
    .rank = 80,
    .name = "grade",
    .usage = "[options] --task NAME | --reward FILE | RUN",
    .summary = "decide which answers are right, with reasons",
    .about = "Reads a JSON object a line, {\"id\": ..., \"gold\": ..., \"answer\": ...}, and writes one for each, in the same order: "
             "{\"id\", \"correct\", \"score\", \"answer\", \"reason\"}. \"answer\" is all that a model wrote, or only its final answer; in the "
             "output it is what was taken for the answer. Other keys of a row: \"prompt\" (what the user asked), \"thinking_open\", "
             "\"truncated\", \"tokens\", \"max_tokens\".\n\n"
             "A line that cannot be read, or whose gold cannot be graded against, stops with its number and exit status 3. A summary goes to "
             "standard error.\n\n"
             "With --answer one answer is graded: the exit status is 0 where it is right, 5 where it is wrong.\n\n"
             "With a RUN, the folder of an evaluation, every recorded sample is graded anew, without a model. The new verdicts are kept beside the "
             "old ones; what flipped is printed.",
    .examples = "# pairs of a right answer and a model's answer\n"
                "echo '{\"id\": 1, \"gold\": \"1/2\", \"answer\": \"So it is \\\\boxed{0.5}.\"}' | r1 grade --task math\n"
                "r1 grade --task math --gold '2\\sqrt{2}' --answer '\\sqrt 8'\n"
                "r1 grade --task math --options '{\"percent\": \"fraction\", \"strict_units\": true}' < pairs.jsonl\n"
                "r1 grade --list\n"
                "# a recorded evaluation, after the grader changed\n"
                "r1 grade runs/gsm8k",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
