/* Files of panels from the outside: the same bits with and without, and every way in which one must not be used. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "format/panel_file.h"
#include "model/model.h"
#include "r1/convert.h"
#include "support/fail_alloc.h"
#include "support/model_run.h"
#include "support/tiny_model.h"

enum { N = 40, VOCAB = 320 };

static char dir[256], path[512], sidecar[600];
static char log_text[2048];

static int setup(void **state)
{
    (void)state;
    tiny_folder_make(dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    tiny_folder_remove(dir);
    return 0;
}

static void on_log(void *user, r1_log_level level, const char *message)
{
    (void)user;
    if (level >= R1_LOG_WARN) snprintf(log_text, sizeof log_text, "%s", message);
}
static const r1_env env = {.threads = 2, .log = on_log};

static void make(const tiny_model *t)
{
    tiny_model_write(t, dir, path);
    snprintf(sidecar, sizeof sidecar, "%s.r1panels", path);
    if (strcmp(path, dir) == 0) snprintf(sidecar, sizeof sidecar, "%s/model.safetensors.r1panels", dir);
}

static void convert(r1_compute compute)
{
    r1_panels_info info;
    r1_error err = {0};
    if (r1_panels_write(path, NULL, compute, &env, &info, &err) != R1_OK) fail_msg("%s", err.message);
    assert_string_equal(info.path, sidecar);
    assert_int_equal(access(sidecar, F_OK), 0);
}

/* Logits of a few tokens, and how much came from the file of panels. */
static void logits_with(r1_model_params params, const char *panels, float *logits, r1_model_info *info)
{
    r1_model *m;
    model_run r;
    r1_error err = {0};
    int32_t token[N];
    params.panels = panels;
    log_text[0] = '\0';
    if (r1_model_open(path, &params, &env, &m, &err) != R1_OK) fail_msg("%s", err.message);
    r1_model_get_info(m, info);
    model_run_wrap(&r, m, N, 1, R1I_CACHE_F32, 2);
    for (int i = 0; i < N; i++) token[i] = (i * 37 + 11) % VOCAB;
    model_run_all(&r, token, N, logits, NULL, NULL);
    model_run_close(&r);
    r1_model_close(m);
}

static float plain[N * VOCAB], mapped[N * VOCAB];

/* Every architecture in every weight type. Without one untied table in the file nothing is packed at all. */
static void test_same_bits(void **state)
{
    (void)state;
    for (int arch = R1I_DEEPSEEK_V3; arch <= R1I_LLAMA; arch++)
        for (int type = 0; type < R1_DTYPE_COUNT; type++) {
            const tiny_model t = {.arch = (r1i_arch)arch, .type = (r1_dtype)type, .mtp = arch == R1I_DEEPSEEK_V3,
                                  .old_mla = type % 2, .tied = type % 3 == 0 && arch != R1I_DEEPSEEK_V3, .seed = 1};
            r1_model_params params = r1_model_params_default();
            r1_model_info a, b;
            if (!r1i_weight_type_ok(t.type) || (type == R1_DTYPE_F8_E4M3 && arch != R1I_DEEPSEEK_V3)) continue;
            params.load_mtp = t.mtp;
            make(&t);
            logits_with(params, NULL, plain, &a);
            assert_int_equal(a.panel_bytes, 0);
            convert(R1_COMPUTE_F32);
            logits_with(params, NULL, mapped, &b);
            assert_string_equal(log_text, "");
            assert_memory_equal(plain, mapped, sizeof plain);
            assert_true(b.panel_bytes > 0 && b.panel_bytes + 262144 > a.weight_bytes &&
                        b.weight_bytes <= a.weight_bytes);
            assert_int_equal(a.mapped_bytes, b.mapped_bytes);
            unlink(sidecar);
            unlink(path);
        }
}

/* The two arithmetics have different panels of float weights, and each finds its own; what the file lacks is packed. */
static void test_compute(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3, .seed = 3};
    r1_model_params params = r1_model_params_default();
    r1_model_info a, b;
    make(&t);
    for (int made = 0; made < 2; made++) {
        convert(made ? R1_COMPUTE_BF16 : R1_COMPUTE_F32);
        for (int used = 0; used < 2; used++) {
            params.compute = used ? R1_COMPUTE_BF16 : R1_COMPUTE_F32;
            logits_with(params, "", plain, &a);
            logits_with(params, sidecar, mapped, &b);
            assert_memory_equal(plain, mapped, sizeof plain);
            assert_int_equal(a.panel_bytes, 0);
            assert_true(made == used ? b.panel_bytes > a.weight_bytes / 2 : b.panel_bytes < a.weight_bytes / 2);
        }
    }
    unlink(sidecar);
}

