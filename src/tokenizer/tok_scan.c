#include "tokenizer/tok_scan.h"

#define LETTER R1I_CLASS_L
#define MARK R1I_CLASS_M
#define NUMBER R1I_CLASS_N
#define SYMBOL (R1I_CLASS_P | R1I_CLASS_S)
#define SPACE R1I_CLASS_SPACE
#define BREAK R1I_CLASS_BREAK
#define CJK R1I_CLASS_CJK

/* End of the run from i whose characters have a flag of `any`. */
static inline size_t run(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, unsigned any)
{
    unsigned size;
    while (i < n && (r1i_class_at(c, p + i, &size) & any)) i += size;
    return i;
}

static inline size_t run_breaks(const uint8_t *p, size_t i, size_t n)
{
    while (i < n && (p[i] == '\r' || p[i] == '\n')) i++;
    return i;
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ at i; i when there is no white space. The text ends at n or at a character with `stop`. */
static inline size_t white_tail(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, unsigned stop, bool breaks)
{
    size_t j = i, last = i, after_break = i;
    unsigned size, f = 0;
    while (j < n) {
        f = r1i_class_at(c, p + j, &size);
        if (!(f & SPACE)) break;
        last = j;
        j += size;
        if (f & BREAK) after_break = j;
    }
    if (breaks && after_break > i) return after_break;
    if (j == n || (f & stop)) return j;
    return last > i ? last : j; /* two or more: the last one is left for what follows */
}

/* DeepSeek-V3's third step works inside what the first two have cut: between numbers and Chinese or Japanese runs, or
 * inside such a run. `cjk` says which; what lies outside is like the end of the text, flagged OUTSIDE here. */
#define OUTSIDE 256u

static inline unsigned inside(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, bool cjk, unsigned *size)
{
    *size = 0;
    if (i >= n) return OUTSIDE;
    const unsigned f = r1i_class_at(c, p + i, size);
    if (cjk) return f & CJK ? f : OUTSIDE;
    return f & (NUMBER | CJK) ? OUTSIDE : f;
}

static inline size_t run_inside(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, bool cjk, unsigned any)
{
    unsigned size;
    while (inside(c, p, i, n, cjk, &size) & any) i += size;
    return i;
}

/* The third step at i, or i when nothing matches there. */
static inline size_t deepseek3_match(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, bool cjk)
{
    unsigned size, next_size;
    const unsigned f = inside(c, p, i, n, cjk, &size);
    const size_t j = i + size;
    if (f & (LETTER | MARK)) return run_inside(c, p, j, n, cjk, LETTER | MARK);
    if (p[i] < 0x80 && (f & SYMBOL) && j < n && ((p[j] | 0x20) >= 'a' && (p[j] | 0x20) <= 'z')) {
        size_t k = j + 1;
        while (k < n && ((p[k] | 0x20) >= 'a' && (p[k] | 0x20) <= 'z')) k++;
        return k;
    }
    const unsigned next = inside(c, p, j, n, cjk, &next_size);
    if (!(f & (BREAK | SYMBOL)) && (next & (LETTER | MARK))) return run_inside(c, p, j, n, cjk, LETTER | MARK);
    if ((f & SYMBOL) || (p[i] == ' ' && (next & SYMBOL))) {
        const size_t end = run_inside(c, p, j, n, cjk, SYMBOL);
        return cjk ? end : run_breaks(p, end, n);
    }
    return white_tail(c, p, i, n, NUMBER | CJK, true);
}

static inline size_t deepseek3_step(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, bool cjk)
{
    const size_t end = deepseek3_match(c, p, i, n, cjk);
    if (end > i) return end;
    unsigned size;
    inside(c, p, i, n, cjk, &size);
    size_t j = i + size; /* a gap: control characters and the like, up to where something matches again */
    while (!(inside(c, p, j, n, cjk, &size) & OUTSIDE) && deepseek3_match(c, p, j, n, cjk) == j) j += size;
    return j;
}

size_t r1i_scan_deepseek3(const r1i_classes *c, const uint8_t *p, size_t i, size_t n)
{
    unsigned size;
    const unsigned f = r1i_class_at(c, p + i, &size);
    if (f & NUMBER) {
        size_t j = i + size;
        for (int k = 1; k < 3 && j < n && (r1i_class_at(c, p + j, &size) & NUMBER); k++) j += size;
        return j;
    }
    return f & CJK ? deepseek3_step(c, p, i, n, true) : deepseek3_step(c, p, i, n, false);
}

/* (?i:'s|'t|'re|'ve|'m|'ll|'d) at p[i] = "'": end, or i. U+017F folds to s. */
static size_t contraction(const uint8_t *p, size_t i, size_t n, unsigned fold)
{
    if (n - i < 2) return i;
    const unsigned a = p[i + 1] | fold, b = n - i > 2 ? p[i + 2] | fold : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd') return i + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l')) return i + 3;
    if (fold && n - i > 2 && p[i + 1] == 0xC5 && p[i + 2] == 0xBF) return i + 3;
    return i;
}

