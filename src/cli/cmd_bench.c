/* r1 bench: how fast this model runs here, beside what the machine could do, and whether it takes the memory that was
 * predicted. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench_record.h"
#include "setup.h"

enum { LIST = 16 };

typedef struct list {
    int64_t item[LIST];
    int n;
} list;

typedef struct params {
    setup s;
    const char *prompt, *decode, *depth, *parallel, *threads, *rows, *output, *compare;
    int64_t repeat, chunk;
    bool json, ops, no_roof, cpu_time;
    /* parsed */
    list prompts, decodes, depths, parallels, thread_counts, op_rows;
    bench_form form;
    bench_baseline baseline;
    bench_about about;
    bool first;       /* nothing of a table was written yet */
} params;

static void options(opt_list *l, void *p)
{
    params *const a = p;
    *a = (params){.prompt = "512", .decode = "128", .depth = "0", .parallel = "1", .threads = "0", .rows = "1,16,512",
                  .output = "md", .repeat = 5, .first = true};
    a->s.cache_type = a->s.compute = "f32";
    a->s.isa = "auto";
    setup_argument(l, &a->s);
    opt_string(l, 'p', "pp", "N,...", &a->prompt, "tokens of the prompt that is read; 0: leave this out");
    opt_string(l, 'n', "tg", "N,...", &a->decode, "tokens generated; 0: leave this out");
    opt_string(l, 'd', "depth", "N,...", &a->depth,
               "tokens in the cache before that, multiples of 64; they are read first, not timed");
    opt_string(l, 'b', "parallel", "N,...", &a->parallel, "sequences that generate together");
    opt_string(l, 't', "threads", "N,...", &a->threads,
               "worker threads; 0: all processors this process (or its container) may use");
    opt_int(l, 'r', "repeat", "N", &a->repeat, 1, R1_BENCH_REPEAT, "measurements of each; the median counts");
    opt_choice(l, 'o', "output", "md|csv|jsonl", &a->output, "form of the output");
    opt_flag(l, 'j', "json", &a->json, "the same as -o jsonl: one JSON object a line");
    opt_string(l, 0, "compare", "FILE", &a->compare,
               "JSON lines of an earlier run: adds the ratio to it, marked + or - where the spreads do not touch");
    opt_flag(l, 0, "ops", &a->ops,
             "one line per kernel and shape of the model instead, for each instruction set of this processor");
    opt_string(l, 0, "rows", "N,...", &a->rows, "--ops: rows of the batch");
    opt_flag(l, 0, "no-roof", &a->no_roof, "measure the model alone");
    opt_flag(l, 0, "cpu-time", &a->cpu_time,
             "with -t 1: the thread's processor time instead of the clock on the wall, where others use the machine");
    opt_int(l, 0, "chunk", "N", &a->chunk, 0, 1 << 20, "tokens computed in one pass while reading a prompt; 0: 512");
    opt_choice(l, 0, "cache-type", "f32|bf16|q8|q8_0", &a->s.cache_type,
               "numbers in the key-value cache; q8: 9 bits each (q8_0 is another name for it)");
    opt_choice(l, 0, "compute", "f32|bf16", &a->s.compute, "arithmetic of float weights");
    opt_flag(l, 0, "exact-activations", &a->s.exact_activations,
             "quantised weights meet f32 activations instead of 8-bit ones");
    opt_choice(l, 0, "isa", "auto|c|avx2|avx512|neon", &a->s.isa, "instruction set; every choice gives the same bits");
}

/* ---- options ----------------------------------------------------------------------------------------------------- */

static int parse_list(cli *app, const char *option, const char *text, int64_t min, int64_t max, list *out)
{
    out->n = 0;
    for (const char *p = text;; p++) {
        char *end;
        errno = 0;
        const long long v = strtoll(p, &end, 10);
        if (end == p || (*end && *end != ',') || errno || v < min || v > max)
            return cli_fail(app, CLI_USAGE, "--%s: '%s', expected whole numbers from %lld to %lld, separated by commas",
                            option, text, (long long)min, (long long)max);
        if (out->n == LIST) return cli_fail(app, CLI_USAGE, "--%s: more than %d numbers", option, LIST);
        out->item[out->n++] = v;
        p = end;
        if (!*p) return 0;
    }
}

