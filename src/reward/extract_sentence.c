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

static bool has_word(r1i_slice t, const char *word)
{
    for (size_t i = 0; i < t.n; i++)
        if (r1i_slice_word_at(t, i, word)) return true;
    return false;
}

/* Whether the last word of t has something of a formula in it: "5", "$x$", "(a)". */
static bool ends_in_formula(r1i_slice t)
{
    size_t i = t.n;
    while (i > 0 && !r1i_slice_blank(t, i - 1)) i--;
    for (; i < t.n; i++)
        if (r1i_is_digit(t.s[i]) || strchr("$})]", t.s[i])) return true;
    return false;
}

/* "5 or 6", "either 5", "between 3 and 5": several answers are offered, so that none of their numbers may be picked
 * out. In a sentence that announces the answer also any other "or", "not 5", "at least 5". */
static bool hedged(r1i_slice t, r1i_slice piece, bool announced)
{
    static const char *const chinese[] = {"\xE6\x88\x96" /* 或 */, "\xE6\x88\x96\xE8\x80\x85" /* 或者 */}, *const both[] = {"either", "between"}, *const or[] = {"or"};
    static const char *const doubts[] = {"not", "least", "most", "than", "maybe", "perhaps", "possibly", "\xE4\xB8\x8D\xE6\x98\xAF" /* 不是 */};
    const size_t begin = (size_t)(piece.s - t.s);
    r1i_slice left = r1i_slice_trim_prose(r1i_slice_cut(t, 0, begin));
    const r1i_slice right = r1i_slice_trim_prose(r1i_slice_cut(t, begin + piece.n, t.n));
    if (r1i_slice_word_at(right, 0, "or") || r1i_slice_has_at(right, 0, chinese[0]) || ends_with_word(left, chinese, 2))
        return true;
    if (ends_with_word(left, both, 2) || has_word(left, "either")) return true;
    if (announced && (has_word(t, "or") || ends_with_word(left, doubts, sizeof doubts / sizeof *doubts))) return true;
    if (!ends_with_word(left, or, 1)) return false;
    left.n -= 2;
    return ends_in_formula(r1i_slice_trim(left));
}

/* What gives the reason is not the answer: "5 apples because 2 + 3 = 5". */
static r1i_slice before_reason(r1i_slice t)
{
    static const char *const words[] = {"because", "since", "\xE5\x9B\xA0\xE4\xB8\xBA" /* 因为 */};
    for (size_t i = 1; i < t.n; i++)
        for (size_t k = 0; k < sizeof words / sizeof *words; k++)
            if (r1i_is_alpha(words[k][0]) ? r1i_slice_word_at(t, i, words[k]) : r1i_slice_has_at(t, i, words[k])) {
                for (size_t j = 0; j < i; j++)
                    if (r1i_is_digit(t.s[j])) return r1i_slice_cut(t, 0, i);
                return t;
            }
    return t;
}

/* Bytes of what joins two parts of one answer, "," or "and" or both, white space around it included; 0 where something
 * else stands. */
static size_t joint_at(r1i_slice t, size_t i)
{
    static const char *const joints[] = {",", "and", "&", "\xE3\x80\x81" /* 、 */, "\xE5\x92\x8C" /* 和 */, "\xEF\xBC\x8C" /* ， */};
    size_t at = i, n;
    bool seen = false;
    for (;;) {
        while ((n = r1i_slice_blank(t, at)) > 0) at += n;
        size_t k = 0, length = 0;
        for (; k < sizeof joints / sizeof *joints && !length; k++)
            if (r1i_is_alpha(joints[k][0]) ? r1i_slice_word_at(t, at, joints[k]) : r1i_slice_has_at(t, at, joints[k]))
                length = strlen(joints[k]);
        if (!length) return seen ? at - i : 0;
        seen = true;
        at += length;
    }
}

/* The first or the last formula of a sentence with all that are joined to it: "$1$, $2$ and $3$" is one answer, dollars
 * and all (*several). */
static bool formulas(r1i_slice t, bool first, r1i_slice *out, bool *several)
{
    bool found = false;
    for (size_t i = 0; i < t.n;) {
        r1i_slice inside, next;
        size_t n = r1i_formula_at(t, i, &inside);
        if (n == 0 || inside.n == 0) {
            i += n ? n : t.s[i] == '\\' ? 2 : 1;
            continue;
        }
        size_t end = i + n;
        *out = inside;
        *several = false;
        for (size_t joint; (joint = joint_at(t, end)) > 0 && (n = r1i_formula_at(t, end + joint, &next)) > 0;) {
            end += joint + n;
            *out = r1i_slice_cut(t, i, end);
            *several = true;
        }
        found = true;
        if (first) break;
        i = end;
    }
    return found;
}

