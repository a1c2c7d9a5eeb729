/* The model that comes with r1 beside transformers (make_nano.py): ids of its chat template, logits, the MTP layer,
 * within 1e-4 of the logits' spread, past YaRN's original length too. R1_NANO and R1_NANO_GOLDEN name another folder
 * and its numbers. */
#include <math.h>

#include "base/json.h"
#include "r1/chat.h"
#include "support/golden.h"
#include "support/model_run.h"
#include "support/test.h"

enum { MOST = 704 };

typedef struct nano {
    char folder[1024], prompts[1100];
    golden *g;
    model_run run;
    int32_t *index; /* 0, 1, 2, ... */
    float *logits, *hidden, *mtp;
} nano;

static const void *named(const nano *t, const char *what, int k, bool numbers, int64_t dim[4])
{
    char name[32];
    snprintf(name, sizeof name, "%s.%d", what, k);
    return numbers ? (const void *)golden_i32(t->g, name, dim) : (const void *)golden_f32(t->g, name, dim);
}

/* The rows that were kept, beside ours, in standard deviations of theirs. */
static double distance(const nano *t, const char *rows_name, const char *logits_name, int k, const float *ours)
{
    int64_t n[4], dim[4];
    double worst = 0;
    const int32_t *const row = named(t, rows_name, k, true, n);
    const float *const want = named(t, logits_name, k, false, dim);
    assert_non_null(row);
    assert_non_null(want);
    assert_int_equal(dim[0], n[0]);
    for (int64_t i = 0; i < n[0]; i++) {
        const double d = golden_distance(ours + row[i] * dim[1], want + i * dim[1], dim[1]) /
            golden_deviation(want + i * dim[1], dim[1]);
        if (!(d <= worst)) worst = d;
    }
    return worst;
}

static void run_mtp(nano *t, const int32_t *token, int64_t n)
{
    model_run *const r = &t->run;
    const r1i_run run = {.n = n, .pages = t->index};
    const r1i_batch b = {.token = token, .n = n, .runs = &run, .n_runs = 1, .logit_row = t->index, .n_logits = n};
    const r1_status st = r1i_forward_mtp(&r->ex, r->m, 0, &r->kv, &b, token + 1,
                                         r1i_mat_of(t->hidden, n, r->m->config.hidden_size),
                                         r1i_mat_of(t->mtp, n, r->m->config.vocab_size));
    if (st != R1_OK) fail_msg("mtp: %s", r->err.message);
}

static void test_logits(void **state)
{
    nano *const t = *state;
    int64_t dim[4];
    const int32_t *token;
    double worst = 0, worst_mtp = 0;
    int k = 0;
    r1_model_params params = r1_model_params_default();
    params.load_mtp = true;
    model_run_open(&t->run, t->folder, &params, MOST, MOST / R1I_PAGE, R1I_CACHE_F32, 2);
    for (; (token = named(t, "tokens", k, true, dim)); k++) {
        assert_in_range(dim[0], 2, MOST);
        model_run_all(&t->run, token, dim[0], t->logits, t->hidden, NULL);
        run_mtp(t, token, dim[0] - 1);
        worst = fmax(worst, distance(t, "rows", "logits", k, t->logits));
        worst_mtp = fmax(worst_mtp, distance(t, "mtp_rows", "mtp_logits", k, t->mtp));
    }
    printf("%d sequences: logits off by %.1e, of the MTP layer by %.1e of their spread\n", k, worst, worst_mtp);
    assert_true(k > 3);
    assert_true(worst <= 1e-4);
    assert_true(worst_mtp <= 1e-4);
    model_run_close(&t->run);
    r1_model_close(t->run.m);
}

static void test_prompts(void **state)
{
    nano *const t = *state;
    r1_tokenizer *tokenizer;
    r1_chat_form *form;
    r1_error err = {0};
    json_t *chats, *messages;
    size_t k;
    assert_int_equal(r1_tokenizer_open(t->folder, NULL, &tokenizer, &err), R1_OK);
    assert_int_equal(r1_chat_form_open(tokenizer, &form, &err), R1_OK);
    assert_int_equal(r1i_json_read_file(t->prompts, 1 << 20, &chats, &err), R1_OK);
    assert_int_equal(json_array_size(chats), 3);
    json_array_foreach(chats, k, messages) {
        int64_t dim[4];
        r1_prompt p;
        char *const text = json_dumps(messages, JSON_COMPACT);
        const int32_t *const want = named(t, "prompt", (int)k, true, dim);
        if (r1_chat_form_prompt(form, text, strlen(text), true, &p, &err) != R1_OK) fail_msg("%s", err.message);
        assert_int_equal(p.n, dim[0]);
        assert_memory_equal(p.ids, want, p.n * sizeof *want);
        assert_true(p.thinking_open);
        free(text);
        r1_free(p.ids);
        free(p.text);
    }
    json_decref(chats);
    r1_chat_form_close(form);
    r1_tokenizer_close(tokenizer);
}

/* What it is said to be: R1's architecture within 3.8 million parameters, at most 8 MB. */
static void test_size(void **state)
{
    nano *const t = *state;
    r1_model *m;
    r1_model_info info;
    r1_error err = {0};
    assert_int_equal(r1_model_open(t->folder, NULL, NULL, &m, &err), R1_OK);
    r1_model_get_info(m, &info);
    assert_string_equal(info.architecture, "deepseek_v3");
    const r1i_config *const c = &m->config;
    assert_true(c->n_group > 1 && c->n_shared_experts > 0 && c->num_nextn_predict_layers == 1 && c->kv_lora_rank > 0);
    r1i_param_count count;
    r1i_config_count(c, &count);
    assert_true(count.total + count.mtp_unique <= 3800000);
    assert_true(count.active <= 1500000);
    r1_model_close(m);
}

static int set_up(void **state)
{
    static nano t;
    const char *const folder = getenv("R1_NANO"), *const numbers = getenv("R1_NANO_GOLDEN");
    char path[1100];
    snprintf(t.folder, sizeof t.folder, "%s", folder ? folder : R1_SOURCE_DIR "/models/r1-nano-base");
    snprintf(path, sizeof path, "%s/nano.safetensors", numbers ? numbers : R1_TEST_DIR "/golden");
    snprintf(t.prompts, sizeof t.prompts, "%s/nano_prompts.json", numbers ? numbers : R1_TEST_DIR "/golden");
    t.g = golden_open(path);
    t.index = malloc(MOST * sizeof *t.index);
    t.logits = malloc((size_t)MOST * 1024 * sizeof *t.logits);
    t.mtp = malloc((size_t)MOST * 1024 * sizeof *t.mtp);
    t.hidden = malloc((size_t)MOST * 1024 * sizeof *t.hidden);
    for (int i = 0; i < MOST; i++) t.index[i] = i;
    *state = &t;
    return t.g ? 0 : 1;
}

static int tear_down(void **state)
{
    nano *const t = *state;
    golden_close(t->g);
    free(t->index), free(t->logits), free(t->mtp), free(t->hidden);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_prompts), cmocka_unit_test(test_logits),
                                       cmocka_unit_test(test_size)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
