#include "model/parameters.h"

#include <stdio.h>
#include <string.h>

typedef struct walk {
    const r1_model *m;
    r1i_parameter_fn fn;
    void *user;
    int64_t layer;
} walk;

/* The f32 panels behind a weight. */
static float *master_of(const r1_model *m, const r1i_weight *w)
{
    int64_t lo = 0, hi = m->n_masters;
    while (w->type == R1_DTYPE_BF16 && lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (m->master[mid].rounded == w->data) return m->master[mid].f32;
        if ((uintptr_t)m->master[mid].rounded < (uintptr_t)w->data) lo = mid + 1;
        else hi = mid;
    }
    return (float *)(uintptr_t)w->data;
}

static r1_status top(const walk *k, const char *name, const r1i_weight *w, float *vec, int64_t n)
{
    r1i_parameter p = {.rows = w ? w->rows : n, .cols = w ? w->cols : 0, .w = w,
                       .master = w ? master_of(k->m, w) : NULL, .vec = vec};
    snprintf(p.name, sizeof p.name, "%s", name);
    return k->fn(k->user, &p);
}

static r1_status matrix(const walk *k, r1i_slot s, int64_t expert, const r1i_weight *w)
{
    r1i_parameter p = {.rows = w->rows, .cols = w->cols, .w = w, .master = master_of(k->m, w)};
    r1i_layer_tensor_name(false, k->layer, s, expert, p.name);
    return k->fn(k->user, &p);
}

static r1_status vector(const walk *k, r1i_slot s, float *v, int64_t n)
{
    r1i_parameter p = {.rows = n, .vec = v, .selection_bias = s == R1I_SLOT_ROUTER_BIAS};
    if (!v) return R1_OK;
    r1i_layer_tensor_name(false, k->layer, s, 0, p.name);
    return k->fn(k->user, &p);
}

static r1_status ffn(const walk *k, r1i_slot gate, int64_t expert, const r1i_ffn *f)
{
    r1_status st;
    if ((st = matrix(k, gate, expert, &f->gate)) != R1_OK || (st = matrix(k, gate + 1, expert, &f->up)) != R1_OK)
        return st;
    return matrix(k, gate + 2, expert, &f->down);
}

static r1_status gqa(const walk *k, const r1i_layer *l)
{
    const r1i_config *const c = &k->m->config;
    const int64_t q = c->num_attention_heads * c->head_dim, kv = c->num_key_value_heads * c->head_dim;
    r1_status st;
    if ((st = matrix(k, R1I_SLOT_Q, 0, &l->q)) != R1_OK || (st = vector(k, R1I_SLOT_Q_BIAS, l->q_bias, q)) != R1_OK)
        return st;
    if ((st = matrix(k, R1I_SLOT_K, 0, &l->k)) != R1_OK || (st = vector(k, R1I_SLOT_K_BIAS, l->k_bias, kv)) != R1_OK)
        return st;
    if ((st = matrix(k, R1I_SLOT_V, 0, &l->v)) != R1_OK || (st = vector(k, R1I_SLOT_V_BIAS, l->v_bias, kv)) != R1_OK)
        return st;
    return matrix(k, R1I_SLOT_O, 0, &l->o);
}

/* kv_b_proj: per head the rows of the key part, then those of the value part. */
static r1_status absorbed(const walk *k, const r1i_layer *l)
{
    const r1i_config *const c = &k->m->config;
    const int64_t nope = c->qk_nope_head_dim, step = nope + c->v_head_dim;
    r1i_parameter p = {.rows = c->num_attention_heads * step, .cols = c->kv_lora_rank};
    r1i_layer_tensor_name(false, k->layer, R1I_SLOT_KV_B, 0, p.name);
    for (int64_t h = 0; h < c->num_attention_heads; h++) {
        r1_status st;
        p.w = &l->k_absorb[h], p.master = master_of(k->m, p.w), p.row0 = h * step, p.transposed = true;
        if ((st = k->fn(k->user, &p)) != R1_OK) return st;
        p.w = &l->v_absorb[h], p.master = master_of(k->m, p.w), p.row0 = h * step + nope, p.transposed = false;
        if ((st = k->fn(k->user, &p)) != R1_OK) return st;
    }
    return R1_OK;
}

static r1_status mla(const walk *k, const r1i_layer *l)
{
    const r1i_config *const c = &k->m->config;
    r1_status st;
    if (c->q_lora_rank > 0) {
        if ((st = matrix(k, R1I_SLOT_Q_A, 0, &l->q_a)) != R1_OK) return st;
        if ((st = vector(k, R1I_SLOT_Q_A_NORM, l->q_a_norm, c->q_lora_rank)) != R1_OK) return st;
        if ((st = matrix(k, R1I_SLOT_Q_B, 0, &l->q_b)) != R1_OK) return st;
    } else if ((st = matrix(k, R1I_SLOT_Q, 0, &l->q)) != R1_OK) {
        return st;
    }
    if ((st = matrix(k, R1I_SLOT_KV_A, 0, &l->kv_a)) != R1_OK) return st;
    if ((st = vector(k, R1I_SLOT_KV_A_NORM, l->kv_a_norm, c->kv_lora_rank)) != R1_OK) return st;
    if ((st = absorbed(k, l)) != R1_OK) return st;
    return matrix(k, R1I_SLOT_O, 0, &l->o);
}

