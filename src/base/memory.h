/* How much memory this process could still take before the system or its container says no. A load or a cache that does
 * not fit is refused with both numbers, instead of being killed half way. */
#ifndef R1I_MEMORY_H
#define R1I_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes: MemAvailable of the system, or what the memory cgroups (v1 or v2, ancestors too) leave if that is less; memory
 * that only caches files counts as free. UINT64_MAX where nothing can be read. */
uint64_t r1i_memory_available(void);
/* The same with every path below `root` ("" for the system's own): tests. */
uint64_t r1i_memory_available_in(const char *root);
/* Resident bytes of this process now; 0 where not known. */
uint64_t r1i_memory_resident(void);
/* The most it ever was; 0 where not known. */
uint64_t r1i_memory_peak(void);

#endif
