/* A new model: a checkpoint of random weights for a config, which then is opened like any other. */
#ifndef R1I_INIT_H
#define R1I_INIT_H

#include "model/config.h"

/* Writes folder/model.safetensors (folder exists): matrices N(0, std^2) in `type` (F32 or BF16), norms 1, biases and
 * the selection bias 0. Tensor i's values are Philox(seed; i, element): the same bytes on every machine. MTP layers are
 * written with the rest, without copies of the tables.
 * R1_ERR_USAGE: another type, a std that is not positive; R1_ERR_IO. */
r1_status r1i_init_write(const char *folder, const r1i_config *c, double std, uint64_t seed, r1_dtype type,
                         r1_error *err);

#endif
