/* Block-type weights, 8-bit activations, with the integer dot product of ARMv8.2: four signed products a lane and
 * instruction, the activations' four columns taken from a lane of their register. This file alone is compiled for it
 * (cmake/flags.cmake). */
#include "backend/cpu/kernels.h"

#if defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
#include <string.h>

#include "backend/cpu/neon/v128.h"

#include "backend/cpu/lanes/unroll.h"

/* The lane is part of the instruction: constant once the loop round it is unrolled. */
R1I_INLINE int32x4_t dot_one(int32x4_t sum, uint32x4_t w, int8x16_t x, const int i)
{
    const int8x16_t b = vreinterpretq_s8_u32(w);
    switch (i) {
    case 0: return vdotq_laneq_s32(sum, b, x, 0);
    case 1: return vdotq_laneq_s32(sum, b, x, 1);
    case 2: return vdotq_laneq_s32(sum, b, x, 2);
    default: return vdotq_laneq_s32(sum, b, x, 3);
    }
}

R1I_INLINE int32x4_t dot_two(int32x4_t sum, uint32x4_t w0, uint32x4_t w1, int8x16_t x, const int i)
{
    return dot_one(dot_one(sum, w0, x, i), w1, x, i + 1);
}

#include "backend/cpu/neon/neon_quant_body.h"

bool r1i_cpu_neon_dot_kernels(r1i_cpu_kernels *k)
{
    neon_quant_kernels(k);
    return true;
}
#else
bool r1i_cpu_neon_dot_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
