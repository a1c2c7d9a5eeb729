#include "support/tiny_model.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/rng.h"
#include "tensor/codec.h"

/* ---- buffers ----------------------------------------------------------------------------------------------------- */

typedef struct buffer {
    uint8_t *p;
    size_t n, room;
} buffer;

static void *grow(buffer *b, size_t bytes)
{
    if (b->n + bytes > b->room) {
        b->room = (b->n + bytes) / 2 * 3 + 64;
        b->p = realloc(b->p, b->room);
        if (!b->p) abort();
    }
    b->n += bytes;
    return b->p + b->n - bytes;
}
static void put_bytes(buffer *b, const void *p, size_t n) { memcpy(grow(b, n), p, n); }
static void put_u32(buffer *b, uint32_t x) { put_bytes(b, &x, 4); }
static void put_u64(buffer *b, uint64_t x) { put_bytes(b, &x, 8); }
static void put_string(buffer *b, const char *s)
{
    put_u64(b, strlen(s));
    put_bytes(b, s, strlen(s));
}
static void R1_PRINTF(2, 3) put_text(buffer *b, const char *fmt, ...)
{
    char line[512];
    va_list args;
    va_start(args, fmt);
    const int n = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (n < 0 || n >= (int)sizeof line) abort();
    put_bytes(b, line, (size_t)n);
}

/* ---- one checkpoint under construction --------------------------------------------------------------------------- */

typedef struct tensor {
    char name[96];
    r1_dtype type;
    int n_dims;
    int64_t dim[3]; /* outermost first */
    size_t begin, bytes;
} tensor;

typedef struct maker {
    const tiny_model *t;
    bool gguf;
    uint64_t state;
    tensor *tensors;
    int n, room;
    buffer data;
    /* shape */
    int64_t vocab, d, f, layers, dense, heads, kv_heads, head_dim;
    int64_t q_rank, rank, nope, rope, v, experts, topk, groups, kept, moe_f, shared, context, trained, factor;
} maker;

static uint64_t next_u64(maker *m) /* splitmix64: millions of draws in the time of a test */
{
    uint64_t z = m->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}
static double uniform(maker *m) { return (double)(next_u64(m) >> 11) * 0x1p-53; }
/* Deviation 1; three uniforms are close enough to normal. */
static double normal(maker *m) { return 2.0 * (uniform(m) + uniform(m) + uniform(m) - 1.5); }

/* R1 with everything a quarter to a tenth as wide, few layers and 64 of 256 experts: 1.07 billion weights, 0.33 of them
 * used by a token. */
static void set_mid_shape(maker *m)
{
    m->vocab = m->t->vocab ? m->t->vocab : 16384;
    m->d = 2048;
    m->f = 5632;
    m->layers = 10;
    m->dense = 2;
    m->heads = 16;
    m->q_rank = 768;
    m->rank = 512;
    m->nope = 128;
    m->rope = 64;
    m->v = 128;
    m->experts = 64;
    m->topk = 8;
    m->groups = 8;
    m->kept = 4;
    m->moe_f = 256;
    m->shared = 1;
    m->context = 32768;
    m->trained = 4096;
    m->factor = 8;
}

static void set_shape(maker *m)
{
    const bool wide = r1i_dtype(m->t->type)->block_elems == 256;
    const bool moe = m->t->arch == R1I_DEEPSEEK_V3;
    m->vocab = m->t->vocab ? m->t->vocab : 320;
    m->d = wide ? 256 : 160;
    m->f = wide ? 256 : 192;
    m->layers = moe ? 3 : 2;
    m->dense = 1;
    m->heads = 4;
    m->kv_heads = 2;
    m->head_dim = m->d / m->heads;
    m->q_rank = m->t->no_q_lora ? 0 : wide ? 256 : 96;
    m->rank = wide ? 256 : 128;
    m->nope = m->t->nope ? m->t->nope : wide ? 64 : 32;
    m->rope = 16;
    m->v = wide ? 64 : 32;
    m->experts = 8;
    m->topk = 3;
    m->groups = 4;
    m->kept = 2;
    m->moe_f = wide ? 256 : 64;
    m->shared = 1;
    m->context = 4096;
    m->trained = 64;
    m->factor = 4;
}

