#include "train/loss.h"

#include <math.h>
#include <string.h>

#include "op/ops.h"
#include "sample/sample.h"

/* Rows of logits at a time: 128 x 129,280 x 4 bytes = 63 MiB for R1; more where a vocabulary is so small that their
 * bytes stay in a shared cache all the same, since each slice reads and writes the sums of the head's gradient. */
enum { SLICE = 128, MOST_ROWS = 512, NEAR_BYTES = 4 << 20 };

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int64_t slice_of(const r1_model *m, const r1i_stepper_params *p)
{
    const int64_t near = NEAR_BYTES / (m->config.vocab_size * (int64_t)sizeof(float));
    const int64_t rows = near < SLICE ? SLICE : near < MOST_ROWS ? near : MOST_ROWS;
    return p->max_rows < rows ? p->max_rows : rows;
}

/* Rows of a pass. Each pass meets all weights anew (turned, read, their gradients read and written), so it is halved
 * only while a layer's activations are more than a shared cache holds and still outweigh its weights several times. */
static int64_t pass_of(const r1_model *m, const r1i_stepper_params *p)
{
    const size_t near = (size_t)16 << 20, times = 6;
    r1i_param_count count;
    r1i_config_count(&m->config, &count);
    const uint64_t tables = (uint64_t)(m->config.vocab_size * m->config.hidden_size) *
        (m->config.tie_word_embeddings ? 1 : 2);
    const uint64_t layer = (count.total > tables ? count.total - tables : 0) / (uint64_t)m->config.num_hidden_layers *
        sizeof(float);
    int64_t rows = p->pass_rows > 0 && p->pass_rows < p->max_rows ? p->pass_rows : p->max_rows;
    while (p->pass_rows == 0 && rows / 2 >= p->max_positions) {
        r1i_tape_bytes tape;
        r1i_forward_tape_bytes(m, rows, p->max_positions, 1, p->recompute, &tape);
        if (tape.layer <= near || tape.layer / 2 < times * layer) break;
        rows /= 2;
    }
    return rows > p->max_positions || p->max_rows < p->max_positions ? rows : p->max_positions;
}

/* The head as it meets the logits' gradient; its type alone matters here. */
static r1i_weight turned_head(const r1_model *m, const uint8_t *data)
{
    return (r1i_weight){.type = r1i_transposed_type(&m->head), .layout = R1I_LAYOUT_PANEL, .rows = m->head.cols,
                        .cols = m->head.rows, .data = data};
}

/* While the loss is walked back: the head turned, and the scratch of its gradient. */
static size_t turned_bytes(const r1_model *m, int64_t slice)
{
    const r1i_mat rows = {NULL, slice, m->config.hidden_size, m->config.hidden_size};
    uint64_t bytes = 0;
    (void)r1i_panel_bytes(r1i_transposed_type(&m->head), m->head.cols, m->head.rows, &bytes);
    return (size_t)bytes + r1i_grad_linear_work(&rows) * sizeof(float) + 4 * R1I_ALIGN;
}

static size_t head_bytes(const r1_model *m, const r1i_stepper_params *p)
{
    const size_t slice = (size_t)slice_of(m, p);
    const r1i_exec ex = r1i_model_exec(m, NULL, NULL, NULL);
    const r1i_weight turned = turned_head(m, NULL);
    const size_t acts = r1i_act_bytes(slice_of(m, p), m->config.hidden_size, r1i_act_kind(&ex, &m->head)) +
                        r1i_act_bytes(slice_of(m, p), m->config.vocab_size, r1i_act_kind(&ex, &turned));
    return slice * (size_t)m->config.vocab_size * sizeof(float) + slice * (sizeof(double) + sizeof(float)) + acts + 6 *
        R1I_ALIGN;
}

/* Pages of every sequence apart: at worst each token is one. */
static int64_t pages_of(const r1i_stepper_params *p) { return p->max_pages > 0 ? p->max_pages : p->max_rows; }

/* Of the pages that are touched: where nobody knows how many, about those of full sequences. */
static uint64_t cache_bytes(const r1_model *m, const r1i_stepper_params *p)
{
    const int64_t full = p->max_rows + (p->max_rows + p->max_positions - 1) / p->max_positions * R1I_PAGE,
                  layers = m->config.num_hidden_layers;
    const uint64_t bytes = r1i_kv_bytes(m, p->cache_type, p->max_pages > 0 ? p->max_pages * R1I_PAGE : full);
    return bytes / (uint64_t)layers * (uint64_t)(layers + (m->mtp ? m->config.num_nextn_predict_layers : 0));
}

