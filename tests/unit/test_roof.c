/* What a cost means under a roof, medians, and that the meter measures something. */
#include "support/test.h"

#include <math.h>

#include "backend/cpu/kernels.h"
#include "measure/peaks.h"
#include "measure/roof.h"

#define NEAR(a, b, tolerance)                                                                        \
    do {                                                                                             \
        const double a_ = (a), b_ = (b);                                                             \
        if (!(fabs(a_ - b_) <= (tolerance))) fail_msg("%s is %.17g, wanted %.17g", #a, a_, b_);      \
    } while (0)

static void test_bounds(void **state)
{
    (void)state;
    const r1_roof roof = {.read = 10e9, .peak = {100e9, 0.0, 400e9}};
    const char *bound;
    const r1_cost read = {.weight_bytes = 4e9, .cache_bytes = 1e9, .ops = {1e9, 0, 1e9}};
    NEAR(r1_roof_seconds(&roof, &read, &bound), 0.5, 1e-12);
    assert_string_equal(bound, "read");
    const r1_cost mixed = {.weight_bytes = 1e9, .ops = {20e9, 0, 120e9}}; /* 0.2 s and 0.3 s one after the other */
    NEAR(r1_roof_seconds(&roof, &mixed, &bound), 0.5, 1e-12);
    assert_string_equal(bound, "int8");
    const r1_cost floats = {.ops = {20e9, 0, 40e9}};
    NEAR(r1_roof_seconds(&roof, &floats, &bound), 0.3, 1e-12);
    assert_string_equal(bound, "f32");
    const r1_cost lacking = {.ops = {0, 1e9, 0}};
    NEAR(r1_roof_seconds(&roof, &lacking, NULL), 0.0, 0.0);
    NEAR(r1_roof_seconds(&(r1_roof){0}, &read, &bound), 0.0, 0.0);
    NEAR(r1_roof_seconds(&roof, &(r1_cost){0}, &bound), 0.0, 0.0);
    const r1_roof other = {.read = 30e9, .peak = {300e9, 0.0, 0.0}};
    const r1_roof mean = r1i_roof_between(&roof, &other);
    NEAR(mean.read, 20e9, 1.0);
    NEAR(mean.peak[R1_PEAK_F32], 200e9, 1.0);
}

static void test_medians(void **state)
{
    (void)state;
    double odd[] = {3, 1, 2}, even[] = {4, 1, 2, 10}, one[] = {7}, work[3];
    r1_spread s = r1i_spread_of(odd, 3);
    assert_true(s.median == 2 && s.least == 1 && s.most == 3);
    s = r1i_spread_of(even, 4);
    assert_true(s.median == 3 && s.least == 1 && s.most == 10);
    s = r1i_spread_of(one, 1);
    assert_true(s.median == 7 && s.least == 7 && s.most == 7);
    const r1_roof roofs[] = {{.read = 3, .peak = {1, 2, 9}}, {.read = 1, .peak = {5, 2, 8}},
                             {.read = 2, .peak = {3, 2, 7}}};
    const r1_roof m = r1i_roof_median(roofs, 3, work);
    assert_true(m.read == 2 && m.peak[R1_PEAK_F32] == 3 && m.peak[R1_PEAK_BF16] == 2 && m.peak[R1_PEAK_INT8] == 8);
}

static void test_meter(void **state)
{
    (void)state;
    r1_meter *m;
    r1_error err = {0};
    assert_int_equal(r1_meter_create(NULL, 2, 3 << 20, &m, &err), R1_OK);
    assert_int_equal(r1_meter_bytes(m), 3 << 20);
    assert_true(r1_meter_read(m, 0.001) > 1e6);
    for (int p = 0; p < R1_PEAK_COUNT; p++) {
        assert_true(r1_meter_peak(m, "c", (r1_peak)p, 0.001) > 1e6);
        assert_true(r1_meter_peak(m, NULL, (r1_peak)p, 0.001) > 1e6);
        assert_true(r1_meter_peak(m, "mmx", (r1_peak)p, 0.001) == 0.0);
        const bool avx2 = (r1i_cpu_features() & R1I_CPU_AVX2) != 0, avx512 = (r1i_cpu_features() & R1I_CPU_AVX512) != 0;
        assert_int_equal(r1_meter_peak(m, "avx2", (r1_peak)p, 0.001) > 0.0, avx2);
        assert_int_equal(r1_meter_peak(m, "avx512", (r1_peak)p, 0.001) > 0.0, avx512);
        assert_int_equal(r1_meter_peak(m, "neon", (r1_peak)p, 0.001) > 0.0, (r1i_cpu_features() & R1I_CPU_NEON) != 0);
    }
    assert_true(r1_meter_peak(m, NULL, R1_PEAK_COUNT, 0.001) == 0.0);
    r1_meter_destroy(m);
    r1_meter_destroy(NULL);
}

/* Every loop says how much it did: a loop that the compiler removed, or one that counts wrongly, would show here. */
static void test_loops(void **state)
{
    (void)state;
    static const char *const isa[] = {"c", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof isa / sizeof *isa; i++)
        for (int p = 0; p < R1_PEAK_COUNT; p++) {
            const r1i_peak_fn f = r1i_peak_loop(isa[i], (r1_peak)p);
            float a = 0.0f, b = 0.0f;
            if (!f) continue;
            assert_true(f(200, &a) == 2.0 * f(100, &b));
            if (p == R1_PEAK_INT8) assert_true(a != b); /* integer chains go on; the float ones settle */
            assert_true(a == a);
        }
}

static void test_stream(void **state)
{
    (void)state;
    _Alignas(64) uint64_t v[32] = {0};
    for (int asking = 0; asking < 2; asking++) assert_int_equal(r1i_stream(v, sizeof v, asking == 1), 0);
    for (int i = 0; i < 32; i++) { /* every word is read */
        v[i] = UINT64_C(1) << (2 * i);
        for (int asking = 0; asking < 2; asking++) assert_true(r1i_stream(v, sizeof v, asking == 1) == v[i]);
        v[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bounds), cmocka_unit_test(test_medians),
                                       cmocka_unit_test(test_meter), cmocka_unit_test(test_loops),
                                       cmocka_unit_test(test_stream)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
