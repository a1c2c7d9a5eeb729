/* Opening a model: every architecture in every weight type and container, what it reports, and each way to be refused. */
#include "support/test.h"

#include <math.h>
#include <unistd.h>

#include "model/model.h"
#include "model/forward.h"
#include "support/model_run.h"
#include "support/tiny_model.h"
#include "tensor/codec.h"

static char dir[256], path[512];

static int setup(void **state)
{
    (void)state;
    tiny_folder_make(dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    tiny_folder_remove(dir);
    return 0;
}

static void runs(const tiny_model *t, const r1_model_params *params, const char *what)
{
    enum { N = 70 };
    static float logits[N * 320], hidden[N * 256];
    int32_t token[N];
    model_run r;
    tiny_model_write(t, dir, path);
    model_run_open(&r, path, params, N, 2, R1I_CACHE_BF16, 1);
    for (int i = 0; i < N; i++) token[i] = (i * 37 + 11) % 320;
    model_run_all(&r, token, N, logits, hidden, NULL);
    double sum = 0, squares = 0;
    for (int i = 0; i < N * 320; i++) sum += (double)logits[i], squares += (double)logits[i] * (double)logits[i];
    const double deviation = sqrt(squares / (N * 320) - sum / (N * 320) * (sum / (N * 320)));
    if (!(deviation > 0.3 && deviation < 10)) fail_msg("%s: logits deviate by %g", what, deviation);
    model_run_close(&r);
    r1_model_close(r.m);
    unlink(path);
}

static void test_every_type(void **state)
{
    (void)state;
    for (int arch = R1I_DEEPSEEK_V3; arch <= R1I_LLAMA; arch++)
        for (int type = 0; type < R1_DTYPE_COUNT; type++) {
            const tiny_model t = {.arch = (r1i_arch)arch, .type = (r1_dtype)type, .seed = 1};
            if (!r1i_weight_type_ok(t.type) || (type == R1_DTYPE_F8_E4M3 && arch != R1I_DEEPSEEK_V3)) continue;
            runs(&t, NULL, r1_dtype_name(t.type));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
