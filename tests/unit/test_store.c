/* Folders and files of both containers: which files are opened, and what is said when they do not fit each other. */
#include "support/test.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/safetensors.h"
#include "support/fail_alloc.h"
#include "support/gguf_build.h"

static char folder[64];

static void path_of(char *out, size_t size, const char *name) { snprintf(out, size, "%s/%s", folder, name); }

static void empty_folder(void)
{
    DIR *const d = opendir(folder);
    for (const struct dirent *e; d && (e = readdir(d));) {
        char path[400];
        path_of(path, sizeof path, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
}

static void put_text(const char *name, const char *text)
{
    char path[400];
    path_of(path, sizeof path, name);
    FILE *const f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A safetensors file with U8 [2] tensors of these names (up to two). */
static void put_shard(const char *name, const char *a, const char *b)
{
    char path[400];
    const r1i_safetensors_item items[] = {{a, R1_DTYPE_U8, 1, {2}}, {b, R1_DTYPE_U8, 1, {2}}};
    const void *const data[] = {"xy", "zw"};
    path_of(path, sizeof path, name);
    assert_int_equal(r1i_safetensors_write(path, items, data, b ? 2 : 1, NULL), R1_OK);
}

/* A GGUF shard with one tensor. count 0: no split keys. */
static void put_gguf(const char *name, const char *tensor, int no, int count, int total)
{
    char path[400];
    gguf_build b;
    gguf_begin(&b, 3);
    if (no == 0) gguf_string(&b, "general.architecture", "llama");
    if (count) {
        gguf_key(&b, "split.no", 2);
        gguf_uint(&b, (uint64_t)no, 2);
        gguf_key(&b, "split.count", 2);
        gguf_uint(&b, (uint64_t)count, 2);
        gguf_key(&b, "split.tensors.count", 5);
        gguf_uint(&b, (uint64_t)total, 4);
    }
    gguf_tensor(&b, tensor, 4, 3, 2);
    gguf_end(&b);
    path_of(path, sizeof path, name);
    assert_int_equal(gguf_save(&b, path), 0);
    free(b.bytes);
}

/* Opens folder/name ("" for the folder) and wants this; NULL text: success with n entries. */
static void expect(const char *name, r1_status status, const char *text, int64_t n)
{
    char path[400];
    r1i_store *s;
    r1_error e = {0};
    path_of(path, sizeof path, name);
    const r1_status st = r1i_store_open(path, NULL, &s, &e);
    if (st != status || (text && !strstr(e.message, text))) fail_msg("%s: status %d: %s", path, (int)st, e.message);
    assert_true((st == R1_OK) == (s != NULL));
    if (s) assert_int_equal(r1i_store_count(s), n);
    r1i_store_close(s);
}

static void test_unindexed(void **state)
{
    (void)state;
    empty_folder();
    expect("", R1_ERR_IO, "neither *.safetensors nor *.gguf", 0);
    put_shard("one.safetensors", "a", "b");
    put_shard("two.safetensors", "c", NULL);
    put_text(".hidden.safetensors", "not looked at");
    expect("", R1_OK, NULL, 3);
    expect("two.safetensors", R1_OK, NULL, 1);
    put_shard("three.safetensors", "a", NULL);
    expect("", R1_ERR_FORMAT, "tensor a is in one.safetensors and in three.safetensors", 0);
    put_shard("model.safetensors", "m", NULL); /* beside it the others are something else's */
    expect("", R1_OK, NULL, 1);
    empty_folder();
    put_shard("model-00001-of-00002.safetensors", "a", NULL);
    expect("", R1_ERR_FORMAT, "1 shards of safetensors, 2 expected by their names", 0);
    put_shard("model-00002-of-00002.safetensors", "b", NULL);
    put_shard("extra.safetensors", "a", NULL);
    expect("", R1_OK, NULL, 2);
    empty_folder();
    put_text("x.safetensors", "12345678{");
    expect("", R1_ERR_FORMAT, "x.safetensors: header of", 0);
    put_text("x.bin", "something");
    expect("x.bin", R1_ERR_FORMAT, "neither a GGUF nor a safetensors file", 0);
    expect("absent", R1_ERR_IO, "No such file", 0);
    char hidden[400];
    path_of(hidden, sizeof hidden, ".hidden.safetensors");
    unlink(hidden);
}

#define INDEX "model.safetensors.index.json"

static void test_indexed(void **state)
{
    (void)state;
    empty_folder();
    put_shard("s1.safetensors", "a", "b");
    put_shard("s2.safetensors", "c", NULL);
    put_shard("other.safetensors", "z", NULL); /* in no index: not opened */
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\"}}");
    expect("", R1_OK, NULL, 3);
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\"}}");
    expect("", R1_ERR_FORMAT, "s1.safetensors: holds tensor b, which model.safetensors.index.json does not list", 0);
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\",\"d\":\"s2.safetensors\"}}");
    expect("", R1_ERR_FORMAT, "names tensor d in s2.safetensors, which lacks it", 0);
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\",\"b\":\"s2.safetensors\"}}");
    expect("", R1_ERR_FORMAT, "names tensor b in s2.safetensors, which lacks it", 0);
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s3.safetensors\"}}");
    expect("", R1_ERR_IO, "shard s3.safetensors, which model.safetensors.index.json lists, is missing", 0);
    put_text(INDEX, "{\"weight_map\":{\"c\":7}}");
    expect("", R1_ERR_FORMAT, INDEX ": JSON at byte 19", 0);
    put_shard("s2.safetensors", "a", NULL); /* the same name in two shards, listed once */
    put_text(INDEX, "{\"weight_map\":{\"a\":\"s2.safetensors\",\"b\":\"s1.safetensors\"}}");
    expect("", R1_ERR_FORMAT, "tensor a is in s2.safetensors and in s1.safetensors", 0);
}

