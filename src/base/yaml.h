/* YAML files (tasks, recipes) as JSON values, so that one reader serves both spellings; where each value stood is kept
 * for the errors that come later. Scalars follow YAML 1.2's core schema: `no` is a text, only true and false are
 * booleans. */
#ifndef R1I_YAML_H
#define R1I_YAML_H

#include "base/json.h"

typedef struct r1i_yaml r1i_yaml;

/* One document of at most 1 MiB. Refused: duplicate keys, keys that are not text, tags, several documents, aliases that
 * expand to more than 20,000 values or contain themselves, nesting beyond 64. R1_ERR_FORMAT with line, column and
 * offset; R1_ERR_MISSING in a build without libyaml. */
r1_status r1i_yaml_parse(const void *bytes, size_t size, r1i_yaml **out, r1_error *err);
/* The same from a file; messages are prefixed with its path. */
r1_status r1i_yaml_read_file(const char *path, r1i_yaml **out, r1_error *err);
void r1i_yaml_free(r1i_yaml *yaml); /* takes NULL */

/* Borrowed; null for an empty document. */
json_t *r1i_yaml_root(const r1i_yaml *yaml);

/* R1_ERR_FORMAT at the value of `key` in the object (or at the item of the array: key NULL, index) with err->line set
 * and "line L column C: " before the message; key NULL in an object: where it begins; container NULL: the root. */
r1_status r1i_yaml_fail(const r1i_yaml *yaml, const json_t *container, const char *key, size_t index, r1_error *err,
                        const char *fmt, ...)
    R1_PRINTF(6, 7);

/* The value of `key` in an object of the tree is `value` from now on (taken, in failure too; NULL: R1_ERR_NOMEM), and
 * errors at it name the setting `said` (key=value, borrowed until the tree is freed) instead of a line. */
r1_status r1i_yaml_set(r1i_yaml *yaml, json_t *container, const char *key, json_t *value, const char *said,
                       r1_error *err);

/* What a mapping may hold: the reader checks kinds and refuses the rest, naming the key, its line and the nearest known
 * one. */
typedef enum r1i_field_kind { R1I_FIELD_TEXT, R1I_FIELD_INT, R1I_FIELD_REAL, R1I_FIELD_BOOL, R1I_FIELD_TEXTS,
                              R1I_FIELD_MAP, R1I_FIELD_ANY } r1i_field_kind;
typedef struct r1i_field {
    const char *name;     /* NULL ends the list */
    r1i_field_kind kind;
    bool required;
    double min, max;      /* of INT and REAL where max > min */
} r1i_field;
r1_status r1i_yaml_check(const r1i_yaml *yaml, const json_t *map, const r1i_field *fields, r1_error *err);

#endif
