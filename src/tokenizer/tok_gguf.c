/* Tokenizer keys of GGUF files (tokenizer.ggml.*). Tokens are in the byte alphabet; control and user-defined ones stand
 * for themselves and are found in the text first. */
#include <stdlib.h>
#include <string.h>

#include "format/gguf.h"
#include "tokenizer/tok.h"

enum { TYPE_NORMAL = 1, TYPE_UNKNOWN = 2, TYPE_CONTROL = 3, TYPE_USER = 4, TYPE_UNUSED = 5 };

typedef struct reader {
    r1i_tok_loader *l;
    const r1i_gguf *g;
    uint8_t *scratch; /* bytes of the token at hand */
    size_t cap;
    r1_error *err;
} reader;

static r1_status need(reader *r, uint64_t n)
{
    if (n <= r->cap) return R1_OK;
    if (n > UINT32_MAX / 2) return r1i_fail(r->err, R1_ERR_RANGE, "token of %llu bytes", (unsigned long long)n);
    uint8_t *const p = realloc(r->scratch, (size_t)n * 2);
    if (!p) return r1i_fail(r->err, R1_ERR_NOMEM, "token of %llu bytes", (unsigned long long)n);
    r->scratch = p;
    r->cap = (size_t)n * 2;
    return R1_OK;
}

static r1_status strings(reader *r, const char *key, const r1i_gguf_value **out)
{
    *out = r1i_gguf_find(r->g, key);
    if (!*out) return r1i_fail(r->err, R1_ERR_FORMAT, "%s is missing", key);
    if ((*out)->type != R1I_GGUF_ARRAY || (*out)->elem != R1I_GGUF_STRING)
        return r1i_fail_at(r->err, R1_ERR_FORMAT, (int64_t)(*out)->offset, "%s: an array of strings is expected", key);
    return R1_OK;
}

static r1_status define(reader *r, int64_t id, int64_t type, const char *text, size_t n)
{
    r1i_vocab *const v = &r->l->t->vocab;
    size_t bytes = 0;
    const r1_status st = need(r, n + 1);
    if (st != R1_OK || type == TYPE_UNUSED) return st;
    const bool plain = r1i_byte_alphabet_decode(text, n, r->scratch, &bytes);
    if (type == TYPE_CONTROL || type == TYPE_USER || type == TYPE_UNKNOWN) {
        /* merges may pass through a user-defined token, so it is in the hash as well where its text reads the same */
        const bool same = plain && bytes == n && memcmp(r->scratch, text, n) == 0;
        if (n == 0) return R1_OK;
        const r1_status made = r1i_vocab_define(v, id, (const uint8_t *)text, n,
                                                same && type == TYPE_USER ? R1I_TOKEN_BPE : 0, r->err);
        return made != R1_OK ? made : r1i_added_list_add(&r->l->added, text, n, id, type != TYPE_USER, r->err);
    }
    if (plain) return r1i_vocab_define(v, id, r->scratch, bytes, R1I_TOKEN_BPE, r->err);
    return r1i_vocab_define(v, id, (const uint8_t *)text, n, 0, r->err);
}

