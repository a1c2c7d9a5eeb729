/* Tokens to statements. */
#include <stdio.h>
#include <string.h>

#include "chat/jinja_parser.h"

/* ---- statements -------------------------------------------------------------------------------------------------- */
static jbody parse_body(parser *p, const char *const *ends);

static bool assignable(parser *p, const jnode *n)
{
    if (n->type == N_NAME && p->fors && r1i_j_is(n->name, "loop"))
        r1i_jp_fail(p, "%s", "Can't assign to special loop variable in for-loop target");
    if (n->type == N_NAME || n->type == N_NSREF) return true;
    if (n->type != N_TUPLE) return false;
    for (size_t i = 0; i < n->n; i++)
        if (!assignable(p, n->list[i])) return false;
    return true;
}

static jnode *parse_target(parser *p, bool with_namespace, const char *end_name)
{
    const uint8_t special = p->special;
    jnode *const n = r1i_jp_parse_tuple(p,
                                        (tuple_rules){.simplified = true, .with_namespace = with_namespace,
                                                      .end_name = end_name});
    if (!assignable(p, n)) r1i_jp_fail(p, "%s", "can't assign to this expression");
    p->special = special; /* storing to "caller" is no mention of it */
    return n;
}

/* "... %}", statements, "{% end": the end name stays current. */
static jbody parse_block(parser *p, const char *const *ends)
{
    r1i_jp_skip_if(p, T_COLON);
    r1i_jp_expect(p, T_BLOCK_END);
    r1i_jp_enter(p);
    const jbody b = parse_body(p, ends);
    p->nest--;
    if (p->cur.type == T_EOF) {
        char text[128];
        snprintf(text, sizeof text, "Unexpected end of template. Looking for: %s%s%s", ends[0], ends[1] ? " or " : "",
                 ends[1] ? ends[1] : "");
        r1i_jp_fail(p, "%s", text);
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
    jnode *const n = r1i_jp_make(p, N_FOR);
    r1i_jp_next(p);
    p->fors++;
    n->a = parse_target(p, false, "in");
    if (!r1i_jp_skip_name(p, "in")) r1i_jp_fail(p, "expected token 'in', got '%s'", r1i_jp_describe(p, &p->cur));
    n->b = r1i_jp_parse_tuple(p, (tuple_rules){.no_condition = true, .end_name = "recursive"});
    if (r1i_jp_skip_name(p, "if")) n->c = r1i_jp_parse_expression(p, true);
    n->flag = r1i_jp_skip_name(p, "recursive");
    const int soft = p->soft;
    p->soft = 0;
    p->loops++;
    n->body = parse_block(p, end_for);
    p->loops--;
    if (r1i_jp_skip_name(p, "else")) n->other = parse_block(p, end_for);
    if (!r1i_jp_skip_name(p, "endfor")) r1i_jp_fail(p, "%s", "a for loop has one else at most");
    p->soft = soft;
    p->fors--;
    return n;
}

/* elif branches hang in `other` of the one before, marked, so that the evaluator walks them in a loop. */
static jnode *parse_if(parser *p)
{
    jnode *const first = r1i_jp_make(p, N_IF);
    jnode *n = first;
    p->soft++;
    for (;;) {
        r1i_jp_next(p);
        n->a = r1i_jp_parse_tuple(p, (tuple_rules){.no_condition = true});
        n->body = parse_block(p, end_if);
        if (!r1i_jp_is_name(&p->cur, "elif")) break;
        jnode *const other = r1i_jp_make(p, N_IF);
        vec one = {0};
        other->flag = true;
        r1i_jp_push(p, &one, other);
        n->other = (jbody){.v = r1i_jp_nodes(&one), .n = 1};
        n = other;
    }
    if (r1i_jp_skip_name(p, "else")) n->other = parse_block(p, end_if);
    if (!r1i_jp_skip_name(p, "endif")) r1i_jp_fail(p, "%s", "expected endif");
    p->soft--;
    return first;
}

/* |filter|filter: of a set block or of a filter block, a chain without a base */
static jnode *parse_filters(parser *p)
{
    vec links = {0};
    do r1i_jp_push(p, &links, r1i_jp_parse_filter(p));
    while (r1i_jp_skip_if(p, T_PIPE));
    return r1i_jp_make_list(p, N_CHAIN, &links);
}

static jnode *parse_set(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_SET);
    r1i_jp_next(p);
    n->a = parse_target(p, true, NULL);
    if (r1i_jp_skip_if(p, T_ASSIGN)) {
        n->b = r1i_jp_parse_tuple(p, (tuple_rules){0});
        return n;
    }
    n->type = N_SETBLOCK;
    if (r1i_jp_skip_if(p, T_PIPE)) n->b = parse_filters(p);
    n->body = parse_block(p, end_set);
    r1i_jp_next(p);
    return n;
}

