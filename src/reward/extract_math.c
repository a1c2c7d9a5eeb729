#include "reward/extract_math.h"

/* ---- between delimiters ------------------------------------------------------------------------------------------ */

/* Whether text between two dollars reads as prose, so that the first of them was money: two words of letters side by
 * side. */
static bool prose(r1i_slice t)
{
    size_t words = 0, letters = 0;
    for (size_t i = 0; i <= t.n; i++) {
        if (i < t.n && t.s[i] == '\\') { /* commands, and what \text holds, are no prose */
            if (r1i_slice_has_at(t, i, "\\text") || r1i_slice_has_at(t, i, "\\mbox") ||
                r1i_slice_has_at(t, i, "\\mathrm")) return false;
            do i++;
            while (i < t.n && r1i_is_alpha(t.s[i]));
            letters = 0;
            if (i == t.n) break;
        }
        if (i < t.n && r1i_is_alpha(t.s[i])) {
            letters++;
            continue;
        }
        if (letters >= 2) words++;
        else if (letters > 0 || (i < t.n && !r1i_slice_blank(t, i))) words = 0;
        letters = 0;
        if (words >= 2) return true;
    }
    return false;
}

typedef struct delimiter {
    r1i_slice open, close;
} delimiter;

/* Opening delimiter at i; false where there is none. */
static bool opens(r1i_slice t, size_t i, delimiter *d)
{
    static const delimiter all[] = {{{"$$", 2}, {"$$", 2}}, {{"\\[", 2}, {"\\]", 2}}, {{"\\(", 2}, {"\\)", 2}},
                                    {{"$", 1}, {"$", 1}}};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++)
        if (t.n - i >= all[k].open.n && memcmp(t.s + i, all[k].open.s, all[k].open.n) == 0) {
            *d = all[k];
            return true;
        }
    return false;
}

/* Where the delimiter closes; t.n where it does not. A backslash hides the dollar after it. */
static size_t closing(r1i_slice t, size_t from, r1i_slice close)
{
    for (size_t i = from; i + close.n <= t.n; i++) {
        if (memcmp(t.s + i, close.s, close.n) == 0) return i;
        if (close.n == 1 && t.s[i] == '\n' && i + 1 < t.n && t.s[i + 1] == '\n') return t.n; /* not across paragraphs */
        if (t.s[i] == '\\') i++;
    }
    return t.n;
}

size_t r1i_formula_at(r1i_slice t, size_t i, r1i_slice *inside)
{
    delimiter d;
    if (!opens(t, i, &d)) return 0;
    const size_t begin = i + d.open.n, end = closing(t, begin, d.close);
    if (end == t.n) return 0;
    const r1i_slice text = r1i_slice_cut(t, begin, end);
    if (d.open.n == 1 && begin < end && r1i_is_digit(t.s[begin])) { /* "$4 = $12", "$5 and not $6" */
        if (r1i_slice_blank(t, end - 1) || (end + 1 < t.n && r1i_is_digit(t.s[end + 1])) || prose(text)) return 0;
    }
    if (inside) *inside = r1i_slice_trim(text);
    return end + d.close.n - i;
}

bool r1i_bold_span(r1i_slice t, r1i_slice *out)
{
    const r1i_slice mark = R1I_SLICE("**");
    const size_t begin = r1i_slice_find(t, 0, mark);
    if (begin == t.n) return false;
    const size_t end = r1i_slice_find(t, begin + 2, mark);
    if (end == t.n) return false;
    *out = r1i_slice_cut(t, begin + 2, end);
    return out->n > 0;
}

r1i_slice r1i_right_side(r1i_slice t)
{
    static const char approximately[] = "\xE2\x89\x88"; /* ≈ */
    size_t depth = 0, begin = 0;
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.s[i];
        if (c == '{' || c == '(' || c == '[') depth++;
        else if ((c == '}' || c == ')' || c == ']') && depth > 0) depth--;
        if (depth > 0) continue;
        if (c == '=' && (i == 0 || !strchr("<>!=", t.s[i - 1])) && (i + 1 == t.n || t.s[i + 1] != '=')) begin = i + 1;
        if (r1i_slice_has_at(t, i, approximately)) begin = i + 3;
        if (r1i_slice_has_at(t, i, "\\approx")) begin = i + 7;
    }
    return r1i_slice_trim(r1i_slice_from(t, begin));
}

/* ---- loose ------------------------------------------------------------------------------------------------------- */

