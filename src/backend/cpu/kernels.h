/* The CPU backend's inner kernels: one row of function pointers per instruction set. ref/ fills all of them in plain C
 * and is the specification; avx2/, avx512/ and neon/ replace what is hot and must give the same bytes. cpu_ops.c splits
 * ops into work items over the pool and calls these. */
#ifndef R1I_CPU_KERNELS_H
#define R1I_CPU_KERNELS_H

#include "op/table.h"

/* Panels [p0, p1) of job->w against all rows of job->x: finishes bias and add, writes only existing outputs. */
typedef void (*r1i_linear_kernel)(const r1i_linear_job *job, int64_t p0, int64_t p1);

typedef struct r1i_cpu_kernels {
    const char *name;                              /* "c", "avx2", "avx512", "neon" */
    bool near;                                     /* R1I_CPU_NEAR; who fills in rows of the table reads it */
    r1i_linear_kernel linear_f32[R1_DTYPE_COUNT];  /* f32 activations: scalar types, and block types with exact
                                                    * activations */
    r1i_linear_kernel linear_q8[R1_DTYPE_COUNT];   /* block types, Q8 activations */
    r1i_linear_kernel linear_bf16;                 /* BF16 panels, bf16 activations (compute bf16) */
    void (*quantise_row)(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16);
    void (*fine_row)(const r1i_act *act, int64_t r); /* row r's fine terms, after quantise_row */
    void (*rmsnorm_row)(float *y, const float *x, const float *g, int64_t n, float eps);
    void (*silu_mul_row)(float *y, const float *g, const float *u, int64_t n);
    void (*sigmoid_row)(float *y, const float *z, int64_t n);
    /* One row each; elementwise, so the rows share a source (lanes/plain_rows.h) and differ in how it is compiled. */
    void (*rope_row)(float *x, int64_t heads, int64_t dim, int64_t head_stride, const float *cos, const float *sin,
                     bool interleaved);
    void (*rope_table_row)(float *cos, float *sin, int64_t pos, const double *inv_freq, int64_t n, float mag);
    void (*moe_combine_row)(float *y, const float *out, int64_t out_stride, const int32_t *slot, const float *weight,
                            int64_t topk, const float *shared, int64_t n);
    void (*bf16_row)(uint16_t *y, const float *x, int64_t n);
    /* Queries of consecutive positions against one span of one kv head; see attention.h of this folder. */
    const struct r1i_attn_kernels *attn;
    /* Running max and, given the max, 16 double lanes of sum of exp. */
    float (*row_max)(const float *x, int64_t n, float scale);
    void (*row_sum_exp)(const float *x, int64_t n, float scale, float max, double lane[16]);
    const struct r1i_grad_kernels *grad; /* backward; see grad.h of this folder */
    const struct r1i_pair_kernels *pairs; /* its products under compute bf16; NULL: no such instruction, the chain over
                                           * rounded values */
} r1i_cpu_kernels;

enum {
    R1I_CPU_AVX2 = 1, R1I_CPU_AVX512 = 2, R1I_CPU_AVX512_BF16 = 4, R1I_CPU_NEON = 8, R1I_CPU_DOTPROD = 16,
    R1I_CPU_NEAR = 32 /* no instruction but a habit: this core streams fastest what was asked for, line by line, into
                       * the first-level cache. Zen 5: what else was found best there hangs on it too
                       * (lanes/quant_group.h, lanes/linear_body.h, lanes/attention_tile.h, asks.h,
                       * avx512/avx512_linear_quant.c) */
};
/* The fine terms in plain C: the specification, and fast enough for most rows of the table, since few groups have
 * one. */
void r1i_cpu_fine_row(const r1i_act *act, int64_t r);

/* What this processor and system offer (own CPUID and XGETBV code): AVX2 means AVX2 + FMA + F16C; AVX512 means F, BW,
 * VL, DQ, VNNI, VBMI, VBMI2; NEON is every AArch64 processor, DOTPROD by the kernel's word. */
unsigned r1i_cpu_features(void);

/* Rows of the table. A row for an instruction set that this build lacks is not declared away: it returns false. */
void r1i_cpu_ref_kernels(r1i_cpu_kernels *k);          /* fills everything */
bool r1i_cpu_avx2_float_kernels(r1i_cpu_kernels *k);   /* avx2/: replace what they have */
bool r1i_cpu_avx2_quant_kernels(r1i_cpu_kernels *k);
bool r1i_cpu_avx512_float_kernels(r1i_cpu_kernels *k);
bool r1i_cpu_avx512_quant_kernels(r1i_cpu_kernels *k);
bool r1i_cpu_neon_float_kernels(r1i_cpu_kernels *k);
bool r1i_cpu_neon_quant_kernels(r1i_cpu_kernels *k);
bool r1i_cpu_neon_dot_kernels(r1i_cpu_kernels *k);     /* the quantised products once more, by integer dot products */
void r1i_cpu_ref_quant_kernels(r1i_cpu_kernels *k);    /* called by r1i_cpu_ref_kernels */

/* "auto", "c", "avx2", "avx512", "neon": R1_ERR_MISSING when the processor lacks it, R1_ERR_USAGE for another name.
 * `auto` takes the best that this processor has. */
r1_status r1i_cpu_select(const char *isa, r1i_cpu_kernels *out, r1_error *err);
/* The same with R1I_CPU_NEAR or without it, whatever this processor has: the bytes do not hang on it. */
r1_status r1i_cpu_select_near(const char *isa, bool near, r1i_cpu_kernels *out, r1_error *err);
/* The op table of this backend; exec.backend must point at an r1i_cpu_kernels. */
const r1i_ops *r1i_cpu_ops(void);

#endif
