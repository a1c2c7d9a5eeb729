#include "op/ops.h"

#include "op/tape.h"
#include "tensor/codec.h"

static void trace(const r1i_exec *ex, const char *op, int64_t rows)
{
    if (ex->trace) ex->trace(ex->trace_user, op, rows);
}

static bool same_shape(r1i_mat a, r1i_mat b) { return a.rows == b.rows && a.cols == b.cols; }
static bool view_ok(r1i_mat m) { return m.rows >= 0 && m.cols > 0 && m.stride >= m.cols; }

/* Low calls name the op and both shapes; the model above says which layer. */
static r1_status shape_error(const r1i_exec *ex, const char *op, const char *what, r1i_mat a, r1i_mat b)
{
    return r1i_fail(ex->err, R1_ERR_SHAPE, "%s: %s: [%lld, %lld] against [%lld, %lld]", op, what, (long long)a.rows,
                    (long long)a.cols, (long long)b.rows, (long long)b.cols);
}

static bool is_scalar(r1_dtype t) { return r1i_dtype(t)->block_elems == 1; }

unsigned r1i_act_kind(const r1i_exec *ex, const r1i_weight *w)
{
    if (is_scalar(w->type))
        return ex->compute == R1I_COMPUTE_BF16 && w->type == R1_DTYPE_BF16 ? R1I_ACT_BF16 : R1I_ACT_F32;
    return ex->exact_activations ? R1I_ACT_F32 : R1I_ACT_Q8;
}

static size_t padded(int64_t n, size_t elem) { return r1i_align_up((size_t)n * elem, R1I_ALIGN); }

size_t r1i_act_bytes(int64_t rows, int64_t cols, unsigned kinds)
{
    size_t n = 0;
    if (kinds & R1I_ACT_Q8)
        n += 2 * (padded(rows * cols, 1) + padded(rows * (cols / 32), 4) + padded(rows * (cols / 16), 4)) +
            padded(rows * r1i_act_spans(cols), 1);
    if (kinds & R1I_ACT_BF16) n += padded(rows * ((cols + 31) / 32 * 32), 2);
    return n;
}

/* q, d, sum16 of one of the two terms. */
static bool take_term(r1i_exec *ex, const r1i_mat *x, int8_t **q, float **d, int32_t **sum16)
{
    *q = r1i_arena_take(ex->scratch, padded(x->rows * x->cols, 1), ex->err);
    *d = *q ? r1i_arena_take(ex->scratch, padded(x->rows * (x->cols / 32), 4), ex->err) : NULL;
    *sum16 = *d ? r1i_arena_take(ex->scratch, padded(x->rows * (x->cols / 16), 4), ex->err) : NULL;
    return *sum16 != NULL;
}

static bool take_halves(r1i_exec *ex, r1i_act *act)
{
    act->bf16_stride = (act->x.cols + 31) / 32 * 32;
    act->bf16 = r1i_arena_take(ex->scratch, padded(act->x.rows * act->bf16_stride, 2), ex->err);
    return act->bf16 != NULL;
}

/* Room for what `kinds` asks for. */
static r1_status take_act(r1i_exec *ex, r1i_act *act, r1i_mat x, unsigned kinds)
{
    *act = (r1i_act){.x = x, .kinds = kinds};
    if (!view_ok(x)) return shape_error(ex, "prepare", "view", x, x);
    if ((kinds & R1I_ACT_Q8) && x.cols % 32 != 0)
        return r1i_fail(ex->err, R1_ERR_SHAPE, "prepare: %lld columns, 8-bit activations need a multiple of 32",
                        (long long)x.cols);
    if (kinds & R1I_ACT_Q8) {
        if (!take_term(ex, &x, &act->q, &act->d, &act->sum16)) return R1_ERR_NOMEM;
        if (!take_term(ex, &x, &act->fine_q, &act->fine_d, &act->fine_sum16)) return R1_ERR_NOMEM;
        act->fine = r1i_arena_take(ex->scratch, padded(x.rows * r1i_act_spans(x.cols), 1), ex->err);
        if (!act->fine) return R1_ERR_NOMEM;
        act->fine_stride = x.rows;
    }
    return (kinds & R1I_ACT_BF16) && !take_halves(ex, act) ? R1_ERR_NOMEM : R1_OK;
}

