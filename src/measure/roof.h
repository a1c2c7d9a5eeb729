/* Slices of roof between slices of work, and the statistics of both: what prompt, decode and single ops share. */
#ifndef R1I_ROOF_H
#define R1I_ROOF_H

#include "r1/bench.h"

/* Processor time of the calling thread. */
double r1i_thread_seconds(void);
/* Seconds of the one clock or the other. R1_ERR_USAGE where more than one thread would work. */
typedef double (*r1i_clock_fn)(void);
r1_status r1i_clock_of(bool cpu_time, int threads, const r1_env *env, r1i_clock_fn *out, r1_error *err);

/* One slice of everything that the cost needs: reading for `seconds`, each arithmetic a quarter of it. */
void r1i_roof_slice(r1_meter *m, const char *isa, const r1_cost *cost, double seconds, r1_roof *out);
r1_roof r1i_roof_between(const r1_roof *a, const r1_roof *b);

/* Sorts v[n], n >= 1: median (mean of the middle two), least and most. */
r1_spread r1i_spread_of(double *v, int n);
/* Median of each part. roofs[n]; work[n] is scratch. */
r1_roof r1i_roof_median(const r1_roof *roofs, int n, double *work);

#endif
