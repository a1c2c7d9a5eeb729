/* Rows of data sets as documents of token ids: the half of training_data.h that knows what a row means. */
#ifndef R1I_DOCUMENTS_H
#define R1I_DOCUMENTS_H

#include "data/training_data.h"

/* All documents, one after the other: document i is [begin[i], begin[i + 1]) of ids and target. */
typedef struct r1i_documents {
    int32_t *ids;
    uint8_t *target;
    int64_t *begin, *row;      /* [n + 1]; [n] data row of each */
    int64_t n, total, rows, skipped, targets;
    int64_t room, room_begin;  /* allocated ids, documents */
    char hash[R1I_SHA256_HEX];
} r1i_documents;

/* Read and tokenise every row of params->path; errors as r1i_training_data_open. */
r1_status r1i_documents_read(const r1i_training_data_params *params, const r1_tokenizer *tokenizer,
                             const r1_chat_form *form, const r1_env *env, r1i_documents *out, r1_error *err);
void r1i_documents_free(r1i_documents *d); /* takes a zeroed one */

#endif
