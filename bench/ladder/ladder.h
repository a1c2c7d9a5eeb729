/* Two kernels from naive to fast, a rung at a time: the same result, checked against the rung below, and the time
 * beside the roof. README.md of this folder is the text to read along. */
#ifndef LADDER_H
#define LADDER_H

#include "base/pool.h"
#include "r1/bench.h"

typedef struct rung {
    const char *name;
    void (*run)(void *problem);  /* fills the problem's output anew */
    bool (*able)(void);          /* NULL: on every processor */
    double tolerance;            /* 0: the bytes of the rung below; else relative to the largest output */
    int threads;                 /* 0: one */
} rung;

typedef struct ladder {
    const char *name;
    const rung *rungs;
    int n;
    void *problem;
    float *out;                  /* [n_out] */
    int64_t n_out;
    r1_cost cost;
} ladder;

typedef struct climb {
    bool check;                  /* compare only */
    r1_meter *one, *all;         /* the roof of one thread and of all */
    int failed;
} climb;

/* Every rung that this processor can: compared with the one below, then timed between slices of roof. One JSON line
 * each. */
void climb_ladder(climb *c, const ladder *l);
void climb_products(climb *c, r1i_pool *pool);
void climb_attention(climb *c, r1i_pool *pool);

/* Prints and exits: a program run by hand. */
void *ladder_alloc(size_t bytes);
bool ladder_has_avx2(void);
bool ladder_has_avx512(void);

#if defined(__x86_64__)
#define LADDER_AVX2 __attribute__((target("avx2,fma,f16c")))
#define LADDER_AVX512 __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#endif

#endif
