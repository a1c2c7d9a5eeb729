/* Bounds and consistency of a configuration, and the parameter counts that follow from it (architecture.md 9). */
#include <math.h>

#include "model/config.h"

/* Far above any published model, and low enough that no product the program forms leaves an int64_t: see
 * stored_estimate, which bounds the products that these limits alone do not. */
enum {
    MAX_VOCAB = 1 << 24, MAX_WIDTH = 1 << 20, MAX_LAYERS = 1 << 12, MAX_POSITIONS = 1 << 30, MAX_HEADS = 1 << 14,
    MAX_HEAD_DIM = 1 << 14, MAX_EXPERTS = 1 << 14, MAX_MTP = 16
};
#define MAX_PARAMETERS 1e15

static r1_status between(const char *key, int64_t v, int64_t low, int64_t high, r1_error *err)
{
    return v >= low && v <= high ? R1_OK
        : r1i_fail(err, R1_ERR_RANGE, "%s is %lld, %lld to %lld expected", key, (long long)v, (long long)low,
                   (long long)high);
}

static r1_status positive(const char *key, double v, double high, r1_error *err)
{
    return v > 0 && v <= high ? R1_OK /* false for NaN */
                              : r1i_fail(err, R1_ERR_RANGE, "%s is %g, above 0 and at most %g expected", key, v, high);
}

static r1_status multiple(const char *key, int64_t v, const char *of, int64_t divisor, r1_error *err)
{
    return v % divisor == 0 ? R1_OK
        : r1i_fail(err, R1_ERR_RANGE, "%s %lld is no multiple of %s %lld", key, (long long)v, of, (long long)divisor);
}

/* A list of checks of which the first failure is returned. */
#define CHECK(call) do { const r1_status st_ = (call); if (st_ != R1_OK) return st_; } while (0)

static r1_status check_gqa(const r1i_config *c, r1_error *err)
{
    CHECK(between("head_dim", c->head_dim, 2, MAX_HEAD_DIM, err));
    CHECK(multiple("head_dim", c->head_dim, "the rotary pair,", 2, err));
    CHECK(between("num_key_value_heads", c->num_key_value_heads, 1, c->num_attention_heads, err));
    return multiple("num_attention_heads", c->num_attention_heads, "num_key_value_heads", c->num_key_value_heads, err);
}

static r1_status check_moe(const r1i_config *c, r1_error *err)
{
    CHECK(between("n_routed_experts", c->n_routed_experts, 0, MAX_EXPERTS, err));
    if (c->n_routed_experts == 0) return R1_OK;
    CHECK(between("n_shared_experts", c->n_shared_experts, 0, 1024, err));
    CHECK(between("moe_intermediate_size", c->moe_intermediate_size, 1, MAX_WIDTH, err));
    CHECK(between("first_k_dense_replace", c->first_k_dense_replace, 0, c->num_hidden_layers, err));
    CHECK(between("moe_layer_freq", c->moe_layer_freq, 1, 1, err));
    CHECK(between("n_group", c->n_group, 1, c->n_routed_experts, err));
    CHECK(multiple("n_routed_experts", c->n_routed_experts, "n_group", c->n_group, err));
    CHECK(between("topk_group", c->topk_group, 1, c->n_group, err));
    /* a group's score is the sum of its two best */
    if (c->n_group > 1) CHECK(between("experts a group", c->n_routed_experts / c->n_group, 2, MAX_EXPERTS, err));
    CHECK(between("num_experts_per_tok", c->num_experts_per_tok, 1, c->topk_group * (c->n_routed_experts / c->n_group),
                  err));
    return positive("routed_scaling_factor", c->routed_scaling_factor, 1e6, err);
}