static tensor *add(maker *m, const char *name, r1_dtype type, int n_dims, int64_t a, int64_t b, int64_t c)
{
    const int64_t dim[3] = {a, b, c};
    int64_t rows = 1;
    uint64_t row_bytes;
    if (m->n == m->room) {
        m->room = m->room ? 2 * m->room : 256;
        m->tensors = realloc(m->tensors, (size_t)m->room * sizeof *m->tensors);
        if (!m->tensors) abort();
    }
    tensor *const t = &m->tensors[m->n++];
    *t = (tensor){.type = type, .n_dims = n_dims};
    snprintf(t->name, sizeof t->name, "%s", name);
    memcpy(t->dim, dim, sizeof dim);
    for (int i = 0; i + 1 < n_dims; i++) rows *= dim[i];
    if (!r1i_dtype_row_bytes(type, (uint64_t)dim[n_dims - 1], &row_bytes)) abort();
    if (m->gguf) grow(&m->data, (32 - m->data.n % 32) % 32);
    t->begin = m->data.n;
    t->bytes = (size_t)((uint64_t)rows * row_bytes);
    grow(&m->data, t->bytes);
    return t;
}

static void put_f32(maker *m, const tensor *t, int64_t i, double x)
{
    const float f = (float)x;
    const uint16_t h = t->type == R1_DTYPE_F16 ? r1i_f16_from_f32(f) : r1i_bf16_from_f32(f);
    uint8_t *const p = m->data.p + t->begin;
    if (t->type == R1_DTYPE_F32) memcpy(p + i * 4, &f, 4);
    else memcpy(p + i * 2, &h, 2);
}

/* ---- block types: all bits random, then a scale that gives the wanted deviation ---------------------------------- */

static void put_scale(r1_dtype type, uint8_t *b, double d)
{
    static const struct { r1_dtype type; int at, min_at; double min; } place[] = {
        {R1_DTYPE_Q2_K, 80, 82, 1.5}, {R1_DTYPE_Q3_K, 108, 0, 0}, {R1_DTYPE_Q6_K, 208, 0, 0},
        {R1_DTYPE_Q4_K, 0, 2, 7.5},
        {R1_DTYPE_Q5_K, 0, 2, 15.5}, {R1_DTYPE_Q4_1, 0, 2, -7.5}, {R1_DTYPE_Q5_1, 0, 2, -15.5},
    };
    int at = 0, min_at = 0;
    double min = 0;
    if (type == R1_DTYPE_MXFP4) {
        b[0] = (uint8_t)fmin(fmax(127 + round(log2(d)), 1), 254);
        return;
    }
    const uint16_t half = r1i_f16_from_f32((float)d);
    if (type == R1_DTYPE_IQ1_M) {
        for (int i = 0; i < 4; i++) b[49 + 2 * i] = (uint8_t)((b[49 + 2 * i] & 15) | ((half >> (4 * i)) & 15) << 4);
        return;
    }
    for (size_t i = 0; i < sizeof place / sizeof *place; i++)
        if (place[i].type == type) at = place[i].at, min_at = place[i].min_at, min = place[i].min;
    memcpy(b + at, &half, 2);
    if (!min_at) return;
    const uint16_t low = r1i_f16_from_f32((float)(d * min));
    memcpy(b + min_at, &low, 2);
}

