#include "model/lora.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "model/lora_build.h"

/* ---- the projections of a model ---------------------------------------------------------------------------------- */

typedef struct visit {
    const r1_model *m;
    r1i_projection_fn fn;
    void *user;
    int64_t layer;
    r1i_layer *l;
} visit;

static r1_status one(const visit *v, r1i_slot slot, r1i_weight *w)
{
    r1i_projection p = {.layer = v->l, .w = w, .slot = slot, .rows = w->rows, .cols = w->cols};
    r1i_layer_tensor_name(false, v->layer, slot, 0, p.name);
    p.name[strlen(p.name) - strlen(".weight")] = 0;
    return v->fn(v->user, &p);
}

static r1_status kv_b(const visit *v)
{
    const r1i_config *const c = &v->m->config;
    r1i_projection p = {.layer = v->l, .slot = R1I_SLOT_KV_B,
                        .rows = c->num_attention_heads * (c->qk_nope_head_dim + c->v_head_dim),
                        .cols = c->kv_lora_rank};
    r1i_layer_tensor_name(false, v->layer, R1I_SLOT_KV_B, 0, p.name);
    p.name[strlen(p.name) - strlen(".weight")] = 0;
    return v->fn(v->user, &p);
}

static r1_status attention(const visit *v)
{
    r1i_layer *const l = v->l;
    r1_status st;
    if (!v->m->attn.mla) {
        if ((st = one(v, R1I_SLOT_Q, &l->q)) != R1_OK || (st = one(v, R1I_SLOT_K, &l->k)) != R1_OK ||
            (st = one(v, R1I_SLOT_V, &l->v)) != R1_OK) return st;
        return one(v, R1I_SLOT_O, &l->o);
    }
    if (v->m->config.q_lora_rank > 0) {
        if ((st = one(v, R1I_SLOT_Q_A, &l->q_a)) != R1_OK || (st = one(v, R1I_SLOT_Q_B, &l->q_b)) != R1_OK) return st;
    } else if ((st = one(v, R1I_SLOT_Q, &l->q)) != R1_OK) {
        return st;
    }
    if ((st = one(v, R1I_SLOT_KV_A, &l->kv_a)) != R1_OK || (st = kv_b(v)) != R1_OK) return st;
    return one(v, R1I_SLOT_O, &l->o);
}

r1_status r1i_model_projections(const r1_model *m, r1i_projection_fn fn, void *user)
{
    visit v = {.m = m, .fn = fn, .user = user};
    r1_status st = R1_OK;
    for (v.layer = 0; v.layer < m->config.num_hidden_layers && st == R1_OK; v.layer++) {
        v.l = &m->layer[v.layer];
        if ((st = attention(&v)) != R1_OK) return st;
        if (v.l->moe && !v.l->has_shared) continue;
        r1i_ffn *const f = v.l->moe ? &v.l->shared : &v.l->dense;
        const r1i_slot gate = v.l->moe ? R1I_SLOT_SHARED_GATE : R1I_SLOT_GATE;
        if ((st = one(&v, gate, &f->gate)) != R1_OK || (st = one(&v, gate + 1, &f->up)) != R1_OK) return st;
        st = one(&v, gate + 2, &f->down);
    }
    return st;
}

/* ---- building ---------------------------------------------------------------------------------------------------- */

typedef struct building {
    r1_model *m;
    r1i_adapter *a;
    const r1i_lora_choice *choice;
    bool take;     /* second pass */
    uint64_t bytes;
    int64_t n;
    r1_error *err;
} building;

static r1_status take(building *b, int64_t n, size_t size, void *out)
{
    void *p = NULL;
    uint64_t bytes;
    if (!r1i_mul_u64((uint64_t)n, size, &bytes) || bytes > SIZE_MAX / 8 || b->bytes > SIZE_MAX / 8)
        return r1i_fail(b->err, R1_ERR_RANGE, "the adapter's size overflows");
    b->bytes += r1i_align_up((size_t)bytes, R1I_ALIGN);
    if (b->take) {
        if (!(p = r1i_arena_take(&b->a->arena, (size_t)bytes, b->err))) return R1_ERR_NOMEM;
        memset(p, 0, (size_t)bytes);
    }
    memcpy(out, &p, sizeof p);
    return R1_OK;
}

