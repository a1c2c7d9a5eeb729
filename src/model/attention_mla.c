/* Multi-head latent attention in the absorbed form (architecture.md 4.2): one key [c ; k_r] shared by all heads, whose
 * first part is also the value. Per head t = UK^T q_nope goes into the query beside the rotated q_rope, and o = UV u
 * comes out. */
#include "model/lora.h"
#include "model/pass.h"

/* An odd width's last pair would meet the next head's column. */
static bool in_place(unsigned kinds, int64_t step, int64_t width)
{
    return kinds == 0 || (kinds == R1I_ACT_BF16 && step % 2 == 0 && width % 2 == 0);
}

/* The activations of each head's own columns, x[n, heads * step]: head h is columns [h * step, h * step + width).
 * Weights that meet f32 read the columns where they lie, and bf16 ones the same columns of the rounded rows. Others
 * want whole prepared rows, so the heads are first laid one after the other, [heads * n, width], prepared in one go,
 * and each head is a range of rows (for one row the order is the same and nothing is moved). *acts: [heads]. */
static r1_status head_acts(const r1i_pass *p, r1i_mat x, int64_t heads, int64_t step, int64_t width, unsigned kinds,
                           r1i_act **acts)
{
    const int64_t n = p->n;
    r1i_act all;
    int32_t *index;
    r1_status st;
    if ((st = r1i_pass_take(p, heads, sizeof **acts, acts)) != R1_OK) return st;
    if (in_place(kinds, step, width)) {
        if ((st = r1i_act_make(p->ex, &all, x, kinds)) != R1_OK) return st;
        for (int64_t h = 0; h < heads; h++) {
            (*acts)[h] = all;
            (*acts)[h].x = r1i_mat_cols(x, h * step, width);
            if (kinds) (*acts)[h].bf16 += h * step;
        }
        return R1_OK;
    }
    r1i_mat rows = {x.p, n * heads, width, step}; /* row i * heads + h: x is dense, stride heads * step */
    if (n > 1) {
        r1i_mat by_head;
        if ((st = r1i_pass_take(p, n * heads, sizeof *index, &index)) != R1_OK) return st;
        if ((st = r1i_pass_mat(p, n * heads, width, &by_head)) != R1_OK) return st;
        for (int64_t h = 0; h < heads; h++)
            for (int64_t i = 0; i < n; i++) index[h * n + i] = (int32_t)(i * heads + h);
        if ((st = r1i_gather(p->ex, by_head, rows, index)) != R1_OK) return st;
        rows = by_head;
    }
    if ((st = r1i_pass_act(p, rows, kinds, &all)) != R1_OK) return st;
    for (int64_t h = 0; h < heads; h++) (*acts)[h] = r1i_act_rows(&all, h * n, n);
    return R1_OK;
}

static size_t head_acts_bytes(int64_t n, int64_t heads, int64_t step, int64_t width, unsigned kinds)
{
    size_t bytes = r1i_take_bytes(heads, sizeof(r1i_act));
    if (in_place(kinds, step, width)) return bytes + r1i_act_bytes(n, heads * step, kinds);
    if (n > 1) bytes += r1i_take_bytes(n * heads, sizeof(int32_t)) + r1i_mat_bytes(n * heads, width);
    return bytes + r1i_act_bytes(n * heads, width, kinds);
}

static unsigned stack_kinds(const r1i_exec *ex, const r1i_weight *w, int64_t heads)
{
    unsigned kinds = 0;
    for (int64_t h = 0; h < heads; h++) kinds |= r1i_act_kind(ex, &w[h]);
    return kinds;
}