static r1_status check_mla(const r1i_config *c, r1_error *err)
{
    CHECK(between("q_lora_rank", c->q_lora_rank, 0, MAX_WIDTH, err));
    CHECK(between("kv_lora_rank", c->kv_lora_rank, 1, MAX_WIDTH, err));
    CHECK(between("qk_nope_head_dim", c->qk_nope_head_dim, 1, MAX_HEAD_DIM, err));
    CHECK(between("qk_rope_head_dim", c->qk_rope_head_dim, 2, MAX_HEAD_DIM, err));
    CHECK(multiple("qk_rope_head_dim", c->qk_rope_head_dim, "the rotary pair,", 2, err));
    CHECK(between("v_head_dim", c->v_head_dim, 1, MAX_HEAD_DIM, err));
    CHECK(between("num_nextn_predict_layers", c->num_nextn_predict_layers, 0, MAX_MTP, err));
    return check_moe(c, err);
}

static r1_status check_rope(const r1i_config *c, r1_error *err)
{
    CHECK(positive("rope_theta", c->rope_theta, 1e15, err));
    if (c->rope_kind == R1I_ROPE_PLAIN || c->rope_kind == R1I_ROPE_DIVISORS) return R1_OK;
    CHECK(positive("rotary factor", c->rope_factor, 1e6, err));
    if (c->rope_kind == R1I_ROPE_LINEAR) return R1_OK;
    CHECK(between("original_max_position_embeddings", c->rope_original_max_position_embeddings, 1, MAX_POSITIONS, err));
    if (c->rope_kind == R1I_ROPE_LLAMA3) {
        CHECK(positive("low_freq_factor", c->rope_low_freq_factor, 1e6, err));
        CHECK(positive("high_freq_factor", c->rope_high_freq_factor, 1e6, err));
        return c->rope_high_freq_factor > c->rope_low_freq_factor
                   ? R1_OK : r1i_fail(err, R1_ERR_RANGE, "high_freq_factor %g is not above low_freq_factor %g",
                                      c->rope_high_freq_factor, c->rope_low_freq_factor);
    }
    CHECK(positive("beta_fast", c->rope_beta_fast, 1e6, err));
    CHECK(positive("beta_slow", c->rope_beta_slow, 1e6, err));
    if (c->rope_theta <= 1)
        return r1i_fail(err, R1_ERR_RANGE, "rope_theta is %g, yarn needs more than 1", c->rope_theta);
    if (c->rope_beta_fast < c->rope_beta_slow)
        return r1i_fail(err, R1_ERR_RANGE, "beta_fast %g is below beta_slow %g", c->rope_beta_fast, c->rope_beta_slow);
    if (c->rope_mscale != 0) CHECK(positive("mscale", c->rope_mscale, 1e3, err));
    if (c->rope_mscale_all_dim != 0) CHECK(positive("mscale_all_dim", c->rope_mscale_all_dim, 1e3, err));
    if (c->arch != R1I_DEEPSEEK_V3 && c->rope_mscale_all_dim != 0)
        return r1i_fail(err, R1_ERR_UNSUPPORTED, "mscale_all_dim is implemented for deepseek_v3 only");
    return R1_OK;
}

/* ---- counts ------------------------------------------------------------------------------------------------------ */

/* In double, so that it can be formed before the values are known to be small. */
static double stored_estimate(const r1i_config *c)
{
    const double d = (double)c->hidden_size, layers = (double)(c->num_hidden_layers + c->num_nextn_predict_layers);
    const double heads = (double)c->num_attention_heads;
    const double head = c->arch == R1I_DEEPSEEK_V3
                            ? (double)(c->qk_nope_head_dim + c->qk_rope_head_dim + c->v_head_dim) *
                            (d + (double)(c->q_lora_rank + c->kv_lora_rank))
                            : 4.0 * (double)c->head_dim * d;
    const double experts = (double)(c->n_routed_experts + c->n_shared_experts) * 3.0 * d *
        (double)c->moe_intermediate_size;
    return layers * (heads * head + 3.0 * d * (double)c->intermediate_size + experts + 4.0 * d * d) + 4.0 *
        (double)c->vocab_size * d;
}

