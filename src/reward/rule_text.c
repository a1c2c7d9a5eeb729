#include "reward/rule_text.h"

#include <string.h>

#include "tokenizer/tok_unicode.h"

uint32_t r1i_char_at(const char *s, size_t n, size_t *bytes)
{
    if ((unsigned char)s[0] < 0x80) { /* the common case, and no call */
        *bytes = 1;
        return (unsigned char)s[0];
    }
    utf8proc_int32_t c;
    const utf8proc_ssize_t used = utf8proc_iterate((const utf8proc_uint8_t *)s, n < 4 ? (utf8proc_ssize_t)n : 4, &c);
    *bytes = used > 0 ? (size_t)used : 1;
    return used > 0 ? (uint32_t)c : 0xFFFD;
}

bool r1i_char_space(uint32_t c)
{
    if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
    if (c == 0x85) return true;
    const utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

bool r1i_char_visible(uint32_t c)
{
    if (c < 0x80) return c > ' ' && c < 0x7F;
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CN: case UTF8PROC_CATEGORY_CC: case UTF8PROC_CATEGORY_CF: case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO: case UTF8PROC_CATEGORY_ZS: case UTF8PROC_CATEGORY_ZL: case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_MN: case UTF8PROC_CATEGORY_ME: return false; /* a mark alone decorates nothing */
    /* blanks that pass as letters */
    default: return c != 0xFFFD && c != 0x2800 && c != 0x3164 && c != 0x115F && c != 0x1160 && c != 0xFFA0;
    }
}

bool r1i_char_letter(uint32_t c)
{
    if (c < 0x80) return (c | 32) >= 'a' && (c | 32) <= 'z';
    const int k = (int)utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_ME; /* Lu Ll Lt Lm Lo Mn Mc Me stand together */
}

bool r1i_char_digit(uint32_t c)
{
    if (c < 0x80) return c >= '0' && c <= '9';
    const int k = (int)utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO;
}

bool r1i_char_cjk(uint32_t c)
{
    return (c >= 0x3041 && c <= 0x30FF && c != 0x30FB) || (c >= 0x31F0 && c <= 0x31FF) ||
        (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0xF900 && c <= 0xFAFF) ||
        (c >= 0xFF66 && c <= 0xFF9F) || (c >= 0x20000 && c <= 0x323AF) || c == 0x3005 || c == 0x3007;
}

bool r1i_span_blank(r1i_span s)
{
    for (size_t i = 0, step; i < s.n; i += step)
        if (r1i_char_visible(r1i_char_at(s.p + i, s.n - i, &step))) return false;
    return true;
}

