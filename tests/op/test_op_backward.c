/* Every backward op against central differences of its forward, at odd sizes: in place and not, with shared inputs,
 * biases, residuals, both attentions, ties kept away from. The loss is a fixed random sum over the outputs. */
#include "op/opkit.h"
#include "op/tape.h"

#define SEED 20251122

enum { MOST = 6, PAGES = 4 };

/* Up to MOST inputs; an input is an activation (laid into the scratch) or a parameter (in panels or a vector). */
typedef struct problem {
    const char *name;
    int n_in;
    int64_t rows[MOST], cols[MOST]; /* cols 0: a parameter vector of `rows` */
    bool matrix[MOST];              /* a parameter [rows, cols] in panels */
    double spread;                  /* of the inputs; 0: 1 */
    /* in: activations as views of the scratch, parameters as their own memory; the outputs go to out[*n_out] */
    void (*run)(r1i_exec *ex, const struct problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n_out);
} problem;

typedef struct bench {
    const problem *p;
    float *value[MOST], *grad[MOST]; /* [rows * cols]; parameters in their own layout */
    int64_t floats[MOST];
    float *coef;                     /* of the loss */
} bench;

static int32_t pages[PAGES] = {2, 0, 3, 1};

static bool is_param(const problem *p, int i) { return p->matrix[i] || p->cols[i] == 0; }

static int64_t floats_of(const problem *p, int i)
{
    if (p->cols[i] == 0) return p->rows[i];
    return p->matrix[i] ? (p->rows[i] + 15) / 16 * 16 * p->cols[i] : p->rows[i] * p->cols[i];
}

static float *param_grad(void *user, const void *data, bool side)
{
    bench *const b = user;
    (void)side;
    for (int i = 0; i < b->p->n_in; i++)
        if (is_param(b->p, i) && data == (const void *)b->value[i]) return b->grad[i];
    return NULL;
}

/* The loss; with a tape, the gradients too. */
static double run(kit *k, bench *b, r1i_tape *tape)
{
    const problem *const p = b->p;
    r1i_mat in[MOST] = {0}, out[MOST];
    r1i_weight w[MOST] = {0};
    int n_out = 0;
    double loss = 0;
    k->ex.tape = tape;
    if (tape) r1i_tape_clear(tape, 0);
    k->arena.used = 0;
    for (int i = 0; i < p->n_in; i++) {
        in[i] = r1i_mat_of(b->value[i], p->cols[i] ? p->rows[i] : 1, p->cols[i] ? p->cols[i] : p->rows[i]);
        w[i] = (r1i_weight){.type = R1_DTYPE_F32, .layout = R1I_LAYOUT_PANEL, .rows = p->rows[i], .cols = p->cols[i],
                            .data = (const uint8_t *)b->value[i]};
        if (is_param(p, i)) continue;
        in[i].p = r1i_arena_take(&k->arena, (size_t)b->floats[i] * sizeof(float), &k->err);
        assert_non_null(in[i].p);
        memcpy(in[i].p, b->value[i], (size_t)b->floats[i] * sizeof(float));
    }
    p->run(&k->ex, p, in, w, out, &n_out);
    if (tape) assert_int_equal(r1i_tape_zero(tape, NULL, &k->err), R1_OK);
    for (int o = 0, at = 0; o < n_out; o++)
        for (int64_t r = 0; r < out[o].rows; r++)
            for (int64_t c = 0; c < out[o].cols; c++, at++) {
                loss += (double)b->coef[at] * (double)out[o].p[r * out[o].stride + c];
                if (tape) r1i_tape_grad(tape, out[o].p)[r * out[o].stride + c] = b->coef[at];
            }
    if (!tape) return loss;
    assert_int_equal(r1i_tape_backward(&k->ex, tape), R1_OK);
    for (int i = 0; i < p->n_in; i++)
        if (!is_param(p, i)) memcpy(b->grad[i], r1i_tape_grad(tape, in[i].p), (size_t)b->floats[i] * sizeof(float));
    return loss;
}

