/* Vocabularies for tests: the shared ones with the added tokens of the R1 models laid over them, and the tiny one. */
#ifndef R1_TOK_DATA_H
#define R1_TOK_DATA_H

#include "base/json.h"
#include "r1/tokenizer.h"

#define TOK_SHARED R1_SOURCE_DIR "/../shared/"
#define TOK_TINY R1_TEST_DIR "/fixtures/tiny-tokenizer"

/* Whole file, unpacked when its name ends in .gz; malloc'd with a NUL after the last byte. NULL when it cannot be
 * read. */
char *tok_data_read(const char *path, size_t *n);
/* The same as JSON; NULL when absent or malformed. */
json_t *tok_data_json(const char *path);
/* Each line as JSON, in an array. */
json_t *tok_data_lines(const char *path);

/* "deepseek_v3", "qwen3", "r1", "r1_qwen", "r1_llama"; NULL when the shared data is not there. Aborts when it cannot
 * be opened. */
r1_tokenizer *tok_data_open(const char *shared, const char *name);

/* A JSON document as a tokenizer.json. */
r1_status tok_data_open_json(const json_t *doc, r1_tokenizer **out, r1_error *err);

#endif
