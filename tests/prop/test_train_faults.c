/* Faults at named places of a training run: SIGKILL in the midst of reading data, forward, backward, optimiser,
 * checkpoint and records; a disk that is full at any write; each leaves whole checkpoints alone behind, and the run
 * that goes on ends in the bytes of one that met no fault.
 *
 * wraps: r1i_training_data_open r1i_training_data_chunk r1i_forward r1i_tape_backward r1i_adamw_step r1i_pool_run
 * wraps: r1i_safetensors_append write fsync rename unlink */
#include "support/test.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/rng.h"
#include "data/training_data.h"
#include "format/safetensors.h"
#include "model/forward.h"
#include "op/tape.h"
#include "r1/train.h"
#include "support/same_file.h"
#include "support/tiny_model.h"
#include "train/adamw.h"

static r1i_rng rng;
static char top[256], model[512], data[300];

/* ---- faults ------------------------------------------------------------------------------------------------------ */

typedef enum place { NOWHERE, DATA_OPEN, DATA_CHUNK, FORWARD, BACKWARD, OPTIMISER, TENSOR, WRITE, SYNC, RENAME, UNLINK,
                     PLACES } place;
static const char *const place_name[PLACES] = {"nowhere", "data, opening", "data, a chunk", "forward", "backward",
                                               "optimiser", "a tensor of a checkpoint",
                                               "write", "fsync", "rename", "unlink"};
static place fault_at, now_in; /* where the fault is; the long phase that runs */
static long countdown;         /* calls there before it happens */
static bool kills;             /* else the call fails as on a full disk */
static long met[PLACES];       /* calls seen */

/* True: this call is the one. */
static bool due(place p)
{
    met[p]++;
    return p == fault_at && --countdown == 0;
}

r1_status __real_r1i_training_data_open(const r1i_training_data_params *p, const r1_tokenizer *t, const r1_chat_form *f,
                                        const r1_env *env, r1i_training_data **out, r1_error *err);
r1_status __wrap_r1i_training_data_open(const r1i_training_data_params *p, const r1_tokenizer *t, const r1_chat_form *f,
                                        const r1_env *env, r1i_training_data **out, r1_error *err);
r1_status __wrap_r1i_training_data_open(const r1i_training_data_params *p, const r1_tokenizer *t, const r1_chat_form *f,
                                        const r1_env *env, r1i_training_data **out, r1_error *err)
{
    const r1_status st = __real_r1i_training_data_open(p, t, f, env, out, err);
    if (due(DATA_OPEN)) raise(SIGKILL);
    return st;
}

r1_status __real_r1i_training_data_chunk(r1i_training_data *d, int64_t epoch, int64_t index, r1i_document *out,
                                         int64_t room, int64_t *n, r1_error *err);
r1_status __wrap_r1i_training_data_chunk(r1i_training_data *d, int64_t epoch, int64_t index, r1i_document *out,
                                         int64_t room, int64_t *n, r1_error *err);
r1_status __wrap_r1i_training_data_chunk(r1i_training_data *d, int64_t epoch, int64_t index, r1i_document *out,
                                         int64_t room, int64_t *n, r1_error *err)
{
    if (due(DATA_CHUNK)) raise(SIGKILL);
    return __real_r1i_training_data_chunk(d, epoch, index, out, room, n, err);
}

r1_status __real_r1i_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                             r1i_mat *hidden, const r1i_probe *probe);
r1_status __wrap_r1i_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                             r1i_mat *hidden, const r1i_probe *probe);
r1_status __wrap_r1i_forward(r1i_exec *ex, const r1_model *m, const r1i_kv *kv, const r1i_batch *batch, r1i_mat logits,
                             r1i_mat *hidden, const r1i_probe *probe)
{
    now_in = FORWARD;
    const r1_status st = __real_r1i_forward(ex, m, kv, batch, logits, hidden, probe);
    now_in = NOWHERE;
    return st;
}

r1_status __real_r1i_tape_backward(r1i_exec *ex, r1i_tape *t);
r1_status __wrap_r1i_tape_backward(r1i_exec *ex, r1i_tape *t);
r1_status __wrap_r1i_tape_backward(r1i_exec *ex, r1i_tape *t)
{
    now_in = BACKWARD;
    const r1_status st = __real_r1i_tape_backward(ex, t);
    now_in = NOWHERE;
    return st;
}

