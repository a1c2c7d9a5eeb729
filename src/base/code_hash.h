/* Which code this is: two programs with one version number need not compute the same bits, and a run that was begun by
 * another build should say so. */
#ifndef R1I_CODE_HASH_H
#define R1I_CODE_HASH_H

#include "base/sha256.h"

/* SHA-256 of the file that this very code was loaded from: the program, or the library where it is linked so. "" where
 * the system does not say. */
void r1i_code_hash(char hex[R1I_SHA256_HEX]);

#endif
