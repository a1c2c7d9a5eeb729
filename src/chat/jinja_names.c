/* jinja2 decides before it runs which scope owns a name: a name that a scope sets at its own level (not under an "if")
 * hides the render's variable of that name in all inner scopes, even in those that run before the assignment, where it
 * is undefined. This pass finds those names ("late"), so that the evaluator can put them in place when a scope
 * opens. */
#include <string.h>

#include "chat/jinja.h"

typedef enum origin { PARAMETER, OUTER, UNSET, CONTEXT } origin;
typedef struct entry { const jstr *name; origin from; bool stored; } entry;
typedef struct symbols {
    const struct symbols *parent;
    entry *v;
    size_t n, cap;
} symbols;

static entry *find(jctx *c, const symbols *s, const jstr *name)
{
    r1i_j_step(c, 1 + s->n / 8);
    for (size_t i = 0; i < s->n; i++)
        if (r1i_j_streq(s->v[i].name, name)) return &s->v[i];
    return NULL;
}

static bool known(jctx *c, const symbols *s, const jstr *name)
{
    for (; s; s = s->parent)
        if (find(c, s, name)) return true;
    return false;
}

static entry *add(jctx *c, symbols *s, const jstr *name, origin from)
{
    if (s->n == s->cap) {
        entry *const more = r1i_j_array(c, s->cap ? s->cap * 2 : 8, sizeof *more);
        if (s->n) memcpy(more, s->v, s->n * sizeof *more);
        s->v = more;
        s->cap = s->cap ? s->cap * 2 : 8;
    }
    s->v[s->n] = (entry){.name = name, .from = from};
    return &s->v[s->n++];
}

static void load(jctx *c, symbols *s, const jstr *name)
{
    if (!known(c, s, name)) add(c, s, name, CONTEXT);
}

static void store(jctx *c, symbols *s, const jstr *name)
{
    entry *e = find(c, s, name);
    if (!e) e = add(c, s, name, known(c, s->parent, name) ? OUTER : UNSET);
    e->stored = true;
}

static void parameter(jctx *c, symbols *s, const jstr *name)
{
    entry *e = find(c, s, name);
    if (!e) e = add(c, s, name, PARAMETER);
    e->from = PARAMETER;
    e->stored = true;
}

static void visit_expr(jctx *c, symbols *s, const jnode *n)
{
    if (!n) return;
    if (n->type == N_NAME || n->type == N_NSREF) load(c, s, n->name);
    if (n->type == N_ATTR || n->type == N_CONST) return;
    visit_expr(c, s, n->a);
    visit_expr(c, s, n->b);
    visit_expr(c, s, n->c);
    for (size_t i = 0; i < n->n; i++) visit_expr(c, s, n->list[i]);
    for (size_t i = 0; i < n->n_kw; i++) visit_expr(c, s, n->kw[i]);
    visit_expr(c, s, n->dyn_args);
    visit_expr(c, s, n->dyn_kwargs);
}

static void visit_target(jctx *c, symbols *s, const jnode *n, bool as_parameter)
{
    if (n->type == N_NSREF) load(c, s, n->name);
    else if (n->type == N_NAME && as_parameter) parameter(c, s, n->name);
    else if (n->type == N_NAME) store(c, s, n->name);
    else
        for (size_t i = 0; i < n->n; i++) visit_target(c, s, n->list[i], as_parameter);
}

static void visit_body(jctx *c, symbols *s, const jbody *b);

static symbols copy(jctx *c, const symbols *s)
{
    symbols out = {.parent = s->parent, .n = s->n, .cap = s->n};
    out.v = r1i_j_array(c, s->n, sizeof *out.v);
    if (s->n) memcpy(out.v, s->v, s->n * sizeof *out.v);
    r1i_j_step(c, s->n);
    return out;
}

/* What one branch found goes into s; a name that only branches store is looked up outside, not unset. */
static void merge(jctx *c, symbols *s, const symbols *branch)
{
    for (size_t i = 0; i < branch->n; i++) {
        const entry *const from = &branch->v[i];
        entry *to = find(c, s, from->name);
        const bool fresh = from->stored && !(to && to->stored);
        if (!to) to = add(c, s, from->name, from->from);
        if (fresh) to->from = known(c, s->parent, from->name) ? OUTER : CONTEXT;
        to->stored |= from->stored;
    }
}

