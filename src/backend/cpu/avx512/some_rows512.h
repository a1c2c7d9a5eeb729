/* Five to 32 rows: a group's eight vectors are taken apart once and stay in registers while all rows pass, their sums
 * in the first-level cache. Nothing is stored as a tile, and taking the next group apart overlaps with the products of
 * this one: 160 instructions or fewer lie between, where a tile's span is 2000. A panel's activations pass from the
 * first-level cache, where four panels share them. Included by avx512_linear_quant.c; static functions only. */
#ifndef R1I_SOME_ROWS512_H
#define R1I_SOME_ROWS512_H

#include "backend/cpu/avx512/v512.h"

/* Panels that share what a span's rows were asked for; for more than 16 rows half of them, or their sums would not stay
 * near. */
enum { SOME_PANELS = 8, SOME_AT_ONCE = 4 };

/* Fine terms of a span, groups ascending: their integer sums are formed where the weights are in registers; adding them
 * has its place behind the span's groups. */
typedef struct some_fine {
    const int8_t *q;
    int32_t row, group;
    float d, dsum[2];
    int32_t start[2];
} some_fine;

/* Rows of one span of 256 columns, and what their chains need there (row_sums); then the panel at hand. */
typedef struct some_span {
    const int8_t *q;                    /* stride cols */
    int64_t cols, rows;
    float (*acc)[LANES];                /* a row */
    int end[TILE_GROUPS + 1];           /* where a group's fine terms end, from entry 1 on */
    float d[SOME_ROWS][TILE_GROUPS];
    int32_t start[SOME_ROWS][16];
    float dsum[SOME_ROWS][16];
    some_fine fine[TILE_GROUPS * SOME_ROWS];
    _Alignas(64) float scale[16][LANES];
    float min[16][LANES];
    float dot[TILE_GROUPS * SOME_ROWS][2][LANES];
} some_span;

R1I_INLINE void some_open(const tile_kind kind, int offset, const q8_rows *in, int64_t rows, some_span *s)
{
    const __mmask8 some = (__mmask8)((1u << in->groups) - 1u);
    s->q = in->q;
    s->cols = in->cols;
    s->rows = rows;
    for (int64_t r = 0; r < rows; r++) {
        _mm256_storeu_ps(s->d[r], _mm256_maskz_loadu_ps(some, in->d + r * (in->cols / 32)));
        row_sums(kind, offset, in, r, s->start[r], s->dsum[r]);
    }
    int n = 0;
    for (int g = 0; g < in->groups; g++) {
        for (uint64_t left = bytes_with(in->fine, rows, g); left; left &= left - 1) {
            const int32_t row = __builtin_ctzll(left);
            const int64_t at = g * in->fine_stride + row;
            const int32_t *const sum = in->fine_sum16 + 2 * at;
            some_fine *const f = &s->fine[n++];
            *f = (some_fine){.q = in->fine_q + 32 * at, .row = row, .group = g, .d = in->fine_d[at]};
            for (int h = 0; h < kind_parts(kind); h++) {
                const int32_t sum_x = term_sum(kind, sum, h);
                if (kind_has_min(kind)) f->dsum[h] = f->d * (float)sum_x;
                else f->start[h] = -offset * sum_x;
            }
        }
        s->end[g + 1] = n;
    }
}

R1I_INLINE void some_block(const int R, const tile_kind kind, const __m512i w[8], some_span *s, int64_t r0, int g)
{
    const int parts = kind_parts(kind), quads = 8 / parts;
    const int64_t cols = s->cols;
    const int8_t *const q = s->q + r0 * cols + 32 * g;
    float(*const restrict acc)[LANES] = s->acc + r0;
    __m512 sum[SOME_AT_ONCE];
    R1I_UNROLL for (int r = 0; r < R; r++) sum[r] = _mm512_load_ps(acc[r]);
    R1I_UNROLL for (int h = 0; h < parts; h++) {
        const int at = parts * g + h;
        __m512i dot[SOME_AT_ONCE];
        R1I_UNROLL for (int r = 0; r < R; r++)
            dot[r] = kind_has_min(kind) ? _mm512_setzero_si512() : _mm512_set1_epi32(s->start[r0 + r][at]);
        R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i++)
            R1I_UNROLL for (int r = 0; r < R; r++) dot[r] = dot_of(dot[r], w[i], q + r * cols + 4 * i);
        const __m512 scale = _mm512_load_ps(s->scale[at]);
        R1I_UNROLL for (int r = 0; r < R; r++)
            sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), _mm512_mul_ps(scale, _mm512_set1_ps(s->d[r0 + r][g])),
                                     sum[r]);
        if (!kind_has_min(kind)) continue;
        const __m512 min = _mm512_load_ps(s->min[at]);
        R1I_UNROLL for (int r = 0; r < R; r++)
            sum[r] = _mm512_fnmadd_ps(min, _mm512_set1_ps(s->dsum[r0 + r][at]), sum[r]);
    }
    R1I_UNROLL for (int r = 0; r < R; r++) _mm512_store_ps(acc[r], sum[r]);
}

