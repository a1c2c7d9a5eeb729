/* Opening: every source, each error by name, memory running out at every allocation; and what a tokenizer says of
 * itself. */
#include "support/test.h"

#include <unistd.h>

#include "support/fail_alloc.h"
#include "support/tok_data.h"
#include "tokenizer/tok.h"

#define BAR "\xEF\xBD\x9C"
#define USER "<" BAR "User" BAR ">"

static void test_tiny(void **state)
{
    (void)state;
    r1_tokenizer *t;
    const int32_t *stop;
    const char *bytes;
    size_t n;
    assert_int_equal(r1_tokenizer_open(TOK_TINY, NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_size(t), 320);
    assert_int_equal(r1_tokenizer_bos(t), 0);
    assert_int_equal(r1_tokenizer_eos(t), 1);
    assert_true(r1_tokenizer_adds_bos(t));
    assert_int_equal(r1_tokenizer_stop_ids(t, &stop), 2);
    assert_int_equal(stop[0], 1);
    assert_int_equal(stop[1], r1_tokenizer_added_id(t, USER, strlen(USER)));
    assert_int_equal(r1_tokenizer_added_id(t, "<thin", 5), -1);
    assert_int_equal(r1_tokenizer_added_id(t, "", 0), -1);
    assert_true(r1_tokenizer_is_special(t, 0));
    assert_false(r1_tokenizer_is_special(t, 316));
    assert_false(r1_tokenizer_is_special(t, -1));
    assert_false(r1_tokenizer_is_special(t, 320));
    assert_true(r1_tokenizer_token_bytes(t, 316, &bytes, &n));
    assert_int_equal(n, 7);
    assert_memory_equal(bytes, "<think>", 7);
    assert_false(r1_tokenizer_token_bytes(t, 320, &bytes, &n));
    assert_non_null(strstr(r1_tokenizer_chat_template(t, NULL), "<think>"));
    assert_null(r1_tokenizer_chat_template(t, "tool_use"));
    r1_tokenizer_close(t);
    assert_int_equal(r1_tokenizer_open(TOK_TINY "/tokenizer_pairs.json", NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_bos(t), 0);
    r1_tokenizer_close(t);
    r1_tokenizer_close(NULL);
}

static void test_bos_and_skipping(void **state)
{
    (void)state;
    r1_tokenizer *t;
    int32_t *ids;
    size_t n, bytes;
    char *text;
    r1_error e = {0};
    assert_int_equal(r1_tokenizer_open(TOK_TINY, NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(t, "a<think>", 8, R1_ENCODE_BOS, &ids, &n, NULL), R1_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 0);
    assert_int_equal(r1_tokenizer_decode(t, ids, n, R1_DECODE_SKIP_SPECIAL, &text, &bytes, NULL), R1_OK);
    assert_string_equal(text, "a<think>"); /* reasoning markers are not special */
    r1_free(text);
    r1_free(ids);
    assert_int_equal(r1_tokenizer_decode(t, (const int32_t[]){5, 4000}, 2, 0, &text, &bytes, &e), R1_ERR_RANGE);
    assert_non_null(strstr(e.message, "4000"));
    assert_null(text);
    assert_int_equal(r1_tokenizer_encode(t, NULL, 0, 0, &ids, &n, NULL), R1_OK);
    assert_int_equal(n, 0);
    r1_free(ids);
    const r1_span gap[] = {{0, 1, true}, {2, 3, true}};
    assert_int_equal(r1_tokenizer_encode_spans(t, "abc", 3, gap, 2, &ids, &n, &e), R1_ERR_USAGE);
    assert_int_equal(r1_tokenizer_encode_spans(t, "abc", 3, gap, 1, &ids, &n, &e), R1_ERR_USAGE);
    assert_int_equal(r1_tokenizer_encode_spans(t, "", 0, NULL, 0, &ids, &n, &e), R1_OK);
    r1_free(ids);
    r1_tokenizer_close(t);
}

/* ---- tokenizer.json: one change to a good document, one message -------------------------------------------------- */

static void set_path(json_t *doc, const char *path, json_t *value)
{
    char copy[128];
    snprintf(copy, sizeof copy, "%s", path);
    char *key = strtok(copy, "/"), *next;
    for (; (next = strtok(NULL, "/")); key = next)
        doc = json_is_array(doc) ? json_array_get(doc, (size_t)atoi(key)) : json_object_get(doc, key);
    if (json_is_array(doc)) json_array_set_new(doc, (size_t)atoi(key), value);
    else json_object_set_new(doc, key, value);
}

static void test_json_refusals(void **state)
{
    (void)state;
    static const struct { const char *path, *value; r1_status st; const char *message; } cases[] = {
        {"model/type", "\"Unigram\"", R1_ERR_UNSUPPORTED, "\"Unigram\""},
        {"model/byte_fallback", "true", R1_ERR_UNSUPPORTED, "byte_fallback"},
        {"model/dropout", "0.1", R1_ERR_UNSUPPORTED, "dropout"},
        {"model/continuing_subword_prefix", "\"##\"", R1_ERR_UNSUPPORTED, "continuing_subword_prefix"},
        {"model/vocab", "[]", R1_ERR_FORMAT, "model.vocab: an object"},
        {"model/vocab/!", "\"3\"", R1_ERR_FORMAT, "has no integer id"},
        {"model/vocab/!", "-1", R1_ERR_RANGE, "token id -1"},
        {"model/vocab/!", "9999999", R1_ERR_RANGE, "token id 9999999"},
        {"model/vocab/!", "4", R1_ERR_FORMAT, "two texts"},
        {"model/merges", "{}", R1_ERR_FORMAT, "model.merges: an array"},
        {"model/merges/3", "\"abc\"", R1_ERR_FORMAT, "model.merges[3]: \"abc\" holds no space"},
        {"model/merges/3", "[\"a\"]", R1_ERR_FORMAT, "model.merges[3]: \"a b\""},
        {"model/merges/3", "\"qq q\"", R1_ERR_FORMAT, "the left side is not in the vocabulary"},
        {"model/merges/3", "\"q qq\"", R1_ERR_FORMAT, "the right side is not"},
        {"model/merges/3", "\"q q\"", R1_ERR_FORMAT, "the result is not"},
        {"model", "3", R1_ERR_FORMAT, "model: an object"},
        {"added_tokens", "3", R1_ERR_FORMAT, "added_tokens: an array"},
        {"added_tokens/1", "{\"id\":1}", R1_ERR_FORMAT, "added_tokens[1]: content and id"},
        {"added_tokens/1", "{\"id\":1,\"content\":\"\"}", R1_ERR_RANGE, "added token 1: 0 bytes"},
        {"added_tokens/1", "{\"id\":-3,\"content\":\"x\"}", R1_ERR_RANGE, "added token id -3"},
        {"added_tokens/1", "{\"id\":7,\"content\":\"xyz\"}", R1_ERR_FORMAT, "two texts"},
        {"normalizer", "{\"type\":\"Lowercase\"}", R1_ERR_UNSUPPORTED, "normalizer \"Lowercase\""},
        {"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"(\"},\"content\":\"\"}", R1_ERR_UNSUPPORTED, "pattern byte"},
        {"normalizer", "{\"type\":\"Replace\",\"pattern\":{\"Regex\":\"x\"}}", R1_ERR_FORMAT, "content is expected"},
        {"pre_tokenizer", "null", R1_ERR_UNSUPPORTED, "pre_tokenizer \"\""},
        {"pre_tokenizer", "{\"type\":\"Metaspace\"}", R1_ERR_UNSUPPORTED, "pre_tokenizer \"Metaspace\""},
        {"pre_tokenizer", "{\"type\":\"Sequence\",\"pretokenizers\":[]}", R1_ERR_UNSUPPORTED, "without ByteLevel"},
        {"pre_tokenizer/pretokenizers/0/behavior", "\"Sideways\"", R1_ERR_UNSUPPORTED, "behavior \"Sideways\""},
        {"pre_tokenizer/pretokenizers/0/pattern", "{}", R1_ERR_FORMAT, "a Regex or String pattern"},
        {"pre_tokenizer/pretokenizers/2", "{\"type\":\"ByteLevel\"}", R1_ERR_UNSUPPORTED, "after ByteLevel"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *const doc = tok_data_json(TOK_TINY "/tokenizer.json"), *value;
        r1_tokenizer *t;
        r1_error e = {0};
        assert_int_equal(r1i_json_parse(cases[i].value, strlen(cases[i].value), &value, NULL), R1_OK);
        set_path(doc, cases[i].path, value);
        const r1_status st = tok_data_open_json(doc, &t, &e);
        if (st != cases[i].st || t || !strstr(e.message, cases[i].message))
            fail_msg("%zu %s: %d %s", i, cases[i].path, (int)st, e.message);
        json_decref(doc);
    }
    r1_tokenizer *t;
    r1_error e = {0};
    assert_int_equal(r1i_tok_open_bytes('j', (const uint8_t *)"{\"a\":1}", 7, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "not a tokenizer.json"));
    assert_int_equal(r1i_tok_open_bytes('j', (const uint8_t *)"[]", 2, NULL, &t, &e), R1_ERR_FORMAT);
    assert_int_equal(r1i_tok_open_bytes('j', (const uint8_t *)"{", 1, NULL, &t, &e), R1_ERR_FORMAT);
    assert_int_equal(e.line, 1);
}

/* BOS from a template, NFC and plain strings in sequences, an unknown token instead of missing bytes. */
static void test_json_spellings(void **state)
{
    (void)state;
    json_t *const doc = tok_data_json(TOK_TINY "/tokenizer.json");
    r1_tokenizer *t;
    int32_t *ids;
    size_t n;
    static const char bos[] = "<" BAR "begin\xE2\x96\x81of\xE2\x96\x81sentence" BAR ">";
    json_object_set_new(doc, "post_processor",
                        json_pack("{s:s, s:[{s:s}, {s:s, s:[{s:{s:s}}]}]}", "type", "Sequence", "processors", "type",
                                  "ByteLevel", "type",
                                  "TemplateProcessing", "single", "SpecialToken", "id", bos));
    json_t *const model = json_object_get(doc, "model");
    json_object_set_new(model, "unk_token", json_string("!"));
    json_object_del(json_object_get(model, "vocab"), "\xC4\x82"); /* U+0102: byte 2 */
    assert_int_equal(tok_data_open_json(doc, &t, NULL), R1_OK);
    assert_true(r1_tokenizer_adds_bos(t));
    assert_int_equal(r1_tokenizer_encode(t, "\x02", 1, R1_ENCODE_BOS, &ids, &n, NULL), R1_OK);
    assert_int_equal(n, 2);
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[1], 3);
    r1_free(ids);
    r1_tokenizer_close(t);
    json_decref(doc);
}

/* A merge that would make a control token out of plain text is struck out. */
static void test_no_way_to_a_control_token(void **state)
{
    (void)state;
    json_t *const doc = tok_data_json(TOK_TINY "/tokenizer.json");
    r1_tokenizer *t;
    int32_t *ids;
    size_t n;
    const int id = (int)json_integer_value(json_object_get(json_object_get(json_object_get(doc, "model"), "vocab"),
                                                           "he"));
    assert_true(id > 0);
    json_array_append_new(json_object_get(doc, "added_tokens"),
                          json_pack("{s:i, s:s, s:b}", "id", id, "content", "he", "special", 1));
    json_object_set_new(json_object_get(doc, "model"), "ignore_merges", json_true());
    assert_int_equal(tok_data_open_json(doc, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(t, "he", 2, 0, &ids, &n, NULL), R1_OK);
    assert_int_equal(n, 1);
    r1_free(ids);
    assert_int_equal(r1_tokenizer_encode(t, "he", 2, R1_ENCODE_PLAIN, &ids, &n, NULL), R1_OK);
    assert_true(n > 1);
    for (size_t i = 0; i < n; i++) assert_false(r1_tokenizer_is_special(t, ids[i]));
    r1_free(ids);
    r1_tokenizer_close(t);
    json_decref(doc);
}

/* ---- tokenizer.model --------------------------------------------------------------------------------------------- */

static size_t base64_line(char *out, const uint8_t *p, size_t n, int rank)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t o = 0;
    for (size_t i = 0; i < n; i += 3) {
        const uint32_t w = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
            (i + 2 < n ? p[i + 2] : 0);
        for (size_t k = 0; k < 4; k++) out[o++] = i + k > n ? '=' : digits[w >> (18 - 6 * k) & 63];
    }
    return o + (size_t)sprintf(out + o, " %d\n", rank);
}

/* 256 bytes, then "ab", "abc", "bc" */
static size_t small_ranks(char *out)
{
    size_t n = 0;
    for (int b = 0; b < 256; b++) n += base64_line(out + n, &(uint8_t){(uint8_t)b}, 1, b);
    n += base64_line(out + n, (const uint8_t *)"bc", 2, 256);
    n += base64_line(out + n, (const uint8_t *)"ab", 2, 257);
    return n + base64_line(out + n, (const uint8_t *)"abcab", 5, 258);
}

static void test_ranks(void **state)
{
    (void)state;
    char text[8192];
    const size_t n = small_ranks(text);
    r1_tokenizer *t;
    int32_t *ids;
    size_t count;
    assert_int_equal(r1i_tok_open_bytes('m', (const uint8_t *)text, n, NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_size(t), 259 + 256);
    assert_int_equal(r1_tokenizer_bos(t), 259);
    assert_true(r1_tokenizer_adds_bos(t));
    assert_int_equal(r1_tokenizer_added_id(t, "<|eot_id|>", 10), 259 + 9);
    assert_int_equal(r1_tokenizer_added_id(t, "<|reserved_special_token_247|>", 30), 259 + 255);
    assert_int_equal(r1_tokenizer_encode(t, "abcab", 5, 0, &ids, &count, NULL), R1_OK);
    assert_int_equal(count, 1); /* a whole piece is its entry, though no merges lead there */
    assert_int_equal(ids[0], 258);
    r1_free(ids);
    assert_int_equal(r1_tokenizer_encode(t, "xabc<|eot_id|>", 14, 0, &ids, &count, NULL), R1_OK);
    assert_int_equal(count, 4); /* x a bc: the lower rank goes first */
    assert_int_equal(ids[1], 'a');
    assert_int_equal(ids[2], 256);
    assert_int_equal(ids[3], 268);
    r1_free(ids);
    r1_tokenizer_close(t);
}

static void test_rank_refusals(void **state)
{
    (void)state;
    static const struct { const char *text; r1_status st; const char *message; } cases[] = {
        {"YQ== 0\nYg= 1\n", R1_ERR_FORMAT, "line 2: base64"}, {"YQ== 0\nYg==1\n", R1_ERR_FORMAT, "line 2: base64"},
        {"YQ== x\n", R1_ERR_FORMAT, "line 1: a rank"},        {"YQ==\n", R1_ERR_FORMAT, "line 1: a rank"},
        {"YQ== 0\nYg== 0\n", R1_ERR_FORMAT, "line 2: token id 0 has two texts"}, {"YQ== 0\nYQ== 1\n", R1_ERR_FORMAT, "line 2: token 1 has"},
        {"Y?== 0\n", R1_ERR_FORMAT, "line 1"}, {"YQ== 9999999\n", R1_ERR_RANGE, "9999999"}, {"", R1_ERR_FORMAT, "no token"},
        {"YQ== 0\n", R1_ERR_FORMAT, "no token for byte 0x00"}, {"\x0a\x0b\x0c", R1_ERR_UNSUPPORTED, "SentencePiece"},
        {"YQ== 123456789\n", R1_ERR_FORMAT, "a rank is expected"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1_tokenizer *t;
        r1_error e = {0};
        const r1_status st = r1i_tok_open_bytes('m', (const uint8_t *)cases[i].text, strlen(cases[i].text), NULL, &t,
                                                &e);
        if (st != cases[i].st || !strstr(e.message, cases[i].message)) fail_msg("%zu: %d %s", i, (int)st, e.message);
    }
}

/* ---- GGUF keys --------------------------------------------------------------------------------------------------- */

typedef struct gguf {
    uint8_t bytes[32768];
    size_t n;
    uint64_t keys;
} gguf;

static void put(gguf *g, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++) g->bytes[g->n++] = (uint8_t)(v >> 8 * i);
}

static void put_string(gguf *g, const char *s, size_t n)
{
    put(g, n, 8);
    memcpy(g->bytes + g->n, s, n);
    g->n += n;
}

static void key(gguf *g, const char *name, unsigned type)
{
    g->keys++;
    put_string(g, name, strlen(name));
    put(g, type, 4);
}

static void key_string(gguf *g, const char *name, const char *value)
{
    key(g, name, 8);
    put_string(g, value, strlen(value));
}

static void key_u32(gguf *g, const char *name, uint32_t v)
{
    key(g, name, 4);
    put(g, v, 4);
}

/* The tiny tokenizer's vocabulary as GGUF keys; `pre` NULL leaves it out. */
static void make_gguf(gguf *g, const char *model, const char *pre)
{
    json_t *const doc = tok_data_json(TOK_TINY "/tokenizer.json"), *id;
    const json_t *const vocab = json_object_get(json_object_get(doc, "model"), "vocab");
    const json_t *const merges = json_object_get(json_object_get(doc, "model"), "merges");
    const char *name, *tokens[322] = {0};
    size_t i;
    json_object_foreach((json_t *)(uintptr_t)vocab, name, id) tokens[json_integer_value(id)] = name;
    json_array_foreach(json_object_get(doc, "added_tokens"), i, id)
        tokens[json_integer_value(json_object_get(id, "id"))] = json_string_value(json_object_get(id, "content"));
    tokens[320] = "[PAD320]";
    *g = (gguf){.n = 24};
    if (model) key_string(g, "tokenizer.ggml.model", model);
    if (pre) key_string(g, "tokenizer.ggml.pre", pre);
    key(g, "tokenizer.ggml.tokens", 9);
    put(g, 8, 4);
    put(g, 321, 8);
    for (i = 0; i < 321; i++) put_string(g, tokens[i], strlen(tokens[i]));
    key(g, "tokenizer.ggml.token_type", 9);
    put(g, 5, 4);
    put(g, 321, 8);
    for (i = 0; i < 321; i++)
        put(g, i < 3 || i == 318 || i == 319 ? 3 : i == 316 || i == 317 ? 4 : i == 320 ? 5 : 1, 4);
    key(g, "tokenizer.ggml.merges", 9);
    put(g, 8, 4);
    put(g, json_array_size(merges), 8);
    for (i = 0; i < json_array_size(merges); i++) {
        const char *const m = json_string_value(json_array_get(merges, i));
        put_string(g, m, strlen(m));
    }
    key_u32(g, "tokenizer.ggml.bos_token_id", 0);
    key_u32(g, "tokenizer.ggml.eos_token_id", 1);
    key(g, "tokenizer.ggml.add_bos_token", 7);
    put(g, 1, 1);
    key_string(g, "tokenizer.chat_template", "{{ x }}");
    key_string(g, "tokenizer.chat_template.tool_use", "{{ y }}");
    json_decref(doc);
}

static r1_status open_gguf(gguf *g, const r1_env *env, r1_tokenizer **t, r1_error *e)
{
    const size_t end = g->n;
    memcpy(g->bytes, "GGUF", 4);
    g->n = 4;
    put(g, 3, 4);
    put(g, 0, 8);
    put(g, g->keys, 8);
    g->n = end;
    uint8_t *const exact = malloc(end); /* so that the sanitizer sees a read past the end */
    memcpy(exact, g->bytes, end);
    const r1_status st = r1i_tok_open_bytes('g', exact, end, env, t, e);
    free(exact);
    return st;
}

static void note_warning(void *user, r1_log_level level, const char *message)
{
    if (level == R1_LOG_WARN && strstr(message, "\"default\"")) ++*(int *)user;
}

static void test_gguf(void **state)
{
    (void)state;
    static gguf g;
    r1_tokenizer *t, *tiny;
    int32_t *a, *b;
    size_t n, m;
    static const char text[] = "The answer\xE3\x83\xBB is 12345 <think>\n" USER "caf\xC3\xA9";
    make_gguf(&g, "gpt2", "deepseek-v3");
    assert_int_equal(open_gguf(&g, NULL, &t, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_open(TOK_TINY, NULL, &tiny, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(t, text, sizeof text - 1, R1_ENCODE_BOS, &a, &n, NULL), R1_OK);
    assert_int_equal(r1_tokenizer_encode(tiny, text, sizeof text - 1, R1_ENCODE_BOS, &b, &m, NULL), R1_OK);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n * sizeof *a);
    assert_int_equal(r1_tokenizer_size(t), 320); /* unused ids have no text */
    assert_true(r1_tokenizer_is_special(t, 318));
    assert_false(r1_tokenizer_is_special(t, 316));
    assert_string_equal(r1_tokenizer_chat_template(t, NULL), "{{ x }}");
    assert_string_equal(r1_tokenizer_chat_template(t, "tool_use"), "{{ y }}");
    r1_free(a);
    r1_free(b);
    r1_tokenizer_close(t);
    r1_tokenizer_close(tiny);
}

static void test_gguf_pre_names(void **state)
{
    (void)state;
    static const char *const names[] = {
        "default", "llama-bpe", "llama3", "llama-v3", "deepseek-llm", "deepseek-coder", "deepseek-v3",
        "deepseek-r1-qwen", "qwen2", "qwen35", "falcon", "falcon3", "mpt", "starcoder", "gpt-2", "refact", "command-r",
        "stablelm2", "olmo", "dbrx", "smaug-bpe", "poro-chat", "chatglm-bpe", "glm4", "viking", "jais", "tekken",
        "smollm", "codeshell", "bloom", "gpt3-finnish", "exaone", "exaone4", "chameleon", "minerva-7b", "megrez",
        "gpt-4o", "llama4", "superbpe", "trillion", "bailingmoe", "seed-coder", "hunyuan", "hunyuan-dense", "kimi-k2",
        "tiny_aya", "exaone-moe", "minimax-m2", "grok-2"};
    static gguf g;
    static const char text[] = "It's 1234  \xE7\xAD\x94\xE3\x81\x88 caf\xC3\xA9\n\n x";
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        r1_tokenizer *t;
        r1_error e = {0};
        int32_t *ids;
        size_t n, bytes;
        char *back;
        make_gguf(&g, "gpt2", names[i]);
        if (open_gguf(&g, NULL, &t, &e) != R1_OK) fail_msg("%s: %s", names[i], e.message);
        assert_int_equal(r1_tokenizer_encode(t, text, sizeof text - 1, 0, &ids, &n, NULL), R1_OK);
        assert_int_equal(r1_tokenizer_decode(t, ids, n, 0, &back, &bytes, NULL), R1_OK);
        assert_string_equal(back, text);
        r1_free(back);
        r1_free(ids);
        r1_tokenizer_close(t);
    }
    r1_tokenizer *t;
    r1_error e = {0};
    int warned = 0;
    const r1_env env = {.log = note_warning, .user = &warned};
    make_gguf(&g, "gpt2", "nonesuch");
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_UNSUPPORTED);
    assert_non_null(strstr(e.message, "\"nonesuch\""));
    make_gguf(&g, "gpt2", NULL);
    assert_int_equal(open_gguf(&g, &env, &t, &e), R1_OK);
    assert_int_equal(warned, 1);
    r1_tokenizer_close(t);
    make_gguf(&g, "llama", "default");
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_UNSUPPORTED);
    assert_non_null(strstr(e.message, "\"llama\""));
    make_gguf(&g, NULL, NULL);
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "tokenizer.ggml.model is missing"));
}

static void test_gguf_refusals(void **state)
{
    (void)state;
    static gguf g;
    r1_tokenizer *t;
    r1_error e = {0};
    g = (gguf){.n = 24};
    key_string(&g, "tokenizer.ggml.model", "gpt2");
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "tokenizer.ggml.tokens is missing"));
    key_u32(&g, "tokenizer.ggml.tokens", 3);
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "an array of strings"));
    g = (gguf){.n = 24};
    key_string(&g, "tokenizer.ggml.model", "gpt2");
    key(&g, "tokenizer.ggml.tokens", 9);
    put(&g, 8, 4);
    put(&g, 1, 8);
    put_string(&g, "a", 1);
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "tokenizer.ggml.merges is missing"));
    key(&g, "tokenizer.ggml.merges", 9);
    put(&g, 8, 4);
    put(&g, 1, 8);
    put_string(&g, "ab", 2);
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "tokenizer.ggml.merges[0]"));
    key(&g, "tokenizer.ggml.token_type", 9);
    put(&g, 5, 4);
    put(&g, 0, 8);
    assert_int_equal(open_gguf(&g, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "an array of 1"));
}

