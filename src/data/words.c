#include "data/words.h"

#include <stdlib.h>
#include <string.h>

/* The character at s[0..n): its length in bytes; ill-formed bytes count as one byte of separator. */
static size_t next_char(const unsigned char *s, size_t n, uint32_t *c)
{
    const size_t want = s[0] < 0x80 ? 1 : (s[0] & 0xE0) == 0xC0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : (s[0] & 0xF8) == 0xF0
        ? 4 : 0;
    *c = 0;
    if (want == 0 || want > n) return 1;
    uint32_t v = want == 1 ? s[0] : s[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if ((s[i] & 0xC0) != 0x80) return 1;
        v = v << 6 | (s[i] & 0x3Fu);
    }
    *c = v;
    return want;
}

static bool is_ideograph(uint32_t c)
{
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
        (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

/* Letters and digits. Beyond ASCII everything counts but the blocks of punctuation, spaces and signs. */
static bool is_word(uint32_t c)
{
    if (c < 0x80) return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (c < 0xC0 || c == 0xD7 || c == 0xF7) return c == 0xAA || c == 0xB5 || c == 0xBA;
    return !(c >= 0x2000 && c <= 0x2BFF) && !(c >= 0x2E00 && c <= 0x2E7F) && !(c >= 0x3000 && c <= 0x303F) &&
        !(c >= 0xFE30 && c <= 0xFE4F) && !(c >= 0xFF00 && c <= 0xFF0F) && !(c >= 0xFF1A && c <= 0xFF20) &&
        c != 0xFEFF && c != 0xFFFD;
}

r1_status r1i_words_make(const char *text, size_t bytes, r1i_words *out, r1_error *err)
{
    const unsigned char *const s = (const unsigned char *)text;
    size_t used = 0;
    bool open = false; /* the last word may still grow */
    *out = (r1i_words){0};
    if (bytes >= (size_t)1 << 31)
        return r1i_fail(err, R1_ERR_RANGE, "a text of %zu bytes, less than 2 GiB expected", bytes);
    out->bytes = malloc(bytes + 1);
    out->begin = malloc((bytes + 2) * sizeof *out->begin);
    if (!out->bytes || !out->begin) {
        r1i_words_free(out);
        return r1i_fail(err, R1_ERR_NOMEM, "words of %zu bytes", bytes);
    }
    for (size_t i = 0, n; i < bytes; i += n) {
        uint32_t c;
        n = next_char(s + i, bytes - i, &c);
        if (!is_word(c)) {
            open = false;
            continue;
        }
        const bool alone = is_ideograph(c);
        if (!open || alone) out->begin[out->n++] = (uint32_t)used;
        for (size_t k = 0; k < n; k++) {
            const char byte = text[i + k];
            out->bytes[used++] = (char)(byte >= 'A' && byte <= 'Z' ? byte + 32 : byte);
        }
        open = !alone;
    }
    out->begin[out->n] = (uint32_t)used;
    return R1_OK;
}

void r1i_words_free(r1i_words *w)
{
    free(w->bytes);
    free(w->begin);
    *w = (r1i_words){0};
}

void r1i_words_join(const r1i_words *w, size_t from, size_t n, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = from; i < from + n && i < w->n; i++) {
        const size_t length = r1i_word_length(w, i), gap = i > from;
        if (used + gap + length >= size) break;
        if (gap) out[used++] = ' ';
        memcpy(out + used, w->bytes + w->begin[i], length);
        used += length;
    }
    out[used] = 0;
}

static const uint64_t factor = 0x9E3779B97F4A7C15u | 1u;

r1i_gram r1i_gram_init(size_t n)
{
    r1i_gram g = {.n = n < 1 ? 1 : n > R1I_GRAM_MAX ? R1I_GRAM_MAX : n, .power = 1};
    for (size_t i = 0; i < g.n; i++) g.power *= factor;
    return g;
}

bool r1i_gram_push(r1i_gram *g, const r1i_words *w, size_t i)
{
    uint64_t h = 0xCBF29CE484222325u; /* FNV-1a of the word, then mixed: its low bits alone would be poor */
    for (size_t k = w->begin[i]; k < w->begin[i + 1]; k++) h = (h ^ (unsigned char)w->bytes[k]) * 0x100000001B3u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    uint64_t *const slot = &g->word[g->seen % g->n];
    g->hash = g->hash * factor + h;
    if (g->seen >= g->n) g->hash -= *slot * g->power;
    *slot = h;
    g->seen++;
    return g->seen >= g->n;
}
