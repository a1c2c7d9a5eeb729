/* UTF-8 for the tokenizer: a strict decoder that names the size of each ill-formed part, and an unchecked one for text
 * that has passed it. Ill-formed text is mended once, at the door; everything behind works on valid UTF-8. */
#ifndef R1I_TOK_UTF8_H
#define R1I_TOK_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum r1i_utf8_kind {
    R1I_UTF8_OK,
    R1I_UTF8_BAD,    /* no continuation can make these bytes a character */
    R1I_UTF8_PARTIAL /* a good beginning that the end of the input cuts off */
} r1i_utf8_kind;

typedef struct r1i_utf8 {
    r1i_utf8_kind kind;
    unsigned size; /* bytes of the character, or of the maximal ill-formed part (1 to 3) */
} r1i_utf8;

/* Look at p[0..n), n > 0. The maximal part is Unicode's "maximal subpart" (CPython "replace", WHATWG). */
r1i_utf8 r1i_utf8_check(const uint8_t *p, size_t n);

/* Bytes of the longest well-formed prefix. */
size_t r1i_utf8_valid_prefix(const uint8_t *p, size_t n);

/* Copy p[0..n) with U+FFFD for each ill-formed part; out holds at least 3 * n bytes. Returns the bytes written. With
 * keep_partial a cut-off character at the end is left alone and *left says how many bytes it has. */
size_t r1i_utf8_mend(uint8_t *out, const uint8_t *p, size_t n, bool keep_partial, size_t *left);

/* The character at p of well-formed text, and its size. */
static inline uint32_t r1i_utf8_get(const uint8_t *p, unsigned *size)
{
    const uint32_t a = p[0];
    if (a < 0x80) {
        *size = 1;
        return a;
    }
    if (a < 0xE0) {
        *size = 2;
        return (a & 0x1Fu) << 6 | (p[1] & 0x3Fu);
    }
    if (a < 0xF0) {
        *size = 3;
        return (a & 0x0Fu) << 12 | (p[1] & 0x3Fu) << 6 | (p[2] & 0x3Fu);
    }
    *size = 4;
    return (a & 0x07u) << 18 | (p[1] & 0x3Fu) << 12 | (p[2] & 0x3Fu) << 6 | (p[3] & 0x3Fu);
}

/* Where the character before p[i] begins (i > 0, well-formed text). */
static inline size_t r1i_utf8_back(const uint8_t *p, size_t i)
{
    do i--;
    while (i > 0 && (p[i] & 0xC0) == 0x80);
    return i;
}

/* UTF-8 of a scalar value; returns its bytes (1 to 4). */
unsigned r1i_utf8_put(uint8_t out[4], uint32_t cp);

#endif
