#ifndef R1I_CLOCK_H
#define R1I_CLOCK_H

/* Monotonic seconds since an arbitrary start. */
double r1i_seconds(void);

#endif
