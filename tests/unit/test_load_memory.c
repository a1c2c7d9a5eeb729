/* What loading and running keep in memory, at the peak and not just at the end: a model of 260 MiB of zeros in a sparse
 * file, each way of opening it in a process of its own, whose high-water mark the kernel keeps. */
#include "support/test.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "r1/convert.h"
#include "r1/engine.h"
#include "support/tiny_model.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

enum { MIB = 1 << 20 };

static char dir[256], file[600];
static uint64_t model_bytes;

typedef struct text { char *at, *end; uint64_t offset; } text;

static void add(text *t, const char *name, int64_t rows, int64_t cols)
{
    const uint64_t end = t->offset + 2 * (uint64_t)rows * (uint64_t)(cols ? cols : 1);
    char shape[64];
    if (cols) snprintf(shape, sizeof shape, "%lld,%lld", (long long)rows, (long long)cols);
    else snprintf(shape, sizeof shape, "%lld", (long long)rows);
    t->at += snprintf(t->at, (size_t)(t->end - t->at),
                      "%s\"%s\":{\"dtype\":\"F16\",\"shape\":[%s],\"data_offsets\":[%llu,%llu]}", t->offset ? "," : "{",
                      name, shape, (unsigned long long)t->offset, (unsigned long long)end);
    t->offset = end;
}

static int setup(void **state)
{
    (void)state;
    static const char config[] =
        "{\"model_type\": \"llama\", \"architectures\": [\"LlamaForCausalLM\"], \"vocab_size\": 64, \"hidden_size\": 2048, "
        "\"intermediate_size\": 8192, \"num_hidden_layers\": 2, \"num_attention_heads\": 16, \"hidden_act\": \"silu\", "
        "\"max_position_embeddings\": 64, \"rms_norm_eps\": 1e-6, \"rope_theta\": 10000, \"tie_word_embeddings\": true}";
    static const struct { const char *name; int64_t rows, cols; } of_layer[] = {
        {"input_layernorm", 2048, 0},  {"post_attention_layernorm", 2048, 0}, {"self_attn.q_proj", 2048, 2048},
        {"self_attn.k_proj", 2048, 2048}, {"self_attn.v_proj", 2048, 2048},   {"self_attn.o_proj", 2048, 2048},
        {"mlp.gate_proj", 8192, 2048}, {"mlp.up_proj", 8192, 2048},           {"mlp.down_proj", 2048, 8192},
    };
    static char header[8192];
    text t = {header + 8, header + sizeof header, 0};
    tiny_folder_make(dir);
    add(&t, "model.embed_tokens.weight", 64, 2048);
    add(&t, "model.norm.weight", 2048, 0);
    for (int l = 0; l < 2; l++)
        for (size_t i = 0; i < sizeof of_layer / sizeof *of_layer; i++) {
            char name[96];
            snprintf(name, sizeof name, "model.layers.%d.%s.weight", l, of_layer[i].name);
            add(&t, name, of_layer[i].rows, of_layer[i].cols);
        }
    *t.at++ = '}';
    const uint64_t length = (uint64_t)(t.at - header) - 8;
    memcpy(header, &length, 8);
    snprintf(file, sizeof file, "%s/config.json", dir);
    if (r1i_file_write_atomic(file, config, sizeof config - 1, NULL) != R1_OK) return 1;
    snprintf(file, sizeof file, "%s/model.safetensors", dir);
    model_bytes = t.offset;
    return r1i_file_write_atomic(file, header, (size_t)(t.at - header), NULL) != R1_OK ||
        truncate(file, (off_t)(8 + length + model_bytes)) != 0;
}

static int teardown(void **state)
{
    (void)state;
    tiny_folder_remove(dir);
    return 0;
}

/* Most ever resident, bytes. */
static uint64_t high_water(void)
{
    char line[128];
    unsigned long long kib = 0;
    FILE *const f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %llu kB", &kib) == 1) break;
    if (f) fclose(f);
    return kib * 1024;
}

/* In the child: open, answer, compare. 0, or what was wrong. */
static int run_once(bool mapped)
{
    const r1_env env = {.threads = 2};
    const uint64_t before = r1i_memory_resident();
    r1_model *m;
    r1_engine *e;
    r1_engine_params p = r1_engine_params_default();
    r1_engine_stats s;
    r1_model_info info;
    const int32_t prompt[3] = {1, 2, 3};
    r1_request q = {.prompt = prompt, .n_prompt = 3, .max_tokens = 4, .sampling = r1_sampling_default(),
                    .ignore_eos = true};
    int64_t id;
    r1_error err = {0};
    p.max_batch_tokens = 16;
    if (r1_model_open(dir, NULL, &env, &m, &err) != R1_OK || r1_engine_create(m, NULL, &p, &env, &e, &err) != R1_OK ||
        r1_engine_submit(e, &q, &id, &err) != R1_OK || r1_engine_run(e, &err) != R1_OK) {
        print_message("%s\n", err.message);
        return 2;
    }
    r1_engine_get_stats(e, &s);
    r1_model_get_info(m, &info);
    const uint64_t now = r1i_memory_resident(), peak = high_water();
    const uint64_t said = before + s.weight_bytes + s.cache_bytes_used + s.scratch_bytes + s.other_bytes;
    const uint64_t slack = said / 100 * 3 > 16 * MIB ? said / 100 * 3 : 16 * MIB;
    print_message("%s: predicted %llu MiB, resident %llu, peak %llu\n", mapped ? "mapped" : "packed",
                  (unsigned long long)(said / MIB), (unsigned long long)(now / MIB), (unsigned long long)(peak / MIB));
    if (mapped != (info.panel_bytes > model_bytes / 10 * 9)) return 3;
    if (now > said + slack || now + slack < said) return 4;
    if (peak > (model_bytes + s.cache_bytes_used + slack) / 100 * 105) return 5;
    r1_engine_destroy(e);
    r1_model_close(m);
    return 0;
}

static int write_once(void)
{
    const r1_env env = {.threads = 2};
    r1_error err = {0};
    const uint64_t before = r1i_memory_resident();
    if (r1_panels_write(dir, NULL, R1_COMPUTE_F32, &env, NULL, &err) != R1_OK) return 2;
    print_message("converted: peak %llu MiB above the start\n", (unsigned long long)((high_water() - before) / MIB));
    return high_water() - before < 64 * MIB ? 0 : 6;
}

static void in_child(int which)
{
    int status = 0;
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) _exit(which == 1 ? write_once() : run_once(which == 2));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_peaks(void **state)
{
    (void)state;
#ifdef SANITIZED
    skip(); /* the sanitizer's own memory is more */
#endif
    for (int which = 0; which < 3; which++) in_child(which);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_peaks)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
