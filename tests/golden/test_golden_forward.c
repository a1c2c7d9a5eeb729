/* Every golden checkpoint against its float64 reference: logits and hidden states within 1e-4 of their standard
 * deviation, experts equal, gates within 1e-5, MTP logits as the logits. Compute f32, exact activations.
 * R1_GOLDEN_DIR names another folder of such checkpoints (other shapes and seeds of make_tiny.py). */
#include <dirent.h>
#include <math.h>

#include "backend/cpu/kernels.h"
#include "format/store.h"
#include "support/golden.h"
#include "support/model_run.h"
#include "support/test.h"

typedef struct check {
    const char *folder;
    r1i_store *expect;
    int sequence;
    const int32_t *token;
    int64_t n;
    double worst_logit, worst_hidden, worst_gate, worst_mtp; /* in standard deviations; gates absolute */
    int64_t other_experts;
} check;

static const r1i_entry *find(const check *g, const char *fmt, int64_t layer, const char *what)
{
    char name[96];
    if (layer < 0) snprintf(name, sizeof name, "%s.%d", fmt, g->sequence);
    else snprintf(name, sizeof name, "%s.%d.%d.%s", fmt, g->sequence, (int)layer, what);
    return r1i_store_find(g->expect, name);
}

static float at(const uint8_t *data, int64_t i)
{
    float x;
    memcpy(&x, data + i * 4, sizeof x);
    return x;
}

/* Largest difference over n values, in standard deviations of the expected ones. */
static double compare(const float *got, const uint8_t *want, int64_t n)
{
    double sum = 0, squares = 0, worst = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)at(want, i);
    for (int64_t i = 0; i < n; i++)
        squares += ((double)at(want, i) - sum / (double)n) * ((double)at(want, i) - sum / (double)n);
    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)got[i] - (double)at(want, i));
        if (!(d <= worst)) worst = d; /* a NaN stays */
    }
    return worst / sqrt(squares / (double)n);
}

static void keep_worst(double *worst, double x)
{
    if (!(x <= *worst)) *worst = x;
}

static void on_hidden(void *user, int64_t layer, r1i_mat x)
{
    check *const g = user;
    const r1i_entry *const e = find(g, "hidden", -1, NULL);
    if (!e) return;
    assert_int_equal(x.rows, g->n);
    assert_int_equal(x.cols, e->dim[2]);
    assert_true(layer < e->dim[0]);
    keep_worst(&g->worst_hidden, compare(x.p, e->data + layer * g->n * x.cols * 4, g->n * x.cols));
}

static void on_router(void *user, int64_t layer, int64_t rows, int64_t topk, const int32_t *expert, const float *weight)
{
    check *const g = user;
    const r1i_entry *const e = find(g, "router", layer, "expert"), *const w = find(g, "router", layer, "weight");
    assert_non_null(e);
    assert_non_null(w);
    assert_int_equal(e->dim[0], rows);
    assert_int_equal(e->dim[1], topk);
    for (int64_t i = 0; i < rows * topk; i++) {
        int32_t want;
        memcpy(&want, e->data + i * 4, sizeof want);
        if (want != expert[i]) g->other_experts++;
        else keep_worst(&g->worst_gate, fabs((double)weight[i] - (double)at(w->data, i)));
    }
}

static void check_mtp(check *g, model_run *r, const float *hidden)
{
    const r1i_entry *const e = find(g, "mtp_logits", -1, NULL);
    const int64_t n = g->n - 1, vocab = r->m->config.vocab_size;
    if (!e || n < 1) return;
    assert_non_null(r->m->mtp);
    float *const logits = malloc((size_t)(n * vocab) * sizeof *logits);
    int32_t row[512], pages[16];
    assert_true(n <= 512);
    for (int i = 0; i < 512; i++) row[i] = i;
    for (int i = 0; i < 16; i++) pages[i] = i;
    const r1i_run run = {.n = n, .pages = pages};
    const r1i_batch b = {.token = g->token, .n = n, .runs = &run, .n_runs = 1, .logit_row = row, .n_logits = n};
    const r1i_mat h = r1i_mat_of((float *)(uintptr_t)hidden, n, r->m->config.hidden_size);
    const r1_status st = r1i_forward_mtp(&r->ex, r->m, 0, &r->kv, &b, g->token + 1, h, r1i_mat_of(logits, n, vocab));
    if (st != R1_OK) fail_msg("mtp: %s", r->err.message);
    keep_worst(&g->worst_mtp, compare(logits, e->data, n * vocab));
    free(logits);
}

