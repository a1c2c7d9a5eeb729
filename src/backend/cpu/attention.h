/* Between the attention driver (attention.c: items, pages, merging) and its kernels: one call computes one span of 512
 * positions for a block of queries that share a kv head. The order of arithmetic is op/table.h's. */
#ifndef R1I_ATTENTION_H
#define R1I_ATTENTION_H

#include "backend/cpu/asks.h"
#include "backend/cpu/kernels.h"

/* A block: query (r, h) is number r * heads + h; row r has position pos0 + r; nq = rows * heads. */
typedef struct r1i_attn_span {
    const r1i_attn_shape *shape;
    const r1i_kv_layer *kv;
    const int32_t *pages;   /* the run's */
    int64_t kv_head;
    const float *q;         /* [nq, key_dim], packed */
    const float *scale;     /* [nq]: of scores */
    const uint8_t *whole;   /* q8, GQA: a query's whole numbers, int16 or as the kernels' `whole` lays them out, */
    int64_t whole_step;     /* every so many bytes */
    int64_t rows, heads, pos0;
    int64_t start;          /* first position of the span, a multiple of R1I_SPAN */
    const uint8_t *after;   /* nullable: what this thread most likely reads after the span, where the sequence ends in
                             * it */
    r1i_asks *asks;         /* nullable: the thread's, what tiles of q8 in place may ask for beside */
    float *m, *l;           /* [nq] out: maximum, sum; rows with a position below `start` are left alone */
    float *acc;             /* [nq, value_dim] out */
    float *scores;          /* scratch [nq, R1I_PAGE] */
    float *weights;         /* q8, GQA: scratch [groups of a value, nq, R1I_PAGE] */
    float *keys;            /* MLA: scratch [R1I_PAGE, key_dim] */
    float *turned;          /* MLA: scratch [key_dim, R1I_ATTN_BLOCK] */
    float *turned_scores;   /* MLA: scratch [R1I_PAGE, R1I_ATTN_BLOCK] */
} r1i_attn_span;

typedef struct r1i_attn_kernels {
    int64_t asks; /* bytes of weights that spans of q8 do best to ask for beside (asks.h); 0: they ask for none */
    /* Nullable: a query's row (r1i_attn_whole_bytes) begins with its int16. Else what lays out its group of `n` whole
     * numbers at dim d, dim a multiple of 4. */
    void (*whole)(uint8_t *row, int64_t dim, int64_t d, const int16_t *w, int64_t n);
    void (*span)(const r1i_attn_span *a);
    /* (m1, l1, acc1) = both merged by the contract's rule, for each query; acc [queries, dim]. */
    void (*merge)(float *m1, float *l1, float *acc1, const float *m2, const float *l2, const float *acc2,
                  int64_t queries, int64_t dim);
    /* o = acc * (1 / l) */
    void (*finish)(float *o, const float *acc, float l, int64_t n);
} r1i_attn_kernels;

r1_status r1i_cpu_kv_write(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat k, r1i_mat v,
                           const r1i_run *runs, int64_t n_runs);
r1_status r1i_cpu_attention(r1i_exec *ex, const r1i_attn_shape *s, const r1i_kv_layer *kv, r1i_mat o, r1i_mat q,
                            const r1i_run *runs, int64_t n_runs, const r1i_coming *next);

/* Where a kv head's keys, values and q8 factors begin inside its part of a page; MLA has keys alone. */
typedef struct r1i_kv_head {
    uint8_t *keys, *values;
    float *key_scales, *value_scales;
} r1i_kv_head;
static inline r1i_kv_head r1i_kv_head_at(const r1i_attn_shape *s, const r1i_kv_layer *kv, int32_t page, int64_t head)
{
    const int64_t elem = kv->type == R1I_CACHE_F32 ? 4 : kv->type == R1I_CACHE_BF16 ? 2 : 1;
    r1i_kv_head h;
    h.keys = kv->data + (int64_t)page * kv->page_bytes + head * R1I_PAGE * r1i_cache_head_bytes(s, kv->type);
    h.values = s->mla ? h.keys : h.keys + R1I_PAGE * r1i_cache_key_elems(s, kv->type) * elem;
    /* q8 alone has them */
    h.key_scales = (float *)(void *)(s->mla ? h.keys + R1I_PAGE * s->key_dim : h.values + R1I_PAGE * s->value_dim);
    h.value_scales = s->mla ? h.key_scales : h.key_scales + R1I_PAGE * r1i_cache_key_groups(s);
    return h;
}
/* Of the page that holds `pos`. */
static inline r1i_kv_head r1i_kv_page(const r1i_attn_span *a, int64_t pos)
{
    return r1i_kv_head_at(a->shape, a->kv, a->pages[pos / R1I_PAGE], a->kv_head);
}

#endif
