/* Exact and normalised match of the answer with one or several golds.
 *
 * exact: the text after the thinking, white space at both ends left out, equals a gold.
 * normalized: the final answer (<answer> block, else last box, else all that follows the thinking) equals a gold after
 * both are
 * folded: compatibility forms and case, articles (a, an, the), punctuation, white space. What carries a number's value
 * stays: the point and the minus of 3.5 and -5, signs of money, % and other symbols. So "The Eiffel-Tower." is "eiffel
 * tower", 1,000 is 1000, and 35 is not 3.5. */
#include <stdlib.h>
#include <string.h>

#include "reward/grader.h"
#include "reward/rule_text.h"
#include "tokenizer/tok_unicode.h"

typedef struct match {
    bool several; /* gold is a JSON array of strings, any of which will do */
} match;

static r1_status match_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    static const match modes[2] = {{false}, {true}};
    const r1_status st = r1i_grader_known_keys(json, (const char *const[]){"several", NULL}, err);
    if (st != R1_OK) return st;
    const json_t *several = json_object_get(json, "several");
    if (several && !json_is_boolean(several)) return r1i_fail(err, R1_ERR_USAGE, "option 'several' is true or false");
    *state = (void *)(uintptr_t)&modes[json_is_true(several) ? 1 : 0];
    return R1_OK;
}

/* Folded text, at most as long as utf8proc makes it; NULL when there is no memory. */
static char *fold(r1i_span s, size_t *n)
{
    char *mended = malloc(3 * s.n + 1);
    if (!mended) return NULL;
    size_t used = 0;
    for (size_t i = 0, step; i < s.n; i += step) {
        const uint32_t c = r1i_char_at(s.p + i, s.n - i, &step);
        if (c == 0xFFFD || c == 0) memcpy(mended + used, "\xEF\xBF\xBD", 3), used += 3;
        else memcpy(mended + used, s.p + i, step), used += step;
    }
    utf8proc_uint8_t *out = NULL;
    const utf8proc_ssize_t got = utf8proc_map((const utf8proc_uint8_t *)mended, (utf8proc_ssize_t)used, &out,
                                              UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD |
                                              UTF8PROC_IGNORE);
    free(mended);
    *n = got > 0 ? (size_t)got : 0;
    if (got >= 0) return (char *)out;
    free(out);
    return NULL;
}

static bool punctuation(uint32_t c)
{
    if (c < 0x80) return c > ' ' && strchr("!\"#&'()*,-./:;?@[\\]_{}", (int)c);
    const int k = (int)utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

static bool digit_at(r1i_span s, size_t i) { return i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; }

/* Three digits and no fourth: what follows a thousands comma. */
static bool three_digits(r1i_span s, size_t i)
{
    return digit_at(s, i) && digit_at(s, i + 1) && digit_at(s, i + 2) && !digit_at(s, i + 3);
}

/* Punctuation between words parts them; an apostrophe and a thousands comma vanish; a decimal point and a minus
 * stay. */
static size_t drop_punctuation(char *t, size_t n)
{
    const r1i_span s = {t, n};
    size_t used = 0;
    bool before = false; /* whether the character before was a digit; t is overwritten as we go */
    for (size_t i = 0, step; i < n; i += step) {
        const uint32_t c = r1i_char_at(t + i, n - i, &step);
        const bool number = digit_at(s, i), after = digit_at(s, i + step);
        const bool word_before = used > 0 && t[used - 1] != ' ';
        const bool keep = !punctuation(c) || (c == '.' && after) ||
            (c == '-' && !word_before && (after || (i + 1 < n && t[i + 1] == '.')));
        const bool vanish = c == '\'' || c == 0x2019 || (c == ',' && before && three_digits(s, i + 1));
        if (r1i_char_space(c) || (!keep && !vanish)) {
            if (used > 0 && t[used - 1] != ' ') t[used++] = ' ';
        } else if (!vanish) {
            memmove(t + used, t + i, step);
            used += step;
        }
        before = number;
    }
    while (used > 0 && t[used - 1] == ' ') used--;
    return used;
}

/* Articles go unless nothing else is there: the letter A is an answer. */
static size_t drop_articles(char *t, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n;) {
        const char *const space = memchr(t + i, ' ', n - i);
        const size_t end = space ? (size_t)(space - t) : n;
        const r1i_span word = {t + i, end - i};
        const bool article = r1i_span_is(word, "a") || r1i_span_is(word, "an") || r1i_span_is(word, "the");
        const bool only = used == 0 && end == n;
        if (!article || only) {
            if (used) t[used++] = ' ';
            memmove(t + used, t + i, word.n);
            used += word.n;
        }
        i = end + 1;
    }
    return used;
}

static char *normalize(r1i_span s, size_t *n)
{
    char *t = fold(s, n);
    if (!t) return NULL;
    *n = drop_punctuation(t, *n);
    *n = drop_articles(t, *n);
    return t;
}

