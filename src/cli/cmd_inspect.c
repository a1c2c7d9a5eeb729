/* r1 inspect: what a checkpoint holds, from its headers alone. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/convert.h"
#include "r1/lora.h"

typedef struct params {
    const char *model;
    bool json, tensors;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    opt_arg(list, "MODEL", &a->model,
            "folder of a checkpoint or of a LoRA adapter, a .gguf file, or a bare config.json");
    opt_flag(list, 'j', "json", &a->json, "everything, each tensor too, as one JSON object");
    opt_flag(list, 0, "tensors", &a->tensors, "list each tensor with type and shape");
}

/* How much of the checkpoint one element type is. */
typedef struct type_total {
    uint64_t tensors, elements, bytes;
} type_total;

static uint64_t elements(const r1_tensor_info *t)
{
    uint64_t n = 1;
    for (int d = 0; d < t->n_dims; d++) n *= (uint64_t)t->dim[d];
    return n;
}

static void sum_types(const r1_checkpoint *k, type_total total[R1_DTYPE_COUNT])
{
    memset(total, 0, R1_DTYPE_COUNT * sizeof *total);
    for (int64_t i = 0; i < r1_checkpoint_tensor_count(k); i++) {
        const r1_tensor_info *const t = r1_checkpoint_tensor(k, i);
        total[t->type].tensors++;
        total[t->type].elements += elements(t);
        total[t->type].bytes += t->bytes;
    }
}

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* "671,026,419,200"; text[32]. */
static const char *grouped(uint64_t v, char *text)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v);
    char *p = text;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) *p++ = ',';
        *p++ = digits[i];
    }
    *p = '\0';
    return text;
}

/* Text from a file: control characters (C1 too, which are c2 80 to c2 9f in UTF-8) must not reach the terminal. */
static void put_name(FILE *out, const char *s)
{
    for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
        const bool c1 = p[0] == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;
        putc(*p < 0x20 || *p == 0x7f || c1 ? '?' : *p, out);
        p += c1;
    }
}

static void put_shape(FILE *out, const r1_tensor_info *t)
{
    putc('[', out);
    for (int d = 0; d < t->n_dims; d++) fprintf(out, "%s%lld", d ? ", " : "", (long long)t->dim[d]);
    putc(']', out);
}

static void put_summary(FILE *out, const r1_checkpoint_summary *s)
{
    char text[32];
    if (s->name) {
        fputs("name                  ", out);
        put_name(out, s->name);
        putc('\n', out);
    }
    fprintf(out, "architecture          %s\n", s->architecture);
    fprintf(out, "format                %s", s->format);
    if (s->files) fprintf(out, ", %llu file%s", (unsigned long long)s->files, s->files == 1 ? "" : "s");
    fprintf(out, "\nparameters            %s\n", grouped(s->parameters, text));
    fprintf(out, "  active per token    %s\n", grouped(s->parameters_active, text));
    if (s->parameters_mtp) fprintf(out, "  MTP layers, beside  %s\n", grouped(s->parameters_mtp, text));
    fprintf(out, "  stored in all       %s\n", grouped(s->parameters_stored, text));
    fprintf(out, "tensors               %s\n", grouped(s->tensors, text));
    fprintf(out, "bytes                 %s (%.2f GiB)\n", grouped(s->bytes, text), (double)s->bytes / 1073741824.0);
}

static void put_types(FILE *out, const r1_checkpoint *k)
{
    type_total total[R1_DTYPE_COUNT];
    char a[32], b[32], c[32];
    sum_types(k, total);
    fprintf(out, "\n%-8s %12s %20s %20s\n", "type", "tensors", "values", "bytes");
    for (int t = 0; t < R1_DTYPE_COUNT; t++)
        if (total[t].tensors)
            fprintf(out, "%-8s %12s %20s %20s\n", r1_dtype_name((r1_dtype)t), grouped(total[t].tensors, a),
                    grouped(total[t].elements, b), grouped(total[t].bytes, c));
}

