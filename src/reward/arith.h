/* Arithmetic puzzles: an expression over + - * / and parentheses, read and evaluated in exact rationals. Nothing that
 * the text
 * names is run: the reader knows four operators, and what is not of its grammar is refused with the place. */
#ifndef R1I_ARITH_H
#define R1I_ARITH_H

#include "reward/rule_text.h"

enum { R1I_ARITH_NUMBERS = 32, R1I_ARITH_DEPTH = 100, R1I_ARITH_BYTES = 4096 };

typedef struct r1i_arith {
    size_t n;
    int64_t number[R1I_ARITH_NUMBERS]; /* literals in the order of the text, 0 .. 10^15 */
    __int128 num, den;                 /* the value, lowest terms, den > 0; valid when evaluated */
    char error[96];                    /* words, empty when the text was accepted */
    size_t at;                         /* byte of the error */
} r1i_arith;

/* Reads the whole of s. Accepted spellings of the operators: + - * / and U+2212 U+00D7 U+00B7 U+00F7 \times \cdot \div,
 * brackets ( ) [ ] \left( \right), \frac{a}{b}. Refused: decimals, powers (** ^), // , unary signs, juxtaposition,
 * anything else. With evaluate false only the form and the numbers are looked at. false: out->error says why. Bounded:
 * R1I_ARITH_BYTES of text. */
bool r1i_arith_read(r1i_span s, bool evaluate, r1i_arith *out);

#endif
