/* Rules about length, in tokens: DAPO's soft penalty near the limit, a reward for stopping by oneself, and the length
 * term over a group of samples that Kimi k1.5 used. */
#include <math.h>
#include <stdlib.h>

#include "reward/grader.h"

typedef struct overlong {
    int64_t limit, buffer; /* limit 0: the sample's own; buffer -1: a fifth of the limit, as DAPO's 4,096 of 20,480 */
} overlong;

static r1_status whole(const json_t *json, const char *key, int64_t least, int64_t *out, r1_error *err)
{
    const json_t *const v = json_object_get(json, key);
    if (!v) return R1_OK;
    if (!json_is_integer(v) || json_integer_value(v) < least || json_integer_value(v) > INT64_C(1) << 40)
        return r1i_fail(err, R1_ERR_USAGE, "option '%s' is a whole number from %lld", key, (long long)least);
    *out = json_integer_value(v);
    return R1_OK;
}

static r1_status overlong_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    overlong o = {.buffer = -1};
    r1_status st = r1i_grader_known_keys(json, (const char *const[]){"limit", "buffer", NULL}, err);
    if (st == R1_OK) st = whole(json, "limit", 1, &o.limit, err);
    if (st == R1_OK) st = whole(json, "buffer", 0, &o.buffer, err);
    if (st == R1_OK && o.limit && o.buffer > o.limit)
        st = r1i_fail(err, R1_ERR_USAGE, "option 'buffer' is larger than 'limit'");
    if (st != R1_OK) return st;
    overlong *const g = malloc(sizeof *g);
    if (!g) return r1i_fail(err, R1_ERR_NOMEM, "overlong grader");
    *g = o;
    *state = g;
    return R1_OK;
}

static r1_status overlong_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    const overlong *const o = state;
    const int64_t limit = o->limit ? o->limit : sample->max_tokens, n = sample->tokens;
    const int64_t buffer = o->buffer < 0 ? limit / 5 : o->buffer, free_until = limit - buffer;
    if (limit <= 0 || n < 0 || (n == 0 && sample->completion_bytes > 0))
        return r1i_fail(err, R1_ERR_USAGE, "the overlong rule wants the number of tokens and their limit");
    if (buffer > limit)
        return r1i_fail(err, R1_ERR_USAGE, "a buffer of %lld tokens is larger than the limit %lld", (long long)buffer,
                        (long long)limit);
    const double score = n <= free_until ? 0 : n > limit || buffer == 0 ? -1
        : (double)(free_until - n) / (double)buffer;
    r1i_verdict_set(out, score, n <= free_until, "%lld tokens, free up to %lld, limit %lld", (long long)n,
                    (long long)free_until, (long long)limit);
    return R1_OK;
}

static void overlong_destroy(void *state) { free(state); }

const r1i_grader_class r1i_grader_overlong = {
    .name = "overlong",
    .what = "DAPO's soft penalty: 0, then down to -1 over the last \"buffer\" tokens of \"limit\"",
    .create = overlong_create,
    .destroy = overlong_destroy,
    .grade = overlong_grade,
};

static r1_status stops_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    (void)state;
    (void)err;
    r1i_verdict_set(out, !sample->truncated, !sample->truncated,
                    sample->truncated ? "cut off at the token limit" : "ended by itself");
    return R1_OK;
}

const r1i_grader_class r1i_grader_stops = {
    .name = "stops",
    .what = "1 when the model ended by itself, 0 when it was cut off",
    .grade = stops_grade,
};

void r1_length_rewards(const int64_t *tokens, const bool *correct, size_t n, double *out)
{
    int64_t least = n ? tokens[0] : 0, most = least;
    for (size_t i = 1; i < n; i++) {
        if (tokens[i] < least) least = tokens[i];
        if (tokens[i] > most) most = tokens[i];
    }
    for (size_t i = 0; i < n; i++) {
        const double lambda = most > least ? 0.5 - (double)(tokens[i] - least) / (double)(most - least) : 0;
        out[i] = correct[i] ? lambda : fmin(0, lambda);
    }
}
