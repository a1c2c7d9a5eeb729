/* Language consistency: how much of the reasoning is in the language of the question (R1 paper, stage 1).
 *
 *     score = (words of the reasoning in the target language) / (words of the reasoning), both counted as integers
 *
 * Target: option "target", else the language of the prompt among option "languages"; a prompt in none of them (a bare
 * formula) is taken as the first of the list. What is not language is left out on both sides: code, formulas, numbers,
 * single Latin letters (variables), addresses, words with a digit. A CJK character is a word; elsewhere words are runs
 * of letters.
 *
 * A word counts when its script is the target's. Where several allowed languages share that script, stretches of some
 * 200 letters are identified as a whole, and those in another language do not count; a stretch that nothing speaks
 * about does. Empty reasoning scores 0, and so does one of fewer than "min_words" (10) different words: a share of 1
 * must not be had for "ok". */
#include <stdlib.h>
#include <string.h>

#include "reward/grader.h"
#include "reward/lang_id.h"
#include "reward/prose.h"

typedef struct consistency {
    const r1i_language *language[R1I_LANG_MAX];
    size_t n;
    const r1i_language *target; /* NULL: from the prompt */
    int64_t min_words;
    r1i_lang_id *id;
} consistency;

static void language_destroy(void *state)
{
    consistency *c = state;
    if (!c) return;
    r1i_lang_id_destroy(c->id);
    free(c);
}

static r1_status add(consistency *c, const json_t *tag, r1_error *err)
{
    const r1i_language *const l = json_is_string(tag) ? r1i_language_find(json_string_value(tag)) : NULL;
    if (!l)
        return r1i_fail(err, R1_ERR_USAGE, "'%.20s' is no language of the table",
                        json_is_string(tag) ? json_string_value(tag) : "(not text)");
    for (size_t i = 0; i < c->n; i++)
        if (c->language[i] == l) return R1_OK;
    c->language[c->n++] = l; /* the table is shorter than R1I_LANG_MAX, and nothing stands twice */
    return R1_OK;
}

static r1_status read_options(consistency *c, const json_t *json, r1_error *err)
{
    static const char *const usual[] = {"en", "zh", "fr", "de", "es", "it", "pt", "ru", "ja", "ko", "ar", "hi", "vi",
                                        "th", "tr"};
    r1_status st = r1i_grader_known_keys(json, (const char *const[]){"languages", "target", "min_words", NULL}, err);
    const json_t *list = json_object_get(json, "languages"), *target = json_object_get(json, "target"),
                  *least = json_object_get(json, "min_words");
    if (st == R1_OK && list && (!json_is_array(list) || json_array_size(list) == 0))
        st = r1i_fail(err, R1_ERR_USAGE, "option 'languages' is a list such as [\"en\", \"zh\"]");
    for (size_t i = 0; st == R1_OK && list && i < json_array_size(list); i++) st = add(c, json_array_get(list, i), err);
    for (size_t i = 0; !list && i < sizeof usual / sizeof *usual; i++)
        c->language[c->n++] = r1i_language_find(usual[i]);
    if (st == R1_OK && target) {
        st = add(c, target, err);
        if (st == R1_OK) c->target = r1i_language_find(json_string_value(target));
    }
    c->min_words = least ? json_integer_value(least) : 10;
    if (st == R1_OK && least && (!json_is_integer(least) || c->min_words < 1))
        st = r1i_fail(err, R1_ERR_USAGE, "option 'min_words' is a whole number from 1");
    return st;
}

static r1_status language_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    consistency *const c = calloc(1, sizeof *c);
    if (!c) return r1i_fail(err, R1_ERR_NOMEM, "language grader");
    r1_status st = read_options(c, json, err);
    if (st == R1_OK) st = r1i_lang_id_create(c->language, c->n, NULL, env, &c->id, err);
    if (st == R1_OK) *state = c;
    else language_destroy(c);
    return st;
}

static uint64_t hash(r1i_span s)
{
    uint64_t h = 14695981039346656037u;
    for (size_t i = 0; i < s.n; i++) h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
    return h;
}

typedef struct count {
    int64_t words, matched; /* of the whole */
    int64_t stretch;        /* words of the target's script since `begin` */
    size_t begin, letters;
    uint64_t seen[64];      /* hashes of the first different words */
    int64_t different;
} count;

