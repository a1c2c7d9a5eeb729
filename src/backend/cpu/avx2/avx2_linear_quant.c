/* Block-type weights, 8-bit activations, AVX2: vpmaddubsw adds pairs of unsigned * signed products into 16 bits, where
 * weights below 64 cannot overflow; as many of those sums as stay below 2^15 are added before vpmaddwd widens them.
 * 8-bit weights give their sign to the activations. The integers are exact either way, so the bytes are those of the
 * plain row. */
#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx2/v256.h"

#define TILE_WIDE_BIAS 0

#include "backend/cpu/lanes/quant_tile.h"

enum { MICRO_ROWS = 3, MICRO_ASKS = 0, FEW_ROWS = 3 };
static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                          int64_t n, acc_row *acc);
static void fine_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                      int64_t rows, acc_row *acc);
static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc);
static inline bool some_panels(const r1i_linear_job *job, int64_t p0, int64_t p1, int64_t m0, int64_t rows, bool near)
{
    (void)job, (void)p0, (void)p1, (void)m0, (void)rows, (void)near;
    return false;
}
#include "backend/cpu/lanes/quant_driver.h"
#include "backend/cpu/lanes/quant_exact.h"

R1I_INLINE __m256i broadcast4(const int8_t *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm256_set1_epi32(v);
}

/* Vectors of 16-bit sums that may be added before one overflows: 2 * 127 * (largest weight) each. 0: signed 8-bit
 * weights, one at a time (2 * 127 * 128 = 32512). */
R1I_INLINE int sums_of(r1_dtype type)
{
    switch (type) {
    case R1_DTYPE_Q4_0: case R1_DTYPE_Q4_1: case R1_DTYPE_Q2_K: case R1_DTYPE_Q3_K: case R1_DTYPE_Q4_K: return 8;
    case R1_DTYPE_Q5_0: case R1_DTYPE_Q5_1: case R1_DTYPE_Q5_K: case R1_DTYPE_MXFP4: return 4;
    case R1_DTYPE_Q6_K: return 2;
    case R1_DTYPE_Q8_0: case R1_DTYPE_IQ4_NL: case R1_DTYPE_IQ4_XS: return 0;
    default: return 1; /* codebook types, up to 126: 32004 */
    }
}

R1I_INLINE __m256i multiply(bool is_signed, __m256i w, __m256i x)
{
    return is_signed ? _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w)) : _mm256_maddubs_epi16(w, x);
}

/* What a row's chain needs beside products, for the groups (or halves) of this step. Types with min: d_x *
 * (float)sum_x; else where the integer sum starts, -offset * sum_x. */
R1I_INLINE void row_sums(const tile_kind kind, int offset, const q8_rows *in, int64_t row, int32_t start[16],
                         float dsum[16])
{
    const int32_t *s = in->sum16 + row * (in->cols / 16);
    const __m256i low = _mm256_maskload_epi32(s, lanes_below(2 * in->groups, 0));
    const __m256i high = _mm256_maskload_epi32(s + 8, lanes_below(2 * in->groups, 8));
    const __m256i sums = _mm256_permute4x64_epi64(_mm256_hadd_epi32(low, high), 0xd8),
                  minus = _mm256_set1_epi32(-offset);
    const __m256 d = _mm256_maskload_ps(in->d + row * (in->cols / 32), lanes_below(in->groups, 0));
    const __m256 d_low = _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3));
    const __m256 d_high = _mm256_permutevar8x32_ps(d, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7));
    if (kind == TILE_OFFSET_32) _mm256_storeu_si256((__m256i *)start, _mm256_mullo_epi32(sums, minus));
    if (kind == TILE_OFFSET_16) {
        _mm256_storeu_si256((__m256i *)start, _mm256_mullo_epi32(low, minus));
        _mm256_storeu_si256((__m256i *)(start + 8), _mm256_mullo_epi32(high, minus));
    }
    if (kind == TILE_MIN_32) _mm256_storeu_ps(dsum, _mm256_mul_ps(d, _mm256_cvtepi32_ps(sums)));
    if (kind == TILE_MIN_16) {
        _mm256_storeu_ps(dsum, _mm256_mul_ps(d_low, _mm256_cvtepi32_ps(low)));
        _mm256_storeu_ps(dsum + 8, _mm256_mul_ps(d_high, _mm256_cvtepi32_ps(high)));
    }
}

