/* A mixture layer does the work of the chosen experts and no more: every expert that some row chose gets one call with
 * just its rows, in ascending id, whatever the batch. The op trace shows how many rows each call received; one row too
 * many would be padding. */
#include "support/test.h"

#include <time.h>

#include "base/rng.h"
#include "op/ops.h"
#include "support/model_run.h"
#include "support/tiny_model.h"

enum { ROWS = 70, CALLS = 4096, EXPERTS = 64 };

typedef struct log_entry { char op[16]; int64_t rows; } log_entry;

typedef struct recorder {
    log_entry call[CALLS];
    int n;
    int layer_at[16];                 /* the router's place in `call`, by layer */
    int32_t count[16][EXPERTS];       /* rows that chose the expert */
    int layers;
    int64_t rows, topk;
} recorder;

static void on_op(void *user, const char *op, int64_t rows)
{
    recorder *const r = user;
    assert_true(r->n < CALLS);
    snprintf(r->call[r->n].op, sizeof r->call[r->n].op, "%s", op);
    r->call[r->n++].rows = rows;
}

static void on_router(void *user, int64_t layer, int64_t rows, int64_t topk, const int32_t *expert, const float *weight)
{
    recorder *const r = user;
    (void)weight;
    r->layer_at[layer] = r->n - 1;
    r->rows = rows;
    r->topk = topk;
    r->layers++;
    for (int64_t i = 0; i < rows * topk; i++) {
        r->count[layer][expert[i]]++;
        if (i % topk > 0) assert_true(expert[i] > expert[i - 1]); /* ascending and different */
    }
}

static int next(const recorder *r, int at, const char *op, int64_t rows)
{
    assert_true(at < r->n);
    if (strcmp(r->call[at].op, op) != 0 || r->call[at].rows != rows)
        fail_msg("call %d is %s over %lld rows, wanted %s over %lld", at, r->call[at].op, (long long)r->call[at].rows,
                 op, (long long)rows);
    return at + 1;
}

/* Skips what prepares activations. */
static int prepared(const recorder *r, int at)
{
    while (at < r->n && strcmp(r->call[at].op, "prepare") == 0) at++;
    return at;
}

/* One row has its gates and ups apart, and SwiGLU after all of them, the routed experts' first. */
static int gate_and_up(const recorder *r, int at, int64_t n)
{
    at = next(r, next(r, at, "linear", n), "linear", n);
    return r->rows > 1 ? next(r, at, "silu_mul", n) : at;
}

static void check_layer(const recorder *r, int64_t layer, int64_t experts)
{
    const int64_t all = r->rows * r->topk;
    int64_t sum = 0;
    int at = next(r, r->layer_at[layer], "router", r->rows);
    if (r->rows == 1) at = next(r, at, "rmsnorm", 1); /* a row is normed where it is wanted: the router, and here */
    at = prepared(r, at);
    if (r->rows > 1) at = prepared(r, next(r, at, "gather", all)); /* every row once for each of its choices, nothing
                                                                    * beside */
    for (int64_t e = 0; e < experts; e++) {
        const int64_t n = r->count[layer][e];
        sum += n;
        if (n == 0) continue; /* not chosen: not called */
        at = gate_and_up(r, at, n);
    }
    assert_int_equal(sum, all);
    at = gate_and_up(r, at, r->rows); /* the shared expert */
    if (r->rows == 1) at = next(r, prepared(r, next(r, at, "silu_mul", all)), "silu_mul", r->rows);
    at = prepared(r, at);
    for (int64_t e = 0; e < experts; e++)
        if (r->count[layer][e] > 0) at = next(r, at, "linear", r->count[layer][e]);
    next(r, next(r, at, "linear", r->rows), "moe_combine", r->rows);
}

static void check_model(r1_dtype type)
{
    static const int64_t rows[] = {1, 2, 5, ROWS};
    const uint64_t seed = (uint64_t)time(NULL);
    const tiny_model t = {.arch = R1I_DEEPSEEK_V3, .type = type, .seed = 3};
    char dir[256], path[512];
    model_run run;
    r1i_rng rng = {seed, 0};
    int32_t token[ROWS];
    tiny_folder_make(dir);
    tiny_model_write(&t, dir, path);
    model_run_open(&run, path, NULL, ROWS, 2, R1I_CACHE_F32, 1);
    const int64_t experts = run.m->route.experts, vocab = run.m->config.vocab_size;
    float *const logits = malloc((size_t)(ROWS * vocab) * sizeof *logits);
    recorder *const r = malloc(sizeof *r);
    assert_true(logits && r && experts <= EXPERTS);
    print_message("%s, seed %llu\n", r1_dtype_name(type), (unsigned long long)seed);
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        const r1i_probe probe = {.router = on_router, .user = r};
        memset(r, 0, sizeof *r);
        for (int64_t i = 0; i < rows[k]; i++) token[i] = (int32_t)r1i_rng_below(&rng, (uint64_t)vocab);
        run.ex.trace = on_op;
        run.ex.trace_user = r;
        model_run_all(&run, token, rows[k], logits, NULL, &probe);
        assert_int_equal(r->layers, 2); /* of three layers the first is dense */
        for (int64_t l = 1; l < run.m->config.num_hidden_layers; l++) check_layer(r, l, experts);
    }
    free(logits);
    free(r);
    r1_model *const m = run.m;
    model_run_close(&run);
    r1_model_close(m);
    tiny_folder_remove(dir);
}

static void test_fp8(void **state)
{
    (void)state;
    check_model(R1_DTYPE_F8_E4M3);
}

static void test_q4_k(void **state)
{
    (void)state;
    check_model(R1_DTYPE_Q4_K);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fp8), cmocka_unit_test(test_q4_k)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
