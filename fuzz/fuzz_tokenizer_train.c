/* Learning a vocabulary from any text: the result opens as a tokenizer.json and gives the text back, in fewer tokens
 * than bytes.
 * Byte 0: digits in a piece; byte 1: merges; then the text, a line each. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"
#include "tokenizer/tok_train.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool good)
{
    if (!good) abort();
}

/* With the tokenizer that was learnt: there and back. */
static void use(json_t *j, const char *text, size_t n)
{
    r1_tokenizer *t = NULL;
    int32_t *ids;
    size_t n_ids, bytes;
    char *back, *const file = json_dumps(j, JSON_COMPACT);
    must(file && r1i_tok_open_bytes('j', (const uint8_t *)file, strlen(file), NULL, &t, NULL) == R1_OK);
    must(r1_tokenizer_encode(t, text, n, R1_ENCODE_PLAIN, &ids, &n_ids, NULL) == R1_OK && n_ids <= n);
    must(r1_tokenizer_decode(t, ids, n_ids, 0, &back, &bytes, NULL) == R1_OK && bytes == n &&
         memcmp(back, text, n) == 0);
    r1_free(ids), r1_free(back);
    r1_tokenizer_close(t);
    free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const special[] = {"<think>", "</think>"};
    r1i_tok_trainer t;
    json_t *j;
    size_t left, from = 0;
    if (size < 3) return 0;
    uint8_t *const text = malloc(3 * size);
    must(text != NULL);
    const size_t n = r1i_utf8_mend(text, data + 2, size - 2, false, &left);
    must(r1i_tok_trainer_open(&t, special, 2, data[0] % 3u + 1, NULL) == R1_OK);
    while (from < n) {
        const uint8_t *const end = memchr(text + from, '\n', n - from);
        const size_t to = end ? (size_t)(end - text) + 1 : n;
        must(r1i_tok_trainer_add(&t, (const char *)text + from, to - from, NULL) == R1_OK);
        from = to;
    }
    must(r1i_tok_trainer_merge(&t, 258u + data[1], NULL, NULL) == R1_OK && t.size <= 258u + data[1]);
    must(r1i_tok_trainer_json(&t, 2, &j, NULL) == R1_OK);
    use(j, (const char *)text, n);
    json_decref(j);
    r1i_tok_trainer_close(&t);
    free(text);
    return 0;
}
