/* Tokens to tree, by recursive descent in jinja2's own order of precedence. Chains (a.b[0]|f, a + b + c) are kept flat, so
 * their length costs no C stack; what really nests is counted and bounded. */
#include <stdio.h>
#include <string.h>

#include "chat/jinja.h"

typedef struct parser {
    jctx *c;
    jlex lex;
    jtoken cur, ahead;
    bool has_ahead;
    int nest;          /* open expressions and blocks */
    int loops;         /* enclosing for loops of this macro */
    int fors;          /* enclosing for loops in all */
    int soft;          /* inside an if: an unknown filter fails only when it is reached */
    bool has_unknown;  /* an unknown filter or test was met outside any if so far ... */
    jtoken unknown;    /* ... this one; an inline if around it forgives it */
    bool unknown_test;
    uint8_t special;   /* J_CALLER ...: names mentioned so far */
} parser;

typedef struct vec { void **v; size_t n, cap; } vec;

static void push(parser *p, vec *a, void *item)
{
    if (a->n == a->cap) {
        void **const v = r1i_j_array(p->c, a->cap ? a->cap * 2 : 4, sizeof *v);
        if (a->n) memcpy(v, a->v, a->n * sizeof *v);
        a->v = v;
        a->cap = a->cap ? a->cap * 2 : 4;
    }
    a->v[a->n++] = item;
}

static jnode **nodes(const vec *a) { return (jnode **)a->v; }

/* ---- token stream ------------------------------------------------------------------------------------------------ */
static void next(parser *p)
{
    if (p->has_ahead) {
        p->cur = p->ahead;
        p->has_ahead = false;
    } else {
        r1i_j_lex(&p->lex, &p->cur);
    }
}

static const jtoken *look(parser *p)
{
    if (!p->has_ahead) r1i_j_lex(&p->lex, &p->ahead);
    p->has_ahead = true;
    return &p->ahead;
}

J_NORETURN static void fail(parser *p, const char *fmt, const char *what)
{
    p->c->line = p->cur.line;
    p->c->offset = p->cur.offset;
    r1i_j_raise(p->c, fmt, what);
}

static const char *describe(parser *p, const jtoken *t)
{
    if (t->type != T_NAME) return r1i_j_token_name(t);
    const size_t n = t->text->n < 60 ? t->text->n : 60;
    char *const text = r1i_j_alloc(p->c, n + 1);
    memcpy(text, t->text->p, n);
    text[n] = '\0';
    return text;
}

static bool is_name(const jtoken *t, const char *name) { return t->type == T_NAME && r1i_j_is(t->text, name); }

static bool skip_name(parser *p, const char *name)
{
    if (!is_name(&p->cur, name)) return false;
    next(p);
    return true;
}

static bool skip_if(parser *p, jtok type)
{
    if (p->cur.type != type) return false;
    next(p);
    return true;
}

static void expect(parser *p, jtok type)
{
    if (p->cur.type != type) {
        const jtoken want = {.type = type};
        char text[160];
        snprintf(text, sizeof text, "expected token '%s', got '%s'", r1i_j_token_name(&want), describe(p, &p->cur));
        fail(p, "%s", text);
    }
    next(p);
}

static const jstr *expect_name(parser *p)
{
    const jstr *const name = p->cur.text;
    expect(p, T_NAME);
    return name;
}

static jnode *make(parser *p, jtype type)
{
    jnode *const n = r1i_j_alloc(p->c, sizeof *n);
    *n = (jnode){.type = type, .line = p->cur.line, .offset = p->cur.offset};
    return n;
}

static jnode *make_list(parser *p, jtype type, const vec *items)
{
    jnode *const n = make(p, type);
    n->list = nodes(items);
    n->n = items->n;
    return n;
}

