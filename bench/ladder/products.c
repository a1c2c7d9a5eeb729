/* Q8_0 weights times 8-bit activations: y[m, n] = x[m, k] w[n, k]^T. One row is decoding (memory binds), many are a
 * prompt (arithmetic binds). The order of arithmetic is the contract's: per output, groups of 32 ascending, acc =
 * fmaf(exact integer sum, s_w * d_x, acc). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/rng.h"
#include "ladder.h"
#include "tensor/codec.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { GROUP = 32, BLOCK = 34 /* f16 scale, 32 int8 */, PANEL = 16, ROWS = 6 };

typedef struct products {
    int64_t m, n, k, groups;
    const uint8_t *blocks;      /* [n, groups] as in the file */
    uint8_t *codes;             /* [n / 16, groups, 8, 16, 4] w + 128: four columns of 16 outputs side by side */
    uint16_t *scales;           /* [n / 16, groups, 16] */
    int8_t *q;                  /* [m, k] */
    float *d;                   /* [m, groups] */
    int32_t *bias;              /* [m, groups] -128 times the sum of q */
    float *y;                   /* [m, n] */
    r1i_pool *pool;
} products;

/* ---- rung 1: numbers first, products then ------------------------------------------------------------------------ */

static void as_floats(void *problem)
{
    const products *const p = problem;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t o = 0; o < p->n; o++) {
            float acc = 0.0f;
            for (int64_t k = 0; k < p->k; k++) {
                const uint8_t *const b = p->blocks + (o * p->groups + k / GROUP) * BLOCK;
                uint16_t half;
                memcpy(&half, b, 2);
                const float w = (float)(int8_t)b[2 + k % GROUP] * r1i_f16_to_f32(half);
                acc += w * ((float)p->q[i * p->k + k] * p->d[i * p->groups + k / GROUP]);
            }
            p->y[i * p->n + o] = acc;
        }
}

/* ---- rung 2: integers inside a group ----------------------------------------------------------------------------- */

static void as_integers(void *problem)
{
    const products *const p = problem;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t o = 0; o < p->n; o++) {
            float acc = 0.0f;
            for (int64_t g = 0; g < p->groups; g++) {
                const uint8_t *const b = p->blocks + (o * p->groups + g) * BLOCK;
                const int8_t *const q = p->q + i * p->k + g * GROUP;
                int32_t isum = 0;
                uint16_t half;
                memcpy(&half, b, 2);
                for (int k = 0; k < GROUP; k++) isum += (int8_t)b[2 + k] * q[k];
                acc = fmaf((float)isum, r1i_f16_to_f32(half) * p->d[i * p->groups + g], acc);
            }
            p->y[i * p->n + o] = acc;
        }
}

#if defined(__x86_64__)
/* ---- rung 3: 32 products an instruction, one output at a time ---------------------------------------------------- */

LADDER_AVX2 static void by_rows(void *problem)
{
    const products *const p = problem;
    const __m256i ones = _mm256_set1_epi16(1);
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t o = 0; o < p->n; o++) {
            float acc = 0.0f;
            for (int64_t g = 0; g < p->groups; g++) {
                const uint8_t *const b = p->blocks + (o * p->groups + g) * BLOCK;
                uint16_t half;
                memcpy(&half, b, 2);
                const __m256i w = _mm256_loadu_si256((const void *)(b + 2));
                const __m256i x = _mm256_loadu_si256((const void *)(p->q + i * p->k + g * GROUP));
                /* |w| times x with w's sign: the first factor of the instruction has to be unsigned */
                const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
                __m256i s = _mm256_madd_epi16(pairs, ones);
                __m128i h = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
                h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0x4e));
                h = _mm_add_epi32(h, _mm_shuffle_epi32(h, 0xb1));
                const float scale = _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))) * p->d[i * p->groups + g];
                acc = fmaf((float)_mm_cvtsi128_si32(h), scale, acc);
            }
            p->y[i * p->n + o] = acc;
        }
}

