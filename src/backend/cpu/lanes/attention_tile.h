/* Attention's own register tile: as tile.h's, with up to eight rows, so that the query heads that share a key (7 or 8 in the largest models)
 * take it from memory once, and with a second stream, asked for ahead: a page is short, and at its end the processor's own prefetching
 * begins anew (measured at one row and 16K positions, Zen 4: a third of the memory's bandwidth without). Each output is one chain of
 * fmaf, k ascending, continued from what `acc` holds. Included after v512.h or v256.h. */
#ifndef R1I_ATTENTION_TILE_H
#define R1I_ATTENTION_TILE_H

#include "backend/cpu/lanes/unroll.h"

/* x[row * xs + k]; vector v of step k at w + k * ldw + v * wps (elements); acc[row * as + 16 v]. What w is in elements, `ahead` is in units
 * of ahead_elem bytes: each load of w asks for the same place there. */
typedef struct attn_tile_args {
    const float *x;
    int64_t xs;
    const uint8_t *w;
    int64_t ldw, wps, k;
    float *acc;
    int64_t as;
    const float *alpha;  /* nullable: row r of acc is multiplied by alpha[r] first */
    bool fresh;          /* acc begins at zero, whatever it holds */
    const uint8_t *ahead;
    int64_t ahead_elem;
    const float *scale;  /* q8. Keys: 16 factors at scale + k / 32 * 16 + v * scale_step; values: one at scale + k * scale_step + v / 2 */
    int64_t scale_step;
} attn_tile_args;

typedef enum attn_tile_kind { ATTN_F32, ATTN_BF16, ATTN_Q8_KEYS, ATTN_Q8_VALUES } attn_tile_kind;
static inline int64_t attn_tile_elem(attn_tile_kind kind) { return kind == ATTN_F32 ? 4 : kind == ATTN_BF16 ? 2 : 1; }

#if defined(__AVX512F__)
enum { ATTN_ROWS = 8, ATTN_TRIOS = 1 };
#else
enum { ATTN_ROWS = 6, ATTN_TRIOS = 0 };
#endif

/* A broadcast takes a port that widening needs as well: 7 rows of two vectors, 14 products, take 16.4 cycles of a Zen 4 with bf16 and 18.2 with q8. As an
 * operand of the product it takes none, but a load more: with these rows so 14.1, and 16.1 (two products of q8 are its factors). */
#if defined(__AVX512F__)
R1I_INLINE bool attn_tile_from_memory(int row, const attn_tile_kind kind)
{
    return kind == ATTN_BF16 ? row >= 2 : kind != ATTN_F32 && row % 2 == 1;
}
R1I_INLINE v16 attn_tile_fma(const float *x, v16 b, v16 c)
{
    __asm__("vfmadd231ps %2%{1to16%}, %1, %0" : "+v"(c) : "v"(b), "m"(*x));
    return c;
}
#else
R1I_INLINE bool attn_tile_from_memory(int row, const attn_tile_kind kind)
{
    (void)row;
    (void)kind;
    return false;
}
R1I_INLINE v16 attn_tile_fma(const float *x, v16 b, v16 c) { return v16_fma(v16_set1(*x), b, c); }
#endif

R1I_INLINE v16 attn_tile_load(const void *p, v16 scale, const attn_tile_kind kind)
{
    if (kind == ATTN_F32) return v16_load((const float *)p);
    if (kind == ATTN_BF16) return v16_bf16((const uint16_t *)p);
    return v16_mul(v16_i8((const int8_t *)p), scale);
}

/* Where in all that a tile lies. Passed by value: a changed copy of the whole struct would be read back before its writes are through. */
typedef struct attn_tile_place {
    const float *x, *alpha, *scale;
    const uint8_t *w, *ahead;
    float *acc;
} attn_tile_place;

/* With ATTN_TRIOS rows lie by threes at a base and an index: a pointer each would leave no registers for the others. The compiler makes pointers of them all
 * the same where it knows that the index stays. Six rows are faster without. */
