/* Attention over paged caches: cuts a batch into blocks of queries that share a kv head, walks their spans and merges.
 * Which thread computes what, how many queries a block has and whether spans run side by side never moves a bit: a
 * query's spans are computed from its own positions alone and merged in ascending order. */
#include "backend/cpu/attention.h"

#include <string.h>

#include "backend/cpu/claim.h"
#include "backend/cpu/shares.h"
#include "tensor/codec.h"

typedef struct result {
    float *m, *l, *acc;
} result;

/* A block's queries as spans want them: themselves, [rows * heads, key_dim], and what is made of them. */
typedef struct packed {
    const float *q, *scale;
    const uint8_t *whole;
} packed;

/* Everything the items of one op call share. */
typedef struct attn {
    const r1i_attn_kernels *kernels;
    const r1i_attn_shape *s;
    const r1i_kv_layer *kv;
    r1i_mat o, q;
    const r1i_run *runs;
    const r1i_coming *next;               /* nullable */
    int64_t n_runs, blocks;
    int64_t group, head_block, row_block; /* heads a kv head has; heads and rows of a block */
    int64_t head_blocks;                  /* blocks a row of one kv head has */
    /* per thread */
    r1i_asks *asks;                       /* nullable */
    float *scores, *queries;              /* strides: BLOCK * PAGE, queries_of */
    float *weights;                       /* q8, GQA: groups of a value * BLOCK * PAGE */
    float *keys, *turned, *turned_scores; /* MLA: PAGE * key_dim, BLOCK * key_dim, BLOCK * PAGE */
    result *own;                          /* [2 threads] */
    /* spans side by side */
    int64_t wave, first_span, most_queries; /* spans of a block under way; queries of the largest block */
    result *running, *partial;            /* [blocks], [blocks * wave] */
    packed *ready;                        /* [blocks] */
    _Atomic int64_t *merged;              /* [blocks]: spans that `running` has */
    r1i_share share[R1I_SHARES];
    int shares;
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
    if (run->n > 1) i = blocks_of(a, run) - 1 - i;
    block b = {.run = run};
    b.head = i % a->head_blocks * a->head_block;
    i /= a->head_blocks;
    b.kv_head = i % a->s->kv_heads;
    b.row = i / a->s->kv_heads * a->row_block;
    b.rows = min64(a->row_block, run->n - b.row);
    b.heads = min64(a->head_block, a->group - b.head);
    return b;
}

static int64_t queries_of(const r1i_attn_shape *s) { return R1I_ATTN_BLOCK * r1i_attn_query_floats(s); }
static int64_t weights_of(const r1i_attn_shape *s)
{
    return r1i_cache_groups(s->value_dim) * R1I_ATTN_BLOCK * R1I_PAGE;
}

static int64_t first_head(const attn *a, const block *b) { return b->kv_head * a->group + b->head; }
static int64_t first_pos(const block *b) { return b->run->pos0 + b->row; }
static int64_t spans_of(const block *b) { return (first_pos(b) + b->rows - 1) / R1I_SPAN + 1; }

/* q8: whole numbers at `row`, their factor into *scale. */
static void whole_query(const attn *a, const float *q, float *scale, uint8_t *row)
{
    const int64_t dim = a->s->key_dim, wide = r1i_cache_key_elems(a->s, R1I_CACHE_Q8);
    float inverse;
    const float factor = r1i_q16_factor(q, dim, &inverse);
    for (int64_t d = 0; d < wide; d += R1I_Q8_GROUP) {
        int16_t w[R1I_Q8_GROUP];
        const int64_t n = min64(wide - d, R1I_Q8_GROUP);
        for (int64_t i = 0; i < n; i++) w[i] = d + i < dim ? r1i_q16(q[d + i], inverse) : 0;
        if (a->kernels->whole) a->kernels->whole(row, wide, d, w, n);
        else memcpy(row + 2 * d, w, (size_t)n * sizeof *w);
    }
    *scale *= factor;
}

/* `to`: queries_of floats. One row's lie side by side in the batch and are left there: a decoded row's way through
 * memory is as long as its arithmetic. */
