#include "format/gguf.h"

#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "base/env.h"
#include "format/names.h"
#include "format/scan.h"

/* Bounds that no published file comes near (R1 has 1,025 tensors and some 60 keys) and that keep what a hostile header
 * can
 * make us hold below 64 MB: about 64 bytes a value and 100 a tensor. */
enum { MAX_VALUES = 1 << 16, MAX_TENSORS = 1 << 17, MAX_KEY = 65535, MAX_NAME = 63, MAX_NESTING = 16 };
#define MAX_LENGTH (UINT64_C(1) << 30) /* of a string or an array */

struct r1i_gguf {
    uint32_t version;
    uint64_t n_values, n_tensors;
    r1i_gguf_value *value;
    r1i_gguf_tensor *tensor;
    r1i_names values, tensors;
};

static const uint8_t scalar_bytes[] = {
    [R1I_GGUF_U8] = 1, [R1I_GGUF_I8] = 1, [R1I_GGUF_U16] = 2, [R1I_GGUF_I16] = 2, [R1I_GGUF_U32] = 4,
    [R1I_GGUF_I32] = 4, [R1I_GGUF_F32] = 4, [R1I_GGUF_BOOL] = 1, [R1I_GGUF_STRING] = 0, [R1I_GGUF_ARRAY] = 0,
    [R1I_GGUF_U64] = 8,
    [R1I_GGUF_I64] = 8, [R1I_GGUF_F64] = 8};

static r1_status ends(const r1i_cursor *c, const char *what, r1_error *err)
{
    return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)c->pos, "the file ends inside %s", what);
}

/* Length and bytes of a string. */
static r1_status read_string(r1i_cursor *c, uint64_t max, const char *what, const uint8_t **bytes, uint64_t *n,
                             r1_error *err)
{
    const uint64_t at = c->pos;
    *bytes = NULL;
    *n = r1i_cursor_u64(c);
    if (c->failed) return ends(c, what, err);
    if (*n > max)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "%s of %llu bytes, at most %llu expected", what,
                           (unsigned long long)*n, (unsigned long long)max);
    *bytes = r1i_cursor_take(c, *n);
    return *bytes ? R1_OK : ends(c, what, err);
}

/* A key or tensor name as a NUL-terminated copy: UTF-8, not empty, no NUL. */
static r1_status read_name(r1i_cursor *c, uint64_t max, const char *what, const char **out, r1_error *err)
{
    const uint8_t *bytes;
    const uint64_t at = c->pos;
    uint64_t n;
    const r1_status st = read_string(c, max, what, &bytes, &n, err);
    if (st != R1_OK) return st;
    if (n == 0 || memchr(bytes, 0, n) || !r1i_utf8_valid(bytes, n))
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at + 8, "%s is empty or not UTF-8 text", what);
    char *const copy = malloc(n + 1);
    if (!copy) return r1i_fail(err, R1_ERR_NOMEM, "%s", what);
    memcpy(copy, bytes, n);
    copy[n] = '\0';
    *out = copy;
    return R1_OK;
}

static r1_status read_type(r1i_cursor *c, r1i_gguf_type *out, r1_error *err)
{
    const uint64_t at = c->pos;
    const uint32_t type = r1i_cursor_u32(c);
    if (c->failed) return ends(c, "a value type", err);
    if (type > R1I_GGUF_F64)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "value type %u, 0 to 12 expected", type);
    *out = (r1i_gguf_type)type;
    return R1_OK;
}

static r1_status bad_bool(uint64_t at, r1_error *err)
{
    return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "a bool that is neither 0 nor 1");
}

