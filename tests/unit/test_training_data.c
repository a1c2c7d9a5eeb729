/* Packing and the token cache: every document once an epoch and none cut, chunks within their length and close to the
 * least number, an order that follows from seed and epoch alone; a cache that gives the same documents and is made anew
 * when it is damaged. */
#include "support/test.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/token_cache.h"
#include "support/tiny_model.h"

enum { ROWS = 300, LENGTH = 96 };

static char dir[256], data[300];
static r1i_rng rng;

static void make_rows(void)
{
    FILE *const f = fopen(data, "wb");
    assert_non_null(f);
    for (int row = 0; row < ROWS; row++) {
        const int n = row % 50 == 7 ? LENGTH + 1 : 2 + (int)r1i_rng_below(&rng, LENGTH - 1);
        fprintf(f, "{\"input_ids\": [");
        for (int i = 0; i < n; i++) fprintf(f, "%s%d", i ? "," : "", i == 0 ? row : (int)r1i_rng_below(&rng, 1000));
        fprintf(f, "]}\n");
    }
    assert_int_equal(fclose(f), 0);
}

static r1i_training_data *open_data(const char *cache, bool keep_order, uint64_t seed)
{
    static const char *path[1];
    r1i_training_data *t;
    r1_error err;
    path[0] = data;
    const r1i_training_data_params p = {.path = path, .n_paths = 1, .sequence_length = LENGTH, .seed = seed,
                                        .keep_order = keep_order, .vocab_size = 1000, .cache_folder = cache};
    if (r1i_training_data_open(&p, NULL, NULL, NULL, &t, &err) != R1_OK) fail_msg("%s", err.message);
    return t;
}

/* The rows of an epoch in order, 0 between chunks: row + 1. Returns how many numbers. */
static int64_t list(r1i_training_data *t, int64_t epoch, int32_t *out)
{
    r1i_training_stats s;
    r1_error err;
    int64_t n = 0, seen[ROWS] = {0}, tokens = 0;
    r1i_training_data_stats(t, &s);
    for (int64_t c = 0; c < s.chunks; c++) {
        r1i_document d[R1I_CHUNK_DOCUMENTS];
        int64_t k, used = 0;
        assert_int_equal(r1i_training_data_chunk(t, epoch, c, d, R1I_CHUNK_DOCUMENTS, &k, &err), R1_OK);
        assert_true(k > 0);
        for (int64_t i = 0; i < k; i++) {
            assert_int_equal(d[i].ids[0], d[i].row);
            seen[d[i].row]++;
            used += d[i].n;
            out[n++] = (int32_t)d[i].row + 1;
        }
        assert_true(used <= LENGTH);
        tokens += used;
        out[n++] = 0;
    }
    assert_int_equal(tokens, s.tokens);
    for (int i = 0; i < ROWS; i++) assert_int_equal(seen[i], i % 50 == 7 ? 0 : 1);
    assert_int_equal(s.skipped, ROWS / 50);
    return n;
}

/* No two chunks fit into one: what opened the later one had no room in the earlier. So the two emptiest tell. And not
 * many more than full ones
 * would take: 11/9 of the least (best fit, longest first). */
static void check_fit(r1i_training_data *t, int64_t chunks)
{
    int64_t tokens = 0, large = 0, least[2] = {LENGTH, LENGTH};
    for (int64_t c = 0; c < chunks; c++) {
        r1i_document d[R1I_CHUNK_DOCUMENTS];
        r1_error err;
        int64_t k, used = 0;
        assert_int_equal(r1i_training_data_chunk(t, 0, c, d, R1I_CHUNK_DOCUMENTS, &k, &err), R1_OK);
        for (int64_t i = 0; i < k; i++) {
            used += d[i].n;
            large += 2 * d[i].n > LENGTH;
        }
        tokens += used;
        if (used < least[0]) least[1] = least[0], least[0] = used;
        else if (used < least[1]) least[1] = used;
    }
    const int64_t full = (tokens + LENGTH - 1) / LENGTH;
    assert_true(least[0] + least[1] > LENGTH);
    assert_true(chunks <= (full > large ? full : large) * 11 / 9 + 1);
}

