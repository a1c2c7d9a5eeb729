/* Phrases that announce an answer: a noun ("answer", "答案") and, in the same sentence, a link ("is", ":", "为"); a
 * heading that is only the noun; lines of ####. Searched from the end, because the last announcement counts. */
#include "reward/extract.h"
#include "reward/extract_math.h"

enum { LINK_WINDOW = 160, SENTENCE = 400 }; /* bytes looked at after a noun, and of an answer's sentence */

/* ---- the end of a sentence --------------------------------------------------------------------------------------- */

/* A sentence ends at a line's end, or at punctuation that white space follows; formulas between dollars hide their
 * points. */
static size_t sentence_end(r1i_slice t, size_t from)
{
    const size_t limit = t.n - from > SENTENCE ? from + SENTENCE : t.n;
    const r1i_slice near = r1i_slice_cut(t, 0, limit);
    for (size_t i = from, formula; i < limit; i++) {
        const char c = t.s[i];
        if ((formula = r1i_formula_at(near, i, NULL)) > 0) {
            i += formula - 1;
            continue;
        }
        if (c == '\n') return i;
        if (r1i_slice_has_at(t, i, "\xE3\x80\x82")) return i; /* 。 */
        if ((c == '.' || c == '?' || c == ';' || c == '!') && i > from && (i + 1 == t.n || r1i_slice_blank(t, i + 1)))
            return i + (c == '!' && i + 1 == t.n);
        if (c == '\\') i++;
    }
    return limit;
}

/* The sentence at or after `from`; blank lines, colons and markup before it are stepped over. */
static r1i_slice sentence_at(r1i_slice t, size_t from)
{
    for (size_t n; from < t.n;) {
        if ((n = r1i_slice_blank(t, from)) > 0) from += n;
        else if (strchr("*:_#>\"`", t.s[from]) && t.s[from]) from++;
        /* ： “ */
        else if (r1i_slice_has_at(t, from, "\xEF\xBC\x9A") || r1i_slice_has_at(t, from, "\xE2\x80\x9C")) from += 3;
        else break;
    }
    r1i_slice s = r1i_slice_cut(t, from, sentence_end(t, from));
    s = r1i_slice_trim_prose(s); /* a '!' at the end is prose, outside a formula */
    if (s.n > 1 && s.s[s.n - 1] == '!' && !memchr(s.s, '$', s.n))
        s = r1i_slice_trim_prose(r1i_slice_cut(s, 0, s.n - 1));
    return s;
}

/* ---- nouns and links --------------------------------------------------------------------------------------------- */

typedef struct noun {
    const char *text;
    bool letters;  /* ASCII letters may not touch it */
    bool direct;   /* the answer may follow without a link */
} noun;

static const noun nouns[] = {
    {"answer", true, false},
    {"answers", true, false},
    {"ans", true, false},
    {"\xE7\xAD\x94\xE6\xA1\x88", false, true},                                     /* 答案 */
    {"\xE7\xAD\x94\xE3\x81\x88", false, true},                                     /* 答え */
    {"\xE7\xAD\x94\xEF\xBC\x9A", false, true},                                     /* 答： */
    {"\xE7\xAD\x94:", false, true},                                                /* 答: */
    {"antwort", true, false},
    {"r\xC3\xA9ponse", true, false},                                               /* réponse */
    {"respuesta", true, false},
    {"\xD0\x9E\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82", false, true},                     /* Ответ */
    {"\xD0\xBE\xD1\x82\xD0\xB2\xD0\xB5\xD1\x82", false, true},                     /* ответ */
    {"jibu", true, false},
    {"\xE0\xB8\x84\xE0\xB8\xB3\xE0\xB8\x95\xE0\xB8\xAD\xE0\xB8\x9A", false, true}, /* คำตอบ */
    {"\xE0\xA6\x89\xE0\xA6\xA4\xE0\xA7\x8D\xE0\xA6\xA4\xE0\xA6\xB0", false, true}, /* উত্তর */
    {"\xE0\xB0\xB8\xE0\xB0\xAE\xE0\xB0\xBE\xE0\xB0\xA7\xE0\xB0\xBE\xE0\xB0\xA8\xE0\xB0\x82", false, true}, /* సమాధానం */
};

