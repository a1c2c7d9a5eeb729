/* The letter of a multiple choice, by phrases that name one. A capital letter somewhere in prose names nothing. */
#include "reward/extract.h"

enum { WINDOW = 48 };

static bool in_range(char c, char last) { return c >= 'A' && c <= last; }

/* Steps over one wrapping at i: markup, opening brackets, \text{, \mathbf{ ... ; 0 where there is none. */
static size_t wrap_at(r1i_slice t, size_t i)
{
    static const char *const commands[] = {"\\text{", "\\textbf{", "\\mathrm{", "\\mathbf{", "\\mbox{", "\\boxed{",
                                           "\\mathsf{",
                                           "\\textrm{", "\\left(", "\\bf"};
    for (size_t k = 0; k < sizeof commands / sizeof *commands; k++)
        if (r1i_slice_has_at(t, i, commands[k])) return strlen(commands[k]);
    static const char *const wide[] = {"\xEF\xBC\x88" /* （ */, "\xE3\x80\x90" /* 【 */, "\xE2\x80\x9C" /* “ */, "\xE3\x80\x8C" /* 「 */};
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++)
        if (r1i_slice_has_at(t, i, wide[k])) return 3;
    return i < t.n && t.s[i] && strchr("*_(\"'`[{$<", t.s[i]) ? 1 : 0;
}

/* Steps over what closes a wrapping. */
static size_t unwrap_at(r1i_slice t, size_t i)
{
    static const char *const wide[] = {"\xEF\xBC\x89" /* ） */, "\xE3\x80\x91" /* 】 */, "\xE2\x80\x9D" /* ” */, "\xE3\x80\x8D" /* 」 */};
    for (size_t k = 0; k < sizeof wide / sizeof *wide; k++)
        if (r1i_slice_has_at(t, i, wide[k])) return 3;
    if (r1i_slice_has_at(t, i, "\\right)")) return 7;
    return i < t.n && t.s[i] && strchr("*_)\"'`]}$>", t.s[i]) ? 1 : 0;
}

/* A letter at i with its wrappings: *end after them. bare: nothing that wraps it closes right after it. */
static bool letter_at(r1i_slice t, size_t i, char last, char *letter, size_t *end, bool *bare)
{
    size_t n, wraps = 0;
    while ((n = wrap_at(t, i)) > 0 || (wraps > 0 && (n = r1i_slice_blank(t, i)) > 0)) {
        wraps++;
        i += n;
    }
    if (i >= t.n || !in_range(t.s[i], last)) return false;
    *letter = t.s[i++];
    if (i < t.n && (r1i_is_alpha(t.s[i]) || r1i_is_digit(t.s[i]))) return false;
    if (i + 1 < t.n && t.s[i] == '\'' && r1i_is_alpha(t.s[i + 1])) return false; /* "A's" */
    *bare = wraps == 0 || !unwrap_at(t, i);
    while ((n = unwrap_at(t, i)) > 0) i += n;
    *end = i;
    return true;
}

/* What may follow a bare letter: the end, punctuation, or words that do not make it an article ("A function" is
 * none). */
static bool stands_alone(r1i_slice t, size_t end, char letter, bool bare)
{
    if (!bare) return true;
    const size_t blank = r1i_slice_blank(t, end);
    if (end >= t.n || !blank || t.s[end] == '\n') return true;
    const char next = end + blank < t.n ? t.s[end + blank] : '\n';
    return !((letter == 'A' || letter == 'I') && (r1i_is_alpha(next) || r1i_is_digit(next)));
}

