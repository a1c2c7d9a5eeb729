/* The global norm of the gradients: its value, that it names a tensor whose gradient is not finite before anything was
 * changed, and what a weight that overflows makes of a real step. */
#include <math.h>
#include <string.h>

#include "support/test.h"
#include "support/tiny_model.h"

#include "train/adamw.h"
#include "train/loss.h"

enum { LENGTH = 20 };

typedef struct setup {
    char dir[256], path[512];
    r1_model *model;
    r1i_gradients g;
    r1i_stepper s;
    r1_error err;
} setup;

static void open_tiny(setup *u)
{
    const tiny_model tiny = {.arch = R1I_LLAMA, .type = R1_DTYPE_F32, .seed = 3};
    r1_model_params params = r1_model_params_default();
    const r1i_stepper_params sp = {.max_rows = LENGTH, .max_positions = LENGTH};
    params.trainable = true;
    memset(u, 0, sizeof *u);
    tiny_folder_make(u->dir);
    tiny_model_write(&tiny, u->dir, u->path);
    assert_int_equal(r1_model_open(u->path, &params, NULL, &u->model, &u->err), R1_OK);
    assert_int_equal(r1i_gradients_create(&u->g, u->model, false, NULL, &u->err), R1_OK);
    assert_int_equal(r1i_stepper_create(&u->s, u->model, &u->g, NULL, &sp, NULL, &u->err), R1_OK);
}

static void close_tiny(setup *u)
{
    r1i_stepper_destroy(&u->s);
    r1i_gradients_destroy(&u->g);
    r1_model_close(u->model);
    tiny_folder_remove(u->dir);
}

static void backward(setup *u)
{
    int32_t token[LENGTH], target[LENGTH], page = 0;
    float weight[LENGTH];
    const r1i_run run = {.n = LENGTH, .pages = &page};
    double loss = 0;
    for (int i = 0; i < LENGTH; i++) token[i] = (i * 7) % 97, target[i] = (i * 11) % 97, weight[i] = 1.0f / LENGTH;
    const r1i_train_rows rows = {.batch = {.token = token, .n = LENGTH, .runs = &run, .n_runs = 1}, .target = target,
                                 .weight = weight};
    assert_int_equal(r1i_stepper_run(&u->s, &rows, &loss, NULL, NULL, NULL, &u->err), R1_OK);
    r1i_gradients_finish(&u->g, NULL);
}

static void test_value(void **state)
{
    setup u;
    double norm, sum = 0;
    (void)state;
    open_tiny(&u);
    backward(&u);
    assert_int_equal(r1i_gradients_norm(&u.g, NULL, &norm, &u.err), R1_OK);
    for (int64_t i = 0; i < u.g.n; i++)
        for (int64_t k = 0; k < u.g.param[i].floats; k++)
            sum += (double)u.g.param[i].grad[k] * (double)u.g.param[i].grad[k];
    assert_true(norm > 0 && fabs(norm - sqrt(sum)) <= 1e-12 * norm);
    close_tiny(&u);
}

/* First, last and middle elements of every tensor, as NaN and as both infinities. */
static void test_names_the_tensor(void **state)
{
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    setup u;
    double norm;
    (void)state;
    open_tiny(&u);
    backward(&u);
    for (int64_t i = 0; i < u.g.n; i++) {
        const r1i_trained *const t = &u.g.param[i];
        const int64_t at[] = {0, t->floats / 2, t->floats - 1};
        for (int k = 0; k < 3; k++) {
            const float was = t->grad[at[k]];
            t->grad[at[k]] = bad[k];
            assert_int_equal(r1i_gradients_norm(&u.g, NULL, &norm, &u.err), R1_ERR_RANGE);
            assert_non_null(strstr(u.err.message, t->p.name));
            assert_non_null(strstr(u.err.message, "is not finite"));
            t->grad[at[k]] = was;
        }
    }
    assert_int_equal(r1i_gradients_norm(&u.g, NULL, &norm, &u.err), R1_OK);
    close_tiny(&u);
}

static void test_overflow(void **state)
{
    setup u;
    double norm;
    (void)state;
    open_tiny(&u);
    int64_t i = 0;
    while (i < u.g.n && !strstr(u.g.param[i].p.name, "input_layernorm")) i++;
    assert_true(i < u.g.n);
    /* queries times keys are infinite */
    for (int64_t k = 0; k < u.g.param[i].floats; k++) u.g.param[i].data[k] *= 1e30f;
    backward(&u);
    assert_int_equal(r1i_gradients_norm(&u.g, NULL, &norm, &u.err), R1_ERR_RANGE);
    assert_non_null(strstr(u.err.message, "the gradient of model."));
    close_tiny(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_value), cmocka_unit_test(test_names_the_tensor),
                                       cmocka_unit_test(test_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
