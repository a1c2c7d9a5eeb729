/* The task's own regular expressions. The text is a model's, so steps and matches are limited: both limits together
 * keep the worst case under a second. */
#include "reward/extract.h"

enum { STEPS = 100000, MATCHES = 500, TAIL = 1 << 16 };

bool r1i_find_pattern(r1i_slice part, const r1i_regex *pattern, r1i_match *match, r1i_candidates *out)
{
    *out = (r1i_candidates){.why = "the task's pattern matches nothing"};
    const r1i_slice t = part.n > TAIL ? r1i_slice_from(part, part.n - TAIL) : part;
    bool found;
    r1i_slice last = {0};
    size_t from = 0;
    match->limit = STEPS;
    for (int k = 0; k < MATCHES && from <= t.n; k++) {
        r1i_regex_hit hit;
        if (r1i_regex_find(pattern, match, (const uint8_t *)t.s, t.n, from, &found, &hit, NULL) != R1_OK) {
            out->refused = true;
            out->why = "the task's pattern needs too many steps on this text";
            return true;
        }
        if (!found) break;
        const bool group = hit.group_begin != SIZE_MAX;
        last = r1i_slice_cut(t, group ? hit.group_begin : hit.begin, group ? hit.group_end : hit.end);
        from = hit.end > hit.begin ? hit.end : hit.end + 1;
    }
    r1i_candidate(out, r1i_slice_trim(last));
    if (out->n > 0) out->why = "where the task's pattern matches";
    return out->n > 0;
}
