#include "model/rotary.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

/* YaRN's magnitude term: 1 where nothing is stretched. */
static double magnitude(double factor, double a) { return factor <= 1.0 ? 1.0 : 0.1 * a * log(factor) + 1.0; }

/* The (fractional) pair index whose wave turns `turns` times within the original context. */
static double yarn_corner(const r1i_config *c, double dim, double turns)
{
    return dim * log((double)c->rope_original_max_position_embeddings / (2.0 * pi * turns)) / (2.0 * log(c->rope_theta));
}

/* Fast pairs keep their frequency, slow ones are stretched by the factor, a ramp blends those between. */
static void yarn(const r1i_config *c, int64_t dim, double *f)
{
    const double low = fmax(floor(yarn_corner(c, (double)dim, c->rope_beta_fast)), 0.0);
    const double high = fmin(ceil(yarn_corner(c, (double)dim, c->rope_beta_slow)), (double)(dim - 1));
    const double width = high == low ? 0.001 : high - low;
    for (int64_t i = 0; i < dim / 2; i++) {
        const double ramp = fmin(fmax(((double)i - low) / width, 0.0), 1.0);
        f[i] = f[i] / c->rope_factor * ramp + f[i] * (1.0 - ramp);
    }
}

static void llama3(const r1i_config *c, int64_t dim, double *f)
{
    const double context = (double)c->rope_original_max_position_embeddings;
    const double low = c->rope_low_freq_factor, high = c->rope_high_freq_factor;
    for (int64_t i = 0; i < dim / 2; i++) {
        const double wave = 2.0 * pi / f[i];
        if (wave < context / high) continue;
        if (wave > context / low) {
            f[i] /= c->rope_factor;
        } else {
            const double u = (context / wave - low) / (high - low);
            f[i] = (1.0 - u) * f[i] / c->rope_factor + u * f[i];
        }
    }
}

void r1i_rotary_frequencies(const r1i_config *c, const float *divisors, double *f)
{
    const int64_t dim = r1i_rope_dim(c);
    for (int64_t i = 0; i < dim / 2; i++) f[i] = pow(c->rope_theta, -2.0 * (double)i / (double)dim);
    switch (c->rope_kind) {
    case R1I_ROPE_PLAIN: break;
    case R1I_ROPE_LINEAR:
        for (int64_t i = 0; i < dim / 2; i++) f[i] /= c->rope_factor;
        break;
    case R1I_ROPE_YARN: yarn(c, dim, f); break;
    case R1I_ROPE_LLAMA3: llama3(c, dim, f); break;
    case R1I_ROPE_DIVISORS:
        for (int64_t i = 0; i < dim / 2; i++) f[i] /= (double)divisors[i];
        break;
    }
}

float r1i_rotary_magnitude(const r1i_config *c)
{
    if (c->rope_kind != R1I_ROPE_YARN) return 1.0f;
    return (float)(magnitude(c->rope_factor, c->rope_mscale) / magnitude(c->rope_factor, c->rope_mscale_all_dim));
}

float r1i_attention_scale(const r1i_config *c)
{
    if (c->arch != R1I_DEEPSEEK_V3) return (float)(1.0 / sqrt((double)c->head_dim));
    const double m = c->rope_kind == R1I_ROPE_YARN ? magnitude(c->rope_factor, c->rope_mscale_all_dim) : 1.0;
    return (float)(1.0 / sqrt((double)(c->qk_nope_head_dim + c->qk_rope_head_dim)) * m * m);
}
