/* Random blocks of every quantised type, as tests want them: all bits random, but scales finite. */
#ifndef R1I_RANDOM_BLOCKS_H
#define R1I_RANDOM_BLOCKS_H

#include "base/rng.h"
#include "tensor/dtype.h"

/* Scales of the size that trained weights have, or any finite half (up to 65504, subnormals, zeros, both signs). */
typedef enum r1t_scales { R1T_SCALES_USUAL, R1T_SCALES_EXTREME } r1t_scales;

/* n elements (a multiple of the block). Also F32, F16, BF16 (uniform in -1..1) and F8_E4M3 (no NaN code). */
void r1t_random_blocks(r1i_rng *rng, r1_dtype type, r1t_scales scales, int64_t n, uint8_t *out);

#endif
