/* Whether a program printed what was expected: line by line, token by token. */
#ifndef R1I_CODE_COMPARE_H
#define R1I_CODE_COMPARE_H

#include <stdbool.h>
#include <stddef.h>

/* Lines must be the same in number, but for blank ones at the end; in a line, tokens parted by blanks. CR before LF,
 * blanks at either end of a line and runs of blanks do not count; letters' case does. Tokens are equal by bytes or,
 * where the expected one is a decimal number with a fraction or an exponent and tolerance > 0, when both are finite
 * decimal numbers and |printed - expected| <= tolerance * max(1, |expected|). Whole numbers are compared by bytes,
 * never rounded. On a difference, why says in words where it is. */
bool r1i_output_equal(const char *printed, size_t n_printed, const char *expected, size_t n_expected, double tolerance,
                      char *why, size_t why_bytes);

#endif