static packed pack_queries(const attn *a, const block *b, float *to)
{
    const int64_t dim = a->s->key_dim, n = b->rows * b->heads;
    float *const scale = to + R1I_ATTN_BLOCK * dim;
    uint8_t *const whole = (uint8_t *)(scale + R1I_ATTN_BLOCK);
    packed all = {.q = to, .scale = scale, .whole = whole};
    for (int64_t r = 0; r < b->rows; r++) {
        const float *const from = a->q.p + (b->run->first + b->row + r) * a->q.stride + first_head(a, b) * dim;
        if (b->rows == 1) all.q = from;
        else memcpy(to + r * b->heads * dim, from, sizeof(float) * (size_t)(b->heads * dim));
    }
    for (int64_t i = 0; i < n; i++) {
        scale[i] = a->s->scale;
        if (a->weights) whole_query(a, all.q + i * dim, &scale[i], whole + i * r1i_attn_whole_bytes(a->s));
    }
    return all;
}

static void run_span(const attn *a, const block *b, const packed *q, int64_t span, const result *out,
                     const uint8_t *after, int thread)
{
    const r1i_attn_span call = {
        .shape = a->s, .kv = a->kv, .pages = b->run->pages, .kv_head = b->kv_head, .q = q->q, .scale = q->scale,
        .whole = q->whole, .whole_step = r1i_attn_whole_bytes(a->s), .rows = b->rows,
        .heads = b->heads, .pos0 = first_pos(b), .start = span * R1I_SPAN, .after = after,
        .asks = a->asks ? &a->asks[thread] : NULL, .m = out->m, .l = out->l,
        .acc = out->acc, .scores = a->scores + (int64_t)thread * R1I_ATTN_BLOCK * R1I_PAGE,
        .weights = a->weights ? a->weights + thread * weights_of(a->s) : NULL,
        .keys = a->keys ? a->keys + (int64_t)thread * R1I_PAGE * a->s->key_dim : NULL,
        .turned = a->turned ? a->turned + (int64_t)thread * R1I_ATTN_BLOCK * a->s->key_dim : NULL,
        .turned_scores = a->turned ? a->turned_scores + (int64_t)thread * R1I_ATTN_BLOCK * R1I_PAGE : NULL,
    };
    a->kernels->span(&call);
}

/* Fold one span's results into the running ones, for queries [q0, q1) of the block; rows before the span have none. */
static void merge_span(const attn *a, const block *b, const result *run, const result *part, int64_t span, int64_t q0,
                       int64_t q1)
{
    const int64_t dim = a->s->value_dim, row = span * R1I_SPAN - first_pos(b),
                  from = row > 0 && row * b->heads > q0 ? row * b->heads : q0;
    if (from >= q1) return;
    a->kernels->merge(run->m + from, run->l + from, run->acc + from * dim, part->m + from, part->l + from,
                      part->acc + from * dim, q1 - from, dim);
}

static void store_block(const attn *a, const block *b, const result *run)
{
    const int64_t dim = a->s->value_dim;
    for (int64_t i = 0; i < b->rows * b->heads; i++)
        a->kernels->finish(a->o.p + (b->run->first + b->row + i / b->heads) * a->o.stride +
                           (first_head(a, b) + i % b->heads) * dim, run->acc + i * dim, run->l[i], dim);
}

/* One block over all its spans. */
static void whole_item(void *ctx, int64_t i, int thread)
{
    const attn *const a = ctx;
    const block b = block_at(a, i);
    const packed q = pack_queries(a, &b, a->queries + thread * queries_of(a->s));
    const result *const own = a->own + 2 * thread;
    result all = own[0];
    if (b.rows == 1) { /* its results lie side by side in the batch, as its queries do */
        all.acc = a->o.p + (b.run->first + b.row) * a->o.stride + first_head(a, &b) * a->s->value_dim;
        r1i_claim(all.acc, sizeof(float) * (size_t)(b.heads * a->s->value_dim));
    }
    run_span(a, &b, &q, 0, &all, NULL, thread);
    for (int64_t s = 1; s < spans_of(&b); s++) {
        run_span(a, &b, &q, s, &own[1], NULL, thread);
        merge_span(a, &b, &all, &own[1], s, 0, b.rows * b.heads);
    }
    store_block(a, &b, &all);
}