/* Beside the checkpoint: passed over with a warning, and the right bits. Named: an error. */
static void refused(const char *why)
{
    r1_model_params params = r1_model_params_default();
    r1_model_info info;
    r1_model *m;
    r1_error err = {0};
    logits_with(params, NULL, mapped, &info);
    assert_int_equal(info.panel_bytes, 0);
    assert_memory_equal(plain, mapped, sizeof plain);
    if (!strstr(log_text, why) || !strstr(log_text, "not used") || !strstr(log_text, sidecar))
        fail_msg("\"%s\" does not say \"%s\"", log_text, why);
    params.panels = sidecar;
    assert_true(r1_model_open(path, &params, &env, &m, &err) != R1_OK);
    assert_null(m);
    if (!strstr(err.message, why)) fail_msg("\"%s\" does not say \"%s\"", err.message, why);
}

static void write_bytes(const char *file, uint64_t at, const void *bytes, size_t n)
{
    const int fd = open(file, O_WRONLY);
    assert_true(fd >= 0 && pwrite(fd, bytes, n, (off_t)at) == (ssize_t)n);
    close(fd);
}

static void keep_times(const char *file, const struct timespec mtime)
{
    const struct timespec both[2] = {mtime, mtime};
    assert_int_equal(utimensat(AT_FDCWD, file, both, 0), 0);
}

static void test_not_this_checkpoint(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_LLAMA, .type = R1_DTYPE_Q8_0, .seed = 4},
                     other = {.arch = R1I_LLAMA, .type = R1_DTYPE_Q4_0, .seed = 4},
                     twin = {.arch = R1I_LLAMA, .type = R1_DTYPE_Q8_0, .seed = 5};
    r1_model_info info;
    struct stat s;
    make(&t);
    logits_with(r1_model_params_default(), NULL, plain, &info);
    convert(R1_COMPUTE_F32);
    logits_with(r1_model_params_default(), NULL, mapped, &info);
    assert_true(info.panel_bytes > 0);
    assert_int_equal(stat(path, &s), 0);
    keep_times(path, (struct timespec){s.st_mtim.tv_sec, s.st_mtim.tv_nsec + 1 - 2 * (s.st_mtim.tv_nsec == 999999999)});
    refused("time stamps");
    keep_times(path, s.st_mtim); /* as it was: it fits again */
    logits_with(r1_model_params_default(), NULL, mapped, &info);
    assert_true(info.panel_bytes > 0);
    make(&twin);
    keep_times(path, s.st_mtim);
    logits_with(r1_model_params_default(), "", plain, &info);
    refused("other values");
    make(&other);
    keep_times(path, s.st_mtim);
    logits_with(r1_model_params_default(), "", plain, &info);
    refused("other sizes");
    unlink(sidecar);
    unlink(path);
}

static void test_not_whole(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_QWEN2, .type = R1_DTYPE_Q4_K, .seed = 6};
    r1_model_info info;
    r1_panels_info seen;
    r1_checkpoint *k;
    r1_error err = {0};
    struct stat s;
    make(&t);
    logits_with(r1_model_params_default(), NULL, plain, &info);
    convert(R1_COMPUTE_F32);
    assert_int_equal(r1_checkpoint_open(path, &env, &k, &err), R1_OK);
    assert_int_equal(r1_panels_check(k, NULL, true, &env, &seen, &err), R1_OK);
    assert_true(seen.present && seen.valid && seen.extents == 2 * 7 + 1);
    assert_int_equal(stat(sidecar, &s), 0);
    assert_int_equal(seen.bytes, s.st_size);
    assert_int_equal(s.st_size % 4096, 0);
    /* a flipped bit in the data: opening does not read it, checking finds it and names it */
    uint8_t byte = 0;
    int fd = open(sidecar, O_RDWR);
    assert_true(fd >= 0 && pread(fd, &byte, 1, 3 * 4096 + 5) == 1);
    byte ^= 0x10;
    write_bytes(sidecar, 3 * 4096 + 5, &byte, 1);
    assert_int_equal(r1_panels_check(k, NULL, false, &env, &seen, &err), R1_OK);
    assert_true(seen.valid);
    assert_int_equal(r1_panels_check(k, NULL, true, &env, &seen, &err), R1_OK);
    assert_true(seen.present && !seen.valid);
    assert_non_null(strstr(seen.problem, "do not fit their checksum"));
    close(fd);
    /* a flipped bit anywhere in header or table */
    for (uint64_t at = 0; at < 128 + 80; at += 3) {
        convert(R1_COMPUTE_F32);
        fd = open(sidecar, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, (off_t)at), 1);
        close(fd);
        byte ^= (uint8_t)(1u << at % 8);
        write_bytes(sidecar, at, &byte, 1);
        refused("");
        assert_int_equal(r1_panels_check(k, NULL, false, &env, &seen, &err), R1_OK);
        assert_true(seen.present && !seen.valid && seen.problem[0]);
    }
    static const int64_t cuts[] = {-1, -4096, -100000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        convert(R1_COMPUTE_F32);
        assert_int_equal(truncate(sidecar, s.st_size + cuts[i]), 0);
        refused("was cut");
    }
    assert_int_equal(truncate(sidecar, 100), 0);
    refused("too few");
    assert_int_equal(truncate(sidecar, 0), 0);
    refused("too few");
    unlink(sidecar);
    assert_int_equal(r1_panels_check(k, NULL, true, &env, &seen, &err), R1_OK);
    assert_true(!seen.present && !seen.valid);
    r1_checkpoint_close(k);
    unlink(path);
}

