/* safetensors: eight bytes of length, a JSON header, raw row-major data (spec formats.md 1). Reading checks every rule
 * before a pointer is formed; writing streams rows and shows the file only when it is whole. */
#ifndef R1I_SAFETENSORS_H
#define R1I_SAFETENSORS_H

#include "format/store.h"

#define R1I_SAFETENSORS_MAX_HEADER UINT64_C(100000000)

typedef struct r1i_safetensors {
    r1i_entry *entry; /* [n] in header order; data points into the file, file is 0 */
    int64_t n;
    char *names;      /* all names, one block */
} r1i_safetensors;

/* Parse a mapped file; `data` must outlive the entries. Only the header's bytes are touched. R1_ERR_FORMAT with the offset
 * of the first bad byte; R1_ERR_UNSUPPORTED for a known dtype without a table entry (F4, C64, ...) or above 8 dimensions.
 * Memory: 112 bytes an entry and the names. */
r1_status r1i_safetensors_parse(const uint8_t *data, uint64_t size, r1i_safetensors *out, r1_error *err);
void r1i_safetensors_free(r1i_safetensors *st); /* takes a zeroed one */

#endif
