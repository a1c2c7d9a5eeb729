#include "tokenizer/tok_normal.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_unicode.h"

r1_status r1i_normal_add(r1i_normal *s, r1i_normal_kind kind, r1i_pattern *pattern, const char *text, size_t n,
                         r1_error *err)
{
    uint8_t *const copy = malloc(n + 1);
    if (s->n == R1I_NORMAL_STEPS || !copy) {
        free(copy);
        r1i_pattern_free(pattern);
        if (copy) return r1i_fail(err, R1_ERR_UNSUPPORTED, "more than %d normaliser steps", R1I_NORMAL_STEPS);
        return r1i_fail(err, R1_ERR_NOMEM, "normaliser text, %zu bytes", n);
    }
    if (n) memcpy(copy, text, n);
    s->step[s->n++] = (r1i_normal_step){kind, pattern, copy, n};
    return R1_OK;
}

bool r1i_normal_has(const r1i_normal *s, r1i_normal_kind kind)
{
    for (int i = 0; i < s->n; i++)
        if (s->step[i].kind == kind) return true;
    return false;
}

void r1i_normal_free(r1i_normal *s)
{
    for (int i = 0; i < s->n; i++) {
        r1i_pattern_free(s->step[i].pattern);
        free(s->step[i].text);
    }
    s->n = 0;
}

typedef struct buffer {
    uint8_t *p;
    size_t n, cap;
} buffer;

static r1_status put(buffer *b, const uint8_t *p, size_t n, r1_error *err)
{
    if (n > b->cap - b->n) {
        const size_t cap = (b->n + n) + (b->n + n) / 2 + 64;
        uint8_t *const q = realloc(b->p, cap);
        if (!q) return r1i_fail(err, R1_ERR_NOMEM, "normalised text, %zu bytes", cap);
        b->p = q;
        b->cap = cap;
    }
    if (n) memcpy(b->p + b->n, p, n);
    b->n += n;
    return R1_OK;
}

/* The stretches that NFC hands over are a few characters, so the stack nearly always suffices. */
static r1_status put_form(buffer *b, const uint8_t *p, size_t n, utf8proc_option_t form, r1_error *err)
{
    utf8proc_int32_t few[256], *at = few;
    utf8proc_ssize_t cap = 255; /* one is left for utf8proc_reencode */
    const utf8proc_option_t options = (utf8proc_option_t)(form | UTF8PROC_STABLE);
    utf8proc_ssize_t m = utf8proc_decompose(p, (utf8proc_ssize_t)n, at, cap, options);
    if (m > cap) {
        cap = m;
        at = malloc(((size_t)m + 1) * sizeof *at);
        if (!at) return r1i_fail(err, R1_ERR_NOMEM, "normalising %zu bytes", n);
        m = utf8proc_decompose(p, (utf8proc_ssize_t)n, at, cap, options);
    }
    if (m >= 0) m = utf8proc_reencode(at, m, options);
    const r1_status st = m < 0 ? r1i_fail(err, R1_ERR_BUG, "normalising %zu bytes: %s", n, utf8proc_errmsg(m))
                               : put(b, (const uint8_t *)at, (size_t)m, err);
    if (at != few) free(at);
    return st;
}

static inline bool stable_at(const r1i_classes *c, const uint8_t *p, unsigned *size)
{
    if (p[0] < 0x80) {
        *size = 1;
        return true;
    }
    const uint32_t cp = r1i_utf8_get(p, size);
    return cp < R1I_CLASS_TABLED && c->nfc_stable[cp];
}

/* First character from i on that is not stable; *before is where the stable one in front of it begins. */
static size_t first_unstable(const r1i_classes *c, const uint8_t *p, size_t i, size_t n, size_t *before)
{
    unsigned size;
    *before = i;
    while (i < n) {
        uint64_t w;
        if (i + 8 <= n && (memcpy(&w, p + i, 8), (w & 0x8080808080808080u) == 0)) {
            *before = i + 7;
            i += 8;
            continue;
        }
        if (!stable_at(c, p + i, &size)) break;
        *before = i;
        i += size;
    }
    return i;
}

