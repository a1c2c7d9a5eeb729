/* Adapters that PEFT made and answered for in float64 (tools/make_lora_golden.py): the loss within 1e-5, logits within
 * 1e-4 of their spread, every element of every tensor's gradient within 1e-4 of the tensor's largest. */
#include <math.h>

#include "model/lora.h"
#include "support/golden.h"
#include "support/test.h"
#include "support/trainee.h"
#include "train/loss.h"

enum { ROWS = 512 };

static void open_trainee(trainee *t, const char *base, const char *adapter, bool recompute)
{
    r1_model_params params = r1_model_params_default();
    const r1i_stepper_params sp = {.max_rows = ROWS, .max_positions = 256, .recompute = recompute};
    params.lora = adapter;
    assert_ok(r1_model_open(base, &params, NULL, &t->m, &t->err), &t->err);
    assert_ok(r1i_pool_create(NULL, 2, &t->pool, &t->err), &t->err);
    assert_ok(r1i_gradients_create(&t->g, t->m, false, NULL, &t->err), &t->err);
    assert_ok(r1i_stepper_create(&t->s, t->m, &t->g, t->pool, &sp, NULL, &t->err), &t->err);
}

/* Sequences 2 and 3 of the base's golden file; the log-probs of the first one's targets by the way. */
static double run(trainee *t, const golden *e, float *logprob)
{
    int32_t token[ROWS], target[ROWS], page[64];
    float weight[ROWS];
    r1i_run runs[2];
    int64_t dim[2][4], n = 0, pages = 0;
    double loss = 0;
    const int32_t *const ids[2] = {golden_i32(e, "tokens.2", dim[0]), golden_i32(e, "tokens.3", dim[1])};
    assert_true(ids[0] && ids[1]);
    const float part = 1.0f / (float)(dim[0][0] + dim[1][0] - 2);
    for (int k = 0; k < 2; k++) {
        const int64_t rows = dim[k][0];
        runs[k] = (r1i_run){.first = n, .n = rows, .pages = page + pages};
        for (int64_t i = 0; i < rows; i++, n++) {
            token[n] = ids[k][i];
            target[n] = i + 1 < rows ? ids[k][i + 1] : 0;
            weight[n] = i + 1 < rows ? part : 0.0f;
        }
        for (int64_t i = 0; i < (rows + 63) / 64; i++) page[pages + i] = (int32_t)(pages + i);
        pages += (rows + 63) / 64;
    }
    const r1i_train_rows rows = {.batch = {.token = token, .n = n, .runs = runs, .n_runs = 2}, .target = target,
                                 .weight = weight};
    assert_ok(r1i_stepper_run(&t->s, &rows, &loss, NULL, logprob, NULL, &t->err), &t->err);
    return loss;
}

/* Log-probs of the targets from the reference's logits. */
static void check_logprobs(const golden *want, const golden *e, const float *logprob)
{
    int64_t dim[4], n[4];
    const float *const logits = golden_f32(want, "logits", dim);
    const int32_t *const ids = golden_i32(e, "tokens.2", n);
    assert_true(logits && dim[0] == n[0]);
    const double spread = golden_deviation(logits, dim[0] * dim[1]);
    for (int64_t i = 0; i + 1 < n[0]; i++) {
        const float *const z = logits + i * dim[1];
        double sum = 0;
        for (int64_t k = 0; k < dim[1]; k++) sum += exp((double)z[k]);
        const double off = fabs((double)z[ids[i + 1]] - log(sum) - (double)logprob[i]);
        if (!(off <= 1e-4 * spread))
            fail_msg("row %lld: off by %.2e, the logits' spread is %.2e", (long long)i, off, spread);
    }
}

static void check(const char *name, bool recompute)
{
    char base[1024], file[1100], adapter[512], expect[600];
    int64_t dim[4];
    trainee t;
    double worst = 0;
    float logprob[ROWS];
    snprintf(file, sizeof file, "golden/%s", name);
    if (!golden_path(base, sizeof base, file)) skip();
    snprintf(file, sizeof file, "%s/expect.safetensors", base);
    snprintf(adapter, sizeof adapter, "%s/golden/lora/%s", R1_TEST_DIR, name);
    snprintf(expect, sizeof expect, "%s/expect.safetensors", adapter);
    golden *const e = golden_open(file), *const want = golden_open(expect);
    assert_true(e && want);
    open_trainee(&t, base, adapter, recompute);
    const double loss = run(&t, e, logprob), loss_wanted = (double)golden_f32(want, "loss", dim)[0];
    r1i_gradients_finish(&t.g, t.pool);
    if (!(fabs(loss - loss_wanted) <= 1e-5 * loss_wanted))
        fail_msg("%s: loss %.8f, expected %.8f", name, loss, loss_wanted);
    check_logprobs(want, e, logprob);
    for (int64_t i = 0; i < t.g.n;) {
        const r1i_parameter *const first = &t.g.param[i].p;
        char key[256];
        snprintf(key, sizeof key, "grad.%s", first->name);
        const float *const g = golden_f32(want, key, dim);
        if (!g || dim[0] != first->rows || dim[1] != first->cols) fail_msg("%s: no %s", name, key);
        float *const own = malloc((size_t)(first->rows * first->cols) * sizeof *own);
        double largest = 0, off = 0;
        assert_non_null(own);
        for (; i < t.g.n && strcmp(t.g.param[i].p.name, first->name) == 0; i++)
            r1i_parameter_unpack(&t.g.param[i].p, t.g.param[i].grad, own);
        for (int64_t k = 0; k < first->rows * first->cols; k++) {
            if (fabs((double)g[k]) > largest) largest = fabs((double)g[k]);
            if (!(fabs((double)g[k] - (double)own[k]) <= off)) off = fabs((double)g[k] - (double)own[k]);
        }
        if (!(off <= 1e-4 * largest))
            fail_msg("%s: %s: off by %.2e, the largest is %.2e", name, first->name, off, largest);
        if (off / largest > worst) worst = off / largest;
        free(own);
    }
    printf("%-10s loss off by %.1e, gradients by %.1e\n", name, fabs(loss - loss_wanted) / loss_wanted, worst);
    close_trainee(&t);
    golden_close(e);
    golden_close(want);
}

static void test_peft(void **state)
{
    (void)state;
    check("tiny-r1", false);
    check("tiny-r1", true);
    check("tiny-qwen2", false);
    check("tiny-llama", false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peft)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
