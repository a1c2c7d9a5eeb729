#include "tokenizer/tok_utf8.h"

#include <string.h>

r1i_utf8 r1i_utf8_check(const uint8_t *p, size_t n)
{
    const unsigned a = p[0];
    unsigned more, low = 0x80, high = 0xBF;
    if (a < 0x80) return (r1i_utf8){R1I_UTF8_OK, 1};
    if (a >= 0xC2 && a <= 0xDF) {
        more = 1;
    } else if (a >= 0xE0 && a <= 0xEF) {
        more = 2;
        if (a == 0xE0) low = 0xA0;       /* below is an overlong form */
        else if (a == 0xED) high = 0x9F; /* above are surrogates */
    } else if (a >= 0xF0 && a <= 0xF4) {
        more = 3;
        if (a == 0xF0) low = 0x90;
        else if (a == 0xF4) high = 0x8F; /* above is beyond U+10FFFF */
    } else {
        return (r1i_utf8){R1I_UTF8_BAD, 1};
    }
    for (unsigned i = 1; i <= more; i++) {
        if (i >= n) return (r1i_utf8){R1I_UTF8_PARTIAL, i};
        if (p[i] < low || p[i] > high) return (r1i_utf8){R1I_UTF8_BAD, i};
        low = 0x80;
        high = 0xBF;
    }
    return (r1i_utf8){R1I_UTF8_OK, more + 1};
}

/* Bytes of ASCII at the front, eight at a time. */
static size_t ascii_run(const uint8_t *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if (w & 0x8080808080808080u) break;
    }
    while (i < n && p[i] < 0x80) i++;
    return i;
}

size_t r1i_utf8_valid_prefix(const uint8_t *p, size_t n)
{
    size_t i = 0;
    while (i < n) {
        if (p[i] < 0x80) {
            i += ascii_run(p + i, n - i);
            continue;
        }
        const r1i_utf8 c = r1i_utf8_check(p + i, n - i);
        if (c.kind != R1I_UTF8_OK) break;
        i += c.size;
    }
    return i;
}

size_t r1i_utf8_mend(uint8_t *out, const uint8_t *p, size_t n, bool keep_partial, size_t *left)
{
    size_t i = 0, o = 0;
    *left = 0;
    while (i < n) {
        const size_t good = r1i_utf8_valid_prefix(p + i, n - i);
        if (good) memcpy(out + o, p + i, good);
        i += good;
        o += good;
        if (i == n) break;
        const r1i_utf8 c = r1i_utf8_check(p + i, n - i);
        if (c.kind == R1I_UTF8_PARTIAL && keep_partial) {
            *left = c.size;
            break;
        }
        memcpy(out + o, "\xEF\xBF\xBD", 3);
        o += 3;
        i += c.size;
    }
    return o;
}

unsigned r1i_utf8_put(uint8_t out[4], uint32_t cp)
{
    if (cp < 0x80) {
        out[0] = (uint8_t)cp;
        return 1;
    }
    if (cp < 0x800) {
        out[0] = (uint8_t)(0xC0 | cp >> 6);
        out[1] = (uint8_t)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        out[0] = (uint8_t)(0xE0 | cp >> 12);
        out[1] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
        out[2] = (uint8_t)(0x80 | (cp & 0x3F));
        return 3;
    }
    out[0] = (uint8_t)(0xF0 | cp >> 18);
    out[1] = (uint8_t)(0x80 | (cp >> 12 & 0x3F));
    out[2] = (uint8_t)(0x80 | (cp >> 6 & 0x3F));
    out[3] = (uint8_t)(0x80 | (cp & 0x3F));
    return 4;
}
