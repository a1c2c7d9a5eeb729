/* utf8proc enters here: code point properties and normalisation forms. */
#ifndef R1I_TOK_UNICODE_H
#define R1I_TOK_UNICODE_H

#include <utf8proc.h>

#endif
