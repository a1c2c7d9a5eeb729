#include "format/safetensors.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "format/names.h"
#include "format/scan.h"

/* One walk over the header checks and counts, a second one fills arrays of exactly that size: a header of 100 MB can
 * then not make us hold more than about twice itself. */
typedef struct sink {
    r1i_entry *entry; /* NULL while counting */
    char *names;
    int64_t n;
    uint64_t name_bytes;
    uint64_t data_at, data_bytes; /* of the data buffer, in the file */
    const uint8_t *data;          /* the file */
} sink;

enum { SEEN_DTYPE = 1, SEEN_SHAPE = 2, SEEN_OFFSETS = 4, SEEN_ALL = 7 };

static r1_status read_dtype(r1i_scan *s, r1_dtype *out)
{
    static const char *const other[] = {"F4", "F6_E2M3", "F6_E3M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "C64"};
    char name[16] = "";
    r1i_scan_text text;
    const r1_status st = r1i_scan_string(s, &text);
    if (st != R1_OK) return st;
    if (text.bytes < sizeof name) r1i_scan_copy(&text, name);
    if (r1i_dtype_from_name(name, out) && r1i_dtype(*out)->block_elems == 1) return R1_OK;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (strcmp(name, other[i]) == 0)
            return r1i_fail_at(s->err, R1_ERR_UNSUPPORTED, (int64_t)text.offset, "dtype %s is not supported", name);
    return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)text.offset, "unknown dtype \"%s\"%s", name,
                       *name ? "" : " (too long)");
}

static r1_status read_shape(r1i_scan *s, r1i_entry *e)
{
    r1_status st = r1i_scan_expect(s, '[');
    for (bool first = true, more; st == R1_OK; first = false) {
        uint64_t v;
        if ((st = r1i_scan_item(s, first, &more)) != R1_OK || !more) return st;
        if (e->n_dims == R1I_MAX_DIMS)
            return r1i_fail_at(s->err, R1_ERR_UNSUPPORTED, (int64_t)(s->base + s->pos), "more than %d dimensions",
                               R1I_MAX_DIMS);
        if ((st = r1i_scan_u64(s, &v)) != R1_OK) return st;
        e->dim[e->n_dims++] = (int64_t)v;
    }
    return st;
}

static r1_status read_offsets(r1i_scan *s, uint64_t *begin, uint64_t *end)
{
    r1_status st;
    if ((st = r1i_scan_expect(s, '[')) != R1_OK || (st = r1i_scan_u64(s, begin)) != R1_OK ||
        (st = r1i_scan_expect(s, ',')) != R1_OK || (st = r1i_scan_u64(s, end)) != R1_OK)
        return st;
    return r1i_scan_expect(s, ']');
}

/* Shape, dtype and byte range come from the file and may contradict each other: tied together here. */
static r1_status check_range(const r1i_scan *s, const r1i_scan_text *name, const r1i_entry *e, uint64_t end,
                             const sink *to)
{
    const int64_t at = (int64_t)name->offset;
    const int shown = name->raw_bytes < 200 ? (int)name->raw_bytes : 200;
    const char *const raw = (const char *)name->raw;
    uint64_t need = (uint64_t)r1i_dtype(e->type)->block_bytes;
    for (int d = 0; d < e->n_dims; d++)
        if (!r1i_mul_u64(need, (uint64_t)e->dim[d], &need) || need > INT64_MAX)
            return r1i_fail_at(s->err, R1_ERR_FORMAT, at, "tensor %.*s: shape overflows at dimension %d", shown, raw,
                               d);
    if (e->offset > end || end > to->data_bytes)
        return r1i_fail_at(s->err, R1_ERR_FORMAT, at,
                           "tensor %.*s: data_offsets [%llu, %llu] leave the data buffer of %llu bytes", shown, raw,
                           (unsigned long long)e->offset, (unsigned long long)end, (unsigned long long)to->data_bytes);
    if (end - e->offset != need)
        return r1i_fail_at(s->err, R1_ERR_FORMAT, at,
                           "tensor %.*s: data_offsets span %llu bytes, dtype and shape need %llu", shown, raw,
                           (unsigned long long)(end - e->offset), (unsigned long long)need);
    return R1_OK;
}

