/* The bit contract of training: gradients are the same bytes whatever the micro-batches, the threads and the
 * instruction set, and the log-probs of the forward with a tape are those of the engine. Every architecture, all cache
 * types. */
#include "support/test.h"

#include <math.h>
#include <time.h>

#include "base/rng.h"
#include "r1/engine.h"
#include "support/tiny_model.h"
#include "support/trainee.h"
#include "train/adamw.h"
#include "train/loss.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))
enum { SEQUENCES = 6, VOCAB = 320, ROWS = 1024 };
static const int64_t lengths[SEQUENCES] = {1, 130, 7, 64, 65, 33};

static r1i_rng rng;
static int32_t ids[SEQUENCES][256];

static void open_trainee(trainee *t, const char *path, const char *isa, int threads, r1i_cache_type cache,
                         bool recompute, r1_compute compute, int64_t pass_rows)
{
    r1_model_params params = r1_model_params_default();
    params.trainable = true;
    params.load_mtp = true;
    params.isa = isa;
    params.compute = compute;
    assert_ok(r1_model_open(path, &params, NULL, &t->m, &t->err), &t->err);
    assert_ok(r1i_pool_create(NULL, threads, &t->pool, &t->err), &t->err);
    assert_ok(r1i_gradients_create(&t->g, t->m, true, NULL, &t->err), &t->err);
    const r1i_stepper_params sp = {.max_rows = ROWS, .max_positions = 130, .pass_rows = pass_rows, .cache_type = cache,
                                   .balance_alpha = 1e-2f, .mtp_weight = 0.3f, .recompute = recompute};
    assert_ok(r1i_stepper_create(&t->s, t->m, &t->g, t->pool, &sp, NULL, &t->err), &t->err);
}

/* Sequences [from, to) as one micro-batch; logprob [rows] nullable. */
static void run(trainee *t, int from, int to, double *loss, double *mtp_loss, float *logprob)
{
    int32_t token[ROWS], target[ROWS], page[64];
    float weight[ROWS];
    r1i_run runs[SEQUENCES];
    int64_t n = 0, pages = 0;
    for (int k = from; k < to; k++) {
        runs[k - from] = (r1i_run){.first = n, .n = lengths[k], .pages = page + pages};
        for (int64_t i = 0; i < lengths[k]; i++, n++) {
            token[n] = ids[k][i];
            target[n] = ids[k][i + 1];
            weight[n] = i % 5 == 3 ? 0.0f : 1.0f / 300.0f;
        }
        for (int64_t i = 0; i < (lengths[k] + 63) / 64; i++) page[pages + i] = (int32_t)(pages + i);
        pages += (lengths[k] + 63) / 64;
    }
    const r1i_train_rows rows = {.batch = {.token = token, .n = n, .runs = runs, .n_runs = to - from}, .target = target,
                                 .weight = weight};
    assert_ok(r1i_stepper_run(&t->s, &rows, loss, mtp_loss, logprob, NULL, &t->err), &t->err);
}

/* pass_rows: of the stepper's own passes, 0 for one. */
typedef struct way { const char *isa; int threads, size; bool recompute; int64_t pass_rows; } way;

/* One step's gradients in micro-batches of w->size sequences; a copy the caller frees. */
static float *gradients(const char *path, const way *w, r1i_cache_type cache, r1_compute compute, double *loss,
                        int64_t *n)
{
    trainee t;
    double mtp_loss = 0;
    open_trainee(&t, path, w->isa, w->threads, cache, w->recompute, compute, w->pass_rows);
    *loss = 0;
    for (int k = 0; k < SEQUENCES; k += w->size)
        run(&t, k, k + w->size < SEQUENCES ? k + w->size : SEQUENCES, loss, &mtp_loss, NULL);
    r1i_gradients_finish(&t.g, t.pool);
    *loss += mtp_loss;
    *n = t.g.total;
    float *const out = malloc((size_t)*n * sizeof *out);
    assert_non_null(out);
    memcpy(out, t.g.memory, (size_t)*n * sizeof *out);
    close_trainee(&t);
    return out;
}