R1I_INLINE void some_fine_group(const tile_kind kind, const __m512i w[8], some_span *s, int g)
{
    const int parts = kind_parts(kind), quads = 8 / parts;
    for (int n = s->end[g]; n < s->end[g + 1]; n++) {
        const some_fine *const f = &s->fine[n];
        R1I_UNROLL for (int h = 0; h < parts; h++) {
            __m512i dot = kind_has_min(kind) ? _mm512_setzero_si512() : _mm512_set1_epi32(f->start[h]);
            R1I_UNROLL for (int i = quads * h; i < quads * (h + 1); i++) dot = dot_of(dot, w[i], f->q + 4 * i);
            _mm512_store_ps(s->dot[n][h], _mm512_cvtepi32_ps(dot));
        }
    }
}

R1I_INLINE void some_group(const tile_kind kind, const __m512i w[8], some_span *s, int g)
{
    int64_t r = 0;
    for (; r + 4 <= s->rows; r += 4) some_block(4, kind, w, s, r, g);
    switch (s->rows - r) {
    case 3: some_block(3, kind, w, s, r, g); break;
    case 2: some_block(2, kind, w, s, r, g); break;
    case 1: some_block(1, kind, w, s, r, g); break;
    default: break;
    }
    some_fine_group(kind, w, s, g);
}

R1I_INLINE void some_close(const tile_kind kind, int groups, some_span *s)
{
    const int parts = kind_parts(kind);
    for (int n = 0; n < s->end[groups]; n++) {
        const some_fine *const f = &s->fine[n];
        __m512 sum = _mm512_load_ps(s->acc[f->row]);
        R1I_UNROLL for (int h = 0; h < parts; h++) {
            const int at = parts * f->group + h;
            sum = _mm512_fmadd_ps(_mm512_load_ps(s->dot[n][h]),
                                  _mm512_mul_ps(_mm512_load_ps(s->scale[at]), _mm512_set1_ps(f->d)), sum);
            if (kind_has_min(kind)) sum = _mm512_fnmadd_ps(_mm512_load_ps(s->min[at]), _mm512_set1_ps(f->dsum[h]), sum);
        }
        _mm512_store_ps(s->acc[f->row], sum);
    }
}

/* The products are a function a kind, the weights its arguments, which come in registers: types differ in how they are
 * taken apart alone. */
typedef void (*some_fn)(__m512i w0, __m512i w1, __m512i w2, __m512i w3, __m512i w4, __m512i w5, __m512i w6, __m512i w7,
                        some_span *s, int g);
#define SOME(name, kind)                                                                                          \
    static __attribute__((noinline)) void some_##name(__m512i w0, __m512i w1, __m512i w2, __m512i w3, __m512i w4, \
                                                      __m512i w5, __m512i w6, __m512i w7, some_span *s, int g)    \
    {                                                                                                             \
        const __m512i w[8] = {w0, w1, w2, w3, w4, w5, w6, w7};                                                    \
        some_group(kind, w, s, g);                                                                                \
    }
SOME(offset_32, TILE_OFFSET_32)
SOME(offset_16, TILE_OFFSET_16)
SOME(min_32, TILE_MIN_32)
SOME(min_16, TILE_MIN_16)

