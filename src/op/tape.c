/* Recording: room for records, copies of what a forward overwrites, the shadow where gradients lie. */
#include "op/tape.h"

#include <assert.h>
#include <string.h>

void r1i_tape_create(r1i_tape *t, r1i_arena *act, bool recompute, size_t layer_bytes, const r1_env *env)
{
    *t = (r1i_tape){.act = act, .recompute = recompute, .layer_bytes = layer_bytes};
    if (env) t->env = *env;
    act->held = true;
}

void r1i_tape_destroy(r1i_tape *t)
{
    if (t->act) t->act->held = false;
    r1i_arena_destroy(&t->shadow);
    r1i_arena_destroy(&t->work);
    r1i_release(&t->env, t->record, (size_t)t->room * sizeof *t->record);
    r1i_release(&t->env, t->block, (size_t)t->room_blocks * sizeof *t->block);
    r1i_release(&t->env, t->region, (size_t)t->room_regions * sizeof *t->region);
    *t = (r1i_tape){0};
}

void r1i_tape_clear(r1i_tape *t, size_t mark)
{
    t->n = 0;
    t->n_regions = t->n_blocks = 0;
    t->act->used = mark;
}

/* ---- regions ----------------------------------------------------------------------------------------------------- */

static r1_status open_region(r1i_tape *t, bool layer, r1_error *err)
{
    if (t->n_regions == t->room_regions) {
        const int64_t room = t->room_regions ? 2 * t->room_regions : 64;
        r1i_tape_region *const bigger = r1i_alloc(&t->env, (size_t)room * sizeof *bigger);
        if (!bigger) return r1i_fail(err, R1_ERR_NOMEM, "tape of %lld regions", (long long)t->n_regions);
        if (t->n_regions) memcpy(bigger, t->region, (size_t)t->n_regions * sizeof *bigger);
        r1i_release(&t->env, t->region, (size_t)t->room_regions * sizeof *t->region);
        t->region = bigger;
        t->room_regions = room;
    }
    t->region[t->n_regions++] = (r1i_tape_region){.begin = t->act->used, .layer = layer};
    return R1_OK;
}

r1_status r1i_tape_begin_layer(r1i_exec *ex) { return open_region(ex->tape, true, ex->err); }

r1_status r1i_tape_end_layer(r1i_exec *ex)
{
    r1i_tape *const t = ex->tape;
    const size_t bytes = t->act->used - t->region[t->n_regions - 1].begin;
    if (bytes > t->layer_bytes) t->layer_bytes = bytes;
    return open_region(t, false, ex->err);
}

r1_status r1i_tape_later(r1i_exec *ex, r1i_mat x, r1i_tape_redo_fn redo, const void *layer)
{
    r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_LAYER);
    if (!r || r1i_tape_copy(ex, x, &r->saved) != R1_OK) return R1_ERR_NOMEM;
    r->x = x, r->redo = redo, r->layer = layer;
    return R1_OK;
}

/* The region that holds an offset of the scratch; what was taken before the first record belongs to region 0. */
static const r1i_tape_region *region_at(const r1i_tape *t, size_t at)
{
    int64_t lo = 0, hi = t->n_regions;
    while (hi - lo > 1) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (t->region[mid].begin <= at) lo = mid;
        else hi = mid;
    }
    return &t->region[lo];
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

r1_status r1i_tape_block_add(r1i_exec *ex, const void *p, size_t bytes)
{
    r1i_tape *const t = ex->tape;
    if (!t || t->n_regions == 0 || !t->region[t->n_regions - 1].layer) return R1_OK;
    if (t->n_blocks == t->room_blocks) {
        const int64_t room = t->room_blocks ? 2 * t->room_blocks : 256;
        r1i_tape_block *const bigger = r1i_alloc(&t->env, (size_t)room * sizeof *bigger);
        if (!bigger) return r1i_fail(ex->err, R1_ERR_NOMEM, "tape of %lld blocks", (long long)t->n_blocks);
        if (t->n_blocks) memcpy(bigger, t->block, (size_t)t->n_blocks * sizeof *bigger);
        r1i_release(&t->env, t->block, (size_t)t->room_blocks * sizeof *t->block);
        t->block = bigger;
        t->room_blocks = room;
    }
    t->block[t->n_blocks++] = (r1i_tape_block){.begin = (size_t)((uintptr_t)p - (uintptr_t)t->act->base),
                                               .bytes = bytes, .first = t->n};
    return R1_OK;
}