static void put_panels(FILE *out, const r1_panels_info *p)
{
    char text[32];
    if (!p->present) return;
    fprintf(out, "panels                ");
    if (p->valid) fprintf(out, "%s bytes in ", grouped(p->bytes, text));
    put_name(out, p->valid ? p->path : p->problem);
    fputs(p->valid ? "\n" : "; not used\n", out);
}

static void put_text(FILE *out, const r1_checkpoint *k, const r1_panels_info *panels, bool tensors)
{
    put_summary(out, r1_checkpoint_get_summary(k));
    put_panels(out, panels);
    put_types(out, k);
    putc('\n', out);
    for (int i = 0; i < r1_checkpoint_hparam_count(k); i++) {
        const r1_hparam *const h = r1_checkpoint_hparam(k, i);
        fprintf(out, "%-26s %s\n", h->key, h->value);
    }
    if (r1_checkpoint_ignored_count(k)) fputs("\nkeys read past:", out);
    for (int i = 0; i < r1_checkpoint_ignored_count(k); i++) {
        putc(' ', out);
        put_name(out, r1_checkpoint_ignored(k, i));
    }
    if (r1_checkpoint_ignored_count(k)) putc('\n', out);
    if (tensors) putc('\n', out);
    for (int64_t i = 0; tensors && i < r1_checkpoint_tensor_count(k); i++) {
        const r1_tensor_info *const t = r1_checkpoint_tensor(k, i);
        fprintf(out, "%-8s ", r1_dtype_name(t->type));
        put_name(out, t->name);
        putc(' ', out);
        put_shape(out, t);
        putc('\n', out);
    }
}

/* ---- JSON -------------------------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *s) { return s ? json_string(s) : json_null(); }
static json_t *big(uint64_t v) { return json_integer((json_int_t)v); }

static json_t *types_object(const r1_checkpoint *k)
{
    type_total total[R1_DTYPE_COUNT];
    json_t *const o = json_object();
    sum_types(k, total);
    for (int t = 0; t < R1_DTYPE_COUNT; t++)
        if (total[t].tensors)
            json_object_set_new(o, r1_dtype_name((r1_dtype)t),
                                json_pack("{s:o, s:o, s:o}", "tensors", big(total[t].tensors), "values",
                                          big(total[t].elements), "bytes", big(total[t].bytes)));
    return o;
}

static json_t *panels_object(const r1_panels_info *p)
{
    if (!p->present) return json_null();
    return json_pack("{s:s, s:b, s:s, s:o, s:o}", "path", p->path, "valid", p->valid, "problem", p->problem, "bytes",
                     big(p->bytes), "extents", big(p->extents));
}

static json_t *head_object(const r1_checkpoint *k, const r1_panels_info *panels)
{
    const r1_checkpoint_summary *const s = r1_checkpoint_get_summary(k);
    json_t *const params_object = json_object(), *const ignored = json_array();
    for (int i = 0; i < r1_checkpoint_hparam_count(k); i++) {
        const r1_hparam *const h = r1_checkpoint_hparam(k, i);
        json_object_set_new(params_object, h->key, json_loads(h->value, JSON_DECODE_ANY, NULL));
    }
    for (int i = 0; i < r1_checkpoint_ignored_count(k); i++)
        json_array_append_new(ignored, json_string(r1_checkpoint_ignored(k, i)));
    return json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "path", s->path,
                     "name", text_or_null(s->name),
                     "format", s->format, "architecture", s->architecture, "parameters", big(s->parameters),
                     "parameters_active",
                     big(s->parameters_active), "parameters_mtp", big(s->parameters_mtp), "parameters_stored",
                     big(s->parameters_stored),
                     "tensor_count", big(s->tensors), "bytes", big(s->bytes), "files", big(s->files), "types",
                     types_object(k), "hyper_parameters", params_object, "ignored_keys", ignored, "panels",
                     panels_object(panels));
}

static json_t *tensor_object(const r1_tensor_info *t)
{
    json_t *const shape = json_array();
    for (int d = 0; d < t->n_dims; d++) json_array_append_new(shape, json_integer(t->dim[d]));
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "name", t->name, "type", r1_dtype_name(t->type), "shape", shape,
                     "bytes", big(t->bytes),
                     "file", text_or_null(t->file), "offset", t->file ? big(t->offset) : json_null());
}

/* Compact text of a value, whose reference it takes; NULL without memory. */
static char *dump(json_t *value)
{
    char *const text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    return text;
}

