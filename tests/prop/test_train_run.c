/* Whole runs through r1_train: the golden recipe gives the reference's losses; stopped, killed with SIGKILL at any
 * moment and resumed, a run ends in the bytes of the one that was never interrupted; what must be refused is refused by
 * name. */
#include "support/test.h"

#include <math.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "record/step_store.h"
#include "r1/train.h"
#include "support/golden.h"
#include "support/same_file.h"
#include "support/tiny_model.h"

static r1i_rng rng;
static char top[256];

static void put_file(const char *path, const char *text)
{
    FILE *const f = fopen(path, "wb");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void remove_all(const char *path)
{
    char command[600];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    assert_int_equal(system(command), 0);
}

typedef struct losses {
    double loss[64];
    int64_t n, stop_after;
} losses;

static bool on_step(void *user, const r1_train_step *s)
{
    losses *const l = user;
    assert_true(l->n < 64);
    l->loss[l->n++] = s->loss;
    return l->stop_after == 0 || l->n < l->stop_after;
}

static r1_status train(const char *recipe, const char *out, bool resume, int threads, losses *l, r1_error *err)
{
    const r1_train_params p = {.recipe = recipe, .out = out, .resume = resume};
    const r1_env env = {.threads = threads};
    *err = (r1_error){0};
    return r1_train(&p, &env, NULL, on_step, l, err);
}

/* ---- golden ------------------------------------------------------------------------------------------------------ */

/* Sequences 2 and 3 of the golden file as two rows of ready ids, and the recipe of its AdamW losses. */
static void golden_recipe(const char *name, const golden *e, const char *model, char recipe[512])
{
    char data[512], text[3072];
    int64_t dim[4];
    snprintf(data, sizeof data, "%s/%s.jsonl", top, name);
    FILE *const f = fopen(data, "wb");
    assert_non_null(f);
    for (int k = 2; k < 4; k++) {
        char key[32];
        snprintf(key, sizeof key, "tokens.%d", k);
        const int32_t *const ids = golden_i32(e, key, dim);
        fprintf(f, "{\"input_ids\": [");
        for (int64_t i = 0; i < dim[0]; i++) fprintf(f, "%s%d", i ? ", " : "", ids[i]);
        fprintf(f, "]}\n");
    }
    assert_int_equal(fclose(f), 0);
    snprintf(recipe, 512, "%s/%s.yaml", top, name);
    snprintf(text, sizeof text,
             "model: %s\ndata:\n  files: [%s]\n  keep_order: true\nsequence_length: 130\nbatch_size: 2\nmicro_batch: 1\nsteps: 4\n"
             "optimizer: {lr: 1e-3, schedule: constant, beta1: 0.9, beta2: 0.95, eps: 1e-8, weight_decay: 0.1, clip: 1.0}\ncheckpoint: {dtype: f32}\n",
             model, data);
    put_file(recipe, text);
}

/* test_golden_train.c tells why tiny-r1 has a second line. */
static void check_golden(const char *name, const double *other)
{
    char path[1024], file[1100], recipe[512], out[512];
    int64_t dim[4];
    r1_error err;
    snprintf(file, sizeof file, "golden/%s", name);
    if (!golden_path(path, sizeof path, file)) skip();
    snprintf(file, sizeof file, "%s/expect.safetensors", path);
    golden *const e = golden_open(file);
    assert_non_null(e);
    golden_recipe(name, e, path, recipe);
    snprintf(out, sizeof out, "%s/runs/run-%s", top, name); /* both folders are made */
    losses l = {0};
    if (train(recipe, out, false, 2, &l, &err) != R1_OK) fail_msg("%s: %s", name, err.message);
    assert_int_equal(l.n, 4);
    const float *const want = golden_f32(e, "adamw.losses", dim);
    for (int i = 0; i < 4; i++) {
        const double a = (double)want[i], b = other ? other[i] : a;
        if (!(fabs(l.loss[i] - a) <= 1e-4 * a || fabs(l.loss[i] - b) <= 1e-4 * b))
            fail_msg("%s, step %d: loss %.7f, expected %.7f", name, i + 1, l.loss[i], a);
    }
    golden_close(e);
}

static void test_golden(void **state)
{
    static const double tiny_r1_other[4] = {7.926445, 5.411067, 3.318600, 1.978605};
    (void)state;
    check_golden("tiny-llama", NULL);
    check_golden("tiny-qwen2", NULL);
    check_golden("tiny-r1", tiny_r1_other);
}

/* ---- interruptions ----------------------------------------------------------------------------------------------- */

enum { STEPS = 8, VOCAB = 320 };

/* A tiny R1 with its MTP layer, forty rows of random ids, a recipe that uses every loss, one compute or the other. */
static void make_run(char model[512], char data[512], char recipe[512])
{
    char dir[300], text[2048];
    const tiny_model tiny = {.arch = R1I_DEEPSEEK_V3, .type = R1_DTYPE_BF16, .mtp = true, .seed = 5};
    snprintf(dir, sizeof dir, "%s/model", top);
    tiny_model_write(&tiny, dir, model);
    snprintf(data, 512, "%s/rows.jsonl", top);
    FILE *const f = fopen(data, "wb");
    assert_non_null(f);
    for (int row = 0; row < 40; row++) {
        const int n = 2 + (int)r1i_rng_below(&rng, 60);
        fprintf(f, "{\"input_ids\": [");
        for (int i = 0; i < n; i++) fprintf(f, "%s%d", i ? "," : "", (int)r1i_rng_below(&rng, VOCAB));
        fprintf(f, "]}\n");
    }
    assert_int_equal(fclose(f), 0);
    snprintf(recipe, 512, "%s/run.yaml", top);
    snprintf(text, sizeof text,
             "model: %s\ndata: {files: [%s]}\nsequence_length: 64\nbatch_size: 4\nmicro_batch: 2\nsteps: %d\nseed: 3\ncompute: %s\n"
             "optimizer: {lr: 1e-3, min_lr: 1e-4, warmup_steps: 2}\nloss: {mtp_weight: 0.3, balance_alpha: 1e-3, bias_speed: 1e-3}\ncheckpoint: {every: 2, keep: 2}\n",
             model, data, STEPS, r1i_rng_below(&rng, 2) ? "bf16" : "f32");
    put_file(recipe, text);
}

/* The records agree in everything but the time they took. */
static void same_steps(const char *a, const char *b)
{
    r1i_step_row *x, *y;
    size_t n = 0, m = 0;
    r1_error err;
    if (r1i_step_store_read(a, &x, &n, &err) != R1_OK || r1i_step_store_read(b, &y, &m, &err) != R1_OK)
        fail_msg("%s", err.message);
    assert_int_equal(n, STEPS);
    assert_int_equal(m, STEPS);
    for (size_t i = 0; i < n; i++) {
        x[i].seconds = y[i].seconds = 0;
        assert_memory_equal(&x[i], &y[i], sizeof x[i]);
    }
    free(x);
    free(y);
}

static void same_run(const char *a, const char *b)
{
    static const char *const files[] = {"ckpt/step-8/model.safetensors", "ckpt/step-8/optimizer.safetensors",
                                        "ckpt/step-8/state.json",
                                        "ckpt/step-6/optimizer.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) same_file(a, b, files[i]);
    same_steps(a, b);
}

/* A child that trains; killed after `seconds` unless it ends before. true: it ended by itself. */
static bool train_and_kill(const char *recipe, const char *out, double seconds)
{
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        losses l = {0};
        r1_error err;
        _exit(train(recipe, out, true, 1, &l, &err) == R1_OK ? 0 : 3);
    }
    const struct timespec wait = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
    nanosleep(&wait, NULL);
    kill(child, SIGKILL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status) && WEXITSTATUS(status) != 0)
        fail_msg("the resumed run failed with status %d", WEXITSTATUS(status));
    return WIFEXITED(status);
}

