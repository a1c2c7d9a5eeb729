/* Asks a model one question and prints the answer as it comes.
 *   ask MODEL "question"       MODEL: a checkpoint folder or a .gguf file
 * Build against an installed r1:  cc ask.c $(pkg-config --cflags --libs r1) */
#include <stdio.h>
#include <string.h>

#include <jansson.h>
#include <r1/r1.h>

static bool on_token(void *user, const r1_token_event *event)
{
    (void)user;
    fwrite(event->text, 1, event->text_bytes, stdout);
    return fflush(stdout) == 0; /* false cancels: nobody reads any more */
}

static void on_done(void *user, const r1_result *result)
{
    r1_result *const out = user;
    *out = *result;
}

/* The model's own chat template turns the question into a prompt; it says which bytes are its own, so that a control
 * token typed by the user stays text. */
static r1_status make_prompt(const r1_tokenizer *tokenizer, const char *question, int32_t **ids, size_t *n,
                             r1_error *err)
{
    const char *source = r1_tokenizer_chat_template(tokenizer, NULL), *bos = "";
    size_t bos_bytes = 0;
    r1_template *compiled = NULL;
    r1_rendered text = {0};
    if (!source) source = r1_template_builtin("r1");
    r1_tokenizer_token_bytes(tokenizer, r1_tokenizer_bos(tokenizer), &bos, &bos_bytes);
    r1_status st = r1_template_compile(source, strlen(source), &compiled, err);
    json_t *const variables = json_pack("{s:[{s:s,s:s}],s:b,s:s%,s:s}", "messages", "role", "user", "content", question,
                                        "add_generation_prompt", 1, "bos_token", bos, bos_bytes, "eos_token", "");
    char *const json = json_dumps(variables, 0);
    if (st == R1_OK && json) st = r1_template_render(compiled, json, strlen(json), NULL, &text, err);
    if (st == R1_OK)
        st = r1_tokenizer_encode_spans(tokenizer, text.text, text.bytes, text.spans, text.n_spans, ids, n, err);
    r1_rendered_free(&text);
    r1_template_destroy(compiled);
    r1_free(json);
    json_decref(variables);
    return st;
}

int main(int argc, char **argv)
{
    r1_model *model = NULL;
    r1_tokenizer *tokenizer = NULL;
    r1_engine *engine = NULL;
    r1_error err = {0};
    r1_result result = {.finish = R1_FINISH_NONE};
    int32_t *ids = NULL;
    size_t n = 0;
    if (argc != 3) {
        fprintf(stderr, "usage: ask MODEL QUESTION\n");
        return 2;
    }
    r1_status st = r1_model_open(argv[1], NULL, NULL, &model, &err);
    if (st == R1_OK) st = r1_tokenizer_open(argv[1], NULL, &tokenizer, &err);
    if (st == R1_OK) st = r1_engine_create(model, tokenizer, NULL, NULL, &engine, &err);
    if (st == R1_OK) st = make_prompt(tokenizer, argv[2], &ids, &n, &err);
    if (st == R1_OK) {
        const r1_request request = {.prompt = ids, .n_prompt = n, .max_tokens = 512, .sampling = r1_sampling_default(),
                                    .on_token = on_token, .on_done = on_done, .user = &result};
        int64_t id;
        st = r1_engine_submit(engine, &request, &id, &err);
        if (st == R1_OK) st = r1_engine_run(engine, &err);
    }
    if (st == R1_OK && result.finish == R1_FINISH_ERROR) {
        err = result.error;
        st = err.code;
    }
    if (st == R1_OK) printf("\n[%lld tokens in %.1f s]\n", (long long)result.output_tokens, result.decode_seconds);
    else fprintf(stderr, "ask: %s\n", err.message);
    r1_engine_destroy(engine);
    r1_free(ids);
    r1_tokenizer_close(tokenizer);
    r1_model_close(model);
    return r1_status_exit_code(st, &err);
}
