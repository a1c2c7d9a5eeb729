/* Mixture of experts (architecture.md 5.1): the router picks experts per row, rows are grouped by expert so that every
 * expert's matrices are read once, and the outputs are added per row in ascending expert id. */
#include "model/pass.h"

/* Rows sorted by expert. Row r's j-th choice lies at slot[r * topk + j]; slot s holds row[s] of the batch. */
typedef struct groups {
    int32_t *expert;  /* [n, topk] ascending ids */
    float *weight;    /* [n, topk] */
    int32_t *slot;    /* [n, topk] */
    int32_t *row;     /* [n * topk] */
    int32_t *begin;   /* [experts + 1] first slot of each expert */
} groups;

/* What each expert's matrices have to be handed. */
static unsigned in_kinds(const r1i_exec *ex, const r1i_ffn *f)
{
    return r1i_act_kind(ex, &f->gate) | r1i_act_kind(ex, &f->up);
}
/* Nothing but a product over bf16 reads what this matrix meets. */
static bool plain(const r1i_exec *ex, const r1i_weight *w) { return r1i_act_kind(ex, w) == R1I_ACT_BF16 && !w->lora; }

static r1_status take_groups(const r1i_pass *p, groups *g)
{
    const int64_t all = p->n * p->m->route.topk;
    r1_status st;
    if ((st = r1i_pass_take(p, all, sizeof *g->expert, &g->expert)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, all, sizeof *g->weight, &g->weight)) != R1_OK) return st;
    if ((st = r1i_tape_block_add(p->ex, g->weight, (size_t)all * sizeof *g->weight)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, all, sizeof *g->slot, &g->slot)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, all, sizeof *g->row, &g->row)) != R1_OK) return st;
    return r1i_pass_take(p, p->m->route.experts + 1, sizeof *g->begin, &g->begin);
}

static size_t groups_bytes(const r1_model *m, int64_t n)
{
    return 4 * r1i_take_bytes(n * m->route.topk, 4) + r1i_take_bytes(m->route.experts + 1, sizeof(int32_t));
}

