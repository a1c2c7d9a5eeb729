/* Files to a vocabulary: what of a data set's row is text, and the folder that a tokenizer is. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "data/jsonl.h"
#include "data/stream.h"
#include "r1/chat.h"
#include "tokenizer/tok_train.h"

/* Ids 0 to 6. The first three are control tokens, which decoding may leave out; R1 shows the others. */
static const char *const own_specials[] = {"<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜▁pad▁｜>", "<｜User｜>",
                                           "<｜Assistant｜>", "<think>", "</think>"};
enum { OWN = sizeof own_specials / sizeof *own_specials, CONTROLS = 3, MAX_LINE = 64 << 20, MAX_FILES = 1 << 20 };

typedef struct reading {
    r1i_tok_trainer trainer;
    r1_tokenizer_training result;
} reading;

static r1_status add(reading *r, const char *text, size_t n, r1_error *err)
{
    r->result.texts++;
    r->result.bytes += (int64_t)n;
    return r1i_tok_trainer_add(&r->trainer, text, n, err);
}

static r1_status add_value(reading *r, const json_t *value, const char *what, r1_error *err)
{
    if (!json_is_string(value)) return r1i_fail(err, R1_ERR_FORMAT, "%s: a text expected", what);
    return add(r, json_string_value(value), json_string_length(value), err);
}

static r1_status add_row(reading *r, const json_t *row, r1_error *err)
{
    const json_t *const messages = json_object_get(row, "messages"), *const text = json_object_get(row, "text");
    const json_t *const prompt = json_object_get(row, "prompt"), *const completion = json_object_get(row, "completion");
    if (messages) {
        if (!json_is_array(messages)) return r1i_fail(err, R1_ERR_FORMAT, "messages: a list of turns expected");
        for (size_t i = 0; i < json_array_size(messages); i++) {
            const json_t *const content = json_object_get(json_array_get(messages, i), "content");
            const r1_status st = add_value(r, content, "messages: a turn's content", err);
            if (st != R1_OK) return st;
        }
        return R1_OK;
    }
    if (prompt && completion) {
        const r1_status st = add_value(r, prompt, "prompt", err);
        return st == R1_OK ? add_value(r, completion, "completion", err) : st;
    }
    if (text) return add_value(r, text, "text", err);
    return r1i_fail(err, R1_ERR_FORMAT, "one of 'messages', 'prompt' with 'completion', 'text' expected");
}

static r1_status read_rows(reading *r, const char *path, r1_error *err)
{
    r1i_jsonl *in;
    json_t *row;
    int64_t line = 0;
    r1_status st = r1i_jsonl_open(path, &in, err);
    if (st != R1_OK) return st;
    while ((st = r1i_jsonl_next(in, &row, &line, err)) == R1_OK && row) {
        st = add_row(r, row, err);
        json_decref(row);
        if (st == R1_OK) continue;
        r1i_error_prefix(err, "%s line %" PRId64 ": ", path, line);
        if (err) err->line = 0; /* the message has it */
        break;
    }
    r1i_jsonl_close(in);
    return st;
}

/* A line with its newline is a text: nothing is learnt across lines, as the `tokenizers` trainer reads its files. */
static r1_status add_line(reading *r, const char *path, char *line, size_t n, int64_t number, uint8_t **mended,
                          r1_error *err)
{
    const uint8_t *p = (const uint8_t *)line;
    size_t left;
    if (r1i_utf8_valid_prefix(p, n) != n) {
        uint8_t *const q = realloc(*mended, 3 * n);
        if (!q) return r1i_fail(err, R1_ERR_NOMEM, "%s line %" PRId64, path, number);
        *mended = q;
        n = r1i_utf8_mend(q, p, n, false, &left);
        p = q;
    }
    return add(r, (const char *)p, n, err);
}

static r1_status read_lines(reading *r, const char *path, r1_error *err)
{
    enum { BLOCK = 1 << 16 };
    r1i_stream *in;
    char *buffer = NULL;
    uint8_t *mended = NULL;
    size_t n = 0, cap = 0, got = 1;
    int64_t number = 0;
    r1_status st = r1i_stream_open(path, &in, err);
    if (st != R1_OK) return st;
    while (st == R1_OK && got) {
        if (cap - n < BLOCK) {
            char *const bigger = realloc(buffer, cap = 2 * cap + BLOCK);
            if (!bigger) {
                st = r1i_fail(err, R1_ERR_NOMEM, "%s line %" PRId64, path, number + 1);
                break;
            }
            buffer = bigger;
        }
        if ((st = r1i_stream_read(in, buffer + n, cap - n, &got, err)) != R1_OK) break;
        n += got;
        size_t from = 0;
        for (const char *end; st == R1_OK && from < n && (end = memchr(buffer + from, '\n', n - from)) != NULL;
             from = (size_t)(end - buffer) + 1)
            st = add_line(r, path, buffer + from, (size_t)(end + 1 - buffer) - from, ++number, &mended, err);
        memmove(buffer, buffer + from, n -= from);
        if (st == R1_OK && n > MAX_LINE)
            st = r1i_fail(err, R1_ERR_FORMAT, "%s line %" PRId64 ": longer than %d bytes", path, number + 1, MAX_LINE);
    }
    if (st == R1_OK && n) st = add_line(r, path, buffer, n, number + 1, &mended, err);
    r1i_stream_close(in);
    free(buffer), free(mended);
    return st;
}

