/* The two formatting languages of Python strings: "..." % args and "...".format(args). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chat/jinja.h"

typedef struct spec {
    uint32_t fill;
    char align, sign, group, type;
    bool alt, zero;
    int64_t width;
    int prec; /* -1: none */
} spec;

enum { MAX_PREC = 100 };

static void put_padded(jctx *c, jout *o, const jstr *s, const spec *f, char align)
{
    const int64_t pad = f->width - (int64_t)s->chars;
    const int64_t left = pad <= 0 ? 0 : align == '>' ? pad : align == '^' ? pad / 2 : 0;
    for (int64_t i = 0; i < left; i++) r1i_j_put_char(c, o, f->fill, true);
    r1i_j_puts(c, o, s);
    for (int64_t i = left; i < pad; i++) r1i_j_put_char(c, o, f->fill, true);
}

/* Digits of an integer in a base, with the prefix of "#". */
static void int_text(int64_t v, char type, bool alt, char *digits, char *prefix)
{
    const uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    const unsigned base = type == 'x' || type == 'X' ? 16 : type == 'o' ? 8 : type == 'b' ? 2 : 10;
    char rev[72];
    int n = 0;
    for (uint64_t k = u; k || n == 0; k /= base)
        rev[n++] = (type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[k % base];
    for (int i = 0; i < n; i++) digits[i] = rev[n - 1 - i];
    digits[n] = '\0';
    prefix[0] = '\0';
    if (alt && base != 10) snprintf(prefix, 4, "0%c", type);
}

static void float_text(double d, const spec *f, char *out, size_t cap)
{
    char type = f->type;
    int prec = f->prec;
    if (isnan(d) || isinf(d)) {
        snprintf(out, cap, "%s", isnan(d) ? (type == 'F' || type == 'E' || type == 'G' ? "NAN" : "nan")
                                          : (type == 'F' || type == 'E' || type == 'G' ? "INF" : "inf"));
        return;
    }
    if (!type && prec < 0) { /* as repr */
        char text[40];
        r1i_j_float_repr(fabs(d), text);
        snprintf(out, cap, "%s", text);
        return;
    }
    if (prec < 0) prec = 6;
    if (prec > MAX_PREC) prec = MAX_PREC;
    char fmt[16];
    const bool general = !type || type == 'n';
    snprintf(fmt, sizeof fmt, "%%%s.%d%c", f->alt ? "#" : "", prec, type == '%' ? 'f' : general ? 'g' : type);
    snprintf(out, cap, fmt, fabs(type == '%' ? d * 100 : d));
    if (!type && !strpbrk(out, ".e")) strncat(out, ".0", cap - strlen(out) - 1);
    if (type == '%') strncat(out, "%", cap - strlen(out) - 1);
}

/* Thousands separators into the whole part of digits. */
static void put_grouped(jctx *c, jout *o, const char *digits, char group)
{
    const size_t whole = strspn(digits, "0123456789abcdefABCDEF");
    const size_t n = group && strspn(digits, "0123456789") < whole && strpbrk(digits, ".e")
        ? strspn(digits, "0123456789") : whole;
    for (size_t i = 0; i < n; i++) {
        if (group && i && (n - i) % 3 == 0) r1i_j_put(c, o, &group, 1, true);
        r1i_j_put(c, o, digits + i, 1, true);
    }
    r1i_j_putz(c, o, digits + n);
}

static void put_number(jctx *c, jout *o, jval v, const spec *f)
{
    char digits[512], prefix[4] = "";
    const bool is_float = v.kind == J_FLOAT || (f->type && strchr("eEfFgG%", f->type));
    const int64_t i = v.kind == J_INT ? v.u.i : v.kind == J_BOOL ? v.u.b : 0;
    const bool minus = v.kind == J_FLOAT ? signbit(v.u.d) && !isnan(v.u.d) : i < 0;
    if (is_float) float_text(r1i_j_double(v), f, digits, sizeof digits);
    else int_text(i, f->type, f->alt, digits, prefix);
    jout body = {0};
    const char *const sign = minus ? "-" : f->sign == '+' ? "+" : f->sign == ' ' ? " " : "";
    const size_t used = strlen(sign) + strlen(prefix) + strlen(digits);
    r1i_j_putz(c, &body, sign);
    r1i_j_putz(c, &body, prefix);
    const bool zeros = f->zero && !f->align;
    for (int64_t k = zeros ? f->width - (int64_t)used : 0; k > 0; k--) r1i_j_putz(c, &body, "0");
    put_grouped(c, &body, digits, f->group);
    put_padded(c, o, r1i_j_done(c, &body), f, f->align && f->align != '=' ? f->align : '>');
}

/* The first `prec` characters. */
static const jstr *cut(jctx *c, const jstr *s, int prec)
{
    if (prec < 0 || (size_t)prec >= s->chars) return s;
    size_t p = 0;
    uint32_t cp;
    for (int i = 0; i < prec; i++) p += r1i_j_decode(s->p + p, s->n - p, &cp);
    return r1i_j_slice(c, s, 0, p);
}

/* ---- % ----------------------------------------------------------------------------------------------------------- */
typedef struct source { jval args; size_t next; bool single_used; } source;

static jval next_arg(jctx *c, source *s)
{
    if (s->args.kind == J_TUPLE) {
        if (s->next < s->args.u.l->n) return s->args.u.l->v[s->next++];
    } else if (!s->single_used) {
        s->single_used = true;
        return s->args;
    }
    r1i_j_raise(c, "not enough arguments for format string");
}

static int64_t star_or_number(jctx *c, const jstr *f, size_t *p, source *src)
{
    int64_t v = 0;
    if (*p < f->n && f->p[*p] == '*') {
        (*p)++;
        const jval a = next_arg(c, src);
        if (a.kind != J_INT) r1i_j_raise(c, "* wants int");
        return a.u.i;
    }
    for (; *p < f->n && f->p[*p] >= '0' && f->p[*p] <= '9'; (*p)++) {
        v = v * 10 + (f->p[*p] - '0');
        if (v > (int64_t)c->max_output) r1i_j_fail(c, R1_ERR_RANGE, "a format width beyond the output limit");
    }
    return v;
}

static void put_percent(jctx *c, jout *o, jval v, spec *f)
{
    const char type = f->type;
    if (type == 's' || type == 'r' || type == 'a') {
        const jstr *text = type == 's' ? r1i_j_text(c, v) : NULL;
        if (!text) {
            jout r = {0};
            r1i_j_put_repr(c, &r, v, 0);
            text = r1i_j_done(c, &r);
        }
        put_padded(c, o, cut(c, o->markup ? r1i_j_escape(c, r1i_j_sv(text)) : text, f->prec), f,
                   f->align ? f->align : '>');
        return;
    }
    if (type == 'c') {
        jout r = {0};
        if (v.kind == J_STR && v.u.s->chars == 1) r1i_j_puts(c, &r, v.u.s);
        else if (v.kind == J_INT && v.u.i >= 0 && v.u.i < 0x110000 && (v.u.i < 0xD800 || v.u.i > 0xDFFF))
            r1i_j_put_char(c, &r, (uint32_t)v.u.i, true);
        else r1i_j_raise(c, "%%c requires int or char");
        put_padded(c, o, r1i_j_done(c, &r), f, f->align ? f->align : '>');
        return;
    }
    const bool whole = strchr("diuxXo", type) != NULL;
    if (!r1i_j_number(v)) {
        if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
        r1i_j_raise(c, "%%%c format: a real number is required, not %s", type, r1i_j_type_name(v));
    }
    if (whole && v.kind == J_FLOAT) {
        if (strchr("xXo", type)) r1i_j_raise(c, "%%%c format: an integer is required, not float", type);
        if (!(fabs(v.u.d) < 9e18)) r1i_j_fail(c, R1_ERR_UNSUPPORTED, "an integer beyond 64 bits");
        v = r1i_j_int((int64_t)v.u.d);
    }
    if (type == 'i' || type == 'u') f->type = 'd';
    if (whole && f->prec > 0) { /* a minimum of digits */
        spec digits = *f;
        digits.width = f->prec + (v.kind == J_INT && v.u.i < 0);
        digits.zero = true;
        digits.align = 0;
        jout r = {0};
        put_number(c, &r, v, &digits);
        put_padded(c, o, r1i_j_done(c, &r), f, f->align ? f->align : '>');
        return;
    }
    put_number(c, o, v, f);
}

const jstr *r1i_j_percent(jctx *c, const jstr *fmt, jval args)
{
    jout o = {.markup = fmt->markup};
    source src = {.args = args};
    bool by_name = false;
    for (size_t p = 0; p < fmt->n;) {
        const char *const hit = memchr(fmt->p + p, '%', fmt->n - p);
        const size_t stop = hit ? (size_t)(hit - fmt->p) : fmt->n;
        r1i_j_put_part(c, &o, fmt, p, stop);
        p = stop + 1;
        if (!hit) break;
        spec f = {.fill = ' ', .prec = -1};
        jval named = r1i_j_none;
        bool has_name = false;
        if (p < fmt->n && fmt->p[p] == '(') {
            const char *const end = memchr(fmt->p + p, ')', fmt->n - p);
            if (args.kind != J_DICT) r1i_j_raise(c, "format requires a mapping");
            if (!end) r1i_j_raise(c, "incomplete format key");
            const jstr *const key = r1i_j_slice(c, fmt, p + 1, (size_t)(end - fmt->p));
            const jval *const v = r1i_j_dict_text(c, args.u.m, key);
            if (!v) r1i_j_raise(c, "no key '%.*s' for the format", (int)key->n, key->p);
            named = *v;
            by_name = has_name = true;
            p = (size_t)(end - fmt->p) + 1;
        }
        for (; p < fmt->n && fmt->p[p] && strchr("-+ #0", fmt->p[p]); p++) {
            if (fmt->p[p] == '-') f.align = '<';
            else if (fmt->p[p] == '0') f.zero = true;
            else if (fmt->p[p] == '#') f.alt = true;
            else if (f.sign != '+') f.sign = fmt->p[p];
        }
        f.width = star_or_number(c, fmt, &p, &src);
        if (f.width < 0) f.align = '<', f.width = -f.width;
        if (f.width > (int64_t)c->max_output) r1i_j_fail(c, R1_ERR_RANGE, "a format width beyond the output limit");
        if (p < fmt->n && fmt->p[p] == '.') {
            p++;
            const int64_t prec = star_or_number(c, fmt, &p, &src);
            f.prec = prec < 0 ? 0 : prec > 1000000 ? 1000000 : (int)prec;
        }
        while (p < fmt->n && (fmt->p[p] == 'l' || fmt->p[p] == 'h' || fmt->p[p] == 'L')) p++;
        if (p >= fmt->n) r1i_j_raise(c, "incomplete format");
        f.type = fmt->p[p++];
        if (f.type == '%') {
            r1i_j_put_part(c, &o, fmt, p - 1, p);
            continue;
        }
        if (!f.type || !strchr("sradiuxXoeEfFgGc", f.type))
            r1i_j_raise(c, "unsupported format character at index %zu", p - 1);
        put_percent(c, &o, has_name ? named : next_arg(c, &src), &f);
    }
    /* a single argument that can be subscripted may go unused: it counts as a mapping */
    const bool mapping = args.kind == J_DICT || args.kind == J_LIST || args.kind == J_RANGE || args.kind == J_UNDEF ||
        args.kind == J_SPACE;
    const bool left = args.kind == J_TUPLE ? src.next < args.u.l->n : !src.single_used && !mapping;
    if (left && !by_name) r1i_j_raise(c, "not all arguments converted during string formatting");
    return r1i_j_done(c, &o);
}

/* ---- format() ---------------------------------------------------------------------------------------------------- */
typedef struct formatter { const jargs *args; int64_t next; bool manual; } formatter; /* next -1: fields are numbered */

static const jstr *format_text(jctx *c, const jstr *fmt, formatter *f, int depth);

static void parse_spec(jctx *c, const jstr *s, spec *f)
{
    size_t p = 0;
    uint32_t cp = 0;
    *f = (spec){.fill = ' ', .prec = -1};
    if (s->n) {
        const size_t n = r1i_j_decode(s->p, s->n, &cp);
        if (n < s->n && strchr("<>=^", s->p[n]) && s->p[n]) {
            f->fill = cp;
            f->align = s->p[n];
            p = n + 1;
        } else if (strchr("<>=^", s->p[0]) && s->p[0]) {
            f->align = s->p[0];
            p = 1;
        }
    }
    if (p < s->n && (s->p[p] == '+' || s->p[p] == '-' || s->p[p] == ' ')) f->sign = s->p[p++];
    if (p < s->n && s->p[p] == '#') f->alt = true, p++;
    if (p < s->n && s->p[p] == '0') f->zero = true, p++;
    source none = {.args = r1i_j_none};
    if (p < s->n && s->p[p] != '*') f->width = star_or_number(c, s, &p, &none);
    if (p < s->n && (s->p[p] == ',' || s->p[p] == '_')) f->group = s->p[p++];
    if (p < s->n && s->p[p] == '.') {
        p++;
        if (p >= s->n || s->p[p] < '0' || s->p[p] > '9') r1i_j_raise(c, "Format specifier missing precision");
        const int64_t prec = star_or_number(c, s, &p, &none);
        f->prec = prec > 1000000 ? 1000000 : (int)prec;
    }
    if (p < s->n) f->type = s->p[p++];
    if (p < s->n) r1i_j_raise(c, "Invalid format specifier");
}

static void put_field(jctx *c, jout *o, jval v, const jstr *text)
{
    if (text->n == 0) {
        r1i_j_puts(c, o, r1i_j_text(c, v));
        return;
    }
    spec f;
    if (v.kind != J_STR && !r1i_j_number(v))
        r1i_j_raise(c, "unsupported format string passed to %s.__format__", r1i_j_type_name(v));
    parse_spec(c, text, &f);
    if (f.zero && !f.align && v.kind == J_STR) f.fill = '0', f.align = '<';
    if (v.kind == J_STR) {
        if ((f.type && f.type != 's') || f.sign || f.align == '=' || f.group)
            r1i_j_raise(c, "invalid format specifier for a string");
        put_padded(c, o, cut(c, v.u.s, f.prec), &f, f.align ? f.align : '<');
        return;
    }
    if (v.kind == J_BOOL && !f.type) {
        put_padded(c, o, r1i_j_text(c, v), &f, f.align ? f.align : '<');
        return;
    }
    const char *const known = v.kind == J_FLOAT ? "eEfFgGn%" : "bdoxXncneEfFgG%";
    if (f.type && !strchr(known, f.type))
        r1i_j_raise(c, "Unknown format code '%c' for object of type '%s'", f.type, r1i_j_type_name(v));
    const bool as_float = v.kind == J_FLOAT || (f.type && strchr("eEfFgG%", f.type));
    if (!as_float && f.prec >= 0) r1i_j_raise(c, "Precision not allowed in integer format specifier");
    if (f.align == '=' ) {
        f.align = 0;
        if (f.fill == '0') f.zero = true;
    }
    put_number(c, o, v, &f);
}

/* first(.name | [key])* */
static jval field_value(jctx *c, const jstr *name, formatter *f)
{
    const size_t head = (size_t)(strcspn((const char *)memcpy(memset(r1i_j_alloc(c, name->n + 1), 0, name->n + 1),
                                                              name->p, name->n), ".["));
    const jstr *const first = r1i_j_slice(c, name, 0, head);
    int64_t index = -1;
    bool overflow;
    jval v = r1i_j_none;
    if (head == 0) {
        if (f->manual) r1i_j_raise(c, "cannot switch from manual field specification to automatic field numbering");
        index = f->next++;
    } else if (first->p[0] >= '0' && first->p[0] <= '9' && r1i_j_parse_int(first, 10, &index, &overflow)) {
        if (f->next > 0) r1i_j_raise(c, "cannot switch from automatic field numbering to manual field specification");
        f->manual = true;
    }
    if (index >= 0) {
        if ((uint64_t)index >= f->args->n)
            r1i_j_raise(c, "Replacement index %lld out of range for positional args tuple", (long long)index);
        v = f->args->v[index];
    } else {
        size_t k = 0;
        while (k < f->args->n_kw && !r1i_j_streq(f->args->kw_names[k], first)) k++;
        if (k == f->args->n_kw) r1i_j_raise(c, "'%.*s' is no argument of format()", (int)first->n, first->p);
        v = f->args->kw[k];
    }
    for (size_t p = head; p < name->n;) {
        const char open = name->p[p++];
        const size_t begin = p;
        while (p < name->n && (open == '[' ? name->p[p] != ']' : name->p[p] != '.' && name->p[p] != '[')) p++;
        const jstr *const part = r1i_j_slice(c, name, begin, p);
        if (part->n == 0 || (open == '[' && p >= name->n)) r1i_j_raise(c, "Empty attribute in format string");
        if (open == '[') p++;
        else if (open != '.') r1i_j_raise(c, "Only '.' or '[' may follow ']' in format field specifier");
        if (open == '.') v = r1i_j_attr(c, v, part);
        else if (r1i_j_parse_int(part, 10, &index, &overflow) && part->p[0] != '-' && part->p[0] != '+')
            v = r1i_j_item(c, v, r1i_j_int(index));
        else v = r1i_j_item(c, v, r1i_j_sv(part));
    }
    return v;
}

/* One "{...}" whose inside is [begin, end). */
static void replace_field(jctx *c, jout *o, const jstr *fmt, size_t begin, size_t end, formatter *f, int depth)
{
    size_t p = begin;
    bool in_key = false;
    while (p < end && (in_key || (fmt->p[p] != '!' && fmt->p[p] != ':'))) {
        if (fmt->p[p] == '[') in_key = true;
        else if (fmt->p[p] == ']') in_key = false;
        p++;
    }
    jval v = field_value(c, r1i_j_slice(c, fmt, begin, p), f);
    if (p < end && fmt->p[p] == '!') {
        const char how = p + 1 < end ? fmt->p[p + 1] : 0;
        p += 2;
        if (how == 's') v = r1i_j_sv(r1i_j_text(c, v));
        else if (how == 'r' || how == 'a') {
            jout r = {0};
            r1i_j_put_repr(c, &r, v, 0);
            v = r1i_j_sv(r1i_j_done(c, &r));
        } else {
            r1i_j_raise(c, "Unknown conversion specifier");
        }
        if (p < end && fmt->p[p] != ':') r1i_j_raise(c, "expected ':' after conversion specifier");
    }
    const jstr *spec_text = p < end ? r1i_j_slice(c, fmt, p + 1, end) : r1i_j_lit(c, "");
    if (memchr(spec_text->p, '{', spec_text->n)) spec_text = format_text(c, spec_text, f, depth + 1);
    put_field(c, o, v, spec_text);
}

static const jstr *format_text(jctx *c, const jstr *fmt, formatter *f, int depth)
{
    jout o = {.markup = fmt->markup};
    if (depth > 1) r1i_j_raise(c, "Max string recursion exceeded");
    for (size_t p = 0; p < fmt->n;) {
        const char ch = fmt->p[p];
        if (ch != '{' && ch != '}') {
            const size_t start = p;
            while (p < fmt->n && fmt->p[p] != '{' && fmt->p[p] != '}') p++;
            r1i_j_put_part(c, &o, fmt, start, p);
            continue;
        }
        if (p + 1 < fmt->n && fmt->p[p + 1] == ch) {
            r1i_j_put_part(c, &o, fmt, p, p + 1);
            p += 2;
            continue;
        }
        if (ch == '}') r1i_j_raise(c, "Single '}' encountered in format string");
        size_t end = ++p;
        for (int open = 1; end < fmt->n; end++) {
            open += fmt->p[end] == '{' ? 1 : fmt->p[end] == '}' ? -1 : 0;
            if (!open) break;
        }
        if (end >= fmt->n)
            r1i_j_raise(c, p >= fmt->n ? "Single '{' encountered in format string"
                        : "expected '}' before end of string");
        replace_field(c, &o, fmt, p, end, f, depth);
        p = end + 1;
    }
    return r1i_j_done(c, &o);
}

const jstr *r1i_j_format(jctx *c, const jstr *fmt, const jargs *args)
{
    formatter f = {.args = args};
    return format_text(c, fmt, &f, 0);
}
