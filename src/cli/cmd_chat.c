/* r1 chat: a conversation on the terminal, or over pipes one line a turn. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "line.h"
#include "prompt.h"

typedef struct params {
    setup s;
    const char *system, *load, *thinking;
    bool think, history;
    int64_t max_tokens, top_k, seed, think_budget;
    double temperature, top_p, min_p, repetition;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->think = a->history = true;
    a->thinking = "show";
    a->temperature = 0.6;
    a->top_p = 0.95;
    a->repetition = 1.0;
    setup_argument_optional(list, &a->s);
    opt_string(list, 's', "system", "TEXT", &a->system, "a system message (R1's authors advise against one)");
    opt_string(list, 0, "load", "FILE", &a->load, "go on with a conversation that /save wrote");
    opt_flag(list, 0, "think", &a->think, "--no-think answers begin behind an empty think block");
    opt_choice(list, 0, "thinking", "show|fold|hide", &a->thinking,
               "the thinking on screen: dimmed, folded to one line, or not at all");
    opt_int(list, 0, "think-budget", "N", &a->think_budget, 0, INT64_C(1) << 31,
            "close the thinking after N tokens; 0: no limit");
    opt_int(list, 'n', "max-tokens", "N", &a->max_tokens, 0, INT64_C(1) << 31,
            "length of one answer, thinking included; 0: as the context allows");
    opt_real(list, 0, "temperature", "T", &a->temperature, 0.0, 100.0, "0: always the likeliest token");
    opt_real(list, 0, "temp", "T", &a->temperature, 0.0, 100.0, "the same as --temperature");
    opt_real(list, 0, "top-p", "P", &a->top_p, 0.0, 1.0,
             "draw from the likeliest tokens that together have this probability");
    opt_int(list, 0, "top-k", "K", &a->top_k, 0, INT32_MAX, "draw from the K likeliest tokens; 0: off");
    opt_real(list, 0, "min-p", "P", &a->min_p, 0.0, 1.0, "drop tokens less likely than P times the likeliest");
    opt_real(list, 0, "repetition-penalty", "X", &a->repetition, 1e-3, 1e3,
             "divides the logits of tokens seen before; 1: off");
    opt_int(list, 0, "seed", "N", &a->seed, 0, INT64_MAX, "the same seed and the same turns give the same answers");
    opt_flag(list, 0, "history", &a->history, "keep what was typed for the next time");
    setup_options(list, &a->s);
}

typedef enum view { VIEW_SHOW, VIEW_FOLD, VIEW_HIDE } view;
static const char *const view_names[] = {"show", "fold", "hide"};

typedef struct chat {
    cli *app;
    params *a;
    prompt_form form;
    line_reader *lines;
    json_t *messages;          /* as the template sees them, a system message first if there is one */
    view view;
    bool think, quit;
    int64_t think_budget;
    uint32_t turn;             /* of this conversation: each draws its own random numbers */
    /* the answer in progress */
    r1_think_splitter splitter;
    bytes thinking, answer;
    bool open, any;            /* the thinking is on screen and not closed; something was printed */
    char last;
    int64_t thinking_tokens;
    struct timespec shown_at;
    r1_result result;
    /* the session */
    int64_t prompt_tokens, cached_tokens, output_tokens;
    double prefill_seconds, decode_seconds;
} chat;