/* ---- folders ----------------------------------------------------------------------------------------------------- */

static char folder[32];

static void write_file(const char *name, const char *text, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *const f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/r1-tok-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"tokenizer.json", "tokenizer.model", "tokenizer_config.json",
                                        "generation_config.json",
                                        "chat_template.jinja", "a.gguf", "b.gguf"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

static void test_side_files(void **state)
{
    (void)state;
    size_t n;
    char *const main_file = tok_data_read(TOK_TINY "/tokenizer.json", &n);
    r1_tokenizer *t;
    r1_error e = {0};
    const int32_t *stop;
    static const char config[] =
        "{\"add_bos_token\":false,\"bos_token\":{\"content\":\"<think>\"},\"eos_token\":\"</think>\",\"chat_template\":[{\"name\":\"default\","
        "\"template\":\"one\"},{\"name\":\"tool_use\",\"template\":\"two\"}],\"added_tokens_decoder\":{\"2\":{\"content\":\"other\"},"
        "\"400\":{\"content\":\"<extra>\",\"special\":true,\"lstrip\":true},\"401\":{\"content\":\"<think>\"}}}";
    static const char generation[] = "{\"eos_token_id\":[1,317,-5,\"x\"],\"bos_token_id\":9}";
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_ERR_IO);
    assert_non_null(strstr(e.message, "no tokenizer.json"));
    write_file("tokenizer.json", main_file, n);
    write_file("tokenizer_config.json", config, sizeof config - 1);
    write_file("generation_config.json", generation, sizeof generation - 1);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_OK);
    assert_int_equal(r1_tokenizer_bos(t), 316);
    assert_int_equal(r1_tokenizer_eos(t), 317);
    assert_false(r1_tokenizer_adds_bos(t));
    assert_int_equal(r1_tokenizer_stop_ids(t, &stop), 3);
    assert_int_equal(stop[0], 317);
    assert_int_equal(stop[1], 1);
    assert_int_equal(r1_tokenizer_added_id(t, "<extra>", 7), 400);
    assert_int_equal(r1_tokenizer_size(t), 401);
    assert_string_equal(r1_tokenizer_chat_template(t, NULL), "one");
    assert_string_equal(r1_tokenizer_chat_template(t, "tool_use"), "two");
    r1_tokenizer_close(t);
    write_file("chat_template.jinja", "three", 5);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_OK);
    assert_string_equal(r1_tokenizer_chat_template(t, NULL), "three");
    r1_tokenizer_close(t);
    static const struct { const char *text, *message; } bad[] = {
        {"[]", "an object is expected"}, {"{", "tokenizer_config.json: JSON line 1"}, {"{\"chat_template\":[{}]}", "chat_template[0]"},
        {"{\"added_tokens_decoder\":{\"x\":{\"content\":\"y\"}}}", "added_tokens_decoder[\"x\"]"},
        {"{\"added_tokens_decoder\":{\"99999999\":{\"content\":\"y\"}}}", "99999999"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file("tokenizer_config.json", bad[i].text, strlen(bad[i].text));
        assert_true(r1_tokenizer_open(folder, NULL, &t, &e) != R1_OK);
        if (!strstr(e.message, bad[i].message) || !strstr(e.message, folder)) fail_msg("%s", e.message);
    }
    static const char alone[] = "{\"eos_token_id\":2,\"bos_token_id\":1}";
    write_file("tokenizer_config.json", "{}", 2);
    write_file("generation_config.json", alone, sizeof alone - 1);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_OK);
    assert_int_equal(r1_tokenizer_bos(t), 1);
    assert_int_equal(r1_tokenizer_eos(t), 2);
    r1_tokenizer_close(t);
    write_file("generation_config.json", "{\"eos_token_id\":2000000}", 24);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_ERR_RANGE);
    free(main_file);
}

