/* compute bf16 with the processor's bf16 dot product: each instruction adds the two products of a pair of k to a lane.
 * The order is the pairs' (k ascending, never cut), the rounding inside a pair the instruction's own, and subnormals
 * count as zero there: a named arithmetic of its own, the same for one row and for many. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/pairs512.h"
#include "backend/cpu/grad.h"

#include "backend/cpu/lanes/unroll.h"

enum {
    ROWS = 6, PANELS = 4, STREAMS = 8,
    CHUNK_ROWS = 192,        /* rows that pass all panels together: x and y go through the near caches once */
    FAR_PANELS = 1024 * 1024 /* weights: more do not stay in a second-level cache */
};

R1I_INLINE __m512bh as_bf16(__m512i v) { return (__m512bh)v; }

R1I_INLINE void finish(const r1i_linear_job *job, int64_t row, int64_t panel, v16 v)
{
    const int64_t n = job->w->rows - panel * 16;
    float *const y = job->y.p + row * job->y.stride + panel * 16;
    if (n >= 16 && !job->bias) {
        v16_store(y, job->add ? v16_add(v16_load(y), v) : v);
        return;
    }
    if (job->bias) v = v16_add(v, v16_load_n(job->bias + panel * 16, n));
    v16_store_n(y, job->add ? v16_add(v16_load_n(y, n), v) : v, n);
}

/* rows x panels of sums in registers over all of K: a panel's slice is read from the near caches by the next rows. */
R1I_INLINE void tile(const r1i_linear_job *job, int64_t r0, int64_t p0, const int rows, const int panels)
{
    const r1i_weight *const w = job->w;
    const int64_t pairs = (w->cols + 1) / 2, stride = (int64_t)r1i_panel_stride(R1_DTYPE_BF16, w->cols),
                  xs = job->x->bf16_stride, ys = job->y.stride;
    const uint16_t *x = job->x->bf16 + r0 * xs;
    const uint8_t *data = w->data + p0 * stride;
    __m512 c[6][8];
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) c[r][p] = _mm512_setzero_ps();
    const float *y = job->y.p + r0 * ys + p0 * 16; /* asked for as tile.h does it, and the next rows of x */
    for (int64_t r = (pairs + 15) / 16; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) __builtin_prefetch(y + r * ys + 16 * p, 1);
    for (int64_t left = pairs, row = 0; left > 0; left -= 16, row++) {
        const uint16_t *const next = x + rows * xs, *const end = x + 2 * (left < 16 ? left : 16);
        if (rows > 1)
            R1I_UNROLL for (int r = 0; r < rows; r++) __builtin_prefetch(next + r * xs);
        if (row < rows) {
            R1I_UNROLL for (int p = 0; p < panels; p++) __builtin_prefetch(y + 16 * p, 1);
            y += ys;
        }
        for (; x != end; x += 2, data += 64) {
            __m512i b[8];
            R1I_UNROLL for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(data + p * stride);
            R1I_UNROLL for (int r = 0; r < rows; r++) {
                int pair;
                memcpy(&pair, x + r * xs, sizeof pair);
                const __m512i a = _mm512_set1_epi32(pair);
                R1I_UNROLL for (int p = 0; p < panels; p++)
                    c[r][p] = _mm512_dpbf16_ps(c[r][p], as_bf16(b[p]), as_bf16(a));
            }
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) finish(job, r0 + r, p0 + p, c[r][p]);
}

R1I_INLINE void rows_of(const r1i_linear_job *job, int64_t r, int64_t m, int64_t p, const int panels)
{
    while (r < m) {
        const int64_t tiles = (m - r + ROWS - 1) / ROWS, rows = (m - r + tiles - 1) / tiles;
        switch (rows) {
        case 1: tile(job, r, p, 1, panels); break;
        case 2: tile(job, r, p, 2, panels); break;
        case 3: tile(job, r, p, 3, panels); break;
        case 4: tile(job, r, p, 4, panels); break;
        case 5: tile(job, r, p, 5, panels); break;
        default: tile(job, r, p, 6, panels); break;
        }
        r += rows;
    }
}

