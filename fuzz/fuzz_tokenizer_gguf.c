/* The tokenizer keys of a GGUF file. */
#define TOKENIZER_KIND 'g'
#include "tokenizer_target.h"
