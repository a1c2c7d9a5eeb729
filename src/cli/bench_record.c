#include "bench_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- from results ------------------------------------------------------------------------------------------------ */

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void put_number(json_t *o, const char *key, double x) { json_object_set_new(o, key, number(x)); }
static void put_int(json_t *o, const char *key, uint64_t x)
{
    json_object_set_new(o, key, json_integer((json_int_t)x));
}
static void put_text(json_t *o, const char *key, const char *x) { json_object_set_new(o, key, json_string(x)); }

static void put_spread(json_t *o, const char *key, const r1_spread *s, double scale)
{
    char name[64];
    put_number(o, key, s->median * scale);
    snprintf(name, sizeof name, "%s_min", key);
    put_number(o, name, s->least * scale);
    snprintf(name, sizeof name, "%s_max", key);
    put_number(o, name, s->most * scale);
}

static json_t *about_object(const bench_about *a)
{
    json_t *const o = json_object();
    if (!o) return NULL;
    put_text(o, "model", a->model);
    put_text(o, "version", r1_version());
    put_text(o, "commit", R1_COMMIT);
    put_text(o, "flags", R1_BUILD_FLAGS);
    put_text(o, "device", a->device);
    put_text(o, "isa", a->isa);
    put_int(o, "threads", (uint64_t)a->threads);
    put_text(o, "clock", a->clock);
    put_text(o, "compute", a->compute);
    put_text(o, "cache_type", a->cache_type);
    json_object_set_new(o, "exact_activations", json_boolean(a->exact_activations));
    return o;
}

static void put_roof(json_t *o, const r1_roof *roof, const char *bound, const r1_spread *fraction)
{
    char name[32];
    if (bound) put_text(o, "bound", bound);
    if (bound) put_spread(o, "fraction", fraction, 1.0);
    if (bound && roof->read > 0.0) put_number(o, "roof_read", roof->read);
    for (int p = 0; bound && p < R1_PEAK_COUNT; p++) {
        snprintf(name, sizeof name, "roof_%s", r1_peak_name((r1_peak)p));
        if (roof->peak[p] > 0.0) put_number(o, name, roof->peak[p]);
    }
}

/* "pp512", "tg128 x16 @ d4096" */
static void test_name(const r1_bench_test *t, char text[64])
{
    int n = snprintf(text, 64, "%s%lld", t->prompt > 0 ? "pp" : "tg",
                     (long long)(t->prompt > 0 ? t->prompt : t->decode));
    if (t->sequences > 1) n += snprintf(text + n, 64 - (size_t)n, " x%d", t->sequences);
    if (t->depth > 0) snprintf(text + n, 64 - (size_t)n, " @ d%lld", (long long)t->depth);
}

json_t *bench_test_record(const bench_about *a, const r1_bench_test *t, const r1_bench_result *r)
{
    char name[64];
    json_t *const o = about_object(a);
    if (!o) return NULL;
    const double tokens = (double)r->tokens, bytes = r->cost.weight_bytes + r->cost.cache_bytes;
    double ops = 0.0;
    for (int p = 0; p < R1_PEAK_COUNT; p++) ops += r->cost.ops[p];
    test_name(t, name);
    put_text(o, "test", name);
    put_int(o, "prompt", (uint64_t)t->prompt);
    put_int(o, "decode", (uint64_t)t->decode);
    put_int(o, "depth", (uint64_t)t->depth);
    put_int(o, "parallel", (uint64_t)t->sequences);
    put_int(o, "repeat", (uint64_t)t->repeat);
    put_spread(o, "tokens_per_second", &r->rate, 1.0);
    put_number(o, "bytes_per_token", bytes / tokens);
    put_number(o, "weight_bytes_per_token", r->cost.weight_bytes / tokens);
    put_number(o, "cache_bytes_per_token", r->cost.cache_bytes / tokens);
    put_number(o, "ops_per_token", ops / tokens);
    put_number(o, "bytes_per_second", bytes / r->seconds.median);
    put_number(o, "ops_per_second", ops / r->seconds.median);
    put_roof(o, &r->roof, r->bound, &r->fraction);
    put_int(o, "parameters", a->parameters);
    put_number(o, "load_seconds", a->load_seconds);
    put_int(o, "resident_bytes", r->resident_bytes);
    put_int(o, "peak_resident_bytes", a->peak_bytes);
    put_int(o, "predicted_bytes",
            a->before_bytes + r->stats.weight_bytes + r->stats.cache_bytes_used + r->stats.scratch_bytes +
            r->stats.other_bytes + r->roof_bytes);
    put_int(o, "weight_bytes", r->stats.weight_bytes);
    put_int(o, "cache_bytes", r->stats.cache_bytes_used);
    put_int(o, "scratch_bytes", r->stats.scratch_bytes);
    put_int(o, "other_bytes", r->stats.other_bytes);
    put_int(o, "roof_bytes", r->roof_bytes);
    put_int(o, "program_bytes", a->before_bytes);
    return o;
}