static void check(const problem *p, const char *isa)
{
    kit k;
    r1i_tape tape;
    r1i_rng rng = {.seed = SEED};
    bench b = {.p = p};
    if (!kit_open(&k, isa, 2)) return;
    b.coef = kit_random(&rng, 8192, 1.0);
    for (int i = 0; i < p->n_in; i++) {
        b.floats[i] = floats_of(p, i);
        b.value[i] = kit_random(&rng, b.floats[i], p->spread > 0 ? p->spread : 1.0);
        b.grad[i] = kit_floats(b.floats[i]);
        memset(b.grad[i], 0, (size_t)b.floats[i] * sizeof(float));
    }
    r1i_tape_create(&tape, &k.arena, false, 0, NULL);
    tape.param_grad = param_grad;
    tape.user = &b;
    run(&k, &b, &tape);
    for (int i = 0; i < p->n_in; i++) {
        double largest = 0, worst = 0;
        int64_t at = 0;
        for (int64_t j = 0; j < b.floats[i]; j++) {
            const float x = b.value[i][j];
            if (fabs((double)b.grad[i][j]) > largest) largest = fabs((double)b.grad[i][j]);
            if (p->matrix[i] && j / 16 / p->cols[i] * 16 + j % 16 >= p->rows[i]) { /* a padding row */
                assert_true(b.grad[i][j] == 0.0f);
                continue;
            }
            const float step = 0.01f;
            b.value[i][j] = x + step;
            const double up = run(&k, &b, NULL), h_up = (double)b.value[i][j];
            b.value[i][j] = x - step;
            const double down = run(&k, &b, NULL), h_down = (double)b.value[i][j];
            b.value[i][j] = x;
            const double off = fabs((up - down) / (h_up - h_down) - (double)b.grad[i][j]);
            if (!(off <= worst)) worst = off, at = j;
        }
        if (largest == 0 || !(worst <= 2e-3 * largest)) {
            fail_msg("%s, %s: input %d, element %lld of %lld: off by %.2e, the largest gradient is %.2e", p->name, isa,
                     i, (long long)at, (long long)b.floats[i], worst, largest);
        }
    }
    /* each difference runs the whole op again, over all inputs */
    for (int i = 0; i < p->n_in; i++) kit_free(b.value[i]), kit_free(b.grad[i]);
    kit_free(b.coef);
    r1i_tape_destroy(&tape);
    kit_close(&k);
}

static r1i_mat take(r1i_exec *ex, int64_t rows, int64_t cols)
{
    float *const p = r1i_arena_take(ex->scratch, (size_t)(rows * cols) * sizeof *p, ex->err);
    assert_non_null(p);
    memset(p, 0, (size_t)(rows * cols) * sizeof *p);
    return r1i_mat_of(p, rows, cols);
}
static void ok(r1_status st) { assert_int_equal(st, R1_OK); }

/* ---- the ops ----------------------------------------------------------------------------------------------------- */

static void run_embed(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    static const int32_t token[5] = {3, 18, 3, 0, 7};
    (void)p, (void)in;
    out[(*n)++] = take(ex, 5, w[0].cols);
    ok(r1i_embed(ex, out[0], &w[0], token));
}

static void run_rmsnorm(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    (void)p, (void)w;
    out[(*n)++] = take(ex, in[0].rows, in[0].cols);
    ok(r1i_rmsnorm(ex, out[0], in[0], in[1].p, 1e-5f));
    ok(r1i_rmsnorm(ex, in[0], in[0], in[1].p, 1e-5f)); /* and once more in place */
    out[(*n)++] = in[0];
}

/* q, k, v share an input; one has a bias, one is added to a residual; an expert's slice is a view. */
static void run_linear(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    (void)p;
    const r1i_mat slice = {in[0].p + in[0].stride, 3, in[0].cols, in[0].stride};
    const r1i_act all = {.x = in[0]}, some = {.x = slice};
    const r1i_mat a = take(ex, in[0].rows, w[1].rows), b = take(ex, in[0].rows, w[2].rows), c = take(ex, 3, w[2].rows);
    const r1i_linear_job jobs[3] = {{.y = a, .x = &all, .w = &w[1], .bias = in[3].p}, {.y = b, .x = &all, .w = &w[2]},
                                    {.y = c, .x = &some, .w = &w[2]}};
    const r1i_act act = {.x = a};
    const r1i_linear_job last = {.y = in[5], .x = &act, .w = &w[4], .add = true};
    ok(r1i_linear(ex, jobs, 2));
    ok(r1i_linear(ex, &jobs[2], 1));
    ok(r1i_linear(ex, &last, 1));
    out[(*n)++] = b, out[(*n)++] = c, out[(*n)++] = in[5];
}

