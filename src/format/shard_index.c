#include "format/shard_index.h"

#include <stdlib.h>
#include <string.h>

#include "format/names.h"
#include "format/scan.h"
#include "format/store.h"

/* Decoded text is never longer than the literal, and its NUL may take the closing quote's place, which the scanner has
 * passed already. Returns the offset of the decoded string. */
static uint32_t decode_in_place(uint8_t *text, const r1i_scan_text *t)
{
    const size_t at = (size_t)(t->raw - text);
    r1i_scan_copy(t, (char *)text + at);
    return (uint32_t)at;
}

static bool safe_file_name(const char *name)
{
    static const char end[] = ".safetensors";
    const size_t n = strlen(name);
    return n > sizeof end - 1 && n < 256 && !strchr(name, '/') && name[0] != '.' &&
        strcmp(name + n - (sizeof end - 1), end) == 0;
}

/* Names as pointers for the hash table; lives only while parsing. */
typedef struct lookup {
    const char **item;
    r1i_names table;
} lookup;

static r1_status lookup_create(lookup *l, int64_t n, r1_error *err)
{
    l->item = malloc((size_t)(n ? n : 1) * sizeof *l->item);
    const r1_status st = r1i_names_create(&l->table, (uint64_t)n, err);
    return st == R1_OK && !l->item ? r1i_fail(err, R1_ERR_NOMEM, "shard index of %lld names", (long long)n) : st;
}

static void lookup_destroy(lookup *l)
{
    r1i_names_destroy(&l->table);
    free(l->item);
}

/* Number of members of the object at the scanner, whose values must be strings. */
static r1_status count_members(r1i_scan s, int64_t *n)
{
    r1i_scan_text text;
    r1_status st = r1i_scan_expect(&s, '{');
    *n = 0;
    for (bool first = true, more; st == R1_OK; first = false) {
        if ((st = r1i_scan_key(&s, first, &more, &text)) != R1_OK || !more) return st;
        if (*n == R1I_MAX_TENSORS)
            return r1i_fail_at(s.err, R1_ERR_RANGE, (int64_t)text.offset, "more than %d tensors in weight_map",
                               R1I_MAX_TENSORS);
        if ((st = r1i_scan_string(&s, &text)) == R1_OK) ++*n;
    }
    return st;
}

static r1_status add_pair(r1i_shard_index *x, lookup *names, lookup *files, const r1i_scan_text *key,
                          const r1i_scan_text *value, r1_error *err)
{
    const uint32_t name = decode_in_place(x->text, key), file = decode_in_place(x->text, value);
    names->item[x->n] = (const char *)x->text + name;
    if (r1i_names_add(&names->table, names->item, sizeof *names->item, x->n) != x->n)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)key->offset, "duplicate tensor name %s in weight_map",
                           names->item[x->n]);
    files->item[x->n_files] = (const char *)x->text + file;
    const int64_t f = r1i_names_add(&files->table, files->item, sizeof *files->item, x->n_files);
    if (f == x->n_files) {
        if (!safe_file_name(files->item[f]))
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)value->offset,
                               "\"%.200s\" is no name of a .safetensors file in this folder", files->item[f]);
        x->file_at[x->n_files++] = file;
    }
    x->item[x->n].name = name;
    x->item[x->n++].file = (uint32_t)f;
    return R1_OK;
}

static r1_status read_map(r1i_scan *s, r1i_shard_index *x)
{
    lookup names = {0}, files = {0};
    int64_t n;
    r1_status st = count_members(*s, &n);
    if (st != R1_OK) return st;
    x->item = malloc((size_t)(n + 1) * sizeof *x->item);
    x->file_at = malloc((size_t)(n + 1) * sizeof *x->file_at);
    if (!x->item || !x->file_at) return r1i_fail(s->err, R1_ERR_NOMEM, "shard index of %lld names", (long long)n);
    st = lookup_create(&names, n, s->err);
    if (st == R1_OK) st = lookup_create(&files, n, s->err);
    if (st == R1_OK) st = r1i_scan_expect(s, '{');
    for (bool first = true, more; st == R1_OK; first = false) {
        r1i_scan_text key, value;
        if ((st = r1i_scan_key(s, first, &more, &key)) != R1_OK || !more) break;
        if ((st = r1i_scan_string(s, &value)) == R1_OK) st = add_pair(x, &names, &files, &key, &value, s->err);
    }
    lookup_destroy(&names);
    lookup_destroy(&files);
    return st;
}

static r1_status read_index(r1i_scan *s, r1i_shard_index *x)
{
    bool found = false;
    r1_status st = r1i_scan_expect(s, '{');
    for (bool first = true, more; st == R1_OK; first = false) {
        r1i_scan_text key;
        if ((st = r1i_scan_key(s, first, &more, &key)) != R1_OK) return st;
        if (!more) break;
        if (!r1i_scan_equal(&key, "weight_map")) {
            st = r1i_scan_skip(s);
            continue;
        }
        if (found) return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)key.offset, "duplicate key weight_map");
        found = true;
        st = read_map(s, x);
    }
    if (st != R1_OK) return st;
    if (r1i_scan_peek(s) != -1) return r1i_scan_fail(s, "nothing after the index's '}'");
    if (!found) return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)s->size, "the index has no weight_map");
    return x->n > 0 ? R1_OK : r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)s->size, "the index's weight_map is empty");
}

r1_status r1i_shard_index_parse(uint8_t *text, size_t size, r1i_shard_index *out, r1_error *err)
{
    *out = (r1i_shard_index){.text = text};
    r1i_scan s = {text, size, 0, 0, err};
    const r1_status st = size > R1I_SHARD_INDEX_MAX_BYTES
                             ? r1i_fail_at(err, R1_ERR_FORMAT, 0, "shard index of %zu bytes, at most 64 MiB expected",
                                           size)
                             : read_index(&s, out);
    if (st != R1_OK) r1i_shard_index_free(out);
    return st;
}

void r1i_shard_index_free(r1i_shard_index *index)
{
    free(index->text);
    free(index->item);
    free(index->file_at);
    *index = (r1i_shard_index){0};
}
