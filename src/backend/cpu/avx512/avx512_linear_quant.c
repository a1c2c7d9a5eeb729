/* Block-type weights, 8-bit activations, AVX-512 VNNI: vpdpbusd takes 4 columns of 16 outputs (unsigned weight bytes)
 * and one 4-byte broadcast of a row's activations. Six rows by two panels keep 12 integer sums and 12 float sums in
 * registers, so that a weight vector serves six rows and a broadcast two panels: 0.7 loads a product, and the product
 * unit stays busy. */
#include "backend/cpu/kernels.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/v512.h"

#define TILE_WIDE_BIAS 0x80

#include "backend/cpu/lanes/quant_tile.h"

enum { MICRO_ROWS = 6, MICRO_ASKS = 1, FEW_ROWS = 4, SOME_ROWS = 32 };
static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                          int64_t n, acc_row *acc);
static void fine_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                      int64_t rows, acc_row *acc);
static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc);
static bool some_panels(const r1i_linear_job *job, int64_t p0, int64_t p1, int64_t m0, int64_t rows, bool near);
#include "backend/cpu/lanes/quant_driver.h"
#include "backend/cpu/lanes/quant_exact.h"

R1I_INLINE __m512i broadcast4(const int8_t *p)
{
    int32_t v;
    memcpy(&v, p, sizeof v);
    return _mm512_set1_epi32(v);
}

/* dot + bytes of w times the four at x in every lane: one instruction, which compilers make two of. */
R1I_INLINE __m512i dot_of(__m512i dot, __m512i w, const int8_t *x)
{
    __asm__("vpdpbusd %2%{1to16%}, %1, %0" : "+v"(dot) : "v"(w), "m"(*(const int8_t(*)[4])x));
    return dot;
}

/* Of a fine term's activations: what part h of its group's scales wants. */
R1I_INLINE int32_t term_sum(const tile_kind kind, const int32_t sum16[2], int h)
{
    return kind_parts(kind) == 2 ? sum16[h] : sum16[0] + sum16[1];
}

/* What a row's chain needs beside products, for the groups (or halves) of this step. Types with min: d_x *
 * (float)sum_x; else where the integer sum starts, -offset * sum_x. */
R1I_INLINE void row_sums(const tile_kind kind, int offset, const q8_rows *in, const int64_t row, int32_t start[16],
                         float dsum[16])
{
    const __mmask16 some = (__mmask16)((1u << (2 * in->groups)) - 1u);
    const __m512i halves = _mm512_maskz_loadu_epi32(some, in->sum16 + row * (in->cols / 16));
    const __m256i sums = _mm512_cvtepi64_epi32(_mm512_add_epi32(halves, _mm512_srli_epi64(halves, 32)));
    const __m256 d = _mm256_maskz_loadu_ps((__mmask8)((1u << in->groups) - 1u), in->d + row * (in->cols / 32));
    const __m512i twice = _mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
    if (kind == TILE_OFFSET_32)
        _mm256_storeu_si256((__m256i *)start, _mm256_mullo_epi32(sums, _mm256_set1_epi32(-offset)));
    if (kind == TILE_OFFSET_16) _mm512_storeu_si512(start, _mm512_mullo_epi32(halves, _mm512_set1_epi32(-offset)));
    if (kind == TILE_MIN_32) _mm256_storeu_ps(dsum, _mm256_mul_ps(d, _mm256_cvtepi32_ps(sums)));
    if (kind == TILE_MIN_16)
        _mm512_storeu_ps(dsum,
                         _mm512_mul_ps(_mm512_permutexvar_ps(twice, _mm512_castps256_ps512(d)),
                                       _mm512_cvtepi32_ps(halves)));
}

/* Where a product's weights come from: tiles of the panels, or (one panel) the panel's own bytes, or (one panel, a
 * codebook type) the vectors of the group at hand and a tile that holds but the scales. */
