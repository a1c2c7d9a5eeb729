#include "eval/run.h"

#include "engine/engine_state.h"
#include "eval/generate.h"

enum { PAPER_TOKENS = 32768, MAX_CACHE_TOKENS = 1 << 20 };

r1_eval_config r1_eval_config_default(void)
{
    return (r1_eval_config){.temperature = 0.6, .top_p = 0.95, .engine = r1_engine_params_default()};
}

static r1_status check(const r1_eval_config *c, r1_error *err)
{
    if (!c->out || !c->data) return r1i_fail(err, R1_ERR_USAGE, "a run needs a folder for its record and one of data");
    if (!c->endpoint && (!c->model || !c->tokenizer || !c->model_path))
        return r1i_fail(err, R1_ERR_USAGE, "a run needs a model with its tokenizer, or an endpoint");
    if (!(c->temperature >= 0.0 && c->temperature <= 100.0))
        return r1i_fail(err, R1_ERR_USAGE, "temperature %g is not from 0 to 100", c->temperature);
    if (!(c->top_p > 0.0 && c->top_p <= 1.0))
        return r1i_fail(err, R1_ERR_USAGE, "top-p %g is not above 0 and at most 1", c->top_p);
    if (c->samples < 0 || c->samples > 65536)
        return r1i_fail(err, R1_ERR_USAGE, "%lld samples are not from 0 to 65536", (long long)c->samples);
    if (c->temperature == 0.0 && c->samples > 1)
        return r1i_fail(err, R1_ERR_USAGE,
                        "at temperature 0 the %lld samples of a prompt would be one answer, repeated: use --samples 1",
                        (long long)c->samples);
    if (c->max_tokens < 0 || c->limit < 0) return r1i_fail(err, R1_ERR_USAGE, "a negative number of tokens or prompts");
    return R1_OK;
}

/* The context follows from prompts and model alone, never from the memory that happens to be free: a resumed run must
 * cut its answers where the first one did. The number of pages is free to follow memory, because it moves no bit. */
static r1_engine_params engine_params(const r1_eval_config *c, const r1i_plan *plan)
{
    r1_model_info info;
    r1_engine_params p = c->engine;
    r1_model_get_info(c->model, &info);
    int64_t want = (int64_t)plan->longest + c->max_tokens;
    if (p.context > 0 && p.context < want) want = p.context;
    if (info.max_positions > 0 && info.max_positions < want) want = info.max_positions;
    p.context = want;
    const int64_t sequences = p.max_sequences > 0 ? p.max_sequences : 32;
    if (p.cache_tokens == 0)
        p.cache_tokens = want > MAX_CACHE_TOKENS / sequences ? (want > MAX_CACHE_TOKENS ? want : MAX_CACHE_TOKENS)
            : want * sequences;
    return p;
}

/* Half as many pages, but room for one sequence; false: there are no fewer. */
static bool fewer_pages(r1_engine_params *p)
{
    if (p->cache_tokens <= p->context) return false;
    p->cache_tokens = p->cache_tokens / 2 > p->context ? p->cache_tokens / 2 : p->context;
    return true;
}

static r1_status make_engine(const r1_eval_config *c, const r1i_plan *plan, const r1_env *env, int64_t *context,
                             r1_engine **out, r1_error *err)
{
    r1_engine_params p = engine_params(c, plan);
    r1_status st;
    *context = p.context;
    do st = r1_engine_create(c->model, c->tokenizer, &p, env, out, err);
    while (st == R1_ERR_NOMEM && fewer_pages(&p));
    return st;
}

static r1_status resolve(r1_eval_config *c, const r1_env *env, r1i_plan *plan, r1_error *err)
{
    if (c->max_tokens == 0) c->max_tokens = PAPER_TOKENS;
    const r1_status st = check(c, err);
    return st == R1_OK ? r1i_plan_make(c, env, plan, err) : st;
}

r1_status r1i_eval_fit(const r1_eval_config *config, const r1_env *env, uint64_t room, int64_t *cache_tokens,
                       uint64_t *bytes, r1_error *err)
{
    r1_eval_config c = *config;
    r1i_plan plan;
    r1i_engine_size size;
    r1_status st = resolve(&c, env, &plan, err);
    if (st != R1_OK) return st;
    r1_engine_params p = engine_params(&c, &plan);
    do {
        r1_engine_params resolved = p;
        if ((st = r1i_engine_resolve(c.model, c.tokenizer, r1i_env_threads(env), UINT64_MAX, &resolved, err)) != R1_OK)
            break;
        r1i_engine_size_of(c.model, c.tokenizer, &resolved, r1i_env_threads(env), resolved.cache_tokens / R1I_PAGE,
                           resolved.context, &size);
        *bytes = size.cache + size.scratch + size.other;
        *cache_tokens = p.cache_tokens;
    } while (*bytes > room && fewer_pages(&p));
    r1i_plan_free(&plan);
    return st;
}

r1_status r1_eval_run(const r1_eval_config *config, const r1_env *env, r1_error *err)
{
    r1_eval_config c = *config;
    r1i_plan plan;
    r1i_recorder *recorder;
    r1_engine *engine = NULL;
    int64_t context = 0;
    r1_status st = resolve(&c, env, &plan, err);
    if (st != R1_OK) return st;
    if (!c.endpoint) st = make_engine(&c, &plan, env, &context, &engine, err);
    if (st == R1_OK && (st = r1i_recorder_create(&c, &plan, context, env, &recorder, err)) == R1_OK) {
        if (c.endpoint) r1i_generate_remote(&c, &plan, recorder);
        else r1i_generate_engine(&c, &plan, env, engine, context, recorder);
        engine = NULL; /* r1i_generate_engine has destroyed it */
        st = r1i_recorder_finish(recorder, err);
    }
    r1_engine_destroy(engine);
    r1i_plan_free(&plan);
    return st;
}
