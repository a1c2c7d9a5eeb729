/* Products of block-type weights. The plain row against double arithmetic; every vector row against the plain row, byte
 * for byte; one row against the same row among many. A kernel that adds in another order must be caught. */
#include "support/test.h"

#include <math.h>

#include "backend/cpu/kernels.h"
#include "backend/cpu/ref/ref_quant.h"
#include "base/env.h"
#include "base/rng.h"
#include "support/random_blocks.h"

enum { GUARD = 7, SEED = 4242 };

typedef struct problem {
    r1_dtype type;
    int64_t m, n, k;
    uint8_t *packed;
    uint64_t packed_bytes;
    float *x, *d, *bias, *y0;
    int8_t *q;
    int32_t *sum16;
    uint8_t *fine;
    float *fine_d;
    int8_t *fine_q;
    int32_t *fine_sum16;
    r1i_weight w;
    r1i_act act;
} problem;

static void *take(int64_t bytes)
{
    void *p = r1i_alloc_zero(NULL, (size_t)bytes + 64);
    assert_non_null(p);
    return p;
}

/* Row r's activations as the backend makes them. */
static void prepare_row(const problem *b, int64_t r)
{
    const int64_t at = r * b->k;
    r1i_ref_quantise_row(b->x + at, b->k, b->q + at, b->d + at / 32, b->sum16 + at / 16);
    r1i_cpu_fine_row(&b->act, r);
}

static void problem_make(problem *b, r1i_rng *rng, r1_dtype type, r1t_scales scales, int64_t m, int64_t n, int64_t k)
{
    uint64_t row_bytes;
    *b = (problem){.type = type, .m = m, .n = n, .k = k};
    assert_true(r1i_dtype_row_bytes(type, (uint64_t)k, &row_bytes) && r1i_panel_bytes(type, n, k, &b->packed_bytes));
    uint8_t *source = take((int64_t)row_bytes * n);
    for (int64_t r = 0; r < n; r++) r1t_random_blocks(rng, type, scales, k, source + (uint64_t)r * row_bytes);
    b->packed = take((int64_t)b->packed_bytes);
    const r1i_weight rows = {type, R1I_LAYOUT_ROWS, n, k, source, NULL, NULL};
    for (int64_t p = 0; p < (n + 15) / 16; p++)
        r1i_panel_pack(&rows, p, b->packed + (uint64_t)p * r1i_panel_stride(type, k));
    r1i_release(NULL, source, (size_t)row_bytes * (size_t)n + 64);
    b->x = take(m * k * 4);
    b->q = take(m * k);
    b->d = take(m * k / 32 * 4);
    b->sum16 = take(m * k / 16 * 4);
    b->fine = take(m * r1i_act_spans(k));
    b->fine_q = take(m * k);
    b->fine_d = take(m * k / 32 * 4);
    b->fine_sum16 = take(m * k / 16 * 4);
    memset(b->fine_q, 0x55, (size_t)(m * k)); /* where no group has a fine term nothing may be read */
    memset(b->fine_d, 0x55, (size_t)(m * k / 32 * 4));
    memset(b->fine_sum16, 0x55, (size_t)(m * k / 16 * 4));
    b->bias = take(n * 4);
    b->y0 = take(m * (n + GUARD) * 4);
    const double size = scales == R1T_SCALES_USUAL ? 1.0 : 0x1p-30; /* keeps sums finite with scales of 2^124 */
    for (int64_t i = 0; i < m * k; i++) b->x[i] = (float)(r1i_rng_normal(rng) * size);
    for (int64_t i = 0; i < m * k; i += 32) /* one group of eight stands out, and one of two in some rows */
        if (r1i_rng_below(rng, i / k % 4 == 3 ? 2 : 8) == 0) b->x[i + (int64_t)r1i_rng_below(rng, 32)] *= 8.0f;
    for (int64_t i = 0; i < k && m > 2; i++) b->x[k + i] = 0.0f; /* row 1 is all zeros */
    for (int64_t i = 0; i < n; i++) b->bias[i] = (float)r1i_rng_normal(rng);
    for (int64_t i = 0; i < m * (n + GUARD); i++) b->y0[i] = (float)r1i_rng_normal(rng);
    b->w = (r1i_weight){type, R1I_LAYOUT_PANEL, n, k, b->packed, NULL, NULL};
    b->act = (r1i_act){.x = r1i_mat_of(b->x, m, k), .kinds = R1I_ACT_Q8, .q = b->q, .d = b->d, .sum16 = b->sum16,
                       .fine = b->fine, .fine_stride = m, .fine_q = b->fine_q, .fine_d = b->fine_d,
                       .fine_sum16 = b->fine_sum16};
    for (int64_t r = 0; r < m; r++) prepare_row(b, r);
}