/* y's columns [h * y_step, + w[h].rows) = w[h] times head h's columns of x. */
static r1_status head_products(const r1i_pass *p, r1i_mat y, int64_t y_step, const r1i_weight *w, r1i_mat x,
                               int64_t x_step)
{
    const int64_t heads = p->m->attn.heads;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_linear_job *jobs;
    r1i_act *acts;
    r1_status st;
    if ((st = head_acts(p, x, heads, x_step, w[0].cols, stack_kinds(p->ex, w, heads), &acts)) != R1_OK) return st;
    if ((st = r1i_pass_take(p, heads, sizeof *jobs, &jobs)) != R1_OK) return st;
    for (int64_t h = 0; h < heads; h++)
        jobs[h] = (r1i_linear_job){.y = r1i_mat_cols(y, h * y_step, w[h].rows), .x = &acts[h], .w = &w[h]};
    st = r1i_linear(p->ex, jobs, heads);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

static size_t head_products_bytes(const r1i_exec *ex, int64_t n, const r1i_weight *w, int64_t heads, int64_t step)
{
    return head_acts_bytes(n, heads, step, w[0].cols, stack_kinds(ex, w, heads)) +
        r1i_take_bytes(heads, sizeof(r1i_linear_job)) + r1i_tape_jobs_bytes(ex, heads);
}

/* q [n, heads * (nope + rope)] and kv [n, rank + rope] from h; both low ranks are normed on the way, nothing is rotated
 * yet. */
static r1_status project(const r1i_pass *p, const r1i_layer *l, const r1i_normed *h, r1i_mat q, r1i_mat kv)
{
    const r1i_config *const c = &p->m->config;
    const float eps = (float)c->rms_norm_eps;
    const bool low = c->q_lora_rank > 0;
    const r1i_weight *const first = low ? &l->q_a : &l->q;
    r1i_exec *const ex = p->ex;
    const size_t mark = r1i_arena_mark(ex->scratch);
    r1i_mat low_q = q;
    r1i_act act;
    r1_status st;
    if (low && (st = r1i_pass_mat(p, p->n, c->q_lora_rank, &low_q)) != R1_OK) return st;
    const size_t after_low = r1i_arena_mark(ex->scratch);
    const unsigned kinds = r1i_act_kind(ex, first) | r1i_act_kind(ex, &l->kv_a);
    if ((st = r1i_normed_act(p, ex, h, kinds, &act)) != R1_OK) return st;
    const r1i_linear_job in[2] = {{.y = low_q, .x = &act, .w = first}, {.y = kv, .x = &act, .w = &l->kv_a}};
    if (low) r1i_ahead_one(p, &l->q_b, 1);
    else r1i_ahead_one(p, l->k_absorb, p->m->attn.heads);
    if ((st = r1i_linear(ex, in, 2)) != R1_OK) return st;
    r1i_arena_reset(ex->scratch, after_low);
    const r1i_mat latent = r1i_mat_cols(kv, 0, c->kv_lora_rank);
    if ((st = r1i_rmsnorm(ex, latent, latent, l->kv_a_norm, eps)) != R1_OK) return st;
    if (low) {
        st = r1i_act_norm(ex, &act, low_q, low_q, l->q_a_norm, eps, r1i_act_kind(ex, &l->q_b));
        if (st != R1_OK) return st;
        const r1i_linear_job up = {.y = q, .x = &act, .w = &l->q_b};
        r1i_ahead_one(p, l->k_absorb, p->m->attn.heads);
        st = r1i_linear(ex, &up, 1);
    }
    r1i_arena_reset(ex->scratch, mark);
    return st;
}

static size_t project_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n)
{
    const r1i_config *const c = &m->config;
    const bool low = c->q_lora_rank > 0;
    const size_t in = r1i_act_bytes(n, c->hidden_size,
                                    r1i_act_kind(ex, low ? &l->q_a : &l->q) | r1i_act_kind(ex, &l->kv_a));
    const size_t norm = r1i_tape_mat_bytes(ex, n, c->kv_lora_rank) + r1i_tape_jobs_bytes(ex, 2);
    if (!low) return in + norm;
    const size_t up = r1i_act_bytes(n, c->q_lora_rank, r1i_act_kind(ex, &l->q_b));
    return r1i_mat_bytes(n, c->q_lora_rank) + r1i_after(ex, in, up) + norm + r1i_tape_mat_bytes(ex, n, c->q_lora_rank) +
        r1i_tape_jobs_bytes(ex, 1);
}

/* ---- the adapter's term of kv_b_proj -----------------------------------------------------------------------------
 *
 * kv_b + s B A is never multiplied out. With B_k, B_v a head's rows of B: t += A^T (s B_k^T q_nope) on the way in, o +=
 * B_v (s A u) on the way out. All heads meet the same A, so their low-rank vectors are rows of one product. */

/* [n, heads * cols] as rows of heads: row i * heads + h, `width` columns of each. */
static r1i_mat as_head_rows(r1i_mat x, int64_t heads, int64_t width)
{
    return (r1i_mat){x.p, x.rows * heads, width, x.cols / heads};
}

static r1_status one_product(const r1i_pass *p, r1i_mat y, const r1i_weight *w, r1i_mat x, bool add)
{
    const r1i_act act = {.x = x};
    const r1i_linear_job job = {.y = y, .x = &act, .w = w, .add = add};
    return r1i_linear(p->ex, &job, 1);
}

