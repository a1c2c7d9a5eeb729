#include "reward/grader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const r1i_grader_class r1i_grader_math, r1i_grader_choice, r1i_grader_code;
extern const r1i_grader_class r1i_grader_exact, r1i_grader_normalized, r1i_grader_format, r1i_grader_tags,
    r1i_grader_countdown, r1i_grader_sudoku;
extern const r1i_grader_class r1i_grader_language, r1i_grader_ifeval, r1i_grader_repetition, r1i_grader_overlong,
    r1i_grader_stops, r1i_grader_hedging;

/* In the order of `r1 grade --help`. A new grader is a new file and a line here. */
static const r1i_grader_class *const classes[] = {
    &r1i_grader_math,
    &r1i_grader_choice,
    &r1i_grader_code,
    &r1i_grader_exact,
    &r1i_grader_normalized,
    &r1i_grader_format,
    &r1i_grader_tags,
    &r1i_grader_countdown,
    &r1i_grader_sudoku,
    &r1i_grader_language,
    &r1i_grader_ifeval,
    &r1i_grader_repetition,
    &r1i_grader_overlong,
    &r1i_grader_stops,
    &r1i_grader_hedging,
};
enum { N_CLASSES = (int)(sizeof classes / sizeof *classes) };

struct r1_grader {
    const r1i_grader_class *class;
    void *state;
};

const char *r1_grader_name(int i, const char **what)
{
    if (i < 0 || i >= N_CLASSES) return NULL;
    if (what) *what = classes[i]->what;
    return classes[i]->name;
}

static r1_status unknown_grader(const char *name, r1_error *err)
{
    char names[384] = "";
    for (size_t i = 0, used = 0; i < N_CLASSES && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", classes[i]->name);
    return r1i_fail(err, R1_ERR_USAGE, "no grader is called '%.64s'; there are: %s", name, names);
}

r1_status r1_grader_create(const char *name, const char *options_json, const r1_env *env, r1_grader **out,
                           r1_error *err)
{
    *out = NULL;
    const r1i_grader_class *class = NULL;
    for (int i = 0; i < N_CLASSES; i++)
        if (strcmp(name, classes[i]->name) == 0) class = classes[i];
    if (!class) return unknown_grader(name, err);
    json_t *options = NULL;
    r1_status st = R1_OK;
    if (options_json && (st = r1i_json_parse(options_json, strlen(options_json), &options, err)) != R1_OK) {
        if (st == R1_ERR_FORMAT) st = R1_ERR_USAGE; /* the caller's argument, not a file */
        if (err) err->code = st;
        goto done;
    }
    if (options && !json_is_object(options)) {
        st = r1i_fail(err, R1_ERR_USAGE, "options are not a JSON object");
        goto done;
    }
    r1_grader *g = calloc(1, sizeof *g);
    if (!g) {
        st = r1i_fail(err, R1_ERR_NOMEM, "grader handle");
        goto done;
    }
    g->class = class;
    st = class->create ? class->create(options, env, &g->state, err)
                       : r1i_grader_known_keys(options, (const char *const[]){NULL}, err);
    if (st == R1_OK) *out = g;
    else free(g);
done:
    json_decref(options);
    if (st != R1_OK) r1i_error_prefix(err, "grader %s: ", name);
    return st;
}

void r1_grader_destroy(r1_grader *grader)
{
    if (!grader) return;
    if (grader->class->destroy) grader->class->destroy(grader->state);
    free(grader);
}

r1_status r1_grader_check_gold(r1_grader *grader, const char *gold, size_t bytes, r1_error *err)
{
    return grader->class->check_gold ? grader->class->check_gold(grader->state, gold, bytes, err) : R1_OK;
}

r1_status r1_grader_grade(r1_grader *grader, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    *out = (r1_verdict){0};
    return grader->class->grade(grader->state, sample, out, err);
}

r1_status r1_grader_same(r1_grader *grader, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err)
{
    *same = false;
    if (grader->class->same) return grader->class->same(grader->state, a, b, same, err);
    r1_verdict va, vb;
    r1_status st = r1_grader_grade(grader, a, &va, err);
    if (st == R1_OK) st = r1_grader_grade(grader, b, &vb, err);
    if (st == R1_OK) *same = va.extracted && vb.extracted && strcmp(va.answer, vb.answer) == 0;
    return st;
}

r1_status r1i_grader_known_keys(const json_t *options, const char *const *keys, r1_error *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)options, key, value)
    {
        size_t i = 0;
        while (keys[i] && strcmp(keys[i], key) != 0) i++;
        if (!keys[i]) return r1i_fail(err, R1_ERR_USAGE, "unknown option '%.64s'", key);
    }
    return R1_OK;
}

void r1i_verdict_set(r1_verdict *out, double score, bool correct, const char *reason, ...)
{
    out->score = score;
    out->correct = correct;
    va_list args;
    va_start(args, reason);
    vsnprintf(out->reason, sizeof out->reason, reason, args);
    va_end(args);
    for (char *p = out->reason; *p; p++)
        if (*p == '\n' || *p == '\r') *p = ' ';
}

/* Bytes of the UTF-8 character at s[0..n), 0 where it is not one. */
static size_t utf8_length(const unsigned char *s, size_t n)
{
    const size_t want = s[0] < 0x80 ? 1 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 &&
        s[0] < 0xF5 ? 4 : 0;
    if (want == 0 || want > n) return 0;
    for (size_t i = 1; i < want; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F)) return 0; /* overlong, surrogate */
    if ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F)) return 0;
    return want;
}

void r1i_verdict_answer(r1_verdict *out, const char *answer, size_t bytes)
{
    static const char replacement[] = "\xEF\xBF\xBD";
    const unsigned char *s = (const unsigned char *)answer;
    size_t used = 0;
    out->extracted = true;
    for (size_t i = 0; i < bytes;) {
        const size_t length = utf8_length(s + i, bytes - i);
        const bool plain = length != 0 && s[i] != 0;
        const char *from = plain ? answer + i : replacement;
        const size_t n = plain ? length : sizeof replacement - 1;
        if (used + n >= sizeof out->answer) break;
        memcpy(out->answer + used, from, n);
        used += n;
        i += length ? length : 1;
    }
    out->answer[used] = 0;
}
