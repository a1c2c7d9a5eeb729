#include "base/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"

/* A value's place, found by its container: true, false and null are single objects in jansson, so that a value itself
 * cannot say where it stood. A mapping's own is that of item 0 of it without a key. Looked up on the way to an error
 * only. */
typedef struct place {
    const json_t *container;
    const char *key;      /* borrowed from the object; NULL in arrays */
    size_t index;
    size_t line, column;  /* from 1 */
    const char *said;     /* the setting that it comes from instead of the text, key=value; else NULL */
} place;

struct r1i_yaml {
    json_t *root;
    json_t *replaced;     /* values that were set anew: no other may come to lie where a known place's container was */
    place *places;
    size_t n, cap;
};

enum { MAX_BYTES = 1 << 20, MAX_DEPTH = 64, MAX_VALUES = 20000 };

json_t *r1i_yaml_root(const r1i_yaml *yaml) { return yaml->root; }

void r1i_yaml_free(r1i_yaml *yaml)
{
    if (!yaml) return;
    json_decref(yaml->root);
    json_decref(yaml->replaced);
    free(yaml->places);
    free(yaml);
}

/* false without memory */
static bool remember(r1i_yaml *y, place p)
{
    if (y->n == y->cap) {
        const size_t cap = y->cap * 2 + 64;
        place *const grown = realloc(y->places, cap * sizeof *grown);
        if (!grown) return false;
        y->places = grown;
        y->cap = cap;
    }
    y->places[y->n++] = p;
    return true;
}

static place *find(const r1i_yaml *yaml, const json_t *container, const char *key, size_t index)
{
    for (size_t i = 0; i < yaml->n; i++) {
        place *const p = &yaml->places[i];
        if (p->container == container && (key ? p->key && strcmp(p->key, key) == 0 : !p->key && p->index == index))
            return p;
    }
    return NULL;
}

r1_status r1i_yaml_fail(const r1i_yaml *yaml, const json_t *container, const char *key, size_t index, r1_error *err,
                        const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    const place *p = find(yaml, container ? container : yaml->root, key, index);
    if (!p && json_is_object(container)) p = find(yaml, container, NULL, 0);
    if (p && p->said) return r1i_fail(err, R1_ERR_FORMAT, "--set %.160s: %s", p->said, text);
    if (!p && container) return r1i_fail(err, R1_ERR_FORMAT, "%s", text);
    /* no mapping, so the whole of it is wrong */
    if (!p) return r1i_fail(err, R1_ERR_FORMAT, "line 1 column 1: %s", text);
    r1i_fail(err, R1_ERR_FORMAT, "line %zu column %zu: %s", p->line, p->column, text);
    if (err) err->line = (int64_t)p->line;
    return R1_ERR_FORMAT;
}

r1_status r1i_yaml_read_file(const char *path, r1i_yaml **out, r1_error *err)
{
    uint8_t *bytes;
    size_t size;
    *out = NULL;
    r1_status st = r1i_file_read(path, MAX_BYTES, &bytes, &size, err);
    if (st != R1_OK) return st;
    if ((st = r1i_yaml_parse(bytes, size, out, err)) != R1_OK) r1i_error_prefix(err, "%s: ", path);
    r1_free(bytes);
    return st;
}

static r1_status set_at(r1i_yaml *yaml, json_t *container, const char *key, json_t *value, const char *said)
{
    if (!value || json_object_set(container, key, value) != 0) return R1_ERR_NOMEM;
    place *const p = find(yaml, container, key, 0);
    if (p) p->said = said;
    return p || remember(yaml,
                         (place){.container = container,
                                 .key = json_object_iter_key(json_object_iter_at(container, key)),
                                 .said = said}) ? R1_OK : R1_ERR_NOMEM;
}

