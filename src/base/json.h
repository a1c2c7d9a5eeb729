/* JSON through jansson: the one place that includes it. Values are jansson's json_t (borrowed unless said). Reading is
 * strict: duplicate keys refused, depth limited, errors carry the byte offset and line. */
#ifndef R1I_JSON_H
#define R1I_JSON_H

#include <jansson.h>

#include "base/error.h"

/* Parse exactly one value from bytes[size]; *out is a new reference (json_decref). R1_ERR_FORMAT with offset and
 * line. */
r1_status r1i_json_parse(const void *bytes, size_t size, json_t **out, r1_error *err);
/* Read and parse a file of at most max_bytes; the message is prefixed with the path. */
r1_status r1i_json_read_file(const char *path, uint64_t max_bytes, json_t **out, r1_error *err);

#endif