/* Keeps sums in the order written: GCC would add the products as a tree and run out of registers for its leaves. */
R1I_INLINE __m256i in_order(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* Where a product's weights come from: a tile, or (types of group_vector) the panel's own bytes. */
#define FROM_TILE R1_DTYPE_COUNT

/* R rows by one panel, two vectors of 8 outputs; row r's sums at acc + row[r] * TILE_PANELS * LANES. sums:
 * sums_of(type). src: the tile, or the panel's span. */
R1I_INLINE void micro(const int R, const int sums, const r1_dtype from, const tile_kind kind, int offset,
                      const void *src, const q8_rows *in, const int32_t *row, float *acc)
{
    const bool has_min = kind_has_min(kind);
    const int parts = kind_parts(kind), quads = 8 / parts, run = sums == 0 ? 1 : sums < quads ? sums : quads;
    const __m256i ones = _mm256_set1_epi16(1);
    const int64_t q_stride = in->cols, d_stride = in->cols / 32;
    const quant_tile *const tile = src;
    int32_t start[MICRO_ROWS][16];
    float dsum[MICRO_ROWS][16];
    span_head head;
    if (from != FROM_TILE) head_read(from, src, &head);
    for (int r = 0; r < R; r++) row_sums(kind, offset, in, row[r], start[r], dsum[r]);
    for (int at = 0; at < parts * in->groups; at++) {
        const int g = at / parts, first = quads * (at % parts), own = parts * in->first + at; /* own: of the span */
        __m256i dot[MICRO_ROWS][2];
        if (from != FROM_TILE && at % parts == 0) group_ahead(from, in->ahead, in->first + g);
        R1I_UNROLL for (int r = 0; r < R; r++)
            R1I_UNROLL for (int v = 0; v < 2; v++)
                dot[r][v] = has_min ? _mm256_setzero_si256() : _mm256_set1_epi32(start[r][at]);
        R1I_UNROLL for (int i = first; i < first + quads; i += run) {
            __m256i pairs[MICRO_ROWS][2];
            R1I_UNROLL for (int j = i; j < i + run; j++) {
                const w16 w = from == FROM_TILE ? w16_load(tile->q + LANES * (8 * (in->first + g) + j))
                    : group_vector(from, src, in->first + g, j);
                R1I_UNROLL for (int r = 0; r < R; r++) {
                    const __m256i x = broadcast4(in->q + row[r] * q_stride + 32 * g + 4 * j);
                    const __m256i lo = multiply(sums == 0, w.lo, x), hi = multiply(sums == 0, w.hi, x);
                    pairs[r][0] = j > i ? in_order(_mm256_add_epi16(pairs[r][0], lo)) : lo;
                    pairs[r][1] = j > i ? in_order(_mm256_add_epi16(pairs[r][1], hi)) : hi;
                }
            }
            R1I_UNROLL for (int r = 0; r < R; r++)
                R1I_UNROLL for (int v = 0; v < 2; v++)
                    dot[r][v] = _mm256_add_epi32(dot[r][v], _mm256_madd_epi16(pairs[r][v], ones));
        }
        const v16 scale = from == FROM_TILE ? v16_load(tile->scale[own]) : group_scale(from, &head, src, own);
        const v16 min = !has_min ? v16_zero() : from == FROM_TILE ? v16_load(tile->min[own])
            : group_min(from, &head, src, own);
        R1I_UNROLL for (int r = 0; r < R; r++) {
            float *const out = acc + row[r] * TILE_PANELS * LANES;
            const v16 dots = v16_of(_mm256_cvtepi32_ps(dot[r][0]), _mm256_cvtepi32_ps(dot[r][1]));
            const v16 sum = v16_fma(dots, v16_mul(scale, v16_set1(in->d[row[r] * d_stride + g])), v16_load(out));
            v16_store(out, has_min ? v16_fma(v16_neg(min), v16_set1(dsum[r][at]), sum) : sum);
        }
    }
}

typedef void (*micro_fn)(int offset, const quant_tile *tile, const q8_rows *in, const int32_t *row, float *acc);
#define MICRO(R, sums, name, kind)                                                                 \
    static void micro_##name##_##R##_##sums(int offset, const quant_tile *tile, const q8_rows *in, \
                                               const int32_t *row, float *acc)                     \
    {                                                                                              \
        micro(R, sums, FROM_TILE, kind, offset, tile, in, row, acc);                               \
    }
#define MICROS(sums, name, kind) MICRO(1, sums, name, kind) MICRO(2, sums, name, kind) MICRO(3, sums, name, kind)
MICROS(0, offset_32, TILE_OFFSET_32)
MICROS(1, offset_32, TILE_OFFSET_32)
MICROS(4, offset_32, TILE_OFFSET_32)
MICROS(8, offset_32, TILE_OFFSET_32)
MICROS(1, offset_16, TILE_OFFSET_16)
MICROS(2, offset_16, TILE_OFFSET_16)
MICROS(8, offset_16, TILE_OFFSET_16)
MICROS(4, min_32, TILE_MIN_32)
MICROS(8, min_32, TILE_MIN_32)
MICROS(8, min_16, TILE_MIN_16)

