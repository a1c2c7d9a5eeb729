/* Scratch memory and work budget of one parse or comparison. Running out of either leaves by longjmp to the nearest
 * catcher, so the algebra in between is written without error paths; all its memory is the arena's, so nothing
 * leaks. */
#ifndef R1I_MATH_MEM_H
#define R1I_MATH_MEM_H

#include <setjmp.h>
#include <string.h>

#include "base/env.h"

typedef struct r1i_mblock r1i_mblock;
typedef struct r1i_mem {
    r1i_mblock *first, *now;   /* chain of blocks; those after now are empty and kept for later */
    size_t bytes, cap;         /* taken from the system, and the most that may be */
    int64_t steps;             /* work left: about one per limb or term touched, so time is bounded without a clock */
    jmp_buf catcher;          /* where a failure lands: set before any work */
    const char *why;           /* static words of the last failure */
    int64_t where;             /* offset in the input, -1 */
    void *atoms;               /* the table of math_poly.c */
    int depth;                 /* of recursion */
} r1i_mem;

enum { R1I_MATH_DEPTH = 200 }; /* nesting of any structure; the parser refuses more, so every walk is bounded */

void r1i_mem_init(r1i_mem *m, size_t cap);
void r1i_mem_destroy(r1i_mem *m);
void r1i_mem_reset(r1i_mem *m, int64_t steps);         /* forget all memory, keep the blocks; start a new budget */
void *r1i_mem_take(r1i_mem *m, size_t bytes);          /* 16-byte aligned, zeroed; does not return on failure */
_Noreturn void r1i_mem_fail(r1i_mem *m, int64_t where, const char *why);
static inline void r1i_mem_work(r1i_mem *m, int64_t steps)
{
    if ((m->steps -= steps) < 0) r1i_mem_fail(m, -1, "too large to work out");
}
char *r1i_mem_text(r1i_mem *m, const char *s, size_t n);
char *r1i_mem_printf(r1i_mem *m, const char *fmt, ...) R1_PRINTF(2, 3);

/* A text that grows. */
typedef struct r1i_mtext {
    r1i_mem *mem;
    char *s;
    size_t n, cap;
} r1i_mtext;
void r1i_mtext_put(r1i_mtext *t, const char *s, size_t n);
static inline void r1i_mtext_add(r1i_mtext *t, const char *s) { r1i_mtext_put(t, s, strlen(s)); }

#endif
