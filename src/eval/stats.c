/* Means, intervals and differences over questions. */
#include "eval/stats.h"

#include <math.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/rng.h"

double r1i_pass_at_k(int64_t n, int64_t c, int64_t k)
{
    if (n <= 0 || k <= 0 || c <= 0) return 0;
    if (c > n) c = n;
    if (k > n) k = n;
    if (n - c < k) return 1;
    /* The shorter of two equal products: j over the c right ones, or over the k drawn ones. */
    const int64_t terms = c < k ? c : k, other = c < k ? k : c;
    double miss = 1;
    for (int64_t j = n - terms + 1; j <= n; j++) miss *= 1 - (double)other / (double)j;
    return 1 - miss;
}

double r1i_mean_pass_at_k(const r1i_tally *q, size_t m, int64_t k)
{
    double sum = 0;
    for (size_t i = 0; i < m; i++) sum += r1i_pass_at_k(q[i].n, q[i].c, k);
    return m ? sum / (double)m : 0;
}

static double rate(const r1i_tally *t) { return t->n > 0 ? (double)t->c / (double)t->n : 0; }

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

r1i_interval r1i_wilson(int64_t c, int64_t n, double level)
{
    r1i_interval out = {.hi = 1};
    if (n <= 0) return out;
    const double z = r1i_normal_quantile(0.5 + level / 2), N = (double)n, p = (double)c / N, z2 = z * z;
    const double centre = (p + z2 / (2 * N)) / (1 + z2 / N),
                 half = z * sqrt(p * (1 - p) / N + z2 / (4 * N * N)) / (1 + z2 / N);
    out.mean = p;
    out.se = sqrt(p * (1 - p) / N);
    out.lo = c == 0 ? 0 : clamp(centre - half, 0, 1); /* exactly 0 and 1 at the ends, whatever was rounded */
    out.hi = c == n ? 1 : clamp(centre + half, 0, 1);
    out.known = true;
    return out;
}

/* Mean and standard error of the mean of x_0 .. x_(m-1), x_i = rate(a) - rate(b). Two passes: no cancellation. */
static void moments(const r1i_tally *a, const r1i_tally *b, size_t m, double *mean, double *se)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < m; i++) sum += rate(&a[i]) - (b ? rate(&b[i]) : 0);
    *mean = m ? sum / (double)m : 0;
    for (size_t i = 0; i < m; i++) {
        const double d = rate(&a[i]) - (b ? rate(&b[i]) : 0) - *mean;
        squares += d * d;
    }
    *se = m > 1 ? sqrt(squares / ((double)m * (double)(m - 1))) : 0;
    if (*se < 1e-15) *se = 0; /* equal rates, but for the rounding of their mean */
}