static void check_sequence(check *g, model_run *r, int32_t *token)
{
    const r1i_entry *const t = find(g, "tokens", -1, NULL), *const want = find(g, "logits", -1, NULL);
    const int64_t n = t->dim[0], vocab = r->m->config.vocab_size;
    assert_true(n <= 512);
    memcpy(token, t->data, (size_t)n * sizeof *token);
    g->token = token;
    g->n = n;
    float *const logits = malloc((size_t)(n * vocab) * sizeof *logits);
    float *const hidden = malloc((size_t)(n * r->m->config.hidden_size) * sizeof *hidden);
    const r1i_probe probe = {.hidden = on_hidden, .router = on_router, .user = g};
    model_run_all(r, token, n, logits, hidden, &probe);
    keep_worst(&g->worst_logit, compare(logits, want->data, n * vocab));
    check_mtp(g, r, hidden);
    free(hidden);
    free(logits);
}

static bool check_folder(const char *folder, const char *isa)
{
    char path[1500];
    int32_t token[512];
    check g = {.folder = folder};
    r1_error err;
    snprintf(path, sizeof path, "%s/expect.safetensors", folder);
    if (r1i_store_open(path, NULL, &g.expect, &err) != R1_OK) fail_msg("%s", err.message);
    r1_model_params params = r1_model_params_default();
    params.exact_activations = true;
    params.load_mtp = true;
    params.isa = isa;
    model_run r;
    model_run_open(&r, folder, &params, 256, 4, R1I_CACHE_F32, 2);
    for (g.sequence = 0; find(&g, "tokens", -1, NULL); g.sequence++) check_sequence(&g, &r, token);
    assert_true(g.sequence > 0);
    const bool ok = g.worst_logit <= 1e-4 && g.worst_hidden <= 1e-4 && g.worst_gate <= 1e-5 && g.worst_mtp <= 1e-4 &&
        g.other_experts == 0;
    printf("%-18s %-5s logits %.1e  hidden %.1e  mtp %.1e  gates %.1e  other experts %lld%s\n",
           strrchr(folder, '/') + 1, isa, g.worst_logit, g.worst_hidden, g.worst_mtp, g.worst_gate,
           (long long)g.other_experts, ok ? "" : "  <- FAILS");
    model_run_close(&r);
    r1_model_close(r.m);
    r1i_store_close(g.expect);
    return ok;
}

static char root[1024];
/* Every row of the op table is forced in turn; those that this processor lacks are left out. */
static const char *const isa[] = {"c", "avx2", "avx512", "neon"};

static void test_golden_forward(void **state)
{
    (void)state;
    DIR *const d = opendir(root);
    assert_non_null(d);
    int folders = 0, failed = 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char folder[1400], expect[1500];
        snprintf(folder, sizeof folder, "%s/%s", root, e->d_name);
        snprintf(expect, sizeof expect, "%s/expect.safetensors", folder);
        if (e->d_name[0] == '.' || !r1i_file_exists(expect)) continue;
        folders++;
        for (size_t i = 0; i < sizeof isa / sizeof *isa; i++) {
            r1i_cpu_kernels kernels;
            if (r1i_cpu_select(isa[i], &kernels, NULL) == R1_OK) failed += !check_folder(folder, isa[i]);
        }
    }
    closedir(d);
    assert_true(folders > 0);
    assert_int_equal(failed, 0);
}

int main(void)
{
    const char *const given = getenv("R1_GOLDEN_DIR");
    if (given) snprintf(root, sizeof root, "%s", given);
    else if (!golden_path(root, sizeof root, "golden")) return 77;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden_forward)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
