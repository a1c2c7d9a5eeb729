/* What the model room's other files may know of an open checkpoint: its store. */
#ifndef R1I_CHECKPOINT_STORE_H
#define R1I_CHECKPOINT_STORE_H

#include "format/store.h"
#include "r1/checkpoint.h"

/* Borrowed until close; NULL for a bare config.json. */
const r1i_store *r1i_checkpoint_store(const r1_checkpoint *checkpoint);

#endif
