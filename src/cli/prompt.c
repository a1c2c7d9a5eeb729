#include "prompt.h"

#include <stdlib.h>
#include <string.h>

int prompt_open(cli *app, const setup *s, prompt_form *out)
{
    r1_error err = {0};
    *out = (prompt_form){0};
    const r1_status st = r1_chat_form_open(s->tokenizer, &out->form, &err);
    if (st == R1_ERR_MISSING) return cli_fail(app, CLI_INPUT, "%s has no chat template", s->path);
    if (st != R1_OK) return cli_report(app, &err);
    out->can_think = r1_chat_form_can_think(out->form);
    return 0;
}

void prompt_close(prompt_form *form) { r1_chat_form_close(form->form); }

r1_status prompt_make(const prompt_form *form, json_t *messages, bool think, prompt_ids *out, r1_error *err)
{
    r1_prompt p;
    *out = (prompt_ids){0};
    char *const json = json_dumps(messages, JSON_COMPACT);
    if (!json) {
        *err = (r1_error){.code = R1_ERR_FORMAT, .offset = -1,
                          .message = "the messages are not UTF-8, or memory is out"};
        return err->code;
    }
    const r1_status st = r1_chat_form_prompt(form->form, json, strlen(json), think, &p, err);
    free(json);
    if (st != R1_OK) return st;
    *out = (prompt_ids){p.ids, p.n, p.thinking_open};
    free(p.text);
    return R1_OK;
}
