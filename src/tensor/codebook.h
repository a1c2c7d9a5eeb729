/* The fixed lattice points that the IQ1, IQ2 and IQ3 block types index, and the two 16-entry tables of the 4-bit types.
 * Written into codebook_iq*.c by tools/make_codebooks.py; value j of an entry is byte j, least significant first. */
#ifndef R1I_CODEBOOK_H
#define R1I_CODEBOOK_H

#include <stdint.h>

extern const uint64_t r1i_grid_iq1[2048];    /* -1, 0, 1 */
extern const uint64_t r1i_grid_iq2xxs[256];  /* 8, 25, 43 */
extern const uint64_t r1i_grid_iq2xs[512];   /* 8, 25, 43 */
extern const uint64_t r1i_grid_iq2s[1024];   /* 8, 25, 43 */
extern const uint32_t r1i_grid_iq3xxs[256];  /* 4 .. 62 */
extern const uint32_t r1i_grid_iq3s[512];    /* 1, 3, .. 15 */

/* Signs of eight elements as bytes, 0xff for negative: by eight bits, and by seven whose eighth makes their number
 * even. */
extern const uint64_t r1i_sign_masks[256];
extern const uint64_t r1i_even_sign_masks[128];

extern const int8_t r1i_iq4_values[16];      /* IQ4_NL, IQ4_XS */
extern const int8_t r1i_mxfp4_values[16];    /* e2m1 doubled */

#endif
