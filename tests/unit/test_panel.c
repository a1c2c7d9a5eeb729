/* Panels: a permutation of the source's bytes (Q3_K, Q5_K, Q6_K: of its bits), out of which every row comes back
 * unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/env.h"
#include "base/rng.h"
#include "support/random_blocks.h"
#include "tensor/codec.h"
#include "tensor/panel.h"

typedef struct matrix {
    r1i_weight rows, panel;
    uint8_t *source, *packed;
    uint64_t packed_bytes;
} matrix;

static matrix make(r1i_rng *rng, r1_dtype type, int64_t rows, int64_t cols, const float *scale)
{
    matrix m = {0};
    uint64_t row_bytes;
    assert_true(r1i_dtype_row_bytes(type, (uint64_t)cols, &row_bytes));
    assert_true(r1i_panel_bytes(type, rows, cols, &m.packed_bytes));
    m.source = (uint8_t *)malloc((size_t)row_bytes * (size_t)rows + 1) ;
    m.packed = r1i_alloc(NULL, (size_t)m.packed_bytes + 64);
    for (int64_t r = 0; r < rows; r++) /* one byte off any alignment */
        r1t_random_blocks(rng, type, R1T_SCALES_EXTREME, cols, m.source + 1 + (uint64_t)r * row_bytes);
    m.rows = (r1i_weight){type, R1I_LAYOUT_ROWS, rows, cols, m.source + 1, scale, NULL};
    m.panel = (r1i_weight){type, R1I_LAYOUT_PANEL, rows, cols, m.packed, scale, NULL};
    memset(m.packed, 0xa5, (size_t)m.packed_bytes + 64);
    const uint64_t stride = r1i_panel_stride(type, cols);
    for (int64_t p = 0; p < (rows + 15) / 16; p++) r1i_panel_pack(&m.rows, p, m.packed + (uint64_t)p * stride);
    for (int i = 0; i < 64; i++) assert_int_equal(m.packed[m.packed_bytes + (uint64_t)i], 0xa5);
    return m;
}

static void drop(matrix *m)
{
    free(m->source);
    r1i_release(NULL, m->packed, (size_t)m->packed_bytes + 64);
}

/* Both layouts give the same floats, and the panel holds exactly the source's bytes in another order. */
static void check_bytes(const matrix *m, uint64_t row_bytes)
{
    int64_t count[256] = {0};
    for (uint64_t i = 0; i < m->packed_bytes; i++) count[m->packed[i]]++;
    for (uint64_t i = 0; i < row_bytes * (uint64_t)m->rows.rows; i++) count[m->rows.data[i]]--;
    for (int i = 1; i < 256; i++) assert_int_equal(count[i], 0); /* what is over is zero padding */
}

/* Or its bits: each block comes back, and there are as many ones. */
static void check_bits(const matrix *m, uint64_t row_bytes)
{
    const r1i_dtype_info *const info = r1i_dtype(m->rows.type);
    const uint64_t block = (uint64_t)info->block_bytes, stride = r1i_panel_stride(m->rows.type, m->rows.cols);
    int64_t ones = 0;
    for (uint64_t i = 0; i < m->packed_bytes; i++) ones += __builtin_popcount(m->packed[i]);
    for (uint64_t r = 0; r < (uint64_t)m->rows.rows; r++)
        for (uint64_t at = 0; at < row_bytes; at += block) {
            uint8_t back[R1I_BLOCK_BYTES_MAX];
            const uint8_t *const source = m->rows.data + r * row_bytes + at;
            r1i_panel_block_row(m->rows.type, m->packed + r / 16 * stride + at * 16, (int)(r % 16), back);
            assert_memory_equal(back, source, block);
            for (uint64_t i = 0; i < block; i++) ones -= __builtin_popcount(source[i]);
        }
    assert_int_equal(ones, 0);
}

