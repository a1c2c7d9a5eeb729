/* The estimators against closed forms (to 1e-12) and against counting every case; intervals against the truth they
 * claim to cover. */
#include "support/test.h"

#include <math.h>

#include "base/rng.h"
#include "eval/stats.h"

static const double pi = 3.14159265358979323846;

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance)) fail_msg("got %.17g, want %.17g", got, want);
}

static double binomial(int n, int k)
{
    unsigned __int128 c = 1;
    for (int i = 1; i <= k; i++) c = c * (unsigned)(n - k + i) / (unsigned)i;
    return k < 0 || k > n ? 0 : (double)c;
}

static void test_pass_at_k(void **state)
{
    (void)state;
    for (int n = 1; n <= 64; n++)
        for (int c = 0; c <= n; c++)
            for (int k = 1; k <= n; k++) near(r1i_pass_at_k(n, c, k), 1 - binomial(n - c, k) / binomial(n, k), 1e-12);
    near(r1i_pass_at_k(64, 16, 1), 0.25, 1e-15);
    assert_true(r1i_pass_at_k(10, 8, 3) == 1 && r1i_pass_at_k(10, 0, 10) == 0 && r1i_pass_at_k(1, 0, 1) == 0 &&
                r1i_pass_at_k(1, 1, 1) == 1);
    assert_true(r1i_pass_at_k(0, 0, 1) == 0 && r1i_pass_at_k(4, 2, 0) == 0 && r1i_pass_at_k(4, 1, 9) == 1);
    const r1i_tally q[] = {{4, 1}, {2, 2}, {0, 0}};
    near(r1i_mean_pass_at_k(q, 3, 1), 1.25 / 3, 1e-15); /* a missing question counts wrong, it is not divided away */
    assert_true(r1i_mean_pass_at_k(q, 0, 1) == 0);
}

/* Every subset of k of n by its bit mask, n <= 20. */
static double brute(const int32_t *class, const bool *right, size_t n, size_t k, r1i_ties ties)
{
    double sum = 0, count = 0;
    for (unsigned mask = 0; mask < 1u << n; mask++) {
        int votes[20] = {0}, top = 0, tied = 0, good = 0;
        bool first = false, seen = false, right_of[20] = {false};
        if ((size_t)__builtin_popcount(mask) != k) continue;
        count++;
        for (size_t i = 0; i < n; i++)
            if (mask >> i & 1 && class[i] >= 0) {
                right_of[class[i]] = right[i];
                if (++votes[class[i]] > top) top = votes[class[i]];
            }
        for (size_t i = 0; i < n && top; i++)
            if (mask >> i & 1 && class[i] >= 0 && votes[class[i]] == top && !seen) seen = true, first = right[i];
        for (int c = 0; c < 20 && top; c++)
            if (votes[c] == top) tied++, good += right_of[c];
        sum += ties == R1I_TIES_FIRST ? first : top ? (double)good / tied : 0;
    }
    return sum / count;
}

static void test_cons_against_counting(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = 11};
    for (int round = 0; round < 60; round++) {
        int32_t class[14];
        bool right[14], of[6];
        const size_t n = 12 + r1i_rng_below(&rng, 3), k = 1 + r1i_rng_below(&rng, n);
        const int classes = 1 + (int)r1i_rng_below(&rng, 6);
        for (int c = 0; c < 6; c++) of[c] = r1i_rng_below(&rng, 3) == 0;
        for (size_t i = 0; i < n; i++) {
            class[i] = (int32_t)r1i_rng_below(&rng, (uint64_t)classes + 1) - 1;
            right[i] = class[i] >= 0 && of[class[i]];
        }
        for (int t = 0; t < 2; t++) {
            r1i_vote v;
            assert_int_equal(r1i_cons_at_k(class, right, n, k, t ? R1I_TIES_FIRST : R1I_TIES_SPLIT, 1, 100, &v, NULL),
                             R1_OK);
            assert_true(v.exact);
            near(v.value, brute(class, right, n, k, t ? R1I_TIES_FIRST : R1I_TIES_SPLIT), 1e-12);
        }
    }
}

