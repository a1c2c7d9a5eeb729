#include "train/train_folder.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/outfile.h"

r1_status r1i_folder_copy(const char *from, const char *folder, const char *name, r1_error *err)
{
    uint8_t *bytes;
    size_t size;
    r1i_outfile out;
    r1_status st = r1i_file_read(from, UINT64_C(1) << 30, &bytes, &size, err);
    if (st != R1_OK) return st;
    char *const to = r1i_path_join(folder, name);
    st = to ? r1i_outfile_open(to, &out, err) : r1i_fail(err, R1_ERR_NOMEM, "%s", name);
    if (st == R1_OK && (st = r1i_outfile_write(&out, bytes, size, err)) != R1_OK) r1i_outfile_abort(&out);
    if (st == R1_OK) st = r1i_outfile_commit(&out, err);
    free(to);
    r1_free(bytes);
    return st;
}
