#include "train/gradients.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct collect {
    r1i_trained *out; /* NULL: count */
    int64_t n, total;
} collect;

static r1_status one(void *user, const r1i_parameter *p)
{
    collect *const c = user;
    if (p->selection_bias) return R1_OK;
    if (c->out) {
        const bool rounded = p->w && p->w->type == R1_DTYPE_BF16;
        c->out[c->n] = (r1i_trained){.p = *p, .floats = r1i_parameter_floats(p), .data = r1i_parameter_data(p),
                                     .decay = p->w != NULL, .key = p->w ? (const void *)p->w->data : p->vec,
                                     .rounded = rounded ? (uint16_t *)(uintptr_t)p->w->data : NULL};
    }
    c->total += r1i_parameter_floats(p);
    c->n++;
    return R1_OK;
}

static int64_t table_floats(const r1_model *m)
{
    const r1i_parameter head = {.w = &m->head};
    return r1i_parameter_floats(&head);
}

static int64_t turned_floats(const r1i_lora_kv_b *k)
{
    const r1i_parameter p = {.w = &k->a_turned};
    return r1i_parameter_floats(&p);
}

/* Own sums: the head's if it is tied, and both of the MTP layer; of an adapter the turned ones. */
static int64_t own_tables(const r1_model *m, bool with_mtp)
{
    int64_t n = 0;
    for (int64_t i = 0; m->adapter && i < m->adapter->n; i++)
        if (m->adapter->module[i].kv_b.k_b) n += turned_floats(&m->adapter->module[i].kv_b);
    if (m->adapter) return n;
    return ((m->config.tie_word_embeddings ? 1 : 0) + (with_mtp && m->mtp ? 2 : 0)) * table_floats(m);
}

uint64_t r1i_gradients_bytes(const r1_model *m, bool with_mtp)
{
    collect c = {0};
    (void)r1i_trained_parameters(m, one, &c);
    return (uint64_t)(3 * c.total + own_tables(m, with_mtp)) * sizeof(float) + (uint64_t)c.n *
        (sizeof(r1i_trained) + sizeof(int64_t));
}

/* Indices of n parameters in ascending order of their addresses. Few thousands: shell sort. */
static void sort_addresses(r1i_gradients *g)
{
    for (int64_t i = 0; i < g->n; i++) g->by_address[i] = i;
    for (int64_t gap = g->n / 2; gap > 0; gap /= 2)
        for (int64_t i = gap; i < g->n; i++) {
            const int64_t x = g->by_address[i];
            int64_t k = i;
            for (; k >= gap && (uintptr_t)g->param[g->by_address[k - gap]].key > (uintptr_t)g->param[x].key; k -= gap)
                g->by_address[k] = g->by_address[k - gap];
            g->by_address[k] = x;
        }
}

static void hand_out_turned(r1i_gradients *g, float *own)
{
    for (int64_t i = 0, p = 0; i < g->adapter->n; i++) {
        const r1i_lora_kv_b *const k = &g->adapter->module[i].kv_b;
        if (!k->k_b) continue;
        while (g->param[p].key != k->a.data) p++;
        g->turned[g->n_turned++] = (r1i_turned){.k = k, .grad = own, .param = p};
        own += turned_floats(k);
    }
}

static void hand_out(r1i_gradients *g, const r1_model *m)
{
    float *p = g->memory;
    for (int64_t i = 0; i < g->n; i++) {
        g->param[i].grad = p;
        g->param[i].m = p + g->total;
        g->param[i].v = p + 2 * g->total;
        p += g->param[i].floats;
    }
    float *own = g->memory + 3 * g->total;
    if (g->adapter) {
        hand_out_turned(g, own);
        return;
    }
    const int64_t table = table_floats(m);
    const bool tied = m->config.tie_word_embeddings;
    g->head = tied ? own : r1i_gradients_of(g, m->head.data, false);
    if (g->tables > (tied ? table : 0)) {
        g->side_head = own + (tied ? table : 0);
        g->side_embedding = g->side_head + table;
    }
}

r1_status r1i_gradients_create(r1i_gradients *g, const r1_model *m, bool with_mtp, const r1_env *env, r1_error *err)
{
    collect c = {0};
    *g = (r1i_gradients){0};
    if (env) g->env = *env;
    if (!m->params.trainable && !m->adapter)
        return r1i_fail(err, R1_ERR_USAGE, "the model was not opened to be trained");
    (void)r1i_trained_parameters(m, one, &c);
    g->n = c.n;
    g->total = c.total;
    g->tables = own_tables(m, with_mtp);
    g->adapter = m->adapter;
    g->param = r1i_alloc_zero(&g->env, (size_t)g->n * sizeof *g->param);
    g->by_address = r1i_alloc(&g->env, (size_t)g->n * sizeof *g->by_address);
    g->memory = r1i_alloc_zero(&g->env, (size_t)(3 * g->total + g->tables) * sizeof *g->memory);
    if (m->adapter) g->turned = r1i_alloc_zero(&g->env, (size_t)m->adapter->n * sizeof *g->turned);
    if (!g->param || !g->by_address || !g->memory || (m->adapter && !g->turned)) {
        const uint64_t want = r1i_gradients_bytes(m, with_mtp);
        r1i_gradients_destroy(g);
        return r1i_fail(err, R1_ERR_NOMEM, "gradients and moments, %" PRIu64 " bytes", want);
    }
    c = (collect){.out = g->param};
    (void)r1i_trained_parameters(m, one, &c);
    sort_addresses(g);
    hand_out(g, m);
    return R1_OK;
}

