/* Writing a sidecar: the layout follows from the list of keys, the extents come in its order and in pieces, so that
 * nothing of a model needs to be in memory at a time but the piece. Header and table are written last. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.h"
#include "base/outfile.h"
#include "format/panel_record.h"

/* Written in blocks of this size at its multiples: the page cache of current systems then keeps the file in huge pages,
 * and the first mapping of it is as fast and as cheap to translate as a later one (measured: 980 MB mapped and touched
 * in 11 ms, in small pages 150). */
enum { BLOCK = 1 << 21 };

struct r1i_panel_writer {
    r1i_outfile out;
    uint8_t *block;           /* [BLOCK] */
    uint64_t block_at;        /* its place in the file, a multiple of BLOCK */
    size_t block_used;
    r1i_panel_header header;
    const r1i_panel_key *key;
    r1i_panel_record *record; /* [extents], in the order of the keys until it is written */
    int64_t *sorted;          /* [extents] indices, in the table's order */
    int64_t at;               /* extent that is being written */
    uint64_t done;            /* bytes of it, padding not counted */
    r1i_checksum sum;         /* of them */
};

/* ---- the layout -------------------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b, void *keys)
{
    const r1i_panel_key *const key = keys;
    return r1i_panel_key_compare(&key[*(const int64_t *)a], &key[*(const int64_t *)b]);
}

/* Places of the names, each once (the experts of one tensor share it), and the table's order. */
static r1_status place_names(r1i_panel_writer *w, int64_t n, r1_error *err)
{
    uint64_t at = 0;
    for (int64_t i = 0; i < n; i++) w->sorted[i] = i;
    qsort_r(w->sorted, (size_t)n, sizeof *w->sorted, by_key, (void *)(uintptr_t)w->key);
    for (int64_t i = 0; i < n; i++) {
        const r1i_panel_key *const k = &w->key[w->sorted[i]];
        r1i_panel_record *const r = &w->record[w->sorted[i]];
        const bool again = i > 0 && strcmp(w->key[w->sorted[i - 1]].name, k->name) == 0;
        if (i > 0 && r1i_panel_key_compare(&w->key[w->sorted[i - 1]], k) == 0)
            return r1i_fail(err, R1_ERR_BUG, "tensor %s, row %" PRId64 " is there twice", k->name, k->row0);
        r->name_bytes = (uint32_t)strlen(k->name);
        if (again) {
            r->name = w->record[w->sorted[i - 1]].name;
            continue;
        }
        r->name = (uint32_t)at;
        at += r->name_bytes + 1u;
        if (at > UINT32_MAX) return r1i_fail(err, R1_ERR_RANGE, "the tensors' names take more than 4 GiB");
    }
    w->header.names_bytes = at;
    return R1_OK;
}

static bool align_up(uint64_t *at)
{
    const uint64_t a = R1I_PANEL_FILE_ALIGN;
    if (!r1i_add_u64(*at, a - 1, at)) return false;
    *at = *at / a * a;
    return true;
}

static r1_status place_extents(r1i_panel_writer *w, int64_t n, r1_error *err)
{
    uint64_t at = sizeof w->header + (uint64_t)n * sizeof(r1i_panel_record) + w->header.names_bytes;
    bool fits = align_up(&at);
    for (int64_t i = 0; i < n && fits; i++) {
        const r1i_panel_key *const k = &w->key[i];
        r1i_panel_record *const r = &w->record[i];
        if (!r1i_panel_extent_sizes(k->type, k->rows, k->cols, &r->panel_bytes, &r->scale_bytes))
            return r1i_fail(err, R1_ERR_BUG, "tensor %s: no panels of that shape", k->name);
        const char *const type = r1_dtype_name(k->type);
        memcpy(r->type, type, strnlen(type, sizeof r->type));
        r->row0 = k->row0;
        r->rows = k->rows;
        r->cols = k->cols;
        r->transposed = k->transposed;
        r->offset = at;
        fits = r1i_add_u64(at, r1i_panel_scales_at(r->panel_bytes), &at) && r1i_add_u64(at, r->scale_bytes, &at) &&
            align_up(&at);
    }
    if (!fits || at > INT64_MAX) return r1i_fail(err, R1_ERR_RANGE, "the panels' size overflows");
    w->header.file_bytes = at;
    return R1_OK;
}

static r1_status layout(r1i_panel_writer *w, int64_t n, r1_error *err)
{
    w->record = calloc((size_t)n + 1, sizeof *w->record);
    w->sorted = calloc((size_t)n + 1, sizeof *w->sorted);
    w->block = malloc(BLOCK);
    if (!w->record || !w->sorted || !w->block) return r1i_fail(err, R1_ERR_NOMEM, "a table of %" PRId64 " extents", n);
    const r1_status st = place_names(w, n, err);
    return st == R1_OK ? place_extents(w, n, err) : st;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

/* All of it at once: a disk that is too small says so before an hour's packing. Where the file system cannot take space
 * ahead, the size alone is set, and a full disk is met when it is. */
static r1_status take_space(const r1i_panel_writer *w, r1_error *err)
{
    const off_t size = (off_t)w->header.file_bytes;
    if (fallocate(w->out.fd, 0, 0, size) == 0) return R1_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINTR)
        return r1i_fail_errno(err, errno, "%s: taking %lld bytes", w->out.path, (long long)size);
    return ftruncate(w->out.fd, size) == 0 ? R1_OK
        : r1i_fail_errno(err, errno, "%s: taking %lld bytes", w->out.path, (long long)size);
}

