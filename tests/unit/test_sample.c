/* Laws of the sampler: known answers for each setting, the truncation sets against a plain sort, the distribution. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "sample/sample.h"

enum { V = 1000 };

typedef struct fixture {
    r1i_sampler s;
    void *memory;
} fixture;

static int set_up(void **state)
{
    fixture *const f = calloc(1, sizeof *f);
    f->memory = r1i_alloc(NULL, r1i_sampler_bytes(V));
    r1i_sampler_init(&f->s, V, f->memory);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    fixture *const f = *state;
    for (int i = 0; i < V; i++) assert_int_equal(f->s.count[i], 0); /* every call leaves the counters clean */
    r1i_release(NULL, f->memory, r1i_sampler_bytes(V));
    free(f);
    return 0;
}

static r1_sampling plain(float temperature)
{
    r1_sampling p = r1_sampling_default();
    p.temperature = temperature;
    p.top_p = 1.0f;
    return p;
}

static int32_t sample(fixture *f, const r1_sampling *p, const float *z, int64_t n, int64_t position)
{
    int32_t id;
    r1_error err = {0};
    const int32_t zero[64] = {0};
    const r1i_sample_history h = {.prompt = zero, .output = zero, .n_prompt = 0, .n_output = position};
    assert_int_equal(r1i_sample(&f->s, p, &h, z, n, NAN, &id, &err), R1_OK);
    return id;
}

static void test_defaults(void **state)
{
    (void)state;
    const r1_sampling p = r1_sampling_default();
    assert_true(p.temperature == 0.6f && p.top_p == 0.95f && p.top_k == 0 && p.repetition_penalty == 1.0f);
}

static void test_greedy(void **state)
{
    const r1_sampling p = plain(0.0f);
    const float z[6] = {-1.0f, 3.0f, 2.0f, 3.0f, 9.0f, NAN};
    assert_int_equal(sample(*state, &p, z, 4, 0), 1); /* lowest id of a tie; ids 4 and 5 are undefined, not looked at */
    assert_int_equal(sample(*state, &p, z, 5, 0), 4);
}

/* Rows longer than what is searched at a time, a handful of values, so that the largest occurs often. */
static void test_greedy_is_the_first(void **state)
{
    enum { N = 5000 };
    static float z[N];
    const r1_sampling p = plain(0.0f);
    r1i_rng rng = {7, 0};
    for (int round = 0; round < 400; round++) {
        const int64_t n = 1 + (int64_t)(r1i_rng_double(&rng) * (N - 1)), values = round % 5 == 0 ? 3 : 3000;
        int64_t best = 0;
        for (int64_t i = 0; i < n; i++) {
            z[i] = (float)(int64_t)(r1i_rng_double(&rng) * (double)values) - 2.0f * (float)values;
            if (z[i] > z[best]) best = i;
        }
        assert_int_equal(sample(*state, &p, z, n, 0), best);
    }
}

static void test_bad_logits(void **state)
{
    fixture *const f = *state;
    const r1_sampling p = plain(1.0f);
    const r1i_sample_history h = {0};
    float z[4] = {0.0f, NAN, 1.0f, 2.0f};
    int32_t id;
    r1_error err = {0};
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 4, NAN, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "token 1 is not a number"));
    assert_int_equal(id, -1);
    z[1] = INFINITY;
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 4, NAN, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "infinite"));
    for (int i = 0; i < 4; i++) z[i] = -INFINITY;
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 4, NAN, &id, &err), R1_ERR_RANGE);
    assert_non_null(strstr(err.message, "forbidden"));
}

