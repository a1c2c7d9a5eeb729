/* Ids and pieces equal to what other implementations give: the public vectors, large mixed text, variations of a tiny
 * tokenizer, and the two real GGUF models where R1_MODELS_DIR says they are. */
#include "support/test.h"

#include <unistd.h>

#include "support/tok_data.h"
#include "tokenizer/tok.h"

static const char *const vocabularies[] = {"deepseek_v3", "qwen3", "r1", "r1_qwen", "r1_llama"};
enum { VOCABULARIES = sizeof vocabularies / sizeof *vocabularies };
static r1_tokenizer *opened[VOCABULARIES]; /* once for all tests: half a second each under the sanitizers */

static r1_tokenizer *vocabulary(const char *name)
{
    for (int i = 0; i < VOCABULARIES; i++) {
        if (strcmp(vocabularies[i], name) != 0) continue;
        if (!opened[i]) opened[i] = tok_data_open(TOK_SHARED, name);
        return opened[i];
    }
    return NULL;
}

typedef struct pieces {
    const json_t *want;
    size_t i;
    bool equal;
} pieces;

static void check_piece(void *user, const uint8_t *p, size_t n)
{
    pieces *const s = user;
    const json_t *const w = json_array_get(s->want, s->i++);
    if (json_string_length(w) != n || memcmp(json_string_value(w), p, n) != 0) s->equal = false;
}

static bool same_pieces(const r1_tokenizer *t, const json_t *text, const json_t *want)
{
    pieces s = {want, 0, true};
    assert_int_equal(r1i_tok_pieces(t, json_string_value(text), json_string_length(text), check_piece, &s, NULL),
                     R1_OK);
    return s.equal && s.i == json_array_size(want);
}

static bool same_ids(const r1_tokenizer *t, const json_t *text, const json_t *want)
{
    int32_t *ids;
    size_t n;
    assert_int_equal(r1_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &ids, &n, NULL),
                     R1_OK);
    bool same = n == json_array_size(want);
    for (size_t i = 0; i < n && same; i++) same = ids[i] == json_integer_value(json_array_get(want, i));
    r1_free(ids);
    return same;
}

static void test_vectors(void **state)
{
    (void)state;
    static const char *const key[3][3] = {{"r1", "split_dsv3", "ids_r1"},
                                          {"r1_qwen", "split_qwen2_after_nfc", "ids_r1_distill_qwen"},
                                          {"r1_llama", "split_llama3", "ids_r1_distill_llama"}};
    json_t *const all = tok_data_json(TOK_SHARED "spec/vectors/tokenizer.json");
    if (!all || !vocabulary("r1")) skip();
    const json_t *const cases = json_object_get(all, "cases");
    assert_int_equal(json_array_size(cases), 185);
    for (int v = 0; v < 3; v++) {
        const r1_tokenizer *const t = vocabulary(key[v][0]);
        for (size_t i = 0; i < json_array_size(cases); i++) {
            const json_t *const c = json_array_get(cases, i), *const text = json_object_get(c, "text");
            if (!same_pieces(t, text, json_object_get(c, key[v][1]))) fail_msg("%s pieces of case %zu", key[v][0], i);
            if (!same_ids(t, text, json_object_get(c, key[v][2]))) fail_msg("%s ids of case %zu", key[v][0], i);
        }
    }
    json_decref(all);
}

static void fnv_of(const int32_t *ids, size_t n, char text[17])
{
    uint64_t h = 0xCBF29CE484222325u;
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < 4; b++) h = (h ^ ((uint32_t)ids[i] >> 8 * b & 255)) * 0x100000001B3u;
    snprintf(text, 17, "%016llx", (unsigned long long)h);
}

static void test_mixed_text(void **state)
{
    (void)state;
    if (!vocabulary("r1")) skip();
    json_t *const lines = tok_data_lines(R1_TEST_DIR "/golden/tokenizer/mixed.jsonl");
    assert_non_null(lines);
    assert_true(json_array_size(lines) > 1000);
    for (int v = 0; v < VOCABULARIES; v++) {
        const r1_tokenizer *const t = vocabulary(vocabularies[v]);
        for (size_t i = 0; i < json_array_size(lines); i++) {
            const json_t *const line = json_array_get(lines, i), *const text = json_object_get(line, "text");
            const json_t *const want = json_object_get(line, vocabularies[v]);
            int32_t *ids;
            size_t n;
            char hash[17];
            assert_int_equal(r1_tokenizer_encode(t, json_string_value(text), json_string_length(text), 0, &ids, &n,
                                                 NULL), R1_OK);
            fnv_of(ids, n, hash);
            r1_free(ids);
            if (json_integer_value(json_array_get(want, 0)) != (json_int_t)n ||
                strcmp(json_string_value(json_array_get(want, 1)), hash) != 0)
                fail_msg("%s: line %zu has %zu ids with hash %s", vocabularies[v], i + 1, n, hash);
        }
    }
    json_decref(lines);
}

