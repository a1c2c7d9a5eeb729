/* Norms, gates, rotary angles, expert routing and combining, log-sum-exp: ref against double, every row of the table
 * against ref byte for byte over odd widths, and threads against one. */
#include "op/opkit.h"

#define SEED 20250124

static const int64_t widths[] = {1, 2, 15, 16, 17, 33, 100, 257, 1536};
enum { WIDTHS = 9 };

/* Runs body(k, out) with plain C and compares every instruction set and thread count with it. */
typedef struct args {
    r1i_rng rng;
    int64_t rows, n;
    float *a, *b, *c;
} args;
typedef void (*body_fn)(kit *k, const args *a, float *out);

static void agree(const args *a, int64_t out_n, body_fn body)
{
    kit ref, k;
    assert_true(kit_open(&ref, "c", 1));
    float *const want = kit_floats(out_n);
    memset(want, 0, (size_t)out_n * 4);
    body(&ref, a, want);
    for (int i = 0; i < KIT_ISAS; i++) {
        for (int threads = 1; threads <= 3; threads++) {
            if (!kit_open(&k, kit_isa[i], threads)) continue;
            float *const got = kit_floats(out_n);
            memset(got, 0, (size_t)out_n * 4);
            body(&k, a, got);
            assert_bits_equal(got, want, out_n);
            kit_free(got);
            kit_close(&k);
        }
    }
    kit_free(want);
    kit_close(&ref);
}

static args args_make(uint64_t seed, int64_t rows, int64_t n, double size)
{
    args a = {.rng = {.seed = seed}, .rows = rows, .n = n};
    a.a = kit_random(&a.rng, rows * n, size);
    a.b = kit_random(&a.rng, rows * n, size);
    a.c = kit_random(&a.rng, rows * n, 1.0);
    return a;
}
static void args_free(args *a)
{
    kit_free(a->a);
    kit_free(a->b);
    kit_free(a->c);
}

static void do_rmsnorm(kit *k, const args *a, float *out)
{
    assert_int_equal(r1i_rmsnorm(&k->ex, r1i_mat_of(out, a->rows, a->n), r1i_mat_of(a->a, a->rows, a->n), a->b, 1e-6f),
                     R1_OK);
    kit_saw(k, "rmsnorm", a->rows);
}
static void do_rmsnorm_in_place(kit *k, const args *a, float *out)
{
    memcpy(out, a->a, (size_t)(a->rows * a->n) * 4);
    const r1i_mat m = r1i_mat_of(out, a->rows, a->n);
    assert_int_equal(r1i_rmsnorm(&k->ex, m, m, a->b, 1e-6f), R1_OK);
}
static void do_silu(kit *k, const args *a, float *out)
{
    assert_int_equal(r1i_silu_mul(&k->ex, r1i_mat_of(out, a->rows, a->n), r1i_mat_of(a->a, a->rows, a->n),
                                  r1i_mat_of(a->b, a->rows, a->n)), R1_OK);
    kit_saw(k, "silu_mul", a->rows);
}
enum { TOPK = 4, MOST_ROWS = 70 };
static void do_router(kit *k, const args *a, float *out)
{
    const r1i_router_shape s = {.experts = a->n, .groups = 1, .topk_groups = 1, .topk = a->n < TOPK ? a->n : TOPK,
                                .sigmoid = true, .scaling = 1.0f};
    int32_t expert[TOPK * MOST_ROWS];
    assert_true(a->rows <= MOST_ROWS);
    assert_int_equal(r1i_router(&k->ex, &s, r1i_mat_of(a->a, a->rows, a->n), a->b, expert, out), R1_OK);
    for (int64_t i = 0; i < a->rows * s.topk; i++) out[a->rows * s.topk + i] = (float)expert[i];
}
static void do_lse(kit *k, const args *a, float *out)
{
    double *const lse = malloc(sizeof(double) * (size_t)a->rows);
    assert_int_equal(r1i_logsumexp(&k->ex, r1i_mat_of(a->a, a->rows, a->n), a->n > 3 ? a->n - 3 : a->n, 0.7f, lse),
                     R1_OK);
    kit_saw(k, "logsumexp", a->rows);
    memcpy(out, lse, sizeof(double) * (size_t)a->rows);
    free(lse);
}
static void do_bf16(kit *k, const args *a, float *out)
{
    r1i_act act;
    assert_int_equal(r1i_act_make(&k->ex, &act, r1i_mat_of(a->a, a->rows, a->n), R1I_ACT_BF16), R1_OK);
    kit_saw(k, "prepare", a->rows);
    memcpy(out, act.bf16, (size_t)(a->rows * act.bf16_stride) * 2);
    r1i_arena_reset(&k->arena, 0);
}

