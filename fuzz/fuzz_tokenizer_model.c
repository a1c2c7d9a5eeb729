/* Llama 3's tokenizer.model: an accepted file tokenises any bytes, and the ids give the mended text back. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1_tokenizer *t;
    r1_error err = {0};
    if (r1i_tok_open_bytes('m', data, size, NULL, &t, &err) != R1_OK) {
        if (err.message[0] == 0) abort();
        return 0;
    }
    int32_t *ids;
    size_t n, bytes, left;
    char *back;
    uint8_t *const want = malloc(3 * size + 1);
    if (!want) abort();
    if (r1_tokenizer_encode(t, (const char *)data, size, 0, &ids, &n, &err) != R1_OK) abort();
    if (r1_tokenizer_decode(t, ids, n, 0, &back, &bytes, &err) != R1_OK) abort();
    const size_t want_n = r1i_utf8_mend(want, data, size, false, &left);
    if (bytes != want_n || memcmp(back, want, want_n) != 0) abort();
    free(want);
    r1_free(ids);
    r1_free(back);
    r1_tokenizer_close(t);
    return 0;
}
