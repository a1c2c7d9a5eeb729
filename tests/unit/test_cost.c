/* Bytes and operations of a token against counts by hand, and those that a running bench adds up. */
#include "support/test.h"

#include <math.h>

#include <sys/stat.h>

#include "measure/cost.h"
#include "model/model.h"

#define NEAR(a, b, tolerance)                                                                        \
    do {                                                                                             \
        const double a_ = (a), b_ = (b);                                                             \
        if (!(fabs(a_ - b_) <= (tolerance))) fail_msg("%s is %.17g, wanted %.17g", #a, a_, b_);      \
    } while (0)

#define GOLDEN R1_SOURCE_DIR "/../shared/golden/"

static r1_model *open_model(const char *path, const r1_model_params *params)
{
    struct stat s;
    r1_model *m;
    r1_error err = {0};
    if (stat(path, &s) != 0) return NULL;
    if (r1_model_open(path, params, NULL, &m, &err) != R1_OK) fail_msg("%s", err.message);
    return m;
}

/* shared/golden/tiny-r1/config.json, weights in bf16: per layer q_a [96, 192], q_b [192, 96], kv_a [144, 192], 4 heads
 * of UK [128, 32] and UV [32, 128], o [192, 128]; a dense layer of 3 x [256, 192]; three of router [12, 192] and 3 x
 * [40, 192] for each of 3 chosen experts and the shared one; head [320, 192]. */
enum {
    ATTENTION = 96 * 192 + 192 * 96 + 144 * 192 + 4 * 128 * 32 + 4 * 32 * 128 + 192 * 128,
    EXPERT = 3 * 40 * 192,
    LAYERS = 4 * ATTENTION + 3 * 256 * 192 + 3 * (12 * 192 + EXPERT) /* without routed experts */,
    CHOSEN = 3 * 3 * EXPERT,
    HEAD = 320 * 192,
    PAIR = 4 * 2 * 4 * (144 + 128), /* layers, multiply and add, heads, key and value */
    POSITION = 4 * 144              /* layers, key */
};

static void test_one_token(void **state)
{
    (void)state;
    r1_model *const m = open_model(GOLDEN "tiny-r1", NULL);
    r1_cost c;
    if (!m) skip();
    r1_model_cost(m, R1_CACHE_F32, 1, 1, 100, 1, &c);
    NEAR(c.weight_bytes, 2.0 * (LAYERS + CHOSEN + HEAD) + 2 * 192, 0.0);
    NEAR(c.cache_bytes, (101.0 + 1.0) * POSITION * 4, 0.0);
    NEAR(c.ops[R1_PEAK_F32], 2.0 * (LAYERS + CHOSEN + HEAD) + 101.0 * PAIR, 0.0);
    NEAR(c.ops[R1_PEAK_INT8] + c.ops[R1_PEAK_BF16], 0.0, 0.0);
    /* no logits: no head. 2 x 8 x 3 choices of 12 experts: all of them */
    r1_model_cost(m, R1_CACHE_BF16, 2, 8, 0, 0, &c);
    NEAR(c.weight_bytes, 2.0 * (LAYERS + 3 * 12 * EXPERT) + 16 * 2 * 192, 0.0);
    NEAR(c.cache_bytes, 2 * (8.0 + 8.0) * POSITION * 2, 0.0);
    NEAR(c.ops[R1_PEAK_F32], 16 * 2.0 * (LAYERS + CHOSEN) + 2 * 36.0 * PAIR, 0.0);
    r1_model_close(m);
}

/* Under compute bf16 all products but the router's are bf16 ones; attention stays f32. */
static void test_arithmetic(void **state)
{
    (void)state;
    const r1_model_params p = {.compute = R1_COMPUTE_BF16};
    r1_model *const m = open_model(GOLDEN "tiny-r1", &p);
    r1_cost c;
    if (!m) skip();
    r1_model_cost(m, R1_CACHE_F32, 1, 1, 0, 1, &c);
    NEAR(c.ops[R1_PEAK_F32], 2.0 * 3 * 12 * 192 + PAIR, 0.0);
    NEAR(c.ops[R1_PEAK_BF16], 2.0 * (LAYERS + CHOSEN + HEAD - 3 * 12 * 192), 0.0);
    r1_model_close(m);
}

static void test_blocks(void **state)
{
    (void)state;
    const r1i_weight q4 = {.type = R1_DTYPE_Q4_K, .rows = 10, .cols = 512},
                     fp8 = {.type = R1_DTYPE_F8_E4M3, .rows = 130, .cols = 256};
    NEAR(r1i_weight_bytes(&q4), 10 * 2 * 144, 0.0);
    NEAR(r1i_weight_bytes(&fp8), 130 * 256 + 4 * 2 * 2, 0.0);
    NEAR(r1i_weight_bytes(&(r1i_weight){0}), 0.0, 0.0);
}

/* One row always chooses three different experts, so that a run's count is the count by hand. */
static void test_counted_while_running(void **state)
{
    (void)state;
    r1_model *const m = open_model(GOLDEN "tiny-r1", NULL);
    const r1_env env = {.threads = 2};
    r1_bench_test t = {.decode = 5, .depth = 64, .sequences = 1, .repeat = 2, .no_roof = true};
    r1_bench_result r;
    r1_error err = {0};
    if (!m) skip();
    assert_int_equal(r1_bench_run(m, &t, NULL, 0, &env, &r, &err), R1_OK);
    assert_int_equal(r.tokens, 5);
    NEAR(r.cost.weight_bytes, 5 * (2.0 * (LAYERS + CHOSEN + HEAD) + 2 * 192), 0.0);
    /* at depth 64, 65, ...: nothing read again */
    NEAR(r.cost.cache_bytes, (65 + 66 + 67 + 68 + 69 + 5.0) * POSITION * 4, 0.0);
    assert_true(r.rate.least > 0 && r.rate.least <= r.rate.median && r.rate.median <= r.rate.most);
    assert_null(r.bound);
    t = (r1_bench_test){.prompt = 40, .depth = 64, .sequences = 2, .repeat = 2, .no_roof = true};
    assert_int_equal(r1_bench_run(m, &t, NULL, 1, &env, &r, &err), R1_OK);
    assert_int_equal(r.tokens, 80);
    NEAR(r.cost.ops[R1_PEAK_F32], 80 * 2.0 * (LAYERS + CHOSEN) + 2 * 2.0 * HEAD + 2 * (40 * 64 + 820.0) * PAIR, 0.0);
    NEAR(r.cost.cache_bytes, 2 * (104.0 + 40.0) * POSITION * 4, 0.0);
    t = (r1_bench_test){.decode = 4, .sequences = 3, .repeat = 1};
    assert_int_equal(r1_bench_run(m, &t, NULL, 0, &env, &r, &err), R1_OK);
    assert_in_range((uint64_t)r.cost.weight_bytes, (uint64_t)(4 * 2 * (LAYERS + CHOSEN + HEAD)),
                    (uint64_t)(4 * 2 * (LAYERS + 3 * CHOSEN + HEAD + 999)));
    assert_true(r.roof.read > 0 && r.roof.peak[R1_PEAK_F32] > 0 && r.fraction.median > 0 && r.bound);
    r1_model_close(m);
}

static void test_refused(void **state)
{
    (void)state;
    r1_model *const m = open_model(GOLDEN "tiny-r1", NULL);
    const r1_bench_test bad[] = {{.sequences = 1, .repeat = 1}, {.prompt = 1, .decode = 1, .sequences = 1, .repeat = 1},
                                 {.prompt = 1, .depth = 63, .sequences = 1, .repeat = 1},
                                 {.prompt = 1, .sequences = 0, .repeat = 1},
                                 {.prompt = 1, .sequences = 1, .repeat = 0},
                                 {.prompt = -1, .decode = 1, .sequences = 1, .repeat = 1}};
    const r1_bench_test deep = {.decode = 1, .depth = 256, .sequences = 1, .repeat = 1};
    r1_bench_result r;
    r1_error err;
    if (!m) skip();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(r1_bench_run(m, &bad[i], NULL, 1, NULL, &r, &err), R1_ERR_USAGE);
    assert_int_equal(r1_bench_run(m, &deep, NULL, 1, NULL, &r, &err), R1_ERR_RANGE);
    r1_model_close(m);
}

/* The files of the benchmarks, where somebody has them: R1_MODELS_DIR. What a token reads of each is in their bars. */
static void test_real(void **state)
{
    static const struct { const char *file; double mega; } want[] = {{"qwen2.5-coder-0.5b-q4_k_m.gguf", 392},
                                                                     {"qwen2.5-coder-1.5b-q4_k_m.gguf", 980}};
    static const char *const folder[] = {"", "qwen05/", "qwen15/"};
    (void)state;
    const char *const dir = getenv("R1_MODELS_DIR");
    if (!dir) skip();
    for (size_t i = 0; i < 2; i++)
        for (size_t f = 0; f < 3; f++) {
            char path[512];
            r1_cost c;
            snprintf(path, sizeof path, "%s/%s%s", dir, folder[f], want[i].file);
            r1_model *const m = open_model(path, NULL);
            if (!m) continue;
            r1_model_cost(m, R1_CACHE_F32, 1, 1, 0, 1, &c);
            NEAR(c.weight_bytes * 1e-6, want[i].mega, 0.5);
            r1_model_close(m);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_token), cmocka_unit_test(test_arithmetic),
                                       cmocka_unit_test(test_blocks), cmocka_unit_test(test_counted_while_running),
                                       cmocka_unit_test(test_refused), cmocka_unit_test(test_real)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
