/* Formulas as quotients of polynomials over the rationals in atoms: variables, primes under roots, pi, e, i, sines,
 * logarithms and whatever has no rule. Atoms are interned by their text, so equal formulas meet in equal atoms. */
#ifndef R1I_MATH_POLY_H
#define R1I_MATH_POLY_H

#include "reward/math_node.h"

typedef struct r1i_atom r1i_atom;
typedef struct r1i_factor {
    r1i_atom *atom;
    int32_t p, q;        /* exponent p/q > 0, reduced */
} r1i_factor;
typedef struct r1i_term {
    r1i_rat c;           /* not 0 */
    int32_t n;
    r1i_factor *f;       /* by atom order */
} r1i_term;
typedef struct r1i_poly {
    int32_t n;
    r1i_term *t;         /* greatest first, no two alike */
} r1i_poly;
typedef struct r1i_frac {
    r1i_poly num, den;
} r1i_frac;

typedef enum r1i_atom_kind {
    R1I_A_SYM, R1I_A_PRIME, R1I_A_CONST, R1I_A_FN, R1I_A_OPAQUE,
    R1I_A_ROOT,          /* a polynomial that only appears to fractional powers: arg[0] */
    R1I_A_POWER          /* arg[0] ^ (arg[1], a monomial with coefficient 1) */
} r1i_atom_kind;
struct r1i_atom {
    const char *key;     /* how it is written; also its place in the order of atoms */
    r1i_atom *next;
    r1i_atom_kind kind;
    int op;              /* R1I_MC_*, R1I_MF_* */
    bool positive, constant; /* known to be > 0; without variables */
    r1i_int prime;
    int n_args;
    r1i_frac *arg;
    int rule_k;          /* atom^rule_k = rule, 0: none */
    r1i_poly rule;
};

r1i_atom *r1i_atom_get(r1i_mem *m, r1i_atom_kind kind, int op, const char *key, const r1i_frac *args, int n_args);
r1i_atom *r1i_atom_const(r1i_mem *m, int what);
r1i_atom *r1i_atom_prime(r1i_mem *m, const r1i_int *p);

r1i_poly r1i_poly_rat(r1i_mem *m, const r1i_rat *c);
r1i_poly r1i_poly_int(r1i_mem *m, int64_t v);
r1i_poly r1i_poly_atom(r1i_mem *m, r1i_atom *a, int32_t p, int32_t q);
r1i_poly r1i_poly_term(r1i_mem *m, const r1i_term *t); /* copied */
r1i_poly r1i_poly_add(r1i_mem *m, const r1i_poly *a, const r1i_poly *b);
r1i_poly r1i_poly_scale(r1i_mem *m, const r1i_poly *a, const r1i_rat *c);
r1i_poly r1i_poly_mul(r1i_mem *m, const r1i_poly *a, const r1i_poly *b);
bool r1i_poly_div(r1i_mem *m, const r1i_poly *a, const r1i_poly *b, r1i_poly *quot); /* exact, or false */
bool r1i_poly_same(const r1i_poly *a, const r1i_poly *b);
bool r1i_poly_const(const r1i_poly *a, r1i_rat *c);   /* whether it is a rational number */
bool r1i_poly_no_vars(const r1i_poly *a);             /* whether it has no variable */
r1i_rat r1i_poly_content(r1i_mem *m, const r1i_poly *a); /* > 0 */
int r1i_poly_sign(const r1i_poly *a);                  /* of the leading coefficient */
bool r1i_poly_has(const r1i_poly *a, const r1i_atom *atom);

r1i_frac r1i_frac_rat(r1i_mem *m, const r1i_rat *c);
r1i_frac r1i_frac_int(r1i_mem *m, int64_t v);
r1i_frac r1i_frac_poly(r1i_mem *m, const r1i_poly *p);
r1i_frac r1i_frac_atom(r1i_mem *m, r1i_atom *a);
r1i_frac r1i_frac_add(r1i_mem *m, const r1i_frac *a, const r1i_frac *b);
r1i_frac r1i_frac_sub(r1i_mem *m, const r1i_frac *a, const r1i_frac *b);
r1i_frac r1i_frac_mul(r1i_mem *m, const r1i_frac *a, const r1i_frac *b);
r1i_frac r1i_frac_div(r1i_mem *m, const r1i_frac *a, const r1i_frac *b);
r1i_frac r1i_frac_scale(r1i_mem *m, const r1i_frac *a, const r1i_rat *c);
bool r1i_frac_const(const r1i_frac *a, r1i_rat *c);
bool r1i_frac_small(const r1i_frac *a, int64_t *v); /* whether it is an integer below 2^31 in size */
bool r1i_frac_no_vars(const r1i_frac *a);
bool r1i_frac_same(const r1i_frac *a, const r1i_frac *b);
static inline bool r1i_frac_zero(const r1i_frac *a) { return a->num.n == 0; }

void r1i_poly_write(r1i_mtext *t, const r1i_poly *a);
void r1i_frac_write(r1i_mtext *t, const r1i_frac *a);
const char *r1i_frac_text(r1i_mem *m, const r1i_frac *a);

/* math_canon.c: the normal form of a formula. */
r1i_frac r1i_math_canon(r1i_mem *m, const r1i_mnode *e);
r1i_frac r1i_math_pow(r1i_mem *m, const r1i_frac *base, const r1i_frac *exponent);
r1i_frac r1i_math_pow_rat(r1i_mem *m, const r1i_frac *base, int32_t p, int32_t q);
r1i_frac r1i_math_ln(r1i_mem *m, const r1i_frac *a);
r1i_frac r1i_math_abs(r1i_mem *m, const r1i_frac *a);
r1i_frac r1i_math_i_to(r1i_mem *m, int64_t k); /* i^k */
r1i_frac r1i_math_half(r1i_mem *m);
r1i_frac r1i_math_fn_atom(r1i_mem *m, int fn, const r1i_frac *args, int n); /* a function without a rule */
/* math_function.c: a function of normal forms. */
r1i_frac r1i_math_function(r1i_mem *m, int fn, const r1i_frac *args, int n);
/* math_trig.c */
r1i_frac r1i_math_sincos(r1i_mem *m, int fn, const r1i_frac *a); /* R1I_MF_SIN or R1I_MF_COS */
r1i_frac r1i_math_arc(r1i_mem *m, int fn, const r1i_frac *a);
/* Sines, cosines and exponentials rewritten in exponentials of the parts of their arguments: decides their
 * identities. */
bool r1i_math_vanishes(r1i_mem *m, const r1i_poly *difference);
/* math_sample.c: an enclosure of a constant; 0 when its sign or value cannot be told. */
int r1i_math_sign(r1i_mem *m, const r1i_frac *a);
bool r1i_math_floor(r1i_mem *m, const r1i_frac *a, int64_t *v);
typedef struct r1i_ball {
    double re, im, rad; /* the value lies within rad; rad infinite: not known */
} r1i_ball;
r1i_ball r1i_math_ball(const r1i_frac *a, uint32_t seed); /* variables take pseudo-random positive values by name and
                                                           * seed */
/* math_shape.c */
const char *r1i_math_shape_text(r1i_mem *m, const r1i_mnode *e);

#endif
