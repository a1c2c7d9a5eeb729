#include "base/regex.h"

#include <stdlib.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT 2000000 /* backtracking steps a match; a sane pattern needs a few per character of a piece */

struct r1i_regex {
    pcre2_code *code;
};

r1_status r1i_regex_compile(const char *text, bool any_bytes, r1i_regex **out, r1_error *err)
{
    int code;
    PCRE2_SIZE at;
    char why[128];
    *out = NULL;
    pcre2_compile_context *const ctx = pcre2_compile_context_create(NULL);
    r1i_regex *const p = calloc(1, sizeof *p);
    if (!ctx || !p) {
        pcre2_compile_context_free(ctx);
        free(p);
        return r1i_fail(err, R1_ERR_NOMEM, "compiling a pattern");
    }
    pcre2_set_newline(ctx, PCRE2_NEWLINE_LF);
    /* MULTILINE because ^ and $ of Oniguruma's Ruby syntax are about lines */
    p->code = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
                            PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C |
                            (any_bytes ? PCRE2_MATCH_INVALID_UTF : 0), &code, &at, ctx);
    pcre2_compile_context_free(ctx);
    if (!p->code) {
        free(p);
        pcre2_get_error_message(code, (PCRE2_UCHAR *)why, sizeof why);
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "pattern byte %zu: %s", (size_t)at, why);
    }
    pcre2_jit_compile(p->code, PCRE2_JIT_COMPLETE); /* where there is no JIT the interpreter gives the same pieces */
    *out = p;
    return R1_OK;
}

void r1i_regex_free(r1i_regex *p)
{
    if (!p) return;
    pcre2_code_free(p->code);
    free(p);
}

void r1i_match_free(r1i_match *m)
{
    pcre2_match_data_free(m->data);
    pcre2_match_context_free(m->context);
    pcre2_jit_stack_free(m->stack);
    *m = (r1i_match){0};
}

static r1_status match_prepare(r1i_match *m, r1_error *err)
{
    if (m->data) return R1_OK;
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(32 * 1024, 4 * 1024 * 1024, NULL);
    m->data = m->context && m->stack ? pcre2_match_data_create(2, NULL) : NULL;
    if (!m->data) {
        r1i_match_free(m);
        return r1i_fail(err, R1_ERR_NOMEM, "match data");
    }
    pcre2_set_match_limit(m->context, m->limit ? m->limit : MATCH_LIMIT);
    pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return R1_OK;
}

int r1i_regex_groups(const r1i_regex *p)
{
    uint32_t groups = 0;
    pcre2_pattern_info(p->code, PCRE2_INFO_CAPTURECOUNT, &groups);
    return (int)groups;
}

r1_status r1i_regex_find(const r1i_regex *p, r1i_match *m, const uint8_t *s, size_t n, size_t from, bool *found,
                         r1i_regex_hit *hit, r1_error *err)
{
    *found = false;
    const r1_status st = match_prepare(m, err);
    if (st != R1_OK) return st;
    const uint32_t options = PCRE2_NO_UTF_CHECK; /* ignored after any_bytes */
    const int rc = pcre2_match(p->code, s, n, from, options, m->data, m->context);
    if (rc == PCRE2_ERROR_NOMATCH) return R1_OK;
    if (rc < 0) {
        char why[128];
        pcre2_get_error_message(rc, (PCRE2_UCHAR *)why, sizeof why);
        return r1i_fail(err, rc == PCRE2_ERROR_NOMEMORY ? R1_ERR_NOMEM : R1_ERR_RANGE, "pattern: %s", why);
    }
    const PCRE2_SIZE *const at = pcre2_get_ovector_pointer(m->data);
    if (at[0] < from || at[1] < at[0] || at[1] > n) /* \K could do it */
        return r1i_fail(err, R1_ERR_RANGE, "pattern: a match that ends before it begins");
    *hit = (r1i_regex_hit){.begin = at[0], .end = at[1], .group_begin = SIZE_MAX, .group_end = SIZE_MAX};
    /* 0: more groups than room, the first is set */
    if (rc != 1 && at[2] != PCRE2_UNSET && at[3] <= n && at[2] <= at[3]) {
        hit->group_begin = at[2];
        hit->group_end = at[3];
    }
    *found = true;
    return R1_OK;
}
