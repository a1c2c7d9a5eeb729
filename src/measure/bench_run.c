/* Prompt and decode: an engine of the test's own, the depth computed beforehand, and slices of roof between slices of
 * work. */
#include <inttypes.h>
#include <string.h>

#include "backend/cpu/kernels.h"
#include "base/memory.h"
#include "engine/engine_state.h"
#include "measure/cost.h"
#include "measure/roof.h"

/* A roof slice after so much work: near enough to be a neighbour, rare enough not to be most of the time. */
#define WORK_SECONDS 0.4
#define ROOF_SECONDS 0.04
enum { WARM_TOKENS = 8 };

typedef struct bench {
    const r1_model *m;
    const r1_bench_test *test;
    r1_engine *engine;
    r1_meter *meter;              /* NULL: no roof */
    r1i_tally tally;
    r1_env env;
    int32_t *prompt;              /* [sequences, length] */
    size_t prompt_bytes;
    int64_t length;
    r1_roof *roofs;               /* [repeat] medians are of the middle of each repetition */
    double *work;                 /* [3, repeat + 1] seconds, fractions, scratch */
    size_t roof_bytes, work_bytes;
    r1_error failed;              /* a request's own */
    r1i_clock_fn clock;
} bench;

/* Different ids, the same in every run, from where a vocabulary's frequent tokens are: an embedding used in the file is
 * touched in few pages then, as text does. */
static int32_t some_id(const bench *b, uint64_t i)
{
    const uint64_t range = b->m->config.vocab_size < 4096 ? (uint64_t)b->m->config.vocab_size : 4096;
    return (int32_t)((i * 7919 + 13) % range);
}

static void keep_error(void *user, const r1_result *result)
{
    if (result->finish == R1_FINISH_ERROR) *(r1_error *)user = result->error;
}

/* One request a sequence over its first n ids; `fresh` changes all ids from the depth on. */
static r1_status submit(bench *b, int64_t n, int64_t output, int64_t fresh, r1_error *err)
{
    const r1_bench_test *const t = b->test;
    r1_request q = {.n_prompt = (size_t)n, .max_tokens = output, .sampling = r1_sampling_default(), .ignore_eos = true,
                    .on_done = keep_error, .user = &b->failed};
    int64_t id;
    r1_status st = R1_OK;
    q.sampling.temperature = 0.0f;
    for (int64_t s = 0; s < t->sequences && st == R1_OK; s++) {
        int32_t *const prompt = b->prompt + s * b->length;
        for (int64_t i = 0; i < n; i++)
            prompt[i] = some_id(b, (uint64_t)(s * b->length + i) + (i < t->depth ? 0u : (uint64_t)fresh * 1000003u));
        q.prompt = prompt;
        st = r1_engine_submit(b->engine, &q, &id, err);
    }
    return st;
}

static r1_status own_failure(const bench *b, r1_error *err)
{
    if (b->failed.code == R1_OK) return R1_OK;
    if (err) *err = b->failed;
    return b->failed.code;
}

static void slice(const bench *b, r1_roof *out)
{
    r1_cost any;
    r1_model_cost(b->m, (r1_cache_type)b->tally.base.cache, 1, 1, 0, 1, &any); /* which kinds of arithmetic there are */
    r1i_roof_slice(b->meter, b->m->kernels->name, &any, ROOF_SECONDS, out);
}

static r1_cost difference(const r1_cost *a, const r1_cost *b)
{
    r1_cost d = {a->weight_bytes - b->weight_bytes, a->cache_bytes - b->cache_bytes, {0}};
    for (int p = 0; p < R1_PEAK_COUNT; p++) d.ops[p] = a->ops[p] - b->ops[p];
    return d;
}

/* Steps until nothing is open. *seconds: of work alone; *ideal: what the roof beside each piece of it would have
 * allowed. */
