#include "data/documents.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"

typedef struct reading {
    const r1i_training_data_params *p;
    const r1_tokenizer *tokenizer;
    const r1_chat_form *form;
    const r1_env *env;
    r1i_documents *out;
    r1_error *err;
} reading;

/* ---- growing ----------------------------------------------------------------------------------------------------- */

static bool grow(void **p, size_t size, int64_t want)
{
    void *const bigger = realloc(*p, (size_t)want * size);
    if (bigger) *p = bigger;
    return bigger != NULL;
}

static r1_status more(reading *r, int64_t n)
{
    r1i_documents *const d = r->out;
    if (d->n + 2 > d->room_begin) {
        const int64_t want = 2 * d->room_begin + 64;
        if (!grow((void **)(void *)&d->begin, sizeof *d->begin, want) ||
            !grow((void **)(void *)&d->row, sizeof *d->row, want))
            return r1i_fail(r->err, R1_ERR_NOMEM, "%" PRId64 " documents", d->n);
        d->room_begin = want;
    }
    if (d->total + n > d->room) {
        const int64_t want = 2 * d->room + n + 4096;
        if (!grow((void **)(void *)&d->ids, sizeof *d->ids, want) ||
            !grow((void **)(void *)&d->target, sizeof *d->target, want))
            return r1i_fail(r->err, R1_ERR_NOMEM, "%" PRId64 " tokens", d->total);
        d->room = want;
    }
    return R1_OK;
}

/* Ids of the document under way. */
static r1_status add_ids(reading *r, const int32_t *ids, int64_t n, bool learned)
{
    r1i_documents *const d = r->out;
    const r1_status st = more(r, n);
    if (st != R1_OK) return st;
    if (n) memcpy(d->ids + d->total, ids, (size_t)n * sizeof *ids);
    memset(d->target + d->total, learned, (size_t)n);
    d->total += n;
    return R1_OK;
}

/* The document that began at ids[from] is complete: kept, cut or left out. A document without a target past its first
 * token teaches nothing. */
static r1_status end_document(reading *r, int64_t from)
{
    r1i_documents *const d = r->out;
    int64_t n = d->total - from, targets = 0;
    const r1_status st = more(r, 0);
    if (st != R1_OK) return st;
    if (n > r->p->sequence_length) {
        if (r->p->too_long == R1I_TOO_LONG_REFUSE)
            return r1i_fail(r->err, R1_ERR_FORMAT,
                            "a document of %" PRId64 " tokens, at most %" PRId64 " expected (sequence_length)", n,
                            r->p->sequence_length);
        if (r->p->too_long == R1I_TOO_LONG_SKIP) {
            d->total = from;
            d->skipped++;
            return R1_OK;
        }
        n = r->p->sequence_length;
        d->total = from + n;
    }
    for (int64_t i = 1; i < n; i++) targets += d->target[from + i] != 0;
    if (targets == 0)
        return r1i_fail(r->err, R1_ERR_FORMAT, "nothing to learn: no token of the document counts in the loss");
    if (d->n == 0) d->begin[0] = 0;
    d->row[d->n++] = d->rows;
    d->begin[d->n] = d->total;
    d->targets += targets;
    return R1_OK;
}

/* ---- the four kinds of rows -------------------------------------------------------------------------------------- */

static r1_status add_text(reading *r, const char *text, size_t bytes, unsigned flags, bool learned)
{
    int32_t *ids = NULL;
    size_t n = 0;
    if (!r->tokenizer)
        return r1i_fail(r->err, R1_ERR_FORMAT, "a row of text needs a tokenizer, and the model has none");
    r1_status st = r1_tokenizer_encode(r->tokenizer, text, bytes, flags, &ids, &n, r->err);
    if (st == R1_OK) st = add_ids(r, ids, (int64_t)n, learned);
    r1_free(ids);
    return st;
}

static r1_status add_end(reading *r)
{
    const int32_t id = r1_tokenizer_eos(r->tokenizer);
    return id >= 0 ? add_ids(r, &id, 1, true) : R1_OK;
}

