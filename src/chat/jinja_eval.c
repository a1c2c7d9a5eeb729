/* Walks the tree. Scopes nest as in jinja2: a loop body, a macro, a block assignment see the names around them but
 * write their own; an "if" is no scope. */
#include <math.h>
#include <string.h>

#include "chat/jinja.h"

typedef enum flow { GO, BREAK, CONTINUE } flow;

static jval eval(jctx *c, const jnode *n, jscope *scope);
static flow exec_body(jctx *c, const jbody *body, jscope *scope);
static flow exec_for(jctx *c, const jnode *n, jval iterable, jscope *scope, int depth0);

/* ---- scopes ------------------------------------------------------------------------------------------------------ */
static jscope *new_scope(jctx *c, jscope *parent)
{
    jscope *const s = r1i_j_alloc(c, sizeof *s);
    *s = (jscope){.parent = parent};
    return s;
}

static void bind(jctx *c, jscope *s, const jstr *name, jval v);

/* A scope for a body, with the names in place that the body sets later. */
static jscope *open_scope(jctx *c, jscope *parent, const jbody *body)
{
    jscope *const s = new_scope(c, parent);
    for (size_t i = 0; i < body->n_late; i++) bind(c, s, body->late[i], (jval){.kind = J_UNDEF});
    return s;
}

static void bind(jctx *c, jscope *s, const jstr *name, jval v)
{
    r1i_j_step(c, 1);
    for (size_t i = 0; i < s->n; i++)
        if (r1i_j_streq(s->v[i].name, name)) {
            s->v[i].value = v;
            return;
        }
    if (s->n == s->cap) {
        const size_t cap = s->cap ? s->cap * 2 : 4;
        jbind *const more = r1i_j_array(c, cap, sizeof *more);
        if (s->n) memcpy(more, s->v, s->n * sizeof *more);
        s->v = more;
        s->cap = cap;
    }
    s->v[s->n++] = (jbind){name, v};
}

static jval undefined_name(jctx *c, const jstr *name)
{
    return r1i_j_undef(c, "'%.*s' is undefined", (int)(name->n < 100 ? name->n : 100), name->p);
}

static jval lookup(jctx *c, const jscope *scope, const jstr *name)
{
    for (const jscope *s = scope; s; s = s->parent) {
        r1i_j_step(c, 1 + s->n / 8);
        for (size_t i = 0; i < s->n; i++)
            if (r1i_j_streq(s->v[i].name, name)) {
                if (s->v[i].value.kind != J_UNDEF || s->v[i].value.u.u) return s->v[i].value;
                return undefined_name(c, name);
            }
    }
    const jval *const v = r1i_j_dict_text(c, c->vars, name);
    jval out;
    if (v) return *v;
    if (r1i_j_global(c, name, &out)) return out;
    return undefined_name(c, name);
}

static void assign(jctx *c, const jnode *target, jval v, jscope *scope)
{
    if (target->type == N_NAME) {
        bind(c, scope, target->name, v);
        return;
    }
    if (target->type == N_NSREF) {
        const jval space = lookup(c, scope, target->name);
        if (space.kind != J_SPACE) r1i_j_raise(c, "cannot assign attribute on non-namespace object");
        if (target->value.u.s->n && target->value.u.s->p[0] == '_')
            r1i_j_raise(c, "chat templates cannot store underscore-prefixed attributes on a namespace");
        r1i_j_dict_set(c, space.u.m, target->value, v);
        return;
    }
    const jlist *const items = r1i_j_collect(c, v);
    if (items->n < target->n)
        r1i_j_raise(c, "not enough values to unpack (expected %zu, got %zu)", target->n, items->n);
    if (items->n > target->n) r1i_j_raise(c, "too many values to unpack (expected %zu)", target->n);
    for (size_t i = 0; i < items->n; i++) assign(c, target->list[i], items->v[i], scope);
}

