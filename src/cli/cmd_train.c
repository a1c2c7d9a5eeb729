/* r1 train: supervised training from a recipe. */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "r1/bench.h"
#include "r1/train.h"

typedef struct params {
    const char *recipe, *out, *isa;
    opt_strings set;
    bool resume, json;
    int64_t max_steps;
    double memory_limit;
} params;

typedef struct showing {
    cli *app;
    const params *a;
    r1_train_plan plan;
    double peak;         /* operations a second that all threads reach in registers; 0: not known */
    double seconds;      /* spent in steps of this call */
    int64_t done;
    double loss, first_loss;
} showing;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    opt_arg(list, "RECIPE", &a->recipe, "recipe of the run: a YAML file");
    opt_string(list, 'o', "out", "DIR", &a->out, "run folder: recipe, manifest, a line a step, checkpoints");
    opt_strings_add(list, 0, "set", "KEY=VALUE", &a->set, "over the recipe: optimizer.lr=1e-4; may be given again");
    opt_flag(list, 0, "resume", &a->resume, "go on from the newest checkpoint in the run folder");
    opt_int(list, 0, "max-steps", "N", &a->max_steps, 0, INT64_MAX / 2,
            "stop, with a checkpoint, after N steps of this call; 0: the whole run");
    opt_real(list, 0, "memory-limit", "GIB", &a->memory_limit, 0.0, 1e6,
             "refuse, before the first step, a run that needs more; 0: what is available");
    opt_choice(list, 0, "isa", "auto|c|avx2|avx512|neon", &a->isa, "instruction set; the bits are the same in each");
    opt_flag(list, 'j', "json", &a->json, "a JSON object a line: the plan, then each step");
}

static void gib(char *text, size_t size, uint64_t bytes) { snprintf(text, size, "%.2f", (double)bytes / 0x1p30); }

/* What the paper publishes, with what this run does instead; what it leaves open. */
static void show_preset(const showing *s, const r1_train_plan *p)
{
    for (int published = 1; published >= 0; published--) {
        char line[600] = "";
        for (size_t i = 0; i < p->n_choices; i++) {
            const r1_train_choice *const c = &p->choice[i];
            const size_t n = strlen(line);
            if ((c->published != NULL) != (published == 1)) continue;
            snprintf(line + n, sizeof line - n, "%s%s %s", n ? ", " : "", c->key, published ? c->published : c->value);
            if (published && strcmp(c->published, c->value) != 0)
                snprintf(line + strlen(line), sizeof line - strlen(line), " (here %s)", c->value);
            if (!published && strcmp(c->by, "recipe") == 0)
                snprintf(line + strlen(line), sizeof line - strlen(line), " (the recipe's)");
        }
        cli_note(s->app, "%-12s %s", published ? "published" : "our choice", line);
    }
}

/* What a step is measured against: the best of a few short slices, as whatever else runs can only lower one. */
static double measure_peak(const cli *app, const r1_train_plan *p)
{
    r1_meter *meter;
    double best = 0.0;
    if (r1_meter_create(&app->env, 0, 1, &meter, NULL) != R1_OK) return 0.0;
    for (int i = 0; i < 12; i++) {
        const double peak = r1_meter_peak(meter, p->isa, p->compute == R1_COMPUTE_BF16 ? R1_PEAK_BF16 : R1_PEAK_F32,
                                          0.01);
        if (peak > best) best = peak;
    }
    r1_meter_destroy(meter);
    return best;
}

