/* Mathematical answers: the answer is cut out of the completion (extract.h), read as a typed value and compared with
 * the gold (math.h). The policy stands in docs/grading.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reward/extract.h"
#include "reward/grader.h"
#include "reward/math.h"

enum {
    LAST_LETTER = 'J',   /* of a gold that is a choice's letter */
    SHORT_TEXT = 60,     /* bytes of words that a phrase announced and that are taken for the answer */
    MAX_ALTERNATIVES = 64
};

/* A gold, read once: data sets ask about the same gold for many samples. */
typedef struct gold {
    char *text; /* as given; NULL: nothing is kept */
    size_t bytes;
    r1i_math_value *value[MAX_ALTERNATIVES]; /* any of them will do */
    int n;
    char letter; /* of a gold that is a choice's letter or has one, "(B) 27"; 0: none */
} gold;

typedef struct state {
    r1i_extractor extractor;
    r1i_math *math;
    gold gold;
} state;

/* ---- options ----------------------------------------------------------------------------------------------------- */

static r1_status flag(const json_t *options, const char *key, bool *into, r1_error *err)
{
    const json_t *const v = json_object_get(options, key);
    if (v && !json_is_boolean(v)) return r1i_fail(err, R1_ERR_USAGE, "'%s' is not true or false", key);
    if (v) *into = json_is_true(v);
    return R1_OK;
}

static r1_status read_options(const json_t *options, r1i_math_options *m, r1_error *err)
{
    bool prover = true;
    r1_status st = flag(options, "strict_units", &m->strict_units, err);
    if (st == R1_OK) st = flag(options, "prover", &prover, err);
    m->no_prover = !prover;
    const json_t *const percent = json_object_get(options, "percent"),
                        *const rounding = json_object_get(options, "rounding");
    const char *const word = json_string_value(percent), *const rule = json_string_value(rounding);
    if (st == R1_OK && percent && (!word || (strcmp(word, "optional") != 0 && strcmp(word, "fraction") != 0)))
        st = r1i_fail(err, R1_ERR_USAGE,
                      "'percent' is \"optional\" (10 %% may be written 10 or 0.1) or \"fraction\" (10 %% is 0.1 alone)");
    m->percent_is_fraction = word && strcmp(word, "fraction") == 0;
    if (st != R1_OK || !rounding) return st;
    if (rule && strcmp(rule, "never") == 0) m->rounding_decimals = -1;
    else if (rule && strcmp(rule, "gold") == 0) m->rounding_decimals = -2;
    else if (json_is_integer(rounding) && json_integer_value(rounding) >= 1 && json_integer_value(rounding) <= 100)
        m->rounding_decimals = (int)json_integer_value(rounding);
    else return r1i_fail(err, R1_ERR_USAGE,
                         "'rounding' is \"never\", \"gold\" or the decimals that must be printed, 1 to 100");
    return R1_OK;
}

/* {"require_box": true} is short for {"extract": ["box"]}. */
static r1_status open_extractor(r1i_extractor *e, const json_t *options, r1_error *err)
{
    bool box = false;
    r1_status st = flag(options, "require_box", &box, err);
    if (st != R1_OK || !box) return st == R1_OK ? r1i_extractor_open(e, options, err) : st;
    if (json_object_get(options, "extract") || json_object_get(options, "patterns"))
        return r1i_fail(err, R1_ERR_USAGE, "'require_box' leaves no room for 'extract' or 'patterns'");
    json_t *const only = json_pack("{s:[s]}", "extract", "box");
    st = only ? r1i_extractor_open(e, only, err) : r1i_fail(err, R1_ERR_NOMEM, "options");
    json_decref(only);
    return st;
}

static void forget_gold(gold *g)
{
    for (int i = 0; i < g->n; i++) r1i_math_value_free(g->value[i]);
    free(g->text);
    *g = (gold){0};
}

static void math_destroy(void *state_)
{
    state *const s = state_;
    if (!s) return;
    forget_gold(&s->gold);
    r1i_extractor_close(&s->extractor);
    r1i_math_destroy(s->math);
    free(s);
}

