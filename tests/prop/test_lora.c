/* Adapters: the log-probs of the forward with a tape are the engine's, bit for bit; gradients are the same bytes
 * whatever the micro-batches, the threads and the instruction set, and those of finite differences; a model with terms
 * is the merged model within rounding; a zero term moves no bit. Every architecture, cache type, and frozen weights of
 * many types. */
#include "support/test.h"

#include <math.h>
#include <time.h>

#include "base/rng.h"
#include "model/lora.h"
#include "r1/engine.h"
#include "support/tiny_model.h"
#include "support/trainee.h"
#include "train/adamw.h"
#include "train/loss.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { SEQUENCES = 4, VOCAB = 320, ROWS = 512, ALL = 107 };
static const int64_t lengths[SEQUENCES] = {1, 66, 7, 33};

static r1i_rng rng;
static int32_t ids[SEQUENCES][128];

typedef struct way {
    const char *isa;
    int threads, size;
    bool recompute, trainable;
    r1i_cache_type cache;
    r1_compute compute;
} way;

/* An adapter of rank 5 on every projection; B is filled too, so that no gradient is zero. */
static void open_trainee(trainee *t, const char *path, const way *w, bool zero_b)
{
    r1_model_params params = r1_model_params_default();
    r1i_lora_config c = {.r = 5, .alpha = 8, .all_linear = true};
    params.trainable = w->trainable;
    params.isa = w->isa;
    params.compute = w->compute;
    assert_ok(r1_model_open(path, &params, NULL, &t->m, &t->err), &t->err);
    assert_ok(r1i_adapter_begin(t->m, &c, 11, &t->err), &t->err);
    assert_ok(r1i_pool_create(NULL, w->threads, &t->pool, &t->err), &t->err);
    assert_ok(r1i_gradients_create(&t->g, t->m, false, NULL, &t->err), &t->err);
    const r1i_stepper_params sp = {.max_rows = ROWS, .max_positions = 128, .cache_type = w->cache,
                                   .recompute = w->recompute};
    assert_ok(r1i_stepper_create(&t->s, t->m, &t->g, t->pool, &sp, NULL, &t->err), &t->err);
    r1i_rng values = {.seed = 77};
    for (int64_t i = 0; i < t->g.n && !zero_b; i++) {
        const r1i_parameter *const p = &t->g.param[i].p;
        if (!strstr(p->name, "lora_B")) continue;
        float *const x = calloc((size_t)(p->rows * p->cols), sizeof *x), *const own = r1i_parameter_data(p);
        assert_non_null(x);
        for (int64_t k = 0; k < p->rows * p->cols; k++) x[k] = 0.05f * (float)r1i_rng_normal(&values);
        r1i_parameter_pack(p, own, x);
        free(x);
    }
}

/* A sum over all choices of experts: two forwards with another one are not on one smooth curve. */
static uint64_t routes;
static void see_router(void *user, int64_t layer, int64_t n, int64_t topk, const int32_t *expert, const float *weight)
{
    (void)user, (void)weight;
    for (int64_t i = 0; i < n * topk; i++)
        routes = (routes ^ (uint64_t)(expert[i] + 31 * layer)) * UINT64_C(0x100000001b3);
}

static void run(trainee *t, int from, int to, double *loss, float *logprob)
{
    const r1i_probe probe = {.router = see_router};
    routes = 0;
    int32_t token[ROWS], target[ROWS], page[64];
    float weight[ROWS];
    r1i_run runs[SEQUENCES];
    int64_t n = 0, pages = 0;
    for (int k = from; k < to; k++) {
        runs[k - from] = (r1i_run){.first = n, .n = lengths[k], .pages = page + pages};
        for (int64_t i = 0; i < lengths[k]; i++, n++) {
            token[n] = ids[k][i];
            target[n] = ids[k][i + 1];
            weight[n] = i % 5 == 3 ? 0.0f : 1.0f / 128.0f;
        }
        for (int64_t i = 0; i < (lengths[k] + 63) / 64; i++) page[pages + i] = (int32_t)(pages + i);
        pages += (lengths[k] + 63) / 64;
    }
    const r1i_train_rows rows = {.batch = {.token = token, .n = n, .runs = runs, .n_runs = to - from}, .target = target,
                                 .weight = weight};
    assert_ok(r1i_stepper_run(&t->s, &rows, loss, NULL, logprob, &probe, &t->err), &t->err);
}

