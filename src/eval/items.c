#include "eval/items.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "data/jsonl.h"

void r1i_items_free(r1i_items *items)
{
    for (size_t i = 0; i < items->n; i++) {
        free(items->item[i].id);
        free(items->item[i].subject);
        free(items->item[i].question);
        free(items->item[i].gold);
    }
    free(items->item);
    free(items->path);
    *items = (r1i_items){0};
}

static r1_status find_file(const r1i_task *t, const char *data, char **path, r1_error *err)
{
    *path = NULL;
    if (!t->data && r1i_is_directory(data))
        return r1i_fail(err, R1_ERR_USAGE,
                        "task %s has no data file of its own: --data must name a file, %s is a folder", t->name, data);
    if (!t->data || r1i_file_exists(data)) {
        const r1_status st = r1i_jsonl_find(data, path, err);
        if (st != R1_OK) r1i_error_prefix(err, "task %s: --data must name its file: ", t->name);
        return st;
    }
    char *const joined = r1i_path_join(data, t->data);
    if (!joined) return r1i_fail(err, R1_ERR_NOMEM, "%s", data);
    const r1_status st = r1i_jsonl_find(joined, path, err);
    if (st != R1_OK)
        r1i_error_prefix(err, "task %s: %s: ", t->name,
                         r1i_is_directory(data) ? "data is missing" : "the data folder is missing");
    free(joined);
    return st;
}

static bool text_is(const json_t *have, const json_t *want)
{
    return json_is_string(have) && strcmp(json_string_value(have), json_string_value(want)) == 0;
}

static bool wanted(const r1i_task *t, const json_t *row)
{
    const char *key;
    json_t *value;
    for (size_t i = 0; i < json_array_size(t->exclude); i++)
        if (text_is(json_object_get(row, t->id), json_array_get(t->exclude, i))) return false;
    json_object_foreach(t->where, key, value)
    {
        const json_t *const have = json_object_get(row, key);
        bool any = json_is_string(value) && text_is(have, value);
        for (size_t i = 0; i < json_array_size(value); i++) any |= text_is(have, json_array_get(value, i));
        if (!any) return false;
    }
    return true;
}

/* A template that names a field which is not there writes nothing: a wrong prompt, silently. So the task says what it
 * needs. */
static r1_status check_fields(const r1i_task *t, const json_t *row, r1_error *err)
{
    for (size_t i = 0; i < t->n_fields; i++) {
        const json_t *const v = json_object_get(row, t->fields[i]);
        if (!v || json_is_null(v)) return r1i_fail(err, R1_ERR_FORMAT, "the field '%s' is missing", t->fields[i]);
        if (json_is_string(v) && json_string_length(v) == 0)
            return r1i_fail(err, R1_ERR_FORMAT, "the field '%s' is empty", t->fields[i]);
    }
    return R1_OK;
}

static char *field_text(const json_t *row, const char *field)
{
    const json_t *const v = field ? json_object_get(row, field) : NULL;
    if (json_is_string(v)) return strdup(json_string_value(v));
    if (v && !json_is_null(v)) return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    return strdup("");
}

static r1_status render(const r1_template *template, const char *what, const char *row, char **out, size_t *bytes,
                        r1_error *err)
{
    r1_rendered r = {0};
    *out = NULL;
    const r1_status st = r1_template_render(template, row, strlen(row), NULL, &r, err);
    if (st != R1_OK) {
        r1i_error_prefix(err, "%s: ", what);
    } else {
        *out = r.text;
        *bytes = r.bytes;
        r.text = NULL;
    }
    r1_rendered_free(&r);
    return st;
}

static r1_status make_item(const r1i_task *t, const json_t *row, int64_t line, r1i_item *out, r1_error *err)
{
    r1_status st = check_fields(t, row, err);
    if (st != R1_OK) return st;
    char *const text = json_dumps(row, JSON_COMPACT);
    *out = (r1i_item){.id = field_text(row, t->id), .subject = field_text(row, t->subject), .line = line};
    if (!text || !out->id || !out->subject) st = r1i_fail(err, R1_ERR_NOMEM, "row");
    if (st == R1_OK) st = render(t->prompt, "prompt", text, &out->question, &out->question_bytes, err);
    if (st == R1_OK) st = render(t->gold, "gold", text, &out->gold, &out->gold_bytes, err);
    if (st == R1_OK && out->question_bytes == 0) st = r1i_fail(err, R1_ERR_FORMAT, "the prompt is empty");
    free(text);
    return st;
}

static r1i_item *grow(r1i_items *items)
{
    if (items->n == items->cap) {
        const size_t cap = items->cap * 2 + 64;
        r1i_item *const grown = realloc(items->item, cap * sizeof *grown);
        if (!grown) return NULL;
        items->item = grown;
        items->cap = cap;
    }
    items->item[items->n] = (r1i_item){0};
    return &items->item[items->n];
}

/* Every line is read even where limit leaves most out: the hash names the file, and a bad row further down is still
 * bad. */
static r1_status read_rows(const r1i_task *t, r1i_jsonl *in, int64_t limit, r1i_items *out, r1_error *err)
{
    for (;;) {
        json_t *row;
        int64_t line;
        r1_status st = r1i_jsonl_next(in, &row, &line, err);
        if (st != R1_OK || !row) return st;
        if (wanted(t, row) && (limit == 0 || (int64_t)out->n < limit)) {
            r1i_item *const item = grow(out);
            if (!item) st = r1i_fail(err, R1_ERR_NOMEM, "rows");
            else {
                st = make_item(t, row, line, item, err);
                out->n++; /* counted even when half made: freed with the rest */
            }
            if (st != R1_OK) r1i_error_prefix(err, "%s line %lld: ", out->path, (long long)line);
        }
        json_decref(row);
        if (st != R1_OK) return st;
    }
}

r1_status r1i_items_load(const r1i_task *t, const char *data, int64_t limit, r1i_items *out, r1_error *err)
{
    r1i_jsonl *in = NULL;
    *out = (r1i_items){0};
    r1_status st = find_file(t, data, &out->path, err);
    if (st == R1_OK) st = r1i_jsonl_open(out->path, &in, err);
    if (st == R1_OK) st = read_rows(t, in, limit, out, err);
    if (st == R1_OK) r1i_jsonl_hash(in, out->data_hash);
    if (st == R1_OK && out->n == 0)
        st = r1i_fail(err, R1_ERR_FORMAT, "%s: no row belongs to task %s", out->path, t->name);
    r1i_jsonl_close(in);
    if (st != R1_OK) {
        if (err) err->offset = -1, err->line = 0; /* the template's, not the file's */
        r1i_items_free(out);
    }
    return st;
}
