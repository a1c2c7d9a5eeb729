/* Parts of the CPU op table that have a file of their own; cpu_ops.c lists the table. */
#ifndef R1I_CPU_OPS_H
#define R1I_CPU_OPS_H

#include "backend/cpu/kernels.h"

/* Row r of act, all of its kinds. */
void r1i_cpu_prepare_row(const r1i_cpu_kernels *k, const r1i_act *act, int64_t r);
void r1i_cpu_ahead(r1i_exec *ex, int64_t rows, const r1i_weights *w, int64_t n);
r1_status r1i_cpu_linear(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n);
r1_status r1i_cpu_router(r1i_exec *ex, const r1i_router_shape *s, r1i_mat logits, const float *bias, int32_t *expert,
                         float *weight);
/* score[experts] of one row: sigmoid, or softmax over all experts with the sum in ascending id. */
void r1i_cpu_affinities(const r1i_cpu_kernels *k, const r1i_router_shape *s, const float *logit, float *score);

#endif