/* By kind, then log2(sums) + 1 (0 for signed weights), then rows - 1; combinations that no type has are empty. */
#define ROW(sums, name) {micro_##name##_1_##sums, micro_##name##_2_##sums, micro_##name##_3_##sums}
static const micro_fn micros[4][5][MICRO_ROWS] = {
    [TILE_OFFSET_32] = {[0] = ROW(0, offset_32), [1] = ROW(1, offset_32), [3] = ROW(4, offset_32),
                        [4] = ROW(8, offset_32)},
                        [TILE_OFFSET_16] = {[1] = ROW(1, offset_16), [2] = ROW(2, offset_16), [4] = ROW(8, offset_16)},
    [TILE_MIN_32] = {[3] = ROW(4, min_32), [4] = ROW(8, min_32)},
    [TILE_MIN_16] = {[4] = ROW(8, min_16)},
};

#undef ROW

static void micro_listed(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                         int64_t n, const int32_t *row, acc_row *acc)
{
    const int sums = sums_of(type), line = sums == 0 ? 0 : sums == 1 ? 1 : sums == 2 ? 2 : sums == 4 ? 3 : 4;
    for (int p = 0; p < panels; p++) micros[kind][line][n - 1](tile_offset(type), tile + p, in, row, acc[0][p]);
}

#include "backend/cpu/lanes/quant_listed.h"

/* ---- few rows: weights go from the panel to the products in registers ---- */

typedef void (*few_fn)(const uint8_t *b, const q8_rows *in, acc_row *acc);
#define FEW_SPAN(R, type)                                                                                              \
    static void few_##type##_##R(const uint8_t *b, const q8_rows *in, acc_row *acc)                                    \
    {                                                                                                                  \
        const r1_dtype t = R1_DTYPE_##type;                                                                            \
        micro(R, sums_of(t), t, tile_kind_of(t), tile_offset(t), b, in, identity, acc[0][0]);                          \
    }
#define FEW(type) FEW_SPAN(1, type) FEW_SPAN(2, type) FEW_SPAN(3, type)
GROUP_TYPES(FEW)
#define ROW(type) [R1_DTYPE_##type] = {few_##type##_1, few_##type##_2, few_##type##_3},
static const few_fn few[R1_DTYPE_COUNT][MICRO_ROWS] = {
    GROUP_TYPES(ROW)
};
#undef ROW

static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc)
{
    const int64_t n = rows < MICRO_ROWS ? rows : MICRO_ROWS;
    if (!few[type][0]) return 0;
    few[type][n - 1](b, in, acc);
    for (int64_t r = 0; r < n; r++)
        for (unsigned left = in->fine[r]; left; left &= left - 1) {
            const q8_rows one = fine_step(in, r, __builtin_ctz(left));
            few[type][0](b, &one, acc + r);
        }
    return n;
}

/* ---- activations to 8 bits ---- */

static uint32_t max_of(__m256i v)
{
    __m128i m = _mm_max_epu32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0x4e));
    m = _mm_max_epu32(m, _mm_shuffle_epi32(m, 0xb1));
    return (uint32_t)_mm_cvtsi128_si32(m);
}

/* 16 values to bytes; returns their sum. */
static int32_t quantise_half(const float *x, __m256 id, int8_t *q)
{
    const __m256i a = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x), id));
    const __m256i b = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_loadu_ps(x + 8), id));
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(a, b), 0xd8);
    _mm_storeu_si128((__m128i *)q, _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
    const __m256i both = _mm256_add_epi32(a, b);
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(both), _mm256_extracti128_si256(both, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

static void quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16)
{
    const __m256i magnitude = _mm256_set1_epi32(0x7fffffff);
    for (int64_t k = 0; k < n; k += 32) {
        __m256i m = _mm256_setzero_si256(); /* magnitudes as integers: NaN counts above infinity */
        for (int i = 0; i < 32; i += 8)
            m = _mm256_max_epu32(m, _mm256_and_si256(_mm256_loadu_si256((const __m256i *)(x + k + i)), magnitude));
        const uint32_t bits = max_of(m);
        const float amax = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)bits)));
        if (bits >= 0x7f800000u || amax < R1I_Q8_AMAX_MIN) {
            d[k / 32] = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
            memset(q + k, 0, 32);
            sum16[k / 16] = sum16[k / 16 + 1] = 0;
            continue;
        }
        d[k / 32] = amax / 127.0f;
        const __m256 id = _mm256_set1_ps(127.0f / amax);
        sum16[k / 16] = quantise_half(x + k, id, q + k);
        sum16[k / 16 + 1] = quantise_half(x + k + 16, id, q + k + 16);
    }
}

bool r1i_cpu_avx2_quant_kernels(r1i_cpu_kernels *k)
{
    quant_kernels(k);
    k->quantise_row = quantise_row;
    return true;
}
#else
bool r1i_cpu_avx2_quant_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
