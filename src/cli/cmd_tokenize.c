/* r1 tokenize: text to token ids. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/tokenizer.h"

enum { MAX_TEXT = 0x7fffffff }; /* bytes of one text */

typedef struct params {
    const char *model, *text, *file;
    bool bos, plain, json, pieces, jsonl;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    opt_arg(list, "MODEL", &a->model,
            "model folder, folder of tokenizer files, tokenizer.json, tokenizer.model or .gguf file");
    opt_arg_optional(list, "TEXT", &a->text, "the text; without it --file or standard input is read, byte for byte");
    opt_string(list, 'f', "file", "FILE", &a->file,
               "read the text, or with --jsonl the lines, from this file; -: standard input");
    opt_flag(list, 0, "bos", &a->bos, "put the begin-of-text token in front");
    opt_flag(list, 0, "plain", &a->plain, "treat control tokens in the text as ordinary text");
    opt_flag(list, 'p', "pieces", &a->pieces, "one token a line: id, a tab, its text with escapes");
    opt_flag(list, 'j', "json", &a->json, "one JSON object with ids and, after --pieces, pieces");
    opt_flag(list, 0, "jsonl", &a->jsonl, "read {\"text\": ...} lines, write {\"ids\": [...]} lines");
}

typedef struct work {
    cli *app;
    const params *a;
    const r1_tokenizer *tokenizer;
} work;

/* Ids as decimal digits; printf would take longer than tokenising. */
static void put_ids(FILE *out, const int32_t *ids, size_t n, char separator)
{
    for (size_t i = 0; i < n; i++) {
        char digits[12];
        int k = 12;
        uint32_t v = (uint32_t)ids[i];
        do digits[--k] = (char)('0' + v % 10);
        while ((v /= 10) > 0);
        if (i > 0) putc(separator, out);
        fwrite(digits + k, 1, (size_t)(12 - k), out);
    }
}

/* Printable UTF-8 as it is; control characters, backslash and bytes of half a character escaped. */
static void put_piece(FILE *out, const char *bytes, size_t n)
{
    const unsigned char *const p = (const unsigned char *)bytes;
    for (size_t i = 0; i < n;) {
        size_t size = p[i] < 0x80 ? 1 : p[i] >= 0xC2 && p[i] < 0xE0 ? 2 : p[i] >= 0xE0 && p[i] < 0xF0 ? 3
            : p[i] >= 0xF0 && p[i] < 0xF5 ? 4 : 0;
        bool whole = size > 0 && i + size <= n && p[i] >= 0x20 && p[i] != 0x7F && p[i] != '\\';
        for (size_t k = 1; whole && k < size; k++) whole = (p[i + k] & 0xC0) == 0x80;
        if (whole && p[i] == 0xC2 && p[i + 1] < 0xA0) whole = false; /* C1 controls must not reach a terminal */
        if (whole) {
            fwrite(p + i, 1, size, out);
            i += size;
            continue;
        }
        if (p[i] == '\n') fputs("\\n", out);
        else if (p[i] == '\\') fputs("\\\\", out);
        else fprintf(out, "\\x%02x", p[i]);
        i++;
    }
}

static int put_object(const work *w, const int32_t *ids, size_t n)
{
    json_t *const list = json_array(), *const pieces = w->a->pieces ? json_array() : NULL;
    json_t *const o = json_object();
    for (size_t i = 0; i < n; i++) {
        char *text;
        size_t bytes;
        r1_error err = {0};
        json_array_append_new(list, json_integer(ids[i]));
        if (!pieces) continue;
        if (r1_tokenizer_decode(w->tokenizer, &ids[i], 1, 0, &text, &bytes, &err) != R1_OK) {
            json_decref(list);
            json_decref(pieces);
            json_decref(o);
            return cli_report(w->app, &err);
        }
        json_array_append_new(pieces, json_stringn(text, bytes));
        r1_free(text);
    }
    json_object_set_new(o, "ids", list);
    if (pieces) json_object_set_new(o, "pieces", pieces);
    return cli_put_json(w->app, o);
}

static int put_lines(const work *w, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *bytes;
        size_t size;
        r1_tokenizer_token_bytes(w->tokenizer, ids[i], &bytes, &size);
        fprintf(w->app->out, "%d\t", ids[i]);
        put_piece(w->app->out, bytes, size);
        putc('\n', w->app->out);
    }
    return CLI_YES;
}

