/* The prose of a text: what is left when code, formulas, numbers and addresses are taken out. What a language rule
 * counts. */
#ifndef R1I_PROSE_H
#define R1I_PROSE_H

#include "base/error.h"
#include "reward/rule_text.h"

/* out->p: a new buffer (r1_free) of at most s.n bytes, valid UTF-8. Left out, each replaced by a blank: ``` and ~~~
 * blocks (to the end when never closed), `code`, $..$ and $$..$$, \( \), \[ \], \begin{}..\end{}, \commands, http(s)://
 * addresses, and words that hold a digit. R1_ERR_NOMEM. */
r1_status r1i_prose(r1i_span s, r1i_span *out, r1_error *err);

#endif
