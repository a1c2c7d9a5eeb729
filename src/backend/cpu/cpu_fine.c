/* The second, fine term of 8-bit activations (op/table.h). A model's activations have a few channels far above the
 * rest; their groups of 32 columns carry most of the rounding noise of a row, because a group's step follows its
 * largest magnitude. A second integer for the tenth of the groups that stands out halves the noise that reaches the
 * logits. */
#include "backend/cpu/kernels.h"

/* Round half to even without a library call: at 1.5 * 2^23 the last mantissa bit is 1. |v| < 2^22. */
static float round_even(float v)
{
    const float magic = 12582912.0f, shifted = v + magic;
    return shifted - magic;
}

static void fine_group(const float *x, const int8_t *q, float d, int8_t *fine_q, float *fine_d, int32_t *fine_sum16)
{
    const float id = 254.0f / d;
    *fine_d = d / 254.0f;
    for (int half = 0; half < 2; half++) {
        int32_t sum = 0;
        for (int i = 16 * half; i < 16 * half + 16; i++) {
            const float left = x[i] - d * (float)q[i]; /* at most d / 2 and a rounding of 127 d */
            fine_q[i] = (int8_t)round_even(left * id);
            sum += fine_q[i];
        }
        fine_sum16[half] = sum;
    }
}

void r1i_cpu_fine_row(const r1i_act *act, int64_t r)
{
    const int64_t cols = act->x.cols, groups = cols / 32, at = r * groups;
    const float *const d = act->d + at, *const x = act->x.p + r * act->x.stride;
    uint8_t *const fine = act->fine + r;
    double energy = 0; /* of the rounding noise, up to a factor; a NaN in the row: no group compares above it */
    for (int64_t g = 0; g < groups; g++) energy += (double)d[g] * (double)d[g];
    for (int64_t s = 0; s < r1i_act_spans(cols); s++) fine[s * act->fine_stride] = 0;
    for (int64_t g = 0; g < groups; g++) {
        if (!((double)d[g] * (double)d[g] * (double)groups > 2.0 * energy) || d[g] < R1I_FINE_D_MIN) continue;
        uint8_t *const span = fine + g / 8 * act->fine_stride;
        *span = (uint8_t)(*span | 1u << (g % 8));
        const int64_t to = g * act->fine_stride + r;
        fine_group(x + 32 * g, act->q + 32 * (at + g), d[g], act->fine_q + 32 * to, act->fine_d + to,
                   act->fine_sum16 + 2 * to);
    }
}
