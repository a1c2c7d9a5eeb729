/* Filters ("|") and tests ("is"), one small function each, found by name in two tables. What jinja2 has and chat
 * templates do not use (urlize, wordwrap, ...) is in the table without a function: calling it is an answer,
 * "unsupported". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/jinja.h"

static bool flag_arg(jctx *c, jargs *a, size_t i, const char *name)
{
    return r1i_j_truth(c, r1i_j_arg_or(c, a, i, name, r1i_j_bool(false)));
}

static int64_t int_arg(jctx *c, jargs *a, size_t i, const char *name, int64_t otherwise)
{
    const jval v = r1i_j_arg_or(c, a, i, name, r1i_j_int(otherwise));
    if (v.kind == J_BOOL) return v.u.b;
    if (v.kind != J_INT) r1i_j_raise(c, "'%s' object cannot be interpreted as an integer", r1i_j_type_name(v));
    return v.u.i;
}

/* ---- attribute paths: "a.b.0", or an index ----------------------------------------------------------------------- */
static jval get_path(jctx *c, jval item, jval path, const jval *otherwise)
{
    if (path.kind == J_NONE) return item;
    if (path.kind != J_STR) {
        item = r1i_j_item(c, item, path);
        return otherwise && item.kind == J_UNDEF ? *otherwise : item;
    }
    const jstr *const s = path.u.s;
    for (size_t p = 0, end; p <= s->n; p = end + 1) {
        bool overflow;
        int64_t index;
        for (end = p; end < s->n && s->p[end] != '.'; end++) {}
        const jstr *const part = r1i_j_slice(c, s, p, end);
        bool digits = part->n > 0;
        for (size_t i = 0; i < part->n; i++) digits &= part->p[i] >= '0' && part->p[i] <= '9';
        item = r1i_j_item(c, item,
                          digits && r1i_j_parse_int(part, 10, &index, &overflow) ? r1i_j_int(index) : r1i_j_sv(part));
        if (otherwise && item.kind == J_UNDEF) item = *otherwise;
    }
    return item;
}

static jval fold(jctx *c, jval v, bool case_sensitive)
{
    return v.kind == J_STR && !case_sensitive ? r1i_j_sv(r1i_j_lower(c, v.u.s)) : v;
}

/* Keys of a sort are lists, also of one: lists compare their items for equality first, so that equal items need no
 * order (two undefined attributes do not fail). "a,b" makes two items. */
static jlist *sort_keys(jctx *c, const jlist *items, jval attribute, bool case_sensitive)
{
    jlist *const keys = r1i_j_list(c, items->n);
    const jstr *const s = attribute.kind == J_STR ? attribute.u.s : NULL;
    size_t n = 1;
    for (size_t p = 0; s && p < s->n; p++) n += s->p[p] == ',';
    for (size_t i = 0; i < items->n; i++) {
        jlist *const key = r1i_j_list(c, n);
        for (size_t p = 0, end, k = 0; k < n; k++, p = end + 1) {
            for (end = p; s && end < s->n && s->p[end] != ','; end++) {}
            const jval path = s ? r1i_j_sv(r1i_j_slice(c, s, p, end)) : attribute;
            key->v[k] = fold(c, get_path(c, items->v[i], path, NULL), case_sensitive);
        }
        keys->v[i] = r1i_j_listv(key, J_LIST);
    }
    return keys;
}

static jlist *copy_list(jctx *c, const jlist *l)
{
    jlist *const out = r1i_j_list(c, l->n);
    if (l->n) memcpy(out->v, l->v, l->n * sizeof *l->v);
    return out;
}

/* ---- text -------------------------------------------------------------------------------------------------------- */
static jval f_upper(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(r1i_j_upper(c, r1i_j_text(c, v))); }
static jval f_lower(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(r1i_j_lower(c, r1i_j_text(c, v))); }
static jval f_capitalize(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(r1i_j_capitalize(c, r1i_j_text(c, v))); }
static jval f_string(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(r1i_j_text(c, v)); }
static jval f_escape(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(r1i_j_escape(c, v)); }

static const jstr *with_markup(jctx *c, const jstr *s, bool markup)
{
    jstr *const out = r1i_j_alloc(c, sizeof *out);
    *out = *s;
    out->markup = markup;
    return out;
}
static jval f_safe(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_sv(with_markup(c, r1i_j_text(c, v), true)); }
static jval f_forceescape(jctx *c, jval v, jargs *a)
{
    (void)a;
    return r1i_j_sv(r1i_j_escape(c, r1i_j_sv(with_markup(c, r1i_j_text(c, v), false))));
}