static void test_agreement(void **state)
{
    (void)state;
    for (int w = 0; w < WIDTHS; w++) {
        args a = args_make(SEED + (uint64_t)w, w % 2 ? 3 : MOST_ROWS, widths[w], 4.0);
        agree(&a, a.rows * a.n, do_rmsnorm);
        agree(&a, a.rows * a.n, do_rmsnorm_in_place);
        agree(&a, a.rows * a.n, do_silu);
        agree(&a, a.rows * 2, do_lse);
        agree(&a, a.rows * ((a.n + 31) / 32 * 16), do_bf16);
        a.a[0] = INFINITY;
        a.a[a.n - 1] = -90.0f; /* exp overflows */
        if (a.n <= R1I_ROUTER_EXPERTS) agree(&a, 2 * TOPK * a.rows, do_router);
        args_free(&a);
    }
}

static void test_rmsnorm_and_silu_against_double(void **state)
{
    (void)state;
    kit k;
    assert_true(kit_open(&k, "auto", 1));
    args a = args_make(SEED, 5, 1000, 3.0);
    float *const y = kit_floats(5000);
    do_rmsnorm(&k, &a, y);
    for (int64_t r = 0; r < 5; r++) {
        double sum = 0;
        for (int64_t i = 0; i < 1000; i++) sum += (double)a.a[r * 1000 + i] * (double)a.a[r * 1000 + i];
        for (int64_t i = 0; i < 1000; i++) { /* sum of 63 terms a lane, square root, division, two products: some eps
                                              * each */
            const double want = (double)a.b[i] * (double)a.a[r * 1000 + i] / sqrt(sum / 1000 + 1e-6);
            assert_true(fabs((double)y[r * 1000 + i] - want) <= 1e-6 * fabs(want));
        }
    }
    do_silu(&k, &a, y);
    for (int64_t i = 0; i < 5000; i++) {
        const double z = (double)a.a[i], want = z / (1 + exp(-z)) * (double)a.b[i];
        assert_true(fabs((double)y[i] - want) <= 3e-7 * fabs(want));
    }
    kit_free(y);
    args_free(&a);
    kit_close(&k);
}

static void test_logsumexp_against_double(void **state)
{
    (void)state;
    kit k;
    assert_true(kit_open(&k, "auto", 1));
    args a = args_make(SEED, 4, 5000, 5.0);
    for (int64_t i = 4990; i < 5000; i++) a.a[i] = 1e30f; /* undefined ids are not looked at */
    double lse[4];
    assert_int_equal(r1i_logsumexp(&k.ex, r1i_mat_of(a.a, 4, 5000), 4990, 0.6f, lse), R1_OK);
    for (int64_t r = 0; r < 4; r++) {
        long double sum = 0;
        for (int64_t i = 0; i < 4990; i++) sum += expl((long double)a.a[r * 5000 + i] * 0.6L);
        assert_true(fabs(lse[r] - (double)logl(sum)) < 3e-6); /* each z is rounded to f32: 12 * 2^-24 */
    }
    args_free(&a);
    kit_close(&k);
}

/* What the sampler relies on: wherever a NaN or +infinity is among the defined ids, the result is not finite; elsewhere
 * and for -infinity it is. */