static r1_status moe(const walk *k, const r1i_layer *l)
{
    const int64_t n = k->m->config.n_routed_experts;
    r1_status st;
    if ((st = matrix(k, R1I_SLOT_ROUTER, 0, &l->router)) != R1_OK) return st;
    if ((st = vector(k, R1I_SLOT_ROUTER_BIAS, l->router_bias, n)) != R1_OK) return st;
    for (int64_t e = 0; e < n; e++)
        if ((st = ffn(k, R1I_SLOT_EXPERT_GATE, e, &l->expert[e])) != R1_OK) return st;
    return l->has_shared ? ffn(k, R1I_SLOT_SHARED_GATE, 0, &l->shared) : R1_OK;
}

static r1_status layer(walk *k, int64_t index, const r1i_layer *l)
{
    const int64_t d = k->m->config.hidden_size;
    r1_status st;
    k->layer = index;
    if ((st = vector(k, R1I_SLOT_ATTN_NORM, l->attn_norm, d)) != R1_OK) return st;
    if ((st = k->m->attn.mla ? mla(k, l) : gqa(k, l)) != R1_OK) return st;
    if ((st = vector(k, R1I_SLOT_FFN_NORM, l->ffn_norm, d)) != R1_OK) return st;
    return l->moe ? moe(k, l) : ffn(k, R1I_SLOT_GATE, 0, &l->dense);
}

static r1_status mtp(walk *k, int64_t index, const r1i_mtp *t)
{
    const int64_t d = k->m->config.hidden_size;
    r1_status st;
    k->layer = index;
    if ((st = vector(k, R1I_SLOT_ENORM, t->enorm, d)) != R1_OK ||
        (st = vector(k, R1I_SLOT_HNORM, t->hnorm, d)) != R1_OK) return st;
    if ((st = matrix(k, R1I_SLOT_EH_PROJ, 0, &t->eh_proj)) != R1_OK) return st;
    if ((st = vector(k, R1I_SLOT_HEAD_NORM, t->head_norm, d)) != R1_OK) return st;
    return layer(k, index, &t->layer);
}

r1_status r1i_model_parameters(const r1_model *m, r1i_parameter_fn fn, void *user)
{
    walk k = {.m = m, .fn = fn, .user = user};
    const r1i_config *const c = &m->config;
    r1_status st = top(&k, "model.embed_tokens.weight", &m->embedding, NULL, 0);
    for (int64_t i = 0; i < c->num_hidden_layers && st == R1_OK; i++) st = layer(&k, i, &m->layer[i]);
    for (int64_t i = 0; m->mtp && i < c->num_nextn_predict_layers && st == R1_OK; i++)
        st = mtp(&k, c->num_hidden_layers + i, &m->mtp[i]);
    if (st == R1_OK) st = top(&k, "model.norm.weight", NULL, m->final_norm, c->hidden_size);
    if (st == R1_OK && !c->tie_word_embeddings) st = top(&k, "lm_head.weight", &m->head, NULL, 0);
    return st;
}

/* ---- layouts ----------------------------------------------------------------------------------------------------- */

int64_t r1i_parameter_floats(const r1i_parameter *p)
{
    return p->w ? (p->w->rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS * R1I_PANEL_ROWS * p->w->cols : p->rows;
}

float *r1i_parameter_data(const r1i_parameter *p) { return p->w ? p->master : p->vec; }

/* Where element (r, c) of the matrix in memory lies in the published tensor. */
static int64_t published(const r1i_parameter *p, int64_t r, int64_t c)
{
    return p->transposed ? (p->row0 + c) * p->cols + r : (p->row0 + r) * p->cols + c;
}
static int64_t own_at(const r1i_parameter *p, int64_t r, int64_t c)
{
    return (r / R1I_PANEL_ROWS * p->w->cols + c) * R1I_PANEL_ROWS + r % R1I_PANEL_ROWS;
}

void r1i_parameter_unpack(const r1i_parameter *p, const float *own, float *tensor)
{
    if (!p->w) {
        memcpy(tensor, own, (size_t)p->rows * sizeof *own);
        return;
    }
    for (int64_t r = 0; r < p->w->rows; r++)
        for (int64_t c = 0; c < p->w->cols; c++) tensor[published(p, r, c)] = own[own_at(p, r, c)];
}

void r1i_parameter_pack(const r1i_parameter *p, float *own, const float *tensor)
{
    if (!p->w) {
        memcpy(own, tensor, (size_t)p->rows * sizeof *own);
        return;
    }
    for (int64_t r = 0; r < p->w->rows; r++)
        for (int64_t c = 0; c < p->w->cols; c++) own[own_at(p, r, c)] = tensor[published(p, r, c)];
}
