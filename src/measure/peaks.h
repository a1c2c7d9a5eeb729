/* Loops that do nothing but arithmetic in registers: one per instruction set and kind, to learn what the processor can
 * do. They share no code with the kernels on purpose: a mistake in a kernel must not lower the roof it is measured
 * against. */
#ifndef R1I_PEAKS_H
#define R1I_PEAKS_H

#include "r1/bench.h"

/* Runs `rounds` rounds and returns the operations done; *sink keeps the compiler from leaving them out. */
typedef double (*r1i_peak_fn)(int64_t rounds, float *sink);

/* NULL: this processor (or build) has no such instructions. isa: "c", "avx2", "avx512", "neon", "auto" or NULL. */
r1i_peak_fn r1i_peak_loop(const char *isa, r1_peak peak);
/* For each instruction set; NULL where there is none. */
r1i_peak_fn r1i_peak_c(r1_peak peak);
r1i_peak_fn r1i_peak_avx2(r1_peak peak);
r1i_peak_fn r1i_peak_avx512(r1_peak peak);
r1i_peak_fn r1i_peak_neon(r1_peak peak);

/* ORs a buffer of a multiple of 64 bytes, 16-aligned, in one stream. Asking: each line is asked for into the
 * first-level cache R1I_STREAM_AHEAD bytes before it is read (past the buffer too); else the processor's own
 * prefetching is left alone. Which is faster differs from one processor to the next. */
enum { R1I_STREAM_AHEAD = 4096 };
uint64_t r1i_stream(const void *p, size_t bytes, bool asking);

#endif
