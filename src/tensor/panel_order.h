/* Q3_K, Q5_K and Q6_K in panels: 256 columns of 16 outputs as lines of 64 bytes in the order in which they are read.
 * The file's block keeps the low and the high bits of a group of columns in two places, which prefetchers do not
 * follow; here a group of 32 columns is 3, 5 or 6 lines. */
#ifndef R1I_PANEL_ORDER_H
#define R1I_PANEL_ORDER_H

#include "tensor/weight.h"

/* A span of 256 columns is a head and eight groups. The head of Q5_K is d[16] and dmin[16] in one line, then its 12
 * bytes of scales as three lines ([3][16 rows][4]). Q3_K has 3 lines of scales, Q6_K 4, and 16 halves of d, half a
 * line: two spans in turn share it, so that all lines are lines of the cache:
 *
 *   d[16] of the first, d[16] of the second | all lines of the first | all lines of the second
 *
 * A panel of an odd number of spans ends with a first one, and 32 zeros for the d that is missing. A span is found by
 * its place as if there was no pairing (110 or 210 bytes of 16 rows after the one before): whether it is a first one
 * shows in the address, panels being 64-aligned. */
enum { R1I_Q3_HEAD = 192, R1I_Q3_GROUP = 192, R1I_Q5_HEAD = 256, R1I_Q5_GROUP = 320, R1I_Q6_HEAD = 256,
       R1I_Q6_GROUP = 384 };

static inline const uint8_t *r1i_paired_lines(const uint8_t *span) { return span + 64 - ((uintptr_t)span & 32); }
static inline const uint8_t *r1i_q3_d(const uint8_t *span) { return span - (110 / 2 - 1) * ((uintptr_t)span & 32); }
static inline const uint8_t *r1i_q6_d(const uint8_t *span) { return span - (210 / 2 - 1) * ((uintptr_t)span & 32); }

/* A group's lines. v[4 i + t] (i = 0..7) is column 4 i + t; lane n byte t of line j holds, of row n, in bits (high to
 * low):
 *
 *   Q3_K  line j (0..2)    two bits of t_i, v[j + 4], v[j]                     t: v[7], v[3] as six bits, line 0 has
 *   the lowest two Q5_K  line 0, 2        bits 4..2 of v[5] (v[6]), v[0] (v[2])
 *         line 1, 3        bit 1 (0) of v[7], bits 1..0 of v[5] (v[6]), v[1] (v[3])
 *         line 4           bits 4..2 of v[7], v[4]
 *   Q6_K  line j (0..2)    two bits of v[3], v[j]                              line 0 has the lowest two
 *         line j + 3       two bits of v[7], v[j + 4]
 *
 * with v[i] for v[4 i + t]. So most vectors are a mask away, a few are put together; and what lies in upper bits can be
 * multiplied there. */

bool r1i_panel_in_order(r1_dtype type);
/* Whether two spans share a line: their panels are made up to whole lines. */
static inline bool r1i_panel_paired(r1_dtype type) { return type == R1_DTYPE_Q3_K || type == R1_DTYPE_Q6_K; }

/* `count` (1 or 4) source blocks, `step` bytes apart, into the rows from `lane` on of a span. */
void r1i_panel_order_put(r1_dtype type, uint8_t *span, const uint8_t *src, size_t step, int count, int lane);
/* And a row's back. */
void r1i_panel_order_row(r1_dtype type, const uint8_t *span, int lane, uint8_t *block);

#endif
