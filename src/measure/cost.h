/* What forwards need of memory and arithmetic, counted from the model: once for a shape that somebody asks about, and
 * forward by forward while a bench runs, with the experts that were really chosen. */
#ifndef R1I_COST_H
#define R1I_COST_H

#include "model/forward.h"
#include "r1/bench.h"

/* Bytes of one matrix as it is read (fp8: with its scales), without padding to panels; 0 for one that is absent. */
double r1i_weight_bytes(const r1i_weight *w);

/* A model's constant parts. */
typedef struct r1i_cost_base {
    const r1_model *m;
    r1i_cache_type cache;
    double fixed_bytes;                 /* all layers without routed experts: once a forward */
    double head_bytes, row_bytes;       /* once a forward with logits; of the embedding, a row */
    double row_ops[R1_PEAK_COUNT];      /* a row through all layers, chosen experts included, attention not */
    double head_ops[R1_PEAK_COUNT];     /* a row of logits */
    double position_bytes;              /* keys and values of one position in all layers */
    double pair_ops;                    /* one query row against one position, all heads and layers */
} r1i_cost_base;
void r1i_cost_base_of(const r1_model *m, r1i_cache_type cache, r1i_cost_base *out);
/* Everything of one forward but routed experts' bytes, added to *out. */
void r1i_cost_add(const r1i_cost_base *b, const r1i_run *runs, int64_t n_runs, int64_t logit_rows, r1_cost *out);

/* Which experts a forward chose: probe->router marks them, r1i_tally_forward adds them up. */
typedef struct r1i_tally {
    r1i_cost_base base;
    r1_cost total;
    r1_env env;
    uint8_t *chosen;                    /* [layers * experts] of the forward under way */
    size_t chosen_bytes;
    r1i_probe probe;                    /* user: this tally */
} r1i_tally;
r1_status r1i_tally_create(r1i_tally *t, const r1_model *m, r1i_cache_type cache, const r1_env *env, r1_error *err);
void r1i_tally_destroy(r1i_tally *t);
/* Stands in for r1i_forward where probe is a tally's. */
r1_status r1i_tally_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                            r1i_mat *hidden_out, const r1i_probe *probe);

#endif