static void show_plan(void *user, const r1_train_plan *p)
{
    showing *const s = user;
    s->plan = *p;
    s->peak = measure_peak(s->app, p);
    if (s->a->json) {
        cli_put_json(s->app, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s, s:I, s:I, s:f}", "plan",
                                       p->model, "first_step", (json_int_t)p->first_step, "steps", (json_int_t)p->steps,
                                       "parameters", (json_int_t)p->parameters, "rows", (json_int_t)p->rows,
                                       "documents", (json_int_t)p->documents, "skipped", (json_int_t)p->skipped,
                                       "tokens", (json_int_t)p->tokens, "chunks",
                                       (json_int_t)p->chunks, "data_sha256", p->data_hash, "total_bytes",
                                       (json_int_t)p->total_bytes, "available_bytes", (json_int_t)p->available_bytes,
                                       "peak_flops", s->peak));
        return;
    }
    char all[16], model[16], optimizer[16], activations[16];
    gib(all, sizeof all, p->total_bytes), gib(model, sizeof model, p->model_bytes);
    gib(optimizer, sizeof optimizer, p->optimizer_bytes), gib(activations, sizeof activations, p->activation_bytes);
    cli_note(s->app, "model        %s, %.2f million parameters", p->model, (double)p->parameters * 1e-6);
    if (p->adapter_rank > 0)
        cli_note(s->app, "adapter      rank %lld, %.3f million parameters trained; the model is frozen",
                 (long long)p->adapter_rank, (double)p->trained_parameters * 1e-6);
    cli_note(s->app, "data         %lld rows, %lld documents (%lld longer than sequence_length: data.too_long), %lld tokens in %lld chunks", (long long)p->rows,
             (long long)p->documents, (long long)p->skipped, (long long)p->tokens, (long long)p->chunks);
    char evaluation[16], more[40] = "";
    gib(evaluation, sizeof evaluation, p->evaluation_bytes);
    if (p->evaluation_bytes > 0) snprintf(more, sizeof more, ", evaluation %s", evaluation);
    cli_note(s->app, "memory       %s GiB: weights %s, gradients and moments %s, activations %s%s", all, model,
             optimizer, activations, more);
    if (p->preset) {
        cli_note(s->app, "preset       %s", p->preset);
        show_preset(s, p);
    }
    if (p->first_step > p->steps)
        cli_note(s->app, "steps        none: %lld are done, the recipe asks for %lld", (long long)p->first_step - 1,
                 (long long)p->steps);
    else cli_note(s->app, "steps        %lld to %lld", (long long)p->first_step, (long long)p->steps);
    if (s->peak > 0)
        cli_note(s->app, "peak         %.0f GFLOP/s %s, measured", s->peak * 1e-9,
                 p->compute == R1_COMPUTE_BF16 ? "bf16" : "f32");
}

