#include "tokenizer/tok_split.h"

#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define TIKTOKEN_TAIL "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2_HEAD "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"
#define DEEPSEEK3_WORDS(crlf)                                                                                          \
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^" crlf "\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"              \
    "| ?[\\p{P}\\p{S}]+[" crlf "]*|\\s*[" crlf "]+|\\s+(?!\\S)|\\s+"

const char *const r1i_pattern_deepseek3[3] = {
    "\\p{N}{1,3}",
    /* 4E00-9FA5, 3040-309F, 30A0-30FF */
    "[\xE4\xB8\x80-\xE9\xBE\xA5\xE3\x81\x80-\xE3\x82\x9F\xE3\x82\xA0-\xE3\x83\xBF]+",
    DEEPSEEK3_WORDS("\r\n"),
};
static const char deepseek3_words_escaped[] = DEEPSEEK3_WORDS("\\r\\n");
const char r1i_pattern_qwen2[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}" TIKTOKEN_TAIL;
const char r1i_pattern_llama3[] = CONTRACTIONS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}" TIKTOKEN_TAIL;
const char r1i_pattern_gpt2[] = GPT2_HEAD "|\\s+";
const char r1i_pattern_digit[] = "\\p{N}";

void r1i_splitter_free(r1i_splitter *s)
{
    for (int i = 0; i < s->n; i++) r1i_pattern_free(s->step[i].pattern);
    s->n = 0;
}

static r1_status next_step(r1i_splitter *s, r1i_split_step **step, r1_error *err)
{
    if (s->n == R1I_SPLIT_STEPS)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "more than %d pre-tokeniser steps", R1I_SPLIT_STEPS);
    *step = &s->step[s->n];
    **step = (r1i_split_step){0};
    return R1_OK;
}

static bool equal(const char *text, size_t n, const char *known)
{
    return strlen(known) == n && memcmp(text, known, n) == 0;
}

static r1i_scan_fn known_scanner(const char *text, size_t n)
{
    if (equal(text, n, r1i_pattern_qwen2)) return r1i_scan_qwen2;
    if (equal(text, n, r1i_pattern_llama3)) return r1i_scan_llama3;
    /* without the last alternative a single space is a gap instead of a match: the same piece */
    if (equal(text, n, r1i_pattern_gpt2) || equal(text, n, GPT2_HEAD)) return r1i_scan_gpt2;
    if (equal(text, n, r1i_pattern_digit)) return r1i_scan_digits;
    return NULL;
}

r1_status r1i_splitter_add_pattern(r1i_splitter *s, const char *text, size_t n, r1i_behavior behavior, bool invert,
                                   bool generic, r1_error *err)
{
    r1i_split_step *step = NULL;
    r1_status st = next_step(s, &step, err);
    if (st != R1_OK) return st;
    step->behavior = behavior;
    step->invert = invert;
    if (behavior == R1I_SPLIT_ISOLATED && !generic) {
        step->scan = known_scanner(text, n);
        for (int k = 0; k < 3; k++)
            if (equal(text, n, r1i_pattern_deepseek3[k])) step->deepseek3 = k + 1;
        if (equal(text, n, deepseek3_words_escaped)) step->deepseek3 = 3;
    }
    if (!step->scan && (st = r1i_pattern_compile(text, n, &step->pattern, err)) != R1_OK) return st;
    s->n++;
    return R1_OK;
}

r1_status r1i_splitter_add_prefix_space(r1i_splitter *s, r1_error *err)
{
    r1i_split_step *step = NULL;
    const r1_status st = next_step(s, &step, err);
    if (st == R1_OK) s->n++;
    return st;
}

void r1i_splitter_fuse(r1i_splitter *s)
{
    for (int i = 0; i + 2 < s->n; i++) {
        if (s->step[i].deepseek3 != 1 || s->step[i + 1].deepseek3 != 2 || s->step[i + 2].deepseek3 != 3) continue;
        for (int k = 0; k < 3; k++) r1i_pattern_free(s->step[i + k].pattern);
        s->step[i] = (r1i_split_step){.scan = r1i_scan_deepseek3};
        memmove(&s->step[i + 1], &s->step[i + 3], (size_t)(s->n - i - 3) * sizeof *s->step);
        s->n -= 2;
    }
}

