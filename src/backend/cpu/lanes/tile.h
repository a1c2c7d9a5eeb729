/* The register tile that products and attention share: sums of several rows times several vectors of 16 outputs stay in
 * registers while k runs. Included after v512.h or v256.h, which say what sixteen lanes are; each output is one chain
 * of fmaf, k ascending, continued from what `acc` holds, so cutting k between calls moves no bit. */
#ifndef R1I_TILE_H
#define R1I_TILE_H

#include "backend/cpu/lanes/unroll.h"

/* AHEAD: bytes ahead of what is read that are asked for, 0 for none. Where a tile reads one stream of cache lines
 * alone, that stream does not keep the memory busy: half the speed at 2 to 24 rows without it; with four streams it
 * only costs. It may point past the matrix, where a prefetch is ignored. */
#if defined(__AVX512F__)
/* 6 rows x 4 vectors: 24 sums, 4 weights, 1 broadcast of 32 registers; 24 multiply-adds for 4 + 6 loads. */
enum { TILE_ROWS = 6, TILE_VECS = 4, AHEAD = 0 };
#elif defined(__aarch64__)
/* 32 registers, four a vector: 6 x 1 (24 sums), 2 x 2 (16), 1 x 4 (16). The prefetchers are left alone: nothing was
 * measured. */
enum { TILE_ROWS = 6, TILE_VECS = 4, AHEAD = 0 };
#else
/* 16 registers, two a vector: 6 x 1 (12 sums), 3 x 2 (12), 1 x 4 (8). */
enum { TILE_ROWS = 6, TILE_VECS = 4, AHEAD = 2048 };
#endif

/* x[row * xs + k]; vector v of step k at w + k * ldw + v * wps (elements); acc[row * as + 16 v]. With `y` the sums end
 * there instead, after the bias, in place of what y holds or added to it. */
typedef struct tile_args {
    const float *x;
    int64_t xs;
    const void *w;
    int64_t ldw, wps, k;
    float *acc;
    int64_t as;
    bool fresh;           /* begin at zero instead of what acc holds */
    float *y;             /* nullable; y[row * ys + 16 v] */
    int64_t ys;
    const float *bias;    /* nullable; of vector 0 */
    bool add;
} tile_args;

R1I_INLINE v16 tile_weight(const void *w, int64_t at, const bool bf16)
{
    const uint8_t *const p = (const uint8_t *)w + at * (bf16 ? 2 : 4);
    if (AHEAD > 0) __builtin_prefetch(p + AHEAD, 0, 3);
    return bf16 ? v16_bf16((const uint16_t *)(const void *)p) : v16_load((const float *)(const void *)p);
}

R1I_INLINE void tile_finish(const tile_args *t, const int rows, const int vecs, v16 c[6][4])
{
    R1I_UNROLL for (int v = 0; v < vecs; v++) {
        const v16 bias = t->bias ? v16_load(t->bias + 16 * v) : v16_zero();
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            float *const y = t->y + r * t->ys + 16 * v;
            const v16 sum = t->bias ? v16_add(c[r][v], bias) : c[r][v];
            v16_store(y, t->add ? v16_add(v16_load(y), sum) : sum);
        }
    }
}

/* x and y come from memory where rows are many. Six rows are streams too short for the processor's own prefetching,
 * and asking for all of y at once holds up the lines of w, which come from the second-level cache: so each sixteen
 * steps ask for their columns of the rows that the next tile takes, and for one row of y. 8192 rows, 256 inputs, 208
 * outputs: 0.99 of the roof in place of 0.88. */
