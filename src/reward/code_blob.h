/* Programs kept inside the library as bytes, written by cmake/embed.cmake: the jail (an executable) and the Python
 * harness. */
#ifndef R1I_CODE_BLOB_H
#define R1I_CODE_BLOB_H

#include <stddef.h>

extern const unsigned char r1i_blob_jail[];
extern const size_t r1i_blob_jail_bytes;
extern const unsigned char r1i_blob_harness[]; /* text, NUL after the last byte */
extern const size_t r1i_blob_harness_bytes;

#endif