/* The block of a layer that holds an offset of the scratch. */
static r1i_tape_block *block_at(const r1i_tape *t, size_t at)
{
    int64_t lo = 0, hi = t->n_blocks;
    while (hi - lo > 1) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (t->block[mid].begin <= at) lo = mid;
        else hi = mid;
    }
    assert(hi > lo && t->block[lo].begin <= at && at < t->block[lo].begin + t->block[lo].bytes);
    return &t->block[lo];
}

/* The lowest place that no live block has. Never past the sum of all blocks, so a layer's bytes are room enough. */
static void place(r1i_tape *t, r1i_tape_block *b)
{
    const size_t bytes = r1i_align_up(b->bytes, R1I_ALIGN);
    b->shadow = t->shared_bytes;
    for (int64_t i = t->n_blocks; i-- > 0;) {
        const r1i_tape_block *const o = &t->block[i];
        const size_t end = o->shadow + r1i_align_up(o->bytes, R1I_ALIGN);
        if (!o->live || o->shadow >= b->shadow + bytes || end <= b->shadow) continue;
        b->shadow = end;
        i = t->n_blocks;
    }
    b->live = true;
    b->halves = 0;
}

static size_t offset_of(const r1i_tape *t, const float *activation)
{
    return (size_t)((uintptr_t)activation - (uintptr_t)t->act->base);
}

float *r1i_tape_grad(r1i_tape *t, const float *activation)
{
    const size_t at = offset_of(t, activation);
    const r1i_tape_region *const r = region_at(t, at);
    if (!r->layer) return (float *)(void *)(t->shadow.base + r->shadow + (at - r->begin));
    r1i_tape_block *const b = block_at(t, at);
    assert(!b->live || b->halves == 0);
    if (!b->live) {
        place(t, b);
        r1i_pool_zero(t->pool, t->shadow.base + b->shadow, b->bytes);
    }
    return (float *)(void *)(t->shadow.base + b->shadow + (at - b->begin));
}

/* What of a block the views give, marking them where assign is not NULL. */
static size_t given(const r1i_tape *t, const r1i_tape_block *b, const r1i_mat *m, int64_t n, bool *assign)
{
    size_t bytes = 0;
    for (int64_t k = 0; k < n; k++) {
        const size_t from = offset_of(t, m[k].p);
        if (from < b->begin || from >= b->begin + b->bytes) continue;
        bytes += (size_t)(m[k].rows * m[k].cols) * sizeof *m[k].p;
        if (assign) assign[k] = true;
    }
    return bytes;
}

void r1i_tape_open(r1i_tape *t, const r1i_mat *m, int64_t n, bool *assign)
{
    for (int64_t i = 0; i < n; i++) assign[i] = false;
    for (int64_t i = 0; i < n; i++) {
        const size_t at = offset_of(t, m[i].p);
        r1i_tape_block *const b = region_at(t, at)->layer ? block_at(t, at) : NULL;
        if (!b || b->live || given(t, b, m, n, NULL) != b->bytes) continue;
        (void)given(t, b, m, n, assign);
        place(t, b);
    }
}

static bool within(const r1i_tape *t, const r1i_tape_block *b, const float *p)
{
    return p && offset_of(t, p) >= b->begin && offset_of(t, p) < b->begin + b->bytes;
}

/* Whether a record knows the block, and whether as what is said of r1i_tape_open_bf16. */
static bool knows(const r1i_tape *t, const r1i_tape_block *b, const r1i_record *r, bool *made)
{
    const float *const other[] = {r->y.p, r->x.p, r->z.p, r->saved.p, r->keys.p, r->values.p, r->weight};
    bool any = false;
    *made = r->op == R1I_TAPE_LINEAR;
    for (size_t k = 0; k < sizeof other / sizeof *other; k++) any |= within(t, b, other[k]);
    for (int64_t k = 0; r->op == R1I_TAPE_LINEAR && k < r->n; k++) {
        const r1i_tape_job *const j = &r->job[k];
        if (within(t, b, j->x.x.p)) any = true, *made = false;
        if (!within(t, b, j->y.p)) continue;
        any = true;
        *made = *made && j->bf16 && !j->bias && !j->add;
    }
    return any;
}