/* ---- rung 4: sixteen outputs in the lanes ------------------------------------------------------------------------ */

/* rows x one panel of 16 outputs. `rows` is a constant at every call: the accumulators are registers then. */
LADDER_AVX512 static inline __attribute__((always_inline)) void tile(const products *p, int64_t row, int rows,
                                                                     int64_t panel)
{
    const uint8_t *const codes = p->codes + panel * p->groups * 512;
    const uint16_t *const scales = p->scales + panel * p->groups * PANEL;
    __m512 acc[4];
    for (int r = 0; r < rows; r++) acc[r] = _mm512_setzero_ps();
    for (int64_t g = 0; g < p->groups; g++) {
        __m512i isum[4];
        /* codes are w + 128, so 128 times the activations' sum is too much: begin with its negative (bias) instead of
         * zero */
        for (int r = 0; r < rows; r++) isum[r] = _mm512_set1_epi32(p->bias[(row + r) * p->groups + g]);
        for (int c = 0; c < 8; c++) {
            const __m512i w = _mm512_load_si512((const void *)(codes + g * 512 + c * 64));
            for (int r = 0; r < rows; r++) {
                int32_t four;
                memcpy(&four, p->q + (row + r) * p->k + g * GROUP + c * 4, 4);
                isum[r] = _mm512_dpbusd_epi32(isum[r], w, _mm512_set1_epi32(four));
            }
        }
        const __m512 s = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(scales + g * PANEL)));
        for (int r = 0; r < rows; r++)
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[r]),
                                     _mm512_mul_ps(s, _mm512_set1_ps(p->d[(row + r) * p->groups + g])), acc[r]);
    }
    for (int r = 0; r < rows; r++) _mm512_storeu_ps(p->y + (row + r) * p->n + panel * PANEL, acc[r]);
}

LADDER_AVX512 static void by_panels(void *problem)
{
    const products *const p = problem;
    for (int64_t i = 0; i < p->m; i++)
        for (int64_t panel = 0; panel < p->n / PANEL; panel++) tile(p, i, 1, panel);
}

/* ---- rung 5: weights once for several rows ----------------------------------------------------------------------- */

LADDER_AVX512 static void four_rows(void *problem)
{
    const products *const p = problem;
    for (int64_t panel = 0; panel < p->n / PANEL; panel++) {
        int64_t i = 0;
        for (; i + 4 <= p->m; i += 4) tile(p, i, 4, panel);
        for (; i < p->m; i++) tile(p, i, 1, panel);
    }
}

/* ---- rung 6: each broadcast for two panels ----------------------------------------------------------------------- */

/* 6 rows x 2 panels: 12 sums, 12 accumulators, 2 weight vectors, a broadcast: 27 of the 32 registers. Two loads of
 * weights and six broadcasts feed twelve products; 12 rows x 1 panel would want thirteen, and a core loads one 64-byte
 * vector a cycle. */