/* c right samples and n - c wrong ones in one class: the majority of k is hypergeometric, an even split earns half. */
static void test_cons_closed_form(void **state)
{
    (void)state;
    enum { N = 64 };
    int32_t class[N];
    bool right[N];
    for (int c = 0; c <= N; c += 7)
        for (int k = 1; k <= N; k += 5) {
            double want = 0;
            for (int i = 0; i < N; i++) class[i] = i < c ? 3 : 1, right[i] = i < c;
            for (int j = 0; j <= k; j++)
                want += binomial(c, j) * binomial(N - c, k - j) / binomial(N, k) *
                    (2 * j > k ? 1 : 2 * j == k ? 0.5 : 0);
            r1i_vote v;
            assert_int_equal(r1i_cons_at_k(class, right, N, (size_t)k, R1I_TIES_SPLIT, 1, 100, &v, NULL), R1_OK);
            assert_true(v.exact);
            near(v.value, want, 1e-12);
        }
    for (int i = 0; i < N; i++) class[i] = i, right[i] = i == 5; /* all differ: a tie of k, with the right one in it k
                                                                  * times of 64 */
    r1i_vote v;
    assert_int_equal(r1i_cons_at_k(class, right, N, 16, R1I_TIES_SPLIT, 1, 100, &v, NULL), R1_OK);
    near(v.value, 1.0 / 64, 1e-12);
    for (int i = 0; i < N; i++) class[i] = -1, right[i] = false;
    assert_int_equal(r1i_cons_at_k(class, right, N, 16, R1I_TIES_SPLIT, 1, 100, &v, NULL), R1_OK);
    assert_true(v.exact && v.value == 0);
}

static void test_cons_edges(void **state)
{
    (void)state;
    int32_t class[40];
    bool right[40];
    r1i_vote v, w;
    for (int i = 0; i < 40; i++) class[i] = i % 3, right[i] = class[i] == 0;
    assert_int_equal(r1i_cons_at_k(class, right, 40, 20, R1I_TIES_FIRST, 7, 2000, &v, NULL), R1_OK);
    /* too many subsets for an order-dependent rule: drawn, and the same again for the same seed */
    assert_false(v.exact);
    assert_int_equal(r1i_cons_at_k(class, right, 40, 20, R1I_TIES_FIRST, 7, 2000, &w, NULL), R1_OK);
    assert_true(v.value == w.value && v.value > 0.25 && v.value < 0.65);
    assert_int_equal(r1i_cons_at_k(class, right, 40, 99, R1I_TIES_FIRST, 7, 10, &v, NULL), R1_OK); /* k above n: all */
    assert_true(v.exact && v.value == 1);                                                          /* 14 votes of 40 */
    assert_int_equal(r1i_cons_at_k(class, right, 0, 4, R1I_TIES_SPLIT, 7, 10, &v, NULL), R1_OK);
    assert_true(v.exact && v.value == 0);
    assert_int_equal(r1i_cons_at_k(class, right, 1, 1, R1I_TIES_SPLIT, 7, 10, &v, NULL), R1_OK);
    assert_true(v.value == 1);
    class[3] = 40;
    assert_int_equal(r1i_cons_at_k(class, right, 40, 4, R1I_TIES_SPLIT, 7, 10, &v, NULL), R1_ERR_USAGE);
    class[3] = 0, right[3] = false;
    assert_int_equal(r1i_cons_at_k(class, right, 40, 4, R1I_TIES_SPLIT, 7, 10, &v, NULL), R1_ERR_USAGE);
}