static r1_status math_create(const json_t *options, const r1_env *env, void **out, r1_error *err)
{
    static const char *const keys[] = {"extract", "patterns", "require_box", "strict_units", "percent", "rounding",
                                       "prover", NULL};
    r1i_math_options m = {0};
    state *const s = calloc(1, sizeof *s);
    if (!s) return r1i_fail(err, R1_ERR_NOMEM, "grader");
    r1_status st = r1i_grader_known_keys(options, keys, err);
    if (st == R1_OK) st = read_options(options, &m, err);
    if (st == R1_OK) st = open_extractor(&s->extractor, options, err);
    if (st == R1_OK) st = r1i_math_create(&m, env, &s->math, err);
    if (st != R1_OK) {
        math_destroy(s);
        return st;
    }
    *out = s;
    return R1_OK;
}

/* ---- the gold ---------------------------------------------------------------------------------------------------- */

/* A gold may be a whole solution: its last box, or what follows ####, is the answer. */
static r1_status gold_text(r1i_slice t, r1i_slice *out, r1_error *err)
{
    r1i_candidates c;
    *out = r1i_slice_trim(t);
    if (out->n == 0) return r1i_fail(err, R1_ERR_FORMAT, "the gold is empty");
    if (!r1i_find_box(t, &c) && !r1i_find_hashes(t, &c)) return R1_OK;
    if (c.refused) return r1i_fail(err, R1_ERR_FORMAT, "%s", c.why);
    *out = c.item[0];
    return R1_OK;
}

static r1_status add_gold(state *s, const char *text, size_t bytes, r1_error *err)
{
    gold *const g = &s->gold;
    r1i_slice t, rest;
    char letter;
    r1_status st = gold_text((r1i_slice){text, bytes}, &t, err);
    if (st != R1_OK) return st;
    if (g->n == MAX_ALTERNATIVES)
        return r1i_fail(err, R1_ERR_FORMAT, "more than %d alternatives", (int)MAX_ALTERNATIVES);
    if (r1i_choice_label(t, LAST_LETTER, &letter, &rest)) {
        g->letter = letter;
        if (rest.n > 0) t = rest;
    }
    st = r1i_math_parse(s->math, t.s, t.n, &g->value[g->n], err);
    if (st == R1_OK) g->n++;
    return st;
}

/* {"answer": "..."} or ["...", "..."]: several golds of which any will do. A list of numbers is an interval and no JSON
 * to us. */
static r1_status add_golds(state *s, const json_t *list, r1_error *err)
{
    r1_status st = R1_OK;
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
        if (st == R1_OK) st = add_gold(s, json_string_value(v), json_string_length(v), err);
    return st;
}

static bool strings(const json_t *list)
{
    const json_t *v;
    size_t i;
    json_array_foreach(list, i, v)
        if (!json_is_string(v)) return false;
    return json_array_size(list) > 0;
}

static r1_status read_gold(state *s, const char *text, size_t bytes, r1_error *err)
{
    gold *const g = &s->gold;
    if (g->text && g->bytes == bytes && memcmp(g->text, text, bytes) == 0) return R1_OK;
    forget_gold(g);
    json_t *json = NULL;
    const r1i_slice t = r1i_slice_trim((r1i_slice){text, bytes});
    if (t.n > 2 && t.s[0] == '[') r1i_json_parse(t.s, t.n, &json, NULL);
    r1_status st = json && strings(json) ? add_golds(s, json, err) : add_gold(s, text, bytes, err);
    json_decref(json);
    if (st == R1_OK && !(g->text = malloc(bytes + 1))) st = r1i_fail(err, R1_ERR_NOMEM, "gold, %zu bytes", bytes);
    if (st != R1_OK) {
        forget_gold(g);
        return st;
    }
    memcpy(g->text, text, bytes);
    g->bytes = bytes;
    return R1_OK;
}

