/* config.json and GGUF keys: spellings, defaults, what is refused, what is listed; bounds; exact parameter counts. */
#include "support/test.h"

#include <math.h>
#include <unistd.h>

#include "model/config.h"
#include "support/fail_alloc.h"
#include "support/gguf_build.h"

/* ---- config.json ------------------------------------------------------------------------------------------------- */

#define BASE "\"vocab_size\":320,\"hidden_size\":128,\"intermediate_size\":304,\"num_hidden_layers\":3,\"num_attention_heads\":4," \
             "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6"
#define QWEN "\"model_type\":\"qwen2\"," BASE
#define LLAMA "\"model_type\":\"llama\"," BASE
#define MLA MLA_Q("96")
#define MLA_Q(rank) "\"model_type\":\"deepseek_v3\"," BASE ",\"q_lora_rank\":" rank ",\"kv_lora_rank\":64,\"qk_nope_head_dim\":32,\"qk_rope_head_dim\":16,\"v_head_dim\":24"
#define MOE_BUT(groups, used, k) ",\"n_routed_experts\":12,\"n_shared_experts\":1,\"num_experts_per_tok\":" k ",\"moe_intermediate_size\":40," \
    "\"first_k_dense_replace\":1,\"n_group\":" groups ",\"topk_group\":" used ",\"routed_scaling_factor\":2.5,\"num_nextn_predict_layers\":1"
#define MOE MOE_BUT("4", "2", "3")
#define YARN(more) "{\"type\":\"yarn\",\"factor\":40,\"original_max_position_embeddings\":4096" more "}"

static r1_status read_text(const char *members, r1i_config *c, r1i_name_list *ignored, r1_error *e)
{
    char text[4096];
    json_t *root;
    snprintf(text, sizeof text, "{%s}", members);
    if (r1i_json_parse(text, strlen(text), &root, e) != R1_OK) fail_msg("%s: %s", text, e->message);
    const r1_status st = r1i_config_from_json(root, c, ignored, e);
    json_decref(root);
    return st;
}

static r1i_config good(const char *members)
{
    r1i_config c;
    r1_error e = {0};
    if (read_text(members, &c, NULL, &e) != R1_OK) fail_msg("%s: %s", members, e.message);
    return c;
}

static void test_defaults(void **state)
{
    (void)state;
    r1i_config c = good(QWEN);
    assert_true(c.arch == R1I_QWEN2 && c.num_key_value_heads == 4 && c.head_dim == 32 && c.attention_bias &&
                !c.tie_word_embeddings);
    assert_true(c.rope_theta == 10000 && c.rope_kind == R1I_ROPE_PLAIN && c.rope_factor == 1 && !c.rope_interleaved);
    assert_true(c.n_routed_experts == 0 && c.n_group == 1 && c.topk_group == 1 && c.bos_token_id == -1 &&
                c.eos_token_id == -1);
    assert_false(c.quantized_fp8 || c.scoring_sigmoid);
    c = good(LLAMA ",\"num_key_value_heads\":2,\"head_dim\":16,\"tie_word_embeddings\":true,\"rope_theta\":5e5,\"bos_token_id\":7,\"eos_token_id\":[8,9]");
    assert_true(c.arch == R1I_LLAMA && c.num_key_value_heads == 2 && c.head_dim == 16 && !c.attention_bias &&
                c.tie_word_embeddings);
    assert_true(c.rope_theta == 5e5 && c.bos_token_id == 7 && c.eos_token_id == 8);
    c = good(LLAMA ",\"num_key_value_heads\":null,\"head_dim\":null,\"rope_scaling\":null,\"rope_theta\":null,\"quantization_config\":null,"
                   "\"sliding_window\":null,\"tie_word_embeddings\":null,\"bos_token_id\":null,\"eos_token_id\":[]");
    assert_true(c.num_key_value_heads == 4 && c.head_dim == 32 && c.rope_theta == 10000 && c.bos_token_id == -1 &&
                c.eos_token_id == -1);
    c = good(MLA MOE);
    assert_true(c.scoring_sigmoid && c.norm_topk_prob && c.moe_layer_freq == 1 && c.head_dim == 0 &&
                c.rope_interleaved && c.n_group == 4);
    c = good(MLA_Q("null") ",\"n_routed_experts\":null,\"head_dim\":16");
    assert_true(c.n_routed_experts == 0 && c.q_lora_rank == 0);
    c = good("\"architectures\":[\"Qwen2ForCausalLM\"]," BASE); /* without model_type */
    assert_int_equal(c.arch, R1I_QWEN2);
}

