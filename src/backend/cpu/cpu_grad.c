/* The backward half of the CPU op table: work items over the pool, each the only writer of its outputs and each a fixed
 * chain, so that threads never move a bit. Attention has its own file. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/cpu/cpu_ops.h"
#include "backend/cpu/grad.h"
#include "tensor/codec.h"

enum { STRIP = 64, LINEAR_JOBS = 512 }; /* STRIP: the most columns of an item, four cache lines of a row */

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t panels_of(int64_t rows) { return (rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; }
static const r1i_grad_kernels *kernels(const r1i_exec *ex) { return ((const r1i_cpu_kernels *)ex->backend)->grad; }
static float *row_of(r1i_mat m, int64_t r) { return m.p + r * m.stride; }

/* ---- transposed panels ------------------------------------------------------------------------------------------- */

typedef struct transposing {
    const r1i_grad_kernels *k;
    uint8_t *const *out;
    const r1i_weight *const *w;
    int64_t n;
    atomic_bool failed; /* no memory for a row */
} transposing;

/* Output panel `q` of one matrix: columns 16 q .. of W become its rows' lanes. Blocks of 16 x 16; where fewer columns
 * or rows are left, the rest of a line is zero. */
static void transpose_panel(const r1i_grad_kernels *g, float *out, const r1i_weight *w, int64_t q)
{
    const float *const in = (const float *)(const void *)w->data;
    const int64_t k0 = q * 16, nk = min64(16, w->cols - k0);
    float *const panel = out + q * w->rows * 16;
    for (int64_t m0 = 0; m0 < w->rows; m0 += 16) {
        /* panel m0 / 16 begins at (m0 / 16) * cols * 16 */
        const float *restrict const from = in + m0 * w->cols + k0 * 16;
        float *restrict const to = panel + m0 * 16;
        const int64_t nm = min64(16, w->rows - m0);
        if (nm == 16 && nk == 16) {
            r1i_grad_ahead(from + 2 * 16 * w->cols, 256); /* blocks lie apart: no prefetcher foresees them */
            g->turn(to, from);
            continue;
        }
        for (int64_t m = 0; m < nm; m++)
            for (int64_t k = 0; k < 16; k++) to[m * 16 + k] = k < nk ? from[k * 16 + m] : 0.0f;
    }
}

/* The same in pairs: element (m, k) of W lies at [m / 16][k / 2][m % 16][k % 2], of W^T at [k / 16][m / 2][k % 16][m %
 * 2]. Four elements, m and m + 1 by k and k + 1, are a word in both, with its middle two exchanged. Padding rows of W
 * and a column that rounds up are zero, and so become their places in W^T. */
static void transpose_pairs(uint16_t *out, const r1i_weight *w, int64_t q)
{
    const int64_t pairs = (w->rows + 1) / 2, columns = (w->cols + 1) / 2, first = q * 8, n = min64(8, columns - first);
    uint16_t *const panel = out + q * pairs * 32;
    for (int64_t j0 = 0; j0 < pairs; j0 += 8) {
        const uint8_t *restrict const from = w->data + (j0 / 8 * columns + first) * 64;
        uint16_t *restrict const to = panel + j0 * 32;
        for (int64_t j = 0; j < min64(8, pairs - j0); j++)
            for (int64_t k = 0; k < 8; k++) {
                uint64_t x = 0;
                if (k < n) memcpy(&x, from + k * 64 + j * 8, sizeof x);
                x = (x & 0xffff00000000ffffu) | (x & 0xffff0000u) << 16 | (x >> 16 & 0xffff0000u);
                memcpy(to + j * 32 + k * 4, &x, sizeof x);
            }
    }
}

/* Any other type (a frozen weight): rows become f32 one at a time, so an item is a run of W's rows, each 16 columns of
 * which are a line of a panel. */
static bool transpose_rows(float *out, const r1i_weight *w, int64_t i)
{
    const int64_t padded = panels_of(w->cols) * 16, items = panels_of(w->cols), begin = i * w->rows / items,
                  end = (i + 1) * w->rows / items;
    float *const row = calloc((size_t)padded, sizeof *row);
    for (int64_t m = begin; row && m < end; m++) {
        r1i_weight_row(w, m, row);
        for (int64_t q = 0; q < padded / 16; q++) memcpy(out + (q * w->rows + m) * 16, row + q * 16, 16 * sizeof *row);
    }
    free(row);
    return row || begin == end;
}

static void transpose_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    transposing *const t = ctx;
    int64_t k = 0;
    for (; i >= panels_of(t->w[k]->cols); k++) i -= panels_of(t->w[k]->cols);
    if (t->w[k]->type != R1_DTYPE_BF16 && t->w[k]->type != R1_DTYPE_F32) {
        if (!transpose_rows((float *)(void *)t->out[k], t->w[k], i)) atomic_store(&t->failed, true);
    } else if (t->w[k]->type == R1_DTYPE_BF16) transpose_pairs((uint16_t *)(void *)t->out[k], t->w[k], i);
    else transpose_panel(t->k, (float *)(void *)t->out[k], t->w[k], i);
}

