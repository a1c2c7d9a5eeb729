/* r1 template: the prompt that a chat template makes of a conversation, exactly as the model will read it. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/chat.h"

enum { INPUT_BYTES = 256 << 20 };

typedef struct params {
    const char *source, *messages, *jsonl, *tools, *kwargs, *use, *name, *bos, *eos;
    bool prompt, spans, json;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->prompt = true;
    opt_arg(list, "SOURCE", &a->source,
            "folder of a model or tokenizer, a .gguf file, a .jinja file, or a built-in form: r1, r1-t1, r1-t2, r1-t3");
    opt_string(list, 'm', "messages", "FILE", &a->messages,
               "JSON file (- for standard input): a list of messages, or an object that holds `messages`");
    opt_string(list, 0, "jsonl", "FILE", &a->jsonl,
               "one JSON object a line (- for standard input), one JSON object out for each");
    opt_flag(list, 'g', "generation-prompt", &a->prompt,
             "end with the opening of an answer (with --jsonl each line's add_generation_prompt says)");
    opt_flag(list, 0, "add-generation-prompt", &a->prompt, "the same under its usual name");
    opt_string(list, 0, "tools", "FILE", &a->tools, "JSON file with a list of tool schemas");
    opt_string(list, 0, "kwargs", "JSON", &a->kwargs, "further variables, such as {\"enable_thinking\": false}");
    opt_string(list, 0, "template", "FORM", &a->use,
               "another template than the source's own: a .jinja file or a built-in form");
    opt_string(list, 0, "template-name", "NAME", &a->name, "of a model with several templates: this one");
    opt_string(list, 0, "bos", "TEXT", &a->bos, "bos_token; the source's own by default");
    opt_string(list, 0, "eos", "TEXT", &a->eos, "eos_token; the source's own by default");
    opt_flag(list, 0, "spans", &a->spans, "one line for each part: begin, end, who wrote it, the text as JSON");
    opt_flag(list, 'j', "json", &a->json, "one JSON object with text and spans");
}

/* The template and the two tokens it may print. */
typedef struct job {
    cli *app;
    r1_template *compiled;
    char *bos, *eos;   /* NULL: undefined in the template */
} job;

static bool ends_with(const char *s, const char *tail)
{
    const size_t n = strlen(s), k = strlen(tail);
    return n >= k && strcmp(s + n - k, tail) == 0;
}

static int compile(job *j, const char *what, const char *source, size_t bytes)
{
    r1_error err = {0};
    if (r1_template_compile(source, bytes, &j->compiled, &err) == R1_OK) return CLI_YES;
    char text[sizeof err.message];
    snprintf(text, sizeof text, "%.100s: %.380s", what, err.message);
    memcpy(err.message, text, sizeof text);
    return cli_report(j->app, &err);
}

/* A built-in form or a file. */
static int compile_named(job *j, const char *name)
{
    const char *const form = r1_template_builtin(name);
    char *text;
    size_t bytes;
    if (form) return compile(j, name, form, strlen(form));
    int status = cli_read(j->app, name, (size_t)16 << 20, &text, &bytes);
    if (status) return status;
    status = compile(j, name, text, bytes);
    free(text);
    return status;
}

static int set_token(char **to, const char *text, size_t bytes)
{
    free(*to);
    *to = malloc(bytes + 1);
    if (!*to) return CLI_ENVIRONMENT;
    memcpy(*to, text, bytes);
    (*to)[bytes] = '\0';
    return CLI_YES;
}

static int token_of(const r1_tokenizer *k, int32_t id, char **out)
{
    const char *text;
    size_t bytes;
    if (id < 0 || !r1_tokenizer_token_bytes(k, id, &text, &bytes)) return CLI_YES;
    return set_token(out, text, bytes);
}