r1_status r1i_act_make(r1i_exec *ex, r1i_act *act, r1i_mat x, unsigned kinds)
{
    const r1_status st = take_act(ex, act, x, kinds);
    if (st != R1_OK || kinds == R1I_ACT_F32 || x.rows == 0) return st;
    trace(ex, "prepare", x.rows);
    return ex->ops->prepare(ex, act);
}

/* A thread: scores, queries and two results of one block, a page as f32 (MLA), weights by groups (q8). Where a context
 * is cut into spans: at most R1I_ATTN_WAVE results a thread, and packed queries and running results of at most two
 * blocks a thread. */
size_t r1i_op_scratch_bytes(const r1i_attn_shape *s, int64_t rows, int64_t max_positions, int threads)
{
    /* more rows are more blocks one after the other, long contexts are walked in waves */
    (void)rows, (void)max_positions;
    const size_t n = (size_t)(threads > 0 ? threads : 1);
    const size_t result = padded(R1I_ATTN_BLOCK * s->value_dim, 4) + 2 * padded(R1I_ATTN_BLOCK, 4);
    const size_t query = padded(R1I_ATTN_BLOCK * r1i_attn_query_floats(s), 4);
    const size_t scores = padded(R1I_ATTN_BLOCK * R1I_PAGE, 4);
    const size_t kind = s->mla ? padded(R1I_PAGE * s->key_dim, 4) + query + scores
        : padded(r1i_cache_groups(s->value_dim) * R1I_ATTN_BLOCK * R1I_PAGE, 4);
    return n * (scores + kind + query + 2 * result) + n * R1I_ATTN_WAVE * result + 2 * n * (query + result) +
        4096;
}

r1_status r1i_embed(r1i_exec *ex, r1i_mat y, const r1i_weight *w, const int32_t *token)
{
    if (!view_ok(y) || y.cols != w->cols)
        return shape_error(ex, "embed", "output against table", y, (r1i_mat){NULL, w->rows, w->cols, w->cols});
    trace(ex, "embed", y.rows);
    if (ex->tape) {
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_EMBED);
        if (!r) return R1_ERR_NOMEM;
        r->y = y, r->w = w, r->index = token;
    }
    return ex->ops->embed(ex, y, w, token);
}

r1_status r1i_rmsnorm(r1i_exec *ex, r1i_mat y, r1i_mat x, const float *g, float eps)
{
    if (!view_ok(x) || !view_ok(y) || !same_shape(x, y))
        return shape_error(ex, "rmsnorm", "output against input", y, x);
    trace(ex, "rmsnorm", x.rows);
    if (ex->tape) { /* x is copied: the residual stream goes on changing */
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_RMSNORM);
        if (!r || r1i_tape_copy(ex, x, &r->saved) != R1_OK) return R1_ERR_NOMEM;
        r->y = y, r->x = x, r->vec = g, r->scalar = eps, r->flag = y.p == x.p;
    }
    return ex->ops->rmsnorm(ex, y, x, g, eps);
}

static r1_status tape_linear(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_LINEAR);
    r1i_tape_job *const job = r ? r1i_arena_take(ex->scratch, (size_t)n * sizeof *job, ex->err) : NULL;
    if (!job) return R1_ERR_NOMEM;
    for (int64_t i = 0; i < n; i++)
        job[i] = (r1i_tape_job){.y = jobs[i].y, .x = *jobs[i].x, .w = jobs[i].w, .bias = jobs[i].bias,
                                .add = jobs[i].add, .bf16 = jobs[i].w->type == R1_DTYPE_BF16 &&
                                (jobs[i].x->kinds & R1I_ACT_BF16)};
    r->job = job, r->n = n;
    return R1_OK;
}

/* What one weight with a low-rank term needs: t, and its places in the lists below and on the tape. */
size_t r1i_low_rank_bytes(const r1i_exec *ex, const r1i_weight *w, int64_t rows)
{
    if (!w->lora) return 0;
    const size_t lists = padded(2, sizeof(r1i_linear_job)) + padded(2, sizeof(r1i_act));
    return padded(rows * w->lora->a.rows, sizeof(float)) + lists + (ex->tape ? 2 * padded(1, sizeof(r1i_tape_job)) : 0);
}

