/* Between the drivers of the backward ops (cpu_grad.c, cpu_grad_attention.c) and their kernels, which every instruction
 * set compiles from one source (lanes/grad_body.h), plain C included. */
#ifndef R1I_CPU_GRAD_H
#define R1I_CPU_GRAD_H

#include "backend/cpu/kernels.h"

enum {
    R1I_GRAD_STEPS = 256, /* rows, or pairs of rows, of a pass over the weights' gradients: a packed slice of dy is 64
                           * KiB */
    R1I_GRAD_COLS = 6,    /* columns of a tile of packed x: a register tile walks its steps as one stream, which
                           * prefetchers follow */
    R1I_GRAD_TILE = R1I_GRAD_STEPS * R1I_GRAD_COLS + 16, /* floats from a tile to the next: a step of all tiles must not
                                                          * share few cache sets */
    R1I_GRAD_LINES = 8,   /* steps of a tile that fill whole cache lines */
    R1I_GRAD_PANELS = 4,
    R1I_GRAD_NEAR = 768,  /* floats between rows of x that need not be packed: a pass of them stays in a second-level
                           * cache */
    R1I_GRAD_AHEAD = 8,    /* steps of dy and x that are asked for before they are packed: pieces of rows, which no
                            * prefetcher foresees */
    R1I_GRAD_QUERIES = 64, /* queries of one block of attention's backward */
    R1I_GRAD_APART = 16    /* floats between rows of its scores: a column of them must not share few sets of the
                            * first-level cache */
};

/* Rows that will be read: their bytes, and those from a row to the next. */
typedef struct r1i_grad_next {
    const uint8_t *p;
    int64_t rows, bytes, stride;
} r1i_grad_next;

/* Columns [c0, c0 + nc) of panels [p0, p0 + np), np <= R1I_GRAD_PANELS, over the steps of one pass: rows, or with
 * `start` pairs of rows. */
typedef struct r1i_grad_weight {
    float *g;             /* column c0 of panel p0 of the gradient; panels panel_stride floats apart */
    int64_t panel_stride, np, nc, steps;
    const float *dy;      /* [rows, dy_cols] from the first output of panel p0; dy_stride apart; from the pass's first
                           * row, or row 0 */
    const uint16_t *dy16; /* the same as bf16 in place of dy, or NULL; x holds bf16 values too */
    int64_t dy_stride, dy_cols;
    const int32_t *start; /* [steps + 1] first row of each pair; a pair is one row or two. NULL: rows */
    const float *x;       /* tiles of [R1I_GRAD_STEPS][R1I_GRAD_COLS], R1I_GRAD_TILE apart, from column c0; */
    int64_t x_stride;     /* or, if not 0, rows where they lie, so far apart */
    r1i_grad_next next;   /* dy of the item that comes next, asked for during the products; no rows: none */
    const float *next_x;  /* and its x, as far apart; nullable */
} r1i_grad_weight;

/* One head of one run. Matrices are views of that head, [n, dim]. */
typedef struct r1i_grad_attn {
    const r1i_attn_shape *shape;
    int64_t n;
    r1i_mat q, k, v, o, d_o, dq;
    bool assign;          /* dq is written, not added to */
    bool same_keys;       /* as the call before with this scratch: k and v lie there, turned */
    float *dk, *dv;       /* out: dense [n, round16(dim)]; or, where add_k has an address, room for them, */
    r1i_mat add_k, add_v; /* to which they are added, those of dk first (MLA: dv is a part of it) */
    float *scratch;       /* r1i_grad_attn_scratch floats */
} r1i_grad_attn;

/* Products under compute bf16 with the processor's dot product: packed elements are pairs of bf16. */
typedef struct r1i_pair_kernels {
    /* n columns of the rows of `steps` pairs, pair s being rows start[s] to start[s + 1]; zeros where that is one
     * row */
    void (*pack)(float *tile, const uint16_t *x, int64_t stride, const int32_t *start, int64_t steps, int64_t n);
    void (*weight)(const r1i_grad_weight *a);
    void (*attention)(const r1i_grad_attn *a);
} r1i_pair_kernels;

typedef struct r1i_grad_kernels {
    void (*weight)(const r1i_grad_weight *a);
    bool in_place;        /* weight reads rows of up to R1I_GRAD_NEAR floats as fast where they lie */
    float (*rms)(const float *x, int64_t n, float eps); /* 1 / sqrt(mean of squares + eps), as the forward's */
    void (*rmsnorm_row)(float *dx, const float *dy, const float *x, const float *g, int64_t n, float s, bool assign);
    /* dg[c] = fmaf(dy[r, c], x[r, c] * rms[r], dg[c]), rows ascending */
    void (*gain)(float *dg, r1i_mat dy, r1i_mat x, const float *rms, int64_t c0, int64_t n);
    void (*silu_mul_row)(float *dg, float *du, const float *dy, const float *g, const float *u, int64_t n, bool assign,
                         bool assign_up);
    void (*attention)(const r1i_grad_attn *a);
    void (*cross_entropy_row)(float *z, int64_t n, int64_t n_defined, int32_t target, float inv_temperature, float lse,
                              float coef);
    float (*dot)(const float *a, const float *b, int64_t n);
    void (*turn)(float *to, const float *from); /* [16][16], apart from each other: to[m][k] = from[k][m] */
} r1i_grad_kernels;

/* n floats that will be read soon; they may lie past the matrix, where asking has no effect. */
static inline void r1i_grad_ahead(const float *p, int64_t n)
{
    for (int64_t i = 0; i < n; i += 16) __builtin_prefetch(p + i);
}

static inline void r1i_grad_ahead_halves(const uint16_t *p, int64_t n)
{
    for (int64_t i = 0; i < n; i += 32) __builtin_prefetch(p + i);
}

/* Before tile `i` of `n`: its part of the next item's dy, into the second-level cache. */
static inline void r1i_grad_ask(const r1i_grad_next *next, int64_t i, int64_t n)
{
    for (int64_t r = next->rows * i / n; r < next->rows * (i + 1) / n; r++)
        for (int64_t c = 0; c < next->bytes; c += 64) __builtin_prefetch(next->p + r * next->stride + c, 0, 2);
}

static inline int64_t r1i_round16(int64_t n) { return (n + 15) / 16 * 16; }
static inline int64_t r1i_grad_attn_scratch(const r1i_attn_shape *s, int64_t n)
{
    const int64_t t = r1i_round16(n), pk = r1i_round16(s->key_dim), pv = r1i_round16(s->value_dim),
                  b = R1I_GRAD_QUERIES;
    return t * (s->key_dim + s->value_dim + pk) + b * (2 * pk + pv) + 2 * b * (t + R1I_GRAD_APART);
}

extern const r1i_grad_kernels r1i_ref_grad;
/* NULL where this build has no such instruction set. */
extern const r1i_grad_kernels *const r1i_avx2_grad, *const r1i_avx512_grad, *const r1i_neon_grad;

/* cpu_grad_attention.c */
r1_status r1i_cpu_grad_attention(r1i_exec *ex, const r1i_attn_shape *s, r1i_mat dq, r1i_mat dk, r1i_mat dv, r1i_mat d_o,
                                 r1i_mat q, r1i_mat k, r1i_mat v, r1i_mat o, const r1i_run *runs, int64_t n_runs,
                                 bool assign, float *work);
/* cpu_grad.c */
extern const r1i_grad_ops r1i_cpu_grad_ops;

#endif
