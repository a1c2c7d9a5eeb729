/* A piece of somebody else's bytes, with the few questions that extraction asks of it. Nothing here copies or
 * allocates, and
 * any byte may occur: NUL, broken UTF-8, a million braces. */
#ifndef R1I_SLICE_H
#define R1I_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct r1i_slice {
    const char *s;
    size_t n;
} r1i_slice;

#define R1I_SLICE(text) ((r1i_slice){(text), sizeof(text) - 1})

static inline r1i_slice r1i_slice_from(r1i_slice t, size_t begin) { return (r1i_slice){t.s + begin, t.n - begin}; }
static inline r1i_slice r1i_slice_cut(r1i_slice t, size_t begin, size_t end)
{
    return (r1i_slice){t.s + begin, end - begin};
}
static inline bool r1i_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool r1i_is_upper(char c) { return c >= 'A' && c <= 'Z'; }
static inline bool r1i_is_alpha(char c) { return (c >= 'a' && c <= 'z') || r1i_is_upper(c); }
static inline char r1i_lower(char c) { return r1i_is_upper(c) ? (char)(c - 'A' + 'a') : c; }
/* at t.s[i], letter case of ASCII ignored; word is written in lower case */
bool r1i_slice_has_at(r1i_slice t, size_t i, const char *word);
/* Whether word stands at i and no ASCII letter or digit touches it. */
bool r1i_slice_word_at(r1i_slice t, size_t i, const char *word);
/* First occurrence of bytes at or after `from`; t.n where there is none. */
size_t r1i_slice_find(r1i_slice t, size_t from, r1i_slice what);
/* Last occurrence; t.n where there is none. Linear. */
size_t r1i_slice_find_last(r1i_slice t, r1i_slice what);
/* Bytes of white space at i, 0 where there is none: ASCII, no-break, ideographic. */
size_t r1i_slice_blank(r1i_slice t, size_t i);
/* White space cut off at both ends. */
r1i_slice r1i_slice_trim(r1i_slice t);
/* The same with markup (* _ ` "), and at the end sentence punctuation, English and Chinese; a final '!' stays, it may
 * be a factorial. */
r1i_slice r1i_slice_trim_prose(r1i_slice t);

#endif
