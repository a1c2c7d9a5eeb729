/* Regular expressions of tokenizer files, run by PCRE2. They are written for Oniguruma: what means something else to
 * PCRE2 is rewritten (\s, \w, scripts), and what cannot be is refused by name rather than matched differently. */
#ifndef R1I_TOK_PATTERN_H
#define R1I_TOK_PATTERN_H

#include "base/regex.h"

typedef r1i_regex r1i_pattern; /* compiled; immutable, shared between threads */

/* text[n] is UTF-8. R1_ERR_UNSUPPORTED when it cannot be rewritten or compiled (the message quotes where). */
r1_status r1i_pattern_compile(const char *text, size_t n, r1i_pattern **out, r1_error *err);
void r1i_pattern_free(r1i_pattern *p); /* takes NULL */

/* The rewritten text, malloc'd and NUL-terminated: for tests and messages. */
r1_status r1i_pattern_rewrite(const char *text, size_t n, char **out, r1_error *err);

/* First match in s[0..n) at or after `from` (well-formed UTF-8): *begin, *end. *found false when there is none.
 * R1_ERR_RANGE when the pattern needs more backtracking than the limit allows. */
r1_status r1i_pattern_find(const r1i_pattern *p, r1i_match *m, const uint8_t *s, size_t n, size_t from, bool *found,
                           size_t *begin, size_t *end, r1_error *err);

#endif