static int parse(cli *app, params *a)
{
    const int64_t most = INT64_C(1) << 24;
    int status;
    if ((status = parse_list(app, "pp", a->prompt, 0, most, &a->prompts)) ||
        (status = parse_list(app, "tg", a->decode, 0, most, &a->decodes)) ||
        (status = parse_list(app, "depth", a->depth, 0, most, &a->depths)) ||
        (status = parse_list(app, "parallel", a->parallel, 1, 256, &a->parallels)) ||
        (status = parse_list(app, "threads", a->threads, 0, 1024, &a->thread_counts)) ||
        (status = parse_list(app, "rows", a->rows, 1, 4096, &a->op_rows)))
        return status;
    for (int i = 0; i < a->depths.n; i++)
        if (a->depths.item[i] % 64 != 0)
            return cli_fail(app, CLI_USAGE, "--depth: %lld, expected multiples of 64 (a page of the cache)",
                            (long long)a->depths.item[i]);
    a->form = a->json || strcmp(a->output, "jsonl") == 0 ? BENCH_JSONL : strcmp(a->output, "csv") == 0 ? BENCH_CSV
        : BENCH_MD;
    return a->compare ? bench_baseline_read(app, a->compare, &a->baseline) : 0;
}

/* ---- what is measured on ----------------------------------------------------------------------------------------- */

/* A number of /proc/self/status in bytes ("VmRSS"); 0 where not known. */
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
static void processor(char *text, size_t size)
{
    char line[256];
    snprintf(text, size, "unknown");
    FILE *const f = fopen("/proc/cpuinfo", "re");
    if (!f) return;
    while (fgets(line, sizeof line, f)) {
        char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon) continue;
        line[strcspn(line, "\n")] = '\0';
        snprintf(text, size, "%s", colon + 1 + strspn(colon + 1, " "));
        break;
    }
    fclose(f);
}

static r1_cache_type cache_of(const params *a)
{
    r1_cache_type t;
    r1_cache_type_find(a->s.cache_type, &t);
    return t;
}

static void fill_about(params *a)
{
    const char *const base = strrchr(a->s.path, '/');
    a->about.model = base && base[1] ? base + 1 : a->s.path;
    a->about.isa = a->s.info.isa;
    a->about.compute = a->s.compute;
    a->about.cache_type = r1_cache_type_name(cache_of(a));
    a->about.exact_activations = a->s.exact_activations;
    a->about.clock = a->cpu_time ? "cpu" : "wall";
    a->about.parameters = a->s.info.parameters;
    a->about.weight_bytes = a->s.info.weight_bytes;
    a->about.load_seconds = a->s.info.load_seconds;
    processor(a->about.device, sizeof a->about.device);
}

/* ---- measuring --------------------------------------------------------------------------------------------------- */

static int put(cli *app, params *a, json_t *record)
{
    const bool table = json_object_get(record, "test") || json_object_get(record, "op");
    if (a->compare && record && table) bench_compare(&a->baseline, record);
    const int status = bench_put(app, a->form, a->first && table, a->compare != NULL, record);
    if (table) a->first = false;
    return status;
}

static int put_roof(cli *app, params *a, int threads)
{
    r1_error err = {0};
    r1_meter *meter;
    if (r1_meter_create(&app->env, threads, 0, &meter, &err) != R1_OK) return cli_report(app, &err);
    if (a->cpu_time && a->about.threads == 1) r1_meter_cpu_time(meter);
    json_t *const record = bench_roof_record(&a->about, meter, 0.1);
    r1_meter_destroy(meter);
    return put(app, a, record);
}

static int one_test(cli *app, params *a, int64_t prompt, int64_t decode, int64_t depth, int64_t sequences, int threads)
{
    const r1_bench_test t = {.prompt = prompt, .decode = decode, .depth = depth, .sequences = (int32_t)sequences,
                             .repeat = (int32_t)a->repeat, .no_roof = a->no_roof, .cpu_time = a->cpu_time};
    r1_engine_params e = r1_engine_params_default();
    r1_bench_result r;
    r1_error err = {0};
    if (prompt == 0 && decode == 0) return 0;
    e.cache_type = cache_of(a);
    e.max_batch_tokens = (int32_t)a->chunk;
    if (r1_bench_run(a->s.model, &t, &e, threads, &app->env, &r, &err) != R1_OK) return cli_report(app, &err);
    a->about.peak_bytes = own_memory("VmHWM");
    return put(app, a, bench_test_record(&a->about, &t, &r));
}

