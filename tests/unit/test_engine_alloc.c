/* Memory of an engine: decoding allocates nothing, every failed allocation is reported and leaves nothing behind, and
 * the size function says what the engine then takes. */
#include "support/test.h"

#include "engine/engine_state.h"
#include "support/collect.h"
#include "support/count_alloc.h"
#include "support/fail_alloc.h"
#include "support/tiny_model.h"

static const tiny_model kinds[] = {
    {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_BF16, .mtp = true, .tokenizer = R1_TEST_DIR "/fixtures/tiny-tokenizer",
     .seed = 1},
    {.arch = R1I_QWEN2, .type = R1_DTYPE_Q8_0, .gguf = true, .seed = 2},
    {.arch = R1I_LLAMA, .type = R1_DTYPE_F32, .seed = 3},
};

typedef struct opened {
    char dir[256];
    r1_model *m;
    r1_tokenizer *t;
} opened;

static void open_kind(const tiny_model *kind, opened *o)
{
    char path[512];
    r1_error err = {0};
    r1_model_params p = r1_model_params_default();
    p.load_mtp = true;
    memset(o, 0, sizeof *o);
    tiny_folder_make(o->dir);
    tiny_model_write(kind, o->dir, path);
    if (r1_model_open(path, &p, NULL, &o->m, &err) != R1_OK) fail_msg("%s", err.message);
    if (kind->tokenizer && r1_tokenizer_open(o->dir, NULL, &o->t, &err) != R1_OK) fail_msg("%s", err.message);
}

static void close_kind(opened *o)
{
    r1_tokenizer_close(o->t);
    r1_model_close(o->m);
    tiny_folder_remove(o->dir);
}

static void test_decode_allocates_nothing(void **state)
{
    static collected c[5];
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        opened o;
        r1_engine *e;
        r1_error err = {0};
        int64_t id, active;
        int32_t prompt[5][40];
        const char *const stops[] = {"no such text", "another"};
        open_kind(&kinds[k], &o);
        const r1_engine_params params = {.context = 512, .cache_tokens = 512 * 5};
        const r1_env env = {.threads = 2};
        if (r1_engine_create(o.m, o.t, &params, &env, &e, &err) != R1_OK) fail_msg("%s", err.message);
        for (int i = 0; i < 5; i++) {
            for (int j = 0; j < 40; j++) prompt[i][j] = (i * 53 + j * 17) % 300;
            r1_request q = {.prompt = prompt[i], .n_prompt = 40, .max_tokens = 200, .sampling = r1_sampling_default(),
                            .ignore_eos = true};
            q.sampling.temperature = i == 4 ? 0.0f : 1.0f;
            q.sampling.top_logprobs = 3;
            q.sampling.repetition_penalty = i == 1 ? 1.2f : 1.0f;
            q.sampling.top_k = i == 2 ? 10 : 0;
            if (o.t) {
                q.stop_strings = stops;
                q.n_stop_strings = 2;
                q.think_budget = i == 3 ? 20 : 0;
                q.thinking_open = true;
            }
            collect(&q, &c[i]);
            if (r1_engine_submit(e, &q, &id, &err) != R1_OK) fail_msg("%s", err.message);
        }
        for (int i = 0; i < 3; i++) assert_int_equal(r1_engine_step(e, &active, &err), R1_OK);
        const long before = count_alloc_calls();
        assert_true(before > 0);
        /* crosses page boundaries */
        for (int i = 0; i < 190; i++) assert_int_equal(r1_engine_step(e, &active, &err), R1_OK);
        assert_int_equal(count_alloc_calls(), before);
        assert_int_equal(active, 5);
        assert_int_equal(r1_engine_run(e, &err), R1_OK);
        for (int i = 0; i < 5; i++) assert_int_equal(c[i].n, 200);
        r1_engine_destroy(e);
        close_kind(&o);
    }
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static r1_status whole_life(void *ctx, r1_error *err)
{
    const opened *const o = ctx;
    static collected c;
    static const int32_t prompt[] = {5, 6, 7, 8, 9};
    const r1_engine_params params = {.context = 128, .max_batch_tokens = 16, .max_sequences = 2};
    const r1_env env = {.threads = 1};
    r1_engine *e;
    float logprob[4];
    int64_t id;
    r1_status st = r1_engine_create(o->m, o->t, &params, &env, &e, err);
    if (st != R1_OK) {
        assert_null(e);
        return st;
    }
    r1_request q = {.prompt = prompt, .n_prompt = 5, .max_tokens = 6, .sampling = r1_sampling_default()};
    collect(&q, &c);
    st = r1_engine_submit(e, &q, &id, err);
    if (st == R1_OK) st = r1_engine_run(e, err);
    if (st == R1_OK) assert_int_equal(c.done, 1);
    if (st == R1_OK) st = r1_engine_score(e, prompt, 5, 2, logprob, NULL, NULL, err);
    r1_engine_destroy(e);
    return st;
}

