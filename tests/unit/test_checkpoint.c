/* r1_checkpoint: bare config.json against the published totals, files against their configuration. */
#include "support/test.h"

#include <sys/stat.h>
#include <unistd.h>

#include "format/safetensors.h"
#include "r1/checkpoint.h"
#include "support/fail_alloc.h"
#include "support/golden.h"

static const char r1_config[] = R1_TEST_DIR "/fixtures/r1/config.json";

static const r1_tensor_info *find(const r1_checkpoint *k, const char *name)
{
    for (int64_t i = 0; i < r1_checkpoint_tensor_count(k); i++)
        if (strcmp(r1_checkpoint_tensor(k, i)->name, name) == 0) return r1_checkpoint_tensor(k, i);
    return NULL;
}

static const char *hparam(const r1_checkpoint *k, const char *key)
{
    for (int i = 0; i < r1_checkpoint_hparam_count(k); i++)
        if (strcmp(r1_checkpoint_hparam(k, i)->key, key) == 0) return r1_checkpoint_hparam(k, i)->value;
    return "absent";
}

static void test_bare_r1(void **state)
{
    (void)state;
    r1_checkpoint *k;
    r1_error e = {0};
    if (r1_checkpoint_open(r1_config, NULL, &k, &e) != R1_OK) fail_msg("%s", e.message);
    const r1_checkpoint_summary *const s = r1_checkpoint_get_summary(k);
    assert_string_equal(s->format, "config");
    assert_string_equal(s->architecture, "deepseek_v3");
    assert_string_equal(s->path, r1_config);
    assert_null(s->name);
    assert_true(s->parameters == 671026419200u && s->parameters_active == 36625618432u &&
                s->parameters_mtp == 11610068224u);
    assert_true(s->parameters_stored == 684489845504u && s->tensors == 91991 && s->bytes == 688574839360u &&
                s->files == 0);
    uint64_t bytes = 0, scales = 0, by_type[R1_DTYPE_COUNT] = {0};
    for (int64_t i = 0; i < r1_checkpoint_tensor_count(k); i++) {
        const r1_tensor_info *const t = r1_checkpoint_tensor(k, i);
        uint64_t n = 1;
        for (int d = 0; d < t->n_dims; d++) n *= (uint64_t)t->dim[d];
        bytes += t->bytes;
        by_type[t->type] += n;
        scales += strstr(t->name, "_scale_inv") != NULL;
    }
    assert_true(bytes == s->bytes && scales == 45808);
    assert_true(by_type[R1_DTYPE_F8_E4M3] == 680571043840u && by_type[R1_DTYPE_BF16] == 3918786560u &&
                by_type[R1_DTYPE_F32] == 41555600u);
    const r1_tensor_info *const t = find(k, "model.layers.61.self_attn.kv_a_proj_with_mqa.weight_scale_inv");
    assert_true(t && t->type == R1_DTYPE_F32 && t->n_dims == 2 && t->dim[0] == 5 && t->dim[1] == 56 && !t->file);
    assert_string_equal(hparam(k, "kv_lora_rank"), "512");
    assert_string_equal(hparam(k, "rms_norm_eps"), "1e-6");
    assert_string_equal(hparam(k, "scoring_func"), "\"sigmoid\"");
    assert_string_equal(hparam(k, "routed_scaling_factor"), "2.5");
    assert_string_equal(hparam(k, "tie_word_embeddings"), "false");
    assert_int_equal(r1_checkpoint_ignored_count(k), 7);
    assert_string_equal(r1_checkpoint_ignored(k, 0), "attention_dropout");
    r1_checkpoint_close(k);
    r1_checkpoint_close(NULL);
}

/* ---- files made here --------------------------------------------------------------------------------------------- */

static char folder[64];

#define TINY "{\"model_type\":\"llama\",\"vocab_size\":8,\"hidden_size\":4,\"intermediate_size\":6,\"num_hidden_layers\":1," \
             "\"num_attention_heads\":2,\"num_key_value_heads\":1,\"max_position_embeddings\":16,\"rms_norm_eps\":1e-5"