/* y += B (scale * (A x)) for the jobs whose weight has a low-rank term: products like any other, so the tape records
 * them as such. */
static r1_status low_ranks(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    const size_t mark = r1i_arena_mark(ex->scratch);
    int64_t terms = 0;
    r1_status st;
    for (int64_t i = 0; i < n; i++) terms += jobs[i].w->lora != NULL;
    if (terms == 0) return R1_OK;
    r1i_linear_job *const down = r1i_arena_take(ex->scratch, (size_t)(2 * terms) * sizeof *down, ex->err),
                          *const up = down + terms;
    r1i_act *const x = down ? r1i_arena_take(ex->scratch, (size_t)(2 * terms) * sizeof *x, ex->err) : NULL,
                   *const t = x + terms;
    if (!x) return R1_ERR_NOMEM;
    for (int64_t i = 0, k = 0; i < n; i++) {
        const r1i_lora *const l = jobs[i].w->lora;
        if (!l) continue;
        float *const p = r1i_arena_take(ex->scratch, (size_t)(jobs[i].x->x.rows * l->a.rows) * sizeof *p, ex->err);
        if (!p || r1i_tape_block_add(ex, p, (size_t)(jobs[i].x->x.rows * l->a.rows) * sizeof *p) != R1_OK)
            return R1_ERR_NOMEM;
        x[k] = (r1i_act){.x = jobs[i].x->x, .row = jobs[i].x->row};
        t[k] = (r1i_act){.x = r1i_mat_of(p, jobs[i].x->x.rows, l->a.rows), .row = jobs[i].x->row};
        down[k] = (r1i_linear_job){.y = t[k].x, .x = &x[k], .w = &l->a};
        up[k] = (r1i_linear_job){.y = jobs[i].y, .x = &t[k], .w = &l->b, .add = true};
        k++;
    }
    if ((st = r1i_linear(ex, down, terms)) != R1_OK) return st;
    for (int64_t i = 0, k = 0; i < n; i++)
        if (jobs[i].w->lora && (st = r1i_scale(ex, t[k++].x, jobs[i].w->lora->scale)) != R1_OK) return st;
    st = r1i_linear(ex, up, terms);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

r1_status r1i_linear(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        const r1i_linear_job *const j = &jobs[i];
        const r1i_mat w = {NULL, j->w->rows, j->w->cols, j->w->cols};
        if (!view_ok(j->y) || !view_ok(j->x->x)) return shape_error(ex, "linear", "view", j->y, j->x->x);
        if (j->x->x.cols != w.cols) return shape_error(ex, "linear", "input against weight", j->x->x, w);
        if (j->y.cols != w.rows || j->y.rows != j->x->x.rows)
            return shape_error(ex, "linear", "output against weight", j->y, w);
        if (j->w->layout != R1I_LAYOUT_PANEL || !r1i_weight_type_ok(j->w->type))
            return r1i_fail(ex->err, R1_ERR_BUG, "linear: weight of type %s is not in panels",
                            r1_dtype_name(j->w->type));
        trace(ex, "linear", j->x->x.rows);
        if (!j->up) continue;
        if (j->up->rows != w.rows || j->up->cols != w.cols)
            return shape_error(ex, "linear", "gate against up", w,
                               (r1i_mat){NULL, j->up->rows, j->up->cols, j->up->cols});
        if (j->up->layout != R1I_LAYOUT_PANEL || !r1i_weight_type_ok(j->up->type) || j->bias || j->add || !j->work ||
            ex->tape || j->w->lora || j->up->lora)
            return r1i_fail(ex->err, R1_ERR_BUG,
                            "linear: a gated pair needs panels and room, and takes no bias, sum, low-rank term or tape");
        trace(ex, "linear", j->x->x.rows);
        trace(ex, "silu_mul", j->x->x.rows);
    }
    if (ex->tape && n > 0) {
        const r1_status st = tape_linear(ex, jobs, n);
        if (st != R1_OK) return st;
    }
    const r1_status st = ex->ops->linear(ex, jobs, n);
    return st == R1_OK ? low_ranks(ex, jobs, n) : st;
}