R1I_INLINE void tile_body(const tile_args *t, const int rows, const int vecs, const bool bf16)
{
    v16 c[6][4];
    const int64_t xs = t->xs, ldw = t->ldw, wps = t->wps, n = t->k;
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++)
            c[r][v] = t->fresh ? v16_zero() : v16_load(t->acc + r * t->as + 16 * v);
    const float *x = t->x, *y = t->y ? t->y : x; /* no branch: asking for what is near does no harm */
    const int64_t ys = t->y ? t->ys : 0, step = ldw * (bf16 ? 2 : 4);
    const uint8_t *w = t->w;
    for (int64_t r = (n + 15) / 16; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) __builtin_prefetch(y + r * ys + 16 * v, 1);
    for (int64_t left = n, row = 0; left > 0; left -= 16, row++) {
        const float *const next = x + rows * xs, *const end = x + (left < 16 ? left : 16);
        if (rows > 1)
            R1I_UNROLL for (int r = 0; r < rows; r++) __builtin_prefetch(next + r * xs);
        if (row < rows) {
            R1I_UNROLL for (int v = 0; v < vecs; v++) __builtin_prefetch(y + 16 * v, 1);
            y += ys;
        }
        for (; x != end; x++, w += step) {
            v16 b[4];
            R1I_UNROLL for (int v = 0; v < vecs; v++) b[v] = tile_weight(w, v * wps, bf16);
            R1I_UNROLL for (int r = 0; r < rows; r++) {
                const v16 a = v16_set1(x[r * xs]);
                R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_fma(a, b[v], c[r][v]);
            }
        }
    }
    if (t->y) {
        tile_finish(t, rows, vecs, c);
        return;
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) v16_store(t->acc + r * t->as + 16 * v, c[r][v]);
}

#define TILE_CASE(r, v) \
    case (r) * 8 + (v): tile_body(t, r, v, bf16); return;

/* Any shape up to TILE_ROWS x TILE_VECS that tile_vecs() allows. */
R1I_INLINE void tile_switch(const tile_args *t, int rows, int vecs, const bool bf16)
{
    switch (rows * 8 + vecs) {
        TILE_CASE(1, 1) TILE_CASE(2, 1) TILE_CASE(3, 1) TILE_CASE(4, 1) TILE_CASE(5, 1) TILE_CASE(6, 1)
        TILE_CASE(1, 2) TILE_CASE(2, 2) TILE_CASE(3, 2) TILE_CASE(1, 4)
#if defined(__AVX512F__)
        TILE_CASE(4, 2) TILE_CASE(5, 2) TILE_CASE(6, 2)
        TILE_CASE(1, 3) TILE_CASE(2, 3) TILE_CASE(3, 3) TILE_CASE(4, 3) TILE_CASE(5, 3) TILE_CASE(6, 3)
        TILE_CASE(2, 4) TILE_CASE(3, 4) TILE_CASE(4, 4) TILE_CASE(5, 4) TILE_CASE(6, 4)
#endif
    default: return;
    }
}
static void tile_f32(const tile_args *t, int rows, int vecs) { tile_switch(t, rows, vecs, false); }

/* Vectors to take of `left` when `rows` rows are held. */
static inline int tile_vecs(int rows, int64_t left)
{
#if defined(__AVX512F__)
    (void)rows;
    return left >= 4 ? 4 : (int)left;
#else
#if defined(__aarch64__)
    const int most = rows == 1 ? 4 : rows <= 2 ? 2 : 1;
#else
    const int most = rows == 1 ? 4 : rows <= 3 ? 2 : 1;
#endif
    return left >= 4 && most == 4 ? 4 : left >= 2 && most >= 2 ? 2 : 1;
#endif
}

/* Rows to take of `left`: as even as possible, so that 7 becomes 4 + 3 and not 6 + 1. */
static inline int tile_rows(int64_t left)
{
    const int64_t tiles = (left + TILE_ROWS - 1) / TILE_ROWS;
    return (int)((left + tiles - 1) / tiles);
}

typedef void (*tile_fn)(const tile_args *t, int rows, int vecs);

/* All of rows x vecs: vectors outside, so that one slice of w is read from near caches by all rows. */
static inline void tile_all(tile_args t, int64_t rows, int64_t vecs, size_t elem, tile_fn fn)
{
    const tile_args base = t;
    const int row_step = rows > 0 ? tile_rows(rows) : 1;
    for (int64_t v = 0; v < vecs;) {
        const int nv = tile_vecs(row_step, vecs - v);
        t.w = (const uint8_t *)base.w + (size_t)(v * base.wps) * elem;
        if (base.bias) t.bias = base.bias + 16 * v;
        for (int64_t r = 0; r < rows;) {
            const int nr = tile_rows(rows - r);
            t.x = base.x + r * base.xs;
            if (base.acc) t.acc = base.acc + r * base.as + 16 * v;
            if (base.y) t.y = base.y + r * base.ys + 16 * v;
            fn(&t, nr, nv);
            r += nr;
        }
        v += nv;
    }
}

#endif