static void test_rope(void **state)
{
    (void)state;
    r1i_config c = good(MLA MOE ",\"rope_theta\":10000,\"rope_scaling\":" YARN(",\"beta_fast\":16,\"beta_slow\":2,\"mscale\":0.7,\"mscale_all_dim\":0.8"));
    assert_true(c.rope_kind == R1I_ROPE_YARN && c.rope_factor == 40 && c.rope_original_max_position_embeddings == 4096);
    assert_true(c.rope_beta_fast == 16 && c.rope_beta_slow == 2 && c.rope_mscale == 0.7 &&
                c.rope_mscale_all_dim == 0.8);
    c = good(QWEN ",\"rope_scaling\":" YARN(""));
    assert_true(c.rope_beta_fast == 32 && c.rope_beta_slow == 1 && c.rope_mscale == 1 && c.rope_mscale_all_dim == 0);
    /* the newer spelling: theta and scaling in one object */
    c = good(LLAMA ",\"rope_parameters\":{\"rope_type\":\"llama3\",\"rope_theta\":500000.0,\"factor\":8.0,\"low_freq_factor\":1.0,"
                   "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":8192}");
    assert_true(c.rope_kind == R1I_ROPE_LLAMA3 && c.rope_theta == 500000 && c.rope_factor == 8 &&
                c.rope_low_freq_factor == 1);
    assert_true(c.rope_high_freq_factor == 4 && c.rope_original_max_position_embeddings == 8192);
    c = good(QWEN ",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":1000000}");
    assert_true(c.rope_kind == R1I_ROPE_PLAIN && c.rope_theta == 1e6 && c.rope_factor == 1);
    c = good(QWEN ",\"rope_scaling\":{\"rope_type\":\"linear\",\"type\":\"linear\",\"factor\":2},\"rope_theta\":7");
    assert_true(c.rope_kind == R1I_ROPE_LINEAR && c.rope_factor == 2 && c.rope_theta == 7);
}

static void test_fp8(void **state)
{
    (void)state;
    const r1i_config c = good(MLA MOE ",\"quantization_config\":{\"quant_method\":\"fp8\",\"fmt\":\"e4m3\",\"weight_block_size\":[128,128],"
                                      "\"activation_scheme\":\"dynamic\",\"modules_to_not_convert\":[]}");
    assert_true(c.quantized_fp8);
}

