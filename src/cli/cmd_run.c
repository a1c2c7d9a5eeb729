/* r1 run: one question, one answer (or several), streamed. */
#include <stdlib.h>
#include <string.h>

#include "prompt.h"

typedef struct params {
    setup s;
    const char *prompt, *system, *prefix, *ids;
    bool raw, json, hide_thinking, think, ignore_eos;
    int64_t max_tokens, top_k, seed, logprobs, think_budget, samples;
    double temperature, top_p, min_p, repetition, presence, frequency;
    opt_strings bias, stop;
} params;

static void options(opt_list *list, void *p)
{
    params *const a = p;
    a->think = true;
    a->temperature = 0.6;
    a->top_p = 0.95;
    a->repetition = 1.0;
    a->logprobs = -1;
    a->samples = 1;
    setup_argument_optional(list, &a->s);
    opt_arg_optional(list, "PROMPT", &a->prompt,
                     "the question; without one, or with -, it is read from standard input");
    opt_string(list, 's', "system", "TEXT", &a->system, "a system message (R1's authors advise against one)");
    opt_int(list, 'n', "max-tokens", "N", &a->max_tokens, 0, INT64_C(1) << 31,
            "length of the answer, thinking included; 0: as the context allows");
    opt_real(list, 0, "temperature", "T", &a->temperature, 0.0, 100.0, "0: always the likeliest token");
    opt_real(list, 0, "temp", "T", &a->temperature, 0.0, 100.0, "the same as --temperature");
    opt_real(list, 0, "top-p", "P", &a->top_p, 0.0, 1.0,
             "draw from the likeliest tokens that together have this probability");
    opt_int(list, 0, "top-k", "K", &a->top_k, 0, INT32_MAX, "draw from the K likeliest tokens; 0: off");
    opt_real(list, 0, "min-p", "P", &a->min_p, 0.0, 1.0, "drop tokens less likely than P times the likeliest");
    opt_real(list, 0, "repetition-penalty", "X", &a->repetition, 1e-3, 1e3,
             "divides the logits of tokens seen before; 1: off");
    opt_real(list, 0, "repeat-penalty", "X", &a->repetition, 1e-3, 1e3, "the same as --repetition-penalty");
    opt_real(list, 0, "presence-penalty", "X", &a->presence, -1e3, 1e3,
             "subtracted from the logits of tokens in the answer");
    opt_real(list, 0, "frequency-penalty", "X", &a->frequency, -1e3, 1e3,
             "the same, times how often the token occurred");
    opt_int(list, 0, "seed", "N", &a->seed, 0, INT64_MAX,
            "the same seed gives the same answer, on any number of threads");
    opt_int(list, 0, "samples", "N", &a->samples, 1, 256, "so many answers to the one prompt, computed together");
    opt_strings_add(list, 0, "logit-bias", "ID=B", &a->bias,
                    "add B to a token's logit (-inf forbids it); may be repeated");
    opt_strings_add(list, 0, "stop", "TEXT", &a->stop, "end the answer before this text; may be repeated");
    opt_int(list, 0, "logprobs", "N", &a->logprobs, -1, 20,
            "with --json: log-probabilities, with the N likeliest tokens");
    opt_int(list, 0, "think-budget", "N", &a->think_budget, 0, INT64_C(1) << 31,
            "close the thinking after N tokens; 0: no limit");
    opt_flag(list, 0, "think", &a->think, "--no-think begins behind an empty think block");
    opt_flag(list, 0, "hide-thinking", &a->hide_thinking, "print the answer alone");
    opt_string(list, 0, "prefix", "TEXT", &a->prefix, "text that the output must begin with");
    opt_flag(list, 0, "raw", &a->raw, "the prompt is the model's input as it is: no chat template");
    opt_string(list, 0, "ids", "IDS", &a->ids, "the prompt as token ids, 1,2,3 (needs no tokenizer)");
    opt_flag(list, 0, "ignore-eos", &a->ignore_eos, "go on after the end token");
    opt_flag(list, 'j', "json", &a->json, "one JSON object an answer: ids, text, thinking, answer, log-probs, timings");
    setup_options(list, &a->s);
}

/* ---- the prompt -------------------------------------------------------------------------------------------------- */

typedef prompt_ids prompt;

static bool ends_with(const char *text, size_t n, const char *end)
{
    const size_t m = strlen(end);
    return n >= m && memcmp(text + n - m, end, m) == 0;
}

