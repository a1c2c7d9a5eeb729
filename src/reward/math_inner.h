/* The inside of the answer checker's handles. */
#ifndef R1I_MATH_INNER_H
#define R1I_MATH_INNER_H

#include "reward/math.h"
#include "reward/math_shape.h"

typedef struct r1i_prover r1i_prover;

struct r1i_math {
    r1i_math_options options;
    r1_env env;
    r1i_mem scratch;
    r1i_prover *prover;     /* made by the first proof */
    double proof_until;     /* of this comparison: all its proofs share one time limit; 0 before the first */
    const char *why;        /* of the last comparison that said no */
};
struct r1i_math_value {
    r1i_mem mem;
    const r1i_mnode *root;  /* NULL: only the text is compared */
    /* letters: the source in lower case where it is nothing but letters, else NULL */
    const char *kind, *text, *letters;
    bool open;
};

/* Whether two shapes are the same value of the same type; math->why says why not. */
bool r1i_math_same(r1i_math *math, const r1i_shape *a, const r1i_shape *b);
/* ... or one may stand for the other in an answer. gold_first: a is the gold (matters to one rounding rule only). */
bool r1i_math_accepts(r1i_math *math, const r1i_shape *a, const r1i_shape *b, bool gold_first);

/* Exact proof by FLINT, Arb and Calcium in a child: 1 the formula is 0, -1 it is not, 0 not known; *why on 0. */
int r1i_math_prove(r1i_math *math, const r1i_frac *difference, const char **why);
void r1i_prover_destroy(r1i_prover *prover);

#endif