static void test_bias(void **state)
{
    const float z[5] = {1.0f, 2.0f, 3.0f, 2.5f, 0.0f};
    r1_sampling p = plain(0.0f);
    r1_logit_bias ban[] = {{2, -INFINITY}};
    p.logit_bias = ban;
    p.n_logit_bias = 1;
    assert_int_equal(sample(*state, &p, z, 5, 0), 3);
    r1_logit_bias lift[] = {{0, 1.75f}, {0, 0.5f}}; /* two entries for an id add up */
    p.logit_bias = lift;
    p.n_logit_bias = 2;
    assert_int_equal(sample(*state, &p, z, 5, 0), 0);
    r1_logit_bias force[] = {{4, INFINITY}, {1, INFINITY}, {1, -INFINITY}};
    p.logit_bias = force;
    p.n_logit_bias = 3;
    for (int t = 0; t < 2; t++) {
        p.temperature = (float)t;
        for (int i = 0; i < 20; i++) assert_int_equal(sample(*state, &p, z, 5, i), 4);
    }
}

static void test_penalties(void **state)
{
    fixture *const f = *state;
    const int32_t prompt[] = {0, 0, 5}, output[] = {1, 1, 1, 2};
    const r1i_sample_history h = {.prompt = prompt, .output = output, .n_prompt = 3, .n_output = 4};
    const float z[6] = {4.0f, 6.0f, -1.0f, 2.5f, -3.0f, -1.5f};
    int32_t id;
    r1_sampling p = plain(0.0f);
    p.repetition_penalty = 2.0f; /* 2, 3, -2, 2.5, -3, -3 */
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 6, NAN, &id, NULL), R1_OK);
    assert_int_equal(id, 1);
    const float after_repetition[6] = {2.0f, 3.0f, -2.0f, 2.5f, -3.0f, -3.0f};
    assert_memory_equal(f->s.adjusted, after_repetition, sizeof after_repetition);
    p.frequency_penalty = 0.5f; /* id 1: 3 - 3 * 0.5, id 2: -2 - 0.5 */
    p.presence_penalty = 0.25f;
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 6, NAN, &id, NULL), R1_OK);
    assert_int_equal(id, 3);
    const float after_all[6] = {2.0f, 1.25f, -2.75f, 2.5f, -3.0f, -3.0f};
    assert_memory_equal(f->s.adjusted, after_all, sizeof after_all);
    p.repetition_penalty = 1.0f;
    assert_int_equal(r1i_sample(&f->s, &p, &h, z, 6, NAN, &id, NULL), R1_OK);
    const float without_repetition[6] = {4.0f, 4.25f, -1.75f, 2.5f, -3.0f, -1.5f};
    assert_memory_equal(f->s.adjusted, without_repetition, sizeof without_repetition);
}

/* ---- truncation -------------------------------------------------------------------------------------------------- */

