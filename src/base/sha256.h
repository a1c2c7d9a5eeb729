/* SHA-256 (FIPS 180-4): names bytes, so that a record can say exactly which prompt, data file or task it belongs to.
 * Not for secrets. */
#ifndef R1I_SHA256_H
#define R1I_SHA256_H

#include <stddef.h>
#include <stdint.h>

typedef struct r1i_sha256 {
    uint32_t h[8];
    uint64_t bytes;   /* fed so far */
    uint8_t block[64];
} r1i_sha256;

void r1i_sha256_init(r1i_sha256 *s);
void r1i_sha256_feed(r1i_sha256 *s, const void *bytes, size_t size);
void r1i_sha256_finish(r1i_sha256 *s, uint8_t digest[32]);

enum { R1I_SHA256_HEX = 65 }; /* 64 digits and a NUL */
void r1i_sha256_finish_hex(r1i_sha256 *s, char hex[R1I_SHA256_HEX]);
void r1i_sha256_hex(const void *bytes, size_t size, char hex[R1I_SHA256_HEX]);

#endif