static void test_folder_of_gguf(void **state)
{
    (void)state;
    static gguf g;
    r1_tokenizer *t;
    r1_error e = {0};
    make_gguf(&g, "gpt2", "qwen2");
    open_gguf(&g, NULL, &t, NULL); /* completes the header */
    r1_tokenizer_close(t);
    write_file("b.gguf", "no", 2);
    write_file("a.gguf", (const char *)g.bytes, g.n);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_OK);
    assert_int_equal(r1_tokenizer_size(t), 320);
    r1_tokenizer_close(t);
    write_file("a.gguf", "no", 2);
    assert_int_equal(r1_tokenizer_open(folder, NULL, &t, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "a.gguf: "));
    assert_int_equal(r1_tokenizer_open("/nonexistent/tokenizer.json", NULL, &t, &e), R1_ERR_IO);
    assert_non_null(strstr(e.message, "/nonexistent/tokenizer.json"));
}

/* ---- running out of memory --------------------------------------------------------------------------------------- */

/* tokenizer.json itself is left to jansson, which asserts in places where memory ends. */
static r1_status attempt_gguf(void *ctx, r1_error *err)
{
    r1_tokenizer *t;
    const gguf *const g = ctx;
    const r1_status st = r1i_tok_open_bytes('g', g->bytes, g->n, NULL, &t, err);
    r1_tokenizer_close(t);
    return st;
}