static void linear_bf16(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const int64_t rows = job->x->x.rows, outputs = (p1 - p0) * 16;
    if (rows == 1)
        for (; p0 + STREAMS <= p1; p0 += STREAMS) tile(job, 0, p0, 1, STREAMS);
    const int64_t step = outputs * job->w->cols > FAR_PANELS && outputs > rows ? rows : CHUNK_ROWS;
    for (int64_t r = 0; r < rows; r += step) {
        const int64_t end = rows - r < step ? rows : r + step;
        int64_t p = p0;
        for (; p + PANELS <= p1; p += PANELS) rows_of(job, r, end, p, PANELS);
        for (; p < p1; p++) rows_of(job, r, end, p, 1);
    }
}

/* ---- gradients of weights ---------------------------------------------------------------------------------------- */

/* 48 columns are eight tiles. Absent columns become zeros, or are left out where a whole tile is absent. */
R1I_INLINE void pack_step(float *tile, const uint16_t *first, const uint16_t *second, int64_t n)
{
    __m512i v[3], t[8];
    R1I_UNROLL for (int i = 0; i < 3; i++) {
        const int64_t left = n > 16 * i ? n - 16 * i : 0;
        v[i] = pair_of_halves(halves_or_zero(first + 16 * i, left),
                              halves_or_zero(second ? second + 16 * i : NULL, left));
    }
    t[0] = v[0];
    t[1] = _mm512_alignr_epi32(v[1], v[0], 6);
    t[2] = _mm512_alignr_epi32(v[1], v[0], 12);
    t[3] = _mm512_alignr_epi32(v[1], v[1], 2);
    t[4] = _mm512_alignr_epi32(v[2], v[1], 8);
    t[5] = _mm512_alignr_epi32(v[2], v[1], 14);
    t[6] = _mm512_alignr_epi32(v[2], v[2], 4);
    t[7] = _mm512_alignr_epi32(v[2], v[2], 10);
    R1I_UNROLL for (int i = 0; i < 8; i++)
        if (6 * i < n) _mm256_mask_storeu_epi32(tile + i * R1I_GRAD_TILE, 0x3f, _mm512_castsi512_si256(t[i]));
}

static void pack_pairs(float *tile, const uint16_t *x, int64_t stride, const int32_t *start, int64_t steps, int64_t n)
{
    for (int64_t s0 = 0; s0 < steps; s0 += R1I_GRAD_LINES) {
        const int64_t end = steps - s0 < R1I_GRAD_LINES ? steps : s0 + R1I_GRAD_LINES;
        float *to = tile + s0 * R1I_GRAD_COLS;
        for (int64_t c = 0; c < n; c += 48, to += 8 * R1I_GRAD_TILE) {
            const int64_t left = n - c < 48 ? n - c : 48;
            for (int64_t s = s0; s < end; s++) {
                const uint16_t *const first = x + start[s] * stride + c,
                                      *const second = start[s + 1] - start[s] == 2 ? first + stride : NULL;
                r1i_grad_ahead_halves(first + 2 * R1I_GRAD_LINES * stride, left);
                r1i_grad_ahead_halves(first + (2 * R1I_GRAD_LINES + 1) * stride, left);
                pack_step(to + (s - s0) * R1I_GRAD_COLS, first, second, left);
            }
        }
    }
}