static int render(cli *app, const params *a, const char *text, size_t n, prompt *out)
{
    r1_error err = {0};
    prompt_form form;
    int status = prompt_open(app, &a->s, &form);
    if (status) {
        cli_note(app, "--raw takes the prompt as it is");
        return status;
    }
    if (!a->think && !form.can_think) cli_note(app, "--no-think changes nothing: this model has no think block");
    json_t *const messages = json_array();
    if (a->system) json_array_append_new(messages, json_pack("{s:s, s:s}", "role", "system", "content", a->system));
    json_array_append_new(messages, json_pack("{s:s, s:o}", "role", "user", "content", json_bytes(text, n)));
    if (json_array_size(messages) != (a->system ? 2 : 1)) status = cli_fail(app, CLI_INPUT, "the prompt is not UTF-8");
    else if (prompt_make(&form, messages, a->think, out, &err) != R1_OK) status = cli_report(app, &err);
    json_decref(messages);
    prompt_close(&form);
    return status;
}

static int make_prompt(cli *app, const params *a, prompt *out)
{
    r1_error err = {0};
    char *text = NULL;
    size_t n = 0;
    if (a->ids) return setup_ids(app, "--ids", a->ids, &out->ids, &out->n);
    int status = 0;
    const bool from_input = !a->prompt || strcmp(a->prompt, "-") == 0;
    if (from_input) {
        if (app->in_tty) cli_note(app, "reading the prompt from the terminal; Ctrl-D ends it");
        if ((status = cli_read(app, "-", (size_t)1 << 28, &text, &n))) return status;
        if (n > 0 && text[n - 1] == '\n') n--; /* the newline that ends the last line is none of the prompt's */
    }
    const char *const prompt_text = from_input ? text : a->prompt;
    if (!from_input) n = strlen(a->prompt);
    if (a->raw) {
        if (r1_tokenizer_encode(a->s.tokenizer, prompt_text, n, R1_ENCODE_BOS, &out->ids, &out->n, &err) != R1_OK)
            status = cli_report(app, &err);
        out->thinking_open = ends_with(prompt_text, n, "<think>\n");
    } else {
        status = render(app, a, prompt_text, n, out);
    }
    free(text);
    return status;
}

/* ---- answers ----------------------------------------------------------------------------------------------------- */

typedef struct answer {
    cli *app;
    const params *a;
    /* broken: nobody reads standard output any more, or no memory is left */
    bool stream, shown_open, shown_any, broken;
    char last;                                  /* last byte printed */
    r1_think_splitter splitter;
    bytes text, thinking, answer, ids;          /* ids: int32_t */
    json_t *logprobs;
    r1_result result;
} answer;

static void show(answer *w, const char *text, size_t n)
{
    if (n == 0) return;
    cli_put(w->app, text, n);
    w->last = text[n - 1];
    w->shown_any = true;
}

/* On a terminal the thinking is dimmed; elsewhere the same text, so that a script sees the published form. */
static void open_thinking(answer *w)
{
    if (w->app->color) cli_put(w->app, "\033[2m", 4);
    show(w, "<think>\n", 8);
    w->shown_open = true;
}

static void close_thinking(answer *w)
{
    if (!w->shown_open) return;
    w->shown_open = false;
    if (w->last != '\n') show(w, "\n", 1);
    show(w, "</think>\n\n", 10);
    if (w->app->color) cli_put(w->app, "\033[0m", 4);
}

static void show_part(answer *w, r1_think_part part, const char *text, size_t n)
{
    if (n == 0) return;
    if (part == R1_PART_ANSWER) {
        close_thinking(w);
        show(w, text, n);
    } else if (!w->a->hide_thinking) {
        if (!w->shown_open) open_thinking(w);
        show(w, text, n);
    }
}

static void end_line(answer *w)
{
    close_thinking(w);
    if (w->shown_any && w->last != '\n') show(w, "\n", 1);
}

static void on_part(void *user, r1_think_part part, const char *text, size_t n)
{
    answer *const w = user;
    bytes_add(part == R1_PART_THINKING ? &w->thinking : &w->answer, text, n);
    if (w->stream) show_part(w, part, text, n);
}

