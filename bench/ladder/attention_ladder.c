/* One query token against a long cache, several query heads for each key-value head: what a decode step does at depth.
 * Memory binds, if the softmax and the dot products keep up. The order of arithmetic is op/table.h's: tiles of 64
 * positions with a running maximum, spans of 512 merged in ascending order. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "backend/cpu/elementary.h"
#include "base/rng.h"
#include "ladder.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { DIM = 64, HEADS = 7 /* a kv head */, TILE = 64, SPAN = 512, LANES = 16 };

typedef struct part {        /* of one head */
    float m, l, acc[DIM];
} part;

typedef struct attention {
    int64_t kv_heads, len;   /* len: a multiple of SPAN */
    float scale;
    const float *q;          /* [kv_heads, HEADS, DIM] */
    const float *k;          /* [kv_heads, len, DIM] */
    const float *k_lanes;    /* [kv_heads, len / 16, DIM, 16] */
    const float *v;          /* [kv_heads, len, DIM] */
    float *scores;           /* [len] */
    part *parts;             /* [kv_heads, len / SPAN, HEADS] */
    float *o;                /* [kv_heads, HEADS, DIM] */
    void (*span)(const struct attention *a, int64_t kv, int64_t start, part *out); /* of the rung that runs */
    r1i_pool *pool;
} attention;

/* ---- rung 1: the definition, three passes over the cache --------------------------------------------------------- */

static void three_passes(void *problem)
{
    const attention *const a = problem;
    for (int64_t h = 0; h < a->kv_heads * HEADS; h++) {
        const float *const q = a->q + h * DIM, *const k = a->k + h / HEADS * a->len * DIM,
                           *const v = a->v + h / HEADS * a->len * DIM;
        float most = -INFINITY, sum = 0.0f;
        for (int64_t j = 0; j < a->len; j++) {
            float dot = 0.0f;
            for (int d = 0; d < DIM; d++) dot += q[d] * k[j * DIM + d];
            a->scores[j] = dot * a->scale;
            if (a->scores[j] > most) most = a->scores[j];
        }
        for (int64_t j = 0; j < a->len; j++) sum += a->scores[j] = expf(a->scores[j] - most);
        for (int d = 0; d < DIM; d++) {
            float acc = 0.0f;
            for (int64_t j = 0; j < a->len; j++) acc += a->scores[j] * v[j * DIM + d];
            a->o[h * DIM + d] = acc / sum;
        }
    }
}

/* ---- all others: spans, merged in order -------------------------------------------------------------------------- */

static void merge(part *a, const part *b)
{
    const float m = a->m > b->m ? a->m : b->m, x = r1i_expf(a->m - m), y = r1i_expf(b->m - m);
    a->l = fmaf(a->l, x, b->l * y);
    for (int d = 0; d < DIM; d++) a->acc[d] = fmaf(a->acc[d], x, b->acc[d] * y);
    a->m = m;
}

static void item(void *ctx, int64_t i, int thread)
{
    const attention *const a = ctx;
    const int64_t spans = a->len / SPAN;
    (void)thread;
    a->span(a, i / spans, i % spans * SPAN, a->parts + i * HEADS);
}

static void all_spans(attention *a, r1i_pool *pool)
{
    const int64_t spans = a->len / SPAN;
    r1i_pool_run(pool, a->kv_heads * spans, item, a);
    for (int64_t h = 0; h < a->kv_heads * HEADS; h++) {
        part *const first = a->parts + h / HEADS * spans * HEADS + h % HEADS;
        for (int64_t s = 1; s < spans; s++) merge(first, first + s * HEADS);
        const float inverse = 1.0f / first->l;
        for (int d = 0; d < DIM; d++) a->o[h * DIM + d] = first->acc[d] * inverse;
    }
}

/* A tile's scores become weights; l and the running maximum go on. Returns what older sums are multiplied with. */
static float soften(part *p, float s[TILE], bool first)
{
    float most = p->m, lane[LANES] = {0};
    for (int j = 0; j < TILE; j++) most = s[j] > most ? s[j] : most;
    const float keep = first ? 0.0f : r1i_expf(p->m - most);
    for (int j = 0; j < TILE; j++) lane[j % LANES] += s[j] = r1i_expf(s[j] - most);
    p->l = fmaf(p->l, keep, r1i_fold16(lane));
    p->m = most;
    return keep;
}

