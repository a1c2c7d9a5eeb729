#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for n more bytes and a NUL. */
static bool reserve(r1i_text *t, size_t n)
{
    if (t->failed) return false;
    if (n < t->cap - t->n) return true; /* cap 0: never */
    size_t cap;
    if (__builtin_add_overflow(t->n, n, &cap) || cap > SIZE_MAX / 2 - 64) t->failed = true;
    char *const grown = t->failed ? NULL : realloc(t->bytes, cap = cap * 2 + 64);
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->bytes = grown;
    t->cap = cap;
    return true;
}

void r1i_text_add(r1i_text *t, const char *bytes, size_t n)
{
    if (n == 0 || !reserve(t, n)) return;
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = 0;
}

void r1i_text_puts(r1i_text *t, const char *text) { r1i_text_add(t, text, strlen(text)); }

void r1i_text_printf(r1i_text *t, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    const int n = vsnprintf(NULL, 0, fmt, args);
    if (n < 0) t->failed = true;
    else if (reserve(t, (size_t)n)) {
        vsnprintf(t->bytes + t->n, (size_t)n + 1, fmt, again);
        t->n += (size_t)n;
    }
    va_end(again);
    va_end(args);
}

r1_status r1i_text_take(r1i_text *t, char **out, size_t *n, r1_error *err)
{
    *out = NULL;
    if (n) *n = 0;
    if (t->n == 0 && reserve(t, 0)) t->bytes[0] = 0;
    if (t->failed) {
        const size_t had = t->n;
        r1i_text_free(t);
        return r1i_fail(err, R1_ERR_NOMEM, "a text of more than %zu bytes", had);
    }
    *out = t->bytes;
    if (n) *n = t->n;
    *t = (r1i_text){0};
    return R1_OK;
}

void r1i_text_free(r1i_text *t)
{
    free(t->bytes);
    *t = (r1i_text){0};
}
