/* Exact match of the text after the thinking, white space at both ends left out. */
#include <string.h>

#include "reward/grader.h"

static void trim(const char **s, size_t *n)
{
    while (*n && strchr(" \t\r\n", (*s)[0])) ++*s, --*n;
    while (*n && strchr(" \t\r\n", (*s)[*n - 1])) --*n;
}

static r1_status exact_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)state;
    (void)err;
    static const char closer[] = "</think>";
    const char *s = sample->completion, *gold = sample->gold;
    size_t n = sample->completion_bytes, n_gold = sample->gold_bytes;
    for (size_t i = n < sizeof closer - 1 ? 0 : n - (sizeof closer - 1) + 1; i-- > 0;)
        if (memcmp(s + i, closer, sizeof closer - 1) == 0) {
            s += i + sizeof closer - 1;
            n -= i + sizeof closer - 1;
            break;
        }
    trim(&s, &n);
    trim(&gold, &n_gold);
    r1i_verdict_answer(out, s, n);
    const bool equal = n == n_gold && (n == 0 || memcmp(s, gold, n) == 0);
    r1i_verdict_set(out, equal, equal, equal ? "the answer is the gold's text" : "the answer differs from the gold's text");
    return R1_OK;
}

const r1i_grader_class r1i_grader_exact = {
    .name = "exact",
    .what = "the answer's text equals the gold's",
    .grade = exact_grade,
};
