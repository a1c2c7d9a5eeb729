/* A task's rows: the question as a user would write it, the gold, and where each came from. Everything that can be
 * wrong with a data file is found here, before a model is asked anything. */
#ifndef R1I_ITEMS_H
#define R1I_ITEMS_H

#include "eval/task.h"

typedef struct r1i_item {
    char *id, *subject;        /* "" where the row has none */
    char *question, *gold;     /* NUL-terminated; sizes beside, zero bytes allowed */
    size_t question_bytes, gold_bytes;
    int64_t line;              /* of the file */
} r1i_item;

typedef struct r1i_items {
    r1i_item *item;            /* [n] in file order: the prompt's number is its place here */
    size_t n, cap;
    char *path;                /* of the file read */
    char data_hash[R1I_SHA256_HEX];
} r1i_items;

/* data: the folder of data sets, or the file itself (for a task without one of its own, or given as a file). limit 0:
 * all rows. R1_ERR_IO names what was looked for; R1_ERR_FORMAT names file and line: a missing field, a template that
 * fails, no row left. */
r1_status r1i_items_load(const r1i_task *t, const char *data, int64_t limit, r1i_items *out, r1_error *err);
void r1i_items_free(r1i_items *items);

#endif