r1_status r1i_yaml_set(r1i_yaml *yaml, json_t *container, const char *key, json_t *value, const char *said,
                       r1_error *err)
{
    json_t *const old = json_object_get(container, key);
    const char *inner;
    json_t *v;
    r1_status st = R1_OK;
    if (!yaml->replaced) yaml->replaced = json_array();
    if (old && json_array_append(yaml->replaced, old) != 0) st = R1_ERR_NOMEM;
    if (st == R1_OK) st = set_at(yaml, container, key, value, said);
    json_object_foreach(value, inner, v) if (st == R1_OK) st = set_at(yaml, value, inner, v, said);
    json_decref(value);
    return st == R1_OK ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%s", said);
}

/* ---- fields ------------------------------------------------------------------------------------------------------ */

static const char *const kind_words[] = {"a text", "a whole number", "a number", "true or false", "a list of texts",
                                         "a mapping", "a value"};

static bool is_texts(const json_t *v)
{
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!json_is_string(json_array_get(v, i))) return false;
    return json_is_array(v);
}

static bool is_kind(const json_t *v, r1i_field_kind kind)
{
    switch (kind) {
    case R1I_FIELD_TEXT: return json_is_string(v);
    case R1I_FIELD_INT: return json_is_integer(v);
    case R1I_FIELD_REAL: return json_is_number(v);
    case R1I_FIELD_BOOL: return json_is_boolean(v);
    case R1I_FIELD_TEXTS: return is_texts(v);
    case R1I_FIELD_MAP: return json_is_object(v);
    case R1I_FIELD_ANY: return true;
    }
    return false;
}

static r1_status unknown_key(const r1i_yaml *yaml, const json_t *map, const char *key, const r1i_field *fields,
                             r1_error *err)
{
    char names[256] = "";
    size_t used = 0;
    for (const r1i_field *f = fields; f->name && used < sizeof names; f++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", f->name);
    return r1i_yaml_fail(yaml, map, key, 0, err, "unknown key '%.64s'; expected one of %s", key, names);
}

r1_status r1i_yaml_check(const r1i_yaml *yaml, const json_t *map, const r1i_field *fields, r1_error *err)
{
    if (!json_is_object(map))
        return r1i_yaml_fail(yaml, NULL, NULL, 0, err, "a mapping of keys to values was expected");
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, key, value)
    {
        const r1i_field *f = fields;
        while (f->name && strcmp(f->name, key) != 0) f++;
        if (!f->name) return unknown_key(yaml, map, key, fields, err);
        if (!is_kind(value, f->kind))
            return r1i_yaml_fail(yaml, map, key, 0, err, "%s: %s was expected", key, kind_words[f->kind]);
        const double x = json_number_value(value);
        if (json_is_number(value) && f->max > f->min && (x < f->min || x > f->max))
            return r1i_yaml_fail(yaml, map, key, 0, err, "%s: %g is not from %g to %g", key, x, f->min, f->max);
    }
    for (const r1i_field *f = fields; f->name; f++)
        if (f->required && !json_object_get(map, f->name))
            return r1i_yaml_fail(yaml, map, NULL, 0, err, "the key '%s' is missing", f->name);
    return R1_OK;
}

#if R1_WITH_YAML
#include <yaml.h>

typedef struct reader {
    r1i_yaml *out;
    yaml_document_t *doc;
    size_t values;
    r1_error *err;
} reader;

static r1_status fail_mark(r1_error *err, const yaml_mark_t *m, const char *fmt, ...) R1_PRINTF(3, 4);
static r1_status fail_mark(r1_error *err, const yaml_mark_t *m, const char *fmt, ...)
{
    char text[300];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    r1i_fail_at(err, R1_ERR_FORMAT, (int64_t)m->index, "line %zu column %zu: %s", m->line + 1, m->column + 1, text);
    if (err) err->line = (int64_t)m->line + 1;
    return R1_ERR_FORMAT;
}

static place at(const json_t *container, const char *key, size_t index, const yaml_mark_t *m)
{
    return (place){.container = container, .key = key, .index = index, .line = m->line + 1, .column = m->column + 1};
}

static size_t digits(const char *s)
{
    size_t n = 0;
    while (s[n] >= '0' && s[n] <= '9') n++;
    return n;
}

