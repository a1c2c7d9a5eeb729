/* Row kernels of the neon row of the table, and the list of its float part. */
#include "backend/cpu/neon/neon.h"

#if defined(__aarch64__)
#include "backend/cpu/neon/v128.h"

#include "backend/cpu/lanes/rows_body.h"

bool r1i_cpu_neon_float_kernels(r1i_cpu_kernels *k)
{
    set_row_kernels(k);
    r1i_neon_linear_kernels(k);
    k->attn = &r1i_neon_attn;
    return true;
}
#else
bool r1i_cpu_neon_float_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