/* Written by the signal handler alone; a handler has no other way to speak. */
static volatile sig_atomic_t interrupted;
static void on_interrupt(int sig)
{
    (void)sig;
    interrupted = 1;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* What a model says is text, not commands for a terminal: control characters become '?' there (C1 ones too). */
static void show(chat *c, const char *text, size_t n)
{
    if (n == 0) return;
    c->last = text[n - 1];
    c->any = true;
    if (!c->app->out_tty) {
        cli_put(c->app, text, n);
        return;
    }
    for (size_t i = 0, from = 0; i <= n; i++) {
        const unsigned char b = i < n ? (unsigned char)text[i] : 0;
        const bool c1 = i + 1 < n && b == 0xC2 && (unsigned char)text[i + 1] < 0xA0;
        if (i < n && !c1 && b != 0x7F && (b >= 0x20 || b == '\n' || b == '\t')) continue;
        cli_put(c->app, text + from, i - from);
        if (i < n) cli_put(c->app, "?", 1);
        if (c1) i++;
        from = i + 1;
    }
}

static void put(chat *c, const char *text) { cli_put(c->app, text, strlen(text)); }

static void open_thinking(chat *c)
{
    c->open = true;
    if (c->app->color) put(c, "\033[2m");
    if (c->view == VIEW_SHOW) show(c, "<think>\n", 8);
}

static void close_thinking(chat *c)
{
    char line[96];
    if (!c->open) return;
    c->open = false;
    if (c->view == VIEW_SHOW) {
        if (c->last != '\n') show(c, "\n", 1);
        show(c, "</think>\n\n", 10);
    } else {
        if (c->app->color) put(c, "\r\033[K");
        show(c, line, (size_t)snprintf(line, sizeof line, "[thought for %lld tokens]\n\n",
                                       (long long)c->thinking_tokens));
    }
    if (c->app->color) put(c, "\033[0m");
}

/* The folded line counts along, a few times a second. */
static void count_fold(chat *c)
{
    char line[96];
    struct timespec now;
    if (!c->app->color) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (c->thinking_tokens > 1 &&
        (now.tv_sec - c->shown_at.tv_sec) * 1000 + (now.tv_nsec - c->shown_at.tv_nsec) / 1000000 < 150) return;
    c->shown_at = now;
    cli_put(c->app, line,
            (size_t)snprintf(line, sizeof line, "\r[thinking: %lld tokens]\033[K", (long long)c->thinking_tokens));
}

static void on_part(void *user, r1_think_part part, const char *text, size_t n)
{
    chat *const c = user;
    bytes_add(part == R1_PART_THINKING ? &c->thinking : &c->answer, text, n);
    if (part == R1_PART_ANSWER) {
        close_thinking(c);
        show(c, text, n);
    } else if (c->view != VIEW_HIDE) {
        if (!c->open) open_thinking(c);
        if (c->view == VIEW_SHOW) show(c, text, n);
        else count_fold(c);
    }
}

static bool on_token(void *user, const r1_token_event *event)
{
    chat *const c = user;
    if (c->splitter.part == R1_PART_THINKING) c->thinking_tokens++;
    r1_think_feed(&c->splitter, event->text, event->text_bytes, on_part, c);
    return cli_flush(c->app) && !interrupted;
}

static void on_done(void *user, const r1_result *result)
{
    chat *const c = user;
    c->result = *result;
    r1_think_finish(&c->splitter, on_part, c);
    close_thinking(c);
    if (c->any && c->last != '\n') show(c, "\n", 1);
    cli_flush(c->app);
}

/* ---- one turn ---------------------------------------------------------------------------------------------------- */

static r1_request request_of(chat *c, const prompt_ids *p)
{
    const params *const a = c->a;
    r1_request q = {.prompt = p->ids, .n_prompt = p->n, .max_tokens = a->max_tokens, .sampling = r1_sampling_default(),
                    .thinking_open = p->thinking_open, .think_budget = c->think_budget, .on_token = on_token,
                    .on_done = on_done, .user = c};
    q.sampling.temperature = (float)a->temperature;
    q.sampling.top_p = (float)a->top_p;
    q.sampling.top_k = (int32_t)a->top_k;
    q.sampling.min_p = (float)a->min_p;
    q.sampling.repetition_penalty = (float)a->repetition;
    q.sampling.seed = (uint64_t)a->seed;
    q.sampling.prompt = c->turn;
    return q;
}

/* Step until the answer is there; Ctrl-C ends it after the step in flight. */
static r1_status generate(chat *c, const prompt_ids *p, r1_error *err)
{
    const r1_request q = request_of(c, p);
    int64_t id, active = 1;
    bool cancelled = false;
    r1_status st = r1_engine_submit(c->a->s.engine, &q, &id, err);
    while (st == R1_OK && active > 0) {
        if (interrupted && !cancelled) {
            r1_engine_cancel(c->a->s.engine, id);
            cancelled = true;
        }
        st = r1_engine_step(c->a->s.engine, &active, err);
    }
    return st;
}

static void count(chat *c)
{
    const r1_result *const r = &c->result;
    c->prompt_tokens += r->prompt_tokens;
    c->cached_tokens += r->cached_tokens;
    c->output_tokens += r->output_tokens;
    c->prefill_seconds += r->prefill_seconds;
    c->decode_seconds += r->decode_seconds;
}

/* The answer goes into the conversation without its thinking, which is kept beside it: templates that want it find it
 * there. */
static void keep_answer(chat *c)
{
    json_t *const m = json_pack("{s:s, s:o}", "role", "assistant", "content", json_bytes(c->answer.text, c->answer.n));
    if (m && c->thinking.n) json_object_set_new(m, "reasoning_content", json_bytes(c->thinking.text, c->thinking.n));
    json_array_append_new(c->messages, m);
}

static int turn(chat *c, const char *text, size_t n)
{
    r1_error err = {0};
    prompt_ids p = {0};
    json_t *const said = json_bytes(text, n);
    if (!said) return cli_fail(c->app, CLI_INPUT, "that line is not UTF-8");
    json_array_append_new(c->messages, json_pack("{s:s, s:o}", "role", "user", "content", said));
    c->thinking.n = c->answer.n = 0;
    c->open = c->any = false;
    c->thinking_tokens = 0;
    c->result = (r1_result){0};
    interrupted = 0;
    r1_status st = prompt_make(&c->form, c->messages, c->think, &p, &err);
    r1_think_init(&c->splitter, p.thinking_open);
    if (st == R1_OK) st = generate(c, &p, &err);
    r1_free(p.ids);
    c->turn++;
    if (st == R1_OK && c->result.finish == R1_FINISH_ERROR) {
        err = c->result.error;
        st = err.code;
    }
    const bool stopped = interrupted != 0;
    interrupted = 0;
    if (st != R1_OK || (stopped && c->answer.n == 0)) { /* nothing to go on from: as if it had not been asked */
        json_array_remove(c->messages, json_array_size(c->messages) - 1);
        if (st != R1_OK) return cli_report(c->app, &err);
        cli_note(c->app, "stopped before an answer; the question is forgotten");
        return CLI_YES;
    }
    count(c);
    keep_answer(c);
    if (stopped) cli_note(c->app, "stopped; what was said so far is kept");
    else if (c->result.finish == R1_FINISH_LENGTH) cli_note(c->app, "stopped at the limit of length");
    put(c, "\n");
    return cli_flush(c->app) ? CLI_YES : CLI_ENVIRONMENT;
}

/* ---- commands ---------------------------------------------------------------------------------------------------- */

static const char help_text[] =
    "/think                 print the last thinking\n"
    "/think show|fold|hide  the thinking on screen: dimmed, one line, not at all\n"
    "/think on|off          whether the model thinks before it answers\n"
    "/think budget N        close the thinking after N tokens; 0: no limit\n"
    "/system [TEXT]         set the system message, or take it away\n"
    "/save FILE             write the conversation as JSON\n"
    "/load FILE             go on with a saved one\n"
    "/stats                 tokens and times\n"
    "/clear                 forget the conversation, keep the system message\n"
    "/help, /quit           this list; the end (also Ctrl-D)\n"
    "A line that ends in \\ goes on in the next. // sends a line that begins with /. Ctrl-C stops an answer.\n";

static bool has_system(const chat *c)
{
    const char *const role = json_string_value(json_object_get(json_array_get(c->messages, 0), "role"));
    return role && strcmp(role, "system") == 0;
}

static int set_system(chat *c, const char *text)
{
    if (has_system(c)) json_array_remove(c->messages, 0);
    if (!*text) return CLI_YES;
    json_t *const m = json_pack("{s:s, s:o}", "role", "system", "content", json_bytes(text, strlen(text)));
    if (!m) return cli_fail(c->app, CLI_INPUT, "the system message is not UTF-8");
    json_array_insert_new(c->messages, 0, m);
    return CLI_YES;
}

static int do_think(chat *c, const char *arg)
{
    char *end;
    if (!*arg) {
        if (!c->thinking.n) put(c, "no thinking yet\n");
        if (c->app->color) put(c, "\033[2m");
        show(c, c->thinking.text, c->thinking.n);
        if (c->app->color) put(c, "\033[0m");
        if (c->thinking.n && c->last != '\n') put(c, "\n");
        return CLI_YES;
    }
    for (int i = 0; i < 3; i++)
        if (strcmp(arg, view_names[i]) == 0) {
            c->view = (view)i;
            return CLI_YES;
        }
    if (strcmp(arg, "on") == 0 || strcmp(arg, "off") == 0) {
        c->think = arg[1] == 'n';
        return CLI_YES;
    }
    if (strncmp(arg, "budget ", 7) == 0) {
        const long long n = strtoll(arg + 7, &end, 10);
        if (end != arg + 7 && !*end && n >= 0 && n <= INT32_MAX) {
            c->think_budget = n;
            return CLI_YES;
        }
    }
    return cli_fail(c->app, CLI_USAGE, "/think takes show, fold, hide, on, off or budget N");
}

static int save(chat *c, const char *path)
{
    json_t *const o = json_pack("{s:O}", "messages", c->messages);
    char *const text = o ? json_dumps(o, JSON_INDENT(1)) : NULL;
    json_decref(o);
    if (!text) return cli_fail(c->app, CLI_ENVIRONMENT, "out of memory");
    FILE *const f = fopen(path, "w");
    bool ok = f != NULL;
    if (f) {
        ok = fprintf(f, "%s\n", text) > 0;
        ok = fclose(f) == 0 && ok;
    }
    free(text);
    if (!ok) return cli_fail(c->app, CLI_ENVIRONMENT, "%s: %s", path, strerror(errno));
    cli_note(c->app, "%zu messages saved", json_array_size(c->messages));
    return CLI_YES;
}

/* A list of messages whose roles and contents are text, or an object that holds one. */
static json_t *messages_of(json_t *file)
{
    json_t *const list = json_is_array(file) ? file : json_object_get(file, "messages"), *m;
    size_t i;
    if (!json_is_array(list)) return NULL;
    json_array_foreach(list, i, m) {
        if (!json_is_string(json_object_get(m, "role")) || !json_is_string(json_object_get(m, "content"))) return NULL;
    }
    return list;
}

static int load(chat *c, const char *path)
{
    char *text;
    size_t n;
    json_error_t e;
    const int status = cli_read(c->app, path, (size_t)1 << 28, &text, &n);
    if (status) return status;
    json_t *const file = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e),
                  *const list = file ? messages_of(file) : NULL;
    free(text);
    if (!list) {
        json_decref(file);
        if (!file) return cli_fail(c->app, CLI_INPUT, "%s: line %d: %s", path, e.line, e.text);
        return cli_fail(c->app, CLI_INPUT, "%s: expected messages, each with role and content", path);
    }
    json_incref(list);
    json_decref(file);
    json_decref(c->messages);
    c->messages = list;
    cli_note(c->app, "%zu messages loaded", json_array_size(list));
    return CLI_YES;
}

