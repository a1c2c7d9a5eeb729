/* IFEval: instructions about the shape of a response: paragraphs, lists, marks, beginnings and ends. */
#include <stdlib.h>
#include <string.h>

#include "reward/ifeval.h"

static bool next_line(r1i_span s, size_t *at, r1i_span *line)
{
    if (*at >= s.n) return false;
    const char *const end = memchr(s.p + *at, '\n', s.n - *at);
    const size_t stop = end ? (size_t)(end - s.p) : s.n;
    *line = (r1i_span){s.p + *at, stop - *at};
    *at = stop + 1;
    return true;
}

/* The parts of s between the separators: how many show anything, how many of the inner ones do not, and the first,
 * the second and the nth (from 1) of those that do. */
typedef struct parts {
    size_t shown, inner_blank;
    r1i_span first, second, nth;
} parts;

static parts split(r1i_span s, const char *separator, size_t nth)
{
    const size_t n = strlen(separator);
    parts out = {0};
    size_t index = 0;
    for (size_t at = 0; at <= s.n;) {
        const size_t stop = at < s.n ? r1i_span_find(s, at, separator, n) : s.n;
        const r1i_span part = {s.p + at, stop - at};
        const bool last = stop == s.n;
        if (r1i_span_blank(part)) {
            out.inner_blank += index > 0 && !last;
        } else {
            out.shown++;
            if (out.shown == 1) out.first = part;
            if (out.shown == 2) out.second = part;
            if (out.shown == nth) out.nth = part;
        }
        index++;
        if (last) break;
        at = stop + n;
    }
    return out;
}

/* Exactly n paragraphs between dividers "***"; a blank one may stand first or last, not between. */
static bool number_paragraphs(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    const parts p = split(r->text, "***", 0);
    return p.inner_blank == 0 && p.shown == (size_t)r1i_arg_int(args, "num_paragraphs");
}

/* Exactly n paragraphs between blank lines, and the nth begins with the word, whatever its case and the marks around
 * it. */
static bool nth_paragraph_first_word(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    const int64_t want = r1i_arg_int(args, "num_paragraphs"), nth = r1i_arg_int(args, "nth_paragraph");
    const parts p = split(r->lower, "\n\n", nth > 0 ? (size_t)nth : 0);
    r1i_span low, word;
    if (want < 0 || p.shown != (size_t)want || nth < 1 || nth > want) return false;
    if (!r1i_lower(r1i_span_trim(r1i_arg_text(args, "first_word")), &low)) return false;
    r1i_words w = {.text = p.nth};
    const bool equal = r1i_words_next(&w, &word) && r1i_span_equal(word, low);
    free((void *)(uintptr_t)low.p);
    return equal;
}

/* ---- content and format ------------------------------------------------------------------------------------------ */

/* The marker anywhere, its letters and stops with at most one blank between: "P.S.", "p. s.", "P.P.S". */
static bool postscript(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    r1i_span low;
    if (!r1i_lower(r1i_span_trim(r1i_arg_text(args, "postscript_marker")), &low)) return false;
    bool found = false;
    for (size_t i = 0; i < r->lower.n && !found && low.n; i++) {
        size_t j = i, k = 0;
        while (j < r->lower.n && k < low.n) {
            if (r->lower.p[j] == low.p[k]) j++, k++;
            else if (k > 0 && low.p[k - 1] == '.' && strchr(" \t\n", r->lower.p[j]) && r->lower.p[j - 1] == '.') j++;
            else break;
        }
        found = k == low.n;
    }
    free((void *)(uintptr_t)low.p);
    return found;
}

/* [anything], not over a line's end. */
static bool number_placeholders(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    const r1i_span s = r->text;
    int64_t count = 0;
    bool open = false;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n') open = false;
        else if (s.p[i] == '[') open = true;
        else if (s.p[i] == ']' && open) count++, open = false;
    }
    return count >= r1i_arg_int(args, "num_placeholders");
}

/* Lines that begin with "*" or "-" after blanks: not "**bold", not a rule of dashes or stars, and something follows the
 * mark. */
static bool bullet(r1i_span line)
{
    const r1i_span s = r1i_span_trim(line);
    if (s.n < 2 || (s.p[0] != '*' && s.p[0] != '-') || (s.p[0] == '*' && s.p[1] == '*')) return false;
    for (size_t i = 1; i < s.n; i++)
        if (s.p[i] != s.p[0] && s.p[i] != ' ') return true;
    return false;
}

static bool number_bullets(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    r1i_span line;
    int64_t count = 0;
    for (size_t at = 0; next_line(r->text, &at, &line);) count += bullet(line);
    return count == r1i_arg_int(args, "num_bullets");
}

static bool constrained_response(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    static const char *const options[] = {"My answer is yes.", "My answer is no.", "My answer is maybe."};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (r1i_span_find(r->text, 0, options[i], strlen(options[i])) < r->text.n) return true;
    return false;
}

/* *text* or **text**: stars, something visible on one line, stars. Each section once. */
static bool number_highlights(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    const r1i_span s = r->text;
    int64_t count = 0;
    for (size_t i = 0; i < s.n;) {
        if (s.p[i] != '*') {
            i++;
            continue;
        }
        const size_t open = i;
        while (i < s.n && s.p[i] == '*') i++;
        size_t j = i;
        while (j < s.n && s.p[j] != '*' && s.p[j] != '\n') j++;
        if (j < s.n && s.p[j] == '*') {
            const bool shown = !r1i_span_blank((r1i_span){s.p + i, j - i});
            count += shown;
            /* a star and a blank may be a bullet: the next stars then open anew */
            while ((shown || i - open > 1) && j < s.n && s.p[j] == '*') j++;
        }
        i = j;
    }
    return count >= r1i_arg_int(args, "num_highlights");
}

