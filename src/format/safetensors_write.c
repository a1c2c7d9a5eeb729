#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/json.h"
#include "format/safetensors.h"

struct r1i_safetensors_writer {
    char *path, *temporary; /* temporary: NULL when path is no regular file */
    int fd;
    uint64_t left;          /* bytes still to come */
};

static r1_status write_all(const r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err)
{
    const uint8_t *p = bytes;
    while (size > 0) {
        const ssize_t n = write(w->fd, p, size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return r1i_fail_errno(err, errno, "%s: writing", w->path);
        p += n;
        size -= (size_t)n;
    }
    return R1_OK;
}

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
        if (!item_bytes(&items[i], &bytes) || !r1i_add_u64(*total, bytes, total) || *total > INT64_MAX || json_object_get(root, items[i].name)) {
            st = r1i_fail(err, R1_ERR_USAGE, "tensor %s cannot be written: its shape overflows, its type is a block type, or it is there twice",
                          items[i].name);
            break;
        }
        json_t *const shape = json_array();
        for (int d = 0; d < items[i].n_dims; d++) json_array_append_new(shape, json_integer(items[i].dim[d]));
        json_t *const item = json_pack("{s:s, s:o, s:[I, I]}", "dtype", r1_dtype_name(items[i].type), "shape", shape, "data_offsets",
                                       (json_int_t)begin, (json_int_t)*total);
        if (!item || json_object_set_new(root, items[i].name, item) != 0)
            st = r1i_fail(err, R1_ERR_NOMEM, "safetensors header, tensor %s (or its name is not UTF-8)", items[i].name);
    }
    *out = st == R1_OK ? json_dumps(root, JSON_COMPACT) : NULL;
    json_decref(root);
    return st == R1_OK && !*out ? r1i_fail(err, R1_ERR_NOMEM, "safetensors header") : st;
}

static r1_status open_output(r1i_safetensors_writer *w, const char *path, r1_error *err)
{
    struct stat s;
    const size_t n = strlen(path) + 5;
    /* renaming over a device or a pipe would replace it by a file */
    const bool direct = stat(path, &s) == 0 && !S_ISREG(s.st_mode);
    w->path = strdup(path);
    w->temporary = direct ? NULL : malloc(n);
    if (!w->path || (!direct && !w->temporary)) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    if (!direct) snprintf(w->temporary, n, "%s.tmp", path);
    w->fd = open(direct ? path : w->temporary, direct ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (w->fd >= 0) return R1_OK;
    const int e = errno;
    free(w->temporary); /* not ours: nothing to remove */
    w->temporary = NULL;
    return r1i_fail_errno(err, e, "%s", path);
}

r1_status r1i_safetensors_create(const char *path, const r1i_safetensors_item *items, int n, r1i_safetensors_writer **out, r1_error *err)
{
    static const uint8_t spaces[8] = "       ";
    char *header;
    *out = NULL;
    r1i_safetensors_writer *const w = calloc(1, sizeof *w);
    if (!w) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    w->fd = -1;
    r1_status st = make_header(items, n, &w->left, &header, err);
    if (st == R1_OK) {
        const size_t size = strlen(header), padding = (8 - size % 8) % 8; /* so that data begins at a multiple of 8 */
        uint8_t length[8];
        for (int i = 0; i < 8; i++) length[i] = (uint8_t)((uint64_t)(size + padding) >> (8 * i));
        st = open_output(w, path, err);
        if (st == R1_OK) st = write_all(w, length, sizeof length, err);
        if (st == R1_OK) st = write_all(w, header, size, err);
        if (st == R1_OK) st = write_all(w, spaces, padding, err);
    }
    free(header);
    if (st == R1_OK) *out = w;
    else r1i_safetensors_abort(w);
    return st;
}

r1_status r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err)
{
    if (size > w->left) return r1i_fail(err, R1_ERR_BUG, "%s: more bytes than the declared shapes hold", w->path);
    const r1_status st = write_all(w, bytes, size, err);
    if (st == R1_OK) w->left -= size;
    return st;
}

r1_status r1i_safetensors_finish(r1i_safetensors_writer *w, r1_error *err)
{
    r1_status st = R1_OK;
    if (w->left) st = r1i_fail(err, R1_ERR_BUG, "%s: %llu bytes are missing", w->path, (unsigned long long)w->left);
    if (st == R1_OK && w->temporary && fsync(w->fd) != 0) st = r1i_fail_errno(err, errno, "%s: writing", w->path);
    const int closed = close(w->fd); /* some file systems report a full disk only here */
    w->fd = -1;
    if (st == R1_OK && closed != 0) st = r1i_fail_errno(err, errno, "%s: writing", w->path);
    if (st == R1_OK && w->temporary && rename(w->temporary, w->path) != 0) st = r1i_fail_errno(err, errno, "%s", w->path);
    if (st == R1_OK) { /* the temporary is now the file */
        free(w->temporary);
        w->temporary = NULL;
    }
    r1i_safetensors_abort(w);
    return st;
}

void r1i_safetensors_abort(r1i_safetensors_writer *w)
{
    if (!w) return;
    if (w->fd >= 0) close(w->fd);
    if (w->temporary) unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    free(w);
}

r1_status r1i_safetensors_write(const char *path, const r1i_safetensors_item *items, const void *const *data, int n, r1_error *err)
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
