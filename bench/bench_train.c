/* Tokens a second of one training step (forward, backward, AdamW) on random tokens. One JSON line. With `stdin` a
 * step waits for a line from there and prints a line of its own, so that another program can take turns
 * (vs_torch_train.py).
 *     bench_train CONFIG.json SEQUENCES LENGTH STEPS [THREADS] [MICRO_BATCH] [COMPUTE] [stdin] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/rng.h"
#include "train/adamw.h"
#include "train/init.h"
#include "train/loss.h"

static void must(r1_status st, const r1_error *err)
{
    if (st == R1_OK) return;
    fprintf(stderr, "bench_train: %s\n", err->message);
    exit(1);
}

/* A folder with the config and random weights. */
static void make_model(const char *config, char *folder, r1_error *err)
{
    uint8_t *text;
    size_t size;
    json_t *root;
    r1i_config c;
    char path[512];
    must(r1i_file_read(config, 1 << 20, &text, &size, err), err);
    must(r1i_json_parse(text, size, &root, err), err);
    must(r1i_config_from_json(root, &c, NULL, err), err);
    must(r1i_config_check(&c, err), err);
    if (!mkdtemp(folder)) exit(1);
    snprintf(path, sizeof path, "%s/config.json", folder);
    FILE *const f = fopen(path, "wb");
    if (!f || fwrite(text, 1, size, f) != size || fclose(f)) exit(1);
    must(r1i_init_write(folder, &c, 0.02, 1, R1_DTYPE_BF16, err), err);
    json_decref(root);
    r1_free(text);
}

static double peak_mib(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024.0;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    r1_error err;
    char folder[] = "/tmp/bench_train_XXXXXX", path[512];
    if (argc < 5) {
        fprintf(stderr, "usage: bench_train CONFIG.json SEQUENCES LENGTH STEPS [THREADS] [MICRO_BATCH] [COMPUTE] [stdin]\n");
        return 2;
    }
    const int64_t sequences = atoll(argv[2]), length = atoll(argv[3]), steps = atoll(argv[4]);
    const int threads = argc > 5 ? atoi(argv[5]) : 2;
    const int64_t micro = argc > 6 ? atoll(argv[6]) : sequences, n = micro * length;
    r1_model *m;
    r1i_pool *pool;
    r1i_gradients g;
    r1i_stepper s;
    r1i_rng rng = {.seed = 7};
    double seconds[64];
    if (steps < 1 || steps > 64 || micro < 1 || sequences % micro != 0) return 2;
    make_model(argv[1], folder, &err);
    r1_model_params params = r1_model_params_default();
    params.trainable = true;
    if (argc > 7 && strcmp(argv[7], "bf16") == 0) params.compute = R1_COMPUTE_BF16;
    must(r1_model_open(folder, &params, NULL, &m, &err), &err);
    must(r1i_pool_create(NULL, threads, &pool, &err), &err);
    must(r1i_gradients_create(&g, m, false, NULL, &err), &err);
    const r1i_stepper_params sp = {.max_rows = n, .max_positions = length};
    must(r1i_stepper_create(&s, m, &g, pool, &sp, NULL, &err), &err);
    int32_t *const token = malloc((size_t)n * sizeof *token), *const target = malloc((size_t)n * sizeof *target),
                   *const page = malloc((size_t)n * sizeof *page);
    float *const weight = malloc((size_t)n * sizeof *weight);
    r1i_run *const runs = malloc((size_t)micro * sizeof *runs);
    if (!token || !target || !page || !weight || !runs) return 1;
    const int64_t pages = (length + 63) / 64;
    for (int64_t i = 0; i < micro; i++)
        runs[i] = (r1i_run){.first = i * length, .n = length, .pages = page + i * pages};
    for (int64_t i = 0; i < micro * pages; i++) page[i] = (int32_t)i;
    double loss = 0, backward = 0;
    const bool turns = argc > 8 && strcmp(argv[8], "stdin") == 0;
    for (int64_t step = 0; step < steps; step++) {
        if (turns && !fgets(path, sizeof path, stdin)) break;
        const double t0 = r1i_seconds();
        const clock_t cpu = clock();
        r1i_gradients_zero(&g, pool);
        loss = 0;
        for (int64_t b = 0; b < sequences / micro; b++) {
            for (int64_t i = 0; i < n; i++) {
                token[i] = (int32_t)r1i_rng_below(&rng, (uint64_t)m->config.vocab_size);
                target[i] = (int32_t)r1i_rng_below(&rng, (uint64_t)m->config.vocab_size);
                weight[i] = 1.0f / (float)(sequences * length);
            }
            const r1i_train_rows rows = {.batch = {.token = token, .n = n, .runs = runs, .n_runs = micro},
                                         .target = target, .weight = weight};
            must(r1i_stepper_run(&s, &rows, &loss, NULL, NULL, NULL, &err), &err);
        }
        double norm;
        const r1i_adamw adamw = {.lr = 1e-4, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .weight_decay = 0.1,
                                 .clip = 1.0};
        const double t1 = r1i_seconds();
        r1i_gradients_finish(&g, pool);
        must(r1i_gradients_norm(&g, pool, &norm, &err), &err);
        r1i_adamw_step(&adamw, &g, pool, step + 1, norm);
        seconds[step] = r1i_seconds() - t0;
        backward += r1i_seconds() - t1;
        if (turns)
            printf("{\"tokens_per_second\": %.1f, \"cpu_seconds\": %.4f, \"loss\": %.6f, \"peak_mib\": %.0f}\n",
                   (double)(sequences * length) / seconds[step], (double)(clock() - cpu) / CLOCKS_PER_SEC, loss,
                   peak_mib());
        fflush(stdout);
    }
    qsort(seconds, (size_t)steps, sizeof *seconds, by_value);
    r1i_param_count count;
    r1i_config_count(&m->config, &count);
    const double median = seconds[steps / 2], tokens = (double)(sequences * length);
    printf("{\"bench\": \"train\", \"compute\": \"%s\", \"parameters\": %llu, \"active\": %llu, \"sequences\": %lld, \"length\": %lld, \"threads\": %d, \"micro_batch\": %lld, "
           "\"tokens_per_second\": %.1f, \"gflops\": %.1f, \"median_seconds\": %.4f, \"best_seconds\": %.4f, \"optimizer_seconds\": %.4f, \"loss\": %.6f, \"peak_mib\": %.0f}\n",
           params.compute == R1_COMPUTE_BF16 ? "bf16" : "f32", (unsigned long long)count.total,
           (unsigned long long)count.active, (long long)sequences, (long long)length, threads, (long long)micro,
           tokens / median, 6.0 * (double)count.active * tokens / median * 1e-9, median, seconds[0],
           backward / (double)steps, loss, peak_mib());
    r1i_stepper_destroy(&s);
    r1i_gradients_destroy(&g);
    r1i_pool_destroy(pool);
    r1_model_close(m);
    free(token), free(target), free(page), free(weight), free(runs);
    snprintf(path, sizeof path, "%s/model.safetensors", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/config.json", folder);
    unlink(path);
    rmdir(folder);
    return 0;
}