static void test_ignored(void **state)
{
    (void)state;
    r1i_config c;
    r1i_name_list list;
    r1_error e = {0};
    assert_int_equal(read_text(QWEN ",\"use_cache\":true,\"use_sliding_window\":false,\"sliding_window\":4096,\"max_window_layers\":3,"
                                    "\"torch_dtype\":\"bfloat16\",\"layer_types\":[\"full_attention\"],\"use_mrope\":false", &c, &list, &e), R1_OK);
    static const char *const want[] = {"use_cache", "sliding_window", "max_window_layers", "torch_dtype"};
    assert_int_equal(list.n, 4);
    for (int i = 0; i < 4; i++) {
        bool found = false;
        for (int k = 0; k < list.n; k++) found = found || strcmp(list.item[k], want[i]) == 0;
        if (!found) fail_msg("%s is not listed", want[i]);
    }
    r1i_name_list_free(&list);
    assert_int_equal(list.n, 0);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct { const char *members; r1_status status; const char *says; } bad[] = {
        {"", R1_ERR_FORMAT, "neither model_type nor architectures"},
        {"\"model_type\":7", R1_ERR_FORMAT, "key model_type: a string"},
        {"\"architectures\":[]", R1_ERR_FORMAT, "key architectures"},
        {"\"model_type\":\"mistral\"," BASE, R1_ERR_UNSUPPORTED, "architecture mistral"},
        {"\"architectures\":[\"Qwen2ForSequenceClassification\"]," QWEN, R1_ERR_UNSUPPORTED, "Qwen2ForSequenceClassification"},
        {"\"model_type\":\"qwen2\"", R1_ERR_FORMAT, "key vocab_size is missing"},
        {"\"model_type\":\"llama\",\"vocab_size\":1,\"hidden_size\":null", R1_ERR_FORMAT, "key hidden_size is missing"},
        {QWEN ",\"num_key_value_heads\":2.5", R1_ERR_FORMAT, "key num_key_value_heads: an integer"},
        {QWEN ",\"num_key_value_heads\":-2", R1_ERR_FORMAT, "key num_key_value_heads: no negative number"},
        {QWEN ",\"num_key_value_heads\":3", R1_ERR_RANGE,
         "num_attention_heads 4 is no multiple of num_key_value_heads 3"},
        {QWEN ",\"tie_word_embeddings\":1", R1_ERR_FORMAT, "key tie_word_embeddings: true or false"},
        {QWEN ",\"rope_theta\":\"x\"", R1_ERR_FORMAT, "key rope_theta: a number"},
        {QWEN ",\"rope_theta\":0", R1_ERR_RANGE, "rope_theta is 0"},
        {QWEN ",\"bos_token_id\":\"x\"", R1_ERR_FORMAT, "key bos_token_id: a token id"},
        {QWEN ",\"eos_token_id\":320", R1_ERR_RANGE, "eos_token_id is 320, -1 to 319"},
        {QWEN ",\"head_dim\":15", R1_ERR_RANGE, "head_dim 15 is no multiple of the rotary pair"},
        {"\"model_type\":\"qwen2\",\"vocab_size\":320,\"hidden_size\":130,\"intermediate_size\":304,\"num_hidden_layers\":3,\"num_attention_heads\":4,"
         "\"max_position_embeddings\":512,\"rms_norm_eps\":1e-6", R1_ERR_FORMAT,
         "hidden_size 130 is no multiple of num_attention_heads 4"},
        /* keys that change the mathematics */
        {QWEN ",\"hidden_act\":\"gelu\"", R1_ERR_UNSUPPORTED, "key hidden_act is \"gelu\": only silu"},
        {QWEN ",\"use_sliding_window\":true", R1_ERR_UNSUPPORTED, "key use_sliding_window is true"},
        {QWEN ",\"use_mrope\":true", R1_ERR_UNSUPPORTED, "key use_mrope"},
        {QWEN ",\"layer_types\":[\"full_attention\",\"sliding_attention\"]", R1_ERR_UNSUPPORTED, "sliding_attention"},
        {QWEN ",\"layer_types\":{}", R1_ERR_FORMAT, "key layer_types: a list"},
        {QWEN ",\"num_experts\":60", R1_ERR_UNSUPPORTED, "key num_experts is 60"},
        {QWEN ",\"partial_rotary_factor\":0.5", R1_ERR_UNSUPPORTED, "key partial_rotary_factor is 0.5"},
        {LLAMA ",\"attention_bias\":true", R1_ERR_UNSUPPORTED, "key attention_bias is true"},
        {LLAMA ",\"mlp_bias\":true", R1_ERR_UNSUPPORTED, "key mlp_bias"},
        {LLAMA ",\"sliding_window\":4096", R1_ERR_UNSUPPORTED, "key sliding_window is 4096"},
        {LLAMA ",\"num_local_experts\":8", R1_ERR_UNSUPPORTED, "key num_local_experts"},
        {LLAMA ",\"final_logit_softcapping\":30.0", R1_ERR_UNSUPPORTED, "soft-capped logits"},
        {LLAMA ",\"n_routed_experts\":8", R1_ERR_UNSUPPORTED, "mixture of experts"},
        {LLAMA ",\"vision_config\":{}", R1_ERR_UNSUPPORTED, "images"},
        {MLA MOE ",\"scoring_func\":\"tanh\"", R1_ERR_UNSUPPORTED, "key scoring_func is \"tanh\""},
        {MLA MOE ",\"topk_method\":\"greedy\"", R1_ERR_UNSUPPORTED, "key topk_method is \"greedy\""},
        {MLA MOE ",\"moe_layer_freq\":2", R1_ERR_UNSUPPORTED, "key moe_layer_freq is 2"},
        {MLA MOE ",\"attention_bias\":true", R1_ERR_UNSUPPORTED, "key attention_bias"},
        {MLA MOE ",\"rope_interleave\":false", R1_ERR_UNSUPPORTED, "key rope_interleave"},
        {MLA MOE ",\"index_topk\":2048", R1_ERR_UNSUPPORTED, "sparse attention"},
        {MLA MOE ",\"head_dim\":64", R1_ERR_FORMAT, "key head_dim is 64"},
        /* rotary */
        {QWEN ",\"rope_scaling\":[]", R1_ERR_FORMAT, "key rope_scaling: an object"},
        {QWEN ",\"rope_scaling\":{}", R1_ERR_FORMAT, "without rope_type or type"},
        {QWEN ",\"rope_scaling\":{\"type\":\"dynamic\",\"factor\":2}", R1_ERR_UNSUPPORTED, "key type is \"dynamic\""},
        {QWEN ",\"rope_scaling\":{\"rope_type\":\"longrope\"}", R1_ERR_UNSUPPORTED, "key rope_type is \"longrope\""},
        {QWEN ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"type\":\"linear\"}", R1_ERR_FORMAT,
         "type and rope_type differ"},
        {QWEN ",\"rope_scaling\":{\"type\":\"linear\"}", R1_ERR_FORMAT, "key factor is missing"},
        {QWEN ",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":4}", R1_ERR_FORMAT,
         "key original_max_position_embeddings is missing"},
        {QWEN ",\"rope_scaling\":" YARN(",\"mrope_section\":[1]"), R1_ERR_UNSUPPORTED, "key mrope_section"},
        {QWEN ",\"rope_scaling\":" YARN(",\"attention_factor\":0.5"), R1_ERR_UNSUPPORTED, "key attention_factor"},
        {QWEN ",\"rope_scaling\":" YARN(",\"truncate\":false"), R1_ERR_UNSUPPORTED, "key truncate"},
        {QWEN ",\"rope_scaling\":" YARN(",\"mscale_all_dim\":1"), R1_ERR_UNSUPPORTED, "mscale_all_dim"},
        {QWEN ",\"rope_scaling\":" YARN(",\"beta_slow\":64"), R1_ERR_RANGE, "beta_fast 32 is below beta_slow 64"},
        {QWEN ",\"rope_theta\":1,\"rope_scaling\":" YARN(""), R1_ERR_RANGE, "yarn needs more than 1"},
        {QWEN ",\"rope_theta\":5,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":6}", R1_ERR_FORMAT,
         "two values of rope_theta"},
        {QWEN ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2},\"rope_parameters\":{\"rope_type\":\"default\"}",
         R1_ERR_FORMAT, "they differ"},
        {LLAMA ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,\"high_freq_factor\":4,"
               "\"original_max_position_embeddings\":8192}", R1_ERR_RANGE, "high_freq_factor 4 is not above"},
        {QWEN ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0}", R1_ERR_RANGE, "rotary factor is 0"},
        /* quantisation */
        {MLA MOE ",\"quantization_config\":7", R1_ERR_FORMAT, "key quantization_config: an object"},
        {MLA MOE ",\"quantization_config\":{}", R1_ERR_FORMAT, "key quant_method is missing"},
        {QWEN ",\"quantization_config\":{\"quant_method\":\"awq\"}", R1_ERR_UNSUPPORTED, "key quant_method is \"awq\""},
        {MLA MOE ",\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[64,128]}",
         R1_ERR_UNSUPPORTED, "weight_block_size is [64,128]"},
        {MLA MOE ",\"quantization_config\":{\"quant_method\":\"fp8\"}", R1_ERR_UNSUPPORTED,
         "without weight_block_size"},
        {MLA MOE ",\"quantization_config\":{\"quant_method\":\"fp8\",\"weight_block_size\":[128,128],\"activation_scheme\":\"static\"}", R1_ERR_UNSUPPORTED,
         "activation_scheme"},
        /* experts */
        {MLA, R1_ERR_FORMAT, "key n_routed_experts is missing"},
        {MLA ",\"n_routed_experts\":8", R1_ERR_FORMAT, "key num_experts_per_tok is missing"},
        {MLA MOE_BUT("5", "2", "3"), R1_ERR_RANGE, "n_routed_experts 12 is no multiple of n_group 5"},
        {MLA MOE_BUT("12", "2", "2"), R1_ERR_RANGE, "experts a group is 1"},
        {MLA MOE_BUT("4", "5", "3"), R1_ERR_RANGE, "topk_group is 5, 1 to 4"},
        {MLA MOE_BUT("4", "2", "7"), R1_ERR_RANGE, "num_experts_per_tok is 7, 1 to 6"},
        {MLA MOE_BUT("4", "2", "0"), R1_ERR_RANGE, "num_experts_per_tok is 0"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        r1i_config c;
        r1i_name_list list;
        r1_error e = {0};
        const r1_status st = read_text(bad[i].members, &c, &list, &e);
        if (st != bad[i].status || !strstr(e.message, bad[i].says))
            fail_msg("%s: status %d: %s", bad[i].members, (int)st, e.message);
        assert_int_equal(list.n, 0);
    }
}