static double rate(int64_t n, double seconds) { return seconds > 0.0 ? (double)n / seconds : 0.0; }

static int stats(chat *c)
{
    FILE *const out = c->app->out;
    r1_engine_stats s;
    r1_engine_get_stats(c->a->s.engine, &s);
    const r1_result *const r = &c->result;
    fprintf(out, "messages       %zu\n", json_array_size(c->messages));
    fprintf(out, "last answer    %lld prompt tokens, %lld of them cached; %lld tokens, %lld of them thinking; %.1f a second\n",
            (long long)r->prompt_tokens, (long long)r->cached_tokens, (long long)r->output_tokens,
            (long long)c->thinking_tokens, rate(r->output_tokens - 1, r->decode_seconds));
    fprintf(out, "session        %lld prompt tokens, %lld of them cached, %.1f a second; %lld tokens, %.1f a second\n",
            (long long)c->prompt_tokens, (long long)c->cached_tokens,
            rate(c->prompt_tokens - c->cached_tokens, c->prefill_seconds), (long long)c->output_tokens,
            rate(c->output_tokens, c->decode_seconds));
    fprintf(out, "context        %lld of %lld tokens\n", (long long)(r->prompt_tokens + r->output_tokens),
            (long long)s.context);
    fprintf(out, "memory         %.1f MiB weights, %.1f MiB cache, %.1f MiB besides\n",
            (double)s.weight_bytes / 1048576.0, (double)s.cache_bytes / 1048576.0,
            (double)(s.scratch_bytes + s.other_bytes) / 1048576.0);
    return CLI_YES;
}