static r1_status read_scalar(r1i_cursor *c, r1i_gguf_value *v, r1_error *err)
{
    const unsigned n = scalar_bytes[v->type];
    const uint64_t bits = r1i_cursor_uint(c, n);
    if (c->failed) return ends(c, "a value", err);
    const uint32_t low = (uint32_t)bits;
    float f;
    switch (v->type) {
    case R1I_GGUF_I8: v->as.i = (int8_t)(uint8_t)bits; return R1_OK;
    case R1I_GGUF_I16: v->as.i = (int16_t)(uint16_t)bits; return R1_OK;
    case R1I_GGUF_I32: v->as.i = (int32_t)low; return R1_OK;
    case R1I_GGUF_F32: memcpy(&f, &low, sizeof f); v->as.f = (double)f; return R1_OK;
    case R1I_GGUF_F64: memcpy(&v->as.f, &bits, sizeof v->as.f); return R1_OK;
    case R1I_GGUF_BOOL: v->as.b = bits == 1; return bits > 1 ? bad_bool(c->pos - 1, err) : R1_OK;
    default: v->as.u = bits; return R1_OK; /* unsigned; i64 has the same bits */
    }
}

/* Passes over the n elements; on success the cursor stands after them. */
static r1_status pass_array(r1i_cursor *c, r1i_gguf_type elem, uint64_t n, int depth, r1_error *err)
{
    r1_status st = R1_OK;
    if (elem != R1I_GGUF_STRING && elem != R1I_GGUF_ARRAY) {
        const uint8_t *const p = r1i_cursor_take(c, n * scalar_bytes[elem]); /* n <= 2^30: no overflow */
        if (!p) return ends(c, "an array", err);
        for (uint64_t i = 0; elem == R1I_GGUF_BOOL && i < n; i++)
            if (p[i] > 1) return bad_bool(c->pos - n + i, err);
        return R1_OK;
    }
    if (elem == R1I_GGUF_ARRAY && depth == MAX_NESTING)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)c->pos, "arrays nested deeper than %d", MAX_NESTING);
    for (uint64_t i = 0; i < n && st == R1_OK; i++) {
        const uint8_t *bytes;
        uint64_t len;
        if (elem == R1I_GGUF_STRING) {
            st = read_string(c, MAX_LENGTH, "a string of an array", &bytes, &len, err);
            continue;
        }
        r1i_gguf_type inner;
        if ((st = read_type(c, &inner, err)) != R1_OK) return st;
        const uint64_t at = c->pos;
        len = r1i_cursor_u64(c);
        if (c->failed) return ends(c, "an array", err);
        if (len > MAX_LENGTH)
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "array of %llu elements", (unsigned long long)len);
        st = pass_array(c, inner, len, depth + 1, err);
    }
    return st;
}

static r1_status read_value(r1i_cursor *c, r1i_gguf_value *v, r1_error *err)
{
    r1_status st = read_name(c, MAX_KEY, "a metadata key", &v->key, err);
    if (st != R1_OK) return st;
    if ((st = read_type(c, &v->type, err)) != R1_OK) return st;
    v->offset = c->pos;
    if (v->type == R1I_GGUF_STRING) return read_string(c, MAX_LENGTH, "a string value", &v->bytes, &v->n, err);
    if (v->type != R1I_GGUF_ARRAY) return read_scalar(c, v, err);
    if ((st = read_type(c, &v->elem, err)) != R1_OK) return st;
    const uint64_t at = c->pos;
    v->n = r1i_cursor_u64(c);
    if (c->failed) return ends(c, "an array", err);
    if (v->n > MAX_LENGTH)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "array of %llu elements, at most 2^30 expected",
                           (unsigned long long)v->n);
    v->bytes = c->data + c->pos;
    return pass_array(c, v->elem, v->n, 0, err);
}

/* Bytes of a tensor from its shape: rows of whole blocks. */
static bool tensor_bytes(const r1i_gguf_tensor *t, uint64_t *out)
{
    uint64_t elems = t->dim[0];
    if (!r1i_dtype_row_bytes(t->type, t->dim[0], out)) return false;
    for (int d = 1; d < 4; d++) /* the elements too must fit an int64_t */
        if (!r1i_mul_u64(*out, t->dim[d], out) || !r1i_mul_u64(elems, t->dim[d], &elems)) return false;
    return elems <= INT64_MAX && *out <= INT64_MAX;
}

