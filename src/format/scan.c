#include "format/scan.h"

#include <string.h>

enum { MAX_DEPTH = 64 };

int r1i_utf8_length(const uint8_t *p, uint64_t left)
{
    if (left == 0) return 0;
    const uint8_t a = p[0];
    if (a < 0x80) return 1;
    const int n = a >= 0xf0 ? 4 : a >= 0xe0 ? 3 : 2;
    if (a < 0xc2 || a > 0xf4 || left < (uint64_t)n) return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    /* over-long forms, surrogates, above U+10FFFF: all decided by the second byte */
    if ((a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f) || (a == 0xf0 && p[1] < 0x90) ||
        (a == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

bool r1i_utf8_valid(const uint8_t *p, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes;) {
        const int n = r1i_utf8_length(p + i, bytes - i);
        if (n == 0) return false;
        i += (uint64_t)n;
    }
    return true;
}

r1_status r1i_scan_fail(const r1i_scan *s, const char *expected)
{
    return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)(s->base + s->pos), "JSON at byte %llu: %s expected%s",
                       (unsigned long long)(s->base + s->pos), expected,
                       s->pos >= s->size ? ", but the text ends" : "");
}

int r1i_scan_peek(r1i_scan *s)
{
    while (s->pos < s->size) {
        const uint8_t c = s->data[s->pos];
        if (c != ' ' && c != '\n' && c != '\t' && c != '\r') return c;
        s->pos++;
    }
    return -1;
}

r1_status r1i_scan_expect(r1i_scan *s, char c)
{
    if (r1i_scan_peek(s) != (uint8_t)c) {
        const char text[] = {'\'', c, '\'', '\0'};
        return r1i_scan_fail(s, text);
    }
    s->pos++;
    return R1_OK;
}

static int hex_digit(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10
        : -1;
}

/* Four hex digits at p (the caller knows that they are there): -1 when one is not. */
static int32_t hex4(const uint8_t *p)
{
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        const int d = hex_digit(p[i]);
        if (d < 0) return -1;
        v = v * 16 + d;
    }
    return v;
}

static int utf8_bytes(int32_t code) { return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; }

/* The escape at raw[0] == '\\' with `left` bytes before the end of input. Returns its length in the input, 0 when it is
 * ill-formed (lone surrogates and U+0000 included: a name with a NUL would end early in every C string). */
static int escape(const uint8_t *raw, uint64_t left, int32_t *code)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (left < 2) return 0;
    if (raw[1] != 'u') {
        const char *const at = raw[1] ? strchr(from, raw[1]) : NULL;
        if (!at) return 0;
        *code = to[at - from];
        return 2;
    }
    if (left < 6) return 0;
    const int32_t hi = hex4(raw + 2);
    *code = hi;
    if (hi <= 0) return 0;
    if (hi < 0xd800 || hi > 0xdfff) return 6;
    if (hi > 0xdbff || left < 12 || raw[6] != '\\' || raw[7] != 'u') return 0;
    const int32_t lo = hex4(raw + 8);
    if (lo < 0xdc00 || lo > 0xdfff) return 0;
    *code = 0x10000 + ((hi - 0xd800) << 10) + (lo - 0xdc00);
    return 12;
}

r1_status r1i_scan_string(r1i_scan *s, r1i_scan_text *out)
{
    *out = (r1i_scan_text){0};
    if (r1i_scan_peek(s) != '"') return r1i_scan_fail(s, "a string");
    out->offset = s->base + s->pos;
    s->pos++;
    const uint64_t begin = s->pos;
    while (s->pos < s->size && s->data[s->pos] != '"') {
        const uint8_t *const p = s->data + s->pos;
        const uint64_t left = s->size - s->pos;
        int32_t code = 0;
        if (*p < 0x20) return r1i_scan_fail(s, "a character, not a control code,");
        const int n = *p == '\\' ? escape(p, left, &code) : r1i_utf8_length(p, left);
        if (n == 0) return r1i_scan_fail(s, *p == '\\' ? "a valid escape" : "valid UTF-8");
        s->pos += (uint64_t)n;
        out->bytes += (uint64_t)(*p == '\\' ? utf8_bytes(code) : n);
    }
    if (s->pos >= s->size) return r1i_scan_fail(s, "'\"'");
    out->raw = s->data + begin;
    out->raw_bytes = s->pos - begin;
    s->pos++;
    return R1_OK;
}

void r1i_scan_copy(const r1i_scan_text *t, char *dst)
{
    uint8_t *d = (uint8_t *)dst;
    for (uint64_t i = 0; i < t->raw_bytes;) {
        int32_t code = 0;
        if (t->raw[i] != '\\') {
            *d++ = t->raw[i++];
            continue;
        }
        i += (uint64_t)escape(t->raw + i, t->raw_bytes - i, &code);
        const int n = utf8_bytes(code);
        if (n == 1) {
            *d++ = (uint8_t)code;
            continue;
        }
        for (int k = n - 1; k > 0; k--, code >>= 6) d[k] = (uint8_t)(0x80 | (code & 0x3f));
        d[0] = (uint8_t)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | code);
        d += n;
    }
    *d = '\0';
}