static json_t *logprob_object(const answer *w, int32_t id, double logprob)
{
    const char *text;
    size_t n;
    json_t *const o = json_pack("{s:i, s:o}", "id", (int)id, "logprob", json_number(logprob));
    if (w->a->s.tokenizer && r1_tokenizer_token_bytes(w->a->s.tokenizer, id, &text, &n)) {
        json_t *const whole = json_bytes(text, n); /* NULL for half a character */
        if (whole) json_object_set_new(o, "token", whole);
        json_t *const each = json_array();
        for (size_t i = 0; i < n; i++) json_array_append_new(each, json_integer((unsigned char)text[i]));
        json_object_set_new(o, "bytes", each);
    }
    return o;
}

static bool on_token(void *user, const r1_token_event *event)
{
    answer *const w = user;
    char number[16];
    bytes_add(&w->ids, (const char *)&event->id, sizeof event->id);
    bytes_add(&w->text, event->text, event->text_bytes);
    r1_think_feed(&w->splitter, event->text, event->text_bytes, on_part, w);
    if (w->stream && !w->a->s.tokenizer)
        show(w, number, (size_t)snprintf(number, sizeof number, event->index ? " %d" : "%d", event->id));
    if (w->logprobs) {
        json_t *const o = logprob_object(w, event->id, (double)event->logprob), *const top = json_array();
        for (int32_t i = 0; i < event->n_top; i++)
            json_array_append_new(top, logprob_object(w, event->top[i].id, (double)event->top[i].logprob));
        json_object_set_new(o, "top", top);
        json_array_append_new(w->logprobs, o);
    }
    if (w->text.failed || w->thinking.failed || w->answer.failed || w->ids.failed) w->broken = true;
    if (w->stream && !cli_flush(w->app)) w->broken = true;
    return !w->broken;
}

static void on_done(void *user, const r1_result *result)
{
    answer *const w = user;
    w->result = *result;
    for (int i = 0; result->stop_string && i < w->a->stop.n; i++) /* the engine's copy goes with the request */
        if (strcmp(w->a->stop.item[i], result->stop_string) == 0) w->result.stop_string = w->a->stop.item[i];
    r1_think_finish(&w->splitter, on_part, w);
    if (w->stream) end_line(w);
}

static const char *finish_name(r1_finish f)
{
    static const char *const name[] = {"none", "stop", "length", "cancelled", "error"};
    return name[f];
}

static double rate(int64_t n, double seconds) { return seconds > 0.0 ? (double)n / seconds : 0.0; }

static json_t *answer_object(const answer *w, const prompt *p, int64_t sample)
{
    const r1_result *const r = &w->result;
    json_t *const o = json_object();
    json_object_set_new(o, "sample", json_integer(sample));
    json_object_set_new(o, "prompt_ids", json_ids(p->ids, p->n));
    json_object_set_new(o, "output_ids",
                        json_ids((const int32_t *)(const void *)w->ids.text, w->ids.n / sizeof(int32_t)));
    json_object_set_new(o, "text", json_bytes(w->text.text, w->text.n));
    json_object_set_new(o, "thinking", json_bytes(w->thinking.text, w->thinking.n));
    json_object_set_new(o, "answer", json_bytes(w->answer.text, w->answer.n));
    json_object_set_new(o, "finish_reason", json_string(finish_name(r->finish)));
    json_object_set_new(o, "stop_string", r->stop_string ? json_string(r->stop_string) : json_null());
    if (w->logprobs) json_object_set(o, "logprobs", w->logprobs);
    json_object_set_new(o, "usage",
                        json_pack("{s:I, s:I, s:I, s:I}", "prompt_tokens", (json_int_t)r->prompt_tokens,
                                  "cached_tokens", (json_int_t)r->cached_tokens, "completion_tokens",
                                  (json_int_t)r->output_tokens, "total_tokens",
                                  (json_int_t)(r->prompt_tokens + r->output_tokens)));
    json_object_set_new(o, "timings",
                        json_pack("{s:f, s:f, s:f, s:f, s:f}", "load_seconds", w->a->s.info.load_seconds,
                                  "prefill_seconds", r->prefill_seconds, "decode_seconds", r->decode_seconds,
                                  "prefill_tokens_per_second", rate(r->prompt_tokens, r->prefill_seconds),
                                  "decode_tokens_per_second",
                                                rate(r->output_tokens - 1, r->decode_seconds)));
    return o;
}

/* ---- the request ------------------------------------------------------------------------------------------------- */