static void clear(chat *c)
{
    const bool keep = has_system(c);
    while (json_array_size(c->messages) > (keep ? 1u : 0u))
        json_array_remove(c->messages, json_array_size(c->messages) - 1);
    c->thinking.n = c->answer.n = 0;
}

static int command(chat *c, const char *line)
{
    static const char *const names[] = {"help", "think", "system", "save", "load", "stats", "clear", "quit", "exit"};
    const size_t n = strcspn(line, " ");
    const char *arg = line + n;
    char name[16];
    snprintf(name, sizeof name, "%.*s", (int)(n < 15 ? n : 15), line);
    while (*arg == ' ') arg++;
    if (!strcmp(name, "help")) put(c, help_text);
    else if (!strcmp(name, "think")) return do_think(c, arg);
    else if (!strcmp(name, "system")) return set_system(c, arg);
    else if (!strcmp(name, "save")) return *arg ? save(c, arg) : cli_fail(c->app, CLI_USAGE, "/save FILE");
    else if (!strcmp(name, "load")) return *arg ? load(c, arg) : cli_fail(c->app, CLI_USAGE, "/load FILE");
    else if (!strcmp(name, "stats")) return stats(c);
    else if (!strcmp(name, "clear")) clear(c);
    else if (!strcmp(name, "quit") || !strcmp(name, "exit")) c->quit = true;
    else {
        const char *const near = opt_nearest(name, names, sizeof names / sizeof *names);
        return cli_fail(c->app, CLI_USAGE,
                        near ? "no command /%s; did you mean /%s?" : "no command /%s; /help lists them", name, near);
    }
    return CLI_YES;
}

