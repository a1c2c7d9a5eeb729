/* Backward kernels, avx512 row. */
#include "backend/cpu/grad.h"

#if defined(__x86_64__)
#include "backend/cpu/avx512/v512.h"

#include "backend/cpu/lanes/grad_body.h"

static const r1i_grad_kernels kernels = R1I_GRAD_KERNELS;
const r1i_grad_kernels *const r1i_avx512_grad = &kernels;
#else
const r1i_grad_kernels *const r1i_avx512_grad = NULL;
#endif