/* Ids of a text with BOS in front where asked for; *ids is freed with r1_free. Returns an exit status. */
static int encode(const work *w, const char *text, size_t bytes, int32_t **ids, size_t *n, r1_error *err)
{
    *ids = NULL;
    if (r1_tokenizer_encode(w->tokenizer, text, bytes, w->a->plain ? R1_ENCODE_PLAIN : 0, ids, n, err) != R1_OK)
        return cli_report(w->app, err);
    if (!w->a->bos) return CLI_YES;
    int32_t *const longer = malloc((*n + 1) * sizeof *longer);
    if (!longer) {
        r1_free(*ids);
        return cli_fail(w->app, CLI_ENVIRONMENT, "out of memory");
    }
    longer[0] = r1_tokenizer_bos(w->tokenizer);
    memcpy(longer + 1, *ids, *n * sizeof *longer);
    r1_free(*ids);
    *ids = longer;
    ++*n;
    return CLI_YES;
}

static int one_text(const work *w, const char *text, size_t bytes)
{
    int32_t *ids;
    size_t n;
    r1_error err = {0};
    int status = encode(w, text, bytes, &ids, &n, &err);
    if (status != CLI_YES) return status;
    if (w->a->json) {
        status = put_object(w, ids, n);
    } else if (w->a->pieces) {
        status = put_lines(w, ids, n);
    } else {
        put_ids(w->app->out, ids, n, ' ');
        putc('\n', w->app->out);
    }
    r1_free(ids);
    return status;
}

static int json_line(void *user, char *text, size_t bytes, int64_t number)
{
    const work *const w = user;
    json_error_t e;
    int32_t *ids;
    size_t n;
    r1_error err = {0};
    if (bytes == 0) return CLI_YES;
    json_t *const o = json_loadb(text, bytes, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
    if (!o) return cli_fail(w->app, CLI_INPUT, "line %lld, column %d: %s", (long long)number, e.column, e.text);
    const json_t *const s = json_object_get(o, "text");
    if (!json_is_string(s)) {
        json_decref(o);
        return cli_fail(w->app, CLI_INPUT, "line %lld: an object with a string \"text\" is expected",
                        (long long)number);
    }
    const int status = encode(w, json_string_value(s), json_string_length(s), &ids, &n, &err);
    json_decref(o);
    if (status != CLI_YES) return status;
    fputs("{\"ids\":[", w->app->out);
    put_ids(w->app->out, ids, n, ',');
    fputs("]}\n", w->app->out);
    r1_free(ids);
    return ferror(w->app->out) ? CLI_ENVIRONMENT : CLI_YES;
}

static int run_open(work *w)
{
    const params *const a = w->a;
    char *text;
    size_t bytes;
    if (a->bos && r1_tokenizer_bos(w->tokenizer) < 0)
        return cli_fail(w->app, CLI_INPUT, "--bos: this tokenizer has no begin-of-text token");
    if (a->jsonl) return cli_read_lines(w->app, a->file ? a->file : "-", json_line, w);
    if (a->text) return one_text(w, a->text, strlen(a->text));
    int status = cli_read(w->app, a->file ? a->file : "-", MAX_TEXT, &text, &bytes);
    if (status != CLI_YES) return status;
    status = one_text(w, text, bytes);
    free(text);
    return status;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_tokenizer *tokenizer;
    r1_error err = {0};
    if (a->text && (a->file || a->jsonl))
        return cli_fail(app, CLI_USAGE, "TEXT and --%s exclude each other", a->file ? "file" : "jsonl");
    if (a->jsonl && (a->json || a->pieces))
        return cli_fail(app, CLI_USAGE, "--jsonl and --%s exclude each other", a->json ? "json" : "pieces");
    if (r1_tokenizer_open(a->model, &app->env, &tokenizer, &err) != R1_OK) return cli_report(app, &err);
    work w = {app, a, tokenizer};
    const int status = run_open(&w);
    r1_tokenizer_close(tokenizer);
    return status;
}

const cli_command cli_tokenize = {
    .rank = 40,
    .name = "tokenize",
    .usage = "[options] MODEL [TEXT]",
    .summary = "turn text into token ids",
    .about = "Prints the token ids of a text, as the model would read it. Nothing is added: the begin-of-text token only "
             "comes with --bos. Control tokens spelled out in the text are recognised, unless --plain says that the text "
             "is from outside.\n\n"
             "A folder that holds only tokenizer files is enough. Bytes that are not UTF-8 are read as U+FFFD, one for "
             "each ill-formed part.",
    .examples = "# the ids of a sentence\n"
                "r1 tokenize DeepSeek-R1-Distill-Qwen-7B 'What is 84 * 3 / 2?'\n"
                "# which piece became which id\n"
                "r1 tokenize --pieces model.gguf 'Hello, world!'\n"
                "# a data set\n"
                "r1 tokenize --jsonl --file prompts.jsonl model.gguf > ids.jsonl",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
