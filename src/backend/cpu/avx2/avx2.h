/* The float part of the avx2 row of the table: one function per file fills its part. The files have a body on x86-64
 * only. */
#ifndef R1I_AVX2_H
#define R1I_AVX2_H

#include "backend/cpu/kernels.h"

void r1i_avx2_linear_kernels(r1i_cpu_kernels *k);
extern const struct r1i_attn_kernels r1i_avx2_attn;

#endif