static r1i_script script_of_word(r1i_span word)
{
    size_t step;
    for (size_t i = 0; i < word.n; i += step) {
        const r1i_script s = r1i_script_of(r1i_char_at(word.p + i, word.n - i, &step));
        if (s != R1I_SCRIPT_NONE) return s;
    }
    return R1I_SCRIPT_NONE;
}

static void end_stretch(consistency *c, count *k, const r1i_language *target, r1i_span prose, size_t end)
{
    r1i_script script;
    const r1i_language *const l = r1i_lang_id_of(c->id, (r1i_span){prose.p + k->begin, end - k->begin}, &script);
    /* the prevailing script may be another one, when foreign words outnumber the target's: those are out by their
     * script */
    if (!l || l == target || !r1i_language_writes(target, l->script)) k->matched += k->stretch;
    k->stretch = 0;
    k->letters = 0;
    k->begin = end;
}

static void measure(consistency *c, count *k, const r1i_language *target, r1i_span prose)
{
    enum { STRETCH = 200 };
    const int64_t enough = c->min_words < 64 ? c->min_words : 64;
    r1i_words w = {.text = prose};
    r1i_span word;
    while (r1i_words_next(&w, &word)) {
        const r1i_script script = script_of_word(word);
        if (script == R1I_SCRIPT_NONE || (script == R1I_SCRIPT_LATIN && word.n == 1)) continue;
        k->words++;
        k->letters += word.n;
        k->stretch += r1i_language_writes(target, script);
        if (k->different < enough) {
            const uint64_t h = hash(word);
            int64_t i = 0;
            while (i < k->different && k->seen[i] != h) i++;
            if (i == k->different) k->seen[k->different++] = h;
        }
        /* a short rest joins the last */
        if (k->letters >= STRETCH && prose.n - w.at >= STRETCH) end_stretch(c, k, target, prose, w.at);
    }
    end_stretch(c, k, target, prose, prose.n);
}

static r1_status target_of(consistency *c, const r1_sample *sample, const r1i_language **target, r1_error *err)
{
    r1i_span prose;
    *target = c->target;
    if (c->target) return R1_OK;
    const r1_status st = r1i_prose((r1i_span){sample->prompt, sample->prompt ? sample->prompt_bytes : 0}, &prose, err);
    if (st != R1_OK) return st;
    r1i_script script;
    *target = r1i_lang_id_of(c->id, prose, &script);
    for (size_t i = 0; i < c->n && !*target && script != R1I_SCRIPT_NONE; i++)
        if (r1i_language_writes(c->language[i], script)) *target = c->language[i];
    if (!*target) *target = c->language[0];
    r1_free((void *)(uintptr_t)prose.p);
    return R1_OK;
}

static r1_status language_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    consistency *const c = state;
    const r1i_language *target;
    r1i_span prose;
    r1_status st = target_of(c, sample, &target, err);
    if (st != R1_OK) return st;
    const r1i_span thinking = r1i_parts_of(sample).thinking;
    if (r1i_span_blank(thinking)) {
        r1i_verdict_set(out, 0, false, "no reasoning to be in %s", target->name);
        return R1_OK;
    }
    if ((st = r1i_prose(thinking, &prose, err)) != R1_OK) return st;
    count k = {.words = 0};
    measure(c, &k, target, prose);
    r1_free((void *)(uintptr_t)prose.p);
    const int64_t enough = c->min_words < 64 ? c->min_words : 64;
    if (k.words == 0) r1i_verdict_set(out, 0, false, "the reasoning has no words, only code, formulas or numbers");
    else if (k.different < enough)
        r1i_verdict_set(out, 0, false, "trivial reasoning: %lld different words, of %lld wanted",
                        (long long)k.different, (long long)enough);
    else
        r1i_verdict_set(out, (double)k.matched / (double)k.words, k.matched == k.words, "%lld of %lld words are %s%s",
                        (long long)k.matched, (long long)k.words, target->name,
                        r1i_lang_id_ngrams(c->id) ? "" : " (by script and common words)");
    return R1_OK;
}

const r1i_grader_class r1i_grader_language = {
    .name = "language",
    .what = "share of the reasoning's words in the language of the question",
    .create = language_create,
    .destroy = language_destroy,
    .grade = language_grade,
};
