/* Products with f32, f16, bf16 and fp8 panels over sixteen lanes. Few rows stream the panels, decoding in registers,
 * several panels side by side because each output is one chain of dependent fmaf; more rows decode a slice of K once
 * into a buffer that stays in the near caches and pass register tiles over it. Both give the chain of op/table.h. */
#ifndef R1I_LINEAR_BODY_H
#define R1I_LINEAR_BODY_H

#include "backend/cpu/lanes/tile.h"

enum {
    SLICE = 256,      /* k decoded at a time: 4 panels x 256 x 64 bytes = 64 KiB, in L2, a quarter of it in L1 */
    GROUP = 4,        /* panels passed together */
    CHUNK_ROWS = 192, /* rows whose sums are kept: 48 KiB; a decoded slice is used this often */
    FAR_PANELS = 512 * 1024, /* weights: more do not stay in a second-level cache beside x and y */
    /* up to here decoding again for each register tile costs less than the buffer; four times as many */
    FEW_ROWS = 12,
    NEAR_COLS = 4096, /* ... for two-byte types with so few columns that a group of panels stays in L2 */
    TILE_FEW = 4,     /* rows of such a tile: 16 of 32, or 8 of 16 registers hold sums */
    /* R1I_CPU_NEAR: of all streams together, into the first-level cache; fp8's four want more (tokens of the random R1
     * with 6, 8, 10, 12 KB: 1.07, 1, 0.974, 0.977 of the time where memory is fast, 8, 9, 10, 12 KB: 1, 1.006, 1.014,
     * 1.022 where it is slow) */
    NEAR_LEAD = 8192,
    NEAR_LEAD_F8 = 10240,
    /* One row asks memory for what it reads LEAD bytes later in each stream, into the second-level cache: the streams
     * end after some ten pages, and the processor learns each anew. Matrices of half a megabyte in random order: 19 to
     * 23 GB/s a core. */
#if defined(__AVX512F__)
    STREAMS = 8,      /* panels side by side for one row: covers the latency of fmaf */
    STREAMS_FEW = 4,  /* for several rows */
    LEAD = 4096
#elif defined(__aarch64__)
    STREAMS = 4,
    STREAMS_FEW = 1,
    LEAD = 0
#else
    STREAMS = 4,
    STREAMS_FEW = 1,
    LEAD = 4096
#endif
};

/* ---- finishing: bias, residual, outputs that exist --------------------------------------------------------------- */

static inline void finish_vector(const r1i_linear_job *job, int64_t row, int64_t panel, v16 v)
{
    const int64_t n = job->w->rows - panel * 16;
    float *const y = job->y.p + row * job->y.stride + panel * 16;
    if (n >= 16) {
        if (job->bias) v = v16_add(v, v16_load(job->bias + panel * 16));
        v16_store(y, job->add ? v16_add(v16_load(y), v) : v);
    } else {
        if (job->bias) v = v16_add(v, v16_load_n(job->bias + panel * 16, n));
        v16_store_n(y, job->add ? v16_add(v16_load_n(y, n), v) : v, n);
    }
}

/* ---- few rows ---------------------------------------------------------------------------------------------------- */

typedef struct stream {
    const float *x;
    int64_t xs;
    const uint8_t *w;   /* first panel */
    int64_t end;        /* bytes from w to the end of the matrix */
    int64_t stride;     /* bytes a panel */
    int64_t cols;
    const float *scale[STREAMS];
    bool near;          /* one row: R1I_CPU_NEAR (stream_near) */
    int64_t lead;       /* one row: how far ahead each stream asks */
} stream;

/* acc[r * STREAMS + p] is the sum of row r and panel p. */
R1I_INLINE void stream_step(const stream *s, const int rows, const int np, v16 *acc, int64_t k, int p, v16 w)
{
    (void)np;
    R1I_UNROLL for (int r = 0; r < rows; r++)
        acc[r * STREAMS + p] = v16_fma(v16_set1(s->x[r * s->xs + k]), w, acc[r * STREAMS + p]);
}

/* The line of the first of np panels to ask for when byte `at` of each is read, in these panels or in those behind
 * them; the others lie a stride apart. At the matrix' end it stays where it is: who hands out the items asks for the
 * next one's beginning. */
