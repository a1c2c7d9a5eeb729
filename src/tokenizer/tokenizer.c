/* Opening a tokenizer from whatever a folder holds, and what callers may ask about it. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/file.h"
#include "tokenizer/tok.h"

#define MAX_JSON (512u << 20)  /* bytes of a tokenizer.json; the largest known has 34 MiB */
#define MAX_RANKS (128u << 20)

r1_status r1i_added_list_add(r1i_added_list *l, const char *text, size_t n, int64_t id, bool special, r1_error *err)
{
    if (id < 0 || id >= R1I_VOCAB_MAX_IDS)
        return r1i_fail(err, R1_ERR_RANGE, "added token id %lld, 0 to %d expected", (long long)id,
                        R1I_VOCAB_MAX_IDS - 1);
    if (n == 0 || n > R1I_ADDED_MAX_BYTES)
        return r1i_fail(err, R1_ERR_RANGE, "added token %lld: %zu bytes, 1 to %u expected", (long long)id, n,
                        R1I_ADDED_MAX_BYTES);
    if (l->n == l->cap) {
        const size_t cap = l->cap ? l->cap * 2 : 64;
        r1i_added_token *const p = realloc(l->token, cap * sizeof *p);
        if (!p) return r1i_fail(err, R1_ERR_NOMEM, "%zu added tokens", cap);
        l->token = p;
        l->cap = cap;
    }
    uint8_t *const copy = malloc(n);
    if (!copy) return r1i_fail(err, R1_ERR_NOMEM, "added token of %zu bytes", n);
    memcpy(copy, text, n);
    l->token[l->n++] = (r1i_added_token){.text = copy, .size = (uint32_t)n, .id = (int32_t)id, .special = special};
    return R1_OK;
}

const r1i_added_token *r1i_added_list_find(const r1i_added_list *l, const char *text, size_t n)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->token[i].size == n && memcmp(l->token[i].text, text, n) == 0) return &l->token[i];
    return NULL;
}

static void added_list_free(r1i_added_list *l)
{
    for (size_t i = 0; i < l->n; i++) free((void *)(uintptr_t)l->token[i].text);
    free(l->token);
    *l = (r1i_added_list){0};
}

static char *copy_text(const char *text, size_t n)
{
    char *const p = malloc(n + 1);
    if (!p) return NULL;
    if (n) memcpy(p, text, n);
    p[n] = 0;
    return p;
}

r1_status r1i_tok_add_template(r1_tokenizer *t, const char *name, const char *text, size_t n, r1_error *err)
{
    r1i_template *at = NULL;
    for (size_t i = 0; i < t->templates; i++)
        if (strcmp(t->template[i].name, name) == 0) at = &t->template[i];
    char *const copy = copy_text(text, n);
    if (copy && at) { /* a later source replaces an earlier one */
        free(at->text);
        at->text = copy;
        return R1_OK;
    }
    char *const name_copy = copy_text(name, strlen(name));
    r1i_template *const p = copy && name_copy ? realloc(t->template, (t->templates + 1) * sizeof *p) : NULL;
    if (!p) {
        free(copy);
        free(name_copy);
        return r1i_fail(err, R1_ERR_NOMEM, "chat template of %zu bytes", n);
    }
    t->template = p;
    p[t->templates++] = (r1i_template){name_copy, copy};
    return R1_OK;
}

void r1i_tok_add_stop(r1_tokenizer *t, int32_t id)
{
    if (id < 0 || t->stops == R1I_TOK_STOPS) return;
    for (int i = 0; i < t->stops; i++)
        if (t->stop[i] == id) return;
    t->stop[t->stops++] = id;
}

/* Texts that added tokens are looked for in are normalised, so those tokens are too. */
static r1_status normalize_added(r1i_tok_loader *l, r1_error *err)
{
    const r1_tokenizer *const t = l->t;
    r1i_match m = {0};
    r1_status st = R1_OK;
    for (size_t i = 0; i < l->added.n && st == R1_OK; i++) {
        r1i_added_token *const a = &l->added.token[i];
        uint8_t *out;
        size_t n;
        if (!a->normalized) continue;
        if (r1i_utf8_valid_prefix(a->text, a->size) != a->size) continue; /* GGUF may hold such; it never matches */
        st = r1i_normalize(&t->normal, &t->classes, &m, a->text, a->size, &out, &n, err);
        if (st != R1_OK || out == a->text) continue;
        if (n == 0 || n > R1I_ADDED_MAX_BYTES) {
            free(out);
            st = r1i_fail(err, R1_ERR_RANGE, "added token %d is %zu bytes after normalising", a->id, n);
            continue;
        }
        free((void *)(uintptr_t)a->text);
        a->text = out;
        a->size = (uint32_t)n;
    }
    r1i_match_free(&m);
    return st;
}

