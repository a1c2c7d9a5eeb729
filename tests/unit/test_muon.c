/* Muon against NumPy in float64 (tests/fixtures/muon/make.py): two steps on matrices that are wide, tall, square and
 * thin. */
#include "support/test.h"

#include <math.h>

#include "train/muon.h"

enum { MOST = 64 * 64 };

/* The fixture's numbers; the product stays below 2^53 there too. */
static float number(int64_t k, int64_t salt)
{
    return (float)((double)((int64_t)(((uint64_t)k * 2654435761u + (uint64_t)salt * 40503u) % 4294967296u >> 8) % 2001 -
                            1000) / 1000.0);
}

/* Row-major element k of [.., cols] in panels of 16 rows. */
static int64_t place(int64_t k, int64_t cols) { return k / cols / 16 * 16 * cols + k % cols * 16 + k / cols % 16; }

static void one_shape(FILE *f, int64_t rows, int64_t cols)
{
    static float w[MOST], m[MOST], g[MOST], scratch[8 * MOST];
    const int64_t padded = (rows + 15) / 16 * 16;
    assert_true(padded * cols <= MOST && r1i_muon_scratch(padded, cols) <= 8 * MOST);
    memset(w, 0, sizeof w), memset(m, 0, sizeof m), memset(g, 0, sizeof g);
    for (int64_t k = 0; k < rows * cols; k++) w[place(k, cols)] = number(k, 1);
    for (int64_t step = 2; step < 4; step++) {
        for (int64_t k = 0; k < rows * cols; k++) g[place(k, cols)] = number(k, step);
        r1i_muon_matrix(w, m, g, padded, cols, rows > cols ? rows : cols, 0.5f, 0.02f, 0.1f, scratch);
    }
    for (int64_t k = 0; k < rows * cols; k++) {
        double want;
        assert_int_equal(fscanf(f, "%lf", &want), 1);
        if (!(fabs((double)w[place(k, cols)] - want) <= 2e-6))
            fail_msg("%d x %d, element %d: %.8f, expected %.8f", (int)rows, (int)cols, (int)k,
                     (double)w[place(k, cols)], want);
    }
    for (int64_t r = rows; r < padded; r++)
        for (int64_t c = 0; c < cols; c++) assert_true(w[place(r * cols + c, cols)] == 0.0f);
}

static void test_numpy(void **state)
{
    FILE *const f = fopen(R1_TEST_DIR "/fixtures/muon/weights.txt", "r");
    int shapes = 0, rows, cols;
    (void)state;
    assert_non_null(f);
    for (; fscanf(f, "%d %d", &rows, &cols) == 2; shapes++) one_shape(f, rows, cols);
    fclose(f);
    assert_int_equal(shapes, 4);
}

static void test_takes(void **state)
{
    static const r1i_weight w = {.rows = 16, .cols = 16};
    static const struct { const char *name; int64_t cols; bool takes;
                          } p[] = {{"model.layers.0.self_attn.o_proj.weight", 16, true},
                                   {"model.layers.1.mlp.experts.3.up_proj.weight", 16, true},
        {"model.embed_tokens.weight", 16, false}, {"lm_head.weight", 16, false}, {"model.layers.2.shared_head.head.weight", 16, false}, {"model.norm.weight", 0, false}};
    (void)state;
    for (size_t i = 0; i < sizeof p / sizeof *p; i++) {
        r1i_parameter q = {.rows = 16, .cols = p[i].cols, .w = p[i].cols ? &w : NULL};
        snprintf(q.name, sizeof q.name, "%s", p[i].name);
        assert_int_equal(r1i_muon_takes(&q), p[i].takes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_numpy), cmocka_unit_test(test_takes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
