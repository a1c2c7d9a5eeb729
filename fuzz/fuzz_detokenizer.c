/* A tokenizer of 256 bytes, some longer tokens and control tokens: streaming equals decoding at once, for ids taken
 * from the input; and any text comes back from encoding, control tokens only where spans are trusted. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void define(r1_tokenizer *t, int64_t id, const char *text, size_t n)
{
    if (r1i_vocab_define(&t->vocab, id, (const uint8_t *)text, n, R1I_TOKEN_BPE, NULL) != R1_OK) abort();
}

static void add(r1i_tok_loader *l, int64_t id, const char *text, bool special, bool strip)
{
    if (r1i_added_list_add(&l->added, text, strlen(text), id, special, NULL) != R1_OK) abort();
    l->added.token[l->added.n - 1].lstrip = strip;
    l->added.token[l->added.n - 1].rstrip = strip;
}

static r1_tokenizer *make(bool strip)
{
    static const struct { const char *text; size_t n; } longer[] = {{"th", 2}, {"the", 3}, {"\xE4\xBD", 2}, {"\xF0\x9F\x98", 3}, {"\xA0\xE5", 2}};
    r1_tokenizer *const t = calloc(1, sizeof *t);
    r1i_tok_loader l = {.t = t};
    if (!t) abort();
    r1i_vocab_init(&t->vocab);
    t->bos = t->eos = -1;
    for (int b = 0; b < 256; b++) define(t, b, &(char){(char)b}, 1);
    for (int i = 0; i < 5; i++) define(t, 256 + i, longer[i].text, longer[i].n);
    if (r1i_vocab_begin_merges(&t->vocab, 5, NULL) != R1_OK) abort();
    r1i_vocab_add_merge(&t->vocab, 't', 'h', 256, 0, NULL);
    r1i_vocab_add_merge(&t->vocab, 256, 'e', 257, 1, NULL);
    r1i_vocab_add_merge(&t->vocab, 0xE4, 0xBD, 258, 2, NULL);
    add(&l, 261, "<think>", false, false);
    add(&l, 262, "<|end|>", true, strip);
    add(&l, 263, "<|end|>|", true, false);
    for (int k = 0; k < 3; k++)
        if (r1i_splitter_add_pattern(&t->splitter, r1i_pattern_deepseek3[k], strlen(r1i_pattern_deepseek3[k]),
                                     R1I_SPLIT_ISOLATED, false, false, NULL) != R1_OK)
            abort();
    if (r1i_tok_finish(&l, NULL) != R1_OK) abort();
    for (size_t i = 0; i < l.added.n; i++) free((void *)(uintptr_t)l.added.token[i].text);
    free(l.added.token);
    return t;
}

static void check_streaming(const r1_tokenizer *t, const int32_t *ids, size_t n, unsigned flags)
{
    char *want, part[64];
    size_t bytes, at = 0;
    r1_detokenizer d = {0};
    if (r1_detokenizer_room(t) > sizeof part || r1_tokenizer_decode(t, ids, n, flags, &want, &bytes, NULL) != R1_OK)
        abort();
    for (size_t i = 0; i <= n; i++) {
        const size_t k = i < n ? r1_detokenizer_push(&d, t, ids[i], flags, part, sizeof part)
            : r1_detokenizer_finish(&d, part, sizeof part);
        if (k > bytes - at || memcmp(want + at, part, k) != 0) abort();
        if (r1i_utf8_valid_prefix((const uint8_t *)part, k) != k || d.n_tail > 3) abort();
        at += k;
    }
    if (at != bytes) abort();
    r1_free(want);
}

static void check_encoding(const r1_tokenizer *t, const uint8_t *data, size_t size, bool strip)
{
    const size_t a = size / 3, b = size - size / 4;
    const r1_span spans[] = {{0, a, true}, {a, b, false}, {b, size, true}};
    uint8_t *const want = malloc(3 * size + 1);
    int32_t *ids;
    size_t n, bytes, left, want_n = 0;
    char *back;
    if (!want) abort();
    for (int k = 0; k < 3; k++)
        want_n += r1i_utf8_mend(want + want_n, data + spans[k].begin, spans[k].end - spans[k].begin, false, &left);
    if (r1_tokenizer_encode_spans(t, (const char *)data, size, spans, 3, &ids, &n, NULL) != R1_OK) abort();
    if (r1_tokenizer_decode(t, ids, n, 0, &back, &bytes, NULL) != R1_OK) abort();
    if (!strip && (bytes != want_n || memcmp(back, want, want_n) != 0)) abort();
    r1_free(ids);
    r1_free(back);
    if (r1_tokenizer_encode(t, (const char *)data, size, R1_ENCODE_PLAIN, &ids, &n, NULL) != R1_OK) abort();
    for (size_t i = 0; i < n; i++)
        if (ids[i] >= 261) abort();
    check_streaming(t, ids, n, 0);
    r1_free(ids);
    free(want);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static r1_tokenizer *made[2]; /* one process, one thread; kept reachable until it ends */
    const bool strip = size > 0 && (data[0] & 1);
    if (!made[strip]) made[strip] = make(strip);
    int32_t *const ids = malloc((size + 1) * sizeof *ids);
    if (!ids) abort();
    for (size_t i = 0; i < size; i++) ids[i] = data[i] > 0xF7 ? 256 + (data[i] & 7) : data[i];
    check_streaming(made[strip], ids, size, size > 1 && (data[1] & 1) ? R1_DECODE_SKIP_SPECIAL : 0);
    free(ids);
    check_encoding(made[strip], data, size, strip);
    return 0;
}