static void check(r1i_rng *rng, r1_dtype type, int64_t rows, int64_t cols)
{
    const float scale[6] = {0.5f, 3.0f, 0.1f, 7.0f, 0.3f, 11.0f};
    matrix m = make(rng, type, rows, cols, type == R1_DTYPE_F8_E4M3 ? scale : NULL);
    float *a = malloc((size_t)cols * sizeof *a), *b = malloc((size_t)cols * sizeof *b);
    for (int64_t r = 0; r < rows; r++) {
        r1i_weight_row(&m.rows, r, a);
        r1i_weight_row(&m.panel, r, b);
        if (memcmp(a, b, (size_t)cols * sizeof *a) != 0)
            fail_msg("%s [%d, %d] row %d", r1_dtype_name(type), (int)rows, (int)cols, (int)r);
    }
    uint64_t row_bytes;
    assert_true(r1i_dtype_row_bytes(type, (uint64_t)cols, &row_bytes));
    if (type == R1_DTYPE_Q3_K || type == R1_DTYPE_Q5_K || type == R1_DTYPE_Q6_K) check_bits(&m, row_bytes);
    else check_bytes(&m, row_bytes);
    free(a);
    free(b);
    drop(&m);
}

static void test_every_type(void **state)
{
    (void)state;
    r1i_rng rng = {7, 0};
    print_message("seed %llu\n", (unsigned long long)rng.seed);
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        const r1_dtype type = (r1_dtype)t;
        if (!r1i_weight_type_ok(type)) continue;
        const int64_t block = r1i_dtype(type)->block_elems;
        static const int64_t rows[] = {1, 15, 16, 17, 40, 130};
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
            check(&rng, type, rows[i], block == 1 ? 131 : block);
            check(&rng, type, rows[i], block == 1 ? 256 : block == 32 ? 32 * 41 : 256 * 5);
        }
        if (block == 1)
            for (int64_t cols = 1; cols < 10; cols++) check(&rng, type, 18, cols);
    }
}

static void test_layout_as_documented(void **state)
{
    (void)state;
    r1i_rng rng = {8, 0};
    matrix m = make(&rng, R1_DTYPE_BF16, 16, 7, NULL);
    assert_int_equal(m.packed_bytes, 4 * 16 * 2 * 2);
    for (int k = 0; k < 7; k++)
        for (int n = 0; n < 16; n++)
            assert_memory_equal(m.packed + ((k / 2 * 16 + n) * 2 + k % 2) * 2, m.source + 1 + (n * 7 + k) * 2, 2);
    drop(&m);
    m = make(&rng, R1_DTYPE_Q4_1, 16, 64, NULL);
    const uint8_t *block = m.packed + 20 * 16;
    for (int n = 0; n < 16; n++) {
        const uint8_t *source = m.source + 1 + n * 40 + 20;
        assert_memory_equal(block + 2 * n, source, 2);
        assert_memory_equal(block + 32 + 2 * n, source + 2, 2);
        for (int i = 0; i < 4; i++) assert_memory_equal(block + 64 + 64 * i + 4 * n, source + 4 + 4 * i, 4);
    }
    drop(&m);
}

/* Element k of a block, without its offset: the file's fields. */
static int element(r1_dtype type, const uint8_t *b, int k)
{
    const int g = k / 32, l = k % 32;
    switch (type) {
    case R1_DTYPE_Q3_K: return (b[32 + 32 * (g / 4) + l] >> 2 * (g % 4) & 3) | (b[l] >> g & 1) << 2;
    case R1_DTYPE_Q5_K: return (b[48 + 32 * (g / 2) + l] >> 4 * (g % 2) & 15) | (b[16 + l] >> g & 1) << 4;
    default: return (b[64 * (g / 4) + 32 * (g % 2) + l] >> 4 * (g / 2 % 2) & 15) |
        (b[128 + 32 * (g / 4) + l] >> 2 * (g % 4) & 3) << 4;
    }
}