void r1i_ahead(r1i_exec *ex, int64_t rows, const r1i_weights *w, int64_t n)
{
    if (ex->ops->ahead && !ex->tape) ex->ops->ahead(ex, rows, w, n); /* training writes its weights between steps, while
                                                                      * threads may still read */
}

r1_status r1i_scale(r1i_exec *ex, r1i_mat x, float s)
{
    if (!view_ok(x)) return shape_error(ex, "scale", "view", x, x);
    trace(ex, "scale", x.rows);
    if (ex->tape) {
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_SCALE);
        if (!r) return R1_ERR_NOMEM;
        r->y = x, r->scalar = s;
    }
    return ex->ops->scale(ex, x, s);
}

r1_status r1i_rope_table(r1i_exec *ex, r1i_mat cos, r1i_mat sin, const int64_t *pos, const double *inv_freq, float mag)
{
    if (!view_ok(cos) || !view_ok(sin) || !same_shape(cos, sin))
        return shape_error(ex, "rope_table", "cos against sin", cos, sin);
    trace(ex, "rope_table", cos.rows);
    return ex->ops->rope_table(ex, cos, sin, pos, inv_freq, mag);
}

r1_status r1i_rope(r1i_exec *ex, r1i_mat x, int64_t heads, int64_t dim, int64_t head_stride, r1i_mat cos, r1i_mat sin,
                   bool interleaved)
{
    if (!view_ok(x) || heads < 1 || dim < 2 || dim % 2 != 0 || (heads - 1) * head_stride + dim > x.cols)
        return r1i_fail(ex->err, R1_ERR_SHAPE, "rope: %lld heads of %lld, %lld apart, in %lld columns",
                        (long long)heads, (long long)dim, (long long)head_stride, (long long)x.cols);
    if (!same_shape(cos, sin) || cos.rows != x.rows || cos.cols != dim / 2)
        return shape_error(ex, "rope", "table against input", cos, x);
    trace(ex, "rope", x.rows);
    if (ex->tape) {
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_ROPE);
        if (!r) return R1_ERR_NOMEM;
        r->y = x, r->x = cos, r->z = sin, r->n = heads, r->dim = dim, r->step = head_stride, r->flag = interleaved;
    }
    return ex->ops->rope(ex, x, heads, dim, head_stride, cos, sin, interleaved);
}

/* Heads, dims and the batch rows that runs name: what both cache ops rely on. */
static r1_status check_cache(const r1i_exec *ex, const char *op, const r1i_attn_shape *s, const r1i_kv_layer *kv,
                             int64_t rows, const r1i_run *runs, int64_t n_runs)
{
    if (s->heads < 1 || s->kv_heads < 1 || s->heads % s->kv_heads != 0 || s->key_dim < 1 || s->value_dim < 1 ||
        (s->mla && (s->kv_heads != 1 || s->value_dim > s->key_dim)) || (!s->mla && s->key_dim != s->value_dim))
        return r1i_fail(ex->err, R1_ERR_SHAPE, "%s: %lld heads, %lld kv heads, dims %lld and %lld do not fit together",
                        op, (long long)s->heads, (long long)s->kv_heads, (long long)s->key_dim,
                        (long long)s->value_dim);
    if (kv->page_bytes < R1I_PAGE * r1i_cache_position_bytes(s, kv->type))
        return r1i_fail(ex->err, R1_ERR_SHAPE, "%s: pages of %lld bytes are too small", op, (long long)kv->page_bytes);
    for (int64_t i = 0; i < n_runs; i++)
        if (runs[i].first < 0 || runs[i].n < 0 || runs[i].pos0 < 0 || runs[i].first + runs[i].n > rows)
            return r1i_fail(ex->err, R1_ERR_SHAPE, "%s: run %lld leaves the batch of %lld rows", op, (long long)i,
                            (long long)rows);
    return R1_OK;
}