static void put_config(const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *const f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

enum { N_TINY = 12 };
static const r1i_safetensors_item tiny[N_TINY] = {
    {"model.embed_tokens.weight", R1_DTYPE_F32, 2, {8, 4}}, {"model.layers.0.input_layernorm.weight", R1_DTYPE_F32, 1, {4}},
    {"model.layers.0.self_attn.q_proj.weight", R1_DTYPE_F32, 2, {4, 4}}, {"model.layers.0.self_attn.k_proj.weight", R1_DTYPE_F32, 2, {2, 4}},
    {"model.layers.0.self_attn.v_proj.weight", R1_DTYPE_F32, 2, {2, 4}}, {"model.layers.0.self_attn.o_proj.weight", R1_DTYPE_F32, 2, {4, 4}},
    {"model.layers.0.post_attention_layernorm.weight", R1_DTYPE_F32, 1, {4}}, {"model.layers.0.mlp.gate_proj.weight", R1_DTYPE_F32, 2, {6, 4}},
    {"model.layers.0.mlp.up_proj.weight", R1_DTYPE_F32, 2, {6, 4}}, {"model.layers.0.mlp.down_proj.weight", R1_DTYPE_F32, 2, {4, 6}},
    {"model.norm.weight", R1_DTYPE_F32, 1, {4}}, {"lm_head.weight", R1_DTYPE_F32, 2, {8, 4}}};

/* Writes items[n] as zeros. */
static void put_model(const r1i_safetensors_item *items, int n)
{
    static const uint8_t zeros[4096];
    const void *data[24];
    char path[128];
    r1_error e = {0};
    for (int i = 0; i < n; i++) data[i] = zeros;
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    if (r1i_safetensors_write(path, items, data, n, &e) != R1_OK) fail_msg("%s", e.message);
}

static void expect(r1_status status, const char *text)
{
    r1_checkpoint *k;
    r1_error e = {0};
    const r1_status st = r1_checkpoint_open(folder, NULL, &k, &e);
    if (st != status || (text && !strstr(e.message, text))) fail_msg("status %d: %s", (int)st, e.message);
    assert_true((st == R1_OK) == (k != NULL));
    r1_checkpoint_close(k);
}

static void test_audit(void **state)
{
    (void)state;
    r1i_safetensors_item t[N_TINY + 2];
    put_config(TINY "}");
    put_model(tiny, N_TINY);
    expect(R1_OK, NULL);
    put_model(tiny, N_TINY - 1);
    expect(R1_ERR_SHAPE, "tensor lm_head.weight is missing");
    memcpy(t, tiny, sizeof tiny);
    t[3].dim[0] = 3;
    put_model(t, N_TINY);
    expect(R1_ERR_SHAPE, "tensor model.layers.0.self_attn.k_proj.weight is [3, 4], the configuration asks for [2, 4]");
    memcpy(t, tiny, sizeof tiny);
    t[1].n_dims = 2;
    t[1].dim[1] = 1;
    put_model(t, N_TINY);
    expect(R1_ERR_SHAPE, "tensor model.layers.0.input_layernorm.weight is [4, 1], the configuration asks for [4]");
    memcpy(t, tiny, sizeof tiny);
    t[N_TINY] = (r1i_safetensors_item){"model.layers.0.self_attn.q_norm.weight", R1_DTYPE_F32, 1, {2}};
    put_model(t, N_TINY + 1);
    expect(R1_ERR_UNSUPPORTED, "tensor model.layers.0.self_attn.q_norm.weight has no place in a llama model");
    t[N_TINY].name = "model.layers.0.self_attn.rotary_emb.inv_freq";
    put_model(t, N_TINY + 1);
    expect(R1_OK, NULL);
    put_model(tiny, N_TINY); /* a stored copy of tied embeddings */
    put_config(TINY ",\"tie_word_embeddings\":true}");
    expect(R1_OK, NULL);
}

static void test_fp8(void **state)
{
    (void)state;
    r1i_safetensors_item t[N_TINY + 1];
    put_config(TINY "}");
    memcpy(t, tiny, sizeof tiny);
    t[2].type = R1_DTYPE_F8_E4M3;
    put_model(t, N_TINY);
    expect(R1_ERR_SHAPE, "q_proj.weight_scale_inv is missing (its weight is F8_E4M3)");
    t[N_TINY] = (r1i_safetensors_item){"model.layers.0.self_attn.q_proj.weight_scale_inv", R1_DTYPE_F32, 2, {1, 1}};
    put_model(t, N_TINY + 1);
    expect(R1_OK, NULL);
    t[N_TINY].dim[1] = 2;
    put_model(t, N_TINY + 1);
    expect(R1_ERR_SHAPE, "weight_scale_inv is [1, 2], the configuration asks for [1, 1]");
    t[N_TINY].dim[1] = 1;
    t[2].type = R1_DTYPE_F32; /* a scale without its fp8 weight */
    put_model(t, N_TINY + 1);
    expect(R1_ERR_UNSUPPORTED, "weight_scale_inv has no place");
    memcpy(t, tiny, sizeof tiny);
    t[1].type = R1_DTYPE_F8_E4M3;
    put_model(t, N_TINY);
    expect(R1_ERR_UNSUPPORTED, "input_layernorm.weight is F8_E4M3, which has no scales here");
}

static void test_config_only(void **state)
{
    (void)state;
    static const struct { const char *text; r1_status status; const char *says; uint64_t bytes; } cases[] = {
        {TINY "}", R1_OK, NULL, 392}, {TINY ",\"dtype\":\"float32\"}", R1_OK, NULL, 784},
        {TINY ",\"torch_dtype\":\"torch.float16\"}", R1_OK, NULL, 392},
        {TINY ",\"torch_dtype\":\"int3\"}", R1_ERR_FORMAT, "key torch_dtype", 0},
        {TINY, R1_ERR_FORMAT, "config.json: JSON line 1", 0},
        {"[]", R1_ERR_FORMAT, "config.json: not a JSON object", 0}};
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        r1_checkpoint *k;
        r1_error e = {0};
        put_config(cases[i].text);
        const r1_status st = r1_checkpoint_open(path, NULL, &k, &e);
        if (st != cases[i].status || (cases[i].says && !strstr(e.message, cases[i].says)))
            fail_msg("status %d: %s", (int)st, e.message);
        if (k) assert_int_equal(r1_checkpoint_get_summary(k)->bytes, cases[i].bytes);
        if (k) assert_int_equal(r1_checkpoint_get_summary(k)->tensors, N_TINY);
        r1_checkpoint_close(k);
    }
    /* allowed values, but more tensors than can be listed */
    put_config("{\"model_type\":\"deepseek_v3\",\"vocab_size\":8,\"hidden_size\":4,\"intermediate_size\":6,\"num_hidden_layers\":4096,"
               "\"num_attention_heads\":2,\"max_position_embeddings\":16,\"rms_norm_eps\":1e-5,\"q_lora_rank\":4,\"kv_lora_rank\":4,\"qk_nope_head_dim\":2,"
               "\"qk_rope_head_dim\":2,\"v_head_dim\":2,\"n_routed_experts\":16384,\"num_experts_per_tok\":1,\"moe_intermediate_size\":1,"
               "\"first_k_dense_replace\":0,\"n_group\":1,\"topk_group\":1,\"routed_scaling_factor\":1}");
    r1_checkpoint *k;
    r1_error e = {0};
    assert_int_equal(r1_checkpoint_open(path, NULL, &k, &e), R1_ERR_RANGE);
    assert_non_null(strstr(e.message, "more than 4194304 tensors"));
    assert_null(k);
}