r1_status r1i_panel_writer_open(const char *path, const r1i_store_identity *id, const r1i_panel_key *keys, int64_t n,
                                r1i_panel_writer **out, r1_error *err)
{
    struct stat s;
    *out = NULL;
    if (stat(path, &s) == 0 && !S_ISREG(s.st_mode))
        return r1i_fail_errno(err, S_ISDIR(s.st_mode) ? EISDIR : EINVAL, "%s: a regular file is wanted for panels",
                              path);
    r1i_panel_writer *const w = calloc(1, sizeof *w);
    if (!w) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    w->out.fd = -1;
    w->key = keys;
    w->header = (r1i_panel_header){.order = R1I_PANEL_ORDER, .version = R1I_PANEL_FILE_VERSION,
                                   .layout = R1I_PANEL_LAYOUT_VERSION, .align = R1I_PANEL_FILE_ALIGN,
                                   .extents = (uint64_t)n, .id = *id};
    memcpy(w->header.magic, R1I_PANEL_MAGIC, sizeof w->header.magic);
    r1i_checksum_begin(&w->sum);
    r1_status st = layout(w, n, err);
    if (st == R1_OK) st = r1i_outfile_open(path, &w->out, err);
    if (st == R1_OK) st = take_space(w, err);
    if (st == R1_OK) *out = w;
    else r1i_panel_writer_abort(w);
    return st;
}

static r1_status flush(r1i_panel_writer *w, r1_error *err)
{
    const r1_status st = r1i_outfile_write_at(&w->out, w->block_at, w->block, w->block_used, err);
    w->block_at += BLOCK;
    w->block_used = 0;
    return st;
}

/* Bytes of the file from `at` on, which is where the last ones ended or later: zeros lie between. NULL: zeros too. */
static r1_status put(r1i_panel_writer *w, uint64_t at, const uint8_t *bytes, uint64_t n, r1_error *err)
{
    const uint64_t gap = at - w->block_at - w->block_used;
    r1_status st = gap ? put(w, at - gap, NULL, gap, err) : R1_OK;
    while (n > 0 && st == R1_OK) {
        const size_t part = n < BLOCK - w->block_used ? (size_t)n : BLOCK - w->block_used;
        if (bytes) memcpy(w->block + w->block_used, bytes, part);
        else memset(w->block + w->block_used, 0, part);
        w->block_used += part;
        if (bytes) bytes += part;
        n -= part;
        if (w->block_used == BLOCK) st = flush(w, err);
    }
    return st;
}

r1_status r1i_panel_writer_add(r1i_panel_writer *w, const void *bytes, uint64_t n, r1_error *err)
{
    if (w->at == (int64_t)w->header.extents)
        return r1i_fail(err, R1_ERR_BUG, "%s: more bytes than its extents hold", w->out.path);
    r1i_panel_record *const r = &w->record[w->at];
    const bool scales = w->done >= r->panel_bytes;
    const uint64_t end = scales ? r->panel_bytes + r->scale_bytes : r->panel_bytes;
    if (n > end - w->done)
        return r1i_fail(err, R1_ERR_BUG, "%s: tensor %s: more bytes than its extent holds", w->out.path,
                        w->key[w->at].name);
    const uint64_t at = r->offset + (scales ? r1i_panel_scales_at(r->panel_bytes) + w->done - r->panel_bytes : w->done);
    const r1_status st = put(w, at, bytes, n, err);
    if (st != R1_OK) return st;
    r1i_checksum_add(&w->sum, bytes, (size_t)n);
    w->done += n;
    if (w->done < r->panel_bytes + r->scale_bytes) return R1_OK;
    r->checksum = r1i_checksum_end(&w->sum);
    r1i_checksum_begin(&w->sum);
    w->done = 0;
    w->at++;
    return R1_OK;
}

/* Header, records and names as one block. */
static r1_status write_table(r1i_panel_writer *w, r1_error *err)
{
    const uint64_t records = w->header.extents * sizeof *w->record,
                   n = sizeof w->header + records + w->header.names_bytes;
    uint8_t *const block = calloc(1, (size_t)n);
    if (!block) return r1i_fail(err, R1_ERR_NOMEM, "a table of %" PRIu64 " bytes", n);
    memcpy(block, &w->header, sizeof w->header);
    for (uint64_t i = 0; i < w->header.extents; i++) {
        const r1i_panel_record *const r = &w->record[w->sorted[i]];
        memcpy(block + sizeof w->header + i * sizeof *r, r, sizeof *r);
        memcpy(block + sizeof w->header + records + r->name, w->key[w->sorted[i]].name, r->name_bytes);
    }
    const uint64_t sum = r1i_panel_file_table_checksum(block, w->header.file_bytes);
    memcpy(block + R1I_PANEL_FILE_CHECKSUM_AT, &sum, sizeof sum);
    const r1_status st = r1i_outfile_write_at(&w->out, 0, block, (size_t)n, err);
    free(block);
    return st;
}

r1_status r1i_panel_writer_commit(r1i_panel_writer *w, r1_error *err)
{
    r1_status st = w->at == (int64_t)w->header.extents ? put(w, w->header.file_bytes, NULL, 0, err)
                                                       : r1i_fail(err, R1_ERR_BUG, "%s: extents are missing",
                                                                  w->out.path);
    if (st == R1_OK) st = flush(w, err);
    if (st == R1_OK) st = write_table(w, err);
    if (st == R1_OK) st = r1i_outfile_commit(&w->out, err);
    r1i_panel_writer_abort(w);
    return st;
}

void r1i_panel_writer_abort(r1i_panel_writer *w)
{
    if (!w) return;
    r1i_outfile_abort(&w->out);
    free(w->block);
    free(w->record);
    free(w->sorted);
    free(w);
}

uint64_t r1i_panel_writer_bytes(const r1i_panel_writer *w) { return w->header.file_bytes; }