/* [-+]? (digits [. digits*] | . digits) [e [-+]? digits]; *whole: neither point nor exponent. */
static bool is_number(const char *s, bool *whole)
{
    s += *s == '-' || *s == '+';
    const size_t before = digits(s);
    size_t after = 0;
    s += before;
    *whole = true;
    if (*s == '.') {
        *whole = false;
        after = digits(++s);
        s += after;
    }
    if (before + after == 0) return false;
    if (*s == 'e' || *s == 'E') {
        *whole = false;
        s++;
        s += *s == '-' || *s == '+';
        const size_t n = digits(s);
        if (n == 0) return false;
        s += n;
    }
    return *s == 0;
}

static bool one_of(const char *s, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(s, *words) == 0) return true;
    return false;
}

/* The core schema of YAML 1.2, without octal, hexadecimal, infinity and NaN: those stay text, and whoever wants a
 * number says so. */
static r1_status plain_scalar(reader *r, const yaml_node_t *node, const char *s, size_t n, json_t **out)
{
    bool whole;
    if (strlen(s) != n) return fail_mark(r->err, &node->start_mark, "a zero byte in a value");
    if (one_of(s, (const char *const[]){"", "~", "null", "Null", "NULL", NULL})) *out = json_null();
    else if (one_of(s, (const char *const[]){"true", "True", "TRUE", NULL})) *out = json_true();
    else if (one_of(s, (const char *const[]){"false", "False", "FALSE", NULL})) *out = json_false();
    else if (is_number(s, &whole)) {
        errno = 0;
        const long long i = whole ? strtoll(s, NULL, 10) : 0;
        if (whole && errno == 0) {
            *out = json_integer(i);
        } else {
            *out = json_real(strtod(s, NULL)); /* NULL where the value is no finite number */
            if (!*out) return fail_mark(r->err, &node->start_mark, "%.40s is beyond the range of numbers", s);
        }
    } else {
        *out = json_stringn(s, n);
    }
    return R1_OK;
}

static r1_status convert(reader *r, int id, int depth, json_t **out);

static r1_status sequence(reader *r, const yaml_node_t *node, int depth, json_t *array)
{
    for (const yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top; i++) {
        json_t *v;
        const yaml_node_t *const child = yaml_document_get_node(r->doc, *i);
        const r1_status st = convert(r, *i, depth + 1, &v);
        if (st != R1_OK) return st;
        if (json_array_append_new(array, v) != 0 ||
            !remember(r->out, at(array, NULL, json_array_size(array) - 1, &child->start_mark)))
            return r1i_fail(r->err, R1_ERR_NOMEM, "YAML list");
    }
    return R1_OK;
}

static r1_status mapping(reader *r, const yaml_node_t *node, int depth, json_t *object)
{
    if (!remember(r->out, at(object, NULL, 0, &node->start_mark)))
        return r1i_fail(r->err, R1_ERR_NOMEM, "YAML mapping");
    for (const yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top; p++) {
        const yaml_node_t *const key = yaml_document_get_node(r->doc, p->key);
        json_t *v;
        if (key->type != YAML_SCALAR_NODE) return fail_mark(r->err, &key->start_mark, "a key must be a text");
        const char *const name = (const char *)key->data.scalar.value;
        if (strlen(name) != key->data.scalar.length) return fail_mark(r->err, &key->start_mark, "a zero byte in a key");
        if (json_object_get(object, name))
            return fail_mark(r->err, &key->start_mark, "the key '%.64s' stands twice", name);
        const r1_status st = convert(r, p->value, depth + 1, &v);
        if (st != R1_OK) return st;
        if (json_object_set_new(object, name, v) != 0) return r1i_fail(r->err, R1_ERR_NOMEM, "YAML mapping");
        const char *const kept = json_object_iter_key(json_object_iter_at(object, name));
        if (!remember(r->out, at(object, kept, 0, &key->start_mark)))
            return r1i_fail(r->err, R1_ERR_NOMEM, "YAML mapping");
    }
    return R1_OK;
}

