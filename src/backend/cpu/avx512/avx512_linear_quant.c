/* Block-type weights, 8-bit activations, AVX-512 VNNI: vpdpbusd takes 4 columns of 16 outputs (unsigned weight bytes) and one
 * 4-byte broadcast of a row's activations. Six rows by two panels keep 12 integer sums and 12 float sums in registers, so
 * that a weight vector serves six rows and a broadcast two panels: 0.7 loads a product, and the product unit stays busy. */
#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/v512.h"

#define TILE_WIDE_BIAS 0x80

#include "backend/cpu/lanes/quant_tile.h"

static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, int64_t rows, const q8_rows *in, acc_row *acc);
#include "backend/cpu/lanes/quant_driver.h"
#include "backend/cpu/lanes/quant_exact.h"

enum { ROWS_MAX = 6 };

R1I_INLINE __m512i broadcast4(const int8_t *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

/* What a row's chain needs beside products, for the groups (or halves) of this step. Types with min: d_x * (float)sum_x; else
 * where the integer sum starts, -offset * sum_x. */
R1I_INLINE void row_sums(const tile_kind kind, int offset, const q8_rows *in, int64_t row, int32_t start[16], float dsum[16])
{
    const __mmask16 some = (__mmask16)((1u << (2 * in->groups)) - 1u);
    const __m512i halves = _mm512_maskz_loadu_epi32(some, in->sum16 + row * (in->cols / 16));
    const __m256i sums = _mm512_cvtepi64_epi32(_mm512_add_epi32(halves, _mm512_srli_epi64(halves, 32)));
    const __m256 d = _mm256_maskz_loadu_ps((__mmask8)((1u << in->groups) - 1u), in->d + row * (in->cols / 32));
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    if (kind == TILE_OFFSET_32) _mm256_storeu_si256((__m256i *)start, _mm256_mullo_epi32(sums, _mm256_set1_epi32(-offset)));
    if (kind == TILE_OFFSET_16) _mm512_storeu_si512(start, _mm512_mullo_epi32(halves, _mm512_set1_epi32(-offset)));
    if (kind == TILE_MIN_32) _mm256_storeu_ps(dsum, _mm256_mul_ps(d, _mm256_cvtepi32_ps(sums)));
    if (kind == TILE_MIN_16)
        _mm512_storeu_ps(dsum, _mm512_mul_ps(_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(d)), _mm512_cvtepi32_ps(halves)));
}

/* One row's fine term of group g, sums still in registers: a row at a time, since few groups have one. */
R1I_INLINE void fine_group(const int P, const tile_kind kind, int offset, const quant_tile *tile, const q8_rows *in, int64_t row, int g, __m512 *sum)
{
    const bool halves = kind == TILE_OFFSET_16 || kind == TILE_MIN_16, has_min = kind == TILE_MIN_32 || kind == TILE_MIN_16;
    const int parts = halves ? 2 : 1, quads = 8 / parts;
    const int8_t *const q = in->fine_q + row * in->cols + 32 * g;
    const int32_t *const sums = in->fine_sum16 + row * (in->cols / 16) + 2 * g;
    const float d = in->fine_d[row * (in->cols / 32) + g];
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int32_t sum_x = halves ? sums[h] : sums[0] + sums[1];
        __m512i even[2], odd[2]; /* two chains: the sum is exact in any order */
        R1I_UNROLL for (int p = 0; p < P; p++) {
            even[p] = has_min ? _mm512_setzero_si512() : _mm512_set1_epi32(-offset * sum_x);
            odd[p] = _mm512_setzero_si512();
        }
        R1I_UNROLL for (int i = 0; i < quads; i += 2) {
            const __m512i x0 = broadcast4(q + 4 * (quads * h + i)), x1 = broadcast4(q + 4 * (quads * h + i + 1));
            R1I_UNROLL for (int p = 0; p < P; p++) {
                const uint32_t *const w = tile[p].q + LANES * (8 * g + quads * h + i);
                even[p] = _mm512_dpbusd_epi32(even[p], _mm512_load_si512(w), x0);
                odd[p] = _mm512_dpbusd_epi32(odd[p], _mm512_load_si512(w + LANES), x1);
            }
        }
        R1I_UNROLL for (int p = 0; p < P; p++) {
            const __m512 scale = _mm512_load_ps(tile[p].scale[parts * g + h]), dot = _mm512_cvtepi32_ps(_mm512_add_epi32(even[p], odd[p]));
            sum[p] = _mm512_fmadd_ps(dot, _mm512_mul_ps(scale, _mm512_set1_ps(d)), sum[p]);
            if (has_min) sum[p] = _mm512_fnmadd_ps(_mm512_load_ps(tile[p].min[parts * g + h]), _mm512_set1_ps(d * (float)sum_x), sum[p]);
        }
    }
}