typedef struct weights {
    const quant_tile *tile;
    const uint8_t *b;
    const __m512i *group;
    span_head head;
} weights;
#define FROM_TILE R1_DTYPE_COUNT

R1I_INLINE bool from_codebook(const r1_dtype from)
{
    switch (from) {
    case R1_DTYPE_IQ2_XXS: case R1_DTYPE_IQ2_XS: case R1_DTYPE_IQ2_S: case R1_DTYPE_IQ3_XXS:
    case R1_DTYPE_IQ3_S: case R1_DTYPE_IQ1_S: case R1_DTYPE_IQ1_M:
        return true;
    default: return false;
    }
}

R1I_INLINE __m512i weight_vector(const r1_dtype from, const weights *w, int p, int g, int i)
{
    if (from_codebook(from)) return w->group[i];
    return from == FROM_TILE ? _mm512_load_si512(w->tile[p].q + LANES * (8 * g + i)) : group_vector(from, w->b, g, i);
}
R1I_INLINE __m512 weight_scale(const r1_dtype from, const weights *w, int p, int at)
{
    return from == FROM_TILE || from_codebook(from) ? _mm512_load_ps(w->tile[p].scale[at])
        : group_scale(from, &w->head, w->b, at);
}
R1I_INLINE __m512 weight_min(const r1_dtype from, const weights *w, int p, int at)
{
    return from == FROM_TILE ? _mm512_load_ps(w->tile[p].min[at]) : group_min(from, &w->head, w->b, at);
}

/* The rows of one call, and what their chains need of them in this step (row_sums). */
typedef struct micro_in {
    const int8_t *q[MICRO_ROWS];
    const float *d[MICRO_ROWS];
    int32_t start[MICRO_ROWS][16];
    float dsum[MICRO_ROWS][16];
} micro_in;

/* Rows one after the other. */
R1I_INLINE void micro_open(const int R, const tile_kind kind, int offset, const q8_rows *in, micro_in *x)
{
    R1I_UNROLL for (int r = 0; r < R; r++) {
        x->q[r] = in->q + r * in->cols;
        x->d[r] = in->d + r * (in->cols / 32);
        row_sums(kind, offset, in, r, x->start[r], x->dsum[r]);
    }
}

/* Group g of this step, R rows by P panels. Everything known at compile time is a parameter; the arrays are
 * registers. */
R1I_INLINE void micro_group(const int R, const int P, const r1_dtype from, const tile_kind kind, const weights *weight,
                            const micro_in *in, int g, __m512 sum[MICRO_ROWS][2])
{
    const int parts = kind_parts(kind), quads = 8 / parts;
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int at = parts * g + h;
        __m512i dot[MICRO_ROWS][2];
        R1I_UNROLL for (int r = 0; r < R; r++)
            R1I_UNROLL for (int p = 0; p < P; p++)
                dot[r][p] = kind_has_min(kind) ? _mm512_setzero_si512() : _mm512_set1_epi32(in->start[r][at]);
        R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i++) {
            __m512i w[2];
            R1I_UNROLL for (int p = 0; p < P; p++) w[p] = weight_vector(from, weight, p, g, i);
            R1I_UNROLL for (int r = 0; r < R; r++) {
                const __m512i x = broadcast4(in->q[r] + 32 * g + 4 * i);
                R1I_UNROLL for (int p = 0; p < P; p++) dot[r][p] = _mm512_dpbusd_epi32(dot[r][p], w[p], x);
            }
        }
        R1I_UNROLL for (int p = 0; p < P; p++) {
            const __m512 scale = weight_scale(from, weight, p, at);
            R1I_UNROLL for (int r = 0; r < R; r++)
                sum[r][p] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r][p]),
                                            _mm512_mul_ps(scale, _mm512_set1_ps(in->d[r][g])), sum[r][p]);
            if (!kind_has_min(kind)) continue;
            const __m512 min = weight_min(from, weight, p, at);
            R1I_UNROLL for (int r = 0; r < R; r++)
                sum[r][p] = _mm512_fnmadd_ps(min, _mm512_set1_ps(in->dsum[r][at]), sum[r][p]);
        }
    }
}

