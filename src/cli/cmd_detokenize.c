/* r1 detokenize: token ids to text. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/tokenizer.h"

enum { MAX_TEXT = 0x7fffffff }; /* bytes of input */

typedef struct params {
    const char *model, *file;
    opt_strings ids;
    bool skip_special, json, jsonl;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    opt_arg(list, "MODEL", &a->model,
            "model folder, folder of tokenizer files, tokenizer.json, tokenizer.model or .gguf file");
    opt_arg_rest(list, "IDS", &a->ids, "token ids; commas may join them; without any --file or standard input is read");
    opt_string(list, 'f', "file", "FILE", &a->file,
               "read the ids, or with --jsonl the lines, from this file; -: standard input");
    opt_flag(list, 0, "skip-special", &a->skip_special, "leave out control tokens (not <think> and </think>)");
    opt_flag(list, 'j', "json", &a->json, "one JSON object with text");
    opt_flag(list, 0, "jsonl", &a->jsonl, "read {\"ids\": [...]} lines, write {\"text\": ...} lines");
}

typedef struct work {
    cli *app;
    const params *a;
    const r1_tokenizer *tokenizer;
    int32_t *ids; /* malloc'd */
    size_t n, cap;
} work;

static int push(work *w, int32_t id)
{
    if (w->n == w->cap) {
        const size_t cap = w->cap ? w->cap * 2 : 256;
        int32_t *const p = realloc(w->ids, cap * sizeof *p);
        if (!p) return cli_fail(w->app, CLI_ENVIRONMENT, "out of memory");
        w->ids = p;
        w->cap = cap;
    }
    w->ids[w->n++] = id;
    return CLI_YES;
}

/* Ids separated by white space, commas or both; where: "argument 2", "byte 17" of the input. */
static int push_text(work *w, const char *text, size_t bytes, int bad_status)
{
    for (size_t i = 0; i < bytes;) {
        char *end;
        if (strchr(" \t\r\n,", text[i]) && text[i]) {
            i++;
            continue;
        }
        errno = 0;
        const long id = text[i] >= '0' && text[i] <= '9' ? strtol(text + i, &end, 10) : -1;
        if (id < 0 || id > INT32_MAX || errno || ((size_t)(end - text) < bytes && (!*end || !strchr(" \t\r\n,", *end))))
            return cli_fail(w->app, bad_status, "'%.*s' is not a token id (byte %zu)",
                            (int)strcspn(text + i, " \t\r\n,") % 40, text + i, i);
        const int status = push(w, (int32_t)id);
        if (status != CLI_YES) return status;
        i = (size_t)(end - text);
    }
    return CLI_YES;
}

static r1_status decode(const work *w, char **text, size_t *bytes, r1_error *err)
{
    return r1_tokenizer_decode(w->tokenizer, w->ids, w->n, w->a->skip_special ? R1_DECODE_SKIP_SPECIAL : 0, text, bytes,
                               err);
}

static int put_text_object(const work *w, const char *text, size_t bytes)
{
    json_t *const o = json_object();
    json_object_set_new(o, "text", json_stringn(text, bytes));
    return cli_put_json(w->app, o);
}

static int put_result(const work *w)
{
    char *text;
    size_t bytes;
    int status = CLI_YES;
    r1_error err = {0};
    if (decode(w, &text, &bytes, &err) != R1_OK) return cli_report(w->app, &err);
    if (w->a->json) {
        status = put_text_object(w, text, bytes);
    } else {
        cli_put(w->app, text, bytes);
        if (w->app->out_tty && (bytes == 0 || text[bytes - 1] != '\n')) cli_put(w->app, "\n", 1);
    }
    r1_free(text);
    return status;
}

static int push_array(work *w, const json_t *ids, int64_t number)
{
    size_t i;
    json_t *id;
    json_array_foreach(ids, i, id) {
        const json_int_t v = json_is_integer(id) ? json_integer_value(id) : -1;
        if (v < 0 || v > INT32_MAX)
            return cli_fail(w->app, CLI_INPUT, "line %lld: ids[%zu] is not a token id", (long long)number, i);
        const int status = push(w, (int32_t)v);
        if (status != CLI_YES) return status;
    }
    return CLI_YES;
}

static int json_line(void *user, char *line, size_t bytes, int64_t number)
{
    work *const w = user;
    json_error_t e;
    char *text;
    size_t n;
    r1_error err = {0};
    if (bytes == 0) return CLI_YES;
    json_t *const o = json_loadb(line, bytes, JSON_REJECT_DUPLICATES, &e);
    if (!o) return cli_fail(w->app, CLI_INPUT, "line %lld, column %d: %s", (long long)number, e.column, e.text);
    const json_t *const ids = json_object_get(o, "ids");
    int status = json_is_array(ids) ? CLI_YES
                                    : cli_fail(w->app, CLI_INPUT,
                                               "line %lld: an object with an array \"ids\" is expected",
                                               (long long)number);
    w->n = 0;
    if (status == CLI_YES) status = push_array(w, ids, number);
    json_decref(o);
    if (status != CLI_YES) return status;
    if (decode(w, &text, &n, &err) != R1_OK)
        return cli_fail(w->app, CLI_INPUT, "line %lld: %s", (long long)number, err.message);
    status = put_text_object(w, text, n);
    r1_free(text);
    return status == CLI_YES && ferror(w->app->out) ? CLI_ENVIRONMENT : status;
}

static int run_open(work *w)
{
    const params *const a = w->a;
    char *text;
    size_t bytes;
    int status = CLI_YES;
    if (a->jsonl) return cli_read_lines(w->app, a->file ? a->file : "-", json_line, w);
    for (int i = 0; i < a->ids.n && status == CLI_YES; i++)
        status = push_text(w, a->ids.item[i], strlen(a->ids.item[i]), CLI_USAGE);
    if (a->ids.n == 0) {
        status = cli_read(w->app, a->file ? a->file : "-", MAX_TEXT, &text, &bytes);
        if (status != CLI_YES) return status;
        status = push_text(w, text, bytes, CLI_INPUT);
        free(text);
    }
    return status == CLI_YES ? put_result(w) : status;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_tokenizer *tokenizer;
    r1_error err = {0};
    if (a->ids.n && (a->file || a->jsonl))
        return cli_fail(app, CLI_USAGE, "IDS and --%s exclude each other", a->file ? "file" : "jsonl");
    if (a->jsonl && a->json) return cli_fail(app, CLI_USAGE, "--jsonl and --json exclude each other");
    if (r1_tokenizer_open(a->model, &app->env, &tokenizer, &err) != R1_OK) return cli_report(app, &err);
    work w = {.app = app, .a = a, .tokenizer = tokenizer};
    const int status = run_open(&w);
    free(w.ids);
    r1_tokenizer_close(tokenizer);
    return status;
}

const cli_command cli_detokenize = {
    .rank = 41,
    .name = "detokenize",
    .usage = "[options] MODEL [IDS...]",
    .summary = "turn token ids into text",
    .about = "Prints the text of token ids. Tokens may end inside a character; what does not become whole by the end is "
             "printed as U+FFFD. An id without text is an error that names it.",
    .examples = "# there and back\n"
                "r1 tokenize model.gguf 'Hello, world!' | r1 detokenize model.gguf\n"
                "# without control tokens\n"
                "r1 detokenize --skip-special model.gguf 151646 9707 151643",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