static void rope_tables(r1i_exec *ex, int64_t rows, int64_t half, r1i_mat *cos, r1i_mat *sin)
{
    *cos = take(ex, rows, half), *sin = take(ex, rows, half);
    for (int64_t i = 0; i < rows * half; i++) {
        cos->p[i] = (float)cosf((float)i * 0.7f);
        sin->p[i] = (float)sinf((float)i * 0.7f);
    }
}
static void run_rope(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    r1i_mat cos, sin;
    (void)p, (void)w;
    rope_tables(ex, in[0].rows, 3, &cos, &sin);
    ok(r1i_rope(ex, r1i_mat_cols(in[0], 1, in[0].cols - 1), 2, 6, 9, cos, sin, true));
    ok(r1i_rope(ex, in[1], 3, 6, 6, cos, sin, false));
    out[(*n)++] = in[0], out[(*n)++] = in[1];
}

static void attend(r1i_exec *ex, const r1i_attn_shape *s, r1i_mat q, r1i_mat k, r1i_mat v, r1i_mat *out, int *n)
{
    static _Alignas(64) float cache[PAGES * R1I_PAGE * 128];
    static const r1i_run runs[2] = {{.first = 0, .n = 4, .pos0 = 0, .pages = pages},
                                    {.first = 4, .n = 7, .pos0 = 0, .pages = pages + 2}};
    const r1i_kv_layer kv = {.data = (uint8_t *)cache,
                             .page_bytes = R1I_PAGE * r1i_cache_position_bytes(s, R1I_CACHE_F32),
                             .type = R1I_CACHE_F32};
    assert_true(kv.page_bytes * PAGES <= (int64_t)sizeof cache);
    ok(r1i_kv_write(ex, s, &kv, k, v, runs, 2));
    out[*n] = take(ex, q.rows, s->heads * s->value_dim);
    ok(r1i_attention(ex, s, &kv, out[*n], q, runs, 2, NULL));
    ++*n;
}
static void run_gqa(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    const r1i_attn_shape s = {.heads = 4, .kv_heads = 2, .key_dim = 19, .value_dim = 19, .scale = 0.23f};
    (void)p, (void)w;
    attend(ex, &s, in[0], in[1], in[2], out, n);
}
static void run_mla(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    const r1i_attn_shape s = {.mla = true, .heads = 3, .kv_heads = 1, .key_dim = 21, .value_dim = 17, .scale = 0.2f};
    (void)p, (void)w;
    attend(ex, &s, in[0], in[1], (r1i_mat){0}, out, n);
}

static void run_silu(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    (void)p, (void)w;
    out[(*n)++] = take(ex, in[0].rows, in[0].cols);
    ok(r1i_silu_mul(ex, out[0], in[0], in[1]));
    ok(r1i_silu_mul(ex, in[2], in[2], in[1])); /* in place */
    out[(*n)++] = in[2];
}

/* Router, grouped rows, combination with a shared expert: the gates' gradient goes through the chosen scores. The
 * logits are far apart, so a difference moves no choice. */