LADDER_AVX512 static void wide_tile(const products *p, int64_t row, int64_t panel)
{
    const uint8_t *const codes = p->codes + panel * p->groups * 512, *const codes2 = codes + p->groups * 512;
    const uint16_t *const scales = p->scales + panel * p->groups * PANEL, *const scales2 = scales + p->groups * PANEL;
    __m512 acc[ROWS], acc2[ROWS];
    for (int r = 0; r < ROWS; r++) acc[r] = acc2[r] = _mm512_setzero_ps();
    for (int64_t g = 0; g < p->groups; g++) {
        __m512i isum[ROWS], isum2[ROWS];
        for (int r = 0; r < ROWS; r++) isum[r] = isum2[r] = _mm512_set1_epi32(p->bias[(row + r) * p->groups + g]);
        for (int c = 0; c < 8; c++) {
            const __m512i w = _mm512_load_si512((const void *)(codes + g * 512 + c * 64));
            const __m512i w2 = _mm512_load_si512((const void *)(codes2 + g * 512 + c * 64));
            for (int r = 0; r < ROWS; r++) {
                int32_t four;
                memcpy(&four, p->q + (row + r) * p->k + g * GROUP + c * 4, 4);
                const __m512i x = _mm512_set1_epi32(four);
                isum[r] = _mm512_dpbusd_epi32(isum[r], w, x);
                isum2[r] = _mm512_dpbusd_epi32(isum2[r], w2, x);
            }
        }
        const __m512 s = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(scales + g * PANEL)));
        const __m512 s2 = _mm512_cvtph_ps(_mm256_loadu_si256((const void *)(scales2 + g * PANEL)));
        for (int r = 0; r < ROWS; r++) {
            const __m512 d = _mm512_set1_ps(p->d[(row + r) * p->groups + g]);
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum[r]), _mm512_mul_ps(s, d), acc[r]);
            acc2[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(isum2[r]), _mm512_mul_ps(s2, d), acc2[r]);
        }
    }
    for (int r = 0; r < ROWS; r++) {
        _mm512_storeu_ps(p->y + (row + r) * p->n + panel * PANEL, acc[r]);
        _mm512_storeu_ps(p->y + (row + r) * p->n + (panel + 1) * PANEL, acc2[r]);
    }
}

LADDER_AVX512 static void panel_pair(void *ctx, int64_t pair, int thread)
{
    const products *const p = ctx;
    const bool two = 2 * pair + 1 < p->n / PANEL;
    int64_t i = 0;
    (void)thread;
    for (; two && i + ROWS <= p->m; i += ROWS) wide_tile(p, i, 2 * pair);
    for (int64_t panel = 2 * pair; panel < 2 * pair + 1 + two; panel++)
        for (int64_t r = i; r < p->m; r++) tile(p, r, 1, panel);
}

static void pairs_on(products *p, r1i_pool *pool) { r1i_pool_run(pool, (p->n / PANEL + 1) / 2, panel_pair, p); }
static void two_panels(void *problem) { pairs_on(problem, NULL); }

/* ---- rung 7: threads over panels --------------------------------------------------------------------------------- */

LADDER_AVX512 static void panel_of_each_row(void *ctx, int64_t panel, int thread)
{
    const products *const p = ctx;
    (void)thread;
    for (int64_t i = 0; i < p->m; i++) tile(p, i, 1, panel);
}

static void by_panels_threads(void *problem)
{
    products *const p = problem;
    r1i_pool_run(p->pool, p->n / PANEL, panel_of_each_row, p);
}

static void with_threads(void *problem)
{
    products *const p = problem;
    pairs_on(p, p->pool);
}
#endif

/* ---- the problem ------------------------------------------------------------------------------------------------- */

static void fill(products *p)
{
    r1i_rng rng = {5, 0};
    uint8_t *const blocks = ladder_alloc((size_t)(p->n * p->groups * BLOCK));
    for (int64_t b = 0; b < p->n * p->groups; b++) {
        const uint16_t half = r1i_f16_from_f32((float)r1i_rng_double(&rng) * 0.02f + 0.001f);
        memcpy(blocks + b * BLOCK, &half, 2);
        const int64_t o = b / p->groups, g = b % p->groups, panel = o / PANEL, lane = o % PANEL;
        p->scales[(panel * p->groups + g) * PANEL + lane] = half;
        uint64_t bits = 0;
        for (int k = 0; k < GROUP; k++) {
            if (k % 8 == 0) bits = r1i_rng_u64(&rng);
            const uint8_t code = (uint8_t)(bits >> (8 * (k % 8)));
            blocks[b * BLOCK + 2 + k] = code;
            p->codes[(panel * p->groups + g) * 512 + (k / 4) * 64 + lane * 4 + k % 4] = (uint8_t)(code ^ 0x80);
        }
    }
    p->blocks = blocks;
    for (int64_t i = 0; i < p->m * p->k; i++) {
        p->q[i] = (int8_t)((int)r1i_rng_below(&rng, 255) - 127);
        p->bias[i / GROUP] -= 128 * p->q[i];
    }
    for (int64_t i = 0; i < p->m * p->groups; i++) p->d[i] = (float)r1i_rng_double(&rng) * 0.1f + 0.01f;
}