static void test_packing(void **state)
{
    static int32_t a[2 * ROWS], b[2 * ROWS];
    (void)state;
    r1i_training_data *const t = open_data(NULL, false, 5), *const u = open_data(NULL, false, 5),
                             *const v = open_data(NULL, false, 6);
    r1i_training_stats s;
    r1i_training_data_stats(t, &s);
    check_fit(t, s.chunks);
    const int64_t n = list(t, 3, a);
    assert_int_equal(list(u, 0, b), n); /* another epoch first must not matter */
    assert_memory_not_equal(a, b, (size_t)n * sizeof *a);
    assert_int_equal(list(u, 3, b), n);
    assert_memory_equal(a, b, (size_t)n * sizeof *a);
    assert_int_equal(list(v, 3, b), n);
    assert_memory_not_equal(a, b, (size_t)n * sizeof *a);
    for (int64_t page = 1; page <= LENGTH; page *= 4) { /* t and v are in epoch 3, w in 0 */
        r1i_training_data *const w = open_data(NULL, false, 7);
        int64_t most = 0;
        for (int64_t c = 0; c < s.chunks; c++) {
            r1i_document d[R1I_CHUNK_DOCUMENTS];
            r1_error err;
            int64_t k, pages = 0;
            assert_int_equal(r1i_training_data_chunk(t, 3, c, d, R1I_CHUNK_DOCUMENTS, &k, &err), R1_OK);
            for (int64_t i = 0; i < k; i++) pages += (d[i].n + page - 1) / page;
            if (pages > most) most = pages;
        }
        assert_int_equal(r1i_training_data_pages(t, page), most);
        assert_int_equal(r1i_training_data_pages(v, page), most);
        assert_int_equal(r1i_training_data_pages(w, page), most);
        r1i_training_data_close(w);
    }
    r1i_training_data_close(t), r1i_training_data_close(u), r1i_training_data_close(v);
}

static void test_order(void **state)
{
    static int32_t a[2 * ROWS];
    (void)state;
    r1i_training_data *const t = open_data(NULL, true, 5);
    const int64_t n = list(t, 1, a);
    int32_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        assert_true(a[i] == 0 || a[i] > last);
        if (a[i]) last = a[i];
    }
    r1i_training_data_close(t);
}

static void test_cache(void **state)
{
    static int32_t a[2 * ROWS], b[2 * ROWS];
    char folder[300], path[500], key[R1I_SHA256_HEX];
    const char *const paths[1] = {data};
    r1_error err;
    (void)state;
    snprintf(folder, sizeof folder, "%s/tokens", dir);
    const r1i_training_data_params p = {.path = paths, .n_paths = 1, .sequence_length = LENGTH, .vocab_size = 1000};
    assert_int_equal(r1i_token_cache_key(&p, key, &err), R1_OK);
    snprintf(path, sizeof path, "%s/%s.tokens", folder, key);
    r1i_training_data *t = open_data(NULL, false, 5);
    const int64_t n = list(t, 0, a);
    r1i_training_data_close(t);
    for (int round = 0; round < 4; round++) { /* made, used, damaged and made anew, cut short and made anew */
        struct stat before = {0}, after;
        if (round == 2) {
            FILE *const f = fopen(path, "r+b");
            assert_non_null(f);
            fseek(f, -30, SEEK_END);
            fputc(0x55, f);
            fclose(f);
        }
        if (round == 3) assert_int_equal(truncate(path, 100), 0);
        if (round) stat(path, &before);
        t = open_data(folder, false, 5);
        assert_int_equal(list(t, 0, b), n);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        r1i_training_data_close(t);
        assert_int_equal(stat(path, &after), 0);
        if (round == 1) assert_true(before.st_ino == after.st_ino);
        else if (round > 1) assert_true(before.st_ino != after.st_ino || before.st_size != after.st_size);
    }
    r1i_training_data_params other = p;
    char key2[R1I_SHA256_HEX];
    other.think = true;
    assert_int_equal(r1i_token_cache_key(&other, key2, &err), R1_OK);
    assert_string_not_equal(key, key2);
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const char *const given = getenv("R1_TEST_SEED");
    const uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    rng = (r1i_rng){.seed = seed};
    tiny_folder_make(dir);
    snprintf(data, sizeof data, "%s/rows.jsonl", dir);
    make_rows();
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_packing), cmocka_unit_test(test_order),
                                       cmocka_unit_test(test_cache)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    tiny_folder_remove(dir);
    return failed;
}