json_t *bench_op_record(const bench_about *a, const r1_bench_op *op)
{
    json_t *const o = about_object(a);
    if (!o) return NULL;
    put_text(o, "isa", op->isa);
    put_text(o, "op", op->op);
    put_text(o, "what", op->what);
    put_text(o, "type", op->type);
    put_int(o, "rows", (uint64_t)op->rows);
    put_int(o, "outputs", (uint64_t)op->outputs);
    put_int(o, "inputs", (uint64_t)op->inputs);
    put_int(o, "jobs", (uint64_t)(op->jobs > 0 ? op->jobs : 1));
    if (op->measured_outputs != op->outputs && op->measured_outputs > 0)
        put_int(o, "measured_outputs", (uint64_t)op->measured_outputs);
    put_spread(o, "microseconds", &op->seconds, 1e6);
    put_number(o, "bytes_per_second", op->bytes / op->seconds.median);
    put_number(o, "ops_per_second", op->ops / op->seconds.median);
    put_roof(o, &op->roof, op->bound, &op->fraction);
    return o;
}

json_t *bench_roof_record(const bench_about *a, r1_meter *meter, double seconds)
{
    static const char *const isa[] = {"c", "avx2", "avx512", "neon"};
    json_t *const o = about_object(a);
    char name[32];
    if (!o) return NULL;
    json_object_del(o, "model");
    json_object_del(o, "compute");
    json_object_del(o, "cache_type");
    json_object_del(o, "exact_activations");
    put_number(o, "roof_read", r1_meter_read(meter, seconds));
    for (int p = 0; p < R1_PEAK_COUNT; p++) {
        for (size_t i = 0; i < sizeof isa / sizeof *isa; i++) {
            const double rate = r1_meter_peak(meter, isa[i], (r1_peak)p, 0.25 * seconds);
            snprintf(name, sizeof name, "roof_%s_%s", r1_peak_name((r1_peak)p), isa[i]);
            if (rate > 0.0) put_number(o, name, rate);
        }
    }
    return o;
}

/* ---- an earlier run ---------------------------------------------------------------------------------------------- */

/* What has to be equal in two measurements for their times to be comparable. */
static const char *const test_keys[] = {"model", "test", "isa", "threads", "clock", "compute", "cache_type",
                                        "exact_activations", NULL};
static const char *const op_keys[] = {"model", "op", "what", "type", "rows", "outputs", "inputs", "jobs", "isa",
                                      "threads", "clock", NULL};

static bool is_test(const json_t *o) { return json_is_string(json_object_get(o, "test")); }
static bool is_op(const json_t *o) { return json_is_string(json_object_get(o, "op")); }
static const char *measured(const json_t *o) { return is_test(o) ? "tokens_per_second" : "microseconds"; }

/* malloc'd JSON text of the values that identify a measurement. */
static char *key_of(const json_t *o)
{
    json_t *const parts = json_array();
    for (const char *const *k = is_test(o) ? test_keys : op_keys; *k; k++) {
        json_t *const v = json_object_get(o, *k);
        if (v) json_array_append(parts, v);
        else json_array_append_new(parts, json_null());
    }
    char *const text = json_dumps(parts, JSON_COMPACT);
    json_decref(parts);
    return text;
}

