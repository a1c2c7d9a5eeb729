/* Products with scalar weights: ref against double, every row of the table against ref byte for byte, and everything
 * that must not move a bit: other rows, threads, how the work is cut. */
#include "op/opkit.h"

#define SEED 20250122

static const r1_dtype types[] = {R1_DTYPE_F32, R1_DTYPE_F16, R1_DTYPE_BF16, R1_DTYPE_F8_E4M3};
enum { TYPES = 4 };

typedef struct problem {
    kit_weight w;
    float *x, *bias, *residual;
    int64_t m, n, k, x_stride;
} problem;

static void problem_make(problem *p, r1i_rng *rng, r1_dtype type, int64_t m, int64_t n, int64_t k)
{
    *p = (problem){.m = m, .n = n, .k = k, .x_stride = k + 3};
    kit_weight_make(&p->w, rng, type, n, k);
    p->x = kit_random(rng, m * p->x_stride, 1.0);
    p->bias = kit_random(rng, n, 1.0);
    p->residual = kit_random(rng, m * n, 1.0);
}
static void problem_free(problem *p)
{
    kit_weight_free(&p->w);
    kit_free(p->x);
    kit_free(p->bias);
    kit_free(p->residual);
}

/* y of `rows` rows from row r0 on; mode 1: bias, mode 2: bias and residual. */
static float *run(kit *k, const problem *p, int64_t r0, int64_t rows, int mode, unsigned kinds)
{
    float *const y = kit_floats(rows * p->n);
    if (mode == 2) memcpy(y, p->residual + r0 * p->n, sizeof(float) * (size_t)(rows * p->n));
    r1i_act act;
    assert_int_equal(r1i_act_make(&k->ex, &act, (r1i_mat){p->x + r0 * p->x_stride, rows, p->k, p->x_stride}, kinds),
                     R1_OK);
    k->traces = 0;
    const r1i_linear_job job = {.y = r1i_mat_of(y, rows, p->n), .x = &act, .w = &p->w.panel,
                                .bias = mode ? p->bias : NULL, .add = mode == 2};
    assert_int_equal(r1i_linear(&k->ex, &job, 1), R1_OK);
    kit_saw(k, "linear", rows);
    r1i_arena_reset(&k->arena, 0);
    return y;
}

/* A chain of K fmaf of terms with |x w| about t errs by at most K eps / 2 times the sum of |terms|, and by far less in
 * practice; the bar is the bound itself. */
static void test_ref_against_double(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED};
    kit k;
    assert_true(kit_open(&k, "c", 1));
    for (int t = 0; t < TYPES; t++) {
        problem p;
        problem_make(&p, &rng, types[t], 3, 33, 301);
        float *const y = run(&k, &p, 0, p.m, 2, 0), *const row = kit_floats(p.k);
        for (int64_t n = 0; n < p.n; n++) {
            r1i_weight_row(&p.w.panel, n, row);
            for (int64_t m = 0; m < p.m; m++) {
                double sum = 0, size = 0;
                for (int64_t i = 0; i < p.k; i++) {
                    sum += (double)p.x[m * p.x_stride + i] * (double)row[i];
                    size += fabs((double)p.x[m * p.x_stride + i] * (double)row[i]);
                }
                sum += (double)p.bias[n] + (double)p.residual[m * p.n + n];
                size += fabs((double)p.bias[n]) + fabs((double)p.residual[m * p.n + n]);
                assert_true(fabs((double)y[m * p.n + n] - sum) <= (double)(p.k + 2) * 0x1p-24 * size);
            }
        }
        kit_free(y);
        kit_free(row);
        problem_free(&p);
    }
    kit_close(&k);
}

static const int64_t sizes_m[] = {1, 2, 3, 7, 33, 129}, sizes_n[] = {1, 15, 16, 17, 100, 212},
                     sizes_k[] = {1, 37, 256, 389};

static void test_rows_of_the_table_agree(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 1};
    kit ref, vec;
    assert_true(kit_open(&ref, "c", 1));
    for (int t = 0; t < TYPES; t++) {
        for (size_t c = 0; c < 6 * 6 * 4; c++) {
            problem p;
            problem_make(&p, &rng, types[t], sizes_m[c / 24], sizes_n[c / 4 % 6], sizes_k[c % 4]);
            const int mode = (int)(c % 3);
            if (p.w.scale && c % 5 == 0) p.w.scale[0] = 300.0f; /* beyond what folds into 2^120 */
            float *const want = run(&ref, &p, 0, p.m, mode, 0);
            for (int i = 2; i < 2 * KIT_ISAS; i++) { /* each with both habits of reading */
                if (!kit_open_near(&vec, kit_isa[i / 2], 1, i % 2 == 1)) continue;
                float *const got = run(&vec, &p, 0, p.m, mode, 0);
                assert_bits_equal(got, want, p.m * p.n);
                kit_free(got);
                kit_close(&vec);
            }
            kit_free(want);
            problem_free(&p);
        }
    }
    kit_close(&ref);
}

