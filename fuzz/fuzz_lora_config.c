/* adapter_config.json: an accepted configuration has a usable scale, answers for any module name, and its own text is
 * accepted again as the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/lora_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const r1i_lora_config *c)
{
    char *text;
    json_t *root;
    r1i_lora_config again;
    r1_error err = {0};
    if (c->r < 1 || c->r > R1I_LORA_MAX_RANK || !isfinite(r1i_lora_config_scale(c))) abort();
    (void)r1i_lora_config_wants(c, "model.layers.0.self_attn.q_proj", NULL);
    if (!c->targets && !c->all_linear) return; /* a pattern, which we read past and never write */
    if (r1i_lora_config_text(c, false, &text, &err) != R1_OK) abort();
    if (r1i_json_parse(text, strlen(text), &root, &err) != R1_OK) abort();
    if (r1i_lora_config_from_json(root, &again, &err) != R1_OK) abort();
    if (again.r != c->r || again.rslora != c->rslora || again.all_linear != c->all_linear ||
        json_equal(again.targets, c->targets) != (c->targets != NULL)) abort();
    r1i_lora_config_free(&again);
    json_decref(root);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *root;
    r1i_lora_config c;
    r1_error err = {0};
    if (r1i_json_parse(data, size, &root, &err) != R1_OK) return 0;
    if (r1i_lora_config_from_json(root, &c, &err) == R1_OK) check(&c);
    else if (err.code == R1_OK || err.message[0] == '\0') abort();
    r1i_lora_config_free(&c);
    json_decref(root);
    return 0;
}
