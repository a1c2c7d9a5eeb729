/* Attention's own register tile: as tile.h's, with up to eight rows, so that the query heads that share a key (7 or 8
 * in the largest models) take it from memory once, and with a second stream, asked for ahead: a page is short, and at
 * its end the processor's own prefetching begins anew (measured at one row and 16K positions, Zen 4: a third of the
 * memory's bandwidth without). Each output is one chain of fmaf, k ascending, continued from what `acc` holds. Included
 * after v512.h or v256.h. */
#ifndef R1I_ATTENTION_TILE_H
#define R1I_ATTENTION_TILE_H

#include "backend/cpu/lanes/unroll.h"

/* x[row * xs + k]; vector v of step k at w + k * ldw + v * wps (elements); acc[row * as + 16 v]. Of the k * 16 * vecs *
 * ahead_elem bytes at `ahead` each step asks for the next ones: evenly, in the order of their addresses. */
typedef struct attn_tile_args {
    const float *x;
    int64_t xs;          /* q8: R1I_PAGE, and vectors lie one after the other */
    int64_t group_step;  /* q8: vectors 2 g and 2 g + 1 are multiplied by x + g * group_step */
    const uint8_t *w;
    int64_t ldw, wps, k;
    float *acc;
    int64_t as;
    const float *alpha;  /* nullable: row r of acc is multiplied by alpha[r] first */
    bool fresh;          /* acc begins at zero, whatever it holds */
    const uint8_t *ahead;
    int64_t ahead_elem;
    const uint8_t *also; /* q8: each step asks for a place here too, also_step further on */
    int64_t also_step;
} attn_tile_args;

typedef enum attn_tile_kind { ATTN_F32, ATTN_BF16, ATTN_Q8 /* values */ } attn_tile_kind;
static inline int64_t attn_tile_elem(attn_tile_kind kind) { return kind == ATTN_F32 ? 4 : kind == ATTN_BF16 ? 2 : 1; }

#if defined(__AVX512F__)
enum { ATTN_ROWS = 8, ATTN_TRIOS = 1 };
#else
enum { ATTN_ROWS = 6, ATTN_TRIOS = 0 };
#endif

/* A broadcast takes a port of a Zen 4 that widening needs as well: 7 rows of two vectors, 14 products, take 16.4 cycles
 * with bf16. As an operand of the product it takes none, but a load more: with these rows so 14.1 (q8, while two
 * factors were among its products, 18.2 and 16.1). A Zen 5 (R1I_CPU_NEAR) broadcasts where it loads, and loads are what
 * is short there: operands take 7.6 cycles, broadcasts 7.4. It also wants f32 and q8 asked for a page ahead and not
 * half a page (tokens at 16,384 positions 0.93 and 0.985 of the time), but not bf16 (1.01 to 1.03), and MLA's keys
 * eight rows ahead (0.99 of a token of the random R1 where memory is fast). */
#if defined(R1I_ATTN_NEAR)
enum { ATTN_PAGE_AHEAD = 1, ATTN_ROWS_AHEAD = 1, ATTN_ASKS_BESIDE = 0 /* asks.h */ };
#else
enum { ATTN_PAGE_AHEAD = 0, ATTN_ROWS_AHEAD = 0, ATTN_ASKS_BESIDE = 1 };
#endif
#if defined(__AVX512F__) && !defined(R1I_ATTN_NEAR)
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

/* q8: the integers. */
R1I_INLINE v16 attn_tile_load(const void *p, const attn_tile_kind kind)
{
    if (kind == ATTN_F32) return v16_load((const float *)p);
    if (kind == ATTN_BF16) return v16_bf16((const uint16_t *)p);
    return v16_i8((const int8_t *)p);
}

/* Where in all that a tile lies. */
typedef struct attn_tile_place {
    const float *x, *alpha;
    const uint8_t *w, *ahead, *also;
    float *acc;
} attn_tile_place;

/* Where there are registers for the sums of seven rows, those for pointers are what is short: a pointer each for rows,
 * vectors and the places of sums lived in vector registers, and the way back from there waits behind the products of
 * the tile before. So rows lie by threes and vectors by twos at a base and an index, and the sums' places are counted.
 * The compiler makes pointers of them all the same unless it is kept from seeing what they are. */
