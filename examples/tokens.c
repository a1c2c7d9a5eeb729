/* Shows how a text becomes tokens: id, bytes, and the text again.
 *   tokens MODEL "text"        MODEL: a model folder, a tokenizer.json or a .gguf file
 * Build against an installed r1:  cc tokens.c $(pkg-config --cflags --libs r1) */
#include <stdio.h>
#include <string.h>

#include <r1/r1.h>

int main(int argc, char **argv)
{
    r1_tokenizer *tokenizer = NULL;
    r1_error err = {0};
    int32_t *ids = NULL;
    char *back = NULL;
    size_t n = 0, bytes = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: tokens MODEL TEXT\n");
        return 2;
    }
    r1_status st = r1_tokenizer_open(argv[1], NULL, &tokenizer, &err);
    if (st == R1_OK) st = r1_tokenizer_encode(tokenizer, argv[2], strlen(argv[2]), R1_ENCODE_BOS, &ids, &n, &err);
    for (size_t i = 0; st == R1_OK && i < n; i++) {
        const char *text = "";
        size_t size = 0;
        r1_tokenizer_token_bytes(tokenizer, ids[i], &text, &size);
        printf("%8d  ", (int)ids[i]);
        for (size_t k = 0; k < size; k++) /* a token may be half a character: show bytes */
            if (text[k] > ' ' && text[k] < 127) putchar(text[k]);
            else printf("\\x%02x", (unsigned)(unsigned char)text[k]);
        printf("%s\n", r1_tokenizer_is_special(tokenizer, ids[i]) ? "  (special)" : "");
    }
    if (st == R1_OK) st = r1_tokenizer_decode(tokenizer, ids, n, R1_DECODE_SKIP_SPECIAL, &back, &bytes, &err);
    if (st == R1_OK) printf("%zu tokens, back to: %s\n", n, back);
    else fprintf(stderr, "tokens: %s\n", err.message);
    r1_free(back);
    r1_free(ids);
    r1_tokenizer_close(tokenizer);
    return r1_status_exit_code(st, &err);
}
