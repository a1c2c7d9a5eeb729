/* A record turned into numbers: one JSON value that all forms of a report are written from, so that they cannot
 * disagree. */
#ifndef R1I_SUMMARY_H
#define R1I_SUMMARY_H

#include "base/json.h"
#include "base/text.h"
#include "r1/eval.h"

/* The value of r1 report --json; docs/evaluation.md lists its fields. A new reference. */
r1_status r1i_summary_make(const char *const *runs, size_t n_runs, const r1_env *env, json_t **out, r1_error *err);
/* The forms; they only read the value. */
void r1i_summary_text(const json_t *summary, r1i_text *out);
void r1i_summary_csv(const json_t *summary, r1i_text *out);
void r1i_summary_html(const json_t *summary, r1i_text *out);

#endif
