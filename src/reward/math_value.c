/* A parsed answer and the entry points that read and compare it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "reward/math_inner.h"
#include "reward/math_lex.h"

enum {
    VALUE_BYTES = 16 << 20, SCRATCH_BYTES = 64 << 20, /* of arenas; typical answers stay in the first 8 kB */
    PARSE_STEPS = 4000000, SHAPE_STEPS = 1200000, COMPARE_STEPS = 2500000, /* a few tens of nanoseconds each */
    LONGEST_INTEGER = 1 << 21
};

r1_status r1i_math_create(const r1i_math_options *options, const r1_env *env, r1i_math **out, r1_error *err)
{
    r1i_math *const math = *out = calloc(1, sizeof **out);
    if (!math) return r1i_fail(err, R1_ERR_NOMEM, "answer checker");
    if (options) math->options = *options;
    if (env) math->env = *env;
    if (math->options.proof_seconds <= 0) math->options.proof_seconds = .5;
    if (math->options.proof_bytes == 0) math->options.proof_bytes = (size_t)1 << 30;
    r1i_mem_init(&math->scratch, SCRATCH_BYTES);
    return R1_OK;
}

void r1i_math_destroy(r1i_math *math)
{
    if (!math) return;
    r1i_prover_destroy(math->prover);
    r1i_mem_destroy(&math->scratch);
    free(math);
}

void r1i_math_value_free(r1i_math_value *value)
{
    if (!value) return;
    r1i_mem_destroy(&value->mem);
    free(value);
}

const char *r1i_math_value_kind(const r1i_math_value *value) { return value->kind; }
const char *r1i_math_value_text(const r1i_math_value *value) { return value->text; }

/* Most answers are whole numbers: no tokens and no tree, and any length. */
static bool whole_number(r1i_math_value *v, const char *s, size_t n)
{
    while (n && strchr(" \t\r\n$", *s)) s++, n--;
    while (n && strchr(" \t\r\n$", s[n - 1])) n--;
    const bool minus = n && *s == '-';
    if (minus) s++, n--;
    if (n == 0 || n > LONGEST_INTEGER) return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    while (n > 1 && *s == '0') s++, n--;
    v->kind = "integer";
    char *const text = r1i_mem_take(&v->mem, n + 2);
    if (minus && *s != '0') text[0] = '-';
    memcpy(text + (text[0] == '-'), s, n);
    v->text = text;
    if (n > 9000) return true;
    r1i_mnode *const e = r1i_mnode_make(&v->mem, R1I_M_NUM, 0, 0);
    e->num = (r1i_rat){r1i_int_read(&v->mem, s, n), r1i_int_of(1)};
    if (minus) e->num = r1i_rat_neg(&v->mem, &e->num);
    v->root = e;
    return true;
}

/* Words around or instead of mathematics: compared as words. */
static bool prose(const char *s, size_t n)
{
    static const char *const formulas[] = {"\\begin", "\\frac", "\\sqrt", "\\int", "\\sum", "\\lim"};
    int words = 0, depth = 0;
    for (size_t i = 0; i < sizeof formulas / sizeof *formulas; i++)
        if (memmem(s, n, formulas[i], strlen(formulas[i]))) return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '{') depth++;
        if (s[i] == '}' && --depth < 0) return false;
        if (s[i] == '\\') {
            while (i + 1 < n && isalpha((unsigned char)s[i + 1])) i++;
            continue;
        }
        size_t k = 0;
        while (i + k < n && isalpha((unsigned char)s[i + k])) k++;
        if (k >= 3 && r1i_math_is_word(s + i, k)) words++;
        if ((unsigned char)s[i] >= 0xE4 && (unsigned char)s[i] <= 0xE9) words++; /* Han */
        if (k) i += k - 1;
    }
    return words > 0 && depth == 0 && n < 4096;
}

static bool read_tree(r1i_math_value *v, const char *text, size_t bytes)
{
    if (setjmp(v->mem.catcher)) return false;
    const char *const nul = bytes ? memchr(text, 0, bytes) : NULL;
    if (nul) r1i_mem_fail(&v->mem, nul - text, "a NUL byte"); /* from here on strchr(set, c) is safe */
    if (!whole_number(v, text, bytes)) v->root = r1i_math_read(&v->mem, text, bytes);
    return true;
}

