/* Weights asked for during attention: each thread walks its own share of every region, in its last pages alone. */
#include "support/test.h"

#include "backend/cpu/asks.h"

enum { COLS = 4096, ROWS = 160, STRIDE = COLS / 32 * 34 * R1I_PANEL_ROWS, BYTES = STRIDE * ROWS / R1I_PANEL_ROWS };

/* Addresses alone: nothing is read. */
static const uint8_t *const place = (const uint8_t *)(uintptr_t)(1 << 30);
static r1i_weight weight(int i, int64_t rows)
{
    return (r1i_weight){.type = R1_DTYPE_Q8_0, .rows = rows, .cols = COLS, .data = place + (int64_t)i * BYTES};
}

/* All bytes of three matrices, once: the first region's one, then the second's two, a thread's part in order. */
static void test_shares(void **state)
{
    (void)state;
    const r1i_weight w[3] = {weight(0, ROWS), weight(1, ROWS), weight(2, ROWS)};
    const r1i_coming two = {(r1i_weights[]){{&w[1], 1}, {&w[2], 1}}, 2, NULL}, next = {&(r1i_weights){w, 1}, 1, &two};
    enum { STEP = 64, PARTS = 3 * BYTES / STEP };
    uint8_t *const seen = r1i_alloc_zero(NULL, PARTS);
    assert_non_null(seen);
    assert_int_equal((int64_t)r1i_panel_stride(R1_DTYPE_Q8_0, COLS), STRIDE);
    for (int t = 0; t < 2; t++) {
        r1i_asks a;
        int64_t last = -1;
        r1i_asks_begin(&a, &next, R1I_ASKS_BYTES, t, 2, 1);
        for (const uint8_t *p; (p = r1i_asks_take(&a, STEP)); last = p - place) {
            assert_true(p - place > last && (p - place) % STEP == 0);
            assert_int_equal(seen[(p - place) / STEP]++, 0);
            const int64_t at = p - place, half = BYTES / 2; /* of two: the first is the first thread's */
            if (at < BYTES) assert_int_equal(at / half, t);
            else assert_int_equal((at - BYTES) / BYTES, t);
        }
        assert_null(r1i_asks_take(&a, STEP));
    }
    for (int64_t i = 0; i < PARTS; i++) assert_int_equal(seen[i], 1);
    r1i_release(NULL, seen, PARTS);
}

/* No more than it was told, and not before the pages that are left are just enough for them. */
static void check_bound(int64_t bytes)
{
    enum { PAGE = 10240, PAGES = 4000 };
    const r1i_weight w = weight(0, 100 * ROWS);
    const r1i_coming next = {&(r1i_weights){&w, 1}, 1, NULL};
    r1i_asks a;
    int64_t first = -1, asked = 0;
    r1i_asks_begin(&a, &next, bytes, 1, 2, PAGES);
    for (int64_t i = 0; i < PAGES; i++) {
        const bool some = r1i_asks_take(&a, PAGE) != NULL;
        if (some && first < 0) first = i;
        asked += some ? PAGE : 0;
    }
    assert_true(asked <= bytes / 2 + PAGE && asked > bytes / 2 - PAGE);
    assert_true(PAGES - first <= asked / PAGE + 1);
}

static void test_bound(void **state)
{
    (void)state;
    check_bound(R1I_ASKS_BYTES);
}

static void test_nothing(void **state)
{
    (void)state;
    const r1i_coming next = {NULL, 0, NULL};
    r1i_asks a;
    r1i_asks_begin(&a, &next, R1I_ASKS_BYTES, 0, 2, 10);
    for (int i = 0; i < 12; i++) assert_null(r1i_asks_take(&a, 640));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_bound),
                                       cmocka_unit_test(test_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
