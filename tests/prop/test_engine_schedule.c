/* The scheduler over a forward that only remembers: it writes each token into the page it is told to, and its logits
 * are a hash of all tokens that it reads back through the pages. A wrong page, a stale prefix or a lost position
 * changes every later token, and each call's rows can be counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "engine/engine_state.h"
#include "support/collect.h"

enum { VOCAB = 300, LONGEST = 2048 };

/* ---- the model that remembers ------------------------------------------------------------------------------------ */

static struct {
    int64_t calls, rows, most_rows, decode_only;
    int64_t fail_at;      /* this call fails; -1: none */
    int64_t nan_position; /* rows at this position give NaN; -1: none */
} seen;

static void reset_seen(void)
{
    memset(&seen, 0, sizeof seen);
    seen.fail_at = seen.nan_position = -1;
}

/* Of each position a page keeps the token and, as real keys do, something that depends on all tokens before it: a page
 * that holds the right tokens after a wrong beginning must not pass. */
static uint32_t *slot(const r1i_kv *kv, const int32_t *pages, int64_t position)
{
    uint32_t *const page = (uint32_t *)(void *)(kv->data + (size_t)pages[position / R1I_PAGE] * (size_t)kv->page_bytes);
    return page + 2 * (position % R1I_PAGE);
}

static uint64_t mix(uint64_t h, uint64_t x) { return (h ^ x) * 0x9e3779b97f4a7c15u + (h >> 31); }

static void write_key(const r1i_kv *kv, const r1i_run *run, int64_t position)
{
    uint64_t h = 1;
    for (int64_t p = 0; p <= position; p++) h = mix(h, *slot(kv, run->pages, p));
    slot(kv, run->pages, position)[1] = (uint32_t)(h >> 16);
}

static void logits_of(const r1i_kv *kv, const r1i_run *run, int64_t position, float *out)
{
    uint64_t h = 1;
    for (int64_t p = 0; p <= position; p++) h = mix(h, slot(kv, run->pages, p)[1]);
    r1i_rng rng = {h, 0};
    for (int v = 0; v < VOCAB; v++) out[v] = (float)(4.0 * r1i_rng_normal(&rng));
    if (position == seen.nan_position) out[7] = NAN;
}

static r1_status remember(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                          r1i_mat *hidden_out, const r1i_probe *probe)
{
    (void)m;
    (void)hidden_out;
    (void)probe;
    int64_t row = 0, wanted = 0;
    assert_true(batch->n > 0 && batch->n_logits == logits.rows);
    if (seen.calls++ == seen.fail_at) return r1i_fail(ex->err, R1_ERR_NOMEM, "planned failure");
    seen.rows += batch->n;
    seen.decode_only += batch->n == batch->n_runs;
    if (batch->n > seen.most_rows) seen.most_rows = batch->n;
    for (int64_t i = 0; i < batch->n_runs; i++) {
        const r1i_run *const run = &batch->runs[i];
        assert_int_equal(run->first, row);
        for (int64_t k = 0; k < run->n; k++) {
            for (int64_t o = 0; o < i; o++) /* no two runs write one page */
                assert_true(batch->runs[o].pages != run->pages);
            *slot(kv, run->pages, run->pos0 + k) = (uint32_t)batch->token[row++];
        }
    }
    assert_int_equal(row, batch->n);
    for (int64_t i = 0; i < batch->n_runs; i++) /* every row's key is written before any is read */
        for (int64_t k = 0; k < batch->runs[i].n; k++) write_key(kv, &batch->runs[i], batch->runs[i].pos0 + k);
    for (int64_t i = 0; i < batch->n_runs; i++) {
        const r1i_run *const run = &batch->runs[i];
        for (int64_t k = 0; k < run->n; k++) {
            if (wanted == batch->n_logits || batch->logit_row[wanted] != run->first + k) continue;
            logits_of(kv, run, run->pos0 + k, logits.p + wanted++ * logits.stride);
        }
    }
    assert_int_equal(wanted, batch->n_logits);
    return R1_OK;
}