static r1_status transpose(r1i_exec *ex, uint8_t *const *out, const r1i_weight *const *w, int64_t n)
{
    transposing t = {.k = kernels(ex), .out = out, .w = w, .n = n};
    int64_t items = 0;
    for (int64_t i = 0; i < n; i++) items += panels_of(w[i]->cols);
    r1i_pool_run(ex->pool, items, transpose_item, &t);
    return atomic_load(&t.failed) ? r1i_fail(ex->err, R1_ERR_NOMEM, "backward: a row of weights") : R1_OK;
}

/* ---- bf16 inputs ------------------------------------------------------------------------------------------------- */

enum { ROUND_ROWS = 32 };

typedef struct rounding {
    const r1i_cpu_kernels *k;
    const r1i_act *act;
} rounding;

static int64_t round_items(const r1i_act *a) { return (a->x.rows + ROUND_ROWS - 1) / ROUND_ROWS; }

static void round_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const rounding *const w = ctx;
    int64_t k = 0;
    for (; i >= round_items(&w->act[k]); k++) i -= round_items(&w->act[k]);
    const r1i_act *const a = &w->act[k];
    const int64_t cols = a->x.cols, end = min64(a->x.rows, (i + 1) * ROUND_ROWS);
    for (int64_t r = i * ROUND_ROWS; r < end; r++) {
        uint16_t *const y = a->bf16 + r * a->bf16_stride;
        w->k->bf16_row(y, row_of(a->x, r), cols);
        memset(y + cols, 0, sizeof *y * (size_t)(a->bf16_stride - cols));
    }
}

static r1_status round_acts(r1i_exec *ex, const r1i_act *act, int64_t n)
{
    rounding w = {ex->backend, act};
    int64_t items = 0;
    for (int64_t i = 0; i < n; i++) items += round_items(&act[i]);
    r1i_pool_run(ex->pool, items, round_item, &w);
    return R1_OK;
}

/* ---- gradients of weights ---------------------------------------------------------------------------------------- */

/* One input, shared by the products that have it: packed by tiles for each pass. */
typedef struct packed_input {
    float *x;               /* NULL: not packed */
    int32_t *start;         /* pairs: [steps + 1]; NULL: a step is a row */
    int64_t steps, each;    /* all, and of a pass */
} packed_input;

typedef struct weights {
    const r1i_cpu_kernels *k;
    const r1i_grad_product *p;
    int64_t n, pass;        /* products; the how-manieth pass */
    int threads;
    const packed_input *in; /* [n], equal where the inputs are the same */
    const int64_t *first;   /* first product with that input */
} weights;

enum {
    PACK_STEPS = 64, PACK_COLS = 384, /* of an item: pieces of rows long enough to be read at the memory's speed */
    IN_PLACE = 128 * 1024,            /* floats of x: half a second-level cache */
    ITEM_TILES = 128                  /* of an item of products: packed, they stay in a second-level cache for all
                                       * outputs */
};

static int64_t tiles_of(const r1i_mat *x) { return (x->cols + R1I_GRAD_COLS - 1) / R1I_GRAD_COLS; }
static int64_t first_step(const packed_input *in, int64_t pass) { return min64(in->steps, pass * in->each); }
static int64_t pass_steps(const packed_input *in, int64_t pass)
{
    return first_step(in, pass + 1) - first_step(in, pass);
}
/* Steps of a pass over rows where they lie: x, read again for every four panels, is to stay in a second-level cache;
 * each pass reads and writes all sums, so none is much shorter than another. A last panel in part is packed. */
static int64_t steps_in_place(const r1i_grad_product *p)
{
    const int64_t fit = IN_PLACE / p->x.x.stride,
                  most = fit < R1I_GRAD_STEPS || p->dy.x.cols % 16 != 0 ? R1I_GRAD_STEPS : fit;
    const int64_t passes = (p->x.x.rows + most - 1) / most;
    return passes > 0 ? (p->x.x.rows + passes - 1) / passes : 0;
}