/* Of a pass: at worst each row is a sequence. */
static size_t runs_bytes(int64_t rows) { return r1i_align_up((size_t)rows * sizeof(r1i_run), R1I_ALIGN); }

uint64_t r1i_stepper_bytes(const r1_model *model, const r1i_stepper_params *p, int threads)
{
    r1i_tape_bytes tape;
    const int64_t rows = pass_of(model, p);
    r1i_forward_tape_bytes(model, rows, p->max_positions, threads, p->recompute, &tape);
    return tape.act + tape.shadow + r1i_backward_bytes(model, rows, p->max_positions, threads) + runs_bytes(rows) +
        head_bytes(model, p) + cache_bytes(model, p) + turned_bytes(model, slice_of(model, p));
}

static r1_status create(r1i_stepper *s, const r1i_stepper_params *p, r1_error *err)
{
    const r1_model *const m = s->model;
    const int64_t slice = slice_of(m, p);
    r1i_tape_bytes tape;
    s->pass_rows = pass_of(m, p);
    r1i_forward_tape_bytes(m, s->pass_rows, p->max_positions, r1i_pool_threads(s->ex.pool), p->recompute, &tape);
    r1_status st = r1i_arena_create(&s->act, "activations", &s->env, tape.act + runs_bytes(s->pass_rows), err);
    if (st != R1_OK || (st = r1i_arena_create(&s->head, "logits", &s->env, head_bytes(m, p), err)) != R1_OK) return st;
    s->logits = r1i_mat_of(r1i_arena_take(&s->head, (size_t)slice * (size_t)m->config.vocab_size * sizeof(float), err),
                           slice, m->config.vocab_size);
    s->lse = r1i_arena_take(&s->head, (size_t)slice * sizeof *s->lse, err);
    s->coef = r1i_arena_take(&s->head, (size_t)slice * sizeof *s->coef, err);
    if (!s->logits.p || !s->lse || !s->coef) return R1_ERR_NOMEM;
    if ((st = r1i_kv_create(&s->kv, m, p->cache_type, pages_of(p), m->mtp != NULL, &s->env, err)) != R1_OK) return st;
    if (s->gradients) r1i_tape_create(&s->tape, &s->act, p->recompute, p->recompute ? tape.layer : 0, &s->env);
    s->tape.param_grad = r1i_gradients_of;
    s->tape.user = s->gradients;
    s->tape.balance_alpha = p->balance_alpha;
    return R1_OK;
}

r1_status r1i_stepper_create(r1i_stepper *s, const r1_model *model, r1i_gradients *gradients, r1i_pool *pool,
                             const r1i_stepper_params *params, const r1_env *env, r1_error *err)
{
    *s = (r1i_stepper){.model = model, .gradients = gradients, .max_rows = params->max_rows,
                       .mtp_weight = params->mtp_weight, .mtp_detach = params->mtp_detach};
    if (env) s->env = *env;
    s->ex = r1i_model_exec(model, pool, &s->act, err);
    s->n_defined = params->n_defined > 0 ? params->n_defined : model->config.vocab_size;
    s->temperature = params->temperature > 0.0f ? params->temperature : 1.0f;
    const r1_status st = create(s, params, err);
    if (st != R1_OK) r1i_stepper_destroy(s);
    return st;
}

void r1i_stepper_destroy(r1i_stepper *s)
{
    if (s->tape.act) r1i_tape_destroy(&s->tape);
    r1i_kv_destroy(&s->kv);
    r1i_arena_destroy(&s->act);
    r1i_arena_destroy(&s->head);
}

/* ---- head and cross-entropy -------------------------------------------------------------------------------------- */

static r1i_mat rows_of(r1i_mat m, int64_t r0, int64_t n) { return (r1i_mat){m.p + r0 * m.stride, n, m.cols, m.stride}; }

/* The head's own exec: nothing is recorded, inputs are prepared behind the logits. */
static r1i_exec head_exec(r1i_stepper *s)
{
    r1i_exec ex = s->ex;
    ex.tape = NULL;
    ex.scratch = &s->head;
    return ex;
}