static void parse_signature(parser *p, jnode *n)
{
    vec args = {0}, defaults = {0};
    r1i_jp_expect(p, T_LPAREN);
    while (p->cur.type != T_RPAREN) {
        if (args.n) r1i_jp_expect(p, T_COMMA);
        jnode *const arg = r1i_jp_make(p, N_NAME);
        arg->name = r1i_jp_expect_name(p);
        if (r1i_jp_skip_if(p, T_ASSIGN)) r1i_jp_push(p, &defaults, r1i_jp_parse_expression(p, true));
        else if (defaults.n) r1i_jp_fail(p, "%s", "non-default argument follows default argument");
        r1i_jp_push(p, &args, arg);
    }
    r1i_jp_expect(p, T_RPAREN);
    n->list = r1i_jp_nodes(&args);
    n->n = args.n;
    n->kw = r1i_jp_nodes(&defaults);
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
    r1i_jp_next(p);
    n->special = p->special;
    p->special |= special;
    p->loops = loops;
    p->soft = soft;
}

static jnode *parse_macro(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_MACRO);
    r1i_jp_next(p);
    n->name = r1i_jp_expect_name(p);
    parse_signature(p, n);
    parse_macro_body(p, n, end_macro);
    return n;
}

static jnode *parse_call_block(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_CALLBLOCK);
    r1i_jp_next(p);
    if (p->cur.type == T_LPAREN) parse_signature(p, n);
    n->a = r1i_jp_parse_expression(p, true);
    if (n->a->type != N_CHAIN || n->a->list[n->a->n - 1]->type != N_CALL) r1i_jp_fail(p, "%s", "expected call");
    parse_macro_body(p, n, end_call);
    return n;
}

static jnode *parse_with(parser *p)
{
    jnode *const n = r1i_jp_make(p, N_WITH);
    vec targets = {0}, values = {0};
    r1i_jp_next(p);
    while (p->cur.type != T_BLOCK_END) {
        if (targets.n) r1i_jp_expect(p, T_COMMA);
        r1i_jp_push(p, &targets, parse_target(p, false, NULL));
        r1i_jp_expect(p, T_ASSIGN);
        r1i_jp_push(p, &values, r1i_jp_parse_expression(p, true));
    }
    n->list = r1i_jp_nodes(&targets);
    n->n = targets.n;
    n->kw = r1i_jp_nodes(&values);
    n->n_kw = values.n;
    n->body = parse_block(p, end_with);
    r1i_jp_next(p);
    return n;
}

static jnode *parse_print(parser *p)
{
    vec items = {0};
    r1i_jp_next(p);
    while (p->cur.type != T_BLOCK_END) {
        if (items.n) r1i_jp_expect(p, T_COMMA);
        r1i_jp_push(p, &items, r1i_jp_parse_expression(p, true));
    }
    return r1i_jp_make_list(p, N_OUTPUT, &items);
}

static jnode *parse_scope(parser *p, const char *const *ends, bool named)
{
    jnode *const n = r1i_jp_make(p, N_SCOPE);
    r1i_jp_next(p);
    if (named) {
        n->name = r1i_jp_expect_name(p);
        while (r1i_jp_is_name(&p->cur, "scoped") || r1i_jp_is_name(&p->cur, "required")) r1i_jp_next(p);
    }
    parse_macro_body(p, n, ends);
    if (named && p->cur.type == T_NAME && r1i_j_streq(p->cur.text, n->name)) r1i_jp_next(p);
    return n;
}

