/* Files of panels: what is accepted has every extent inside the file, and finds each of them again. The table's
 * checksum is put right first, or nothing but the checksum would be tried, and so is the number of an older layout. */
#include <stdlib.h>
#include <string.h>

#include "format/panel_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_extents(const r1i_panel_file *f, const uint8_t *data, size_t size)
{
    r1i_panel_header h;
    memcpy(&h, data, sizeof h);
    const char *const names = (const char *)data + sizeof h + h.extents * sizeof(r1i_panel_record);
    for (int64_t i = 0; i < r1i_panel_file_extents(f); i++) {
        r1i_panel_record r;
        r1i_weight w;
        char type[9] = {0};
        memcpy(&r, data + sizeof h + (uint64_t)i * sizeof r, sizeof r);
        memcpy(type, r.type, sizeof r.type);
        r1i_panel_key key = {.name = names + r.name, .row0 = r.row0, .transposed = r.transposed != 0, .rows = r.rows,
                             .cols = r.cols};
        if (!r1i_dtype_from_name(type, &key.type) || !r1i_panel_file_find(f, &key, &w)) abort();
        if (w.data < data || r.panel_bytes > (uint64_t)(data + size - w.data) ||
            (w.scale != NULL) != (w.type == R1_DTYPE_F8_E4M3)) abort();
        if (w.scale && (const uint8_t *)w.scale + r.scale_bytes > data + size) abort();
        key.cols++;
        if (r1i_panel_file_find(f, &key, &w)) abort();
        r1i_panel_file_check_extent(f, i, NULL); /* reads all of it */
    }
}

static void put_layout_right(uint8_t *data)
{
    r1i_panel_header h;
    memcpy(&h, data, sizeof h);
    if (h.layout < R1I_PANEL_LAYOUT_VERSION) h.layout = R1I_PANEL_LAYOUT_VERSION;
    memcpy(data, &h, sizeof h);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_panel_file *f;
    r1_error err = {0};
    uint8_t *const copy = aligned_alloc(64, r1i_align_up(size + 1, 64));
    if (!copy) return 0;
    memcpy(copy, data, size);
    for (int righted = 0; righted < 2; righted++) {
        if (righted && size >= sizeof(r1i_panel_header)) put_layout_right(copy);
        const uint64_t sum = r1i_panel_file_table_checksum(copy, size);
        if (righted && size >= sizeof(r1i_panel_header)) memcpy(copy + R1I_PANEL_FILE_CHECKSUM_AT, &sum, sizeof sum);
        if (r1i_panel_file_parse(copy, size, &f, &err) != R1_OK) {
            if (err.code == R1_OK || err.message[0] == '\0' || err.offset < 0 || err.offset > (int64_t)size) abort();
            continue;
        }
        check_extents(f, copy, size);
        r1i_panel_file_close(f);
    }
    free(copy);
    return 0;
}
