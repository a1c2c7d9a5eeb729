/* The bit contract on the whole forward: a sequence's logits are the same bytes alone and among random neighbours,
 * whole and in chunks, on any pages, with any number of threads, from every instruction set - for every weight type
 * that the contract names, on every architecture, with both cache types. The tests count the rows that each op was
 * given, and one sum that is added in another order on purpose must be noticed. */
#include "support/test.h"

#include <math.h>
#include <time.h>

#include "backend/cpu/kernels.h"
#include "base/rng.h"
#include "support/model_run.h"
#include "support/tiny_model.h"

enum { LENGTH = 130, LONG = 560, MAX_ROWS = 640, VOCAB = 320, PAGES = 48, MAX_SEQUENCES = 33, NEIGHBOUR = 40 };

static r1i_rng rng;
static int64_t below(int64_t n) { return (int64_t)r1i_rng_below(&rng, (uint64_t)n); }

/* ---- rows that ops were given ------------------------------------------------------------------------------------ */

typedef struct counts {
    int64_t linear_rows, attention_calls, attention_rows, embed_rows;
} counts;

static void count_op(void *user, const char *op, int64_t rows)
{
    counts *const c = user;
    if (strcmp(op, "linear") == 0) c->linear_rows += rows;
    if (strcmp(op, "embed") == 0) c->embed_rows += rows;
    if (strcmp(op, "attention") == 0) c->attention_calls++, c->attention_rows += rows;
}

/* Rows of all products of a forward of n rows: each must have met all rows at once, not a loop over them. */
static void check_counts(const r1_model *m, const counts *c, int64_t n, int64_t n_logits)
{
    const r1i_config *const f = &m->config;
    int64_t want = n_logits;
    for (int64_t i = 0; i < f->num_hidden_layers; i++) {
        want += m->attn.mla ? n * (4 + 2 * m->attn.heads) : n * 4;
        want += m->layer[i].moe ? n * (1 + 3 * f->num_experts_per_tok + 3) : n * 3;
    }
    assert_int_equal(c->linear_rows, want);
    assert_int_equal(c->embed_rows, n);
    assert_int_equal(c->attention_calls, f->num_hidden_layers);
    assert_int_equal(c->attention_rows, n * f->num_hidden_layers);
}

/* ---- one sequence, fed in any way -------------------------------------------------------------------------------- */

/* How the target sequence is fed. */
typedef struct feed {
    int64_t chunk;     /* rows of the target a forward; 0: random, 1 to 40 */
    int64_t sequences; /* in the batch, the target among them */
} feed;

typedef struct sequence {
    int32_t token[MAX_ROWS], pages[16];
    int64_t length, at;
} sequence;

/* Hands the sequences physical pages in random order. */
static void deal_pages(sequence *s, int64_t n, int64_t target_pages)
{
    int32_t page[PAGES];
    int64_t used = 0;
    for (int i = 0; i < PAGES; i++) page[i] = i;
    for (int i = PAGES - 1; i > 0; i--) {
        const int64_t j = below(i + 1);
        const int32_t t = page[i];
        page[i] = page[j];
        page[j] = t;
    }
    for (int64_t k = 0; k < n; k++)
        for (int64_t i = 0; i < (k == 0 ? target_pages : 1); i++) s[k].pages[i] = page[used++];
    assert_true(used <= PAGES);
}