static bool valid_utf8(const char *text, size_t n)
{
    const unsigned char *const s = (const unsigned char *)text;
    for (size_t i = 0; i < n;) {
        const size_t w = s[i] < 0x80 ? (s[i] ? 1 : 0) : s[i] >= 0xC2 && s[i] < 0xE0 ? 2 : (s[i] & 0xF0) == 0xE0 ? 3
            : s[i] >= 0xF0 && s[i] < 0xF5 ? 4 : 0;
        if (w == 0 || w > n - i) return false;
        for (size_t k = 1; k < w; k++)
            if ((s[i + k] & 0xC0) != 0x80) return false;
        i += w;
    }
    return true;
}

static bool read_prose(r1i_math_value *v, const char *text, size_t bytes)
{
    if (setjmp(v->mem.catcher)) return false;
    if (bytes > R1I_MATH_BYTES || !valid_utf8(text, bytes) || !prose(text, bytes)) return false;
    const char *const words = r1i_math_words(&v->mem, text, bytes);
    if (!*words) return false;
    v->root = r1i_mnode_name(&v->mem, R1I_M_TEXT, words, strlen(words));
    return true;
}

static bool take_shape(r1i_math *math, r1i_math_value *v, const r1i_shape **s)
{
    if (setjmp(math->scratch.catcher)) return false;
    *s = r1i_math_shape(&math->scratch, v->root);
    return true;
}

static bool keep_text(r1i_math_value *v, const char *s, size_t n)
{
    if (setjmp(v->mem.catcher)) return false;
    r1i_mtext t = {.mem = &v->mem};
    r1i_mtext_put(&t, s, n);
    v->text = t.s;
    return true;
}

static bool keep_spelling(r1i_math_value *v, const char *s, size_t n)
{
    if (setjmp(v->mem.catcher)) return false;
    r1i_mtext t = {.mem = &v->mem};
    r1i_mtext_put(&t, "", 0);
    for (size_t i = 0; i < n; i++)
        if (!strchr(" \t\r\n$", s[i])) r1i_mtext_put(&t, s + i, 1);
    v->text = t.s;
    return true;
}

/* The canonical text. What is too large to work out is compared by its spelling; what has no value is refused. */
static bool write_text(r1i_math *math, r1i_math_value *v, const char *source, size_t bytes)
{
    const r1i_shape *s;
    if (take_shape(math, v, &s)) {
        v->open = s->open;
        v->kind = s->open ? "unevaluated" : s->what;
        return keep_text(v, s->text, strlen(s->text));
    }
    const char *const why = math->scratch.why;
    if (strstr(why, "too") == NULL && strstr(why, "digits") == NULL) return false;
    v->kind = "large formula";
    v->root = NULL;
    return keep_spelling(v, source, bytes);
}

static bool keep_lower(r1i_math_value *v, const char *s, size_t n)
{
    if (setjmp(v->mem.catcher)) return false;
    char *const t = r1i_mem_text(&v->mem, s, n);
    for (char *c = t; *c; c++) *c = (char)tolower((unsigned char)*c);
    v->letters = t;
    return true;
}

static void keep_letters(r1i_math_value *v, const char *s, size_t n)
{
    while (n && strchr(" $.", *s)) s++, n--;
    while (n && strchr(" $.", s[n - 1])) n--;
    if (n == 0 || n > 60) return;
    for (size_t i = 0; i < n; i++)
        if (!isalpha((unsigned char)s[i])) return;
    keep_lower(v, s, n);
}

