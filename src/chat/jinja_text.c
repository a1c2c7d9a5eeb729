/* Text: Unicode case and classes as Python sees them, str() and repr() of values, HTML escaping. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chat/jinja.h"
#include "tokenizer/tok_unicode.h"

size_t r1i_j_decode(const char *p, size_t n, uint32_t *cp)
{
    const uint8_t *const b = (const uint8_t *)p;
    if (b[0] < 0x80 || n < 2) return *cp = b[0], 1;
    if (b[0] < 0xE0 || n < 3) return *cp = (uint32_t)(b[0] & 31) << 6 | (b[1] & 63), 2;
    if (b[0] < 0xF0 || n < 4) return *cp = (uint32_t)(b[0] & 15) << 12 | (uint32_t)(b[1] & 63) << 6 | (b[2] & 63), 3;
    *cp = (uint32_t)(b[0] & 7) << 18 | (uint32_t)(b[1] & 63) << 12 | (uint32_t)(b[2] & 63) << 6 | (b[3] & 63);
    return 4;
}

/* str.isspace, which is also what strip() and split() go by */
bool r1i_j_space(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || (cp >= 28 && cp <= 32) || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F ||
           cp == 0x3000;
}

int r1i_j_category(uint32_t cp) { return (int)utf8proc_category((utf8proc_int32_t)cp); }

bool r1i_j_printable(uint32_t cp)
{
    if (cp < 127) return cp >= 32;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
    }
}

static const struct { uint32_t cp; const char *upper, *title; } casing[] = {
#include "chat/casing.inc"
};

static const char *special(uint32_t cp, bool title)
{
    size_t lo = 0, hi = sizeof casing / sizeof *casing;
    while (lo < hi) {
        const size_t mid = (lo + hi) / 2;
        if (casing[mid].cp < cp) lo = mid + 1;
        else hi = mid;
    }
    if (lo == sizeof casing / sizeof *casing || casing[lo].cp != cp) return NULL;
    return title ? casing[lo].title : casing[lo].upper;
}

void r1i_j_put_upper(jctx *c, jout *o, uint32_t cp, bool trusted)
{
    const char *const many = cp < 0x80 ? NULL : special(cp, false);
    if (many) r1i_j_put(c, o, many, strlen(many), trusted);
    else r1i_j_put_char(c, o, (uint32_t)utf8proc_toupper((utf8proc_int32_t)cp), trusted);
}

void r1i_j_put_title(jctx *c, jout *o, uint32_t cp, bool trusted)
{
    const char *const many = cp < 0x80 ? NULL : special(cp, true);
    if (many) r1i_j_put(c, o, many, strlen(many), trusted);
    else r1i_j_put_char(c, o, (uint32_t)utf8proc_totitle((utf8proc_int32_t)cp), trusted);
}

static bool cased(uint32_t cp)
{
    return utf8proc_islower((utf8proc_int32_t)cp) || utf8proc_isupper((utf8proc_int32_t)cp);
}

static bool case_ignorable(uint32_t cp)
{
    const int k = r1i_j_category(cp);
    return k == 4 || k == 6 || k == 8 || k == 21 || k == 27 || cp == '\'' || cp == '.' || cp == ':' || cp == 0x2019;
}

/* A capital sigma at the end of a word has its own small letter. */
static bool final_sigma(const jstr *s, size_t at)
{
    bool before = false;
    uint32_t cp;
    for (size_t p = at; p > 0;) {
        do p--;
        while (((uint8_t)s->p[p] & 0xC0) == 0x80);
        r1i_j_decode(s->p + p, s->n - p, &cp);
        if (case_ignorable(cp)) continue;
        before = cased(cp);
        break;
    }
    for (size_t p = at + 2; before && p < s->n;) {
        p += r1i_j_decode(s->p + p, s->n - p, &cp);
        if (!case_ignorable(cp)) return !cased(cp);
    }
    return before;
}

static bool byte_trust(const jstr *s, size_t p) { return s->mask ? s->mask[p] : s->trusted; }

void r1i_j_put_lower(jctx *c, jout *o, const jstr *s, size_t p, uint32_t cp)
{
    const bool t = byte_trust(s, p);
    if (cp == 0x130) r1i_j_put(c, o, "i\xCC\x87", 3, t);
    else if (cp == 0x3A3) r1i_j_put_char(c, o, final_sigma(s, p) ? 0x3C2 : 0x3C3, t);
    else r1i_j_put_char(c, o, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp), t);
}

