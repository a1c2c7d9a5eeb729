/* Cuts products into work items: ranges of panels, and blocks of rows where there are few panels. An output element is
 * always one kernel call's own chain over all of K, so the cut decides about speed alone. */
#include "backend/cpu/cpu_ops.h"

enum {
    ITEMS_A_THREAD = 8,        /* enough that the last items of a region end together */
    MIN_ITEM = 128 * 1024,     /* multiply-adds: below, handing out an item costs more than it balances */
    PANEL_STEP = 8,            /* panels that a vector kernel walks side by side for one row */
    ROW_STEP = 24,             /* rows: a multiple of what the register tiles hold */
    JOBS_A_REGION = 512        /* cut together; a region more for 512 experts does not matter */
};

/* How one job is cut: items = panel ranges x row blocks. */
typedef struct cut {
    int64_t panels, rows; /* an item */
    int64_t across, items;
} cut;

typedef struct region {
    const r1i_linear_job *jobs;
    int64_t n;
    cut cuts[JOBS_A_REGION];
    r1i_linear_kernel kernel[JOBS_A_REGION];
} region;

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t round_up(int64_t a, int64_t b) { return (a + b - 1) / b * b; }
static int64_t panels_of(const r1i_linear_job *j) { return (j->w->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; }
static int64_t panel_cost(const r1i_linear_job *j) { return R1I_PANEL_ROWS * j->w->cols; } /* a row */

static cut cut_job(const r1i_linear_job *j, int64_t want)
{
    const int64_t all = panels_of(j), rows = j->x->x.rows;
    cut c = {.panels = all, .rows = rows, .across = 1, .items = rows > 0 ? 1 : 0};
    if (want == 0 || rows == 0) return c;
    const int64_t by_cost = want / (panel_cost(j) * rows) + 1;
    c.panels = min64(all, by_cost >= PANEL_STEP ? by_cost / PANEL_STEP * PANEL_STEP : round_up(by_cost, 4));
    if (by_cost < 4 && rows > 2 * ROW_STEP)
        c.rows = min64(rows, max64(2 * ROW_STEP, round_up(want / (panel_cost(j) * c.panels), ROW_STEP)));
    c.across = (all + c.panels - 1) / c.panels;
    c.items = c.across * ((rows + c.rows - 1) / c.rows);
    return c;
}

static void linear_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const region *const g = ctx;
    int64_t k = 0;
    for (; i >= g->cuts[k].items; k++) i -= g->cuts[k].items;
    const cut *const c = &g->cuts[k];
    r1i_linear_job job = g->jobs[k];
    const int64_t p0 = i % c->across * c->panels, r0 = i / c->across * c->rows;
    const int64_t rows = min64(c->rows, job.x->x.rows - r0);
    const r1i_act x = r1i_act_rows(job.x, r0, rows);
    job.x = &x;
    job.y.p += r0 * job.y.stride;
    job.y.rows = rows;
    g->kernel[k](&job, p0, min64(p0 + c->panels, panels_of(&job)));
}

static r1i_linear_kernel choose(const r1i_exec *ex, const r1i_linear_job *j)
{
    const r1i_cpu_kernels *const k = ex->backend;
    const r1_dtype type = j->w->type;
    if (type == R1_DTYPE_BF16 && (j->x->kinds & R1I_ACT_BF16)) return k->linear_bf16;
    if (r1i_dtype(type)->block_elems > 1 && (j->x->kinds & R1I_ACT_Q8)) return k->linear_q8[type];
    return k->linear_f32[type];
}

static r1_status run_region(r1i_exec *ex, const r1i_linear_job *jobs, int64_t n)
{
    const int threads = r1i_pool_threads(ex->pool);
    region g; /* 20 KiB of stack, written as far as n */
    g.jobs = jobs;
    g.n = n;
    int64_t total = 0, items = 0;
    for (int64_t i = 0; i < n; i++) total += panels_of(&jobs[i]) * panel_cost(&jobs[i]) * jobs[i].x->x.rows;
    const int64_t want = threads > 1 ? max64(MIN_ITEM, total / (threads * ITEMS_A_THREAD)) : 0;
    for (int64_t i = 0; i < n; i++) {
        g.kernel[i] = choose(ex, &jobs[i]);
        if (!g.kernel[i])
            return r1i_fail(ex->err, R1_ERR_UNSUPPORTED, "linear: no kernel for weights of type %s", r1_dtype_name(jobs[i].w->type));
        g.cuts[i] = cut_job(&jobs[i], want);
        items += g.cuts[i].items;
    }
    r1i_pool_run(total < MIN_ITEM ? NULL : ex->pool, items, linear_item, &g);
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
