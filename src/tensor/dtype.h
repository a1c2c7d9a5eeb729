/* The dtype table: block sizes and names of r1_dtype. */
#ifndef R1I_DTYPE_H
#define R1I_DTYPE_H

#include "r1/dtype.h"

typedef struct r1i_dtype_info {
    const char *name;
    int32_t block_elems, block_bytes;
    int32_t gguf_id; /* -1: not a GGUF type */
} r1i_dtype_info;

/* type must be in the enumeration. */
const r1i_dtype_info *r1i_dtype(r1_dtype type);
/* false when no type has that GGUF id / safetensors name. */
bool r1i_dtype_from_gguf(uint32_t id, r1_dtype *out);
bool r1i_dtype_from_name(const char *name, r1_dtype *out);
/* Block types whose weights are integers with scales: activations are rounded to 8 bits for them by default. */
bool r1i_dtype_is_quantised(r1_dtype type);
/* Bytes of one row of `cols` elements; false on overflow or when cols is no multiple of the block. */
bool r1i_dtype_row_bytes(r1_dtype type, uint64_t cols, uint64_t *out);

#endif
