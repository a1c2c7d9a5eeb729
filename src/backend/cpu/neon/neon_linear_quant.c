/* Block-type weights, 8-bit activations, on every AArch64 processor: products of two columns are added in 16 bits (2 *
 * 128 * 127 = 32512 fits), then in pairs into 32. The integers are exact, so the bytes are those of the plain row. */
#include "backend/cpu/kernels.h"

#if defined(__aarch64__)
#include <string.h>

#include "backend/cpu/neon/v128.h"

#include "backend/cpu/lanes/unroll.h"

R1I_INLINE int8x16_t quad_of(int8x16_t x, const int i)
{
    const int32x4_t v = vreinterpretq_s32_s8(x);
    switch (i) {
    case 0: return vreinterpretq_s8_s32(vdupq_laneq_s32(v, 0));
    case 1: return vreinterpretq_s8_s32(vdupq_laneq_s32(v, 1));
    case 2: return vreinterpretq_s8_s32(vdupq_laneq_s32(v, 2));
    default: return vreinterpretq_s8_s32(vdupq_laneq_s32(v, 3));
    }
}

R1I_INLINE int32x4_t dot_two(int32x4_t sum, uint32x4_t w0, uint32x4_t w1, int8x16_t x, const int i)
{
    const int8x16_t a = vreinterpretq_s8_u32(w0), b = vreinterpretq_s8_u32(w1), x0 = quad_of(x, i),
                    x1 = quad_of(x, i + 1);
    const int16x8_t lo = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(x0)), vget_low_s8(b), vget_low_s8(x1));
    const int16x8_t hi = vmlal_high_s8(vmull_high_s8(a, x0), b, x1);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(lo), vpaddlq_s16(hi)));
}

#include "backend/cpu/neon/neon_quant_body.h"

bool r1i_cpu_neon_quant_kernels(r1i_cpu_kernels *k)
{
    neon_quant_kernels(k);
    return true;
}
#else
bool r1i_cpu_neon_quant_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
