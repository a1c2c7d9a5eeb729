/* Attention over paged caches: cuts a batch into blocks of queries that share a kv head, walks their spans and merges.
 * Which thread computes what, how many queries a block has and whether spans run side by side never moves a bit: a
 * query's spans are computed from its own positions alone and merged in ascending order. */
#include "backend/cpu/attention.h"

#include <string.h>

#include "tensor/codec.h"

typedef struct result {
    float *m, *l, *acc;
} result;

/* Everything the items of one op call share. */
typedef struct attn {
    const r1i_attn_kernels *kernels;
    const r1i_attn_shape *s;
    const r1i_kv_layer *kv;
    r1i_mat o, q;
    const r1i_run *runs;
    int64_t n_runs, blocks;
    int64_t group, head_block, row_block; /* heads a kv head has; heads and rows of a block */
    int64_t head_blocks;                  /* blocks a row of one kv head has */
    /* per thread */
    float *scores, *keys, *queries;       /* strides: BLOCK * PAGE, PAGE * key_dim, BLOCK * key_dim */
    result *own;                          /* [2 threads] */
    /* spans side by side */
    int64_t wave, first_span;
    result *running, *partial;            /* [blocks], [blocks * wave] */
    float *packed;                        /* [blocks][BLOCK * key_dim] */
} attn;

/* A block: rows [row, row + rows) of a run, heads [head, head + heads) of the group of one kv head. */
typedef struct block {
    const r1i_run *run;
    int64_t kv_head, head, heads, row, rows;
} block;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t blocks_of(const attn *a, const r1i_run *run)
{
    return (run->n + a->row_block - 1) / a->row_block * a->s->kv_heads * a->head_blocks;
}

/* Late rows see more positions: they come first, so that the last items of a prefill are short. */
static block block_at(const attn *a, int64_t i)
{
    const r1i_run *run = a->runs;
    for (; i >= blocks_of(a, run); run++) i -= blocks_of(a, run);
    i = blocks_of(a, run) - 1 - i;
    block b = {.run = run};
    b.head = i % a->head_blocks * a->head_block;
    i /= a->head_blocks;
    b.kv_head = i % a->s->kv_heads;
    b.row = i / a->s->kv_heads * a->row_block;
    b.rows = min64(a->row_block, run->n - b.row);
    b.heads = min64(a->head_block, a->group - b.head);
    return b;
}

static int64_t first_head(const attn *a, const block *b) { return b->kv_head * a->group + b->head; }
static int64_t first_pos(const block *b) { return b->run->pos0 + b->row; }
static int64_t spans_of(const block *b) { return (first_pos(b) + b->rows - 1) / R1I_SPAN + 1; }

static void pack_queries(const attn *a, const block *b, float *dst)
{
    const size_t row_bytes = sizeof(float) * (size_t)(b->heads * a->s->key_dim);
    for (int64_t r = 0; r < b->rows; r++)
        memcpy(dst + r * b->heads * a->s->key_dim,
               a->q.p + (b->run->first + b->row + r) * a->q.stride + first_head(a, b) * a->s->key_dim, row_bytes);
}

static void run_span(const attn *a, const block *b, const float *q, int64_t span, const result *out, int thread)
{
    const r1i_attn_span call = {
        .shape = a->s, .kv = a->kv, .pages = b->run->pages, .kv_head = b->kv_head, .q = q, .rows = b->rows, .heads = b->heads,
        .pos0 = first_pos(b), .start = span * R1I_SPAN, .m = out->m, .l = out->l, .acc = out->acc,
        .scores = a->scores + (int64_t)thread * R1I_ATTN_BLOCK * R1I_PAGE,
        .keys = a->keys ? a->keys + (int64_t)thread * R1I_PAGE * a->s->key_dim : NULL,
    };
    a->kernels->span(&call);
}

/* Fold one span's results into the running ones, for queries [q0, q1) of the block that reach the span. */
static void merge_span(const attn *a, const block *b, const result *run, const result *part, int64_t span, int64_t q0, int64_t q1)
{
    const int64_t dim = a->s->value_dim;
    for (int64_t i = q0; i < q1; i++) {
        if (first_pos(b) + i / b->heads < span * R1I_SPAN) continue;
        float *const acc = run->acc + i * dim;
        const float *const add = part->acc + i * dim;
        if (span > 0) {
            a->kernels->merge(&run->m[i], &run->l[i], acc, part->m[i], part->l[i], add, dim);
        } else {
            run->m[i] = part->m[i];
            run->l[i] = part->l[i];
            memcpy(acc, add, sizeof(float) * (size_t)dim);
        }
    }
}

