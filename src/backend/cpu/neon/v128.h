/* Sixteen f32 lanes as four 128-bit registers: the names of avx512/v512.h, so that the kernels of lanes/ are written
 * once. AArch64 rounds, fuses and keeps subnormals as x86 does, so the same operations in the same order give the same
 * bytes. */
#ifndef R1I_V128_H
#define R1I_V128_H

#include <arm_neon.h>

#include "backend/cpu/elementary.h"

typedef struct v16 {
    float32x4_t a, b, c, d;
} v16;

static inline v16 v16_of(float32x4_t a, float32x4_t b, float32x4_t c, float32x4_t d) { return (v16){a, b, c, d}; }
static inline v16 v16_set1(float f)
{
    const float32x4_t v = vdupq_n_f32(f);
    return v16_of(v, v, v, v);
}
static inline v16 v16_zero(void) { return v16_set1(0.0f); }
static inline v16 v16_load(const float *p)
{
    return v16_of(vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12));
}
static inline void v16_store(float *p, v16 v)
{
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
    vst1q_f32(p + 8, v.c);
    vst1q_f32(p + 12, v.d);
}
/* The first n lanes, 0 <= n; the others are zero, their memory is not touched. There are no masked loads: tails go
 * through the stack. */
static inline v16 v16_load_n(const float *p, int64_t n)
{
    float lane[16] = {0};
    for (int i = 0; i < 16 && i < n; i++) lane[i] = p[i];
    return v16_load(lane);
}
static inline void v16_store_n(float *p, v16 v, int64_t n)
{
    float lane[16];
    v16_store(lane, v);
    for (int i = 0; i < 16 && i < n; i++) p[i] = lane[i];
}
/* v in the first n lanes, other behind. */
static inline v16 v16_first(v16 v, int64_t n, v16 other)
{
    static const int32_t index[4] = {0, 1, 2, 3};
    const int32x4_t i = vld1q_s32(index);
    const int left = n > 64 ? 64 : (int)n;
    return v16_of(vbslq_f32(vcgtq_s32(vdupq_n_s32(left), i), v.a, other.a),
                  vbslq_f32(vcgtq_s32(vdupq_n_s32(left - 4), i), v.b, other.b),
                  vbslq_f32(vcgtq_s32(vdupq_n_s32(left - 8), i), v.c, other.c),
                  vbslq_f32(vcgtq_s32(vdupq_n_s32(left - 12), i), v.d, other.d));
}
static inline v16 v16_fma(v16 a, v16 b, v16 c)
{
    return v16_of(vfmaq_f32(c.a, a.a, b.a), vfmaq_f32(c.b, a.b, b.b), vfmaq_f32(c.c, a.c, b.c),
                  vfmaq_f32(c.d, a.d, b.d));
}
#define V16_BINARY(name, op) \
    static inline v16 name(v16 x, v16 y) { return v16_of(op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)); }
