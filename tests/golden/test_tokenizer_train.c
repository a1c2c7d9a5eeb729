/* r1_tokenizer_train: the merges of the `tokenizers` trainer (merges.txt is its list, tools/check_tokenizer_trainer.py
 * wrote it), a folder that opens and gives texts back, and what is refused. */
#include "support/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "r1/chat.h"
#include "r1/tokenizer.h"

#define FIXTURES R1_SOURCE_DIR "/tests/fixtures/tokenizer-train"

static const char *const files[] = {FIXTURES "/lines.txt", FIXTURES "/rows.jsonl"};
static char dir[] = "/tmp/r1-tokenizer-XXXXXX";

static r1_status train(const char *const *path, size_t n, int64_t vocab, int digits, const char *out,
                       r1_tokenizer_training *done, r1_error *err)
{
    const r1_tokenizer_train_params p = {.path = path, .n_paths = n, .vocab_size = vocab, .digits = digits, .out = out};
    return r1_tokenizer_train(&p, NULL, done, err);
}

static char *in_dir(const char *name)
{
    static char path[2][256];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", dir, name);
    return path[turn];
}

/* Merges of a folder compared with the first lines of the list. */
static void compare_merges(const char *folder, size_t expected)
{
    json_t *j;
    uint8_t *list;
    size_t size;
    char path[300];
    snprintf(path, sizeof path, "%s/tokenizer.json", folder);
    assert_int_equal(r1i_json_read_file(path, 1 << 24, &j, NULL), R1_OK);
    assert_int_equal(r1i_file_read(FIXTURES "/merges.txt", 1 << 24, &list, &size, NULL), R1_OK);
    const json_t *const merges = json_object_get(json_object_get(j, "model"), "merges");
    assert_int_equal(json_array_size(merges), expected);
    char *line = (char *)list;
    for (size_t k = 0; k < expected; k++) {
        char *const end = strchr(line, '\n');
        assert_non_null(end);
        *end = 0;
        assert_string_equal(json_string_value(json_array_get(merges, k)), line);
        line = end + 1;
    }
    json_decref(j);
    r1_free(list);
}

static void test_merges(void **state)
{
    (void)state;
    r1_tokenizer_training done;
    char *const out = in_dir("all");
    assert_int_equal(train(files, 2, 3000, 0, out, &done, NULL), R1_OK); /* to the last pair */
    assert_int_equal(done.size, 263 + done.merges);
    assert_true(done.merges > 2000 && done.size < 3000);
    compare_merges(out, (size_t)done.merges);
    assert_int_equal(train(files, 2, 700, 0, out, &done, NULL), R1_OK); /* a smaller vocabulary is a prefix */
    assert_int_equal(done.size, 700);
    compare_merges(out, 700 - 263);
}

static void test_opens(void **state)
{
    (void)state;
    static const char text[] = "What is 12345 + 6?<think>\nÄhre 漢字\n</think> \x01";
    r1_tokenizer *t;
    int32_t *ids;
    size_t n, bytes;
    char *back, *const out = in_dir("open");
    for (int digits = 1; digits <= 3; digits++) {
        assert_int_equal(train(files, 2, 600, digits, out, NULL, NULL), R1_OK);
        assert_int_equal(r1_tokenizer_open(out, NULL, &t, NULL), R1_OK);
        assert_int_equal(r1_tokenizer_size(t), 600);
        assert_int_equal(r1_tokenizer_bos(t), 0);
        assert_int_equal(r1_tokenizer_eos(t), 1);
        assert_int_equal(r1_tokenizer_added_id(t, "<think>", 7), 5);
        assert_true(r1_tokenizer_is_special(t, 2) && !r1_tokenizer_is_special(t, 5));
        assert_string_equal(r1_tokenizer_chat_template(t, NULL), r1_template_builtin("r1"));
        assert_int_equal(r1_tokenizer_encode(t, text, sizeof text - 1, 0, &ids, &n, NULL), R1_OK);
        for (size_t i = 0; i < n; i++) {
            const char *p;
            size_t size, run = 0;
            assert_true(r1_tokenizer_token_bytes(t, ids[i], &p, &size));
            for (size_t k = 0; k < size; k++) run += p[k] >= '0' && p[k] <= '9';
            assert_true(run <= (size_t)digits);
        }
        assert_int_equal(r1_tokenizer_decode(t, ids, n, 0, &back, &bytes, NULL), R1_OK);
        assert_int_equal(bytes, sizeof text - 1);
        assert_memory_equal(back, text, bytes);
        r1_free(back), r1_free(ids);
        r1_tokenizer_close(t);
    }
}