enum { TRIOS = (ATTN_ROWS + 2) / 3 };
#define HIDE(index) \
    if (ATTN_TRIOS) __asm__("" : "+r"(index))

R1I_INLINE void attn_tile_start(const attn_tile_args *t, const attn_tile_place at, const int rows, const int vecs,
                                v16 c[ATTN_ROWS][4])
{
    if (t->fresh) {
        R1I_UNROLL for (int r = 0; r < rows; r++)
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_zero();
        return;
    }
    const float *acc = at.acc;
    R1I_UNROLL for (int r = 0; r < rows; r++) {
        const v16 by = v16_set1(at.alpha ? at.alpha[r] : 1.0f); /* times 1 is exact */
        R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_mul(v16_load(acc + 16 * v), by);
        acc += t->as;
        HIDE(acc);
    }
}

/* One step of row r. Of q8's values two vectors have the same x. */
R1I_INLINE void attn_tile_row(const float *x, int64_t group_step, const int vecs, const int r,
                              const attn_tile_kind kind, const v16 b[4], v16 c[4])
{
    const int alike = kind == ATTN_Q8 ? 2 : 4;
    v16 a = v16_zero();
    R1I_UNROLL for (int v = 0; v < vecs; v++) {
        const float *const at = x + v / 2 * (alike == 2 ? group_step : 0);
        if (attn_tile_from_memory(r, kind)) {
            c[v] = attn_tile_fma(at, b[v], c[v]);
        } else {
            if (v % alike == 0) a = v16_set1(*at);
            c[v] = v16_fma(a, b[v], c[v]);
        }
    }
}

R1I_INLINE void attn_tile_body(const attn_tile_args *t, const attn_tile_place at, const int rows, const int vecs,
                               const attn_tile_kind kind)
{
    v16 c[ATTN_ROWS][4];
    const bool q8 = kind == ATTN_Q8;
    const int64_t elem = attn_tile_elem(kind), step = t->ldw * elem, line = 64 / elem;
    const int64_t read = vecs * 16, asks = read > line ? read / line : 1;
    const int64_t ahead_line = line * t->ahead_elem, ahead_step = read * t->ahead_elem;
    int64_t xs = q8 ? R1I_PAGE * 4 : t->xs * 4, wps = q8 ? 16 : t->wps * elem;
    const uint8_t *w[2], *x[TRIOS], *ahead = at.ahead, *also = at.also;
    float *acc = at.acc;
    if (!q8) {
        HIDE(xs);
        HIDE(wps);
    }
    R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] = (const uint8_t *)at.x + 3 * i * xs;
    R1I_UNROLL for (int i = 0; i < (vecs + 1) / 2; i++) w[i] = at.w + 2 * i * wps;
    attn_tile_start(t, at, rows, vecs, c);
    for (int64_t left = t->k; left > 0; left--) {
        v16 b[4];
        R1I_UNROLL for (int i = 0; i < asks; i++) __builtin_prefetch(ahead + i * ahead_line, 0, 2);
        ahead += ahead_step;
        if (q8 && ATTN_ASKS_BESIDE) {
            __builtin_prefetch(also, 0, 2);
            also += t->also_step;
        }
        R1I_UNROLL for (int v = 0; v < vecs; v++) b[v] = attn_tile_load(w[v / 2] + v % 2 * wps, kind);
        R1I_UNROLL for (int r = 0; r < rows; r++)
            attn_tile_row((const float *)(const void *)(x[r / 3] + r % 3 * xs), t->group_step, vecs, r, kind, b, c[r]);
        R1I_UNROLL for (int i = 0; i < (rows + 2) / 3; i++) x[i] += 4;
        R1I_UNROLL for (int i = 0; i < (vecs + 1) / 2; i++) w[i] += step;
    }
    HIDE(acc);
    R1I_UNROLL for (int r = 0; r < rows; r++) {
        R1I_UNROLL for (int v = 0; v < vecs; v++) v16_store(acc + 16 * v, c[r][v]);
        acc += t->as;
        HIDE(acc);
    }
}

