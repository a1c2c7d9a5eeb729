/* r1 convert: files made from a checkpoint: its panels, which later starts map instead of packing, and a checkpoint
 * with an adapter merged in. */
#include <string.h>

#include "cli.h"
#include "r1/convert.h"
#include "r1/lora.h"

typedef struct params {
    const char *model, *output, *compute, *lora, *out;
    bool panels, check, json;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->compute = "f32";
    opt_arg(list, "MODEL", &a->model, "folder of a checkpoint (Hugging Face), or a .gguf file");
    opt_flag(list, 0, "panels", &a->panels, "write the matrices as the panels that kernels compute from");
    opt_string(list, 'o', "output", "FILE", &a->output,
               "the file; without this beside the checkpoint, <its first file>.r1panels, where run, "
               "chat and the others find it");
    opt_string(list, 0, "lora", "DIR", &a->lora,
               "write the checkpoint with this LoRA adapter's terms multiplied out (with --out)");
    opt_string(list, 0, "out", "DIR", &a->out, "the new checkpoint's folder");
    opt_flag(list, 0, "check", &a->check, "write nothing: read an existing file of panels and compare every checksum");
    opt_choice(list, 0, "compute", "f32|bf16", &a->compute,
               "arithmetic of the later runs; it matters for f32, f16 and fp8 weights alone");
    opt_flag(list, 'j', "json", &a->json, "the result as one JSON object");
}

static int put_json(cli *app, const r1_panels_info *i)
{
    return cli_put_json(app,
                        json_pack("{s:s, s:b, s:b, s:s, s:I, s:I}", "path", i->path, "present", i->present, "valid",
                                  i->valid, "problem", i->problem,
                                       "bytes", (json_int_t)i->bytes, "extents", (json_int_t)i->extents));
}

static int put(cli *app, const params *a, const r1_panels_info *i)
{
    if (a->json) return put_json(app, i);
    fprintf(app->out, "%s: %llu matrices, %.2f GiB%s\n", i->path, (unsigned long long)i->extents,
            (double)i->bytes / 0x1p30, a->check ? ", all checksums fit" : "");
    return CLI_YES;
}

static int check(cli *app, const params *a)
{
    r1_checkpoint *k;
    r1_panels_info info;
    r1_error err = {0};
    if (r1_checkpoint_open(a->model, &app->env, &k, &err) != R1_OK) return cli_report(app, &err);
    const r1_status st = r1_panels_check(k, a->output, true, &app->env, &info, &err);
    r1_checkpoint_close(k);
    if (st != R1_OK) return cli_report(app, &err);
    if (info.valid) return put(app, a, &info);
    if (a->json) return put_json(app, &info) ? CLI_ENVIRONMENT : CLI_NO;
    if (!info.present) return cli_fail(app, CLI_NO, "%s: there is no file of panels", info.path);
    return cli_fail(app, CLI_INPUT, "%s", info.problem);
}

static int merge(cli *app, const params *a)
{
    r1_lora_info i;
    r1_error err = {0};
    if (!a->lora || !a->out) return cli_fail(app, CLI_USAGE, "merging needs both --lora DIR and --out DIR");
    if (a->panels || a->check || a->output)
        return cli_fail(app, CLI_USAGE, "--lora writes a checkpoint: --panels, --check and -o are for panels");
    if (r1_lora_merge(a->model, a->lora, a->out, &app->env, &i, &err) != R1_OK) return cli_report(app, &err);
    if (a->json)
        return cli_put_json(app,
                            json_pack("{s:s, s:I, s:I}", "path", a->out, "modules", (json_int_t)i.modules, "r",
                                      (json_int_t)i.rank));
    fprintf(app->out, "%s: %lld projections merged\n", a->out, (long long)i.modules);
    return CLI_YES;
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_panels_info info;
    r1_error err = {0};
    if (a->lora || a->out) return merge(app, a);
    if (!a->panels && !a->check)
        return cli_fail(app, CLI_USAGE, "what to make is missing: --panels, or --lora DIR --out DIR");
    if (a->check) return check(app, a);
    const r1_compute compute = strcmp(a->compute, "bf16") == 0 ? R1_COMPUTE_BF16 : R1_COMPUTE_F32;
    if (r1_panels_write(a->model, a->output, compute, &app->env, &info, &err) != R1_OK) return cli_report(app, &err);
    return put(app, a, &info);
}

const cli_command cli_convert = {
    .rank = 35,
    .name = "convert",
    .usage = "(--panels | --lora DIR --out DIR) [options] MODEL",
    .summary = "write a checkpoint's matrices in the layout that is computed from, or merge an adapter into it",
    .about = "Every start packs a checkpoint's matrices into panels of 16 outputs. With --panels this is done once: the file that it writes, "
             "about as large as the checkpoint, is found by every later start and mapped as it is. Processes then share its memory, a start "
             "takes milliseconds, and a model larger than memory runs, as fast as the disk can read it for each token. The results are the "
             "same to the bit.\n\n"
             "The checkpoint is still needed (configuration, tokenizer, vectors). A file of panels belongs to one state of it: when the "
             "checkpoint is written to or copied without its time stamps, the file is ignored with a warning, and --panels writes it anew.\n\n"
             "With --lora the result is a new Hugging Face folder in which W + scale * B A, computed in f32 and rounded once to W's type, stands for each "
             "adapted W. Quantised matrices are refused: use the adapter unmerged (r1 run --lora).",
    .examples = "r1 convert --panels models/DeepSeek-R1-Distill-Qwen-1.5B\n"
                "# somewhere else, and how to use it from there\n"
                "r1 convert --panels -o /fast/qwen.r1panels model.gguf\n"
                "r1 run --panels /fast/qwen.r1panels model.gguf \"Why is the sky blue?\"\n"
                "# an adapter multiplied out\n"
                "r1 convert --lora runs/maths/ckpt/step-200 --out merged models/DeepSeek-R1-Distill-Qwen-1.5B\n"
                "# read it all and compare the checksums\n"
                "r1 convert --check model.gguf",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
