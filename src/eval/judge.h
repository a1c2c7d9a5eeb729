/* A model as the judge of short factual answers. What is judged was written by another model and may say anything, so
 * it is quoted between marks it cannot know, each verdict must repeat such a mark, and the same verdict is needed
 * twice, with everything in the other order. */
#ifndef R1I_JUDGE_H
#define R1I_JUDGE_H

#include "base/sha256.h"
#include "eval/chat_client.h"
#include "r1/reward.h"

typedef struct r1i_judge r1i_judge; /* one thread at a time */

r1_status r1i_judge_create(const r1_endpoint *endpoint, r1i_judge **out, r1_error *err);
void r1i_judge_destroy(r1i_judge *j); /* takes NULL */
/* Correct only where both orders say so. A judge without a readable verdict, or of two minds, gives extracted = false
 * and no point. Errors are the service's. */
r1_status r1i_judge_grade(r1i_judge *j, const r1_sample *sample, r1_verdict *out, r1_error *err);

/* Parts of it, for tests. The mark: a function of all texts, so that a run can be repeated, and unknown to whoever
 * wrote one. */
enum { R1I_MARK = 17 };
void r1i_judge_mark(const r1_sample *sample, bool swapped, char mark[R1I_MARK]);
/* The prompt of one order; malloc'd. answer: without the thinking. */
r1_status r1i_judge_prompt(const r1_sample *sample, const char *answer, size_t answer_bytes, bool swapped, char **out,
                           r1_error *err);
/* 'c' correct, 'i' incorrect, 'n' not attempted, 0 no readable verdict: the reply's last line must be the mark and one
 * letter. */
char r1i_judge_read(const char *reply, size_t bytes, const char *mark, bool swapped);

#endif
