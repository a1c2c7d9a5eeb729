/* What a trainer learns from: rows of data sets as token ids with a mark on every token that counts in the loss, packed
 * best-fit into chunks of at most sequence_length tokens, in an order that is a function of (seed, epoch) alone. */
#ifndef R1I_TRAINING_DATA_H
#define R1I_TRAINING_DATA_H

#include "base/sha256.h"
#include "data/jsonl.h"
#include "r1/chat.h"

typedef struct r1i_training_data r1i_training_data; /* immutable once open; one thread at a time for
                                                     * r1i_training_data_chunk */

typedef enum r1i_too_long { R1I_TOO_LONG_SKIP, R1I_TOO_LONG_CUT, R1I_TOO_LONG_REFUSE } r1i_too_long;

typedef struct r1i_training_data_params {
    const char *const *path;       /* [n_paths] JSONL, plain, .gz or .zst, read in this order */
    size_t n_paths;
    int64_t sequence_length;       /* tokens of a chunk */
    uint64_t seed;                 /* of the shuffle */
    bool keep_order;               /* chunks in file order, documents not sorted by length (a run over ready chunks) */
    bool think;                    /* chat rows: the prompt opens the think block, as at inference */
    r1i_too_long too_long;         /* what a document of more than sequence_length tokens gets; default: skipped and
                                    * counted */
    const char *cache_folder;      /* nullable: token ids are kept there, by the hash of data, tokenizer and these
                                    * settings */
    const char *tokenizer_hash;    /* what the cache knows the tokenizer and its template by; nullable: rows of ready
                                    * ids alone */
    int64_t vocab_size;            /* ids of ready rows must be below it */
} r1i_training_data_params;

/* Rows: {"messages": [..]} (every assistant turn is a document: its context as the model's template renders it, the
 * turn's own text and the end token as targets), {"prompt", "completion"}, {"text"} (all tokens and the end token are
 * targets), {"input_ids": [..]} (optional "loss_mask" of the same length). tokenizer and form are needed for the first
 * three and may be NULL otherwise. A row that fits none of these, or leaves nothing to learn, ends loading with its
 * file and line (R1_ERR_FORMAT); R1_ERR_RANGE: an id beyond vocab_size; R1_ERR_NOMEM; R1_ERR_IO. */
r1_status r1i_training_data_open(const r1i_training_data_params *params, const r1_tokenizer *tokenizer,
                                 const r1_chat_form *form, const r1_env *env, r1i_training_data **out, r1_error *err);
void r1i_training_data_close(r1i_training_data *d); /* takes NULL */

typedef struct r1i_training_stats {
    int64_t rows, documents, skipped, tokens, targets, chunks; /* of one epoch */
    char hash[R1I_SHA256_HEX];     /* of the decompressed data files, in order */
} r1i_training_stats;
void r1i_training_data_stats(const r1i_training_data *d, r1i_training_stats *out);

/* Pages of `page` tokens that the documents of one chunk take at most, each beginning a page of its own; the same in
 * every epoch, because packing goes by lengths alone. */
int64_t r1i_training_data_pages(const r1i_training_data *d, int64_t page);

/* One packed document. */
typedef struct r1i_document {
    const int32_t *ids;            /* [n] borrowed until close */
    const uint8_t *target;         /* [n] 1: this token is to be predicted from those before it; [0] never counts */
    int64_t n;
    int64_t row;                   /* number of the data row it came from, from 0 over all files */
} r1i_document;

/* Chunk `index` of `epoch`: its documents, at most `room` of them; a chunk never holds more than R1I_CHUNK_DOCUMENTS.
 * The first call for another epoch shuffles and packs it (R1_ERR_NOMEM). */
enum { R1I_CHUNK_DOCUMENTS = 512 };
r1_status r1i_training_data_chunk(r1i_training_data *d, int64_t epoch, int64_t index, r1i_document *out, int64_t room,
                                  int64_t *n, r1_error *err);

#endif