static void moe(r1i_exec *ex, const r1i_router_shape *s, r1i_mat *in, r1i_mat *out, int *n)
{
    const int64_t rows = in[0].rows, topk = s->topk;
    int32_t *const expert = r1i_arena_take(ex->scratch, (size_t)(rows * topk) * 4, ex->err),
                   *const slot = r1i_arena_take(ex->scratch, (size_t)(rows * topk) * 4, ex->err),
                   *const row = r1i_arena_take(ex->scratch, (size_t)(rows * topk) * 4, ex->err);
    float *const weight = r1i_arena_take(ex->scratch, (size_t)(rows * topk) * 4, ex->err), bias[8];
    static const r1i_run runs[2] = {{.first = 0, .n = 2}, {.first = 2, .n = 3}};
    /* decides the choice, never enters the gate */
    for (int64_t e = 0; e < s->experts; e++) bias[e] = (float)((e * 5) % 7);
    if (ex->tape) ex->tape->runs = runs, ex->tape->n_runs = 2;
    ok(r1i_router(ex, s, in[0], bias, expert, weight));
    for (int64_t i = 0; i < rows * topk; i++) {
        slot[i] = (int32_t)(rows * topk - 1 - i);
        row[rows * topk - 1 - i] = (int32_t)((i * 4) % 13); /* some rows twice, some never */
    }
    const r1i_mat grouped = take(ex, rows * topk, in[1].cols);
    ok(r1i_gather(ex, grouped, in[1], row));
    ok(r1i_moe_combine(ex, in[2], grouped, slot, weight, topk, in[3]));
    out[(*n)++] = in[2];
}
static void run_moe_sigmoid(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    const r1i_router_shape s = {.experts = 7, .groups = 1, .topk_groups = 1, .topk = 3, .sigmoid = true,
                                .normalise = true, .scaling = 2.5f};
    (void)p, (void)w;
    moe(ex, &s, in, out, n);
}
static void run_moe_softmax(r1i_exec *ex, const problem *p, r1i_mat *in, const r1i_weight *w, r1i_mat *out, int *n)
{
    const r1i_router_shape s = {.experts = 7, .groups = 1, .topk_groups = 1, .topk = 3, .scaling = 1.5f};
    (void)p, (void)w;
    moe(ex, &s, in, out, n);
}

static const problem problems[] = {
    {.name = "embed", .n_in = 1, .rows = {19}, .cols = {5}, .matrix = {true}, .run = run_embed},
    {.name = "rmsnorm", .n_in = 2, .rows = {3, 21}, .cols = {21, 0}, .run = run_rmsnorm},
    {.name = "linear", .n_in = 6, .rows = {5, 17, 3, 17, 9, 5}, .cols = {7, 7, 7, 0, 17, 9},
     .matrix = {false, true, true, false, true, false}, .run = run_linear},
    {.name = "rope", .n_in = 2, .rows = {3, 3}, .cols = {17, 18}, .run = run_rope},
    {.name = "grouped-query attention", .n_in = 3, .rows = {11, 11, 11}, .cols = {76, 38, 38}, .run = run_gqa},
    {.name = "absorbed attention", .n_in = 2, .rows = {11, 11}, .cols = {63, 21}, .run = run_mla},
    {.name = "silu_mul", .n_in = 3, .rows = {3, 3, 3}, .cols = {37, 37, 37}, .run = run_silu},
    {.name = "experts, sigmoid", .n_in = 4, .rows = {5, 15, 5, 5}, .cols = {7, 11, 11, 11}, .run = run_moe_sigmoid},
    {.name = "experts, softmax", .n_in = 4, .rows = {5, 15, 5, 5}, .cols = {7, 11, 11, 11}, .run = run_moe_softmax},
};

static void test_differences(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++)
        for (int isa = 0; isa < KIT_ISAS; isa++) check(&problems[i], kit_isa[isa]);
}

/* ---- the loss ops ------------------------------------------------------------------------------------------------ */

