/* The paged cache's memory: fixed pages of 64 positions for every layer. Which sequence owns which page is the engine's
 * business; the model only reads and writes pages it is handed. */
#ifndef R1I_KV_H
#define R1I_KV_H

#include "op/table.h"

struct r1_model;

typedef struct r1i_kv {
    r1_env env;
    r1i_cache_type type;
    int64_t pages, layers;
    int64_t page_bytes;        /* of one page in one layer */
    uint8_t *data;             /* [pages][layers][page_bytes]; reserved, resident only where touched */
    size_t bytes;
} r1i_kv;

/* Bytes of `positions` positions (rounded up to pages) in all layers. */
uint64_t r1i_kv_bytes(const struct r1_model *m, r1i_cache_type type, int64_t positions);
/* layers: num_hidden_layers, plus the MTP layers when with_mtp. R1_ERR_NOMEM. */
r1_status r1i_kv_create(r1i_kv *kv, const struct r1_model *m, r1i_cache_type type, int64_t pages, bool with_mtp,
                        const r1_env *env, r1_error *err);
void r1i_kv_destroy(r1i_kv *kv);
static inline r1i_kv_layer r1i_kv_layer_of(const r1i_kv *kv, int64_t layer)
{
    return (r1i_kv_layer){kv->data + (size_t)layer * (size_t)kv->page_bytes, kv->page_bytes * kv->layers, kv->type};
}

#endif
