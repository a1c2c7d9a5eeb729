/* JSON in (the render's variables) and out (the tojson filter, laid out as Python's json.dumps). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "chat/jinja.h"

jval r1i_j_from_json(jctx *c, const void *json, int nest, bool trusted)
{
    json_t *const j = (json_t *)(uintptr_t)json; /* jansson's iterators want it mutable */
    if (nest > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "variables nest too deeply");
    r1i_j_step(c, 1);
    switch (json_typeof(j)) {
    case JSON_OBJECT: {
        jdict *const m = r1i_j_dict(c, json_object_size(j));
        for (void *it = json_object_iter(j); it; it = json_object_iter_next(j, it)) {
            const char *const key = json_object_iter_key(it);
            m->kv[2 * m->n] = r1i_j_sv(r1i_j_str(c, key, json_object_iter_key_len(it), trusted));
            m->kv[2 * m->n + 1] = r1i_j_from_json(c, json_object_iter_value(it), nest + 1, trusted);
            m->n++;
        }
        return (jval){.kind = J_DICT, .u.m = m};
    }
    case JSON_ARRAY: {
        jlist *const l = r1i_j_list(c, json_array_size(j));
        for (size_t i = 0; i < l->n; i++) l->v[i] = r1i_j_from_json(c, json_array_get(j, i), nest + 1, trusted);
        return r1i_j_listv(l, J_LIST);
    }
    case JSON_STRING: return r1i_j_sv(r1i_j_str(c, json_string_value(j), json_string_length(j), trusted));
    case JSON_INTEGER: return r1i_j_int(json_integer_value(j));
    case JSON_REAL: return r1i_j_float(json_real_value(j));
    case JSON_TRUE: return r1i_j_bool(true);
    case JSON_FALSE: return r1i_j_bool(false);
    case JSON_NULL: break;
    }
    return r1i_j_none;
}

typedef struct style {
    bool ascii, sort;
    const jstr *indent; /* NULL: one line */
    const jstr *comma, *colon;
} style;

static void put_string(jctx *c, jout *o, const jstr *s, bool ascii)
{
    uint32_t cp;
    char text[16];
    size_t start = 0;
    /* the quotes share the string's origin, so that a whole JSON text from outside stays one span */
    const bool t = s->n ? (s->mask ? s->mask[0] : s->trusted) : s->trusted;
    r1i_j_put(c, o, "\"", 1, t);
    for (size_t p = 0, n; p < s->n; p += n) {
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        if (cp >= 32 && cp != '"' && cp != '\\' && (!ascii || cp < 127)) continue;
        const char *const k = cp && cp < 127 ? strchr("\"\\\n\r\t\f\b", (int)cp) : NULL;
        if (k) snprintf(text, sizeof text, "\\%c", "\"\\nrtfb"[k - "\"\\\n\r\t\f\b"]);
        else if (cp == 127) continue;
        else if (cp < 0x10000) snprintf(text, sizeof text, "\\u%04x", cp);
        else snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xD800 + ((cp - 0x10000) >> 10),
                      0xDC00 + ((cp - 0x10000) & 0x3FF));
        r1i_j_put_part(c, o, s, start, p);
        r1i_j_put(c, o, text, strlen(text), s->mask ? s->mask[p] : s->trusted);
        start = p + n;
    }
    r1i_j_put_part(c, o, s, start, s->n);
    r1i_j_put(c, o, "\"", 1, t);
}

static void put_break(jctx *c, jout *o, const style *f, int level)
{
    if (!f->indent) return;
    r1i_j_putz(c, o, "\n");
    for (int i = 0; i < level; i++) r1i_j_puts(c, o, f->indent);
}

static void put_scalar(jctx *c, jout *o, jval v)
{
    if (v.kind == J_NONE || v.kind == J_BOOL) {
        r1i_j_putz(c, o, v.kind == J_NONE ? "null" : v.u.b ? "true" : "false");
    } else if (v.kind == J_FLOAT && !isfinite(v.u.d)) {
        r1i_j_putz(c, o, isnan(v.u.d) ? "NaN" : v.u.d < 0 ? "-Infinity" : "Infinity");
    } else {
        r1i_j_put_repr(c, o, v, 0);
    }
}

