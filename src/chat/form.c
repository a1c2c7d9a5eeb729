/* From messages to the ids a model reads: its template, its two tokens, the opening of its think block. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "r1/chat.h"

struct r1_chat_form {
    const r1_tokenizer *tokenizer;
    r1_template *compiled;
    bool can_think;
};

static const char user_mark[] = "<｜User｜>", assistant_mark[] = "<｜Assistant｜>";

r1_status r1_chat_form_open(const r1_tokenizer *tokenizer, r1_chat_form **out, r1_error *err)
{
    const char *source = r1_tokenizer_chat_template(tokenizer, NULL);
    *out = NULL;
    if (!source && r1_tokenizer_added_id(tokenizer, user_mark, strlen(user_mark)) >= 0)
        source = r1_template_builtin("r1");
    if (!source) return r1i_fail(err, R1_ERR_MISSING, "there is no chat template");
    r1_chat_form *const form = calloc(1, sizeof *form);
    if (!form) return r1i_fail(err, R1_ERR_NOMEM, "chat form");
    form->tokenizer = tokenizer;
    form->can_think = r1_tokenizer_added_id(tokenizer, "</think>", strlen("</think>")) >= 0;
    const r1_status st = r1_template_compile(source, strlen(source), &form->compiled, err);
    if (st == R1_OK) *out = form;
    else r1_chat_form_close(form);
    return st;
}

void r1_chat_form_close(r1_chat_form *form)
{
    if (!form) return;
    r1_template_destroy(form->compiled);
    free(form);
}

bool r1_chat_form_can_think(const r1_chat_form *form) { return form->can_think; }

/* bos_token, eos_token: undefined in the template where the tokenizer has none. */
static void set_token(json_t *variables, const char *name, const r1_tokenizer *t, int32_t id)
{
    const char *text;
    size_t n;
    if (id >= 0 && r1_tokenizer_token_bytes(t, id, &text, &n))
        json_object_set_new(variables, name, json_stringn(n > 0 ? text : "", n));
}

static bool ends_with(const char *text, size_t n, const char *end)
{
    const size_t m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

/* What the template leaves to us: R1's first template ends before the think block, which the authors advise to open;
 * without thinking the block is opened and closed, unless the template has done so. */
static const char *ending(const r1_chat_form *form, const r1_rendered *r, bool think)
{
    const bool open = ends_with(r->text, r->bytes, "<think>\n") || ends_with(r->text, r->bytes, "<think>");
    if (!form->can_think) return "";
    if (think) return ends_with(r->text, r->bytes, assistant_mark) ? "<think>\n" : "";
    if (open) return "\n</think>\n\n";
    return ends_with(r->text, r->bytes, "</think>\n\n") || ends_with(r->text, r->bytes, "</think>") ? ""
        : "<think>\n\n</think>\n\n";
}

static r1_status encode(const r1_chat_form *form, const r1_rendered *r, const char *tail, r1_prompt *out, r1_error *err)
{
    const size_t n_tail = strlen(tail), n = r->bytes + n_tail;
    r1_span *const spans = malloc((r->n_spans + 1) * sizeof *spans);
    char *const text = malloc(n + 1);
    r1_status st = R1_OK;
    if (spans && text) {
        memcpy(text, r->text, r->bytes);
        memcpy(text + r->bytes, tail, n_tail + 1);
        if (r->n_spans) memcpy(spans, r->spans, r->n_spans * sizeof *spans);
        if (n_tail) spans[r->n_spans] = (r1_span){r->bytes, n, true};
        out->thinking_open = ends_with(text, n, "<think>\n") || ends_with(text, n, "<think>");
        st = r1_tokenizer_encode_spans(form->tokenizer, text, n, spans, r->n_spans + (n_tail > 0), &out->ids, &out->n,
                                       err);
    } else {
        st = r1i_fail(err, R1_ERR_NOMEM, "a prompt of %zu bytes", n);
    }
    free(spans);
    if (st == R1_OK) {
        out->text = text;
        out->bytes = n;
    } else {
        free(text);
    }
    return st;
}

static r1_status variables(const r1_chat_form *form, const char *messages_json, size_t bytes, bool think, char **out,
                           r1_error *err)
{
    json_t *messages;
    *out = NULL;
    const r1_status st = r1i_json_parse(messages_json, bytes, &messages, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "messages: ");
        return st;
    }
    json_t *const v = json_pack("{s:o, s:b, s:n, s:n}", "messages", messages, "add_generation_prompt", 1, "tools",
                                "documents");
    if (v) {
        set_token(v, "bos_token", form->tokenizer, r1_tokenizer_bos(form->tokenizer));
        set_token(v, "eos_token", form->tokenizer, r1_tokenizer_eos(form->tokenizer));
        if (!think) json_object_set_new(v, "enable_thinking", json_false());
        *out = json_dumps(v, JSON_COMPACT);
    }
    json_decref(v);
    return *out ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "messages of %zu bytes", bytes);
}

r1_status r1_chat_form_prompt(const r1_chat_form *form, const char *messages_json, size_t bytes, bool think,
                              r1_prompt *out, r1_error *err)
{
    r1_rendered r = {0};
    char *json;
    *out = (r1_prompt){0};
    r1_status st = variables(form, messages_json, bytes, think, &json, err);
    if (st != R1_OK) return st;
    st = r1_template_render(form->compiled, json, strlen(json), NULL, &r, err);
    free(json);
    if (st == R1_OK) st = encode(form, &r, ending(form, &r, think), out, err);
    r1_rendered_free(&r);
    if (st != R1_OK) *out = (r1_prompt){0};
    return st;
}

void r1_prompt_free(r1_prompt *prompt)
{
    free(prompt->text);
    r1_free(prompt->ids);
    *prompt = (r1_prompt){0};
}
