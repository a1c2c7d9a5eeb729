/* Names a checkpoint: so that a resumed run, or two reports, are about the same weights. */
#ifndef R1I_FINGERPRINT_H
#define R1I_FINGERPRINT_H

#include "base/error.h"
#include "base/sha256.h"

/* SHA-256 over the sorted names and sizes of a folder's weight, tokenizer and configuration files (or of one .gguf
 * file), the first MiB of each, and 256 blocks of 4 KiB at even distances: a fingerprint and not a proof, made in
 * milliseconds of 400 GB. */
r1_status r1i_fingerprint(const char *model_path, char hex[R1I_SHA256_HEX], r1_error *err);

#endif