static int64_t pack_blocks(const r1i_mat *x) { return (x->cols + PACK_COLS - 1) / PACK_COLS; }
static int64_t pack_items(const r1i_mat *x) { return R1I_GRAD_STEPS / PACK_STEPS * pack_blocks(x); }

static void pack_step(float *tile, const float *x, int64_t n)
{
    for (int64_t c = 0; c < n; c += R1I_GRAD_COLS, tile += R1I_GRAD_TILE) {
        if (n - c >= R1I_GRAD_COLS) memcpy(tile, x + c, R1I_GRAD_COLS * sizeof *tile);
        else memcpy(tile, x + c, (size_t)(n - c) * sizeof *tile);
    }
}

/* Columns in runs of whole cache lines, and of each run as many steps as fill lines of its tiles. */
static void pack_rows(float *tile, const float *x, int64_t stride, int64_t steps, int64_t n)
{
    for (int64_t s0 = 0; s0 < steps; s0 += R1I_GRAD_LINES)
        for (int64_t c = 0; c < n; c += 48)
            for (int64_t s = s0; s < min64(steps, s0 + R1I_GRAD_LINES); s++) {
                r1i_grad_ahead(x + (s + R1I_GRAD_LINES) * stride + c, min64(n - c, 48));
                pack_step(tile + c / R1I_GRAD_COLS * R1I_GRAD_TILE + s * R1I_GRAD_COLS, x + s * stride + c,
                          min64(n - c, 48));
            }
}

/* bf16 where no dot product takes pairs of it. */
static void pack_halves(float *tile, const uint16_t *x, int64_t stride, int64_t steps, int64_t n)
{
    for (int64_t c = 0; c < n; c += R1I_GRAD_COLS, tile += R1I_GRAD_TILE) {
        const int64_t cols = min64(n - c, R1I_GRAD_COLS);
        for (int64_t s = 0; s < steps; s++)
            for (int64_t i = 0; i < cols; i++) tile[s * R1I_GRAD_COLS + i] = r1i_bf16_to_f32(x[s * stride + c + i]);
    }
}

/* Whether product k's input is packed and no earlier product's. */
static bool packs(const weights *w, int64_t k) { return w->first[k] == k && w->in[k].x; }

/* Some steps of some columns of one input. */
static void pack_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const weights *const w = ctx;
    int64_t k = 0;
    for (; !packs(w, k) || i >= pack_items(&w->p[k].x.x); k++)
        if (packs(w, k)) i -= pack_items(&w->p[k].x.x);
    const r1i_act *const act = &w->p[k].x;
    const r1i_mat x = act->x;
    const packed_input *const in = &w->in[k];
    const int64_t s0 = i / pack_blocks(&x) * PACK_STEPS, end = min64(s0 + PACK_STEPS, pass_steps(in, w->pass)),
                  step0 = first_step(in, w->pass);
    const int64_t c0 = i % pack_blocks(&x) * PACK_COLS, nc = min64(x.cols - c0, PACK_COLS);
    float *const to = in->x + c0 / R1I_GRAD_COLS * R1I_GRAD_TILE + s0 * R1I_GRAD_COLS;
    if (end <= s0) return;
    if (in->start) w->k->pairs->pack(to, act->bf16 + c0, act->bf16_stride, in->start + step0 + s0, end - s0, nc);
    else if (w->p[k].bf16)
        pack_halves(to, act->bf16 + (step0 + s0) * act->bf16_stride + c0, act->bf16_stride, end - s0, nc);
    else pack_rows(to, row_of(x, step0 + s0) + c0, x.stride, end - s0, nc);
}

/* Items of a product: runs of tiles, and for each of them groups of panels. Both are as even as possible. */
static int64_t groups_of(const r1i_grad_product *p)
{
    return (panels_of(p->dy.x.cols) + R1I_GRAD_PANELS - 1) / R1I_GRAD_PANELS;
}
static int64_t parts_of(const r1i_grad_product *p) { return (tiles_of(&p->x.x) + ITEM_TILES - 1) / ITEM_TILES; }
static int64_t weight_items(const r1i_grad_product *p) { return groups_of(p) * parts_of(p); }

