/* Inside a panel block: where the fields of its 16 source blocks lie. Kernels read fields by the offsets given here;
 * the plain rows take one source block back out. The layouts are described in panel.c. */
#ifndef R1I_PANEL_H
#define R1I_PANEL_H

#include "tensor/weight.h"

/* Take the source block of output `lane` (0..15) out of a panel block of a block type. block: info->block_bytes. */
void r1i_panel_block_row(r1_dtype type, const uint8_t *panel_block, int lane, uint8_t *block);

/* The largest block: bytes of the file, elements. */
enum { R1I_BLOCK_BYTES_MAX = 256, R1I_BLOCK_ELEMS_MAX = 256 };

#endif
