#include "format/store.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "format/names.h"
#include "format/safetensors.h"
#include "format/shard_index.h"

/* One mapped file and what its header gave. */
typedef struct store_file {
    char *name;  /* base name */
    r1i_map map;
    char *names; /* safetensors: the block that its entries' names lie in */
    r1i_gguf *gguf;
} store_file;

struct r1i_store {
    r1i_container container;
    char *folder;
    store_file *file;
    int n_files;
    r1i_entry *entry;
    int64_t n;
    r1i_names names;
    uint64_t bytes;
};

static const char index_name[] = "model.safetensors.index.json";

static r1_status no_memory(r1_error *err) { return r1i_fail(err, R1_ERR_NOMEM, "checkpoint handle"); }

static bool ends_with(const char *s, const char *end)
{
    const size_t n = strlen(s), m = strlen(end);
    return n > m && strcmp(s + n - m, end) == 0;
}

/* "<prefix>-00002-of-00163<end>": the two numbers, five digits or more each. Returns the prefix's length, 0 for another
 * name. */
static size_t shard_numbers(const char *name, const char *end, long *no, long *count)
{
    if (!ends_with(name, end)) return 0;
    const char *const stop = name + strlen(name) - strlen(end);
    const char *p = stop;
    long value[2] = {0, 0};
    for (int part = 1; part >= 0; part--) {
        const char *const digits_end = p;
        while (p > name && p[-1] >= '0' && p[-1] <= '9') p--;
        if (digits_end - p < 5 || digits_end - p > 6) return 0;
        for (const char *d = p; d < digits_end; d++) value[part] = value[part] * 10 + (*d - '0');
        const char *const mark = part == 1 ? "-of-" : "-";
        const size_t m = strlen(mark);
        if ((size_t)(p - name) <= m || memcmp(p - m, mark, m) != 0) return 0;
        p -= m;
    }
    *no = value[0];
    *count = value[1];
    return (size_t)(p - name);
}

/* ---- adding files and entries ------------------------------------------------------------------------------------ */

/* Maps folder/name as the next file. */
static r1_status add_file(r1i_store *s, const char *name, store_file **out, r1_error *err)
{
    store_file *const grown = realloc(s->file, (size_t)(s->n_files + 1) * sizeof *grown);
    if (!grown) return no_memory(err);
    s->file = grown;
    store_file *const f = &grown[s->n_files];
    *f = (store_file){.name = strdup(name)};
    s->n_files++;
    char *const path = r1i_path_join(s->folder, name);
    const r1_status st = f->name && path ? r1i_map_open(path, &f->map, err) : no_memory(err);
    free(path);
    *out = f;
    return st;
}

/* Room for n more entries. Large blocks are remapped by the C library, not copied, so exact growth is cheap and holds
 * no slack. */
static r1_status reserve(r1i_store *s, int64_t n, r1_error *err)
{
    if (n > R1I_MAX_TENSORS - s->n)
        return r1i_fail(err, R1_ERR_RANGE, "%s: more than %d tensors", s->folder, R1I_MAX_TENSORS);
    r1i_entry *const grown = realloc(s->entry, (size_t)(s->n + n + 1) * sizeof *grown);
    if (!grown) return no_memory(err);
    s->entry = grown;
    return R1_OK;
}

static r1_status add_safetensors(r1i_store *s, const char *name, r1_error *err)
{
    store_file *f;
    r1i_safetensors header = {0};
    r1_status st = add_file(s, name, &f, err);
    if (st != R1_OK) return st;
    st = r1i_safetensors_parse(f->map.data, f->map.size, &header, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s/%s: ", s->folder, name);
        return st;
    }
    f->names = header.names;
    header.names = NULL;
    st = reserve(s, header.n, err);
    for (int64_t i = 0; st == R1_OK && i < header.n; i++) {
        s->entry[s->n] = header.entry[i];
        s->entry[s->n++].file = s->n_files - 1;
        s->bytes += header.entry[i].bytes; /* ranges of one mapping each: the sum is below the address space */
    }
    r1i_safetensors_free(&header);
    return st;
}