static void store_block(const attn *a, const block *b, const result *run)
{
    const int64_t dim = a->s->value_dim;
    for (int64_t i = 0; i < b->rows * b->heads; i++)
        a->kernels->finish(a->o.p + (b->run->first + b->row + i / b->heads) * a->o.stride + (first_head(a, b) + i % b->heads) * dim,
                           run->acc + i * dim, run->l[i], dim);
}

/* One block over all its spans. */
static void whole_item(void *ctx, int64_t i, int thread)
{
    const attn *const a = ctx;
    const block b = block_at(a, i);
    float *const q = a->queries + (int64_t)thread * R1I_ATTN_BLOCK * a->s->key_dim;
    const result *const own = a->own + 2 * thread;
    pack_queries(a, &b, q);
    run_span(a, &b, q, 0, &own[0], thread);
    for (int64_t s = 1; s < spans_of(&b); s++) {
        run_span(a, &b, q, s, &own[1], thread);
        merge_span(a, &b, &own[0], &own[1], s, 0, b.rows * b.heads);
    }
    store_block(a, &b, &own[0]);
}

static void span_item(void *ctx, int64_t i, int thread)
{
    const attn *const a = ctx;
    const int64_t ib = i / a->wave, span = a->first_span + i % a->wave;
    const block b = block_at(a, ib);
    if (span < spans_of(&b)) run_span(a, &b, a->packed + ib * R1I_ATTN_BLOCK * a->s->key_dim, span, &a->partial[i], thread);
}

enum { MERGE_PARTS = 4 };
static void merge_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const attn *const a = ctx;
    const int64_t ib = i / MERGE_PARTS, part = i % MERGE_PARTS;
    const block b = block_at(a, ib);
    const int64_t n = b.rows * b.heads;
    for (int64_t w = 0; w < a->wave && a->first_span + w < spans_of(&b); w++)
        merge_span(a, &b, &a->running[ib], &a->partial[ib * a->wave + w], a->first_span + w, n * part / MERGE_PARTS,
                   n * (part + 1) / MERGE_PARTS);
}

static float *take_floats(r1i_exec *ex, int64_t n) { return r1i_arena_take(ex->scratch, sizeof(float) * (size_t)n, ex->err); }

static bool take_results(r1i_exec *ex, const attn *a, result *r, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        r[i].m = take_floats(ex, R1I_ATTN_BLOCK);
        r[i].l = r[i].m ? take_floats(ex, R1I_ATTN_BLOCK) : NULL;
        r[i].acc = r[i].l ? take_floats(ex, R1I_ATTN_BLOCK * a->s->value_dim) : NULL;
        if (!r[i].acc) return false;
    }
    return true;
}

/* Few blocks, long contexts (decode): spans run side by side, a wave at a time, so that memory does not grow with the context. */
static r1_status run_waves(r1i_exec *ex, attn *a, int64_t max_spans)
{
    const int64_t key_block = R1I_ATTN_BLOCK * a->s->key_dim;
    a->running = r1i_arena_take(ex->scratch, sizeof(result) * (size_t)a->blocks, ex->err);
    a->partial = a->running ? r1i_arena_take(ex->scratch, sizeof(result) * (size_t)(a->blocks * a->wave), ex->err) : NULL;
    a->packed = a->partial ? take_floats(ex, a->blocks * key_block) : NULL;
    if (!a->packed || !take_results(ex, a, a->running, a->blocks) || !take_results(ex, a, a->partial, a->blocks * a->wave))
        return R1_ERR_NOMEM;
    for (int64_t i = 0; i < a->blocks; i++) {
        const block b = block_at(a, i);
        pack_queries(a, &b, a->packed + i * key_block);
    }
    for (a->first_span = 0; a->first_span < max_spans; a->first_span += a->wave) {
        r1i_pool_run(ex->pool, a->blocks * a->wave, span_item, a);
        r1i_pool_run(ex->pool, a->blocks * MERGE_PARTS, merge_item, a);
    }
    for (int64_t i = 0; i < a->blocks; i++) {
        const block b = block_at(a, i);
        store_block(a, &b, &a->running[i]);
    }
    return R1_OK;
}

