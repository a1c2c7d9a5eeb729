/* Class `code`: extract a program from the completion, run it in the sandbox against the gold's tests, say the verdict.
 * The forms of a gold and the options stand in docs/sandbox.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/code_coder.h"
#include "reward/code_extract.h"
#include "reward/code_gold.h"
#include "reward/grader.h"

typedef struct code_state {
    r1i_coder *coder;
    bool allowed[R1I_N_LANGUAGES];
} code_state;

/* ---- options ---- */

static r1_status number_option(const json_t *options, const char *key, double least, double most, double *value,
                               r1_error *err)
{
    const json_t *const v = json_object_get(options, key);
    if (!v) return R1_OK;
    *value = json_number_value(v);
    if (json_is_number(v) && *value >= least && *value <= most) return R1_OK;
    return r1i_fail(err, R1_ERR_USAGE, "option '%s' is not a number from %g to %g", key, least, most);
}

static r1_status bytes_option(const json_t *options, const char *key, double least, uint64_t *value, r1_error *err)
{
    double v = (double)*value;
    const r1_status st = number_option(options, key, least, 1e15, &v, err);
    *value = (uint64_t)v;
    return st;
}

static r1_status limits_of(const json_t *options, r1i_code_limits *l, r1_error *err)
{
    *l = (r1i_code_limits){.cpu_seconds = 10, .wall_seconds = 30, .memory_bytes = 1ull << 30, .output_bytes = 8u << 20,
                           .disk_bytes = 64u << 20, .processes = 64};
    double processes = l->processes;
    r1_status st = number_option(options, "cpu_seconds", 0.05, 3600, &l->cpu_seconds, err);
    if (st == R1_OK) st = number_option(options, "wall_seconds", 0.1, 7200, &l->wall_seconds, err);
    if (st == R1_OK) st = bytes_option(options, "memory_bytes", 64 << 20, &l->memory_bytes, err);
    if (st == R1_OK) st = bytes_option(options, "output_bytes", 1024, &l->output_bytes, err);
    if (st == R1_OK) st = bytes_option(options, "disk_bytes", 1 << 20, &l->disk_bytes, err);
    if (st == R1_OK) st = number_option(options, "processes", 1, 4096, &processes, err);
    l->processes = (uint32_t)processes;
    return st;
}

/* A list of names as bits; name(i) NULL after the last. */
static r1_status names_option(const json_t *options, const char *key, const char *(*name)(int), unsigned *bits,
                              r1_error *err)
{
    size_t at;
    json_t *item;
    const json_t *const list = json_object_get(options, key);
    if (!list) return R1_OK;
    if (!json_is_array(list)) return r1i_fail(err, R1_ERR_USAGE, "option '%s' is not a list of names", key);
    *bits = 0;
    json_array_foreach((json_t *)(uintptr_t)list, at, item)
    {
        int i = 0;
        const char *const text = json_is_string(item) ? json_string_value(item) : "";
        while (name(i) && strcmp(name(i), text) != 0) i++;
        if (!name(i)) return r1i_fail(err, R1_ERR_USAGE, "option '%s' does not know '%.32s'", key, text);
        *bits |= 1u << i;
    }
    return R1_OK;
}

static const char *language_name(int i)
{
    return i < R1I_N_LANGUAGES ? r1i_code_language_name((r1i_code_language)i) : NULL;
}

static void code_destroy(void *state)
{
    code_state *const s = state;
    r1i_coder_destroy(s->coder);
    free(s);
}

static r1_status code_create(const json_t *options, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    static const char *const known[] = {"cpu_seconds", "wall_seconds",  "memory_bytes", "output_bytes", "disk_bytes",
                                        "processes",   "allow_without", "languages",    NULL};
    r1i_code_limits limits;
    unsigned without = 0, languages = (1u << R1I_N_LANGUAGES) - 1;
    r1_status st = r1i_grader_known_keys(options, known, err);
    if (st == R1_OK) st = limits_of(options, &limits, err);
    if (st == R1_OK) st = names_option(options, "allow_without", r1i_wall_name, &without, err);
    if (st == R1_OK) st = names_option(options, "languages", language_name, &languages, err);
    if (st == R1_OK && (without & R1I_WALL_BUBBLEWRAP))
        st = r1i_fail(err, R1_ERR_USAGE, "code never runs without bubblewrap");
    if (st != R1_OK) return st;
    code_state *const s = calloc(1, sizeof *s);
    if (!s) return r1i_fail(err, R1_ERR_NOMEM, "code grader");
    for (int i = 0; i < R1I_N_LANGUAGES; i++) s->allowed[i] = (languages >> i & 1) != 0;
    if ((st = r1i_coder_create(&limits, without, &s->coder, err)) != R1_OK) {
        free(s);
        return st;
    }
    *state = s;
    return R1_OK;
}

/* ---- gold ---- */