static const tiny_model models[] = {
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_BF16, .seed = 1},
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F32, .no_q_lora = true, .seed = 2},
    {.arch = R1I_QWEN2, .type = R1_DTYPE_BF16, .tied = true, .seed = 3},
    {.arch = R1I_LLAMA, .type = R1_DTYPE_F32, .seed = 4},
};
/* Frozen weights that full training refuses. */
static const tiny_model frozen[] = {
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3, .seed = 5},
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q8_0, .gguf = true, .seed = 6},
    {.arch = R1I_QWEN2, .type = R1_DTYPE_Q4_K, .gguf = true, .seed = 7},
    {.arch = R1I_QWEN2, .type = R1_DTYPE_F16, .tied = true, .seed = 8},
};

/* ---- bits -------------------------------------------------------------------------------------------------------- */

static void check_logprobs(const tiny_model *tiny, r1i_cache_type cache, r1_compute compute, bool trainable)
{
    const way w = {.isa = "auto", .threads = 2, .cache = cache, .compute = compute, .trainable = trainable};
    char dir[256], path[512];
    trainee t;
    float taped[ROWS], scored[128];
    double loss = 0;
    r1_engine *e;
    tiny_folder_make(dir);
    tiny_model_write(tiny, dir, path);
    open_trainee(&t, path, &w, false);
    run(&t, 0, SEQUENCES, &loss, taped);
    r1_engine_params ep = r1_engine_params_default();
    ep.context = 128;
    ep.cache_type = (r1_cache_type)cache;
    assert_ok(r1_engine_create(t.m, NULL, &ep, NULL, &e, &t.err), &t.err);
    int64_t at = 0;
    for (int k = 0; k < SEQUENCES; at += lengths[k++]) {
        assert_ok(r1_engine_score(e, ids[k], (size_t)lengths[k] + 1, 7, scored, NULL, NULL, &t.err), &t.err);
        assert_memory_equal(scored, taped + at, (size_t)lengths[k] * sizeof *scored);
    }
    r1_engine_destroy(e);
    close_trainee(&t);
    tiny_folder_remove(dir);
}

static void test_logprobs(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++)
        for (int cache = 0; cache < R1I_CACHE_TYPES; cache++)
            for (int compute = 0; compute < 2; compute++)
                check_logprobs(&models[i], (r1i_cache_type)cache, (r1_compute)compute, compute);
    for (size_t i = 0; i < COUNT(frozen); i++)
        check_logprobs(&frozen[i], (r1i_cache_type)(i % R1I_CACHE_TYPES), R1_COMPUTE_F32, false);
}

/* One step's gradients; a copy the caller frees. */
static float *gradients(const char *path, const way *w, double *loss, int64_t *n)
{
    trainee t;
    open_trainee(&t, path, w, false);
    *loss = 0;
    for (int k = 0; k < SEQUENCES; k += w->size)
        run(&t, k, k + w->size < SEQUENCES ? k + w->size : SEQUENCES, loss, NULL);
    r1i_gradients_finish(&t.g, t.pool);
    *n = t.g.total;
    float *const out = malloc((size_t)*n * sizeof *out);
    assert_non_null(out);
    memcpy(out, t.g.memory, (size_t)*n * sizeof *out);
    for (int64_t i = 0; i < t.g.n; i++) { /* every tensor gets one */
        double sum = 0;
        for (int64_t k = 0; k < t.g.param[i].floats; k++) sum += fabs((double)t.g.param[i].grad[k]);
        if (sum == 0) fail_msg("%s has no gradient", t.g.param[i].p.name);
    }
    close_trainee(&t);
    return out;
}

static void check_gradients(const tiny_model *tiny, r1_compute compute)
{
    static const way ways[] = {{"auto", 2, 4, false, false, 0, 0}, {"auto", 1, 1, false, false, 0, 0},
                               {"auto", 3, 2, true, false, 0, 0}, {"c", 2, 4, false, false, 0, 0},
                               {"avx2", 2, 3, false, true, 0, 0}};
    char dir[256], path[512];
    float *first = NULL;
    double first_loss = 0;
    tiny_folder_make(dir);
    tiny_model_write(tiny, dir, path);
    for (size_t i = 0; i < COUNT(ways); i++) {
        way w = ways[i];
        double loss;
        int64_t n, other = 0;
        const bool quantised = tiny->gguf || tiny->type == R1_DTYPE_F8_E4M3;
        if (quantised && i > 2) break; /* its products have their own tests of bits */
        /* the processor's bf16 products are an arithmetic of their own */
        if (compute == R1_COMPUTE_BF16 && i >= 3) break;
        w.compute = compute;
        w.cache = (r1i_cache_type)(tiny->seed % R1I_CACHE_TYPES);
        w.trainable = w.trainable && !quantised;
        float *const g = gradients(path, &w, &loss, &n);
        if (!first) {
            first = g;
            first_loss = loss;
            continue;
        }
        for (int64_t k = 0; k < n; k++) other += memcmp(&g[k], &first[k], sizeof *g) != 0;
        if (other || memcmp(&loss, &first_loss, sizeof loss) != 0)
            fail_msg("model %llu, %s, %d threads, %d sequences a batch: %lld of %lld gradients differ, loss %.17g against %.17g", (unsigned long long)tiny->seed, w.isa, w.threads, w.size,
                     (long long)other, (long long)n, loss, first_loss);
        free(g);
    }
    free(first);
    tiny_folder_remove(dir);
}

