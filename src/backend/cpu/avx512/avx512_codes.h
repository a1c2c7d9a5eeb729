/* The codebooks of the IQ types for look-ups in registers (codebook512.h); written by tools/make_codebooks.py.
 * A byte is four values of an entry, two bits each: the place of the value among the codebook's. IQ1, IQ2: values 0 to
 * 3 of all entries, then values 4 to 7. IQ3, whose values have three bits: the low two of all entries, then the high
 * ones, a nibble an entry. */
#ifndef R1I_AVX512_CODES_H
#define R1I_AVX512_CODES_H

#include <stdint.h>

extern const uint8_t r1i_codes_iq1[4096];
extern const uint8_t r1i_codes_iq2xxs[512], r1i_codes_iq2xs[1024], r1i_codes_iq2s[2048], r1i_codes_iq3xxs[512],
    r1i_codes_iq3s[1024];
extern const uint8_t r1i_codes_even_signs[128]; /* seven signs, and the eighth that makes their number even */

#endif