/* Decoded rows: the first threads take the first heads, whose queries they most likely have near, and leave the results
 * to themselves. */
static void whole_share(void *ctx, int64_t i, int thread)
{
    attn *const a = ctx;
    (void)i;
    for (int64_t item; (item = r1i_shares_take(a->share, a->shares, thread % a->shares)) >= 0;)
        whole_item(a, item, thread);
}

/* One span of a block; merged at once, while it is near, where all before it are: so it is for most, as a thread's
 * share is contiguous. */
static void span_item(attn *a, int64_t i, int thread)
{
    const int64_t ib = i / a->wave, span = a->first_span + i % a->wave;
    const block b = block_at(a, ib), next = ib + 1 < a->blocks ? block_at(a, ib + 1) : b;
    if (span >= spans_of(&b)) return;
    const int32_t page = next.run->pages[a->first_span < spans_of(&next) ? a->first_span * (R1I_SPAN / R1I_PAGE) : 0];
    const uint8_t *const after = r1i_kv_head_at(a->s, a->kv, page, next.kv_head).keys;
    const result *const out = span == 0 ? &a->running[ib] : &a->partial[i];
    run_span(a, &b, &a->ready[ib], span, out, after, thread);
    if (atomic_load_explicit(&a->merged[ib], memory_order_acquire) != span) return;
    if (span > 0) merge_span(a, &b, &a->running[ib], out, span, 0, b.rows * b.heads);
    atomic_store_explicit(&a->merged[ib], span + 1, memory_order_release);
}
static void span_share(void *ctx, int64_t i, int thread)
{
    attn *const a = ctx;
    (void)i;
    for (int64_t item; (item = r1i_shares_take(a->share, a->shares, thread % a->shares)) >= 0;)
        span_item(a, item, thread);
}

/* What is left to merge of a wave, by parts of a block's queries. */
enum { MERGE_PARTS = 4 };
static void merge_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const attn *const a = ctx;
    const int64_t ib = i / MERGE_PARTS, part = i % MERGE_PARTS;
    const block b = block_at(a, ib);
    const int64_t n = b.rows * b.heads, end = min64(a->first_span + a->wave, spans_of(&b));
    for (int64_t s = atomic_load_explicit(&a->merged[ib], memory_order_relaxed); s < end; s++)
        merge_span(a, &b, &a->running[ib], &a->partial[ib * a->wave + s - a->first_span], s, n * part / MERGE_PARTS,
                   n * (part + 1) / MERGE_PARTS);
}

/* Waking others costs more than a few spans. */
enum { MERGE_INLINE = 16 * 1024 };
static void run_wave(r1i_exec *ex, attn *a)
{
    a->shares = r1i_shares_of(r1i_pool_threads(ex->pool), a->blocks * a->wave);
    r1i_shares_cut(a->share, a->shares, a->blocks * a->wave);
    r1i_pool_run(ex->pool, a->shares, span_share, a);
    int64_t left = 0;
    for (int64_t i = 0; i < a->blocks; i++) {
        const block b = block_at(a, i);
        const int64_t end = min64(a->first_span + a->wave, spans_of(&b)),
                      merged = atomic_load_explicit(&a->merged[i], memory_order_relaxed);
        if (merged < end) left += (end - merged) * b.rows * b.heads * a->s->value_dim;
    }
    if (left > 0) r1i_pool_run(left > MERGE_INLINE ? ex->pool : NULL, a->blocks * MERGE_PARTS, merge_item, a);
    for (int64_t i = 0; i < a->blocks; i++)
        atomic_store_explicit(&a->merged[i], a->first_span + a->wave, memory_order_relaxed);
}

static float *take_floats(r1i_exec *ex, int64_t n)
{
    return r1i_arena_take(ex->scratch, sizeof(float) * (size_t)n, ex->err);
}

/* n results of `queries` queries each. */
static bool take_results(r1i_exec *ex, const attn *a, result *r, int64_t n, int64_t queries)
{
    for (int64_t i = 0; i < n; i++) {
        r[i].m = take_floats(ex, queries);
        r[i].l = r[i].m ? take_floats(ex, queries) : NULL;
        r[i].acc = r[i].l ? take_floats(ex, queries * a->s->value_dim) : NULL;
        if (!r[i].acc) return false;
    }
    return true;
}