static void problem_drop(problem *b)
{
    r1i_release(NULL, b->packed, (size_t)b->packed_bytes + 64);
    r1i_release(NULL, b->x, (size_t)(b->m * b->k * 4) + 64);
    r1i_release(NULL, b->q, (size_t)(b->m * b->k) + 64);
    r1i_release(NULL, b->d, (size_t)(b->m * b->k / 32 * 4) + 64);
    r1i_release(NULL, b->sum16, (size_t)(b->m * b->k / 16 * 4) + 64);
    r1i_release(NULL, b->fine, (size_t)(b->m * r1i_act_spans(b->k)) + 64);
    r1i_release(NULL, b->fine_q, (size_t)(b->m * b->k) + 64);
    r1i_release(NULL, b->fine_d, (size_t)(b->m * b->k / 32 * 4) + 64);
    r1i_release(NULL, b->fine_sum16, (size_t)(b->m * b->k / 16 * 4) + 64);
    r1i_release(NULL, b->bias, (size_t)(b->n * 4) + 64);
    r1i_release(NULL, b->y0, (size_t)(b->m * (b->n + GUARD) * 4) + 64);
}

enum { WITH_BIAS = 1, WITH_ADD = 2 };

/* Rows of y are n + GUARD apart; returns a fresh copy of y0 with the product in it. */
static float *run(const problem *b, r1i_linear_kernel kernel, int epilogue)
{
    const int64_t count = b->m * (b->n + GUARD), panels = (b->n + 15) / 16, cut = panels / 2;
    float *y = take(count * 4);
    memcpy(y, b->y0, (size_t)count * 4);
    const r1i_mat mat = {y, b->m, b->n, b->n + GUARD};
    const r1i_linear_job job = {.y = mat, .x = &b->act, .w = &b->w, .bias = epilogue & WITH_BIAS ? b->bias : NULL,
                                .add = (epilogue & WITH_ADD) != 0};
    kernel(&job, cut, panels); /* two ranges, as threads would */
    kernel(&job, 0, cut);
    for (int64_t r = 0; r < b->m; r++)
        assert_memory_equal(y + r * (b->n + GUARD) + b->n, b->y0 + r * (b->n + GUARD) + b->n, GUARD * 4);
    return y;
}

static void drop(const problem *b, float *y) { r1i_release(NULL, y, (size_t)(b->m * (b->n + GUARD) * 4) + 64); }

static void expect_same(const problem *b, const float *want, const float *got, const char *isa, const char *what)
{
    for (int64_t r = 0; r < b->m; r++)
        for (int64_t c = 0; c < b->n; c++) {
            const int64_t at = r * (b->n + GUARD) + c;
            if (r1i_f32_bits(want[at]) != r1i_f32_bits(got[at]))
                fail_msg("%s %s %s [%d, %d, %d]: y[%d, %d] = %a, plain row %a", isa, what, r1_dtype_name(b->type),
                         (int)b->m, (int)b->n, (int)b->k, (int)r, (int)c, (double)got[at], (double)want[at]);
        }
}

/* The rows of the table that this processor can run, the plain one first; the others with each habit of reading,
 * whichever this processor has. */
enum { ROWS_OF_TABLE = 7 };
static void row_of_table(r1i_cpu_kernels out[ROWS_OF_TABLE], int *n, const char *name,
                         bool (*fill)(r1i_cpu_kernels *k))
{
    for (int near = 0; near < 2; near++) {
        out[*n] = out[0];
        out[*n].name = name;
        out[*n].near = near == 1;
        if (fill(&out[*n])) ++*n;
    }
}