static void visit_if(jctx *c, symbols *s, const jnode *n)
{
    for (;;) {
        visit_expr(c, s, n->a);
        symbols yes = copy(c, s), no;
        visit_body(c, &yes, &n->body);
        if (n->other.n == 1 && n->other.v[0]->type == N_IF && n->other.v[0]->flag) { /* elif: next round */
            merge(c, s, &yes);
            n = n->other.v[0];
            continue;
        }
        no = copy(c, s);
        visit_body(c, &no, &n->other);
        merge(c, s, &yes);
        merge(c, s, &no);
        return;
    }
}

/* The names that this scope's own statements mention; inner scopes count only with what they take from here. */
static void visit_body(jctx *c, symbols *s, const jbody *b)
{
    for (size_t i = 0; i < b->n; i++) {
        const jnode *const n = b->v[i];
        switch (n->type) {
        case N_OUTPUT: visit_expr(c, s, n); break;
        case N_FOR: visit_expr(c, s, n->b); break;
        case N_IF: visit_if(c, s, n); break;
        case N_SET:
            visit_expr(c, s, n->b);
            visit_target(c, s, n->a, false);
            break;
        case N_SETBLOCK: visit_target(c, s, n->a, false); break;
        case N_MACRO: store(c, s, n->name); break;
        case N_CALLBLOCK: visit_expr(c, s, n->a); break;
        case N_FILTERBLOCK: visit_expr(c, s, n->b); break;
        case N_WITH:
            for (size_t k = 0; k < n->n_kw; k++) visit_expr(c, s, n->kw[k]);
            break;
        default: break;
        }
    }
}

static void note_late(jctx *c, const symbols *s, jbody *b)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n; i++) n += s->v[i].from == UNSET;
    b->late = r1i_j_array(c, n, sizeof *b->late);
    for (size_t i = 0; i < s->n; i++)
        if (s->v[i].from == UNSET) b->late[b->n_late++] = s->v[i].name;
}

static void visit_scopes(jctx *c, const symbols *s, const jbody *b);

static void scope(jctx *c, symbols *s, jbody *b)
{
    visit_body(c, s, b);
    note_late(c, s, b);
    visit_scopes(c, s, b);
}

static void macro_scope(jctx *c, const symbols *outer, jnode *n)
{
    static const struct { uint8_t bit; const char *name; } specials[] = {{J_CALLER, "caller"}, {J_KWARGS, "kwargs"},
        {J_VARARGS, "varargs"}};
    symbols s = {.parent = outer};
    for (size_t i = 0; i < n->n; i++) parameter(c, &s, n->list[i]->name);
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (n->special & specials[i].bit) parameter(c, &s, r1i_j_lit(c, specials[i].name));
    for (size_t i = 0; i < n->n_kw; i++) visit_expr(c, &s, n->kw[i]);
    scope(c, &s, &n->body);
}

/* The scopes that open inside b, each with its complete outer names in sight. */
static void visit_scopes(jctx *c, const symbols *s, const jbody *b)
{
    for (size_t i = 0; i < b->n; i++) {
        jnode *const n = b->v[i];
        symbols inner = {.parent = s}, other = {.parent = s};
        switch (n->type) {
        case N_IF:
            for (const jnode *k = n;; k = k->other.v[0]) {
                visit_scopes(c, s, &k->body);
                if (k->other.n == 1 && k->other.v[0]->type == N_IF && k->other.v[0]->flag) continue;
                visit_scopes(c, s, &k->other);
                break;
            }
            break;
        case N_FOR:
            parameter(c, &inner, r1i_j_lit(c, "loop"));
            visit_target(c, &inner, n->a, true);
            scope(c, &inner, &n->body);
            scope(c, &other, &n->other);
            break;
        case N_MACRO:
        case N_CALLBLOCK: macro_scope(c, s, n); break;
        case N_FILTERBLOCK:
        case N_SETBLOCK: scope(c, &inner, &n->body); break;
        case N_WITH:
            for (size_t k = 0; k < n->n; k++) visit_target(c, &inner, n->list[k], true);
            scope(c, &inner, &n->body);
            break;
        case N_SCOPE:
            if (n->name) inner.parent = NULL;
            scope(c, &inner, &n->body);
            break;
        default: break;
        }
    }
}

void r1i_j_names(jctx *c, jbody *template_body)
{
    symbols root = {0};
    scope(c, &root, template_body);
}
