/* The program's own way out: `r1 score --logits` on the golden checkpoints writes the reference's logits, the same
 * bytes in chunks of any size. */
#include "support/test.h"

#include <unistd.h>

#include "backend/cpu/kernels.h"
#include "support/golden.h"

static const struct { const char *name; int sequences; bool mtp; } folder[] = {
    {"tiny-r1", 5, true}, {"tiny-r1-fp8", 5, true}, {"tiny-qwen2", 5, false}, {"tiny-llama", 5, false},
    {"tiny-r1-gguf", 3, false}, {"tiny-r1-gguf-old", 3, false},
};

static const char *const isa[] = {"c", "avx2", "avx512", "neon"};

static void write_ids(const char *path, const int32_t *id, int64_t n)
{
    FILE *const f = fopen(path, "w");
    assert_non_null(f);
    for (int64_t i = 0; i < n; i++) fprintf(f, "%d%c", id[i], i % 10 == 9 ? '\n' : ' ');
    fclose(f);
}

static void score(const char *model, const char *ids, const char *options, const char *out, const char *more)
{
    char command[4096];
    snprintf(command, sizeof command, "%s score '%s' --exact-activations --ids-file %s --logits %s %s %s > /dev/null",
             R1_PROGRAM, model, ids, out, options, more);
    const int status = system(command);
    if (status != 0) fail_msg("status %d of: %s", status, command);
}

static bool same_bytes(const char *a, const char *b)
{
    char command[512];
    snprintf(command, sizeof command, "cmp -s %s %s", a, b);
    return system(command) == 0;
}

static void compare(const golden *expect, const golden *got, const char *want_key, const char *got_key,
                    const char *where)
{
    int64_t shape[4], got_shape[4];
    const float *const want = golden_f32(expect, want_key, shape), *const have = golden_f32(got, got_key, got_shape);
    assert_non_null(want);
    assert_non_null(have);
    for (int d = 0; d < 4; d++) assert_int_equal(shape[d], got_shape[d]);
    const int64_t n = shape[0] * shape[1];
    const double off = golden_distance(have, want, n) / golden_deviation(want, n);
    printf("%s %s: %.1e\n", where, want_key, off);
    assert_true(off < 1e-4);
}

static void test_logits(void **state)
{
    char dir[] = "/tmp/r1-score-XXXXXX", ids[64], a[64], b[64], mtp[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(ids, sizeof ids, "%s/ids", dir);
    snprintf(a, sizeof a, "%s/a.safetensors", dir);
    snprintf(b, sizeof b, "%s/b.safetensors", dir);
    snprintf(mtp, sizeof mtp, "%s/mtp.safetensors", dir);
    for (size_t f = 0; f < sizeof folder / sizeof *folder; f++) {
        char relative[128], path[1024], expect_path[1100];
        snprintf(relative, sizeof relative, "golden/%s", folder[f].name);
        if (!golden_path(path, sizeof path, relative)) skip();
        snprintf(expect_path, sizeof expect_path, "%s/expect.safetensors", path);
        golden *const expect = golden_open(expect_path);
        assert_non_null(expect);
        for (int k = 0; k < folder[f].sequences; k++) {
            char key[64], more[128] = "";
            int64_t shape[4];
            snprintf(key, sizeof key, "tokens.%d", k);
            const int32_t *const token = golden_i32(expect, key, shape);
            assert_non_null(token);
            write_ids(ids, token, shape[0]);
            const bool with_mtp = folder[f].mtp && shape[0] > 1;
            if (with_mtp) snprintf(more, sizeof more, "--mtp-logits %s", mtp);
            score(path, ids, "", a, more);
            score(path, ids, "--chunk 7 --threads 3", b, "");
            assert_true(same_bytes(a, b));
            for (size_t i = 0; k == 0 && i < sizeof isa / sizeof *isa; i++) {
                char forced[32];
                r1i_cpu_kernels kernels;
                if (r1i_cpu_select(isa[i], &kernels, NULL) != R1_OK) continue; /* this processor lacks it */
                snprintf(forced, sizeof forced, "--isa %s", isa[i]);
                score(path, ids, forced, b, "");
                assert_true(same_bytes(a, b));
            }
            golden *const got = golden_open(a);
            assert_non_null(got);
            snprintf(key, sizeof key, "logits.%d", k);
            compare(expect, got, key, "logits", folder[f].name);
            golden_close(got);
            if (!with_mtp) continue;
            golden *const got_mtp = golden_open(mtp);
            assert_non_null(got_mtp);
            snprintf(key, sizeof key, "mtp_logits.%d", k);
            compare(expect, got_mtp, key, "mtp_logits", folder[f].name);
            golden_close(got_mtp);
        }
        golden_close(expect);
    }
    unlink(ids);
    unlink(a);
    unlink(b);
    unlink(mtp);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_logits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
