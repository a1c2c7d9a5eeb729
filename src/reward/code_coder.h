/* The inside of a coder, shared by code_run.c (whole programs) and code_calls.c (assertions). */
#ifndef R1I_CODE_CODER_H
#define R1I_CODE_CODER_H

#include "reward/code_run.h"

/* What one run printed: standard output whole up to the cap, standard error's end. */
typedef struct r1i_capture {
    char *out;
    size_t n, cap, limit;
    char tail[1024];       /* of standard error */
    size_t n_tail, n_err;
    bool overflow;         /* more than the cap was printed */
} r1i_capture;
void r1i_capture_reset(r1i_capture *c);
/* Reads what is there now; false when memory is out. */
bool r1i_capture_drain(r1i_capture *c, const r1i_sandbox *s);

struct r1i_coder {
    r1i_code_limits limits;
    r1i_sandbox_kit kit;
    const char *tool[R1I_N_LANGUAGES]; /* NULL: not present */
    r1i_sandbox spare;     /* started, waiting for its job */
    bool spare_is_warm;    /* with the harness already running in it */
    r1i_sandbox tester;    /* holds the tests of code_calls.c; lives as long as it behaves */
    r1i_capture capture;
    bool landlock;
};

/* A sandbox that is ready, and another one started for the next job. warm: with the harness running, its clocks
 * held. */
r1_status r1i_coder_take(r1i_coder *c, bool warm, r1i_sandbox *out, r1_error *err);
/* The harness for one side, "program" or "tests", as a run that waits for ARM. */
bool r1i_coder_start_harness(const r1i_coder *c, const r1i_sandbox *s, const char *side);
r1i_jail_request r1i_coder_request(const r1i_coder *c, uint32_t op);
/* A run's end as a verdict; AC when it ended well, its output not yet looked at. */
void r1i_coder_judge_end(const r1i_coder *c, const r1i_jail_report *report, bool killed_for_memory,
                         r1i_code_result *result);
R1_PRINTF(3, 4) void r1i_code_set(r1i_code_result *result, r1i_code_outcome outcome, const char *reason, ...);

#endif
