/* Rotary frequencies and scales: the check values of the published models, each kind of scaling. */
#include "support/test.h"

#include <math.h>

#include "model/rotary.h"

static void near(double got, double want, double relative)
{
    if (!(fabs(got - want) <= relative * fabs(want))) fail_msg("%.12g, %.12g expected", got, want);
}

static r1i_config r1(void)
{
    return (r1i_config){.arch = R1I_DEEPSEEK_V3, .qk_nope_head_dim = 128, .qk_rope_head_dim = 64, .rope_theta = 1e4,
                        .rope_kind = R1I_ROPE_YARN, .rope_factor = 40, .rope_original_max_position_embeddings = 4096,
                        .rope_beta_fast = 32, .rope_beta_slow = 1, .rope_mscale = 1, .rope_mscale_all_dim = 1};
}

static r1i_config llama31(void)
{
    return (r1i_config){.arch = R1I_LLAMA, .head_dim = 128, .rope_theta = 5e5, .rope_kind = R1I_ROPE_LLAMA3,
                        .rope_factor = 8, .rope_low_freq_factor = 1, .rope_high_freq_factor = 4,
                        .rope_original_max_position_embeddings = 8192};
}

static void test_yarn(void **state)
{
    (void)state;
    r1i_config c = r1();
    double f[32];
    r1i_rotary_frequencies(&c, NULL, f);
    static const struct { int i; double f; } want[] = {
        {0, 1}, {10, 5.623413252e-2}, {11, 3.900692657e-2}, {16, 5.5e-3}, {17, 3.561997494e-3}, {22, 1.778279410e-4},
        {23, 3.333803580e-5}, {31, 3.333803580e-6},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) near(f[want[i].i], want[i].f, 1e-9);
    assert_true(r1i_rotary_magnitude(&c) == 1.0f);
    near((double)r1i_attention_scale(&c), 0.1352337788, 1e-7);
    c.rope_mscale_all_dim = 0; /* as YaRN without that key: cos and sin are stretched, the scale is not */
    near((double)r1i_rotary_magnitude(&c), 1.3688879454, 1e-7);
    near((double)r1i_attention_scale(&c), 0.0721687836, 1e-7);
}

/* Both ends of the ramp fall on one pair: no division by zero. */
static void test_yarn_without_a_ramp(void **state)
{
    (void)state;
    r1i_config c = r1();
    double f[32];
    c.rope_beta_fast = c.rope_beta_slow = 1e6; /* both corners below pair 0 */
    r1i_rotary_frequencies(&c, NULL, f);
    for (int i = 0; i < 32; i++) assert_true(isfinite(f[i]) && f[i] > 0);
}

static void test_llama3(void **state)
{
    (void)state;
    const r1i_config c = llama31();
    double f[64];
    r1i_rotary_frequencies(&c, NULL, f);
    static const double between[] = {1.207484, 1.553415, 2.026313, 2.694530, 3.684253, 5.257327};
    for (int i = 0; i < 64; i++) {
        const double plain = pow(5e5, -2.0 * i / 128.0), divisor = i <= 28 ? 1 : i >= 35 ? 8 : between[i - 29];
        near(plain / f[i], divisor, 1e-6);
    }
    near(f[29], 2.166570764e-3, 1e-9);
    near(f[34], 1.785078128e-4, 1e-9);
    near(f[63], 3.068925989e-7, 1e-9);
    near((double)r1i_attention_scale(&c), 1 / sqrt(128.0), 1e-7);
    assert_true(r1i_rotary_magnitude(&c) == 1.0f);
}

static void test_divisors_and_linear(void **state)
{
    (void)state;
    r1i_config c = llama31();
    float divisor[64];
    double f[64];
    for (int i = 0; i < 64; i++) divisor[i] = (float)(1 + i);
    c.rope_kind = R1I_ROPE_DIVISORS;
    r1i_rotary_frequencies(&c, divisor, f);
    for (int i = 0; i < 64; i++) near(f[i], pow(5e5, -2.0 * i / 128.0) / (1 + i), 1e-12);
    c.rope_kind = R1I_ROPE_LINEAR;
    r1i_rotary_frequencies(&c, NULL, f);
    near(f[5], pow(5e5, -10 / 128.0) / 8, 1e-12);
    c.rope_kind = R1I_ROPE_PLAIN;
    r1i_rotary_frequencies(&c, NULL, f);
    assert_true(f[0] == 1.0);
}

/* The frequencies' own logarithm and exponential beside long double ones, over every theta and width in use. */
static void test_plain_frequencies(void **state)
{
    (void)state;
    static const double theta[] = {1e4, 5e5, 1e6, 1.5, 2, 1e9, 8192.5};
    for (size_t t = 0; t < sizeof theta / sizeof *theta; t++)
        for (int dim = 2; dim <= 256; dim += 2) {
            const r1i_config c = {.arch = R1I_QWEN2, .head_dim = dim, .rope_theta = theta[t]};
            double f[128];
            r1i_rotary_frequencies(&c, NULL, f);
            assert_true(f[0] == 1.0);
            for (int i = 0; i < dim / 2; i++) near(f[i], (double)powl((long double)theta[t], -2.0L * i / dim), 8e-15);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yarn), cmocka_unit_test(test_yarn_without_a_ramp), cmocka_unit_test(test_llama3),
        cmocka_unit_test(test_divisors_and_linear), cmocka_unit_test(test_plain_frequencies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
