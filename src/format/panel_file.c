#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "format/panel_record.h"

struct r1i_panel_file {
    r1i_map map;
    bool mapped;            /* by us: the mapping goes with the handle */
    r1i_panel_header header;
    const uint8_t *records; /* [extents] r1i_panel_record, aligned to 8 in a mapping; read by memcpy all the same */
    const char *names;
};

static r1i_panel_record record_at(const r1i_panel_file *f, int64_t i)
{
    r1i_panel_record r;
    memcpy(&r, f->records + (uint64_t)i * sizeof r, sizeof r);
    return r;
}

/* false: no such type. */
static bool key_of(const r1i_panel_file *f, const r1i_panel_record *r, r1i_panel_key *key)
{
    char type[9] = {0};
    memcpy(type, r->type, sizeof r->type);
    *key = (r1i_panel_key){.name = f->names + r->name, .row0 = r->row0, .transposed = r->transposed != 0,
                           .rows = r->rows, .cols = r->cols};
    return r1i_dtype_from_name(type, &key->type);
}

int r1i_panel_key_compare(const r1i_panel_key *a, const r1i_panel_key *b)
{
    const int by_name = strcmp(a->name, b->name);
    if (by_name) return by_name;
    if (a->row0 != b->row0) return a->row0 < b->row0 ? -1 : 1;
    if (a->transposed != b->transposed) return a->transposed ? 1 : -1;
    return strcmp(r1_dtype_name(a->type), r1_dtype_name(b->type));
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static r1_status check_header(const r1i_panel_header *h, uint64_t size, r1_error *err)
{
    if (memcmp(h->magic, R1I_PANEL_MAGIC, sizeof h->magic) != 0)
        return r1i_fail_at(err, R1_ERR_FORMAT, 0, "no file of panels: it does not begin with " R1I_PANEL_MAGIC);
    if (h->order != R1I_PANEL_ORDER)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 8, "panels of a machine with another byte order");
    if (h->version != R1I_PANEL_FILE_VERSION)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 12, "panel file of version %" PRIu32 ", %d expected", h->version,
                           R1I_PANEL_FILE_VERSION);
    if (h->layout != R1I_PANEL_LAYOUT_VERSION)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 16,
                           "panels of layout %" PRIu32 ", this program computes from layout %d", h->layout,
                           R1I_PANEL_LAYOUT_VERSION);
    if (h->align != R1I_PANEL_FILE_ALIGN)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 20, "extents at multiples of %" PRIu32 ", %d expected", h->align,
                           R1I_PANEL_FILE_ALIGN);
    if (h->file_bytes != size)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)(h->file_bytes < size ? h->file_bytes : size),
                           "%" PRIu64 " bytes, %" PRIu64 " expected: the file was cut or has grown", size,
                           h->file_bytes);
    return R1_OK;
}

/* *end: where the table ends. */
static r1_status check_table_size(const r1i_panel_header *h, uint64_t size, uint64_t *end, r1_error *err)
{
    if (!r1i_mul_u64(h->extents, sizeof(r1i_panel_record), end) || !r1i_add_u64(*end, sizeof *h, end) ||
        !r1i_add_u64(*end, h->names_bytes, end) || *end > size)
        return r1i_fail_at(err, R1_ERR_FORMAT, 32,
                           "a table of %" PRIu64 " extents and %" PRIu64 " bytes of names does not fit into the file",
                           h->extents, h->names_bytes);
    return R1_OK;
}

static uint64_t checksum_of(const uint8_t *data, uint64_t end)
{
    r1i_checksum c;
    r1i_checksum_begin(&c);
    r1i_checksum_add(&c, data, R1I_PANEL_FILE_CHECKSUM_AT);
    r1i_checksum_add(&c, data + sizeof(r1i_panel_header), (size_t)(end - sizeof(r1i_panel_header)));
    return r1i_checksum_end(&c);
}

uint64_t r1i_panel_file_table_checksum(const uint8_t *data, uint64_t size)
{
    r1i_panel_header h;
    uint64_t end;
    if (size < sizeof h) return 0;
    memcpy(&h, data, sizeof h);
    return check_table_size(&h, size, &end, NULL) == R1_OK ? checksum_of(data, end) : 0;
}

/* The checksum says that the table is what a writer wrote; these checks say that no writer can make us read
 * elsewhere. */