static void test_failed_allocations(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        opened o;
        open_kind(&kinds[k], &o);
        const long injected = fail_alloc_sweep(whole_life, &o);
        printf("%ld allocations failed in turn\n", injected);
        assert_true(injected > 5);
        close_kind(&o);
    }
}

/* ---- sizes ------------------------------------------------------------------------------------------------------- */

typedef struct tally {
    size_t bytes;
} tally;

static void *counted_alloc(void *user, size_t bytes, size_t align)
{
    ((tally *)user)->bytes += bytes;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void counted_release(void *user, void *p, size_t bytes)
{
    ((tally *)user)->bytes -= bytes;
    free(p);
}

static void test_predicted_size(void **state)
{
    static const r1_engine_params params[] = {
        {.context = 256}, {.context = 512, .max_batch_tokens = 7, .max_sequences = 3, .cache_type = R1_CACHE_BF16},
        {.cache_tokens = 10000, .max_sequences = 64},
    };
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        opened o;
        open_kind(&kinds[k], &o);
        for (size_t i = 0; i < sizeof params / sizeof *params; i++) {
            tally t = {0};
            r1_engine *e;
            r1_engine_stats s;
            r1_error err = {0};
            const r1_env env = {.threads = 2, .alloc = counted_alloc, .release = counted_release, .user = &t};
            if (r1_engine_create(o.m, o.t, &params[i], &env, &e, &err) != R1_OK) fail_msg("%s", err.message);
            r1_engine_get_stats(e, &s);
            const uint64_t predicted = s.cache_bytes + s.scratch_bytes + s.other_bytes;
            assert_true(t.bytes >= predicted);
            assert_true(t.bytes - predicted < 16384); /* the handle and the thread pool */
            assert_int_equal(e->arena.used, e->arena.size); /* nothing planned for that is not used */
            r1_engine_destroy(e);
            assert_int_equal(t.bytes, 0);
        }
        close_kind(&o);
    }
}

static void test_memory_is_short(void **state)
{
    opened o;
    r1_error err = {0};
    r1i_engine_size s;
    (void)state;
    open_kind(&kinds[2], &o);
    const int64_t longest = o.m->config.max_position_embeddings;
    r1_engine_params p = {.context = longest, .max_batch_tokens = 64, .max_sequences = 2};
    r1i_engine_size_of(o.m, NULL, &p, 1, r1i_pages_for(longest), longest, &s);
    const uint64_t all = s.cache + s.scratch + s.other;
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all, &p, &err), R1_OK);
    assert_int_equal(p.context, longest);
    p = (r1_engine_params){.context = longest, .max_batch_tokens = 64, .max_sequences = 2};
    /* asked for: refused */
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all - s.cache / 2, &p, &err), R1_ERR_NOMEM);
    const char *const fits = strstr(err.message, "the largest context that fits is ");
    assert_non_null(fits);
    const long named = strtol(fits + strlen("the largest context that fits is "), NULL, 10);
    assert_in_range(named, longest / 4, longest - 64);
    /* and what it named does fit */
    p = (r1_engine_params){.context = named, .max_batch_tokens = 64, .max_sequences = 2};
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all - s.cache / 2, &p, &err), R1_OK);
    p = (r1_engine_params){.max_batch_tokens = 64, .max_sequences = 2}; /* not asked for: as much as fits */
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all - s.cache / 2, &p, &err), R1_OK);
    assert_int_equal(p.context, named);
    p = (r1_engine_params){.max_batch_tokens = 64, .max_sequences = 2};
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, 1000, &p, &err), R1_ERR_NOMEM);
    p = (r1_engine_params){.context = longest + 1};
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all, &p, &err), R1_ERR_RANGE);
    p = (r1_engine_params){.max_batch_tokens = -1};
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all, &p, &err), R1_ERR_RANGE);
    p = (r1_engine_params){.cache_type = (r1_cache_type)7};
    assert_int_equal(r1i_engine_resolve(o.m, NULL, 1, all, &p, &err), R1_ERR_RANGE);
    close_kind(&o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode_allocates_nothing),
                                       cmocka_unit_test(test_failed_allocations), cmocka_unit_test(test_predicted_size),
                                       cmocka_unit_test(test_memory_is_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
