/* The environment: allocator callbacks, log, threads, checked arithmetic. */
#include "support/test.h"

#include "base/env.h"
#include "base/pool.h"
#include "support/count_alloc.h"
#include "support/fail_alloc.h"

typedef struct ledger {
    long live;
    size_t bytes;
    char last[64];
    r1_log_level level;
    uint64_t done, total;
} ledger;

static void *take(void *user, size_t bytes, size_t align)
{
    ledger *const l = user;
    l->live++;
    l->bytes += bytes;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void give(void *user, void *p, size_t bytes)
{
    ledger *const l = user;
    l->live--;
    l->bytes -= bytes;
    free(p);
}

static void hear(void *user, r1_log_level level, const char *message)
{
    ledger *const l = user;
    l->level = level;
    snprintf(l->last, sizeof l->last, "%s", message);
}

static void follow(void *user, const char *what, uint64_t done, uint64_t total)
{
    ledger *const l = user;
    (void)what;
    l->done = done;
    l->total = total;
}

static void test_callbacks(void **state)
{
    (void)state;
    ledger l = {0};
    const r1_env env = {.alloc = take, .release = give, .log = hear, .progress = follow, .user = &l};
    uint8_t *const p = r1i_alloc_zero(&env, 100);
    void *const q = r1i_alloc(&env, 0);
    assert_non_null(q);
    assert_int_equal((uintptr_t)p % R1I_ALIGN, 0);
    for (int i = 0; i < 100; i++) assert_int_equal(p[i], 0);
    assert_int_equal(l.live, 2);
    r1i_release(&env, p, 100);
    r1i_release(&env, q, 0);
    r1i_release(&env, NULL, 5);
    assert_true(l.live == 0 && l.bytes == 0);
    r1i_log(&env, R1_LOG_WARN, "%d keys ignored", 3);
    assert_string_equal(l.last, "3 keys ignored");
    assert_int_equal(l.level, R1_LOG_WARN);
    r1i_progress(&env, "loading", 1, 4);
    assert_true(l.done == 1 && l.total == 4);
    /* what the pool takes through env it gives back with the same sizes */
    r1i_pool *pool;
    assert_int_equal(r1i_pool_create(&env, 2, &pool, NULL), R1_OK);
    assert_true(l.live > 0);
    r1i_pool_destroy(pool);
    assert_true(l.live == 0 && l.bytes == 0);
}

static void test_without_callbacks(void **state)
{
    (void)state;
    const r1_env env = {0};
    const long before = count_alloc_live();
    void *const p = r1i_alloc(NULL, 1000), *const q = r1i_alloc(&env, 1);
    assert_int_equal((uintptr_t)p % R1I_ALIGN, 0);
    assert_int_equal(count_alloc_live(), before + 2);
    r1i_release(NULL, p, 1000);
    r1i_release(&env, q, 1);
    assert_int_equal(count_alloc_live(), before);
    assert_null(r1i_alloc(NULL, SIZE_MAX));
    assert_null(r1i_alloc(NULL, SIZE_MAX - R1I_ALIGN));
    assert_null(r1i_alloc_zero(NULL, SIZE_MAX / 2));
    r1i_log(NULL, R1_LOG_ERROR, "nobody hears");
    r1i_log(&env, R1_LOG_ERROR, "nobody hears");
    r1i_progress(&env, "x", 0, 1);
    assert_true(r1i_env_threads(NULL) >= 1);
    assert_int_equal(r1i_env_threads(&(r1_env){.threads = 5}), 5);
}

static void test_arithmetic(void **state)
{
    (void)state;
    size_t n;
    uint64_t u;
    assert_true(r1i_mul_size(SIZE_MAX / 2, 2, &n) && n == SIZE_MAX - 1);
    assert_false(r1i_mul_size(SIZE_MAX / 2 + 1, 2, &n));
    assert_true(r1i_add_size(SIZE_MAX - 1, 1, &n) && n == SIZE_MAX);
    assert_false(r1i_add_size(SIZE_MAX, 1, &n));
    assert_false(r1i_mul_u64(UINT64_C(1) << 32, UINT64_C(1) << 32, &u));
    assert_false(r1i_add_u64(UINT64_MAX, 1, &u));
    assert_int_equal(r1i_align_up(0, 64), 0);
    assert_int_equal(r1i_align_up(65, 64), 128);
}

/* The tools themselves: a test that cannot fail shows nothing. */
static r1_status leaks(void *ctx, r1_error *e)
{
    void **const kept = ctx;
    (void)e;
    void *const p = malloc(10);
    if (!p) return R1_ERR_NOMEM;
    void *const q = malloc(10);
    if (!q) {
        *kept = p;
        return R1_ERR_NOMEM;
    }
    free(p);
    free(q);
    return R1_OK;
}

static r1_status ignores(void *ctx, r1_error *e)
{
    (void)ctx;
    (void)e;
    free(malloc(10));
    return R1_OK;
}

static void test_sweep_finds_faults(void **state)
{
    (void)state;
    void *kept = NULL;
    assert_int_equal(fail_alloc_sweep(leaks, &kept), -1);
    free(kept);
    assert_int_equal(fail_alloc_sweep(ignores, NULL), -1);
}

static void test_features(void **state)
{
    (void)state;
    bool present;
    const char *adds;
    int n = 0;
    for (; r1_feature(n, &present, &adds); n++) assert_true(strlen(adds) > 5);
    assert_true(n > 0);
    assert_null(r1_feature(-1, &present, &adds));
    assert_true(strchr(r1_version(), '.') != NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_callbacks), cmocka_unit_test(test_without_callbacks),
                                       cmocka_unit_test(test_arithmetic), cmocka_unit_test(test_sweep_finds_faults),
                                       cmocka_unit_test(test_features)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