const jstr *r1i_j_upper(jctx *c, const jstr *s)
{
    jout o = {.markup = s->markup};
    uint32_t cp;
    for (size_t p = 0, n; p < s->n; p += n) {
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        r1i_j_put_upper(c, &o, cp, byte_trust(s, p));
    }
    r1i_j_step(c, s->n / 8);
    return r1i_j_done(c, &o);
}

const jstr *r1i_j_lower(jctx *c, const jstr *s)
{
    jout o = {.markup = s->markup};
    uint32_t cp;
    for (size_t p = 0, n; p < s->n; p += n) {
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        r1i_j_put_lower(c, &o, s, p, cp);
    }
    r1i_j_step(c, s->n / 8);
    return r1i_j_done(c, &o);
}

const jstr *r1i_j_capitalize(jctx *c, const jstr *s)
{
    jout o = {.markup = s->markup};
    uint32_t cp;
    for (size_t p = 0, n; p < s->n; p += n) {
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        if (p == 0) r1i_j_put_title(c, &o, cp, byte_trust(s, p));
        else r1i_j_put_lower(c, &o, s, p, cp);
    }
    r1i_j_step(c, s->n / 8);
    return r1i_j_done(c, &o);
}

/* ---- str and repr ------------------------------------------------------------------------------------------------ */
/* The shortest digits that read back as the same double, laid out as Python's repr does. */
void r1i_j_float_repr(double d, char out[40])
{
    char text[40];
    if (isnan(d) || isinf(d)) {
        strcpy(out, isnan(d) ? "nan" : d < 0 ? "-inf" : "inf");
        return;
    }
    for (int prec = 0; prec < 17; prec++) {
        snprintf(text, sizeof text, "%.*e", prec, d);
        if (strtod(text, NULL) == d) break;
    }
    char digits[32];
    int n = 0;
    const char *p = text;
    char *w = out;
    if (*p == '-') *w++ = *p++;
    for (; *p != 'e'; p++)
        if (*p != '.') digits[n++] = *p;
    const int e = atoi(p + 1);
    while (n > 1 && digits[n - 1] == '0') n--;
    if (e < -4 || e >= 16) {
        *w++ = digits[0];
        if (n > 1) {
            *w++ = '.';
            memcpy(w, digits + 1, (size_t)n - 1);
            w += n - 1;
        }
        char exponent[16];
        snprintf(exponent, sizeof exponent, "e%c%02d", e < 0 ? '-' : '+', abs(e));
        strcpy(w, exponent);
        return;
    }
    if (e < 0) {
        *w++ = '0';
        *w++ = '.';
        for (int i = -1; i > e; i--) *w++ = '0';
        memcpy(w, digits, (size_t)n);
        w += n;
    } else {
        for (int i = 0; i < n || i <= e; i++) {
            if (i == e + 1) *w++ = '.';
            *w++ = i < n ? digits[i] : '0';
        }
        if (n <= e + 1) {
            *w++ = '.';
            *w++ = '0';
        }
    }
    *w = '\0';
}