static r1_status panels(building *b, int64_t rows, int64_t cols, r1i_weight *w)
{
    float *data = NULL;
    const r1_status st = take(b, (rows + R1I_PANEL_ROWS - 1) / R1I_PANEL_ROWS * R1I_PANEL_ROWS * cols, sizeof *data,
                              &data);
    *w = (r1i_weight){.type = R1_DTYPE_F32, .layout = R1I_LAYOUT_PANEL, .rows = rows, .cols = cols,
                      .data = (const uint8_t *)data};
    return st;
}

static r1_status build_kv_b(building *b, r1i_lora_kv_b *k)
{
    const r1i_config *const c = &b->m->config;
    const int64_t r = b->a->config.r;
    r1i_weight none;
    r1_status st;
    k->scale = r1i_lora_config_scale(&b->a->config);
    if ((st = panels(b, r, c->kv_lora_rank, &k->a)) != R1_OK ||
        (st = panels(b, c->kv_lora_rank, r, &k->a_turned)) != R1_OK) return st;
    if ((st = take(b, c->num_attention_heads, sizeof *k->k_b, &k->k_b)) != R1_OK) return st;
    if ((st = take(b, c->num_attention_heads, sizeof *k->v_b, &k->v_b)) != R1_OK) return st;
    for (int64_t h = 0; h < c->num_attention_heads; h++) {
        if ((st = panels(b, r, c->qk_nope_head_dim, b->take ? &k->k_b[h] : &none)) != R1_OK) return st;
        if ((st = panels(b, c->v_head_dim, r, b->take ? &k->v_b[h] : &none)) != R1_OK) return st;
    }
    return R1_OK;
}

/* GGUF's llama files hold the rows of q and k in another order than the published matrix, and so would lora_B's have to
 * be. */
static r1_status check_rows(const building *b, const r1i_projection *p)
{
    const bool turned = b->m->config.arch == R1I_LLAMA && b->m->config.rope_interleaved;
    if (!turned || (p->slot != R1I_SLOT_Q && p->slot != R1I_SLOT_K)) return R1_OK;
    return r1i_fail(b->err, R1_ERR_UNSUPPORTED,
                    "%s: in a GGUF file of this architecture its rows stand in another order than in the adapter; take the base's Hugging Face folder", p->name);
}

static r1_status build_one(void *user, const r1i_projection *p)
{
    building *const b = user;
    r1i_lora_module none = {0}, *const m = b->take ? &b->a->module[b->n] : &none;
    r1_status st;
    if (!b->choice->wants(b->choice->user, p->name)) return R1_OK;
    if ((st = check_rows(b, p)) != R1_OK) return st;
    b->n++;
    *m = (r1i_lora_module){.rows = p->rows, .cols = p->cols};
    memcpy(m->name, p->name, sizeof m->name);
    if (!p->w) {
        st = build_kv_b(b, &m->kv_b);
        if (b->take) p->layer->kv_b_lora = &m->kv_b;
        return st;
    }
    m->term.scale = r1i_lora_config_scale(&b->a->config);
    if ((st = panels(b, b->a->config.r, p->cols, &m->term.a)) != R1_OK ||
        (st = panels(b, p->rows, b->a->config.r, &m->term.b)) != R1_OK) return st;
    if (b->take) p->w->lora = &m->term;
    return R1_OK;
}