static r1_status define_added(r1i_tok_loader *l, r1_error *err)
{
    for (size_t i = 0; i < l->added.n; i++) {
        const r1i_added_token *const a = &l->added.token[i];
        const unsigned flags = R1I_TOKEN_ADDED | (a->special ? R1I_TOKEN_SPECIAL : 0u);
        const r1_status st = r1i_vocab_define(&l->t->vocab, a->id, a->text, a->size, flags, err);
        if (st != R1_OK) return st;
    }
    return R1_OK;
}

/* Plain text must never become a control token: a merge that would make one is struck out. */
static void strike_special_merges(r1i_vocab *v)
{
    for (size_t i = 0; i < v->pairs; i++) {
        if (v->pair[i] == UINT64_MAX) continue;
        const uint32_t rank = (uint32_t)(v->pair[i] & R1I_NO_RANK);
        if (rank == R1I_NO_RANK || v->merged[rank] < 0) continue;
        if (v->flag[v->merged[rank]] & R1I_TOKEN_SPECIAL) v->pair[i] |= R1I_NO_RANK;
    }
}

static r1_status check_bytes(const r1i_vocab *v, r1_error *err)
{
    for (int b = 0; b < 0xF5; b++) { /* C0, C1 and F5 to FF are in no UTF-8 text */
        if (b == 0xC0 || b == 0xC1 || v->byte_id[b] >= 0 || v->unknown >= 0) continue;
        return r1i_fail(err, R1_ERR_FORMAT, "the vocabulary has no token for byte 0x%02X", (unsigned)b);
    }
    return R1_OK;
}

/* EOS-like tokens that stop a chat even where a model's own lists forget them. */
static void add_known_stops(r1i_tok_loader *l)
{
    static const char *const names[] = {
        ("<\xEF\xBD\x9C" "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"), "<\xEF\xBD\x9CUser\xEF\xBD\x9C>",
        "<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|endoftext|>"};
    static const char begin[] = "<\xEF\xBD\x9C" "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>";
    r1_tokenizer *const t = l->t;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const r1i_added_token *const a = r1i_added_list_find(&l->added, names[i], strlen(names[i]));
        if (!a) continue;
        if (t->eos < 0 && i != 1) t->eos = a->id;
        r1i_tok_add_stop(t, a->id);
    }
    const r1i_added_token *const b = r1i_added_list_find(&l->added, begin, sizeof begin - 1);
    if (t->bos < 0 && b) t->bos = b->id;
}

r1_status r1i_tok_finish(r1i_tok_loader *l, r1_error *err)
{
    r1_tokenizer *const t = l->t;
    r1i_tok_add_stop(t, t->eos);
    add_known_stops(l);
    for (size_t i = 0; i < l->added.n; i++)
        if (l->added.token[i].id == t->bos || l->added.token[i].id == t->eos) l->added.token[i].special = true;
    r1_status st = define_added(l, err);
    if (st != R1_OK) return st;
    if ((t->bos >= 0 && (size_t)t->bos >= t->vocab.size) || (t->eos >= 0 && (size_t)t->eos >= t->vocab.size))
        return r1i_fail(err, R1_ERR_RANGE, "BOS %d or EOS %d is outside the vocabulary of %zu", t->bos, t->eos,
                        t->vocab.size);
    if (t->vocab.unknown >= 0 && (size_t)t->vocab.unknown >= t->vocab.size)
        return r1i_fail(err, R1_ERR_RANGE, "unknown token %d is outside the vocabulary of %zu", t->vocab.unknown,
                        t->vocab.size);
    if (t->vocab.pair) strike_special_merges(&t->vocab);
    r1i_splitter_fuse(&t->splitter);
    if ((st = check_bytes(&t->vocab, err)) != R1_OK) return st;
    if ((st = r1i_vocab_finish(&t->vocab, err)) != R1_OK) return st;
    st = r1i_classes_make(&t->classes, r1i_normal_has(&t->normal, R1I_NORMAL_NFC), err);
    if (st == R1_OK) st = normalize_added(l, err);
    if (st == R1_OK) st = r1i_added_make(&t->raw, l->added.token, l->added.n, false, err);
    return st == R1_OK ? r1i_added_make(&t->normalized, l->added.token, l->added.n, true, err) : st;
}

