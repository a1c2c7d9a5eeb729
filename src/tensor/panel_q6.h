/* Q6_K in panels: 256 columns of 16 outputs as lines of 64 bytes in the order in which they are read. The file's block keeps the low four and
 * the high two bits of a group of columns in two places, which prefetchers do not follow; here 16 columns are three lines. */
#ifndef R1I_PANEL_Q6_H
#define R1I_PANEL_Q6_H

#include "tensor/weight.h"

/* A span of 256 columns is 52 lines and a half: 4 of scales, 3 for each 16 columns, 16 halves of d. Two spans in turn share a line for d, so
 * that all lines are lines of the cache:
 *
 *   d[16] of the first, d[16] of the second | 52 lines of the first | 52 lines of the second
 *
 * A panel of an odd number of spans ends with a first one, and 32 zeros for the d that is missing. A span is found by its place as if there was
 * no pairing, 3360 bytes after the one before: whether it is a first one shows in the address, panels being 64-aligned. */
static inline const uint8_t *r1i_q6_lines(const uint8_t *span) { return span + 64 - ((uintptr_t)span & 32); }
static inline const uint8_t *r1i_q6_d(const uint8_t *span) { return span - 104 * ((uintptr_t)span & 32); }

/* The lines: [4][16 rows][4] scales, byte i of a row's in place i; then for each 16 columns, whose values 0 to 63 are v[0..15]:
 *   lane n byte t of line i (0..2) = v[4 i + t] | bits 2 i and 2 i + 1 of v[12 + t] << 6, of row n. */
enum { R1I_Q6_SCALES = 256, R1I_Q6_HALF = 192 };

/* `count` (1 or 4) source blocks, `step` bytes apart, into the rows from `lane` on of a span. */
void r1i_panel_q6_put(uint8_t *span, const uint8_t *src, size_t step, int count, int lane);
/* And a row's back. */
void r1i_panel_q6_row(const uint8_t *span, int lane, uint8_t *block);

#endif