static void test_variations(void **state)
{
    (void)state;
    int bad = 0;
    json_t *const tiny = tok_data_json(TOK_TINY "/tokenizer.json");
    json_t *const lines = tok_data_lines(R1_TEST_DIR "/golden/tokenizer/cases.jsonl");
    assert_non_null(tiny);
    assert_non_null(lines);
    for (size_t i = 0; i < json_array_size(lines); i++) {
        json_t *const line = json_array_get(lines, i), *const cases = json_object_get(line, "cases");
        const char *const name = json_string_value(json_object_get(line, "name"));
        r1_tokenizer *t;
        r1_error e = {0};
        json_object_update(tiny, json_object_get(line, "change"));
        json_object_set(json_object_get(tiny, "model"), "ignore_merges", json_object_get(line, "ignore_merges"));
        if (tok_data_open_json(tiny, &t, &e) != R1_OK) {
            print_message("%s: %s\n", name, e.message);
            bad++;
            continue;
        }
        for (size_t k = 0; k < json_array_size(cases); k++) {
            const json_t *const c = json_array_get(cases, k);
            if (same_ids(t, json_array_get(c, 0), json_array_get(c, 1))) continue;
            print_message("%s: case %zu \"%s\"\n", name, k, json_string_value(json_array_get(c, 0)));
            bad++;
        }
        r1_tokenizer_close(t);
    }
    json_decref(lines);
    json_decref(tiny);
    assert_int_equal(bad, 0);
}

/* spec tokenizer-and-chat.md 4.3: rendered prompts and their ids. */
static void test_worked_examples(void **state)
{
    (void)state;
    static const char prompt[] = "<\xEF\xBD\x9C" "begin\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C><\xEF\xBD\x9CUser\xEF\xBD\x9C>"
                                 "What is 84 * 3 / 2?<\xEF\xBD\x9C" "Assistant\xEF\xBD\x9C><think>\n";
    static const struct {
        const char *name;
        int32_t bos, eos, want[18];
    } cases[] = {
        {"r1", 0, 1, {0, 128803, 3085, 344, 223, 5844, 982, 223, 21, 1492, 223, 20, 33, 128804, 128798, 201, -1}},
        {"r1_qwen", 151646, 151643, {151646, 151644, 3838, 374, 220, 23, 19, 353, 220, 18, 608, 220, 17, 30, 151645, 151648, 198, -1}},
        {"r1_llama", 128000, 128001, {128000, 128011, 3923, 374, 220, 5833, 353, 220, 18, 611, 220, 17, 30, 128012, 128013, 198, -1}},
    };
    if (!vocabulary("r1")) skip();
    for (size_t i = 0; i < 3; i++) {
        const r1_tokenizer *const t = vocabulary(cases[i].name);
        int32_t *ids;
        size_t n;
        assert_int_equal(r1_tokenizer_encode(t, prompt, sizeof prompt - 1, 0, &ids, &n, NULL), R1_OK);
        for (size_t k = 0; k < n; k++) assert_int_equal(ids[k], cases[i].want[k]);
        assert_int_equal(cases[i].want[n], -1);
        r1_free(ids);
        assert_int_equal(r1_tokenizer_bos(t), cases[i].bos);
        assert_int_equal(r1_tokenizer_eos(t), cases[i].eos);
    }
    assert_int_equal(r1_tokenizer_size(vocabulary("r1")), 128815);
    assert_int_equal(r1_tokenizer_size(vocabulary("r1_qwen")), 151665);
    assert_int_equal(r1_tokenizer_size(vocabulary("r1_llama")), 128256);
    assert_false(r1_tokenizer_is_special(vocabulary("r1"), 128798));
    assert_true(r1_tokenizer_is_special(vocabulary("r1"), 1));
}

static bool find_model(const char *file, char *path, size_t size)
{
    const char *const dir = getenv("R1_MODELS_DIR");
    static const char *const folders[] = {"", "smollm2/", "qwen05/"};
    for (size_t i = 0; dir && i < sizeof folders / sizeof *folders; i++) {
        snprintf(path, size, "%s/%s%s", dir, folders[i], file);
        if (access(path, R_OK) == 0) return true;
    }
    return false;
}

static void test_real_models(void **state)
{
    (void)state;
    static const char *const files[] = {"smollm2-135m-q4_1", "qwen2.5-coder-0.5b-q4_k_m"};
    int seen = 0;
    for (int i = 0; i < 2; i++) {
        char path[1024], name[128];
        size_t k;
        json_t *c;
        r1_tokenizer *t;
        snprintf(name, sizeof name, "%s.gguf", files[i]);
        if (!find_model(name, path, sizeof path)) continue;
        assert_int_equal(r1_tokenizer_open(path, NULL, &t, NULL), R1_OK);
        snprintf(path, sizeof path, TOK_SHARED "golden/real/%s.json", files[i]);
        json_t *const real = tok_data_json(path);
        assert_non_null(real);
        json_array_foreach(json_object_get(real, "prompts"), k, c)
            assert_true(same_ids(t, json_object_get(c, "text"), json_object_get(c, "ids")));
        json_array_foreach(json_object_get(real, "chat"), k, c)
            assert_true(same_ids(t, json_object_get(c, "rendered"), json_object_get(c, "ids")));
        const json_t *const text = json_object_get(real, "text");
        assert_true(same_ids(t, json_object_get(text, "text"), json_object_get(text, "ids")));
        json_decref(real);
        r1_tokenizer_close(t);
        seen++;
    }
    if (seen == 0) skip();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_variations), cmocka_unit_test(test_vectors), cmocka_unit_test(test_worked_examples),
        cmocka_unit_test(test_mixed_text), cmocka_unit_test(test_real_models),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int i = 0; i < VOCABULARIES; i++) r1_tokenizer_close(opened[i]);
    return failed;
}
