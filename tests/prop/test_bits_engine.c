/* The bit contract through the engine: the tokens, log-probs and logits of a request are the same bytes alone and among
 * neighbours, in any chunks, after a prefix hit, after preemption, with any number of threads, after a restart and on
 * every row of the op table. The rows of each op call are counted, so that a test which never batched anything fails;
 * and a model whose norm adds in another order for several rows than for one must be caught. */
#include "support/test.h"

#include <math.h>

#include "base/rng.h"
#include "engine/engine_state.h"
#include "support/collect.h"
#include "support/tiny_model.h"

enum { MOST = 33, PROMPT = 150 };

/* Every architecture with every kind of weight that it can hold. */
static const struct { const char *name; tiny_model model; bool all_caches; } kind[] = {
    {"deepseek_v3 f32", {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F32}, false},
    {"deepseek_v3 bf16", {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_BF16}, true},
    {"deepseek_v3 fp8", {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3}, false},
    {"deepseek_v3 Q8_0", {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q8_0, .gguf = true}, false},
    {"deepseek_v3 Q4_K", {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q4_K, .gguf = true}, false},
    {"qwen2 f32", {.arch = R1I_QWEN2, .type = R1_DTYPE_F32}, false},
    {"qwen2 bf16", {.arch = R1I_QWEN2, .type = R1_DTYPE_BF16, .tied = true}, true},
    {"qwen2 Q8_0", {.arch = R1I_QWEN2, .type = R1_DTYPE_Q8_0, .gguf = true}, false},
    {"qwen2 Q4_K", {.arch = R1I_QWEN2, .type = R1_DTYPE_Q4_K, .gguf = true}, false},
    {"llama f32", {.arch = R1I_LLAMA, .type = R1_DTYPE_F32}, false},
    {"llama bf16", {.arch = R1I_LLAMA, .type = R1_DTYPE_BF16}, false},
    {"llama Q8_0", {.arch = R1I_LLAMA, .type = R1_DTYPE_Q8_0, .gguf = true}, true},
    {"llama Q4_K", {.arch = R1I_LLAMA, .type = R1_DTYPE_Q4_K, .gguf = true}, false},
};
enum { KINDS = sizeof kind / sizeof *kind };

typedef struct rows_seen {
    int64_t most, least, calls; /* of r1i_linear */
} rows_seen;

static void count_rows(void *user, const char *op, int64_t rows)
{
    rows_seen *const s = user;
    if (strcmp(op, "rmsnorm") != 0) return;
    if (rows > s->most) s->most = rows;
    if (s->calls == 0 || rows < s->least) s->least = rows;
    s->calls++;
}

/* ---- requests ---------------------------------------------------------------------------------------------------- */

typedef struct workload {
    r1_request request[MOST];
    int32_t prompt[MOST][PROMPT];
} workload;

static void random_workload(workload *w, int64_t vocab, uint64_t seed)
{
    r1i_rng rng = {seed, 0};
    memset(w, 0, sizeof *w);
    for (int i = 0; i < MOST; i++) {
        r1_request *const q = &w->request[i];
        q->n_prompt = i == 0 ? PROMPT - 9 : 1 + (size_t)r1i_rng_below(&rng, 40);
        for (size_t k = 0; k < q->n_prompt; k++) w->prompt[i][k] = (int32_t)r1i_rng_below(&rng, (uint64_t)vocab);
        q->prompt = w->prompt[i];
        q->max_tokens = i == 0 ? 16 : 1 + (int64_t)r1i_rng_below(&rng, 10);
        q->sampling = r1_sampling_default();
        q->sampling.temperature = 1.0f;
        q->sampling.seed = seed;
        q->sampling.sample = (uint32_t)i;
        q->sampling.top_logprobs = COLLECT_TOP;
    }
}

static r1_model *open_model(const char *path, const r1_model_params *params)
{
    r1_model *m;
    r1_error err = {0};
    const r1_status st = r1_model_open(path, params, NULL, &m, &err);
    if (st == R1_ERR_MISSING) return NULL;
    if (st != R1_OK) fail_msg("%s", err.message);
    return m;
}

static r1_engine *make_engine(const r1_model *m, r1_engine_params params, int threads, rows_seen *seen)
{
    r1_engine *e;
    r1_error err = {0};
    const r1_env env = {.threads = threads};
    if (r1_engine_create(m, NULL, &params, &env, &e, &err) != R1_OK) fail_msg("%s", err.message);
    if (seen) {
        *seen = (rows_seen){0};
        e->ex.trace = count_rows;
        e->ex.trace_user = seen;
    }
    return e;
}

