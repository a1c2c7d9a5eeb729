/* Documents as they were tokenised, kept on disk: a second run over the same data begins at once. A file is named after
 * all that decides its content, so nothing in it can be out of date; a damaged one is made anew. */
#ifndef R1I_TOKEN_CACHE_H
#define R1I_TOKEN_CACHE_H

#include "data/documents.h"

/* SHA-256 over the data files' bytes, the tokenizer (params->tokenizer_hash) and the settings that change a document.
 * R1_ERR_IO. */
r1_status r1i_token_cache_key(const r1i_training_data_params *params, char key[R1I_SHA256_HEX], r1_error *err);
/* *found false: not there, or not what was written. R1_ERR_NOMEM. */
r1_status r1i_token_cache_load(const char *folder, const char *key, r1i_documents *out, bool *found, r1_error *err);
/* folder is made if missing. R1_ERR_IO. */
r1_status r1i_token_cache_save(const char *folder, const char *key, const r1i_documents *d, r1_error *err);

#endif