r1_status r1i_adapter_build(r1_model *m, r1i_lora_config *c, const r1i_lora_choice *choice, r1_error *err)
{
    r1i_adapter *const a = r1i_alloc_zero(&m->env, sizeof *a);
    building b = {.m = m, .a = a, .choice = choice, .err = err};
    if (!a) return r1i_fail(err, R1_ERR_NOMEM, "adapter");
    a->env = m->env;
    a->config = *c; /* scalars for now; the references move at the end */
    a->heads = m->config.num_attention_heads, a->nope = m->config.qk_nope_head_dim, a->value = m->config.v_head_dim;
    r1_status st = r1i_model_projections(m, build_one, &b);
    const int64_t n = b.n;
    if (st == R1_OK)
        st = r1i_arena_create(&a->arena, "adapter", &a->env,
                              (size_t)b.bytes + r1i_align_up((size_t)n * sizeof *a->module, R1I_ALIGN) + R1I_ALIGN,
                              err);
    if (st == R1_OK && !(a->module = r1i_arena_take(&a->arena, (size_t)n * sizeof *a->module + 1, err)))
        st = R1_ERR_NOMEM;
    b = (building){.m = m, .a = a, .choice = choice, .take = true, .err = err};
    if (st == R1_OK) st = r1i_model_projections(m, build_one, &b);
    if (st != R1_OK) {
        a->config = (r1i_lora_config){0};
        r1i_adapter_free(a);
        return st;
    }
    a->n = n;
    *c = (r1i_lora_config){0};
    m->adapter = a;
    return R1_OK;
}

void r1i_adapter_free(r1i_adapter *a)
{
    if (!a) return;
    const r1_env env = a->env;
    r1i_lora_config_free(&a->config);
    r1i_arena_destroy(&a->arena);
    r1i_release(&env, a, sizeof *a);
}

/* ---- a new one --------------------------------------------------------------------------------------------------- */

typedef struct targeting {
    const r1i_lora_config *c;
    uint64_t hit; /* bit i: target i was the first to name a projection */
} targeting;

static bool wants_target(void *user, const char *module)
{
    targeting *const t = user;
    size_t which = 0;
    if (!r1i_lora_config_wants(t->c, module, &which)) return false;
    if (which < 64) t->hit |= UINT64_C(1) << which;
    return true;
}

static const char *why_not(const char *target)
{
    if (strstr(target, "experts.") && !strstr(target, "shared_experts."))
        return "routed experts have no adapters: a rank each would be most of the parameters, and few tokens reach each one";
    if (strstr(target, "embed_tokens") || strstr(target, "lm_head"))
        return "the embedding and the head have no adapters";
    if (strstr(target, "norm")) return "a norm is no projection";
    if (strcmp(target, "gate") == 0 || strcmp(target, "mlp.gate") == 0)
        return "the router has no adapter: another expert is another model";
    return "it names no projection of this model";
}

typedef struct names { char text[320]; int64_t layer; } names;

/* The projections of the first layer, and whatever the last one has beside them, for the message. */
static r1_status add_name(void *user, const r1i_projection *p)
{
    names *const n = user;
    const char *const tail = strrchr(p->name, '.') + 1;
    char *const found = strstr(n->text, tail);
    const bool known = found && (found == n->text || found[-1] == ' ') &&
        (found[strlen(tail)] == 0 || found[strlen(tail)] == ',');
    const size_t at = strlen(n->text);
    if (!known) snprintf(n->text + at, sizeof n->text - at, "%s%s", at ? ", " : "", tail);
    return R1_OK;
}