static int rows_of_table(r1i_cpu_kernels out[ROWS_OF_TABLE])
{
    const unsigned has = r1i_cpu_features();
    int n = 1;
    memset(out, 0, ROWS_OF_TABLE * sizeof *out);
    r1i_cpu_ref_quant_kernels(&out[0]);
    out[0].name = "c";
    if (has & R1I_CPU_AVX2) row_of_table(out, &n, "avx2", r1i_cpu_avx2_quant_kernels);
    if (has & R1I_CPU_AVX512) row_of_table(out, &n, "avx512", r1i_cpu_avx512_quant_kernels);
    if (has & R1I_CPU_NEON) row_of_table(out, &n, "neon", r1i_cpu_neon_quant_kernels);
    if (has & R1I_CPU_DOTPROD) row_of_table(out, &n, "neon with dot products", r1i_cpu_neon_dot_kernels);
    return n;
}

static r1i_linear_kernel kernel_of(const r1i_cpu_kernels *k, r1_dtype type, bool exact)
{
    return exact ? k->linear_f32[type] : k->linear_q8[type];
}

typedef struct shape { int64_t m, n, k32, k256; } shape;
static const shape shapes[] = {
    {1, 16, 32, 256},   {1, 100, 896, 512}, {2, 48, 96, 256},   {3, 100, 288, 512},  {4, 16, 64, 768},
    {5, 33, 416, 768},
    {6, 17, 32, 256},   {7, 144, 64, 256},   {8, 48, 896, 512}, {33, 36, 512, 512},  {9, 20, 4864, 4864},
    {129, 20, 160, 256}, {200, 36, 288, 512}, {520, 5, 32, 256},
    {16, 150, 416, 768}, {31, 72, 288, 512}, {32, 20, 96, 256},
    {1, 150, 4384, 4352}, /* a long row */
    {1, 20, 32800, 33024}, /* more columns than one_row512.h has room for */
};

static void check_shape(const r1i_cpu_kernels *rows, int n_rows, r1i_rng *rng, r1_dtype type, size_t i, bool exact)
{
    const shape s = shapes[i];
    problem b;
    problem_make(&b, rng, type, i % 3 == 2 ? R1T_SCALES_EXTREME : R1T_SCALES_USUAL, s.m, s.n,
                 r1i_dtype(type)->block_elems == 32 ? s.k32 : s.k256);
    const int epilogue = (int)(i % 4);
    float *want = run(&b, kernel_of(&rows[0], type, exact), epilogue);
    for (int k = 1; k < n_rows; k++) {
        float *got = run(&b, kernel_of(&rows[k], type, exact), epilogue);
        expect_same(&b, want, got, rows[k].name, exact ? "exact" : "q8");
        drop(&b, got);
    }
    drop(&b, want);
    problem_drop(&b);
}

static void every_shape(bool exact)
{
    r1i_cpu_kernels rows[ROWS_OF_TABLE];
    const int n = rows_of_table(rows);
    r1i_rng rng = {SEED, 0};
    print_message("seed %d, %d rows of the table\n", SEED, n);
    for (int t = 0; t < R1_DTYPE_COUNT; t++)
        for (size_t i = 0; r1i_dtype_is_quantised((r1_dtype)t) && i < sizeof shapes / sizeof shapes[0]; i++)
            check_shape(rows, n, &rng, (r1_dtype)t, i, exact);
}

static void test_rows_agree_q8(void **state) { (void)state; every_shape(false); }
static void test_rows_agree_exact(void **state) { (void)state; every_shape(true); }

/* Every kernel: a row among 33 gives the bytes it gives alone. */
static void test_one_row_or_many(void **state)
{
    (void)state;
    r1i_cpu_kernels rows[ROWS_OF_TABLE];
    const int n = rows_of_table(rows);
    r1i_rng rng = {SEED + 1, 0};
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t)) continue;
        problem many;
        problem_make(&many, &rng, (r1_dtype)t, R1T_SCALES_USUAL, 21, 40, 512);
        for (int k = 0; k < n; k++)
            for (int exact = 0; exact < 2; exact++) {
                float *all = run(&many, kernel_of(&rows[k], many.type, exact), WITH_BIAS | WITH_ADD);
                for (int64_t r = 0; r < many.m; r += 5) {
                    problem one = many;
                    one.m = 1;
                    one.y0 += r * (one.n + GUARD);
                    one.act.x = r1i_mat_of(one.x + r * one.k, 1, one.k);
                    one.act.q += r * one.k;
                    one.act.d += r * one.k / 32;
                    one.act.sum16 += r * one.k / 16;
                    one.act.fine += r;
                    one.act.fine_q += r * 32;
                    one.act.fine_d += r;
                    one.act.fine_sum16 += r * 2;
                    float *y = run(&one, kernel_of(&rows[k], many.type, exact), WITH_BIAS | WITH_ADD);
                    assert_memory_equal(y, all + r * (one.n + GUARD), (size_t)one.n * 4);
                    drop(&one, y);
                }
                drop(&many, all);
            }
        problem_drop(&many);
    }
}