/* R rows by P panels over this step's groups. */
R1I_INLINE void micro(const int R, const int P, const tile_kind kind, int offset, const quant_tile *tile,
                      const q8_rows *in, acc_row *acc)
{
    const weights w = {.tile = tile};
    micro_in x;
    __m512 sum[MICRO_ROWS][2];
    micro_open(R, kind, offset, in, &x);
    R1I_UNROLL for (int r = 0; r < R; r++)
        R1I_UNROLL for (int p = 0; p < P; p++) sum[r][p] = _mm512_load_ps(acc[r][p]);
    const uint8_t *ask = in->ahead;
    for (int g = 0; g < in->groups; g++) {
        for (const uint8_t *const to = ask + in->ahead_bytes; ask < to; ask += 64)
            R1I_UNROLL for (int p = 0; p < P; p++) __builtin_prefetch(ask + p * in->ahead_stride, 0, 2);
        micro_group(R, P, FROM_TILE, kind, &w, &x, g, sum);
    }
    R1I_UNROLL for (int r = 0; r < R; r++)
        R1I_UNROLL for (int p = 0; p < P; p++) _mm512_store_ps(acc[r][p], sum[r][p]);
}

typedef void (*micro_fn)(int offset, const quant_tile *tile, const q8_rows *in, acc_row *acc);
#define MICRO(R, P, name, kind)                                                                                \
    static void micro_##name##_##R##_##P(int offset, const quant_tile *tile, const q8_rows *in, acc_row *acc) \
    {                                                                                                          \
        micro(R, P, kind, offset, tile, in, acc);                                                              \
    }
#define MICROS(P, name, kind) \
    MICRO(1, P, name, kind) MICRO(2, P, name, kind) MICRO(4, P, name, kind) MICRO(6, P, name, kind)
#define KIND(name, kind) MICROS(1, name, kind) MICROS(2, name, kind)
KIND(offset_32, TILE_OFFSET_32)
KIND(offset_16, TILE_OFFSET_16)
KIND(min_32, TILE_MIN_32)
KIND(min_16, TILE_MIN_16)
#define ROW(P, name) {micro_##name##_1_##P, micro_##name##_2_##P, micro_##name##_4_##P, micro_##name##_6_##P}
#define ROWS(name) {ROW(1, name), ROW(2, name)}
static const micro_fn micros[4][2][4] = { /* kind, panels, rows */
    [TILE_OFFSET_32] = ROWS(offset_32), [TILE_OFFSET_16] = ROWS(offset_16), [TILE_MIN_32] = ROWS(min_32),
    [TILE_MIN_16] = ROWS(min_16),
};
#undef ROW

static int64_t micro_rows(tile_kind kind, r1_dtype type, int panels, const quant_tile *tile, const q8_rows *in,
                          int64_t n, acc_row *acc)
{
    const int size = n >= 6 ? 3 : n >= 4 ? 2 : n >= 2 ? 1 : 0;
    micros[kind][panels - 1][size](tile_offset(type), tile, in, acc);
    return size == 3 ? 6 : (int64_t)1 << size;
}

/* ---- two to four rows: weights go from the panel to the products in registers ---- */

/* A row's fine terms of this span: found where their weights are in registers, added when all groups are done. */
typedef struct late_terms {
    int n;
    struct late_term {
        __m512 dot, scale, min;
        float dsum;
    } term[16];
} late_terms;

