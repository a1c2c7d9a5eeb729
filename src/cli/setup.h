/* What every command that computes shares: the options of the model and its cache, opening the model with its
 * tokenizer, and the engine. */
#ifndef R1_CLI_SETUP_H
#define R1_CLI_SETUP_H

#include "cli.h"
#include "r1/chat.h"
#include "r1/engine.h"

typedef struct setup {
    /* options */
    const char *path;            /* MODEL */
    int64_t context, batch;
    const char *cache_type, *compute, *isa;
    const char *panels;          /* a file, "none", or NULL: what lies beside the checkpoint */
    const char *lora;            /* folder of an adapter, nullable */
    bool exact_activations;
    /* opened */
    char *own_path;              /* malloc'd, where path was found and not given */
    r1_model *model;
    r1_tokenizer *tokenizer;     /* NULL where the checkpoint has none */
    r1_engine *engine;
    r1_model_info info;
} setup;

/* Declares MODEL. */
void setup_argument(opt_list *list, setup *s);
/* MODEL that may be left out. setup_own_model then finds one and says on standard error what it is; 0, or the exit
 * status after reporting. */
void setup_argument_optional(opt_list *list, setup *s);
int setup_own_model(cli *app, setup *s);
/* Whether a lone argument is a model rather than a question: it is a file, or looks like the path of one. */
bool setup_names_model(const char *text);
void setup_options(opt_list *list, setup *s);

typedef enum setup_text { SETUP_TEXT_NEEDED, SETUP_TEXT_WELCOME } setup_text;
/* Model and tokenizer; 0, or the exit status after reporting. A tokenizer that cannot be opened is an error only where
 * text is needed; elsewhere the command goes on without. */
int setup_model(cli *app, setup *s, setup_text text, bool load_mtp);
/* params: what the options do not say (sequences, cache_tokens, context when -c was not given). */
int setup_engine(cli *app, setup *s, r1_engine_params params);
/* Closes what is open. */
void setup_close(setup *s);

/* "1,2,3" or ids separated by white space, or both: *ids is malloc'd. what: where they came from. 0 or an exit
 * status. */
int setup_ids(cli *app, const char *what, const char *text, int32_t **ids, size_t *n);

/* A growing byte string; NULL text is empty. After a failed append `failed` stays set. */
typedef struct bytes {
    char *text;
    size_t n, cap;
    bool failed;
} bytes;
void bytes_add(bytes *b, const char *text, size_t n);
void bytes_free(bytes *b);

/* json_string of UTF-8 bytes. */
json_t *json_bytes(const char *text, size_t n);
json_t *json_ids(const int32_t *ids, size_t n);
/* null where the number is not finite */
json_t *json_number(double x);

#endif