enum { TRIOS = (ATTN_ROWS + 2) / 3 };
#define HIDE(index) __asm__("" : "+r"(index))

R1I_INLINE void attn_tile_body(const attn_tile_args *t, const attn_tile_place at, const int rows, const int vecs, const attn_tile_kind kind)
{
    v16 c[ATTN_ROWS][4], scale[4];
    const uint8_t *w[4], *ahead[4], *x[TRIOS];
    const int64_t as = t->as, step = t->ldw * attn_tile_elem(kind), ahead_step = t->ldw * t->ahead_elem, n = t->k;
    const int unroll = kind == ATTN_Q8_KEYS ? 4 : 1; /* a line of these holds four steps, and their dims are multiples of 16 */
    const int64_t factors = t->scale_step;
    const float *factor = at.scale;
    int64_t xs = t->xs * 4;
    float *const acc = at.acc;
    R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] = (const uint8_t *)at.x + 3 * i * xs;
    R1I_UNROLL for (int v = 0; v < vecs; v++) {
        w[v] = at.w + v * t->wps * attn_tile_elem(kind);
        scale[v] = v16_zero();
        ahead[v] = at.ahead + v * t->wps * t->ahead_elem;
    }
    if (t->fresh) {
        R1I_UNROLL for (int r = 0; r < rows; r++)
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_zero();
    } else {
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            const v16 by = v16_set1(at.alpha ? at.alpha[r] : 1.0f); /* times 1 is exact */
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_mul(v16_load(acc + r * as + 16 * v), by);
        }
    }
    for (int64_t k = 0; k < n;) {
        if (kind == ATTN_Q8_KEYS)
            R1I_UNROLL for (int v = 0; v < vecs; v++) scale[v] = v16_load(at.scale + k / R1I_Q8_GROUP * 16 + v * t->scale_step);
        const int64_t end = kind == ATTN_Q8_KEYS && n - k > R1I_Q8_GROUP ? k + R1I_Q8_GROUP : n;
        for (; k < end; k += unroll) {
            R1I_UNROLL for (int v = 0; v < vecs; v++)
                if (kind != ATTN_Q8_VALUES || v == 0) __builtin_prefetch(ahead[v] + k * ahead_step, 0, 2);
            R1I_UNROLL for (int u = 0; u < unroll; u++) {
                v16 b[4];
                if (ATTN_TRIOS) HIDE(xs);
                R1I_UNROLL for (int v = 0; v < vecs; v++) {
                    if (kind == ATTN_Q8_VALUES && v % 2 == 0) scale[v] = v16_set1(factor[v / 2]);
                    b[v] = attn_tile_load(w[v] + (k + u) * step, kind == ATTN_Q8_VALUES ? scale[v / 2 * 2] : scale[v], kind);
                }
                R1I_UNROLL for (int r = 0; r < rows; r++) {
                    const float *const q = ATTN_TRIOS ? (const float *)(const void *)(x[r / 3] + r % 3 * xs) : at.x + r * t->xs + k + u;
                    if (attn_tile_from_memory(r, kind)) {
                        R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = attn_tile_fma(q, b[v], c[r][v]);
                    } else {
                        const v16 a = v16_set1(*q);
                        R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_fma(a, b[v], c[r][v]);
                    }
                }
                R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] += 4;
                if (kind == ATTN_Q8_VALUES) factor += factors;
            }
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) v16_store(acc + r * as + 16 * v, c[r][v]);
}

#define ATTN_TILE(r, v) \
    case (r) * 8 + (v): attn_tile_body(t, at, r, v, kind); return;

