/* IFEval: golds, strict and loose checking, the grader.
 *
 * Strict looks at the answer part as it is. Loose allows what models add around it: an instruction is followed if any
 * of eight variants follows it (the text; without its first line; without its last; without both; each also without
 * asterisks).
 * Score: 1 if every instruction is followed (option level "prompt"), or the share of them ("instruction"). */
#include "reward/ifeval.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/grader.h"
#include "tokenizer/tok_unicode.h"

const r1i_instruction *r1i_instruction_at(size_t i)
{
    if (i < r1i_ifeval_n_words) return &r1i_ifeval_words[i];
    i -= r1i_ifeval_n_words;
    return i < r1i_ifeval_n_shape ? &r1i_ifeval_shape[i] : NULL;
}

bool r1i_relation(const json_t *args, const char *name, int64_t count, int64_t bound)
{
    const char *const r = json_string_value(json_object_get(args, name));
    return r && strcmp(r, "less than") == 0 ? count < bound : count >= bound;
}

/* Bad bytes and NUL become U+FFFD, and letters small where asked. */
static bool mend(r1i_span s, bool lower, r1i_span *out)
{
    *out = (r1i_span){0};
    char *const t = s.n < SIZE_MAX / 4 ? malloc(4 * s.n + 1) : NULL; /* a letter may grow by its small form, a byte to
                                                                      * three */
    size_t used = 0;
    if (!t) return false;
    for (size_t i = 0, step; i < s.n; i += step) {
        uint32_t c = r1i_char_at(s.p + i, s.n - i, &step);
        if (c < 0x80 && c) {
            t[used++] = (char)(lower && c >= 'A' && c <= 'Z' ? c + 32 : c);
            continue;
        }
        if (c == 0) c = 0xFFFD;
        if (lower) c = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
        used += (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)t + used);
    }
    *out = (r1i_span){t, used};
    return true;
}

bool r1i_lower(r1i_span s, r1i_span *out) { return mend(s, true, out); }

size_t r1i_count(r1i_span s, r1i_span what)
{
    size_t n = 0;
    if (what.n == 0) return 0;
    for (size_t at = r1i_span_find(s, 0, what.p, what.n); at < s.n; at = r1i_span_find(s, at + what.n, what.p, what.n))
        n++;
    return n;
}

r1_status r1i_response_make(r1i_response *r, r1i_span text, r1_error *err)
{
    *r = (r1i_response){0};
    if (mend(text, false, &r->text) && mend(text, true, &r->lower)) return R1_OK;
    r1i_response_free(r);
    return r1i_fail(err, R1_ERR_NOMEM, "a response of %zu bytes", text.n);
}

void r1i_response_free(r1i_response *r)
{
    free((void *)(uintptr_t)r->text.p);
    free((void *)(uintptr_t)r->lower.p);
    *r = (r1i_response){0};
}

r1_status r1i_ifeval_languages(const r1_env *env, r1i_lang_id **out, r1_error *err)
{
    const r1i_language *all[R1I_LANG_MAX];
    size_t n = 0;
    for (const r1i_language *l; n < R1I_LANG_MAX && (l = r1i_language_at(n));) all[n++] = l;
    return r1i_lang_id_create(all, n, NULL, env, out, err);
}

/* ---- golds ------------------------------------------------------------------------------------------------------- */

static const r1i_instruction *find(const char *id)
{
    const r1i_instruction *k;
    for (size_t i = 0; (k = r1i_instruction_at(i)); i++)
        if (strcmp(k->id, id) == 0) return k;
    return NULL;
}

static const char *bad_argument(const char *spec, const json_t *value)
{
    if (spec[0] == '#')
        return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL : "a whole number from 0";
    if (spec[0] == '@') {
        const size_t n = json_array_size(value);
        for (size_t i = 0; i < n; i++)
            if (json_string_length(json_array_get(value, i)) == 0) return "a list of words";
        return n ? NULL : "a list of words";
    }
    const char *const text = json_string_value(value);
    if (spec[0] == '~')
        return text && (strcmp(text, "at least") == 0 || strcmp(text, "less than") == 0) ? NULL
            : "\"at least\" or \"less than\"";
    if (!text || !text[0]) return "text";
    if (strcmp(spec, "language") == 0 && !r1i_language_find(text)) return "a language of the table";
    return NULL;
}