static void test_interrupted(void **state)
{
    char model[512], data[512], recipe[512], whole[300], stopped[300], killed[300];
    r1_error err;
    (void)state;
    make_run(model, data, recipe);
    snprintf(whole, sizeof whole, "%s/whole", top);
    snprintf(stopped, sizeof stopped, "%s/stopped", top);
    snprintf(killed, sizeof killed, "%s/killed", top);
    losses l = {0};
    const clock_t t0 = clock();
    if (train(recipe, whole, false, 2, &l, &err) != R1_OK) fail_msg("%s", err.message);
    const double seconds = (double)(clock() - t0) / CLOCKS_PER_SEC;
    assert_int_equal(l.n, STEPS);
    assert_true(l.loss[STEPS - 1] < l.loss[0]);

    losses part = {.stop_after = 3};
    assert_int_equal(train(recipe, stopped, false, 1, &part, &err), R1_ERR_STOPPED);
    for (int64_t left = STEPS - 3; left > 0; left -= 3) {
        part = (losses){.stop_after = 3};
        const r1_status st = train(recipe, stopped, true, 3, &part, &err);
        assert_true(st == R1_OK || st == R1_ERR_STOPPED);
    }
    same_steps(whole, stopped);
    same_file(whole, stopped, "ckpt/step-8/model.safetensors");
    same_file(whole, stopped, "ckpt/step-8/optimizer.safetensors");
    same_file(whole, stopped, "ckpt/step-8/state.json");

    /* Killed at random moments: opening, in a step, while a checkpoint is written. Late kills alone make progress. */
    int kills = 0;
    while (!train_and_kill(recipe, killed, seconds * (0.1 + 0.15 * kills + 0.6 * r1i_rng_double(&rng))))
        assert_true(++kills < 60);
    printf("killed %d times\n", kills);
    same_run(whole, killed);
}