static void test_distributions(void **state)
{
    (void)state;
    static const double ps[] = {0.001, 0.025, 0.1, 0.3, 0.5, 0.8, 0.95, 0.975, 0.995, 0.9999};
    for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
        const double p = ps[i], a = 4 * p * (1 - p);
        const double q4 = 2 * sqrt(fmax(0, cos(acos(sqrt(a)) / 3) / sqrt(a) - 1)) * (p < 0.5 ? -1 : 1);
        near(r1i_t_quantile(p, 1), tan(pi * (p - 0.5)), 1e-12 * (1 + fabs(r1i_t_quantile(p, 1))));
        near(r1i_t_quantile(p, 2), (2 * p - 1) * sqrt(2 / a), 1e-12 * (1 + fabs(r1i_t_quantile(p, 2))));
        near(r1i_t_quantile(p, 4), q4, 1e-12 * (1 + fabs(q4)));
        near(r1i_t_cdf(r1i_t_quantile(p, 29), 29), p, 1e-13);
        near(0.5 * erfc(-r1i_normal_quantile(p) / sqrt(2)), p, 1e-14);
    }
    near(r1i_t_quantile(0.975, 29), 2.045229642132703, 1e-12);
    near(r1i_normal_quantile(0.975), 1.959963984540054, 1e-12);
    near(r1i_t_quantile(0.975, 1e6), r1i_normal_quantile(0.975), 1e-5);
    for (double x = 0; x <= 1; x += 0.0625) { /* integer parameters: a binomial sum */
        double sum = 0;
        for (int j = 3; j <= 9; j++) sum += binomial(9, j) * pow(x, j) * pow(1 - x, 9 - j);
        near(r1i_incomplete_beta(3, 7, x), sum, 1e-13);
        near(r1i_incomplete_beta(0.5, 0.5, x), 2 / pi * asin(sqrt(x)), 1e-13);
        near(r1i_incomplete_beta(2.5, 1, x), pow(x, 2.5), 1e-13);
    }
}

static void test_clustered(void **state)
{
    (void)state;
    const r1i_tally q[] = {{4, 4}, {4, 2}, {4, 0}, {8, 2}}; /* 1, .5, 0, .25: mean .4375, squares .546875 - .. = .171875
                                                             * + .. */
    const r1i_interval i = r1i_clustered(q, 4, 0.95);
    double squares = 0;
    const double p[] = {1, 0.5, 0, 0.25};
    for (int k = 0; k < 4; k++) squares += (p[k] - 0.4375) * (p[k] - 0.4375);
    near(i.mean, 0.4375, 1e-15);
    near(i.se, sqrt(squares / 12), 1e-12);
    assert_true(i.known && i.lo == 0 && i.hi == 1); /* t(3) is 3.18: four questions say nothing */
    const r1i_tally ten[] = {{8, 4}, {8, 5}, {8, 3}, {8, 4}, {8, 6}, {8, 2}, {8, 4}, {8, 5}, {8, 3}, {8, 4}};
    const r1i_interval t9 = r1i_clustered(ten, 10, 0.95); /* t(9) is 2.262157163: questions less one, not questions or
                                                           * samples */
    near(t9.hi - t9.mean, 2.2621571627982055 * t9.se, 1e-12);
    near(t9.mean - t9.lo, 2.2621571627982055 * t9.se, 1e-12);
    const r1i_tally one[] = {{1, 0}}, all[] = {{8, 8}, {8, 8}, {8, 8}}, none[] = {{0, 0}};
    const r1i_interval a = r1i_clustered(one, 1, 0.95), b = r1i_clustered(all, 3, 0.95),
                       c = r1i_clustered(none, 1, 0.95), d = r1i_clustered(NULL, 0, 0.95), e = r1i_wilson(1, 1, 0.95);
    assert_true(!a.known && a.mean == 0 && a.lo == 0 && a.hi > 0.7 && a.hi < 1);
    assert_true(!b.known && b.mean == 1 && b.hi == 1 && b.lo > 0.3 && b.lo < 0.6);
    assert_true(!c.known && c.lo == 0 && !d.known && d.lo == 0 && d.hi == 1);
    assert_true(e.hi == 1 && e.lo > 0.2 && e.lo < 0.3);
    const double z = 1.959963984540054, z2 = z * z; /* Wilson, in closed form: 7 of 30 */
    const r1i_interval w = r1i_wilson(7, 30, 0.95);
    const double centre = (7 + z2 / 2) / (30 + z2), half = z / (30 + z2) * sqrt(7 * 23 / 30.0 + z2 / 4);
    near(w.lo, centre - half, 1e-12);
    near(w.hi, centre + half, 1e-12);
}