/* dlogits of the weighted cross-entropy at a temperature, some ids undefined, a row of weight 0. */
static void test_cross_entropy(void **state)
{
    enum { ROWS = 3, VOCAB = 37, DEFINED = 35 };
    (void)state;
    for (int isa = 0; isa < KIT_ISAS; isa++) {
        kit k;
        r1i_rng rng = {.seed = SEED};
        if (!kit_open(&k, kit_isa[isa], 1)) continue;
        float *const z = kit_random(&rng, ROWS * VOCAB, 2.0), *const d = kit_floats(ROWS * VOCAB);
        const int32_t target[ROWS] = {4, 34, 0};
        const double weight[ROWS] = {0.5, 0.25, 0};
        const float it = 1.0f / 0.8f, coef[ROWS] = {0.5f * it, 0.25f * it, 0};
        double lse[ROWS];
        memcpy(d, z, sizeof(float) * ROWS * VOCAB);
        ok(r1i_logsumexp(&k.ex, r1i_mat_of(z, ROWS, VOCAB), DEFINED, it, lse));
        ok(k.ex.ops->grad->cross_entropy(&k.ex, r1i_mat_of(d, ROWS, VOCAB), target, lse, coef, DEFINED, it));
        for (int r = 0; r < ROWS; r++) {
            double sum = 0;
            for (int v = 0; v < DEFINED; v++) sum += exp((double)(z[r * VOCAB + v] * it));
            for (int v = 0; v < VOCAB; v++) {
                const double p = v < DEFINED ? exp((double)(z[r * VOCAB + v] * it)) / sum : 0;
                const double want = v < DEFINED ? weight[r] * (double)it * (p - (v == target[r])) : 0;
                assert_true(fabs(want - (double)d[r * VOCAB + v]) < 1e-6);
            }
        }
        kit_free(z);
        kit_free(d);
        kit_close(&k);
    }
}

/* The sequence balance loss: its value and its gradient through the scores, by differences. */
static void test_balance(void **state)
{
    enum { ROWS = 5, EXPERTS = 6 };
    const r1i_router_shape s = {.experts = EXPERTS, .groups = 1, .topk_groups = 1, .topk = 2, .sigmoid = true,
                                .normalise = true, .scaling = 2.5f};
    static const r1i_run runs[2] = {{.first = 0, .n = 2}, {.first = 2, .n = 3}};
    (void)state;
    kit k;
    r1i_rng rng = {.seed = SEED};
    assert_true(kit_open(&k, "c", 1));
    float *const z = kit_random(&rng, ROWS * EXPERTS, 2.0), *const d = kit_floats(ROWS * EXPERTS),
                 *const other = kit_floats(ROWS * EXPERTS);
    int32_t expert[ROWS * 2] = {0};
    const float none[ROWS * 2] = {0};
    double loss = 0;
    memset(d, 0, sizeof(float) * ROWS * EXPERTS);
    ok(k.ex.ops->grad->router(&k.ex, &s, r1i_mat_of(d, ROWS, EXPERTS), r1i_mat_of(z, ROWS, EXPERTS), expert, none, 0.3f,
                              runs, 2, &loss));
    /* each sequence's sum of f P is 1 where the load is even */
    assert_true(loss > 0.3 * 0.9 * 2 && loss < 0.3 * 3 * 2);
    for (int i = 0; i < ROWS * EXPERTS; i++) {
        const float x = z[i];
        double up = 0, down = 0;
        z[i] = x + 0.01f;
        ok(k.ex.ops->grad->router(&k.ex, &s, r1i_mat_of(other, ROWS, EXPERTS), r1i_mat_of(z, ROWS, EXPERTS), expert,
                                  none, 0.3f, runs, 2, &up));
        z[i] = x - 0.01f;
        ok(k.ex.ops->grad->router(&k.ex, &s, r1i_mat_of(other, ROWS, EXPERTS), r1i_mat_of(z, ROWS, EXPERTS), expert,
                                  none, 0.3f, runs, 2, &down));
        z[i] = x;
        assert_true(fabs((up - down) / 0.02 - (double)d[i]) < 1e-4);
    }
    kit_free(z), kit_free(d), kit_free(other);
    kit_close(&k);
}

/* ---- attention under compute bf16 -------------------------------------------------------------------------------- */

enum { ATTN_INPUTS = 5, ATTN_OUTPUTS = 3 }; /* q, k, v, o, dO; dq, dk, dv */

typedef struct attn_case {
    r1i_attn_shape s;
    int64_t rows, in_cols[ATTN_INPUTS], out_cols[ATTN_OUTPUTS];
    float *in[ATTN_INPUTS], *out[ATTN_OUTPUTS];
} attn_case;

