/* Bytes of a data file, decompressed on the way: plain, gzip or Zstandard, told apart by their first bytes. A file that
 * is cut short is an error, never a shorter file. */
#ifndef R1I_STREAM_H
#define R1I_STREAM_H

#include "base/error.h"

typedef struct r1i_stream r1i_stream; /* one thread */

/* R1_ERR_IO; R1_ERR_MISSING: compressed, and this build lacks the library. Messages are prefixed with the path. */
r1_status r1i_stream_open(const char *path, r1i_stream **out, r1_error *err);
/* Up to cap bytes; *n = 0 at the end. R1_ERR_FORMAT: damaged or truncated compressed data. */
r1_status r1i_stream_read(r1i_stream *s, void *into, size_t cap, size_t *n, r1_error *err);
void r1i_stream_close(r1i_stream *s); /* takes NULL */

#endif