static r1_status add_gguf(r1i_store *s, const char *name, r1_error *err)
{
    store_file *f;
    r1_status st = add_file(s, name, &f, err);
    if (st != R1_OK) return st;
    st = r1i_gguf_parse(f->map.data, f->map.size, &f->gguf, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s/%s: ", s->folder, name);
        return st;
    }
    const int64_t n = r1i_gguf_tensor_count(f->gguf);
    st = reserve(s, n, err);
    for (int64_t i = 0; st == R1_OK && i < n; i++) {
        const r1i_gguf_tensor *const t = r1i_gguf_tensor_at(f->gguf, i);
        r1i_entry *const e = &s->entry[s->n++];
        *e = (r1i_entry){.name = t->name, .type = t->type, .n_dims = t->n_dims, .data = f->map.data + t->offset,
                         .bytes = t->bytes, .file = s->n_files - 1, .offset = t->offset};
        for (int d = 0; d < t->n_dims; d++) e->dim[d] = (int64_t)t->dim[t->n_dims - 1 - d];
        s->bytes += t->bytes;
    }
    return st;
}

/* The table over all files; a name may occur once. */
static r1_status index_names(r1i_store *s, r1_error *err)
{
    r1_status st = r1i_names_create(&s->names, (uint64_t)s->n, err);
    for (int64_t i = 0; st == R1_OK && i < s->n; i++) {
        const int64_t first = r1i_names_add(&s->names, s->entry, sizeof *s->entry, i);
        if (first != i)
            st = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)s->entry[i].offset, "%s: tensor %s is in %s and in %s",
                             s->folder, s->entry[i].name, s->file[s->entry[first].file].name,
                             s->file[s->entry[i].file].name);
    }
    return st;
}

/* ---- safetensors ------------------------------------------------------------------------------------------------- */

/* The index and the shards must name the same tensors, each in the same file. */
static r1_status check_index(const r1i_store *s, const r1i_shard_index *x, r1_error *err)
{
    for (int64_t i = 0; i < x->n; i++) {
        const char *const name = r1i_shard_index_name(x, i),
                          *const file = r1i_shard_index_file(x, (int)x->item[i].file);
        const r1i_entry *const e = r1i_store_find(s, name);
        if (!e || e->file != (int)x->item[i].file) /* files were opened in the index's order */
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)x->item[i].name,
                               "%s/%s: names tensor %s in %s, which lacks it", s->folder, index_name, name, file);
    }
    if (s->n == x->n) return R1_OK;
    /* more entries than index items, and every item found: some entry is in no index. Find its name for the message. */
    r1i_names listed;
    const char **const names = malloc((size_t)x->n * sizeof *names);
    r1_status st = r1i_names_create(&listed, (uint64_t)x->n, err);
    if (st == R1_OK && !names) st = no_memory(err);
    for (int64_t i = 0; st == R1_OK && i < x->n; i++) {
        names[i] = r1i_shard_index_name(x, i);
        r1i_names_add(&listed, names, sizeof *names, i);
    }
    for (int64_t i = 0; st == R1_OK && i < s->n; i++)
        if (r1i_names_find(&listed, names, sizeof *names, s->entry[i].name) < 0)
            st = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)s->entry[i].offset,
                             "%s/%s: holds tensor %s, which %s does not list", s->folder,
                             s->file[s->entry[i].file].name, s->entry[i].name, index_name);
    r1i_names_destroy(&listed);
    free(names);
    return st;
}

static r1_status open_indexed(r1i_store *s, const r1_env *env, r1_error *err)
{
    char *const path = r1i_path_join(s->folder, index_name);
    uint8_t *text;
    size_t size;
    r1i_shard_index x = {0};
    r1_status st = path ? r1i_file_read(path, R1I_SHARD_INDEX_MAX_BYTES, &text, &size, err) : no_memory(err);
    if (st == R1_OK && (st = r1i_shard_index_parse(text, size, &x, err)) != R1_OK) r1i_error_prefix(err, "%s: ", path);
    for (int f = 0; st == R1_OK && f < x.n_files; f++) {
        const char *const name = r1i_shard_index_file(&x, f);
        st = add_safetensors(s, name, err);
        if (st == R1_ERR_IO && err && err->sys_errno == ENOENT)
            r1i_error_prefix(err, "shard %s, which %s lists, is missing: ", name, index_name);
        r1i_progress(env, "reading headers", (uint64_t)f + 1, (uint64_t)x.n_files);
    }
    if (st == R1_OK) st = index_names(s, err);
    if (st == R1_OK) st = check_index(s, &x, err);
    r1i_shard_index_free(&x);
    free(path);
    return st;
}

/* ---- GGUF -------------------------------------------------------------------------------------------------------- */