static void put_json(jctx *c, jout *o, jval v, const style *f, int level);

static void put_object(jctx *c, jout *o, const jdict *m, const style *f, int level)
{
    jlist *const keys = r1i_j_list(c, m->n), *const values = r1i_j_list(c, m->n);
    for (size_t i = 0; i < m->n; i++) {
        keys->v[i] = m->kv[2 * i];
        values->v[i] = m->kv[2 * i + 1];
    }
    if (f->sort) {
        r1i_j_sort(c, values, keys, false);
    }
    r1i_j_putz(c, o, "{");
    for (size_t i = 0; i < m->n; i++) {
        const jval key = keys->v[i];
        if (i) r1i_j_puts(c, o, f->comma);
        put_break(c, o, f, level + 1);
        if (key.kind == J_STR) put_string(c, o, key.u.s, f->ascii);
        else if (key.kind == J_NONE || r1i_j_number(key)) {
            r1i_j_putz(c, o, "\"");
            put_scalar(c, o, key);
            r1i_j_putz(c, o, "\"");
        } else {
            r1i_j_raise(c, "keys must be str, int, float, bool or None, not %s", r1i_j_type_name(key));
        }
        r1i_j_puts(c, o, f->colon);
        put_json(c, o, values->v[i], f, level + 1);
    }
    put_break(c, o, f, level);
    r1i_j_putz(c, o, "}");
}

static void put_json(jctx *c, jout *o, jval v, const style *f, int level)
{
    if (level > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "values nest too deeply for tojson");
    r1i_j_step(c, 1);
    switch (v.kind) {
    case J_NONE:
    case J_BOOL:
    case J_INT:
    case J_FLOAT: put_scalar(c, o, v); break;
    case J_STR: put_string(c, o, v.u.s, f->ascii); break;
    case J_LIST:
    case J_TUPLE:
        if (v.u.l->n == 0) {
            r1i_j_putz(c, o, "[]");
            break;
        }
        r1i_j_putz(c, o, "[");
        for (size_t i = 0; i < v.u.l->n; i++) {
            if (i) r1i_j_puts(c, o, f->comma);
            put_break(c, o, f, level + 1);
            put_json(c, o, v.u.l->v[i], f, level + 1);
        }
        put_break(c, o, f, level);
        r1i_j_putz(c, o, "]");
        break;
    case J_DICT:
        if (v.u.m->n == 0) r1i_j_putz(c, o, "{}");
        else put_object(c, o, v.u.m, f, level);
        break;
    default: r1i_j_raise(c, "Object of type %s is not JSON serializable", r1i_j_type_name(v));
    }
}

const jstr *r1i_j_tojson(jctx *c, jval v, bool ascii, jval indent, jval separators, bool sort)
{
    style f = {.ascii = ascii, .sort = sort, .comma = r1i_j_lit(c, ", "), .colon = r1i_j_lit(c, ": ")};
    if (indent.kind == J_STR) f.indent = indent.u.s;
    else if (indent.kind == J_INT || indent.kind == J_BOOL) {
        int64_t n = indent.kind == J_INT ? indent.u.i : indent.u.b;
        jout o = {0};
        for (; n > 0; n--) r1i_j_putz(c, &o, " ");
        f.indent = r1i_j_done(c, &o);
    } else if (indent.kind != J_NONE) {
        r1i_j_raise(c, "indent must be an integer, a string or None");
    }
    if (f.indent) f.comma = r1i_j_lit(c, ",");
    if (separators.kind != J_NONE) {
        const jlist *const l = r1i_j_collect(c, separators);
        if (l->n != 2 || l->v[0].kind != J_STR || l->v[1].kind != J_STR)
            r1i_j_raise(c, "separators must be two strings");
        f.comma = l->v[0].u.s;
        f.colon = l->v[1].u.s;
    }
    jout o = {0};
    put_json(c, &o, v, &f, 0);
    return r1i_j_done(c, &o);
}