/* The same out of byte t of a group's lines: quad i. */
static int quad(r1_dtype type, const uint8_t *p, int i)
{
    if (type == R1_DTYPE_Q5_K) {
        if (i < 5) return p[64 * i] & 31;
        if (i == 7) return p[256] >> 5 << 2 | (p[64] >> 7) << 1 | p[192] >> 7;
        return p[128 * (i - 5)] >> 5 << 2 | (p[128 * (i - 5) + 64] >> 5 & 3);
    }
    if (type == R1_DTYPE_Q6_K) p += 192 * (i / 4);
    const int six = p[0] >> 6 | p[64] >> 6 << 2 | p[128] >> 6 << 4;
    if (type == R1_DTYPE_Q6_K) return i % 4 < 3 ? p[64 * (i % 4)] & 63 : six;
    return (i % 4 < 3 ? p[64 * (i % 4)] : six) >> 3 * (i / 4) & 7;
}

/* In reading order: a group is whole lines, two spans share a line of d, and what is missing of an odd number of spans
 * is zero. */
static void test_order_as_documented(void **state)
{
    (void)state;
    static const struct { r1_dtype type; int block, d, scales, words, lines; } types[] = {
        {R1_DTYPE_Q3_K, 110, 108, 96, 3, 3}, {R1_DTYPE_Q5_K, 176, 0, 4, 3, 5}, {R1_DTYPE_Q6_K, 210, 208, 192, 4, 6}};
    r1i_rng rng = {10, 0};
    for (size_t c = 0; c < sizeof types / sizeof *types; c++) {
        const r1_dtype type = types[c].type;
        const int span = 64 * (types[c].words + 8 * types[c].lines), pair = 64 + 2 * span;
        const bool paired = type != R1_DTYPE_Q5_K;
        matrix m = make(&rng, type, 16, 3 * 256, NULL);
        assert_int_equal(m.packed_bytes, paired ? pair + 64 + span : 3 * (64 + span));
        for (int b = 0; b < 3; b++) {
            const uint8_t *const first = paired ? m.packed + b / 2 * pair : m.packed + b * (64 + span);
            const uint8_t *const lines = first + 64 + (paired ? b % 2 * span : 0),
                                 *const d = first + (paired ? 32 * (b % 2) : 0);
            for (int n = 0; n < 16; n++) {
                const uint8_t *const source = m.source + 1 + (n * 3 + b) * types[c].block;
                assert_memory_equal(d + 2 * n, source + types[c].d, 2);
                if (!paired) assert_memory_equal(d + 32 + 2 * n, source + 2, 2);
                for (int i = 0; i < types[c].words; i++)
                    assert_memory_equal(lines + 64 * i + 4 * n, source + types[c].scales + 4 * i, 4);
                for (int k = 0; k < 256; k++) {
                    const uint8_t *const group = lines + 64 * (types[c].words + types[c].lines * (k / 32)) + 4 * n +
                        k % 4;
                    assert_int_equal(quad(type, group, k % 32 / 4), element(type, source, k));
                }
            }
        }
        for (int i = 0; paired && i < 32; i++) assert_int_equal(m.packed[pair + 32 + i], 0);
        drop(&m);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    uint64_t bytes;
    assert_true(r1i_panel_bytes(R1_DTYPE_Q4_K, 17, 512, &bytes));
    assert_int_equal(bytes, 32 * 2 * 144);
    assert_true(r1i_panel_bytes(R1_DTYPE_F8_E4M3, 16, 5, &bytes));
    assert_int_equal(bytes, 16 * 8);
    assert_true(r1i_panel_bytes(R1_DTYPE_F32, 0, 5, &bytes));
    assert_int_equal(bytes, 0);
    assert_false(r1i_panel_bytes(R1_DTYPE_Q4_K, 16, 100, &bytes));
    assert_false(r1i_panel_bytes(R1_DTYPE_F32, INT64_MAX, INT64_MAX, &bytes));
    assert_false(r1i_panel_bytes(R1_DTYPE_F32, 1, INT64_MAX, &bytes));
    assert_false(r1i_panel_bytes(R1_DTYPE_F32, -1, 4, &bytes));
    assert_true(r1i_weight_type_ok(R1_DTYPE_F8_E4M3) && r1i_weight_type_ok(R1_DTYPE_IQ1_M));
    assert_false(r1i_weight_type_ok(R1_DTYPE_I32) || r1i_weight_type_ok(R1_DTYPE_COUNT));
}

static void expect_nonfinite(r1_dtype type, int64_t cols, int64_t at, int bytes, const uint8_t *bad)
{
    r1i_rng rng = {9, 0};
    uint8_t row[1100];
    r1t_random_blocks(&rng, type, R1T_SCALES_EXTREME, cols, row);
    assert_int_equal(r1i_row_find_nonfinite(type, row, cols), -1);
    memcpy(row + at, bad, (size_t)bytes);
    assert_int_equal(r1i_row_find_nonfinite(type, row, cols), at);
}

static void test_nonfinite(void **state)
{
    (void)state;
    const uint8_t inf16[2] = {0x00, 0xfc}, nan16[2] = {0x01, 0x7c}, bf_inf[2] = {0x80, 0x7f},
                  f32_nan[4] = {1, 0, 0x80, 0x7f}, fp8[1] = {0xff};
    expect_nonfinite(R1_DTYPE_F32, 131, 4 * 130, 4, f32_nan);
    expect_nonfinite(R1_DTYPE_F32, 131, 4 * 64, 4, f32_nan);
    expect_nonfinite(R1_DTYPE_F16, 131, 2 * 70, 2, inf16);
    expect_nonfinite(R1_DTYPE_BF16, 131, 0, 2, bf_inf);
    expect_nonfinite(R1_DTYPE_F8_E4M3, 131, 129, 1, fp8);
    static const struct { r1_dtype type; int at; } half[] = {
        {R1_DTYPE_Q4_0, 0}, {R1_DTYPE_Q4_1, 0}, {R1_DTYPE_Q4_1, 2}, {R1_DTYPE_Q5_0, 0}, {R1_DTYPE_Q5_1, 2},
        {R1_DTYPE_Q8_0, 0},
        {R1_DTYPE_IQ4_NL, 0}, {R1_DTYPE_Q2_K, 80}, {R1_DTYPE_Q2_K, 82}, {R1_DTYPE_Q3_K, 108}, {R1_DTYPE_Q4_K, 0},
        {R1_DTYPE_Q4_K, 2},
        {R1_DTYPE_Q5_K, 0}, {R1_DTYPE_Q5_K, 2}, {R1_DTYPE_Q6_K, 208}, {R1_DTYPE_IQ4_XS, 0}, {R1_DTYPE_IQ2_XXS, 0},
        {R1_DTYPE_IQ2_XS, 0},
        {R1_DTYPE_IQ2_S, 0}, {R1_DTYPE_IQ3_XXS, 0}, {R1_DTYPE_IQ3_S, 0}, {R1_DTYPE_IQ1_S, 0},
    };
    for (size_t i = 0; i < sizeof half / sizeof half[0]; i++) {
        expect_nonfinite(half[i].type, 512, r1i_dtype(half[i].type)->block_bytes + half[i].at, 2, inf16);
        expect_nonfinite(half[i].type, 512, half[i].at, 2, nan16);
    }
    const uint8_t iq1m[8] = {0, 0, 0, 0, 0, 0xc0, 0, 0x70};
    expect_nonfinite(R1_DTYPE_IQ1_M, 512, 56 + 48, 8, iq1m);
    const uint8_t e255[1] = {255}, e253[2] = {253, 0x77}, fits[2] = {253, 0};
    expect_nonfinite(R1_DTYPE_MXFP4, 512, 17 * 3, 1, e255);
    expect_nonfinite(R1_DTYPE_MXFP4, 512, 17 * 3, 2, e253);
    uint8_t zeros[17] = {0};
    memcpy(zeros, fits, 2);
    assert_int_equal(r1i_row_find_nonfinite(R1_DTYPE_MXFP4, zeros, 32), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_layout_as_documented),
        cmocka_unit_test(test_order_as_documented),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_nonfinite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