/* Requests [0, n) of the workload through one engine. */
static void run_some(r1_engine *e, workload *w, int n, collected *c)
{
    r1_error err = {0};
    int64_t id;
    for (int i = n; i-- > 0;) { /* the one that is compared comes last: the neighbours are older */
        collect(&w->request[i], &c[i]);
        if (r1_engine_submit(e, &w->request[i], &id, &err) != R1_OK) fail_msg("%s", err.message);
    }
    if (r1_engine_run(e, &err) != R1_OK) fail_msg("%s", err.message);
}

static void alone(const r1_model *m, r1_engine_params params, workload *w, collected *c)
{
    params.max_sequences = 1;
    r1_engine *const e = make_engine(m, params, 1, NULL);
    run_some(e, w, 1, c);
    r1_engine_destroy(e);
}

/* ---- logits of a whole sequence ---------------------------------------------------------------------------------- */

typedef struct row_sink {
    float *logits;
    int64_t vocab, n;
} row_sink;

static bool keep_row(void *user, int64_t position, const float *logits)
{
    row_sink *const s = user;
    assert_int_equal(position, s->n);
    memcpy(s->logits + s->n++ * s->vocab, logits, (size_t)s->vocab * sizeof *logits);
    return true;
}

static float *score(const r1_model *m, const int32_t *ids, int64_t n, int32_t chunk, int threads, float *logprob)
{
    r1_error err = {0};
    row_sink s = {.vocab = m->config.vocab_size};
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = 256}, threads, NULL);
    s.logits = malloc((size_t)(n * s.vocab) * sizeof *s.logits);
    if (r1_engine_score(e, ids, (size_t)n, chunk, logprob, keep_row, &s, &err) != R1_OK) fail_msg("%s", err.message);
    assert_int_equal(s.n, n);
    r1_engine_destroy(e);
    return s.logits;
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void check(const collected *want, const collected *got, const char *model, const char *what, int64_t k)
{
    if (!collected_equal(want, got)) fail_msg("%s: %s %lld changed the result", model, what, (long long)k);
}

static void vary_engine(const r1_model *m, const char *name, r1_cache_type cache, workload *w)
{
    static collected want, got[MOST];
    const r1_engine_params base = {.context = 256, .cache_type = cache, .cache_tokens = 256 * 40};
    rows_seen seen;
    r1_engine *e;
    alone(m, base, w, &want);
    static const int neighbours[] = {2, 7, 33};
    for (int i = 0; i < 3; i++) {
        r1_engine_params p = base;
        p.max_sequences = 33;
        e = make_engine(m, p, 2, &seen);
        run_some(e, w, neighbours[i], got);
        check(&want, &got[0], name, "neighbours", neighbours[i]);
        assert_true(seen.most >= neighbours[i]); /* something was batched */
        run_some(e, w, neighbours[i], got);      /* the same again: prefixes are found */
        check(&want, &got[0], name, "prefix hit among", neighbours[i]);
        assert_int_equal(got[0].result.cached_tokens, (PROMPT - 9) / 64 * 64);
        r1_engine_destroy(e);
    }
    static const int32_t chunk[] = {1, 3, 64, 512};
    for (int i = 0; i < 4; i++) {
        r1_engine_params p = base;
        p.max_batch_tokens = chunk[i];
        e = make_engine(m, p, 1, &seen);
        run_some(e, w, 3, got);
        check(&want, &got[0], name, "chunk", chunk[i]);
        assert_int_equal(seen.most <= chunk[i], 1);
        r1_engine_destroy(e);
    }
    for (int threads = 1; threads <= 3; threads++) {
        e = make_engine(m, base, threads, NULL);
        run_some(e, w, 5, got);
        check(&want, &got[0], name, "threads", threads);
        r1_engine_destroy(e);
    }
    r1_engine_params tiny = base; /* four pages: whoever is young is thrown out */
    tiny.cache_tokens = 256;
    e = make_engine(m, tiny, 2, NULL);
    r1_engine_stats stats;
    /* small enough to begin together, then they grow */
    for (int i = 1; i < 6; i++) w->request[i].n_prompt = PROMPT - 90;
    run_some(e, w, 6, got);
    r1_engine_get_stats(e, &stats);
    check(&want, &got[0], name, "preemptions:", stats.preemptions);
    r1_engine_destroy(e);
}

