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

/* Parse a mapped file; `data` must outlive the entries. Only the header's bytes are touched. R1_ERR_FORMAT with the
 * offset of the first bad byte; R1_ERR_UNSUPPORTED for a known dtype without a table entry (F4, C64, ...) or above 8
 * dimensions.
 * Memory: 112 bytes an entry and the names. */
r1_status r1i_safetensors_parse(const uint8_t *data, uint64_t size, r1i_safetensors *out, r1_error *err);
void r1i_safetensors_free(r1i_safetensors *st); /* takes a zeroed one */

/* ---- writing ----------------------------------------------------------------------------------------------------- */

typedef struct r1i_safetensors_item {
    const char *name;           /* UTF-8 */
    r1_dtype type;              /* a type of one element a block */
    int n_dims;
    int64_t dim[R1I_MAX_DIMS];
} r1i_safetensors_item;

typedef struct r1i_safetensors_writer r1i_safetensors_writer;

/* Declare all tensors; their bytes follow through append, tensor after tensor in this order, in pieces of any size.
 * Written to path + ".tmp" until finish renames it; a path that is a device or pipe is written directly.
 * R1_ERR_USAGE for a shape that overflows; R1_ERR_IO. items are not kept. */
r1_status r1i_safetensors_create(const char *path, const r1i_safetensors_item *items, int n,
                                 r1i_safetensors_writer **out, r1_error *err);
/* Little-endian bytes. After a failure only abort makes sense. */
r1_status r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err);
/* R1_ERR_BUG when bytes are missing. Frees the writer; on failure the temporary is gone and path is untouched. */
r1_status r1i_safetensors_finish(r1i_safetensors_writer *w, r1_error *err);
/* Removes the temporary and frees. Takes NULL. */
void r1i_safetensors_abort(r1i_safetensors_writer *w);
/* All at once: data[i] is the bytes of items[i]. */
r1_status r1i_safetensors_write(const char *path, const r1i_safetensors_item *items, const void *const *data, int n,
                                r1_error *err);

#endif
