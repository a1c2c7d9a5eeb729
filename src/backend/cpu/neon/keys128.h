/* attention_keys.h with 128-bit registers: products of 16-bit numbers, one register of sums a position. A query's row
 * is its int16. */
#ifndef R1I_KEYS128_H
#define R1I_KEYS128_H

#include "backend/cpu/lanes/attention_keys.h"

#define KEYS_ROWS_MOST 1

R1I_INLINE void keys_tile(const keys_args *t, const int rows, const int vecs)
{
    (void)rows;
    (void)vecs;
    const int8_t *w = t->keys;
    const uint8_t *x = t->query, *ahead = t->ahead, *also = t->also;
    for (int64_t d = 0; d < t->dim; d += R1I_Q8_GROUP) {
        int32x4_t c[16];
        float whole[16];
        R1I_UNROLL for (int i = 0; i < 16; i++) c[i] = vdupq_n_s32(0);
        for (int64_t left = keys_steps(t->dim, d); left > 0; left--, w += 64, x += 8) {
            __builtin_prefetch(ahead, 0, 2);
            __builtin_prefetch(also, 0, 2);
            ahead += t->ahead_step;
            also += t->also_step;
            const int16x4_t q = vld1_s16((const int16_t *)(const void *)x);
            R1I_UNROLL for (int i = 0; i < 8; i++) {
                const int16x8_t k = vmovl_s8(vld1_s8(w + 8 * i));
                c[2 * i] = vmlal_s16(c[2 * i], vget_low_s16(k), q);
                c[2 * i + 1] = vmlal_s16(c[2 * i + 1], vget_high_s16(k), q);
            }
        }
        R1I_UNROLL for (int i = 0; i < 16; i += 4)
            vst1q_f32(whole + i, vcvtq_f32_s32(vpaddq_s32(vpaddq_s32(c[i], c[i + 1]), vpaddq_s32(c[i + 2], c[i + 3]))));
        v16_store(t->scores, v16_fma(v16_load(whole), v16_load(t->factors + d / R1I_Q8_GROUP * 16),
                                     d > 0 ? v16_load(t->scores) : v16_zero()));
    }
}

#endif
