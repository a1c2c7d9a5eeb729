/* Asks for lines that are about to be written, as the only holder. What all threads have read (activations, queries)
 * lies in every core's cache, and a store waits until the others have given it up: 23 ns a line, one after the other,
 * where asking for many at once waits once. */
#ifndef R1I_CLAIM_H
#define R1I_CLAIM_H

#include <stddef.h>
#include <stdint.h>

static inline void r1i_claim_line(const void *p)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)p)); /* the builtin would need a flag; who lacks it takes it
                                                                 * for nothing */
#else
    __builtin_prefetch(p, 1, 3);
#endif
}
static inline void r1i_claim(const void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += 64) r1i_claim_line((const char *)p + at);
}

#endif