/* Routing is decided in f32 whatever `compute` says: a different expert is a different model. */
static r1_status route(const r1i_pass *p, const r1i_layer *l, const r1i_normed *h, groups *g)
{
    const r1i_router_shape *const s = &p->m->route;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_exec ex = *p->ex;
    r1i_mat logits;
    r1i_act act;
    r1_status st;
    ex.compute = R1I_COMPUTE_F32;
    ex.exact_activations = true;
    if ((st = r1i_pass_mat(p, p->n, s->experts, &logits)) != R1_OK) return st;
    if ((st = r1i_normed_act(p, &ex, h, r1i_act_kind(&ex, &l->router), &act)) != R1_OK) return st;
    const r1i_linear_job job = {.y = logits, .x = &act, .w = &l->router};
    if (l->has_shared) r1i_ahead_two(p, &l->shared.gate, &l->shared.up);
    if ((st = r1i_linear(&ex, &job, 1)) != R1_OK) return st;
    st = r1i_router(&ex, s, logits, l->router_bias, g->expert, g->weight);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

static size_t route_bytes(const r1i_exec *exec, const r1_model *m, const r1i_layer *l, int64_t n)
{
    r1i_exec ex = *exec;
    ex.compute = R1I_COMPUTE_F32;
    ex.exact_activations = true;
    return r1i_mat_bytes(n, m->route.experts) + r1i_act_bytes(n, m->config.hidden_size, r1i_act_kind(&ex, &l->router)) +
        r1i_tape_jobs_bytes(&ex, 1);
}

static r1i_mat slots(r1i_mat m, int64_t first, int64_t n)
{
    return (r1i_mat){m.p + first * m.stride, n, m.cols, m.stride};
}

/* Counting sort: experts ascending, and rows ascending within one. */
static void sort_rows(const r1i_pass *p, groups *g)
{
    const int64_t topk = p->m->route.topk, experts = p->m->route.experts, all = p->n * topk;
    for (int64_t e = 0; e <= experts; e++) g->begin[e] = 0;
    for (int64_t i = 0; i < all; i++) g->begin[g->expert[i] + 1]++;
    for (int64_t e = 0; e < experts; e++) g->begin[e + 1] += g->begin[e];
    for (int64_t i = 0; i < all; i++) { /* begin[e] runs to its end, which is begin[e + 1] */
        const int32_t at = g->begin[g->expert[i]]++;
        g->slot[i] = at;
        g->row[at] = (int32_t)(i / topk);
    }
    for (int64_t e = experts; e > 0; e--) g->begin[e] = g->begin[e - 1];
    g->begin[0] = 0;
}

/* The widths of one MoE layer's temporaries, and the most jobs of one parallel region. */
typedef struct widths {
    int64_t d, f, shared, rows, jobs;
} widths;

static widths widths_of(const r1_model *m, const r1i_layer *l, int64_t n)
{
    const int64_t all = n * m->route.topk, used = all < m->route.experts ? all : m->route.experts;
    return (widths){.d = m->config.hidden_size, .f = m->config.moe_intermediate_size, .rows = all,
                    .jobs = 2 * (used + 1), .shared = l->has_shared ? l->shared.gate.rows : 0};
}

/* The products of products_out, for threads that wait. */
static void ahead_out(const r1i_pass *p, const r1i_layer *l, const groups *g)
{
    enum { MOST = 32 };
    r1i_weights w[MOST];
    int64_t n = 0;
    if (p->n * p->m->route.topk >= MOST) return;
    for (int64_t e = 0; e < p->m->route.experts; e++)
        if (g->begin[e + 1] > g->begin[e]) w[n++] = (r1i_weights){&l->expert[e].down, 1};
    if (l->has_shared) w[n++] = (r1i_weights){&l->shared.down, 1};
    r1i_ahead(p->ex, p->n, w, n);
}

/* Between the products: gates and ups of the routed experts [rows, f] and of the shared one [n, shared]; what is made
 * of them; what comes out, [rows, d] and [n, d]. */
typedef struct inner {
    r1i_mat gate, up, mid, out, shared_gate, shared_up, shared_mid, shared_out;
} inner;

/* Gate and up of every used expert and of the shared one, in one parallel region; paired, what silu_mul makes of
 * them. Of one row the shared expert's two lie where the shares of two threads begin: they are known before the router
 * has chosen, so threads that wait for it have read them already. */
static r1_status products_in(const r1i_pass *p, const r1i_layer *l, const groups *g, const r1i_normed *h,
                             const inner *in)
{
    const widths w = widths_of(p->m, l, p->n);
    r1i_exec *const ex = p->ex;
    const size_t mark = r1i_arena_mark(ex->scratch);
    unsigned kinds = 0;
    bool rounded = true; /* all experts want bf16 alone */
    r1i_linear_job *jobs, shared[2];
    r1i_act *acts, own, grouped;
    int64_t n_jobs = 0, n_acts = 0, n_shared = 0;
    r1_status st;
    if ((st = r1i_pass_take(p, w.jobs, sizeof *jobs, &jobs)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, w.jobs, sizeof *acts, &acts)) != R1_OK) return st;
    for (int64_t e = 0; e < p->m->route.experts; e++) {
        if (g->begin[e + 1] == g->begin[e]) continue;
        kinds |= in_kinds(ex, &l->expert[e]);
        rounded = rounded && plain(ex, &l->expert[e].gate) && plain(ex, &l->expert[e].up);
    }
    const bool one = r1i_pass_one(p); /* all experts meet the same row; a tape adds gradients the same way for any
                                       * number of rows */
    const unsigned own_kinds = (l->has_shared ? in_kinds(ex, &l->shared) : 0) | (one || rounded ? kinds : 0);
    if ((st = r1i_normed_act(p, ex, h, own_kinds, &own)) != R1_OK) return st;
    if (!one) {
        r1i_mat rows;
        if ((st = r1i_pass_mat(p, w.rows, w.d, &rows)) != R1_OK) return st;
        if ((st = r1i_act_gather(ex, &grouped, rows, &own, g->row, kinds, rounded)) != R1_OK) return st;
        grouped.row = g->row;
    }
    if (l->has_shared) n_shared = r1i_ffn_jobs(p, &l->shared, &own, in->shared_gate, in->shared_up, shared);
    if (one && n_shared > 0) jobs[n_jobs++] = shared[0];
    for (int64_t e = 0; e < p->m->route.experts; e++) {
        const int64_t s = g->begin[e], n = g->begin[e + 1] - s;
        if (n == 0) continue;
        if (one && n_shared > 0 && n_acts == p->m->route.topk / 2) jobs[n_jobs++] = shared[1];
        acts[n_acts] = one ? own : r1i_act_rows(&grouped, s, n);
        const r1i_mat y_gate = slots(in->gate, s, n), y_up = slots(in->up, s, n);
        n_jobs += r1i_ffn_jobs(p, &l->expert[e], &acts[n_acts], y_gate, y_up, jobs + n_jobs);
        n_acts++;
    }
    for (int64_t i = 0; i < n_shared && !one; i++) jobs[n_jobs++] = shared[i];
    ahead_out(p, l, g);
    st = r1i_linear(ex, jobs, n_jobs);
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

static size_t products_in_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n)
{
    const widths w = widths_of(m, l, n);
    const unsigned shared = l->has_shared ? in_kinds(ex, &l->shared) : 0;
    unsigned kinds = 0;
    for (int64_t e = 0; e < m->route.experts; e++) kinds |= in_kinds(ex, &l->expert[e]);
    const size_t jobs = r1i_take_bytes(w.jobs, sizeof(r1i_linear_job)) + r1i_take_bytes(w.jobs, sizeof(r1i_act)) +
        r1i_tape_jobs_bytes(ex, w.jobs);
    if (n == 1 && !ex->tape) return jobs + r1i_act_bytes(n, w.d, shared | kinds);
    return jobs + r1i_act_bytes(n, w.d, shared | (kinds & R1I_ACT_BF16)) + r1i_mat_bytes(w.rows, w.d) +
        r1i_act_bytes(w.rows, w.d, kinds);
}