/* Prompts are read alone; sequences together only generate. */
static int all_tests(cli *app, params *a, int threads)
{
    int status = 0;
    for (int d = 0; d < a->depths.n && !status; d++) {
        for (int i = 0; i < a->prompts.n && !status; i++)
            status = one_test(app, a, a->prompts.item[i], 0, a->depths.item[d], 1, threads);
        for (int i = 0; i < a->decodes.n && !status; i++)
            for (int b = 0; b < a->parallels.n && !status; b++)
                status = one_test(app, a, 0, a->decodes.item[i], a->depths.item[d], a->parallels.item[b], threads);
    }
    return status;
}

typedef struct op_sink {
    cli *app;
    params *a;
    int status;
} op_sink;

static bool put_op(void *user, const r1_bench_op *op)
{
    op_sink *const s = user;
    s->status = put(s->app, s->a, bench_op_record(&s->a->about, op));
    return s->status == 0;
}

static int all_ops(cli *app, params *a, int threads)
{
    op_sink sink = {app, a, 0};
    r1_error err = {0};
    const r1_bench_ops_params p = {.rows = a->op_rows.item, .n_rows = a->op_rows.n, .depth = a->depths.item[0],
                                   .isa = a->s.isa, .cache = cache_of(a),
                                   .repeat = (int32_t)a->repeat, .threads = threads, .cpu_time = a->cpu_time};
    if (r1_bench_ops(a->s.model, &p, &app->env, put_op, &sink, &err) != R1_OK)
        return sink.status ? sink.status : cli_report(app, &err);
    return 0;
}

static void put_memory(cli *app, const params *a)
{
    if (a->form == BENCH_MD && !a->ops)
        fprintf(app->out, "\nloaded in %.2f s, weights %.1f MiB, peak resident %.1f MiB\n", a->about.load_seconds,
                (double)a->about.weight_bytes / 1048576.0, (double)own_memory("VmHWM") / 1048576.0);
}

static int run(cli *app, void *p)
{
    params *const a = p;
    a->about.before_bytes = own_memory("VmRSS");
    int status = parse(app, a);
    if (status) return status;
    status = setup_model(app, &a->s, SETUP_TEXT_WELCOME, false);
    r1_tokenizer_close(a->s.tokenizer); /* it has no part in what is measured */
    a->s.tokenizer = NULL;
    if (!status) fill_about(a);
    for (int i = 0; i < a->thread_counts.n && !status; i++) {
        const int threads = (int)a->thread_counts.item[i];
        a->about.threads = threads > 0 ? threads : r1_processors();
        if (!a->no_roof) status = put_roof(app, a, threads);
        if (!status) status = a->ops ? all_ops(app, a, threads) : all_tests(app, a, threads);
    }
    if (!status) put_memory(app, a);
    setup_close(&a->s);
    if (a->compare) bench_baseline_free(&a->baseline);
    return status;
}

const cli_command cli_bench = {
    .rank = 70,
    .name = "bench",
    .usage = "[options] MODEL",
    .summary = "tokens a second, beside what this machine could do at most",
    .about = "Reads a prompt, and generates, at each length, depth and number of sequences that is asked for (commas make lists). Each is "
             "warmed up once, then repeated; the median counts, the least and the most show the spread.\n\n"
             "Beside it stands the roof: how fast this machine streams memory, and how fast it multiplies in registers, measured by loops of "
             "their own in turns with the work, because shared machines wander. From the model follow the bytes that a token needs (weights, "
             "of experts the chosen ones, and the cache) and its operations; 'of roof' is the least time that the roof allows, by the time "
             "that was taken, and 'roof' names what binds.\n\n"
             "--ops does the same for each kernel and shape of the model, for every instruction set of this processor.",
    .examples = "r1 bench model.gguf\n"
                "# long contexts, and sixteen answers together as a sampler or a server runs them\n"
                "r1 bench -p 512 -n 128 -d 0,4096,16384 -b 1,16 model.gguf\n"
                "# how it scales\n"
                "r1 bench -t 1,2,4 -p 512 -n 64 model.gguf\n"
                "# before and after a change\n"
                "r1 bench -o jsonl model.gguf > before.jsonl\n"
                "r1 bench --compare before.jsonl model.gguf\n"
                "# where the time goes\n"
                "r1 bench --ops --rows 1 --isa avx512 model.gguf",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