static r1_status math_check(void *state_, const char *text, size_t bytes, r1_error *err)
{
    const r1_status st = read_gold(state_, text, bytes, err);
    if (st != R1_OK) r1i_error_prefix(err, "the gold '%.*s': ", (int)(bytes < 80 ? bytes : 80), text);
    return st;
}

/* ---- the answer -------------------------------------------------------------------------------------------------- */

typedef struct answer {
    r1i_slice text;
    r1i_math_value *value; /* owned; NULL: nothing was found */
    char letter;           /* of a label in front of the value, "(B) 27" */
    const char *why;       /* where it was found, or why nothing was */
} answer;

/* "(B) 27" in an answer is 27 that is also called B. */
static r1i_slice unlabelled(r1i_slice t, char *letter)
{
    r1i_slice rest;
    char l;
    if (!r1i_choice_label(t, LAST_LETTER, &l, &rest)) return t;
    if (rest.n == 0) {
        *letter = l;
        return t;
    }
    static const char *const begins[] = {"\\frac", "\\dfrac", "\\sqrt", "\\pi", "\\$", "\\left", "$"};
    bool value = r1i_is_digit(rest.s[0]) || ((rest.s[0] == '-' || rest.s[0] == '.') && rest.n > 1);
    for (size_t k = 0; k < sizeof begins / sizeof *begins; k++) value |= r1i_slice_has_at(rest, 0, begins[k]);
    if (!value) return t;
    *letter = l;
    return rest;
}

/* Words rather than mathematics: also a sentence with commas, which reads as a list. */
static bool is_words(const r1i_math_value *v, r1i_slice text)
{
    const char *const kind = r1i_math_value_kind(v);
    size_t letters = 0;
    while (letters < text.n && r1i_is_alpha(text.s[letters])) letters++;
    return strcmp(kind, "text") == 0 || (strcmp(kind, "list") == 0 && letters >= 3);
}

static void keep(answer *a, r1i_slice text, r1i_math_value *value, char letter, const char *why)
{
    r1i_math_value_free(a->value);
    *a = (answer){.text = text, .value = value, .letter = letter, .why = why};
}

/* The first reading of one way that is a value. Words are kept when nothing is yet, and words in a formula
 * ($\text{east}$) rather than prose; *done: no other way is asked. */
static r1_status read_way(state *s, int i, r1i_slice part, answer *a, bool *done, r1_error *err)
{
    r1i_candidates c;
    if (!r1i_extractor_try(&s->extractor, i, part, &c)) return R1_OK;
    const r1i_way way = s->extractor.way[i];
    if (c.refused) {
        keep(a, (r1i_slice){0}, NULL, 0, c.why);
        *done = true;
        return R1_OK;
    }
    for (int k = 0; k < c.n; k++) {
        char letter = 0;
        r1i_math_value *v;
        const r1i_slice text = unlabelled(c.item[k], &letter);
        const r1_status st = r1i_math_parse(s->math, text.s, text.n, &v, err);
        if (st == R1_ERR_NOMEM) return st;
        if (st != R1_OK) continue;
        const bool words = is_words(v, text);
        if (!words || !a->value || (way == R1I_WAY_LAST && r1i_slice_has_at(text, 0, "\\")))
            keep(a, text, v, letter, c.why);
        else r1i_math_value_free(v);
        if (!words) break;
    }
    const bool value = a->value && !is_words(a->value, a->text);
    const bool announced = way == R1I_WAY_BOX || way == R1I_WAY_PATTERN ||
        ((way == R1I_WAY_HASHES || way == R1I_WAY_PHRASE) && !c.opening && c.item[0].n <= SHORT_TEXT);
    if (!a->value) a->why = "the answer cannot be read";
    *done = value || way == R1I_WAY_BOX || (a->value && announced);
    return R1_OK;
}