static r1_status ready_row(reading *r, const json_t *row, const json_t *ids)
{
    const json_t *const mask = json_object_get(row, "loss_mask");
    const int64_t from = r->out->total, n = (int64_t)json_array_size(ids);
    if (!json_is_array(ids) || n < 2)
        return r1i_fail(r->err, R1_ERR_FORMAT, "input_ids: a list of at least two token ids expected");
    if (mask && (!json_is_array(mask) || (int64_t)json_array_size(mask) != n))
        return r1i_fail(r->err, R1_ERR_FORMAT, "loss_mask: a list of %" PRId64 " values expected, one for each id", n);
    for (int64_t i = 0; i < n; i++) {
        const json_t *const v = json_array_get(ids, (size_t)i), *const m = json_array_get(mask, (size_t)i);
        const json_int_t id = json_integer_value(v);
        if (!json_is_integer(v) || id < 0 || id >= r->p->vocab_size)
            return r1i_fail(r->err, R1_ERR_RANGE, "input_ids[%" PRId64 "]: an id from 0 to %" PRId64 " expected", i,
                            r->p->vocab_size - 1);
        if (m && !json_is_boolean(m) &&
            !(json_is_integer(m) && (json_integer_value(m) == 0 || json_integer_value(m) == 1)))
            return r1i_fail(r->err, R1_ERR_FORMAT, "loss_mask[%" PRId64 "]: 0 or 1 expected", i);
        const int32_t one = (int32_t)id;
        const r1_status st = add_ids(r, &one, 1, !m || json_is_true(m) || json_integer_value(m) == 1);
        if (st != R1_OK) return st;
    }
    return end_document(r, from);
}

static r1_status pair_row(reading *r, const json_t *prompt, const json_t *completion)
{
    const int64_t from = r->out->total;
    if (!json_is_string(prompt) || !json_is_string(completion))
        return r1i_fail(r->err, R1_ERR_FORMAT, "prompt and completion: two texts expected");
    if (json_string_length(completion) == 0)
        return r1i_fail(r->err, R1_ERR_FORMAT, "completion: empty, so nothing to learn but the end");
    r1_status st = add_text(r, json_string_value(prompt), json_string_length(prompt), R1_ENCODE_BOS, false);
    if (st == R1_OK) st = add_text(r, json_string_value(completion), json_string_length(completion), 0, true);
    if (st == R1_OK) st = add_end(r);
    return st == R1_OK ? end_document(r, from) : st;
}

static r1_status text_row(reading *r, const json_t *text)
{
    const int64_t from = r->out->total;
    if (!json_is_string(text)) return r1i_fail(r->err, R1_ERR_FORMAT, "text: a text expected");
    if (json_string_length(text) == 0)
        return r1i_fail(r->err, R1_ERR_FORMAT, "text: empty, so nothing to learn but the end");
    r1_status st = add_text(r, json_string_value(text), json_string_length(text), R1_ENCODE_BOS, true);
    if (st == R1_OK) st = add_end(r);
    return st == R1_OK ? end_document(r, from) : st;
}

/* The turn's own text behind an opened think block: "<think>\n" is in the prompt already. */
static const char *after_opening(const char *text, size_t *n)
{
    static const char open[] = "<think>";
    size_t skip = 0;
    if (*n >= sizeof open - 1 && memcmp(text, open, sizeof open - 1) == 0) {
        skip = sizeof open - 1;
        if (skip < *n && text[skip] == '\n') skip++;
    }
    *n -= skip;
    return text + skip;
}

/* Turns [0, i) as a prompt, turn i as what follows it. */
static r1_status turn_document(reading *r, const json_t *messages, size_t i)
{
    const json_t *const content = json_object_get(json_array_get(messages, i), "content");
    const int64_t from = r->out->total;
    r1_prompt prompt = {0};
    if (json_string_length(content) == 0)
        return r1i_fail(r->err, R1_ERR_FORMAT,
                        "messages[%zu]: the assistant's content is empty, so nothing to learn but the end", i);
    json_t *const before = json_array();
    for (size_t k = 0; before && k < i; k++) json_array_append(before, json_array_get(messages, k));
    char *const text = before ? json_dumps(before, JSON_COMPACT) : NULL;
    json_decref(before);
    if (!text) return r1i_fail(r->err, R1_ERR_NOMEM, "messages");
    r1_status st = r1_chat_form_prompt(r->form, text, strlen(text), r->p->think, &prompt, r->err);
    free(text);
    if (st == R1_OK) st = add_ids(r, prompt.ids, (int64_t)prompt.n, false);
    size_t n = json_string_length(content);
    const char *own = json_string_value(content);
    if (prompt.thinking_open) own = after_opening(own, &n);
    r1_prompt_free(&prompt);
    if (st == R1_OK) st = add_text(r, own, n, 0, true);
    if (st == R1_OK) st = add_end(r);
    return st == R1_OK ? end_document(r, from) : st;
}

/* Templates pass over a role they do not know and print whatever a content is: such a turn would be lost, or learnt as
 * nobody wrote it. */