/* Few blocks, long contexts (decode): spans run side by side, a wave at a time, so that memory does not grow with the
 * context. */
static r1_status run_waves(r1i_exec *ex, attn *a, int64_t max_spans)
{
    a->running = r1i_arena_take(ex->scratch, sizeof(result) * (size_t)a->blocks, ex->err);
    a->partial = a->running ? r1i_arena_take(ex->scratch, sizeof(result) * (size_t)(a->blocks * a->wave), ex->err)
        : NULL;
    a->ready = a->partial ? r1i_arena_take(ex->scratch, sizeof *a->ready * (size_t)a->blocks, ex->err) : NULL;
    float *const room = a->ready ? take_floats(ex, a->blocks * queries_of(a->s)) : NULL;
    a->merged = room ? r1i_arena_take(ex->scratch, sizeof *a->merged * (size_t)a->blocks, ex->err) : NULL;
    if (!a->merged || !take_results(ex, a, a->running, a->blocks, a->most_queries) ||
        !take_results(ex, a, a->partial, a->blocks * a->wave, a->most_queries))
        return R1_ERR_NOMEM;
    for (int64_t i = 0; i < a->blocks; i++) {
        const block b = block_at(a, i);
        a->ready[i] = pack_queries(a, &b, room + i * queries_of(a->s));
        atomic_init(&a->merged[i], 0);
    }
    for (a->first_span = 0; a->first_span < max_spans; a->first_span += a->wave) run_wave(ex, a);
    for (int64_t i = 0; i < a->blocks; i++) {
        const block b = block_at(a, i);
        store_block(a, &b, &a->running[i]);
    }
    return R1_OK;
}

static r1_status run_blocks(r1i_exec *ex, attn *a, int threads)
{
    a->own = r1i_arena_take(ex->scratch, sizeof(result) * 2 * (size_t)threads, ex->err);
    a->queries = a->own ? take_floats(ex, threads * queries_of(a->s)) : NULL;
    if (!a->queries || !take_results(ex, a, a->own, 2 * threads, R1I_ATTN_BLOCK)) return R1_ERR_NOMEM;
    if (a->q.rows > a->n_runs) {
        r1i_pool_run(ex->pool, a->blocks, whole_item, a);
        return R1_OK;
    }
    a->shares = r1i_shares_of(threads, a->blocks);
    r1i_shares_cut(a->share, a->shares, a->blocks);
    r1i_pool_run(ex->pool, a->shares, whole_share, a);
    return R1_OK;
}

/* Large blocks share loaded keys among most queries; smaller ones when there would be less than one for each thread,
 * down to where walking (MLA: transposing) the keys again costs more than the thread gains. MLA's sixteen heads are one
 * block, and where spans cannot be shared out either, two halves. */
enum { SMALLEST_BLOCK = 16, SMALLEST_MLA = 8 };
static void cut_blocks(attn *a, int threads, int64_t max_spans)
{
    const int64_t smallest = a->s->mla && max_spans < threads ? SMALLEST_MLA : SMALLEST_BLOCK;
    a->group = a->s->heads / a->s->kv_heads;
    for (int64_t size = R1I_ATTN_BLOCK;; size /= 2) {
        a->head_block = min64(a->group, size);
        a->head_blocks = (a->group + a->head_block - 1) / a->head_block;
        a->row_block = size / a->head_block;
        a->blocks = 0;
        for (int64_t i = 0; i < a->n_runs; i++) a->blocks += blocks_of(a, &a->runs[i]);
        if (a->blocks >= threads || size <= smallest) return;
    }
}

static int64_t result_bytes(const attn *a, int64_t queries)
{
    /* each array begins on a line of its own */
    return (int64_t)sizeof(float) * (queries * a->s->value_dim + 16 + 2 * (queries + 16));
}
/* A wave ends in two barriers, so it takes as many spans as R1I_ATTN_WAVE results of whole blocks a thread leave room
 * for: a decoded row has few queries, and its 16K positions are one wave. At least 3, as blocks < 2 threads. */