static void test_logsumexp_tells(void **state)
{
    (void)state;
    const float bad[3] = {NAN, -NAN, INFINITY};
    for (int i = 0; i < KIT_ISAS; i++) {
        kit k;
        if (!kit_open(&k, kit_isa[i], 1)) continue;
        for (int64_t n = 1; n <= 70; n++) {
            args a = args_make(SEED + (uint64_t)n, 1, n, 5.0);
            double lse;
            for (int64_t at = 0; at < n; at++)
                for (int b = 0; b < 3; b++) {
                    const float was = a.a[at];
                    a.a[at] = bad[b];
                    assert_int_equal(r1i_logsumexp(&k.ex, r1i_mat_of(a.a, 1, n), n, 1.0f, &lse), R1_OK);
                    assert_true(!isfinite(lse));
                    if (at + 1 < n) { /* and where it is not defined */
                        assert_int_equal(r1i_logsumexp(&k.ex, r1i_mat_of(a.a, 1, n), at > 0 ? at : n, 1.0f, &lse),
                                         R1_OK);
                        assert_true((at > 0) == (isfinite(lse) != 0));
                    }
                    a.a[at] = n > 1 ? -INFINITY : was;
                    assert_int_equal(r1i_logsumexp(&k.ex, r1i_mat_of(a.a, 1, n), n, 1.0f, &lse), R1_OK);
                    assert_true(isfinite(lse) != 0);
                    a.a[at] = was;
                }
            args_free(&a);
        }
        kit_close(&k);
    }
}

/* ---- rotary ------------------------------------------------------------------------------------------------------ */

static void do_table(kit *k, const args *a, float *out)
{
    int64_t pos[40];
    double freq[100];
    for (int64_t i = 0; i < a->rows; i++) pos[i] = i < 3 ? 163839 - i : i * i;
    for (int64_t i = 0; i < a->n; i++) freq[i] = pow(10000.0, -(double)i / (double)a->n);
    assert_int_equal(r1i_rope_table(&k->ex, r1i_mat_of(out, a->rows, a->n),
                                    r1i_mat_of(out + a->rows * a->n, a->rows, a->n), pos, freq, 1.25f), R1_OK);
    kit_saw(k, "rope_table", a->rows);
}

static void do_rope(kit *k, const args *a, float *out)
{
    /* 3 heads of 2 n / 8 columns, a little apart */
    const int64_t dim = a->n / 8 * 2, half = dim / 2;
    memcpy(out, a->a, (size_t)(a->rows * a->n) * 4);
    for (int inter = 0; inter < 2; inter++)
        assert_int_equal(r1i_rope(&k->ex, r1i_mat_of(out, a->rows, a->n), 3, dim, dim + 1,
                                  r1i_mat_of(a->b, a->rows, half), r1i_mat_of(a->c, a->rows, half), inter == 1), R1_OK);
    k->traces = 0;
}

static void test_rope(void **state)
{
    (void)state;
    for (int64_t n = 1; n < 100; n += 31) {
        args a = args_make(SEED, 40, n, 1.0);
        agree(&a, 2 * a.rows * n, do_table);
        args_free(&a);
    }
    for (int64_t n = 24; n < 3000; n = n * 3 + 1) {
        args a = args_make(SEED, 40, n, 1.0);
        agree(&a, a.rows * n, do_rope);
        args_free(&a);
    }
    /* angles are right to half a unit of f32 at the last position of the longest model */
    kit k;
    assert_true(kit_open(&k, "auto", 1));
    const int64_t pos = 163839;
    double freq[32];
    float c[32], s[32];
    for (int i = 0; i < 32; i++) freq[i] = pow(10000.0, -i / 32.0);
    assert_int_equal(r1i_rope_table(&k.ex, r1i_mat_of(c, 1, 32), r1i_mat_of(s, 1, 32), &pos, freq, 1.0f), R1_OK);
    for (int i = 0; i < 32; i++) {
        const double angle = (double)pos * freq[i];
        assert_true(fabs((double)c[i] - cos(angle)) <= 0x1p-25 * 1.001 &&
                    fabs((double)s[i] - sin(angle)) <= 0x1p-25 * 1.001);
    }
    /* the two element orders, by hand */
    float x[4] = {1, 2, 3, 4}, y[4] = {1, 2, 3, 4}, cc[2] = {0, 1}, ss[2] = {1, 0};
    assert_int_equal(r1i_rope(&k.ex, r1i_mat_of(x, 1, 4), 1, 4, 4, r1i_mat_of(cc, 1, 2), r1i_mat_of(ss, 1, 2), true),
                     R1_OK);
    assert_int_equal(r1i_rope(&k.ex, r1i_mat_of(y, 1, 4), 1, 4, 4, r1i_mat_of(cc, 1, 2), r1i_mat_of(ss, 1, 2), false),
                     R1_OK);
    const float wx[4] = {-2, 1, 3, 4}, wy[4] = {-3, 2, 1, 4};
    assert_bits_equal(x, wx, 4);
    assert_bits_equal(y, wy, 4);
    kit_close(&k);
}

