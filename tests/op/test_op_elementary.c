/* Our own exp, sin, cos and log: their errors against higher precision, their edges, and vector lanes against the
 * scalar. */
#include "op/opkit.h"

#include "backend/cpu/elementary.h"

/* Distance in units in the last place of the f32 nearest to `want`. */
static double ulps(float got, double want)
{
    const float near = (float)want;
    int e;
    frexpf(near, &e);
    return fabs((double)got - want) / ldexp(1.0, e - 24);
}

static void test_exp(void **state)
{
    (void)state;
    double worst = 0;
    for (uint32_t u = 0; u < 0x42b17218u; u += 409) { /* every 409th f32 of [0, 88.72] and of [-87, 0] */
        const float x = r1i_f32_from_bits(u);
        const double up = ulps(r1i_expf(x), exp((double)x));
        worst = up > worst ? up : worst;
        if (x > 87.0f) continue;
        const double down = ulps(r1i_expf(-x), exp(-(double)x));
        worst = down > worst ? down : worst;
    }
    print_message("exp: largest error %.3f ulp\n", worst);
    assert_true(worst < 1.0);
    assert_true(r1i_expf(0.0f) == 1.0f && r1i_expf(-0.0f) == 1.0f);
    assert_true(r1i_expf(-INFINITY) == 0.0f && r1i_expf(-87.00001f) == 0.0f && r1i_expf(-1e30f) == 0.0f);
    assert_true(r1i_expf(-87.0f) > 0x1p-126f); /* the smallest result is normal */
    assert_true(r1i_expf(INFINITY) == INFINITY && r1i_expf(89.0f) == INFINITY && isfinite(r1i_expf(88.7228f)));
    assert_true(isnan(r1i_expf(NAN)));
    assert_true(isnan(r1i_expf(r1i_f32_from_bits(0x7fc00155u)))); /* a payload must not leak into the exponent */
}

static void test_sigmoid(void **state)
{
    (void)state;
    double worst = 0, worst_silu = 0;
    for (float z = -80.0f; z < 80.0f; z += 0.0037f) {
        const double s = 1.0 / (1.0 + exp(-(double)z));
        worst = fmax(worst, ulps(r1i_sigmoidf(z), s));
        worst_silu = fmax(worst_silu, ulps(r1i_siluf(z), (double)z * s));
    }
    print_message("sigmoid, silu: largest error %.3f, %.3f ulp\n", worst, worst_silu);
    assert_true(worst < 3.0 && worst_silu < 3.0);
    assert_true(r1i_sigmoidf(0.0f) == 0.5f && r1i_sigmoidf(100.0f) == 1.0f && r1i_sigmoidf(-100.0f) == 0.0f);
}

static void test_sincos(void **state)
{
    (void)state;
    double worst = 0;
    r1i_rng rng = {.seed = 3};
    for (int i = 0; i < 400000; i++) {
        const double x = i % 4 ? r1i_rng_double(&rng) * 3e5 : (double)(i / 2);
        double s, c;
        r1i_sincos(i % 8 == 1 ? -x : x, &s, &c);
        worst = fmax(worst, fabs(s - (double)sinl(i % 8 == 1 ? -(long double)x : (long double)x)));
        worst = fmax(worst, fabs(c - (double)cosl((long double)x)));
    }
    print_message("sin, cos below 3e5: largest error %.3g\n", worst);
    assert_true(worst < 5e-16);
    double s, c;
    r1i_sincos(0.0, &s, &c);
    assert_true(s == 0.0 && c == 1.0);
}

static void test_ln(void **state)
{
    (void)state;
    double worst = 0;
    r1i_rng rng = {.seed = 4};
    for (int i = 0; i < 200000; i++) {
        const double x = exp(r1i_rng_double(&rng) * (i % 2 ? 1.0 : 30.0)), want = (double)logl((long double)x);
        worst = fmax(worst, fabs(r1i_ln(x) - want) / fmax(fabs(want), 1.0));
    }
    print_message("ln of 1 .. 1e13: largest error %.3g of max(1, ln x)\n", worst);
    assert_true(worst < 4e-16);
    assert_true(r1i_ln(1.0) == 0.0);
}

/* Lanes against scalar: row_sum_exp at scale 1 and max 0 puts single exponentials of what is not above 0 into its lanes;
 * sigmoids want them of both signs. */
static void test_lanes(void **state)
{
    (void)state;
    for (int i = 1; i < KIT_ISAS; i++) {
        kit k;
        if (!kit_open(&k, kit_isa[i], 1)) continue;
        for (uint32_t u = 0; u < 0x42f00000u; u += 16 * 3301) {
            float x[16], minus[16], sigmoid[2][16];
            double lane[16];
            for (uint32_t j = 0; j < 16; j++) minus[j] = -(x[j] = r1i_f32_from_bits(u + 3301 * j));
            k.kernels.row_sum_exp(minus, 16, 1.0f, 0.0f, lane);
            k.kernels.sigmoid_row(sigmoid[0], x, 16);
            k.kernels.sigmoid_row(sigmoid[1], minus, 16);
            for (int j = 0; j < 16; j++) {
                assert_true((double)r1i_expf(minus[j]) == lane[j]);
                assert_true(1.0f / (1.0f + r1i_expf(minus[j])) == sigmoid[0][j]);
                assert_true(1.0f / (1.0f + r1i_expf(x[j])) == sigmoid[1][j]);
            }
        }
        const float odd[5] = {NAN, -INFINITY, INFINITY, 0.0f, -87.0f}, down[4] = {NAN, -INFINITY, -0.0f, -104.0f};
        float y[5];
        double lane[16];
        k.kernels.sigmoid_row(y, odd, 5);
        assert_true(isnan(y[0]) && y[1] == 0.0f && y[2] == 1.0f && y[3] == 0.5f && y[4] > 0.0f);
        k.kernels.row_sum_exp(down, 4, 1.0f, 0.0f, lane);
        assert_true(isnan(lane[0]) && lane[1] == 0.0 && lane[2] == 1.0 && lane[3] == 0.0 && lane[4] == 0.0);
        kit_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp), cmocka_unit_test(test_sigmoid), cmocka_unit_test(test_sincos),
        cmocka_unit_test(test_ln),  cmocka_unit_test(test_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
