/* Trainable under compute bf16: the f32 panels that were packed become masters, products read BF16 panels rounded from
 * them. */
#include "model/parameters.h"
#include "tensor/codec.h"

void r1i_panels_round(uint16_t *out, const float *in, int64_t cols, int64_t p0, int64_t p1)
{
    const int64_t pairs = (cols + 1) / 2;
    for (int64_t p = p0; p < p1; p++) {
        for (int64_t j = 0; j < pairs; j++) {
            const float *const a = in + (p * cols + 2 * j) * R1I_PANEL_ROWS;
            uint16_t *const to = out + (p * pairs + j) * 2 * R1I_PANEL_ROWS;
            const bool two = 2 * j + 1 < cols;
            for (int64_t i = 0; i < R1I_PANEL_ROWS; i++) {
                to[2 * i] = r1i_bf16_from_f32(a[i]);
                to[2 * i + 1] = two ? r1i_bf16_from_f32(a[R1I_PANEL_ROWS + i]) : 0;
            }
        }
    }
}

typedef struct rounding {
    r1_model *m;
    size_t bytes;
    int64_t n;
    r1_error *err;
} rounding;

/* The router decides in f32 (model/moe.c). */
static bool is_rounded(const r1_model *m, const r1i_parameter *p)
{
    bool router = false;
    for (int64_t i = 0; i < m->config.num_hidden_layers && !router; i++) router = p->w == &m->layer[i].router;
    for (int64_t i = 0; m->mtp && i < m->config.num_nextn_predict_layers && !router; i++)
        router = p->w == &m->mtp[i].layer.router;
    return p->w && !router;
}

static size_t panels_size(const r1i_weight *w)
{
    uint64_t bytes = 0;
    (void)r1i_panel_bytes(R1_DTYPE_BF16, w->rows, w->cols, &bytes); /* smaller than the f32 panels that are there */
    return r1i_align_up((size_t)bytes, R1I_ALIGN);
}

static r1_status count(void *user, const r1i_parameter *p)
{
    rounding *const r = user;
    if (!is_rounded(r->m, p)) return R1_OK;
    r->bytes += panels_size(p->w);
    r->n++;
    return R1_OK;
}

static r1_status round_one(void *user, const r1i_parameter *p)
{
    rounding *const r = user;
    if (!is_rounded(r->m, p)) return R1_OK;
    r1i_weight *const w = (r1i_weight *)(uintptr_t)p->w; /* the model's own, under construction */
    uint16_t *const out = r1i_arena_take(&r->m->rounded, panels_size(w), r->err);
    if (!out) return R1_ERR_NOMEM;
    r1i_panels_round(out, p->master, w->cols, 0, (w->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS);
    r->m->master[r->m->n_masters++] = (r1i_master){(const uint8_t *)out, p->master};
    w->type = R1_DTYPE_BF16;
    w->data = (const uint8_t *)out;
    return R1_OK;
}

r1_status r1i_model_round_masters(r1_model *m, r1_error *err)
{
    rounding r = {.m = m, .err = err};
    (void)r1i_model_parameters(m, count, &r);
    const size_t list = r1i_align_up((size_t)r.n * sizeof *m->master, R1I_ALIGN);
    r1_status st = r1i_arena_create(&m->rounded, "bf16 panels", &m->env, list + r.bytes, err);
    if (st != R1_OK) return st;
    if (!(m->master = r1i_arena_take(&m->rounded, list, err))) return R1_ERR_NOMEM;
    st = r1i_model_parameters(m, round_one, &r);
    if (m->config.tie_word_embeddings) m->head = m->embedding;
    return st;
}