static void test_same_bytes(void **state)
{
    (void)state;
    uint8_t *a, *b;
    size_t n, m;
    assert_int_equal(train(files, 2, 900, 3, in_dir("one"), NULL, NULL), R1_OK);
    assert_int_equal(train(files, 2, 900, 0, in_dir("two"), NULL, NULL), R1_OK);
    assert_int_equal(r1i_file_read(in_dir("one/tokenizer.json"), 1 << 24, &a, &n, NULL), R1_OK);
    assert_int_equal(r1i_file_read(in_dir("two/tokenizer.json"), 1 << 24, &b, &m, NULL), R1_OK);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    r1_free(a), r1_free(b);
}

static void refused(const char *const *path, size_t n, int64_t vocab, int digits, const char *special, r1_status code,
                    const char *message)
{
    r1_error e = {0};
    const r1_tokenizer_train_params p = {.path = path, .n_paths = n, .vocab_size = vocab, .digits = digits,
                                         .special = &special, .n_special = special != NULL, .out = in_dir("none")};
    assert_int_equal(r1_tokenizer_train(&p, NULL, NULL, &e), code);
    if (!strstr(e.message, message)) fail_msg("'%s' is not in '%s'", message, e.message);
    assert_false(r1i_file_exists(in_dir("none/tokenizer.json")));
}

static void test_refused(void **state)
{
    (void)state;
    char row[256], empty[256], absent[256];
    snprintf(row, sizeof row, "%s/row.jsonl", dir);
    snprintf(empty, sizeof empty, "%s/empty.txt", dir);
    snprintf(absent, sizeof absent, "%s/nothing.txt", dir);
    assert_int_equal(r1i_file_write_atomic(row, "{\"text\":\"a\"}\n{\"text\":3}\n", 25, NULL), R1_OK);
    assert_int_equal(r1i_file_write_atomic(empty, "", 0, NULL), R1_OK);
    const char *const bad_row[] = {row}, *const no_text[] = {empty}, *const missing[] = {absent};
    refused(files, 2, 262, 0, NULL, R1_ERR_USAGE, "263 (256 bytes and 7 special tokens)");
    refused(files, 2, 600, 4, NULL, R1_ERR_USAGE, "1 to 3 expected, not 4");
    refused(files, 2, 600, 0, "<think>", R1_ERR_USAGE, "'<think>' is there twice");
    refused(files, 2, 600, 0, "x", R1_ERR_USAGE, "'x': 2 to 4096 bytes expected");
    refused(files, 2, 600, 0, "Ġ", R1_ERR_USAGE, "is spelled as the vocabulary spells token");
    refused(files, 0, 600, 0, NULL, R1_ERR_USAGE, "no file");
    refused(bad_row, 1, 600, 0, NULL, R1_ERR_FORMAT, "row.jsonl line 2: text: a text expected");
    refused(no_text, 1, 600, 0, NULL, R1_ERR_FORMAT, "no text");
    refused(missing, 1, 600, 0, NULL, R1_ERR_IO, "nothing.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_merges), cmocka_unit_test(test_opens),
                                       cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_refused)};
    assert_non_null(mkdtemp(dir));
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    return system(command) == 0 ? failed : 1;
}
