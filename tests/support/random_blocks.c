#include "support/random_blocks.h"

#include "tensor/codec.h"

static uint16_t random_half(r1i_rng *rng, r1t_scales scales)
{
    if (scales == R1T_SCALES_USUAL) return r1i_f16_from_f32((float)(r1i_rng_double(rng) * 0.02 - 0.01));
    for (;;) {
        const uint16_t h = (uint16_t)r1i_rng_u64(rng);
        if ((h & 0x7c00u) != 0x7c00u) return h;
    }
}

static void put_half(r1i_rng *rng, r1t_scales scales, uint8_t *p)
{
    const uint16_t h = random_half(rng, scales);
    memcpy(p, &h, 2);
}

static void fix_scales(r1i_rng *rng, r1_dtype type, r1t_scales scales, uint8_t *b)
{
    switch (type) {
    case R1_DTYPE_MXFP4:
        b[0] = (uint8_t)(scales == R1T_SCALES_USUAL ? 120 + r1i_rng_below(rng, 8) : r1i_rng_below(rng, 253));
        return;
    case R1_DTYPE_IQ1_M: {
        const uint16_t h = random_half(rng, scales);
        for (int i = 0; i < 4; i++) b[49 + 2 * i] = (uint8_t)((b[49 + 2 * i] & 15) | ((h >> (4 * i)) & 15) << 4);
        return;
    }
    case R1_DTYPE_Q2_K: put_half(rng, scales, b + 80); put_half(rng, scales, b + 82); return;
    case R1_DTYPE_Q3_K: put_half(rng, scales, b + 108); return;
    case R1_DTYPE_Q6_K: put_half(rng, scales, b + 208); return;
    case R1_DTYPE_Q4_1: case R1_DTYPE_Q5_1: case R1_DTYPE_Q4_K: case R1_DTYPE_Q5_K:
        put_half(rng, scales, b);
        put_half(rng, scales, b + 2);
        return;
    default: put_half(rng, scales, b); return;
    }
}

static void random_scalar(r1i_rng *rng, r1_dtype type, uint8_t *p)
{
    const float f = (float)(r1i_rng_double(rng) * 2 - 1);
    const uint16_t half = type == R1_DTYPE_F16 ? r1i_f16_from_f32(f) : r1i_bf16_from_f32(f);
    if (type == R1_DTYPE_F32) memcpy(p, &f, 4);
    else if (type == R1_DTYPE_F8_E4M3) *p = (uint8_t)(r1i_rng_below(rng, 127) | (f < 0 ? 128u : 0u));
    else memcpy(p, &half, 2);
}

void r1t_random_blocks(r1i_rng *rng, r1_dtype type, r1t_scales scales, int64_t n, uint8_t *out)
{
    const r1i_dtype_info *info = r1i_dtype(type);
    for (int64_t i = 0; i < n; i += info->block_elems, out += info->block_bytes) {
        if (!r1i_dtype_is_quantised(type)) {
            random_scalar(rng, type, out);
            continue;
        }
        for (int b = 0; b < info->block_bytes; b++) out[b] = (uint8_t)r1i_rng_u64(rng);
        fix_scales(rng, type, scales, out);
    }
}
