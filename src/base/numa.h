/* Machines with several memory nodes: packed weights are spread over all of them, so that every processor streams from
 * all memories at once, and worker threads stay on one node each. Needs libhwloc at run time; on one node, or without
 * it, nothing is done. */
#ifndef R1I_NUMA_H
#define R1I_NUMA_H

#include <stddef.h>

typedef struct r1i_numa r1i_numa;

/* NULL where there is one node, or no libhwloc. Every function below takes that NULL and does nothing. */
r1i_numa *r1i_numa_open(void);
/* The same with /sys below root ("" for the system's own): tests. */
r1i_numa *r1i_numa_open_in(const char *root);
void r1i_numa_close(r1i_numa *numa);
/* Memory that is not touched yet: its pages will lie on the nodes in turn. */
void r1i_numa_spread(const r1i_numa *numa, void *memory, size_t bytes);
/* Keep the calling thread, the index-th of `threads`, on its node, within the processors that it may use. */
void r1i_numa_stay(const r1i_numa *numa, int index, int threads);

#endif