static r1_status read_tensor(r1i_scan *s, const r1i_scan_text *name, sink *to)
{
    r1i_entry e = {0};
    uint64_t end = 0;
    unsigned seen = 0;
    r1i_scan_text key;
    r1_status st = r1i_scan_expect(s, '{');
    for (bool first = true, more; st == R1_OK; first = false) {
        if ((st = r1i_scan_key(s, first, &more, &key)) != R1_OK) return st;
        if (!more) break;
        const unsigned bit = r1i_scan_equal(&key, "dtype") ? SEEN_DTYPE : r1i_scan_equal(&key, "shape") ? SEEN_SHAPE
                           : r1i_scan_equal(&key, "data_offsets") ? SEEN_OFFSETS : 0;
        if (seen & bit)
            return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)key.offset, "duplicate key in a tensor's description");
        seen |= bit;
        st = bit == SEEN_DTYPE ? read_dtype(s, &e.type) : bit == SEEN_SHAPE ? read_shape(s, &e)
           : bit == SEEN_OFFSETS ? read_offsets(s, &e.offset, &end) : r1i_scan_skip(s);
    }
    if (st != R1_OK) return st;
    if (seen != SEEN_ALL)
        return r1i_fail_at(s->err, R1_ERR_FORMAT, (int64_t)(s->base + s->pos - 1), "tensor description lacks %s",
                           !(seen & SEEN_DTYPE) ? "dtype" : !(seen & SEEN_SHAPE) ? "shape" : "data_offsets");
    if ((st = check_range(s, name, &e, end, to)) != R1_OK) return st;
    if (to->n == R1I_MAX_TENSORS)
        return r1i_fail_at(s->err, R1_ERR_RANGE, (int64_t)name->offset, "more than %d tensors", R1I_MAX_TENSORS);
    if (to->entry) {
        char *const copy = to->names + to->name_bytes;
        r1i_scan_copy(name, copy);
        e.name = copy;
        e.bytes = end - e.offset;
        e.offset += to->data_at;
        e.data = to->data + e.offset;
        to->entry[to->n] = e;
    }
    to->n++;
    to->name_bytes += name->bytes + 1;
    return R1_OK;
}

static r1_status read_metadata(r1i_scan *s)
{
    r1i_scan_text key, value;
    r1_status st = r1i_scan_expect(s, '{');
    for (bool first = true, more; st == R1_OK; first = false) {
        if ((st = r1i_scan_key(s, first, &more, &key)) != R1_OK || !more) return st;
        st = r1i_scan_string(s, &value);
    }
    return st;
}

static r1_status walk(const uint8_t *data, uint64_t header_bytes, sink *to, r1_error *err)
{
    r1i_scan s = {data + 8, header_bytes, 0, 8, err};
    bool metadata = false;
    r1_status st;
    if (header_bytes == 0 || data[8] != '{') return r1i_scan_fail(&s, "'{'");
    s.pos = 1;
    for (bool first = true, more;; first = false) {
        r1i_scan_text key;
        if ((st = r1i_scan_key(&s, first, &more, &key)) != R1_OK) return st;
        if (!more) break;
        if (!r1i_scan_equal(&key, "__metadata__")) {
            if ((st = read_tensor(&s, &key, to)) != R1_OK) return st;
            continue;
        }
        if (metadata) return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)key.offset, "duplicate key __metadata__");
        metadata = true;
        if ((st = read_metadata(&s)) != R1_OK) return st;
    }
    while (s.pos < s.size && s.data[s.pos] == ' ') s.pos++;
    return s.pos == s.size ? R1_OK : r1i_scan_fail(&s, "only spaces after the header's '}'");
}

