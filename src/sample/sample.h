/* One row of logits becomes one token. Everything here is plain IEEE double or integer arithmetic in one fixed order,
 * so a draw is the same on every instruction set and does not depend on which thread makes it. */
#ifndef R1I_SAMPLE_H
#define R1I_SAMPLE_H

#include "base/env.h"
#include "r1/engine.h"

/* Scratch of one thread that samples; reused for every row, nothing is allocated per token. */
typedef struct r1i_sampler {
    int64_t vocab;
    double *weight;      /* [vocab] exp((z - max) / T) of the candidates, in their order */
    int32_t *id;         /* [vocab] candidates, ascending */
    float *adjusted;     /* [vocab] logits after bias and penalties */
    int32_t *count;      /* [vocab] occurrences, zero between calls */
    int32_t *bucket_n;   /* [R1I_SAMPLE_BUCKETS] */
    double *bucket_mass; /* [R1I_SAMPLE_BUCKETS] */
} r1i_sampler;

enum { R1I_SAMPLE_BUCKETS = 2048, R1I_TOP_LOGPROBS = 20 };

/* Bytes that r1i_sampler_init takes from `memory` (64-byte aligned). */
size_t r1i_sampler_bytes(int64_t vocab);
void r1i_sampler_init(r1i_sampler *s, int64_t vocab, void *memory);

/* R1_ERR_RANGE names the field that is out of its range, or a biased id outside [0, vocab). */
r1_status r1i_sampling_check(const r1_sampling *p, int64_t vocab, r1_error *err);

/* What the penalties look at. Nothing about it is kept between calls: a replay or a rejected draft needs no undoing. */
typedef struct r1i_sample_history {
    const int32_t *prompt, *output;
    int64_t n_prompt, n_output; /* n_output is also the position of the draw */
} r1i_sample_history;

/* logits[vocab]; ids at or above n_defined are never chosen. lse: log of the sum of exp(logit) over the others. A
 * finite one says that no logit is NaN or +infinity; with any other (NaN: unknown) they are looked through.
 * R1_ERR_RANGE: a logit that is NaN or +infinity, or no id left to choose. */
r1_status r1i_sample(r1i_sampler *s, const r1_sampling *p, const r1i_sample_history *history, const float *logits,
                     int64_t n_defined, double lse, int32_t *id, r1_error *err);

/* The n most likely ids of raw logits, most likely first, ties to the lower id; returns how many (at most n_defined).
 * lse: log of the sum of exp(logit) over defined ids. n at most R1I_TOP_LOGPROBS. */
int32_t r1i_top_logprobs(const float *logits, int64_t n_defined, double lse, int32_t n, r1_logprob *out);

/* The one formula of a log-prob, for rollout and scoring alike: rounded once, from double. */
static inline float r1i_logprob(float logit, double lse) { return (float)((double)logit - lse); }

#endif