/* ---- lookups ----------------------------------------------------------------------------------------------------- */
static jval missing(jctx *c, jval v, const jstr *name)
{
    const char *const what = v.kind == J_NONE ? "None" : r1i_j_type_name(v);
    return r1i_j_undef(c, "'%s%s' has no attribute '%.*s'", what, v.kind == J_NONE ? "" : " object",
                       (int)(name->n < 100 ? name->n : 100), name->p);
}

/* Python attributes of a value that the sandbox lets through; false where there is none. */
static bool own_attr(jctx *c, jval v, const jstr *name, jval *out)
{
    bool mutates = false;
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (v.kind == J_SPACE) {
        const jval *const found = r1i_j_dict_text(c, v.u.m, name);
        if (found) *out = *found;
        return found != NULL;
    }
    if (v.kind == J_LOOP) {
        bool found;
        *out = r1i_j_loop_attr(c, v.u.loop, name->p, name->n, &found);
        if (found) return true;
    }
    if (v.kind == J_MACRO && r1i_j_is(name, "name")) {
        *out = r1i_j_sv(v.u.macro->def->name ? v.u.macro->def->name : r1i_j_lit(c, "caller"));
        return true;
    }
    if (v.kind == J_TUPLE && v.aux && (r1i_j_is(name, "grouper") || r1i_j_is(name, "list"))) {
        *out = v.u.l->v[name->n == 4];
        return true;
    }
    if (v.kind == J_CYCLER && r1i_j_is(name, "current")) {
        *out = v.u.cycler->items->v[v.u.cycler->pos];
        return true;
    }
    if (!r1i_j_has_method(v, name->p, name->n, &mutates) || mutates) {
        if (!mutates) return false;
        *out = r1i_j_undef(c, "access to attribute '%.*s' of '%s' object is unsafe.", (int)name->n, name->p,
                           r1i_j_type_name(v));
        return true;
    }
    char *const text = r1i_j_alloc(c, name->n + 1);
    memcpy(text, name->p, name->n);
    text[name->n] = '\0';
    jmethod *const m = r1i_j_alloc(c, sizeof *m);
    *m = (jmethod){.self = v, .name = text};
    *out = (jval){.kind = J_METHOD, .u.method = m};
    return true;
}

jval r1i_j_attr(jctx *c, jval v, const jstr *name)
{
    jval out;
    if (own_attr(c, v, name, &out)) return out;
    if (v.kind == J_DICT) {
        const jval *const found = r1i_j_dict_text(c, v.u.m, name);
        if (found) return *found;
    }
    return missing(c, v, name);
}

static bool index_of(jval key, size_t n, size_t *out)
{
    if (key.kind != J_INT && key.kind != J_BOOL) return false;
    int64_t i = key.kind == J_INT ? key.u.i : key.u.b;
    if (i < 0) i += (int64_t)n;
    *out = (size_t)i;
    return i >= 0 && (size_t)i < n;
}

/* Byte offset of code point k of s. */
static size_t char_offset(jctx *c, const jstr *s, size_t k)
{
    if (s->chars == s->n || k == 0) return k;
    if (k >= s->chars) return s->n;
    size_t p = 0;
    r1i_j_step(c, s->n / 64);
    for (;; p++)
        if (((uint8_t)s->p[p] & 0xC0) != 0x80 && k-- == 0) return p;
}

jval r1i_j_item(jctx *c, jval v, jval key)
{
    size_t i;
    jval out;
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (v.kind == J_DICT && key.kind != J_LIST && key.kind != J_DICT && key.kind != J_SPACE) {
        const jval *const found = r1i_j_dict_get(c, v.u.m, key);
        if (found) return *found;
    }
    if ((v.kind == J_LIST || v.kind == J_TUPLE) && index_of(key, v.u.l->n, &i)) return v.u.l->v[i];
    if (v.kind == J_RANGE && index_of(key, v.u.r->n, &i)) return r1i_j_int(v.u.r->start + (int64_t)i * v.u.r->step);
    if (v.kind == J_STR && index_of(key, v.u.s->chars, &i)) {
        const size_t begin = char_offset(c, v.u.s, i);
        uint32_t cp;
        return r1i_j_sv(r1i_j_slice(c, v.u.s, begin, begin + r1i_j_decode(v.u.s->p + begin, v.u.s->n - begin, &cp)));
    }
    if (key.kind == J_STR) {
        if (own_attr(c, v, key.u.s, &out)) return out;
        return missing(c, v, key.u.s);
    }
    return r1i_j_undef(c, "%s has no such element", r1i_j_type_name(v));
}

