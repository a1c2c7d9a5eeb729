/* Bytes to tokens: LaTeX commands, plain words and Unicode signs end in one alphabet, so the parser has one spelling of
 * each. */
#ifndef R1I_MATH_LEX_H
#define R1I_MATH_LEX_H

#include "reward/math_node.h"

typedef enum r1i_mtok_type {
    R1I_T_END, R1I_T_NUM, R1I_T_SYM, R1I_T_FN, R1I_T_CONST, R1I_T_TEXT, R1I_T_OP,
    R1I_T_BIG,     /* op: R1I_MB_*: sum, product, integral, limit */
    R1I_T_ACCENT,  /* s: overline, vec, hat ...: an argument follows */
    R1I_T_ENV      /* \begin or \end; op 1 or 0, s: the name */
} r1i_mtok_type;

/* Operators are their ASCII character where there is one. */
enum {
    R1I_OP_LE = 256, R1I_OP_GE, R1I_OP_NE, R1I_OP_APPROX, R1I_OP_EQUIV, R1I_OP_PM, R1I_OP_MP, R1I_OP_CUP, R1I_OP_CAP,
    R1I_OP_SETMINUS, R1I_OP_IN, R1I_OP_NOTIN, R1I_OP_SUBSET, R1I_OP_TO, R1I_OP_OR, R1I_OP_AND, R1I_OP_NOT, R1I_OP_MID,
    R1I_OP_LFLOOR, R1I_OP_RFLOOR, R1I_OP_LCEIL, R1I_OP_RCEIL, R1I_OP_LANGLE, R1I_OP_RANGLE, R1I_OP_LVERT, R1I_OP_RVERT,
    R1I_OP_NORM, R1I_OP_LSET, R1I_OP_RSET, R1I_OP_DEG, R1I_OP_FRAC, R1I_OP_SQRT, R1I_OP_BINOM, R1I_OP_CHOOSE,
    R1I_OP_OVER, R1I_OP_BOX, R1I_OP_ROW, R1I_OP_EMPTY, R1I_OP_DOTS, R1I_OP_PARTIAL, R1I_OP_NUMBERS, R1I_OP_MONEY,
    R1I_OP_PMOD, R1I_OP_BMOD, R1I_OP_IF, R1I_OP_DIV, R1I_OP_SUBSTACK, R1I_OP_ANGLE, R1I_OP_FORALL, R1I_OP_CIRC,
    R1I_OP_NABLA, R1I_OP_ARCSEC, R1I_OP_ARCMIN
};

typedef struct r1i_mtok {
    uint8_t type;
    bool space;      /* white space before it */
    bool grouped;    /* a number with a plain comma between its thousands */
    bool plain;      /* a word outside LaTeX */
    int32_t op;
    const char *s;   /* number: digits and a point; symbol, text, environment: its name */
    uint32_t n, at, end;
} r1i_mtok;

typedef struct r1i_mtoks {
    r1i_mtok *tok;   /* ends in R1I_T_END */
    int n;
} r1i_mtoks;

enum { R1I_MATH_BYTES = 32768 }; /* of one answer */

void r1i_math_lex(r1i_mem *m, const char *text, size_t bytes, r1i_mtoks *out);

/* math_words.c: value of a number word ("seven", "twenty-one", Chinese digits), false when it is none. */
bool r1i_math_number_word(const char *s, size_t n, int64_t *value);
/* Canonical unit of a text after a number ("cm", "square feet"), NULL when it names none; scale to the base unit in
 * *scale. */
const char *r1i_math_unit(r1i_mem *m, const char *s, size_t n, r1i_rat *scale);
/* Lower case, single spaces, no punctuation at the ends. */
const char *r1i_math_words(r1i_mem *m, const char *s, size_t n);
/* An English word that is no product of variables. */
bool r1i_math_is_word(const char *s, size_t n);

#endif
