/* Row kernels of the avx512 row of the table, and the list of its float part. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include "backend/cpu/avx512/v512.h"

#include "backend/cpu/lanes/rows_body.h"

bool r1i_cpu_avx512_float_kernels(r1i_cpu_kernels *k)
{
    set_row_kernels(k);
    r1i_avx512_linear_kernels(k);
    r1i_avx512_bf16_kernels(k);
    k->attn = k->near ? &r1i_avx512_attn_near : &r1i_avx512_attn;
    return true;
}
#else
bool r1i_cpu_avx512_float_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