static r1_status plain_logsumexp(r1i_exec *ex, r1i_mat logits, int64_t n, float inverse_temperature, double *lse)
{
    (void)ex;
    (void)inverse_temperature;
    for (int64_t r = 0; r < logits.rows; r++) {
        double sum = 0.0;
        for (int64_t i = 0; i < n; i++) sum += exp((double)logits.p[r * logits.stride + i]);
        lse[r] = log(sum);
    }
    return R1_OK;
}
static const r1i_ops ops = {.name = "remembering", .logsumexp = plain_logsumexp};

static r1_model *make_model(void)
{
    static r1i_layer layer;
    static r1i_cpu_kernels kernels = {.name = "remembering"};
    r1_model *const m = calloc(1, sizeof *m);
    m->layer = &layer;
    m->kernels = &kernels;
    m->config = (r1i_config){.arch = R1I_LLAMA, .vocab_size = VOCAB, .hidden_size = 8, .intermediate_size = 8,
                             .num_hidden_layers = 1, .max_position_embeddings = LONGEST, .num_attention_heads = 1,
                             .num_key_value_heads = 1, .head_dim = 2};
    m->attn = (r1i_attn_shape){.heads = 1, .kv_heads = 1, .key_dim = 2, .value_dim = 2, .scale = 1.0f};
    return m;
}

static r1_engine *make_engine(const r1_model *m, r1_engine_params params, int threads)
{
    r1_engine *e;
    r1_error err = {0};
    const r1_env env = {.threads = threads};
    if (r1_engine_create(m, NULL, &params, &env, &e, &err) != R1_OK) fail_msg("%s", err.message);
    e->forward = remember;
    e->ex.ops = &ops;
    return e;
}

/* ---- workloads --------------------------------------------------------------------------------------------------- */

enum { MANY = 34 };
typedef struct workload {
    r1_request request[MANY];
    int32_t prompt[MANY][700];
    int32_t forced[MANY][3];
    r1_logit_bias bias[MANY];
    int n;
} workload;

/* Random prompts, some sharing a beginning, with every sampling feature somewhere. */
static void random_workload(workload *w, int n, uint64_t seed)
{
    r1i_rng rng = {seed, 0};
    memset(w, 0, sizeof *w);
    w->n = n;
    for (int i = 0; i < n; i++) {
        r1_request *const q = &w->request[i];
        q->n_prompt = 1 + (size_t)r1i_rng_below(&rng, i % 5 == 0 ? 600 : 150);
        for (size_t k = 0; k < q->n_prompt; k++) w->prompt[i][k] = (int32_t)r1i_rng_below(&rng, VOCAB);
        if (i > 0 && r1i_rng_below(&rng, 2)) { /* the beginning of an earlier one */
            const int other = (int)r1i_rng_below(&rng, (uint64_t)i);
            const size_t shared = (size_t)r1i_rng_below(&rng, q->n_prompt + 1);
            for (size_t k = 0; k < shared && k < w->request[other].n_prompt; k++) w->prompt[i][k] = w->prompt[other][k];
        }
        if (i % 8 == 5) { /* one token over and over: pages that differ by what precedes them alone */
            q->n_prompt = 200 + (size_t)r1i_rng_below(&rng, 300);
            for (size_t k = 0; k < q->n_prompt; k++) w->prompt[i][k] = 9;
        }
        q->prompt = w->prompt[i];
        q->max_tokens = 1 + (int64_t)r1i_rng_below(&rng, 120);
        q->sampling = r1_sampling_default();
        q->sampling.temperature = r1i_rng_below(&rng, 4) ? 1.0f : 0.0f;
        q->sampling.seed = r1i_rng_below(&rng, 1000);
        q->sampling.sample = (uint32_t)i;
        q->sampling.top_logprobs = COLLECT_TOP;
        if (i % 3 == 1) q->sampling.repetition_penalty = 1.3f;
        if (i % 4 == 2) q->sampling.frequency_penalty = 0.2f;
        if (i % 6 == 3) {
            w->bias[i] = (r1_logit_bias){(int32_t)r1i_rng_below(&rng, VOCAB), 3.0f};
            q->sampling.logit_bias = &w->bias[i];
            q->sampling.n_logit_bias = 1;
        }
        if (i % 7 == 4) {
            for (int k = 0; k < 3; k++) w->forced[i][k] = (int32_t)r1i_rng_below(&rng, VOCAB);
            q->forced = w->forced[i];
            q->n_forced = 3;
        }
    }
}