/* A missing key is 0; a present one must be a non-negative integer. */
static r1_status split_key(const r1i_store *s, const store_file *f, const char *key, uint64_t *out, r1_error *err)
{
    const r1i_gguf_value *const v = r1i_gguf_find(f->gguf, key);
    *out = 0;
    if (!v || r1i_gguf_get_u64(f->gguf, key, out)) return R1_OK;
    return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)v->offset, "%s/%s: %s is no non-negative integer", s->folder,
                       f->name, key);
}

/* name: any file of the set, or a single file. */
static r1_status open_gguf(r1i_store *s, const char *name, const r1_env *env, r1_error *err)
{
    long named_no = 0, named_count = 1;
    uint64_t no, count, tensors;
    char shard[512];
    s->container = R1I_GGUF;
    const size_t prefix = shard_numbers(name, ".gguf", &named_no, &named_count);
    if (prefix) snprintf(shard, sizeof shard, "%.*s-%05d-of-%05ld.gguf", (int)prefix, name, 1, named_count);
    r1_status st = add_gguf(s, prefix ? shard : name, err);
    if (st != R1_OK) return st;
    const store_file *const first = &s->file[0];
    if ((st = split_key(s, first, "split.no", &no, err)) != R1_OK ||
        (st = split_key(s, first, "split.count", &count, err)) != R1_OK ||
        (st = split_key(s, first, "split.tensors.count", &tensors, err)) != R1_OK)
        return st;
    if (no != 0)
        return r1i_fail(err, R1_ERR_FORMAT, "%s/%s: split.no is %llu, the first file of a split has 0", s->folder,
                        first->name, (unsigned long long)no);
    if (count > 1 && (!prefix || (uint64_t)named_count != count))
        return r1i_fail(err, R1_ERR_FORMAT,
                        "%s/%s: split.count is %llu, so a name ending in -00001-of-%05llu.gguf is expected", s->folder,
                        first->name, (unsigned long long)count, (unsigned long long)count);
    for (uint64_t i = 1; i < count; i++) {
        uint64_t its_no;
        snprintf(shard, sizeof shard, "%.*s-%05llu-of-%05llu.gguf", (int)prefix, name, (unsigned long long)i + 1,
                 (unsigned long long)count);
        if ((st = add_gguf(s, shard, err)) != R1_OK ||
            (st = split_key(s, &s->file[i], "split.no", &its_no, err)) != R1_OK) return st;
        if (its_no != i)
            return r1i_fail(err, R1_ERR_FORMAT, "%s/%s: split.no is %llu, %llu expected", s->folder, shard,
                            (unsigned long long)its_no, (unsigned long long)i);
        r1i_progress(env, "reading headers", i + 1, count);
    }
    if (r1i_gguf_find(s->file[0].gguf, "split.tensors.count") && (uint64_t)s->n != tensors)
        return r1i_fail(err, R1_ERR_FORMAT, "%s/%s: split.tensors.count is %llu, the files hold %lld", s->folder,
                        s->file[0].name, (unsigned long long)tensors, (long long)s->n);
    return index_names(s, err);
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

typedef struct listing { char **name; int n; } listing;

static void listing_free(listing *l)
{
    for (int i = 0; i < l->n; i++) free(l->name[i]);
    free(l->name);
    *l = (listing){0};
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* Base names that end so, sorted; hidden files are not looked at. */
static r1_status list_folder(const char *folder, const char *end, listing *out, r1_error *err)
{
    *out = (listing){0};
    DIR *const dir = opendir(folder);
    if (!dir) return r1i_fail_errno(err, errno, "%s", folder);
    r1_status st = R1_OK;
    for (const struct dirent *d; st == R1_OK && (d = readdir(dir));) {
        if (d->d_name[0] == '.' || !ends_with(d->d_name, end)) continue;
        char **const grown = realloc(out->name, (size_t)(out->n + 1) * sizeof *grown);
        if (grown) out->name = grown;
        char *const copy = grown ? strdup(d->d_name) : NULL;
        if (copy) out->name[out->n++] = copy;
        else st = no_memory(err);
    }
    closedir(dir);
    if (out->n) qsort(out->name, (size_t)out->n, sizeof *out->name, by_name);
    if (st != R1_OK) listing_free(out);
    return st;
}

/* Without an index: model.safetensors alone if it is there (other files beside it are something else's), else the
 * numbered shards, which must be complete, else every file. */
static r1_status open_unindexed(r1i_store *s, const listing *files, const r1_env *env, r1_error *err)
{
    long no = 0, count = 0;
    int shards = 0;
    r1_status st = R1_OK;
    for (int i = 0; i < files->n; i++) {
        if (strcmp(files->name[i], "model.safetensors") == 0) {
            st = add_safetensors(s, files->name[i], err);
            return st == R1_OK ? index_names(s, err) : st;
        }
        shards += shard_numbers(files->name[i], ".safetensors", &no, &count) != 0;
    }
    if (shards && shards != count)
        return r1i_fail(err, R1_ERR_FORMAT, "%s: %d shards of safetensors, %ld expected by their names", s->folder,
                        shards, count);
    for (int i = 0; i < files->n && st == R1_OK; i++) {
        if (shards && !shard_numbers(files->name[i], ".safetensors", &no, &count)) continue;
        st = add_safetensors(s, files->name[i], err);
        r1i_progress(env, "reading headers", (uint64_t)i + 1, (uint64_t)files->n);
    }
    return st == R1_OK ? index_names(s, err) : st;
}

/* The one model of a folder: a single file or the first of one split. */
static r1_status choose_gguf(const r1i_store *s, const listing *files, const char **out, r1_error *err)
{
    *out = NULL;
    for (int i = 0; i < files->n; i++) {
        long no = 0, count = 0;
        const size_t prefix = shard_numbers(files->name[i], ".gguf", &no, &count);
        if (prefix && no != 1) continue;
        if (*out)
            return r1i_fail(err, R1_ERR_USAGE, "%s holds several GGUF models (%s, %s): name one of the files",
                            s->folder, *out, files->name[i]);
        *out = files->name[i];
    }
    if (!*out) return r1i_fail(err, R1_ERR_FORMAT, "%s: the first file of the split GGUF is missing", s->folder);
    return R1_OK;
}

static r1_status folder_has(const r1i_store *s, const char *name, bool *yes, r1_error *err)
{
    char *const path = r1i_path_join(s->folder, name);
    *yes = path && r1i_file_exists(path);
    free(path);
    return path ? R1_OK : no_memory(err);
}

/* A folder with both containers: config.json tells that the safetensors are a model. */
static r1_status open_either(r1i_store *s, const listing *safetensors, const listing *gguf, const r1_env *env,
                             r1_error *err)
{
    const char *name;
    bool config;
    r1_status st = folder_has(s, "config.json", &config, err);
    if (st != R1_OK) return st;
    if (safetensors->n && (!gguf->n || config)) return open_unindexed(s, safetensors, env, err);
    if (!gguf->n) return r1i_fail_errno(err, ENOENT, "%s: neither *.safetensors nor *.gguf", s->folder);
    return (st = choose_gguf(s, gguf, &name, err)) == R1_OK ? open_gguf(s, name, env, err) : st;
}

static r1_status open_folder(r1i_store *s, const r1_env *env, r1_error *err)
{
    listing safetensors, gguf;
    bool indexed;
    s->container = R1I_SAFETENSORS;
    r1_status st = folder_has(s, index_name, &indexed, err);
    if (st != R1_OK) return st;
    if (indexed) return open_indexed(s, env, err);
    if ((st = list_folder(s->folder, ".safetensors", &safetensors, err)) != R1_OK) return st;
    if ((st = list_folder(s->folder, ".gguf", &gguf, err)) == R1_OK) st = open_either(s, &safetensors, &gguf, env, err);
    listing_free(&safetensors);
    listing_free(&gguf);
    return st;
}

/* ---- public ------------------------------------------------------------------------------------------------------ */

/* Which container a single file is: by its first bytes, whatever its name. */
static r1_status open_single(r1i_store *s, const char *path, const char *name, const r1_env *env, r1_error *err)
{
    uint8_t head[9] = {0};
    FILE *const f = fopen(path, "rb");
    if (!f) return r1i_fail_errno(err, errno, "%s", path);
    const size_t got = fread(head, 1, sizeof head, f);
    fclose(f);
    if (ends_with(name, ".gguf") || (got >= 4 && memcmp(head, "GGUF", 4) == 0)) return open_gguf(s, name, env, err);
    if (!ends_with(name, ".safetensors") && (got < sizeof head || head[8] != '{'))
        return r1i_fail_at(err, R1_ERR_FORMAT, 0, "%s: neither a GGUF nor a safetensors file", path);
    const r1_status st = add_safetensors(s, name, err);
    return st == R1_OK ? index_names(s, err) : st;
}

r1_status r1i_store_open(const char *path, const r1_env *env, r1i_store **out, r1_error *err)
{
    *out = NULL;
    r1i_store *const s = calloc(1, sizeof *s);
    if (!s) return no_memory(err);
    r1_status st;
    if (r1i_is_directory(path)) {
        s->folder = strdup(path);
        if (s->folder) /* "models/" and "models" are one folder */
            for (size_t n = strlen(s->folder); n > 1 && s->folder[n - 1] == '/'; n--) s->folder[n - 1] = '\0';
        st = s->folder ? open_folder(s, env, err) : no_memory(err);
    } else {
        const char *const slash = strrchr(path, '/');
        s->folder = slash == path ? strdup("/") : slash ? strndup(path, (size_t)(slash - path)) : strdup(".");
        st = s->folder ? open_single(s, path, slash ? slash + 1 : path, env, err) : no_memory(err);
    }
    if (st == R1_OK) *out = s;
    else r1i_store_close(s);
    return st;
}

void r1i_store_close(r1i_store *s)
{
    if (!s) return;
    for (int f = 0; f < s->n_files; f++) {
        free(s->file[f].name);
        free(s->file[f].names);
        r1i_gguf_free(s->file[f].gguf);
        r1i_map_close(&s->file[f].map);
    }
    free(s->file);
    free(s->entry);
    free(s->folder);
    r1i_names_destroy(&s->names);
    free(s);
}

r1i_container r1i_store_container(const r1i_store *s) { return s->container; }
int64_t r1i_store_count(const r1i_store *s) { return s->n; }
const r1i_entry *r1i_store_entry(const r1i_store *s, int64_t i) { return &s->entry[i]; }

const r1i_entry *r1i_store_find(const r1i_store *s, const char *name)
{
    const int64_t i = r1i_names_find(&s->names, s->entry, sizeof *s->entry, name);
    return i < 0 ? NULL : &s->entry[i];
}

int r1i_store_files(const r1i_store *s) { return s->n_files; }
const char *r1i_store_file_name(const r1i_store *s, int file) { return s->file[file].name; }
uint64_t r1i_store_bytes(const r1i_store *s) { return s->bytes; }
const r1i_gguf *r1i_store_gguf(const r1i_store *s) { return s->container == R1I_GGUF ? s->file[0].gguf : NULL; }
const char *r1i_store_folder(const r1i_store *s) { return s->folder; }

void r1i_store_identify(const r1i_store *s, r1i_store_identity *out)
{
    enum { SAMPLES = 64, SAMPLE_BYTES = 256 };
    r1i_checksum files, times, entries, samples;
    r1i_checksum_begin(&files);
    r1i_checksum_begin(&times);
    r1i_checksum_begin(&entries);
    r1i_checksum_begin(&samples);
    for (int f = 0; f < s->n_files; f++) {
        r1i_checksum_add(&files, &s->file[f].map.size, sizeof s->file[f].map.size);
        r1i_checksum_add(&times, &s->file[f].map.mtime, sizeof s->file[f].map.mtime);
    }
    for (int64_t i = 0; i < s->n; i++) {
        const r1i_entry *const e = &s->entry[i];
        const char *const type = r1_dtype_name(e->type); /* the enumeration may grow */
        const int64_t numbers[] = {e->n_dims, e->file, (int64_t)e->offset, (int64_t)e->bytes};
        r1i_checksum_add(&entries, e->name, strlen(e->name) + 1);
        r1i_checksum_add(&entries, type, strlen(type) + 1);
        r1i_checksum_add(&entries, numbers, sizeof numbers);
        r1i_checksum_add(&entries, e->dim, (size_t)e->n_dims * sizeof *e->dim);
    }
    const int64_t n = s->n < SAMPLES ? s->n : SAMPLES;
    for (int64_t i = 0; i < n; i++) { /* out of the middle, where no padding is */
        const r1i_entry *const e = &s->entry[s->n / n * i];
        const uint64_t bytes = e->bytes < SAMPLE_BYTES ? e->bytes : SAMPLE_BYTES;
        r1i_checksum_add(&samples, e->data + (e->bytes - bytes) / 2, (size_t)bytes);
    }
    *out = (r1i_store_identity){.files = r1i_checksum_end(&files), .times = r1i_checksum_end(&times),
                                .entries = r1i_checksum_end(&entries), .samples = r1i_checksum_end(&samples)};
}

void r1i_store_release_pages(const r1i_store *s, const r1i_entry *e)
{
    r1i_map_release_pages(&s->file[e->file].map, e->offset, e->bytes);
}

void r1i_store_want_pages(const r1i_store *s, const r1i_entry *e, uint64_t offset, uint64_t bytes)
{
    r1i_map_want_pages(&s->file[e->file].map, offset, bytes);
}
