/* From a completion to a program: what comes after the thinking, the fenced block that holds the code, and how it joins
 * the prompt of a data set. Texts are any bytes; results are slices of the input. */
#ifndef R1I_CODE_EXTRACT_H
#define R1I_CODE_EXTRACT_H

#include "reward/code_run.h"

/* What follows the last </think>; all of it where no thinking was begun; nothing (false) where thinking never ended. */
bool r1i_code_answer(r1i_text completion, bool thinking_open, r1i_text *answer);
/* The last fenced block whose tag names the language; else the last without a tag; else the last with any tag. A fence
 * that is never closed reaches to the end. *fenced false: there is none, and the code is the whole answer. */
void r1i_code_block(r1i_text answer, r1i_code_language language, r1i_text *code, bool *fenced);
/* Whether a line at the left margin defines the name: def, async def, class, or an assignment. */
bool r1i_code_defines(r1i_text code, r1i_text name);
/* A predicted Python literal: inside the last [ANSWER]..[/ANSWER], else the last fenced block, else the last line with
 * text; of "assert f(x) == y" or "f(x) == y" the part that is asked for (output: y; input: x). */
void r1i_code_prediction(r1i_text answer, bool input, r1i_text *prediction);

#endif