/* compute bf16: its own arithmetic, fixed per row of the table; plain C and avx2 share theirs. */
static void test_bf16_compute(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 2};
    for (int i = 0; i < KIT_ISAS; i++) {
        kit k, ref;
        if (!kit_open(&k, kit_isa[i], 1)) continue;
        assert_true(kit_open(&ref, "c", 1));
        k.ex.compute = ref.ex.compute = R1I_COMPUTE_BF16;
        for (size_t c = 0; c < 6 * 6 * 4; c += 5) {
            problem p;
            problem_make(&p, &rng, R1_DTYPE_BF16, sizes_m[c / 24], sizes_n[c / 4 % 6], sizes_k[c % 4]);
            float *const got = run(&k, &p, 0, p.m, 2, R1I_ACT_BF16),
                         *const want = run(&ref, &p, 0, p.m, 2, R1I_ACT_BF16);
            for (int64_t j = 0; j < p.m * p.n; j++) /* sums of at most 389 terms of size 0.1 */
                assert_true(fabsf(got[j] - want[j]) <= 1e-4f);
            if (i < 2) assert_bits_equal(got, want, p.m * p.n);
            for (int64_t r = 0; r < p.m; r += 5) {
                float *const one = run(&k, &p, r, 1, 2, R1I_ACT_BF16);
                assert_bits_equal(one, got + r * p.n, p.n);
                kit_free(one);
            }
            kit_free(got);
            kit_free(want);
            problem_free(&p);
        }
        kit_close(&k);
        kit_close(&ref);
    }
}

/* silu(gate) * up in one job gives the bytes of two products and silu_mul, however the job is cut: few rows in place,
 * many through the threads' own rooms. Gate and up may differ in type. */
static void test_gated_pairs(void **state)
{
    (void)state;
    static const int64_t shapes[][3] = {{1, 17, 40}, {7, 100, 37}, {33, 16, 5}, {129, 1040, 24}, {300, 917, 24},
                                        {513, 500, 8}};
    r1i_rng rng = {.seed = SEED + 7};
    for (size_t c = 0; c < sizeof shapes / sizeof *shapes; c++) {
        const int64_t m = shapes[c][0], n = shapes[c][1];
        problem gate, up;
        problem_make(&gate, &rng, types[c % TYPES], m, n, shapes[c][2]);
        problem_make(&up, &rng, types[c / 2 % TYPES], m, n, shapes[c][2]);
        for (int i = 0; i < KIT_ISAS; i++)
            for (int threads = 1; threads <= 3; threads++) {
                kit k;
                if (!kit_open(&k, kit_isa[i], threads)) continue;
                float *const want = run(&k, &gate, 0, m, 0, 0), *const work = kit_floats(m * n),
                             *const got = kit_floats(m * n);
                r1i_act act;
                assert_int_equal(r1i_act_make(&k.ex, &act, (r1i_mat){gate.x, m, gate.k, gate.x_stride}, 0), R1_OK);
                r1i_linear_job job = {.y = r1i_mat_of(work, m, n), .x = &act, .w = &up.w.panel};
                assert_int_equal(r1i_linear(&k.ex, &job, 1), R1_OK);
                assert_int_equal(r1i_silu_mul(&k.ex, r1i_mat_of(want, m, n), r1i_mat_of(want, m, n),
                                              r1i_mat_of(work, m, n)), R1_OK);
                job = (r1i_linear_job){.y = r1i_mat_of(got, m, n), .x = &act, .w = &gate.w.panel, .up = &up.w.panel,
                                       .work = work};
                k.traces = 0;
                assert_int_equal(r1i_linear(&k.ex, &job, 1), R1_OK);
                assert_int_equal(k.traces, 3); /* counted as what it stands for */
                assert_bits_equal(got, want, m * n);
                job.add = true;
                assert_int_equal(r1i_linear(&k.ex, &job, 1), R1_ERR_BUG);
                kit_free(want);
                kit_free(work);
                kit_free(got);
                kit_close(&k);
            }
        problem_free(&gate);
        problem_free(&up);
    }
}

/* A row alone, among others, with 1, 2 or 3 threads: the same bytes. */
static void test_neighbours_and_threads(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 3};
    for (int i = 0; i < KIT_ISAS; i++) {
        kit one, k;
        if (!kit_open(&one, kit_isa[i], 1)) continue;
        for (int t = 0; t < TYPES; t++) {
            problem p;
            problem_make(&p, &rng, types[t], i ? 129 : 7, 530, 512);
            float *const want = run(&one, &p, 0, p.m, 2, 0);
            for (int64_t r = 0; r < p.m; r += 13) {
                float *const y = run(&one, &p, r, 1, 2, 0);
                assert_bits_equal(y, want + r * p.n, p.n);
                kit_free(y);
            }
            for (int threads = 2; threads <= 3; threads++) {
                assert_true(kit_open(&k, kit_isa[i], threads));
                for (int64_t rows = p.m; rows > 0; rows /= 4) {
                    float *const y = run(&k, &p, 0, rows, 2, 0);
                    assert_bits_equal(y, want, rows * p.n);
                    kit_free(y);
                }
                kit_close(&k);
            }
            kit_free(want);
            problem_free(&p);
        }
        kit_close(&one);
    }
}