/* logits = head x by the engine's own product, and the log-sum-exp over the defined ids. act: what x was prepared as,
 * in the head's scratch. */
static r1_status head_forward(r1i_stepper *s, r1i_mat x, r1i_mat logits, r1i_act *act)
{
    r1i_exec ex = head_exec(s);
    r1_status st = r1i_act_make(&ex, act, x, r1i_act_kind(&ex, &s->model->head));
    if (st == R1_OK) st = r1i_linear(&ex, &(r1i_linear_job){.y = logits, .x = act, .w = &s->model->head}, 1);
    return st == R1_OK ? r1i_logsumexp(&ex, logits, s->n_defined, 1.0f / s->temperature, s->lse) : st;
}

typedef struct head_work {
    r1i_weight transposed;
    float *work;
    r1i_arena arena;
} head_work;

/* dlogits are in place of the logits, x is as head_forward prepared it: dx = dlogits W, dW += dlogits^T x. r0: x's
 * first row in the batch. */
static r1_status head_backward(r1i_stepper *s, r1i_mat dlogits, const r1i_act *x, int64_t r0, const head_work *h,
                               float *sum)
{
    r1i_exec ex = head_exec(s);
    r1i_act dy;
    const unsigned kind = r1i_act_kind(&ex, &h->transposed);
    r1_status st = r1i_act_make(&ex, &dy, dlogits, kind);
    const r1i_linear_job job = {.y = r1i_tape_grad_mat(&s->tape, x->x), .x = &dy, .w = &h->transposed, .add = true};
    if (st == R1_OK) st = ex.ops->linear(&ex, &job, 1);
    if (st != R1_OK || !sum) return st;
    const r1i_grad_product product = {.g = sum, .dy = dy, .x = *x, .row0 = r0, .bf16 = kind & R1I_ACT_BF16};
    return ex.ops->grad->linear_weight(&ex, &product, 1, s->tape.runs, s->tape.n_runs, h->work);
}

static r1_status open_head(r1i_stepper *s, r1i_mat x, head_work *h)
{
    const r1i_weight *const head = &s->model->head;
    const r1i_mat slice = {x.p, s->logits.rows, x.cols, x.stride};
    uint64_t bytes = 0;
    (void)r1i_panel_bytes(r1i_transposed_type(head), head->cols, head->rows, &bytes);
    const size_t work = r1i_grad_linear_work(&slice) * sizeof(float);
    r1_status st = r1i_arena_create(&h->arena, "head", &s->env, turned_bytes(s->model, s->logits.rows), s->ex.err);
    if (st != R1_OK) return st;
    uint8_t *const out = r1i_arena_take(&h->arena, (size_t)bytes, s->ex.err);
    h->work = r1i_arena_take(&h->arena, work, s->ex.err);
    h->transposed = turned_head(s->model, out);
    return s->ex.ops->grad->transpose(&s->ex, &out, &head, 1);
}

/* How many rows from r0 on to take: at most a slice, and no pair of rows of compute bf16 (op/table.h) cut in two. */
static int64_t slice_rows(const r1i_stepper *s, const r1i_batch *batch, int64_t r0)
{
    const int64_t n = s->logits.rows;
    if (batch->n - r0 <= n) return batch->n - r0;
    for (int64_t i = 0; i < batch->n_runs; i++) {
        const int64_t into = r0 + n - batch->runs[i].first;
        if (into > 0 && into < batch->runs[i].n && into % 2 != 0) return n - 1;
    }
    return n;
}

/* All rows of x, final-normed, against target and weight times `by`. The gradient of x is written into the shadow, the
 * head's into sum. */
