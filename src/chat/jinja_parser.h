/* What the two halves of the parser share: the token stream, node making, the entry points for expressions. */
#ifndef R1I_JINJA_PARSER_H
#define R1I_JINJA_PARSER_H

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

/* How a comma list ends and what it may hold. */
typedef struct tuple_rules { bool simplified, no_condition, parentheses, with_namespace; const char *end_name;
                             } tuple_rules;

/* Append to a growing array of the pool. */
void r1i_jp_push(parser *p, vec *a, void *item);
jnode **r1i_jp_nodes(const vec *a);
/* The token stream: cur is the current token. */
void r1i_jp_next(parser *p);
J_NORETURN void r1i_jp_fail(parser *p, const char *fmt, const char *what);
const char *r1i_jp_describe(parser *p, const jtoken *t);
bool r1i_jp_is_name(const jtoken *t, const char *name);
bool r1i_jp_skip_name(parser *p, const char *name);
bool r1i_jp_skip_if(parser *p, jtok type);
void r1i_jp_expect(parser *p, jtok type);
const jstr *r1i_jp_expect_name(parser *p);
jnode *r1i_jp_make(parser *p, jtype type);
jnode *r1i_jp_make_list(parser *p, jtype type, const vec *items);
/* One level of nesting deeper; the way back is p->nest--. */
void r1i_jp_enter(parser *p);
jnode *r1i_jp_constant(parser *p, jval v);
/* Expressions; end_name and the rest of the rules as jinja2's parse_tuple has them. */
jnode *r1i_jp_parse_tuple(parser *p, tuple_rules r);
jnode *r1i_jp_parse_expression(parser *p, bool conditional);
jnode *r1i_jp_parse_filter(parser *p);
/* Fails if a filter or test of the statement just read does not exist. */
void r1i_jp_check_unknown(parser *p);

#endif