R1I_INLINE void some_call(const tile_kind kind, const __m512i w[8], some_span *s, int g)
{
    const some_fn f = kind == TILE_OFFSET_32 ? some_offset_32 : kind == TILE_OFFSET_16 ? some_offset_16
        : kind == TILE_MIN_32 ? some_min_32 : some_min_16;
    f(w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7], s, g);
}

/* An eighth of the next span of this panel, or of the first one of the panel that follows: a span of the panels between
 * takes long enough. */
R1I_INLINE void some_ahead(const r1_dtype type, const uint8_t *ahead, int g)
{
    const int64_t part = group_of_k(type) ? span_bytes(type) / TILE_GROUPS : group_bytes(type);
    R1I_UNROLL for (int64_t at = 0; at < part; at += 64) __builtin_prefetch(ahead + part * g + at, 0, 2);
}

R1I_INLINE void some_unpack(const r1_dtype type, const span_head *head, const uint8_t *b, const uint8_t *ahead, int g,
                            some_span *s)
{
    const tile_kind kind = tile_kind_of(type);
    const int parts = kind_parts(kind);
    __m512i w[8];
    some_ahead(type, ahead, g);
    R1I_UNROLL for (int i = 0; i < 8; i++) w[i] = group_vector(type, b, g, i);
    R1I_UNROLL for (int at = parts * g; at < parts * (g + 1); at++) {
        _mm512_store_ps(s->scale[at], group_scale(type, head, b, at));
        if (kind_has_min(kind)) _mm512_store_ps(s->min[at], group_min(type, head, b, at));
    }
    some_call(kind, w, s, g);
}

R1I_INLINE void some_span_of(const r1_dtype type, const uint8_t *b, int groups, const uint8_t *ahead, some_span *s)
{
    span_head head;
    head_read(type, b, &head);
    if (group_of_k(type)) { /* shifts by constants */
        R1I_UNROLL for (int g = 0; g < TILE_GROUPS; g++) some_unpack(type, &head, b, ahead, g, s);
    } else {
        for (int g = 0; g < groups; g++) some_unpack(type, &head, b, ahead, g, s);
    }
    some_close(tile_kind_of(type), groups, s);
}

static __attribute__((noinline)) void some_rows(const r1_dtype type, const uint8_t *b, int groups, const uint8_t *ahead,
                                                some_span *s)
{
    switch (type) {
#define CASE(name) case R1_DTYPE_##name: some_span_of(R1_DTYPE_##name, b, groups, ahead, s); return;
    GROUP_TYPES(CASE)
#undef CASE
    default: return;
    }
}

static bool some_type(r1_dtype type)
{
    switch (type) {
#define CASE(name) case R1_DTYPE_##name:
    GROUP_TYPES(CASE) return true;
#undef CASE
    default: return false;
    }
}

/* Rows [m0, m0 + rows) against panels p .. p + panels - 1. */
static void driver_some(const r1i_linear_job *job, int64_t p, int panels, int64_t m0, int64_t rows)
{
    const r1i_weight *const w = job->w;
    const tile_kind kind = tile_kind_of(w->type);
    const int64_t stride = (int64_t)r1i_panel_stride(w->type, w->cols), step = span_step(w->type);
    const uint8_t *b = w->data + p * stride, *const end = w->data + (w->rows + LANES - 1) / LANES * stride;
    _Alignas(64) float acc[SOME_PANELS][SOME_ROWS][LANES];
    _Alignas(64) some_span s;
    for (int i = 0; i < panels; i++) memset(acc[i], 0, (size_t)rows * sizeof acc[i][0]);
    s.end[0] = 0;
    q8_rows in = q8_rows_at(job->x, m0, 0);
    for (int64_t k = 0; k < w->cols; b += step) {
        some_open(kind, tile_offset(w->type), &in, rows, &s);
        for (int i = 0; i < panels; i++) {
            const uint8_t *const at = b + i * stride;
            s.acc = acc[i];
            const uint8_t *const next = k + TILE_K < w->cols ? at + step : w->data + (p + panels + i) * stride;
            some_rows(w->type, at, in.groups, next < end ? next : at, &s);
        }
        if ((k += TILE_K) < w->cols) q8_rows_step(job->x, k, &in);
    }
    for (int64_t m = 0; m < rows; m++)
        for (int i = 0; i < panels; i++) quant_finish(job, m0 + m, p + i, acc[i][m]);
}

#endif