static void attn_open(attn_case *c, const r1i_attn_shape *s, int64_t rows)
{
    const int64_t q = s->heads * s->key_dim, k = s->kv_heads * s->key_dim, v = s->kv_heads * s->value_dim,
                  o = s->heads * s->value_dim;
    r1i_rng rng = {.seed = SEED + 9};
    *c = (attn_case){.s = *s, .rows = rows, .in_cols = {q, k, v, o, o}, .out_cols = {q, k, v}};
    for (int i = 0; i < ATTN_INPUTS; i++) c->in[i] = kit_random(&rng, rows * c->in_cols[i], 1.0);
    for (int i = 0; i < ATTN_OUTPUTS; i++) c->out[i] = kit_floats(rows * c->out_cols[i]);
}
static void attn_close(attn_case *c)
{
    for (int i = 0; i < ATTN_INPUTS; i++) kit_free(c->in[i]);
    for (int i = 0; i < ATTN_OUTPUTS; i++) kit_free(c->out[i]);
}

/* dk and dv begin at 0.5; dq is written, or added to 0.5. */
static void attn_run(kit *k, r1i_compute compute, const attn_case *c, const r1i_run *runs, int64_t n_runs, bool assign)
{
    r1i_mat in[ATTN_INPUTS], out[ATTN_OUTPUTS];
    for (int i = 0; i < ATTN_INPUTS; i++) in[i] = r1i_mat_of(c->in[i], c->rows, c->in_cols[i]);
    for (int i = 0; i < ATTN_OUTPUTS; i++) {
        out[i] = r1i_mat_of(c->out[i], c->rows, c->out_cols[i]);
        for (int64_t j = 0; j < c->rows * c->out_cols[i]; j++) c->out[i][j] = 0.5f;
    }
    float *const work = kit_floats((int64_t)r1i_grad_attention_work(&c->s, c->rows, runs, n_runs,
                                                                    r1i_pool_threads(k->pool)));
    k->ex.compute = compute;
    ok(k->ex.ops->grad->attention(&k->ex, &c->s, out[0], out[1], out[2], in[4], in[0], in[1], in[2], in[3], runs,
                                  n_runs, assign, work));
    kit_free(work);
}

static void check_near(const char *what, int64_t rows, const float *got, const float *want, int64_t n)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)got[i] - (double)want[i], w = (double)want[i] - 0.5;
        off += d * d;
        size += w * w;
    }
    if (!(sqrt(off) <= 6e-3 * sqrt(size)))
        fail_msg("%s, %lld rows: off by %.2e of %.2e", what, (long long)rows, sqrt(off), sqrt(size));
}

/* Rounded to bf16 the gradients stay near those of f32, at lengths round a step and a block and at odd widths; they are
 * the same bytes for a run alone and beside another, on one thread and on three. */
static void test_attention_bf16(void **state)
{
    static const r1i_attn_shape shapes[] = {{.heads = 4, .kv_heads = 2, .key_dim = 19, .value_dim = 19, .scale = 0.23f},
                                            {.heads = 3, .kv_heads = 3, .key_dim = 48, .value_dim = 32, .scale = 0.14f},
                                            {.mla = true, .heads = 3, .kv_heads = 1, .key_dim = 21, .value_dim = 17,
                                             .scale = 0.2f},
                                            {.mla = true, .heads = 2, .kv_heads = 1, .key_dim = 80, .value_dim = 64,
                                             .scale = 0.12f}};
    static const int64_t lengths[] = {1, 2, 15, 16, 17, 63, 64, 65, 130, 131};
    static const char *const names[ATTN_OUTPUTS] = {"dq", "dk", "dv"};
    (void)state;
    kit one, three;
    if (!kit_open(&one, "auto", 1)) return;
    assert_true(kit_open(&three, "auto", 3));
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            const int64_t n = lengths[j], before = 21;
            const r1i_run alone = {.first = before, .n = n}, both[2] = {{.first = 0, .n = before}, alone};
            attn_case f32, bf16, beside;
            attn_open(&f32, &shapes[i], before + n), attn_open(&bf16, &shapes[i], before + n),
                attn_open(&beside, &shapes[i], before + n);
            attn_run(&one, R1I_COMPUTE_F32, &f32, &alone, 1, j % 2 == 0);
            attn_run(&one, R1I_COMPUTE_BF16, &bf16, &alone, 1, j % 2 == 0);
            attn_run(&three, R1I_COMPUTE_BF16, &beside, both, 2, j % 2 == 0);
            for (int o = 0; o < ATTN_OUTPUTS; o++) {
                const int64_t at = before * bf16.out_cols[o], count = n * bf16.out_cols[o];
                /* one position: dS is rounding alone */
                if (n > 1 || o == 2) check_near(names[o], n, bf16.out[o] + at, f32.out[o] + at, count);
                assert_memory_equal(bf16.out[o] + at, beside.out[o] + at, (size_t)count * sizeof(float));
            }
            attn_close(&f32), attn_close(&bf16), attn_close(&beside);
        }
    kit_close(&one), kit_close(&three);
}

