/* Student's t by the incomplete beta function, and the normal quantile. */
#include <float.h>
#include <math.h>

#include "eval/stats.h"

/* log Gamma(x), x > 0: Stirling's series above 16, reached by the recurrence. libm's lgamma writes a global sign. */
static double log_gamma(double x)
{
    double product = 1;
    while (x < 16) product *= x++;
    const double y = 1 / (x * x);
    const double series =
        (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1260 - y * (1.0 / 1680 - y * (1.0 / 1188 - y * 691.0 / 360360))))) / x;
    return (x - 0.5) * log(x) - x + 0.91893853320467274178 + series - log(product);
}

/* The continued fraction of I_x(a, b) (DLMF 8.17.22), evaluated forwards by Lentz's method. Converges fast for x below
 * (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1), h;
    if (fabs(d) < DBL_MIN) d = DBL_MIN;
    h = d = 1 / d;
    for (int m = 1; m < 10000; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        const double step[2] = {even, odd};
        double factor = 1;
        for (int i = 0; i < 2; i++) {
            d = 1 + step[i] * d;
            c = 1 + step[i] / c;
            if (fabs(d) < DBL_MIN) d = DBL_MIN;
            if (fabs(c) < DBL_MIN) c = DBL_MIN;
            d = 1 / d;
            factor = c * d;
            h *= factor;
        }
        if (fabs(factor - 1) < DBL_EPSILON) break;
    }
    return h;
}

/* Both tails, each computed where it is small, so that 1 - I keeps its digits. */
static void beta_tails(double a, double b, double x, double y, double *lower, double *upper)
{
    if (x <= 0 || y <= 0) {
        *lower = x <= 0 ? 0 : 1;
        *upper = 1 - *lower;
        return;
    }
    const double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log(y));
    if (x < (a + 1) / (a + b + 2)) {
        *lower = front * beta_fraction(a, b, x) / a;
        *upper = 1 - *lower;
    } else {
        *upper = front * beta_fraction(b, a, y) / b;
        *lower = 1 - *upper;
    }
}

double r1i_incomplete_beta(double a, double b, double x)
{
    double lower, upper;
    beta_tails(a, b, x, 1 - x, &lower, &upper);
    return lower;
}

/* P(T > t) for t >= 0: half of I_{df/(df+t^2)}(df/2, 1/2). */
static double t_tail(double t, double df)
{
    double lower, upper;
    const double t2 = t * t;
    beta_tails(df / 2, 0.5, df / (df + t2), t2 / (df + t2), &lower, &upper);
    return 0.5 * lower;
}

double r1i_t_cdf(double t, double df) { return t < 0 ? t_tail(-t, df) : 1 - t_tail(t, df); }

/* Bisection on the tail: 200 halvings at most, no derivative to go wrong, and called once a report. */
double r1i_t_quantile(double p, double df)
{
    const double tail = p < 0.5 ? p : 1 - p;
    double lo = 0, hi = 1;
    if (p == 0.5) return 0;
    while (t_tail(hi, df) > tail && hi < 1e300) hi *= 2;
    for (int i = 0; i < 200 && hi - lo > DBL_EPSILON * hi; i++) {
        const double mid = lo + (hi - lo) / 2;
        if (t_tail(mid, df) > tail) lo = mid;
        else hi = mid;
    }
    const double t = lo + (hi - lo) / 2;
    return p < 0.5 ? -t : t;
}

double r1i_normal_quantile(double p)
{
    const double tail = p < 0.5 ? p : 1 - p;
    double lo = 0, hi = 40;
    for (int i = 0; i < 200 && hi - lo > DBL_EPSILON * hi; i++) {
        const double mid = lo + (hi - lo) / 2;
        if (0.5 * erfc(mid * 0.70710678118654752440) > tail) lo = mid;
        else hi = mid;
    }
    const double z = lo + (hi - lo) / 2;
    return p < 0.5 ? -z : z;
}
