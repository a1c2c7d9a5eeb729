/* GGUF v2 and v3: header, typed metadata, tensor infos. Parsed and checked once over a mapping (spec formats.md 5). */
#ifndef R1I_GGUF_H
#define R1I_GGUF_H

#include "base/file.h"
#include "tensor/dtype.h"

typedef enum r1i_gguf_type {
    R1I_GGUF_U8, R1I_GGUF_I8, R1I_GGUF_U16, R1I_GGUF_I16, R1I_GGUF_U32, R1I_GGUF_I32, R1I_GGUF_F32, R1I_GGUF_BOOL,
    R1I_GGUF_STRING, R1I_GGUF_ARRAY, R1I_GGUF_U64, R1I_GGUF_I64, R1I_GGUF_F64
} r1i_gguf_type;

/* One metadata value. Strings and arrays are views into the file. */
typedef struct r1i_gguf_value {
    const char *key;          /* NUL-terminated copy owned by the r1i_gguf */
    r1i_gguf_type type, elem; /* elem: of an array */
    union { uint64_t u; int64_t i; double f; bool b; } as; /* scalars, widened */
    const uint8_t *bytes;     /* string bytes, or the array's first element */
    uint64_t n;               /* string bytes, or array elements */
    uint64_t offset;          /* of the value in the file */
} r1i_gguf_value;

typedef struct r1i_gguf_tensor {
    const char *name;
    r1_dtype type;
    int n_dims;
    uint64_t dim[4];          /* GGUF order: dim[0] fastest */
    uint64_t offset, bytes;   /* in the file */
} r1i_gguf_tensor;

typedef struct r1i_gguf r1i_gguf;

/* Parse a mapped file; `data` must outlive the handle. R1_ERR_FORMAT with the offset of the first bad byte.
 * Memory beyond the file is bounded by a small multiple of the file's own header. */
r1_status r1i_gguf_parse(const uint8_t *data, uint64_t size, r1i_gguf **out, r1_error *err);
void r1i_gguf_free(r1i_gguf *g); /* takes NULL */
uint32_t r1i_gguf_version(const r1i_gguf *g);
int64_t r1i_gguf_value_count(const r1i_gguf *g);
const r1i_gguf_value *r1i_gguf_value_at(const r1i_gguf *g, int64_t i);
const r1i_gguf_value *r1i_gguf_find(const r1i_gguf *g, const char *key); /* NULL when absent */
int64_t r1i_gguf_tensor_count(const r1i_gguf *g);
const r1i_gguf_tensor *r1i_gguf_tensor_at(const r1i_gguf *g, int64_t i);

/* Typed look-ups: false when absent or of another kind. Integers of any width and sign are accepted where they fit. */
bool r1i_gguf_get_u64(const r1i_gguf *g, const char *key, uint64_t *out);
bool r1i_gguf_get_f64(const r1i_gguf *g, const char *key, double *out);
bool r1i_gguf_get_bool(const r1i_gguf *g, const char *key, bool *out);
bool r1i_gguf_get_string(const r1i_gguf *g, const char *key, const char **bytes, uint64_t *n); /* not NUL-terminated */

/* Walk an array of strings: start with *at = value->bytes; false at the end. */
bool r1i_gguf_next_string(const r1i_gguf_value *value, const uint8_t **at, uint64_t *index, const char **bytes,
                          uint64_t *n);
/* Element i of a numeric array, widened. */
bool r1i_gguf_array_i64(const r1i_gguf_value *value, uint64_t i, int64_t *out);

#endif