/* Numbers joined to a number in prose, before or behind it: an answer in parts, of which none may be picked out. */
static bool joined(r1i_slice t, r1i_slice piece)
{
    const size_t begin = (size_t)(piece.s - t.s), end = begin + piece.n, n = joint_at(t, end);
    if (n > 0 && end + n < t.n && (r1i_is_digit(t.s[end + n]) || strchr("$\\(", t.s[end + n]))) return true;
    const r1i_slice left = r1i_slice_trim(r1i_slice_cut(t, 0, begin));
    const bool comma = left.n > 1 && left.s[left.n - 1] == ',',
               and = left.n > 4 && r1i_slice_has_at(left, left.n - 4, " and");
    const r1i_slice before = r1i_slice_trim(r1i_slice_cut(left, 0, left.n - (comma ? 1 : and ? 4 : 0)));
    return (comma || and) && before.n > 0 && (r1i_is_digit(before.s[before.n - 1]) || before.s[before.n - 1] == '$');
}

/* A number in quotes is program text or somebody's words: print("5"). */
static bool quoted(r1i_slice t, r1i_slice piece)
{
    const size_t end = (size_t)(piece.s - t.s) + piece.n;
    return end < t.n && (t.s[end] == '\'' || t.s[end] == '"');
}

/* "9 * 2 = $18", "x = 30 / 2 = 15": left of the last '=' only numbers, or another '=', so that the right side is the
 * answer and not an equation. */
static bool calculation(r1i_slice piece, r1i_slice right)
{
    bool digit = false, letter = false;
    int equals = 0;
    if (right.n == 0 || right.n == piece.n) return false;
    for (size_t i = 0; i < right.n && !digit; i++) digit = r1i_is_digit(right.s[i]) || right.s[i] == '\\';
    if (!digit) return false; /* "10 = b" */
    digit = false;
    for (const char *c = piece.s; c < right.s; c++) {
        letter |= r1i_is_alpha(*c) && !(*c == 'x' && c > piece.s && c[-1] == ' ' && c[1] == ' '); /* 20 x $68 */
        digit |= r1i_is_digit(*c);
        equals += *c == '=';
        if (*c == ',' && !r1i_is_digit(c[1])) return false; /* "a = 2, a = 3" */
    }
    return digit && (!letter || equals > 1);
}

/* "370g", "12m": a unit of one letter at the end of a number in prose. */
static r1i_slice without_unit(r1i_slice t)
{
    if (t.n < 2 || !strchr("gmhLs", t.s[t.n - 1])) return t;
    for (size_t i = 0; i + 1 < t.n; i++)
        if (!r1i_is_digit(t.s[i]) && !strchr(".,$-", t.s[i])) return t;
    return r1i_slice_cut(t, 0, t.n - 1);
}

void r1i_read_inside(r1i_slice sentence, bool first, bool announced, r1i_candidates *out)
{
    r1i_slice bold, formula, loose;
    sentence = before_reason(sentence);
    r1i_slice prose = sentence;
    if (r1i_bold_span(sentence, &bold)) r1i_candidate(out, r1i_slice_trim_prose(bold));
    bool several = false;
    const bool math = formulas(sentence, first, &formula, &several);
    if (math) { /* a number that stands nearer to the end in question than every formula goes before them */
        const size_t begin = (size_t)(formula.s - sentence.s), end = begin + formula.n;
        prose = first ? r1i_slice_cut(sentence, 0, begin) : r1i_slice_from(sentence, end);
    }
    r1i_slice piece = formula;
    const bool plain = r1i_loose_formula(prose, first, &loose);
    if (plain) piece = loose;
    else if (!math) return;
    if (hedged(sentence, piece, announced)) {
        out->hedged = true;
        return;
    }
    if ((plain && joined(sentence, piece)) || quoted(sentence, piece)) return;
    if (several && !plain) {
        r1i_candidate(out, piece);
        return;
    }
    const r1i_slice right = r1i_right_side(piece);
    if (calculation(piece, right)) r1i_candidate(out, plain ? without_unit(right) : right);
    r1i_candidate(out, plain ? without_unit(piece) : piece);
    r1i_candidate(out, right);
}

void r1i_read_sentence(r1i_slice sentence, r1i_candidates *out)
{
    sentence = r1i_slice_trim_prose(sentence);
    r1i_candidate(out, sentence);
    r1i_read_inside(sentence, true, true, out);
}
