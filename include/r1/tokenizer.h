/** Text to token ids and back: byte-level BPE from tokenizer.json, GGUF keys or Llama 3's tokenizer.model. */
#ifndef R1_TOKENIZER_H
#define R1_TOKENIZER_H

#include "r1/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_tokenizer r1_tokenizer; /* immutable once open, shared freely between threads */

/** path: a model folder, a folder with only tokenizer files, a tokenizer.json, a tokenizer.model or a .gguf file. */
R1_API r1_status r1_tokenizer_open(const char *path, const r1_env *env, r1_tokenizer **out, r1_error *err);
R1_API void r1_tokenizer_close(r1_tokenizer *tokenizer); /* takes NULL */

/** One past the largest defined id (rows of the embedding above it have no text). */
R1_API int32_t r1_tokenizer_size(const r1_tokenizer *tokenizer);
/** -1 where the tokenizer has none. */
R1_API int32_t r1_tokenizer_bos(const r1_tokenizer *tokenizer);
R1_API int32_t r1_tokenizer_eos(const r1_tokenizer *tokenizer);
/** Every id that ends generation: tokenizer EOS and generation_config.json's list. Borrowed. */
R1_API int r1_tokenizer_stop_ids(const r1_tokenizer *tokenizer, const int32_t **ids);
/** Whether encode with R1_ENCODE_BOS puts BOS in front (add_bos_token). */
R1_API bool r1_tokenizer_adds_bos(const r1_tokenizer *tokenizer);
/** Id of an added token by its exact text, or -1. */
R1_API int32_t r1_tokenizer_added_id(const r1_tokenizer *tokenizer, const char *text, size_t bytes);
/** The chat template shipped with the model, or NULL. Borrowed. name NULL: the default one. */
R1_API const char *r1_tokenizer_chat_template(const r1_tokenizer *tokenizer, const char *name);
/** Text of an id as bytes (not necessarily whole UTF-8 characters). false for an id without text. */
R1_API bool r1_tokenizer_token_bytes(const r1_tokenizer *tokenizer, int32_t id, const char **bytes, size_t *size);
/** Whether the id is flagged special (control): skipped by decode with R1_DECODE_SKIP_SPECIAL. */
R1_API bool r1_tokenizer_is_special(const r1_tokenizer *tokenizer, int32_t id);

enum {
    R1_ENCODE_BOS = 1,    /* prepend BOS if the tokenizer says so */
    R1_ENCODE_PLAIN = 2   /* text from outside: added tokens are not matched, control tokens stay plain text */
};

/** Encode bytes[size] (UTF-8; ill-formed bytes are encoded as U+FFFD each maximal bad part, as CPython's "replace"
 * does). *ids is malloc'd, caller frees with r1_free. R1_ERR_NOMEM; R1_ERR_RANGE for a piece of 2 GiB or a pattern of
 * the tokenizer's own file that backtracks beyond all measure on this text. Threads: any. */
R1_API r1_status r1_tokenizer_encode(const r1_tokenizer *tokenizer, const char *text, size_t bytes, unsigned flags,
                                     int32_t **ids, size_t *n, r1_error *err);

/** What a vocabulary is learnt from. */
typedef struct r1_tokenizer_train_params {
    const char *const *path;    /* [n_paths] .jsonl (rows with messages, prompt and completion, or text) or plain text;
                                 * .gz and .zst of both */
    size_t n_paths;
    int64_t vocab_size;         /* ids in all: special tokens, 256 bytes, merges */
    const char *const *special; /* [n_special] behind R1's own: begin and end of sentence, pad, User, Assistant,
                                 * <think>, </think> */
    size_t n_special;
    int digits;                 /* longest run of digits in a piece, 1 to 3; 0: 3, as R1 */
    const char *out;            /* folder for tokenizer.json and tokenizer_config.json; made if missing */
} r1_tokenizer_train_params;

typedef struct r1_tokenizer_training {
    int64_t texts, bytes, pieces, words; /* words: distinct pieces */
    int64_t size, merges;                /* size is below vocab_size where nothing was left to merge */
} r1_tokenizer_training;

/* * Learn a byte-level BPE vocabulary with R1's pre-tokeniser and write it with R1's chat template. The result is a
 * function of the texts alone, and the merges are those of the `tokenizers` trainer: the pair with the highest count,
 * of equal ones the smaller left id, then the smaller right id. Special tokens spelled out in the texts are cut out.
 * result: nullable. R1_ERR_USAGE: vocab_size, digits or a special token that cannot be; R1_ERR_FORMAT: a row (file and
 * line), no text at all; R1_ERR_IO; R1_ERR_NOMEM. */
R1_API r1_status r1_tokenizer_train(const r1_tokenizer_train_params *params, const r1_env *env,
                                    r1_tokenizer_training *result, r1_error *err);

/** A part of a rendered prompt: bytes [begin, end); trusted parts (the template's own text) may hold control tokens. */
typedef struct r1_span {
    size_t begin, end;
    bool trusted;
} r1_span;

/** Encode a rendered prompt: added tokens match only inside trusted spans (adjacent trusted spans count as one). Spans
 * tile the text. A piece never crosses a matched control token, and untrusted text is encoded exactly as the same bytes
 * would be in a trusted place when it holds no control token. Errors as r1_tokenizer_encode; R1_ERR_USAGE when the
 * spans do not tile the text. */
R1_API r1_status r1_tokenizer_encode_spans(const r1_tokenizer *tokenizer, const char *text, size_t bytes,
                                           const r1_span *spans, size_t n_spans, int32_t **ids, size_t *n,
                                           r1_error *err);

enum { R1_DECODE_SKIP_SPECIAL = 1 };
/** Ids to UTF-8, invalid sequences replaced by U+FFFD; *text is malloc'd and NUL-terminated (r1_free).
 * R1_ERR_RANGE for an id without text. */
R1_API r1_status r1_tokenizer_decode(const r1_tokenizer *tokenizer, const int32_t *ids, size_t n, unsigned flags,
                                     char **text, size_t *bytes, r1_error *err);

/** Streaming detokeniser: plain data, zero-initialise; holds at most 3 bytes back until a character is whole. */
typedef struct r1_detokenizer {
    uint8_t tail[4];
    int n_tail;
} r1_detokenizer;
/** Append one token; writes whole characters to out[cap] (not NUL-terminated) and returns the number of bytes.
 * cap must be at least 3 * (token bytes + 4): see r1_detokenizer_room. Ids without text add nothing. */
R1_API size_t r1_detokenizer_push(r1_detokenizer *d, const r1_tokenizer *tokenizer, int32_t id, unsigned flags,
                                  char *out, size_t cap);
/** What is left at the end, invalid bytes as U+FFFD. out[16]. */
R1_API size_t r1_detokenizer_finish(r1_detokenizer *d, char *out, size_t cap);
/** A buffer size that suffices for any token of this tokenizer. */
R1_API size_t r1_detokenizer_room(const r1_tokenizer *tokenizer);

#ifdef __cplusplus
}
#endif
#endif