bool r1i_span_equal(r1i_span a, r1i_span b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

bool r1i_span_is(r1i_span s, const char *text) { return r1i_span_equal(s, (r1i_span){text, strlen(text)}); }

r1i_span r1i_span_trim(r1i_span s)
{
    size_t step;
    while (s.n && r1i_char_space(r1i_char_at(s.p, s.n, &step))) s.p += step, s.n -= step;
    while (s.n) {
        size_t back = 1;
        while (back < 4 && back < s.n && ((unsigned char)s.p[s.n - back] & 0xC0) == 0x80) back++;
        if (!r1i_char_space(r1i_char_at(s.p + s.n - back, back, &step)) || step != back) break;
        s.n -= back;
    }
    return s;
}

size_t r1i_span_find(r1i_span s, size_t from, const char *text, size_t n)
{
    while (n && from < s.n && s.n - from >= n) {
        const char *const hit = memchr(s.p + from, text[0], s.n - from - n + 1);
        if (!hit) break;
        if (memcmp(hit, text, n) == 0) return (size_t)(hit - s.p);
        from = (size_t)(hit - s.p) + 1;
    }
    return s.n;
}

static const char opener[] = "<think>", closer[] = "</think>";
enum { N_OPENER = sizeof opener - 1, N_CLOSER = sizeof closer - 1 };

r1i_parts r1i_parts_of(const r1_sample *sample)
{
    const r1i_span all = {sample->completion, sample->completion_bytes};
    const size_t open = r1i_span_find(all, 0, opener, N_OPENER);
    r1i_parts out = {.opened = sample->thinking_open || open < all.n};
    size_t last = all.n;
    for (size_t at = r1i_span_find(all, 0, closer, N_CLOSER); at < all.n;
         at = r1i_span_find(all, at + N_CLOSER, closer, N_CLOSER)) last = at;
    out.closed = last < all.n;
    const size_t begin = sample->thinking_open || open >= last ? 0 : open + N_OPENER;
    if (out.closed) {
        out.thinking = (r1i_span){all.p + begin, last - begin};
        out.answer = (r1i_span){all.p + last + N_CLOSER, all.n - last - N_CLOSER};
        out.answer.n = r1i_span_find(out.answer, 0, opener, N_OPENER);
    } else if (sample->thinking_open) {
        out.thinking = all;
        out.answer = (r1i_span){all.p + all.n, 0};
    } else {
        out.answer = (r1i_span){all.p, open};
        if (open < all.n) out.thinking = (r1i_span){all.p + open + N_OPENER, all.n - open - N_OPENER};
    }
    return out;
}

/* One pass: a box within a box belongs to the outer one, so that a megabyte of openings costs a megabyte of steps. */
static void find_boxes(r1i_span s, r1i_final *out)
{
    static const char box[] = "\\boxed";
    size_t begin = 0, depth = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (depth == 0) {
            i = r1i_span_find(s, i, box, sizeof box - 1);
            if (i == s.n) return;
            i += sizeof box - 1;
            while (i < s.n && s.p[i] == ' ') i++;
            if (i == s.n) return;
            if (s.p[i] != '{') {
                i--;
                continue;
            }
            depth = 1;
            begin = i + 1;
        } else if (s.p[i] == '\\') {
            i++; /* \{ and \} are characters, not braces */
        } else if (s.p[i] == '{') {
            depth++;
        } else if (s.p[i] == '}' && --depth == 0) {
            const r1i_span inside = r1i_span_trim((r1i_span){s.p + begin, i - begin});
            if (out->boxes++ > 0 && !r1i_span_equal(inside, out->text)) out->several = true;
            out->text = inside;
            out->found = true;
        }
    }
}

r1i_final r1i_final_of(r1i_span answer)
{
    static const char open[] = "<answer>", close[] = "</answer>";
    enum { N_OPEN = sizeof open - 1, N_CLOSE = sizeof close - 1 };
    r1i_final out = {0};
    r1i_span inside = {0};
    for (size_t at = r1i_span_find(answer, 0, open, N_OPEN); at < answer.n;
         at = r1i_span_find(answer, at + N_OPEN, open, N_OPEN)) {
        inside = (r1i_span){answer.p + at + N_OPEN, answer.n - at - N_OPEN};
        out.blocks++;
    }
    find_boxes(out.blocks ? inside : answer, &out);
    if (out.blocks) {
        const size_t end = r1i_span_find(inside, 0, close, N_CLOSE);
        if (end == inside.n || out.blocks > 1) { /* cut off, or the choice left to the reader */
            out.found = false;
            out.several = out.blocks > 1;
            return out;
        }
        inside.n = end;
        out.boxes = 0;
        out.several = out.found = false;
        find_boxes(inside, &out);
        if (!out.found) out.text = r1i_span_trim(inside);
        out.found = true;
    }
    return out;
}

static bool word_char(uint32_t c)
{
    return c == '_' || ((r1i_char_letter(c) || r1i_char_digit(c)) && !r1i_char_cjk(c));
}

bool r1i_words_next(r1i_words *w, r1i_span *word)
{
    const char *const p = w->text.p;
    const size_t n = w->text.n;
    size_t step;
    for (; w->at < n; w->at += step) {
        const uint32_t c = r1i_char_at(p + w->at, n - w->at, &step);
        if (r1i_char_cjk(c)) {
            *word = (r1i_span){p + w->at, step};
            w->at += step;
            return true;
        }
        if (!word_char(c)) continue;
        const size_t begin = w->at;
        for (w->at += step; w->at < n; w->at += step) {
            const uint32_t next = r1i_char_at(p + w->at, n - w->at, &step);
            if (word_char(next)) continue;
            size_t after;
            const bool joins = (next == '\'' || next == 0x2019) && w->at + step < n &&
                               word_char(r1i_char_at(p + w->at + step, n - w->at - step, &after));
            if (!joins) break;
        }
        *word = (r1i_span){p + begin, w->at - begin};
        return true;
    }
    return false;
}