/* median, least, most */
static bool spread_of(const json_t *o, double out[3])
{
    static const char *const suffix[] = {"", "_min", "_max"};
    char name[64];
    for (int i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "%s%s", measured(o), suffix[i]);
        const json_t *const v = json_object_get(o, name);
        if (!json_is_number(v) || !(json_number_value(v) > 0.0)) return false;
        out[i] = json_number_value(v);
    }
    return out[1] <= out[0] && out[0] <= out[2];
}

typedef struct reading {
    cli *app;
    const char *path;
    bench_baseline *b;
} reading;

static int read_line(void *user, char *text, size_t bytes, int64_t line)
{
    const reading *const r = user;
    json_error_t e;
    double s[3];
    if (strspn(text, " \t\r") == bytes) return 0;
    json_t *const o = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &e);
    if (!json_is_object(o)) {
        json_decref(o);
        return cli_fail(r->app, CLI_INPUT, "%s:%lld: %s, expected a JSON object", r->path, (long long)line,
                        o ? "another JSON value" : e.text);
    }
    int status = 0;
    if (is_test(o) || is_op(o)) {
        char *const key = spread_of(o, s) ? key_of(o) : NULL;
        if (!key)
            status = cli_fail(r->app, CLI_INPUT,
                              "%s:%lld: a measurement without %s and its _min and _max as positive numbers", r->path,
                              (long long)line, measured(o));
        else if (json_object_set(r->b->by_key, key, o) != 0)
            status = cli_fail(r->app, CLI_ENVIRONMENT, "out of memory");
        else r->b->n++;
        free(key);
    }
    json_decref(o);
    return status;
}

int bench_baseline_read(cli *app, const char *path, bench_baseline *out)
{
    reading r = {.app = app, .path = path, .b = out};
    *out = (bench_baseline){.by_key = json_object()};
    int status = out->by_key ? cli_read_lines(app, path, read_line, &r)
        : cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    if (!status && out->n == 0)
        status = cli_fail(app, CLI_INPUT, "%s: no measurement in it (write one with -o jsonl)", path);
    if (status) bench_baseline_free(out);
    return status;
}

void bench_baseline_free(bench_baseline *b)
{
    json_decref(b->by_key);
    *b = (bench_baseline){0};
}

void bench_compare(const bench_baseline *b, json_t *record)
{
    double now[3], then[3];
    if (!spread_of(record, now)) return;
    char *const key = key_of(record);
    const json_t *const old = key ? json_object_get(b->by_key, key) : NULL;
    free(key);
    if (!old || !spread_of(old, then)) {
        put_text(record, "mark", "new");
        return;
    }
    const bool apart = now[1] > then[2] || now[2] < then[1], more = now[0] > then[0];
    put_number(record, "before", then[0]);
    put_number(record, "ratio", is_test(record) ? now[0] / then[0] : then[0] / now[0]);
    /* more tokens a second, fewer microseconds */
    put_text(record, "mark", !apart ? "=" : more == is_test(record) ? "+" : "-");
}

/* ---- forms ------------------------------------------------------------------------------------------------------- */

typedef struct column {
    const char *key, *title;
    double scale;      /* 0: text or a whole number */
    int digits;
} column;

static const column test_columns[] = {
    {"model", "model", 0, 0}, {"threads", "threads", 0, 0}, {"test", "test", 0, 0}, {"tokens_per_second", "tokens/s", 1, 2},
    {"tokens_per_second_min", "least", 1, 2}, {"tokens_per_second_max", "most", 1, 2}, {"bytes_per_token", "MB/token", 1e-6, 2},
    {"ops_per_token", "Gop/token", 1e-9, 3}, {"bytes_per_second", "GB/s", 1e-9, 2}, {"ops_per_second", "Gop/s", 1e-9, 1},
    {"bound", "roof", 0, 0}, {"fraction", "of roof", 1, 3}, {"fraction_min", "least", 1, 3}, {"fraction_max", "most", 1, 3},
};
static const column op_columns[] = {
    {"op", "op", 0, 0}, {"what", "what", 0, 0}, {"type", "type", 0, 0}, {"isa", "isa", 0, 0}, {"rows", "rows", 0, 0}, {"jobs", "jobs", 0, 0},
    {"outputs", "outputs", 0, 0}, {"inputs", "inputs", 0, 0}, {"microseconds", "us", 1, 1}, {"bytes_per_second", "GB/s", 1e-9, 2},
    {"ops_per_second", "Gop/s", 1e-9, 1}, {"bound", "roof", 0, 0}, {"fraction", "of roof", 1, 3},
};
static const column compare_columns[] = {{"before", "before", 1, 2}, {"ratio", "ratio", 1, 3}, {"mark", "", 0, 0}};

