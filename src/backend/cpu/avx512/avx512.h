/* The float part of the avx512 row of the table: one function per file fills its part. The files have a body on x86-64
 * only. */
#ifndef R1I_AVX512_H
#define R1I_AVX512_H

#include "backend/cpu/grad.h"

void r1i_avx512_linear_kernels(r1i_cpu_kernels *k);
void r1i_avx512_bf16_kernels(r1i_cpu_kernels *k); /* where the processor has the instruction */
void r1i_avx512_bf16_grad_attention(const r1i_grad_attn *a);
extern const struct r1i_attn_kernels r1i_avx512_attn, r1i_avx512_attn_near; /* R1I_CPU_NEAR */

#endif