static int parse_bias(cli *app, const params *a, r1_logit_bias *out)
{
    for (int i = 0; i < a->bias.n; i++) {
        char *end;
        const long id = strtol(a->bias.item[i], &end, 10);
        const char *const value = end + 1;
        if (end == a->bias.item[i] || *end != '=' || id < 0 || id > INT32_MAX)
            return cli_fail(app, CLI_USAGE, "--logit-bias: '%s' is not ID=BIAS", a->bias.item[i]);
        out[i] = (r1_logit_bias){(int32_t)id, strtof(value, &end)};
        if (end == value || *end) return cli_fail(app, CLI_USAGE, "--logit-bias: '%s' is not ID=BIAS", a->bias.item[i]);
    }
    return 0;
}

static r1_request request_of(const params *a, const prompt *p, const r1_logit_bias *bias, const int32_t *forced,
                             size_t n_forced)
{
    r1_request q = {.prompt = p->ids, .n_prompt = p->n, .max_tokens = a->max_tokens, .sampling = r1_sampling_default(),
                    .stop_strings = a->stop.item, .n_stop_strings = (size_t)a->stop.n, .ignore_eos = a->ignore_eos,
                    .forced = forced, .n_forced = n_forced, .thinking_open = p->thinking_open,
                    .think_budget = a->think_budget};
    q.sampling.temperature = (float)a->temperature;
    q.sampling.top_p = (float)a->top_p;
    q.sampling.top_k = (int32_t)a->top_k;
    q.sampling.min_p = (float)a->min_p;
    q.sampling.repetition_penalty = (float)a->repetition;
    q.sampling.presence_penalty = (float)a->presence;
    q.sampling.frequency_penalty = (float)a->frequency;
    q.sampling.seed = (uint64_t)a->seed;
    q.sampling.logit_bias = bias;
    q.sampling.n_logit_bias = (size_t)a->bias.n;
    q.sampling.top_logprobs = a->logprobs > 0 ? (int32_t)a->logprobs : 0;
    q.on_token = on_token;
    q.on_done = on_done;
    return q;
}

static int finish_answers(cli *app, const params *a, const prompt *p, answer *w)
{
    int status = 0;
    for (int64_t i = 0; i < a->samples && !status; i++) {
        if (w[i].result.finish == R1_FINISH_ERROR) return cli_report(app, &w[i].result.error);
        if (w[i].text.failed || w[i].ids.failed) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
        if (a->json) {
            status = cli_put_json(app, answer_object(&w[i], p, i));
        } else if (a->samples > 1) {
            fprintf(app->out, "%s--- %lld of %lld ---\n", i ? "\n" : "", (long long)i + 1, (long long)a->samples);
            show_part(&w[i], R1_PART_THINKING, w[i].thinking.text, w[i].thinking.n);
            show_part(&w[i], R1_PART_ANSWER, w[i].answer.text, w[i].answer.n);
            end_line(&w[i]);
        }
    }
    const r1_result *const r = &w[0].result;
    if (app->verbose || (app->err_tty && !app->quiet && !a->json))
        cli_note(app, "%lld prompt tokens, %.1f a second; %lld tokens, %.1f a second; ended by %s",
                 (long long)r->prompt_tokens, rate(r->prompt_tokens - r->cached_tokens, r->prefill_seconds),
                 (long long)r->output_tokens, rate(r->output_tokens - 1, r->decode_seconds), finish_name(r->finish));
    return status;
}

static int generate(cli *app, params *a, const prompt *p, const r1_logit_bias *bias, const int32_t *forced,
                    size_t n_forced)
{
    r1_error err = {0};
    int64_t id;
    int status = 0;
    answer *const w = calloc((size_t)a->samples, sizeof *w);
    if (!w) return cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    for (int64_t i = 0; i < a->samples && !status; i++) {
        r1_request q = request_of(a, p, bias, forced, n_forced);
        w[i] = (answer){.app = app, .a = a, .stream = !a->json && a->samples == 1,
                        .logprobs = a->logprobs >= 0 ? json_array() : NULL};
        r1_think_init(&w[i].splitter, p->thinking_open);
        q.sampling.sample = (uint32_t)i;
        q.user = &w[i];
        if (r1_engine_submit(a->s.engine, &q, &id, &err) != R1_OK) status = cli_report(app, &err);
    }
    if (!status && r1_engine_run(a->s.engine, &err) != R1_OK) status = cli_report(app, &err);
    if (!status) status = finish_answers(app, a, p, w);
    r1_engine_destroy(a->s.engine); /* after a failure it still holds requests that point into w */
    a->s.engine = NULL;
    for (int64_t i = 0; i < a->samples; i++) {
        bytes_free(&w[i].text);
        bytes_free(&w[i].thinking);
        bytes_free(&w[i].answer);
        bytes_free(&w[i].ids);
        json_decref(w[i].logprobs);
    }
    free(w);
    return status;
}