static void fill_blocks(maker *m, const tensor *t, double deviation)
{
    const r1i_dtype_info *const info = r1i_dtype(t->type);
    const size_t n = t->bytes / (size_t)info->block_bytes;
    uint8_t *const p = m->data.p + t->begin;
    float value[256];
    double squares = 0;
    for (size_t i = 0; i < t->bytes; i++) p[i] = (uint8_t)(next_u64(m) >> 56);
    const size_t probe = n < 64 ? n : 64;
    for (size_t i = 0; i < probe; i++) {
        put_scale(t->type, p + i * (size_t)info->block_bytes, 0.01);
        r1i_dequantise(t->type, p + i * (size_t)info->block_bytes, info->block_elems, value);
        for (int k = 0; k < info->block_elems; k++) squares += (double)value[k] * (double)value[k];
    }
    const double unit = 0.01 * deviation / sqrt(squares / (double)(probe * (size_t)info->block_elems));
    for (size_t i = 0; i < n; i++) put_scale(t->type, p + i * (size_t)info->block_bytes, unit * (0.5 + uniform(m)));
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static void vector(maker *m, const char *name, int64_t n, double mean, double deviation, r1_dtype type)
{
    const tensor *const t = add(m, name, m->gguf ? R1_DTYPE_F32 : type, 1, n, 0, 0);
    for (int64_t i = 0; i < n; i++) put_f32(m, t, i, mean + deviation * normal(m));
}

static void fp8(maker *m, const char *name, int64_t rows, int64_t cols, double deviation)
{
    char scale[96];
    const tensor t = *add(m, name, R1_DTYPE_F8_E4M3, 2, rows, cols, 0);
    for (size_t i = 0; i < t.bytes; i++) {
        const uint8_t code = (uint8_t)(next_u64(m) >> 56);
        m->data.p[t.begin + i] = (code & 0x7f) == 0x7f ? 0x38 : code;
    }
    snprintf(scale, sizeof scale, "%.80s_scale_inv", name);
    const tensor *const s = add(m, scale, R1_DTYPE_F32, 2, (rows + 127) / 128, (cols + 127) / 128, 0);
    /* 117: of random codes */
    for (int64_t i = 0; i < s->dim[0] * s->dim[1]; i++) put_f32(m, s, i, deviation / 117.0 * (0.5 + uniform(m)));
}

/* [stack,] rows, cols. Where the wanted type's blocks do not divide the rows, Q8_0, as converters do. */
static void matrix_as(maker *m, r1_dtype type, const char *name, int64_t stack, int64_t rows, int64_t cols, double gain)
{
    const double deviation = gain / sqrt((double)cols);
    if (type == R1_DTYPE_F8_E4M3) {
        fp8(m, name, rows, cols, deviation);
        return;
    }
    if (cols % r1i_dtype(type)->block_elems != 0) type = R1_DTYPE_Q8_0;
    const tensor *const t = stack ? add(m, name, type, 3, stack, rows, cols) : add(m, name, type, 2, rows, cols, 0);
    if (r1i_dtype_is_quantised(type)) fill_blocks(m, t, deviation);
    else
        for (int64_t i = 0; i < (stack ? stack : 1) * rows * cols; i++) put_f32(m, t, i, deviation * normal(m));
}
static void matrix(maker *m, const char *name, int64_t rows, int64_t cols, double gain)
{
    matrix_as(m, m->t->type, name, 0, rows, cols, gain);
}

/* A float table: what fp8 checkpoints keep in BF16. */
static r1_dtype table_type(const maker *m) { return m->t->type == R1_DTYPE_F8_E4M3 ? R1_DTYPE_BF16 : m->t->type; }

static const char *name_of(const maker *m, char out[96], int64_t layer, const char *hf, const char *gguf)
{
    snprintf(out, 96, m->gguf ? "blk.%d.%.64s" : "model.layers.%d.%.64s", (int)layer, m->gguf ? gguf : hf);
    return out;
}

static void ffn(maker *m, int64_t layer, const char *hf, const char *suffix, int64_t width)
{
    static const char *const hf_name[] = {"gate", "up", "down"};
    for (int i = 0; i < 3; i++) {
        char hf_full[96], gguf_full[96], name[96];
        snprintf(hf_full, sizeof hf_full, "%s%s_proj.weight", hf, hf_name[i]);
        snprintf(gguf_full, sizeof gguf_full, "ffn_%s%s.weight", hf_name[i], suffix);
        matrix(m, name_of(m, name, layer, hf_full, gguf_full), i < 2 ? width : m->d, i < 2 ? m->d : width,
               i < 2 ? 1.0 : 1.5);
    }
}

static void moe(maker *m, int64_t layer)
{
    char name[96];
    const r1_dtype router = m->gguf ? R1_DTYPE_F32 : table_type(m);
    matrix_as(m, router, name_of(m, name, layer, "mlp.gate.weight", "ffn_gate_inp.weight"), 0, m->experts, m->d, 1.5);
    vector(m, name_of(m, name, layer, "mlp.gate.e_score_correction_bias", "exp_probs_b.bias"), m->experts, 0, 0.05,
           R1_DTYPE_F32);
    if (m->gguf) {
        matrix_as(m, m->t->type, name_of(m, name, layer, "", "ffn_gate_exps.weight"), m->experts, m->moe_f, m->d, 1.0);
        matrix_as(m, m->t->type, name_of(m, name, layer, "", "ffn_up_exps.weight"), m->experts, m->moe_f, m->d, 1.0);
        matrix_as(m, m->t->type, name_of(m, name, layer, "", "ffn_down_exps.weight"), m->experts, m->d, m->moe_f, 1.5);
    }
    for (int64_t e = 0; !m->gguf && e < m->experts; e++) {
        snprintf(name, sizeof name, "mlp.experts.%" PRId64 ".", e);
        ffn(m, layer, name, "", m->moe_f);
    }
    ffn(m, layer, "mlp.shared_experts.", "_shexp", m->moe_f * m->shared);
}

static void mla(maker *m, int64_t i)
{
    char n[96];
    const int64_t q = m->heads * (m->nope + m->rope);
    if (m->q_rank) {
        matrix(m, name_of(m, n, i, "self_attn.q_a_proj.weight", "attn_q_a.weight"), m->q_rank, m->d, 1.0);
        vector(m, name_of(m, n, i, "self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"), m->q_rank, 1, 0.1,
               R1_DTYPE_BF16);
        matrix(m, name_of(m, n, i, "self_attn.q_b_proj.weight", "attn_q_b.weight"), q, m->q_rank, 1.5);
    } else {
        matrix(m, name_of(m, n, i, "self_attn.q_proj.weight", "attn_q.weight"), q, m->d, 1.5);
    }
    matrix(m, name_of(m, n, i, "self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"), m->rank + m->rope, m->d,
           1.2);
    vector(m, name_of(m, n, i, "self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"), m->rank, 1, 0.1,
           R1_DTYPE_BF16);
    if (!m->gguf || m->t->old_mla || m->t->flat_mla)
        matrix(m, name_of(m, n, i, "self_attn.kv_b_proj.weight", "attn_kv_b.weight"), m->heads * (m->nope + m->v),
               m->rank, 1.5);
    if (m->gguf && !m->t->old_mla) {
        const bool flat = m->t->flat_mla;
        matrix_as(m, m->t->type, name_of(m, n, i, "", "attn_k_b.weight"), flat ? 0 : m->heads,
                  (flat ? m->heads : 1) * m->rank, m->nope, 1.5 * sqrt((double)m->nope / (double)m->rank));
        matrix_as(m, m->t->type, name_of(m, n, i, "", "attn_v_b.weight"), flat ? 0 : m->heads,
                  (flat ? m->heads : 1) * m->v, m->rank, 1.5);
    }
    matrix(m, name_of(m, n, i, "self_attn.o_proj.weight", "attn_output.weight"), m->d, m->heads * m->v, 1.0);
}

static void gqa(maker *m, int64_t i)
{
    static const char *const hf[] = {"q", "k", "v"};
    for (int k = 0; k < 3; k++) {
        char hf_full[96], gguf_full[96], n[96];
        const int64_t rows = (k == 0 ? m->heads : m->kv_heads) * m->head_dim;
        snprintf(hf_full, sizeof hf_full, "self_attn.%s_proj.weight", hf[k]);
        snprintf(gguf_full, sizeof gguf_full, "attn_%s.weight", hf[k]);
        matrix(m, name_of(m, n, i, hf_full, gguf_full), rows, m->d, 1.3);
        if (m->t->arch != R1I_QWEN2) continue;
        snprintf(hf_full, sizeof hf_full, "self_attn.%s_proj.bias", hf[k]);
        snprintf(gguf_full, sizeof gguf_full, "attn_%s.bias", hf[k]);
        vector(m, name_of(m, n, i, hf_full, gguf_full), rows, 0, 0.3, R1_DTYPE_BF16);
    }
    char n[96];
    matrix(m, name_of(m, n, i, "self_attn.o_proj.weight", "attn_output.weight"), m->d, m->heads * m->head_dim, 1.0);
}

static void layer(maker *m, int64_t i)
{
    char n[96];
    vector(m, name_of(m, n, i, "input_layernorm.weight", "attn_norm.weight"), m->d, 1, 0.1, R1_DTYPE_BF16);
    vector(m, name_of(m, n, i, "post_attention_layernorm.weight", "ffn_norm.weight"), m->d, 1, 0.1, R1_DTYPE_BF16);
    if (m->t->arch != R1I_DEEPSEEK_V3) gqa(m, i);
    else mla(m, i);
    if (m->t->arch == R1I_DEEPSEEK_V3 && i >= m->dense) moe(m, i);
    else ffn(m, i, "mlp.", "", m->f);
}

static void all_tensors(maker *m)
{
    char n[96];
    matrix_as(m, table_type(m), m->gguf ? "token_embd.weight" : "model.embed_tokens.weight", 0, m->vocab, m->d,
              m->t->tied ? 2.0 : sqrt((double)m->d));
    for (int64_t i = 0; i < m->layers; i++) layer(m, i);
    vector(m, m->gguf ? "output_norm.weight" : "model.norm.weight", m->d, 1, 0.1, R1_DTYPE_BF16);
    if (!m->t->tied) matrix_as(m, table_type(m), m->gguf ? "output.weight" : "lm_head.weight", 0, m->vocab, m->d, 2.0);
    if (m->gguf && m->t->arch == R1I_LLAMA) vector(m, "rope_freqs.weight", m->head_dim / 2, 4, 0.5, R1_DTYPE_F32);
    if (!m->t->mtp) return;
    layer(m, m->layers);
    vector(m, name_of(m, n, m->layers, "enorm.weight", "nextn.enorm.weight"), m->d, 1, 0.1, R1_DTYPE_BF16);
    vector(m, name_of(m, n, m->layers, "hnorm.weight", "nextn.hnorm.weight"), m->d, 1, 0.1, R1_DTYPE_BF16);
    vector(m, name_of(m, n, m->layers, "shared_head.norm.weight", "nextn.shared_head_norm.weight"), m->d, 1, 0.1,
           R1_DTYPE_BF16);
    matrix_as(m, table_type(m), name_of(m, n, m->layers, "eh_proj.weight", "nextn.eh_proj.weight"), 0, m->d, 2 * m->d,
              1.0);
}

/* ---- files ------------------------------------------------------------------------------------------------------- */

static void write_file(const char *dir, const char *name, const buffer *a, const buffer *b)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *const f = fopen(path, "wb");
    if (!f || fwrite(a->p, 1, a->n, f) != a->n || (b && fwrite(b->p, 1, b->n, f) != b->n) || fclose(f) != 0) {
        perror(path);
        exit(1);
    }
}

