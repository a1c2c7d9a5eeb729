/* The public face of the template engine: compile, render, and the spans that say where each byte came from. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "chat/jinja.h"
#include "tokenizer/tok_unicode.h"

enum { NEST = 200, STACK_PER_NEST = 8, COMPILE_MEMORY = 1 << 30, TEMPLATE_BYTES = 16 << 20,
       COMPILE_STEPS = 1000000000 };

/* First byte of an ill-formed character, or -1. */
static int64_t bad_utf8(const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        if ((uint8_t)p[i] < 0x80) {
            i++;
            continue;
        }
        utf8proc_int32_t cp;
        const utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)p + i, (utf8proc_ssize_t)(n - i), &cp);
        if (k <= 0) return (int64_t)i;
        i += (size_t)k;
    }
    return -1;
}

r1_status r1_template_compile(const char *source, size_t bytes, r1_template **out, r1_error *err)
{
    *out = NULL;
    if (bytes > TEMPLATE_BYTES) return r1i_fail(err, R1_ERR_RANGE, "a template of %zu bytes; at most 16 MiB", bytes);
    const int64_t bad = bad_utf8(source, bytes);
    if (bad >= 0) return r1i_fail_at(err, R1_ERR_FORMAT, bad, "the template is not valid UTF-8");
    r1_template *const t = calloc(1, sizeof *t);
    char *const copy = malloc(bytes ? bytes : 1); /* strings of the tree point into it */
    if (!t || !copy) {
        free(t);
        free(copy);
        return r1i_fail(err, R1_ERR_NOMEM, "template, %zu bytes", bytes);
    }
    memcpy(copy, source, bytes);
    t->source = copy;
    t->pool.limit = COMPILE_MEMORY;
    jctx c = {.err = err, .pool = &t->pool, .steps = COMPILE_STEPS, .max_nest = NEST,
              .max_depth = NEST * STACK_PER_NEST, .max_output = TEMPLATE_BYTES * 2, .line = 1};
    if (setjmp(c.jump)) {
        r1_template_destroy(t);
        return c.status;
    }
    r1i_j_parse(&c, copy, bytes, &t->body);
    r1i_j_names(&c, &t->body);
    *out = t;
    return R1_OK;
}

void r1_template_destroy(r1_template *t)
{
    if (!t) return;
    r1i_j_pool_free(&t->pool);
    free(t->source);
    free(t);
}

/* Runs of equal provenance. */
static r1_status make_spans(const jout *o, r1_rendered *out, r1_error *err)
{
    size_t n = o->n ? 1 : 0;
    for (size_t i = 1; o->mask && i < o->n; i++) n += o->mask[i] != o->mask[i - 1];
    out->spans = malloc((n ? n : 1) * sizeof *out->spans);
    if (!out->spans) return r1i_fail(err, R1_ERR_NOMEM, "%zu spans", n);
    for (size_t i = 0; i < o->n; i++) {
        const bool trusted = o->mask ? o->mask[i] : o->any[1];
        if (i == 0 || trusted != out->spans[out->n_spans - 1].trusted)
            out->spans[out->n_spans++] = (r1_span){.begin = i, .trusted = trusted};
        if (!o->mask) i = o->n - 1;
        out->spans[out->n_spans - 1].end = i + 1;
    }
    return R1_OK;
}

/* bos_token and eos_token come from the tokenizer, not from a user. */
static jval load_variables(jctx *c, const json_t *vars)
{
    const jval v = r1i_j_from_json(c, vars, 0, false);
    for (size_t i = 0; i < v.u.m->n; i++) {
        const jval key = v.u.m->kv[2 * i];
        jval *const value = &v.u.m->kv[2 * i + 1];
        if (value->kind == J_STR && (r1i_j_is(key.u.s, "bos_token") || r1i_j_is(key.u.s, "eos_token")))
            *value = r1i_j_sv(r1i_j_str(c, value->u.s->p, value->u.s->n, true));
    }
    return v;
}

r1_status r1_template_render(const r1_template *t, const char *variables_json, size_t bytes,
                             const r1_template_limits *limits, r1_rendered *out, r1_error *err)
{
    const r1_template_limits none = {0}, *const l = limits ? limits : &none;
    const int depth = l->max_depth > 0 && l->max_depth < 1000 ? l->max_depth : l->max_depth > 0 ? 1000 : NEST;
    json_t *vars;
    *out = (r1_rendered){0};
    r1_status st = r1i_json_parse(variables_json, bytes, &vars, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "template variables: ");
        return st;
    }
    if (!json_is_object(vars)) {
        json_decref(vars);
        return r1i_fail(err, R1_ERR_FORMAT, "template variables: expected a JSON object");
    }
    jpool pool = {0};
    jctx c = {.err = err, .pool = &pool, .steps = l->max_steps > 0 ? l->max_steps : 10000000, .max_nest = depth,
              .max_depth = depth * STACK_PER_NEST, .max_output = l->max_output ? l->max_output : (size_t)64 << 20,
              .line = 1};
    pool.limit = c.max_output < SIZE_MAX / 64 ? c.max_output * 16 + ((size_t)16 << 20) : SIZE_MAX / 2;
    jout text = {0};
    c.out = &text;
    if (setjmp(c.jump) == 0) {
        c.vars = load_variables(&c, vars).u.m;
        r1i_j_exec(&c, t);
        out->text = malloc(text.n + 1);
        out->bytes = text.n;
        if (!out->text) c.status = r1i_fail(err, R1_ERR_NOMEM, "rendered text, %zu bytes", text.n);
        else {
            if (text.n) memcpy(out->text, text.p, text.n);
            out->text[text.n] = '\0';
            c.status = make_spans(&text, out, err);
        }
    }
    json_decref(vars);
    r1i_j_pool_free(&pool);
    if (c.status != R1_OK) r1_rendered_free(out);
    return c.status;
}

void r1_rendered_free(r1_rendered *r)
{
    if (!r) return;
    free(r->text);
    free(r->spans);
    *r = (r1_rendered){0};
}
