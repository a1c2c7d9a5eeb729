#include "reward/code_compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct cursor {
    const char *p, *end;
} cursor;

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\v' || c == '\f'; }

/* Next token of the line; false at its end. */
static bool token(cursor *c, const char **t, size_t *n)
{
    while (c->p < c->end && is_blank(*c->p)) c->p++;
    if (c->p == c->end) return false;
    *t = c->p;
    while (c->p < c->end && !is_blank(*c->p)) c->p++;
    *n = (size_t)(c->p - *t);
    return true;
}

/* Takes the next line without its end; false after the last. */
static bool line(cursor *text, cursor *out)
{
    if (text->p == text->end) return false;
    const char *nl = memchr(text->p, '\n', (size_t)(text->end - text->p));
    *out = (cursor){text->p, nl ? nl : text->end};
    text->p = nl ? nl + 1 : text->end;
    return true;
}

/* -?digits[.digits][e[+-]digits] and nothing else: strtod alone would also take hexadecimal, inf and nan. */
static bool decimal(const char *t, size_t n, bool *whole, double *value)
{
    char text[64];
    size_t i = 0, digits = 0;
    if (n == 0 || n >= sizeof text) return false;
    memcpy(text, t, n);
    text[n] = 0;
    *whole = true;
    if (text[i] == '-' || text[i] == '+') i++;
    for (; text[i] >= '0' && text[i] <= '9'; i++) digits++;
    if (text[i] == '.') {
        *whole = false;
        for (i++; text[i] >= '0' && text[i] <= '9'; i++) digits++;
    }
    if (digits == 0) return false;
    if (text[i] == 'e' || text[i] == 'E') {
        *whole = false;
        i++;
        if (text[i] == '-' || text[i] == '+') i++;
        if (text[i] < '0' || text[i] > '9') return false;
        while (text[i] >= '0' && text[i] <= '9') i++;
    }
    if (i != n) return false; /* a NUL among the bytes ends here too */
    *value = strtod(text, NULL);
    return isfinite(*value);
}

static bool tokens_equal(const char *a, size_t na, const char *b, size_t nb, double tolerance)
{
    bool whole_a, whole_b;
    double va, vb;
    if (na == nb && memcmp(a, b, na) == 0) return true;
    if (!(tolerance > 0) || !decimal(b, nb, &whole_b, &vb) || whole_b || !decimal(a, na, &whole_a, &va)) return false;
    return fabs(va - vb) <= tolerance * fmax(1.0, fabs(vb));
}

static size_t without_blank_end(const char *s, size_t n)
{
    while (n && (is_blank(s[n - 1]) || s[n - 1] == '\n')) n--;
    return n;
}

/* A few printable bytes of a token for the reason. */
static void show(char *to, size_t size, const char *t, size_t n)
{
    size_t i = 0;
    for (; i < n && i + 1 < size && i < 24; i++) to[i] = t[i] >= 0x20 && t[i] < 0x7F ? t[i] : '?';
    to[i] = 0;
}

bool r1i_output_equal(const char *printed, size_t n_printed, const char *expected, size_t n_expected, double tolerance,
                      char *why, size_t why_bytes)
{
    const size_t np = without_blank_end(printed, n_printed), ne = without_blank_end(expected, n_expected);
    cursor a = {printed, printed + np}, b = {expected, expected + ne}, la = {0}, lb = {0};
    if (np == 0 && ne != 0) {
        snprintf(why, why_bytes, "nothing was printed");
        return false;
    }
    for (size_t number = 1;; number++) {
        const bool more_a = line(&a, &la), more_b = line(&b, &lb);
        if (!more_a && !more_b) return true;
        if (!more_a || !more_b) {
            snprintf(why, why_bytes, more_a ? "more lines than the %zu expected" : "the output ends before line %zu",
                     more_a ? number - 1 : number);
            return false;
        }
        for (size_t i = 1;; i++) {
            const char *ta = NULL, *tb = NULL;
            size_t na = 0, nb = 0;
            const bool in_a = token(&la, &ta, &na), in_b = token(&lb, &tb, &nb);
            if (!in_a && !in_b) break;
            if (in_a && in_b && tokens_equal(ta, na, tb, nb, tolerance)) continue;
            char sa[32] = "nothing", sb[32] = "nothing";
            if (in_a) show(sa, sizeof sa, ta, na);
            if (in_b) show(sb, sizeof sb, tb, nb);
            snprintf(why, why_bytes, "line %zu, word %zu: '%s' instead of '%s'", number, i, sa, sb);
            return false;
        }
    }
}
