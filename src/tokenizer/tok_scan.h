/* Hand-written scanners for the pre-tokeniser patterns that nearly every model of the family uses; they give the same
 * pieces as the regular expressions (a test compares them with PCRE2) at several times the speed. */
#ifndef R1I_TOK_SCAN_H
#define R1I_TOK_SCAN_H

#include "tokenizer/tok_class.h"

/* End of the piece that begins at p[i], i < n. Pieces tile the text. */
typedef size_t (*r1i_scan_fn)(const r1i_classes *c, const uint8_t *p, size_t i, size_t n);

size_t r1i_scan_deepseek3(const r1i_classes *c, const uint8_t *p, size_t i, size_t n); /* all three steps in one */
size_t r1i_scan_qwen2(const r1i_classes *c, const uint8_t *p, size_t i, size_t n);
size_t r1i_scan_llama3(const r1i_classes *c, const uint8_t *p, size_t i, size_t n);
size_t r1i_scan_gpt2(const r1i_classes *c, const uint8_t *p, size_t i, size_t n);
size_t r1i_scan_digits(const r1i_classes *c, const uint8_t *p, size_t i, size_t n); /* \p{N}, each one a piece */

#endif