/* Bytes of a sign at i that can stand inside a formula: ASCII operators, and the usual ones beyond. */
static size_t formula_sign(r1i_slice t, size_t i)
{
    static const char *const beyond[] = {"\xC3\x97" /* × */, "\xC3\xB7" /* ÷ */, "\xC2\xB7" /* · */, "\xE2\x88\x92" /* − */,
                                         "\xE2\x88\x9A" /* √ */, "\xCF\x80" /* π */, "\xC2\xB2" /* ² */, "\xC2\xB3" /* ³ */,
                                         "\xC2\xB0" /* ° */, "\xE2\x88\x9E" /* ∞ */, "\xE2\x89\x88" /* ≈ */, "\xC2\xB1" /* ± */,
                                         "\xC2\xBD" /* ½ */, "\xC2\xBC" /* ¼ */, "\xC2\xBE" /* ¾ */, "\xC2\xA3" /* £ */,
                                         "\xE2\x82\xAC" /* € */, "\xC2\xA5" /* ¥ */};
    if (strchr("+-*/^=%(){}[]|<>_$!&", t.s[i]) && t.s[i]) return 1;
    for (size_t k = 0; k < sizeof beyond / sizeof *beyond; k++)
        if (r1i_slice_has_at(t, i, beyond[k])) return strlen(beyond[k]);
    return 0;
}

/* " 000" at i: a group of thousands behind a space. */
static bool thousands_at(r1i_slice t, size_t i)
{
    size_t before = 0;
    while (before < i && before < 4 && r1i_is_digit(t.s[i - 1 - before])) before++;
    if (before == 0 || before == 4 || t.n - i < 4 || t.s[i] != ' ') return false;
    return r1i_is_digit(t.s[i + 1]) && r1i_is_digit(t.s[i + 2]) && r1i_is_digit(t.s[i + 3]) &&
        (i + 4 == t.n || !r1i_is_digit(t.s[i + 4]));
}

/* Bytes of a formula's token at i, 0 where prose goes on: number, sign, LaTeX command, a single letter or a function's
 * name. */
static size_t formula_token(r1i_slice t, size_t i)
{
    static const char *const names[] = {"sqrt", "pi", "sin", "cos", "tan", "log", "ln", "exp"};
    size_t n = 0;
    if (r1i_is_digit(t.s[i]) || (t.s[i] == '.' && i + 1 < t.n && r1i_is_digit(t.s[i + 1]))) {
        while (i + n < t.n && (r1i_is_digit(t.s[i + n]) ||
                               ((t.s[i + n] == '.' || t.s[i + n] == ',' || t.s[i + n] == ':') && i + n + 1 < t.n &&
                                r1i_is_digit(t.s[i + n + 1]))))
            n++;
        while (n <= 11 && thousands_at(t, i + n)) n += 4;
        return n;
    }
    if (t.s[i] == '\\') {
        n = 1;
        while (i + n < t.n && r1i_is_alpha(t.s[i + n])) n++;
        return n > 1 ? n : i + 1 < t.n ? 2 : 0;
    }
    if (r1i_is_alpha(t.s[i])) {
        while (i + n < t.n && r1i_is_alpha(t.s[i + n])) n++;
        if (n == 1) return 1;
        for (size_t k = 0; k < sizeof names / sizeof *names; k++)
            if (n == strlen(names[k]) && r1i_slice_has_at(t, i, names[k])) return n;
        return 0;
    }
    return formula_sign(t, i);
}

typedef struct run {
    size_t begin, end; /* first token .. after the last */
    bool number;       /* holds a digit */
    bool noted;        /* begins after a calculator's note, so it is a result */
} run;

/* Bytes of a calculator's note at i, "<<48/2=24>>", as the solutions of GSM8K have them. */
static size_t annotation_at(r1i_slice t, size_t i)
{
    if (t.n - i < 2 || t.s[i] != '<' || t.s[i + 1] != '<') return 0;
    for (size_t k = i + 2; k + 1 < t.n && t.s[k] != '\n' && k - i < 200; k++)
        if (t.s[k] == '>' && t.s[k + 1] == '>') return k + 2 - i;
    return 0;
}

/* Whether the letter x at i stands between spaces before a number: "20 x $68". */
static bool times_at(r1i_slice t, size_t i)
{
    const size_t blank = r1i_slice_blank(t, i + 1), next = i + 1 + blank;
    return blank > 0 && next < t.n &&
        (r1i_is_digit(t.s[next]) || t.s[next] == '$' || t.s[next] == '(' || t.s[next] == '.');
}