void r1i_gradients_destroy(r1i_gradients *g)
{
    r1i_release(&g->env, g->param, (size_t)g->n * sizeof *g->param);
    r1i_release(&g->env, g->by_address, (size_t)g->n * sizeof *g->by_address);
    r1i_release(&g->env, g->memory, (size_t)(3 * g->total + g->tables) * sizeof *g->memory);
    if (g->adapter) r1i_release(&g->env, g->turned, (size_t)g->adapter->n * sizeof *g->turned);
    *g = (r1i_gradients){0};
}

void r1i_gradients_zero(r1i_gradients *g, r1i_pool *pool)
{
    r1i_pool_zero(pool, g->memory, (size_t)g->total * sizeof *g->memory);
    r1i_pool_zero(pool, g->memory + 3 * g->total, (size_t)g->tables * sizeof *g->memory);
}

float *r1i_gradients_of(void *user, const void *data, bool side)
{
    const r1i_gradients *const g = user;
    int64_t lo = 0, hi = g->n;
    if (side && g->side_embedding && data == g->param[0].key) return g->side_embedding;
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        const r1i_trained *const t = &g->param[g->by_address[mid]];
        if (t->key == data) return t->grad;
        if ((uintptr_t)t->key < (uintptr_t)data) lo = mid + 1;
        else hi = mid;
    }
    for (int64_t i = 0; i < g->n_turned; i++)
        if (g->turned[i].k->a_turned.data == data) return g->turned[i].grad;
    return NULL;
}

/* Both sums of an A: dA += (d of A turned)^T. */
static void finish_turned(const r1i_gradients *g)
{
    for (int64_t i = 0; i < g->n_turned; i++) {
        const r1i_turned *const t = &g->turned[i];
        const int64_t rows = t->k->a.rows, cols = t->k->a.cols;
        float *const sum = g->param[t->param].grad;
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++)
                sum[(r / R1I_PANEL_ROWS * cols + c) * R1I_PANEL_ROWS +
                    r % R1I_PANEL_ROWS] += t->grad[(c / R1I_PANEL_ROWS * rows + r) * R1I_PANEL_ROWS +
                                                   c % R1I_PANEL_ROWS];
    }
}

enum { FINISH_FLOATS = 1 << 16 };

/* The embedding comes first in the checkpoint's order, an untied head last. */
static void finish_item(void *ctx, int64_t item, int thread)
{
    (void)thread;
    const r1i_gradients *const g = ctx;
    float *const table = g->param[0].grad, *const head = g->param[g->n - 1].grad;
    const bool tied = g->head == g->memory + 3 * g->total;
    const int64_t all = g->param[0].floats, begin = item * FINISH_FLOATS,
                  end = begin + FINISH_FLOATS < all ? begin + FINISH_FLOATS : all;
    for (int64_t i = begin; i < end && tied; i++) table[i] += g->head[i];
    for (int64_t i = begin; i < end && g->side_head; i++) {
        (tied ? table : head)[i] += g->side_head[i];
        table[i] += g->side_embedding[i];
    }
}

void r1i_gradients_finish(r1i_gradients *g, r1i_pool *pool)
{
    if (g->adapter) finish_turned(g);
    else if (g->tables > 0)
        r1i_pool_run(pool, (g->param[0].floats + FINISH_FLOATS - 1) / FINISH_FLOATS, finish_item, g);
}

/* ---- what products read ------------------------------------------------------------------------------------------ */

enum { ROUND_PANELS = 16 };

static int64_t panels_of(const r1i_trained *t) { return (t->p.w->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS; }
static int64_t round_items(const r1i_trained *t)
{
    return t->rounded ? (panels_of(t) + ROUND_PANELS - 1) / ROUND_PANELS : 0;
}

static void round_item(void *ctx, int64_t i, int thread)
{
    (void)thread;
    const r1i_gradients *const g = ctx;
    int64_t k = 0;
    for (; i >= round_items(&g->param[k]); k++) i -= round_items(&g->param[k]);
    const r1i_trained *const t = &g->param[k];
    const int64_t end = (i + 1) * ROUND_PANELS < panels_of(t) ? (i + 1) * ROUND_PANELS : panels_of(t);
    r1i_panels_round(t->rounded, t->data, t->p.w->cols, i * ROUND_PANELS, end);
}

void r1i_gradients_round(const r1i_gradients *g, r1i_pool *pool)
{
    int64_t items = 0;
    for (int64_t i = 0; i < g->n; i++) items += round_items(&g->param[i]);
    r1i_pool_run(pool, items, round_item, (void *)(uintptr_t)g);
    if (g->adapter) r1i_adapter_turn(g->adapter);
}
