/* r1 bench: how fast this model runs here, and whether it takes the memory that was predicted. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "setup.h"

enum { MAX_REPEAT = 1000 };

typedef struct params {
    setup s;
    int64_t pp, tg, repeat, sequences;
    bool json;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->pp = 512;
    a->tg = 128;
    a->repeat = 3;
    a->sequences = 1;
    setup_argument(list, &a->s);
    opt_int(list, 0, "pp", "N", &a->pp, 0, INT64_C(1) << 24, "tokens of the prompt that is read; 0: leave this out");
    opt_int(list, 0, "tg", "N", &a->tg, 0, INT64_C(1) << 24, "tokens generated from an empty cache; 0: leave this out");
    opt_int(list, 'r', "repeat", "N", &a->repeat, 1, MAX_REPEAT, "measurements of each; the median counts");
    opt_int(list, 0, "sequences", "N", &a->sequences, 1, 256, "answers generated together");
    opt_flag(list, 'j', "json", &a->json, "one JSON object a line");
    setup_options(list, &a->s);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A number of /proc/self/status in bytes ("VmRSS", "VmHWM"); 0 where not known. */
static uint64_t own_memory(const char *key)
{
    char line[256];
    uint64_t kib = 0;
    FILE *const f = fopen("/proc/self/status", "re");
    if (!f) return 0;
    const size_t n = strlen(key);
    while (fgets(line, sizeof line, f))
        if (strncmp(line, key, n) == 0 && line[n] == ':') kib = strtoull(line + n + 1, NULL, 10);
    fclose(f);
    return kib * 1024;
}