/* logits [length, VOCAB] of `token`. */
static void run_target(model_run *r, const int32_t *token, int64_t length, feed f, float *logits)
{
    static sequence s[MAX_SEQUENCES];
    static float batch_logits[MAX_ROWS * VOCAB];
    int32_t ids[MAX_ROWS], rows[MAX_ROWS];
    r1i_run runs[MAX_SEQUENCES];
    memset(s, 0, sizeof s);
    memcpy(s[0].token, token, (size_t)length * sizeof *token);
    s[0].length = length;
    deal_pages(s, f.sequences, (length + R1I_PAGE - 1) / R1I_PAGE);
    while (s[0].at < length) {
        int64_t n = 0, n_logits = 0, first = 0, mine = f.chunk ? f.chunk : 1 + below(40);
        if (mine > length - s[0].at) mine = length - s[0].at;
        const int64_t place = below(f.sequences); /* the target is the place-th run */
        for (int64_t k = 0; k < f.sequences; k++) {
            const int64_t which = k == place ? 0 : k == 0 ? place : k;
            sequence *const q = &s[which];
            if (which && q->at == q->length) { /* a neighbour begins anew, on the same page */
                q->at = 0;
                q->length = 1 + below(NEIGHBOUR);
                for (int64_t i = 0; i < q->length; i++) q->token[i] = (int32_t)below(VOCAB);
            }
            const int64_t left = q->length - q->at;
            const int64_t take = which ? 1 + below(left < 5 ? left : 5) : mine;
            runs[k] = (r1i_run){.first = n, .n = take, .pos0 = q->at, .pages = q->pages};
            if (!which) first = n_logits;
            for (int64_t i = 0; i < take; i++) {
                ids[n + i] = q->token[q->at + i];
                if (!which || below(3) == 0) rows[n_logits++] = (int32_t)(n + i);
            }
            n += take;
            q->at += take;
        }
        const r1i_batch b = {.token = ids, .n = n, .runs = runs, .n_runs = f.sequences, .logit_row = rows,
                             .n_logits = n_logits};
        counts c = {0};
        r->ex.trace = count_op;
        r->ex.trace_user = &c;
        if (r1i_forward(&r->ex, r->m, &r->kv, &b, r1i_mat_of(batch_logits, n_logits, VOCAB), NULL, NULL) != R1_OK)
            fail_msg("forward: %s", r->err.message);
        check_counts(r->m, &c, n, n_logits);
        memcpy(logits + (s[0].at - mine) * VOCAB, batch_logits + first * VOCAB,
               (size_t)(mine * VOCAB) * sizeof *logits);
    }
}

/* ---- one model --------------------------------------------------------------------------------------------------- */

typedef struct variant {
    feed how;
    int threads;
    const char *isa;
    int64_t length; /* of the target's beginning that is compared; plain C is slow */
} variant;

static const variant variants[] = {
    {{LENGTH, 1}, 2, "auto", LENGTH}, {{1, 1}, 3, "auto", LENGTH},  {{3, 1}, 1, "auto", LENGTH},
    {{64, 1}, 2, "auto", LENGTH},
    {{0, 2}, 1, "auto", LENGTH},      {{0, 7}, 3, "auto", LENGTH},  {{0, 33}, 2, "auto", LENGTH},
    {{64, 1}, 2, "avx2", LENGTH},
    {{0, 7}, 1, "avx2", LENGTH},      {{1, 1}, 1, "avx512", LENGTH}, {{LENGTH, 1}, 2, "avx512", LENGTH},
    {{0, 2}, 2, "c", 70},
};

typedef struct subject {
    const char *what;
    r1_model *m;
    r1i_cache_type cache;
    bool own_bits; /* compute bf16: every instruction set has its own */
} subject;

static void target_tokens(int32_t *token, int64_t n)
{
    for (int64_t i = 0; i < n; i++) token[i] = (int32_t)below(VOCAB);
}

/* First differing logit, or -1. */
static int64_t differs(const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0) return i;
    return -1;
}

static void check_subject(const subject *s, bool brief)
{
    static float want[LENGTH * VOCAB], got[LENGTH * VOCAB];
    int32_t token[LENGTH];
    model_run r;
    target_tokens(token, LENGTH);
    model_run_wrap(&r, s->m, MAX_ROWS, PAGES, s->cache, 1);
    run_target(&r, token, LENGTH, (feed){LENGTH, 1}, want);
    model_run_close(&r);
    for (int64_t i = 0; i < LENGTH * VOCAB; i++) assert_true(isfinite(want[i]));
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++) {
        const variant *const v = &variants[i];
        r1i_cpu_kernels kernels;
        if (brief && (i % 2 == 0 || strcmp(v->isa, "c") == 0)) continue;
        if (s->own_bits && strcmp(v->isa, "auto") != 0) continue;
        if (r1i_cpu_select(v->isa, &kernels, NULL) != R1_OK) continue; /* this processor lacks it */
        model_run_wrap(&r, s->m, MAX_ROWS, PAGES, s->cache, v->threads);
        r.ex.backend = &kernels;
        run_target(&r, token, v->length, v->how, got);
        model_run_close(&r);
        const int64_t at = differs(want, got, v->length * VOCAB);
        if (at >= 0)
            fail_msg("%s: chunks of %d among %d sequences, %d threads, %s: position %d, id %d: %a alone, %a here",
                     s->what, (int)v->how.chunk, (int)v->how.sequences, v->threads, v->isa, (int)(at / VOCAB),
                     (int)(at % VOCAB), (double)want[at], (double)got[at]);
    }
}