static void test_gradient_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++)
        check_gradients(&models[i], R1_COMPUTE_F32), check_gradients(&models[i], R1_COMPUTE_BF16);
    for (size_t i = 0; i < COUNT(frozen); i++) check_gradients(&frozen[i], R1_COMPUTE_F32);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

/* Some elements of every tensor against central differences of the loss. */
static void test_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++) {
        const way w = {.isa = "auto", .threads = 2};
        char dir[256], path[512];
        trainee t;
        double loss = 0;
        tiny_folder_make(dir);
        tiny_model_write(&models[i], dir, path);
        open_trainee(&t, path, &w, false);
        run(&t, 1, 3, &loss, NULL);
        r1i_gradients_finish(&t.g, t.pool);
        float *const kept = malloc((size_t)t.g.total * sizeof *kept);
        assert_non_null(kept);
        memcpy(kept, t.g.memory, (size_t)t.g.total * sizeof *kept);
        int64_t compared = 0;
        for (int64_t p = 0; p < t.g.n; p++) {
            const r1i_trained *const q = &t.g.param[p];
            float largest = 0;
            int64_t at = 0;
            for (int64_t k = 0; k < q->floats; k++)
                if (fabsf(kept[q->grad - t.g.memory + k]) > largest)
                    largest = fabsf(kept[q->grad - t.g.memory + k]), at = k;
            const float x = q->data[at];
            const double by_tape = (double)kept[q->grad - t.g.memory + at];
            /* Below 0.001 the loss's own rounding, near 1e-6, hides the slope. */
            for (float step = 0.004f; step > 0.0009f; step /= 2) {
                double side[2] = {0, 0};
                uint64_t seen[2];
                for (int s = 0; s < 2; s++) {
                    q->data[at] = s ? x - step : x + step;
                    r1i_adapter_turn(t.m->adapter);
                    run(&t, 1, 3, &side[s], NULL);
                    seen[s] = routes;
                }
                if (seen[0] != seen[1]) continue; /* a choice of experts lies between: two curves */
                const double difference = (side[0] - side[1]) / (2.0 * (double)step);
                if (fabs(difference - by_tape) > 0.02 * (double)largest + 1e-6 / (double)step)
                    fail_msg("model %zu, %s: %g by differences, %g by the tape", i, q->p.name, difference, by_tape);
                compared++;
                break;
            }
            q->data[at] = x;
            r1i_adapter_turn(t.m->adapter);
        }
        assert_true(2 * compared > t.g.n);
        free(kept);
        close_trainee(&t);
        tiny_folder_remove(dir);
    }
}

/* A new adapter has B = 0: its model is the base to the bit (x + 0 = x, and no -0 comes of it in a log-prob). */
static void test_zero(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(models); i++) {
        const way w = {.isa = "auto", .threads = 2};
        char dir[256], path[512];
        trainee t;
        float with[ROWS], without[ROWS];
        double loss = 0;
        tiny_folder_make(dir);
        tiny_model_write(&models[i], dir, path);
        open_trainee(&t, path, &w, true);
        run(&t, 0, SEQUENCES, &loss, with);
        r1_model *base;
        trainee u = {.pool = t.pool};
        assert_ok(r1_model_open(path, NULL, NULL, &base, &t.err), &t.err);
        const r1i_stepper_params sp = {.max_rows = ROWS, .max_positions = 128};
        assert_ok(r1i_stepper_create(&u.s, base, NULL, t.pool, &sp, NULL, &t.err), &t.err);
        run(&u, 0, SEQUENCES, &loss, without);
        assert_memory_equal(with, without, ALL * sizeof *with);
        r1i_stepper_destroy(&u.s);
        r1_model_close(base);
        close_trainee(&t);
        tiny_folder_remove(dir);
    }
}

int main(void)
{
    const uint64_t seed = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    rng = (r1i_rng){.seed = seed};
    for (int k = 0; k < SEQUENCES; k++)
        for (int i = 0; i < 128; i++) ids[k][i] = (int32_t)r1i_rng_below(&rng, VOCAB);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logprobs), cmocka_unit_test(test_gradient_bits),
                                       cmocka_unit_test(test_differences), cmocka_unit_test(test_zero)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
