/* A task: one small YAML file that says which data set, how a row becomes a prompt and a gold answer, who grades, and
 * how many samples. Prompts and golds are templates over the row's fields, in the language of chat templates. */
#ifndef R1I_TASK_H
#define R1I_TASK_H

#include "base/json.h"
#include "base/sha256.h"
#include "r1/chat.h"

typedef struct r1i_task {
    char *name, *about;
    char *data;                /* below the data folder, without .gz; NULL: the file is named on the command line */
    char *id, *subject;        /* fields of the row; subject NULL: none */
    char *prompt_source, *gold_source;
    r1_template *prompt, *gold;
    char *grader, *options;    /* options: JSON or NULL */
    json_t *where;             /* field -> text or list of texts; NULL: every row */
    json_t *exclude;           /* ids of rows that are left out, because their gold is broken; NULL: none */
    char **fields;             /* [n_fields] texts that every row must have */
    size_t n_fields;
    char **stop;               /* [n_stop] */
    size_t n_stop;
    int64_t samples;
    bool raw, consensus;
    char hash[R1I_SHA256_HEX]; /* of the file's bytes */
} r1i_task;

/* A name is looked for as NAME.yaml in dir, or, where dir is NULL, beside the program; whatever ends in .yaml or holds
 * a slash is a path. R1_ERR_USAGE: no such task (the message lists the tasks or the folders); R1_ERR_FORMAT: with path,
 * line and column. */
r1_status r1i_task_find(const char *name, const char *dir, r1i_task **out, r1_error *err);
/* The file's bytes; `path` prefixes messages. */
r1_status r1i_task_parse(const char *path, const void *bytes, size_t size, r1i_task **out, r1_error *err);
void r1i_task_free(r1i_task *t); /* takes NULL */
/* What grading and reporting need of it, for the record: JSON, malloc'd. */
r1_status r1i_task_definition(const r1i_task *t, char **out, r1_error *err);

#endif
