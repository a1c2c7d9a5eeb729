#include "reward/arith.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct reader {
    r1i_span s;
    size_t at;
    int depth;
    bool evaluate;
    r1i_arith *out;
} reader;

typedef struct ratio {
    __int128 num, den;
} ratio;

R1_PRINTF(2, 3) static bool fail(reader *r, const char *fmt, ...)
{
    if (r->out->error[0]) return false; /* the first is the cause */
    va_list args;
    va_start(args, fmt);
    vsnprintf(r->out->error, sizeof r->out->error, fmt, args);
    va_end(args);
    r->out->at = r->at;
    return false;
}

static __int128 gcd(__int128 a, __int128 b)
{
    while (b) {
        const __int128 t = a % b;
        a = b;
        b = t;
    }
    return a < 0 ? -a : a;
}

static void reduce(ratio *x)
{
    const __int128 g = gcd(x->num, x->den);
    if (g > 1) x->num /= g, x->den /= g;
    if (x->den < 0) x->num = -x->num, x->den = -x->den;
}

static bool apply(reader *r, char op, ratio *a, ratio b)
{
    __int128 p, q, num, den;
    bool over = false;
    if (!r->evaluate) return true;
    if (op == '+' || op == '-') {
        over |= __builtin_mul_overflow(a->num, b.den, &p);
        over |= __builtin_mul_overflow(b.num, a->den, &q);
        over |= op == '+' ? __builtin_add_overflow(p, q, &num) : __builtin_sub_overflow(p, q, &num);
        over |= __builtin_mul_overflow(a->den, b.den, &den);
    } else {
        if (op == '/' && b.num == 0) return fail(r, "a division by zero");
        over |= __builtin_mul_overflow(a->num, op == '*' ? b.num : b.den, &num);
        over |= __builtin_mul_overflow(a->den, op == '*' ? b.den : b.num, &den);
    }
    if (over) return fail(r, "a value beyond 127 bits");
    *a = (ratio){num, den};
    reduce(a);
    return true;
}

static void skip(reader *r)
{
    for (;;) {
        static const char *const blanks[] = {" ", "\t", "\n", "\r", "\xC2\xA0", "\\,", "\\!", "\\;"};
        size_t i = 0;
        for (; i < sizeof blanks / sizeof *blanks; i++) {
            const size_t n = strlen(blanks[i]);
            if (r->s.n - r->at >= n && memcmp(r->s.p + r->at, blanks[i], n) == 0) {
                r->at += n;
                break;
            }
        }
        if (i == sizeof blanks / sizeof *blanks) return;
    }
}

static bool eat(reader *r, const char *text)
{
    const size_t n = strlen(text);
    skip(r);
    if (r->s.n - r->at < n || memcmp(r->s.p + r->at, text, n) != 0) return false;
    const bool command = text[0] == '\\';
    if (command && r->at + n < r->s.n && r1i_char_letter((unsigned char)text[n - 1]) &&
        (r->s.p[r->at + n] | 32) >= 'a' && (r->s.p[r->at + n] | 32) <= 'z')
        return false; /* \timesx is another command */
    r->at += n;
    return true;
}

static char peek(reader *r)
{
    skip(r);
    return r->at < r->s.n ? r->s.p[r->at] : 0;
}

static char operator_at(reader *r, const char *const *spellings, const char *ops)
{
    for (size_t i = 0; spellings[i]; i++)
        if (eat(r, spellings[i])) {
            if ((ops[i] == '*' && r->at < r->s.n && r->s.p[r->at] == '*') ||
                (ops[i] == '/' && r->at < r->s.n && r->s.p[r->at] == '/')) {
                fail(r, ops[i] == '*' ? "a power (**)" : "a floor division (//)");
                return 0;
            }
            return ops[i];
        }
    return 0;
}

static bool sum(reader *r, ratio *out);

static bool number(reader *r, ratio *out)
{
    int64_t value = 0;
    const size_t begin = r->at;
    while (r->at < r->s.n && r->s.p[r->at] >= '0' && r->s.p[r->at] <= '9') {
        if (r->at - begin >= 15) return fail(r, "a number of more than 15 digits");
        value = 10 * value + (r->s.p[r->at++] - '0');
    }
    if (r->at < r->s.n && (r->s.p[r->at] == '.' || r->s.p[r->at] == ',')) return fail(r, "a decimal or grouped number");
    if (r->at - begin > 1 && r->s.p[begin] == '0') return fail(r, "a number with a leading zero");
    if (r->out->n == R1I_ARITH_NUMBERS) return fail(r, "more than %d numbers", R1I_ARITH_NUMBERS);
    r->out->number[r->out->n++] = value;
    *out = (ratio){value, 1};
    return true;
}

static bool closed(reader *r, const char *end, ratio *out)
{
    if (++r->depth > R1I_ARITH_DEPTH) return fail(r, "brackets nested deeper than %d", R1I_ARITH_DEPTH);
    if (!sum(r, out)) return false;
    r->depth--;
    return eat(r, end) || fail(r, "'%s' is missing", end);
}

static bool operand(reader *r, ratio *out)
{
    const char c = peek(r);
    if (c >= '0' && c <= '9') return number(r, out);
    if (eat(r, "(")) return closed(r, ")", out);
    if (eat(r, "[")) return closed(r, "]", out);
    if (eat(r, "\\left")) {
        if (eat(r, "(")) return closed(r, "\\right", out) && (eat(r, ")") || fail(r, "')' is missing"));
        return fail(r, "\\left without '('");
    }
    if (eat(r, "\\frac") || eat(r, "\\dfrac")) {
        ratio below;
        return (eat(r, "{") || fail(r, "'{' is missing")) && closed(r, "}", out) &&
            (eat(r, "{") || fail(r, "'{' is missing")) && closed(r, "}", &below) && apply(r, '/', out, below);
    }
    if (r->at == r->s.n) return fail(r, "the text ends where a number was expected");
    if (c == '-' || c == '+') return fail(r, "a sign without a number before it");
    return fail(r, "something other than a number");
}

static bool product(reader *r, ratio *out)
{
    static const char *const spellings[] = {"*", "\xC3\x97", "\xC2\xB7", "\\times", "\\cdot", "/", "\xC3\xB7", "\\div", NULL};
    if (!operand(r, out)) return false;
    for (char op; (op = operator_at(r, spellings, "*****///"));) {
        ratio b;
        if (!operand(r, &b) || !apply(r, op, out, b)) return false;
    }
    return r->out->error[0] == 0;
}

static bool sum(reader *r, ratio *out)
{
    static const char *const spellings[] = {"+", "-", "\xE2\x88\x92", NULL};
    if (!product(r, out)) return false;
    for (char op; (op = operator_at(r, spellings, "+--"));) {
        ratio b;
        if (!product(r, &b) || !apply(r, op, out, b)) return false;
    }
    return r->out->error[0] == 0;
}

bool r1i_arith_read(r1i_span s, bool evaluate, r1i_arith *out)
{
    *out = (r1i_arith){0};
    reader r = {.s = s, .evaluate = evaluate, .out = out};
    ratio value = {0, 1};
    if (s.n > R1I_ARITH_BYTES) return fail(&r, "an expression longer than %d bytes", R1I_ARITH_BYTES);
    if (!sum(&r, &value)) return false;
    skip(&r);
    if (r.at < s.n) {
        if (s.p[r.at] == '^') return fail(&r, "a power (^)");
        return fail(&r, "something other than an operator");
    }
    out->num = value.num;
    out->den = value.den;
    return true;
}