/* ---- refusals ---------------------------------------------------------------------------------------------------- */

static void refused(const char *recipe, const char *out, bool resume, r1_status want, const char *text)
{
    losses l = {0};
    r1_error err;
    const r1_status st = train(recipe, out, resume, 1, &l, &err);
    if (st != want || !strstr(err.message, text))
        fail_msg("status %d (%s), wanted %d with '%s'", (int)st, err.message, (int)want, text);
}

static void flip(const char *path, long at)
{
    FILE *const f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    const int c = fgetc(f);
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    fputc(c ^ 1, f);
    fclose(f);
}

static void test_refused(void **state)
{
    char model[512], data[512], recipe[512], out[300], path[700];
    r1_error err;
    losses l = {.stop_after = 2};
    (void)state;
    make_run(model, data, recipe);
    snprintf(out, sizeof out, "%s/refused", top);
    assert_int_equal(train(recipe, out, false, 2, &l, &err), R1_ERR_STOPPED);
    refused(recipe, out, false, R1_ERR_USAGE, "holds a run already");
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "state.json", "config.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/ckpt/step-2/%s", out, files[i]);
        flip(path, i == 2 ? 40 : -20);
        refused(recipe, out, true, R1_ERR_FORMAT, files[i]);
        flip(path, i == 2 ? 40 : -20);
    }
    FILE *const f = fopen(data, "ab");
    fputs("{\"input_ids\": [1, 2, 3]}\n", f);
    fclose(f);
    refused(recipe, out, true, R1_ERR_FORMAT, "the data has changed");

    const struct { const char *recipe, *text; r1_status st; } bad[] = {
        {"model: x\ndata: {files: [y]}\nlearning_rate: 3\n", "line 3", R1_ERR_FORMAT},
        {"model: x\ndata: {files: [y]}\noptimizer: {lr: fast}\n", "line 3", R1_ERR_FORMAT},
        {"model: x\ndata: {files: [y]}\noptimizer: {schedule: stairs}\n", "constant, cosine, linear", R1_ERR_FORMAT},
        {"data: {files: [y]}\n", "either 'model'", R1_ERR_FORMAT},
        {"model: null\ndata: {files: [y]}\n", "either 'model'", R1_ERR_FORMAT},
        {"model: x\ninit: {config: z}\ndata: {files: [y]}\n", "not both", R1_ERR_FORMAT},
        {"model: /nowhere\ninit:\ndata: {files: [y], token_cache: null}\noptimizer: {lr: ~}\n", "/nowhere: No such file", R1_ERR_IO},
        {"model: x\n", "'data' is missing", R1_ERR_FORMAT},
        {"model: /nowhere\ndata: {files: [y]}\n", "/nowhere: No such file", R1_ERR_IO},
        {"preset: r2\nmodel: x\ndata: {files: [y]}\n", "sft-800k-paper", R1_ERR_FORMAT},
        {"model: [\n", "line", R1_ERR_FORMAT},
    };
    snprintf(path, sizeof path, "%s/bad.yaml", top);
    snprintf(out, sizeof out, "%s/never", top);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_file(path, bad[i].recipe);
        refused(path, out, false, bad[i].st, bad[i].text);
    }
    static const struct { const char *row, *text; r1_status st; } rows[] = {
        {"{\"input_ids\": [1]}", "line 1", R1_ERR_FORMAT},
        {"{\"input_ids\": [1, 320]}", "input_ids[1]", R1_ERR_RANGE},
        {"{\"input_ids\": [1, 2], \"loss_mask\": [1]}", "loss_mask", R1_ERR_FORMAT},
        {"{\"input_ids\": [1, 2], \"loss_mask\": [1, 0]}", "nothing to learn", R1_ERR_FORMAT},
        {"{\"question\": \"?\"}", "'messages'", R1_ERR_FORMAT},
        {"{\"text\": \"a\"}", "tokenizer", R1_ERR_FORMAT},
        {"{\"messages\": []}", "messages", R1_ERR_FORMAT},
        {"[1]", "line 1", R1_ERR_FORMAT},
        {"", "no document", R1_ERR_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        put_file(data, rows[i].row);
        refused(recipe, out, false, rows[i].st, rows[i].text);
    }
}

int main(void)
{
    const uint64_t seed = (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)seed);
    rng = (r1i_rng){.seed = seed};
    tiny_folder_make(top);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_interrupted),
                                       cmocka_unit_test(test_refused)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove_all(top);
    return failed;
}