V16_BINARY(v16_add, vaddq_f32)
V16_BINARY(v16_sub, vsubq_f32)
V16_BINARY(v16_mul, vmulq_f32)
V16_BINARY(v16_div, vdivq_f32)
/* a > b ? a : b, so b where either is NaN (FMAX would give the NaN) */
static inline float32x4_t four_max(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
V16_BINARY(v16_max, four_max)
#undef V16_BINARY
static inline v16 v16_neg(v16 v) { return v16_of(vnegq_f32(v.a), vnegq_f32(v.b), vnegq_f32(v.c), vnegq_f32(v.d)); }

static inline float32x4_t four_high_halves(uint16x4_t h) { return vreinterpretq_f32_u32(vshll_n_u16(h, 16)); }
/* 16 bf16 values. */
static inline v16 v16_bf16(const uint16_t *p)
{
    const uint16x8_t lo = vld1q_u16(p), hi = vld1q_u16(p + 8);
    return v16_of(four_high_halves(vget_low_u16(lo)), four_high_halves(vget_high_u16(lo)),
                  four_high_halves(vget_low_u16(hi)), four_high_halves(vget_high_u16(hi)));
}

/* 16 signed bytes. */
static inline v16 v16_i8(const int8_t *p)
{
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t lo = vmovl_s8(vget_low_s8(bytes)), hi = vmovl_high_s8(bytes);
    return v16_of(vcvtq_f32_s32(vmovl_s16(vget_low_s16(lo))), vcvtq_f32_s32(vmovl_high_s16(lo)),
                  vcvtq_f32_s32(vmovl_s16(vget_low_s16(hi))), vcvtq_f32_s32(vmovl_high_s16(hi)));
}

/* dst[c * ds + r] = src[r * ss + c], 4 x 4. */
static inline void turn4(float *dst, int64_t ds, const float *src, int64_t ss)
{
    const float32x4_t r0 = vld1q_f32(src), r1 = vld1q_f32(src + ss), r2 = vld1q_f32(src + 2 * ss),
                      r3 = vld1q_f32(src + 3 * ss);
    const float64x2_t t0 = vreinterpretq_f64_f32(vtrn1q_f32(r0, r1)), t1 = vreinterpretq_f64_f32(vtrn2q_f32(r0, r1));
    const float64x2_t t2 = vreinterpretq_f64_f32(vtrn1q_f32(r2, r3)), t3 = vreinterpretq_f64_f32(vtrn2q_f32(r2, r3));
    vst1q_f32(dst, vreinterpretq_f32_f64(vtrn1q_f64(t0, t2)));
    vst1q_f32(dst + ds, vreinterpretq_f32_f64(vtrn1q_f64(t1, t3)));
    vst1q_f32(dst + 2 * ds, vreinterpretq_f32_f64(vtrn2q_f64(t0, t2)));
    vst1q_f32(dst + 3 * ds, vreinterpretq_f32_f64(vtrn2q_f64(t1, t3)));
}
/* The same, 8 x 8. */
static inline void turn8(float *dst, int64_t ds, const float *src, int64_t ss)
{
    for (int r = 0; r < 8; r += 4)
        for (int c = 0; c < 8; c += 4) turn4(dst + c * ds + r, ds, src + r * ss + c, ss);
}

/* max(m, all lanes); no lane is NaN. */
static inline float lane_max(v16 v, float m)
{
    const float most = vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.a, v.c), vmaxq_f32(v.b, v.d)));
    return most > m ? most : m;
}
/* r1i_fold16's tree. */
static inline float lane_sum(v16 v)
{
    const float32x4_t four = vaddq_f32(vaddq_f32(v.a, v.c), vaddq_f32(v.b, v.d));
    const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
    return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* Lane i: the lanes of v[i] folded; zero behind. */
static inline v16 fold8_max(const v16 v[8])
{
    float out[16] = {0};
    for (int i = 0; i < 8; i++) out[i] = lane_max(v[i], -INFINITY);
    return v16_load(out);
}
static inline v16 fold8_sum(const v16 v[8])
{
    float out[16] = {0};
    for (int i = 0; i < 8; i++) out[i] = lane_sum(v[i]);
    return v16_load(out);
}

/* Sixteen double lanes. */
typedef struct d16 {
    float64x2_t lane[8];
} d16;

static inline d16 d16_zero(void)
{
    const float64x2_t z = vdupq_n_f64(0.0);
    return (d16){{z, z, z, z, z, z, z, z}};
}
static inline d16 d16_add(d16 sum, v16 v)
{
    const float32x4_t part[4] = {v.a, v.b, v.c, v.d};
    for (int i = 0; i < 4; i++) {
        sum.lane[2 * i] = vaddq_f64(sum.lane[2 * i], vcvt_f64_f32(vget_low_f32(part[i])));
        sum.lane[2 * i + 1] = vaddq_f64(sum.lane[2 * i + 1], vcvt_high_f64_f32(part[i]));
    }
    return sum;
}
static inline void d16_store(double *p, d16 v)
{
    for (int i = 0; i < 8; i++) vst1q_f64(p + 2 * i, v.lane[i]);
}

/* Sixteen words of four bytes: a vector of a block type's panel. */
typedef struct w16 {
    uint32x4_t a, b, c, d;
} w16;

static inline w16 w16_of(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d) { return (w16){a, b, c, d}; }
static inline uint32x4_t four_words(const void *p) { return vreinterpretq_u32_u8(vld1q_u8(p)); }
static inline w16 w16_load(const void *p)
{
    const uint8_t *const b = p;
    return w16_of(four_words(b), four_words(b + 16), four_words(b + 32), four_words(b + 48));
}
static inline void w16_store(void *p, w16 v)
{
    uint8_t *const b = p;
    vst1q_u8(b, vreinterpretq_u8_u32(v.a));
    vst1q_u8(b + 16, vreinterpretq_u8_u32(v.b));
    vst1q_u8(b + 32, vreinterpretq_u8_u32(v.c));
    vst1q_u8(b + 48, vreinterpretq_u8_u32(v.d));
}
static inline w16 w16_set1(uint32_t u)
{
    const uint32x4_t v = vdupq_n_u32(u);
    return w16_of(v, v, v, v);
}
#define W16_BINARY(name, op) \
    static inline w16 name(w16 x, w16 y) { return w16_of(op(x.a, y.a), op(x.b, y.b), op(x.c, y.c), op(x.d, y.d)); }
W16_BINARY(w16_and, vandq_u32)
W16_BINARY(w16_or, vorrq_u32)
W16_BINARY(w16_xor, veorq_u32)
W16_BINARY(w16_sub, vsubq_u32)
#undef W16_BINARY
/* Of each word; n may be known at run time only. */
static inline w16 w16_shr(w16 v, int n) { return w16_of(v.a >> n, v.b >> n, v.c >> n, v.d >> n); }
static inline w16 w16_shl(w16 v, int n) { return w16_of(v.a << n, v.b << n, v.c << n, v.d << n); }
static inline uint32x4_t four_signed_bytes(uint32x4_t v)
{
    return vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_u32(v), 24));
}
/* Byte i of each word with its sign. */
static inline w16 w16_signed_byte(w16 v, int i)
{
    const w16 top = w16_shl(v, 24 - 8 * i);
    return w16_of(four_signed_bytes(top.a), four_signed_bytes(top.b), four_signed_bytes(top.c),
                  four_signed_bytes(top.d));
}
static inline w16 w16_u16(const void *p)
{
    const uint16x8_t lo = vreinterpretq_u16_u8(vld1q_u8(p)),
                     hi = vreinterpretq_u16_u8(vld1q_u8((const uint8_t *)p + 16));
    return w16_of(vmovl_u16(vget_low_u16(lo)), vmovl_high_u16(lo), vmovl_u16(vget_low_u16(hi)), vmovl_high_u16(hi));
}
static inline uint32x4_t four_table(int8x16_t table, uint32x4_t v)
{
    return vreinterpretq_u32_s8(vqtbl1q_s8(table, vreinterpretq_u8_u32(v)));
}
/* table[byte] + bias, for bytes below 16. */
static inline w16 w16_table(w16 v, const int8_t table[16], int bias)
{
    const int8x16_t t = vaddq_s8(vld1q_s8(table), vdupq_n_s8((int8_t)bias));
    return w16_of(four_table(t, v.a), four_table(t, v.b), four_table(t, v.c), four_table(t, v.d));
}
static inline uint32x4_t four_fifths(uint32x4_t bits)
{
    return vandq_u32(vmulq_u32(vandq_u32(bits, vdupq_n_u32(15)), vdupq_n_u32(0x00204081u << 4)),
                     vdupq_n_u32(0x10101010u));
}
/* Bits 4 i .. 4 i + 3 of a word, one in bit 4 of each byte: one product spreads four bits over four bytes. */
static inline w16 w16_fifth(w16 bits, int i)
{
    const w16 v = w16_shr(bits, 4 * i);
    return w16_of(four_fifths(v.a), four_fifths(v.b), four_fifths(v.c), four_fifths(v.d));
}
static inline float32x4_t four_floats(uint32x4_t v) { return vcvtq_f32_s32(vreinterpretq_s32_u32(v)); }
/* Words as signed integers, and 16 halves, to f32. */
static inline v16 v16_of_words(w16 v)
{
    return v16_of(four_floats(v.a), four_floats(v.b), four_floats(v.c), four_floats(v.d));
}
/* The low four bits of each word. */
static inline v16 v16_of_nibbles(w16 v) { return v16_of_words(w16_and(v, w16_set1(15))); }
static inline float32x4_t four_halves(uint16x4_t h) { return vcvt_f32_f16(vreinterpret_f16_u16(h)); }
static inline v16 v16_halves(const void *p)
{
    const uint16x8_t lo = vreinterpretq_u16_u8(vld1q_u8(p)),
                     hi = vreinterpretq_u16_u8(vld1q_u8((const uint8_t *)p + 16));
    return v16_of(four_halves(vget_low_u16(lo)), four_halves(vget_high_u16(lo)), four_halves(vget_low_u16(hi)),
                  four_halves(vget_high_u16(hi)));
}

