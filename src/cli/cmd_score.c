/* r1 score: how likely a model finds given text or token ids. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "r1/tensorfile.h"
#include "setup.h"

typedef struct params {
    setup s;
    const char *text, *file, *ids, *ids_file, *logits, *mtp_logits;
    int64_t chunk;
    bool json, plain;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    setup_argument(list, &a->s);
    opt_string(list, 0, "text", "TEXT", &a->text, "the text to score");
    opt_string(list, 'f', "file", "FILE", &a->file, "the same from a file; - is standard input");
    opt_string(list, 0, "ids", "IDS", &a->ids, "token ids, 1,2,3, instead of text (needs no tokenizer)");
    opt_string(list, 0, "ids-file", "FILE", &a->ids_file, "token ids separated by white space; - is standard input");
    opt_flag(list, 0, "plain", &a->plain, "control tokens in the text are plain text");
    opt_string(list, 0, "logits", "FILE", &a->logits,
               "write every position's logits: safetensors, tensor logits [T, V] f32");
    opt_string(list, 0, "mtp-logits", "FILE", &a->mtp_logits,
               "the same of the multi-token prediction layer: tensor mtp_logits [T-1, V]");
    opt_int(list, 0, "chunk", "N", &a->chunk, 0, INT32_MAX,
            "tokens of one pass; moves no bit of the result; 0: as --batch");
    opt_flag(list, 'j', "json", &a->json, "one JSON object: ids, log-probs, perplexity");
    setup_options(list, &a->s);
}

/* ---- what to score ----------------------------------------------------------------------------------------------- */

static int read_input(cli *app, const params *a, int32_t **ids, size_t *n)
{
    r1_error err = {0};
    char *text = NULL;
    size_t size;
    int status = 0;
    if (a->ids) return setup_ids(app, "--ids", a->ids, ids, n);
    const char *const file = a->ids_file ? a->ids_file : a->file;
    if (file && (status = cli_read(app, file, (size_t)1 << 31, &text, &size))) return status;
    if (a->ids_file) {
        status = setup_ids(app, file, text, ids, n);
    } else {
        const unsigned flags = R1_ENCODE_BOS | (a->plain ? R1_ENCODE_PLAIN : 0);
        if (!file) size = strlen(a->text);
        if (r1_tokenizer_encode(a->s.tokenizer, file ? text : a->text, size, flags, ids, n, &err) != R1_OK)
            status = cli_report(app, &err);
    }
    free(text);
    return status;
}

/* ---- logits to a file -------------------------------------------------------------------------------------------- */

typedef struct sink {
    r1_tensor_writer *writer;
    int64_t vocab;
    r1_status status;
    r1_error err;
} sink;

static bool write_row(void *user, int64_t position, const float *logits)
{
    sink *const s = user;
    (void)position;
    s->status = r1_tensor_writer_append(s->writer, logits, (size_t)s->vocab * sizeof *logits, &s->err);
    return s->status == R1_OK;
}

static int open_sink(cli *app, const params *a, const char *path, const char *name, size_t rows, sink *s)
{
    const r1_tensor_decl decl = {.name = name, .type = R1_DTYPE_F32, .n_dims = 2,
                                 .dim = {(int64_t)rows, a->s.info.vocab_size}};
    *s = (sink){.vocab = a->s.info.vocab_size};
    s->status = r1_tensor_writer_create(path, &decl, 1, &s->writer, &s->err);
    return s->status == R1_OK ? 0 : cli_report(app, &s->err);
}

/* st: of the scoring that fed the sink. */
static int close_sink(cli *app, sink *s, r1_status st, const r1_error *err)
{
    if (st == R1_OK) return r1_tensor_writer_finish(s->writer, &s->err) == R1_OK ? 0 : cli_report(app, &s->err);
    r1_tensor_writer_abort(s->writer);
    return cli_report(app, s->status != R1_OK ? &s->err : err);
}

static int write_mtp(cli *app, const params *a, const int32_t *ids, size_t n)
{
    r1_error err = {0};
    sink s;
    if (n < 2) return cli_fail(app, CLI_INPUT, "--mtp-logits needs at least two tokens");
    const int status = open_sink(app, a, a->mtp_logits, "mtp_logits", n - 1, &s);
    if (status) return status;
    const r1_status st = r1_engine_score_mtp(a->s.engine, ids, n, (int32_t)a->chunk, write_row, &s, &err);
    return close_sink(app, &s, st, &err);
}

static int score(cli *app, const params *a, const int32_t *ids, size_t n, float *logprob)
{
    r1_error err = {0};
    sink s;
    int status = 0;
    if (a->logits && (status = open_sink(app, a, a->logits, "logits", n, &s))) return status;
    const r1_status st = r1_engine_score(a->s.engine, ids, n, (int32_t)a->chunk, logprob, a->logits ? write_row : NULL,
                                         &s, &err);
    if (a->logits) status = close_sink(app, &s, st, &err);
    else if (st != R1_OK) status = cli_report(app, &err);
    if (!status && a->mtp_logits) status = write_mtp(app, a, ids, n);
    return status;
}