/* Extents begin at pages, those of an expert side by side, and two openings share one file's pages read-only. */
static void test_extents(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_Q8_0, .seed = 7};
    r1_model *m;
    r1_error err = {0};
    make(&t);
    convert(R1_COMPUTE_F32);
    assert_int_equal(r1_model_open(path, NULL, &env, &m, &err), R1_OK);
    const r1i_layer *const l = &m->layer[1];
    for (int64_t x = 0; x < m->config.n_routed_experts; x++) {
        const r1i_ffn *const e = &l->expert[x];
        assert_true((uintptr_t)e->gate.data % 4096 == 0 && (uintptr_t)e->up.data % 4096 == 0 &&
                    (uintptr_t)e->down.data % 4096 == 0);
        assert_true(e->gate.data < e->up.data && e->up.data < e->down.data);
        if (x > 0) assert_true(l->expert[x - 1].down.data < e->gate.data && e->down.data - e->gate.data < 100000);
    }
    assert_true(m->arena.size < 65536);
    r1_model_close(m);
    unlink(sidecar);
    unlink(path);
}

static r1_status write_once(void *ctx, r1_error *err)
{
    (void)ctx;
    const r1_env one = {.threads = 1};
    const r1_status st = r1_panels_write(path, NULL, R1_COMPUTE_F32, &one, NULL, err);
    if (st != R1_OK) {
        char temporary[640];
        snprintf(temporary, sizeof temporary, "%s.tmp", sidecar);
        if (access(temporary, F_OK) == 0 || access(sidecar, F_OK) == 0) return R1_ERR_BUG;
    }
    return st;
}

static r1_status open_once(void *ctx, r1_error *err)
{
    (void)ctx;
    r1_model *m;
    const r1_env one = {.threads = 1};
    const r1_status st = r1_model_open(path, NULL, &one, &m, err);
    r1_model_close(m);
    return st;
}

static r1_status check_once(void *ctx, r1_error *err)
{
    r1_panels_info seen;
    const r1_env one = {.threads = 1};
    const r1_status st = r1_panels_check(ctx, NULL, true, &one, &seen, err);
    return st != R1_OK || seen.valid ? st : R1_ERR_BUG;
}

static void test_no_memory(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_LLAMA, .type = R1_DTYPE_Q8_0, .seed = 8};
    r1_checkpoint *k;
    make(&t);
    assert_true(fail_alloc_sweep(write_once, NULL) > 8);
    assert_true(fail_alloc_sweep(open_once, NULL) > 5);
    assert_int_equal(r1_checkpoint_open(path, NULL, &k, NULL), R1_OK);
    assert_true(fail_alloc_sweep(check_once, k) > 3);
    r1_checkpoint_close(k);
    unlink(sidecar);
    unlink(path);
}

/* A disk that is too small, places that cannot be written to, a checkpoint with a NaN: named, and nothing is left. */
static void test_refusals(void **state)
{
    (void)state;
    const tiny_model t = {.arch = R1I_LLAMA, .type = R1_DTYPE_Q8_0, .seed = 9};
    r1_error err = {0};
    char file[600];
    make(&t);
    assert_int_equal(r1_panels_write(path, "/dev/full", R1_COMPUTE_F32, &env, NULL, &err), R1_ERR_IO);
    assert_non_null(strstr(err.message, "/dev/full: a regular file is wanted"));
    assert_int_equal(r1_panels_write(path, dir, R1_COMPUTE_F32, &env, NULL, &err), R1_ERR_IO);
    assert_int_equal(r1_panels_write(path, "/nonexistent/x", R1_COMPUTE_F32, &env, NULL, &err), R1_ERR_IO);
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    r1i_store *store;
    assert_int_equal(r1i_store_open(path, NULL, &store, NULL), R1_OK);
    const r1i_entry *const e = r1i_store_find(store, "blk.1.ffn_down.weight");
    const uint16_t infinite = 0x7c00;
    const uint64_t at = e->offset + 34 * 7;
    r1i_store_close(store);
    write_bytes(path, at, &infinite, sizeof infinite);
    snprintf(file, sizeof file, "%s/out", dir);
    assert_int_equal(r1_panels_write(path, file, R1_COMPUTE_F32, &env, NULL, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "blk.1.ffn_down.weight"));
    assert_int_equal(access(file, F_OK), -1);
    strcat(file, ".tmp");
    assert_int_equal(access(file, F_OK), -1);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bits), cmocka_unit_test(test_compute),   cmocka_unit_test(test_not_this_checkpoint),
        cmocka_unit_test(test_not_whole), cmocka_unit_test(test_extents),   cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
