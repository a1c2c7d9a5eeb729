/* A 64-bit checksum that runs at memory speed: it tells a flipped, missing or misplaced byte, of a file that someone
 * wants to read correctly. It is no signature: who wants to forge one can. */
#ifndef R1I_CHECKSUM_H
#define R1I_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { R1I_CHECKSUM_LANES = 8 };

typedef struct r1i_checksum {
    uint64_t lane[R1I_CHECKSUM_LANES];
    uint64_t bytes;
    uint8_t rest[8 * R1I_CHECKSUM_LANES]; /* of a group of 64 bytes that is not full yet */
} r1i_checksum;

void r1i_checksum_begin(r1i_checksum *c);
/* The cuts between calls do not matter. */
void r1i_checksum_add(r1i_checksum *c, const void *bytes, size_t n);
/* Of all that was added. */
uint64_t r1i_checksum_end(const r1i_checksum *c);
/* Of one piece. */
uint64_t r1i_checksum_of(const void *bytes, size_t n);

#endif
