#include "reward/prose.h"

#include <stdlib.h>
#include <string.h>

enum { N_CLOSERS = 8 };
static const char *const closers[N_CLOSERS] = {"```", "~~~", "$$", "\\)", "\\]", "\\end{", "}", "`"};

/* A closing text that was not found once is not found further on either: so a megabyte of openings costs one search. */
typedef struct scan {
    r1i_span s;
    bool none[N_CLOSERS];
} scan;

static bool starts(r1i_span s, size_t i, const char *text)
{
    const size_t n = strlen(text);
    return s.n - i >= n && memcmp(s.p + i, text, n) == 0;
}

/* After the closing text; `otherwise` where there is none. */
static size_t past(scan *x, size_t from, int closer, size_t otherwise)
{
    if (x->none[closer]) return otherwise;
    const size_t n = strlen(closers[closer]), at = r1i_span_find(x->s, from, closers[closer], n);
    x->none[closer] = at == x->s.n;
    return at < x->s.n ? at + n : otherwise;
}

/* $..$ by pandoc's rule: no blank inside the dollars, no digit after the closing one, one paragraph. So "$5 and $7" is
 * money. */
static size_t past_dollar(scan *x, size_t i)
{
    const r1i_span s = x->s;
    if (starts(s, i, "$$")) return past(x, i + 2, 2, i + 2);
    if (i + 1 >= s.n || strchr(" \t\n", s.p[i + 1])) return i;
    for (size_t j = i + 1; j < s.n && !starts(s, j, "\n\n"); j++) {
        if (s.p[j] == '\\') {
            j++;
        } else if (s.p[j] == '$') {
            const bool blank = strchr(" \t\n", s.p[j - 1]) != NULL,
                       digit = j + 1 < s.n && s.p[j + 1] >= '0' && s.p[j + 1] <= '9';
            return blank || digit ? i : j + 1;
        }
    }
    return i;
}

static size_t past_backslash(scan *x, size_t i)
{
    const r1i_span s = x->s;
    if (starts(s, i, "\\(")) return past(x, i + 2, 3, i + 2);
    if (starts(s, i, "\\[")) return past(x, i + 2, 4, i + 2);
    if (starts(s, i, "\\begin{")) return past(x, past(x, i, 5, i + 7), 6, i + 7);
    size_t j = i + 1;
    while (j < s.n && (s.p[j] | 32) >= 'a' && (s.p[j] | 32) <= 'z') j++;
    return j;
}

/* `code` within a line */
static size_t past_tick(scan *x, size_t i)
{
    const size_t end = past(x, i + 1, 7, i);
    return end > i && memchr(x->s.p + i, '\n', end - i) ? i : end;
}

static size_t past_address(r1i_span s, size_t i)
{
    if (!starts(s, i, "http://") && !starts(s, i, "https://")) return i;
    while (i < s.n && s.p[i] && !strchr(" \t\r\n<>\"", s.p[i])) i++;
    return i;
}

/* Bytes of what is no prose at i, 0 where prose goes on. A block of code that is never closed goes to the end. */
static size_t foreign(scan *x, size_t i)
{
    const r1i_span s = x->s;
    switch (s.p[i]) {
    case '`': return (starts(s, i, "```") ? past(x, i + 3, 0, s.n) : past_tick(x, i)) - i;
    case '~': return starts(s, i, "~~~") ? past(x, i + 3, 1, s.n) - i : 0;
    case '$': return past_dollar(x, i) - i;
    case '\\': return past_backslash(x, i) - i;
    case 'h': return past_address(s, i) - i;
    default: return 0;
    }
}

/* Words of `t` that hold a digit become blanks. */
static void drop_numbers(char *t, size_t n)
{
    r1i_words w = {.text = {t, n}};
    r1i_span word;
    while (r1i_words_next(&w, &word))
        for (size_t i = 0, step; i < word.n; i += step) {
            const uint32_t c = r1i_char_at(word.p + i, word.n - i, &step);
            if (!r1i_char_digit(c) || r1i_char_cjk(c)) continue;
            memset(t + (word.p - t), ' ', word.n);
            break;
        }
}

r1_status r1i_prose(r1i_span s, r1i_span *out, r1_error *err)
{
    *out = (r1i_span){0};
    char *const t = malloc(s.n + 1);
    scan x = {.s = s};
    size_t used = 0;
    if (!t) return r1i_fail(err, R1_ERR_NOMEM, "prose of %zu bytes", s.n);
    for (size_t i = 0, step; i < s.n; i += step) {
        step = foreign(&x, i);
        if (step > 0) {
            t[used++] = ' ';
            continue;
        }
        const uint32_t c = r1i_char_at(s.p + i, s.n - i, &step);
        if (c == 0xFFFD || c == 0) t[used++] = ' ';
        else memcpy(t + used, s.p + i, step), used += step;
    }
    drop_numbers(t, used);
    *out = (r1i_span){t, used};
    return R1_OK;
}
