/* The plain-C row of the table: one function per file of ref/ fills its part. */
#ifndef R1I_REF_H
#define R1I_REF_H

#include "backend/cpu/kernels.h"

void r1i_ref_linear_kernels(r1i_cpu_kernels *k);
void r1i_ref_row_kernels(r1i_cpu_kernels *k);
extern const struct r1i_attn_kernels r1i_ref_attn;

#endif
