/* Backward kernels, neon row. */
#include "backend/cpu/grad.h"

#if defined(__aarch64__)
#include "backend/cpu/neon/v128.h"

#include "backend/cpu/lanes/grad_body.h"

static const r1i_grad_kernels kernels = R1I_GRAD_KERNELS;
const r1i_grad_kernels *const r1i_neon_grad = &kernels;
#else
const r1i_grad_kernels *const r1i_neon_grad = NULL;
#endif
