/* From messages to the ids the model reads, as the library does it, with a command's errors. */
#ifndef R1_CLI_PROMPT_H
#define R1_CLI_PROMPT_H

#include "setup.h"

typedef struct prompt_form {
    r1_chat_form *form;            /* owned */
    bool can_think;                /* the tokenizer has </think> */
} prompt_form;

typedef struct prompt_ids {
    int32_t *ids;                  /* r1_free */
    size_t n;
    bool thinking_open;            /* the prompt ends inside the think block */
} prompt_ids;

/* The model's own template, or R1's where it ships none but has R1's tokens. 0 or an exit status. */
int prompt_open(cli *app, const setup *s, prompt_form *out);
void prompt_close(prompt_form *form);
/* messages: a JSON array. think false: the answer begins behind an empty think block. R1_ERR_FORMAT: the template
 * failed. */
r1_status prompt_make(const prompt_form *form, json_t *messages, bool think, prompt_ids *out, r1_error *err);

#endif
