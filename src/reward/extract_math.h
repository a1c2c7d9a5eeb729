/* Formulas inside prose: between delimiters, or standing loose. Used by the ways of extraction. */
#ifndef R1I_EXTRACT_MATH_H
#define R1I_EXTRACT_MATH_H

#include "reward/slice.h"

/* Bytes of the $...$, $$...$$, \(...\) or \[...\] that begins at i, 0 where none does; *inside: nullable, delimiters
 * left out. A '$' that begins an amount of money opens nothing. */
size_t r1i_formula_at(r1i_slice t, size_t i, r1i_slice *inside);
/* The first **...**. */
bool r1i_bold_span(r1i_slice t, r1i_slice *out);
/* Right of the last '=' that stands outside braces and parentheses; the text itself where there is none. */
r1i_slice r1i_right_side(r1i_slice formula);
/* A number that stands in prose, with all that is bound to it by operators: "48 + 24 = 72", "$1,234.50", "3/4", "x =
 * \frac{5}{2}". The first or the last of the text; what a calculation came to outranks other numbers. */
bool r1i_loose_formula(r1i_slice t, bool first, r1i_slice *out);

#endif