static r1_status read_tokens(reader *r)
{
    const r1i_gguf_value *tokens;
    r1_status st = strings(r, "tokenizer.ggml.tokens", &tokens);
    if (st != R1_OK) return st;
    const r1i_gguf_value *const types = r1i_gguf_find(r->g, "tokenizer.ggml.token_type");
    if (types && (types->type != R1I_GGUF_ARRAY || types->n != tokens->n))
        return r1i_fail_at(r->err, R1_ERR_FORMAT, (int64_t)types->offset,
                           "tokenizer.ggml.token_type: an array of %llu is expected", (unsigned long long)tokens->n);
    const size_t few = tokens->n < R1I_VOCAB_MAX_IDS ? (size_t)tokens->n : R1I_VOCAB_MAX_IDS;
    if ((st = r1i_vocab_reserve(&r->l->t->vocab, few, few * 8, r->err)) != R1_OK) return st;
    const uint8_t *at = tokens->bytes;
    uint64_t i = 0, n;
    const char *text;
    while (r1i_gguf_next_string(tokens, &at, &i, &text, &n)) {
        const uint64_t id = i - 1;
        int64_t type = TYPE_NORMAL;
        if (types && !r1i_gguf_array_i64(types, id, &type))
            return r1i_fail_at(r->err, R1_ERR_FORMAT, (int64_t)types->offset,
                               "tokenizer.ggml.token_type: integers are expected");
        st = define(r, (int64_t)id, type, text, (size_t)n);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

static r1_status merge(reader *r, const char *text, size_t n, uint32_t rank)
{
    r1i_vocab *const v = &r->l->t->vocab;
    size_t left = 0, right = 0;
    const char *const space = n > 1 ? memchr(text + 1, ' ', n - 1) : NULL;
    const r1_status st = need(r, n + 1);
    if (st != R1_OK) return st;
    if (!space) return r1i_fail(r->err, R1_ERR_FORMAT, "tokenizer.ggml.merges[%u]: \"a b\" is expected", rank);
    const size_t a = (size_t)(space - text);
    if (!r1i_byte_alphabet_decode(text, a, r->scratch, &left) ||
        !r1i_byte_alphabet_decode(space + 1, n - a - 1, r->scratch + left, &right))
        return r1i_vocab_add_merge(v, -1, -1, -1, rank, r->err);
    const int32_t x = r1i_vocab_find(v, r->scratch, left), y = r1i_vocab_find(v, r->scratch + left, right);
    const int32_t z = r1i_vocab_find(v, r->scratch, left + right);
    /* converters keep merges of tokens that they marked as control: such a pair never arises */
    return r1i_vocab_add_merge(v, x, y, x < 0 || y < 0 ? -1 : z, rank, r->err);
}

static r1_status read_merges(reader *r)
{
    const r1i_gguf_value *merges;
    r1_status st = strings(r, "tokenizer.ggml.merges", &merges);
    if (st != R1_OK || (st = r1i_vocab_begin_merges(&r->l->t->vocab, merges->n, r->err)) != R1_OK) return st;
    const uint8_t *at = merges->bytes;
    uint64_t i = 0, n;
    const char *text;
    while (st == R1_OK && r1i_gguf_next_string(merges, &at, &i, &text, &n))
        st = merge(r, text, (size_t)n, (uint32_t)(i - 1));
    return st;
}

static r1_status read_model_and_pre(reader *r)
{
    const char *s;
    uint64_t n;
    if (!r1i_gguf_get_string(r->g, "tokenizer.ggml.model", &s, &n))
        return r1i_fail(r->err, R1_ERR_FORMAT,
                        "tokenizer.ggml.model is missing (in a split file the first part has it)");
    if (n != 4 || memcmp(s, "gpt2", 4) != 0)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "tokenizer.ggml.model \"%.*s\": only \"gpt2\" (byte-level BPE) is supported",
                        (int)(n < 64 ? n : 64), s);
    if (r1i_gguf_get_string(r->g, "tokenizer.ggml.pre", &s, &n)) return r1i_tok_use_pre(r->l->t, s, (size_t)n, r->err);
    r1i_log(r->l->env, R1_LOG_WARN,
            "tokenizer.ggml.pre is missing: \"default\" is used, which may not be how the model was trained");
    return r1i_tok_use_pre(r->l->t, "default", 7, r->err);
}

static int32_t id_key(const reader *r, const char *key)
{
    uint64_t id;
    return r1i_gguf_get_u64(r->g, key, &id) && id < R1I_VOCAB_MAX_IDS ? (int32_t)id : -1;
}

static r1_status read_templates(reader *r)
{
    static const char prefix[] = "tokenizer.chat_template";
    const size_t len = sizeof prefix - 1;
    for (int64_t i = 0; i < r1i_gguf_value_count(r->g); i++) {
        const r1i_gguf_value *const v = r1i_gguf_value_at(r->g, i);
        if (v->type != R1I_GGUF_STRING || strncmp(v->key, prefix, len) != 0) continue;
        if (v->key[len] != 0 && v->key[len] != '.') continue;
        const char *const name = v->key[len] ? v->key + len + 1 : "default";
        const r1_status st = r1i_tok_add_template(r->l->t, name, (const char *)v->bytes, (size_t)v->n, r->err);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

static r1_status read_all(reader *r)
{
    static const char *const stops[] = {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"};
    r1_tokenizer *const t = r->l->t;
    r1_status st = read_model_and_pre(r);
    if (st == R1_OK) st = read_tokens(r);
    if (st == R1_OK) st = read_merges(r);
    if (st == R1_OK) st = read_templates(r);
    if (st != R1_OK) return st;
    t->bos = id_key(r, "tokenizer.ggml.bos_token_id");
    t->eos = id_key(r, "tokenizer.ggml.eos_token_id");
    t->vocab.unknown = id_key(r, "tokenizer.ggml.unknown_token_id");
    r1i_tok_add_stop(t, t->eos);
    for (int i = 0; i < 2; i++) r1i_tok_add_stop(t, id_key(r, stops[i]));
    bool adds;
    if (r1i_gguf_get_bool(r->g, "tokenizer.ggml.add_bos_token", &adds)) t->adds_bos = adds;
    return R1_OK;
}

r1_status r1i_tok_read_gguf(r1i_tok_loader *l, const uint8_t *data, uint64_t size, r1_error *err)
{
    r1i_gguf *g;
    reader r = {.l = l, .err = err};
    r1_status st = r1i_gguf_parse(data, size, &g, err);
    if (st != R1_OK) return st;
    r.g = g;
    st = read_all(&r);
    r1i_gguf_free(g);
    free(r.scratch);
    return st;
}
