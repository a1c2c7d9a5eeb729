/* A trained vocabulary as tokenizer.json, the file that this project and Hugging Face's `tokenizers` read. */
#include <stdlib.h>
#include <string.h>

#include "tokenizer/tok_train.h"

typedef struct spelling {
    char *text;       /* all ids' texts in the byte alphabet, NUL-terminated each */
    size_t *at;       /* [size] */
    size_t n, cap;
} spelling;

static bool put(spelling *s, const char *p, size_t n)
{
    if (n > s->cap - s->n) {
        char *const q = realloc(s->text, 2 * (s->cap + n));
        if (!q) return false;
        s->text = q;
        s->cap = 2 * (s->cap + n);
    }
    memcpy(s->text + s->n, p, n);
    s->n += n;
    return true;
}

static bool put_byte(spelling *s, unsigned k)
{
    const uint8_t b = r1i_alphabet_byte(k);
    uint8_t utf8[4];
    const unsigned n = r1i_utf8_put(utf8, k < 188 ? b : 0x100 + k - 188);
    return put(s, (const char *)utf8, n) && put(s, "", 1);
}

/* Specials as they are, bytes, then each merge: its text is that of its two sides. */
static bool spell_all(const r1i_tok_trainer *t, spelling *s)
{
    size_t id = 0;
    if (!(s->at = calloc(t->size + 1, sizeof *s->at))) return false;
    for (; id < t->specials; id++) {
        s->at[id] = s->n;
        if (!put(s, t->special[id], strlen(t->special[id]) + 1)) return false;
    }
    for (unsigned k = 0; k < 256; k++, id++) {
        s->at[id] = s->n;
        if (!put_byte(s, k)) return false;
    }
    for (size_t k = 0; k < t->merges; k++) {
        const r1i_train_merge *const m = &t->merge[k];
        s->at[id++] = s->n;
        const size_t a = strlen(s->text + s->at[m->left]), b = strlen(s->text + s->at[m->right]);
        char *const copy = malloc(a + b + 1);
        if (copy) memcpy(copy, s->text + s->at[m->left], a), memcpy(copy + a, s->text + s->at[m->right], b + 1);
        const bool good = copy && put(s, copy, a + b + 1);
        free(copy);
        if (!good) return false;
    }
    return true;
}

static const char *text_of(const spelling *s, size_t id) { return s->text + s->at[id]; }

static json_t *added_tokens(const r1i_tok_trainer *t, size_t controls)
{
    json_t *const list = json_array();
    for (size_t i = 0; i < t->specials; i++)
        json_array_append_new(list,
                              json_pack("{s:i, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (int)i, "content", t->special[i],
                                        "single_word", 0, "lstrip", 0, "rstrip", 0,
                                              "normalized", 0, "special", i < controls));
    return list;
}

static json_t *pre_tokenizer(const r1i_tok_trainer *t)
{
    static const char *const runs[] = {"\\p{N}", "\\p{N}{1,2}", "\\p{N}{1,3}"};
    json_t *const steps = json_array();
    for (int k = 0; k < 3; k++)
        json_array_append_new(steps,
                              json_pack("{s:s, s:{s:s}, s:s, s:b}", "type", "Split", "pattern", "Regex",
                                        k == 0 ? runs[t->digits - 1] : r1i_pattern_deepseek3[k],
                                               "behavior", "Isolated", "invert", 0));
    json_array_append_new(steps,
                          json_pack("{s:s, s:b, s:b, s:b}", "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets",
                                    1, "use_regex", 0));
    return json_pack("{s:s, s:o}", "type", "Sequence", "pretokenizers", steps);
}

static r1_status vocabulary(const r1i_tok_trainer *t, const spelling *s, json_t **out, r1_error *err)
{
    json_t *const v = *out = json_object();
    for (size_t id = 0; id < t->size; id++) {
        const char *const text = text_of(s, id);
        const json_t *const other = json_object_get(v, text);
        if (other)
            return r1i_fail(err, R1_ERR_USAGE, "special token '%.64s' is spelled as the vocabulary spells token %zu",
                            text, id);
        if (json_object_set_new(v, text, json_integer((json_int_t)id)) != 0)
            return r1i_fail(err, R1_ERR_USAGE, "special token %zu is not UTF-8", id);
    }
    return R1_OK;
}

static json_t *merges(const r1i_tok_trainer *t, const spelling *s)
{
    json_t *const list = json_array();
    for (size_t k = 0; k < t->merges; k++)
        json_array_append_new(list, json_sprintf("%s %s", text_of(s, t->merge[k].left), text_of(s, t->merge[k].right)));
    return list;
}

r1_status r1i_tok_trainer_json(const r1i_tok_trainer *t, size_t controls, json_t **out, r1_error *err)
{
    spelling s = {0};
    json_t *vocab = NULL, *list = NULL;
    *out = NULL;
    r1_status st = spell_all(t, &s) ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "texts of %zu ids", t->size);
    if (st == R1_OK) st = vocabulary(t, &s, &vocab, err);
    if (st == R1_OK && json_array_size(list = merges(t, &s)) != t->merges)
        st = r1i_fail(err, R1_ERR_NOMEM, "list of merges");
    free(s.text), free(s.at);
    if (st != R1_OK) {
        json_decref(vocab), json_decref(list);
        return st;
    }
    json_t *const model =
        json_pack("{s:s, s:n, s:n, s:n, s:n, s:b, s:b, s:b, s:o, s:o}", "type", "BPE", "dropout", "unk_token",
                  "continuing_subword_prefix", "end_of_word_suffix",
                                    "fuse_unk", 0, "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges",
                                    list);
    *out = json_pack("{s:s, s:n, s:n, s:o, s:n, s:o, s:n, s:{s:s, s:b, s:b, s:b}, s:o}", "version", "1.0", "truncation",
                     "padding", "added_tokens", added_tokens(t, controls),
                     "normalizer", "pre_tokenizer", pre_tokenizer(t), "post_processor", "decoder", "type", "ByteLevel",
                     "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1, "model", model);
    return *out ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "tokenizer.json");
}