static void put_repr_string(jctx *c, jout *o, const jstr *s)
{
    const char q = memchr(s->p, '\'', s->n) && !memchr(s->p, '"', s->n) ? '"' : '\'';
    char text[16];
    uint32_t cp;
    if (s->markup) r1i_j_putz(c, o, "Markup(");
    r1i_j_put(c, o, &q, 1, true);
    for (size_t p = 0, n; p < s->n; p += n) {
        n = r1i_j_decode(s->p + p, s->n - p, &cp);
        const bool t = byte_trust(s, p);
        if (cp == (uint32_t)q || cp == '\\') snprintf(text, sizeof text, "\\%c", (char)cp);
        else if (cp == '\n' || cp == '\r' || cp == '\t')
            snprintf(text, sizeof text, "\\%c", cp == '\n' ? 'n' : cp == '\r' ? 'r' : 't');
        else if (r1i_j_printable(cp)) {
            r1i_j_put_part(c, o, s, p, p + n);
            continue;
        } else {
            snprintf(text, sizeof text, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", cp);
        }
        r1i_j_put(c, o, text, strlen(text), t);
    }
    r1i_j_put(c, o, &q, 1, true);
    if (s->markup) r1i_j_putz(c, o, ")");
}

static void put_items(jctx *c, jout *o, const jval *v, size_t n, int nest)
{
    for (size_t i = 0; i < n; i++) {
        if (i) r1i_j_putz(c, o, ", ");
        r1i_j_put_repr(c, o, v[i], nest + 1);
    }
}

static void put_dict(jctx *c, jout *o, const jdict *m, int nest)
{
    r1i_j_putz(c, o, "{");
    for (size_t i = 0; i < m->n; i++) {
        if (i) r1i_j_putz(c, o, ", ");
        r1i_j_put_repr(c, o, m->kv[2 * i], nest + 1);
        r1i_j_putz(c, o, ": ");
        r1i_j_put_repr(c, o, m->kv[2 * i + 1], nest + 1);
    }
    r1i_j_putz(c, o, "}");
}

static void put_view(jctx *c, jout *o, jval v, int nest)
{
    r1i_j_putz(c, o, r1i_j_type_name(v));
    r1i_j_putz(c, o, "([");
    for (size_t i = 0; i < v.u.m->n; i++) {
        const jval *const kv = &v.u.m->kv[2 * i];
        if (i) r1i_j_putz(c, o, ", ");
        if (v.aux == J_ITEMS) r1i_j_putz(c, o, "(");
        if (v.aux != J_VALUES) r1i_j_put_repr(c, o, kv[0], nest + 1);
        if (v.aux == J_ITEMS) r1i_j_putz(c, o, ", ");
        if (v.aux != J_KEYS) r1i_j_put_repr(c, o, kv[1], nest + 1);
        if (v.aux == J_ITEMS) r1i_j_putz(c, o, ")");
    }
    r1i_j_putz(c, o, "])");
}

static void put_other(jctx *c, jout *o, jval v)
{
    char text[160];
    if (v.kind == J_RANGE) {
        const jrange *const r = v.u.r;
        const long long stop = (long long)r->stop;
        if (r->step == 1) snprintf(text, sizeof text, "range(%lld, %lld)", (long long)r->start, stop);
        else snprintf(text, sizeof text, "range(%lld, %lld, %lld)", (long long)r->start, stop, (long long)r->step);
    } else if (v.kind == J_LOOP) {
        snprintf(text, sizeof text, "<LoopContext %lld/%lld>", (long long)v.u.loop->index0 + 1,
                 (long long)r1i_j_loop_length(c, v.u.loop));
    } else if (v.kind == J_MACRO) {
        const jstr *const name = v.u.macro->def->name;
        snprintf(text, sizeof text, "<Macro %s%.*s%s>", name ? "'" : "",
                 name ? (int)(name->n < 100 ? name->n : 100) : 9, name ? name->p : "anonymous", name ? "'" : "");
    } else { /* Python prints an address here, which no two runs share */
        snprintf(text, sizeof text, "<%s object>", r1i_j_type_name(v));
    }
    r1i_j_putz(c, o, text);
}

void r1i_j_put_repr(jctx *c, jout *o, jval v, int nest)
{
    char text[40];
    if (nest > c->max_nest) r1i_j_fail(c, R1_ERR_RANGE, "values nest too deeply to print");
    r1i_j_step(c, 1);
    switch (v.kind) {
    case J_UNDEF: r1i_j_putz(c, o, "Undefined"); break;
    case J_NONE: r1i_j_putz(c, o, "None"); break;
    case J_BOOL: r1i_j_putz(c, o, v.u.b ? "True" : "False"); break;
    case J_INT:
        snprintf(text, sizeof text, "%lld", (long long)v.u.i);
        r1i_j_putz(c, o, text);
        break;
    case J_FLOAT:
        r1i_j_float_repr(v.u.d, text);
        r1i_j_putz(c, o, text);
        break;
    case J_STR: put_repr_string(c, o, v.u.s); break;
    case J_LIST:
        r1i_j_putz(c, o, "[");
        put_items(c, o, v.u.l->v, v.u.l->n, nest);
        r1i_j_putz(c, o, "]");
        break;
    case J_TUPLE:
        r1i_j_putz(c, o, "(");
        put_items(c, o, v.u.l->v, v.u.l->n, nest);
        r1i_j_putz(c, o, v.u.l->n == 1 ? ",)" : ")");
        break;
    case J_DICT: put_dict(c, o, v.u.m, nest); break;
    case J_VIEW: put_view(c, o, v, nest); break;
    case J_SPACE:
        r1i_j_putz(c, o, "<Namespace ");
        put_dict(c, o, v.u.m, nest);
        r1i_j_putz(c, o, ">");
        break;
    default: put_other(c, o, v); break;
    }
}

const jstr *r1i_j_text(jctx *c, jval v)
{
    if (v.kind == J_STR) return v.u.s;
    jout o = {0};
    if (v.kind != J_UNDEF) r1i_j_put_repr(c, &o, v, 0);
    return r1i_j_done(c, &o);
}

const jstr *r1i_j_escape(jctx *c, jval v)
{
    const jstr *const s = r1i_j_text(c, v);
    if (s->markup) return s;
    jout o = {.markup = true};
    for (size_t p = 0, start = 0; p <= s->n; p++) {
        const char ch = p < s->n ? s->p[p] : 0;
        const char *const to = ch == '&' ? "&amp;" : ch == '<' ? "&lt;" : ch == '>' ? "&gt;" : ch == '"' ? "&#34;"
            : ch == '\'' ? "&#39;" : NULL;
        if (!to && p < s->n) continue;
        r1i_j_put_part(c, &o, s, start, p);
        if (to) r1i_j_put(c, &o, to, strlen(to), byte_trust(s, p));
        start = p + 1;
    }
    return r1i_j_done(c, &o);
}

/* ---- numbers from text ------------------------------------------------------------------------------------------- */
static void strip_ascii(const jstr *s, size_t *begin, size_t *end)
{
    uint32_t cp;
    *begin = 0;
    *end = s->n;
    while (*begin < *end) {
        const size_t n = r1i_j_decode(s->p + *begin, s->n - *begin, &cp);
        if (!r1i_j_space(cp)) break;
        *begin += n;
    }
    while (*end > *begin && r1i_j_space((uint8_t)s->p[*end - 1]) && (uint8_t)s->p[*end - 1] < 128) (*end)--;
}

static int value_of(char ch)
{
    if (ch >= '0' && ch <= '9') return ch - '0';
    const char low = (char)(ch | 0x20);
    return low >= 'a' && low <= 'z' ? low - 'a' + 10 : 99;
}

bool r1i_j_parse_int(const jstr *s, int base, int64_t *out, bool *overflow)
{
    size_t p, end;
    strip_ascii(s, &p, &end);
    const bool minus = p < end && s->p[p] == '-';
    if (p < end && (s->p[p] == '-' || s->p[p] == '+')) p++;
    if (p + 1 < end && s->p[p] == '0') {
        const char k = (char)(s->p[p + 1] | 0x20);
        const int prefix = k == 'x' ? 16 : k == 'o' ? 8 : k == 'b' ? 2 : 0;
        if (prefix && (base == prefix || base == 0)) {
            base = prefix;
            p += 2;
            if (p < end && s->p[p] == '_') p++;
        }
    }
    if (base == 0) base = 10;
    bool digit = false;
    *out = 0;
    *overflow = false;
    for (; p < end; p++) {
        if (s->p[p] == '_' && digit && p + 1 < end) {
            digit = false;
            continue;
        }
        const int v = value_of(s->p[p]);
        if (v >= base) return false;
        digit = true;
        if (__builtin_mul_overflow(*out, base, out) || __builtin_add_overflow(*out, minus ? -v : v, out))
            *overflow = true;
    }
    return digit;
}

bool r1i_j_parse_float(const jstr *s, double *out)
{
    size_t begin, end, n = 0;
    strip_ascii(s, &begin, &end);
    if (begin == end || end - begin > 300) return false;
    char text[304];
    for (size_t p = begin; p < end; p++) {
        const char ch = s->p[p];
        if (ch == '_' && n && p + 1 < end && value_of(text[n - 1]) < 10 && value_of(s->p[p + 1]) < 10) continue;
        if (ch == 'x' || ch == 'X' || ch == '(' || ch == '_') return false; /* forms that strtod knows and Python does
                                                                             * not */
        text[n++] = ch;
    }
    text[n] = '\0';
    char *stop;
    *out = strtod(text, &stop);
    return *stop == '\0' && stop != text;
}