/* R rows by P panels over the tiles' columns. Everything known at compile time is a parameter; the arrays are registers. */
R1I_INLINE void micro(const int R, const int P, const tile_kind kind, int offset, const quant_tile *tile, const q8_rows *in, acc_row *acc)
{
    const bool halves = kind == TILE_OFFSET_16 || kind == TILE_MIN_16, has_min = kind == TILE_MIN_32 || kind == TILE_MIN_16;
    const int parts = halves ? 2 : 1, quads = 8 / parts;
    int32_t start[ROWS_MAX][16];
    float dsum[ROWS_MAX][16];
    __m512 sum[ROWS_MAX][2];
    R1I_UNROLL for (int r = 0; r < R; r++) row_sums(kind, offset, in, r, start[r], dsum[r]);
    R1I_UNROLL for (int r = 0; r < R; r++)
        R1I_UNROLL for (int p = 0; p < P; p++) sum[r][p] = _mm512_load_ps(acc[r][p]);
    const int64_t q_stride = in->cols, d_stride = in->cols / 32;
    for (int g = 0; g < in->groups; g++)
        R1I_UNROLL for (int h = 0; h < parts; h++) {
            const int at = parts * g + h;
            __m512i dot[ROWS_MAX][2];
            R1I_UNROLL for (int r = 0; r < R; r++)
                R1I_UNROLL for (int p = 0; p < P; p++) dot[r][p] = has_min ? _mm512_setzero_si512() : _mm512_set1_epi32(start[r][at]);
            R1I_UNROLL for (int i = 0; i < quads; i++) {
                __m512i w[2];
                R1I_UNROLL for (int p = 0; p < P; p++) w[p] = _mm512_load_si512(tile[p].q + LANES * (8 * g + quads * h + i));
                R1I_UNROLL for (int r = 0; r < R; r++) {
                    const __m512i x = broadcast4(in->q + r * q_stride + 32 * g + 4 * (quads * h + i));
                    R1I_UNROLL for (int p = 0; p < P; p++) dot[r][p] = _mm512_dpbusd_epi32(dot[r][p], w[p], x);
                }
            }
            R1I_UNROLL for (int p = 0; p < P; p++) {
                const __m512 scale = _mm512_load_ps(tile[p].scale[at]);
                R1I_UNROLL for (int r = 0; r < R; r++)
                    sum[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][p]), _mm512_mul_ps(scale, _mm512_set1_ps(in->d[r * d_stride + g])), sum[r][p]);
                if (!has_min) continue;
                const __m512 min = _mm512_load_ps(tile[p].min[at]);
                R1I_UNROLL for (int r = 0; r < R; r++) sum[r][p] = _mm512_fnmadd_ps(min, _mm512_set1_ps(dsum[r][at]), sum[r][p]);
            }
        }
    R1I_UNROLL for (int r = 0; r < R; r++) {
        for (unsigned left = in->fine[r]; left; left &= left - 1) fine_group(P, kind, offset, tile, in, r, __builtin_ctz(left), sum[r]);
        R1I_UNROLL for (int p = 0; p < P; p++) _mm512_store_ps(acc[r][p], sum[r][p]);
    }
}

typedef void (*micro_fn)(int offset, const quant_tile *tile, const q8_rows *in, acc_row *acc);
#define MICRO(R, P, name, kind)                                                                           \
    static void micro_##name##_##R##_##P(int offset, const quant_tile *tile, const q8_rows *in, acc_row *acc) \
    {                                                                                                     \
        micro(R, P, kind, offset, tile, in, acc);                                                         \
    }
