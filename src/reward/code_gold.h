/* What a row of a data set says about a programming task: a JSON object in one of the forms of docs/sandbox.md. */
#ifndef R1I_CODE_GOLD_H
#define R1I_CODE_GOLD_H

#include "base/json.h"
#include "reward/code_run.h"

typedef enum r1i_code_form { R1I_FORM_STDIO, R1I_FORM_CALLS, R1I_FORM_CRUXEVAL } r1i_code_form;

typedef struct r1i_code_gold {
    r1i_code_form form;
    r1i_code_language language;
    double tolerance;          /* of decimal numbers in outputs */
    double cpu_seconds;        /* of this problem; 0: the grader's */
    r1i_io_test *tests;        /* stdin and stdout; owned */
    size_t n_tests;
    r1i_call_tests calls;      /* its assertions[] owned */
    r1i_text code;             /* cruxeval: the function f */
    bool predict_input;
    json_t *root;              /* owned; all texts above live in it */
    char *made;                /* owned; a generated assertion */
} r1i_code_gold;

/* R1_ERR_FORMAT: not JSON, an unknown or contradicting key, a test that nothing or everything could pass. */
r1_status r1i_code_gold_parse(const char *bytes, size_t n, r1i_code_gold *out, r1_error *err);
void r1i_code_gold_free(r1i_code_gold *gold); /* takes a zeroed one */

#endif
