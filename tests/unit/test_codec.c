/* Dequantisation against the reference vectors, scalar conversions against arithmetic, integers against floats. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/rng.h"
#include "support/random_blocks.h"
#include "tensor/block.h"

static r1_dtype type_named(const char *name)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++)
        if (strcmp(r1_dtype_name((r1_dtype)t), name) == 0) return (r1_dtype)t;
    return R1_DTYPE_COUNT;
}

static bool next_line(FILE *f, char *line, int size)
{
    while (fgets(line, size, f))
        if (line[0] != '#') return true;
    return false;
}

/* One vector of the fixture: the block's hex, then big-endian bit patterns, eight a line. */
static void check_vector(FILE *f, const char *name, int elems, int bytes)
{
    char line[1024];
    uint8_t block[512];
    float y[256];
    const r1_dtype type = type_named(name);
    assert_true(next_line(f, line, sizeof line));
    for (int i = 0; i < bytes; i++) {
        const char hex[3] = {line[2 * i], line[2 * i + 1], 0};
        block[i] = (uint8_t)strtoul(hex, NULL, 16);
    }
    if (type < R1_DTYPE_COUNT) {
        assert_int_equal(r1i_dtype(type)->block_elems, elems);
        assert_int_equal(r1i_dtype(type)->block_bytes, bytes);
        r1i_dequantise(type, block, elems, y);
    }
    for (int i = 0; i < elems; i += 8) {
        assert_true(next_line(f, line, sizeof line));
        const char *p = line;
        for (int j = 0; j < 8; j++) {
            char *end;
            const uint32_t want = (uint32_t)strtoul(p, &end, 16);
            p = end;
            if (type < R1_DTYPE_COUNT && r1i_f32_bits(y[i + j]) != want)
                fail_msg("%s element %d: %08x, reference %08x", name, i + j, r1i_f32_bits(y[i + j]), want);
        }
    }
}

static void test_reference_vectors(void **state)
{
    (void)state;
    FILE *f = fopen(R1_TEST_DIR "/fixtures/dequant.txt", "r");
    char line[1024], name[32];
    int elems, bytes, seen = 0;
    assert_non_null(f);
    while (next_line(f, line, sizeof line)) {
        assert_int_equal(sscanf(line, "%31s %d %d", name, &elems, &bytes), 3);
        check_vector(f, name, elems, bytes);
        seen += type_named(name) < R1_DTYPE_COUNT;
    }
    fclose(f);
    int types = 0;
    for (int t = 0; t < R1_DTYPE_COUNT; t++) types += r1i_dtype_is_quantised((r1_dtype)t);
    assert_int_equal(seen, types); /* Q8_K of the fixture is for activations and no weight type */
}

static void test_half(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 0x10000u; h++) {
        const float f = r1i_f16_to_f32((uint16_t)h);
        const int e = (int)((h >> 10) & 31);
        const double m = (double)(h & 1023u), sign = h & 0x8000u ? -1.0 : 1.0;
        if (e == 31) {
            assert_true((h & 1023u) ? isnan(f) : isinf(f) && (f < 0) == (sign < 0));
            if (!(h & 1023u)) assert_int_equal(r1i_f16_from_f32(f), h);
            else assert_int_equal(r1i_f16_from_f32(f), h | 0x200u);
            continue;
        }
        assert_true((double)f == sign * (e ? ldexp(1.0 + m / 1024.0, e - 15) : ldexp(m, -24)));
        assert_int_equal(!!signbit(f), h >> 15);
        assert_int_equal(r1i_f16_from_f32(f), h);
        if ((h & 0x7fffu) >= 0x7bffu) continue;
        /* Halfway to the next half: to even; a hair either side: to the nearer. */
        const float next = r1i_f16_to_f32((uint16_t)(h + 1)), mid = (float)(((double)f + (double)next) / 2);
        assert_int_equal(r1i_f16_from_f32(mid), h & 1u ? h + 1 : h);
        assert_int_equal(r1i_f16_from_f32(nextafterf(mid, f)), h);
        assert_int_equal(r1i_f16_from_f32(nextafterf(mid, next)), h + 1);
    }
    assert_int_equal(r1i_f16_from_f32(65519.996f), 0x7bff);
    assert_int_equal(r1i_f16_from_f32(65520.0f), 0x7c00);
    assert_int_equal(r1i_f16_from_f32(-1e30f), 0xfc00);
    assert_int_equal(r1i_f16_from_f32(0x1p-25f), 0);
    assert_int_equal(r1i_f16_from_f32(0x1.8p-25f), 1);
    assert_int_equal(r1i_bf16_from_f32(r1i_f32_from_bits(0x7f800001u)), 0x7fc0);
    assert_int_equal(r1i_bf16_from_f32(r1i_f32_from_bits(0x3f808000u)), 0x3f80);
    assert_int_equal(r1i_bf16_from_f32(r1i_f32_from_bits(0x3f818000u)), 0x3f82);
}