/* What the two terms of column k of row r stand for. */
static double value_of(const problem *b, int64_t r, int64_t k)
{
    const int64_t at = r * b->k + k, fine = k / 32 * b->m + r;
    const double first = (double)b->d[at / 32] * b->q[at];
    return b->fine[k / 256 * b->m + r] >> (k / 32 % 8) & 1
        ? first + (double)b->fine_d[fine] * b->fine_q[32 * fine + k % 32] : first;
}

/* The plain row against double: what is summed is right, not only in which order. */
static void check_against_double(r1i_rng *rng, r1_dtype type, bool exact)
{
    problem b;
    problem_make(&b, rng, type, R1T_SCALES_USUAL, 3, 20, 768);
    float *y = run(&b, exact ? r1i_ref_linear_exact : r1i_ref_linear_q8, WITH_BIAS | WITH_ADD);
    float w[768];
    for (int64_t c = 0; c < b.n; c++) {
        r1i_weight_row(&b.w, c, w);
        for (int64_t r = 0; r < b.m; r++) {
            double sum = (double)b.bias[c] + (double)b.y0[r * (b.n + GUARD) + c], size = fabs(sum);
            for (int64_t k = 0; k < b.k; k++) {
                const double x = exact ? (double)b.x[r * b.k + k] : value_of(&b, r, k);
                sum += x * (double)w[k];
                size += fabs(x * (double)w[k]);
            }
            /* 768 roundings of 6e-8, mostly cancelling */
            assert_true(fabs(sum - (double)y[r * (b.n + GUARD) + c]) <= 4e-6 * size);
        }
    }
    drop(&b, y);
    problem_drop(&b);
}

static void test_against_double(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 2, 0};
    for (int t = 0; t < R1_DTYPE_COUNT; t++) {
        if (!r1i_dtype_is_quantised((r1_dtype)t)) continue;
        check_against_double(&rng, (r1_dtype)t, false);
        check_against_double(&rng, (r1_dtype)t, true);
    }
}

/* The contract's chain with its groups descending, for Q8_0: the right value, the wrong bits. */
static void descending_q8_0(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    for (int64_t c = p0 * 16; c < p1 * 16 && c < job->w->rows; c++)
        for (int64_t r = 0; r < job->y.rows; r++) {
            const int64_t cols = job->w->cols;
            float acc = 0;
            for (int64_t g = cols / 32 - 1; g >= 0; g--) {
                uint8_t block[R1I_BLOCK_BYTES_MAX];
                int8_t q[32];
                float scale[2], min[2];
                const uint8_t *panel = job->w->data + (uint64_t)(c / 16) * r1i_panel_stride(job->w->type, cols);
                r1i_panel_block_row(job->w->type, panel + g * 34 * 16, (int)(c % 16), block);
                r1i_unpack_integers(job->w->type, block, 32, q, scale, min);
                int sum = 0;
                for (int i = 0; i < 32; i++) sum += q[i] * job->x->q[r * cols + 32 * g + i];
                acc = fmaf((float)sum, scale[0] * job->x->d[r * (cols / 32) + g], acc);
            }
            r1i_ref_finish(job, r, c, acc);
        }
}

static void test_another_order_is_caught(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 3, 0};
    problem b;
    problem_make(&b, &rng, R1_DTYPE_Q8_0, R1T_SCALES_USUAL, 4, 32, 512);
    memset(b.fine, 0, (size_t)(4 * r1i_act_spans(512)));
    float *want = run(&b, r1i_ref_linear_q8, 0), *other = run(&b, descending_q8_0, 0);
    int64_t differ = 0;
    for (int64_t r = 0; r < b.m; r++)
        for (int64_t c = 0; c < b.n; c++) {
            const float x = want[r * (b.n + GUARD) + c], y = other[r * (b.n + GUARD) + c];
            assert_true(fabsf(x - y) < 1e-3f);
            differ += r1i_f32_bits(x) != r1i_f32_bits(y);
        }
    assert_true(differ > b.m * b.n / 4);
    drop(&b, want);
    drop(&b, other);
    problem_drop(&b);
}

