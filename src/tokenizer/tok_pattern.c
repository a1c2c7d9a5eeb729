#include "tokenizer/tok_pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_PATTERN 65536u  /* bytes of a pattern in a file; the longest known is under 1,000 */

/* White_Space as class items; PCRE2's own \s has U+180E as well. */
#define SPACE_ITEMS "\\x09-\\x0d \\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}"
#define NOT_SPACE_ITEMS                                                                                     \
    "\\x00-\\x08\\x0e-\\x1f!-\\x{84}\\x{86}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}\\x{200b}-\\x{2027}" \
    "\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}\\x{3001}-\\x{d7ff}\\x{e000}-\\x{10ffff}"
#define WORD_ITEMS "\\p{L}\\p{M}\\p{Nd}\\p{Pc}"

typedef struct rewrite {
    const char *in;
    size_t n, i;
    char *out;
    size_t used, cap;
    bool in_class;
} rewrite;

static void put(rewrite *w, const char *s, size_t n)
{
    if (w->used + n + 1 > w->cap) {
        const size_t cap = (w->used + n + 1) * 2;
        char *const p = realloc(w->out, cap);
        if (!p) {
            free(w->out);
            w->out = NULL;
            w->cap = w->used = 0;
            w->i = w->n; /* ends the walk; the caller sees out == NULL */
            return;
        }
        w->out = p;
        w->cap = cap;
    }
    memcpy(w->out + w->used, s, n);
    w->used += n;
    w->out[w->used] = 0;
}

static void puts_(rewrite *w, const char *s) { put(w, s, strlen(s)); }

static void put_class(rewrite *w, const char *items, bool negate)
{
    if (!w->in_class) puts_(w, negate ? "[^" : "[");
    puts_(w, items);
    if (!w->in_class) puts_(w, "]");
}

static r1_status refuse(size_t at, const char *what, r1_error *err)
{
    return r1i_fail(err, R1_ERR_UNSUPPORTED, "pattern byte %zu: %s is not supported", at, what);
}

/* \p{...} at w->i (the backslash). Short general categories pass; long ones and scripts are named as PCRE2 wants. */
static r1_status property(rewrite *w, r1_error *err)
{
    static const struct { const char *name, *as; } long_names[] = {
        {"Letter", "L"}, {"Mark", "M"}, {"Number", "N"}, {"Punctuation", "P"}, {"Symbol", "S"}, {"Separator", "Z"},
        {"Other", "C"},  {"Punct", "P"}, {"Any", "Any"},
    };
    const size_t at = w->i;
    const char kind = w->in[at + 1];
    const char *const open = w->in + at + 2;
    if (at + 2 >= w->n || *open != '{') return refuse(at, "a property without braces", err);
    const char *const close = memchr(open, '}', w->n - at - 2);
    if (!close) return refuse(at, "an unclosed property", err);
    const char *name = open + 1;
    const bool negated = name < close && *name == '^';
    if (negated) name++;
    const size_t len = (size_t)(close - name);
    w->i = (size_t)(close - w->in) + 1;
    const bool complement = negated != (kind == 'P');
    puts_(w, complement ? "\\P{" : "\\p{");
    if (len <= 2) {
        put(w, name, len);
    } else {
        const char *as = NULL;
        for (size_t k = 0; k < sizeof long_names / sizeof *long_names && !as; k++)
            if (strlen(long_names[k].name) == len && memcmp(long_names[k].name, name, len) == 0) as = long_names[k].as;
        if (as) {
            puts_(w, as);
        } else {
            puts_(w, "sc:"); /* a bare script name would mean Script_Extensions */
            put(w, name, len);
        }
    }
    puts_(w, "}");
    return R1_OK;
}

