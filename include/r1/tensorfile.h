/** Writing tensors to a safetensors file as they are computed, without holding them in memory. */
#ifndef R1_TENSORFILE_H
#define R1_TENSORFILE_H

#include "r1/dtype.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_tensor_writer r1_tensor_writer; /* one thread */

/** One tensor to come; copied. */
typedef struct r1_tensor_decl {
    const char *name;     /* UTF-8 */
    r1_dtype type;        /* a type of one element a block */
    int n_dims;           /* 0 .. 8 */
    int64_t dim[8];       /* outermost first */
} r1_tensor_decl;

/* * Declare n tensors; their bytes follow through append, in this order. The file appears under its name when it is
 * whole; until then it is path + ".tmp" (a device or pipe is written directly).
 * R1_ERR_USAGE (a shape that overflows, a type in blocks); R1_ERR_IO. */
R1_API r1_status r1_tensor_writer_create(const char *path, const r1_tensor_decl *decl, int n, r1_tensor_writer **out,
                                         r1_error *err);
/** Little-endian bytes in pieces of any size. After a failure only abort makes sense. */
R1_API r1_status r1_tensor_writer_append(r1_tensor_writer *writer, const void *bytes, size_t size, r1_error *err);
/** Checks that all bytes came, renames, frees the writer, also on failure. R1_ERR_IO, R1_ERR_BUG. */
R1_API r1_status r1_tensor_writer_finish(r1_tensor_writer *writer, r1_error *err);
/** Removes what was written and frees. Takes NULL. */
R1_API void r1_tensor_writer_abort(r1_tensor_writer *writer);

#ifdef __cplusplus
}
#endif
#endif
