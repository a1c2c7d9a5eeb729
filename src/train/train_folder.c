#include "train/train_folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

r1_status r1i_folder_remove(const char *path, r1_error *err)
{
    DIR *const d = opendir(path);
    if (!d) return errno == ENOENT ? R1_OK : r1i_fail_errno(err, errno, "%s", path);
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        char *const file = r1i_path_join(path, e->d_name);
        if (file) (void)unlink(file); /* what stays is what rmdir tells */
        free(file);
    }
    closedir(d);
    return rmdir(path) == 0 ? R1_OK : r1i_fail_errno(err, errno, "%s", path);
}
