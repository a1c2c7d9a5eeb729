/* Running one program against its tests: in sandboxes that were started ahead of their job, with the clocks, caps and
 * verdicts of a judge. A coder owns its sandboxes; one thread at a time, as many coders as there are runs at once. */
#ifndef R1I_CODE_RUN_H
#define R1I_CODE_RUN_H

#include "reward/code_sandbox.h"

typedef enum r1i_code_language { R1I_PYTHON, R1I_C, R1I_CPP, R1I_N_LANGUAGES } r1i_code_language;
const char *r1i_code_language_name(r1i_code_language language); /* "python", "c", "cpp" */

typedef enum r1i_code_outcome { R1I_AC, R1I_WA, R1I_TLE, R1I_MLE, R1I_RE, R1I_CE, R1I_OLE } r1i_code_outcome;
const char *r1i_code_outcome_name(r1i_code_outcome outcome); /* "AC", ... */

typedef struct r1i_code_result {
    r1i_code_outcome outcome;
    char reason[200];      /* one line of words */
    double cpu_seconds;    /* of the program, all tests together */
    double wall_seconds;   /* of the whole judgement, seen from outside */
} r1i_code_result;

typedef struct r1i_text {
    const char *bytes;     /* borrowed; any bytes */
    size_t n;
} r1i_text;

typedef struct r1i_io_test {
    r1i_text input, output;
} r1i_io_test;

/* Assertions over a Python program's functions; every part but the program may be empty. */
typedef struct r1i_call_tests {
    r1i_text prelude;      /* trusted names that tests may use: the prompt */
    r1i_text setup;        /* run once before the assertions */
    const r1i_text *assertions;
    size_t n_assertions;
    r1i_text check;        /* source that defines check(candidate) */
    r1i_text entry;        /* the function under test */
} r1i_call_tests;

typedef struct r1i_coder r1i_coder;
r1_status r1i_coder_create(const r1i_code_limits *limits, unsigned allow_without, r1i_coder **out, r1_error *err);
void r1i_coder_destroy(r1i_coder *coder); /* takes NULL */
bool r1i_coder_has(const r1i_coder *coder, r1i_code_language language);
const r1i_sandbox_kit *r1i_coder_kit(const r1i_coder *coder);

/* The program's output against each test's, in order; the first that fails decides. tolerance: see code_compare.h.
 * Errors are the environment's; whatever the program does is a result. */
r1_status r1i_coder_stdio(r1i_coder *coder, r1i_code_language language, r1i_text program, const r1i_io_test *tests,
                          size_t n_tests, double tolerance, r1i_code_result *result, r1_error *err);
r1_status r1i_coder_calls(r1i_coder *coder, r1i_text program, const r1i_call_tests *tests, r1i_code_result *result,
                          r1_error *err);
/* R1_ERR_FORMAT: the tests are no Python. */
r1_status r1i_coder_check_calls(r1i_coder *coder, const r1i_call_tests *tests, r1_error *err);

#endif
