/* A file that appears whole or not at all: it is written beside its place, synced, and renamed into it. A disk that
 * fills, a process that is killed, two processes that write the same file: the old file stays until the new one is
 * complete. */
#ifndef R1I_OUTFILE_H
#define R1I_OUTFILE_H

#include "base/error.h"

typedef struct r1i_outfile {
    char *path, *temporary; /* temporary: path + ".tmp"; NULL where path is a device or a pipe, which is written to
                             * directly */
    int fd;
} r1i_outfile;

/* R1_ERR_IO names the path: it cannot be created, or another process is writing it now (EBUSY). On failure *out is
 * closed. */
r1_status r1i_outfile_open(const char *path, r1i_outfile *out, r1_error *err);
/* Behind what was written last. */
r1_status r1i_outfile_write(const r1i_outfile *out, const void *bytes, size_t size, r1_error *err);
/* Anywhere in the file; refused for a device or a pipe. Moves no position. */
r1_status r1i_outfile_write_at(const r1i_outfile *out, uint64_t offset, const void *bytes, size_t size, r1_error *err);
/* Sync, close, rename over path, sync the folder. Closes *out whether it works or not; a failure leaves path as it
 * was. */
r1_status r1i_outfile_commit(r1i_outfile *out, r1_error *err);
/* Close and remove the temporary. Takes a closed one. */
void r1i_outfile_abort(r1i_outfile *out);

#endif