/* The tensors are written one by one behind the other members: R1 has 91,991, and a tree of them is 100 MB. */
static int put_json(cli *app, const r1_checkpoint *k, const r1_panels_info *panels)
{
    char *text = dump(head_object(k, panels));
    if (!text) return cli_fail(app, CLI_ENVIRONMENT, "out of memory (or a path that is not UTF-8)");
    fwrite(text, 1, strlen(text) - 1, app->out); /* without its last brace */
    free(text);
    fputs(",\"tensors\":[", app->out);
    for (int64_t i = 0; i < r1_checkpoint_tensor_count(k); i++) {
        text = dump(tensor_object(r1_checkpoint_tensor(k, i)));
        if (!text) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
        if (i) putc(',', app->out);
        fputs(text, app->out);
        free(text);
    }
    fputs("]}\n", app->out);
    return CLI_YES;
}

/* An adapter is no checkpoint of its own: what it is made of and for. */
static int inspect_adapter(cli *app, const params *a)
{
    r1_lora_info i;
    r1_error err = {0};
    char count[32], size[32];
    if (r1_lora_inspect(a->model, &i, &err) != R1_OK) return cli_report(app, &err);
    if (a->json)
        return cli_put_json(app,
                            json_pack("{s:s, s:s, s:s, s:I, s:f, s:f, s:s, s:I, s:I, s:I}", "path", a->model, "kind",
                                      "lora", "base", i.base, "r", (json_int_t)i.rank,
                                           "lora_alpha", i.alpha, "scale", i.scale, "target_modules", i.targets,
                                           "modules", (json_int_t)i.modules, "parameters",
                                           (json_int_t)i.parameters, "bytes", (json_int_t)i.bytes));
    fprintf(app->out, "%s: a LoRA adapter\n", a->model);
    fputs("  made for         ", app->out);
    put_name(app->out, i.base[0] ? i.base : "(it does not say)");
    fprintf(app->out, "\n  rank             %lld, alpha %g: terms are scaled by %g\n  projections      %lld (",
            (long long)i.rank, i.alpha, i.scale, (long long)i.modules);
    put_name(app->out, i.targets);
    fprintf(app->out, ")\n  parameters       %s, %s bytes\n", grouped(i.parameters, count), grouped(i.bytes, size));
    return CLI_YES;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_checkpoint *k;
    r1_panels_info panels = {.present = false};
    r1_error err = {0};
    if (r1_lora_is_adapter(a->model)) return inspect_adapter(app, a);
    if (r1_checkpoint_open(a->model, &app->env, &k, &err) != R1_OK) return cli_report(app, &err);
    int status = CLI_YES;
    if (r1_checkpoint_get_summary(k)->files && r1_panels_check(k, NULL, false, &app->env, &panels, &err) != R1_OK)
        status = cli_report(app, &err);
    else if (a->json) status = put_json(app, k, &panels);
    else put_text(app->out, k, &panels, a->tensors);
    r1_checkpoint_close(k);
    return status;
}

const cli_command cli_inspect = {
    .rank = 30,
    .name = "inspect",
    .usage = "[options] MODEL",
    .summary = "what a checkpoint holds: architecture, parameters, tensors, bytes",
    .about = "Reads the headers of a checkpoint, not its weights: architecture, every hyper-parameter under its Hugging Face name, parameter "
             "counts (whole, active per token, MTP layers), and how many tensors and bytes each element type has.\n\n"
             "The files are checked against the configuration on the way: a tensor that is missing, has another shape, or has no place in the "
             "architecture is an error. A bare config.json lists what its architecture prescribes.",
    .examples = "r1 inspect models/DeepSeek-R1\n"
                "# one tensor per line\n"
                "r1 inspect --tensors model-00001-of-00009.gguf\n"
                "# from the configuration alone, before a download\n"
                "r1 inspect config.json\n"
                "r1 inspect --json models/DeepSeek-R1 | jq .parameters",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