static inline size_t tiktoken_like(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, int digits)
{
    unsigned size, next_size = 0;
    if (p[i] == '\'') {
        const size_t end = contraction(p, i, n, 0x20);
        if (end > i) return end;
    }
    const unsigned f = r1i_class_at(c, p + i, &size);
    size_t j = i + size;
    if (f & LETTER) return run(c, p, j, n, LETTER);
    if (f & NUMBER) {
        for (int k = 1; k < digits && j < n && (r1i_class_at(c, p + j, &size) & NUMBER); k++) j += size;
        return j;
    }
    const unsigned next = j < n ? r1i_class_at(c, p + j, &next_size) : SPACE;
    if (!(f & BREAK) && (next & LETTER)) return run(c, p, j + next_size, n, LETTER);
    if (!(f & SPACE) || (p[i] == ' ' && !(next & (SPACE | LETTER | NUMBER)))) {
        while (j < n && !(r1i_class_at(c, p + j, &size) & (SPACE | LETTER | NUMBER))) j += size;
        return run_breaks(p, j, n);
    }
    return white_tail(c, p, i, n, 0, true);
}

size_t r1i_scan_qwen2(const r1i_classes *c, const uint8_t *p, size_t i, size_t n)
{
    return tiktoken_like(c, p, i, n, 1);
}

size_t r1i_scan_llama3(const r1i_classes *c, const uint8_t *p, size_t i, size_t n)
{
    return tiktoken_like(c, p, i, n, 3);
}

/* 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ */
size_t r1i_scan_gpt2(const r1i_classes *c, const uint8_t *p, size_t i, size_t n)
{
    unsigned size;
    if (p[i] == '\'') {
        const size_t end = contraction(p, i, n, 0);
        if (end > i) return end;
    }
    unsigned f = r1i_class_at(c, p + i, &size);
    size_t j = i;
    if (p[i] == ' ' && i + 1 < n) {
        const unsigned next = r1i_class_at(c, p + i + 1, &size);
        if (!(next & SPACE)) {
            f = next;
            j = i + 1;
        }
    }
    if (f & SPACE) return white_tail(c, p, i, n, 0, false);
    if (f & (LETTER | NUMBER)) return run(c, p, j, n, f & (LETTER | NUMBER));
    while (j < n && !(r1i_class_at(c, p + j, &size) & (SPACE | LETTER | NUMBER))) j += size;
    return j;
}

size_t r1i_scan_digits(const r1i_classes *c, const uint8_t *p, size_t i, size_t n)
{
    unsigned size;
    bool number = r1i_class_at(c, p + i, &size) & NUMBER;
    size_t j = i + size;
    if (number) return j;
    for (; j < n; j += size) {
        number = r1i_class_at(c, p + j, &size) & NUMBER;
        if (number) break;
    }
    return j;
}
