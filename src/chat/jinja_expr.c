/* Tokens to expressions, by recursive descent in jinja2's own order of precedence. Chains (a.b[0]|f, a + b + c) are
 * kept flat, so their length costs no C stack; what really nests is counted and bounded. */
#include <stdio.h>
#include <string.h>

#include "chat/jinja_parser.h"

void r1i_jp_push(parser *p, vec *a, void *item)
{
    if (a->n == a->cap) {
        void **const v = r1i_j_array(p->c, a->cap ? a->cap * 2 : 4, sizeof *v);
        if (a->n) memcpy(v, a->v, a->n * sizeof *v);
        a->v = v;
        a->cap = a->cap ? a->cap * 2 : 4;
    }
    a->v[a->n++] = item;
}

jnode **r1i_jp_nodes(const vec *a) { return (jnode **)a->v; }

/* ---- token stream ------------------------------------------------------------------------------------------------ */
void r1i_jp_next(parser *p)
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

void r1i_jp_fail(parser *p, const char *fmt, const char *what)
{
    p->c->line = p->cur.line;
    p->c->offset = p->cur.offset;
    r1i_j_raise(p->c, fmt, what);
}

const char *r1i_jp_describe(parser *p, const jtoken *t)
{
    if (t->type != T_NAME) return r1i_j_token_name(t);
    const size_t n = t->text->n < 60 ? t->text->n : 60;
    char *const text = r1i_j_alloc(p->c, n + 1);
    memcpy(text, t->text->p, n);
    text[n] = '\0';
    return text;
}

bool r1i_jp_is_name(const jtoken *t, const char *name) { return t->type == T_NAME && r1i_j_is(t->text, name); }

bool r1i_jp_skip_name(parser *p, const char *name)
{
    if (!r1i_jp_is_name(&p->cur, name)) return false;
    r1i_jp_next(p);
    return true;
}

bool r1i_jp_skip_if(parser *p, jtok type)
{
    if (p->cur.type != type) return false;
    r1i_jp_next(p);
    return true;
}

void r1i_jp_expect(parser *p, jtok type)
{
    if (p->cur.type != type) {
        const jtoken want = {.type = type};
        char text[160];
        snprintf(text, sizeof text, "expected token '%s', got '%s'", r1i_j_token_name(&want),
                 r1i_jp_describe(p, &p->cur));
        r1i_jp_fail(p, "%s", text);
    }
    r1i_jp_next(p);
}

const jstr *r1i_jp_expect_name(parser *p)
{
    const jstr *const name = p->cur.text;
    r1i_jp_expect(p, T_NAME);
    return name;
}

jnode *r1i_jp_make(parser *p, jtype type)
{
    jnode *const n = r1i_j_alloc(p->c, sizeof *n);
    *n = (jnode){.type = type, .line = p->cur.line, .offset = p->cur.offset};
    return n;
}

jnode *r1i_jp_make_list(parser *p, jtype type, const vec *items)
{
    jnode *const n = r1i_jp_make(p, type);
    n->list = r1i_jp_nodes(items);
    n->n = items->n;
    return n;
}