/* Aliases arrive as the number of a node that was seen before: each use is converted anew, and counted. */
static r1_status convert(reader *r, int id, int depth, json_t **out)
{
    const yaml_node_t *const node = yaml_document_get_node(r->doc, id);
    r1_status st = R1_OK;
    *out = NULL;
    if (depth > MAX_DEPTH)
        return fail_mark(r->err, &node->start_mark, "more than %d levels, or an alias inside itself", MAX_DEPTH);
    if (++r->values > MAX_VALUES)
        return fail_mark(r->err, &node->start_mark, "more than %d values, aliases expanded", MAX_VALUES);
    if (node->tag && strcmp((const char *)node->tag, YAML_STR_TAG) != 0 &&
        strcmp((const char *)node->tag, YAML_SEQ_TAG) != 0 && strcmp((const char *)node->tag, YAML_MAP_TAG) != 0)
        return fail_mark(r->err, &node->start_mark, "tags (%.40s) are not supported", (const char *)node->tag);
    if (node->type == YAML_SCALAR_NODE) {
        const char *const s = (const char *)node->data.scalar.value;
        const size_t n = node->data.scalar.length;
        if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) st = plain_scalar(r, node, s, n, out);
        else *out = json_stringn(s, n);
    } else if (node->type == YAML_SEQUENCE_NODE) {
        if ((*out = json_array())) st = sequence(r, node, depth, *out);
    } else if ((*out = json_object())) {
        st = mapping(r, node, depth, *out);
    }
    if (st == R1_OK && !*out) st = r1i_fail(r->err, R1_ERR_NOMEM, "YAML value");
    if (st != R1_OK) {
        json_decref(*out);
        *out = NULL;
    }
    return st;
}

static r1_status parser_fail(const yaml_parser_t *p, r1_error *err)
{
    if (p->error == YAML_MEMORY_ERROR) return r1i_fail(err, R1_ERR_NOMEM, "YAML");
    yaml_mark_t m = p->problem_mark;
    if (p->error == YAML_READER_ERROR) m.index = p->problem_offset; /* no mark: the bytes themselves are wrong */
    return fail_mark(err, &m, "%s%s%s", p->problem ? p->problem : "not YAML", p->context ? " " : "",
                     p->context ? p->context : "");
}

/* Nothing may follow the one document. */
static r1_status expect_end(yaml_parser_t *p, r1_error *err)
{
    yaml_document_t next;
    if (!yaml_parser_load(p, &next)) return parser_fail(p, err);
    const yaml_node_t *const node = yaml_document_get_root_node(&next);
    const r1_status st = node ? fail_mark(err, &node->start_mark, "a second document; one was expected") : R1_OK;
    yaml_document_delete(&next);
    return st;
}

r1_status r1i_yaml_parse(const void *bytes, size_t size, r1i_yaml **out, r1_error *err)
{
    yaml_parser_t p;
    yaml_document_t doc;
    r1_status st = R1_OK;
    *out = NULL;
    if (size > MAX_BYTES) return r1i_fail(err, R1_ERR_RANGE, "%zu bytes of YAML, at most %d expected", size, MAX_BYTES);
    if (!yaml_parser_initialize(&p)) return r1i_fail(err, R1_ERR_NOMEM, "YAML");
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, bytes, size);
    if (!yaml_parser_load(&p, &doc)) {
        st = parser_fail(&p, err);
        yaml_parser_delete(&p);
        return st;
    }
    reader r = {.out = calloc(1, sizeof **out), .doc = &doc, .err = err};
    if (!r.out) st = r1i_fail(err, R1_ERR_NOMEM, "YAML");
    else if (yaml_document_get_root_node(&doc)) st = convert(&r, 1, 0, &r.out->root);
    else r.out->root = json_null();
    if (st == R1_OK && yaml_document_get_root_node(&doc)) st = expect_end(&p, err);
    yaml_document_delete(&doc);
    yaml_parser_delete(&p);
    if (st == R1_OK) *out = r.out;
    else r1i_yaml_free(r.out);
    return st;
}
#else
r1_status r1i_yaml_parse(const void *bytes, size_t size, r1i_yaml **out, r1_error *err)
{
    (void)bytes;
    (void)size;
    *out = NULL;
    return r1i_fail(err, R1_ERR_MISSING, "this program was built without libyaml, which reads task and recipe files");
}
#endif