static r1_status read_tensor(r1i_cursor *c, r1i_gguf_tensor *t, r1_error *err)
{
    r1_status st = read_name(c, MAX_NAME, "a tensor name", &t->name, err);
    if (st != R1_OK) return st;
    uint64_t at = c->pos;
    const uint32_t n_dims = r1i_cursor_u32(c);
    if (!c->failed && n_dims > 4)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "tensor %s: %u dimensions, at most 4 expected", t->name,
                           n_dims);
    const uint64_t dims_at = c->pos;
    t->n_dims = (int)n_dims;
    for (uint32_t d = 0; d < 4; d++) t->dim[d] = d < n_dims ? r1i_cursor_u64(c) : 1;
    at = c->pos;
    const uint32_t type = r1i_cursor_u32(c);
    t->offset = r1i_cursor_u64(c);
    if (c->failed) return ends(c, "a tensor's description", err);
    if (!r1i_dtype_from_gguf(type, &t->type))
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, (int64_t)at, "tensor %s: type id %u is not supported", t->name,
                           type);
    if (!tensor_bytes(t, &t->bytes))
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)dims_at,
                           "tensor %s: dimensions overflow, or rows of %llu are no whole %s blocks of %d", t->name,
                           (unsigned long long)t->dim[0], r1_dtype_name(t->type), r1i_dtype(t->type)->block_elems);
    return R1_OK;
}

static r1_status read_header(r1i_cursor *c, r1i_gguf *g, r1_error *err)
{
    const uint8_t *const magic = r1i_cursor_take(c, 4);
    g->version = r1i_cursor_u32(c);
    g->n_tensors = r1i_cursor_u64(c);
    g->n_values = r1i_cursor_u64(c);
    if (magic && memcmp(magic, "GGUF", 4) != 0)
        return r1i_fail_at(err, R1_ERR_FORMAT, 0, "the file does not begin with GGUF");
    if (c->size >= 8 && g->version == 1)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 4, "GGUF version 1 is not supported, 2 or 3 expected");
    if (c->size >= 8 && g->version != 0 && (g->version & 0xffff) == 0)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, 4, "the GGUF file was written for big-endian machines");
    if (c->size >= 8 && (g->version < 2 || g->version > 3))
        return r1i_fail_at(err, g->version == 0 ? R1_ERR_FORMAT : R1_ERR_UNSUPPORTED, 4,
                           "GGUF version %u, 2 or 3 expected", g->version);
    if (c->failed)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)c->size, "the file ends inside the GGUF header of 24 bytes");
    /* a tensor takes at least 25 bytes, a value 14: counts beyond that are lies, told before anything is allocated */
    if (g->n_tensors > MAX_TENSORS || g->n_tensors > (c->size - c->pos) / 25)
        return r1i_fail_at(err, R1_ERR_FORMAT, 8, "%llu tensors in a file of %llu bytes (at most %d)",
                           (unsigned long long)g->n_tensors, (unsigned long long)c->size, MAX_TENSORS);
    if (g->n_values > MAX_VALUES || g->n_values > (c->size - c->pos) / 14)
        return r1i_fail_at(err, R1_ERR_FORMAT, 16, "%llu metadata keys in a file of %llu bytes (at most %d)",
                           (unsigned long long)g->n_values, (unsigned long long)c->size, MAX_VALUES);
    return R1_OK;
}

static r1_status alignment(const r1i_gguf *g, uint64_t *out, r1_error *err)
{
    const r1i_gguf_value *const v = r1i_gguf_find(g, "general.alignment");
    *out = 32;
    if (!v) return R1_OK;
    if (!r1i_gguf_get_u64(g, "general.alignment", out) || *out < 8 || *out > (UINT64_C(1) << 31) ||
        (*out & (*out - 1)) != 0)
        return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)v->offset,
                           "general.alignment is no power of two from 8 to 2^31");
    return R1_OK;
}

