/* A checkpoint with an adapter's terms multiplied out. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/safetensors.h"
#include "model/lora.h"
#include "r1/lora.h"
#include "tensor/codec.h"
#include "train/train_folder.h"

static const char *const copied[] = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
                                     "special_tokens_map.json",
                                     "chat_template.jinja", "tokenizer.model"};

typedef struct merging {
    const r1_model *m;
    const r1i_store *store;
    float *a, *b, *row;      /* row-major [r, cols], [rows, r] of the module at hand; [cols] twice: W's row and the
                              * term's */
    const r1i_lora_module *module;
    r1_error *err;
} merging;

/* The module whose weight an entry is, or NULL. */
static const r1i_lora_module *module_of(const r1i_adapter *a, const char *name)
{
    const size_t n = strlen(name);
    for (int64_t i = 0; i < a->n; i++) {
        const size_t k = strlen(a->module[i].name);
        if (n == k + 7 && memcmp(name, a->module[i].name, k) == 0 && strcmp(name + k, ".weight") == 0)
            return &a->module[i];
    }
    return NULL;
}

static bool is_float(r1_dtype t) { return t == R1_DTYPE_F32 || t == R1_DTYPE_F16 || t == R1_DTYPE_BF16; }

static r1_status unpack(void *user, const r1i_parameter *p)
{
    const merging *const g = user;
    const char *const name = p->name + strlen("base_model.model."), *const module = g->module->name;
    const size_t n = strlen(module);
    if (strncmp(name, module, n) == 0 && strncmp(name + n, ".lora_", 6) == 0)
        r1i_parameter_unpack(p, p->master, name[n + 6] == 'A' ? g->a : g->b);
    return R1_OK;
}

/* Row o of W becomes W + scale * B A. */
static void merge_row(const merging *g, const r1i_entry *e, int64_t o, float *x)
{
    const int64_t r = g->m->adapter->config.r, cols = g->module->cols;
    const float scale = r1i_lora_config_scale(&g->m->adapter->config);
    float *const term = x + cols;
    r1i_dequantise(e->type, e->data + (uint64_t)o * e->bytes / (uint64_t)e->dim[0], cols, x);
    memset(term, 0, (size_t)cols * sizeof *term);
    for (int64_t k = 0; k < r; k++)
        for (int64_t c = 0; c < cols; c++) term[c] = fmaf(g->b[o * r + k], g->a[k * cols + c], term[c]);
    for (int64_t c = 0; c < cols; c++) x[c] = x[c] + scale * term[c];
    if (e->type == R1_DTYPE_F32) return;
    uint16_t *const half = (uint16_t *)(void *)x; /* in place, front to back */
    for (int64_t c = 0; c < cols; c++) {
        const uint16_t h = e->type == R1_DTYPE_BF16 ? r1i_bf16_from_f32(x[c]) : r1i_f16_from_f32(x[c]);
        memcpy(&half[c], &h, sizeof h);
    }
}

static r1_status append(merging *g, r1i_safetensors_writer *w, const r1i_entry *e)
{
    g->module = module_of(g->m->adapter, e->name);
    if (!g->module) {
        const r1_status st = r1i_safetensors_append(w, e->data, (size_t)e->bytes, g->err);
        r1i_store_release_pages(g->store, e);
        return st;
    }
    (void)r1i_adapter_parameters(g->m->adapter, unpack, g);
    r1_status st = R1_OK;
    for (int64_t o = 0; o < g->module->rows && st == R1_OK; o++) {
        merge_row(g, e, o, g->row);
        st = r1i_safetensors_append(w, g->row, (size_t)g->module->cols * (e->type == R1_DTYPE_F32 ? 4 : 2), g->err);
    }
    return st;
}

/* Every term's matrix is there, in a type that a sum can be rounded to. */
static r1_status check(const merging *g)
{
    for (int64_t i = 0; i < g->m->adapter->n; i++) {
        char name[R1I_TENSOR_NAME + 8];
        snprintf(name, sizeof name, "%s.weight", g->m->adapter->module[i].name);
        const r1i_entry *const e = r1i_store_find(g->store, name);
        if (!e) return r1i_fail(g->err, R1_ERR_FORMAT, "tensor %s is missing", name);
        if (!is_float(e->type))
            return r1i_fail(g->err, R1_ERR_UNSUPPORTED,
                            "tensor %s: type %s: a merged weight would have to be quantised anew; F32, F16 or BF16 expected (the adapter can be used "
                            "unmerged: --lora)", name, r1_dtype_name(e->type));
    }
    return R1_OK;
}