static void run_all(r1_engine *e, workload *w, collected *c)
{
    r1_error err = {0};
    for (int i = 0; i < w->n; i++) {
        int64_t id;
        collect(&w->request[i], &c[i]);
        if (r1_engine_submit(e, &w->request[i], &id, &err) != R1_OK) fail_msg("%s", err.message);
        assert_true(id > 0);
    }
    if (r1_engine_run(e, &err) != R1_OK) fail_msg("%s", err.message);
    for (int i = 0; i < e->pages.n; i++) assert_int_equal(e->pages.page[i].users, 0);
    assert_int_equal(e->pages.n_free + e->pages.n_cached, e->pages.n);
}

static void check_equal(const collected *want, const collected *got, int n)
{
    for (int i = 0; i < n; i++)
        if (!collected_equal(&want[i], &got[i])) fail_msg("request %d differs", i);
}

/* Each request of the workload in an engine of its own, one row at a time in a cache without sharing. */
static void run_alone(const r1_model *m, workload *w, collected *c)
{
    for (int i = 0; i < w->n; i++) {
        r1_engine *const e = make_engine(m,
                                         (r1_engine_params){.context = LONGEST, .no_prefix_cache = true,
                                                            .max_sequences = 1}, 1);
        int64_t id;
        collect(&w->request[i], &c[i]);
        assert_int_equal(r1_engine_submit(e, &w->request[i], &id, NULL), R1_OK);
        assert_int_equal(r1_engine_run(e, NULL), R1_OK);
        r1_engine_destroy(e);
    }
}

static void test_neighbours_chunks_pages(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    (void)state;
    reset_seen();
    random_workload(&w, MANY, 11);
    run_alone(m, &w, alone);
    const struct { int32_t rows, sequences; int64_t cache; bool no_prefix; int threads; } way[] = {
        {512, 34, 0, false, 1}, {512, 34, 65536, false, 3}, {64, 7, 65536, false, 2}, {3, 33, 65536, true, 1},
        {1, 2, 65536, false, 1}, {64, 34, 1024, false, 2}, {7, 34, 768, false, 1}, {512, 34, 768, true, 1},
        {37, 5, 832, false, 3},
    };
    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        const r1_engine_params params = {.context = 768, .cache_tokens = way[i].cache, .max_batch_tokens = way[i].rows,
                                         .max_sequences = way[i].sequences, .no_prefix_cache = way[i].no_prefix};
        r1_engine *const e = make_engine(m, params, way[i].threads);
        r1_engine_stats stats;
        reset_seen();
        run_all(e, &w, got);
        r1_engine_get_stats(e, &stats);
        printf("rows %d sequences %d cache %lld: %lld forwards, %lld preemptions, %lld prefix tokens\n", way[i].rows,
               way[i].sequences, (long long)way[i].cache, (long long)stats.forwards, (long long)stats.preemptions,
               (long long)stats.prefix_hit_tokens);
        check_equal(alone, got, w.n);
        assert_in_range(seen.most_rows, way[i].rows > 1 ? 2 : 1, way[i].rows);
        assert_int_equal(seen.calls, stats.forwards);
        assert_int_equal(seen.rows, stats.prefill_tokens + stats.decode_tokens);
        if (way[i].no_prefix) assert_int_equal(stats.prefix_hit_tokens, 0);
        if (way[i].cache == 768) assert_true(stats.preemptions > 0);
        run_all(e, &w, got); /* once more in the same engine: prefixes are found */
        check_equal(alone, got, w.n);
        r1_engine_destroy(e);
    }
    free(m);
}