/* One bound of a slice: Python's clamping. */
static int64_t bound(jctx *c, const jnode *n, jscope *scope, int64_t len, int64_t step, int64_t otherwise)
{
    if (!n) return otherwise;
    const jval v = eval(c, n, scope);
    if (v.kind == J_NONE) return otherwise;
    if (v.kind != J_INT && v.kind != J_BOOL) r1i_j_raise(c, "slice indices must be integers or None");
    int64_t i = v.kind == J_INT ? v.u.i : v.u.b;
    const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? len - 1 : len;
    if (i < 0) i = i < -len ? low : i + len;
    return i < low ? low : i > high ? high : i;
}

static jval slice_string(jctx *c, const jstr *s, int64_t start, int64_t step, size_t n)
{
    if (n == 0) return r1i_j_sv(r1i_j_slice(c, s, 0, 0));
    if (step == 1)
        return r1i_j_sv(r1i_j_slice(c, s, char_offset(c, s, (size_t)start), char_offset(c, s, (size_t)start + n)));
    size_t *const at = r1i_j_array(c, s->chars + 1, sizeof *at); /* byte offset of every character */
    size_t k = 0;
    r1i_j_step(c, s->n / 8);
    for (size_t p = 0; p < s->n; p++)
        if (((uint8_t)s->p[p] & 0xC0) != 0x80) at[k++] = p;
    at[k] = s->n;
    jout o = {.markup = s->markup};
    for (size_t i = 0; i < n; i++) {
        const size_t ch = (size_t)(start + (int64_t)i * step);
        r1i_j_put_part(c, &o, s, at[ch], at[ch + 1]);
    }
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval eval_slice(jctx *c, jval v, const jnode *n, jscope *scope)
{
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (v.kind != J_STR && v.kind != J_LIST && v.kind != J_TUPLE && v.kind != J_RANGE)
        r1i_j_raise(c, "'%s' object is not subscriptable", r1i_j_type_name(v));
    const jval s = n->c ? eval(c, n->c, scope) : r1i_j_none;
    if (s.kind != J_NONE && s.kind != J_INT && s.kind != J_BOOL)
        r1i_j_raise(c, "slice indices must be integers or None");
    const int64_t len = r1i_j_len(c, v);
    int64_t step = s.kind == J_INT ? s.u.i : s.kind == J_BOOL ? s.u.b : 1;
    if (step == 0) r1i_j_raise(c, "slice step cannot be zero");
    if (step > len + 1) step = len + 1; /* as good as any larger step, and no product below can overflow */
    if (step < -len - 1) step = -len - 1;
    const int64_t start = bound(c, n->a, scope, len, step, step < 0 ? len - 1 : 0);
    const int64_t stop = bound(c, n->b, scope, len, step, step < 0 ? -1 : len);
    const size_t count = step > 0 ? (start < stop ? (size_t)((stop - start - 1) / step + 1) : 0)
                                  : (start > stop ? (size_t)((start - stop - 1) / -step + 1) : 0);
    if (v.kind == J_STR) return slice_string(c, v.u.s, start, step, count);
    if (v.kind == J_RANGE) {
        jrange *const r = r1i_j_alloc(c, sizeof *r);
        *r = (jrange){.start = v.u.r->start + start * v.u.r->step, .stop = v.u.r->start + stop * v.u.r->step,
                      .step = v.u.r->step * step, .n = count};
        return (jval){.kind = J_RANGE, .u.r = r};
    }
    jlist *const l = r1i_j_list(c, count);
    for (size_t i = 0; i < count; i++) l->v[i] = v.u.l->v[start + (int64_t)i * step];
    return r1i_j_listv(l, v.kind);
}

/* ---- calls ------------------------------------------------------------------------------------------------------- */
static void eval_args(jctx *c, const jnode *n, jscope *scope, jargs *a)
{
    size_t cap = n->n;
    *a = (jargs){0};
    jlist *extra = NULL;
    a->v = r1i_j_array(c, cap, sizeof *a->v);
    for (size_t i = 0; i < n->n; i++) a->v[a->n++] = eval(c, n->list[i], scope);
    if (n->dyn_args) {
        extra = r1i_j_collect(c, eval(c, n->dyn_args, scope));
        jval *const v = r1i_j_array(c, cap + extra->n, sizeof *v);
        if (a->n) memcpy(v, a->v, a->n * sizeof *v);
        if (extra->n) memcpy(v + a->n, extra->v, extra->n * sizeof *v);
        a->v = v;
        a->n += extra->n;
    }
    jval more = n->dyn_kwargs ? eval(c, n->dyn_kwargs, scope) : r1i_j_none;
    if (n->dyn_kwargs && more.kind != J_DICT)
        r1i_j_raise(c, "argument after ** must be a mapping, not %s", r1i_j_type_name(more));
    const size_t n_more = n->dyn_kwargs ? more.u.m->n : 0;
    if (n->n_kw + n_more > 62) r1i_j_fail(c, R1_ERR_RANGE, "more than 62 keyword arguments");
    a->kw = r1i_j_array(c, n->n_kw + n_more + 1, sizeof *a->kw); /* one more: the caller of a call block */
    a->kw_names = r1i_j_array(c, n->n_kw + n_more + 1, sizeof *a->kw_names);
    for (size_t i = 0; i < n->n_kw; i++) {
        a->kw_names[a->n_kw] = n->kw_names[i];
        a->kw[a->n_kw++] = eval(c, n->kw[i], scope);
    }
    for (size_t i = 0; i < n_more; i++) {
        const jval key = more.u.m->kv[2 * i];
        if (key.kind != J_STR) r1i_j_raise(c, "keywords must be strings");
        for (size_t k = 0; k < a->n_kw; k++)
            if (r1i_j_streq(a->kw_names[k], key.u.s)) r1i_j_raise(c, "multiple values for a keyword argument");
        a->kw_names[a->n_kw] = key.u.s;
        a->kw[a->n_kw++] = more.u.m->kv[2 * i + 1];
    }
}

static bool take_kw(jargs *a, const jstr *name, jval *out)
{
    for (size_t i = 0; i < a->n_kw; i++)
        if (!(a->kw_used >> i & 1) && r1i_j_streq(a->kw_names[i], name)) {
            a->kw_used |= (uint64_t)1 << i;
            *out = a->kw[i];
            return true;
        }
    return false;
}

static void bind_special(jctx *c, const jmacro *m, jargs *a, jscope *s, bool explicit_caller)
{
    const jnode *const def = m->def;
    const int len = (int)(def->name && def->name->n < 60 ? def->name->n : 0);
    jval v;
    if ((def->special & J_CALLER) && !explicit_caller) {
        if (!take_kw(a, r1i_j_lit(c, "caller"), &v) || v.kind == J_NONE) v = r1i_j_undef(c, "No caller defined");
        bind(c, s, r1i_j_lit(c, "caller"), v);
    }
    if (def->special & J_KWARGS) {
        jdict *const m2 = r1i_j_dict(c, a->n_kw);
        for (size_t i = 0; i < a->n_kw; i++)
            if (!(a->kw_used >> i & 1)) r1i_j_dict_set(c, m2, r1i_j_sv(a->kw_names[i]), a->kw[i]);
        bind(c, s, r1i_j_lit(c, "kwargs"), (jval){.kind = J_DICT, .u.m = m2});
    } else {
        for (size_t i = 0; i < a->n_kw; i++)
            if (!(a->kw_used >> i & 1))
                r1i_j_raise(c, "macro '%.*s' takes no keyword argument '%.*s'", len, len ? def->name->p : "",
                            (int)a->kw_names[i]->n, a->kw_names[i]->p);
    }
    if (def->special & J_VARARGS) {
        const size_t n = a->n > def->n ? a->n - def->n : 0;
        jlist *const l = r1i_j_list(c, n);
        if (n) memcpy(l->v, a->v + def->n, n * sizeof *l->v);
        bind(c, s, r1i_j_lit(c, "varargs"), r1i_j_listv(l, J_TUPLE));
    } else if (a->n > def->n) {
        r1i_j_raise(c, "macro '%.*s' takes not more than %zu argument(s)", len, len ? def->name->p : "", def->n);
    }
}

static jval call_macro(jctx *c, const jmacro *m, jargs *a)
{
    const jnode *const def = m->def;
    jscope *const s = open_scope(c, m->scope, &def->body);
    jval *const given = r1i_j_array(c, def->n, sizeof *given);
    bool *const has = r1i_j_array(c, def->n, sizeof *has);
    bool explicit_caller = false;
    for (size_t i = 0; i < def->n; i++) {
        has[i] = i < a->n;
        if (has[i]) given[i] = a->v[i];
        else has[i] = take_kw(a, def->list[i]->name, &given[i]);
        explicit_caller |= r1i_j_is(def->list[i]->name, "caller");
    }
    bind_special(c, m, a, s, explicit_caller);
    const size_t first_default = def->n - def->n_kw;
    for (size_t i = 0; i < def->n; i++)
        if (has[i]) bind(c, s, def->list[i]->name, given[i]);
    for (size_t i = 0; i < def->n; i++) {
        if (has[i]) continue;
        const jstr *const name = def->list[i]->name;
        bind(c, s, name, i >= first_default ? eval(c, def->kw[i - first_default], s)
                                            : r1i_j_undef(c, "parameter '%.*s' was not provided", (int)name->n,
                                                          name->p));
    }
    jout o = {0}, *const outer = c->out;
    c->out = &o;
    exec_body(c, &def->body, s);
    c->out = outer;
    return r1i_j_sv(r1i_j_done(c, &o));
}

jval r1i_j_call(jctx *c, jval f, jargs *a)
{
    r1i_j_enter(c);
    jval out;
    switch (f.kind) {
    case J_MACRO: out = call_macro(c, f.u.macro, a); break;
    case J_FUNC: out = r1i_j_call_func(c, f.aux, a); break;
    case J_METHOD: out = r1i_j_call_method(c, f.u.method, a); break;
    case J_JOINER:
        r1i_j_arg_end(c, a, "joiner");
        out = r1i_j_sv(f.u.joiner->used ? f.u.joiner->sep : r1i_j_lit(c, ""));
        f.u.joiner->used = true;
        break;
    case J_LOOP: {
        const jloop *const l = f.u.loop;
        if (!l->def->flag) r1i_j_raise(c, "The loop must have the 'recursive' marker to be called recursively.");
        const jval items = r1i_j_arg_need(c, a, 0, "iterable", "loop");
        r1i_j_arg_end(c, a, "loop");
        jout o = {0}, *const outer = c->out;
        c->out = &o;
        exec_for(c, l->def, items, l->scope, l->depth0 + 1);
        c->out = outer;
        out = r1i_j_sv(r1i_j_done(c, &o));
        break;
    }
    case J_UNDEF: r1i_j_raise(c, "%s", f.u.u->message);
    default: r1i_j_raise(c, "'%s' object is not callable", r1i_j_type_name(f));
    }
    c->depth--;
    return out;
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */
static jval eval_chain(jctx *c, const jnode *n, jscope *scope, jval v, size_t links)
{
    for (size_t i = 0; i < links; i++) {
        const jnode *const k = n->list[i];
        jargs a;
        r1i_j_step(c, 1);
        if (k->type == N_CALL || k->type == N_FILTER || k->type == N_TEST) eval_args(c, k, scope, &a);
        c->line = k->line;
        c->offset = k->offset;
        switch (k->type) {
        case N_ATTR: v = r1i_j_attr(c, v, k->name); break;
        case N_ITEM: v = r1i_j_item(c, v, eval(c, k->a, scope)); break;
        case N_SLICE: v = eval_slice(c, v, k, scope); break;
        case N_CALL: v = r1i_j_call(c, v, &a); break;
        case N_FILTER: v = r1i_j_filter(c, k->name, v, &a); break;
        default: v = r1i_j_bool(r1i_j_test(c, k->name, v, &a) != k->flag); break;
        }
    }
    return v;
}

static bool compare(jctx *c, int op, jval a, jval b)
{
    switch (op) {
    case OP_EQ: return r1i_j_equal(c, a, b);
    case OP_NE: return !r1i_j_equal(c, a, b);
    case OP_IN: return r1i_j_contains(c, b, a);
    case OP_NOTIN: return !r1i_j_contains(c, b, a);
    default: break;
    }
    static const char *const names[] = {[OP_LT] = "<", [OP_LE] = "<=", [OP_GT] = ">", [OP_GE] = ">="};
    const int d = r1i_j_order(c, a, b, names[op]);
    return d != 2 && (op == OP_LT ? d < 0 : op == OP_LE ? d <= 0 : op == OP_GT ? d > 0 : d >= 0);
}

static jval eval_compare(jctx *c, const jnode *n, jscope *scope)
{
    jval left = eval(c, n->a, scope);
    for (size_t i = 0; i < n->n; i++) {
        const jval right = eval(c, n->list[i], scope);
        if (!compare(c, n->ops[i], left, right)) return r1i_j_bool(false);
        left = right;
    }
    return r1i_j_bool(true);
}

static jval eval_sequence(jctx *c, const jnode *n, jscope *scope)
{
    jlist *const l = r1i_j_list(c, n->n);
    for (size_t i = 0; i < n->n; i++) l->v[i] = eval(c, n->list[i], scope);
    return r1i_j_listv(l, n->type == N_TUPLE ? J_TUPLE : J_LIST);
}

static jval eval_dict(jctx *c, const jnode *n, jscope *scope)
{
    jdict *const m = r1i_j_dict(c, n->n / 2);
    for (size_t i = 0; i < n->n; i += 2) {
        const jval key = eval(c, n->list[i], scope);
        r1i_j_dict_set(c, m, key, eval(c, n->list[i + 1], scope));
    }
    return (jval){.kind = J_DICT, .u.m = m};
}

static jval eval_concat(jctx *c, const jnode *n, jscope *scope)
{
    jout o = {0};
    for (size_t i = 0; i < n->n; i++) r1i_j_puts(c, &o, r1i_j_text(c, eval(c, n->list[i], scope)));
    return r1i_j_sv(r1i_j_done(c, &o));
}

static jval eval_sign(jctx *c, const jnode *n, jscope *scope)
{
    const jval v = eval(c, n->a, scope);
    if (v.kind == J_UNDEF) r1i_j_raise(c, "%s", v.u.u->message);
    if (!r1i_j_number(v))
        r1i_j_raise(c, "bad operand type for unary %c: '%s'", n->type == N_NEG ? '-' : '+', r1i_j_type_name(v));
    if (v.kind == J_FLOAT) return r1i_j_float(n->type == N_NEG ? -v.u.d : v.u.d);
    const int64_t i = v.kind == J_INT ? v.u.i : v.u.b;
    if (n->type == N_NEG && i == INT64_MIN) r1i_j_fail(c, R1_ERR_UNSUPPORTED, "an integer beyond 64 bits");
    return r1i_j_int(n->type == N_NEG ? -i : i);
}

static jval eval(jctx *c, const jnode *n, jscope *scope)
{
    jval v = r1i_j_none;
    r1i_j_enter(c);
    c->line = n->line;
    c->offset = n->offset;
    switch (n->type) {
    case N_CONST: v = n->value; break;
    case N_NAME: v = lookup(c, scope, n->name); break;
    case N_TUPLE:
    case N_LISTEXPR: v = eval_sequence(c, n, scope); break;
    case N_DICTEXPR: v = eval_dict(c, n, scope); break;
    case N_COND:
        if (r1i_j_truth(c, eval(c, n->a, scope))) v = eval(c, n->b, scope);
        else if (n->c) v = eval(c, n->c, scope);
        else v = r1i_j_undef(c,
                             "the inline if-expression on line %u evaluated to false and no else section was defined.",
                             n->line);
        break;
    case N_OR:
    case N_AND:
        for (size_t i = 0; i < n->n; i++) {
            v = eval(c, n->list[i], scope);
            if (r1i_j_truth(c, v) == (n->type == N_OR)) break;
        }
        break;
    case N_NOT: v = r1i_j_bool(!r1i_j_truth(c, eval(c, n->a, scope))); break;
    case N_COMPARE: v = eval_compare(c, n, scope); break;
    case N_MATH:
        v = eval(c, n->list[0], scope);
        for (size_t i = 1; i < n->n; i++) v = r1i_j_math(c, n->ops[i - 1], v, eval(c, n->list[i], scope));
        break;
    case N_CONCAT: v = eval_concat(c, n, scope); break;
    case N_NEG:
    case N_POS: v = eval_sign(c, n, scope); break;
    case N_CHAIN: v = eval_chain(c, n, scope, eval(c, n->a, scope), n->n); break;
    default: break;
    }
    c->depth--;
    return v;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
/* The next item of a loop, past those that its "if" refuses. */
bool r1i_j_loop_next(jctx *c, jloop *l, jval *out)
{
    while (r1i_j_next(c, l->it.src.kind == J_ITER ? l->it.src.u.it : &l->it, out)) {
        if (!l->def->c) return true;
        jscope test = {.parent = l->scope};
        assign(c, l->def->a, *out, &test);
        if (r1i_j_truth(c, eval(c, l->def->c, &test))) return true;
    }
    return false;
}

static bool step_loop(jctx *c, jloop *l)
{
    jval v;
    if (l->has_after) {
        l->has_after = false;
        v = l->after;
    } else if (l->ended || !r1i_j_loop_next(c, l, &v)) {
        return false;
    }
    l->index0++;
    l->before = l->current;
    l->current = v;
    return true;
}

static flow exec_for(jctx *c, const jnode *n, jval iterable, jscope *scope, int depth0)
{
    jloop *const l = r1i_j_alloc(c, sizeof *l);
    *l = (jloop){.it = r1i_j_iter(c, iterable), .def = n, .scope = scope, .index0 = -1, .depth0 = depth0, .length = -1,
                 .before = r1i_j_none, .current = r1i_j_none};
    const jstr *const loop_name = r1i_j_lit(c, "loop");
    bool ran = false;
    r1i_j_enter(c);
    while (step_loop(c, l)) {
        jscope *const s = open_scope(c, scope, &n->body);
        bind(c, s, loop_name, (jval){.kind = J_LOOP, .u.loop = l});
        assign(c, n->a, l->current, s);
        const flow f = exec_body(c, &n->body, s);
        if (f == BREAK) break;
        ran |= f == GO; /* jinja2 notes a completed pass: after only "continue" the else part runs */
    }
    flow f = GO;
    if (!ran && n->other.v) f = exec_body(c, &n->other, open_scope(c, scope, &n->other));
    c->depth--;
    return f;
}

static const jstr *capture(jctx *c, const jbody *body, jscope *scope)
{
    jout o = {0}, *const outer = c->out;
    c->out = &o;
    exec_body(c, body, scope);
    c->out = outer;
    return r1i_j_done(c, &o);
}

static jval make_macro(jctx *c, const jnode *n, jscope *scope)
{
    jmacro *const m = r1i_j_alloc(c, sizeof *m);
    *m = (jmacro){.def = n, .scope = scope};
    return (jval){.kind = J_MACRO, .u.macro = m};
}

/* What a call block or a filter block yields is not converted: jinja2 joins it as it is. */
static void put_string(jctx *c, jval v)
{
    if (v.kind != J_STR) r1i_j_raise(c, "a block yields %s, expected str", r1i_j_type_name(v));
    r1i_j_puts(c, c->out, v.u.s);
}

static void exec_call_block(jctx *c, const jnode *n, jscope *scope)
{
    const jnode *const chain = n->a, *const call = chain->list[chain->n - 1];
    const jval f = eval_chain(c, chain, scope, eval(c, chain->a, scope), chain->n - 1);
    jargs a;
    eval_args(c, call, scope, &a);
    a.kw_names[a.n_kw] = r1i_j_lit(c, "caller");
    a.kw[a.n_kw++] = make_macro(c, n, scope);
    put_string(c, r1i_j_call(c, f, &a));
}

static flow exec_if(jctx *c, const jnode *n, jscope *scope)
{
    for (;;) {
        if (r1i_j_truth(c, eval(c, n->a, scope))) return exec_body(c, &n->body, scope);
        if (!(n->other.n == 1 && n->other.v[0]->type == N_IF && n->other.v[0]->flag))
            return exec_body(c, &n->other, scope);
        n = n->other.v[0];
    }
}

static void exec_output(jctx *c, const jnode *n, jscope *scope)
{
    for (size_t i = 0; i < n->n; i++) {
        const jval v = eval(c, n->list[i], scope);
        r1i_j_puts(c, c->out, v.kind == J_STR ? v.u.s : r1i_j_text(c, v));
    }
}

static flow exec(jctx *c, const jnode *n, jscope *scope)
{
    flow f = GO;
    r1i_j_enter(c);
    c->line = n->line;
    c->offset = n->offset;
    switch (n->type) {
    case N_OUTPUT: exec_output(c, n, scope); break;
    case N_FOR: f = exec_for(c, n, eval(c, n->b, scope), scope, 0); break;
    case N_IF: f = exec_if(c, n, scope); break;
    case N_SET: assign(c, n->a, eval(c, n->b, scope), scope); break;
    case N_SETBLOCK: {
        jscope *const inner = open_scope(c, scope, &n->body);
        jval v = r1i_j_sv(capture(c, &n->body, inner));
        if (n->b) v = eval_chain(c, n->b, inner, v, n->b->n);
        assign(c, n->a, v, scope);
        break;
    }
    case N_MACRO: bind(c, scope, n->name, make_macro(c, n, scope)); break;
    case N_CALLBLOCK: exec_call_block(c, n, scope); break;
    case N_FILTERBLOCK: {
        jscope *const inner = open_scope(c, scope, &n->body);
        const jval v = r1i_j_sv(capture(c, &n->body, inner));
        put_string(c, eval_chain(c, n->b, inner, v, n->b->n));
        break;
    }
    case N_WITH: {
        jscope *const inner = open_scope(c, scope, &n->body);
        for (size_t i = 0; i < n->n; i++) assign(c, n->list[i], eval(c, n->kw[i], scope), inner);
        f = exec_body(c, &n->body, inner);
        break;
    }
    case N_SCOPE: exec_body(c, &n->body, open_scope(c, n->name ? c->root : scope, &n->body)); break;
    case N_BREAK: f = BREAK; break;
    case N_CONTINUE: f = CONTINUE; break;
    default: break;
    }
    c->depth--;
    return f;
}

static flow exec_body(jctx *c, const jbody *body, jscope *scope)
{
    for (size_t i = 0; i < body->n; i++) {
        const flow f = exec(c, body->v[i], scope);
        if (f != GO) return f;
    }
    return GO;
}

void r1i_j_exec(jctx *c, const r1_template *t)
{
    c->root = open_scope(c, NULL, &t->body);
    exec_body(c, &t->body, c->root);
}