/* Which of the n bytes at p have bit i; the first 64 of them are looked at. Eight bytes at a time: one product gathers
 * their bits. */
static inline uint64_t bytes_with(const uint8_t *p, int64_t n, int i)
{
    const int64_t end = n < 64 ? n : 64;
    uint64_t mask = 0;
    int64_t k = 0;
    for (; k + 8 <= end; k += 8) {
        uint64_t v;
        memcpy(&v, p + k, sizeof v);
        mask |= (((v >> i) & 0x0101010101010101u) * 0x0102040810204080u >> 56) << k;
    }
    for (; k < end; k++) mask |= (uint64_t)(p[k] >> i & 1) << k;
    return mask;
}

/* A panel's 64 bytes of two k side by side: f32 of k and of k + 1. */
static inline void v16_pair_bf16(const uint8_t *p, v16 *k0, v16 *k1)
{
    const w16 v = w16_load(p), first = w16_shl(v, 16), second = w16_and(v, w16_set1(0xffff0000u));
    *k0 = v16_of(vreinterpretq_f32_u32(first.a), vreinterpretq_f32_u32(first.b), vreinterpretq_f32_u32(first.c),
                 vreinterpretq_f32_u32(first.d));
    *k1 = v16_of(vreinterpretq_f32_u32(second.a), vreinterpretq_f32_u32(second.b), vreinterpretq_f32_u32(second.c),
                 vreinterpretq_f32_u32(second.d));
}
static inline void v16_pair_f16(const uint8_t *p, v16 *k0, v16 *k1)
{
    const uint16x8_t a = vreinterpretq_u16_u8(vld1q_u8(p)), b = vreinterpretq_u16_u8(vld1q_u8(p + 16));
    const uint16x8_t c = vreinterpretq_u16_u8(vld1q_u8(p + 32)), d = vreinterpretq_u16_u8(vld1q_u8(p + 48));
    const uint16x8_t even0 = vuzp1q_u16(a, b), odd0 = vuzp2q_u16(a, b), even1 = vuzp1q_u16(c, d),
                     odd1 = vuzp2q_u16(c, d);
    *k0 = v16_of(four_halves(vget_low_u16(even0)), four_halves(vget_high_u16(even0)), four_halves(vget_low_u16(even1)),
                 four_halves(vget_high_u16(even1)));
    *k1 = v16_of(four_halves(vget_low_u16(odd0)), four_halves(vget_high_u16(odd0)), four_halves(vget_low_u16(odd1)),
                 four_halves(vget_high_u16(odd1)));
}