static r1_engine_params engine_params(const params *a, const prompt *p)
{
    r1_engine_params e = r1_engine_params_default();
    e.max_sequences = (int32_t)(a->samples < 32 ? a->samples : 32);
    e.max_batch_tokens = p->n < 480 ? (int32_t)p->n + e.max_sequences : 512; /* a short prompt needs no large buffers */
    /* One answer of known length needs no larger cache than that; a prompt that is too long is the engine's to
     * refuse. */
    const int64_t longest = (int64_t)p->n + a->max_tokens, most = a->s.info.max_positions;
    if (a->samples > 1 && a->max_tokens > 0 && longest < most) e.cache_tokens = (longest + 64) * e.max_sequences;
    return e;
}

/* A lone argument is the model if it is a file or looks like one's path, else the question. */
static int choose_model(cli *app, params *a)
{
    if (a->s.path && !a->prompt && !a->ids && !setup_names_model(a->s.path)) {
        a->prompt = a->s.path;
        a->s.path = NULL;
        if (!strpbrk(a->prompt, " \t\n") && strcmp(a->prompt, "-") != 0)
            cli_note(app, "there is no file '%.100s': it is taken as the question", a->prompt);
    }
    return setup_own_model(app, &a->s);
}

static int run(cli *app, void *p)
{
    params *const a = p;
    prompt question = {0};
    r1_error err = {0};
    int32_t *forced = NULL;
    size_t n_forced = 0;
    r1_logit_bias *const bias = malloc(((size_t)a->bias.n + 1) * sizeof *bias);
    int status = bias ? parse_bias(app, a, bias) : cli_fail(app, CLI_ENVIRONMENT, "out of memory");
    if (!status) status = choose_model(app, a);
    if (!status) status = setup_model(app, &a->s, a->ids ? SETUP_TEXT_WELCOME : SETUP_TEXT_NEEDED, false);
    if (!status) status = make_prompt(app, a, &question);
    if (!status && a->prefix) {
        if (!a->s.tokenizer) status = cli_fail(app, CLI_INPUT, "--prefix needs a tokenizer");
        else if (r1_tokenizer_encode(a->s.tokenizer, a->prefix, strlen(a->prefix), 0, &forced, &n_forced, &err) !=
                 R1_OK) status = cli_report(app, &err);
    }
    if (!status) status = setup_engine(app, &a->s, engine_params(a, &question));
    if (!status) status = generate(app, a, &question, bias, forced, n_forced);
    setup_close(&a->s);
    r1_free(question.ids);
    r1_free(forced);
    free(bias);
    return status;
}

const cli_command cli_run = {
    .rank = 10,
    .name = "run",
    .usage = "[options] [MODEL] [PROMPT]",
    .summary = "ask a model one question and print its answer as it comes",
    .about = "Renders the prompt with the model's own chat template, generates, and streams the output: first the thinking between <think> and "
             "</think> (dimmed on a terminal), then the answer.\n\n"
             "The defaults are those published for DeepSeek-R1: temperature 0.6, top-p 0.95, no system prompt. Results depend on the model, the "
             "prompt, the settings and the seed only; not on the number of threads, the batch or the instruction set.\n\n"
             "A single argument is the model if it is a file or looks like the path of one, else the question, which the small model that comes with r1 "
             "answers: it is there for tests and demonstrations, and says so.",
    .examples = "# the small model that comes with r1\n"
                "r1 run \"What is 12+30?\"\n"
                "r1 run models/DeepSeek-R1-Distill-Qwen-1.5B \"How many primes are below 100?\"\n"
                "# the question from a file, the answer alone into another\n"
                "r1 run --hide-thinking model.gguf < question.txt > answer.txt\n"
                "# at most 500 tokens of thinking, always the likeliest token\n"
                "r1 run --think-budget 500 --temperature 0 model.gguf \"Is 91 prime?\"\n"
                "# plain continuation, with the five likeliest tokens at each step\n"
                "r1 run --raw --json --logprobs 5 -n 20 model.gguf \"The capital of France is\"",
    .params_bytes = sizeof(params),
    .options = options,
    .run = run,
};