/* ---- experts ----------------------------------------------------------------------------------------------------- */

/* The toy of the architecture notes: the best single expert is lost to the group limit. */
static void test_router_toy(void **state)
{
    (void)state;
    const float s[16] = {.62f, .10f, .55f, .30f, .48f, .47f, .46f, .05f, .90f, .02f, .03f, .04f, .20f, .58f, .57f,
                         .21f};
    const float b[16] = {-.70f, 0, -.60f, -.40f, 0, 0, 0, 0, -.10f, 0, 0, 0, 0, -.05f, 0, 0};
    float logit[16], weight[3];
    int32_t expert[3];
    for (int i = 0; i < 16; i++) logit[i] = logf(s[i] / (1 - s[i]));
    kit k;
    assert_true(kit_open(&k, "auto", 1));
    const r1i_router_shape shape = {.experts = 16, .groups = 4, .topk_groups = 2, .topk = 3, .sigmoid = true,
                                    .normalise = true, .scaling = 2.5f};
    assert_int_equal(r1i_router(&k.ex, &shape, r1i_mat_of(logit, 1, 16), b, expert, weight), R1_OK);
    kit_saw(&k, "router", 1);
    assert_true(expert[0] == 4 && expert[1] == 13 && expert[2] == 14);
    assert_true(fabsf(weight[0] - 0.736196f) < 1e-6f && fabsf(weight[1] - 0.889571f) < 1e-6f &&
                fabsf(weight[2] - 0.874233f) < 1e-6f);
    kit_close(&k);
}

static void test_router_edges(void **state)
{
    (void)state;
    kit k;
    assert_true(kit_open(&k, "auto", 1));
    float logit[8] = {0}, bias[8], weight[4];
    int32_t expert[4];
    /* all equal: the lower ids win, in groups and among experts */
    r1i_router_shape s = {.experts = 8, .groups = 4, .topk_groups = 2, .topk = 4, .sigmoid = true, .normalise = true,
                          .scaling = 1.0f};
    assert_int_equal(r1i_router(&k.ex, &s, r1i_mat_of(logit, 1, 8), NULL, expert, weight), R1_OK);
    for (int i = 0; i < 4; i++) assert_true(expert[i] == i && weight[i] == 0.25f);
    /* choice scores all negative: experts outside the kept groups must not win as if they had 0 */
    for (int i = 0; i < 8; i++) bias[i] = -3.0f - (float)i;
    assert_int_equal(r1i_router(&k.ex, &s, r1i_mat_of(logit, 1, 8), bias, expert, weight), R1_OK);
    for (int i = 0; i < 4; i++) assert_int_equal(expert[i], i);
    /* softmax without groups, not normalised */
    s = (r1i_router_shape){.experts = 8, .groups = 1, .topk_groups = 1, .topk = 2, .scaling = 2.0f};
    logit[6] = 3.0f;
    logit[1] = 2.0f;
    assert_int_equal(r1i_router(&k.ex, &s, r1i_mat_of(logit, 1, 8), NULL, expert, weight), R1_OK);
    const double sum = exp(3.0) + exp(2.0) + 6.0;
    assert_true(expert[0] == 1 && expert[1] == 6);
    assert_true(fabs((double)weight[0] - 2 * exp(2.0) / sum) < 1e-6 &&
                fabs((double)weight[1] - 2 * exp(3.0) / sum) < 1e-6);
    s.topk = 9;
    assert_int_equal(r1i_router(&k.ex, &s, r1i_mat_of(logit, 1, 8), NULL, expert, weight), R1_ERR_SHAPE);
    kit_close(&k);
}

