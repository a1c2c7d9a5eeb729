/* Plain-C kernels of the block types, one function for all types: ref_linear_q8.c (8-bit activations),
 * ref_linear_exact.c (f32 activations). */
#ifndef R1I_REF_QUANT_H
#define R1I_REF_QUANT_H

#include "backend/cpu/kernels.h"
#include "tensor/codec.h"
#include "tensor/panel.h"

void r1i_ref_linear_q8(const r1i_linear_job *job, int64_t p0, int64_t p1);
void r1i_ref_linear_exact(const r1i_linear_job *job, int64_t p0, int64_t p1);
void r1i_ref_quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16);

/* The end of every output element: bias, then the residual, one rounding each. */
static inline void r1i_ref_finish(const r1i_linear_job *job, int64_t row, int64_t out, float acc)
{
    float *y = job->y.p + row * job->y.stride + out;
    if (job->bias) acc += job->bias[out];
    *y = job->add ? *y + acc : acc;
}

#endif
