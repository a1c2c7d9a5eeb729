#include "eval/examiner.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "eval/judge.h"

struct r1i_examiner {
    r1_grader *grader; /* one of the two */
    r1i_judge *judge;
};

bool r1i_grading_waits(const char *grader) { return strcmp(grader, "code") == 0 || strcmp(grader, "judge") == 0; }

r1_status r1i_examiner_create(const char *task, const char *grader, const char *options, const r1_endpoint *judge,
                              const r1_env *env, r1i_examiner **out, r1_error *err)
{
    r1_status st;
    *out = NULL;
    r1i_examiner *const x = calloc(1, sizeof *x);
    if (!x) return r1i_fail(err, R1_ERR_NOMEM, "examiner");
    if (strcmp(grader, "judge") != 0) st = r1_grader_create(grader, options, env, &x->grader, err);
    else if (options) st = r1i_fail(err, R1_ERR_USAGE, "grader judge: takes no options");
    else if (!judge) st = r1i_fail(err, R1_ERR_USAGE, "the answers are judged by a model: name one with --judge URL");
    else st = r1i_judge_create(judge, &x->judge, err);
    if (st == R1_OK) *out = x;
    else {
        r1i_error_prefix(err, "task %s: ", task);
        free(x);
    }
    return st;
}

void r1i_examiner_destroy(r1i_examiner *x)
{
    if (!x) return;
    r1_grader_destroy(x->grader);
    r1i_judge_destroy(x->judge);
    free(x);
}

r1_status r1i_examiner_check_gold(r1i_examiner *x, const char *gold, size_t bytes, r1_error *err)
{
    if (x->grader) return r1_grader_check_gold(x->grader, gold, bytes, err);
    return bytes ? R1_OK : r1i_fail(err, R1_ERR_FORMAT, "an empty answer cannot be judged against");
}

r1_status r1i_examiner_grade(r1i_examiner *x, const r1_sample *sample, r1_verdict *out, r1_error *err)
{
    return x->grader ? r1_grader_grade(x->grader, sample, out, err) : r1i_judge_grade(x->judge, sample, out, err);
}
