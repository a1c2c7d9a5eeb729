/* The tokenizer handle and what its loaders fill in. A loader (tokenizer.json, GGUF keys, tokenizer.model) produces a
 * vocabulary, added tokens, a normaliser and a pre-tokeniser; encoding and decoding know nothing of where they came
 * from. Memory is the C library's: it is shared with jansson, PCRE2 and utf8proc, which allocate there as well. */
#ifndef R1I_TOK_H
#define R1I_TOK_H

#include "base/env.h"
#include "r1/tokenizer.h"
#include "tokenizer/tok_added.h"
#include "tokenizer/tok_bpe.h"
#include "tokenizer/tok_normal.h"
#include "tokenizer/tok_split.h"
#include "tokenizer/tok_vocab.h"

typedef struct r1i_template {
    char *name, *text; /* malloc'd */
} r1i_template;

#define R1I_TOK_STOPS 32

struct r1_tokenizer {
    r1i_vocab vocab;
    r1i_added raw, normalized; /* added tokens found in the text as it is, and after normalising */
    r1i_normal normal;
    r1i_splitter splitter;
    r1i_classes classes;
    bool ignore_merges;        /* a piece that is a token is that token */
    int32_t bos, eos;
    bool adds_bos;
    int32_t stop[R1I_TOK_STOPS];
    int stops;
    r1i_template *template; /* [templates] */
    size_t templates;
};

/* Added tokens while loading; texts are malloc'd copies. */
typedef struct r1i_added_list {
    r1i_added_token *token;
    size_t n, cap;
} r1i_added_list;

typedef struct r1i_tok_loader {
    r1_tokenizer *t;
    r1i_added_list added;
    const r1_env *env;
} r1i_tok_loader;

r1_status r1i_added_list_add(r1i_added_list *l, const char *text, size_t n, int64_t id, bool special, r1_error *err);
const r1i_added_token *r1i_added_list_find(const r1i_added_list *l, const char *text, size_t n);
r1_status r1i_tok_add_template(r1_tokenizer *t, const char *name, const char *text, size_t n, r1_error *err);
void r1i_tok_add_stop(r1_tokenizer *t, int32_t id);

/* Loaders. `text` is the whole file; each leaves the side files to r1i_tok_read_side. */
r1_status r1i_tok_read_json(r1i_tok_loader *l, const uint8_t *text, size_t n, r1_error *err);
/* specials: Llama 3.1's 256 control tokens follow the ranks; without, the side files must name them. */
r1_status r1i_tok_read_ranks(r1i_tok_loader *l, const uint8_t *text, size_t n, bool specials, r1_error *err);
r1_status r1i_tok_read_gguf(r1i_tok_loader *l, const uint8_t *data, uint64_t size, r1_error *err);
/* tokenizer_config.json, generation_config.json, chat_template.jinja of a folder, where present. What they say about
 * BOS, EOS and the template goes before what the main file said; added tokens only fill ids that it left free. */
r1_status r1i_tok_read_side(r1i_tok_loader *l, const char *dir, r1_error *err);

/* Define the added tokens, build tries and tables, check what encoding relies on. */
r1_status r1i_tok_finish(r1i_tok_loader *l, r1_error *err);

/* Open from bytes in memory: kind is 'j', 'm' or 'g'. For tests and fuzzing. */
r1_status r1i_tok_open_bytes(char kind, const uint8_t *data, size_t n, const r1_env *env, r1_tokenizer **out,
                             r1_error *err);

/* Pre-tokeniser pieces of a text without added tokens, after normalising: for tests. */
r1_status r1i_tok_pieces(const r1_tokenizer *t, const char *text, size_t n,
                         void (*piece)(void *user, const uint8_t *p, size_t n), void *user, r1_error *err);

/* Pre-tokeniser, normaliser and habits that go with a name of tokenizer.ggml.pre. R1_ERR_UNSUPPORTED names it. */
r1_status r1i_tok_use_pre(r1_tokenizer *t, const char *name, size_t n, r1_error *err);

#endif