/* Sixteen answers to one prompt: the prompt's full pages are computed once, even when all are submitted together. */
static void test_shared_prompt(void **state)
{
    static workload w;
    static collected got[MANY];
    r1_model *const m = make_model();
    r1_engine_stats stats;
    (void)state;
    reset_seen();
    random_workload(&w, 16, 3);
    for (int i = 0; i < 16; i++) {
        w.request[i] = (r1_request){.prompt = w.prompt[0], .n_prompt = 500, .max_tokens = 20,
                                    .sampling = r1_sampling_default()};
        w.request[i].sampling.sample = (uint32_t)i;
    }
    for (int k = 0; k < 500; k++) w.prompt[0][k] = (k * 31) % VOCAB;
    r1_engine *const e = make_engine(m, (r1_engine_params){.cache_tokens = 16 * 64 * 10, .max_batch_tokens = 4096}, 2);
    run_all(e, &w, got);
    r1_engine_get_stats(e, &stats);
    assert_int_equal(stats.prefix_hit_tokens, 15 * 448);
    assert_int_equal(stats.prefill_tokens, 500 + 15 * 52);
    assert_int_equal(got[15].result.cached_tokens, 448);
    assert_int_equal(seen.calls, 20); /* one prefill of all, then 19 tokens for all together */
    assert_int_equal(stats.decode_tokens, 19 * 16);
    r1_engine_destroy(e);
    free(m);
}

/* A prompt of whole pages still computes its last token: somebody has to give its logits. */
static void test_prefix_leaves_last_token(void **state)
{
    static workload w;
    static collected a[MANY], b[MANY];
    r1_model *const m = make_model();
    (void)state;
    reset_seen();
    random_workload(&w, 1, 8);
    for (int n = 63; n <= 130; n++) {
        r1_engine *const e = make_engine(m, (r1_engine_params){.context = LONGEST}, 1);
        w.request[0].n_prompt = (size_t)n;
        w.request[0].max_tokens = 3;
        run_all(e, &w, a);
        run_all(e, &w, b);
        check_equal(a, b, 1);
        assert_int_equal(b[0].result.cached_tokens, (n - 1) / 64 * 64);
        r1_engine_destroy(e);
    }
    free(m);
}

/* Two prompts of one token over and over. The younger is preempted while it hangs on two pages of the older, whose
 * third page continues them with the same tokens: the replay must begin at the beginning. */
static void test_replay_begins_at_the_beginning(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    (void)state;
    reset_seen();
    random_workload(&w, 2, 1);
    for (int i = 0; i < 2; i++) {
        for (int k = 0; k < 250; k++) w.prompt[i][k] = 9;
        w.request[i] = (r1_request){.prompt = w.prompt[i], .n_prompt = i ? 150 : 250, .max_tokens = 60,
                                    .sampling = r1_sampling_default()};
    }
    run_alone(m, &w, alone);
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = 320, .cache_tokens = 320}, 1);
    run_all(e, &w, got);
    assert_int_equal(got[1].result.preemptions, 1);
    assert_true(e->stats.prefix_hit_tokens >= 256); /* it had hung on them, and found them again */
    check_equal(alone, got, 2);
    r1_engine_destroy(e);
    free(m);
}

static void test_limits(void **state)
{
    static collected c;
    r1_model *const m = make_model();
    int32_t prompt[256] = {0};
    int64_t id;
    r1_error err = {0};
    (void)state;
    reset_seen();
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = 256, .cache_tokens = 128}, 1);
    r1_request q = {.prompt = prompt, .n_prompt = 0, .max_tokens = 4, .sampling = r1_sampling_default()};
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_USAGE);
    q.n_prompt = 256;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "256"));
    q.n_prompt = 100;
    q.max_tokens = 100; /* within the context, but 200 tokens never fit into 128 */
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "never fit"));
    q.n_prompt = 10;
    q.max_tokens = 5;
    prompt[9] = VOCAB;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "prompt[9] is token id 300"));
    prompt[9] = -1;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_RANGE);
    prompt[9] = 0;
    q.think_budget = 5;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_UNSUPPORTED);
    q.think_budget = 0;
    q.stop_strings = (const char *const[]){"x"};
    q.n_stop_strings = 1;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_USAGE);
    q.n_stop_strings = 0;
    q.sampling.top_p = 2.0f;
    assert_int_equal(r1_engine_submit(e, &q, &id, &err), R1_ERR_RANGE);
    q.sampling.top_p = 1.0f;
    assert_int_equal(id, 0);
    int64_t active;
    assert_int_equal(r1_engine_step(e, &active, &err), R1_OK);
    assert_int_equal(active, 0);
    assert_int_equal(seen.calls, 0);
    r1_engine_destroy(e);

    r1_engine *const full = make_engine(m, (r1_engine_params){.context = 64}, 1); /* the context ends the answer */
    q.max_tokens = 0;
    collect(&q, &c);
    assert_int_equal(r1_engine_submit(full, &q, &id, &err), R1_OK);
    assert_int_equal(r1_engine_run(full, &err), R1_OK);
    assert_int_equal(c.n, 54);
    assert_int_equal(c.result.finish, R1_FINISH_LENGTH);
    r1_engine_destroy(full);
    free(m);
}

