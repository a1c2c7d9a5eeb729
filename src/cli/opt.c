#include "opt.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- declaring --------------------------------------------------------------------------------------------------- */

static opt *add(opt_list *list, opt_kind kind, char alias, const char *name, void *into, const char *help)
{
    assert(list->n < OPT_MAX);
    opt *const o = &list->item[list->n++];
    *o = (opt){.kind = kind, .alias = alias, .name = name, .into = into, .help = help};
    return o;
}

void opt_flag(opt_list *list, char alias, const char *name, bool *into, const char *help)
{
    add(list, OPT_FLAG, alias, name, into, help);
}

void opt_count(opt_list *list, char alias, const char *name, int *into, const char *help)
{
    add(list, OPT_COUNT, alias, name, into, help);
}

void opt_int(opt_list *list, char alias, const char *name, const char *value, int64_t *into, int64_t min, int64_t max,
             const char *help)
{
    opt *const o = add(list, OPT_INT, alias, name, into, help);
    o->value = value;
    o->min = (double)min;
    o->max = (double)max;
}

void opt_real(opt_list *list, char alias, const char *name, const char *value, double *into, double min, double max,
              const char *help)
{
    opt *const o = add(list, OPT_REAL, alias, name, into, help);
    o->value = value;
    o->min = min;
    o->max = max;
}

void opt_string(opt_list *list, char alias, const char *name, const char *value, const char **into, const char *help)
{
    add(list, OPT_STRING, alias, name, into, help)->value = value;
}

void opt_choice(opt_list *list, char alias, const char *name, const char *choices, const char **into, const char *help)
{
    opt *const o = add(list, OPT_CHOICE, alias, name, into, help);
    o->value = choices;
    o->choices = choices;
}

void opt_strings_add(opt_list *list, char alias, const char *name, const char *value, opt_strings *into,
                     const char *help)
{
    add(list, OPT_LIST, alias, name, into, help)->value = value;
}

void opt_arg(opt_list *list, const char *name, const char **into, const char *help)
{
    add(list, OPT_STRING, 0, name, into, help)->argument = true;
}

void opt_arg_optional(opt_list *list, const char *name, const char **into, const char *help)
{
    opt *const o = add(list, OPT_STRING, 0, name, into, help);
    o->argument = o->optional = true;
}