static r1_status check_args(const r1i_instruction *k, const json_t *args, r1_error *err)
{
    if (!json_is_object(args)) return r1i_fail(err, R1_ERR_FORMAT, "%s: its \"kwargs\" is no object", k->id);
    for (size_t i = 0; i < sizeof k->args / sizeof *k->args && k->args[i]; i++) {
        const char *const name = k->args[i] + (strchr("#@~", k->args[i][0]) != NULL);
        const char *const want = bad_argument(k->args[i], json_object_get(args, name));
        if (want) return r1i_fail(err, R1_ERR_FORMAT, "%s: \"%s\" is not %s", k->id, name, want);
    }
    return R1_OK;
}

typedef struct task {
    json_t *json;
    size_t n;
    const r1i_instruction *kind[R1I_IFEVAL_MAX];
    const json_t *args[R1I_IFEVAL_MAX];
} task;

static r1_status task_read(task *t, const char *gold, size_t bytes, r1_error *err)
{
    *t = (task){0};
    r1_status st = r1i_json_parse(gold, bytes, &t->json, err);
    const json_t *const ids = json_object_get(t->json, "instruction_id_list"),
                        *const kwargs = json_object_get(t->json, "kwargs");
    t->n = json_array_size(ids);
    if (st == R1_OK && (t->n == 0 || t->n > R1I_IFEVAL_MAX || json_array_size(kwargs) != t->n))
        st = r1i_fail(err, R1_ERR_FORMAT,
                      "the gold is not {\"instruction_id_list\": [..], \"kwargs\": [..]}, as long as each other");
    for (size_t i = 0; st == R1_OK && i < t->n; i++) {
        const char *const id = json_string_value(json_array_get(ids, i));
        t->kind[i] = id ? find(id) : NULL;
        t->args[i] = json_array_get(kwargs, i);
        st = t->kind[i] ? check_args(t->kind[i], t->args[i], err)
            : r1i_fail(err, R1_ERR_FORMAT, "no instruction is called '%.64s'", id ? id : "(not text)");
    }
    if (st != R1_OK) {
        json_decref(t->json);
        t->json = NULL;
    }
    return st;
}

/* ---- checking ---------------------------------------------------------------------------------------------------- */

/* Marks in hit[] the instructions that this text follows. A blank text follows none. */
static r1_status mark(const task *t, r1i_span text, r1i_lang_id *lang, bool *hit, r1_error *err)
{
    r1i_response r;
    if (r1i_span_blank(text)) return R1_OK;
    const r1_status st = r1i_response_make(&r, text, err);
    if (st != R1_OK) return st;
    for (size_t i = 0; i < t->n; i++) hit[i] = hit[i] || t->kind[i]->followed(&r, t->args[i], lang);
    r1i_response_free(&r);
    return R1_OK;
}

static r1i_span without_first_line(r1i_span s)
{
    const char *const end = memchr(s.p, '\n', s.n);
    return end ? (r1i_span){end + 1, s.n - (size_t)(end + 1 - s.p)} : (r1i_span){s.p, 0};
}

static r1i_span without_last_line(r1i_span s)
{
    while (s.n && s.p[s.n - 1] != '\n') s.n--;
    return (r1i_span){s.p, s.n ? s.n - 1 : 0};
}

static r1_status mark_loose(const task *t, r1i_span text, r1i_lang_id *lang, bool *hit, r1_error *err)
{
    const r1i_span first = without_first_line(text),
                   variant[4] = {text, r1i_span_trim(first), r1i_span_trim(without_last_line(text)),
                                 r1i_span_trim(without_last_line(first))};
    char *const plain = malloc(text.n + 1);
    r1_status st = plain ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "a response of %zu bytes", text.n);
    for (int i = 0; st == R1_OK && i < 4; i++) {
        size_t n = 0;
        for (size_t j = 0; j < variant[i].n; j++)
            if (variant[i].p[j] != '*') plain[n++] = variant[i].p[j];
        st = mark(t, variant[i], lang, hit, err);
        if (st == R1_OK && n < variant[i].n) st = mark(t, (r1i_span){plain, n}, lang, hit, err);
    }
    free(plain);
    return st;
}