/* Item i; false: no steps are left, or no such item. */
static bool weight_at(const weights *w, int64_t i, r1i_grad_weight *a)
{
    int64_t k = 0;
    for (; k < w->n && i >= weight_items(&w->p[k]); k++) i -= weight_items(&w->p[k]);
    if (k == w->n) return false;
    const r1i_grad_product *const p = &w->p[k];
    const packed_input *const in = &w->in[k];
    const r1i_mat x = p->x.x, dy = p->dy.x;
    const int64_t groups = groups_of(p), parts = parts_of(p), group = i % groups, part = i / groups,
                  panels = panels_of(dy.cols);
    const int64_t p0 = panels * group / groups, t0 = tiles_of(&x) * part / parts, c0 = t0 * R1I_GRAD_COLS;
    const int64_t step0 = first_step(in, w->pass), row0 = in->start ? 0 : step0;
    *a = (r1i_grad_weight){
        .g = p->g + (p0 * x.cols + c0) * 16,
        .panel_stride = x.cols * 16,
        .np = panels * (group + 1) / groups - p0,
        .nc = min64(tiles_of(&x) * (part + 1) / parts * R1I_GRAD_COLS, x.cols) - c0,
        .steps = pass_steps(in, w->pass),
        .dy = p->bf16 ? NULL : row_of(dy, row0) + p0 * 16,
        .dy16 = p->bf16 ? p->dy.bf16 + row0 * p->dy.bf16_stride + p0 * 16 : NULL,
        .dy_stride = p->bf16 ? p->dy.bf16_stride : dy.stride,
        .dy_cols = dy.cols - p0 * 16,
        .start = in->start ? in->start + step0 : NULL,
        .x = in->x ? in->x + t0 * R1I_GRAD_TILE : row_of(x, step0) + c0,
        .x_stride = in->x ? 0 : x.stride,
    };
    return a->steps > 0;
}

static void weight_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const weights *const w = ctx;
    r1i_grad_weight a, next;
    if (!weight_at(w, i, &a)) return;
    if (weight_at(w, i + w->threads, &next)) {
        const int64_t first = next.start ? next.start[0] : 0, end = next.start ? next.start[next.steps] : next.steps;
        const int64_t elem = next.dy16 ? sizeof *next.dy16 : sizeof *next.dy;
        const uint8_t *const dy = next.dy16 ? (const uint8_t *)next.dy16 : (const uint8_t *)next.dy;
        a.next_x = next.x_stride == a.x_stride ? next.x : NULL;
        a.next = (r1i_grad_next){dy + first * next.dy_stride * elem, end - first,
                                 min64(16 * next.np, next.dy_cols) * elem, next.dy_stride * elem};
    }
    (a.start ? w->k->pairs->weight : w->k->grad->weight)(&a);
}

/* The product with the same input that comes first. */
static int64_t first_with(const r1i_grad_product *p, int64_t i)
{
    const r1i_mat *const x = &p[i].x.x;
    for (int64_t k = i; k-- > 0 && k >= i - 2;) /* q, k, v or gate, up stand together */
        if (p[k].x.x.p == x->p && p[k].x.x.cols == x->cols && p[k].x.x.rows == x->rows &&
            p[k].x.x.stride == x->stride && p[k].bf16 == p[i].bf16) i = k;
    return i;
}

static int64_t start_room(const r1i_mat *x) { return (x->rows + 16) / 16 * 16; }
size_t r1i_grad_linear_work(const r1i_mat *x) { return (size_t)(tiles_of(x) * R1I_GRAD_TILE + start_room(x)); }

/* Rows of a product by pairs that begin anew with every run. */
static int64_t pair_rows(const r1i_grad_product *p, const r1i_run *runs, int64_t n_runs, int32_t *start)
{
    int64_t n = 0, run = 0, held = 0; /* held: rows of the last pair; 2: full */
    for (int64_t i = 0; i < p->x.x.rows; i++) {
        const int64_t row = p->x.row ? p->x.row[i] : p->row0 + i, before = run;
        while (run + 1 < n_runs && row >= runs[run].first + runs[run].n) run++;
        if (i == 0 || held == 2 || run != before) {
            start[n++] = (int32_t)i;
            held = 0;
        }
        held++;
    }
    start[n] = (int32_t)p->x.x.rows;
    return n;
}