static r1_status loader_begin(r1i_tok_loader *l, const r1_env *env, r1_error *err)
{
    *l = (r1i_tok_loader){.env = env, .t = calloc(1, sizeof *l->t)};
    if (!l->t) return r1i_fail(err, R1_ERR_NOMEM, "tokenizer handle");
    r1i_vocab_init(&l->t->vocab);
    l->t->bos = l->t->eos = -1;
    return R1_OK;
}

static r1_status loader_end(r1i_tok_loader *l, r1_status st, r1_tokenizer **out, r1_error *err)
{
    if (st == R1_OK) st = r1i_tok_finish(l, err);
    added_list_free(&l->added);
    if (st == R1_OK) *out = l->t;
    else r1_tokenizer_close(l->t);
    return st;
}

r1_status r1i_tok_open_bytes(char kind, const uint8_t *data, size_t n, const r1_env *env, r1_tokenizer **out,
                             r1_error *err)
{
    r1i_tok_loader l;
    *out = NULL;
    r1_status st = loader_begin(&l, env, err);
    if (st != R1_OK) return st;
    if (kind == 'j') st = r1i_tok_read_json(&l, data, n, err);
    else if (kind == 'm') st = r1i_tok_read_ranks(&l, data, n, true, err);
    else st = r1i_tok_read_gguf(&l, data, n, err);
    return loader_end(&l, st, out, err);
}

static char *parent_of(const char *path)
{
    const char *const slash = strrchr(path, '/');
    if (!slash) return copy_text(".", 1);
    return copy_text(path, slash == path ? 1 : (size_t)(slash - path));
}

static bool has_decoder(const char *dir)
{
    /* without the control tokens' names from a config, Llama 3's own are used */
    char *const path = r1i_path_join(dir, "tokenizer_config.json");
    uint8_t *text = NULL;
    size_t n = 0;
    const bool found = path && r1i_file_exists(path) && r1i_file_read(path, MAX_RANKS, &text, &n, NULL) == R1_OK &&
                       memmem(text, n, "\"added_tokens_decoder\"", 22);
    r1_free(text);
    free(path);
    return found;
}

static r1_status open_gguf(r1i_tok_loader *l, const char *path, r1_error *err)
{
    r1i_map map;
    r1_status st = r1i_map_open(path, &map, err);
    if (st != R1_OK) return st;
    st = r1i_tok_read_gguf(l, map.data, map.size, err);
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
    r1i_map_close(&map);
    return st;
}

/* tokenizer.json or tokenizer.model with the files beside it. */
static r1_status open_text(r1i_tok_loader *l, const char *path, r1_error *err)
{
    uint8_t *text;
    size_t n;
    char *const dir = parent_of(path);
    if (!dir) return r1i_fail(err, R1_ERR_NOMEM, "%s", path);
    r1_status st = r1i_file_read(path, MAX_JSON, &text, &n, err);
    if (st == R1_OK) {
        size_t i = 0;
        while (i < n && (text[i] == ' ' || text[i] == '\n' || text[i] == '\r' || text[i] == '\t')) i++;
        const bool json = i < n && text[i] == '{';
        st = json ? r1i_tok_read_json(l, text, n, err) : r1i_tok_read_ranks(l, text, n, !has_decoder(dir), err);
        if (st != R1_OK) r1i_error_prefix(err, "%s: ", path);
        r1_free(text);
    }
    if (st == R1_OK) st = r1i_tok_read_side(l, dir, err);
    free(dir);
    return st;
}

static bool is_gguf(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && strcmp(path + n - 5, ".gguf") == 0;
}

