/* Reading an adapter's folder: every tensor has a place on this base, every place has its tensors. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/safetensors.h"
#include "model/lora_build.h"
#include "tensor/codec.h"

enum { CONFIG_BYTES = 1 << 20 };

typedef struct reading {
    const r1i_safetensors *t;
    const r1i_adapter *a;
    uint8_t *used;       /* [t->n] */
    float *buffer;       /* of the largest tensor */
    const char *last;    /* whose values the buffer holds */
    const r1i_lora_config *c;
    r1_error *err;
} reading;

static int64_t find(const r1i_safetensors *t, const char *name)
{
    for (int64_t i = 0; i < t->n; i++)
        if (strcmp(t->entry[i].name, name) == 0) return i;
    return -1;
}

/* A module has a term where the file holds either half of one; the other half is asked for later. */
static bool in_file(void *user, const char *module)
{
    const reading *const r = user;
    char name[R1I_TENSOR_NAME + 64];
    snprintf(name, sizeof name, "base_model.model.%s.lora_A.weight", module);
    if (find(r->t, name) >= 0) return true;
    snprintf(name, sizeof name, "base_model.model.%s.lora_B.weight", module);
    return find(r->t, name) >= 0;
}

static const char *made_for(const r1i_lora_config *c)
{
    return c->base ? json_string_value(c->base) : "a base that it does not name";
}

static r1_status check_entry(const reading *r, const r1i_parameter *p, const r1i_entry *e)
{
    if (e->n_dims != 2 || e->dim[0] != p->rows || e->dim[1] != p->cols) {
        char shape[160] = "";
        for (int d = 0; d < e->n_dims; d++)
            snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%" PRId64, d ? ", " : "", e->dim[d]);
        return r1i_fail_at(r->err, R1_ERR_SHAPE, (int64_t)e->offset,
                           "tensor %s: shape [%s], [%" PRId64 ", %" PRId64 "] expected for this base and r %" PRId64 "; the adapter was made for %s", p->name, shape, p->rows, p->cols, r->a->config.r, made_for(&r->a->config));
    }
    if (e->type != R1_DTYPE_F32 && e->type != R1_DTYPE_F16 && e->type != R1_DTYPE_BF16)
        return r1i_fail_at(r->err, R1_ERR_UNSUPPORTED, (int64_t)e->offset,
                           "tensor %s: type %s, F32, F16 or BF16 expected", p->name, r1_dtype_name(e->type));
    const int64_t bad = r1i_row_find_nonfinite(e->type, e->data, p->rows * p->cols);
    return bad < 0 ? R1_OK
        : r1i_fail_at(r->err, R1_ERR_RANGE, (int64_t)e->offset + bad, "tensor %s: a NaN or infinite value", p->name);
}

static r1_status read_one(void *user, const r1i_parameter *p)
{
    reading *const r = user;
    const int64_t i = find(r->t, p->name);
    if (i < 0) return r1i_fail(r->err, R1_ERR_FORMAT, "tensor %s is missing", p->name);
    const r1i_entry *const e = &r->t->entry[i];
    if (!r->used[i]) {
        const r1_status st = check_entry(r, p, e);
        if (st != R1_OK) return st;
        r->used[i] = 1;
    }
    if (r->last != e->name) r1i_dequantise(e->type, e->data, p->rows * p->cols, r->buffer);
    r->last = e->name;
    r1i_parameter_pack(p, p->master, r->buffer);
    return R1_OK;
}

static const char *no_place(const char *name)
{
    if (strstr(name, ".mlp.experts.")) return "routed experts have no adapters here";
    if (strstr(name, "lora_embedding") || strstr(name, "embed_tokens") || strstr(name, "lm_head"))
        return "the embedding and the head have no adapters here";
    if (strstr(name, "lora_magnitude_vector")) return "magnitudes of weights (DoRA) are not implemented";
    return "this base has no such projection";
}

static r1_status wanted(void *user, const r1i_projection *p)
{
    const reading *const r = user;
    if (!r1i_lora_config_wants(r->c, p->name, NULL) || in_file(user, p->name)) return R1_OK;
    return r1i_fail(r->err, R1_ERR_FORMAT,
                    "tensor base_model.model.%s.lora_A.weight is missing, though its module is among the target_modules; the adapter was made for %s", p->name, made_for(r->c));
}

static r1_status read_tensors(r1_model *m, r1i_lora_config *c, const r1i_safetensors *t, r1_error *err)
{
    reading r = {.t = t, .c = c, .err = err};
    const r1i_lora_choice choice = {in_file, &r};
    r1_status st = c->partial ? R1_OK : r1i_model_projections(m, wanted, &r);
    uint64_t most = 1;
    for (int64_t i = 0; i < t->n; i++)
        if (t->entry[i].bytes > most) most = t->entry[i].bytes;
    if (st == R1_OK) st = r1i_adapter_build(m, c, &choice, err);
    if (st != R1_OK) return st;
    r.a = m->adapter;
    r.used = calloc((size_t)t->n + 1, 1);
    r.buffer = malloc((size_t)most * 2); /* at most two bytes a value in the file, four here; a shape is checked before
                                          * it is used */
    if (!r.used || !r.buffer) st = r1i_fail(err, R1_ERR_NOMEM, "adapter, %" PRId64 " tensors", t->n);
    else st = r1i_adapter_parameters(m->adapter, read_one, &r);
    for (int64_t i = 0; i < t->n && st == R1_OK; i++)
        if (!r.used[i])
            st = r1i_fail_at(err, R1_ERR_UNSUPPORTED, (int64_t)t->entry[i].offset, "tensor %s: %s", t->entry[i].name,
                             no_place(t->entry[i].name));
    if (st == R1_OK && m->adapter->n == 0) st = r1i_fail(err, R1_ERR_FORMAT, "there is no tensor in it");
    free(r.used);
    free(r.buffer);
    if (st == R1_OK) r1i_adapter_turn(m->adapter);
    return st;
}

static r1_status read_folder(r1_model *m, const char *config, const char *tensors, r1_error *err)
{
    json_t *root;
    r1i_lora_config c = {0};
    r1i_map map = {0};
    r1i_safetensors t = {0};
    r1_status st = r1i_json_read_file(config, CONFIG_BYTES, &root, err);
    if (st != R1_OK) return st;
    st = r1i_lora_config_from_json(root, &c, err);
    json_decref(root);
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", config);
    if (st == R1_OK && (st = r1i_map_open(tensors, &map, err)) == R1_OK) {
        if ((st = r1i_safetensors_parse(map.data, map.size, &t, err)) == R1_OK) st = read_tensors(m, &c, &t, err);
        if (st != R1_OK) r1i_error_prefix(err, "%s: ", tensors);
    }
    r1i_safetensors_free(&t);
    r1i_map_close(&map);
    r1i_lora_config_free(&c);
    return st;
}

r1_status r1i_adapter_load(r1_model *m, const char *folder, r1_error *err)
{
    char *const config = r1i_path_join(folder, "adapter_config.json"),
                *const tensors = r1i_path_join(folder, "adapter_model.safetensors");
    r1_status st = R1_OK;
    if (!config || !tensors) st = r1i_fail(err, R1_ERR_NOMEM, "%s", folder);
    else st = read_folder(m, config, tensors, err);
    free(config);
    free(tensors);
    return st;
}