static r1_status check_record(const r1i_panel_file *f, int64_t i, uint64_t table_end, r1i_panel_key *key, r1_error *err)
{
    const r1i_panel_record r = record_at(f, i);
    const int64_t at = (int64_t)(sizeof f->header + (uint64_t)i * sizeof r);
    uint64_t panels, scales, end;
    if (r.name >= f->header.names_bytes || r.name_bytes >= f->header.names_bytes - r.name ||
        memchr(f->names + r.name, 0, (size_t)r.name_bytes + 1) != f->names + r.name + r.name_bytes)
        return r1i_fail_at(err, R1_ERR_FORMAT, at, "extent %" PRId64 ": its name lies outside the names", i);
    if (!key_of(f, &r, key))
        return r1i_fail_at(err, R1_ERR_FORMAT, at + 8, "extent %" PRId64 " (%s): %.8s is no type", i, key->name,
                           r.type);
    if (!r1i_panel_extent_sizes(key->type, r.rows, r.cols, &panels, &scales) || panels != r.panel_bytes ||
        scales != r.scale_bytes || r.transposed > 1 || r.row0 < 0)
        return r1i_fail_at(err, R1_ERR_FORMAT, at + 16, "extent %" PRId64 " (%s): its sizes contradict its shape", i,
                           key->name);
    end = r1i_panel_scales_at(panels) + scales; /* both below 2^62 */
    if (r.offset % R1I_PANEL_FILE_ALIGN != 0 || r.offset < table_end || r.offset > f->map.size ||
        end > f->map.size - r.offset)
        return r1i_fail_at(err, R1_ERR_FORMAT, at + 48,
                           "extent %" PRId64 " (%s) lies at byte %" PRIu64 ", outside the file or off its grid", i,
                           key->name, r.offset);
    return R1_OK;
}

static r1_status check_records(const r1i_panel_file *f, uint64_t table_end, r1_error *err)
{
    r1i_panel_key last = {0}, key;
    for (int64_t i = 0; i < (int64_t)f->header.extents; i++) {
        const r1_status st = check_record(f, i, table_end, &key, err);
        if (st != R1_OK) return st;
        if (i > 0 && r1i_panel_key_compare(&last, &key) >= 0)
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)(sizeof f->header + (uint64_t)i * sizeof(r1i_panel_record)),
                               "extent %" PRId64 " (%s) is out of order", i, key.name);
        last = key;
    }
    return R1_OK;
}

static r1_status parse(r1i_panel_file *f, r1_error *err)
{
    uint64_t end = 0;
    r1_status st;
    if (f->map.size < sizeof f->header)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)f->map.size, "%" PRIu64 " bytes are too few for a header",
                           f->map.size);
    memcpy(&f->header, f->map.data, sizeof f->header);
    if ((st = check_header(&f->header, f->map.size, err)) != R1_OK ||
        (st = check_table_size(&f->header, f->map.size, &end, err)) != R1_OK) return st;
    if (checksum_of(f->map.data, end) != f->header.checksum)
        return r1i_fail_at(err, R1_ERR_FORMAT, R1I_PANEL_FILE_CHECKSUM_AT,
                           "header and table do not fit their checksum");
    f->records = f->map.data + sizeof f->header;
    f->names = (const char *)f->records + f->header.extents * sizeof(r1i_panel_record);
    return check_records(f, end, err);
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

r1_status r1i_panel_file_parse(const uint8_t *data, uint64_t size, r1i_panel_file **out, r1_error *err)
{
    *out = NULL;
    r1i_panel_file *const f = calloc(1, sizeof *f);
    if (!f) return r1i_fail(err, R1_ERR_NOMEM, "panel file handle");
    f->map = (r1i_map){.data = data, .size = size};
    const r1_status st = parse(f, err);
    if (st == R1_OK) *out = f;
    else free(f);
    return st;
}

r1_status r1i_panel_file_open(const char *path, r1i_panel_file **out, r1_error *err)
{
    r1i_map map;
    *out = NULL;
    r1_status st = r1i_map_open(path, &map, err);
    if (st != R1_OK) return st;
    if ((st = r1i_panel_file_parse(map.data, map.size, out, err)) != R1_OK) {
        r1i_map_close(&map);
        r1i_error_prefix(err, "%s: ", path);
        return st;
    }
    (*out)->mapped = true;
    r1i_map_want_huge_pages(&map);
    return R1_OK;
}