/* SwiGLU of gate and up where they are not a pair, prepared for `kinds`; x: what holds it. */
static r1_status middle(const r1i_pass *p, const r1i_ffn *f, r1i_mat x, r1i_mat gate, r1i_mat up, unsigned kinds,
                        bool rounded, r1i_act *act)
{
    if (r1i_ffn_paired(p, f)) return r1i_act_make(p->ex, act, x, kinds);
    if (r1i_pass_one(p)) return r1i_act_later(p->ex, act, x, up, kinds);
    return r1i_act_silu_mul(p->ex, act, x, gate, up, kinds, rounded);
}

/* Down of every used expert and of the shared one. */
static r1_status products_out(const r1i_pass *p, const r1i_layer *l, const groups *g, inner *in, int64_t index)
{
    const widths w = widths_of(p->m, l, p->n);
    r1i_exec *const ex = p->ex;
    unsigned kinds = 0;
    bool rounded = true;
    r1i_linear_job *jobs;
    r1i_act *acts, all, own;
    int64_t n_jobs = 0;
    r1_status st;
    if ((st = r1i_pass_take(p, w.jobs, sizeof *jobs, &jobs)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, w.jobs, sizeof *acts, &acts)) != R1_OK) return st;
    for (int64_t e = 0; e < p->m->route.experts; e++) {
        if (g->begin[e + 1] == g->begin[e]) continue;
        kinds |= r1i_act_kind(ex, &l->expert[e].down);
        rounded = rounded && plain(ex, &l->expert[e].down);
    }
    if ((st = middle(p, &l->expert[0], in->mid, in->gate, in->up, kinds, rounded, &all)) != R1_OK) return st;
    all.row = g->row;
    if (l->has_shared) {
        const r1i_weight *const down = &l->shared.down;
        st = middle(p, &l->shared, in->shared_mid, in->shared_gate, in->shared_up, r1i_act_kind(ex, down),
                    plain(ex, down), &own);
        if (st != R1_OK || (st = r1i_pass_mat(p, p->n, w.d, &in->shared_out)) != R1_OK) return st;
    }
    if ((st = r1i_pass_mat(p, w.rows, w.d, &in->out)) != R1_OK) return st;
    for (int64_t e = 0; e < p->m->route.experts; e++) {
        const int64_t s = g->begin[e], n = g->begin[e + 1] - s;
        if (n == 0) continue;
        acts[n_jobs] = r1i_act_rows(&all, s, n);
        jobs[n_jobs] = (r1i_linear_job){.y = slots(in->out, s, n), .x = &acts[n_jobs], .w = &l->expert[e].down};
        n_jobs++;
    }
    if (l->has_shared) jobs[n_jobs++] = (r1i_linear_job){.y = in->shared_out, .x = &own, .w = &l->shared.down};
    r1i_ahead_layer(p, index + 1);
    return r1i_linear(ex, jobs, n_jobs);
}

