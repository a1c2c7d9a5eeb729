/* Products with scalar weight types, avx2: lanes/linear_body.h over the registers of v256.h. */
#include "backend/cpu/avx2/avx2.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx2/v256.h"

#include "backend/cpu/lanes/linear_body.h"

void r1i_avx2_linear_kernels(r1i_cpu_kernels *k) { set_linear_kernels(k); }
#endif