/* The first .gguf of a folder by name: of a split model that is the part with the metadata. */
static r1_status first_gguf(const char *dir, char **out, r1_error *err)
{
    char *best = NULL;
    *out = NULL;
    DIR *const d = opendir(dir);
    if (!d) return r1i_fail_errno(err, errno, "%s", dir);
    for (const struct dirent *e; (e = readdir(d));) {
        if (!is_gguf(e->d_name) || (best && strcmp(e->d_name, best) >= 0)) continue;
        free(best);
        best = copy_text(e->d_name, strlen(e->d_name));
    }
    closedir(d);
    if (!best)
        return r1i_fail(err, R1_ERR_IO, "%s: no tokenizer.json, tokenizer.model or .gguf file in this folder", dir);
    *out = r1i_path_join(dir, best);
    free(best);
    return *out ? R1_OK : r1i_fail(err, R1_ERR_NOMEM, "%s", dir);
}

static r1_status open_folder(r1i_tok_loader *l, const char *dir, r1_error *err)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer.model"};
    char *path;
    for (int i = 0; i < 2; i++) {
        path = r1i_path_join(dir, names[i]);
        if (!path) return r1i_fail(err, R1_ERR_NOMEM, "%s", dir);
        if (r1i_file_exists(path)) {
            const r1_status st = open_text(l, path, err);
            free(path);
            return st;
        }
        free(path);
    }
    r1_status st = first_gguf(dir, &path, err);
    if (st != R1_OK) return st;
    st = open_gguf(l, path, err);
    free(path);
    return st;
}

r1_status r1_tokenizer_open(const char *path, const r1_env *env, r1_tokenizer **out, r1_error *err)
{
    r1i_tok_loader l;
    *out = NULL;
    r1_status st = loader_begin(&l, env, err);
    if (st != R1_OK) return st;
    if (r1i_is_directory(path)) st = open_folder(&l, path, err);
    else if (is_gguf(path)) st = open_gguf(&l, path, err);
    else st = open_text(&l, path, err);
    const bool loaded = st == R1_OK;
    st = loader_end(&l, st, out, err);
    if (loaded && st != R1_OK) r1i_error_prefix(err, "%s: ", path);
    return st;
}

void r1_tokenizer_close(r1_tokenizer *t)
{
    if (!t) return;
    r1i_vocab_free(&t->vocab);
    r1i_added_free(&t->raw);
    r1i_added_free(&t->normalized);
    r1i_normal_free(&t->normal);
    r1i_splitter_free(&t->splitter);
    r1i_classes_free(&t->classes);
    for (size_t i = 0; i < t->templates; i++) {
        free(t->template[i].name);
        free(t->template[i].text);
    }
    free(t->template);
    free(t);
}

int32_t r1_tokenizer_size(const r1_tokenizer *t) { return (int32_t)t->vocab.size; }
int32_t r1_tokenizer_bos(const r1_tokenizer *t) { return t->bos; }
int32_t r1_tokenizer_eos(const r1_tokenizer *t) { return t->eos; }
bool r1_tokenizer_adds_bos(const r1_tokenizer *t) { return t->adds_bos && t->bos >= 0; }

int r1_tokenizer_stop_ids(const r1_tokenizer *t, const int32_t **ids)
{
    *ids = t->stop;
    return t->stops;
}

int32_t r1_tokenizer_added_id(const r1_tokenizer *t, const char *text, size_t bytes)
{
    const int32_t id = r1i_added_lookup(&t->raw, (const uint8_t *)text, bytes);
    return id >= 0 ? id : r1i_added_lookup(&t->normalized, (const uint8_t *)text, bytes);
}

const char *r1_tokenizer_chat_template(const r1_tokenizer *t, const char *name)
{
    for (size_t i = 0; i < t->templates; i++)
        if (strcmp(t->template[i].name, name ? name : "default") == 0) return t->template[i].text;
    return !name && t->templates == 1 ? t->template[0].text : NULL;
}

bool r1_tokenizer_token_bytes(const r1_tokenizer *t, int32_t id, const char **bytes, size_t *size)
{
    const r1i_vocab *const v = &t->vocab;
    *bytes = NULL;
    *size = 0;
    if (id < 0 || (size_t)id >= v->size || !(v->flag[id] & R1I_TOKEN_DEFINED)) return false;
    *bytes = (const char *)v->text + v->token[id].at;
    *size = v->token[id].size;
    return true;
}

bool r1_tokenizer_is_special(const r1_tokenizer *t, int32_t id)
{
    return id >= 0 && (size_t)id < t->vocab.size && (t->vocab.flag[id] & R1I_TOKEN_SPECIAL);
}
