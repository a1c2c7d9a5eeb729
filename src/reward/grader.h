/* The inside of a grader: one class a file, listed in grader.c. A class holds no globals; its state lives with the
 * handle. */
#ifndef R1I_GRADER_H
#define R1I_GRADER_H

#include "base/env.h"
#include "base/json.h"
#include "r1/reward.h"

typedef struct r1i_grader_class {
    const char *name, *what;
    /* options: a JSON object or NULL, borrowed; the class refuses keys it does not know (r1i_grader_known_keys). */
    r1_status (*create)(const json_t *options, const r1_env *env, void **state, r1_error *err); /* NULL: no state */
    void (*destroy)(void *state);                                                               /* NULL: no state */
    /* NULL: any gold will do */
    r1_status (*check_gold)(void *state, const char *gold, size_t bytes, r1_error *err);
    r1_status (*grade)(void *state, const r1_sample *sample, r1_verdict *out, r1_error *err);
    /* NULL: answers equal as text */
    r1_status (*same)(void *state, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err);
} r1i_grader_class;

/* R1_ERR_USAGE naming the first key of options that is not in keys[] (NULL-terminated). */
r1_status r1i_grader_known_keys(const json_t *options, const char *const *keys, r1_error *err);
/* Fill a verdict: the reason is formatted, the answer copied with invalid UTF-8 replaced and cut on a character. */
R1_PRINTF(4, 5) void r1i_verdict_set(r1_verdict *out, double score, bool correct, const char *reason, ...);
void r1i_verdict_answer(r1_verdict *out, const char *answer, size_t bytes);

#endif
