/* The tape walked in reverse: each record's backward op with its operands' gradients from the shadow. */
#include <string.h>

#include "op/ops.h"
#include "op/tape.h"

static r1i_mat grad(r1i_tape *t, r1i_mat m) { return r1i_tape_grad_mat(t, m); }
/* Whether the gradient of m alone is to be written, not added to. */
static bool opens(r1i_tape *t, r1i_mat m)
{
    bool assign;
    r1i_tape_open(t, &m, 1, &assign);
    return assign;
}
/* Where record r puts the gradient of m alone: as bf16 where that is all that anybody reads. */
static void gives(const r1i_exec *ex, r1i_tape *t, const r1i_record *r, r1i_mat m, r1i_grad_to *to)
{
    if (ex->compute == R1I_COMPUTE_BF16) {
        r1i_tape_open_bf16(t, r - t->record, m, to);
        return;
    }
    *to = (r1i_grad_to){.assign = opens(t, m)};
    to->m = grad(t, m);
}
static float *param(const r1i_tape *t, const r1i_record *r, const void *data)
{
    return t->param_grad(t->user, data, r->side);
}

static size_t floats(int64_t n) { return r1i_align_up((size_t)n * sizeof(float), R1I_ALIGN); }

/* ---- products ---------------------------------------------------------------------------------------------------- */

/* How many earlier jobs of the record add to the gradient of the same input: those of equal number run together. */
static int64_t round_of(const r1i_record *r, int64_t i)
{
    int64_t round = 0;
    for (int64_t k = 0; k < i; k++) round += r->job[k].x.x.p == r->job[i].x.x.p;
    return round;
}

size_t r1i_tape_product_bytes(const r1i_weight *w, const r1i_mat *x, bool bf16)
{
    uint64_t bytes = 0;
    (void)r1i_panel_bytes(r1i_transposed_type(w), w->cols, w->rows, &bytes);
    const size_t turned = r1i_align_up((size_t)bytes, R1I_ALIGN) +
        r1i_align_up(r1i_grad_linear_work(x) * sizeof(float), R1I_ALIGN);
    return turned + (bf16 ? r1i_act_bytes(x->rows, w->rows, R1I_ACT_BF16) : 0);
}

static size_t linear_bytes(const r1i_record *r)
{
    size_t sum = 10 * r1i_align_up((size_t)r->n * sizeof(r1i_act), R1I_ALIGN); /* the lists */
    for (int64_t i = 0; i < r->n; i++) sum += r1i_tape_product_bytes(r->job[i].w, &r->job[i].x.x, r->job[i].bf16);
    return sum;
}

typedef struct lists {
    uint8_t **out;
    const r1i_weight **w;
    r1i_weight *transposed;
    r1i_act *act, *turn; /* of each job's dy; of those that run together */
    r1i_linear_job *job;
    r1i_grad_product *product;
    r1i_mat *input;
    bool *assign;
} lists;

static r1_status take(r1i_exec *ex, r1i_arena *work, int64_t n, size_t size, void *out)
{
    void *const p = r1i_arena_take(work, (size_t)n * size, ex->err);
    memcpy(out, &p, sizeof p);
    return p ? R1_OK : R1_ERR_NOMEM;
}

static r1_status take_lists(r1i_exec *ex, r1i_arena *a, int64_t n, lists *l)
{
    r1_status st;
    if ((st = take(ex, a, n, sizeof *l->out, &l->out)) != R1_OK || (st = take(ex, a, n, sizeof *l->w, &l->w)) != R1_OK)
        return st;
    if ((st = take(ex, a, n, sizeof *l->transposed, &l->transposed)) != R1_OK) return st;
    if ((st = take(ex, a, n, sizeof *l->act, &l->act)) != R1_OK ||
        (st = take(ex, a, n, sizeof *l->turn, &l->turn)) != R1_OK) return st;
    if ((st = take(ex, a, n, sizeof *l->job, &l->job)) != R1_OK) return st;
    if ((st = take(ex, a, n, sizeof *l->product, &l->product)) != R1_OK ||
        (st = take(ex, a, n, sizeof *l->input, &l->input)) != R1_OK) return st;
    return take(ex, a, n, sizeof *l->assign, &l->assign);
}