/* Several jobs of different shapes and rows in one call. */
static void test_jobs_in_one_region(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 4};
    kit k;
    assert_true(kit_open(&k, "auto", 3));
    enum { JOBS = 9 };
    problem p[JOBS];
    float *y[JOBS], *want[JOBS];
    r1i_act act[JOBS];
    r1i_linear_job job[JOBS];
    for (int i = 0; i < JOBS; i++) {
        problem_make(&p[i], &rng, types[i % TYPES], i % 3 == 2 ? 70 : i % 3, 40 + 90 * i, 200);
        want[i] = run(&k, &p[i], 0, p[i].m, 1, 0);
        y[i] = kit_floats(p[i].m * p[i].n);
        act[i] = (r1i_act){.x = {p[i].x, p[i].m, p[i].k, p[i].x_stride}};
        job[i] = (r1i_linear_job){.y = r1i_mat_of(y[i], p[i].m, p[i].n), .x = &act[i], .w = &p[i].w.panel,
                                  .bias = p[i].bias};
    }
    k.traces = 0;
    assert_int_equal(r1i_linear(&k.ex, job, JOBS), R1_OK);
    assert_int_equal(k.traces, JOBS);
    for (int i = 0; i < JOBS; i++) {
        assert_int_equal(k.rows[i], p[i].m);
        assert_bits_equal(y[i], want[i], p[i].m * p[i].n);
        kit_free(y[i]);
        kit_free(want[i]);
        problem_free(&p[i]);
    }
    kit_close(&k);
}

/* The same sum in another order: two chains of even and odd k, added. If this passed, the equality tests would be
 * blind. */
static void reordered(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    const float *const w = (const float *)(const void *)job->w->data;
    for (int64_t n = p0 * 16; n < p1 * 16 && n < job->w->rows; n++) {
        for (int64_t m = 0; m < job->y.rows; m++) {
            float c[2] = {0};
            for (int64_t i = 0; i < job->w->cols; i++)
                c[i % 2] = fmaf(job->x->x.p[m * job->x->x.stride + i], w[(n / 16 * job->w->cols + i) * 16 + n % 16],
                                c[i % 2]);
            job->y.p[m * job->y.stride + n] = c[0] + c[1];
        }
    }
}
static void test_another_order_shows(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 5};
    kit k, bad;
    assert_true(kit_open(&k, "auto", 1) && kit_open(&bad, "auto", 1));
    bad.kernels.linear_f32[R1_DTYPE_F32] = reordered;
    problem p;
    problem_make(&p, &rng, R1_DTYPE_F32, 2, 64, 300);
    float *const want = run(&k, &p, 0, 2, 0, 0), *const got = run(&bad, &p, 0, 2, 0, 0);
    int differ = 0;
    for (int64_t i = 0; i < 128; i++) {
        differ += memcmp(&want[i], &got[i], 4) != 0;
        assert_true(fabsf(want[i] - got[i]) < 1e-4f); /* a tolerance test would not have noticed */
    }
    assert_true(differ > 30);
    kit_free(want);
    kit_free(got);
    problem_free(&p);
    kit_close(&k);
    kit_close(&bad);
}

static void test_shapes_are_checked(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 6};
    kit k;
    assert_true(kit_open(&k, "c", 1));
    problem p;
    problem_make(&p, &rng, R1_DTYPE_F32, 2, 16, 32);
    const r1i_act act = {.x = {p.x, 2, 31, p.x_stride}};
    const r1i_linear_job job = {.y = r1i_mat_of(p.residual, 2, 16), .x = &act, .w = &p.w.panel};
    assert_int_equal(r1i_linear(&k.ex, &job, 1), R1_ERR_SHAPE);
    assert_string_equal(k.err.message, "linear: input against weight: [2, 31] against [16, 32]");
    r1i_cpu_kernels none;
    assert_int_equal(r1i_cpu_select("sse9", &none, &k.err), R1_ERR_USAGE);
    problem_free(&p);
    kit_close(&k);
}

int main(void)
{
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ref_against_double),     cmocka_unit_test(test_rows_of_the_table_agree),
        cmocka_unit_test(test_bf16_compute),           cmocka_unit_test(test_neighbours_and_threads),
        cmocka_unit_test(test_gated_pairs),            cmocka_unit_test(test_jobs_in_one_region),
        cmocka_unit_test(test_another_order_shows),    cmocka_unit_test(test_shapes_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