r1_status r1i_math_parse(r1i_math *math, const char *text, size_t bytes, r1i_math_value **out, r1_error *err)
{
    *out = NULL;
    r1i_math_value *const v = calloc(1, sizeof *v);
    if (!v) return r1i_fail(err, R1_ERR_NOMEM, "an answer");
    r1i_mem_init(&v->mem, VALUE_BYTES);
    v->mem.steps = PARSE_STEPS;
    bool good = read_tree(v, text, bytes);
    if (!good) {
        const char *const why = v->mem.why;
        const int64_t where = v->mem.where;
        v->mem.depth = 0;
        if (!(good = read_prose(v, text, bytes))) {
            const r1_status st = r1i_fail_at(err, strcmp(why, "no memory") == 0 ? R1_ERR_NOMEM : R1_ERR_FORMAT, where,
                                             "%s", why);
            r1i_math_value_free(v);
            return st;
        }
    }
    if (!v->text) {
        r1i_mem_reset(&math->scratch, SHAPE_STEPS);
        v->mem.depth = 0;
        if (!write_text(math, v, text, bytes)) {
            const char *const why = math->scratch.why ? math->scratch.why : "too large to work out";
            const r1_status st = r1i_fail_at(err, R1_ERR_FORMAT, math->scratch.where, "%s", why);
            r1i_math_value_free(v);
            return st;
        }
        keep_letters(v, text, bytes);
    }
    *out = v;
    return R1_OK;
}

static void say(char *reason, size_t bytes, const char *what, const char *kind)
{
    if (reason && bytes) snprintf(reason, bytes, "%s%s%s", what, kind ? " " : "", kind ? kind : "");
}

static bool same_word(const r1i_math_value *a, const r1i_math_value *b)
{
    if (a->letters && b->letters)
        return a->root && b->root && (a->root->kind == R1I_M_TEXT) != (b->root->kind == R1I_M_TEXT) &&
            strcmp(a->letters, b->letters) == 0;
    if (a->letters && b->root && b->root->kind == R1I_M_TEXT) return strcmp(a->letters, b->root->name) == 0;
    if (b->letters && a->root && a->root->kind == R1I_M_TEXT) return strcmp(b->letters, a->root->name) == 0;
    return false;
}

typedef struct question {
    const r1i_math_value *a, *b;
    bool grade;
} question;

static bool answer(r1i_math *math, const question *q, const char **why)
{
    const r1i_shape *const x = r1i_math_shape(&math->scratch, q->a->root),
                           *const y = r1i_math_shape(&math->scratch, q->b->root);
    *why = "equal";
    if (r1i_math_same(math, x, y)) return true;
    *why = x->kind == y->kind ? "accepted: a rounding, unit or name left open"
        : "accepted: the same value in another form";
    return q->grade && r1i_math_accepts(math, x, y, true);
}

static bool compare(r1i_math *math, const question *q, const char **why)
{
    if (setjmp(math->scratch.catcher)) {
        math->why = math->scratch.why;
        return false;
    }
    return answer(math, q, why);
}

static r1_status decide(r1i_math *math, const r1i_math_value *a, const r1i_math_value *b, bool grade, bool *yes,
                        char *reason, size_t reason_bytes)
{
    *yes = false;
    if (a->open == b->open && strcmp(a->kind, b->kind) == 0 && strcmp(a->text, b->text) == 0) {
        *yes = true;
        say(reason, reason_bytes, "the same", a->kind);
        return R1_OK;
    }
    if (!a->root || !b->root) {
        say(reason, reason_bytes, "another number or formula", NULL);
        return R1_OK;
    }
    if (a->root->kind == R1I_M_NUM && b->root->kind == R1I_M_NUM && a->root->decimals < 0 && b->root->decimals < 0) {
        say(reason, reason_bytes, "different numbers", NULL);
        return R1_OK;
    }
    if (same_word(a, b)) {
        *yes = true;
        say(reason, reason_bytes, "the same word", NULL);
        return R1_OK;
    }
    r1i_mem_reset(&math->scratch, COMPARE_STEPS);
    math->why = "not the same";
    math->proof_until = 0;
    const char *why = "";
    const question q = {a, b, grade};
    *yes = compare(math, &q, &why);
    say(reason, reason_bytes, *yes ? why : math->why, NULL);
    return R1_OK;
}

r1_status r1i_math_equal(r1i_math *math, const r1i_math_value *a, const r1i_math_value *b, bool *equal, char *reason,
                         size_t reason_bytes, r1_error *err)
{
    (void)err;
    return decide(math, a, b, false, equal, reason, reason_bytes);
}

r1_status r1i_math_grade_value(r1i_math *math, const r1i_math_value *gold, const r1i_math_value *answer, bool *correct,
                               char *reason, size_t reason_bytes, r1_error *err)
{
    (void)err;
    return decide(math, gold, answer, true, correct, reason, reason_bytes);
}