/* ---- gradients that lie as bf16 ---------------------------------------------------------------------------------- */

/* inner: more than a piece of a row, not of whole vectors */
enum { HALF_ROWS = 37, HALF_IN = 33, HALF_INNER = 530, HALF_OUT = 21, HALF_WEIGHTS = 3 };

typedef struct halves_case {
    r1i_weight w[HALF_WEIGHTS]; /* gate, up, down */
    float *grad[HALF_WEIGHTS], *dx;
    uint64_t bytes[HALF_WEIGHTS];
    bool bf16; /* what gate's gradient was found to lie as */
} halves_case;

static float *halves_grad(void *user, const void *data, bool side)
{
    halves_case *const c = user;
    (void)side;
    for (int i = 0; i < HALF_WEIGHTS; i++)
        if (data == c->w[i].data) return c->grad[i];
    return NULL;
}

static r1i_mat block(r1i_exec *ex, int64_t rows, int64_t cols)
{
    const r1i_mat m = take(ex, rows, cols);
    ok(r1i_tape_block_add(ex, m.p, (size_t)(rows * cols) * sizeof(float)));
    return m;
}

/* A gated feed-forward as a layer; with `reader` gate and up are read once more by an op that gives them zeros, so that
 * they must lie as f32. */
static void run_halves(kit *k, const float *input, halves_case *c, bool reader)
{
    r1i_exec *const ex = &k->ex;
    static const r1i_run run = {.n = HALF_ROWS};
    int32_t same[HALF_ROWS];
    r1i_tape tape;
    r1i_act x, mid;
    for (int i = 0; i < HALF_ROWS; i++) same[i] = (i + 1) % HALF_ROWS;
    r1i_tape_create(&tape, &k->arena, false, 0, NULL);
    tape.param_grad = halves_grad, tape.user = c, tape.runs = &run, tape.n_runs = 1;
    ex->tape = &tape, ex->compute = R1I_COMPUTE_BF16;
    k->arena.used = 0;
    const r1i_mat in = take(ex, HALF_ROWS, HALF_IN);
    memcpy(in.p, input, sizeof(float) * HALF_ROWS * HALF_IN);
    ok(r1i_scale(ex, in, 1.0f)); /* the input is of no layer */
    ok(r1i_tape_begin_layer(ex));
    const r1i_mat gate = block(ex, HALF_ROWS, HALF_INNER), up = block(ex, HALF_ROWS, HALF_INNER);
    ok(r1i_act_make(ex, &x, in, R1I_ACT_BF16));
    ok(r1i_linear(ex, (const r1i_linear_job[]){{.y = gate, .x = &x, .w = &c->w[0]}, {.y = up, .x = &x, .w = &c->w[1]}},
                  2));
    const r1i_mat m = block(ex, HALF_ROWS, HALF_INNER);
    ok(r1i_act_silu_mul(ex, &mid, m, gate, up, R1I_ACT_BF16, !reader));
    if (reader) {
        ok(r1i_gather(ex, block(ex, HALF_ROWS, HALF_INNER), gate, same));
        ok(r1i_gather(ex, block(ex, HALF_ROWS, HALF_INNER), up, same));
    }
    const r1i_mat out = block(ex, HALF_ROWS, HALF_OUT);
    ok(r1i_linear(ex, &(r1i_linear_job){.y = out, .x = &mid, .w = &c->w[2]}, 1));
    ok(r1i_tape_end_layer(ex));
    const r1i_mat last = take(ex, HALF_ROWS, HALF_OUT);
    ok(r1i_gather(ex, last, out, same));
    ok(r1i_tape_zero(&tape, k->pool, &k->err));
    for (int64_t i = 0; i < HALF_ROWS * HALF_OUT; i++)
        r1i_tape_grad(&tape, last.p)[i] = (float)((i * 7) % 11 - 5) * 0.1f;
    ok(r1i_tape_backward(ex, &tape));
    memcpy(c->dx, r1i_tape_grad(&tape, in.p), sizeof(float) * HALF_ROWS * HALF_IN);
    c->bf16 = tape.block[0].halves > 0;
    ex->tape = NULL;
    r1i_tape_destroy(&tape);
}

