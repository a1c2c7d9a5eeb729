/* Builds GGUF files byte by byte, right or wrong: the caller says what to put, the counts are patched in at the end. */
#ifndef R1_GGUF_BUILD_H
#define R1_GGUF_BUILD_H

#include <stddef.h>
#include <stdint.h>

typedef struct gguf_build {
    uint8_t *bytes; /* malloc'd; free() it */
    size_t size, room;
    uint64_t values, tensors;
    uint64_t data_bytes; /* of tensors so far, each rounded up to 32 */
} gguf_build;

void gguf_begin(gguf_build *b, uint32_t version);
void gguf_put(gguf_build *b, const void *p, size_t n);
void gguf_uint(gguf_build *b, uint64_t v, int bytes); /* little-endian */
void gguf_text(gguf_build *b, const char *s);         /* length and bytes */
/* A key and its type; the value's bytes follow. */
void gguf_key(gguf_build *b, const char *key, uint32_t type);
void gguf_u32(gguf_build *b, const char *key, uint32_t v);
void gguf_f32(gguf_build *b, const char *key, float v);
void gguf_bool(gguf_build *b, const char *key, int v);
void gguf_string(gguf_build *b, const char *key, const char *v);
/* F32, placed after the tensors before it. Dims in GGUF order, 0 ends them. */
void gguf_tensor(gguf_build *b, const char *name, uint64_t d0, uint64_t d1, uint64_t d2);
/* Any type and offset. */
void gguf_tensor_as(gguf_build *b, const char *name, int n_dims, const uint64_t *dim, uint32_t type, uint64_t offset);
/* Patches the counts, pads to 32 and appends the data section (zeros). */
void gguf_end(gguf_build *b);
/* Writes the bytes to a file; 0 on success. */
int gguf_save(const gguf_build *b, const char *path);

#endif
