/* r1 tokenizer train: a vocabulary learnt from text. */
#include <string.h>

#include "cli.h"
#include "r1/tokenizer.h"

typedef struct params {
    const char *action, *out;
    opt_strings files, special;
    int64_t vocab, digits;
    bool json;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->digits = 3;
    a->vocab = 1024;
    opt_arg(list, "train", &a->action, "what to do: train");
    opt_arg_rest(list, "FILE", &a->files,
                 "text to learn from: .jsonl with messages, prompt and completion, or text in every row, or plain text; .gz and .zst of both");
    opt_int(list, 'n', "vocab", "N", &a->vocab, 1, 1 << 20, "ids in all: 7 special tokens, 256 bytes, and merges");
    opt_string(list, 'o', "out", "DIR", &a->out, "folder for tokenizer.json and tokenizer_config.json");
    opt_int(list, 0, "digits", "N", &a->digits, 1, 3, "longest run of digits that a token may hold");
    opt_strings_add(list, 0, "special", "TEXT", &a->special, "one more special token; may be given again");
    opt_flag(list, 'j', "json", &a->json, "what was learnt as one JSON object");
}

static int run(cli *app, void *p)
{
    const params *const a = p;
    r1_tokenizer_training done;
    r1_error err = {0};
    if (strcmp(a->action, "train") != 0) return cli_fail(app, CLI_USAGE, "'%s': only 'train' is known", a->action);
    if (a->files.n == 0) return cli_fail(app, CLI_USAGE, "FILE is missing: text to learn from");
    if (!a->out) return cli_fail(app, CLI_USAGE, "--out DIR is missing: where the tokenizer goes");
    const r1_tokenizer_train_params tp = {.path = a->files.item, .n_paths = (size_t)a->files.n, .vocab_size = a->vocab,
                                          .special = a->special.item, .n_special = (size_t)a->special.n,
                                          .digits = (int)a->digits, .out = a->out};
    if (r1_tokenizer_train(&tp, &app->env, &done, &err) != R1_OK) return cli_report(app, &err);
    if (a->json)
        return cli_put_json(app,
                            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "vocab", (json_int_t)done.size, "merges",
                                      (json_int_t)done.merges, "texts", (json_int_t)done.texts,
                                           "bytes", (json_int_t)done.bytes, "pieces", (json_int_t)done.pieces,
                                           "distinct_pieces", (json_int_t)done.words));
    cli_note(app, "%lld texts, %.1f MB, %lld distinct pieces", (long long)done.texts, (double)done.bytes * 1e-6,
             (long long)done.words);
    cli_note(app, "%lld ids, %lld merges: %s/tokenizer.json", (long long)done.size, (long long)done.merges, a->out);
    if (done.size < a->vocab)
        cli_note(app, "fewer than the %lld asked for: no pair was left to merge", (long long)a->vocab);
    return CLI_YES;
}

const cli_command cli_tokenizer = {
    .rank = 42,
    .name = "tokenizer",
    .usage = "train [options] --out DIR FILE...",
    .summary = "learn a vocabulary from text",
    .about = "Learns a byte-level BPE vocabulary: R1's way of cutting text into pieces, R1's special tokens and chat template, and merges for the pairs that "
             "are most frequent in the text. A small model needs a small vocabulary: of 1,024 ids, 761 are learnt.\n\n"
             "The same files give the same bytes, and the merges are those that the trainer of Hugging Face's tokenizers finds.",
    .examples = "# a vocabulary for a small model\n"
                "r1 tokenizer train --vocab 1024 --out tokenizer corpus/train.jsonl.gz\n"
                "# see what it does\n"
                "r1 tokenize --pieces tokenizer 'The sum is 42.'",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