/* Offsets become the file's. Each tensor begins where the one before ended, rounded up: that leaves no overlap. */
static r1_status place_tensors(r1i_gguf *g, uint64_t header_end, uint64_t size, uint64_t align, r1_error *err)
{
    uint64_t at = 0;
    if (g->n_tensors == 0) return R1_OK;
    const uint64_t data_at = (header_end + align - 1) / align * align; /* header_end <= size: no overflow */
    for (uint64_t i = 0; i < g->n_tensors; i++) {
        r1i_gguf_tensor *const t = &g->tensor[i];
        if (t->offset != at)
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)header_end,
                               "tensor %s: data offset %llu, %llu expected (alignment %llu)", t->name,
                               (unsigned long long)t->offset, (unsigned long long)at, (unsigned long long)align);
        if (data_at > size || at > size - data_at || t->bytes > size - data_at - at)
            return r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)size, "tensor %s: the file ends before its %llu bytes do",
                               t->name, (unsigned long long)t->bytes);
        t->offset = data_at + at;
        at = (at + t->bytes + align - 1) / align * align; /* below size + 2^31 */
    }
    return R1_OK;
}

static r1_status parse(r1i_cursor *c, r1i_gguf *g, r1_error *err)
{
    uint64_t align;
    r1_status st = r1i_names_create(&g->values, g->n_values, err);
    if (st == R1_OK) st = r1i_names_create(&g->tensors, g->n_tensors, err);
    g->value = calloc(g->n_values + 1, sizeof *g->value);
    g->tensor = calloc(g->n_tensors + 1, sizeof *g->tensor);
    if (st == R1_OK && (!g->value || !g->tensor)) st = r1i_fail(err, R1_ERR_NOMEM, "GGUF header");
    for (uint64_t i = 0; i < g->n_values && st == R1_OK; i++) {
        const uint64_t at = c->pos;
        st = read_value(c, &g->value[i], err);
        if (st != R1_OK && g->value[i].key) r1i_error_prefix(err, "metadata key %.200s: ", g->value[i].key);
        if (st == R1_OK && r1i_names_add(&g->values, g->value, sizeof *g->value, (int64_t)i) != (int64_t)i)
            st = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "duplicate metadata key %.200s", g->value[i].key);
    }
    for (uint64_t i = 0; i < g->n_tensors && st == R1_OK; i++) {
        const uint64_t at = c->pos;
        st = read_tensor(c, &g->tensor[i], err);
        if (st == R1_OK && r1i_names_add(&g->tensors, g->tensor, sizeof *g->tensor, (int64_t)i) != (int64_t)i)
            st = r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)at, "duplicate tensor name %s", g->tensor[i].name);
    }
    if (st == R1_OK) st = alignment(g, &align, err);
    return st == R1_OK ? place_tensors(g, c->pos, c->size, align, err) : st;
}

r1_status r1i_gguf_parse(const uint8_t *data, uint64_t size, r1i_gguf **out, r1_error *err)
{
    r1i_cursor c = {data, size, 0, false};
    *out = NULL;
    r1i_gguf *const g = calloc(1, sizeof *g);
    if (!g) return r1i_fail(err, R1_ERR_NOMEM, "GGUF handle");
    r1_status st = read_header(&c, g, err);
    if (st != R1_OK) g->n_values = g->n_tensors = 0;
    else st = parse(&c, g, err);
    if (st == R1_OK) *out = g;
    else r1i_gguf_free(g);
    return st;
}

void r1i_gguf_free(r1i_gguf *g)
{
    if (!g) return;
    for (uint64_t i = 0; g->value && i < g->n_values; i++) free((void *)(uintptr_t)g->value[i].key);
    for (uint64_t i = 0; g->tensor && i < g->n_tensors; i++) free((void *)(uintptr_t)g->tensor[i].name);
    free(g->value);
    free(g->tensor);
    r1i_names_destroy(&g->values);
    r1i_names_destroy(&g->tensors);
    free(g);
}

