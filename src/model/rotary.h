/* Rotary frequencies and the softmax scale of a config: everything that YaRN, llama3 scaling or GGUF's divisors change
 * is decided here once, in double, when a model is loaded (architecture.md 3). */
#ifndef R1I_ROTARY_H
#define R1I_ROTARY_H

#include "model/config.h"

/* inv_freq[rope_dim / 2]: angle = position * inv_freq. divisors [rope_dim / 2]: GGUF's rope_freqs.weight, wanted by
 * R1I_ROPE_DIVISORS alone, else NULL. */
void r1i_rotary_frequencies(const r1i_config *c, const float *divisors, double *inv_freq);
/* Factor on cos and sin: m(s, mscale) / m(s, mscale_all_dim) of YaRN, else 1. */
float r1i_rotary_magnitude(const r1i_config *c);
/* 1 / sqrt(width of a key), times m(s, mscale_all_dim)^2 for MLA under YaRN. */
float r1i_attention_scale(const r1i_config *c);

#endif
