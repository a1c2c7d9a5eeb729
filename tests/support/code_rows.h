/* The rows of HumanEval and MBPP as golds of the code grader, with their canonical solutions. */
#ifndef R1_TEST_CODE_ROWS_H
#define R1_TEST_CODE_ROWS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct code_row {
    char *id, *gold;
    char *solution;  /* accepted */
    char *sabotaged; /* the same with `return None` first in the entry function */
} code_row;

/* set: "humaneval", "mbpp" (sanitized) or "mbpp_full". NULL when the data is not there. */
code_row *code_rows_load(const char *set, size_t *n);
void code_rows_free(code_row *rows, size_t n);

#endif
