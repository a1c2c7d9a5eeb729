/* tokenizer.json. */
#define TOKENIZER_KIND 'j'
#include "tokenizer_target.h"
