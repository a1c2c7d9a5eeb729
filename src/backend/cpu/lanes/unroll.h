/* Loops over registers: they must vanish, or an array of sums would live in memory. */
#ifndef R1I_UNROLL_H
#define R1I_UNROLL_H

#if defined(__clang__)
#define R1I_UNROLL _Pragma("clang loop unroll(full)")
#else
#define R1I_UNROLL _Pragma("GCC unroll 16")
#endif
#define R1I_INLINE static inline __attribute__((always_inline))

#endif