static void put_cell(cli *app, const json_t *record, const column *c)
{
    const json_t *const v = json_object_get(record, c->key);
    if (json_is_string(v)) fprintf(app->out, "%s", json_string_value(v));
    else if (json_is_integer(v)) fprintf(app->out, "%lld", (long long)json_integer_value(v));
    else if (json_is_real(v)) fprintf(app->out, "%.*f", c->digits, json_real_value(v) * c->scale);
}

static void put_md(cli *app, const column *columns, size_t n, bool first, bool compared, const json_t *record)
{
    const size_t more = compared ? sizeof compare_columns / sizeof *compare_columns : 0;
    for (int line = first ? 0 : 2; line < 3; line++) {
        for (size_t i = 0; i < n + more; i++) {
            const column *const c = i < n ? &columns[i] : &compare_columns[i - n];
            fputs(i ? " | " : "| ", app->out);
            if (line == 0) fputs(c->title, app->out);
            else if (line == 1) fputs(json_is_number(json_object_get(record, c->key)) ? "---:" : "---", app->out);
            else put_cell(app, record, c);
        }
        fputs(" |\n", app->out);
    }
}

/* The roof by itself: a sentence, no table. */
static void put_roof_text(cli *app, json_t *record)
{
    const char *key;
    json_t *value;
    const long long threads = json_integer_value(json_object_get(record, "threads"));
    fprintf(app->out, "%s, %lld thread%s, r1 %s %s\nroof: read %.1f GB/s",
            json_string_value(json_object_get(record, "device")), threads, threads == 1 ? "" : "s",
            json_string_value(json_object_get(record, "version")), json_string_value(json_object_get(record, "commit")),
            1e-9 * json_real_value(json_object_get(record, "roof_read")));
    json_object_foreach(record, key, value)
        if (strncmp(key, "roof_", 5) == 0 && strcmp(key, "roof_read") != 0) {
            char name[32];
            snprintf(name, sizeof name, "%s", key + 5);
            for (char *p = name; *p; p++) *p = (char)(*p == '_' ? ' ' : *p);
            fprintf(app->out, ", %s %.0f", name, 1e-9 * json_real_value(value));
        }
    fputs(" Gop/s\n\n", app->out);
}

/* All values in the order of the object, which is the same for every record of a kind. */
static void put_csv(cli *app, bool first, json_t *record)
{
    const char *key;
    json_t *value;
    for (int line = first ? 0 : 1; line < 2; line++) {
        bool comma = false;
        json_object_foreach(record, key, value) {
            char *const text = line == 0 ? NULL : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            fprintf(app->out, "%s%s", comma ? "," : "", line == 0 ? key : text ? text : "");
            comma = true;
            free(text);
        }
        fputc('\n', app->out);
    }
}

int bench_put(cli *app, bench_form form, bool first, bool compared, json_t *record)
{
    if (!record || form == BENCH_JSONL) return cli_put_json(app, record);
    const bool roof = !is_test(record) && !is_op(record);
    if (form == BENCH_CSV && !roof) put_csv(app, first, record);
    else if (form == BENCH_MD && roof) put_roof_text(app, record);
    else if (form == BENCH_MD && is_test(record))
        put_md(app, test_columns, sizeof test_columns / sizeof *test_columns, first, compared, record);
    else if (form == BENCH_MD) put_md(app, op_columns, sizeof op_columns / sizeof *op_columns, first, compared, record);
    json_decref(record);
    return cli_flush(app) ? 0 : CLI_ENVIRONMENT;
}