static void test_e4m3(void **state)
{
    (void)state;
    static const struct { uint8_t code; float value; } anchor[] = {
        {0x00, 0.0f}, {0x01, 0.001953125f}, {0x08, 0.015625f}, {0x30, 0.5f}, {0x38, 1.0f}, {0x3c, 1.5f}, {0x40, 2.0f},
        {0x77, 240.0f}, {0x78, 256.0f}, {0x7e, 448.0f}, {0xb8, -1.0f}, {0xfe, -448.0f},
    };
    for (size_t i = 0; i < sizeof anchor / sizeof anchor[0]; i++)
        assert_true(r1i_e4m3_to_f32(anchor[i].code) == anchor[i].value);
    for (unsigned b = 0; b < 256; b++) {
        const unsigned e = (b >> 3) & 15, m = b & 7;
        const float f = r1i_e4m3_to_f32((uint8_t)b);
        if ((b & 127) == 127) {
            assert_true(isnan(f));
            continue;
        }
        const double v = e ? ldexp(1.0 + m / 8.0, (int)e - 7) : ldexp(m, -9);
        assert_true((double)f == (b & 128 ? -v : v));
        assert_int_equal(!!signbit(f), b >> 7);
    }
}

static void test_scalar_rows(void **state)
{
    (void)state;
    const uint8_t raw[9] = {0xff, 0x00, 0x3c, 0x00, 0x40, 0x80, 0x3f, 0x00, 0x40}; /* from byte 1: unaligned */
    float y[2];
    r1i_dequantise(R1_DTYPE_F16, raw + 1, 2, y);
    assert_true(y[0] == 1.0f && y[1] == 2.0f);
    r1i_dequantise(R1_DTYPE_BF16, raw + 5, 2, y);
    assert_true(y[0] == 1.0f && y[1] == 2.0f);
    r1i_dequantise(R1_DTYPE_F32, raw + 3, 1, y);
    assert_true(r1i_f32_bits(y[0]) == 0x3f804000u);
    r1i_dequantise(R1_DTYPE_F8_E4M3, raw + 2, 1, y);
    assert_true(y[0] == 1.5f);
}

/* value = scale * q - min, and so rounded it is the very float of the format: the two decoders share no formula. */
static void test_integers_are_the_floats(void **state)
{
    (void)state;
    r1i_rng rng = {20240601, 0};
    print_message("seed %llu\n", (unsigned long long)rng.seed);
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        const r1_dtype type = (r1_dtype)t;
        if (!r1i_dtype_is_quantised(type)) continue;
        bool any_min = false, any_16 = false;
        for (int round = 0; round < 200; round++) {
            enum { N = 512 };
            uint8_t src[N / 32 * 34 + 1];
            float y[N], scale[N / 16], min[N / 16];
            int8_t q[N];
            r1t_random_blocks(&rng, type, (r1t_scales)(round & 1), N, src + 1);
            r1i_dequantise(type, src + 1, N, y);
            r1i_unpack_integers(type, src + 1, N, q, scale, min);
            for (int e = 0; e < N; e++) {
                const float product = scale[e / 16] * (float)q[e];
                const float v = r1i_type_has_min(type) ? product - min[e / 16] : product;
                if (r1i_f32_bits(v) != r1i_f32_bits(y[e]))
                    fail_msg("%s element %d: %a * %d - %a = %a, codec %a", r1_dtype_name(type), e,
                             (double)scale[e / 16], q[e], (double)min[e / 16], (double)v, (double)y[e]);
            }
            for (int g = 0; g < N / 16; g++) any_min |= min[g] != 0.0f;
            for (int g = 0; g < N / 16; g += 2) any_16 |= scale[g] != scale[g + 1] || min[g] != min[g + 1];
        }
        assert_int_equal(any_min, r1i_type_has_min(type));
        assert_int_equal(any_16, r1i_type_scale_16(type));
    }
}

static void test_mxfp4_extremes(void **state)
{
    (void)state;
    uint8_t b[17] = {0};
    float y[32];
    memset(b + 1, 0x71, 16); /* low nibble 1: value 1, high nibble 7: value 12 */
    r1i_dequantise(R1_DTYPE_MXFP4, b, 32, y);
    assert_true(y[0] == 0x1p-128f && y[16] == 12 * 0x1p-128f);
    b[0] = 1;
    r1i_dequantise(R1_DTYPE_MXFP4, b, 32, y);
    assert_true(y[0] == 0x1p-127f);
    b[0] = 2;
    r1i_dequantise(R1_DTYPE_MXFP4, b, 32, y);
    assert_true(y[0] == 0x1p-126f);
    b[0] = 252;
    r1i_dequantise(R1_DTYPE_MXFP4, b, 32, y);
    assert_true(y[0] == 0x1p124f && isfinite(y[16]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_vectors), cmocka_unit_test(test_half),
        cmocka_unit_test(test_e4m3),              cmocka_unit_test(test_scalar_rows),
        cmocka_unit_test(test_integers_are_the_floats), cmocka_unit_test(test_mxfp4_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