/* Length of the link at i, 0 where there is none. */
static size_t link_at(r1i_slice t, size_t i)
{
    static const char *const words[] = {"is", "are", "was", "be", "equals", "ist", "lautet", "est", "es", "ni",
                                        "becomes"};
    static const char *const signs[] = {"\xEF\xBC\x9A" /* ： */, "\xE6\x98\xAF" /* 是 */, "\xE4\xB8\xBA" /* 为 */,
                                        "\xE7\xAD\x89\xE4\xBA\x8E" /* 等于 */, "\xE7\x82\xBA" /* 為 */, "\xE3\x81\xAF" /* は */,
                                        "\xE2\x80\x94" /* — */, "\xE0\xB8\x84\xE0\xB8\xB7\xE0\xB8\xAD" /* คือ */, "\xE9\x80\x89" /* 选 */,
                                        "\xE0\xA6\xB9\xE0\xA6\xB2" /* হল */};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++)
        if (r1i_slice_word_at(t, i, words[k])) return strlen(words[k]);
    for (size_t k = 0; k < sizeof signs / sizeof *signs; k++)
        if (r1i_slice_has_at(t, i, signs[k])) return strlen(signs[k]);
    return t.s[i] == ':' || t.s[i] == '=' || t.s[i] == '>' ? 1 : 0; /* "answer => 5" */
}

/* Whether only markup stands between a noun's end and its line's end, so that it is a heading. */
static bool heading_ends(r1i_slice t, size_t i)
{
    while (i < t.n && t.s[i] != '\n') {
        const size_t blank = r1i_slice_blank(t, i);
        if (!blank && !(t.s[i] == '*' || t.s[i] == '_' || t.s[i] == '#' || t.s[i] == ':')) return false;
        i += blank ? blank : 1;
    }
    return i < t.n;
}

/* Where the answer's sentence begins, given the end of a noun; t.n where nothing links it. A link behind the next noun
 * is that noun's, which was tried before. */
static size_t linked(r1i_slice t, size_t noun_end, size_t next_noun, bool direct)
{
    if (heading_ends(t, noun_end)) return noun_end;
    const size_t limit = next_noun - noun_end > LINK_WINDOW ? noun_end + LINK_WINDOW : next_noun;
    for (size_t i = noun_end; i < limit;) {
        const size_t n = link_at(t, i);
        if (n > 0) {
            size_t at = i + n;
            for (size_t more, gap; at < t.n;) { /* "is:", "is therefore", "should be =" */
                for (gap = 0; r1i_slice_blank(t, at + gap) > 0;) gap += r1i_slice_blank(t, at + gap);
                if (at + gap < t.n && (more = link_at(t, at + gap)) > 0) at += gap + more;
                else break;
            }
            return at;
        }
        if (t.s[i] == '\n' || (t.s[i] == '.' && i + 1 < t.n && r1i_slice_blank(t, i + 1))) break;
        i++;
    }
    return direct ? noun_end : t.n;
}

/* Bytes of the noun at i, 0 where there is none. */
static size_t noun_at(r1i_slice t, size_t i, bool *direct)
{
    for (size_t k = 0; k < sizeof nouns / sizeof *nouns; k++) {
        if (!(nouns[k].letters ? r1i_slice_word_at(t, i, nouns[k].text) : r1i_slice_has_at(t, i, nouns[k].text)))
            continue;
        *direct = nouns[k].direct;
        return strlen(nouns[k].text);
    }
    return 0;
}

/* "final answer", "最终答案": outranks a later plain "answer". */
static bool is_final(r1i_slice t, size_t noun_begin)
{
    const r1i_slice before = r1i_slice_trim_prose(r1i_slice_cut(t, noun_begin > 16 ? noun_begin - 16 : 0, noun_begin));
    static const char *const words[] = {"final", "\xE6\x9C\x80\xE7\xBB\x88" /* 最终 */, "\xE6\x9C\x80\xE5\x90\x8E" /* 最后 */};
    for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
        const size_t n = strlen(words[k]);
        if (before.n >= n && r1i_slice_has_at(before, before.n - n, words[k])) return true;
    }
    return false;
}

static bool names_answer(r1i_slice line)
{
    bool direct;
    for (size_t i = 0; i < line.n && i < 40; i++)
        if (noun_at(line, i, &direct)) return true;
    return false;
}

/* ---- the ways ---------------------------------------------------------------------------------------------------- */