/* ---- bounds ------------------------------------------------------------------------------------------------------ */

static void test_bounds(void **state)
{
    (void)state;
    static const struct { const char *key; int64_t high; } bounds[] = {
        {"vocab_size", 1 << 24}, {"hidden_size", 1 << 20}, {"intermediate_size", 1 << 22}, {"num_hidden_layers", 1 << 12},
        {"max_position_embeddings", 1 << 30}, {"num_attention_heads", 1 << 14}, {"num_key_value_heads", 1 << 14}, {"head_dim", 1 << 14}};
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds; i++) {
        const int64_t values[] = {0, bounds[i].high + 1, INT64_MAX};
        for (int k = 0; k < 3; k++) {
            char members[1024], text[64];
            json_t *root;
            r1i_config c;
            r1_error e = {0};
            snprintf(members, sizeof members, "{%s,\"num_key_value_heads\":4,\"head_dim\":32}", LLAMA);
            assert_int_equal(r1i_json_parse(members, strlen(members), &root, NULL), R1_OK);
            json_object_set_new(root, bounds[i].key, json_integer(values[k]));
            assert_int_equal(r1i_config_from_json(root, &c, NULL, &e), R1_ERR_RANGE);
            snprintf(text, sizeof text, "%s is ", bounds[i].key);
            /* a head count of zero or too many shows first in what is divided by it */
            if (!strstr(e.message, text) && !strstr(bounds[i].key, "heads"))
                fail_msg("%s: %s", bounds[i].key, e.message);
            json_decref(root);
        }
    }
    /* each value allowed, the product not */
    r1i_config c = good(LLAMA);
    r1_error e = {0};
    c.hidden_size = 1 << 20;
    c.intermediate_size = 1 << 22;
    c.num_hidden_layers = 1 << 12;
    assert_int_equal(r1i_config_check(&c, &e), R1_ERR_RANGE);
    assert_non_null(strstr(e.message, "parameters"));
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

