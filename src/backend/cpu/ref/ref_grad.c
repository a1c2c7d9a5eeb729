/* Backward kernels, plain C row. */
#include "backend/cpu/ref/v16_plain.h"

#include "backend/cpu/lanes/grad_body.h"

const r1i_grad_kernels r1i_ref_grad = R1I_GRAD_KERNELS;
