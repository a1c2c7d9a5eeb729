/* r1 grade RUN: a recorded evaluation graded anew. */
#ifndef R1_CLI_GRADE_RUN_H
#define R1_CLI_GRADE_RUN_H

#include "cli.h"

typedef struct grade_run_params {
    const char *run, *judge, *judge_model, *judge_key_env;
} grade_run_params;

/* Declares RUN and the judge's options. */
void grade_run_options(opt_list *list, grade_run_params *p);
/* Prints what flipped; an exit status. */
int grade_run(cli *app, const grade_run_params *p, bool json);

#endif