R1I_INLINE const uint8_t *ahead(const stream *s, const int np, int64_t at)
{
    int64_t to = at + s->lead;
    if (to >= s->stride) to += (np - 1) * s->stride;
    return s->w + (to < s->end ? to : at);
}
R1I_INLINE void ask(const stream *s, const int rows, const uint8_t *line, int p)
{
    if (rows > 1 || s->lead == 0) return;
    if (s->near) __builtin_prefetch(line + p * s->stride, 0, 3);
    else __builtin_prefetch(line + p * s->stride, 0, 2);
}

R1I_INLINE void stream_f32(const stream *s, const int rows, const int np, v16 *acc)
{
    for (int64_t k = 0; k < s->cols; k++) {
        const uint8_t *const later = ahead(s, np, k * 64);
        R1I_UNROLL for (int p = 0; p < np; p++) {
            ask(s, rows, later, p);
            stream_step(s, rows, np, acc, k, p, v16_load((const float *)(const void *)(s->w + p * s->stride + k * 64)));
        }
    }
}

R1I_INLINE void stream_pairs(const stream *s, const int rows, const int np, v16 *acc, const bool f16)
{
    const int64_t pairs = s->cols / 2;
    for (int64_t k = 0; k < pairs; k++) {
        const uint8_t *const later = ahead(s, np, k * 64);
        R1I_UNROLL for (int p = 0; p < np; p++) {
            v16 w0, w1;
            ask(s, rows, later, p);
            const uint8_t *const line = s->w + p * s->stride + k * 64;
            if (AHEAD > 0 && rows > 1) __builtin_prefetch(line + AHEAD, 0, 3);
            if (f16) v16_pair_f16(line, &w0, &w1);
            else v16_pair_bf16(line, &w0, &w1);
            stream_step(s, rows, np, acc, 2 * k, p, w0);
            stream_step(s, rows, np, acc, 2 * k + 1, p, w1);
        }
    }
    if (s->cols % 2 == 0) return;
    R1I_UNROLL for (int p = 0; p < np; p++) {
        v16 w0, w1;
        if (f16) v16_pair_f16(s->w + p * s->stride + pairs * 64, &w0, &w1);
        else v16_pair_bf16(s->w + p * s->stride + pairs * 64, &w0, &w1);
        stream_step(s, rows, np, acc, s->cols - 1, p, w0);
    }
}

/* The 2^120 that v16_quad_f8 leaves out is folded into the scale: exact, as scales_fold() saw to it, so
 * e4m3 * scale is still rounded once. */
R1I_INLINE void stream_f8(const stream *s, const int rows, const int np, v16 *acc)
{
    for (int64_t k0 = 0; k0 < s->cols; k0 += 128) {
        v16 scale[STREAMS];
        R1I_UNROLL for (int p = 0; p < np; p++) scale[p] = v16_set1(s->scale[p][k0 / 128] * 0x1p120f);
        const int64_t end = s->cols - k0 < 128 ? s->cols : k0 + 128;
        int64_t k = k0;
        for (; k + 4 <= end; k += 4) {
            const uint8_t *const later = ahead(s, np, k * 16);
            R1I_UNROLL for (int p = 0; p < np; p++) {
                v16 w[4];
                ask(s, rows, later, p);
                if (AHEAD > 0 && rows > 1) __builtin_prefetch(s->w + p * s->stride + k * 16 + AHEAD, 0, 3);
                v16_quad_f8(s->w + p * s->stride + k * 16, w);
                R1I_UNROLL for (int i = 0; i < 4; i++) stream_step(s, rows, np, acc, k + i, p, v16_mul(w[i], scale[p]));
            }
        }
        if (k == end) continue;
        R1I_UNROLL for (int p = 0; p < np; p++) {
            v16 w[4];
            v16_quad_f8(s->w + p * s->stride + k * 16, w);
            for (int64_t i = 0; i < end - k; i++) stream_step(s, rows, np, acc, k + i, p, v16_mul(w[i], scale[p]));
        }
    }
}

/* Whether every scale times 2^120 stays finite. */
static bool scales_fold(const r1i_weight *w)
{
    const int64_t n = ((w->rows + 127) / 128) * ((w->cols + 127) / 128);
    bool ok = true;
    for (int64_t i = 0; i < n; i++) ok &= w->scale[i] < 128.0f && w->scale[i] > -128.0f;
    return ok;
}