static int open_model(job *j, const params *a)
{
    r1_tokenizer *k;
    r1_error err = {0};
    if (r1_tokenizer_open(a->source, &j->app->env, &k, &err) != R1_OK) return cli_report(j->app, &err);
    int status = token_of(k, r1_tokenizer_bos(k), &j->bos);
    if (!status) status = token_of(k, r1_tokenizer_eos(k), &j->eos);
    if (!status && a->use) status = compile_named(j, a->use);
    else if (!status) {
        const char *own = r1_tokenizer_chat_template(k, a->name);
        const bool deepseek = r1_tokenizer_added_id(k, "<｜User｜>", strlen("<｜User｜>")) >= 0;
        if (!own && a->name) status = cli_fail(j->app, CLI_INPUT, "%s: no template named '%s'", a->source, a->name);
        else if (!own && !deepseek)
            status = cli_fail(j->app, CLI_INPUT,
                              "%s ships no chat template and has no DeepSeek tokens: give one with --template",
                              a->source);
        else {
            if (!own) own = r1_template_builtin("r1");
            status = compile(j, a->source, own, strlen(own));
        }
    }
    r1_tokenizer_close(k);
    return status;
}

static int open_job(job *j, const params *a)
{
    int status;
    if (r1_template_builtin(a->source)) {
        status = set_token(&j->bos, "<｜begin▁of▁sentence｜>", strlen("<｜begin▁of▁sentence｜>"));
        if (!status) status = set_token(&j->eos, "<｜end▁of▁sentence｜>", strlen("<｜end▁of▁sentence｜>"));
        if (!status) status = compile_named(j, a->source);
    } else if (ends_with(a->source, ".jinja") || ends_with(a->source, ".jinja2") || ends_with(a->source, ".j2")) {
        status = compile_named(j, a->use ? a->use : a->source);
    } else {
        status = open_model(j, a);
    }
    if (!status && a->bos) status = set_token(&j->bos, a->bos, strlen(a->bos));
    if (!status && a->eos) status = set_token(&j->eos, a->eos, strlen(a->eos));
    return status;
}

/* Render with `vars` (a reference this takes), after "kwargs" has been merged into them. */
static r1_status render(job *j, json_t *vars, r1_rendered *out, r1_error *err)
{
    json_t *const kwargs = json_object_get(vars, "kwargs");
    if (json_is_object(kwargs)) {
        json_incref(kwargs);
        json_object_del(vars, "kwargs");
        json_object_update(vars, kwargs);
        json_decref(kwargs);
    }
    if (j->bos && !json_object_get(vars, "bos_token")) json_object_set_new(vars, "bos_token", json_string(j->bos));
    if (j->eos && !json_object_get(vars, "eos_token")) json_object_set_new(vars, "eos_token", json_string(j->eos));
    if (!json_object_get(vars, "add_generation_prompt"))
        json_object_set_new(vars, "add_generation_prompt", json_false());
    char *const text = json_dumps(vars, JSON_COMPACT);
    json_decref(vars);
    if (!text) {
        *err = (r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "out of memory for the variables"};
        return err->code;
    }
    const r1_status st = r1_template_render(j->compiled, text, strlen(text), NULL, out, err);
    free(text);
    return st;
}

static json_t *spans_of(const r1_rendered *r)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < r->n_spans; i++)
        json_array_append_new(list, json_pack("{s:I, s:I, s:b}", "begin", (json_int_t)r->spans[i].begin, "end",
                                              (json_int_t)r->spans[i].end, "trusted", (int)r->spans[i].trusted));
    return list;
}

static int put_spans(cli *app, const r1_rendered *r)
{
    for (size_t i = 0; i < r->n_spans; i++) {
        const r1_span *const s = &r->spans[i];
        json_t *const part = json_stringn(r->text + s->begin, s->end - s->begin);
        char *const text = part ? json_dumps(part, JSON_ENCODE_ANY) : NULL;
        json_decref(part);
        if (!text) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
        fprintf(app->out, "%zu %zu %s %s\n", s->begin, s->end, s->trusted ? "template" : "outside", text);
        free(text);
    }
    return CLI_YES;
}

/* ---- one line in, one line out ----------------------------------------------------------------------------------- */
static int on_line(void *user, char *text, size_t bytes, int64_t number)
{
    job *const j = user;
    json_error_t e;
    r1_error err = {0};
    r1_rendered r = {0};
    json_t *vars = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e), *reply;
    if (bytes == 0) return 0;
    if (!json_is_object(vars)) {
        json_decref(vars);
        reply = json_pack("{s:s, s:I}", "error", "expected a JSON object", "line", (json_int_t)number);
    } else if (render(j, vars, &r, &err) == R1_OK) {
        reply = json_pack("{s:o}", "text", json_stringn(r.text, r.bytes));
    } else {
        reply = json_pack("{s:s}", "error", err.message);
    }
    r1_rendered_free(&r);
    return cli_put_json(j->app, reply);
}

