#include "reward/slice.h"

bool r1i_slice_has_at(r1i_slice t, size_t i, const char *word)
{
    for (; *word; word++, i++)
        if (i >= t.n || r1i_lower(t.s[i]) != *word) return false;
    return true;
}

static bool word_byte(char c) { return r1i_is_alpha(c) || r1i_is_digit(c); }

bool r1i_slice_word_at(r1i_slice t, size_t i, const char *word)
{
    const size_t n = strlen(word);
    return r1i_slice_has_at(t, i, word) && (i == 0 || !word_byte(t.s[i - 1])) &&
        (i + n >= t.n || !word_byte(t.s[i + n]));
}

size_t r1i_slice_find(r1i_slice t, size_t from, r1i_slice what)
{
    if (from > t.n) return t.n;
    const char *const at = memmem(t.s + from, t.n - from, what.s, what.n);
    return at ? (size_t)(at - t.s) : t.n;
}

size_t r1i_slice_find_last(r1i_slice t, r1i_slice what)
{
    for (size_t i = t.n < what.n ? 0 : t.n - what.n + 1; i-- > 0;)
        if (t.s[i] == what.s[0] && memcmp(t.s + i, what.s, what.n) == 0) return i;
    return t.n;
}

size_t r1i_slice_blank(r1i_slice t, size_t i)
{
    static const char ideographic[] = "\xE3\x80\x80", no_break[] = "\xC2\xA0";
    if (i >= t.n) return 0;
    const char c = t.s[i];
    if (c == ' ' || (c >= '\t' && c <= '\r')) return 1;
    if (t.n - i >= 2 && memcmp(t.s + i, no_break, 2) == 0) return 2;
    return t.n - i >= 3 && memcmp(t.s + i, ideographic, 3) == 0 ? 3 : 0;
}

/* Bytes of white space that end at t.n. */
static size_t blank_before_end(r1i_slice t)
{
    for (size_t size = 1; size <= 3 && size <= t.n; size++)
        if (r1i_slice_blank(t, t.n - size) == size) return size;
    return 0;
}

r1i_slice r1i_slice_trim(r1i_slice t)
{
    for (size_t n; (n = r1i_slice_blank(t, 0)) > 0;) t = r1i_slice_from(t, n);
    for (size_t n; (n = blank_before_end(t)) > 0;) t.n -= n;
    return t;
}

/* Bytes of the mark that begins (at_end: ends) the text and belongs to the prose around an answer, 0 where there is
 * none. */
static size_t prose_mark(r1i_slice t, bool at_end)
{
    static const char *const both[] = {"*", "_", "`", "\"", "\xE2\x80\x9C", "\xE2\x80\x9D"};
    static const char *const ends[] = {".", ",", ";", ":", "?", "\xE3\x80\x82" /* 。 */, "\xEF\xBC\x8C" /* ， */,
                                       "\xEF\xBC\x9B" /* ； */, "\xEF\xBC\x9A" /* ： */, "\xEF\xBC\x8E" /* ． */};
    const size_t n_both = sizeof both / sizeof *both, n_ends = sizeof ends / sizeof *ends;
    for (size_t k = 0; k < n_both + (at_end ? n_ends : 0); k++) {
        const char *const mark = k < n_both ? both[k] : ends[k - n_both];
        const size_t n = strlen(mark);
        if (n <= t.n && memcmp(at_end ? t.s + t.n - n : t.s, mark, n) == 0) return n;
    }
    return 0;
}

r1i_slice r1i_slice_trim_prose(r1i_slice t)
{
    t = r1i_slice_trim(t);
    for (size_t n; (n = prose_mark(t, false)) > 0;) t = r1i_slice_trim(r1i_slice_from(t, n));
    for (size_t n; (n = prose_mark(t, true)) > 0;) {
        if (t.n > 1 && t.s[t.n - 1] != '.' && t.s[t.n - 2] == '\\') break; /* \, \; \_ belong to LaTeX */
        t.n -= n;
        t = r1i_slice_trim(t);
    }
    return t;
}
