/* Files of panels from the outside: writing one by the same binding and packing that loading does, and looking at
 * one. */
#include "r1/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/pool.h"
#include "model/checkpoint_store.h"
#include "model/load.h"

static r1_status no_memory(r1_error *err) { return r1i_fail(err, R1_ERR_NOMEM, "panels"); }

/* path, or the place beside the checkpoint, into out->path. */
static r1_status place(const r1i_store *store, const char *path, r1_panels_info *out, r1_error *err)
{
    char *const beside = path ? NULL : r1i_panel_file_default_path(store);
    if (!path && !beside) return no_memory(err);
    const int n = snprintf(out->path, sizeof out->path, "%s", path ? path : beside);
    free(beside);
    return n < (int)sizeof out->path ? R1_OK : r1i_fail(err, R1_ERR_USAGE, "%.200s...: too long a path", out->path);
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct conversion {
    r1_model m;               /* config, vectors and shapes: no panels */
    r1i_pack_job *job;
    r1i_panel_key *key;       /* of each job that makes panels, in order */
    int64_t n_jobs, n_keys;
    size_t job_bytes, key_bytes;
    r1i_panel_writer *writer;
    uint64_t done;            /* bytes of the current job's panels */
} conversion;

static uint64_t job_panel_bytes(const r1i_pack_job *j)
{
    const bool t = j->kind == R1I_PACK_TRANSPOSE;
    uint64_t bytes = 0;
    /* checked when bound */
    (void)r1i_panel_bytes(j->type, t ? j->src.cols : j->rows, t ? j->rows : j->src.cols, &bytes);
    return bytes;
}

/* Panels as they come; behind the last of an fp8 matrix its scales. */
static r1_status put(void *ctx, const r1i_pack_job *j, const uint8_t *panels, uint64_t bytes, r1_error *err)
{
    conversion *const c = ctx;
    const r1_status st = r1i_panel_writer_add(c->writer, panels, bytes, err);
    c->done += bytes;
    if (st != R1_OK || c->done < job_panel_bytes(j)) return st;
    c->done = 0;
    if (j->type != R1_DTYPE_F8_E4M3) return R1_OK;
    const int64_t blocks = ((j->rows + 127) / 128) * ((j->src.cols + 127) / 128); /* as many when turned */
    return r1i_panel_writer_add(c->writer, j->scale, (uint64_t)blocks * sizeof(float), err);
}

/* Binding as for loading, but no panels get memory. */
static r1_status bind(conversion *c, r1_error *err)
{
    r1_model *const m = &c->m;
    r1i_binder plan = {.m = m, .store = m->store, .err = err};
    r1_status st = r1i_bind_measure(&plan, &m->env);
    if (st != R1_OK || (st = r1i_arena_create(&m->arena, "model", &m->env, (size_t)plan.bytes, err)) != R1_OK)
        return st;
    c->job_bytes = (size_t)plan.n_jobs * sizeof *c->job;
    c->key_bytes = (size_t)plan.n_jobs * sizeof *c->key;
    c->job = r1i_alloc(&m->env, c->job_bytes);
    c->key = r1i_alloc(&m->env, c->key_bytes);
    if (!c->job || !c->key) return no_memory(err);
    r1i_binder b = {.m = m, .store = m->store, .build = true, .elsewhere = true, .job = c->job, .err = err};
    st = r1i_bind(&b);
    c->n_jobs = b.n_jobs;
    for (int64_t i = 0; i < b.n_jobs; i++) {
        const r1i_pack_job *const j = &c->job[i];
        const bool t = j->kind == R1I_PACK_TRANSPOSE;
        if (j->kind == R1I_PACK_CHECK) continue;
        c->key[c->n_keys++] = (r1i_panel_key){.name = j->entry->name, .row0 = j->row0, .transposed = t, .type = j->type,
                                              .rows = t ? j->src.cols : j->rows, .cols = t ? j->rows : j->src.cols};
    }
    return st;
}

static r1_status convert(conversion *c, const char *model, const char *path, r1_panels_info *out, r1_error *err)
{
    r1_model *const m = &c->m;
    r1i_store_identity id; /* as it was opened: a checkpoint that is written to meanwhile no longer fits it */
    const r1i_pack_sink sink = {.put = put, .ctx = c};
    r1_status st = r1i_store_open(model, &m->env, &m->store, err);
    if (st != R1_OK || (st = place(m->store, path, out, err)) != R1_OK) return st;
    if ((st = r1i_config_read(m->store, &m->config, NULL, err)) != R1_OK || (st = bind(c, err)) != R1_OK) return st;
    r1i_store_identify(m->store, &id);
    if ((st = r1i_panel_writer_open(out->path, &id, c->key, c->n_keys, &c->writer, err)) != R1_OK) return st;
    if ((st = r1i_pack(m->store, c->job, c->n_jobs, &sink, &m->env, err)) != R1_OK) return st;
    out->bytes = r1i_panel_writer_bytes(c->writer);
    out->extents = (uint64_t)c->n_keys;
    r1i_panel_writer *const w = c->writer;
    c->writer = NULL;
    return r1i_panel_writer_commit(w, err);
}

r1_status r1_panels_write(const char *model, const char *path, r1_compute compute, const r1_env *env,
                          r1_panels_info *out, r1_error *err)
{
    r1_panels_info unasked;
    r1_panels_info *const info = out ? out : &unasked;
    conversion c = {.m = {.params = r1_model_params_default()}};
    *info = (r1_panels_info){.bytes = 0};
    if (env) c.m.env = *env;
    c.m.params.load_mtp = true;
    c.m.params.compute = compute;
    const r1_status st = convert(&c, model, path, info, err);
    info->present = info->valid = st == R1_OK;
    r1i_panel_writer_abort(c.writer);
    r1i_release(&c.m.env, c.key, c.key_bytes);
    r1i_release(&c.m.env, c.job, c.job_bytes);
    r1i_arena_destroy(&c.m.arena);
    r1i_store_close(c.m.store);
    return st;
}

/* ---- looking ----------------------------------------------------------------------------------------------------- */

typedef struct reading {
    const r1i_panel_file *file;
    r1_error *error;  /* [threads]: of each thread's first bad extent; code R1_OK: none */
    int64_t first;    /* extents are read in runs, so that progress can be told between them */
} reading;

static void check_extent(void *ctx, int64_t i, int thread)
{
    const reading *const r = ctx;
    r1_error *const e = &r->error[thread];
    if (e->code == R1_OK) r1i_panel_file_check_extent(r->file, r->first + i, e);
}

/* Every extent's checksum over all threads; the error with the lowest offset. */
static r1_status check_data(const r1i_panel_file *f, const r1_env *env, r1_error *err)
{
    enum { RUN = 64 };
    r1i_pool *pool;
    const int64_t n = r1i_panel_file_extents(f);
    uint64_t done = 0;
    r1_status st = r1i_pool_create(env, 0, &pool, err);
    if (st != R1_OK) return st;
    const int threads = r1i_pool_threads(pool);
    reading r = {.file = f, .error = calloc((size_t)threads, sizeof *r.error)};
    if (!r.error) st = no_memory(err);
    for (; st == R1_OK && r.first < n; r.first += RUN) {
        const int64_t part = n - r.first < RUN ? n - r.first : RUN;
        r1i_pool_run(pool, part, check_extent, &r);
        for (int64_t i = 0; i < part; i++) done += r1i_panel_file_extent_bytes(f, r.first + i);
        r1i_progress(env, "checking", done, r1i_panel_file_bytes(f));
        for (int t = 0; t < threads; t++)
            if (r.error[t].code != R1_OK && (st == R1_OK || r.error[t].offset < err->offset))
                st = (*err = r.error[t]).code;
    }
    r1i_progress(env, "checking", 1, 1);
    free(r.error);
    r1i_pool_destroy(pool);
    return st;
}

r1_status r1_panels_check(const r1_checkpoint *k, const char *path, bool data, const r1_env *env, r1_panels_info *out,
                          r1_error *err)
{
    const r1i_store *const store = r1i_checkpoint_store(k);
    r1i_store_identity id;
    r1i_panel_file *f = NULL;
    r1_error why = {0};
    *out = (r1_panels_info){.bytes = 0};
    if (!store) return r1i_fail(err, R1_ERR_USAGE, "a bare configuration has no panels");
    r1_status st = place(store, path, out, err);
    if (st != R1_OK) return st;
    out->present = access(out->path, F_OK) == 0;
    if (!out->present) {
        snprintf(out->problem, sizeof out->problem, "there is none");
        return R1_OK;
    }
    st = r1i_panel_file_open(out->path, &f, &why);
    if (st == R1_OK) {
        out->bytes = r1i_panel_file_bytes(f);
        out->extents = (uint64_t)r1i_panel_file_extents(f);
        r1i_store_identify(store, &id);
        st = r1i_panel_file_match(f, &id, &why);
        if (st == R1_OK && data) st = check_data(f, env, &why);
        if (st != R1_OK) r1i_error_prefix(&why, "%s: ", out->path);
    }
    r1i_panel_file_close(f);
    out->valid = st == R1_OK;
    if (st == R1_OK) return R1_OK;
    if (st != R1_ERR_NOMEM) {
        if (why.offset >= 0)
            snprintf(out->problem, sizeof out->problem, "%.440s (offset %" PRId64 ")", why.message, why.offset);
        else snprintf(out->problem, sizeof out->problem, "%s", why.message);
        return R1_OK;
    }
    if (err) *err = why;
    return st;
}