/* ---- the conversation -------------------------------------------------------------------------------------------- */

/* One message: lines that end in a backslash go on. */
static line_result read_message(chat *c, bytes *out)
{
    const char *text, *const first = c->app->color ? "\1\033[1m\1> \1\033[0m\1" : "> ";
    size_t n;
    out->n = 0;
    for (const char *prompt = first;; prompt = ". ") {
        const line_result r = line_read(c->lines, prompt, &text, &n);
        if (r == LINE_END && out->n) break; /* the end of the input ends the message too */
        if (r != LINE_OK) return r;
        if (n) line_remember(c->lines, text);
        const bool more = n > 0 && text[n - 1] == '\\';
        bytes_add(out, text, more ? n - 1 : n);
        if (!more) break;
        bytes_add(out, "\n", 1);
    }
    bytes_add(out, "", 1); /* closed by a NUL that is none of it */
    if (!out->failed) out->n--;
    return LINE_OK;
}

/* Over pipes the first failure ends the conversation with its status; a person is told and goes on. */
static int converse(chat *c)
{
    bytes line = {0};
    int status = CLI_YES;
    while (!c->quit) {
        cli_flush(c->app);
        interrupted = 0;
        const line_result r = read_message(c, &line);
        if (line.failed) status = cli_fail(c->app, CLI_ENVIRONMENT, "out of memory");
        if (r == LINE_END || line.failed) break;
        if (r == LINE_INTERRUPTED) {
            if (!c->app->in_tty) break;
            cli_note(c->app, "Ctrl-D or /quit ends the chat");
            continue;
        }
        if (line.n == 0) continue;
        const bool is_command = line.text[0] == '/' && !(line.n > 1 && line.text[1] == '/');
        const size_t skip = line.text[0] == '/' ? 1 : 0;
        status = is_command ? command(c, line.text + 1) : turn(c, line.text + skip, line.n - skip);
        if (status == CLI_ENVIRONMENT || (status && !c->app->in_tty)) break;
        status = CLI_YES;
    }
    if (c->app->in_tty && c->app->out_tty && !c->quit) put(c, "\n");
    bytes_free(&line);
    return status;
}

