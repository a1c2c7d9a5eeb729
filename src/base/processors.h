/* How many threads are worth starting: more than the processors that a process may use, or than its container's share
 * of them, take turns and wait for each other at every step. */
#ifndef R1I_PROCESSORS_H
#define R1I_PROCESSORS_H

/* Processors of the affinity mask, and no more than the quota of the process's control group, rounded up; at least
 * 1. */
int r1i_processors(void);
/* The quota alone (cgroups v1 or v2, ancestors too), rounded up; INT_MAX: none. Paths below `root`: tests. */
int r1i_processor_quota_in(const char *root);

#endif
