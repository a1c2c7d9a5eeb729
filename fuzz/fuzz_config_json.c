/* config.json: an accepted configuration passes its own check, its parameters can be counted, and the tensors that it
 * prescribes add up to that count. */
#include <stdlib.h>

#include "model/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ENOUGH = 20000 }; /* tensors: larger models are counted only */

typedef struct sum { uint64_t parameters; int n; } sum;

static r1_status add(void *ctx, const r1i_prescribed *t)
{
    sum *const s = ctx;
    uint64_t n = 1;
    for (int d = 0; d < t->n_dims; d++) {
        if (t->dim[d] <= 0) abort();
        n *= (uint64_t)t->dim[d];
    }
    s->parameters += n;
    return ++s->n > ENOUGH ? R1_ERR_STOPPED : R1_OK;
}

static void check(const r1i_config *c)
{
    r1i_param_count n;
    sum hf = {0}, gguf = {0};
    if (r1i_config_check(c, NULL) != R1_OK) abort();
    r1i_config_count(c, &n);
    if (n.total > n.stored || n.active > n.total + (uint64_t)(c->vocab_size * c->hidden_size)) abort();
    if (r1i_prescribe_hf(c, add, &hf) == R1_OK && hf.parameters != n.stored) abort();
    if (r1i_prescribe_gguf(c, true, false, add, &gguf) == R1_OK && gguf.parameters != n.stored) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root;
    r1i_config c;
    r1i_name_list ignored = {0};
    r1_error err = {0};
    if (r1i_json_parse(data, size, &root, &err) != R1_OK) return 0;
    if (r1i_config_from_json(root, &c, &ignored, &err) == R1_OK) check(&c);
    else if (err.code == R1_OK || err.message[0] == '\0' || ignored.n != 0) abort();
    r1i_name_list_free(&ignored);
    json_decref(root);
    return 0;
}
