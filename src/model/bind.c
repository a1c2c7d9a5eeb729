/* Which tensor goes where: the published names of both containers, their shapes and types (formats.md 3 and 5.5). */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "model/load.h"
#include "model/rotary.h"
#include "model/tensor_names.h"
#include "tensor/codec.h"

enum { NAME = R1I_TENSOR_NAME };

/* ---- memory and entries ------------------------------------------------------------------------------------------ */

static r1_status count(r1i_binder *b, uint64_t bytes, uint64_t *total)
{
    const uint64_t a = R1I_ALIGN;
    if (bytes > UINT64_MAX / 2 || !r1i_add_u64(*total, (bytes + a - 1) / a * a, total) || *total > SIZE_MAX / 4)
        return r1i_fail(b->err, R1_ERR_RANGE, "the weights' size overflows");
    return R1_OK;
}

/* Arena memory in the second pass; in the first it is counted and NULL is right. */
static r1_status take(r1i_binder *b, uint64_t bytes, void *out)
{
    void *p = NULL;
    r1_status st = R1_OK;
    if (!b->build) st = count(b, bytes, &b->bytes);
    else if (!(p = r1i_arena_take(&b->m->arena, (size_t)bytes, b->err))) st = R1_ERR_NOMEM;
    memcpy(out, &p, sizeof p);
    return st;
}

static r1_status take_panels(r1i_binder *b, uint64_t bytes, uint8_t **out)
{
    *out = NULL;
    if (b->elsewhere && b->build) return R1_OK;
    return b->build ? take(b, bytes, out) : count(b, bytes, &b->panel_bytes);
}

static r1_status take_array(r1i_binder *b, int64_t n, size_t size, void *out)
{
    uint64_t bytes;
    if (!r1i_mul_u64((uint64_t)n, size, &bytes)) return r1i_fail(b->err, R1_ERR_RANGE, "the weights' size overflows");
    return take(b, bytes, out);
}

static const r1i_entry *look(r1i_binder *b, const char *name)
{
    const r1i_entry *const e = r1i_store_find(b->store, name);
    if (e && b->used) b->used[e - r1i_store_entry(b->store, 0)] = 1;
    return e;
}

static r1_status need(r1i_binder *b, const char *name, const r1i_entry **out)
{
    if ((*out = look(b, name)) != NULL) return R1_OK;
    return r1i_fail(b->err, R1_ERR_FORMAT, "tensor %s is missing", name);
}

static bool is_gguf(const r1i_binder *b) { return r1i_store_container(b->store) == R1I_GGUF; }

/* false where this container has no such tensor. */
static bool layer_name(const r1i_binder *b, int64_t layer, r1i_slot s, int64_t expert, char name[NAME])
{
    return r1i_layer_tensor_name(is_gguf(b), layer, s, expert, name);
}