r1_status r1i_adapter_begin(r1_model *m, r1i_lora_config *c, uint64_t seed, r1_error *err)
{
    targeting t = {.c = c};
    const r1i_lora_choice choice = {wants_target, &t};
    const size_t n = json_array_size(c->targets);
    if (n > 64) return r1i_fail(err, R1_ERR_FORMAT, "target_modules: %zu names, at most 64 expected", n);
    json_t *const targets = c->targets; /* of the config, which moves */
    const r1_status st = r1i_adapter_build(m, c, &choice, err);
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        const char *const name = json_string_value(json_array_get(targets, i));
        names all = {0};
        bool same = false; /* a later name may repeat what an earlier one covers */
        for (int64_t k = 0; k < m->adapter->n && !same; k++) {
            const size_t a = strlen(m->adapter->module[k].name), b = strlen(name);
            same = a >= b && strcmp(m->adapter->module[k].name + a - b, name) == 0 &&
                (a == b || m->adapter->module[k].name[a - b - 1] == '.');
        }
        if ((t.hit >> i & 1) || same) continue;
        (void)r1i_model_projections(m, add_name, &all);
        return r1i_fail(err, R1_ERR_FORMAT, "target_modules: '%.64s': %s; there are %s", name, why_not(name), all.text);
    }
    if (st != R1_OK) return st;
    for (int64_t k = 0; k < m->adapter->n; k++) {
        const r1i_lora_module *const mod = &m->adapter->module[k];
        const r1i_weight *const a = mod->kv_b.k_b ? &mod->kv_b.a : &mod->term.a;
        float *const data = (float *)(uintptr_t)a->data;
        r1i_rng rng = {.seed = seed ^ ((uint64_t)(k + 1) << 32)};
        const double bound = 1.0 / sqrt((double)a->cols);
        for (int64_t r = 0; r < a->rows; r++)
            for (int64_t i = 0; i < a->cols; i++)
                data[(r / R1I_PANEL_ROWS * a->cols + i) * R1I_PANEL_ROWS + r % R1I_PANEL_ROWS] =
                    (float)((2.0 * r1i_rng_double(&rng) - 1.0) * bound);
    }
    r1i_adapter_turn(m->adapter);
    return R1_OK;
}

void r1i_adapter_turn(const r1i_adapter *a)
{
    for (int64_t k = 0; k < a->n; k++) {
        const r1i_lora_kv_b *const v = &a->module[k].kv_b;
        if (!v->k_b) continue;
        const float *const in = (const float *)(const void *)v->a.data;
        float *const out = (float *)(uintptr_t)v->a_turned.data;
        for (int64_t r = 0; r < v->a.rows; r++)
            for (int64_t c = 0; c < v->a.cols; c++)
                out[(c / R1I_PANEL_ROWS * v->a.rows + r) * R1I_PANEL_ROWS + c % R1I_PANEL_ROWS] =
                    in[(r / R1I_PANEL_ROWS * v->a.cols + c) * R1I_PANEL_ROWS + r % R1I_PANEL_ROWS];
    }
}

/* ---- its parameters ---------------------------------------------------------------------------------------------- */

static r1i_parameter part(const r1i_lora_module *m, const char *side, int64_t rows, int64_t cols, const r1i_weight *w)
{
    r1i_parameter p = {.rows = rows, .cols = cols, .w = w, .master = (float *)(uintptr_t)w->data};
    snprintf(p.name, sizeof p.name, "base_model.model.%.150s.lora_%s.weight", m->name, side);
    return p;
}

r1_status r1i_adapter_parameters(const r1i_adapter *a, r1i_parameter_fn fn, void *user)
{
    r1_status st = R1_OK;
    for (int64_t k = 0; k < a->n && st == R1_OK; k++) {
        const r1i_lora_module *const m = &a->module[k];
        const bool split = m->kv_b.k_b != NULL;
        r1i_parameter p = part(m, "A", a->config.r, m->cols, split ? &m->kv_b.a : &m->term.a);
        st = fn(user, &p);
        if (!split && st == R1_OK) {
            p = part(m, "B", m->rows, a->config.r, &m->term.b);
            st = fn(user, &p);
        }
        for (int64_t h = 0; split && h < a->heads && st == R1_OK; h++) {
            p = part(m, "B", m->rows, a->config.r, &m->kv_b.k_b[h]);
            p.row0 = h * (a->nope + a->value), p.transposed = true;
            if ((st = fn(user, &p)) != R1_OK) break;
            p = part(m, "B", m->rows, a->config.r, &m->kv_b.v_b[h]);
            p.row0 = h * (a->nope + a->value) + a->nope;
            st = fn(user, &p);
        }
    }
    return st;
}

uint64_t r1i_adapter_count(const r1i_adapter *a)
{
    uint64_t n = 0;
    for (int64_t k = 0; k < a->n; k++) n += (uint64_t)(a->config.r * (a->module[k].rows + a->module[k].cols));
    return n;
}

r1_status r1i_trained_parameters(const r1_model *m, r1i_parameter_fn fn, void *user)
{
    return m->adapter ? r1i_adapter_parameters(m->adapter, fn, user) : r1i_model_parameters(m, fn, user);
}
