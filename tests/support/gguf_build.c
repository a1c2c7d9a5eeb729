#include "support/gguf_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void gguf_put(gguf_build *b, const void *p, size_t n)
{
    if (b->size + n > b->room) {
        b->room = 2 * (b->size + n);
        b->bytes = realloc(b->bytes, b->room);
        if (!b->bytes) abort();
    }
    if (p && n) memcpy(b->bytes + b->size, p, n);
    else if (n) memset(b->bytes + b->size, 0, n);
    b->size += n;
}

void gguf_uint(gguf_build *b, uint64_t v, int bytes)
{
    uint8_t p[8];
    for (int i = 0; i < bytes; i++) p[i] = (uint8_t)(v >> (8 * i));
    gguf_put(b, p, (size_t)bytes);
}

void gguf_text(gguf_build *b, const char *s)
{
    gguf_uint(b, strlen(s), 8);
    gguf_put(b, s, strlen(s));
}

void gguf_begin(gguf_build *b, uint32_t version)
{
    *b = (gguf_build){0};
    gguf_put(b, "GGUF", 4);
    gguf_uint(b, version, 4);
    gguf_put(b, NULL, 16);
}

void gguf_key(gguf_build *b, const char *key, uint32_t type)
{
    gguf_text(b, key);
    gguf_uint(b, type, 4);
    b->values++;
}

void gguf_u32(gguf_build *b, const char *key, uint32_t v)
{
    gguf_key(b, key, 4);
    gguf_uint(b, v, 4);
}

void gguf_f32(gguf_build *b, const char *key, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, 4);
    gguf_key(b, key, 6);
    gguf_uint(b, bits, 4);
}

void gguf_bool(gguf_build *b, const char *key, int v)
{
    gguf_key(b, key, 7);
    gguf_uint(b, (uint64_t)v, 1);
}

void gguf_string(gguf_build *b, const char *key, const char *v)
{
    gguf_key(b, key, 8);
    gguf_text(b, v);
}

void gguf_tensor_as(gguf_build *b, const char *name, int n_dims, const uint64_t *dim, uint32_t type, uint64_t offset)
{
    gguf_text(b, name);
    gguf_uint(b, (uint64_t)n_dims, 4);
    for (int d = 0; d < n_dims; d++) gguf_uint(b, dim[d], 8);
    gguf_uint(b, type, 4);
    gguf_uint(b, offset, 8);
    b->tensors++;
}

void gguf_tensor(gguf_build *b, const char *name, uint64_t d0, uint64_t d1, uint64_t d2)
{
    const uint64_t dim[3] = {d0, d1, d2};
    const int n = d2 ? 3 : d1 ? 2 : d0 ? 1 : 0;
    uint64_t bytes = 4;
    for (int d = 0; d < n; d++) bytes *= dim[d];
    gguf_tensor_as(b, name, n, dim, 0, b->data_bytes);
    b->data_bytes += (bytes + 31) / 32 * 32;
}

void gguf_end(gguf_build *b)
{
    const size_t size = b->size;
    b->size = 8;
    gguf_uint(b, b->tensors, 8);
    gguf_uint(b, b->values, 8);
    b->size = size;
    gguf_put(b, NULL, (32 - size % 32) % 32);
    gguf_put(b, NULL, b->data_bytes);
}

int gguf_save(const gguf_build *b, const char *path)
{
    FILE *const f = fopen(path, "wb");
    if (!f) return 1;
    const size_t n = fwrite(b->bytes, 1, b->size, f);
    return fclose(f) != 0 || n != b->size;
}