/* The processor's name; text[size]. */
static const char *processor(char *text, size_t size)
{
    char line[256];
    snprintf(text, size, "unknown");
    FILE *const f = fopen("/proc/cpuinfo", "re");
    if (!f) return text;
    while (fgets(line, sizeof line, f)) {
        char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    fclose(f);
    return text;
}

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

typedef struct series {
    double rate[MAX_REPEAT]; /* tokens a second */
    int n;
    double median, least, most;
} series;

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void summarise(series *s)
{
    qsort(s->rate, (size_t)s->n, sizeof *s->rate, ascending);
    s->median = s->n % 2 ? s->rate[s->n / 2] : 0.5 * (s->rate[s->n / 2 - 1] + s->rate[s->n / 2]);
    s->least = s->rate[0];
    s->most = s->rate[s->n - 1];
}

/* Different ids, the same in every run, from where a vocabulary's frequent tokens are: a table used in the file is touched in
 * few pages then, as text does. */
static int32_t some_id(const params *a, int64_t i)
{
    const int64_t range = a->s.info.vocab_size < 4096 ? a->s.info.vocab_size : 4096;
    return (int32_t)((i * 7919 + 13) % range);
}

static void keep_error(void *user, const r1_result *result)
{
    if (result->finish == R1_FINISH_ERROR) *(r1_error *)user = result->error;
}

/* `sequences` requests of n_prompt ids (each its own), n_output tokens each, from an empty cache; *seconds of wall clock. */
static r1_status timed(const params *a, const int32_t *prompt, int64_t n_prompt, int64_t n_output, int64_t sequences, double *seconds,
                       r1_error *err)
{
    r1_error failed = {0};
    int64_t id;
    r1_status st = R1_OK;
    r1_request q = {.n_prompt = (size_t)n_prompt, .max_tokens = n_output, .sampling = r1_sampling_default(), .ignore_eos = true,
                    .on_done = keep_error, .user = &failed};
    q.sampling.temperature = 0.0f;
    for (int64_t i = 0; i < sequences && st == R1_OK; i++) {
        q.prompt = prompt + i * n_prompt;
        st = r1_engine_submit(a->s.engine, &q, &id, err);
    }
    const double begin = now();
    if (st == R1_OK) st = r1_engine_run(a->s.engine, err);
    *seconds = now() - begin;
    if (st == R1_OK && failed.code != R1_OK) {
        *err = failed;
        st = failed.code;
    }
    return st;
}

/* One warm-up, then the measurements. A prompt of n tokens takes one forward over n rows (and one drawn token); n tokens from an
 * empty cache take n forwards, the first over the one-token prompt. */
static int measure(cli *app, const params *a, bool prefill, series *s)
{
    const int64_t n_prompt = prefill ? a->pp : 1, n_output = prefill ? 1 : a->tg, sequences = prefill ? 1 : a->sequences;
    const int64_t tokens = prefill ? a->pp : a->tg * sequences;
    r1_error err = {0};
    int32_t *const prompt = malloc((size_t)(n_prompt * sequences) * sizeof *prompt);
    if (!prompt) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    for (int64_t i = 0; i < n_prompt * sequences; i++) prompt[i] = some_id(a, i);
    r1_status st = R1_OK;
    s->n = 0;
    for (int64_t i = -1; i < a->repeat && st == R1_OK; i++) {
        double seconds;
        const int64_t output = i < 0 && n_output > 8 ? 8 : n_output;
        st = timed(a, prompt, n_prompt, output, sequences, &seconds, &err);
        if (i >= 0) s->rate[s->n++] = (double)tokens / seconds;
    }
    free(prompt);
    if (st != R1_OK) return cli_report(app, &err);
    summarise(s);
    return 0;
}

/* ---- memory ------------------------------------------------------------------------------------------------------- */

typedef struct memory {
    uint64_t before, resident, peak, predicted;
    r1_engine_stats stats;
} memory;

/* The rooms' own predictions. What the process held before it opened the model (the program itself) is no room's. */
static void measure_memory(const params *a, memory *m)
{
    r1_engine_get_stats(a->s.engine, &m->stats);
    m->resident = own_memory("VmRSS");
    m->peak = own_memory("VmHWM");
    m->predicted = m->before + m->stats.weight_bytes + m->stats.cache_bytes_used + m->stats.scratch_bytes + m->stats.other_bytes;
}

/* ---- printing ----------------------------------------------------------------------------------------------------- */

static json_t *spread_object(const series *s)
{
    return json_pack("{s:f, s:f, s:f}", "median", s->median, "min", s->least, "max", s->most);
}

static int put_json(cli *app, const params *a, const series *pp, const series *tg, const memory *m)
{
    char device[128];
    const char *const base = strrchr(a->s.path, '/');
    json_t *const o = json_object();
    json_object_set_new(o, "model", json_string(base && base[1] ? base + 1 : a->s.path));
    json_object_set_new(o, "version", json_string(r1_version()));
    json_object_set_new(o, "commit", json_string(R1_COMMIT));
    json_object_set_new(o, "flags", json_string(R1_BUILD_FLAGS));
    json_object_set_new(o, "device", json_string(processor(device, sizeof device)));
    json_object_set_new(o, "isa", json_string(a->s.info.isa));
    json_object_set_new(o, "threads", json_integer(app->env.threads > 0 ? app->env.threads : sysconf(_SC_NPROCESSORS_ONLN)));
    json_object_set_new(o, "compute", json_string(a->s.compute));
    json_object_set_new(o, "cache_type", json_string(a->s.cache_type));
    json_object_set_new(o, "exact_activations", json_boolean(a->s.exact_activations));
    json_object_set_new(o, "repeat", json_integer(a->repeat));
    json_object_set_new(o, "pp", json_integer(a->pp));
    json_object_set_new(o, "tg", json_integer(a->tg));
    json_object_set_new(o, "sequences", json_integer(a->sequences));
    if (a->pp > 0) {
        json_object_set_new(o, "prefill_tokens_per_second", json_number(pp->median));
        json_object_set_new(o, "prefill", spread_object(pp));
    }
    if (a->tg > 0) {
        json_object_set_new(o, "decode_tokens_per_second", json_number(tg->median));
        json_object_set_new(o, "decode", spread_object(tg));
    }
    json_object_set_new(o, "load_seconds", json_number(a->s.info.load_seconds));
    json_object_set_new(o, "resident_bytes", json_integer((json_int_t)m->resident));
    json_object_set_new(o, "peak_resident_bytes", json_integer((json_int_t)m->peak));
    json_object_set_new(o, "predicted_bytes", json_integer((json_int_t)m->predicted));
    json_object_set_new(o, "weight_bytes", json_integer((json_int_t)m->stats.weight_bytes));
    json_object_set_new(o, "cache_bytes", json_integer((json_int_t)m->stats.cache_bytes_used));
    json_object_set_new(o, "scratch_bytes", json_integer((json_int_t)m->stats.scratch_bytes));
    json_object_set_new(o, "other_bytes", json_integer((json_int_t)m->stats.other_bytes));
    return cli_put_json(app, o);
}

static double mib(uint64_t n) { return (double)n / 1048576.0; }

static void put_text(cli *app, const params *a, const series *pp, const series *tg, const memory *m)
{
    char device[128];
    fprintf(app->out, "%s, %s, %s, loaded in %.2f s\n", processor(device, sizeof device), a->s.info.isa, a->s.info.architecture,
            a->s.info.load_seconds);
    if (a->pp > 0)
        fprintf(app->out, "prefill %6lld tokens  %9.1f tokens/s  (%.1f to %.1f)\n", (long long)a->pp, pp->median, pp->least, pp->most);
    if (a->tg > 0)
        fprintf(app->out, "decode  %6lld tokens  %9.1f tokens/s  (%.1f to %.1f), %lld together\n", (long long)a->tg, tg->median, tg->least,
                tg->most, (long long)a->sequences);
    fprintf(app->out, "resident %.1f MiB, predicted %.1f: weights %.1f, cache in use %.1f, activations %.1f, buffers %.1f, program %.1f\n",
            mib(m->resident), mib(m->predicted), mib(m->stats.weight_bytes), mib(m->stats.cache_bytes_used), mib(m->stats.scratch_bytes),
            mib(m->stats.other_bytes), mib(m->before));
}

static int run(cli *app, void *p)
{
    params *const a = p;
    memory m = {.before = own_memory("VmRSS")};
    series *const pp = calloc(2, sizeof *pp), *const tg = pp + 1;
    if (!pp) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    int status = setup_model(app, &a->s, SETUP_TEXT_WELCOME, false);
    r1_tokenizer_close(a->s.tokenizer); /* it has no part in what is measured */
    a->s.tokenizer = NULL;
    const int64_t longest = (a->pp > a->tg ? a->pp : a->tg) + 1;
    r1_engine_params e = r1_engine_params_default();
    e.no_prefix_cache = true;
    e.context = longest;
    e.max_sequences = (int32_t)a->sequences;
    e.max_batch_tokens = (int32_t)(a->pp < 512 ? a->pp : 512);
    if (e.max_batch_tokens < e.max_sequences) e.max_batch_tokens = e.max_sequences;
    e.cache_tokens = (longest + 63) / 64 * 64 * a->sequences;
    if (!status) status = setup_engine(app, &a->s, e);
    if (!status && a->pp > 0) status = measure(app, a, true, pp);
    if (!status && a->tg > 0) status = measure(app, a, false, tg);
    if (!status) {
        measure_memory(a, &m);
        if (a->json) status = put_json(app, a, pp, tg, &m);
        else put_text(app, a, pp, tg, &m);
    }
    setup_close(&a->s);
    free(pp);
    return status;
}

const cli_command cli_bench = {
    .rank = 70,
    .name = "bench",
    .usage = "[options] MODEL",
    .summary = "tokens a second and memory of a model on this machine",
    .about = "Measures two things apart: reading a prompt in one go, and generating from an empty cache. Each is warmed up once, then repeated; "
             "the median counts, the least and the most show the spread. Then the resident memory of the process beside what the parts "
             "predicted of themselves.",
    .examples = "r1 bench model.gguf\n"
                "# sixteen answers together, as a sampler or a server runs them\n"
                "r1 bench --pp 0 --sequences 16 model.gguf\n"
                "r1 bench --threads 2 --repeat 5 --json model.gguf | jq .decode_tokens_per_second",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
