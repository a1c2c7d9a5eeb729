/* What the parser makes: a tree of typed nodes in an arena. The same nodes carry formulas, sets, intervals, matrices
 * and words; math_canon.c turns formulas into normal forms, math_shape.c the rest. */
#ifndef R1I_MATH_NODE_H
#define R1I_MATH_NODE_H

#include "reward/math_number.h"

typedef enum r1i_mkind {
    /* formulas */
    R1I_M_NUM,      /* num; decimals: digits printed after the point, -1 for an integer or fraction */
    R1I_M_SYM,      /* name */
    R1I_M_CONST,    /* op: R1I_MC_* */
    R1I_M_ADD, R1I_M_MUL, /* kid[n] */
    R1I_M_POW,      /* kid[0] ^ kid[1] */
    R1I_M_FN,       /* op: R1I_MF_*, kid[n] */
    R1I_M_CALL,     /* name(kid...): an undefined function */
    R1I_M_BIND,     /* op: R1I_MB_*; kid[0] the body, kid[1] the bound symbol, then its limits */
    R1I_M_PM,       /* plus or minus kid[0]; op -1: minus or plus */
    /* structures */
    R1I_M_LIST,     /* a, b, c without brackets */
    R1I_M_TUPLE,    /* op: R1I_MI_* closed ends; two entries may also be read as an interval */
    R1I_M_SET,
    R1I_M_UNION, R1I_M_CUT, R1I_M_MINUS, /* of sets */
    R1I_M_NUMBERS,  /* name: R, Q, Z, N, C, empty */
    R1I_M_SETOF,    /* kid[0] element, kid[1..] conditions */
    R1I_M_MATRIX,   /* op columns, kid[] by rows */
    R1I_M_REL,      /* kid[0] rel[0] kid[1] ...; name holds one character a relation: = < > l g n a(pprox) e(quiv) i(n)
                     * o(not in) t(o) s(ubset) */
    R1I_M_AND, R1I_M_OR, R1I_M_NOT,
    R1I_M_PIECES,   /* value, condition, value, condition ... */
    /* answers that are no formula */
    R1I_M_QTY,      /* kid[0], name: canonical unit */
    R1I_M_CLOCK,    /* num: seconds */
    R1I_M_DATE,     /* name */
    R1I_M_RATIO,    /* kid[n] */
    R1I_M_BASE,     /* name: digits, op: the base */
    R1I_M_CHOICE,   /* op: the letter; kid[0] the value beside it, if any */
    R1I_M_TEXT      /* name: words in lower case */
} r1i_mkind;

enum { R1I_MC_PI, R1I_MC_E, R1I_MC_I, R1I_MC_INF, R1I_MC_CINF, R1I_MC_NAN, R1I_MC_TRUE, R1I_MC_FALSE };
enum { R1I_MB_SUM, R1I_MB_PROD, R1I_MB_INT, R1I_MB_LIM, R1I_MB_DIFF, R1I_MB_PDIFF };
enum { R1I_MI_LEFT = 1, R1I_MI_RIGHT = 2, R1I_MI_ANGLE = 4 }; /* closed on that side; written with angle brackets */

#define R1I_MATH_FUNCTIONS(X)                                                                                         \
    X(SIN, "sin") X(COS, "cos") X(TAN, "tan") X(COT, "cot") X(SEC, "sec") X(CSC, "csc")                               \
    X(ASIN, "asin") X(ACOS, "acos") X(ATAN, "atan") X(ACOT, "acot") X(ASEC, "asec") X(ACSC, "acsc")                   \
    X(SINH, "sinh") X(COSH, "cosh") X(TANH, "tanh") X(COTH, "coth") X(SECH, "sech") X(CSCH, "csch")                   \
    X(ASINH, "asinh") X(ACOSH, "acosh") X(ATANH, "atanh") X(ACOTH, "acoth") X(ASECH, "asech") X(ACSCH, "acsch")       \
    X(EXP, "exp") X(LN, "ln") X(LOG, "log") X(ABS, "abs") X(FLOOR, "floor") X(CEIL, "ceil") X(ROOT, "root")           \
    X(FACT, "factorial") X(FACT2, "dfactorial") X(BINOM, "binomial") X(GCD, "gcd") X(LCM, "lcm") X(MOD, "Mod")        \
    X(MAX, "max") X(MIN, "min") X(SIGN, "sign") X(RE, "re") X(IM, "im") X(ARG, "arg") X(CONJ, "conjugate")            \
    X(DET, "det") X(TRACE, "trace") X(NORM, "norm") X(GAMMA, "gamma") X(ZETA, "zeta") X(ERF, "erf") X(INNER, "inner") \
    X(TRANSPOSE, "transpose") X(SGN, "sgn") X(PROB, "prob") X(DIM, "dim") X(SUP, "sup") X(INF, "infimum")             \
    X(PERP, "angle")                                                                                                  \
    X(ARC, "arc") X(TRI, "triangle") X(PRIME, "prime") X(SIZE, "size")
typedef enum r1i_mfn {
#define X(id, name) R1I_MF_##id,
    R1I_MATH_FUNCTIONS(X)
#undef X
    R1I_MF_N
} r1i_mfn;
extern const char *const r1i_mfn_name[R1I_MF_N];

typedef struct r1i_mnode r1i_mnode;
struct r1i_mnode {
    uint8_t kind;
    bool open;          /* written as arithmetic still to be done (2 + 3), or an unevaluated sum, integral, limit */
    bool paren;         /* stood in its own brackets */
    bool degrees;       /* number marked approximate */
    int32_t op, n;
    int32_t decimals;
    uint32_t at, end;   /* bytes of the source */
    r1i_mnode **kid;
    const char *name;
    r1i_rat num;
};

r1i_mnode *r1i_mnode_make(r1i_mem *m, r1i_mkind kind, int op, int n, ...); /* n kids follow */
r1i_mnode *r1i_mnode_many(r1i_mem *m, r1i_mkind kind, int op, int n, r1i_mnode *const *kids);
r1i_mnode *r1i_mnode_int(r1i_mem *m, int64_t v);
r1i_mnode *r1i_mnode_rat(r1i_mem *m, const r1i_rat *v);
r1i_mnode *r1i_mnode_name(r1i_mem *m, r1i_mkind kind, const char *s, size_t n);
static inline bool r1i_mnode_is_int(const r1i_mnode *e, int64_t v)
{
    return e->kind == R1I_M_NUM && r1i_rat_is(&e->num, v);
}
/* Whether the tree holds a node of this kind and op (-1: any op). */
bool r1i_mnode_has(const r1i_mnode *e, r1i_mkind kind, int op);
bool r1i_mnode_has_name(const r1i_mnode *e, const char *name);

/* Parse the whole text into one node; leaves by r1i_mem_fail with the offset. */
r1i_mnode *r1i_math_read(r1i_mem *m, const char *text, size_t bytes);

#endif
