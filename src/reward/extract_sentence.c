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

/* "5 or 6", "either ...", "between 3 and 5": several answers are offered, so no single number of it may be picked out. */
static bool hedged(r1i_slice t)
{
    static const char *const words[] = {"or", "either", "between", "maybe", "perhaps", "possibly", "not", "least", "most", "from"};
    static const char *const chinese[] = {"\xE6\x88\x96" /* 或 */, "\xE4\xB8\x8D\xE6\x98\xAF" /* 不是 */};
    for (size_t i = 0; i < t.n; i++) {
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (r1i_slice_word_at(t, i, words[k])) return true;
        for (size_t k = 0; k < sizeof chinese / sizeof *chinese; k++)
            if (r1i_slice_has_at(t, i, chinese[k])) return true;
    }
    return false;
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

void r1i_read_inside(r1i_slice sentence, bool first, r1i_candidates *out)
{
    r1i_slice bold, formula, loose, prose = sentence;
    if (hedged(sentence)) return;
    if (r1i_bold_span(sentence, &bold)) r1i_candidate(out, r1i_slice_trim_prose(bold));
    const bool math = r1i_math_span(sentence, first, &formula);
    if (math) { /* a number that stands nearer to the end in question than every formula goes before them */
        const size_t begin = (size_t)(formula.s - sentence.s), end = begin + formula.n;
        prose = first ? r1i_slice_cut(sentence, 0, begin) : r1i_slice_from(sentence, end);
    }
    if (r1i_loose_formula(prose, first, &loose) && !joined(sentence, loose)) {
        r1i_candidate(out, loose);
        r1i_candidate(out, r1i_right_side(loose));
    } else if (math && !joined(sentence, formula)) {
        r1i_candidate(out, formula);
        r1i_candidate(out, r1i_right_side(formula));
    }
}

void r1i_read_sentence(r1i_slice sentence, bool first, r1i_candidates *out)
{
    sentence = r1i_slice_trim_prose(sentence);
    r1i_candidate(out, sentence);
    r1i_read_inside(sentence, first, out);
}
