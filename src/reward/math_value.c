/* A parsed answer and the entry points that read and compare it. */
#include "reward/math.h"

#include <stdlib.h>
#include <stdio.h>
#include <string.h>

struct r1i_math {
    r1i_math_options options;
};
struct r1i_math_value {
    const char *kind;
    char text[];
};

r1_status r1i_math_create(const r1i_math_options *options, const r1_env *env, r1i_math **out, r1_error *err)
{
    (void)env;
    *out = calloc(1, sizeof **out);
    if (!*out) return r1i_fail(err, R1_ERR_NOMEM, "answer checker");
    if (options) (*out)->options = *options;
    return R1_OK;
}

void r1i_math_destroy(r1i_math *math) { free(math); }

static bool is_digits(const char *s, size_t n)
{
    if (n == 0) return false;
    for (size_t i = 0; i < n; i++)
        if (s[i] < '0' || s[i] > '9') return false;
    return true;
}

r1_status r1i_math_parse(r1i_math *math, const char *text, size_t bytes, r1i_math_value **out, r1_error *err)
{
    (void)math;
    *out = NULL;
    while (bytes && strchr(" \t\r\n$", text[0])) text++, bytes--;
    while (bytes && strchr(" \t\r\n$.", text[bytes - 1])) bytes--;
    if (bytes == 0) return r1i_fail_at(err, R1_ERR_FORMAT, 0, "the answer is empty");
    r1i_math_value *const v = malloc(sizeof *v + bytes + 1);
    if (!v) return r1i_fail(err, R1_ERR_NOMEM, "answer, %zu bytes", bytes);
    const size_t sign = text[0] == '-';
    size_t zeros = sign;
    while (zeros + 1 < bytes && text[zeros] == '0') zeros++;
    v->kind = is_digits(text + sign, bytes - sign) ? "integer" : "text";
    size_t n = 0;
    if (v->kind[0] == 'i') {
        if (sign && text[zeros] != '0') v->text[n++] = '-';
        memcpy(v->text + n, text + zeros, bytes - zeros);
        n += bytes - zeros;
    } else {
        memcpy(v->text, text, bytes);
        n = bytes;
    }
    v->text[n] = 0;
    *out = v;
    return R1_OK;
}

void r1i_math_value_free(r1i_math_value *value) { free(value); }
const char *r1i_math_value_kind(const r1i_math_value *value) { return value->kind; }
const char *r1i_math_value_text(const r1i_math_value *value) { return value->text; }

r1_status r1i_math_equal(r1i_math *math, const r1i_math_value *a, const r1i_math_value *b, bool *equal, char *reason,
                         size_t reason_bytes, r1_error *err)
{
    (void)math;
    (void)err;
    *equal = strcmp(a->text, b->text) == 0;
    if (reason) snprintf(reason, reason_bytes, *equal ? "the same %s" : "another %s", a->kind);
    return R1_OK;
}

r1_status r1i_math_grade_value(r1i_math *math, const r1i_math_value *gold, const r1i_math_value *answer, bool *correct, char *reason,
                               size_t reason_bytes, r1_error *err)
{
    return r1i_math_equal(math, gold, answer, correct, reason, reason_bytes, err);
}