static void do_combine(kit *k, const args *a, float *out)
{
    int32_t slot[70 * 4];
    for (int64_t i = 0; i < a->rows * 4; i++) slot[i] = (int32_t)((i * 7 + 3) % a->rows);
    memcpy(out, a->c, (size_t)(a->rows * a->n) * 4);
    const r1i_mat y = r1i_mat_of(out, a->rows, a->n), e = r1i_mat_of(a->a, a->rows, a->n), none = {0};
    assert_int_equal(r1i_moe_combine(&k->ex, y, e, slot, a->b, 4, r1i_mat_of(a->c, a->rows, a->n)), R1_OK);
    kit_saw(k, "moe_combine", a->rows);
    assert_int_equal(r1i_moe_combine(&k->ex, y, e, slot, a->b, 1, none), R1_OK);
    k->traces = 0;
}

static void test_combine_and_gather(void **state)
{
    (void)state;
    for (int w = 2; w < WIDTHS; w++) {
        args a = args_make(SEED + (uint64_t)w, w % 2 ? 3 : 70, widths[w], 1.0);
        agree(&a, a.rows * a.n, do_combine);
        args_free(&a);
    }
    kit k;
    assert_true(kit_open(&k, "auto", 2));
    float x[6] = {1, 2, 3, 4, 5, 6}, y[4] = {10, 20, 30, 40}, g[4];
    const int32_t index[2] = {2, 0}, slot[4] = {1, 2, 0, 2};
    const float weight[4] = {0.5f, 2.0f, 1.0f, 0.25f};
    assert_int_equal(r1i_gather(&k.ex, r1i_mat_of(g, 2, 2), r1i_mat_of(x, 3, 2), index), R1_OK);
    const float wg[4] = {5, 6, 1, 2}, wy[4] = {26.5f, 40.0f, 33.25f, 45.5f};
    assert_bits_equal(g, wg, 4);
    assert_int_equal(r1i_moe_combine(&k.ex, r1i_mat_of(y, 2, 2), r1i_mat_of(x, 3, 2), slot, weight, 2,
                                     r1i_mat_of(g, 2, 2)), R1_OK);
    assert_bits_equal(y, wy, 4);
    kit_close(&k);
}

static void test_embed(void **state)
{
    (void)state;
    static const r1_dtype types[] = {R1_DTYPE_F32, R1_DTYPE_F16, R1_DTYPE_BF16, R1_DTYPE_F8_E4M3};
    kit k;
    r1i_rng rng = {.seed = SEED};
    assert_true(kit_open(&k, "auto", 2));
    for (int t = 0; t < 4; t++) {
        kit_weight w;
        kit_weight_make(&w, &rng, types[t], 50, 33);
        const int32_t token[4] = {49, 0, 17, 17};
        float *const y = kit_floats(4 * 33), row[33];
        k.traces = 0;
        assert_int_equal(r1i_embed(&k.ex, r1i_mat_of(y, 4, 33), &w.panel, token), R1_OK);
        kit_saw(&k, "embed", 4);
        for (int i = 0; i < 4; i++) {
            r1i_weight_row(&w.panel, token[i], row);
            assert_bits_equal(y + i * 33, row, 33);
        }
        kit_free(y);
        kit_weight_free(&w);
    }
    kit_close(&k);
}

int main(void)
{
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_agreement),  cmocka_unit_test(test_rmsnorm_and_silu_against_double),
        cmocka_unit_test(test_logsumexp_against_double), cmocka_unit_test(test_logsumexp_tells),
        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_router_toy), cmocka_unit_test(test_router_edges),
        cmocka_unit_test(test_combine_and_gather), cmocka_unit_test(test_embed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
