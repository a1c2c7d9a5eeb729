/* Cuts products into work items: ranges of panels, and blocks of rows where there are few panels. An output element is
 * always one kernel call's own chain over all of K, so the cut decides about speed alone. */
#include "backend/cpu/cpu_ops.h"

#include <stdatomic.h>

#include "backend/cpu/claim.h"
#include "backend/cpu/own_row.h"
#include "backend/cpu/shares.h"

enum {
    ITEMS_A_THREAD = 16,       /* enough that the last items of a region end together */
    ITEMS_NEAR = 64,           /* the same where a matrix stays near while its rows are cut finer */
    NEAR_BYTES = 256 * 1024,   /* a quarter of a second-level cache */
    ITEMS_FEW_ROWS = 32,       /* the same where an item is a piece of a stream: cutting it finer costs nothing */
    ITEMS_ONE_ROW = 128,       /* one row's are taken several at a time, the last ones alone */
    FEW_ROWS = 16,
    INLINE = 128 * 1024,       /* multiply-adds: below, the calling thread is done before another has begun */
    /* below, handing out an item costs more than it balances: 2 to 4 us of one row's weights */
    MIN_ITEM = 64 * 1024,
    LONG_ROW = 4096,           /* columns from which Q4_K's kernel of one row walks four panels side by side */
    LEAST_BYTES = 128 * 1024,  /* so much of one row's weights is never one thread's alone */
    PANEL_STEP = 8,            /* panels that a vector kernel walks side by side for one row */
    TILE = 6,                  /* rows of a register tile */
    ROW_STEP = 24,             /* rows: a multiple of what the register tiles hold */
    AHEAD_BYTES = 256 * 1024,  /* of the next region, while a thread waits: 10 us of one thread's reading, a quarter of
                                * a second-level cache */
    JOBS_A_REGION = 512,       /* cut together; a region more for 512 experts does not matter */
    PAIR_ROWS = 256,           /* of an item of a gated pair: what it leaves for its gate stays in the second-level
                                * cache */
    PAIR_FLOATS = 32 * 1024
};

/* How one job is cut: items = panel ranges x row blocks. */
typedef struct cut {
    int64_t panels, rows; /* an item */
    int64_t across, items;
} cut;

