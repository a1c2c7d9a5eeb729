/* The normaliser: Unicode forms and replacements, applied to text between added tokens. Most text is already in form C,
 * so a table of harmless characters decides first and only the stretches around others go through utf8proc. */
#ifndef R1I_TOK_NORMAL_H
#define R1I_TOK_NORMAL_H

#include "tokenizer/tok_class.h"
#include "tokenizer/tok_pattern.h"

typedef enum r1i_normal_kind {
    R1I_NORMAL_NFC, R1I_NORMAL_NFD, R1I_NORMAL_NFKC, R1I_NORMAL_NFKD,
    R1I_NORMAL_REPLACE, /* every match of pattern becomes text */
    R1I_NORMAL_PREPEND  /* text in front, unless empty */
} r1i_normal_kind;

typedef struct r1i_normal_step {
    r1i_normal_kind kind;
    r1i_pattern *pattern; /* owned */
    uint8_t *text;        /* owned, malloc'd */
    size_t text_bytes;
} r1i_normal_step;

#define R1I_NORMAL_STEPS 8
typedef struct r1i_normal {
    r1i_normal_step step[R1I_NORMAL_STEPS];
    int n;
} r1i_normal;

r1_status r1i_normal_add(r1i_normal *s, r1i_normal_kind kind, r1i_pattern *pattern, const char *text, size_t n,
                         r1_error *err);
bool r1i_normal_has(const r1i_normal *s, r1i_normal_kind kind);
void r1i_normal_free(r1i_normal *s);

/* Normalise p[0..n). *out == p when nothing changes, else malloc'd (free). `c` has nfc_stable when a step is NFC. */
r1_status r1i_normalize(const r1i_normal *s, const r1i_classes *c, r1i_match *m, const uint8_t *p, size_t n,
                        uint8_t **out, size_t *out_n, r1_error *err);

#endif
