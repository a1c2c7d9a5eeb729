/* The examiner's arithmetic: what k samples a question say about a model, and how sure that is. Plain functions over
 * counts; no state, any thread. None returns a NaN: an interval that cannot be known is the widest one, and says so.
 * Conventions: a question (prompt) has n samples of which c are right; samples of one question are not independent, so
 * every standard error is clustered by question (spec: R1 paper, pass@1 and cons@k). docs/statistics.md has the
 * measured coverages. */
#ifndef R1I_EVAL_STATS_H
#define R1I_EVAL_STATS_H

#include "base/error.h"

typedef struct r1i_tally {
    int64_t n, c; /* samples really taken, and how many were right; 0 <= c <= n */
} r1i_tally;

/* Chance that at least one of k samples drawn from the n without putting back is right: 1 - prod_{j=n-c+1..n} (1 -
 * k/j), and 1 where n - c < k. k above n is not estimable; it is taken as n. n <= 0 or k <= 0: 0. */
double r1i_pass_at_k(int64_t n, int64_t c, int64_t k);
/* Mean over questions of pass@k; a question without samples counts 0. m = 0: 0. */
double r1i_mean_pass_at_k(const r1i_tally *q, size_t m, int64_t k);

/* ---- majority vote ----------------------------------------------------------------------------------------------- */

typedef enum r1i_ties {
    R1I_TIES_SPLIT, /* a tie earns (right classes in the tie) / (classes in the tie) */
    R1I_TIES_FIRST  /* the class whose first vote came first wins */
} r1i_ties;

typedef struct r1i_vote {
    double value; /* expected credit, 0 .. 1 */
    bool exact;   /* false: mean over seeded random subsets */
} r1i_vote;

/* cons@k of one question: the expected credit of a majority vote among k of its n samples, over all subsets of size k
 * in their order. class[n]: equivalence class of each answer, below n; -1: nothing extracted, which fills a place and
 * votes for nobody. right[n]: whether sample i's class is right (equal within a class). k above n is taken as n. With
 * R1I_TIES_SPLIT the value is exact (a count over classes, not over subsets) up to some hundreds of samples; with
 * R1I_TIES_FIRST while there are at most 200,000 subsets; beyond that `draws` subsets are drawn with Philox(seed).
 * R1_ERR_NOMEM, R1_ERR_USAGE (a class out of range). */
r1_status r1i_cons_at_k(const int32_t *class, const bool *right, size_t n, size_t k, r1i_ties ties, uint64_t seed,
                        size_t draws, r1i_vote *out, r1_error *err);

/* ---- intervals --------------------------------------------------------------------------------------------------- */

typedef struct r1i_interval {
    double mean, se; /* se: 0 where it cannot be estimated */
    double lo, hi;   /* within 0 .. 1 (differences: -1 .. 1) */
    bool known;      /* false: one question, or none differs from another; then lo and hi come from the exact rule named
                      * below */
} r1i_interval;

/* Mean over questions of c/n with the standard error of the mean of the m clusters, sqrt(sum (p - mean)^2 / (m (m -
 * 1))), and mean +- t(m - 1) se, cut to 0 .. 1. Where all questions agree (se 0) or m = 1 the interval is Wilson's for
 * m questions. */
r1i_interval r1i_clustered(const r1i_tally *q, size_t m, double level);
/* Percentile bootstrap: questions drawn with replacement, then each one's samples. Too narrow on small sets
 * (docs/statistics.md). draws around 2,000. R1_ERR_NOMEM. */
r1_status r1i_bootstrap(const r1i_tally *q, size_t m, double level, size_t draws, uint64_t seed, r1i_interval *out,
                        r1_error *err);
/* Wilson's score interval: c right of n independent tries (one sample a question). n = 0: [0, 1]. */
r1i_interval r1i_wilson(int64_t c, int64_t n, double level);

typedef struct r1i_paired {
    size_t m;          /* questions */
    r1i_interval diff; /* mean of a - b, clustered t; lo, hi within -1 .. 1 */
    double p_t;        /* two-sided, clustered paired t; 1 where nothing can be said */
    double p_flip;     /* two-sided sign-flip permutation of the differences: exact up to 20 questions, else (1 + hits)
                        * / (1 + draws) */
    bool flip_exact;
} r1i_paired;

/* Two runs over the same questions: a[i] and b[i] belong to question i. */
r1i_paired r1i_paired_difference(const r1i_tally *a, const r1i_tally *b, size_t m, double level, size_t draws,
                                 uint64_t seed);

/* ---- distributions ----------------------------------------------------------------------------------------------- */

/* Regularised incomplete beta I_x(a, b), a and b > 0, x in 0 .. 1; relative error about 1e-14 up to a + b of some
 * thousands. */
double r1i_incomplete_beta(double a, double b, double x);
double r1i_t_cdf(double t, double df);
/* t with P(T <= t) = p, 0 < p < 1, df > 0. */
double r1i_t_quantile(double p, double df);
double r1i_normal_quantile(double p);

#endif
