/* IFEval: instructions about words, letters, case, language and length. */
#include <stdlib.h>
#include <string.h>

#include "reward/ifeval.h"
#include "tokenizer/tok_unicode.h"

/* ---- keywords ---------------------------------------------------------------------------------------------------- */

typedef bool (*each_word)(const r1i_response *r, r1i_span lower_word);

/* Whether f holds for every text of the list. */
static bool all_of(const r1i_response *r, const json_t *list, each_word f)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *const v = json_array_get(list, i);
        r1i_span low;
        if (!r1i_lower((r1i_span){json_string_value(v), json_string_length(v)}, &low)) return false;
        const bool ok = f(r, low);
        free((void *)(uintptr_t)low.p);
        if (!ok) return false;
    }
    return true;
}

static bool contains(const r1i_response *r, r1i_span word)
{
    return r1i_span_find(r->lower, 0, word.p, word.n) < r->lower.n;
}

static bool joins(uint32_t c) { return c == '_' || r1i_char_letter(c) || r1i_char_digit(c); }

static bool joined_before(r1i_span s, size_t i)
{
    size_t step;
    if (i == 0) return false;
    do i--;
    while (i > 0 && ((unsigned char)s.p[i] & 0xC0) == 0x80);
    return joins(r1i_char_at(s.p + i, s.n - i, &step));
}

/* Not as a word of its own: "rock" forbids "Rock!" and allows "rocket". */
static bool absent(const r1i_response *r, r1i_span word)
{
    const r1i_span s = r->lower;
    size_t step;
    for (size_t at = r1i_span_find(s, 0, word.p, word.n); at < s.n; at = r1i_span_find(s, at + 1, word.p, word.n)) {
        const size_t end = at + word.n;
        if (!joined_before(s, at) && (end == s.n || !joins(r1i_char_at(s.p + end, s.n - end, &step)))) return false;
    }
    return true;
}

static bool keywords_existence(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    return all_of(r, json_object_get(args, "keywords"), contains);
}

static bool keywords_forbidden(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    return all_of(r, json_object_get(args, "forbidden_words"), absent);
}

static int64_t count_lower(const r1i_response *r, r1i_span what)
{
    r1i_span low;
    if (!r1i_lower(what, &low)) return 0;
    const size_t n = r1i_count(r->lower, low);
    free((void *)(uintptr_t)low.p);
    return (int64_t)n;
}

static bool keywords_frequency(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    return r1i_relation(args, "relation", count_lower(r, r1i_span_trim(r1i_arg_text(args, "keyword"))),
                        r1i_arg_int(args, "frequency"));
}

static bool letter_frequency(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    return r1i_relation(args, "let_relation", count_lower(r, r1i_arg_text(args, "letter")),
                        r1i_arg_int(args, "let_frequency"));
}

/* ---- language and case ------------------------------------------------------------------------------------------- */

static bool in_language(r1i_span text, const char *tag, r1i_lang_id *lang)
{
    r1i_script script;
    const r1i_language *const want = r1i_language_find(tag), *const got = r1i_lang_id_of(lang, text, &script);
    if (got) return got == want;
    return script == R1I_SCRIPT_NONE || r1i_language_writes(want, script); /* too little to say otherwise */
}

static bool response_language(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    return in_language(r->text, json_string_value(json_object_get(args, "language")), lang);
}

/* Letters with case in the span. */
static void cases(r1i_span s, size_t *upper, size_t *lower)
{
    *upper = *lower = 0;
    for (size_t i = 0, step; i < s.n; i += step) {
        const uint32_t c = r1i_char_at(s.p + i, s.n - i, &step);
        if (c < 0x80) {
            *upper += c >= 'A' && c <= 'Z';
            *lower += c >= 'a' && c <= 'z';
        } else {
            const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
            *upper += k == UTF8PROC_CATEGORY_LU;
            /* a title-case letter is not all capital, nor all small */
            *lower += k == UTF8PROC_CATEGORY_LL || k == UTF8PROC_CATEGORY_LT;
        }
    }
}

static bool english_capital(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    size_t upper, lower;
    cases(r->text, &upper, &lower);
    return upper > 0 && lower == 0 && in_language(r->lower, "en", lang);
}

static bool english_lowercase(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    size_t upper, lower;
    cases(r->text, &upper, &lower);
    return lower > 0 && upper == 0 && in_language(r->lower, "en", lang);
}

/* A word may hold hyphens and apostrophes: WELL-KNOWN and DON'T are one. */
static bool capital_word_frequency(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    int64_t count = 0;
    const r1i_span s = r->text;
    size_t begin = 0;
    for (size_t i = 0, step = 1; i <= s.n; i += step) {
        const uint32_t c = i < s.n ? r1i_char_at(s.p + i, s.n - i, &step) : ' ';
        if (joins(c) || ((c == '-' || c == '\'' || c == 0x2019) && i > begin)) continue;
        size_t upper, lower;
        cases((r1i_span){s.p + begin, i - begin}, &upper, &lower);
        count += upper > 0 && lower == 0;
        begin = i + step;
    }
    return r1i_relation(args, "capital_relation", count, r1i_arg_int(args, "capital_frequency"));
}

static bool no_comma(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    static const char *const commas[] = {",", "\xEF\xBC\x8C", "\xD8\x8C"}; /* full width, Arabic */
    for (size_t i = 0; i < sizeof commas / sizeof *commas; i++)
        if (r1i_span_find(r->text, 0, commas[i], strlen(commas[i])) < r->text.n) return false;
    return true;
}

