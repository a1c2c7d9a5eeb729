/* Products with scalar weight types, avx512: lanes/linear_body.h over the registers of v512.h. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/v512.h"

#include "backend/cpu/lanes/linear_body.h"

void r1i_avx512_linear_kernels(r1i_cpu_kernels *k) { set_linear_kernels(k); }
#endif
