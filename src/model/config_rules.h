/* What the readers of config.json and of GGUF keys share. */
#ifndef R1I_CONFIG_RULES_H
#define R1I_CONFIG_RULES_H

#include "model/config.h"

/* A config.json is a few kilobytes; its tree costs up to some 30 times its bytes. */
#define R1I_CONFIG_MAX_BYTES (UINT64_C(1) << 20)

/* Append a copy. list is nullable: then nothing is kept. */
r1_status r1i_name_list_add(r1i_name_list *list, const char *name, r1_error *err);
/* "deepseek_v3", "qwen2", "llama". */
const char *r1i_arch_name(r1i_arch arch);

#endif
