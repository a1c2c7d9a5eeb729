/* safetensors headers: an accepted one tiles its data buffer with tensors that hold what their shapes say. */
#include <stdlib.h>

#include "format/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_safetensors st;
    r1_error err = {0};
    uint64_t sum = 0;
    if (r1i_safetensors_parse(data, size, &st, &err) != R1_OK) {
        if (err.code == R1_OK || err.message[0] == '\0' || err.offset < 0 || err.offset > (int64_t)size) abort();
        return 0;
    }
    for (int64_t i = 0; i < st.n; i++) {
        const r1i_entry *const e = &st.entry[i];
        uint64_t need = (uint64_t)r1i_dtype(e->type)->block_bytes;
        for (int d = 0; d < e->n_dims; d++) need *= (uint64_t)e->dim[d];
        if (need != e->bytes || e->offset > size || e->bytes > size - e->offset || e->data != data + e->offset ||
            !e->name) abort();
        sum += e->bytes;
    }
    if (sum > size) abort();
    r1i_safetensors_free(&st);
    return 0;
}