#define MICROS(name, kind)                                                                                \
    MICRO(1, 1, name, kind) MICRO(2, 1, name, kind) MICRO(4, 1, name, kind) MICRO(6, 1, name, kind)       \
    MICRO(1, 2, name, kind) MICRO(2, 2, name, kind) MICRO(4, 2, name, kind) MICRO(6, 2, name, kind)
MICROS(offset_32, TILE_OFFSET_32)
MICROS(offset_16, TILE_OFFSET_16)
MICROS(min_32, TILE_MIN_32)
MICROS(min_16, TILE_MIN_16)
#define ROW(name, P) {micro_##name##_1_##P, micro_##name##_2_##P, micro_##name##_4_##P, micro_##name##_6_##P}
static const micro_fn micros[4][2][4] = {
    [TILE_OFFSET_32] = {ROW(offset_32, 1), ROW(offset_32, 2)},
    [TILE_OFFSET_16] = {ROW(offset_16, 1), ROW(offset_16, 2)},
    [TILE_MIN_32] = {ROW(min_32, 1), ROW(min_32, 2)},
    [TILE_MIN_16] = {ROW(min_16, 1), ROW(min_16, 2)},
};

static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, int64_t rows, const q8_rows *in, acc_row *acc)
{
    const int size = rows >= 6 ? 3 : rows >= 4 ? 2 : rows >= 2 ? 1 : 0;
    micros[kind][panels - 1][size]((int)tile_offset(type), tile, in, acc);
    return size == 3 ? 6 : (int64_t)1 << size;
}

static void linear(const r1i_linear_job *job, int64_t p0, int64_t p1) { driver_linear(job, p0, p1, tile_kind_of(job->w->type)); }

/* ---- activations to 8 bits ---- */

static void quantise_row(const float *x, int64_t n, int8_t *q, float *d, int32_t *sum16)
{
    const __m512i magnitude = _mm512_set1_epi32(0x7fffffff);
    for (int64_t k = 0; k < n; k += 32) {
        const __m512 a = _mm512_loadu_ps(x + k), b = _mm512_loadu_ps(x + k + 16);
        /* Magnitudes as integers: NaN counts above infinity. */
        const __m512i m = _mm512_max_epu32(_mm512_and_si512(_mm512_castps_si512(a), magnitude),
                                           _mm512_and_si512(_mm512_castps_si512(b), magnitude));
        const uint32_t bits = _mm512_reduce_max_epu32(m);
        const float amax = _mm_cvtss_f32(_mm_castsi128_ps(_mm_cvtsi32_si128((int)bits)));
        if (bits >= 0x7f800000u || amax < R1I_Q8_AMAX_MIN) {
            d[k / 32] = bits >= 0x7f800000u ? __builtin_nanf("") : 0.0f;
            memset(q + k, 0, 32);
            sum16[k / 16] = sum16[k / 16 + 1] = 0;
            continue;
        }
        d[k / 32] = amax / 127.0f;
        const __m512 id = _mm512_set1_ps(127.0f / amax);
        const __m512i qa = _mm512_cvtps_epi32(_mm512_mul_ps(a, id)), qb = _mm512_cvtps_epi32(_mm512_mul_ps(b, id));
        _mm_storeu_si128((__m128i *)(q + k), _mm512_cvtepi32_epi8(qa));
        _mm_storeu_si128((__m128i *)(q + k + 16), _mm512_cvtepi32_epi8(qb));
        sum16[k / 16] = _mm512_reduce_add_epi32(qa);
        sum16[k / 16 + 1] = _mm512_reduce_add_epi32(qb);
    }
}

bool r1i_cpu_avx512_quant_kernels(r1i_cpu_kernels *k)
{
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t)) continue;
        k->linear_q8[t] = linear;
        k->linear_f32[t] = exact_linear;
    }
    k->quantise_row = quantise_row;
    return true;
}
#else
bool r1i_cpu_avx512_quant_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
