/* Every checkpoint of ../shared/golden opens, and its configuration is the one it was made with. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/config.h"

#define GOLDEN R1_SOURCE_DIR "/../shared/golden/"

static void open_config(const char *folder, r1i_store **store, r1i_config *c)
{
    char path[512];
    r1_error err = {0};
    snprintf(path, sizeof path, GOLDEN "%s", folder);
    r1_status st = r1i_store_open(path, NULL, store, &err);
    if (st == R1_OK) st = r1i_config_read(*store, c, NULL, &err);
    if (st != R1_OK) fail_msg("%s: %s", folder, err.message);
}

/* Elements of all entries whose name does not end in _scale_inv. */
static uint64_t elements(const r1i_store *store)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < r1i_store_count(store); i++) {
        const r1i_entry *const e = r1i_store_entry(store, i);
        uint64_t n = strstr(e->name, "_scale_inv") ? 0 : 1;
        for (int d = 0; d < e->n_dims; d++) n *= (uint64_t)e->dim[d];
        sum += n;
    }
    return sum;
}

static void check_tiny_r1(const char *folder, int64_t entries, int files, bool fp8)
{
    r1i_store *store;
    r1i_config c;
    r1i_param_count n;
    open_config(folder, &store, &c);
    assert_int_equal(c.arch, R1I_DEEPSEEK_V3);
    assert_int_equal(c.hidden_size, 192);
    assert_int_equal(c.n_routed_experts, 12);
    assert_int_equal(c.n_group, 4);
    assert_int_equal(c.topk_group, 2);
    assert_int_equal(c.num_nextn_predict_layers, 1);
    assert_int_equal(c.rope_kind, R1I_ROPE_YARN);
    assert_true(c.rope_factor == 4 && c.rope_mscale == 1 && c.rope_mscale_all_dim == 1 && c.rope_interleaved);
    assert_true(c.quantized_fp8 == fp8);
    assert_int_equal(r1i_store_count(store), entries);
    assert_int_equal(r1i_store_files(store), files);
    assert_null(r1i_store_gguf(store));
    r1i_config_count(&c, &n);
    assert_int_equal(elements(store), n.stored);
    r1i_store_close(store);
}

static void test_tiny_r1(void **state)
{
    (void)state;
    check_tiny_r1("tiny-r1", 221, 1, false);
    check_tiny_r1("tiny-r1-fp8", 405, 3, true);
}

static void test_dense(void **state)
{
    (void)state;
    r1i_store *store;
    r1i_config c;
    r1i_param_count n;
    open_config("tiny-qwen2", &store, &c);
    assert_true(c.arch == R1I_QWEN2 && c.attention_bias && c.tie_word_embeddings && c.head_dim == 32 &&
                !c.rope_interleaved);
    r1i_config_count(&c, &n);
    assert_int_equal(elements(store), n.total);
    assert_int_equal(n.stored, n.total);
    const r1i_entry *const e = r1i_store_find(store, "model.layers.2.mlp.down_proj.weight");
    assert_non_null(e);
    assert_true(e->type == R1_DTYPE_BF16 && e->n_dims == 2 && e->dim[0] == 128 && e->dim[1] == 304 &&
                e->bytes == 2 * 128 * 304);
    assert_null(r1i_store_find(store, "lm_head.weight"));
    r1i_store_close(store);
    open_config("tiny-llama", &store, &c);
    assert_true(c.arch == R1I_LLAMA && !c.attention_bias && c.head_dim == 16 && c.rope_kind == R1I_ROPE_LLAMA3);
    assert_true(c.rope_factor == 8 && c.rope_low_freq_factor == 1 && c.rope_high_freq_factor == 4);
    r1i_config_count(&c, &n);
    assert_int_equal(elements(store), n.total);
    r1i_store_close(store);
}

static void test_gguf(void **state)
{
    (void)state;
    static const char *const folders[] = {"tiny-r1-gguf", "tiny-r1-gguf-old", "tiny-r1-gguf/model-00002-of-00003.gguf"};
    for (int i = 0; i < 3; i++) {
        r1i_store *store;
        r1i_config c;
        r1i_param_count n;
        open_config(folders[i], &store, &c);
        assert_true(c.arch == R1I_DEEPSEEK_V3 && c.hidden_size == 256 && c.qk_nope_head_dim == 64 &&
                    c.qk_rope_head_dim == 32);
        assert_true(c.v_head_dim == 64 && c.rope_interleaved && c.rope_mscale_all_dim == 1 && c.rms_norm_eps == 1e-6);
        assert_int_equal(c.n_group, i == 1 ? 1 : 4);
        assert_int_equal(c.topk_group, i == 1 ? 1 : 2);
        assert_int_equal(r1i_store_count(store), i == 1 ? 66 : 70);
        r1i_config_count(&c, &n);
        assert_int_equal(elements(store), n.total);
        const r1i_entry *const e = r1i_store_find(store, "blk.1.ffn_gate_exps.weight");
        assert_true(e && e->n_dims == 3 && e->dim[0] == 8 && e->dim[1] == 256 && e->dim[2] == 256);
        r1i_store_close(store);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tiny_r1), cmocka_unit_test(test_dense),
                                       cmocka_unit_test(test_gguf)};
    if (!r1i_is_directory(GOLDEN)) return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