/* A word starts after white space, '-' or an opening bracket; what follows its first character becomes small. */
static jval f_title(jctx *c, jval v, jargs *a)
{
    const jstr *const s = r1i_j_text(c, v);
    jout o = {.markup = s->markup};
    (void)a;
    for (size_t p = 0; p < s->n;) {
        uint32_t cp;
        size_t n = r1i_j_decode(s->p + p, s->n - p, &cp), end = p;
        const bool gap = r1i_j_space(cp) || (cp < 128 && strchr("-({[<", (int)cp) && cp);
        while (end < s->n) {
            n = r1i_j_decode(s->p + end, s->n - end, &cp);
            if ((r1i_j_space(cp) || (cp < 128 && strchr("-({[<", (int)cp) && cp)) != gap) break;
            end += n;
        }
        if (gap) {
            r1i_j_put_part(c, &o, s, p, end);
        } else {
            n = r1i_j_decode(s->p + p, s->n - p, &cp);
            r1i_j_put_upper(c, &o, cp, s->mask ? s->mask[p] : s->trusted);
            r1i_j_puts(c, &o, r1i_j_lower(c, r1i_j_slice(c, s, p + n, end)));
        }
        p = end;
    }
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_trim(jctx *c, jval v, jargs *a)
{
    const jval chars = r1i_j_arg_or(c, a, 0, "chars", r1i_j_none);
    if (chars.kind != J_NONE && chars.kind != J_STR) r1i_j_raise(c, "strip arg must be None or str");
    return r1i_j_sv(r1i_j_strip(c, r1i_j_text(c, v), chars.kind == J_STR ? chars.u.s : NULL, true, true));
}

static jval f_replace(jctx *c, jval v, jargs *a)
{
    const jval from = r1i_j_arg_need(c, a, 0, "old", "replace"), to = r1i_j_arg_need(c, a, 1, "new", "replace");
    const jval count = r1i_j_arg_or(c, a, 2, "count", r1i_j_none);
    if (count.kind != J_NONE && count.kind != J_INT) r1i_j_raise(c, "replace() count must be an integer");
    const jstr *const plain = with_markup(c, r1i_j_text(c, v), false);
    return r1i_j_sv(r1i_j_replace(c, plain, r1i_j_text(c, from), r1i_j_text(c, to),
                                  count.kind == J_INT ? count.u.i : -1));
}

static jval f_indent(jctx *c, jval v, jargs *a)
{
    const jval width = r1i_j_arg_or(c, a, 0, "width", r1i_j_int(4));
    const bool first = flag_arg(c, a, 1, "first"), blank = flag_arg(c, a, 2, "blank");
    if (v.kind != J_STR) r1i_j_raise(c, "unsupported operand type(s) for +=: '%s' and 'str'", r1i_j_type_name(v));
    const jstr *pad = width.kind == J_STR ? width.u.s : NULL;
    if (!pad) {
        jout o = {0};
        for (int64_t i = width.kind == J_INT ? width.u.i : 0; i > 0; i--) r1i_j_putz(c, &o, " ");
        pad = r1i_j_done(c, &o);
    }
    jout o = {.markup = v.u.s->markup}, whole = {0};
    r1i_j_puts(c, &whole, v.u.s);
    r1i_j_putz(c, &whole, "\n"); /* so that a final newline counts as a last, empty line */
    const jlist *const lines = r1i_j_splitlines(c, r1i_j_done(c, &whole), false);
    if (first) r1i_j_puts(c, &o, pad);
    for (size_t i = 0; i < lines->n; i++) {
        if (i) r1i_j_putz(c, &o, "\n");
        if (i && (blank || lines->v[i].u.s->n)) r1i_j_puts(c, &o, pad);
        r1i_j_puts(c, &o, lines->v[i].u.s);
    }
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_center(jctx *c, jval v, jargs *a)
{
    const jstr *const s = r1i_j_text(c, v);
    const int64_t width = int_arg(c, a, 0, "width", 80), n = width - (int64_t)s->chars, left = n / 2 + (n & width & 1);
    jout o = {.markup = s->markup};
    if (n <= 0) return r1i_j_sv(s);
    for (int64_t i = 0; i < left; i++) r1i_j_putz(c, &o, " ");
    r1i_j_puts(c, &o, s);
    for (int64_t i = left; i < n; i++) r1i_j_putz(c, &o, " ");
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_format(jctx *c, jval v, jargs *a)
{
    a->taken = a->n;
    if (a->n && a->n_kw) r1i_j_raise(c, "can't handle positional and keyword arguments at the same time");
    if (a->n_kw) {
        jdict *const m = r1i_j_dict(c, a->n_kw);
        for (size_t i = 0; i < a->n_kw; i++) r1i_j_dict_set(c, m, r1i_j_sv(a->kw_names[i]), a->kw[i]);
        a->n_kw = 0;
        return r1i_j_sv(r1i_j_percent(c, r1i_j_text(c, v), (jval){.kind = J_DICT, .u.m = m}));
    }
    jlist *const l = r1i_j_list(c, a->n);
    if (a->n) memcpy(l->v, a->v, a->n * sizeof *l->v);
    return r1i_j_sv(r1i_j_percent(c, r1i_j_text(c, v), r1i_j_listv(l, J_TUPLE)));
}

static size_t chars_to_bytes(const jstr *s, int64_t n)
{
    size_t p = 0;
    uint32_t cp;
    for (; n > 0 && p < s->n; n--) p += r1i_j_decode(s->p + p, s->n - p, &cp);
    return p;
}

static jval f_truncate(jctx *c, jval v, jargs *a)
{
    const int64_t length = int_arg(c, a, 0, "length", 255);
    const bool kill = flag_arg(c, a, 1, "killwords");
    const jval end = r1i_j_arg_or(c, a, 2, "end", r1i_j_sv(r1i_j_lit(c, "..."))),
               lee = r1i_j_arg_or(c, a, 3, "leeway", r1i_j_none);
    const int64_t leeway = lee.kind == J_INT ? lee.u.i : 5;
    if (end.kind != J_STR) r1i_j_raise(c, "object of type '%s' has no len()", r1i_j_type_name(end));
    if (length < (int64_t)end.u.s->chars || leeway < 0) r1i_j_raise(c, "expected length >= %zu", end.u.s->chars);
    const int64_t n = r1i_j_len(c, v);
    if (n <= length || n - length <= leeway) return v;
    if (v.kind != J_STR) r1i_j_raise(c, "a %s cannot be truncated", r1i_j_type_name(v));
    size_t cut = chars_to_bytes(v.u.s, length - (int64_t)end.u.s->chars);
    if (!kill)
        for (size_t p = cut; p > 0; p--)
            if (v.u.s->p[p - 1] == ' ') {
                cut = p - 1;
                break;
            }
    jout o = {.markup = v.u.s->markup};
    r1i_j_put_part(c, &o, v.u.s, 0, cut);
    r1i_j_puts(c, &o, end.u.s);
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_wordcount(jctx *c, jval v, jargs *a)
{
    const jstr *const s = r1i_j_text(c, v);
    int64_t n = 0;
    bool in = false;
    (void)a;
    for (size_t p = 0, k; p < s->n; p += k) {
        uint32_t cp;
        k = r1i_j_decode(s->p + p, s->n - p, &cp);
        const int cat = r1i_j_category(cp);
        const bool word = cp == '_' || (cat >= 1 && cat <= 5) || (cat >= 9 && cat <= 11);
        n += word && !in;
        in = word;
    }
    return r1i_j_int(n);
}

static void put_quoted(jctx *c, jout *o, jval v, bool query)
{
    const jstr *const s = r1i_j_text(c, v);
    for (size_t p = 0; p < s->n; p++) {
        const uint8_t b = (uint8_t)s->p[p];
        char text[4];
        const bool plain = (b | 0x20u) - 'a' < 26u || b - 48u < 10u || (b && strchr(query ? "_.-~" : "_.-~/", b));
        if (query && b == ' ') snprintf(text, sizeof text, "+");
        else snprintf(text, sizeof text, plain && b < 128 ? "%c" : "%%%02X", b);
        r1i_j_put(c, o, text, strlen(text), s->mask ? s->mask[p] : s->trusted);
    }
}

static jval f_urlencode(jctx *c, jval v, jargs *a)
{
    jout o = {0};
    (void)a;
    if (v.kind == J_STR || !r1i_j_iterable(v)) {
        put_quoted(c, &o, v, false);
        return r1i_j_sv(r1i_j_done(c, &o));
    }
    const jval pairs = v.kind == J_DICT ? (jval){.kind = J_VIEW, .aux = J_ITEMS, .u.m = v.u.m} : v;
    const jlist *const l = r1i_j_collect(c, pairs);
    for (size_t i = 0; i < l->n; i++) {
        const jlist *const kv = r1i_j_collect(c, l->v[i]);
        if (kv->n != 2) r1i_j_raise(c, "urlencode needs pairs, got %zu values", kv->n);
        if (i) r1i_j_putz(c, &o, "&");
        put_quoted(c, &o, kv->v[0], true);
        r1i_j_putz(c, &o, "=");
        put_quoted(c, &o, kv->v[1], true);
    }
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_filesizeformat(jctx *c, jval v, jargs *a)
{
    static const char *const names[2][8] = {{"kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"},
                                            {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"}};
    const bool binary = flag_arg(c, a, 0, "binary");
    const double base = binary ? 1024 : 1000;
    double bytes = 0, unit = base * base;
    if (v.kind == J_STR ? !r1i_j_parse_float(v.u.s, &bytes) : !r1i_j_number(v))
        r1i_j_raise(c, "could not convert to float");
    if (v.kind != J_STR) bytes = r1i_j_double(v);
    char text[64];
    int i = 0;
    if (bytes == 1) snprintf(text, sizeof text, "1 Byte");
    else if (bytes < base) snprintf(text, sizeof text, "%.0f Bytes", trunc(bytes));
    else {
        while (i < 7 && bytes >= unit) unit *= base, i++;
        snprintf(text, sizeof text, "%.1f %s", base * bytes / unit, names[binary][i]);
    }
    jout o = {0};
    r1i_j_putz(c, &o, text);
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval f_tojson(jctx *c, jval v, jargs *a)
{
    const bool ascii = flag_arg(c, a, 0, "ensure_ascii");
    const jval indent = r1i_j_arg_or(c, a, 1, "indent", r1i_j_none),
               separators = r1i_j_arg_or(c, a, 2, "separators", r1i_j_none);
    return r1i_j_sv(r1i_j_tojson(c, v, ascii, indent, separators, flag_arg(c, a, 3, "sort_keys")));
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */
J_NORETURN static void too_large(jctx *c) { r1i_j_fail(c, R1_ERR_UNSUPPORTED, "an integer beyond 64 bits"); }

static jval f_abs(jctx *c, jval v, jargs *a)
{
    (void)a;
    if (v.kind == J_UNDEF || !r1i_j_number(v)) r1i_j_raise(c, "bad operand type for abs(): '%s'", r1i_j_type_name(v));
    if (v.kind == J_FLOAT) return r1i_j_float(fabs(v.u.d));
    const int64_t i = v.kind == J_BOOL ? v.u.b : v.u.i;
    if (i == INT64_MIN) too_large(c);
    return r1i_j_int(i < 0 ? -i : i);
}

static jval truncated(jctx *c, double d)
{
    if (!(fabs(d) < 9.2e18)) too_large(c);
    return r1i_j_int((int64_t)d);
}

static jval f_int(jctx *c, jval v, jargs *a)
{
    const jval otherwise = r1i_j_arg_or(c, a, 0, "default", r1i_j_int(0));
    const int64_t base = int_arg(c, a, 1, "base", 10);
    int64_t i;
    double d;
    bool overflow;
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (v.kind == J_INT || v.kind == J_BOOL) return r1i_j_int(v.kind == J_INT ? v.u.i : v.u.b);
    if (v.kind == J_FLOAT) {
        if (isinf(v.u.d)) r1i_j_raise(c, "cannot convert float infinity to integer");
        return isnan(v.u.d) ? otherwise : truncated(c, v.u.d);
    }
    if (v.kind != J_STR) return otherwise;
    if (base >= 0 && base <= 36 && base != 1 && r1i_j_parse_int(v.u.s, (int)base, &i, &overflow)) {
        if (overflow) too_large(c);
        return r1i_j_int(i);
    }
    if (r1i_j_parse_float(v.u.s, &d) && isfinite(d)) return truncated(c, d);
    return otherwise;
}

static jval f_float(jctx *c, jval v, jargs *a)
{
    const jval otherwise = r1i_j_arg_or(c, a, 0, "default", r1i_j_float(0));
    double d;
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (r1i_j_number(v)) return r1i_j_float(r1i_j_double(v));
    return v.kind == J_STR && r1i_j_parse_float(v.u.s, &d) ? r1i_j_float(d) : otherwise;
}

static jval f_round(jctx *c, jval v, jargs *a)
{
    const int64_t prec = int_arg(c, a, 0, "precision", 0);
    const jval how = r1i_j_arg_or(c, a, 1, "method", r1i_j_sv(r1i_j_lit(c, "common")));
    const bool common = how.kind == J_STR && r1i_j_is(how.u.s, "common"),
               up = how.kind == J_STR && r1i_j_is(how.u.s, "ceil");
    if (!common && !up && !(how.kind == J_STR && r1i_j_is(how.u.s, "floor")))
        r1i_j_raise(c, "method must be common, ceil or floor");
    if (v.kind == J_UNDEF || !r1i_j_number(v))
        r1i_j_raise(c, "type %s doesn't define __round__ method", r1i_j_type_name(v));
    const double d = r1i_j_double(v);
    if (!common) {
        const double scale = pow(10, (double)prec), x = d * scale;
        return r1i_j_float((up ? ceil(x) : floor(x)) / scale);
    }
    if (v.kind != J_FLOAT && prec >= 0) return r1i_j_int(v.kind == J_BOOL ? v.u.b : v.u.i);
    if (!isfinite(d) || prec > 22) return v;
    if (prec < 0) {
        const double scale = pow(10, (double)-prec), x = nearbyint(d / scale) * scale;
        return v.kind == J_FLOAT ? r1i_j_float(x) : truncated(c, x);
    }
    char text[400]; /* decimal rounding of the exact value, halves to even: what Python does */
    snprintf(text, sizeof text, "%.*f", (int)prec, d);
    return r1i_j_float(strtod(text, NULL));
}

/* ---- sequences --------------------------------------------------------------------------------------------------- */
static jval f_length(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_int(r1i_j_len(c, v)); }
static jval f_list(jctx *c, jval v, jargs *a) { (void)a; return r1i_j_listv(r1i_j_collect(c, v), J_LIST); }

static jval f_default(jctx *c, jval v, jargs *a)
{
    const jval otherwise = r1i_j_arg_or(c, a, 0, "default_value", r1i_j_sv(r1i_j_lit(c, "")));
    const bool boolean = flag_arg(c, a, 1, "boolean");
    return v.kind == J_UNDEF || (boolean && !r1i_j_truth(c, v)) ? otherwise : v;
}

static jval f_first(jctx *c, jval v, jargs *a)
{
    jiter own = r1i_j_iter(c, v);
    jval out;
    (void)a;
    return r1i_j_next(c, v.kind == J_ITER ? v.u.it : &own, &out) ? out
        : r1i_j_undef(c, "No first item, sequence was empty.");
}

static jval f_last(jctx *c, jval v, jargs *a)
{
    (void)a;
    if (v.kind == J_ITER || !r1i_j_has_len(v)) r1i_j_raise(c, "'%s' object is not reversible", r1i_j_type_name(v));
    const jlist *const l = r1i_j_collect(c, v);
    return l->n ? l->v[l->n - 1] : r1i_j_undef(c, "No last item, sequence was empty.");
}

static jval f_join(jctx *c, jval v, jargs *a)
{
    const jval sep = r1i_j_arg_or(c, a, 0, "d", r1i_j_sv(r1i_j_lit(c, ""))),
               attribute = r1i_j_arg_or(c, a, 1, "attribute", r1i_j_none);
    jlist *const l = copy_list(c, r1i_j_collect(c, v));
    for (size_t i = 0; i < l->n; i++) l->v[i] = get_path(c, l->v[i], attribute, NULL);
    return r1i_j_sv(r1i_j_join(c, with_markup(c, r1i_j_text(c, sep), false), l));
}

static jval f_reverse(jctx *c, jval v, jargs *a)
{
    jlist *const l = copy_list(c, r1i_j_collect(c, v));
    (void)a;
    for (size_t i = 0; i < l->n / 2; i++) {
        const jval t = l->v[i];
        l->v[i] = l->v[l->n - 1 - i];
        l->v[l->n - 1 - i] = t;
    }
    if (v.kind == J_STR) return r1i_j_sv(r1i_j_join(c, r1i_j_lit(c, ""), l));
    return v.kind == J_ITER ? r1i_j_listv(l, J_LIST) : r1i_j_generator(c, l);
}

static jval f_sort(jctx *c, jval v, jargs *a)
{
    const bool reverse = flag_arg(c, a, 0, "reverse"), sensitive = flag_arg(c, a, 1, "case_sensitive");
    const jval attribute = r1i_j_arg_or(c, a, 2, "attribute", r1i_j_none);
    jlist *const l = copy_list(c, r1i_j_collect(c, v));
    r1i_j_sort(c, l, sort_keys(c, l, attribute, sensitive), reverse);
    return r1i_j_listv(l, J_LIST);
}

static jval pair(jctx *c, jval a, jval b)
{
    jlist *const l = r1i_j_list(c, 2);
    l->v[0] = a;
    l->v[1] = b;
    return r1i_j_listv(l, J_TUPLE);
}

static jval f_dictsort(jctx *c, jval v, jargs *a)
{
    const bool sensitive = flag_arg(c, a, 0, "case_sensitive");
    const jval by = r1i_j_arg_or(c, a, 1, "by", r1i_j_sv(r1i_j_lit(c, "key")));
    const bool reverse = flag_arg(c, a, 2, "reverse"), value = by.kind == J_STR && r1i_j_is(by.u.s, "value");
    if (!value && !(by.kind == J_STR && r1i_j_is(by.u.s, "key")))
        r1i_j_raise(c, "You can only sort by either \"key\" or \"value\"");
    if (v.kind != J_DICT) r1i_j_raise(c, "'%s' object has no attribute 'items'", r1i_j_type_name(v));
    jlist *const l = r1i_j_list(c, v.u.m->n), *const keys = r1i_j_list(c, v.u.m->n);
    for (size_t i = 0; i < l->n; i++) {
        l->v[i] = pair(c, v.u.m->kv[2 * i], v.u.m->kv[2 * i + 1]);
        keys->v[i] = fold(c, v.u.m->kv[2 * i + value], sensitive);
    }
    r1i_j_sort(c, l, keys, reverse);
    return r1i_j_listv(l, J_LIST);
}

static jval f_items(jctx *c, jval v, jargs *a)
{
    (void)a;
    if (v.kind == J_UNDEF) return r1i_j_generator(c, r1i_j_list(c, 0));
    if (v.kind != J_DICT) r1i_j_raise(c, "Can only get item pairs from a mapping.");
    return r1i_j_generator(c, r1i_j_collect(c, (jval){.kind = J_VIEW, .aux = J_ITEMS, .u.m = v.u.m}));
}

static jval f_unique(jctx *c, jval v, jargs *a)
{
    const bool sensitive = flag_arg(c, a, 0, "case_sensitive");
    const jval attribute = r1i_j_arg_or(c, a, 1, "attribute", r1i_j_none);
    const jlist *const l = r1i_j_collect(c, v);
    jlist *const out = r1i_j_list(c, l->n);
    jdict *const seen = r1i_j_dict(c, l->n);
    out->n = 0;
    for (size_t i = 0; i < l->n; i++) {
        const jval key = fold(c, get_path(c, l->v[i], attribute, NULL), sensitive);
        if (r1i_j_dict_get(c, seen, key)) continue;
        r1i_j_dict_set(c, seen, key, r1i_j_none);
        out->v[out->n++] = l->v[i];
    }
    return r1i_j_generator(c, out);
}

static jval extreme(jctx *c, jval v, jargs *a, bool max)
{
    const bool sensitive = flag_arg(c, a, 0, "case_sensitive");
    const jval attribute = r1i_j_arg_or(c, a, 1, "attribute", r1i_j_none);
    const jlist *const l = r1i_j_collect(c, v);
    if (!l->n) return r1i_j_undef(c, "No aggregated item, sequence was empty.");
    size_t best = 0;
    jval best_key = fold(c, get_path(c, l->v[0], attribute, NULL), sensitive);
    for (size_t i = 1; i < l->n; i++) {
        const jval key = fold(c, get_path(c, l->v[i], attribute, NULL), sensitive);
        const int d = r1i_j_order(c, key, best_key, max ? ">" : "<");
        if (d != (max ? 1 : -1)) continue;
        best = i;
        best_key = key;
    }
    return l->v[best];
}
static jval f_min(jctx *c, jval v, jargs *a) { return extreme(c, v, a, false); }
static jval f_max(jctx *c, jval v, jargs *a) { return extreme(c, v, a, true); }

static jval f_sum(jctx *c, jval v, jargs *a)
{
    const jval attribute = r1i_j_arg_or(c, a, 0, "attribute", r1i_j_none);
    jval total = r1i_j_arg_or(c, a, 1, "start", r1i_j_int(0));
    const jlist *const l = r1i_j_collect(c, v);
    if (total.kind == J_STR) r1i_j_raise(c, "sum() can't sum strings [use ''.join(seq) instead]");
    for (size_t i = 0; i < l->n; i++) total = r1i_j_math(c, OP_ADD, total, get_path(c, l->v[i], attribute, NULL));
    return total;
}

static jval part_of(jctx *c, const jlist *l, size_t begin, size_t end, size_t fill, jval with)
{
    jlist *const out = r1i_j_list(c, end - begin + fill);
    if (end > begin) memcpy(out->v, l->v + begin, (end - begin) * sizeof *l->v);
    for (size_t i = 0; i < fill; i++) out->v[end - begin + i] = with;
    return r1i_j_listv(out, J_LIST);
}

static jval f_batch(jctx *c, jval v, jargs *a)
{
    const jval count = r1i_j_arg_need(c, a, 0, "linecount", "batch"),
               fill = r1i_j_arg_or(c, a, 1, "fill_with", r1i_j_none);
    const jlist *const l = r1i_j_collect(c, v);
    if (count.kind != J_INT || count.u.i < 1) r1i_j_raise(c, "batch() needs a positive number");
    const size_t n = (size_t)count.u.i, rows = l->n ? (l->n - 1) / n + 1 : 0;
    jlist *const out = r1i_j_list(c, rows);
    for (size_t i = 0; i < rows; i++) {
        const size_t end = (i + 1) * n < l->n ? (i + 1) * n : l->n;
        out->v[i] = part_of(c, l, i * n, end, fill.kind == J_NONE ? 0 : n - (end - i * n), fill);
    }
    return r1i_j_generator(c, out);
}

static jval f_slice(jctx *c, jval v, jargs *a)
{
    const jval count = r1i_j_arg_need(c, a, 0, "slices", "slice"),
               fill = r1i_j_arg_or(c, a, 1, "fill_with", r1i_j_none);
    const jlist *const l = r1i_j_collect(c, v);
    if (count.kind != J_INT || count.u.i < 1 || count.u.i > 100000) r1i_j_raise(c, "slice() needs a positive number");
    const size_t n = (size_t)count.u.i, each = l->n / n, extra = l->n % n;
    jlist *const out = r1i_j_list(c, n);
    for (size_t i = 0, p = 0; i < n; i++) {
        const size_t end = p + each + (i < extra);
        out->v[i] = part_of(c, l, p, end, fill.kind != J_NONE && i >= extra ? 1 : 0, fill);
        p = end;
    }
    return r1i_j_generator(c, out);
}

static jval f_groupby(jctx *c, jval v, jargs *a)
{
    const jval attribute = r1i_j_arg_need(c, a, 0, "attribute", "groupby"),
               otherwise = r1i_j_arg_or(c, a, 1, "default", r1i_j_none);
    const bool sensitive = flag_arg(c, a, 2, "case_sensitive");
    const jval *const fallback = otherwise.kind == J_NONE ? NULL : &otherwise;
    jlist *const l = copy_list(c, r1i_j_collect(c, v)), *const keys = r1i_j_list(c, l->n),
                 *const out = r1i_j_list(c, l->n);
    for (size_t i = 0; i < l->n; i++) keys->v[i] = fold(c, get_path(c, l->v[i], attribute, fallback), sensitive);
    r1i_j_sort(c, l, keys, false);
    out->n = 0;
    for (size_t i = 0, end; i < l->n; i = end) {
        for (end = i + 1; end < l->n && r1i_j_equal(c, keys->v[i], keys->v[end]); end++) {}
        out->v[out->n] = pair(c, get_path(c, l->v[i], attribute, fallback), part_of(c, l, i, end, 0, r1i_j_none));
        out->v[out->n++].aux = 1; /* a tuple with names: grouper, list */
    }
    return r1i_j_listv(out, J_LIST);
}

static jval f_attr(jctx *c, jval v, jargs *a)
{
    const jval name = r1i_j_arg_need(c, a, 0, "name", "attr");
    if (name.kind != J_STR) r1i_j_raise(c, "attribute name must be string, not '%s'", r1i_j_type_name(name));
    if (v.kind == J_DICT) { /* an attribute only, never an item */
        bool mutates;
        if (!r1i_j_has_method(v, name.u.s->p, name.u.s->n, &mutates) && !mutates)
            return r1i_j_undef(c, "'dict object' has no such attribute");
    }
    return r1i_j_attr(c, v, name.u.s);
}

static jargs rest_args(const jargs *a, size_t from)
{
    jargs r = {.kw_names = a->kw_names, .kw = a->kw, .n_kw = a->n_kw};
    if (a->n > from) {
        r.v = a->v + from;
        r.n = a->n - from;
    }
    return r;
}

static jval f_map(jctx *c, jval v, jargs *a)
{
    jval attribute, otherwise;
    if (!r1i_j_truth(c, v)) {
        a->taken = a->n;
        a->n_kw = 0;
        return r1i_j_generator(c, r1i_j_list(c, 0));
    }
    jlist *const l = copy_list(c, r1i_j_collect(c, v));
    if (a->n == 0) {
        if (!r1i_j_arg(c, a, 0, "attribute", &attribute)) r1i_j_raise(c, "map requires a filter argument");
        const bool has = r1i_j_arg(c, a, 1, "default", &otherwise) && otherwise.kind != J_NONE;
        for (size_t i = 0; i < l->n; i++) l->v[i] = get_path(c, l->v[i], attribute, has ? &otherwise : NULL);
        return r1i_j_generator(c, l);
    }
    const jval name = a->v[0];
    if (name.kind != J_STR) r1i_j_raise(c, "map requires the name of a filter");
    for (size_t i = 0; i < l->n; i++) {
        jargs each = rest_args(a, 1);
        l->v[i] = r1i_j_filter(c, name.u.s, l->v[i], &each);
    }
    a->taken = a->n;
    a->n_kw = 0;
    return r1i_j_generator(c, l);
}

static jval choose(jctx *c, jval v, jargs *a, bool keep, bool by_attribute)
{
    const size_t off = by_attribute ? 1 : 0;
    if (!r1i_j_truth(c, v)) {
        a->taken = a->n;
        a->n_kw = 0;
        return r1i_j_generator(c, r1i_j_list(c, 0));
    }
    const jlist *const l = r1i_j_collect(c, v);
    jlist *const out = r1i_j_list(c, l->n);
    out->n = 0;
    if (by_attribute && a->n == 0) r1i_j_raise(c, "Missing parameter for attribute name");
    if (a->n > off && a->v[off].kind != J_STR) r1i_j_raise(c, "the name of a test must be a string");
    for (size_t i = 0; i < l->n; i++) {
        const jval x = by_attribute ? get_path(c, l->v[i], a->v[0], NULL) : l->v[i];
        jargs each = rest_args(a, off + 1);
        const bool yes = a->n > off ? r1i_j_test(c, a->v[off].u.s, x, &each) : r1i_j_truth(c, x);
        if (yes == keep) out->v[out->n++] = l->v[i];
    }
    a->taken = a->n;
    a->n_kw = 0;
    return r1i_j_generator(c, out);
}
static jval f_select(jctx *c, jval v, jargs *a) { return choose(c, v, a, true, false); }
static jval f_reject(jctx *c, jval v, jargs *a) { return choose(c, v, a, false, false); }
static jval f_selectattr(jctx *c, jval v, jargs *a) { return choose(c, v, a, true, true); }
static jval f_rejectattr(jctx *c, jval v, jargs *a) { return choose(c, v, a, false, true); }

static const struct { const char *name; jval (*fn)(jctx *, jval, jargs *); } filters[] = {
    {"abs", f_abs}, {"attr", f_attr}, {"batch", f_batch}, {"capitalize", f_capitalize}, {"center", f_center}, {"count", f_length},
    {"d", f_default}, {"default", f_default}, {"dictsort", f_dictsort}, {"e", f_escape}, {"escape", f_escape},
    {"filesizeformat", f_filesizeformat}, {"first", f_first}, {"float", f_float}, {"forceescape", f_forceescape},
    {"format", f_format}, {"groupby", f_groupby}, {"indent", f_indent}, {"int", f_int}, {"items", f_items}, {"join", f_join},
    {"last", f_last}, {"length", f_length}, {"list", f_list}, {"lower", f_lower}, {"map", f_map}, {"max", f_max}, {"min", f_min},
    {"pprint", NULL}, {"random", NULL}, {"reject", f_reject}, {"rejectattr", f_rejectattr}, {"replace", f_replace},
    {"reverse", f_reverse}, {"round", f_round}, {"safe", f_safe}, {"select", f_select}, {"selectattr", f_selectattr},
    {"slice", f_slice}, {"sort", f_sort}, {"string", f_string}, {"striptags", NULL}, {"sum", f_sum}, {"title", f_title},
    {"tojson", f_tojson}, {"trim", f_trim}, {"truncate", f_truncate}, {"unique", f_unique}, {"upper", f_upper},
    {"urlencode", f_urlencode}, {"urlize", NULL}, {"wordcount", f_wordcount}, {"wordwrap", NULL}, {"xmlattr", NULL}};

static int find_filter(const jstr *name)
{
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++)
        if (r1i_j_is(name, filters[i].name)) return (int)i;
    return -1;
}

bool r1i_j_filter_known(const jstr *name) { return find_filter(name) >= 0; }

jval r1i_j_filter(jctx *c, const jstr *name, jval v, jargs *a)
{
    const int i = find_filter(name);
    r1i_j_enter(c);
    if (i < 0) r1i_j_raise(c, "No filter named '%.*s'.", (int)name->n, name->p);
    if (!filters[i].fn)
        r1i_j_fail(c, R1_ERR_UNSUPPORTED, "the filter '%s' is not supported in chat templates", filters[i].name);
    const jval out = filters[i].fn(c, v, a);
    r1i_j_arg_end(c, a, filters[i].name);
    c->depth--;
    return out;
}

/* ---- tests ------------------------------------------------------------------------------------------------------- */
static const char *const test_names[] = {
    "defined", "undefined", "none", "boolean", "true", "false", "integer", "float", "string", "mapping", "number",
    "sequence", "iterable", "callable", "odd", "even", "divisibleby", "lower", "upper", "sameas", "escaped", "in",
    "filter", "test", "==", "eq", "equalto", "!=", "ne", ">", "gt", "greaterthan", "ge", ">=", "<", "lt", "lessthan",
    "<=", "le"};
enum {
    T_DEFINED, T_UNDEFINED, T_NONE, T_BOOLEAN, T_TRUE, T_FALSE, T_INTEGER, T_FLOATS, T_STRINGS, T_MAPPING, T_NUMBER,
        T_SEQUENCE, T_ITERABLE, T_CALLABLE, T_ODD, T_EVEN, T_DIVISIBLE, T_LOWER, T_UPPER, T_SAMEAS, T_ESCAPED, T_IN,
        T_FILTER, T_TEST, T_FIRST_ORDER
};

static int find_test(const jstr *name)
{
    for (size_t i = 0; i < sizeof test_names / sizeof *test_names; i++)
        if (r1i_j_is(name, test_names[i])) return (int)i;
    return -1;
}

bool r1i_j_test_known(const jstr *name) { return find_test(name) >= 0; }

static bool same(jctx *c, jval a, jval b)
{
    if (a.kind != b.kind) return false;
    if (a.kind == J_NONE) return true;
    if (a.kind == J_BOOL || a.kind == J_INT) return r1i_j_equal(c, a, b);
    return a.kind != J_FLOAT && (const void *)a.u.m == (const void *)b.u.m;
}

static bool remainder_is(jctx *c, jval v, jval by, int64_t want)
{
    return r1i_j_equal(c, r1i_j_math(c, OP_MOD, v, by), r1i_j_int(want));
}

static bool case_test(jctx *c, jval v, const char *method)
{
    const jmethod m = {.self = r1i_j_sv(r1i_j_text(c, v)), .name = method};
    jargs none = {0};
    return r1i_j_call_method(c, &m, &none).u.b;
}

static bool run_order(jctx *c, int id, jval v, jval x)
{
    const char *const n = test_names[id];
    if (n[0] == '=' || (n[0] == 'e')) return r1i_j_equal(c, v, x);
    if (n[0] == '!' || (n[0] == 'n')) return !r1i_j_equal(c, v, x);
    const bool greater = n[0] == '>' || n[0] == 'g',
               or_equal = !strcmp(n, "ge") || !strcmp(n, ">=") || !strcmp(n, "le") || !strcmp(n, "<=");
    const int d = r1i_j_order(c, v, x, greater ? or_equal ? ">=" : ">" : or_equal ? "<=" : "<");
    return d != 2 && ((d == 0 && or_equal) || d == (greater ? 1 : -1));
}

static bool run_test(jctx *c, int id, jval v, jargs *a)
{
    switch (id) {
    case T_DEFINED: return v.kind != J_UNDEF;
    case T_UNDEFINED: return v.kind == J_UNDEF;
    case T_NONE: return v.kind == J_NONE;
    case T_BOOLEAN: return v.kind == J_BOOL;
    case T_TRUE: return v.kind == J_BOOL && v.u.b;
    case T_FALSE: return v.kind == J_BOOL && !v.u.b;
    case T_INTEGER: return v.kind == J_INT;
    case T_FLOATS: return v.kind == J_FLOAT;
    case T_STRINGS: return v.kind == J_STR;
    case T_MAPPING: return v.kind == J_DICT;
    case T_NUMBER: return r1i_j_number(v);
    case T_SEQUENCE: return r1i_j_has_len(v) && v.kind != J_VIEW && v.kind != J_LOOP;
    case T_ITERABLE: return r1i_j_iterable(v);
    case T_CALLABLE: return v.kind == J_MACRO || v.kind == J_FUNC || v.kind == J_METHOD || v.kind == J_LOOP ||
        v.kind == J_JOINER || v.kind == J_UNDEF;
    case T_ODD: return remainder_is(c, v, r1i_j_int(2), 1);
    case T_EVEN: return remainder_is(c, v, r1i_j_int(2), 0);
    case T_DIVISIBLE: return remainder_is(c, v, r1i_j_arg_need(c, a, 0, "num", "divisibleby"), 0);
    case T_LOWER: return case_test(c, v, "islower");
    case T_UPPER: return case_test(c, v, "isupper");
    case T_SAMEAS: return same(c, v, r1i_j_arg_need(c, a, 0, "other", "sameas"));
    case T_ESCAPED: return v.kind == J_STR && v.u.s->markup;
    case T_IN: return r1i_j_contains(c, r1i_j_arg_need(c, a, 0, "seq", "in"), v);
    case T_FILTER: return v.kind == J_STR && r1i_j_filter_known(v.u.s);
    case T_TEST: return v.kind == J_STR && r1i_j_test_known(v.u.s);
    default: return run_order(c, id, v, r1i_j_arg_need(c, a, 0, "other", test_names[id]));
    }
}

bool r1i_j_test(jctx *c, const jstr *name, jval v, jargs *a)
{
    const int id = find_test(name);
    r1i_j_step(c, 1);
    if (id < 0) r1i_j_raise(c, "No test named '%.*s'.", (int)name->n, name->p);
    const bool out = run_test(c, id, v, a);
    r1i_j_arg_end(c, a, test_names[id]);
    return out;
}
