/* model.safetensors.index.json: which shard holds which tensor (spec formats.md 1.1). Names are decoded in place,
 * inside the one buffer that the file was read into. */
#ifndef R1I_SHARD_INDEX_H
#define R1I_SHARD_INDEX_H

#include "base/error.h"

/* Of an index file: R1's is 9 MB. Bounds what a hostile one can make us hold. */
#define R1I_SHARD_INDEX_MAX_BYTES (UINT64_C(64) << 20)

typedef struct r1i_shard_index {
    uint8_t *text;   /* owned: the file's bytes, names decoded and NUL-terminated */
    struct r1i_shard_index_item { uint32_t name, file; } *item; /* [n] name: offset in text; file: index into file_at */
    int64_t n;
    uint32_t *file_at; /* [n_files] offsets of the shards' names in text, in order of first mention */
    int n_files;
} r1i_shard_index;

/* text[size] is malloc'd and becomes the index's, also on failure. R1_ERR_FORMAT with the offset: no weight_map, a
 * value that is no string, a duplicate tensor, a file name that leaves the folder or is no *.safetensors. */
r1_status r1i_shard_index_parse(uint8_t *text, size_t size, r1i_shard_index *out, r1_error *err);
void r1i_shard_index_free(r1i_shard_index *index); /* takes a zeroed one */

static inline const char *r1i_shard_index_name(const r1i_shard_index *x, int64_t i)
{
    return (const char *)x->text + x->item[i].name;
}
static inline const char *r1i_shard_index_file(const r1i_shard_index *x, int f)
{
    return (const char *)x->text + x->file_at[f];
}

#endif