/* What each job's gradient becomes before it meets the transposed weights and its inputs: as it is, or rounded like the
 * forward's inputs, by who gave it or here. */
static r1_status gradients_in(r1i_exec *ex, r1i_tape *t, const r1i_record *r, const lists *l)
{
    int64_t n = 0;
    for (int64_t i = 0; i < r->n; i++) {
        const r1i_mat y = r->job[i].y;
        r1i_act *const act = &l->act[i];
        *act = (r1i_act){.x = y, .kinds = r->job[i].bf16 ? R1I_ACT_BF16 : R1I_ACT_F32};
        if (r->job[i].bf16 && (act->bf16 = r1i_tape_grad_bf16(t, y, &act->bf16_stride))) continue;
        act->x = grad(t, y);
        if (!r->job[i].bf16) continue;
        act->bf16_stride = (y.cols + 31) / 32 * 32;
        if (!(act->bf16 = r1i_arena_take(&t->work, r1i_act_bytes(y.rows, y.cols, R1I_ACT_BF16), ex->err)))
            return R1_ERR_NOMEM;
        l->turn[n++] = *act;
    }
    return n > 0 ? ex->ops->grad->round(ex, l->turn, n) : R1_OK;
}

/* dx += dy W: the forward's own product over transposed panels. */
static r1_status inputs(r1i_exec *ex, r1i_tape *t, const r1i_record *r, const lists *l)
{
    r1_status st;
    for (int64_t i = 0; i < r->n; i++) {
        const r1i_weight *const w = r->job[i].w;
        uint64_t bytes = 0;
        const r1_dtype type = r1i_transposed_type(w);
        (void)r1i_panel_bytes(type, w->cols, w->rows, &bytes);
        if (!(l->out[i] = r1i_arena_take(&t->work, (size_t)bytes, ex->err))) return R1_ERR_NOMEM;
        l->w[i] = w;
        l->transposed[i] = (r1i_weight){.type = type, .layout = R1I_LAYOUT_PANEL, .rows = w->cols, .cols = w->rows,
                                        .data = l->out[i]};
    }
    if ((st = ex->ops->grad->transpose(ex, l->out, l->w, r->n)) != R1_OK || (st = gradients_in(ex, t, r, l)) != R1_OK)
        return st;
    for (int64_t round = 0, done = 0; done < r->n; round++) {
        int64_t n = 0;
        for (int64_t i = 0; i < r->n; i++) {
            if (round_of(r, i) != round) continue;
            l->input[n] = r->job[i].x.x;
            l->job[n++] = (r1i_linear_job){.x = &l->act[i], .w = &l->transposed[i]};
        }
        r1i_tape_open(t, l->input, n, l->assign);
        for (int64_t i = 0; i < n; i++) l->job[i].y = grad(t, l->input[i]), l->job[i].add = !l->assign[i];
        if ((st = ex->ops->linear(ex, l->job, n)) != R1_OK) return st;
        done += n;
    }
    return R1_OK;
}

