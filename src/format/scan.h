/* A strict JSON reader that walks bytes and builds no tree: a safetensors header or a shard index names up to a million
 * tensors, and a tree of them costs many times the file. Every error carries the offset of the first bad byte. */
#ifndef R1I_SCAN_H
#define R1I_SCAN_H

#include "base/error.h"

typedef struct r1i_scan {
    const uint8_t *data; /* borrowed */
    uint64_t size, pos;  /* bytes */
    uint64_t base;       /* added to pos in reported offsets: where data[0] lies in the file */
    r1_error *err;       /* nullable */
} r1i_scan;

/* A string literal, already validated (UTF-8, escapes, no U+0000): a view into the input until it is copied out. */
typedef struct r1i_scan_text {
    const uint8_t *raw;  /* between the quotes, escapes as written */
    uint64_t raw_bytes;
    uint64_t bytes;      /* decoded */
    uint64_t offset;     /* of the opening quote, base included */
} r1i_scan_text;

/* Length of the well-formed UTF-8 character at p (1 to 4), 0 when there is none within `left` bytes. */
int r1i_utf8_length(const uint8_t *p, uint64_t left);
bool r1i_utf8_valid(const uint8_t *p, uint64_t bytes);

/* R1_ERR_FORMAT at the scanner's position. */
r1_status r1i_scan_fail(const r1i_scan *s, const char *expected);
/* Next byte that is no white space, not consumed; -1 at the end. */
int r1i_scan_peek(r1i_scan *s);
r1_status r1i_scan_expect(r1i_scan *s, char c);
r1_status r1i_scan_string(r1i_scan *s, r1i_scan_text *out);
/* A plain non-negative integer up to INT64_MAX: no sign, fraction, exponent or leading zero. */
r1_status r1i_scan_u64(r1i_scan *s, uint64_t *out);
/* Any one value, validated and dropped. Nesting above 64 is refused. */
r1_status r1i_scan_skip(r1i_scan *s);
/* Walk an object whose '{' was consumed: *more false after its '}' was consumed, else the next key with its ':'. */
r1_status r1i_scan_key(r1i_scan *s, bool first, bool *more, r1i_scan_text *key);
/* Walk an array whose '[' was consumed: *more false after its ']' was consumed, else the scanner is at an element. */
r1_status r1i_scan_item(r1i_scan *s, bool first, bool *more);

bool r1i_scan_equal(const r1i_scan_text *t, const char *literal);
/* Decoded bytes and a NUL: dst[t->bytes + 1]. */
void r1i_scan_copy(const r1i_scan_text *t, char *dst);

#endif