uint32_t r1i_gguf_version(const r1i_gguf *g) { return g->version; }
int64_t r1i_gguf_value_count(const r1i_gguf *g) { return (int64_t)g->n_values; }
const r1i_gguf_value *r1i_gguf_value_at(const r1i_gguf *g, int64_t i) { return &g->value[i]; }
int64_t r1i_gguf_tensor_count(const r1i_gguf *g) { return (int64_t)g->n_tensors; }
const r1i_gguf_tensor *r1i_gguf_tensor_at(const r1i_gguf *g, int64_t i) { return &g->tensor[i]; }

const r1i_gguf_value *r1i_gguf_find(const r1i_gguf *g, const char *key)
{
    const int64_t i = r1i_names_find(&g->values, g->value, sizeof *g->value, key);
    return i < 0 ? NULL : &g->value[i];
}

static bool is_signed(r1i_gguf_type t)
{
    return t == R1I_GGUF_I8 || t == R1I_GGUF_I16 || t == R1I_GGUF_I32 || t == R1I_GGUF_I64;
}
static bool is_unsigned(r1i_gguf_type t)
{
    return t == R1I_GGUF_U8 || t == R1I_GGUF_U16 || t == R1I_GGUF_U32 || t == R1I_GGUF_U64;
}

bool r1i_gguf_get_u64(const r1i_gguf *g, const char *key, uint64_t *out)
{
    const r1i_gguf_value *const v = r1i_gguf_find(g, key);
    if (!v || !(is_unsigned(v->type) || (is_signed(v->type) && v->as.i >= 0))) return false;
    *out = is_signed(v->type) ? (uint64_t)v->as.i : v->as.u;
    return true;
}

bool r1i_gguf_get_f64(const r1i_gguf *g, const char *key, double *out)
{
    const r1i_gguf_value *const v = r1i_gguf_find(g, key);
    if (!v || (v->type != R1I_GGUF_F32 && v->type != R1I_GGUF_F64)) return false;
    *out = v->as.f;
    return true;
}

bool r1i_gguf_get_bool(const r1i_gguf *g, const char *key, bool *out)
{
    const r1i_gguf_value *const v = r1i_gguf_find(g, key);
    if (!v || v->type != R1I_GGUF_BOOL) return false;
    *out = v->as.b;
    return true;
}

bool r1i_gguf_get_string(const r1i_gguf *g, const char *key, const char **bytes, uint64_t *n)
{
    const r1i_gguf_value *const v = r1i_gguf_find(g, key);
    if (!v || v->type != R1I_GGUF_STRING) return false;
    *bytes = (const char *)v->bytes;
    *n = v->n;
    return true;
}

static uint64_t little_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < bytes; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

bool r1i_gguf_next_string(const r1i_gguf_value *value, const uint8_t **at, uint64_t *index, const char **bytes,
                          uint64_t *n)
{
    if (value->type != R1I_GGUF_ARRAY || value->elem != R1I_GGUF_STRING || *index >= value->n) return false;
    *n = little_endian(*at, 8); /* lengths were checked when the file was parsed */
    *bytes = (const char *)*at + 8;
    *at += 8 + *n;
    ++*index;
    return true;
}

bool r1i_gguf_array_i64(const r1i_gguf_value *value, uint64_t i, int64_t *out)
{
    if (value->type != R1I_GGUF_ARRAY || i >= value->n) return false;
    const r1i_gguf_type t = value->elem;
    if (!is_signed(t) && !is_unsigned(t) && t != R1I_GGUF_BOOL) return false;
    const unsigned n = scalar_bytes[t];
    const uint64_t bits = little_endian(value->bytes + i * n, n);
    if (is_signed(t) && n < 8) {
        const uint64_t sign = UINT64_C(1) << (8 * n - 1);
        *out = (int64_t)(bits ^ sign) - (int64_t)sign;
    } else {
        if (t == R1I_GGUF_U64 && bits > INT64_MAX) return false;
        *out = (int64_t)bits;
    }
    return true;
}