static r1_status attempt_ranks(void *ctx, r1_error *err)
{
    r1_tokenizer *t;
    const r1_status st = r1i_tok_open_bytes('m', ctx, strlen(ctx), NULL, &t, err);
    r1_tokenizer_close(t);
    return st;
}

static r1_status attempt_encode(void *ctx, r1_error *err)
{
    static const char text[] = "The answer is <think> 12, cafe\xCC\x81 \xFF and aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const r1_span spans[] = {{0, 20, true}, {20, sizeof text - 1, false}};
    int32_t *ids;
    size_t n, bytes;
    char *back = NULL;
    r1_status st = r1_tokenizer_encode_spans(ctx, text, sizeof text - 1, spans, 2, &ids, &n, err);
    if (st == R1_OK) st = r1_tokenizer_decode(ctx, ids, n, 0, &back, &bytes, err);
    r1_free(ids);
    r1_free(back);
    return st;
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    char text[8192];
    r1_tokenizer *t;
    text[small_ranks(text)] = 0;
    assert_true(fail_alloc_sweep(attempt_ranks, text) > 20);
    static gguf g;
    make_gguf(&g, "gpt2", "deepseek-r1-qwen");
    open_gguf(&g, NULL, &t, NULL); /* completes the header */
    r1_tokenizer_close(t);
    assert_true(fail_alloc_sweep(attempt_gguf, &g) > 15);
    json_t *const doc = tok_data_json(TOK_TINY "/tokenizer.json");
    json_object_set_new(doc, "normalizer", json_pack("{s:s}", "type", "NFC"));
    json_array_insert_new(json_object_get(json_object_get(doc, "pre_tokenizer"), "pretokenizers"), 3,
                          json_pack("{s:s, s:{s:s}, s:s}", "type", "Split", "pattern", "Regex", "e+", "behavior",
                                    "Isolated"));
    assert_int_equal(tok_data_open_json(doc, &t, NULL), R1_OK);
    assert_true(fail_alloc_sweep(attempt_encode, t) > 5);
    r1_tokenizer_close(t);
    json_decref(doc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny), cmocka_unit_test(test_bos_and_skipping), cmocka_unit_test(test_json_refusals),
        cmocka_unit_test(test_json_spellings), cmocka_unit_test(test_no_way_to_a_control_token),
        cmocka_unit_test(test_ranks), cmocka_unit_test(test_rank_refusals), cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_gguf_pre_names), cmocka_unit_test(test_gguf_refusals),
        cmocka_unit_test_setup_teardown(test_side_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_folder_of_gguf, make_folder, remove_folder),
        cmocka_unit_test(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