/* ---- activations ---- */

enum { MOST_COLS = 1280, ROWS_APART = 3 };

/* A row's activations with all that an instruction set writes, row 1 of ROWS_APART. */
typedef struct rounded {
    int8_t q[2 * MOST_COLS], fine_q[ROWS_APART * MOST_COLS];
    float d[2 * MOST_COLS / 32], fine_d[ROWS_APART * MOST_COLS / 32];
    int32_t sum[2 * MOST_COLS / 16], fine_sum[ROWS_APART * MOST_COLS / 16];
    uint8_t fine[ROWS_APART * MOST_COLS / 256];
} rounded;

static void round_row(const r1i_cpu_kernels *k, float *x, int64_t n, rounded *to)
{
    memset(to, 0x55, sizeof *to);
    k->quantise_row(x, n, to->q + n, to->d + n / 32, to->sum + n / 16);
    const r1i_act act = {.x = {x - n, 2, n, n}, .kinds = R1I_ACT_Q8, .q = to->q, .d = to->d, .sum16 = to->sum,
                         .fine = to->fine, .fine_stride = ROWS_APART, .fine_q = to->fine_q, .fine_d = to->fine_d,
                         .fine_sum16 = to->fine_sum};
    k->fine_row(&act, 1);
}

/* Returns how many groups have a fine term. */
static int expect_same_rounding(const r1i_cpu_kernels *rows, int n_rows, float *x, int64_t n)
{
    static rounded want, got;
    int fine = 0;
    round_row(&rows[0], x, n, &want);
    for (int k = 1; k < n_rows; k++) {
        round_row(&rows[k], x, n, &got);
        assert_memory_equal(&want, &got, sizeof got);
    }
    for (int64_t s = 0; s < r1i_act_spans(n); s++) fine += __builtin_popcount(want.fine[s * ROWS_APART + 1]);
    return fine;
}

static void test_activations(void **state)
{
    (void)state;
    r1i_cpu_kernels rows[ROWS_OF_TABLE];
    const int n = rows_of_table(rows);
    r1i_rng rng = {SEED + 4, 0};
    float room[2 * MOST_COLS], *const x = room + MOST_COLS; /* a row 0 lies before it */
    int fine = 0;
    for (int round = 0; round < 600; round++) {
        const int64_t cols = 32 + 32 * (int64_t)r1i_rng_below(&rng, MOST_COLS / 32);
        const double size = ldexp(1.0, (int)r1i_rng_below(&rng, 250) - 130);
        for (int i = 0; i < cols; i++)
            x[i] = (float)(r1i_rng_normal(&rng) * size * (round % 2 == 0 && i / 32 % 11 == round / 2 % 11 ? 8.0 : 1.0));
        if (round % 6 == 0)
            /* NaN, infinities, all sizes */
            for (int i = 0; i < cols; i++) x[i] = r1i_f32_from_bits((uint32_t)r1i_rng_u64(&rng));
        /* one group alone goes another way */
        if (round % 6 == 1) x[r1i_rng_below(&rng, (uint64_t)cols)] = round % 12 == 1 ? NAN : INFINITY;
        if (round % 6 == 3) memset(x + cols - 32, 0, 32 * sizeof *x);
        fine += expect_same_rounding(rows, n, x, cols);
    }
    assert_true(fine > 300);
    int8_t q[32];
    float d;
    int32_t sum[2];
    for (int i = 0; i < 31; i++) x[i] = (float)(i - 15) + 0.5f; /* every one a tie: to even */
    x[31] = -127.0f;
    r1i_ref_quantise_row(x, 32, q, &d, sum);
    assert_true(d == 1.0f && q[31] == -127);
    int total[2] = {0, 0};
    for (int i = 0; i < 32; i++) {
        assert_int_equal(q[i], (int)rint((double)x[i]));
        total[i / 16] += q[i];
    }
    assert_true(sum[0] == total[0] && sum[1] == total[1]);
    memset(x, 0, 32 * sizeof *x);
    r1i_ref_quantise_row(x, 32, q, &d, sum);
    assert_true(d == 0.0f && q[3] == 0 && sum[0] == 0);
    x[9] = 0x1p-130f; /* 127 / amax overflows: a zero block */
    r1i_ref_quantise_row(x, 32, q, &d, sum);
    assert_true(d == 0.0f && q[9] == 0);
    x[9] = INFINITY;
    r1i_ref_quantise_row(x, 32, q, &d, sum);
    assert_true(isnan(d) && q[9] == 0);
}

