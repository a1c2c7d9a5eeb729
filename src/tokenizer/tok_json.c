/* tokenizer.json of the `tokenizers` library: byte-level BPE in every spelling that models of the family ship, the rest
 * refused by name. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "tokenizer/tok.h"

typedef struct reader {
    r1i_tok_loader *l;
    uint8_t *scratch; /* bytes of the token at hand */
    size_t cap;
    bool byte_level;  /* the pre-tokeniser has reached its ByteLevel step */
    r1_error *err;
} reader;

static r1_status need(reader *r, size_t n)
{
    if (n <= r->cap) return R1_OK;
    uint8_t *const p = realloc(r->scratch, n * 2);
    if (!p) return r1i_fail(r->err, R1_ERR_NOMEM, "token of %zu bytes", n);
    r->scratch = p;
    r->cap = n * 2;
    return R1_OK;
}

static const char *type_of(const json_t *j)
{
    const char *const s = json_string_value(json_object_get(j, "type"));
    return s ? s : "";
}

static bool flag_of(const json_t *j, const char *key, bool otherwise)
{
    const json_t *const v = json_object_get(j, key);
    return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

static r1_status read_vocab(reader *r, json_t *vocab)
{
    r1i_vocab *const v = &r->l->t->vocab;
    const char *key;
    size_t n;
    json_t *id;
    if (!json_is_object(vocab)) return r1i_fail(r->err, R1_ERR_FORMAT, "model.vocab: an object is expected");
    const r1_status reserved = r1i_vocab_reserve(v, json_object_size(vocab), json_object_size(vocab) * 8, r->err);
    if (reserved != R1_OK) return reserved;
    json_object_keylen_foreach(vocab, key, n, id) {
        size_t bytes = 0;
        r1_status st = need(r, n + 1);
        if (st != R1_OK) return st;
        if (!json_is_integer(id))
            return r1i_fail(r->err, R1_ERR_FORMAT, "model.vocab: \"%.64s\" has no integer id", key);
        if (r1i_byte_alphabet_decode(key, n, r->scratch, &bytes))
            st = r1i_vocab_define(v, json_integer_value(id), r->scratch, bytes, R1I_TOKEN_BPE, r->err);
        else /* a control token listed with its own text */
            st = r1i_vocab_define(v, json_integer_value(id), (const uint8_t *)key, n, 0, r->err);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

static r1_status merge(reader *r, const char *a, size_t an, const char *b, size_t bn, uint32_t rank)
{
    r1i_vocab *const v = &r->l->t->vocab;
    size_t left = 0, right = 0;
    const r1_status st = need(r, an + bn + 1);
    if (st != R1_OK) return st;
    if (!r1i_byte_alphabet_decode(a, an, r->scratch, &left) ||
        !r1i_byte_alphabet_decode(b, bn, r->scratch + left, &right))
        return r1i_vocab_add_merge(v, -1, -1, -1, rank, r->err);
    const int32_t x = r1i_vocab_find(v, r->scratch, left), y = r1i_vocab_find(v, r->scratch + left, right);
    const int32_t z = r1i_vocab_find(v, r->scratch, left + right);
    if (x < 0 || y < 0 || z < 0)
        return r1i_fail(r->err, R1_ERR_FORMAT, "model.merges[%u]: \"%.*s\" + \"%.*s\": %s is not in the vocabulary",
                        rank, (int)(an < 64 ? an : 64), a, (int)(bn < 64 ? bn : 64), b,
                        x < 0 ? "the left side" : y < 0 ? "the right side" : "the result");
    return r1i_vocab_add_merge(v, x, y, z, rank, r->err);
}

static r1_status read_merges(reader *r, json_t *merges)
{
    if (!json_is_array(merges)) return r1i_fail(r->err, R1_ERR_FORMAT, "model.merges: an array is expected");
    const size_t n = json_array_size(merges);
    r1_status st = r1i_vocab_begin_merges(&r->l->t->vocab, n, r->err);
    for (size_t i = 0; i < n && st == R1_OK; i++) {
        const json_t *const m = json_array_get(merges, i);
        if (json_is_string(m)) {
            const char *const s = json_string_value(m);
            const size_t len = json_string_length(m);
            const char *const space = memchr(s, ' ', len);
            if (!space) return r1i_fail(r->err, R1_ERR_FORMAT, "model.merges[%zu]: \"%.64s\" holds no space", i, s);
            const size_t left = (size_t)(space - s);
            st = merge(r, s, left, space + 1, len - left - 1, (uint32_t)i);
        } else {
            const json_t *const a = json_array_get(m, 0), *const b = json_array_get(m, 1);
            if (json_array_size(m) != 2 || !json_is_string(a) || !json_is_string(b))
                return r1i_fail(r->err, R1_ERR_FORMAT, "model.merges[%zu]: \"a b\" or [\"a\", \"b\"] is expected", i);
            st = merge(r, json_string_value(a), json_string_length(a), json_string_value(b), json_string_length(b),
                       (uint32_t)i);
        }
    }
    return st;
}

static r1_status read_model(reader *r, const json_t *model)
{
    if (!json_is_object(model)) return r1i_fail(r->err, R1_ERR_FORMAT, "model: an object is expected");
    const char *const type = type_of(model);
    if (*type && strcmp(type, "BPE") != 0)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "model.type \"%.64s\": only BPE is supported", type);
    if (flag_of(model, "byte_fallback", false))
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "model.byte_fallback: only byte-level BPE is supported");
    if (json_number_value(json_object_get(model, "dropout")) != 0.0)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "model.dropout: only null is supported");
    static const char *const affix[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (int i = 0; i < 2; i++)
        if (json_string_length(json_object_get(model, affix[i])) > 0)
            return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "model.%s: only an empty one is supported", affix[i]);
    r->l->t->ignore_merges = flag_of(model, "ignore_merges", false);
    r1_status st = read_vocab(r, json_object_get(model, "vocab"));
    if (st == R1_OK) st = read_merges(r, json_object_get(model, "merges"));
    const json_t *const unk = json_object_get(model, "unk_token");
    if (st == R1_OK && json_is_string(unk)) {
        const json_t *const id = json_object_get(json_object_get(model, "vocab"), json_string_value(unk));
        if (json_is_integer(id)) r->l->t->vocab.unknown = (int32_t)json_integer_value(id);
    }
    return st;
}