/* ---- rung 2: one pass, tile by tile ------------------------------------------------------------------------------ */

/* Inlined into a function that may use FMA: where the baseline has none, fmaf is a call. */
static inline __attribute__((always_inline)) void one_pass_body(const attention *a, int64_t kv, int64_t start,
                                                                part *out)
{
    for (int h = 0; h < HEADS; h++) {
        const float *const q = a->q + (kv * HEADS + h) * DIM;
        part *const p = &out[h];
        *p = (part){.m = -INFINITY};
        for (int64_t t = start; t < start + SPAN; t += TILE) {
            float s[TILE];
            for (int j = 0; j < TILE; j++) {
                const float *const k = a->k + (kv * a->len + t + j) * DIM;
                float dot = 0.0f;
                for (int d = 0; d < DIM; d++) dot = fmaf(q[d], k[d], dot);
                s[j] = a->scale * dot;
            }
            const float keep = soften(p, s, t == start);
            for (int d = 0; d < DIM; d++) p->acc[d] *= keep;
            for (int j = 0; j < TILE; j++)
                for (int d = 0; d < DIM; d++) p->acc[d] = fmaf(s[j], a->v[(kv * a->len + t + j) * DIM + d], p->acc[d]);
        }
    }
}

static void one_pass_plain(const attention *a, int64_t kv, int64_t start, part *out)
{
    one_pass_body(a, kv, start, out);
}
#if defined(__x86_64__)
LADDER_AVX2 static void one_pass_fma(const attention *a, int64_t kv, int64_t start, part *out)
{
    one_pass_body(a, kv, start, out);
}
#endif

static void one_pass(void *problem)
{
    attention *const a = problem;
    a->span = one_pass_plain;
#if defined(__x86_64__)
    if (ladder_has_avx2()) a->span = one_pass_fma;
#endif
    all_spans(a, NULL);
}

#if defined(__x86_64__)
/* ---- rung 3: sixteen positions in the lanes of a score ----------------------------------------------------------- */

LADDER_AVX512 static inline __attribute__((always_inline)) void scores_of(const attention *a, int64_t kv, int64_t t,
    int heads, int h0, float s[][TILE])
{
    const __m512 scale = _mm512_set1_ps(a->scale);
    for (int g = 0; g < TILE / LANES; g++) {
        const float *const k = a->k_lanes + ((kv * a->len + t) / LANES + g) * DIM * LANES;
        __m512 dot[HEADS];
        for (int h = 0; h < heads; h++) dot[h] = _mm512_setzero_ps();
        for (int d = 0; d < DIM; d++) {
            const __m512 key = _mm512_load_ps(k + d * LANES);
            for (int h = 0; h < heads; h++)
                dot[h] = _mm512_fmadd_ps(_mm512_set1_ps(a->q[(kv * HEADS + h0 + h) * DIM + d]), key, dot[h]);
        }
        for (int h = 0; h < heads; h++) _mm512_store_ps(s[h] + g * LANES, _mm512_mul_ps(scale, dot[h]));
    }
}

LADDER_AVX512 static void lanes_span(const attention *a, int64_t kv, int64_t start, part *out)
{
    for (int h = 0; h < HEADS; h++) {
        part *const p = &out[h];
        *p = (part){.m = -INFINITY};
        for (int64_t t = start; t < start + SPAN; t += TILE) {
            _Alignas(64) float s[1][TILE];
            scores_of(a, kv, t, 1, h, s);
            const float keep = soften(p, s[0], t == start);
            for (int d = 0; d < DIM; d++) p->acc[d] *= keep;
            for (int j = 0; j < TILE; j++)
                for (int d = 0; d < DIM; d++)
                    p->acc[d] = fmaf(s[0][j], a->v[(kv * a->len + t + j) * DIM + d], p->acc[d]);
        }
    }
}