static r1_status run_steps(r1i_split_run *r, int k, const uint8_t *p, size_t n, r1_error *err);

/* Pieces of a pattern step: matches and gaps come in order, `held` is one that a neighbour may still join. */
typedef struct pieces {
    r1i_split_run *run;
    int step;
    const uint8_t *p;
    size_t held_begin, held_end;
    bool holding, held_match;
} pieces;

static r1_status release_held(pieces *s, r1_error *err)
{
    if (!s->holding) return R1_OK;
    s->holding = false;
    return run_steps(s->run, s->step + 1, s->p + s->held_begin, s->held_end - s->held_begin, err);
}

static r1_status segment(pieces *s, size_t begin, size_t end, bool match, r1_error *err)
{
    const r1i_split_step *const step = &s->run->splitter->step[s->step];
    const bool is_match = match != step->invert;
    bool join = false;
    if (begin == end) return R1_OK;
    switch (step->behavior) {
    case R1I_SPLIT_REMOVED:
        if (is_match) return R1_OK;
        break;
    case R1I_SPLIT_MERGED_BEFORE: join = s->holding && is_match && !s->held_match; break;
    case R1I_SPLIT_MERGED_AFTER: join = s->holding && !is_match && s->held_match; break;
    case R1I_SPLIT_CONTIGUOUS: join = s->holding && is_match == s->held_match; break;
    default: break;
    }
    if (join) {
        s->held_end = end;
        s->held_match = is_match;
        return R1_OK;
    }
    const r1_status st = release_held(s, err);
    if (st != R1_OK) return st;
    s->holding = true;
    s->held_begin = begin;
    s->held_end = end;
    s->held_match = is_match;
    return R1_OK;
}

static r1_status run_pattern(r1i_split_run *r, int k, const uint8_t *p, size_t n, r1_error *err)
{
    pieces s = {.run = r, .step = k, .p = p};
    size_t done = 0, from = 0; /* done: end of the last match */
    r1_status st = R1_OK;
    while (st == R1_OK && from <= n) {
        bool found;
        size_t begin = 0, end = 0;
        st = r1i_pattern_find(r->splitter->step[k].pattern, &r->match, p, n, from, &found, &begin, &end, err);
        if (st != R1_OK || !found) break;
        if (begin > done) st = segment(&s, done, begin, false, err);
        if (st == R1_OK) st = segment(&s, begin, end, true, err);
        from = end;
        if (begin == end) { /* an empty match only cuts; go on one character later */
            unsigned size = 1;
            if (end < n) r1i_utf8_get(p + end, &size);
            from = end + size;
        }
        done = end;
    }
    if (st == R1_OK && done < n) st = segment(&s, done, n, false, err);
    return st == R1_OK ? release_held(&s, err) : st;
}

static r1_status run_prefix_space(r1i_split_run *r, int k, const uint8_t *p, size_t n, r1_error *err)
{
    if (*p == ' ') return run_steps(r, k + 1, p, n, err);
    uint8_t *const q = r->room(r->user, n + 1);
    if (!q) return r1i_fail(err, R1_ERR_NOMEM, "text of %zu bytes", n + 1);
    q[0] = ' ';
    memcpy(q + 1, p, n);
    return run_steps(r, k + 1, q, n + 1, err);
}

static r1_status run_steps(r1i_split_run *r, int k, const uint8_t *p, size_t n, r1_error *err)
{
    if (k == r->splitter->n) return r->piece(r->user, p, n, err);
    const r1i_split_step *const step = &r->splitter->step[k];
    if (step->pattern) return run_pattern(r, k, p, n, err);
    if (!step->scan) return run_prefix_space(r, k, p, n, err);
    const bool last = k + 1 == r->splitter->n;
    for (size_t i = 0; i < n;) {
        const size_t end = step->scan(r->classes, p, i, n);
        const r1_status st = last ? r->piece(r->user, p + i, end - i, err) : run_steps(r, k + 1, p + i, end - i, err);
        if (st != R1_OK) return st;
        i = end;
    }
    return R1_OK;
}

r1_status r1i_split(r1i_split_run *r, const uint8_t *p, size_t n, r1_error *err)
{
    return n ? run_steps(r, 0, p, n, err) : R1_OK;
}