bool r1i_find_hashes(r1i_slice part, r1i_candidates *out)
{
    *out = (r1i_candidates){.why = "no line of ####"};
    for (size_t i = part.n; i-- > 0;) {
        if (part.s[i] != '#' || part.n - i < 4 || memcmp(part.s + i, "####", 4) != 0) continue;
        if (i > 0 && part.s[i - 1] == '#') continue;
        size_t begin = i + 4;
        while (begin < part.n && part.s[begin] == '#') begin++;
        const char *const end = memchr(part.s + begin, '\n', part.n - begin);
        const r1i_slice line = r1i_slice_trim_prose(r1i_slice_cut(part, begin, end ? (size_t)(end - part.s) : part.n));
        if (line.n == 0 || names_answer(line)) continue; /* a heading of Markdown */
        r1i_candidate(out, line);
        r1i_read_sentence(line, out);
        out->why = "after ####";
        return true;
    }
    return false;
}

bool r1i_find_phrase(r1i_slice part, r1i_candidates *out)
{
    *out = (r1i_candidates){.why = "no phrase that announces an answer"};
    r1i_slice plain = {0}, final = {0};
    size_t next = part.n;
    for (size_t i = part.n; i-- > 0 && !final.n;) {
        bool direct;
        const size_t n = noun_at(part, i, &direct);
        if (n == 0) continue;
        const bool outranks = is_final(part, i);
        const size_t begin = plain.n && !outranks ? part.n : linked(part, i + n, next, direct);
        next = i;
        if (begin >= part.n) continue;
        const r1i_slice sentence = sentence_at(part, begin);
        if (sentence.n == 0) continue;
        if (outranks) final = sentence;
        else plain = sentence;
    }
    const r1i_slice best = final.n ? final : plain;
    if (best.n == 0) return false;
    enum { OPENING = 40, MORE = 80 };
    const size_t begin = (size_t)(best.s - part.s), end = begin + best.n;
    out->opening = !final.n && begin < OPENING && part.n - end > MORE;
    if (out->opening) r1i_candidate(out, best);
    else r1i_read_sentence(best, out);
    out->why = "after a phrase that announces the answer";
    return true;
}

bool r1i_find_bare(r1i_slice part, r1i_candidates *out)
{
    enum { LONGEST = 2048 };
    *out = (r1i_candidates){.why = "not a bare answer"};
    const r1i_slice text = r1i_slice_trim(part);
    if (text.n == 0 || text.n > LONGEST) return false;
    r1i_candidate(out, text);
    r1i_candidate(out, r1i_slice_trim_prose(text));
    out->why = "the whole text";
    return true;
}

/* Where the last sentence of a line begins. */
static size_t last_sentence(r1i_slice line)
{
    for (size_t i = line.n; i-- > 1;) {
        const size_t blank = r1i_slice_blank(line, i);
        if (blank && strchr(".!?", line.s[i - 1]) && line.s[i - 1] && i + blank < line.n) return i + blank;
        if (r1i_slice_has_at(line, i, "\xE3\x80\x82") && i + 3 < line.n) return i + 3; /* 。 */
    }
    return 0;
}

/* Whether a reading is all of the text: a bare formula, which was read as such before ("3+5=7" is no 7). */
static bool covers(r1i_slice whole, r1i_slice reading)
{
    return reading.s <= whole.s + 2 && reading.s + reading.n + 2 >= whole.s + whole.n;
}

/* The last sentence that has a formula or a number in it, among the last lines. */
bool r1i_find_last(r1i_slice part, r1i_candidates *out)
{
    enum { TAIL = 2000, SHORT = 40 };
    *out = (r1i_candidates){.why = "no formula or number at the end"};
    const r1i_slice whole = r1i_slice_trim_prose(part);
    r1i_slice tail = part.n > TAIL ? r1i_slice_from(part, part.n - TAIL) : part;
    while (tail.n > 0) {
        const r1i_slice text = r1i_slice_trim(tail);
        const char *const line = memrchr(text.s, '\n', text.n);
        r1i_slice last = line ? r1i_slice_from(text, (size_t)(line - text.s) + 1) : text;
        last = r1i_slice_from(last, last_sentence(last));
        /* a line of "\]" or "$$" closes a formula of several lines: take them together */
        const bool closes = last.n <= 2 && last.n > 0 && strchr("\\$]", last.s[0]);
        r1i_read_inside(closes ? text : last, false, text.n == r1i_slice_trim(part).n && text.n <= SHORT, out);
        if (out->n > 0) out->why = "the last formula or number";
        if (out->n == 0 && out->hedged) {
            out->refused = true;
            out->why = "the last sentence offers several answers";
            return true;
        }
        for (int i = 0; i < out->n; i++)
            if (covers(whole, out->item[i])) {
                out->n = 0;
                return false;
            }
        if (out->n > 0 || closes) return out->n > 0;
        tail = r1i_slice_cut(text, 0, (size_t)(last.s - text.s));
    }
    return false;
}