static void test_r1_counts(void **state)
{
    (void)state;
    json_t *root;
    r1i_config c;
    r1i_param_count n;
    r1_error e = {0};
    assert_int_equal(r1i_json_read_file(R1_TEST_DIR "/fixtures/r1/config.json", 1 << 20, &root, &e), R1_OK);
    assert_int_equal(r1i_config_from_json(root, &c, NULL, &e), R1_OK);
    json_decref(root);
    r1i_config_count(&c, &n);
    assert_true(n.total == 671026419200u);
    assert_true(n.active == 36625618432u);
    assert_true(n.mtp_unique == 11610068224u);
    assert_true(n.stored == 684489845504u);
    c.num_nextn_predict_layers = 0;
    r1i_config_count(&c, &n);
    assert_true(n.total == 671026419200u && n.mtp_unique == 0 && n.stored == n.total);
}

static void test_distill_counts(void **state)
{
    (void)state;
    static const struct { const char *type; int d, layers, heads, kv, f, vocab; uint64_t total, matmul; } models[] = {
        {"qwen2", 1536, 28, 12, 2, 8960, 151936, 1777088000u, 1543569408u},     {"qwen2", 3584, 28, 28, 4, 18944, 152064, 7615616512u, 7070285824u},
        {"llama", 4096, 32, 32, 8, 14336, 128256, 8030261248u, 7504658432u},    {"qwen2", 5120, 48, 40, 8, 13824, 152064, 14770033664u, 13990625280u},
        {"qwen2", 5120, 64, 40, 8, 27648, 152064, 32763876352u, 31984189440u},  {"llama", 8192, 80, 64, 8, 28672, 128256, 70553706496u, 69501714432u}};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        char members[512];
        r1i_param_count n;
        snprintf(members, sizeof members,
                 "\"model_type\":\"%s\",\"hidden_size\":%d,\"num_hidden_layers\":%d,\"num_attention_heads\":%d,"
                 "\"num_key_value_heads\":%d,\"intermediate_size\":%d,\"vocab_size\":%d,\"max_position_embeddings\":131072,\"rms_norm_eps\":1e-5",
                 models[i].type, models[i].d, models[i].layers, models[i].heads, models[i].kv, models[i].f,
                 models[i].vocab);
        r1i_config c = good(members);
        r1i_config_count(&c, &n);
        assert_true(n.total == models[i].total && n.stored == models[i].total && n.mtp_unique == 0);
        /* used per token: the matmul parameters of the table, the norms, and qwen's biases */
        const uint64_t d = (uint64_t)models[i].d, layers = (uint64_t)models[i].layers;
        const uint64_t bias = c.attention_bias ? layers * (d + 2 * 128 * (uint64_t)models[i].kv) : 0;
        assert_true(n.active == models[i].matmul + (2 * layers + 1) * d + bias);
        c.tie_word_embeddings = true;
        r1i_config_count(&c, &n);
        assert_true(n.total == models[i].total - (uint64_t)models[i].vocab * d && n.active == n.total);
    }
}

/* ---- GGUF -------------------------------------------------------------------------------------------------------- */

static char gguf_path[64];

/* Opens what was built and reads its configuration. */
static r1_status read_gguf(gguf_build *b, r1i_config *c, r1i_name_list *list, r1_error *e)
{
    r1i_store *s;
    gguf_end(b);
    assert_int_equal(gguf_save(b, gguf_path), 0);
    free(b->bytes);
    if (r1i_store_open(gguf_path, NULL, &s, e) != R1_OK) fail_msg("%s", e->message);
    const r1_status st = r1i_config_read(s, c, list, e);
    r1i_store_close(s);
    return st;
}