void __real_r1i_adamw_step(const r1i_adamw *o, r1i_gradients *g, r1i_pool *pool, int64_t t, double norm);
void __wrap_r1i_adamw_step(const r1i_adamw *o, r1i_gradients *g, r1i_pool *pool, int64_t t, double norm);
void __wrap_r1i_adamw_step(const r1i_adamw *o, r1i_gradients *g, r1i_pool *pool, int64_t t, double norm)
{
    now_in = OPTIMISER;
    __real_r1i_adamw_step(o, g, pool, t, norm);
    now_in = NOWHERE;
}

/* The three long phases end in the middle of one parallel loop: half of its items are done. */
void __real_r1i_pool_run(r1i_pool *pool, int64_t n, r1i_pool_fn fn, void *ctx);
void __wrap_r1i_pool_run(r1i_pool *pool, int64_t n, r1i_pool_fn fn, void *ctx);
void __wrap_r1i_pool_run(r1i_pool *pool, int64_t n, r1i_pool_fn fn, void *ctx)
{
    if (now_in != NOWHERE && due(now_in)) {
        __real_r1i_pool_run(pool, n / 2, fn, ctx);
        raise(SIGKILL);
    }
    __real_r1i_pool_run(pool, n, fn, ctx);
}

r1_status __real_r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err);
r1_status __wrap_r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err);
r1_status __wrap_r1i_safetensors_append(r1i_safetensors_writer *w, const void *bytes, size_t size, r1_error *err)
{
    if (due(TENSOR)) {
        (void)__real_r1i_safetensors_append(w, bytes, size / 2, err);
        raise(SIGKILL);
    }
    return __real_r1i_safetensors_append(w, bytes, size, err);
}

/* The system's calls: the process dies before or after, or they fail. */
static bool fails(place p)
{
    if (!due(p)) return false;
    if (kills) raise(SIGKILL);
    errno = p == SYNC ? EIO : ENOSPC;
    return true;
}

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    if (fault_at == WRITE && countdown == 1 && n > 1) (void)!__real_write(fd, bytes, n / 2); /* what fitted is there */
    return fails(WRITE) ? -1 : __real_write(fd, bytes, n);
}
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd) { return fails(SYNC) ? -1 : __real_fsync(fd); }
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to) { return fails(RENAME) ? -1 : __real_rename(from, to); }
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path) { return fails(UNLINK) ? -1 : __real_unlink(path); }

/* ---- runs -------------------------------------------------------------------------------------------------------- */

enum { STEPS = 3, VOCAB = 320 };

static void make_run(const char *recipe, int keep)
{
    char text[1600];
    snprintf(text, sizeof text,
             "model: %s\ndata: {files: [%s]}\nsequence_length: 64\nbatch_size: 2\nmicro_batch: 1\nsteps: %d\nseed: 3\n"
             "optimizer: {lr: 1e-3}\ncheckpoint: {every: 1, keep: %d}\n",
             model, data, STEPS, keep);
    FILE *const f = fopen(recipe, "wb");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static r1_status train(const char *recipe, const char *out, r1_error *err)
{
    const r1_train_params p = {.recipe = recipe, .out = out, .resume = true};
    const r1_env env = {.threads = 1};
    *err = (r1_error){0};
    return r1_train(&p, &env, NULL, NULL, NULL, err);
}

/* Every step-N that is there is the one of the whole run, to the byte; returns how many. */
static int check_checkpoints(const char *whole, const char *out)
{
    char folder[600];
    int n = 0;
    snprintf(folder, sizeof folder, "%s/ckpt", out);
    DIR *const d = opendir(folder);
    if (!d) return 0;
    for (const struct dirent *e; (e = readdir(d)) != NULL;) {
        char a[600], b[900];
        if (strncmp(e->d_name, "step-", 5) != 0) continue;
        snprintf(a, sizeof a, "%s/ckpt/%.20s", whole, e->d_name);
        snprintf(b, sizeof b, "%s/%.20s", folder, e->d_name);
        static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "config.json"};
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) same_file(a, b, files[i]);
        n++;
    }
    closedir(d);
    return n;
}