/* Byte `left / 8` of each word as e4m3 * 2^-120: see avx512/v512.h. */
static inline float32x4_t four_f8(uint32x4_t v, int left)
{
    const int32x4_t top = vshrq_n_s32(vreinterpretq_s32_u32(v << left), 4);
    return vreinterpretq_f32_s32(vandq_s32(top, vdupq_n_s32((int32_t)0x87f00000u)));
}
/* A panel's 64 bytes of four k side by side. */
static inline void v16_quad_f8(const uint8_t *p, v16 out[4])
{
    const w16 v = w16_load(p);
    out[0] = v16_of(four_f8(v.a, 24), four_f8(v.b, 24), four_f8(v.c, 24), four_f8(v.d, 24));
    out[1] = v16_of(four_f8(v.a, 16), four_f8(v.b, 16), four_f8(v.c, 16), four_f8(v.d, 16));
    out[2] = v16_of(four_f8(v.a, 8), four_f8(v.b, 8), four_f8(v.c, 8), four_f8(v.d, 8));
    out[3] = v16_of(four_f8(v.a, 0), four_f8(v.b, 0), four_f8(v.c, 0), four_f8(v.d, 0));
}

/* r1i_expf, operation by operation. */
static inline float32x4_t four_exp(float32x4_t x)
{
    const float32x4_t t = vfmaq_f32(vdupq_n_f32(R1I_EXP_MAGIC), x, vdupq_n_f32(R1I_EXP_LOG2E));
    const float32x4_t n = vsubq_f32(t, vdupq_n_f32(R1I_EXP_MAGIC));
    float32x4_t r = vfmaq_f32(x, n, vdupq_n_f32(-R1I_EXP_LN2_HI));
    r = vfmaq_f32(r, n, vdupq_n_f32(-R1I_EXP_LN2_LO));
    float32x4_t p = vdupq_n_f32(R1I_EXP_C6);
    p = vfmaq_f32(vdupq_n_f32(R1I_EXP_C5), p, r);
    p = vfmaq_f32(vdupq_n_f32(R1I_EXP_C4), p, r);
    p = vfmaq_f32(vdupq_n_f32(R1I_EXP_C3), p, r);
    p = vfmaq_f32(vdupq_n_f32(R1I_EXP_C2), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    p = vfmaq_f32(vdupq_n_f32(1.0f), p, r);
    float32x4_t y = vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p),
                                                    vshlq_n_u32(vreinterpretq_u32_f32(t), 23)));
    y = vbslq_f32(vcltq_f32(x, vdupq_n_f32(R1I_EXP_LOWEST)), vdupq_n_f32(0.0f), y);
    y = vbslq_f32(vcgtq_f32(x, vdupq_n_f32(R1I_EXP_HIGHEST)), vdupq_n_f32(INFINITY), y);
    return vbslq_f32(vceqq_f32(x, x), y, x);
}
static inline v16 v16_exp(v16 x) { return v16_of(four_exp(x.a), four_exp(x.b), four_exp(x.c), four_exp(x.d)); }
/* Of x that are at most 0, or NaN. */
static inline v16 v16_exp_down(v16 x) { return v16_exp(x); }
static inline void v16_exp_down4(v16 x[4])
{
    for (int i = 0; i < 4; i++) x[i] = v16_exp_down(x[i]);
}

#endif