static void key_lanes(void *problem)
{
    attention *const a = problem;
    a->span = lanes_span;
    all_spans(a, NULL);
}

/* ---- rung 4: the softmax in vectors too -------------------------------------------------------------------------- */

/* r1i_expf, operation by operation. */
LADDER_AVX512 static inline __m512 exp_lanes(__m512 x)
{
    const __m512 magic = _mm512_set1_ps(R1I_EXP_MAGIC);
    const __m512 t = _mm512_fmadd_ps(x, _mm512_set1_ps(R1I_EXP_LOG2E), magic), n = _mm512_sub_ps(t, magic);
    __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-R1I_EXP_LN2_HI), x), p = _mm512_set1_ps(R1I_EXP_C6);
    r = _mm512_fmadd_ps(n, _mm512_set1_ps(-R1I_EXP_LN2_LO), r);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(R1I_EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(R1I_EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(R1I_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(R1I_EXP_C2));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    const __m512i y = _mm512_add_epi32(_mm512_castps_si512(p), _mm512_slli_epi32(_mm512_castps_si512(t), 23));
    /* scores minus their maximum: never high */
    const __mmask16 tiny = _mm512_cmp_ps_mask(x, _mm512_set1_ps(R1I_EXP_LOWEST), _CMP_LT_OQ);
    return _mm512_castsi512_ps(_mm512_mask_mov_epi32(y, tiny, _mm512_setzero_si512()));
}

LADDER_AVX512 static inline float soften_lanes(part *p, float s[TILE], bool first)
{
    __m512 v[TILE / LANES], most = _mm512_set1_ps(p->m), lane = _mm512_setzero_ps();
    _Alignas(64) float sums[LANES];
    for (int g = 0; g < TILE / LANES; g++) most = _mm512_max_ps(v[g] = _mm512_load_ps(s + g * LANES), most);
    const float m = _mm512_reduce_max_ps(most); /* the order of a maximum does not matter */
    for (int g = 0; g < TILE / LANES; g++) {
        v[g] = exp_lanes(_mm512_sub_ps(v[g], _mm512_set1_ps(m)));
        lane = _mm512_add_ps(lane, v[g]);
        _mm512_store_ps(s + g * LANES, v[g]);
    }
    const float keep = first ? 0.0f : r1i_expf(p->m - m);
    _mm512_store_ps(sums, lane);
    p->l = fmaf(p->l, keep, r1i_fold16(sums));
    p->m = m;
    return keep;
}

/* acc = acc * keep + weights times values, for `heads` heads whose sums stay in registers over the tile. */
LADDER_AVX512 static inline __attribute__((always_inline)) void add_values(const attention *a, int64_t kv, int64_t t,
    int heads, part *p, float s[][TILE], const float *keep)
{
    __m512 acc[HEADS][DIM / LANES];
    const float *const v = a->v + (kv * a->len + t) * DIM;
    for (int h = 0; h < heads; h++)
        for (int c = 0; c < DIM / LANES; c++)
            acc[h][c] = _mm512_mul_ps(_mm512_loadu_ps(p[h].acc + c * LANES), _mm512_set1_ps(keep[h]));
    for (int j = 0; j < TILE; j++)
        for (int c = 0; c < DIM / LANES; c++) {
            const __m512 value = _mm512_load_ps(v + j * DIM + c * LANES);
            for (int h = 0; h < heads; h++) acc[h][c] = _mm512_fmadd_ps(_mm512_set1_ps(s[h][j]), value, acc[h][c]);
        }
    for (int h = 0; h < heads; h++)
        for (int c = 0; c < DIM / LANES; c++) _mm512_storeu_ps(p[h].acc + c * LANES, acc[h][c]);
}

LADDER_AVX512 static void vector_span(const attention *a, int64_t kv, int64_t start, part *out)
{
    for (int h = 0; h < HEADS; h++) {
        out[h] = (part){.m = -INFINITY};
        for (int64_t t = start; t < start + SPAN; t += TILE) {
            _Alignas(64) float s[1][TILE];
            scores_of(a, kv, t, 1, h, s);
            const float keep = soften_lanes(&out[h], s[0], t == start);
            add_values(a, kv, t, 1, &out[h], s, &keep);
        }
    }
}

static void vectors(void *problem)
{
    attention *const a = problem;
    a->span = vector_span;
    all_spans(a, NULL);
}

/* ---- rung 5: keys and values once for all heads that share them -------------------------------------------------- */

LADDER_AVX512 static void shared_span(const attention *a, int64_t kv, int64_t start, part *out)
{
    for (int h = 0; h < HEADS; h++) out[h] = (part){.m = -INFINITY};
    for (int64_t t = start; t < start + SPAN; t += TILE) {
        _Alignas(64) float s[HEADS][TILE];
        float keep[HEADS];
        scores_of(a, kv, t, HEADS, 0, s);
        for (int h = 0; h < HEADS; h++) keep[h] = soften_lanes(&out[h], s[h], t == start);
        add_values(a, kv, t, HEADS, out, s, keep);
    }
}

static void shared_keys(void *problem)
{
    attention *const a = problem;
    a->span = shared_span;
    all_spans(a, NULL);
}

/* ---- rung 6: threads over spans ---------------------------------------------------------------------------------- */

static void with_threads(void *problem)
{
    attention *const a = problem;
    a->span = shared_span;
    all_spans(a, a->pool);
}
#endif

/* ---- the problem ------------------------------------------------------------------------------------------------- */

static float *floats(int64_t n, uint64_t seed)
{
    r1i_rng rng = {seed, 0};
    float *const f = ladder_alloc((size_t)n * sizeof *f);
    for (int64_t i = 0; i < n; i++) f[i] = (float)r1i_rng_double(&rng) - 0.5f;
    return f;
}

void climb_attention(climb *c, r1i_pool *pool)
{
    const rung rungs[] = {
        {"three passes", three_passes, NULL, 0, 0},
        {"one pass over tiles", one_pass, NULL, 1e-4, 0}, /* other roundings */
#if defined(__x86_64__)
        {"sixteen positions in the lanes", key_lanes, ladder_has_avx512, 0, 0},
        {"softmax and values in vectors", vectors, ladder_has_avx512, 0, 0},
        {"keys and values once for seven heads", shared_keys, ladder_has_avx512, 0, 0},
        {"threads over spans", with_threads, ladder_has_avx512, 0, r1i_pool_threads(pool)},
#endif
    };
    const int64_t kv = 2, len = c->check ? 2 * SPAN : 32 * 4096, n = kv * len * DIM; /* two arrays of 67 MB */
    attention a = {.kv_heads = kv, .len = len, .scale = 0.125f, .q = floats(kv * HEADS * DIM, 1), .k = floats(n, 2),
                   .v = floats(n, 3), .scores = ladder_alloc((size_t)len * 4),
                   .parts = ladder_alloc((size_t)(kv * HEADS * len / SPAN) * sizeof(part)),
                   .o = ladder_alloc((size_t)(kv * HEADS * DIM) * 4), .pool = pool};
    float *const lanes = ladder_alloc((size_t)n * 4);
    for (int64_t i = 0; i < kv * len; i++)
        for (int d = 0; d < DIM; d++) lanes[(i / LANES * DIM + d) * LANES + i % LANES] = a.k[i * DIM + d];
    a.k_lanes = lanes;
    const ladder l = {.name = "attention, one token", .rungs = rungs, .n = sizeof rungs / sizeof *rungs, .problem = &a,
                      .out = a.o, .n_out = kv * HEADS * DIM,
                      .cost = {.cache_bytes = 8.0 * (double)n, .ops = {[R1_PEAK_F32] = 4.0 * HEADS * (double)n}}};
    climb_ladder(c, &l);
    r1i_release(NULL, (void *)(uintptr_t)a.q, 0);
    r1i_release(NULL, (void *)(uintptr_t)a.k, 0);
    r1i_release(NULL, (void *)(uintptr_t)a.v, 0);
    r1i_release(NULL, a.scores, 0);
    r1i_release(NULL, a.parts, 0);
    r1i_release(NULL, a.o, 0);
    r1i_release(NULL, lanes, 0);
}