/* ---- the shared checkpoints -------------------------------------------------------------------------------------- */

static void test_golden(void **state)
{
    (void)state;
    static const struct { const char *folder, *format; uint64_t tensors, stored, files; } all[] = {
        {"tiny-r1", "safetensors", 221, 2287376, 1}, {"tiny-r1-fp8", "safetensors", 405, 2287376, 3}, {"tiny-qwen2", "safetensors", 38, 540288, 1},
        {"tiny-llama", "safetensors", 30, 601984, 1}, {"tiny-r1-gguf", "gguf", 70, 7612696, 3}, {"tiny-r1-gguf-old", "gguf", 66, 7612696, 1}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        char path[512], relative[64];
        r1_checkpoint *k;
        r1_error e = {0};
        snprintf(relative, sizeof relative, "golden/%s", all[i].folder);
        if (!golden_path(path, sizeof path, relative)) skip();
        if (r1_checkpoint_open(path, NULL, &k, &e) != R1_OK) fail_msg("%s: %s", path, e.message);
        const r1_checkpoint_summary *const s = r1_checkpoint_get_summary(k);
        assert_string_equal(s->format, all[i].format);
        assert_true(s->tensors == all[i].tensors && s->parameters_stored == all[i].stored && s->files == all[i].files);
        if (strcmp(s->format, "gguf") != 0) assert_string_equal(s->name, all[i].folder);
        assert_non_null(r1_checkpoint_tensor(k, 0)->file);
        r1_checkpoint_close(k);
    }
}

static r1_status attempt(void *ctx, r1_error *err)
{
    r1_checkpoint *k;
    const r1_status st = r1_checkpoint_open(ctx, NULL, &k, err);
    r1_checkpoint_close(k);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    char path[128];
    put_config(TINY "}");
    put_model(tiny, N_TINY);
    assert_true(fail_alloc_sweep_json(attempt, folder) > 50);
    snprintf(path, sizeof path, "%s/config.json", folder);
    assert_true(fail_alloc_sweep_json(attempt, path) > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_bare_r1), cmocka_unit_test(test_audit),
                                       cmocka_unit_test(test_fp8), cmocka_unit_test(test_config_only),
                                       cmocka_unit_test(test_golden), cmocka_unit_test(test_no_memory)};
    snprintf(folder, sizeof folder, "/tmp/r1-checkpoint-%d", (int)getpid());
    if (mkdir(folder, 0700) != 0) return 1;
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char path[128];
    snprintf(path, sizeof path, "%s/config.json", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    unlink(path);
    rmdir(folder);
    return failed;
}
