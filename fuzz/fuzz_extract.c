/* Every way of extraction on any bytes: what is found lies inside the text, is not blank, and is found again in a
 * copy. */
#include <stdint.h>
#include <stdlib.h>

#include "reward/extract.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void inside(r1i_slice part, const r1i_candidates *c)
{
    if (!c->why || c->n < 0 || c->n > R1I_CANDIDATES || (c->refused && c->n > 0)) abort();
    for (int i = 0; i < c->n; i++) {
        if (c->item[i].n == 0 || c->item[i].s < part.s || c->item[i].s + c->item[i].n > part.s + part.n) abort();
        if (r1i_slice_trim(c->item[i]).n == 0) abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const ways[])(r1i_slice, r1i_candidates *) = {r1i_find_box, r1i_find_hashes, r1i_find_phrase,
                                                                r1i_find_bare, r1i_find_last};
    const r1i_slice whole = {(const char *)data, size};
    for (int open = 0; open < 2; open++) {
        r1i_slice part, rest;
        const char *why = NULL;
        char letter = 0, again = 0;
        if (!r1i_answer_part(whole, open, &part, &why)) {
            if (!why) abort();
            continue;
        }
        if (part.n == 0 || part.s < whole.s || part.s + part.n > whole.s + whole.n) abort();
        for (size_t k = 0; k < sizeof ways / sizeof *ways; k++) {
            r1i_candidates c;
            if (ways[k](part, &c)) inside(part, &c);
            if (c.n > 0 && r1i_choice_label(c.item[0], 'J', &letter, &rest) &&
                (rest.s < part.s || rest.s + rest.n > part.s + part.n)) abort();
        }
        if (r1i_find_choice(part, 'J', &letter) != r1i_find_choice(part, 'J', &again) || letter < 0 ||
            (letter && (letter < 'A' || letter > 'J'))) abort();
    }
    return 0;
}
