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
    const uint8_t *ahead;
    int64_t ahead_elem;
    const float *scale;  /* q8. Keys: 16 factors at scale + k / 32 * 16 + v * scale_step; values: one at scale + k * scale_step + v / 2 */
    int64_t scale_step;
} attn_tile_args;

typedef enum attn_tile_kind { ATTN_F32, ATTN_BF16, ATTN_Q8_KEYS, ATTN_Q8_VALUES } attn_tile_kind;
static inline int64_t attn_tile_elem(attn_tile_kind kind) { return kind == ATTN_F32 ? 4 : kind == ATTN_BF16 ? 2 : 1; }

#if defined(__AVX512F__)
enum { ATTN_ROWS = 8 };
#else
enum { ATTN_ROWS = 6 };
#endif

R1I_INLINE v16 attn_tile_load(const void *p, v16 scale, const attn_tile_kind kind)
{
    if (kind == ATTN_F32) return v16_load((const float *)p);
    if (kind == ATTN_BF16) return v16_bf16((const uint16_t *)p);
    return v16_mul(v16_i8((const int8_t *)p), scale);
}

R1I_INLINE void attn_tile_body(const attn_tile_args *t, const int rows, const int vecs, const attn_tile_kind kind)
{
    v16 c[ATTN_ROWS][4], scale[4];
    const uint8_t *w[4], *ahead[4];
    const int64_t xs = t->xs, step = t->ldw * attn_tile_elem(kind), ahead_step = t->ldw * t->ahead_elem, n = t->k;
    const float *const x = t->x;
    R1I_UNROLL for (int v = 0; v < vecs; v++) {
        w[v] = t->w + v * t->wps * attn_tile_elem(kind);
        scale[v] = v16_zero();
        ahead[v] = t->ahead + v * t->wps * t->ahead_elem;
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_load(t->acc + r * t->as + 16 * v);
    for (int64_t k = 0; k < n; k++) {
        v16 b[4];
        R1I_UNROLL for (int v = 0; v < vecs; v++) {
            if (kind == ATTN_Q8_KEYS && k % R1I_Q8_GROUP == 0) scale[v] = v16_load(t->scale + k / R1I_Q8_GROUP * 16 + v * t->scale_step);
            if (kind == ATTN_Q8_VALUES && v % 2 == 0) scale[v] = v16_set1(t->scale[k * t->scale_step + v / 2]);
            if (kind == ATTN_Q8_VALUES ? v == 0 : kind != ATTN_Q8_KEYS || k % 4 == 0) /* a line holds more than a load */
                __builtin_prefetch(ahead[v] + k * ahead_step, 0, 2);
            b[v] = attn_tile_load(w[v] + k * step, kind == ATTN_Q8_VALUES ? scale[v / 2 * 2] : scale[v], kind);
        }
        R1I_UNROLL for (int r = 0; r < rows; r++) {
            const v16 a = v16_set1(x[r * xs + k]);
            R1I_UNROLL for (int v = 0; v < vecs; v++) c[r][v] = v16_fma(a, b[v], c[r][v]);
        }
    }
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int v = 0; v < vecs; v++) v16_store(t->acc + r * t->as + 16 * v, c[r][v]);
}

#define ATTN_TILE(r, v) \
    case (r) * 8 + (v): attn_tile_body(t, r, v, kind); return;

/* Any shape that attn_tile_vecs() allows. */
R1I_INLINE void attn_tile_switch(const attn_tile_args *t, int rows, int vecs, const attn_tile_kind kind)
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
static void attn_tile_f32(const attn_tile_args *t, int rows, int vecs) { attn_tile_switch(t, rows, vecs, ATTN_F32); }
static void attn_tile_bf16(const attn_tile_args *t, int rows, int vecs) { attn_tile_switch(t, rows, vecs, ATTN_BF16); }
static void attn_tile_q8_keys(const attn_tile_args *t, int rows, int vecs) { attn_tile_switch(t, rows, vecs, ATTN_Q8_KEYS); }
static void attn_tile_q8_values(const attn_tile_args *t, int rows, int vecs) { attn_tile_switch(t, rows, vecs, ATTN_Q8_VALUES); }
static void attn_tile_any(const attn_tile_args *t, int rows, int vecs, attn_tile_kind kind)
{
    switch (kind) {
    case ATTN_F32: attn_tile_f32(t, rows, vecs); return;
    case ATTN_BF16: attn_tile_bf16(t, rows, vecs); return;
    case ATTN_Q8_KEYS: attn_tile_q8_keys(t, rows, vecs); return;
    case ATTN_Q8_VALUES: attn_tile_q8_values(t, rows, vecs); return;
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
static inline void attn_tile_all(attn_tile_args t, int64_t rows, int64_t vecs, attn_tile_kind kind)
{
    const attn_tile_args base = t;
    const int64_t tiles = rows <= ATTN_ROWS ? 1 : (rows + 5) / 6; /* as even as possible, so that 14 becomes 5 + 5 + 4; the first is the largest */
    for (int64_t v = 0; v < vecs;) {
        const int nv = attn_tile_vecs((int)((rows + tiles - 1) / tiles), vecs - v);
        t.w = base.w + v * base.wps * attn_tile_elem(kind);
        if (base.scale) t.scale = base.scale + (kind == ATTN_Q8_KEYS ? v * base.scale_step : v / 2);
        t.ahead = base.ahead + v * base.wps * base.ahead_elem;
        for (int64_t r = 0, left = tiles; r < rows; left--) {
            const int nr = (int)((rows - r + left - 1) / left);
            t.x = base.x + r * base.xs;
            t.acc = base.acc + r * base.as + 16 * v;
            attn_tile_any(&t, nr, nv, kind);
            r += nr;
        }
        v += nv;
    }
}

#endif
