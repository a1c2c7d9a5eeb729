/* compute bf16 with the processor's bf16 dot product: each instruction adds the two products of a pair of k to a lane.
 * The order is the pairs' (k ascending, never cut), the rounding inside a pair the instruction's own, and subnormals
 * count as zero there: a named arithmetic of its own, the same for one row and for many. */
#include "backend/cpu/avx512/avx512.h"

#if defined(__x86_64__)
#include <string.h>

#include "backend/cpu/avx512/v512.h"

#include "backend/cpu/lanes/unroll.h"

enum { ROWS = 6, PANELS = 4, STREAMS = 8 };

R1I_INLINE __m512bh as_bf16(__m512i v) { return (__m512bh)v; }

static void finish(const r1i_linear_job *job, int64_t row, int64_t panel, v16 v)
{
    const int64_t n = job->w->rows - panel * 16;
    float *const y = job->y.p + row * job->y.stride + panel * 16;
    if (job->bias) v = v16_add(v, v16_load_n(job->bias + panel * 16, n));
    v16_store_n(y, job->add ? v16_add(v16_load_n(y, n), v) : v, n);
}

/* rows x panels of sums in registers over all of K: a panel's slice is read from the near caches by the next rows. */
R1I_INLINE void tile(const r1i_linear_job *job, int64_t r0, int64_t p0, const int rows, const int panels)
{
    const r1i_weight *const w = job->w;
    const int64_t pairs = (w->cols + 1) / 2, stride = (int64_t)r1i_panel_stride(R1_DTYPE_BF16, w->cols), xs = job->x->bf16_stride;
    const uint16_t *const x = job->x->bf16 + r0 * xs;
    const uint8_t *const data = w->data + p0 * stride;
    __m512 c[6][8];
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) c[r][p] = _mm512_setzero_ps();
    for (int64_t k = 0; k < pairs; k++) {
        __m512i b[8];
        R1I_UNROLL for (int p = 0; p < panels; p++) b[p] = _mm512_loadu_si512(data + p * stride + k * 64);
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            int pair;
            memcpy(&pair, x + r * xs + 2 * k, sizeof pair);
            const __m512i a = _mm512_set1_epi32(pair);
            R1I_UNROLL for (int p = 0; p < panels; p++) c[r][p] = _mm512_dpbf16_ps(c[r][p], as_bf16(b[p]), as_bf16(a));
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < panels; p++) finish(job, r0 + r, p0 + p, c[r][p]);
}

R1I_INLINE void rows_of(const r1i_linear_job *job, int64_t p, const int panels)
{
    const int64_t m = job->x->x.rows;
    for (int64_t r = 0; r < m;) {
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
    if (job->x->x.rows == 1)
        for (; p0 + STREAMS <= p1; p0 += STREAMS) tile(job, 0, p0, 1, STREAMS);
    for (; p0 + PANELS <= p1; p0 += PANELS) rows_of(job, p0, PANELS);
    for (; p0 < p1; p0++) rows_of(job, p0, 1);
}

void r1i_avx512_bf16_kernels(r1i_cpu_kernels *k)
{
    if (r1i_cpu_features() & R1I_CPU_AVX512_BF16) k->linear_bf16 = linear_bf16;
}
#endif