static r1_status some_weights(r1i_exec *ex, const r1i_grad_product *p, int64_t n, const r1i_run *runs, int64_t n_runs,
                              float *work)
{
    packed_input in[LINEAR_JOBS];
    int64_t first[LINEAR_JOBS], packed = 0, items = 0, passes = 0;
    weights w = {.k = ex->backend, .p = p, .n = n, .in = in, .first = first, .threads = r1i_pool_threads(ex->pool)};
    for (int64_t i = 0; i < n; i++) {
        first[i] = first_with(p, i);
        if (first[i] < i) {
            in[i] = in[first[i]];
            if (!in[i].x) in[i].each = steps_in_place(&p[i]);
        } else if (!p[i].bf16 && w.k->grad->in_place && p[i].x.x.stride <= R1I_GRAD_NEAR) {
            in[i] = (packed_input){.steps = p[i].x.x.rows, .each = steps_in_place(&p[i])};
        } else {
            const bool pairs = p[i].bf16 && w.k->pairs;
            in[i] = (packed_input){.x = work, .each = R1I_GRAD_STEPS,
                                   .start = pairs ? (int32_t *)(void *)(work + tiles_of(&p[i].x.x) * R1I_GRAD_TILE)
                                   : NULL};
            in[i].steps = pairs ? pair_rows(&p[i], runs, n_runs, in[i].start) : p[i].x.x.rows;
            work += r1i_grad_linear_work(&p[i].x.x);
            packed += pack_items(&p[i].x.x);
        }
        items += weight_items(&p[i]);
        while (pass_steps(&in[i], passes) > 0) passes++;
    }
    for (w.pass = 0; w.pass < passes; w.pass++) {
        r1i_pool_run(ex->pool, packed, pack_item, &w);
        r1i_pool_run(ex->pool, items, weight_item, &w);
    }
    return R1_OK;
}

static r1_status linear_weight(r1i_exec *ex, const r1i_grad_product *p, int64_t n, const r1i_run *runs, int64_t n_runs,
                               float *work)
{
    for (int64_t i = 0; i < n; i += LINEAR_JOBS) {
        const r1_status st = some_weights(ex, p + i, min64(n - i, LINEAR_JOBS), runs, n_runs, work);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

/* ---- rows and strips of columns ---------------------------------------------------------------------------------- */

/* Arguments of the simple ops; each uses its own few. */
typedef struct grad_args {
    const r1i_grad_kernels *k;
    void (*rounded)(uint16_t *y, const float *x, int64_t n); /* to bf16 */
    const r1i_grad_to *to, *to_up;
    r1i_mat dx, dy, x, u;
    const float *g;
    float *out, *rms;
    const double *lse;
    const int32_t *index;
    int64_t n;
    float scalar;
    bool assign;
    void (*item)(const struct grad_args *a, int64_t i0, int64_t i1);
    int64_t all, block;
} grad_args;

static void grad_block(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const grad_args *const a = ctx;
    a->item(a, i * a->block, min64((i + 1) * a->block, a->all));
}

static r1_status run(r1i_exec *ex, grad_args *a, int64_t all, int64_t block,
                     void (*item)(const grad_args *, int64_t, int64_t))
{
    a->k = kernels(ex);
    a->rounded = ((const r1i_cpu_kernels *)ex->backend)->bf16_row;
    a->item = item;
    a->all = all;
    a->block = block;
    r1i_pool_run(ex->pool, (all + block - 1) / block, grad_block, a);
    return R1_OK;
}
static int64_t row_block(const r1i_exec *ex, int64_t rows)
{
    const int64_t items = 4 * r1i_pool_threads(ex->pool);
    return rows > items ? (rows + items - 1) / items : 1;
}

/* Columns of an item: narrower where few columns would leave threads without work. */
static int64_t strip(const r1i_exec *ex, int64_t cols)
{
    const int64_t n = r1i_round16(cols / (2 * r1i_pool_threads(ex->pool)));
    return n < 16 ? 16 : min64(n, STRIP);
}

static void sum_columns(const grad_args *a, int64_t c0, int64_t c1)
{
    for (int64_t r = 0; r < a->dy.rows; r++)
        for (int64_t c = c0; c < c1; c++) a->out[c] += row_of(a->dy, r)[c];
}
static r1_status column_sum(r1i_exec *ex, float *g, r1i_mat dy)
{
    grad_args a = {.out = g, .dy = dy};
    return run(ex, &a, dy.cols, strip(ex, dy.cols), sum_columns);
}

static void rmsnorm_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    for (int64_t r = r0; r < r1; r++) a->rms[r] = a->k->rms(row_of(a->x, r), a->x.cols, a->scalar);
}
static void rmsnorm_gain(const grad_args *a, int64_t c0, int64_t c1)
{
    a->k->gain(a->out, a->dy, a->x, a->rms, c0, c1 - c0);
}
static void rmsnorm_inputs(const grad_args *a, int64_t r0, int64_t r1)
{
    for (int64_t r = r0; r < r1; r++)
        a->k->rmsnorm_row(row_of(a->dx, r), row_of(a->dy, r), row_of(a->x, r), a->g, a->x.cols, a->rms[r], a->assign);
}
static r1_status rmsnorm(r1i_exec *ex, r1i_mat dx, r1i_mat dy, r1i_mat x, const float *g, float eps, float *dg,
                         bool assign, float *rms)
{
    grad_args a = {.dx = dx, .dy = dy, .x = x, .g = g, .scalar = eps, .out = dg, .rms = rms, .assign = assign};
    run(ex, &a, x.rows, row_block(ex, x.rows), rmsnorm_rows);
    if (dg) run(ex, &a, x.cols, strip(ex, x.cols), rmsnorm_gain);
    return run(ex, &a, x.rows, row_block(ex, x.rows), rmsnorm_inputs);
}

/* Columns of a row that are formed as f32 in a near cache before they are rounded to where they go. */
enum { NEAR = 512 };
static float *near_or(const r1i_grad_to *to, float *near, int64_t r, int64_t c)
{
    return to->bf16 ? near : row_of(to->m, r) + c;
}
static void round_to(const grad_args *a, const r1i_grad_to *to, const float *near, int64_t r, int64_t c, int64_t n)
{
    if (!to->bf16) return;
    uint16_t *const y = to->bf16 + r * to->bf16_stride;
    a->rounded(y + c, near, n);
    if (c + n == to->m.cols) memset(y + c + n, 0, sizeof *y * (size_t)(to->bf16_stride - c - n));
}

static void silu_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    float gate[NEAR], up[NEAR];
    const r1i_grad_to *const dg = a->to, *const du = a->to_up;
    for (int64_t r = r0; r < r1; r++)
        for (int64_t c = 0, n; c < a->x.cols; c += n) {
            n = min64(a->x.cols - c, NEAR);
            a->k->silu_mul_row(near_or(dg, gate, r, c), near_or(du, up, r, c), row_of(a->dy, r) + c,
                               row_of(a->x, r) + c, row_of(a->u, r) + c, n, dg->assign || dg->bf16,
                               du->assign || du->bf16);
            round_to(a, dg, gate, r, c, n);
            round_to(a, du, up, r, c, n);
        }
}
static r1_status silu_mul(r1i_exec *ex, const r1i_grad_to *dg, const r1i_grad_to *du, r1i_mat dy, r1i_mat g, r1i_mat u)
{
    grad_args a = {.to = dg, .to_up = du, .dy = dy, .x = g, .u = u};
    return run(ex, &a, g.rows, row_block(ex, g.rows), silu_rows);
}