static void common(gguf_build *b, const char *arch, uint32_t blocks)
{
    static const struct { const char *key; uint32_t v; } keys[] = {
        {"context_length", 4096}, {"embedding_length", 64}, {"feed_forward_length", 96}, {"attention.head_count", 4}};
    char key[96];
    gguf_begin(b, 3);
    gguf_string(b, "general.architecture", arch);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, keys[i].key);
        gguf_u32(b, key, keys[i].v);
    }
    snprintf(key, sizeof key, "%s.block_count", arch);
    gguf_u32(b, key, blocks);
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    gguf_f32(b, key, 1e-6f);
}

static void table(gguf_build *b) { gguf_tensor(b, "token_embd.weight", 64, 32, 0); }

static void deepseek(gguf_build *b, bool newer, uint32_t experts, uint32_t gating)
{
    common(b, "deepseek2", 3);
    gguf_u32(b, "deepseek2.attention.head_count_kv", newer ? 1 : 4);
    gguf_u32(b, "deepseek2.attention.q_lora_rank", 24);
    gguf_u32(b, "deepseek2.attention.kv_lora_rank", 32);
    gguf_u32(b, "deepseek2.attention.key_length", newer ? 40 : 24);
    gguf_u32(b, "deepseek2.attention.value_length", newer ? 32 : 20);
    if (newer) gguf_u32(b, "deepseek2.attention.key_length_mla", 24);
    if (newer) gguf_u32(b, "deepseek2.attention.value_length_mla", 20);
    gguf_u32(b, "deepseek2.rope.dimension_count", 8);
    gguf_u32(b, "deepseek2.expert_count", experts);
    gguf_u32(b, "deepseek2.expert_used_count", 4);
    gguf_u32(b, "deepseek2.expert_shared_count", 1);
    gguf_u32(b, "deepseek2.expert_feed_forward_length", 16);
    gguf_u32(b, "deepseek2.leading_dense_block_count", 1);
    gguf_f32(b, "deepseek2.expert_weights_scale", 2.5f);
    gguf_bool(b, "deepseek2.expert_weights_norm", 1);
    if (gating) gguf_u32(b, "deepseek2.expert_gating_func", gating);
}

static void yarn(gguf_build *b)
{
    gguf_string(b, "deepseek2.rope.scaling.type", "yarn");
    gguf_f32(b, "deepseek2.rope.scaling.factor", 40.0f);
    gguf_u32(b, "deepseek2.rope.scaling.original_context_length", 4096);
    gguf_f32(b, "deepseek2.rope.scaling.yarn_log_multiplier", 0.1f);
}