/* Sums of columns x panels stay in registers while the pass's pairs run. */
R1I_INLINE void outer(const float *x, const float *w, float *g, int64_t panel_stride, int64_t steps, const int cols,
                      const int panels)
{
    __m512 c[6][4];
    R1I_UNROLL for (int r = 0; r < cols; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) c[r][p] = _mm512_loadu_ps(g + 16 * r + p * panel_stride);
    R1I_UNROLL for (int r = 0; r < cols; r++) /* the next columns' sums come from memory: ask for them now */
        R1I_UNROLL for (int p = 0; p < panels; p++)
            _mm_prefetch((const char *)(g + 16 * (cols + r) + p * panel_stride), _MM_HINT_T0);
    for (int64_t k = 0; k < steps; k++, x += R1I_GRAD_COLS, w += R1I_GRAD_PANELS * 16) {
        __m512i b[4];
        R1I_UNROLL for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(w + 16 * p);
        R1I_UNROLL for (int r = 0; r < cols; r++) {
            int pair;
            memcpy(&pair, x + r, sizeof pair);
            const __m512i a = _mm512_set1_epi32(pair);
            R1I_UNROLL for (int p = 0; p < panels; p++) c[r][p] = _mm512_dpbf16_ps(c[r][p], as_bf16(b[p]), as_bf16(a));
        }
    }
    R1I_UNROLL for (int r = 0; r < cols; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) _mm512_storeu_ps(g + 16 * r + p * panel_stride, c[r][p]);
}

#define OUTER_CASE(r, p) \
    case (r) * 8 + (p): outer(x, w, g, a->panel_stride, a->steps, r, p); return;
#define OUTER_CASES(r) OUTER_CASE(r, 1) OUTER_CASE(r, 2) OUTER_CASE(r, 3) OUTER_CASE(r, 4)

static void outer_tile(const r1i_grad_weight *a, const float *x, const float *w, float *g, int64_t cols)
{
    switch (cols * 8 + a->np) {
        OUTER_CASES(1) OUTER_CASES(2) OUTER_CASES(3) OUTER_CASES(4) OUTER_CASES(5) OUTER_CASES(6)
    default: return;
    }
}

/* dy of all steps, panels side by side. */
static void pack_slice(float *packed, const r1i_grad_weight *a)
{
    __mmask16 some[R1I_GRAD_PANELS];
    for (int64_t p = 0; p < a->np; p++) some[p] = first_lanes(a->dy_cols - 16 * p);
    for (int64_t k = 0; k < a->steps; k++, packed += R1I_GRAD_PANELS * 16) {
        const uint16_t *const first = a->dy16 + a->start[k] * a->dy_stride, *const second = first + a->dy_stride;
        const __mmask16 two = a->start[k + 1] - a->start[k] == 2 ? 0xffff : 0;
        r1i_grad_ahead_halves(first + 2 * R1I_GRAD_AHEAD * a->dy_stride, 16 * a->np);
        r1i_grad_ahead_halves(first + (2 * R1I_GRAD_AHEAD + 1) * a->dy_stride, 16 * a->np);
        for (int64_t p = 0; p < a->np; p++) {
            const __m256i x = _mm256_maskz_loadu_epi16(some[p], first + 16 * p),
                          y = _mm256_maskz_loadu_epi16(some[p] & two, second + 16 * p);
            _mm512_store_si512(packed + p * 16, pair_of_halves(x, y));
        }
    }
}

static void weight_pairs(const r1i_grad_weight *a)
{
    _Alignas(64) float packed[R1I_GRAD_STEPS * R1I_GRAD_PANELS * 16];
    pack_slice(packed, a);
    const int64_t tiles = (a->nc + R1I_GRAD_COLS - 1) / R1I_GRAD_COLS;
    for (int64_t i = 0; i < tiles; i++) {
        r1i_grad_ask(&a->next, i, tiles);
        outer_tile(a, a->x + i * R1I_GRAD_TILE, packed, a->g + i * R1I_GRAD_COLS * 16,
                   i + 1 < tiles ? R1I_GRAD_COLS : a->nc - i * R1I_GRAD_COLS);
    }
}

static const r1i_pair_kernels pair_kernels = {.pack = pack_pairs, .weight = weight_pairs,
                                              .attention = r1i_avx512_bf16_grad_attention};

void r1i_avx512_bf16_kernels(r1i_cpu_kernels *k)
{
    if (!(r1i_cpu_features() & R1I_CPU_AVX512_BF16)) return;
    k->linear_bf16 = linear_bf16;
    k->pairs = &pair_kernels;
}
#endif