static jnode *parse_statement(parser *p)
{
    const jtoken *const t = &p->cur;
    if (t->type != T_NAME) r1i_jp_fail(p, "tag name expected, got '%s'", r1i_jp_describe(p, t));
    if (r1i_jp_is_name(t, "for")) return parse_for(p);
    if (r1i_jp_is_name(t, "if")) return parse_if(p);
    if (r1i_jp_is_name(t, "set")) return parse_set(p);
    if (r1i_jp_is_name(t, "macro")) return parse_macro(p);
    if (r1i_jp_is_name(t, "call")) return parse_call_block(p);
    if (r1i_jp_is_name(t, "with")) return parse_with(p);
    if (r1i_jp_is_name(t, "print")) return parse_print(p);
    if (r1i_jp_is_name(t, "generation")) return parse_scope(p, end_generation, false);
    if (r1i_jp_is_name(t, "block")) return parse_scope(p, end_block, true);
    if (r1i_jp_is_name(t, "break") || r1i_jp_is_name(t, "continue")) {
        jnode *const n = r1i_jp_make(p, r1i_jp_is_name(t, "break") ? N_BREAK : N_CONTINUE);
        if (!p->loops) r1i_jp_fail(p, "'%s' outside a loop", r1i_jp_describe(p, t));
        r1i_jp_next(p);
        return n;
    }
    if (r1i_jp_is_name(t, "filter")) {
        jnode *const n = r1i_jp_make(p, N_FILTERBLOCK);
        r1i_jp_next(p);
        n->b = parse_filters(p);
        n->body = parse_block(p, end_filter);
        r1i_jp_next(p);
        return n;
    }
    if (r1i_jp_is_name(t, "include") || r1i_jp_is_name(t, "import") || r1i_jp_is_name(t, "from") ||
        r1i_jp_is_name(t, "extends") || r1i_jp_is_name(t, "autoescape")) {
        p->c->line = t->line;
        p->c->offset = t->offset;
        r1i_j_fail(p->c, R1_ERR_UNSUPPORTED, "{%% %s %%} is not supported in chat templates", r1i_jp_describe(p, t));
    }
    r1i_jp_fail(p, "Encountered unknown tag '%s'.", r1i_jp_describe(p, t));
}

static bool at_end(parser *p, const char *const *ends)
{
    for (; ends && *ends; ends++)
        if (r1i_jp_is_name(&p->cur, *ends)) return true;
    return false;
}

static jbody parse_body(parser *p, const char *const *ends)
{
    vec body = {0}, text = {0};
    for (;;) {
        const jtok t = p->cur.type;
        if (t == T_DATA) {
            r1i_jp_push(p, &text, r1i_jp_constant(p, r1i_j_sv(p->cur.text)));
            r1i_jp_next(p);
            continue;
        }
        if (t == T_VAR_BEGIN) {
            r1i_jp_next(p);
            r1i_jp_push(p, &text, r1i_jp_parse_tuple(p, (tuple_rules){0}));
            r1i_jp_check_unknown(p);
            r1i_jp_expect(p, T_VAR_END);
            continue;
        }
        if (text.n) {
            r1i_jp_push(p, &body, r1i_jp_make_list(p, N_OUTPUT, &text));
            text = (vec){0};
        }
        if (t == T_EOF) break;
        if (t != T_BLOCK_BEGIN) r1i_jp_fail(p, "unexpected '%s'", r1i_jp_describe(p, &p->cur));
        r1i_jp_next(p);
        if (at_end(p, ends)) break;
        r1i_jp_push(p, &body, parse_statement(p));
        r1i_jp_check_unknown(p);
        r1i_jp_expect(p, T_BLOCK_END);
    }
    return (jbody){.v = r1i_jp_nodes(&body), .n = body.n};
}

void r1i_j_parse(jctx *c, const char *source, size_t bytes, jbody *out)
{
    parser p = {.c = c};
    r1i_j_lex_init(&p.lex, c, source, bytes);
    r1i_jp_next(&p);
    *out = parse_body(&p, NULL);
}