static const way f32_ways[] = {
    {"auto", 2, 6, false, 0}, {"auto", 1, 1, false, 0}, {"auto", 3, 2, true, 0}, {"auto", 2, 6, true, 0}, {"avx2", 2, 3, false, 0}, {"c", 2, 6, false, 0},
    {"auto", 2, 6, false, 130}, {"auto", 2, 6, true, 140},
};
/* compute bf16: plain C and AVX2 agree; the processor's bf16 dot product has an arithmetic of its own. */
static const way bf16_ways[] = {{"auto", 2, 6, false, 0}, {"auto", 1, 1, false, 0}, {"auto", 3, 2, true, 0},
                                {"auto", 2, 4, false, 0}, {"auto", 2, 6, false, 135}}, bf16_chain[] = {{"avx2", 2, 6, false, 0}, {"avx2", 1, 1, false, 0}, {"c", 3, 4, true, 0}};

static void check_model(const tiny_model *tiny, r1i_cache_type cache, const way *ways, size_t n_ways,
                        r1_compute compute)
{
    char dir[256], path[512];
    float *first = NULL;
    double first_loss = 0;
    tiny_folder_make(dir);
    tiny_model_write(tiny, dir, path);
    for (size_t i = 0; i < n_ways; i++) {
        double loss;
        int64_t n, other = 0, moved = 0;
        float *const g = gradients(path, &ways[i], cache, compute, &loss, &n);
        if (!first) {
            first = g;
            first_loss = loss;
            for (int64_t k = 0; k < n; k++) moved += g[k] != 0.0f;
            assert_true(moved > n / 4);
            continue;
        }
        for (int64_t k = 0; k < n; k++) other += memcmp(&g[k], &first[k], sizeof *g) != 0;
        if (other || memcmp(&loss, &first_loss, sizeof loss) != 0)
            fail_msg("%s, %d threads, %d sequences a batch, %lld rows a pass: %lld of %lld gradients differ, loss %.17g against %.17g", ways[i].isa, ways[i].threads,
                     ways[i].size, (long long)ways[i].pass_rows, (long long)other, (long long)n, loss, first_loss);
        free(g);
    }
    free(first);
    tiny_folder_remove(dir);
}

/* The engine's scoring, and its own decoding, give the tape's log-probs. */
static void check_logprobs(const tiny_model *tiny, r1_cache_type cache, r1_compute compute)
{
    char dir[256], path[512];
    trainee t;
    float taped[ROWS], scored[256];
    double loss = 0, mtp_loss = 0;
    r1_engine *e;
    tiny_folder_make(dir);
    tiny_model_write(tiny, dir, path);
    open_trainee(&t, path, "auto", 2, (r1i_cache_type)cache, false, compute, 0);
    run(&t, 0, SEQUENCES, &loss, &mtp_loss, taped);
    r1_engine_params ep = r1_engine_params_default();
    ep.context = 256;
    ep.cache_type = cache;
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

static const tiny_model models[] = {
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_BF16, .mtp = true, .seed = 1},
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F32, .no_q_lora = true, .seed = 2},
    {.arch = R1I_QWEN2, .type = R1_DTYPE_BF16, .tied = true, .seed = 3},
    {.arch = R1I_LLAMA, .type = R1_DTYPE_F32, .seed = 4},
};

static void test_gradients(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        check_model(&models[i], (r1i_cache_type)((i + 1) % R1I_CACHE_TYPES), f32_ways, COUNT(f32_ways), R1_COMPUTE_F32);
}

static void test_gradients_bf16(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const r1i_cache_type cache = (r1i_cache_type)(i % R1I_CACHE_TYPES);
        check_model(&models[i], cache, bf16_ways, COUNT(bf16_ways), R1_COMPUTE_BF16);
        check_model(&models[i], cache, bf16_chain, COUNT(bf16_chain), R1_COMPUTE_BF16);
    }
}

static void test_logprobs(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int cache = 0; cache < R1I_CACHE_TYPES; cache++)
            for (int compute = 0; compute < 2; compute++)
                check_logprobs(&models[i], (r1_cache_type)cache, (r1_compute)compute);
}

int main(void)
{
    const uint64_t seed = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    rng = (r1i_rng){.seed = seed};
    for (int k = 0; k < SEQUENCES; k++)
        for (int i = 0; i < 256; i++) ids[k][i] = (int32_t)r1i_rng_below(&rng, VOCAB);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_gradients), cmocka_unit_test(test_gradients_bf16),
                                       cmocka_unit_test(test_logprobs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