R1I_INLINE void stream_panels(const r1i_linear_job *job, int64_t r0, int64_t p0, const int rows, const int np,
                              const r1_dtype type, const bool near)
{
    const r1i_weight *const w = job->w;
    const r1i_mat x = job->x->x;
    stream s = {.x = x.p + r0 * x.stride, .xs = x.stride, .stride = (int64_t)r1i_panel_stride(type, w->cols),
                .cols = w->cols, .near = near,
                .lead = !near ? LEAD : (type == R1_DTYPE_F8_E4M3 ? NEAR_LEAD_F8 : NEAR_LEAD) / np};
    s.w = w->data + p0 * s.stride;
    s.end = ((w->rows + 15) / 16 - p0) * s.stride;
    v16 acc[TILE_FEW * STREAMS];
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < np; p++) acc[r * STREAMS + p] = v16_zero();
    if (type == R1_DTYPE_F8_E4M3)
        R1I_UNROLL for (int p = 0; p < np; p++) s.scale[p] = w->scale + (p0 + p) / 8 * ((w->cols + 127) / 128);
    if (type == R1_DTYPE_F32) stream_f32(&s, rows, np, acc);
    else if (type == R1_DTYPE_F8_E4M3) stream_f8(&s, rows, np, acc);
    else stream_pairs(&s, rows, np, acc, type == R1_DTYPE_F16);
    R1I_UNROLL for (int r = 0; r < rows; r++)
        R1I_UNROLL for (int p = 0; p < np; p++) finish_vector(job, r0 + r, p0 + p, acc[r * STREAMS + p]);
}

/* Panels [p, p + np) against all rows, four or three at a time. */
R1I_INLINE void stream_rows(const r1i_linear_job *job, int64_t p, const int np, const r1_dtype type)
{
    const int64_t rows = job->x->x.rows;
    for (int64_t r = 0; r < rows;) {
        const int64_t tiles = (rows - r + TILE_FEW - 1) / TILE_FEW, n = (rows - r + tiles - 1) / tiles;
        switch (n) {
        case 1: stream_panels(job, r, p, 1, np, type, false); break;
        case 2: stream_panels(job, r, p, 2, np, type, false); break;
        case 3: stream_panels(job, r, p, 3, np, type, false); break;
        default: stream_panels(job, r, p, 4, np, type, false); break;
        }
        r += n;
    }
}

R1I_INLINE void stream_all(const r1i_linear_job *job, int64_t p0, int64_t p1, const r1_dtype type)
{
    if (job->x->x.rows > 1) {
        for (; p0 + STREAMS_FEW <= p1; p0 += STREAMS_FEW) stream_rows(job, p0, STREAMS_FEW, type);
        for (; p0 < p1; p0++) stream_rows(job, p0, 1, type);
        return;
    }
    for (; p0 + STREAMS <= p1; p0 += STREAMS) stream_panels(job, 0, p0, 1, STREAMS, type, false);
    for (; p0 + 2 <= p1; p0 += 2) stream_panels(job, 0, p0, 1, 2, type, false);
    if (p0 < p1) stream_panels(job, 0, p0, 1, 1, type, false);
}

/* One row where a core reads best what it asked for: few streams, so that each asks far enough ahead for the near
 * cache to hold all. fp8 needs four, or its chains wait for each other. */
R1I_INLINE void stream_near(const r1i_linear_job *job, int64_t p0, int64_t p1, const r1_dtype type)
{
    const int np = type == R1_DTYPE_F8_E4M3 ? 4 : 2;
    for (; p0 + np <= p1; p0 += np) stream_panels(job, 0, p0, 1, np, type, true);
    for (; p0 < p1; p0++) stream_panels(job, 0, p0, 1, 1, type, true);
}

/* ---- many rows --------------------------------------------------------------------------------------------------- */

/* k in [k0, k0 + n) of one panel as f32, [n][16]; k0 is a multiple of SLICE. */
typedef void (*decode_fn)(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k0, int64_t n, float *out);

