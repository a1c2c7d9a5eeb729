/* The public writer is the format room's own under another name. */
#include "r1/tensorfile.h"

#include <string.h>

#include "format/safetensors.h"

enum { MOST = 64 };

r1_status r1_tensor_writer_create(const char *path, const r1_tensor_decl *decl, int n, r1_tensor_writer **out,
                                  r1_error *err)
{
    r1i_safetensors_item item[MOST];
    r1i_safetensors_writer *w;
    *out = NULL;
    if (n < 1 || n > MOST) return r1i_fail(err, R1_ERR_USAGE, "%d tensors for one file, expected 1 to %d", n, MOST);
    for (int i = 0; i < n; i++) {
        if (decl[i].n_dims < 0 || decl[i].n_dims > R1I_MAX_DIMS)
            return r1i_fail(err, R1_ERR_USAGE, "%s: %d dimensions, expected 0 to %d", decl[i].name, decl[i].n_dims,
                            R1I_MAX_DIMS);
        item[i] = (r1i_safetensors_item){.name = decl[i].name, .type = decl[i].type, .n_dims = decl[i].n_dims};
        memcpy(item[i].dim, decl[i].dim, sizeof item[i].dim);
    }
    const r1_status st = r1i_safetensors_create(path, item, n, &w, err);
    if (st == R1_OK) *out = (r1_tensor_writer *)w;
    return st;
}

r1_status r1_tensor_writer_append(r1_tensor_writer *w, const void *bytes, size_t size, r1_error *err)
{
    return r1i_safetensors_append((r1i_safetensors_writer *)w, bytes, size, err);
}

r1_status r1_tensor_writer_finish(r1_tensor_writer *w, r1_error *err)
{
    return r1i_safetensors_finish((r1i_safetensors_writer *)w, err);
}

void r1_tensor_writer_abort(r1_tensor_writer *w) { r1i_safetensors_abort((r1i_safetensors_writer *)w); }