/* "A or B", "B and C", "A/B": several letters are named, so none is. */
static bool several(r1i_slice t, size_t end, char last)
{
    size_t n, i = end;
    while ((n = r1i_slice_blank(t, i)) > 0 && t.s[i] != '\n') i += n;
    static const char *const joins[] = {"or", "and", "/", "&", ",", "\xE6\x88\x96" /* 或 */, "\xE3\x80\x81" /* 、 */, "\xE5\x92\x8C" /* 和 */};
    for (size_t k = 0; k < sizeof joins / sizeof *joins; k++) {
        if (!(r1i_is_alpha(joins[k][0]) ? r1i_slice_word_at(t, i, joins[k]) : r1i_slice_has_at(t, i, joins[k])))
            continue;
        char other;
        bool bare;
        size_t at = i + strlen(joins[k]), after;
        while ((n = r1i_slice_blank(t, at)) > 0 && t.s[at] != '\n') at += n;
        if (letter_at(t, at, last, &other, &after, &bare) && stands_alone(t, after, other, bare)) return true;
    }
    return false;
}

/* ---- phrases ----------------------------------------------------------------------------------------------------- */

typedef struct phrase {
    const char *noun;
    bool letters; /* of ASCII: may not be part of a longer word */
    bool direct;  /* a bare letter may follow at once */
} phrase;

static const phrase phrases[] = {
    {"answer", true, false},
    {"answers", true, false},
    {"ans", true, false},
    {"option", true, true},
    {"choice", true, true},
    {"choose", true, true},
    {"select", true, true},
    {"pick", true, true},
    {"solution", true, false},
    {"\xE7\xAD\x94\xE6\xA1\x88", false, true},             /* 答案 */
    {"\xE9\x80\x89\xE6\x8B\xA9", false, true},             /* 选择 */
    {"\xE9\x80\x89\xE9\xA1\xB9", false, true},             /* 选项 */
    {"\xE9\x80\x89", false, true},                         /* 选 */
    {"\xE9\x81\xB8", false, true},                         /* 選 */
    {"\xE7\xAD\x94", false, true},                         /* 答 */
};

/* Steps over what may stand between a noun and its letter: white space, links, a few fillers. 0 where something else
 * does. */
static size_t filler_at(r1i_slice t, size_t i, bool *link)
{
    static const char *const links[] = {"is", "are", ":", "=", "\xEF\xBC\x9A" /* ： */, "\xE6\x98\xAF" /* 是 */, "\xE4\xB8\xBA" /* 为 */,
                                        "\xE7\x82\xBA" /* 為 */, "\xE9\x80\x89" /* 选 */, "\xE5\xBA\x94" /* 应 */, "\xE8\xAF\xA5" /* 该 */,
                                        "\xE9\xA1\xB9" /* 项 */, "\xE6\x8B\xA9" /* 择 */, "\xE3\x80\x91" /* 】 */};
    static const char *const words[] = {"therefore", "thus", "option", "choice", "letter", "most", "likely", "probably",
                                        "the", "correct",
                                        "to", "this", "question", "problem", "here", "should", "would", "be", "must",
                                        "best", "clearly", "indeed", "following", "my", "final"};
    size_t n = r1i_slice_blank(t, i);
    if (n) return n;
    for (size_t k = 0; k < sizeof links / sizeof *links; k++)
        if (r1i_is_alpha(links[k][0]) ? r1i_slice_word_at(t, i, links[k]) : r1i_slice_has_at(t, i, links[k])) {
            *link = true;
            return strlen(links[k]);
        }
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (r1i_slice_word_at(t, i, words[k])) return strlen(words[k]);
    return i < t.n && t.s[i] && strchr("*_,#", t.s[i]) ? 1 : 0;
}

/* The letter that a phrase at i names; *seen: the phrase stands there and names several, which is as good as none. */
static bool phrase_names(r1i_slice t, size_t i, char last, char *letter, bool *seen)
{
    for (size_t k = 0; k < sizeof phrases / sizeof *phrases; k++) {
        const phrase *const p = &phrases[k];
        if (!(p->letters ? r1i_slice_word_at(t, i, p->noun) : r1i_slice_has_at(t, i, p->noun))) continue;
        const size_t begin = i + strlen(p->noun), limit = t.n - begin > WINDOW ? begin + WINDOW : t.n;
        bool link = p->direct, bare;
        for (size_t at = begin, end, n; at < limit; at += n) {
            /* markup before a link belongs to the noun ("**Answer:** B"), so fillers are tried first */
            if (letter_at(t, at, last, letter, &end, &bare) && (link || !bare) && stands_alone(t, end, *letter, bare)) {
                *seen = true;
                return !several(t, end, last);
            }
            if ((n = filler_at(t, at, &link)) == 0) break;
        }
    }
    return false;
}