static void add_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    for (int64_t r = r0; r < r1; r++)
        for (int64_t c = 0; c < a->dx.cols; c++)
            row_of(a->dx, r)[c] = (a->assign ? 0.0f : row_of(a->dx, r)[c]) + row_of(a->dy, r)[c];
}
static r1_status add(r1i_exec *ex, r1i_mat y, r1i_mat x, bool assign)
{
    grad_args a = {.dx = y, .dy = x, .assign = assign};
    return run(ex, &a, y.rows, row_block(ex, y.rows), add_rows);
}

/* Rows of dy by the row that they go to, ascending: those of row r are order[first[r]] to order[first[r + 1] - 1]. */
static int32_t *sort_index(const int32_t *index, int64_t n, int64_t rows)
{
    int32_t *const first = calloc((size_t)(rows + 2 + n), sizeof *first),
                   *const order = first ? first + rows + 2 : NULL;
    if (!first) return NULL;
    for (int64_t i = 0; i < n; i++) first[index[i] + 2]++;
    for (int64_t r = 2; r < rows + 2; r++) first[r] += first[r - 1];
    for (int64_t i = 0; i < n; i++) order[first[index[i] + 1]++] = (int32_t)i;
    return first;
}

static void scatter_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    const int32_t *const first = a->index, *const order = first + a->dx.rows + 2;
    for (int64_t r = r0; r < r1; r++) {
        float *restrict const to = row_of(a->dx, r);
        for (int64_t i = first[r + 1]; r + 1 < r1 && i < first[r + 2]; i++)
            r1i_grad_ahead(row_of(a->dy, order[i]), a->dy.cols);
        if (a->assign) memset(to, 0, (size_t)a->dy.cols * sizeof *to);
        for (int64_t i = first[r]; i < first[r + 1]; i++) {
            const float *restrict const from = row_of(a->dy, order[i]);
            for (int64_t c = 0; c < a->dy.cols; c++) to[c] += from[c];
        }
    }
}
static bool in_order(const int32_t *index, int64_t n)
{
    int64_t i = 0;
    while (i < n && index[i] == i) i++;
    return i == n;
}