static void dims_text(const int64_t *dim, int n, char *out, size_t size)
{
    size_t at = (size_t)snprintf(out, size, "[");
    for (int i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(out + at, size - at, i ? ", %" PRId64 : "%" PRId64, dim[i]);
    if (at < size) snprintf(out + at, size - at, "]");
}

static bool dims_are(const r1i_entry *e, int n, const int64_t *dim)
{
    return e->n_dims == n && memcmp(e->dim, dim, (size_t)n * sizeof *dim) == 0;
}

static r1_status check_dims(r1i_binder *b, const r1i_entry *e, int n, const int64_t *want)
{
    char have_text[192], want_text[96];
    if (dims_are(e, n, want)) return R1_OK;
    dims_text(e->dim, e->n_dims, have_text, sizeof have_text);
    dims_text(want, n, want_text, sizeof want_text);
    return r1i_fail(b->err, R1_ERR_SHAPE, "tensor %s: shape %s, %s expected", e->name, have_text, want_text);
}

/* ---- vectors ----------------------------------------------------------------------------------------------------- */

/* A vector as f32 in the model's own memory. */
static r1_status vector_of(r1i_binder *b, const r1i_entry *e, int64_t n, float **out)
{
    float *v = NULL;
    r1_status st;
    if ((st = check_dims(b, e, 1, &n)) != R1_OK) return st;
    if (e->type != R1_DTYPE_F32 && e->type != R1_DTYPE_F16 && e->type != R1_DTYPE_BF16)
        return r1i_fail(b->err, R1_ERR_UNSUPPORTED, "tensor %s: type %s, F32, F16 or BF16 expected", e->name,
                        r1_dtype_name(e->type));
    if ((st = take_array(b, n, sizeof *v, &v)) != R1_OK) return st;
    if (!b->build) {
        const int64_t bad = r1i_row_find_nonfinite(e->type, e->data, n);
        if (bad >= 0)
            return r1i_fail_at(b->err, R1_ERR_RANGE, (int64_t)e->offset + bad, "%s: tensor %s: a NaN or infinite value",
                               r1i_store_file_name(b->store, e->file), e->name);
        return R1_OK;
    }
    r1i_dequantise(e->type, e->data, n, v);
    *out = v;
    return R1_OK;
}

static r1_status vector(r1i_binder *b, int64_t layer, r1i_slot s, int64_t n, float **out)
{
    char name[NAME];
    const r1i_entry *e;
    layer_name(b, layer, s, 0, name);
    const r1_status st = need(b, name, &e);
    return st == R1_OK ? vector_of(b, e, n, out) : st;
}

static r1_status top_vector(r1i_binder *b, const char *name, int64_t n, float **out)
{
    const r1i_entry *e;
    const r1_status st = need(b, name, &e);
    return st == R1_OK ? vector_of(b, e, n, out) : st;
}

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

/* The block scales of an fp8 tensor, copied into the model: the file's may lie at any address and its pages are given
 * back. */
static r1_status scales(r1i_binder *b, const r1i_entry *e, int64_t rows, int64_t cols, const float **out)
{
    char name[NAME + 16];
    const r1i_entry *s;
    const int64_t want[2] = {(rows + 127) / 128, (cols + 127) / 128};
    const int64_t n = want[0] * want[1];
    float *v = NULL;
    r1_status st;
    snprintf(name, sizeof name, "%s_scale_inv", e->name);
    if ((st = need(b, name, &s)) != R1_OK || (st = check_dims(b, s, 2, want)) != R1_OK) return st;
    if (s->type != R1_DTYPE_F32)
        return r1i_fail(b->err, R1_ERR_UNSUPPORTED, "tensor %s: type %s, F32 expected", s->name,
                        r1_dtype_name(s->type));
    if ((st = take_array(b, n, sizeof *v, &v)) != R1_OK || b->build) {
        if (st == R1_OK) {
            memcpy(v, s->data, (size_t)n * sizeof *v);
            *out = v;
        }
        return st;
    }
    for (int64_t i = 0; i < n; i++) {
        float x;
        memcpy(&x, s->data + i * 4, sizeof x);
        if (!isfinite(x * 448.0f)) /* 448: e4m3's largest; the product must stay finite too */
            return r1i_fail_at(b->err, R1_ERR_RANGE, (int64_t)s->offset + i * 4,
                               "%s: tensor %s: scale %g is not usable", r1i_store_file_name(b->store, s->file), s->name,
                               (double)x);
    }
    return R1_OK;
}

/* An entry as one row-major matrix. Scales are taken with the first rows that are packed from it. */
typedef struct matrix_source {
    const r1i_entry *e;
    r1i_weight w;
    bool scaled;
} matrix_source;

/* [rows, cols]; the dims are checked already. */
static r1_status source(r1i_binder *b, const r1i_entry *e, int64_t rows, int64_t cols, matrix_source *out)
{
    uint64_t row_bytes;
    *out = (matrix_source){.e = e,
                           .w = {.type = e->type, .layout = R1I_LAYOUT_ROWS, .rows = rows, .cols = cols,
                                 .data = e->data}};
    if (b->m->params.trainable && e->type != R1_DTYPE_F32 && e->type != R1_DTYPE_F16 && e->type != R1_DTYPE_BF16)
        return r1i_fail(b->err, R1_ERR_UNSUPPORTED,
                        "%s: tensor %s: type %s cannot be trained: its steps are coarser than an update; F32, F16 or BF16 expected",
                        r1i_store_file_name(b->store, e->file), e->name, r1_dtype_name(e->type));
    if (!r1i_weight_type_ok(e->type))
        return r1i_fail(b->err, R1_ERR_UNSUPPORTED, "tensor %s: type %s is none that a matrix may have", e->name,
                        r1_dtype_name(e->type));
    if (!r1i_dtype_row_bytes(e->type, (uint64_t)cols, &row_bytes))
        return r1i_fail(b->err, R1_ERR_SHAPE,
                        "tensor %s: rows of %" PRId64 " values are no multiple of the block of %s", e->name, cols,
                        r1_dtype_name(e->type));
    return R1_OK;
}

static r1_status need_scales(r1i_binder *b, matrix_source *src)
{
    if (src->w.type != R1_DTYPE_F8_E4M3 || src->scaled) return R1_OK;
    src->scaled = true;
    return scales(b, src->e, src->w.rows, src->w.cols, &src->w.scale);
}

static r1_status add_job(r1i_binder *b, const r1i_pack_job *job)
{
    if (b->build) b->job[b->n_jobs] = *job;
    b->n_jobs++;
    return R1_OK;
}

/* The type that a source's panels have: f32 where it is to be trained, else its own, or BF16 for what `compute bf16`
 * rounds. The router stays as it is. */
static r1_dtype panel_type(const r1i_binder *b, r1_dtype source_type, bool keep)
{
    if (b->m->params.trainable) return R1_DTYPE_F32;
    const bool wide = source_type == R1_DTYPE_F32 || source_type == R1_DTYPE_F16 || source_type == R1_DTYPE_F8_E4M3;
    return b->m->params.compute == R1_COMPUTE_BF16 && wide && !keep ? R1_DTYPE_BF16 : source_type;
}

/* Whether the file of panels has it: then it is used there. */
static bool in_file(r1i_binder *b, const r1i_panel_key *key, uint64_t bytes, r1i_weight *dst)
{
    char name[NAME + 16];
    r1i_weight w;
    if (!b->file || !r1i_panel_file_find(b->file, key, &w)) return false;
    b->file_bytes += bytes;
    if (b->build) *dst = w;
    snprintf(name, sizeof name, "%s_scale_inv", key->name);
    look(b, name); /* its scales are in the file as well: they have found their place */
    return true;
}

/* The block scales of rows [row0, row0 + rows) of an fp8 source, which its panels keep: a part of the source's own, or
 * turned. */
static r1_status panel_scales(r1i_binder *b, const matrix_source *src, int64_t row0, int64_t rows, bool transpose,
                              const float **out)
{
    const int64_t down = (rows + 127) / 128, across = (src->w.cols + 127) / 128;
    float *turned = NULL;
    if (transpose) {
        const r1_status st = take_array(b, down * across, sizeof *turned, &turned);
        if (st != R1_OK) return st;
    }
    if (!b->build) return R1_OK;
    const float *const from = src->w.scale + row0 / 128 * across;
    for (int64_t i = 0; turned && i < down * across; i++) turned[i] = from[i % down * across + i / down];
    *out = turned ? turned : from;
    return R1_OK;
}

/* Rows [row0, row0 + rows) of src as panels of `type`; dst is NULL in the first pass's arrays. */
static r1_status panels(r1i_binder *b, matrix_source *src, int64_t row0, int64_t rows, r1_dtype type, bool transpose,
                        r1i_weight *dst)
{
    const int64_t cols = src->w.cols, out_rows = transpose ? cols : rows, out_cols = transpose ? rows : cols;
    const r1i_panel_key key = {.name = src->e->name, .row0 = row0, .transposed = transpose, .type = type,
                               .rows = out_rows, .cols = out_cols};
    uint64_t bytes;
    r1_status st;
    if (!r1i_panel_bytes(type, out_rows, out_cols, &bytes))
        return r1i_fail(b->err, R1_ERR_RANGE, "tensor %s: its panels' size overflows", src->e->name);
    if (in_file(b, &key, bytes, dst)) return R1_OK;
    if ((st = need_scales(b, src)) != R1_OK) return st;
    r1i_pack_job job = {.entry = src->e, .src = src->w, .row0 = row0, .rows = rows, .type = type};
    if (type == R1_DTYPE_F8_E4M3 && (st = panel_scales(b, src, row0, rows, transpose, &job.scale)) != R1_OK) return st;
    if ((st = take_panels(b, bytes, &job.out)) != R1_OK) return st;
    job.kind = transpose ? R1I_PACK_TRANSPOSE : type == src->w.type ? R1I_PACK_COPY : R1I_PACK_CONVERT;
    if (b->build)
        *dst = (r1i_weight){.type = type, .layout = R1I_LAYOUT_PANEL, .rows = out_rows, .cols = out_cols,
                            .data = job.out, .scale = job.scale};
    return add_job(b, &job);
}

/* A whole tensor [rows, cols]. */
static r1_status matrix_of(r1i_binder *b, const r1i_entry *e, int64_t rows, int64_t cols, bool keep, r1i_weight *dst)
{
    const int64_t want[2] = {rows, cols};
    matrix_source src;
    r1_status st;
    if ((st = check_dims(b, e, 2, want)) != R1_OK || (st = source(b, e, rows, cols, &src)) != R1_OK) return st;
    return panels(b, &src, 0, rows, panel_type(b, e->type, keep), false, dst);
}

static r1_status matrix(r1i_binder *b, int64_t layer, r1i_slot s, int64_t rows, int64_t cols, r1i_weight *dst)
{
    char name[NAME];
    const r1i_entry *e;
    layer_name(b, layer, s, 0, name);
    const r1_status st = need(b, name, &e);
    return st == R1_OK ? matrix_of(b, e, rows, cols, s == R1I_SLOT_ROUTER, dst) : st;
}

static r1_status ffn(r1i_binder *b, int64_t layer, r1i_slot gate, int64_t width, r1i_ffn *f)
{
    const int64_t d = b->m->config.hidden_size;
    r1_status st;
    if ((st = matrix(b, layer, gate, width, d, &f->gate)) != R1_OK) return st;
    if ((st = matrix(b, layer, gate + 1, width, d, &f->up)) != R1_OK) return st;
    return matrix(b, layer, gate + 2, d, width, &f->down);
}

/* ---- layers ------------------------------------------------------------------------------------------------------ */

static r1_status bind_gqa(r1i_binder *b, int64_t i, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    const int64_t d = c->hidden_size, q = c->num_attention_heads * c->head_dim,
                  kv = c->num_key_value_heads * c->head_dim;
    r1_status st;
    if ((st = matrix(b, i, R1I_SLOT_Q, q, d, &l->q)) != R1_OK) return st;
    if ((st = matrix(b, i, R1I_SLOT_K, kv, d, &l->k)) != R1_OK) return st;
    if ((st = matrix(b, i, R1I_SLOT_V, kv, d, &l->v)) != R1_OK) return st;
    if (c->attention_bias) {
        if ((st = vector(b, i, R1I_SLOT_Q_BIAS, q, &l->q_bias)) != R1_OK) return st;
        if ((st = vector(b, i, R1I_SLOT_K_BIAS, kv, &l->k_bias)) != R1_OK) return st;
        if ((st = vector(b, i, R1I_SLOT_V_BIAS, kv, &l->v_bias)) != R1_OK) return st;
    }
    return matrix(b, i, R1I_SLOT_O, d, q, &l->o);
}

/* Whether each part of `heads` heads' rows begins at a block of scales (128 rows of fp8) or lies within one. */
static bool parts_keep_scales(int64_t heads, int64_t step, int64_t from, int64_t rows)
{
    for (int64_t h = 0; h < heads; h++) {
        const int64_t first = h * step + from;
        if (first % 128 != 0 && first / 128 != (first + rows - 1) / 128) return false;
    }
    return true;
}

/* A stack of `heads` matrices [rows, cols]: 3-D, or 2-D with the heads' rows one after the other (one fork's files). */
static r1_status head_stack(r1i_binder *b, const r1i_entry *e, int64_t rows, int64_t cols, r1i_weight *dst)
{
    const int64_t heads = b->m->config.num_attention_heads;
    const int64_t three[3] = {heads, rows, cols}, two[2] = {heads * rows, cols};
    matrix_source src;
    r1_status st;
    if (!dims_are(e, 2, two) && (st = check_dims(b, e, 3, three)) != R1_OK) return st;
    if ((st = source(b, e, heads * rows, cols, &src)) != R1_OK) return st;
    const bool splits = e->type != R1_DTYPE_F8_E4M3 || parts_keep_scales(heads, rows, 0, rows);
    const r1_dtype type = panel_type(b, splits ? e->type : R1_DTYPE_F32, false);
    for (int64_t h = 0; h < heads && st == R1_OK; h++)
        st = panels(b, &src, h * rows, rows, type, false, dst ? &dst[h] : NULL);
    return st;
}

/* kv_b holds a key part [nope, rank] and a value part [v, rank] per head. The value part is what the absorbed form
 * multiplies with; the key part is needed transposed. Float types keep their type, and so does fp8 where every head's
 * part begins at a block of scales or lies within one; the others become f32 on the way, because their scales run along
 * the other direction. */
static r1_status split_kv_b(r1i_binder *b, const r1i_entry *e, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    const int64_t heads = c->num_attention_heads, nope = c->qk_nope_head_dim, vd = c->v_head_dim,
                  rank = c->kv_lora_rank;
    const int64_t want[2] = {heads * (nope + vd), rank};
    matrix_source src;
    r1_status st;
    if ((st = check_dims(b, e, 2, want)) != R1_OK || (st = source(b, e, want[0], rank, &src)) != R1_OK) return st;
    const bool fp8 = e->type == R1_DTYPE_F8_E4M3;
    const bool flat = e->type == R1_DTYPE_F32 || e->type == R1_DTYPE_F16 || e->type == R1_DTYPE_BF16;
    const bool turns = flat || (fp8 && parts_keep_scales(heads, nope + vd, 0, nope));
    const bool splits = !fp8 || parts_keep_scales(heads, nope + vd, nope, vd);
    const r1_dtype k_type = panel_type(b, turns ? e->type : R1_DTYPE_F32, false);
    const r1_dtype v_type = panel_type(b, splits ? e->type : R1_DTYPE_F32, false);
    for (int64_t h = 0; h < heads; h++) {
        const int64_t row = h * (nope + vd);
        if ((st = panels(b, &src, row, nope, k_type, true, l->k_absorb ? &l->k_absorb[h] : NULL)) != R1_OK) return st;
        if ((st = panels(b, &src, row + nope, vd, v_type, false, l->v_absorb ? &l->v_absorb[h] : NULL)) != R1_OK)
            return st;
    }
    return R1_OK;
}

static r1_status bind_absorbed(r1i_binder *b, int64_t i, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    const int64_t heads = c->num_attention_heads;
    char kv[NAME], name[NAME];
    r1_status st;
    layer_name(b, i, R1I_SLOT_KV_B, 0, kv);
    const r1i_entry *kv_b = look(b, kv), *k_b = NULL, *v_b = NULL;
    if (layer_name(b, i, R1I_SLOT_K_B, 0, name)) k_b = look(b, name);
    if (layer_name(b, i, R1I_SLOT_V_B, 0, name)) v_b = look(b, name);
    if (!(k_b && v_b) && !kv_b) return need(b, kv, &kv_b);
    if ((st = take_array(b, heads, sizeof *l->k_absorb, &l->k_absorb)) != R1_OK) return st;
    if ((st = take_array(b, heads, sizeof *l->v_absorb, &l->v_absorb)) != R1_OK) return st;
    if (!(k_b && v_b)) return split_kv_b(b, kv_b, l);
    if ((st = head_stack(b, k_b, c->kv_lora_rank, c->qk_nope_head_dim, l->k_absorb)) != R1_OK) return st;
    return head_stack(b, v_b, c->v_head_dim, c->kv_lora_rank, l->v_absorb);
}

static r1_status bind_mla(r1i_binder *b, int64_t i, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    const int64_t d = c->hidden_size, heads = c->num_attention_heads, rank = c->kv_lora_rank;
    const int64_t q = heads * (c->qk_nope_head_dim + c->qk_rope_head_dim);
    r1_status st;
    if (c->q_lora_rank > 0) {
        if ((st = matrix(b, i, R1I_SLOT_Q_A, c->q_lora_rank, d, &l->q_a)) != R1_OK) return st;
        if ((st = vector(b, i, R1I_SLOT_Q_A_NORM, c->q_lora_rank, &l->q_a_norm)) != R1_OK) return st;
        if ((st = matrix(b, i, R1I_SLOT_Q_B, q, c->q_lora_rank, &l->q_b)) != R1_OK) return st;
    } else if ((st = matrix(b, i, R1I_SLOT_Q, q, d, &l->q)) != R1_OK) {
        return st;
    }
    if ((st = matrix(b, i, R1I_SLOT_KV_A, rank + c->qk_rope_head_dim, d, &l->kv_a)) != R1_OK) return st;
    if ((st = vector(b, i, R1I_SLOT_KV_A_NORM, rank, &l->kv_a_norm)) != R1_OK) return st;
    if ((st = bind_absorbed(b, i, l)) != R1_OK) return st;
    return matrix(b, i, R1I_SLOT_O, d, heads * c->v_head_dim, &l->o);
}

/* One expert's matrix: a tensor of its own, or its part of one tensor with all experts stacked, which `stack` remembers
 * from the first expert on. */
static r1_status bind_expert(r1i_binder *b, int64_t layer, r1i_slot s, int64_t x, int64_t rows, int64_t cols,
                             matrix_source *stack, r1i_weight *dst)
{
    const int64_t n = b->m->config.n_routed_experts, want[3] = {n, rows, cols};
    char name[NAME];
    const r1i_entry *e = stack->e;
    r1_status st;
    if (!e) {
        layer_name(b, layer, s, x, name);
        if ((st = need(b, name, &e)) != R1_OK) return st;
        if (!is_gguf(b)) return matrix_of(b, e, rows, cols, false, dst);
        if ((st = check_dims(b, e, 3, want)) != R1_OK || (st = source(b, e, n * rows, cols, stack)) != R1_OK) return st;
    }
    return panels(b, stack, x * rows, rows, panel_type(b, e->type, false), false, dst);
}

/* Expert by expert, so that the three matrices of one lie together. */
static r1_status bind_experts(r1i_binder *b, int64_t layer, r1i_ffn *experts)
{
    const r1i_config *const c = &b->m->config;
    const int64_t d = c->hidden_size, f = c->moe_intermediate_size;
    matrix_source gate = {0}, up = {0}, down = {0};
    r1_status st = R1_OK;
    for (int64_t x = 0; x < c->n_routed_experts && st == R1_OK; x++) {
        r1i_ffn *const e = experts ? &experts[x] : NULL;
        st = bind_expert(b, layer, R1I_SLOT_EXPERT_GATE, x, f, d, &gate, e ? &e->gate : NULL);
        if (st == R1_OK) st = bind_expert(b, layer, R1I_SLOT_EXPERT_UP, x, f, d, &up, e ? &e->up : NULL);
        if (st == R1_OK) st = bind_expert(b, layer, R1I_SLOT_EXPERT_DOWN, x, d, f, &down, e ? &e->down : NULL);
    }
    return st;
}

static r1_status bind_moe(r1i_binder *b, int64_t i, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    const int64_t d = c->hidden_size, n = c->n_routed_experts, f = c->moe_intermediate_size;
    char bias[NAME];
    r1_status st;
    l->moe = true;
    if ((st = matrix(b, i, R1I_SLOT_ROUTER, n, d, &l->router)) != R1_OK) return st;
    layer_name(b, i, R1I_SLOT_ROUTER_BIAS, 0, bias);
    const r1i_entry *const e = look(b, bias);
    if (e && (st = vector_of(b, e, n, &l->router_bias)) != R1_OK) return st;
    l->has_shared = c->n_shared_experts > 0;
    if (l->has_shared && (st = ffn(b, i, R1I_SLOT_SHARED_GATE, f * c->n_shared_experts, &l->shared)) != R1_OK)
        return st;
    if ((st = take_array(b, n, sizeof *l->expert, &l->expert)) != R1_OK) return st;
    return bind_experts(b, i, l->expert);
}

static r1_status bind_layer(r1i_binder *b, int64_t i, r1i_layer *l)
{
    const r1i_config *const c = &b->m->config;
    r1_status st;
    *l = (r1i_layer){0};
    if ((st = vector(b, i, R1I_SLOT_ATTN_NORM, c->hidden_size, &l->attn_norm)) != R1_OK) return st;
    if ((st = c->arch == R1I_DEEPSEEK_V3 ? bind_mla(b, i, l) : bind_gqa(b, i, l)) != R1_OK) return st;
    if ((st = vector(b, i, R1I_SLOT_FFN_NORM, c->hidden_size, &l->ffn_norm)) != R1_OK) return st;
    return r1i_layer_is_moe(c, i) ? bind_moe(b, i, l) : ffn(b, i, R1I_SLOT_GATE, c->intermediate_size, &l->dense);
}

static r1_status bind_mtp(r1i_binder *b, int64_t i, r1i_mtp *t)
{
    const int64_t d = b->m->config.hidden_size;
    r1_status st;
    *t = (r1i_mtp){0};
    if ((st = vector(b, i, R1I_SLOT_ENORM, d, &t->enorm)) != R1_OK) return st;
    if ((st = vector(b, i, R1I_SLOT_HNORM, d, &t->hnorm)) != R1_OK) return st;
    if ((st = matrix(b, i, R1I_SLOT_EH_PROJ, d, 2 * d, &t->eh_proj)) != R1_OK) return st;
    if ((st = vector(b, i, R1I_SLOT_HEAD_NORM, d, &t->head_norm)) != R1_OK) return st;
    return bind_layer(b, i, &t->layer);
}

/* ---- the whole model --------------------------------------------------------------------------------------------- */

/* Untied, the embedding stays in the file: a token reads one row of it. Tied, the head's panels serve both. */
static r1_status bind_tables(r1i_binder *b)
{
    r1_model *const m = b->m;
    const r1i_config *const c = &m->config;
    const int64_t want[2] = {c->vocab_size, c->hidden_size};
    const r1i_entry *table, *head = NULL;
    r1_status st;
    if ((st = need(b, is_gguf(b) ? "token_embd.weight" : "model.embed_tokens.weight", &table)) != R1_OK) return st;
    if (!c->tie_word_embeddings && (st = need(b, is_gguf(b) ? "output.weight" : "lm_head.weight", &head)) != R1_OK)
        return st;
    if (!head) {
        st = matrix_of(b, table, want[0], want[1], false, &m->head);
        m->embedding = m->head;
        return st;
    }
    if (m->params.trainable) {
        if ((st = matrix_of(b, table, want[0], want[1], false, &m->embedding)) != R1_OK) return st;
        return matrix_of(b, head, want[0], want[1], false, &m->head);
    }
    if ((st = check_dims(b, table, 2, want)) != R1_OK) return st;
    matrix_source src;
    if ((st = source(b, table, want[0], want[1], &src)) != R1_OK || (st = need_scales(b, &src)) != R1_OK) return st;
    m->embedding = src.w;
    b->mapped_bytes += table->bytes;
    const r1i_pack_job job = {.entry = table, .src = src.w, .rows = want[0], .kind = R1I_PACK_CHECK,
                              .type = table->type};
    /* a file of panels was made from a table that was looked through then */
    if (!b->file && (st = add_job(b, &job)) != R1_OK) return st;
    return matrix_of(b, head, want[0], want[1], false, &m->head);
}

static r1_status bind_rotary(r1i_binder *b)
{
    r1_model *const m = b->m;
    const int64_t half = r1i_rope_dim(&m->config) / 2;
    float *divisors = NULL;
    double *f = NULL;
    r1_status st;
    if (m->config.rope_kind == R1I_ROPE_DIVISORS && (st = top_vector(b, "rope_freqs.weight", half, &divisors)) != R1_OK)
        return st;
    if ((st = take_array(b, half, sizeof *f, &f)) != R1_OK || !b->build) return st;
    for (int64_t i = 0; divisors && i < half; i++)
        if (!(divisors[i] > 0.0f))
            return r1i_fail(b->err, R1_ERR_RANGE, "tensor rope_freqs.weight: divisor %g of pair %" PRId64,
                            (double)divisors[i], i);
    r1i_rotary_frequencies(&m->config, divisors, f);
    m->inv_freq = f;
    m->rope_magnitude = r1i_rotary_magnitude(&m->config);
    m->attn_scale = r1i_attention_scale(&m->config);
    return R1_OK;
}

/* A tensor of a layer that found no place would silently change the mathematics if it were skipped (a bias, a norm that
 * this architecture does not have). Beside the layers, and in layers that are not loaded, there may be anything. */
static r1_status check_leftovers(r1i_binder *b)
{
    static const char *const harmless[] = {"rotary_emb.inv_freq", "attn_rot_embd.weight", "attn_kv_b.weight"};
    const char *const prefix = is_gguf(b) ? "blk." : "model.layers.";
    for (int64_t i = 0; i < r1i_store_count(b->store); i++) {
        const char *const name = r1i_store_entry(b->store, i)->name;
        long long layer = -1;
        int at = 0;
        if (b->used[i] || strncmp(name, prefix, strlen(prefix)) != 0) continue;
        if (sscanf(name + strlen(prefix), "%lld.%n", &layer, &at) != 1 || layer >= b->m->config.num_hidden_layers)
            continue;
        bool known = false;
        for (size_t k = 0; k < sizeof harmless / sizeof *harmless; k++) known |= strstr(name, harmless[k]) != NULL;
        if (!known)
            return r1i_fail(b->err, R1_ERR_UNSUPPORTED, "tensor %s has no place in this architecture", name);
    }
    return R1_OK;
}

r1_status r1i_bind(r1i_binder *b)
{
    r1_model *const m = b->m;
    const r1i_config *const c = &m->config;
    const int64_t layers = c->num_hidden_layers, extra = m->params.load_mtp ? c->num_nextn_predict_layers : 0;
    r1i_layer scratch_layer;
    r1i_mtp scratch_mtp;
    r1_status st;
    if ((st = take_array(b, layers, sizeof *m->layer, &m->layer)) != R1_OK) return st;
    if (extra && (st = take_array(b, extra, sizeof *m->mtp, &m->mtp)) != R1_OK) return st;
    if ((st = bind_tables(b)) != R1_OK || (st = bind_rotary(b)) != R1_OK) return st;
    for (int64_t i = 0; i < layers; i++)
        if ((st = bind_layer(b, i, m->layer ? &m->layer[i] : &scratch_layer)) != R1_OK) return st;
    if ((st = top_vector(b, is_gguf(b) ? "output_norm.weight" : "model.norm.weight", c->hidden_size, &m->final_norm)) !=
        R1_OK) return st;
    for (int64_t i = 0; i < extra; i++)
        if ((st = bind_mtp(b, layers + i, m->mtp ? &m->mtp[i] : &scratch_mtp)) != R1_OK) return st;
    return b->build ? R1_OK : check_leftovers(b);
}

r1_status r1i_bind_measure(r1i_binder *b, const r1_env *env)
{
    const size_t n = (size_t)r1i_store_count(b->store);
    b->used = r1i_alloc_zero(env, n);
    if (!b->used) return r1i_fail(b->err, R1_ERR_NOMEM, "checkpoint, %zu tensors", n);
    const r1_status st = r1i_bind(b);
    r1i_release(env, b->used, n);
    b->used = NULL;
    return st;
}
