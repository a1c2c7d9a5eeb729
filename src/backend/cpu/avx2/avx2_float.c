/* Row kernels of the avx2 row of the table, and the list of its float part. */
#include "backend/cpu/avx2/avx2.h"

#if defined(__x86_64__)
#include "backend/cpu/avx2/v256.h"

#include "backend/cpu/lanes/rows_body.h"

bool r1i_cpu_avx2_float_kernels(r1i_cpu_kernels *k)
{
    set_row_kernels(k);
    r1i_avx2_linear_kernels(k);
    k->attn = &r1i_avx2_attn;
    return true;
}
#else
bool r1i_cpu_avx2_float_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