static r1_status scatter(r1i_exec *ex, r1i_mat dx, r1i_mat dy, const int32_t *index, bool assign)
{
    if (dx.rows == dy.rows && in_order(index, dy.rows)) return add(ex, dx, dy, assign);
    int32_t *const sorted = sort_index(index, dy.rows, dx.rows);
    grad_args a = {.dx = dx, .dy = dy, .index = sorted, .assign = assign};
    if (!sorted) return r1i_fail(ex->err, R1_ERR_NOMEM, "backward: an index of %lld rows", (long long)dy.rows);
    run(ex, &a, dx.rows, row_block(ex, dx.rows), scatter_rows);
    free(sorted);
    return R1_OK;
}

static void combine_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    float near[NEAR];
    for (int64_t r = r0; r < r1; r++) {
        const float *const dy = row_of(a->dy, r);
        for (int64_t j = 0; j < a->n; j++) {
            const int64_t at = r * a->n + j, slot = a->index[at];
            a->out[at] = a->k->dot(dy, row_of(a->x, slot), a->dy.cols);
            for (int64_t c0 = 0, n; c0 < a->dy.cols; c0 += n) {
                n = min64(a->dy.cols - c0, NEAR);
                float *const d = near_or(a->to, near, slot, c0);
                for (int64_t c = 0; c < n; c++) d[c] = a->g[at] * dy[c0 + c];
                round_to(a, a->to, near, slot, c0, n);
            }
        }
    }
}
static r1_status moe_combine(r1i_exec *ex, const r1i_grad_to *dout, float *dweight, r1i_mat dy, r1i_mat out,
                             const int32_t *slot, const float *weight, int64_t topk)
{
    grad_args a = {.to = dout, .out = dweight, .dy = dy, .x = out, .index = slot, .g = weight, .n = topk};
    return run(ex, &a, dy.rows, row_block(ex, dy.rows), combine_rows);
}

static void embed_columns(const grad_args *a, int64_t c0, int64_t c1)
{
    const int64_t cols = a->dy.cols;
    for (int64_t r = 0; r < a->dy.rows; r++) {
        float *const to = a->out + a->index[r] / 16 * cols * 16 + a->index[r] % 16;
        for (int64_t c = c0; c < c1; c++) to[c * 16] += row_of(a->dy, r)[c];
    }
}
static r1_status embed(r1i_exec *ex, float *g, r1i_mat dy, const int32_t *token)
{
    grad_args a = {.out = g, .dy = dy, .index = token};
    return run(ex, &a, dy.cols, strip(ex, dy.cols), embed_columns);
}

static void cross_entropy_rows(const grad_args *a, int64_t r0, int64_t r1)
{
    for (int64_t r = r0; r < r1; r++)
        a->k->cross_entropy_row(row_of(a->dx, r), a->dx.cols, a->n, a->index[r], a->scalar, (float)a->lse[r], a->g[r]);
}
static r1_status cross_entropy(r1i_exec *ex, r1i_mat logits, const int32_t *target, const double *lse,
                               const float *coef, int64_t n_defined, float inv_temperature)
{
    grad_args a = {.dx = logits, .index = target, .lse = lse, .g = coef, .n = n_defined, .scalar = inv_temperature};
    return run(ex, &a, logits.rows, row_block(ex, logits.rows), cross_entropy_rows);
}

/* ---- router ------------------------------------------------------------------------------------------------------ */

/* dscore -> dlogit, added. */
static void through_scores(const r1i_router_shape *s, const float *score, const double *dscore, float *dlogit)
{
    double mean = 0.0;
    for (int64_t e = 0; e < s->experts && !s->sigmoid; e++) mean += dscore[e] * (double)score[e];
    for (int64_t e = 0; e < s->experts; e++) {
        const double p = (double)score[e];
        dlogit[e] += (float)(s->sigmoid ? dscore[e] * p * (1.0 - p) : p * (dscore[e] - mean));
    }
}

/* Gates: weight_i = s_i / (sum + 1e-20) * scaling. */
static void through_gates(const r1i_router_shape *s, const float *score, const int32_t *expert, const float *dweight,
                          double *dscore)
{
    double sum = 1e-20, dot = 0.0;
    for (int64_t j = 0; j < s->topk; j++) sum += (double)score[expert[j]];
    for (int64_t j = 0; j < s->topk; j++) dot += (double)dweight[j] * (double)score[expert[j]];
    for (int64_t j = 0; j < s->topk; j++)
        dscore[expert[j]] += (double)s->scaling *
            (s->normalise ? ((double)dweight[j] - dot / sum) / sum : (double)dweight[j]);
}

