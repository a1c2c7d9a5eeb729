/* A growing byte string for text that is built piece by piece: pages, reports, request bodies. A failed allocation is
 * remembered, so that a builder checks once, at the end. */
#ifndef R1I_TEXT_H
#define R1I_TEXT_H

#include "base/error.h"

/* Zero-initialise. bytes[n] is followed by a NUL where n > 0; NULL text is empty. */
typedef struct r1i_text {
    char *bytes;
    size_t n, cap;
    bool failed;
} r1i_text;

void r1i_text_add(r1i_text *t, const char *bytes, size_t n);
void r1i_text_puts(r1i_text *t, const char *text);
void r1i_text_printf(r1i_text *t, const char *fmt, ...) R1_PRINTF(2, 3);
/* The text as a malloc'd string, which the caller owns; t is empty afterwards. R1_ERR_NOMEM when an append had
 * failed. */
r1_status r1i_text_take(r1i_text *t, char **out, size_t *n, r1_error *err);
void r1i_text_free(r1i_text *t);

#endif
