/* Regular expressions through PCRE2, the one place that includes it. Patterns come from files and tasks, texts from
 * anybody: a match that needs more steps than the limit is an answer (R1_ERR_RANGE), not a hang. */
#ifndef R1I_REGEX_H
#define R1I_REGEX_H

#include "base/error.h"

typedef struct r1i_regex r1i_regex; /* compiled; immutable, shared between threads */

/* pattern is UTF-8 and NUL-terminated, in PCRE2's own syntax with Unicode classes; ^ and $ are about lines. any_bytes:
 * texts may be broken UTF-8, over which nothing matches; else they must be well formed. R1_ERR_UNSUPPORTED when it
 * cannot be compiled (message quotes where). */
r1_status r1i_regex_compile(const char *pattern, bool any_bytes, r1i_regex **out, r1_error *err);
void r1i_regex_free(r1i_regex *p); /* takes NULL */
int r1i_regex_groups(const r1i_regex *p); /* capture groups */

/* What one thread needs to match; zero-initialise, made on first use, freed at the end. */
typedef struct r1i_match {
    void *data, *context, *stack; /* pcre2's match data, match context and JIT stack */
    uint32_t limit;               /* backtracking steps of one match, 0: two million; set before the first use */
} r1i_match;
void r1i_match_free(r1i_match *m);

typedef struct r1i_regex_hit {
    size_t begin, end;
    size_t group_begin, group_end; /* group 1, SIZE_MAX where there is none or it took no part */
} r1i_regex_hit;
/* First match in s[0..n) at or after `from`; *found false when there is none. R1_ERR_RANGE when the pattern
 * needs more backtracking than the limit allows. */
r1_status r1i_regex_find(const r1i_regex *p, r1i_match *m, const uint8_t *s, size_t n, size_t from, bool *found,
                         r1i_regex_hit *hit, r1_error *err);

#endif
