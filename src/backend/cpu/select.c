/* Choosing a row of the table at run time. */
#include <string.h>

#include "backend/cpu/grad.h"

static bool use_avx2(r1i_cpu_kernels *k)
{
    if (!(r1i_cpu_features() & R1I_CPU_AVX2)) return false;
    if (!r1i_cpu_avx2_float_kernels(k) || !r1i_cpu_avx2_quant_kernels(k)) return false;
    k->grad = r1i_avx2_grad;
    k->name = "avx2";
    return true;
}

/* On top of the avx2 row: what has no 512-bit form stays at 256 bits. */
static bool use_avx512(r1i_cpu_kernels *k)
{
    if (!(r1i_cpu_features() & R1I_CPU_AVX512)) return false;
    if (!r1i_cpu_avx512_float_kernels(k) || !r1i_cpu_avx512_quant_kernels(k)) return false;
    k->grad = r1i_avx512_grad;
    k->name = "avx512";
    return true;
}

r1_status r1i_cpu_select(const char *isa, r1i_cpu_kernels *out, r1_error *err)
{
    const bool best = !isa || strcmp(isa, "auto") == 0;
    const bool avx2 = isa && strcmp(isa, "avx2") == 0, avx512 = isa && strcmp(isa, "avx512") == 0;
    *out = (r1i_cpu_kernels){0};
    if (!best && !avx2 && !avx512 && strcmp(isa, "c") != 0)
        return r1i_fail(err, R1_ERR_USAGE, "instruction set '%s': expected auto, c, avx2 or avx512", isa);
    r1i_cpu_ref_kernels(out);
    out->grad = &r1i_ref_grad;
    if (!best && !avx2 && !avx512) return R1_OK;
    const bool has_avx2 = use_avx2(out);
    const bool has_avx512 = has_avx2 && !avx2 && use_avx512(out);
    if ((avx2 && !has_avx2) || (avx512 && !has_avx512)) {
        *out = (r1i_cpu_kernels){0};
        return r1i_fail(err, R1_ERR_MISSING, "instruction set '%s': not offered by this processor, system or build", isa);
    }
    return R1_OK;
}