/* ---- one conversation -------------------------------------------------------------------------------------------- */
static int read_json(cli *app, const char *path, json_t **out)
{
    char *text;
    size_t bytes;
    json_error_t e;
    const int status = cli_read(app, path, INPUT_BYTES, &text, &bytes);
    *out = NULL;
    if (status) return status;
    *out = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    free(text);
    if (!*out) return cli_fail(app, CLI_INPUT, "%s: line %d column %d: %s", path, e.line, e.column, e.text);
    return CLI_YES;
}

/* As the usual tools call a template: tools and documents are none where there are none. */
static int one_shot(job *j, const params *a)
{
    cli *const app = j->app;
    json_t *messages, *vars, *tools = NULL, *kwargs = NULL;
    json_error_t e;
    int status = read_json(app, a->messages, &messages);
    if (!status && a->tools) status = read_json(app, a->tools, &tools);
    if (!status && a->kwargs && !json_is_object(kwargs = json_loads(a->kwargs, JSON_REJECT_DUPLICATES, &e)))
        status = cli_fail(app, CLI_USAGE, "--kwargs: expected a JSON object");
    if (!status && !json_is_array(messages) && !json_is_array(json_object_get(messages, "messages")))
        status = cli_fail(app, CLI_INPUT, "%s: expected a list of messages, or an object that holds \"messages\"",
                          a->messages);
    if (status) {
        json_decref(messages);
        json_decref(tools);
        json_decref(kwargs);
        return status;
    }
    vars = json_is_array(messages) ? json_pack("{s:o}", "messages", messages) : messages;
    if (!json_object_get(vars, "tools")) json_object_set(vars, "tools", tools ? tools : json_null());
    if (!json_object_get(vars, "documents")) json_object_set_new(vars, "documents", json_null());
    if (opt_given(app->options, &a->prompt) || !json_object_get(vars, "add_generation_prompt"))
        json_object_set_new(vars, "add_generation_prompt", json_boolean(a->prompt));
    if (kwargs) json_object_set(vars, "kwargs", kwargs);
    json_decref(tools);
    json_decref(kwargs);
    r1_rendered r = {0};
    r1_error err = {0};
    if (render(j, vars, &r, &err) != R1_OK) return cli_report(app, &err);
    if (a->json)
        status = cli_put_json(app,
                              json_pack("{s:o, s:o}", "text", json_stringn(r.text, r.bytes), "spans", spans_of(&r)));
    else if (a->spans) status = put_spans(app, &r);
    else {
        cli_put(app, r.text, r.bytes);
        if (app->out_tty && r.bytes && r.text[r.bytes - 1] != '\n') cli_put(app, "\n", 1);
    }
    r1_rendered_free(&r);
    return status;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    job j = {.app = app};
    if (!a->messages == !a->jsonl) return cli_fail(app, CLI_USAGE, "give one of --messages FILE and --jsonl FILE");
    int status = open_job(&j, a);
    if (!status) status = a->jsonl ? cli_read_lines(app, a->jsonl, on_line, &j) : one_shot(&j, a);
    r1_template_destroy(j.compiled);
    free(j.bos);
    free(j.eos);
    return status;
}

const cli_command cli_template = {
    .rank = 50,
    .name = "template",
    .usage = "[options] SOURCE (--messages FILE | --jsonl FILE)",
    .summary = "print the prompt that a chat template makes of messages",
    .about = "Renders the model's own chat template, byte for byte as the usual tools do, and prints the prompt without "
             "anything added. A model without a template but with DeepSeek's tokens gets R1's.\n\n"
             "--spans shows which parts the template wrote and which came from the messages: only the former may become "
             "control tokens.\n\n"
             "With --jsonl each line holds messages, and as wanted add_generation_prompt (default false), tools, kwargs, bos_token "
             "and eos_token; it yields a line with text, or with error.",
    .examples = "# what the model reads\n"
                "r1 template DeepSeek-R1-Distill-Qwen-7B --messages chat.json\n"
                "# who wrote which part\n"
                "r1 template r1 --messages chat.json --spans\n"
                "# many conversations\n"
                "r1 template my.jinja --jsonl chats.jsonl > prompts.jsonl\n",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
