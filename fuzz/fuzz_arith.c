/* Arithmetic of the number puzzles: what is accepted has a value in lowest terms, is accepted again with blanks between
 * its characters, and the puzzle made of its numbers and its value is solved by it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "r1/reward.h"
#include "reward/arith.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void solve(const r1i_arith *a, const char *text, size_t n)
{
    char gold[1024];
    if (a->den != 1 || a->num > INT64_C(1) << 60 || a->num < -(INT64_C(1) << 60)) return;
    int used = snprintf(gold, sizeof gold, "{\"target\": %lld, \"numbers\": [", (long long)a->num);
    for (size_t i = 0; i < a->n; i++)
        used += snprintf(gold + used, sizeof gold - (size_t)used, "%s%lld", i ? ", " : "", (long long)a->number[i]);
    used += snprintf(gold + used, sizeof gold - (size_t)used, "]}");
    char *const answer = malloc(n + 32);
    if (!answer) abort();
    const int m = sprintf(answer, "<answer>");
    memcpy(answer + m, text, n);
    memcpy(answer + (size_t)m + n, "</answer>", 9);
    r1_grader *g;
    r1_verdict v;
    if (r1_grader_create("countdown", NULL, NULL, &g, NULL) != R1_OK) abort();
    const r1_sample s = {.completion = answer, .completion_bytes = (size_t)m + n + 9, .gold = gold,
                         .gold_bytes = (size_t)used};
    if (r1_grader_check_gold(g, gold, (size_t)used, NULL) == R1_OK &&
        (r1_grader_grade(g, &s, &v, NULL) != R1_OK || v.score != 1)) abort();
    r1_grader_destroy(g);
    free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *const text = (const char *)data;
    r1i_arith a, form, spaced;
    const bool ok = r1i_arith_read((r1i_span){text, size}, true, &a);
    const bool shaped = r1i_arith_read((r1i_span){text, size}, false, &form);
    if (ok != (a.error[0] == 0) || (ok && !shaped) || a.n > R1I_ARITH_NUMBERS) abort();
    if (!ok) {
        if (a.at > size) abort();
        return 0;
    }
    __int128 x = a.num < 0 ? -a.num : a.num, y = a.den;
    if (y <= 0) abort();
    while (y) {
        const __int128 t = x % y;
        x = y;
        y = t;
    }
    if (x != 1) abort();
    if (form.n != a.n || memcmp(form.number, a.number, a.n * sizeof *a.number) != 0) abort();
    char *const wide = malloc(2 * size + 1); /* a blank on both sides of every + and bracket */
    size_t n = 0;
    if (!wide) abort();
    for (size_t i = 0; i < size; i++) {
        wide[n++] = text[i];
        if (text[i] == '+' || text[i] == '(') wide[n++] = ' ';
    }
    const bool again = r1i_arith_read((r1i_span){wide, n}, true, &spaced);
    if (n <= R1I_ARITH_BYTES && (!again || spaced.num != a.num || spaced.den != a.den)) abort();
    free(wide);
    solve(&a, text, size);
    return 0;
}