/* Compares decoded bytes; keys longer than any literal we look for never match. */
bool r1i_scan_equal(const r1i_scan_text *t, const char *literal)
{
    char text[64];
    if (t->bytes != strlen(literal) || t->bytes >= sizeof text) return false;
    r1i_scan_copy(t, text);
    return memcmp(text, literal, t->bytes) == 0;
}

r1_status r1i_scan_u64(r1i_scan *s, uint64_t *out)
{
    uint64_t v = 0;
    *out = 0;
    const int c = r1i_scan_peek(s);
    const uint64_t begin = s->pos;
    if (c < '0' || c > '9') return r1i_scan_fail(s, "a non-negative integer");
    for (; s->pos < s->size && s->data[s->pos] >= '0' && s->data[s->pos] <= '9'; s->pos++) {
        const uint64_t digit = (uint64_t)(s->data[s->pos] - '0');
        if (s->pos > begin && v == 0) return r1i_scan_fail(s, "no digit after a leading zero");
        if (v > ((uint64_t)INT64_MAX - digit) / 10) return r1i_scan_fail(s, "an integer below 2^63");
        v = v * 10 + digit;
    }
    if (s->pos < s->size && (s->data[s->pos] == '.' || s->data[s->pos] == 'e' || s->data[s->pos] == 'E'))
        return r1i_scan_fail(s, "an integer, not a fraction,");
    *out = v;
    return R1_OK;
}

r1_status r1i_scan_key(r1i_scan *s, bool first, bool *more, r1i_scan_text *key)
{
    const int c = r1i_scan_peek(s);
    r1_status st;
    *more = false;
    if (c == '}') {
        s->pos++;
        return R1_OK;
    }
    if (!first && c != ',') return r1i_scan_fail(s, "',' or '}'");
    if (!first) s->pos++;
    if ((st = r1i_scan_string(s, key)) != R1_OK) return st;
    *more = true;
    return r1i_scan_expect(s, ':');
}

r1_status r1i_scan_item(r1i_scan *s, bool first, bool *more)
{
    const int c = r1i_scan_peek(s);
    *more = false;
    if (c == ']') {
        s->pos++;
        return R1_OK;
    }
    if (!first && c != ',') return r1i_scan_fail(s, "',' or ']'");
    if (!first) s->pos++;
    *more = true;
    return R1_OK;
}

static void digits(r1i_scan *s)
{
    while (s->pos < s->size && s->data[s->pos] >= '0' && s->data[s->pos] <= '9') s->pos++;
}

static r1_status skip_number(r1i_scan *s)
{
    if (s->data[s->pos] == '-') s->pos++;
    uint64_t begin = s->pos;
    const bool zero = s->pos < s->size && s->data[s->pos] == '0';
    digits(s);
    if (s->pos == begin) return r1i_scan_fail(s, "a value");
    if (zero && s->pos - begin > 1) return r1i_scan_fail(s, "no leading zero");
    if (s->pos < s->size && s->data[s->pos] == '.') {
        begin = ++s->pos;
        digits(s);
        if (s->pos == begin) return r1i_scan_fail(s, "a digit");
    }
    if (s->pos < s->size && (s->data[s->pos] | 0x20) == 'e') {
        s->pos++;
        if (s->pos < s->size && (s->data[s->pos] == '+' || s->data[s->pos] == '-')) s->pos++;
        begin = s->pos;
        digits(s);
        if (s->pos == begin) return r1i_scan_fail(s, "a digit");
    }
    return R1_OK;
}

static r1_status skip_word(r1i_scan *s, const char *word)
{
    const size_t n = strlen(word);
    if (s->size - s->pos < n || memcmp(s->data + s->pos, word, n) != 0) return r1i_scan_fail(s, "a value");
    s->pos += n;
    return R1_OK;
}

static r1_status skip_value(r1i_scan *s, int depth)
{
    const int c = r1i_scan_peek(s);
    r1i_scan_text text;
    r1_status st;
    bool more;
    if (depth > MAX_DEPTH) return r1i_scan_fail(s, "nesting of at most 64");
    switch (c) {
    case '"': return r1i_scan_string(s, &text);
    case 't': return skip_word(s, "true");
    case 'f': return skip_word(s, "false");
    case 'n': return skip_word(s, "null");
    case '{':
        s->pos++;
        for (bool first = true;; first = false) {
            if ((st = r1i_scan_key(s, first, &more, &text)) != R1_OK || !more) return st;
            if ((st = skip_value(s, depth + 1)) != R1_OK) return st;
        }
    case '[':
        s->pos++;
        for (bool first = true;; first = false) {
            if ((st = r1i_scan_item(s, first, &more)) != R1_OK || !more) return st;
            if ((st = skip_value(s, depth + 1)) != R1_OK) return st;
        }
    case -1: return r1i_scan_fail(s, "a value");
    default: return skip_number(s);
    }
}

r1_status r1i_scan_skip(r1i_scan *s) { return skip_value(s, 0); }
