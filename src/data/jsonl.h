/* Data sets: one JSON object a line, plain, .gz or .zst. Every error names file and line, because the person who can
 * mend it edits that file. */
#ifndef R1I_JSONL_H
#define R1I_JSONL_H

#include "base/json.h"
#include "base/sha256.h"

typedef struct r1i_jsonl r1i_jsonl; /* one thread */

enum { R1I_JSONL_MAX_LINE = 64 << 20 }; /* bytes */

r1_status r1i_jsonl_open(const char *path, r1i_jsonl **out, r1_error *err);
/* Next object as a new reference, NULL at the end; *line: its number, from 1 (nullable). Empty lines are skipped, a
 * byte order mark and carriage returns are taken as white space. R1_ERR_FORMAT: not one JSON object, or a line beyond
 * the limit. */
r1_status r1i_jsonl_next(r1i_jsonl *in, json_t **row, int64_t *line, r1_error *err);
/* SHA-256 of the decompressed bytes read so far: after the end, the data's name, however it was packed. */
void r1i_jsonl_hash(const r1i_jsonl *in, char hex[R1I_SHA256_HEX]);
void r1i_jsonl_close(r1i_jsonl *in); /* takes NULL */

/* path as given, or with .gz or .zst behind it, whichever exists: malloc'd. R1_ERR_IO lists what was looked for. */
r1_status r1i_jsonl_find(const char *path, char **out, r1_error *err);

#endif