/* Where only products read a gradient, it is rounded by who gives it; that moves no bit. */
static void test_gradients_as_bf16(void **state)
{
    (void)state;
    for (int a = 0; a < KIT_ISAS + 1; a++) {
        static const int64_t outputs[HALF_WEIGHTS] = {HALF_INNER, HALF_INNER, HALF_OUT},
                             inputs[HALF_WEIGHTS] = {HALF_IN, HALF_IN, HALF_INNER};
        kit k;
        r1i_rng rng = {.seed = SEED + 10};
        halves_case as[2];
        float *data[HALF_WEIGHTS];
        if (!kit_open(&k, a < KIT_ISAS ? kit_isa[a] : "auto", 2)) continue;
        float *const input = kit_random(&rng, HALF_ROWS * HALF_IN, 1.0);
        for (int i = 0; i < HALF_WEIGHTS; i++) {
            uint64_t bytes;
            assert_true(r1i_panel_bytes(R1_DTYPE_BF16, outputs[i], inputs[i], &bytes));
            const int64_t n = (outputs[i] + 15) / 16 * 16 * inputs[i];
            data[i] = kit_floats((int64_t)(bytes / 4));
            memset(data[i], 0, (size_t)bytes);
            for (int64_t j = 0; j < (int64_t)(bytes / 2); j++)
                ((uint16_t *)(void *)data[i])[j] =
                    (uint16_t)(0x3c00 + r1i_rng_below(&rng, 256) + (r1i_rng_below(&rng, 2) << 15));
            for (int v = 0; v < 2; v++) {
                as[v].w[i] = (r1i_weight){.type = R1_DTYPE_BF16, .layout = R1I_LAYOUT_PANEL, .rows = outputs[i],
                                          .cols = inputs[i], .data = (const uint8_t *)data[i]};
                as[v].grad[i] = kit_floats(n);
                as[v].bytes[i] = (uint64_t)n * sizeof(float);
                memset(as[v].grad[i], 0, (size_t)as[v].bytes[i]);
            }
        }
        for (int v = 0; v < 2; v++) {
            as[v].dx = kit_floats(HALF_ROWS * HALF_IN);
            run_halves(&k, input, &as[v], v == 1);
            assert_true(as[v].bf16 == (v == 0));
        }
        for (int i = 0; i < HALF_WEIGHTS; i++)
            assert_memory_equal(as[0].grad[i], as[1].grad[i], (size_t)as[0].bytes[i]);
        assert_memory_equal(as[0].dx, as[1].dx, sizeof(float) * HALF_ROWS * HALF_IN);
        assert_true(isfinite(as[0].dx[0]) && as[0].dx[0] != 0.0f);
        for (int i = 0; i < HALF_WEIGHTS; i++) kit_free(data[i]), kit_free(as[0].grad[i]), kit_free(as[1].grad[i]);
        kit_free(as[0].dx), kit_free(as[1].dx), kit_free(input);
        kit_close(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_differences), cmocka_unit_test(test_cross_entropy),
                                       cmocka_unit_test(test_balance), cmocka_unit_test(test_attention_bf16),
                                       cmocka_unit_test(test_gradients_as_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