/* 1 equal, 0 not, -1 no memory */
static int equal_normalized(r1i_span a, r1i_span b)
{
    size_t na, nb;
    char *const x = normalize(a, &na), *const y = x ? normalize(b, &nb) : NULL;
    const int equal = !y ? -1 : na > 0 && r1i_span_equal((r1i_span){x, na}, (r1i_span){y, nb});
    free(x);
    free(y);
    return equal;
}

static int equal_exact(r1i_span a, r1i_span b) { return r1i_span_equal(r1i_span_trim(a), r1i_span_trim(b)); }

typedef int (*compare)(r1i_span answer, r1i_span gold);

/* Calls equal on each gold until one matches; with equal == NULL only the form is checked. */
static r1_status each_gold(const match *m, const char *gold, size_t bytes, r1i_span answer, compare equal, bool *hit,
                           r1_error *err)
{
    json_t *list = NULL;
    r1_status st = R1_OK;
    *hit = false;
    if (!m->several) {
        if (r1i_span_blank((r1i_span){gold, bytes})) return r1i_fail(err, R1_ERR_FORMAT, "the gold answer is empty");
        const int e = equal ? equal(answer, (r1i_span){gold, bytes}) : 0;
        *hit = e > 0;
        return e < 0 ? r1i_fail(err, R1_ERR_NOMEM, "a gold of %zu bytes", bytes) : R1_OK;
    }
    if ((st = r1i_json_parse(gold, bytes, &list, err)) != R1_OK) return st;
    if (!json_is_array(list) || json_array_size(list) == 0)
        st = r1i_fail(err, R1_ERR_FORMAT, "the gold is no JSON array of strings, as option 'several' wants");
    for (size_t i = 0; st == R1_OK && !*hit && i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const r1i_span g = {json_string_value(one), json_string_length(one)};
        if (!g.p || r1i_span_blank(g)) st = r1i_fail(err, R1_ERR_FORMAT, "gold %zu is no text or empty", i + 1);
        else if (equal) {
            const int e = equal(answer, g);
            *hit = e > 0;
            if (e < 0) st = r1i_fail(err, R1_ERR_NOMEM, "a gold of %zu bytes", g.n);
        }
    }
    json_decref(list);
    return st;
}

static r1_status match_check_gold(void *state, const char *gold, size_t bytes, r1_error *err)
{
    bool hit;
    return each_gold(state, gold, bytes, (r1i_span){0}, NULL, &hit, err);
}

static r1_status judge(const match *m, const r1_sample *sample, r1i_span answer, compare equal, r1_verdict *out,
                       r1_error *err)
{
    bool hit;
    const r1_status st = each_gold(m, sample->gold, sample->gold_bytes, answer, equal, &hit, err);
    if (st != R1_OK) return st;
    if (r1i_span_blank(answer)) {
        r1i_verdict_set(out, 0, false, "no answer after the thinking");
        return R1_OK;
    }
    r1i_verdict_answer(out, answer.p, answer.n);
    const char *const how = equal == equal_exact ? "" : " after normalisation";
    r1i_verdict_set(out, hit, hit,
                    hit ? "the answer is the gold's text%s" : "the answer differs from the gold's text%s", how);
    return R1_OK;
}

static r1_status exact_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    return judge(state, sample, r1i_span_trim(r1i_parts_of(sample).answer), equal_exact, out, err);
}

static r1i_span final_text(const r1_sample *sample)
{
    const r1i_span answer = r1i_parts_of(sample).answer;
    const r1i_final f = r1i_final_of(answer);
    return f.found ? f.text : f.blocks ? (r1i_span){0} : r1i_span_trim(answer);
}

static r1_status normalized_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    return judge(state, sample, final_text(sample), equal_normalized, out, err);
}

static r1_status normalized_same(void *state, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err)
{
    (void)state;
    const int e = equal_normalized(final_text(a), final_text(b));
    *same = e > 0;
    return e < 0 ? r1i_fail(err, R1_ERR_NOMEM, "normalised answers") : R1_OK;
}

static r1_status exact_same(void *state, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err)
{
    (void)state;
    (void)err;
    const r1i_span x = r1i_parts_of(a).answer, y = r1i_parts_of(b).answer;
    *same = !r1i_span_blank(x) && equal_exact(x, y) > 0;
    return R1_OK;
}

const r1i_grader_class r1i_grader_exact = {
    .name = "exact",
    .what = "the answer's text equals the gold's",
    .create = match_create,
    .check_gold = match_check_gold,
    .grade = exact_grade,
    .same = exact_same,
};

const r1i_grader_class r1i_grader_normalized = {
    .name = "normalized",
    .what = "as exact, but for case, articles, punctuation and white space",
    .create = match_create,
    .check_gold = match_check_gold,
    .grade = normalized_grade,
    .same = normalized_same,
};