static r1_status cross_entropy(r1i_stepper *s, const r1i_batch *batch, r1i_mat x, const int32_t *target,
                               const float *weight, float by, float *sum, double *loss, float *logprob)
{
    const size_t mark = r1i_arena_mark(&s->head);
    head_work h = {0};
    r1i_act act;
    r1_status st = s->gradients ? open_head(s, x, &h) : R1_OK;
    for (int64_t r0 = 0, n; r0 < x.rows && st == R1_OK; r0 += n) {
        r1i_arena_reset(&s->head, mark);
        n = slice_rows(s, batch, r0);
        const r1i_mat part = rows_of(x, r0, n), logits = rows_of(s->logits, 0, n);
        if ((st = head_forward(s, part, logits, &act)) != R1_OK) break;
        for (int64_t i = 0; i < n; i++) {
            const double z = (double)(logits.p[i * logits.stride + target[r0 + i]] * (1.0f / s->temperature));
            *loss += (double)(weight[r0 + i] * by) * (s->lse[i] - z);
            if (logprob) logprob[r0 + i] = (float)(z - s->lse[i]);
            s->coef[i] = weight[r0 + i] * by * (1.0f / s->temperature);
        }
        if (!s->gradients) continue;
        st = s->ex.ops->grad->cross_entropy(&s->ex, logits, target + r0, s->lse, s->coef, s->n_defined,
                                            1.0f / s->temperature);
        if (st == R1_OK) st = head_backward(s, logits, &act, r0, &h, sum);
    }
    r1i_arena_reset(&s->head, mark);
    r1i_arena_destroy(&h.arena);
    return st;
}

/* ---- one micro-batch --------------------------------------------------------------------------------------------- */

static r1_status check(const r1i_stepper *s, const r1i_train_rows *rows, r1_error *err)
{
    if (rows->batch.n > s->max_rows)
        return r1i_fail(err, R1_ERR_USAGE, "a micro-batch of %lld tokens, at most %lld expected",
                        (long long)rows->batch.n, (long long)s->max_rows);
    int64_t row = 0;
    for (int64_t i = 0; i < rows->batch.n_runs; i++) {
        const r1i_run *const run = &rows->batch.runs[i];
        if (run->first != row || run->n < 1 || run->n > s->pass_rows)
            return r1i_fail(err, R1_ERR_USAGE,
                            "a sequence of %lld tokens at row %lld, at most %lld at row %lld expected",
                            (long long)run->n, (long long)run->first, (long long)s->pass_rows, (long long)row);
        row += run->n;
    }
    if (row != rows->batch.n)
        return r1i_fail(err, R1_ERR_USAGE, "a micro-batch of %lld tokens, its sequences have %lld",
                        (long long)rows->batch.n, (long long)row);
    for (int64_t i = 0; i < rows->batch.n; i++)
        if (rows->target[i] < 0 || rows->target[i] >= s->n_defined)
            return r1i_fail(err, R1_ERR_RANGE, "target id %d of row %lld, 0 to %lld expected", (int)rows->target[i],
                            (long long)i, (long long)s->n_defined - 1);
    return R1_OK;
}

static r1_status take_hidden(r1i_stepper *s, int64_t n, r1i_mat *out)
{
    const int64_t d = s->model->config.hidden_size;
    *out = r1i_mat_of(r1i_arena_take(&s->act, (size_t)(n * d) * sizeof(float), s->ex.err), n, d);
    return out->p ? R1_OK : R1_ERR_NOMEM;
}

/* Slot j of a sequence joins the trunk's state at j with token j + 1 and is held against token j + 2: its row's weight
 * is the next row's. The last row of a run has no such target. target, weight: [n] scratch of the caller. */
static void shift_targets(const r1i_train_rows *rows, int32_t *target, float *weight)
{
    for (int64_t r = 0; r < rows->batch.n_runs; r++) {
        const r1i_run *const run = &rows->batch.runs[r];
        for (int64_t i = run->first; i < run->first + run->n; i++) {
            const bool last = i + 1 == run->first + run->n;
            target[i] = last ? 0 : rows->target[i + 1];
            weight[i] = last ? 0.0f : rows->weight[i + 1];
        }
    }
}

typedef struct mtp_rows {
    r1i_mat hidden, normed; /* a detached copy or the trunk's own output; the layer's output */
    int32_t *target;
    float *weight;
} mtp_rows;