static void vary_score(const r1_model *m, const char *name, const collected *c, const workload *w)
{
    int32_t ids[256];
    float a[256], b[256];
    const int64_t n_prompt = (int64_t)w->request[0].n_prompt, n = n_prompt + c->n;
    memcpy(ids, w->prompt[0], (size_t)n_prompt * sizeof *ids);
    memcpy(ids + n_prompt, c->id, (size_t)c->n * sizeof *ids);
    float *const want = score(m, ids, n, 1, 1, a);
    for (int64_t i = 0; i < c->n; i++) /* what generation said of its own tokens */
        if (memcmp(&a[n_prompt - 1 + i], &c->logprob[i], sizeof(float)) != 0)
            fail_msg("%s: scoring differs at token %lld", name, (long long)i);
    static const int32_t chunk[] = {3, 64, 512};
    for (int i = 0; i < 3; i++) {
        float *const got = score(m, ids, n, chunk[i], 1 + i, b);
        assert_memory_equal(a, b, (size_t)(n - 1) * sizeof *a);
        if (memcmp(want, got, (size_t)(n * m->config.vocab_size) * sizeof *got) != 0)
            fail_msg("%s: chunk %d moves a logit", name, chunk[i]);
        free(got);
    }
    free(want);
}

static void test_bits(void **state)
{
    static workload w, fresh;
    static collected first, other;
    (void)state;
    for (int k = 0; k < KINDS; k++) {
        const char *const name = kind[k].name;
        char dir[256], path[512];
        tiny_folder_make(dir);
        tiny_model_write(&kind[k].model, dir, path);
        r1_model *m = open_model(path, NULL);
        random_workload(&w, m->config.vocab_size, 1000 + (uint64_t)k);
        fresh = w;
        alone(m, (r1_engine_params){.context = 256}, &w, &first);
        vary_score(m, name, &first, &w);
        vary_engine(m, name, R1_CACHE_F32, &w);
        if (kind[k].all_caches) vary_engine(m, name, R1_CACHE_BF16, &w);
        if (kind[k].all_caches) vary_engine(m, name, R1_CACHE_Q8, &w);
        r1_model_close(m);
        static const char *const isa[] = {"auto", "c", "avx2", "avx512", "neon"}; /* auto: a restart */
        for (size_t i = 0; i < sizeof isa / sizeof *isa; i++) {
            r1_model_params p = r1_model_params_default();
            p.isa = isa[i];
            if (!(m = open_model(path, &p))) continue;
            alone(m, (r1_engine_params){.context = 256}, &fresh, &other);
            if (!collected_equal(&first, &other)) fail_msg("%s: differs after a restart with isa %s", name, isa[i]);
            r1_model_close(m);
        }
        tiny_folder_remove(dir);
    }
}

/* ---- the guard must be able to bark ------------------------------------------------------------------------------ */

static r1_status (*real_rmsnorm)(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps);

/* As written for one row; for several the squares are added from the other end. */
static r1_status reordered_rmsnorm(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps)
{
    if (x.rows == 1) return real_rmsnorm(ex, y, x, g, eps);
    for (int64_t r = 0; r < x.rows; r++) {
        const float *const in = x.p + r * x.stride;
        float *const out = y.p + r * y.stride;
        float sum = 0.0f;
        for (int64_t i = x.cols; i-- > 0;) sum = fmaf(in[i], in[i], sum);
        const float s = 1.0f / sqrtf(sum / (float)x.cols + eps);
        for (int64_t i = 0; i < x.cols; i++) out[i] = g[i] * (in[i] * s);
    }
    return R1_OK;
}

static void test_reordered_sum_is_caught(void **state)
{
    static workload w;
    static collected want, got[MOST];
    char dir[256], path[512];
    (void)state;
    tiny_folder_make(dir);
    tiny_model_write(&(tiny_model){.arch = R1I_LLAMA, .type = R1_DTYPE_F32}, dir, path);
    r1_model *const m = open_model(path, NULL);
    random_workload(&w, m->config.vocab_size, 4);
    for (int i = 0; i < MOST; i++) w.request[i].n_prompt = 1; /* alone: one row a call from beginning to end */
    alone(m, (r1_engine_params){.context = 256}, &w, &want);
    for (int broken = 0; broken < 2; broken++) {
        r1_engine *const e = make_engine(m, (r1_engine_params){.context = 256, .cache_tokens = 256 * 8}, 1, NULL);
        r1i_ops ops = *e->ex.ops;
        real_rmsnorm = ops.rmsnorm;
        if (broken) ops.rmsnorm = reordered_rmsnorm;
        e->ex.ops = &ops;
        w.request[1].max_tokens = w.request[0].max_tokens;
        run_some(e, &w, 2, got);
        assert_int_equal(collected_equal(&want, &got[0]), !broken);
        r1_engine_destroy(e);
    }
    r1_model_close(m);
    tiny_folder_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bits), cmocka_unit_test(test_reordered_sum_is_caught)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
