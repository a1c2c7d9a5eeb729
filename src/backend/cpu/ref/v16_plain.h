/* Sixteen f32 lanes as an array: the names of avx512/v512.h in plain C, for the kernels of lanes/ that have no other
 * specification. */
#ifndef R1I_V16_PLAIN_H
#define R1I_V16_PLAIN_H

#include "backend/cpu/elementary.h"

typedef struct v16 {
    float l[16];
} v16;

#define V16_EACH for (int i = 0; i < 16; i++)

static inline v16 v16_load_n(const float *p, int64_t n)
{
    v16 v;
    V16_EACH v.l[i] = i < n ? p[i] : 0.0f;
    return v;
}
static inline void v16_store_n(float *p, v16 v, int64_t n)
{
    V16_EACH if (i < n) p[i] = v.l[i];
}
static inline v16 v16_load(const float *p) { return v16_load_n(p, 16); }
static inline void v16_store(float *p, v16 v) { v16_store_n(p, v, 16); }
static inline v16 v16_first(v16 v, int64_t n, v16 other)
{
    V16_EACH v.l[i] = i < n ? v.l[i] : other.l[i];
    return v;
}
static inline v16 v16_set1(float f)
{
    v16 v;
    V16_EACH v.l[i] = f;
    return v;
}
static inline v16 v16_zero(void) { return v16_set1(0.0f); }
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    V16_EACH c.l[i] = fmaf(a.l[i], b.l[i], c.l[i]);
    return c;
}
static inline v16 v16_add(v16 a, v16 b)
{
    V16_EACH a.l[i] = a.l[i] + b.l[i];
    return a;
}
static inline v16 v16_sub(v16 a, v16 b)
{
    V16_EACH a.l[i] = a.l[i] - b.l[i];
    return a;
}
static inline v16 v16_mul(v16 a, v16 b)
{
    V16_EACH a.l[i] = a.l[i] * b.l[i];
    return a;
}
static inline v16 v16_div(v16 a, v16 b)
{
    V16_EACH a.l[i] = a.l[i] / b.l[i];
    return a;
}
static inline v16 v16_max(v16 a, v16 b)
{
    V16_EACH a.l[i] = a.l[i] > b.l[i] ? a.l[i] : b.l[i];
    return a;
}
static inline v16 v16_neg(v16 a)
{
    V16_EACH a.l[i] = -a.l[i];
    return a;
}
static inline v16 v16_exp(v16 a)
{
    V16_EACH a.l[i] = r1i_expf(a.l[i]);
    return a;
}
static inline v16 v16_exp_down(v16 a) { return v16_exp(a); }
/* Lane i: the lanes of v[i] folded; no lane is NaN. Lanes from 8 on are zero. */
static inline v16 fold8_max(const v16 v[8])
{
    v16 out = v16_zero();
    for (int k = 0; k < 8; k++) {
        out.l[k] = -INFINITY;
        V16_EACH out.l[k] = v[k].l[i] > out.l[k] ? v[k].l[i] : out.l[k];
    }
    return out;
}
static inline v16 fold8_sum(const v16 v[8])
{
    v16 out = v16_zero();
    for (int k = 0; k < 8; k++) out.l[k] = r1i_fold16(v[k].l);
    return out;
}
static inline v16 v16_bf16(const uint16_t *p)
{
    v16 v;
    V16_EACH v.l[i] = r1i_bf16_to_f32(p[i]);
    return v;
}

/* [8][8], dst[i][j] = src[j][i]. */
static inline void turn8(float *dst, int64_t ds, const float *src, int64_t ss)
{
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 8; j++) dst[i * ds + j] = src[j * ss + i];
}

#endif