/* Records behind the trunk's, so the walk back meets them first. */
static r1_status mtp_forward(r1i_stepper *s, const r1i_train_rows *rows, r1i_mat hidden, const r1i_probe *router,
                             mtp_rows *m)
{
    const int64_t n = rows->batch.n;
    r1_status st;
    *m = (mtp_rows){.hidden = hidden};
    m->target = r1i_arena_take(&s->act, (size_t)n * sizeof *m->target, s->ex.err);
    m->weight = m->target ? r1i_arena_take(&s->act, (size_t)n * sizeof *m->weight, s->ex.err) : NULL;
    if (!m->weight || (st = take_hidden(s, n, &m->normed)) != R1_OK) return R1_ERR_NOMEM;
    shift_targets(rows, m->target, m->weight);
    if (s->mtp_detach) {
        if ((st = take_hidden(s, n, &m->hidden)) != R1_OK) return st;
        memcpy(m->hidden.p, hidden.p, (size_t)(n * hidden.cols) * sizeof *hidden.p);
    }
    /* the row's own target is the token after it */
    return r1i_forward_mtp_hidden(&s->ex, s->model, 0, &s->kv, &rows->batch, rows->target, m->hidden, m->normed,
                                  router);
}

static r1_status run_rows(r1i_stepper *s, const r1i_train_rows *rows, double *loss, double *mtp_loss, float *logprob,
                          const r1i_probe *router)
{
    const bool mtp = s->mtp_weight > 0.0f && s->model->mtp && mtp_loss;
    r1i_batch batch = rows->batch;
    r1i_mat hidden;
    mtp_rows next = {0};
    r1i_gradients *const g = s->gradients;
    r1_status st;
    batch.n_logits = 0;
    if ((st = take_hidden(s, batch.n, &hidden)) != R1_OK) return st;
    if ((st = r1i_forward(&s->ex, s->model, &s->kv, &batch, (r1i_mat){0}, &hidden, router)) != R1_OK) return st;
    s->tape.side = true;
    if (mtp) st = mtp_forward(s, rows, hidden, router, &next);
    s->tape.side = false;
    if (st != R1_OK) return st;
    if (g && (st = r1i_tape_zero(&s->tape, s->ex.pool, s->ex.err)) != R1_OK) return st;
    if ((st = cross_entropy(s, &batch, hidden, rows->target, rows->weight, 1.0f, g ? g->head : NULL, loss, logprob)) !=
        R1_OK) return st;
    if (mtp)
        st = cross_entropy(s, &batch, next.normed, next.target, next.weight, s->mtp_weight, g ? g->side_head : NULL,
                           mtp_loss, NULL);
    if (st != R1_OK) return st;
    return g ? r1i_tape_backward(&s->ex, &s->tape) : R1_OK;
}

/* Runs [from, ..) that fit into a pass together, at least one; `runs` takes them with rows of the pass. */
static r1i_train_rows next_pass(const r1i_stepper *s, const r1i_train_rows *rows, int64_t from, r1i_run *runs)
{
    const r1i_run *const all = rows->batch.runs;
    const int64_t first = all[from].first;
    r1i_train_rows pass = {.batch = {.token = rows->batch.token + first, .runs = runs}, .target = rows->target + first,
                           .weight = rows->weight + first};
    r1i_batch *const b = &pass.batch;
    while (from + b->n_runs < rows->batch.n_runs &&
           (b->n_runs == 0 || b->n + all[from + b->n_runs].n <= s->pass_rows)) {
        runs[b->n_runs] = all[from + b->n_runs];
        runs[b->n_runs].first -= first;
        b->n += runs[b->n_runs++].n;
    }
    return pass;
}

r1_status r1i_stepper_run(r1i_stepper *s, const r1i_train_rows *rows, double *loss, double *mtp_loss, float *logprob,
                          const r1i_probe *router, r1_error *err)
{
    const size_t mark = r1i_arena_mark(&s->act);
    r1_status st = check(s, rows, err);
    s->ex.err = err;
    s->ex.tape = s->gradients ? &s->tape : NULL;
    for (int64_t run = 0; run < rows->batch.n_runs && st == R1_OK;) {
        r1i_run *const runs = r1i_arena_take(&s->act, runs_bytes(s->pass_rows), err);
        if (!runs) return R1_ERR_NOMEM;
        const r1i_train_rows pass = next_pass(s, rows, run, runs);
        const int64_t first = rows->batch.runs[run].first;
        run += pass.batch.n_runs;
        st = run_rows(s, &pass, loss, mtp_loss, logprob ? logprob + first : NULL, router);
        if (s->gradients) r1i_tape_clear(&s->tape, mark);
        else s->act.used = mark;
    }
    return st;
}