static void write_config(const maker *m, const char *dir)
{
    static const char *const type[] = {"deepseek_v3", "qwen2", "llama"};
    static const char *const name[] = {"DeepseekV3ForCausalLM", "Qwen2ForCausalLM", "LlamaForCausalLM"};
    buffer b = {0};
    put_text(&b, "{\"model_type\": \"%s\", \"architectures\": [\"%s\"], \"vocab_size\": %" PRId64 ", \"hidden_size\": %" PRId64
             ", \"intermediate_size\": %" PRId64 ", \"num_hidden_layers\": %" PRId64 ", \"num_attention_heads\": %" PRId64 ",\n",
             type[m->t->arch], name[m->t->arch], m->vocab, m->d, m->f, m->layers, m->heads);
    put_text(&b, "\"num_key_value_heads\": %" PRId64 ", \"hidden_act\": \"silu\", \"max_position_embeddings\": %" PRId64 ", \"rms_norm_eps\": 1e-6, "
             "\"tie_word_embeddings\": %s, \"bos_token_id\": 0, \"eos_token_id\": 1, \"torch_dtype\": \"bfloat16\",\n",
             m->t->arch == R1I_DEEPSEEK_V3 ? m->heads : m->kv_heads, m->context, m->t->tied ? "true" : "false");
    if (m->t->type == R1_DTYPE_F8_E4M3)
        put_text(&b, "\"quantization_config\": {\"quant_method\": \"fp8\", \"fmt\": \"e4m3\", \"weight_block_size\": [128, 128], "
                 "\"activation_scheme\": \"dynamic\"},\n");
    if (m->t->arch == R1I_DEEPSEEK_V3) {
        put_text(&b, "\"first_k_dense_replace\": %" PRId64 ", \"moe_layer_freq\": 1, \"n_routed_experts\": %" PRId64
                 ", \"n_shared_experts\": %" PRId64 ", \"num_experts_per_tok\": %" PRId64 ", \"moe_intermediate_size\": %" PRId64
                 ", \"n_group\": %" PRId64 ", \"topk_group\": %" PRId64 ", \"routed_scaling_factor\": 2.5,\n",
                 m->dense, m->experts, m->shared, m->topk, m->moe_f, m->groups, m->kept);
        put_text(&b, "\"norm_topk_prob\": true, \"scoring_func\": \"sigmoid\", \"topk_method\": \"noaux_tc\", \"attention_bias\": false, "
                 "\"kv_lora_rank\": %" PRId64 ", \"qk_nope_head_dim\": %" PRId64 ", \"qk_rope_head_dim\": %" PRId64 ", \"v_head_dim\": %" PRId64 ",\n",
                 m->rank, m->nope, m->rope, m->v);
        if (m->q_rank) put_text(&b, "\"q_lora_rank\": %" PRId64 ", ", m->q_rank);
        else put_text(&b, "\"q_lora_rank\": null, ");
        if (m->t->mtp) put_text(&b, "\"num_nextn_predict_layers\": 1, ");
        put_text(&b, "\"rope_theta\": 10000, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": %" PRId64 ", \"original_max_position_embeddings\": %" PRId64
                 ", \"beta_fast\": 32, \"beta_slow\": 1, \"mscale\": 1.0, \"mscale_all_dim\": 1.0}}\n", m->factor,
                 m->trained);
    } else if (m->t->arch == R1I_QWEN2) {
        put_text(&b, "\"use_sliding_window\": false, \"rope_theta\": 1000000.0}\n");
    } else {
        put_text(&b, "\"attention_bias\": false, \"mlp_bias\": false, \"head_dim\": %" PRId64 ", \"rope_theta\": 500000.0, "
                 "\"rope_scaling\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0, \"high_freq_factor\": 4.0, "
                 "\"original_max_position_embeddings\": 64}}\n", m->head_dim);
    }
    write_file(dir, "config.json", &b, NULL);
    free(b.p);
}