/* f_e of one run: how often e is among the topk largest scores, no bias, ties to the lower id, times E / (topk T). */
static void balance_load(const r1i_cpu_kernels *k, const r1i_router_shape *s, r1i_mat logits, const r1i_run *run,
                         double *f)
{
    float score[R1I_ROUTER_EXPERTS];
    bool taken[R1I_ROUTER_EXPERTS];
    memset(f, 0, (size_t)s->experts * sizeof *f);
    for (int64_t r = run->first; r < run->first + run->n; r++) {
        r1i_cpu_affinities(k, s, row_of(logits, r), score);
        memset(taken, 0, (size_t)s->experts * sizeof *taken);
        for (int64_t j = 0; j < s->topk; j++) {
            int64_t best = -1;
            for (int64_t e = 0; e < s->experts; e++)
                if (!taken[e] && (best < 0 || score[e] > score[best])) best = e;
            taken[best] = true;
            f[best] += 1.0;
        }
    }
    for (int64_t e = 0; e < s->experts; e++) f[e] *= (double)s->experts / ((double)s->topk * (double)run->n);
}

/* term (nullable): each row's part of the loss's value, from the run's first row on. */
static void router_run(const r1i_cpu_kernels *k, const r1i_router_shape *s, r1i_mat dlogits, r1i_mat logits,
                       const int32_t *expert, const float *dweight, float alpha, const r1i_run *run, double *term)
{
    float score[R1I_ROUTER_EXPERTS];
    double dscore[R1I_ROUTER_EXPERTS], f[R1I_ROUTER_EXPERTS];
    if (alpha != 0.0f) balance_load(k, s, logits, run, f);
    for (int64_t r = run->first; r < run->first + run->n; r++) {
        r1i_cpu_affinities(k, s, row_of(logits, r), score);
        memset(dscore, 0, (size_t)s->experts * sizeof *dscore);
        through_gates(s, score, expert + r * s->topk, dweight + r * s->topk, dscore);
        if (alpha != 0.0f) {
            double sum = 0.0, mean = 0.0;
            for (int64_t e = 0; e < s->experts; e++) sum += (double)score[e];
            for (int64_t e = 0; e < s->experts; e++) mean += f[e] * (double)score[e] / sum;
            const double by = (double)alpha / (double)run->n;
            for (int64_t e = 0; e < s->experts; e++) dscore[e] += by * (f[e] - mean) / sum;
            if (term) term[r - run->first] = by * mean;
        }
        through_scores(s, score, dscore, row_of(dlogits, r));
    }
}

typedef struct routing {
    const r1i_cpu_kernels *k;
    const r1i_router_shape *s;
    r1i_mat dlogits, logits;
    const int32_t *expert;
    const float *dweight;
    float alpha;
    const r1i_run *runs;
    double *term; /* from the first run's first row on; nullable */
} routing;

static void router_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const routing *const a = ctx;
    router_run(a->k, a->s, a->dlogits, a->logits, a->expert, a->dweight, a->alpha, &a->runs[i],
               a->term ? a->term + a->runs[i].first - a->runs[0].first : NULL);
}

/* Runs go over the pool; the loss's value is still one chain over the rows, so their parts are kept and added up
 * here. */
static r1_status router(r1i_exec *ex, const r1i_router_shape *s, r1i_mat dlogits, r1i_mat logits, const int32_t *expert,
                        const float *dweight, float alpha, const r1i_run *runs, int64_t n_runs, double *balance)
{
    const bool value = balance && alpha != 0.0f;
    double *const term = value ? malloc((size_t)logits.rows * sizeof *term) : NULL;
    routing a = {ex->backend, s, dlogits, logits, expert, dweight, alpha, runs, term};
    if (value && !term) return r1i_fail(ex->err, R1_ERR_NOMEM, "balance loss of %lld rows", (long long)logits.rows);
    r1i_pool_run(ex->pool, n_runs, router_item, &a);
    for (int64_t i = 0; value && i < n_runs; i++)
        for (int64_t r = 0; r < runs[i].n; r++) *balance += term[runs[i].first - runs[0].first + r];
    free(term);
    return R1_OK;
}

const r1i_grad_ops r1i_cpu_grad_ops = {
    .transpose = transpose,
    .round = round_acts,
    .linear_weight = linear_weight,
    .column_sum = column_sum,
    .rmsnorm = rmsnorm,
    .silu_mul = silu_mul,
    .attention = r1i_cpu_grad_attention,
    .router = router,
    .scatter = scatter,
    .moe_combine = moe_combine,
    .add = add,
    .embed = embed,
    .cross_entropy = cross_entropy,
};
