/* A span of 256 columns of 16 outputs as a tile: unpacked once, then multiplied with many rows of activations from the
 * first-level cache. Also what the products need to know of rows and types. Static functions only; the includer chooses
 * TILE_WIDE_BIAS (quant_group.h). */
#ifndef R1I_QUANT_TILE_H
#define R1I_QUANT_TILE_H

#include "backend/cpu/kernels.h"
#include "backend/cpu/lanes/quant_group.h"

enum { TILE_PANELS = 2 };

/* Lane n byte t of vector 8 g + i of q is column 32 g + 4 i + t of output n, plus the type's offset. scale and min
 * belong to groups of 32 (entry g), or of 16 (entry 2 g + half). */
typedef struct quant_tile {
    _Alignas(64) uint32_t q[TILE_K / 4 * LANES];
    float scale[16][LANES];
    float min[16][LANES];
} quant_tile;

/* 8-bit activations from some row and column on. */
typedef struct q8_rows {
    const int8_t *q;      /* stride cols */
    const float *d;       /* stride cols / 32 */
    const int32_t *sum16; /* stride cols / 16 */
    int64_t cols;
    int groups;           /* of 32 columns in this step */
    int first;            /* the tile's group that they begin with */
    const uint8_t *fine;  /* stride 1: groups with fine terms */
    int64_t fine_stride;  /* rows from one group's fine terms to the next one's */
    const int8_t *fine_q; /* group g of a row: at (g * fine_stride + row) * 32, fine_d * 1, fine_sum16 * 2 */
    const float *fine_d;
    const int32_t *fine_sum16;
    const uint8_t *ahead; /* few rows: the span of weights to ask for meanwhile (group_ahead); from tiles: the first
                           * line that is yet to be asked for */
    int64_t ahead_bytes;  /* from tiles: as much with each group, of each panel; 0: nothing */
    int64_t ahead_stride; /* ... and from one panel to the next */
} q8_rows;

/* Sums of one row, a vector a panel. */
typedef float acc_row[TILE_PANELS][LANES];

/* The eight vectors of group g. */
static inline uint32_t *tile_group(quant_tile *t, int g) { return t->q + 8 * LANES * g; }

#if defined(__AVX512VBMI__)
#include "backend/cpu/avx512/codebook512.h"
#define CODEBOOK_TILE tile_codebook_512
#else
#include "backend/cpu/lanes/quant_codebook.h"
#define CODEBOOK_TILE tile_codebook
#endif

R1I_INLINE void unpack_group(const r1_dtype type, const span_head *h, const uint8_t *b, int g, quant_tile *restrict t)
{
    const tile_kind kind = tile_kind_of(type);
    const int parts = kind_parts(kind);
    R1I_UNROLL for (int i = 0; i < 8; i++) w16_store(tile_group(t, g) + LANES * i, group_vector(type, b, g, i));
    R1I_UNROLL for (int at = parts * g; at < parts * (g + 1); at++) {
        v16_store(t->scale[at], group_scale(type, h, b, at));
        if (kind_has_min(kind)) v16_store(t->min[at], group_min(type, h, b, at));
    }
}

R1I_INLINE void unpack_span(const r1_dtype type, const uint8_t *b, int groups, quant_tile *restrict t)
{
    span_head h;
    head_read(type, b, &h);
    if (!group_of_k(type)) {
        for (int g = 0; g < groups; g++) unpack_group(type, &h, b, g, t);
    } else {
        R1I_UNROLL for (int g = 0; g < TILE_GROUPS; g++) unpack_group(type, &h, b, g, t);
    }
}

/* Panel bytes of up to 256 columns (`groups` groups of 32) to a tile. */
static __attribute__((noinline)) void tile_unpack(r1_dtype type, const uint8_t *b, int groups, quant_tile *restrict t)
{
    switch (type) {
#define CASE(name) case R1_DTYPE_##name: unpack_span(R1_DTYPE_##name, b, groups, t); return;
    GROUP_TYPES(CASE)
#undef CASE
#define CASE(name) case R1_DTYPE_##name: CODEBOOK_TILE(R1_DTYPE_##name, b, t); return;
    CODEBOOK_TYPES(CASE)
#undef CASE
    default: return;
    }
}

#endif
