/* Checkpoints of a run: a Hugging Face folder that other tools load, with the optimiser's state and a list of checksums
 * beside it. Written aside,
 * synced and renamed: a folder named step-N is whole, or it is not there. */
#ifndef R1I_RUN_CHECKPOINT_H
#define R1I_RUN_CHECKPOINT_H

#include "base/json.h"
#include "train/gradients.h"

/* Saves runs/ckpt/step-N: config.json and tokenizer files copied from `source` (a folder), model.safetensors in `type`
 * (F32 or BF16), optimizer.safetensors (f32 masters where `type` is narrower, first and second moments), state.json
 * (state's keys, step, size and SHA-256 of every file). Of a model with an adapter the adapter alone, as PEFT has it:
 * adapter_config.json and adapter_model.safetensors. folder: of the checkpoints, made if missing. An equal folder that
 * exists is replaced. R1_ERR_IO names the file. */
r1_status r1i_checkpoint_save(const char *folder, int64_t step, const char *source, const r1_model *m,
                              const r1i_gradients *g, r1_dtype type, const json_t *state, r1_error *err);
/* Removes all but the newest `keep` of the folder's checkpoints, and what a killed process left half-written. keep <=
 * 0: all stay. */
r1_status r1i_checkpoint_prune(const char *folder, int64_t keep, r1_error *err);
/* The newest whole checkpoint of the folder as a malloc'd path, NULL when there is none. */
r1_status r1i_checkpoint_latest(const char *folder, char **path, int64_t *step, r1_error *err);
/* Compares every file's checksum (R1_ERR_FORMAT names the one that is not what was saved). *state: new reference. *f32:
 * no masters were saved because the model's own file holds them, so the model must be opened from this folder. */
r1_status r1i_checkpoint_open(const char *path, json_t **state, bool *f32, r1_error *err);
/* Weights (f32 masters, where they were saved) and moments of an opened checkpoint into the model and g. */
r1_status r1i_checkpoint_load(const char *path, const r1_model *m, r1i_gradients *g, r1_error *err);

#endif