static void climb_one(climb *c, r1i_pool *pool, const char *name, const rung *rungs, int n_rungs, int64_t m, int64_t n,
                      int64_t k)
{
    products p = {.m = m, .n = n, .k = k, .groups = k / GROUP, .pool = pool};
    p.codes = ladder_alloc((size_t)(n * k));
    p.scales = ladder_alloc((size_t)(n * p.groups) * sizeof *p.scales);
    p.q = ladder_alloc((size_t)(m * k));
    p.d = ladder_alloc((size_t)(m * p.groups) * sizeof *p.d);
    p.bias = ladder_alloc((size_t)(m * p.groups) * sizeof *p.bias);
    p.y = ladder_alloc((size_t)(m * n) * sizeof *p.y);
    fill(&p);
    const ladder l = {.name = name, .rungs = rungs, .n = n_rungs, .problem = &p, .out = p.y, .n_out = m * n,
                      .cost = {.weight_bytes = (double)(n * p.groups * BLOCK),
                               .ops = {[R1_PEAK_INT8] = 2.0 * (double)m * (double)n * (double)k}}};
    climb_ladder(c, &l);
    r1i_release(NULL, (void *)(uintptr_t)p.blocks, (size_t)(n * p.groups * BLOCK));
    r1i_release(NULL, p.codes, (size_t)(n * k));
    r1i_release(NULL, p.scales, (size_t)(n * p.groups) * sizeof *p.scales);
    r1i_release(NULL, p.q, (size_t)(m * k));
    r1i_release(NULL, p.d, (size_t)(m * p.groups) * sizeof *p.d);
    r1i_release(NULL, p.bias, (size_t)(m * p.groups) * sizeof *p.bias);
    r1i_release(NULL, p.y, (size_t)(m * n) * sizeof *p.y);
}

void climb_products(climb *c, r1i_pool *pool)
{
    const rung decode[] = {
        {"floats", as_floats, NULL, 0, 0},
        {"integers in a group", as_integers, NULL, 1e-4, 0}, /* other roundings */
#if defined(__x86_64__)
        {"vectors along a row", by_rows, ladder_has_avx2, 0, 0},
        {"sixteen outputs in the lanes", by_panels, ladder_has_avx512, 0, 0},
        {"threads over panels", by_panels_threads, ladder_has_avx512, 0, r1i_pool_threads(pool)},
#endif
    };
    const rung prompt[] = {
        {"integers in a group", as_integers, NULL, 0, 0},
#if defined(__x86_64__)
        {"vectors along a row", by_rows, ladder_has_avx2, 0, 0},
        {"sixteen outputs in the lanes", by_panels, ladder_has_avx512, 0, 0},
        {"weights once for four rows", four_rows, ladder_has_avx512, 0, 0},
        {"each broadcast for two panels", two_panels, ladder_has_avx512, 0, 0},
        {"threads over panels", with_threads, ladder_has_avx512, 0, r1i_pool_threads(pool)},
#endif
    };
    const int n_decode = sizeof decode / sizeof *decode, n_prompt = sizeof prompt / sizeof *prompt;
    /* 71 MB: not in a cache */
    climb_one(c, pool, "Q8_0, one row", decode, n_decode, 1, c->check ? 48 : 32768, c->check ? 96 : 2048);
    climb_one(c, pool, "Q8_0, 192 rows", prompt, n_prompt, c->check ? 29 : 192, c->check ? 80 : 2048,
              c->check ? 96 : 2048);
}