r1i_interval r1i_clustered(const r1i_tally *q, size_t m, double level)
{
    r1i_interval out = {.hi = 1};
    if (m == 0) return out;
    moments(q, NULL, m, &out.mean, &out.se);
    if (out.se > 0) {
        const double half = r1i_t_quantile(0.5 + level / 2, (double)(m - 1)) * out.se;
        out.lo = clamp(out.mean - half, 0, 1);
        out.hi = clamp(out.mean + half, 0, 1);
        out.known = true;
        return out;
    }
    /* No spread to learn from. m equal questions at rate p say about as much as m tries of which p m succeeded. */
    const r1i_interval w = r1i_wilson((int64_t)llround(out.mean * (double)m), (int64_t)m, level);
    out.lo = fmin(w.lo, out.mean);
    out.hi = fmax(w.hi, out.mean);
    return out;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between order statistics; p in 0 .. 1. */
static double percentile(const double *sorted, size_t n, double p)
{
    const double at = p * (double)(n - 1), below = floor(at);
    const size_t i = (size_t)below;
    return i + 1 < n ? sorted[i] + (at - below) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

r1_status r1i_bootstrap(const r1i_tally *q, size_t m, double level, size_t draws, uint64_t seed, r1i_interval *out,
                        r1_error *err)
{
    *out = (r1i_interval){.hi = 1};
    size_t bytes;
    if (draws < 2) return r1i_fail(err, R1_ERR_USAGE, "a bootstrap of %zu draws", draws);
    if (m == 0) return R1_OK;
    double *const mean = r1i_mul_size(draws, sizeof *mean, &bytes) ? malloc(bytes) : NULL;
    if (!mean) return r1i_fail(err, R1_ERR_NOMEM, "a bootstrap of %zu draws", draws);
    r1i_rng rng = {.seed = seed};
    double total = 0, squares = 0;
    for (size_t d = 0; d < draws; d++) {
        double sum = 0;
        for (size_t i = 0; i < m; i++) {
            const r1i_tally *t = &q[r1i_rng_below(&rng, m)];
            int64_t c = 0;
            for (int64_t s = 0; s < t->n; s++) c += r1i_rng_below(&rng, (uint64_t)t->n) < (uint64_t)t->c;
            sum += t->n > 0 ? (double)c / (double)t->n : 0;
        }
        mean[d] = sum / (double)m;
        total += mean[d];
    }
    total /= (double)draws;
    for (size_t d = 0; d < draws; d++) squares += (mean[d] - total) * (mean[d] - total);
    qsort(mean, draws, sizeof *mean, by_value);
    double ignored;
    moments(q, NULL, m, &out->mean, &ignored);
    out->se = sqrt(squares / (double)(draws - 1));
    out->lo = percentile(mean, draws, 0.5 - level / 2);
    out->hi = percentile(mean, draws, 0.5 + level / 2);
    out->known = out->se > 0;
    free(mean);
    return R1_OK;
}

enum { EXACT_FLIPS = 20 };

/* Under the hypothesis that the two runs are alike each difference could as well have had the other sign. */
static double sign_flip(const r1i_tally *a, const r1i_tally *b, size_t m, size_t draws, uint64_t seed, bool *exact)
{
    double observed = 0;
    for (size_t i = 0; i < m; i++) observed += rate(&a[i]) - rate(&b[i]);
    const double bar = fabs(observed) - 1e-9; /* sums of the same numbers in other signs: a tie counts as a hit */
    *exact = m <= EXACT_FLIPS;
    const uint64_t rounds = *exact ? UINT64_C(1) << m : draws;
    uint64_t hits = 0;
    r1i_rng rng = {.seed = seed};
    for (uint64_t r = 0; r < rounds; r++) {
        double sum = 0;
        uint64_t bits = r;
        for (size_t i = 0; i < m; i++) {
            if (!*exact && i % 64 == 0) bits = r1i_rng_u64(&rng);
            const double d = rate(&a[i]) - rate(&b[i]);
            sum += (bits >> (i % 64)) & 1 ? d : -d;
        }
        hits += fabs(sum) >= bar;
    }
    return *exact ? (double)hits / (double)rounds : (double)(1 + hits) / (double)(1 + rounds);
}

r1i_paired r1i_paired_difference(const r1i_tally *a, const r1i_tally *b, size_t m, double level, size_t draws,
                                 uint64_t seed)
{
    r1i_paired out = {.m = m, .diff = {.lo = -1, .hi = 1}, .p_t = 1, .p_flip = 1, .flip_exact = true};
    if (m == 0) return out;
    moments(a, b, m, &out.diff.mean, &out.diff.se);
    out.p_flip = sign_flip(a, b, m, draws, seed, &out.flip_exact);
    if (out.diff.se > 0) {
        const double half = r1i_t_quantile(0.5 + level / 2, (double)(m - 1)) * out.diff.se;
        out.diff.lo = clamp(out.diff.mean - half, -1, 1);
        out.diff.hi = clamp(out.diff.mean + half, -1, 1);
        out.diff.known = true;
        out.p_t = 2 * (1 - r1i_t_cdf(fabs(out.diff.mean) / out.diff.se, (double)(m - 1)));
    } else {
        out.p_t = out.p_flip; /* every question differs alike: t would say 0, the signs say what m questions can */
    }
    return out;
}
