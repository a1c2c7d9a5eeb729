/* The typed normal form of an answer: what kind of thing it is, its canonical text, and the parts that a comparison
 * walks. */
#ifndef R1I_MATH_SHAPE_H
#define R1I_MATH_SHAPE_H

#include "reward/math_poly.h"

typedef enum r1i_skind {
    R1I_S_VALUE,     /* frac: a number or formula */
    R1I_S_QTY,       /* frac with unit (name) */
    R1I_S_LIST,      /* unordered: the solutions, without brackets; kids sorted by text */
    R1I_S_SET, R1I_S_TUPLE, /* op of a tuple: closed ends as written */
    R1I_S_INTERVALS, /* kids in pairs (low, high), op bits in closed[]: a union of intervals and points of the line;
                      * name: variable or NULL */
    R1I_S_UNION,     /* of sets that are not intervals; kids sorted; op the node kind */
    R1I_S_MATRIX,    /* op columns */
    /* frac: what vanishes; kids[0], kids[1] the sides as written; op 1: the left side names something */
    R1I_S_EQUATION,
    R1I_S_ORDER,     /* frac rel 0 in more than one variable; name the relation */
    R1I_S_FUNCTION,  /* a definition f(x) = ...: kids[0] body with renamed arguments; kids[1] the body as written; name
                      * f */
    R1I_S_IN,        /* name in kids[0] */
    R1I_S_RATIO, R1I_S_CHOICE, R1I_S_WORDS, /* name: clock, date, text, base numeral, relation without rules */
    R1I_S_PIECES, R1I_S_SYSTEM
} r1i_skind;

typedef struct r1i_shape r1i_shape;
struct r1i_shape {
    r1i_skind kind;
    const char *what;    /* words of the kind: "integer", "set" */
    const char *text;
    const char *name;
    int op, n;
    bool open;           /* arithmetic or an unevaluated sum, integral, limit left to do */
    int decimals;        /* printed by a decimal number, -1 */
    int digits;          /* significant digits of it */
    bool approximate;    /* marked by an approximation sign; kids[] of the chain's other value in other */
    r1i_frac frac;
    r1i_rat scale;
    uint8_t *closed;
    r1i_shape **kid;
    r1i_shape *other;    /* the other side of an approximation, or the value beside a choice; nullable */
};

r1i_shape *r1i_math_shape(r1i_mem *m, const r1i_mnode *e);
/* The interval reading of (a, b), [a, b), ...; NULL when it has none. */
r1i_shape *r1i_shape_interval(r1i_mem *m, const r1i_shape *tuple);

#endif
