/* Llama 3's tokenizer.model (tiktoken form): a line a token, base64 of its bytes, a space, its rank, which is its
 * id. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok.h"

#define MAX_TOKEN 4096u /* bytes of one token; the longest of Llama 3 has 128 */
#define SPECIALS 256    /* control tokens that follow the ranks */

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Strict base64 with padding; false when malformed. out holds n / 4 * 3 bytes. */
static bool base64(const uint8_t *p, size_t n, uint8_t *out, size_t *out_n)
{
    size_t o = 0;
    if (n == 0 || n % 4 != 0) return false;
    for (size_t i = 0; i < n; i += 4) {
        const bool last = i + 4 == n;
        const int pad = last && p[i + 3] == '=' ? (p[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t w = 0;
        for (int k = 0; k < 4; k++) {
            const int d = k >= 4 - pad ? 0 : base64_digit(p[i + (size_t)k]);
            if (d < 0) return false;
            w = w << 6 | (uint32_t)d;
        }
        out[o++] = (uint8_t)(w >> 16);
        if (pad < 2) out[o++] = (uint8_t)(w >> 8);
        if (pad < 1) out[o++] = (uint8_t)w;
    }
    *out_n = o;
    return true;
}

static r1_status bad_line(r1_error *err, size_t at, int64_t line, const char *what)
{
    const r1_status st = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "line %lld: %s", (long long)line, what);
    if (err) err->line = line;
    return st;
}

static r1_status read_line(r1i_vocab *v, const uint8_t *text, size_t at, size_t end, int64_t line, r1_error *err)
{
    uint8_t bytes[MAX_TOKEN];
    size_t n = 0, i = at;
    int64_t rank = 0;
    while (i < end && text[i] != ' ') i++;
    if ((i - at) / 4 * 3 > MAX_TOKEN || !base64(text + at, i - at, bytes, &n))
        return bad_line(err, at, line, "base64 of a token is expected");
    const size_t digits = ++i;
    for (; i < end && text[i] >= '0' && text[i] <= '9' && i - digits < 8; i++) rank = rank * 10 + (text[i] - '0');
    if (i != end || i == digits)
        return bad_line(err, digits < end ? digits : at, line, "a rank is expected after the token");
    const r1_status st = r1i_vocab_define(v, rank, bytes, n, R1I_TOKEN_BPE, err);
    if (st != R1_OK) r1i_error_prefix(err, "line %lld: ", (long long)line);
    return st;
}

/* BPE by rank of the concatenation, as merges: every way to cut a token into two tokens is a merge of that token's
 * rank. Ties between such cuts go to the leftmost, as in the original. */
static r1_status merges_from_ranks(r1i_vocab *v, r1_error *err)
{
    uint64_t cuts = 0;
    for (int pass = 0; pass < 2; pass++) {
        if (pass == 1) {
            const r1_status st = r1i_vocab_begin_merges(v, cuts > v->size ? cuts : v->size, err);
            if (st != R1_OK) return st;
        }
        for (size_t id = 0; id < v->size; id++) {
            /* ranks may have holes */
            const r1i_token t = v->flag[id] & R1I_TOKEN_DEFINED ? v->token[id] : (r1i_token){0};
            for (uint32_t k = 1; k < t.size; k++) {
                const int32_t left = r1i_vocab_find(v, v->text + t.at, k);
                const int32_t right = left < 0 ? -1 : r1i_vocab_find(v, v->text + t.at + k, t.size - k);
                if (right < 0) continue;
                if (pass == 0) {
                    cuts++;
                    continue;
                }
                const r1_status st = r1i_vocab_add_merge(v, left, right, (int32_t)id, (uint32_t)id, err);
                if (st != R1_OK) return st;
            }
        }
    }
    return R1_OK;
}

/* Llama 3.1's names, in id order after the ranks. */
static r1_status add_specials(r1i_tok_loader *l, size_t base, r1_error *err)
{
    static const char *const names[] = {
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>",
        "<|finetune_right_pad_id|>", "<|reserved_special_token_2|>", "<|start_header_id|>", "<|end_header_id|>",
        "<|eom_id|>", "<|eot_id|>", "<|python_tag|>"};
    const int named = (int)(sizeof names / sizeof *names);
    for (int i = 0; i < SPECIALS; i++) {
        char name[48];
        if (i < named) snprintf(name, sizeof name, "%s", names[i]);
        else snprintf(name, sizeof name, "<|reserved_special_token_%d|>", i - named + 3);
        const r1_status st = r1i_added_list_add(&l->added, name, strlen(name), (int64_t)base + i, true, err);
        if (st != R1_OK) return st;
    }
    l->t->bos = (int32_t)base;
    l->t->eos = (int32_t)base + 1;
    return R1_OK;
}

r1_status r1i_tok_read_ranks(r1i_tok_loader *l, const uint8_t *text, size_t n, bool specials, r1_error *err)
{
    r1i_vocab *const v = &l->t->vocab;
    r1_status st = R1_OK;
    int64_t line = 1;
    if (n > 0 && text[0] == 0x0A)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 0,
                           "a SentencePiece model: only Llama 3's base64 ranks are supported");
    for (size_t at = 0; at < n && st == R1_OK; line++) {
        const uint8_t *const newline = memchr(text + at, '\n', n - at);
        const size_t end = newline ? (size_t)(newline - text) : n;
        const size_t stop = end > at && text[end - 1] == '\r' ? end - 1 : end;
        if (stop > at) st = read_line(v, text, at, stop, line, err);
        at = end + 1;
    }
    if (st == R1_OK && v->size == 0) st = r1i_fail(err, R1_ERR_FORMAT, "no token");
    if (st == R1_OK && v->size + SPECIALS >= R1I_VOCAB_MAX_IDS) st = r1i_fail(err, R1_ERR_RANGE, "%zu ranks", v->size);
    if (st == R1_OK) st = merges_from_ranks(v, err);
    if (st == R1_OK && specials) st = add_specials(l, v->size, err);
    l->t->ignore_merges = true;
    l->t->adds_bos = true;
    return st == R1_OK ? r1i_splitter_add_pattern(&l->t->splitter, r1i_pattern_llama3, strlen(r1i_pattern_llama3),
                                                  R1I_SPLIT_ISOLATED, false, false, err) : st;
}
