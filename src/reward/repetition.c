/* Repetition penalty: -p (1 - unique / total) over the n-grams of the completion's words (thinking included), exact in
 * integers. Words are compared as bytes; each CJK character is a word. Fewer words than n: nothing repeats. */
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "reward/grader.h"
#include "reward/rule_text.h"

typedef struct repetition {
    int64_t n;
    double penalty;
} repetition;

static r1_status repetition_create(const json_t *json, const r1_env *env, void **state, r1_error *err)
{
    (void)env;
    const r1_status st = r1i_grader_known_keys(json, (const char *const[]){"n", "penalty", NULL}, err);
    const json_t *const n = json_object_get(json, "n"), *const penalty = json_object_get(json, "penalty");
    if (st != R1_OK) return st;
    if (n && (!json_is_integer(n) || json_integer_value(n) < 1 || json_integer_value(n) > 64))
        return r1i_fail(err, R1_ERR_USAGE, "option 'n' is a whole number, 1 to 64");
    if (penalty && (!json_is_number(penalty) || !(json_number_value(penalty) >= 0) || json_number_value(penalty) > 1e6))
        return r1i_fail(err, R1_ERR_USAGE, "option 'penalty' is a number from 0");
    repetition *const r = malloc(sizeof *r);
    if (!r) return r1i_fail(err, R1_ERR_NOMEM, "repetition grader");
    *r = (repetition){.n = n ? json_integer_value(n) : 3, .penalty = penalty ? json_number_value(penalty) : 1};
    *state = r;
    return R1_OK;
}

/* A set of runs of ids, found by what they hold: open addressing over the place of the first such run. */
typedef struct runs {
    uint32_t *slot; /* place + 1, 0 empty */
    size_t mask;
} runs;

static uint64_t mix(uint64_t h, uint64_t x)
{
    h ^= x + 0x9E3779B97F4A7C15u + (h << 6) + (h >> 2);
    h *= 0xFF51AFD7ED558CCDu;
    return h ^ (h >> 32);
}

static bool runs_make(runs *r, size_t n)
{
    size_t size = 16;
    while (size < 2 * n) size *= 2;
    r->mask = size - 1;
    r->slot = calloc(size, sizeof *r->slot);
    return r->slot != NULL;
}

/* The first place whose run of n ids equals that at `at`; adds it when there is none. */
static uint32_t run_first(runs *r, const uint32_t *id, uint32_t at, size_t n)
{
    uint64_t h = 0;
    for (size_t i = 0; i < n; i++) h = mix(h, id[at + i]);
    for (size_t s = h & r->mask;; s = (s + 1) & r->mask) {
        if (!r->slot[s]) {
            r->slot[s] = at + 1;
            return at;
        }
        const uint32_t first = r->slot[s] - 1;
        if (memcmp(id + first, id + at, n * sizeof *id) == 0) return first;
    }
}

static uint32_t word_first(runs *r, const r1i_span *word, uint32_t at)
{
    uint64_t h = 0;
    for (size_t i = 0; i < word[at].n; i++) h = mix(h, (unsigned char)word[at].p[i]);
    for (size_t s = h & r->mask;; s = (s + 1) & r->mask) {
        if (!r->slot[s]) {
            r->slot[s] = at + 1;
            return at;
        }
        if (r1i_span_equal(word[r->slot[s] - 1], word[at])) return r->slot[s] - 1;
    }
}

/* Ids of the words: the place of each one's first occurrence. NULL: no memory. */
static uint32_t *identify(r1i_span text, size_t *n)
{
    r1i_words w = {.text = text};
    r1i_span word;
    runs seen = {0};
    *n = 0;
    while (r1i_words_next(&w, &word)) ++*n;
    r1i_span *const words = calloc(*n + 1, sizeof *words);
    uint32_t *const id = calloc(*n + 1, sizeof *id);
    if (*n >= UINT32_MAX || !words || !id || !runs_make(&seen, *n)) {
        free(words);
        free(id);
        return NULL;
    }
    w.at = 0;
    for (uint32_t i = 0; r1i_words_next(&w, &words[i]); i++) id[i] = word_first(&seen, words, i);
    free(seen.slot);
    free(words);
    return id;
}

static r1_status repetition_grade(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    const repetition *const r = state;
    const size_t n = (size_t)r->n;
    size_t words, unique = 0;
    uint32_t *const id = identify((r1i_span){sample->completion, sample->completion_bytes}, &words);
    runs seen = {0};
    const size_t total = words >= n ? words - n + 1 : 0;
    if (!id || !runs_make(&seen, total)) {
        free(id);
        return r1i_fail(err, R1_ERR_NOMEM, "n-grams of %zu words", words);
    }
    for (uint32_t i = 0; i < total; i++) unique += run_first(&seen, id, i, n) == i;
    free(seen.slot);
    free(id);
    const double repeated = total ? 1 - (double)unique / (double)total : 0;
    r1i_verdict_set(out, total && unique < total ? -r->penalty * repeated : 0, repeated < 0.5,
                    "%zu of %zu %zu-grams are different", unique, total, n);
    return R1_OK;
}

static void repetition_destroy(void *state) { free(state); }

const r1i_grader_class r1i_grader_repetition = {
    .name = "repetition",
    .what = "minus the share of word n-grams that repeat earlier ones",
    .create = repetition_create,
    .destroy = repetition_destroy,
    .grade = repetition_grade,
};
