/* Real GGUF models beside the float32 reference in the shared data (golden/real), the reference's own ids fed back:
 * with exact activations every log-prob within 2e-3; with 8-bit activations the same top-1 wherever the reference's
 * margin is above 0.3 and a perplexity within 0.5 %. R1_MODELS_DIR names a folder that holds the files (or folders that
 * do); without it: skipped. */
#include "support/test.h"

#include <dirent.h>
#include <math.h>

#include "base/file.h"
#include "base/json.h"
#include "op/ops.h"
#include "support/golden.h"
#include "support/model_run.h"

static char models[512], real_dir[512];

/* DIR/name or DIR/<folder>/name. */
static bool find_model(const char *name, char path[1100])
{
    snprintf(path, 1100, "%s/%s", models, name);
    if (r1i_file_exists(path)) return true;
    DIR *const d = opendir(models);
    bool found = false;
    for (const struct dirent *e; d && !found && (e = readdir(d)) != NULL;) {
        if (e->d_name[0] == '.') continue;
        snprintf(path, 1100, "%s/%s/%s", models, e->d_name, name);
        found = r1i_file_exists(path);
    }
    if (d) closedir(d);
    return found;
}

typedef struct tally {
    double worst_logprob, perplexity, want_perplexity, worst_top_logit;
    int positions, differ, differ_clear; /* greedy: top-1 differs; where the margin is above 0.3 */
} tally;

static int64_t ids_of(const json_t *array, int32_t *out, int64_t at, int64_t max)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        assert_true(at < max);
        out[at++] = (int32_t)json_integer_value(json_array_get(array, i));
    }
    return at;
}

/* A prompt or chat: ids, then the reference's greedy answer. */
static void check_greedy(model_run *r, const json_t *item, float *logits, tally *t)
{
    int32_t token[512];
    const int64_t vocab = r->m->config.vocab_size;
    const json_t *const greedy = json_object_get(item, "greedy"), *const margin = json_object_get(item, "margin");
    const json_t *const top = json_object_get(item, "top10_id"),
                        *const top_logit = json_object_get(item, "top10_logit");
    const int64_t prompt = ids_of(json_object_get(item, "ids"), token, 0, 512), n = ids_of(greedy, token, prompt, 512);
    model_run_all(r, token, n, logits, NULL, NULL);
    for (int64_t i = prompt; i < n; i++) {
        const float *const z = logits + (i - 1) * vocab;
        int64_t best = 0;
        for (int64_t v = 1; v < vocab; v++)
            if (z[v] > z[best]) best = v;
        t->positions++;
        if (best == token[i]) continue;
        t->differ++;
        if (json_number_value(json_array_get(margin, (size_t)(i - prompt))) > 0.3) t->differ_clear++;
    }
    for (size_t k = 0; k < json_array_size(top); k++) {
        const double got = (double)logits[(prompt - 1) * vocab + json_integer_value(json_array_get(top, k))];
        const double d = fabs(got - json_number_value(json_array_get(top_logit, k)));
        if (!(d <= t->worst_top_logit)) t->worst_top_logit = d;
    }
}

static void check_text(model_run *r, const json_t *text, float *logits, tally *t)
{
    int32_t token[512];
    double lse[512], sum = 0;
    const int64_t vocab = r->m->config.vocab_size, n = ids_of(json_object_get(text, "ids"), token, 0, 512);
    const json_t *const want = json_object_get(text, "logprob");
    model_run_all(r, token, n, logits, NULL, NULL);
    assert_int_equal(r1i_logsumexp(&r->ex, r1i_mat_of(logits, n, vocab), vocab, 1.0f, lse), R1_OK);
    for (int64_t i = 0; i + 1 < n; i++) {
        const double got = (double)logits[i * vocab + token[i + 1]] - lse[i];
        const double d = fabs(got - json_number_value(json_array_get(want, (size_t)i)));
        if (!(d <= t->worst_logprob)) t->worst_logprob = d;
        sum += got;
    }
    t->perplexity = exp(-sum / (double)(n - 1));
    t->want_perplexity = json_number_value(json_object_get(text, "perplexity"));
}

static void check_model(const char *path, const json_t *ref, bool exact)
{
    r1_model_params params = r1_model_params_default();
    model_run r;
    tally t = {0};
    size_t i;
    json_t *item;
    params.exact_activations = exact;
    model_run_open(&r, path, &params, 512, 8, R1I_CACHE_F32, 0);
    float *const logits = malloc((size_t)(512 * r.m->config.vocab_size) * sizeof *logits);
    json_array_foreach(json_object_get(ref, "prompts"), i, item) check_greedy(&r, item, logits, &t);
    json_array_foreach(json_object_get(ref, "chat"), i, item) check_greedy(&r, item, logits, &t);
    check_text(&r, json_object_get(ref, "text"), logits, &t);
    printf("%s, %s activations: log-probs within %.1e, perplexity %.5f (reference %.5f, %+.3f %%), top-10 logits within %.1e, "
           "top-1 differs at %d of %d positions, %d of them with a margin above 0.3\n",
           json_string_value(json_object_get(ref, "file")), exact ? "exact" : "8-bit", t.worst_logprob, t.perplexity,
           t.want_perplexity, 100 * (t.perplexity / t.want_perplexity - 1), t.worst_top_logit, t.differ, t.positions,
           t.differ_clear);
    free(logits);
    model_run_close(&r);
    r1_model_close(r.m);
    assert_int_equal(t.differ_clear, 0);
    if (exact) assert_true(t.worst_logprob <= 2e-3);
    else assert_true(fabs(t.perplexity / t.want_perplexity - 1) <= 0.005);
}

static void test_real(void **state)
{
    static const char *const refs[] = {"smollm2-135m-q4_1.json", "qwen2.5-coder-0.5b-q4_k_m.json"};
    int found = 0;
    (void)state;
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        char ref_path[600], path[1100];
        r1_error err;
        json_t *ref;
        snprintf(ref_path, sizeof ref_path, "%s/%s", real_dir, refs[i]);
        if (r1i_json_read_file(ref_path, 1 << 24, &ref, &err) != R1_OK) fail_msg("%s", err.message);
        if (find_model(json_string_value(json_object_get(ref, "file")), path)) {
            found++;
            check_model(path, ref, true);
            check_model(path, ref, false);
        }
        json_decref(ref);
    }
    assert_true(found > 0);
}

int main(void)
{
    const char *const given = getenv("R1_MODELS_DIR");
    if (!given || !golden_path(real_dir, sizeof real_dir, "golden/real")) return 77;
    snprintf(models, sizeof models, "%s", given);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_real)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