R1I_INLINE void late_group(const r1_dtype type, const weights *weight, const q8_rows *in, int64_t row, int g,
                           late_terms *late)
{
    const tile_kind kind = tile_kind_of(type);
    const int parts = kind_parts(kind), quads = 8 / parts;
    const int64_t at = g * in->fine_stride + row;
    const int8_t *const q = in->fine_q + 32 * at;
    const int32_t *const sums = in->fine_sum16 + 2 * at;
    const float d = in->fine_d[at];
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int32_t sum_x = term_sum(kind, sums, h);
        struct late_term *const t = &late->term[late->n++];
        __m512i dot = kind_has_min(kind) ? _mm512_setzero_si512() : _mm512_set1_epi32(-tile_offset(type) * sum_x);
        R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i++)
            dot = _mm512_dpbusd_epi32(dot, weight_vector(type, weight, 0, g, i), broadcast4(q + 4 * i));
        t->dot = _mm512_cvtepi32_ps(dot);
        t->scale = _mm512_mul_ps(weight_scale(type, weight, 0, parts * g + h), _mm512_set1_ps(d));
        if (!kind_has_min(kind)) continue;
        t->min = weight_min(type, weight, 0, parts * g + h);
        t->dsum = d * (float)sum_x;
    }
}

R1I_INLINE __m512 late_add(const tile_kind kind, const late_terms *late, __m512 sum)
{
    for (int i = 0; i < late->n; i++) {
        const struct late_term *const t = &late->term[i];
        sum = _mm512_fmadd_ps(t->dot, t->scale, sum);
        if (kind_has_min(kind)) sum = _mm512_fnmadd_ps(t->min, _mm512_set1_ps(t->dsum), sum);
    }
    return sum;
}

R1I_INLINE void few_group(const int R, const r1_dtype type, const weights *w, const q8_rows *in, const micro_in *x,
                          int g, __m512 sum[MICRO_ROWS][2], late_terms *late)
{
    group_ahead(type, in->ahead, g);
    micro_group(R, 1, type, tile_kind_of(type), w, x, g, sum);
    R1I_UNROLL for (int r = 0; r < R; r++)
        if (in->fine[r] >> g & 1) late_group(type, w, in, r, g, &late[r]);
}

R1I_INLINE void few_span(const int R, const r1_dtype type, const uint8_t *b, const q8_rows *in, acc_row *acc)
{
    const tile_kind kind = tile_kind_of(type);
    weights w = {.b = b};
    micro_in x;
    late_terms late[FEW_ROWS];
    __m512 sum[MICRO_ROWS][2];
    head_read(type, b, &w.head);
    micro_open(R, kind, tile_offset(type), in, &x);
    R1I_UNROLL for (int r = 0; r < R; r++) {
        sum[r][0] = _mm512_load_ps(acc[r][0]);
        late[r].n = 0;
    }
    if (group_of_k(type) && type != R1_DTYPE_IQ4_XS) { /* shifts by constants; IQ4_XS hardly shifts */
        R1I_UNROLL for (int g = 0; g < TILE_GROUPS; g++) few_group(R, type, &w, in, &x, g, sum, late);
    } else {
        for (int g = 0; g < in->groups; g++) few_group(R, type, &w, in, &x, g, sum, late);
    }
    R1I_UNROLL for (int r = 0; r < R; r++) _mm512_store_ps(acc[r][0], late_add(kind, &late[r], sum[r][0]));
}

/* The same for the codebook types, a group's vectors looked up and multiplied at once. */
R1I_INLINE void few_codebook(const int R, const r1_dtype type, const uint8_t *b, const q8_rows *in, acc_row *acc)
{
    const tile_kind kind = tile_kind_of(type);
    quant_tile scales; /* its vectors stay empty */
    codebook_span s;
    weights w = {.tile = &scales};
    micro_in x;
    late_terms late[FEW_ROWS];
    __m512 sum[MICRO_ROWS][2];
    codebook_open(type, b, &s, &scales);
    micro_open(R, kind, tile_offset(type), in, &x);
    R1I_UNROLL for (int r = 0; r < R; r++) {
        sum[r][0] = _mm512_load_ps(acc[r][0]);
        late[r].n = 0;
    }
    for (int g = 0; g < TILE_GROUPS; g++) {
        __m512i v[8];
        group_codebook(type, &s, g, v);
        w.group = v;
        micro_group(R, 1, type, kind, &w, &x, g, sum);
        R1I_UNROLL for (int r = 0; r < R; r++)
            if (in->fine[r] >> g & 1) late_group(type, &w, in, r, g, &late[r]);
    }
    R1I_UNROLL for (int r = 0; r < R; r++) _mm512_store_ps(acc[r][0], late_add(kind, &late[r], sum[r][0]));
}

