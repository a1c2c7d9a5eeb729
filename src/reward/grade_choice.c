/* Multiple choice: the gold is a letter, and so is the answer, named by a box, a phrase, or alone. */
#include <stdlib.h>

#include "reward/extract.h"
#include "reward/grader.h"

typedef struct state {
    char last; /* letter of the last choice */
} state;

static r1_status choice_create(const json_t *options, const r1_env *env, void **out, r1_error *err)
{
    (void)env;
    r1_status st = r1i_grader_known_keys(options, (const char *const[]){"choices", NULL}, err);
    if (st != R1_OK) return st;
    const json_t *const n = json_object_get(options, "choices");
    if (n && (!json_is_integer(n) || json_integer_value(n) < 2 || json_integer_value(n) > 26))
        return r1i_fail(err, R1_ERR_USAGE, "'choices' is how many letters there are, 2 to 26");
    state *const s = malloc(sizeof *s);
    if (!s) return r1i_fail(err, R1_ERR_NOMEM, "grader");
    s->last = (char)('A' + (n ? json_integer_value(n) : 10) - 1);
    *out = s;
    return R1_OK;
}

static r1_status gold_letter(const state *s, const char *gold, size_t bytes, char *letter, r1_error *err)
{
    r1i_slice rest;
    if (r1i_choice_label((r1i_slice){gold, bytes}, s->last, letter, &rest)) return R1_OK;
    return r1i_fail(err, R1_ERR_FORMAT, "the gold '%.*s' is not a letter from A to %c", (int)(bytes < 40 ? bytes : 40),
                    gold, s->last);
}

static r1_status choice_check(void *state_, const char *gold, size_t bytes, r1_error *err)
{
    char letter;
    return gold_letter(state_, gold, bytes, &letter, err);
}

static r1_status choice_grade(void *state_, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    const state *const s = state_;
    char gold, letter;
    r1i_slice part;
    const char *why;
    const r1_status st = gold_letter(s, sample->gold, sample->gold_bytes, &gold, err);
    if (st != R1_OK) return st;
    if (!r1i_answer_part((r1i_slice){sample->completion, sample->completion_bytes}, sample->thinking_open, &part,
                         &why)) {
        r1i_verdict_set(out, 0, false, "%s", why);
    } else if (!r1i_find_choice(part, s->last, &letter)) {
        r1i_verdict_set(out, 0, false, "no letter from A to %c is named as the answer", s->last);
    } else {
        r1i_verdict_answer(out, &letter, 1);
        r1i_verdict_set(out, letter == gold, letter == gold, "the answer names %c, the gold is %c", letter, gold);
    }
    return R1_OK;
}

/* Without a gold, so that the default of comparing graded answers cannot be used. */
static r1_status choice_same(void *state_, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err)
{
    const state *const s = state_;
    const r1_sample *const pair[2] = {a, b};
    char letter[2];
    (void)err;
    for (int i = 0; i < 2; i++) {
        r1i_slice part;
        const char *why;
        if (!r1i_answer_part((r1i_slice){pair[i]->completion, pair[i]->completion_bytes}, pair[i]->thinking_open, &part,
                             &why) || !r1i_find_choice(part, s->last, &letter[i]))
            return R1_OK;
    }
    *same = letter[0] == letter[1];
    return R1_OK;
}

const r1i_grader_class r1i_grader_choice = {
    .name = "choice",
    .what = "the letter of a multiple choice (options: choices)",
    .create = choice_create,
    .destroy = free,
    .check_gold = choice_check,
    .grade = choice_grade,
    .same = choice_same,
};
