#include "prompt.h"

#include <stdlib.h>
#include <string.h>

static const char user_mark[] = "<｜User｜>", assistant_mark[] = "<｜Assistant｜>";

int prompt_open(cli *app, const setup *s, prompt_form *out)
{
    r1_error err = {0};
    const char *source = r1_tokenizer_chat_template(s->tokenizer, NULL);
    *out = (prompt_form){.tokenizer = s->tokenizer};
    out->can_think = r1_tokenizer_added_id(s->tokenizer, "</think>", strlen("</think>")) >= 0;
    if (!source && r1_tokenizer_added_id(s->tokenizer, user_mark, strlen(user_mark)) >= 0) source = r1_template_builtin("r1");
    if (!source) return cli_fail(app, CLI_INPUT, "%s has no chat template", s->path);
    return r1_template_compile(source, strlen(source), &out->compiled, &err) == R1_OK ? 0 : cli_report(app, &err);
}

void prompt_close(prompt_form *form) { r1_template_destroy(form->compiled); }

/* bos_token, eos_token: undefined in the template where the tokenizer has none. */
static void set_token(json_t *variables, const char *name, const r1_tokenizer *t, int32_t id)
{
    const char *text;
    size_t n;
    if (id >= 0 && r1_tokenizer_token_bytes(t, id, &text, &n)) json_object_set_new(variables, name, json_bytes(text, n));
}

static bool ends_with(const char *text, size_t n, const char *end)
{
    const size_t m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

/* What the template leaves to us: R1's first template ends before the think block, which the authors advise to open; without
 * thinking the block is opened and closed, unless the template has done so. */
static const char *ending(const prompt_form *form, const r1_rendered *r, bool think)
{
    const bool open = ends_with(r->text, r->bytes, "<think>\n") || ends_with(r->text, r->bytes, "<think>");
    if (!form->can_think) return "";
    if (think) return ends_with(r->text, r->bytes, assistant_mark) ? "<think>\n" : "";
    if (open) return "\n</think>\n\n";
    return ends_with(r->text, r->bytes, "</think>\n\n") || ends_with(r->text, r->bytes, "</think>") ? "" : "<think>\n\n</think>\n\n";
}

static r1_status encode(const prompt_form *form, const r1_rendered *r, const char *tail, prompt_ids *out, r1_error *err)
{
    const size_t n_tail = strlen(tail), n = r->bytes + n_tail;
    r1_span *const spans = malloc((r->n_spans + 1) * sizeof *spans);
    char *const text = malloc(n + 1);
    r1_status st = R1_ERR_NOMEM;
    if (spans && text) {
        memcpy(text, r->text, r->bytes);
        memcpy(text + r->bytes, tail, n_tail + 1);
        if (r->n_spans) memcpy(spans, r->spans, r->n_spans * sizeof *spans);
        if (n_tail) spans[r->n_spans] = (r1_span){r->bytes, n, true};
        out->thinking_open = ends_with(text, n, "<think>\n") || ends_with(text, n, "<think>");
        st = r1_tokenizer_encode_spans(form->tokenizer, text, n, spans, r->n_spans + (n_tail > 0), &out->ids, &out->n, err);
    } else {
        *err = (r1_error){.code = R1_ERR_NOMEM, .offset = -1, .message = "out of memory for the prompt"};
    }
    free(spans);
    free(text);
    return st;
}

r1_status prompt_make(const prompt_form *form, json_t *messages, bool think, prompt_ids *out, r1_error *err)
{
    r1_rendered r = {0};
    *out = (prompt_ids){0};
    json_t *const v = json_pack("{s:O, s:b, s:n, s:n}", "messages", messages, "add_generation_prompt", 1, "tools", "documents");
    if (v) {
        set_token(v, "bos_token", form->tokenizer, r1_tokenizer_bos(form->tokenizer));
        set_token(v, "eos_token", form->tokenizer, r1_tokenizer_eos(form->tokenizer));
        if (!think) json_object_set_new(v, "enable_thinking", json_false());
    }
    char *const json = v ? json_dumps(v, JSON_COMPACT) : NULL;
    json_decref(v);
    if (!json) {
        *err = (r1_error){.code = R1_ERR_FORMAT, .offset = -1, .message = "the messages are not UTF-8, or memory is out"};
        return err->code;
    }
    r1_status st = r1_template_render(form->compiled, json, strlen(json), NULL, &r, err);
    free(json);
    if (st == R1_OK) st = encode(form, &r, ending(form, &r, think), out, err);
    r1_rendered_free(&r);
    return st;
}