static bool has_ending(const char *path, size_t n, const char *ending)
{
    const size_t m = strlen(ending);
    return n >= m && memcmp(path + n - m, ending, m) == 0;
}

static r1_status read_file(reading *r, const char *path, r1_error *err)
{
    size_t n = strlen(path);
    if (has_ending(path, n, ".gz")) n -= 3;
    else if (has_ending(path, n, ".zst")) n -= 4;
    return has_ending(path, n, ".jsonl") || has_ending(path, n, ".json") ? read_rows(r, path, err)
        : read_lines(r, path, err);
}

static r1_status write_json(const char *dir, const char *name, json_t *j, r1_error *err)
{
    char *const path = r1i_path_join(dir, name), *text = j ? json_dumps(j, JSON_INDENT(1)) : NULL;
    char *const whole = text ? realloc(text, strlen(text) + 2) : NULL;
    r1_status st;
    if (!path || !whole) {
        st = r1i_fail(err, R1_ERR_NOMEM, "%s", name);
    } else {
        text = strcat(whole, "\n");
        st = r1i_file_write_atomic(path, text, strlen(text), err);
    }
    free(text), free(path);
    return st;
}

static json_t *config(void)
{
    return json_pack("{s:b, s:b, s:s, s:s, s:s, s:b, s:i, s:n, s:s, s:s}", "add_bos_token", 1, "add_eos_token", 0,
                     "bos_token", own_specials[0], "eos_token", own_specials[1],
                     "pad_token", own_specials[1], "clean_up_tokenization_spaces", 0, "model_max_length", 16384,
                     "unk_token", "tokenizer_class", "LlamaTokenizerFast", "chat_template", r1_template_builtin("r1"));
}

static r1_status write_folder(const reading *r, const char *dir, r1_error *err)
{
    json_t *vocabulary, *about = NULL;
    r1_status st = r1i_tok_trainer_json(&r->trainer, CONTROLS, &vocabulary, err);
    if (st == R1_OK) st = r1i_make_folders(dir, err);
    if (st == R1_OK) st = write_json(dir, "tokenizer.json", vocabulary, err);
    if (st == R1_OK) st = write_json(dir, "tokenizer_config.json", about = config(), err);
    json_decref(vocabulary), json_decref(about);
    return st;
}

static r1_status learn(reading *r, const r1_tokenizer_train_params *p, const r1_env *env, r1_error *err)
{
    r1_status st = R1_OK;
    if (p->vocab_size < (int64_t)r->trainer.size || p->vocab_size > 1 << 20) /* before hours of reading */
        return r1i_fail(err, R1_ERR_USAGE,
                        "a vocabulary of %" PRId64 " ids: %zu (256 bytes and %zu special tokens) to %d expected",
                        p->vocab_size, r->trainer.size, r->trainer.specials, 1 << 20);
    for (size_t i = 0; i < p->n_paths && st == R1_OK; i++) {
        st = read_file(r, p->path[i], err);
        r1i_progress(env, "reading text", i + 1, p->n_paths);
    }
    if (st == R1_OK && r->trainer.words == 0) st = r1i_fail(err, R1_ERR_FORMAT, "no text in the files");
    if (st == R1_OK) st = r1i_tok_trainer_merge(&r->trainer, (size_t)p->vocab_size, env, err);
    r->result.pieces = r->trainer.pieces;
    r->result.words = (int64_t)r->trainer.words;
    r->result.size = (int64_t)r->trainer.size;
    r->result.merges = (int64_t)r->trainer.merges;
    return st == R1_OK ? write_folder(r, p->out, err) : st;
}

r1_status r1_tokenizer_train(const r1_tokenizer_train_params *params, const r1_env *env, r1_tokenizer_training *result,
                             r1_error *err)
{
    reading r = {.result = {0}};
    if (params->n_paths == 0) return r1i_fail(err, R1_ERR_USAGE, "no file to learn from");
    if (params->n_special > MAX_FILES) return r1i_fail(err, R1_ERR_USAGE, "%zu special tokens", params->n_special);
    const char **const special = malloc((OWN + params->n_special) * sizeof *special);
    if (!special) return r1i_fail(err, R1_ERR_NOMEM, "special tokens");
    for (size_t i = 0; i < OWN; i++) special[i] = own_specials[i];
    for (size_t i = 0; i < params->n_special; i++) special[OWN + i] = params->special[i];
    r1_status st = r1i_tok_trainer_open(&r.trainer, special, OWN + params->n_special,
                                        params->digits ? (size_t)params->digits : 3, err);
    if (st == R1_OK) st = learn(&r, params, env, err);
    r1i_tok_trainer_close(&r.trainer);
    free((void *)(uintptr_t)special);
    if (result) *result = r.result;
    return st;
}
