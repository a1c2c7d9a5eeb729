/* Mending: the result is well formed, well-formed input is left alone, and cutting the input anywhere changes
 * nothing. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t left;
    uint8_t *const out = malloc(3 * size + 16), *const again = malloc(3 * size + 16);
    if (!out || !again) abort();
    const size_t n = r1i_utf8_mend(out, data, size, false, &left);
    if (left != 0 || r1i_utf8_valid_prefix(out, n) != n) abort();
    const size_t good = r1i_utf8_valid_prefix(data, size);
    if (memcmp(out, data, good) != 0 || (good == size && n != size)) abort();
    const size_t cut = size ? data[0] % size : 0;
    size_t m = r1i_utf8_mend(again, data, cut, true, &left); /* the first part, then the rest with what was left */
    if (left > 3) abort();
    m += r1i_utf8_mend(again + m, data + cut - left, size - cut + left, false, &left);
    if (m != n || memcmp(again, out, n) != 0) abort();
    for (size_t i = 0; i < n;) { /* the unchecked decoder agrees with the encoder */
        unsigned step;
        uint8_t back[4];
        const uint32_t cp = r1i_utf8_get(out + i, &step);
        if (r1i_utf8_put(back, cp) != step || memcmp(back, out + i, step) != 0) abort();
        if (r1i_utf8_back(out, i + step) != i) abort();
        i += step;
    }
    free(out);
    free(again);
    return 0;
}
