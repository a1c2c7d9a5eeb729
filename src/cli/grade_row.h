/* One line of `r1 grade`'s input as a sample. What models write is hostile, so a line is mended where JSON's rules
 * about text are broken (bytes that are no UTF-8, half a surrogate pair); what is no JSON at all is refused. */
#ifndef R1_CLI_GRADE_ROW_H
#define R1_CLI_GRADE_ROW_H

#include <jansson.h>

#include "r1/reward.h"

typedef struct grade_row {
    json_t *json;      /* owns the texts of sample */
    char *gold_text;   /* of a gold that is no string: its JSON; owned */
    const json_t *id;  /* borrowed from json; NULL where there is none */
    r1_sample sample;
} grade_row;

/* line[n] is changed. false with message[size] (what is wrong and what was expected); the row is empty then. */
bool grade_row_read(grade_row *row, const char *line, size_t n, char *message, size_t size);
void grade_row_free(grade_row *row);

/* json_string of any bytes: what is not UTF-8 becomes U+FFFD. */
json_t *grade_text(const char *text, size_t n);

#endif