r1_status r1i_config_check(const r1i_config *c, r1_error *err)
{
    CHECK(between("vocab_size", c->vocab_size, 1, MAX_VOCAB, err));
    CHECK(between("hidden_size", c->hidden_size, 1, MAX_WIDTH, err));
    CHECK(between("intermediate_size", c->intermediate_size, 1, MAX_WIDTH * 4, err));
    CHECK(between("num_hidden_layers", c->num_hidden_layers, 1, MAX_LAYERS, err));
    CHECK(between("max_position_embeddings", c->max_position_embeddings, 1, MAX_POSITIONS, err));
    CHECK(between("num_attention_heads", c->num_attention_heads, 1, MAX_HEADS, err));
    CHECK(positive("rms_norm_eps", c->rms_norm_eps, 1, err));
    CHECK(between("bos_token_id", c->bos_token_id, -1, c->vocab_size - 1, err));
    CHECK(between("eos_token_id", c->eos_token_id, -1, c->vocab_size - 1, err));
    CHECK(c->arch == R1I_DEEPSEEK_V3 ? check_mla(c, err) : check_gqa(c, err));
    CHECK(check_rope(c, err));
    const double stored = stored_estimate(c);
    return stored <= MAX_PARAMETERS ? R1_OK
        : r1i_fail(err, R1_ERR_RANGE, "the configuration asks for %.3g parameters, at most %g expected", stored,
                   MAX_PARAMETERS);
}

typedef struct layer_count { uint64_t attention, dense, expert, router; } layer_count;

/* The two layer norms are counted with the attention. */
static layer_count count_layer(const r1i_config *c)
{
    const uint64_t d = (uint64_t)c->hidden_size, heads = (uint64_t)c->num_attention_heads;
    layer_count n = {.dense = 3 * d * (uint64_t)c->intermediate_size};
    if (c->arch != R1I_DEEPSEEK_V3) {
        const uint64_t q = heads * (uint64_t)c->head_dim, kv = (uint64_t)(c->num_key_value_heads * c->head_dim);
        n.attention = 2 * d * q + 2 * d * kv + 2 * d + (c->attention_bias ? q + 2 * kv : 0);
        return n;
    }
    const uint64_t rq = (uint64_t)c->q_lora_rank, rkv = (uint64_t)c->kv_lora_rank, rope = (uint64_t)c->qk_rope_head_dim;
    const uint64_t nope = (uint64_t)c->qk_nope_head_dim, v = (uint64_t)c->v_head_dim;
    n.attention = (rq ? d * rq + rq + rq * heads * (nope + rope) : d * heads * (nope + rope)) + d * (rkv + rope) + rkv +
                  rkv * heads * (nope + v) + heads * v * d + 2 * d;
    n.expert = 3 * d * (uint64_t)c->moe_intermediate_size;
    /* the selection bias comes with sigmoid scores */
    n.router = (uint64_t)c->n_routed_experts * d + (c->scoring_sigmoid ? (uint64_t)c->n_routed_experts : 0);
    return n;
}

void r1i_config_count(const r1i_config *c, r1i_param_count *out)
{
    const layer_count n = count_layer(c);
    const uint64_t d = (uint64_t)c->hidden_size, table = (uint64_t)c->vocab_size * d,
                   layers = (uint64_t)c->num_hidden_layers;
    const uint64_t shared = (uint64_t)c->n_shared_experts, mtp = (uint64_t)c->num_nextn_predict_layers;
    uint64_t moe_layers = 0;
    for (int64_t i = 0; i < c->num_hidden_layers; i++) moe_layers += r1i_layer_is_moe(c, i);
    const uint64_t moe = n.router + ((uint64_t)c->n_routed_experts + shared) * n.expert;
    const uint64_t moe_active = n.router + ((uint64_t)c->num_experts_per_tok + shared) * n.expert;
    const uint64_t common = layers * n.attention + (layers - moe_layers) * n.dense + d;
    const bool mtp_is_moe = c->n_routed_experts > 0;
    out->total = common + moe_layers * moe + (c->tie_word_embeddings ? 1 : 2) * table;
    out->active = common + moe_layers * moe_active + table;
    out->mtp_unique = mtp * (n.attention + (mtp_is_moe ? moe : n.dense) + 2 * d * d + 3 * d);
    out->stored = out->total + out->mtp_unique + mtp * 2 * table;
}
