/* Opening a model: read the config, bind (check and count), compare with the memory there is, bind again (hand out),
 * pack. */
#include "model/load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "backend/cpu/kernels.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/numa.h"
#include "model/lora.h"

r1_model_params r1_model_params_default(void) { return (r1_model_params){.compute = R1_COMPUTE_F32}; }

/* Shapes that every forward hands to the ops. */
static void fill_shapes(r1_model *m)
{
    const r1i_config *const c = &m->config;
    const bool mla = c->arch == R1I_DEEPSEEK_V3;
    m->attn = (r1i_attn_shape){
        .mla = mla,
        .heads = c->num_attention_heads,
        .kv_heads = mla ? 1 : c->num_key_value_heads,
        .key_dim = mla ? c->kv_lora_rank + c->qk_rope_head_dim : c->head_dim,
        .value_dim = mla ? c->kv_lora_rank : c->head_dim,
        .scale = m->attn_scale,
    };
    m->route = (r1i_router_shape){
        .experts = c->n_routed_experts,
        .groups = c->n_group,
        .topk_groups = c->topk_group,
        .topk = c->num_experts_per_tok,
        .sigmoid = c->scoring_sigmoid,
        .normalise = c->norm_topk_prob,
        .scaling = (float)c->routed_scaling_factor,
    };
}

static double gib(uint64_t bytes) { return (double)bytes / 0x1p30; }

/* Everything that loading takes, before any of it is taken. Mapped panels are taken by nobody: the system drops their
 * pages when it is short and reads them again. Then each token waits for the disk, which is worth a word. */
static r1_status check_memory(const r1i_binder *b, const r1_env *env, r1_error *err)
{
    uint64_t want;
    if (!r1i_add_u64(b->bytes, b->panel_bytes, &want) ||
        !r1i_add_u64(want, (uint64_t)b->n_jobs * sizeof(r1i_pack_job), &want)) want = UINT64_MAX;
    const uint64_t have = r1i_memory_available();
    if (want > have)
        return r1i_fail(err, R1_ERR_NOMEM,
                        "the weights need %" PRIu64 " bytes of memory (%.1f GiB), %" PRIu64 " are available (%.1f GiB)%s", want, gib(want), have, gib(have), b->file ? "" : "; r1 convert --panels writes a file from which they can be used without");
    if (b->file_bytes > have - want)
        r1i_log(env, R1_LOG_WARN,
                "the weights are %.2f GiB, memory for %.2f GiB is available: what does not stay is read from disk again for each token", gib(want + b->file_bytes), gib(have));
    return R1_OK;
}

/* Weights are streamed through once a token: huge pages make the first touch cheaper (373 MiB loaded in 1.1 s instead
 * of 1.6) and spare the address translation on every later one. A hint only, and none about memory that is the
 * caller's. */
static void want_huge_pages(const r1i_arena *a)
{
    const size_t huge = (size_t)1 << 21;
    const uintptr_t begin = r1i_align_up((uintptr_t)a->base, huge), end = ((uintptr_t)a->base + a->size) / huge * huge;
    if (!a->env.alloc && begin < end) madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* The second pass, and the packing that it notes. */
static r1_status build(r1_model *m, const r1i_binder *plan, r1_error *err)
{
    const size_t job_bytes = (size_t)plan->n_jobs * sizeof(r1i_pack_job);
    r1i_binder b = {.m = m, .store = m->store, .file = m->panels, .build = true, .err = err};
    r1_status st = r1i_arena_create(&m->arena, "model", &m->env, (size_t)(plan->bytes + plan->panel_bytes), err);
    if (st != R1_OK) return st;
    want_huge_pages(&m->arena);
    r1i_numa *const numa = r1i_numa_open(); /* before the first touch */
    r1i_numa_spread(numa, m->arena.base, m->arena.size);
    r1i_numa_close(numa);
    if (!(b.job = r1i_alloc(&m->env, job_bytes)))
        return r1i_fail(err, R1_ERR_NOMEM, "loading, %zu bytes of jobs", job_bytes);
    if ((st = r1i_bind(&b)) == R1_OK) st = r1i_pack(m->store, b.job, b.n_jobs, NULL, &m->env, err);
    m->mapped_bytes = b.mapped_bytes;
    m->panel_bytes = b.file_bytes;
    r1i_release(&m->env, b.job, job_bytes);
    return st;
}

static r1_status open_panels(const char *path, const r1i_store *store, r1i_panel_file **out, r1_error *err)
{
    r1i_store_identity id;
    r1_status st = r1i_panel_file_open(path, out, err);
    if (st != R1_OK) return st;
    r1i_store_identify(store, &id);
    if ((st = r1i_panel_file_match(*out, &id, err)) == R1_OK) return R1_OK;
    r1i_panel_file_close(*out);
    *out = NULL;
    r1i_error_prefix(err, "%s: ", path);
    return st;
}

/* The panels that were asked for by name must be right; those that lie beside the checkpoint are used when they are. */
static r1_status find_panels(r1_model *m, const char *named, r1_error *err)
{
    r1_error why = {0};
    if (m->params.trainable) /* its parameters are written to */
        return named && named[0] ? r1i_fail(err, R1_ERR_USAGE, "%s: panels in a file cannot be trained", named) : R1_OK;
    if (named) return named[0] ? open_panels(named, m->store, &m->panels, err) : R1_OK;
    char *const path = r1i_panel_file_default_path(m->store);
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "model handle");
    r1_status st = R1_OK;
    if (r1i_file_exists(path) && (st = open_panels(path, m->store, &m->panels, &why)) != R1_OK) {
        if (st != R1_ERR_NOMEM)
            r1i_log(&m->env, R1_LOG_WARN, "%s; it is not used (r1 convert --panels writes it anew)", why.message);
        else if (err) *err = why;
    }
    free(path);
    return st == R1_ERR_NOMEM ? st : R1_OK;
}

