/* What the op tests share: the rows of the table that this processor has, an exec over them, guarded buffers, random
 * weights in panels, and a trace that counts. */
#ifndef R1_OPKIT_H
#define R1_OPKIT_H

#include <math.h>

#include "support/random_blocks.h"
#include "support/test.h"

#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "op/ops.h"
#include "tensor/codec.h"

static const char *const kit_isa[] = {"c", "avx2", "avx512", "neon"};
enum { KIT_ISAS = 4, KIT_GUARD = 64, KIT_TRACES = 64 };

typedef struct kit {
    r1i_cpu_kernels kernels;
    r1i_pool *pool;
    r1i_arena arena;
    r1i_exec ex;
    r1_error err;
    const char *op[KIT_TRACES]; /* what the trace saw */
    int64_t rows[KIT_TRACES];
    int traces;
} kit;

static inline void kit_trace(void *user, const char *op, int64_t rows)
{
    kit *const k = user;
    if (k->traces < KIT_TRACES) {
        k->op[k->traces] = op;
        k->rows[k->traces] = rows;
    }
    k->traces++;
}

/* false when this processor lacks the instruction set. near: a habit of reading (R1I_CPU_NEAR). */
static inline bool kit_open_near(kit *k, const char *isa, int threads, bool near)
{
    memset(k, 0, sizeof *k);
    if (r1i_cpu_select_near(isa, near, &k->kernels, &k->err) != R1_OK) return false;
    assert_int_equal(r1i_pool_create(NULL, threads, &k->pool, &k->err), R1_OK);
    assert_int_equal(r1i_arena_create(&k->arena, "test", NULL, (size_t)64 << 20, &k->err), R1_OK);
    k->ex = (r1i_exec){.ops = r1i_cpu_ops(), .backend = &k->kernels, .pool = k->pool, .scratch = &k->arena,
                       .trace = kit_trace, .trace_user = k, .err = &k->err};
    return true;
}
static inline bool kit_open(kit *k, const char *isa, int threads)
{
    return kit_open_near(k, isa, threads, (r1i_cpu_features() & R1I_CPU_NEAR) != 0);
}
static inline void kit_close(kit *k)
{
    r1i_pool_destroy(k->pool);
    r1i_arena_destroy(&k->arena);
}

/* One op call was made, on that many rows. */
static inline void kit_saw(kit *k, const char *op, int64_t rows)
{
    assert_int_equal(k->traces, 1);
    assert_string_equal(k->op[0], op);
    assert_int_equal(k->rows[0], rows);
    k->traces = 0;
}

/* n floats between guard bytes; kit_free checks them. Fresh memory holds a NaN pattern, so what is not written
 * shows. */
static inline float *kit_floats(int64_t n)
{
    uint8_t *const p = malloc((size_t)n * 4 + 2 * KIT_GUARD + 16);
    assert_non_null(p);
    memset(p, 0xff, (size_t)n * 4 + 2 * KIT_GUARD + 16);
    memcpy(p, &n, sizeof n);
    return (float *)(void *)(p + KIT_GUARD);
}
static inline void kit_free(float *f)
{
    if (!f) return;
    const uint8_t *const p = (const uint8_t *)f - KIT_GUARD;
    int64_t n;
    memcpy(&n, p, sizeof n);
    for (int i = (int)sizeof n; i < KIT_GUARD; i++) assert_int_equal(p[i], 0xff);
    for (int i = 0; i < KIT_GUARD; i++) assert_int_equal(p[KIT_GUARD + n * 4 + i], 0xff);
    free((void *)(uintptr_t)p);
}
static inline float *kit_random(r1i_rng *rng, int64_t n, double size)
{
    float *const f = kit_floats(n);
    for (int64_t i = 0; i < n; i++) f[i] = (float)(r1i_rng_normal(rng) * size);
    return f;
}

#define assert_bits_equal(a, b, n)                                                                              \
    do {                                                                                                        \
        const float *const bits_a = (a), *const bits_b = (b);                                                   \
        for (int64_t bits_i = 0; bits_i < (n); bits_i++)                                                        \
            if (memcmp(&bits_a[bits_i], &bits_b[bits_i], 4) != 0)                                               \
                fail_msg("element %lld of %lld: %a against %a", (long long)bits_i, (long long)(n),               \
                         (double)bits_a[bits_i], (double)bits_b[bits_i]);                                       \
    } while (0)

/* A matrix of the type with random values, in panels; kit_weight_free frees all. */
typedef struct kit_weight {
    r1i_weight panel;
    uint8_t *rows, *panels;
    float *scale;
} kit_weight;

static inline void kit_weight_make(kit_weight *w, r1i_rng *rng, r1_dtype type, int64_t rows, int64_t cols)
{
    uint64_t row_bytes = 0, panel_bytes = 0;
    memset(w, 0, sizeof *w);
    assert_true(r1i_dtype_row_bytes(type, (uint64_t)cols, &row_bytes));
    assert_true(r1i_panel_bytes(type, rows, cols, &panel_bytes));
    w->rows = malloc((size_t)row_bytes * (size_t)rows);
    w->panels = r1i_alloc(NULL, (size_t)panel_bytes);
    assert_true(w->rows && w->panels);
    const bool quantised = r1i_dtype_is_quantised(type);
    for (int64_t r = 0; quantised && r < rows; r++)
        r1t_random_blocks(rng, type, R1T_SCALES_USUAL, cols, w->rows + (uint64_t)r * row_bytes);
    for (int64_t i = 0; !quantised && i < rows * cols; i++) {
        const float f = (float)(r1i_rng_normal(rng) * 0.1);
        if (type == R1_DTYPE_F32) memcpy(w->rows + i * 4, &f, 4);
        else if (type == R1_DTYPE_F8_E4M3) {
            uint8_t b = (uint8_t)r1i_rng_u64(rng); /* all codes but the two of NaN: subnormals and -0 too */
            if ((b & 0x7f) == 0x7f) b ^= 0x41;
            w->rows[i] = b;
        } else {
            const uint16_t h = type == R1_DTYPE_F16 ? r1i_f16_from_f32(f) : r1i_bf16_from_f32(f);
            memcpy(w->rows + i * 2, &h, 2);
        }
    }
    const int64_t blocks = ((rows + 127) / 128) * ((cols + 127) / 128);
    if (type == R1_DTYPE_F8_E4M3) {
        w->scale = malloc(sizeof(float) * (size_t)blocks);
        assert_non_null(w->scale);
        for (int64_t i = 0; i < blocks; i++) w->scale[i] = (float)(0.0005 + 0.001 * r1i_rng_double(rng));
    }
    const r1i_weight src = {type, R1I_LAYOUT_ROWS, rows, cols, w->rows, w->scale, NULL};
    w->panel = (r1i_weight){type, R1I_LAYOUT_PANEL, rows, cols, w->panels, w->scale, NULL};
    for (int64_t p = 0; p < (rows + 15) / 16; p++)
        r1i_panel_pack(&src, p, w->panels + (size_t)p * r1i_panel_stride(type, cols));
}
static inline void kit_weight_free(kit_weight *w)
{
    uint64_t bytes = 0;
    (void)r1i_panel_bytes(w->panel.type, w->panel.rows, w->panel.cols, &bytes);
    free(w->rows);
    free(w->scale);
    r1i_release(NULL, w->panels, (size_t)bytes);
}

#endif