/* ---- length ------------------------------------------------------------------------------------------------------ */

/* Runs of letters, marks, digits and "_"; an apostrophe parts ("don't" is two); each CJK character is one. */
static bool number_words(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    int64_t count = 0;
    bool inside = false;
    for (size_t i = 0, step; i < r->text.n; i += step) {
        const uint32_t c = r1i_char_at(r->text.p + i, r->text.n - i, &step);
        const bool cjk = r1i_char_cjk(c), word = joins(c) && !cjk;
        count += cjk || (word && !inside);
        inside = word;
    }
    return r1i_relation(args, "relation", count, r1i_arg_int(args, "num_words"));
}

/* Whether the full stop at `at` belongs to an abbreviation, an initial or an item's number ("Dr.", "e.g.", "J.", "2."),
 * after which a sentence goes on. */
static bool abbreviation(r1i_span s, size_t at)
{
    static const char known[] =
        " mr mrs ms dr prof sr jr st vs etc e.g i.e a.m p.m no vol fig inc ltd co corp dept est approx u.s u.k ph.d mt ft gen col sgt capt lt rev hon ";
    char word[16] = " ";
    size_t begin = at;
    while (begin > 0 && at - begin < 12 && (joined_before(s, begin) || s.p[begin - 1] == '.')) begin--;
    const size_t n = at - begin;
    if (n == 0 || n + 2 >= sizeof word) return false;
    for (size_t i = 0; i < n; i++)
        word[1 + i] = (char)(s.p[begin + i] >= 'A' && s.p[begin + i] <= 'Z' ? s.p[begin + i] | 32 : s.p[begin + i]);
    word[n + 1] = ' ';
    bool number = true;
    for (size_t i = 0; i < n; i++) number = number && s.p[begin + i] >= '0' && s.p[begin + i] <= '9';
    size_t line = begin;
    while (line > 0 && s.p[line - 1] == ' ') line--;
    if (number) return line == 0 || s.p[line - 1] == '\n'; /* "2." before an item */
    /* an initial; "I." ends a sentence */
    if (n == 1 && word[1] != 'i' && word[1] >= 'a' && word[1] <= 'z') return true;
    return r1i_span_find((r1i_span){known, sizeof known - 1}, 0, word, n + 2) < sizeof known - 1;
}

static bool ender(uint32_t c)
{
    return c == '.' || c == '!' || c == '?' || c == 0x2026 || c == 0x3002 || c == 0xFF01 || c == 0xFF1F ||
        c == 0x0964 || c == 0x061F || c == 0x06D4;
}

/* A sentence ends at . ! ? or its sisters (and closing quotes or brackets after it) where white space or the end
 * follows; the CJK ones need none. Text after the last end is one more sentence. A list mark such as "1." or a lone ".
 * . ." ends none. */
static int64_t sentences(const r1i_response *r)
{
    const r1i_span s = r->text;
    int64_t count = 0;
    bool words = false, text = false; /* since the last end: a letter; a letter or digit */
    for (size_t i = 0, step; i < s.n; i += step) {
        uint32_t c = r1i_char_at(s.p + i, s.n - i, &step);
        words |= r1i_char_letter(c);
        text |= words || r1i_char_digit(c);
        if (!ender(c) || !text) continue;
        const bool abbreviated = c == '.' && abbreviation(s, i);
        bool wide = c >= 0x3000;
        size_t j = i + step, ahead = 0;
        for (; j < s.n; j += ahead) {
            c = r1i_char_at(s.p + j, s.n - j, &ahead);
            wide |= ender(c) && c >= 0x3000;
            if (!ender(c) && c != '"' && c != '\'' && c != ')' && c != ']' && c != '*' && c != '_' && c != 0x2019 &&
                c != 0x201D && c != 0x300D) break;
        }
        const bool ends = j == s.n || wide || r1i_char_space(c);
        if (ends && words && !(abbreviated && j == i + step && j < s.n)) {
            count++;
            words = text = false;
        }
        step = j - i;
    }
    return count + words;
}

static bool number_sentences(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    return r1i_relation(args, "relation", sentences(r), r1i_arg_int(args, "num_sentences"));
}

const r1i_instruction r1i_ifeval_words[] = {
    {"keywords:existence", {"@keywords"}, keywords_existence},
    {"keywords:forbidden_words", {"@forbidden_words"}, keywords_forbidden},
    {"keywords:frequency", {"keyword", "#frequency", "~relation"}, keywords_frequency},
    {"keywords:letter_frequency", {"letter", "#let_frequency", "~let_relation"}, letter_frequency},
    {"language:response_language", {"language"}, response_language},
    {"change_case:english_capital", {0}, english_capital},
    {"change_case:english_lowercase", {0}, english_lowercase},
    {"change_case:capital_word_frequency", {"#capital_frequency", "~capital_relation"}, capital_word_frequency},
    {"punctuation:no_comma", {0}, no_comma},
    {"length_constraints:number_words", {"#num_words", "~relation"}, number_words},
    {"length_constraints:number_sentences", {"#num_sentences", "~relation"}, number_sentences},
};
const size_t r1i_ifeval_n_words = sizeof r1i_ifeval_words / sizeof *r1i_ifeval_words;
