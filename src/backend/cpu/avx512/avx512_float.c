/* The float part of the avx512 row of the table. */
#include "backend/cpu/kernels.h"

bool r1i_cpu_avx512_float_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
