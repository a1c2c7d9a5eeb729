/* An adapter looked at without its base. */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/safetensors.h"
#include "model/lora_config.h"
#include "r1/lora.h"

bool r1_lora_is_adapter(const char *folder)
{
    char *const path = r1i_path_join(folder, "adapter_config.json");
    const bool is = path && r1i_file_exists(path);
    free(path);
    return is;
}

static void add_text(char *to, size_t size, const char *text)
{
    const size_t at = strlen(to);
    if (at && at + 2 < size) memcpy(to + at, ", ", 3);
    strncat(to, text, size - strlen(to) - 1);
}

static const r1i_entry *find(const r1i_safetensors *t, const char *name, size_t n)
{
    for (int64_t i = 0; i < t->n; i++)
        if (strlen(t->entry[i].name) == n && memcmp(t->entry[i].name, name, n) == 0) return &t->entry[i];
    return NULL;
}

/* The other half of a tensor's pair. */
static r1_status check_pair(const r1i_safetensors *t, const r1i_entry *e, int64_t r, r1_error *err)
{
    char name[512];
    const size_t n = strlen(e->name);
    const char *const at = strstr(e->name, ".lora_");
    if (n >= sizeof name || !at || (at[6] != 'A' && at[6] != 'B') || strcmp(at + 7, ".weight") != 0)
        return r1i_fail_at(err, R1_ERR_UNSUPPORTED, (int64_t)e->offset,
                           "tensor %s: lora_A.weight or lora_B.weight expected", e->name);
    const bool is_a = at[6] == 'A';
    memcpy(name, e->name, n + 1);
    name[at + 6 - e->name] = is_a ? 'B' : 'A';
    if (!find(t, name, n)) return r1i_fail(err, R1_ERR_FORMAT, "tensor %s is missing", name);
    if (e->n_dims != 2 || e->dim[is_a ? 0 : 1] != r)
        return r1i_fail_at(err, R1_ERR_SHAPE, (int64_t)e->offset,
                           "tensor %s: %s dimension of %lld expected, the configuration's r", e->name,
                           is_a ? "a first" : "a second", (long long)r);
    return R1_OK;
}

static r1_status look(const r1i_safetensors *t, const r1i_lora_config *c, r1_lora_info *out, r1_error *err)
{
    r1_status st = R1_OK;
    size_t i;
    json_t *name;
    out->rank = c->r;
    out->alpha = c->alpha;
    out->scale = (double)r1i_lora_config_scale(c);
    if (c->base) add_text(out->base, sizeof out->base, json_string_value(c->base));
    json_array_foreach(c->targets, i, name) add_text(out->targets, sizeof out->targets, json_string_value(name));
    if (!c->targets) add_text(out->targets, sizeof out->targets, c->all_linear ? "all-linear" : "by a pattern");
    for (int64_t k = 0; k < t->n && st == R1_OK; k++) {
        const r1i_entry *const e = &t->entry[k];
        if ((st = check_pair(t, e, c->r, err)) != R1_OK) break;
        out->modules += strstr(e->name, ".lora_A.") != NULL;
        out->parameters += (uint64_t)(e->dim[0] * e->dim[1]);
        out->bytes += e->bytes;
    }
    return st;
}

static r1_status inspect(const char *config, const char *tensors, r1_lora_info *out, r1_error *err)
{
    json_t *root;
    r1i_lora_config c;
    r1i_map map = {0};
    r1i_safetensors t = {0};
    r1_status st = r1i_json_read_file(config, UINT64_C(1) << 20, &root, err);
    if (st != R1_OK) return st;
    st = r1i_lora_config_from_json(root, &c, err);
    json_decref(root);
    if (st != R1_OK) r1i_error_prefix(err, "%s: ", config);
    if (st == R1_OK && (st = r1i_map_open(tensors, &map, err)) == R1_OK) {
        if ((st = r1i_safetensors_parse(map.data, map.size, &t, err)) == R1_OK) st = look(&t, &c, out, err);
        if (st != R1_OK) r1i_error_prefix(err, "%s: ", tensors);
    }
    r1i_safetensors_free(&t);
    r1i_map_close(&map);
    r1i_lora_config_free(&c);
    return st;
}

r1_status r1_lora_inspect(const char *folder, r1_lora_info *out, r1_error *err)
{
    char *const config = r1i_path_join(folder, "adapter_config.json"),
                *const tensors = r1i_path_join(folder, "adapter_model.safetensors");
    *out = (r1_lora_info){0};
    const r1_status st = config && tensors ? inspect(config, tensors, out, err)
        : r1i_fail(err, R1_ERR_NOMEM, "%s", folder);
    free(config);
    free(tensors);
    return st;
}
