/* A checkpoint's files as one table of named entries, whatever the container: safetensors (one file or shards with an
 * index) or GGUF (one file or a split). Files are mapped; entries point into the mappings. What a name means is the
 * model room's business. */
#ifndef R1I_STORE_H
#define R1I_STORE_H

#include "base/env.h"
#include "base/file.h"
#include "base/json.h"
#include "format/gguf.h"
#include "tensor/dtype.h"

enum {
    R1I_MAX_DIMS = 8,
    /* Of one checkpoint; R1 has 91,991. Keeps what headers of tiny entries can make us hold (some 160 bytes an entry,
     * whose text is 50) below twice the files plus 64 MB. */
    R1I_MAX_TENSORS = 1 << 19
};

typedef struct r1i_entry {
    const char *name;             /* borrowed from the store */
    r1_dtype type;
    int n_dims;
    int64_t dim[R1I_MAX_DIMS];    /* outermost first: a matrix is [out, in] in both containers */
    const uint8_t *data;          /* in the mapping; any alignment */
    uint64_t bytes;
    int file;                     /* index for r1i_store_file_name */
    uint64_t offset;              /* of data in that file */
} r1i_entry;

typedef enum r1i_container { R1I_SAFETENSORS, R1I_GGUF } r1i_container;

typedef struct r1i_store r1i_store; /* immutable, shared freely */

/* path: a folder with *.safetensors (index or not) or with .gguf files, or one .gguf / .safetensors file.
 * R1_ERR_IO, R1_ERR_FORMAT (offset of the first bad byte), R1_ERR_UNSUPPORTED (a type without a table entry). */
r1_status r1i_store_open(const char *path, const r1_env *env, r1i_store **out, r1_error *err);
void r1i_store_close(r1i_store *store); /* takes NULL; entries die with it */
r1i_container r1i_store_container(const r1i_store *store);
int64_t r1i_store_count(const r1i_store *store);
const r1i_entry *r1i_store_entry(const r1i_store *store, int64_t i);
/* By exact name, hashed; NULL when absent. */
const r1i_entry *r1i_store_find(const r1i_store *store, const char *name);
int r1i_store_files(const r1i_store *store);
const char *r1i_store_file_name(const r1i_store *store, int file); /* base name */
uint64_t r1i_store_bytes(const r1i_store *store);                  /* tensor data of all entries */
/* GGUF: the first shard's metadata. NULL for safetensors. */
const r1i_gguf *r1i_store_gguf(const r1i_store *store);
/* The folder of a safetensors checkpoint (config.json lies there); for GGUF the file's folder. */
const char *r1i_store_folder(const r1i_store *store);
/* What tells one state of a checkpoint from another, without reading it whole: what is derived from it (a file of
 * panels) keeps this and is refused when any part differs. Names of files do not count: a checkpoint may be renamed or
 * moved. */
typedef struct r1i_store_identity {
    uint64_t files;   /* sizes of the files */
    uint64_t times;   /* when they were last written, to the nanosecond */
    uint64_t entries; /* every tensor's name, type, shape and place */
    uint64_t samples; /* 256 bytes out of each of 64 tensors */
} r1i_store_identity;
void r1i_store_identify(const r1i_store *store, r1i_store_identity *out);
/* `bytes` from `offset` on of the entry's file will be read soon. */
void r1i_store_want_pages(const r1i_store *store, const r1i_entry *entry, uint64_t offset, uint64_t bytes);
/* The entry's pages are not needed for now: give them back to the system. */
void r1i_store_release_pages(const r1i_store *store, const r1i_entry *entry);

#endif
