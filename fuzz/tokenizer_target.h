/* What an accepted tokenizer does with text: it encodes, and its ids decode. The including file says in TOKENIZER_KIND
 * what its bytes are. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char text[] = "The answer's 12345 <think>\r\n\t  caf\xC3\xA9 e\xCC\x81 \xE7\xAD\x94\xE3\x83\xBB\xE3\x81\x88\xFF the  answer";
    r1_tokenizer *t;
    r1_error err = {0};
    if (r1i_tok_open_bytes(TOKENIZER_KIND, data, size, NULL, &t, &err) != R1_OK) {
        if (err.message[0] == 0) abort(); /* every refusal says why */
        return 0;
    }
    for (unsigned flags = 0; flags < 4; flags++) {
        int32_t *ids;
        size_t n, bytes;
        char *back;
        const r1_status st = r1_tokenizer_encode(t, text, sizeof text - 1, flags, &ids, &n, &err);
        if (st == R1_ERR_RANGE) continue; /* a pattern may ask for too much backtracking */
        if (st != R1_OK || r1_tokenizer_decode(t, ids, n, 0, &back, &bytes, &err) != R1_OK) abort();
        r1_free(ids);
        r1_free(back);
    }
    r1_tokenizer_close(t);
    return 0;
}