static void test_bootstrap(void **state)
{
    (void)state;
    r1i_tally q[20];
    for (int i = 0; i < 20; i++) q[i] = (r1i_tally){16, i % 17};
    r1i_interval a, b;
    assert_int_equal(r1i_bootstrap(q, 20, 0.95, 500, 3, &a, NULL), R1_OK);
    assert_int_equal(r1i_bootstrap(q, 20, 0.95, 500, 3, &b, NULL), R1_OK);
    assert_memory_equal(&a, &b, sizeof a);
    const r1i_interval t = r1i_clustered(q, 20, 0.95);
    assert_true(a.mean == t.mean && a.lo < t.mean && a.hi > t.mean && a.se > 0.8 * t.se && a.se < 1.4 * t.se);
    const r1i_tally one[] = {{1, 1}};
    assert_int_equal(r1i_bootstrap(one, 1, 0.95, 10, 3, &a, NULL), R1_OK);
    assert_true(!a.known && a.lo == 1 && a.hi == 1);
    assert_int_equal(r1i_bootstrap(NULL, 0, 0.95, 10, 3, &a, NULL), R1_OK);
    assert_int_equal(r1i_bootstrap(one, 1, 0.95, 1, 3, &a, NULL), R1_ERR_USAGE);
}

static void test_paired(void **state)
{
    (void)state;
    r1i_tally a[24], b[24];
    /* always a quarter more */
    for (int i = 0; i < 24; i++) a[i] = (r1i_tally){4, 1 + i % 4}, b[i] = (r1i_tally){4, i % 4};
    r1i_paired p = r1i_paired_difference(a, b, 8, 0.95, 1000, 1);
    assert_true(fabs(p.diff.mean - 0.25) < 1e-15 && !p.diff.known && p.flip_exact);
    near(p.p_flip, 2.0 / 256, 1e-15);
    assert_true(p.p_t == p.p_flip);
    a[0].c = 0; /* now with spread: -0, then .25 seven times */
    p = r1i_paired_difference(a, b, 8, 0.95, 1000, 1);
    const double se = sqrt((7 * 0.03125 * 0.03125 + 0.21875 * 0.21875) / 56), t = 0.21875 / se;
    near(p.diff.mean, 0.21875, 1e-15);
    near(p.diff.se, se, 1e-12);
    near(p.p_t, 2 * (1 - r1i_t_cdf(t, 7)), 1e-15);
    near(p.p_flip, 4.0 / 256, 1e-15); /* the zero flips freely */
    near(p.diff.hi - p.diff.mean, r1i_t_quantile(0.975, 7) * se, 1e-12);
    p = r1i_paired_difference(a, b, 24, 0.95, 2000, 1);
    assert_true(!p.flip_exact && p.p_flip > 0 && p.p_flip < 0.01);
    p = r1i_paired_difference(a, a, 24, 0.95, 500, 1);
    assert_true(p.p_flip == 1 && p.p_t == 1 && p.diff.mean == 0);
    p = r1i_paired_difference(a, b, 1, 0.95, 500, 1);
    assert_true(p.p_flip == 1 && p.p_t == 1 && p.diff.lo == -1 && p.diff.hi == 1);
    p = r1i_paired_difference(a, b, 0, 0.95, 500, 1);
    assert_true(p.p_flip == 1 && p.p_t == 1 && p.diff.mean == 0);
}

/* 30 questions, 64 samples, solve rates from Beta(1/2, 1/2), whose mean the interval claims to hold 95 times of 100. */
static void test_coverage(void **state)
{
    (void)state;
    enum { TRIALS = 2000, QUESTIONS = 30, SAMPLES = 64 };
    r1i_rng rng = {.seed = 20250122};
    int covered = 0;
    for (int trial = 0; trial < TRIALS; trial++) {
        r1i_tally q[QUESTIONS];
        for (int i = 0; i < QUESTIONS; i++) {
            const double s = sin(pi / 2 * r1i_rng_double(&rng)), p = s * s; /* the arcsine law */
            q[i] = (r1i_tally){.n = SAMPLES};
            for (int j = 0; j < SAMPLES; j++) q[i].c += r1i_rng_double(&rng) < p;
        }
        const r1i_interval v = r1i_clustered(q, QUESTIONS, 0.95);
        covered += v.lo <= 0.5 && 0.5 <= v.hi;
    }
    printf("covered: %d of %d\n", covered, TRIALS);
    assert_true(covered >= 0.93 * TRIALS && covered <= 0.97 * TRIALS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pass_at_k), cmocka_unit_test(test_cons_against_counting),
        cmocka_unit_test(test_cons_closed_form), cmocka_unit_test(test_cons_edges),
        cmocka_unit_test(test_distributions), cmocka_unit_test(test_clustered),
        cmocka_unit_test(test_bootstrap), cmocka_unit_test(test_paired), cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
