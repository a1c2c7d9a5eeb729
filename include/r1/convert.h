/* * Files made from a checkpoint. A file of panels holds its matrices in the layout that kernels compute from
 * (docs/panels.md): later opens of the same checkpoint map it, start in milliseconds, share its memory, and can run a
 * model larger than memory. */
#ifndef R1_CONVERT_H
#define R1_CONVERT_H

#include "r1/checkpoint.h"
#include "r1/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct r1_panels_info {
    char path[4096];       /* where the file is, or would be */
    bool present;          /* there is something of that name */
    bool valid;            /* it is whole and belongs to this checkpoint, as far as was looked */
    char problem[512];     /* why it is not valid; else "" */
    uint64_t bytes;        /* of the file */
    uint64_t extents;      /* matrices */
} r1_panels_info;

/* * Pack every matrix of the checkpoint (MTP layers too) into a file, which appears at `path` whole or not at all.
 * Memory for one piece of a matrix at a time is enough.
 * path: NULL: beside the checkpoint, where r1_model_open finds it. compute: of later opens; under bf16 the float
 * weights become bf16 (block types and bf16 are the same for both). out nullable.
 * Errors as r1_model_open's, and R1_ERR_IO for a disk that is full, a folder that cannot be written, a path that is no
 * file. */
R1_API r1_status r1_panels_write(const char *model, const char *path, r1_compute compute, const r1_env *env,
                                 r1_panels_info *out, r1_error *err);

/* * Look at a checkpoint's file of panels. path as above. data: read all of it and compare every checksum (the whole
 * file's time), not header and table alone. A file that is absent or not valid is R1_OK and in *out; errors are
 * R1_ERR_NOMEM, and R1_ERR_USAGE for a checkpoint that is a bare config.json. */
R1_API r1_status r1_panels_check(const r1_checkpoint *checkpoint, const char *path, bool data, const r1_env *env,
                                 r1_panels_info *out, r1_error *err);

#ifdef __cplusplus
}
#endif
#endif
