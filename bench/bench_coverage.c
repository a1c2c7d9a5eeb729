/* How often a 95 % interval holds the truth: clustered t, the bootstrap and the naive interval that takes samples as
 * independent, over sets of different size and spread. One JSON object a line; docs/statistics.md is made of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "eval/stats.h"

/* Solve rates. beta: Beta(1/2, 1/2), mean 1/2. hard: its cube, most near 0. bimodal: 0.95 with chance 0.9, else
 * 0.05. */
static double solve_rate(int kind, r1i_rng *rng)
{
    const double u = r1i_rng_double(rng), s = sin(1.57079632679489661923 * u), p = s * s;
    return kind == 0 ? p : kind == 1 ? p * p * p : u < 0.9 ? 0.95 : 0.05;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"beta", "hard", "bimodal"};
    static const double truth[] = {0.5, 0.3125, 0.86}; /* E p^3 of the arcsine law: 5/16 */
    static const struct {
        int questions, samples;
    } sets[] = {{5, 64}, {10, 64}, {30, 64}, {30, 1}, {200, 4}};
    const int trials = argc > 1 ? atoi(argv[1]) : 1000;
    for (int kind = 0; kind < 3; kind++)
        for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
            const int m = sets[k].questions, n = sets[k].samples;
            int t = 0, boot = 0, naive = 0;
            r1i_rng rng = {.seed = 1};
            r1i_tally q[200];
            for (int trial = 0; trial < trials; trial++) {
                int64_t all = 0;
                for (int i = 0; i < m; i++) {
                    const double p = solve_rate(kind, &rng);
                    q[i] = (r1i_tally){.n = n};
                    for (int j = 0; j < n; j++) q[i].c += r1i_rng_double(&rng) < p;
                    all += q[i].c;
                }
                const r1i_interval a = r1i_clustered(q, (size_t)m, 0.95), w = r1i_wilson(all, (int64_t)m * n, 0.95);
                r1i_interval b;
                if (r1i_bootstrap(q, (size_t)m, 0.95, 200, (uint64_t)trial, &b, NULL) != R1_OK) return 4;
                t += a.lo <= truth[kind] && truth[kind] <= a.hi;
                boot += b.lo <= truth[kind] && truth[kind] <= b.hi;
                naive += w.lo <= truth[kind] && truth[kind] <= w.hi;
            }
            printf("{\"rates\": \"%s\", \"questions\": %d, \"samples\": %d, \"trials\": %d, \"clustered_t\": %.4f, \"bootstrap\": %.4f, \"independent\": %.4f}\n",
                   names[kind], m, n, trials, (double)t / trials, (double)boot / trials, (double)naive / trials);
        }
    return 0;
}