/* $XDG_STATE_HOME/r1/history, folders made as needed; NULL where there is no place. */
static char *history_path(void)
{
    const char *const state = getenv("XDG_STATE_HOME"), *const home = getenv("HOME");
    char path[4096];
    if (state && *state == '/') snprintf(path, sizeof path, "%s/r1/history", state);
    else if (home && *home) snprintf(path, sizeof path, "%s/.local/state/r1/history", home);
    else return NULL;
    for (char *p = path + 1; *p; p++) {
        if (*p != '/') continue;
        *p = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST) return NULL;
        *p = '/';
    }
    return strdup(path);
}

static int start(cli *app, params *a, chat *c)
{
    r1_engine_params e = r1_engine_params_default();
    e.max_sequences = 1;
    c->messages = json_array();
    if (!c->messages) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    int status = setup_own_model(app, &a->s);
    if (!status && a->load) status = load(c, a->load);
    if (!status && a->system) status = set_system(c, a->system);
    if (!status) status = setup_model(app, &a->s, SETUP_TEXT_NEEDED, false);
    if (!status) status = prompt_open(app, &a->s, &c->form);
    if (!status) status = setup_engine(app, &a->s, e);
    return status;
}

static int run(cli *app, void *p)
{
    params *const a = p;
    chat c = {.app = app, .a = a, .think = a->think, .think_budget = a->think_budget,
              .result = {.finish = R1_FINISH_NONE}};
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    while (strcmp(view_names[c.view], a->thinking) != 0) c.view++;
    int status = start(app, a, &c);
    if (!status) {
        char *const path = a->history && app->in_tty ? history_path() : NULL;
        c.lines = line_open(path);
        free(path);
        if (!c.lines) status = cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    }
    if (!status) {
        sigemptyset(&action.sa_mask);
        sigaction(SIGINT, &action, &before); /* not restarted: a read of a line must notice */
        if (app->in_tty)
            cli_note(app, "%s, %lld tokens of context; /help lists the commands", a->s.info.architecture,
                     (long long)a->s.info.max_positions);
        status = converse(&c);
        sigaction(SIGINT, &before, NULL);
    }
    line_close(c.lines);
    prompt_close(&c.form);
    setup_close(&a->s);
    bytes_free(&c.thinking);
    bytes_free(&c.answer);
    json_decref(c.messages);
    return status;
}

const cli_command cli_chat = {
    .rank = 20,
    .name = "chat",
    .usage = "[options] [MODEL]",
    .summary = "talk with a model",
    .about = "Reads a line, answers, and remembers. On a terminal lines can be edited and recalled, the thinking is dimmed and can be folded, and "
             "Ctrl-C stops an answer and keeps the chat. Over pipes each line is a turn and nothing but the answers is printed.\n\n"
             "Lines that begin with / are commands; /help lists them.",
    .examples = "# with the small model that comes with r1\n"
                "r1 chat\n"
                "r1 chat models/DeepSeek-R1-Distill-Qwen-1.5B\n"
                "# thinking in one line, closed after 2000 tokens\n"
                "r1 chat --thinking fold --think-budget 2000 model.gguf\n"
                "# two turns from a script\n"
                "printf 'Hi\\nAnd now in French\\n' | r1 chat --thinking hide model.gguf\n",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