typedef void (*few_fn)(const uint8_t *b, const q8_rows *in, acc_row *acc);
#define FEW_SPAN(R, type)                                                           \
    static void few_##type##_##R(const uint8_t *b, const q8_rows *in, acc_row *acc) \
    {                                                                               \
        few_span(R, R1_DTYPE_##type, b, in, acc);                                   \
    }
#define FEW(type) FEW_SPAN(2, type) FEW_SPAN(3, type) FEW_SPAN(4, type)
GROUP_TYPES(FEW)
#define FEW_CODEBOOK(type)                                                        \
    static void few_##type##_1(const uint8_t *b, const q8_rows *in, acc_row *acc) \
    {                                                                             \
        few_codebook(1, R1_DTYPE_##type, b, in, acc);                             \
    }                                                                             \
    static void few_##type##_2(const uint8_t *b, const q8_rows *in, acc_row *acc) \
    {                                                                             \
        few_codebook(2, R1_DTYPE_##type, b, in, acc);                             \
    }
CODEBOOK_TYPES(FEW_CODEBOOK)
#define ROW(type) [R1_DTYPE_##type] = {NULL, few_##type##_2, few_##type##_3, few_##type##_4}, /* one: one_row512.h */
static const few_fn few[R1_DTYPE_COUNT][FEW_ROWS] = {
    GROUP_TYPES(ROW)
#undef ROW
#define ROW(type) [R1_DTYPE_##type] = {few_##type##_1, few_##type##_2}, /* more are faster from tiles */
    CODEBOOK_TYPES(ROW)
};
#undef ROW

static int64_t few_rows(r1_dtype type, const uint8_t *b, int64_t rows, const q8_rows *in, acc_row *acc)
{
    const int64_t n = rows < FEW_ROWS ? rows : FEW_ROWS;
    if (!few[type][n - 1]) return 0;
    few[type][n - 1](b, in, acc);
    return n;
}

#include "backend/cpu/avx512/fine_rows512.h"
#include "backend/cpu/avx512/one_row512.h"

static bool some_panels(const r1i_linear_job *job, int64_t p0, int64_t p1, int64_t m0, int64_t rows, bool near)
{
    if (rows == 1 && driver_one(job, p0, p1, m0, near)) return true;
    /* Zen 5 stores a tile as fast as it loads one: there tiles win from 7 rows of a K type on, from 9 of others */
    const int64_t most = !near ? SOME_ROWS : group_of_k(job->w->type) ? 6 : 8;
    if (rows <= FEW_ROWS || rows > most || !some_type(job->w->type)) return false;
    const int64_t step = rows <= 16 ? SOME_PANELS : SOME_PANELS / 2;
    for (int64_t p = p0; p < p1; p += step) driver_some(job, p, (int)(p1 - p < step ? p1 - p : step), m0, rows);
    return true;
}

#include "backend/cpu/avx512/quantise512.h"

bool r1i_cpu_avx512_quant_kernels(r1i_cpu_kernels *k)
{
    quant_kernels(k);
    k->quantise_row = quantise_row;
    k->fine_row = fine_row;
    return true;
}
#else
bool r1i_cpu_avx512_quant_kernels(r1i_cpu_kernels *k)
{
    (void)k;
    return false;
}
#endif
