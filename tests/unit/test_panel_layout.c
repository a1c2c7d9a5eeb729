/* The bytes of every panel layout, by checksum: files of panels outlive the program that wrote them, so a layout that
 * moves must take a new R1I_PANEL_LAYOUT_VERSION with it. When this fails: raise the version there and here, and put in
 * the sums that it prints. */
#include "support/test.h"

#include <inttypes.h>

#include "base/checksum.h"
#include "base/env.h"
#include "tensor/panel.h"

enum { VERSION = 3, ROWS = 19, COLS = 512 };

static const struct { r1_dtype type; uint64_t sum; } layouts[] = {
    {R1_DTYPE_F32, UINT64_C(0xe97828ba68b738ac)},
    {R1_DTYPE_F16, UINT64_C(0xfd5e4c949f386999)},
    {R1_DTYPE_BF16, UINT64_C(0xfd5e4c949f386999)},
    {R1_DTYPE_F8_E4M3, UINT64_C(0x66d537a2d77c7b76)},
    {R1_DTYPE_Q4_0, UINT64_C(0xc8c03a7f87b4124b)},
    {R1_DTYPE_Q4_1, UINT64_C(0x1555f1f4f15e4b3b)},
    {R1_DTYPE_Q5_0, UINT64_C(0xc3a8f434c3635a0b)},
    {R1_DTYPE_Q5_1, UINT64_C(0x8c18f1c27ab98c9b)},
    {R1_DTYPE_Q8_0, UINT64_C(0xc189fa66462f12c0)},
    {R1_DTYPE_Q2_K, UINT64_C(0x1a1f054448d53819)},
    {R1_DTYPE_Q3_K, UINT64_C(0x0f8b958c55935370)},
    {R1_DTYPE_Q4_K, UINT64_C(0x3ff2e056e472fb3d)},
    {R1_DTYPE_Q5_K, UINT64_C(0x061a452890a31eb5)},
    {R1_DTYPE_Q6_K, UINT64_C(0xff179fc6534beb6a)},
    {R1_DTYPE_IQ2_XXS, UINT64_C(0x64e7ea663f4a6d80)},
    {R1_DTYPE_IQ2_XS, UINT64_C(0xcce2b7f551d7a6de)},
    {R1_DTYPE_IQ3_XXS, UINT64_C(0xe6e0d4448a0fc0b4)},
    {R1_DTYPE_IQ1_S, UINT64_C(0x05451f72028fa8ee)},
    {R1_DTYPE_IQ4_NL, UINT64_C(0xc8c03a7f87b4124b)},
    {R1_DTYPE_IQ3_S, UINT64_C(0x6d5b634a0d5d1308)},
    {R1_DTYPE_IQ2_S, UINT64_C(0x2e22a46f21491770)},
    {R1_DTYPE_IQ4_XS, UINT64_C(0xa53ff194c365dd9f)},
    {R1_DTYPE_IQ1_M, UINT64_C(0xc5cd1a3d0aded86b)},
    {R1_DTYPE_MXFP4, UINT64_C(0x79a01a6075f4aee7)},
};

/* Two panels, the second with rows past the matrix. */
static uint64_t sum_of(r1_dtype type)
{
    uint64_t row_bytes = 0, bytes = 0, state = 1;
    assert_true(r1i_dtype_row_bytes(type, COLS, &row_bytes) && r1i_panel_bytes(type, ROWS, COLS, &bytes));
    uint8_t *const rows = malloc(row_bytes * ROWS),
                   *const panels = aligned_alloc(R1I_ALIGN, r1i_align_up(bytes, R1I_ALIGN));
    for (uint64_t i = 0; i < row_bytes * ROWS; i++) {
        state = state * UINT64_C(6364136223846793005) + 1;
        rows[i] = (uint8_t)(state >> 56);
    }
    const r1i_weight w = {.type = type, .layout = R1I_LAYOUT_ROWS, .rows = ROWS, .cols = COLS, .data = rows};
    for (int64_t p = 0; p < 2; p++) r1i_panel_pack(&w, p, panels + (uint64_t)p * r1i_panel_stride(type, COLS));
    const uint64_t sum = r1i_checksum_of(panels, bytes);
    free(rows);
    free(panels);
    return sum;
}

static void test_layouts(void **state)
{
    (void)state;
    int moved = 0, known = 0, types = 0;
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
        const uint64_t sum = sum_of(layouts[i].type);
        known++;
        if (sum == layouts[i].sum) continue;
        print_message("    {R1_DTYPE_%s, UINT64_C(0x%016" PRIx64 ")},\n", r1_dtype_name(layouts[i].type), sum);
        moved++;
    }
    for (int t = 0; t < R1_DTYPE_COUNT; t++) types += r1i_weight_type_ok((r1_dtype)t);
    assert_int_equal(known, types);
    if (moved) fail_msg("%d layouts are not those of version %d", moved, VERSION);
    assert_int_equal(R1I_PANEL_LAYOUT_VERSION, VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_layouts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