static r1_status check(const task *t, r1i_span response, r1i_lang_id *lang, r1i_ifeval_result *out, r1_error *err)
{
    *out = (r1i_ifeval_result){.n = t->n};
    for (size_t i = 0; i < t->n; i++) out->id[i] = t->kind[i]->id;
    const r1_status st = mark(t, response, lang, out->strict, err);
    memcpy(out->loose, out->strict, sizeof out->loose);
    return st == R1_OK ? mark_loose(t, response, lang, out->loose, err) : st;
}

r1_status r1i_ifeval_check(const char *gold, size_t bytes, r1i_span response, r1i_lang_id *lang, r1i_ifeval_result *out,
                           r1_error *err)
{
    task t;
    r1_status st = task_read(&t, gold, bytes, err);
    if (st != R1_OK) return st;
    st = check(&t, response, lang, out, err);
    json_decref(t.json);
    return st;
}

/* ---- the grader -------------------------------------------------------------------------------------------------- */

typedef struct ifeval {
    bool loose, by_instruction;
    r1i_lang_id *lang;
} ifeval;

static void ifeval_destroy(void *state)
{
    ifeval *const g = state;
    if (!g) return;
    r1i_lang_id_destroy(g->lang);
    free(g);
}

/* Whether option `key` is the second of the two words. */
static r1_status choice(const json_t *json, const char *key, const char *first, const char *second, bool *is_second,
                        r1_error *err)
{
    const json_t *const v = json_object_get(json, key);
    const char *const text = v ? json_string_value(v) : first;
    *is_second = text && strcmp(text, second) == 0;
    if (!text || (!*is_second && strcmp(text, first) != 0))
        return r1i_fail(err, R1_ERR_USAGE, "option '%s' is \"%s\" or \"%s\"", key, first, second);
    return R1_OK;
}

static r1_status ifeval_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    ifeval *const g = calloc(1, sizeof *g);
    if (!g) return r1i_fail(err, R1_ERR_NOMEM, "ifeval grader");
    r1_status st = r1i_grader_known_keys(json, (const char *const[]){"mode", "level", NULL}, err);
    if (st == R1_OK) st = choice(json, "mode", "strict", "loose", &g->loose, err);
    if (st == R1_OK) st = choice(json, "level", "prompt", "instruction", &g->by_instruction, err);
    if (st == R1_OK) st = r1i_ifeval_languages(env, &g->lang, err);
    if (st == R1_OK) *state = g;
    else ifeval_destroy(g);
    return st;
}

static r1_status ifeval_check_gold(void *state, const char *gold, size_t bytes, r1_error *err)
{
    (void)state;
    task t;
    const r1_status st = task_read(&t, gold, bytes, err);
    if (st == R1_OK) json_decref(t.json);
    return st;
}

static r1_status ifeval_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    const ifeval *const g = state;
    r1i_ifeval_result result;
    const r1i_span answer = r1i_span_trim(r1i_parts_of(sample).answer);
    const r1_status st = r1i_ifeval_check(sample->gold, sample->gold_bytes, answer, g->lang, &result, err);
    if (st != R1_OK) return st;
    const bool *const hit = g->loose ? result.loose : result.strict;
    char missed[160] = "";
    size_t followed = 0, used = 0;
    for (size_t i = 0; i < result.n; i++) {
        followed += hit[i];
        if (!hit[i] && used < sizeof missed)
            used += (size_t)snprintf(missed + used, sizeof missed - used, "%s%s", used ? ", " : "; not ", result.id[i]);
    }
    if (!r1i_span_blank(answer)) r1i_verdict_answer(out, answer.p, answer.n);
    const double share = (double)followed / (double)result.n;
    r1i_verdict_set(out, g->by_instruction ? share : followed == result.n, followed == result.n,
                    "%zu of %zu instructions followed (%s)%s", followed, result.n, g->loose ? "loose" : "strict",
                    missed);
    return R1_OK;
}

const r1i_grader_class r1i_grader_ifeval = {
    .name = "ifeval",
    .what = "IFEval's 25 kinds of instruction, strict or loose, by prompt or by instruction",
    .create = ifeval_create,
    .destroy = ifeval_destroy,
    .check_gold = ifeval_check_gold,
    .grade = ifeval_grade,
};