static r1_status run_all(bench *b, double *seconds, double *ideal, r1_roof *roof, r1_error *err)
{
    int64_t active = 1;
    r1_roof before = {0}, after;
    r1_status st = R1_OK;
    *seconds = *ideal = 0.0;
    if (b->meter) slice(b, &before);
    while (active > 0 && st == R1_OK) {
        const r1_cost cost = b->tally.total;
        const double begin = b->clock();
        double now = begin;
        while (active > 0 && st == R1_OK && now - begin < (b->meter ? WORK_SECONDS : 1e30)) {
            st = r1_engine_step(b->engine, &active, err);
            now = b->clock();
        }
        *seconds += now - begin;
        if (!b->meter || st != R1_OK) continue;
        slice(b, &after);
        *roof = r1i_roof_between(&before, &after);
        const r1_cost part = difference(&b->tally.total, &cost);
        *ideal += r1_roof_seconds(roof, &part, NULL);
        before = after;
    }
    return st == R1_OK ? own_failure(b, err) : st;
}

/* The sequences' first `depth` tokens into pages where the timed requests find them, each once. */
static r1_status warm_up(bench *b, r1_error *err)
{
    const r1_bench_test *const t = b->test;
    const int64_t output = t->decode > 0 && t->decode < WARM_TOKENS ? t->decode : t->decode > 0 ? WARM_TOKENS : 1;
    r1_status st = submit(b, t->depth + (t->prompt > 0 ? t->prompt : 1), output, 0, err);
    if (st == R1_OK) st = r1_engine_run(b->engine, err);
    return st == R1_OK ? own_failure(b, err) : st;
}

static r1_status measure(bench *b, r1_bench_result *out, r1_error *err)
{
    const r1_bench_test *const t = b->test;
    double *const seconds = b->work, *const fraction = seconds + t->repeat, *const scratch = fraction + t->repeat;
    r1_status st = warm_up(b, err);
    for (int32_t i = 0; i < t->repeat && st == R1_OK; i++) {
        double ideal = 0.0;
        b->tally.total = (r1_cost){0};
        st = submit(b, t->depth + (t->prompt > 0 ? t->prompt : 1), t->prompt > 0 ? 1 : t->decode, i + 1, err);
        if (st == R1_OK) st = run_all(b, &seconds[i], &ideal, &b->roofs[i], err);
        fraction[i] = ideal / (st == R1_OK ? seconds[i] : 1.0);
    }
    if (st != R1_OK) return st;
    out->tokens = (t->prompt > 0 ? t->prompt : t->decode) * t->sequences;
    out->cost = b->tally.total;
    out->seconds = r1i_spread_of(seconds, t->repeat);
    const double n = (double)out->tokens;
    out->rate = (r1_spread){n / out->seconds.median, n / out->seconds.most, n / out->seconds.least};
    r1_engine_get_stats(b->engine, &out->stats);
    out->resident_bytes = r1i_memory_resident();
    if (!b->meter) return R1_OK;
    out->roof_bytes = r1_meter_bytes(b->meter);
    out->roof = r1i_roof_median(b->roofs, t->repeat, scratch);
    out->fraction = r1i_spread_of(fraction, t->repeat);
    (void)r1_roof_seconds(&out->roof, &out->cost, &out->bound);
    return R1_OK;
}

static r1_status check(const r1_bench_test *t, r1_error *err)
{
    if ((t->prompt > 0) == (t->decode > 0) || t->prompt < 0 || t->decode < 0)
        return r1i_fail(err, R1_ERR_USAGE, "a test reads a prompt or decodes: one of the two has tokens");
    if (t->depth < 0 || t->depth % R1I_PAGE != 0)
        return r1i_fail(err, R1_ERR_USAGE, "a depth of %" PRId64 " tokens, expected a multiple of %d", t->depth,
                        R1I_PAGE);
    if (t->sequences < 1 || t->repeat < 1 || t->repeat > R1_BENCH_REPEAT)
        return r1i_fail(err, R1_ERR_USAGE,
                        "%" PRId32 " sequences, %" PRId32 " repetitions: expected at least 1, at most %d repetitions",
                        t->sequences, t->repeat, R1_BENCH_REPEAT);
    return R1_OK;
}