/* Each head's key, or value, of a row as the q8 cache gives it back. */
static void round_q8(const r1i_attn_shape *s, float *row)
{
    int8_t q[R1I_Q8_GROUP];
    for (int64_t h = 0; h < s->kv_heads; h++) {
        float *const x = row + h * s->key_dim;
        for (int64_t from = 0, to; from < s->key_dim; from = to) {
            to = r1i_cache_group_end(s, from);
            const float d = r1i_q8_group(x + from, to - from, q);
            for (int64_t i = from; i < to; i++) x[i] = r1i_q8_value(q[i - from], d);
        }
    }
}

/* What attention will read back: the rows themselves, or rounded through the cache's type (the gradient passes straight
 * through). */
static r1_status tape_keys(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v)
{
    r1i_tape *const t = ex->tape;
    t->source_keys = k;
    t->source_values = v;
    t->keys = k;
    t->values = v;
    if (kv->type == R1I_CACHE_F32) return R1_OK;
    for (int part = 0; part < (s->mla ? 1 : 2); part++) {
        r1i_mat *const m = part ? &t->values : &t->keys;
        const r1_status st = r1i_tape_copy(ex, *m, m);
        if (st != R1_OK) return st;
        if (kv->type == R1I_CACHE_Q8)
            for (int64_t r = 0; r < m->rows; r++) round_q8(s, m->p + r * m->stride);
        else
            for (int64_t i = 0; i < m->rows * m->cols; i++) m->p[i] = r1i_bf16_to_f32(r1i_bf16_from_f32(m->p[i]));
    }
    return R1_OK;
}

static r1_status tape_attention(r1i_exec *ex, const r1i_attn_shape *s, r1i_mat o, r1i_mat q, const r1i_run *runs,
                                int64_t n_runs)
{
    r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_ATTENTION);
    if (!r) return R1_ERR_NOMEM;
    for (int64_t i = 0; i < n_runs; i++)
        if (runs[i].pos0 != 0)
            return r1i_fail(ex->err, R1_ERR_USAGE,
                            "attention: run %lld of a recorded batch begins at position %lld, 0 expected", (long long)i,
                            (long long)runs[i].pos0);
    r->y = o, r->x = q, r->z = ex->tape->source_keys, r->saved = ex->tape->source_values;
    r->keys = ex->tape->keys, r->values = ex->tape->values;
    r->attn = *s, r->runs = runs, r->n_runs = n_runs;
    return R1_OK;
}

r1_status r1i_kv_write(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                       const r1i_run *runs, int64_t n_runs)
{
    const r1_status st = check_cache(ex, "kv_write", s, kv, k.rows, runs, n_runs);
    if (st != R1_OK) return st;
    if (!view_ok(k) || k.cols != s->kv_heads * s->key_dim) return shape_error(ex, "kv_write", "keys", k, k);
    if (!s->mla && (!view_ok(v) || v.rows != k.rows || v.cols != s->kv_heads * s->value_dim))
        return shape_error(ex, "kv_write", "values against keys", v, k);
    trace(ex, "kv_write", k.rows);
    if (ex->tape) {
        const r1_status kept = tape_keys(ex, s, kv, k, v);
        if (kept != R1_OK) return kept;
    }
    return ex->ops->kv_write(ex, s, kv, k, v, runs, n_runs);
}

r1_status r1i_attention(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                        const r1i_run *runs, int64_t n_runs, const r1i_coming *next)
{
    const r1_status st = check_cache(ex, "attention", s, kv, q.rows, runs, n_runs);
    if (st != R1_OK) return st;
    if (!view_ok(q) || q.cols != s->heads * s->key_dim) return shape_error(ex, "attention", "queries", q, q);
    if (!view_ok(o) || o.rows != q.rows || o.cols != s->heads * s->value_dim)
        return shape_error(ex, "attention", "output against queries", o, q);
    trace(ex, "attention", q.rows);
    if (!ex->tape) return ex->ops->attention(ex, s, kv, o, q, runs, n_runs, next);
    const r1_status taped = tape_attention(ex, s, o, q, runs, n_runs);
    if (taped != R1_OK) return taped;
    ex->scratch->held = false; /* the backend's own scratch is not for the tape */
    const r1_status done = ex->ops->attention(ex, s, kv, o, q, runs, n_runs, next);
    ex->scratch->held = true;
    return done;
}

