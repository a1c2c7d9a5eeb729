#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/json.h"
#include "base/outfile.h"
#include "format/safetensors.h"

struct r1i_safetensors_writer {
    r1i_outfile out;
    uint64_t left;          /* bytes still to come */
};

static bool item_bytes(const r1i_safetensors_item *item, uint64_t *out)
{
    const r1i_dtype_info *const type = r1i_dtype(item->type);
    *out = (uint64_t)type->block_bytes;
    if (type->block_elems != 1 || item->n_dims < 0 || item->n_dims > R1I_MAX_DIMS) return false;
    for (int d = 0; d < item->n_dims; d++)
        if (item->dim[d] < 0 || !r1i_mul_u64(*out, (uint64_t)item->dim[d], out)) return false;
    return *out <= INT64_MAX;
}

/* The header object with offsets; *total: bytes of all tensors. */
static r1_status make_header(const r1i_safetensors_item *items, int n, uint64_t *total, char **out, r1_error *err)
{
    json_t *const root = json_object();
    r1_status st = root ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "safetensors header");
    *total = 0;
    for (int i = 0; i < n && st == R1_OK; i++) {
        const uint64_t begin = *total;
        uint64_t bytes;
        if (!item_bytes(&items[i], &bytes) || !r1i_add_u64(*total, bytes, total) || *total > INT64_MAX ||
            json_object_get(root, items[i].name)) {
            st = r1i_fail(err, R1_ERR_USAGE,
                          "tensor %s cannot be written: its shape overflows, its type is a block type, or it is there twice", items[i].name);
            break;
        }
        json_t *const shape = json_array();
        for (int d = 0; d < items[i].n_dims; d++) json_array_append_new(shape, json_integer(items[i].dim[d]));
        json_t *const item = json_pack("{s:s, s:o, s:[I, I]}", "dtype", r1_dtype_name(items[i].type), "shape", shape,
                                       "data_offsets", (json_int_t)begin, (json_int_t)*total);
        if (!item || json_object_set_new(root, items[i].name, item) != 0)
            st = r1i_fail(err, R1_ERR_NOMEM, "safetensors header, tensor %s (or its name is not UTF-8)", items[i].name);
    }
    *out = st == R1_OK ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return st == R1_OK && !*out ? r1i_fail(err, R1_ERR_NOMEM, "safetensors header") : st;
}

r1_status r1i_safetensors_create(const char *path, const r1i_safetensors_item *items, int n,
                                 r1i_safetensors_writer **out, r1_error *err)
{
    static const uint8_t spaces[8] = "       ";
    char *header;
    *out = NULL;
    r1i_safetensors_writer *const w = calloc(1, sizeof *w);
    if (!w) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    w->out.fd = -1;
    r1_status st = make_header(items, n, &w->left, &header, err);
    if (st == R1_OK) {
        const size_t size = strlen(header), padding = (8 - size % 8) % 8; /* so that data begins at a multiple of 8 */
        uint8_t length[8];
        for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)(size + padding) >> (8 * i));
        st = r1i_outfile_open(path, &w->out, err);
        if (st == R1_OK) st = r1i_outfile_write(&w->out, length, sizeof length, err);
        if (st == R1_OK) st = r1i_outfile_write(&w->out, header, size, err);
        if (st == R1_OK) st = r1i_outfile_write(&w->out, spaces, padding, err);
    }
    free(header);
    if (st == R1_OK) *out = w;
    else r1i_safetensors_abort(w);
    return st;
}

r1_status r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err)
{
    if (size > w->left) return r1i_fail(err, R1_ERR_BUG, "%s: more bytes than the declared shapes hold", w->out.path);
    const r1_status st = r1i_outfile_write(&w->out, bytes, size, err);
    if (st == R1_OK) w->left -= size;
    return st;
}

r1_status r1i_safetensors_finish(r1i_safetensors_writer *w, r1_error *err)
{
    r1_status st;
    if (w->left) st = r1i_fail(err, R1_ERR_BUG, "%s: %llu bytes are missing", w->out.path, (unsigned long long)w->left);
    else st = r1i_outfile_commit(&w->out, err);
    r1i_safetensors_abort(w);
    return st;
}

void r1i_safetensors_abort(r1i_safetensors_writer *w)
{
    if (!w) return;
    r1i_outfile_abort(&w->out);
    free(w);
}

r1_status r1i_safetensors_write(const char *path, const r1i_safetensors_item *items, const void *const *data, int n,
                                r1_error *err)
{
    r1i_safetensors_writer *w;
    r1_status st = r1i_safetensors_create(path, items, n, &w, err);
    for (int i = 0; i < n && st == R1_OK; i++) {
        uint64_t bytes = 0;
        item_bytes(&items[i], &bytes);
        st = r1i_safetensors_append(w, data[i], (size_t)bytes, err);
    }
    if (st == R1_OK) return r1i_safetensors_finish(w, err);
    r1i_safetensors_abort(w);
    return st;
}
