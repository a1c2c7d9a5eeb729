#include "tensor/dtype.h"

#include <string.h>

static const r1i_dtype_info table[R1_DTYPE_COUNT] = {
#define X(name, text, elems, bytes, gguf) {text, elems, bytes, gguf},
    R1_DTYPES(X)
#undef X
};

const r1i_dtype_info *r1i_dtype(r1_dtype type) { return &table[type]; }

const char *r1_dtype_name(r1_dtype type)
{
    return (unsigned)type < R1_DTYPE_COUNT ? table[type].name : "?";
}

bool r1i_dtype_from_gguf(uint32_t id, r1_dtype *out)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (table[t].gguf_id < 0 || (uint32_t)table[t].gguf_id != id) continue;
        *out = (r1_dtype)t;
        return true;
    }
    return false;
}

bool r1i_dtype_from_name(const char *name, r1_dtype *out)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (strcmp(table[t].name, name) != 0) continue;
        *out = (r1_dtype)t;
        return true;
    }
    return false;
}

bool r1i_dtype_is_quantised(r1_dtype type) { return table[type].block_elems > 1; }

bool r1i_dtype_row_bytes(r1_dtype type, uint64_t cols, uint64_t *out)
{
    const uint64_t elems = (uint64_t)table[type].block_elems;
    return cols % elems == 0 && !__builtin_mul_overflow(cols / elems, (uint64_t)table[type].block_bytes, out);
}
