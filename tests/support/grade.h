/* One call of a grader, for tests: made, asked, destroyed. */
#ifndef R1_TEST_GRADE_H
#define R1_TEST_GRADE_H

#include "support/test.h"

#include "r1/reward.h"

typedef struct grade_case {
    const char *grader, *options, *gold, *text;
    double score;
} grade_case;

static inline r1_verdict grade_sample(const char *grader, const char *options, const r1_sample *sample)
{
    r1_grader *g;
    r1_error err = {0};
    r1_verdict v;
    if (r1_grader_create(grader, options, NULL, &g, &err) != R1_OK) fail_msg("%s", err.message);
    if (r1_grader_grade(g, sample, &v, &err) != R1_OK) fail_msg("%s: %s", grader, err.message);
    r1_grader_destroy(g);
    assert_true(v.reason[0] != 0 && !strchr(v.reason, '\n'));
    return v;
}

static inline r1_verdict grade_text(const char *grader, const char *options, const char *gold, const char *text)
{
    const r1_sample s = {.completion = text, .completion_bytes = strlen(text), .gold = gold,
                         .gold_bytes = gold ? strlen(gold) : 0};
    return grade_sample(grader, options, &s);
}

static inline void grade_table(const grade_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const grade_case *c = &cases[i];
        const r1_verdict v = grade_text(c->grader, c->options, c->gold, c->text);
        if (v.score != c->score)
            fail_msg("%s, gold %s: %s\nscored %g, expected %g: %s", c->grader, c->gold ? c->gold : "none", c->text,
                     v.score, c->score, v.reason);
    }
}

static inline r1_status grade_gold(const char *grader, const char *options, const char *gold, r1_error *err)
{
    r1_grader *g;
    if (r1_grader_create(grader, options, NULL, &g, err) != R1_OK) fail_msg("%s", err->message);
    const r1_status st = r1_grader_check_gold(g, gold, strlen(gold), err);
    r1_grader_destroy(g);
    return st;
}

#endif