static int64_t wave_of(attn *a, int threads, int64_t max_spans)
{
    const int64_t room = R1I_ATTN_WAVE * threads * (int64_t)sizeof(float) * R1I_ATTN_BLOCK * (a->s->value_dim + 2);
    a->most_queries = 0;
    for (int64_t i = 0; i < a->n_runs; i++) {
        const int64_t queries = min64(a->runs[i].n, a->row_block) * a->head_block;
        if (queries > a->most_queries) a->most_queries = queries;
    }
    const int64_t fits = room / (result_bytes(a, a->most_queries) + (int64_t)sizeof(result)) / a->blocks;
    const int64_t least = R1I_ATTN_WAVE * threads / a->blocks;
    return min64(max_spans, fits > least ? fits : least);
}

/* Where one row's attention leaves memory idle: with an f32 or bf16 cache the pages themselves, or the tiles' loads,
 * are the bound. Several rows have so much to compute that memory waits for their products, too. */
static bool spares_memory(const attn *a) { return a->q.rows == 1 && a->kv->type == R1I_CACHE_Q8 && !a->s->mla; }
static void begin_asks(attn *a, r1i_asks *asks, int threads, int64_t max_spans)
{
    if (!a->next || a->kernels->asks == 0 || threads > R1I_SHARES || !spares_memory(a)) return;
    const int64_t pages = a->blocks * max_spans * (R1I_SPAN / R1I_PAGE) / threads;
    for (int t = 0; t < threads; t++) r1i_asks_begin(&asks[t], a->next, a->kernels->asks, t, threads, pages);
    a->asks = asks;
}

static r1_status run_all(r1i_exec *ex, attn *a)
{
    const int threads = r1i_pool_threads(ex->pool);
    int64_t max_spans = 0;
    for (int64_t i = 0; i < a->n_runs; i++) {
        const int64_t last = a->runs[i].pos0 + a->runs[i].n - 1;
        if (a->runs[i].n > 0 && last / R1I_SPAN + 1 > max_spans) max_spans = last / R1I_SPAN + 1;
    }
    cut_blocks(a, threads, max_spans);
    if (a->blocks == 0) return R1_OK;
    a->scores = take_floats(ex, threads * R1I_ATTN_BLOCK * R1I_PAGE);
    if (!a->scores) return R1_ERR_NOMEM;
    if (a->s->mla) {
        a->keys = take_floats(ex, threads * R1I_PAGE * a->s->key_dim);
        a->turned_scores = !a->keys ? NULL : take_floats(ex, threads * R1I_ATTN_BLOCK * R1I_PAGE);
        a->turned = a->turned_scores ? take_floats(ex, threads * R1I_ATTN_BLOCK * a->s->key_dim) : NULL;
        if (!a->turned) return R1_ERR_NOMEM;
    } else if (a->kv->type == R1I_CACHE_Q8) {
        a->weights = take_floats(ex, threads * weights_of(a->s));
        if (!a->weights) return R1_ERR_NOMEM;
    }
    r1i_asks asks[R1I_SHARES];
    begin_asks(a, asks, threads, max_spans);
    if (threads == 1 || max_spans == 1 || a->blocks >= 2 * threads) return run_blocks(ex, a, threads);
    a->wave = wave_of(a, threads, max_spans);
    return run_waves(ex, a, max_spans);
}