static void time_text(char *text, size_t size, double seconds)
{
    const long long t = seconds < 0 ? 0 : (long long)(seconds + 0.5);
    if (t >= 3600) snprintf(text, size, "%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60);
    else snprintf(text, size, "%lld:%02lld", t / 60, t % 60);
}

static void show_line(const showing *s, const r1_train_step *t, double flops)
{
    char left[32], extra[96] = "", used[32] = "", memory[48] = "";
    time_text(left, sizeof left, s->seconds / (double)s->done * (double)(t->steps - t->step));
    if (t->load_spread > 0) snprintf(extra, sizeof extra, "  load %.2f", t->load_spread);
    if (t->mtp_loss > 0) snprintf(extra + strlen(extra), sizeof extra - strlen(extra), "  mtp %.4f", t->mtp_loss);
    if (s->peak > 0) snprintf(used, sizeof used, ", %.0f %% of peak", 100.0 * flops / s->peak);
    if (t->peak_bytes > 0)
        snprintf(memory, sizeof memory, "  %.0f MiB, most %.0f", (double)t->resident_bytes / 0x1p20,
                 (double)t->peak_bytes / 0x1p20);
    fprintf(s->app->out, "step %6lld/%lld  loss %.4f%s  lr %.2e  norm %.3f  %.0f tokens/s  %.1f GFLOP/s%s%s  left %s%s\n", (long long)t->step, (long long)t->steps,
            t->loss, extra, t->learning_rate, t->gradient_norm, t->tokens_per_second, flops * 1e-9, used, memory, left,
            t->saved ? "  saved" : "");
}

/* Written by the signal handler alone. The first signal ends the run after its step and a checkpoint, a second ends the
 * program. */
static volatile sig_atomic_t interrupted;
static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static bool show_step(void *user, const r1_train_step *t)
{
    showing *const s = user;
    const double flops = t->tokens_per_second * s->plan.flops_per_token;
    s->seconds += t->seconds;
    s->loss = t->loss;
    if (s->done++ == 0) s->first_loss = t->loss;
    if (s->a->json) {
        cli_put_json(s->app, json_pack("{s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:I, s:I, s:b}",
                                       "step", (json_int_t)t->step, "steps", (json_int_t)t->steps, "loss", t->loss,
                                       "mtp_loss", t->mtp_loss, "learning_rate", t->learning_rate, "gradient_norm",
                                       t->gradient_norm, "tokens_per_second", t->tokens_per_second, "tokens",
                                       (json_int_t)t->tokens, "targets", (json_int_t)t->targets, "load_spread",
                                       t->load_spread, "flops", flops, "flop_utilisation",
                                       s->peak > 0 ? flops / s->peak : 0.0, "resident_bytes",
                                       (json_int_t)t->resident_bytes, "peak_bytes", (json_int_t)t->peak_bytes, "saved",
                                       t->saved));
    } else {
        show_line(s, t, flops);
    }
    return cli_flush(s->app) && !interrupted && (s->a->max_steps == 0 || s->done < s->a->max_steps);
}

static void show_evaluation(void *user, const r1_train_evaluation *e)
{
    showing *const s = user;
    if (s->a->json) {
        cli_put_json(s->app, json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f}", "evaluation", e->task,
                                       "step", (json_int_t)e->step, "prompts", (json_int_t)e->prompts, "samples",
                                       (json_int_t)e->samples, "correct", (json_int_t)e->correct, "truncated",
                                       (json_int_t)e->truncated, "tokens", (json_int_t)e->tokens, "pass_at_1",
                                       e->pass_at_1, "lo", e->lo, "hi", e->hi, "seconds", e->seconds));
    } else {
        char time[32];
        time_text(time, sizeof time, e->seconds);
        fprintf(s->app->out, "eval %6lld  %s: pass@1 %.1f %% (%.1f to %.1f), %lld of %lld samples right, %.0f tokens each, %lld cut, %s\n", (long long)e->step, e->task,
                100.0 * e->pass_at_1, 100.0 * e->lo, 100.0 * e->hi, (long long)e->correct, (long long)e->samples,
                e->samples > 0 ? (double)e->tokens / (double)e->samples : 0.0, (long long)e->truncated, time);
    }
    (void)cli_flush(s->app);
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_error err = {0};
    showing s = {.app = app, .a = a};
    if (!a->out) return cli_fail(app, CLI_USAGE, "--out DIR is missing: where the run is kept");
    const r1_train_params tp = {.recipe = a->recipe, .set = a->set.item, .n_set = (size_t)a->set.n, .out = a->out,
                                .resume = a->resume, .isa = a->isa, .on_evaluation = show_evaluation,
                                .memory_limit = (uint64_t)(a->memory_limit * 0x1p30)};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND | SA_RESTART}, before_int,
                     before_term;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &before_int);
    sigaction(SIGTERM, &action, &before_term);
    const r1_status st = r1_train(&tp, &app->env, show_plan, show_step, &s, &err);
    sigaction(SIGINT, &before_int, NULL);
    sigaction(SIGTERM, &before_term, NULL);
    if (st != R1_OK && st != R1_ERR_STOPPED) return cli_report(app, &err);
    const bool cut = interrupted && st == R1_ERR_STOPPED;
    if (cut) cli_note(app, "interrupted: a checkpoint is kept, --resume goes on from it");
    if (s.done > 0)
        cli_note(app, "%lld step%s, loss %.4f to %.4f; checkpoints in %s/ckpt", (long long)s.done,
                 s.done == 1 ? "" : "s", s.first_loss, s.loss, a->out);
    else cli_note(app, "nothing left to do: the run is at its last step");
    return cut ? CLI_NO : CLI_YES;
}

const cli_command cli_train = {
    .rank = 80,
    .name = "train",
    .usage = "[options] RECIPE --out DIR",
    .summary = "train a model on examples, from a recipe",
    .about = "Trains a checkpoint, or a new model made from a config, on JSONL rows (messages, prompt and completion, text, or ready input_ids): loss on "
             "the assistant's tokens and the end token alone, documents packed without seeing each other, AdamW, checkpoints in Hugging Face's "
             "layout that transformers loads.\n\n"
             "Ctrl-C ends a run after its step, with a checkpoint and exit status 5. A run can be killed at any moment, too: --resume goes on from its newest "
             "checkpoint and ends in the same bytes as a run that was never interrupted. Threads, micro-batches and instruction sets move no bit either.",
    .examples = "# a recipe, at the least; docs/training.md has every key and its default\n"
                "cat > recipe.yaml << END\n"
                "model: models/DeepSeek-R1-Distill-Qwen-1.5B\n"
                "data: {files: [rows.jsonl]}\n"
                "sequence_length: 2048\n"
                "batch_size: 16\n"
                "epochs: 2\n"
                "optimizer: {lr: 1e-5, warmup_steps: 20}\n"
                "checkpoint: {every: 100}\n"
                "END\n"
                "# a few steps on your own examples\n"
                "r1 train recipe.yaml --out runs/first --set steps=20\n"
                "# go on after an interruption\n"
                "r1 train recipe.yaml --out runs/first --resume\n"
                "# its curves, and the model it made\n"
                "r1 report runs/first --html curves.html\n"
                "r1 run runs/first/ckpt/step-100 \"Why is the sky blue?\"",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
