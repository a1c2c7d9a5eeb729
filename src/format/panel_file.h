/* The sidecar of a checkpoint: its matrices as the panels that kernels compute from, one page-aligned extent each, so
 * that a later start maps this file instead of packing. The bytes are described in docs/panels.md; everything in them
 * is checked against the file's size before a pointer is made of it. */
#ifndef R1I_PANEL_FILE_H
#define R1I_PANEL_FILE_H

#include "base/env.h"
#include "format/store.h"
#include "tensor/weight.h"

enum {
    R1I_PANEL_FILE_VERSION = 1,
    R1I_PANEL_FILE_ALIGN = 4096 /* of every extent: a page, and what direct reads from a disk want */
};

/* What one extent holds: rows [row0, ...) of a tensor as panels [rows, cols] of `type`, or the same transposed. */
typedef struct r1i_panel_key {
    const char *name;   /* the tensor's */
    int64_t row0;       /* first row of the source */
    bool transposed;
    r1_dtype type;      /* of the panels */
    int64_t rows, cols; /* of the panels, as kernels see them: [out, in] */
} r1i_panel_key;

/* ---- reading */

typedef struct r1i_panel_file r1i_panel_file; /* immutable, shared freely */

/* Map and check everything but the extents' contents. R1_ERR_IO; R1_ERR_FORMAT (offset of what is wrong): no such file,
 * cut, or a table that does not fit its checksum; R1_ERR_UNSUPPORTED: another version, layout or byte order. Messages
 * begin with path. */
r1_status r1i_panel_file_open(const char *path, r1i_panel_file **out, r1_error *err);
/* The same over bytes in memory, which must outlive the handle. */
r1_status r1i_panel_file_parse(const uint8_t *data, uint64_t size, r1i_panel_file **out, r1_error *err);
void r1i_panel_file_close(r1i_panel_file *f); /* takes NULL */
/* Whether it was made from this checkpoint: R1_ERR_FORMAT says what differs. */
r1_status r1i_panel_file_match(const r1i_panel_file *f, const r1i_store_identity *id, r1_error *err);
/* The extent of that key as a weight (borrowed from the mapping; fp8 scales included); false where there is none. */
bool r1i_panel_file_find(const r1i_panel_file *f, const r1i_panel_key *key, r1i_weight *out);
uint64_t r1i_panel_file_bytes(const r1i_panel_file *f);  /* of the file */
int64_t r1i_panel_file_extents(const r1i_panel_file *f);
/* Read extent i and compare its checksum; R1_ERR_FORMAT names it and its offset. Gives its pages back. */
r1_status r1i_panel_file_check_extent(const r1i_panel_file *f, int64_t i, r1_error *err);
uint64_t r1i_panel_file_extent_bytes(const r1i_panel_file *f, int64_t i);

/* Checksum of header and table as the file should hold it: for tests and fuzzing, which make such files. 0 when cut. */
uint64_t r1i_panel_file_table_checksum(const uint8_t *data, uint64_t size);
enum { R1I_PANEL_FILE_CHECKSUM_AT = 120 };

/* Where the sidecar of a checkpoint lies unless told otherwise: beside its first file, "<file>.r1panels" (shards of
 * safetensors: "model.safetensors.r1panels"). malloc'd; NULL without memory. */
char *r1i_panel_file_default_path(const r1i_store *store);

/* ---- writing: extents in the order of `keys`, each in pieces; header and table come last, so that a file that is not
 * whole is none. */

typedef struct r1i_panel_writer r1i_panel_writer;

/* Lays the file out and takes its whole size on disk at once where the file system can: a disk too small is found
 * before the work. keys (and names) are borrowed until the end. path must be a regular file or a new one. */
r1_status r1i_panel_writer_open(const char *path, const r1i_store_identity *id, const r1i_panel_key *keys, int64_t n,
                                r1i_panel_writer **out, r1_error *err);
/* The next bytes of the file's extents: of extent i until it is full, panels first, then (fp8) scales, then of extent i
 * + 1. A piece never reaches over the end of panels or scales. */
r1_status r1i_panel_writer_add(r1i_panel_writer *w, const void *bytes, uint64_t n, r1_error *err);
/* Write header and table, sync, rename; frees w in any case. */
r1_status r1i_panel_writer_commit(r1i_panel_writer *w, r1_error *err);
void r1i_panel_writer_abort(r1i_panel_writer *w); /* removes what was written; takes NULL */
uint64_t r1i_panel_writer_bytes(const r1i_panel_writer *w); /* the file's size */

#endif
