/* The parts of the neon row of the table: one function per file fills its part. The files have a body on AArch64 only,
 * whose baseline NEON is, so nothing but the integer dot product is asked for at run time. */
#ifndef R1I_NEON_H
#define R1I_NEON_H

#include "backend/cpu/kernels.h"

void r1i_neon_linear_kernels(r1i_cpu_kernels *k);
extern const struct r1i_attn_kernels r1i_neon_attn;

#endif
