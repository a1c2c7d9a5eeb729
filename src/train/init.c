#include "train/init.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "format/safetensors.h"
#include "model/inventory.h"
#include "tensor/codec.h"

typedef struct listing {
    r1i_prescribed *t; /* NULL: count */
    int n;
} listing;

static r1_status list_one(void *ctx, const r1i_prescribed *t)
{
    listing *const l = ctx;
    if (t->role == R1I_ROLE_COPY) return R1_OK;
    if (l->t) l->t[l->n] = *t;
    l->n++;
    return R1_OK;
}

static bool ends_with(const char *s, const char *tail)
{
    const size_t n = strlen(s), m = strlen(tail);
    return n >= m && strcmp(s + n - m, tail) == 0;
}

enum { PIECE = 4096 };

static r1_status write_values(r1i_safetensors_writer *w, const r1i_prescribed *t, r1_dtype type, double std,
                              r1i_rng *rng, r1_error *err)
{
    float x[PIECE];
    uint16_t half[PIECE];
    const bool norm = t->n_dims == 1 && !ends_with(t->name, "bias"), matrix = t->n_dims > 1;
    int64_t left = t->dim[0] * (matrix ? t->dim[1] : 1);
    r1_status st = R1_OK;
    while (left > 0 && st == R1_OK) {
        const int64_t n = left < PIECE ? left : PIECE;
        for (int64_t i = 0; i < n; i++) {
            x[i] = matrix ? (float)(std * r1i_rng_normal(rng)) : norm ? 1.0f : 0.0f;
            half[i] = r1i_bf16_from_f32(x[i]);
        }
        st = type == R1_DTYPE_BF16 ? r1i_safetensors_append(w, half, (size_t)n * sizeof *half, err)
                                   : r1i_safetensors_append(w, x, (size_t)n * sizeof *x, err);
        left -= n;
    }
    return st;
}

static r1_status write_all(const char *path, const listing *l, double std, uint64_t seed, r1_dtype type, r1_error *err)
{
    r1i_safetensors_writer *w;
    r1i_safetensors_item *const item = calloc((size_t)l->n, sizeof *item);
    if (!item) return r1i_fail(err, R1_ERR_NOMEM, "names of %d tensors", l->n);
    for (int i = 0; i < l->n; i++) {
        item[i] = (r1i_safetensors_item){.name = l->t[i].name, .type = l->t[i].f32 ? R1_DTYPE_F32 : type,
                                         .n_dims = l->t[i].n_dims};
        memcpy(item[i].dim, l->t[i].dim, sizeof l->t[i].dim);
    }
    r1_status st = r1i_safetensors_create(path, item, l->n, &w, err);
    for (int i = 0; i < l->n && st == R1_OK; i++) {
        r1i_rng rng = {.seed = seed ^ ((uint64_t)(i + 1) << 32)};
        st = write_values(w, &l->t[i], item[i].type, std, &rng, err);
        if (st != R1_OK) r1i_safetensors_abort(w);
    }
    free(item);
    return st == R1_OK ? r1i_safetensors_finish(w, err) : st;
}

r1_status r1i_init_write(const char *folder, const r1i_config *c, double std, uint64_t seed, r1_dtype type,
                         r1_error *err)
{
    listing l = {0};
    r1_status st;
    if (type != R1_DTYPE_F32 && type != R1_DTYPE_BF16)
        return r1i_fail(err, R1_ERR_USAGE, "new weights of type %s: F32 or BF16 expected", r1_dtype_name(type));
    if (!(std > 0.0 && std < 10.0))
        return r1i_fail(err, R1_ERR_USAGE, "a standard deviation of %g: a small positive number expected", std);
    (void)r1i_prescribe_hf(c, list_one, &l);
    l.t = calloc((size_t)l.n, sizeof *l.t);
    char *const path = r1i_path_join(folder, "model.safetensors");
    l.n = 0;
    if (!l.t || !path) st = r1i_fail(err, R1_ERR_NOMEM, "list of tensors");
    else if ((st = r1i_prescribe_hf(c, list_one, &l)) == R1_OK) st = write_all(path, &l, std, seed, type, err);
    free(l.t);
    free(path);
    return st;
}