static void write_safetensors(const maker *m, const char *dir)
{
    buffer h = {0};
    put_u64(&h, 0);
    for (int i = 0; i < m->n; i++) {
        const tensor *const t = &m->tensors[i];
        put_text(&h, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i ? "," : "{", t->name, r1_dtype_name(t->type));
        for (int k = 0; k < t->n_dims; k++) put_text(&h, "%s%" PRId64, k ? "," : "", t->dim[k]);
        put_text(&h, "],\"data_offsets\":[%zu,%zu]}", t->begin, t->begin + t->bytes);
    }
    put_text(&h, "}");
    while (h.n % 8) put_text(&h, " ");
    const uint64_t n = h.n - 8;
    memcpy(h.p, &n, 8);
    write_file(dir, "model.safetensors", &h, &m->data);
    free(h.p);
    write_config(m, dir);
}

static void key(const maker *m, buffer *b, const char *name)
{
    static const char *const arch[] = {"deepseek2", "qwen2", "llama"};
    char full[96];
    snprintf(full, sizeof full, "%s%s%s", strncmp(name, "general.", 8) ? arch[m->t->arch] : "",
             strncmp(name, "general.", 8) ? "." : "", name);
    put_string(b, full);
}

static uint64_t write_keys(const maker *m, buffer *b)
{
    const bool ds = m->t->arch == R1I_DEEPSEEK_V3, old = m->t->old_mla;
    const struct { const char *key; int64_t value; } ints[] = {
        {"block_count", m->layers + m->t->mtp}, {"nextn_predict_layers", m->t->mtp}, {"context_length", m->context}, {"embedding_length", m->d}, {"feed_forward_length", m->f},
        {"vocab_size", m->vocab}, {"attention.head_count", m->heads}, {"attention.head_count_kv", ds ? (old ? m->heads : 1) : m->kv_heads},
        {"rope.dimension_count", ds ? m->rope : m->head_dim},
        {"attention.key_length", ds ? (old ? m->nope + m->rope : m->rank + m->rope) : m->head_dim},
        {"attention.value_length", ds ? (old ? m->v : m->rank) : m->head_dim},
        {"attention.key_length_mla", ds && !old ? m->nope + m->rope : 0}, {"attention.value_length_mla", ds && !old ? m->v : 0},
        {"attention.q_lora_rank", ds ? m->q_rank : 0}, {"attention.kv_lora_rank", ds ? m->rank : 0},
        {"leading_dense_block_count", ds ? m->dense : 0}, {"expert_feed_forward_length", ds ? m->moe_f : 0}, {"expert_count", ds ? m->experts : 0},
        {"expert_used_count", ds ? m->topk : 0}, {"expert_shared_count", ds ? m->shared : 0}, {"expert_gating_func", ds ? 2 : 0},
        {"expert_group_count", ds ? m->groups : 0}, {"expert_group_used_count", ds ? m->kept : 0},
        {"rope.scaling.original_context_length", ds ? m->trained : 0},
    };
    const struct { const char *key; float value; } floats[] = {
        {"attention.layer_norm_rms_epsilon", 1e-6f}, {"rope.freq_base", ds ? 10000.0f : 500000.0f}, {"expert_weights_scale", ds ? 2.5f : 0},
        {"rope.scaling.factor", ds ? (float)m->factor : 0}, {"rope.scaling.yarn_log_multiplier", ds ? 0.1f : 0},
    };
    static const char *const arch[] = {"deepseek2", "qwen2", "llama"};
    uint64_t n = 1;
    key(m, b, "general.architecture");
    put_u32(b, 8);
    put_string(b, arch[m->t->arch]);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        if (ints[i].value == 0) continue;
        key(m, b, ints[i].key);
        put_u32(b, 4);
        put_u32(b, (uint32_t)ints[i].value);
        n++;
    }
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++) {
        if (!(floats[i].value > 0)) continue;
        key(m, b, floats[i].key);
        put_u32(b, 6);
        put_bytes(b, &floats[i].value, 4);
        n++;
    }
    if (!ds) return n;
    key(m, b, "rope.scaling.type");
    put_u32(b, 8);
    put_string(b, "yarn");
    key(m, b, "expert_weights_norm");
    put_u32(b, 7);
    put_bytes(b, &(uint8_t){1}, 1);
    return n + 2;
}

