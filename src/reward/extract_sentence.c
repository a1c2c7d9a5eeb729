/* Readings of a sentence that is said to hold an answer, and the end of such a sentence. */
#include "reward/extract.h"
#include "reward/extract_math.h"

void r1i_candidate(r1i_candidates *out, r1i_slice text)
{
    if (text.n == 0 || out->n == R1I_CANDIDATES) return;
    for (int i = 0; i < out->n; i++)
        if (out->item[i].s == text.s && out->item[i].n == text.n) return;
    out->item[out->n++] = text;
}

/* Whether a word of the list stands at t's end, before it white space or nothing. */
static bool ends_with_word(r1i_slice t, const char *const *words, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const size_t length = strlen(words[k]);
        if (t.n >= length && r1i_slice_has_at(t, t.n - length, words[k]) &&
            (!r1i_is_alpha(words[k][0]) || t.n == length || !r1i_is_alpha(t.s[t.n - length - 1])))
            return true;
    }
    return false;
}

/* "5 or 6", "either 5", "between 3 and 5": several answers are offered, so that none of their numbers may be picked out. In a sentence
 * that announces the answer also "not 5", "at least 5": that is no answer. */
static bool hedged(r1i_slice t, r1i_slice piece, bool announced)
{
    static const char *const before[] = {"or", "either", "between", "or $", "or \\(", "or is", "or it is", "\xE6\x88\x96" /* 或 */, "\xE6\x88\x96\xE8\x80\x85" /* 或者 */};
    static const char *const doubts[] = {"not", "least", "most", "than", "maybe", "perhaps", "possibly", "\xE4\xB8\x8D\xE6\x98\xAF" /* 不是 */};
    const size_t begin = (size_t)(piece.s - t.s);
    const r1i_slice left = r1i_slice_trim_prose(r1i_slice_cut(t, 0, begin));
    const r1i_slice right = r1i_slice_trim_prose(r1i_slice_cut(t, begin + piece.n, t.n));
    if (ends_with_word(left, before, sizeof before / sizeof *before)) return true;
    if (r1i_slice_word_at(right, 0, "or") || r1i_slice_has_at(right, 0, before[7])) return true;
    return announced && ends_with_word(left, doubts, sizeof doubts / sizeof *doubts);
}

/* Two formulas or numbers joined by a comma or "and": an answer in parts, not to be cut. */
static bool joined(r1i_slice t, r1i_slice piece)
{
    const r1i_slice after = r1i_slice_trim(r1i_slice_cut(t, (size_t)(piece.s - t.s) + piece.n, t.n));
    const bool more = r1i_slice_word_at(after, 0, "and") || r1i_slice_has_at(after, 0, ",") || r1i_slice_has_at(after, 0, "&");
    if (!more) return false;
    const r1i_slice rest = r1i_slice_trim(r1i_slice_from(after, after.s[0] == ',' || after.s[0] == '&' ? 1 : 3));
    return rest.n > 0 && (rest.s[0] == '$' || rest.s[0] == '\\' || rest.s[0] == '(' || r1i_is_digit(rest.s[0]));
}

void r1i_read_inside(r1i_slice sentence, bool announced, r1i_candidates *out)
{
    r1i_slice bold, formula, loose, prose = sentence;
    if (r1i_bold_span(sentence, &bold)) r1i_candidate(out, r1i_slice_trim_prose(bold));
    const bool math = r1i_math_span(sentence, announced, &formula);
    if (math) { /* a number that stands nearer to the end in question than every formula goes before them */
        const size_t begin = (size_t)(formula.s - sentence.s), end = begin + formula.n;
        prose = announced ? r1i_slice_cut(sentence, 0, begin) : r1i_slice_from(sentence, end);
    }
    r1i_slice piece = formula;
    if (r1i_loose_formula(prose, announced, &loose)) piece = loose;
    else if (!math) return;
    if (joined(sentence, piece) || hedged(sentence, piece, announced)) return;
    r1i_candidate(out, piece);
    r1i_candidate(out, r1i_right_side(piece));
}

void r1i_read_sentence(r1i_slice sentence, r1i_candidates *out)
{
    sentence = r1i_slice_trim_prose(sentence);
    r1i_candidate(out, sentence);
    r1i_read_inside(sentence, true, out);
}
