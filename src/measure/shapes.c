#include "measure/shapes.h"

#include <stdio.h>
#include <string.h>

typedef struct collector {
    r1i_shapes *s;
    bool full;                       /* out of memory */
} collector;

static bool equal(const r1i_weight *a, const r1i_weight *b)
{
    return a->type == b->type && a->rows == b->rows && a->cols == b->cols;
}

/* A word of `what`? */
static bool named(const char *what, const char *name)
{
    const size_t n = strlen(name);
    for (const char *p = what; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == n && strncmp(p, name, n) == 0) return true;
    return false;
}

static bool grow(const r1_env *env, void *array, size_t elem, size_t old, size_t room)
{
    void *before, *const after = r1i_alloc_zero(env, room * elem);
    memcpy(&before, array, sizeof before);
    if (!after) return false;
    if (before) memcpy(after, before, old * elem);
    r1i_release(env, before, old * elem);
    memcpy(array, &after, sizeof after);
    return true;
}

static r1i_shape *find(collector *c, const r1i_weight *w, bool exact)
{
    r1i_shapes *const s = c->s;
    for (int i = 0; i < s->n; i++)
        if (s->item[i].exact == exact && equal(s->item[i].w[0], w)) return &s->item[i];
    if (s->n == s->room) {
        const int room = s->room ? 2 * s->room : 16;
        if (!grow(&s->env, &s->item, sizeof *s->item, (size_t)s->room, (size_t)room)) return NULL;
        s->room = room;
    }
    r1i_shape *const new = &s->item[s->n];
    *new = (r1i_shape){.exact = exact};
    return new;
}

static void add_many(collector *c, const char *name, const r1i_weight *w, bool exact, int64_t together)
{
    if (w->rows == 0 || c->full) return;
    r1i_shape *const at = find(c, w, exact);
    c->full = !at;
    if (at && at->n == at->room) {
        const int64_t room = at->room ? 2 * at->room : 16;
        c->full = !grow(&c->s->env, &at->w, sizeof *at->w, (size_t)at->room, (size_t)room);
        if (!c->full) at->room = room;
    }
    if (c->full) return;
    if (at == &c->s->item[c->s->n]) c->s->n++;
    if (at->n == 0) at->together = together < R1I_SHAPE_JOBS ? together : R1I_SHAPE_JOBS;
    at->w[at->n++] = w;
    const size_t used = strlen(at->what);
    if (!named(at->what, name) && used + strlen(name) + 2 < sizeof at->what)
        snprintf(at->what + used, sizeof at->what - used, "%s%s", used ? " " : "", name);
}

static void add(collector *c, const char *name, const r1i_weight *w, bool exact) { add_many(c, name, w, exact, 1); }

static void add_layer(collector *c, const r1_model *m, const r1i_layer *l)
{
    add(c, "attn_q", &l->q, false);
    add(c, "attn_k", &l->k, false);
    add(c, "attn_v", &l->v, false);
    add(c, "attn_q_a", &l->q_a, false);
    add(c, "attn_q_b", &l->q_b, false);
    add(c, "attn_kv_a", &l->kv_a, false);
    for (int64_t h = 0; m->attn.mla && h < m->attn.heads; h++) {
        add_many(c, "attn_k_absorb", &l->k_absorb[h], false, m->attn.heads);
        add_many(c, "attn_v_absorb", &l->v_absorb[h], false, m->attn.heads);
    }
    add(c, "attn_output", &l->o, false);
    add(c, "ffn_gate", &l->dense.gate, false);
    add(c, "ffn_up", &l->dense.up, false);
    add(c, "ffn_down", &l->dense.down, false);
    if (!l->moe) return;
    add(c, "router", &l->router, true);
    for (int64_t e = 0; e < m->route.experts; e++) {
        add_many(c, "expert_gate", &l->expert[e].gate, false, m->route.topk);
        add_many(c, "expert_up", &l->expert[e].up, false, m->route.topk);
        add_many(c, "expert_down", &l->expert[e].down, false, m->route.topk);
    }
    add(c, "shared_gate", &l->shared.gate, false);
    add(c, "shared_up", &l->shared.up, false);
    add(c, "shared_down", &l->shared.down, false);
}

r1_status r1i_shapes_of(const r1_model *m, const r1_env *env, r1i_shapes *out, r1_error *err)
{
    collector c = {.s = out};
    *out = (r1i_shapes){0};
    if (env) out->env = *env;
    for (int64_t i = 0; i < m->config.num_hidden_layers; i++) add_layer(&c, m, &m->layer[i]);
    add(&c, "head", &m->head, false);
    if (!c.full) return R1_OK;
    r1i_shapes_free(out);
    return r1i_fail(err, R1_ERR_NOMEM, "the list of the model's shapes");
}

void r1i_shapes_free(r1i_shapes *s)
{
    for (int i = 0; i < s->room; i++)
        r1i_release(&s->env, (void *)s->item[i].w, (size_t)s->item[i].room * sizeof *s->item[i].w);
    r1i_release(&s->env, s->item, (size_t)s->room * sizeof *s->item);
    *s = (r1i_shapes){0};
}
