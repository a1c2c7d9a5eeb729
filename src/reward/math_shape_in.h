/* Between math_shape.c and math_line.c (sets of the real line). */
#ifndef R1I_MATH_SHAPE_IN_H
#define R1I_MATH_SHAPE_IN_H

#include "reward/math_shape.h"

r1i_shape *r1i_shape_make(r1i_mem *m, r1i_skind kind, const char *what, int n);
r1i_shape *r1i_shape_words(r1i_mem *m, const char *what, const char *text);
r1i_shape *r1i_shape_value(r1i_mem *m, const r1i_frac *f);
r1i_shape *r1i_shape_set(r1i_mem *m, r1i_shape **kids, int n);
/* x rel at, as an interval in x. */
r1i_shape *r1i_shape_ray(r1i_mem *m, const char *x, char rel, const r1i_frac *at);
/* Intervals in one variable, also x = a, joined by "and" or "or"; NULL when the kids are something else. */
r1i_shape *r1i_shape_combine(r1i_mem *m, r1i_shape **kids, int n, r1i_mkind how);
r1i_shape *r1i_shape_matrix(r1i_mem *m, const r1i_mnode *e);
/* Arithmetic of matrices, determinants and traces; NULL when e has none of them. */
r1i_shape *r1i_shape_matrices(r1i_mem *m, const r1i_mnode *e);
/* Unions, intersections, differences and the sets R, Z, ... */
r1i_shape *r1i_shape_sets(r1i_mem *m, const r1i_mnode *e);
r1i_shape *r1i_shape_named(r1i_mem *m, r1i_shape *s); /* writes the text of R1I_S_INTERVALS */

#endif