/* The run with one fault, then without: whole checkpoints or none after the first, the right end after the second. */
static void one_fault(const char *recipe, const char *whole, place at, long n, bool kill_it)
{
    char out[300], command[400];
    int status;
    r1_error err;
    snprintf(out, sizeof out, "%s/faulty", top);
    snprintf(command, sizeof command, "rm -rf '%s'", out);
    assert_int_equal(system(command), 0);
    fflush(stdout);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fault_at = at, countdown = n, kills = kill_it;
        const r1_status st = train(recipe, out, &err);
        _exit(st == R1_OK ? 4 : st == R1_ERR_IO && strstr(err.message, top) ? 5 : 6);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (kill_it ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL : !WIFEXITED(status) || WEXITSTATUS(status) == 6)
        fail_msg("%s, call %ld: status %x instead of %s", place_name[at], n, (unsigned)status,
                 kill_it ? "a kill" : "an error that names the file");
    (void)check_checkpoints(whole, out);
    if (train(recipe, out, &err) != R1_OK)
        fail_msg("%s, call %ld: the run cannot go on: %s", place_name[at], n, err.message);
    const int kept = check_checkpoints(whole, out); /* one; two where the last step was done and its predecessor's
                                                     * removal was the fault */
    assert_true(kept == 1 || kept == 2);
    snprintf(command, sizeof command, "ls -A '%s/ckpt' | grep -qv '^step-'", out);
    if (system(command) == 0) fail_msg("%s, call %ld: something is left beside the checkpoints", place_name[at], n);
}

static void test_faults(void **state)
{
    static const struct { place at; int kills, failures; } plan[] = {{DATA_OPEN, 1, 0}, {DATA_CHUNK, 1, 0},
                                                                     {FORWARD, 2, 0}, {BACKWARD, 2, 0},
                                                                     {OPTIMISER, 2, 0},
                                                                     {TENSOR, 2, 0},    {WRITE, 2, 3},
                                                                     {SYNC, 1, 2},    {RENAME, 2, 2},   {UNLINK, 2, 0}};
    char recipe[300], all[300], whole[300];
    long calls[PLACES];
    r1_error err;
    (void)state;
    snprintf(recipe, sizeof recipe, "%s/run.yaml", top);
    snprintf(all, sizeof all, "%s/all.yaml", top);
    snprintf(whole, sizeof whole, "%s/whole", top);
    make_run(recipe, 1);
    make_run(all, 0);
    if (train(recipe, whole, &err) != R1_OK) fail_msg("%s", err.message);
    memcpy(calls, met, sizeof calls);
    snprintf(whole, sizeof whole, "%s/every", top);
    if (train(all, whole, &err) != R1_OK) fail_msg("%s", err.message);
    assert_int_equal(check_checkpoints(whole, whole), STEPS);
    for (size_t i = 0; i < sizeof plan / sizeof *plan; i++) {
        const place at = plan[i].at;
        assert_true(calls[at] > 0);
        for (int k = 0; k < plan[i].kills + plan[i].failures; k++)
            one_fault(recipe, whole, at, 1 + (long)r1i_rng_below(&rng, (uint64_t)calls[at]), k < plan[i].kills);
        printf("%s: %ld calls, %d killed, %d failed\n", place_name[at], calls[at], plan[i].kills, plan[i].failures);
    }
}

int main(void)
{
    const uint64_t seed = (uint64_t)time(NULL);
    char dir[300], command[400];
    const tiny_model tiny = {.arch = R1I_QWEN2, .type = R1_DTYPE_BF16, .seed = 5};
    printf("seed %llu\n", (unsigned long long)seed);
    rng = (r1i_rng){.seed = seed};
    tiny_folder_make(top);
    snprintf(dir, sizeof dir, "%s/model", top);
    tiny_model_write(&tiny, dir, model);
    snprintf(data, sizeof data, "%s/rows.jsonl", top);
    FILE *const f = fopen(data, "wb");
    if (!f) return 1;
    for (int row = 0; row < 20; row++) {
        fprintf(f, "{\"input_ids\": [1");
        for (int i = 0; i < 30; i++) fprintf(f, ",%d", (int)r1i_rng_below(&rng, VOCAB));
        fprintf(f, "]}\n");
    }
    if (fclose(f) != 0) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_faults)};
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    snprintf(command, sizeof command, "rm -rf '%s'", top);
    return system(command) == 0 ? failed : 1;
}
