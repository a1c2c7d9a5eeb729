/* Counter-based randomness (Philox4x32-10 of Random123): a draw is a function of its key and counter, so there is no
 * state to save, and a token's draw depends on (seed, step, prompt, sample, position) only. */
#ifndef R1I_RNG_H
#define R1I_RNG_H

#include <stdint.h>

/* Four 32-bit words for counter and key. */
void r1i_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* Uniform in [0, 1) with 53 bits, for token `position` of a request: key = seed, counter = (position, sample, prompt,
 * step). */
double r1i_uniform(uint64_t seed, uint32_t step, uint32_t prompt, uint32_t sample, uint32_t position);

/* A convenience stream for tests and generators: the n-th draw is Philox(seed, n). */
typedef struct r1i_rng { uint64_t seed, n; } r1i_rng;
uint64_t r1i_rng_u64(r1i_rng *r);
/* Uniform in [0, bound), bound > 0; bias below 2^-32. */
uint64_t r1i_rng_below(r1i_rng *r, uint64_t bound);
/* Uniform in [0, 1). */
double r1i_rng_double(r1i_rng *r);
/* Approximately standard normal (sum of 12 uniforms minus 6). */
double r1i_rng_normal(r1i_rng *r);

#endif
