/* Scores against a q8 cache's keys (GQA): sums of products of whole numbers, exact in any order, which a processor
 * multiplies four at a time. Each instruction set brings a tile (keys512.h, keys256.h, keys128.h): keys_tile(t, rows,
 * vecs) for up to KEYS_ROWS_MOST rows, and one vector; where that is 8, for two and four as well. */
#ifndef R1I_ATTENTION_KEYS_H
#define R1I_ATTENTION_KEYS_H

#include <string.h>

#include "backend/cpu/attention.h"
#include "backend/cpu/lanes/unroll.h"

/* scores[r * R1I_PAGE + 16 v + lane], groups ascending: fmaf(the sum of a group's products, its factor, the score). */
typedef struct keys_args {
    const uint8_t *query;  /* rows: int16, or what r1i_attn_kernels.whole made */
    int64_t query_step;    /* bytes */
    const int8_t *keys;    /* [vecs][dim / 4][16][4] */
    int64_t dim;           /* a multiple of 4 */
    const float *factors;  /* [vecs][groups][16] */
    int64_t groups;
    float *scores;
    const uint8_t *ahead;  /* asked for: as many bytes as keys, */
    const uint8_t *also;   /* and a place a step, also_step further on */
    int64_t ahead_step, also_step;
} keys_args;

/* Steps of four dims of the group that begins at dim d. */
R1I_INLINE int64_t keys_steps(int64_t dim, int64_t d)
{
    return (dim - d < R1I_Q8_GROUP ? dim - d : R1I_Q8_GROUP) / 4;
}

#endif
