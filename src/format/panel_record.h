/* The bytes of a sidecar's header and table, shared by its reader and its writer: docs/panels.md describes them.
 * Numbers are in the machine's byte order, which `order` names: panels are used where they lie, so they belong to one
 * order anyway. */
#ifndef R1I_PANEL_RECORD_H
#define R1I_PANEL_RECORD_H

#include <assert.h>

#include "format/panel_file.h"

typedef struct r1i_panel_header {
    char magic[8];          /* "R1PANELS" */
    uint32_t order;         /* 0x01020304 */
    uint32_t version;       /* R1I_PANEL_FILE_VERSION: of header and table */
    uint32_t layout;        /* R1I_PANEL_LAYOUT_VERSION: of the panels */
    uint32_t align;         /* R1I_PANEL_FILE_ALIGN */
    uint64_t file_bytes;
    uint64_t extents;
    uint64_t names_bytes;   /* behind the records */
    r1i_store_identity id;  /* of the checkpoint */
    uint64_t reserved[5];   /* 0 */
    uint64_t checksum;      /* of the header before this field, then records and names */
} r1i_panel_header;

/* Sorted by name, row0, transposed, type's name; no two alike. */
typedef struct r1i_panel_record {
    uint32_t name, name_bytes; /* in the names; a NUL follows, not counted */
    char type[8];           /* "Q4_K", padded with NULs */
    int64_t row0, rows, cols;
    uint64_t transposed;    /* 0 or 1 */
    uint64_t offset;        /* in the file, a multiple of `align` */
    uint64_t panel_bytes;
    uint64_t scale_bytes;   /* fp8: f32 block scales behind the panels, at the next multiple of 64; else 0 */
    uint64_t checksum;      /* of panels, then scales; what pads them is not counted */
} r1i_panel_record;

static_assert(sizeof(r1i_panel_header) == R1I_PANEL_FILE_CHECKSUM_AT + 8 && sizeof(r1i_panel_record) == 80,
              "these structs are the file's bytes");

enum { R1I_PANEL_ORDER = 0x01020304 };
#define R1I_PANEL_MAGIC "R1PANELS"

/* Of an extent whose panels begin at 0. false on overflow or a shape that the type cannot have. */
static inline bool r1i_panel_extent_sizes(r1_dtype type, int64_t rows, int64_t cols, uint64_t *panels, uint64_t *scales)
{
    *scales = 0;
    if (!r1i_weight_type_ok(type) || rows <= 0 || cols <= 0 || !r1i_panel_bytes(type, rows, cols, panels) ||
        *panels > INT64_MAX / 2) return false;
    if (type == R1_DTYPE_F8_E4M3)
        *scales = ((uint64_t)rows + 127) / 128 * (((uint64_t)cols + 127) / 128) * sizeof(float);
    return true;
}
static inline uint64_t r1i_panel_scales_at(uint64_t panel_bytes)
{
    return (panel_bytes + R1I_ALIGN - 1) / R1I_ALIGN * R1I_ALIGN;
}

/* Order of the table. */
int r1i_panel_key_compare(const r1i_panel_key *a, const r1i_panel_key *b);

#endif