/* Room for the depth, for what a repetition adds, and for what the one before left: the depth's pages are never the
 * oldest then. */
static r1_engine_params sized(const r1_bench_test *t, const r1_engine_params *given)
{
    r1_engine_params p = given ? *given : r1_engine_params_default();
    const int64_t more = (t->prompt > 0 ? t->prompt : t->decode) + 1;
    p.context = t->depth + more;
    p.max_sequences = t->sequences;
    if (p.max_batch_tokens == 0) p.max_batch_tokens = 512;
    /* no row that is never used */
    if (t->depth == 0 && (t->prompt > 0 ? t->prompt * t->sequences : t->sequences) < p.max_batch_tokens)
        p.max_batch_tokens = (int32_t)(t->prompt > 0 ? t->prompt * t->sequences : t->sequences);
    if (p.max_batch_tokens < t->sequences) p.max_batch_tokens = t->sequences;
    p.no_prefix_cache = t->depth == 0;
    p.cache_tokens = t->sequences * R1I_PAGE * (r1i_pages_for(p.context) + (t->depth > 0 ? r1i_pages_for(more) : 0));
    return p;
}

static r1_status prepare(bench *b, const r1_engine_params *given, int threads, r1_error *err)
{
    const r1_bench_test *const t = b->test;
    const r1_engine_params p = sized(t, given);
    r1_env env = b->env;
    r1_status st;
    if (threads > 0) env.threads = threads;
    b->length = p.context;
    b->prompt_bytes = (size_t)(b->length * t->sequences) * sizeof *b->prompt;
    b->work_bytes = 3 * (size_t)t->repeat * sizeof *b->work;
    b->roof_bytes = (size_t)t->repeat * sizeof *b->roofs;
    if ((st = r1_engine_create(b->m, NULL, &p, &env, &b->engine, err)) != R1_OK) return st;
    if ((st = r1i_tally_create(&b->tally, b->m, (r1i_cache_type)p.cache_type, &b->env, err)) != R1_OK) return st;
    b->engine->forward = r1i_tally_forward;
    b->engine->probe = &b->tally.probe;
    if (!(b->prompt = r1i_alloc(&b->env, b->prompt_bytes)) || !(b->work = r1i_alloc_zero(&b->env, b->work_bytes)) ||
        !(b->roofs = r1i_alloc_zero(&b->env, b->roof_bytes)))
        return r1i_fail(err, R1_ERR_NOMEM, "bench, prompts of %zu bytes", b->prompt_bytes);
    if (t->no_roof) return R1_OK;
    st = r1_meter_create(&b->env, threads, 0, &b->meter, err);
    if (st == R1_OK && t->cpu_time) r1_meter_cpu_time(b->meter);
    return st;
}

r1_status r1_bench_run(const r1_model *model, const r1_bench_test *test, const r1_engine_params *params, int threads,
                       const r1_env *env, r1_bench_result *out, r1_error *err)
{
    bench b = {.m = model, .test = test};
    *out = (r1_bench_result){0};
    if (env) b.env = *env;
    r1_status st = check(test, err);
    if (st == R1_OK) st = r1i_clock_of(test->cpu_time, threads, env, &b.clock, err);
    if (st != R1_OK) return st;
    if ((st = prepare(&b, params, threads, err)) == R1_OK) st = measure(&b, out, err);
    r1_meter_destroy(b.meter);
    r1_engine_destroy(b.engine);
    if (b.tally.base.m) r1i_tally_destroy(&b.tally);
    r1i_release(&b.env, b.prompt, b.prompt_bytes);
    r1i_release(&b.env, b.work, b.work_bytes);
    r1i_release(&b.env, b.roofs, b.roof_bytes);
    return st;
}