static r1_status code_check_gold(void *state, const char *gold, size_t bytes, r1_error *err)
{
    code_state *const s = state;
    r1i_code_gold g;
    r1_status st = r1i_code_gold_parse(gold, bytes, &g, err);
    if (st != R1_OK) return st;
    const char *const name = r1i_code_language_name(g.language);
    if (!s->allowed[g.language])
        st = r1i_fail(err, R1_ERR_FORMAT, "language %s is not among the option 'languages'", name);
    else if (!r1i_coder_has(s->coder, g.language))
        st = r1i_fail(err, R1_ERR_MISSING, "no compiler or interpreter for %s is installed below /usr", name);
    else if (g.form != R1I_FORM_STDIO) st = r1i_coder_check_calls(s->coder, &g.calls, err);
    r1i_code_gold_free(&g);
    return st;
}

/* ---- the program ---- */

static bool append(char **to, size_t *n, const char *bytes, size_t more)
{
    char *const longer = realloc(*to, *n + more + 1);
    if (!longer) return false;
    if (more) memcpy(longer + *n, bytes, more);
    *to = longer;
    *n += more;
    longer[*n] = 0;
    return true;
}

/* prompt + code: a continuation follows the prompt's last byte; a whole definition comes after it, so that the prompt's
 * imports and helpers are there and its unfinished function is replaced. Without a prompt, the code alone. */
static bool join(const r1i_call_tests *t, r1i_text code, char **program, size_t *n)
{
    const bool whole = r1i_code_defines(code, t->entry);
    return append(program, n, t->prelude.bytes, t->prelude.n) &&
        (!whole || t->prelude.n == 0 || append(program, n, "\n", 1)) && append(program, n, code.bytes, code.n) &&
        append(program, n, "\n", 1);
}

/* A program that gives the predicted literal, or f of it. The literal travels as hexadecimal and is never evaluated. */
static bool predicted(const r1i_code_gold *g, r1i_text p, char **program, size_t *n)
{
    static const char head[] = "\nfrom ast import literal_eval\ndef r1_prediction():\n    text = bytes.fromhex('",
                      digits[] = "0123456789abcdef";
    const char *const tail = g->predict_input ? "').decode()\n    return f(*literal_eval('(' + text + ',)'))\n"
        : "').decode()\n    return literal_eval(text)\n";
    bool ok = append(program, n, g->code.bytes, g->code.n) && append(program, n, head, sizeof head - 1);
    for (size_t i = 0; ok && i < p.n && i < 65536; i++) {
        const unsigned char b = (unsigned char)p.bytes[i];
        const char hex[2] = {digits[b >> 4], digits[b & 15]};
        ok = append(program, n, hex, 2);
    }
    return ok && append(program, n, tail, strlen(tail));
}

static r1_status run(code_state *s, const r1i_code_gold *g, r1i_text code, r1i_code_result *result, r1_error *err)
{
    char *program = NULL;
    size_t n = 0;
    if (g->form == R1I_FORM_STDIO)
        return r1i_coder_stdio(s->coder, g->language, code, g->tests, g->n_tests, g->tolerance, result, err);
    const bool ok = g->form == R1I_FORM_CALLS ? join(&g->calls, code, &program, &n) : predicted(g, code, &program, &n);
    const r1_status st = ok ? r1i_coder_calls(s->coder, (r1i_text){program, n}, &g->calls, result, err)
        : r1i_fail(err, R1_ERR_NOMEM, "program text");
    free(program);
    return st;
}

static r1_status code_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    code_state *const s = state;
    r1i_code_gold g;
    r1i_text answer, code;
    r1i_code_result result = {0};
    bool fenced;
    r1_status st = r1i_code_gold_parse(sample->gold, sample->gold_bytes, &g, err);
    if (st != R1_OK) return st;
    if (!r1i_code_answer((r1i_text){sample->completion, sample->completion_bytes}, sample->thinking_open, &answer)) {
        r1i_verdict_set(out, 0, false, "no answer: the thinking never ends");
        goto done;
    }
    if (g.form == R1I_FORM_CRUXEVAL) r1i_code_prediction(answer, g.predict_input, &code);
    else r1i_code_block(answer, g.language, &code, &fenced);
    if (code.n == 0) {
        r1i_verdict_set(out, 0, false, "no answer: the completion holds no code");
        goto done;
    }
    const double usual = s->coder->limits.cpu_seconds;
    if (g.cpu_seconds > 0) s->coder->limits.cpu_seconds = g.cpu_seconds;
    st = run(s, &g, code, &result, err);
    s->coder->limits.cpu_seconds = usual;
    if (st == R1_OK) {
        const bool right = result.outcome == R1I_AC;
        r1i_verdict_answer(out, code.bytes, code.n);
        r1i_verdict_set(out, right, right, "%s: %s", r1i_code_outcome_name(result.outcome), result.reason);
    }
done:
    r1i_code_gold_free(&g);
    return st;
}

const r1i_grader_class r1i_grader_code = {
    .name = "code",
    .what = "a program passes the gold's tests in the sandbox (AC, WA, TLE, MLE, RE, CE, OLE)",
    .create = code_create,
    .destroy = code_destroy,
    .check_gold = code_check_gold,
    .grade = code_grade,
};