/* "SECTION 3": the name, at most one blank, digits. */
static bool multiple_sections(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    const r1i_span name = r1i_span_trim(r1i_arg_text(args, "section_spliter")), s = r->text;
    int64_t count = 0;
    for (size_t at = r1i_span_find(s, 0, name.p, name.n); at < s.n;
         at = r1i_span_find(s, at + name.n, name.p, name.n)) {
        size_t i = at + name.n;
        if (i < s.n && strchr(" \t\n", s.p[i])) i++;
        count += i < s.n && s.p[i] >= '0' && s.p[i] <= '9';
    }
    return count >= r1i_arg_int(args, "num_sections");
}

/* The whole is one JSON value, alone or in one ``` block. */
static bool json_format(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    r1i_span s = r1i_span_trim(r->text);
    if (s.n >= 6 && memcmp(s.p, "```", 3) == 0 && memcmp(s.p + s.n - 3, "```", 3) == 0) {
        s = (r1i_span){s.p + 3, s.n - 6};
        size_t i = 0;
        while (i < s.n && ((s.p[i] | 32) >= 'a' && (s.p[i] | 32) <= 'z')) i++;
        if (i == 4 && (memcmp(s.p, "json", 4) == 0 || memcmp(s.p, "JSON", 4) == 0 || memcmp(s.p, "Json", 4) == 0))
            s.p += 4, s.n -= 4;
        s = r1i_span_trim(s);
    }
    json_t *const value = json_loadb(s.p, s.n, JSON_DECODE_ANY, NULL); /* keys may repeat, and strings hold what they
                                                                        * like */
    json_decref(value);
    return value != NULL;
}

/* <<something visible>> on one line. */
static bool title(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    r1i_span line;
    for (size_t at = 0; next_line(r->text, &at, &line);) {
        const size_t open = r1i_span_find(line, 0, "<<", 2);
        size_t close = line.n;
        for (size_t i = line.n; i > open + 3 && close == line.n; i--)
            if (line.p[i - 1] == '>' && line.p[i - 2] == '>') close = i - 2;
        r1i_span inside = {line.p + open + 2, close < line.n && open < close ? close - open - 2 : 0};
        while (inside.n && (inside.p[0] == '<' || inside.p[0] == ' ')) inside.p++, inside.n--;
        while (inside.n && (inside.p[inside.n - 1] == '>' || inside.p[inside.n - 1] == ' ')) inside.n--;
        if (inside.n && !r1i_span_blank(inside)) return true;
    }
    return false;
}

/* ---- combination, beginning and end ------------------------------------------------------------------------------ */

/* Two parts that differ, between "******"; a blank part may stand first or last only. */
static bool two_responses(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    const parts p = split(r->text, "******", 0);
    return p.shown == 2 && p.inner_blank == 0 && !r1i_span_equal(r1i_span_trim(p.first), r1i_span_trim(p.second));
}

static bool repeat_prompt(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    r1i_span low;
    const r1i_span s = r1i_span_trim(r->lower);
    if (!r1i_lower(r1i_span_trim(r1i_arg_text(args, "prompt_to_repeat")), &low)) return false;
    const bool begins = s.n >= low.n && r1i_span_equal((r1i_span){s.p, low.n}, low);
    free((void *)(uintptr_t)low.p);
    return begins;
}

/* Ends with the phrase, whatever its case; a closing quotation mark after it is no more than that. */
static bool end_checker(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)lang;
    r1i_span low, s = r1i_span_trim(r->lower);
    if (!r1i_lower(r1i_span_trim(r1i_arg_text(args, "end_phrase")), &low)) return false;
    while (s.n && s.p[s.n - 1] == '"') s.n--;
    const bool ends = s.n >= low.n && r1i_span_equal((r1i_span){s.p + s.n - low.n, low.n}, low);
    free((void *)(uintptr_t)low.p);
    return ends;
}

static bool quotation(const r1i_response *r, const json_t *args, r1i_lang_id *lang)
{
    (void)args;
    (void)lang;
    const r1i_span s = r1i_span_trim(r->text);
    return s.n > 1 && s.p[0] == '"' && s.p[s.n - 1] == '"';
}

const r1i_instruction r1i_ifeval_shape[] = {
    {"length_constraints:number_paragraphs", {"#num_paragraphs"}, number_paragraphs},
    {"length_constraints:nth_paragraph_first_word", {"#num_paragraphs", "#nth_paragraph", "first_word"}, nth_paragraph_first_word},
    {"detectable_content:postscript", {"postscript_marker"}, postscript},
    {"detectable_content:number_placeholders", {"#num_placeholders"}, number_placeholders},
    {"detectable_format:number_bullet_lists", {"#num_bullets"}, number_bullets},
    {"detectable_format:constrained_response", {0}, constrained_response},
    {"detectable_format:number_highlighted_sections", {"#num_highlights"}, number_highlights},
    {"detectable_format:multiple_sections", {"section_spliter", "#num_sections"}, multiple_sections},
    {"detectable_format:json_format", {0}, json_format},
    {"detectable_format:title", {0}, title},
    {"combination:two_responses", {0}, two_responses},
    {"combination:repeat_prompt", {"prompt_to_repeat"}, repeat_prompt},
    {"startend:end_checker", {"end_phrase"}, end_checker},
    {"startend:quotation", {0}, quotation},
};
const size_t r1i_ifeval_n_shape = sizeof r1i_ifeval_shape / sizeof *r1i_ifeval_shape;
