#include "setup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void setup_argument(opt_list *list, setup *s)
{
    opt_arg(list, "MODEL", &s->path, "folder of a checkpoint (Hugging Face), or a .gguf file");
}

void setup_argument_optional(opt_list *list, setup *s)
{
    opt_arg_optional(list, "MODEL", &s->path,
                     "folder of a checkpoint (Hugging Face), or a .gguf file; without one R1_MODEL's, else the small model that comes "
                     "with r1");
}

void setup_options(opt_list *list, setup *s)
{
    s->cache_type = "f32";
    s->compute = "f32";
    s->isa = "auto";
    opt_int(list, 'c', "context", "N", &s->context, 0, INT64_C(1) << 31,
            "tokens of prompt and answer together; 0: the model's, at most "
            "32768, less where memory is short");
    opt_int(list, 'b', "batch", "N", &s->batch, 0, 1 << 20,
            "tokens computed in one pass while reading the prompt; 0: 512");
    opt_choice(list, 0, "cache-type", "f32|bf16|q8|q8_0", &s->cache_type,
               "numbers in the key-value cache; q8: 9 bits each (q8_0 is another name for it)");
    opt_choice(list, 0, "compute", "f32|bf16", &s->compute,
               "arithmetic of float weights; bf16 is faster where the processor has it, "
               "and another result");
    opt_flag(list, 0, "exact-activations", &s->exact_activations,
             "quantised weights meet f32 activations instead of 8-bit ones");
    opt_choice(list, 0, "isa", "auto|c|avx2|avx512|neon", &s->isa, "instruction set; every choice gives the same bits");
    opt_string(list, 0, "panels", "FILE", &s->panels,
               "matrices from this file of r1 convert --panels; without this from the one beside the "
               "checkpoint if there is one; none: pack them here");
    opt_string(list, 0, "lora", "DIR", &s->lora,
               "add this LoRA adapter's terms to the model's projections (a folder that PEFT or r1 train wrote); the "
               "weights stay as they are");
}

/* What moves a result (arithmetic, cache) and what it takes, in a line. */
static void show_engine(cli *app, const setup *s, const r1_engine_params *p)
{
    r1_engine_stats e;
    r1_engine_get_stats(s->engine, &e);
    cli_note(app, "%s, compute %s%s, %s cache of %lld tokens (%.1f MiB), weights %.1f MiB, instruction set %s, loaded in %.2f s", s->info.architecture,
             s->info.compute == R1_COMPUTE_BF16 ? "bf16" : "f32", s->exact_activations ? " with exact activations" : "",
             r1_cache_type_name(p->cache_type), (long long)e.context, (double)e.cache_bytes / 0x1p20,
             (double)e.weight_bytes / 0x1p20, s->info.isa, s->info.load_seconds);
}

/* Where ids will do, any tokenizer is a gain and none is a hindrance. */
static int open_tokenizer(cli *app, setup *s, setup_text text)
{
    r1_error err = {0};
    if (r1_tokenizer_open(s->path, &app->env, &s->tokenizer, &err) == R1_OK) return 0;
    if (text == SETUP_TEXT_NEEDED) {
        const int status = cli_report(app, &err);
        if (access(s->path, R_OK) == 0) cli_note(app, "--ids takes token ids instead of text and needs no tokenizer");
        return status;
    }
    if (app->verbose) cli_note(app, "going on without a tokenizer: %s", err.message);
    return 0;
}

int setup_model(cli *app, setup *s, setup_text text, bool load_mtp)
{
    r1_error err = {0};
    r1_model_params p = r1_model_params_default();
    p.compute = strcmp(s->compute, "bf16") == 0 ? R1_COMPUTE_BF16 : R1_COMPUTE_F32;
    p.exact_activations = s->exact_activations;
    p.isa = s->isa;
    p.load_mtp = load_mtp;
    p.lora = s->lora;
    p.panels = s->panels && strcmp(s->panels, "none") == 0 ? "" : s->panels;
    const int status = open_tokenizer(app, s, text);
    if (status) return status;
    if (r1_model_open(s->path, &p, &app->env, &s->model, &err) != R1_OK) return cli_report(app, &err);
    r1_model_get_info(s->model, &s->info);
    return 0;
}

int setup_engine(cli *app, setup *s, r1_engine_params p)
{
    r1_error err = {0};
    if (s->context > 0) p.context = s->context;
    if (s->batch > 0) p.max_batch_tokens = (int32_t)s->batch;
    r1_cache_type_find(s->cache_type, &p.cache_type);
    if (r1_engine_create(s->model, s->tokenizer, &p, &app->env, &s->engine, &err) != R1_OK)
        return cli_report(app, &err);
    if (app->verbose) show_engine(app, s, &p);
    return 0;
}

void setup_close(setup *s)
{
    r1_engine_destroy(s->engine);
    r1_model_close(s->model);
    r1_tokenizer_close(s->tokenizer);
    free(s->own_path);
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static bool separates(char c) { return c == ',' || c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

int setup_ids(cli *app, const char *what, const char *text, int32_t **ids, size_t *n)
{
    size_t cap = strlen(text) / 2 + 1;
    *n = 0;
    *ids = malloc(cap * sizeof **ids);
    if (!*ids) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    for (const char *p = text; *p;) {
        char *end;
        if (separates(*p)) {
            p++;
            continue;
        }
        errno = 0;
        const long v = strtol(p, &end, 10);
        if (end == p || (*end && !separates(*end)) || errno || v < INT32_MIN || v > INT32_MAX) {
            const int status = cli_fail(app, CLI_INPUT, "%s: id %zu is '%.20s', expected a whole number", what, *n, p);
            free(*ids);
            *ids = NULL;
            return status;
        }
        (*ids)[(*n)++] = (int32_t)v;
        p = end;
    }
    return 0;
}

/* ---- bytes and JSON ---------------------------------------------------------------------------------------------- */

void bytes_add(bytes *b, const char *text, size_t n)
{
    if (b->failed || n == 0) return;
    if (n > b->cap - b->n) {
        const size_t cap = (b->n + n) * 2;
        char *const grown = realloc(b->text, cap);
        if (!grown) {
            b->failed = true;
            return;
        }
        b->text = grown;
        b->cap = cap;
    }
    memcpy(b->text + b->n, text, n);
    b->n += n;
}

void bytes_free(bytes *b)
{
    free(b->text);
    *b = (bytes){0};
}

json_t *json_bytes(const char *text, size_t n) { return json_stringn(n > 0 ? text : "", n); }

json_t *json_ids(const int32_t *ids, size_t n)
{
    json_t *const a = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(a, json_integer(ids[i]));
    return a;
}

json_t *json_number(double x) { return isfinite(x) ? json_real(x) : json_null(); }
