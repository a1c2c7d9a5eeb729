/* Counts what the whole program under test allocates: malloc, calloc, realloc, aligned_alloc and strdup of our code and
 * of the static libraries are wrapped by the linker. CMake wraps them in every test that includes this header (or
 * fail_alloc.h); allocations inside the C library itself are not seen. */
#ifndef R1_COUNT_ALLOC_H
#define R1_COUNT_ALLOC_H

/* Calls so far that asked for memory (a realloc is one). Any thread. */
long count_alloc_calls(void);
/* Blocks now alive. */
long count_alloc_live(void);

#endif