static r1_status run_blocks(r1i_exec *ex, attn *a, int threads)
{
    a->own = r1i_arena_take(ex->scratch, sizeof(result) * 2 * (size_t)threads, ex->err);
    a->queries = a->own ? take_floats(ex, threads * R1I_ATTN_BLOCK * a->s->key_dim) : NULL;
    if (!a->queries || !take_results(ex, a, a->own, 2 * threads)) return R1_ERR_NOMEM;
    r1i_pool_run(ex->pool, a->blocks, whole_item, a);
    return R1_OK;
}

/* Large blocks share loaded keys among most queries; smaller ones when there would be less than one for each thread, down
 * to where walking (MLA: transposing) the keys again costs more than the thread gains. */
enum { SMALLEST_BLOCK = 16 };
static void cut_blocks(attn *a, int threads)
{
    a->group = a->s->heads / a->s->kv_heads;
    for (int64_t size = R1I_ATTN_BLOCK;; size /= 2) {
        a->head_block = min64(a->group, size);
        a->head_blocks = (a->group + a->head_block - 1) / a->head_block;
        a->row_block = size / a->head_block;
        a->blocks = 0;
        for (int64_t i = 0; i < a->n_runs; i++) a->blocks += blocks_of(a, &a->runs[i]);
        if (a->blocks >= threads || size <= SMALLEST_BLOCK) return;
    }
}

static r1_status run_all(r1i_exec *ex, attn *a)
{
    const int threads = r1i_pool_threads(ex->pool);
    int64_t max_spans = 0;
    cut_blocks(a, threads);
    for (int64_t i = 0; i < a->n_runs; i++) {
        const int64_t last = a->runs[i].pos0 + a->runs[i].n - 1;
        if (a->runs[i].n > 0 && last / R1I_SPAN + 1 > max_spans) max_spans = last / R1I_SPAN + 1;
    }
    if (a->blocks == 0) return R1_OK;
    a->scores = take_floats(ex, threads * R1I_ATTN_BLOCK * R1I_PAGE);
    if (!a->scores) return R1_ERR_NOMEM;
    if (a->s->mla && !(a->keys = take_floats(ex, threads * R1I_PAGE * a->s->key_dim))) return R1_ERR_NOMEM;
    if (threads == 1 || max_spans == 1 || a->blocks >= 2 * threads) return run_blocks(ex, a, threads);
    a->wave = R1I_ATTN_WAVE * threads / a->blocks; /* at least 3, as blocks < 2 threads */
    return run_waves(ex, a, max_spans);
}

r1_status r1i_cpu_attention(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                            const r1i_run *runs, int64_t n_runs)
{
    const r1i_cpu_kernels *const k = ex->backend;
    attn a = {.kernels = k->attn, .s = s, .kv = kv, .o = o, .q = q, .runs = runs, .n_runs = n_runs};
    const size_t mark = r1i_arena_mark(ex->scratch);
    const r1_status st = run_all(ex, &a);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

/* ---- writing --------------------------------------------------------------------------------------------------------- */

/* dst[i * step] = src[i], i < n, in the cache's type. */
static void put(const r1i_kv_layer *kv, uint8_t *base, int64_t at, int64_t step, const float *src, int64_t n)
{
    if (kv->type == R1I_CACHE_BF16) {
        uint16_t *const dst = (uint16_t *)(void *)base + at;
        for (int64_t i = 0; i < n; i++) dst[i * step] = r1i_bf16_from_f32(src[i]);
    } else {
        float *const dst = (float *)(void *)base + at;
        for (int64_t i = 0; i < n; i++) dst[i * step] = src[i];
    }
}

r1_status r1i_cpu_kv_write(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                           const r1i_run *runs, int64_t n_runs)
{
    (void)ex;
    for (int64_t i = 0; i < n_runs; i++) {
        for (int64_t r = 0; r < runs[i].n; r++) {
            const int64_t pos = runs[i].pos0 + r, j = pos % R1I_PAGE, row = runs[i].first + r;
            uint8_t *const page = kv->data + (int64_t)runs[i].pages[pos / R1I_PAGE] * kv->page_bytes;
            const float *const key = k.p + row * k.stride;
            if (s->mla) {
                put(kv, page, j * s->key_dim, 1, key, s->key_dim);
                continue;
            }
            const float *const value = v.p + row * v.stride;
            const int64_t dim = s->key_dim;
            for (int64_t h = 0; h < s->kv_heads; h++) {
                const int64_t base = h * r1i_kv_head_elems(s);
                put(kv, page, base + j / 16 * dim * 16 + j % 16, 16, key + h * dim, dim);
                put(kv, page, base + R1I_PAGE * dim + j * dim, 1, value + h * dim, dim);
            }
        }
    }
    return R1_OK;
}