void r1i_jp_enter(parser *p)
{
    if (++p->nest > p->c->max_nest) {
        p->c->line = p->cur.line;
        p->c->offset = p->cur.offset;
        r1i_j_fail(p->c, R1_ERR_RANGE, "the template nests too deeply (line %u)", p->cur.line);
    }
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */
static jnode *parse_unary(parser *p, bool with_filter);
static jnode *parse_primary(parser *p, bool with_namespace);

jnode *r1i_jp_parse_tuple(parser *p, tuple_rules r)
{
    vec args = {0};
    bool is_tuple = false;
    for (;;) {
        if (args.n) r1i_jp_expect(p, T_COMMA);
        if (p->cur.type == T_VAR_END || p->cur.type == T_BLOCK_END || p->cur.type == T_RPAREN ||
            (r.end_name && r1i_jp_is_name(&p->cur, r.end_name)))
            break;
        r1i_jp_push(p, &args,
                    r.simplified ? parse_primary(p, r.with_namespace) : r1i_jp_parse_expression(p, !r.no_condition));
        if (p->cur.type != T_COMMA) break;
        is_tuple = true;
    }
    if (!is_tuple) {
        if (args.n) return args.v[0];
        if (!r.parentheses) r1i_jp_fail(p, "Expected an expression, got '%s'", r1i_jp_describe(p, &p->cur));
    }
    return r1i_jp_make_list(p, N_TUPLE, &args);
}

static jnode *parse_list(parser *p)
{
    vec items = {0};
    r1i_jp_expect(p, T_LBRACKET);
    while (p->cur.type != T_RBRACKET) {
        if (items.n) r1i_jp_expect(p, T_COMMA);
        if (p->cur.type == T_RBRACKET) break;
        r1i_jp_push(p, &items, r1i_jp_parse_expression(p, true));
    }
    r1i_jp_expect(p, T_RBRACKET);
    return r1i_jp_make_list(p, N_LISTEXPR, &items);
}

static jnode *parse_dict(parser *p)
{
    vec items = {0};
    r1i_jp_expect(p, T_LBRACE);
    while (p->cur.type != T_RBRACE) {
        if (items.n) r1i_jp_expect(p, T_COMMA);
        if (p->cur.type == T_RBRACE) break;
        r1i_jp_push(p, &items, r1i_jp_parse_expression(p, true));
        r1i_jp_expect(p, T_COLON);
        r1i_jp_push(p, &items, r1i_jp_parse_expression(p, true));
    }
    r1i_jp_expect(p, T_RBRACE);
    return r1i_jp_make_list(p, N_DICTEXPR, &items);
}

jnode *r1i_jp_constant(parser *p, jval v)
{
    jnode *const n = r1i_jp_make(p, N_CONST);
    n->value = v;
    return n;
}

static jnode *parse_name(parser *p, bool with_namespace)
{
    jnode *n = r1i_jp_make(p, N_NAME);
    const jstr *const name = p->cur.text;
    const bool yes = r1i_j_is(name, "true") || r1i_j_is(name, "True");
    n->name = name;
    if (yes || r1i_j_is(name, "false") || r1i_j_is(name, "False")) n = r1i_jp_constant(p, r1i_j_bool(yes));
    else if (r1i_j_is(name, "none") || r1i_j_is(name, "None")) n = r1i_jp_constant(p, r1i_j_none);
    else if (r1i_j_is(name, "caller")) p->special |= J_CALLER;
    else if (r1i_j_is(name, "varargs")) p->special |= J_VARARGS;
    else if (r1i_j_is(name, "kwargs")) p->special |= J_KWARGS;
    r1i_jp_next(p);
    if (n->type == N_NAME && with_namespace && r1i_jp_skip_if(p, T_DOT)) {
        n->type = N_NSREF;
        n->value = r1i_j_sv(r1i_jp_expect_name(p));
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
        n = r1i_jp_make(p, N_CONST);
        r1i_jp_next(p);
        while (p->cur.type == T_STRING) {
            jout o = {0};
            r1i_j_puts(p->c, &o, text);
            for (; p->cur.type == T_STRING; r1i_jp_next(p)) r1i_j_puts(p->c, &o, p->cur.text);
            text = r1i_j_done(p->c, &o);
        }
        n->value = r1i_j_sv(text);
        return n;
    }
    case T_INT:
        n = r1i_jp_constant(p, r1i_j_int(p->cur.i));
        r1i_jp_next(p);
        return n;
    case T_FLOAT:
        n = r1i_jp_constant(p, r1i_j_float(p->cur.d));
        r1i_jp_next(p);
        return n;
    case T_LPAREN:
        r1i_jp_enter(p);
        r1i_jp_next(p);
        n = r1i_jp_parse_tuple(p, (tuple_rules){.parentheses = true});
        r1i_jp_expect(p, T_RPAREN);
        p->nest--;
        return n;
    case T_LBRACKET: return parse_list(p);
    case T_LBRACE: return parse_dict(p);
    default: r1i_jp_fail(p, "unexpected '%s'", r1i_jp_describe(p, &p->cur));
    }
}