static r1_status back_linear(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    lists l;
    int64_t n = 0;
    size_t floats_of_work = 0;
    r1_status st = take_lists(ex, &t->work, r->n, &l);
    if (st != R1_OK || (st = inputs(ex, t, r, &l)) != R1_OK) return st;
    for (int64_t i = 0; i < r->n; i++) {
        float *const bias = r->job[i].bias ? param(t, r, r->job[i].bias) : NULL;
        if (bias && (st = ex->ops->grad->column_sum(ex, bias, grad(t, r->job[i].y))) != R1_OK) return st;
        float *const g = param(t, r, r->job[i].w->data);
        if (!g) continue;
        l.product[n++] = (r1i_grad_product){.g = g, .dy = l.act[i], .x = r->job[i].x, .bf16 = r->job[i].bf16};
        floats_of_work += r1i_grad_linear_work(&r->job[i].x.x);
    }
    if (n == 0) return R1_OK;
    float *const work = r1i_arena_take(&t->work, floats_of_work * sizeof *work, ex->err);
    return work ? ex->ops->grad->linear_weight(ex, l.product, n, t->runs, t->n_runs, work) : R1_ERR_NOMEM;
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

static r1_status back_rmsnorm(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    float *const rms = r1i_arena_take(&t->work, floats(r->x.rows), ex->err);
    if (!rms) return R1_ERR_NOMEM;
    const r1i_mat dy = grad(t, r->y);
    const bool assign = r->flag || opens(t, r->x);
    return ex->ops->grad->rmsnorm(ex, grad(t, r->x), dy, r->saved, r->vec, r->scalar, param(t, r, r->vec), assign, rms);
}

/* The inverse rotation, in place. */
static r1_status back_rope(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    float *const p = r1i_arena_take(&t->work, floats(r->z.rows * r->z.cols), ex->err);
    if (!p) return R1_ERR_NOMEM;
    const r1i_mat sin = r1i_mat_of(p, r->z.rows, r->z.cols);
    for (int64_t i = 0; i < sin.rows; i++)
        for (int64_t c = 0; c < sin.cols; c++) p[i * sin.cols + c] = -r->z.p[i * r->z.stride + c];
    return ex->ops->rope(ex, grad(t, r->y), r->n, r->dim, r->step, r->x, sin, r->flag);
}

static r1_status back_attention(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const size_t want = r1i_grad_attention_work(&r->attn, r->x.rows, r->runs, r->n_runs, r1i_pool_threads(ex->pool));
    float *const work = r1i_arena_take(&t->work, want * sizeof *work, ex->err);
    if (!work) return R1_ERR_NOMEM;
    const bool assign = opens(t, r->x);
    const r1i_mat dk = grad(t, r->z), dv = r->attn.mla ? r1i_mat_cols(dk, 0, r->attn.value_dim) : grad(t, r->saved);
    const r1i_mat v = r->attn.mla ? r1i_mat_cols(r->keys, 0, r->attn.value_dim) : r->values;
    return ex->ops->grad->attention(ex, &r->attn, grad(t, r->x), dk, dv, grad(t, r->y), r->x, r->keys, v, r->y, r->runs,
                                    r->n_runs, assign, work);
}

static r1_status back_router(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    return ex->ops->grad->router(ex, &r->route, grad(t, r->x), r->x, r->index, r1i_tape_grad(t, r->weight),
                                 t->balance_alpha, r->runs, r->n_runs, t->balance_loss);
}

static r1_status back_combine(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const r1i_mat dy = grad(t, r->y);
    r1i_grad_to shared, out; /* out is written whole, as the gates' gradient is */
    if (r->z.p) {
        gives(ex, t, r, r->z, &shared);
        const r1i_act rounded = {.x = dy, .kinds = R1I_ACT_BF16, .bf16 = shared.bf16,
                                 .bf16_stride = shared.bf16_stride};
        const r1_status st = shared.bf16 ? ex->ops->grad->round(ex, &rounded, 1)
            : ex->ops->grad->add(ex, shared.m, dy, shared.assign);
        if (st != R1_OK) return st;
    }
    gives(ex, t, r, r->x, &out);
    (void)opens(t, r1i_mat_of((float *)(uintptr_t)r->weight, dy.rows, r->n));
    return ex->ops->grad->moe_combine(ex, &out, r1i_tape_grad(t, r->weight), dy, r->x, r->index, r->weight, r->n);
}

static r1_status back_silu_mul(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const r1i_mat dy = grad(t, r->y);
    r1i_grad_to gate = {.m = r->x, .assign = true}, up;
    if (r->flag) gate.m = dy;
    else gives(ex, t, r, r->x, &gate);
    gives(ex, t, r, r->z, &up);
    return ex->ops->grad->silu_mul(ex, &gate, &up, dy, r->saved, r->z);
}

static r1_status back_gather(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const r1i_mat dy = grad(t, r->y);
    const bool assign = opens(t, r->x);
    return ex->ops->grad->scatter(ex, grad(t, r->x), dy, r->index, assign);
}

static r1_status make_work(const r1i_exec *ex, r1i_tape *t, int64_t from);
static r1_status walk(r1i_exec *ex, r1i_tape *t, int64_t from);

/* A layer's input returns to the residual stream, the layer runs with the tape, its records are walked and
 * forgotten. */
static r1_status back_layer(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const size_t mark = t->act->used;
    const int64_t records = t->n, regions = t->n_regions, blocks = t->n_blocks;
    const r1i_record layer = *r; /* the list of records may move */
    for (int64_t i = 0; i < layer.x.rows; i++)
        memcpy(layer.x.p + i * layer.x.stride, layer.saved.p + i * layer.saved.stride,
               (size_t)layer.x.cols * sizeof *layer.x.p);
    t->side = layer.side;
    r1_status st = layer.redo(layer.layer);
    t->side = false;
    if (st == R1_OK) st = make_work(ex, t, records);
    if (st == R1_OK) st = walk(ex, t, records);
    t->n = records;
    t->n_regions = regions;
    t->n_blocks = blocks;
    t->act->used = mark;
    return st;
}

static r1_status back(r1i_exec *ex, r1i_tape *t, const r1i_record *r)
{
    const r1i_grad_ops *const g = ex->ops->grad;
    switch (r->op) {
    case R1I_TAPE_LINEAR: return back_linear(ex, t, r);
    case R1I_TAPE_RMSNORM: return back_rmsnorm(ex, t, r);
    case R1I_TAPE_ROPE: return back_rope(ex, t, r);
    case R1I_TAPE_ATTENTION: return back_attention(ex, t, r);
    case R1I_TAPE_SILU_MUL: return back_silu_mul(ex, t, r);
    case R1I_TAPE_ROUTER: return back_router(ex, t, r);
    case R1I_TAPE_GATHER: return back_gather(ex, t, r);
    case R1I_TAPE_COMBINE: return back_combine(ex, t, r);
    case R1I_TAPE_SCALE: return ex->ops->scale(ex, grad(t, r->y), r->scalar);
    case R1I_TAPE_LAYER: return back_layer(ex, t, r);
    case R1I_TAPE_EMBED: break;
    }
    float *const table = param(t, r, r->w->data);
    return table ? g->embed(ex, table, grad(t, r->y), r->index) : R1_OK;
}

static size_t work_bytes(const r1i_exec *ex, const r1i_record *r)
{
    switch (r->op) {
    case R1I_TAPE_LINEAR: return linear_bytes(r);
    case R1I_TAPE_RMSNORM: return floats(r->x.rows);
    case R1I_TAPE_ROPE: return floats(r->z.rows * r->z.cols);
    case R1I_TAPE_ATTENTION:
        return r1i_grad_attention_work(&r->attn, r->x.rows, r->runs, r->n_runs, r1i_pool_threads(ex->pool)) *
            sizeof(float);
    default: return 0;
    }
}

/* The work arena grows to the largest record seen; later steps of a run find it large enough. It is empty between
 * records. */
static r1_status make_work(const r1i_exec *ex, r1i_tape *t, int64_t from)
{
    size_t most = R1I_ALIGN;
    for (int64_t i = from; i < t->n; i++) {
        const size_t n = work_bytes(ex, &t->record[i]);
        if (n > most) most = n;
    }
    most += 16 * R1I_ALIGN;
    if (most <= t->work.size) return R1_OK;
    r1i_arena_destroy(&t->work);
    return r1i_arena_create(&t->work, "backward", &t->env, most, ex->err);
}

static r1_status walk(r1i_exec *ex, r1i_tape *t, int64_t from)
{
    r1_status st = R1_OK;
    for (int64_t i = t->n; i-- > from && st == R1_OK;) {
        st = back(ex, t, &t->record[i]);
        r1i_tape_close(t, i);
        r1i_arena_reset(&t->work, 0);
    }
    return st;
}

r1_status r1i_tape_backward(r1i_exec *ex, r1i_tape *t)
{
    const r1_status st = make_work(ex, t, 0);
    t->pool = ex->pool;
    return st == R1_OK ? walk(ex, t, 0) : st;
}