/* A stable character neither changes nor touches what is before it: text may be cut in front of each. So only from the
 * stable character before an unstable one up to the next stable one is there anything to do. */
static r1_status nfc(buffer *b, const r1i_classes *c, const uint8_t *p, size_t n, bool *same, r1_error *err)
{
    size_t done = 0, before;
    size_t i = first_unstable(c, p, 0, n, &before);
    *same = i == n;
    while (i < n) {
        unsigned size;
        size_t end = i;
        while (end < n && !stable_at(c, p + end, &size)) end += size;
        r1_status st = put(b, p + done, before - done, err);
        if (st == R1_OK) st = put_form(b, p + before, end - before, UTF8PROC_COMPOSE, err);
        if (st != R1_OK) return st;
        done = end;
        i = first_unstable(c, p, end, n, &before);
    }
    return *same ? R1_OK : put(b, p + done, n - done, err);
}

static r1_status replace(buffer *b, const r1i_normal_step *step, r1i_match *m, const uint8_t *p, size_t n, bool *same,
                         r1_error *err)
{
    size_t done = 0, from = 0;
    *same = true;
    while (from <= n) {
        bool found;
        size_t begin, end;
        r1_status st = r1i_pattern_find(step->pattern, m, p, n, from, &found, &begin, &end, err);
        if (st != R1_OK) return st;
        if (!found) break;
        *same = false;
        st = put(b, p + done, begin - done, err);
        if (st == R1_OK) st = put(b, step->text, step->text_bytes, err);
        if (st != R1_OK) return st;
        done = from = end;
        if (begin == end) {
            unsigned size = 1;
            if (end < n) r1i_utf8_get(p + end, &size);
            from = end + size;
        }
    }
    return *same ? R1_OK : put(b, p + done, n - done, err);
}

static r1_status apply(buffer *b, const r1i_normal_step *step, const r1i_classes *c, r1i_match *m, const uint8_t *p,
                       size_t n, bool *same, r1_error *err)
{
    r1_status st;
    *same = false;
    switch (step->kind) {
    case R1I_NORMAL_NFC: return nfc(b, c, p, n, same, err);
    case R1I_NORMAL_NFD: return put_form(b, p, n, UTF8PROC_DECOMPOSE, err);
    case R1I_NORMAL_NFKC: return put_form(b, p, n, UTF8PROC_COMPOSE | UTF8PROC_COMPAT, err);
    case R1I_NORMAL_NFKD: return put_form(b, p, n, UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT, err);
    case R1I_NORMAL_REPLACE: return replace(b, step, m, p, n, same, err);
    case R1I_NORMAL_PREPEND:
        st = put(b, step->text, step->text_bytes, err);
        return st == R1_OK ? put(b, p, n, err) : st;
    }
    return r1i_fail(err, R1_ERR_BUG, "normaliser step %d", (int)step->kind);
}

r1_status r1i_normalize(const r1i_normal *s, const r1i_classes *c, r1i_match *m, const uint8_t *p, size_t n,
                        uint8_t **out, size_t *out_n, r1_error *err)
{
    uint8_t *mine = NULL; /* the text after the last step that changed it */
    *out = (uint8_t *)(uintptr_t)p;
    *out_n = n;
    for (int k = 0; k < s->n && *out_n > 0; k++) {
        buffer b = {0};
        bool same;
        const r1_status st = apply(&b, &s->step[k], c, m, *out, *out_n, &same, err);
        if (st != R1_OK) {
            free(b.p);
            free(mine);
            *out = NULL;
            return st;
        }
        if (same) continue;
        free(mine);
        mine = b.p;
        *out = b.p;
        *out_n = b.n;
    }
    return R1_OK;
}