/* Any shape that attn_tile_vecs() allows. */
R1I_INLINE void attn_tile_switch(const attn_tile_args *t, attn_tile_place at, int rows, int vecs, const attn_tile_kind kind)
{
    switch (rows * 8 + vecs) {
        ATTN_TILE(1, 1) ATTN_TILE(2, 1) ATTN_TILE(3, 1) ATTN_TILE(4, 1) ATTN_TILE(5, 1) ATTN_TILE(6, 1)
        ATTN_TILE(1, 2) ATTN_TILE(2, 2) ATTN_TILE(3, 2) ATTN_TILE(1, 4)
#if defined(__AVX512F__)
        ATTN_TILE(7, 1) ATTN_TILE(8, 1) ATTN_TILE(4, 2) ATTN_TILE(5, 2) ATTN_TILE(6, 2) ATTN_TILE(7, 2) ATTN_TILE(8, 2)
        ATTN_TILE(2, 4) ATTN_TILE(3, 4) ATTN_TILE(4, 4) ATTN_TILE(5, 4) ATTN_TILE(6, 4)
#endif
    default: return;
    }
}
static void attn_tile_f32(const attn_tile_args *t, attn_tile_place at, int rows, int vecs) { attn_tile_switch(t, at, rows, vecs, ATTN_F32); }
static void attn_tile_bf16(const attn_tile_args *t, attn_tile_place at, int rows, int vecs) { attn_tile_switch(t, at, rows, vecs, ATTN_BF16); }
static void attn_tile_q8_keys(const attn_tile_args *t, attn_tile_place at, int rows, int vecs) { attn_tile_switch(t, at, rows, vecs, ATTN_Q8_KEYS); }
static void attn_tile_q8_values(const attn_tile_args *t, attn_tile_place at, int rows, int vecs) { attn_tile_switch(t, at, rows, vecs, ATTN_Q8_VALUES); }
static void attn_tile_any(const attn_tile_args *t, attn_tile_place at, int rows, int vecs, attn_tile_kind kind)
{
    switch (kind) {
    case ATTN_F32: attn_tile_f32(t, at, rows, vecs); return;
    case ATTN_BF16: attn_tile_bf16(t, at, rows, vecs); return;
    case ATTN_Q8_KEYS: attn_tile_q8_keys(t, at, rows, vecs); return;
    case ATTN_Q8_VALUES: attn_tile_q8_values(t, at, rows, vecs); return;
    }
}

/* Vectors to take of `left` beside `rows` rows. */
static inline int attn_tile_vecs(int rows, int64_t left)
{
#if defined(__AVX512F__)
    const int most = rows <= 6 ? 4 : 2;
#elif defined(__aarch64__)
    const int most = rows == 1 ? 4 : rows <= 2 ? 2 : 1;
#else
    const int most = rows == 1 ? 4 : rows <= 3 ? 2 : 1;
#endif
    return left >= 4 && most == 4 ? 4 : left >= 2 && most >= 2 ? 2 : 1;
}

/* All of rows x vecs: vectors outside, so that one slice of w is read from near caches by all rows. */
static inline void attn_tile_all(const attn_tile_args *t, int64_t rows, int64_t vecs, attn_tile_kind kind)
{
    const int64_t tiles = rows <= ATTN_ROWS ? 1 : (rows + 5) / 6; /* as even as possible, so that 14 becomes 5 + 5 + 4; the first is the largest */
    const int64_t largest = tiles == 1 ? rows : (rows + tiles - 1) / tiles;
    for (int64_t v = 0; v < vecs;) {
        const int nv = attn_tile_vecs((int)largest, vecs - v);
        attn_tile_place at = {.w = t->w + v * t->wps * attn_tile_elem(kind), .ahead = t->ahead + v * t->wps * t->ahead_elem};
        if (t->scale) at.scale = t->scale + (kind == ATTN_Q8_KEYS ? v * t->scale_step : v / 2);
        for (int64_t r = 0, left = tiles; r < rows; left--) {
            const int nr = (int)(left == 1 ? rows - r : (rows - r + left - 1) / left);
            at.x = t->x + r * t->xs;
            at.alpha = t->alpha ? t->alpha + r : NULL;
            at.acc = t->acc + r * t->as + 16 * v;
            attn_tile_any(t, at, nr, nv, kind);
            r += nr;
        }
        v += nv;
    }
}

#endif