/* Shapes, the trace and the tape of y = silu(g) * u. */
static r1_status begin_silu_mul(r1i_exec *ex, r1i_mat y, r1i_mat g, r1i_mat u)
{
    if (!view_ok(y) || !view_ok(g) || !view_ok(u) || !same_shape(y, g) || !same_shape(y, u))
        return shape_error(ex, "silu_mul", "gate against up", g, u);
    trace(ex, "silu_mul", y.rows);
    if (!ex->tape) return R1_OK;
    r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_SILU_MUL);
    if (!r) return R1_ERR_NOMEM;
    r->y = y, r->x = g, r->z = u, r->saved = g, r->flag = y.p == g.p;
    return r->flag ? r1i_tape_copy(ex, g, &r->saved) : R1_OK;
}

r1_status r1i_silu_mul(r1i_exec *ex, r1i_mat y, r1i_mat g, r1i_mat u)
{
    const r1_status st = begin_silu_mul(ex, y, g, u);
    return st == R1_OK ? ex->ops->silu_mul(ex, y, g, u) : st;
}

r1_status r1i_act_silu_mul(r1i_exec *ex, r1i_act *act, r1i_mat y, r1i_mat g, r1i_mat u, unsigned kinds, bool plain)
{
    if (kinds != R1I_ACT_BF16 || !plain) {
        const r1_status st = r1i_silu_mul(ex, y, g, u);
        return st == R1_OK ? r1i_act_make(ex, act, y, kinds) : st;
    }
    const r1_status st = begin_silu_mul(ex, y, g, u);
    *act = (r1i_act){.x = y, .kinds = kinds};
    if (st != R1_OK || !take_halves(ex, act)) return st != R1_OK ? st : R1_ERR_NOMEM;
    trace(ex, "prepare", y.rows);
    return ex->ops->silu_mul_rounded(ex, act, g, u);
}

r1_status r1i_act_later(r1i_exec *ex, r1i_act *act, r1i_mat x, r1i_mat up, unsigned kinds)
{
    if (ex->tape || (kinds & R1I_ACT_BF16))
        return up.p ? r1i_act_silu_mul(ex, act, x, x, up, kinds, true) : r1i_act_make(ex, act, x, kinds);
    if (up.p && (!same_shape(x, up) || up.stride != x.stride))
        return shape_error(ex, "silu_mul", "gate against up", x, up);
    const r1_status st = take_act(ex, act, x, kinds);
    if (st != R1_OK) return st;
    if (up.p) trace(ex, "silu_mul", x.rows);
    if (kinds) trace(ex, "prepare", x.rows);
    act->later = up.p || kinds;
    act->up = up.p;
    return R1_OK;
}

r1_status r1i_act_norm(r1i_exec *ex, r1i_act *act, r1i_mat y, r1i_mat x, const float *g, float eps, unsigned kinds)
{
    if (x.rows != 1 || ex->tape || (kinds & R1I_ACT_BF16)) {
        const r1_status st = r1i_rmsnorm(ex, y, x, g, eps);
        return st == R1_OK ? r1i_act_make(ex, act, y, kinds) : st;
    }
    if (!view_ok(x) || !same_shape(x, y)) return shape_error(ex, "rmsnorm", "output against input", y, x);
    const r1_status st = take_act(ex, act, y, kinds);
    if (st != R1_OK) return st;
    trace(ex, "rmsnorm", 1);
    if (kinds) trace(ex, "prepare", 1);
    act->later = true;
    act->from = x.p;
    act->gain = g;
    act->eps = eps;
    return R1_OK;
}