/* Arguments of a call, a filter or a test into n. */
static void parse_args(parser *p, jnode *n)
{
    vec args = {0}, names = {0}, values = {0};
    bool comma = false;
    r1i_jp_expect(p, T_LPAREN);
    while (p->cur.type != T_RPAREN) {
        if (comma) {
            r1i_jp_expect(p, T_COMMA);
            if (p->cur.type == T_RPAREN) break;
        }
        bool ok;
        if (p->cur.type == T_MUL) {
            ok = !n->dyn_args && !n->dyn_kwargs;
            r1i_jp_next(p);
            n->dyn_args = r1i_jp_parse_expression(p, true);
        } else if (p->cur.type == T_POW) {
            ok = !n->dyn_kwargs;
            r1i_jp_next(p);
            n->dyn_kwargs = r1i_jp_parse_expression(p, true);
        } else if (p->cur.type == T_NAME && look(p)->type == T_ASSIGN) {
            ok = !n->dyn_kwargs;
            for (size_t i = 0; i < names.n; i++)
                if (r1i_j_streq(names.v[i], p->cur.text))
                    r1i_jp_fail(p, "keyword argument repeated: %s", r1i_jp_describe(p, &p->cur));
            r1i_jp_push(p, &names, (void *)(uintptr_t)p->cur.text);
            r1i_jp_next(p);
            r1i_jp_next(p);
            r1i_jp_push(p, &values, r1i_jp_parse_expression(p, true));
        } else {
            ok = !n->dyn_args && !n->dyn_kwargs && !values.n;
            r1i_jp_push(p, &args, r1i_jp_parse_expression(p, true));
        }
        if (!ok) r1i_jp_fail(p, "%s", "invalid syntax for function call expression");
        if (values.n > 60) r1i_jp_fail(p, "%s", "more than 60 keyword arguments");
        comma = true;
    }
    r1i_jp_expect(p, T_RPAREN);
    n->list = r1i_jp_nodes(&args);
    n->n = args.n;
    n->kw_names = (const jstr **)names.v;
    n->kw = r1i_jp_nodes(&values);
    n->n_kw = values.n;
}

static jnode *parse_subscribed(parser *p)
{
    jnode *n = NULL, *const slice = r1i_jp_make(p, N_SLICE);
    if (p->cur.type != T_COLON) {
        n = r1i_jp_parse_expression(p, true);
        if (p->cur.type != T_COLON) return n;
    }
    slice->a = n;
    r1i_jp_next(p);
    if (p->cur.type != T_COLON && p->cur.type != T_RBRACKET && p->cur.type != T_COMMA)
        slice->b = r1i_jp_parse_expression(p, true);
    if (r1i_jp_skip_if(p, T_COLON) && p->cur.type != T_RBRACKET && p->cur.type != T_COMMA)
        slice->c = r1i_jp_parse_expression(p, true);
    return slice;
}

