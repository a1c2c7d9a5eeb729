/* Layout, little-endian: magic, version, seven counts, the data's hash, then begin, row, ids, target; the checksum of
 * all before it at the end. */
#include "data/token_cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/env.h"
#include "base/file.h"
#include "base/outfile.h"

typedef struct head {
    char magic[8];
    int64_t version, n, total, rows, skipped, targets;
    char hash[72];
} head;

static const char magic[8] = "R1TOKENS";
enum { VERSION = 1 };

r1_status r1i_token_cache_key(const r1i_training_data_params *p, char key[R1I_SHA256_HEX], r1_error *err)
{
    char settings[160];
    r1i_sha256 s;
    r1i_sha256_init(&s);
    for (size_t i = 0; i < p->n_paths; i++) {
        char *found;
        r1i_map map;
        r1_status st = r1i_jsonl_find(p->path[i], &found, err);
        if (st == R1_OK) {
            st = r1i_map_open(found, &map, err);
            free(found);
        }
        if (st != R1_OK) return st;
        r1i_sha256_feed(&s, &map.size, sizeof map.size); /* so that bytes cannot move from one file to the next */
        if (map.size) r1i_sha256_feed(&s, map.data, (size_t)map.size);
        r1i_map_close(&map);
    }
    snprintf(settings, sizeof settings, "%d %" PRId64 " %" PRId64 " %d %d %.64s", VERSION, p->sequence_length,
             p->vocab_size, p->think, (int)p->too_long, p->tokenizer_hash ? p->tokenizer_hash : "");
    r1i_sha256_feed(&s, settings, strlen(settings));
    r1i_sha256_finish_hex(&s, key);
    return R1_OK;
}

static char *path_of(const char *folder, const char *key)
{
    char name[R1I_SHA256_HEX + 16];
    snprintf(name, sizeof name, "%s.tokens", key);
    return r1i_path_join(folder, name);
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

/* Bytes of the arrays and of the whole file. */
typedef struct sizes {
    size_t begin, row, ids, target, all;
} sizes;

static sizes sizes_of(const head *h)
{
    sizes s = {.begin = ((size_t)h->n + 1) * sizeof(int64_t), .row = (size_t)h->n * sizeof(int64_t),
               .ids = (size_t)h->total * sizeof(int32_t), .target = (size_t)h->total};
    s.all = sizeof *h + s.begin + s.row + s.ids + s.target + sizeof(uint64_t);
    return s;
}

static bool counts_ok(const head *h)
{
    return h->n >= 1 && h->total >= 2 && h->n <= h->total && h->rows >= 1 && (uint64_t)h->total <= SIZE_MAX / 64;
}

static bool whole(const r1i_map *map, head *h)
{
    uint64_t sum;
    if (map->size < sizeof *h) return false;
    memcpy(h, map->data, sizeof *h);
    if (memcmp(h->magic, magic, sizeof magic) != 0 || h->version != VERSION || !counts_ok(h) ||
        map->size != sizes_of(h).all) return false;
    memcpy(&sum, map->data + map->size - sizeof sum, sizeof sum);
    return sum == r1i_checksum_of(map->data, (size_t)map->size - sizeof sum);
}

static r1_status copy_out(const r1i_map *map, const head *h, r1i_documents *out, r1_error *err)
{
    const sizes z = sizes_of(h);
    const uint8_t *at = map->data + sizeof *h;
    *out = (r1i_documents){.begin = malloc(z.begin), .row = malloc(z.row), .ids = malloc(z.ids),
                           .target = malloc(z.target), .n = h->n, .total = h->total, .rows = h->rows,
                           .skipped = h->skipped, .targets = h->targets, .room = h->total, .room_begin = h->n + 1};
    if (!out->begin || !out->row || !out->ids || !out->target) {
        r1i_documents_free(out);
        return r1i_fail(err, R1_ERR_NOMEM, "%" PRId64 " tokens", h->total);
    }
    memcpy(out->begin, at, z.begin), at += z.begin;
    memcpy(out->row, at, z.row), at += z.row;
    memcpy(out->ids, at, z.ids), at += z.ids;
    memcpy(out->target, at, z.target);
    memcpy(out->hash, h->hash, sizeof out->hash - 1);
    return R1_OK;
}

r1_status r1i_token_cache_load(const char *folder, const char *key, r1i_documents *out, bool *found, r1_error *err)
{
    char *const path = path_of(folder, key);
    r1_status st = R1_OK;
    r1i_map map = {0};
    head h;
    *found = false;
    *out = (r1i_documents){0};
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", folder);
    if (r1i_file_exists(path) && r1i_map_open(path, &map, NULL) == R1_OK && whole(&map, &h)) {
        st = copy_out(&map, &h, out, err);
        *found = st == R1_OK;
    }
    r1i_map_close(&map);
    free(path);
    return st;
}

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static r1_status put(const r1i_outfile *out, r1i_checksum *sum, const void *bytes, size_t n, r1_error *err)
{
    r1i_checksum_add(sum, bytes, n);
    return r1i_outfile_write(out, bytes, n, err);
}

static r1_status put_all(const r1i_outfile *out, const r1i_documents *d, r1_error *err)
{
    head h = {.version = VERSION, .n = d->n, .total = d->total, .rows = d->rows, .skipped = d->skipped,
              .targets = d->targets};
    r1i_checksum sum;
    memcpy(h.magic, magic, sizeof magic);
    memcpy(h.hash, d->hash, sizeof d->hash);
    const sizes z = sizes_of(&h);
    r1i_checksum_begin(&sum);
    r1_status st = put(out, &sum, &h, sizeof h, err);
    if (st == R1_OK) st = put(out, &sum, d->begin, z.begin, err);
    if (st == R1_OK) st = put(out, &sum, d->row, z.row, err);
    if (st == R1_OK) st = put(out, &sum, d->ids, z.ids, err);
    if (st == R1_OK) st = put(out, &sum, d->target, z.target, err);
    const uint64_t end = r1i_checksum_end(&sum);
    return st == R1_OK ? r1i_outfile_write(out, &end, sizeof end, err) : st;
}

r1_status r1i_token_cache_save(const char *folder, const char *key, const r1i_documents *d, r1_error *err)
{
    r1i_outfile out;
    r1_status st = r1i_make_folders(folder, err);
    if (st != R1_OK) return st;
    char *const path = path_of(folder, key);
    st = path ? r1i_outfile_open(path, &out, err) : r1i_fail(err, R1_ERR_NOMEM, "%s", folder);
    if (st == R1_OK && (st = put_all(&out, d, err)) != R1_OK) r1i_outfile_abort(&out);
    else if (st == R1_OK) st = r1i_outfile_commit(&out, err);
    free(path);
    return st;
}