static r1_status read_added(reader *r, json_t *added)
{
    size_t i;
    json_t *a;
    if (added && !json_is_null(added) && !json_is_array(added))
        return r1i_fail(r->err, R1_ERR_FORMAT, "added_tokens: an array is expected");
    json_array_foreach(added, i, a) {
        const json_t *const text = json_object_get(a, "content"), *const id = json_object_get(a, "id");
        if (!json_is_string(text) || !json_is_integer(id))
            return r1i_fail(r->err, R1_ERR_FORMAT, "added_tokens[%zu]: content and id are expected", i);
        const r1_status st = r1i_added_list_add(&r->l->added, json_string_value(text), json_string_length(text),
                                                json_integer_value(id), flag_of(a, "special", false), r->err);
        if (st != R1_OK) return st;
        r1i_added_token *const t = &r->l->added.token[r->l->added.n - 1];
        t->normalized = flag_of(a, "normalized", false);
        t->lstrip = flag_of(a, "lstrip", false);
        t->rstrip = flag_of(a, "rstrip", false);
        t->single_word = flag_of(a, "single_word", false);
    }
    return R1_OK;
}

/* {"Regex": text} or {"String": text}; a plain string is escaped into a pattern. malloc'd. */
static r1_status pattern_text(reader *r, const json_t *pattern, const char *where, char **out, size_t *n)
{
    const json_t *const regex = json_object_get(pattern, "Regex");
    const json_t *const plain = json_is_string(pattern) ? pattern : json_object_get(pattern, "String");
    const json_t *const s = json_is_string(regex) ? regex : plain;
    *out = NULL;
    *n = 0;
    if (!json_is_string(s)) return r1i_fail(r->err, R1_ERR_FORMAT, "%s: a Regex or String pattern is expected", where);
    const char *const text = json_string_value(s);
    const size_t len = json_string_length(s);
    char *const p = malloc(2 * len + 1);
    if (!p) return r1i_fail(r->err, R1_ERR_NOMEM, "%s: pattern of %zu bytes", where, len);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];
        const bool word = c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
        if (s == plain && !word) p[(*n)++] = '\\';
        p[(*n)++] = (char)c;
    }
    *out = p;
    return R1_OK;
}

