#include "support/tok_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tokenizer/tok.h"

#define BAR "\xEF\xBD\x9C"
#define LOW "\xE2\x96\x81"
#define BOS "<" BAR "begin" LOW "of" LOW "sentence" BAR ">"
#define EOS "<" BAR "end" LOW "of" LOW "sentence" BAR ">"
#define USER "<" BAR "User" BAR ">"
#define ASSISTANT "<" BAR "Assistant" BAR ">"

static char *read_stream(FILE *f, size_t *n)
{
    size_t cap = 1 << 16;
    char *p = malloc(cap + 1);
    *n = 0;
    for (size_t got; p && (got = fread(p + *n, 1, cap - *n, f)) > 0;) {
        *n += got;
        if (*n < cap) continue;
        char *const q = realloc(p, (cap *= 2) + 1);
        if (!q) free(p);
        p = q;
    }
    if (p) p[*n] = 0;
    return p;
}

char *tok_data_read(const char *path, size_t *n)
{
    char command[1024];
    const size_t len = strlen(path);
    const bool gz = len > 3 && strcmp(path + len - 3, ".gz") == 0;
    if (access(path, R_OK) != 0) return NULL;
    snprintf(command, sizeof command, "gzip -dc '%s'", path);
    FILE *const f = gz ? popen(command, "r") : fopen(path, "rb");
    if (!f) return NULL;
    char *const p = read_stream(f, n);
    if (gz) pclose(f);
    else fclose(f);
    return p;
}

json_t *tok_data_json(const char *path)
{
    size_t n;
    json_t *j = NULL;
    char *const p = tok_data_read(path, &n);
    if (p) r1i_json_parse(p, n, &j, NULL);
    free(p);
    return j;
}

json_t *tok_data_lines(const char *path)
{
    size_t n;
    char *const p = tok_data_read(path, &n);
    json_t *const all = p ? json_array() : NULL;
    for (size_t at = 0; p && at < n;) {
        const char *const end = memchr(p + at, '\n', n - at);
        const size_t size = end ? (size_t)(end - p) - at : n - at;
        json_t *j;
        if (r1i_json_parse(p + at, size, &j, NULL) != R1_OK) abort();
        json_array_append_new(all, j);
        at += size + 1;
    }
    free(p);
    return all;
}

typedef struct change {
    int id;
    const char *text;
    bool special;
} change;

static const change r1_tokens[] = {{128798, "<think>", false}, {128799, "</think>", false}};
static const change qwen_tokens[] = {{151643, EOS, true}, {151644, USER, false}, {151645, ASSISTANT, false},
                                     {151646, BOS, true},
                                     {151647, "<|EOT|>", false}, {151648, "<think>", false},
                                     {151649, "</think>", false}};
static const change llama_tokens[] = {{0, BOS, true}, {1, EOS, true}, {11, USER, false}, {12, ASSISTANT, false},
                                      {13, "<think>", false}, {14, "</think>", false},
                                      {15, "<" BAR LOW "pad" LOW BAR ">", true}};

/* Rename added tokens; those with an id of `drop` and above go. */
static void lay_over(json_t *added, const change *list, size_t n, int drop)
{
    for (size_t i = json_array_size(added); i-- > 0;) {
        json_t *const a = json_array_get(added, i);
        const int id = (int)json_integer_value(json_object_get(a, "id"));
        if (id >= drop) json_array_remove(added, i);
        for (size_t k = 0; k < n && id < drop; k++) {
            if (list[k].id != id) continue;
            json_object_set_new(a, "content", json_string(list[k].text));
            json_object_set_new(a, "special", json_boolean(list[k].special));
        }
    }
}

r1_status tok_data_open_json(const json_t *doc, r1_tokenizer **out, r1_error *err)
{
    char *const text = json_dumps(doc, JSON_COMPACT);
    if (!text) abort();
    const r1_status st = r1i_tok_open_bytes('j', (const uint8_t *)text, strlen(text), NULL, out, err);
    free(text);
    return st;
}

/* The ranks with Llama's control tokens, seven of them renamed: through a folder, as such models come. */
static r1_status open_llama(const char *ranks, size_t n, r1_tokenizer **out, r1_error *err)
{
    char dir[] = "/tmp/r1-tok-XXXXXX", path[64];
    json_t *const decoder = json_object(), *const config = json_object();
    if (!mkdtemp(dir)) abort();
    for (int i = 0; i < 256; i++) {
        char id[16], text[48];
        bool special = true;
        snprintf(id, sizeof id, "%d", 128000 + i);
        snprintf(text, sizeof text, "<|reserved_special_token_%d|>", i);
        for (size_t k = 0; k < sizeof llama_tokens / sizeof *llama_tokens; k++)
            if (llama_tokens[k].id == i) {
                snprintf(text, sizeof text, "%s", llama_tokens[k].text);
                special = llama_tokens[k].special;
            }
        json_object_set_new(decoder, id, json_pack("{s:s, s:b}", "content", text, "special", special));
    }
    json_object_set_new(config, "added_tokens_decoder", decoder);
    json_object_set_new(config, "bos_token", json_string(BOS));
    json_object_set_new(config, "eos_token", json_string(EOS));
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    if (json_dump_file(config, path, 0) != 0) abort();
    json_decref(config);
    snprintf(path, sizeof path, "%s/tokenizer.model", dir);
    FILE *const f = fopen(path, "wb");
    if (!f || fwrite(ranks, 1, n, f) != n || fclose(f) != 0) abort();
    const r1_status st = r1_tokenizer_open(dir, NULL, out, err);
    unlink(path);
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    unlink(path);
    rmdir(dir);
    return st;
}

r1_tokenizer *tok_data_open(const char *shared, const char *name)
{
    const bool llama = strcmp(name, "r1_llama") == 0;
    const char *const folder = llama ? "llama3/tokenizer.model.gz" : strstr(name, "qwen") ? "qwen3/tokenizer.json.gz"
                                                                                         : "deepseek_v3/tokenizer.json.gz";
    char path[1024];
    size_t n;
    r1_tokenizer *t = NULL;
    r1_error e = {0};
    snprintf(path, sizeof path, "%sdata/tokenizer/%s", shared, folder);
    char *const text = tok_data_read(path, &n);
    if (!text) return NULL;
    r1_status st = R1_OK;
    if (llama) {
        st = open_llama(text, n, &t, &e);
    } else if (strncmp(name, "r1", 2) != 0) {
        st = r1i_tok_open_bytes('j', (const uint8_t *)text, n, NULL, &t, &e);
    } else {
        json_t *doc;
        st = r1i_json_parse(text, n, &doc, &e);
        json_t *const added = json_object_get(doc, "added_tokens");
        if (strcmp(name, "r1") == 0) lay_over(added, r1_tokens, sizeof r1_tokens / sizeof *r1_tokens, INT32_MAX);
        else lay_over(added, qwen_tokens, sizeof qwen_tokens / sizeof *qwen_tokens, 151665);
        if (st == R1_OK) st = tok_data_open_json(doc, &t, &e);
        json_decref(doc);
    }
    free(text);
    if (st != R1_OK) {
        fprintf(stderr, "%s: %s\n", name, e.message);
        abort();
    }
    return t;
}
