/* Whole files: reading small ones, mapping large ones, writing so that a reader never sees a half-written file. */
#ifndef R1I_FILE_H
#define R1I_FILE_H

#include "base/error.h"

/* Whole file into a malloc'd buffer with a NUL after the last byte (not counted); free with r1_free. Refuses
 * directories and files above max_bytes (R1_ERR_RANGE). Messages are prefixed with the path. */
r1_status r1i_file_read(const char *path, uint64_t max_bytes, uint8_t **out, size_t *size, r1_error *err);

/* A read-only shared mapping. */
typedef struct r1i_map {
    const uint8_t *data; /* NULL for an empty file */
    uint64_t size;       /* bytes */
    int64_t mtime;       /* last written, nanoseconds since 1970 */
} r1i_map;
r1_status r1i_map_open(const char *path, r1i_map *out, r1_error *err);
void r1i_map_close(r1i_map *map);
/* Give the pages of [offset, offset + bytes) back to the system; a later read faults them in again from the file. */
void r1i_map_release_pages(const r1i_map *map, uint64_t offset, uint64_t bytes);

/* The mapping is read through again and again: huge pages, where the file system has them. A hint. */
void r1i_map_want_huge_pages(const r1i_map *map);
/* Those pages will be read soon: begin to fetch them from the disk. */
void r1i_map_want_pages(const r1i_map *map, uint64_t offset, uint64_t bytes);

/* A whole file at once, through outfile.h: on failure path is untouched and nothing is left beside it. A device or a
 * pipe is written to, not replaced. */
r1_status r1i_file_write_atomic(const char *path, const void *bytes, size_t size, r1_error *err);

bool r1i_file_exists(const char *path);
bool r1i_is_directory(const char *path);
/* A folder and what is missing above it, as mkdir -p does; one that is there already is no error. R1_ERR_IO names the
 * path. */
r1_status r1i_make_folders(const char *path, r1_error *err);
/* malloc'd "dir/name"; NULL without memory. */
char *r1i_path_join(const char *dir, const char *name);

#endif