static jnode *parse_subscript(parser *p)
{
    jnode *n = r1i_jp_make(p, N_ITEM);
    if (r1i_jp_skip_if(p, T_DOT)) {
        if (p->cur.type == T_NAME) {
            n->type = N_ATTR;
            n->name = p->cur.text;
        } else if (p->cur.type == T_INT) {
            n->a = r1i_jp_constant(p, r1i_j_int(p->cur.i));
        } else {
            r1i_jp_fail(p, "expected name or number, got '%s'", r1i_jp_describe(p, &p->cur));
        }
        r1i_jp_next(p);
        return n;
    }
    vec args = {0};
    r1i_jp_expect(p, T_LBRACKET);
    while (p->cur.type != T_RBRACKET) {
        if (args.n) r1i_jp_expect(p, T_COMMA);
        r1i_jp_push(p, &args, parse_subscribed(p));
    }
    r1i_jp_expect(p, T_RBRACKET);
    if (args.n == 1) {
        jnode *const only = args.v[0];
        if (only->type == N_SLICE) return only;
        n->a = only;
        return n;
    }
    for (size_t i = 0; i < args.n; i++)
        if (r1i_jp_nodes(&args)[i]->type == N_SLICE) r1i_jp_fail(p, "%s", "a slice inside a tuple index");
    n->a = r1i_jp_make_list(p, N_TUPLE, &args);
    return n;
}

/* name, or name.name: of a filter or test */
static const jstr *dotted_name(parser *p)
{
    const jstr *name = r1i_jp_expect_name(p);
    while (r1i_jp_skip_if(p, T_DOT)) {
        jout o = {0};
        r1i_j_puts(p->c, &o, name);
        r1i_j_putz(p->c, &o, ".");
        r1i_j_puts(p->c, &o, r1i_jp_expect_name(p));
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
void r1i_jp_check_unknown(parser *p)
{
    if (!p->has_unknown) return;
    p->cur = p->unknown;
    r1i_jp_fail(p, p->unknown_test ? "No test named '%s'." : "No filter named '%s'.", r1i_jp_describe(p, &p->unknown));
}

jnode *r1i_jp_parse_filter(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_FILTER);
    const jtoken at = p->cur;
    n->name = dotted_name(p);
    if (!r1i_j_filter_known(n->name)) note_unknown(p, &at, false);
    if (p->cur.type == T_LPAREN) parse_args(p, n);
    return n;
}

static jnode *parse_test(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_TEST);
    r1i_jp_next(p);
    n->flag = r1i_jp_skip_name(p, "not");
    const jtoken at = p->cur;
    n->name = dotted_name(p);
    if (!r1i_j_test_known(n->name)) note_unknown(p, &at, true);
    const jtok t = p->cur.type;
    if (t == T_LPAREN) {
        parse_args(p, n);
    } else if ((t == T_NAME || t == T_STRING || t == T_INT || t == T_FLOAT || t == T_LBRACKET || t == T_LBRACE) &&
               !r1i_jp_is_name(&p->cur, "else") && !r1i_jp_is_name(&p->cur, "or") && !r1i_jp_is_name(&p->cur, "and")) {
        if (r1i_jp_is_name(&p->cur, "is")) r1i_jp_fail(p, "%s", "You cannot chain multiple tests with is");
        vec arg = {0}, links = {0};
        r1i_jp_enter(p);
        jnode *a = parse_primary(p, false);
        while (p->cur.type == T_DOT || p->cur.type == T_LBRACKET || p->cur.type == T_LPAREN) {
            jnode *const call = r1i_jp_make(p, N_CALL);
            if (p->cur.type == T_LPAREN) parse_args(p, call);
            r1i_jp_push(p, &links, p->cur.type == T_DOT || p->cur.type == T_LBRACKET ? parse_subscript(p) : call);
        }
        p->nest--;
        if (links.n) {
            jnode *const chain = r1i_jp_make_list(p, N_CHAIN, &links);
            chain->a = a;
            a = chain;
        }
        r1i_jp_push(p, &arg, a);
        n->list = r1i_jp_nodes(&arg);
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
        if (!filters && (t == T_DOT || t == T_LBRACKET)) r1i_jp_push(p, &links, parse_subscript(p));
        else if (t == T_LPAREN && (!filters || with_filter)) {
            jnode *const call = r1i_jp_make(p, N_CALL);
            parse_args(p, call);
            r1i_jp_push(p, &links, call);
        } else if (with_filter && t == T_PIPE) {
            filters = true;
            r1i_jp_next(p);
            r1i_jp_push(p, &links, r1i_jp_parse_filter(p));
        } else if (with_filter && r1i_jp_is_name(&p->cur, "is")) {
            filters = true;
            r1i_jp_push(p, &links, parse_test(p));
        } else {
            break;
        }
    }
    if (!links.n) return base;
    jnode *const n = r1i_jp_make_list(p, N_CHAIN, &links);
    n->a = base;
    return n;
}

