/* Products with scalar weight types, neon: lanes/linear_body.h over the registers of v128.h. */
#include "backend/cpu/neon/neon.h"

#if defined(__aarch64__)
#include <string.h>

#include "backend/cpu/neon/v128.h"

#include "backend/cpu/lanes/linear_body.h"

void r1i_neon_linear_kernels(r1i_cpu_kernels *k) { set_linear_kernels(k); }
#endif