static void test_gguf_deepseek(void **state)
{
    (void)state;
    static const struct { bool newer; uint32_t experts, gating; int64_t groups, used; } cases[] = {
        {false, 256, 2, 8, 4}, {true, 256, 2, 8, 4}, {false, 64, 2, 1, 1}, {false, 256, 1, 1, 1}, {false, 64, 0, 1, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        gguf_build b;
        r1i_config c;
        r1_error e = {0};
        deepseek(&b, cases[i].newer, cases[i].experts, cases[i].gating);
        yarn(&b);
        table(&b);
        gguf_tensor(&b, "output.weight", 64, 32, 0);
        if (read_gguf(&b, &c, NULL, &e) != R1_OK) fail_msg("%s", e.message);
        assert_true(c.n_group == cases[i].groups && c.topk_group == cases[i].used &&
                    c.scoring_sigmoid == (cases[i].gating == 2));
        assert_true(c.qk_nope_head_dim == 16 && c.qk_rope_head_dim == 8 && c.v_head_dim == 20 && c.q_lora_rank == 24 &&
                    c.kv_lora_rank == 32);
        assert_true(c.num_key_value_heads == 4 && c.vocab_size == 32 && !c.tie_word_embeddings &&
                    c.rms_norm_eps == 1e-6);
        assert_true(c.rope_kind == R1I_ROPE_YARN && c.rope_mscale_all_dim == 1 && c.rope_mscale == 1 &&
                    c.rope_theta == 10000);
        assert_true(c.norm_topk_prob && c.routed_scaling_factor == 2.5 && c.rope_interleaved && c.rope_beta_fast == 32);
    }
}

static void test_gguf_mtp(void **state)
{
    (void)state;
    for (int stored = 0; stored < 2; stored++) {
        gguf_build b;
        r1i_config c;
        r1_error e = {0};
        deepseek(&b, true, 64, 2);
        gguf_u32(&b, "deepseek2.expert_group_count", 8);
        gguf_u32(&b, "deepseek2.expert_group_used_count", 3);
        gguf_u32(&b, "deepseek2.nextn_predict_layers", 1);
        table(&b);
        if (stored) gguf_tensor(&b, "blk.2.nextn.eh_proj.weight", 8, 8, 0);
        if (read_gguf(&b, &c, NULL, &e) != R1_OK) fail_msg("%s", e.message);
        assert_true(c.num_hidden_layers == 2 && c.num_nextn_predict_layers == stored && c.tie_word_embeddings);
        assert_true(c.n_group == 8 && c.topk_group == 3 && c.rope_kind == R1I_ROPE_PLAIN);
    }
}

static void test_gguf_dense(void **state)
{
    (void)state;
    gguf_build b;
    r1i_config c;
    r1i_name_list list;
    r1_error e = {0};
    common(&b, "llama", 2);
    gguf_u32(&b, "llama.attention.head_count_kv", 2);
    gguf_f32(&b, "llama.rope.freq_base", 500000.0f);
    gguf_u32(&b, "llama.vocab_size", 32);
    gguf_u32(&b, "llama.something_new", 1);
    gguf_u32(&b, "general.file_type", 1);
    gguf_u32(&b, "tokenizer.ggml.bos_token_id", 5);
    gguf_u32(&b, "llama.expert_count", 0);
    gguf_string(&b, "llama.tensor_data_layout", "reference");
    table(&b);
    gguf_tensor(&b, "rope_freqs.weight", 8, 0, 0);
    if (read_gguf(&b, &c, &list, &e) != R1_OK) fail_msg("%s", e.message);
    assert_true(c.arch == R1I_LLAMA && c.head_dim == 16 && c.num_key_value_heads == 2 &&
                c.rope_kind == R1I_ROPE_DIVISORS && c.rope_theta == 5e5);
    assert_true(c.rope_interleaved && !c.attention_bias && c.bos_token_id == 5 && c.eos_token_id == -1);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.item[0], "llama.something_new");
    assert_string_equal(list.item[1], "general.file_type");
    r1i_name_list_free(&list);
    common(&b, "qwen2", 2);
    gguf_string(&b, "qwen2.rope.scaling.type", "linear");
    gguf_f32(&b, "qwen2.rope.scaling.factor", 2.0f);
    table(&b);
    if (read_gguf(&b, &c, NULL, &e) != R1_OK) fail_msg("%s", e.message);
    assert_true(c.arch == R1I_QWEN2 && c.attention_bias && !c.rope_interleaved && c.rope_kind == R1I_ROPE_LINEAR &&
                c.rope_factor == 2);
    common(&b, "llama", 2);
    gguf_f32(&b, "llama.rope.scale_linear", 4.0f);
    table(&b);
    if (read_gguf(&b, &c, NULL, &e) != R1_OK) fail_msg("%s", e.message);
    assert_true(c.rope_kind == R1I_ROPE_LINEAR && c.rope_factor == 4);
}