R1I_INLINE void decode_pairs(const uint8_t *data, int64_t k0, int64_t n, float *out, const bool f16)
{
    for (int64_t k = 0; k < n; k += 2) {
        v16 w0, w1;
        if (f16) v16_pair_f16(data + (k0 + k) * 32, &w0, &w1);
        else v16_pair_bf16(data + (k0 + k) * 32, &w0, &w1);
        v16_store(out + k * 16, w0);
        v16_store(out + k * 16 + 16, w1); /* past an odd end: the buffer is even */
    }
}
static void decode_f16(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k0, int64_t n, float *out)
{
    (void)w, (void)panel;
    decode_pairs(data, k0, n, out, true);
}
static void decode_bf16(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k0, int64_t n, float *out)
{
    (void)w, (void)panel;
    decode_pairs(data, k0, n, out, false);
}
static void decode_f8(const r1i_weight *w, int64_t panel, const uint8_t *data, int64_t k0, int64_t n, float *out)
{
    const float *const scale = w->scale + panel / 8 * ((w->cols + 127) / 128);
    const v16 lift = v16_set1(0x1p120f);
    for (int64_t k = 0; k < n; k += 4) { /* 4 divides 128, so one scale; rounding up reads the panel's own zeros */
        const v16 s = v16_set1(scale[(k0 + k) / 128]);
        v16 q[4];
        v16_quad_f8(data + (k0 + k) * 16, q);
        for (int i = 0; i < 4; i++) v16_store(out + (k + i) * 16, v16_mul(v16_mul(q[i], lift), s));
    }
}

/* Rows [r0, r0 + rows) against panels [p0, p0 + np). decode NULL: f32 panels are used where they lie. */
static void chunk(const r1i_linear_job *job, int64_t p0, int64_t np, int64_t r0, int64_t rows, decode_fn decode)
{
    _Alignas(64) float acc[CHUNK_ROWS * GROUP * 16], slice[GROUP * SLICE * 16];
    const r1i_weight *const w = job->w;
    const int64_t stride = (int64_t)r1i_panel_stride(w->type, w->cols);
    const r1i_mat x = job->x->x;
    const bool whole = w->rows - p0 * 16 >= np * 16; /* no panel is partly padding: the last slice's tiles write y */
    for (int64_t k0 = 0; k0 < w->cols; k0 += SLICE) {
        const int64_t n = w->cols - k0 < SLICE ? w->cols - k0 : SLICE;
        tile_args t = {.x = x.p + r0 * x.stride + k0, .xs = x.stride, .ldw = 16, .k = n, .acc = acc, .as = GROUP * 16,
                       .fresh = k0 == 0};
        if (whole && k0 + n == w->cols) {
            t.y = job->y.p + r0 * job->y.stride + p0 * 16;
            t.ys = job->y.stride;
            t.bias = job->bias ? job->bias + p0 * 16 : NULL;
            t.add = job->add;
        }
        if (decode) {
            for (int64_t p = 0; p < np; p++)
                decode(w, p0 + p, w->data + (p0 + p) * stride, k0, n, slice + p * SLICE * 16);
            t.w = slice;
            t.wps = SLICE * 16;
        } else {
            t.w = w->data + p0 * stride + k0 * 64;
            t.wps = stride / (int64_t)sizeof(float);
        }
        tile_all(t, rows, np, sizeof(float), tile_f32);
    }
    for (int64_t r = 0; r < rows && !whole; r++)
        for (int64_t p = 0; p < np; p++) finish_vector(job, r0 + r, p0 + p, v16_load(acc + (r * GROUP + p) * 16));
}

/* Rows outside: x and y pass through the near caches once, the panels once for each chunk of rows. Not where the panels
 * come from memory while x is small. */
static void many_rows(const r1i_linear_job *job, int64_t p0, int64_t p1, decode_fn decode)
{
    const int64_t rows = job->x->x.rows, panels = (p1 - p0) * 16;
    const int64_t wide = panels * job->w->cols > FAR_PANELS && panels > rows ? GROUP
        : (p1 - p0 + GROUP - 1) / GROUP * GROUP;
    for (; p0 < p1; p0 += wide)
        for (int64_t r0 = 0; r0 < rows; r0 += CHUNK_ROWS)
            for (int64_t p = p0, end = p1 - p0 < wide ? p1 : p0 + wide, n; p < end; p += n) {
                const int64_t groups = (end - p + GROUP - 1) / GROUP;
                n = (end - p + groups - 1) / groups; /* as even as possible: 13 are 4, 3, 3, 3 */
                chunk(job, p, n, r0, rows - r0 < CHUNK_ROWS ? rows - r0 : CHUNK_ROWS, decode);
            }
}

/* ---- the kernels ------------------------------------------------------------------------------------------------- */