static void test_lookup(void **state)
{
    (void)state;
    r1i_store *s;
    char slashes[80];
    empty_folder();
    put_shard("model.safetensors", "a", "b");
    snprintf(slashes, sizeof slashes, "%s//", folder);
    assert_int_equal(r1i_store_open(slashes, NULL, &s, NULL), R1_OK);
    assert_string_equal(r1i_store_folder(s), folder);
    assert_string_equal(r1i_store_file_name(s, 0), "model.safetensors");
    assert_int_equal(r1i_store_container(s), R1I_SAFETENSORS);
    assert_null(r1i_store_gguf(s));
    assert_int_equal(r1i_store_bytes(s), 4);
    const r1i_entry *const b = r1i_store_find(s, "b");
    assert_ptr_equal(b, r1i_store_entry(s, 1));
    assert_memory_equal(b->data, "zw", 2);
    r1i_store_release_pages(s, b);
    assert_memory_equal(b->data, "zw", 2);
    assert_null(r1i_store_find(s, "c"));
    r1i_store_close(s);
    r1i_store_close(NULL);
}

static void test_gguf(void **state)
{
    (void)state;
    r1i_store *s;
    char path[400];
    empty_folder();
    put_gguf("m.gguf", "t", 0, 0, 0);
    expect("", R1_OK, NULL, 1);
    path_of(path, sizeof path, "m.gguf");
    assert_int_equal(r1i_store_open(path, NULL, &s, NULL), R1_OK);
    const r1i_entry *const t = r1i_store_find(s, "t");
    assert_true(t->n_dims == 3 && t->dim[0] == 2 && t->dim[1] == 3 && t->dim[2] == 4 && t->bytes == 96);
    assert_non_null(r1i_store_gguf(s));
    assert_int_equal(r1i_store_container(s), R1I_GGUF);
    r1i_store_close(s);
    put_gguf("n.gguf", "t", 0, 0, 0);
    expect("", R1_ERR_USAGE, "several GGUF models (m.gguf, n.gguf)", 0);
    put_shard("x.safetensors", "a", NULL); /* GGUF goes first, unless a config.json makes the safetensors a model */
    unlink(path);
    expect("", R1_OK, NULL, 1);
    put_text("config.json", "{}");
    put_shard("x.safetensors", "a", "b");
    expect("", R1_OK, NULL, 2);
    put_text("bad.gguf", "GGUX");
    expect("bad.gguf", R1_ERR_FORMAT, "bad.gguf: the file does not begin with GGUF", 0);
}

