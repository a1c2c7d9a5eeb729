/* Cut and flipped checkpoints all the way through loading: each ends in success or a named error, and what was accepted
 * runs a forward that ends in numbers or a named error. Memory stays below twice the files plus 64 MB. The seed is
 * printed; R1_SEED sets it. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/rng.h"
#include "model/forward.h"
#include "support/tiny_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

enum { FLIPS = 10000 / (SANITIZED ? 10 : 1), CUTS = 200 / (SANITIZED ? 4 : 1) };

static r1i_rng rng;
static int64_t below(int64_t n) { return (int64_t)r1i_rng_below(&rng, (uint64_t)n); }

/* Three tokens through what was accepted. Every value it can hold was checked, so any status but these is a fault. */
static void try_forward(const r1_model *m, const char *what)
{
    const int32_t token[3] = {1, 0, 2}, row[1] = {2}, pages[1] = {0};
    const r1i_run run = {.n = 3, .pages = pages};
    const r1i_batch b = {.token = token, .n = 3, .runs = &run, .n_runs = 1, .logit_row = row, .n_logits = 1};
    const size_t vocab = (size_t)m->config.vocab_size;
    r1i_arena scratch = {0};
    r1i_kv kv = {0};
    r1_error err = {0};
    r1i_exec ex = r1i_model_exec(m, NULL, &scratch, &err);
    float *const logits = malloc(vocab * sizeof *logits);
    assert_non_null(logits);
    r1_status st = r1i_arena_create(&scratch, "scratch", NULL, r1i_forward_scratch_bytes(m, 3, R1I_PAGE, 1), &err);
    if (st == R1_OK) st = r1i_kv_create(&kv, m, R1I_CACHE_F32, 1, true, NULL, &err);
    if (st == R1_OK) st = r1i_forward(&ex, m, &kv, &b, r1i_mat_of(logits, 1, (int64_t)vocab), NULL, NULL);
    if (st != R1_OK && (st == R1_ERR_BUG || strlen(err.message) < 10))
        fail_msg("%s: forward: %d %s", what, (int)st, err.message);
    r1i_kv_destroy(&kv);
    r1i_arena_destroy(&scratch);
    free(logits);
}

static bool try_open(const char *path, const char *what)
{
    const r1_env env = {.threads = 1};
    r1_model_params params = r1_model_params_default();
    r1_model *m;
    r1_error err = {0};
    params.load_mtp = true;
    const r1_status st = r1_model_open(path, &params, &env, &m, &err);
    if (st == R1_OK) {
        try_forward(m, what);
        r1_model_close(m);
        return true;
    }
    if (m || strlen(err.message) < 10 || (r1_status_exit_code(st, &err) != 3 && st != R1_ERR_NOMEM))
        fail_msg("%s: status %d: %s", what, (int)st, err.message);
    return false;
}

/* One file of the checkpoint, its bytes kept for repair. */
typedef struct victim {
    char file[600];
    uint8_t *bytes;
    int64_t size, header;
} victim;

static victim read_victim(const char *folder, const char *name)
{
    victim v;
    size_t size;
    snprintf(v.file, sizeof v.file, "%s/%s", folder, name);
    assert_int_equal(r1i_file_read(v.file, 1 << 26, &v.bytes, &size, NULL), R1_OK);
    v.size = (int64_t)size;
    v.header = v.size < 8192 ? v.size : 8192;
    return v;
}

static void flip(const victim *v, const char *path, int n)
{
    const int fd = open(v->file, O_RDWR);
    assert_true(fd >= 0);
    int accepted = 0;
    for (int i = 0; i < n; i++) {
        char what[768];
        const int64_t at = below(10) < 7 ? below(v->header) : below(v->size);
        const uint8_t bad = (uint8_t)(v->bytes[at] ^ (1 + below(255)));
        assert_int_equal(pwrite(fd, &bad, 1, at), 1);
        snprintf(what, sizeof what, "flip %s byte %lld %02x -> %02x", v->file, (long long)at, v->bytes[at], bad);
        accepted += try_open(path, what);
        assert_int_equal(pwrite(fd, &v->bytes[at], 1, at), 1);
    }
    close(fd);
    printf("%s: %d of %d flips accepted\n", strrchr(v->file, '/') + 1, accepted, n);
    assert_true(accepted < n);
}

static void cut(const victim *v, const char *path, int n)
{
    for (int i = 0; i < n; i++) {
        char what[768];
        const int64_t keep = i == 0 ? 0 : i == 1 ? v->size - 1 : i % 2 ? v->size * i / n : below(v->header);
        snprintf(what, sizeof what, "%s cut to %lld", v->file, (long long)keep);
        assert_int_equal(truncate(v->file, keep), 0);
        if (try_open(path, what) && keep < v->size - 32) fail_msg("%s: accepted", what);
        const int fd = open(v->file, O_RDWR);
        assert_true(fd >= 0 && pwrite(fd, v->bytes + keep, (size_t)(v->size - keep), keep) == v->size - keep);
        close(fd);
    }
}

static void test_corrupt_models(void **state)
{
    (void)state;
    static const tiny_model models[] = {
        {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3, .mtp = true},
        {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q8_0},
        {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q4_K, .old_mla = true},
        {.arch = R1I_QWEN2, .type = R1_DTYPE_BF16, .tied = true},
        {.arch = R1I_LLAMA, .type = R1_DTYPE_F16, .gguf = true},
    };
    enum { MODELS = sizeof models / sizeof *models };
    int64_t largest = 0;
    const uint64_t before = r1i_memory_resident();
    for (int i = 0; i < MODELS; i++) {
        char dir[256], path[512];
        tiny_model t = models[i];
        t.seed = r1i_rng_u64(&rng);
        tiny_folder_make(dir);
        tiny_model_write(&t, dir, path);
        assert_true(try_open(path, "untouched"));
        const bool gguf = strcmp(dir, path) != 0;
        victim v = read_victim(dir, gguf ? "model.gguf" : "model.safetensors");
        if (v.size > largest) largest = v.size;
        flip(&v, path, FLIPS / MODELS * (gguf ? 4 : 3) / 4);
        cut(&v, path, CUTS);
        free(v.bytes);
        if (!gguf) {
            v = read_victim(dir, "config.json");
            flip(&v, path, FLIPS / MODELS / 4);
            free(v.bytes);
        }
        assert_true(try_open(path, "repaired"));
        tiny_folder_remove(dir);
    }
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("largest resident %ld KiB, %llu KiB before, largest file %lld KiB\n", use.ru_maxrss,
           (unsigned long long)before / 1024, (long long)largest / 1024);
    if (!SANITIZED) assert_true((uint64_t)use.ru_maxrss * 1024 <= before + 2 * (uint64_t)largest + (64 << 20));
}

int main(void)
{
    const char *const given = getenv("R1_SEED");
    rng = (r1i_rng){.seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};
    printf("seed %llu\n", (unsigned long long)rng.seed);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_corrupt_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