static r1_status escape(rewrite *w, r1_error *err)
{
    const size_t at = w->i;
    if (at + 1 >= w->n) return refuse(at, "a backslash at the end", err);
    const char e = w->in[at + 1];
    if (e == 'p' || e == 'P') return property(w, err);
    w->i += 2;
    switch (e) {
    case 's': put_class(w, SPACE_ITEMS, false); return R1_OK;
    case 'S': put_class(w, w->in_class ? NOT_SPACE_ITEMS : SPACE_ITEMS, true); return R1_OK;
    case 'w': put_class(w, WORD_ITEMS, false); return R1_OK;
    case 'W':
        if (w->in_class) return refuse(at, "\\W inside a class", err);
        put_class(w, WORD_ITEMS, true);
        return R1_OK;
    case 'v': puts_(w, "\\x0b"); return R1_OK; /* PCRE2's \v is a class */
    case 'u':
        if (w->n - at < 6) return refuse(at, "a short \\u", err);
        puts_(w, "\\x{");
        put(w, w->in + at + 2, 4);
        puts_(w, "}");
        w->i = at + 6;
        return R1_OK;
    default:
        break;
    }
    const bool letter = (e >= 'a' && e <= 'z') || (e >= 'A' && e <= 'Z');
    if (letter && !strchr("nrtfaexdDbBAzZ", e)) {
        const char what[] = {'\\', e, 0};
        return refuse(at, what, err);
    }
    put(w, w->in + at, 2);
    return R1_OK;
}

static r1_status class_item(rewrite *w, r1_error *err)
{
    const char *const p = w->in + w->i;
    const size_t left = w->n - w->i;
    if (*p == '[') {
        const char *const close = left > 2 && p[1] == ':' ? memchr(p, ']', left) : NULL;
        if (!close || close[-1] != ':') return refuse(w->i, "a set inside a set", err);
        put(w, p, (size_t)(close - p) + 1);
        w->i += (size_t)(close - p) + 1;
        return R1_OK;
    }
    if (left > 1 && p[0] == '&' && p[1] == '&') return refuse(w->i, "&& inside a set", err);
    if (*p == ']') w->in_class = false;
    put(w, p, 1);
    w->i++;
    return R1_OK;
}

r1_status r1i_pattern_rewrite(const char *text, size_t n, char **out, r1_error *err)
{
    rewrite w = {.in = text, .n = n};
    r1_status st = R1_OK;
    *out = NULL;
    if (n > MAX_PATTERN)
        return r1i_fail(err, R1_ERR_RANGE, "pattern of %zu bytes, at most %u expected", n, MAX_PATTERN);
    put(&w, "", 0);
    while (w.i < w.n && st == R1_OK) {
        const char c = w.in[w.i];
        if (c == '\\') {
            st = escape(&w, err);
        } else if (w.in_class) {
            st = class_item(&w, err);
        } else {
            put(&w, &w.in[w.i++], 1);
            if (c != '[') continue;
            w.in_class = true;
            if (w.i < w.n && w.in[w.i] == '^') put(&w, &w.in[w.i++], 1);
            if (w.i < w.n && w.in[w.i] == ']') put(&w, &w.in[w.i++], 1); /* literal when first */
        }
    }
    if (st == R1_OK && !w.out) st = r1i_fail(err, R1_ERR_NOMEM, "pattern of %zu bytes", n);
    if (st != R1_OK) {
        free(w.out);
        return st;
    }
    *out = w.out;
    return R1_OK;
}

r1_status r1i_pattern_compile(const char *text, size_t n, r1i_pattern **out, r1_error *err)
{
    char *rewritten;
    *out = NULL;
    if (memchr(text, 0, n)) return r1i_fail(err, R1_ERR_UNSUPPORTED, "a NUL inside a pattern");
    r1_status st = r1i_pattern_rewrite(text, n, &rewritten, err);
    if (st != R1_OK) return st;
    st = r1i_regex_compile(rewritten, false, out, err);
    free(rewritten);
    return st;
}

void r1i_pattern_free(r1i_pattern *p) { r1i_regex_free(p); }

r1_status r1i_pattern_find(const r1i_pattern *p, r1i_match *m, const uint8_t *s, size_t n, size_t from, bool *found,
                           size_t *begin, size_t *end, r1_error *err)
{
    r1i_regex_hit hit;
    const r1_status st = r1i_regex_find(p, m, s, n, from, found, &hit, err);
    if (st != R1_OK) r1i_error_prefix(err, "pre-tokeniser ");
    if (st != R1_OK || !*found) return st;
    *begin = hit.begin;
    *end = hit.end;
    return R1_OK;
}