static const float *order_by;
static int descending(const void *a, const void *b)
{
    const int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    if (order_by[x] != order_by[y]) return order_by[x] > order_by[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

/* What the sampler keeps lies in s.id after the call (its count cannot be seen, so it is recovered from the weights):
 * the ids are ascending, which the model set is made to be as well. */
static int expected_set(const float *z, int n, const r1_sampling *p, bool *in, double *edge)
{
    int32_t id[V];
    double w[V], total = 0.0, sum = 0.0;
    int kept = 0;
    for (int i = 0; i < n; i++) id[i] = i;
    order_by = z;
    qsort(id, (size_t)n, sizeof *id, descending);
    int m = p->top_k > 0 && p->top_k < n ? p->top_k : n;
    for (int i = 0; i < m; i++) total += w[i] = exp(((double)z[id[i]] - (double)z[id[0]]) / (double)p->temperature);
    *edge = 1.0;
    memset(in, 0, V * sizeof *in);
    for (int i = 0; i < m; i++) {
        if (i > 0 && sum >= (double)p->top_p * total && p->top_p < 1.0f) break;
        sum += w[i];
        const double distance = fabs(sum / total - (double)p->top_p);
        if (distance < *edge) *edge = distance;
        if (w[i] < (double)p->min_p) continue;
        in[id[i]] = true;
        kept++;
    }
    return kept;
}

static void random_logits(r1i_rng *rng, float *z, int n)
{
    const int kind = (int)r1i_rng_below(rng, 4);
    for (int i = 0; i < n; i++) {
        const double x = r1i_rng_normal(rng);
        if (kind == 0) z[i] = (float)(4.0 * x);
        else if (kind == 1) z[i] = (float)(int)(2.0 * x); /* many ties, zeros of both signs */
        else if (kind == 2) z[i] = 1.0f;
        else z[i] = (float)(0.01 * x) - 3.0f;
        if (kind == 1 && z[i] == 0.0f && r1i_rng_below(rng, 2)) z[i] = -0.0f;
    }
}

/* The kept set equals the prefix of a full sort: smallest that reaches p, the crossing token included; every kept id
 * can be drawn and no other. */
static void test_truncation(void **state)
{
    fixture *const f = *state;
    r1i_rng rng = {20260101, 0};
    printf("seed %llu\n", (unsigned long long)rng.seed);
    for (int round = 0; round < 3000; round++) {
        float z[V];
        bool in[V];
        double edge;
        const int n = 1 + (int)r1i_rng_below(&rng, round % 10 ? 40 : V);
        random_logits(&rng, z, n);
        r1_sampling p = plain(0.25f + (float)r1i_rng_double(&rng) * 2.0f);
        if (r1i_rng_below(&rng, 2)) p.top_p = (float)r1i_rng_double(&rng);
        if (r1i_rng_below(&rng, 2)) p.top_k = (int32_t)r1i_rng_below(&rng, 50);
        if (r1i_rng_below(&rng, 3) == 0) p.min_p = (float)(0.5 * r1i_rng_double(&rng));
        const int kept = expected_set(z, n, &p, in, &edge);
        if (edge < 1e-12) continue; /* rounding may decide either way */
        p.seed = r1i_rng_u64(&rng);
        const int32_t id = sample(f, &p, z, n, 0);
        assert_true(in[id]);
        for (int i = 0, k = 0; i < n; i++)
            if (in[i]) assert_int_equal(f->s.id[k++], i);
        assert_true(kept == V || kept > 0);
        int drawn = 0;
        for (int i = 0; i < kept; i++) drawn += f->s.weight[i] > 0.0;
        assert_int_equal(drawn, kept);
    }
}

static void test_top_p_edges(void **state)
{
    const float z[3] = {logf(0.5f), logf(0.3f), logf(0.2f)};
    r1_sampling p = plain(1.0f);
    for (int i = 0; i < 200; i++) {
        p.seed = (uint64_t)i;
        p.top_p = 0.0f;
        assert_int_equal(sample(*state, &p, z, 3, 0), 0); /* at least one */
        p.top_p = 0.49f;
        assert_int_equal(sample(*state, &p, z, 3, 0), 0);
        p.top_p = 0.6f;
        assert_int_not_equal(sample(*state, &p, z, 3, 0), 2);
        p.top_p = 1.0f;
        p.top_k = 1;
        assert_int_equal(sample(*state, &p, z, 3, 0), 0);
        p.top_k = 0;
    }
}

/* ---- distribution ------------------------------------------------------------------------------------------------ */

static void test_distribution(void **state)
{
    enum { N = 12, DRAWS = 60000 };
    float z[N];
    double p[N], total = 0.0, chi = 0.0;
    int seen[N] = {0};
    r1_sampling s = plain(0.7f);
    for (int i = 0; i < N; i++) {
        z[i] = 0.3f * (float)((i * 7) % N) - 2.0f;
        total += p[i] = exp((double)z[i] / (double)0.7f);
    }
    for (int i = 0; i < DRAWS; i++) {
        s.seed = 99;
        s.step = (uint32_t)i / 20000;
        s.prompt = (uint32_t)i / 100 % 200;
        s.sample = (uint32_t)i / 10 % 10;
        seen[sample(*state, &s, z, N, i % 10)]++; /* 60,000 different (step, prompt, sample, position) */
    }
    for (int i = 0; i < N; i++) {
        const double expected = DRAWS * p[i] / total, d = seen[i] - expected;
        chi += d * d / expected;
    }
    printf("chi-square %.2f with 11 degrees of freedom\n", chi);
    assert_true(chi < 31.3); /* 0.999 quantile; the seeds are fixed */
    assert_true(chi > 1.6);  /* 0.0005 quantile: draws that are too even are not random */
}

/* A draw depends on its counter only, and known answers pin it. */
static void test_counter(void **state)
{
    float z[V];
    int32_t first[50];
    r1i_rng rng = {5, 0};
    r1_sampling p = r1_sampling_default();
    random_logits(&rng, z, V);
    p.temperature = 3.0f;
    p.seed = 7;
    int differ = 0;
    for (int i = 0; i < 50; i++) first[i] = sample(*state, &p, z, V, i);
    for (int i = 50; i-- > 0;) assert_int_equal(first[i], sample(*state, &p, z, V, i));
    p.sample = 1;
    for (int i = 0; i < 50; i++) differ += first[i] != sample(*state, &p, z, V, i);
    assert_true(differ > 25);
}

static void test_checks(void **state)
{
    (void)state;
    const struct { r1_sampling p; const char *names; } bad[] = {
        {{.temperature = -1.0f, .repetition_penalty = 1.0f}, "temperature"},
        {{.temperature = NAN, .repetition_penalty = 1.0f}, "temperature"},
        {{.top_p = 1.5f, .repetition_penalty = 1.0f}, "top_p"},
        {{.top_k = -1, .repetition_penalty = 1.0f}, "top_k"},
        {{.min_p = -0.5f, .repetition_penalty = 1.0f}, "min_p"},
        {{.repetition_penalty = 0.0f}, "repetition_penalty"},
        {{.repetition_penalty = 1.0f, .presence_penalty = INFINITY}, "presence"},
        {{.repetition_penalty = 1.0f, .top_logprobs = 21}, "top_logprobs"},
        {{.repetition_penalty = 1.0f, .logit_bias = &(r1_logit_bias){10, 0.0f}, .n_logit_bias = 1}, "id 10"},
        {{.repetition_penalty = 1.0f, .logit_bias = &(r1_logit_bias){1, NAN}, .n_logit_bias = 1}, "not a number"},
    };
    r1_error err;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (r1_error){0};
        assert_int_equal(r1i_sampling_check(&bad[i].p, 10, &err), R1_ERR_RANGE);
        assert_non_null(strstr(err.message, bad[i].names));
    }
    const r1_sampling fine = r1_sampling_default();
    assert_int_equal(r1i_sampling_check(&fine, 10, &err), R1_OK);
}

static void test_top_logprobs(void **state)
{
    (void)state;
    const float z[7] = {1.0f, 5.0f, 2.0f, 5.0f, -INFINITY, 4.0f, 9.0f};
    r1_logprob top[R1I_TOP_LOGPROBS];
    assert_int_equal(r1i_top_logprobs(z, 6, 0.5, 4, top), 4); /* id 6 is undefined */
    const int32_t want[] = {1, 3, 5, 2};
    for (int i = 0; i < 4; i++) {
        assert_int_equal(top[i].id, want[i]);
        assert_true(top[i].logprob == z[want[i]] - 0.5f);
    }
    assert_int_equal(r1i_top_logprobs(z, 3, 0.5, 20, top), 3);
    assert_int_equal(r1i_top_logprobs(z, 3, 0.5, 0, top), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(test_defaults), T(test_greedy), T(test_greedy_is_the_first), T(test_bad_logits), T(test_bias),
        T(test_penalties), T(test_truncation), T(test_top_p_edges), T(test_distribution), T(test_counter),
        T(test_checks), T(test_top_logprobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
