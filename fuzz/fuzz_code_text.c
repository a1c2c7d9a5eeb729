/* What a code grader reads before anything runs: the first line is taken as a gold, the rest as a completion. Slices
 * stay inside the completion, and an accepted gold has tests. */
#include <stdlib.h>
#include <string.h>

#include "reward/code_compare.h"
#include "reward/code_extract.h"
#include "reward/code_gold.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(r1i_text part, r1i_text whole)
{
    if (part.n && (part.bytes < whole.bytes || part.n > whole.n || part.bytes + part.n > whole.bytes + whole.n))
        abort();
}

static void completion(r1i_text text)
{
    r1i_text answer, part;
    bool fenced;
    char why[32];
    for (int open = 0; open < 2; open++) {
        const bool any = r1i_code_answer(text, open != 0, &answer);
        inside(answer, text);
        if (!any && answer.n) abort();
    }
    r1i_code_answer(text, false, &answer);
    for (int language = 0; language < R1I_N_LANGUAGES; language++) {
        r1i_code_block(answer, (r1i_code_language)language, &part, &fenced);
        inside(part, answer);
        if (!fenced && part.n != answer.n) abort();
        r1i_code_defines(part, (r1i_text){"f", 1});
    }
    for (int input = 0; input < 2; input++) {
        r1i_code_prediction(answer, input != 0, &part);
        inside(part, answer);
    }
    /* equal to itself, and not to nothing */
    if (!r1i_output_equal(text.bytes, text.n, text.bytes, text.n, 1e-9, why, sizeof why)) abort();
    r1i_output_equal(answer.bytes, answer.n, text.bytes, text.n, 1e-6, why, sizeof why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const bytes = size ? (const char *)data : "", *const nl = size ? memchr(data, '\n', size) : NULL;
    const size_t first = nl ? (size_t)(nl - bytes) : size;
    r1i_code_gold gold;
    r1_error err = {0};
    if (r1i_code_gold_parse(bytes, first, &gold, &err) == R1_OK) {
        const bool io = gold.form == R1I_FORM_STDIO;
        if (io ? gold.n_tests == 0 : gold.calls.n_assertions == 0 && gold.calls.check.n == 0) abort();
        if (gold.language != R1I_PYTHON && !io) abort();
    } else if (err.code == R1_OK || !err.message[0] || gold.root) abort();
    r1i_code_gold_free(&gold);
    completion((r1i_text){nl ? nl + 1 : bytes, nl ? size - first - 1 : size});
    return 0;
}