/* One more key (or tensor) on a good llama file, which is then refused. */
enum kind { U32, F32, BOOLEAN, TEXT, TENSOR, ARRAY };
static void test_gguf_refused(void **state)
{
    (void)state;
    static const struct { enum kind kind; const char *key; double v; r1_status status; const char *says; } bad[] = {
        {F32, "llama.attention.scale", 0.5, R1_ERR_UNSUPPORTED, "llama.attention.scale: another softmax scale"},
        {F32, "llama.logit_scale", 0.5, R1_ERR_UNSUPPORTED, "scaled logits"},
        {F32, "llama.final_logit_softcapping", 30, R1_ERR_UNSUPPORTED, "soft-capped"},
        {U32, "llama.attention.sliding_window", 4096, R1_ERR_UNSUPPORTED, "sliding-window"},
        {U32, "llama.expert_count", 8, R1_ERR_UNSUPPORTED, "mixture of experts"},
        {BOOLEAN, "llama.attention.causal", 0, R1_ERR_UNSUPPORTED, "causal"},
        {BOOLEAN, "llama.use_parallel_residual", 1, R1_ERR_UNSUPPORTED, "parallel residual"},
        {TEXT, "llama.tensor_data_layout", 0, R1_ERR_UNSUPPORTED, "reference layout"},
        {ARRAY, "llama.rope.dimension_sections", 0, R1_ERR_UNSUPPORTED, "multi-dimensional"},
        {F32, "llama.rope.scaling.attn_factor", 0.5, R1_ERR_UNSUPPORTED, "attention factor"},
        {U32, "llama.rope.dimension_count", 8, R1_ERR_UNSUPPORTED, "rotating only a part"},
        {U32, "llama.attention.key_length", 32, R1_ERR_UNSUPPORTED, "different widths"},
        {U32, "llama.attention.head_count_kv", 3, R1_ERR_RANGE, "no multiple of num_key_value_heads 3"},
        {ARRAY, "llama.attention.head_count_kv", 0, R1_ERR_FORMAT,
         "llama.attention.head_count_kv: a non-negative integer"},
        {TEXT, "llama.rope.scaling.type", 0, R1_ERR_UNSUPPORTED, "none, linear and yarn"},
        {U32, "llama.rope.scaling.type", 0, R1_ERR_FORMAT, "a string expected"},
        {TEXT, "llama.rope.freq_base", 0, R1_ERR_FORMAT, "a finite number"},
        {F32, "llama.rope.freq_base", (double)INFINITY, R1_ERR_FORMAT, "a finite number"},
        {TEXT, "tokenizer.ggml.bos_token_id", 0, R1_ERR_FORMAT, "a token id"},
        {TENSOR, "rope_freqs.weight", 7, R1_ERR_SHAPE, "F32 [8] expected"},
        {TENSOR, "blk.0.attn_output.bias", 64, R1_ERR_UNSUPPORTED, "bias on the attention's output"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        gguf_build b;
        r1i_config c;
        r1i_name_list list;
        r1_error e = {0};
        common(&b, "llama", 2);
        switch (bad[i].kind) {
        case U32: gguf_u32(&b, bad[i].key, (uint32_t)bad[i].v); break;
        case F32: gguf_f32(&b, bad[i].key, (float)bad[i].v); break;
        case BOOLEAN: gguf_bool(&b, bad[i].key, bad[i].v != 0); break;
        case TEXT: gguf_string(&b, bad[i].key, "text"); break;
        case ARRAY: gguf_key(&b, bad[i].key, 9); gguf_uint(&b, 4, 4); gguf_uint(&b, 1, 8); gguf_uint(&b, 2, 4); break;
        case TENSOR: break;
        }
        table(&b);
        if (bad[i].kind == TENSOR) gguf_tensor(&b, bad[i].key, (uint64_t)bad[i].v, 0, 0);
        const r1_status st = read_gguf(&b, &c, &list, &e);
        if (st != bad[i].status || !strstr(e.message, bad[i].says))
            fail_msg("%s: status %d: %s", bad[i].key, (int)st, e.message);
        assert_int_equal(list.n, 0);
    }
}

static void test_gguf_missing(void **state)
{
    (void)state;
    gguf_build b;
    r1i_config c;
    r1_error e = {0};
    gguf_begin(&b, 3);
    table(&b);
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "general.architecture is missing"));
    gguf_begin(&b, 3);
    gguf_string(&b, "general.architecture", "gemma");
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_UNSUPPORTED);
    gguf_begin(&b, 3);
    gguf_string(&b, "general.architecture", "llama");
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "llama.block_count is missing"));
    common(&b, "llama", 2);
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_SHAPE);
    assert_non_null(strstr(e.message, "token_embd.weight is missing"));
    deepseek(&b, false, 64, 3);
    table(&b);
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_UNSUPPORTED);
    assert_non_null(strstr(e.message, "expert_gating_func is 3"));
    deepseek(&b, false, 64, 2);
    gguf_u32(&b, "deepseek2.nextn_predict_layers", 3);
    table(&b);
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_RANGE);
    deepseek(&b, false, 64, 2);
    gguf_string(&b, "deepseek2.rope.scaling.type", "yarn");
    table(&b);
    assert_int_equal(read_gguf(&b, &c, NULL, &e), R1_ERR_FORMAT);
    assert_non_null(strstr(e.message, "rope.scaling.factor is missing"));
}

static r1_status attempt(void *ctx, r1_error *err)
{
    (void)ctx;
    json_t *root;
    r1i_config c;
    r1i_name_list list = {0};
    r1_status st = r1i_json_read_file(R1_TEST_DIR "/fixtures/r1/config.json", 1 << 20, &root, err);
    if (st != R1_OK) return st;
    st = r1i_config_from_json(root, &c, &list, err);
    r1i_name_list_free(&list);
    json_decref(root);
    return st;
}

static void test_no_memory(void **state)
{
    (void)state;
    assert_true(fail_alloc_sweep_json(attempt, NULL) > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults), cmocka_unit_test(test_rope), cmocka_unit_test(test_fp8),
        cmocka_unit_test(test_ignored), cmocka_unit_test(test_refused), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_r1_counts), cmocka_unit_test(test_distill_counts),
        cmocka_unit_test(test_gguf_deepseek), cmocka_unit_test(test_gguf_mtp), cmocka_unit_test(test_gguf_dense),
        cmocka_unit_test(test_gguf_refused), cmocka_unit_test(test_gguf_missing), cmocka_unit_test(test_no_memory)};
    snprintf(gguf_path, sizeof gguf_path, "/tmp/r1-config-%d.gguf", (int)getpid());
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(gguf_path);
    return failed;
}
