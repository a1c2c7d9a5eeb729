/* The inside of the parser: one cursor over the tokens, shared by math_parse.c (formulas), math_parse_fn.c (functions,
 * sums, integrals, environments, calls of program syntax) and math_parse_top.c (lists, relations, sets, whole
 * answers). */
#ifndef R1I_MATH_PARSE_H
#define R1I_MATH_PARSE_H

#include "reward/math_lex.h"

typedef struct r1i_mparse {
    r1i_mem *m;
    const char *text;
    r1i_mtok *tok;
    int i;
    int bars;        /* inside |...|, or where | parts a set's condition: a bar opens nothing here unless an operand is
                      * due */
    int integrals;   /* inside \int: "d x" ends the body */
    int given;       /* where one | is a condition */
    int ratios;      /* where ':' is no ratio */
    const char *differential; /* of the innermost integral, once seen */
} r1i_mparse;

static inline r1i_mtok *r1i_mp_now(r1i_mparse *p) { return &p->tok[p->i]; }
static inline bool r1i_mp_op(const r1i_mparse *p, int op)
{
    return p->tok[p->i].type == R1I_T_OP && p->tok[p->i].op == op;
}
static inline bool r1i_mp_op_at(const r1i_mparse *p, int i, int op)
{
    return p->tok[i].type == R1I_T_OP && p->tok[i].op == op;
}
static inline bool r1i_mp_take(r1i_mparse *p, int op)
{
    if (!r1i_mp_op(p, op)) return false;
    p->i++;
    return true;
}
static inline bool r1i_mp_sym(const r1i_mparse *p, int i, const char *name)
{
    return p->tok[i].type == R1I_T_SYM && strcmp(p->tok[i].s, name) == 0;
}
_Noreturn void r1i_mp_fail(r1i_mparse *p, const char *why);
void r1i_mp_need(r1i_mparse *p, int op, const char *why);
void r1i_mp_deeper(r1i_mparse *p); /* with r1i_mp_back: bounds the recursion */
static inline void r1i_mp_back(r1i_mparse *p) { p->m->depth--; }

/* math_parse.c */
r1i_mnode *r1i_mp_sum(r1i_mparse *p);
r1i_mnode *r1i_mp_term(r1i_mparse *p);
r1i_mnode *r1i_mp_power(r1i_mparse *p);      /* a primary with its powers, factorials, degrees */
r1i_mnode *r1i_mp_group(r1i_mparse *p);      /* the argument of a command: {...} or one token (one digit of a number) */
bool r1i_mp_starts(const r1i_mparse *p);     /* whether the next token can begin an implied factor */
const char *r1i_mp_subscript(r1i_mparse *p, const char *name); /* name, with the subscript that follows */
r1i_mnode *r1i_mp_neg(r1i_mem *m, r1i_mnode *e);
r1i_mnode *r1i_mp_div(r1i_mem *m, r1i_mnode *a, r1i_mnode *b);
r1i_mnode *r1i_mp_fraction(r1i_mparse *p);   /* at \frac */
/* math_parse_number.c */
r1i_mnode *r1i_mp_number(r1i_mparse *p, const r1i_mtok *t);
r1i_mnode *r1i_mp_in_base(r1i_mparse *p, const r1i_mtok *t); /* after the _ */
r1i_mnode *r1i_mp_number_primary(r1i_mparse *p);
/* math_parse_fn.c */
r1i_mnode *r1i_mp_function(r1i_mparse *p);
r1i_mnode *r1i_mp_big(r1i_mparse *p);
r1i_mnode *r1i_mp_derivative(r1i_mparse *p); /* at \frac; NULL: it is no d/dx */
r1i_mnode *r1i_mp_environment(r1i_mparse *p);
/* after "name(": NULL when the name means nothing here */
r1i_mnode *r1i_mp_program_call(r1i_mparse *p, const char *name);
/* math_parse_top.c */
r1i_mnode *r1i_mp_entry(r1i_mparse *p);      /* one entry of a list: relation, or relations joined by and / or */
r1i_mnode *r1i_mp_relation(r1i_mparse *p);
/* Entries parted by commas up to the closer (not taken); at most cap. */
int r1i_mp_entries(r1i_mparse *p, r1i_mnode ***out);
r1i_mnode *r1i_mp_brackets(r1i_mparse *p);   /* ( [ \{ \langle with all that they can mean */

#endif
