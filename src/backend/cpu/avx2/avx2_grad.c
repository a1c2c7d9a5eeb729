/* Backward kernels, avx2 row. */
#include "backend/cpu/grad.h"

#if defined(__x86_64__)
#include "backend/cpu/avx2/v256.h"

#include "backend/cpu/lanes/grad_body.h"

static const r1i_grad_kernels kernels = R1I_GRAD_KERNELS;
const r1i_grad_kernels *const r1i_avx2_grad = &kernels;
#else
const r1i_grad_kernels *const r1i_avx2_grad = NULL;
#endif