r1_status r1i_cpu_attention(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                            const r1i_run *runs, int64_t n_runs, const r1i_coming *next)
{
    const r1i_cpu_kernels *const k = ex->backend;
    attn a = {.kernels = k->attn, .s = s, .kv = kv, .o = o, .q = q, .runs = runs, .n_runs = n_runs, .next = next};
    const size_t mark = r1i_arena_mark(ex->scratch);
    const r1_status st = run_all(ex, &a);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct writing {
    const r1i_attn_shape *s;
    const r1i_kv_layer *kv;
    r1i_mat k, v;
    const r1i_run *runs;
    int64_t n_runs;
} writing;

/* Element i < n of src goes to element at + i * step, in the cache's type. */
static void put(r1i_cache_type type, uint8_t *base, int64_t at, int64_t step, const float *src, int64_t n)
{
    if (type == R1I_CACHE_BF16) {
        uint16_t *const dst = (uint16_t *)(void *)base + at;
        for (int64_t i = 0; i < n; i++) dst[i * step] = r1i_bf16_from_f32(src[i]);
    } else {
        float *const dst = (float *)(void *)base + at;
        for (int64_t i = 0; i < n; i++) dst[i * step] = src[i];
    }
}
static void put_q8(const r1i_attn_shape *s, int8_t *dst, float *scale, int64_t scale_step, const float *src)
{
    for (int64_t from = 0, to; from < s->key_dim; from = to, scale += scale_step) {
        to = r1i_cache_group_end(s, from);
        *scale = r1i_q8_group(src + from, to - from, dst + from);
    }
}
/* A key of GQA, four dims every 64 bytes. */
static void put_q8_key(const r1i_attn_shape *s, uint8_t *dst, float *scale, const float *src)
{
    int8_t q[R1I_Q8_GROUP];
    for (int64_t from = 0, to; from < s->key_dim; from = to, scale += 16) {
        to = r1i_cache_group_end(s, from);
        memset(q, 0, sizeof q);
        *scale = r1i_q8_group(src + from, to - from, q);
        for (int64_t d = from; d < to; d += 4) memcpy(dst + d * 16, q + d - from, 4);
    }
}

static void write_q8(const writing *w, const r1i_kv_head *page, int64_t j, const float *key, const float *value)
{
    const r1i_attn_shape *const s = w->s;
    const int64_t groups = r1i_cache_key_groups(s), dim = s->key_dim;
    if (s->mla) {
        put_q8(s, (int8_t *)page->keys + j * dim, page->key_scales + j * groups, 1, key);
        return;
    }
    put_q8_key(s, page->keys + j / 16 * r1i_cache_key_elems(s, R1I_CACHE_Q8) * 16 + j % 16 * 4,
               page->key_scales + j / 16 * groups * 16 + j % 16, key);
    put_q8(s, (int8_t *)page->values + j * dim, page->value_scales + j, R1I_PAGE, value);
}

static void write_position(const writing *w, const r1i_run *run, int64_t r)
{
    const r1i_attn_shape *const s = w->s;
    const r1i_cache_type type = w->kv->type;
    const int64_t pos = run->pos0 + r, j = pos % R1I_PAGE, dim = s->key_dim;
    const int64_t key_at = s->mla ? j * dim : j / 16 * dim * 16 + j % 16, key_step = s->mla ? 1 : 16;
    const float *const key = w->k.p + (run->first + r) * w->k.stride,
                       *const value = s->mla ? NULL : w->v.p + (run->first + r) * w->v.stride;
    for (int64_t h = 0; h < s->kv_heads; h++) {
        const r1i_kv_head page = r1i_kv_head_at(s, w->kv, run->pages[pos / R1I_PAGE], h);
        if (type == R1I_CACHE_Q8) {
            write_q8(w, &page, j, key + h * dim, value ? value + h * dim : NULL);
        } else {
            put(type, page.keys, key_at, key_step, key + h * dim, dim);
            if (!s->mla) put(type, page.values, j * dim, 1, value + h * dim, dim);
        }
    }
}

/* Rows of the batch an item writes: 16 positions fill the lanes of a key's lines. */
enum { WRITE_ROWS = 16, INLINE_ELEMS = 16 * 1024 };
static void write_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const writing *const w = ctx;
    const r1i_run *run = w->runs;
    for (; i >= (run->n + WRITE_ROWS - 1) / WRITE_ROWS; run++) i -= (run->n + WRITE_ROWS - 1) / WRITE_ROWS;
    for (int64_t r = i * WRITE_ROWS; r < min64(run->n, (i + 1) * WRITE_ROWS); r++) write_position(w, run, r);
}

r1_status r1i_cpu_kv_write(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                           const r1i_run *runs, int64_t n_runs)
{
    writing w = {s, kv, k, v, runs, n_runs};
    int64_t items = 0;
    for (int64_t i = 0; i < n_runs; i++) items += (runs[i].n + WRITE_ROWS - 1) / WRITE_ROWS;
    /* Waking others costs more than a few rows. */
    if (k.rows * k.cols < INLINE_ELEMS) {
        for (int64_t i = 0; i < items; i++) write_item(&w, i, 0);
    } else {
        r1i_pool_run(ex->pool, items, write_item, &w);
    }
    return R1_OK;
}