static char dir[256], path[512];

static r1_model *make(r1i_arch arch, r1_dtype type, r1_compute compute, bool exact)
{
    const tiny_model t = {.arch = arch, .type = type, .seed = r1i_rng_u64(&rng)};
    r1_model_params params = r1_model_params_default();
    r1_error err;
    r1_model *m;
    params.compute = compute;
    params.exact_activations = exact;
    tiny_model_write(&t, dir, path);
    if (r1_model_open(path, &params, NULL, &m, &err) != R1_OK) fail_msg("%s", err.message);
    return m;
}

static void check_types(r1i_arch arch)
{
    static const r1_dtype types[] = {R1_DTYPE_F32, R1_DTYPE_BF16, R1_DTYPE_F8_E4M3, R1_DTYPE_Q4_K, R1_DTYPE_Q8_0};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        r1_model *const m = make(arch, types[i], R1_COMPUTE_F32, false);
        check_subject(&(subject){r1_dtype_name(types[i]), m, R1I_CACHE_BF16, false}, false);
        check_subject(&(subject){r1_dtype_name(types[i]), m, R1I_CACHE_F32, false}, true);
        r1_model_close(m);
    }
    r1_model *const bf16 = make(arch, R1_DTYPE_BF16, R1_COMPUTE_BF16, false);
    check_subject(&(subject){"compute bf16", bf16, R1I_CACHE_BF16, true}, true);
    r1_model_close(bf16);
    r1_model *const exact = make(arch, R1_DTYPE_Q4_K, R1_COMPUTE_F32, true);
    check_subject(&(subject){"Q4_K, exact activations", exact, R1I_CACHE_BF16, false}, true);
    r1_model_close(exact);
}

static void test_deepseek_v3(void **state) { (void)state; check_types(R1I_DEEPSEEK_V3); }
static void test_qwen2(void **state) { (void)state; check_types(R1I_QWEN2); }
static void test_llama(void **state) { (void)state; check_types(R1I_LLAMA); }

/* Beyond one span of 512 positions, where results of spans are merged. */
static void test_long(void **state)
{
    (void)state;
    static float want[LONG * VOCAB], got[LONG * VOCAB];
    static const variant how[] = {{{512, 1}, 2, "auto", LONG}, {{64, 1}, 3, "avx2", LONG}, {{0, 7}, 2, "auto", LONG}};
    for (int arch = R1I_DEEPSEEK_V3; arch <= R1I_LLAMA; arch++) {
        int32_t token[LONG];
        model_run r;
        r1_model *const m = make((r1i_arch)arch, R1_DTYPE_BF16, R1_COMPUTE_F32, false);
        target_tokens(token, LONG);
        for (size_t i = 0; i <= sizeof how / sizeof *how; i++) {
            r1i_cpu_kernels kernels;
            const variant v = i ? how[i - 1] : (variant){{LONG, 1}, 1, "auto", LONG};
            if (r1i_cpu_select(v.isa, &kernels, NULL) != R1_OK) continue;
            model_run_wrap(&r, m, MAX_ROWS, PAGES, R1I_CACHE_BF16, v.threads);
            r.ex.backend = &kernels;
            run_target(&r, token, LONG, v.how, i ? got : want);
            model_run_close(&r);
            const int64_t at = i ? differs(want, got, LONG * VOCAB) : -1;
            if (at >= 0) fail_msg("architecture %d, variant %d: position %d differs", arch, (int)i, (int)(at / VOCAB));
        }
        r1_model_close(m);
    }
}

