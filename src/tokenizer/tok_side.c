/* The files beside tokenizer.json or tokenizer.model: which ids begin and end a text, and the chat template. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "tokenizer/tok.h"

#define MAX_SIDE (32u << 20) /* bytes; added_tokens_decoder of the largest known vocabulary is under 1 MiB */

/* Open dir/name when it is there: *out NULL otherwise. */
static r1_status read_optional(const char *dir, const char *name, json_t **out, r1_error *err)
{
    *out = NULL;
    char *const path = r1i_path_join(dir, name);
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", name);
    r1_status st = R1_OK;
    if (r1i_file_exists(path)) {
        st = r1i_json_read_file(path, MAX_SIDE, out, err);
        if (st == R1_OK && !json_is_object(*out)) {
            json_decref(*out);
            *out = NULL;
            st = r1i_fail(err, R1_ERR_FORMAT, "%s: an object is expected", path);
        }
    }
    free(path);
    return st;
}

/* A token named by its text, or by an object with content; -1 when there is none. */
static int32_t named_id(const r1i_tok_loader *l, const json_t *j)
{
    const json_t *const s = json_is_object(j) ? json_object_get(j, "content") : j;
    if (!json_is_string(s)) return -1;
    const r1i_added_token *const t = r1i_added_list_find(&l->added, json_string_value(s), json_string_length(s));
    if (t) return t->id;
    return r1i_vocab_find(&l->t->vocab, (const uint8_t *)json_string_value(s), json_string_length(s));
}

static bool flag_of(const json_t *j, const char *key, bool otherwise)
{
    const json_t *const v = json_object_get(j, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static bool id_taken(const r1i_tok_loader *l, int64_t id)
{
    const r1i_vocab *const v = &l->t->vocab;
    for (size_t i = 0; i < l->added.n; i++)
        if (l->added.token[i].id == id) return true;
    return id >= 0 && (uint64_t)id < v->size && (v->flag[id] & R1I_TOKEN_DEFINED);
}

static r1_status read_decoder(r1i_tok_loader *l, json_t *decoder, r1_error *err)
{
    const char *key;
    json_t *a;
    json_object_foreach(decoder, key, a) {
        char *end;
        const long long id = strtoll(key, &end, 10);
        const json_t *const text = json_object_get(a, "content");
        if (*end || end == key || !json_is_string(text))
            return r1i_fail(err, R1_ERR_FORMAT, "added_tokens_decoder[\"%.64s\"]: an id and content are expected", key);
        if (id_taken(l, id) || r1i_added_list_find(&l->added, json_string_value(text), json_string_length(text)))
            continue;
        const r1_status st = r1i_added_list_add(&l->added, json_string_value(text), json_string_length(text), id,
                                                flag_of(a, "special", false), err);
        if (st != R1_OK) return st;
        r1i_added_token *const t = &l->added.token[l->added.n - 1];
        t->normalized = flag_of(a, "normalized", false);
        t->lstrip = flag_of(a, "lstrip", false);
        t->rstrip = flag_of(a, "rstrip", false);
        t->single_word = flag_of(a, "single_word", false);
    }
    return R1_OK;
}

static r1_status read_templates(r1_tokenizer *t, const json_t *j, r1_error *err)
{
    size_t i;
    const json_t *item;
    if (json_is_string(j)) return r1i_tok_add_template(t, "default", json_string_value(j), json_string_length(j), err);
    json_array_foreach(j, i, item) {
        const json_t *const name = json_object_get(item, "name"), *const text = json_object_get(item, "template");
        if (!json_is_string(name) || !json_is_string(text))
            return r1i_fail(err, R1_ERR_FORMAT, "chat_template[%zu]: name and template are expected", i);
        const r1_status st = r1i_tok_add_template(t, json_string_value(name), json_string_value(text),
                                                  json_string_length(text), err);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

static r1_status read_config(r1i_tok_loader *l, const json_t *j, r1_error *err)
{
    r1_tokenizer *const t = l->t;
    r1_status st = read_decoder(l, json_object_get(j, "added_tokens_decoder"), err);
    if (st == R1_OK) st = read_templates(t, json_object_get(j, "chat_template"), err);
    if (st != R1_OK) return st;
    const int32_t bos = named_id(l, json_object_get(j, "bos_token")),
                  eos = named_id(l, json_object_get(j, "eos_token"));
    if (bos >= 0) t->bos = bos;
    if (eos >= 0) t->eos = eos;
    t->adds_bos = flag_of(j, "add_bos_token", t->adds_bos);
    return R1_OK;
}

static int32_t integer_id(const json_t *j)
{
    const json_int_t id = json_is_integer(j) ? json_integer_value(j) : -1;
    return id >= 0 && id < R1I_VOCAB_MAX_IDS ? (int32_t)id : -1;
}

static void read_generation(r1_tokenizer *t, const json_t *j)
{
    const json_t *const eos = json_object_get(j, "eos_token_id");
    size_t i;
    const json_t *id;
    if (t->bos < 0) t->bos = integer_id(json_object_get(j, "bos_token_id"));
    if (t->eos < 0) t->eos = integer_id(json_is_array(eos) ? json_array_get(eos, 0) : eos);
    r1i_tok_add_stop(t, t->eos);
    r1i_tok_add_stop(t, integer_id(eos));
    json_array_foreach(eos, i, id) r1i_tok_add_stop(t, integer_id(id));
}

static r1_status read_jinja(r1_tokenizer *t, const char *dir, r1_error *err)
{
    char *const path = r1i_path_join(dir, "chat_template.jinja");
    if (!path) return r1i_fail(err, R1_ERR_NOMEM, "chat_template.jinja");
    r1_status st = R1_OK;
    if (r1i_file_exists(path)) {
        uint8_t *text;
        size_t n;
        st = r1i_file_read(path, MAX_SIDE, &text, &n, err);
        if (st == R1_OK) st = r1i_tok_add_template(t, "default", (const char *)text, n, err);
        r1_free(text);
    }
    free(path);
    return st;
}

r1_status r1i_tok_read_side(r1i_tok_loader *l, const char *dir, r1_error *err)
{
    json_t *j;
    r1_status st = read_optional(dir, "tokenizer_config.json", &j, err);
    if (st != R1_OK) return st;
    if (j && (st = read_config(l, j, err)) != R1_OK) r1i_error_prefix(err, "%s/tokenizer_config.json: ", dir);
    json_decref(j);
    if (st == R1_OK) st = read_jinja(l->t, dir, err); /* a file of its own goes before the config's key */
    if (st != R1_OK || (st = read_optional(dir, "generation_config.json", &j, err)) != R1_OK) return st;
    if (j) read_generation(l->t, j);
    json_decref(j);
    return R1_OK;
}