static void write_gguf(const maker *m, const char *dir)
{
    buffer h = {0}, keys = {0};
    const uint64_t n_keys = write_keys(m, &keys);
    put_bytes(&h, "GGUF", 4);
    put_u32(&h, 3);
    put_u64(&h, (uint64_t)m->n);
    put_u64(&h, n_keys);
    put_bytes(&h, keys.p, keys.n);
    for (int i = 0; i < m->n; i++) {
        const tensor *const t = &m->tensors[i];
        put_string(&h, t->name);
        put_u32(&h, (uint32_t)t->n_dims);
        for (int k = t->n_dims - 1; k >= 0; k--) put_u64(&h, (uint64_t)t->dim[k]);
        put_u32(&h, (uint32_t)r1i_dtype(t->type)->gguf_id);
        put_u64(&h, t->begin);
    }
    while (h.n % 32) put_bytes(&h, "", 1);
    write_file(dir, "model.gguf", &h, &m->data);
    free(h.p);
    free(keys.p);
}

static void copy_tokenizer(const char *from, const char *dir)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json"};
    for (size_t i = 0; i < 2; i++) {
        char path[512];
        buffer b = {0};
        snprintf(path, sizeof path, "%s/%s", from, names[i]);
        FILE *const f = fopen(path, "rb");
        if (!f) continue;
        for (int c; (c = getc(f)) != EOF;) *(uint8_t *)grow(&b, 1) = (uint8_t)c;
        fclose(f);
        write_file(dir, names[i], &b, NULL);
        free(b.p);
    }
}

void tiny_model_write(const tiny_model *t, const char *dir, char path[512])
{
    maker *const m = calloc(1, sizeof *m);
    if (!m) abort();
    m->t = t;
    m->gguf = t->gguf || r1i_dtype_is_quantised(t->type);
    m->state = t->seed;
    if (t->mid) set_mid_shape(m);
    else set_shape(m);
    all_tensors(m);
    mkdir(dir, 0777);
    if (m->gguf) write_gguf(m, dir);
    else write_safetensors(m, dir);
    if (t->tokenizer && !m->gguf) copy_tokenizer(t->tokenizer, dir);
    snprintf(path, 512, m->gguf ? "%s/model.gguf" : "%s", dir);
    free(m->data.p);
    free(m->tensors);
    free(m);
}

void tiny_folder_make(char dir[256])
{
    const char *const tmp = getenv("TMPDIR");
    snprintf(dir, 256, "%s/r1-tiny-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        perror(dir);
        exit(1);
    }
}

void tiny_folder_remove(const char *dir)
{
    DIR *const d = opendir(dir);
    if (!d) return;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[768];
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    closedir(d);
    rmdir(dir);
}