static void linear_f32(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows <= FEW_ROWS) stream_all(job, p0, p1, R1_DTYPE_F32);
    else many_rows(job, p0, p1, NULL);
}
static bool few_rows(const r1i_linear_job *job)
{
    return job->x->x.rows <= (job->w->cols <= NEAR_COLS ? 4 * FEW_ROWS : FEW_ROWS);
}
static void linear_f16(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (few_rows(job)) stream_all(job, p0, p1, R1_DTYPE_F16);
    else many_rows(job, p0, p1, decode_f16);
}
static void linear_bf16_weights(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (few_rows(job)) stream_all(job, p0, p1, R1_DTYPE_BF16);
    else many_rows(job, p0, p1, decode_bf16);
}
static void linear_f8(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows <= FEW_ROWS && scales_fold(job->w)) stream_all(job, p0, p1, R1_DTYPE_F8_E4M3);
    else many_rows(job, p0, p1, decode_f8);
}

/* compute bf16 without bf16 hardware: both factors rounded to bf16, then the chain of fmaf. A chunk of rows is expanded
 * to f32 and takes the way of f32 activations. */
static void linear_bf16_chain(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const r1i_act *const a = job->x;
    for (; p0 < p1; p0 += GROUP) {
        const int64_t np = p1 - p0 < GROUP ? p1 - p0 : GROUP;
        for (int64_t r = 0; r < a->x.rows; r += TILE_ROWS) {
            const int64_t rows = a->x.rows - r < TILE_ROWS ? a->x.rows - r : TILE_ROWS;
            _Alignas(64) float acc[TILE_ROWS * GROUP * 16] = {0}, slice[GROUP * SLICE * 16], x[TILE_ROWS * SLICE];
            for (int64_t k0 = 0; k0 < job->w->cols; k0 += SLICE) {
                const int64_t n = job->w->cols - k0 < SLICE ? job->w->cols - k0 : SLICE;
                const int64_t stride = (int64_t)r1i_panel_stride(R1_DTYPE_BF16, job->w->cols);
                for (int64_t p = 0; p < np; p++)
                    decode_bf16(job->w, p0 + p, job->w->data + (p0 + p) * stride, k0, n, slice + p * SLICE * 16);
                for (int64_t i = 0; i < rows; i++)
                    for (int64_t k = 0; k < n; k++)
                        x[i * SLICE + k] = r1i_bf16_to_f32(a->bf16[(r + i) * a->bf16_stride + k0 + k]);
                const tile_args t = {.x = x, .xs = SLICE, .w = slice, .ldw = 16, .wps = SLICE * 16, .k = n, .acc = acc,
                                     .as = GROUP * 16};
                tile_all(t, rows, np, sizeof(float), tile_f32);
            }
            for (int64_t i = 0; i < rows; i++)
                for (int64_t p = 0; p < np; p++)
                    finish_vector(job, r + i, p0 + p, v16_load(acc + (i * GROUP + p) * 16));
        }
    }
}

/* On a processor with R1I_CPU_NEAR one row reads in a way of its own. */
static void linear_f32_near(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows == 1) stream_near(job, p0, p1, R1_DTYPE_F32);
    else linear_f32(job, p0, p1);
}
static void linear_f16_near(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows == 1) stream_near(job, p0, p1, R1_DTYPE_F16);
    else linear_f16(job, p0, p1);
}
static void linear_bf16_weights_near(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows == 1) stream_near(job, p0, p1, R1_DTYPE_BF16);
    else linear_bf16_weights(job, p0, p1);
}
static void linear_f8_near(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    if (job->x->x.rows == 1 && scales_fold(job->w)) stream_near(job, p0, p1, R1_DTYPE_F8_E4M3);
    else linear_f8(job, p0, p1);
}

static inline void set_linear_kernels(r1i_cpu_kernels *k)
{
    k->linear_f32[R1_DTYPE_F32] = k->near ? linear_f32_near : linear_f32;
    k->linear_f32[R1_DTYPE_F16] = k->near ? linear_f16_near : linear_f16;
    k->linear_f32[R1_DTYPE_BF16] = k->near ? linear_bf16_weights_near : linear_bf16_weights;
    k->linear_f32[R1_DTYPE_F8_E4M3] = k->near ? linear_f8_near : linear_f8;
    k->linear_bf16 = linear_bf16_chain;
}

#endif