static size_t products_out_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n)
{
    const widths w = widths_of(m, l, n);
    unsigned kinds = 0;
    for (int64_t e = 0; e < m->route.experts; e++) kinds |= r1i_act_kind(ex, &l->expert[e].down);
    const size_t own = l->has_shared ? r1i_act_bytes(n, w.shared, r1i_act_kind(ex, &l->shared.down)) : 0;
    return r1i_take_bytes(w.jobs, sizeof(r1i_linear_job)) + r1i_take_bytes(w.jobs, sizeof(r1i_act)) +
           r1i_act_bytes(w.rows, w.f, kinds) + own + r1i_tape_jobs_bytes(ex, w.jobs);
}

r1_status r1i_block_moe(const r1i_pass *p, const r1i_layer *l, int64_t index, const r1i_normed *h)
{
    const widths w = widths_of(p->m, l, p->n);
    r1i_exec *const ex = p->ex;
    inner in = {0};
    groups g;
    r1_status st;
    if ((st = take_groups(p, &g)) != R1_OK || (st = route(p, l, h, &g)) != R1_OK) return st;
    if (p->probe && p->probe->router)
        p->probe->router(p->probe->user, index, p->n, p->m->route.topk, g.expert, g.weight);
    sort_rows(p, &g);
    if ((st = r1i_pass_mat(p, w.rows, w.f, &in.gate)) != R1_OK || (st = r1i_pass_mat(p, w.rows, w.f, &in.up)) != R1_OK)
        return st;
    if (l->has_shared) {
        if ((st = r1i_pass_mat(p, p->n, w.shared, &in.shared_gate)) != R1_OK) return st;
        if ((st = r1i_pass_mat(p, p->n, w.shared, &in.shared_up)) != R1_OK) return st;
    }
    if ((st = products_in(p, l, &g, h, &in)) != R1_OK) return st;
    in.mid = in.gate, in.shared_mid = in.shared_gate; /* a tape still wants what the gates were */
    if (ex->tape && (st = r1i_pass_mat(p, w.rows, w.f, &in.mid)) != R1_OK) return st;
    if (ex->tape && l->has_shared && (st = r1i_pass_mat(p, p->n, w.shared, &in.shared_mid)) != R1_OK) return st;
    if ((st = products_out(p, l, &g, &in, index)) != R1_OK) return st;
    return r1i_moe_combine(ex, p->x, in.out, g.slot, g.weight, p->m->route.topk, in.shared_out);
}

size_t r1i_block_moe_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n)
{
    const widths w = widths_of(m, l, n);
    const size_t mids = 2 * r1i_mat_bytes(w.rows, w.f) + (l->has_shared ? 2 * r1i_mat_bytes(n, w.shared) : 0);
    const size_t outs = r1i_mat_bytes(w.rows, w.d) + (l->has_shared ? r1i_mat_bytes(n, w.d) : 0);
    const size_t copies = r1i_tape_mat_bytes(ex, w.rows, w.f) +
        (l->has_shared ? r1i_tape_mat_bytes(ex, n, w.shared) : 0);
    const size_t work = mids + copies +
        r1i_after(ex, products_in_bytes(ex, m, l, n), outs + products_out_bytes(ex, m, l, n));
    return groups_bytes(m, n) + r1i_after(ex, work, route_bytes(ex, m, l, n));
}