typedef struct region {
    const r1i_linear_job *jobs;
    int64_t n;
    bool one_row;
    const r1i_act *only;          /* nullable: the row that all jobs meet, of which each thread makes a copy */
    int shares;
    cut cuts[JOBS_A_REGION];
    r1i_linear_kernel kernel[JOBS_A_REGION], up[JOBS_A_REGION];
    _Atomic int row[JOBS_A_REGION]; /* see_prepared */
    int16_t first[JOBS_A_REGION];   /* the first of the neighbouring jobs that meet the same row: its `row` counts */
    r1i_share share[R1I_SHARES];
    const r1i_cpu_kernels *kernels;
    int threads;
} region;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }
static int64_t panels_of(const r1i_linear_job *j) { return (j->w->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; }
static int64_t panel_cost(const r1i_linear_job *j) { return (j->up ? 2 : 1) * R1I_PANEL_ROWS * j->w->cols; } /* a row */

/* Multiply-adds of an item, in a region of `total` whose jobs have at most `rows` rows; 0: one thread, one item. */
static int64_t wanted(int threads, int64_t total, int64_t rows)
{
    if (threads <= 1) return 0;
    return max64(MIN_ITEM,
                 total / (threads * (rows <= 1 ? ITEMS_ONE_ROW : rows <= FEW_ROWS ? ITEMS_FEW_ROWS : ITEMS_A_THREAD)));
}

/* Panels of the smallest item: of one row they are the ones for which the others wait at the end. fp8 is four streams
 * where the processor has R1I_CPU_NEAR. */
static int64_t least_panels(const r1i_weight *w, int64_t rows, bool near)
{
    if (rows > 1 || (!near && w->type == R1_DTYPE_Q4_K && w->cols >= LONG_ROW)) return 4;
    if (near && w->type == R1_DTYPE_F8_E4M3) return 4;
    return r1i_dtype(w->type)->block_elems > 1 ? 1 : 2; /* a vector kernel walks several panels of scalar types at once,
                                                         * as far as there are */
}

/* f32 that a thread can meet again and again with other rows: memory then sees no more for many items than for few. */
static bool stays_near(const r1i_linear_job *j)
{
    return j->w->type == R1_DTYPE_F32 && panels_of(j) * panel_cost(j) * (int64_t)sizeof(float) <= NEAR_BYTES;
}

/* alone: the region has no other job; near: r1i_cpu_kernels.near. */
static cut cut_job(const r1i_linear_job *j, int64_t want, bool alone, bool near)
{
    const int64_t all = panels_of(j), rows = j->x->x.rows;
    cut c = {.panels = all, .rows = rows, .across = 1, .items = rows > 0 ? 1 : 0};
    if (rows == 0 || (want == 0 && !j->up)) return c;
    if (want > 0 && rows > 2 * ROW_STEP && stays_near(j)) {
        const int64_t most = want * ITEMS_A_THREAD / ITEMS_NEAR / (panel_cost(j) * all);
        const int64_t blocks = (rows - 1) / max64(2 * ROW_STEP, most) + 1; /* of equal size, whole tiles */
        c.rows = round_up((rows + blocks - 1) / blocks, TILE);
    } else if (want > 0) {
        const int64_t by_cost = want / (panel_cost(j) * rows) + 1;
        c.panels = min64(all,
                         by_cost >= PANEL_STEP ? by_cost / PANEL_STEP * PANEL_STEP
                         : round_up(by_cost, least_panels(j->w, rows, near)));
        if (by_cost < 4 && rows > 2 * ROW_STEP)
            c.rows = min64(rows, max64(2 * ROW_STEP, round_up(want / (panel_cost(j) * c.panels), ROW_STEP)));
    }
    /* wide elements: a router of 64 experts is half a megabyte */
    if (alone && rows == 1 && want > 0 && c.panels == all) {
        const int64_t pieces = all * (int64_t)r1i_panel_stride(j->w->type, j->w->cols) / LEAST_BYTES;
        if (pieces > 1) c.panels = (all + pieces - 1) / pieces;
    }
    if (j->up) {
        const int64_t blocks = (c.rows + PAIR_ROWS - 1) / PAIR_ROWS; /* of equal size */
        c.rows = (c.rows + blocks - 1) / blocks;
        c.panels = min64(c.panels, max64(1, PAIR_FLOATS / (R1I_PANEL_ROWS * c.rows)));
    }
    c.across = (all + c.panels - 1) / c.panels;
    c.items = c.across * ((rows + c.rows - 1) / c.rows);
    return c;
}

/* Item i of the region: its job and its number within that. */
static int64_t job_of(const region *g, int64_t *i)
{
    int64_t k = 0;
    for (; *i >= g->cuts[k].items; k++) *i -= g->cuts[k].items;
    return k;
}

/* The beginning of item i's matrix, if that is where it lies, into the second-level cache while the item before it is
 * computed: experts do not lie behind each other, and should begin as fast as they go on. One row alone; more have
 * other work between. */
static void ask_for(const region *g, int64_t i)
{
    enum { HEAD = 4096 };
    const int64_t k = job_of(g, &i);
    const r1i_linear_job *const j = &g->jobs[k];
    if (i > 0 || j->x->x.rows != 1) return; /* within a matrix the kernels go on by themselves */
    const int64_t stride = (int64_t)r1i_panel_stride(j->w->type, j->w->cols);
    const bool streams = r1i_dtype(j->w->type)->block_elems == 1; /* PANEL_STEP at a time; block types one after the
                                                                   * other */
    const int64_t panels = streams ? min64(PANEL_STEP, panels_of(j)) : 1,
                  bytes = streams ? min64(HEAD, stride) : 2 * HEAD;
    for (int64_t p = 0; p < panels; p++)
        for (int64_t at = 0; at < bytes; at += 64) __builtin_prefetch(j->w->data + p * stride + at, 0, 2);
}

/* Where an item of a gated pair, rows from r0 and outputs from `first` on, puts what its gate will meet: a place of the
 * thread's own, taken again for each item, which memory never sees; else, where the job is too small for that, the
 * output's place in the whole. The result is where output 0 of the first row would be, inside `work`: the first row's
 * room lies before the threads' places. */
static r1i_mat pair_room(const region *g, const r1i_linear_job *whole, int64_t r0, int64_t rows, int64_t first,
                         int64_t n, int thread)
{
    const int64_t cols = whole->y.cols;
    if (cols + g->threads * PAIR_FLOATS <= whole->y.rows * cols)
        return (r1i_mat){whole->work + cols + thread * PAIR_FLOATS - first, rows, cols, n};
    return r1i_mat_of(whole->work + r0 * cols, rows, cols);
}

static void pair_item(const region *g, int64_t k, const r1i_linear_job *gate, int64_t r0, int64_t p0, int64_t p1,
                      int thread)
{
    const int64_t first = p0 * R1I_PANEL_ROWS, end = min64(gate->w->rows, p1 * R1I_PANEL_ROWS);
    r1i_linear_job up = *gate;
    up.w = gate->up;
    up.y = pair_room(g, &g->jobs[k], r0, gate->y.rows, first, (p1 - p0) * R1I_PANEL_ROWS, thread);
    g->up[k](&up, p0, p1);
    for (int64_t r = 0; r < gate->y.rows; r++) {
        float *const y = gate->y.p + r * gate->y.stride + first;
        g->kernels->silu_mul_row(y, y, up.y.p + r * up.y.stride + first, end - first);
    }
}

static void linear_item(const region *g, int64_t i, int thread)
{
    const int64_t k = job_of(g, &i);
    const cut *const c = &g->cuts[k];
    r1i_linear_job job = g->jobs[k];
    const int64_t p0 = i % c->across * c->panels, r0 = i / c->across * c->rows;
    const int64_t rows = min64(c->rows, job.x->x.rows - r0);
    const r1i_act x = r1i_act_rows(job.x, r0, rows);
    job.x = &x;
    job.y.p += r0 * job.y.stride;
    job.y.rows = rows;
    const int64_t p1 = min64(p0 + c->panels, panels_of(&job));
    g->kernel[k](&job, p0, p1);
    if (job.up) pair_item(g, k, &job, r0, p0, p1, thread);
}

/* What has become of a job's row that was left for whoever wants it first (r1i_act.later). */
enum { READY, LEFT, BEGUN };
static void see_prepared(region *g, int64_t job)
{
    const int64_t k = g->first[job];
    const r1i_act *const x = g->jobs[k].x;
    int left = LEFT;
    if (atomic_load_explicit(&g->row[k], memory_order_acquire) == READY) return;
    if (atomic_compare_exchange_strong_explicit(&g->row[k], &left, BEGUN, memory_order_relaxed, memory_order_relaxed)) {
        r1i_row_make(g->kernels, x, x);
        atomic_store_explicit(&g->row[k], READY, memory_order_release);
        return;
    }
    while (atomic_load_explicit(&g->row[k], memory_order_acquire) != READY) r1i_relax();
}

/* A column of one panel's outputs is a line, and where rows are short the next one follows in less time than it takes
 * to get the line from a core that has read it: the first of a piece are asked for together. */
static void claim_outputs(const r1i_linear_job *j, int64_t p0, int64_t p1)
{
    enum { MOST = 1024 };
    const int64_t first = p0 * R1I_PANEL_ROWS, n = min64(j->w->rows, p1 * R1I_PANEL_ROWS) - first;
    r1i_claim(j->y.p + first, (size_t)min64(n, MOST) * sizeof(float));
}

/* Items of one row, matrix by matrix: those of one matrix are one piece of it. */
static void linear_stretch(region *g, r1i_items items, const r1i_act *own, int thread)
{
    while (items.n > 0) {
        int64_t i = items.first;
        const int64_t k = job_of(g, &i), n = g->jobs[k].up ? 1 : min64(items.n, g->cuts[k].items - i),
                      step = g->cuts[k].panels;
        if (n < items.n) ask_for(g, items.first + n);
        if (!own) see_prepared(g, k);
        if (g->jobs[k].up) {
            linear_item(g, items.first, thread);
        } else {
            r1i_linear_job job = g->jobs[k];
            const int64_t p0 = i * step, p1 = min64((i + n) * step, panels_of(&job));
            if (own) job.x = own;
            claim_outputs(&job, p0, p1);
            g->kernel[k](&job, p0, p1);
        }
        items.first += n;
        items.n -= n;
    }
}

static void linear_share(void *ctx, int64_t i, int thread)
{
    region *const g = ctx;
    const int own = thread % g->shares;
    r1i_own_row row; /* 54 KiB of stack, written as far as there are columns */
    row.made = false;
    (void)i;
    for (;;) {
        r1i_items items = {0, 1};
        if (g->one_row) items = r1i_shares_take_some(g->share, g->shares, own);
        else items.first = r1i_shares_take(g->share, g->shares, own);
        if (items.n == 0 || items.first < 0) return;
        const uint64_t left = atomic_load_explicit(&g->share[own].left, memory_order_relaxed);
        if (left >> 32 < (left & UINT32_MAX)) ask_for(g, (int64_t)(left >> 32)); /* most likely ours */
        if (g->only && !row.made) r1i_own_row_make(g->kernels, g->only, &row);
        if (g->one_row) linear_stretch(g, items, g->only ? &row.act : NULL, thread);
        else linear_item(g, items.first, thread);
    }
}

static r1_status choose(const r1i_exec *ex, const r1i_act *x, r1_dtype type, r1i_linear_kernel *out)
{
    const r1i_cpu_kernels *const k = ex->backend;
    if (type == R1_DTYPE_BF16 && (x->kinds & R1I_ACT_BF16)) *out = k->linear_bf16;
    else if (r1i_dtype(type)->block_elems > 1 && (x->kinds & R1I_ACT_Q8)) *out = k->linear_q8[type];
    else *out = k->linear_f32[type];
    if (*out) return R1_OK;
    return r1i_fail(ex->err, R1_ERR_UNSUPPORTED, "linear: no kernel for weights of type %s", r1_dtype_name(type));
}

static void run_shares(r1i_exec *ex, region *g, int64_t items, int threads)
{
    g->shares = r1i_shares_of(threads, items);
    r1i_shares_cut(g->share, g->shares, items);
    r1i_pool_run(threads > 1 ? ex->pool : NULL, g->shares, linear_share, g);
}

/* The row of one_row's jobs, if it is the same, nobody reads it afterwards (low-rank terms do) and it fits. */
static const r1i_act *only_row(const r1i_linear_job *jobs, int64_t n)
{
    const r1i_act *const x = jobs[0].x;
    if (!r1i_own_row_fits(x)) return NULL;
    for (int64_t i = 0; i < n; i++)
        if (!jobs[i].x->later || jobs[i].x->x.p != x->x.p || jobs[i].x->x.cols != x->x.cols || jobs[i].w->lora ||
            jobs[i].up) return NULL;
    return x;
}

static r1_status run_region(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    const int threads = r1i_pool_threads(ex->pool);
    region g; /* 32 KiB of stack, written as far as n */
    g.jobs = jobs;
    g.n = n;
    g.kernels = ex->backend;
    g.threads = threads;
    int64_t total = 0, items = 0, rows = 0;
    for (int64_t i = 0; i < n; i++) {
        total += panels_of(&jobs[i]) * panel_cost(&jobs[i]) * jobs[i].x->x.rows;
        rows = max64(rows, jobs[i].x->x.rows);
    }
    const int64_t want = wanted(threads, total, rows);
    g.one_row = rows == 1;
    g.only = g.one_row ? only_row(jobs, n) : NULL;
    for (int64_t i = 0; i < n; i++) {
        r1_status st = choose(ex, jobs[i].x, jobs[i].w->type, &g.kernel[i]);
        if (st == R1_OK && jobs[i].up) st = choose(ex, jobs[i].x, jobs[i].up->type, &g.up[i]);
        if (st != R1_OK) return st;
        atomic_init(&g.row[i], jobs[i].x->later ? LEFT : READY);
        g.first[i] = i > 0 && jobs[i].x->x.p == jobs[i - 1].x->x.p ? g.first[i - 1] : (int16_t)i;
        if (!g.one_row) see_prepared(&g, i);
        g.cuts[i] = cut_job(&jobs[i], want, n == 1, g.kernels->near);
        items += g.cuts[i].items;
    }
    run_shares(ex, &g, items, total < INLINE ? 1 : threads);
    return R1_OK;
}

r1_status r1i_cpu_linear(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    for (int64_t i = 0; i < n; i += JOBS_A_REGION) {
        const r1_status st = run_region(ex, jobs + i, min64(JOBS_A_REGION, n - i));
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

/* ---- what comes next --------------------------------------------------------------------------------------------- */

/* One row's product with w, as far as the cut looks at it. */
static const r1i_act one_row = {.x = {.rows = 1}};
static r1i_linear_job coming(const r1i_weight *w) { return (r1i_linear_job){.x = &one_row, .w = w}; }

/* The panel where an item of the region begins, and of which weight. */
static int64_t item_begins(const r1i_weights *list, int64_t want, bool alone, bool near, int64_t item,
                           const r1i_weight **w)
{
    for (;; list++)
        for (int64_t i = 0; i < list->n; i++) {
            const r1i_linear_job j = coming(&list->w[i]);
            const cut c = cut_job(&j, want, alone, near);
            *w = &list->w[i];
            if (item < c.items) return item * c.panels;
            item -= c.items;
        }
}

/* Each thread's share of the region that will read these weights, cut as run_region will cut it. Several rows have so
 * much to compute that memory waits for them. */
void r1i_cpu_ahead(r1i_exec *ex, int64_t rows, const r1i_weights *list, int64_t n)
{
    const int threads = r1i_pool_threads(ex->pool);
    int64_t total = 0, items = 0;
    if (threads == 1 || rows != 1) return;
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < list[k].n; i++) {
            const r1i_linear_job j = coming(&list[k].w[i]);
            total += panels_of(&j) * panel_cost(&j);
        }
    const int64_t want = wanted(threads, total, 1);
    const bool alone = n == 1 && list[0].n == 1, near = ((const r1i_cpu_kernels *)ex->backend)->near;
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < list[k].n; i++) {
            const r1i_linear_job j = coming(&list[k].w[i]);
            items += cut_job(&j, want, alone, near).items;
        }
    const int shares = total < INLINE ? 0 : r1i_shares_of(threads, items);
    for (int t = 0; t < threads; t++) {
        if (t >= shares) {
            r1i_pool_ahead(ex->pool, t, NULL, 0);
            continue;
        }
        const r1i_weight *w = NULL;
        const int64_t panel = item_begins(list, want, alone, near, items * t / shares, &w),
                      stride = (int64_t)r1i_panel_stride(w->type, w->cols);
        const r1i_linear_job j = coming(w);
        const int64_t bytes = min64(AHEAD_BYTES, (panels_of(&j) - panel) * stride);
        r1i_pool_ahead(ex->pool, t, w->data + panel * stride, (size_t)bytes);
    }
}