static r1_status write_tensors(merging *g, const char *path)
{
    const int64_t n = r1i_store_count(g->store), r = g->m->adapter->config.r;
    int64_t rows = 1, cols = 1;
    r1i_safetensors_item *const item = calloc((size_t)n + 1, sizeof *item);
    r1i_safetensors_writer *w = NULL;
    r1_status st = R1_OK;
    for (int64_t i = 0; i < g->m->adapter->n; i++) {
        if (g->m->adapter->module[i].rows > rows) rows = g->m->adapter->module[i].rows;
        if (g->m->adapter->module[i].cols > cols) cols = g->m->adapter->module[i].cols;
    }
    g->a = malloc((size_t)(r * cols) * sizeof *g->a);
    g->b = malloc((size_t)(rows * r) * sizeof *g->b);
    g->row = malloc((size_t)(2 * cols) * sizeof *g->row);
    if (!item || !g->a || !g->b || !g->row) st = r1i_fail(g->err, R1_ERR_NOMEM, "merging %lld tensors", (long long)n);
    for (int64_t i = 0; i < n && st == R1_OK; i++) {
        const r1i_entry *const e = r1i_store_entry(g->store, i);
        item[i] = (r1i_safetensors_item){.name = e->name, .type = e->type, .n_dims = e->n_dims};
        memcpy(item[i].dim, e->dim, sizeof e->dim);
    }
    if (st == R1_OK) st = r1i_safetensors_create(path, item, (int)n, &w, g->err);
    for (int64_t i = 0; i < n && st == R1_OK; i++) st = append(g, w, r1i_store_entry(g->store, i));
    if (st == R1_OK) st = r1i_safetensors_finish(w, g->err);
    else r1i_safetensors_abort(w);
    free(item), free(g->a), free(g->b), free(g->row);
    return st;
}

static r1_status write_folder(merging *g, const char *out)
{
    char *const path = r1i_path_join(out, "model.safetensors");
    r1_status st = path ? R1_OK : r1i_fail(g->err, R1_ERR_NOMEM, "%s", out);
    if (st == R1_OK && r1i_file_exists(path))
        st = r1i_fail(g->err, R1_ERR_USAGE, "%s exists already: another --out expected", path);
    if (st == R1_OK) st = r1i_make_folders(out, g->err);
    for (size_t i = 0; i < sizeof copied / sizeof *copied && st == R1_OK; i++) {
        char *const from = r1i_path_join(r1i_store_folder(g->store), copied[i]);
        if (!from) st = r1i_fail(g->err, R1_ERR_NOMEM, "%s", out);
        else if (r1i_file_exists(from)) st = r1i_folder_copy(from, out, copied[i], g->err);
        free(from);
    }
    if (st == R1_OK) st = write_tensors(g, path);
    free(path);
    return st;
}

r1_status r1_lora_merge(const char *model, const char *lora, const char *out, const r1_env *env, r1_lora_info *out_info,
                        r1_error *err)
{
    r1_model_params params = r1_model_params_default();
    r1_lora_info info;
    r1_model *m = NULL;
    r1i_store *store = NULL;
    params.lora = lora;
    params.panels = "";
    r1_status st = r1_lora_inspect(lora, &info, err);
    if (st == R1_OK && (st = r1i_store_open(model, env, &store, err)) == R1_OK &&
        r1i_store_container(store) == R1I_GGUF)
        st = r1i_fail(err, R1_ERR_UNSUPPORTED,
                      "%s: a .gguf file cannot be merged into; the base's Hugging Face folder expected (the adapter can be used unmerged: --lora)", model);
    if (st == R1_OK) st = r1_model_open(model, &params, env, &m, err);
    if (st == R1_OK) {
        merging g = {.m = m, .store = store, .err = err};
        if ((st = check(&g)) == R1_OK) st = write_folder(&g, out);
    }
    if (st == R1_OK && out_info) *out_info = info;
    r1_model_close(m);
    r1i_store_close(store);
    return st;
}