static void test_stop_ids(void **state)
{
    static collected c, cut;
    r1_model *const m = make_model();
    const int32_t prompt[] = {1, 2, 3};
    int64_t id;
    (void)state;
    reset_seen();
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = 256}, 1);
    r1_request q = {.prompt = prompt, .n_prompt = 3, .max_tokens = 30, .sampling = r1_sampling_default()};
    collect(&q, &c);
    assert_int_equal(r1_engine_submit(e, &q, &id, NULL), R1_OK);
    assert_int_equal(r1_engine_run(e, NULL), R1_OK);
    assert_int_equal(c.n, 30);
    q.stop_ids = &c.id[11];
    q.n_stop_ids = 1;
    collect(&q, &cut);
    assert_int_equal(r1_engine_submit(e, &q, &id, NULL), R1_OK);
    assert_int_equal(r1_engine_run(e, NULL), R1_OK);
    assert_int_equal(cut.result.finish, R1_FINISH_STOP);
    assert_true(cut.n <= 12 && cut.id[cut.n - 1] == c.id[11]);
    assert_memory_equal(cut.id, c.id, sizeof(int32_t) * (size_t)cut.n);
    r1_engine_destroy(e);
    free(m);
}

/* A forward that fails is the engine's error; the requests survive it and say the same afterwards. */
static void test_forward_failure(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    int64_t active;
    (void)state;
    reset_seen();
    random_workload(&w, 6, 21);
    run_alone(m, &w, alone);
    for (int64_t at = 0; at < 12; at += 3) {
        r1_engine *const e = make_engine(m, (r1_engine_params){.cache_tokens = 65536, .max_batch_tokens = 100}, 1);
        r1_error err = {0};
        int64_t id;
        reset_seen();
        seen.fail_at = at;
        for (int i = 0; i < w.n; i++) {
            collect(&w.request[i], &got[i]);
            assert_int_equal(r1_engine_submit(e, &w.request[i], &id, NULL), R1_OK);
        }
        assert_int_equal(r1_engine_run(e, &err), R1_ERR_NOMEM);
        assert_string_equal(err.message, "planned failure");
        do assert_int_equal(r1_engine_step(e, &active, NULL), R1_OK);
        while (active > 0);
        check_equal(alone, got, w.n);
        r1_engine_destroy(e);
    }
    free(m);
}

/* One request meets a logit that is not a number: it ends with the error, its neighbours do not notice. */
static void test_nan_ends_one(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    (void)state;
    reset_seen();
    random_workload(&w, 3, 5);
    for (int i = 0; i < 3; i++) {
        w.request[i].n_prompt = i == 1 ? 41 : 20;
        w.request[i].max_tokens = 10;
    }
    run_alone(m, &w, alone);
    seen.nan_position = 40;
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = LONGEST}, 1);
    run_all(e, &w, got);
    assert_true(collected_equal(&alone[0], &got[0]) && collected_equal(&alone[2], &got[2]));
    assert_int_equal(got[1].result.finish, R1_FINISH_ERROR);
    assert_int_equal(got[1].result.error.code, R1_ERR_RANGE);
    assert_int_equal(got[1].n, 0);
    assert_int_equal(got[1].done, 1);
    r1_engine_destroy(e);
    free(m);
}