/* Which groups get a fine term, and that it brings them 100 times closer. */
static void test_fine_terms(void **state)
{
    (void)state;
    r1i_rng rng = {SEED + 6, 0};
    problem b;
    problem_make(&b, &rng, R1_DTYPE_Q8_0, R1T_SCALES_USUAL, 40, 16, 288); /* a whole span and a group */
    int64_t fine = 0;
    for (int64_t r = 0; r < b.m; r++) {
        double sum = 0;
        for (int64_t g = 0; g < 9; g++) sum += (double)b.d[9 * r + g] * (double)b.d[9 * r + g];
        int in_row = 0;
        for (int64_t g = 0; g < 9; g++) {
            const double d = (double)b.d[9 * r + g];
            const int is = b.fine[g / 8 * b.m + r] >> (g % 8) & 1;
            int32_t total[2] = {0, 0};
            assert_int_equal(is, d * d * 9 > 2 * sum);
            in_row += is;
            for (int64_t i = 32 * g; i < 32 * g + 32; i++) {
                assert_true(fabs((double)b.x[288 * r + i] - value_of(&b, r, i)) <= d * (is ? 0.502 / 254 : 0.50001));
                total[i / 16 % 2] += is ? b.fine_q[32 * (g * b.m + r) + i % 32] : 0;
            }
            for (int64_t h = 0; is && h < 2; h++) assert_int_equal(total[h], b.fine_sum16[2 * (g * b.m + r) + h]);
        }
        assert_true(in_row <= 4 && b.fine[b.m + r] <= 1);
        fine += in_row;
    }
    assert_true(fine > 20 && fine < 120);
    /* d below 2^-100: 254 / d could overflow */
    for (int64_t i = 0; i < 288; i++) b.x[i] = ldexpf(i == 40 ? 8.0f : 1.0f, -97);
    prepare_row(&b, 0);
    assert_true(b.d[1] > 0 && b.fine[0] == 0 && b.fine[b.m] == 0);
    for (int64_t i = 0; i < 288; i++) b.x[i] = i == 40 || i == 280 ? 3e38f : 1e38f; /* squares beyond f32 */
    prepare_row(&b, 0);
    assert_true(b.fine[0] == 2 && b.fine[b.m] == 1);
    problem_drop(&b);
}

/* A broken activation shows in every output of its row and in no other row. */
static void test_nan_stays_visible(void **state)
{
    (void)state;
    r1i_cpu_kernels rows[ROWS_OF_TABLE];
    const int n = rows_of_table(rows);
    r1i_rng rng = {SEED + 5, 0};
    problem b;
    problem_make(&b, &rng, R1_DTYPE_Q4_K, R1T_SCALES_USUAL, 3, 20, 256);
    b.x[2 * 256 + 100] = NAN;
    prepare_row(&b, 2);
    assert_int_equal(b.fine[2], 0);
    for (int k = 0; k < n; k++) {
        float *y = run(&b, rows[k].linear_q8[R1_DTYPE_Q4_K], 0);
        for (int64_t r = 0; r < 3; r++)
            for (int64_t c = 0; c < 20; c++) assert_int_equal(!!isnan(y[r * (20 + GUARD) + c]), r == 2);
        drop(&b, y);
    }
    problem_drop(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),     cmocka_unit_test(test_against_double),
        cmocka_unit_test(test_rows_agree_q8),   cmocka_unit_test(test_rows_agree_exact),
        cmocka_unit_test(test_one_row_or_many), cmocka_unit_test(test_another_order_is_caught),
        cmocka_unit_test(test_fine_terms),      cmocka_unit_test(test_nan_stays_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