static r1_status load(r1_model *m, const char *path, const r1_model_params *params, r1_error *err)
{
    r1i_binder plan = {.m = m, .err = err};
    r1_status st;
    if (!(m->kernels = r1i_alloc_zero(&m->env, sizeof *m->kernels))) return r1i_fail(err, R1_ERR_NOMEM, "model handle");
    if ((st = r1i_cpu_select(params->isa ? params->isa : "auto", m->kernels, err)) != R1_OK) return st;
    if ((st = r1i_store_open(path, &m->env, &m->store, err)) != R1_OK) return st;
    if ((st = r1i_config_read(m->store, &m->config, NULL, err)) != R1_OK) return st;
    if ((st = find_panels(m, params->panels, err)) != R1_OK) return st;
    plan.store = m->store;
    plan.file = m->panels;
    if ((st = r1i_bind_measure(&plan, &m->env)) != R1_OK) return st;
    if ((st = check_memory(&plan, &m->env, err)) != R1_OK) return st;
    if ((st = build(m, &plan, err)) != R1_OK) return st;
    fill_shapes(m);
    if (m->params.trainable && m->params.compute == R1_COMPUTE_BF16 && (st = r1i_model_round_masters(m, err)) != R1_OK)
        return st;
    if (params->lora && (st = r1i_adapter_load(m, params->lora, err)) != R1_OK) return st;
    if (m->mapped_bytes == 0) { /* nothing reads the files any more */
        r1i_store_close(m->store);
        m->store = NULL;
    }
    return R1_OK;
}

r1_status r1_model_open(const char *path, const r1_model_params *params, const r1_env *env, r1_model **out,
                        r1_error *err)
{
    const double start = r1i_seconds();
    *out = NULL;
    r1_model *const m = r1i_alloc_zero(env, sizeof *m);
    if (!m) return r1i_fail(err, R1_ERR_NOMEM, "model handle, %zu bytes", sizeof *m);
    if (env) m->env = *env;
    m->params = params ? *params : r1_model_params_default();
    const r1_model_params asked = m->params;
    m->params.isa = m->params.panels = m->params.lora = NULL; /* the caller's strings; kernels->name says which row was
                                                               * chosen */
    const r1_status st = load(m, path, &asked, err);
    if (st != R1_OK) {
        r1_model_close(m);
        return st;
    }
    m->load_seconds = r1i_seconds() - start;
    *out = m;
    return R1_OK;
}

void r1_model_close(r1_model *m)
{
    if (!m) return;
    const r1_env env = m->env;
    r1i_adapter_free(m->adapter);
    r1i_arena_destroy(&m->arena);
    r1i_arena_destroy(&m->rounded);
    r1i_store_close(m->store);
    r1i_panel_file_close(m->panels);
    r1i_release(&env, m->kernels, sizeof *m->kernels);
    r1i_release(&env, m, sizeof *m);
}

void r1_model_get_info(const r1_model *m, r1_model_info *out)
{
    static const char *const name[] = {[R1I_DEEPSEEK_V3] = "deepseek_v3", [R1I_QWEN2] = "qwen2", [R1I_LLAMA] = "llama"};
    const r1i_config *const c = &m->config;
    r1i_param_count count;
    r1i_config_count(c, &count);
    *out = (r1_model_info){
        .architecture = name[c->arch],
        .isa = m->kernels->name,
        .vocab_size = c->vocab_size,
        .hidden_size = c->hidden_size,
        .layers = c->num_hidden_layers,
        .max_positions = c->max_position_embeddings,
        .mtp_layers = m->mtp ? c->num_nextn_predict_layers : 0,
        .experts_per_token = c->n_routed_experts > 0 ? c->num_experts_per_tok : 0,
        .parameters = count.total,
        .weight_bytes = m->arena.size + m->rounded.size + m->panel_bytes + (m->adapter ? m->adapter->arena.size : 0),
        .adapter_parameters = m->adapter ? r1i_adapter_count(m->adapter) : 0,
        .adapter_rank = m->adapter ? m->adapter->config.r : 0,
        .panel_bytes = m->panel_bytes,
        .mapped_bytes = m->mapped_bytes,
        .load_seconds = m->load_seconds,
        .exact_activations = m->params.exact_activations,
        .compute = m->params.compute,
    };
    for (int64_t i = 0; i < c->num_hidden_layers; i++) out->moe_layers += r1i_layer_is_moe(c, i);
}

uint64_t r1i_model_memory_left(const r1_model *m)
{
    const uint64_t have = r1i_memory_available(), half = have / 2;
    return have - (m->panel_bytes < half ? m->panel_bytes : half);
}

r1i_exec r1i_model_exec(const r1_model *m, r1i_pool *pool, r1i_arena *scratch, r1_error *err)
{
    return (r1i_exec){
        .ops = r1i_cpu_ops(),
        .backend = m->kernels,
        .pool = pool,
        .scratch = scratch,
        .compute = m->params.compute == R1_COMPUTE_BF16 ? R1I_COMPUTE_BF16 : R1I_COMPUTE_F32,
        .exact_activations = m->params.exact_activations,
        .err = err,
    };
}
