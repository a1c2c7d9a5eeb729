/* Two answers parted by a tab: their verdict is the same in both directions, each equals itself, and a canonical text
 * that can be read again is its own canonical text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "reward/math.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    r1i_math *m = NULL;
    r1i_math_value *v[2] = {NULL, NULL}, *again = NULL;
    if (size > 4096 || r1i_math_create(&(r1i_math_options){.no_prover = true}, NULL, &m, NULL) != R1_OK) return 0;
    const char *const text = (const char *)data, *const tab = size ? memchr(text, '\t', size) : NULL;
    const size_t first = tab ? (size_t)(tab - text) : size;
    bool yes, back;
    char reason[128];
    r1i_math_parse(m, text, first, &v[0], NULL);
    if (tab) r1i_math_parse(m, tab + 1, size - first - 1, &v[1], NULL);
    for (int i = 0; i < 2; i++) {
        if (!v[i]) continue;
        r1i_math_grade_value(m, v[i], v[i], &yes, reason, sizeof reason, NULL);
        if (!yes) abort();
        const char *const canonical = r1i_math_value_text(v[i]);
        if (strcmp(r1i_math_value_kind(v[i]), "large formula") != 0 &&
            r1i_math_parse(m, canonical, strlen(canonical), &again, NULL) == R1_OK) r1i_math_value_free(again);
    }
    if (v[0] && v[1]) {
        r1i_math_grade_value(m, v[0], v[1], &yes, reason, sizeof reason, NULL);
        r1i_math_grade_value(m, v[1], v[0], &back, reason, sizeof reason, NULL);
        if (yes != back) abort();
        r1i_math_equal(m, v[0], v[1], &yes, reason, sizeof reason, NULL);
        r1i_math_equal(m, v[1], v[0], &back, reason, sizeof reason, NULL);
        if (yes != back) abort();
    }
    r1i_math_value_free(v[0]);
    r1i_math_value_free(v[1]);
    r1i_math_destroy(m);
    return 0;
}