static r1_status check_turn(const reading *r, const json_t *turn, size_t i)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    const char *const role = json_string_value(json_object_get(turn, "role"));
    size_t k = 0;
    if (!role) return r1i_fail(r->err, R1_ERR_FORMAT, "messages[%zu]: a role expected", i);
    while (k < sizeof roles / sizeof *roles && strcmp(role, roles[k]) != 0) k++;
    if (k == sizeof roles / sizeof *roles)
        return r1i_fail(r->err, R1_ERR_FORMAT,
                        "messages[%zu]: role '%.40s'; one of system, user, assistant, tool expected", i, role);
    return json_is_string(json_object_get(turn, "content")) ? R1_OK
        : r1i_fail(r->err, R1_ERR_FORMAT, "messages[%zu]: content as text expected", i);
}

static r1_status turns_row(reading *r, const json_t *messages)
{
    int64_t turns = 0;
    if (!json_is_array(messages) || json_array_size(messages) == 0)
        return r1i_fail(r->err, R1_ERR_FORMAT, "messages: a list of turns expected");
    if (!r->form) return r1i_fail(r->err, R1_ERR_FORMAT, "messages: the model has no chat template");
    for (size_t i = 0; i < json_array_size(messages); i++) {
        const json_t *const turn = json_array_get(messages, i);
        r1_status st = check_turn(r, turn, i);
        if (st != R1_OK) return st;
        if (strcmp(json_string_value(json_object_get(turn, "role")), "assistant") != 0) continue;
        if ((st = turn_document(r, messages, i)) != R1_OK) return st;
        turns++;
    }
    return turns ? R1_OK : r1i_fail(r->err, R1_ERR_FORMAT, "messages: no turn of the assistant's, so nothing to learn");
}

static r1_status any_row(reading *r, const json_t *row)
{
    const json_t *const ids = json_object_get(row, "input_ids"), *const messages = json_object_get(row, "messages"),
                        *const text = json_object_get(row, "text");
    const json_t *const prompt = json_object_get(row, "prompt"), *const completion = json_object_get(row, "completion");
    if (ids) return ready_row(r, row, ids);
    if (messages) return turns_row(r, messages);
    if (prompt && completion) return pair_row(r, prompt, completion);
    if (text) return text_row(r, text);
    return r1i_fail(r->err, R1_ERR_FORMAT,
                    "one of 'messages', 'prompt' with 'completion', 'text', 'input_ids' expected");
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static r1_status read_file(reading *r, const char *path, r1i_sha256 *all)
{
    char hex[R1I_SHA256_HEX], *found;
    r1i_jsonl *in;
    r1_status st = r1i_jsonl_find(path, &found, r->err);
    if (st != R1_OK) return st;
    if ((st = r1i_jsonl_open(found, &in, r->err)) != R1_OK) {
        free(found);
        return st;
    }
    int64_t line = 0;
    const int64_t before = r->out->rows;
    for (json_t *row; (st = r1i_jsonl_next(in, &row, &line, r->err)) == R1_OK && row;) {
        st = any_row(r, row);
        json_decref(row);
        if (st != R1_OK) {
            r1i_error_prefix(r->err, "%s line %" PRId64 ": ", found, line);
            if (r->err) r->err->line = line;
            break;
        }
        r->out->rows++;
    }
    if (st == R1_OK && r->out->rows == before) r1i_log(r->env, R1_LOG_WARN, "%s has no rows", found);
    r1i_jsonl_hash(in, hex);
    r1i_sha256_feed(all, hex, sizeof hex - 1);
    r1i_jsonl_close(in);
    free(found);
    return st;
}

r1_status r1i_documents_read(const r1i_training_data_params *params, const r1_tokenizer *tokenizer,
                             const r1_chat_form *form, const r1_env *env, r1i_documents *out, r1_error *err)
{
    reading r = {.p = params, .tokenizer = tokenizer, .form = form, .env = env, .out = out, .err = err};
    r1i_sha256 all;
    r1_status st = R1_OK;
    *out = (r1i_documents){0};
    r1i_sha256_init(&all);
    for (size_t i = 0; i < params->n_paths && st == R1_OK; i++) {
        st = read_file(&r, params->path[i], &all);
        r1i_progress(env, "reading data", i + 1, params->n_paths);
    }
    r1i_sha256_finish_hex(&all, out->hash);
    if (st == R1_OK && out->n == 0)
        st = r1i_fail(err, R1_ERR_FORMAT,
                      "no document in the data (%s%s): %" PRId64 " rows, %" PRId64 " documents of more than %" PRId64 " tokens", params->path[0], params->n_paths > 1 ? ", ..." : "", out->rows, out->skipped, params->sequence_length);
    if (st != R1_OK) r1i_documents_free(out);
    return st;
}

void r1i_documents_free(r1i_documents *d)
{
    free(d->ids), free(d->target), free(d->begin), free(d->row);
    *d = (r1i_documents){0};
}