static jnode *parse_unary(parser *p, bool with_filter)
{
    jnode *n;
    r1i_jp_enter(p);
    if (p->cur.type == T_SUB || p->cur.type == T_ADD) {
        n = r1i_jp_make(p, p->cur.type == T_SUB ? N_NEG : N_POS);
        r1i_jp_next(p);
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
    r1i_jp_push(p, &items, first);
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
        r1i_jp_next(p);
        r1i_jp_push(p, &items, operand(p));
    }
    if (items.n == 1) return first;
    jnode *const n = r1i_jp_make_list(p, N_MATH, &items);
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
    r1i_jp_push(p, &items, parse_math2(p));
    while (r1i_jp_skip_if(p, T_TILDE)) r1i_jp_push(p, &items, parse_math2(p));
    return items.n == 1 ? items.v[0] : r1i_jp_make_list(p, N_CONCAT, &items);
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
        if (r1i_j_is(p->cur.text, "not") && r1i_jp_is_name(look(p), "in")) {
            r1i_jp_next(p);
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
        if (items.n == sizeof ops) r1i_jp_fail(p, "%s", "more than 64 comparisons in a row");
        ops[items.n] = (uint8_t)op;
        r1i_jp_next(p);
        r1i_jp_push(p, &items, parse_math1(p));
    }
    if (!items.n) return first;
    jnode *const n = r1i_jp_make_list(p, N_COMPARE, &items);
    n->a = first;
    n->ops = r1i_j_alloc(p->c, items.n);
    memcpy(n->ops, ops, items.n);
    return n;
}

static jnode *parse_not(parser *p)
{
    bool negate = false, any = false;
    while (r1i_jp_is_name(&p->cur, "not")) {
        r1i_jp_next(p);
        negate = !negate;
        any = true;
    }
    jnode *n = parse_compare(p);
    for (int i = any ? (negate ? 1 : 2) : 0; i > 0; i--) {
        jnode *const outer = r1i_jp_make(p, N_NOT);
        outer->a = n;
        n = outer;
    }
    return n;
}

static jnode *parse_and(parser *p)
{
    vec items = {0};
    r1i_jp_push(p, &items, parse_not(p));
    while (r1i_jp_skip_name(p, "and")) r1i_jp_push(p, &items, parse_not(p));
    return items.n == 1 ? items.v[0] : r1i_jp_make_list(p, N_AND, &items);
}

static jnode *parse_or(parser *p)
{
    vec items = {0};
    r1i_jp_push(p, &items, parse_and(p));
    while (r1i_jp_skip_name(p, "or")) r1i_jp_push(p, &items, parse_and(p));
    return items.n == 1 ? items.v[0] : r1i_jp_make_list(p, N_OR, &items);
}

jnode *r1i_jp_parse_expression(parser *p, bool conditional)
{
    const int nest = p->nest;
    r1i_jp_enter(p);
    const bool unknown = p->has_unknown;
    jnode *n = parse_or(p);
    while (conditional && r1i_jp_skip_name(p, "if")) {
        r1i_jp_enter(p);
        jnode *const cond = r1i_jp_make(p, N_COND);
        cond->b = n;
        cond->a = parse_or(p);
        if (r1i_jp_skip_name(p, "else")) cond->c = r1i_jp_parse_expression(p, true);
        n = cond;
        p->has_unknown = unknown;
    }
    p->nest = nest;
    return n;
}