static r1_status read_behavior(reader *r, const json_t *j, r1i_behavior *out)
{
    static const struct { const char *name; r1i_behavior b; } names[] = {
        {"Isolated", R1I_SPLIT_ISOLATED}, {"Removed", R1I_SPLIT_REMOVED}, {"Contiguous", R1I_SPLIT_CONTIGUOUS},
        {"MergedWithPrevious", R1I_SPLIT_MERGED_BEFORE}, {"MergedWithNext", R1I_SPLIT_MERGED_AFTER},
    };
    const char *const s = json_string_value(json_object_get(j, "behavior"));
    for (size_t i = 0; s && i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i].name, s) == 0) {
            *out = names[i].b;
            return R1_OK;
        }
    return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "pre_tokenizer: behavior \"%.64s\"", s ? s : "");
}

static r1_status read_split(reader *r, const json_t *j)
{
    char *text;
    size_t n;
    r1i_behavior b = R1I_SPLIT_ISOLATED;
    r1_status st = read_behavior(r, j, &b);
    if (st == R1_OK) st = pattern_text(r, json_object_get(j, "pattern"), "pre_tokenizer Split", &text, &n);
    if (st != R1_OK) return st;
    st = r1i_splitter_add_pattern(&r->l->t->splitter, text, n, b, flag_of(j, "invert", false), false, r->err);
    free(text);
    return st;
}

static r1_status add_pattern(reader *r, const char *text, r1i_behavior b)
{
    return r1i_splitter_add_pattern(&r->l->t->splitter, text, strlen(text), b, false, false, r->err);
}

static r1_status read_byte_level(reader *r, const json_t *j)
{
    r->byte_level = true;
    if (flag_of(j, "add_prefix_space", true)) {
        const r1_status st = r1i_splitter_add_prefix_space(&r->l->t->splitter, r->err);
        if (st != R1_OK) return st;
    }
    return flag_of(j, "use_regex", true) ? add_pattern(r, r1i_pattern_gpt2, R1I_SPLIT_ISOLATED) : R1_OK;
}

static r1_status read_pre(reader *r, const json_t *j, int depth)
{
    const char *const type = type_of(j);
    size_t i;
    const json_t *child;
    if (r->byte_level) return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "pre_tokenizer: \"%.64s\" after ByteLevel", type);
    if (strcmp(type, "Sequence") == 0) {
        if (depth > 8) return r1i_fail(r->err, R1_ERR_FORMAT, "pre_tokenizer: sequences nest too deep");
        json_array_foreach(json_object_get(j, "pretokenizers"), i, child) {
            const r1_status st = read_pre(r, child, depth + 1);
            if (st != R1_OK) return st;
        }
        return R1_OK;
    }
    if (strcmp(type, "Split") == 0) return read_split(r, j);
    if (strcmp(type, "ByteLevel") == 0) return read_byte_level(r, j);
    if (strcmp(type, "Digits") == 0)
        return add_pattern(r, r1i_pattern_digit,
                           flag_of(j, "individual_digits", false) ? R1I_SPLIT_ISOLATED : R1I_SPLIT_CONTIGUOUS);
    if (strcmp(type, "Punctuation") == 0) {
        r1i_behavior b = R1I_SPLIT_ISOLATED;
        const r1_status st = json_object_get(j, "behavior") ? read_behavior(r, j, &b) : R1_OK;
        return st == R1_OK ? add_pattern(r, "[\\p{P}!-/:-@\\[-`{-~]", b) : st;
    }
    return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "pre_tokenizer \"%.64s\"", type);
}

static r1_status read_replace(reader *r, const json_t *j)
{
    char *text;
    size_t n;
    r1i_pattern *p = NULL;
    const json_t *const content = json_object_get(j, "content");
    if (!json_is_string(content)) return r1i_fail(r->err, R1_ERR_FORMAT, "normalizer Replace: content is expected");
    r1_status st = pattern_text(r, json_object_get(j, "pattern"), "normalizer Replace", &text, &n);
    if (st != R1_OK) return st;
    st = r1i_pattern_compile(text, n, &p, r->err);
    free(text);
    if (st != R1_OK) return st;
    return r1i_normal_add(&r->l->t->normal, R1I_NORMAL_REPLACE, p, json_string_value(content),
                          json_string_length(content), r->err);
}

