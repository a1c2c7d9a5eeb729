/* Mathematical answers: a text (LaTeX, plain, Unicode) becomes a typed value, and two values are equal or not, with a
 * reason in words. Nothing that a model wrote is evaluated without caps: every call is bounded in time and memory
 * whatever the text is. */
#ifndef R1I_MATH_H
#define R1I_MATH_H

#include "base/env.h"

/* A parsed answer: immutable, owns its memory, may be shared between threads. */
typedef struct r1i_math_value r1i_math_value;
/* Limits, scratch memory and the proof child; mutable, one thread at a time. */
typedef struct r1i_math r1i_math;

typedef struct r1i_math_options {
    double proof_seconds;     /* wall clock of all proofs of one comparison; 0: 0.5 */
    size_t proof_bytes;       /* address space of the child; 0: 1 GiB */
    bool no_prover;           /* decide by canonical form alone */
    bool strict_units;        /* a unit that only one side has makes the answer wrong; else it is optional */
    bool percent_is_fraction; /* 10 % is 0.1 and never 10; else the sign is as optional as a unit */
    int rounding_decimals;    /* decimals that a rounding must print to be taken for an exact value, 0: 6; -1: never;
                               * -2: those of the gold */
} r1i_math_options;

/* options: nullable (all defaults). The proof child is started by the first proof. R1_ERR_NOMEM. */
r1_status r1i_math_create(const r1i_math_options *options, const r1_env *env, r1i_math **out, r1_error *err);
void r1i_math_destroy(r1i_math *math); /* takes NULL */

/* Read an answer that was cut out of a text already: no prose around it, at most one pair of $ or a \boxed{}.
 * R1_ERR_FORMAT: not an answer this can grade (message says why, offset: first bad byte); R1_ERR_NOMEM. */
r1_status r1i_math_parse(r1i_math *math, const char *text, size_t bytes, r1i_math_value **out, r1_error *err);
void r1i_math_value_free(r1i_math_value *value); /* takes NULL */

/* "integer", "set", ... : static. */
const char *r1i_math_value_kind(const r1i_math_value *value);
/* Canonical text, borrowed from the value: values with the same kind and text are equal, and the text parses to
 * itself. */
const char *r1i_math_value_text(const r1i_math_value *value);

/* The same mathematical value of the same type: reflexive, symmetric, transitive (a vote's classes). reason: nullable,
 * one line. */
r1_status r1i_math_equal(r1i_math *math, const r1i_math_value *a, const r1i_math_value *b, bool *equal, char *reason,
                         size_t reason_bytes, r1_error *err);
/* What a grader says: equality, and on top of it what a gold leaves open (docs/grading.md): optional units, `x=5` for
 * 5, a choice's letter, the interval of an inequality, a rounding printed precisely enough. Symmetric unless
 * rounding_decimals is -2. */
r1_status r1i_math_grade_value(r1i_math *math, const r1i_math_value *gold, const r1i_math_value *answer, bool *correct,
                               char *reason, size_t reason_bytes, r1_error *err);

#endif