static void enter(parser *p)
{
    if (++p->nest > p->c->max_nest) {
        p->c->line = p->cur.line;
        p->c->offset = p->cur.offset;
        r1i_j_fail(p->c, R1_ERR_RANGE, "the template nests too deeply (line %u)", p->cur.line);
    }
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */
static jnode *parse_expression(parser *p, bool conditional);
static jnode *parse_unary(parser *p, bool with_filter);
static jnode *parse_primary(parser *p, bool with_namespace);

typedef struct tuple_rules { bool simplified, no_condition, parentheses, with_namespace; const char *end_name; } tuple_rules;

static jnode *parse_tuple(parser *p, tuple_rules r)
{
    vec args = {0};
    bool is_tuple = false;
    for (;;) {
        if (args.n) expect(p, T_COMMA);
        if (p->cur.type == T_VAR_END || p->cur.type == T_BLOCK_END || p->cur.type == T_RPAREN ||
            (r.end_name && is_name(&p->cur, r.end_name)))
            break;
        push(p, &args, r.simplified ? parse_primary(p, r.with_namespace) : parse_expression(p, !r.no_condition));
        if (p->cur.type != T_COMMA) break;
        is_tuple = true;
    }
    if (!is_tuple) {
        if (args.n) return args.v[0];
        if (!r.parentheses) fail(p, "Expected an expression, got '%s'", describe(p, &p->cur));
    }
    return make_list(p, N_TUPLE, &args);
}

static jnode *parse_list(parser *p)
{
    vec items = {0};
    expect(p, T_LBRACKET);
    while (p->cur.type != T_RBRACKET) {
        if (items.n) expect(p, T_COMMA);
        if (p->cur.type == T_RBRACKET) break;
        push(p, &items, parse_expression(p, true));
    }
    expect(p, T_RBRACKET);
    return make_list(p, N_LISTEXPR, &items);
}

static jnode *parse_dict(parser *p)
{
    vec items = {0};
    expect(p, T_LBRACE);
    while (p->cur.type != T_RBRACE) {
        if (items.n) expect(p, T_COMMA);
        if (p->cur.type == T_RBRACE) break;
        push(p, &items, parse_expression(p, true));
        expect(p, T_COLON);
        push(p, &items, parse_expression(p, true));
    }
    expect(p, T_RBRACE);
    return make_list(p, N_DICTEXPR, &items);
}

static jnode *constant(parser *p, jval v)
{
    jnode *const n = make(p, N_CONST);
    n->value = v;
    return n;
}

static jnode *parse_name(parser *p, bool with_namespace)
{
    jnode *n = make(p, N_NAME);
    const jstr *const name = p->cur.text;
    const bool yes = r1i_j_is(name, "true") || r1i_j_is(name, "True");
    n->name = name;
    if (yes || r1i_j_is(name, "false") || r1i_j_is(name, "False")) n = constant(p, r1i_j_bool(yes));
    else if (r1i_j_is(name, "none") || r1i_j_is(name, "None")) n = constant(p, r1i_j_none);
    else if (r1i_j_is(name, "caller")) p->special |= J_CALLER;
    else if (r1i_j_is(name, "varargs")) p->special |= J_VARARGS;
    else if (r1i_j_is(name, "kwargs")) p->special |= J_KWARGS;
    next(p);
    if (n->type == N_NAME && with_namespace && skip_if(p, T_DOT)) {
        n->type = N_NSREF;
        n->value = r1i_j_sv(expect_name(p));
    }
    return n;
}

static jnode *parse_primary(parser *p, bool with_namespace)
{
    jnode *n;
    switch (p->cur.type) {
    case T_NAME: return parse_name(p, with_namespace);
    case T_STRING: { /* adjacent literals are one */
        const jstr *text = p->cur.text;
        n = make(p, N_CONST);
        next(p);
        while (p->cur.type == T_STRING) {
            jout o = {0};
            r1i_j_puts(p->c, &o, text);
            for (; p->cur.type == T_STRING; next(p)) r1i_j_puts(p->c, &o, p->cur.text);
            text = r1i_j_done(p->c, &o);
        }
        n->value = r1i_j_sv(text);
        return n;
    }
    case T_INT:
        n = constant(p, r1i_j_int(p->cur.i));
        next(p);
        return n;
    case T_FLOAT:
        n = constant(p, r1i_j_float(p->cur.d));
        next(p);
        return n;
    case T_LPAREN:
        enter(p);
        next(p);
        n = parse_tuple(p, (tuple_rules){.parentheses = true});
        expect(p, T_RPAREN);
        p->nest--;
        return n;
    case T_LBRACKET: return parse_list(p);
    case T_LBRACE: return parse_dict(p);
    default: fail(p, "unexpected '%s'", describe(p, &p->cur));
    }
}

/* Arguments of a call, a filter or a test into n. */
static void parse_args(parser *p, jnode *n)
{
    vec args = {0}, names = {0}, values = {0};
    bool comma = false;
    expect(p, T_LPAREN);
    while (p->cur.type != T_RPAREN) {
        if (comma) {
            expect(p, T_COMMA);
            if (p->cur.type == T_RPAREN) break;
        }
        bool ok;
        if (p->cur.type == T_MUL) {
            ok = !n->dyn_args && !n->dyn_kwargs;
            next(p);
            n->dyn_args = parse_expression(p, true);
        } else if (p->cur.type == T_POW) {
            ok = !n->dyn_kwargs;
            next(p);
            n->dyn_kwargs = parse_expression(p, true);
        } else if (p->cur.type == T_NAME && look(p)->type == T_ASSIGN) {
            ok = !n->dyn_kwargs;
            for (size_t i = 0; i < names.n; i++)
                if (r1i_j_streq(names.v[i], p->cur.text)) fail(p, "keyword argument repeated: %s", describe(p, &p->cur));
            push(p, &names, (void *)(uintptr_t)p->cur.text);
            next(p);
            next(p);
            push(p, &values, parse_expression(p, true));
        } else {
            ok = !n->dyn_args && !n->dyn_kwargs && !values.n;
            push(p, &args, parse_expression(p, true));
        }
        if (!ok) fail(p, "%s", "invalid syntax for function call expression");
        if (values.n > 60) fail(p, "%s", "more than 60 keyword arguments");
        comma = true;
    }
    expect(p, T_RPAREN);
    n->list = nodes(&args);
    n->n = args.n;
    n->kw_names = (const jstr **)names.v;
    n->kw = nodes(&values);
    n->n_kw = values.n;
}

static jnode *parse_subscribed(parser *p)
{
    jnode *n = NULL, *const slice = make(p, N_SLICE);
    if (p->cur.type != T_COLON) {
        n = parse_expression(p, true);
        if (p->cur.type != T_COLON) return n;
    }
    slice->a = n;
    next(p);
    if (p->cur.type != T_COLON && p->cur.type != T_RBRACKET && p->cur.type != T_COMMA) slice->b = parse_expression(p, true);
    if (skip_if(p, T_COLON) && p->cur.type != T_RBRACKET && p->cur.type != T_COMMA) slice->c = parse_expression(p, true);
    return slice;
}

static jnode *parse_subscript(parser *p)
{
    jnode *n = make(p, N_ITEM);
    if (skip_if(p, T_DOT)) {
        if (p->cur.type == T_NAME) {
            n->type = N_ATTR;
            n->name = p->cur.text;
        } else if (p->cur.type == T_INT) {
            n->a = constant(p, r1i_j_int(p->cur.i));
        } else {
            fail(p, "expected name or number, got '%s'", describe(p, &p->cur));
        }
        next(p);
        return n;
    }
    vec args = {0};
    expect(p, T_LBRACKET);
    while (p->cur.type != T_RBRACKET) {
        if (args.n) expect(p, T_COMMA);
        push(p, &args, parse_subscribed(p));
    }
    expect(p, T_RBRACKET);
    if (args.n == 1) {
        jnode *const only = args.v[0];
        if (only->type == N_SLICE) return only;
        n->a = only;
        return n;
    }
    for (size_t i = 0; i < args.n; i++)
        if (nodes(&args)[i]->type == N_SLICE) fail(p, "%s", "a slice inside a tuple index");
    n->a = make_list(p, N_TUPLE, &args);
    return n;
}

/* name, or name.name: of a filter or test */
static const jstr *dotted_name(parser *p)
{
    const jstr *name = expect_name(p);
    while (skip_if(p, T_DOT)) {
        jout o = {0};
        r1i_j_puts(p->c, &o, name);
        r1i_j_putz(p->c, &o, ".");
        r1i_j_puts(p->c, &o, expect_name(p));
        name = r1i_j_done(p->c, &o);
    }
    return name;
}

static void note_unknown(parser *p, const jtoken *at, bool test)
{
    if (p->soft || p->has_unknown) return;
    p->has_unknown = true;
    p->unknown = *at;
    p->unknown_test = test;
}

/* At the end of a statement or a print: what is still unknown is an error at once, as in jinja2. */
static void check_unknown(parser *p)
{
    if (!p->has_unknown) return;
    p->cur = p->unknown;
    fail(p, p->unknown_test ? "No test named '%s'." : "No filter named '%s'.", describe(p, &p->unknown));
}

static jnode *parse_filter(parser *p)
{
    jnode *const n = make(p, N_FILTER);
    const jtoken at = p->cur;
    n->name = dotted_name(p);
    if (!r1i_j_filter_known(n->name)) note_unknown(p, &at, false);
    if (p->cur.type == T_LPAREN) parse_args(p, n);
    return n;
}

static jnode *parse_test(parser *p)
{
    jnode *const n = make(p, N_TEST);
    next(p);
    n->flag = skip_name(p, "not");
    const jtoken at = p->cur;
    n->name = dotted_name(p);
    if (!r1i_j_test_known(n->name)) note_unknown(p, &at, true);
    const jtok t = p->cur.type;
    if (t == T_LPAREN) {
        parse_args(p, n);
    } else if ((t == T_NAME || t == T_STRING || t == T_INT || t == T_FLOAT || t == T_LBRACKET || t == T_LBRACE) &&
               !is_name(&p->cur, "else") && !is_name(&p->cur, "or") && !is_name(&p->cur, "and")) {
        if (is_name(&p->cur, "is")) fail(p, "%s", "You cannot chain multiple tests with is");
        vec arg = {0}, links = {0};
        enter(p);
        jnode *a = parse_primary(p, false);
        while (p->cur.type == T_DOT || p->cur.type == T_LBRACKET || p->cur.type == T_LPAREN) {
            jnode *const call = make(p, N_CALL);
            if (p->cur.type == T_LPAREN) parse_args(p, call);
            push(p, &links, p->cur.type == T_DOT || p->cur.type == T_LBRACKET ? parse_subscript(p) : call);
        }
        p->nest--;
        if (links.n) {
            jnode *const chain = make_list(p, N_CHAIN, &links);
            chain->a = a;
            a = chain;
        }
        push(p, &arg, a);
        n->list = nodes(&arg);
        n->n = 1;
    }
    return n;
}

static jnode *parse_links(parser *p, jnode *base, bool with_filter)
{
    vec links = {0};
    bool filters = false; /* after the first filter or test: calls still bind, subscripts no more */
    for (;;) {
        const jtok t = p->cur.type;
        if (!filters && (t == T_DOT || t == T_LBRACKET)) push(p, &links, parse_subscript(p));
        else if (t == T_LPAREN && (!filters || with_filter)) {
            jnode *const call = make(p, N_CALL);
            parse_args(p, call);
            push(p, &links, call);
        } else if (with_filter && t == T_PIPE) {
            filters = true;
            next(p);
            push(p, &links, parse_filter(p));
        } else if (with_filter && is_name(&p->cur, "is")) {
            filters = true;
            push(p, &links, parse_test(p));
        } else {
            break;
        }
    }
    if (!links.n) return base;
    jnode *const n = make_list(p, N_CHAIN, &links);
    n->a = base;
    return n;
}

static jnode *parse_unary(parser *p, bool with_filter)
{
    jnode *n;
    enter(p);
    if (p->cur.type == T_SUB || p->cur.type == T_ADD) {
        n = make(p, p->cur.type == T_SUB ? N_NEG : N_POS);
        next(p);
        n->a = parse_unary(p, false);
    } else {
        n = parse_primary(p, false);
    }
    n = parse_links(p, n, with_filter);
    p->nest--;
    return n;
}

/* Left-associative levels share one loop; operands and operators lie side by side. */
typedef jnode *(*operand_fn)(parser *p);
typedef struct level { jtok tok[4]; uint8_t op[4]; int n; } level;

static jnode *parse_level(parser *p, const level *l, operand_fn operand)
{
    vec items = {0};
    uint8_t *ops = NULL;
    size_t cap = 0;
    jnode *const first = operand(p);
    push(p, &items, first);
    for (;;) {
        int k = 0;
        while (k < l->n && p->cur.type != l->tok[k]) k++;
        if (k == l->n) break;
        if (items.n - 1 == cap) {
            uint8_t *const more = r1i_j_alloc(p->c, cap = cap ? cap * 2 : 4);
            if (ops) memcpy(more, ops, items.n - 1);
            ops = more;
        }
        ops[items.n - 1] = l->op[k];
        next(p);
        push(p, &items, operand(p));
    }
    if (items.n == 1) return first;
    jnode *const n = make_list(p, N_MATH, &items);
    n->line = first->line;
    n->offset = first->offset;
    n->ops = ops;
    return n;
}

static jnode *parse_power_operand(parser *p) { return parse_unary(p, true); }
static jnode *parse_pow(parser *p)
{
    static const level l = {{T_POW}, {OP_POW}, 1};
    return parse_level(p, &l, parse_power_operand);
}
static jnode *parse_math2(parser *p)
{
    static const level l = {{T_MUL, T_DIV, T_FLOORDIV, T_MOD}, {OP_MUL, OP_DIV, OP_FLOORDIV, OP_MOD}, 4};
    return parse_level(p, &l, parse_pow);
}
static jnode *parse_concat(parser *p)
{
    vec items = {0};
    push(p, &items, parse_math2(p));
    while (skip_if(p, T_TILDE)) push(p, &items, parse_math2(p));
    return items.n == 1 ? items.v[0] : make_list(p, N_CONCAT, &items);
}
static jnode *parse_math1(parser *p)
{
    static const level l = {{T_ADD, T_SUB}, {OP_ADD, OP_SUB}, 2};
    return parse_level(p, &l, parse_concat);
}

static int compare_op(parser *p)
{
    switch (p->cur.type) {
    case T_EQ: return OP_EQ;
    case T_NE: return OP_NE;
    case T_LT: return OP_LT;
    case T_LE: return OP_LE;
    case T_GT: return OP_GT;
    case T_GE: return OP_GE;
    case T_NAME:
        if (r1i_j_is(p->cur.text, "in")) return OP_IN;
        if (r1i_j_is(p->cur.text, "not") && is_name(look(p), "in")) {
            next(p);
            return OP_NOTIN;
        }
        return -1;
    default: return -1;
    }
}

static jnode *parse_compare(parser *p)
{
    jnode *const first = parse_math1(p);
    vec items = {0};
    uint8_t ops[64];
    int op;
    while ((op = compare_op(p)) >= 0) {
        if (items.n == sizeof ops) fail(p, "%s", "more than 64 comparisons in a row");
        ops[items.n] = (uint8_t)op;
        next(p);
        push(p, &items, parse_math1(p));
    }
    if (!items.n) return first;
    jnode *const n = make_list(p, N_COMPARE, &items);
    n->a = first;
    n->ops = r1i_j_alloc(p->c, items.n);
    memcpy(n->ops, ops, items.n);
    return n;
}

static jnode *parse_not(parser *p)
{
    bool negate = false, any = false;
    while (is_name(&p->cur, "not")) {
        next(p);
        negate = !negate;
        any = true;
    }
    jnode *n = parse_compare(p);
    for (int i = any ? (negate ? 1 : 2) : 0; i > 0; i--) {
        jnode *const outer = make(p, N_NOT);
        outer->a = n;
        n = outer;
    }
    return n;
}

static jnode *parse_and(parser *p)
{
    vec items = {0};
    push(p, &items, parse_not(p));
    while (skip_name(p, "and")) push(p, &items, parse_not(p));
    return items.n == 1 ? items.v[0] : make_list(p, N_AND, &items);
}

static jnode *parse_or(parser *p)
{
    vec items = {0};
    push(p, &items, parse_and(p));
    while (skip_name(p, "or")) push(p, &items, parse_and(p));
    return items.n == 1 ? items.v[0] : make_list(p, N_OR, &items);
}

static jnode *parse_expression(parser *p, bool conditional)
{
    const int nest = p->nest;
    enter(p);
    const bool unknown = p->has_unknown;
    jnode *n = parse_or(p);
    while (conditional && skip_name(p, "if")) {
        enter(p);
        jnode *const cond = make(p, N_COND);
        cond->b = n;
        cond->a = parse_or(p);
        if (skip_name(p, "else")) cond->c = parse_expression(p, true);
        n = cond;
        p->has_unknown = unknown;
    }
    p->nest = nest;
    return n;
}

/* ---- statements -------------------------------------------------------------------------------------------------- */
static jbody parse_body(parser *p, const char *const *ends);

static bool assignable(parser *p, const jnode *n)
{
    if (n->type == N_NAME && p->fors && r1i_j_is(n->name, "loop")) fail(p, "%s", "Can't assign to special loop variable in for-loop target");
    if (n->type == N_NAME || n->type == N_NSREF) return true;
    if (n->type != N_TUPLE) return false;
    for (size_t i = 0; i < n->n; i++)
        if (!assignable(p, n->list[i])) return false;
    return true;
}

static jnode *parse_target(parser *p, bool with_namespace, const char *end_name)
{
    const uint8_t special = p->special;
    jnode *const n = parse_tuple(p, (tuple_rules){.simplified = true, .with_namespace = with_namespace, .end_name = end_name});
    if (!assignable(p, n)) fail(p, "%s", "can't assign to this expression");
    p->special = special; /* storing to "caller" is no mention of it */
    return n;
}

/* "... %}", statements, "{% end": the end name stays current. */
static jbody parse_block(parser *p, const char *const *ends)
{
    skip_if(p, T_COLON);
    expect(p, T_BLOCK_END);
    enter(p);
    const jbody b = parse_body(p, ends);
    p->nest--;
    if (p->cur.type == T_EOF) {
        char text[128];
        snprintf(text, sizeof text, "Unexpected end of template. Looking for: %s%s%s", ends[0], ends[1] ? " or " : "",
                 ends[1] ? ends[1] : "");
        fail(p, "%s", text);
    }
    return b;
}

static const char *const end_for[] = {"endfor", "else", NULL}, *const end_if[] = {"endif", "else", "elif", NULL},
                         *const end_set[] = {"endset", NULL}, *const end_macro[] = {"endmacro", NULL},
                         *const end_call[] = {"endcall", NULL}, *const end_filter[] = {"endfilter", NULL},
                         *const end_with[] = {"endwith", NULL}, *const end_generation[] = {"endgeneration", NULL},
                         *const end_block[] = {"endblock", NULL};

static jnode *parse_for(parser *p)
{
    jnode *const n = make(p, N_FOR);
    next(p);
    p->fors++;
    n->a = parse_target(p, false, "in");
    if (!skip_name(p, "in")) fail(p, "expected token 'in', got '%s'", describe(p, &p->cur));
    n->b = parse_tuple(p, (tuple_rules){.no_condition = true, .end_name = "recursive"});
    if (skip_name(p, "if")) n->c = parse_expression(p, true);
    n->flag = skip_name(p, "recursive");
    const int soft = p->soft;
    p->soft = 0;
    p->loops++;
    n->body = parse_block(p, end_for);
    p->loops--;
    if (skip_name(p, "else")) n->other = parse_block(p, end_for);
    if (!skip_name(p, "endfor")) fail(p, "%s", "a for loop has one else at most");
    p->soft = soft;
    p->fors--;
    return n;
}

/* elif branches hang in `other` of the one before, marked, so that the evaluator walks them in a loop. */
static jnode *parse_if(parser *p)
{
    jnode *const first = make(p, N_IF);
    jnode *n = first;
    p->soft++;
    for (;;) {
        next(p);
        n->a = parse_tuple(p, (tuple_rules){.no_condition = true});
        n->body = parse_block(p, end_if);
        if (!is_name(&p->cur, "elif")) break;
        jnode *const other = make(p, N_IF);
        vec one = {0};
        other->flag = true;
        push(p, &one, other);
        n->other = (jbody){.v = nodes(&one), .n = 1};
        n = other;
    }
    if (skip_name(p, "else")) n->other = parse_block(p, end_if);
    if (!skip_name(p, "endif")) fail(p, "%s", "expected endif");
    p->soft--;
    return first;
}

/* |filter|filter: of a set block or of a filter block, a chain without a base */
static jnode *parse_filters(parser *p)
{
    vec links = {0};
    do push(p, &links, parse_filter(p));
    while (skip_if(p, T_PIPE));
    return make_list(p, N_CHAIN, &links);
}

static jnode *parse_set(parser *p)
{
    jnode *const n = make(p, N_SET);
    next(p);
    n->a = parse_target(p, true, NULL);
    if (skip_if(p, T_ASSIGN)) {
        n->b = parse_tuple(p, (tuple_rules){0});
        return n;
    }
    n->type = N_SETBLOCK;
    if (skip_if(p, T_PIPE)) n->b = parse_filters(p);
    n->body = parse_block(p, end_set);
    next(p);
    return n;
}

static void parse_signature(parser *p, jnode *n)
{
    vec args = {0}, defaults = {0};
    expect(p, T_LPAREN);
    while (p->cur.type != T_RPAREN) {
        if (args.n) expect(p, T_COMMA);
        jnode *const arg = make(p, N_NAME);
        arg->name = expect_name(p);
        if (skip_if(p, T_ASSIGN)) push(p, &defaults, parse_expression(p, true));
        else if (defaults.n) fail(p, "%s", "non-default argument follows default argument");
        push(p, &args, arg);
    }
    expect(p, T_RPAREN);
    n->list = nodes(&args);
    n->n = args.n;
    n->kw = nodes(&defaults);
    n->n_kw = defaults.n;
}

/* Body of a macro or of a call block: its own loops, its own mentions of caller. */
static void parse_macro_body(parser *p, jnode *n, const char *const *ends)
{
    const int loops = p->loops, soft = p->soft;
    const uint8_t special = p->special;
    p->loops = p->soft = 0;
    p->special = 0;
    n->body = parse_block(p, ends);
    next(p);
    n->special = p->special;
    p->special |= special;
    p->loops = loops;
    p->soft = soft;
}

static jnode *parse_macro(parser *p)
{
    jnode *const n = make(p, N_MACRO);
    next(p);
    n->name = expect_name(p);
    parse_signature(p, n);
    parse_macro_body(p, n, end_macro);
    return n;
}

static jnode *parse_call_block(parser *p)
{
    jnode *const n = make(p, N_CALLBLOCK);
    next(p);
    if (p->cur.type == T_LPAREN) parse_signature(p, n);
    n->a = parse_expression(p, true);
    if (n->a->type != N_CHAIN || n->a->list[n->a->n - 1]->type != N_CALL) fail(p, "%s", "expected call");
    parse_macro_body(p, n, end_call);
    return n;
}

static jnode *parse_with(parser *p)
{
    jnode *const n = make(p, N_WITH);
    vec targets = {0}, values = {0};
    next(p);
    while (p->cur.type != T_BLOCK_END) {
        if (targets.n) expect(p, T_COMMA);
        push(p, &targets, parse_target(p, false, NULL));
        expect(p, T_ASSIGN);
        push(p, &values, parse_expression(p, true));
    }
    n->list = nodes(&targets);
    n->n = targets.n;
    n->kw = nodes(&values);
    n->n_kw = values.n;
    n->body = parse_block(p, end_with);
    next(p);
    return n;
}

static jnode *parse_print(parser *p)
{
    vec items = {0};
    next(p);
    while (p->cur.type != T_BLOCK_END) {
        if (items.n) expect(p, T_COMMA);
        push(p, &items, parse_expression(p, true));
    }
    return make_list(p, N_OUTPUT, &items);
}

static jnode *parse_scope(parser *p, const char *const *ends, bool named)
{
    jnode *const n = make(p, N_SCOPE);
    next(p);
    if (named) {
        n->name = expect_name(p);
        while (is_name(&p->cur, "scoped") || is_name(&p->cur, "required")) next(p);
    }
    parse_macro_body(p, n, ends);
    if (named && p->cur.type == T_NAME && r1i_j_streq(p->cur.text, n->name)) next(p);
    return n;
}

static jnode *parse_statement(parser *p)
{
    const jtoken *const t = &p->cur;
    if (t->type != T_NAME) fail(p, "tag name expected, got '%s'", describe(p, t));
    if (is_name(t, "for")) return parse_for(p);
    if (is_name(t, "if")) return parse_if(p);
    if (is_name(t, "set")) return parse_set(p);
    if (is_name(t, "macro")) return parse_macro(p);
    if (is_name(t, "call")) return parse_call_block(p);
    if (is_name(t, "with")) return parse_with(p);
    if (is_name(t, "print")) return parse_print(p);
    if (is_name(t, "generation")) return parse_scope(p, end_generation, false);
    if (is_name(t, "block")) return parse_scope(p, end_block, true);
    if (is_name(t, "break") || is_name(t, "continue")) {
        jnode *const n = make(p, is_name(t, "break") ? N_BREAK : N_CONTINUE);
        if (!p->loops) fail(p, "'%s' outside a loop", describe(p, t));
        next(p);
        return n;
    }
    if (is_name(t, "filter")) {
        jnode *const n = make(p, N_FILTERBLOCK);
        next(p);
        n->b = parse_filters(p);
        n->body = parse_block(p, end_filter);
        next(p);
        return n;
    }
    if (is_name(t, "include") || is_name(t, "import") || is_name(t, "from") || is_name(t, "extends") || is_name(t, "autoescape")) {
        p->c->line = t->line;
        p->c->offset = t->offset;
        r1i_j_fail(p->c, R1_ERR_UNSUPPORTED, "{%% %s %%} is not supported in chat templates", describe(p, t));
    }
    fail(p, "Encountered unknown tag '%s'.", describe(p, t));
}

static bool at_end(parser *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (is_name(&p->cur, *ends)) return true;
    return false;
}

static jbody parse_body(parser *p, const char *const *ends)
{
    vec body = {0}, text = {0};
    for (;;) {
        const jtok t = p->cur.type;
        if (t == T_DATA) {
            push(p, &text, constant(p, r1i_j_sv(p->cur.text)));
            next(p);
            continue;
        }
        if (t == T_VAR_BEGIN) {
            next(p);
            push(p, &text, parse_tuple(p, (tuple_rules){0}));
            check_unknown(p);
            expect(p, T_VAR_END);
            continue;
        }
        if (text.n) {
            push(p, &body, make_list(p, N_OUTPUT, &text));
            text = (vec){0};
        }
        if (t == T_EOF) break;
        if (t != T_BLOCK_BEGIN) fail(p, "unexpected '%s'", describe(p, &p->cur));
        next(p);
        if (at_end(p, ends)) break;
        push(p, &body, parse_statement(p));
        check_unknown(p);
        expect(p, T_BLOCK_END);
    }
    return (jbody){.v = nodes(&body), .n = body.n};
}

void r1i_j_parse(jctx *c, const char *source, size_t bytes, jbody *out)
{
    parser p = {.c = c};
    r1i_j_lex_init(&p.lex, c, source, bytes);
    next(&p);
    *out = parse_body(&p, NULL);
}
