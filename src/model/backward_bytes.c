/* What the walk back over a tape takes beside the gradients of activations, known before there is a tape: the
 * temporaries of its largest record. In a large mixture that is a call of all experts' products, whose weights are
 * turned side by side. */
#include "model/forward.h"
#include "model/model.h"
#include "op/tape.h"

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Products of n weights with `rows` rows each; every type but bf16 is computed in f32 here. */
static size_t products(const r1i_weight *w, int64_t n, int64_t rows)
{
    size_t sum = 0;
    for (int64_t i = 0; i < n; i++) {
        const r1i_mat x = {NULL, rows, w[i].cols, w[i].cols};
        if (w[i].rows > 0) sum += r1i_tape_product_bytes(&w[i], &x, w[i].type == R1_DTYPE_BF16);
    }
    return sum;
}

static size_t gate_up(const r1i_ffn *f, int64_t rows)
{
    return products(&f->gate, 1, rows) + products(&f->up, 1, rows);
}

/* Rows as even as they can be over all experts that they can reach: fewer experts turn fewer weights. */
static size_t mixture(const r1_model *m, const r1i_layer *l, int64_t rows)
{
    const int64_t all = rows * m->route.topk, used = all < m->route.experts ? all : m->route.experts;
    const int64_t each = (all + used - 1) / used;
    size_t in = l->has_shared ? gate_up(&l->shared, rows) : 0,
           out = l->has_shared ? products(&l->shared.down, 1, rows) : 0;
    for (int64_t e = 0; e < used; e++) {
        in += gate_up(&l->expert[e], each);
        out += products(&l->expert[e].down, 1, each);
    }
    return larger(larger(in, out), products(&l->router, 1, rows));
}

static size_t feed_forward(const r1_model *m, const r1i_layer *l, int64_t rows)
{
    return l->moe ? mixture(m, l, rows) : larger(gate_up(&l->dense, rows), products(&l->dense.down, 1, rows));
}

/* Projections, each call by itself, and attention's own: of one sequence, and of as many as there are. */
static size_t attention(const r1_model *m, const r1i_layer *l, int64_t rows, int64_t max_positions, int threads)
{
    enum { RUNS = 64 }; /* more of them change nothing but for very many threads, which then count too much */
    const int64_t longest = rows < max_positions ? rows : max_positions, full = rows / longest;
    const int64_t runs = full < RUNS ? full : RUNS, heads = m->attn.heads;
    r1i_run run[RUNS];
    for (int64_t i = 0; i < runs; i++) run[i] = (r1i_run){.n = longest};
    const size_t one = r1i_grad_attention_work(&m->attn, longest, run, 1, threads);
    const size_t many = r1i_grad_attention_work(&m->attn, runs * longest, run, runs, threads);
    size_t most = larger(one, many) * sizeof(float);
    if (m->attn.mla) {
        most = larger(most, products(&l->q, 1, rows) + products(&l->q_a, 1, rows) + products(&l->kv_a, 1, rows));
        most = larger(most, products(&l->q_b, 1, rows));
        most = larger(most, larger(products(l->k_absorb, heads, rows), products(l->v_absorb, heads, rows)));
    } else {
        most = larger(most, products(&l->q, 1, rows) + products(&l->k, 1, rows) + products(&l->v, 1, rows));
    }
    return larger(most, products(&l->o, 1, rows));
}

size_t r1i_backward_bytes(const r1_model *m, int64_t rows, int64_t max_positions, int threads)
{
    size_t most = 0;
    for (int64_t i = 0; i < m->config.num_hidden_layers; i++) {
        const r1i_layer *const l = &m->layer[i];
        most = larger(most, larger(attention(m, l, rows, max_positions, threads), feed_forward(m, l, rows)));
    }
    for (int64_t i = 0; m->mtp && i < m->config.num_nextn_predict_layers; i++) {
        const r1i_layer *const l = &m->mtp[i].layer;
        most = larger(most, larger(attention(m, l, rows, max_positions, threads), feed_forward(m, l, rows)));
        most = larger(most, products(&m->mtp[i].eh_proj, 1, rows));
    }
    return most;
}