void r1i_tape_open_bf16(r1i_tape *t, int64_t i, r1i_mat m, r1i_grad_to *to)
{
    const size_t at = offset_of(t, m.p);
    const int64_t stride = (m.cols + 31) / 32 * 32;
    *to = (r1i_grad_to){.m = m};
    r1i_tape_block *const b = region_at(t, at)->layer ? block_at(t, at) : NULL;
    bool made, plain = b && !b->live && given(t, b, &m, 1, NULL) == b->bytes &&
        (size_t)(m.rows * stride) * sizeof *to->bf16 <= b->bytes;
    for (int64_t k = plain ? b->first : i; k < i && plain; k++) plain = !knows(t, b, &t->record[k], &made) || made;
    if (!plain) {
        r1i_tape_open(t, &m, 1, &to->assign);
        to->m = r1i_tape_grad_mat(t, m);
        return;
    }
    place(t, b);
    b->halves = stride;
    to->bf16 = (uint16_t *)(void *)(t->shadow.base + b->shadow);
    to->bf16_stride = stride;
}

uint16_t *r1i_tape_grad_bf16(const r1i_tape *t, r1i_mat m, int64_t *stride)
{
    const size_t at = offset_of(t, m.p);
    const r1i_tape_block *const b = region_at(t, at)->layer ? block_at(t, at) : NULL;
    if (!b || !b->live || b->halves == 0) return NULL;
    *stride = b->halves;
    return (uint16_t *)(void *)(t->shadow.base + b->shadow) + (int64_t)((at - b->begin) / sizeof *m.p) / m.stride *
        b->halves;
}

void r1i_tape_close(r1i_tape *t, int64_t i)
{
    for (int64_t k = t->n_blocks; k-- > 0 && t->block[k].first >= i;) t->block[k].live = false;
}

static bool more_room(r1i_tape *t)
{
    const int64_t room = t->room ? 2 * t->room : 256;
    r1i_record *const bigger = r1i_alloc(&t->env, (size_t)room * sizeof *bigger);
    if (!bigger) return false;
    if (t->n) memcpy(bigger, t->record, (size_t)t->n * sizeof *bigger);
    r1i_release(&t->env, t->record, (size_t)t->room * sizeof *t->record);
    t->record = bigger;
    t->room = room;
    return true;
}

r1i_record *r1i_tape_add(r1i_exec *ex, r1i_tape_op op)
{
    r1i_tape *const t = ex->tape;
    if (t->n == t->room && !more_room(t)) {
        r1i_fail(ex->err, R1_ERR_NOMEM, "tape of %lld records", (long long)t->n);
        return NULL;
    }
    if (t->n_regions == 0 && open_region(t, false, ex->err) != R1_OK) return NULL;
    t->region[0].begin = 0;
    r1i_record *const r = &t->record[t->n++];
    *r = (r1i_record){.op = op, .side = t->side};
    return r;
}

enum { COPY_FLOATS = 1 << 14 }; /* of one item */

typedef struct copying {
    r1i_mat from, to;
    int64_t rows; /* of an item */
} copying;

static void copy_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const copying *const c = ctx;
    const int64_t end = (i + 1) * c->rows < c->from.rows ? (i + 1) * c->rows : c->from.rows;
    for (int64_t r = i * c->rows; r < end; r++)
        memcpy(c->to.p + r * c->to.stride, c->from.p + r * c->from.stride, (size_t)c->from.cols * sizeof *c->to.p);
}

r1_status r1i_tape_copy(r1i_exec *ex, r1i_mat m, r1i_mat *out)
{
    float *const p = r1i_arena_take(ex->scratch, (size_t)(m.rows * m.cols) * sizeof *p, ex->err);
    *out = r1i_mat_of(p, m.rows, m.cols);
    if (!p) return R1_ERR_NOMEM;
    copying c = {m, *out, m.cols < COPY_FLOATS ? COPY_FLOATS / m.cols : 1};
    r1i_pool_run(ex->pool, (m.rows + c.rows - 1) / c.rows, copy_item, &c);
    return R1_OK;
}

r1_status r1i_tape_zero(r1i_tape *t, r1i_pool *pool, r1_error *err)
{
    t->shared_bytes = 0;
    t->pool = pool;
    for (int64_t i = 0; i < t->n_regions; i++) {
        if (t->region[i].layer) continue;
        t->region[i].shadow = t->shared_bytes;
        t->shared_bytes += (i + 1 < t->n_regions ? t->region[i + 1].begin : t->act->used) - t->region[i].begin;
    }
    if (t->shared_bytes + t->layer_bytes > t->shadow.size) {
        r1i_arena_destroy(&t->shadow);
        const r1_status st = r1i_arena_create(&t->shadow, "gradients of activations", &t->env,
                                              t->shared_bytes + t->layer_bytes, err);
        if (st != R1_OK) return st;
    }
    r1i_pool_zero(pool, t->shadow.base, t->shared_bytes);
    return R1_OK;
}