/* ---- printing ---------------------------------------------------------------------------------------------------- */

/* A token's text on one line: control characters, and bytes that are no whole character here, as \xNN. */
static void put_piece(FILE *out, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)text[i];
        size_t more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : 9;
        for (size_t k = 1; k <= more && more != 9; k++)
            if (i + k >= n || ((unsigned char)text[i + k] & 0xc0) != 0x80) more = 9;
        if (c == '\n') fputs("\\n", out);
        else if (c == '\\') fputs("\\\\", out);
        else if (c < 0x20 || c == 0x7f || more == 9 || (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)) {
            fprintf(out, "\\x%02x", c);
        } else {
            fwrite(text + i, 1, more + 1, out);
            i += more;
        }
    }
}

static void put_table(FILE *out, const params *a, const int32_t *ids, size_t n, const float *logprob)
{
    for (size_t i = 0; i < n; i++) {
        const char *text;
        size_t bytes_of;
        if (i == 0) fprintf(out, "%7zu %8d          -", i, ids[i]);
        else fprintf(out, "%7zu %8d %10.5f", i, ids[i], (double)logprob[i - 1]);
        if (a->s.tokenizer && r1_tokenizer_token_bytes(a->s.tokenizer, ids[i], &text, &bytes_of)) {
            fputs("  ", out);
            put_piece(out, text, bytes_of);
        }
        putc('\n', out);
    }
}

static int print(cli *app, const params *a, const int32_t *ids, size_t n, const float *logprob)
{
    double sum = 0.0;
    for (size_t i = 0; i + 1 < n; i++) sum += (double)logprob[i];
    const double mean = n > 1 ? sum / (double)(n - 1) : NAN;
    if (!a->json) {
        put_table(app->out, a, ids, n, logprob);
        if (n > 1) fprintf(app->out, "tokens %zu, mean log-prob %.6f, perplexity %.6f\n", n, mean, exp(-mean));
        return CLI_YES;
    }
    json_t *const each = json_array();
    for (size_t i = 0; i + 1 < n; i++) json_array_append_new(each, json_number((double)logprob[i]));
    return cli_put_json(app,
                        json_pack("{s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "ids", json_ids(ids, n), "logprobs", each,
                                  "tokens", (json_int_t)n,
                                       "scored", (json_int_t)(n - 1), "sum_logprob", json_number(n > 1 ? sum : NAN),
                                       "mean_logprob",
                                       json_number(mean), "perplexity", json_number(exp(-mean))));
}

static int run(cli *app, void *p)
{
    params *const a = p;
    int32_t *ids = NULL;
    float *logprob = NULL;
    size_t n = 0;
    if ((a->text != NULL) + (a->file != NULL) + (a->ids != NULL) + (a->ids_file != NULL) != 1)
        return cli_fail(app, CLI_USAGE, "give one of --text, --file, --ids and --ids-file");
    int status = setup_model(app, &a->s, a->ids || a->ids_file ? SETUP_TEXT_WELCOME : SETUP_TEXT_NEEDED,
                             a->mtp_logits != NULL);
    if (!status) status = read_input(app, a, &ids, &n);
    if (!status && n == 0) status = cli_fail(app, CLI_INPUT, "there is no token to score");
    if (!status) {
        r1_engine_params e = r1_engine_params_default();
        e.max_sequences = 16;
        e.no_prefix_cache = true;
        e.context = (int64_t)n; /* no larger cache than the text needs */
        if (a->chunk > 512) e.max_batch_tokens = (int32_t)a->chunk;
        if (!(logprob = malloc(n * sizeof *logprob))) status = cli_fail(app, CLI_ENVIRONMENT, "out of memory");
        if (!status) status = setup_engine(app, &a->s, e);
    }
    if (!status) status = score(app, a, ids, n, logprob);
    if (!status) status = print(app, a, ids, n, logprob);
    setup_close(&a->s);
    r1_free(ids);
    free(logprob);
    return status;
}

const cli_command cli_score = {
    .rank = 60,
    .name = "score",
    .usage = "[options] MODEL (--text TEXT | --file FILE | --ids IDS | --ids-file FILE)",
    .summary = "log-probabilities and perplexity of a text or of token ids",
    .about = "Prints a line for each token: its position, its id, the natural logarithm of the probability that the model gives it after all "
             "tokens before it, and its text; then the perplexity, exp of minus the mean. The first token has no probability.\n\n"
             "The numbers are those that generation gives the same tokens, bit for bit.",
    .examples = "r1 score model.gguf --text \"The capital of France is Paris.\"\n"
                "# the perplexity of a file\n"
                "r1 score model.gguf --file wiki.txt | tail -n 1\n"
                "# every logit of a checkpoint without a tokenizer\n"
                "r1 score models/tiny --ids 1,2,3 --logits logits.safetensors",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