/* Per head: y's columns (+)= w[h] x's columns. */
static r1_status each_head(const r1i_pass *p, r1i_mat y, int64_t y_step, const r1i_weight *w, r1i_mat x, int64_t x_step,
                           bool add)
{
    const int64_t heads = p->m->attn.heads;
    r1i_linear_job *jobs;
    r1i_act *acts;
    r1_status st;
    if ((st = r1i_pass_take(p, heads, sizeof *acts, &acts)) != R1_OK ||
        (st = r1i_pass_take(p, heads, sizeof *jobs, &jobs)) != R1_OK) return st;
    for (int64_t h = 0; h < heads; h++) {
        acts[h] = (r1i_act){.x = r1i_mat_cols(x, h * x_step, w[h].cols)};
        jobs[h] = (r1i_linear_job){.y = r1i_mat_cols(y, h * y_step, w[h].rows), .x = &acts[h], .w = &w[h], .add = add};
    }
    return r1i_linear(p->ex, jobs, heads);
}

static r1_status low_rank_in(const r1i_pass *p, const r1i_lora_kv_b *k, r1i_mat q, int64_t step, r1i_mat query)
{
    const int64_t heads = p->m->attn.heads, r = k->a.rows;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_mat t;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, heads * r, &t)) != R1_OK ||
        (st = each_head(p, t, r, k->k_b, q, step, false)) != R1_OK) return st;
    if ((st = r1i_scale(p->ex, t, k->scale)) != R1_OK) return st;
    st = one_product(p, as_head_rows(query, heads, k->a.cols), &k->a_turned, as_head_rows(t, heads, r), true);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

static r1_status low_rank_out(const r1i_pass *p, const r1i_lora_kv_b *k, r1i_mat u, r1i_mat o)
{
    const int64_t heads = p->m->attn.heads, r = k->a.rows;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    r1i_mat t;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, heads * r, &t)) != R1_OK) return st;
    if ((st = one_product(p, as_head_rows(t, heads, r), &k->a, as_head_rows(u, heads, k->a.cols), false)) != R1_OK)
        return st;
    if ((st = r1i_scale(p->ex, t, k->scale)) != R1_OK) return st;
    st = each_head(p, o, p->m->config.v_head_dim, k->v_b, t, r, true);
    r1i_arena_reset(p->ex->scratch, mark);
    return st;
}

static size_t low_rank_kv_b_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n)
{
    const int64_t heads = m->attn.heads;
    if (!l->kv_b_lora) return 0;
    return r1i_mat_bytes(n, heads * l->kv_b_lora->a.rows) + r1i_take_bytes(heads, sizeof(r1i_act)) +
        r1i_take_bytes(heads, sizeof(r1i_linear_job)) + r1i_tape_jobs_bytes(ex, heads) + r1i_tape_jobs_bytes(ex, 1);
}

/* The query that meets [c ; k_r]: per head [t ; rotated q_rope]. */
static r1_status absorb(const r1i_pass *p, const r1i_layer *l, r1i_mat q, r1i_mat query)
{
    const r1i_config *const c = &p->m->config;
    const int64_t heads = p->m->attn.heads, nope = c->qk_nope_head_dim, rope = c->qk_rope_head_dim;
    const int64_t step = nope + rope, key = p->m->attn.key_dim, rows = p->n * heads;
    const size_t mark = r1i_arena_mark(p->ex->scratch);
    int32_t *index;
    r1_status st;
    if ((st = r1i_rope(p->ex, r1i_mat_cols(q, nope, q.cols - nope), heads, rope, step, p->cos, p->sin,
                       c->rope_interleaved)) != R1_OK)
        return st;
    if ((st = r1i_pass_take(p, rows, sizeof *index, &index)) != R1_OK) return st;
    for (int64_t i = 0; i < rows; i++) index[i] = (int32_t)i;
    const r1i_mat from = {q.p + nope, rows, rope, step}, to = {query.p + c->kv_lora_rank, rows, rope, key};
    if ((st = r1i_gather(p->ex, to, from, index)) != R1_OK) return st;
    r1i_arena_reset(p->ex->scratch, mark);
    r1i_ahead_one(p, l->v_absorb, heads);
    st = head_products(p, query, key, l->k_absorb, q, step);
    return st == R1_OK && l->kv_b_lora ? low_rank_in(p, l->kv_b_lora, q, step, query) : st;
}