static r1_status read_answer(state *s, const r1_sample *sample, answer *a, r1_error *err)
{
    r1i_slice part;
    bool done = false;
    *a = (answer){.why = "no answer is announced, and the text is none"};
    if (!r1i_answer_part((r1i_slice){sample->completion, sample->completion_bytes}, sample->thinking_open, &part,
                         &a->why)) return R1_OK;
    for (int i = 0; i < s->extractor.n_ways && !done; i++) {
        const r1_status st = read_way(s, i, part, a, &done, err);
        if (st != R1_OK) {
            r1i_math_value_free(a->value);
            a->value = NULL;
            return st;
        }
    }
    return R1_OK;
}

/* Whether the answer's text is the gold's, byte for byte: then nothing needs to be understood. */
static bool same_text(const state *s, const r1_sample *sample, const answer *a)
{
    const r1i_slice want = r1i_slice_trim((r1i_slice){s->gold.text, s->gold.bytes});
    r1i_slice part;
    const char *why;
    if (a->value && a->text.n == want.n && memcmp(a->text.s, want.s, want.n) == 0) return true;
    bool bare = false;
    for (int i = 0; i < s->extractor.n_ways; i++) bare |= s->extractor.way[i] == R1I_WAY_BARE;
    return bare && r1i_answer_part((r1i_slice){sample->completion, sample->completion_bytes}, sample->thinking_open,
                                   &part, &why) && part.n == want.n && memcmp(part.s, want.s, want.n) == 0;
}

/* ---- the verdict ------------------------------------------------------------------------------------------------- */

/* Against a gold that is a choice's letter, a letter named by the usual phrases of a choice counts too. */
static bool grade_letter(const state *s, const r1_sample *sample, const answer *a, r1_verdict *out)
{
    char letter = a->letter;
    r1i_slice part;
    const char *why;
    if (!letter && (!r1i_answer_part((r1i_slice){sample->completion, sample->completion_bytes}, sample->thinking_open,
                                     &part, &why) || !r1i_find_choice(part, LAST_LETTER, &letter)))
        return false;
    const bool correct = letter == s->gold.letter;
    r1i_verdict_answer(out, &letter, 1);
    r1i_verdict_set(out, correct, correct, "the answer names %c, the gold is %c", letter, s->gold.letter);
    return true;
}

static r1_status math_grade(void *state_, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    state *const s = state_;
    answer a = {0};
    char reason[160] = "";
    bool correct = false;
    r1_status st = read_gold(s, sample->gold, sample->gold_bytes, err);
    if (st == R1_OK) st = read_answer(s, sample, &a, err);
    if (st != R1_OK) return st;
    if (s->gold.letter && grade_letter(s, sample, &a, out)) {
        r1i_math_value_free(a.value);
        return R1_OK;
    }
    for (int i = 0; a.value && i < s->gold.n && !correct && st == R1_OK; i++)
        st = r1i_math_grade_value(s->math, s->gold.value[i], a.value, &correct, reason, sizeof reason, err);
    if (!correct && same_text(s, sample, &a)) {
        correct = true;
        snprintf(reason, sizeof reason, "the gold's own text");
    }
    if (a.value) r1i_verdict_answer(out, a.text.s, a.text.n);
    else if (correct) r1i_verdict_answer(out, s->gold.text, s->gold.bytes);
    if (a.value || correct) r1i_verdict_set(out, correct, correct, "%s (%s)", reason, a.why);
    else r1i_verdict_set(out, 0, false, "%s", a.why);
    r1i_math_value_free(a.value);
    return st;
}

static r1_status math_same(void *state_, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err)
{
    state *const s = state_;
    answer x = {0}, y = {0};
    r1_status st = read_answer(s, a, &x, err);
    if (st == R1_OK) st = read_answer(s, b, &y, err);
    if (st == R1_OK && x.value && y.value) st = r1i_math_equal(s->math, x.value, y.value, same, NULL, 0, err);
    r1i_math_value_free(x.value);
    r1i_math_value_free(y.value);
    return st;
}

const r1i_grader_class r1i_grader_math = {
    .name = "math",
    .what = "mathematical equality (options: extract, patterns, require_box, strict_units, percent, rounding, prover)",
    .create = math_create,
    .destroy = math_destroy,
    .check_gold = math_check,
    .grade = math_grade,
    .same = math_same,
};
