/* Medians and their spread. */
#include <stdlib.h>

#include "measure/roof.h"

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

r1_spread r1i_spread_of(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, ascending);
    return (r1_spread){.median = n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]), .least = v[0], .most = v[n - 1]};
}

r1_roof r1i_roof_median(const r1_roof *roofs, int n, double *work)
{
    r1_roof out = {0};
    for (int i = 0; i < n; i++) work[i] = roofs[i].read;
    out.read = r1i_spread_of(work, n).median;
    for (int p = 0; p < R1_PEAK_COUNT; p++) {
        for (int i = 0; i < n; i++) work[i] = roofs[i].peak[p];
        out.peak[p] = r1i_spread_of(work, n).median;
    }
    return out;
}