/* The MTP layer in one piece and in chunks: its pages hold the same. */
static void test_mtp_in_chunks(void **state)
{
    (void)state;
    enum { N = 100 };
    static float hidden[N * 256], logits[N * VOCAB], want[N * VOCAB], got[N * VOCAB];
    const tiny_model t = {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_F8_E4M3, .mtp = true, .seed = r1i_rng_u64(&rng)};
    r1_model_params params = r1_model_params_default();
    int32_t token[N + 1], row[N];
    const int32_t pages[2] = {3, 1};
    model_run r;
    params.load_mtp = true;
    tiny_model_write(&t, dir, path);
    model_run_open(&r, path, &params, MAX_ROWS, 4, R1I_CACHE_BF16, 2);
    target_tokens(token, N + 1);
    for (int i = 0; i < N; i++) row[i] = i;
    model_run_all(&r, token, N, logits, hidden, NULL);
    static const int64_t chunks[] = {N, 1, 3, 64};
    const int64_t d = r.m->config.hidden_size;
    for (size_t k = 0; k < sizeof chunks / sizeof *chunks; k++) {
        for (int64_t at = 0; at < N; at += chunks[k]) {
            const int64_t n = at + chunks[k] < N ? chunks[k] : N - at;
            const r1i_run run = {.n = n, .pos0 = at, .pages = pages};
            const r1i_batch b = {.token = token + at, .n = n, .runs = &run, .n_runs = 1, .logit_row = row,
                                 .n_logits = n};
            const r1i_mat out = r1i_mat_of((k ? got : want) + at * VOCAB, n, VOCAB);
            if (r1i_forward_mtp(&r.ex, r.m, 0, &r.kv, &b, token + at + 1, r1i_mat_of(hidden + at * d, n, d), out) !=
                R1_OK)
                fail_msg("mtp: %s", r.err.message);
        }
        if (k) assert_int_equal(differs(want, got, N * VOCAB), -1);
    }
    model_run_close(&r);
    r1_model_close(r.m);
}

/* ---- and the test itself must be able to fail -------------------------------------------------------------------- */

static r1i_linear_kernel honest;

/* As the kernel it stands for, but with more than one row, output 0 of the last row is summed from the other end. */
static void reordered(const r1i_linear_job *job, int64_t p0, int64_t p1)
{
    float w[512];
    honest(job, p0, p1);
    const int64_t last = job->x->x.rows - 1;
    if (p0 > 0 || last < 1 || job->bias || job->add || job->w->cols > 512) return;
    r1i_weight_row(job->w, 0, w);
    const float *const x = job->x->x.p + last * job->x->x.stride;
    float acc = 0;
    for (int64_t k = job->w->cols - 1; k >= 0; k--) acc = fmaf(x[k], w[k], acc);
    job->y.p[last * job->y.stride] = acc;
}

static void test_a_reordered_sum_is_noticed(void **state)
{
    (void)state;
    static float want[LENGTH * VOCAB], got[LENGTH * VOCAB];
    for (int arch = R1I_DEEPSEEK_V3; arch <= R1I_LLAMA; arch++) {
        int32_t token[LENGTH];
        model_run r;
        r1i_cpu_kernels kernels;
        r1_model *const m = make((r1i_arch)arch, R1_DTYPE_BF16, R1_COMPUTE_F32, false);
        target_tokens(token, LENGTH);
        assert_int_equal(r1i_cpu_select("auto", &kernels, NULL), R1_OK);
        honest = kernels.linear_f32[R1_DTYPE_BF16];
        kernels.linear_f32[R1_DTYPE_BF16] = reordered;
        model_run_wrap(&r, m, MAX_ROWS, PAGES, R1I_CACHE_F32, 1);
        r.ex.backend = &kernels;
        run_target(&r, token, LENGTH, (feed){LENGTH, 1}, want);
        run_target(&r, token, LENGTH, (feed){3, 1}, got);
        assert_true(differs(want, got, LENGTH * VOCAB) >= 0);
        model_run_close(&r);
        r1_model_close(m);
    }
}

static int setup(void **state)
{
    (void)state;
    const char *const given = getenv("R1_SEED");
    rng = (r1i_rng){.seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};
    printf("seed %llu, rows of the op table:", (unsigned long long)rng.seed);
    static const char *const isa[] = {"c", "avx2", "avx512", "neon"};
    for (size_t i = 0; i < sizeof isa / sizeof *isa; i++) {
        r1i_cpu_kernels k;
        if (r1i_cpu_select(isa[i], &k, NULL) == R1_OK) printf(" %s", isa[i]);
    }
    printf("\n");
    tiny_folder_make(dir);
    return 0;
}
static int teardown(void **state)
{
    (void)state;
    tiny_folder_remove(dir);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deepseek_v3), cmocka_unit_test(test_qwen2), cmocka_unit_test(test_llama),
        cmocka_unit_test(test_long), cmocka_unit_test(test_mtp_in_chunks),
        cmocka_unit_test(test_a_reordered_sum_is_noticed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