r1_status r1i_router(r1i_exec *ex, const r1i_router_shape *s, r1i_mat logits, const float *bias, int32_t *expert,
                     float *weight)
{
    const int64_t groups = s->groups > 1 ? s->groups : 1, kept = s->groups > 1 ? s->topk_groups : 1;
    if (!view_ok(logits) || logits.cols != s->experts || s->experts % groups != 0 || kept < 1 || kept > groups ||
        s->topk < 1 || s->topk > kept * (s->experts / groups) || s->experts > R1I_ROUTER_EXPERTS ||
        groups > R1I_ROUTER_GROUPS)
        return r1i_fail(ex->err, R1_ERR_SHAPE,
                        "router: %lld of %lld experts in %lld of %lld groups (at most %d experts, %d groups)",
                        (long long)s->topk, (long long)s->experts, (long long)kept, (long long)groups,
                        R1I_ROUTER_EXPERTS, R1I_ROUTER_GROUPS);
    trace(ex, "router", logits.rows);
    if (ex->tape) {
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_ROUTER);
        if (!r) return R1_ERR_NOMEM;
        r->x = logits, r->index = expert, r->weight = weight, r->route = *s, r->vec = bias;
        r->runs = ex->tape->runs, r->n_runs = ex->tape->n_runs;
    }
    return ex->ops->router(ex, s, logits, bias, expert, weight);
}

static r1_status begin_gather(r1i_exec *ex, r1i_mat y, r1i_mat x, const int32_t *index)
{
    if (!view_ok(x) || !view_ok(y) || x.cols != y.cols) return shape_error(ex, "gather", "output against input", y, x);
    trace(ex, "gather", y.rows);
    if (!ex->tape) return R1_OK;
    r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_GATHER);
    if (!r) return R1_ERR_NOMEM;
    r->y = y, r->x = x, r->index = index;
    return R1_OK;
}

r1_status r1i_gather(r1i_exec *ex, r1i_mat y, r1i_mat x, const int32_t *index)
{
    const r1_status st = begin_gather(ex, y, x, index);
    return st == R1_OK ? ex->ops->gather(ex, y, x, index) : st;
}

r1_status r1i_act_gather(r1i_exec *ex, r1i_act *act, r1i_mat y, const r1i_act *x, const int32_t *index, unsigned kinds,
                         bool plain)
{
    if (kinds != R1I_ACT_BF16 || !plain) {
        const r1_status st = r1i_gather(ex, y, x->x, index);
        return st == R1_OK ? r1i_act_make(ex, act, y, kinds) : st;
    }
    const r1_status st = begin_gather(ex, y, x->x, index);
    *act = (r1i_act){.x = y, .kinds = kinds};
    if (st != R1_OK || !take_halves(ex, act)) return st != R1_OK ? st : R1_ERR_NOMEM;
    trace(ex, "prepare", y.rows);
    /* rows are copied, whatever they hold */
    const r1i_mat from = r1i_mat_of((float *)(void *)x->bf16, x->x.rows, x->bf16_stride / 2);
    return ex->ops->gather(ex, r1i_mat_of((float *)(void *)act->bf16, y.rows, act->bf16_stride / 2), from, index);
}

r1_status r1i_moe_combine(r1i_exec *ex, r1i_mat y, r1i_mat out, const int32_t *slot, const float *weight, int64_t topk,
                          r1i_mat shared)
{
    if (!view_ok(y) || !view_ok(out) || y.cols != out.cols)
        return shape_error(ex, "moe_combine", "output against experts", y, out);
    if (shared.p && (!view_ok(shared) || !same_shape(shared, y)))
        return shape_error(ex, "moe_combine", "shared expert", shared, y);
    trace(ex, "moe_combine", y.rows);
    if (ex->tape) {
        r1i_record *const r = r1i_tape_add(ex, R1I_TAPE_COMBINE);
        if (!r) return R1_ERR_NOMEM;
        r->y = y, r->x = out, r->z = shared, r->index = slot, r->weight = weight, r->n = topk;
    }
    return ex->ops->moe_combine(ex, y, out, slot, weight, topk, shared);
}

r1_status r1i_logsumexp(r1i_exec *ex, r1i_mat logits, int64_t n_defined, float inv_temperature, double *lse)
{
    if (!view_ok(logits) || n_defined < 1 || n_defined > logits.cols)
        return r1i_fail(ex->err, R1_ERR_SHAPE, "logsumexp: %lld of %lld ids", (long long)n_defined,
                        (long long)logits.cols);
    trace(ex, "logsumexp", logits.rows);
    return ex->ops->logsumexp(ex, logits, n_defined, inv_temperature, lse);
}