static void test_cancel(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    int64_t active, id[4];
    (void)state;
    reset_seen();
    random_workload(&w, 4, 6);
    for (int i = 0; i < 4; i++) w.request[i].max_tokens = 40;
    run_alone(m, &w, alone);
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = LONGEST, .max_sequences = 3}, 1);
    for (int i = 0; i < 4; i++) {
        collect(&w.request[i], &got[i]);
        assert_int_equal(r1_engine_submit(e, &w.request[i], &id[i], NULL), R1_OK);
    }
    got[0].cancel_at = 7; /* by the callback */
    for (int k = 0; k < 10; k++) assert_int_equal(r1_engine_step(e, &active, NULL), R1_OK);
    r1_engine_cancel(e, id[1]); /* while running */
    r1_engine_cancel(e, 12345);
    assert_int_equal(r1_engine_run(e, NULL), R1_OK);
    assert_int_equal(got[0].n, 8);
    assert_int_equal(got[0].result.finish, R1_FINISH_CANCELLED);
    assert_int_equal(got[1].result.finish, R1_FINISH_CANCELLED);
    assert_memory_equal(got[1].id, alone[1].id, sizeof(int32_t) * (size_t)got[1].n);
    assert_true(collected_equal(&alone[2], &got[2]) && collected_equal(&alone[3], &got[3]));
    for (int i = 0; i < 4; i++) assert_int_equal(got[i].done, 1);
    for (int i = 0; i < 4; i++) { /* destroyed while waiting and running */
        collect(&w.request[i], &got[i]);
        assert_int_equal(r1_engine_submit(e, &w.request[i], &id[i], NULL), R1_OK);
        if (i == 2) assert_int_equal(r1_engine_step(e, &active, NULL), R1_OK);
    }
    r1_engine_destroy(e);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(got[i].done, 1);
        assert_int_equal(got[i].result.finish, R1_FINISH_CANCELLED);
    }
    free(m);
}

/* ---- other threads ----------------------------------------------------------------------------------------------- */

typedef struct client {
    r1_engine *e;
    workload *w;
    collected *c;
    int first, n;
    bool cancels;
} client;

static void *submit_some(void *arg)
{
    const client *const t = arg;
    r1_engine_stats stats;
    for (int i = t->first; i < t->first + t->n; i++) {
        int64_t id;
        collect(&t->w->request[i], &t->c[i]);
        assert_int_equal(r1_engine_submit(t->e, &t->w->request[i], &id, NULL), R1_OK);
        r1_engine_get_stats(t->e, &stats);
        if (t->cancels) r1_engine_cancel(t->e, id);
    }
    return NULL;
}

static void test_threads(void **state)
{
    static workload w;
    static collected alone[MANY], got[MANY];
    r1_model *const m = make_model();
    pthread_t thread[3];
    int64_t active;
    (void)state;
    reset_seen();
    random_workload(&w, 30, 9);
    run_alone(m, &w, alone);
    r1_engine *const e = make_engine(m, (r1_engine_params){.context = LONGEST, .max_batch_tokens = 128}, 2);
    client t[3];
    for (int i = 0; i < 3; i++) {
        t[i] = (client){e, &w, got, 10 * i, 10, i == 2};
        assert_int_equal(pthread_create(&thread[i], NULL, submit_some, &t[i]), 0);
    }
    for (int k = 0; k < 50; k++) assert_int_equal(r1_engine_step(e, &active, NULL), R1_OK);
    for (int i = 0; i < 3; i++) pthread_join(thread[i], NULL);
    assert_int_equal(r1_engine_run(e, NULL), R1_OK);
    for (int i = 0; i < 20; i++) assert_true(collected_equal(&alone[i], &got[i]));
    for (int i = 20; i < 30; i++) {
        assert_int_equal(got[i].done, 1);
        assert_memory_equal(got[i].id, alone[i].id, sizeof(int32_t) * (size_t)got[i].n);
    }
    r1_engine_destroy(e);
    free(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbours_chunks_pages), cmocka_unit_test(test_shared_prompt),
        cmocka_unit_test(test_prefix_leaves_last_token),
        cmocka_unit_test(test_replay_begins_at_the_beginning), cmocka_unit_test(test_limits),
        cmocka_unit_test(test_stop_ids), cmocka_unit_test(test_forward_failure), cmocka_unit_test(test_nan_ends_one),
        cmocka_unit_test(test_cancel), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