/* The run of formula tokens from i: white space may stand between them, prose and punctuation end it, and so do two
 * operands side by side ("72 2 apples"). */
static run formula_run(r1i_slice t, size_t i)
{
    run r = {.begin = i, .end = i};
    bool operand = false;
    size_t depth = 0; /* of brackets: inside them commas belong to the formula, "(2, 3)" */
    while (i < t.n) {
        size_t blank = 0, n;
        while ((n = r1i_slice_blank(t, i + blank)) > 0 && t.s[i + blank] != '\n') blank += n;
        const size_t note = i + blank < t.n ? annotation_at(t, i + blank) : 0;
        if (note) {
            i += blank + note;
            r = (run){.begin = i, .end = i, .noted = true};
            operand = false;
            continue;
        }
        if (i + blank >= t.n) break;
        n = formula_token(t, i + blank);
        const char c = t.s[i + blank];
        if (n == 0 && c == ',' && depth > 0) n = 1;
        if (n == 0) break;
        if (c == '(' || c == '[' || c == '{') depth++;
        else if ((c == ')' || c == ']' || c == '}') && depth > 0) depth--;
        const bool times = c == 'x' && n == 1 && blank && operand && times_at(t, i + blank);
        const bool value = !times && (r1i_is_digit(c) || c == '.' || r1i_is_alpha(c));
        if (blank && value && operand) break;
        if (r1i_is_alpha(c) && n == 1 && blank && !operand && r.end == r.begin) break; /* "a 5" */
        operand = value;
        for (size_t k = 0; k < n; k++) r.number |= r1i_is_digit(t.s[i + blank + k]);
        i += blank + n;
        r.end = i;
    }
    return r;
}

/* Operators and openers left over at either end are punctuation of the prose. */
static r1i_slice without_loose_ends(r1i_slice t)
{
    t = r1i_slice_trim(t);
    while (t.n && (strchr("=+*/^%)}]_&|<>!", t.s[0]) || (t.s[0] == '-' && t.n > 1 && t.s[1] == ' ')) && t.s[0])
        t = r1i_slice_trim(r1i_slice_from(t, 1));
    while (t.n && strchr("=+-*/^({[_$&<", t.s[t.n - 1])) t = r1i_slice_trim(r1i_slice_cut(t, 0, t.n - 1));
    size_t depth = 0, opened = t.n;
    for (size_t i = 0; i < t.n; i++) { /* "(72"; an interval may close otherwise than it opened */
        if (t.s[i] == '(' || t.s[i] == '[') {
            if (depth++ == 0) opened = i;
        } else if (t.s[i] == ')' || t.s[i] == ']') {
            if (depth == 0) return r1i_slice_trim(r1i_slice_cut(t, 0, i));
            depth--;
        }
    }
    if (depth > 0 && opened == 0) return r1i_slice_trim(r1i_slice_from(t, 1));
    return t;
}

/* Whether a run of formula tokens ends in "= number"; before its '=' prose may have stood ("12 eggs = 12"). */
static bool is_result(r1i_slice text)
{
    const r1i_slice right = r1i_right_side(text);
    return right.n > 0 && right.n < text.n && (r1i_is_digit(right.s[right.n - 1]) || right.s[right.n - 1] == '%');
}

bool r1i_loose_formula(r1i_slice t, bool first, r1i_slice *out)
{
    bool found = false, result = false;
    for (size_t i = 0; i < t.n;) {
        if (r1i_is_alpha(t.s[i]) && (i == 0 || t.s[i - 1] != '\\')) { /* a word of prose is stepped over whole */
            size_t n = 1;
            while (i + n < t.n && (r1i_is_alpha(t.s[i + n]) || t.s[i + n] == '\'')) n++;
            if (formula_token(t, i) == 0) {
                while (i + n < t.n && r1i_is_digit(t.s[i + n])) n++; /* "H2O", "step2" */
                i += n;
                continue;
            }
        }
        if (formula_token(t, i) == 0) {
            i++;
            continue;
        }
        const run r = formula_run(t, i);
        if (r.number) {
            const r1i_slice whole = r1i_slice_cut(t, r.begin, r.end), text = without_loose_ends(whole);
            /* what a calculation came to outranks numbers behind it: "3 * 4 = 12 eggs in 2 days" */
            const bool equals = r.noted || is_result(whole);
            if (text.n && (equals || (first ? !found : !result))) {
                *out = text;
                found = true;
                result = equals;
            }
        }
        i = r.end > i ? r.end : i + 1;
    }
    return found;
}