void opt_arg_rest(opt_list *list, const char *name, opt_strings *into, const char *help)
{
    opt *const o = add(list, OPT_LIST, 0, name, into, help);
    o->argument = o->optional = true;
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

typedef struct parser {
    opt_list *list;
    char *message;
    size_t message_size;
} parser;

#define BAD(p, ...) (snprintf((p)->message, (p)->message_size, __VA_ARGS__), OPT_BAD)

static opt_result set_int(const parser *p, const opt *o, const char *text)
{
    char *end;
    errno = 0;
    const long long v = strtoll(text, &end, 10);
    if (end == text || *end || errno || (double)v < o->min || (double)v > o->max)
        return BAD(p, "--%s: '%s' is not a whole number from %.0f to %.0f", o->name, text, o->min, o->max);
    *(int64_t *)o->into = v;
    return OPT_OK;
}

static opt_result set_real(const parser *p, const opt *o, const char *text)
{
    char *end;
    const double v = strtod(text, &end);
    if (end == text || *end || !isfinite(v) || v < o->min || v > o->max)
        return BAD(p, "--%s: '%s' is not a number from %g to %g", o->name, text, o->min, o->max);
    *(double *)o->into = v;
    return OPT_OK;
}

static opt_result set_choice(const parser *p, const opt *o, const char *text)
{
    const size_t len = strlen(text);
    for (const char *c = o->choices; c; c = strchr(c, '|')) {
        if (*c == '|') c++;
        if (len > 0 && strncmp(c, text, len) == 0 && (c[len] == '|' || c[len] == '\0')) {
            *(const char **)o->into = text;
            return OPT_OK;
        }
    }
    return BAD(p, "--%s: '%s' is none of %s", o->name, text, o->choices);
}

static opt_result set_list(const parser *p, const opt *o, const char *text)
{
    opt_strings *const s = o->into;
    const char **const grown = realloc(s->item, ((size_t)s->n + 1) * sizeof *grown);
    if (!grown) return BAD(p, "%s: out of memory", o->name);
    s->item = grown;
    s->item[s->n++] = text;
    return OPT_OK;
}

static opt_result set_value(const parser *p, opt *o, const char *text)
{
    o->given = true;
    switch (o->kind) {
    case OPT_INT: return set_int(p, o, text);
    case OPT_REAL: return set_real(p, o, text);
    case OPT_CHOICE: return set_choice(p, o, text);
    case OPT_LIST: return set_list(p, o, text);
    case OPT_STRING: *(const char **)o->into = text; return OPT_OK;
    case OPT_FLAG:
    case OPT_COUNT: break;
    }
    return OPT_OK;
}

static bool takes_value(const opt *o) { return o->kind != OPT_FLAG && o->kind != OPT_COUNT; }

static void set_switch(opt *o, bool on)
{
    o->given = true;
    if (o->kind == OPT_COUNT) ++*(int *)o->into;
    else *(bool *)o->into = on;
}

/* ---- finding ----------------------------------------------------------------------------------------------------- */

static opt *find_long(opt_list *list, const char *name, size_t len)
{
    for (int i = 0; i < list->n; i++) {
        opt *const o = &list->item[i];
        if (!o->argument && strlen(o->name) == len && strncmp(o->name, name, len) == 0) return o;
    }
    return NULL;
}

static opt *find_short(opt_list *list, char c)
{
    for (int i = 0; i < list->n; i++)
        if (!list->item[i].argument && list->item[i].alias == c) return &list->item[i];
    return NULL;
}

/* Damerau-Levenshtein distance (adjacent swaps count once) of two short words. */
static int distance(const char *a, const char *b)
{
    enum { LONGEST = 40 };
    const int n = (int)strnlen(a, LONGEST + 1), m = (int)strnlen(b, LONGEST + 1);
    int d[LONGEST + 1][LONGEST + 1];
    if (n > LONGEST || m > LONGEST) return LONGEST;
    for (int i = 0; i <= n; i++) {
        for (int j = 0; j <= m; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = i + j;
                continue;
            }
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    }
    return d[n][m];
}

const char *opt_nearest(const char *typed, const char *const *names, int n)
{
    const char *best = NULL;
    int least = (int)strlen(typed) / 3 + 2; /* one error more than this is another word */
    for (int i = 0; i < n; i++) {
        const int d = distance(typed, names[i]);
        if (d < least) {
            least = d;
            best = names[i];
        }
    }
    return best;
}

static opt_result unknown_long(const parser *p, const char *name, size_t len)
{
    const char *names[OPT_MAX + 1];
    char typed[64];
    int n = 0;
    for (int i = 0; i < p->list->n; i++)
        if (!p->list->item[i].argument) names[n++] = p->list->item[i].name;
    names[n++] = "help";
    snprintf(typed, sizeof typed, "%.*s", (int)len, name);
    const char *const near = opt_nearest(typed, names, n);
    if (near) return BAD(p, "unknown option --%s; did you mean --%s?", typed, near);
    return BAD(p, "unknown option --%s", typed);
}

/* ---- parsing ----------------------------------------------------------------------------------------------------- */

static opt_result parse_long(const parser *p, int argc, char **argv, int *i)
{
    const char *const name = argv[*i] + 2, *const equals = strchr(name, '=');
    const size_t len = equals ? (size_t)(equals - name) : strlen(name);
    opt *o = find_long(p->list, name, len);
    if (!o && len == 4 && strncmp(name, "help", 4) == 0) return OPT_HELP;
    if (!o && len > 3 && strncmp(name, "no-", 3) == 0) {
        o = find_long(p->list, name + 3, len - 3);
        if (!o || o->kind != OPT_FLAG) return unknown_long(p, name, len);
        if (equals) return BAD(p, "--no-%s takes no value", o->name);
        set_switch(o, false);
        return OPT_OK;
    }
    if (!o) return unknown_long(p, name, len);
    if (!takes_value(o)) {
        if (equals) return BAD(p, "--%s takes no value", o->name);
        set_switch(o, true);
        return OPT_OK;
    }
    if (equals) return set_value(p, o, equals + 1);
    if (*i + 1 >= argc) return BAD(p, "--%s needs a value (%s)", o->name, o->value);
    return set_value(p, o, argv[++*i]);
}

/* "-v", "-vq", "-n5", "-n 5" */
static opt_result parse_short(const parser *p, int argc, char **argv, int *i)
{
    for (const char *c = argv[*i] + 1; *c; c++) {
        opt *const o = find_short(p->list, *c);
        if (!o && *c == 'h') return OPT_HELP;
        if (!o) return BAD(p, "unknown option -%c", *c);
        if (!takes_value(o)) {
            set_switch(o, true);
            continue;
        }
        if (c[1]) return set_value(p, o, c + 1);
        if (*i + 1 >= argc) return BAD(p, "-%c needs a value (%s)", *c, o->value);
        return set_value(p, o, argv[++*i]);
    }
    return OPT_OK;
}

static opt_result parse_argument(const parser *p, const char *text)
{
    for (int i = 0; i < p->list->n; i++) {
        opt *const o = &p->list->item[i];
        if (o->argument && (!o->given || o->kind == OPT_LIST)) return set_value(p, o, text);
    }
    return BAD(p, "unexpected argument '%.60s'", text);
}

opt_result opt_parse(opt_list *list, int argc, char **argv, char *message, size_t message_size)
{
    const parser p = {list, message, message_size};
    bool options = true;
    for (int i = 0; i < argc; i++) {
        const char *const a = argv[i];
        opt_result r;
        if (options && strcmp(a, "--") == 0) {
            options = false;
            continue;
        }
        if (options && a[0] == '-' && a[1] == '-') r = parse_long(&p, argc, argv, &i);
        else if (options && a[0] == '-' && a[1]) r = parse_short(&p, argc, argv, &i);
        else r = parse_argument(&p, a);
        if (r != OPT_OK) return r;
    }
    for (int i = 0; i < list->n; i++)
        if (list->item[i].argument && !list->item[i].optional && !list->item[i].given)
            return BAD(&p, "%s is missing", list->item[i].name);
    return OPT_OK;
}

bool opt_given(const opt_list *list, const void *into)
{
    for (int i = 0; i < list->n; i++)
        if (list->item[i].into == into) return list->item[i].given;
    return false;
}

void opt_default(const opt *o, char *text, size_t size)
{
    text[0] = '\0';
    switch (o->kind) {
    case OPT_FLAG:
        if (*(const bool *)o->into) snprintf(text, size, "on");
        break;
    case OPT_INT: snprintf(text, size, "%lld", (long long)*(const int64_t *)o->into); break;
    case OPT_REAL: snprintf(text, size, "%g", *(const double *)o->into); break;
    case OPT_STRING:
    case OPT_CHOICE:
        if (*(const char *const *)o->into) snprintf(text, size, "%s", *(const char *const *)o->into);
        break;
    case OPT_COUNT:
    case OPT_LIST: break;
    }
}

void opt_free(opt_list *list)
{
    for (int i = 0; i < list->n; i++) {
        if (list->item[i].kind != OPT_LIST) continue;
        opt_strings *const s = list->item[i].into;
        free(s->item);
        *s = (opt_strings){0};
    }
}
