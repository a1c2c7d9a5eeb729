/* * What decides what is right: graders, each of which reads a model's text and gives a number with a reason in words.
 * No model and no tokens here. The command line, evaluation, rejection sampling and reinforcement learning all ask
 * these same graders. */
#ifndef R1_REWARD_H
#define R1_REWARD_H

#include "r1/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One output of a model and what it is held against. Borrowed during a call; any bytes are allowed in the texts. */
typedef struct r1_sample {
    const char *prompt;        /* the question as the user wrote it, not the rendered template; nullable */
    size_t prompt_bytes;
    const char *completion;    /* all that the model wrote, thinking included */
    size_t completion_bytes;
    const char *gold;          /* what the row of the data set gives this grader: an answer, or a JSON object (see the
                                * grader) */
    size_t gold_bytes;
    bool thinking_open;        /* the template had already opened the think block (R1), so the completion holds only its
                                * end */
    bool truncated;            /* ended at the token limit, not by itself */
    int64_t tokens, max_tokens;/* length of the completion and its limit, for the length rules; 0: unknown */
} r1_sample;

typedef struct r1_verdict {
    double score;              /* 0 .. 1; penalties are below 0 */
    bool correct;              /* the yes or no behind the score */
    bool extracted;            /* an answer was found at all; false puts the sample into no class of a majority vote */
    char answer[512];          /* the answer as extracted, cut to fit; UTF-8, invalid bytes replaced */
    char reason[256];          /* one line of words, never empty */
} r1_verdict;

typedef struct r1_grader r1_grader; /* mutable (owns its limits and child processes); one thread at a time */

/** name: one of r1_grader_name(); options_json: nullable, a JSON object of that grader's options, unknown keys refused.
 * R1_ERR_USAGE: unknown name or option (message lists what there is); R1_ERR_MISSING: a library or wall is absent. */
R1_API r1_status r1_grader_create(const char *name, const char *options_json, const r1_env *env, r1_grader **out,
                                  r1_error *err);
R1_API void r1_grader_destroy(r1_grader *grader); /* takes NULL */
/** Called for every row when data is loaded, so that a run stops before the first token and not after the last.
 * R1_ERR_FORMAT: this gold cannot be graded against (message says why). */
R1_API r1_status r1_grader_check_gold(r1_grader *grader, const char *gold, size_t bytes, r1_error *err);
/* * Bounded in time and memory whatever the texts are. Errors are the environment's (a child that cannot be started) or
 * an unusable gold; a wrong, broken or hostile completion is a verdict. */
R1_API r1_status r1_grader_grade(r1_grader *grader, const r1_sample *sample, r1_verdict *out, r1_error *err);
/** Whether two completions give the same answer: symmetric and transitive, the classes of a majority vote (cons@k). */
R1_API r1_status r1_grader_same(r1_grader *grader, const r1_sample *a, const r1_sample *b, bool *same, r1_error *err);
/** Name of the i-th grader (i from 0), NULL after the last; *what: one line of help, static. */
R1_API const char *r1_grader_name(int i, const char **what);

/** A reward is a declared sum of graders, each with a weight; every part is logged with its reason. */
typedef struct r1_reward r1_reward; /* mutable; one thread at a time */
typedef struct r1_reward_rule {
    const char *grader;        /* name */
    double weight;             /* finite */
    const char *options_json;  /* nullable */
} r1_reward_rule;
R1_API r1_status r1_reward_create(const r1_reward_rule *rules, size_t n_rules, const r1_env *env, r1_reward **out,
                                  r1_error *err);
/** The same from a recipe: {"rules": [{"grader": "math", "weight": 1, "options": {}}, ...], "unfinished": 0.5}. Or the
 * list alone. "weight" is 1 and "options" none where left out; "unfinished" (1) multiplies a positive total of an
 * output that was cut off at its token limit.
 * R1_ERR_FORMAT: no JSON; R1_ERR_USAGE: an unknown key, grader or option (message says which rule). */
R1_API r1_status r1_reward_create_json(const char *json, size_t bytes, const r1_env *env, r1_reward **out,
                                       r1_error *err);
R1_API void r1_reward_destroy(r1_reward *reward); /* takes NULL */
/** As r1_grader_check_gold, of every rule. */
R1_API r1_status r1_reward_check_gold(r1_reward *reward, const char *gold, size_t bytes, r1_error *err);
/** *total = sum over rules, in their order, of weight * score; parts[n_rules] receives each verdict (nullable). */
R1_API r1_status r1_reward_score(r1_reward *reward, const r1_sample *sample, double *total, r1_verdict *parts,
                                 r1_error *err);
/** Number of rules; name (borrowed) and weight of the i-th, NULL after the last. */
R1_API size_t r1_reward_rules(const r1_reward *reward);
R1_API const char *r1_reward_rule_name(const r1_reward *reward, size_t i, double *weight);

/* * What a rule has given since the reward was made: the live counter of a training log. A rule whose min equals its
 * max teaches nothing more; one whose mean rises while held-out accuracy falls is being played. */
typedef struct r1_rule_count {
    int64_t n, correct, extracted, zero; /* samples; of them correct, with an answer, with score 0 */
    double sum, min, max;                /* of the scores, unweighted; 0 while n is 0 */
} r1_rule_count;
R1_API void r1_reward_count(const r1_reward *reward, size_t i, r1_rule_count *out);

/* * Length term over the samples of one prompt (Kimi k1.5): lambda = 0.5 - (tokens - min) / (max - min), for a wrong
 * sample min(0, lambda); all 0 where the lengths agree. tokens[n], correct[n]; out[n] receives the terms. */
R1_API void r1_length_rewards(const int64_t *tokens, const bool *correct, size_t n, double *out);

#ifdef __cplusplus
}
#endif
#endif
