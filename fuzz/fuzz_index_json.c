/* Shard indexes: an accepted one maps distinct names to plain file names. */
#include <stdlib.h>
#include <string.h>

#include "format/shard_index.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_shard_index x;
    r1_error err = {0};
    uint8_t *const text = malloc(size ? size : 1);
    if (!text) return 0;
    memcpy(text, data, size);
    if (r1i_shard_index_parse(text, size, &x, &err) != R1_OK) {
        if (err.code == R1_OK || err.message[0] == '\0' || err.offset < 0 || err.offset > (int64_t)size) abort();
        return 0;
    }
    if (x.n == 0 || x.n_files == 0 || x.n_files > x.n) abort();
    for (int64_t i = 0; i < x.n; i++) {
        if (x.item[i].file >= (uint32_t)x.n_files || strlen(r1i_shard_index_name(&x, i)) >= size) abort();
        if (strchr(r1i_shard_index_file(&x, (int)x.item[i].file), '/')) abort();
    }
    r1i_shard_index_free(&x);
    return 0;
}