static void test_split(void **state)
{
    (void)state;
    empty_folder();
    put_gguf("m-00001-of-00003.gguf", "a", 0, 3, 3);
    put_gguf("m-00002-of-00003.gguf", "b", 1, 3, 3);
    expect("", R1_ERR_IO, "m-00003-of-00003.gguf: No such file", 0);
    put_gguf("m-00003-of-00003.gguf", "c", 2, 3, 3);
    expect("", R1_OK, NULL, 3);
    expect("m-00002-of-00003.gguf", R1_OK, NULL, 3); /* any of them names the set */
    put_gguf("m-00003-of-00003.gguf", "b", 2, 3, 3);
    expect("", R1_ERR_FORMAT, "tensor b is in m-00002-of-00003.gguf and in m-00003-of-00003.gguf", 0);
    put_gguf("m-00003-of-00003.gguf", "c", 1, 3, 3);
    expect("", R1_ERR_FORMAT, "split.no is 1, 2 expected", 0);
    put_gguf("m-00003-of-00003.gguf", "c", 2, 3, 3);
    put_gguf("m-00001-of-00003.gguf", "a", 0, 3, 4);
    expect("", R1_ERR_FORMAT, "split.tensors.count is 4, the files hold 3", 0);
    put_gguf("m-00001-of-00003.gguf", "a", 0, 4, 3);
    expect("", R1_ERR_FORMAT, "split.count is 4", 0);
    put_gguf("m-00001-of-00003.gguf", "a", 1, 3, 3);
    expect("", R1_ERR_FORMAT, "split.no is 1, the first file of a split has 0", 0);
    empty_folder();
    put_gguf("m-00002-of-00003.gguf", "b", 1, 3, 3);
    expect("", R1_ERR_FORMAT, "the first file of the split GGUF is missing", 0);
    put_gguf("plain.gguf", "a", 0, 3, 3);
    expect("plain.gguf", R1_ERR_FORMAT, "a name ending in -00001-of-00003.gguf is expected", 0);
}

static r1_status attempt(void *ctx, r1_error *err)
{
    (void)ctx;
    r1i_store *s;
    const r1_status st = r1i_store_open(folder, NULL, &s, err);
    r1i_store_close(s);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    empty_folder();
    put_shard("s1.safetensors", "a", "b");
    put_shard("s2.safetensors", "c", NULL);
    assert_true(fail_alloc_sweep(attempt, NULL) >= 10);
    put_text(INDEX, "{\"weight_map\":{\"c\":\"s2.safetensors\",\"a\":\"s1.safetensors\",\"b\":\"s1.safetensors\"}}");
    assert_true(fail_alloc_sweep(attempt, NULL) >= 10);
    empty_folder();
    put_gguf("m-00001-of-00002.gguf", "a", 0, 2, 2);
    put_gguf("m-00002-of-00002.gguf", "b", 1, 2, 2);
    assert_true(fail_alloc_sweep(attempt, NULL) >= 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_unindexed), cmocka_unit_test(test_indexed),
                                       cmocka_unit_test(test_lookup), cmocka_unit_test(test_gguf),
                                       cmocka_unit_test(test_split), cmocka_unit_test(test_no_memory)};
    snprintf(folder, sizeof folder, "/tmp/r1-store-%d", (int)getpid());
    if (mkdir(folder, 0700) != 0) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    empty_folder();
    rmdir(folder);
    return failed;
}
