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

static bool use_neon(r1i_cpu_kernels *k)
{
    if (!(r1i_cpu_features() & R1I_CPU_NEON)) return false;
    if (!r1i_cpu_neon_float_kernels(k) || !r1i_cpu_neon_quant_kernels(k)) return false;
    /* a build without them has the others */
    if (r1i_cpu_features() & R1I_CPU_DOTPROD) (void)r1i_cpu_neon_dot_kernels(k);
    k->grad = r1i_neon_grad;
    k->name = "neon";
    return true;
}

r1_status r1i_cpu_select(const char *isa, r1i_cpu_kernels *out, r1_error *err)
{
    return r1i_cpu_select_near(isa, (r1i_cpu_features() & R1I_CPU_NEAR) != 0, out, err);
}

r1_status r1i_cpu_select_near(const char *isa, bool near, r1i_cpu_kernels *out, r1_error *err)
{
    const char *const want = isa ? isa : "auto";
    const bool best = strcmp(want, "auto") == 0, avx2 = strcmp(want, "avx2") == 0, avx512 = strcmp(want, "avx512") == 0;
    const bool neon = strcmp(want, "neon") == 0, plain = strcmp(want, "c") == 0;
    *out = (r1i_cpu_kernels){0};
    if (!best && !avx2 && !avx512 && !neon && !plain)
        return r1i_fail(err, R1_ERR_USAGE, "instruction set '%s': expected auto, c, avx2, avx512 or neon", isa);
    r1i_cpu_ref_kernels(out);
    out->near = near;
    out->grad = &r1i_ref_grad;
    if (plain) return R1_OK;
    const bool has_avx2 = !neon && use_avx2(out);
    const bool has_avx512 = has_avx2 && !avx2 && use_avx512(out);
    const bool has_neon = (best || neon) && use_neon(out);
    if ((avx2 && !has_avx2) || (avx512 && !has_avx512) || (neon && !has_neon)) {
        *out = (r1i_cpu_kernels){0};
        return r1i_fail(err, R1_ERR_MISSING, "instruction set '%s': not offered by this processor, system or build",
                        isa);
    }
    return R1_OK;
}