static r1_status read_normalizer(reader *r, const json_t *j, int depth)
{
    static const struct { const char *name; r1i_normal_kind kind; } forms[] = {
        {"NFC", R1I_NORMAL_NFC}, {"NFD", R1I_NORMAL_NFD}, {"NFKC", R1I_NORMAL_NFKC}, {"NFKD", R1I_NORMAL_NFKD}};
    const char *const type = type_of(j);
    r1i_normal *const normal = &r->l->t->normal;
    size_t i;
    const json_t *child;
    if (!j || json_is_null(j)) return R1_OK;
    if (strcmp(type, "Sequence") == 0) {
        if (depth > 8) return r1i_fail(r->err, R1_ERR_FORMAT, "normalizer: sequences nest too deep");
        json_array_foreach(json_object_get(j, "normalizers"), i, child) {
            const r1_status st = read_normalizer(r, child, depth + 1);
            if (st != R1_OK) return st;
        }
        return R1_OK;
    }
    for (i = 0; i < sizeof forms / sizeof *forms; i++)
        if (strcmp(type, forms[i].name) == 0) return r1i_normal_add(normal, forms[i].kind, NULL, "", 0, r->err);
    if (strcmp(type, "Replace") == 0) return read_replace(r, j);
    const json_t *const prepend = json_object_get(j, "prepend");
    if (strcmp(type, "Prepend") == 0 && json_is_string(prepend))
        return r1i_normal_add(normal, R1I_NORMAL_PREPEND, NULL, json_string_value(prepend), json_string_length(prepend),
                              r->err);
    return r1i_fail(r->err, R1_ERR_UNSUPPORTED, "normalizer \"%.64s\"", type);
}

/* A template that begins with a special token is how files without add_bos_token ask for BOS. */
static void read_post(reader *r, const json_t *j, int depth)
{
    size_t i;
    const json_t *child;
    if (strcmp(type_of(j), "Sequence") == 0 && depth < 8)
        json_array_foreach(json_object_get(j, "processors"), i, child) read_post(r, child, depth + 1);
    if (strcmp(type_of(j), "TemplateProcessing") != 0) return;
    const json_t *const first = json_object_get(json_array_get(json_object_get(j, "single"), 0), "SpecialToken");
    const json_t *const id = json_object_get(first, "id");
    if (!json_is_string(id)) return;
    const r1i_added_token *const t = r1i_added_list_find(&r->l->added, json_string_value(id), json_string_length(id));
    if (!t) return;
    r->l->t->bos = t->id;
    r->l->t->adds_bos = true;
}

static r1_status read_all(reader *r, const json_t *j)
{
    if (!json_is_object(j)) return r1i_fail(r->err, R1_ERR_FORMAT, "an object is expected");
    const json_t *const model = json_object_get(j, "model");
    if (!model) return r1i_fail(r->err, R1_ERR_FORMAT, "no \"model\": not a tokenizer.json");
    r1_status st = read_model(r, model);
    if (st == R1_OK) st = read_added(r, json_object_get(j, "added_tokens"));
    if (st == R1_OK) st = read_normalizer(r, json_object_get(j, "normalizer"), 0);
    if (st == R1_OK) st = read_pre(r, json_object_get(j, "pre_tokenizer"), 0);
    if (st != R1_OK) return st;
    if (!r->byte_level)
        return r1i_fail(r->err, R1_ERR_UNSUPPORTED,
                        "pre_tokenizer without ByteLevel: only byte-level BPE is supported");
    read_post(r, json_object_get(j, "post_processor"), 0);
    return R1_OK;
}

r1_status r1i_tok_read_json(r1i_tok_loader *l, const uint8_t *text, size_t n, r1_error *err)
{
    json_t *j;
    reader r = {.l = l, .err = err};
    r1_status st = r1i_json_parse(text, n, &j, err);
    if (st != R1_OK) return st;
    st = read_all(&r, j);
    json_decref(j);
    free(r.scratch);
    return st;
}