static r1_status check_names(const r1i_safetensors *st, r1_error *err)
{
    r1i_names table;
    r1_status status = r1i_names_create(&table, (uint64_t)st->n, err);
    for (int64_t i = 0; status == R1_OK && i < st->n; i++)
        if (r1i_names_add(&table, st->entry, sizeof *st->entry, i) != i)
            status = r1i_fail_at(err, R1_ERR_FORMAT, 8, "duplicate tensor name %s", st->entry[i].name);
    r1i_names_destroy(&table);
    return status;
}

static int by_begin(const void *a, const void *b)
{
    const r1i_entry *const x = *(const r1i_entry *const *)a, *const y = *(const r1i_entry *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* No hole, no overlap: in order of their begin, each tensor starts where the one before ended. */
static r1_status check_tiling(const r1i_safetensors *st, uint64_t data_at, uint64_t size, r1_error *err)
{
    const r1i_entry **const order = malloc((size_t)(st->n ? st->n : 1) * sizeof *order);
    uint64_t at = data_at;
    r1_status status = R1_OK;
    if (!order) return r1i_fail(err, R1_ERR_NOMEM, "order of %lld tensors", (long long)st->n);
    bool sorted = true;
    for (int64_t i = 0; i < st->n; i++) {
        order[i] = &st->entry[i];
        sorted = sorted && (i == 0 || by_begin(&order[i - 1], &order[i]) <= 0);
    }
    if (!sorted) qsort(order, (size_t)st->n, sizeof *order, by_begin);
    for (int64_t i = 0; i < st->n && status == R1_OK; i++) {
        const r1i_entry *const e = order[i];
        if (e->offset != at)
            status = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)(e->offset < at ? e->offset : at),
                                 "tensor %s begins at byte %llu of the file, %llu expected (%s)", e->name,
                                 (unsigned long long)e->offset, (unsigned long long)at,
                                 e->offset < at ? "overlap" : "hole");
        at = e->offset + e->bytes;
    }
    free(order);
    if (status == R1_OK && at != size)
        status = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "the last tensor ends at byte %llu, the file at %llu",
                             (unsigned long long)at, (unsigned long long)size);
    return status;
}

r1_status r1i_safetensors_parse(const uint8_t *data, uint64_t size, r1i_safetensors *out, r1_error *err)
{
    *out = (r1i_safetensors){0};
    r1i_cursor c = {data, size, 0, false};
    const uint64_t header_bytes = r1i_cursor_u64(&c);
    if (c.failed)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)size, "%llu bytes, a safetensors file begins with 8",
                           (unsigned long long)size);
    if (header_bytes > R1I_SAFETENSORS_MAX_HEADER)
        return r1i_fail_at(err, R1_ERR_FORMAT, 0, "header of %llu bytes, at most 100000000 expected",
                           (unsigned long long)header_bytes);
    if (header_bytes > size - 8)
        return r1i_fail_at(err, R1_ERR_FORMAT, 0, "header of %llu bytes in a file of %llu",
                           (unsigned long long)header_bytes, (unsigned long long)size);
    const uint64_t data_at = 8 + header_bytes;
    sink count = {.data_at = data_at, .data_bytes = size - data_at};
    r1_status st = walk(data, header_bytes, &count, err);
    if (st != R1_OK) return st;
    sink fill = {.data_at = data_at, .data_bytes = size - data_at, .data = data};
    out->entry = fill.entry = calloc((size_t)count.n + 1, sizeof *out->entry);
    out->names = fill.names = malloc((size_t)count.name_bytes + 1);
    out->n = count.n;
    if (!out->entry || !out->names) st = r1i_fail(err, R1_ERR_NOMEM, "%lld tensor entries", (long long)count.n);
    if (st == R1_OK) st = walk(data, header_bytes, &fill, err);
    if (st == R1_OK) st = check_names(out, err);
    if (st == R1_OK) st = check_tiling(out, data_at, size, err);
    if (st != R1_OK) r1i_safetensors_free(out);
    return st;
}

void r1i_safetensors_free(r1i_safetensors *st)
{
    free(st->entry);
    free(st->names);
    *st = (r1i_safetensors){0};
}