static r1_status finish(const r1i_pass *p, const r1i_layer *l, r1i_mat u, r1i_mat o)
{
    r1i_act act;
    r1_status st;
    r1i_ahead_one(p, &l->o, 1);
    if ((st = head_products(p, o, p->m->config.v_head_dim, l->v_absorb, u, p->m->attn.value_dim)) != R1_OK) return st;
    if (l->kv_b_lora && (st = low_rank_out(p, l->kv_b_lora, u, o)) != R1_OK) return st;
    if ((st = r1i_pass_act(p, o, r1i_act_kind(p->ex, &l->o), &act)) != R1_OK) return st;
    const r1i_linear_job out = {.y = p->x, .x = &act, .w = &l->o, .add = true};
    r1i_ahead_ffn(p, l);
    return r1i_linear(p->ex, &out, 1);
}

r1_status r1i_block_mla(const r1i_pass *p, const r1i_layer *l, const r1i_kv_layer *kv, const r1i_normed *h)
{
    const r1i_config *const c = &p->m->config;
    const r1i_attn_shape *const s = &p->m->attn;
    const r1i_batch *const b = p->batch;
    const int64_t rope = c->qk_rope_head_dim;
    r1i_mat query, u, q, key;
    r1_status st;
    if ((st = r1i_pass_mat(p, p->n, s->heads * s->value_dim, &u)) != R1_OK) return st;
    const size_t after_u = r1i_arena_mark(p->ex->scratch);
    if ((st = r1i_pass_mat(p, p->n, s->heads * s->key_dim, &query)) != R1_OK) return st;
    if ((st = r1i_pass_mat(p, p->n, s->key_dim, &key)) != R1_OK) return st;
    const size_t after_key = r1i_arena_mark(p->ex->scratch);
    if ((st = r1i_pass_mat(p, p->n, s->heads * (c->qk_nope_head_dim + rope), &q)) != R1_OK) return st;

    if ((st = project(p, l, h, q, key)) != R1_OK || (st = absorb(p, l, q, query)) != R1_OK) return st;
    r1i_arena_reset(p->ex->scratch, after_key);
    const r1i_mat k_rope = r1i_mat_cols(key, c->kv_lora_rank, rope);
    if ((st = r1i_rope(p->ex, k_rope, 1, rope, rope, p->cos, p->sin, c->rope_interleaved)) != R1_OK) return st;
    if ((st = r1i_kv_write(p->ex, s, kv, key, (r1i_mat){0}, b->runs, b->n_runs)) != R1_OK) return st;
    if ((st = r1i_attention(p->ex, s, kv, u, query, b->runs, b->n_runs, NULL)) != R1_OK) return st;

    r1i_arena_reset(p->ex->scratch, after_u);
    r1i_mat o;
    if ((st = r1i_pass_mat(p, p->n, s->heads * c->v_head_dim, &o)) != R1_OK) return st;
    return finish(p, l, u, o);
}

size_t r1i_block_mla_bytes(const r1i_exec *ex, const r1_model *m, const r1i_layer *l, int64_t n, size_t attn)
{
    const r1i_config *const c = &m->config;
    const r1i_attn_shape *const s = &m->attn;
    const size_t u = r1i_mat_bytes(n, s->heads * s->value_dim);
    const size_t query = r1i_mat_bytes(n, s->heads * s->key_dim) + r1i_mat_bytes(n, s->key_dim);
    const size_t q = r1i_mat_bytes(n, s->heads * (c->qk_nope_head_dim + c->qk_rope_head_dim));
    const size_t absorbing =
        r1i_after(ex, r1i_take_bytes(n * s->heads, sizeof(int32_t)),
                  head_products_bytes(ex, n, l->k_absorb, s->heads, c->qk_nope_head_dim + c->qk_rope_head_dim));
    const size_t before = query + r1i_after(ex, q + r1i_after(ex, project_bytes(ex, m, l, n), absorbing), attn) +
                          r1i_tape_mat_bytes(ex, n, s->key_dim);
    const size_t out = r1i_act_bytes(n, s->heads * c->v_head_dim, r1i_act_kind(ex, &l->o));
    const size_t after = r1i_mat_bytes(n, s->heads * c->v_head_dim) +
        r1i_after(ex, head_products_bytes(ex, n, l->v_absorb, s->heads, s->value_dim), out) +
        r1i_tape_jobs_bytes(ex, 1);
    return u + r1i_after(ex, before, after) + 2 * low_rank_kv_b_bytes(ex, m, l, n);
}