#define ATTN_TILE(r, v) \
    case (r) * 8 + (v): attn_tile_body(t, at, r, v, kind); break;

/* Any shape that attn_tile_vecs() allows. */
R1I_INLINE void attn_tile_switch(const attn_tile_args *t, attn_tile_place at, int rows, int vecs,
                                 const attn_tile_kind kind)
{
    switch (rows * 8 + vecs) {
        ATTN_TILE(1, 1) ATTN_TILE(2, 1) ATTN_TILE(3, 1) ATTN_TILE(4, 1) ATTN_TILE(5, 1) ATTN_TILE(6, 1)
        ATTN_TILE(1, 2) ATTN_TILE(2, 2) ATTN_TILE(3, 2) ATTN_TILE(1, 4)
#if defined(__AVX512F__)
        ATTN_TILE(7, 1) ATTN_TILE(8, 1) ATTN_TILE(4, 2) ATTN_TILE(5, 2) ATTN_TILE(6, 2) ATTN_TILE(7, 2) ATTN_TILE(8, 2)
        ATTN_TILE(2, 4) ATTN_TILE(3, 4) ATTN_TILE(4, 4) ATTN_TILE(5, 4) ATTN_TILE(6, 4)
#endif
    default: break;
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

/* Slices of `vecs` beside `rows` rows, of which one tile takes all; each has k steps. */
static inline int64_t attn_tile_slices(int rows, int64_t vecs)
{
    int64_t slices = 0;
    for (int64_t v = 0; v < vecs; slices++) v += attn_tile_vecs(rows, vecs - v);
    return slices;
}

/* All of rows x vecs: vectors outside, so that one slice of w is read from near caches by all rows. One function a
 * kind, in which a tile's places are registers: handed on in a struct, they were read back from memory behind the last
 * tile's sums. */
R1I_INLINE void attn_tiles(const attn_tile_args *t, int64_t rows, int64_t vecs, const attn_tile_kind kind)
{
    const int64_t tiles = rows <= ATTN_ROWS ? 1 : (rows + 5) / 6; /* as even as possible, so that 14 becomes 5 + 5 + 4;
                                                                   * the first is the largest */
    const int64_t largest = tiles == 1 ? rows : (rows + tiles - 1) / tiles;
    for (int64_t v = 0, slice = 0; v < vecs; slice++) {
        const int nv = attn_tile_vecs((int)largest, vecs - v);
        attn_tile_place at = {.w = t->w + v * t->wps * attn_tile_elem(kind),
                              .ahead = t->ahead + v * 16 * t->k * t->ahead_elem,
                              .also = t->also ? t->also + slice * t->k * t->also_step : NULL};
        for (int64_t r = 0, left = tiles; r < rows; left--) {
            const int nr = (int)(left == 1 ? rows - r : (rows - r + left - 1) / left);
            at.x = t->x + r * t->xs + (kind == ATTN_Q8 ? v / 2 * t->group_step : 0);
            at.alpha = t->alpha ? t->alpha + r : NULL;
            at.acc = t->acc + r * t->as + 16 * v;
            attn_tile_switch(t, at, nr, nv, kind);
            r += nr;
        }
        v += nv;
    }
}
static void attn_tiles_f32(const attn_tile_args *t, int64_t rows, int64_t vecs) { attn_tiles(t, rows, vecs, ATTN_F32); }
static void attn_tiles_bf16(const attn_tile_args *t, int64_t rows, int64_t vecs)
{
    attn_tiles(t, rows, vecs, ATTN_BF16);
}
static void attn_tiles_q8(const attn_tile_args *t, int64_t rows, int64_t vecs) { attn_tiles(t, rows, vecs, ATTN_Q8); }
static inline void attn_tile_all(const attn_tile_args *t, int64_t rows, int64_t vecs, attn_tile_kind kind)
{
    switch (kind) {
    case ATTN_F32: attn_tiles_f32(t, rows, vecs); return;
    case ATTN_BF16: attn_tiles_bf16(t, rows, vecs); return;
    case ATTN_Q8: attn_tiles_q8(t, rows, vecs); return;
    }
}

#endif
