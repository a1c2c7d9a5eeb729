/* One row that is left to the products which meet it (r1i_act_norm, r1i_act_later): the same bytes as norm, gate and
 * preparation one after the other, whoever makes it, a copy a thread or one for all. */
#include "op/opkit.h"

#define SEED 20261123

static const r1_dtype types[] = {R1_DTYPE_F32, R1_DTYPE_F8_E4M3, R1_DTYPE_Q8_0, R1_DTYPE_Q4_K};
/* The last but one fills a thread's copy, the last does not fit there. All threads have work from 768 on. */
static const int64_t widths[] = {32, 256, 768, 8192, 8448};
enum { TYPES = 4, WIDTHS = 5, JOBS = 3, RANK = 4, ROUNDS = 4 };
static const int64_t outputs[JOBS] = {96, 33, 80};

typedef struct problem {
    r1i_weight w[JOBS];
    kit_weight made[JOBS], a, b;
    r1i_lora lora;
    float *x, *up, *gain;
    int64_t cols;
} problem;

static void problem_make(problem *p, r1i_rng *rng, r1_dtype type, int64_t cols, bool lora)
{
    *p = (problem){.cols = cols};
    for (int i = 0; i < JOBS; i++) {
        kit_weight_make(&p->made[i], rng, type, outputs[i], cols);
        p->w[i] = p->made[i].panel;
    }
    p->x = kit_random(rng, cols, 1.0);
    p->up = kit_random(rng, cols, 1.0);
    p->gain = kit_random(rng, cols, 1.0);
    p->x[cols / 3] = 40.0f; /* a group with a fine term */
    if (!lora) return;
    kit_weight_make(&p->a, rng, R1_DTYPE_F32, RANK, cols);
    kit_weight_make(&p->b, rng, R1_DTYPE_F32, outputs[1], RANK);
    p->lora = (r1i_lora){p->a.panel, p->b.panel, 0.5f};
    p->w[1].lora = &p->lora;
}

static void problem_free(problem *p)
{
    for (int i = 0; i < JOBS; i++) kit_weight_free(&p->made[i]);
    if (p->w[1].lora) {
        kit_weight_free(&p->a);
        kit_weight_free(&p->b);
    }
    kit_free(p->x);
    kit_free(p->up);
    kit_free(p->gain);
}

typedef enum what { NORM, NORM_IN_PLACE, GATE, PLAIN, WAYS } what;

/* y of all jobs, one after the other. later: as the model has it, else one step after the other. x is a copy. */
static float *run(kit *k, const problem *p, what way, bool later)
{
    float *const y = kit_floats(outputs[0] + outputs[1] + outputs[2]), *const x = kit_floats(p->cols),
                 *const room = kit_floats(p->cols);
    const r1i_mat xm = r1i_mat_of(x, 1, p->cols), h = way == NORM ? r1i_mat_of(room, 1, p->cols) : xm,
                  up = r1i_mat_of(p->up, 1, p->cols);
    const unsigned kinds = r1i_act_kind(&k->ex, &p->w[0]);
    r1i_act act;
    memcpy(x, p->x, sizeof(float) * (size_t)p->cols);
    if (later && way <= NORM_IN_PLACE) {
        assert_int_equal(r1i_act_norm(&k->ex, &act, h, xm, p->gain, 1e-6f, kinds), R1_OK);
    } else if (later) {
        assert_int_equal(r1i_act_later(&k->ex, &act, xm, way == GATE ? up : (r1i_mat){0}, kinds), R1_OK);
    } else {
        if (way <= NORM_IN_PLACE) assert_int_equal(r1i_rmsnorm(&k->ex, h, xm, p->gain, 1e-6f), R1_OK);
        if (way == GATE) assert_int_equal(r1i_silu_mul(&k->ex, xm, xm, up), R1_OK);
        assert_int_equal(r1i_act_make(&k->ex, &act, h, kinds), R1_OK);
    }
    r1i_linear_job jobs[JOBS];
    float *at = y;
    for (int i = 0; i < JOBS; at += outputs[i++])
        jobs[i] = (r1i_linear_job){.y = r1i_mat_of(at, 1, outputs[i]), .x = &act, .w = &p->w[i]};
    assert_int_equal(r1i_linear(&k->ex, jobs, JOBS), R1_OK);
    if (way == NORM) assert_memory_equal(x, p->x, sizeof(float) * (size_t)p->cols); /* the residual stream */
    r1i_arena_reset(&k->arena, 0);
    kit_free(x);
    kit_free(room);
    return y;
}

static void compare(kit *k, const problem *p)
{
    for (int way = 0; way < WAYS; way++) {
        float *const want = run(k, p, (what)way, false);
        for (int round = 0; round < ROUNDS; round++) { /* threads meet otherwise each time */
            float *const got = run(k, p, (what)way, true);
            assert_bits_equal(got, want, outputs[0] + outputs[1] + outputs[2]);
            kit_free(got);
        }
        kit_free(want);
    }
}

static void test_same_bytes(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED};
    for (int c = 0; c < TYPES * WIDTHS * 2; c++) {
        const r1_dtype type = types[c % TYPES];
        const int64_t cols = widths[c / TYPES % WIDTHS];
        problem p;
        if (cols % r1i_dtype(type)->block_elems != 0) continue;
        problem_make(&p, &rng, type, cols, c >= TYPES * WIDTHS);
        for (int i = 0; i < KIT_ISAS * 2; i++) {
            kit k;
            if (!kit_open(&k, kit_isa[i / 2], i % 2 ? 3 : 1)) continue;
            compare(&k, &p);
            kit_close(&k);
        }
        problem_free(&p);
    }
}

/* What is not left to the products is there at once: more rows than one, and compute bf16. */
static void test_at_once(void **state)
{
    (void)state;
    r1i_rng rng = {.seed = SEED + 1};
    kit k;
    assert_true(kit_open(&k, "auto", 2));
    for (int64_t rows = 1; rows <= 2; rows++) {
        float *const x = kit_random(&rng, rows * 64, 1.0), *const gain = kit_random(&rng, 64, 1.0),
                     *const y = kit_floats(rows * 64), *const want = kit_floats(rows * 64);
        const r1i_mat xm = r1i_mat_of(x, rows, 64);
        const unsigned kinds = rows == 1 ? R1I_ACT_BF16 : R1I_ACT_Q8;
        r1i_act act;
        assert_int_equal(r1i_rmsnorm(&k.ex, r1i_mat_of(want, rows, 64), xm, gain, 1e-5f), R1_OK);
        assert_int_equal(r1i_act_norm(&k.ex, &act, r1i_mat_of(y, rows, 64), xm, gain, 1e-5f, kinds), R1_OK);
        assert_false(act.later);
        assert_bits_equal(y, want, rows * 64);
        r1i_arena_reset(&k.arena, 0);
        kit_free(x);
        kit_free(gain);
        kit_free(y);
        kit_free(want);
    }
    float x[64] = {0};
    r1i_act act;
    assert_int_equal(r1i_act_norm(&k.ex, &act, r1i_mat_of(x, 1, 32), r1i_mat_of(x, 1, 64), x, 1e-5f, 0), R1_ERR_SHAPE);
    kit_close(&k);
}

int main(void)
{
    print_message("seed %d\n", SEED);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_bytes), cmocka_unit_test(test_at_once)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