void r1i_panel_file_close(r1i_panel_file *f)
{
    if (!f) return;
    if (f->mapped) r1i_map_close(&f->map);
    free(f);
}

r1_status r1i_panel_file_match(const r1i_panel_file *f, const r1i_store_identity *id, r1_error *err)
{
    const r1i_store_identity *const mine = &f->header.id;
    const char *const what = mine->files != id->files         ? "its files have other sizes"
                             : mine->entries != id->entries   ? "it has other tensors"
                             : mine->samples != id->samples   ? "its tensors hold other values"
                             : mine->times != id->times
                             ? "its files have been written or copied since (other time stamps)"
                                                              : NULL;
    return what ? r1i_fail(err, R1_ERR_FORMAT, "made from another checkpoint, or another state of it: %s", what)
        : R1_OK;
}

bool r1i_panel_file_find(const r1i_panel_file *f, const r1i_panel_key *key, r1i_weight *out)
{
    int64_t low = 0, high = (int64_t)f->header.extents;
    while (low < high) {
        const int64_t mid = low + (high - low) / 2;
        const r1i_panel_record r = record_at(f, mid);
        r1i_panel_key k;
        key_of(f, &r, &k);
        const int order = r1i_panel_key_compare(&k, key);
        if (order == 0) {
            if (r.rows != key->rows || r.cols != key->cols) return false;
            const uint8_t *const data = f->map.data + r.offset;
            *out = (r1i_weight){.type = k.type, .layout = R1I_LAYOUT_PANEL, .rows = r.rows, .cols = r.cols,
                                .data = data};
            if (r.scale_bytes) out->scale = (const float *)(const void *)(data + r1i_panel_scales_at(r.panel_bytes));
            return true;
        }
        if (order < 0) low = mid + 1;
        else high = mid;
    }
    return false;
}

uint64_t r1i_panel_file_bytes(const r1i_panel_file *f) { return f->map.size; }
int64_t r1i_panel_file_extents(const r1i_panel_file *f) { return (int64_t)f->header.extents; }

uint64_t r1i_panel_file_extent_bytes(const r1i_panel_file *f, int64_t i)
{
    const r1i_panel_record r = record_at(f, i);
    return r.scale_bytes ? r1i_panel_scales_at(r.panel_bytes) + r.scale_bytes : r.panel_bytes;
}

r1_status r1i_panel_file_check_extent(const r1i_panel_file *f, int64_t i, r1_error *err)
{
    enum { STEP = 1 << 22 }; /* what is resident of a matrix while it is read */
    const r1i_panel_record r = record_at(f, i);
    r1i_checksum c;
    r1i_checksum_begin(&c);
    for (uint64_t at = 0; at < r.panel_bytes; at += STEP) {
        const uint64_t n = r.panel_bytes - at < STEP ? r.panel_bytes - at : STEP;
        r1i_checksum_add(&c, f->map.data + r.offset + at, (size_t)n);
        r1i_map_release_pages(&f->map, r.offset + at, n);
    }
    if (r.scale_bytes)
        r1i_checksum_add(&c, f->map.data + r.offset + r1i_panel_scales_at(r.panel_bytes), (size_t)r.scale_bytes);
    if (r1i_checksum_end(&c) == r.checksum) return R1_OK;
    return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)r.offset,
                       "the panels of tensor %s, row %" PRId64 ", do not fit their checksum", f->names + r.name,
                       r.row0);
}

char *r1i_panel_file_default_path(const r1i_store *store)
{
    const bool shards = r1i_store_container(store) == R1I_SAFETENSORS && r1i_store_files(store) > 1;
    const char *const folder = r1i_store_folder(store),
                      *const first = shards ? "model.safetensors" : r1i_store_file_name(store, 0);
    const size_t n = strlen(folder) + strlen(first) + sizeof "/.r1panels";
    char *const path = malloc(n);
    const bool here = strcmp(folder, ".") == 0; /* then as the user wrote the checkpoint's name */
    if (path) snprintf(path, n, "%s%s%s.r1panels", here ? "" : folder, here ? "" : "/", first);
    return path;
}