/* "B is correct", "(C) is the answer", "选项 B 正确". */
static bool named_before(r1i_slice t, size_t i, char last, char *letter)
{
    static const char *const after[] = {"is correct", "is the correct", "is the answer", "is right", "is the best", "\xE6\xAD\xA3\xE7\xA1\xAE" /* 正确 */,
                                        "\xE9\xA1\xB9\xE6\xAD\xA3\xE7\xA1\xAE" /* 项正确 */};
    size_t end, n;
    bool bare;
    if (i > 0 && (r1i_is_alpha(t.s[i - 1]) || r1i_is_digit(t.s[i - 1]))) return false;
    if (!letter_at(t, i, last, letter, &end, &bare)) return false;
    while ((n = r1i_slice_blank(t, end)) > 0) end += n;
    for (size_t k = 0; k < sizeof after / sizeof *after; k++)
        if (r1i_slice_has_at(t, end, after[k])) return true;
    return false;
}

/* "~", "\ ", "\,", "\quad" at the beginning. */
static size_t space_command_at(r1i_slice t)
{
    if (t.s[0] == '~') return 1;
    if (t.n < 2 || t.s[0] != '\\') return 0;
    if (t.s[1] && strchr(" ,;:!", t.s[1])) return 2;
    return r1i_slice_has_at(t, 0, "\\qquad") ? 6 : r1i_slice_has_at(t, 0, "\\quad") ? 5 : 0;
}

bool r1i_choice_label(r1i_slice text, char last, char *letter, r1i_slice *rest)
{
    size_t end, n;
    bool bare;
    text = r1i_slice_trim(text);
    if (!letter_at(text, 0, last, letter, &end, &bare)) return false;
    while (!unwrap_at(text, end) && (n = wrap_at(text, end)) > 0) end += n; /* A\text{: Paris} */
    const bool mark = end < text.n && text.s[end] && strchr(".):", text.s[end]);
    if (several(text, end, last)) return false;
    const size_t label = end + mark;
    r1i_slice after = r1i_slice_from(text, label < text.n ? label : text.n);
    while (after.n && ((n = unwrap_at(after, 0)) > 0 || (n = r1i_slice_blank(after, 0)) > 0 ||
                       (n = space_command_at(after)) > 0))
        after = r1i_slice_from(after, n);
    if (rest) *rest = after;
    return after.n == 0 || mark || !bare;
}

bool r1i_find_choice(r1i_slice part, char last, char *letter)
{
    r1i_candidates box;
    if (r1i_find_box(part, &box)) return !box.refused && r1i_choice_label(box.item[0], last, letter, NULL);
    for (size_t i = part.n; i-- > 0;) {
        bool seen = false;
        if (phrase_names(part, i, last, letter, &seen)) return true;
        if (seen) return false; /* the last announcement hedges */
        if (in_range(part.s[i], last) && named_before(part, i, last, letter)) return true;
    }
    const r1i_slice whole = r1i_slice_trim(part);
    const char *const line = memrchr(whole.s, '\n', whole.n);
    const r1i_slice ends[] = {whole, r1i_slice_from(whole, line ? (size_t)(line - whole.s) + 1 : 0)};
    for (size_t k = 0; k < 2; k++) { /* nothing but a letter, or a first line that is one */
        r1i_slice rest;
        if (r1i_choice_label(ends[k], last, letter, &rest) && (rest.n == 0 || k == 0)) return true;
    }
    return false;
}
