#include "model/rotary.h"

#include <math.h>

static const double pi = 3.14159265358979323846;
/* high has 42 bits: n * high is exact */
static const double ln2_high = 0x1.62e42fefa3800p-1, ln2_low = 0x1.ef35793c76730p-45;

/* ln and exp are our own, for the C library's differ between its versions and a frequency's last bit can move a logit's
 * (numerics.md). About 1e-15 relative, so an angle at position 163,839 is right to about 1e-9. x is positive and
 * finite. */
static double own_ln(double x)
{
    int e;
    double m = frexp(x, &e);
    if (m < 0x1.6a09e667f3bcdp-1) m *= 2.0, e--; /* m in [sqrt(1/2), sqrt(2)) */
    const double s = (m - 1.0) / (m + 1.0), q = s * s;
    double sum = 0.0; /* 2 atanh(s), |s| < 0.172 */
    for (int k = 25; k >= 1; k -= 2) sum = fma(sum, q, 1.0 / k);
    return fma((double)e, ln2_high, fma((double)e, ln2_low, 2.0 * s * sum));
}

static double own_exp(double x)
{
    const double n = rint(x * 0x1.71547652b82fep+0);
    const double r = fma(-n, ln2_low, fma(-n, ln2_high, x)); /* |r| < 0.347 */
    double sum = 1.0;
    for (int k = 16; k >= 1; k--) sum = fma(sum, r / k, 1.0);
    return ldexp(sum, (int)n);
}

/* YaRN's magnitude term: 1 where nothing is stretched. */
static double magnitude(double factor, double a) { return factor <= 1.0 ? 1.0 : 0.1 * a * own_ln(factor) + 1.0; }

/* The (fractional) pair index whose wave turns `turns` times within the original context. */
static double yarn_corner(const r1i_config *c, double dim, double turns)
{
    return dim * own_ln((double)c->rope_original_max_position_embeddings / (2.0 * pi * turns)) /
        (2.0 * own_ln(c->rope_theta));
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
    const double ln_theta = own_ln(c->rope_theta);
    for (int64_t i = 0; i < dim / 2; i++) f[i] = own_exp(-2.0 * (double)i / (double)dim * ln_theta);
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
