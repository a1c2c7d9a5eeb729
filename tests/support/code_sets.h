/* Grading whole sets of programming tasks on several threads, with one grader each. */
#ifndef R1_TEST_CODE_SETS_H
#define R1_TEST_CODE_SETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "support/code_rows.h"

typedef struct code_work {
    const code_row *rows;
    size_t n;
    bool sabotaged;        /* grade row.sabotaged instead of row.solution */
    atomic_size_t next;
    char (*reason)[256];   /* of each row; nullable */
    atomic_int wrong, errors;
} code_work;

/* Verdicts other than the wanted one (solutions right, sabotaged ones not) are printed and counted. */
void code_work_run(code_work *w, int threads);
/* Every solution of the set accepted, every sabotaged one refused; skips without the data. */
void code_set_check(const char *set, size_t expected);
/* 0, or 77 after saying why there is no sandbox here. */
int code_sandbox_missing(void);

#endif
